//! From the events of a run to its spans. Pure: told the same events, it gives the same spans, so that
//! what was forgotten is made again by reading the run's stream from its beginning.

use super::span::{About, Fact, Outcome, Span};
use crate::measures::CallEnd;
use placet_model::decision::Settlement;
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::decision::DraftPrepared;
use placet_model::{
    AttemptId, DecisionId, Event, Iteration, Position, RecordedEvent, RunId, TaskPath, Timestamp,
    attempt_event,
};
use std::collections::BTreeMap;

type Step = (TaskPath, Iteration);
type Facts = Vec<(&'static str, Fact)>;

/// Something that goes on.
#[derive(Debug, Clone)]
struct Open {
    about: About,
    parent: About,
    name: String,
    begin: Timestamp,
    facts: Facts,
}

/// A run as far as it was told.
#[derive(Debug)]
pub(super) struct RunTrace {
    run: RunId,
    whole: Option<Open>,
    steps: BTreeMap<Step, Open>,
    /// What the drafts of a step's requests are about.
    drafts: BTreeMap<Step, Facts>,
    decisions: BTreeMap<DecisionId, Open>,
    tries: BTreeMap<AttemptId, Open>,
    doubts: BTreeMap<AttemptId, Open>,
}

impl RunTrace {
    pub(super) const fn new(run: RunId) -> Self {
        Self {
            run,
            whole: None,
            steps: BTreeMap::new(),
            drafts: BTreeMap::new(),
            decisions: BTreeMap::new(),
            tries: BTreeMap::new(),
            doubts: BTreeMap::new(),
        }
    }

    /// Whether nothing is open: nothing more will be told of it.
    pub(super) fn is_over(&self) -> bool {
        self.whole.is_none() && self.tries.is_empty() && self.doubts.is_empty()
    }

    /// What has ended with this event.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else happens neither begins nor ends a span"
    )]
    pub(super) fn apply(&mut self, event: &RecordedEvent) -> Vec<Span> {
        let (at, position) = (event.recorded_at, event.position);
        match &event.event {
            Event::RunStarted(body) => {
                let workflow = body.workflow.to_string();
                let facts = vec![
                    ("placet.run", Fact::Run(self.run)),
                    ("placet.workflow", Fact::Workflow(workflow.clone())),
                    ("placet.plan.digest", Fact::Digest(body.plan_digest)),
                    ("placet.mode", Fact::Word(body.mode.word())),
                ];
                let (about, parent) = (About::Run, About::Run);
                self.whole = Some(Open { about, parent, name: workflow, begin: at, facts });
                vec![]
            }
            Event::TaskStarted(body) => self.begin(&body.task, &body.iteration, (at, position)),
            Event::WaitStarted(body) => self.begin(&body.task, &body.iteration, (at, position)),
            Event::DraftPrepared(body) => self.drafted(body, (at, position)),
            Event::DecisionRequested(body) => {
                let step = (body.task.clone(), body.iteration.clone());
                let parent = self.step(&step, (at, position));
                let mut facts = self.drafts.get(&step).cloned().unwrap_or_default();
                facts.push(("placet.decision", Fact::Decision(body.decision)));
                facts.push(("placet.digest", Fact::Digest(body.digest)));
                let about = About::Decision(body.decision);
                let open = Open { about, parent, name: "decision".to_owned(), begin: at, facts };
                self.decisions.insert(body.decision, open);
                vec![]
            }
            Event::DecisionSettled(body) => {
                let outcome = match body.settlement {
                    Settlement::Approved => Outcome::Good,
                    Settlement::Rejected | Settlement::Expired => Outcome::Bad,
                    Settlement::Responded | Settlement::Withdrawn | Settlement::Superseded => {
                        Outcome::Unset
                    }
                };
                let word = body.settlement.word();
                self.decided(body.decision, (word, outcome), at)
            }
            Event::DecisionVoided(body) => self.decided(body.decision, ("void", Outcome::Bad), at),
            Event::AttemptStarted(body) => self.tries_to(body, (at, position)),
            Event::TaskCompleted(body) => self.end_step(
                &body.task,
                &body.iteration,
                (at, position),
                ("completed", Outcome::Good),
            ),
            Event::TaskFaulted(body) => self.end_step(
                &body.task,
                &body.iteration,
                (at, position),
                ("faulted", Outcome::Bad),
            ),
            Event::TaskSkipped(body) => self.end_step(
                &body.task,
                &body.iteration,
                (at, position),
                ("skipped", Outcome::Unset),
            ),
            Event::RunCompleted(_) => self.end_run(("completed", Outcome::Good), at),
            Event::RunFaulted(_) => self.end_run(("faulted", Outcome::Bad), at),
            Event::RunCancelled(_) => self.end_run(("cancelled", Outcome::Unset), at),
            other => self.end_try(other, at),
        }
    }

    fn begin(
        &mut self,
        task: &TaskPath,
        iteration: &Iteration,
        at: (Timestamp, Position),
    ) -> Vec<Span> {
        let _begun = self.step(&(task.clone(), iteration.clone()), at);
        vec![]
    }

    /// The span of a step, which begins with the first event that names it.
    fn step(&mut self, step: &Step, (at, position): (Timestamp, Position)) -> About {
        let open = self.steps.entry(step.clone()).or_insert_with(|| Open {
            about: About::Step(position),
            parent: About::Run,
            name: name_of(&step.0),
            begin: at,
            facts: vec![
                ("placet.task", Fact::Task(step.0.clone())),
                ("placet.iteration", Fact::Iteration(step.1.clone())),
            ],
        });
        open.about.clone()
    }

    fn drafted(&mut self, body: &DraftPrepared, at: (Timestamp, Position)) -> Vec<Span> {
        let step = (body.task.clone(), body.iteration.clone());
        let _begun = self.step(&step, at);
        let mut facts = vec![
            ("placet.operation", Fact::Operation(body.operation.clone())),
            ("placet.effect", Fact::Word(body.effect.word())),
            ("placet.draft.revision", Fact::Number(u64::from(body.revision))),
        ];
        let integration = body.integration.as_ref();
        facts.extend(integration.map(|bound| ("placet.integration", Fact::Integration(bound.id))));
        self.drafts.insert(step, facts);
        vec![]
    }

    fn decided(
        &mut self,
        decision: DecisionId,
        (word, outcome): (&'static str, Outcome),
        at: Timestamp,
    ) -> Vec<Span> {
        // approved, and void later: the wait ended once
        let open = self.decisions.remove(&decision);
        let said = ("placet.settlement", Fact::Word(word));
        open.map(|open| self.ended(open, said, (outcome, at))).into_iter().collect()
    }

    fn tries_to(&mut self, body: &AttemptStarted, at: (Timestamp, Position)) -> Vec<Span> {
        let step = (body.task.clone(), body.iteration.clone());
        let parent = self.step(&step, at);
        let mut facts = vec![
            ("placet.attempt", Fact::Attempt(body.attempt)),
            ("placet.try", Fact::Number(u64::from(body.try_number))),
            ("placet.operation", Fact::Operation(body.operation.clone())),
            ("placet.effect", Fact::Word(body.effect.word())),
            ("placet.mode", Fact::Word(body.mode.word())),
            ("placet.request.digest", Fact::Digest(body.request_digest)),
        ];
        facts.extend(body.decision.map(|decision| ("placet.decision", Fact::Decision(decision))));
        facts.extend(body.digest.map(|digest| ("placet.digest", Fact::Digest(digest))));
        let integration = body.integration.as_ref();
        facts.extend(integration.map(|bound| ("placet.integration", Fact::Integration(bound.id))));
        let about = About::Try(body.attempt, body.try_number);
        let open = Open { about, parent, name: body.operation.clone(), begin: at.0, facts };
        self.tries.insert(body.attempt, open);
        vec![]
    }

    fn end_try(&mut self, event: &Event, at: Timestamp) -> Vec<Span> {
        let Some((attempt, end, _)) = CallEnd::of(event) else { return vec![] };
        let outcome = match end {
            CallEnd::Succeeded | CallEnd::FoundSent => Outcome::Good,
            CallEnd::Refused | CallEnd::Reconnect | CallEnd::InDoubt | CallEnd::GivenUp => {
                Outcome::Bad
            }
            CallEnd::Deferred | CallEnd::FoundNotSent => Outcome::Unset,
        };
        let said = ("placet.outcome", Fact::Word(end.word()));
        if let Some(mut open) = self.tries.remove(&attempt) {
            if end == CallEnd::InDoubt {
                let about = About::Doubt(attempt);
                let name = format!("doubt about {}", open.name);
                self.doubts.insert(attempt, Open { about, name, begin: at, ..open.clone() });
            }
            let status = status_of(event).filter(|status| *status > 0);
            let status = status.map(|status| Fact::Number(u64::from(status)));
            open.facts.extend(status.map(|status| ("http.response.status_code", status)));
            return vec![self.ended(open, said, (outcome, at))];
        }
        let open = self.doubts.remove(&attempt);
        open.map(|open| self.ended(open, said, (outcome, at))).into_iter().collect()
    }

    fn end_step(
        &mut self,
        task: &TaskPath,
        iteration: &Iteration,
        at: (Timestamp, Position),
        (word, outcome): (&'static str, Outcome),
    ) -> Vec<Span> {
        let step = (task.clone(), iteration.clone());
        let _begun = self.step(&step, at);
        self.drafts.remove(&step);
        let open = self.steps.remove(&step);
        let said = ("placet.outcome", Fact::Word(word));
        open.map(|open| self.ended(open, said, (outcome, at.0))).into_iter().collect()
    }

    /// What still goes on in a run that is over ends with it, but for calls that are under way.
    fn end_run(&mut self, (word, outcome): (&'static str, Outcome), at: Timestamp) -> Vec<Span> {
        let left = std::mem::take(&mut self.decisions).into_values();
        let left = left.chain(std::mem::take(&mut self.steps).into_values());
        let left: Vec<Open> = left.collect();
        self.drafts.clear();
        let said = || ("placet.outcome", Fact::Word("left"));
        let mut spans: Vec<Span> =
            left.into_iter().map(|open| self.ended(open, said(), (Outcome::Unset, at))).collect();
        let whole = self.whole.take();
        let said = ("placet.outcome", Fact::Word(word));
        spans.extend(whole.map(|open| self.ended(open, said, (outcome, at))));
        spans
    }

    fn ended(
        &self,
        open: Open,
        said: (&'static str, Fact),
        (outcome, end): (Outcome, Timestamp),
    ) -> Span {
        let Open { about, parent, name, begin, mut facts } = open;
        facts.push(said);
        let is_call = matches!(about, About::Try(..));
        let parent = Some(parent).filter(|_| about != About::Run);
        Span { run: self.run, about, parent, name, is_call, begin, end, facts, outcome }
    }
}

/// The status of the answer that an end of a try has.
#[expect(clippy::wildcard_enum_match_arm, reason = "these have an answer")]
const fn status_of(event: &Event) -> Option<u16> {
    match event {
        Event::AttemptSucceeded(body) => Some(body.answer.status),
        Event::AttemptRefused(body) => Some(body.answer.status),
        Event::AttemptInDoubt(body) => Some(body.answer.status),
        _ => None,
    }
}

/// Whether an event can begin or end anything.
pub(super) const fn matters(event: &Event) -> bool {
    let of_a_run = matches!(
        event,
        Event::RunStarted(_)
            | Event::TaskStarted(_)
            | Event::WaitStarted(_)
            | Event::TaskCompleted(_)
            | Event::TaskFaulted(_)
            | Event::TaskSkipped(_)
            | Event::RunCompleted(_)
            | Event::RunFaulted(_)
            | Event::RunCancelled(_)
    );
    let of_a_gate = matches!(
        event,
        Event::DraftPrepared(_)
            | Event::DecisionRequested(_)
            | Event::DecisionSettled(_)
            | Event::DecisionVoided(_)
    );
    of_a_run || of_a_gate || matches!(event, attempt_event!())
}

/// A task's own name: the last part of its place.
fn name_of(task: &TaskPath) -> String {
    task.as_str().rsplit('/').next().unwrap_or_default().to_owned()
}
