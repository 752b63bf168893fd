//! Traces as a collector of another hand reads them: the real program, and the official definitions of
//! OTLP (the package opentelemetry-proto, which `tests/run` installs and names in `PLACET_TEST_OTLP_PYTHON`).
//!
//! covers: S21.

use crate::kit::placet;
use crate::world::Door;
use placet_test_support::dirs::{Project, fixture};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct Collector {
    running: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    url: String,
}

impl Collector {
    /// Says `skipped` where there is none; CI must have one.
    fn start(test: &str) -> Option<Self> {
        let Some(python) = std::env::var_os("PLACET_TEST_OTLP_PYTHON") else {
            let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
            assert!(!is_ci, "{test}: CI must have opentelemetry-proto");
            eprintln!("skipped: {test} (no opentelemetry-proto; ./tests/run installs it)");
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/telemetry/collector.py");
        let mut running = Command::new(python)
            .arg(script)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the collector can be started");
        let input = running.stdin.take();
        let mut output = BufReader::new(running.stdout.take().expect("its output"));
        let mut url = String::new();
        output.read_line(&mut url).expect("it says where it listens");
        Some(Self { running, input, output, url: url.trim().to_owned() })
    }

    /// What it was told up to this span. Whoever ends an engine waits five seconds for a collector, and the machine may
    /// keep it from running for longer; by itself the engine tells as soon as something is over.
    fn until(&mut self, span: &str) -> Vec<Value> {
        let mut told: Vec<Value> = Vec::new();
        while told.last().is_none_or(|last| last["name"] != span) {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("it goes on");
            assert!(read > 0, "it has ended: {told:#?}");
            told.push(serde_json::from_str(&line).expect("lines of JSON"));
        }
        told
    }

    /// Everything else that it was told.
    fn finish(mut self) -> Vec<Value> {
        drop(self.input.take());
        let mut told = String::new();
        self.output.read_to_string(&mut told).expect("it ends");
        self.running.wait().expect("it ends");
        told.lines().map(|line| serde_json::from_str(line).expect("lines of JSON")).collect()
    }
}

#[test]
fn a_collector_of_another_hand_reads_one_trace_of_a_run_from_its_caller_to_the_call() {
    let test = "a_collector_of_another_hand_reads_one_trace_of_a_run_from_its_caller_to_the_call";
    let Some(mut collector) = Collector::start(test) else { return };
    let workflow = std::fs::read_to_string(fixture("workflows/ok/slack-notify.yaml")).unwrap();
    let config = format!("[telemetry.otlp]\nendpoint = \"{}\"\n", collector.url);
    let project =
        Project::new().with("placet.toml", &config).with("workflows/slack-notify.yaml", &workflow);
    let dev = placet(&project).args(["dev", ".", "--listen", "127.0.0.1:0"]);
    let dev = dev.env("OTEL_SERVICE_NAME", "desk").start();
    let login = dev.stdout_line(|line| line.starts_with("http://"));
    let (url, _) = login.split_once("/login?token=").unwrap();
    let token = dev.stdout_line(|line| line.starts_with("token "));
    let token = std::fs::read_to_string(token.trim_start_matches("token").trim()).unwrap();
    let address = url.trim_start_matches("http://").to_owned();
    let door = Door { address, token: token.trim().to_owned() };
    // when somebody with a trace of their own starts a run, which is approved
    let input = json!({"channel": "C0SALES", "text": "a s3cret text"});
    let body = json!({"workflow": "ops/slack-notify", "input": input});
    let (status, begun) = door.post_traced(CALLER, ("author", "/api/v1/runs?wait=20"), &body);
    assert_eq!(status, 201, "{begun}");
    let decision = begun["waiting_for"]["decision"].as_str().unwrap_or_else(|| panic!("{begun}"));
    let approve = ["inbox", "approve", decision, "--as", "approver"];
    drop(placet(&project).args(approve).run().expect_code(0));
    let run = begun["run"].as_str().unwrap();
    let (_, report) = door.get("author", &format!("/api/v1/runs/{run}?wait=20"));
    assert_eq!(report["status"], "completed", "{report}");
    // then it has all of it
    let mut told = collector.until("ops/slack-notify@1.0.0");
    drop(dev.terminate().expect_code(0));
    told.extend(collector.finish());
    assert!(told.iter().all(|line| line["refused"].is_null()), "{told:#?}");
    let span = |name: &str| {
        let found = told.iter().find(|span| span["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {told:#?}")).clone()
    };
    let (whole, step) = (span("ops/slack-notify@1.0.0"), span("notify"));
    let (decided, call) = (span("decision"), span("slack.chat.postMessage"));
    for one in [&whole, &step, &decided, &call] {
        assert_eq!((&one["trace"], &one["service"]), (&whole["trace"], &json!("desk")));
        assert!(one["took_ns"].as_i64().unwrap() >= 0 && one["began_ns"].as_u64().unwrap() > 0);
        assert_ne!(one["status"], "STATUS_CODE_ERROR", "{one:#}");
    }
    assert_eq!((&whole["parent"], &step["parent"]), (&json!(""), &whole["span"]));
    assert_eq!((&decided["parent"], &call["parent"]), (&step["span"], &step["span"]));
    assert_eq!(call["kind"], "SPAN_KIND_CLIENT");
    assert_eq!(whole["links"], json!([[&CALLER[3..35], &CALLER[36..52]]]));
    assert_eq!(whole["facts"]["placet.run"], run);
    assert_eq!(decided["facts"]["placet.decision"], decision);
    assert_eq!(call["facts"]["placet.digest"], decided["facts"]["placet.digest"]);
    let all = json!(told).to_string();
    assert!(!all.contains("s3cret") && !all.contains("C0SALES"), "{all}");
}

#[test]
fn traces_leave_no_sandbox_and_the_refusal_says_why() {
    let config = "[telemetry.otlp]\nendpoint = \"http://collector.example:4318\"\n";
    let project = Project::new().with("placet.toml", config);
    let dev = placet(&project).args(["dev", ".", "--listen", "127.0.0.1:0"]).run();
    let said = dev.expect_code(1).stderr;
    assert!(said.contains("PL2412") && said.contains("collector.example"), "{said}");
}
