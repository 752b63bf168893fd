//! Traces of runs: what a collector is told, what it is never told, and what becomes of it while the
//! collector is away or the engine starts again.

use crate::world::{World, fixture, name, start, start_on};
use placet_adapters::{Cause, Failed};
use placet_executor::Start;
use placet_executor::telemetry::{Following, Post, Resource, Sent, TraceParent};
use placet_log::Log;
use placet_model::RunId;
use placet_model::decision::{Resolution, Verdict};
use placet_model::draft::Mode;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Takes what it is told, or answers as it is bidden.
#[derive(Debug, Default)]
struct Collector {
    spans: Mutex<Vec<Value>>,
    answers: Mutex<VecDeque<Sent>>,
}

impl Collector {
    fn follow(self: &Arc<Self>, world: &World) -> Following {
        let resource = Resource {
            service: "placet".to_owned(),
            project: "test".to_owned(),
            install_id: "i".to_owned(),
        };
        let collector = Arc::clone(self);
        let post: Post = Box::new(move |body| {
            let answer = collector.answers.lock().unwrap().pop_front();
            let answer = answer.unwrap_or(Sent::Taken { rejected: 0 });
            if matches!(answer, Sent::Taken { .. }) {
                let told: Value = serde_json::from_slice(&body).unwrap();
                let spans = &told["resourceSpans"][0]["scopeSpans"][0]["spans"];
                collector.spans.lock().unwrap().extend(spans.as_array().unwrap().clone());
            }
            Box::pin(async move { answer })
        });
        Following::start(&world.handle, world.handle.log().head(), (resource, post))
    }

    fn told(&self) -> Vec<Value> {
        self.spans.lock().unwrap().clone()
    }

    fn named(&self, name: &str) -> Value {
        let all = self.told();
        let mut found = all.iter().filter(|span| span["name"] == name);
        let one = found.next().unwrap_or_else(|| panic!("{name}: {all:#?}"));
        assert!(found.next().is_none(), "{name} twice: {all:#?}");
        one.clone()
    }
}

fn fact<'s>(span: &'s Value, key: &str) -> &'s Value {
    let facts = span["attributes"].as_array().unwrap();
    let fact = facts.iter().find(|fact| fact["key"] == key);
    &fact.unwrap_or_else(|| panic!("{key}: {span:#}"))["value"]["stringValue"]
}

/// Ends an engine, and the telling after it.
async fn end(world: World, telling: Following) -> Log {
    let log = world.handle.log().clone();
    let World { engine, handle, .. } = world;
    drop(handle);
    engine.stop().await.unwrap();
    telling.finish().await;
    log
}

fn trace_of(run: RunId) -> String {
    format!("{:032x}", run.as_u128())
}

#[tokio::test]
async fn one_trace_joins_a_run_its_step_its_decision_and_its_try_and_names_who_asked_for_it() {
    let mut world = start().await;
    let collector = Arc::new(Collector::default());
    let telling = collector.follow(&world);
    let plan = world.deploy(&fixture("ok/slack-notify.yaml")).await;
    let input = json!({"channel": "C0SECRET", "text": "a s3cret text"});
    let start = Start { plan, input, requester: name("author"), mode: Mode::Sandbox, seed: 1 };
    let run = world.handle.start_for(start, TraceParent::read(CALLER)).await.unwrap();
    world.settled(run).await;
    let row = world.open_items().remove(0);
    world.vote(&row, "second", Verdict::Approve).await.unwrap();
    world.finished(run).await;
    let handle = world.handle.clone();
    end(world, telling).await;

    let whole = collector.named("ops/slack-notify@1.0.0");
    let step = collector.named("notify");
    let decision = collector.named("decision");
    let call = collector.named("slack.chat.postMessage");
    for span in [&whole, &step, &decision, &call] {
        assert_eq!(span["traceId"], trace_of(run), "one trace: {span:#}");
    }
    assert!(whole["parentSpanId"].is_null());
    assert_eq!(step["parentSpanId"], whole["spanId"]);
    assert_eq!(
        (&decision["parentSpanId"], &call["parentSpanId"]),
        (&step["spanId"], &step["spanId"])
    );
    assert_eq!(whole["links"][0]["traceId"], CALLER[3..35]);
    assert_eq!(whole["links"][0]["spanId"], CALLER[36..52]);
    assert_eq!(fact(&decision, "placet.settlement"), "approved");
    assert_eq!(fact(&call, "placet.outcome"), "succeeded");
    assert_eq!(fact(&call, "placet.digest"), &row.digest.to_string());
    assert_eq!(fact(&decision, "placet.digest"), fact(&call, "placet.digest"));
    assert_eq!(fact(&call, "placet.decision"), &row.decision.to_string());
    assert_eq!((&call["kind"], &whole["kind"]), (&json!(3), &json!(1)));
    for span in collector.told() {
        let moment = |key: &str| span[key].as_str().unwrap().parse::<u128>().unwrap();
        assert!(moment("startTimeUnixNano") <= moment("endTimeUnixNano"), "{span:#}");
    }
    let all = json!(collector.told()).to_string();
    for content in ["C0SECRET", "s3cret", "author", "second"] {
        assert!(!all.contains(content), "{content} is told: {all}");
    }
    assert_eq!(handle.spans_told(), (collector.told().len() as u64, 0));
}

