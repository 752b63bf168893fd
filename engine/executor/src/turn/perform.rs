//! What a leaf does when it has begun: arm a timer, start an ungated read, or put a draft into the
//! inbox. This is the one place where the gate is chosen (GATE.md §1).

use super::gate::{CallPlan, CallTarget};
use super::route::Aim;
use super::scope::Place;
use super::{Error, Outcome, Turn, or_fault};
use crate::values::Content;
use placet_adapters::{http_call, oauth, openapi, secrets};
use placet_core::Command;
use placet_core::run::Leaf;
use placet_model::approval::ApprovalMetadata;
use placet_model::draft::{BoundIntegration, DraftDocument, Mode, send_id};
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::decision::{DraftOrigin, DraftPrepared};
use placet_model::event::run::TimerKind;
use placet_model::fault::FaultKind;
use placet_model::integration::{Integration, WorkflowPlace};
use placet_model::manifest::{Effect, HTTP_OPERATION};
use placet_model::plan::{Authentication, Call, DurationSpec, OpenApiCall, Task, TaskKind};
use placet_model::request::PreparedRequest;
use placet_model::{Duration, Fault, Principal};
use serde_json::Value;
use std::sync::Arc;

/// An ungated read that cannot be carried out within this time is given up.
pub(super) const READ_MS_MAX: i64 = 10 * 60 * 1000;

/// A rendered call that is about to be proposed or begun.
struct Rendered {
    target: CallTarget,
    with: Arc<Value>,
    request: PreparedRequest,
    send_id: String,
    /// Whom or what it reaches, in the provider's words.
    reaches: Option<String>,
}

/// What of a call does not depend on its input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallShape<'p> {
    operation: &'p str,
    integration: Option<&'p str>,
    pub(super) authentication: Option<&'p Authentication>,
    pub(crate) approval: Option<&'p ApprovalMetadata>,
}

impl<'p> CallShape<'p> {
    /// The shape of a task that calls the outside.
    #[expect(clippy::wildcard_enum_match_arm, reason = "two kinds of task call the outside")]
    pub(crate) fn of(kind: &'p TaskKind) -> Option<Self> {
        match kind {
            TaskKind::Call(call) => Some((&**call).into()),
            TaskKind::OpenApi(call) => Some((&**call).into()),
            _ => None,
        }
    }
}

impl CallShape<'_> {
    /// What the task calls.
    pub(super) const fn operation(&self) -> &str {
        self.operation
    }
}

impl<'p> From<&'p Call> for CallShape<'p> {
    fn from(call: &'p Call) -> Self {
        Self {
            operation: &call.operation,
            integration: call.integration.as_deref(),
            authentication: call.authentication.as_ref(),
            approval: call.approval.as_ref(),
        }
    }
}

impl<'p> From<&'p OpenApiCall> for CallShape<'p> {
    fn from(call: &'p OpenApiCall) -> Self {
        Self {
            operation: HTTP_OPERATION,
            integration: None,
            authentication: call.authentication.as_ref(),
            approval: call.approval.as_ref(),
        }
    }
}

