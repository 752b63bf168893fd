//! What providers post to us: `fixtures/providers/<provider>/inbound.json`, each arrival as it was
//! signed by another implementation, and what must not pass: altered, stale, unsigned, with another
//! key, without a key.

use crate::support::{ADAPTERS, provider_files};
use placet_adapters::inbound::{Ack, Arrival, Event, Inbound, Received, Unverified};
use placet_adapters::{SecretText, shipped_schema};
use placet_model::integration::Identity;
use serde_json::{Value, json};

struct Fixture {
    provider: String,
    value: Value,
}

struct Case<'a> {
    fixture: &'a Fixture,
    value: &'a Value,
}

fn fixtures() -> Vec<Fixture> {
    let forms = provider_files("inbound_form.json");
    let fixtures: Vec<Fixture> = provider_files("inbound.json")
        .into_iter()
        .chain(forms)
        .map(|(_, value)| Fixture {
            provider: value["provider"].as_str().unwrap().to_owned(),
            value,
        })
        .collect();
    assert!(!fixtures.is_empty());
    fixtures
}

impl Fixture {
    fn inbound(&self) -> &'static Inbound {
        let inbound = ADAPTERS.manifest(&self.provider).unwrap().inbound().unwrap();
        let form = self.value["form"] == json!(true);
        inbound.meant_for(if form { "multipart/form-data" } else { "application/json" })
    }

    fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        self.value["cases"].as_array().unwrap().iter().map(|value| Case { fixture: self, value })
    }

    fn secret(&self) -> &str {
        self.value["secret"].as_str().unwrap()
    }

    /// A key of the same form that is not the provider's.
    fn other(&self) -> &str {
        self.value["others"][0].as_str().unwrap_or("another-key")
    }
}

impl Case<'_> {
    fn body(&self) -> Vec<u8> {
        self.value["body"].as_str().unwrap().as_bytes().to_vec()
    }

    /// Where the body holds the signature: without it.
    fn unsigned(&self) -> Vec<u8> {
        let body = self.value["body"].as_str().unwrap();
        let Some(tag) = self.value["tag"].as_str() else { return self.body() };
        let named = [
            ("\"signature\":\"", "\"s\":\""),
            ("signature=", "s="),
            ("\"signature\"\r", "\"s\"\r"),
        ];
        let without =
            named.iter().fold(body.to_owned(), |body, (name, other)| body.replace(name, other));
        assert!(without != body && body.contains(tag), "{}", self.name());
        without.into_bytes()
    }

    /// Where the body holds the signature: with rubbish in its place.
    fn garbled(&self) -> Vec<u8> {
        let Some(tag) = self.value["tag"].as_str() else { return self.body() };
        self.value["body"].as_str().unwrap().replace(tag, "???").into_bytes()
    }

    fn headers(&self) -> Vec<(String, String)> {
        let headers = self.value["headers"].as_object().unwrap();
        headers.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect()
    }

    fn received(
        &self,
        headers: &[(String, String)],
        body: &[u8],
        late_s: i64,
        keys: &[&str],
    ) -> Received {
        let at = self.value["at"].as_str().unwrap().parse::<placet_model::Timestamp>().unwrap();
        let url = self.value["url"].as_str().unwrap_or("https://placet.example/hooks/x/y");
        let at = at.plus_millis(late_s * 1000);
        let arrival = Arrival { url, headers, body, at };
        let own = self.value.get("own").unwrap_or_else(|| &self.fixture.value["own"]);
        let own = own.as_object().map(|own| Identity {
            id: own["id"].as_str().unwrap().to_owned(),
            tenant: own["tenant"].as_str().unwrap().to_owned(),
        });
        let wanted = self.fixture.inbound().key_field();
        let give = |field: &str| {
            assert_eq!(field, wanted);
            keys.iter().map(|key| SecretText::new(*key)).collect()
        };
        self.fixture.inbound().receive(&arrival, &give, own.as_ref())
    }

    fn as_sent(&self) -> Received {
        self.received(&self.headers(), &self.body(), 0, &[self.fixture.secret()])
    }

    fn name(&self) -> String {
        format!("{}: {}", self.fixture.provider, self.value["name"])
    }

    /// What the signature header is called, or the one that holds the secret.
    fn signature(&self) -> &str {
        self.fixture.value["signature"].as_str().unwrap()
    }
}

