//! Projections are written in the log's own transaction, or the log stops.

use crate::support::*;
use placet_log::{
    AppendError, BoxError, Error, KeyPlace, Log, OpenOptions, ProjectKey, Projector, ReadView,
};
use placet_model::{Position, RecordedEvent};
use redb::{ReadableTable, TableDefinition, WriteTransaction};

const SEEN: TableDefinition<'_, u64, &str> = TableDefinition::new("proj_seen_v1");

/// Position → type of every event; refuses the event that names `refused`.
struct Seen {
    refused: Option<u128>,
}

impl Projector for Seen {
    fn prepare(&mut self, tx: &WriteTransaction, view: &ReadView) -> Result<(), BoxError> {
        let mut seen = tx.open_table(SEEN)?;
        let cursor = seen.last()?.map_or(0, |row| row.0.value());
        for event in view.events(Position::new(cursor).next()) {
            let event = event?;
            seen.insert(event.position.get(), event.event.type_name())?;
        }
        Ok(())
    }

    fn apply(&mut self, tx: &WriteTransaction, events: &[RecordedEvent]) -> Result<(), BoxError> {
        let mut seen = tx.open_table(SEEN)?;
        for event in events {
            if self.refused == Some(event.event_id.as_u128()) {
                return Err("this one not".into());
            }
            seen.insert(event.position.get(), event.event.type_name())?;
        }
        Ok(())
    }
}

fn open(dir: &std::path::Path, projector: impl Projector + 'static) -> Result<Log, Error> {
    let keys = KeyPlace::Given(ProjectKey::from_bytes([7; 32]));
    Log::open(OpenOptions::new(dir, "sales").keys(keys).projector(projector))
}

fn seen(log: &Log) -> Vec<(u64, String)> {
    let view = log.read().unwrap();
    let table = view.transaction().open_table(SEEN).unwrap();
    let rows = table.iter().unwrap().map(|row| {
        let (position, name) = row.unwrap();
        (position.value(), name.value().to_owned())
    });
    rows.collect()
}

#[test]
fn an_acknowledged_event_is_in_the_projection() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), Seen { refused: None }).unwrap();
    log.append_blocking(NOW, exactly(run(1), 0, events([1, 2]))).unwrap();
    let expected = vec![(1, "OutboundResumed".to_owned()), (2, "OutboundPaused".to_owned())];
    assert_eq!(seen(&log), expected);
}

#[test]
fn a_new_projection_catches_up_before_the_log_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), placet_log::NoProjections).unwrap();
    log.append_blocking(NOW, exactly(run(1), 0, events([1, 2, 3]))).unwrap();
    drop(log);
    let log = open(dir.path(), Seen { refused: None }).unwrap();
    assert_eq!(seen(&log).len(), 3);
}

#[test]
fn an_event_that_a_projection_refuses_is_not_written_and_the_log_stops() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), Seen { refused: Some(2) }).unwrap();
    log.append_blocking(NOW, exactly(run(1), 0, events([1]))).unwrap();
    let error = log.append_blocking(NOW, exactly(run(1), 1, events([2]))).unwrap_err();
    assert!(matches!(&error, AppendError::Projection { reason } if reason == "this one not"));
    assert!(log.append_blocking(NOW, exactly(run(1), 1, events([3]))).is_err());
    drop(log);

    let log = open(dir.path(), Seen { refused: None }).unwrap();
    assert_eq!(all(&log).len(), 1);
    log.append_blocking(NOW, exactly(run(1), 1, events([2]))).unwrap();
    assert_eq!(seen(&log).len(), 2);
}

#[test]
fn maintenance_writes_between_appends_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), Seen { refused: None }).unwrap();
    log.append_blocking(NOW, exactly(run(1), 0, events([1]))).unwrap();
    log.maintain(|tx| {
        tx.open_table(SEEN)?.insert(100, "by hand")?;
        Ok(())
    })
    .unwrap();
    let failed = log.maintain(|tx| {
        tx.open_table(SEEN)?.insert(200, "never")?;
        Err("changed my mind".into())
    });
    assert!(matches!(failed, Err(AppendError::Projection { .. })));
    log.append_blocking(NOW, exactly(run(1), 1, events([2]))).unwrap();
    let positions: Vec<u64> = seen(&log).into_iter().map(|(position, _)| position).collect();
    assert_eq!(positions, [1, 2, 100]);
}
