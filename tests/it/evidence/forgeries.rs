//! The forgeries of an export, each one made by itself: ours names the place where it can be known, and the foreign tools
//! refuse what they look at.

use std::fs;
use std::path::Path;

use super::foreign::Foreign;
use super::{Export, long_story, story, succeeds};
use crate::world::Live;

/// Who is to notice, beside us.
#[derive(Clone, Copy, PartialEq)]
enum Noticed {
    /// The Go program.
    Go,
    /// The Go program, and `tlog-tiles` when it asks for the entry.
    Both,
    /// Nobody else: how an event is shown is ours.
    NobodyElse,
}
use Noticed::{Both, Go, NobodyElse};

/// What ours must say about the place.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The position, or the range that cannot be told apart.
    At(u64, u64),
    /// Some position: which one depends on the order of names.
    Event,
    /// None: it concerns the whole.
    Whole,
}

type Forge = Box<dyn Fn(&Path)>;

/// What is forged, where ours finds it, who else notices.
type Row = (&'static str, Forge, Place, Noticed);

/// The 300th entry: the 44th of the second bundle.
const ENTRY: u64 = 300;

#[test]
fn every_forgery_of_an_export_is_found_by_us_and_by_tools_that_are_not_ours() {
    let (live, _, key) = long_story();
    let export = Export::of(live, key, &[]);
    let answer = export.verify(&export.dir, &[]).expect_code(0).json();
    let size = answer["events"].as_u64().expect("a count");
    assert!(size > 520, "{size} events");
    let foreign = Foreign::find("every_forgery_of_an_export");
    if let Some(foreign) = &foreign {
        let said = foreign.export(&export.dir, &[&export.key]).expect("the good copy");
        assert!(said.contains(&format!("{size} entries")), "{said}");
        for index in [0, ENTRY - 1, size - 1] {
            foreign.leaf(&export.dir, index).expect("the good copy");
        }
    }
    for (what, forge, place, noticed) in rows(size) {
        let copy = export.copy();
        forge(&copy);
        let found = export.verify(&copy, &[]).expect_code(1).json();
        assert_eq!(found["ok"], false, "{what}: {found}");
        let first = found["position"].as_u64();
        let last = found["last"].as_u64().or(first);
        let is_there = match place {
            Place::At(from, to) => first == Some(from) && last == Some(to),
            Place::Event => first.is_some() && first == last,
            Place::Whole => first.is_none(),
        };
        assert!(is_there, "{what}, {place:?}: {found}");
        let Some(foreign) = &foreign else { continue };
        let theirs = foreign.export(&copy, &[&export.key]);
        assert_eq!(theirs.is_err(), noticed != NobodyElse, "{what}: {theirs:?}");
        if noticed == Both {
            assert!(foreign.leaf(&copy, ENTRY - 1).is_err(), "{what}");
        }
    }
}

fn rows(size: u64) -> Vec<Row> {
    let rest = size % 256;
    let last_bundle = move |dir: &Path| dir.join(format!("tile/entries/002.p/{rest}"));
    let only = |position: u64| Place::At(position, position);
    let flip = |file: &'static str, at: usize| -> Forge {
        by(move |dir| change(&dir.join(file), |bytes| bytes[at] ^= 1))
    };
    vec![
        ("a byte of an entry", by(|dir| forge_entry(dir, false)), only(ENTRY), Both),
        ("an entry and its hash", by(|dir| forge_entry(dir, true)), only(ENTRY), Both),
        ("a hash of level 0", flip("tile/0/001", 43 * 32), only(ENTRY), Go),
        ("a hash of level 1 above it", flip("tile/1/000.p/2", 32), Place::At(257, 512), Go),
        ("a hash of level 1 beside it", flip("tile/1/000.p/2", 0), Place::At(1, 256), Both),
        ("a dropped bundle", removed("tile/entries/001"), only(257), Both),
        ("two bundles in each other's place", by(swap_bundles), only(1), Both),
        (
            "a bundle that is cut off",
            by(move |dir| change(&last_bundle(dir), |bytes| bytes.truncate(bytes.len() - 9))),
            only(size),
            Go,
        ),
        (
            "a bundle with something at its end",
            by(move |dir| change(&last_bundle(dir), |bytes| bytes.extend([0, 1, 2]))),
            only(size),
            Go,
        ),
        ("a missing tile of level 0", removed("tile/0/001"), only(257), Both),
        ("a missing tile of level 1", removed("tile/1/000.p/2"), Place::At(1, 256), Both),
        ("another size", checkpoint(1), Place::Whole, Go),
        ("another origin", checkpoint(0), Place::Whole, Go),
        ("another root", checkpoint(2), Place::Whole, Go),
        ("another signature", checkpoint(4), Place::Whole, Go),
        ("a payload in another's place", by(swap_payloads), Place::Event, Go),
        ("a body that is not the one of its entry", line("\"body_bytes\":\"", "x"), only(1), Go),
        ("a line that says something else", line("\"actor\":\"", "x"), only(1), NobodyElse),
    ]
}

fn by(forge: impl Fn(&Path) + 'static) -> Forge {
    Box::new(forge)
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).expect("a file of the export");
    change(&mut bytes);
    fs::write(file, bytes).expect("a copy can be written");
}

fn removed(file: &'static str) -> Forge {
    by(move |dir| fs::remove_file(dir.join(file)).expect("a file of the export"))
}

