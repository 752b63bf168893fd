//! Many at once: votes over NATS, signed, through two connections, and over HTTP meanwhile.

use std::collections::BTreeMap;

use placet_bus::Seed;
use placet_executor::Clock;
use placet_model::decision::Verdict;
use placet_model::passkey::SignerKey;
use placet_model::signed::{Draft, Item, Said};
use placet_test_support::nats::NatsServer;
use serde_json::{Value, json};

use crate::world::{Desk, Live, kinds};

/// Somebody with a key that the engine knows, at a machine of their own.
#[derive(Debug)]
pub(super) struct Signer {
    seed: Seed,
    user: String,
    origin: String,
}

impl Signer {
    /// Makes a key and has the admin register it.
    pub(super) fn register(live: &Live, who: &str) -> Self {
        let seed = Seed::random().expect("a key");
        let body = json!({"principal": who, "key": seed.key()});
        let (status, answer) = live.door().post("author", "/api/v1/keys", &body);
        assert_eq!(status, 201, "{answer}");
        let keys = live.door().get("author", "/api/v1/keys").1;
        let origin = keys["origin"].as_str().expect("an origin").to_owned();
        Self { seed, user: who.to_owned(), origin }
    }

    /// The envelope of an approval.
    pub(super) fn approve(&self, decision: &str, digest: &Value) -> Value {
        let digest = digest.as_str().expect("a digest").parse().expect("a digest");
        let now = Clock::System.now();
        let nonce = placet_model::Digest::of_parts(&[self.user.as_bytes(), decision.as_bytes()]);
        let draft = Draft {
            items: vec![Item { decision: decision.to_owned(), digest }],
            said: Said::Vote(Verdict::Approve),
            user: self.user.parse().expect("a name"),
            key: SignerKey::Nkey(self.seed.key()),
            nonce: nonce.as_bytes()[..16].try_into().expect("16 bytes"),
            origin: self.origin.clone(),
            issued_at: now,
            expires_at: now.plus_millis(10 * 60 * 1000),
            reason: None,
            with: None,
        };
        Value::Object(self.seed.sign(draft, None).expect("it signs"))
    }
}

/// A hundred voters of whom one is enough: half of them sign and go through two connections to NATS, half come over HTTP,
/// all at the same time.
#[test]
fn a_hundred_votes_over_nats_and_http_settle_a_request_once() {
    let name = "a_hundred_votes_over_nats_and_http_settle_a_request_once";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let voters: Vec<String> = (0..100).map(|n| format!("voter{n}")).collect();
    let policy = format!(
        "
groups: {{ crowd: [{}] }}
rules:
  - {{ name: one, match: {{ effect: send }}, require: {{ approvers: [crowd], quorum: 1 }} }}
",
        voters.join(", ")
    );
    let live = Live::on_nats(&server, Some(&policy));
    let signers: Vec<Signer> =
        voters[..50].iter().map(|who| Signer::register(&live, who)).collect();
    let asked = live.ask("Hello");
    let (left, right) = (Desk::at(&server), Desk::at(&server));
    let digest = left.card("voter0", &asked.decision)["digest"].clone();
    let signed: Vec<(String, Value)> = signers
        .iter()
        .map(|signer| {
            let subject = format!("placet.v1.inbox.{}.decide", signer.user);
            (subject, signer.approve(&asked.decision, &digest))
        })
        .collect();
    let over_http = |who: &String| {
        let path = format!("/api/v1/decisions/{}/votes", asked.decision);
        live.door().post(who, &path, &json!({"verdict": "approve", "digest": digest})).1
    };
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let http = voters[50..].iter().map(|who| scope.spawn(move || over_http(who)));
        let http: Vec<_> = http.collect();
        let one = scope.spawn(|| left.at_once(signed[..25].to_vec()));
        let two = scope.spawn(|| right.at_once(signed[25..].to_vec()));
        let nats = [one.join().expect("answers"), two.join().expect("answers")].concat();
        http.into_iter().map(|one| one.join().expect("an answer")).chain(nats).collect()
    });
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for answer in &answers {
        let code = answer["error"]["code"].as_str().or_else(|| answer["code"].as_str());
        let word = code.or_else(|| answer["state"].as_str()).unwrap_or("neither");
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    println!("of {} votes: {counts:?}", answers.len());
    assert_eq!(counts, BTreeMap::from([("PL3007".to_owned(), 99), ("approved".to_owned(), 1)]));
    let events = live.until(&asked.run, "RunCompleted");
    for kind in ["VoteCast", "DecisionSettled", "AttemptStarted"] {
        assert_eq!(kinds(&events).iter().filter(|found| **found == kind).count(), 1, "{kind}");
    }
    assert_eq!(live.posts().len(), 1);
}
