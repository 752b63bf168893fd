//! What an approval binds (GATE.md §2), field by field, and what it does not; and that nothing but
//! the claim can start what was approved.
//!
//! covers: S1, S9, T19, T20, T27

use placet_core::Command;
use placet_core::test_util::{HOUR, Scene, name, quorum, state};
use placet_model::approval::{ReasonRequired, SelfApproval};
use placet_model::attempt::RefuseReason;
use placet_model::decision::Verdict::Approve;
use placet_model::draft::{BoundField, DraftDocument, Mode};
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::decision::DraftPrepared;
use placet_model::integration::Integration;
use placet_model::manifest::Effect;
use placet_model::policy::{Match, Require, Rule};
use placet_model::{
    AttemptId, DecisionId, Digest, Duration, Event, IntegrationId, Iteration, RunId, TaskPath,
};
use std::collections::BTreeSet;

type Change = fn(&mut Scene);

/// The stored document, changed behind the approval's back.
fn document(scene: &mut Scene) -> &mut DraftDocument {
    scene.documents.values_mut().next().expect("one draft was made")
}

fn integration(scene: &mut Scene) -> &mut Integration {
    scene.world.integration.as_mut().expect("the scene has an integration")
}

fn other() -> Digest {
    Digest::of(b"something else")
}

/// What was stored is not what was approved any more.
fn changes_of_the_document() -> Vec<(BoundField, Change)> {
    use BoundField as F;
    vec![
        (F::Version, |s| document(s).v = 2),
        (F::Project, |s| document(s).project.push('x')),
        (F::Mode, |s| document(s).mode = Mode::Sandbox),
        (F::Run, |s| document(s).run = RunId::from_bytes([2; 16])),
        (F::Task, |s| document(s).task = TaskPath::root().child("do", 1, "send")),
        (F::Iteration, |s| document(s).iteration = Iteration::new(vec![0])),
        (F::Revision, |s| document(s).revision += 1),
        (F::SendId, |s| document(s).send_id.push('x')),
        (F::PlanDigest, |s| document(s).plan_digest = other()),
        (F::Operation, |s| document(s).operation.push('s')),
        (F::OperationDigest, |s| document(s).operation_digest = other()),
        (F::Integration, |s| document(s).integration = None),
        (F::SettingsDigest, |s| {
            document(s).integration.as_mut().expect("bound").settings_digest = other();
        }),
        (F::Identity, |s| {
            document(s).integration.as_mut().expect("bound").identity.tenant.push('x');
        }),
        (F::RequestDigest, |s| document(s).request_digest = other()),
        (F::Requirement, |s| document(s).requirement.self_approval = SelfApproval::Allowed),
        (F::ValidFor, |s| document(s).valid_for = Duration::from_days(70)),
        (F::Nonce, |s| document(s).nonce = "0".repeat(32)),
    ]
}

/// The world is not the one in which it was approved any more.
fn changes_of_the_world() -> Vec<(BoundField, Change)> {
    use BoundField as F;
    vec![
        (F::Project, |s| s.world.project.push('x')),
        (F::OperationDigest, |s| s.world.operation_digest = other()),
        (F::Integration, |s| integration(s).id = IntegrationId::from_bytes([8; 16])),
        (F::SettingsDigest, |s| s.world.settings_digest = Some(other())),
        (F::SettingsDigest, |s| s.world.settings_digest = None),
        (F::Identity, |s| integration(s).identity.id.push('x')),
        (F::Identity, |s| integration(s).identity.tenant.push('x')),
        (F::RequestDigest, |s| s.world.request_digest = other()),
    ]
}

#[test]
fn t19_each_bound_field_that_differs_voids_the_approval_and_is_named() {
    let mut seen = BTreeSet::new();
    for (field, change) in changes_of_the_document().into_iter().chain(changes_of_the_world()) {
        seen.insert(field);
        let scene = Scene::new().approved().with(change).claim();
        let scene = scene.records(&[&format!("DecisionVoided(field_changed: {field})")]);
        assert_eq!(scene.claim().result, Ok(vec![]), "{field}: nothing is left to claim");
    }
    assert_eq!(seen, BoundField::ALL.iter().copied().collect(), "every bound field is tried");
}

#[test]
fn t27_a_document_that_was_exchanged_whole_is_not_the_approved_one() {
    let scene = Scene::new().approved().with(|scene| {
        let draft = scene.run.main().activity.ask().expect("approved").draft.clone();
        let mut forged = draft.clone();
        "another".clone_into(&mut forged.nonce);
        let forged = scene.run.document("acme", &forged).expect("the run has begun");
        scene.documents.insert(draft.digest, forged);
    });
    scene.claim().records(&["DecisionVoided(field_changed: nonce)"]);
}

