//! Stored rows are a contract: their bytes are pinned, so that nobody edits a stored struct, or the
//! place of a variant, and reads old rows as something else.

use crate::damage::{TABLES, filled, rows};
use crate::make::*;
use crate::support::*;
use placet_model::decision::Settlement;
use placet_model::event::lookup::{AbsenceWorth, LookupFinding};
use placet_model::event::people::{KeyRegistered, KeyRevoked};
use placet_model::event::run::{
    BranchFaulted, RetryScheduled, TaskCompleted, TaskShape, Then, TimerKind,
};
use placet_model::event::wait::EventsDelivered;
use placet_model::nkey::UserKey;
use placet_model::{Digest, Event, Iteration, StreamId, TaskPath};

/// The first 12 hex digits over all rows of each table.
const PINNED: [(&str, &str); 26] = [
    ("proj_hot_v7", "45b6ae20fe55"),
    ("proj_runs_v7", "deea30487a20"),
    ("proj_ended_v7", "a47f9ba6d3c0"),
    ("proj_due_v7", "9750fb8a330c"),
    ("proj_decisions_v7", "95cad71132c6"),
    ("proj_requests_v7", "7ca299d6d7af"),
    ("proj_nonces_v7", "4a4ae04a3e04"),
    ("proj_integrations_v7", "4682081dbf62"),
    ("proj_located_v7", "b9056ed61f6f"),
    ("proj_workflows_v7", "29d262ea6f85"),
    ("proj_project_v7", "e1df2eaecc94"),
    ("proj_arrivals_v7", "2291eac57c29"),
    ("proj_arrival_types_v7", "9a767dccc5e7"),
    ("proj_arrival_ids_v7", "4edc04a9504e"),
    ("proj_listeners_v7", "77dbc3bc40bf"),
    ("proj_orders_v7", "dde7aace2f72"),
    ("proj_inbox_v7", "018e1e4b5010"),
    ("proj_shapes_v7", "42d597a6b677"),
    ("proj_shaped_v7", "f2692b5ee3fc"),
    ("proj_asked_v7", "81f99af00cd8"),
    ("proj_hands_v7", "dd115c905fdb"),
    ("proj_actions_v7", "75110cbc19ef"),
    ("proj_edited_v7", "84bd045ec454"),
    ("proj_standing_v7", "941fe64bc860"),
    ("proj_tally_v7", "3f9dfc4aee4b"),
    ("proj_told_v7", "42761746e9b2"),
];

#[test]
fn the_bytes_of_every_kind_of_row_are_those_of_version_7() {
    let mut world = filled();
    gates(&mut world);
    lines(&mut world);
    waits(&mut world);
    let (principal, key) = (who("ana"), UserKey::from_ed25519([7; 32]));
    let registered = KeyRegistered { principal: principal.clone(), key };
    let revoked = KeyRevoked { principal, key };
    world.append(StreamId::Policy, [registered.into(), revoked.into()]);

    let found = TABLES.map(|table| {
        let rows = rows(&world, table);
        let parts: Vec<&[u8]> = rows.iter().flat_map(|(key, value)| [&key[..], value]).collect();
        (table, Digest::of_parts(&parts).short())
    });
    let found: Vec<_> = found.iter().map(|(table, digest)| (*table, digest.as_str())).collect();
    assert_eq!(found, PINNED, "a changed row needs a table of a new name (_v8)");
    world.check();
}

/// Every way in which a single task stands with people, timers and providers.
fn gates(world: &mut World) {
    let claimed = |n| {
        let approved = settled(decision(n), Settlement::Approved);
        asking(decision(n)).into_iter().chain([approved, tried(attempt(n), 1, Some(decision(n)))])
    };
    let send = task("send");
    let wait = armed(timer(10), &task("wait"), TimerKind::Wait, at(50));
    world.run(run(10), [started_with("b", Some(at(90))), begun(&task("wait")), wait]);
    world.run(run(11), claimed(11).chain([deferred(attempt(11), 1, at(20))]));
    world.run(run(12), claimed(12).chain([in_doubt(attempt(12), 1)]));
    world.run(run(13), claimed(13));
    world.run(run(14), claimed(14).chain([cancelled()]));
    world.run(run(15), claimed(15).chain([faulted(&send), run_faulted()]));
    world.run(run(16), [started(), begun(&send), draft(&send, 1).into()]);
    world.run(run(17), [started(), faulted(&send), run_faulted()]);
    world.run(run(18), [started(), cancelled()]);
    let doubted = |n| claimed(n).chain([in_doubt(attempt(n), 1), planned(attempt(n), 1, at(30))]);
    world.run(run(19), doubted(19));
    world.run(run(24), doubted(24).chain([looking(attempt(24), 1)]));
    let absent = (LookupFinding::Absent, Some(AbsenceWorth::TooEarly));
    let again = [looking(attempt(25), 1), looked_up((attempt(25), 1), absent, Some(at(40)))];
    world.run(run(25), doubted(25).chain(again).chain([cancelled()]));
}

