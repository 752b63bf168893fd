//! Votes that people sign with keys of their own: over HTTP and NATS, by our command line and by a client that is not
//! ours, and verified again long afterwards without the engine. The seed of an approver is in a file of the approver's,
//! away from the engine (OWASP AISVS 9.2.9); an identity that is only claimed satisfies nothing (acceptance list A4), and
//! an answer that comes twice changes nothing (A6).
//!
//! covers: S6, S7, S12, S19, T7, T20, T21, T26

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use futures_util::StreamExt;
use placet_test_support::dirs::Project;
use placet_test_support::nats::NatsServer;
use placet_test_support::process::{Finished, Placet, Running};
use serde_json::{Value, json};

use crate::kit::{INPUT, placet, slack_notify};
use crate::world::patient;

const CONFIG: &str = "project = \"acme\"\n\n[serve]\nlisten = \"127.0.0.1:0\"\n";
const POLICY: &str = "
principals:
  root: [admin]
  wendy: [author, operator]
  ana: [approver]
  ben: [approver]
groups: { leads: [ana, ben] }
rules:
  - match: { effect: send }
    require: { approvers: [leads] }
";

fn project() -> Project {
    let workflow = std::fs::read_to_string(slack_notify()).expect("the fixture is there");
    Project::new()
        .with("placet.toml", CONFIG)
        .with("policy.yaml", POLICY)
        .with_workflow("slack-notify", &workflow)
}

/// An engine of `placet serve`, its people's tokens, and where their seeds are.
struct Served {
    project: Project,
    running: Option<Running>,
    root: String,
    wendy: String,
    ana: String,
    seeds: tempfile::TempDir,
}

impl Served {
    fn start() -> Self {
        let project = project();
        let made = placet(&project)
            .args(["serve", "--config", "placet.toml", "--init-admin", "root"])
            .run();
        let root = made.expect_code(0).stdout.trim().to_owned();
        let seeds = tempfile::tempdir().expect("a temporary directory");
        let mut served =
            Self { project, running: None, root, wendy: String::new(), ana: String::new(), seeds };
        served.restart(&[]);
        let root = served.root.clone();
        drop(served.done(&root, &["policy", "apply"]));
        let token =
            |who: &str| served.done(&root, &["tokens", "new", who]).stdout.trim().to_owned();
        let (wendy, ana) = (token("wendy"), token("ana"));
        drop(served.done(&wendy, &["integrations", "connect", "slack"]));
        drop(served.done(&wendy, &["deploy", "."]));
        (served.wendy, served.ana) = (wendy, ana);
        served
    }

    fn restart(&mut self, env: &[(&str, &str)]) {
        drop(self.running.take().map(Running::terminate));
        let serve = placet(&self.project).args(["serve", "--config", "placet.toml"]);
        let serve = env.iter().fold(serve, |serve, (name, value)| serve.env(name, value));
        let running = serve.start();
        running.stdout_line(|line| line.starts_with("http://"));
        self.running = Some(running);
    }

    /// The command line of somebody with this token.
    fn by(&self, token: &str, args: &[&str]) -> Placet {
        placet(&self.project).args(args).env("PLACET_TOKEN", token)
    }

    fn done(&self, token: &str, args: &[&str]) -> Finished {
        self.by(token, args).run().expect_code(0)
    }

    fn seed_file(&self, who: &str) -> PathBuf {
        self.seeds.path().join("people").join(format!("{who}.seed"))
    }

    /// Makes a key on the person's own machine; the public key.
    fn make_key(&self, who: &str) -> String {
        let made = placet(&self.project)
            .args(["keys", "new", who])
            .env("PLACET_KEY_DIR", self.seeds.path());
        made.run().expect_code(0).stdout.trim().to_owned()
    }

    /// Makes a key, and has the admin register it.
    fn register(&self, who: &str) -> String {
        let key = self.make_key(who);
        drop(self.done(&self.root, &["keys", "register", who, &key]));
        key
    }

    /// A person at their own machine, where their seed is.
    fn person(&self, token: &str, args: &[&str]) -> Finished {
        self.by(token, args).env("PLACET_KEY_DIR", self.seeds.path()).run()
    }

