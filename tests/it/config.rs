//! For the operator: `placet.toml` with the environment over it, as `placet check` tells it and as the engine takes it.

use crate::kit::placet;
use placet_language::project_keys;
use placet_test_support::dirs::Project;
use serde_json::Value;

fn project(config: &str) -> Project {
    Project::new().with("placet.toml", config)
}

#[test]
fn check_tells_which_variable_takes_the_place_of_what() {
    let project = project("[limits]\nsteps_max = 50\n");
    let checked = placet(&project)
        .args(["check", "placet.toml"])
        .env("PLACET_LIMITS_STEPS_MAX", "70")
        .env("PLACET_EGRESS_ALLOW", "127.0.0.1:9000, [::1]:9000")
        .env("PLACET_NATS_URL", "nats://user:hunter2@127.0.0.1:4222")
        .env("PLACET_LIMITS_CALL_MS_MAX", "")
        .run()
        .expect_code(0);
    for line in [
        "PLACET_LIMITS_STEPS_MAX: limits.steps_max is 70, not 50",
        "PLACET_EGRESS_ALLOW: egress.allow is [\"127.0.0.1:9000\",\"[::1]:9000\"], not []",
        "PLACET_NATS_URL: nats.url is set, not unset",
        "1 file checked, no errors",
    ] {
        assert!(checked.stderr.lines().any(|told| told == line), "{line}\n{}", checked.stderr);
    }
    assert!(!checked.stderr.contains("hunter2") && !checked.stderr.contains("CALL_MS"));
}

#[test]
fn a_bad_value_names_its_variable_beside_every_mistake_of_the_file() {
    let project = project("[limits]\nsteps_max = 0\n[egres]\n");
    let check = placet(&project).args(["check", ".", "--json"]).env("PLACET_SERVE_MODE", "lve");
    let found = check.env("PLACET_LIMITS_STEPMAX", "5").run().expect_code(1).json();
    let found: Vec<(&str, &str, &str)> = found
        .as_array()
        .expect("a list")
        .iter()
        .map(|found| {
            let text = |key: &str| found[key].as_str().expect("a text");
            (text("file"), text("severity"), text("help"))
        })
        .collect();
    let expected = [
        ("placet.toml", "error", "choose a number within these bounds"),
        ("placet.toml", "error", "did you mean `egress`?"),
        ("PLACET_SERVE_MODE", "error", "did you mean `live`?"),
        ("PLACET_LIMITS_STEPMAX", "warning", "did you mean `PLACET_LIMITS_STEPS_MAX`?"),
    ];
    assert_eq!(found, expected);
    // and nothing starts with it
    let refused =
        placet(&project).args(["dev", ".", "--listen", "127.0.0.1:0"]).run().expect_code(2);
    assert!(refused.stderr.contains("placet.toml cannot be used"), "{}", refused.stderr);
}

#[test]
fn a_variable_holds_where_the_file_says_otherwise() {
    let step = |n: u8| format!("  - s{n}: {{ set: {{ n: {n} }} }}\n");
    let steps: String = (1..=5).map(step).collect();
    let head = "document: { dsl: '1.0.3', namespace: test, name: five, version: '1.0.0' }\ndo:\n";
    let project = project("[limits]\nsteps_max = 2\n").with("five.yaml", &format!("{head}{steps}"));
    let input = ["--input", "{}", "--json"];
    let run = |steps: &str| {
        let run = placet(&project).args(["run", "five.yaml"]).args(input);
        run.env("PLACET_LIMITS_STEPS_MAX", steps).run()
    };
    assert_eq!(run("7").expect_code(0).json()["status"], "completed");
    let few: Value = run("3").expect_code(1).json();
    assert_eq!(few["status"], "faulted", "{few}");
}

#[test]
fn the_schema_of_the_file_is_the_published_one() {
    let published = placet_schemas::embedded(placet_schemas::PROJECT).expect("it is published");
    let project = project("");
    let printed = placet(&project).args(["check", "--schema=project"]).run().expect_code(0);
    assert_eq!(printed.stdout.trim(), published.trim());
}

/// `| key | means | default | variable |` for each key, in their order.
fn table() -> String {
    let row = |key: &placet_language::Key| {
        let default = match key.default() {
            Value::Null => String::new(),
            value => format!("`{value}`"),
        };
        let variable = format!("PLACET_{}", key.path.replace('.', "_").to_uppercase());
        format!("| `{}` | {} | {default} | `{variable}` |\n", key.path, key.about)
    };
    let rows: String = project_keys().map(row).collect();
    format!("| key | what it decides | default | variable |\n| --- | --- | --- | --- |\n{rows}")
}

#[test]
fn the_table_of_the_readme_holds_every_key_with_its_default_and_variable() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let readme = readme.expect("there is a README");
    assert!(readme.contains(&table()), "the README must hold\n{}", table());
}

#[test]
fn check_says_which_channel_leads_nowhere_before_an_engine_would() {
    let channel = |operation: &str, integration: &str| {
        format!(
            "[channels.ops]\nto = [\"author\"]\noperation = \"{operation}\"\nintegration = \"{integration}\"\n\
             with = {{ channel = \"D0OPS\", text = \"{{text}}\" }}\n"
        )
    };
    for (operation, integration, code, severity) in [
        ("slack.chat.postMessage", "slack", 0, None),
        ("slack.chat.post", "slack", 1, Some("error")),
        ("slack.users.list", "slack", 1, Some("error")),
        ("slack.chat.postMessage", "gmail", 1, Some("error")),
        ("slack.chat.postMessage", "ops-slack", 0, Some("warning")),
    ] {
        let project = project(&channel(operation, integration));
        let check = placet(&project).args(["check", "placet.toml", "--json"]);
        let found = check.run().expect_code(code).json();
        let found = found.as_array().expect("a list");
        let told: Vec<_> = found.iter().map(|one| (&one["code"], &one["severity"])).collect();
        let expected = severity.map(|severity| (Value::from("PL2415"), Value::from(severity)));
        let expected: Vec<_> = expected.iter().map(|(code, severity)| (code, severity)).collect();
        assert_eq!(told, expected, "{operation} {integration}");
    }
}
