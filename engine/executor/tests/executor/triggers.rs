//! Triggers: what a connection brings along and takes away, what an operator says, and what came while an
//! event was to start nothing.

use crate::world::{World, name, open_log, start, start_on};
use placet_adapters::inbound::Event;
use placet_executor::Clock;
use placet_executor::arrivals::Arrival;
use placet_executor::triggers::TriggerState::{Off, On, Removed};
use placet_executor::triggers::{TriggerRow, TriggerState};
use placet_log::Storage;
use placet_model::draft::Mode;
use placet_model::integration::IntegrationStatus;
use placet_model::{IntegrationId, Position, StreamId};
use placet_projections::{RunFilter, Views};
use serde_json::{Value, json};

const STARTED: &str = "document: { dsl: '1.0.3', namespace: ops, name: answer, version: '1.0.0' }
schedule: { on: { one: { with: { type: slack.message } } } }
do:
  - a: { set: { id: '${ .[0].event_id }' } }
";
const WAITS: &str = r#"document: { dsl: '1.0.3', namespace: ops, name: waits, version: '1.0.0' }
do:
  - hear: { listen: { to: { one: { with: { type: slack.message, data: '${ .event_id == "Ev4" }' } } } } }
"#;
const MESSAGE: (&str, &str) = ("slack", "slack.message");
const REVOKED: (&str, &str) = ("slack", "slack.revoked");

/// A message is posted to a connection; it is on disk when this is over.
async fn posted(world: &World, integration: IntegrationId, id: &str) {
    let event = Event {
        key: "slack.message".into(),
        event_key: "communication.message.received".into(),
        dedupe: id.into(),
        match_on: vec![],
        correlate: [].into(),
        data: json!({"event_id": id}),
        stored: json!({}),
        refetch: None,
        told: None,
        claim: None,
    };
    let arrival = Arrival { integration, credential_version: 0, event };
    world.handle.arrival(arrival).await.expect("it is recorded");
}

fn slack(world: &World) -> IntegrationId {
    world.handle.named("slack").expect("it is there").id
}

async fn set(world: &World, of: (&str, &str), state: TriggerState) -> Result<(), String> {
    let set = world.handle.set_trigger(&name("author"), of, state).await;
    set.map_err(|error| error.code().to_owned())
}

async fn disconnect(world: &World, which: &str) {
    let gone = IntegrationStatus::Disconnected;
    world.handle.set_integration(&name("author"), which, gone).await.expect("it is recorded");
}

fn row(world: &World, of: (&str, &str)) -> Option<TriggerRow> {
    let rows = world.handle.triggers().expect("they can be read");
    rows.into_iter().find(|row| (&*row.integration, &*row.event) == of)
}

/// What is said of an event, by whom, and whether it is connected.
fn said(world: &World, of: (&str, &str)) -> Option<(TriggerState, &'static str, bool)> {
    let row = row(world, of)?;
    Some((row.state, row.origin.unwrap_or("nobody"), row.connected))
}

/// The ids of the messages that have started runs, once so many have, in order.
async fn started(world: &mut World, count: usize) -> Vec<Value> {
    loop {
        let runs = {
            let view = world.handle.view().expect("it can be read");
            let workflow = Some("ops/answer".to_owned());
            let filter = RunFilter { workflow, ..RunFilter::default() };
            Views::new(&view).expect("tables").runs(&filter, None, 100).expect("rows")
        };
        let output =
            |run| world.handle.report(run).expect("it can be read")["output"]["id"].clone();
        let mut outputs: Vec<Value> = runs.iter().map(|row| output(row.run)).collect();
        outputs.retain(|output| !output.is_null());
        if outputs.len() >= count {
            outputs.sort_by_key(ToString::to_string);
            return outputs;
        }
        world.notices.recv().await.expect("the engine runs");
    }
}

