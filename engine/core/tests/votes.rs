//! Votes (GATE.md §3): who may say what, when, and what comes of it. A refusal has a code and
//! records nothing.
//!
//! covers: S6, S7, T3, T7, T12, T14, T17, T20, T21

use placet_core::decide::VoteCommand;
use placet_core::test_util::{
    DAY, HOUR, MINUTE, Scene, describe, name, quorum, requirement, threshold,
};
use placet_model::actor::{PrincipalKind, Role};
use placet_model::approval::{ReasonRequired, Requirement, SelfApproval};
use placet_model::decision::Verdict::{self, Approve, Edit, Reassign, Reject, Respond, Withdraw};
use placet_model::event::run::RunStarted;
use placet_model::policy::PrincipalInfo;
use placet_model::{DecisionId, Digest, Event};

type Spoil = fn(&mut VoteCommand);

/// A draft in the inbox of a run that this principal has caused.
fn asked_by(requester: &str) -> Scene {
    let scene = Scene::new();
    let started = RunStarted { requester: name(requester), ..scene.run_started() };
    scene.record(started).asked()
}

fn asking_reasons(reason_required: ReasonRequired) -> Scene {
    let requirement = Requirement { reason_required, ..Requirement::default_for_project() };
    Scene::new().requiring(requirement).asked()
}

#[test]
fn a_vote_that_does_not_fit_is_refused_with_its_code_and_records_nothing() {
    let good: Spoil = |_| {};
    let cases: &[(&str, &str, Verdict, Spoil, &str)] = &[
        ("other bytes", "ana", Approve, |v| v.ballot.digest = Digest::of(b"other"), "PL3002"),
        (
            "another decision",
            "ana",
            Approve,
            |v| v.ballot.decision = DecisionId::from_bytes([0; 16]),
            "PL3001",
        ),
        ("the requester approves", "req", Approve, good, "PL3003"),
        ("the requester rejects", "req", Reject, good, "PL3003"),
        ("the requester responds", "req", Respond, good, "PL3003"),
        ("nobody by that name", "zoe", Approve, good, "PL3004"),
        ("an agent with the role approver", "bot", Approve, good, "PL3012"),
        ("an agent rejects", "bot", Reject, good, "PL3012"),
        ("an agent with the role operator withdraws", "bot", Withdraw, good, "PL3012"),
        ("an auditor", "eve", Approve, good, "PL3008"),
        ("an operator approves", "op", Approve, good, "PL3008"),
        ("an admin approves", "root", Approve, good, "PL3008"),
        ("an auditor responds", "eve", Respond, good, "PL3008"),
        ("an approver withdraws", "ana", Withdraw, good, "PL3008"),
        ("an edit without its content", "ana", Edit, good, "PL3013"),
        ("a reassignment without its people", "ana", Reassign, good, "PL3013"),
        ("a rejection without a reason", "ana", Reject, |v| v.ballot.reason = None, "PL3009"),
        (
            "a rejection with an empty reason",
            "ana",
            Reject,
            |v| v.ballot.reason = Some(" \n\t".into()),
            "PL3009",
        ),
        ("a response without words", "ana", Respond, |v| v.ballot.reason = None, "PL3009"),
    ];
    for (case, voter, verdict, spoil, code) in cases {
        let outcome = Scene::new().asked().spoilt(voter, *verdict, spoil);
        assert_eq!(outcome.code(), Some(*code), "{case}");
        outcome.refuses(code);
    }
}

#[test]
fn the_time_in_a_vote_lies_between_fifteen_minutes_ago_and_a_minute_ahead() {
    let cases = [
        (-15 * MINUTE - 1, Some("PL3010")),
        (-15 * MINUTE, None),
        (0, None),
        (MINUTE, None),
        (MINUTE + 1, Some("PL3010")),
    ];
    for (shift, code) in cases {
        let scene = Scene::new().asked().later(HOUR);
        let outcome = scene
            .spoilt("ana", Approve, |vote| vote.ballot.time = vote.ballot.time.plus_millis(shift));
        assert_eq!(outcome.code(), code, "{shift} ms");
    }
}

