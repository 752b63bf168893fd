//! What happens to a project: people, providers, operators, time. Each act is one draw of the seed.

use crate::checks::Violation;
use crate::faults::Fault;
use crate::life::Life;
use crate::project::{self, APPROVERS, name};
use crate::provider::Ending;
use placet_executor::{Error, Handle, Receipt, Start, Vote};
use placet_model::Digest;
use placet_model::decision::{Assurance, Ballot, DecisionState, Resolution, Verdict, Voter};
use placet_model::draft::Mode;
use placet_model::integration::IntegrationStatus;
use placet_projections::{DecisionRow, RunStatus};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The longest that a call may take.
const CALL_MS_MAX: i64 = 30_000;

/// Runs of one seed at most.
const RUNS_MAX: usize = 6;

impl Life {
    /// Something happens.
    pub(crate) async fn act(&mut self) -> Result<(), Violation> {
        let Some(handle) = self.handle() else { return Ok(()) };
        match self.random.below(20) {
            0..=2 => self.begin(&handle).await,
            3..=7 => self.vote(&handle).await,
            8..=11 => self.answer(),
            12 => self.resolve(&handle).await,
            13 => self.publish(&handle).await,
            14 | 15 => self.time_passes().await?,
            16 => self.clumsy(&handle).await,
            17 => self.cancel(&handle).await,
            18 => self.govern(&handle).await,
            _ => {
                drop(handle);
                if self.faults.strikes(Fault::Kill, &mut self.random, 2) {
                    self.be_killed().await;
                } else if self.faults.strikes(Fault::Sleep, &mut self.random, 2) {
                    self.doze().await;
                }
            }
        }
        Ok(())
    }

    async fn begin(&mut self, handle: &Handle) {
        if self.memory.runs.len() >= RUNS_MAX {
            return;
        }
        let (workflow, plan) = *self.random.pick(project::plans());
        let mode = if self.random.one_in(8) { Mode::Sandbox } else { Mode::Live };
        let seed = self.random.next();
        let start = Start { plan, input: Value::Null, requester: name("author"), mode, seed };
        let begun = handle.start(start).await;
        if !matches!(begun, Ok(_) | Err(Error::Turn(_) | Error::Refused { .. })) {
            self.memory.unknown += 1;
        }
        if let Some(run) = self.heard(&format!("start {workflow} ({mode})"), begun) {
            self.memory.runs.insert(run);
            let number = self.label(run.as_u128());
            self.tell(format!("it is run {number}"));
        }
    }

    fn ballot(&mut self, item: &DecisionRow, handle: &Handle, verdict: Verdict) -> Ballot {
        let ballot = Ballot {
            decision: item.decision,
            digest: item.digest,
            verdict,
            nonce: handle.nonce(),
            time: handle.now(),
            reason: (verdict != Verdict::Approve).then(|| "because".to_owned()),
        };
        self.seen.push(ballot.clone());
        ballot
    }

    fn requested(&mut self) -> Option<DecisionRow> {
        let mut items = self.items();
        items.retain(|item| item.state == DecisionState::Requested);
        (!items.is_empty()).then(|| self.random.pick(&items).clone())
    }

    async fn vote(&mut self, handle: &Handle) {
        let Some(item) = self.requested() else { return };
        let objects = self.faults.strikes(Fault::Objections, &mut self.random, 4);
        let objections = [Verdict::Reject, Verdict::Respond, Verdict::Withdraw];
        let verdict = if objects { *self.random.pick(&objections) } else { Verdict::Approve };
        let who = match verdict {
            Verdict::Withdraw => "author",
            _ => *self.random.pick(&APPROVERS),
        };
        let ballot = self.ballot(&item, handle, verdict);
        let answer = handle.vote(cast(&ballot, who, None)).await;
        self.voted(who, &ballot, answer);
    }

    /// Keeps what the voter was told.
    pub(crate) fn voted(&mut self, who: &str, ballot: &Ballot, answer: Result<Receipt, Error>) {
        let number = self.label(ballot.decision.as_u128());
        let refused = matches!(answer, Err(Error::Turn(_) | Error::Refused { .. }));
        if refused {
            self.memory.refused.insert(ballot.nonce.clone());
        }
        let what = format!("{who} says {} to decision {number}", ballot.verdict);
        if let Some(receipt) = self.heard(&what, answer) {
            self.memory.votes.insert(receipt.position, ballot.decision);
            if self.book.digest_of(ballot.decision).is_some_and(|digest| digest != ballot.digest) {
                self.broken = Some("a vote for other bytes was accepted".to_owned());
            }
        }
    }

