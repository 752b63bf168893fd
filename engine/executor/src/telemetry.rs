//! Traces of runs for a tracing system: one trace per run, with a span for the run, each step, each wait
//! for a decision, each try of a call and each doubt. See `fold` for what begins and ends them.
//!
//! Nothing is done for it while something happens: this follows the log by position like the outbox, and
//! makes spans of what has ended. The log itself is the queue. A collector that is away is tried again
//! until `BEHIND_MAX` events wait; then what waits is dropped, counted, and said once. It begins where
//! the log stands when the engine starts, so a restart tells nothing twice; what a span began with may lie
//! before that, and is read back from the run's own stream.

mod fold;
mod otlp;
mod span;

pub use otlp::Resource;
pub use span::TraceParent;

use crate::handle::{Error, Handle};
use fold::{RunTrace, matters};
use placet_log::{Log, ReadView};
use placet_model::measure::Counter;
use placet_model::{Position, RecordedEvent, Revision, RunId, StreamId};
use span::Span;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Events that are read in one go, and told in one request.
const CHUNK: usize = 512;
/// Events that may wait for a collector that is away.
const BEHIND_MAX: u64 = 50_000;
/// Runs of which it is kept what is open; of others it is read again.
const RUNS_MAX: usize = 10_000;
/// Between two requests: what happens at once is told at once.
const GATHER: Duration = Duration::from_millis(500);
/// Until a collector that is away is tried again, at first and at most.
const AGAIN: Duration = Duration::from_millis(500);
const AGAIN_MAX: Duration = Duration::from_secs(30);
/// For what there is still to tell when the engine has stopped.
const LAST: Duration = Duration::from_secs(5);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It was taken, but for so many of its spans.
    Taken {
        /// Those that were not.
        rejected: u64,
    },
    /// Not now; why.
    Later(String),
    /// Never; why.
    Refused(String),
}

/// A way to a collector: takes a body.
pub type Post = Box<dyn Fn(Vec<u8>) -> Pin<Box<dyn Future<Output = Sent> + Send>> + Send + Sync>;

/// What is counted of telling, and who has called for runs.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    callers: Mutex<BTreeMap<RunId, TraceParent>>,
    sent: Counter,
    dropped: Counter,
}

impl Telemetry {
    /// A run is about to begin because of somebody's span.
    pub(crate) fn called(&self, run: RunId, by: TraceParent) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.insert(run, by);
        if callers.len() > RUNS_MAX {
            let _oldest = callers.pop_first();
        }
    }

    fn callers(&self, spans: &[Span]) -> BTreeMap<RunId, TraceParent> {
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |span: &Span| Some((span.run, *callers.get(&span.run)?));
        spans.iter().filter_map(of).collect()
    }

    fn told(&self, spans: &[Span]) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        for span in spans.iter().filter(|span| span.about == span::About::Run) {
            callers.remove(&span.run);
        }
    }
}

impl Handle {
    /// Spans that a collector has taken, and those that were dropped.
    pub fn spans_told(&self) -> (u64, u64) {
        (self.telemetry.sent.get(), self.telemetry.dropped.get())
    }
}

