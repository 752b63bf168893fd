//! What must hold, read from the log by rules of its own: nothing here asks the engine's law. The
//! fold knows only what the events say; beside it stands what the providers saw.
//!
//! | promise | where |
//! | --- | --- |
//! | no call without an approval of exactly its bytes, on disk before | [`Book::check_calls`] |
//! | at most one effect per send id | [`Book::check_calls`] |
//! | succeeded is exactly one effect; refused, rejected, expired, void, never claimed: none | [`Book::check_end`] |
//! | a request is approved by enough people, none of them the requester, for these bytes | [`Book::read`] |
//! | what is expired, by log time or by uptime, settled otherwise or consumed is never claimed | [`Book::read`] |
//! | people are asked only about what is unclear | [`Book::read`] |
//! | log time never goes back | [`Book::read`] |
//! | a sandbox run calls nobody | [`Book::check_calls`] |

use crate::project::{APPROVERS, name, policy};
use crate::provider::{Ending, LOOK_UP, Made, Providers};
use placet_model::attempt::{Evidence, RefuseReason};
use placet_model::decision::{Resolution, Settlement, Verdict};
use placet_model::draft::Mode;
use placet_model::event::attempt::{AttemptInDoubt, AttemptStarted};
use placet_model::event::decision::{DecisionSettled, DraftPrepared, VoteCast};
use placet_model::{
    AttemptId, DecisionId, Digest, Event, Position, Principal, RecordedEvent, RunId, StreamId,
    Timestamp, Uptime,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The policy under which two must approve.
static STRICT: LazyLock<Digest> = LazyLock::new(|| {
    let document = serde_json::to_value(policy(2)).expect("a policy is a document");
    placet_model::canonical::digest(&document).expect("it has a canonical form")
});

/// What went wrong, in words.
pub(crate) type Violation = String;

/// What the log says, as far as it has been read.
#[derive(Debug, Default)]
pub(crate) struct Book {
    read_up_to: Option<Position>,
    log_time: Option<Timestamp>,
    /// How many people must approve under the policy in force.
    quorum: usize,
    pub(crate) runs: BTreeMap<RunId, RunFacts>,
    drafts: BTreeMap<(RunId, Digest), DraftPrepared>,
    pub(crate) decisions: BTreeMap<DecisionId, DecisionFacts>,
    pub(crate) attempts: BTreeMap<AttemptId, AttemptFacts>,
    /// Requests of look-ups that are recorded, and how often.
    lookups: BTreeMap<Digest, usize>,
    nonces: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct RunFacts {
    requester: Principal,
    pub(crate) over: bool,
}

#[derive(Debug)]
pub(crate) struct DecisionFacts {
    run: RunId,
    digest: Digest,
    send_id: String,
    request: Digest,
    needed: usize,
    expires_at: Timestamp,
    /// When it was asked for, and until how long after that it is good.
    asked: (Option<Uptime>, i64),
    approvals: BTreeSet<Principal>,
    standing: Standing,
}

/// Where a decision stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Open,
    Approved,
    Denied,
    Consumed(AttemptId),
}

#[derive(Debug)]
pub(crate) struct AttemptFacts {
    decision: Option<DecisionId>,
    pub(crate) send_id: String,
    request: Digest,
    mode: Mode,
    tries: usize,
    doubted: bool,
    state: Try,
}

/// How the last try of an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Try {
    UnderWay,
    Deferred,
    InDoubt,
    Succeeded,
    Refused,
    Settled(Resolution),
}

fn claim(holds: bool, what: impl Fn() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(what()) }
}

impl Book {
    /// Where to read on.
    pub(crate) fn next(&self) -> Position {
        self.read_up_to.map_or(Position::START, Position::next)
    }

    /// What is asked for.
    pub(crate) fn digest_of(&self, decision: DecisionId) -> Option<Digest> {
        self.decisions.get(&decision).map(|facts| facts.digest)
    }

