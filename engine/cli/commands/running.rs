//! What `dev` and `serve` have in common once their engine runs: the way to NATS, and the end.

use crate::commands::dev::proposals::{LOOK_EVERY, Proposals};
use crate::exit::{Exit, invalid};
use crate::out;
use anyhow::Result;
use placet_bus::subjects::Token as Subject;
use placet_bus::{Bus, EventSource, Inbox, Options, Status, Syncs};
use placet_executor::{Handle, Notice};
use serde_json::Value;
use std::collections::BTreeSet;
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
