//! Receipts: one decision, in one file that needs neither the engine nor its data.

use std::path::Path;

use placet_test_support::process::Finished;
use serde_json::{Value, json};

use super::foreign::Foreign;
use super::{story, succeeds};
use crate::world::{Asked, Live};

/// The receipt of the decision of a story.
struct Receipt {
    live: Live,
    asked: Asked,
    key: String,
    file: String,
}

impl Receipt {
    fn of_story(more: &[&str]) -> Self {
        let (live, asked, key) = story();
        let file = live.project.dir().join("receipt.json").display().to_string();
        let prove = ["audit", "prove", &asked.decision, "-o", &file].into_iter();
        succeeds(live.placet(prove.chain(more.iter().copied())).run());
        Self { live, asked, key, file }
    }

    /// Where neither project nor engine is.
    fn verify(&self, more: &[&str]) -> Finished {
        let args = ["audit", "verify", &self.file, "--key", &self.key].into_iter();
        self.live.placet(args.chain(more.iter().copied())).run()
    }
}

#[test]
fn a_receipt_tells_a_decision_in_plain_words_and_a_foreign_tool_finds_its_events_in_the_log() {
    let receipt = Receipt::of_story(&[]);
    let told = receipt.verify(&[]).expect_code(0).stdout;
    for words in [
        &receipt.asked.decision,
        "approver voted approve on sha256:",
        "no signature of the voter's own does",
        "the decision ended: approved",
        "it was spent: try 1 of slack.chat.postMessage in live mode",
        "it was answered with status 200",
        "it does not prove that the log holds no others",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains("Hello"), "content goes along on request only: {told}");
    let answer = receipt.verify(&["--json"]).expect_code(0).json();
    assert_eq!(answer["signed_by"]["key"], json!(receipt.key), "{answer}");
    if let Some(foreign) = Foreign::find("a_receipt_tells_a_decision") {
        let said = foreign.receipt(Path::new(&receipt.file), &receipt.key).expect("a good receipt");
        assert!(said.contains(&receipt.asked.decision), "{said}");
    }
}

#[test]
fn what_was_shown_and_sent_is_compared_with_the_digests_that_were_approved() {
    let receipt = Receipt::of_story(&["--plain"]);
    let told = receipt.verify(&[]).expect_code(0).stdout;
    assert!(told.contains("its document (it is the one of that digest)"), "{told}");
    assert!(told.contains("its request (it is the one of that digest)"), "{told}");
    assert!(told.contains("Hello"), "{told}");
    // other content does not fit what the leaf says of it
    let text = std::fs::read_to_string(&receipt.file).expect("a receipt");
    let mut forged: Value = serde_json::from_str(&text).expect("JSON");
    let events = forged["events"].as_array_mut().expect("events").iter_mut();
    let mut opened = events.filter_map(|event| event["content"].get_mut(0));
    opened.next().expect("some content")["bytes"] = json!("Zm9yZ2Vk");
    std::fs::write(&receipt.file, forged.to_string()).expect("a file can be written");
    let found = receipt.verify(&["--json"]).expect_code(1).json();
    assert!(found["detail"].as_str().is_some_and(|said| said.contains("pt_commit")), "{found}");
}

/// One change of a receipt; `seen` tells whether the foreign tool can notice: how an event is shown is ours.
struct Forgery {
    what: &'static str,
    seen: bool,
    forge: fn(&mut Value),
}

/// Changes one character of a member of every event.
fn flip(receipt: &mut Value, member: &str, at: usize) {
    for event in receipt["events"].as_array_mut().expect("events") {
        let mut bytes = event[member].as_str().expect("a text").as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        event[member] = json!(String::from_utf8(bytes).expect("ASCII"));
    }
}

fn replace(receipt: &mut Value, member: &str, from: &str, to: &str) {
    for event in receipt["events"].as_array_mut().expect("events") {
        event[member] = json!(event[member].as_str().expect("a text").replace(from, to));
    }
}

const FORGERIES: &[Forgery] = &[
    Forgery { what: "a leaf", seen: true, forge: |receipt| flip(receipt, "leaf", 40) },
    Forgery { what: "a proof", seen: true, forge: |receipt| flip(receipt, "proof", 40) },
    Forgery {
        what: "another log",
        seen: true,
        forge: |receipt| replace(receipt, "proof", "placet/", "placet/0"),
    },
    Forgery {
        what: "another voter",
        seen: false,
        forge: |receipt| replace(receipt, "line", "principal:approver", "principal:somebody"),
    },
    Forgery {
        what: "an event twice",
        seen: false,
        forge: |receipt| {
            let events = receipt["events"].as_array_mut().expect("events");
            events.insert(0, events[0].clone());
        },
    },
    Forgery {
        what: "the name of another decision",
        seen: false,
        forge: |receipt| {
            let name = receipt["decision"].as_str().expect("an id").to_owned();
            let last = if name.ends_with('0') { "1" } else { "0" };
            receipt["decision"] = json!([&name[..name.len() - 1], last].concat());
        },
    },
    Forgery { what: "no events", seen: true, forge: |receipt| receipt["events"] = json!([]) },
];

#[test]
fn no_forged_receipt_passes() {
    let receipt = Receipt::of_story(&[]);
    let text = std::fs::read_to_string(&receipt.file).expect("a receipt");
    let foreign = Foreign::find("no_forged_receipt_passes");
    for Forgery { what, seen, forge } in FORGERIES {
        let mut forged: Value = serde_json::from_str(&text).expect("JSON");
        forge(&mut forged);
        std::fs::write(&receipt.file, forged.to_string()).expect("a file can be written");
        let found = receipt.verify(&["--json"]).expect_code(1).json();
        assert_eq!(found["ok"], false, "{what}: {found}");
        let theirs = foreign.as_ref().map(|it| it.receipt(Path::new(&receipt.file), &receipt.key));
        assert!(theirs.is_none_or(|said| said.is_err() == *seen), "{what}");
    }
}