    /// Whether a vote with this nonce is in the log.
    pub(crate) fn has_nonce(&self, nonce: &str) -> bool {
        self.nonces.contains(nonce)
    }

    /// One more event.
    pub(crate) fn read(&mut self, event: &RecordedEvent, made: &[Made]) -> Result<(), Violation> {
        let at = event.recorded_at;
        self.read_up_to = Some(event.position);
        claim(self.log_time.is_none_or(|before| before <= at), || {
            format!("log time goes back at {}", event.position)
        })?;
        self.log_time = Some(at);
        if let Event::PolicyChanged(body) = &event.event {
            self.quorum = if body.digest == *STRICT { 2 } else { 1 };
        }
        let StreamId::Run(run) = event.stream else { return Ok(()) };
        match &event.event {
            Event::RunStarted(body) => {
                let requester = body.requester.clone();
                self.runs.insert(run, RunFacts { requester, over: false });
            }
            Event::DraftPrepared(body) => {
                self.drafts.insert((run, body.digest), body.clone());
            }
            Event::DecisionRequested(body) => {
                let draft = self.drafts.get(&(run, body.digest)).ok_or("asked without a draft")?;
                let thresholds = draft.requirement.thresholds.iter();
                let needed = thresholds.map(|threshold| threshold.approve).max().unwrap_or(1);
                let facts = DecisionFacts {
                    run,
                    digest: body.digest,
                    send_id: draft.send_id.clone(),
                    request: draft.request_digest,
                    needed: usize::from(needed),
                    expires_at: body.expires_at,
                    asked: (body.uptime, body.expires_at.millis_since(at)),
                    approvals: BTreeSet::new(),
                    standing: Standing::Open,
                };
                self.decisions.insert(body.decision, facts);
            }
            Event::VoteCast(body) => self.vote(body, at)?,
            Event::DecisionSettled(body) => self.settle(body)?,
            Event::RequirementRaised(body) => {
                let decision = self.decision(body.decision)?;
                let thresholds = body.requirement.thresholds.iter();
                let needed = thresholds.map(|threshold| threshold.approve).max().unwrap_or(1);
                (decision.needed, decision.standing) = (usize::from(needed), Standing::Open);
            }
            Event::DecisionVoided(body) => {
                self.decision(body.decision)?.standing = Standing::Denied;
            }
            Event::AttemptStarted(body) => self.start(run, body, at)?,
            Event::LookupStarted(body) => {
                *self.lookups.entry(body.request_digest).or_default() += 1;
            }
            Event::RunCompleted(_) | Event::RunFaulted(_) | Event::RunCancelled(_) => {
                self.runs.get_mut(&run).ok_or("over before it began")?.over = true;
            }
            other => self.end_of_try(other, made)?,
        }
        Ok(())
    }

    fn decision(&mut self, id: DecisionId) -> Result<&mut DecisionFacts, Violation> {
        self.decisions.get_mut(&id).ok_or_else(|| format!("{id} was never asked"))
    }

    fn vote(&mut self, body: &VoteCast, at: Timestamp) -> Result<(), Violation> {
        self.nonces.insert(body.nonce.clone());
        let decision = self.decision(body.decision)?;
        claim(body.digest == decision.digest, || "a vote for other bytes is counted".to_owned())?;
        claim(at < decision.expires_at, || "a vote after the expiry is counted".to_owned())?;
        claim(decision.standing == Standing::Open, || {
            format!("a vote on a decision that is {:?}", decision.standing)
        })?;
        if body.verdict == Verdict::Approve {
            decision.approvals.insert(body.voter.clone());
        }
        Ok(())
    }

