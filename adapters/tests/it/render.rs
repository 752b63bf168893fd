//! Rendering: the golden bytes of each write, purity, targets, limits, and what is refused.

use crate::support::{ADAPTERS, SEND_ID, given, operation, rendered, slack};
use placet_adapters::render::Error;
use placet_adapters::{preview, render};
use placet_model::plan::Authentication;
use placet_model::request::PreparedRequest;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// `fixtures/providers/<provider>/<case>.json`, the ones that hold a request.
pub(crate) fn golden_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/providers");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .flat_map(|provider| std::fs::read_dir(provider.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            !name.starts_with("mock.") && name != "answers.json" && !name.starts_with("inbound")
        })
        .collect();
    files.sort();
    files
}

/// The case with what it renders to.
fn actual(case: &Value) -> Value {
    let name = case["operation"].as_str().unwrap();
    let authentication: Option<Authentication> =
        case.get("authentication").map(|value| serde_json::from_value(value.clone()).unwrap());
    let mut given = given(&case["settings"], &case["input"]);
    given.authentication = authentication.as_ref();
    let rendered = render(&operation(name), given).unwrap();
    let mut actual = case.clone();
    actual["expect"] = json!({
        "target": rendered.target.as_ref().map(placet_adapters::Target::text),
        "request": rendered.request.to_view(),
        "digest": rendered.request.digest(),
    });
    actual
}

#[test]
fn each_case_renders_to_its_golden_request() {
    let files = golden_files();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let case: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let actual = actual(&case);
        if std::env::var_os("PLACET_WRITE_GOLDENS").is_some() && case.get("expect").is_none() {
            std::fs::write(&file, format!("{actual:#}\n")).unwrap();
            continue;
        }
        assert_eq!(case, actual, "{}:\n{actual:#}", file.display());
    }
}

#[test]
fn each_operation_but_reads_has_a_golden_request() {
    let golden: Vec<String> = golden_files()
        .iter()
        .map(|file| serde_json::from_str::<Value>(&std::fs::read_to_string(file).unwrap()).unwrap())
        .map(|case| case["operation"].as_str().unwrap().to_owned())
        .collect();
    for manifest in ADAPTERS.manifests().values() {
        for operation in manifest.operations().values() {
            let is_read = operation.effect() == placet_model::manifest::Effect::Read;
            assert!(
                is_read || golden.iter().any(|name| name == operation.name()),
                "{}",
                operation.name()
            );
        }
    }
}

#[test]
fn equal_arguments_give_equal_bytes_and_the_send_id_is_in_them() {
    let input = json!({"channel": "C123", "text": "hi"});
    let bytes = |send_id: &str| -> Vec<u8> {
        let settings = json!({});
        let mut given = given(&settings, &input);
        given.send_id = send_id;
        render(&operation("slack.chat.postMessage"), given).unwrap().request.to_bytes()
    };
    assert_eq!(bytes(SEND_ID), bytes(SEND_ID));
    assert_ne!(bytes(SEND_ID), bytes(&SEND_ID.replace('a', "b")));
}

#[test]
fn stored_bytes_read_back_to_the_same_request() {
    let request = slack(&json!({"channel": "C123", "text": "hi"})).unwrap().request;
    assert_eq!(PreparedRequest::from_bytes(&request.to_bytes()).unwrap(), request);
}

#[test]
fn optional_fields_that_are_absent_are_not_in_the_body() {
    let view = slack(&json!({"channel": "C123", "text": "hi"})).unwrap().request.to_view();
    let keys: Vec<&String> = view["body"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["channel", "text", "client_msg_id", "metadata"]);
}

#[test]
fn a_thread_is_part_of_the_target() {
    let rendered =
        slack(&json!({"channel": "C123", "thread_ts": "1700000000.000100", "text": "hi"})).unwrap();
    let target = rendered.target.unwrap();
    assert_eq!(target.text(), "C123:1700000000.000100");
    assert_eq!(target.part("thread_ts"), Some("1700000000.000100"));
}

#[test]
fn an_input_that_the_schema_refuses_is_never_rendered() {
    for input in [
        json!({"text": "hi"}),
        json!({"channel": "C123"}),
        json!({"channel": "general", "text": "hi"}),
        json!({"channel": "C123", "text": ""}),
        json!({"channel": "C123", "text": "x".repeat(4001)}),
        json!({"channel": "C123", "text": "hi", "token": "xoxb-1"}),
        json!({"channel": "C123", "text": "hi", "integration": "x"}),
        json!({"channel": "C123\n", "text": "hi"}),
        json!(null),
    ] {
        assert!(matches!(slack(&input), Err(Error::Input { .. })), "{input}");
    }
}

#[test]
fn an_error_never_repeats_the_input() {
    let error = slack(&json!({"channel": "s3cret-value", "text": 7})).unwrap_err();
    assert!(
        !error.story().contains("s3cret") && error.story().contains("/channel"),
        "{}",
        error.story()
    );
}

#[test]
fn settings_decide_the_host_and_only_within_their_pattern() {
    let input = json!({"channel": "C123", "text": "hi"});
    let url = |base: &str| {
        let rendered = rendered("slack.chat.postMessage", &json!({ "api_base": base }), &input)?;
        Ok::<_, Error>(rendered.request.url.to_string())
    };
    assert_eq!(
        url("http://127.0.0.1:9000/api").unwrap(),
        "http://127.0.0.1:9000/api/chat.postMessage"
    );
    assert_eq!(
        url("https://slack-gov.com/api").unwrap(),
        "https://slack-gov.com/api/chat.postMessage"
    );
    assert!(matches!(url("https://evil.example/api"), Err(Error::Settings { .. })));
    assert!(matches!(url("http://127.0.0.1.evil.example:1/api"), Err(Error::Settings { .. })));
}

#[test]
fn a_webhook_payload_over_the_recommended_size_is_refused() {
    let settings = json!({"url": "https://example.com/hooks"});
    let send = |size: usize| {
        rendered(
            "webhook.event.send",
            &settings,
            &json!({"type": "a.b", "data": {"x": "y".repeat(size)}}),
        )
    };
    assert!(send(19_000).is_ok());
    assert!(matches!(send(20_001), Err(Error::TextLimit { .. })));
}

#[test]
fn a_webhook_keeps_the_time_of_the_draft_or_the_callers_own() {
    let settings = json!({"url": "https://example.com/hooks"});
    let at = |input: Value| {
        rendered("webhook.event.send", &settings, &input).unwrap().request.to_view()["body"]["timestamp"].clone()
    };
    assert_eq!(at(json!({"type": "a", "data": {}})), "2026-01-01T00:00:00.000Z");
    assert_eq!(
        at(json!({"type": "a", "data": {}, "timestamp": "2025-05-05T05:05:05Z"})),
        "2025-05-05T05:05:05Z"
    );
}

#[test]
fn a_preview_names_target_fields_and_warnings() {
    let input = json!({"channel": "C123", "text": "hi", "unfurl_links": true});
    let rendered = slack(&input).unwrap();
    let preview =
        preview(&operation("slack.chat.postMessage"), (&input, &Value::Null), None, &rendered);
    assert_eq!(preview.title, "Slack message to C123");
    let fields: Vec<_> =
        preview.fields.iter().map(|field| (field.name.as_str(), &field.value)).collect();
    assert_eq!(fields, [("channel", &json!("C123")), ("text", &json!("hi"))]);
    assert_eq!(preview.warnings, ["links will be unfurled"]);
}
