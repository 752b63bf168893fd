//! What a deploy changes, for a person: the same words in `placet deploy` and on the terminal of
//! `dev`.

use serde_json::Value;

use crate::out::{Stream, Tone, visible};

/// `changed   ops/slack-notify@1.1.0 (was 1.0.0)` and the diff below it. Of what is new only its size
/// is told: the file is there to be read.
pub(crate) fn text(change: &Value, stream: Stream) -> String {
    let word = |key: &str| visible(change[key].as_str().unwrap_or_default());
    let (name, standing, diff) = (word("name"), word("standing"), &change["diff"]);
    let diff = diff.as_str().unwrap_or_default();
    let mut lines = vec![format!("{standing:9} {name}{}", besides(change, diff))];
    let trusts: Vec<String> = change["trusts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|name| visible(name.as_str().unwrap_or_default()))
        .collect();
    if !trusts.is_empty() {
        lines.push(format!("          trusted to be reads: {}", trusts.join(", ")));
    }
    if standing == "changed" {
        lines.extend(diff.lines().map(|line| painted(&visible(line), stream)));
    }
    lines.join("\n")
}

fn besides(change: &Value, diff: &str) -> String {
    let name = change["name"].as_str().unwrap_or_default();
    let mut words = vec![];
    match (change["standing"].as_str(), change["replaces"].as_str()) {
        (Some("new"), _) => {
            let added =
                diff.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++"));
            words.push(format!("{} lines", added.count()));
        }
        (Some("changed"), Some(before)) if before != name => {
            let version = before.rsplit_once('@').map_or(before, |(_, version)| version);
            words.push(format!("was {version}"));
        }
        _ => {}
    }
    if change["holds"] == "next_start" && change["standing"] != "unchanged" {
        words.push("from the engine's next start on".to_owned());
    }
    if words.is_empty() { String::new() } else { format!(" ({})", visible(&words.join("; "))) }
}

fn painted(line: &str, stream: Stream) -> String {
    let tone = match line.as_bytes().first() {
        Some(b'+') => Tone::Good,
        Some(b'-') => Tone::Bad,
        Some(b'@') => Tone::Dim,
        _ => return line.to_owned(),
    };
    stream.paint(tone, line)
}
