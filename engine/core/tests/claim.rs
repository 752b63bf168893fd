//! The claim, row by row (GATE.md §4): what is held, what is asked again, what is refused, and in
//! which order.
//!
//! covers: S1, S25, T13, T18

use placet_core::claim::{Claim, Hold};
use placet_core::test_util::{DAY, HOUR, Scene, name, quorum, requirement, state, threshold};
use placet_model::actor::PrincipalKind;
use placet_model::approval::{Requirement, SelfApproval};
use placet_model::decision::Verdict::{Approve, Reject};
use placet_model::event::decision::DecisionRequested;
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::{Digest, Iteration, Uptime};

type Change = fn(&mut Scene);

fn integration(scene: &mut Scene) -> &mut Integration {
    scene.world.integration.as_mut().expect("the scene has an integration")
}

// ---- 1. hold -----------------------------------------------------------------------------

fn held(scene: &Scene) -> Option<Hold> {
    match scene.clone().try_claim() {
        Ok(Claim::Hold(hold)) => Some(hold),
        Ok(Claim::Nothing | Claim::Decided(_)) | Err(_) => None,
    }
}

#[test]
fn a_temporary_condition_holds_the_approval_and_it_goes_on_later() {
    let cases: &[(Hold, Change)] = &[
        (Hold::Paused, |s| s.world.hold = Some(Hold::Paused)),
        (Hold::IntegrationPaused, |s| s.world.hold = Some(Hold::IntegrationPaused)),
        (Hold::ModeUnavailable, |s| s.world.hold = Some(Hold::ModeUnavailable)),
        (Hold::RateLimited, |s| s.world.hold = Some(Hold::RateLimited)),
        (Hold::Stopping, |s| s.world.hold = Some(Hold::Stopping)),
        (Hold::IntegrationDisabled, |s| integration(s).status = IntegrationStatus::Disabled),
        (Hold::IntegrationFailed, |s| integration(s).status = IntegrationStatus::Failed),
    ];
    for (reason, change) in cases.iter().copied() {
        // given an approval under a condition that holds it
        let scene = Scene::new().approved().with(change);
        assert_eq!(held(&scene), Some(reason));
        let scene = scene.claim().records_nothing();
        assert_eq!(scene.run.main().activity.name(), "approved", "{}", reason.words());
        // when the condition is gone, then the same approval goes
        let scene = scene.later(DAY).with(|scene| {
            scene.world.hold = None;
            integration(scene).status = IntegrationStatus::Active;
        });
        scene.claim().records(&["AttemptStarted(try 1)"]);
    }
}

#[test]
fn what_is_held_until_its_expiry_is_void() {
    let paused = |scene: &mut Scene| scene.world.hold = Some(Hold::Paused);
    let scene = Scene::new().approved().with(paused).later(7 * DAY);
    let scene = scene.claim().records_nothing();
    let scene = scene.expire().records(&["DecisionVoided(expired)"]);
    scene.with(|scene| scene.world.hold = None).claim().records_nothing();
}

// ---- 2. re-evaluate ----------------------------------------------------------------------

#[test]
fn a_stricter_policy_asks_for_the_missing_vote_and_keeps_those_given() {
    let scene = Scene::new().approved().with(|s| s.world.requirement = quorum(2)).claim();
    let scene = scene.records(&["RequirementRaised(1 approval by any approver)"]);
    assert_eq!(scene.run.main().activity.ask().expect("asked again").votes.len(), 1);
    scene.clone().vote("ana", Approve).refuses("PL3005");
    let scene = scene.vote("ben", Approve);
    let scene = scene.records(&["VoteCast(approve)", "DecisionSettled(approved)"]);
    scene.claim().records(&["AttemptStarted(try 1)"]);
}

#[test]
fn votes_that_satisfy_the_stricter_policy_are_enough() {
    let two = requirement(vec![threshold(&[], 2, 1)]);
    let scene = Scene::new().requiring(two).asked().vote("ana", Approve).after;
    let scene = scene.vote("ben", Approve).leaves_it("approved");
    let leads = requirement(vec![threshold(&["leads"], 1, 1)]);
    scene.with(|s| s.world.requirement = leads).claim().records(&["AttemptStarted(try 1)"]);
}

#[test]
fn a_new_group_is_asked_in_addition_to_the_old_one() {
    let ben = requirement(vec![threshold(&["ben"], 1, 1)]);
    let scene = Scene::new().approved().with(|s| s.world.requirement = ben).claim();
    let scene = scene.records(&["RequirementRaised(1 approval of ben)"]);
    let requirement = scene.run.main().activity.ask().expect("asked again").requirement.clone();
    assert_eq!(requirement.thresholds, vec![threshold(&[], 1, 1), threshold(&["ben"], 1, 1)]);
    scene.vote("ben", Approve).leaves_it("approved").claim().records(&["AttemptStarted(try 1)"]);
}

