//! The card of a decision request (GATE.md §6) on a terminal: where it goes and as whom first, then
//! the whole of what would leave, then everything that bears on the decision. What the author or an
//! agent says stands apart.

use super::request;
use crate::out::{Stream, Tone, one_line, visible};
use placet_model::Timestamp;
use serde_json::Value;

/// What is known of an attempt in doubt.
fn doubt(evidence: &Value, lines: &mut Vec<String>) {
    let tries: Vec<&str> =
        evidence["tries"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !tries.is_empty() {
        lines.push(format!("  tried {}: {}", tries.len(), tries.join(", ")));
    }
    if let Some(status) = evidence["status"].as_u64() {
        lines.push(format!("  answered with status {status}"));
    }
    if let Some(detail) = evidence["detail"].as_str() {
        lines.push(format!("  {detail}"));
    }
}

/// What the provider said when it was asked, and when it is asked next.
fn lookups(doubt: &Value, lines: &mut Vec<String>) {
    for lookup in doubt["lookups"].as_array().into_iter().flatten() {
        let detail = lookup["detail"].as_str().map(|detail| format!(" ({detail})"));
        let (at, words) = (word(lookup, "at"), word(lookup, "words"));
        lines.push(format!("  looked up at {at}: {words}{}", detail.unwrap_or_default()));
    }
    if let Some(at) = doubt["next_lookup_at"].as_str() {
        lines.push(format!("  the engine looks it up from {at} on; nobody needs to answer before"));
    }
}

/// The card as text.
pub(crate) fn text(card: &Value, now: Timestamp, stream: Stream) -> String {
    let mut lines = vec![];
    head(card, stream, &mut lines);
    if !card["in_doubt"].is_null() {
        section("in doubt", stream, &mut lines);
        lines.push(format!("  {}", word(&card["in_doubt"], "words")));
        lines.push(format!("  since {}", word(&card["in_doubt"], "since")));
        doubt(&card["in_doubt"]["evidence"], &mut lines);
        lookups(&card["in_doubt"], &mut lines);
    }
    looked_up(&card["looked_up"], stream, &mut lines);
    section("what will be sent, in full", stream, &mut lines);
    lines.extend(request::lines(&card["request"], "  "));
    changes(&card["changes"], stream, &mut lines);
    list("remarks on the bytes", &remarks(card), (stream, Tone::Bad), &mut lines);
    decision(card, now, stream, &mut lines);
    for who in ["author", "agent"] {
        let Some(says) = card[format!("{who}_says_unverified")].as_str() else { continue };
        section(&format!("the {who} says (unverified)"), stream, &mut lines);
        lines.extend(visible(says).lines().map(|line| format!("  | {line}")));
    }
    lines.push(String::new());
    lines.push(format!("digest {}", word(card, "digest")));
    lines.join("\n")
}

fn head(card: &Value, stream: Stream, lines: &mut Vec<String>) {
    let title = stream.paint(Tone::Strong, &word(card, "summary"));
    lines.push(format!("{title}  [{}]", word(card, "state")));
    lines.push(format!("  to        {}", destination(card)));
    lines.push(format!("  as        {}", identity(&card["identity"])));
    if let Some(mode) = card["identity"]["mode"].as_str() {
        let tone = if mode == "live" { Tone::Warn } else { Tone::Dim };
        lines.push(format!(
            "  key       {}",
            stream.paint(tone, &format!("a {} key", one_line(mode)))
        ));
    }
    lines.push(format!("  does      {}: {}", word(card, "operation"), word(card, "reversibility")));
    if let Some(channel) = card["routed"]["channel"].as_str() {
        let asked = word(&card["routed"], "operation");
        lines.push(format!("  by        {asked}, channel {}", one_line(channel)));
    }
    lines.push(format!("  mode      {}", mode(card)));
    if let Some(words) = card["money"]["words"].as_str() {
        let way = if card["money"]["direction"] == "in" { "comes in" } else { "goes out" };
        let words = stream.paint(Tone::Strong, &format!("{} {way}", one_line(words)));
        lines.push(format!("  money     {words}"));
    }
    lines.push(format!("  for       {} of {}", word(card, "requester"), word(card, "workflow")));
    lines.push(format!("  task      {} {}", word(card, "task"), word(card, "run")));
    lines.push(format!("  decision  {} (draft revision {})", word(card, "id"), card["revision"]));
    fields(&card["fields"], lines);
    let warnings: Vec<String> = strings(&card["warnings"]);
    lines.extend(warnings.iter().map(|line| format!("  {} {line}", stream.paint(Tone::Warn, "!"))));
}

/// Names and what they stand for.
fn fields(fields: &Value, lines: &mut Vec<String>) {
    for field in fields.as_array().into_iter().flatten() {
        let value = match &field["value"] {
            Value::String(text) => visible(text),
            value => visible(&value.to_string()),
        };
        // further lines are marked: content must not look like a line of the card
        let value = value.replace('\n', "\n            | ");
        lines.push(format!("  {:9} {value}", word(field, "name")));
    }
}

/// What the provider said of what stands in the bytes, before anybody was asked.
fn looked_up(said: &Value, stream: Stream, lines: &mut Vec<String>) {
    if said.is_null() {
        return;
    }
    section(&word(said, "words"), stream, lines);
    fields(&said["fields"], lines);
    if let Some(why) = said["unanswered"].as_str() {
        lines.push(format!("  {}", one_line(why)));
    }
}

fn destination(card: &Value) -> String {
    let url = word(&card["request"], "url");
    match card["target"].as_str() {
        Some(target) => format!("{} ({url})", one_line(target)),
        None => url,
    }
}

fn identity(identity: &Value) -> String {
    if identity.is_null() {
        return "nobody in particular: the call uses no integration".to_owned();
    }
    let tenant = match word(identity, "tenant") {
        tenant if tenant.is_empty() => tenant,
        tenant => format!(" of {tenant}"),
    };
    let label = word(identity, "label");
    let (id, name) = (word(identity, "id"), word(identity, "integration"));
    format!("{id}{tenant}, integration {name} ({label}), {}", word(identity, "status"))
}

fn mode(card: &Value) -> &'static str {
    match card["mode"].as_str() {
        Some("live") => "live: approved bytes leave",
        _ => "sandbox: nothing leaves",
    }
}

