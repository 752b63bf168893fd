//! For authors: documents that a workflow names, from files of the project and from a server, and what is said when one
//! cannot be had.

use crate::kit::{Dev, placet};
use placet_test_support::dirs::Project;
use placet_test_support::provider::{Answer, Behaviour, Provider};
use serde_json::{Value, json};

const AT: &str = "/docs/pets.json";

/// A workflow that adds a pet by the API of this document.
fn workflow(document: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: ops, name: pets, version: '1.0.0' }}\n\
         do:\n  - add:\n      call: openapi\n      with:\n\
         \x20       document: {{ endpoint: '{document}' }}\n\
         \x20       operationId: addPet\n        parameters: {{ body: {{ name: rex }} }}\n\
         \x20     metadata: {{ approval: {{ approvers: [approver] }} }}\n"
    )
}

/// The document of an API at this URL.
fn api(server: &str) -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Pets", "version": "1"},
        "servers": [{"url": server}],
        "paths": {"/pets": {"post": {
            "operationId": "addPet",
            "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
            "responses": {"200": {"description": "added"}},
        }}},
    })
}

/// Serves the document once, and takes one pet.
fn served() -> Provider {
    let provider = Provider::start();
    let document = Answer::json(&api(&provider.url("/v1")));
    provider.next_for(AT, Behaviour::Answer(document));
    provider.next_for("/v1/pets", Behaviour::Answer(Answer::json(&json!({"id": 7}))));
    provider
}

fn pets(provider: &Provider) -> Vec<Option<Value>> {
    provider
        .received_at("/v1/pets")
        .iter()
        .map(placet_test_support::provider::Received::json)
        .collect()
}

#[test]
fn a_live_run_fetches_the_document_and_sends_what_its_operation_says() {
    let provider = served();
    let project = Project::new().with("pets.yaml", &workflow(&provider.url(AT)));
    let allow = provider.host_port();
    let args = ["run", "pets.yaml", "--mode", "live", "--approve", "auto", "--json"];
    let run = placet(&project).args(args).args(["--egress-allow", &allow]).run();
    let report = run.expect_code(0).json();
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(report["output"], json!({"id": 7}));
    assert_eq!(provider.received_at(AT).len(), 1);
    assert_eq!(pets(&provider), [Some(json!({"name": "rex"}))]);
}

#[test]
fn a_file_of_the_project_serves_check_and_a_dry_run() {
    let project = Project::new()
        .with("placet.toml", "")
        .with("api/pets.json", &api("https://pets.example/v1").to_string())
        .with("workflows/pets.yaml", &workflow("api/pets.json"));
    let checked = placet(&project).args(["check", "workflows/pets.yaml", "--json"]).run();
    assert_eq!(checked.expect_code(0).json(), json!([]));
    let args = ["run", "workflows/pets.yaml", "--approve", "auto", "--json"];
    let report = placet(&project).args(args).run().expect_code(0).json();
    let sent = &report["trace"][0]["would_have_sent"];
    assert_eq!(sent["url"], "https://pets.example/v1/pets", "{report:#}");
    assert_eq!(sent["body"], json!({"name": "rex"}));
}

#[test]
fn in_sandbox_mode_a_document_at_a_url_is_refused_and_nobody_is_asked() {
    let provider = served();
    let project = Project::new().with("pets.yaml", &workflow(&provider.url(AT)));
    let allow = provider.host_port();
    let run = placet(&project).args(["run", "pets.yaml", "--egress-allow", &allow]).run();
    let said = run.expect_code(2).stderr;
    assert!(said.contains("error[PL2102]") && said.contains("pets.yaml:6:"), "{said}");
    assert!(said.contains("nothing is fetched in sandbox mode"), "{said}");
    assert!(said.contains("name it as a file"), "{said}");
    // a check says that it has not looked
    let found = placet(&project).args(["check", "pets.yaml", "--json"]).run().expect_code(0);
    assert_eq!(found.json()[0]["severity"], "warning");
    assert_eq!(provider.received().len(), 0);
}

