//! Where the rules of a policy meet the verbs: standing in, reassignment, escalation, edits, votes given
//! in advance, emergencies. And what holds of every count.
//!
//! covers: S6, T3, T8, T13, T18

use placet_core::Command;
use placet_core::decide::AdvanceVotes;
use placet_core::policy::{Electorate, Moment, stricter};
use placet_core::test_util::{
    DAY, HOUR, Outcome, START, Scene, default_policy, name, quorum, requirement, threshold,
};
use placet_model::approval::{Escalation, Requirement, SelfApproval, Threshold};
use placet_model::decision::Verdict::{
    Approve, BreakGlass, Edit, Reassign, Reject, Respond, Withdraw,
};
use placet_model::decision::{Assurance, Verdict};
use placet_model::event::decision::VoteCast;
use placet_model::policy::{BreakGlass as Glass, Delegation, Match, Policy, Standing};
use placet_model::{DecisionId, Digest, Duration, Principal, Timestamp};
use proptest::prelude::{Strategy, any, prop_assert, proptest};
use proptest::{collection, option, sample};

fn stands_in(to: &str, of: &str) -> Delegation {
    Delegation { from: name(of), to: name(to), since: START, until: START.plus_millis(9 * DAY) }
}

fn leads() -> Requirement {
    requirement(vec![threshold(&["leads"], 1, 1)])
}

fn glass(who: &[&str]) -> Glass {
    let who = who.iter().map(|who| name(who)).collect();
    Glass { who, assurance: Assurance::Session, review: vec![name("root")] }
}

// ---- reassignment -------------------------------------------------------------------------

#[test]
fn a_rejection_that_was_cast_counts_on_after_a_reassignment() {
    let two_and_two = requirement(vec![threshold(&[], 2, 2)]);
    let scene = Scene::new().requiring(two_and_two).asked().vote("ben", Reject).leaves_it("asked");
    // whoever wants it through leaves it to two who have not said no
    let left = scene.reassign("ana", &["ana", "cara"]).leaves_it("asked");
    left.vote("cara", Reject).leaves_it("denied");
}

#[test]
fn who_leaves_it_to_themselves_gets_no_more_weight_by_it() {
    let asked = || Scene::new().requiring(quorum(2)).asked();
    asked().reassign("ana", &["ana"]).refuses("PL3052");
    let left = asked().reassign("ana", &["ana", "ben"]).leaves_it("asked");
    let voted = left.vote("ana", Approve).leaves_it("asked");
    voted.vote("ana", Approve).refuses("PL3005");
}

#[test]
fn who_stands_in_for_somebody_may_be_left_with_it_and_takes_their_place_only() {
    let away = Scene::new().requiring(leads());
    let away = away.with(|scene| scene.policy.delegations = vec![stands_in("ben", "ana")]).asked();
    let left = away.reassign("lead", &["ben"]).leaves_it("asked");
    left.clone().vote("lead", Approve).refuses("PL3008");
    left.clone().vote("ben", Approve).leaves_it("approved").claim().leaves_it("attempting (gated)");
    // when the window is over nobody of those it was left to can decide: all who could may again
    left.later(9 * DAY - 1).with(|s| s.policy.delegations.clear()).vote("lead", Approve).code();
    let late = Scene::new().requiring(leads());
    let late = late.with(|scene| scene.policy.delegations = vec![stands_in("ben", "ana")]).asked();
    let late = late.reassign("lead", &["ben"]).after.with(|s| s.policy.delegations.clear());
    late.clone().vote("ben", Approve).refuses("PL3008");
    late.vote("lead", Approve).leaves_it("approved");
}

#[test]
fn an_escalation_after_a_reassignment_still_lets_more_people_decide() {
    let mut one = threshold(&["leads"], 1, 1);
    one.escalate = Some(Escalation { after: Duration::from_days(1), to: vec![name("cara")] });
    let left = Scene::new().requiring(requirement(vec![one])).asked();
    let left = left.reassign("ana", &["lead"]).leaves_it("asked");
    left.clone().vote("cara", Approve).refuses("PL3008");
    left.clone().later(DAY).vote("cara", Approve).leaves_it("approved");
    left.clone().later(DAY).vote("lead", Approve).leaves_it("approved");
    left.later(DAY).vote("ana", Approve).refuses("PL3008");
}

// ---- edits --------------------------------------------------------------------------------

