//! The sandbox runs whatever there is with nothing set up, and nothing leaves: every operation of every provider, the
//! examples and the project of `placet init`, with no network but a loopback that is down, and every connect counted.
//!
//! covers: S21, T24

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use placet_adapters::Adapters;
use placet_test_support::dirs::{Project, fixture};
use placet_test_support::process::{Finished, Placet};
use serde_json::{Value, json};

use crate::every;
use crate::sandbox::strace_or_skip;
use crate::world::PLACET;

/// Examples that run as they stand, what they are given, and how they end.
const EXAMPLES: [(&str, &str, &str); 21] = [
    ("data-flow", r#"{"name": "Ana"}"#, "completed"),
    ("emit", "{}", "completed"),
    ("for", "{}", "completed"),
    ("fork", "{}", "completed"),
    ("functions", "{}", "completed"),
    ("http", r#"{"key": "k", "name": "n", "url": "https://api.example.com/items/1"}"#, "completed"),
    ("json-document", "{}", "completed"),
    // nobody sends the events that it waits for, and two days pass
    ("listen", "{}", "faulted"),
    ("polling", "{}", "completed"),
    ("raise", r#"{"amount": 1}"#, "completed"),
    ("retry", "{}", "completed"),
    // what it runs is written beside it
    ("run", r#"{"user": "ana"}"#, "completed"),
    ("schedule", "{}", "completed"),
    ("secrets", "{}", "completed"),
    ("slack-notify", r#"{"channel": "C0SALES", "text": "Hello"}"#, "completed"),
    ("switch", "{}", "completed"),
    ("timeout", "{}", "completed"),
    ("timeouts", r#"{"limit": "PT5S", "total": "PT1H"}"#, "completed"),
    ("try-catch", "{}", "completed"),
    ("wait", r#"{"delay": "PT1S"}"#, "completed"),
    ("yaml-core", "{}", "completed"),
];
/// What the example `run` runs.
const CHILDREN: [(&str, &str); 2] = [("child-flow", "1.2.0"), ("log", "1.0.0")];
/// What the example `functions` calls from catalogs: files of its project.
const FUNCTIONS: [&str; 2] =
    ["catalog/functions/stamp/1.0.0/function.yaml", "functions/log/2.1.0/function.yaml"];
/// Examples that name connections, people, hosts or answers of their project: as its tests run them.
const IN_A_PROJECT: [(&str, &str); 4] = [
    (
        "approval",
        "integrations: { stripe-eu: stripe }
tests:
  - name: two of the leads and cho approve
    input: { charge: ch_1 }
    decisions:
      - { task: refund, approve: { by: [cho, ana, ben], reason: seen } }
      - { task: tell, approve: { by: [ana] } }
    expect: { status: completed }
",
    ),
    (
        "authentication",
        "tests: [{ name: every way of asking, decisions: [approve], expect: { status: completed } }]\n",
    ),
    (
        "outputs",
        "tests:
  - name: what a schema declares is read
    answers:
      - { url: 'https://api.example.com/items', status: 200, body: { id: a, tags: [B] } }
    decisions: [approve, approve, approve]
    events:
      - { after: PT1M, event: { type: a, data: { n: 1 } } }
      - { after: PT2M, event: { type: end } }
    expect: { status: completed }
",
    ),
    (
        "three-reads",
        "integrations: { ops-slack: slack }\ntests: [{ name: three reads, expect: { status: completed } }]\n",
    ),
];
/// Examples that no dry run can run, and what it says of them.
const CANNOT: [(&str, &str); 2] = [
    // the description of its API is fetched from its host, and the sandbox fetches nothing
    ("openapi", "nothing is fetched in sandbox mode"),
    // so is the schema of its input
    ("resources", "nothing is fetched in sandbox mode"),
];

/// How a command is kept from the network, and watched.
struct Cage {
    /// Words before the command; none where the kernel allows no network namespace.
    shut: Vec<&'static str>,
    strace: Option<PathBuf>,
}

impl Cage {
    fn new(test: &str) -> Self {
        let allowed = |words: &[&str]| {
            let tried =
                Command::new("unshare").args(words).arg("true").stderr(Stdio::null()).status();
            tried.is_ok_and(|status| status.success())
        };
        let shut = match (allowed(&["-rn"]), allowed(&["-n"])) {
            (true, _) => vec!["unshare", "-rn"],
            (false, true) => vec!["unshare", "-n"],
            (false, false) => {
                eprintln!("skipped: the namespace of {test} (the kernel refuses one)");
                vec![]
            }
        };
        Self { shut, strace: strace_or_skip(test) }
    }

    /// Runs placet without a network; the connects that it tried to anything but files.
    fn run(&self, project: &Project, args: &[&str]) -> (Finished, Vec<String>) {
        let log = project.dir().join("connects.log");
        let strace = self.strace.as_ref().map(|strace| strace.display().to_string());
        let mut words: Vec<&str> = self.shut.clone();
        if let Some(strace) = &strace {
            words.extend([
                strace.as_str(),
                "-f",
                "-qq",
                "-e",
                "trace=connect",
                "-o",
                "connects.log",
            ]);
        }
        words.push(PLACET);
        words.extend(args);
        let finished = Placet::new(words[0], project).args(words[1..].iter().copied()).run();
        let lines = std::fs::read_to_string(log).unwrap_or_default();
        let out = lines.lines().filter(|line| line.contains("AF_INET")).map(str::to_owned);
        (finished, out.collect())
    }

    fn dry_run(&self, project: &Project, (file, input): (&Path, &str)) -> Value {
        let file = file.display().to_string();
        let args = ["run", &file, "--input", input, "--approve", "auto", "--json"];
        let (finished, connects) = self.run(project, &args);
        assert_eq!(connects, Vec::<String>::new(), "{file}");
        let report: Value = serde_json::from_str(finished.stdout.trim()).unwrap_or_else(|error| {
            panic!("{file}: {error}\n{}\n{}", finished.stdout, finished.stderr)
        });
        report
    }
}

#[test]
fn every_operation_of_every_provider_runs_with_nothing_set_up_and_nothing_leaves() {
    let cage =
        Cage::new("every_operation_of_every_provider_runs_with_nothing_set_up_and_nothing_leaves");
    let inputs = every::inputs(&Adapters::shipped(), &fixture(""));
    let project = Project::new().with("all.yaml", &every::workflow(&inputs).to_string());
    let report = cage.dry_run(&project, (&project.dir().join("all.yaml"), "{}"));
    assert_eq!(report["status"], "completed", "{}", report["error"]);
    let (completed, failed) = every::called(&report, &inputs);
    assert_eq!(failed, Vec::<&str>::new());
    assert_eq!(completed, inputs.len(), "each one was called");
    println!("{completed} operations ran with nothing set up, 0 connects");
}

/// The examples as workflows of a project that has nothing but a name, and one that runs each of them.
fn examples() -> Project {
    let mut project = Project::new().with("placet.toml", "project = \"acme\"\n");
    let mut steps = vec![];
    for (name, input, _) in EXAMPLES {
        let file =
            ["yaml", "json"].map(|ending| fixture("workflows/ok").join(format!("{name}.{ending}")));
        let file = file.into_iter().find(|file| file.is_file()).expect("an example");
        let text = std::fs::read_to_string(&file).expect("text");
        let plan = fixture("workflows/ok").join(format!("{name}.plan.json"));
        let plan = std::fs::read_to_string(plan).expect("its plan");
        let plan: Value = serde_json::from_str(&plan).expect("JSON");
        let mut workflow = plan["workflow"].clone();
        assert!(workflow["name"].is_string(), "{name}: {workflow}");
        workflow["input"] = serde_json::from_str(input).expect("JSON");
        project = project.with(&format!("workflows/{name}.yaml"), &text);
        let failed = json!({"do": [{format!("failed-{name}"): {"set": {"failed": true}}}]});
        let run = json!({"run": {"workflow": workflow}});
        steps.push(json!({format!("try-{name}"): {"try": [{name: run}], "catch": failed}}));
    }
    for path in FUNCTIONS {
        let text = std::fs::read_to_string(fixture("workflows/ok").join(path)).expect("text");
        project = project.with(path, &text);
    }
    for (name, version) in CHILDREN {
        let text = format!(
            "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: '{version}' }}\n\
             do: [{{ keep: {{ set: {{ done: true }} }} }}]\n"
        );
        project = project.with(&format!("workflows/{name}.yaml"), &text);
    }
    let document = json!({"dsl": "1.0.3", "namespace": "ops", "name": "all", "version": "1.0.0"});
    project.with("all.yaml", &json!({"document": document, "do": steps}).to_string())
}

/// All of them in one process, which is all that is shared: each is a run of its own.
#[test]
fn every_example_runs_with_nothing_set_up_and_nothing_leaves() {
    let cage = Cage::new("every_example_runs_with_nothing_set_up_and_nothing_leaves");
    let project = examples();
    let report = cage.dry_run(&project, (&project.dir().join("all.yaml"), "{}"));
    assert_eq!(report["status"], "completed", "{}", report["error"]);
    let trace = report["trace"].as_array().expect("a trace");
    for (name, _, ends) in EXAMPLES {
        let entry = trace.iter().find(|entry| entry["name"] == name).expect("it was run");
        assert_eq!(entry["status"], ends, "{name}: {}", entry["error"]);
    }
    // what `placet init` writes, as its last lines say
    let project = Project::new();
    let said = Placet::new(PLACET, &project).args(["init", "mine"]).run().expect_code(0);
    assert!(said.stderr.contains("placet run mine/workflows/slack-notify.yaml"), "{}", said.stderr);
    let notify = project.dir().join("mine/workflows/slack-notify.yaml");
    let report = cage.dry_run(&project, (&notify, r#"{"channel": "C0SALES", "text": "Hello"}"#));
    assert_eq!(report["status"], "completed", "{}", report["error"]);
    let (tested, connects) = cage.run(&project, &["test", "mine"]);
    assert_eq!(connects, Vec::<String>::new(), "its tests");
    assert!(tested.expect_code(0).stdout.contains("5 passed"), "all of its tests");
    println!("{} examples, the project of init and its tests: 0 connects", EXAMPLES.len());
}

#[test]
fn every_other_example_runs_in_a_project_that_has_what_it_names_or_says_why_it_cannot() {
    let name = "every_other_example_runs_in_a_project_that_has_what_it_names_or_says_why_it_cannot";
    let (cage, folder) = (Cage::new(name), fixture("workflows/ok"));
    let config = "project = \"acme\"\n[egress]\nread_hosts = [\"a.example\", \"login.example\", \"api.example.com\"]\n";
    let people = "groups: { sales-leads: [ana, ben], others: [cho] }\n";
    let mut project = Project::new().with("placet.toml", config).with("policy.yaml", people);
    for (name, test) in IN_A_PROJECT {
        let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).expect("text");
        let test = format!("workflow: ../workflows/{name}.yaml\n{test}");
        project = project
            .with(&format!("workflows/{name}.yaml"), &text)
            .with(&format!("tests/{name}.test.yaml"), &test);
    }
    let (tested, connects) = cage.run(&project, &["test", "."]);
    assert_eq!(connects, Vec::<String>::new(), "their tests");
    let words = format!("{} passed", IN_A_PROJECT.len());
    let tested = tested.expect_code(0);
    assert!(tested.stdout.contains(&words), "{}", tested.stdout);
    for (name, words) in CANNOT {
        let file = folder.join(format!("{name}.yaml")).display().to_string();
        let (refused, connects) = cage.run(&project, &["run", &file, "--approve", "auto"]);
        assert_eq!(connects, Vec::<String>::new(), "{name}");
        let refused = refused.expect_code(2);
        assert!(refused.stderr.contains(words), "{name}: {}", refused.stderr);
    }
    // nothing else is there
    let known = EXAMPLES.iter().map(|(name, ..)| *name);
    let known = known.chain(IN_A_PROJECT.iter().chain(&CANNOT).map(|(name, _)| *name));
    let known: Vec<&str> = known.collect();
    for file in std::fs::read_dir(&folder).expect("examples") {
        let file = file.expect("a file").path();
        if file.is_dir() {
            continue;
        }
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.trim_end_matches(".plan");
        assert!(known.contains(&name), "{name} is an example that nobody runs");
    }
}

/// The same watch sees a command that connects: its silence elsewhere means something.
#[test]
fn the_watch_sees_a_command_that_connects() {
    let cage = Cage::new("the_watch_sees_a_command_that_connects");
    let ask = ["inbox", "list", "--server", "http://127.0.0.1:9"];
    let (refused, connects) = cage.run(&Project::new(), &ask);
    drop(refused.expect_code(1));
    assert!(cage.strace.is_none() || !connects.is_empty(), "{connects:?}");
}