    /// A run that waits for its decision.
    fn ask(&self) -> String {
        let started =
            self.done(&self.wendy, &["start", "ops/slack-notify", "--input", INPUT, "--json"]);
        let run = started.json()["run"].as_str().expect("a run").to_owned();
        let watch = self.by(&self.wendy, &["runs", "watch", &run, "--json"]).start();
        let asked = watch.stdout_line(|line| line.contains("DecisionRequested"));
        let asked: Value = serde_json::from_str(&asked).expect("JSON");
        asked["body"]["decision"].as_str().expect("a decision").to_owned()
    }

    /// The vote on a decision, as the log has it.
    fn vote(&self, decision: &str) -> Value {
        let log = self.done(&self.root, &["audit", "log", "--type", "VoteCast", "--json"]);
        let votes: Vec<Value> =
            log.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let vote = votes.iter().find(|vote| vote["body"]["decision"] == decision);
        vote.expect("a vote").clone()
    }
}

#[test]
fn a_vote_that_its_voter_has_signed_is_taken_and_can_be_verified_without_the_engine() {
    let mut served = Served::start();
    let key = served.register("ana");
    let decision = served.ask();
    let rejected =
        served.person(&served.ana, &["inbox", "reject", &decision, "--reason", "not today"]);
    assert!(rejected.expect_code(0).stdout.contains("reject: rejected"));

    // the log tells verdict, who, how sure, and that a person said it; never the words
    let vote = served.vote(&decision);
    assert_eq!(vote["actor"], "principal:ana");
    assert_eq!(
        (&vote["body"]["verdict"], &vote["body"]["assurance"]),
        (&json!("reject"), &json!("nkey"))
    );
    assert!(!vote.to_string().contains("not today"), "{vote}");
    let live = served.done(&served.root, &["audit", "verify", "--json"]).json();
    assert_eq!(live["signatures"], 1, "{live}");

    // a receipt, an export and the data alone say the same
    let receipt = served.project.dir().join("receipt.json").display().to_string();
    drop(served.done(&served.root, &["audit", "prove", &decision, "-o", &receipt]));
    let vkey =
        served.done(&served.root, &["audit", "checkpoint", "--key"]).stdout.trim().to_owned();
    drop(served.running.take().map(Running::terminate));
    let told = placet(&served.project).args(["audit", "verify", &receipt, "--key", &vkey]).run();
    let told = told.expect_code(0).stdout;
    for words in [&format!("the key {key} was registered as that of ana"), "the signature verifies"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    let alone =
        placet(&served.project).args(["audit", "verify", "--data", ".placet", "--json"]).run();
    assert_eq!(alone.expect_code(0).json()["signatures"], 1);
}

#[test]
fn an_edit_and_an_act_of_several_are_signed_as_they_are_and_verify_later() {
    // given three drafts that wait for somebody who signs
    let served = Served::start();
    served.register("ana");
    let (edited, first, second) = (served.ask(), served.ask(), served.ask());
    let with = served.project.dir().join("with.json");
    std::fs::write(&with, r#"{"channel":"C0SALES","text":"in other words"}"#).expect("a file");
    let with = format!("@{}", with.display());

    // when one is edited, and the others are approved in one act
    let edit = ["inbox", "edit", &edited, "--with", &with, "--reason", "kinder", "--json"];
    let edit = served.person(&served.ana, &edit).expect_code(0).json();
    let both = ["inbox", "approve", &first, &second];
    let both = served.person(&served.ana, &both).expect_code(0).stdout;

    // then each vote stands in the log with its signature, and the editor has not approved anything
    assert_eq!(both.lines().filter(|line| line.contains("approve: ")).count(), 2, "{both}");
    for (decision, verdict) in [(&edited, "edit"), (&first, "approve"), (&second, "approve")] {
        let body = served.vote(decision)["body"].clone();
        assert_eq!((&body["verdict"], &body["assurance"]), (&json!(verdict), &json!("nkey")));
    }
    let next = edit["successor"].as_str().expect("what waits now");
    let own = served.person(&served.ana, &["inbox", "approve", next]).expect_code(1);
    assert!(own.stderr.contains("PL3050"), "{}", own.stderr);
    let live = served.done(&served.root, &["audit", "verify", "--json"]).json();
    assert_eq!(live["signatures"], 3, "{live}");
}

#[test]
fn without_a_seed_with_a_stranger_s_or_with_a_revoked_one_nothing_is_decided() {
    let served = Served::start();
    let decision = served.ask();
    let approve = ["inbox", "approve", &decision];
    let refused = |finished: Finished, code: &str| {
        let finished = finished.expect_code(1);
        assert!(finished.stderr.contains(code), "{code}: {}", finished.stderr);
    };
    // a key that nobody has registered signs nothing here
    let key = served.make_key("ana");
    refused(served.person(&served.ana, &approve), "PL3017");
    drop(served.done(&served.root, &["keys", "register", "ana", &key]));
    // registered, but the seed is not on this machine
    refused(served.by(&served.ana, &approve).run(), "PL3017");
    // only an admin says whose a key is
    refused(served.by(&served.ana, &["keys", "register", "ben", &key]).run(), "PL4005");
    refused(served.by(&served.root, &["keys", "register", "ben", &key]).run(), "PL3049");
    drop(served.done(&served.ana, &["keys", "revoke", &key]));
    refused(served.person(&served.ana, &approve), "PL3017");
    let list = served.done(&served.root, &["keys", "list", "--json"]).json();
    assert_eq!(list["keys"][0]["revoked"], true, "{list}");
    let card = served.done(&served.ana, &["inbox", "show", &decision, "--json"]).json();
    assert_eq!(card["state"], "requested");
}

#[test]
fn a_seed_is_for_its_owner_only_and_never_inside_a_project() {
    use std::os::unix::fs::PermissionsExt;
    let project = project();
    let seeds = tempfile::tempdir().expect("a temporary directory");
    let new = |more: &[&str]| {
        let args = ["keys", "new", "ana"].iter().chain(more);
        placet(&project).args(args).env("PLACET_KEY_DIR", seeds.path()).run()
    };
    let made = new(&[]).expect_code(0);
    let file = seeds.path().join("people/ana.seed");
    let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let seed = std::fs::read_to_string(&file).expect("the seed");
    assert!(seed.starts_with("SU") && made.stdout.starts_with('U'), "{}", made.stdout);
    assert!(!made.stdout.contains(seed.trim()) && !made.stderr.contains(seed.trim()));
    // it is not written over
    assert!(new(&[]).expect_code(2).stderr.contains("stays as it is"));
    assert_eq!(std::fs::read_to_string(&file).expect("the seed"), seed);
    let inside = project.dir().join("ana.seed").display().to_string();
    assert!(new(&["--file", &inside]).expect_code(2).stderr.contains("inside the project"));
    assert!(!project.dir().join("ana.seed").exists());
}

/// A server with this configuration, on the test's own port and store.
fn start_printed(test: &str, config: &str) -> Option<NatsServer> {
    let own =
        |line: &&str| !line.starts_with("listen:") && !line.trim_start().starts_with("store_dir:");
    let config: Vec<&str> = config.lines().filter(own).collect();
    NatsServer::start_configured_or_skip(test, &config.join("\n"))
}

/// A server with the configuration that the project prints, and its engine on it.
fn on_nats(test: &str, served: &mut Served) -> Option<NatsServer> {
    let engine = served.make_key("engine");
    let config = served.done(&served.root, &["nats", "config", "--engine-key", &engine]).stdout;
    let server = start_printed(test, &config)?;
    served.project.write("placet.toml", &format!("{CONFIG}\n[nats]\nurl = \"{}\"\n", server.url()));
    let seed = std::fs::read_to_string(served.seed_file("engine")).expect("the engine's seed");
    served.restart(&[("PLACET_NATS_SEED", seed.trim())]);
    let running = served.running.as_ref().expect("it runs");
    running.stderr_line(|line| line.contains("nats is ready"));
    Some(server)
}

#[test]
fn our_command_line_decides_over_nats_with_the_same_key_and_only_for_its_owner() {
    let name = "our_command_line_decides_over_nats_with_the_same_key_and_only_for_its_owner";
    let mut served = Served::start();
    drop((served.register("ana"), served.register("ben")));
    let Some(server) = on_nats(name, &mut served) else { return };
    let decision = served.ask();
    let over_nats = |who: &str, args: &[&str], seed_of: &str| {
        let url = server.url();
        let more = ["--nats", &url, "--as", who];
        let seed = std::fs::read_to_string(served.seed_file(seed_of)).expect("a seed");
        let inbox = placet(&served.project).args(["inbox"].iter().chain(args).chain(&more));
        inbox.env("PLACET_NATS_SEED", seed.trim()).env("PLACET_KEY_DIR", served.seeds.path()).run()
    };
    let list = over_nats("ana", &["list", "--json"], "ana").expect_code(0).json();
    assert_eq!(list["items"][0]["id"], decision.as_str());
    let approved = over_nats("ana", &["approve", &decision], "ana").expect_code(0);
    assert!(approved.stdout.contains("approve: approved"), "{}", approved.stdout);
    let vote = served.vote(&decision);
    assert_eq!(
        (&vote["actor"], &vote["body"]["assurance"]),
        (&json!("principal:ana"), &json!("nkey"))
    );
}

#[test]
fn a_client_that_is_not_ours_lists_reads_and_decides() {
    let name = "a_client_that_is_not_ours_lists_reads_and_decides";
    let Some(python) = std::env::var_os("PLACET_TEST_NATS_PYTHON") else {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "{name}: CI must have nats-py"
        );
        eprintln!("skipped: {name} (no nats-py; ./tests/run installs it)");
        return;
    };
    let mut served = Served::start();
    drop(served.register("ana"));
    let Some(server) = on_nats(name, &mut served) else { return };
    let decision = served.ask();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/inbox.py");
    let client = |seed: PathBuf, args: &[&str], stdin: &[u8]| -> Value {
        let mut command = Command::new(&python);
        command.args([script, &server.url()]).arg(seed).arg("ana").args(args);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("python can be started");
        child.stdin.take().expect("stdin is piped").write_all(stdin).expect("it reads");
        let ran = child.wait_with_output().expect("python ends");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).expect("JSON")
    };
    let said = client(served.seed_file("ana"), &["reject", "nicht heute"], b"");
    assert_eq!(said["request"]["body"]["text"], "Hello", "{said}");
    assert_eq!(
        (&said["refused"]["error"]["code"], &said["refused_code"]),
        (&json!("PL3042"), &json!("3042"))
    );
    assert_eq!(said["answer"]["state"], "rejected", "{said}");
    assert_eq!(said["again"], said["answer"], "the same request id has the same answer");
    assert_eq!(said["notice"]["decision"], decision.as_str());
    let vote = served.vote(&decision);
    assert_eq!(
        (&vote["body"]["voter"], &vote["body"]["assurance"]),
        (&json!("ana"), &json!("nkey"))
    );
    let verified = served.done(&served.root, &["audit", "verify", "--json"]).json();
    assert_eq!(verified["signatures"], 1, "{verified}");
    // the engine is killed; the same request has the same answer from the next one
    drop(served.running.take().map(Running::kill_9));
    let seed = std::fs::read_to_string(served.seed_file("engine")).expect("the engine's seed");
    served.restart(&[("PLACET_NATS_SEED", seed.trim())]);
    served.running.as_ref().expect("it runs").stderr_line(|line| line.contains("nats is ready"));
    let again = client(served.seed_file("ana"), &["again"], said.to_string().as_bytes());
    assert_eq!(again, said["answer"]);
}

