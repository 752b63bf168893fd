//! What the loop must read to know what follows, and cannot: the engine stops rather than leave
//! somebody untold, and the next start tells them.
//!
//! covers: S10

use crate::branches::document;
use crate::world::{World, is_over, name, try_start};
use placet_executor::{Clock, Error, Notice};
use placet_log::{BoxError, KeyPlace, Log, OpenOptions, ProjectKey, Projector, ReadView};
use placet_model::draft::Mode;
use placet_model::{Event, RecordedEvent, RunId};
use placet_projections::Projections;
use redb::{TableDefinition, TableHandle as _, WriteTransaction};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Who listens to which events; and where the test puts that away.
const LISTENERS: Rows = TableDefinition::new("proj_listeners_v7");
const AWAY: Rows = TableDefinition::new("away");

/// From when on the rows cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unreadable {
    Never,
    FromTheStart,
    OnceAnEventHasCome,
}

struct Tables {
    inner: Projections,
    unreadable: Unreadable,
}

impl Projector for Tables {
    fn prepare(&mut self, tx: &WriteTransaction, view: &ReadView) -> Result<(), BoxError> {
        if tx.list_tables()?.any(|table| table.name() == AWAY.name()) {
            tx.delete_table(LISTENERS)?;
            tx.rename_table(AWAY, LISTENERS)?;
        }
        self.inner.prepare(tx, view)?;
        if self.unreadable == Unreadable::FromTheStart {
            tx.rename_table(LISTENERS, AWAY)?;
        }
        Ok(())
    }

    fn apply(&mut self, tx: &WriteTransaction, events: &[RecordedEvent]) -> Result<(), BoxError> {
        self.inner.apply(tx, events)?;
        let came = events.iter().any(|recorded| matches!(recorded.event, Event::EventReceived(_)));
        if came && self.unreadable == Unreadable::OnceAnEventHasCome {
            tx.rename_table(LISTENERS, AWAY)?;
        }
        Ok(())
    }
}

async fn life(dir: &Path, unreadable: Unreadable) -> Result<World, Error> {
    let options = OpenOptions::new(dir, "test")
        .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
        .cache_bytes(1 << 20)
        .projector(Tables { inner: Projections::new(), unreadable });
    try_start(Log::open(options).unwrap(), Clock::virtual_start(), Arc::default()).await
}

async fn stop(world: World) -> Result<(), Error> {
    let World { engine, handle, notices, .. } = world;
    let stopped = engine.stop().await;
    drop((handle, notices));
    stopped
}

/// A run that waits for an event; who does cannot be read once it has come, and the engine has stopped.
async fn untold(dir: &Path) -> RunId {
    let mut world = life(dir, Unreadable::OnceAnEventHasCome).await.unwrap();
    world.furnish().await;
    let hears = document("  - hear: { listen: { to: { one: { with: { type: ping } } } } }\n");
    let run = world.run(&hears, Value::Null, Mode::Sandbox).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    // it has looked for what came before, and sleeps
    while world.handle.load().await.unwrap().worked_on > 0 {
        tokio::task::yield_now().await;
    }
    let event = json!({"type": "ping", "data": 1});
    world.handle.publish(event, None, &name("author")).await.unwrap();
    while world.notices.recv().await.unwrap() != Notice::Failed {}
    assert_eq!(stop(world).await.unwrap_err().code(), "PL1002");
    run
}

/// A life in which everything can be read: it tells the run of the event.
async fn told(dir: &Path, run: RunId) {
    let mut world = life(dir, Unreadable::Never).await.unwrap();
    let mut report = world.handle.report(run).unwrap();
    if !is_over(&report) {
        report = world.finished(run).await;
    }
    assert_eq!(report["output"], json!([1]), "{report:#}");
    stop(world).await.unwrap();
}

#[tokio::test]
async fn an_event_whose_listeners_cannot_be_read_stops_the_engine_and_is_told_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let run = untold(dir.path()).await;
    told(dir.path(), run).await;
}

#[tokio::test]
async fn a_start_that_cannot_read_what_was_to_be_told_does_not_go_on_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = untold(dir.path()).await;
    let refused = life(dir.path(), Unreadable::FromTheStart).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), "PL1002", "{refused}");
    told(dir.path(), run).await;
}
