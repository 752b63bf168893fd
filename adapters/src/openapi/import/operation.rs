//! One operation of a document → one entry of the manifest, and its schemas.

use super::super::resolve::Place;
use super::answers::{self, Answers};
use super::request::Request;
use super::yaml::{comment, flow, text};
use placet_model::manifest::Effect;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Fields of a preview; more are shown as one.
const FIELDS_MAX: usize = 12;
/// Names that hold copies, as the lint of recipients knows them.
const COPY_WORDS: [&str; 6] = ["cc", "bcc", "Cc", "Bcc", "CC", "BCC"];
/// Words of an operation that reaches people.
const SENDING: [&str; 9] =
    ["send", "message", "messages", "mail", "email", "emails", "sms", "notify", "publish"];
/// Words behind which secrets stand.
const SECRETS: [&str; 6] =
    ["secret", "token", "password", "api_key", "access_token", "client_secret"];

/// What is known of an operation before it is written down.
pub(super) struct Draft<'d> {
    pub(super) name: String,
    pub(super) method: String,
    pub(super) path: &'d str,
    pub(super) place: Place<'d>,
    /// `{config.api_base}`, or an address of its own.
    pub(super) base: String,
    pub(super) request: Request,
    pub(super) answers: Answers,
    pub(super) has_credential: bool,
}

/// By the method; a POST that reaches people is a send. A person may tighten it.
pub(super) fn effect(method: &str, name: &str, path: &str) -> Effect {
    match method {
        "GET" | "HEAD" | "OPTIONS" => Effect::Read,
        "DELETE" => Effect::Destructive,
        "POST" => {
            let last = path.rsplit('/').find(|part| !part.starts_with('{')).unwrap_or_default();
            let words = format!("{}_{}", spaced(name), spaced(last));
            let sends = words.split('_').any(|word| SENDING.contains(&word));
            if sends { Effect::Send } else { Effect::Write }
        }
        _ => Effect::Write,
    }
}

/// `sendBulkEmail` → `send_bulk_email`.
fn spaced(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' });
    }
    out
}