fn each(check: impl Fn(&Case<'_>)) {
    for fixture in fixtures() {
        for case in fixture.cases() {
            check(&case);
        }
    }
}

/// What came in one message.
fn events(received: Received) -> Vec<Event> {
    match received {
        Received::Event(event) => vec![*event],
        Received::Several(all) => all.into_iter().flat_map(events).collect(),
        Received::Unverified(_)
        | Received::Handshake(_)
        | Received::Own { .. }
        | Received::Hint
        | Received::Unknown => vec![],
    }
}

fn shown(received: &Received) -> Value {
    match received {
        Received::Unverified(why) => json!({ "unverified": why.to_string() }),
        Received::Handshake(reply) => json!({
            "handshake": {"status": reply.status, "body": String::from_utf8_lossy(&reply.body)}
        }),
        Received::Own { key } => json!({ "own": key }),
        Received::Hint => json!("hint"),
        Received::Unknown => json!("unknown"),
        Received::Several(all) => all.iter().map(shown).collect(),
        Received::Event(event) => with_told(
            event,
            json!({
                "key": event.key,
                "event_key": event.event_key,
                "dedupe": event.dedupe,
                "correlate": event.correlate,
                "match_on": event.match_on,
                "data": event.data,
                "stored": event.stored,
            }),
        ),
    }
}

/// What it tells of one of our sends, where it does.
fn with_told(event: &Event, mut shown: Value) -> Value {
    if let Some(told) = &event.told {
        shown["told"] =
            json!({"send_id": told.send_id, "final": told.is_final, "result": told.result});
    }
    shown
}

#[test]
fn each_arrival_is_what_its_fixture_says() {
    each(|case| assert_eq!(shown(&case.as_sent()), case.value["expect"], "{}", case.name()));
}

#[test]
fn a_body_with_one_other_byte_is_not_believed() {
    each(|case| {
        if case.fixture.value["body_signed"] == json!(false) {
            return;
        }
        let body = case.body();
        for at in [0, body.len() / 2, body.len().saturating_sub(2)] {
            let mut altered = body.clone();
            altered[at] ^= 1;
            let told = case.received(&case.headers(), &altered, 0, &[case.fixture.secret()]);
            assert_eq!(told, Received::Unverified(Unverified::Mismatch), "{}", case.name());
        }
    });
}

#[test]
fn an_arrival_that_is_not_signed_or_signed_by_somebody_else_is_not_believed() {
    each(|case| {
        let unsigned: Vec<_> = case
            .headers()
            .into_iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case(case.signature()))
            .collect();
        let told = case.received(&unsigned, &case.unsigned(), 0, &[case.fixture.secret()]);
        assert_eq!(told, Received::Unverified(Unverified::Unsigned), "{}", case.name());
        let told = case.received(&case.headers(), &case.body(), 0, &[case.fixture.other()]);
        assert_eq!(told, Received::Unverified(Unverified::Mismatch), "{}", case.name());
        let garbled: Vec<_> = case
            .headers()
            .into_iter()
            .map(|(name, value)| {
                let value = if name.eq_ignore_ascii_case(case.signature()) {
                    "???".to_owned()
                } else {
                    value
                };
                (name, value)
            })
            .collect();
        let told = case.received(&garbled, &case.garbled(), 0, &[case.fixture.secret()]);
        assert!(matches!(told, Received::Unverified(_)), "{}: {told:?}", case.name());
    });
}