#[test]
fn who_has_edited_decides_by_no_way_on_what_they_wrote() {
    let mine = |change: fn(&mut Scene)| Scene::new().with(change).asked().edited("ana");
    let plain = mine(|_| {});
    plain.clone().vote("ana", Approve).refuses("PL3050");
    plain.vote("ana", Respond).refuses("PL3050");
    // in an emergency
    let broken = mine(|scene| scene.policy.break_glass = Some(glass(&["ana", "cara"])));
    broken.clone().vote("ana", BreakGlass).refuses("PL3050");
    broken.vote("cara", BreakGlass).leaves_it("approved");
    // through somebody who stands in for them, or in the place of somebody else
    let of_leads = |to: &str, of: &str| {
        let away = stands_in(to, of);
        let scene = Scene::new().requiring(leads());
        let scene = scene.with(|scene| scene.policy.delegations = vec![away]).asked();
        scene.edited("ana")
    };
    of_leads("ben", "ana").vote("ben", Approve).refuses("PL3008");
    of_leads("ana", "lead").vote("ana", Approve).refuses("PL3050");
    of_leads("ben", "lead").vote("ben", Approve).leaves_it("approved");
    // and nobody can leave it to them
    mine(|_| {}).reassign("ben", &["ana"]).refuses("PL3052");
}

fn standing() -> Standing {
    Standing {
        name: "status".to_owned(),
        matches: Match::default(),
        until: Timestamp::from_millis(i64::MAX),
        max_per_day: 5,
    }
}

fn with_standing(scene: Scene) -> Scene {
    scene.with(|scene| scene.policy.standing = vec![standing()]).asked()
}

fn stand(scene: Scene, voters: &[&str]) -> Outcome {
    let votes = voters.iter().map(|who| (name(who), Assurance::Session, format!("{who} once")));
    let (digest, votes) = (standing().digest(), votes.collect());
    let standing = "status".to_owned();
    let (decision, day, count) = (scene.decision(), 0, 1);
    scene.when(Command::Stand(Box::new(AdvanceVotes {
        decision,
        standing,
        digest,
        votes,
        day,
        count,
    })))
}

#[test]
fn a_vote_given_in_advance_is_no_vote_for_what_its_giver_has_edited() {
    let edited = with_standing(Scene::new()).edited("ana");
    stand(edited.clone(), &["ana"]).refuses("PL3032");
    stand(edited, &["ana", "ben"]).leaves_it("approved");
}

// ---- votes given in advance -----------------------------------------------------------------

#[test]
fn whoever_gave_a_vote_in_advance_that_was_taken_back_may_give_it_anew() {
    let approved = stand(with_standing(Scene::new()), &["ana"]).leaves_it("approved");
    let gone = approved.with(|scene| scene.policy.standing.clear());
    let asked = gone.claim().leaves_it("asked");
    let again = asked.vote("ana", Approve).leaves_it("approved");
    // the second one is of that moment, and enough
    again.claim().leaves_it("attempting (gated)");
}

#[test]
fn what_was_given_in_advance_comes_back_with_its_wording_and_counts_once() {
    let two = Scene::new().requiring(quorum(2));
    let approved = stand(with_standing(two), &["ana", "ben"]).leaves_it("approved");
    let gone = approved.with(|scene| scene.policy.standing.clear()).claim().leaves_it("asked");
    let again = gone.vote("ana", Approve).leaves_it("asked");
    let back = again.with(|scene| scene.policy.standing = vec![standing()]);
    back.clone().vote("ana", Approve).refuses("PL3005");
    back.vote("cara", Approve).leaves_it("approved").claim().leaves_it("attempting (gated)");
}

// ---- emergencies --------------------------------------------------------------------------

#[test]
fn an_emergency_is_held_by_a_pause_and_taken_back_by_nobody_once_it_is_approved() {
    let scene = Scene::new().with(|scene| scene.policy.break_glass = Some(glass(&["cara"])));
    let approved =
        scene.requiring(quorum(3)).asked().vote("cara", BreakGlass).leaves_it("approved");
    let paused = approved.with(|scene| {
        scene.world.hold = Some(placet_core::claim::Hold::Paused);
    });
    let held = paused.claim().records_nothing();
    held.clone().vote("req", Withdraw).refuses("PL3007");
    held.clone().vote("op", Withdraw).refuses("PL3007");
    held.clone().cancel("op").leaves_it("cancelled");
    held.with(|scene| scene.world.hold = None).claim().leaves_it("attempting (gated)");
    // before that, whoever caused it may take it back, and then no glass is left to break
    let scene = Scene::new().with(|scene| scene.policy.break_glass = Some(glass(&["cara"])));
    let withdrawn = scene.asked().vote("req", Withdraw).leaves_it("denied");
    withdrawn.vote("cara", BreakGlass).refuses("PL3007");
}