/// What differs from the revision before: places, and what stood and stands there, types kept.
fn changes(changes: &Value, stream: Stream, lines: &mut Vec<String>) {
    if changes.is_null() {
        return;
    }
    let by = match changes["editor"].as_str() {
        Some(editor) => format!(", edited by {}", visible(editor)),
        None => String::new(),
    };
    section(&format!("since revision {}{by}", changes["revision"]), stream, lines);
    let found = changes["with"].as_array().map_or(&[][..], Vec::as_slice);
    if found.is_empty() {
        lines.push("  the same content; only what makes the bytes unique differs".to_owned());
    }
    for change in found {
        let side = |key: &str, sign: &str| {
            let value = change.get(key)?;
            Some(format!("      {sign} {}", visible(&value.to_string()).replace('\n', "⏎")))
        };
        lines.push(format!("    {} {}", word(change, "change"), word(change, "path")));
        lines.extend(side("old", "-"));
        lines.extend(side("new", "+"));
    }
    if changes["more"].as_u64().is_some_and(|more| more > 0) {
        lines.push(format!("  and {} more places", changes["more"]));
    }
}

fn remarks(card: &Value) -> Vec<String> {
    let remark = |found: &Value| {
        let kind = word(found, "kind").replace('_', " ");
        format!("{kind} at {}: {}", word(found, "at"), word(found, "detail"))
    };
    card["remarks"].as_array().into_iter().flatten().map(remark).collect()
}