    /// Late, twice, at once, stale, by those who may not.
    async fn clumsy(&mut self, handle: &Handle) {
        if !self.faults.has(Fault::ClumsyVotes) {
            return;
        }
        match self.random.below(5) {
            0 => self.vote_together(handle).await,
            1 => self.vote_twice(handle).await,
            2 => self.vote_on_other_bytes(handle).await,
            3 => {
                // on what was seen before, whatever has become of it
                if self.seen.is_empty() {
                    return;
                }
                let mut ballot = self.random.pick(&self.seen).clone();
                (ballot.nonce, ballot.time) = (handle.nonce(), handle.now());
                let who = *self.random.pick(&APPROVERS);
                let answer = handle.vote(cast(&ballot, who, None)).await;
                self.voted(who, &ballot, answer);
            }
            _ => {
                let Some(item) = self.requested() else { return };
                let ballot = self.ballot(&item, handle, Verdict::Approve);
                let who = *self.random.pick(&["author", "auditor", "agent"]);
                let answer = handle.vote(cast(&ballot, who, None)).await;
                self.voted(who, &ballot, answer);
            }
        }
    }

    async fn vote_together(&mut self, handle: &Handle) {
        let Some(item) = self.requested() else { return };
        let ballots = [Verdict::Approve, Verdict::Approve, Verdict::Reject]
            .map(|verdict| self.ballot(&item, handle, verdict));
        let [first, second, third] = [0, 1, 2].map(|n| cast(&ballots[n], APPROVERS[n], None));
        let answers = tokio::join!(handle.vote(first), handle.vote(second), handle.vote(third));
        for (n, answer) in [answers.0, answers.1, answers.2].into_iter().enumerate() {
            self.voted(APPROVERS[n], &ballots[n], answer);
        }
    }

    /// The same request again: the same answer, and one vote.
    async fn vote_twice(&mut self, handle: &Handle) {
        let Some(item) = self.requested() else { return };
        let ballot = self.ballot(&item, handle, Verdict::Approve);
        let who = *self.random.pick(&APPROVERS);
        let request = Some(ballot.nonce.clone());
        let first = handle.vote(cast(&ballot, who, request.clone())).await;
        let again = handle.vote(cast(&ballot, who, request)).await;
        if let (Ok(first), Ok(again)) = (&first, &again) {
            let same = first.position == again.position;
            self.tell(if same { "the same answer" } else { "two answers to one request" });
        }
        self.voted(who, &ballot, first);
        if let Ok(again) = again {
            self.memory.votes.insert(again.position, ballot.decision);
        }
    }

    async fn vote_on_other_bytes(&mut self, handle: &Handle) {
        let Some(item) = self.requested() else { return };
        let mut ballot = self.ballot(&item, handle, Verdict::Approve);
        let other = self.seen.iter().find(|seen| seen.digest != item.digest);
        ballot.digest = other.map_or_else(|| Digest::of(b"other bytes"), |seen| seen.digest);
        let who = *self.random.pick(&APPROVERS);
        let answer = handle.vote(cast(&ballot, who, None)).await;
        self.voted(who, &ballot, answer);
    }

    /// A call that hangs comes to an end.
    fn answer(&mut self) {
        let pending = self.providers.pending();
        if pending == 0 {
            return;
        }
        let which = self.random.index(pending);
        let ending = self.draw_ending();
        self.providers.end(which, ending);
        self.tell(format!("a call ends: {ending:?}"));
    }

    fn draw_ending(&mut self) -> Ending {
        let (faults, random) = (&self.faults, &mut self.random);
        if faults.strikes(Fault::LostAnswers, random, 3) {
            return if random.one_in(2) { Ending::LostAnswer } else { Ending::LostRequest };
        }
        if faults.strikes(Fault::LateCalls, random, 3) {
            return Ending::Late {
                millis: 1000 + i64::try_from(random.below(119_000)).unwrap_or(0),
            };
        }
        if faults.strikes(Fault::Busy, random, 3) {
            let seconds = u32::try_from(random.below(500)).unwrap_or(0);
            return if random.one_in(3) { Ending::NoConnection } else { Ending::Wait { seconds } };
        }
        if faults.strikes(Fault::Garbage, random, 4) {
            let applied = random.one_in(2);
            return if random.one_in(2) { Ending::Garbage } else { Ending::Failure { applied } };
        }
        if faults.strikes(Fault::Refusals, random, 4) { Ending::Refused } else { Ending::Ok }
    }

    /// A person looks at the provider, once nothing can arrive any more, and says what is there.
    pub(crate) async fn resolve(&mut self, handle: &Handle) {
        let mut items = self.items();
        items.retain(|item| item.in_doubt.is_some());
        if items.is_empty() {
            return;
        }
        let item = self.random.pick(&items).clone();
        let gives_up = self.random.one_in(6);
        self.resolve_item(handle, &item, gives_up).await;
    }