/// Branches that work, wait, have ended, have failed; a `try` that waits for its retry.
fn lines(world: &mut World) {
    let fork = task("fork");
    let inside = |index| TaskPath::new(&format!("{fork}/fork/branches/{index}/b"));
    world.run(
        run(20),
        [
            started(),
            shaped(&fork, TaskShape::Fork, 4),
            completed(&inside(0)),
            begun(&inside(1)),
            armed(timer(20), &inside(1), TimerKind::Wait, at(60)),
        ],
    );
    let failed = BranchFaulted {
        task: fork.clone(),
        iteration: Iteration::none(),
        branch: 1,
        fault: fault(),
    };
    world.run(
        run(21),
        [
            started(),
            shaped(&fork, TaskShape::Race, 3),
            begun(&inside(0)),
            faulted(&inside(1)),
            failed.into(),
        ],
    );
    let outer = task("try");
    let retry = RetryScheduled {
        task: outer.clone(),
        iteration: Iteration::none(),
        retry: 1,
        fault: content(3),
        timer: timer(22),
        due_at: at(70),
    };
    world.run(
        run(22),
        [
            started(),
            shaped(&outer, TaskShape::Try, 0),
            armed(timer(23), &outer, TimerKind::TaskTimeout, at(80)),
            faulted(&outer.child("try", 0, "inner")),
            retry.into(),
        ],
    );
    world.run(
        run(23),
        [
            started(),
            shaped(&outer, TaskShape::Try, 0),
            armed(timer(24), &outer, TimerKind::AttemptTimeout, at(80)),
            armed(timer(25), &TaskPath::root(), TimerKind::RunTimeout, at(90)),
        ],
    );
}

/// Waits for events, also of any type and with a body; orders in every state.
fn waits(world: &mut World) {
    let hear = task("hear");
    let each = || [started(), shaped(&hear, TaskShape::ListenEach, 0), listening(&hear, "")];
    world.run(run(30), each());
    world.run(run(31), each().into_iter().chain([matched(&hear, 1, false)]));
    world.run(run(32), each().into_iter().chain([matched(&hear, 1, true)]));
    world.run(run(33), [started(), shaped(&hear, TaskShape::Listen, 0)]);
    let to_one: Event = {
        let Event::EventReceived(mut body) = received("invoice", "two") else { unreachable!() };
        body.to = Some(run(30));
        body.into()
    };
    let told = EventsDelivered { up_to: placet_model::Position::new(3) }.into();
    world.append(StreamId::Events, [to_one, received("invoice", "two"), told]);
    let child = task("child");
    for (n, awaited) in [(40, true), (41, true), (42, false), (43, true)] {
        let parent = [started(), begun(&child), ordered(&child, run(n + 10), awaited)];
        world.run(run(n), parent);
    }
    world.run(run(50), [started()]);
    world.run(run(51), [started(), run_completed()]);
    world.run(run(52), [started(), run_completed()]);
    let dropped = placet_model::event::child::ChildDropped { child: run(53) };
    world.run(run(53), [started()]);
    world.run(run(43), [dropped.into(), faulted(&child), run_faulted()]);
    let ended = placet_model::event::child::ChildEnded { child: run(51), output: content(2) };
    world.run(run(41), [ended.into()]);
    let fired = placet_model::event::child::ScheduleFired {
        trigger: placet_model::event::child::Trigger::Cron,
        due_at: at(1),
        skipped: 2,
        run: run(54),
        plan_digest: digest("plan"),
        input: None,
    };
    world.append(StreamId::Workflow("sales/follow-up".into()), [fired.into()]);
    let done = TaskCompleted {
        task: child,
        iteration: Iteration::none(),
        output: content(1),
        context: None,
        then: Then::End,
        goto: None,
    };
    world.run(run(42), [done.into()]);
}
