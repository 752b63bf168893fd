//! Flipped bits: every one of them is an error that names table and key, never wrong data.

use crate::make::*;
use crate::support::*;
use placet_model::decision::{Settlement, Verdict};
use placet_model::draft::Mode;
use placet_model::event::decision::{ActionRequested, StandingUsed};
use placet_model::event::governance::{OutboundPaused, PolicyChanged, WorkflowDeployed};
use placet_model::event::integration::IntegrationConnected;
use placet_model::event::run::TaskShape;
use placet_model::integration::Identity;
use placet_model::signed::Act;
use placet_model::{DecisionId, EventId, IntegrationId, Position, StreamId, Timestamp};
use placet_projections::{Error, RunFilter, Source, TallyKind, Views};
use redb::{ReadableTable, TableDefinition};
use std::ops::ControlFlow;

pub(crate) const TABLES: [&str; 26] = [
    "proj_hot_v7",
    "proj_runs_v7",
    "proj_ended_v7",
    "proj_due_v7",
    "proj_decisions_v7",
    "proj_requests_v7",
    "proj_nonces_v7",
    "proj_integrations_v7",
    "proj_located_v7",
    "proj_workflows_v7",
    "proj_project_v7",
    "proj_arrivals_v7",
    "proj_arrival_types_v7",
    "proj_arrival_ids_v7",
    "proj_listeners_v7",
    "proj_orders_v7",
    "proj_inbox_v7",
    "proj_shapes_v7",
    "proj_shaped_v7",
    "proj_asked_v7",
    "proj_hands_v7",
    "proj_actions_v7",
    "proj_edited_v7",
    "proj_standing_v7",
    "proj_tally_v7",
    "proj_told_v7",
];

/// Every kind of row about people.
pub(crate) const TALLY: [TallyKind; 6] = [
    TallyKind::Voted,
    TallyKind::Reversed,
    TallyKind::Expired,
    TallyKind::Alarm,
    TallyKind::Heard,
    TallyKind::InAdvance,
];

/// A world with one row in every table.
pub(crate) fn filled() -> World {
    let mut world = World::new();
    world.run(run(1), asking(decision(1)));
    world.run(
        run(1),
        [
            in_advance(decision(1), "heartbeat").into(),
            vote(decision(1), "ana", Verdict::Approve, Some("r")),
            settled(decision(1), Settlement::Approved),
        ],
    );
    world.run(run(2), [started(), run_completed()]);
    let connected = IntegrationConnected {
        integration: integration(1),
        name: "sales".into(),
        provider: "slack".into(),
        settings: "{}".into(),
        identity: Identity { id: "U1".into(), tenant: "T1".into() },
        label: "Sales".into(),
        is_default: true,
    };
    world.append(StreamId::Integration(integration(1)), [connected.into()]);
    let deployed = WorkflowDeployed {
        workflow: workflow("follow-up"),
        plan_digest: digest("plan"),
        plan: content(1),
        source_digest: digest("source"),
        source: content(1),
    };
    world.append(StreamId::Workflow("sales/follow-up".into()), [deployed.into()]);
    let policy = PolicyChanged { digest: digest("policy"), policy: content(1) };
    world.append(StreamId::Policy, [policy.into()]);
    world.append(StreamId::Project, [OutboundPaused { integration: None::<IntegrationId> }.into()]);
    let hear = task("hear");
    let listen = [started(), shaped(&hear, TaskShape::Listen, 0), listening(&hear, "order")];
    world.run(run(3), listen);
    world.append(StreamId::Events, [received("order", "one")]);
    let child = task("child");
    world.run(run(4), [started(), begun(&child), ordered(&child, run(5), true)]);
    let (key, content) = (digest("key"), digest("content"));
    let first = [started(), ActionRequested { key, content }.into()];
    world.run(run(6), first.into_iter().chain(asking(decision(6)).into_iter().skip(1)));
    world.run(run(6), edited(decision(6), decision(7)));
    let [queued, sent] = notice("ana", "slack", EventId::from_bytes([200; 16]));
    world.append(StreamId::Notices, [queued, sent]);
    world
}

pub(crate) fn in_advance(decision: DecisionId, standing: &str) -> StandingUsed {
    let (standing, digest) = (standing.to_owned(), digest(standing));
    StandingUsed { decision, standing, digest, voters: vec![who("ana")], day: 0, count: 1 }
}

/// Everything that can be read, as text; a table that is read as a whole is read as a whole.
fn read(world: &World) -> Result<String, Error> {
    let view = world.view();
    let views = Views::new(&view)?;
    let runs = (
        views.run(run(1))?,
        views.run(run(2))?,
        views.runs(&RunFilter::default(), None, 9)?,
        (views.ready()?, views.in_flight()?, views.in_doubt()?),
    );
    let decisions = (
        (views.decision(decision(1))?, views.decision(decision(6))?),
        views.open(None, 9)?,
        views.approved()?,
        views.request(&who("ana"), "r")?,
        views.spent(&Act::of(&who("ana"), None), "ana")?,
        (views.open_of(&who("agent"), 9)?, views.action(digest("key"))?),
        inbox(&views)?,
        views.edited(digest("original"))?,
    );
    let due = (views.due(Timestamp::from_millis(i64::MAX), 9)?, views.next_due()?);
    let project = (
        views.integrations()?,
        (views.plan(digest("plan"))?, views.source(digest("plan"))?, views.workflows()?),
        views.policy()?,
        (views.pauses()?, views.keys()?, views.standing_uses("heartbeat", 0)?),
    );
    let from = (at(0), Position::START);
    let events = (
        (views.arrivals(None, from, 9)?, views.arrivals(Some("order"), from, 9)?),
        (views.arrival_of(&digest("one"))?, views.delivered()?),
        (views.listeners("order")?, views.listening_since(Position::START)?),
    );
    let mut tally = vec![];
    for who in views.tallied()?.iter().map(Some).chain([None]) {
        for kind in TALLY {
            views.tally((who, kind), at(-99)..at(99), |row| {
                tally.push(row);
                ControlFlow::Continue(())
            })?;
        }
    }
    let (ana, voted) = (who("ana"), TallyKind::Voted);
    let tally = (tally, views.last_tally(&ana, voted)?);
    let told = (views.told(&ana, "slack", Mode::Live)?, views.tell_after()?);
    let orders = (views.order(run(5))?, views.pending_orders()?, views.has_orders()?);
    let people = format!("{tally:?} {told:?}");
    Ok(format!("{runs:?} {decisions:?} {due:?} {project:?} {events:?} {orders:?} {people}"))
}

