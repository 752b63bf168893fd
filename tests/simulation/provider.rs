//! The world beyond the transport: providers that apply what they get, or do not, and say so, or do
//! not. It counts what took effect per send id, and that is the only thing that counts.
//!
//! A call is answered when the simulation says how; until then it hangs, as real ones do. The
//! provider's clock is the true time, whatever the engine believes.

use placet_adapters::{Answer, Call, Cause, Failed, Performing, Response, Transport};
use placet_model::request::{Body, PreparedRequest};
use placet_model::{AttemptId, Digest};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How long a provider with keys remembers one, as its manifest says.
const KEY_TTL_MS: i64 = 86_400_000;
/// How long after it took effect something is shown to whoever looks it up, at most; the manifest's own
/// assumption is shorter.
const LAG_MS_MAX: i64 = 30_000;
/// The read that looks up what may have been sent.
pub(crate) const LOOK_UP: &str = "slack.conversations.history";

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is applied, and the answer says so.
    Ok,
    /// The provider says no, for good.
    Refused,
    /// The provider says: later.
    Wait { seconds: u32 },
    /// Nobody listens; not a byte leaves.
    NoConnection,
    /// It is applied, and no answer comes.
    LostAnswer,
    /// It never arrives, and no answer comes.
    LostRequest,
    /// No answer comes in time, and it is applied later.
    Late { millis: i64 },
    /// It is applied, and the answer cannot be read.
    Garbage,
    /// The provider fails, before it was applied or after.
    Failure { applied: bool },
}

impl Ending {
    /// Whether the answer leaves no doubt about what happened.
    pub(crate) const fn is_clear(self) -> bool {
        match self {
            Self::Ok | Self::Refused | Self::Wait { .. } | Self::NoConnection => true,
            Self::LostAnswer
            | Self::LostRequest
            | Self::Late { .. }
            | Self::Garbage
            | Self::Failure { .. } => false,
        }
    }
}

/// A call that the engine has made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// None for a read.
    pub(crate) attempt: Option<AttemptId>,
    pub(crate) operation: String,
    /// Empty for a read.
    pub(crate) send_id: String,
    /// Of exactly what came.
    pub(crate) digest: Digest,
    /// None while it hangs, and where the process died before it ended.
    pub(crate) ending: Option<Ending>,
}

#[derive(Debug)]
struct Pending {
    /// Its place among the calls made.
    made: usize,
    channel: Value,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug, Default)]
struct State {
    /// True time.
    now: i64,
    made: Vec<Made>,
    pending: Vec<Pending>,
    /// Answers handed out, and futures that have ended.
    answered: (u64, u64),
    /// Moments at which something took effect, per send id.
    effects: BTreeMap<String, Vec<i64>>,
    /// When a key was first seen.
    keys: BTreeMap<String, i64>,
    /// What will arrive, and when.
    late: Vec<(i64, usize)>,
}

impl State {
    /// It arrives and takes effect, unless the provider knows its key.
    fn apply(&mut self, place: usize) {
        let made = &self.made[place];
        if made.attempt.is_none() {
            return;
        }
        if made.operation.starts_with("webhook.") {
            let known = self.keys.get(&made.send_id);
            if known.is_some_and(|first| self.now < first + KEY_TTL_MS) {
                return;
            }
            self.keys.insert(made.send_id.clone(), self.now);
        }
        self.effects.entry(made.send_id.clone()).or_default().push(self.now);
    }

    /// What took effect, as far as it is shown yet. Each look-up has a lag of its own; to every other
    /// everything is shown twice, also what never arrived.
    fn history(&self, place: usize) -> Response {
        let lag = LAG_MS_MAX * i64::try_from(place % 4).unwrap_or(0) / 3;
        let shown = |moments: &Vec<i64>| moments.iter().any(|at| at + lag <= self.now);
        let doubled = place % 2 == 1;
        let arrived = self.effects.iter().filter(|(_, moments)| shown(moments));
        let mut ids: Vec<&str> = arrived.map(|(id, _)| id.as_str()).collect();
        if doubled {
            let sent = self.made.iter().map(|made| made.send_id.as_str());
            ids = sent.filter(|id| !id.is_empty()).collect::<BTreeSet<_>>().into_iter().collect();
            ids.extend(ids.clone());
        }
        let message = |(n, id): (usize, &str)| json!({"type": "message", "ts": format!("1700000000.{n:06}"), "metadata": {"event_payload": {"placet_send": id}}});
        let messages: Vec<Value> = ids.into_iter().enumerate().map(message).collect();
        let body = json!({"ok": true, "messages": messages}).to_string();
        Response::new(200, vec![], body.into_bytes())
    }
}

/// All providers, as the live transport reaches them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Providers(Arc<Mutex<State>>);

