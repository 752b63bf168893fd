//! Emitting and listening (language 4.10, 4.11, 5.6, 10), through the engine: no event is lost, and
//! none is taken twice.

use crate::branches::document;
use crate::world::{World, name, start};
use placet_model::RunId;
use placet_model::decision::Verdict;
use placet_model::draft::Mode;
use placet_projections::WaitingFor;
use serde_json::{Value, json};

async fn begin(world: &World, tasks: &str, input: Value) -> RunId {
    world.run(&document(tasks), input, Mode::Sandbox).await
}

async fn publish(world: &World, event: Value) {
    world.handle.publish(event, None, &name("author")).await.unwrap();
}

/// An event of type `order.paid` with this id and data.
fn paid(id: &str, data: Value) -> Value {
    let mut event = json!({"type": "order.paid", "source": "shop", "id": id});
    event["data"] = data;
    event
}

const ONE: &str = "  - hear: { listen: { to: { one: { with: { type: order.paid } } } } }\n";

#[tokio::test]
async fn an_event_that_comes_while_the_run_waits_is_its_output_in_an_array() {
    let mut world = start().await;
    let run = begin(&world, ONE, Value::Null).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    publish(&world, json!({"type": "order.sent", "data": 0})).await;
    publish(&world, paid("1", json!({"n": 1}))).await;
    let report = world.finished(run).await;
    assert_eq!(report["output"], json!([{"n": 1}]), "{report:#}");
}

#[tokio::test]
async fn an_event_that_came_between_the_start_and_the_wait_is_taken() {
    let tasks = format!("  - pause: {{ wait: PT1H }}\n{ONE}");
    let mut world = start().await;
    world.clock.hold_at(Some(world.handle.now()));
    let run = begin(&world, &tasks, Value::Null).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    publish(&world, paid("1", json!("early"))).await;
    world.advance_to_due();
    assert_eq!(world.finished(run).await["output"], json!(["early"]));
}

#[tokio::test]
async fn an_event_from_before_the_run_is_not_taken() {
    let mut world = start().await;
    publish(&world, paid("0", json!("old"))).await;
    world.advance_to(world.handle.now().plus_millis(1));
    let run = begin(&world, ONE, Value::Null).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    publish(&world, paid("1", json!("new"))).await;
    assert_eq!(world.finished(run).await["output"], json!(["new"]));
}

#[tokio::test]
async fn the_window_begins_with_the_send_that_precedes_the_wait() {
    let tasks = "  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n  - pause: { wait: PT1H }\n  - reply: { listen: { to: { one: { with: { type: slack.message }, correlate: { thread: { from: '.data.thread_ts', expect: '${ $steps.send.ts }' } } } } } }\n";
    let mut world = start().await;
    let run = begin(&world, tasks, Value::Null).await;
    let item = world.item(|row| row.run == run).await;
    world.advance_to(world.handle.now().plus_millis(1000));
    world.clock.hold_at(Some(world.handle.now()));
    world.vote(&item, "approver", Verdict::Approve).await.unwrap();
    let report = world.entry(run, "send", "completed").await;
    let sent = report["trace"].as_array().unwrap()[0]["output"]["ts"].clone();
    assert!(sent.is_string(), "{report:#}");
    // the reply comes before the wait begins, and another thread's message before it
    let message = |id: &str, thread: &Value| json!({"type": "slack.message", "source": "slack", "id": id, "data": {"thread_ts": thread, "text": id}});
    publish(&world, message("other", &json!("0.0"))).await;
    publish(&world, message("mine", &sent)).await;
    world.advance_to_due();
    let report = world.finished(run).await;
    assert_eq!(report["output"][0]["text"], "mine", "{report:#}");
}

#[tokio::test]
async fn the_same_source_and_id_is_one_event() {
    let tasks = "  - hear: { listen: { to: { all: [ { with: { type: order.paid } }, { with: { type: order.paid } } ] } } }\n";
    let mut world = start().await;
    let run = begin(&world, tasks, Value::Null).await;
    let author = name("author");
    let first = world.handle.publish(paid("1", json!(1)), None, &author).await.unwrap();
    let again = world.handle.publish(paid("1", json!(2)), None, &author).await.unwrap();
    assert_eq!(first, again, "the place of the first is the answer");
    assert_eq!(world.settled(run).await["status"], "waiting");
    publish(&world, paid("2", json!(3))).await;
    assert_eq!(world.finished(run).await["output"], json!([1, 3]));
}

