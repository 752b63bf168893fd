//! Sentences about the project: integrations, policy, deployments, the engine, the log itself.

use super::words::{Teller, brief, moment};
use placet_model::PayloadRef;
use placet_model::event::child::{ScheduleFired, ScheduleMatched, Trigger};
use placet_model::event::governance::{
    CheckpointCosigned, CheckpointSigned, EngineStarted, EpochStarted, OperationRegistered,
    OutboundPaused, OutboundResumed, PayloadErased, PolicyChanged, VaultRotated, WorkflowDeployed,
};
use placet_model::event::hook::{
    OwnCallEnded, OwnCallOutcome, OwnCallPurpose, OwnCallStarted, PairingChanged, PairingStep,
    SubscriptionChanged, SubscriptionStep, SyncCompleted, SyncKind,
};
use placet_model::event::inbound::{ENVELOPE, InboundReceived, InboundRejected, Refusals};
use placet_model::event::integration::{
    CredentialStored, CredentialUsed, HealthCheckFailed, IntegrationConnected,
    IntegrationDisconnected, IntegrationScoped, IntegrationTested, ResponseDrifted,
};
use placet_model::event::people::{
    KeyRegistered, KeyRevoked, PasskeyConfirmed, PasskeyEnrolled, PasskeyRevoked, RequestSigned,
};
use placet_model::event::trigger::{TriggerOrigin, TriggerRemoved, TriggerSet};
use placet_model::event::wait::{EventReceived, EventsDelivered};
use placet_model::integration::{Identity, UseScope};

fn account(identity: &Identity) -> String {
    format!("{} of {}", identity.id, identity.tenant)
}

pub(super) fn connected(teller: &Teller<'_>, body: &IntegrationConnected) -> String {
    format!(
        "{} connected {} as the integration {} ({}), acting as {}{}",
        teller.who(),
        body.provider,
        body.name,
        body.integration,
        account(&body.identity),
        if body.is_default { "; it is the provider's default" } else { "" },
    )
}

pub(super) fn credential_stored(teller: &Teller<'_>, body: &CredentialStored) -> String {
    let (who, version, id) = (teller.who(), body.version, body.integration);
    format!(
        "{who} put version {version} of the credential of {id} into the vault ({})",
        body.fields.join(", ")
    )
}

pub(super) fn credential_used(teller: &Teller<'_>, body: &CredentialUsed) -> String {
    let (who, version, id) = (teller.who(), body.version, body.integration);
    format!("{who} used version {version} of the credential of {id} for {}", body.operation)
}

pub(super) fn tested(body: &IntegrationTested) -> String {
    format!("the provider says that {} acts as {}", body.integration, account(&body.identity))
}

pub(super) fn failed(body: &HealthCheckFailed) -> String {
    format!(
        "the integration {} does not work ({}): its sends are held",
        body.integration, body.code
    )
}

pub(super) fn disconnected(teller: &Teller<'_>, body: &IntegrationDisconnected) -> String {
    let who = teller.who();
    format!("{who} disconnected {}: approvals that are bound to it are void", body.integration)
}

pub(super) fn scoped(teller: &Teller<'_>, body: &IntegrationScoped) -> String {
    let (who, id) = (teller.who(), body.integration);
    format!("{who} set where {id} may be used: {}", UseScope::from(body))
}

pub(super) fn drifted(body: &ResponseDrifted) -> String {
    let places: Vec<String> =
        body.places.iter().map(|place| format!("{} ({})", place.at, place.kind)).collect();
    format!(
        "an answer to {} did not match its response schema: {}",
        body.operation,
        places.join(", ")
    )
}

pub(super) fn subscription_changed(teller: &Teller<'_>, body: &SubscriptionChanged) -> String {
    let (who, id) = (teller.who(), body.integration);
    let what = match body.resource.as_str() {
        "" => format!("the webhook of {id}"),
        resource => format!("the webhook of {id} for {resource}"),
    };
    let word = body.code.as_deref().unwrap_or("no word for it");
    match body.step {
        SubscriptionStep::Begun => format!("{who} is about to ask the provider for {what}"),
        SubscriptionStep::Made => {
            format!("{what} stands at the provider and posts to {}", body.url)
        }
        SubscriptionStep::Refused => format!("the provider refused {what} ({word})"),
        SubscriptionStep::Unclear => {
            format!("whether {what} stands at the provider is not known ({word}): it is looked for")
        }
        SubscriptionStep::Removing => format!("{who} is about to have {what} removed"),
        SubscriptionStep::Removed => format!("{what} stands at the provider no more"),
    }
}

