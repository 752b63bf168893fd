//! Votes that are not cast in the plain way: under a standing approval, in the place of somebody,
//! after an escalation, alone in an emergency; and notices, which decide nothing.
//!
//! covers: T2, T3, T13, T17, T18

use placet_core::Command;
use placet_core::decide::AdvanceVotes;
use placet_core::test_util::{DAY, HOUR, START, Scene, name, quorum, requirement, threshold};
use placet_model::approval::{Escalation, ReasonRequired, Requirement};
use placet_model::decision::Assurance;
use placet_model::decision::Verdict::{Approve, BreakGlass, Reject};
use placet_model::policy::{BreakGlass as Glass, Delegation, Match, Standing};
use placet_model::{Duration, Timestamp};

// ---- how sure it is -----------------------------------------------------------------------

#[test]
fn nobodys_word_is_as_good_as_a_signature_of_ones_own() {
    use Assurance::{Account, Nkey, Passkey, Session, Test, Transport};
    let from_the_least = [Test, Session, Transport, Account, Nkey, Passkey];
    assert!(from_the_least.is_sorted());
    assert_eq!(from_the_least, Assurance::ALL);
}

#[test]
fn an_approval_counts_only_where_it_is_sure_enough_who_gave_it() {
    let strict = Requirement { assurance: Assurance::Nkey, ..quorum(1) };
    let scene = Scene::new().requiring(strict).asked();
    for assurance in Assurance::ALL {
        let outcome = scene.clone().spoilt("ana", Approve, |v| v.voter.assurance = *assurance);
        if *assurance >= Assurance::Nkey {
            outcome.leaves_it("approved");
        } else {
            assert_eq!(outcome.code(), Some("PL3030"), "{assurance}");
            assert!(outcome.after == outcome.before, "{assurance}");
        }
    }
    // saying no is always safe
    scene.vote("ana", Reject).leaves_it("denied");
}

#[test]
fn a_policy_that_asks_for_more_assurance_by_now_asks_again_at_the_claim() {
    let scene = Scene::new().approved();
    let strict = Requirement { assurance: Assurance::Passkey, ..quorum(1) };
    scene.requiring(strict).claim().leaves_it("asked");
}

#[test]
fn what_the_policy_refuses_by_now_is_void_whoever_has_approved() {
    let scene = Scene::new().approved().with(|scene| scene.world.forbidden = true);
    scene.claim().records(&["DecisionVoided(forbidden)"]);
}

// ---- delegation ---------------------------------------------------------------------------

fn delegation(from: &str, to: &str, days: std::ops::Range<i64>) -> Delegation {
    let at = |day: i64| START.plus_millis(day * DAY);
    Delegation { from: name(from), to: name(to), since: at(days.start), until: at(days.end) }
}

/// `ana` and `lead` decide; `ben` stands in for `ana` on the second day.
fn away() -> Scene {
    Scene::new()
        .requiring(requirement(vec![threshold(&["leads"], 1, 1)]))
        .with(|scene| scene.policy.delegations = vec![delegation("ana", "ben", 1..2)])
        .asked()
}

#[test]
fn who_stands_in_votes_within_the_window_and_the_log_names_for_whom() {
    away().vote("ben", Approve).refuses("PL3008");
    away().later(DAY).vote("ben", Approve).records(&[
        "VoteCast(approve)",
        "VoteDelegated(ben for ana)",
        "DecisionSettled(approved)",
    ]);
    away().later(2 * DAY).vote("ben", Approve).refuses("PL3008");
}

#[test]
fn a_window_that_is_over_at_the_claim_asks_again() {
    away()
        .later(DAY)
        .vote("ben", Approve)
        .leaves_it("approved")
        .later(DAY)
        .claim()
        .leaves_it("asked");
}

#[test]
fn a_place_is_taken_once_however_many_vote_for_it() {
    let both = requirement(vec![threshold(&["leads"], 2, 1)]);
    let scene = Scene::new()
        .requiring(both)
        .with(|scene| scene.policy.delegations = vec![delegation("ana", "ben", 0..2)])
        .asked();
    let voted =
        scene.vote("ana", Approve).leaves_it("asked").vote("ben", Approve).leaves_it("asked");
    voted.vote("lead", Approve).leaves_it("approved");
}

