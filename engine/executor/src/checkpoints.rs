//! Signing the log: by request, every so many events or seconds, and when the engine stops.
//!
//! A checkpoint is taken only when an event other than a checkpoint or a cosignature came since the
//! last, so a log that is left alone is signed once and then costs nothing: the keeper sleeps on
//! the log's head, with no timer running. It works beside the writer loop, on a stream that nothing
//! else writes, and changes nothing in the loop.
//!
//! Order: the key directory remembers the head, then the signature exists, then the event is
//! recorded, then the files are written. A crash in between costs the event or the file, never the
//! memory of what was signed.
//!
//! Once the loop has ended in order, the last checkpoint and what witnesses say to it are appended
//! without it: nobody else appends then.

use crate::env::Env;
use crate::handle::{Error, Handle};
use crate::input::Input;
use crate::inputs::Inputs;
use crate::mint::Mint;
use placet_log::checkpoint::Recorded;
use placet_log::note::{Note, Signature, VerifierKey};
use placet_log::{Append, AppendError, Expected, Log, NewEvent, SignedHead, Signer, replace_file};
use placet_model::event::governance::{CheckpointCosigned, CheckpointSigned};
use placet_model::{Actor, Event, Position, Revision, StreamId, Timestamp};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::time::Instant;

/// The log's signing, shared by whoever asks for it. Holds no [`Handle`]: it keeps no engine alive.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoints(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    env: Arc<Env>,
    inputs: Inputs,
    /// Held from looking at the last checkpoint to having recorded the next.
    turn: Mutex<()>,
    latest: watch::Sender<Option<Recorded>>,
    files: OnceLock<Vec<PathBuf>>,
    /// Whether the loop has ended in order; set under `turn`.
    ended: AtomicBool,
}

impl Checkpoints {
    pub(crate) fn new(env: Arc<Env>, inputs: Inputs) -> Self {
        let (latest, _) = watch::channel(None);
        let (turn, files, ended) = (Mutex::default(), OnceLock::new(), AtomicBool::new(false));
        Self(Arc::new(Inner { env, inputs, turn, latest, files, ended }))
    }

    /// The newest checkpoint: one that was there, while it vouches for every event, or a new one.
    async fn take(&self) -> Result<Recorded, Error> {
        let _turn = self.0.turn.lock().await;
        let env = Arc::clone(&self.0.env);
        let next = blocking(move || next(&env.log, &env.mint, env.now())).await?;
        let recorded = match next {
            Next::Old(recorded) => recorded,
            Next::New(recorded, append) => {
                self.append(append).await?;
                recorded
            }
        };
        self.publish(&recorded).await?;
        Ok(recorded)
    }

    /// Records what a witness says to a checkpoint.
    async fn cosign(&self, of: &Recorded, key: &VerifierKey, line: Signature) -> Result<(), Error> {
        let _turn = self.0.turn.lock().await;
        let mut note = Note::clone(&of.note);
        note.add(line.clone());
        let refused = |detail: String| Error::Refused { code: "PL1203", detail };
        note.verify(key).map_err(|error| refused(error.to_string()))?;
        let (env, head) = (Arc::clone(&self.0.env), of.head);
        let body = CheckpointCosigned {
            size: head.size,
            root: head.root,
            witness: key.name().to_owned(),
            line: line.to_string(),
        };
        let append = blocking(move || {
            let revision = env.view()?.revision(&StreamId::Checkpoints)?;
            Ok(append((&env.mint, env.now()), revision, body.into()))
        });
        self.append(append.await?).await?;
        let env = Arc::clone(&self.0.env);
        let last = blocking(move || Ok(Recorded::last(&env.view()?)?)).await?;
        if let Some(last) = last {
            self.publish(&last).await?;
        }
        Ok(())
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        if self.0.ended.load(Ordering::Acquire) {
            let env = Arc::clone(&self.0.env);
            return blocking(move || append_alone(&env.log, env.now(), append)).await;
        }
        let (reply, answer) = oneshot::channel();
        let inputs = self.0.inputs.clone();
        // an engine that only reads has no loop, and appends nothing
        inputs.send(Input::Wake).map_err(|_ended| Error::Stopping)?;
        self.0.env.log.append_with(self.0.env.now(), append, move |result| {
            let _the_loop_has_ended = inputs.send(Input::Appended { result, reply });
        });
        answer.await.map_err(|_ended| Error::Stopping)?.map(drop)
    }

    /// Writes the files, where there are any, and tells who waits.
    async fn publish(&self, recorded: &Recorded) -> Result<(), Error> {
        let is_new = self.0.latest.send_if_modified(|latest| {
            let is_new = latest.as_ref().is_none_or(|latest| latest.note != recorded.note);
            *latest = Some(recorded.clone());
            is_new
        });
        if is_new {
            let files = self.0.files.get().cloned().unwrap_or_default();
            let text = recorded.note.to_string();
            blocking(move || write(&files, &text)).await?;
        }
        Ok(())
    }

