//! What may happen to the project beside its runs: every event of integrations and of governance.

use super::Dice;
use crate::make::*;
use crate::support::at;
use placet_model::decision::Assurance;
use placet_model::draft::Mode;
use placet_model::event::child::ScheduleMatched;
use placet_model::event::governance::{
    BreakGlassReviewed, CheckpointCosigned, CheckpointSigned, EngineStarted, EpochStarted,
    OperationRegistered, OutboundPaused, OutboundResumed, PayloadErased, PolicyChanged, Review,
    StandingEndorsed, VaultRotated, WorkflowDeployed,
};
use placet_model::event::hook::{
    OwnCallEnded, OwnCallOutcome, OwnCallPurpose, OwnCallStarted, PairingChanged, PairingStep,
    SubscriptionChanged, SubscriptionStep, SyncCompleted, SyncKind,
};
use placet_model::event::inbound::{InboundRejected, Refusals, Refused};
use placet_model::event::integration::{
    CredentialStored, CredentialUsed, DriftedPlace, HealthCheckFailed, IntegrationConnected,
    IntegrationDisabled, IntegrationDisconnected, IntegrationEnabled, IntegrationScoped,
    IntegrationTested, ResponseDrifted,
};
use placet_model::event::notice::{
    AlarmKind, ApproverAlarmRaised, NoticeAbout, NoticeFailed, NoticeFailure, NoticeQueued,
    NoticeSent,
};
use placet_model::event::people::{
    KeyRegistered, KeyRevoked, PasskeyConfirmed, PasskeyEnrolled, PasskeyRevoked, RequestSigned,
};
use placet_model::event::trigger::{TriggerOrigin, TriggerRemoved, TriggerSet};
use placet_model::event::wait::Taken;
use placet_model::integration::{Identity, Visibility};
use placet_model::nkey::UserKey;
use placet_model::passkey::{Algorithm, PasskeyId};
use placet_model::{Event, EventId, IntegrationId, PayloadRef, Position, RunId, StreamId};

impl Dice {
    /// An event of the project in the stream where such events stand; `runs` have begun.
    pub(crate) fn governs(&mut self, runs: &[RunId]) -> (StreamId, Event) {
        match self.below(9) {
            0..=2 => {
                let id = integration(1 + self.below(3) as u128);
                (StreamId::Integration(id), self.of_integration(id))
            }
            3 => (StreamId::Policy, {
                let principal = who(self.pick(&["ana", "ben"]));
                let key = UserKey::from_ed25519([self.pick(&[1, 2, 3]); 32]);
                match self.below(6) {
                    5 => self.of_passkeys(principal),
                    0 => {
                        let digest = digest(&format!("policy {}", self.below(5)));
                        PolicyChanged { digest, policy: content(1) }.into()
                    }
                    1 => KeyRegistered { principal, key }.into(),
                    2 => {
                        let (standing, assurance) = ("status".to_owned(), Assurance::Session);
                        let digest = digest(&standing);
                        StandingEndorsed { standing, digest, by: principal, assurance }.into()
                    }
                    3 => {
                        let (decision, review) = (decision(1), self.pick(Review::ALL));
                        let reason = None;
                        BreakGlassReviewed { decision, reviewer: principal, review, reason }.into()
                    }
                    _ => KeyRevoked { principal, key }.into(),
                }
            }),
            4 => self.deployment(),
            5 => (StreamId::Checkpoints, self.checkpoint()),
            6 => (StreamId::Notices, self.of_people()),
            _ => (StreamId::Project, self.of_project(runs)),
        }
    }

    fn of_passkeys(&mut self, principal: placet_model::Principal) -> Event {
        let public_key = self.pick(&["BA", "BB", "BC"]).to_owned();
        let passkey = PasskeyId::of(Algorithm::Es256, &public_key);
        match self.below(3) {
            0 => PasskeyEnrolled {
                principal,
                passkey,
                credential: "AQ".into(),
                algorithm: Algorithm::Es256,
                public_key,
                rp_id: "localhost".into(),
            }
            .into(),
            1 => PasskeyConfirmed { principal, passkey }.into(),
            _ => PasskeyRevoked { principal, passkey }.into(),
        }
    }