#[tokio::test]
async fn a_connection_brings_what_its_manifest_states_and_takes_it_away_and_what_people_wrote_stays()
 {
    let world = start().await;
    assert_eq!(said(&world, MESSAGE), Some((On, "seeded", true)));
    assert_eq!(said(&world, REVOKED), Some((Off, "seeded", true)));
    assert_eq!(said(&world, ("slack", "slack.echo")), None, "nobody's news");
    // all of it stands right behind the connection, as they are recorded together
    let names: Vec<&str> = {
        let view = world.handle.view().unwrap();
        view.events(Position::START).map(|event| event.unwrap().event.type_name()).collect()
    };
    let connected = names.iter().position(|name| *name == "IntegrationConnected").unwrap();
    assert_eq!(names[connected + 1..connected + 3], ["TriggerSet", "TriggerSet"], "{names:?}");

    // connecting it again says nothing anew, also not of what was removed
    set(&world, MESSAGE, Removed).await.unwrap();
    let before = world.handle.view().unwrap().revision(&StreamId::Project).unwrap();
    world.connect("slack").await;
    assert_eq!(said(&world, MESSAGE), Some((Removed, "nobody", true)));
    assert_eq!(world.handle.view().unwrap().revision(&StreamId::Project).unwrap(), before);

    // what somebody has said stays when the connection goes, what came with it goes as well
    set(&world, REVOKED, On).await.unwrap();
    disconnect(&world, "slack").await;
    assert_eq!(said(&world, MESSAGE), None);
    assert_eq!(said(&world, REVOKED), Some((On, "written", false)));
    // what is not connected is not offered, and cannot be set
    assert_eq!(set(&world, MESSAGE, On).await, Err("PL4009".to_owned()));

    // another connection of that name: its own word for what was removed, people's word for the rest
    world.connect("slack").await;
    assert_eq!(said(&world, MESSAGE), Some((On, "seeded", true)));
    assert_eq!(said(&world, REVOKED), Some((On, "written", true)));

    // and of one of which nobody has said anything nothing is left
    world.connect("telegram").await;
    assert_eq!(said(&world, ("telegram", "telegram.message")), Some((On, "seeded", true)));
    disconnect(&world, "telegram").await;
    assert_eq!(said(&world, ("telegram", "telegram.message")), None);
}

#[tokio::test]
async fn what_came_while_its_trigger_was_off_starts_nothing_also_later_and_over_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = || open_log(Some(Storage::Directory(dir.path().to_owned())));
    let mut world = start_on(open(), Clock::virtual_start()).await;
    world.furnish().await;
    world.deploy(STARTED).await;
    world.handle.run_schedules().await.unwrap();
    posted(&world, slack(&world), "Ev1").await;
    assert_eq!(started(&mut world, 1).await, ["Ev1"]);

    // two come while it is off; the engine that starts then is told of them again, and it is on
    set(&world, MESSAGE, Off).await.unwrap();
    posted(&world, slack(&world), "Ev2").await;
    posted(&world, slack(&world), "Ev3").await;
    set(&world, MESSAGE, On).await.unwrap();
    let World { engine, handle, .. } = world;
    engine.stop().await.unwrap();
    drop(handle);

    let mut world = start_on(open(), Clock::virtual_start()).await;
    world.handle.run_schedules().await.unwrap();
    assert_eq!(said(&world, MESSAGE), Some((On, "written", true)), "over a restart");
    // a run that waits hears it all the same
    set(&world, MESSAGE, Off).await.unwrap();
    let waits = world.run(WAITS, Value::Null, Mode::Sandbox).await;
    posted(&world, slack(&world), "Ev4").await;
    assert_eq!(world.finished(waits).await["status"], "completed");
    set(&world, MESSAGE, Removed).await.unwrap();
    posted(&world, slack(&world), "Ev5").await;
    // what comes after it is on again starts, in order: whatever came before has been passed over by then
    set(&world, MESSAGE, On).await.unwrap();
    posted(&world, slack(&world), "Ev6").await;
    assert_eq!(started(&mut world, 2).await, ["Ev1", "Ev6"]);
}

#[tokio::test]
async fn a_list_says_what_an_event_starts_and_a_word_is_an_operators_and_recorded_once() {
    let world = start().await;
    world.deploy(STARTED).await;
    let own = row(&world, MESSAGE).expect("it is there");
    assert_eq!((own.state, own.starts), (On, vec!["ops/answer@1.0.0".to_owned()]));
    assert_eq!(row(&world, REVOKED).expect("it is there").starts, Vec::<String>::new());

    let stranger = world.handle.set_trigger(&name("approver"), MESSAGE, Off).await;
    assert_eq!(stranger.unwrap_err().code(), "PL4005");
    assert_eq!(set(&world, ("slack", "slack.echo"), On).await, Err("PL3076".to_owned()));
    assert_eq!(set(&world, ("slack", "slack.nope"), Off).await, Err("PL3076".to_owned()));
    assert_eq!(set(&world, ("gone", "slack.message"), Removed).await, Err("PL3078".to_owned()));

    let revision = || world.handle.view().unwrap().revision(&StreamId::Project).unwrap();
    let before = revision();
    set(&world, MESSAGE, Off).await.unwrap();
    set(&world, MESSAGE, Off).await.unwrap();
    assert_eq!(revision(), before.next(), "what is so already is recorded no second time");
    set(&world, MESSAGE, Removed).await.unwrap();
    assert_eq!(set(&world, MESSAGE, Removed).await, Err("PL3078".to_owned()));
}
