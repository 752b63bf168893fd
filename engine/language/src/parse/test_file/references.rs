//! Names that a test file takes from its project: tasks, people, operations, providers. What is not
//! there is said before anything runs.

use std::collections::{BTreeMap, BTreeSet};

use placet_model::plan::{Plan, Task, TaskList};

use crate::codes;
use crate::diagnostic::{Diagnostic, Sink, did_you_mean};
use crate::source::{Source, Span};
use crate::test_file::{
    CallTurn, Expected, Pattern, Reply, Says, Scenario, ScriptedAnswer, ScriptedCall,
    ScriptedDecision, ScriptedEvent, Spanned, TaskRef, TestCase, TestFile, When,
};

/// What there is in the project of a test file.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The workflow that is tested, and those that it runs.
    pub plans: &'a [&'a Plan],
    /// Operations, with the names of the errors that their manifests declare.
    pub operations: &'a BTreeMap<String, Vec<String>>,
    /// Users, agents and services of the policy.
    pub people: &'a BTreeSet<String>,
    /// Providers.
    pub providers: &'a BTreeSet<String>,
}

impl TestFile {
    /// Names in the file that nothing has.
    pub fn check_names(&self, source: &Source, known: &Known<'_>) -> Vec<Diagnostic> {
        let tasks = tasks_of(known.plans);
        let mut check = Check { sink: Sink::new(source), known, tasks };
        for provider in self.integrations.values() {
            let names = known.providers.iter().map(String::as_str);
            check.named("provider", provider.value.as_str(), provider.span, names);
        }
        self.tests.iter().for_each(|test| check.test(test));
        check.sink.finish()
    }
}

impl Scenario {
    /// Names in the file that nothing has.
    pub fn check_names(&self, source: &Source, known: &Known<'_>) -> Vec<Diagnostic> {
        let tasks = tasks_of(known.plans);
        let mut check = Check { sink: Sink::new(source), known, tasks };
        check.script(&self.calls, &self.decisions, &self.events);
        check.sink.finish()
    }
}

impl TestFile {
    /// The paths of the tasks that a name or pointer means, in these plans.
    pub fn tasks_named(name: &str, plans: &[&Plan]) -> BTreeSet<String> {
        let mine = |(path, own): &(String, String)| path == name || own == name;
        tasks_of(plans).into_iter().filter(mine).map(|(path, _)| path).collect()
    }
}

/// Tasks by path, with their names.
type Tasks = BTreeMap<String, String>;

fn tasks_of(plans: &[&Plan]) -> Tasks {
    let mut tasks = Tasks::new();
    for plan in plans {
        collect(&plan.tasks, &mut tasks);
    }
    tasks
}

fn collect(list: &TaskList, into: &mut Tasks) {
    list.0.iter().for_each(|task| collect_one(task, into));
}

fn collect_one(task: &Task, into: &mut Tasks) {
    into.insert(task.path.as_str().to_owned(), task.name.clone());
    task.kind.lists().into_iter().for_each(|list| collect(list, into));
}

struct Check<'a> {
    sink: Sink<'a>,
    known: &'a Known<'a>,
    tasks: Tasks,
}

