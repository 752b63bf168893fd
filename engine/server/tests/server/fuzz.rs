//! Bodies that were spoilt on the way: each is refused as a problem with a code, or does what it says;
//! the server goes on, and none is a fault of its own. `PLACET_SEED=… PLACET_INPUTS=…` repeats or widens.

use crate::world::{TOKEN, ask, text, with_workflow};
use placet_test_support::random::Random;
use placet_test_support::spoil::{budget, spoil};
use serde_json::{Value, json};

/// Bodies as they should be, by the place that takes them.
fn bodies(run: &str, card: &Value) -> Vec<(String, Value)> {
    let decision = card["id"].as_str().unwrap();
    let ballot = json!({"digest": card["digest"], "verdict": "approve", "nonce": "00112233445566778899aabbccddeeff", "time": "2026-01-01T00:00:00Z", "reason": "fine"});
    let input = json!({"channel": "C0123", "text": "hello"});
    vec![
        ("/api/v1/runs".to_owned(), json!({"workflow": "ops/slack-notify", "input": input})),
        (format!("/api/v1/decisions/{decision}/votes"), ballot),
        (format!("/api/v1/runs/{run}/signal"), json!({"type": "ping", "data": {"n": 1}})),
        (
            "/api/v1/events".to_owned(),
            json!({"type": "ping", "source": "x", "id": "1", "data": [1]}),
        ),
        (
            "/api/v1/workflows".to_owned(),
            json!({"file": "slack-notify.yaml", "source": text("ok/slack-notify.yaml")}),
        ),
        ("/api/v1/integrations".to_owned(), json!({"name": "other", "provider": "slack"})),
        ("/api/v1/policy".to_owned(), json!({"source": "groups:\n  leads: [ana]\n"})),
        ("/api/v1/pause".to_owned(), json!({"integration": "slack"})),
        ("/api/v1/resume".to_owned(), json!({})),
        (format!("/api/v1/runs/{run}/cancel"), json!({"reason": "no more"})),
    ]
}

#[tokio::test]
async fn spoilt_bodies_are_refused_with_a_code_or_do_what_they_say() {
    let (seed, inputs) = budget(400);
    let mut random = Random::new(seed);
    let mut world = with_workflow().await;
    let (run, card) = world.waiting().await;
    let bodies = bodies(&run, &card);
    let mut refused = 0;
    for _ in 0..inputs {
        let (place, body) = random.pick(&bodies);
        let body = spoil(&mut random, body.to_string().as_bytes());
        let asked = ask("POST", place).header("Content-Type", "application/json");
        let answer = asked.body(body.clone()).send(world.server).await;
        let shown = String::from_utf8_lossy(&body);
        assert!(answer.status < 500, "PLACET_SEED={seed}: {place} {shown}: {answer:?}");
        if answer.status >= 400 {
            let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
            answer.is_problem(answer.status, &code);
            assert!(!answer.body.contains(TOKEN));
            refused += 1;
        }
    }
    assert_eq!(world.get("/healthz").await.status, 200);
    world.close().await;
    println!("{refused} of {inputs} were refused");
}
