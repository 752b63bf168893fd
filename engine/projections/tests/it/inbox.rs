//! Decisions: what the inbox shows, from the request to the end.

use crate::make::*;
use crate::support::*;
use placet_model::approval::Requirement;
use placet_model::attempt::RefuseReason;
use placet_model::decision::{DecisionState, Resolution, Settlement, Verdict, VoidReason};
use placet_model::draft::{BoundField, Mode};
use placet_model::event::decision::{DecisionVoided, DraftPrepared, RequirementRaised};
use placet_model::manifest::Effect;
use placet_model::{Event, PayloadRef, Revision};
use placet_projections::{DecisionRow, Rank, Source};

fn row(world: &World) -> DecisionRow {
    world.see(|views| views.decision(decision(1))).unwrap()
}

/// Whether decision 1 is in the inbox, and whether it is approved and unspent.
fn listed(world: &World) -> (bool, bool) {
    world.see(|views| {
        let open = views.open(None, 9)?.iter().any(|row| row.decision == decision(1));
        let approved = views.approved()?.iter().any(|row| row.decision == decision(1));
        Ok((open, approved))
    })
}

#[test]
fn a_request_carries_everything_but_content() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    let row = row(&world);
    assert_eq!(
        (row.run, row.workflow, row.requester),
        (run(1), workflow("follow-up"), who("agent"))
    );
    assert_eq!((row.mode, row.task, row.draft_revision), (Mode::Sandbox, task("send"), 1));
    assert_eq!((row.operation.as_str(), row.effect), ("slack.chat.postMessage", Effect::Send));
    assert_eq!((row.integration, row.digest), (Some(integration(1)), digest("draft")));
    assert_eq!(row.requirement, Requirement::default_for_project());
    assert_eq!((row.requested_at, row.expires_at), (at(0), at(100)));
    assert_eq!((row.state, row.revision), (DecisionState::Requested, Revision::new(4)));
    assert_eq!((row.with, row.document), (content(4), PayloadRef::new(Revision::new(4), 2)));
    assert_eq!(listed(&world), (true, false));
    assert_eq!(world.see(|views| views.decision(decision(2))), None);
}

#[test]
fn a_request_whose_draft_came_a_commit_earlier_is_the_same() {
    let (mut together, mut apart) = (World::new(), World::new());
    together.run(run(1), asking(decision(1)));
    for event in asking(decision(1)) {
        apart.run(run(1), [event]);
        apart.restart();
    }
    assert_eq!(row(&together), row(&apart));
    apart.check();
}

#[test]
fn votes_are_kept_in_order_with_the_log_time() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    world.now = at(3);
    world.run(run(1), [vote(decision(1), "ana", Verdict::Approve, None)]);
    world.now = at(4);
    world.run(
        run(1),
        [
            vote(decision(1), "ben", Verdict::Reject, None),
            settled(decision(1), Settlement::Rejected),
        ],
    );
    let row = row(&world);
    let expected =
        vec![(who("ana"), Verdict::Approve, at(3)), (who("ben"), Verdict::Reject, at(4))];
    assert_eq!((row.votes, row.state), (expected, DecisionState::Rejected));
    assert_eq!(row.revision, Revision::new(7));
    assert_eq!(listed(&world), (false, false));
}

#[test]
fn every_end_leaves_the_inbox_and_keeps_the_row() {
    for settlement in Settlement::ALL.iter().copied().filter(|s| *s != Settlement::Approved) {
        let mut world = World::new();
        world.run(run(1), asking(decision(1)));
        world.run(run(1), [settled(decision(1), settlement)]);
        assert_eq!(row(&world).state, settlement.into());
        assert_eq!(listed(&world), (false, false), "{settlement}");
        world.check();
    }
}

