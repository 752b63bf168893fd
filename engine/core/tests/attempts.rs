//! Attempts (GATE.md §5, send-attempts): how tries end, what may be tried again, and how doubts
//! are settled.
//!
//! covers: S10, T11, T13

use placet_core::Command;
use placet_core::claim::{Claim, Hold};
use placet_core::decide::{Answer, OutcomeVerdict};
use placet_core::run::{Activity, Attempt};
use placet_core::test_util::{DAY, HOUR, MINUTE, Scene, describe, quorum, state};
use placet_model::attempt::RefuseReason;
use placet_model::decision::Resolution::{GiveUp, NotSent, Sent};
use placet_model::decision::Verdict::Approve;
use placet_model::draft::BoundField;
use placet_model::event::attempt::AnswerFacts;
use placet_model::event::decision::{DraftOrigin, DraftPrepared};
use placet_model::integration::IntegrationStatus;
use placet_model::{AttemptId, Event, Uptime};

fn current(scene: &Scene) -> &Attempt {
    scene.run.main().activity.attempt().expect("there is an attempt")
}

fn doubtful() -> Scene {
    Scene::new().attempting().doubt().leaves_it("in doubt (gated)")
}

/// The same bytes go again under the provider's own key.
fn resent(scene: Scene) -> Scene {
    let attempt = current(&scene).started.attempt;
    scene.when(Command::Resend { attempt }).leaves_it("attempting (gated)")
}

// ---- outcomes ----------------------------------------------------------------------------

#[test]
fn each_answer_to_a_try_becomes_its_event() {
    use RefuseReason::{Exhausted, Permanent, Quota, Reconnect, Unreadable};
    let gated = || Scene::new().attempting();
    let ungated = || Scene::new().reading();
    gated().succeed().records(&["AttemptSucceeded"]);
    ungated().succeed().records(&["AttemptSucceeded"]);
    for reason in [Permanent, Quota, Exhausted, Unreadable] {
        gated().refuse(reason).leaves_it("refused");
        ungated().refuse(reason).leaves_it("refused");
    }
    gated().refuse(Reconnect).leaves_it("approved");
    ungated().refuse(Reconnect).leaves_it("refused");
    gated().defer(MINUTE).leaves_it("deferred (gated)");
    ungated().defer(MINUTE).leaves_it("deferred (ungated)");
    gated().doubt().leaves_it("in doubt (gated)");
}

#[test]
fn a_read_is_never_in_doubt_for_nobody_could_settle_it() {
    let scene = Scene::new().reading().doubt().records(&["AttemptRefused(exhausted)"]);
    assert_eq!(state(&scene.run), "refused");
}

#[test]
fn an_answer_to_no_try_that_is_under_way_is_refused() {
    let stale = |scene: Scene, attempt: AttemptId, try_number: u32| {
        let (facts, output) = (AnswerFacts::default(), scene.run.slot(1, 0));
        let verdict = OutcomeVerdict::Succeeded { output, would_have_sent: None };
        let answer = Answer { attempt, try_number, facts, verdict };
        scene.when(Command::Answered(Box::new(answer)))
    };
    let attempt = current(&Scene::new().attempting()).started.attempt;
    let cases = [
        ("another attempt", Scene::new().attempting(), AttemptId::from_bytes([0; 16]), 1),
        ("another try", Scene::new().attempting(), attempt, 2),
        ("a try that was put off", Scene::new().attempting().defer(HOUR).after, attempt, 1),
        ("a try in doubt", doubtful(), attempt, 1),
        ("a try before the last", resent(doubtful()), attempt, 1),
        ("a call that has ended", Scene::new().attempting().succeed().after, attempt, 1),
        ("a detached try in doubt", doubtful().cancel("op").after, attempt, 1),
    ];
    for (case, scene, attempt, try_number) in cases {
        let outcome = stale(scene, attempt, try_number);
        assert_eq!(outcome.code(), Some("PL3013"), "{case}");
        outcome.refuses("PL3013");
    }
}

