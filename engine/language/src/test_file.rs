//! An author's tests as values: what `*.test.yaml` says, with the places of all that may turn out
//! wrong. Read by [`check_test`](crate::check_test); run by the command line.

use placet_model::plan::Expression;
use placet_model::{Duration, Principal, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::source::Span;

pub use crate::parse::Known;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place in the file.
    pub span: Span,
}

/// The tests of one workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct TestFile {
    /// Path of the workflow, from the folder of the test file.
    pub workflow: Spanned<String>,
    /// Integrations beside the default ones of the sandbox, by name, with their providers.
    pub integrations: BTreeMap<String, Spanned<String>>,
    /// At least one; no two have the same name.
    pub tests: Vec<TestCase>,
}

/// One test: one run.
#[derive(Clone, Debug, PartialEq)]
pub struct TestCase {
    /// What is claimed.
    pub name: Spanned<String>,
    /// Why it is not run; none when it is.
    pub skip: Option<String>,
    /// The run's input.
    pub input: Value,
    /// What looks random follows from it.
    pub seed: u64,
    /// Where virtual time begins; none for the usual moment.
    pub start_at: Option<Timestamp>,
    /// Who starts the run; none for the author.
    pub started_by: Option<Spanned<Principal>>,
    /// What providers answer; without one the sandbox answers from schemas.
    pub answers: Vec<Spanned<ScriptedAnswer>>,
    /// How calls go that nothing in `answers` answers.
    pub calls: Vec<Spanned<ScriptedCall>>,
    /// What approvers say.
    pub decisions: Vec<Spanned<ScriptedDecision>>,
    /// Whether a request that no decision is about is approved by whoever may.
    pub others_approve: bool,
    /// What comes from outside.
    pub events: Vec<Spanned<ScriptedEvent>>,
    /// What must have come of it.
    pub expect: Expect,
}

/// A task as a test names it: its name, or its JSON pointer.
pub type TaskRef = Spanned<String>;

/// The answer of a provider to one call.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptedAnswer {
    /// The operation that is called; any without it.
    pub operation: Option<Spanned<String>>,
    /// The whole URL that is called; any without it.
    pub url: Option<String>,
    /// What is answered.
    pub reply: Reply,
}

/// What a provider answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// An error of the operation's manifest, by its name.
    Error(Spanned<String>),
    /// These bytes.
    Response {
        /// HTTP status.
        status: u16,
        /// Header fields, names in lower case.
        headers: Vec<(String, String)>,
        /// A string as it stands, anything else as JSON.
        body: Option<Value>,
    },
}

/// How the world behaves towards a run: `*.scenario.yaml`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What it shows.
    pub says: Spanned<String>,
    /// How calls go; the others go well.
    pub calls: Vec<Spanned<ScriptedCall>>,
    /// What approvers say; the others approve.
    pub decisions: Vec<Spanned<ScriptedDecision>>,
    /// What comes from outside.
    pub events: Vec<Spanned<ScriptedEvent>>,
}

/// How one call goes, or every call.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptedCall {
    /// The operation that is called; any without it.
    pub operation: Option<Spanned<String>>,
    /// Which call of it in the run, from 1; every one without it.
    pub call: Option<u64>,
    /// How it goes.
    pub turn: CallTurn,
}

/// How a call goes.
#[derive(Clone, Debug, PartialEq)]
pub enum CallTurn {
    /// An error of the operation's manifest, by its name.
    Error(Spanned<String>),
    /// The answer takes so long, in virtual time; longer than the call may take is none.
    Latency(Duration),
    /// The provider does it, and its answer is lost.
    ApplyThenTimeout,
    /// The provider does it, and its answer breaks off.
    Malformed,
}

/// What the approvers say to one request.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptedDecision {
    /// The task that asks; the next request, whichever it is, without it.
    pub task: Option<TaskRef>,
    /// Virtual time between the request and the votes.
    pub after: Option<Duration>,
    /// What is said.
    pub says: Says,
}

/// What is said to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// Votes.
    Vote(ScriptedVote),
    /// Nothing, until it expires.
    Expire,
}