    fn of_integration(&mut self, integration: IntegrationId) -> Event {
        let identity = Identity { id: format!("U{}", self.below(3)), tenant: "T1".into() };
        match self.below(15) {
            0..=2 => IntegrationConnected {
                integration,
                name: format!("slack-{}", self.below(2)),
                provider: "slack".into(),
                settings: "{}".into(),
                identity,
                label: "Sales".into(),
                is_default: self.one_in(2),
            }
            .into(),
            3 => {
                let (version, fields) = (1 + u32::from(self.one_in(2)), vec!["token".into()]);
                CredentialStored { integration, version, lineage: "l".into(), fields }.into()
            }
            4 => CredentialUsed { integration, version: 1, operation: "auth.test".into() }.into(),
            5 => {
                let label = "Sales team".into();
                IntegrationTested { integration, identity, label, scopes: vec![] }.into()
            }
            // no die of its own: every later story would be another
            6 if identity.id == "U1" => drifted(integration),
            6 => HealthCheckFailed { integration, code: "invalid_auth".into() }.into(),
            7 => IntegrationDisabled { integration }.into(),
            8 => IntegrationEnabled { integration }.into(),
            9 => {
                let refused = vec![Refusals { reason: Refused::Stale, count: 7 }];
                InboundRejected {
                    integration,
                    credential_version: 1,
                    since: placet_model::Timestamp::EPOCH,
                    refused,
                }
                .into()
            }
            10 => IntegrationScoped {
                integration,
                workstream: Some("sales".into()),
                space: None,
                visibility: Some(self.pick(Visibility::ALL)),
                agents: vec![],
            }
            .into(),
            11..=13 => self.of_hooks(integration),
            _ => IntegrationDisconnected { integration }.into(),
        }
    }

    fn of_hooks(&mut self, integration: IntegrationId) -> Event {
        match self.below(3) {
            0 => {
                let step = self.pick(SubscriptionStep::ALL);
                // no die of its own: every later story would be another
                own_call(integration).unwrap_or_else(|| {
                    SubscriptionChanged {
                        integration,
                        resource: String::new(),
                        step,
                        url: "https://placet.example/hooks/x".into(),
                        remote: None,
                        expires_at: None,
                        code: None,
                    }
                    .into()
                })
            }
            1 => SyncCompleted {
                integration,
                kind: self.pick(SyncKind::ALL),
                from: None,
                position: "7".into(),
                seen: 2,
                taken: 1,
            }
            .into(),
            _ => PairingChanged {
                integration,
                step: self.pick(PairingStep::ALL),
                code: digest("code"),
                expires_at: placet_model::Timestamp::EPOCH,
                uptime: None,
                to: Some("7".into()),
            }
            .into(),
        }
    }

    fn deployment(&mut self) -> (StreamId, Event) {
        let version = format!("1.0.{}", self.below(3));
        let plan_digest = digest(&version);
        match self.below(3) {
            0 => {
                let name = ["slack", "gmail"][self.below(2)];
                let (operation, document) = (format!("{name}.send"), content(1));
                let digest = digest(&operation);
                let registered = OperationRegistered { operation, digest, document };
                (StreamId::Adapter(name.into()), registered.into())
            }
            1 => {
                let matched = ScheduleMatched {
                    plan_digest,
                    arrival: Position::new(1),
                    taken: self.pick(Taken::ALL),
                    filter: 0,
                    value: content(1),
                    expected: None,
                };
                (StreamId::Workflow("sales/b".into()), matched.into())
            }
            _ => {
                let mut workflow = workflow("b");
                workflow.version = version;
                let deployed = WorkflowDeployed {
                    workflow,
                    plan_digest,
                    plan: content(1),
                    source_digest: digest("source"),
                    source: PayloadRef::new(content(1).revision, 1),
                };
                (StreamId::Workflow("sales/b".into()), deployed.into())
            }
        }
    }

    fn checkpoint(&mut self) -> Event {
        let (size, root) = (1 + self.below(90) as u64, digest("root"));
        if self.one_in(2) {
            return CheckpointSigned { size, root, note: "sales\n".into() }.into();
        }
        CheckpointCosigned { size, root, witness: "w".into(), line: "\u{2014} w x".into() }.into()
    }

