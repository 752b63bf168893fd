//! What an operation answers: the good answer's schema, and a rule for each documented error.

use super::super::Error;
use super::super::reference::follow;
use super::super::resolve::is_json;
use super::schema::{Way, bundle, sample};
use placet_model::manifest::Effect;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The documented answers of one operation.
pub(super) struct Answers {
    pub(super) output: Option<Value>,
    pub(super) status: u16,
    pub(super) cut: usize,
    /// A published example of the good answer.
    pub(super) example: Option<Value>,
    /// The good answers say so in the body: `/ok` is true.
    pub(super) says_ok: bool,
    pub(super) has_location: bool,
    /// Status, or a class of it, and a body.
    pub(super) errors: BTreeMap<String, Option<Value>>,
    pub(super) notes: Vec<String>,
}

/// # Errors
/// A schema of the good answer that cannot be brought along.
pub(super) fn read(document: &Value, operation: &Value) -> Result<Answers, Error> {
    let mut found = Answers {
        output: None,
        status: 200,
        cut: 0,
        example: None,
        says_ok: false,
        has_location: false,
        errors: BTreeMap::new(),
        notes: Vec::new(),
    };
    let mut good: Vec<(&str, &Value)> = Vec::new();
    let mut fallback = None;
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        let answer = follow(document, answer)?;
        match status.as_bytes().first() {
            Some(b'2') => good.push((status, answer)),
            Some(b'3'..=b'5') => {
                found.errors.insert(status.to_uppercase(), error_body(document, answer));
            }
            _ if status == "default" => fallback = Some(answer),
            _ => {}
        }
    }
    if good.is_empty() {
        match fallback.take() {
            Some(answer) => {
                found
                    .notes
                    .push("only `default` is declared: taken for the good answer".to_owned());
                good.push(("200", answer));
            }
            None => found.notes.push("no good answer is declared".to_owned()),
        }
    }
    if let Some(answer) = fallback {
        found.errors.insert("default".to_owned(), error_body(document, answer));
    }
    good.sort_by_key(|(status, answer)| (content(document, answer).is_none(), *status));
    let Some((status, answer)) = good.first() else { return Ok(found) };
    found.status = status.parse().unwrap_or(200);
    found.has_location = answer["headers"]
        .as_object()
        .is_some_and(|headers| headers.keys().any(|name| name.eq_ignore_ascii_case("location")));
    match content(document, answer) {
        None => found
            .notes
            .push("no schema of its answer is declared: only the status counts".to_owned()),
        Some((schema, example)) => {
            let bundled = bundle(document, schema, Way::Back)?;
            let ok = follow(document, &schema["properties"]["ok"])?;
            found.says_ok = ok["enum"] == json!([true]) || ok["const"] == true;
            (found.cut, found.example, found.output) = (bundled.cut, example, Some(bundled.schema));
            let others = good.iter().skip(1).filter_map(|(status, other)| {
                content(document, other).is_none_or(|(other, _)| other != schema).then_some(*status)
            });
            let others: Vec<&str> = others.collect();
            if !others.is_empty() {
                let words = format!(
                    "answers of status {} look otherwise: {status} is held",
                    others.join(", ")
                );
                found.notes.push(words);
            }
        }
    }
    Ok(found)
}

/// Schema and example of a JSON body.
fn content<'d>(document: &'d Value, answer: &'d Value) -> Option<(&'d Value, Option<Value>)> {
    if let Some(schema) = answer.get("schema") {
        let examples = answer["examples"].as_object().into_iter().flatten();
        let example = examples.filter(|(media, _)| is_json(media)).map(|(_, value)| value.clone());
        return Some((schema, example.into_iter().next()));
    }
    let media = answer["content"].as_object()?.iter().find(|(media, _)| is_json(media))?.1;
    let named = media["examples"].as_object().and_then(|all| all.values().next());
    let named = named.and_then(|one| follow(document, one).ok()?.get("value"));
    Some((media.get("schema")?, media.get("example").or(named).cloned()))
}

