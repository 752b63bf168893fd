//! `placet projections`: how the tables stand, and making them again.

use super::session;
use crate::world::Live;
use serde_json::{Value, json};
use std::fs;

fn status(live: &Live) -> Value {
    live.placet(["projections", "status", "--json"]).run().expect_code(0).json()
}

fn is_equal(live: &Live) {
    let replayed = live.placet(["audit", "replay", "--json"]).run().expect_code(0).json();
    assert_eq!(replayed["equal"], true, "{replayed}");
}

#[test]
fn an_engine_makes_its_tables_again_and_goes_on() {
    let live = Live::start();
    let before = live.ask("before");
    let rebuilt = live.placet(["projections", "rebuild"]).run().expect_code(0);
    assert!(rebuilt.stdout.starts_with("rebuilt: "), "{}", rebuilt.stdout);
    assert!(rebuilt.stderr.contains("rebuilding the projections: "), "{}", rebuilt.stderr);
    let after = status(&live);
    assert_eq!(after["cursor"], after["head"]);
    assert_eq!(after["tables"]["proj_decisions_v7"], 1);
    let last = (&after["rebuild"]["state"], &after["rebuild"]["by"]);
    assert_eq!(last, (&json!("done"), &json!("author")));
    // what waited still waits, and what comes is in the new tables
    live.approve(&before);
    live.until(&before.run, "RunCompleted");
    live.ask("after");
    assert_eq!(status(&live)["tables"]["proj_decisions_v7"], 2);
    is_equal(&live);
    let refused = live.placet(["projections", "rebuild", "--as", "auditor"]).run().expect_code(1);
    assert!(refused.stderr.contains("needs the role operator"), "{}", refused.stderr);
}

#[test]
fn a_damaged_table_is_made_again_from_the_log_on_data_alone() {
    let live = session();
    let list = || live.placet(["runs", "list", "--json"]).run();
    let truth = list().expect_code(0).stdout;
    let tables = status(&live)["tables"].clone();
    let file = live.project.data().join("log.redb");
    let whole = fs::read(&file).expect("data can be read");
    // the name stands in events and in rows: look for a row that the list needs
    let name = b"slack-notify";
    let places = (0..whole.len()).filter(|at| whole[*at..].starts_with(name));
    let damaged = places.into_iter().find(|at| {
        let mut bytes = whole.clone();
        bytes[*at] ^= 1;
        fs::write(&file, &bytes).expect("data can be written");
        let ended = list();
        ended.code == Some(1) && ended.stderr.contains("run placet projections rebuild")
    });
    assert!(damaged.is_some(), "no row of a run was found");
    let refused = list().expect_code(1).stderr;
    assert!(refused.contains("error[PL1015]") && !refused.contains("backup"), "{refused}");
    let rebuilt = live.placet(["projections", "rebuild", "--json"]).run().expect_code(0).json();
    assert_eq!(rebuilt["rebuilt"], true, "{rebuilt}");
    assert_eq!(rebuilt["events"], rebuilt["cursor"]);
    assert_eq!(list().expect_code(0).stdout, truth);
    assert_eq!(status(&live)["tables"], tables);
    is_equal(&live);
}
