//! Asking witnesses to sign each checkpoint (C2SP tlog-witness). One that is away, or that says no,
//! holds up nothing: it is asked again with the next checkpoint. The last one, of an engine that
//! stops in order, is shown to them too, for a time that is bounded.

use crate::exit::invalid;
use anyhow::{Context, Result, bail};
use placet_egress::control::Control;
use placet_executor::Handle;
use placet_log::checkpoint::Recorded;
use placet_log::note::{KeyKind, Signature, VerifierKey};
use placet_log::proof::consistency;
use placet_log::witness::Request;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// For one answer of a witness.
const ANSWER: Duration = Duration::from_secs(10);
/// For all that witnesses say to the last checkpoint: who stops an engine waits for it.
const LAST: Duration = Duration::from_secs(5);

/// The way on where the log was restored, and its witness has seen more.
const FORGET: &str = "if it was restored on purpose, whoever runs the witness lets it go on with `placet witness forget`";

/// The witnesses of a project.
#[derive(Debug, Default)]
pub(crate) struct Witnesses(Vec<One>);

#[derive(Debug)]
struct One {
    way: Control,
    key: VerifierKey,
}

/// The tasks that ask them.
#[derive(Debug)]
pub(crate) struct Asking {
    tasks: JoinSet<()>,
    /// Whether the newest checkpoint is the last one.
    is_last: watch::Sender<bool>,
}

impl Asking {
    /// Shows them the last checkpoint of an engine that has stopped, and ends.
    pub(crate) async fn finish(mut self) {
        self.is_last.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST, all).await.is_err() {
            tracing::warn!(
                "not every witness has answered: the last checkpoint is unwitnessed there"
            );
            self.stop().await;
        }
    }

    /// Ends without more.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Witnesses {
    /// Each as `URL KEY`.
    pub(crate) fn of(listed: &[String]) -> Result<Self> {
        let one = |text: &String| {
            let no =
                |why: &dyn std::fmt::Display| invalid(format!("audit.witnesses: {text}: {why}"));
            let (url, key) = text.split_once(' ').ok_or_else(|| no(&"write `URL KEY`"))?;
            // what stands below the URL stays below it
            let url = if url.ends_with('/') { url.to_owned() } else { format!("{url}/") };
            let way = Control::new(&url, None).map_err(|error| no(&error))?;
            let key = self::key(key.trim(), KeyKind::Witness).map_err(|error| no(&error))?;
            Ok(One { way, key })
        };
        listed.iter().map(one).collect::<Result<_>>().map(Self)
    }

    /// Asks each of them, whenever there is another checkpoint.
    pub(crate) fn ask(self, handle: &Handle) -> Asking {
        let (is_last, last) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for one in self.0 {
            tasks.spawn(one.follow(handle.clone(), last.clone()));
        }
        Asking { tasks, is_last }
    }
}

impl One {
    async fn follow(self, handle: Handle, mut last: watch::Receiver<bool>) {
        let mut latest = handle.checkpoints();
        let mut seen = 0;
        loop {
            // looked at first: what is newest after it is the last one then
            let is_last = *last.borrow_and_update();
            let recorded = latest.borrow_and_update().clone();
            let unsigned = recorded.filter(|recorded| recorded.note.verify(&self.key).is_err());
            if let Some(recorded) = unsigned {
                let name = self.key.name();
                match self.sign(&handle, &recorded, &mut seen).await {
                    Ok(()) => tracing::info!(name, size = recorded.head.size, "witnessed"),
                    Err(error) => {
                        tracing::warn!(name, "a witness has not signed the log's head: {error:#}");
                    }
                }
            }
            if is_last {
                return;
            }
            let gone = tokio::select! {
                changed = latest.changed() => changed.is_err(),
                changed = last.changed() => changed.is_err(),
            };
            if gone {
                return;
            }
        }
    }

    /// `seen` is the size that it has signed last, as far as we know.
    async fn sign(&self, handle: &Handle, recorded: &Recorded, seen: &mut u64) -> Result<()> {
        let size = recorded.head.size;
        let mut reply = self.post(handle, recorded, *seen).await?;
        if reply.0 == 409 {
            let known: u64 = reply.1.trim().parse().context("its answer names no size")?;
            if known > size {
                bail!(
                    "it has seen {known} events of this log, which ends at {size}: the log was rolled back; {FORGET}"
                );
            }
            if known == *seen {
                bail!("it has seen another log of {known} events under this name; {FORGET}");
            }
            reply = self.post(handle, recorded, known).await?;
        }
        let (status, text) = reply;
        match status {
            200 => {}
            // the proof does not lead from what it has seen to what we have
            422 => bail!("it answered {status}: {}; {FORGET}", text.trim()),
            _ => bail!("it answered {status}: {}", text.trim()),
        }
        let lines = text.lines().filter_map(|line| line.parse::<Signature>().ok());
        let line = lines.into_iter().find(|line| line.is_of(&self.key));
        let line = line.context("its answer has no signature of its key")?;
        handle.cosigned(recorded, &self.key, line).await?;
        *seen = size;
        Ok(())
    }

    async fn post(&self, handle: &Handle, recorded: &Recorded, old: u64) -> Result<(u16, String)> {
        let (reader, size) = (handle.clone(), recorded.head.size);
        let proof = tokio::task::spawn_blocking(move || {
            let view = reader.view()?;
            let proof = consistency(old, size, &mut |level, index| view.node(level, index))?;
            Ok::<_, placet_executor::Error>(proof)
        });
        let note = recorded.note.clone();
        let body = Request { old, proof: proof.await??, note }.to_string().into_bytes();
        let answer = tokio::time::timeout(ANSWER, self.way.post("add-checkpoint", &[], body));
        let reply = answer.await.context("it did not answer in time")??;
        Ok((reply.status, String::from_utf8_lossy(&reply.body).into_owned()))
    }
}

/// A key by its text, or by a file with it.
pub(crate) fn key(given: &str, kind: KeyKind) -> Result<VerifierKey> {
    let parsed = match given.parse::<VerifierKey>() {
        Err(_) if Path::new(given).is_file() => std::fs::read_to_string(given)?.trim_end().parse(),
        parsed => parsed,
    };
    let key = parsed.map_err(|error| invalid(error.to_string()))?;
    if key.kind() == kind {
        return Ok(key);
    }
    let is = match key.kind() {
        KeyKind::Log => "a log's key, not a witness's",
        KeyKind::Witness => "a witness's key, not a log's",
    };
    Err(invalid(format!("{given} is {is}")))
}
