//! Edits and reassignments (GATE.md §3): an edit approves nothing, its words need somebody else's
//! vote, and what was approved before it counts for nothing; a reassignment only narrows.
//!
//! covers: T8, T10, S1, S6, A1, A2, A6

use placet_core::test_util::{DAY, Scene, name, quorum, requirement, threshold};
use placet_core::{Command, policy};
use placet_model::approval::{Requirement, SelfApproval};
use placet_model::decision::Verdict::{Approve, Edit, Reassign, Reject, Respond, Withdraw};
use placet_model::decision::{DecisionState, Resolution};
use placet_model::event::decision::DraftOrigin;
use placet_model::{Digest, Event};

#[test]
fn an_edit_supersedes_the_request_and_asks_anew_under_other_digest_send_id_and_nonce() {
    let before = Scene::new().asked();
    let (old, first) = (before.decision(), before.branch().activity.ask().unwrap().clone());
    let edited = before.edit("ana").records(&[
        "VoteCast(edit)",
        "DecisionSettled(superseded)",
        "DraftEdited(by ana)",
    ]);
    let after = edited.with(|s| s.world.request_digest = Digest::of(b"edited")).asked();
    let second = after.branch().activity.ask().unwrap().clone();
    assert_eq!(after.run.closed[&old], DecisionState::Superseded);
    assert_eq!((second.draft.revision, second.draft.origin), (2, DraftOrigin::Edit));
    assert_eq!(second.editor, Some(name("ana")));
    assert_ne!(second.draft.digest, first.draft.digest);
    assert_ne!(second.draft.send_id, first.draft.send_id);
    assert_ne!(second.draft.nonce, first.draft.nonce);
}

#[test]
fn earlier_votes_do_not_carry_over_an_edit() {
    let scene = Scene::new().requiring(quorum(2)).asked().vote("ben", Approve).after;
    let edited = scene.edited("cara");
    assert!(edited.branch().activity.ask().unwrap().votes.is_empty());
    let one = edited.vote("ben", Approve).leaves_it("asked");
    one.vote("lead", Approve).leaves_it("approved");
}

#[test]
fn an_editor_approves_their_own_words_only_where_self_approval_is_allowed() {
    let edited = || Scene::new().asked().edited("ana");
    for verdict in [Approve, Reject, Respond] {
        edited().vote("ana", verdict).refuses("PL3050");
    }
    edited().vote("ben", Approve).leaves_it("approved");
    edited().edit("ana").leaves_it("unsent");
    let allowed =
        Requirement { self_approval: SelfApproval::Allowed, ..Requirement::default_for_project() };
    let scene = Scene::new().requiring(allowed).asked().edited("ana");
    scene.vote("ana", Approve).leaves_it("approved");
}

#[test]
fn whoever_edits_last_is_the_one_who_cannot_approve() {
    let twice = Scene::new().asked().edited("ana").edited("ben");
    twice.clone().vote("ben", Approve).refuses("PL3050");
    twice.vote("ana", Approve).leaves_it("approved");
}

#[test]
fn an_edit_needs_every_right_of_a_vote() {
    let cases = [
        ("req", "PL3003"),
        ("bot", "PL3012"),
        ("eve", "PL3008"),
        ("op", "PL3008"),
        ("root", "PL3008"),
        ("zoe", "PL3004"),
    ];
    for (voter, code) in cases {
        let outcome = Scene::new().asked().edit(voter);
        assert_eq!(outcome.code(), Some(code), "{voter}");
        outcome.refuses(code);
    }
    let voted = Scene::new().requiring(quorum(2)).asked().vote("ana", Approve).after;
    voted.edit("ana").refuses("PL3005");
    Scene::new().asked().later(7 * DAY).edit("ana").refuses("PL3006");
    Scene::new().approved().edit("ben").refuses("PL3007");
    Scene::new().asked().cancel("op").after.edit("ana").refuses("PL3014");
}

#[test]
fn an_edit_for_other_bytes_is_refused() {
    let mut scene = Scene::new().asked();
    let mut vote = Box::new(scene.ballot("ana", Edit));
    vote.ballot.digest = Digest::of(b"what the card did not show");
    scene.when(Command::Edit { vote, original: Digest::of(b"x") }).refuses("PL3002");
}

#[test]
fn a_vote_on_what_was_edited_is_refused_and_moves_nothing() {
    let mut scene = Scene::new().asked();
    let late = Box::new(scene.ballot("ben", Approve));
    let edited = scene.edited("ana");
    let after = edited.clone().when(Command::Vote(late)).refuses("PL3007");
    assert_eq!(after, edited);
}

#[test]
fn the_same_request_id_edits_once() {
    let mut scene = Scene::new().asked();
    let mut vote = Box::new(scene.ballot("ana", Edit));
    vote.request_id = Some("req-1".to_owned());
    let again = Command::Edit { vote, original: Digest::of(b"x") };
    let edited = scene.when(again.clone()).leaves_it("unsent").asked();
    edited.when(again).records_nothing();
}

/// A claim sets the votes against the rights of the moment (T18): an editor's vote that was given
/// where it counted does not once the policy asks for somebody else.
#[test]
fn an_editors_vote_is_counted_anew_at_the_claim() {
    let allowed =
        Requirement { self_approval: SelfApproval::Allowed, ..Requirement::default_for_project() };
    let scene = Scene::new().requiring(allowed).asked().edited("ana").vote("ana", Approve).after;
    let stricter = scene.requiring(Requirement::default_for_project());
    let raised = stricter.claim().leaves_it("asked");
    raised.vote("ben", Approve).leaves_it("approved");
}

