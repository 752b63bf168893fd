//! Reading the projections as of an earlier position.

use crate::histories::History;
use crate::make::*;
use crate::support::*;
use placet_log::ReadView;
use placet_model::integration::Integration;
use placet_model::{Position, StreamId, Timestamp};
use placet_projections::{
    DecisionRow, DueRow, Error, Located, Past, Pauses, RunFilter, RunRow, Views, WorkflowRow,
};

/// Everything that stands in the views of a small project.
#[derive(Debug, PartialEq)]
struct Seen {
    runs: Vec<RunRow>,
    open: Vec<DecisionRow>,
    due: Vec<DueRow>,
    integrations: Vec<Integration>,
    workflows: Vec<WorkflowRow>,
    policy: Option<(placet_model::Digest, Located)>,
    pauses: Pauses,
    delivered: Position,
}

fn seen(views: &Views<'_>) -> Seen {
    let far = Timestamp::from_millis(i64::MAX);
    Seen {
        runs: views.runs(&RunFilter::default(), None, usize::MAX).unwrap(),
        open: views.open(None, usize::MAX).unwrap(),
        due: views.due(far, usize::MAX).unwrap(),
        integrations: views.integrations().unwrap(),
        workflows: views.workflows().unwrap(),
        policy: views.policy().unwrap(),
        pauses: views.pauses().unwrap(),
        delivered: views.delivered().unwrap(),
    }
}

#[test]
fn the_past_reads_as_the_live_tables_read_then() {
    let mut history = History::new(4711);
    // snapshots of the live tables, each after another commit
    let mut then: Vec<ReadView> = vec![];
    for _ in 0..40 {
        history.commit();
        then.push(history.world.view());
    }
    let now = history.world.view();
    let mut different = 0;
    for before in then.iter().filter(|before| before.head().position() > Position::START) {
        let past = Past::at(&now, before.head().position()).unwrap();
        assert_eq!(past.position(), before.head().position());
        let (past, live) = (seen(&past.views()), seen(&Views::new(before).unwrap()));
        assert_eq!(past, live);
        different += usize::from(live != seen(&Views::new(&now).unwrap()));
    }
    assert!(different > 20, "only {different} moments differ from now");
    assert_eq!(history.world.view().head(), now.head(), "reading appends nothing");
}

#[test]
fn between_two_events_of_one_commit_there_is_a_moment_too() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    let view = world.view();
    let head = view.head().position().get();
    let open = |position| {
        let past = Past::at(&view, Position::new(position)).unwrap();
        past.views().open(None, usize::MAX).unwrap().len()
    };
    assert_eq!((open(head - 1), open(head)), (0, 1));
}

#[test]
fn a_position_that_never_was_is_refused_by_name() {
    let mut world = World::new();
    for asked in [0, 1] {
        let error = Past::at(&world.view(), Position::new(asked)).unwrap_err();
        assert!(matches!(error, Error::NoSuchPosition { .. }), "{error}");
    }
    world.append(StreamId::Run(run(1)), [started()]);
    let error = Past::at(&world.view(), Position::new(2)).unwrap_err();
    assert_eq!(error.to_string(), "there is no position 2 in the log: it holds 1 to 1");
    assert_eq!(error.code(), "PL4003");
    assert!(Past::at(&world.view(), Position::new(1)).is_ok());
}

#[test]
fn the_past_needs_no_tables_that_can_be_read() {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    world.open(With::Nothing).unwrap();
    world.run(run(2), asking(decision(2)));
    let view = world.view();
    assert!(matches!(Views::new(&view), Err(Error::Behind { .. })));
    let past = Past::at(&view, view.head().position()).unwrap();
    assert_eq!(past.views().open(None, usize::MAX).unwrap().len(), 2);
}