impl Draft<'_> {
    pub(super) fn effect(&self) -> Effect {
        effect(&self.method, &self.name, self.path)
    }

    /// The manifest's entry, as YAML.
    pub(super) fn yaml(&self, schemas: &str) -> String {
        let effect = self.effect();
        let own = self.place.own;
        let title = own["summary"].as_str().or_else(|| own["description"].as_str());
        let title = title.map_or_else(|| format!("{} {}", self.method, self.path), comment);
        let mut out = String::new();
        let mut line = |key: &str, value: &str| {
            write_line(&mut out, key, value);
        };
        line("title", &text(&title));
        line(
            "effect",
            &format!("{effect} # by its method, {}: tighten it where it does more", self.method),
        );
        line("input_schema", &text(&format!("{schemas}/{}.input.json", self.name)));
        if self.answers.output.is_some() {
            line("output_schema", &text(&format!("{schemas}/{}.output.json", self.name)));
        } else {
            line("#", "output_schema: none is declared, so no step can read an output of it");
        }
        let mut request = Map::new();
        request.insert("method".to_owned(), json!(self.method));
        request.insert("url".to_owned(), json!(format!("{}{}", self.base, self.request.path)));
        let parts = [("query", &self.request.query), ("headers", &self.request.headers)];
        for (key, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
            request.insert(key.to_owned(), json!(part));
        }
        if let Some(body) = &self.request.body {
            request.insert("body".to_owned(), body.clone());
        }
        if effect != Effect::Read {
            line("target", &flow(&self.target()));
            let recipients = self.recipients();
            if !recipients.is_empty() {
                line("recipients", &flow(&json!(recipients)));
            }
        }
        line("request", &flow(&Value::Object(request)));
        if let Some(pages) = self.pages() {
            line("#", &format!("pagination: {pages}"));
        }
        if effect != Effect::Read {
            line("text_limits", &self.text_limits());
            let fields = self.preview_fields();
            line("preview", &flow(&json!({"title": preview_title(&title), "fields": fields})));
        }
        line("classify", "");
        let rules = answers::rules(&self.answers, effect, self.has_credential);
        for rule in rules {
            writeln!(out, "      - {}", flow(&rule)).expect("writing to a string cannot fail");
        }
        self.kept(effect, &mut out);
        out
    }

    /// What is kept of the answer, what becomes of a doubt, and what the sandbox says.
    fn kept(&self, effect: Effect, out: &mut String) {
        let mut line = |key: &str, value: &str| {
            write_line(out, key, value);
        };
        let code = answers::error_code(&self.answers);
        let mut store: Vec<String> = Vec::new();
        let id = self.id();
        store.extend(id.iter().cloned());
        if let Some(code) = &code {
            line("error_code", &flow(code));
            store.extend(code["at"].as_str().map(str::to_owned));
        }
        line(
            "wait_from",
            &flow(
                &json!([{"header": "Retry-After", "unit": "s", "max_s": 3600}, {"default_s": 1, "factor": 2, "jitter": true}]),
            ),
        );
        if effect != Effect::Read {
            let result = match &id {
                Some(at) => json!({"external_id": format!("{{{at}}}")}),
                None if self.answers.has_location => json!({"external_id": "{header:Location}"}),
                None => json!({}),
            };
            line("result", &flow(&result));
        }
        line("store", &flow(&json!(store)));
        if let Some(output) = self.output(effect) {
            line("output", &flow(&json!(output)));
        }
        if effect != Effect::Read {
            line(
                "delivery",
                "{kind: none} # not said by the document: an answer in doubt goes to a person",
            );
            line("#", "delivery.reconcile: none, the document names no look-up for it");
            line("vendor_dry_run", "none");
        }
        line("mock", "");
        let mut mock = |key: &str, value: &Value| {
            writeln!(out, "      {key}: {}", flow(value)).expect("writing to a string cannot fail");
        };
        if self.answers.status != 200 {
            mock("status", &json!(self.answers.status));
        }
        let echo = self.echo();
        if !echo.is_empty() {
            mock("echo", &Value::Object(echo));
        }
        let mut errors = answers::mock_errors(&self.answers);
        if effect == Effect::Read {
            errors.as_object_mut().and_then(|all| all.shift_remove("timeout_in_doubt"));
        }
        out.push_str("      errors:\n");
        for (name, error) in errors.as_object().into_iter().flatten() {
            writeln!(out, "        {name}: {}", flow(error))
                .expect("writing to a string cannot fail");
        }
    }

    /// The path's parameters in their order; without any, the path itself.
    fn target(&self) -> Value {
        let keys = &self.request.path_keys;
        if keys.is_empty() {
            let word = self.path.split('/').rfind(|part| is_word(part)).unwrap_or("api");
            return json!({"grammar": format!("^(?<place>{})$", escaped(word)), "format": "{place}", "from": {"place": word}, "examples": [word]});
        }
        let names: Vec<String> =
            (1..=keys.len()).map(|n| part_name(&keys[n - 1], n, keys)).collect();
        let grammar: Vec<String> = names.iter().map(|name| format!("(?<{name}>[^/]+)")).collect();
        let format: Vec<String> = names.iter().map(|name| format!("{{{name}}}")).collect();
        let from: Map<String, Value> = names
            .iter()
            .zip(keys)
            .map(|(name, key)| (name.clone(), json!(format!("{{input./{key}}}"))))
            .collect();
        let example: Vec<String> = (1..=keys.len()).map(|n| format!("id_{n}")).collect();
        json!({"grammar": format!("^{}$", grammar.join("/")), "format": format.join("/"), "from": from, "examples": [example.join("/")]})
    }

    fn body_members(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.request.input["properties"]["body"]["properties"].as_object().into_iter().flatten()
    }

    fn recipients(&self) -> Vec<String> {
        let mut found = Vec::new();
        copies(&self.request.input, "", &mut found);
        found
    }

    fn preview_fields(&self) -> Vec<String> {
        let mut fields = vec!["target".to_owned()];
        let inputs = self.request.input["properties"].as_object().into_iter().flatten();
        let inputs = inputs.map(|(name, _)| name).filter(|name| *name != "body");
        let inputs = inputs.filter(|name| !self.request.path_keys.contains(name));
        fields.extend(inputs.map(|name| format!("/{}", pointed(name))));
        let members: Vec<String> =
            self.body_members().map(|(name, _)| format!("/body/{}", pointed(name))).collect();
        match (&self.request.body, members.len()) {
            (None, _) => {}
            (Some(_), 1..=FIELDS_MAX) => fields.extend(members),
            (Some(_), _) => fields.push("/body".to_owned()),
        }
        fields
    }

    fn text_limits(&self) -> String {
        let limit = |(name, member): (&String, &Value)| {
            let max = member["maxLength"].as_u64()?;
            Some(
                json!({"path": format!("/body/{}", pointed(name)), "unit": "chars", "max": max, "over": "refuse"}),
            )
        };
        let limits: Vec<Value> = self.body_members().filter_map(limit).collect();
        if limits.is_empty() {
            "none # no text has a length in the document".to_owned()
        } else {
            flow(&json!(limits))
        }
    }

    fn answer_members(&self) -> Vec<(&String, &Value)> {
        let members =
            self.answers.output.as_ref().and_then(|schema| schema["properties"].as_object());
        members.into_iter().flatten().collect()
    }

    /// Where the answer holds the id of what it is about.
    fn id(&self) -> Option<String> {
        let members = self.answer_members();
        let has = |wanted: &str| members.iter().any(|(name, _)| *name == wanted);
        let known = ["id", "key", "ts", "uuid", "MessageID", "message_id", "messageId"];
        known.into_iter().find(|name| has(name)).map(|name| format!("/{name}"))
    }

    /// The members of an answer that hold no secret; `None` where a read may give all of it.
    fn output(&self, effect: Effect) -> Option<Vec<String>> {
        let members = self.answer_members();
        let definitions =
            self.answers.output.as_ref().map_or(&Value::Null, |schema| &schema["$defs"]);
        let open: Vec<String> = members
            .iter()
            .filter(|(name, member)| !is_secret(name) && !holds_secret(definitions, member, 0))
            .map(|(name, _)| format!("/{}", pointed(name)))
            .collect();
        let whole = open.len() == members.len();
        (!open.is_empty() && (effect != Effect::Read || !whole)).then_some(open)
    }

    fn echo(&self) -> Map<String, Value> {
        let members = self.answer_members();
        let has = |wanted: &str| members.iter().any(|(name, _)| *name == wanted);
        let mut echo = Map::new();
        if let (Some(last), true) =
            (self.request.path_keys.last(), has("id") && self.path.ends_with('}'))
        {
            echo.insert("/id".to_owned(), json!(format!("/{last}")));
        }
        for (name, _) in self.body_members().filter(|(name, _)| has(name) && !is_secret(name)) {
            let place = pointed(name);
            if !echo.contains_key(&format!("/{place}")) {
                echo.insert(format!("/{place}"), json!(format!("/body/{place}")));
            }
        }
        echo
    }

    /// A hint for a person; what it means is not for the document to say.
    pub(super) fn pages(&self) -> Option<String> {
        const CURSORS: [&str; 9] = [
            "cursor",
            "starting_after",
            "page_token",
            "pageToken",
            "nextPageToken",
            "after",
            "offset",
            "startAt",
            "page",
        ];
        let by = CURSORS.into_iter().find(|name| self.request.query.contains_key(*name))?;
        let members = self.answer_members();
        let list = members.iter().find(|(_, member)| member["type"] == "array");
        let items = list.map_or_else(String::new, |(name, _)| format!(", items /{name}"));
        Some(format!("it seems to go on by query.{by}{items}: one page is read as it stands"))
    }
}