    /// False where it is too early to tell.
    pub(crate) async fn resolve_item(
        &mut self,
        handle: &Handle,
        item: &DecisionRow,
        gives_up: bool,
    ) -> bool {
        let Some((attempt, _)) = item.in_doubt else { return false };
        let Some(facts) = self.book.attempts.get(&attempt) else { return false };
        let send_id = facts.send_id.clone();
        if self.providers.is_under_way(&send_id) {
            return false;
        }
        let resolution = match self.providers.effects_of(&send_id) {
            _ if gives_up => Resolution::GiveUp,
            0 => Resolution::NotSent,
            _ => Resolution::Sent,
        };
        let answer = handle.resolve(item.decision, resolution, name("ana")).await;
        let number = self.label(item.decision.as_u128());
        if let Some(receipt) = self.heard(&format!("decision {number} was {resolution}"), answer) {
            self.tally.doubts += 1;
            self.memory.resolutions.insert(receipt.position, item.decision);
        }
        true
    }

    pub(crate) async fn publish(&mut self, handle: &Handle) {
        let doubled = self.faults.has(Fault::DoubledEvents);
        if !(doubled && self.published > 0 && self.random.one_in(2)) {
            self.published += 1;
        }
        let id = self.published.to_string();
        let event = json!({"type": "ping", "source": "simulation", "id": id});
        let answer = handle.publish(event, None, &name("author")).await;
        self.heard(&format!("event {id}"), answer);
    }

    async fn time_passes(&mut self) -> Result<(), Violation> {
        let mut spans = vec![1000, 2000, MINUTE, 2 * MINUTE, 10 * MINUTE, HOUR];
        if self.faults.has(Fault::LongWaits) {
            spans.extend([6 * HOUR, DAY, 2 * DAY, 8 * DAY]);
        }
        let millis = *self.random.pick(&spans);
        // no call hangs for longer than its timeout
        while millis >= CALL_MS_MAX && self.providers.pending() > 0 {
            self.answer();
        }
        self.pass(millis);
        self.tell(format!("{} s pass", millis / 1000));
        self.rest().await?;
        if self.faults.strikes(Fault::ClockJumps, &mut self.random, 3) {
            self.jump();
        }
        Ok(())
    }

    async fn cancel(&mut self, handle: &Handle) {
        if !self.faults.has(Fault::Cancels) {
            return;
        }
        let mut runs = self.runs();
        runs.retain(|row| matches!(row.status, RunStatus::Running | RunStatus::Waiting));
        if runs.is_empty() {
            return;
        }
        let run = self.random.pick(&runs).run;
        let number = self.label(run.as_u128());
        let answer = handle.cancel(run, name("author"), None).await;
        if let Some(events) = self.heard(&format!("cancel run {number}"), answer) {
            self.memory.told.extend(events.iter().map(|event| (event.position, event.event_id)));
        }
    }

    async fn govern(&mut self, handle: &Handle) {
        if !self.faults.has(Fault::Governing) {
            return;
        }
        let author = name("author");
        let provider = *self.random.pick(&["slack", "webhook"]);
        let (what, answer) = match self.random.below(7) {
            0 => ("pause", handle.pause(&author, None).await),
            1 | 2 => ("resume", handle.resume(&author, None).await),
            3 => {
                let status = IntegrationStatus::Disabled;
                ("disable", handle.set_integration(&author, provider, status).await)
            }
            4 => {
                let status = IntegrationStatus::Active;
                ("enable", handle.set_integration(&author, provider, status).await)
            }
            5 => {
                let answer = handle.apply_policy(&author, project::policy(2)).await;
                ("two must approve", answer.map(|_| ()))
            }
            _ => {
                let answer = handle.apply_policy(&author, project::policy(1)).await;
                ("one may approve", answer.map(|_| ()))
            }
        };
        self.heard(what, answer);
    }

    /// Votes on a request until it is settled.
    pub(crate) async fn approve(&mut self, handle: &Handle, item: &DecisionRow) {
        for who in APPROVERS {
            let ballot = self.ballot(item, handle, Verdict::Approve);
            let answer = handle.vote(cast(&ballot, who, None)).await;
            let settled =
                matches!(&answer, Ok(receipt) if receipt.state != DecisionState::Requested);
            let over = matches!(answer, Err(Error::Stopping | Error::CommitFailed { .. }));
            self.voted(who, &ballot, answer);
            if settled || over {
                return;
            }
        }
    }
}

fn cast(ballot: &Ballot, who: &str, request_id: Option<String>) -> Vote {
    Vote {
        ballot: ballot.clone(),
        voter: Voter { principal: name(who), assurance: Assurance::Test },
        request_id,
        signed: None,
    }
}