#[test]
fn an_approval_stays_in_the_inbox_until_it_is_claimed() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    world.run(run(1), [settled(decision(1), Settlement::Approved)]);
    assert_eq!((row(&world).state, listed(&world)), (DecisionState::Approved, (true, true)));
    world.run(run(1), [tried(attempt(1), 1, Some(decision(1)))]);
    assert_eq!((row(&world).state, listed(&world)), (DecisionState::Consumed, (false, false)));
    assert_eq!(row(&world).attempt, Some(attempt(1)));
}

#[test]
fn a_raised_requirement_asks_again_and_names_what_is_missing() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    world.run(run(1), [settled(decision(1), Settlement::Approved)]);
    let mut requirement = Requirement::default_for_project();
    requirement.rules.push("two".into());
    let missing = vec!["one more of finance".to_owned()];
    let raised =
        RequirementRaised { decision: decision(1), requirement: requirement.clone(), missing };
    world.run(run(1), [raised.into()]);
    let asked = row(&world);
    assert_eq!((asked.state, asked.requirement), (DecisionState::Requested, requirement));
    assert_eq!(asked.missing, ["one more of finance"]);
    assert_eq!(listed(&world), (true, false));
    world.run(run(1), [settled(decision(1), Settlement::Approved)]);
    assert_eq!((row(&world).missing, listed(&world)), (vec![], (true, true)));
}

#[test]
fn a_void_decision_says_why_and_which_field_differed() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    let (reason, field) = (VoidReason::FieldChanged, Some(BoundField::Identity));
    let voided = DecisionVoided { decision: decision(1), reason, field };
    world.run(run(1), [settled(decision(1), Settlement::Approved), voided.into()]);
    assert_eq!((row(&world).state, row(&world).void), (DecisionState::Void, Some((reason, field))));
    assert_eq!(listed(&world), (false, false));
}

#[test]
fn a_send_in_doubt_lies_in_the_inbox_until_somebody_knows() {
    for resolution in Resolution::ALL {
        let mut world = World::new();
        world.run(run(1), asking(decision(1)));
        let claimed =
            [settled(decision(1), Settlement::Approved), tried(attempt(1), 1, Some(decision(1)))];
        world.run(run(1), claimed);
        world.now = at(7);
        world.run(run(1), [in_doubt(attempt(1), 1)]);
        assert_eq!(row(&world).in_doubt, Some((attempt(1), at(7))));
        assert_eq!((row(&world).state, listed(&world)), (DecisionState::Consumed, (true, false)));
        world.run(run(1), [reconciled(attempt(1), *resolution)]);
        assert_eq!((row(&world).in_doubt, listed(&world)), (None, (false, false)));
        world.check();
    }
}

#[test]
fn a_refused_credential_makes_the_approval_spendable_again() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    let claimed =
        [settled(decision(1), Settlement::Approved), tried(attempt(1), 1, Some(decision(1)))];
    world.run(run(1), claimed);
    world.run(run(1), [refused(attempt(1), 1, RefuseReason::Reconnect)]);
    assert_eq!((row(&world).state, listed(&world)), (DecisionState::Approved, (true, true)));
    world.run(run(1), [tried(attempt(1), 2, Some(decision(1)))]);
    world.run(run(1), [refused(attempt(1), 2, RefuseReason::Permanent)]);
    assert_eq!((row(&world).state, listed(&world)), (DecisionState::Consumed, (false, false)));
    world.check();
}

#[test]
fn a_call_without_an_integration_has_no_credential_to_connect_again() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    let Event::AttemptStarted(mut try_of_a_url) = tried(attempt(1), 1, Some(decision(1))) else {
        panic!("a try")
    };
    try_of_a_url.integration = None;
    let approved = settled(decision(1), Settlement::Approved);
    world.run(run(1), [approved, try_of_a_url.into()]);
    world.run(run(1), [refused(attempt(1), 1, RefuseReason::Reconnect)]);
    assert_eq!((row(&world).state, listed(&world)), (DecisionState::Consumed, (false, false)));
    assert_eq!(world.see(|views| views.ready()), [run(1)]);
}

