//! What a step may read of what a call gives: only what a response schema declares. Of an answer
//! that nothing describes nobody can say what is in it; the sandbox has none to give, so that an
//! expression on it would be tried for the first time when it counts (mocking.md R13).

use placet_model::manifest::OperationInfo;
use placet_schemas::places::{Step as At, may_hold, names_at};
use serde_json::{Value, json};

use super::names::Place;
use super::reader::Reader;
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::expr::access::{Access, Step};
use crate::source::Span;
use crate::syntax::Node;

/// A task's call, as far as it says what comes out of it.
#[derive(Clone, Debug)]
pub(super) struct Called {
    /// `http`, `openapi`, or the name of an operation.
    call: String,
    /// `with.output` of a request in the author's own words.
    form: Option<String>,
    /// Whether `output.as` makes something else of it.
    is_transformed: bool,
    /// What the author says of the output: a schema, or that one is elsewhere.
    declared: Option<Value>,
}

impl Called {
    /// The call of this task, if it is one.
    pub(super) fn of(task: &Node) -> Option<Self> {
        let call = task.get("call")?.as_text()?.to_owned();
        let form = task.get("with").and_then(|with| with.get("output")?.as_text());
        let output = task.get("output");
        let schema = output.and_then(|output| output.get("schema"));
        let is_transformed = output.is_some_and(|output| output.get("as").is_some());
        let document =
            |schema: &Node| schema.get("document").map_or(Value::Bool(true), Node::to_json);
        let declared = schema.filter(|_| !is_transformed).map(document);
        Some(Self { call, form: form.map(str::to_owned), is_transformed, declared })
    }

    /// Whether it is a request in the author's own words.
    fn is_request(&self) -> bool {
        matches!(self.call.as_str(), "http" | "openapi")
    }

    /// What such a request gives, where that follows from its form.
    fn form_schema(&self) -> Value {
        match self.form.as_deref() {
            Some("raw") => json!({ "type": "string" }),
            Some("response") => json!({
                "type": "object",
                "properties": {
                    "request": {
                        "type": "object",
                        "properties": { "method": true, "uri": true, "headers": { "type": "object" } },
                        "additionalProperties": false,
                    },
                    "statusCode": { "type": "integer" },
                    "headers": { "type": "object" },
                },
                "additionalProperties": false,
            }),
            _ => Value::Bool(false),
        }
    }
}

impl Reader<'_> {
    /// Checks that what an expression reads of a call's output is declared.
    pub(super) fn check_access(&mut self, access: &Access, place: Place, span: Span) {
        let Some((task, called, path)) = self.meant(access, place) else { return };
        let (task, called, path) = (task.to_owned(), called.clone(), path.to_owned());
        let path = steps_of(&path);
        if called.is_request() {
            return self.check_request_access(&task, &called, &path, span);
        }
        let Some(operation) = self.environment.catalogue.get(&called.call) else { return };
        if let Some((message, help)) = refused(&task, &called, operation, &path) {
            self.report(codes::OUTPUT, span, message, help);
        }
    }

    /// The task and call whose output is read, and where in it.
    fn meant<'r>(
        &'r self,
        access: &'r Access,
        place: Place,
    ) -> Option<(&'r str, &'r Called, &'r [Step])> {
        let flows_in = match (access.variable.as_deref(), place) {
            (Some("steps"), _) => {
                let (Step::Key(name), rest) = access.path.split_first()? else { return None };
                let called = self.steps.call_of(name)?;
                return (!called.is_transformed).then_some((name.as_str(), called, rest));
            }
            (None, Place::Task | Place::Request | Place::Export | Place::TaskInput)
            | (Some("output"), Place::Export) => true,
            (Some("input"), Place::Task | Place::Request) => !self.steps.is_on_output(),
            (None | Some(_), _) => false,
        };
        let (task, called) = flows_in.then(|| self.steps.flows_in())??;
        // the transform itself reads what the call gives, everything after it what the transform gives
        let before_transform = self.steps.is_on_output() && place == Place::Task;
        let is_raw = !called.is_transformed || before_transform;
        is_raw.then_some((task, called, access.path.as_slice()))
    }

    fn check_request_access(&mut self, task: &str, called: &Called, path: &[At<'_>], span: Span) {
        let schema = called.declared.clone().unwrap_or_else(|| called.form_schema());
        if may_hold(&schema, path) {
            return;
        }
        let of_answer = path.is_empty()
            || called.form.as_deref().is_none_or(|form| form == "content")
            || matches!(path.first(), Some(At::Key("content")));
        if called.declared.is_none() && of_answer {
            let message = format!(
                "nothing says what `{task}` answers: `call: {}` declares no response schema",
                called.call
            );
            let help = "declare what comes back: output: { schema: { format: json, document: { … } } } \
                        on that task, without `as`; or describe the API once, in a manifest of the project";
            self.report(codes::OUTPUT, span, message, help);
        } else {
            let message = format!("the output of `{task}` has no {}", shown(path));
            let help = near(&schema, path);
            self.report(codes::OUTPUT, span, message, help);
        }
    }
}