#[tokio::test]
async fn several_runs_may_each_take_an_event_and_each_run_takes_it_once() {
    let twice = format!(
        "{ONE}  - more: {{ listen: {{ to: {{ one: {{ with: {{ type: order.paid }} }} }} }} }}\n"
    );
    let mut world = start().await;
    let (left, right) =
        (begin(&world, ONE, Value::Null).await, begin(&world, &twice, Value::Null).await);
    for run in [left, right] {
        assert_eq!(world.settled(run).await["status"], "waiting");
    }
    publish(&world, paid("1", json!(1))).await;
    assert_eq!(world.finished(left).await["output"], json!([1]));
    world.entry(right, "more", "waiting").await;
    publish(&world, paid("2", json!(2))).await;
    assert_eq!(world.finished(right).await["output"], json!([2]));
}

#[tokio::test]
async fn d7_the_output_of_emit_is_the_event_and_a_run_that_listens_hears_it() {
    let emit = "  - tell: { emit: { event: { with: { type: order.paid, source: 'https://shop.example', data: { n: '${ .n }' } } } } }\n";
    let mut world = start().await;
    let listener = begin(&world, ONE, Value::Null).await;
    assert_eq!(world.settled(listener).await["status"], "waiting");
    let teller = begin(&world, emit, json!({"n": 7})).await;
    let event = world.finished(teller).await["output"].clone();
    assert_eq!((&event["specversion"], &event["type"]), (&json!("1.0"), &json!("order.paid")));
    assert_eq!(event["data"], json!({"n": 7}));
    assert!(event["id"].is_string() && event["time"].is_string(), "{event}");
    assert_eq!(world.finished(listener).await["output"], json!([{"n": 7}]));
}

#[tokio::test]
async fn a_run_hears_what_it_has_emitted_itself() {
    let tasks = format!(
        "  - tell: {{ emit: {{ event: {{ with: {{ type: order.paid, data: mine }} }} }} }}\n{ONE}"
    );
    let mut world = start().await;
    let run = begin(&world, &tasks, Value::Null).await;
    assert_eq!(world.finished(run).await["output"], json!(["mine"]));
}

#[tokio::test]
async fn what_is_no_event_faults_the_emit_with_the_attribute() {
    let tasks = "  - tell: { emit: { event: { with: { type: '${ 7 }' } } } }\n";
    let mut world = start().await;
    let run = begin(&world, tasks, Value::Null).await;
    let report = world.finished(run).await;
    assert!(
        report["error"]["detail"].as_str().unwrap().contains("`type` must be a text"),
        "{report:#}"
    );
}

#[tokio::test]
async fn any_without_until_ends_with_the_first_event_and_an_empty_any_takes_every_event() {
    let tasks = "  - hear: { listen: { to: { any: [] } } }\n";
    let mut world = start().await;
    let run = begin(&world, tasks, Value::Null).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    publish(&world, json!({"type": "whatever", "data": 1})).await;
    assert_eq!(world.finished(run).await["output"], json!([1]));
}

#[tokio::test]
async fn until_as_a_condition_is_evaluated_on_the_events_so_far() {
    let tasks = "  - hear: { listen: { to: { any: [ { with: { type: order.paid } } ], until: '(map(.n) | add) >= 5' } } }\n";
    let mut world = start().await;
    let run = begin(&world, tasks, Value::Null).await;
    for (id, n) in [("a", 2), ("b", 2), ("c", 2), ("d", 9)] {
        publish(&world, paid(id, json!({"n": n}))).await;
    }
    assert_eq!(world.finished(run).await["output"], json!([{"n": 2}, {"n": 2}, {"n": 2}]));
}

