//! How a command ends: its exit code, and what is said about an error.

use crate::out::{self, Stream, Tone};
use placet_egress::control::ControlError;
use placet_executor::inbox::Problem;
use placet_model::code;
use std::fmt;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Done,
    /// The answer is no: findings, a fault, a refusal, damage.
    Negative,
    /// It was asked for something that cannot be: arguments, files.
    Usage,
    /// The run goes on later.
    Waiting,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Negative => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::Waiting => Self::from(3),
        }
    }
}

/// What was asked for cannot be: a missing file, a value that does not parse.
#[derive(Debug)]
pub(crate) struct Invalid(pub(crate) String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// An error that ends the command with exit code 2.
pub(crate) fn invalid(words: impl Into<String>) -> anyhow::Error {
    Invalid(words.into()).into()
}

/// The engine's lawful no.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Problem);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.detail.is_empty() { &self.0.title } else { &self.0.detail })
    }
}

impl std::error::Error for Refused {}

/// What the engine said no to, as an error of the command.
pub(crate) fn refused(error: &placet_executor::Error) -> anyhow::Error {
    Refused(Problem::from(error)).into()
}

/// Says what went wrong, on stderr, and which exit code follows.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    if is_broken_pipe(error) {
        return Exit::Done;
    }
    if let Some(Refused(problem)) = error.downcast_ref() {
        let head = format!("error[{}]:", problem.code);
        out::say(&format!("{} {}", Stream::Err.paint(Tone::Bad, &head), problem.title));
        if !problem.detail.is_empty() && problem.detail != problem.title {
            out::say(&format!("  {}", out::visible(&problem.detail)));
        }
        let page = code::find(&problem.code);
        if let Some(page) = page {
            out::say(&format!("  = help: {}", page.help));
        }
        let usage = page.is_some_and(|page| page.exit() == 2);
        return if usage { Exit::Usage } else { Exit::Negative };
    }
    let page = code_of(error).and_then(code::find);
    let head = page.map_or_else(|| "error:".to_owned(), |page| format!("error[{}]:", page.name));
    out::say(&format!("{} {error}", Stream::Err.paint(Tone::Bad, &head)));
    if let Some(ControlError::Unreachable { .. }) = error.downcast_ref() {
        // what lies between is the HTTP client's own affair
        out::say(&format!("  because {}", error.root_cause()));
        out::say("  = help: start it with `placet dev`, or name another with --server or --data");
        return Exit::Negative;
    }
    for cause in error.chain().skip(1) {
        out::say(&format!("  because {cause}"));
    }
    if let Some(page) = page {
        out::say(&format!("  = help: {}", page.help));
    }
    if error.chain().any(|cause| cause.downcast_ref::<Invalid>().is_some()) {
        Exit::Usage
    } else {
        Exit::Negative
    }
}

/// The code of an error that has one: that of its innermost cause.
fn code_of(error: &anyhow::Error) -> Option<&'static str> {
    let of_projections = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().map(placet_projections::Error::code)
    };
    let of_log = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().map(placet_log::Error::code)
    };
    let of_vault = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().and_then(placet_vault::Error::code)
    };
    let of = |cause| of_log(cause).or_else(|| of_projections(cause)).or_else(|| of_vault(cause));
    error.chain().filter_map(of).last()
}

/// Whoever read our output has gone (`placet audit log | head`): not an error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
