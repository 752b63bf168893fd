//! Plans in few words.

use placet_model::plan::{
    Call, Case, Catch, Directive, DurationSpec, Expression, FaultFilter, For, Fork, InputSpec,
    OutputSpec, PLAN_VERSION, Plan, RaiseSpec, RetryLimit, RetryPolicy, Task, TaskKind, TaskList,
    Template, Try, WorkflowName,
};
use placet_model::{Duration, TaskPath};
use std::collections::BTreeMap;

/// A task before it has its place.
pub(crate) struct Sketch {
    name: &'static str,
    then: &'static str,
    condition: Option<&'static str>,
    kind: Kind,
}

enum Kind {
    Set,
    Call,
    Wait,
    Raise(&'static str),
    Do(Vec<Sketch>),
    For(u32, Option<&'static str>, Vec<Sketch>),
    Try(Vec<Sketch>, Handler),
    Switch(Vec<(&'static str, &'static str)>),
    Fork(bool, Vec<Sketch>),
}

/// What a `try` catches, and what it does then.
pub(crate) struct Handler {
    kind: Option<&'static str>,
    tasks: Option<Vec<Sketch>>,
    then: Option<&'static str>,
    retries: Option<u16>,
}

const fn sketch(name: &'static str, kind: Kind) -> Sketch {
    Sketch { name, then: "continue", condition: None, kind }
}

impl Sketch {
    /// The same task, followed by this.
    pub(crate) fn then(self, then: &'static str) -> Self {
        Self { then, ..self }
    }

    /// The same task, under this condition: `true` or `false`.
    pub(crate) fn when(self, condition: &'static str) -> Self {
        Self { condition: Some(condition), ..self }
    }
}

/// An instant task.
pub(crate) const fn set(name: &'static str) -> Sketch {
    sketch(name, Kind::Set)
}

/// A call; one whose name begins with `bad` is refused.
pub(crate) const fn call(name: &'static str) -> Sketch {
    sketch(name, Kind::Call)
}

/// A wait.
pub(crate) const fn wait(name: &'static str) -> Sketch {
    sketch(name, Kind::Wait)
}

/// A raise of this type of fault.
pub(crate) const fn raise(name: &'static str, kind: &'static str) -> Sketch {
    sketch(name, Kind::Raise(kind))
}

/// A list.
pub(crate) const fn do_(name: &'static str, tasks: Vec<Sketch>) -> Sketch {
    sketch(name, Kind::Do(tasks))
}

/// A loop over so many items.
pub(crate) const fn for_(name: &'static str, count: u32, tasks: Vec<Sketch>) -> Sketch {
    sketch(name, Kind::For(count, None, tasks))
}

/// A loop that stops before the item with this number.
pub(crate) const fn while_(
    name: &'static str,
    (count, stop): (u32, &'static str),
    tasks: Vec<Sketch>,
) -> Sketch {
    sketch(name, Kind::For(count, Some(stop), tasks))
}

/// A list whose faults are caught.
pub(crate) const fn try_(name: &'static str, tasks: Vec<Sketch>, handler: Handler) -> Sketch {
    sketch(name, Kind::Try(tasks, handler))
}

/// Catches everything and does this.
pub(crate) const fn catch(tasks: Vec<Sketch>) -> Handler {
    Handler { kind: None, tasks: Some(tasks), then: None, retries: None }
}

/// Catches everything and does nothing.
pub(crate) const fn swallow() -> Handler {
    Handler { kind: None, tasks: None, then: None, retries: None }
}

impl Handler {
    /// The same handler, for this type of fault only.
    pub(crate) fn only(self, kind: &'static str) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// The same handler, after so many retries.
    pub(crate) fn retried(self, retries: u16) -> Self {
        Self { retries: Some(retries), ..self }
    }

    /// The same handler, followed by this.
    pub(crate) fn then(self, then: &'static str) -> Self {
        Self { then: Some(then), ..self }
    }
}

/// A switch: `when` is `true`, `false` or empty for the default case; then what follows.
pub(crate) const fn switch(name: &'static str, cases: Vec<(&'static str, &'static str)>) -> Sketch {
    sketch(name, Kind::Switch(cases))
}

/// Branches of which all must end well.
pub(crate) const fn fork(name: &'static str, branches: Vec<Sketch>) -> Sketch {
    sketch(name, Kind::Fork(false, branches))
}

/// Branches of which the first to end well is enough.
pub(crate) const fn race(name: &'static str, branches: Vec<Sketch>) -> Sketch {
    sketch(name, Kind::Fork(true, branches))
}

/// The plan of these tasks.
pub(crate) fn plan(tasks: Vec<Sketch>) -> Plan {
    let (namespace, name) = ("test".to_owned(), "flow".to_owned());
    Plan {
        v: PLAN_VERSION,
        workflow: WorkflowName { namespace, name, version: "1.0.0".to_owned() },
        definition: serde_json::Value::Null,
        input: InputSpec::default(),
        output: OutputSpec::default(),
        timeout: None,
        timeout_from: None,
        tasks: list(tasks, (&TaskPath::root(), "do")),
        secrets: vec![],
        operations: BTreeMap::new(),
        schedule: None,
        place: None,
    }
}

fn list(tasks: Vec<Sketch>, (parent, word): (&TaskPath, &str)) -> TaskList {
    let names: Vec<_> = tasks.iter().map(|task| task.name).collect();
    let place = |(index, task): (usize, Sketch)| {
        let path = parent.child(word, index, task.name);
        let kind = kind(task.kind, &path, &names);
        Task {
            name: task.name.to_owned(),
            definition: serde_json::Value::Null,
            condition: task.condition.map(|text| Expression(text.to_owned())),
            input: InputSpec::default(),
            output: OutputSpec::default(),
            export: OutputSpec::default(),
            timeout: None,
            timeout_from: None,
            then: directive(task.then, &names),
            kind,
            path,
        }
    };
    TaskList(tasks.into_iter().enumerate().map(place).collect())
}

fn directive(word: &str, names: &[&str]) -> Directive {
    match word {
        "continue" => Directive::Continue,
        "exit" => Directive::Exit,
        "end" => Directive::End,
        task => {
            let index = names.iter().position(|name| *name == task).expect("a task of the list");
            let index = u32::try_from(index).expect("a short list");
            Directive::Goto { task: task.to_owned(), index }
        }
    }
}

fn kind(kind: Kind, path: &TaskPath, names: &[&str]) -> TaskKind {
    let nothing = || Template::Literal(serde_json::Value::Null);
    match kind {
        Kind::Set => TaskKind::Set(nothing()),
        Kind::Call => TaskKind::Call(Box::new(Call {
            operation: "test.call".to_owned(),
            integration: None,
            with: nothing(),
            authentication: None,
            approval: None,
        })),
        Kind::Wait => TaskKind::Wait(DurationSpec::Fixed(Duration::from_millis(1000))),
        Kind::Raise(fault) => TaskKind::Raise(RaiseSpec {
            kind: Template::Literal(fault.into()),
            status: 500,
            title: None,
            detail: None,
        }),
        Kind::Do(tasks) => TaskKind::Do(list(tasks, (path, "do"))),
        Kind::For(count, stop, tasks) => TaskKind::For(Box::new(For {
            each: "item".to_owned(),
            at: "index".to_owned(),
            items: Template::Literal((0..count).collect()),
            condition: stop.map(|text| Expression(text.to_owned())),
            tasks: list(tasks, (path, "do")),
        })),
        Kind::Try(tasks, handler) => TaskKind::Try(Box::new(Try {
            tasks: list(tasks, (path, "try")),
            catch: Catch {
                errors: FaultFilter {
                    kind: handler.kind.map(str::to_owned),
                    ..FaultFilter::default()
                },
                variable: "error".to_owned(),
                when: None,
                except_when: None,
                tasks: handler.tasks.map(|tasks| list(tasks, (path, "catch/do"))),
                then: handler.then.map(|then| directive(then, names)),
                retry: handler.retries.map(|count| RetryPolicy {
                    limit: RetryLimit { count: Some(count), ..RetryLimit::default() },
                    ..RetryPolicy::default()
                }),
            },
        })),
        Kind::Fork(compete, branches) => TaskKind::Fork(Box::new(Fork {
            branches: list(branches, (path, "fork/branches")),
            compete,
        })),
        Kind::Switch(cases) => TaskKind::Switch(
            cases
                .into_iter()
                .map(|(when, then)| Case {
                    name: then.to_owned(),
                    when: (!when.is_empty()).then(|| Expression(when.to_owned())),
                    then: directive(then, names),
                })
                .collect(),
        ),
    }
}
