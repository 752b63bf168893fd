//! `placet serve` as a process: it starts only where everything that it needs is there, applies nothing by itself,
//! knows people by their tokens, and takes no vote that nobody has signed.

mod login;

use crate::kit::{INPUT, placet, slack_notify};
use placet_test_support::dirs::Project;
use placet_test_support::process::{Finished, Placet, Running};
use serde_json::Value;

const CONFIG: &str = "project = \"acme\"\n\n[serve]\nlisten = \"127.0.0.1:0\"\n";
/// Who may do what; an admin applies it.
const POLICY: &str = "
principals:
  root: [admin]
  wendy: [author, operator]
  ana: [approver]
  robot: { kind: agent, roles: [agent] }
groups: { leads: [ana] }
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

fn serve(project: &Project, more: &[&str]) -> Placet {
    placet(project).args(["serve", "--config", "placet.toml"].iter().chain(more))
}

/// Names the first admin; the token that is printed.
fn init(project: &Project, name: &str) -> String {
    let made = serve(project, &["--init-admin", name]).run().expect_code(0);
    assert_eq!(made.stdout.trim().len(), 64, "the token alone on stdout: {}", made.stdout);
    assert!(made.stderr.contains("shown this once"), "{}", made.stderr);
    made.stdout.trim().to_owned()
}

/// A running engine of a project, and where it is.
struct Served<'p> {
    project: &'p Project,
    running: Running,
    url: String,
}

impl<'p> Served<'p> {
    fn start(project: &'p Project) -> Self {
        let running = serve(project, &[]).start();
        let url = running.stdout_line(|line| line.starts_with("http://"));
        Self { project, running, url }
    }

    /// A command with somebody's token.
    fn run(&self, token: &str, args: &[&str]) -> Finished {
        placet(self.project).args(args).env("PLACET_TOKEN", token).run()
    }

    fn done(&self, token: &str, args: &[&str]) -> Finished {
        self.run(token, args).expect_code(0)
    }

    /// A token of somebody's own, made by the admin.
    fn token(&self, admin: &str, who: &str) -> String {
        self.done(admin, &["tokens", "new", who]).stdout.trim().to_owned()
    }
}

#[test]
fn without_an_admin_it_does_not_start_and_says_how_to_name_one() {
    let project = project();
    let refused = serve(&project, &[]).run().expect_code(2);
    assert!(refused.stderr.contains("--init-admin NAME"), "{}", refused.stderr);
    assert!(!project.data().join("log.redb").exists(), "nothing was made");
    assert_eq!(refused.stdout, "", "it served nothing");
}

