//! What is told of a run to a tracing system: spans. Redaction is a type here: a [`Fact`] is made of ids,
//! digests, numbers, and names of the program's own catalogue and plans; there is none that could hold a
//! payload, a person's name or an answer.

use placet_model::{
    AttemptId, DecisionId, Digest, IntegrationId, Iteration, Position, RunId, TaskPath, Timestamp,
};

/// A trace: that of a run, whose number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TraceId(pub(super) [u8; 16]);

impl TraceId {
    /// The same for ever, so that whoever has the run's id has its trace.
    pub(crate) const fn of(run: RunId) -> Self {
        Self(run.to_bytes())
    }
}

/// A span within a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SpanId(pub(super) [u8; 8]);

/// Where a trace goes on from: the span of somebody who has started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
}

impl TraceParent {
    /// Reads a `traceparent` (W3C Trace Context). What is none is as if it were not there: so the
    /// standard wants it.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        let flags = parts.next()?;
        let [version]: [u8; 1] = bytes(version)?;
        let [_flags]: [u8; 1] = bytes(flags)?;
        let is_whole = version != 0xff && (version != 0 || parts.next().is_none());
        let (trace, span) = (bytes::<16>(trace)?, bytes::<8>(span)?);
        let is_some = trace != [0; 16] && span != [0; 8];
        (is_whole && is_some).then_some(Self { trace: TraceId(trace), span: SpanId(span) })
    }
}

/// Lower-case hex of exactly so many bytes.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(is_hex) {
        return None;
    }
    let mut out = [0; N];
    for (slot, number) in out.iter_mut().zip(0..N) {
        *slot = u8::from_str_radix(text.get(2 * number..2 * number + 2)?, 16).ok()?;
    }
    Some(out)
}

/// What a span is about; its id follows from it, so that a span that is sent again is the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// All of a run.
    Run,
    /// An execution of a task, by the event it began with.
    Step(Position),
    /// From a request until people, or time, have ended it.
    Decision(DecisionId),
    /// A try of a call.
    Try(AttemptId, u32),
    /// From a doubt until it is over.
    Doubt(AttemptId),
}

impl About {
    pub(crate) fn id(&self, run: RunId) -> SpanId {
        let run = run.to_bytes();
        let digest = match self {
            Self::Run => Digest::of_parts(&[b"run", &run]),
            Self::Step(position) => {
                Digest::of_parts(&[b"step", &run, &position.get().to_be_bytes()])
            }
            Self::Decision(decision) => Digest::of_parts(&[b"decision", &decision.to_bytes()]),
            Self::Try(attempt, number) => {
                Digest::of_parts(&[b"try", &attempt.to_bytes(), &number.to_be_bytes()])
            }
            Self::Doubt(attempt) => Digest::of_parts(&[b"doubt", &attempt.to_bytes()]),
        };
        let mut id = [0; 8];
        id.copy_from_slice(&digest.as_bytes()[..8]);
        SpanId(id)
    }
}

/// What may be told of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    /// A word of the program.
    Word(&'static str),
    Run(RunId),
    Decision(DecisionId),
    Attempt(AttemptId),
    Integration(IntegrationId),
    Digest(Digest),
    Number(u64),
    /// A name of the catalogue.
    Operation(String),
    /// `namespace/name@version`, of a plan.
    Workflow(String),
    /// The place of a task in its plan.
    Task(TaskPath),
    Iteration(Iteration),
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing is said: neither good nor bad.
    Unset,
    Good,
    Bad,
}

/// Something that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) run: RunId,
    pub(crate) about: About,
    pub(crate) parent: Option<About>,
    /// Of few values: a workflow, a task, an operation.
    pub(crate) name: String,
    /// Whether it is a call of somebody else.
    pub(crate) is_call: bool,
    pub(crate) begin: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) facts: Vec<(&'static str, Fact)>,
    pub(crate) outcome: Outcome,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_as_the_standard_says() {
        let read = TraceParent::read(GOOD).unwrap();
        assert_eq!(read.trace.0[..2], [0x4b, 0xf9]);
        assert_eq!(read.span.0, [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        let later = GOOD.replacen("00", "cc", 1) + "-what-the-future-says";
        assert_eq!(TraceParent::read(&later), Some(read), "a later version may say more");
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "+0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn spans_have_ids_of_their_own_and_the_same_ones_each_time() {
        let (run, other) = (RunId::from_bytes([1; 16]), RunId::from_bytes([2; 16]));
        let (decision, attempt) = (DecisionId::from_bytes([1; 16]), AttemptId::from_bytes([1; 16]));
        let all = [
            About::Run.id(run),
            About::Run.id(other),
            About::Step(Position::new(1)).id(run),
            About::Step(Position::new(2)).id(run),
            About::Decision(decision).id(run),
            About::Try(attempt, 1).id(run),
            About::Try(attempt, 2).id(run),
            About::Doubt(attempt).id(run),
        ];
        let apart: std::collections::BTreeSet<SpanId> = all.into_iter().collect();
        assert_eq!(apart.len(), all.len());
        assert_eq!(About::Run.id(run), About::Run.id(run));
        assert_eq!(TraceId::of(run).0, run.to_bytes());
    }
}