fn error_body(document: &Value, answer: &Value) -> Option<Value> {
    let (schema, example) = content(document, answer)?;
    let made = || sample(document, schema, 0);
    Some(example.filter(Value::is_object).unwrap_or_else(made)).filter(|body| !body.is_null())
}

/// Statuses that say that nothing happened and will not.
const PERMANENT: [u16; 14] = [400, 402, 403, 404, 405, 406, 410, 411, 412, 413, 414, 415, 422, 451];
/// Those that are meant where only a class of errors, or `default`, is documented.
const USUAL: [u16; 6] = [400, 403, 404, 405, 415, 422];

/// The rules of `classify`, a line each.
pub(super) fn rules(answers: &Answers, effect: Effect, has_credential: bool) -> Vec<Value> {
    let mut rules = vec![json!({"when": {"transport": "before_send"}, "outcome": "refused_retry"})];
    rules.push(if answers.says_ok {
        json!({"when": {"status": "2xx", "body": {"at": "/ok", "is": true}}, "outcome": "sent"})
    } else {
        json!({"when": {"status": "2xx"}, "outcome": "sent"})
    });
    if has_credential {
        rules.push(json!({"when": {"status": 401}, "outcome": "reconnect"}));
    }
    rules.push(json!({"when": {"status": 429}, "outcome": "refused_retry"}));
    let vague = answers.errors.keys().any(|status| status == "4XX" || status == "default");
    let documented = |status: &&u16| answers.errors.contains_key(&status.to_string());
    let permanent = PERMANENT.iter().filter(|s| documented(s) || vague && USUAL.contains(s));
    let mut permanent: Vec<u16> = permanent.copied().collect();
    if !has_credential && documented(&&401) {
        permanent.insert(0, 401);
    }
    if !permanent.is_empty() {
        rules.push(json!({"when": {"status": permanent}, "outcome": "refused_permanent"}));
    }
    rules.push(json!({"else": if effect == Effect::Read { "refused_retry" } else { "in_doubt" }}));
    rules
}

/// Errors on demand, with the bodies that the document shows.
pub(super) fn mock_errors(answers: &Answers) -> Value {
    let body = |names: &[&str]| {
        let found = names.iter().find_map(|name| answers.errors.get(*name).cloned().flatten());
        found.unwrap_or_else(|| json!({"message": "refused by the sandbox"}))
    };
    let invalid = if answers.errors.contains_key("422") && !answers.errors.contains_key("400") {
        422
    } else {
        400
    };
    let own = invalid.to_string();
    json!({
        "rate_limited": {"status": 429, "headers": {"retry-after": "1"}, "body": body(&["429", "4XX", "default"])},
        "not_found": {"status": 404, "body": body(&["404", "4XX", "default", "400"])},
        "validation": {"status": invalid, "body": body(&[&own, "4XX", "default"])},
        "auth": {"status": 401, "body": body(&["401", "4XX", "default", "403"])},
        "timeout_in_doubt": {"transport": "after_send", "happened": true},
    })
}

/// Where errors say what they are.
pub(super) fn error_code(answers: &Answers) -> Option<Value> {
    const CODES: [&str; 9] = [
        "/error/code",
        "/error/type",
        "/code",
        "/type",
        "/name",
        "/error",
        "/ErrorCode",
        "/errors/0/code",
        "/errors/0/field",
    ];
    const MESSAGES: [&str; 6] = [
        "/error/message",
        "/message",
        "/errors/0/message",
        "/detail",
        "/Message",
        "/errorMessages/0",
    ];
    let bodies: Vec<&Value> = answers.errors.values().flatten().collect();
    let is_scalar = |value: &Value| value.is_string() || value.is_number();
    let at = |places: &[&'static str]| {
        let there = |place: &&&str| bodies.iter().any(|b| b.pointer(place).is_some_and(is_scalar));
        places.iter().find(there).copied()
    };
    let (code, message) = (at(&CODES), at(&MESSAGES));
    let mut said = Map::new();
    said.insert("at".to_owned(), json!(code.or(message)?));
    if let Some(message) = message {
        said.insert("message".to_owned(), json!(message));
    }
    Some(Value::Object(said))
}