#[test]
fn pages_of_the_inbox_are_oldest_first() {
    let mut world = World::new();
    for n in [4, 1, 5, 2, 3] {
        world.run(run(n), asking(decision(n)));
    }
    world.run(run(4), [settled(decision(4), Settlement::Withdrawn)]);
    let page = |after: Option<u128>, limit| {
        let rows = world.see(|views| views.open(after.map(decision), limit));
        rows.iter().map(|row| row.run).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), [run(1), run(2)]);
    assert_eq!(page(Some(2), 2), [run(3), run(5)]);
    assert_eq!(page(Some(4), 2), [run(5)]);
    assert_eq!(page(Some(5), 2), []);
}

#[test]
fn a_vote_is_found_again_by_who_cast_it_and_its_request_id() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    world.run(run(1), [vote(decision(1), "ana", Verdict::Approve, Some("r-1"))]);
    let request = |name: &str, id: &str| world.see(|views| views.request(&who(name), id));
    assert_eq!(request("ana", "r-1"), Some(decision(1)));
    assert_eq!(request("ana", "r-2"), None);
    assert_eq!(request("ben", "r-1"), None);
}

/// Asks for a decision on a task of this effect, open until then.
fn asking_of(n: u128, effect: Effect, until: i64) -> Vec<Event> {
    let send = task("send");
    let draft = DraftPrepared { effect, ..draft(&send, 1) };
    vec![started(), begun(&send), draft.into(), requested(decision(n), &send, at(until))]
}

#[test]
fn the_gravest_comes_first_then_what_expires_first_then_what_was_asked_first() {
    use Rank::{Approved, CannotBeUndone, CannotBeUnsent, Change, Emergency, InDoubt};
    let mut world = World::new();
    let asked = [
        (1, Effect::Write, 50),
        (2, Effect::Send, 90),
        (3, Effect::Send, 60),
        (4, Effect::Destructive, 99),
        (5, Effect::Send, 60),
        (6, Effect::Send, 70),
        (7, Effect::Send, 70),
        (8, Effect::Send, 70),
    ];
    for (n, effect, until) in asked {
        world.run(run(n), asking_of(n, effect, until));
    }
    world.run(run(6), [settled(decision(6), Settlement::Approved)]);
    let approved = settled(decision(7), Settlement::Approved);
    world.run(run(7), [approved, tried(attempt(7), 1, Some(decision(7)))]);
    world.run(run(7), [in_doubt(attempt(7), 1)]);
    let broken = vote(decision(8), "ana", Verdict::BreakGlass, None);
    world.run(run(8), [broken, settled(decision(8), Settlement::Approved)]);
    let rows = world.see(|views| views.inbox(&[Source::All], None, 99));
    let order: Vec<_> = rows.iter().map(|row| row.decision).collect();
    assert_eq!(order, [8, 7, 4, 3, 5, 2, 1, 6].map(decision));
    let ranks: Vec<_> = rows.iter().map(|row| row.place.unwrap().rank()).collect();
    let sends = [CannotBeUnsent; 3];
    let expected =
        [&[Emergency, InDoubt, CannotBeUndone][..], &sends, &[Change, Approved]].concat();
    assert_eq!(ranks, expected);
}

