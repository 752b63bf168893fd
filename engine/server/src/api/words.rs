//! Words of a connection's life, as functions of the routes: what comes over a bus does the same acts.

use super::{Answer, authorize, connections, integrations, steps, subscriptions, triggers};
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Nothing, Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Does one word; `name` (and `provider`, `id`) in the body are what stands in the path of a route.
pub(crate) async fn words(
    app: State<Arc<App>>,
    caller: Caller,
    word: &str,
    mut body: Map<String, Value>,
) -> Answer {
    match word {
        "list" => {
            only(&body)?;
            return integrations::list(app, caller, Params::default()).await;
        }
        "connect" => {
            let (_created, answer) = integrations::connect(app, caller, read(body)?).await?;
            return Ok(answer);
        }
        "authorize" => {
            let provider = Place(taken(&mut body, "provider")?);
            return authorize::begin(app, caller, provider, read(body)?).await;
        }
        "triggers" if body.is_empty() => {
            return triggers::list(app, caller, Params::default()).await;
        }
        "triggers" => return triggers::set(app, caller, read(body)?).await,
        "stage" => {
            let id = Place(taken(&mut body, "id")?);
            only(&body)?;
            return authorize::stage(app, caller, id, Params::default()).await;
        }
        _ => {}
    }
    let name = Place(taken(&mut body, "name")?);
    match word {
        "rotate" => return connections::rotate(app, caller, name, read(body)?).await,
        "complete" => return steps::complete(app, caller, name, read(body)?).await,
        "scope" => return connections::scope(app, caller, name, read(body)?).await,
        "hooks" if body.contains_key("on") => {
            return subscriptions::set(app, caller, name, read(body)?).await;
        }
        _ => only(&body)?,
    }
    match word {
        "show" => connections::show(app, caller, name, Params::default()).await,
        "uses" => connections::uses(app, caller, name, Params::default()).await,
        "test" => connections::test(app, caller, name, Nothing).await,
        "enable" => integrations::enable(app, caller, name, Nothing).await,
        "disable" => integrations::disable(app, caller, name, Nothing).await,
        "sync" => subscriptions::sync(app, caller, name, Nothing).await,
        "hooks" => subscriptions::list(app, caller, name, Params::default()).await,
        "pair" => connections::pair(app, caller, name, Nothing).await,
        "disconnect" => integrations::disconnect(app, caller, name, Nothing).await,
        _ => Err(Problem::new("PL4012", format!("there is no word {word}"))),
    }
}

fn taken(body: &mut Map<String, Value>, member: &str) -> Result<String, Problem> {
    match body.remove(member) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Problem::malformed(format!("{member}: a text is needed"))),
    }
}

/// Nothing more was said.
fn only(body: &Map<String, Value>) -> Result<(), Problem> {
    match body.keys().next() {
        None => Ok(()),
        Some(name) => Err(Problem::malformed(format!("body: unknown field `{name}`"))),
    }
}

fn read<T: DeserializeOwned>(body: Map<String, Value>) -> Result<Json<T>, Problem> {
    let read = serde_json::from_value(Value::Object(body));
    // an error of the parser would repeat what it was given, and that may be a secret
    read.map(Json).map_err(|error| Problem::malformed(format!("body: {}", kind(&error))))
}

fn kind(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let names_a_field = words.starts_with("unknown field") || words.starts_with("missing field");
    if names_a_field { words } else { "a member is of another type".to_owned() }
}
