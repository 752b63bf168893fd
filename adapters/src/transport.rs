//! The one seam to the world. `placet-egress` sends for real, `placet-sandbox` answers from
//! schemas; nothing above can tell which one it holds.
//!
//! A transport gets the request with its holes open. Only the live one can fill them, because only
//! it is built with a [`FillHoles`]: the sandbox never holds a credential.

use crate::fill::FilledRequest;
use crate::manifest::Operation;
use crate::oauth::KeepGrants;
use crate::secret::SecretText;
use placet_model::request::{Hole, PreparedRequest};
use placet_model::{AttemptId, IntegrationId, RunId, Timestamp};
use serde_json::Value;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What [`Transport::perform`] returns: boxed, so that the trait stays object safe.
pub type Performing<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// What [`Transport::turn`] returns.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Turn> + Send + 'a>>;

/// A call's turn; dropping it passes it on.
pub struct Turn {
    _held: Option<Box<dyn Send>>,
}

impl Turn {
    /// The turn of a transport that counts nothing.
    pub const fn free() -> Self {
        Self { _held: None }
    }

    /// A turn that is over when this is dropped.
    pub fn holding(held: impl Send + 'static) -> Self {
        Self { _held: Some(Box::new(held)) }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

/// What [`Transport::make_ready`] returns.
pub type Preparing<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Performs one call, once. It never retries by itself: a retry is a recorded try of its own.
pub trait Transport: fmt::Debug + Send + Sync {
    /// The provider's answer, or how far the bytes got.
    fn perform(&self, call: Call) -> Performing<'_>;

    /// Waits for a call's turn: so many are under way at once towards a host, and of a credential.
    /// Whoever makes the call asks before it is handed over, and holds the turn until it has ended.
    fn turn<'a>(&'a self, _url: &'a str, _of: Option<&'a CallIntegration>) -> Waiting<'a> {
        Box::pin(std::future::ready(Turn::free()))
    }

    /// The same of a call that is one of a run's. The sandbox keeps each run's world apart, and makes
    /// it again from what the log tells; for everybody else it is a call like any other.
    fn perform_of(&self, _run: OfRun, call: Call) -> Performing<'_> {
        self.perform(call)
    }

    /// Asks an authorization server of a manifest once, with secrets that are not kept yet or that are
    /// being given back. Only the live transport does.
    fn ask(&self, _request: FilledRequest) -> Performing<'_> {
        let words = "this transport asks no authorization server";
        Box::pin(async move { Err(Failed::before(Cause::Refused, words)) })
    }

    /// Whether a gated call of this operation may be recorded now: what its credential needs beforehand
    /// is at hand, or was just asked for in vain, which the call itself then says. What a gated call
    /// needs is never obtained between its record and its bytes: a process that ends meanwhile would
    /// leave a record of something that had not begun.
    fn is_ready(&self, _of: &CallIntegration, _operation: &Operation) -> bool {
        true
    }

    /// Obtains what [`Transport::is_ready`] misses, or finds that it cannot be had now.
    fn make_ready(&self, _of: CallIntegration, _operation: Arc<Operation>) -> Preparing<'_> {
        Box::pin(async {})
    }
}

/// One try of one call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The attempt, where the call is gated: then what its credential needs was obtained before it was
    /// recorded.
    pub attempt: Option<AttemptId>,
    /// The operation, with its schemas and its mock.
    pub operation: Arc<Operation>,
    /// The connection that is used; none for `call: http`.
    pub integration: Option<CallIntegration>,
    /// The approved bytes, holes open.
    pub request: Arc<PreparedRequest>,
    /// The evaluated `with`; the sandbox's answers rest on it.
    pub input: Arc<Value>,
    /// What makes two equal calls of one sandbox run differ.
    pub occurrence: Occurrence,
    /// Whether redirects may be followed: never for a gated call.
    pub redirects: Redirects,
    /// Of the draft that is sent; empty where the call is no send. The sandbox remembers by it.
    pub send_id: String,
    /// From the first look-up to the last byte of the body.
    pub timeout: Duration,
    /// Bytes of a response body; more is an [`Cause::TooLarge`] failure.
    pub response_bytes_max: usize,
}

/// Whose call it is, which one, and where those before it stand.
#[derive(Debug, Clone)]
pub struct OfRun {
    pub run: RunId,
    pub ticket: Ticket,
    pub past: Arc<dyn Past>,
}

/// Which try of which attempt, or which look-up of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    pub attempt: AttemptId,
    /// Of the try, or of the look-up, from 1.
    pub number: u32,
    pub is_look_up: bool,
}

/// The calls of a run as the log tells them.
pub trait Past: fmt::Debug + Send + Sync {
    /// Every call that has begun, in the order in which that was recorded: the one that asks is among
    /// them. Calls whose content is erased, and tries that never left, are not.
    fn calls(&self, run: RunId) -> Vec<(Ticket, Call)>;

