//! A live engine of a test's own: `placet dev --mode live` as a process, a Slack stand-in on loopback, and the ways to
//! both that people have.

pub(crate) mod hook;
mod http;
mod nats;

pub(crate) use http::Door;
pub(crate) use nats::{Desk, Wiretap, ballot, patient, stream_is_the_log, stream_of};

use std::path::PathBuf;

use placet_test_support::dirs::{Project, copy_dir, fixture};
use placet_test_support::nats::NatsServer;
use placet_test_support::process::{Finished, Placet, Running};
use placet_test_support::provider::{Behaviour, Provider, Received};
use serde_json::{Value, json};

/// The binary under test.
pub(crate) const PLACET: &str = env!("CARGO_BIN_EXE_placet");
/// The project's name, as it stands in subjects and digests.
pub(crate) const PROJECT: &str = "acme";
/// The variable that says where a user's state is.
const STATE: &str = "XDG_STATE_HOME";
/// Where messages arrive at the stand-in.
pub(crate) const POST: &str = "/api/chat.postMessage";
/// Where the stand-in is asked what has arrived.
pub(crate) const HISTORY: &str = "/api/conversations.history";
/// The credential of the stand-in's account.
pub(crate) const TOKEN: &str = "xoxb-e2e-0123456789";

/// The path of one message, from its draft to the end of its run.
pub(crate) const STORY: [&str; 10] = [
    "RunStarted",
    "TaskStarted",
    "DraftPrepared",
    "DecisionRequested",
    "VoteCast",
    "DecisionSettled",
    "AttemptStarted",
    "AttemptSucceeded",
    "TaskCompleted",
    "RunCompleted",
];

/// A project, its provider, and its engine while one runs.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) project: Project,
    pub(crate) provider: Provider,
    nats: Option<String>,
    listen: String,
    /// What its engine says of itself, where that is more than warnings.
    log: Option<String>,
    /// Where its user keeps tokens; the project's own place without it.
    state: Option<PathBuf>,
    engine: Option<(Running, Door)>,
}

/// A run that waits for a decision.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) run: String,
    pub(crate) decision: String,
}

impl Live {
    /// An engine with Slack connected to the stand-in, and `ops/slack-notify` deployed.
    pub(crate) fn start() -> Self {
        Self::with_policy(None, None)
    }

    /// As [`Live::start`], with this `policy.yaml`.
    pub(crate) fn under(policy: &str) -> Self {
        Self::with_policy(Some(policy), None)
    }

    /// As [`Live::start`], with this `policy.yaml` if there is one, and a NATS server.
    pub(crate) fn on_nats(server: &NatsServer, policy: Option<&str>) -> Self {
        Self::with_policy(policy, Some(server.url()))
    }

    fn with_policy(policy: Option<&str>, nats: Option<String>) -> Self {
        let mut live = Self::stopped();
        if let Some(policy) = policy {
            live.project.write("policy.yaml", policy);
        }
        live.nats = nats;
        live.restart();
        live.connect();
        // what could not be deployed at the start, for want of the integration
        live.done("author", &["deploy", "."]);
        live
    }

    /// A project with one workflow that has never had an engine.
    pub(crate) fn stopped() -> Self {
        Self {
            project: project(),
            provider: Provider::start(),
            nats: None,
            listen: "127.0.0.1:0".to_owned(),
            log: None,
            state: None,
            engine: None,
        }
    }

    /// From its next start on it is at this NATS server.
    pub(crate) fn use_nats(&mut self, server: &NatsServer) {
        self.nats = Some(server.url());
    }

    /// From its next start on the engine says all that it can of itself.
    pub(crate) fn log_all(&mut self) {
        self.log = Some("trace".to_owned());
    }

    /// As [`Live::stopped`], with a NATS server for its engine.
    pub(crate) fn stopped_on(server: &NatsServer) -> Self {
        Self { nats: Some(server.url()), ..Self::stopped() }
    }

