//! One conversation, stage by stage.

use super::answer;
use super::login::Login;
use super::message::Mail;
use super::reply::Reply;
use super::target::{Security, Target};
use super::wire::{Broken, Stop, Wire};
use crate::transport::Egress;
use placet_adapters::{Answer, Cause, Failed};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Longest time for one reply before the dot.
const REPLY_MAX: Duration = Duration::from_mins(1);
/// A server that has answered is told that we go, and not waited for.
const QUIT_MAX: Duration = Duration::from_millis(500);
/// How we introduce ourselves: what a client without a name says (RFC 5321 §4.1.3), so that nothing
/// of the machine is told.
const EHLO: &str = "EHLO [127.0.0.1]\r\n";

/// A no, and where it came.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) stage: &'static str,
    pub(super) reply: Reply,
    /// `{at, code, reply}` of each recipient that was refused, by its place in the envelope.
    pub(super) refused: Vec<Value>,
    pub(super) accepted: usize,
}

pub(super) struct Session {
    /// None after a handshake that failed.
    wire: Option<Wire>,
    ready: Instant,
    banner: String,
    /// The lines of the last EHLO.
    offers: Vec<String>,
}

impl Session {
    pub(super) const fn new(wire: Wire, ready: Instant) -> Self {
        Self { wire: Some(wire), ready, banner: String::new(), offers: Vec::new() }
    }

    fn wire(&mut self) -> Result<&mut Wire, Broken> {
        self.wire.as_mut().ok_or_else(|| Broken::new(Cause::Tls, "the connection is gone"))
    }

    fn until(&self) -> Instant {
        self.ready.min(Instant::now() + REPLY_MAX)
    }

    /// Says a line and hears the reply.
    async fn say(&mut self, line: &str) -> Result<Reply, Broken> {
        let until = self.until();
        let wire = self.wire()?;
        wire.write(line.as_bytes(), until).await?;
        wire.reply(until).await
    }

    /// The same, with a reply of this class or an end.
    async fn ask(&mut self, stage: &'static str, line: &str, class: u16) -> Result<Reply, Stop> {
        let reply = self.say(line).await?;
        expect(stage, reply, class)
    }

    /// Greeting, EHLO and, where it is demanded, STARTTLS with a second EHLO.
    pub(super) async fn greet(&mut self, egress: &Egress, target: &Target) -> Result<(), Stop> {
        let until = self.until();
        let greeting = self.wire()?.reply(until).await?;
        let greeting = expect("greeting", greeting, 2)?;
        self.banner = greeting.lines.join(" ");
        self.offers = self.ask("ehlo", EHLO, 2).await?.lines;
        if target.security != Security::StartTls {
            return Ok(());
        }
        if self.offer("STARTTLS").is_none() {
            let words = "the mail server offers no TLS, and nothing is said without it";
            return Err(Broken::new(Cause::Refused, words).into());
        }
        self.ask("starttls", "STARTTLS\r\n", 2).await?;
        let until = self.until();
        if let Some(wire) = self.wire.take() {
            let secured = tokio::time::timeout_at(until, wire.secure(egress, target)).await;
            let late = |_elapsed| Broken::new(Cause::Timeout, "the TLS handshake took too long");
            self.wire = Some(secured.map_err(late)??);
        }
        // what was offered in the clear may be a lie
        self.offers = self.ask("ehlo", EHLO, 2).await?.lines;
        Ok(())
    }

    /// What stands after a word of the offers.
    fn offer(&self, word: &str) -> Option<&str> {
        self.offers.iter().skip(1).find_map(|line| {
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            name.eq_ignore_ascii_case(word).then_some(rest)
        })
    }

    pub(super) async fn log_in(&mut self, login: &Login) -> Result<(), Stop> {
        if !self.wire()?.may_carry_secrets() {
            let words = "a password goes over no connection without TLS";
            return Err(Broken::new(Cause::Refused, words).into());
        }
        let offered = self.offer("AUTH").unwrap_or_default();
        let offered: Vec<String> = offered.split(' ').map(str::to_owned).collect();
        let Some(words) = login.words(&offered) else {
            let words = "the mail server offers no way to log in that is known here";
            return Err(Broken::new(Cause::Refused, words).into());
        };
        let mut reply = self.say(&line("AUTH ", words.first.expose())).await?;
        for secret in &words.then {
            expect("auth", reply, 3)?;
            reply = self.say(&line("", secret.expose())).await?;
        }
        if reply.class() == 3 {
            // XOAUTH2 tells why in a question; an empty answer ends it
            reply = self.say("\r\n").await?;
        }
        expect("auth", reply, 2).map(drop)
    }