/// Tells a collector; ends with [`Following::finish`], or when it is dropped.
#[derive(Debug)]
pub struct Following {
    is_last: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Following {
    /// Tells a collector what ends after this position.
    pub fn start(handle: &Handle, after: Position, (resource, post): (Resource, Post)) -> Self {
        let (is_last, last) = watch::channel(false);
        let log = handle.log().clone();
        let (moved, heads) = watch::channel(log.head());
        let teller = Teller {
            telemetry: Arc::clone(&handle.telemetry),
            log,
            after,
            traces: Traces::default(),
            resource,
            post,
            last,
            is_away: false,
        };
        let task = tokio::spawn(async move {
            let log = teller.log.clone();
            // the log calls for as long as this lives
            let _follows = log.subscribe(move |head| {
                moved.send_replace(head);
            });
            teller.run(heads).await;
        });
        Self { is_last, task }
    }

    /// Tells what an engine that has stopped has left, for a time that is bounded, and ends: nothing of
    /// it holds the log then.
    pub async fn finish(mut self) {
        self.is_last.send_replace(true);
        if tokio::time::timeout(LAST, &mut self.task).await.is_err() {
            tracing::warn!("the collector has not taken the last spans in time");
            self.task.abort();
            let _aborted = (&mut self.task).await;
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is kept of runs between two chunks.
#[derive(Debug, Default)]
struct Traces(BTreeMap<RunId, RunTrace>);

impl Traces {
    /// What has ended with an event.
    fn apply(&mut self, view: &ReadView, event: &RecordedEvent) -> Result<Vec<Span>, Error> {
        let StreamId::Run(run) = event.stream else { return Ok(vec![]) };
        if !matters(&event.event) {
            return Ok(vec![]);
        }
        let mut trace = match self.0.remove(&run) {
            Some(trace) => trace,
            None => recalled(view, run, event.revision)?,
        };
        let spans = trace.apply(event);
        if !trace.is_over() {
            self.0.insert(run, trace);
        }
        if self.0.len() > RUNS_MAX {
            let _oldest = self.0.pop_first();
        }
        Ok(spans)
    }
}

/// A run as it was told before this revision.
fn recalled(view: &ReadView, run: RunId, before: Revision) -> Result<RunTrace, Error> {
    let mut trace = RunTrace::new(run);
    for event in view.stream(&StreamId::Run(run), Revision::START) {
        let event = event?;
        if event.revision >= before {
            break;
        }
        let _told_before = trace.apply(&event);
    }
    Ok(trace)
}

struct Teller {
    telemetry: Arc<Telemetry>,
    log: Log,
    after: Position,
    traces: Traces,
    resource: Resource,
    post: Post,
    last: watch::Receiver<bool>,
    /// Whether it was said that the collector does not take anything.
    is_away: bool,
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").field("after", &self.after).finish_non_exhaustive()
    }
}

impl Teller {
    async fn run(mut self, mut heads: watch::Receiver<Position>) {
        loop {
            // looked at first: what is there after it is all
            let is_last = *self.last.borrow_and_update();
            heads.mark_unchanged();
            while self.log.head() > self.after {
                match self.read().await {
                    Ok(spans) => self.give(spans).await,
                    Err(error) => {
                        tracing::error!(%error, "the log cannot be read: no more traces are told");
                        return;
                    }
                }
            }
            if is_last {
                return;
            }
            let gone = tokio::select! {
                moved = heads.changed() => moved.is_err(),
                last = self.last.changed() => last.is_err(),
            };
            if gone {
                return;
            }
            self.rest(GATHER).await;
        }
    }

    /// A while, or until it is the last time.
    async fn rest(&mut self, time: Duration) {
        if *self.last.borrow() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            // an error means that nobody waits for an end
            _ended = self.last.changed() => self.last.mark_changed(),
        }
    }

    async fn read(&mut self) -> Result<Vec<Span>, Error> {
        let (log, after) = (self.log.clone(), self.after);
        let mut traces = std::mem::take(&mut self.traces);
        let read = tokio::task::spawn_blocking(move || {
            let (view, mut spans, mut last) = (log.read()?, vec![], after);
            for event in view.events(after.next()).take(CHUNK) {
                let event = event?;
                last = event.position;
                spans.extend(traces.apply(&view, &event)?);
            }
            Ok::<_, Error>((traces, spans, last))
        });
        let ended = |error: tokio::task::JoinError| Error::Refused {
            code: "PL9001",
            detail: error.to_string(),
        };
        let (traces, spans, last) = read.await.map_err(ended)??;
        (self.traces, self.after) = (traces, last);
        Ok(spans)
    }

    /// Until the collector has taken it, or will not.
    async fn give(&mut self, spans: Vec<Span>) {
        if spans.is_empty() {
            return;
        }
        let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        let body = otlp::body(&self.resource, &spans, &self.telemetry.callers(&spans));
        self.telemetry.told(&spans);
        let mut again = AGAIN;
        loop {
            let behind = self.log.head().get().saturating_sub(self.after.get());
            let why = if behind > BEHIND_MAX {
                format!("{behind} events wait for it")
            } else {
                match (self.post)(body.clone()).await {
                    Sent::Taken { rejected } => {
                        self.telemetry.sent.add(count.saturating_sub(rejected));
                        self.telemetry.dropped.add(rejected.min(count));
                        self.is_away = false;
                        return;
                    }
                    Sent::Later(why) if !*self.last.borrow() => {
                        self.away(&why);
                        self.rest(again).await;
                        again = (again * 2).min(AGAIN_MAX);
                        continue;
                    }
                    Sent::Later(why) | Sent::Refused(why) => why,
                }
            };
            self.away(&why);
            self.telemetry.dropped.add(count);
            return;
        }
    }

    /// Said once, until it takes something again.
    fn away(&mut self, why: &str) {
        if !self.is_away {
            tracing::warn!(why, "the collector of traces does not take them");
        }
        self.is_away = true;
    }
}