#[test]
fn what_happens_in_a_run_is_told_live_to_those_who_may_follow() {
    let name = "what_happens_in_a_run_is_told_live_to_those_who_may_follow";
    let mut served = Served::start();
    drop(served.register("wendy"));
    let Some(server) = on_nats(name, &mut served) else { return };
    let seed = std::fs::read_to_string(served.seed_file("wendy")).expect("a seed");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut told = runtime.block_on(async {
        let options = async_nats::ConnectOptions::with_nkey(seed.trim().to_owned());
        let client = patient(options).connect(server.url()).await;
        let client = client.expect("the server knows the key");
        let told = client.subscribe("placet.v1.trace.acme.>").await.expect("it may follow");
        client.flush().await.expect("the server has it");
        told
    });
    let decision = served.ask();
    let asked = runtime.block_on(async {
        loop {
            let next = tokio::time::timeout(placet_test_support::DEADLINE, told.next()).await;
            let message = next.expect("in time").expect("the server goes on");
            let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
            if event["type"] == "DecisionRequested" {
                assert!(
                    message.subject.starts_with("placet.v1.trace.acme.run_"),
                    "{}",
                    message.subject
                );
                return event;
            }
        }
    });
    assert_eq!(asked["body"]["decision"], decision.as_str());
}