    /// The envelope, the server's go, and the message without its dot.
    pub(super) async fn hand_over(&mut self, mail: &Mail) -> Result<(), Stop> {
        let size = match self.offer("SIZE") {
            Some(limit) => {
                let limit = limit.parse().unwrap_or(0);
                if limit > 0 && mail.size > limit {
                    let words =
                        format!("the server takes {limit} bytes, the mail has {}", mail.size);
                    return Err(Broken::new(Cause::Refused, words).into());
                }
                format!(" SIZE={}", mail.size)
            }
            None => String::new(),
        };
        self.ask("mail", &format!("MAIL FROM:<{}>{size}\r\n", mail.from), 2).await?;
        self.name_recipients(mail).await?;
        self.ask("data", "DATA\r\n", 3).await?;
        let ready = self.ready;
        self.wire()?.write(&mail.stuffed, ready).await?;
        Ok(())
    }

    /// Everybody, or nobody: each is named, so that whoever reads the answer learns of all of them.
    async fn name_recipients(&mut self, mail: &Mail) -> Result<(), Stop> {
        let (mut refused, mut worst): (Vec<Value>, Option<Reply>) = (Vec::new(), None);
        for (at, recipient) in mail.recipients.iter().enumerate() {
            let reply = self.say(&format!("RCPT TO:<{recipient}>\r\n")).await?;
            if reply.class() == 2 {
                continue;
            }
            refused.push(json!({"at": at, "code": reply.code, "reply": reply.text()}));
            // one that is refused for good cannot be helped by waiting for the others
            if worst.as_ref().is_none_or(|known| known.class() < reply.class()) {
                worst = Some(reply);
            }
        }
        let Some(reply) = worst else { return Ok(()) };
        let accepted = mail.recipients.len() - refused.len();
        let left = Left { stage: "rcpt", reply, refused, accepted };
        Err(if matches!(left.reply.class(), 4 | 5) { Stop::Said(left) } else { unreadable() })
    }

    /// The dot. From here on only a reply says what became of the mail.
    pub(super) async fn finish(&mut self, mail: &Mail, until: Instant) -> Answer {
        let after = |broken: Broken| Failed::after(broken.cause, broken.detail);
        let wire = self.wire().map_err(after)?;
        wire.write(b".\r\n", until).await.map_err(after)?;
        let reply = wire.reply(until).await.map_err(after)?;
        let more = match reply.class() {
            2 => json!({"message_id": mail.message_id, "recipients": mail.recipients.len()}),
            _ => json!({"refused": [], "accepted": 0}),
        };
        Ok(answer("message", &reply, more))
    }

    /// Logged in: who and where.
    pub(super) async fn checked(&mut self, login: &Login, target: &Target) -> Answer {
        let reply = self.say("NOOP\r\n").await.map_err(Broken::failed)?;
        let more = json!({"user": login.user, "host": target.host, "banner": self.banner});
        Ok(answer("noop", &reply, more))
    }

    /// Takes back what was begun, and goes. What comes of it changes nothing.
    pub(super) async fn leave(&mut self) {
        let until = Instant::now() + QUIT_MAX;
        if let Some(wire) = &mut self.wire
            && wire.write(b"QUIT\r\n", until).await.is_ok()
        {
            drop(wire.reply(until).await);
        }
    }
}

fn line(verb: &str, rest: &str) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(format!("{verb}{rest}\r\n"))
}

/// A reply of the wanted class; a 4 or 5 is a no, and everything else no reply to this.
fn expect(stage: &'static str, reply: Reply, class: u16) -> Result<Reply, Stop> {
    match reply.class() {
        got if got == class => Ok(reply),
        4 | 5 => Err(Stop::Said(Left { stage, reply, refused: Vec::new(), accepted: 0 })),
        _ => Err(unreadable()),
    }
}

fn unreadable() -> Stop {
    Broken::new(Cause::Unreadable, "the mail server answers something else").into()
}