pub(super) fn own_call_started(teller: &Teller<'_>, body: &OwnCallStarted) -> String {
    let OwnCallStarted { integration, operation, credential_version, method, url, .. } = body;
    let what = match body.purpose {
        OwnCallPurpose::Subscribe => "to post here",
        OwnCallPurpose::Renew => "to go on posting here",
        OwnCallPurpose::Unsubscribe => "to post here no more",
        OwnCallPurpose::Find => "to say what posts here",
        OwnCallPurpose::Revoke => "to take back a credential, or what ends with it",
    };
    format!(
        "{} is about to ask the provider of {integration} {what}: {operation}, {method} {url}, on exactly \
         the request {}, with version {credential_version} of the credential",
        teller.who(),
        brief(body.request_digest),
    )
}

pub(super) fn own_call_ended(body: &OwnCallEnded) -> String {
    let what = match body.outcome {
        OwnCallOutcome::Done => "the provider has done it",
        OwnCallOutcome::Refused => "the provider has not done it",
        OwnCallOutcome::Unsent => "nothing of it left",
        OwnCallOutcome::Unclear => "what came of it is not known",
    };
    let status = body.status.map(|status| format!("status {status}"));
    let why: Vec<String> = status.into_iter().chain(body.code.clone()).collect();
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
    format!(
        "the call {} of ours to the provider of {} has ended: {what}{why}",
        body.call, body.integration
    )
}

pub(super) fn synced(body: &SyncCompleted) -> String {
    let SyncCompleted { integration, seen, taken, .. } = body;
    match body.kind {
        SyncKind::Baseline => format!("{integration} is read from here on"),
        SyncKind::Changes => format!("{integration} was read: {taken} of {seen} messages are new"),
        SyncKind::Full => {
            format!("{integration} was read as a whole: {taken} of {seen} messages are new")
        }
    }
}

pub(super) fn pairing(teller: &Teller<'_>, body: &PairingChanged) -> String {
    let (who, id) = (teller.who(), body.integration);
    match (body.step, &body.to) {
        (PairingStep::Offered, _) => {
            format!("{who} was given a code that pairs {id} with whoever sends it")
        }
        (PairingStep::Paired, Some(to)) => {
            format!("{id} was paired with {to}, from where the code was sent")
        }
        (PairingStep::Paired, None) => format!("{id} was paired with whoever sent the code"),
    }
}

pub(super) fn trigger_set(teller: &Teller<'_>, body: &TriggerSet) -> String {
    let TriggerSet { name, event, enabled, .. } = body;
    let who = match body.origin {
        TriggerOrigin::Seeded => format!("with the connection {name} it came that"),
        TriggerOrigin::Written => format!("{} said that", teller.who()),
    };
    let what = if *enabled { "starts what listens for it" } else { "starts no run" };
    format!("{who} the event {event} of {name} {what}")
}

pub(super) fn trigger_removed(teller: &Teller<'_>, body: &TriggerRemoved) -> String {
    let TriggerRemoved { name, event, .. } = body;
    format!("{} removed the trigger {event} of {name}: it starts no run any more", teller.who())
}

pub(super) fn policy_changed(teller: &Teller<'_>, body: &PolicyChanged) -> String {
    format!("{} put the policy {} into force", teller.who(), brief(body.digest))
}

pub(super) fn paused(teller: &Teller<'_>, body: &OutboundPaused) -> String {
    match body.integration {
        None => format!("{} paused everything outbound", teller.who()),
        Some(id) => format!("{} paused what goes through {id}", teller.who()),
    }
}

pub(super) fn resumed(teller: &Teller<'_>, body: &OutboundResumed) -> String {
    match body.integration {
        None => format!("{} let everything outbound go on", teller.who()),
        Some(id) => format!("{} let what goes through {id} go on", teller.who()),
    }
}

pub(super) fn deployed(teller: &Teller<'_>, body: &WorkflowDeployed) -> String {
    let (plan, source) = (brief(body.plan_digest), brief(body.source_digest));
    format!("{} deployed {}: the plan is {plan}, its source {source}", teller.who(), body.workflow)
}

pub(super) fn operation_registered(body: &OperationRegistered) -> String {
    format!("the operation {} is known as {}", body.operation, brief(body.digest))
}

pub(super) fn engine_started(body: &EngineStarted) -> String {
    let (version, mode) = (&body.version, body.mode);
    format!(
        "an engine started (Placet {version}, {mode} mode, configuration {})",
        brief(body.config_digest)
    )
}

pub(super) fn vault_rotated(teller: &Teller<'_>, body: &VaultRotated) -> String {
    let VaultRotated { key, from, moved, stuck, asked_by } = body;
    let asked = match (teller.event.actor.principal(), asked_by) {
        (actor, Some(by)) if actor != Some(by) => format!(", as {by} had asked"),
        (None, None) => ", asked for under no name".to_owned(),
        _ => String::new(),
    };
    let from = if from.is_empty() { "no other".to_owned() } else { from.join(", ") };
    let left = match stuck {
        0 => String::new(),
        _ => format!("; {stuck} opened with no key within reach and stay as they were"),
    };
    format!(
        "{} sealed the vault by the new master key {key} instead of {from}{asked}: {moved} records were \
         sealed anew{left}",
        teller.who()
    )
}

