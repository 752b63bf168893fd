//! The document's meaning: tree in, plan and diagnostics out.
//!
//! One pass, keyword first: each construct is read by the code that knows it, which reports every
//! mistake it meets and goes on. What the language has but this engine has not is refused by name
//! ([`outside`]); nothing is ignored. A plan comes out only when no error was found.

mod approval;
mod asks;
mod call;
mod channel;
mod common;
mod document;
mod events;
mod fork;
mod functions;
mod holes;
mod http;
mod inline;
mod kinds;
mod listen;
mod names;
mod oauth;
mod openapi;
mod outputs;
mod outside;
mod place;
mod policy;
mod project;
mod reach;
mod reader;
mod resources;
mod retry;
mod runs;
mod schedule;
mod schema;
mod steps;
mod tasks;
mod template;
mod test_file;
#[cfg(test)]
mod tests;
mod tries;
mod uses;
mod with;

use placet_model::plan::Plan;

use crate::codes;
use crate::diagnostic::{Diagnostic, Sink};
use crate::environment::Environment;
use crate::expr::STACK_BYTES;
use crate::source::{Source, Span};
use crate::syntax::load;
use outside::Refuse;
use reader::Reader;

pub(crate) use functions::alias_of;
pub use policy::check_policy;
pub use policy::shape::policy_schema;
pub use project::{
    CheckedProject, Key, Override, check_channels, check_project, check_project_with, project_keys,
    project_schema, unknown_override,
};
pub use resources::{DocumentAt, NamedDocument};
pub use test_file::{Known, check_scenario, check_test};

/// What a check found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The plan; `None` when there is an error.
    pub plan: Option<Plan>,
    /// All findings, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// Documents that the workflow names, and functions of catalogs that it calls, in the order of
    /// the file. Without one that is not known yet the plan is not whole, or there is none: fetch it,
    /// put it into the catalogue, check again.
    pub documents: Vec<NamedDocument>,
}

impl Checked {
    /// Whether an error was found.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Documents that the catalogue did not have, functions apart.
    pub fn missing_documents(&self) -> impl Iterator<Item = &NamedDocument> {
        self.missing().filter(|document| !matches!(document.at, DocumentAt::Function(_)))
    }

    /// Functions of catalogs that the catalogue did not have, by their paths in the project. What
    /// a function calls is known once it is there.
    pub fn missing_functions(&self) -> impl Iterator<Item = (&NamedDocument, &str)> {
        self.missing().filter_map(|document| match &document.at {
            DocumentAt::Function(path) => Some((document, &**path)),
            DocumentAt::Url(_) | DocumentAt::File(_) => None,
        })
    }

    fn missing(&self) -> impl Iterator<Item = &NamedDocument> {
        self.documents.iter().filter(|document| !document.is_known)
    }
}

/// Checks a workflow document.
///
/// Never panics and does no I/O; works on a thread of its own with a deep stack, because the
/// parsers of jq expressions are recursive.
pub fn check(source: &Source, environment: &Environment<'_>) -> Checked {
    check_refusing(source, environment, Refuse::NotBuilt)
}

/// Checks a document, with or without refusing what the engine cannot perform yet. Only tests check
/// without: such a plan must never reach an engine.
fn check_refusing(source: &Source, environment: &Environment<'_>, refuse: Refuse) -> Checked {
    on_deep_stack(|| check_here(source, environment, refuse)).unwrap_or_else(|| {
        let mut sink = Sink::new(source);
        let help = "this is a bug of Placet: please report the file";
        sink.report(codes::YAML, Span::default(), "the file could not be checked", help);
        Checked { plan: None, diagnostics: sink.finish(), documents: Vec::new() }
    })
}

fn check_here(source: &Source, environment: &Environment<'_>, refuse: Refuse) -> Checked {
    let mut sink = Sink::new(source);
    let Some(root) = load::load(&mut sink) else {
        return Checked { plan: None, diagnostics: sink.finish(), documents: Vec::new() };
    };
    let mut reader = Reader::new(sink, *environment);
    let plan = document::read(&mut reader, &root);
    reader.refuse_later(refuse);
    let documents = std::mem::take(&mut reader.documents);
    let (diagnostics, has_errors) = reader.finish();
    Checked { plan: if has_errors { None } else { plan }, diagnostics, documents }
}

/// The result of `work` on a thread with a deep stack; `None` if it panicked or could not start.
pub(crate) fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("placet-check".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .ok()?
            .join()
            .ok()
    })
}
