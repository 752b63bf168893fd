//! What `GET /metrics` tells, and what is built on its names: the reference page, the dashboard, the
//! alert rules.

use crate::http::Ask;
use crate::world::{World, start, with_workflow};
use placet_server::{metric_names, metrics_reference};
use placet_test_support::dirs::fixture;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The samples, each under its name and labels.
async fn told(world: &World) -> BTreeMap<String, f64> {
    let answer = world.get("/metrics").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    samples.collect()
}

/// Below the top of the repository.
fn file(path: &str) -> PathBuf {
    fixture("").join("..").join(path)
}

#[tokio::test]
async fn a_run_that_waits_and_then_sends_is_counted_at_each_step() {
    let mut world = with_workflow().await;
    let (run, card) = world.waiting().await;
    let waits = told(&world).await;
    for (name, count) in [
        ("placet_runs{status=\"waiting\"}", 1.0),
        ("placet_runs_started_total{mode=\"sandbox\"}", 1.0),
        ("placet_decisions_open", 1.0),
        ("placet_decisions_asked_total", 1.0),
        ("placet_decision_seconds_count", 0.0),
        ("placet_integrations{status=\"active\"}", 1.0),
        ("placet_projection_lag_events", 0.0),
    ] {
        assert_eq!(waits.get(name), Some(&count), "{name}: {waits:#?}");
    }
    assert!(!waits.keys().any(|name| name.starts_with("placet_sends_total")), "{waits:#?}");
    assert!(waits["placet_log_fdatasyncs_total"] >= waits["placet_log_commit_seconds_count"]);

    let decision = card["id"].as_str().unwrap();
    let vote = json!({"verdict": "approve", "digest": card["digest"]});
    let path = format!("/api/v1/decisions/{decision}/votes");
    world.post_as("approver", &path, &vote).await.ok();
    world.finished(&run).await;
    let sent = told(&world).await;
    for (name, count) in [
        ("placet_runs{status=\"waiting\"}", 0.0),
        ("placet_runs_ended_total{status=\"completed\"}", 1.0),
        ("placet_decisions_open", 0.0),
        ("placet_decisions_settled_total{settlement=\"approved\"}", 1.0),
        ("placet_decision_seconds_count", 1.0),
        ("placet_attempts_total{provider=\"slack\",mode=\"sandbox\",outcome=\"succeeded\"}", 1.0),
        ("placet_sends_total{provider=\"slack\",mode=\"sandbox\"}", 1.0),
        ("placet_in_doubt", 0.0),
    ] {
        assert_eq!(sent.get(name), Some(&count), "{name}: {sent:#?}");
    }
    assert!(sent["placet_log_commit_seconds_count"] > waits["placet_log_commit_seconds_count"]);
    assert!(sent["placet_http_requests_total{class=\"2xx\"}"] > 5.0);
    let text = format!("{sent:?}");
    for id in [run.as_str(), decision] {
        assert!(!text.contains(id), "an id is a label");
    }
}

#[tokio::test]
async fn metrics_are_told_to_those_who_read_the_project_and_to_nobody_else() {
    let world = start().await;
    Ask::new("GET", "/metrics").send(world.server).await.is_problem(401, "PL4004");
    world.get_as("agent", "/metrics").await.is_problem(403, "PL4005");
    world.get_as("nobody", "/metrics").await.is_problem(403, "PL3004");
    assert_eq!(world.get_as("auditor", "/metrics").await.status, 200);
}

#[tokio::test]
async fn what_is_told_is_what_is_documented() {
    let world = start().await;
    let answer = world.get("/metrics").await;
    let types = answer.body.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let told: BTreeSet<String> = types.map(str::to_owned).collect();
    let documented = metric_names().map(|(name, kind)| format!("{name} {kind}"));
    assert_eq!(told, documented.collect::<BTreeSet<_>>());
}

#[test]
fn the_reference_page_is_what_the_program_says() {
    let file = file("docs/reference/metrics.md");
    if std::env::var_os("PLACET_WRITE_GOLDENS").is_some() {
        std::fs::write(&file, metrics_reference()).unwrap();
    }
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page == metrics_reference(), "write {} with PLACET_WRITE_GOLDENS=1", file.display());
}

/// The names of ours in a query, without the endings of a spread's parts.
fn names(query: &str) -> BTreeSet<String> {
    let of_a_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = query.split(|letter| !of_a_name(letter));
    let ours = words.filter(|word| word.starts_with("placet_") || word.starts_with("process_"));
    let spread: BTreeSet<&str> =
        metric_names().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name).collect();
    let whole = |word: &str| {
        let parts = ["_bucket", "_sum", "_count"].iter();
        let mut bases = parts.filter_map(|ending| word.strip_suffix(ending));
        bases.find(|base| spread.contains(base)).unwrap_or(word).to_owned()
    };
    ours.map(whole).collect()
}

/// Holds that every query asks for something, and only for what there is.
fn check(place: &str, queries: &[String]) {
    let known: BTreeSet<String> = metric_names().map(|(name, _)| name.to_owned()).collect();
    for query in queries {
        let names = names(query);
        let unknown: Vec<_> = names.difference(&known).collect();
        assert!(unknown.is_empty(), "{place}: {query} asks for {unknown:?}");
        let own = !names.is_empty() || query.starts_with("up{");
        assert!(own, "{place}: {query} asks for nothing of ours");
    }
}

#[test]
fn every_query_of_the_dashboard_names_a_documented_metric() {
    let text = std::fs::read_to_string(file("deploy/grafana/placet.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let charts: Vec<&Value> = panels.iter().filter(|panel| panel["type"] != "row").collect();
    let queries: Vec<String> = charts
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect();
    assert!(charts.len() > 15 && queries.len() >= charts.len());
    check("the dashboard", &queries);
    let asked: BTreeSet<String> = queries.iter().flat_map(|query| names(query)).collect();
    let known: BTreeSet<String> = metric_names().map(|(name, _)| name.to_owned()).collect();
    let unseen: Vec<_> = known.difference(&asked).collect();
    assert_eq!(unseen, ["placet_build_info"], "what is told can be seen");
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
}

#[test]
fn every_alert_names_a_documented_metric_and_says_what_to_do() {
    let text = std::fs::read_to_string(file("deploy/prometheus/alerts.yaml")).unwrap();
    let rules: Vec<&str> = text.split("- alert: ").skip(1).collect();
    assert!(rules.len() > 10);
    let queries: Vec<String> = rules
        .iter()
        .map(|rule| {
            let (_, from) = rule.split_once("expr:").expect("a query");
            let end = from.find("\n        for:").or_else(|| from.find("\n        labels:"));
            from[..end.expect("labels")].trim().trim_start_matches('|').trim().to_owned()
        })
        .collect();
    check("the alert rules", &queries);
    for rule in rules {
        assert!(rule.contains("summary: ") && rule.contains("description: "), "{rule}");
    }
}
