//! The card (GATE.md §6): made by the engine from the stored bytes and nothing else. Two different
//! payloads never give equal cards, because the whole request and its digest stand on it.

use super::changes::since_last;
use super::inspect::{remarks, visible};
use super::{Error, Handle, electorate};
use crate::erasure::{ERASED, unless_erased};
use crate::world::World;
use placet_adapters::{CallIntegration, RenderInput, Rendered, preview};
use placet_core::claim::Hold;
use placet_log::ReadView;
use placet_model::approval::Requirement;
use placet_model::decision::DecisionState;
use placet_model::draft::Mode;
use placet_model::integration::{Identity, Integration};
use placet_model::manifest::Effect;
use placet_model::request::PreparedRequest;
use placet_model::{Event, IntegrationId, PayloadRef, Revision, StreamId, Timestamp};
use placet_projections::DecisionRow;
use serde_json::{Value, json};

/// What the bytes say, in the provider's own words where its manifest gives them.
struct Content {
    /// None once it was erased.
    request: Option<PreparedRequest>,
    title: String,
    target: Option<String>,
    fields: Vec<Value>,
    warnings: Vec<String>,
    /// What it moves, where it moves money.
    money: Option<Value>,
}

impl Handle {
    /// One line of a list.
    pub(super) fn item(
        &self,
        view: &ReadView,
        world: &World,
        row: &DecisionRow,
    ) -> Result<Value, Error> {
        let content = self.content(view, world, row)?;
        let for_room = self.budget_wait(row);
        Ok(json!({
            "id": row.decision,
            "run": row.run,
            "workflow": row.workflow.to_string(),
            "task": row.task.as_str(),
            "iteration": row.iteration.to_string(),
            "operation": row.operation,
            "effect": row.effect,
            "shape": row.shape,
            "integration": integration_name(world, row.integration),
            "mode": row.mode,
            "target": content.target,
            "summary": visible(&content.title),
            "money": content.money,
            "requested_at": row.requested_at,
            "expires_at": row.expires_at,
            "revision": row.draft_revision,
            "digest": row.digest,
            "state": state_word(row),
            "votes": row.votes.len(),
            "needed": approvals(&row.requirement),
            "missing": missing((world, self.now()), row),
            "hold": self.hold(world, row).map(str::to_owned).or(for_room),
            "edited": row.editor.is_some(),
            "assigned": row.assigned,
            "out_of_reach": out_of_reach((world, self.now()), row),
        }))
    }

    /// The whole card.
    pub(super) fn card(
        &self,
        view: &ReadView,
        world: &World,
        row: &DecisionRow,
    ) -> Result<Value, Error> {
        let mut content = self.content(view, world, row)?;
        let summary = match row.summary {
            Some(reference) => json_payload(view, row, reference)?,
            None => Value::Null,
        };
        let integration = row.integration.and_then(|id| world.integrations.get(&id));
        let document = json_payload(view, row, row.document)?;
        let mut identity = identity(&document, integration);
        if let Some(shown) = identity.as_mut() {
            shown["mode"] = json!(self.credential_mode_of(row, shown));
        }
        if let Some(now) = identity.as_ref().and_then(|shown| shown["acts_now_as"]["id"].as_str()) {
            let words = format!("the connection acts as {now} by now: an approval will be void");
            content.warnings.push(words);
        }
        if let Some(before) = self.edited_before(view, row)? {
            content.warnings.push(format!("an approver has replaced this very draft before ({before}): the same is asked for again"));
        }
        let restored = restored(view, world, row)?;
        if let Some(words) = restored.as_ref().and_then(|restored| restored["words"].as_str()) {
            content.warnings.insert(0, words.to_owned());
        }
        let mut card = self.item(view, world, row)?;
        let says = if row.workflow.namespace == crate::actions::NAMESPACE {
            "agent_says_unverified"
        } else {
            "author_says_unverified"
        };
        let more = json!({
            "effect": row.effect,
            "routed": routed(view, row)?,
            "reversibility": self.reversibility(row),
            "identity": identity,
            "requester": row.requester,
            "request": content.request.as_ref().map_or_else(|| json!(ERASED), PreparedRequest::to_view),
            "request_digest": content.request.as_ref().map(PreparedRequest::digest),
            "fields": content.fields,
            "warnings": content.warnings,
            "looked_up": self.looked_up(view, row)?,
            "remarks": content.request.as_ref().map(remarks).unwrap_or_default(),
            "document": document,
            "policy": policy_words((world, self.now()), row),
            "on_no": "rejecting, or silence until the request expires, sends nothing; the workflow goes on with an error it may catch",
            "votes": votes(view, row)?,
            "changes": since_last(view, row)?,
            "editor": row.editor,
            "history": history(view, row)?,
            "restored": restored,
            (says): summary,
            "in_doubt": super::doubt::doubt(view, row)?,
            "void": row.void.map(|(reason, field)| json!({"reason": reason, "field": field})),
        });
        if let (Value::Object(card), Value::Object(more)) = (&mut card, more) {
            card.extend(more);
        }
        Ok(card)
    }

