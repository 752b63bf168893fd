//! The bus as the composition root sees it: started once, told apart by its status, stopped in good order.

use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use placet_model::Position;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::connect::{Connection, RETRY};
use crate::durability::{self, Syncs};
use crate::error::{Error, Refusal};
use crate::inbox::{Inbox, Serving};
use crate::outbox::{EventSource, Outbox};
use crate::stream;
use crate::subjects::Token;

/// Between two looks at a server or stream that was refused.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Before another look at a stream whose end was not where it was thought to be.
const SOON: Duration = Duration::from_millis(50);

/// `JetStream`'s codes for a fence that did not hold, and for a batch with a message that the stream has; which of the two
/// comes first is the server's choice.
const STALE: [u64; 2] = [10071, 10201];

/// How long a stopping engine waits for the stream to take what is already in the log. Nothing is lost when it does not:
/// the next start goes on.
const STOP: Duration = Duration::from_secs(2);

/// What the bus is asked for.
#[derive(Clone)]
pub struct Options {
    /// `nats://HOST:PORT`; a user and a password may stand in it.
    pub url: String,
    /// The engine's user nkey seed (`SU…`), where the server knows its users by key.
    pub seed: Option<String>,
    /// Name of the project in subjects.
    pub project: Token,
    /// Copies of the stream; more than 1 needs a cluster.
    pub replicas: u8,
}

impl fmt::Debug for Options {
    /// Without the address, which may hold a password, and without the seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("project", &self.project)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}

/// How the bus is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Not there (yet, or any more); looked for again each second.
    Connecting {
        /// Attempts since it was last there.
        attempts: u64,
        /// What the last one met.
        reason: String,
    },
    /// There, and unfit; somebody has to act.
    Refused(Refusal),
    /// There, checked, in use.
    Ready {
        /// The server's version.
        server: String,
        /// Whether what it acknowledges is on its disk.
        syncs: Syncs,
    },
}

impl Status {
    /// As the engine's status shows it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Connecting { attempts, reason } => {
                json!({"state": "connecting", "attempts": attempts, "reason": reason})
            }
            Self::Refused(Refusal { code, detail }) => {
                json!({"state": "refused", "code": code, "detail": detail})
            }
            Self::Ready { server, syncs } => {
                json!({"state": "ready", "server": server, "syncs": syncs.word()})
            }
        }
    }
}

/// The running bus.
#[derive(Debug)]
pub struct Bus {
    status: watch::Receiver<Status>,
    published: watch::Receiver<Position>,
    stop: watch::Sender<Stop>,
    task: JoinHandle<()>,
}

/// What the bus does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Run,
    /// Ends once the inbox is quiet and the stream has what the log holds, or soon.
    Soon,
}

impl Bus {
    /// Starts following the log and returns at once, whether or not a server is there. Needs a tokio runtime. Dropping the
    /// bus ends it without waiting for anything.
    pub fn start(options: Options, source: EventSource, inbox: Option<Inbox>) -> Self {
        let connecting = Status::Connecting { attempts: 0, reason: String::new() };
        let (status_in, status) = watch::channel(connecting);
        let (published_in, published) = watch::channel(Position::START);
        let (stop, stopped) = watch::channel(Stop::Run);
        let supervisor = Supervisor {
            options,
            source,
            inbox,
            serving: Mutex::new(None),
            status: status_in,
            published: published_in,
        };
        let task = tokio::spawn(supervisor.run_until(stopped));
        Self { status, published, stop, task }
    }

    /// The status, as it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The last position that is certainly in the stream; the start until that is known.
    pub fn published(&self) -> watch::Receiver<Position> {
        self.published.clone()
    }

    /// Answers the requests at work, gives the stream a moment to take what the log already holds, then ends.
    pub async fn stop(self) {
        self.stop.send_replace(Stop::Soon);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the bus ended in a panic");
        }
    }
}

struct Supervisor {
    options: Options,
    source: EventSource,
    inbox: Option<Inbox>,
    /// The inbox service of the connection in use.
    serving: Mutex<Option<Serving>>,
    status: watch::Sender<Status>,
    published: watch::Sender<Position>,
}

/// Whether the last go saw the stream's end in a new place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Moved,
    Stuck,
}

impl Supervisor {
    async fn run_until(self, mut stopped: watch::Receiver<Stop>) {
        let mut work = pin!(self.run());
        let told = tokio::select! {
            never = &mut work => never,
            told = stopped.wait_for(|stop| *stop == Stop::Soon) => told.is_ok(),
        };
        // nobody told us when the bus was dropped: nobody waits
        if told {
            tokio::select! {
                never = &mut work => never,
                () = self.settle() => {}
            }
        }
    }

