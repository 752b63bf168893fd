//! Mail servers (RFC 5321): the approved envelope and message, handed over once.
//!
//! Until the last line of the message, a lone dot, a server has taken nothing (RFC 5321 §4.1.1.4), so
//! everything that breaks before that dot is written is `BeforeSend`. From the dot on only a reply
//! says what became of the mail; no reply is `AfterSend`. A recipient that is refused ends it before
//! the message is sent: a mail reaches everybody on its envelope, or nobody.

mod login;
mod message;
mod reply;
mod session;
mod target;
mod wire;

use crate::transport::{Egress, Errand};
use message::Mail;
use placet_adapters::{Answer, Cause, Failed, FilledRequest, Response};
use reply::Reply;
use serde_json::{Value, json};
use session::{Left, Session};
use std::time::Duration;
use target::Target;
use tokio::time::Instant;
use wire::Stop;

/// Longest time to look up, connect, shake hands and be greeted.
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// Whether this is for a mail server.
pub(crate) fn takes(method: &str) -> bool {
    matches!(method, "MAIL" | "NOOP")
}

/// Whether a mail server has refused what somebody proved itself with (RFC 4954 §6): a token that is
/// over is renewed.
pub(crate) fn refuses_login(method: &str, response: &Response) -> bool {
    takes(method)
        && response.status == 535
        && response.json().is_some_and(|body| body["stage"] == "auth")
}

/// What a mail server is asked for.
enum Wish {
    Send(Mail),
    Check,
}

impl Egress {
    /// Hands the mail over, or only logs in.
    pub(crate) async fn mail(&self, errand: &Errand<'_>, filled: &FilledRequest) -> Answer {
        let refuse = |refusal: crate::Refusal| Failed::before(Cause::Refused, refusal.to_string());
        let target = Target::check(filled.url.expose(), self.config()).map_err(refuse)?;
        let wish = match filled.method.as_str() {
            "MAIL" => Wish::Send(message::read(filled)?),
            _ => Wish::Check,
        };
        let login = login::read(filled)?;
        // half of the time is for everything before the dot, so that the server has the other half
        let start = Instant::now();
        let ready = start + errand.timeout / 2;
        let connected = ready.min(start + CONNECT_MAX);
        let wire = wire::connect(self, &target, connected).await.map_err(wire::Broken::failed)?;
        let mut session = Session::new(wire, ready);
        let talked = self.talk(&mut session, &target, (&wish, &login)).await;
        let answer = match talked {
            Ok(()) => match &wish {
                Wish::Check => session.checked(&login, &target).await,
                Wish::Send(mail) => session.finish(mail, start + errand.timeout).await,
            },
            Err(Stop::Said(left)) => Ok(refused(&left)),
            Err(Stop::Broken(broken)) => Err(broken.failed()),
        };
        session.leave().await;
        answer
    }

    /// Everything before the dot.
    async fn talk(
        &self,
        session: &mut Session,
        target: &Target,
        (wish, login): (&Wish, &login::Login),
    ) -> Result<(), Stop> {
        session.greet(self, target).await?;
        session.log_in(login).await?;
        match wish {
            Wish::Check => Ok(()),
            Wish::Send(mail) => session.hand_over(mail).await,
        }
    }
}

/// A reply as an answer: its code is the status, and where it came is part of the body.
fn answer(stage: &str, reply: &Reply, more: Value) -> Response {
    let mut body = json!({"code": reply.code, "stage": stage, "reply": reply.text()});
    if let Some(enhanced) = reply.enhanced() {
        body["enhanced"] = json!(enhanced);
    }
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Response::new(reply.code, headers, body.to_string().into_bytes())
}

/// A reply that ended it before anything was taken.
fn refused(left: &Left) -> Response {
    answer(left.stage, &left.reply, json!({"refused": left.refused, "accepted": left.accepted}))
}

/// Debug only ever says how it went, never what was said.
impl std::fmt::Debug for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Send(_) => "Send",
            Self::Check => "Check",
        })
    }
}
