//! An approver who decides over NATS, as any NATS client would.

use crate::Failure;
use crate::client::Door;
use crate::load::{Asked, Figures, Load, all, millis_since};
use async_nats::{Client, HeaderMap};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// An end that does not come within this time is a failure.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who waits for the end of which run.
type Ends = Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>;

#[derive(Debug)]
pub(crate) struct Desk {
    client: Client,
    load: Load,
    ends: Ends,
}

impl Desk {
    pub(crate) async fn connect(url: &str, door: &Door) -> Result<Self, Failure> {
        let client = async_nats::connect(url).await?;
        let ends = Ends::default();
        // the outcome follows as an event
        let mut completed = client.subscribe("placet.v1.ev.bench.RunCompleted").await?;
        let waiting = Arc::clone(&ends);
        tokio::spawn(async move {
            while let Some(message) = completed.next().await {
                let event: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
                let stream = event["stream"].as_str().unwrap_or_default();
                let run = stream.trim_start_matches("run:");
                let end = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
                if let Some(end) = end {
                    let _it_gave_up = end.send(());
                }
            }
        });
        let load = Load::at(door.clone(), 1);
        Ok(Self { client, load, ends })
    }

    /// Approves each over NATS and waits for the event that its run has completed.
    pub(crate) async fn resume(
        &self,
        mut asked: Vec<Asked>,
        callers: usize,
    ) -> Result<Figures, Failure> {
        self.load.look(&mut asked).await?;
        let asked = Arc::new(Mutex::new(asked));
        let begin = Instant::now();
        let callers = (0..callers).map(|caller| {
            let (client, asked) = (self.client.clone(), Arc::clone(&asked));
            let ends = Arc::clone(&self.ends);
            tokio::spawn(async move {
                let mut millis = vec![];
                let next = || asked.lock().unwrap_or_else(PoisonError::into_inner).pop();
                while let Some(next) = next() {
                    let begin = Instant::now();
                    let (end, ended) = oneshot::channel();
                    let run = next.run.clone();
                    ends.lock().unwrap_or_else(PoisonError::into_inner).insert(run, end);
                    decide(&client, &next, &format!("{caller}-{}", millis.len())).await?;
                    tokio::time::timeout(PATIENCE, ended).await??;
                    millis.push(millis_since(begin));
                }
                Ok::<_, Failure>(millis)
            })
        });
        let millis = all(callers).await?;
        Figures::new(millis, begin.elapsed())
    }
}

async fn decide(client: &Client, asked: &Asked, request: &str) -> Result<(), Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(placet_bus::subjects::HEADER_REQUEST_ID, request);
    let document = json!({
        "decision": asked.decision,
        "digest": asked.digest,
        "verdict": "approve",
        "nonce": nonce(asked),
        "time": placet_executor::Clock::System.now(),
    });
    let subject = "placet.v1.inbox.approver.decide";
    let answer = client.request_with_headers(subject, headers, document.to_string().into());
    let answer: Value = serde_json::from_slice(&answer.await?.payload)?;
    if answer["state"].is_null() {
        return Err(format!("the vote was not taken: {answer}").into());
    }
    Ok(())
}

/// A nonce of its own for each decision.
fn nonce(asked: &Asked) -> String {
    placet_model::Digest::of(asked.decision.as_bytes()).hex()[..32].to_owned()
}
