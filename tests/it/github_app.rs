//! A connection as a GitHub App, as an operator makes it and lives with it, against a stand-in on loopback that
//! checks each assertion with the App's public key, refuses stale ones, and knows which of its tokens live.
//!
//! covers: S1, S13, S16, T25.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use placet_model::Timestamp;
use placet_test_support::DEADLINE;
use placet_test_support::process::{Finished, Placet};
use placet_test_support::provider::{Answer, Behaviour, Play, Received};
use placet_test_support::token;
use serde_json::{Value, json};

use crate::world::{Asked, Live, kinds};

const APP: i64 = 99;
const COMMENTS: &str = "/api/repos/acme/site/issues/12/comments";
const REVOKE: &str = "/api/installation/token";
const WORKFLOW: &str = "\
document: { dsl: '1.0.3', namespace: ops, name: github-comment, version: '1.0.0' }
do:
  - comment:
      call: github.issues.comment
      with: { owner: acme, repo: site, number: 12, body: '${ .text }' }
";

/// GitHub, as far as an App's installations go.
#[derive(Debug)]
struct GitHub {
    /// Whose signature counts as the App's.
    keys: Vec<&'static str>,
    installations: Vec<i64>,
    /// How long tokens live that are given from now on.
    life_s: i64,
    /// Each token, by number from 1, and when it ends.
    ends: Vec<i64>,
    /// Who has commented what.
    comments: Vec<(String, String)>,
    /// Assertions that did not count, and why.
    refused: Vec<String>,
}

type Shared = Arc<Mutex<GitHub>>;

fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_secs()).expect("a moment")
}

fn moment(seconds: i64) -> String {
    Timestamp::from_millis(seconds * 1000).to_string()
}

fn answer(status: u16, body: &Value) -> Behaviour {
    Behaviour::Answer(Answer::status(status, body))
}

fn refuse(status: u16, message: &str) -> Behaviour {
    Behaviour::refuse(status, &json!({"message": message}))
}

impl GitHub {
    /// Whether a bearer is an assertion that counts now.
    fn believes(&mut self, bearer: &str) -> Result<(), Behaviour> {
        let claims = self.keys.iter().find_map(|key| token::claims(key, bearer));
        let now = now_s();
        let why = match claims {
            None => "it is not signed by a key of the App",
            Some(claims) if claims["iss"] != json!(APP.to_string()) => "it is of another App",
            Some(claims) => {
                let at = |name: &str| claims[name].as_i64().expect("a moment");
                match (at("iat"), at("exp")) {
                    (_, exp) if exp <= now => "it is over",
                    (_, exp) if exp > now + 600 => "it lives too long",
                    (iat, _) if iat > now => "it is of the future",
                    (iat, _) if iat > now - 50 => "a clock that is behind would refuse it",
                    _ => return Ok(()),
                }
            }
        };
        self.refused.push(why.to_owned());
        Err(refuse(401, "A JSON web token could not be decoded"))
    }

    fn token(&self, bearer: &str) -> Option<usize> {
        let number: usize = bearer.strip_prefix("ghs_")?.parse().ok()?;
        let end = self.ends.get(number.checked_sub(1)?)?;
        (*end > now_s()).then_some(number)
    }

    fn plays(&mut self, request: &Received) -> Behaviour {
        let bearer =
            request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let (bearer, path) = (bearer.unwrap_or_default().to_owned(), request.path().to_owned());
        if request.header("user-agent").is_none() {
            return refuse(403, "Request forbidden by administrative rules");
        }
        if let Some(rest) = path.strip_prefix("/api/app/installations/") {
            if let Err(refused) = self.believes(&bearer) {
                return refused;
            }
            return self.installation(&request.method, rest);
        }
        let Some(number) = self.token(&bearer) else { return refuse(401, "Bad credentials") };
        match (request.method.as_str(), path.as_str()) {
            ("POST", COMMENTS) => {
                let body = request.json().expect("JSON");
                let text = body["body"].as_str().expect("a text").to_owned();
                self.comments.push((bearer, text));
                answer(201, &json!({"id": self.comments.len(), "body": body["body"]}))
            }
            ("DELETE", REVOKE) => {
                self.ends[number - 1] = 0;
                let mut nothing = Answer::status(204, &json!({}));
                nothing.body.clear();
                Behaviour::Answer(nothing)
            }
            _ => refuse(404, "Not Found"),
        }
    }