    /// Lets what has begun come to its end, for a moment.
    async fn settle(&self) {
        let serving = self.serving().take();
        if let Some(serving) = serving {
            serving.stop(STOP).await;
        }
        if matches!(*self.status.borrow(), Status::Ready { .. }) {
            let tail = self.source.tail();
            let mut published = self.published.subscribe();
            if timeout(STOP, published.wait_for(|position| *position >= tail)).await.is_err() {
                tracing::info!("stopping before the stream has everything; the next start goes on");
            }
        }
    }

    fn serving(&self) -> MutexGuard<'_, Option<Serving>> {
        self.serving.lock().expect("nothing panics while it holds the service")
    }

    /// Connects, works until something ends that, and starts over.
    async fn run(&self) -> ! {
        let mut connection = None;
        let mut seen = Position::START;
        loop {
            let ended = match &connection {
                None => match Connection::open(&self.options).await {
                    Ok(opened) => {
                        connection = Some(opened);
                        continue;
                    }
                    Err(error) => error,
                },
                Some(connection) => match self.follow(connection).await {
                    Ok(never) => match never {},
                    Err(error) => error,
                },
            };
            let position = *self.published.borrow();
            let progress = if position == seen { Progress::Stuck } else { Progress::Moved };
            let pause = self.note(&ended, progress);
            seen = position;
            if matches!(ended, Error::Refused(_)) {
                *self.serving() = None;
                connection = None;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Makes sure of server and stream, then follows the log until something is wrong.
    async fn follow(&self, connection: &Connection) -> Result<Infallible, Error> {
        connection.up().await?;
        connection.check_server()?;
        let syncs = connection.unless_lost(durability::syncs(connection)).await?;
        durability::check(syncs, self.options.replicas)?;
        let jetstream = connection.jetstream();
        connection
            .unless_lost(stream::ensure(&jetstream, &self.options.project, self.options.replicas))
            .await?;
        let outbox = Outbox {
            connection,
            project: &self.options.project,
            source: &self.source,
            published: &self.published,
        };
        // only what the stream holds tells whether it is ours: nothing is said to be ready before that
        let cursor = outbox.cursor().await?;
        self.serve(connection).await?;
        self.set(Status::Ready { server: connection.server_version(), syncs });
        outbox.follow(cursor).await
    }

    /// Starts the inbox service once per connection: the client brings it back after each reconnection.
    async fn serve(&self, connection: &Connection) -> Result<(), Error> {
        let Some(inbox) = &self.inbox else { return Ok(()) };
        if self.serving().is_none() {
            let started = connection
                .unless_lost(Serving::start(connection, &self.options.project, inbox))
                .await?;
            *self.serving() = Some(started);
        }
        Ok(())
    }

    /// Reports what ended the last go, and says how long to wait before the next.
    fn note(&self, ended: &Error, progress: Progress) -> Duration {
        match ended {
            Error::Refused(refusal) => {
                self.set(Status::Refused(refusal.clone()));
                LOOK_AGAIN
            }
            // another one published, or a killed predecessor's last batch came through: the stream tells
            Error::Answered { code, .. } if STALE.contains(code) && progress == Progress::Moved => {
                tracing::info!(reason = ended.chain(), "outbox looks at the stream again");
                SOON
            }
            Error::Answered { .. } => {
                tracing::warn!(
                    reason = ended.chain(),
                    "the stream does not take events; trying each second"
                );
                RETRY
            }
            // the connection is waited for before anything else is tried
            Error::Lost => {
                self.away(ended);
                SOON
            }
            Error::Unavailable { .. } | Error::Log { .. } => {
                self.away(ended);
                RETRY
            }
        }
    }

    fn away(&self, ended: &Error) {
        let attempts = match &*self.status.borrow() {
            Status::Connecting { attempts, .. } => attempts + 1,
            Status::Refused(_) | Status::Ready { .. } => 1,
        };
        self.set(Status::Connecting { attempts, reason: ended.chain() });
    }

    fn set(&self, status: Status) {
        if *self.status.borrow() == status {
            return;
        }
        match &status {
            Status::Connecting { attempts: 1, reason } => {
                tracing::warn!(reason, "nats is away; trying each second");
            }
            Status::Connecting { attempts, reason } => {
                tracing::debug!(attempts, reason, "nats is still away");
            }
            Status::Refused(refusal) => tracing::error!(%refusal, "nats cannot be used"),
            Status::Ready { server, syncs } => {
                tracing::info!(server, syncs = syncs.word(), "nats is ready");
            }
        }
        self.status.send_replace(status);
    }
}
