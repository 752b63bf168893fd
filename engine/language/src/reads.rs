//! What a plan's expressions read of what one of its tasks gives: asked when an answer is not as
//! declared, so that it matters only where somebody looks.

use placet_model::TaskPath;
use placet_model::plan::Plan;
use serde_json::Value;

use crate::expr::access::{Access, Step};
use crate::expr::{fence, source as fences};
use crate::parse::on_deep_stack;

/// The places of the task's output that expressions read, as the segments of a JSON Pointer in which
/// `*` is any item; an empty one is the whole. What cannot be told is a read of the whole. A task or
/// a run that only passes the output on reads nothing of it.
pub fn reads_of_output(plan: &Plan, task: &TaskPath) -> Vec<Vec<String>> {
    on_deep_stack(|| found(&plan.definition, task.as_str())).unwrap_or_else(|| vec![vec![]])
}

fn found(definition: &Value, task: &str) -> Vec<Vec<String>> {
    let Some(node) = definition.pointer(task) else { return vec![vec![]] };
    let name = task.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
    let mut reads = Vec::new();
    let mut read = |node: &Value, wanted: &dyn Fn(&Access) -> Option<Vec<String>>| {
        strings(node, &mut |text| {
            let Ok(parsed) = fence::parse(fences::bare_or_fenced(text).0) else { return };
            reads.extend(parsed.accesses.iter().filter_map(wanted));
        });
    };
    read(definition, &|access| {
        let is_steps = access.variable.as_deref() == Some("steps");
        match access.path.split_first() {
            Some((Step::Key(key), rest)) => (is_steps && *key == name).then(|| segments(rest)),
            None | Some((Step::Item | Step::Each, _)) => is_steps.then(Vec::new),
        }
    });
    let own = |access: &Access| match access.variable.as_deref() {
        None | Some("input" | "output") => Some(segments(&access.path)),
        Some(_) => None,
    };
    read(&node["output"]["as"], &own);
    read(&node["export"]["as"], &own);
    match next(definition, task) {
        Some(next) => read(next, &own),
        None => read(&definition["output"]["as"], &own),
    }
    reads
}

/// The task after this one in its list.
fn next<'d>(definition: &'d Value, task: &str) -> Option<&'d Value> {
    let (item, _) = task.rsplit_once('/')?;
    let (list, index) = item.rsplit_once('/')?;
    let index: usize = index.parse().ok()?;
    definition.pointer(list)?.get(index + 1)
}

fn strings(node: &Value, tell: &mut dyn FnMut(&str)) {
    match node {
        Value::String(text) => tell(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, tell)),
        Value::Object(members) => members.values().for_each(|member| strings(member, tell)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn segments(path: &[Step]) -> Vec<String> {
    path.iter()
        .map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Item | Step::Each => "*".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reads(tasks: &Value, task: &str) -> Vec<String> {
        let all = found(tasks, task);
        all.into_iter().map(|read| format!("/{}", read.join("/"))).collect()
    }

    #[test]
    fn a_read_is_by_name_by_what_flows_on_or_by_the_tasks_own_transform() {
        let plan = json!({"do": [
            {"find": {"call": "a.b", "export": {"as": "$context + { n: .total }"}}},
            {"show": {"set": {"first": "${ .items[0].id }"}}},
            {"late": {"set": {"name": "${ $steps.find.owner.name }", "other": "${ $steps.show.x }"}}},
        ]});
        assert_eq!(reads(&plan, "/do/0/find"), ["/owner/name", "/total", "/items/*/id"]);
    }

    #[test]
    fn what_is_only_passed_on_is_not_read() {
        let plan = json!({"do": [{"a": {"set": {"x": 1}}}, {"find": {"call": "a.b"}}]});
        assert_eq!(reads(&plan, "/do/1/find"), Vec::<String>::new());
        let with_output = json!({"do": [{"find": {"call": "a.b"}}], "output": {"as": ".id"}});
        assert_eq!(reads(&with_output, "/do/0/find"), ["/id"]);
    }

    #[test]
    fn a_place_that_nobody_can_find_is_read_as_a_whole() {
        assert_eq!(reads(&json!({"do": []}), "/do/7/gone"), ["/"]);
    }
}
