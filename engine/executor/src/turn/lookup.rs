//! "Did it go?": an attempt in doubt is looked up at its provider, where its operation says how.
//!
//! A look-up is a read like any other: recorded before it leaves, held by a pause, answered through
//! `classify`. When one is due is a row of the projections, so nothing is kept in memory meanwhile and a
//! restart finds it. What is found settles the doubt; what is not found never does: at most, where the
//! provider's absence is proof and the settle window has passed by both clocks, the same bytes may go
//! again.

use super::answer::{Ending, said};
use super::gate::{CallPlan, CallTarget, Sought};
use super::perform::{bound, chain};
use super::{Error, Turn};
use crate::pages::{PagesEnd, PagesRead};
use crate::values::Content;
use placet_adapters::manifest::{Absent, Reconcile};
use placet_adapters::{Answer, Finding, Operation, RenderInput, Sent};
use placet_core::Command;
use placet_core::decide::{Found, LookedUp};
use placet_core::run::{Activity, Attempt, LookupStage};
use placet_model::event::attempt::{AnswerFacts, StoredField};
use placet_model::event::lookup::{AbsenceWorth, LookupPlanned, LookupStarted};
use placet_model::integration::Integration;
use placet_model::manifest::Outcome;
use placet_model::{AttemptId, Digest, PayloadRef, Timestamp};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// Look-ups of one doubt that may say nothing, or too early, before a person is left with it.
const LOOKUPS_MAX: u32 = 12;
/// The first look-up is not made before this time, however fresh the provider's reads are.
const PAUSE_LEAST: Duration = Duration::from_secs(1);
/// Longest pause between two look-ups, unless the provider asks for more.
const PAUSE_MOST: Duration = Duration::from_mins(10);

/// An attempt in doubt, with what its operation says of looking it up.
struct Doubt {
    attempt: Attempt,
    operation: Arc<Operation>,
    settings: Value,
    with: Arc<Value>,
}

impl Doubt {
    fn sent(&self) -> Sent<'_> {
        Sent { input: &self.with, settings: &self.settings, send_id: &self.attempt.started.send_id }
    }
}