#[test]
fn without_a_key_nothing_is_believed_and_while_one_is_rotated_both_are() {
    each(|case| {
        for keys in [&[][..], &[""][..]] {
            let told = case.received(&case.headers(), &case.body(), 0, keys);
            assert_eq!(told, Received::Unverified(Unverified::NoKey), "{}", case.name());
        }
        let both = [case.fixture.other(), case.fixture.secret()];
        let told = case.received(&case.headers(), &case.body(), 0, &both);
        assert_eq!(told, case.as_sent(), "{}", case.name());
    });
}

#[test]
fn what_was_signed_too_long_ago_or_too_far_ahead_is_stale_where_a_time_is_signed() {
    let mut judged = 0;
    for fixture in fixtures() {
        let Some(skew) = fixture.value["skew_s"].as_i64() else { continue };
        for case in fixture.cases() {
            for (late, stale) in
                [(skew, false), (skew + 1, true), (-skew, false), (-skew - 1, true)]
            {
                let told = case.received(&case.headers(), &case.body(), late, &[fixture.secret()]);
                let is_stale = told == Received::Unverified(Unverified::Stale);
                assert_eq!(is_stale, stale, "{} {late}", case.name());
            }
            judged += 1;
        }
    }
    assert!(judged > 0);
}

#[test]
fn an_arrival_that_comes_again_has_the_same_key_and_no_other_event_has_it() {
    for fixture in fixtures() {
        let mut seen = std::collections::BTreeMap::new();
        for case in fixture.cases() {
            let (first, again) = (events(case.as_sent()), events(case.as_sent()));
            assert_eq!(first, again, "{}", case.name());
            for event in first {
                assert!(!event.dedupe.is_empty());
                let other = seen.insert(event.dedupe, case.name());
                assert_eq!(other, None, "{} has the key of another one", case.name());
            }
        }
        assert!(!seen.is_empty(), "{} has no event", fixture.provider);
    }
}

#[test]
fn each_event_of_each_provider_has_an_arrival() {
    let mut seen = Vec::new();
    each(|case| {
        for event in events(case.as_sent()) {
            assert!(event.data.as_object().is_some(), "{}", case.name());
        }
    });
    for fixture in fixtures() {
        for case in fixture.cases() {
            seen.extend(events(case.as_sent()).into_iter().map(|event| event.key));
        }
    }
    for manifest in ADAPTERS.manifests().values() {
        // what is read and not posted is held by the tests of tokens
        let posted = manifest.inbound().filter(|inbound| inbound.sync().is_none());
        for (key, _) in posted.into_iter().flat_map(Inbound::events) {
            assert!(seen.iter().any(|known| known == key), "{key} has no arrival in the fixtures");
        }
    }
}

#[test]
fn each_providers_key_is_a_field_of_its_credentials() {
    for manifest in ADAPTERS.manifests().values() {
        let Some(inbound) = manifest.inbound().filter(|inbound| inbound.token().is_none()) else {
            continue;
        };
        let path = format!("schemas/providers/{}/credentials.json", manifest.provider());
        let schema: Value = serde_json::from_str(&shipped_schema(&path).unwrap()).unwrap();
        let field = &schema["properties"][inbound.key_field()];
        assert_eq!(field["writeOnly"], true, "{}", manifest.provider());
    }
}

#[test]
fn what_could_not_be_stored_is_asked_for_again_and_nothing_else_is() {
    for manifest in ADAPTERS.manifests().values() {
        let Some(inbound) = manifest.inbound() else { continue };
        let status = |ack| inbound.reply(ack).status;
        assert!((500..600).contains(&status(Ack::RetryLater)), "{}", manifest.provider());
        for good in [Ack::Stored, Ack::Duplicate, Ack::UnknownConnection] {
            assert!((200..300).contains(&status(good)), "{}", manifest.provider());
        }
        assert!(status(Ack::BadSignature) >= 400, "{}", manifest.provider());
    }
}