impl Turn<'_> {
    /// Performs a leaf. False when it must wait for a hold to be lifted.
    pub(super) fn perform_leaf(&mut self, task: &Task, leaf: Leaf) -> Result<bool, Error> {
        let outcome = match &task.kind {
            TaskKind::Wait(spec) => self.wait(spec, task, &leaf)?,
            TaskKind::Call(call) => self.call(call, task, &leaf)?,
            TaskKind::Run(run) => self.start_child(run, task, &leaf)?,
            TaskKind::OpenApi(call) => self.call_by_document(call, task, &leaf)?,
            TaskKind::Do(_)
            | TaskKind::Set(_)
            | TaskKind::Switch(_)
            | TaskKind::Try(_)
            | TaskKind::For(_)
            | TaskKind::Raise(_)
            | TaskKind::Fork(_)
            | TaskKind::Listen(_)
            | TaskKind::Emit(_)
            | TaskKind::Function(_) => return self.astray(&leaf.task),
        };
        match outcome {
            Ok(went_on) => Ok(went_on),
            Err(fault) => self.fault_task(&leaf.task, leaf.iteration, fault),
        }
    }

    fn wait(&mut self, spec: &DurationSpec, task: &Task, leaf: &Leaf) -> Outcome<bool> {
        let input = match spec {
            DurationSpec::Fixed(_) => Arc::default(),
            DurationSpec::Expression(_) => self.value(leaf.input)?,
        };
        let duration = or_fault!(self.duration(spec, task, &input));
        or_fault!(self.arm((task, &leaf.iteration), TimerKind::Wait, duration));
        Ok(Ok(true))
    }

    /// A duration that is written out, or given by an expression on a task's transformed input.
    pub(super) fn duration(
        &mut self,
        spec: &DurationSpec,
        task: &Task,
        input: &Arc<Value>,
    ) -> Outcome<Duration> {
        let expression = match spec {
            DurationSpec::Fixed(duration) => return Ok(Ok(*duration)),
            DurationSpec::Expression(expression) => expression,
        };
        let place = Place { task: Some(task), input: Some(Arc::clone(input)), ..Place::default() };
        let scope = self.scope(&expression.0, &place)?;
        let value = self.env.evaluator.expression(expression, input, &scope);
        match duration_of(&or_fault!(super::begin::evaluated(value))) {
            Ok(duration) => Ok(Ok(duration)),
            Err(words) => Ok(Err(Fault::new(FaultKind::Expression, words))),
        }
    }

    fn call(&mut self, call: &Call, task: &Task, leaf: &Leaf) -> Outcome<bool> {
        let input = self.value(leaf.input)?;
        let place = Place { task: Some(task), input: Some(Arc::clone(&input)), ..Place::default() };
        let with = or_fault!(self.template(&call.with, &input, &place));
        self.call_with(call.into(), (leaf, with), (&input, &place))
    }

    /// An operation of a document is the `call: http` that its parameters make of it.
    fn call_by_document(&mut self, call: &OpenApiCall, task: &Task, leaf: &Leaf) -> Outcome<bool> {
        let input = self.value(leaf.input)?;
        let place = Place { task: Some(task), input: Some(Arc::clone(&input)), ..Place::default() };
        let parameters = or_fault!(self.template(&call.parameters, &input, &place));
        match openapi::with(call, &parameters) {
            Ok(with) => self.call_with(call.into(), (leaf, with), (&input, &place)),
            Err(error) => Ok(Err(Fault::new(error.fault_kind(), chain(&error)))),
        }
    }

    fn call_with(
        &mut self,
        call: CallShape<'_>,
        (leaf, with): (&Leaf, Value),
        (input, place): (&Arc<Value>, &Place<'_>),
    ) -> Outcome<bool> {
        self.out.used_world = true;
        let aim = match self.aim(call, with) {
            Ok(aim) => aim,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut aim = aim;
        if aim.target.effect != Effect::Read
            && !self.asked_before(leaf, &aim.target, &mut aim.with)?
        {
            return Ok(Ok(false));
        }
        self.note_route(leaf, &aim)?;
        let Aim { mut target, with, .. } = aim;
        if target.effect == Effect::Read {
            if let Some(hold) = self.world.hold(self.mode(), target.integration.as_ref()) {
                self.out.held = Some(hold);
                return Ok(Ok(false));
            }
            let rendered = self.rendered(call, target.clone(), with.clone(), String::new());
            let rendered = or_fault!(Ok::<_, Error>(rendered));
            if self.env.may_read(&target.operation, &rendered.request) {
                return self.read(leaf, rendered).map(Ok);
            }
            target.effect = Effect::Write;
        }
        let summary = match call.approval.and_then(|meta| meta.summary.as_ref()) {
            Some(template) => Some(or_fault!(self.template(template, input, place))),
            None => None,
        };
        or_fault!(self.propose(call, leaf, (target, with), (DraftOrigin::Task, summary)));
        Ok(Ok(true))
    }

    /// The next revision of a draft that a person said was not sent: the same `with`, new bytes.
    pub(super) fn redraft(
        &mut self,
        task: &Task,
        leaf: Leaf,
        last: &DraftPrepared,
    ) -> Result<bool, Error> {
        let Some(call) = CallShape::of(&task.kind) else { return self.astray(&leaf.task) };
        let with = self.value(last.with)?;
        let summary = match last.summary {
            Some(reference) => Some((*self.value(reference)?).clone()),
            None => None,
        };
        self.out.used_world = true;
        let outcome = match self.target_again(call, (&with, last)) {
            Ok(mut target) => {
                // it was gated before, whatever its manifest calls it
                target.effect = last.effect;
                let mut with = (*with).clone();
                if !self.asked_before(&leaf, &target, &mut with)? {
                    return Ok(false);
                }
                self.propose(call, &leaf, (target, with), (DraftOrigin::Resend, summary))?
            }
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(()) => Ok(true),
            Err(fault) => self.fault_task(&leaf.task, leaf.iteration, fault),
        }
    }

    pub(super) fn mode(&self) -> Mode {
        self.out.run.facts().map_or(Mode::Sandbox, |facts| facts.started.mode)
    }

    /// Which operation, with what effect, as whom.
    pub(super) fn target(&self, call: CallShape<'_>, with: &Value) -> Result<CallTarget, Fault> {
        let configuration = |words: String| Fault::new(FaultKind::Configuration, words);
        let (name, effect) = if call.operation == HTTP_OPERATION {
            let gate = http_call::gate(with, &self.env.config.read_hosts)
                .map_err(|error| Fault::new(FaultKind::Validation, error.to_string()))?;
            (gate.operation, Some(gate.effect))
        } else {
            (call.operation, None)
        };
        let operation = self.env.adapters.operation(name);
        let operation =
            operation.ok_or_else(|| configuration(format!("there is no operation {name}")))?;
        let effect = effect.unwrap_or_else(|| operation.effect());
        if operation.is_http_call() {
            return Ok(CallTarget { operation: Arc::clone(operation), effect, integration: None });
        }
        let wanted = call.integration;
        let (place, requester) = self.stands();
        let integration = self
            .world
            .integration_for(operation.provider(), wanted, requester.as_ref())
            .ok_or_else(|| {
                let provider = operation.provider();
                configuration(match wanted {
                    Some(wanted) => format!("there is no integration {wanted} of {provider}"),
                    None => format!("there is no default integration of {provider}: connect one"),
                })
            })?;
        integration.used_in.allows(&place, requester.as_ref()).map_err(|why| {
            let words = format!("the integration {} may not be used here: {why}", integration.name);
            Fault::new(FaultKind::Authorization, words)
        })?;
        self.is_complete(integration)?;
        self.within_choice(integration, with)?;
        Ok(CallTarget {
            operation: Arc::clone(operation),
            effect,
            integration: Some(integration.clone()),
        })
    }

    /// Nothing goes through a connection of which a part is yet to be chosen.
    pub(super) fn is_complete(&self, integration: &Integration) -> Result<(), Fault> {
        let manifest = self.env.adapters.manifest(&integration.provider);
        let missing = manifest.and_then(|manifest| manifest.pending(integration).next());
        missing.map_or(Ok(()), |step| {
            let (name, title) = (&integration.name, step.title());
            let words = format!(
                "the integration {name} is not complete: choose {title} with `placet integrations complete {name}`"
            );
            Err(Fault::new(FaultKind::Configuration, words))
        })
    }

    /// A connection that is for one part of an account names no other part of it.
    fn within_choice(&self, integration: &Integration, with: &Value) -> Result<(), Fault> {
        let manifest = self.env.adapters.manifest(&integration.provider);
        let steps = manifest.map(|manifest| manifest.steps()).unwrap_or_default();
        let outside = steps.iter().find(|step| step.is_outside(&integration.settings, with));
        outside.map_or(Ok(()), |step| {
            let chosen = &integration.settings[step.setting()];
            let words = format!(
                "the integration {} is for {} {chosen} alone",
                integration.name,
                step.setting()
            );
            Err(Fault::new(FaultKind::Authorization, words))
        })
    }

    /// Where the run's workflow stands, and on whose behalf it runs.
    pub(super) fn stands(&self) -> (WorkflowPlace, Option<Principal>) {
        let place = self.out.plan.as_ref().and_then(|plan| plan.place.clone());
        let requester = self.out.run.facts().map(|facts| facts.started.requester.clone());
        (place.unwrap_or_default(), requester)
    }

    fn rendered(
        &self,
        call: CallShape<'_>,
        target: CallTarget,
        with: Value,
        send_id: String,
    ) -> Result<Rendered, Fault> {
        let nothing = Value::Null;
        let given = placet_adapters::RenderInput {
            settings: target.integration.as_ref().map_or(&nothing, |i| &i.settings),
            input: &with,
            send_id: &send_id,
            draft_time: self.now,
            authentication: call.authentication,
        };
        let rendered = placet_adapters::render(&target.operation, given)
            .map_err(|error| Fault::new(error.fault_kind(), chain(&error)))?;
        self.check_secrets(call, &rendered.request)?;
        let reaches = rendered.target.as_ref().map(|target| target.text().to_owned());
        Ok(Rendered { target, with: Arc::new(with), request: rendered.request, send_id, reaches })
    }

    /// A secret goes to the hosts that the operator has bound it to, and tokens are asked for at
    /// hosts that the operator has listed (GATE.md §1, §8). In the sandbox nothing is filled in, so
    /// there a secret need not exist.
    fn check_secrets(&self, call: CallShape<'_>, request: &PreparedRequest) -> Result<(), Fault> {
        let config = &self.env.config;
        match secrets::check(request, &config.secrets) {
            Ok(()) => {}
            Err(secrets::Denied::Unknown { .. }) if self.mode() == Mode::Sandbox => {}
            Err(denied) => return Err(Fault::new(FaultKind::Authorization, denied.to_string())),
        }
        let Some(authentication) = call.authentication else { return Ok(()) };
        let mut hosts = config.read_hosts.clone();
        hosts.extend(config.egress_allow.iter().cloned());
        oauth::listed(authentication, &hosts)
            .map_err(|error| Fault::new(FaultKind::Configuration, chain(&error)))
    }

    /// Begins an ungated read. False when its provider's budget is used up.
    fn read(&mut self, leaf: &Leaf, rendered: Rendered) -> Result<bool, Error> {
        let Rendered { target, with, request, .. } = rendered;
        let named = (&*target.operation, target.integration.as_ref());
        let share = self.share(named, (&leaf.task, &leaf.iteration), Some(&with));
        if let Some(hold) = self.take_share(&share) {
            self.out.held = Some(hold);
            return Ok(false);
        }
        let bytes = request.to_bytes();
        let request_digest = placet_model::Digest::of(&bytes);
        let mut payloads = vec![];
        let with_place = self.place(Content::of_value(Arc::clone(&with)), &mut payloads);
        let request_place = self.place(Content::of_bytes(bytes), &mut payloads);
        let started = AttemptStarted {
            attempt: self.env.mint.attempt(self.now),
            try_number: 1,
            task: leaf.task.clone(),
            iteration: leaf.iteration.clone(),
            decision: None,
            digest: None,
            send_id: String::new(),
            operation: target.operation.name().to_owned(),
            operation_digest: target.operation.digest(),
            effect: target.effect,
            mode: self.mode(),
            integration: bound(&target)?,
            credential_version: target.integration.as_ref().map_or(0, |i| i.credential_version),
            with: with_place,
            request: request_place,
            request_digest,
            not_after: self.now.plus_millis(READ_MS_MAX),
            uptime: None,
        };
        let content = (Arc::new(request), with);
        let plan = CallPlan::new(&started, target, content, self.against(), share);
        self.command(Command::Read(Box::new(started)), payloads)?;
        self.out.calls.push(plan);
        Ok(true)
    }

    /// Puts a draft into the inbox.
    pub(super) fn propose(
        &mut self,
        call: CallShape<'_>,
        leaf: &Leaf,
        (target, with): (CallTarget, Value),
        (origin, summary): (DraftOrigin, Option<Value>),
    ) -> Outcome<()> {
        let key = (leaf.task.clone(), leaf.iteration.clone());
        let revision = self.out.run.drafts.get(&key).map_or(1, |last| last + 1);
        let id = send_id(&self.env.install_id, &self.out.run.action(leaf), revision);
        let rendered = or_fault!(Ok::<_, Error>(self.rendered(call, target, with, id)));
        let Rendered { target, with, request, send_id, reaches } = rendered;
        self.out.subjects.extend(reaches.map(|reaches| placet_model::subject::normalise(&reaches)));
        self.out.subjects.extend(self.recipients(target.operation.name(), &with, &request));
        let action = (target.operation.name(), target.effect);
        let content = Some((&*with, &request));
        let resolved = self.resolved(action, target.integration.as_ref(), (call, content))?;
        if !resolved.refused_by.is_empty() {
            let words = format!("the policy refuses it: {}", resolved.refused_by.join(", "));
            return Ok(Err(Fault::new(FaultKind::Authorization, words)));
        }
        let given = self.in_advance(action, target.integration.as_ref(), (call, content))?;
        let bytes = request.to_bytes();
        let mut draft = DraftPrepared {
            task: leaf.task.clone(),
            iteration: leaf.iteration.clone(),
            revision,
            origin,
            send_id,
            operation: target.operation.name().to_owned(),
            operation_digest: target.operation.digest(),
            effect: target.effect,
            integration: bound(&target)?,
            with: self.out.run.slot(1, 0),
            request: self.out.run.slot(1, 1),
            request_digest: placet_model::Digest::of(&bytes),
            requirement: resolved.requirement,
            nonce: self.env.mint.nonce(),
            document: self.out.run.slot(1, 2),
            digest: placet_model::Digest::of(&[]),
            summary: summary.is_some().then(|| self.out.run.slot(1, 3)),
            notes: resolved.notes,
        };
        let document: Option<DraftDocument> =
            self.out.run.document(&self.env.config.project, &draft);
        let Some(document) = document else { return self.astray(&leaf.task).map(|_| Ok(())) };
        draft.digest = document.digest();
        let mut payloads = vec![
            Content::of_value(with),
            Content::of_bytes(bytes),
            Content::of_bytes(document.to_bytes()),
        ];
        payloads.extend(summary.map(|summary| Content::of_value(Arc::new(summary))));
        let decision = self.env.mint.decision(self.now);
        let (valid_for, now) = (draft.requirement.valid_for, self.now);
        if now.checked_add(valid_for).is_none() {
            let words = "the time to decide is beyond the calendar";
            return Ok(Err(Fault::new(FaultKind::Validation, words)));
        }
        let id = draft.send_id.clone();
        self.command(Command::Propose { draft: Box::new(draft), decision }, payloads)?;
        self.stand(decision, (&id, given))?;
        Ok(Ok(()))
    }
}

/// What an approval binds of an integration.
pub(super) fn bound(target: &CallTarget) -> Result<Option<BoundIntegration>, Error> {
    let Some(integration) = &target.integration else { return Ok(None) };
    Ok(Some(BoundIntegration {
        id: integration.id,
        settings_digest: integration.settings_digest()?,
        identity: integration.identity.clone(),
    }))
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// A duration that an expression gave: ISO 8601 text, or an object of units.
fn duration_of(value: &Value) -> Result<Duration, String> {
    placet_language::duration::from_value(value).map_err(|error| chain(&error))
}
