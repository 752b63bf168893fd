//! Event bodies are a contract: golden bytes for every type, made once and never edited.
//!
//! `fixtures/events/<Type>/v<k>/{full,bare}.{bin,json}` and `shape`. With `PLACET_WRITE_GOLDENS=1`
//! the test writes what is missing; it never overwrites. After a release a test that fails here
//! means: put the struct back, and write a new version with an upcaster.

use crate::sample::{Fill, sample};
use placet_log::codec;
use placet_model::event::EventKind;
use placet_model::{Event, for_each_event};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/events")
}

/// What a test expects of the file: its content, made now when that is allowed.
fn golden(path: &Path, made: &[u8]) -> Vec<u8> {
    if !path.exists() && std::env::var_os("PLACET_WRITE_GOLDENS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, made).unwrap();
    }
    std::fs::read(path).unwrap_or_else(|error| {
        panic!("{}: {error}; PLACET_WRITE_GOLDENS=1 makes a missing golden", path.display())
    })
}

fn check<T>(kind: EventKind, wrap: fn(T) -> Event)
where
    T: Serialize + DeserializeOwned + Clone + PartialEq + std::fmt::Debug,
{
    let version = codec::current_version(kind);
    let dir = fixtures().join(kind.name()).join(format!("v{version}"));
    for fill in Fill::ALL {
        let (body, shape) = sample::<T>(fill).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        let file = |extension: &str| dir.join(format!("{}.{extension}", fill.name()));
        let encoded = codec::encode(&wrap(body.clone())).unwrap();
        let bin = golden(&file("bin"), &encoded);
        let mut json = serde_json::to_string_pretty(&body).unwrap();
        json.push('\n');
        let json = golden(&file("json"), json.as_bytes());

        let decoded = codec::decode(kind.type_id(), version, &bin)
            .unwrap_or_else(|error| panic!("{kind:?} {}: {error}", fill.name()));
        let named: T = serde_json::from_slice(&json).unwrap();
        assert_eq!(decoded, wrap(named), "{kind:?}: the bytes mean what the JSON says");
        let again = codec::encode(&decoded).unwrap();
        assert_eq!(again, bin, "{kind:?}: it is written as it was");
        if fill == Fill::Full {
            let pinned = golden(&dir.join("shape"), format!("{shape}\n").as_bytes());
            let pinned = String::from_utf8(pinned).unwrap();
            assert_eq!(shape, pinned.trim_end(), "{kind:?}: a frozen struct was edited");
        }
    }
}

/// Every earlier version means what its JSON says, with what is new left out; gives how many.
fn check_earlier<T: DeserializeOwned>(kind: EventKind, wrap: fn(T) -> Event) -> u16 {
    let earlier = codec::current_version(kind) - 1;
    for version in 1..=earlier {
        let dir = fixtures().join(kind.name()).join(format!("v{version}"));
        for fill in Fill::ALL {
            let file = |extension: &str| dir.join(format!("{}.{extension}", fill.name()));
            let bin = std::fs::read(file("bin")).unwrap();
            let decoded = codec::decode(kind.type_id(), version, &bin).unwrap();
            let mut said: Value =
                serde_json::from_slice(&std::fs::read(file("json")).unwrap()).unwrap();
            if kind == EventKind::DraftPrepared {
                said["notes"] = json!([]);
            }
            let named: T = serde_json::from_value(said).unwrap();
            assert_eq!(
                decoded,
                wrap(named),
                "{kind:?}: version {version} means what its JSON says"
            );
        }
    }
    earlier
}

macro_rules! check_all {
    ($($name:ident = $id:literal,)+) => {
        fn check_every_kind() {
            $(check(EventKind::$name, Event::$name);)+
        }

        fn check_every_earlier_version() -> u16 {
            [$(check_earlier(EventKind::$name, Event::$name),)+].iter().sum()
        }
    };
}
for_each_event!(check_all);

#[test]
fn every_event_type_decodes_its_golden_bytes_and_writes_them_again() {
    check_every_kind();
}

#[test]
fn every_earlier_version_is_read_as_the_event_that_it_meant() {
    assert_eq!(check_every_earlier_version(), 4, "events of which there is an earlier version");
}

#[test]
fn every_golden_belongs_to_an_event_type() {
    let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name.as_str()), "fixtures/events/{name} has no type any more");
    }
}

#[test]
fn an_unknown_type_or_version_is_named() {
    let known = EventKind::ALL.first().copied().unwrap().type_id();
    for (type_id, version) in [(0, 1), (9999, 1), (known, 0), (known, 2)] {
        let error = codec::decode(type_id, version, &[]).unwrap_err();
        let expected = codec::DecodeError::Unknown { type_id, type_version: version };
        assert_eq!(error, expected);
    }
}

#[test]
fn bytes_left_over_or_missing_are_an_error() {
    for kind in EventKind::ALL {
        for version in 1..=codec::current_version(*kind) {
            let file = fixtures().join(kind.name()).join(format!("v{version}/full.bin"));
            let bin = std::fs::read(file).unwrap();
            for broken in [[bin.as_slice(), &[0]].concat(), bin[..bin.len() - 1].to_vec()] {
                let error = codec::decode(kind.type_id(), version, &broken).unwrap_err();
                assert!(matches!(error, codec::DecodeError::Malformed { .. }), "{kind:?}: {error}");
            }
        }
    }
}

#[test]
fn wire_types_use_no_serde_attribute_that_postcard_cannot_honour() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/src/event");
    let banned = ["default", "skip", "flatten", "untagged", "tag ="];
    for entry in std::fs::read_dir(model).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.contains("#[serde(")) {
            let found = banned.iter().find(|word| line.contains(**word));
            assert_eq!(found, None, "{}: {line}", path.display());
        }
    }
}