    /// What people were told, in whatever order; and alarms.
    fn of_people(&mut self) -> Event {
        let (to, channel) = (who(self.pick(&["ana", "ben"])), self.pick(&["slack", "mail"]));
        let channel = channel.to_owned();
        let mode = self.pick(Mode::ALL);
        // ids of events are counted, so some of these are those of notices
        let notice = EventId::from_bytes((self.below(400) as u128).to_be_bytes());
        match self.below(4) {
            0 => NoticeQueued {
                to,
                channel,
                operation: "slack.chat.postMessage".into(),
                integration: None,
                credential_version: 0,
                mode,
                about: vec![(self.pick(NoticeAbout::ALL), 1)],
                up_to: Position::new(self.below(90) as u64),
                resume_after: Position::new(self.below(90) as u64),
                request_digest: digest("request"),
            }
            .into(),
            1 => {
                let would_have_sent = mode == Mode::Sandbox;
                NoticeSent { notice, to, channel, try_number: 1, would_have_sent }.into()
            }
            2 => {
                let (failure, cause) = (self.pick(NoticeFailure::ALL), "connect".to_owned());
                let retry_at = self.one_in(2).then_some(at(9));
                NoticeFailed { notice, to, channel, try_number: 1, failure, cause, retry_at }.into()
            }
            _ => {
                let alarm = self.pick(AlarmKind::ALL);
                let (since, until, approver) = (at(1), at(2), to);
                ApproverAlarmRaised {
                    approver,
                    alarm,
                    since,
                    until,
                    decisions: 9,
                    quick: 8,
                    bound: 5,
                }
                .into()
            }
        }
    }

    fn of_project(&mut self, runs: &[RunId]) -> Event {
        let which = self.one_in(2).then(|| integration(1 + self.below(3) as u128));
        match self.below(6) {
            5 => RequestSigned {
                user: who("ana"),
                word: "integrations.enable".into(),
                document: format!(r#"{{"nonce":"{:032x}"}}"#, self.id()),
                signature: "c2lnbmF0dXJl".into(),
            }
            .into(),
            0 => OutboundPaused { integration: which }.into(),
            // no die of its own: every later story would be another
            1 if which == Some(integration(1)) => TriggerSet {
                integration: integration(1),
                name: "slack-0".into(),
                event: "slack.message".into(),
                origin: TriggerOrigin::Seeded,
                enabled: true,
            }
            .into(),
            1 if which == Some(integration(2)) => TriggerRemoved {
                integration: integration(2),
                name: "slack-0".into(),
                event: "slack.message".into(),
            }
            .into(),
            1 => OutboundResumed { integration: which }.into(),
            2 if which == Some(integration(1)) => VaultRotated {
                key: "0202020202020202".into(),
                from: vec!["0101010101010101".into()],
                moved: 2,
                stuck: 0,
                asked_by: None,
            }
            .into(),
            2 => EngineStarted {
                version: "0.1.0".into(),
                mode: Mode::Sandbox,
                config_digest: digest("configuration"),
                read_hosts: vec![],
                egress_allow: vec![],
            }
            .into(),
            3 => {
                let run = (!runs.is_empty()).then(|| self.pick(runs));
                let arrival = run.is_none().then(|| EventId::from_bytes([1; 16]));
                let (subject, reason) = (self.one_in(2).then(|| digest("somebody")), None);
                PayloadErased { run, arrival, subject, payloads: 2, reason }.into()
            }
            _ => {
                let lost_to = self.one_in(2).then_some(90);
                EpochStarted { epoch: 2, size: 1, root: digest("root"), lost_to }.into()
            }
        }
    }
}

/// A call of our own: its beginning or its end, by whose it is.
fn own_call(of: IntegrationId) -> Option<Event> {
    if of == integration(1) {
        let started = OwnCallStarted {
            integration: of,
            purpose: OwnCallPurpose::Subscribe,
            operation: "slack.hooks.create".into(),
            credential_version: 1,
            method: "POST".into(),
            url: "https://slack.example/hooks".into(),
            request_digest: digest("own call"),
        };
        return Some(started.into());
    }
    let call = EventId::from_bytes([1; 16]);
    let (outcome, status, code) = (OwnCallOutcome::Done, Some(200), None);
    let ended = OwnCallEnded { integration: of, call, outcome, status, code };
    (of == integration(2)).then(|| ended.into())
}

fn drifted(integration: IntegrationId) -> Event {
    ResponseDrifted {
        integration,
        operation: "slack.chat.postMessage".into(),
        operation_digest: digest("operation"),
        attempt: attempt(1),
        status: 200,
        places: vec![DriftedPlace { at: "/ts".into(), kind: "type".into() }],
    }
    .into()
}
