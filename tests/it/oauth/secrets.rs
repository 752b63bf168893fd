//! Secrets of every kind, planted in a whole scenario, are nowhere in what it leaves behind or says: not as
//! they are, not in base64, hexadecimal or with percent signs.

use super::desk::{APP_SECRET, SIGNING, Slack, connect, engine};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use placet_test_support::dirs::copy_dir;
use serde_json::json;
use std::path::Path;

/// The spellings of a secret.
fn spellings(secret: &str) -> Vec<String> {
    let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let percent: String = secret
        .bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let mut all = vec![secret.to_owned(), percent, hex.to_uppercase(), hex];
    // whatever stands before it, its middle looks one of three ways
    for before in ["", "x", "xx"] {
        for coded in [
            STANDARD.encode(format!("{before}{secret}")),
            STANDARD_NO_PAD.encode(format!("{before}{secret}")),
            URL_SAFE_NO_PAD.encode(format!("{before}{secret}")),
        ] {
            all.push(coded[4..coded.len() - 4].to_owned());
        }
    }
    all
}

/// Everything that holds a spelling of a secret.
fn found(secrets: &[String], (place, bytes): (&str, &[u8])) -> Vec<String> {
    let mut places = Vec::new();
    for secret in secrets {
        for spelling in spellings(secret) {
            let pattern = spelling.as_bytes();
            if bytes.windows(pattern.len()).any(|window| window == pattern) {
                places.push(format!("{}… is in {place} as {spelling}", &secret[..6]));
            }
        }
    }
    places
}

fn files(dir: &Path, see: &mut impl FnMut(&str, &[u8])) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, see);
        } else {
            see(&path.display().to_string(), &std::fs::read(&path).expect("a file"));
        }
    }
}

#[test]
fn no_secret_of_a_whole_life_of_a_connection_is_in_anything_that_it_leaves_behind() {
    let Some(slack) = Slack::start() else { return };
    let mut live = engine(&slack);
    slack.set(&json!({"expires_in": 1}));
    let mut said = connect(&live, &slack);
    live.done("author", &["deploy", "."]);
    for text in ["one", "two"] {
        let asked = live.ask(text);
        said.push_str(&live.card(&asked.decision).to_string());
        live.approve(&asked);
        live.until(&asked.run, "RunCompleted");
        said.push_str(&live.done("author", &["runs", "show", &asked.run]).stdout);
    }
    // an error on the way: the grant is ended at the provider
    slack.set(&json!({"away": true}));
    let asked = live.ask("three");
    live.approve(&asked);
    live.until(&asked.run, "AttemptDeferred");
    for path in ["integrations", "status", "inbox?filter=all", "runs", "audit/events", "manifests"]
    {
        said.push_str(&live.door().get("author", &format!("/api/v1/{path}")).1.to_string());
    }
    for args in [&["audit", "log"][..], &["integrations", "list", "--json"], &["audit", "verify"]] {
        let done = live.placet(args.iter().copied()).run();
        said = said + &done.stdout + &done.stderr;
    }
    let copy = live.project.dir().join("while-it-runs");
    copy_dir(&live.project.data(), &copy);
    let ended = live.terminate();
    said = said + &ended.stdout + &ended.stderr;

    let told = slack.told();
    let given = told["secrets"].as_array().expect("a list").iter();
    let mut secrets: Vec<String> =
        given.map(|one| one.as_str().expect("a text").to_owned()).collect();
    secrets.push(SIGNING.to_owned());
    assert!(secrets.len() >= 10 && secrets.contains(&APP_SECRET.to_owned()), "{}", secrets.len());

    let mut places = found(&secrets, ("what was said", said.as_bytes()));
    let mut looked = 0;
    for dir in [live.project.dir(), copy] {
        files(&dir, &mut |place, bytes| {
            looked += 1;
            places.extend(found(&secrets, (place, bytes)));
        });
    }
    assert!(looked > 5, "nothing was looked at");
    assert_eq!(places, Vec::<String>::new());
    // and the search finds what is there
    let planted = format!("x {} y", STANDARD.encode(format!("Basic {}", secrets[1])));
    assert!(!found(&secrets, ("the test", planted.as_bytes())).is_empty());
}
