//! The inbox of a real engine over HTTP and NATS, at 1,000, 100,000 and 1,000,000 open items.
//!
//! `cargo bench --bench inbox [-- ITEMS…] [--asks N]`
//!
//! A real engine parks one run of each of four workflows; their events and payloads are written
//! again through the log, with the real projections, for so many more runs (`crowd.rs`): every item can be
//! listed, read, decided and sent. Then the engine is started over them as a process of its own beside a
//! real `nats-server`, and asked, one question at a time: `list` (first page; a page behind all others
//! but one; by filters; shapes), `get` and `decide` (approved, committed, answered) of items all over the inbox. The
//! sandbox answers what is sent. Then the console's pages over the same inbox, and of one run of some
//! 10,000 events (`pages.rs`); reads and decisions by `wrk`, a load generator (`load.rs`); and what
//! the engine costs while consoles are open and nothing happens. Of events before the start the server is told that it has them: how
//! fast it takes them is the matter of other benchmarks. Caller, engine and server share the machine. Nothing is asserted.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../wire/client.rs"]
mod client;
mod crowd;
mod doors;
mod load;
mod pages;
mod place;

use doors::{Doors, Question};
use place::{Item, Place};
use std::time::Instant;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug)]
struct Plan {
    items: Vec<usize>,
    /// Questions of each kind.
    asks: usize,
}

impl Plan {
    fn read() -> Result<Self, Failure> {
        let (mut items, mut asks) = (vec![], 400);
        let mut given = std::env::args().skip(1);
        while let Some(arg) = given.next() {
            match arg.as_str() {
                // what cargo itself passes
                "--bench" => {}
                "--asks" => asks = given.next().ok_or("--asks N")?.parse()?,
                count => items.push(count.replace(['_', ','], "").parse()?),
            }
        }
        if items.is_empty() {
            items = vec![1_000, 100_000, 1_000_000];
        }
        items.sort_unstable();
        Ok(Self { items, asks })
    }
}

fn main() -> Result<(), Failure> {
    let plan = Plan::read()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut place = Place::new(&runtime)?;
    for items in plan.items {
        let begin = Instant::now();
        let written = place.fill(&runtime, items)?;
        let took = begin.elapsed().as_secs_f64();
        println!(
            "{items} open items: {written} runs written in {took:.1} s; {:.0} MB of data",
            place.on_disk()? / 1e6
        );
        // each door decides some of them, and nothing is decided twice
        let asks = plan.asks.min(items / 4);
        let mut chosen = place.choose(3 * asks + load::DECISIONS.min(items / 8))?;
        let loaded = chosen.split_off(3 * asks);
        let begin = Instant::now();
        place.start()?;
        let ready = begin.elapsed().as_secs_f64() * 1e3;
        let idle = place.resident()?;
        println!("  ready after {ready:.0} ms, {idle:.0} MB resident");
        let doors = runtime.block_on(Doors::open(&place))?;
        runtime.block_on(ask(doors, &chosen, asks))?;
        runtime.block_on(pages::measure(&place, chosen.last().ok_or("no items")?, asks))?;
        load::measure(&place, &loaded)?;
        runtime.block_on(pages::idle(&place))?;
        println!("  {:.0} MB resident after it", place.resident()?);
        place.stop();
    }
    Ok(())
}

async fn ask(mut doors: Doors, chosen: &[Item], asks: usize) -> Result<(), Failure> {
    let last = chosen.iter().map(|item| &item.place).max().ok_or("no items")?;
    let (over_http, rest) = chosen.split_at(asks);
    let (over_nats, read) = rest.split_at(asks);
    println!("  {:<34} {:>9} {:>9}   {:>9} {:>9}", "ms", "HTTP p50", "p99", "NATS p50", "p99");
    let lists = [
        Question::List("list, first page of 50", r"{}", ""),
        Question::Behind("list, a page behind the others", last.clone()),
        Question::List(
            "list, one workflow",
            r#"{"workflow":"bench/rare"}"#,
            "&workflow=bench/rare",
        ),
        Question::List(
            "list, by operation",
            r#"{"operation":"http.request"}"#,
            "&operation=http.request",
        ),
        Question::List("list, in doubt (none)", r#"{"state":"in_doubt"}"#, "&state=in_doubt"),
        Question::Shapes,
    ];
    for list in lists {
        doors.measure(&list, (read, read)).await?;
    }
    doors.measure(&Question::Get, (read, read)).await?;
    doors.measure(&Question::Decide, (over_http, over_nats)).await
}
