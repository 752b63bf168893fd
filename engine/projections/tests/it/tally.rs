//! What is counted of approvers, and how far they were told. covers: T16

use crate::damage::in_advance;
use crate::make::*;
use crate::support::*;
use placet_model::approval::Requirement;
use placet_model::decision::{Settlement, Verdict};
use placet_model::draft::Mode;
use placet_model::event::decision::RequirementRaised;
use placet_model::event::governance::{BreakGlassReviewed, Review};
use placet_model::event::notice::{AlarmKind, ApproverAlarmRaised, NoticeFailed, NoticeFailure};
use placet_model::{Event, EventId, Position, StreamId};
use placet_projections::{TallyKind, TallyRow};
use std::ops::ControlFlow;

fn rows(world: &World, name: Option<&str>, kind: TallyKind) -> Vec<TallyRow> {
    let (name, mut found) = (name.map(who), vec![]);
    world.see(|views| {
        views.tally((name.as_ref(), kind), at(-1)..at(9_999), |row| {
            found.push(row);
            ControlFlow::Continue(())
        })
    });
    found
}

fn took(world: &World, name: &str) -> Vec<u64> {
    rows(world, Some(name), TallyKind::Voted).iter().map(|row| row.took_ms).collect()
}

fn words(world: &World, name: &str, kind: TallyKind) -> Vec<u16> {
    rows(world, Some(name), kind).iter().map(|row| row.word).collect()
}

#[test]
fn the_time_of_a_vote_runs_from_the_request_or_from_what_has_put_it_back() {
    // given a request, a vote on it, and a policy that asks for more two minutes later
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    world.now = at(7);
    let approved = settled(decision(1), Settlement::Approved);
    world.run(run(1), [vote(decision(1), "ana", Verdict::Approve, None), approved]);
    world.now = at(120);
    let (requirement, missing) = (Requirement::default_for_project(), vec!["one".to_owned()]);
    let raised = RequirementRaised { decision: decision(1), requirement, missing };
    world.run(run(1), [raised.into()]);
    // when somebody else votes
    world.now = at(122);
    world.run(run(1), [vote(decision(1), "ben", Verdict::Approve, None)]);
    // then each has the time since it lay there for them
    assert_eq!((took(&world, "ana"), took(&world, "ben")), (vec![7_000], vec![2_000]));
    let people = world.see(|views| views.tallied());
    assert_eq!(people, [who("ana"), who("ben")]);
    world.check();
}

#[test]
fn votes_given_in_advance_are_counted_apart_and_cannot_be_undone() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    let given = in_advance(decision(1), "heartbeat").into();
    let vote = vote(decision(1), "ana", Verdict::Approve, None);
    world.run(run(1), [given, vote, settled(decision(1), Settlement::Withdrawn)]);
    assert_eq!(took(&world, "ana"), [0; 0]);
    let given = words(&world, "ana", TallyKind::InAdvance);
    assert_eq!(given, [Verdict::Approve.number()]);
    assert_eq!(words(&world, "ana", TallyKind::Reversed), [0; 0]);
    world.check();
}

#[test]
fn a_vote_is_undone_once_by_whoever_ends_the_request_otherwise() {
    for (said, ended, undone) in [
        (Verdict::Approve, Settlement::Rejected, true),
        (Verdict::Approve, Settlement::Responded, true),
        (Verdict::Approve, Settlement::Withdrawn, true),
        (Verdict::Approve, Settlement::Superseded, true),
        (Verdict::Approve, Settlement::Approved, false),
        (Verdict::Approve, Settlement::Expired, false),
        (Verdict::Reject, Settlement::Approved, true),
        (Verdict::Reject, Settlement::Rejected, false),
    ] {
        let mut world = World::new();
        world.run(run(1), asking(decision(1)));
        world.run(run(1), [vote(decision(1), "ana", said, None)]);
        world.run(run(1), [settled(decision(1), ended)]);
        let expected: &[u16] = if undone { &[ended.number()] } else { &[] };
        assert_eq!(words(&world, "ana", TallyKind::Reversed), expected, "{said} {ended}");
        world.check();
    }
}