#[test]
fn a_vote_on_what_is_over_says_how_it_ended() {
    let void = || Scene::new().approved().later(8 * DAY).expire().after;
    let cases = [
        ("its time has passed", Scene::new().asked().later(7 * DAY), "PL3006"),
        ("it has expired", Scene::new().asked().later(7 * DAY).expire().after, "PL3006"),
        ("the run was cancelled", Scene::new().asked().cancel("op").after, "PL3014"),
        ("approved", Scene::new().approved(), "PL3007"),
        ("rejected", Scene::new().asked().vote("ben", Reject).after, "PL3007"),
        ("responded", Scene::new().asked().vote("ben", Respond).after, "PL3007"),
        ("withdrawn", Scene::new().asked().vote("req", Withdraw).after, "PL3007"),
        ("consumed", Scene::new().attempting(), "PL3007"),
        ("sent", Scene::new().attempting().succeed().after, "PL3007"),
        ("void", void(), "PL3007"),
    ];
    for (case, scene, code) in cases {
        for verdict in [Approve, Reject, Respond, Withdraw] {
            let outcome = scene.clone().vote("ana", verdict);
            assert_eq!(outcome.code(), Some(code), "{case}: {verdict}");
            outcome.refuses(code);
        }
    }
}

#[test]
fn the_last_moment_for_a_vote_is_just_before_the_expiry() {
    Scene::new().asked().later(7 * DAY - 1).vote("ana", Approve).leaves_it("approved");
    Scene::new().asked().later(7 * DAY).vote("ana", Approve).refuses("PL3006");
}

#[test]
fn nobody_votes_twice_on_one_draft() {
    let voted =
        || Scene::new().requiring(quorum(2)).asked().vote("ana", Approve).leaves_it("asked");
    for verdict in [Approve, Reject, Respond] {
        voted().vote("ana", verdict).refuses("PL3005");
    }
}

#[test]
fn a_nonce_serves_one_vote() {
    let mut scene = Scene::new().requiring(quorum(2)).asked();
    let vote = scene.ballot("ana", Approve);
    let nonce = vote.ballot.nonce.clone();
    let voted = scene.when(placet_core::Command::Vote(Box::new(vote))).leaves_it("asked");
    voted.spoilt("ana", Approve, |vote| vote.ballot.nonce = nonce).refuses("PL3011");
}

#[test]
fn the_same_request_id_gets_the_same_answer_and_changes_nothing() {
    let id: Spoil = |vote| vote.request_id = Some("r1".to_owned());
    let voted = || Scene::new().asked().spoilt("ana", Approve, id).leaves_it("approved");
    let later: Vec<(&str, Scene)> = vec![
        ("approved", voted()),
        ("expired", voted().later(8 * DAY).expire().after),
        ("cancelled", voted().cancel("op").after),
        ("sent", voted().attempting().succeed().after),
    ];
    for (case, scene) in later {
        let decision = voted().decision();
        let again = scene.spoilt("ana", Approve, |vote| {
            id(vote);
            vote.ballot.decision = decision;
        });
        assert_eq!(again.result, Ok(vec![]), "{case}");
        again.records_nothing();
    }
}

#[test]
fn the_same_request_id_for_another_act_is_refused() {
    let id: Spoil = |vote| vote.request_id = Some("r1".to_owned());
    let voted =
        || Scene::new().requiring(quorum(2)).asked().spoilt("ana", Approve, id).leaves_it("asked");
    voted().spoilt("ana", Reject, id).refuses("PL3018");
    let other: Spoil = |vote| {
        vote.request_id = Some("r1".to_owned());
        vote.ballot.decision = DecisionId::from_bytes([0; 16]);
    };
    voted().spoilt("ana", Approve, other).refuses("PL3018");
    // a request id is the client's own: another person's is another
    voted().spoilt("ben", Approve, id).leaves_it("approved");
}

#[test]
fn a_quorum_of_two_takes_two_people() {
    let one = Scene::new().requiring(quorum(2)).asked().vote("ana", Approve);
    let one = one.records(&["VoteCast(approve)"]);
    let two = one.vote("ben", Approve);
    two.records(&["VoteCast(approve)", "DecisionSettled(approved)"]);
}

#[test]
fn one_rejection_ends_it_whatever_was_said_before() {
    let scene = Scene::new().requiring(quorum(2)).asked().vote("ana", Approve).after;
    let outcome = scene.vote("ben", Reject);
    let scene = outcome.records(&["VoteCast(reject)", "DecisionSettled(rejected)"]);
    scene.vote("cara", Approve).refuses("PL3007");
}

#[test]
fn a_deny_threshold_of_two_takes_two_rejections() {
    let two = requirement(vec![threshold(&[], 2, 2)]);
    let scene = Scene::new().requiring(two).asked().vote("ana", Reject);
    let scene = scene.records(&["VoteCast(reject)"]);
    scene.clone().vote("ben", Reject).leaves_it("denied");
    let scene = scene.vote("ben", Approve).records(&["VoteCast(approve)"]);
    scene.vote("cara", Approve).leaves_it("approved");
}