    /// Why an approved request has not gone yet.
    fn hold(&self, world: &World, row: &DecisionRow) -> Option<&'static str> {
        if row.state != DecisionState::Approved {
            return None;
        }
        let integration = row.integration.and_then(|id| world.integrations.get(&id));
        let operation = self.env.adapters.operation(&row.operation);
        let renewed = || {
            let live = self.env.live.as_ref().filter(|_| row.mode == Mode::Live)?;
            let ready = live.is_ready(&as_called(integration?), operation?);
            (!ready).then_some(Hold::TokenRenewed)
        };
        world.hold(row.mode, integration).or_else(renewed).map(Hold::words)
    }

    /// Reads the stored bytes. Title, target and fields are believed only when rendering the stored
    /// `with` anew gives the very same bytes; else the card shows the bytes alone.
    fn content(&self, view: &ReadView, world: &World, row: &DecisionRow) -> Result<Content, Error> {
        let bytes = unless_erased(view.payload(&StreamId::Run(row.run), row.request))?;
        let Some(bytes) = bytes else { return Ok(Content::erased()) };
        let request = PreparedRequest::from_bytes(bytes.as_bytes())
            .map_err(|error| Error::Refused { code: "PL1003", detail: error.to_string() })?;
        let plain = Content {
            title: format!("{} {}", request.method, request.url),
            target: None,
            fields: vec![],
            warnings: vec![],
            money: None,
            request: Some(request),
        };
        let Some(operation) = self.env.adapters.operation(&row.operation) else { return Ok(plain) };
        let with = json_payload(view, row, row.with)?;
        let integration = row.integration.and_then(|id| world.integrations.get(&id));
        let nothing = Value::Null;
        let settings = integration.map_or(&nothing, |i| &i.settings);
        let document = json_payload(view, row, row.document)?;
        let given = RenderInput {
            settings,
            input: &with,
            send_id: document["send_id"].as_str().unwrap_or_default(),
            draft_time: row.requested_at,
            authentication: None,
        };
        let Ok(rendered) = placet_adapters::render(operation, given) else { return Ok(plain) };
        if Some(&rendered.request) != plain.request.as_ref() {
            return Ok(plain);
        }
        let bound = &document["integration"]["identity"];
        let bound = serde_json::from_value::<Identity>(bound.clone()).ok();
        let mode = bound.as_ref().and_then(|bound| operation.mode_of(bound));
        let preview = preview(operation, (&with, settings), mode, &rendered);
        Ok(described(plain, &rendered, preview))
    }
}

impl Handle {
    /// The mode of the credential that the approval binds, where its provider has more than one.
    fn credential_mode_of(&self, row: &DecisionRow, shown: &Value) -> Option<String> {
        let operation = self.adapters().operation(&row.operation)?;
        let word = |key: &str| shown[key].as_str().unwrap_or_default().to_owned();
        let bound = Identity { id: word("id"), tenant: word("tenant") };
        operation.mode_of(&bound).map(str::to_owned)
    }

    /// What it does to the world, and the operation that takes it back, where there is one.
    fn reversibility(&self, row: &DecisionRow) -> String {
        let words = effect_words(row.effect);
        let operation = self.adapters().operation(&row.operation);
        match operation.map(|operation| operation.reversibility()) {
            Some(found) if found.by().is_some() => format!("{words}; {found}"),
            Some(_) | None => words.to_owned(),
        }
    }
}

impl Content {
    fn erased() -> Self {
        let title = ERASED.to_owned();
        let (fields, warnings) = (vec![], vec![]);
        Self { request: None, title, target: None, fields, warnings, money: None }
    }
}

/// How many approvals the largest threshold asks for.
pub(super) fn approvals(requirement: &Requirement) -> u16 {
    let thresholds = requirement.thresholds.iter();
    thresholds.map(|threshold| threshold.approve.max(1)).max().unwrap_or(1)
}

