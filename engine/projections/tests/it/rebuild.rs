//! Making the tables again, and finding where they differ.

use crate::make::*;
use crate::support::*;
use placet_model::decision::Settlement;
use placet_model::{Position, StreamId};
use placet_projections::{Difference, Progress, compare, rebuild, status};
use redb::{MultimapTableDefinition, ReadableTable, TableDefinition};
use std::ops::ControlFlow;

/// The cursor, marks, and the states of runs that are not over; the first byte of a key says which.
const HOT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("proj_hot_v7");
const DUE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("proj_due_v7");

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
    let made = rebuilt(world.log());
    assert_eq!((made.events, made.cursor), (13, Position::new(13)));
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
    assert_eq!((rows("proj_runs_v7"), rows("proj_ended_v7")), (3, 0));
    assert_eq!((rows("proj_decisions_v7"), rows("proj_due_v7")), (3, 2));
    // the cursor, three runs that are not over, three marks
    assert_eq!(rows("proj_hot_v7"), 1 + 3 + 3);
}

#[test]
fn a_comparison_names_the_table_and_key_that_differ() {
    let world = filled();
    change(&world, HOT, |table| {
        let other = table.get(&live(run(1))[..])?.unwrap().value().to_vec();
        table.insert(&live(run(3))[..], other.as_slice())?;
        Ok(())
    });
    let error = compare(&world.view()).unwrap_err();
    let Difference::Row { table, key } = &error else { panic!("{error}") };
    assert_eq!((*table, key.as_str()), ("proj_hot_v7", "1000000000000000000000000000000003"));
    rebuilt(world.log());
    world.check();

    change(&world, DUE, |table| Ok(table.pop_first().map(drop)?));
    let error = compare(&world.view()).unwrap_err();
    assert!(matches!(error, Difference::Lacking { table: "proj_due_v7", .. }), "{error}");
    rebuilt(world.log());

    change(&world, DUE, |table| Ok(table.insert(&b"zz"[..], &b""[..]).map(drop)?));
    let error = compare(&world.view()).unwrap_err();
    assert!(matches!(error, Difference::Extra { table: "proj_due_v7", .. }), "{error}");
}

#[test]
fn a_rebuild_that_was_cut_short_leaves_nothing_that_counts() {
    let mut world = filled();
    world
        .log()
        .maintain(|tx| {
            let next = TableDefinition::<&[u8], &[u8]>::new("proj_hot_v7_next");
            tx.open_table(next)?.insert(&b"half"[..], &b"built"[..])?;
            Ok(())
        })
        .unwrap();
    world.check();
    world.restart();
    rebuilt(world.log());
    world.check();
    assert_eq!(world.view().transaction().list_tables().unwrap().filter(is_next).count(), 0);
}

fn is_next(table: &redb::UntypedTableHandle) -> bool {
    redb::TableHandle::name(table).ends_with("_next")
}

/// More runs than are folded in one of the log's transactions.
fn long() -> World {
    let mut world = World::new();
    for first in (0..4000).step_by(100) {
        let ended = |n| {
            let end = settled(decision(n), Settlement::Expired);
            (StreamId::Run(run(n)), asking(decision(n)).into_iter().chain([end]).collect())
        };
        world.append_all((first..first + 100).map(ended).collect());
    }
    world
}

#[test]
fn appends_are_acknowledged_while_the_tables_are_made_again_and_are_in_them_after() {
    let mut world = long();
    let log = world.log().clone();
    let mut told: Vec<Progress> = vec![];
    let made = rebuild(&log, |progress| {
        told.push(progress);
        // acknowledged here and now, with the rebuild half done
        let n = 4000 + told.len() as u128;
        world.append(StreamId::Run(run(n)), asking(decision(n)));
        assert!(world.see(|views| views.decision(decision(n))).is_some());
        ControlFlow::Continue(())
    });
    let made = made.unwrap().expect("nobody broke it off");
    assert!(told.len() >= 3, "{told:?}");
    let counts: Vec<u64> = told.iter().map(|progress| progress.events).collect();
    assert!(counts[0] == 0 && counts.is_sorted_by(|a, b| a < b), "{counts:?}");
    assert!(told.windows(2).all(|pair| pair[0].head < pair[1].head), "{told:?}");
    assert_eq!(made.cursor, world.view().head().position());
    assert_eq!(world.see(|views| views.open(None, usize::MAX)).len(), told.len());
    world.check();
}

#[test]
fn a_rebuild_that_is_broken_off_leaves_the_live_tables_as_they_were() {
    let mut world = long();
    // what is wrong with them shows that they are the same ones
    change(&world, HOT, |table| Ok(table.insert(&b"zz"[..], &b""[..]).map(drop)?));
    let before = compare(&world.view()).unwrap_err().to_string();
    let mut asked = 0;
    let made = rebuild(world.log(), |_progress| {
        asked += 1;
        if asked == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((made.unwrap(), asked), (None, 3));
    assert_eq!(compare(&world.view()).unwrap_err().to_string(), before);
    assert_eq!(world.view().transaction().list_tables().unwrap().filter(is_next).count(), 0);
    world.run(run(5000), asking(decision(5000)));
    rebuilt(world.log());
    world.check();
}

#[test]
fn tables_too_damaged_to_open_the_log_with_are_made_again_without_them() {
    let mut world = filled();
    change(&world, HOT, |table| Ok(table.insert(&[0][..], &b"?"[..]).map(drop)?));
    let refused = world.open(With::Projections).unwrap_err();
    assert!(format!("{refused:?}").contains("proj_hot_v7"), "{refused:?}");
    world.open(With::Nothing).unwrap();
    rebuilt(world.log());
    world.restart();
    world.check();
}

/// What a test does to a table.
type Spoil = fn(&redb::WriteTransaction) -> Result<(), redb::Error>;

#[test]
fn a_table_that_is_none_of_ours_any_more_is_named_and_made_again() {
    let name = "proj_ended_v7";
    let spoilt: [Spoil; 3] = [
        |_tx| Ok(()),
        |tx| Ok(tx.open_table(TableDefinition::<u64, u64>::new("proj_ended_v7")).map(drop)?),
        |tx| {
            let table = MultimapTableDefinition::<u64, u64>::new("proj_ended_v7");
            Ok(tx.open_multimap_table(table).map(drop)?)
        },
    ];
    for spoil in spoilt {
        let mut world = filled();
        world
            .log()
            .maintain(move |tx| {
                tx.delete_table(TableDefinition::<&[u8], &[u8]>::new("proj_ended_v7"))?;
                Ok(spoil(tx)?)
            })
            .unwrap();
        let error = compare(&world.view()).unwrap_err();
        let Difference::Unreadable { source } = &error else { panic!("{error}") };
        let told = format!(
            "the table {name} in the log's file is damaged: run placet projections rebuild"
        );
        assert_eq!((source.to_string(), source.code()), (told, "PL1015"));
        // it is not taken for an empty one either
        let refused = world.open(With::Projections).unwrap_err();
        assert!(format!("{refused:?}").contains(name), "{refused:?}");
        world.open(With::Nothing).unwrap();
        rebuilt(world.log());
        world.restart();
        world.check();
    }
}