    fn settle(&mut self, body: &DecisionSettled) -> Result<(), Violation> {
        let run = self.decision(body.decision)?.run;
        let requester = self.runs.get(&run).map(|facts| facts.requester.clone());
        let decision = self.decision(body.decision)?;
        claim(decision.standing == Standing::Open, || {
            format!("{:?} after {:?}", body.settlement, decision.standing)
        })?;
        if body.settlement != Settlement::Approved {
            decision.standing = Standing::Denied;
            return Ok(());
        }
        let entitled = |who: &&Principal| {
            APPROVERS.iter().any(|approver| name(approver) == **who)
                && requester.as_ref() != Some(who)
        };
        let votes = decision.approvals.iter().filter(entitled).count();
        claim(votes >= decision.needed, || {
            format!("approved by {votes} of {} people", decision.needed)
        })?;
        decision.standing = Standing::Approved;
        Ok(())
    }

    fn start(&mut self, run: RunId, body: &AttemptStarted, at: Timestamp) -> Result<(), Violation> {
        let quorum = self.quorum;
        let over = self.runs.get(&run).is_none_or(|facts| facts.over);
        claim(!over, || "a try of a run that is over".to_owned())?;
        if let Some(id) = body.decision {
            let decision = self.decision(id)?;
            claim(body.digest == Some(decision.digest), || "other bytes are claimed".to_owned())?;
            claim(body.request_digest == decision.request, || "another request".to_owned())?;
            claim(body.send_id == decision.send_id, || "another send id".to_owned())?;
            claim(at < decision.expires_at, || "an expired approval is claimed".to_owned())?;
            let (asked, valid) = decision.asked;
            let passed = body.uptime.zip(asked).and_then(|(now, then)| now.millis_since(then));
            let outlived = passed.is_some_and(|p| i64::try_from(p).is_ok_and(|p| p >= valid));
            claim(!outlived, || "an approval is claimed that has outlived its time".to_owned())?;
            claim(decision.approvals.len() >= quorum, || {
                "the policy in force asks for more approvals".to_owned()
            })?;
            let mine = decision.standing == Standing::Consumed(body.attempt);
            claim(decision.standing == Standing::Approved || mine, || {
                format!("a claim of a decision that is {:?}", decision.standing)
            })?;
            decision.standing = Standing::Consumed(body.attempt);
        }
        let attempt = self.attempts.entry(body.attempt).or_insert_with(|| AttemptFacts {
            decision: body.decision,
            send_id: body.send_id.clone(),
            request: body.request_digest,
            mode: body.mode,
            tries: 0,
            doubted: false,
            state: Try::Deferred,
        });
        let may_start = matches!(attempt.state, Try::Deferred | Try::InDoubt | Try::Refused);
        claim(may_start, || format!("a try after {:?}", attempt.state))?;
        attempt.tries += 1;
        attempt.state = Try::UnderWay;
        Ok(())
    }

    fn attempt(&mut self, id: AttemptId) -> Result<&mut AttemptFacts, Violation> {
        self.attempts.get_mut(&id).ok_or_else(|| format!("{id} was never started"))
    }

    fn end_of_try(&mut self, event: &Event, made: &[Made]) -> Result<(), Violation> {
        let (id, state) = match event {
            Event::AttemptSucceeded(body) => (body.attempt, Try::Succeeded),
            Event::AttemptDeferred(body) => (body.attempt, Try::Deferred),
            Event::AttemptRefused(body) => {
                let decision = self.attempt(body.attempt)?.decision;
                if let (RefuseReason::Reconnect, Some(decision)) = (body.reason, decision) {
                    self.decision(decision)?.standing = Standing::Approved;
                }
                (body.attempt, Try::Refused)
            }
            Event::AttemptInDoubt(body) => {
                self.doubt(body, made)?;
                (body.attempt, Try::InDoubt)
            }
            Event::AttemptReconciled(body) => {
                let state = self.attempt(body.attempt)?.state;
                claim(state == Try::InDoubt, || format!("a doubt is settled after {state:?}"))?;
                self.attempt(body.attempt)?.state = Try::Settled(body.resolution);
                return Ok(());
            }
            _ => return Ok(()),
        };
        let attempt = self.attempt(id)?;
        claim(attempt.state == Try::UnderWay, || format!("{state:?} after {:?}", attempt.state))?;
        attempt.state = state;
        Ok(())
    }

