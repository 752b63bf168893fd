//! Secrets of every kind, planted in a whole scenario, are nowhere in what it leaves behind or says: not as
//! they are, not in base64, hexadecimal or with percent signs. It leaves files, streams and messages of a NATS
//! server, answers of the HTTP API, and what the engine says of itself when it is asked to say all.

use super::desk::{APP_SECRET, SIGNING, Slack, connect, engine_of};
use crate::world::{Live, Wiretap};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use placet_test_support::dirs::copy_dir;
use placet_test_support::nats::NatsServer;
use serde_json::json;
use std::collections::BTreeMap;
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

/// Bytes by which spellings are found first.
const HEAD: usize = 6;

/// The spellings of all secrets, by their first bytes: what is searched is long.
struct Search<'s> {
    spelled: BTreeMap<[u8; HEAD], Vec<(&'s str, String)>>,
}

impl<'s> Search<'s> {
    fn of(secrets: &'s [String]) -> Self {
        let mut spelled: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for secret in secrets {
            for spelling in spellings(secret) {
                let (head, _rest) =
                    spelling.as_bytes().split_first_chunk().expect("secrets are longer");
                spelled.entry(*head).or_default().push((secret.as_str(), spelling));
            }
        }
        Self { spelled }
    }

    /// Everything that holds a spelling of a secret.
    fn found(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let mut heads = vec![false; 1 << 16];
        for head in self.spelled.keys() {
            heads[usize::from(u16::from_be_bytes([head[0], head[1]]))] = true;
        }
        let mut places = Vec::new();
        for at in 0..bytes.len().saturating_sub(HEAD) {
            let rest = &bytes[at..];
            if !heads[usize::from(u16::from_be_bytes([rest[0], rest[1]]))] {
                continue;
            }
            let head: [u8; HEAD] = rest[..HEAD].try_into().expect("as long as it is");
            for (secret, spelling) in self.spelled.get(&head).into_iter().flatten() {
                if rest.starts_with(spelling.as_bytes()) {
                    places.push(format!("{}… is in {place} as {spelling}", &secret[..6]));
                }
            }
        }
        places.sort();
        places.dedup();
        places
    }
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

/// Every answer of the HTTP API to a question that changes nothing.
const ASKED: [&str; 14] = [
    "integrations",
    "integrations/slack",
    "integrations/slack/uses",
    "status",
    "inbox?filter=all",
    "runs",
    "audit/events",
    "audit/verify",
    "manifests",
    "policy",
    "keys",
    "tokens",
    "projections",
    "vault",
];

/// The life of a connection; all that was said in it.
fn life(live: &Live, slack: &Slack) -> String {
    slack.set(&json!({"expires_in": 1}));
    let mut said = connect(live, slack);
    live.done("author", &["deploy", "."]);
    // each send renews
    slack.set(&json!({"expires_in": 4}));
    for text in ["one", "two"] {
        slack.until_its_tokens_end();
        let asked = live.ask(text);
        said.push_str(&live.card(&asked.decision).to_string());
        live.approve(&asked);
        live.until(&asked.run, "RunCompleted");
        said.push_str(&live.done("author", &["runs", "show", &asked.run]).stdout);
        let story = format!("/api/v1/audit/story/{}", asked.run);
        said.push_str(&live.door().get("author", &story).1.to_string());
    }
    said.push_str(&live.done("author", &["integrations", "test", "slack"]).stdout);
    said.push_str(&live.done("author", &["vault", "rotate"]).stdout);
    // an error on the way: the authorization server is away
    slack.set(&json!({"away": true}));
    slack.until_its_tokens_end();
    let asked = live.ask("three");
    live.approve(&asked);
    live.until(&asked.run, "AttemptDeferred");
    for path in ASKED {
        said.push_str(&live.door().get("author", &format!("/api/v1/{path}")).1.to_string());
    }
    for args in [&["audit", "log"][..], &["integrations", "list", "--json"], &["audit", "verify"]] {
        let done = live.placet(args.iter().copied()).run();
        said = said + &done.stdout + &done.stderr;
    }
    // and the grant ends for good
    slack.set(&json!({"away": false}));
    let gone =
        live.placet(["integrations", "disconnect", "slack", "--yes", "--as", "author"]).run();
    said + &gone.stdout + &gone.stderr
}

#[test]
fn no_secret_of_a_whole_life_of_a_connection_is_in_anything_that_it_leaves_behind() {
    let Some(slack) = Slack::start() else { return };
    let server = NatsServer::start_or_skip("secrets in NATS");
    let tap = server.as_ref().map(Wiretap::at);
    let mut live = Live::stopped();
    if let Some(server) = &server {
        live.use_nats(server);
    }
    live.log_all();
    let mut live = engine_of(&slack, live);
    let mut said = life(&live, &slack);
    let copy = live.project.dir().join("while-it-runs");
    // in the midst of its life, and at one moment of it: files come and go
    live.running().freeze();
    copy_dir(&live.project.data(), &copy);
    live.running().thaw();
    let ended = live.terminate();
    said = said + &ended.stdout + &ended.stderr;
    assert!(ended.stderr.contains("TRACE"), "the engine said all that it could");

    let told = slack.told();
    let given = told["secrets"].as_array().expect("a list").iter();
    let mut secrets: Vec<String> =
        given.map(|one| one.as_str().expect("a text").to_owned()).collect();
    secrets.push(SIGNING.to_owned());
    assert!(secrets.len() >= 10 && secrets.contains(&APP_SECRET.to_owned()), "{}", secrets.len());

    let search = Search::of(&secrets);
    let mut places = search.found("what was said", said.as_bytes());
    let mut looked = 0;
    let mut look = |dir: &Path| {
        files(dir, &mut |place, bytes| {
            looked += 1;
            places.extend(search.found(place, bytes));
        });
    };
    look(&live.project.dir());
    look(&copy);
    if let Some((mut server, tap)) = server.zip(tap) {
        let heard = tap.heard();
        // a server that runs puts files in the place of others while they are read
        server.stop();
        look(server.dir());
        let tells = |word: &[u8]| heard.windows(word.len()).any(|window| window == word);
        assert!(tells(b"CredentialUsed") && tells(b"AttemptStarted"), "{} bytes", heard.len());
        places.extend(search.found("the messages of NATS", &heard));
    }
    assert!(looked > 5, "nothing was looked at");
    assert_eq!(places, Vec::<String>::new());
    // and the search finds what is there
    for planted in [
        format!("x {} y", STANDARD.encode(format!("Basic {}", secrets[1]))),
        format!("{}/", secrets[2]),
    ] {
        assert!(!search.found("the test", planted.as_bytes()).is_empty());
    }
}