/// The inbox by every way that leads into it.
fn inbox(views: &Views<'_>) -> Result<String, Error> {
    let shapes = views.shapes(None, 9)?;
    let of_shapes = shapes.iter().map(|(_, shape)| Source::Shape(shape.shape));
    let of_people = ["agent", "ana"]
        .map(who)
        .into_iter()
        .flat_map(|person| [Source::AskedBy(person.clone()), Source::InHandsOf(person)]);
    let sources: Vec<Source> = of_shapes.chain(of_people).chain([Source::All]).collect();
    let pages: Result<Vec<_>, Error> =
        sources.into_iter().map(|source| views.inbox(&[source], None, 9)).collect();
    Ok(format!("{shapes:?} {:?}", pages?))
}

pub(crate) type Row = (Vec<u8>, Vec<u8>);

pub(crate) fn rows(world: &World, table: &str) -> Vec<Row> {
    let view = world.view();
    let table = view.transaction().open_table(TableDefinition::<&[u8], &[u8]>::new(table)).unwrap();
    let rows = table.iter().unwrap().map(Result::unwrap);
    rows.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).collect()
}

/// Replaces the row with this key by another one.
fn replace(world: &World, table: &'static str, old: Vec<u8>, new: Row) {
    world
        .log()
        .maintain(move |tx| {
            let mut table = tx.open_table(TableDefinition::<&[u8], &[u8]>::new(table))?;
            table.remove(old.as_slice())?;
            table.insert(new.0.as_slice(), new.1.as_slice())?;
            Ok(())
        })
        .unwrap();
}

#[test]
fn every_flipped_bit_of_a_value_is_an_error_that_names_table_and_key() {
    let world = filled();
    let whole = read(&world).unwrap();
    for table in TABLES {
        let rows = rows(&world, table);
        assert!(!rows.is_empty(), "{table}");
        for (key, value) in rows {
            for at in 0..value.len() {
                let mut flipped = value.clone();
                flipped[at] ^= 1 << (at % 8);
                replace(&world, table, key.clone(), (key.clone(), flipped));
                let error = read(&world).unwrap_err();
                let Error::Damaged { table: named, key: hex, .. } = &error else {
                    panic!("{table} byte {at}: {error}")
                };
                let expected =
                    key.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
                assert_eq!((*named, hex), (table, &expected), "byte {at}");
            }
            replace(&world, table, key.clone(), (key, value));
        }
    }
    assert_eq!(read(&world).unwrap(), whole);
}

#[test]
fn a_flipped_bit_of_a_key_never_shows_another_row() {
    let world = filled();
    let whole = read(&world).unwrap();
    for table in TABLES {
        let rows = rows(&world, table);
        for (key, value) in &rows {
            for at in 0..key.len() {
                let mut flipped = key.clone();
                flipped[at] ^= 1;
                if rows.iter().any(|(other, _)| *other == flipped) {
                    continue; // two rows cannot have one key
                }
                replace(&world, table, key.clone(), (flipped.clone(), value.clone()));
                // a row that is looked up by its key alone is not found, and nothing else is shown
                let seen = read(&world);
                let unfound = [
                    "proj_requests_v7",
                    "proj_nonces_v7",
                    "proj_located_v7",
                    "proj_project_v7",
                    "proj_arrival_types_v7",
                    "proj_arrival_ids_v7",
                    "proj_shaped_v7",
                    "proj_asked_v7",
                    "proj_hands_v7",
                    "proj_actions_v7",
                    "proj_edited_v7",
                    "proj_standing_v7",
                    "proj_tally_v7",
                    "proj_told_v7",
                ];
                // nor is a mark of a kind that nobody asks for
                let no_kind = table == "proj_hot_v7" && (7..16).contains(&flipped[0]);
                let closed = table == "proj_decisions_v7" && key[..] == decision(6).to_bytes();
                let unfound = no_kind || closed || unfound.contains(&table);
                assert!(seen.is_err() || unfound, "{table} byte {at}: {seen:?}");
                replace(&world, table, flipped, (key.clone(), value.clone()));
            }
        }
    }
    assert_eq!(read(&world).unwrap(), whole);
}

#[test]
fn a_damaged_row_is_not_written_over() {
    let mut world = filled();
    let of_run = |(key, _): &(Vec<u8>, Vec<u8>)| *key == live(run(1));
    let (key, mut value) = rows(&world, "proj_hot_v7").into_iter().find(of_run).unwrap();
    value[3] ^= 1;
    replace(&world, "proj_hot_v7", key.clone(), (key, value));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.run(run(1), [tried(attempt(1), 1, Some(decision(1)))]);
    }));
    let text = panic.unwrap_err().downcast_ref::<String>().cloned().unwrap();
    assert!(text.contains("of proj_hot_v7 is damaged"), "{text}");
}