#[test]
fn a_review_that_objects_undoes_what_was_sent_in_an_emergency() {
    for (review, undone) in [(Review::Justified, 0), (Review::Objected, 1)] {
        let mut world = World::new();
        world.run(run(1), asking(decision(1)));
        let approved = settled(decision(1), Settlement::Approved);
        world.run(run(1), [vote(decision(1), "ana", Verdict::BreakGlass, None), approved]);
        let (decision, reviewer) = (decision(1), who("ben"));
        let reviewed = BreakGlassReviewed { decision, reviewer, review, reason: None };
        world.append(StreamId::Policy, [reviewed.into()]);
        assert_eq!(words(&world, "ana", TallyKind::Reversed).len(), undone, "{review}");
        world.check();
    }
}

#[test]
fn an_expiry_is_nobodys_and_says_how_many_had_voted() {
    let mut world = World::new();
    for (n, voters) in [(1, &[][..]), (2, &["ana"][..])] {
        world.run(run(n), asking(decision(n)));
        let votes = voters.iter().map(|name| vote(decision(n), name, Verdict::Approve, None));
        world.run(run(n), votes.chain([settled(decision(n), Settlement::Expired)]));
    }
    let expired = rows(&world, None, TallyKind::Expired);
    let expired: Vec<_> = expired.iter().map(|row| (row.decision, row.word)).collect();
    assert_eq!(expired, [(Some(decision(1)), 0), (Some(decision(2)), 1)]);
    world.check();
}

#[test]
fn a_notice_is_under_way_until_it_was_sent_or_is_given_up() {
    let mut world = World::new();
    let told = |world: &World| world.see(|views| views.told(&who("ana"), "slack", Mode::Live));
    let failed = |notice, try_number, retry_at| -> Event {
        let (failure, cause) = (NoticeFailure::NotSent, "connect".to_owned());
        let (to, channel) = (who("ana"), "slack".to_owned());
        NoticeFailed { notice, to, channel, try_number, failure, cause, retry_at }.into()
    };
    assert_eq!(told(&world), None);
    // given a notice, and a first try that proved that nothing was sent
    let [queued, _] = notice("ana", "slack", EventId::from_bytes([0; 16]));
    let queued = world.append(StreamId::Notices, [queued]);
    let id = queued[0].event_id;
    assert_eq!(told(&world).unwrap().under_way, Some((id, 0)));
    world.append(StreamId::Notices, [failed(id, 1, Some(at(9)))]);
    assert_eq!(told(&world).unwrap().under_way, Some((id, 1)));
    // when another one fails, nothing changes for this one
    world.append(StreamId::Notices, [failed(EventId::from_bytes([9; 16]), 5, None)]);
    assert_eq!(told(&world).unwrap().under_way, Some((id, 1)));
    // then it is over once it is given up, or sent
    world.append(StreamId::Notices, [failed(id, 2, None)]);
    assert_eq!(told(&world).unwrap().under_way, None);
    assert_eq!(rows(&world, Some("ana"), TallyKind::Heard), []);
    let [again, _] = notice("ana", "slack", EventId::from_bytes([0; 16]));
    let again = world.append(StreamId::Notices, [again])[0].event_id;
    let [_, sent] = notice("ana", "slack", again);
    world.append(StreamId::Notices, [sent]);
    let told = told(&world).unwrap();
    assert_eq!((told.under_way, told.up_to), (None, Position::new(3)));
    assert_eq!(rows(&world, Some("ana"), TallyKind::Heard).len(), 1);
    assert_eq!(world.see(|views| views.tell_after()), Some(Position::new(2)));
    world.check();
}

#[test]
fn the_last_alarm_of_somebody_is_found_among_those_of_others() {
    let mut world = World::new();
    for (n, name, alarm) in [
        (1, "ana", AlarmKind::Rate),
        (2, "ana", AlarmKind::QuickShare),
        (3, "ana-maria", AlarmKind::Rate),
    ] {
        world.now = at(n);
        let (approver, since, until) = (who(name), at(0), at(n));
        let raised =
            ApproverAlarmRaised { approver, alarm, since, until, decisions: 9, quick: 8, bound: 5 };
        world.append(StreamId::Notices, [raised.into()]);
    }
    let last = world.see(|views| views.last_tally(&who("ana"), TallyKind::Alarm)).unwrap();
    assert_eq!((last.at, last.word), (at(2), AlarmKind::QuickShare.number()));
    assert_eq!(world.see(|views| views.last_tally(&who("zoe"), TallyKind::Alarm)), None);
    assert_eq!(world.see(|views| views.tallied()), [who("ana"), who("ana-maria")]);
    world.check();
}