#[test]
fn what_was_edited_stays_its_editors_over_a_resend_and_a_new_epoch() {
    let sent = Scene::new().asked().edited("ana").vote("ben", Approve).after.claim().after;
    let unsent = sent.doubt().after.resolve("op", Resolution::NotSent).leaves_it("unsent");
    unsent.asked().vote("ana", Approve).refuses("PL3050");

    let restored = Scene::new().asked().edited("ana").when(Command::NewEpoch).leaves_it("unsent");
    let asked = restored.asked();
    assert_eq!(asked.branch().activity.ask().unwrap().draft.origin, DraftOrigin::Resend);
    asked.vote("ana", Approve).refuses("PL3050");
}

#[test]
fn nobody_but_the_law_of_edits_makes_a_draft_an_edit() {
    let scene = Scene::new().asked().edit("ana").after;
    let Some((_, _, edited @ Event::DraftEdited(_))) = scene.recorded.last().cloned() else {
        unreachable!("the edit was recorded")
    };
    Scene::new().asked().when(Command::Progress(Box::new(edited))).cannot_follow();
    let mut started = Scene::new().started();
    let mut draft = started.draft();
    draft.origin = DraftOrigin::Edit;
    started.seal(&mut draft);
    let decision = started.mint_decision();
    started.when(Command::Propose { draft: Box::new(draft), decision }).cannot_follow();
}

#[test]
fn a_request_is_left_to_fewer_of_those_who_may_decide_it() {
    let left = Scene::new().asked().reassign("ana", &["ben"]);
    let scene = left.records(&["VoteCast(reassign)", "DecisionReassigned(ben)"]);
    scene.clone().vote("cara", Approve).refuses("PL3008");
    scene.clone().vote("cara", Reject).refuses("PL3008");
    scene.clone().vote("req", Withdraw).leaves_it("denied");
    scene.vote("ben", Approve).leaves_it("approved");
}

#[test]
fn a_reassignment_gives_nobody_a_right() {
    let of_leads =
        || Scene::new().requiring(requirement(vec![threshold(&["leads"], 1, 1)])).asked();
    let refused = [
        (vec!["eve"], "an auditor"),
        (vec!["req"], "the requester"),
        (vec!["bot"], "an agent"),
        (vec!["ben"], "an approver whom the requirement does not name"),
        (vec!["ana", "ben"], "one who may and one who may not"),
        (vec!["zoe"], "nobody by that name"),
        (vec![], "nobody"),
    ];
    for (to, case) in refused {
        let outcome = of_leads().reassign("ana", &to);
        assert_eq!(outcome.code(), Some("PL3052"), "{case}");
        outcome.refuses("PL3052");
    }
    of_leads().reassign("op", &["lead"]).leaves_it("asked");
    of_leads().reassign("ben", &["lead"]).refuses("PL3008");
}

#[test]
fn the_requester_and_agents_choose_no_approver() {
    Scene::new().asked().reassign("req", &["ben"]).refuses("PL3003");
    Scene::new().asked().reassign("bot", &["ben"]).refuses("PL3012");
    Scene::new().asked().reassign("eve", &["ben"]).refuses("PL3008");
    let requester = Scene::new().with(|scene| {
        let info = scene.policy.principals.get_mut(&name("req")).unwrap();
        info.roles.insert(placet_model::actor::Role::Operator);
    });
    requester.asked().reassign("req", &["ben"]).refuses("PL3003");
}

#[test]
fn too_few_for_a_quorum_are_refused_and_votes_that_were_cast_count_on() {
    let asked = || Scene::new().requiring(quorum(2)).asked();
    asked().reassign("ana", &["ben"]).refuses("PL3052");
    let voted = asked().vote("ana", Approve).after.reassign("op", &["ben", "cara"]).after;
    voted.clone().vote("lead", Approve).refuses("PL3008");
    voted.vote("ben", Approve).leaves_it("approved");
}

#[test]
fn a_reassignment_to_a_person_who_leaves_opens_the_request_to_all_who_could() {
    let scene = Scene::new().asked().reassign("ana", &["ben"]).after;
    let gone = scene.with(|scene| drop(scene.policy.principals.remove(&name("ben"))));
    gone.vote("cara", Approve).leaves_it("approved");
}

#[test]
fn a_reassigned_request_is_claimed_by_the_votes_of_those_it_was_left_to() {
    let scene = Scene::new().asked().reassign("ana", &["ben"]).after.vote("ben", Approve).after;
    scene.clone().claim().leaves_it("attempting (gated)");
    let gone = scene.with(|scene| drop(scene.policy.principals.remove(&name("ben"))));
    gone.claim().leaves_it("asked");
}

#[test]
fn whoever_reassigns_may_still_vote_where_it_was_left_to_them() {
    let scene = Scene::new().asked().reassign("ana", &["leads"]).after;
    assert!(!policy::is_agent(&scene.policy, &name("ana")));
    scene.clone().vote("ana", Approve).leaves_it("approved");
    let mut again = scene;
    let vote = again.ballot("ana", Reassign);
    let (vote, to) = (Box::new(vote), vec![name("lead")]);
    again.when(Command::Reassign { vote, to }).leaves_it("asked");
}