#[test]
fn the_vote_of_somebody_who_has_lost_the_right_does_not_count() {
    let losses: Vec<(&str, Change)> = vec![
        ("removed", |s| drop(s.policy.principals.remove(&name("ana")))),
        ("without the role", |s| {
            s.policy.principals.get_mut(&name("ana")).expect("known").roles.clear();
        }),
        ("an agent now", |s| {
            let info = s.policy.principals.get_mut(&name("ana")).expect("known");
            info.kind = PrincipalKind::Agent;
        }),
    ];
    for (case, loss) in losses {
        let scene = Scene::new().approved().with(loss).claim();
        let scene = scene.records(&["RequirementRaised(1 approval by any approver)"]);
        assert_eq!(
            scene.run.main().activity.ask().expect("asked").votes.len(),
            1,
            "{case}: the vote is kept"
        );
        let scene = scene.vote("ben", Approve).leaves_it("approved");
        scene.claim().records(&["AttemptStarted(try 1)"]);
    }
}

#[test]
fn somebody_who_has_left_the_group_does_not_count() {
    let leads = requirement(vec![threshold(&["leads"], 1, 1)]);
    let scene = Scene::new().requiring(leads).approved().with(|s| {
        s.policy.groups.insert(name("leads"), [name("lead")].into());
    });
    scene.claim().records(&["RequirementRaised(1 approval of leads)"]);
}

#[test]
fn the_requesters_vote_does_not_count_any_more_when_self_approval_ends() {
    let allowed = Requirement { self_approval: SelfApproval::Allowed, ..quorum(1) };
    let scene = Scene::new().requiring(allowed).asked().vote("req", Approve).leaves_it("approved");
    let scene = scene.with(|s| s.world.requirement = quorum(1)).claim();
    scene.records(&["RequirementRaised(1 approval by any approver)"]);
}

#[test]
fn a_looser_policy_does_not_undo_what_was_bound() {
    let scene = Scene::new().requiring(quorum(2)).asked().vote("ana", Approve).after;
    let scene = scene.vote("ben", Approve).leaves_it("approved").with(|s| {
        s.world.requirement = quorum(1);
        s.policy.principals.remove(&name("ben"));
    });
    scene.claim().records(&["RequirementRaised(1 approval by any approver)"]);
}

#[test]
fn a_rejection_that_is_enough_under_the_stricter_policy_ends_it() {
    let lenient = requirement(vec![threshold(&[], 1, 2)]);
    let scene = Scene::new().requiring(lenient).asked().vote("ben", Reject).leaves_it("asked");
    let scene = scene.vote("ana", Approve).leaves_it("approved");
    let scene = scene.with(|s| s.world.requirement = quorum(1)).claim();
    let scene = scene.records(&[
        "RequirementRaised(a rejection is enough to end it now)",
        "DecisionSettled(rejected)",
    ]);
    assert_eq!(scene.run.main().activity.name(), "denied");
}

#[test]
fn the_expiry_stays_where_it_was_when_it_is_asked_again() {
    let scene = Scene::new().approved().later(3 * DAY).with(|s| s.world.requirement = quorum(2));
    let scene = scene.claim().leaves_it("asked").later(4 * DAY);
    scene.clone().vote("ben", Approve).refuses("PL3006");
    scene.expire().records(&["DecisionSettled(expired)"]);
}

// ---- 3. refuse ---------------------------------------------------------------------------

#[test]
fn what_can_never_go_is_void_with_the_reason() {
    let cases: Vec<(&str, Change)> = vec![
        ("expired", |s| s.now = s.now.plus_millis(7 * DAY)),
        ("operation_blocked", |s| {
            s.policy.blocked.insert("slack.chat.postMessage".to_owned());
        }),
        ("integration_gone", |s| integration(s).status = IntegrationStatus::Disconnected),
        ("integration_gone", |s| s.world.integration = None),
    ];
    for (reason, change) in cases {
        let scene = Scene::new().approved().with(change).claim();
        let scene = scene.records(&[&format!("DecisionVoided({reason})")]);
        assert_eq!(scene.run.main().activity.name(), "denied");
        scene.vote("ben", Approve).refuses("PL3007");
    }
}

#[test]
fn the_last_moment_for_a_claim_is_just_before_the_expiry() {
    Scene::new().approved().later(7 * DAY - 1).claim().records(&["AttemptStarted(try 1)"]);
    Scene::new().approved().later(7 * DAY).claim().records(&["DecisionVoided(expired)"]);
}