#[test]
fn nobody_stands_in_for_the_requester_and_the_requester_for_nobody() {
    let two = requirement(vec![threshold(&["req"], 1, 1), threshold(&["leads"], 1, 1)]);
    let scene = Scene::new().requiring(two).with(|scene| {
        scene.policy.delegations =
            vec![delegation("req", "ben", 0..9), delegation("ana", "req", 0..9)];
    });
    scene.clone().asked().vote("ben", Approve).refuses("PL3008");
    scene.asked().vote("req", Approve).refuses("PL3003");
}

#[test]
fn an_agent_stands_in_for_nobody() {
    let scene =
        away().with(|scene| scene.policy.delegations = vec![delegation("ana", "bot", 0..9)]);
    scene.vote("bot", Approve).refuses("PL3012");
}

// ---- escalation and reminders -------------------------------------------------------------

fn escalating() -> Scene {
    let mut leads = threshold(&["leads"], 1, 1);
    leads.escalate = Some(Escalation { after: Duration::from_days(1), to: vec![name("cara")] });
    let every = Some(Duration::from_millis(10 * HOUR));
    Scene::new().requiring(Requirement { remind: every, ..requirement(vec![leads]) }).asked()
}

fn remind(scene: Scene) -> placet_core::test_util::Outcome {
    let decision = scene.decision();
    scene.when(Command::Remind(decision))
}

#[test]
fn an_escalation_widens_its_own_threshold_when_its_time_has_come() {
    escalating().later(DAY - 1).vote("cara", Approve).refuses("PL3008");
    escalating().later(DAY).vote("cara", Approve).leaves_it("approved");
    escalating().later(DAY).vote("ana", Approve).leaves_it("approved");
    escalating().later(DAY).vote("ben", Approve).refuses("PL3008");
}

#[test]
fn people_hear_of_it_once_for_each_time_it_is_due() {
    remind(escalating().later(10 * HOUR - 1)).records_nothing();
    let first = remind(escalating().later(10 * HOUR)).records(&["ApproversReminded(reminder)"]);
    let first = remind(first).records_nothing();
    // the engine was away for a day: one reminder is enough
    let both = remind(first.later(DAY))
        .records(&["ApproversReminded(reminder)", "ApproversReminded(escalation)"]);
    remind(both).records_nothing();
}

#[test]
fn t02_a_notice_that_comes_late_never_touches_an_answer() {
    let late = |scene: Scene| scene.later(2 * DAY);
    for answered in [
        escalating().vote("ana", Approve).after,
        escalating().vote("ana", Reject).after,
        escalating().vote("req", placet_model::decision::Verdict::Withdraw).after,
        escalating().later(7 * DAY).expire().after,
    ] {
        let (before, decision) = (answered.run.clone(), answered.decision());
        let after = late(answered).when(Command::Remind(decision)).records_nothing();
        assert_eq!(after.run, before, "the answer stands");
    }
    // and in the other order: the notice first, then the answer
    remind(escalating().later(DAY)).after.vote("ana", Approve).leaves_it("approved");
    remind(escalating().later(DAY)).after.later(6 * DAY).expire().leaves_it("denied");
}

// ---- standing approvals -------------------------------------------------------------------

fn standing() -> Standing {
    Standing {
        name: "status".to_owned(),
        matches: Match { target: vec!["C1".to_owned()], ..Match::default() },
        until: START.plus_millis(3 * DAY),
        max_per_day: 5,
    }
}

fn with_standing(scene: Scene) -> Scene {
    scene.with(|scene| scene.policy.standing = vec![standing()]).asked()
}

fn given(scene: &Scene, voters: &[&str], count: u32) -> Command {
    Command::Stand(Box::new(AdvanceVotes {
        decision: scene.decision(),
        standing: "status".to_owned(),
        digest: standing().digest(),
        votes: voters
            .iter()
            .map(|who| (name(who), Assurance::Session, format!("nonce of {who}")))
            .collect(),
        day: 0,
        count,
    }))
}

fn stand(scene: Scene, voters: &[&str], count: u32) -> placet_core::test_util::Outcome {
    let command = given(&scene, voters, count);
    scene.when(command)
}

#[test]
fn a_standing_approval_is_a_vote_of_the_people_who_gave_it() {
    let scene = with_standing(Scene::new());
    let approved = stand(scene, &["ana"], 1).records(&[
        "StandingUsed(status 1)",
        "VoteCast(approve)",
        "DecisionSettled(approved)",
    ]);
    approved.claim().leaves_it("attempting (gated)");
}