    fn installation(&mut self, method: &str, rest: &str) -> Behaviour {
        let (id, what) = rest.split_once('/').unwrap_or((rest, ""));
        let known = self.installations.iter().find(|known| known.to_string() == id).copied();
        match (known, method, what) {
            (Some(id), "GET", "") => answer(
                200,
                &json!({
                    "id": id, "app_id": APP, "app_slug": "placet", "account": {"login": "acme"},
                    "permissions": {"issues": "write"}, "suspended_at": null,
                }),
            ),
            (Some(_), "POST", "access_tokens") => {
                let end = now_s() + self.life_s;
                self.ends.push(end);
                let token = format!("ghs_{}", self.ends.len());
                let permissions = json!({"issues": "write"});
                answer(
                    201,
                    &json!({"token": token, "expires_at": moment(end), "permissions": permissions}),
                )
            }
            _ => refuse(404, "Not Found"),
        }
    }
}

/// An engine with the workflow, with nothing connected, and the App's side of the world.
fn world() -> (Live, Shared) {
    let mut live = Live::stopped();
    let github = GitHub {
        keys: vec!["issuer"],
        installations: vec![4711],
        life_s: 3600,
        ends: vec![],
        comments: vec![],
        refused: vec![],
    };
    let github = Arc::new(Mutex::new(github));
    let played = Arc::clone(&github);
    let plays = move |request: &Received, _: &[Received]| locked(&played).plays(request);
    live.provider.otherwise(Behaviour::Play(Play::new(plays)));
    live.project.write("workflows/slack-notify.yaml", WORKFLOW);
    live.restart();
    (live, github)
}

fn locked(github: &Shared) -> std::sync::MutexGuard<'_, GitHub> {
    github.lock().expect("nobody panics")
}

/// `integrations VERB github` with the fields of an App's credential, each from where secrets stand.
fn with_fields(live: &Live, verb: &str, fields: &[(&str, &str)]) -> Placet {
    let mut placet = live.placet(["integrations", verb, "github", "--as", "author"]);
    for (field, secret) in fields {
        let variable = format!("GH_{}", field.to_uppercase());
        let given = format!("{field}=env:{variable}");
        placet = placet.args(["--credential", &given]).env(&variable, *secret);
    }
    placet
}

/// Connects with the key in a file, as GitHub hands it out.
fn connect(live: &Live, installation: &str, key: &str) -> Finished {
    live.project.write("app.pem", key);
    let base = format!("api_base={}", live.provider.url("/api"));
    let ids = [("app_id", "99"), ("installation_id", installation)];
    let connect = with_fields(live, "connect", &ids);
    connect.args(["--set", &base, "--credential", "private_key=@app.pem"]).run()
}

fn connected(live: &Live) {
    let said = connect(live, "4711", &token::private_key("issuer")).expect_code(0);
    assert!(said.stdout.contains("99 of 4711"), "{}", said.stdout);
    live.done("author", &["deploy", "."]);
}

fn ask(live: &Live, text: &str) -> Asked {
    let input = json!({"text": text}).to_string();
    let started = live.json("author", &["start", "ops/github-comment", "--input", &input]);
    let run = started["run"].as_str().expect("a run").to_owned();
    let events = live.until(&run, "DecisionRequested");
    let asked = events.last().expect("it has come");
    let decision = asked["body"]["decision"].as_str().expect("a decision").to_owned();
    Asked { run, decision }
}

#[test]
fn an_app_is_connected_tested_and_comments_with_a_token_that_is_renewed_and_taken_back_in_the_end()
{
    let (live, github) = world();
    locked(&github).life_s = 1;
    connected(&live);
    let tested = live.json("author", &["integrations", "test", "github"]);
    assert_eq!(tested["identity"], json!({"id": "app 99", "tenant": "4711"}));
    assert_eq!(tested["label"], "placet at acme");
    // the token that connecting bought has ended by the time it is needed
    let asked = ask(&live, "Hello");
    assert!(!live.card(&asked.decision).to_string().contains("ghs_"), "a hole stays one");
    let begun = Instant::now();
    while locked(&github).ends.iter().any(|end| *end > now_s()) {
        assert!(begun.elapsed() < DEADLINE, "its tokens live on");
        std::thread::yield_now();
    }
    let before = locked(&github).ends.len();
    locked(&github).life_s = 3600;
    live.approve(&asked);
    let events = live.until(&asked.run, "RunCompleted");
    assert!(!kinds(&events).contains(&"AttemptDeferred"), "it was renewed ahead: {events:?}");
    let again = ask(&live, "Hello again");
    live.approve(&again);
    live.until(&again.run, "RunCompleted");
    {
        let github = locked(&github);
        assert_eq!(github.ends.len(), before + 1, "one for both");
        let by: Vec<&str> = github.comments.iter().map(|(by, _)| by.as_str()).collect();
        let own = format!("ghs_{}", github.ends.len());
        assert_eq!(by, [&own, &own]);
        assert!(github.comments[0].1.starts_with("Hello\n\n<!-- placet_send:"));
        assert_eq!(github.refused, [""; 0]);
    }
    let gone = live.done("author", &["integrations", "disconnect", "github", "--yes"]);
    assert!(gone.stderr.contains("the provider has taken it back"), "{}", gone.stderr);
    assert!(gone.stderr.contains("private key is still good there"), "{}", gone.stderr);
    assert_eq!(live.provider.received_at(REVOKE).len(), 1);
    assert!(locked(&github).ends.iter().all(|end| *end <= now_s()), "no token of it lives on");
    nothing_is_said(&live);
}

