//! Opening: catching up, refusing, and what cannot be applied.

use crate::make::*;
use crate::support::*;
use placet_model::Position;
use placet_model::decision::Settlement;
use placet_projections::{Error, Views, status};
use redb::TableDefinition;

const HOT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("proj_hot_v7");

/// Writes a cursor row that is whole.
fn set_cursor(world: &World, position: u64) {
    let mut row = vec![1];
    row.extend(position_bytes(position));
    placet_log::check::seal(&[0], &mut row);
    world
        .log()
        .maintain(move |tx| {
            tx.open_table(HOT)?.insert(&[0][..], row.as_slice())?;
            Ok(())
        })
        .unwrap();
}

fn position_bytes(position: u64) -> Vec<u8> {
    assert!(position < 128, "one byte of a varint");
    vec![u8::try_from(position).unwrap()]
}

#[test]
fn projections_catch_up_with_a_log_that_was_written_without_them() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    world.open(With::Nothing).unwrap();
    world.run(run(2), asking(decision(2)));
    world.run(run(1), [settled(decision(1), Settlement::Rejected)]);

    let view = world.view();
    let Err(Error::Behind { cursor, head }) = Views::new(&view) else { panic!("not behind") };
    assert_eq!((cursor, head), (Position::new(4), Position::new(9)));
    drop(view);

    world.restart();
    let open = world.see(|views| views.open(None, 9));
    assert_eq!(open.iter().map(|row| row.run).collect::<Vec<_>>(), [run(2)]);
    world.check();
}

#[test]
fn a_log_that_never_had_projections_says_so_and_gets_them_when_it_is_opened_with_them() {
    let mut world = World::new();
    world.open(With::Nothing).unwrap();
    world.log().maintain(|tx| Ok(tx.delete_table(HOT).map(drop)?)).unwrap();
    world.run(run(1), asking(decision(1)));
    let view = world.view();
    assert!(matches!(Views::new(&view), Err(Error::Absent)));
    assert!(matches!(status(&view), Err(Error::Absent)));
    drop(view);
    world.restart();
    assert_eq!(world.see(|views| views.ready()), []);
    assert_eq!(world.see(|views| views.open(None, 9)).len(), 1);
    world.check();
}

#[test]
fn a_cursor_beyond_the_head_is_refused_until_the_tables_are_made_again() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    set_cursor(&world, 9);
    assert!(matches!(Views::new(&world.view()), Err(Error::Ahead { .. })));
    let error = world.open(With::Projections).unwrap_err();
    let text = std::error::Error::source(&error).unwrap().to_string();
    assert!(text.contains("stand at position 9, the log ends at 4"), "{text}");

    world.open(With::Nothing).unwrap();
    rebuilt(world.log());
    world.restart();
    world.check();
}

#[test]
fn an_event_that_cannot_follow_stops_the_log_and_is_not_written() {
    let bad = [
        (run(1), vec![completed(&task("set"))], "its run has not begun"),
        (run(2), vec![started(), started()], "the run has begun already"),
        (run(3), vec![started(), run_completed(), completed(&task("set"))], "the run is over"),
        (run(4), vec![started(), succeeded(attempt(1), 1)], "no such attempt"),
        (run(5), vec![started(), settled(decision(1), Settlement::Approved)], "never requested"),
        (run(6), vec![started(), requested(decision(1), &task("send"), at(9))], "no draft"),
    ];
    for (run, events, expected) in bad {
        let mut world = World::new();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            world.run(run, events);
        }));
        let text = panic.unwrap_err().downcast_ref::<String>().cloned().unwrap();
        assert!(text.contains(expected), "{text}");
        world.restart();
        assert_eq!(world.log().head(), Position::START);
    }
}