/// One verdict, by one person or several.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptedVote {
    /// The verdict.
    pub verdict: ScriptedVerdict,
    /// Who says it, one after the other. Without names: whoever may, until the request is settled
    /// (a withdrawal: whoever started the run).
    pub by: Vec<Spanned<Principal>>,
    /// The reason, or the feedback.
    pub reason: Option<String>,
    /// The new `with` of an edit.
    pub with: Option<Value>,
    /// The code with which every vote must be refused; none when they must count.
    pub refused: Option<Spanned<String>>,
}

/// A verdict that a test can script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptedVerdict {
    /// Send exactly this.
    Approve,
    /// Do not send.
    Reject,
    /// Send back with feedback.
    Respond,
    /// Replace what would be sent; the next decision answers for that.
    Edit,
    /// Take it back.
    Withdraw,
}

/// An event from outside.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptedEvent {
    /// When it comes.
    pub when: When,
    /// The envelope, as `CloudEvents` writes it.
    pub event: Value,
}

/// When an event comes.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// This long after the run's start, in virtual time.
    After(Duration),
    /// As soon as this task has begun.
    Begun(TaskRef),
}

/// What must have come of a run. At least one of these is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// Where it stands.
    pub span: Span,
    /// How the run ended; given, or what follows from `error`.
    pub status: Spanned<EndStatus>,
    /// Its output.
    pub output: Option<Expected>,
    /// Its error.
    pub error: Option<Expected>,
    /// What would have been sent, in order: all of it.
    pub sent: Option<Spanned<Vec<Expected>>>,
    /// How tasks ended: the status of each execution, or one that holds for all of them.
    pub tasks: Vec<(TaskRef, Spanned<TaskEnds>)>,
    /// Virtual time from the start to the end.
    pub duration: Option<Spanned<DurationRange>>,
    /// The code with which the start must be refused; then nothing else is given.
    pub refused: Option<Spanned<String>>,
}

/// How a run may stand when a test is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndStatus {
    /// It ended well.
    Completed,
    /// It ended by an error.
    Faulted,
    /// It was cancelled.
    Cancelled,
    /// It waits for somebody, and the script has nothing more to say.
    Waiting,
}

impl EndStatus {
    /// Every status, as it is written.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Completed, "completed"),
        (Self::Faulted, "faulted"),
        (Self::Cancelled, "cancelled"),
        (Self::Waiting, "waiting"),
    ];

    /// As it is written.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).map_or("", |(_, word)| word)
    }
}

/// How the executions of a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnds {
    /// Every one of them so; there must be one.
    All(String),
    /// Exactly these, in order.
    Each(Vec<String>),
    /// It never began.
    Never,
}

/// A span of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationRange {
    /// At least this long.
    pub least: Option<Duration>,
    /// At most this long.
    pub most: Option<Duration>,
}

/// What a value must be, and where that stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Its place in the file.
    pub span: Span,
    /// What it must be.
    pub pattern: Pattern,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// Exactly this.
    Is(Value),
    /// A list of as many items, each as said.
    List(Vec<Expected>),
    /// A map with these members, each as said.
    Map {
        /// The members.
        members: Vec<(String, Expected)>,
        /// Whether there may be others.
        others: Others,
    },
    /// One for which this jq expression gives true; `$input` is the run's input.
    Expr(Expression),
    /// One of this JSON type.
    Type(JsonType),
    /// A list with such an item, or a string with this text in it.
    Contains(Box<Expected>),
}

/// Whether a map may have members that are not named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// It may.
    Allowed,
    /// It may not.
    Refused,
}

/// A type of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonType {
    /// Text.
    String,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A map.
    Object,
    /// A list.
    Array,
    /// Null.
    Null,
    /// Whatever it is: that it is there is enough.
    Any,
}

impl JsonType {
    /// Every type, as it is written.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::String, "string"),
        (Self::Number, "number"),
        (Self::Boolean, "boolean"),
        (Self::Object, "object"),
        (Self::Array, "array"),
        (Self::Null, "null"),
        (Self::Any, "any"),
    ];

    /// As it is written.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    /// Whether the value is of it.
    pub fn holds(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::Null => value.is_null(),
            Self::Any => true,
        }
    }
}