/// What is asked for, or what is still missing after a policy has asked for more; nothing once it is decided.
fn missing((world, now): (&World, Timestamp), row: &DecisionRow) -> Vec<String> {
    match row.state {
        DecisionState::Requested if row.missing.is_empty() => {
            electorate(world, row, now).tally(&[]).missing
        }
        DecisionState::Requested => row.missing.clone(),
        _ => vec![],
    }
}

/// What nobody but the requester could ever give, while it is open.
fn out_of_reach((world, now): (&World, Timestamp), row: &DecisionRow) -> Vec<String> {
    let open = row.state == DecisionState::Requested;
    if open { electorate(world, row, now).out_of_reach() } else { vec![] }
}

/// The connection as a transport knows it.
fn as_called(now: &Integration) -> CallIntegration {
    let (id, name) = (now.id, now.name.clone());
    CallIntegration { id, name, credential_version: now.credential_version }
}

pub(super) fn integration_name(world: &World, id: Option<IntegrationId>) -> Option<String> {
    id.and_then(|id| world.integrations.get(&id)).map(|i| i.name.clone())
}

fn described(plain: Content, rendered: &Rendered, preview: placet_adapters::Preview) -> Content {
    Content {
        title: preview.title,
        target: rendered.target.as_ref().map(|target| target.text().to_owned()),
        fields: preview
            .fields
            .into_iter()
            .map(|f| json!({"name": f.name, "value": f.value}))
            .collect(),
        warnings: preview.warnings,
        money: preview.money.map(|money| money.to_view()),
        ..plain
    }
}

/// Where an item stands, the doubt of its attempt included.
pub(super) fn state_word(row: &DecisionRow) -> &'static str {
    if row.in_doubt.is_some() { "in_doubt" } else { row.state.word() }
}

const fn effect_words(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "changes nothing",
        Effect::Write => "changes a record elsewhere",
        Effect::Send => "reaches a person: cannot be unsent",
        Effect::Destructive => "deletes, refunds or revokes: cannot be undone",
    }
}

/// Whose account the approval binds, from the document that is voted on. Where the connection acts
/// as somebody else by now, the card says so: such an approval will be void.
fn identity(document: &Value, integration: Option<&Integration>) -> Option<Value> {
    let bound = document.get("integration").filter(|bound| bound.is_object())?;
    let mut shown = json!({
        "id": bound["identity"]["id"],
        "tenant": bound["identity"]["tenant"],
        "status": "disconnected",
    });
    if let Some(now) = integration {
        shown["integration"] = json!(now.name);
        shown["label"] = json!(visible(&now.label));
        shown["status"] = json!(now.status);
        if shown["id"] != now.identity.id.as_str()
            || shown["tenant"] != now.identity.tenant.as_str()
        {
            shown["acts_now_as"] = json!({"id": now.identity.id, "tenant": now.identity.tenant});
        }
    }
    Some(shown)
}

/// Of a run that had begun when the data were copied: what it has asked and sent between then and
/// the restore is not in this log, so whoever decides must look at the provider first.
fn restored(view: &ReadView, world: &World, row: &DecisionRow) -> Result<Option<Value>, Error> {
    let Some(epoch) = world.epoch else { return Ok(None) };
    let stream = StreamId::Run(row.run);
    let (mut began, mut copied_at, mut earlier) = (None, None, vec![]);
    for event in view.stream(&stream, Revision::START) {
        let event = event?;
        began = began.or(Some(event.position));
        if event.position.get() <= epoch.size {
            copied_at = Some(event.recorded_at);
        }
        if let Event::DraftPrepared(body) = &event.event
            && (&body.task, &body.iteration) == (&row.task, &row.iteration)
            && body.revision < row.draft_revision
        {
            earlier.push(body.send_id.clone());
        }
    }
    if began.is_none_or(|began| began.get() > epoch.size) {
        return Ok(None);
    }
    Ok(Some(json!({
        "epoch": epoch.number,
        "at": epoch.at,
        "last_known_at": copied_at,
        "earlier_send_ids": earlier,
        "words": "the project was restored from a copy: this may have been sent already, after the copy was made; look at the provider before you approve",
    })))
}

pub(super) fn json_payload(
    view: &ReadView,
    row: &DecisionRow,
    reference: PayloadRef,
) -> Result<Value, Error> {
    let payload = unless_erased(view.payload(&StreamId::Run(row.run), reference))?;
    let Some(payload) = payload else { return Ok(json!(ERASED)) };
    serde_json::from_slice(payload.as_bytes()).map_err(|error| Error::Refused {
        code: "PL1003",
        detail: format!("the payload {reference} of {} is no JSON: {error}", row.run),
    })
}