#[test]
fn a_draft_whose_event_and_document_disagree_is_never_sent() {
    type Forge = fn(&mut DraftPrepared);
    let changes: &[(BoundField, Forge)] = &[
        (BoundField::RequestDigest, |draft| draft.request_digest = other()),
        (BoundField::OperationDigest, |draft| draft.operation_digest = other()),
        (BoundField::Operation, |draft| draft.operation.push('s')),
        (BoundField::SendId, |draft| draft.send_id.push('s')),
        (BoundField::Integration, |draft| draft.integration = None),
        (BoundField::Nonce, |draft| draft.nonce.push('s')),
    ];
    for (field, change) in changes {
        // given an event that says something else than the document that its digest names
        let mut scene = Scene::new().started();
        let mut draft = scene.draft();
        change(&mut draft);
        let decision = scene.mint_decision();
        let draft = Box::new(draft);
        let scene = scene.when(Command::Propose { draft, decision }).after;
        // when somebody approves and it is claimed
        let scene = scene.approved().claim();
        // then nothing is sent
        scene.records(&[&format!("DecisionVoided(field_changed: {field})")]);
    }
}

#[test]
fn a_digest_that_is_not_the_documents_binds_nothing() {
    // given a draft under a digest that somebody has chosen, and votes on that digest
    let mut scene = Scene::new().started();
    let mut draft = scene.draft();
    let document = scene.documents.remove(&draft.digest).expect("just made");
    draft.digest = other();
    scene.documents.insert(other(), document);
    let (draft, decision) = (Box::new(draft), scene.mint_decision());
    let scene = scene.when(Command::Propose { draft, decision }).after.approved();
    // then the digest is made again, and it is not that one
    scene.claim().records(&["DecisionVoided(field_changed: v)"]);
}

fn changes_outside() -> Vec<(&'static str, Change)> {
    vec![
        ("nothing", |_| {}),
        ("the label", |s| integration(s).label.push('x')),
        ("the integration's name", |s| integration(s).name.push('x')),
        ("whether it is the default", |s| integration(s).is_default = false),
        ("a rotated credential", |s| integration(s).credential_version = 7),
        ("an old reason", |s| integration(s).reason = Some("was down".to_owned())),
        ("a rule with another name and comment", |s| {
            let name = "renamed, with a comment".to_owned();
            s.world.requirement.rules = vec![name.clone()];
            let (matches, require) = (Match::default(), Require::default());
            s.policy.rules.push(Rule { name, matches, require, ..Rule::default() });
        }),
        ("a looser policy", |s| {
            s.world.requirement.self_approval = SelfApproval::Allowed;
            s.world.requirement.reason_required = ReasonRequired::Never;
        }),
        ("a longer time to decide", |s| {
            s.world.requirement.valid_for = Duration::from_days(70);
        }),
        ("a group that it does not name", |s| {
            s.policy.groups.insert(name("leads"), BTreeSet::new());
        }),
        ("another approver", |s| {
            s.policy.principals.remove(&name("ben"));
        }),
        ("another blocked operation", |s| {
            s.policy.blocked.insert("slack.chat.delete".to_owned());
        }),
    ]
}

#[test]
fn t19_what_is_outside_the_approval_lets_it_through() {
    for (what, change) in changes_outside() {
        let outcome = Scene::new().approved().with(change).later(HOUR).claim();
        assert_eq!(state(&outcome.after.run), "attempting (gated)", "{what}");
        outcome.records(&["AttemptStarted(try 1)"]);
    }
}

#[test]
fn the_try_is_of_exactly_what_was_approved() {
    let scene = Scene::new().approved().with(|s| integration(s).credential_version = 7);
    let ask = scene.run.main().activity.ask().expect("approved").clone();
    let Ok(events) = scene.claim().result else { unreachable!("the claim is lawful") };
    let [Event::AttemptStarted(started)] = events.as_slice() else {
        unreachable!("one event starts it: {events:?}")
    };
    let draft = ask.draft;
    let expected = AttemptStarted {
        attempt: started.attempt,
        try_number: 1,
        task: draft.task,
        iteration: draft.iteration,
        decision: Some(ask.decision),
        digest: Some(draft.digest),
        send_id: draft.send_id,
        operation: draft.operation,
        operation_digest: draft.operation_digest,
        effect: draft.effect,
        mode: Mode::Live,
        integration: draft.integration,
        credential_version: 7,
        with: draft.with,
        request: draft.request,
        request_digest: draft.request_digest,
        not_after: ask.expires_at,
        uptime: None,
    };
    assert_eq!(*started, expected);
}