#[test]
fn a_spent_approval_never_starts_again() {
    let scenes = [
        Scene::new().attempting(),
        Scene::new().attempting().succeed().after,
        Scene::new().attempting().refuse(RefuseReason::Permanent).after,
        doubtful(),
        doubtful().resolve("op", Sent).after,
        doubtful().resolve("op", GiveUp).after,
        doubtful().resolve("op", NotSent).after,
        Scene::new().attempting().cancel("op").after,
    ];
    for scene in scenes {
        // given the very event that started it, with a new attempt and with the same one
        let started = scene.recorded.iter().find_map(|(_, _, event)| match event {
            Event::AttemptStarted(started) => Some(started.clone()),
            _ => None,
        });
        let mut again = started.expect("it was started");
        let same = Event::from(again.clone());
        again.attempt = AttemptId::from_bytes([0; 16]);
        for event in [same, Event::from(again)] {
            assert!(scene.run.clone().apply(&event, scene.now).is_err(), "{}", state(&scene.run));
        }
        assert_eq!(scene.clone().try_claim(), Ok(Claim::Nothing), "{}", state(&scene.run));
    }
}

// ---- deferral ----------------------------------------------------------------------------

#[test]
fn the_next_try_of_what_was_put_off_is_claimed_anew_and_is_the_same_attempt() {
    let scene = Scene::new().attempting().defer(HOUR).after;
    let first = current(&scene).started.clone();
    let scene = scene.later(HOUR).claim().records(&["AttemptStarted(try 2)"]);
    let second = current(&scene).started.clone();
    assert_eq!(second.attempt, first.attempt);
    assert_eq!(second.send_id, first.send_id);
    assert_eq!(second.request_digest, first.request_digest);
    assert_eq!(second.not_after, first.not_after);
    assert_eq!(current(&scene).first_started_at, placet_core::test_util::START);
}

#[test]
fn the_age_of_a_key_counts_from_the_first_try_by_both_clocks() {
    let first = Some(Uptime { boot: 1, millis: 5 });
    let scene = Scene::new().started().with(|scene| scene.uptime = first).attempting();
    let scene = scene.defer(HOUR).after.later(HOUR);
    let scene =
        scene.with(|scene| scene.uptime = Some(Uptime { boot: 2, millis: 7 })).claim().after;
    assert_eq!(current(&scene).started.uptime, Some(Uptime { boot: 2, millis: 7 }));
    assert_eq!(current(&scene).first_uptime, first);
}

#[test]
fn a_call_that_was_put_off_waits_as_long_as_the_provider_said() {
    let mut scene = Scene::new().attempting().defer(HOUR).after.later(HOUR - 1);
    assert_eq!(scene.try_claim(), Ok(Claim::Hold(Hold::RateLimited)));
    scene.later(1).claim().records(&["AttemptStarted(try 2)"]);
}

#[test]
fn the_next_try_passes_every_rule_of_the_claim() {
    type Change = fn(&mut Scene);
    let cases: &[(Change, &[&str])] = &[
        (|s| s.world.hold = Some(Hold::Paused), &[]),
        (|s| s.world.requirement = quorum(2), &["RequirementRaised(1 approval by any approver)"]),
        (
            |s| s.world.request_digest = placet_model::Digest::of(b"other"),
            &["DecisionVoided(field_changed: request_digest)"],
        ),
        (|s| s.now = s.now.plus_millis(7 * DAY), &["DecisionVoided(expired)"]),
    ];
    for (change, expected) in cases {
        let scene = Scene::new().attempting().defer(HOUR).after.later(HOUR).with(change);
        scene.claim().records(expected);
    }
}

#[test]
fn a_deferred_call_that_is_asked_again_goes_on_as_the_same_attempt() {
    let scene = Scene::new().attempting().defer(HOUR).after.later(HOUR);
    let attempt = current(&scene).started.attempt;
    let scene = scene.with(|s| s.world.requirement = quorum(2)).claim().leaves_it("asked");
    let scene = scene.vote("ben", Approve).leaves_it("approved");
    let scene = scene.claim().records(&["AttemptStarted(try 2)"]);
    assert_eq!(current(&scene).started.attempt, attempt);
}

