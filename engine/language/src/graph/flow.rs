//! What a plan says about order: items, what is inside of them, and what follows what.

use placet_model::TaskPath;
use placet_model::manifest::{Catalogue, Effect, HTTP_OPERATION};
use placet_model::plan::{
    AttributeMatch, Call, Catch, Consume, Directive, DurationSpec, EventFilter, Plan, RetryPolicy,
    Task, TaskKind, TaskList, Template,
};
use serde_json::Value;

use super::shown;

/// Most characters of one line in a box.
const LINE_MAX: usize = 44;
/// Most characters beside an arrow.
const LABEL_MAX: usize = 28;
/// Methods that change nothing, and ask only where their host is not listed.
const READING: &[&str] = &["GET", "HEAD", "OPTIONS"];

/// Tasks in order.
#[derive(Debug)]
pub(super) struct List {
    pub(super) items: Vec<Item>,
    pub(super) edges: Vec<Edge>,
}

/// One task.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) form: Form,
    pub(super) path: TaskPath,
    /// The name first.
    pub(super) lines: Vec<String>,
    pub(super) sections: Vec<Section>,
}

/// How an item is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Task,
    /// A call that asks for approval.
    Gate,
    Choice,
    /// A frame around its sections, which stand beside each other.
    Group,
    /// The same with a bar before and after: all sections run.
    Fork,
}

/// A part of a group.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) label: Option<String>,
    pub(super) list: List,
    /// What leads here from the section before.
    pub(super) entered: Option<String>,
}

/// What may follow an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: To,
    pub(super) label: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Item(usize),
    /// The list is complete.
    Exit,
    /// The run is complete.
    End,
}

/// The flow of a whole plan.
pub(super) fn of(plan: &Plan, catalogue: &Catalogue) -> List {
    Reading { catalogue }.list(&plan.tasks)
}

struct Reading<'c> {
    catalogue: &'c Catalogue,
}

impl Reading<'_> {
    fn list(&self, tasks: &TaskList) -> List {
        let count = tasks.0.len();
        let items = tasks.0.iter().map(|task| self.item(task)).collect();
        let mut edges: Vec<Edge> = Vec::new();
        for (index, task) in tasks.0.iter().enumerate() {
            for (directive, label) in successors(task) {
                let edge = Edge { from: index, to: target(directive, index, count), label };
                if !edges.contains(&edge) {
                    edges.push(edge);
                }
            }
        }
        List { items, edges }
    }

    fn item(&self, task: &Task) -> Item {
        let asks = self.asks(task);
        let form = if asks.is_some() {
            Form::Gate
        } else if matches!(task.kind, TaskKind::Switch(_)) {
            Form::Choice
        } else if matches!(task.kind, TaskKind::Fork(_)) {
            Form::Fork
        } else if task.kind.lists().is_empty() {
            Form::Task
        } else {
            Form::Group
        };
        let mut lines = vec![task.name.clone(), what(&task.kind)];
        lines.extend(asks.map(str::to_owned));
        lines.extend(task.condition.as_ref().map(|condition| format!("if {}", condition.0)));
        lines.extend(limit(task));
        let lines = lines.iter().map(|line| shown(line, LINE_MAX)).collect();
        Item { form, path: task.path.clone(), lines, sections: self.sections(&task.kind) }
    }

    fn sections(&self, kind: &TaskKind) -> Vec<Section> {
        let section = |label: Option<&str>, list: List| Section {
            label: label.map(str::to_owned),
            list,
            entered: None,
        };
        if let TaskKind::Fork(fork) = kind {
            let alone = |branch: &Task| self.list(&TaskList(vec![branch.clone()]));
            return fork.branches.0.iter().map(|branch| section(None, alone(branch))).collect();
        }
        if let TaskKind::Try(inner) = kind {
            let tried = section(Some("try"), self.list(&inner.tasks));
            let done = inner.catch.tasks.as_ref().map(|tasks| Section {
                entered: Some(caught(&inner.catch)),
                ..section(Some("catch"), self.list(tasks))
            });
            return std::iter::once(tried).chain(done).collect();
        }
        if let TaskKind::Function(call) = kind {
            return vec![section(None, self.body(&call.body))];
        }
        kind.lists().into_iter().map(|list| section(None, self.list(list))).collect()
    }

    /// A function's list: the frame of the call stands for a plain `do`.
    fn body(&self, body: &TaskList) -> List {
        match body.0.as_slice() {
            [
                Task {
                    kind: TaskKind::Do(list),
                    condition: None,
                    timeout: None,
                    timeout_from: None,
                    ..
                },
            ] => self.list(list),
            _ => self.list(body),
        }
    }

    /// What a gate says; `None` where nothing is asked.
    fn asks(&self, task: &Task) -> Option<&'static str> {
        const ALWAYS: &str = "approval";
        let TaskKind::Call(call) = &task.kind else {
            return matches!(task.kind, TaskKind::OpenApi(_)).then_some(ALWAYS);
        };
        if call.operation == HTTP_OPERATION && reads(call) {
            return Some("approval, unless the host is listed");
        }
        let operation = self.catalogue.get(&call.operation);
        let is_read = operation.is_some_and(|known| known.effect == Effect::Read);
        (!is_read).then_some(ALWAYS)
    }
}

