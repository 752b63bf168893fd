//! `placet integrations connect PROVIDER --oauth`: prints the link on which a person gives the grant, and
//! waits for them to come back from the provider.

use super::{Connect, credential, row, settings};
use crate::exit::Refused;
use crate::link::{Link, encoded};
use crate::out;
use anyhow::Result;
use placet_executor::inbox::Problem;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How often the engine is asked whether the person is back.
const INTERVAL: Duration = Duration::from_millis(500);

pub(super) async fn connected(link: &Link, connect: Connect) -> Result<()> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    if let Some(name) = &connect.name {
        put("name", json!(name));
    }
    if !connect.settings.is_empty() {
        put("settings", settings(&connect.settings)?);
    }
    if !connect.credential.is_empty() {
        put("credential", credential(&connect.credential)?);
    }
    if connect.default {
        put("default", json!(true));
    }
    let mut client = Map::new();
    if let Some(id) = &connect.person.client_id {
        client.insert("id".to_owned(), json!(id));
    }
    if let Some(secret) = &connect.person.client_secret {
        client.insert("secret".to_owned(), json!(super::secret(secret)?));
    }
    put("client", Value::Object(client));
    put("scopes", json!(connect.person.scopes));
    if let Some(host) = &connect.person.host {
        put("host", json!(host));
    }
    let path = format!("/api/v1/integrations/{}/authorize", encoded(&connect.provider));
    let begun = link.post(&path, &Value::Object(body)).await?;
    let text = |name: &str| begun[name].as_str().unwrap_or_default().to_owned();
    out::say(&format!(
        "your app at {} must know this redirect address: {}",
        connect.provider,
        text("redirect_uri")
    ));
    out::say("open this link within ten minutes, in the browser in which you are logged in there:");
    out::data(&text("url"))?;
    let path = format!("/api/v1/authorizations/{}", text("id"));
    loop {
        tokio::time::sleep(INTERVAL).await;
        let stage = link.get(&path).await?;
        match stage["status"].as_str() {
            Some("waiting") => {}
            Some("connected") => return done(&stage["integration"], connect.json),
            _ => {
                let word = |name: &str| stage[name].as_str().unwrap_or_default().to_owned();
                let (code, detail) = (word("code"), word("detail"));
                let title = placet_model::code::find(&code).map_or("", |code| code.title);
                return Err(Refused(Problem { code, title: title.to_owned(), detail }).into());
            }
        }
    }
}

fn done(integration: &Value, as_json: bool) -> Result<()> {
    if as_json {
        return out::json(integration);
    }
    if let Some(before) = integration["acted_as_before"].as_str() {
        out::say(&format!(
            "it acted as {} before: what was approved for that account is void",
            out::visible(before)
        ));
    }
    let missing = integration["missing_scopes"].as_array().into_iter().flatten();
    let missing: Vec<&str> = missing.filter_map(Value::as_str).collect();
    if !missing.is_empty() {
        out::say(&format!("not granted: {}", out::visible(&missing.join(", "))));
    }
    out::data(&row(integration).join("  "))
}
