//! What every module needs: the shipped adapters, one rendering, one answer.

use placet_adapters::render::Error;
use placet_adapters::{
    Adapters, Answer, Classified, ManifestFile, Operation, RenderInput, Rendered, Response, Sent,
    classify, render,
};
use placet_model::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

pub(crate) static ADAPTERS: LazyLock<Adapters> = LazyLock::new(Adapters::shipped);
pub(crate) const SEND_ID: &str = "abcdefghijklmnopqrstuvwxyz234567abcdefgh";

pub(crate) fn operation(name: &str) -> Arc<Operation> {
    Arc::clone(ADAPTERS.operation(name).unwrap())
}

pub(crate) fn draft_time() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn given<'a>(settings: &'a Value, input: &'a Value) -> RenderInput<'a> {
    RenderInput {
        settings,
        input,
        send_id: SEND_ID,
        draft_time: draft_time(),
        authentication: None,
    }
}

pub(crate) fn rendered(name: &str, settings: &Value, input: &Value) -> Result<Rendered, Error> {
    render(&operation(name), given(settings, input))
}

pub(crate) fn slack(input: &Value) -> Result<Rendered, Error> {
    rendered("slack.chat.postMessage", &Value::Null, input)
}

#[expect(clippy::unnecessary_wraps, reason = "an answer is what is classified")]
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(Response::new(status, headers, body.as_bytes().to_vec()))
}

pub(crate) fn classified(name: &str, answer: &Answer) -> Classified {
    let (input, settings) = (json!({"channel": "C123", "text": "hi"}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    classify(&operation(name), answer, sent, draft_time())
}

/// A project whose one manifest this is, beside the shipped ones; what is wrong with it otherwise.
pub(crate) fn load(text: &str, schemas: &[(&str, &str)]) -> Result<Adapters, String> {
    let read = |path: &str| {
        let found = schemas.iter().find(|(known, _)| *known == path);
        found.map(|(_, text)| (*text).to_owned())
    };
    let path = "adapters/acme.yaml".to_owned();
    let file = ManifestFile { path, text: text.to_owned() };
    Adapters::with_project(&[file], &read, &BTreeSet::new())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// `fixtures/providers/<provider>/<name>` of every provider that has one, with its path.
pub(crate) fn provider_files(name: &str) -> Vec<(String, Value)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/providers");
    let mut files: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|provider| provider.unwrap().path().join(name))
        .filter(|file| file.exists())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let value = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            (file.display().to_string(), value)
        })
        .collect()
}
