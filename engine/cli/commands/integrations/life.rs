//! What is said of an integration's life: its test, its scopes, what depends on it.

use super::path;
use crate::exit::{Exit, invalid};
use crate::link::{Link, encoded};
use crate::out::{self, Stream, Tone, visible};
use anyhow::Result;
use serde_json::{Value, json};
use std::io::{BufRead as _, IsTerminal as _};

/// One integration, as a page.
pub(super) async fn show(link: &Link, name: &str, json: bool) -> Result<()> {
    let answer = link.get(&format!("/api/v1/integrations/{}", encoded(name))).await?;
    if json { out::json(&answer) } else { page(&answer) }
}

/// What is connected now, and what comes next.
pub(super) fn connected(answer: &Value) -> Result<()> {
    page(answer)?;
    let name = word(&answer["name"]);
    out::say("next:");
    if answer["hook"].is_object() {
        let words = if answer["hook"]["believed"] == true {
            format!(
                "enter {} at the provider: what it posts comes there",
                word(&answer["hook"]["url"])
            )
        } else {
            format!(
                "to hear replies: connect it again with --credential {}=env:VARIABLE too",
                word(&answer["hook"]["proof"])
            )
        };
        out::say(&format!("  {words}"));
    }
    out::say(&format!("  placet integrations test {name}"));
    out::say("  placet deploy .");
    Ok(())
}

fn page(answer: &Value) -> Result<()> {
    let mut status = word(&answer["status"]);
    if let Some(reason) = answer["reason"].as_str() {
        status = format!("{status}: {}", visible(reason));
    }
    let tested = match (answer["tested_at"].as_str(), answer["tested_ok"].as_bool()) {
        (Some(at), Some(true)) => format!("{at}, good"),
        (Some(at), _) => format!("{at}, refused"),
        (None, _) => "never".to_owned(),
    };
    let default = if answer["is_default"] == true { " (default)" } else { "" };
    let mut rows = vec![
        pair("name", format!("{}{default}", word(&answer["name"]))),
        pair("provider", word(&answer["provider"])),
        pair("status", status),
        pair("acts as", account(&answer["identity"])),
        pair("label", word(&answer["label"])),
        pair("used in", scope_words(&answer["used_in"])),
        pair("credential", credential(answer)),
        pair("tested", tested),
    ];
    rows.extend(hears(answer));
    rows.extend(starts_runs(answer));
    rows.extend(super::pair::row(answer));
    rows.extend(super::complete::pending(answer, &word(&answer["name"])));
    rows.extend(warnings(answer));
    rows.extend(drift(answer));
    rows.extend(features(answer));
    out::rows(2, &rows)
}

/// What has ended by itself, a line each.
fn warnings(answer: &Value) -> Vec<Vec<String>> {
    let line = |warning: &Value| {
        let of = match word(&warning["resource"]) {
            resource if resource.is_empty() => String::new(),
            resource => format!(" of {resource}"),
        };
        let why = warning["reason"]
            .as_str()
            .map_or_else(String::new, |why| format!(" ({})", visible(why)));
        let (since, name) = (word(&warning["since"]), word(&answer["name"]));
        let words = format!(
            "the subscription{of} ended on {since} and was not renewed{why}: nothing comes in until `placet integrations hooks {name} on`"
        );
        pair("warning", words)
    };
    answer["warnings"].as_array().into_iter().flatten().map(line).collect()
}

/// What comes in, and whether it is believed.
fn hears(answer: &Value) -> Option<Vec<String>> {
    let hook = &answer["hook"];
    let url = hook["url"].as_str()?;
    let words = if hook["believed"] == true {
        format!("{} at {}", texts(&hook["events"]), visible(url))
    } else {
        format!("nothing: its credential has no {}", word(&hook["proof"]))
    };
    Some(pair("hears", words))
}

/// Which of its events may start runs, where it has any that could.
fn starts_runs(answer: &Value) -> Option<Vec<String>> {
    let triggers = answer["triggers"].as_array().filter(|triggers| !triggers.is_empty())?;
    let on = triggers.iter().filter(|one| one["state"] == "on");
    let on: Vec<String> = on.map(|one| word(&one["event"])).collect();
    let words = if on.is_empty() { "none of its events".to_owned() } else { on.join(", ") };
    Some(pair("starts runs", words))
}

/// Asks the provider, and says what came of it.
pub(super) async fn test(link: &Link, name: &str, json: bool) -> Result<Exit> {
    let answer = link.post(&path(name, "test"), &json!({})).await?;
    let ok = answer["ok"] == true;
    say_changed(&answer);
    if json {
        out::json(&answer)?;
    } else {
        let mut rows = vec![
            pair("acts as", account(&answer["identity"])),
            pair("label", word(&answer["label"])),
            pair("status", word(&answer["status"])),
        ];
        if !ok {
            let words = "its provider refuses the credential; sends through it wait";
            rows.push(pair("refused", format!("{} ({words})", word(&answer["reason"]))));
        }
        rows.extend(drift(&answer));
        rows.extend(features(&answer));
        out::rows(2, &rows)?;
    }
    Ok(if ok { Exit::Done } else { Exit::Negative })
}

/// Operations whose answers were not as their schema says.
fn drift(answer: &Value) -> Vec<Vec<String>> {
    let row = |drift: &Value| {
        let place = |place: &Value| {
            let at = word(&place["at"]);
            let at = if at.is_empty() { "/".to_owned() } else { at };
            format!("{at} ({})", word(&place["kind"]))
        };
        let places: Vec<String> =
            drift["places"].as_array().into_iter().flatten().map(place).collect();
        let words = format!(
            "{}: {} answers not as declared, last {}: {}",
            word(&drift["operation"]),
            drift["count"],
            word(&drift["last_at"]),
            places.join(", ")
        );
        pair("drift", words)
    };
    answer["drift"].as_array().into_iter().flatten().map(row).collect()
}