impl Check<'_> {
    fn test(&mut self, test: &TestCase) {
        if let Some(by) = &test.started_by {
            self.person(by.value.as_str(), by.span);
        }
        test.answers.iter().for_each(|answer| self.answer(&answer.value));
        self.script(&test.calls, &test.decisions, &test.events);
        test.expect.tasks.iter().for_each(|(task, _)| self.task(task));
        let sent = test.expect.sent.iter().flat_map(|sent| &sent.value);
        for (key, expected) in sent.filter_map(members).flatten() {
            if let ("task", Pattern::Is(serde_json::Value::String(text))) =
                (key.as_str(), &expected.pattern)
            {
                self.task(&Spanned { value: text.clone(), span: expected.span });
            }
        }
    }

    fn script(
        &mut self,
        calls: &[Spanned<ScriptedCall>],
        decisions: &[Spanned<ScriptedDecision>],
        events: &[Spanned<ScriptedEvent>],
    ) {
        for call in calls {
            self.call(&call.value);
        }
        for decision in decisions {
            self.decision(&decision.value);
        }
        for event in events {
            if let When::Begun(task) = &event.value.when {
                self.task(task);
            }
        }
    }

    fn call(&mut self, call: &ScriptedCall) {
        let error = match &call.turn {
            CallTurn::Error(error) => Some(error),
            CallTurn::Latency(_) | CallTurn::ApplyThenTimeout | CallTurn::Malformed => None,
        };
        self.operation(call.operation.as_ref(), error);
    }

    fn decision(&mut self, decision: &ScriptedDecision) {
        if let Some(task) = &decision.task {
            self.task(task);
        }
        if let Says::Vote(vote) = &decision.says {
            vote.by.iter().for_each(|by| self.person(by.value.as_str(), by.span));
        }
    }

    fn answer(&mut self, answer: &ScriptedAnswer) {
        let error = match &answer.reply {
            Reply::Error(error) => Some(error),
            Reply::Response { .. } => None,
        };
        self.operation(answer.operation.as_ref(), error);
    }

    /// An operation, and an error that it has.
    fn operation(&mut self, operation: Option<&Spanned<String>>, error: Option<&Spanned<String>>) {
        let Some(operation) = operation else { return };
        let known = self.known.operations;
        let names = known.keys().map(String::as_str);
        self.named("operation", &operation.value, operation.span, names);
        if let (Some(error), Some(errors)) = (error, known.get(&operation.value)) {
            let what = format!("error of {}", operation.value);
            self.named(&what, &error.value, error.span, errors.iter().map(String::as_str));
        }
    }

    fn person(&mut self, name: &str, span: Span) {
        let names = self.known.people.iter().map(String::as_str);
        self.named("principal", name, span, names);
    }

    fn named<'n>(
        &mut self,
        what: &str,
        name: &str,
        span: Span,
        known: impl Iterator<Item = &'n str> + Clone,
    ) {
        if known.clone().any(|known| known == name) {
            return;
        }
        let help = match did_you_mean(name, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => match known.take(12).collect::<Vec<_>>().as_slice() {
                [] => "there is none".to_owned(),
                names => format!("known: {}", names.join(", ")),
            },
        };
        self.sink.report(codes::SHAPE, span, format!("there is no {what} named `{name}`"), help);
    }

    /// A pointer must be that of a task, a name that of exactly one.
    fn task(&mut self, task: &TaskRef) {
        let name = task.value.as_str();
        if self.tasks.contains_key(name) {
            return;
        }
        let named: Vec<&str> = self
            .tasks
            .iter()
            .filter(|(_, own)| *own == name)
            .map(|(path, _)| path.as_str())
            .collect();
        match named.as_slice() {
            [_] => {}
            [] => {
                let pointers = self.tasks.keys().map(String::as_str);
                let names = self.tasks.values().map(String::as_str);
                let near = if name.starts_with('/') {
                    did_you_mean(name, pointers)
                } else {
                    did_you_mean(name, names)
                };
                let help = near.map_or_else(
                    || {
                        let all: Vec<&str> = self.tasks.keys().map(String::as_str).collect();
                        format!("tasks of the workflow: {}", all[..all.len().min(12)].join(", "))
                    },
                    |near| format!("did you mean `{near}`?"),
                );
                let message = format!("the workflow has no task `{name}`");
                self.sink.report(codes::UNKNOWN_TARGET, task.span, message, help);
            }
            several => {
                let message = format!("{} tasks are called `{name}`", several.len());
                let help = format!("name the one that is meant: {}", several.join(", "));
                self.sink.report(codes::UNKNOWN_TARGET, task.span, message, help);
            }
        }
    }
}

fn members(expected: &Expected) -> Option<&[(String, Expected)]> {
    match &expected.pattern {
        Pattern::Map { members, .. } => Some(members),
        Pattern::Is(_)
        | Pattern::List(_)
        | Pattern::Expr(_)
        | Pattern::Type(_)
        | Pattern::Contains(_) => None,
    }
}