/// `key: value`, a bare key, or a comment.
fn write_line(out: &mut String, key: &str, value: &str) {
    let written = match (key, value) {
        ("#", value) => writeln!(out, "    # {value}"),
        (key, "") => writeln!(out, "    {key}:"),
        (key, value) => writeln!(out, "    {key}: {value}"),
    };
    written.expect("writing to a string cannot fail");
}

fn preview_title(title: &str) -> String {
    format!("{} ({{target}})", title.replace(['{', '}'], ""))
}

fn is_word(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// A word in a regular expression.
fn escaped(word: &str) -> String {
    word.replace('.', r"\.")
}

fn part_name(key: &str, n: usize, keys: &[String]) -> String {
    let plain: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let same = keys.iter().filter(|other| other.eq_ignore_ascii_case(key)).count() > 1;
    let starts = plain.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts && !same { plain } else { format!("part_{n}") }
}

fn pointed(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn copies(schema: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(items) = schema.get("items") {
        copies(items, &format!("{place}/*"), found);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}/{name}");
        if COPY_WORDS.contains(&name.as_str()) {
            found.push(place);
        } else {
            copies(member, &place, found);
        }
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|word| name == *word || name.ends_with(&format!("_{word}")))
        || name == "apitokens"
}

fn holds_secret(definitions: &Value, schema: &Value, depth: usize) -> bool {
    if depth > 3 {
        return false;
    }
    let reference = schema["$ref"].as_str().and_then(|at| at.strip_prefix("#/$defs/"));
    let schema = reference.map_or(schema, |name| &definitions[name]);
    let members = schema["properties"].as_object().into_iter().flatten();
    let mut members = members.filter(|(_, member)| member["type"] != "boolean");
    members.any(|(name, member)| is_secret(name) || holds_secret(definitions, member, depth + 1))
        || schema.get("items").is_some_and(|items| holds_secret(definitions, items, depth + 1))
}
