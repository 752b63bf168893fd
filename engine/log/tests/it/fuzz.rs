//! Bytes that are no event, nearly one, or another one: each is refused, or is read as what it says,
//! and nothing panics or asks for memory that a length promises.
//!
//! `PLACET_SEED=… PLACET_INPUTS=… cargo nextest run -p placet-log fuzz --no-capture` repeats or widens.

use crate::support::*;
use placet_log::codec;
use placet_log::envelope::Envelope;
use placet_log::{Append, Expected};
use placet_model::Position;
use placet_model::event::EventKind;
use placet_test_support::random::Random;
use placet_test_support::spoil::{budget, spoil};
use std::path::Path;

/// The golden bytes of every version of a type.
fn goldens(kind: EventKind) -> Vec<(u16, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/events").join(kind.name());
    let of = |version: u16| {
        let dir = dir.join(format!("v{version}"));
        ["full.bin", "bare.bin"].map(|file| (version, std::fs::read(dir.join(file)).unwrap()))
    };
    (1..=codec::current_version(kind)).flat_map(of).collect()
}

#[test]
fn spoilt_bodies_are_refused_or_mean_what_they_say() {
    let (seed, inputs) = budget(20_000);
    let mut random = Random::new(seed);
    let bodies: Vec<(EventKind, (u16, Vec<u8>))> = EventKind::ALL
        .iter()
        .flat_map(|kind| goldens(*kind).into_iter().map(|body| (*kind, body)))
        .collect();
    let mut read = 0;
    for _ in 0..inputs {
        let (kind, (version, body)) = random.pick(&bodies);
        // as another type, too: numbers in an envelope may be damaged as well
        let kind = if random.one_in(8) { random.pick(EventKind::ALL) } else { kind };
        let body = spoil(&mut random, body);
        let Ok(event) = codec::decode(kind.type_id(), *version, &body) else { continue };
        assert_eq!(event.type_name(), kind.name(), "PLACET_SEED={seed}: {body:?}");
        let again = codec::encode(&event).unwrap();
        let current = codec::current_version(*kind);
        assert_eq!(codec::decode(kind.type_id(), current, &again), Ok(event), "PLACET_SEED={seed}");
        read += 1;
    }
    println!("{read} of {inputs} could be read");
}

#[test]
fn spoilt_envelopes_are_refused_or_are_written_as_they_were_read() {
    let (seed, inputs) = budget(20_000);
    let mut random = Random::new(seed);
    let log = memory();
    let mut new = events(1..=3);
    new[1] = new[1].clone().with_payload(vec![7; 20]);
    log.append_blocking(NOW, Append::new(run(1), Expected::Any, new)).unwrap();
    let view = log.read().unwrap();
    let leaves: Vec<Vec<u8>> =
        (1..=3).map(|n| view.stored(Position::new(n)).unwrap().leaf).collect();
    let mut read = 0;
    for _ in 0..inputs {
        let leaf = random.pick(&leaves).clone();
        let leaf = spoil(&mut random, &leaf);
        let Ok(envelope) = Envelope::decode(&leaf) else { continue };
        assert_eq!(envelope.encode().unwrap(), leaf, "PLACET_SEED={seed}");
        read += 1;
    }
    println!("{read} of {inputs} could be read");
}