/// Whether the method of an HTTP call changes nothing.
fn reads(call: &Call) -> bool {
    let literal = |value: &Template| {
        if let Template::Literal(Value::String(text)) = value { Some(text.clone()) } else { None }
    };
    let method = match &call.with {
        Template::Literal(with) => with.get("method").and_then(Value::as_str).map(str::to_owned),
        Template::Map(with) => {
            with.iter().find(|(key, _)| key == "method").and_then(|(_, value)| literal(value))
        }
        Template::Expression(_) | Template::List(_) => None,
    };
    method.is_some_and(|method| READING.contains(&method.as_str()))
}

/// What follows a task, with what is written beside the arrow.
fn successors(task: &Task) -> Vec<(&Directive, Option<String>)> {
    let label = |text: &str| Some(shown(text, LABEL_MAX));
    let mut all: Vec<(&Directive, Option<String>)> = Vec::new();
    if let TaskKind::Switch(cases) = &task.kind {
        all.extend(cases.iter().map(|case| (&case.then, label(&case.name))));
        if cases.iter().all(|case| case.when.is_some()) {
            all.push((&task.then, label("otherwise")));
        }
    } else if !matches!(task.kind, TaskKind::Raise(_)) {
        all.push((&task.then, None));
    }
    if let TaskKind::Try(inner) = &task.kind {
        all.extend(inner.catch.then.as_ref().map(|then| (then, label("caught"))));
    }
    if task.condition.is_some() && all.iter().all(|(then, _)| **then != Directive::Continue) {
        all.push((&Directive::Continue, label("skipped")));
    }
    all
}

fn target(directive: &Directive, index: usize, count: usize) -> To {
    match directive {
        Directive::Continue if index + 1 < count => To::Item(index + 1),
        Directive::Continue | Directive::Exit => To::Exit,
        Directive::End => To::End,
        Directive::Goto { index, .. } => To::Item(*index as usize),
    }
}

/// What a task does, in a few words.
fn what(kind: &TaskKind) -> String {
    match kind {
        TaskKind::Do(_) | TaskKind::Set(_) | TaskKind::Switch(_) | TaskKind::Try(_) => {
            kind.keyword().to_owned()
        }
        TaskKind::Call(call) => format!("call {}", call.operation),
        TaskKind::OpenApi(call) => format!("call openapi {}", call.operation),
        TaskKind::Function(call) => format!("function {}", call.function),
        TaskKind::Wait(DurationSpec::Fixed(time)) => format!("wait {time}"),
        TaskKind::Wait(DurationSpec::Expression(given)) => format!("wait {}", given.0),
        TaskKind::For(inner) => format!("for ${} in {}", inner.each, written(&inner.items)),
        TaskKind::Raise(error) => format!("raise {}", error.status),
        TaskKind::Fork(fork) if fork.compete => "fork, the first wins".to_owned(),
        TaskKind::Fork(_) => "fork".to_owned(),
        TaskKind::Listen(listen) => format!("listen {}", events(&listen.to)),
        TaskKind::Emit(emit) => {
            let kind = emit.event.iter().find(|(name, _)| name == "type");
            format!("emit {}", kind.map_or_else(String::new, |(_, kind)| written(kind)))
        }
        TaskKind::Run(run) => format!("run {}/{}@{}", run.namespace, run.name, run.version),
    }
}

/// A value as it was written, near enough for a label.
fn written(template: &Template) -> String {
    match template {
        Template::Expression(expression) => expression.0.clone(),
        Template::Literal(Value::String(text)) => text.clone(),
        Template::Literal(value) => value.to_string(),
        Template::Map(_) => "{ … }".to_owned(),
        Template::List(_) => "[ … ]".to_owned(),
    }
}

fn events(consume: &Consume) -> String {
    let kinds =
        |filters: &[EventFilter]| filters.iter().map(kind_of).collect::<Vec<_>>().join(", ");
    match consume {
        Consume::One(filter) => format!("one {}", kind_of(filter)),
        Consume::All(filters) => format!("all {}", kinds(filters)),
        Consume::Any { filters, .. } if filters.is_empty() => "any event".to_owned(),
        Consume::Any { filters, .. } => format!("any {}", kinds(filters)),
    }
}

/// The type that a filter wants.
fn kind_of(filter: &EventFilter) -> String {
    let kind = filter.with.iter().find(|(name, _)| name == "type" || name == "eventKey");
    match kind.map(|(_, wanted)| wanted) {
        Some(AttributeMatch::Equal(Value::String(kind)) | AttributeMatch::Pattern(kind)) => {
            kind.clone()
        }
        Some(_) | None => "event".to_owned(),
    }
}

fn limit(task: &Task) -> Option<String> {
    let fixed = task.timeout.map(|time| time.to_string());
    let time = fixed.or_else(|| task.timeout_from.as_ref().map(|from| from.0.clone()))?;
    Some(format!("at most {time}"))
}

/// Which errors a catch takes, and how often it tries again.
fn caught(catch: &Catch) -> String {
    let kind = catch.errors.kind.as_deref();
    let kind = kind.map(|kind| kind.rsplit(['/', ':']).next().unwrap_or(kind).to_owned());
    let which = kind.or_else(|| catch.errors.status.map(|status| status.to_string()));
    let which = which.map_or_else(|| "error".to_owned(), |which| format!("error {which}"));
    let again = catch.retry.as_ref().map_or_else(String::new, again);
    shown(&format!("{which}{again}"), LABEL_MAX)
}

fn again(policy: &RetryPolicy) -> String {
    policy.limit.count.map_or_else(|| ", retried".to_owned(), |count| format!(", {count} retries"))
}
