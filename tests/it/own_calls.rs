//! What Placet itself asks of a provider, with the whole program: giving a token back, and a webhook. It is on record
//! by its digest before it leaves, whatever becomes of the engine meanwhile, and no secret can be read out of it.
//!
//! covers: S2, S13.

use placet_model::request::{Body, Hole, HoleKind, HoledText, Part, PreparedRequest};
use placet_test_support::provider::{Answer, Behaviour, Received};
use serde_json::{Value, json};

use crate::world::{Live, TOKEN};

const REVOKE: &str = "/api/auth.revoke";
const DISCONNECT: [&str; 6] = ["integrations", "disconnect", "slack", "--yes", "--as", "author"];

fn of(live: &Live, kind: &str) -> Vec<Value> {
    live.json_lines(&["audit", "log", "--type", kind])
}

/// What was received, as it was prepared: the token is a named hole, and what a client adds by itself is left out.
fn prepared(live: &Live, received: &Received) -> PreparedRequest {
    assert_eq!(received.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert!(received.body.is_empty());
    let accept = received.header("accept").expect("it says what it takes");
    let hole = Hole { hole: HoleKind::Credential, name: "access_token".to_owned() };
    let token = HoledText(vec![Part::Text("Bearer ".to_owned()), Part::Hole(hole)]);
    PreparedRequest {
        method: received.method.clone(),
        url: HoledText::plain(live.provider.url(&received.target)),
        headers: vec![
            ("Accept".to_owned(), HoledText::plain(accept)),
            ("User-Agent".to_owned(), HoledText::plain("placet")),
            ("Authorization".to_owned(), token),
        ],
        body: Body::Empty,
    }
}

#[test]
fn a_token_that_is_given_back_is_on_record_before_it_leaves_and_a_kill_in_between_hides_nothing() {
    let mut live = Live::start();
    live.provider.next_for(REVOKE, Behaviour::ApplyThenSilence);
    let asking = live.placet(DISCONNECT).start();
    live.provider.wait_until(|_| live.provider.received_at(REVOKE).len() == 1);
    live.kill_9();
    drop(asking.finish());

    // what has left is what the log says was about to leave
    let received = live.provider.received_at(REVOKE);
    let started = of(&live, "OwnCallStarted");
    let [event] = &started[..] else { panic!("{started:?}") };
    let body = &event["body"];
    let request = prepared(&live, &received[0]);
    assert_eq!(body["request_digest"], request.digest().to_string());
    assert_eq!((&body["purpose"], &body["method"]), (&json!("revoke"), &json!("POST")));
    assert_eq!(
        (&body["operation"], &body["credential_version"]),
        (&json!("slack.revoke"), &json!(1))
    );
    assert_eq!(body["url"], live.provider.url(REVOKE));
    assert_eq!(event["actor"], "principal:author");
    assert_eq!(of(&live, "OwnCallEnded"), [] as [Value; 0], "nobody knows what came of it");
    // the digest is not one over the token: whoever guesses it cannot try it
    let mut said = request;
    said.headers[2].1 = HoledText::plain(format!("Bearer {TOKEN}"));
    assert_ne!(body["request_digest"], said.digest().to_string());

    // the next engine makes nothing up, and goes on
    live.restart();
    assert_eq!(of(&live, "OwnCallStarted").len(), 1);
    assert_eq!(of(&live, "OwnCallEnded"), [] as [Value; 0]);
    let log = live.placet(["audit", "log", "--json"]).run().expect_code(0).stdout;
    assert!(!log.contains(TOKEN));
    let position = event["position"].as_u64().expect("a position").to_string();
    let told = live.placet(["audit", "show", &position]).run().expect_code(0).stdout;
    let words = "author is about to ask the provider of";
    assert!(told.contains(words) && told.contains("to take back a credential"), "{told}");
}

#[test]
fn what_a_provider_says_to_it_is_on_record_too_and_so_is_that_it_said_nothing() {
    let live = Live::start();
    let is_revoked = Answer::json(&json!({"ok": true, "revoked": true}));
    let refused = json!({"ok": false, "error": "not_authed"});
    let cases = [
        (Behaviour::Answer(is_revoked), ("done", json!(200))),
        (Behaviour::refuse(200, &refused), ("refused", json!(200))),
        (Behaviour::ApplyThenReset, ("unclear", Value::Null)),
    ];
    for (n, (behaviour, (outcome, status))) in cases.into_iter().enumerate() {
        if n > 0 {
            live.connect();
        }
        live.provider.next_for(REVOKE, behaviour);
        drop(live.placet(DISCONNECT).run().expect_code(0));
        let (started, ended) = (of(&live, "OwnCallStarted"), of(&live, "OwnCallEnded"));
        assert_eq!((started.len(), ended.len()), (n + 1, n + 1), "{outcome}");
        assert_eq!(ended[n]["body"]["call"], started[n]["event_id"], "{outcome}");
        let body = &ended[n]["body"];
        assert_eq!((&body["outcome"], &body["status"]), (&json!(outcome), &status), "{body}");
    }
    let ids: Vec<Value> = of(&live, "OwnCallStarted")
        .iter()
        .map(|event| event["body"]["integration"].clone())
        .collect();
    assert_eq!(ids.len(), 3);
}