#[test]
fn a_document_that_is_not_in_the_project_is_an_error_with_its_place() {
    let project = Project::new()
        .with("secret.json", "{}")
        .with("p/placet.toml", "")
        .with("p/gone.yaml", &workflow("api/gone.json"))
        .with("p/out.yaml", &workflow("api/out.json"))
        .with("p/api/text.json", "[")
        .with("p/text.yaml", &workflow("api/text.json"));
    let outside = project.dir().join("secret.json");
    std::os::unix::fs::symlink(outside, project.dir().join("p/api/out.json")).expect("a link");
    for (name, words) in [
        ("gone", "api/gone.json cannot be read"),
        ("out", "api/out.json leads out of the project's folder"),
        ("text", "neither JSON nor YAML"),
    ] {
        let file = format!("p/{name}.yaml");
        let found = placet(&project).args(["check", &file, "--json"]).run().expect_code(1).json();
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!((&found[0]["code"], &found[0]["line"]), (&json!("PL2102"), &json!(6)));
        let message = found[0]["message"].as_str().expect("a message");
        assert!(message.contains(words), "{message}");
        drop(placet(&project).args(["run", &file]).run().expect_code(2));
    }
}

#[test]
fn a_deploy_fetches_the_document_and_is_refused_while_it_is_missing() {
    let provider = Provider::start();
    provider.next_for(AT, Behaviour::refuse(404, &json!({})));
    let project = Project::new().with("placet.toml", "");
    let allow = provider.host_port();
    let dev = Dev::start(&project, &["--mode", "live", "--egress-allow", &allow]);
    project.write("next/workflows/pets.yaml", &workflow(&provider.url(AT)));
    let refused = dev.command("author", &["deploy", "next"]).run().expect_code(1).stderr;
    assert!(refused.contains("error[PL2102]") && refused.contains("status 404"), "{refused}");

    let document = Answer::json(&api(&provider.url("/v1")));
    provider.next_for(AT, Behaviour::Answer(document));
    provider.next_for("/v1/pets", Behaviour::Answer(Answer::json(&json!({"id": 7}))));
    let done = dev.command("author", &["deploy", "next"]).run().expect_code(0);
    assert!(done.stdout.starts_with("new       ops/pets@1.0.0"), "{}", done.stdout);
    let started = dev.command("author", &["start", "ops/pets"]).run().expect_code(0);
    let watch = dev.command("author", &["runs", "watch", started.stdout.trim()]).start();
    drop(watch.stdout_line(|line| line.contains("DecisionRequested")));
    let item = dev.item("approver");
    let decision = item["id"].as_str().expect("a decision");
    drop(dev.command("approver", &["inbox", "approve", decision]).run().expect_code(0));
    drop(watch.stdout_line(|line| line.contains("RunCompleted")));
    assert_eq!(pets(&provider), [Some(json!({"name": "rex"}))]);
}

#[test]
fn a_deploy_takes_files_along_and_dev_deploys_them_by_itself() {
    let document = api("https://pets.example/v1").to_string();
    let project = Project::new()
        .with("placet.toml", "")
        .with("api/pets.json", &document)
        .with("workflows/pets.yaml", &workflow("api/pets.json"));
    let dev = Dev::start(&project, &[]);
    drop(dev.running.stderr_line(|line| line.starts_with("new       ops/pets@1.0.0")));
    project.write("next/pets.yaml", &workflow("./api/pets.json").replace("1.0.0", "1.1.0"));
    let done = dev.command("author", &["deploy", "next/pets.yaml"]).run().expect_code(0);
    assert!(done.stdout.starts_with("changed   ops/pets@1.1.0"), "{}", done.stdout);
    project.write("next/gone.yaml", &workflow("api/gone.json"));
    let gone = dev.command("author", &["deploy", "next/gone.yaml"]).run().expect_code(2);
    assert!(gone.stderr.contains("gone.yaml:6:"), "{}", gone.stderr);
    assert!(gone.stderr.contains("api/gone.json cannot be read"), "{}", gone.stderr);
}

#[test]
fn a_test_reads_files_and_fetches_nothing() {
    let provider = served();
    let tests = "workflow: ../workflows/pets.yaml\ntests:\n  - name: one pet\n    decisions: [approve]\n    \
                 expect: { status: completed, sent: [{ method: POST, body: { name: rex } }] }\n";
    let project = Project::new()
        .with("placet.toml", "")
        .with("api/pets.json", &api("https://pets.example/v1").to_string())
        .with("workflows/pets.yaml", &workflow("api/pets.json"))
        .with("tests/pets.test.yaml", tests);
    let passed = placet(&project).args(["test", "--json"]).run().expect_code(0).json();
    assert_eq!(passed["files"][0]["tests"][0]["status"], "passed", "{passed}");
    project.write("workflows/pets.yaml", &workflow(&provider.url(AT)));
    let refused = placet(&project).args(["test"]).run();
    assert_ne!(refused.code, Some(0));
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("a test fetches nothing"), "{said}");
    assert_eq!(provider.received().len(), 0);
}