    /// Another project of the same user, whose engine listens at this address.
    pub(crate) fn beside(first: &Self, address: &str) -> Self {
        let mut live = Self::stopped();
        let env = first.project.env();
        live.state = env.into_iter().find(|(name, _)| name == STATE).map(|(_, dir)| dir);
        address.clone_into(&mut live.listen);
        live.restart();
        live
    }

    /// A copy of the data as they are now; an engine that runs stands still meanwhile, for files of its come and go.
    pub(crate) fn copy_of_data(&self) -> String {
        let copy = self.project.dir().join("copy");
        let running = self.engine.as_ref().map(|(running, _)| running);
        if let Some(running) = running {
            running.freeze();
        }
        copy_dir(&self.project.data(), &copy);
        if let Some(running) = running {
            running.thaw();
        }
        copy.display().to_string()
    }

    /// From its next start on it listens here.
    pub(crate) fn listen_at(&mut self, address: &str) {
        address.clone_into(&mut self.listen);
    }

    /// Starts the engine, which must not be running, and waits until it serves.
    pub(crate) fn restart(&mut self) {
        assert!(self.engine.is_none(), "the engine still runs");
        let running = self.dev().start();
        // the contract: the first URL is the login link, alone on its line
        let link = running.stdout_line(|line| line.contains("http://"));
        let address =
            link.strip_prefix("http://").and_then(|rest| rest.split_once("/login?token="));
        let (address, _) = address.unwrap_or_else(|| panic!("no login link: {link}"));
        let file = running.stdout_line(|line| line.starts_with("token "));
        let file = file.trim_start_matches("token").trim();
        let token = std::fs::read_to_string(file).expect("the token file is there");
        let door = Door { address: address.to_owned(), token: token.trim().to_owned() };
        if self.nats.is_some() {
            running.stderr_line(|line| line.contains("nats is ready"));
        }
        self.engine = Some((running, door));
    }

    /// The command line of this engine.
    pub(crate) fn dev(&self) -> Placet {
        let allow = self.provider.host_port();
        let dev = self.placet(["dev", ".", "--mode", "live", "--listen", &self.listen]);
        let mut dev = dev.args(["--egress-allow", &allow]);
        if let Some(filter) = &self.log {
            dev = dev.env("PLACET_LOG", filter);
        }
        match &self.nats {
            Some(url) => dev.args(["--nats", url]),
            None => dev,
        }
    }

    /// Connects Slack to the stand-in.
    pub(crate) fn connect(&self) {
        let base = format!("api_base={}", self.provider.url("/api"));
        let connect = ["integrations", "connect", "slack", "--set", &base];
        let connect = self.placet(connect).args(["--credential", "access_token=env:SLACK_TOKEN"]);
        let connected = connect.env("SLACK_TOKEN", TOKEN).run().expect_code(0);
        assert!(connected.stdout.contains("B0PLACET"), "{}", connected.stdout);
    }

    /// `placet` in the project's folder: with an engine running it goes through that, else it opens the data.
    pub(crate) fn placet<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Placet {
        let placet = Placet::new(PLACET, &self.project).args(args);
        match &self.state {
            Some(state) => placet.env(STATE, state),
            None => placet,
        }
    }

    /// A command that succeeds, as this user.
    pub(crate) fn done(&self, user: &str, args: &[&str]) -> Finished {
        let named = ["--as", user];
        self.placet(args.iter().copied()).args(named).run().expect_code(0)
    }

    /// A command's `--json` answer, as this user.
    pub(crate) fn json(&self, user: &str, args: &[&str]) -> Value {
        self.placet(args.iter().copied()).args(["--json", "--as", user]).run().expect_code(0).json()
    }

    /// The JSON lines that a reading command answers with.
    pub(crate) fn json_lines(&self, args: &[&str]) -> Vec<Value> {
        let answered = self.placet(args.iter().copied()).args(["--json"]).run().expect_code(0);
        let line = |line: &str| serde_json::from_str(line).expect("a line is JSON");
        answered.stdout.lines().map(line).collect()
    }