/// Why nothing can be read there, and what to do.
fn refused(
    task: &str,
    called: &Called,
    operation: &OperationInfo,
    path: &[At<'_>],
) -> Option<(String, String)> {
    let OperationInfo { name, output_kept, output_named, .. } = operation;
    let named = |key: &At<'_>| matches!(key, At::Key(key) if output_named.iter().any(|n| n == key));
    if path.first().is_some_and(named) || (path.is_empty() && !output_named.is_empty()) {
        return None;
    }
    let schemas: Vec<&Value> = operation.output_schema.iter().chain(&called.declared).collect();
    if schemas.is_empty() {
        let message =
            format!("`{name}` declares no response schema: nothing can be read of `{task}`");
        let help = if output_named.is_empty() {
            "add `output_schema` to the operation in its manifest, or do not read its output"
                .to_owned()
        } else {
            format!(
                "it gives {}; for more its manifest needs an `output_schema`",
                output_named.join(", ")
            )
        };
        return Some((message, help));
    }
    let kept = output_kept.as_ref().is_none_or(|kept| kept.iter().any(|at| overlaps(at, path)));
    if !kept {
        let gives = output_kept.iter().flatten().chain(output_named);
        let gives: Vec<&str> = gives.map(String::as_str).collect();
        let message = format!("`{name}` gives a task no {} of its answer", shown(path));
        let help = if gives.is_empty() {
            "its manifest keeps nothing of the answer: name what is needed under `output`"
                .to_owned()
        } else {
            format!("it gives {}", gives.join(", "))
        };
        return Some((message, help));
    }
    let closed = schemas.into_iter().find(|schema| !may_hold(schema, path))?;
    let message = format!("the response schema of `{name}` has no {}", shown(path));
    Some((message, near(closed, path)))
}

fn steps_of(path: &[Step]) -> Vec<At<'_>> {
    path.iter()
        .map(|step| match step {
            Step::Key(key) => At::Key(key),
            Step::Item => At::Item,
            Step::Each => At::Each,
        })
        .collect()
}

/// Whether a kept place lies on the way to what is read, or below it.
fn overlaps(kept: &str, path: &[At<'_>]) -> bool {
    let unescaped = |segment: &str| segment.replace("~1", "/").replace("~0", "~");
    let segments = kept.split('/').skip(1).map(unescaped);
    segments.zip(path).all(|(segment, step)| match step {
        At::Key(key) => segment == *key || segment == "*",
        At::Item => segment == "*" || segment.parse::<usize>().is_ok(),
        At::Each => true,
    })
}

/// What is read, as an expression writes it.
fn shown(path: &[At<'_>]) -> String {
    let mut text = String::from("`");
    for step in path {
        match step {
            At::Key(key) => text.extend([".", key]),
            At::Item => text.push_str("[0]"),
            At::Each => text.push_str("[]"),
        }
    }
    text.push('`');
    text
}

/// The names that stand where the path ends.
fn near(schema: &Value, path: &[At<'_>]) -> String {
    let cut = (0..=path.len()).rev().find(|cut| may_hold(schema, path.get(..*cut).unwrap_or(path)));
    let cut = cut.unwrap_or(0);
    let known = names_at(schema, path.get(..cut).unwrap_or(path));
    let wrong = path.get(cut).and_then(|step| match step {
        At::Key(key) => Some(*key),
        At::Item | At::Each => None,
    });
    match wrong.and_then(|wrong| did_you_mean(wrong, known.iter().copied())) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "the schema declares no members there".to_owned(),
        None => format!("declared there: {}", known.join(", ")),
    }
}
