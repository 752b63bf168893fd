//! Names behind ids, for the card of a draft: where a manifest says so, its provider is asked before
//! people are.
//!
//! It is a read like any other: recorded before it leaves, counted in its provider's budgets, and only
//! in live mode, since the sandbox has nobody to ask. But nothing rests on it. What comes back is no
//! part of what is approved; nobody waits longer for it than [`WAIT_MS`]; and where no answer comes
//! (a pause, a used-up budget, a refusal, a restart), the card says so and people are asked all the
//! same. The draft is made from the `with` that the read was made from, so that the card does not name
//! one customer and the bytes another.

use super::answer::{Ending, said, words};
use super::gate::{CallPlan, CallTarget};
use super::perform::{bound, chain};
use super::{Error, Turn};
use crate::values::Content;
use placet_adapters::{
    EvalError, Operation, PreviewRead as Asked, RenderInput, Sent, classify, target_of,
};
use placet_core::run::{Activity, Leaf, Preview};
use placet_model::draft::Mode;
use placet_model::event::preview::{PreviewRead, PreviewStep};
use placet_model::manifest::{Effect, Outcome};
use placet_model::request::PreparedRequest;
use placet_model::{AttemptId, Iteration, TaskPath, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// A decision is not asked later than this for what its card could show.
pub(crate) const WAIT_MS: i64 = 5_000;

/// The draft that a read is made for.
#[derive(Debug)]
pub(crate) struct Card {
    task: TaskPath,
    iteration: Iteration,
    operation: Arc<Operation>,
    with: Arc<Value>,
}

/// What came of a read.
struct Came {
    step: PreviewStep,
    shown: Value,
    status: u16,
}

impl Turn<'_> {
    /// Asks what the card of the draft that is to be made will show, and takes from the read what the
    /// draft is made from. False while the provider has time to answer.
    pub(super) fn asked_before(
        &mut self,
        leaf: &Leaf,
        target: &CallTarget,
        with: &mut Value,
    ) -> Result<bool, Error> {
        let asked = target.operation.preview_read().filter(|_| self.mode() == Mode::Live);
        let Some(asked) = asked else { return Ok(true) };
        self.out.used_world = true;
        let key = (leaf.task.clone(), leaf.iteration.clone());
        let Some(known) = self.out.run.previews.get(&key).cloned() else {
            return self.ask_before(leaf, (target, asked), with);
        };
        let until = known.begun_at.plus_millis(WAIT_MS);
        if !known.ended && self.now < until {
            self.wait_until(until);
            return Ok(false);
        }
        if !known.ended {
            let why = format!("there was no answer within {} seconds", WAIT_MS / 1000);
            let shown = Some(self.out.run.slot(1, 0));
            let read = (known.read, asked);
            let body = self.preview((leaf, target), read, PreviewStep::Unanswered)?;
            self.note(PreviewRead { shown, ..body }, words(Some(why)))?;
        }
        *with = (*self.value(known.with)?).clone();
        Ok(true)
    }

    /// Begins the read. True where it cannot be made: then nobody waits for it.
    fn ask_before(
        &mut self,
        leaf: &Leaf,
        (target, asked): (&CallTarget, &Asked),
        with: &Value,
    ) -> Result<bool, Error> {
        let read = self.env.mint.attempt(self.now);
        let with = Arc::new(with.clone());
        let draft = Content::of_value(Arc::clone(&with));
        let (look, input, request) = match self.rendered_before((target, asked), &with) {
            Ok(Some(rendered)) => rendered,
            Ok(None) => return Ok(true),
            Err(why) => return self.never_asked((leaf, target), (read, asked), (draft, &why)),
        };
        let named = (&*look.operation, look.integration.as_ref());
        let share = self.share(named, (&leaf.task, &leaf.iteration), Some(&input));
        if share.take(self.env).is_err() {
            let why = "the provider's budget is used up for now";
            return self.never_asked((leaf, target), (read, asked), (draft, why));
        }
        let bytes = request.to_bytes();
        let mut payloads = vec![];
        let body = PreviewRead {
            operation_digest: look.operation.digest(),
            with: Some(self.place(draft, &mut payloads)),
            request_digest: Some(placet_model::Digest::of(&bytes)),
            request: Some(self.place(Content::of_bytes(bytes), &mut payloads)),
            ..self.preview((leaf, target), (read, asked), PreviewStep::Begun)?
        };
        let card = Card {
            task: leaf.task.clone(),
            iteration: leaf.iteration.clone(),
            operation: Arc::clone(&target.operation),
            with,
        };
        let content = (Arc::new(request), Arc::new(input));
        let not_after = self.now.plus_millis(WAIT_MS);
        let plan = CallPlan::for_card(&body, (look, content), (card, not_after), self.against());
        self.note(body, payloads)?;
        self.out.calls.push(CallPlan { share, ..plan });
        self.wait_until(not_after);
        Ok(false)
    }

    /// The read, as any other read is made; none where the draft names nothing to ask after; or why it
    /// is not made.
    fn rendered_before(
        &self,
        (target, asked): (&CallTarget, &Asked),
        with: &Value,
    ) -> Result<Option<(CallTarget, Value, PreparedRequest)>, String> {
        let integration = target.integration.clone();
        let name = look_name(target, asked);
        let operation = self.env.adapters.operation(&name);
        let operation = operation.ok_or_else(|| format!("there is no operation {name}"))?;
        let nothing = Value::Null;
        let settings = integration.as_ref().map_or(&nothing, |integration| &integration.settings);
        let to = target_of(&target.operation, with);
        let input = match asked.input((with, settings), to.as_ref()) {
            Ok(input) => input,
            Err(EvalError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(chain(&error)),
        };
        if let Some(hold) = self.world.hold(self.mode(), integration.as_ref()) {
            return Err(hold.words().to_owned());
        }
        let given = RenderInput {
            settings,
            input: &input,
            send_id: "",
            draft_time: self.now,
            authentication: None,
        };
        let rendered = placet_adapters::render(operation, given).map_err(|error| chain(&error))?;
        if !self.env.may_read(operation, &rendered.request) {
            return Err(format!("{name} may not be read without an approval"));
        }
        let (operation, effect) = (Arc::clone(operation), Effect::Read);
        Ok(Some((CallTarget { operation, effect, integration }, input, rendered.request)))
    }

    /// What an answer says; nothing is recorded where nobody waits for it any more.
    pub(super) fn card_answered(
        &mut self,
        (plan, card): (&CallPlan, &Card),
        ending: &Ending,
    ) -> Result<(), Error> {
        let came = self.card_came((plan, card), ending);
        let key = (card.task.clone(), card.iteration.clone());
        let awaited =
            |known: &Preview| known.read == plan.attempt && !known.ended && self.drafts(&key);
        if !self.out.run.previews.get(&key).is_some_and(awaited) {
            return Ok(());
        }
        let revision = self.out.run.drafts.get(&key).map_or(1, |last| last + 1);
        let body = PreviewRead {
            read: plan.attempt,
            task: key.0,
            iteration: key.1,
            revision,
            step: came.step,
            operation: plan.target.operation.name().to_owned(),
            operation_digest: plan.target.operation.digest(),
            integration: bound(&plan.target)?,
            credential_version: plan.credential_version,
            with: None,
            request: None,
            request_digest: None,
            shown: Some(self.out.run.slot(1, 0)),
            status: came.status,
        };
        self.note(body, vec![Content::of_value(Arc::new(came.shown))])
    }

    fn card_came(&self, (plan, card): (&CallPlan, &Card), ending: &Ending) -> Came {
        let answer = match ending {
            Ending::Answer(answer) => answer,
            Ending::NotBegun => {
                self.give_back(&plan.share);
                return unanswered("the project has changed meanwhile");
            }
        };
        let nothing = Value::Null;
        let settings = plan.target.integration.as_ref().map_or(&nothing, |i| &i.settings);
        let own = Sent { input: &plan.with, settings, send_id: "" };
        let classified = classify(&plan.target.operation, answer, own, self.now);
        self.share_ended(plan, &classified, self.until(plan, &classified));
        let status = classified.status.unwrap_or(0);
        let fields = match answer {
            Ok(response) if classified.outcome == Outcome::Sent => {
                card.operation.looked_up(&card.with, response)
            }
            _ => {
                let said = said(answer, &classified);
                let why = said.unwrap_or_else(|| format!("the answer's status was {status}"));
                return Came { status, ..unanswered(&why) };
            }
        };
        if fields.as_array().is_none_or(Vec::is_empty) {
            return Came { status, ..unanswered("the answer names nothing of what is shown") };
        }
        Came { step: PreviewStep::Answered, shown: fields, status }
    }

    /// Whether the draft of this task is still to be made.
    fn drafts(&self, key: &(TaskPath, Iteration)) -> bool {
        self.out.run.branches().iter().any(|branch| match &branch.activity {
            Activity::Started(leaf) | Activity::Unsent(leaf, _) => {
                (&leaf.task, &leaf.iteration) == (&key.0, &key.1) && branch.fault.is_none()
            }
            _ => false,
        })
    }

    /// It was not asked, and people are asked without it.
    fn never_asked(
        &mut self,
        (leaf, target): (&Leaf, &CallTarget),
        read: (AttemptId, &Asked),
        (draft, why): (Content, &str),
    ) -> Result<bool, Error> {
        let mut payloads = words(Some(why.to_owned()));
        let shown = Some(self.out.run.slot(1, 0));
        let with = Some(self.place(draft, &mut payloads));
        let body = self.preview((leaf, target), read, PreviewStep::Unanswered)?;
        self.note(PreviewRead { with, shown, ..body }, payloads)?;
        Ok(true)
    }

    fn preview(
        &self,
        (leaf, target): (&Leaf, &CallTarget),
        (read, asked): (AttemptId, &Asked),
        step: PreviewStep,
    ) -> Result<PreviewRead, Error> {
        let key = (leaf.task.clone(), leaf.iteration.clone());
        let revision = self.out.run.drafts.get(&key).map_or(1, |last| last + 1);
        let operation = look_name(target, asked);
        let known = self.env.adapters.operation(&operation);
        Ok(PreviewRead {
            read,
            task: key.0,
            iteration: key.1,
            revision,
            step,
            operation_digest: known.unwrap_or(&target.operation).digest(),
            operation,
            integration: bound(target)?,
            credential_version: target.integration.as_ref().map_or(0, |i| i.credential_version),
            with: None,
            request: None,
            request_digest: None,
            shown: None,
            status: 0,
        })
    }

    fn wait_until(&mut self, until: Timestamp) {
        self.out.room_at = Some(self.out.room_at.map_or(until, |sooner| sooner.min(until)));
    }
}

fn look_name(target: &CallTarget, asked: &Asked) -> String {
    format!("{}.{}", target.operation.provider(), asked.operation())
}

fn unanswered(why: &str) -> Came {
    let shown = Value::String(super::fault::shortened(why, 512));
    Came { step: PreviewStep::Unanswered, shown, status: 0 }
}