    /// Starts `ops/slack-notify` as `author` and waits until it asks.
    pub(crate) fn ask(&self, text: &str) -> Asked {
        let input = json!({"channel": "C0SALES", "text": text}).to_string();
        let started = self.json("author", &["start", "ops/slack-notify", "--input", &input]);
        let run = started["run"].as_str().expect("a run").to_owned();
        let events = self.until(&run, "DecisionRequested");
        let asked = events.last().expect("it has come");
        let decision = asked["body"]["decision"].as_str().expect("a decision").to_owned();
        Asked { run, decision }
    }

    /// Approves as `approver` from the command line.
    pub(crate) fn approve(&self, asked: &Asked) {
        self.done("approver", &["inbox", "approve", &asked.decision]);
    }

    /// The card of a decision, as its approver sees it.
    pub(crate) fn card(&self, decision: &str) -> Value {
        self.json("approver", &["inbox", "show", decision])
    }

    /// What waits, for whoever operates.
    pub(crate) fn inbox(&self) -> Vec<Value> {
        let list = self.json("author", &["inbox", "list", "--all"]);
        list["items"].as_array().expect("a list").clone()
    }

    /// Waits until an event of this type is in the run's stream; the run's events so far, that one last.
    pub(crate) fn until(&self, run: &str, kind: &str) -> Vec<Value> {
        self.until_nth(run, kind, 1)
    }

    /// As [`Live::until`], for the `n`th event of the type.
    pub(crate) fn until_nth(&self, run: &str, kind: &str, n: usize) -> Vec<Value> {
        let is_it = |event: &&Value| of_run(event, run) && event["type"] == kind;
        let events = self.door().events().until(|events| events.iter().filter(is_it).count() >= n);
        let end = events.iter().enumerate().filter(|(_, event)| is_it(event)).nth(n - 1);
        let (end, _) = end.expect("it has come");
        events.into_iter().take(end + 1).filter(|event| of_run(event, run)).collect()
    }

    /// The next look-up lacks a scope: what is in doubt is a person's.
    pub(crate) fn cannot_be_looked_up(&self) {
        cannot_be_looked_up(&self.provider);
    }

    /// Messages that the stand-in received, whatever became of them.
    pub(crate) fn posts(&self) -> Vec<Received> {
        self.provider.received_at(POST)
    }

    /// The engine's HTTP door.
    pub(crate) fn door(&self) -> &Door {
        &self.engine.as_ref().expect("the engine runs").1
    }

    /// The engine's process.
    pub(crate) fn running(&self) -> &Running {
        &self.engine.as_ref().expect("the engine runs").0
    }

    /// `kill -9`.
    pub(crate) fn kill_9(&mut self) {
        let (running, _) = self.engine.take().expect("the engine runs");
        running.kill_9();
    }

    /// SIGTERM, and what the engine then says.
    pub(crate) fn terminate(&mut self) -> Finished {
        let (running, _) = self.engine.take().expect("the engine runs");
        running.terminate()
    }

    /// Waits for the end of an engine that was asked to end.
    pub(crate) fn ended(&mut self) -> Finished {
        let (running, _) = self.engine.take().expect("the engine runs");
        running.finish()
    }
}

/// The next look-up at this stand-in lacks a scope.
pub(crate) fn cannot_be_looked_up(provider: &Provider) {
    let refusal = json!({"ok": false, "error": "missing_scope"});
    provider.next_for(HISTORY, Behaviour::refuse(200, &refusal));
}

fn project() -> Project {
    let workflow = std::fs::read_to_string(fixture("workflows/ok/slack-notify.yaml"));
    Project::new()
        .with("placet.toml", &format!("project = \"{PROJECT}\"\n"))
        .with_workflow("slack-notify", &workflow.expect("the fixture is there"))
}

/// The types of events, in order.
pub(crate) fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

fn of_run(event: &Value, run: &str) -> bool {
    event["stream"].as_str().and_then(|stream| stream.strip_prefix("run:")) == Some(run)
}
