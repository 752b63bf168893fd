//! The stream of events.

use crate::http::Ask;
use crate::world::{World, ask, start, with_workflow};
use placet_test_support::DEADLINE;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

/// An open stream.
struct Listener {
    reader: BufReader<TcpStream>,
}

impl Listener {
    async fn open(world: &World, ask: Ask) -> Self {
        let mut listener = Self { reader: ask.begin(world.server).await };
        let mut head = String::new();
        while let Some(line) = listener.line().await.filter(|line| !line.is_empty()) {
            head.push_str(&line);
        }
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        listener
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(DEADLINE, self.reader.read_line(&mut line));
        let count = read.await.expect("a line in time").expect("a whole line");
        (count > 0).then(|| line.trim_end().to_owned())
    }

    /// Id and data of the next event; none when the stream has ended. Chunk sizes stand on lines
    /// of their own, which are neither.
    async fn next(&mut self) -> Option<(u64, Value)> {
        let mut id = None;
        loop {
            let line = self.line().await?;
            if let Some(text) = line.strip_prefix("id: ") {
                id = Some(text.parse().unwrap());
            } else if let Some(text) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(text).unwrap();
                let id = match id {
                    Some(id) => id,
                    None => self.id_after().await,
                };
                return Some((id, data));
            }
        }
    }

    async fn id_after(&mut self) -> u64 {
        let line = self.line().await.expect("an id after the data");
        line.strip_prefix("id: ").expect("an id").parse().unwrap()
    }

    async fn positions(&mut self, count: usize) -> Vec<u64> {
        let mut positions = vec![];
        while positions.len() < count {
            let (id, data) = self.next().await.expect("more events");
            assert_eq!(data["position"], id);
            positions.push(id);
        }
        positions
    }
}

#[tokio::test]
async fn a_client_that_was_cut_off_goes_on_where_it_was() {
    let world = with_workflow().await;
    let head = world.head().get();
    let mut first = Listener::open(&world, ask("GET", "/api/v1/events?after=0")).await;
    assert_eq!(first.positions(3).await, [1, 2, 3]);
    drop(first);
    let back = ask("GET", "/api/v1/events?after=0").header("Last-Event-ID", "3");
    let mut second = Listener::open(&world, back).await;
    let rest: Vec<u64> = (4..=head).collect();
    assert_eq!(second.positions(rest.len()).await, rest);
    world.post("/api/v1/pause", &json!({})).await.ok();
    let (id, event) = second.next().await.unwrap();
    assert_eq!((id, &event["type"]), (head + 1, &json!("OutboundPaused")));
    assert_eq!(event["actor"], "principal:author");
}

#[tokio::test]
async fn without_a_place_to_go_on_from_only_the_new_is_told() {
    let world = start().await;
    let head = world.head().get();
    let mut listener = Listener::open(&world, ask("GET", "/api/v1/events")).await;
    world.post("/api/v1/pause", &json!({})).await.ok();
    assert_eq!(listener.positions(1).await, [head + 1]);
    let wrong = ask("GET", "/api/v1/events").header("Last-Event-ID", "x").send(world.server).await;
    wrong.is_problem(400, "PL4003");
}

#[tokio::test]
async fn streams_are_bounded_and_end_with_the_server() {
    let mut world = start().await;
    let mut listeners = vec![];
    for _ in 0..64 {
        listeners.push(Listener::open(&world, ask("GET", "/api/v1/events")).await);
    }
    let refused = world.get("/api/v1/events").await;
    refused.is_problem(429, "PL4007");
    assert_eq!(refused.header("retry-after"), Some("1"));
    world.close().await;
    for listener in &mut listeners {
        assert_eq!(listener.next().await, None);
    }
}

#[tokio::test]
async fn one_run_is_followed_from_its_first_event_by_whoever_caused_it() {
    let mut world = with_workflow().await;
    let (other, _) = world.waiting().await;
    let body =
        json!({"workflow": "ops/slack-notify", "input": {"channel": "C0123", "text": "mine"}});
    let started = world.post_as("agent", "/api/v1/runs", &body).await.ok();
    let run = started["run"].as_str().unwrap().to_owned();
    world.settled(&run).await;
    let as_agent =
        |run: &str| ask("GET", &format!("/api/v1/events?run={run}")).header("Placet-As", "agent");
    as_agent(&other).send(world.server).await.is_problem(404, "PL4001");
    world.get_as("agent", "/api/v1/events").await.is_problem(403, "PL4005");
    world.get("/api/v1/events?run=run_00000000000000000000000000").await.is_problem(404, "PL4001");

    let mut listener = Listener::open(&world, as_agent(&run)).await;
    world.post(&format!("/api/v1/runs/{other}/cancel"), &json!({})).await.ok();
    world.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).await.ok();
    let (mut kinds, mut last) = (vec![], 0);
    while kinds.last().is_none_or(|kind| kind != "RunCancelled") {
        let (position, event) = listener.next().await.expect("the stream goes on");
        assert!(position > last, "in order");
        assert_eq!(event["stream"], format!("run:{run}"), "of that run alone");
        kinds.push(event["type"].as_str().unwrap().to_owned());
        last = position;
    }
    let expected = [
        "RunStarted",
        "TaskStarted",
        "DraftPrepared",
        "DecisionRequested",
        "DecisionSettled",
        "RunCancelled",
    ];
    assert_eq!(kinds, expected);
}
