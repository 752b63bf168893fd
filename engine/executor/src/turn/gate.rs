//! The claim, and what people do to a request or an attempt.

use super::budget::Share;
use super::perform::CallShape;
use super::preview::Card;
use super::{Error, Turn};
use crate::pages::PagesRead;
use crate::uptime::Stopwatch;
use crate::values::Content;
use placet_adapters::{Answer, CallIntegration, Finding, Operation, Sent};
use placet_core::claim::{Circumstances, Claim, Hold};
use placet_core::decide::{ResolveCommand, VoteCommand};
use placet_core::run::{Activity, Ask, Attempt, Branch};
use placet_core::{Command, Run};
use placet_model::decision::Resolution;
use placet_model::draft::{BoundIntegration, DraftDocument, Mode};
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::lookup::LookupStarted;
use placet_model::event::preview::PreviewRead;
use placet_model::fault::FaultKind;
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::manifest::Effect;
use placet_model::plan::Task;
use placet_model::request::PreparedRequest;
use placet_model::signed::Salt;
use placet_model::{Actor, AttemptId, DecisionId, Digest, Event, Fault, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// Which operation, with what effect, as whom.
#[derive(Debug, Clone)]
pub(crate) struct CallTarget {
    pub(crate) operation: Arc<Operation>,
    pub(crate) effect: Effect,
    pub(crate) integration: Option<Integration>,
}

/// What a claim waits for: what the credential of this connection needs for this operation.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) integration: CallIntegration,
    pub(crate) operation: Arc<Operation>,
}

/// A call that is to be made once its `AttemptStarted` is committed: exactly these bytes.
#[derive(Debug, Clone)]
pub(crate) struct CallPlan {
    pub(crate) attempt: AttemptId,
    pub(crate) try_number: u32,
    pub(crate) target: CallTarget,
    pub(crate) request: Arc<PreparedRequest>,
    pub(crate) with: Arc<Value>,
    pub(crate) send_id: String,
    pub(crate) mode: Mode,
    pub(crate) gated: bool,
    pub(crate) credential_version: u32,
    /// The approval, or the read, ends here.
    pub(crate) not_after: Timestamp,
    /// When its beginning was recorded.
    pub(crate) begun_at: Timestamp,
    /// The project against which the claim was weighed.
    pub(crate) world_version: u64,
    /// Since it was weighed.
    pub(crate) weighed: Stopwatch,
    /// What it asks after, when it is the look-up of an attempt in doubt: then the attempt is that one,
    /// and the try the number of the look-up.
    pub(crate) sought: Option<Arc<Sought>>,
    /// The draft whose card is to show what it answers, when it is such a read: nobody waits for it long.
    pub(crate) card: Option<Arc<Card>>,
    /// What it has taken of its provider's budgets.
    pub(crate) share: Share,
    /// How far it has read, once it has, where the read has pages.
    pub(crate) pages: Option<PagesRead>,
}

/// A send that is looked up. The run may have let go of it when the answer comes.
#[derive(Debug)]
pub(crate) struct Sought {
    pub(super) operation: Arc<Operation>,
    pub(super) with: Arc<Value>,
    pub(super) settings: Value,
    /// Its last try, and when that was recorded.
    pub(super) started: AttemptStarted,
    pub(super) started_at: Timestamp,
    /// When the first try was recorded.
    pub(super) first_started_at: Timestamp,
}

impl Sought {
    /// What an answer of its look-up says; none where the operation names none.
    pub(crate) fn finding(
        &self,
        look_up: &Operation,
        answer: &Answer,
        now: Timestamp,
    ) -> Option<Finding> {
        let reconcile = self.operation.delivery().reconcile()?;
        let sent =
            Sent { input: &self.with, settings: &self.settings, send_id: &self.started.send_id };
        Some(reconcile.read_since(look_up, answer, (sent, self.first_started_at), now))
    }
}