#[test]
fn what_is_put_off_past_its_expiry_is_refused() {
    let scene = Scene::new().attempting().defer(7 * DAY);
    scene.records(&["AttemptRefused(exhausted)"]);
    Scene::new().attempting().defer(7 * DAY - 1).leaves_it("deferred (gated)");
}

#[test]
fn a_deferred_call_whose_time_is_over_is_void() {
    let scene = Scene::new().attempting().defer(HOUR).after;
    scene.clone().later(HOUR).expire().records_nothing();
    scene.later(7 * DAY).expire().records(&["DecisionVoided(expired)"]);
}

#[test]
fn an_ungated_read_that_was_put_off_is_read_again_without_a_claim() {
    let scene = Scene::new().reading().defer(MINUTE).after;
    let attempt = current(&scene).started.attempt;
    scene.clone().when(Command::Resend { attempt }).refuses("PL3013");
    let scene = scene.later(MINUTE).when(Command::Resend { attempt });
    scene.records(&["AttemptStarted(try 2)"]);
}

#[test]
fn a_read_goes_on_after_the_engine_was_away_for_longer_than_it_may_take() {
    let scene = Scene::new().reading().defer(MINUTE).after;
    let attempt = current(&scene).started.attempt;
    scene.later(DAY).when(Command::Resend { attempt }).records(&["AttemptStarted(try 2)"]);
    let scene = Scene::new().reading().later(DAY).when(Command::Recover { detail: None });
    let scene = scene.records(&["AttemptDeferred(restart)"]);
    let attempt = current(&scene).started.attempt;
    scene.when(Command::Resend { attempt }).records(&["AttemptStarted(try 2)"]);
}

// ---- reconnect ---------------------------------------------------------------------------

#[test]
fn a_refused_credential_leaves_the_draft_spendable_after_reconnecting_as_the_same_account() {
    let scene = Scene::new().attempting().refuse(RefuseReason::Reconnect).leaves_it("approved");
    let scene = scene.with(|s| {
        let integration = s.world.integration.as_mut().expect("there is one");
        integration.status = IntegrationStatus::Failed;
    });
    let mut scene = scene;
    assert_eq!(scene.try_claim(), Ok(Claim::Hold(Hold::IntegrationFailed)));
    let scene = scene.with(|s| {
        let integration = s.world.integration.as_mut().expect("there is one");
        integration.status = IntegrationStatus::Active;
        integration.credential_version = 2;
    });
    let scene = scene.claim().records(&["AttemptStarted(try 2)"]);
    assert_eq!(current(&scene).started.credential_version, 2);
}

#[test]
fn reconnecting_as_somebody_else_voids_it() {
    let scene = Scene::new().attempting().refuse(RefuseReason::Reconnect).after;
    let scene = scene.with(|s| {
        s.world.integration.as_mut().expect("there is one").identity.id.push('x');
    });
    scene.claim().records(&["DecisionVoided(field_changed: identity)"]);
}

#[test]
fn what_is_not_reconnected_before_the_expiry_is_void() {
    let scene = Scene::new().attempting().refuse(RefuseReason::Reconnect).after;
    scene.later(7 * DAY).expire().records(&["DecisionVoided(expired)"]);
}

#[test]
fn without_an_integration_there_is_nothing_to_reconnect() {
    let scene = Scene::new().with(|s| s.world.integration = None).attempting();
    scene.refuse(RefuseReason::Reconnect).leaves_it("refused");
}

// ---- restart -----------------------------------------------------------------------------

#[test]
fn after_a_restart_a_gated_try_is_in_doubt_and_a_read_is_read_again() {
    let recover = || Command::Recover { detail: None };
    Scene::new().attempting().when(recover()).records(&["AttemptInDoubt(restart)"]);
    let scene = Scene::new().reading().when(recover()).records(&["AttemptDeferred(restart)"]);
    let attempt = current(&scene).started.attempt;
    scene.when(Command::Resend { attempt }).records(&["AttemptStarted(try 2)"]);
}