fn decision(card: &Value, now: Timestamp, stream: Stream, lines: &mut Vec<String>) {
    section("the decision", stream, lines);
    let policy = &card["policy"];
    lines.push(format!("  needs     {}", strings(&policy["needed"]).join("; ")));
    lines.push(format!("  rules     {}", strings(&policy["rules"]).join(", ")));
    lines.push(format!("  reason    {}", reason(policy)));
    if let Some(least) = policy["assurance"].as_str().filter(|least| *least != "test") {
        lines.push(format!("  signature {least} or more"));
    }
    for note in strings(&policy["notes"]) {
        lines.push(format!("  {} {note}", stream.paint(Tone::Warn, "!")));
    }
    if let Some(name) = policy["standing"]["name"].as_str() {
        lines.push(format!("  standing  voted in advance under {}", visible(name)));
    }
    for voted in policy["delegated"].as_array().into_iter().flatten() {
        let people = strings(&voted["instead_of"]).join(", ");
        lines.push(format!("  delegate  {} votes in the place of {people}", word(voted, "voter")));
    }
    for line in strings(&policy["out_of_reach"]) {
        lines.push(format!("  {} {line}", stream.paint(Tone::Bad, "!")));
    }
    let assigned = strings(&card["assigned"]);
    if !assigned.is_empty() {
        lines.push(format!("  left to   {}", assigned.join(", ")));
    }
    let votes = votes(card);
    let none = vec!["nobody has voted yet".to_owned()];
    let votes = if votes.is_empty() { &none } else { &votes };
    lines.extend(votes.iter().map(|line| format!("  votes     {line}")));
    let is_open = matches!(card["state"].as_str(), Some("requested" | "approved"));
    if is_open {
        lines.push(format!("  time left {}", time_left(card, now)));
    }
    if let Some(hold) = card["hold"].as_str() {
        lines.push(format!("  held      {}", one_line(hold)));
    }
    if !card["void"].is_null() {
        lines.push(format!(
            "  void      {} {}",
            word(&card["void"], "reason"),
            card["void"]["field"]
        ));
    }
    if is_open {
        lines.push(format!("  on no     {}", word(card, "on_no")));
    }
}

fn reason(policy: &Value) -> &'static str {
    match policy["reason_required"].as_str() {
        Some("always") => "always required",
        Some("never") => "not required",
        _ => "required when rejecting",
    }
}

fn votes(card: &Value) -> Vec<String> {
    let vote = |vote: &Value| {
        let reason = vote["reason"].as_str().map(|text| format!(": {}", one_line(text)));
        let (voter, verdict) = (word(vote, "voter"), word(vote, "verdict"));
        let assurance = word(vote, "assurance");
        let reason = reason.unwrap_or_default();
        format!("{voter} says {verdict} ({assurance}, {}){reason}", word(vote, "at"))
    };
    card["votes"].as_array().into_iter().flatten().map(vote).collect()
}

fn time_left(card: &Value, now: Timestamp) -> String {
    let at = word(card, "expires_at");
    let Ok(end) = at.parse::<Timestamp>() else { return at };
    let minutes = end.millis_since(now) / 60_000;
    match minutes {
        i64::MIN..=-1 => format!("none: it ended at {at}"),
        0..60 => format!("{minutes} min (until {at})"),
        60..2880 => format!("{} h {} min (until {at})", minutes / 60, minutes % 60),
        _ => format!("{} days (until {at})", minutes / 1440),
    }
}

fn section(title: &str, stream: Stream, lines: &mut Vec<String>) {
    lines.push(String::new());
    lines.push(stream.paint(Tone::Dim, &format!("── {title}")));
}

fn list(title: &str, items: &[String], (stream, tone): (Stream, Tone), lines: &mut Vec<String>) {
    if items.is_empty() {
        return;
    }
    section(title, stream, lines);
    lines.extend(items.iter().map(|item| format!("  {} {item}", stream.paint(tone, "!"))));
}

/// On one line, whatever it holds.
fn word(value: &Value, key: &str) -> String {
    visible(value[key].as_str().unwrap_or_default()).replace('\n', "⏎")
}

fn strings(value: &Value) -> Vec<String> {
    let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(one_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn content_cannot_look_like_a_line_of_the_card() {
        let forged = "hi\n  as        the chief, integration safe";
        let card = json!({
            "summary": forged,
            "request": { "method": "POST", "url": "https://example.com", "body": forged },
            "target": forged,
            "fields": [{ "name": "text", "value": forged }],
            "warnings": [forged],
            "state": "requested",
            "votes": [{ "voter": "ana", "verdict": "approve", "reason": forged }],
            "hold": forged,
            "author_says_unverified": forged,
        });
        let text = text(&card, Timestamp::EPOCH, Stream::Out);
        let identities = text.lines().filter(|line| line.starts_with("  as  ")).count();
        assert_eq!(identities, 1, "{text}");
    }
}
