//! What the stand-in does with a request: the vocabulary that tests script it in.

use serde_json::{Value, json};

use std::sync::Arc;

use super::http::Received;

const POST: &str = "chat.postMessage";

/// One scripted behaviour.
#[derive(Debug, Clone, Default)]
pub enum Behaviour {
    /// Takes effect and answers as Slack does: `chat.postMessage` echoes the channel and mints a `ts`, `auth.test` names
    /// the account, everything else is `{"ok":true}`.
    #[default]
    Slack,
    /// Takes effect and answers with this.
    Answer(Answer),
    /// Takes effect, never answers: the sender must be in doubt.
    ApplyThenSilence,
    /// Takes effect, then resets the connection: the sender must be in doubt.
    ApplyThenReset,
    /// Takes effect, then writes bytes that are no HTTP.
    ApplyThenGarbage,
    /// Resets the connection after reading the request, without effect; the sender cannot tell it from the one above.
    Reset,
    /// Answers with this and does nothing: a 4xx, a 5xx.
    Refuse(Answer),
    /// 429 with `Retry-After` in seconds, nothing done.
    TooManyRequests {
        /// Value of the header.
        retry_after_s: u32,
    },
    /// Takes effect and answers with less than it has announced, then closes.
    ApplyThenTruncate(Answer),
    /// Takes effect and answers a byte at a time, for longer than anybody waits.
    ApplyThenDrip(Answer),
    /// Does what this says of the request and of what has taken effect before.
    Play(Play),
    /// Keeps the request waiting for [`super::Provider::release`], then does the rest.
    HoldThen(Box<Self>),
}

/// A provider that a test plays.
#[derive(Clone)]
pub struct Play(Arc<Plays>);

type Plays = dyn Fn(&Received, &[Received]) -> Behaviour + Send + Sync;

impl Play {
    /// What it does with each request; never another play.
    pub fn new(does: impl Fn(&Received, &[Received]) -> Behaviour + Send + Sync + 'static) -> Self {
        Self(Arc::new(does))
    }
}

impl std::fmt::Debug for Play {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Play")
    }
}

/// A canned answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// Header names and values; length and connection are added.
    pub headers: Vec<(String, String)>,
    /// Body bytes.
    pub body: Vec<u8>,
}

/// What is left to do once it is clear what the behaviour means for this request.
#[derive(Debug)]
pub(super) enum Reaction {
    Wait(Behaviour),
    Apply(Answer),
    Decline(Answer),
    ApplyThenSilence,
    ApplyThenReset,
    ApplyThenGarbage,
    ApplyThenTruncate(Answer),
    ApplyThenDrip(Answer),
    Reset,
}

impl Answer {
    /// 200 with a JSON body.
    pub fn json(body: &Value) -> Self {
        Self::status(200, body)
    }

    /// Any status with a JSON body.
    pub fn status(status: u16, body: &Value) -> Self {
        let headers =
            vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Behaviour {
    /// Waits for a release before doing this.
    #[must_use]
    pub fn held(self) -> Self {
        Self::HoldThen(Box::new(self))
    }

    /// A 4xx or 5xx with a JSON body, nothing done.
    pub fn refuse(status: u16, body: &Value) -> Self {
        Self::Refuse(Answer::status(status, body))
    }

    pub(super) fn reaction(self, request: &Received, applied: &[Received]) -> Reaction {
        match self {
            Self::Slack => Reaction::Apply(slack(request, applied)),
            Self::Answer(answer) => Reaction::Apply(answer),
            Self::ApplyThenSilence => Reaction::ApplyThenSilence,
            Self::ApplyThenReset => Reaction::ApplyThenReset,
            Self::ApplyThenGarbage => Reaction::ApplyThenGarbage,
            Self::Reset => Reaction::Reset,
            Self::Refuse(answer) => Reaction::Decline(answer),
            Self::TooManyRequests { retry_after_s } => {
                let body = json!({"ok": false, "error": "ratelimited"});
                Reaction::Decline(
                    Answer::status(429, &body).header("Retry-After", &retry_after_s.to_string()),
                )
            }
            Self::ApplyThenTruncate(answer) => Reaction::ApplyThenTruncate(answer),
            Self::ApplyThenDrip(answer) => Reaction::ApplyThenDrip(answer),
            Self::Play(play) => (play.0)(request, applied).reaction(request, applied),
            Self::HoldThen(then) => Reaction::Wait(*then),
        }
    }
}

/// Slack's shapes: <https://docs.slack.dev/reference/methods/chat.postMessage>. A message's `ts` counts the posts that
/// took effect, so that `conversations.history` shows the same messages under the same `ts`.
fn slack(request: &Received, applied: &[Received]) -> Answer {
    let posts = || applied.iter().filter(|post| post.path().ends_with(POST)).enumerate();
    match request.path().rsplit('/').next().unwrap_or_default() {
        POST => {
            let message = message(posts().count(), request);
            let channel = request.json().unwrap_or_default()["channel"].clone();
            Answer::json(&json!({"ok": true, "channel": channel, "ts": message["ts"], "message": message}))
        }
        "conversations.history" => {
            let channel = request.target.split(['?', '&']).find_map(|part| part.strip_prefix("channel="));
            let here = |post: &Received| post.json().unwrap_or_default()["channel"].as_str() == channel;
            let messages: Vec<Value> =
                posts().filter(|(_, post)| here(post)).map(|(order, post)| message(order, post)).collect();
            Answer::json(&json!({"ok": true, "messages": messages, "has_more": false}))
        }
        "auth.test" => Answer::json(&json!({
            "ok": true, "url": "https://example.slack.com/", "team": "Example", "team_id": "T0EXAMPLE",
            "user": "placet", "user_id": "U0PLACET", "bot_id": "B0PLACET",
        }))
        .header("x-oauth-scopes", "chat:write,channels:read,channels:history,users:read"),
        "conversations.list" => Answer::json(&json!({
            "ok": true, "channels": [{"id": "C0SALES", "name": "sales", "is_channel": true}],
            "response_metadata": {"next_cursor": ""},
        })),
        _ => Answer::json(&json!({"ok": true})),
    }
}

fn message(order: usize, post: &Received) -> Value {
    let sent = post.json().unwrap_or_default();
    json!({
        "type": "message", "user": "U0PLACET", "bot_id": "B0PLACET", "text": sent["text"],
        "ts": format!("1700000000.{order:06}"), "metadata": sent["metadata"],
    })
}