#[test]
fn a_restart_changes_nothing_where_no_try_is_under_way() {
    let scenes = [
        Scene::new(),
        Scene::new().started(),
        Scene::new().asked(),
        Scene::new().approved(),
        Scene::new().attempting().defer(HOUR).after,
        doubtful(),
        Scene::new().attempting().succeed().after,
        doubtful().cancel("op").after,
    ];
    for scene in scenes {
        scene.when(Command::Recover { detail: None }).records_nothing();
    }
}

#[test]
fn after_a_restart_a_detached_try_is_in_doubt_too() {
    let recover = || Command::Recover { detail: None };
    let scene = Scene::new().attempting().cancel("op").after;
    let scene = scene.when(recover()).records(&["AttemptInDoubt(restart)"]);
    assert_eq!(state(&scene.run), "cancelled + detached in doubt");
    let scene = Scene::new().reading().cancel("op").after;
    let scene = scene.when(recover()).records(&["AttemptDeferred(restart)"]);
    assert_eq!(state(&scene.run), "cancelled");
}

// ---- doubt -------------------------------------------------------------------------------

#[test]
fn a_person_settles_the_doubt() {
    for who in ["ana", "op", "req"] {
        doubtful().resolve(who, Sent).leaves_it("answered");
        doubtful().resolve(who, NotSent).leaves_it("unsent");
        doubtful().resolve(who, GiveUp).leaves_it("given up");
    }
    for who in ["eve", "root", "zoe"] {
        doubtful().resolve(who, Sent).refuses("PL4005");
    }
}

#[test]
fn an_agent_settles_nothing() {
    for resolution in [Sent, NotSent, GiveUp] {
        doubtful().resolve("bot", resolution).refuses("PL3012");
    }
}

#[test]
fn only_what_is_in_doubt_can_be_resolved() {
    let scenes = [
        (Scene::new().asked(), "PL3016"),
        (Scene::new().approved(), "PL3016"),
        (Scene::new().attempting(), "PL3016"),
        (Scene::new().attempting().defer(HOUR).after, "PL3016"),
        (doubtful().resolve("op", Sent).after, "PL3016"),
        (doubtful().resolve("op", GiveUp).after, "PL3016"),
    ];
    for (scene, code) in scenes {
        for resolution in [Sent, NotSent, GiveUp] {
            let outcome = scene.clone().resolve("op", resolution);
            assert_eq!(outcome.code(), Some(code), "{}", state(&scene.run));
            outcome.refuses(code);
        }
    }
}

#[test]
fn what_was_not_sent_is_a_new_draft_with_a_new_send_id_and_a_new_request() {
    // given an approved draft whose send is said not to have happened
    let scene = doubtful();
    let first = current(&scene).ask.clone().expect("gated");
    let scene = scene.resolve("op", NotSent).leaves_it("unsent");
    assert_eq!(scene.clone().try_claim(), Ok(Claim::Nothing));
    // when the next revision is asked for
    let scene = scene.asked();
    let second = scene.run.main().activity.ask().expect("asked").clone();
    // then nothing of the first is left: not the votes, the send id, the nonce, the digest
    assert_eq!((first.draft.revision, second.draft.revision), (1, 2));
    assert_eq!(second.draft.origin, DraftOrigin::Resend);
    assert_ne!(first.draft.send_id, second.draft.send_id);
    assert_ne!(first.draft.nonce, second.draft.nonce);
    assert_ne!(first.draft.digest, second.draft.digest);
    assert_ne!(first.decision, second.decision);
    assert!(second.votes.is_empty() && second.prior.is_none());
    scene.approved().claim().records(&["AttemptStarted(try 1)"]);
}

