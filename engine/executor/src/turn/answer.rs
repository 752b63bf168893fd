//! What a call's answer means for the run.

use super::fault::shortened;
use super::{CallPlan, Error, Turn};
use crate::values::Content;
use placet_adapters::{Answer, Basis, Cause, Classified, Phase, Response, Sent, Stage, Tried};
use placet_core::Command;
use placet_core::decide::{Answer as CoreAnswer, OutcomeVerdict};
use placet_core::run::{Activity, Leaf};
use placet_model::attempt::{DeferReason, Evidence, RefuseReason};
use placet_model::draft::Mode;
use placet_model::event::attempt::{AnswerFacts, GENERATOR_FIELD, StoredField};
use placet_model::fault::FaultKind;
use placet_model::manifest::{Effect, Outcome};
use placet_model::{Fault, PayloadRef, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// Tries of an ungated read.
const READ_TRIES_MAX: u32 = 3;

/// Why an integration is held whose grant has ended.
const GRANT_OVER: &str = "grant_over";
/// Bytes of a provider's error code in an event.
const CODE_BYTES_MAX: usize = 256;
/// Bytes of what a provider says, kept as content; escaped they stay within the least limit.
const WORDS_BYTES_MAX: usize = 2048;
/// Bytes of one remembered field of an answer; an id is shorter, and half an id is none.
const FIELD_BYTES_MAX: usize = 2048;
/// Remembered fields of one answer.
const FIELDS_MAX: usize = 48;

/// Remarks of a transport about one answer; together they stay within the least limit.
const NOTES_MAX: usize = 8;
const NOTE_BYTES_MAX: usize = 256;

/// A call that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) plan: CallPlan,
    pub(crate) ending: Ending,
}

/// How a call has ended.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// The transport had it.
    Answer(Answer),
    /// It was not begun: not a byte has left.
    NotBegun,
}

