//! Making the tables again, and finding where they differ.

use crate::make::*;
use crate::support::*;
use placet_model::decision::Settlement;
use placet_model::{Position, StreamId};
use placet_projections::{Difference, compare, rebuild, status};
use redb::{ReadableTable, TableDefinition};

const DUE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("proj_due_v2");
const LIVE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("proj_live_v2");

fn filled() -> World {
    let mut world = World::new();
    for n in 1..=3 {
        world.run(run(n), asking(decision(n)));
    }
    world.run(run(2), [settled(decision(2), Settlement::Rejected)]);
    world
}

fn change(
    world: &World,
    table: TableDefinition<'static, &'static [u8], &'static [u8]>,
    change: impl FnOnce(&mut redb::Table<'_, &'static [u8], &'static [u8]>) -> Result<(), redb::Error>
    + Send
    + 'static,
) {
    world.log().maintain(move |tx| Ok(change(&mut tx.open_table(table)?)?)).unwrap();
}

#[test]
fn tables_made_again_are_equal_and_go_on_being_kept_up() {
    let mut world = filled();
    let before = status(&world.view()).unwrap();
    let rebuilt = rebuild(world.log()).unwrap();
    assert_eq!((rebuilt.events, rebuilt.cursor), (13, Position::new(13)));
    assert_eq!(status(&world.view()).unwrap(), before);
    world.run(run(1), [settled(decision(1), Settlement::Rejected)]);
    world.check();
    world.restart();
    world.check();
}

#[test]
fn status_counts_the_rows_of_every_table() {
    let world = filled();
    let status = status(&world.view()).unwrap();
    assert_eq!((status.cursor, status.head), (Position::new(13), Position::new(13)));
    let rows = |name| status.tables.iter().find(|(table, _)| *table == name).unwrap().1;
    assert_eq!((rows("proj_runs_v2"), rows("proj_live_v2"), rows("proj_ended_v2")), (3, 3, 0));
    assert_eq!((rows("proj_decisions_v2"), rows("proj_due_v2")), (3, 2));
    assert_eq!((rows("proj_marks_v2"), rows("proj_cursor_v2")), (3, 1));
}

#[test]
fn a_comparison_names_the_table_and_key_that_differ() {
    let world = filled();
    change(&world, LIVE, |table| {
        let other = table.get(&run(1).to_bytes()[..])?.unwrap().value().to_vec();
        table.insert(&run(3).to_bytes()[..], other.as_slice())?;
        Ok(())
    });
    let error = compare(&world.view()).unwrap_err();
    let Difference::Row { table, key } = &error else { panic!("{error}") };
    assert_eq!((*table, key.as_str()), ("proj_live_v2", "00000000000000000000000000000003"));
    rebuild(world.log()).unwrap();
    world.check();

    change(&world, DUE, |table| Ok(table.pop_first().map(drop)?));
    let error = compare(&world.view()).unwrap_err();
    assert!(matches!(error, Difference::Lacking { table: "proj_due_v2", .. }), "{error}");
    rebuild(world.log()).unwrap();

    change(&world, DUE, |table| Ok(table.insert(&b"zz"[..], &b""[..]).map(drop)?));
    let error = compare(&world.view()).unwrap_err();
    assert!(matches!(error, Difference::Extra { table: "proj_due_v2", .. }), "{error}");
}

#[test]
fn a_rebuild_that_was_cut_short_leaves_nothing_that_counts() {
    let mut world = filled();
    world
        .log()
        .maintain(|tx| {
            let next = TableDefinition::<&[u8], &[u8]>::new("proj_live_v2_next");
            tx.open_table(next)?.insert(&b"half"[..], &b"built"[..])?;
            Ok(())
        })
        .unwrap();
    world.check();
    world.restart();
    rebuild(world.log()).unwrap();
    world.check();
    assert_eq!(world.view().transaction().list_tables().unwrap().filter(is_next).count(), 0);
}

fn is_next(table: &redb::UntypedTableHandle) -> bool {
    redb::TableHandle::name(table).ends_with("_next")
}

#[test]
fn appends_go_on_while_the_tables_are_made_again() {
    let mut world = World::new();
    for first in (0..4000).step_by(100) {
        let ended = |n| {
            let end = settled(decision(n), Settlement::Expired);
            (StreamId::Run(run(n)), asking(decision(n)).into_iter().chain([end]).collect())
        };
        world.append_all((first..first + 100).map(ended).collect());
    }
    let log = world.log().clone();
    let rebuilding = std::thread::spawn(move || rebuild(&log).unwrap());
    for n in 4000..4100 {
        world.append(StreamId::Run(run(n)), asking(decision(n)));
    }
    let rebuilt = rebuilding.join().unwrap();
    assert!(rebuilt.events >= 20_000, "{rebuilt:?}");
    assert_eq!(world.see(|views| views.open(None, usize::MAX)).len(), 100);
    world.check();
}
