//! What an engine counts of its events, each once, after its commit. It is told to whoever watches the
//! engine, is lost with the process, and decides nothing.
//!
//! Names that distinguish are few, whatever happens: words of the program, and providers, of which
//! those beyond [`PROVIDERS_MAX`] are one. No id ever is.

use crate::env::Env;
use placet_log::ReadView;
use placet_model::attempt::RefuseReason;
use placet_model::decision::{Resolution, Settlement};
use placet_model::draft::Mode;
use placet_model::event::attempt::AttemptStarted;
use placet_model::measure::{Counter, LONG, Spread, Times};
use placet_model::{
    AttemptId, DecisionId, Event, RecordedEvent, Revision, StreamId, Timestamp, attempt_event,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Providers that are told apart.
pub(crate) const PROVIDERS_MAX: usize = 64;
/// What all others are counted as.
const OTHER: &str = "other";
/// Attempts without an end of which it is kept whose they are; the others are looked up.
const ATTEMPTS_MAX: usize = 65_536;

/// What is counted.
#[derive(Debug)]
pub(crate) struct Measures {
    started: BTreeMap<Mode, Counter>,
    ended: [Counter; RUN_ENDS.len()],
    asked: Counter,
    settled: BTreeMap<Settlement, Counter>,
    void: Counter,
    decided: Spread<{ LONG.len() }>,
    calls: Mutex<Calls>,
}

/// How runs end.
const RUN_ENDS: [&str; 3] = ["completed", "faulted", "cancelled"];

/// What became of a try, or of a doubt about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallEnd {
    /// It was sent, and answered.
    Succeeded,
    /// It was refused for good.
    Refused,
    /// The credential was refused.
    Reconnect,
    /// Nothing happened, and it is tried again.
    Deferred,
    /// Nobody knows.
    InDoubt,
    /// The doubt is over: it was sent.
    FoundSent,
    /// The doubt is over: it was not.
    FoundNotSent,
    /// The doubt is over: nobody can tell.
    GivenUp,
}

impl CallEnd {
    /// Each of them.
    pub const ALL: [Self; 8] = [
        Self::Succeeded,
        Self::Refused,
        Self::Reconnect,
        Self::Deferred,
        Self::InDoubt,
        Self::FoundSent,
        Self::FoundNotSent,
        Self::GivenUp,
    ];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::Reconnect => "reconnect",
            Self::Deferred => "deferred",
            Self::InDoubt => "in_doubt",
            Self::FoundSent => "found_sent",
            Self::FoundNotSent => "found_not_sent",
            Self::GivenUp => "given_up",
        }
    }

    /// Of an event that tells one, with whether the attempt is over.
    #[expect(clippy::wildcard_enum_match_arm, reason = "five events tell an end")]
    pub(crate) const fn of(event: &Event) -> Option<(AttemptId, Self, bool)> {
        match event {
            Event::AttemptSucceeded(body) => Some((body.attempt, Self::Succeeded, true)),
            Event::AttemptRefused(body) => match body.reason {
                RefuseReason::Reconnect => Some((body.attempt, Self::Reconnect, true)),
                _ => Some((body.attempt, Self::Refused, true)),
            },
            Event::AttemptDeferred(body) => Some((body.attempt, Self::Deferred, false)),
            Event::AttemptInDoubt(body) => Some((body.attempt, Self::InDoubt, false)),
            Event::AttemptReconciled(body) => {
                let end = match body.resolution {
                    Resolution::Sent => Self::FoundSent,
                    Resolution::NotSent => Self::FoundNotSent,
                    Resolution::GiveUp => Self::GivenUp,
                };
                Some((body.attempt, end, true))
            }
            _ => None,
        }
    }

    pub(crate) const fn is_sent(self) -> bool {
        matches!(self, Self::Succeeded | Self::FoundSent)
    }
}

/// Calls, by provider.
#[derive(Debug, Default)]
struct Calls {
    providers: BTreeSet<String>,
    ends: BTreeMap<(String, Mode, CallEnd), u64>,
    sends: BTreeMap<(String, Mode), u64>,
    /// Whose the attempts are that have no end yet.
    under_way: BTreeMap<AttemptId, Of>,
}

/// Whose an attempt is.
#[derive(Debug, Clone)]
pub(crate) struct Of {
    pub(crate) provider: String,
    pub(crate) mode: Mode,
    pub(crate) is_gated: bool,
}

impl Of {
    pub(crate) fn new(started: &AttemptStarted) -> Self {
        let provider = started.operation.split('.').next().unwrap_or_default();
        Self {
            provider: provider.to_owned(),
            mode: started.mode,
            is_gated: started.decision.is_some(),
        }
    }
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            started: Mode::ALL.iter().map(|mode| (*mode, Counter::new())).collect(),
            ended: Default::default(),
            asked: Counter::new(),
            settled: Settlement::ALL.iter().map(|how| (*how, Counter::new())).collect(),
            void: Counter::new(),
            decided: Spread::new(&LONG),
            calls: Mutex::default(),
        }
    }
}