impl Turn<'_> {
    pub(super) fn answered(&mut self, answered: &Answered) -> Result<(), Error> {
        let plan = &answered.plan;
        if let Some(sought) = &plan.sought {
            return self.looked_up((plan, sought), &answered.ending);
        }
        if let Some(card) = &plan.card {
            return self.card_answered((plan, card), &answered.ending);
        }
        let answer = match &answered.ending {
            Ending::Answer(answer) => answer,
            Ending::NotBegun => return self.not_begun(plan),
        };
        let nothing = Value::Null;
        let sent = Sent {
            input: &plan.with,
            settings: plan.target.integration.as_ref().map_or(&nothing, |i| &i.settings),
            send_id: &plan.send_id,
        };
        let doubted = self.out.run.attempt(plan.attempt).is_some_and(|known| known.doubted);
        let tried = if doubted { Tried::Again } else { Tried::First };
        let classified =
            placet_adapters::classify_try(&plan.target.operation, answer, (sent, tried), self.now);
        self.share_ended(plan, &classified, self.until(plan, &classified));
        let leaf = self.leaf_of(plan);
        let (verdict, payloads, fault) = self.verdict((plan, answer), &classified, sent);
        if let OutcomeVerdict::Refused { reason: RefuseReason::Reconnect, code, .. } = &verdict {
            // the same draft stays spendable; until the integration is connected again it holds
            let code = code.clone().unwrap_or_else(|| "credential_refused".to_owned());
            // a read that is refused tells of this read; a grant that is over, of every call
            let for_all = plan.gated || code == GRANT_OVER;
            let gated = plan.target.integration.as_ref().filter(|_| for_all);
            self.out.failed = gated.map(|integration| (integration.id, code));
        }
        let command = Command::Answered(Box::new(CoreAnswer {
            attempt: plan.attempt,
            try_number: plan.try_number,
            facts: facts(&classified, answer),
            verdict,
        }));
        self.command(command, payloads)?;
        if let (Some(fault), Some(leaf)) = (fault, leaf) {
            self.fault_task(&leaf.task, leaf.iteration, fault)?;
        }
        Ok(())
    }

    /// Nothing has left: the claim is weighed again, at once.
    fn not_begun(&mut self, plan: &CallPlan) -> Result<(), Error> {
        self.give_back(&plan.share);
        let last_moment = plan.not_after.plus_millis(-1);
        let verdict = OutcomeVerdict::Deferred {
            until: self.now.min(last_moment),
            reason: DeferReason::BeforeSend,
        };
        let (attempt, try_number) = (plan.attempt, plan.try_number);
        let facts = AnswerFacts::default();
        let answer = CoreAnswer { attempt, try_number, facts, verdict };
        self.command(Command::Answered(Box::new(answer)), vec![])
    }

    /// The leaf that waits for this answer; none when its task is gone.
    fn leaf_of(&self, plan: &CallPlan) -> Option<Leaf> {
        let mut under_way = self.out.run.attempts();
        let (branch, _) = under_way.find(|(_, known)| known.started.attempt == plan.attempt)?;
        let Activity::Attempting(leaf, _) = &branch.activity else { return None };
        Some(leaf.clone())
    }

    fn verdict(
        &mut self,
        (plan, answer): (&CallPlan, &Answer),
        classified: &Classified,
        sent: Sent<'_>,
    ) -> (OutcomeVerdict, Vec<Content>, Option<Fault>) {
        let unsent = answer.as_ref().err().filter(|failed| failed.phase == Phase::BeforeSend);
        if let Some(failed) = unsent.filter(|failed| failed.cause == Cause::Grant) {
            let code = Some(GRANT_OVER.to_owned());
            return self.not_sent(RefuseReason::Reconnect, Some(failed.detail.clone()), code);
        }
        if let Some(failed) = unsent.filter(|failed| failed.cause == Cause::Hole) {
            return self.not_sent(RefuseReason::Reconnect, Some(failed.detail.clone()), None);
        }
        let said = said(answer, classified);
        let code = classified.error.as_ref().map(|error| shortened(&error.code, CODE_BYTES_MAX));
        match classified.outcome {
            Outcome::Sent if classified.basis == Basis::Exists => self.exists(plan, classified),
            Outcome::Sent => self.sent((plan, answer), sent),
            Outcome::RefusedRetry
                if plan.target.effect == Effect::Read && plan.try_number >= READ_TRIES_MAX =>
            {
                self.not_sent(RefuseReason::Exhausted, said, code)
            }
            Outcome::RefusedRetry => {
                let until = self.until(plan, classified);
                let reason = defer_reason(answer);
                (OutcomeVerdict::Deferred { until, reason }, vec![], None)
            }
            Outcome::RefusedPermanent => self.not_sent(RefuseReason::Permanent, said, code),
            Outcome::Quota => self.not_sent(RefuseReason::Quota, said, code),
            Outcome::Reconnect => self.not_sent(RefuseReason::Reconnect, said, code),
            Outcome::InDoubt => {
                let evidence = classified.evidence.unwrap_or(Evidence::Answer);
                let payloads = words(said);
                let detail = (!payloads.is_empty()).then(|| self.out.run.slot(1, 0));
                (OutcomeVerdict::InDoubt { evidence, detail }, payloads, None)
            }
        }
    }

    fn sent(
        &mut self,
        (plan, answer): (&CallPlan, &Answer),
        sent: Sent<'_>,
    ) -> (OutcomeVerdict, Vec<Content>, Option<Fault>) {
        let (value, fault) = match answer {
            Err(_) => (Value::Null, None),
            Ok(response) => match placet_adapters::output(&plan.target.operation, response, sent) {
                Ok(value) => (value, None),
                Err(placet_adapters::reduce::Error::Status { status }) => {
                    let words = format!("the answer's status is {status}");
                    (
                        Value::Null,
                        Some(Fault::new(FaultKind::Communication, words).with_status(status)),
                    )
                }
                Err(error) => self.drifted(plan, response, (sent, &error)),
            },
        };
        let would_have_sent = self.would_have_sent(plan);
        let mut content = Content::of_value(Arc::new(value));
        let mut fault = fault;
        if self.is_too_large(&content) {
            // it was sent all the same
            fault = Some(Fault::new(FaultKind::Runtime, self.too_large(&content).to_string()));
            content = Content::of_value(Arc::new(Value::Null));
        }
        let mut payloads = vec![];
        let output = match answer.as_ref().ok().and_then(noted) {
            None => self.place(content, &mut payloads),
            // remarks stand behind the output, so it has its own place
            Some(notes) => {
                payloads.extend([content, notes]);
                self.out.run.slot(1, 0)
            }
        };
        (OutcomeVerdict::Succeeded { output, would_have_sent }, payloads, fault)
    }

    /// The provider has it from an earlier try: the output is what names it.
    fn exists(
        &self,
        plan: &CallPlan,
        classified: &Classified,
    ) -> (OutcomeVerdict, Vec<Content>, Option<Fault>) {
        let names = classified.result.iter();
        let names = names.map(|(name, value)| (name.clone(), Value::String(value.clone())));
        let content = Content::of_value(Arc::new(Value::Object(names.collect())));
        let mut payloads = vec![];
        let output = self.place(content, &mut payloads);
        let would_have_sent = self.would_have_sent(plan);
        (OutcomeVerdict::Succeeded { output, would_have_sent }, payloads, None)
    }

    fn would_have_sent(&self, plan: &CallPlan) -> Option<PayloadRef> {
        match (plan.mode, self.out.run.attempt(plan.attempt)) {
            (Mode::Sandbox, Some(attempt)) => Some(attempt.started.request),
            (Mode::Sandbox, None) | (Mode::Live, _) => None,
        }
    }

    fn not_sent(
        &self,
        reason: RefuseReason,
        said: Option<String>,
        code: Option<String>,
    ) -> (OutcomeVerdict, Vec<Content>, Option<Fault>) {
        let payloads = words(said);
        let detail = (!payloads.is_empty()).then(|| self.out.run.slot(1, 0));
        (OutcomeVerdict::Refused { reason, code, detail }, payloads, None)
    }

    /// When the next try may begin: what the provider says, or the manifest's own wait, doubled
    /// with each try, with jitter from the run's seed.
    pub(super) fn until(&self, plan: &CallPlan, classified: &Classified) -> Timestamp {
        use placet_adapters::wait::WaitSource;
        let Some(wait) = classified.wait else { return self.now.plus_millis(1000) };
        let millis = match wait.source {
            WaitSource::Provider => wait.millis,
            WaitSource::Default { jitter, factor } => {
                let tries = plan.try_number.saturating_sub(1).min(6);
                let grown =
                    wait.millis.saturating_mul(u64::from(factor.max(1)).saturating_pow(tries));
                let seed = self.out.run.facts().map_or(0, |facts| facts.started.seed);
                let share = (seed ^ u64::from(plan.try_number)) % 250;
                if jitter { grown + grown * share / 1000 } else { grown }
            }
        };
        self.now.plus_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

pub(super) fn words(said: Option<String>) -> Vec<Content> {
    let text = said.map(|text| Value::String(shortened(&text, WORDS_BYTES_MAX)));
    text.map(|text| Content::of_value(Arc::new(text))).into_iter().collect()
}

/// The transport's remarks, for the trace.
fn noted(response: &Response) -> Option<Content> {
    let notes = response.notes.iter().map(|note| shortened(note, NOTE_BYTES_MAX));
    let notes: Vec<_> = notes.take(NOTES_MAX).map(Value::String).collect();
    (!notes.is_empty()).then(|| Content::of_value(Arc::new(Value::Array(notes))))
}

/// What the provider, or our own transport, said.
pub(super) fn said(answer: &Answer, classified: &Classified) -> Option<String> {
    match answer {
        Err(failed) => Some(failed.to_string()),
        Ok(response) => {
            let message = classified.error.as_ref().and_then(|error| error.message.clone());
            let words: Vec<_> = message.into_iter().chain(response.notes.iter().cloned()).collect();
            (!words.is_empty()).then(|| words.join("; "))
        }
    }
}

fn defer_reason(answer: &Answer) -> DeferReason {
    match answer {
        Ok(response) if response.status == 429 => DeferReason::RateLimited,
        Ok(_) => DeferReason::NotProcessed,
        Err(failed) => match failed.stage {
            Some(Stage::Queue) => DeferReason::Queue,
            Some(Stage::Resolve) => DeferReason::Resolve,
            Some(Stage::Connect) => DeferReason::Connect,
            Some(Stage::Tls) => DeferReason::Tls,
            Some(Stage::Write | Stage::FirstByte | Stage::Body) => DeferReason::BeforeSend,
            None => reason_of(failed.cause),
        },
    }
}

/// Where the transport cannot tell how far it came.
fn reason_of(cause: Cause) -> DeferReason {
    match cause {
        Cause::Dns | Cause::Connect | Cause::Tls => DeferReason::Connect,
        Cause::Refused
        | Cause::Hole
        | Cause::Grant
        | Cause::Timeout
        | Cause::Reset
        | Cause::TooLarge
        | Cause::Unreadable => DeferReason::BeforeSend,
    }
}

/// What of an answer may stand in an event.
fn facts(classified: &Classified, answer: &Answer) -> AnswerFacts {
    let result = classified
        .result
        .iter()
        .map(|(at, value)| StoredField { at: at.clone(), value: value.clone() });
    let mut stored = vec![];
    flatten(&classified.stored, &mut String::new(), &mut stored);
    // the provider decides how large an answer is, and an event has its bounds
    let small = |field: &StoredField| field.at.len() + field.value.len() <= FIELD_BYTES_MAX;
    stored.retain(small);
    stored.truncate(FIELDS_MAX);
    if let Some(version) = answer.as_ref().ok().and_then(|response| response.generator) {
        stored.push(StoredField { at: GENERATOR_FIELD.to_owned(), value: version.to_owned() });
    }
    let result = result.filter(small).take(FIELDS_MAX).collect();
    AnswerFacts { status: classified.status.unwrap_or(0), result, stored }
}

fn flatten(value: &Value, pointer: &mut String, out: &mut Vec<StoredField>) {
    let mark = pointer.len();
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (key, member) in members {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                flatten(member, pointer, out);
                pointer.truncate(mark);
            }
        }
        Value::String(text) => out.push(StoredField { at: pointer.clone(), value: text.clone() }),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            out.push(StoredField { at: pointer.clone(), value: value.to_string() });
        }
    }
}