impl Turn<'_> {
    /// Plans the first look-up of every attempt that is in doubt, cannot go again by itself, and is
    /// not looked up yet.
    pub(super) fn plan_lookups(&mut self) -> Result<(), Error> {
        let attached = self.out.run.attempts().filter_map(|(branch, known)| {
            matches!(branch.activity, Activity::InDoubt(..)).then_some(known)
        });
        let detached = self.out.run.detached.values();
        let detached = detached.filter(|known| known.in_doubt).map(|known| &known.attempt);
        let fresh = |known: &&Attempt| {
            let stage = self.out.run.lookup_stage(known.started.attempt);
            stage.is_none_or(|stage| stage == LookupStage::Outdated)
        };
        let doubts: Vec<Attempt> = attached.chain(detached).filter(fresh).cloned().collect();
        for doubt in doubts {
            if !self.goes_again(&doubt) {
                self.plan_lookup(&doubt)?;
            }
        }
        Ok(())
    }

    /// Whether the provider's own key will settle it.
    fn goes_again(&self, doubt: &Attempt) -> bool {
        let started = &doubt.started;
        let detached = self.out.run.detached.contains_key(&started.attempt);
        let operation = self.env.operation(&started.operation, started.operation_digest);
        let keyed = operation.is_some_and(|operation| self.may_resend(&operation, doubt));
        keyed && !detached && !self.is_restored(doubt)
    }

    /// Plans the first look-up of an attempt in doubt, where its operation has one.
    pub(super) fn plan_lookup(&mut self, doubt: &Attempt) -> Result<(), Error> {
        let started = &doubt.started;
        let stage = self.out.run.lookup_stage(started.attempt);
        if stage.is_some_and(|stage| stage != LookupStage::Outdated) {
            return Ok(());
        }
        let operation = self.env.operation(&started.operation, started.operation_digest);
        let Some(operation) = operation else { return Ok(()) };
        let Some(reconcile) = operation.delivery().reconcile() else { return Ok(()) };
        let planned = LookupPlanned {
            attempt: started.attempt,
            number: 0,
            operation: look_up_name(&operation, reconcile),
            due_at: plus(self.now, reconcile.read_lag().max(PAUSE_LEAST)),
        };
        self.command(Command::PlanLookup(Box::new(planned)), vec![])
    }

    /// Whether it was tried before the data were copied: what was sent since, nobody knows.
    pub(super) fn is_restored(&self, last: &Attempt) -> bool {
        self.world.epoch.is_some_and(|epoch| last.first_started_at <= epoch.at)
    }

    /// A look-up is due: begins it, unless it is held or cannot be made.
    pub(super) fn look_up(&mut self, id: AttemptId) -> Result<(), Error> {
        let due =
            matches!(self.out.run.lookup_stage(id), Some(LookupStage::Due(at)) if at <= self.now);
        let number = self.out.run.lookups.get(&id).map(|known| known.number);
        let (true, Some(number), true) = (due, number, self.out.run.is_in_doubt(id)) else {
            return Ok(());
        };
        let Some(attempt) = self.out.run.attempt(id).cloned() else { return Ok(()) };
        self.out.used_world = true;
        let integration = match &attempt.started.integration {
            None => None,
            Some(bound) => match self.still_connected(bound)? {
                Some(integration) => Some(integration),
                None => return self.not_made(id, number, "its integration has changed"),
            },
        };
        if let Some(hold) = self.world.hold(self.mode(), integration.as_ref()) {
            self.out.held = Some(hold);
            return Ok(());
        }
        let doubt = match self.doubt(attempt, integration.as_ref())? {
            Ok(doubt) => doubt,
            Err(words) => return self.not_made(id, number, words),
        };
        match self.rendered_look_up(&doubt, integration) {
            Ok(rendered) => self.begin_look_up((id, number), doubt, rendered),
            Err(words) => self.not_made(id, number, &words),
        }
    }

    fn doubt(
        &mut self,
        attempt: Attempt,
        integration: Option<&Integration>,
    ) -> Result<Result<Doubt, &'static str>, Error> {
        let started = &attempt.started;
        let operation = self.env.operation(&started.operation, started.operation_digest);
        let Some(operation) = operation else {
            return Ok(Err("its operation is not known any more"));
        };
        let settings = integration.map_or(Value::Null, |integration| integration.settings.clone());
        let with = self.value(started.with)?;
        Ok(Ok(Doubt { attempt, operation, settings, with }))
    }

    /// The read that looks, as any other read is made.
    fn rendered_look_up(
        &self,
        doubt: &Doubt,
        integration: Option<Integration>,
    ) -> Result<(CallTarget, Value, placet_model::request::PreparedRequest), String> {
        let reconcile = doubt.operation.delivery().reconcile();
        let reconcile = reconcile.ok_or("its operation names no look-up")?;
        let name = look_up_name(&doubt.operation, reconcile);
        let operation = self.env.adapters.operation(&name);
        let operation = operation.ok_or_else(|| format!("there is no operation {name}"))?;
        let sent = doubt.sent();
        let target = placet_adapters::target_of(&doubt.operation, &doubt.with);
        let sent_at = doubt.attempt.first_started_at;
        let with =
            reconcile.input(sent, target.as_ref(), sent_at).map_err(|error| chain(&error))?;
        let given = RenderInput {
            settings: &doubt.settings,
            input: &with,
            send_id: "",
            draft_time: self.now,
            authentication: None,
        };
        let rendered = placet_adapters::render(operation, given).map_err(|error| chain(&error))?;
        if !self.env.may_read(operation, &rendered.request) {
            return Err(format!("{name} may not be read without an approval"));
        }
        let (operation, effect) = (Arc::clone(operation), operation.effect());
        Ok((CallTarget { operation, effect, integration }, with, rendered.request))
    }

    fn begin_look_up(
        &mut self,
        (attempt, number): (AttemptId, u32),
        doubt: Doubt,
        (target, with, request): (CallTarget, Value, placet_model::request::PreparedRequest),
    ) -> Result<(), Error> {
        let of = &doubt.attempt.started;
        let named = (&*target.operation, target.integration.as_ref());
        let share = self.share(named, (&of.task, &of.iteration), Some(&with));
        if let Some(hold) = self.take_share(&share) {
            self.out.held = Some(hold);
            return Ok(());
        }
        let bytes = request.to_bytes();
        let request_digest = Digest::of(&bytes);
        let with = Arc::new(with);
        let mut payloads = vec![];
        let with_place = self.place(Content::of_value(Arc::clone(&with)), &mut payloads);
        let request_place = self.place(Content::of_bytes(bytes), &mut payloads);
        let started = LookupStarted {
            attempt,
            number,
            operation: target.operation.name().to_owned(),
            operation_digest: target.operation.digest(),
            mode: self.mode(),
            integration: bound(&target)?,
            credential_version: target.integration.as_ref().map_or(0, |i| i.credential_version),
            with: with_place,
            request: request_place,
            request_digest,
        };
        let sought = Sought {
            operation: doubt.operation,
            with: doubt.with,
            settings: doubt.settings,
            started: doubt.attempt.started,
            started_at: doubt.attempt.started_at,
            first_started_at: doubt.attempt.first_started_at,
        };
        let plan = CallPlan::looking(
            &started,
            (target, (Arc::new(request), with)),
            (sought, self.now),
            self.against(),
            share,
        );
        let begun = self.command(Command::LookUp(Box::new(started)), payloads);
        match begun {
            Ok(()) => self.out.calls.push(plan),
            Err(_) => self.give_back(&plan.share),
        }
        begun
    }

    /// The look-up cannot be made: a person is left with the doubt, and is told why.
    fn not_made(&mut self, attempt: AttemptId, number: u32, why: &str) -> Result<(), Error> {
        let payloads = super::answer::words(Some(format!("it was not made: {why}")));
        let detail = Some(self.out.run.slot(1, 0));
        let found = Found::Unanswered { detail };
        let facts = AnswerFacts::default();
        let ended = LookedUp { attempt, number, found, facts, next_at: None };
        self.command(Command::LookedUp(Box::new(ended)), payloads)
    }

    /// A look-up has ended.
    pub(super) fn looked_up(
        &mut self,
        (plan, sought): (&CallPlan, &Sought),
        ending: &Ending,
    ) -> Result<(), Error> {
        let (attempt, number) = (plan.attempt, plan.try_number);
        self.look_up_ended((plan, sought), ending);
        let still =
            self.out.run.lookups.get(&attempt).is_some_and(|known| {
                (known.number, known.stage) == (number, LookupStage::UnderWay)
            });
        if !still {
            // a restart has said so already
            return Ok(());
        }
        let answer = match ending {
            Ending::Answer(answer) => answer,
            Ending::NotBegun => {
                let found = Found::Unanswered { detail: None };
                let (facts, next_at) = (AnswerFacts::default(), Some(self.now));
                let ended = LookedUp { attempt, number, found, facts, next_at };
                return self.command(Command::LookedUp(Box::new(ended)), vec![]);
            }
        };
        let read = self.read_look_up((plan, sought), answer);
        let Some(Read { facts, found, mut payloads, output, next_at }) = read else {
            return Ok(());
        };
        let ended = LookedUp { attempt, number, found, facts, next_at };
        let events =
            placet_core::decide(&self.out.run, Command::LookedUp(Box::new(ended)), self.context())?;
        let mut output = output.map(|output| vec![Content::of_value(Arc::new(output))]);
        for (place, event) in events.into_iter().enumerate() {
            let content = match place {
                0 => std::mem::take(&mut payloads),
                _ => output.take().unwrap_or_default(),
            };
            self.note(event, content)?;
        }
        // where its absence is proved the same bytes go again
        self.reconcile(Some(attempt))
    }

    /// It counted in its provider's budgets as any other read.
    fn look_up_ended(&self, (plan, sought): (&CallPlan, &Sought), ending: &Ending) {
        let answer = match ending {
            Ending::Answer(answer) => answer,
            Ending::NotBegun => return self.give_back(&plan.share),
        };
        let own = Sent { input: &plan.with, settings: &sought.settings, send_id: "" };
        let classified = placet_adapters::classify(&plan.target.operation, answer, own, self.now);
        self.share_ended(plan, &classified, self.until(plan, &classified));
    }

    fn read_look_up(&self, (plan, sought): (&CallPlan, &Sought), answer: &Answer) -> Option<Read> {
        let reconcile = sought.operation.delivery().reconcile()?;
        let look_up = &plan.target.operation;
        let own = Sent { input: &plan.with, settings: &sought.settings, send_id: "" };
        let classified = placet_adapters::classify(look_up, answer, own, self.now);
        let finding = sought.finding(look_up, answer, self.now)?;
        #[cfg(placet_mutants)]
        let finding = mutant(finding);
        let mut read = Read {
            facts: AnswerFacts { status: classified.status.unwrap_or(0), ..AnswerFacts::default() },
            found: Found::Unanswered { detail: None },
            payloads: vec![],
            output: None,
            next_at: None,
        };
        match finding {
            Finding::Found { outcome: Outcome::Sent, result } => {
                read.facts.result = result
                    .iter()
                    .map(|(at, value)| StoredField { at: at.clone(), value: value.clone() })
                    .collect();
                let fields = result.into_iter().map(|(at, value)| (at, Value::String(value)));
                read.output = Some(Value::Object(fields.collect::<Map<_, _>>()));
                read.found = Found::One { output: self.out.run.slot(2, 0) };
            }
            Finding::Found { outcome, .. } => {
                let words = format!("it was found, and the manifest calls that {outcome}");
                read.unanswered(self, Some(words));
            }
            Finding::NotFinal => {
                let words = "it is there, and the provider has not said yet how it ends";
                read.unanswered(self, Some(words.to_owned()));
                let again = plan.try_number < LOOKUPS_MAX;
                read.next_at = again.then(|| plus(self.now, pause(reconcile, plan.try_number)));
            }

            // what was not read is not absent
            Finding::Absent(_) if plan.pages.as_ref().is_some_and(|pages| !pages.is_whole()) => {
                let pages = plan.pages.as_ref();
                read.unanswered(self, pages.map(PagesRead::words));
                let may_come = matches!(pages.map(|pages| &pages.end), Some(PagesEnd::Lost(_)));
                if may_come && plan.try_number < LOOKUPS_MAX {
                    read.next_at = Some(plus(self.now, pause(reconcile, plan.try_number)));
                }
            }
            Finding::Absent(absent) => {
                read.say(plan.pages.as_ref().map(PagesRead::words));
                let settled_at = settled_at(sought, reconcile);
                let worth = self.worth(absent, sought, settled_at);
                let detail = read.detail(self);
                read.found = Found::None { worth, detail };
                let again = worth == AbsenceWorth::TooEarly && plan.try_number < LOOKUPS_MAX;
                let pause = plus(self.now, pause(reconcile, plan.try_number));
                read.next_at = again.then(|| pause.min(settled_at).max(self.now));
            }
            Finding::Several { count } => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                read.found = Found::Several { count };
            }
            Finding::Unanswered => {
                read.unanswered(self, said(answer, &classified));
                let lasting = match classified.outcome {
                    Outcome::RefusedPermanent | Outcome::Reconnect | Outcome::Quota => true,
                    // an answer that was no list of anything will be none the next time
                    Outcome::Sent => plan.try_number > 1,
                    Outcome::RefusedRetry | Outcome::InDoubt => false,
                };
                if !lasting && plan.try_number < LOOKUPS_MAX {
                    let own = plus(self.now, pause(reconcile, plan.try_number));
                    read.next_at = Some(self.until(plan, &classified).max(own));
                }
            }
        }
        Some(read)
    }

    /// What "not found" is worth now: nothing conclusive inside the settle window; proof only where the
    /// clock that nobody can set says as well that it has passed.
    fn worth(&self, absent: Absent, sought: &Sought, settled_at: Timestamp) -> AbsenceWorth {
        #[cfg(placet_mutants)]
        if placet_mutants::is_planted(placet_mutants::Mutant::AbsenceIsProof) {
            return AbsenceWorth::Proof;
        }
        if self.now < settled_at {
            return AbsenceWorth::TooEarly;
        }
        let window = settled_at.millis_since(sought.started_at);
        let passed = self.uptime.zip(sought.started.uptime);
        let passed = passed.and_then(|(now, then)| now.millis_since(then));
        let surely = passed.is_some_and(|passed| i64::try_from(passed).is_ok_and(|p| p >= window));
        match absent {
            Absent::Trusted if surely => AbsenceWorth::Proof,
            Absent::Trusted | Absent::Evidence => AbsenceWorth::Evidence,
            Absent::Human => AbsenceWorth::Nothing,
        }
    }
}

