//! What each documented answer of a provider means: `fixtures/providers/<provider>/answers.json`, and
//! what any provider can do to us: garbage, half a body, another content type, silence.

use crate::support::{ADAPTERS, SEND_ID, answer, draft_time, operation, provider_files};
use placet_adapters::{Answer, Cause, Failed, Sent, classify};
use placet_model::manifest::{Effect, Outcome};
use serde_json::{Value, json};

struct Case {
    file: String,
    value: Value,
}

fn cases() -> Vec<Case> {
    provider_files("answers.json")
        .into_iter()
        .flat_map(|(file, value)| {
            let list = value.as_array().unwrap().clone();
            list.into_iter().map(move |value| Case { file: file.clone(), value })
        })
        .collect()
}

impl Case {
    fn operations(&self) -> Vec<String> {
        match &self.value["operation"] {
            Value::Array(names) => {
                names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
            }
            name => vec![name.as_str().unwrap().to_owned()],
        }
    }

    fn answer(&self) -> Answer {
        let headers: Vec<(&str, &str)> = self.value["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let body = match &self.value["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        answer(u16::try_from(self.value["status"].as_u64().unwrap()).unwrap(), &headers, &body)
    }

    fn input(&self) -> Value {
        self.value.get("input").cloned().unwrap_or_else(|| json!({}))
    }
}

#[test]
fn each_documented_answer_is_in_its_class() {
    let cases = cases();
    assert!(cases.len() > 30, "{}", cases.len());
    for case in cases {
        for name in case.operations() {
            let (input, settings) = (case.input(), json!({}));
            let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
            let told = classify(&operation(&name), &case.answer(), sent, draft_time());
            let say = format!("{}: {name}: {}", case.file, case.value);
            assert_eq!(json!(told.outcome), case.value["outcome"], "{say}");
            if let Some(wait) = case.value.get("wait_ms") {
                assert_eq!(told.wait.map(|wait| wait.millis), wait.as_u64(), "{say}");
            }
            if let Some(result) = case.value.get("result") {
                assert_eq!(json!(told.result), *result, "{say}");
            }
            if let Some(code) = case.value.get("error") {
                assert_eq!(told.error.map(|error| error.code).as_deref(), code.as_str(), "{say}");
            }
            if let Some(stored) = case.value.get("stored") {
                assert_eq!(told.stored, *stored, "{say}");
            }
        }
    }
}

#[test]
fn each_operation_of_a_provider_with_answers_is_in_one_of_them() {
    let named: Vec<String> = cases().iter().flat_map(Case::operations).collect();
    for manifest in ADAPTERS.manifests().values() {
        let prefix = format!("{}.", manifest.provider());
        if !named.iter().any(|name| name.starts_with(&prefix)) {
            continue;
        }
        for name in manifest.operations().keys() {
            assert!(named.contains(name), "{name} has no answer in the fixtures");
        }
    }
}

#[test]
fn an_answer_that_cannot_be_read_leaves_a_send_in_doubt() {
    let good: Vec<Case> =
        cases().into_iter().filter(|case| case.value["outcome"] == "sent").collect();
    for case in good {
        for name in case.operations() {
            let operation = operation(&name);
            if operation.effect() == Effect::Read || case.value["body"].is_null() {
                continue;
            }
            let status = u16::try_from(case.value["status"].as_u64().unwrap()).unwrap();
            let body = case.value["body"].to_string();
            let (half, _) = body.split_at(body.len() / 2);
            for spoiled in [
                answer(status, &[], half),
                answer(status, &[("content-type", "text/html")], "<html>maintenance</html>"),
                answer(status, &[], ""),
                answer(status, &[], "null"),
                answer(500, &[], &body),
                answer(502, &[], "bad gateway"),
                Err(Failed::after(Cause::Unreadable, "…")),
                Err(Failed::after(Cause::Timeout, "…")),
            ] {
                let (input, settings) = (case.input(), json!({}));
                let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
                let told = classify(&operation, &spoiled, sent, draft_time());
                assert_eq!(told.outcome, Outcome::InDoubt, "{name}: {spoiled:?}");
            }
        }
    }
}

#[test]
fn the_answer_of_a_send_names_what_was_made() {
    for case in cases().into_iter().filter(|case| case.value["outcome"] == "sent") {
        for name in case.operations() {
            let operation = operation(&name);
            let (input, settings) = (case.input(), json!({}));
            let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
            let answer = case.answer();
            let told = classify(&operation, &answer, sent, draft_time());
            if operation.effect() == Effect::Send {
                assert!(told.result.contains_key("external_id"), "{name}: {:?}", told.result);
            }
            if operation.output_schema().is_some() {
                let output = placet_adapters::output(&operation, &answer.unwrap(), sent);
                assert!(output.is_ok(), "{name}: {:?}", output.err());
            }
        }
    }
}
