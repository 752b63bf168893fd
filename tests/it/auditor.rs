//! What an auditor can rely on: the log tells the whole story in order, the tables are what the log gives, and damage
//! at rest is named or changes nothing; wrong data are never shown.
//!
//! covers: T7

mod log;
mod past;
mod projections;
mod story;

use std::fs;
use std::path::PathBuf;

use placet_test_support::process::Finished;
use serde_json::{Value, json};

use crate::world::{Live, STORY, kinds};

/// Every kind of end that a message can take, and what still waits; then the engine ends in order.
fn session() -> Live {
    let mut live = Live::start();
    let sent = live.ask("sent");
    live.approve(&sent);
    live.until(&sent.run, "RunCompleted");
    let refused = live.ask("refused");
    live.done("approver", &["inbox", "reject", &refused.decision, "--reason", "not now"]);
    live.until(&refused.run, "RunFaulted");
    let cancelled = live.ask("cancelled");
    live.done("author", &["runs", "cancel", &cancelled.run]);
    live.ask("still waits");
    live.done("author", &["pause"]);
    let held = live.ask("held");
    live.approve(&held);
    live.until(&held.run, "DecisionSettled");
    let ended = live.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    live
}

#[test]
fn the_log_tells_the_story_of_a_message_in_order() {
    let live = Live::start();
    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");
    let stream = format!("run:{}", asked.run);
    let log = live.placet(["audit", "log", "--stream", &stream, "--json"]).run().expect_code(0);
    let events: Vec<Value> =
        log.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(kinds(&events), STORY);
    let revisions: Vec<&Value> = events.iter().map(|event| &event["revision"]).collect();
    assert_eq!(json!(revisions), json!((1..=STORY.len()).collect::<Vec<_>>()));
    let who = |kind: &str| {
        events.iter().find(|event| event["type"] == kind).map(|event| event["actor"].clone())
    };
    assert_eq!(who("VoteCast"), Some(json!("principal:approver")));
    assert_eq!(who("AttemptStarted"), Some(json!("engine")));
    let vote = events.iter().find(|event| event["type"] == "VoteCast").expect("a vote");
    assert_eq!(vote["body"]["verdict"], "approve");
    assert_eq!(vote["body"]["assurance"], "transport");
    // as a person reads it, a line per event, in the same order
    let told = live.placet(["audit", "log", "--stream", &stream]).run().expect_code(0).stdout;
    let words: Vec<&str> = told.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(words, STORY);
}

#[test]
fn after_a_session_the_log_is_whole_and_the_tables_are_what_it_gives() {
    let live = session();
    let verified = live.placet(["audit", "verify", "--json"]).run().expect_code(0).json();
    assert_eq!(verified["ok"], true, "{verified}");
    let replayed = live.placet(["audit", "replay", "--json"]).run().expect_code(0).json();
    assert_eq!(replayed["equal"], true, "{replayed}");
    assert_eq!(replayed["position"], verified["events"], "all of it was replayed");
    // reading appended nothing
    let again = live.placet(["audit", "verify", "--json"]).run().expect_code(0).json();
    assert_eq!(again, verified);
}

/// What is asked of damaged data.
const QUESTIONS: [&[&str]; 6] = [
    &["audit", "log", "--json"],
    &["audit", "verify", "--json"],
    &["audit", "replay", "--json"],
    &["runs", "list", "--json"],
    &["inbox", "list", "--all", "--json"],
    &["integrations", "list", "--json"],
];

/// Flips of one bit each: every other one anywhere, the rest in or near what an event or a table holds.
const FLIPS: usize = 32;

/// Words that stand in events and tables; most of the file is pages that were left behind by later ones.
const WORDS: [&[u8]; 4] = [b"slack.chat.postMessage", b"approver", b"/do/0/notify", b"author"];

#[test]
fn a_flipped_bit_in_the_database_is_named_or_changes_nothing() {
    let live = session();
    let data = Data::of(&live);
    let truth: Vec<Finished> = QUESTIONS.iter().map(|question| data.ask(question)).collect();
    for (question, answer) in QUESTIONS.iter().zip(&truth) {
        assert_eq!(answer.code, Some(0), "{question:?}: {}", answer.stderr);
    }
    let mut dice = Dice(0x5eed);
    let (mut named, mut unchanged) = (0, 0);
    for flip in 0..FLIPS {
        let (at, bit) = data.flip(if flip % 2 == 0 { &data.used } else { &data.told }, &mut dice);
        for (question, truth) in QUESTIONS.iter().zip(&truth) {
            let answer = data.ask(question);
            let about = format!("bit {bit} of byte {at}, {question:?}: {answer:?}");
            if answer.code == Some(0) {
                assert_eq!(answer.stdout, truth.stdout, "{about}");
                unchanged += 1;
            } else {
                assert_eq!(answer.code, Some(1), "{about}");
                let said = format!("{}{}", answer.stdout, answer.stderr);
                assert!(names_a_place(&said) && !said.contains("panicked at"), "{about}");
                named += 1;
            }
        }
        data.restore();
    }
    println!("{FLIPS} flips: {named} answers name the damage, {unchanged} are the same as before");
    assert!(named > 0, "no flip met anything that matters");
}

/// The event's position, the row, or the file.
fn names_a_place(said: &str) -> bool {
    ["position", "log.redb", "row", "the log's"].iter().any(|word| said.contains(word))
}

/// The data of an engine that has ended, and a copy to put back.
struct Data<'a> {
    live: &'a Live,
    dir: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
    /// Places in the database that hold anything but zeros.
    used: Vec<usize>,
    /// Those in and right after one of [`WORDS`].
    told: Vec<usize>,
}

impl<'a> Data<'a> {
    fn of(live: &'a Live) -> Self {
        let dir = live.project.data();
        let read = |path: PathBuf| {
            let bytes = fs::read(&path).expect("data can be read");
            (path, bytes)
        };
        let files = fs::read_dir(&dir).expect("a data directory");
        let paths =
            files.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
        let files: Vec<_> = paths.map(read).collect();
        let (_, log) = files.iter().find(|(path, _)| path.ends_with("log.redb")).expect("a log");
        let used = (0..log.len()).filter(|at| log[*at] != 0).collect();
        let is_told = |at: &usize| WORDS.iter().any(|word| log[*at..].starts_with(word));
        let told = (0..log.len()).filter(is_told).flat_map(|at| at..at + 24).collect();
        Self { live, dir, files, used, told }
    }

    /// Flips one bit of one of these places.
    fn flip(&self, places: &[usize], dice: &mut Dice) -> (usize, u32) {
        let at = places[dice.below(places.len())];
        let bit = u32::try_from(dice.below(8)).expect("less than eight");
        let path = self.dir.join("log.redb");
        let mut bytes = fs::read(&path).expect("data can be read");
        bytes[at] ^= 1 << bit;
        fs::write(&path, bytes).expect("data can be written");
        (at, bit)
    }

    /// Puts everything back as it was.
    fn restore(&self) {
        for (path, bytes) in &self.files {
            fs::write(path, bytes).expect("data can be written");
        }
    }

    fn ask(&self, question: &[&str]) -> Finished {
        self.live.placet(question.iter().copied()).run()
    }
}

/// Numbers that follow from a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("a length fits");
        usize::try_from((mixed ^ (mixed >> 31)) % bound).expect("below a length")
    }
}
