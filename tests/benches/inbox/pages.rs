//! The console over the same inbox: how long the engine takes for a page, and how many bytes it is.

use crate::Failure;
use crate::client::Client;
use crate::place::{Item, Place};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Steps of the long run: an event when it begins to wait, and one when it goes on.
const STEPS: usize = 5_000;
/// Consoles that are open while nothing happens, and for how long they are watched.
const OPEN: usize = 10;
const WATCHED: Duration = Duration::from_secs(10);

/// Fetches each page as often as `asks` says, and prints the median, p99 and bytes.
pub(crate) async fn measure(place: &Place, item: &Item, asks: usize) -> Result<(), Failure> {
    let mut client = Client::connect(&place.door()).await?;
    let (run, events) = long_run(&mut client).await?;
    println!("  {:<46} {:>9} {:>9} {:>9}", "console, ms", "p50", "p99", "bytes");
    let card = format!("/inbox/{}", item.decision);
    let (page, told) = (format!("/runs/{run}"), format!("/runs/{run}?story=all"));
    let (graph, story) = (format!("/runs/{run}/graph.svg"), format!("/audit/story/{run}"));
    let of_run = |what: &str| format!("a run of {events} events{what}");
    let pages = [
        ("approver", "inbox, first page".to_owned(), "/inbox"),
        ("approver", "inbox, one workflow".to_owned(), "/inbox?workflow=bench/rare"),
        ("approver", "inbox, by shape".to_owned(), "/inbox?group=true"),
        ("approver", "a card".to_owned(), &card),
        ("author", "runs, first page".to_owned(), "/runs"),
        ("author", of_run(""), &page),
        ("author", of_run(", the whole story"), &told),
        ("author", of_run(", its picture"), &graph),
        ("author", "its story in the audit".to_owned(), &story),
        ("author", "audit, last page".to_owned(), "/audit"),
    ];
    for (who, name, path) in pages {
        let (mut millis, mut bytes) = (vec![], 0);
        for _ in 0..asks.min(50) {
            let begin = Instant::now();
            bytes = client.ask(("GET", who, path), "").await?.len();
            millis.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        millis.sort_by(f64::total_cmp);
        let at = |per_mille: usize| millis[(millis.len() - 1) * per_mille / 1000];
        println!("  {name:<46} {:>9.2} {:>9.2} {bytes:>9}", at(500), at(990));
    }
    Ok(())
}

/// A run that has ended, and how many events it has.
async fn long_run(client: &mut Client) -> Result<(String, u64), Failure> {
    let items: Vec<usize> = (0..STEPS).collect();
    let body = json!({ "workflow": "bench/long", "input": { "items": items } });
    let started = client.post("author", "/api/v1/runs", &body).await?;
    let run = started["run"].as_str().ok_or_else(|| format!("no run: {started}"))?.to_owned();
    loop {
        let report: Value = client.get("author", &format!("/api/v1/runs/{run}?wait=60")).await?;
        match report["status"].as_str() {
            Some("completed") => {
                let events = report["revision"].as_u64().ok_or("a run without a revision")?;
                return Ok((run, events));
            }
            Some("running" | "waiting") => {}
            _ => {
                return Err(
                    format!("the long run: {} {}", report["status"], report["error"]).into()
                );
            }
        }
    }
}

/// Prints what the engine costs while consoles are open and nothing happens.
pub(crate) async fn idle(place: &Place) -> Result<(), Failure> {
    let door = place.door();
    let mut open = vec![];
    for consoles in [0, OPEN] {
        while open.len() < consoles {
            let mut stream = TcpStream::connect(&door.address).await?;
            let request = format!(
                "GET /console/live HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nplacet-as: approver\r\n\r\n",
                door.address, door.token
            );
            stream.write_all(request.as_bytes()).await?;
            open.push(stream);
        }
        // what was asked before has to settle
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = place.cpu()?;
        tokio::time::sleep(WATCHED).await;
        let used = (place.cpu()? - before) / WATCHED.as_secs_f64();
        println!("  idle with {consoles:>2} consoles open: {used:.1} ms of CPU a second");
    }
    Ok(())
}