#[test]
fn only_the_members_of_a_named_group_decide() {
    let leads = || {
        let leads = requirement(vec![threshold(&["leads"], 1, 1)]);
        Scene::new().requiring(leads).asked()
    };
    leads().vote("ben", Approve).refuses("PL3008");
    leads().vote("ben", Reject).refuses("PL3008");
    leads().vote("lead", Approve).leaves_it("approved");
    let left = leads().with(|scene| {
        scene.policy.groups.insert(name("leads"), [name("ana")].into());
    });
    left.vote("lead", Approve).refuses("PL3008");
}

#[test]
fn a_group_member_without_the_role_approver_does_not_count() {
    let leads = requirement(vec![threshold(&["leads", "eve", "bot"], 1, 1)]);
    let scene = Scene::new().requiring(leads).asked();
    scene.clone().vote("eve", Approve).refuses("PL3008");
    scene.vote("bot", Approve).refuses("PL3012");
}

#[test]
fn every_threshold_must_be_met() {
    let both = requirement(vec![threshold(&["leads"], 1, 1), threshold(&["ben", "cara"], 1, 1)]);
    let asked = || Scene::new().requiring(both.clone()).asked();
    let scene = asked().vote("ana", Approve).leaves_it("asked");
    let scene = scene.vote("lead", Approve).leaves_it("asked");
    scene.vote("cara", Approve).leaves_it("approved");
    asked().vote("ben", Approve).leaves_it("asked").vote("ana", Reject).leaves_it("denied");
}

#[test]
fn a_rejection_never_settles_it_as_approved() {
    // given an approval that was enough, then was not, and would be again
    let lenient = requirement(vec![threshold(&[], 1, 2)]);
    let scene = Scene::new().requiring(lenient).asked().vote("ana", Approve).after;
    let policy = scene.policy.clone();
    let scene = scene.with(|scene| {
        scene.policy.principals.remove(&name("ana"));
    });
    let scene = scene.claim().leaves_it("asked").with(|scene| scene.policy = policy);
    // then the word that settles it is a yes
    let scene = scene.vote("ben", Reject).records(&["VoteCast(reject)"]);
    scene.vote("cara", Approve).leaves_it("approved");
}

#[test]
fn who_sends_it_back_ends_it_with_words() {
    let outcome = Scene::new().asked().vote("ana", Respond);
    let scene = outcome.records(&["VoteCast(respond)", "DecisionSettled(responded)"]);
    let [.., (_, _, Event::VoteCast(vote)), (_, _, Event::DecisionSettled(settled))] =
        scene.recorded.as_slice()
    else {
        unreachable!("these two were just recorded")
    };
    assert_eq!(settled.reason, vote.reason, "the settlement points at the words");
    assert_eq!(
        vote.reason.map(|reason| reason.revision),
        scene.run.revision.get().checked_sub(1).map(placet_model::Revision::new)
    );
}

#[test]
fn the_requester_and_an_operator_may_take_it_back() {
    for who in ["req", "op"] {
        let outcome = Scene::new().asked().vote(who, Withdraw);
        outcome.records(&["VoteCast(withdraw)", "DecisionSettled(withdrawn)"]);
    }
    for (who, code) in [("ana", "PL3008"), ("root", "PL3008"), ("eve", "PL3008")] {
        Scene::new().asked().vote(who, Withdraw).refuses(code);
    }
}

#[test]
fn an_agent_may_take_back_its_own_draft_and_do_nothing_else() {
    let asked = || asked_by("bot");
    asked().vote("bot", Withdraw).records(&["VoteCast(withdraw)", "DecisionSettled(withdrawn)"]);
    for verdict in [Approve, Reject, Respond] {
        asked().vote("bot", verdict).refuses("PL3012");
    }
}

#[test]
fn who_has_voted_may_still_take_it_back() {
    let requirement = Requirement { self_approval: SelfApproval::Allowed, ..quorum(2) };
    let scene = Scene::new().requiring(requirement).asked().vote("req", Approve).leaves_it("asked");
    scene.vote("req", Withdraw).records(&["VoteCast(withdraw)", "DecisionSettled(withdrawn)"]);
}

