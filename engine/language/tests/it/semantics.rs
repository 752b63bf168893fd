//! For the author: decisions of the language that a fixture would show less plainly.

use placet_language::{Environment, Evaluator, Limits, Scope, Source, check};
use placet_model::TaskPath;
use placet_model::manifest::Catalogue;
use placet_model::plan::{Plan, TaskKind, Template};
use placet_schemas::Registry;
use serde_json::{Value, json};

use crate::world::World;

const HEADER: &str = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }\n";

fn plan(body: &str) -> Plan {
    let checked = World::new().check("t.yaml", &format!("{HEADER}{body}"));
    let findings = checked.diagnostics;
    checked.plan.unwrap_or_else(|| unreachable!("{findings:#?}"))
}

fn findings(body: &str) -> Vec<String> {
    let checked = World::new().check("t.yaml", &format!("{HEADER}{body}"));
    checked.diagnostics.iter().map(|d| format!("{} {}:{}", d.code.id, d.line, d.column)).collect()
}

fn patient() -> Evaluator {
    Evaluator::new(Limits { deadline: std::time::Duration::from_secs(20), ..Limits::default() })
}

#[test]
fn only_what_a_connected_provider_posts_starts_runs_by_its_type() {
    let on = |kind: &str| {
        let listen = "listen: { to: { one: { with: { type: postmark.inbound } } } }";
        let body = format!(
            "schedule: {{ on: {{ one: {{ with: {{ type: '{kind}' }} }} }}, read: data }}\ndo: [{{ a: {{ {listen} }} }}]\n"
        );
        findings(&body)
    };
    assert_eq!(on("postmark.inbound"), ["PL2110 2:40"]);
    // one that is connected, one that is no provider's, and what only the event can tell
    for other in ["slack.message", "acme.order.placed", "order", "^postmark[.].*$"] {
        assert_eq!(on(other), Vec::<String>::new(), "{other}");
    }
}

