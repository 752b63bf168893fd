//! Why an evaluation gave no value.

/// An evaluation that failed. All but [`Error::MustRestart`] are the run's own: it faults with
/// `…/expression`. The text may quote data, so it is content: keep it sealed, not in an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The expression does not get past the fences; a check would have said so.
    #[error("the expression is refused: {reason}")]
    Refused {
        /// What a check says about it.
        reason: String,
    },
    /// The expression reads a variable that has no value here.
    #[error("the variable ${name} is not defined here")]
    UndefinedVariable {
        /// Without the `$`.
        name: String,
    },
    /// jq reports an error.
    #[error("{message}")]
    Failed {
        /// What jq says, cut after 300 characters.
        message: String,
    },
    /// Nothing came out; exactly one result is required.
    #[error("the expression gave no result; exactly one is required")]
    NoResult,
    /// More than one value came out; exactly one result is required.
    #[error("the expression gave more than one result; exactly one is required")]
    SeveralResults,
    /// A condition gave something else than true, false or null.
    #[error("a condition must give true, false or null, this gave {found}")]
    NotBoolean {
        /// The kind of value that came out.
        found: &'static str,
    },
    /// A value handed to the expression is over a limit.
    #[error(
        "the value of {name} is over a limit: {limit}; hand over less, with `input.from` or in parts"
    )]
    InputLimit {
        /// `.` or the variable's name.
        name: String,
        /// The limit in words.
        limit: String,
    },
    /// The result is over a limit.
    #[error(
        "the result is over a limit: {limit}; make less at once, with a `for` task or in parts"
    )]
    ResultLimit {
        /// The limit in words.
        limit: String,
    },
    /// The result is no JSON value.
    #[error("the result is not JSON: {reason}")]
    NotJson {
        /// Why not.
        reason: &'static str,
    },
    /// The expression ran longer than it may.
    #[error(
        "the expression took longer than {deadline_ms} ms; give it less data, or split it over tasks"
    )]
    Deadline {
        /// The deadline.
        deadline_ms: u64,
    },
    /// The expression engine panicked: a bug in it, caught.
    #[error("the expression engine failed on this expression")]
    EnginePanicked,
    /// Too many evaluations hang: the process must restart itself in order. Not the run's fault; it
    /// is to be evaluated again after the restart.
    #[error("{abandoned} evaluations hang: the process must restart")]
    MustRestart {
        /// How many threads were given up.
        abandoned: usize,
    },
}