#[test]
fn an_unsigned_vote_in_dev_says_that_the_server_vouched_for_the_key_that_asked() {
    let name = "an_unsigned_vote_in_dev_says_that_the_server_vouched_for_the_key_that_asked";
    let project = project();
    let seeds = tempfile::tempdir().expect("a temporary directory");
    let key = |who: &str| {
        let made = placet(&project).args(["keys", "new", who]).env("PLACET_KEY_DIR", seeds.path());
        made.run().expect_code(0).stdout.trim().to_owned()
    };
    let seed = |who: &str| {
        let file = seeds.path().join("people").join(format!("{who}.seed"));
        std::fs::read_to_string(file).expect("a seed").trim().to_owned()
    };
    let (engine, ana) = (key("engine"), key("ana"));
    let dev = crate::kit::Dev::start(&project, &[]);
    drop(dev.command("author", &["keys", "register", "ana", &ana]).run().expect_code(0));
    let config = ["nats", "config", "--engine-key", &engine];
    let config = dev.command("author", &config).run().expect_code(0).stdout;
    let Some(server) = start_printed(name, &config) else { return };
    drop(dev.running.terminate());
    let dev =
        placet(&project).args(["dev", ".", "--listen", "127.0.0.1:0", "--nats", &server.url()]);
    let dev = dev.env("PLACET_NATS_SEED", seed("engine")).start();
    dev.stderr_line(|line| line.contains("nats is ready"));
    let start = ["start", "ops/slack-notify", "--input", INPUT, "--as", "author"];
    drop(placet(&project).args(start).run().expect_code(0));

    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(async {
        let options = async_nats::ConnectOptions::with_nkey(seed("ana"))
            .custom_inbox_prefix(format!("_INBOX_{ana}"));
        let client = patient(options).connect(server.url()).await;
        let client = client.expect("the server knows the key");
        let ask = async |verb: &str, body: Value| -> Value {
            let subject = format!("placet.v1.inbox.ana.{verb}");
            let answer = client.request(subject, body.to_string().into()).await.expect("an answer");
            serde_json::from_slice(&answer.payload).expect("JSON")
        };
        let mut notices = client.subscribe("placet.v1.inbox.ana.event").await.expect("it may hear");
        let mut list = ask("list", json!({})).await;
        while list["items"][0].is_null() {
            notices.next().await.expect("the server goes on");
            list = ask("list", json!({})).await;
        }
        let item = &list["items"][0];
        let ballot = json!({
            "decision": item["id"], "digest": item["digest"], "verdict": "approve",
            "nonce": "0123456789abcdef", "time": placet_executor::Clock::System.now(),
        });
        ask("decide", ballot).await
    });
    assert_eq!(answer["state"], "approved", "{answer}");
    let log = ["audit", "log", "--type", "VoteCast", "--json", "--as", "author"];
    let vote = placet(&project).args(log).run().expect_code(0).json();
    assert_eq!(
        (&vote["body"]["voter"], &vote["body"]["assurance"]),
        (&json!("ana"), &json!("account"))
    );
}
