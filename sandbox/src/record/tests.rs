//! What a record keeps and what it never does.

use super::*;
use placet_adapters::Adapters;
use placet_schemas::Registry;
use serde_json::json;

fn of(operation: &str, output: &Value, differences: &[Difference<'_>]) -> Recorded {
    let adapters = Adapters::shipped();
    let operation = adapters.operation(operation).unwrap();
    recorded(operation, operation.output_schema().unwrap(), output, differences).unwrap()
}

/// A walk over an answer of a schema that names what is given here, and nothing else.
fn redacted(schema: &Value, answer: &Value) -> (Value, Vec<Redacted>) {
    let schema = Registry::new().register(schema).unwrap();
    let mut redactor = Redactor::new(schema.document());
    let body = redactor.value(answer);
    (body, redactor.done)
}

/// A schema that declares these members, whatever they are.
fn open(names: &[&str]) -> Value {
    let properties = names.iter().map(|name| ((*name).to_owned(), json!(true)));
    json!({"type": "object", "properties": Value::Object(properties.collect())})
}

#[test]
fn nothing_that_a_provider_said_of_anybody_stands_in_the_record_and_its_shape_does() {
    let said = json!({
        "email": "ana.silva@acme.example", "phone": "+44 20 7946 0958", "token": "tok_4eC39HqLyjWDarjt",
        "customer_id": "cus_9s6XKzkNRiz8i3", "channel": "C0SALES1", "name": "Ana Silva",
        "created": 1_712_345_678, "updated_at": "2024-04-05T19:34:38.123+02:00", "amount": 129_900,
        "url": "https://acme.example/u/ana?key=1", "note": "call ana.silva@acme.example",
        "bearer": "xoxb-1234567890-abcdef", "uuid": "6f1c1b1e-9a40-4b6e-8a2c-3d1f2a5b7c9d",
    });
    let names: Vec<&str> = said.as_object().unwrap().keys().map(String::as_str).collect();
    let (body, done) = redacted(&open(&names), &said);
    for (name, value) in said.as_object().unwrap() {
        assert_ne!(&body[name], value, "{name}");
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let length = |value: &Value| text(value).chars().count();
        if !matches!(name.as_str(), "email" | "url") {
            assert_eq!(length(&body[name]), length(value), "{name}: {} {value}", body[name]);
        }
    }
    let text = body.to_string().to_lowercase();
    for word in ["ana", "silva", "acme", "7946", "9s6x", "sales", "712345", "1299", "6f1c1b"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    assert_eq!(body["email"], "person1@example.com");
    assert!(body["customer_id"].as_str().unwrap().starts_with("cus_"), "an id keeps its kind");
    assert!(body["phone"].as_str().unwrap().starts_with("+15 55 01"), "{}", body["phone"]);
    let kinds: Vec<(&str, Kind)> = done.iter().map(|one| (&*one.at, one.kind)).collect();
    for told in [
        ("/email", Kind::Email),
        ("/phone", Kind::Phone),
        ("/token", Kind::Secret),
        ("/bearer", Kind::Secret),
        ("/customer_id", Kind::Id),
        ("/channel", Kind::Id),
        ("/uuid", Kind::Id),
        ("/name", Kind::Text),
        ("/note", Kind::Text),
        ("/created", Kind::Moment),
        ("/updated_at", Kind::Moment),
        ("/amount", Kind::Number),
        ("/url", Kind::Url),
    ] {
        assert!(kinds.contains(&told), "{told:?} in {kinds:?}");
    }
}

#[test]
fn one_value_is_one_pseudonym_wherever_it_stands_and_two_stay_two() {
    let said = json!({"user_id": "U0ANA777", "list": [{"user_id": "U0BEN888"}, {"user_id": "U0ANA777"}],
        "email": "a@x.example", "other": "b@x.example"});
    let mut schema = open(&["user_id", "email", "other"]);
    schema["properties"]["list"] = json!({"items": open(&["user_id"])});
    let (body, _) = redacted(&schema, &said);
    assert_eq!(body["user_id"], body["list"][1]["user_id"]);
    assert_ne!(body["user_id"], body["list"][0]["user_id"]);
    assert_ne!(body["email"], body["other"]);
    assert_eq!(redacted(&schema, &said).0, body, "and the same again");
}

#[test]
fn what_the_schema_names_and_what_says_nothing_is_kept() {
    let mut schema = open(&["object", "count", "ok", "gone", "status"]);
    schema["properties"]["plan"] = json!({"enum": ["Gold Plan", "Silver Plan"]});
    let said = json!({"object": "customer", "count": 3, "ok": true, "gone": null, "status": "active",
        "plan": "Gold Plan"});
    assert_eq!(redacted(&schema, &said), (said, vec![]));
}

#[test]
fn a_name_that_only_the_answer_has_is_a_word_of_somebodys() {
    let said = json!({"known": {"ana@acme.example": true}, "ana": 1});
    let (body, done) = redacted(&open(&["known"]), &said);
    assert_eq!(body, json!({"known": {"member0": true}, "member1": 1}));
    assert_eq!(done[0].kind, Kind::Name);
}

#[test]
fn a_read_is_recorded_whole_and_stays_as_valid_as_it_was() {
    let said = json!({"ok": true, "channels": [
        {"id": "C0SALES1", "name": "sales-emea", "is_channel": true},
        {"id": "C0SALES2", "name": "sales-apac", "is_channel": true}]});
    let record = of("slack.conversations.list", &said, &[]);
    assert!(record.is_whole);
    assert_eq!(record.body["channels"].as_array().map(Vec::len), Some(2));
    let adapters = Adapters::shipped();
    let schema = adapters.operation("slack.conversations.list").unwrap().output_schema().unwrap();
    assert!(schema.is_valid(&record.body), "{}", record.body);
}

#[test]
fn of_a_write_only_what_the_log_keeps_is_the_providers_and_ids_of_ours_are_not() {
    let said = json!({"channel": "C0SALES1", "ts": 17, "message_id": "17", "external_id": "C0SALES1:17",
        "thread_id": "17"});
    let record = of("slack.chat.postMessage", &said, &[("/ts", "type")]);
    assert!(!record.is_whole);
    assert!(record.body["ts"].is_number(), "as wrong as it was: {}", record.body);
    assert_ne!(record.body["channel"], "C0SALES1");
    assert!(record.body.get("message_id").is_none(), "{}", record.body);
    let missing =
        of("slack.chat.postMessage", &json!({"channel": "C0SALES1"}), &[("/ts", "required")]);
    assert!(missing.body.get("ts").is_none(), "{}", missing.body);
}
