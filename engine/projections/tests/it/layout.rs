//! Stored rows are a contract: their bytes are pinned, so that nobody edits a stored struct, or the
//! place of a variant, and reads old rows as something else.

use crate::damage::{TABLES, filled, rows};
use crate::make::*;
use crate::support::*;
use placet_model::Digest;
use placet_model::decision::Settlement;
use placet_model::event::run::TimerKind;

/// The first 12 hex digits over all rows of each table.
const PINNED: [(&str, &str); 12] = [
    ("proj_cursor_v1", "d901eb2dc75f"),
    ("proj_runs_v1", "c11554c088a7"),
    ("proj_live_v1", "f324aabe4442"),
    ("proj_ended_v1", "0f846c759fa8"),
    ("proj_marks_v1", "6d866abe36ea"),
    ("proj_due_v1", "6d3fa6e6e688"),
    ("proj_decisions_v1", "d8c1e42caa83"),
    ("proj_requests_v1", "7ca299d6d7af"),
    ("proj_integrations_v1", "d88d3c112af0"),
    ("proj_located_v1", "b9056ed61f6f"),
    ("proj_workflows_v1", "34c4e5dcba96"),
    ("proj_project_v1", "3e43d445ff82"),
];

#[test]
fn the_bytes_of_every_kind_of_row_are_those_of_version_1() {
    let mut world = filled();
    // every optional part of a run's state, and every way it can stand
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

    let found = TABLES.map(|table| {
        let rows = rows(&world, table);
        let parts: Vec<&[u8]> = rows.iter().flat_map(|(key, value)| [&key[..], value]).collect();
        (table, Digest::of_parts(&parts).short())
    });
    let found: Vec<_> = found.iter().map(|(table, digest)| (*table, digest.as_str())).collect();
    assert_eq!(found, PINNED, "a changed row needs a table of a new name (_v2)");
}