/// Neither the key nor a token nor an assertion stands in the log or the data.
fn nothing_is_said(live: &Live) {
    let log = live.placet(["audit", "log", "--json"]).run().expect_code(0).stdout;
    let key = token::private_key("issuer");
    let line = key.lines().nth(1).expect("a line of it");
    for secret in [line, "PRIVATE KEY", "ghs_", "eyJ"] {
        assert!(!log.contains(secret), "{secret} was said");
    }
    for file in std::fs::read_dir(live.project.data()).expect("the data are there").flatten() {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!holds(line.as_bytes()), "{}", file.path().display());
        assert!(!holds(b"ghs_"), "{}", file.path().display());
    }
}

#[test]
fn another_key_of_the_app_keeps_what_was_approved_and_another_installation_voids_it() {
    let (live, github) = world();
    connected(&live);
    let held = |text: &str| {
        let asked = ask(&live, text);
        live.done("author", &["pause"]);
        live.approve(&asked);
        live.until(&asked.run, "DecisionSettled");
        asked
    };
    let kept = held("kept");
    // a key that GitHub does not know (yet) never counts
    let other = token::private_key("stranger");
    let rotate = || with_fields(&live, "rotate", &[("private_key", &other)]);
    let refused = rotate().run().expect_code(1);
    assert!(
        refused.stderr.contains("PL4056") && refused.stderr.contains("clock"),
        "{}",
        refused.stderr
    );
    locked(&github).keys = vec!["stranger"];
    let said = rotate().run().expect_code(0).stdout;
    assert!(
        said.contains("version 2 of its credential is in force, acting as app 99 of 4711"),
        "{said}"
    );
    live.done("author", &["resume"]);
    live.until(&kept.run, "RunCompleted");
    let lost = held("lost");
    locked(&github).installations.push(4712);
    let elsewhere = [("installation_id", "4712")];
    let refused = with_fields(&live, "rotate", &elsewhere).run().expect_code(1);
    assert!(refused.stderr.contains("PL4062"), "{}", refused.stderr);
    let rotate = with_fields(&live, "rotate", &elsewhere).args(["--new-identity"]);
    let said = rotate.run().expect_code(0).stdout;
    assert!(said.contains("acting as app 99 of 4712"), "{said}");
    live.done("author", &["resume"]);
    let events = live.until(&lost.run, "DecisionVoided");
    assert_eq!(events.last().expect("an event")["body"]["field"], json!("identity"));
    assert_eq!(locked(&github).comments.len(), 1);
}

#[test]
fn each_way_in_which_an_app_is_not_connected_has_a_code_and_leaves_nothing() {
    let (live, github) = world();
    let key = token::private_key("issuer");
    let stranger = token::private_key("stranger");
    // as far as a modulus of 1024 bits
    let short = [&[0x30, 0x81, 0x87, 2, 1, 0, 2, 0x81, 0x81, 0], &[0xff; 128][..]].concat();
    let short = token::base64(&short);
    let short = format!("-----BEGIN RSA PRIVATE KEY-----\n{short}\n-----END RSA PRIVATE KEY-----");
    let ec = key.replace("RSA PRIVATE", "EC PRIVATE");
    for (installation, key, code) in [
        ("4711", "ghp_no_key_at_all", "PL4053"),
        ("4711", ec.as_str(), "PL4054"),
        ("4711", short.as_str(), "PL4055"),
        ("4711", stranger.as_str(), "PL4056"),
        ("4712", key.as_str(), "PL4069"),
    ] {
        let refused = connect(&live, installation, key);
        assert_ne!(refused.code, Some(0), "{code}: {}", refused.stdout);
        assert!(refused.stderr.contains(code), "{code}: {}", refused.stderr);
        for word in ["no_key", "MII", "MIG"] {
            assert!(!refused.stderr.contains(word), "{}", refused.stderr);
        }
    }
    assert_eq!(locked(&github).refused, ["it is not signed by a key of the App"]);
    assert_eq!(locked(&github).ends.len(), 0);
    let both = with_fields(&live, "connect", &[("token", "ghp_1"), ("app_id", "99")]).run();
    assert!(both.expect_code(2).stderr.contains("PL4003"));
    let (_, list) = live.door().get("author", "/api/v1/integrations");
    assert_eq!(list["integrations"], json!([]), "nothing is connected");
    let status = live.json("author", &["vault", "status"]);
    let records = status["records"].as_array().expect("records").iter();
    assert_eq!(records.map(|row| row["records"].as_u64().unwrap_or(0)).sum::<u64>(), 0);
}