    /// The version of the generator that has answered what was asked before, if it stands in the log.
    fn generator(&self, _run: RunId) -> Option<String> {
        None
    }

    /// The run that has ordered this one, or has ordered what has: all that it led to sees one world.
    /// `calls` of it tells the calls of all of them.
    fn family(&self, run: RunId) -> RunId {
        run
    }
}

/// The connection that a call uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallIntegration {
    pub id: IntegrationId,
    pub name: String,
    /// Version of the credential that the attempt has recorded.
    pub credential_version: u32,
}

/// What the sandbox needs to tell equal calls apart, and nothing that differs between two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// How often this very combination of integration, operation and input was seen before in this
    /// sandbox run; `None` lets the sandbox count by itself.
    pub seen: Option<u64>,
    /// The run's clock: virtual in a sandbox run.
    pub now: Timestamp,
}

/// Whether an answer that points elsewhere is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// The redirect is the answer.
    Never,
    /// Reads only: up to five, each checked anew, without credentials to another origin.
    Follow,
    /// The same, and only to hosts that the operator lists for reads: for requests in an author's own
    /// words. A redirect to anywhere else is the answer.
    FollowListed,
}

/// What came of a try.
pub type Answer = Result<Response, Failed>;

/// The provider answered, whatever it said.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Lower-case names, in the order received; repeated names stay repeated.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Remarks of the transport for the trace (the sandbox: no schema declared).
    pub notes: Vec<String>,
    /// Version of the generator that has made it up; none of an answer that somebody gave.
    pub generator: Option<&'static str>,
}

impl Response {
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self { status, headers, body, notes: Vec::new(), generator: None }
    }

    /// The first header with this name, names compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON, if it is.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl fmt::Debug for Response {
    /// Status and sizes only: a response is content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Response({}, {} headers, {} bytes)",
            self.status,
            self.headers.len(),
            self.body.len()
        )
    }
}

/// No answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{phase}: {detail}")]
pub struct Failed {
    pub phase: Phase,
    pub cause: Cause,
    /// How far it came, where the transport knows.
    pub stage: Option<Stage>,
    /// Words for people; never a secret, never a body.
    pub detail: String,
}

/// How far the bytes got. When in doubt it is `AfterSend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing of the request can have left.
    BeforeSend,
    /// Some or all of it may have arrived.
    AfterSend,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeSend => "before anything was sent",
            Self::AfterSend => "after the request may have been sent",
        })
    }
}

/// The stages of a call, in their order. What fails in one of the first four is before the send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Waiting for its turn at this host.
    Queue,
    Resolve,
    Connect,
    Tls,
    /// From the first byte of the request to its last.
    Write,
    /// From the request's last byte to the end of the answer's head.
    FirstByte,
    /// The body of the answer.
    Body,
}

impl Stage {
    pub const ALL: [Self; 7] = [
        Self::Queue,
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::Write,
        Self::FirstByte,
        Self::Body,
    ];

    /// As it stands in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Write => "write",
            Self::FirstByte => "first_byte",
            Self::Body => "body",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Our own rules forbid this target or these bytes: trying again cannot help.
    Refused,
    /// A hole could not be filled.
    Hole,
    /// The grant behind the credential is over: only a person can give another.
    Grant,
    Dns,
    Connect,
    Tls,
    Timeout,
    /// The connection broke.
    Reset,
    /// The answer is larger than allowed.
    TooLarge,
    /// The answer is no HTTP.
    Unreadable,
}

/// Fills the holes of an approved request, right before its bytes leave.
pub trait FillHoles: fmt::Debug + Send + Sync {
    /// The secret behind a credential, secret or basic hole. A signature hole asks for its key.
    ///
    /// # Errors
    /// No such secret; a secret that is not bound to this host.
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError>;

    /// Where grants that are renewed are kept; none for a source that keeps none.
    fn grants(&self) -> Option<&dyn KeepGrants> {
        None
    }
}

/// Which secret is asked for, by whom and towards where.
#[derive(Debug, Clone, Copy)]
pub struct WantedHole<'a> {
    pub hole: &'a Hole,
    pub integration: Option<&'a CallIntegration>,
    /// Host of the URL, lower case, without the port.
    pub host: &'a str,
}

/// A hole that stays open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    #[error("there is no {hole}")]
    Unknown { hole: Hole },
    #[error("{hole} is not bound to the host {host}")]
    WrongHost { hole: Hole, host: String },
    #[error("{hole} cannot be used: {reason}")]
    Unusable { hole: Hole, reason: String },
}

impl Failed {
    pub fn before(cause: Cause, detail: impl Into<String>) -> Self {
        Self { phase: Phase::BeforeSend, cause, stage: None, detail: detail.into() }
    }

    pub fn after(cause: Cause, detail: impl Into<String>) -> Self {
        Self { phase: Phase::AfterSend, cause, stage: None, detail: detail.into() }
    }

    /// The same, known to have come to this stage.
    #[must_use]
    pub fn at(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }
}
