//! What providers post, to a real process over real HTTP: what was acknowledged is in the log once, whatever
//! happens to the process, and nobody who is slow holds up anybody else.
//!
//! covers: S15, S23

use crate::world::hook::{KEY, hmac_sha256, message, post};
use crate::world::{Live, TOKEN};
use placet_test_support::DEADLINE;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Messages of a storm.
const MESSAGES: usize = 120;
const SENDERS: usize = 8;
const STALLED: usize = 64;

/// With a Slack integration that knows the secret.
pub(crate) fn signed() -> Live {
    let mut live = Live::stopped();
    live.restart();
    let base = format!("api_base={}", live.provider.url("/api"));
    let connect = live.placet(["integrations", "connect", "slack", "--set", &base]);
    let connect = connect.args(["--credential", "access_token=env:SLACK_TOKEN"]);
    let connect = connect.args(["--credential", "signing_secret=env:SLACK_KEY"]);
    drop(connect.env("SLACK_TOKEN", TOKEN).env("SLACK_KEY", KEY).run().expect_code(0));
    live
}

/// The id that the provider gave, by the event that records it.
fn recorded(live: &Live) -> BTreeMap<String, Value> {
    let events = live.json_lines(&["audit", "log", "--type", "InboundReceived"]);
    let by_id = events.into_iter().map(|event| (event["body"]["identity"].to_string(), event));
    by_id.collect()
}

fn count(live: &Live) -> usize {
    live.json_lines(&["audit", "log", "--type", "InboundReceived"]).len()
}

#[test]
fn a_process_killed_before_its_answer_loses_nothing_and_the_retry_is_a_duplicate() {
    let mut live = signed();
    let acked = Mutex::new(BTreeSet::new());
    let ids: Vec<String> = (0..MESSAGES).map(|n| format!("Ev{n}")).collect();
    let storm = |live: &Live, ids: &[String], kill_after: usize| {
        let address = &live.door().address;
        std::thread::scope(|scope| {
            for part in ids.chunks(ids.len().div_ceil(SENDERS)) {
                let (acked, live) = (&acked, &live);
                scope.spawn(move || {
                    for id in part {
                        let status = post(address, &message(id, "17.1")).send(address, DEADLINE);
                        if status == Some(200) {
                            let mut acked = acked.lock().expect("nobody panics");
                            acked.insert(id.clone());
                            if acked.len() == kill_after {
                                live.running().strike();
                            }
                        }
                    }
                });
            }
        });
    };
    storm(&live, &ids, MESSAGES / 3);
    live.kill_9();
    live.restart();
    let known = acked.lock().expect("nobody panics").len();
    assert!((MESSAGES / 3..MESSAGES).contains(&known), "it was killed in the middle: {known}");
    let before = recorded(&live).len();
    assert!(before >= known, "{known} were acknowledged and {before} are in the log");
    // the provider comes again with everything, as it does with what it has no answer for
    storm(&live, &ids, usize::MAX);
    assert_eq!(acked.lock().expect("nobody panics").len(), MESSAGES, "0 lost");
    assert_eq!((recorded(&live).len(), count(&live)), (MESSAGES, MESSAGES), "0 doubled");
}

#[test]
fn a_message_whose_answer_died_with_the_process_is_not_recorded_again() {
    let mut live = signed();
    let address = live.door().address.clone();
    let waiting = post(&address, &message("Ev1", "17.1")).send_only(&address).expect("it is sent");
    let came = |event: &Value| event["type"] == "InboundReceived";
    live.door().events().until(|events| events.iter().any(came));
    live.kill_9();
    drop(waiting);
    live.restart();
    let address = live.door().address.clone();
    let again = post(&address, &message("Ev1", "17.1"));
    assert_eq!(again.send(&address, DEADLINE), Some(200), "as if it were new");
    assert_eq!(count(&live), 1);
}

#[test]
fn bodies_that_drip_hold_up_nobody() {
    let live = signed();
    let address = live.door().address.clone();
    let body = message("Slow", "17.1");
    let stalled: Vec<_> =
        (0..STALLED).filter_map(|_| post(&address, &body).drip(&address)).collect();
    assert_eq!(stalled.len(), STALLED);
    // one behind the other, they would wait for as many times as long as a body may take
    for n in 0..10 {
        let quick = post(&address, &message(&format!("Ev{n}"), "17.1"));
        assert_eq!(quick.send(&address, DEADLINE), Some(200), "while {STALLED} bodies drip");
    }
    assert_eq!(count(&live), 10);
    drop(stalled);
}

#[test]
fn a_flood_of_forged_requests_leaves_one_sum_in_the_log() {
    let mut live = signed();
    let address = live.door().address.clone();
    let forged = |n: usize| {
        let mut forged = post(&address, &message(&format!("Ev{n}"), "17.1"));
        forged.head = forged.head.replace("v0=", "v0=00");
        forged.send(&address, DEADLINE)
    };
    for n in 0..300 {
        assert_eq!(forged(n), Some(401));
    }
    drop(live.terminate());
    live.restart();
    assert_eq!(count(&live), 0);
    let sums = live.json_lines(&["audit", "log", "--type", "InboundRejected"]);
    let told: u64 = sums
        .iter()
        .flat_map(|sum| sum["body"]["refused"].as_array().into_iter().flatten())
        .filter_map(|one| one["count"].as_u64())
        .sum();
    assert_eq!(told, 300, "{sums:?}");
    assert!(sums.len() <= 2, "{} events", sums.len());
}

#[test]
fn the_tests_sign_as_rfc_4231_says() {
    let tag = hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex();
    assert_eq!(tag, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}