#[test]
fn an_emergency_needs_its_own_assurance_whoever_stands_in_for_whom() {
    let sure = Glass { assurance: Assurance::Passkey, ..glass(&["cara"]) };
    let scene = Scene::new().with(|scene| {
        scene.policy.break_glass = Some(sure);
        scene.policy.delegations = vec![stands_in("ben", "cara")];
    });
    let asked = scene.asked();
    asked.clone().vote("cara", BreakGlass).refuses("PL3030");
    asked.clone().vote("ben", BreakGlass).refuses("PL3030");
    // who stands in for somebody breaks no glass of theirs
    let with = |scene: Scene, who: &str| {
        scene.spoilt(who, BreakGlass, |vote| vote.voter.assurance = Assurance::Passkey)
    };
    with(asked.clone(), "ben").refuses("PL3031");
    with(asked, "cara").leaves_it("approved");
}

// ---- how sure it is -----------------------------------------------------------------------

#[test]
fn who_stands_in_must_be_as_sure_as_whoever_they_stand_in_for() {
    let sure = Requirement { assurance: Assurance::Nkey, ..leads() };
    let scene = Scene::new().requiring(sure);
    let scene =
        scene.with(|scene| scene.policy.delegations = vec![stands_in("ben", "ana")]).asked();
    scene.clone().vote("ben", Approve).refuses("PL3030");
    let signed =
        |scene: Scene| scene.spoilt("ben", Approve, |vote| vote.voter.assurance = Assurance::Nkey);
    signed(scene).records(&[
        "VoteCast(approve)",
        "VoteDelegated(ben for ana)",
        "DecisionSettled(approved)",
    ]);
}

// ---- what holds of every count ----------------------------------------------------------------

const PEOPLE: [&str; 6] = ["ana", "ben", "cara", "lead", "req", "bot"];

fn person() -> impl Strategy<Value = Principal> {
    sample::select(PEOPLE.to_vec()).prop_map(name)
}

fn thresholds() -> impl Strategy<Value = Vec<Threshold>> {
    let from = sample::subsequence(vec!["leads", "ana", "ben", "cara", "req"], 0..3);
    let escalate = option::of((0..3i64, person()));
    let one = (from, 1..3u16, 1..3u16, escalate).prop_map(|(from, approve, deny, escalate)| {
        let escalate = escalate
            .map(|(days, to)| Escalation { after: Duration::from_days(days), to: vec![to] });
        Threshold { escalate, ..threshold(&from, approve, deny) }
    });
    collection::vec(one, 1..3)
}