#[cfg(placet_mutants)]
fn mutant(finding: Finding) -> Finding {
    use placet_mutants::{Mutant, is_planted};

    match finding {
        Finding::Several { .. } if is_planted(Mutant::AnyMatchWillDo) => {
            Finding::Found { outcome: Outcome::Sent, result: std::collections::BTreeMap::new() }
        }
        Finding::Unanswered if is_planted(Mutant::SilenceIsAbsence) => {
            Finding::Absent(Absent::Trusted)
        }
        finding => finding,
    }
}

/// What an answer to a look-up says.
struct Read {
    facts: AnswerFacts,
    found: Found,
    payloads: Vec<Content>,
    output: Option<Value>,
    next_at: Option<Timestamp>,
}

impl Read {
    fn unanswered(&mut self, turn: &Turn<'_>, said: Option<String>) {
        self.say(said);
        self.found = Found::Unanswered { detail: self.detail(turn) };
    }

    fn say(&mut self, said: Option<String>) {
        self.payloads = super::answer::words(said);
    }

    /// The place of the words, where there are any.
    fn detail(&self, turn: &Turn<'_>) -> Option<PayloadRef> {
        (!self.payloads.is_empty()).then(|| turn.out.run.slot(1, 0))
    }
}

/// From when on "not found" says more than "not yet": the last try has run out, the provider has had its
/// time, and its reads have caught up.
fn settled_at(sought: &Sought, reconcile: &Reconcile) -> Timestamp {
    let settle = sought.operation.timeout() + reconcile.absent_after().max(reconcile.read_lag());
    plus(sought.started_at, settle)
}

/// Between two look-ups: the provider's read lag, doubled with each.
fn pause(reconcile: &Reconcile, number: u32) -> Duration {
    let first = reconcile.read_lag().max(PAUSE_LEAST);
    first.saturating_mul(1 << number.min(12)).min(PAUSE_MOST)
}

fn look_up_name(operation: &Operation, reconcile: &Reconcile) -> String {
    format!("{}.{}", operation.provider(), reconcile.operation())
}

fn plus(at: Timestamp, span: Duration) -> Timestamp {
    at.plus_millis(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}
