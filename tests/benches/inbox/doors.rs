//! Callers of the inbox: one question at a time at each door, and how long the answer took.

use crate::Failure;
use crate::client::Client as Http;
use crate::place::{Item, Place};
use async_nats::{Client, HeaderMap};
use placet_bus::subjects::HEADER_REQUEST_ID;
use placet_model::Digest;
use serde_json::{Value, json};
use std::time::Instant;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    /// Its name, and a filter as NATS and as HTTP want it.
    List(&'static str, &'static str, &'static str),
    /// The page that begins behind this item.
    Behind(&'static str, String),
    Shapes,
    Get,
    Decide,
}

impl Question {
    const fn name(&self) -> &'static str {
        match self {
            Self::List(name, ..) | Self::Behind(name, _) => name,
            Self::Shapes => "list, shapes with counts",
            Self::Get => "get",
            Self::Decide => "decide",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Doors {
    http: Http,
    nats: Client,
}

impl Doors {
    pub(crate) async fn open(place: &Place) -> Result<Self, Failure> {
        let http = Http::connect(&place.door()).await?;
        Ok(Self { http, nats: async_nats::connect(place.nats()).await? })
    }

    /// Asks it about each of these items at either door, and prints what that took.
    pub(crate) async fn measure(
        &mut self,
        question: &Question,
        (over_http, over_nats): (&[Item], &[Item]),
    ) -> Result<(), Failure> {
        let (mut http, mut nats) = (vec![], vec![]);
        for item in over_http {
            let begin = Instant::now();
            self.over_http(question, item).await?;
            http.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        for item in over_nats {
            let begin = Instant::now();
            self.over_nats(question, item).await?;
            nats.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        let name = question.name();
        let [http, nats] = [http, nats].map(|mut millis| {
            millis.sort_by(f64::total_cmp);
            let at = |per_mille: usize| millis[(millis.len() - 1) * per_mille / 1000];
            format!("{:>9.2} {:>9.2}", at(500), at(990))
        });
        println!("  {name:<34} {http}   {nats}");
        Ok(())
    }

    async fn over_http(&mut self, question: &Question, item: &Item) -> Result<(), Failure> {
        let path = match question {
            Question::List(_, _, query) => format!("/api/v1/inbox?limit=50{query}"),
            Question::Behind(_, cursor) => format!("/api/v1/inbox?limit=50&cursor={cursor}"),
            Question::Shapes => "/api/v1/inbox?group=true".to_owned(),
            Question::Get => format!("/api/v1/decisions/{}", item.decision),
            Question::Decide => {
                let path = format!("/api/v1/decisions/{}/votes", item.decision);
                let vote = json!({"verdict": "approve", "digest": item.digest});
                return answered(&self.http.post("approver", &path, &vote).await?);
            }
        };
        answered(&self.http.get("approver", &path).await?)
    }

    async fn over_nats(&self, question: &Question, item: &Item) -> Result<(), Failure> {
        let (verb, body) = match question {
            Question::List(_, filter, _) => {
                let filter: Value = serde_json::from_str(filter)?;
                ("list", json!({ "limit": 50, "filter": filter }))
            }
            Question::Behind(_, cursor) => ("list", json!({ "limit": 50, "cursor": cursor })),
            Question::Shapes => ("list", json!({ "group": true })),
            Question::Get => ("get", json!({ "decision": item.decision })),
            Question::Decide => {
                let nonce = Digest::of(item.decision.as_bytes()).hex()[..32].to_owned();
                let body = json!({
                    "decision": item.decision, "digest": item.digest, "verdict": "approve",
                    "nonce": nonce, "time": placet_executor::Clock::System.now(),
                });
                ("decide", body)
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_REQUEST_ID, item.decision.as_str());
        let subject = format!("placet.v1.inbox.approver.{verb}");
        let answer = self.nats.request_with_headers(subject, headers, body.to_string().into());
        answered(&serde_json::from_slice(&answer.await?.payload)?)
    }
}

fn answered(answer: &Value) -> Result<(), Failure> {
    match answer.get("error") {
        None => Ok(()),
        Some(error) => Err(format!("refused: {error}").into()),
    }
}