#[test]
fn t03_no_role_lets_the_requester_count_where_self_approval_is_refused() {
    for role in Role::ALL {
        let scene = Scene::new().asked().with(|scene| {
            let info = scene.policy.principals.get_mut(&name("req")).expect("req is known");
            info.roles.insert(*role);
        });
        for verdict in [Approve, Reject, Respond] {
            let outcome = scene.clone().vote("req", verdict);
            assert!(outcome.code().is_some(), "{role}: {verdict}");
            assert!(outcome.after == outcome.before, "{role}: {verdict}");
        }
    }
}

#[test]
fn the_requester_counts_where_every_rule_allows_it() {
    let requirement = Requirement { self_approval: SelfApproval::Allowed, ..quorum(1) };
    Scene::new().requiring(requirement).asked().vote("req", Approve).leaves_it("approved");
}

#[test]
fn no_other_role_outweighs_that_somebody_is_an_agent() {
    use PrincipalKind::{Agent, User};
    for role in Role::ALL {
        let by_kind = PrincipalInfo { kind: Agent, roles: [Role::Approver, *role].into() };
        let by_role =
            PrincipalInfo { kind: User, roles: [Role::Agent, Role::Approver, *role].into() };
        for info in [by_kind, by_role] {
            let scene = Scene::new().asked().with(|scene| {
                scene.policy.principals.insert(name("robot"), info.clone());
            });
            for verdict in [Approve, Reject, Respond, Withdraw] {
                let outcome = scene.clone().vote("robot", verdict);
                assert_eq!(outcome.code(), Some("PL3012"), "{info:?}: {verdict}");
            }
        }
    }
}

#[test]
fn reasons_are_asked_for_as_the_requirement_says() {
    use ReasonRequired::{Always, Never, OnReject};
    let cases = [
        (Never, Approve, true),
        (Never, Reject, true),
        (Never, Respond, false),
        (OnReject, Approve, true),
        (OnReject, Reject, false),
        (OnReject, Respond, false),
        (Always, Approve, false),
        (Always, Reject, false),
        (Always, Respond, false),
    ];
    for (required, verdict, without) in cases {
        let scene = asking_reasons(required);
        let outcome = scene.clone().spoilt("ana", verdict, |vote| vote.ballot.reason = None);
        let expected = if without { None } else { Some("PL3009") };
        assert_eq!(outcome.code(), expected, "{required}: {verdict}");
        assert_eq!(scene.vote("ana", verdict).code(), None, "{required}: {verdict}, with words");
    }
    asking_reasons(Always)
        .spoilt("req", Withdraw, |vote| vote.ballot.reason = None)
        .leaves_it("denied");
}

#[test]
fn rights_are_those_at_the_moment_of_the_vote() {
    let scene = Scene::new().asked().with(|scene| {
        scene.policy.principals.get_mut(&name("ana")).expect("ana is known").roles.clear();
    });
    scene.vote("ana", Approve).refuses("PL3008");
    let scene = Scene::new().asked().with(|scene| {
        scene.policy.principals.get_mut(&name("eve")).expect("eve is known").roles =
            [Role::Approver].into();
    });
    scene.vote("eve", Approve).leaves_it("approved");
}

#[test]
fn a_hundred_votes_settle_it_once() {
    let mut scene = Scene::new().asked();
    for round in 0..100 {
        let voter = ["ana", "ben", "cara", "lead"][round % 4];
        let verdict = [Approve, Reject, Respond][round % 3];
        scene = scene.vote(voter, verdict).after;
    }
    let settled = scene.recorded.iter().filter(|(_, _, e)| matches!(e, Event::DecisionSettled(_)));
    assert_eq!(settled.count(), 1);
}

#[test]
fn t07_the_log_tells_who_said_what_and_how_sure_we_are() {
    let scene = Scene::new().asked().vote("ana", Reject).after;
    let votes: Vec<_> = scene
        .recorded
        .iter()
        .filter_map(
            |(_, _, event)| if let Event::VoteCast(vote) = event { Some(vote) } else { None },
        )
        .collect();
    let [vote] = votes.as_slice() else { unreachable!("one vote was cast: {votes:?}") };
    assert_eq!((vote.voter.as_str(), vote.verdict), ("ana", Reject));
    assert_eq!(vote.assurance, placet_model::decision::Assurance::Session);
    assert!(vote.reason.is_some());
    assert_eq!(describe(&Event::from((*vote).clone())), "VoteCast(reject)");
}

#[test]
fn an_expired_request_is_a_no() {
    Scene::new().asked().later(7 * DAY - 1).expire().records_nothing();
    let scene = Scene::new().asked().later(7 * DAY).expire();
    scene.records(&["DecisionSettled(expired)"]).expire().records_nothing();
}
