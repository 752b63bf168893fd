//! Whether the server syncs what it acknowledges, as far as a client can learn it.
//!
//! By default a server syncs every two minutes: a power failure there takes events out of the stream that were
//! acknowledged. With one server that heals itself, since the log fills the stream again; in a cluster it can leave copies
//! that contradict each other (facts of Jepsen's analysis of 2.12.1), so there it is refused.
//!
//! An ordinary client cannot ask for it. The configuration that `placet nats config` prints lets the engine's account ask
//! the system account's `JSZ` and nothing else of it; on any other server the answer is *not known*.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::timeout;

use crate::connect::Connection;
use crate::error::{Error, Refusal};
use crate::subjects::SERVER_JETSTREAM;

/// How long the servers may take to answer; each further one as long again.
const PATIENCE: Duration = Duration::from_millis(500);

/// Servers whose answers are looked at.
const SERVERS_MAX: usize = 64;

/// When the server syncs what it has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncs {
    /// Before it acknowledges; every server that answered does.
    Always,
    /// At an interval, on one server at least.
    AtIntervals,
    /// It does not tell this client.
    NotKnown,
}

impl Syncs {
    /// The word in the status.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::AtIntervals => "at_intervals",
            Self::NotKnown => "not_known",
        }
    }
}

/// Asks all servers.
pub(crate) async fn syncs(connection: &Connection) -> Result<Syncs, Error> {
    let doing = "asking how the server syncs";
    let client = &connection.client;
    let inbox = client.new_inbox();
    let answers = client.subscribe(inbox.clone()).await.map_err(Error::unavailable(doing))?;
    let asked = client.publish_with_reply(SERVER_JETSTREAM, inbox, "{}".into()).await;
    asked.map_err(Error::unavailable(doing))?;
    let mut answers = answers.take(SERVERS_MAX);
    let mut found = Syncs::NotKnown;
    while let Ok(Some(answer)) = timeout(PATIENCE, answers.next()).await {
        found = match (found, of(&answer.payload)) {
            (_, Syncs::AtIntervals) => return Ok(Syncs::AtIntervals),
            // nobody may be asked, or not this
            (found, Syncs::NotKnown) => return Ok(found),
            (_, Syncs::Always) => Syncs::Always,
        };
    }
    Ok(found)
}

fn of(answer: &[u8]) -> Syncs {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match &answer["data"]["config"] {
        Value::Object(config) if config.get("sync_always") == Some(&Value::Bool(true)) => {
            Syncs::Always
        }
        // the server leaves out what is false
        Value::Object(_) => Syncs::AtIntervals,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Syncs::NotKnown
        }
    }
}

/// Refuses several copies of a stream on servers that are known to sync at intervals.
pub(crate) fn check(syncs: Syncs, replicas: u8) -> Result<(), Refusal> {
    match syncs {
        Syncs::AtIntervals if replicas > 1 => Err(Refusal::does_not_sync(replicas)),
        Syncs::Always | Syncs::AtIntervals | Syncs::NotKnown => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_does_not_say_is_not_known() {
        assert_eq!(of(br#"{"data":{"config":{"sync_always":true}}}"#), Syncs::Always);
        assert_eq!(of(br#"{"data":{"config":{"sync_interval":120000}}}"#), Syncs::AtIntervals);
        for other in ["", "[]", "{}", r#"{"data":{}}"#, r#"{"error":{"code":503}}"#] {
            assert_eq!(of(other.as_bytes()), Syncs::NotKnown, "{other}");
        }
    }
}