/// The requirement in words.
fn policy_words((world, now): (&World, Timestamp), row: &DecisionRow) -> Value {
    let electorate = electorate(world, row, now);
    let needed = electorate.tally(&[]).missing;
    json!({
        "rules": row.requirement.rules,
        "needed": needed,
        "valid_for": row.requirement.valid_for.to_string(),
        "reason_required": row.requirement.reason_required,
        "self_approval": row.requirement.self_approval,
        "assurance": row.requirement.assurance,
        "escalations": row.requirement.thresholds.iter().filter_map(|threshold| {
            let more = threshold.escalate.as_ref()?;
            Some(json!({"from": threshold.from, "after": more.after.to_string(), "to": more.to}))
        }).collect::<Vec<_>>(),
        "notes": row.notes,
        "standing": row.standing.as_ref().map(|used| json!({
            "name": used.standing, "digest": used.digest, "voters": used.voters, "count": used.count,
        })),
        "delegated": row.delegated.iter().map(|(voter, instead_of)| {
            json!({"voter": voter, "instead_of": instead_of})
        }).collect::<Vec<_>>(),
        "out_of_reach": electorate.out_of_reach(),
    })
}

fn votes(view: &ReadView, row: &DecisionRow) -> Result<Vec<Value>, Error> {
    let mut votes = vec![];
    for event in view.stream(&StreamId::Run(row.run), Revision::START) {
        let event = event?;
        let Event::VoteCast(cast) = &event.event else { continue };
        if cast.decision != row.decision {
            continue;
        }
        let reason = match cast.reason {
            Some(reference) => json_payload(view, row, reference)?,
            None => Value::Null,
        };
        votes.push(json!({
            "voter": cast.voter,
            "verdict": cast.verdict,
            "at": event.recorded_at,
            "assurance": cast.assurance,
            "digest": cast.digest,
            "reason": reason.as_str().map(visible),
        }));
    }
    Ok(votes)
}

/// How the step asked for it, where that was by a channel: the call by which it came to this one.
fn routed(view: &ReadView, row: &DecisionRow) -> Result<Value, Error> {
    let mut routed = Value::Null;
    for event in view.stream(&StreamId::Run(row.run), Revision::START) {
        if let Event::SendRouted(body) = event?.event
            && (&body.task, &body.iteration) == (&row.task, &row.iteration)
        {
            routed = json!({"operation": body.operation, "channel": body.channel, "to": body.to});
        }
    }
    Ok(routed)
}

/// What has happened to the action so far, a line per event.
fn history(view: &ReadView, row: &DecisionRow) -> Result<Vec<Value>, Error> {
    let mut lines = vec![];
    for event in view.stream(&StreamId::Run(row.run), Revision::START) {
        let event = event?;
        let about = match &event.event {
            Event::DraftPrepared(body) => body.task == row.task && body.iteration == row.iteration,
            Event::DecisionRequested(body) => body.decision == row.decision,
            Event::VoteCast(body) => body.decision == row.decision,
            Event::DecisionSettled(body) => body.decision == row.decision,
            Event::DraftEdited(body) => body.task == row.task && body.iteration == row.iteration,
            Event::DecisionReassigned(body) => body.decision == row.decision,
            Event::RequirementRaised(body) => body.decision == row.decision,
            Event::DecisionVoided(body) => body.decision == row.decision,
            Event::StandingUsed(body) => body.decision == row.decision,
            Event::VoteDelegated(body) => body.decision == row.decision,
            Event::ResolutionCast(body) => body.decision == row.decision,
            Event::ApproversReminded(body) => body.decision == row.decision,
            Event::AttemptStarted(body) => body.decision == Some(row.decision),
            Event::AttemptSucceeded(body) => Some(body.attempt) == row.attempt,
            Event::AttemptRefused(body) => Some(body.attempt) == row.attempt,
            Event::AttemptDeferred(body) => Some(body.attempt) == row.attempt,
            Event::AttemptInDoubt(body) => Some(body.attempt) == row.attempt,
            Event::AttemptReconciled(body) => Some(body.attempt) == row.attempt,
            _ => false,
        };
        if about {
            lines.push(json!({
                "position": event.position,
                "at": event.recorded_at,
                "type": event.event.type_name(),
                "actor": event.actor.to_string(),
            }));
        }
    }
    Ok(lines)
}
