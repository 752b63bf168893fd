//! The stream of a project's events: made once, then compared field by field with what was asked for.
//!
//! The comparison is over the server's own JSON, not over a client's types: a server that does not know a field leaves it
//! out or silently changes another one (asking for schedules, say, lifts `deny_purge`), and exactly that must show.

use async_nats::jetstream;
use serde_json::{Map, Value, json};

use crate::error::{Error, Refusal};
use crate::subjects::{self, Token};

const NOT_FOUND: u64 = 404;
/// `JetStream` is not enabled for this account, or at all.
const NO_JETSTREAM: [u64; 2] = [10039, 10076];

/// The settings, as the server names them, the most telling first. What is `false`, 0 or null here must also be absent, off or empty there.
fn wanted(project: &Token, replicas: u8) -> Map<String, Value> {
    let settings = json!({
        "name": subjects::event_stream(project),
        "subjects": [subjects::events(project)],
        "allow_atomic": true,
        "deny_delete": true,
        "deny_purge": true,
        "allow_rollup_hdrs": false,
        "allow_msg_schedules": false,
        "allow_msg_ttl": false,
        "allow_msg_counter": false,
        // a reader of a copy that lags would be told an older end
        "allow_direct": false,
        "mirror_direct": false,
        "subject_delete_marker_ttl": 0,
        "storage": "file",
        "num_replicas": replicas,
        "retention": "limits",
        // no limit of any kind, and were there one: refuse the new rather than drop the old
        "discard": "new",
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msg_size": -1,
        "max_msgs_per_subject": -1,
        "no_ack": false,
        "sealed": false,
        "mirror": null,
        "sources": null,
        "subject_transform": null,
        "republish": null,
    });
    let Value::Object(settings) = settings else { unreachable!("the literal above is an object") };
    settings
}

/// Makes the stream if it is not there, reads back what is in force, and refuses it with the name of the first field that
/// differs.
pub(crate) async fn ensure(
    jetstream: &jetstream::Context,
    project: &Token,
    replicas: u8,
) -> Result<(), Error> {
    let wanted = wanted(project, replicas);
    let name = subjects::event_stream(project);
    let found = match ask(jetstream, &format!("STREAM.INFO.{name}"), &json!({})).await? {
        Ok(info) => info,
        Err((NOT_FOUND, _, _)) => {
            let given: Map<String, Value> = wanted
                .iter()
                .filter(|(_, value)| !is_off(value))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            match ask(jetstream, &format!("STREAM.CREATE.{name}"), &Value::Object(given)).await? {
                Ok(_) => reread(jetstream, &name).await?,
                Err((_, code, description)) => {
                    return Err(refused(&name, code, &description).into());
                }
            }
        }
        Err((_, code, description)) => return Err(refused(&name, code, &description).into()),
    };
    compare(&name, &wanted, &found["config"])?;
    Ok(())
}

/// What the server made of it: its answer to the create request would do, but the effective state is what counts.
async fn reread(jetstream: &jetstream::Context, name: &str) -> Result<Value, Error> {
    ask(jetstream, &format!("STREAM.INFO.{name}"), &json!({}))
        .await?
        .map_err(|(_, code, description)| refused(name, code, &description).into())
}

type Answer = Result<Value, (u64, u64, String)>;

/// One request to the `JetStream` API: the answer, or the server's status, error code and words.
async fn ask(jetstream: &jetstream::Context, subject: &str, body: &Value) -> Result<Answer, Error> {
    let answer: Value = jetstream
        .request(subject.to_owned(), body)
        .await
        .map_err(Error::unavailable("asking for the stream"))?;
    let error = &answer["error"];
    if error.is_null() {
        return Ok(Ok(answer));
    }
    let number = |key: &str| error[key].as_u64().unwrap_or_default();
    Ok(Err((
        number("code"),
        number("err_code"),
        error["description"].as_str().unwrap_or_default().to_owned(),
    )))
}

fn refused(stream: &str, code: u64, description: &str) -> Refusal {
    if NO_JETSTREAM.contains(&code) {
        Refusal::no_jetstream(description)
    } else {
        Refusal::stream(format!("{stream}: {description} ({code})"))
    }
}

fn compare(stream: &str, wanted: &Map<String, Value>, found: &Value) -> Result<(), Refusal> {
    for (field, wanted) in wanted {
        let found = &found[field];
        if found != wanted && !(is_off(wanted) && is_off(found)) {
            let detail = format!("{stream}: {field} is {found}, asked for {wanted}");
            return Err(Refusal::stream(detail));
        }
    }
    Ok(())
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_i64() == Some(0),
        Value::Array(values) => values.is_empty(),
        Value::String(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_that_differs_is_named() {
        let project = Token::parse("acme").unwrap();
        let wanted = wanted(&project, 1);
        let good = Value::Object(wanted.clone());
        compare("S", &wanted, &good).unwrap();
        for (field, value) in [
            ("deny_purge", json!(false)),
            ("allow_atomic", Value::Null),
            ("allow_msg_schedules", json!(true)),
            ("subject_delete_marker_ttl", json!(5)),
            ("storage", json!("memory")),
            ("max_msgs", json!(10)),
            ("subjects", json!(["placet.v1.ev.*.>"])),
            ("sources", json!([{"name": "other"}])),
        ] {
            let mut other = good.clone();
            other[field] = value;
            let refusal = compare("S", &wanted, &other).unwrap_err();
            assert_eq!(refusal.code, "PL5003");
            assert!(refusal.detail.contains(field), "{refusal}");
        }
    }
}