#[test]
fn a_standing_approval_needs_the_same_votes_that_it_replaces() {
    let two = || with_standing(Scene::new().requiring(quorum(2)));
    stand(two(), &["ana"], 1).refuses("PL3032");
    stand(two(), &["ana", "ana"], 1).refuses("PL3032");
    // neither the requester, nor an agent, nor an admin who approves nothing, whoever applied it
    for nobody in ["req", "bot", "root", "eve"] {
        stand(two(), &["ana", nobody], 1).refuses("PL3032");
    }
    stand(two(), &["ana", "ben"], 1).leaves_it("approved");
    let sure = Requirement { assurance: Assurance::Nkey, ..quorum(1) };
    stand(with_standing(Scene::new().requiring(sure)), &["ana"], 1).refuses("PL3032");
    let reasons = Requirement { reason_required: ReasonRequired::Always, ..quorum(1) };
    stand(with_standing(Scene::new().requiring(reasons)), &["ana"], 1).refuses("PL3032");
}

#[test]
fn a_standing_approval_that_is_over_used_up_or_gone_settles_nothing() {
    stand(with_standing(Scene::new()), &["ana"], 6).refuses("PL3032");
    stand(with_standing(Scene::new()).later(3 * DAY), &["ana"], 1).refuses("PL3032");
    let other = Standing { max_per_day: 50, ..standing() };
    let scene = with_standing(Scene::new()).with(|scene| scene.policy.standing = vec![other]);
    stand(scene, &["ana"], 1).refuses("PL3032");
}

#[test]
fn what_was_given_in_advance_and_taken_back_does_not_count_at_the_claim() {
    let approved = || stand(with_standing(Scene::new()), &["ana"], 1).leaves_it("approved");
    let gone = approved().with(|scene| scene.policy.standing.clear());
    gone.claim().leaves_it("asked").vote("ana", Approve).leaves_it("approved");
    let no_approver = approved().with(|scene| {
        scene.policy.principals.get_mut(&name("ana")).expect("ana is known").roles.clear();
    });
    no_approver.claim().leaves_it("asked");
    let other = Standing { until: Timestamp::from_millis(i64::MAX), ..standing() };
    approved().with(|scene| scene.policy.standing = vec![other]).claim().leaves_it("asked");
}

#[test]
fn t13_one_use_of_a_standing_approval_spends_once() {
    let scene = stand(with_standing(Scene::new()), &["ana"], 1).leaves_it("approved");
    stand(scene.clone(), &["ana"], 2).refuses("PL3001");
    let spent = scene.claim().leaves_it("attempting (gated)");
    stand(spent, &["ana"], 2).refuses("PL3001");
}

// ---- emergencies --------------------------------------------------------------------------

fn emergency() -> Scene {
    let glass = Glass {
        who: ["cara", "req", "bot"].map(name).into(),
        assurance: Assurance::Session,
        review: vec![name("root")],
    };
    Scene::new().requiring(quorum(3)).with(|scene| scene.policy.break_glass = Some(glass)).asked()
}

#[test]
fn who_may_break_the_glass_sends_alone_and_gives_a_reason() {
    emergency().spoilt("cara", BreakGlass, |vote| vote.ballot.reason = None).refuses("PL3009");
    let approved = emergency().vote("cara", BreakGlass).leaves_it("approved");
    approved.clone().claim().leaves_it("attempting (gated)");
    let lost = approved.with(|scene| scene.policy.break_glass = None);
    lost.claim().leaves_it("asked");
}

#[test]
fn nobody_else_breaks_the_glass_the_requester_least_of_all() {
    for (who, code) in [
        ("ana", "PL3031"),
        ("root", "PL3031"),
        ("op", "PL3031"),
        ("req", "PL3003"),
        ("bot", "PL3012"),
    ] {
        emergency().vote(who, BreakGlass).refuses(code);
    }
    Scene::new().asked().vote("cara", BreakGlass).refuses("PL3031");
    let unsure = |vote: &mut placet_core::decide::VoteCommand| {
        vote.voter.assurance = Assurance::Test;
    };
    emergency().spoilt("cara", BreakGlass, unsure).refuses("PL3030");
}

#[test]
fn an_emergency_does_not_outweigh_what_the_policy_refuses() {
    let approved = emergency().vote("cara", BreakGlass).leaves_it("approved");
    approved
        .with(|scene| scene.world.forbidden = true)
        .claim()
        .records(&["DecisionVoided(forbidden)"]);
}