#[tokio::test]
async fn until_as_events_ends_the_wait_and_is_not_of_the_output() {
    let tasks = "  - hear: { listen: { to: { any: [ { with: { type: order.paid } } ], until: { one: { with: { type: day.over } } } } } }\n";
    let mut world = start().await;
    let run = begin(&world, tasks, Value::Null).await;
    publish(&world, paid("a", json!(1))).await;
    publish(&world, paid("b", json!(2))).await;
    publish(&world, json!({"type": "day.over", "data": "bye"})).await;
    assert_eq!(world.finished(run).await["output"], json!([1, 2]));
}

#[tokio::test]
async fn d19_without_expect_the_first_value_seen_is_expected_of_the_rest() {
    let tasks = "  - hear: { listen: { to: { all: [ { with: { type: order.paid }, correlate: { order: { from: '.data.order' } } }, { with: { type: order.sent }, correlate: { order: { from: '.data.order' } } } ] } } }\n";
    let mut world = start().await;
    let run = begin(&world, tasks, Value::Null).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    let sent = |id: &str, order: Value| json!({"type": "order.sent", "source": "shop", "id": id, "data": {"order": order}});
    publish(&world, paid("1", json!({"order": null}))).await;
    publish(&world, paid("2", json!({"order": 8}))).await;
    publish(&world, sent("3", json!(9))).await;
    publish(&world, sent("4", json!(8.0))).await;
    assert_eq!(world.finished(run).await["output"], json!([{"order": 8}, {"order": 8.0}]));
}

#[tokio::test]
async fn d21_an_attribute_matches_by_value_by_pattern_by_predicate_or_by_equality_of_a_result() {
    for (matcher, fits, not) in [
        ("data: { n: 1 }", json!({"n": 1.0}), json!({"n": 2})),
        ("subject: '^a.+z$'", json!("abcz"), json!("abc")),
        ("data: '${ .n > 3 }'", json!({"n": 4}), json!({"n": 3})),
        ("data: '${ { n: $input.want } }'", json!({"n": 5}), json!({"n": 6})),
    ] {
        let tasks = format!(
            "  - hear: {{ listen: {{ to: {{ one: {{ with: {{ type: t, {matcher} }} }} }}, read: envelope }} }}\n"
        );
        let mut world = start().await;
        let run = begin(&world, &tasks, json!({"want": 5})).await;
        assert_eq!(world.settled(run).await["status"], "waiting");
        let event = |id: &str, value: &Value| {
            let key = matcher.split(':').next().unwrap();
            let mut event = json!({"type": "t", "source": "s", "id": id});
            event[key] = value.clone();
            event
        };
        publish(&world, json!({"type": "t", "source": "s", "id": "lacks it"})).await;
        publish(&world, event("not", &not)).await;
        publish(&world, event("fits", &fits)).await;
        let report = world.finished(run).await;
        assert_eq!(report["output"][0]["id"], "fits", "{matcher}: {report:#}");
    }
}

#[tokio::test]
async fn foreach_runs_for_each_event_in_order_and_its_output_is_the_element() {
    let tasks = "  - hear:\n      listen: { to: { any: [ { with: { type: order.paid } } ], until: { one: { with: { type: day.over } } } } }\n      foreach:\n        item: order\n        at: place\n        do: [ { w: { wait: PT1M } }, { s: { set: { n: '${ $order.n }', at: '${ $place }' } } } ]\n        output: { as: '${ .n * 10 + .at }' }\n        export: { as: '${ $context + { last: . } }' }\n  - end: { set: '${ [ ., $context.last ] }' }\n";
    let mut world = start().await;
    let run = begin(&world, tasks, Value::Null).await;
    for (id, n) in [("a", 1), ("b", 2)] {
        publish(&world, paid(id, json!({"n": n}))).await;
    }
    publish(&world, json!({"type": "day.over"})).await;
    assert_eq!(world.run_out(run).await["output"], json!([[10, 21], 21]));
}