#[test]
fn a_new_revision_that_repeats_the_old_one_cannot_follow() {
    type Forge = fn(&mut DraftPrepared, &DraftPrepared);
    let forgeries: &[Forge] = &[
        |new, old| new.send_id.clone_from(&old.send_id),
        |new, old| new.nonce.clone_from(&old.nonce),
        |new, old| new.digest = old.digest,
        |new, _| new.revision = 1,
        |new, _| new.revision = 3,
    ];
    for forge in forgeries {
        let scene = doubtful();
        let old = current(&scene).ask.clone().expect("gated").draft;
        let mut scene = scene.resolve("op", NotSent).after;
        let mut draft = scene.draft();
        forge(&mut draft, &old);
        let decision = scene.mint_decision();
        scene.when(Command::Propose { draft: Box::new(draft), decision }).cannot_follow();
    }
}

#[test]
fn a_decision_id_serves_one_request() {
    let scene = doubtful();
    let decision = scene.decision();
    let mut scene = scene.resolve("op", NotSent).after;
    let draft = Box::new(scene.draft());
    scene.when(Command::Propose { draft, decision }).cannot_follow();
}

#[test]
fn the_same_bytes_may_go_again_in_doubt_and_only_in_time() {
    let scene = doubtful();
    let first = current(&scene).started.clone();
    let attempt = first.attempt;
    let again = scene.clone().later(HOUR).when(Command::Resend { attempt });
    let again = again.records(&["AttemptStarted(try 2)"]);
    let second = &current(&again).started;
    assert_eq!((second.try_number, second.request_digest), (2, first.request_digest));
    assert_eq!(second.send_id, first.send_id);
    assert_eq!(current(&again).first_started_at, placet_core::test_util::START);
    scene.later(7 * DAY).when(Command::Resend { attempt }).refuses("PL3013");
}

#[test]
fn a_resend_that_did_nothing_proves_nothing_about_the_first_try() {
    let twice = || resent(doubtful());
    for reason in [RefuseReason::Permanent, RefuseReason::Reconnect, RefuseReason::Quota] {
        let scene = twice().refuse(reason).records(&["AttemptInDoubt(answer)"]);
        scene.resolve("op", Sent).leaves_it("answered");
    }
    twice().defer(MINUTE).records(&["AttemptInDoubt(answer)"]);
    twice().doubt().leaves_it("in doubt (gated)");
    twice().succeed().leaves_it("answered");
}

#[test]
fn a_resend_of_a_run_that_was_stopped_stays_in_doubt_too() {
    let stopped = || resent(doubtful()).cancel("op").leaves_it("cancelled + detached attempt");
    stopped().refuse(RefuseReason::Permanent).leaves_it("cancelled + detached in doubt");
    stopped().defer(MINUTE).leaves_it("cancelled + detached in doubt");
    stopped().succeed().leaves_it("cancelled");
}

#[test]
fn no_event_can_say_that_a_doubtful_attempt_did_nothing() {
    for scene in [resent(doubtful()), resent(doubtful()).cancel("op").after] {
        for outcome in [
            Scene::new().attempting().refuse(RefuseReason::Permanent),
            Scene::new().attempting().defer(MINUTE),
        ] {
            let mut event = outcome.result.expect("a good answer").remove(0);
            match &mut event {
                Event::AttemptRefused(body) => body.try_number = 2,
                Event::AttemptDeferred(body) => body.try_number = 2,
                other => unreachable!("{}", describe(other)),
            }
            assert!(scene.run.clone().apply(&event, scene.now).is_err(), "{}", describe(&event));
        }
    }
}

// ---- the next try of a doubtful attempt passes the gate ------------------------------------