impl CallPlan {
    pub(super) fn new(
        started: &AttemptStarted,
        target: CallTarget,
        (request, with): (Arc<PreparedRequest>, Arc<Value>),
        (world_version, weighed): (u64, Stopwatch),
        share: Share,
    ) -> Self {
        Self {
            attempt: started.attempt,
            try_number: started.try_number,
            target,
            request,
            with,
            send_id: started.send_id.clone(),
            mode: started.mode,
            gated: started.decision.is_some(),
            credential_version: started.credential_version,
            not_after: started.not_after,
            begun_at: Timestamp::EPOCH,
            world_version,
            weighed,
            sought: None,
            card: None,
            share,
            pages: None,
        }
    }

    /// The look-up of an attempt in doubt.
    pub(super) fn looking(
        started: &LookupStarted,
        (target, (request, with)): (CallTarget, (Arc<PreparedRequest>, Arc<Value>)),
        (sought, now): (Sought, Timestamp),
        (world_version, weighed): (u64, Stopwatch),
        share: Share,
    ) -> Self {
        Self {
            attempt: started.attempt,
            try_number: started.number,
            target,
            request,
            with,
            send_id: String::new(),
            mode: started.mode,
            gated: false,
            credential_version: started.credential_version,
            not_after: now.plus_millis(super::perform::READ_MS_MAX),
            begun_at: Timestamp::EPOCH,
            world_version,
            weighed,
            sought: Some(Arc::new(sought)),
            card: None,
            share,
            pages: None,
        }
    }

    /// The read for the card of a draft.
    pub(super) fn for_card(
        body: &PreviewRead,
        (target, (request, with)): (CallTarget, (Arc<PreparedRequest>, Arc<Value>)),
        (card, not_after): (Card, Timestamp),
        (world_version, weighed): (u64, Stopwatch),
    ) -> Self {
        Self {
            attempt: body.read,
            try_number: 1,
            target,
            request,
            with,
            send_id: String::new(),
            mode: Mode::Live,
            gated: false,
            credential_version: body.credential_version,
            not_after,
            begun_at: Timestamp::EPOCH,
            world_version,
            weighed,
            sought: None,
            card: Some(Arc::new(card)),
            share: Share::default(),
            pages: None,
        }
    }

    /// The connection as the transport knows it.
    pub(crate) fn integration(&self) -> Option<CallIntegration> {
        self.target.integration.as_ref().map(|integration| CallIntegration {
            id: integration.id,
            name: integration.name.clone(),
            credential_version: self.credential_version,
        })
    }
}

