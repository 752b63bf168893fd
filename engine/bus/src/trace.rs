//! Hints: that an inbox changed, and what happens in runs while somebody looks. Lossy on purpose:
//! whoever misses one finds the same by asking, in the log, or in the stream of events.

use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use placet_log::{Log, Subscription};
use placet_model::event::RecordedEvent;
use placet_model::{Position, RunId, StreamId};
use serde_json::Value;
use tokio::sync::watch;

use crate::inbox::Stop;
use crate::public;

/// Events that are told at once; whoever is further behind than that goes on at the end of the log.
const BEHIND_MAX: u64 = 256;

/// Something happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The run.
    pub run: RunId,
    /// The event, as the stream of events shows it.
    pub body: Value,
}

/// A subject and what is said there.
pub(crate) type Hint = (String, Value);

/// Hints with their subjects; those without one are dropped.
pub(crate) fn addressed<T: 'static>(
    hints: BoxStream<'static, T>,
    address: impl Fn(T) -> Option<Hint> + Send + 'static,
) -> BoxStream<'static, Hint> {
    hints.filter_map(move |hint| std::future::ready(address(hint))).boxed()
}

/// Publishes hints until told to stop.
pub(crate) async fn forward(
    client: Client,
    mut hints: BoxStream<'static, Hint>,
    mut stopped: watch::Receiver<Stop>,
) {
    loop {
        let hint = tokio::select! {
            _ = stopped.wait_for(|stop| *stop == Stop::Now) => return,
            hint = hints.next() => hint,
        };
        let Some((subject, body)) = hint else { return };
        if let Err(error) = client.publish(subject, Bytes::from(body.to_string())).await {
            tracing::debug!(%error, "a hint was lost");
        }
    }
}

/// What happens in the runs of a log, from now on.
pub(crate) fn of(log: &Log) -> BoxStream<'static, Trace> {
    let (moved, heads) = watch::channel(log.head());
    let subscription = log.subscribe(move |head| {
        moved.send_replace(head);
    });
    let follower = Follower { log: log.clone(), last: log.head(), heads, _lives: subscription };
    let batches = stream::unfold(follower, |mut follower| async move {
        let batch = follower.next().await?;
        Some((stream::iter(batch), follower))
    });
    batches.flatten().boxed()
}

struct Follower {
    log: Log,
    last: Position,
    heads: watch::Receiver<Position>,
    _lives: Subscription,
}

impl Follower {
    /// What came since the last look; none when the log is closed.
    async fn next(&mut self) -> Option<Vec<Trace>> {
        let last = self.last;
        let head = *self.heads.wait_for(|head| *head > last).await.ok()?;
        let from = Position::new(head.get().saturating_sub(BEHIND_MAX).max(last.get()) + 1);
        self.last = head;
        let log = self.log.clone();
        let read = tokio::task::spawn_blocking(move || read(&log, from, head)).await;
        match read {
            Ok(Ok(traces)) => Some(traces),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a trace was lost");
                Some(vec![])
            }
            Err(_panicked) => None,
        }
    }
}

fn read(log: &Log, from: Position, head: Position) -> Result<Vec<Trace>, placet_log::Error> {
    let view = log.read()?;
    let mut traces = vec![];
    for event in view.events(from) {
        let event = event?;
        if event.position > head {
            break;
        }
        traces.extend(trace(&event));
    }
    Ok(traces)
}

fn trace(event: &RecordedEvent) -> Option<Trace> {
    let StreamId::Run(run) = event.stream else { return None };
    Some(Trace { run, body: public::render(event) })
}