pub(super) fn event_received(teller: &Teller<'_>, body: &EventReceived) -> String {
    let to = body.to.map(|run| format!(" for the run {run} alone")).unwrap_or_default();
    let gone = teller.unless_readable("the event itself is", body.envelope);
    format!("{} sent an event of the type {}{to}{gone}", teller.who(), body.kind)
}

pub(super) fn inbound_received(teller: &Teller<'_>, body: &InboundReceived) -> String {
    let own = PayloadRef::new(teller.event.revision, ENVELOPE);
    let gone = teller.unless_readable("the event itself is", own);
    let (integration, kind, version) = (body.integration, &body.kind, body.credential_version);
    format!(
        "the provider of {integration} sent an event of the type {kind}, proven by version \
         {version} of the credential{gone}"
    )
}

pub(super) fn inbound_rejected(body: &InboundRejected) -> String {
    let counted = |one: &Refusals| format!("{} {}", one.count, one.reason.word());
    let counts: Vec<String> = body.refused.iter().map(counted).collect();
    let (since, integration) = (moment(body.since), body.integration);
    format!("since {since} what was posted for {integration} was not taken: {}", counts.join(", "))
}

pub(super) fn events_delivered(body: &EventsDelivered) -> String {
    format!("everybody who waits has been told of the events up to position {}", body.up_to)
}

pub(super) fn schedule_fired(body: &ScheduleFired) -> String {
    let why = match body.trigger {
        Trigger::Every => "its interval",
        Trigger::Cron => "the calendar",
        Trigger::After => "the end of the run before",
        Trigger::On => "events",
    };
    let missed = match body.skipped {
        0 => String::new(),
        skipped => format!("; {skipped} before it were missed"),
    };
    format!(
        "the schedule ordered the run {} by {why}, due at {}{missed}",
        body.run,
        moment(body.due_at)
    )
}

pub(super) fn schedule_matched(body: &ScheduleMatched) -> String {
    format!("the schedule took the event at position {}, and needs more of them", body.arrival)
}

pub(super) fn checkpoint_signed(body: &CheckpointSigned) -> String {
    format!("the first {} events of the log were signed, root {}", body.size, brief(body.root))
}

pub(super) fn checkpoint_cosigned(body: &CheckpointCosigned) -> String {
    let (witness, size, root) = (&body.witness, body.size, brief(body.root));
    format!("the witness {witness} cosigned the first {size} events of the log, root {root}")
}

pub(super) fn erased(teller: &Teller<'_>, body: &PayloadErased) -> String {
    let what = match (body.run, body.arrival) {
        (Some(run), _) => format!("the content of the run {run}"),
        (None, Some(event)) => format!("the content of the event {event}"),
        (None, None) => "content".to_owned(),
    };
    let whose = body.subject.map(|subject| format!(" on account of the person {}", brief(subject)));
    let (who, count, reason) = (teller.who(), body.payloads, teller.because(body.reason));
    format!("{who} erased {what}{} ({count} payloads){reason}", whose.unwrap_or_default())
}

pub(super) fn epoch_started(teller: &Teller<'_>, body: &EpochStarted) -> String {
    let lost = match body.lost_to {
        None => String::new(),
        Some(to) => format!("; the events from {} to {to} are given up", body.size + 1),
    };
    format!(
        "{} had the project go on from restored or copied data as epoch {}, {} events with the root {}{lost}: \
         what was open or unspent is void",
        teller.who(),
        body.epoch,
        body.size,
        brief(body.root),
    )
}

pub(super) fn key_registered(teller: &Teller<'_>, body: &KeyRegistered) -> String {
    format!("{} registered the key {} as that of {}", teller.who(), body.key, body.principal)
}

pub(super) fn key_revoked(teller: &Teller<'_>, body: &KeyRevoked) -> String {
    format!("{} revoked the key {} of {}", teller.who(), body.key, body.principal)
}

pub(super) fn passkey_enrolled(body: &PasskeyEnrolled) -> String {
    let PasskeyEnrolled { principal, passkey, rp_id, .. } = body;
    format!("{principal} enrolled the passkey {passkey} for {rp_id}, which waits for an admin")
}

pub(super) fn passkey_confirmed(teller: &Teller<'_>, body: &PasskeyConfirmed) -> String {
    format!("{} confirmed the passkey {} as that of {}", teller.who(), body.passkey, body.principal)
}

pub(super) fn passkey_revoked(teller: &Teller<'_>, body: &PasskeyRevoked) -> String {
    format!("{} revoked the passkey {} of {}", teller.who(), body.passkey, body.principal)
}

pub(super) fn request_signed(body: &RequestSigned) -> String {
    format!("{} asked for {}, signed", body.user, body.word)
}