#[tokio::test]
async fn a_wait_with_a_timeout_gives_up_and_the_event_stays_for_nobody() {
    let tasks = "  - guard:\n      try:\n        - hear: { listen: { to: { one: { with: { type: order.paid } } } }, timeout: { after: P2D } }\n      catch:\n        errors: { with: { status: 408 } }\n        do: [ { remind: { set: '${ \"reminded\" }' } } ]\n";
    let mut world = start().await;
    // the clock does not run out before the test has looked
    world.clock.hold_at(Some(world.handle.now()));
    let run = begin(&world, tasks, Value::Null).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    world.advance_to_due();
    assert_eq!(world.finished(run).await["output"], "reminded");
    publish(&world, paid("late", json!(1))).await;
}

#[tokio::test]
async fn an_event_for_one_run_is_not_heard_by_another() {
    let mut world = start().await;
    let (left, right) =
        (begin(&world, ONE, Value::Null).await, begin(&world, ONE, Value::Null).await);
    for run in [left, right] {
        assert_eq!(world.settled(run).await["status"], "waiting");
    }
    world
        .handle
        .publish(paid("1", json!("for the left")), Some(left), &name("author"))
        .await
        .unwrap();
    assert_eq!(world.finished(left).await["output"], json!(["for the left"]));
    assert_eq!(world.handle.report(right).unwrap()["status"], "waiting");
    let gone = world.handle.publish(paid("2", json!(1)), Some(left), &name("author")).await;
    assert!(gone.is_err(), "the run is over");
}

#[tokio::test]
async fn only_who_may_signal_sends_an_event_and_what_is_none_is_refused() {
    let world = start().await;
    let by_agent = world.handle.publish(paid("1", json!(1)), None, &name("agent")).await;
    assert_eq!(by_agent.unwrap_err().code(), "PL4005");
    for wrong in [json!([]), json!({}), json!({"type": 1})] {
        let error = world.handle.publish(wrong, None, &name("author")).await.unwrap_err();
        assert_eq!(error.code(), "PL4018", "{error}");
    }
}

#[tokio::test]
async fn branches_that_wait_for_the_same_event_take_one_each() {
    let tasks = "  - both:\n      fork:\n        branches:\n          - left: { listen: { to: { one: { with: { type: order.paid } } } } }\n          - right: { listen: { to: { one: { with: { type: order.paid } } } } }\n";
    let mut world = start().await;
    let run = begin(&world, tasks, Value::Null).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    publish(&world, paid("1", json!(1))).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    publish(&world, paid("2", json!(2))).await;
    assert_eq!(world.finished(run).await["output"], json!([[1], [2]]));
}

/// Two waits in a row, and events that follow one another faster than the runs can take them: what
/// was told to the first wait must not be taken by the second before what came earlier.
#[tokio::test]
async fn a_wait_takes_what_came_before_it_in_order_however_fast_more_comes() {
    let tasks = "  - one: { listen: { to: { one: { with: { type: a } } }, read: envelope } }\n  - then: { listen: { to: { any: [], until: 'length > 3' }, read: data } }\n";
    let mut world = start().await;
    let plan = world.deploy(&document(tasks)).await;
    let mut begun = vec![];
    for _ in 0..60 {
        let (requester, mode) = (name("author"), Mode::Sandbox);
        let start = placet_executor::Start { plan, input: Value::Null, requester, mode, seed: 0 };
        begun.push(world.handle.start(start).await.unwrap());
    }
    let row = |world: &World, run: &RunId| world.handle.run_row(*run).unwrap().unwrap();
    let hears = |run: &RunId, world: &World| row(world, run).waiting_for == Some(WaitingFor::Event);
    while !begun.iter().all(|run| hears(run, &world)) {
        world.notices.recv().await.unwrap();
    }
    for (number, kind) in ["other", "other", "a", "a", "a", "other"].into_iter().enumerate() {
        let event =
            json!({"type": kind, "source": "test", "id": number.to_string(), "data": number});
        publish(&world, event).await;
    }
    while !begun.iter().all(|run| row(&world, run).output.is_some()) {
        let notice = tokio::time::timeout(placet_test_support::DEADLINE, world.notices.recv());
        notice.await.expect("a run is stuck").unwrap();
    }
    for run in begun {
        let report = world.handle.report(run).unwrap();
        assert_eq!(report["output"], json!([0, 1, 3, 4]), "{report:#}");
    }
}