#[tokio::test]
async fn what_a_span_began_with_is_found_again_after_another_start() {
    let mut world = start().await;
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.settled(run).await;
    let first = Arc::new(Collector::default());
    let telling = first.follow(&world);
    world.recorder.fail(Failed::after(Cause::Timeout, "no answer in 30 s"));
    let row = world.open_items().remove(0);
    world.vote(&row, "second", Verdict::Approve).await.unwrap();
    let row = world.item(|row| row.in_doubt.is_some()).await;
    let clock = world.clock.clone();
    let log = end(world, telling).await;
    // it began before anybody was told of it, and after another start too
    let decision = first.named("decision");
    let tried = first.named("slack.chat.postMessage");
    assert_eq!(fact(&tried, "placet.outcome"), "in_doubt");
    assert_eq!(tried["status"]["code"], 2);

    let mut world = start_on(log, clock).await;
    let second = Arc::new(Collector::default());
    let telling = second.follow(&world);
    world.handle.resolve(row.decision, Resolution::Sent, name("second")).await.unwrap();
    world.finished(run).await;
    end(world, telling).await;
    let doubt = second.named("doubt about slack.chat.postMessage");
    assert_eq!(doubt["startTimeUnixNano"], tried["endTimeUnixNano"], "since the doubt began");
    assert_eq!(fact(&doubt, "placet.outcome"), "found_sent");
    assert_eq!(doubt["parentSpanId"], decision["parentSpanId"], "the same step as before");
    assert_eq!(second.named("ops/slack-notify@1.0.0")["traceId"], trace_of(run));
    let names: Vec<_> = second.told().iter().map(|span| span["name"].clone()).collect();
    assert!(!names.contains(&json!("decision")), "told once: {names:?}");
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nothing_up_and_is_told_later_or_counted() {
    let mut world = start().await;
    let collector = Arc::new(Collector::default());
    let later = Sent::Later("nobody listens".to_owned());
    collector.answers.lock().unwrap().extend([
        later.clone(),
        later,
        Sent::Refused("400".to_owned()),
    ]);
    let telling = collector.follow(&world);
    let input = json!({"channel": "C0123", "text": "hello"});
    for _ in 0..2 {
        let run = world.run(&fixture("ok/slack-notify.yaml"), input.clone(), Mode::Sandbox).await;
        world.settled(run).await;
        let row = world.open_items().remove(0);
        world.vote(&row, "second", Verdict::Reject).await.unwrap();
        world.finished(run).await;
    }
    let handle = world.handle.clone();
    end(world, telling).await;
    let (sent, dropped) = handle.spans_told();
    assert_eq!(sent, collector.told().len() as u64);
    assert!(dropped > 0, "what was refused is counted");
    assert_eq!(sent + dropped, 6, "two runs, their steps and their decisions");
}