#[test]
fn what_is_missing_is_told_all_at_once_before_anything_starts() {
    let project = project();
    init(&project, "root");
    let live = format!(
        "{CONFIG}mode = \"live\"\n[nats]\nurl = \"nats://127.0.0.1:4222\"\nseed_env = \"ENGINE_SEED\"\n\
         [secrets.crm]\nenv = \"CRM_TOKEN\"\nhosts = [\"crm.example.com\"]\n"
    );
    project.write("placet.toml", &live);
    let refused = serve(&project, &[]).run().expect_code(2);
    for words in ["ENGINE_SEED is not set", "CRM_TOKEN is not set"] {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    project.write("placet.toml", &CONFIG.replace("127.0.0.1:0", "0.0.0.0:0"));
    let open = serve(&project, &[]).run().expect_code(2);
    assert!(open.stderr.contains("serve.hosts"), "{}", open.stderr);
    project.write("placet.toml", "[serve]\nlisten = \"here\"\n[tls]\n");
    let wrong = serve(&project, &[]).run().expect_code(2);
    for place in ["placet.toml:2:10", "placet.toml:3:2"] {
        assert!(wrong.stderr.contains(place), "{place}: {}", wrong.stderr);
    }
    let none = placet(&project).args(["serve", "--config", "nowhere.toml"]).run().expect_code(2);
    assert!(none.stderr.contains("nowhere.toml"), "{}", none.stderr);
}

#[test]
fn files_bind_only_by_an_authenticated_act_of_somebody_who_may() {
    let project = project();
    let root = init(&project, "root");
    let served = Served::start(&project);
    let workflows = |token: &str| -> Value {
        let url = format!("{}/api/v1/workflows", served.url);
        serde_json::from_str(&get(&url, token)).expect("JSON")
    };
    assert_eq!(
        workflows(&root)["workflows"],
        serde_json::json!([]),
        "nothing is applied by itself"
    );
    // the first admin is an admin and nothing else
    let refused = served.run(&root, &["deploy", "."]).expect_code(1);
    assert!(refused.stderr.contains("PL4005"), "{}", refused.stderr);
    served.done(&root, &["policy", "apply"]);
    let (wendy, robot) = (served.token(&root, "wendy"), served.token(&root, "robot"));
    for token in [&robot, "guess"] {
        let refused = served.run(token, &["deploy", "."]).expect_code(1);
        assert!(refused.stderr.contains("error[PL400"), "{}", refused.stderr);
    }
    // the sandbox of `serve` has no integration of its own either
    served.done(&wendy, &["integrations", "connect", "slack"]);
    served.done(&wendy, &["deploy", "."]);
    let log = served.done(&root, &["audit", "log", "--type", "WorkflowDeployed", "--json"]);
    assert_eq!(log.json()["actor"], "principal:wendy");
    let stopped = served.running.terminate().expect_code(0);
    assert!(
        !stopped.stderr.contains(&wendy) && !stopped.stdout.contains(&wendy),
        "tokens are told once"
    );
}

/// The body of a GET.
fn get(url: &str, token: &str) -> String {
    use std::io::{Read, Write};
    let address = url.trim_start_matches("http://");
    let (address, path) = address.split_once('/').expect("a path");
    let mut stream = std::net::TcpStream::connect(address).expect("the engine listens");
    let head = format!(
        "GET /{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("the engine takes requests");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the engine answers");
    answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
}

#[test]
fn a_vote_without_a_signature_is_refused_and_what_waits_still_waits() {
    let project = project();
    let root = init(&project, "root");
    let served = Served::start(&project);
    served.done(&root, &["policy", "apply"]);
    let (wendy, ana) = (served.token(&root, "wendy"), served.token(&root, "ana"));
    served.done(&wendy, &["integrations", "connect", "slack"]);
    served.done(&wendy, &["deploy", "."]);
    let started = served.done(&wendy, &["start", "ops/slack-notify", "--input", INPUT, "--json"]);
    let run = started.json()["run"].as_str().expect("a run").to_owned();
    // until it asks
    let watch = placet(&project).args(["runs", "watch", &run]).env("PLACET_TOKEN", &wendy).start();
    watch.stdout_line(|line| line.contains("DecisionRequested"));
    let list = served.done(&ana, &["inbox", "list", "--json"]).json();
    let id = list["items"][0]["id"].as_str().expect("an item").to_owned();
    let refused = served.run(&ana, &["inbox", "approve", &id]).expect_code(1);
    assert!(
        refused.stderr.contains("PL3017") && refused.stderr.contains("placet keys"),
        "{}",
        refused.stderr
    );
    let acting = served.run(&wendy, &["inbox", "list", "--as", "ana"]).expect_code(1);
    assert!(acting.stderr.contains("PL4005"), "{}", acting.stderr);
    let card = served.done(&ana, &["inbox", "show", &id, "--json"]).json();
    assert_eq!((&card["state"], &card["votes"]), (&"requested".into(), &serde_json::json!([])));
    // and without the engine, its data take no vote either
    served.done(&wendy, &["runs", "list"]);
    served.running.terminate().expect_code(0).code.expect("it ended by itself");
    for args in [
        &["inbox", "approve", &id, "--data", ".placet", "--as", "ana"][..],
        &["dev", ".", "--listen", "127.0.0.1:0"],
    ] {
        let refused = placet(&project).args(args).run().expect_code(2);
        assert!(refused.stderr.contains("placet serve"), "{args:?}: {}", refused.stderr);
    }
}

#[test]
fn the_token_of_an_admin_can_be_had_again_by_the_operator_and_of_nobody_else() {
    let project = project();
    let first = init(&project, "root");
    let refused = serve(&project, &["--init-admin", "mallory"]).run().expect_code(2);
    assert!(refused.stderr.contains("its admins: root"), "{}", refused.stderr);
    let second = init(&project, "root");
    assert_ne!(first, second);
    let served = Served::start(&project);
    let list = served.done(&second, &["tokens", "list", "--json"]).json();
    let id = list["tokens"][0]["id"].as_str().expect("a token").to_owned();
    served.done(&second, &["tokens", "revoke", &id]);
    let gone = served.run(&first, &["tokens", "list"]).expect_code(1);
    assert!(gone.stderr.contains("PL4004"), "{}", gone.stderr);
}

#[test]
fn votes_that_dev_took_without_a_signature_do_not_come_to_be_spent() {
    let project = project();
    let dev = crate::kit::Dev::start(&project, &[]);
    drop(dev.command("author", &["pause"]).run().expect_code(0));
    let started = dev
        .command("author", &["start", "ops/slack-notify", "--input", INPUT])
        .run()
        .expect_code(0);
    let run = started.stdout.trim().to_owned();
    let watch = dev.command("author", &["runs", "watch", &run, "--json"]).start();
    let asked = watch.stdout_line(|line| line.contains("DecisionRequested"));
    let asked: Value = serde_json::from_str(&asked).expect("JSON");
    let id = asked["body"]["decision"].as_str().expect("a decision").to_owned();
    drop(dev.command("ana", &["inbox", "approve", &id]).run().expect_code(0));
    drop(dev.running.terminate().expect_code(0));
    let refused = serve(&project, &["--init-admin", "author"]).run().expect_code(2);
    assert!(refused.stderr.contains(&id), "{}", refused.stderr);
}
