//! Databases of every released format open for ever: `fixtures/archive/<version>/` holds the files of a
//! project and of a log with every kind of event, as they lay on disk, with what they mean beside them.
//! Today's code opens a copy, reads every event and payload as it was meant, makes the projections again
//! and goes on.
//!
//! A format is archived once, when it is released: `PLACET_WRITE_ARCHIVE=1` makes the folder of this
//! version where it is missing, and never overwrites one. Before the release, when a layout changes,
//! delete `fixtures/archive/v0.1` and make it again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use placet_executor::public::render;
use placet_log::{
    Append, Expected, KeyPlace, Log, NewEvent, OpenOptions, Projector, ReadView, codec,
};
use placet_model::event::EventKind;
use placet_model::event::governance::OutboundPaused;
use placet_model::{Actor, Digest, Event, EventId, Position, StreamId, Timestamp};
use placet_projections::{Projections, RunFilter, Views, compare, rebuild};
use placet_test_support::dirs::{Project, fixture};
use serde_json::{Value, json};

use crate::kit::placet;

/// The version whose folder is made.
const NOW: &str = "v0.1";
const PROJECT: &str = "archive";
/// Kinds that came after this version: the archive of the next one holds them.
const LATER: [EventKind; 32] = [
    EventKind::PreviewRead,
    EventKind::SendRouted,
    EventKind::SubscriptionChanged,
    EventKind::SyncCompleted,
    EventKind::NoticeQueued,
    EventKind::NoticeSent,
    EventKind::NoticeFailed,
    EventKind::ApproverAlarmRaised,
    EventKind::ResolutionCast,
    EventKind::StandingEndorsed,
    EventKind::StandingUsed,
    EventKind::VoteDelegated,
    EventKind::ApproversReminded,
    EventKind::BreakGlassReviewed,
    EventKind::InboundReceived,
    EventKind::InboundRejected,
    EventKind::LookupPlanned,
    EventKind::LookupStarted,
    EventKind::LookupEnded,
    EventKind::EvidenceArrived,
    EventKind::IntegrationScoped,
    EventKind::ResponseDrifted,
    EventKind::RequestSigned,
    EventKind::PasskeyEnrolled,
    EventKind::PasskeyConfirmed,
    EventKind::PasskeyRevoked,
    EventKind::PairingChanged,
    EventKind::TriggerSet,
    EventKind::TriggerRemoved,
    EventKind::VaultRotated,
    EventKind::OwnCallStarted,
    EventKind::OwnCallEnded,
];
/// What is kept of a data directory.
const FILES: [&str; 3] = ["log.redb", "keys.redb", "head"];
/// Payloads of one event at most.
const PAYLOADS_MAX: u16 = 8;

const ASKS: &str = "document: { dsl: '1.0.3', namespace: test, name: tell, version: '1.0.0' }
do:
  - note: { set: { n: 1 } }
  - tell: { call: slack.chat.postMessage, with: { channel: C0SALES, text: Hello } }
";

fn options(dir: &Path) -> OpenOptions {
    OpenOptions::new(dir.join("data"), PROJECT).keys(KeyPlace::Directory(dir.join("keys")))
}

fn open(dir: &Path, projector: Option<impl Projector + 'static>) -> Log {
    let options = options(dir).cache_bytes(1 << 20);
    let options = match projector {
        Some(projector) => options.projector(projector),
        None => options,
    };
    Log::open(options).unwrap_or_else(|error| panic!("{}: {error:?}", dir.display()))
}

/// What the files mean, in today's words.
fn meaning(log: &Log, projections: bool) -> Value {
    let view = log.read().expect("it can be read");
    let events = view.events(Position::START).map(|event| event.expect("an event"));
    let events: Vec<_> = events.collect();
    let payloads: BTreeMap<String, Value> = events
        .iter()
        .flat_map(|event| (0..PAYLOADS_MAX).map(|index| (event.position, index)))
        .filter_map(|(position, index)| {
            let opened = view.payload_at(position, index).ok()?;
            let digest = Digest::of(opened.payload.as_bytes()).to_string();
            Some((format!("{}/{index}", position.get()), json!(digest)))
        })
        .collect();
    json!({
        "size": view.head().size,
        "root": view.head().root.to_string(),
        "events": events.iter().map(render).collect::<Vec<_>>(),
        "payloads": payloads,
        "projections": if projections { summary(&view) } else { Value::Null },
    })
}

fn summary(view: &ReadView) -> Value {
    let views = Views::new(view).expect("projections can be read");
    let runs = views.runs(&RunFilter::default(), None, 100).expect("runs");
    let open = views.open(None, 100).expect("the inbox");
    json!({
        "runs": runs.iter().map(|row| json!([row.run.to_string(), row.status.word()])).collect::<Vec<_>>(),
        "inbox": open.iter().map(|row| json!([row.decision.to_string(), row.digest.to_string()])).collect::<Vec<_>>(),
    })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory can be made");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file can be copied");
            // a checkout does not keep what only its owner may read
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&target, mode).expect("a mode can be set");
        }
    }
}

/// The databases of every version: the folder, and whether it has projections.
fn archives() -> Vec<(PathBuf, bool)> {
    let mut found = vec![];
    for version in std::fs::read_dir(fixture("archive")).expect("the archive is there") {
        let version = version.expect("an entry").path();
        found.extend(
            [("project", true), ("kinds", false)].map(|(name, kept)| (version.join(name), kept)),
        );
    }
    found.sort();
    found
}

