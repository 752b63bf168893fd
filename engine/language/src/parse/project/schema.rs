//! The JSON Schema of a `placet.toml`, for editors; made from the list of keys.

use serde_json::{Map, Value, json};

use super::keys::{Key, Kind, project_keys};

const TOKEN: &str = "^[a-z0-9][a-z0-9_-]{0,62}$";
const HOST: &str = r"^([a-z0-9.-]+|\[[^\]]+\])(:[0-9]{1,5})?$";
const TARGET: &str = r"^([a-z0-9.-]+|\[[^\]]+\]):[0-9]{1,5}$";
const BARE_HOST: &str = r"^([a-z0-9.-]+|\[[^\]]+\])$";
const RATE: &str = r"^[a-z][a-z0-9-]*:(0|[1-9][0-9]{0,3}|10000)$";
const GRANT: &str = r"^([a-z0-9][a-z0-9_-]{0,62}|\*):([a-z0-9][a-z0-9_-]{0,62}|\*)$";
const WITNESS: &str = r"^https?://\S+ [^+\s]+\+[0-9a-f]{8}\+\S+$";
const WORKFLOWS: &str = r"^[a-z0-9-]+/([a-z0-9-]+|\*)$";
const PERIOD: &str = "^P[0-9]";
const WORD: &str = r"^\S+$";
const PERSON: &str = r"^\S+=[a-z0-9][a-z0-9_-]{0,62}$";
const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// The schema of a `placet.toml`, draft 2020-12.
pub fn project_schema() -> Value {
    let mut root = Map::new();
    for key in project_keys() {
        let (table, name) = key.parts();
        let at = if table.is_empty() { &mut root } else { properties(&mut root, table) };
        at.insert(name.to_owned(), of_key(key));
    }
    root.insert("secrets".to_owned(), secrets());
    root.insert("channels".to_owned(), super::channels::schema());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "placet.toml",
        "description": "What the operator of a Placet process decides for one project",
        "type": "object",
        "additionalProperties": false,
        "properties": root,
    })
}

/// The properties of a table, which is made when it is not there.
fn properties<'a>(root: &'a mut Map<String, Value>, table: &str) -> &'a mut Map<String, Value> {
    table.split('.').fold(root, |map, name| {
        let table = map.entry(name).or_insert_with(
            || json!({ "type": "object", "additionalProperties": false, "properties": {} }),
        );
        table["properties"].as_object_mut().expect("a table has properties")
    })
}

fn of_key(key: &Key) -> Value {
    let mut schema = match key.kind {
        Kind::Token(_) => json!({ "type": "string", "pattern": TOKEN }),
        Kind::List(..) if key.path == "egress.allow" => texts(TARGET),
        Kind::List(..) if key.path == "audit.witnesses" => texts(WITNESS),
        Kind::List(..) if key.path == "agents.grants" => texts(GRANT),
        Kind::List(..) if key.path == "egress.rates" => texts(RATE),
        Kind::List(..) if key.path == "data.keep" => texts(WORKFLOWS),
        Kind::List(..) if key.path == "login.oidc.domains" => texts(BARE_HOST),
        Kind::List(..) if key.path == "login.oidc.people" => texts(PERSON),
        Kind::List(..) if key.path.starts_with("login.oidc.") => texts(WORD),
        Kind::List(..) => texts(HOST),
        Kind::Number(max, _) => json!({ "type": "integer", "minimum": 1, "maximum": max }),
        Kind::Text(..) if key.path == "nats.url" => {
            json!({ "type": "string", "pattern": r"^(nats|tls)://\S+$" })
        }
        Kind::Text(..)
            if matches!(
                key.path,
                "notify.url" | "login.oidc.issuer" | "telemetry.otlp.endpoint"
            ) =>
        {
            json!({ "type": "string", "pattern": r"^https?://[^\s?#@<]+$" })
        }
        Kind::Text(..) if key.path.ends_with("_file") => {
            json!({ "type": "string", "minLength": 1 })
        }
        Kind::Text(..) if !key.path.ends_with("_env") => {
            json!({ "type": "string", "pattern": WORD })
        }
        Kind::Text(..) => json!({ "type": "string", "pattern": VARIABLE }),
        Kind::Address(_) => json!({ "type": "string" }),
        Kind::Mode(_) => json!({ "enum": ["sandbox", "live"] }),
        Kind::Data(_) => json!({ "enum": ["full", "metadata_only"] }),
        Kind::Period(_) => json!({ "type": "string", "pattern": PERIOD }),
    };
    schema["description"] = json!(key.about);
    let default = key.default();
    if !default.is_null() {
        schema["default"] = default;
    }
    schema
}

fn texts(pattern: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string", "pattern": pattern } })
}

fn secrets() -> Value {
    let mut hosts = texts(BARE_HOST);
    hosts["minItems"] = json!(1);
    hosts["description"] = json!("the only hosts it may go to, without ports");
    json!({
        "type": "object",
        "description": "secrets of workflows, by name",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "required": ["env", "hosts"],
            "properties": {
                "env": {
                    "type": "string",
                    "pattern": VARIABLE,
                    "description": "the environment variable that holds it",
                },
                "hosts": hosts,
            },
        },
    })
}