/// By the clock that nobody can set, so many milliseconds after the machine was started.
fn up(boot: u64, millis: i64) -> Uptime {
    Uptime { boot, millis: millis.try_into().expect("not before the start") }
}

#[test]
fn an_approval_is_good_for_its_time_by_either_clock() {
    // given a request, and a wall clock that stands still from then on
    let mut scene = Scene::new().started().with(|scene| scene.uptime = Some(up(1, HOUR))).asked();
    let ask = scene.run.main().activity.ask().expect("it is asked");
    let valid = ask.expires_at.millis_since(ask.requested_at);
    scene = scene.approved();
    // then it may be claimed until as much time has passed, and not any more
    for (uptime, goes) in [
        (Some(up(1, HOUR + valid - 1)), true),
        (Some(up(1, HOUR + valid)), false),
        // another boot of the machine, a clock that went back, or none: log time alone decides
        (Some(up(2, HOUR + valid)), true),
        (Some(up(1, 0)), true),
        (None, true),
    ] {
        let expected = if goes { "AttemptStarted(try 1)" } else { "DecisionVoided(expired)" };
        let _claimed =
            scene.clone().with(|scene| scene.uptime = uptime).claim().records(&[expected]);
    }
}

#[test]
fn a_vote_on_what_has_outlived_its_time_comes_too_late() {
    let scene = Scene::new().started().with(|scene| scene.uptime = Some(up(1, HOUR))).asked();
    let scene = scene.with(|scene| scene.uptime = Some(up(1, HOUR + 70 * DAY)));
    let _late = scene.vote("ana", Approve).refuses("PL3006");
}

#[test]
fn a_cancelled_run_has_nothing_to_claim() {
    let scene = Scene::new().approved().cancel("op");
    let mut scene = scene.records(&["DecisionVoided(run_cancelled)", "RunCancelled"]);
    assert_eq!(scene.try_claim(), Ok(Claim::Nothing));
}

#[test]
fn an_expiry_that_is_not_the_one_asked_for_is_refused() {
    // given a request whose moment of expiry does not follow from its duration
    let mut scene = Scene::new().started();
    let draft = scene.draft();
    let requested = DecisionRequested {
        decision: scene.mint_decision(),
        task: Scene::task(),
        iteration: Iteration::none(),
        digest: draft.digest,
        expires_at: scene.now.plus_millis(70 * DAY),
        uptime: None,
    };
    let scene = scene.record(draft).record(requested).approved();
    scene.claim().records(&["DecisionVoided(field_changed: valid_for)"]);
}

// ---- the order ---------------------------------------------------------------------------

#[test]
fn hold_comes_before_asking_again_and_asking_again_before_refusing() {
    let paused: Change = |s| s.world.hold = Some(Hold::Paused);
    let stricter: Change = |s| s.world.requirement = quorum(2);
    let changed: Change = |s| s.world.request_digest = Digest::of(b"other");
    let blocked: Change = |s| {
        s.policy.blocked.insert("slack.chat.postMessage".to_owned());
    };
    let expired: Change = |s| s.now = s.now.plus_millis(7 * DAY);
    let raised = "RequirementRaised(1 approval by any approver)";
    let cases: Vec<(Vec<Change>, Vec<&str>)> = vec![
        (vec![paused, stricter, changed, blocked, expired], vec![]),
        (vec![paused, changed], vec![]),
        (vec![paused, expired], vec![]),
        (vec![stricter, changed, blocked, expired], vec![raised]),
        (vec![stricter, expired], vec![raised]),
        (vec![expired, blocked, changed], vec!["DecisionVoided(expired)"]),
        (vec![blocked, changed], vec!["DecisionVoided(operation_blocked)"]),
        (vec![changed], vec!["DecisionVoided(field_changed: request_digest)"]),
    ];
    for (changes, expected) in cases {
        let scene = Scene::new().approved().with(|s| changes.iter().for_each(|change| change(s)));
        scene.claim().records(&expected);
    }
}

#[test]
fn there_is_nothing_to_claim_without_an_unspent_approval() {
    let scenes = [
        Scene::new(),
        Scene::new().begun(),
        Scene::new().started(),
        Scene::new().asked(),
        Scene::new().asked().vote("ana", Reject).after,
        Scene::new().attempting(),
        Scene::new().attempting().doubt().after,
        Scene::new().attempting().succeed().after,
        Scene::new().reading(),
        Scene::new().reading().defer(HOUR / 2).after.later(HOUR / 2),
        Scene::new().attempting().cancel("op").after,
    ];
    for scene in scenes {
        let state = state(&scene.run);
        assert_eq!(scene.clone().try_claim(), Ok(Claim::Nothing), "{state}");
    }
}