#[test]
fn a_draft_without_an_integration_needs_none() {
    let without = |scene: &mut Scene| scene.world.integration = None;
    Scene::new().with(without).approved().claim().records(&["AttemptStarted(try 1)"]);
}

// ---- the fold holds the same line --------------------------------------------------------

#[test]
fn no_try_of_anything_but_the_approved_draft_can_stand_in_the_log() {
    type Forge = fn(&mut AttemptStarted);
    let forgeries: &[(&str, Forge)] = &[
        ("no decision", |a| a.decision = None),
        ("another decision", |a| {
            a.decision = Some(DecisionId::from_bytes([0; 16]));
        }),
        ("no digest", |a| a.digest = None),
        ("another digest", |a| a.digest = Some(other())),
        ("another send id", |a| a.send_id.push('x')),
        ("another operation", |a| a.operation.push('x')),
        ("another operation digest", |a| a.operation_digest = other()),
        ("another effect", |a| a.effect = Effect::Read),
        ("another mode", |a| a.mode = Mode::Sandbox),
        ("another integration", |a| a.integration = None),
        ("other bytes", |a| a.request_digest = other()),
        ("bytes from elsewhere", |a| a.request.index += 1),
        ("another task", |a| a.task = TaskPath::root()),
        ("another iteration", |a| a.iteration = Iteration::new(vec![1])),
        ("more time", |a| a.not_after = a.not_after.plus_millis(1)),
        ("a later try", |a| a.try_number = 2),
    ];
    for (what, forge) in forgeries {
        for (state, scene) in [
            ("approved", Scene::new().approved()),
            ("deferred", Scene::new().attempting().defer(HOUR).after.later(HOUR)),
        ] {
            let Ok(events) = scene.clone().claim().result else { unreachable!("lawful") };
            let [Event::AttemptStarted(started)] = events.as_slice() else {
                unreachable!("one event starts it: {events:?}")
            };
            let mut forged = started.clone();
            forge(&mut forged);
            if *what == "a later try" && state == "deferred" {
                forged.try_number = 3;
            }
            let forged = Event::from(forged);
            assert!(scene.run.clone().apply(&forged, scene.now).is_err(), "{state}: {what}");
        }
    }
}

#[test]
fn a_write_can_never_be_started_as_an_ungated_read() {
    type Forge = fn(&mut AttemptStarted);
    let forgeries: &[(&str, Forge)] = &[
        ("a send", |a| a.effect = Effect::Send),
        ("a write", |a| a.effect = Effect::Write),
        ("a destructive call", |a| a.effect = Effect::Destructive),
        ("a draft's digest", |a| a.digest = Some(other())),
        ("another mode", |a| a.mode = Mode::Sandbox),
        ("another task", |a| a.task = TaskPath::root()),
    ];
    for (what, forge) in forgeries {
        let mut scene = Scene::new().started();
        let mut read = scene.read();
        forge(&mut read);
        let outcome = scene.when(Command::Read(Box::new(read)));
        assert!(outcome.result.is_err(), "{what}");
        outcome.cannot_follow();
    }
}

#[test]
fn no_command_but_the_claim_starts_an_approved_draft() {
    for scene in [
        Scene::new().approved(),
        Scene::new().attempting().defer(HOUR).after.later(HOUR),
        Scene::new().attempting().refuse(RefuseReason::Reconnect).after,
    ] {
        let Ok(events) = scene.clone().claim().result else { unreachable!("lawful") };
        let [Event::AttemptStarted(started)] = events.as_slice() else {
            unreachable!("one event starts it: {events:?}")
        };
        let (started, id) = (Box::new(started.clone()), started.attempt);
        scene.clone().when(Command::Read(started.clone())).cannot_follow();
        let progress = Command::Progress(Box::new(Event::from(*started)));
        scene.clone().when(progress).cannot_follow();
        let resend = scene.clone().when(Command::Resend { attempt: id });
        resend.refuses("PL3013");
        let resend = scene.when(Command::Resend { attempt: AttemptId::from_bytes([0; 16]) });
        resend.refuses("PL3013");
    }
}

#[test]
fn t27_no_permission_is_recorded_as_mere_progress() {
    let given = |scene: Scene| scene.vote("ana", Approve).result.expect("a good vote");
    let scene = Scene::new().asked();
    for event in given(scene.clone()) {
        scene.clone().when(Command::Progress(Box::new(event))).cannot_follow();
    }
    let scene = Scene::new().approved().with(|s| s.world.requirement = quorum(2));
    for event in scene.clone().claim().result.expect("lawful") {
        scene.clone().when(Command::Progress(Box::new(event))).cannot_follow();
    }
}