    async fn keep(self) {
        let audit = &self.0.env.config.audit;
        let every = Duration::from_secs(audit.checkpoint_seconds);
        let (moved, mut head) = watch::channel(self.0.env.log.head());
        let _subscription = self.0.env.log.subscribe(move |head| {
            let _earlier = moved.send_replace(head);
        });
        loop {
            // what moves from here on wakes us below
            let _seen: Position = *head.borrow_and_update();
            let (size, unsigned) = match self.unsigned().await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "the log's last checkpoint cannot be read");
                    tokio::time::sleep(every).await;
                    continue;
                }
            };
            if unsigned == 0 {
                if head.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let until = Instant::now() + every;
            let enough = size + audit.checkpoint_events.saturating_sub(unsigned);
            while head.borrow_and_update().get() < enough {
                match tokio::time::timeout_at(until, head.changed()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_closed)) => return,
                    Err(_time_is_up) => break,
                }
            }
            match self.take().await {
                Ok(_) => {}
                Err(Error::Stopping) => return,
                Err(error) => {
                    tracing::error!(%error, "the log is not signed");
                    tokio::time::sleep(every).await;
                }
            }
        }
    }

    /// Events of the log, and how many of them no checkpoint vouches for.
    async fn unsigned(&self) -> Result<(u64, u64), Error> {
        let env = Arc::clone(&self.0.env);
        blocking(move || {
            let view = env.view()?;
            let last = Recorded::last(&view)?;
            let size = view.head().size;
            Ok((size, last.map_or(size, |last| last.unsigned)))
        })
        .await
    }
}

/// What is to be done for a checkpoint of everything.
enum Next {
    Old(Recorded),
    New(Recorded, Append),
}

fn next(log: &Log, mint: &Mint, now: Timestamp) -> Result<Next, Error> {
    let view = log.read()?;
    if let Some(last) = Recorded::last(&view)?.filter(|last| last.unsigned == 0) {
        return Ok(Next::Old(last));
    }
    let note = log.signer()?.sign(&view)?;
    let (size, root) = (view.head().size, view.head().root);
    let signed = CheckpointSigned { size, root, note: note.to_string() };
    let revision = view.revision(&StreamId::Checkpoints)?;
    let recorded = Recorded { note, head: SignedHead { size, root }, unsigned: 0 };
    Ok(Next::New(recorded, append((mint, now), revision, signed.into())))
}

fn append((mint, now): (&Mint, Timestamp), revision: Revision, event: Event) -> Append {
    let new = NewEvent::new(mint.event(now), Actor::Engine, event);
    Append::new(StreamId::Checkpoints, Expected::Exact(revision), vec![new])
}

fn record(log: &Log, mint: &Mint, now: Timestamp) -> Result<Recorded, Error> {
    match next(log, mint, now)? {
        Next::Old(recorded) => Ok(recorded),
        Next::New(recorded, append) => append_alone(log, now, append).map(|()| recorded),
    }
}

/// Appends to a log on which no loop runs.
fn append_alone(log: &Log, now: Timestamp, append: Append) -> Result<(), Error> {
    let failed = |error: AppendError| Error::Refused { code: "PL1006", detail: error.to_string() };
    log.append_blocking(now, append).map(drop).map_err(failed)
}

/// As [`Handle::checkpoint`], on a log that no engine runs on.
///
/// # Errors
/// Where the log is older than what was signed, or the key is missing.
pub fn checkpoint_of(log: &Log, now: Timestamp) -> Result<Recorded, Error> {
    record(log, &Mint::default(), now)
}

fn write(files: &[PathBuf], text: &str) -> Result<(), Error> {
    for file in files {
        replace_file(file, text.as_bytes())?;
    }
    Ok(())
}

/// Reads and writes files away from the runtime's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_panicked| Error::Refused {
        code: "PL9001",
        detail: "the signing panicked".into(),
    })?
}

/// The task that signs the log of a running engine.
#[derive(Debug)]
pub(crate) struct Keeper {
    task: tokio::task::JoinHandle<()>,
    checkpoints: Checkpoints,
}

impl Keeper {
    /// Starts it; refuses where there is no key to sign with.
    pub(crate) fn start(checkpoints: &Checkpoints, files: Vec<PathBuf>) -> Result<Self, Error> {
        let _signer: Signer = checkpoints.0.env.log.signer()?;
        let _set_once = checkpoints.0.files.set(files);
        let task = tokio::spawn(checkpoints.clone().keep());
        Ok(Self { task, checkpoints: checkpoints.clone() })
    }

    /// Ends it; the loop has ended in order, and what it recorded is signed.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        {
            // whoever has it still waits for an append: the loop answers no more, so not for long
            let _turn = self.checkpoints.0.turn.lock().await;
            self.task.abort();
            self.checkpoints.0.ended.store(true, Ordering::Release);
        }
        self.checkpoints.take().await.map(drop)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Handle {
    /// A checkpoint of the log as it is: the recorded one, while it vouches for every event, or one
    /// that is signed and recorded now.
    ///
    /// # Errors
    /// Where the log is older than what was signed, or the key is missing.
    pub async fn checkpoint(&self) -> Result<Recorded, Error> {
        self.checkpoints.take().await
    }

    /// The newest checkpoint, whenever there is another.
    pub fn checkpoints(&self) -> watch::Receiver<Option<Recorded>> {
        self.checkpoints.0.latest.subscribe()
    }

    /// Records that a witness has signed a checkpoint, once its signature is found to be good. The
    /// last checkpoint of an engine that has stopped in order is no exception.
    ///
    /// # Errors
    /// A signature that is not the witness's.
    pub async fn cosigned(
        &self,
        of: &Recorded,
        key: &VerifierKey,
        line: Signature,
    ) -> Result<(), Error> {
        self.checkpoints.cosign(of, key, line).await
    }
}
