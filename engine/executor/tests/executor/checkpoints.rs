//! Signing the log beside the loop: when, and only when, there is something to sign.

use crate::world::{Recorder, World, name, open_log, start, start_with};
use placet_adapters::Transport;
use placet_executor::{Clock, Engine, Error, Parts, Transports, checkpoint_of};
use placet_log::checkpoint::{Checkpoint, Recorded};
use placet_log::note::{KeyKind, SigningKey};
use placet_model::draft::Mode;
use placet_model::project::{Audit, ProjectConfig};
use placet_model::{Event, Position, Revision, StreamId};
use std::sync::Arc;

/// An engine that signs after so many events, and by no clock that a test lives to see.
async fn signing_after(events: u64) -> World {
    let audit = Audit { checkpoint_events: events, checkpoint_seconds: 86_400, ..Audit::default() };
    let config = ProjectConfig { project: "test".into(), audit, ..ProjectConfig::default() };
    let recorder = Arc::new(Recorder::default());
    let live = Arc::clone(&recorder) as Arc<dyn Transport>;
    let place = (open_log(None), Clock::virtual_start());
    start_with(config, place, live, recorder).await.unwrap()
}

fn signed(world: &World) -> Vec<(Position, u64)> {
    let view = world.handle.view().unwrap();
    let events = view.stream(&StreamId::Checkpoints, Revision::START).map(Result::unwrap);
    let sizes = events.filter_map(|event| match event.event {
        Event::CheckpointSigned(body) => Some((event.position, body.size)),
        _ => None,
    });
    sizes.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_so_many_events_the_log_is_signed_and_then_left_alone() {
    let mut world = signing_after(20).await;
    let mut latest = world.handle.checkpoints();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("checkpoint");
    world.engine.keep_checkpoints(vec![file.clone()]).unwrap();
    world.furnish().await;
    while world.handle.log().head() < Position::new(20) {
        world.handle.pause(&name("author"), None).await.unwrap();
        world.handle.resume(&name("author"), None).await.unwrap();
    }
    latest.changed().await.unwrap();
    let first = signed(&world);
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].1 >= 20, "{first:?}");
    let end = world.engine.stop().await;
    end.unwrap();
    let view = world.handle.view().unwrap();
    let last = Recorded::last(&view).unwrap().unwrap();
    assert_eq!(last.unsigned, 0, "the stop signs the rest");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), last.note.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_recorded_only_when_something_else_came_since_the_last() {
    let world = start().await;
    let first = world.handle.checkpoint().await.unwrap();
    assert_eq!(world.handle.checkpoint().await.unwrap(), first);
    let (position, size) = signed(&world)[0];
    assert_eq!(position, Position::new(size + 1));
    let view = world.handle.view().unwrap();
    assert_eq!(first.head.root, view.root_at(size).unwrap());
    let checkpoint: Checkpoint = first.note.text().parse().unwrap();
    assert_eq!(checkpoint.origin, world.handle.log().origin());
    drop(view);
    world.connect("webhook").await;
    let second = world.handle.checkpoint().await.unwrap();
    assert!(second.head.size > first.head.size);
    assert_eq!(signed(&world).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_s_word_is_recorded_once_it_is_found_to_be_good() {
    let world = start().await;
    let checkpoint = world.handle.checkpoint().await.unwrap();
    let witness = SigningKey::from_seed("witness.example", KeyKind::Witness, &[2; 32]).unwrap();
    let good = witness.sign(checkpoint.note.text(), 1_700_000_000);
    let of_another = witness.sign("another\n1\ntext\n", 1_700_000_000);
    let before = world.handle.log().head();
    let key = witness.verifier();
    let refused = world.handle.cosigned(&checkpoint, key, of_another).await.unwrap_err();
    assert_eq!(refused.code(), "PL1203");
    assert_eq!(world.handle.log().head(), before);
    world.handle.cosigned(&checkpoint, key, good).await.unwrap();
    // it needs no checkpoint of its own, and an export has it
    assert_eq!(world.handle.checkpoint().await.unwrap().head, checkpoint.head);
    let view = world.handle.view().unwrap();
    let (note, size) = world.handle.log().evidence(&view).unwrap();
    assert_eq!((note.verify(key), size), (Ok(1_700_000_000), checkpoint.head.size));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_s_word_on_the_last_checkpoint_is_recorded_though_the_engine_has_stopped() {
    let mut world = signing_after(10_000).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("checkpoint");
    world.engine.keep_checkpoints(vec![file.clone()]).unwrap();
    let latest = world.handle.checkpoints();
    world.engine.stop().await.unwrap();
    let last = latest.borrow().clone().expect("the stop has signed");
    let witness = SigningKey::from_seed("witness.example", KeyKind::Witness, &[2; 32]).unwrap();
    let line = witness.sign(last.note.text(), 1_700_000_000);
    world.handle.cosigned(&last, witness.verifier(), line).await.unwrap();
    let view = world.handle.view().unwrap();
    let recorded = Recorded::last(&view).unwrap().unwrap();
    assert_eq!((recorded.head, recorded.unsigned), (last.head, 0));
    assert_eq!(recorded.note.verify(witness.verifier()), Ok(1_700_000_000));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), recorded.note.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_reads_appends_no_checkpoint() {
    let world = start().await;
    let log = world.handle.log().clone();
    let parts = Parts {
        log: log.clone(),
        config: ProjectConfig { project: "test".into(), ..ProjectConfig::default() },
        adapters: Arc::clone(world.handle.adapters()),
        transports: Transports::default(),
        clock: Clock::virtual_start(),
        mode: Mode::Sandbox,
    };
    let reader = Engine::reader(parts).unwrap();
    let before = log.head();
    assert!(matches!(reader.checkpoint().await, Err(Error::Stopping)));
    assert_eq!(log.head(), before);
    // the log itself takes one, with no engine there
    world.engine.stop().await.unwrap();
    let now = world.clock.now();
    let recorded = checkpoint_of(&log, now).unwrap();
    assert_eq!(recorded.head.size, before.get());
    assert_eq!(checkpoint_of(&log, now).unwrap(), recorded);
}