impl Measures {
    /// Counts what was recorded.
    pub(crate) fn note(&self, env: &Env, events: &[RecordedEvent]) {
        for event in events {
            self.note_one(env, event);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what else happens is not counted")]
    fn note_one(&self, env: &Env, event: &RecordedEvent) {
        match &event.event {
            Event::RunStarted(body) => self.started[&body.mode].one(),
            Event::RunCompleted(_) => self.ended[0].one(),
            Event::RunFaulted(_) => self.ended[1].one(),
            Event::RunCancelled(_) => self.ended[2].one(),
            Event::DecisionRequested(_) => self.asked.one(),
            Event::DecisionSettled(body) => {
                self.settled[&body.settlement].one();
                if by_people(body.settlement) {
                    self.decided.note(since(body.decision, event.recorded_at));
                }
            }
            Event::DecisionVoided(_) => self.void.one(),
            attempt_event!() => self.note_call(env, event),
            _ => {}
        }
    }

    fn note_call(&self, env: &Env, event: &RecordedEvent) {
        if let Event::AttemptStarted(body) = &event.event {
            let mut calls = self.calls();
            if calls.under_way.len() < ATTEMPTS_MAX {
                let of = calls.told_apart(Of::new(body));
                calls.under_way.insert(body.attempt, of);
            }
            return;
        }
        let Some((attempt, end, is_over)) = CallEnd::of(&event.event) else { return };
        let mut calls = self.calls();
        let known = if is_over {
            calls.under_way.remove(&attempt)
        } else {
            calls.under_way.get(&attempt).cloned()
        };
        // of an earlier process, or one too many: the log knows
        let of = known.or_else(|| {
            let view = env.view().ok()?;
            let of = find(&view, &event.stream, attempt)?;
            Some(calls.told_apart(of))
        });
        let Some(Of { provider, mode, is_gated }) = of else { return };
        if end.is_sent() && is_gated {
            *calls.sends.entry((provider.clone(), mode)).or_default() += 1;
        }
        *calls.ends.entry((provider, mode, end)).or_default() += 1;
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is so far.
    pub(crate) fn read(&self) -> Measured {
        let calls = self.calls();
        Measured {
            runs_started: counts(self.started.iter().map(|(mode, count)| (mode.word(), count))),
            runs_ended: counts(RUN_ENDS.into_iter().zip(&self.ended)),
            decisions_asked: self.asked.get(),
            decisions_settled: counts(
                self.settled
                    .iter()
                    .map(|(how, count)| (how.word(), count))
                    .chain([("void", &self.void)]),
            ),
            decided: self.decided.read(),
            calls: calls.ends.iter().map(|(of, count)| (of.clone(), *count)).collect(),
            sends: calls.sends.iter().map(|(of, count)| (of.clone(), *count)).collect(),
        }
    }
}

impl Calls {
    fn told_apart(&mut self, of: Of) -> Of {
        if self.providers.contains(&of.provider) {
            return of;
        }
        if self.providers.len() == PROVIDERS_MAX {
            return Of { provider: OTHER.to_owned(), ..of };
        }
        self.providers.insert(of.provider.clone());
        of
    }
}

fn counts<'a>(all: impl Iterator<Item = (&'static str, &'a Counter)>) -> Vec<(&'static str, u64)> {
    all.map(|(word, count)| (word, count.get())).collect()
}

pub(crate) const fn by_people(settlement: Settlement) -> bool {
    matches!(settlement, Settlement::Approved | Settlement::Rejected | Settlement::Responded)
}

/// Since it was asked: an id begins with the moment at which it was made.
pub(crate) fn since(decision: DecisionId, at: Timestamp) -> Duration {
    let asked = u64::try_from(decision.as_u128() >> 80).unwrap_or(u64::MAX);
    let at = u64::try_from(at.as_millis()).unwrap_or(0);
    Duration::from_millis(at.saturating_sub(asked))
}

/// Whose an attempt is, by the log. What cannot be read is not counted.
pub(crate) fn find(view: &ReadView, stream: &StreamId, attempt: AttemptId) -> Option<Of> {
    view.stream(stream, Revision::START).find_map(|event| match event.ok()?.event {
        Event::AttemptStarted(body) if body.attempt == attempt => Some(Of::new(&body)),
        _ => None,
    })
}

/// What was counted since the engine has started.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Runs that have begun, by mode.
    pub runs_started: Vec<(&'static str, u64)>,
    /// Runs that have ended, by how.
    pub runs_ended: Vec<(&'static str, u64)>,
    /// Decisions that were asked for.
    pub decisions_asked: u64,
    /// Decisions that have ended, by how.
    pub decisions_settled: Vec<(&'static str, u64)>,
    /// How long it took until people had decided.
    pub decided: Times,
    /// Tries and doubts, by provider, mode and end.
    pub calls: Vec<((String, Mode, CallEnd), u64)>,
    /// Approved calls that were sent, by provider and mode.
    pub sends: Vec<((String, Mode), u64)>,
}
