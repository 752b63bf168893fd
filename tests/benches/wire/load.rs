//! Callers at work, and their figures.

use crate::Failure;
use crate::client::{Client, Door};
use crate::server::Served;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// A run that waits for a decision.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) run: String,
    pub(crate) decision: String,
    /// What a vote binds: empty until the approver has looked.
    pub(crate) digest: String,
}

/// Latencies of what was done, in milliseconds, sorted.
#[derive(Debug)]
pub(crate) struct Figures {
    millis: Vec<f64>,
    elapsed: Duration,
}

impl Figures {
    pub(crate) fn new(mut millis: Vec<f64>, elapsed: Duration) -> Result<Self, Failure> {
        if millis.is_empty() {
            return Err("nothing ended in the time given".into());
        }
        millis.sort_by(f64::total_cmp);
        Ok(Self { millis, elapsed })
    }

    pub(crate) fn count(&self) -> f64 {
        u32::try_from(self.millis.len()).map_or(f64::INFINITY, f64::from)
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.count() / self.elapsed.as_secs_f64()
    }

    fn millis(&self, per_mille: usize) -> f64 {
        (self.millis[(self.millis.len() - 1) * per_mille / 1000] * 100.0).round() / 100.0
    }
}

/// One line of figures, for people or for programs.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    fields: Map<String, Value>,
}

impl Report {
    pub(crate) fn of(what: &str, json: bool) -> Self {
        let mut fields = Map::new();
        fields.insert("bench".to_owned(), json!(format!("placet_{what}")));
        Self { json, fields }
    }

    pub(crate) fn new(what: &str, figures: &Figures, json: bool) -> Self {
        let mut report = Self::of(what, json);
        report.add("per_s", json!(figures.per_second().round()));
        report.add("p50_ms", json!(figures.millis(500)));
        report.add("p99_ms", json!(figures.millis(990)));
        report
    }

    pub(crate) fn add(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.add(name, value);
        self
    }

    pub(crate) fn print(&self) {
        if self.json {
            println!("{}", Value::Object(self.fields.clone()));
            return;
        }
        let words: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| match value.as_str() {
                Some(text) if name == "bench" => text.to_owned(),
                Some(text) => format!("{name} {text}"),
                None => format!("{name} {value}"),
            })
            .collect();
        println!("{}", words.join("  "));
    }
}

/// Callers over HTTP.
#[derive(Debug)]
pub(crate) struct Load {
    door: Door,
    callers: usize,
}

impl Load {
    pub(crate) fn new(served: &Served, callers: usize) -> Self {
        Self::at(served.door(), callers)
    }

    pub(crate) const fn at(door: Door, callers: usize) -> Self {
        Self { door, callers }
    }

    /// W1 for a time: each caller starts a run and waits for its result, again and again.
    pub(crate) async fn run_for(&self, time: Duration) -> Result<Figures, Failure> {
        let begin = Instant::now();
        let until = begin + time;
        let callers = (0..self.callers).map(|_| {
            let door = self.door.clone();
            tokio::spawn(async move {
                let (mut client, mut millis) = (Client::connect(&door).await?, vec![]);
                while Instant::now() < until {
                    let begin = Instant::now();
                    let body = json!({"workflow": "bench/three-reads"});
                    let ended = client.post("author", "/api/v1/runs?wait=60", &body).await?;
                    completed(&ended)?;
                    millis.push(millis_since(begin));
                }
                Ok::<_, Failure>(millis)
            })
        });
        let millis = all(callers).await?;
        Figures::new(millis, begin.elapsed())
    }

    /// Starts runs until so many wait for a decision; what each asks.
    pub(crate) async fn park(&self, count: usize) -> Result<VecDeque<Asked>, Failure> {
        let left = Arc::new(AtomicUsize::new(count));
        let callers = (0..self.callers).map(|_| {
            let (door, left) = (self.door.clone(), Arc::clone(&left));
            tokio::spawn(async move {
                let mut client = Client::connect(&door).await?;
                let mut runs = vec![];
                let one_less = |left: usize| left.checked_sub(1);
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
                    let body = json!({"workflow": "bench/parked"});
                    let asked = client.post("author", "/api/v1/runs?wait=60", &body).await?;
                    let (run, decision) =
                        (text(&asked, "/run")?, text(&asked, "/waiting_for/decision")?);
                    runs.push(Asked { run, decision, digest: String::new() });
                }
                Ok::<_, Failure>(runs)
            })
        });
        Ok(all(callers).await?.into())
    }

    /// Approves each and waits for the result of its run.
    pub(crate) async fn resume(
        &self,
        mut asked: Vec<Asked>,
        callers: usize,
    ) -> Result<Figures, Failure> {
        self.look(&mut asked).await?;
        let asked = Arc::new(Mutex::new(asked));
        let begin = Instant::now();
        let callers = (0..callers).map(|_| {
            let (door, asked) = (self.door.clone(), Arc::clone(&asked));
            tokio::spawn(async move {
                let (mut client, mut millis) = (Client::connect(&door).await?, vec![]);
                let next = || asked.lock().unwrap_or_else(PoisonError::into_inner).pop();
                while let Some(next) = next() {
                    let begin = Instant::now();
                    let vote = json!({"verdict": "approve", "digest": next.digest});
                    let path = format!("/api/v1/decisions/{}/votes", next.decision);
                    client.post("approver", &path, &vote).await?;
                    let path = format!("/api/v1/runs/{}?wait=60", next.run);
                    completed(&client.get("author", &path).await?)?;
                    millis.push(millis_since(begin));
                }
                Ok::<_, Failure>(millis)
            })
        });
        let millis = all(callers).await?;
        Figures::new(millis, begin.elapsed())
    }

    /// What the approver sees, before the clock runs.
    pub(crate) async fn look(&self, asked: &mut [Asked]) -> Result<(), Failure> {
        let mut client = Client::connect(&self.door).await?;
        for item in asked.iter_mut() {
            let path = format!("/api/v1/decisions/{}", item.decision);
            item.digest = text(&client.get("approver", &path).await?, "/digest")?;
        }
        Ok(())
    }
}

/// Starts all callers and waits for what each of them has.
pub(crate) async fn all<T>(
    callers: impl Iterator<Item = JoinHandle<Result<Vec<T>, Failure>>>,
) -> Result<Vec<T>, Failure> {
    let callers: Vec<_> = callers.collect();
    let mut all = vec![];
    for caller in callers {
        all.extend(caller.await??);
    }
    Ok(all)
}

fn completed(run: &Value) -> Result<(), Failure> {
    if run["status"] == "completed" {
        return Ok(());
    }
    Err(format!("a run did not complete: {run}").into())
}

pub(crate) fn text(value: &Value, pointer: &str) -> Result<String, Failure> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("{pointer} is missing in {value}").into())
}

pub(crate) fn millis_since(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}