/// Changes the time of an entry, and its hash too where that is asked for.
fn forge_entry(dir: &Path, with_hash: bool) {
    let bundle = dir.join("tile/entries/001");
    let mut hash = None;
    change(&bundle, |bytes| {
        let mut start = 0;
        for _ in 256..ENTRY - 1 {
            start += 2 + usize::from(u16::from_be_bytes([bytes[start], bytes[start + 1]]));
        }
        let end = start + 2 + usize::from(u16::from_be_bytes([bytes[start], bytes[start + 1]]));
        bytes[start + 2 + 30] ^= 1;
        hash = Some(placet_log::tree::leaf_hash(&bytes[start + 2..end]));
    });
    if with_hash {
        let hash = hash.expect("it was made");
        change(&dir.join("tile/0/001"), |bytes| {
            bytes[43 * 32..44 * 32].copy_from_slice(hash.as_bytes());
        });
    }
}

fn swap_bundles(dir: &Path) {
    let bundle = |name: &str| dir.join("tile/entries").join(name);
    fs::rename(bundle("000"), bundle("aside")).expect("a bundle");
    fs::rename(bundle("001"), bundle("000")).expect("a bundle");
    fs::rename(bundle("aside"), bundle("001")).expect("a bundle");
}

fn swap_payloads(dir: &Path) {
    let files = fs::read_dir(dir.join("payloads")).expect("payloads");
    let mut files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let (one, other) = (fs::read(&files[0]), fs::read(&files[1]));
    fs::write(&files[0], other.expect("a payload")).expect("a copy can be written");
    fs::write(&files[1], one.expect("a payload")).expect("a copy can be written");
}

/// Changes one character of a line of the checkpoint.
fn checkpoint(line: usize) -> Forge {
    by(move |dir| {
        change(&dir.join("checkpoint"), |bytes| {
            let text = String::from_utf8(bytes.clone()).expect("a text");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let at = if line == 1 { 0 } else { lines[line].len() - 6 };
            let old = lines[line].as_bytes()[at];
            let new = if old == b'1' { '2' } else { '1' };
            lines[line].replace_range(at..=at, &new.to_string());
            *bytes = (lines.join("\n") + "\n").into_bytes();
        });
    })
}

/// Changes the first character after these words in the first line.
fn line(after: &'static str, to: &'static str) -> Forge {
    by(move |dir| {
        change(&dir.join("events.jsonl"), |bytes| {
            let mut text = String::from_utf8(bytes.clone()).expect("a text");
            let at = text.find(after).expect("the words are there") + after.len();
            text.replace_range(at..=at, to);
            *bytes = text.into_bytes();
        });
    })
}

#[test]
fn another_key_than_the_one_that_signed_is_refused_by_all() {
    let (live, _, key) = story();
    let export = Export::of(live, key, &[]);
    let other = Export {
        key: super::key_of(&Live::start()),
        live: Live::stopped(),
        dir: export.dir.clone(),
    };
    let found = other.verify(&other.dir, &[]).expect_code(1).json();
    assert_eq!(found["code"], "PL1203", "{found}");
    if let Some(foreign) = Foreign::find("another_key_than_the_one_that_signed") {
        assert!(foreign.export(&other.dir, &[&other.key]).is_err());
    }
    // a key that lies in the export is never taken by itself, and it is said that nothing was checked
    let dir = export.dir.display().to_string();
    let told = export.live.placet(["audit", "verify", &dir]).run().expect_code(0).stdout;
    assert!(told.contains("was not checked: give the log's key with --key"), "{told}");
}

#[test]
fn a_history_that_was_cut_off_or_rewritten_with_the_log_s_own_key_is_told_by_a_checkpoint_kept_elsewhere()
 {
    let (mut live, asked, key) = story();
    let root = live.project.dir();
    live.terminate();
    // whoever holds the log and its keys has everything that it takes
    let (data, keys) = (root.join("their-data"), root.join("their-keys"));
    super::copy_dir(&live.project.data(), &data);
    super::copy_dir(&super::keys_of(&live), &keys);
    super::forget_place(&keys);
    let theirs = |args: &[&str]| {
        let data = data.display().to_string();
        let args = args.iter().copied().chain(["--data", &data]);
        live.placet(args).env("PLACET_KEY_DIR", &keys).run()
    };
    // the true history goes on, and its checkpoint is kept by an auditor
    live.done("author", &["pause"]);
    let kept = live.placet(["audit", "checkpoint"]).run().expect_code(0).stdout;
    let file = root.join("kept").display().to_string();
    fs::write(&file, kept + "\n").expect("a file can be written");
    // cut off: the copy ends before it
    let cut = root.join("cut").display().to_string();
    succeeds(theirs(&["audit", "export", &cut]));
    let verify = |dir: &str, more: &[&str]| {
        let args = ["audit", "verify", dir, "--key", &key].into_iter();
        live.placet(args.chain(more.iter().copied())).run()
    };
    succeeds(verify(&cut, &[]));
    let found = verify(&cut, &["--older", &file]).expect_code(1).stdout;
    assert!(found.contains("its end was cut off"), "{found}");
    // rewritten: another history of at least that size, signed with the same key
    for _ in 0..4 {
        theirs(&["runs", "retry", &asked.run, "--as", "author"]);
        succeeds(theirs(&["pause", "--as", "author"]));
        succeeds(theirs(&["resume", "--as", "author"]));
    }
    let fork = root.join("fork").display().to_string();
    succeeds(theirs(&["audit", "export", &fork]));
    succeeds(verify(&fork, &[]));
    let found = verify(&fork, &["--older", &file]).expect_code(1).stdout;
    assert!(found.contains("does not continue the one given"), "{found}");
    // and the true one continues it
    let good = root.join("good").display().to_string();
    succeeds(live.placet(["audit", "export", &good]).run());
    succeeds(verify(&good, &["--older", &file]));
}