const STAMPED: &str = "document: { dsl: '1.0.3', namespace: ops, name: stamped, version: '1.0.0' }
use: { catalogs: { shared: { endpoint: catalog } } }
do:
  - stamp: { call: 'stamp:1.0.0@shared', with: { text: Hello } }
";
const STAMP: &str = "catalog/functions/stamp/1.0.0/function.yaml";

/// A function of a catalog that calls one of another: both are files of the project.
#[test]
fn functions_of_catalogs_are_files_of_the_project_and_part_of_the_plan() {
    let says = |word: &str| format!("set: {{ said: '${{ .text + \"{word}\" }}' }}\n");
    let project = Project::new()
        .with("placet.toml", "project = \"acme\"\n")
        .with("workflows/stamped.yaml", STAMPED)
        .with(STAMP, "do: [{ say: { call: 'say:2.0.0@default', with: { text: '${ .text }' } } }]\n")
        .with("functions/say/2.0.0/function.yaml", &says("!"));
    let checked = placet(&project).args(["check", ".", "--json"]).run();
    assert_eq!(checked.expect_code(0).json(), json!([]));
    let run = ["run", "workflows/stamped.yaml", "--json"];
    let report = placet(&project).args(run).run().expect_code(0).json();
    assert_eq!(report["output"], json!({"said": "Hello!"}), "{report:#}");
    drop(placet(&project).args(["graph", "workflows/stamped.yaml"]).run().expect_code(0));

    // a deploy takes the files along; what runs is what was deployed, and another text of one is another plan
    let dev = Dev::start(&project, &[]);
    drop(dev.running.stderr_line(|line| line.starts_with("new       ops/stamped@1.0.0")));
    project.write("functions/say/2.0.0/function.yaml", &says("?"));
    project.write("next/stamped.yaml", &STAMPED.replace("1.0.0' }\nuse", "1.1.0' }\nuse"));
    let done = dev.command("author", &["deploy", "next/stamped.yaml"]).run().expect_code(0);
    assert!(done.stdout.starts_with("changed   ops/stamped@1.1.0"), "{}", done.stdout);
    for (version, said) in [("1.0.0", "Hello!"), ("1.1.0", "Hello?")] {
        let name = format!("ops/stamped@{version}");
        let started = dev.command("author", &["start", &name, "--json"]).run().expect_code(0);
        let run = started.json()["run"].as_str().expect("a run").to_owned();
        drop(dev.command("author", &["runs", "watch", &run]).run().expect_code(0));
        let show = dev.command("author", &["runs", "show", &run, "--json"]).run().expect_code(0);
        assert_eq!(show.json()["output"], json!({ "said": said }), "{name}");
    }
}

#[test]
fn a_function_that_is_not_in_the_project_is_an_error_at_its_call() {
    let project = Project::new()
        .with("outside.yaml", "set: { a: 1 }\n")
        .with("p/placet.toml", "")
        .with("p/catalog/functions/.keep", "")
        .with("p/workflows/stamped.yaml", STAMPED);
    let check = || {
        let found = placet(&project).args(["check", "p/workflows/stamped.yaml", "--json"]).run();
        found.expect_code(1).json()
    };
    let told = |found: &Value| {
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!((&found[0]["code"], &found[0]["line"]), (&json!("PL2102"), &json!(4)));
        found[0]["message"].as_str().expect("a message").to_owned()
    };
    assert!(told(&check()).contains("which does not exist"));
    let folder = project.dir().join("p/catalog/functions/stamp/1.0.0");
    std::fs::create_dir_all(&folder).expect("a folder");
    let outside = project.dir().join("outside.yaml");
    std::os::unix::fs::symlink(outside, folder.join("function.yaml")).expect("a link");
    assert!(told(&check()).contains("leads out of the project's folder"));
    // what a function says is checked as well, and told with its own place
    std::fs::remove_file(folder.join("function.yaml")).expect("the link goes");
    std::fs::write(folder.join("function.yaml"), "set: { a: '${ .b | }' }\n").expect("written");
    let words = check()[0]["message"].as_str().expect("a message").to_owned();
    assert!(words.starts_with("catalog/functions/stamp/1.0.0/function.yaml:1:"), "{words}");
}
