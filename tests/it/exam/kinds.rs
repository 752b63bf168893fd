//! The ways in which a provider makes a second time harmless, in a project's own manifest, against every fault of a
//! wire: an id that is ours, a look before a second time, a version that guards the write, a key that the object has by
//! nature. The stand-in keeps what it took, and refuses what such a provider refuses; counted is what is there in the end.
//!
//! covers: S7, S10, T11

use super::providers::cases::{Case, Fault};
use super::providers::stage::{End, Stage, Waits};
use placet_adapters::{Adapters, ManifestFile};
use placet_test_support::provider::{Answer, Behaviour, Play, Received};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

const ACME: &str = include_str!("kinds/acme.yaml");
const CONFIG: &str = r#"{"type": "object", "properties": {"api_base": {"type": "string", "pattern": "^https?://"}}}"#;

fn adapters() -> Adapters {
    let file = ManifestFile { path: "adapters/acme.yaml".to_owned(), text: ACME.to_owned() };
    let schema = |path: &str| match path {
        "any.json" => Some("{}".to_owned()),
        "config.json" => Some(CONFIG.to_owned()),
        _ => None,
    };
    let loaded = Adapters::with_project(&[file], &schema, &BTreeSet::new());
    loaded.unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// What is asked of each operation; `n` tells one send from the others.
fn input(operation: &str, n: usize) -> Value {
    match operation {
        "acme.pages.update" => {
            json!({"page": format!("p{n}"), "version": "v1", "text": format!("text {n}")})
        }
        "acme.settings.put" => json!({"name": format!("s{n}"), "value": n}),
        "acme.contacts.create" => json!({"email": format!("c{n}@example.com")}),
        _ => json!({"text": format!("text {n}")}),
    }
}

/// The last segment of the path.
fn name(request: &Received) -> &str {
    request.path().rsplit('/').next().unwrap_or_default()
}

fn field(request: &Received, field: &str) -> Value {
    request.json().unwrap_or_default()[field].clone()
}

/// The provider as it is, over what it took before.
fn acme(request: &Received, applied: &[Received]) -> Behaviour {
    let writes: Vec<&Received> = applied.iter().filter(|one| one.method != "GET").collect();
    let conflict = |status| Behaviour::refuse(status, &json!({"error": "there is one"}));
    let ok = |body: &Value| Behaviour::Answer(Answer::json(body));
    let collection = request.path().split('/').nth(2).unwrap_or_default();
    let mine: Vec<&&Received> =
        writes.iter().filter(|one| one.path().split('/').nth(2) == Some(collection)).collect();
    match (request.method.as_str(), collection) {
        ("POST", "notes") => {
            let id = field(request, "id");
            let taken = mine.iter().any(|one| field(one, "id") == id);
            if taken { conflict(409) } else { ok(&json!({"id": id})) }
        }
        // this one makes another, whatever its id says
        ("POST", "twins") => ok(&json!({"id": field(request, "id")})),
        ("GET", "twins") => {
            let found = mine.iter().find(|one| field(one, "id") == name(request));
            found.map_or_else(|| conflict(404), |_| ok(&json!({"id": name(request)})))
        }
        ("PUT", "pages") => {
            let moved = mine.iter().any(|one| name(one) == name(request));
            let guarded = request.header("if-match") == Some("v1");
            if moved && guarded { conflict(412) } else { ok(&json!({"id": name(request)})) }
        }
        ("GET", "pages") => {
            let last = mine.iter().rev().find(|one| name(one) == name(request));
            let text = last.map_or_else(|| json!("as it was"), |one| field(one, "text"));
            ok(&json!({"id": name(request), "text": text}))
        }
        ("PUT", "settings") => ok(&json!({"name": name(request)})),
        ("POST", "contacts") => {
            let email = field(request, "email");
            let taken = mine.iter().any(|one| field(one, "email") == email);
            if taken { conflict(409) } else { ok(&json!({"id": "1", "email": email})) }
        }
        _ => Behaviour::refuse(404, &json!({})),
    }
}

/// How many things there are now of what was written: the same value in the same place is one.
fn things(operation: &str, applied: &[Received]) -> usize {
    let writes = applied.iter().filter(|one| one.method != "GET");
    if operation == "acme.settings.put" {
        return writes
            .map(|one| (one.path().to_owned(), one.text()))
            .collect::<BTreeSet<_>>()
            .len();
    }
    writes.count()
}

const OPERATIONS: [&str; 5] = [
    "acme.notes.create",
    "acme.twins.create",
    "acme.pages.update",
    "acme.settings.put",
    "acme.contacts.create",
];

#[test]
fn each_kind_of_harmless_second_time_ends_in_exactly_one_thing_and_asks_nobody() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut patient = Stage::open_with(adapters(), Waits::Long).await;
        let mut hasty = Stage::open_with(adapters(), Waits::Briefly).await;
        for stage in [&patient, &hasty] {
            stage.connect("acme").await;
        }
        let (mut shown, mut problems) = (String::new(), vec![]);
        for (m, operation) in OPERATIONS.into_iter().enumerate() {
            for (n, fault) in Fault::ALL.into_iter().enumerate() {
                let stage = match fault.waits() {
                    Waits::Long => &mut patient,
                    Waits::Briefly => &mut hasty,
                };
                let case = case(stage, operation, 100 * m + n);
                let before = stage.provider().applied().len();
                let first = fault.behaviour(&case, &Answer::json(&json!({"id": "1"})));
                let play = Behaviour::Play(Play::new(acme));
                let (end, story) = stage.play_as(&case, first, play).await;
                let count = things(operation, &stage.provider().applied()[before..]);
                let _written =
                    writeln!(shown, "{operation:<22} {:<18} {}", fault.word(), end.word());
                let right = match fault {
                    Fault::Refused => (end, count) == (End::Refused, 0),
                    Fault::None | Fault::RateLimited => (end, count) == (End::Sent, 1),
                    _ => matches!(end, End::Sent | End::LookedUp) && count == 1,
                };
                if !right {
                    let fault = fault.word();
                    problems.push(format!(
                        "{operation} with {fault}: {} and {count}: {story:?}",
                        end.word()
                    ));
                }
            }
        }
        patient.close().await;
        hasty.close().await;
        println!("{shown}");
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    });
}

fn case(stage: &Stage, operation: &str, n: usize) -> Case {
    let definition = Arc::clone(stage.adapters().operation(operation).expect("the project's own"));
    Case { operation: operation.to_owned(), definition, input: input(operation, n) }
}