fn requirements() -> impl Strategy<Value = Requirement> {
    let own = sample::select(vec![SelfApproval::Refused, SelfApproval::Allowed]);
    let sure = sample::select(vec![Assurance::Session, Assurance::Nkey]);
    (thresholds(), own, sure).prop_map(|(thresholds, self_approval, assurance)| Requirement {
        thresholds,
        self_approval,
        assurance,
        ..quorum(1)
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let stands = collection::vec((person(), person()), 0..4);
    let glass = option::of(collection::vec(person(), 1..3));
    (stands, glass).prop_map(|(stands, who)| Policy {
        delegations: stands
            .into_iter()
            .map(|(to, from)| Delegation { to, from, ..stands_in("ben", "ana") })
            .collect(),
        break_glass: who.map(|who| Glass { who, ..glass_of_nobody() }),
        ..default_policy()
    })
}

fn glass_of_nobody() -> Glass {
    glass(&[])
}

fn votes(verdicts: &'static [Verdict]) -> impl Strategy<Value = Vec<VoteCast>> {
    let sure = sample::select(vec![Assurance::Session, Assurance::Nkey]);
    let one = (person(), sample::select(verdicts.to_vec()), sure);
    collection::vec(one, 0..6).prop_map(|votes| {
        let cast = |(n, (voter, verdict, assurance)): (usize, (Principal, Verdict, Assurance))| {
            let (decision, digest) = (DecisionId::from_bytes([1; 16]), Digest::of(b"draft"));
            let (reason, request_id, signed) = (None, None, None);
            let (voted_at, nonce) = (START, n.to_string());
            VoteCast {
                decision,
                digest,
                verdict,
                voter,
                assurance,
                voted_at,
                nonce,
                reason,
                request_id,
                signed,
            }
        };
        votes.into_iter().enumerate().map(cast).collect()
    })
}

fn moments() -> impl Strategy<Value = Moment> {
    (0..5i64)
        .prop_map(|days| Moment { now: START.plus_millis(days * DAY + HOUR), requested_at: START })
}

const ALL: &[Verdict] = &[Approve, Approve, Approve, Reject, BreakGlass];
const YES: &[Verdict] = &[Approve];

proptest! {
    /// T3, by every way in which somebody may come to vote: group, name, standing in, reassignment,
    /// escalation, emergency.
    #[test]
    fn t03_the_requester_and_an_agent_satisfy_nothing_by_any_way(
        (thresholds, policy, assigned) in (thresholds(), policies(), collection::vec(person(), 0..3)),
        (edited, moment) in (option::of(person()), moments()),
        cast in votes(ALL),
    ) {
        let requirement = requirement(thresholds);
        let requester = name("req");
        let editor = edited.as_ref();
        let electorate = Electorate {
            policy: &policy, requirement: &requirement, requester: &requester, editor,
            assigned: &assigned, moment,
        };
        for nobody in [Some(&requester), Some(&name("bot")), editor].into_iter().flatten() {
            prop_assert!(!electorate.is_entitled(nobody), "{nobody}");
            prop_assert!(!electorate.may_break_glass(nobody), "{nobody}");
            let theirs: Vec<VoteCast> =
                cast.iter().map(|vote| VoteCast { voter: nobody.clone(), ..vote.clone() }).collect();
            let tally = electorate.tally(&theirs);
            prop_assert!(!tally.missing.is_empty(), "{nobody} alone is enough");
            prop_assert!(!tally.denied, "{nobody} alone ends it");
            // nor do they add anything to what others say
            let others = |vote: &&VoteCast| vote.voter != *nobody;
            let without: Vec<VoteCast> = cast.iter().filter(others).cloned().collect();
            prop_assert!(electorate.tally(&without) == electorate.tally(&cast), "{nobody} counts");
        }
    }

    /// What is enough under the stricter of two is enough under each of them.
    #[test]
    fn counting_is_monotone_in_strictness(
        (one, other, policy) in (requirements(), requirements(), policies()),
        (cast, moment) in (votes(YES), moments()),
    ) {
        let requester = name("req");
        let both = stricter(&one, &other);
        let enough = |requirement: &Requirement| {
            let electorate = Electorate {
                policy: &policy, requirement, requester: &requester, editor: None, assigned: &[],
                moment,
            };
            electorate.tally(&cast).missing.is_empty()
        };
        if enough(&both) {
            prop_assert!(enough(&one) && enough(&other));
        }
    }

    /// One vote more never makes more missing, and nobody counts for more than one.
    #[test]
    fn a_vote_more_never_makes_more_missing_and_counts_for_one_at_most(
        (requirement, policy, moment) in (requirements(), policies(), moments()),
        (cast, last) in (votes(YES), any::<sample::Index>()),
    ) {
        let requester = name("req");
        let electorate = Electorate {
            policy: &policy, requirement: &requirement, requester: &requester, editor: None,
            assigned: &[], moment,
        };
        let all = electorate.tally(&cast);
        if !cast.is_empty() {
            let mut fewer = cast.clone();
            let gone = fewer.remove(last.index(cast.len()));
            let before = electorate.tally(&fewer);
            prop_assert!(all.missing.len() <= before.missing.len());
            // the same vote twice is the same vote
            let twice: Vec<VoteCast> = cast.iter().chain([&gone]).cloned().collect();
            prop_assert!(electorate.tally(&twice) == all);
        }
        let people = cast.iter().map(|vote| &vote.voter).collect::<std::collections::BTreeSet<_>>();
        let most = requirement.thresholds.iter().map(|t| usize::from(t.approve)).max();
        if all.missing.is_empty() {
            prop_assert!(people.len() >= most.unwrap_or_default(), "more approvals than people");
        }
    }

    /// A reassignment gives nobody a right that they had not.
    #[test]
    fn a_reassignment_only_narrows(
        (requirement, policy, moment) in (requirements(), policies(), moments()),
        assigned in collection::vec(person(), 0..3),
    ) {
        let requester = name("req");
        let of = |assigned| Electorate {
            policy: &policy, requirement: &requirement, requester: &requester, editor: None,
            assigned, moment,
        };
        for who in PEOPLE.map(name) {
            prop_assert!(!of(&assigned).is_entitled(&who) || of(&[]).is_entitled(&who), "{who}");
        }
    }
}

/// The verbs that no count decides: they need the right to vote all the same.
#[test]
fn an_edit_and_a_reassignment_need_a_place_of_ones_own() {
    for verdict in [Edit, Reassign] {
        let scene = Scene::new().requiring(leads()).asked();
        let outcome = match verdict {
            Edit => scene.edit("ben"),
            _ => scene.reassign("ben", &["lead"]),
        };
        outcome.refuses("PL3008");
    }
}