#[test]
fn pages_are_every_item_once_in_order_also_while_others_are_settled() {
    let mut world = World::new();
    for n in 1..=60 {
        let effect = [Effect::Write, Effect::Send, Effect::Destructive][n as usize % 3];
        world.run(run(n), asking_of(n, effect, 100 - i64::try_from(n % 7).unwrap()));
    }
    let all = world.see(|views| views.inbox(&[Source::All], None, 99));
    let (mut seen, mut after, mut gone) = (vec![], None, vec![]);
    loop {
        let page = world.see(|views| views.inbox(&[Source::All], after, 7));
        let Some(last) = page.last() else { break };
        after = last.place;
        seen.extend(page.iter().map(|row| row.decision));
        // one that was shown and one that was not are settled between two pages
        let later = all.iter().map(|row| row.decision).filter(|id| !seen.contains(id)).nth(9);
        for id in [seen.first().copied(), later].into_iter().flatten() {
            if !gone.contains(&id) {
                let of = all.iter().find(|row| row.decision == id).unwrap().run;
                world.run(of, [settled(id, Settlement::Withdrawn)]);
                gone.push(id);
            }
        }
    }
    let expected = all.iter().map(|row| row.decision);
    let expected: Vec<_> = expected.filter(|id| seen.contains(id) || !gone.contains(id)).collect();
    assert_eq!(seen, expected, "what was settled before its page is left out, nothing else");
    assert!(gone.iter().any(|id| !seen.contains(id)));
    world.check();
}

#[test]
fn a_shape_is_the_call_its_step_and_what_is_required_never_content_or_requester() {
    let mut world = World::new();
    let send = task("send");
    let with = |n: u128, change: &dyn Fn(&mut DraftPrepared)| {
        let mut body = draft(&send, 1);
        change(&mut body);
        vec![started(), begun(&send), body.into(), requested(decision(n), &send, at(100))]
    };
    world.run(run(1), with(1, &|_| {}));
    // other content is looked at one by one: it makes no other kind
    world.run(
        run(2),
        with(2, &|draft| {
            draft.request_digest = digest("other");
            draft.send_id = "other".into();
            draft.nonce = "11".into();
        }),
    );
    world.run(run(3), with(3, &|draft| draft.operation = "slack.chat.update".into()));
    world.run(run(4), with(4, &|draft| draft.integration.as_mut().unwrap().id = integration(2)));
    world.run(run(5), with(5, &|draft| draft.requirement.rules.push("two".into())));
    world.run(run(6), with(6, &|draft| draft.effect = Effect::Write));
    let mut other_workflow = asking(decision(7));
    other_workflow[0] = started_with("other", None);
    world.run(run(7), other_workflow);
    let other_step = task("tell");
    let step = DraftPrepared { task: other_step.clone(), ..draft(&send, 1) };
    let asked = requested(decision(8), &other_step, at(100));
    world.run(run(8), [started(), begun(&other_step), step.into(), asked]);
    let shape = |n| world.see(|views| views.decision(decision(n))).unwrap().shape;
    assert_eq!(shape(1), shape(2));
    let shapes = [1, 3, 4, 5, 6, 7, 8].map(shape);
    let unique: std::collections::BTreeSet<_> = shapes.into_iter().collect();
    assert_eq!(unique.len(), 7);
    let counted = |n| world.see(|views| views.shape(shape(n))).map(|row| row.count);
    assert_eq!((counted(1), counted(3)), (Some(2), Some(1)));
}

#[test]
fn a_count_goes_with_its_last_item_and_what_stands_otherwise_is_of_another_shape() {
    let mut world = World::new();
    for n in 1..=3 {
        world.run(run(n), asking(decision(n)));
    }
    let shapes = |world: &World| {
        let shapes = world.see(|views| views.shapes(None, 9));
        shapes.into_iter().map(|(_, row)| (row.rank.state(), row.count)).collect::<Vec<_>>()
    };
    assert_eq!(shapes(&world), [("requested", 3)]);
    world.run(run(1), [settled(decision(1), Settlement::Approved)]);
    assert_eq!(shapes(&world), [("requested", 2), ("approved", 1)]);
    world.run(run(1), [tried(attempt(1), 1, Some(decision(1)))]);
    assert_eq!(shapes(&world), [("requested", 2)]);
    world.run(run(2), [settled(decision(2), Settlement::Rejected)]);
    world.run(run(3), [settled(decision(3), Settlement::Expired)]);
    assert_eq!(shapes(&world), []);
    assert_eq!(world.see(|views| views.open_count(9)), Some(0));
    world.check();
}