    /// A person is asked only where an answer, or its absence, leaves it open.
    fn doubt(&mut self, body: &AttemptInDoubt, made: &[Made]) -> Result<(), Violation> {
        let attempt = self.attempt(body.attempt)?;
        let calls = || made.iter().filter(|made| made.attempt == Some(body.attempt));
        let clear = calls().all(|made| made.ending.is_some_and(Ending::is_clear));
        let first = !std::mem::replace(&mut attempt.doubted, true);
        claim(!(first && clear && body.evidence != Evidence::Restart), || {
            format!("a person is asked about {:?}", calls().collect::<Vec<_>>())
        })
    }

    /// Every call has its record and its approval, and none came twice into effect.
    pub(crate) fn check_calls(&self, providers: &Providers) -> Result<(), Violation> {
        let mut calls: BTreeMap<AttemptId, usize> = BTreeMap::new();
        let mut looked_up: BTreeMap<Digest, usize> = BTreeMap::new();
        for made in providers.made() {
            if made.operation == LOOK_UP {
                let count = looked_up.entry(made.digest).or_default();
                *count += 1;
                let recorded = self.lookups.get(&made.digest).copied().unwrap_or(0);
                claim(*count <= recorded, || "a look-up without a record".to_owned())?;
            }
            let Some(id) = made.attempt else { continue };
            let attempt = self.attempts.get(&id).ok_or("a call without a record")?;
            let count = calls.entry(id).or_default();
            *count += 1;
            claim(*count <= attempt.tries, || "a call without a record of its try".to_owned())?;
            claim(made.digest == attempt.request, || "other bytes have left".to_owned())?;
            claim(attempt.mode == Mode::Live, || "a sandbox run has called".to_owned())?;
            let decision = attempt.decision.and_then(|id| self.decisions.get(&id));
            let consumed = decision.is_some_and(|facts| !facts.approvals.is_empty());
            claim(consumed, || "a call without an approval".to_owned())?;
        }
        for (send_id, effects) in providers.effects() {
            claim(effects.len() <= 1, || {
                format!("{} effects of one send id ({send_id})", effects.len())
            })?;
        }
        Ok(())
    }

    /// After the end: nothing is open, and what the log says of each action is what happened.
    pub(crate) fn check_end(&self, providers: &Providers) -> Result<(), Violation> {
        self.check_calls(providers)?;
        let of = |send_id: &str| providers.effects_of(send_id);
        for attempt in self.attempts.values().filter(|a| a.decision.is_some()) {
            let effects = of(&attempt.send_id);
            let (right, said) = match attempt.state {
                // what was broken off is found by a look-up in the sandbox
                Try::Succeeded | Try::Settled(Resolution::Sent)
                    if attempt.mode == Mode::Sandbox =>
                {
                    (effects == 0, "a sandbox send")
                }
                Try::Succeeded | Try::Settled(Resolution::Sent) => (effects == 1, "succeeded"),
                Try::Refused | Try::Settled(Resolution::NotSent) => (effects == 0, "refused"),
                Try::Deferred => (effects == 0, "deferred for good"),
                Try::Settled(Resolution::GiveUp) => (effects <= 1, "given up"),
                Try::UnderWay => (false, "still under way"),
                Try::InDoubt => (false, "still in doubt"),
            };
            claim(right, || format!("{said}, and {effects} effects"))?;
        }
        for decision in self.decisions.values() {
            let denied = matches!(decision.standing, Standing::Open | Standing::Denied);
            // what was deferred and then voided has a record, and no effect either
            let effects = of(&decision.send_id);
            claim(!denied || effects == 0, || {
                format!("{:?}, and {effects} effects", decision.standing)
            })?;
        }
        Ok(())
    }
}
