//! What `dev` and `serve` have in common once their engine runs: the way to NATS, and the end.

use crate::commands::dev::proposals::{LOOK_EVERY, Proposals};
use crate::exit::{Exit, invalid};
use crate::out;
use anyhow::Result;
use placet_bus::subjects::Token as Subject;
use placet_bus::{
    Bus, EventSource, Inbox, InboxRefusal, Operate, Operation, Options, Status, Syncs,
};
use placet_executor::inbox::Problem;
use placet_executor::{Handle, Notice};
use placet_server::Server;
use placet_server::words::{Carries, Request};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

/// Which NATS server, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Nats {
    pub(crate) url: String,
    pub(crate) seed: Option<String>,
}

/// Follows the log to NATS and, with an inbox, answers there. A server that is away is looked for
/// each second; one that is unfit is said to be.
pub(crate) fn bus(
    nats: Nats,
    handle: &Handle,
    (inbox, told): (Option<Inbox>, watch::Sender<Value>),
) -> Result<Bus> {
    let config = handle.config();
    let project = Subject::parse(&config.project);
    let options = Options {
        url: nats.url,
        seed: nats.seed,
        project: project.map_err(|error| invalid(error.to_string()))?,
        replicas: u8::try_from(config.nats.replicas).unwrap_or(1),
    };
    let bus = Bus::start(options, EventSource::of(handle.log()), inbox);
    tokio::spawn(tell_status(bus.status(), told));
    Ok(bus)
}

/// What comes over NATS about connections goes to the server's own functions.
pub(crate) fn operate(server: &Server, url: Option<&str>) -> Operate {
    let desk = server.desk(carries(url.unwrap_or_default()));
    Arc::new(move |asked: Operation| {
        let desk = desk.clone();
        Box::pin(async move {
            let Operation { user, assurance, request_id, word, body } = asked;
            let request = Request { user, assurance, repeat: request_id, word: word.text(), body };
            desk.ask(request).await.map_err(|problem| {
                let Problem { code, title, detail } = problem;
                InboxRefusal { code, title, detail }
            })
        })
    })
}

/// Whether others can read what goes to the server.
fn carries(url: &str) -> Carries {
    let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
    let place = rest.rsplit_once('@').map_or(rest, |(_login, place)| place);
    let host = place.rsplit_once(':').map_or(place, |(host, _port)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if is_here || matches!(scheme, "tls" | "wss") { Carries::Secrets } else { Carries::NoSecrets }
}

/// Says each thing once, until the server has been away: a stream that is refused is looked at
/// again and again.
async fn tell_status(mut status: watch::Receiver<Status>, told: watch::Sender<Value>) {
    let mut said = BTreeSet::new();
    loop {
        told.send_replace(status.borrow().to_json());
        let words = match &*status.borrow_and_update() {
            Status::Connecting { attempts: 1, reason } => {
                said.clear();
                Some(format!("nats is not there, looking each second: {reason}"))
            }
            Status::Connecting { .. } => None,
            Status::Refused(refusal) => Some(format!("nats cannot be used: {refusal}")),
            Status::Ready { server, syncs } => Some(ready(server, *syncs)),
        };
        if let Some(words) = words.filter(|words| !said.contains(words)) {
            out::say(&words);
            said.insert(words);
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

/// What cannot be told does not stand in the way of one server.
fn ready(server: &str, syncs: Syncs) -> String {
    let more = match syncs {
        Syncs::Always => "",
        Syncs::AtIntervals => {
            "; it acknowledges before it syncs: a power failure there takes events out of the stream, until the log fills it \
             again; set jetstream { sync_interval: always }"
        }
        Syncs::NotKnown => {
            "; whether it syncs what it acknowledges is not known: `placet nats config` prints a server that tells"
        }
    };
    format!("nats is ready (server {server}){more}")
}

/// The signals that ask the engine to stop. They are kept from the moment at which this is made.
#[derive(Debug)]
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(crate) fn heard() -> Result<Self> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    /// Until one of them comes.
    pub(crate) async fn until(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Until somebody stops it, or the engine cannot go on. Meanwhile changed files are applied, where
/// there are proposals to apply.
pub(crate) async fn until_stopped(
    handle: &Handle,
    mut proposals: Option<&mut Proposals>,
    mut asked: Stop,
) -> Result<Exit> {
    let mut notices = handle.notices();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = asked.interrupt.recv() => return Ok(Exit::Done),
            _ = asked.terminate.recv() => return Ok(Exit::Done),
            _ = look.tick() => {
                if let Some(proposals) = &mut proposals {
                    proposals.look_again(handle).await?;
                }
            }
            notice = notices.recv() => {
                if matches!(notice, Err(RecvError::Closed)) {
                    out::say("the engine has stopped; start it again");
                    return Ok(Exit::Negative);
                }
                if matches!(notice, Ok(Notice::Failed)) {
                    out::say("a commit failed: the engine stops; start it again to read back what was recorded");
                    return Ok(Exit::Negative);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_goes_to_a_server_here_or_over_tls() {
        for url in [
            "nats://127.0.0.1:4222",
            "nats://u:p@localhost:4222",
            "nats://[::1]:4222",
            "tls://n.example:4222",
        ] {
            assert_eq!(carries(url), Carries::Secrets, "{url}");
        }
        for url in [
            "nats://n.example:4222",
            "nats://10.0.0.7",
            "n.example",
            "nats://127.0.0.1@n.example:4222",
            "ws://n.example",
        ] {
            assert_eq!(carries(url), Carries::NoSecrets, "{url}");
        }
    }
}