#[test]
fn an_archived_database_of_every_format_opens_means_the_same_and_goes_on() {
    if std::env::var_os("PLACET_WRITE_ARCHIVE").is_some() && !fixture("archive").join(NOW).exists()
    {
        make();
    }
    let archives = archives();
    assert!(!archives.is_empty(), "PLACET_WRITE_ARCHIVE=1 makes a missing archive");
    for (archive, projections) in archives {
        let dir = tempfile::tempdir().expect("a directory");
        copy(&archive, dir.path());
        let text = std::fs::read_to_string(archive.join("expected.json")).expect("what is meant");
        let expected: Value = serde_json::from_str(&text).expect("JSON");
        let log = open(dir.path(), projections.then(Projections::new));
        assert_eq!(meaning(&log, projections), expected, "{}", archive.display());
        let verified = log.read().expect("it can be read").verify();
        verified.unwrap_or_else(|error| panic!("{}: {error}", archive.display()));
        if projections {
            compare(&log.read().expect("it can be read")).expect("they are what the log gives");
            rebuild(&log, |_| ControlFlow::Continue(())).expect("they can be made again");
            assert_eq!(summary(&log.read().expect("it can be read")), expected["projections"]);
        }
        let event = OutboundPaused { integration: None };
        let new = NewEvent::new(EventId::from_bytes([0xaa; 16]), Actor::Engine, event);
        let append = Append::new(StreamId::Project, Expected::Any, vec![new]);
        let appended = log.append_blocking(Timestamp::EPOCH, append).expect("it goes on");
        assert_eq!(json!(appended.last_position().get() - 1), expected["size"]);
    }
}

/// Every kind of event is in an archive of this version.
#[test]
fn an_archive_holds_every_kind_of_event() {
    let mut kept = BTreeSet::new();
    for part in ["kinds", "project"] {
        let expected = fixture("archive").join(NOW).join(part).join("expected.json");
        let expected = std::fs::read_to_string(expected).expect("the archive is there");
        let expected: Value = serde_json::from_str(&expected).expect("JSON");
        for event in expected["events"].as_array().expect("events") {
            kept.insert(event["type"].as_str().expect("a type").to_owned());
        }
    }
    for kind in EventKind::ALL.iter().filter(|kind| !LATER.contains(kind)) {
        assert!(kept.contains(kind.name()), "{} is not archived", kind.name());
    }
}

// ---- making it ------------------------------------------------------------------------------

fn make() {
    let home = fixture("archive").join(NOW);
    make_kinds(&home.join("kinds"));
    make_project(&home.join("project"));
}

/// Keeps a database, small, with what it means.
fn keep(dir: &Path, home: &Path, projections: bool) {
    let log = open(dir, projections.then(Projections::new));
    log.compact(|_| {}).expect("it can be compacted");
    let meant = meaning(&log, projections);
    drop(log);
    std::fs::create_dir_all(home.join("data")).expect("a directory can be made");
    for file in FILES {
        std::fs::copy(dir.join("data").join(file), home.join("data").join(file)).expect("a file");
    }
    copy(&dir.join("keys"), &home.join("keys"));
    // where the data lay is of the machine, not of the format
    for entry in std::fs::read_dir(home.join("keys")).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|kind| kind == "place" || kind == "lock") {
            std::fs::remove_file(path).expect("a file can be removed");
        }
    }
    let text = serde_json::to_string_pretty(&meant).expect("JSON");
    std::fs::write(home.join("expected.json"), text + "\n").expect("a file can be written");
}

/// A log with every kind of event, filled and bare, as the golden bodies have them.
fn make_kinds(home: &Path) {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("keys")).expect("a directory can be made");
    let log = open(dir.path(), None::<Projections>);
    let mut number = 0_u128;
    // a checkpoint must be of the very log that it stands in: the project has one
    for kind in EventKind::ALL.iter().filter(|kind| **kind != EventKind::CheckpointSigned) {
        for fill in ["full", "bare"] {
            let file = fixture("events").join(kind.name()).join(format!("v1/{fill}.bin"));
            let body = std::fs::read(file).expect("a golden body");
            let mut event = codec::decode(kind.type_id(), 1, &body).expect("a golden body");
            // a signature must be one, and the invented one is none
            if let Event::VoteCast(vote) = &mut event {
                vote.signed = None;
            }
            number += 1;
            let id = EventId::from_bytes(number.to_be_bytes());
            let mut new = NewEvent::new(id, Actor::Engine, event);
            if fill == "full" {
                new = new.with_payload(number.to_be_bytes().to_vec());
            }
            let at = Timestamp::from_millis(1_767_225_600_000);
            let append = Append::new(StreamId::Project, Expected::Any, vec![new]);
            log.append_blocking(at, append).expect("it can be appended");
        }
    }
    drop(log);
    keep(dir.path(), home, false);
}

/// A project with a run that has ended, one that was refused, and one that waits.
fn make_project(home: &Path) {
    let project = Project::new().with("placet.toml", &format!("project = \"{PROJECT}\"\n"));
    let file = project.write("workflows/tell.yaml", ASKS).display().to_string();
    let data = project.dir().join("data").display().to_string();
    for (approve, code) in [("auto", 0), ("deny", 1), ("ask", 3)] {
        let run = ["run", &file, "--mode", "sandbox", "--approve", approve, "--data", &data];
        let done = placet(&project).args(run).env("PLACET_KEY_DIR", project.dir().join("keys"));
        let _ended = done.run().expect_code(code);
    }
    keep(&project.dir(), home, true);
}