/// Another account than before is never said in passing.
pub(super) fn say_changed(answer: &Value) {
    if answer["was"].is_null() {
        return;
    }
    let words = format!(
        "ANOTHER ACCOUNT: it acts as {}, and acted as {} before. Approvals that were given for the one \
         before are void and must be asked for again.",
        account(&answer["identity"]),
        account(&answer["was"])
    );
    out::say(&Stream::Err.paint(Tone::Bad, &words));
}

/// What depends on it.
pub(super) async fn uses(link: &Link, name: &str, json: bool) -> Result<()> {
    let answer = link.get(&format!("/api/v1/integrations/{}/uses", encoded(name))).await?;
    if json {
        return out::json(&answer);
    }
    let lines = use_lines(&answer);
    if lines.is_empty() {
        out::say("nothing uses it");
    }
    out::rows(2, &lines)
}

/// Shows what depends on it, and asks; where nobody can answer, `--yes` is needed.
pub(super) async fn confirm(link: &Link, name: &str, yes: bool) -> Result<()> {
    let answer = link.get(&format!("/api/v1/integrations/{}/uses", encoded(name))).await?;
    let lines = use_lines(&answer);
    if lines.is_empty() || yes {
        return Ok(());
    }
    out::say(&format!("{name} is in use:"));
    for line in &lines {
        out::say(&format!("  {}", line.join("  ")));
    }
    if !std::io::stdin().is_terminal() {
        return Err(invalid("say --yes to disconnect it all the same"));
    }
    out::say("approvals that are bound to it will be void; type its name to disconnect it");
    let mut line = String::new();
    let _length = std::io::stdin().lock().read_line(&mut line)?;
    if line.trim() == name { Ok(()) } else { Err(invalid("it stays connected")) }
}

fn use_lines(uses: &Value) -> Vec<Vec<String>> {
    let list = |key: &str| uses[key].as_array().cloned().unwrap_or_default();
    let mut lines = vec![];
    for step in list("steps") {
        let by = if step["by"] == "default" { " (as the provider's default)" } else { "" };
        let (task, operation) = (word(&step["task"]), word(&step["operation"]));
        lines.push(pair("step", format!("{} {task} {operation}{by}", word(&step["workflow"]))));
    }
    for start in list("starts") {
        let words = format!("{} starts by {}", word(&start["workflow"]), word(&start["when"]));
        lines.push(pair("start", words));
    }
    if uses["open"].as_u64().is_some_and(|open| open > 0) {
        lines.push(pair("open", format!("{} in the inbox", uses["open"])));
    }
    for wait in list("waits") {
        let (run, workflow) = (word(&wait["run"]), word(&wait["workflow"]));
        let words =
            format!("{run} of {workflow} waits for what it brings: {}", texts(&wait["tasks"]));
        lines.push(pair("wait", words));
    }
    let (waiting, named) = (uses["waiting"].as_u64().unwrap_or(0), list("waits").len() as u64);
    if waiting > named {
        lines.push(pair("wait", format!("and {} runs more", waiting - named)));
    }
    let plain = [
        ("decision", "decisions"),
        ("run", "runs"),
        ("policy", "policies"),
        ("channel", "channels"),
        ("agent", "agents"),
    ];
    for (title, key) in plain {
        lines.extend(list(key).iter().map(|item| pair(title, word(item))));
    }
    lines
}

/// What its scopes enable, a line for each set.
fn features(answer: &Value) -> Vec<Vec<String>> {
    let mut rows = vec![];
    if answer["scopes"].as_array().is_some_and(|scopes| !scopes.is_empty()) {
        rows.push(pair("scopes", texts(&answer["scopes"])));
    }
    for feature in answer["features"].as_array().into_iter().flatten() {
        let what = format!("{} ({})", word(&feature["set"]), texts(&feature["buys"]));
        let (title, words) = match feature["granted"].as_bool() {
            Some(true) => ("enabled", what),
            Some(false) => ("lacks", format!("{what}: needs {}", needed(feature))),
            None => ("unknown", format!("{what}: the provider does not tell its scopes")),
        };
        rows.push(pair(title, words));
    }
    rows
}

fn texts(value: &Value) -> String {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(visible).collect::<Vec<_>>().join(", ")
}

fn needed(feature: &Value) -> String {
    let (all, one) = (texts(&feature["missing"]), texts(&feature["missing_one_of"]));
    match (all.is_empty(), one.is_empty()) {
        (false, false) => format!("{all} and one of {one}"),
        (true, false) => format!("one of {one}"),
        (_, true) => all,
    }
}

/// Where it may be used, in words.
pub(super) fn scope_words(used_in: &Value) -> String {
    let scope = serde_json::from_value::<placet_model::integration::UseScope>(used_in.clone());
    scope.map_or_else(|_old| "the whole project".to_owned(), |scope| scope.to_string())
}

fn credential(answer: &Value) -> String {
    let version = &answer["credential_version"];
    match answer["credential_mode"].as_str() {
        Some(mode) => format!("version {version}, a {} key", visible(mode)),
        None => format!("version {version}"),
    }
}

fn account(identity: &Value) -> String {
    format!("{} of {}", word(&identity["id"]), word(&identity["tenant"]))
}

pub(super) fn word(value: &Value) -> String {
    visible(value.as_str().unwrap_or_default())
}

pub(super) fn pair(title: &str, words: String) -> Vec<String> {
    vec![title.to_owned(), words]
}