impl Turn<'_> {
    /// Claims the unspent approval: goes, waits, asks again, or is void. True when something was
    /// recorded.
    pub(super) fn claim(&mut self, task: &Task, decision: DecisionId) -> Result<bool, Error> {
        let unspent = self.out.run.unsettled(decision).map(|(_, ask)| ask.clone());
        let Some(ask) = unspent else { return Ok(false) };
        let fresh = (decision, self.env.mint.attempt(self.now));
        self.weigh(task, &ask, |run, circumstances| {
            Ok(placet_core::decide::claim(run, fresh, circumstances)?)
        })
    }

    /// What was stored of the draft, where the policy looks at more than the call itself.
    fn stored(&mut self, ask: &Ask) -> Result<Option<(Arc<Value>, PreparedRequest)>, Error> {
        if !crate::signals::are_needed(&self.world.policy) {
            return Ok(None);
        }
        let with = self.value(ask.draft.with)?;
        let request = PreparedRequest::from_bytes(self.bytes(ask.draft.request)?.bytes());
        // what is stored and cannot be read is unknown to every rule, and no call comes of it
        Ok(request.ok().map(|request| (with, request)))
    }

    /// Sets the approved document and the stored bytes against the world as it is, and lets the
    /// law say what follows. The one place in which the executor looks at an approval.
    fn weigh(
        &mut self,
        task: &Task,
        ask: &Ask,
        law: impl FnOnce(&Run, &Circumstances<'_>) -> Result<Claim, Error>,
    ) -> Result<bool, Error> {
        let Some(call) = CallShape::of(&task.kind) else { return self.astray(&task.path) };
        let approved = self.approved(ask)?;
        let request_digest = Digest::of(self.bytes(ask.draft.request)?.bytes());
        let operation = self.env.operation(&ask.draft.operation, ask.draft.operation_digest);
        let operation_digest = operation.as_ref().map(|operation| operation.digest());
        let bound = ask.draft.integration.as_ref().map(|bound| bound.id);
        let provider = ask.draft.operation.split('.').next().unwrap_or_default();
        let integration = bound.and_then(|id| self.world.integrations.get(&id));
        let (place, requester) = self.stands();
        // out of scope, or no more complete, by now is gone for this approval
        let may = |now: &&Integration| {
            now.used_in.allows(&place, requester.as_ref()).is_ok() && self.is_complete(now).is_ok()
        };
        let integration = integration.filter(|now| now.provider == provider).filter(may).cloned();
        let settings_digest = integration.as_ref().map(Integration::settings_digest).transpose()?;
        let action = (ask.draft.operation.as_str(), ask.draft.effect);
        let content = self.stored(ask)?;
        let content = content.as_ref().map(|(with, request)| (&**with, request));
        let resolved = self.resolved(action, integration.as_ref(), (call, content))?;
        let share = self.share_of(
            (operation.as_deref(), integration.as_ref()),
            (&ask.draft.task, &ask.draft.iteration),
            ask.draft.with,
        )?;
        let hold = self.world.hold(self.mode(), integration.as_ref());
        let hold = hold.or_else(|| self.wants(operation.as_ref(), integration.as_ref()));
        let hold = hold.or_else(|| self.take_share(&share));
        let circumstances = Circumstances {
            now: self.now,
            uptime: self.uptime,
            project: &self.env.config.project,
            policy: &self.world.policy,
            requirement: resolved.requirement,
            forbidden: !resolved.refused_by.is_empty() || self.is_blocked(call),
            rerouted: self.is_rerouted(call, ask),
            integration: integration.as_ref(),
            settings_digest,
            approved: &approved,
            request_digest,
            operation_digest: operation_digest.unwrap_or_else(|| Digest::of(b"gone")),
            hold,
        };
        self.out.used_world = true;
        let claim = law(&self.out.run, &circumstances)?;
        let begins = |event: &Event| matches!(event, Event::AttemptStarted(_));
        if !matches!(&claim, Claim::Decided(events) if events.iter().any(begins)) {
            self.give_back(&share);
        }
        match claim {
            Claim::Nothing => Ok(false),
            Claim::Hold(hold) => {
                self.out.held = Some(hold);
                Ok(false)
            }
            Claim::Decided(events) => {
                self.claimed(events, (ask, operation, integration), &share)?;
                Ok(true)
            }
        }
    }

    /// A token that must be renewed is renewed before the claim: then nothing of the attempt exists
    /// that could be in doubt.
    fn wants(
        &mut self,
        operation: Option<&Arc<Operation>>,
        integration: Option<&Integration>,
    ) -> Option<Hold> {
        let live = self.env.live.as_ref().filter(|_| self.mode() == Mode::Live)?;
        let (operation, now) = (Arc::clone(operation?), integration?);
        let integration = CallIntegration {
            id: now.id,
            name: now.name.clone(),
            credential_version: now.credential_version,
        };
        if live.is_ready(&integration, &operation) {
            return None;
        }
        self.out.wanted = Some(Wanted { integration, operation });
        Some(Hold::TokenRenewed)
    }

    /// Whether the policy blocks the name under which it was asked for.
    fn is_blocked(&self, call: CallShape<'_>) -> bool {
        call.via().is_some_and(|name| self.world.policy.blocked.contains(name))
    }

    /// The document that was approved, as stored.
    fn approved(&mut self, ask: &Ask) -> Result<DraftDocument, Error> {
        let reference = ask.draft.document;
        let content = self.bytes(reference)?;
        let document = serde_json::from_slice(content.bytes());
        Ok(document.map_err(|source| crate::values::Error::NotJson { reference, source })?)
    }

    fn claimed(
        &mut self,
        events: Vec<Event>,
        (ask, operation, integration): (&Ask, Option<Arc<Operation>>, Option<Integration>),
        share: &Share,
    ) -> Result<(), Error> {
        for event in events {
            if let (Event::AttemptStarted(started), Some(operation)) = (&event, &operation) {
                let operation = Arc::clone(operation);
                let target = CallTarget {
                    operation,
                    effect: ask.draft.effect,
                    integration: integration.clone(),
                };
                self.plan_call(started, target, share.clone())?;
            }
            self.note(event, vec![])?;
        }
        Ok(())
    }

    /// Makes ready the stored bytes of a try.
    fn plan_call(
        &mut self,
        started: &AttemptStarted,
        target: CallTarget,
        share: Share,
    ) -> Result<(), Error> {
        let content = self.bytes(started.request)?;
        let request = PreparedRequest::from_bytes(content.bytes()).map_err(|error| {
            let source = serde::de::Error::custom(error.to_string());
            crate::values::Error::NotJson { reference: started.request, source }
        })?;
        let with = self.value(started.with)?;
        let content = (Arc::new(request), with);
        let plan = CallPlan::new(started, target, content, self.against(), share);
        self.out.calls.push(plan);
        Ok(())
    }

    /// A try that was put off is due.
    pub(super) fn retry(&mut self, attempt: AttemptId) -> Result<(), Error> {
        let Some(last) = self.attempt_of(attempt) else { return Ok(()) };
        if !matches!(self.here().activity, Activity::Deferred(_, _, until) if until <= self.now) {
            return Ok(());
        }
        let Some(ask) = &last.ask else { return self.read_again(&last) };
        let (path, decision) = (last.started.task.clone(), ask.decision);
        let plan = self.out.plan.clone();
        match plan.as_ref().and_then(|plan| plan.task(&path)) {
            Some(task) => self.claim(task, decision).map(|_| ()),
            None => self.astray(&path).map(|_| ()),
        }
    }

    /// The attempt of a task that is still there; its branch is worked on from now on.
    fn attempt_of(&mut self, attempt: AttemptId) -> Option<Attempt> {
        let mine = |(_, known): &(&Branch, &Attempt)| known.started.attempt == attempt;
        let (branch, known) = self.out.run.attempts().find(mine)?;
        let (key, known) = (branch.key.clone(), known.clone());
        self.branch = key;
        Some(known)
    }

    /// An attempt is in doubt: where the provider deduplicates on our key, the same bytes go again
    /// while the key is young, and where a look-up has proved that it does not have them; everything
    /// else is looked up, or waits for a person.
    pub(super) fn reconcile(&mut self, attempt: Option<AttemptId>) -> Result<(), Error> {
        let in_doubt = self.out.run.attempts().filter_map(|(branch, known)| {
            let id = known.started.attempt;
            let meant = attempt.is_none_or(|attempt| attempt == id);
            (meant && matches!(branch.activity, Activity::InDoubt(..))).then_some(id)
        });
        for id in in_doubt.collect::<Vec<_>>() {
            if let Some(last) = self.attempt_of(id) {
                self.reconcile_one(&last)?;
            }
        }
        Ok(())
    }

    fn reconcile_one(&mut self, last: &Attempt) -> Result<(), Error> {
        let started = &last.started;
        let operation = self.env.operation(&started.operation, started.operation_digest);
        let Some(operation) = operation else { return Ok(()) };
        // what was sent between the copy and its restore, nobody knows: only a person may say
        let may_go =
            !self.is_restored(last) && (self.may_resend(&operation, last) || self.is_absent(last));
        let (Some(ask), true) = (&last.ask, may_go) else {
            return Ok(());
        };
        let (plan, id) = (self.out.plan.clone(), started.attempt);
        match plan.as_ref().and_then(|plan| plan.task(&started.task)) {
            Some(task) => {
                let law = |run: &Run, now: &Circumstances<'_>| {
                    Ok(placet_core::claim::again(run, id, now))
                };
                let (went, held) = (self.weigh(task, ask, law)?, self.out.held.is_some());
                // the law says no, now and later: what is left is to look
                if went || held { Ok(()) } else { self.plan_lookup(last) }
            }
            None => Ok(()),
        }
    }

    /// The next try of an ungated read.
    fn read_again(&mut self, last: &Attempt) -> Result<(), Error> {
        let started = &last.started;
        self.out.used_world = true;
        let integration = match &started.integration {
            None => None,
            Some(bound) => match self.still_connected(bound)? {
                Some(integration) => Some(integration),
                None => return self.cannot_read_again(started, "its integration has changed"),
            },
        };
        if let Some(hold) = self.world.hold(self.mode(), integration.as_ref()) {
            self.out.held = Some(hold);
            return Ok(());
        }
        let operation = self.env.operation(&started.operation, started.operation_digest);
        let Some(operation) = operation else {
            return self.cannot_read_again(started, "its operation is not known any more");
        };
        let named = (Some(&*operation), integration.as_ref());
        let share = self.share_of(named, (&started.task, &started.iteration), started.with)?;
        if let Some(hold) = self.take_share(&share) {
            self.out.held = Some(hold);
            return Ok(());
        }
        self.command(Command::Resend { attempt: started.attempt }, vec![])?;
        let next = self.out.run.attempt(started.attempt).map(|attempt| attempt.started.clone());
        let Some(next) = next else { return Ok(()) };
        let target = CallTarget { operation, effect: started.effect, integration };
        self.plan_call(&next, target, share)
    }

    /// The connection, if it is still the account that the bytes were made for.
    pub(super) fn still_connected(
        &self,
        bound: &BoundIntegration,
    ) -> Result<Option<Integration>, Error> {
        let Some(now) = self.world.integrations.get(&bound.id) else { return Ok(None) };
        let same = now.status != IntegrationStatus::Disconnected
            && now.identity == bound.identity
            && now.settings_digest()? == bound.settings_digest;
        Ok(same.then(|| now.clone()))
    }

    fn cannot_read_again(&mut self, started: &AttemptStarted, why: &str) -> Result<(), Error> {
        let fault =
            Fault::new(FaultKind::Configuration, format!("the read was put off, and {why}"));
        let (task, iteration) = (started.task.clone(), started.iteration.clone());
        self.fault_task(&task, iteration, fault).map(|_| ())
    }

    /// The reason is content of the vote; where it was signed, its bare text goes along under the
    /// signer's salt, so that leaf and signature commit to the same.
    pub(super) fn vote(&mut self, vote: VoteCommand, salt: Option<Salt>) -> Result<(), Error> {
        self.out.used_world = true;
        let payloads = super::edit::words(vote.ballot.reason.as_deref(), salt);
        let actor = Actor::Principal(vote.voter.principal.clone());
        self.command_by(Command::Vote(Box::new(vote)), payloads, &actor)
    }

    /// What is said of an attempt in doubt, with its reason, and then what it settles; a step that was
    /// sent has no answer to give.
    pub(super) fn resolve(
        &mut self,
        said: ResolveCommand,
        salt: Option<Salt>,
    ) -> Result<(), Error> {
        self.out.used_world = true;
        let mut words = super::edit::words(said.reason.as_deref(), salt);
        let actor = Actor::Principal(said.by.principal.clone());
        let output = (said.resolution == Resolution::Sent).then(|| self.out.run.slot(2, 0));
        let command = Command::Resolve { said: Box::new(said), output };
        for event in placet_core::decide(&self.out.run, command, self.context())? {
            let payloads = match &event {
                Event::AttemptReconciled(body) if body.output.is_some() => {
                    vec![Content::of_value(Arc::new(Value::Null))]
                }
                _ => std::mem::take(&mut words),
            };
            self.record(event, payloads, actor.clone())?;
        }
        Ok(())
    }
}