#[test]
fn a_trigger_that_every_connection_has_switched_off_is_said() {
    let world = World::new();
    let warned = |off: &[&str], kind: &str| {
        let silent =
            off.iter().map(|name| ((*name).to_owned(), "slack.message".to_owned())).collect();
        let environment = Environment { silent: Some(&silent), ..world.environment() };
        let text = format!(
            "{HEADER}schedule: {{ on: {{ one: {{ with: {{ type: {kind} }} }} }}, read: data }}\ndo: []\n"
        );
        let found = check(&Source::new("t.yaml", text), &environment).diagnostics;
        let told = found.iter().filter(|one| one.code.id == "PL2416");
        told.map(|one| format!("{}:{} {}", one.line, one.column, one.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        warned(&["sales-slack", "ops-slack"], "slack.message"),
        ["2:40 `slack.message` starts no run: its trigger is off (ops-slack, sales-slack)"]
    );
    // one of them still starts runs by it; and another event is another trigger
    assert_eq!(warned(&["sales-slack"], "slack.message"), Vec::<String>::new());
    assert_eq!(warned(&["sales-slack", "ops-slack"], "slack.other"), Vec::<String>::new());
}

#[test]
fn the_digest_is_of_the_meaning_and_not_of_the_spelling() {
    let block = plan("do:\n  # a comment\n  - a:\n      set:\n        x: \"1\"\n");
    let flow = plan("do: [{ a: { set: { x: '1' } } }]\n");
    let other = plan("do: [{ a: { set: { x: '2' } } }]\n");
    assert_eq!(block.digest().unwrap(), flow.digest().unwrap());
    assert_ne!(block.digest().unwrap(), other.digest().unwrap());
}

#[test]
fn the_order_of_keys_is_part_of_the_meaning_because_bodies_are_written_in_it() {
    let one = plan("do: [{ a: { set: { x: '${ . }', y: 2 } } }]\n");
    let two = plan("do: [{ a: { set: { y: 2, x: '${ . }' } } }]\n");
    assert_ne!(one.digest().unwrap(), two.digest().unwrap());
}

#[test]
fn tasks_are_found_by_their_pointer_and_keep_their_definition() {
    let plan = plan(
        "do:\n  - outer:\n      try:\n        - a/b: { set: { x: 1 } }\n      catch: { do: [{ late: { wait: PT1S } }] }\n",
    );
    let inner = plan.task(&TaskPath::new("/do/0/outer/try/0/a~1b")).expect("the task");
    assert_eq!(inner.definition, json!({ "set": { "x": 1 } }));
    assert!(plan.task(&TaskPath::new("/do/0/outer/catch/do/0/late")).is_some());
}

#[test]
fn the_documents_approval_is_the_default_for_what_a_task_leaves_out() {
    let header = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0', metadata: { approval: \
        { approvers: [ana], expires: P1D } } }\n";
    let send = "call: slack.chat.postMessage, with: { channel: C0, text: hi }";
    let text = format!(
        "{header}do:\n  - a: {{ {send} }}\n  - b: {{ {send}, metadata: {{ approval: {{ approvers: [ben] }} }} }}\n  \
         - c: {{ call: slack.auth.test }}\n"
    );
    let plan = World::new().check("t.yaml", &text).plan.expect("a plan");
    let approval = |index: usize| match &plan.tasks.0[index].kind {
        TaskKind::Call(call) => call.approval.clone(),
        other => unreachable!("{other:?}"),
    };
    let of = |index: usize| {
        let approval = approval(index).expect("gated");
        (approval.thresholds[0].from[0].to_string(), approval.expires.map(|d| d.to_string()))
    };
    assert_eq!(of(0), ("ana".to_owned(), Some("P1D".to_owned())));
    assert_eq!(of(1), ("ben".to_owned(), Some("P1D".to_owned())));
    assert_eq!(approval(2), None);
}

#[test]
fn a_uri_template_takes_top_level_keys_of_the_input_and_encodes_them() {
    let plan = plan(
        "do:\n  - a: { call: http, with: { method: GET, endpoint: 'https://a.example/{pet.id}/x?q={q}' } }\n",
    );
    let TaskKind::Call(call) = &plan.tasks.0[0].kind else { unreachable!() };
    let url = |input: Value| -> Result<Value, String> {
        let with =
            patient().template(&call.with, &input, &Scope::new()).map_err(|e| e.to_string())?;
        Ok(with["endpoint"].clone())
    };
    assert_eq!(
        url(json!({ "pet.id": 7, "q": "a b/ü" })),
        Ok(json!("https://a.example/7/x?q=a%20b%2F%C3%BC"))
    );
    assert_eq!(
        url(json!({ "pet": { "id": 7 }, "q": true })),
        Ok(json!("https://a.example//x?q=true"))
    );
    assert_eq!(url(json!(null)), Ok(json!("https://a.example//x?q=")));
    assert!(url(json!({ "q": [1] })).is_err());
}

#[test]
fn a_reading_http_operation_cannot_be_called_by_name_around_the_gate() {
    for name in ["http.read", "http.request", "http.delete"] {
        assert_eq!(
            findings(&format!("do: [{{ a: {{ call: {name}, with: {{}} }} }}]\n")),
            ["PL2102 2:19"]
        );
    }
}

#[test]
fn without_a_project_names_of_integrations_and_people_are_not_checked() {
    let world = World::new();
    let environment = Environment { integrations: None, policy: None, ..world.environment() };
    let text = format!(
        "{HEADER}do:\n  - a:\n      call: postmark.email.send\n      with: {{ integration: any }}\n      \
         metadata: {{ approval: {{ approvers: [somebody] }} }}\n"
    );
    assert!(check(&Source::new("t.yaml", text), &environment).plan.is_some());
}

#[test]
fn steps_see_finished_tasks_of_their_own_and_enclosing_lists_only() {
    let body = "do:\n\
        \x20 - a: { set: { x: 1 } }\n\
        \x20 - loop:\n      for: { in: '[1]' }\n      do:\n        - inside: { set: { y: '${ $steps.a }' } }\n        \
        - after: { set: { z: '${ $steps.inside }' } }\n\
        \x20 - group:\n      do:\n        - nested: { set: { n: '${ $steps.a }' } }\n\
        \x20 - last: { set: { ok: '${ $steps.nested }', not: '${ $steps.inside }' } }\n";
    assert_eq!(findings(body), ["PL2203 12:55"]);
}

#[test]
fn a_task_that_jumps_back_may_read_its_own_last_result() {
    let back = "do:\n  - a: { set: { n: '${ $steps.b }' } }\n  - b: { set: { n: 1 }, then: a }\n";
    assert_eq!(findings(back), Vec::<String>::new());
}

#[test]
fn limits_of_the_loader_are_named_and_aliases_count_as_what_they_expand_to() {
    let world = World::new();
    let code = |text: &str| {
        let checked = world.check("t.yaml", text);
        (checked.diagnostics[0].code.id, checked.diagnostics[0].message.clone())
    };
    let (id, message) = code(&"#".repeat(1024 * 1024 + 1));
    assert!(id == "PL2002" && message.contains("bytes"), "{message}");
    let (id, message) = code(&format!("{}{}", "[".repeat(65), "]".repeat(65)));
    assert!(id == "PL2002" && message.contains("64 levels"), "{message}");
    let (id, message) = code(&format!("[{}]", "1,".repeat(100_001)));
    assert!(id == "PL2002" && message.contains("100000 values"), "{message}");
    let laughs = (1..10).fold("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned(), |text, n| {
        let line = format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(","));
        text + &line
    });
    let (id, message) = code(&laughs);
    assert!(id == "PL2002" && message.contains("100000 values"), "{message}");
    let heavy = format!("a: &a '{}'\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 100].join(","));
    let (id, message) = code(&heavy);
    assert!(id == "PL2002" && message.contains("bytes of text"), "{message}");
    let (id, message) = code("a: &a [*a]\n");
    assert!(id == "PL2002" || id == "PL2001", "{message}");
}

#[test]
fn a_file_that_is_not_utf8_is_refused_where_it_stops_being_so() {
    let world = World::new();
    let source = Source::from_bytes("t.yaml", b"document:\n  dsl: \xff\n");
    let checked = check(&source, &world.environment());
    let first = &checked.diagnostics[0];
    assert_eq!((first.code.id, first.line, first.column), ("PL2001", 2, 8));
}

#[test]
fn columns_count_characters_and_not_bytes() {
    assert_eq!(findings("do: [{ 'ü😀': { set: { x: 1 }, thn: end } }]\n"), ["PL2003 2:31"]);
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_change_nothing() {
    let world = World::new();
    let text = format!("\u{feff}{HEADER}do:\n  - a: {{ set: {{ x: 1 }} }}\n").replace('\n', "\r\n");
    let checked = world.check("t.yaml", &text);
    assert_eq!(checked.diagnostics, vec![]);
    let unix = plan("do:\n  - a: { set: { x: 1 } }\n");
    assert_eq!(checked.plan.expect("a plan").digest().unwrap(), unix.digest().unwrap());
    let wrong = text.replace("set", "sett");
    let first = &world.check("t.yaml", &wrong).diagnostics[0];
    assert_eq!((first.line, first.column), (3, 10));
}

#[test]
fn an_empty_catalogue_still_gives_a_plan_for_what_needs_no_operation() {
    let (catalogue, schemas) = (Catalogue::default(), Registry::new());
    let environment = Environment {
        catalogue: &catalogue,
        integrations: None,
        scopes: None,
        silent: None,
        policy: None,
        schemas: &schemas,
    };
    let text = format!("{HEADER}do: [{{ a: {{ set: '${{ . }}' }} }}]\n");
    let plan = check(&Source::new("t.yaml", text), &environment).plan.expect("a plan");
    assert!(matches!(plan.tasks.0[0].kind, TaskKind::Set(Template::Expression(_))));
}