impl Providers {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls that hang.
    pub(crate) fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    /// Calls begun, answers handed out, and answers that have reached the engine.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let state = self.lock();
        (state.made.len() as u64, state.answered.0, state.answered.1)
    }

    pub(crate) fn made(&self) -> Vec<Made> {
        self.lock().made.clone()
    }

    pub(crate) fn effects(&self) -> BTreeMap<String, Vec<i64>> {
        self.lock().effects.clone()
    }

    pub(crate) fn effects_of(&self, send_id: &str) -> usize {
        self.lock().effects.get(send_id).map_or(0, Vec::len)
    }

    /// Whether something of this send id may still arrive.
    pub(crate) fn is_under_way(&self, send_id: &str) -> bool {
        let state = self.lock();
        let mine = |place: &usize| state.made[*place].send_id == send_id;
        let late = state.late.iter().any(|(_, place)| mine(place));
        late || state.pending.iter().any(|pending| mine(&pending.made))
    }

    /// True time goes on, and what is late arrives.
    pub(crate) fn pass(&self, millis: i64) {
        let mut state = self.lock();
        let end = state.now + millis;
        let mut late = std::mem::take(&mut state.late);
        late.sort_unstable();
        for (at, place) in late {
            if at <= end {
                state.now = at;
                state.apply(place);
            } else {
                state.late.push((at, place));
            }
        }
        state.now = end;
    }

    /// Ends the n-th call that hangs.
    pub(crate) fn end(&self, n: usize, ending: Ending) {
        let mut state = self.lock();
        let pending = state.pending.remove(n);
        state.made[pending.made].ending = Some(ending);
        match ending {
            Ending::Ok
            | Ending::LostAnswer
            | Ending::Garbage
            | Ending::Failure { applied: true } => {
                state.apply(pending.made);
            }
            Ending::Late { millis } => {
                let at = state.now + millis;
                state.late.push((at, pending.made));
            }
            Ending::Refused
            | Ending::Wait { .. }
            | Ending::NoConnection
            | Ending::LostRequest
            | Ending::Failure { applied: false } => {}
        }
        state.answered.0 += 1;
        let webhook = state.made[pending.made].operation.starts_with("webhook.");
        let look_up = state.made[pending.made].operation == LOOK_UP;
        let answer = if webhook && ending == Ending::Refused {
            Ok(Response::new(410, vec![], vec![]))
        } else if look_up && ending == Ending::Ok {
            Ok(state.history(pending.made))
        } else {
            answer(ending, &pending.channel)
        };
        if pending.answer.send(answer).is_err() {
            state.answered.0 -= 1;
        }
    }

    /// The process is gone: what hangs arrives or does not, and nobody hears of it.
    pub(crate) fn lose_all(&self, mut arrives: impl FnMut() -> bool) {
        let pending = std::mem::take(&mut self.lock().pending);
        for call in pending {
            let mut state = self.lock();
            if arrives() {
                state.apply(call.made);
            }
            state.answered.0 += 1;
            if call.answer.send(Err(Failed::after(Cause::Reset, "the process is gone"))).is_err() {
                state.answered.0 -= 1;
            }
        }
    }
}

impl Transport for Providers {
    fn perform(&self, call: Call) -> Performing<'_> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.lock();
        state.made.push(Made {
            attempt: call.attempt,
            operation: call.operation.name().to_owned(),
            send_id: send_id(&call.request),
            digest: Digest::of(&call.request.to_bytes()),
            ending: None,
        });
        let made = state.made.len() - 1;
        state.pending.push(Pending { made, channel: call.input["channel"].clone(), answer });
        drop(state);
        Box::pin(async move {
            let answer = answered.await;
            self.lock().answered.1 += 1;
            answer.unwrap_or_else(|_gone| Err(Failed::after(Cause::Reset, "nobody answers")))
        })
    }
}

/// Where the send id stands in the bytes: a header, or the metadata of the message.
fn send_id(request: &PreparedRequest) -> String {
    let header = request.headers.iter().find(|(name, _)| name == "webhook-id");
    if let Some(id) = header.and_then(|(_, value)| value.as_plain()) {
        return id;
    }
    let Body::Bytes(body) = &request.body else { return String::new() };
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = &body["metadata"]["event_payload"]["placet_send"];
    id.as_str().unwrap_or_default().to_owned()
}

fn answer(ending: Ending, channel: &Value) -> Answer {
    let respond = |status: u16, headers: Vec<(String, String)>, body: &Value| {
        Ok(Response::new(status, headers, body.to_string().into_bytes()))
    };
    match ending {
        Ending::Ok => {
            let body = json!({"ok": true, "channel": channel, "ts": "1700000000.000100", "message": {}, "team_id": "T1", "user_id": "U1", "bot_id": "B1"});
            respond(200, vec![], &body)
        }
        Ending::Refused => {
            respond(200, vec![], &json!({"ok": false, "error": "channel_not_found"}))
        }
        Ending::Wait { seconds } => {
            let after = ("retry-after".to_owned(), seconds.to_string());
            respond(429, vec![after], &json!({"ok": false, "error": "ratelimited"}))
        }
        Ending::NoConnection => Err(Failed::before(Cause::Connect, "connection refused")),
        Ending::LostAnswer | Ending::LostRequest | Ending::Late { .. } => {
            Err(Failed::after(Cause::Timeout, "no answer in time"))
        }
        Ending::Garbage => Err(Failed::after(Cause::Unreadable, "the answer is no HTTP")),
        Ending::Failure { .. } => respond(503, vec![], &json!({})),
    }
}