#[test]
fn a_resend_through_the_gate_is_held_or_left_to_a_person() {
    type Change = fn(&mut Scene);
    let started = doubtful().later(HOUR).again();
    let Claim::Decided(events) = started else { unreachable!("nothing stands against it") };
    assert_eq!(events.iter().map(describe).collect::<Vec<_>>(), ["AttemptStarted(try 2)"]);
    let cases: &[(&str, Change, Claim)] = &[
        ("paused", |s| s.world.hold = Some(Hold::Paused), Claim::Hold(Hold::Paused)),
        (
            "failed",
            |s| {
                let integration = s.world.integration.as_mut().expect("there is one");
                integration.status = IntegrationStatus::Failed;
            },
            Claim::Hold(Hold::IntegrationFailed),
        ),
        ("gone", |s| s.world.integration = None, Claim::Nothing),
        (
            "another account",
            |s| s.world.integration.as_mut().expect("there is one").identity.id.push('x'),
            Claim::Nothing,
        ),
        (
            "other bytes",
            |s| s.world.request_digest = placet_model::Digest::of(b"other"),
            Claim::Nothing,
        ),
        (
            "blocked",
            |s| {
                s.policy.blocked.insert("slack.chat.postMessage".to_owned());
            },
            Claim::Nothing,
        ),
        ("too late", |s| s.now = s.now.plus_millis(7 * DAY), Claim::Nothing),
    ];
    for (case, change, expected) in cases {
        let scene = doubtful().later(HOUR).with(change);
        assert_eq!(&scene.again(), expected, "{case}");
    }
    assert_eq!(doubtful().cancel("op").after.again(), Claim::Nothing);
    assert_eq!(Scene::new().approved().again(), Claim::Nothing);
    assert_eq!(BoundField::ALL.len(), 18, "a new bound field is compared here as well");
}

#[test]
fn a_resend_uses_the_credential_of_now() {
    let scene = doubtful().later(HOUR).with(|s| {
        s.world.integration.as_mut().expect("there is one").credential_version = 3;
    });
    let Claim::Decided(events) = scene.again() else { unreachable!("nothing stands against it") };
    let [Event::AttemptStarted(started)] = events.as_slice() else {
        unreachable!("one event starts it: {events:?}")
    };
    assert_eq!((started.try_number, started.credential_version), (2, 3));
    let scene = scene.record(started.clone());
    assert!(matches!(scene.run.main().activity, Activity::Attempting(..)));
}

#[test]
fn who_may_cancel_is_the_requester_an_operator_or_an_admin() {
    for who in ["req", "op", "root"] {
        Scene::new().asked().cancel(who).leaves_it("cancelled");
    }
    for who in ["ana", "eve", "zoe"] {
        Scene::new().asked().cancel(who).refuses("PL4005");
    }
    Scene::new().cancel("op").refuses("PL3013");
    let over = Scene::new().asked().cancel("op").after;
    over.cancel("op").refuses("PL4008");
}

// ---- what a person says of a doubt ---------------------------------------------------------

type SpoilSaid = fn(&mut placet_core::decide::ResolveCommand);

#[test]
fn what_is_said_of_a_doubt_is_bound_to_the_draft_and_to_its_time() {
    let spoilt: [(SpoilSaid, &str); 3] = [
        (|said| said.digest = placet_model::Digest::of(b"another"), "PL3002"),
        (|said| said.time = said.time.plus_millis(-16 * 60 * 1000), "PL3010"),
        (|said| said.time = said.time.plus_millis(2 * 60 * 1000), "PL3010"),
    ];
    for (spoil, code) in spoilt {
        doubtful().resolve_as("op", Sent, spoil).refuses(code);
    }
    doubtful().resolve("op", Sent).records(&["ResolutionCast(sent)", "AttemptReconciled(sent)"]);
}

#[test]
fn a_request_id_is_one_acts_be_it_a_vote_or_what_is_said_of_a_doubt() {
    let with_id: SpoilSaid = |said| said.request_id = Some("r1".to_owned());
    let scene = doubtful().resolve_as("op", GiveUp, with_id).leaves_it("given up");
    // the same again has its answer, another one is refused, and so is a vote under the same id
    scene.clone().resolve_as("op", GiveUp, with_id).records_nothing();
    scene.resolve_as("op", Sent, with_id).refuses("PL3018");
    let asked = doubtful().resolve_as("ana", NotSent, with_id).leaves_it("unsent").asked();
    asked
        .spoilt("ana", Approve, |vote| {
            vote.request_id = Some("r1".to_owned());
        })
        .refuses("PL3018");
}
