//! Spans as OTLP says them over HTTP in JSON (`ExportTraceServiceRequest`): ids in lower-case hex, numbers
//! of 64 bits as text. It is written here because it is this small, and because spans that are made after
//! the fact, with ids that follow from the log, are not what the SDKs are for.

use super::span::{About, Fact, Outcome, Span, TraceId, TraceParent};
use placet_model::{RunId, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const INTERNAL: u8 = 1;
const CLIENT: u8 = 3;
const GOOD: u8 = 1;
const BAD: u8 = 2;

/// Who tells it.
#[derive(Debug, Clone)]
pub struct Resource {
    /// `service.name`.
    pub service: String,
    /// The project.
    pub project: String,
    /// The installation, `service.instance.id`.
    pub install_id: String,
}

/// The body of a request.
pub(super) fn body(
    resource: &Resource,
    spans: &[Span],
    callers: &BTreeMap<RunId, TraceParent>,
) -> Vec<u8> {
    let of_resource = [
        ("service.name", resource.service.as_str()),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", &resource.install_id),
        ("placet.project", &resource.project),
    ];
    let of_resource: Vec<Value> = of_resource
        .iter()
        .map(|(key, text)| json!({"key": key, "value": {"stringValue": text}}))
        .collect();
    let spans: Vec<Value> = spans.iter().map(|span| one(span, callers)).collect();
    let request = json!({
        "resourceSpans": [{
            "resource": { "attributes": of_resource },
            "scopeSpans": [{
                "scope": { "name": "placet", "version": env!("CARGO_PKG_VERSION") },
                "spans": spans,
            }],
        }],
    });
    request.to_string().into_bytes()
}

fn one(span: &Span, callers: &BTreeMap<RunId, TraceParent>) -> Value {
    let attributes: Vec<Value> =
        span.facts.iter().map(|(key, fact)| json!({ "key": key, "value": value(fact) })).collect();
    let mut told = json!({
        "traceId": hex(&TraceId::of(span.run).0),
        "spanId": hex(&span.about.id(span.run).0),
        "name": span.name,
        "kind": if span.is_call { CLIENT } else { INTERNAL },
        "startTimeUnixNano": nanos(span.begin),
        "endTimeUnixNano": nanos(span.end),
        "attributes": attributes,
    });
    if let Some(parent) = &span.parent {
        told["parentSpanId"] = json!(hex(&parent.id(span.run).0));
    }
    match span.outcome {
        Outcome::Unset => {}
        Outcome::Good => told["status"] = json!({ "code": GOOD }),
        Outcome::Bad => told["status"] = json!({ "code": BAD }),
    }
    let caller = callers.get(&span.run).filter(|_| span.about == About::Run);
    if let Some(TraceParent { trace, span }) = caller {
        told["links"] = json!([{ "traceId": hex(&trace.0), "spanId": hex(&span.0) }]);
    }
    told
}

fn value(fact: &Fact) -> Value {
    let text = match fact {
        Fact::Number(number) => return json!({ "intValue": number.to_string() }),
        Fact::Word(word) => (*word).to_owned(),
        Fact::Run(run) => run.to_string(),
        Fact::Decision(decision) => decision.to_string(),
        Fact::Attempt(attempt) => attempt.to_string(),
        Fact::Integration(integration) => integration.to_string(),
        Fact::Digest(digest) => digest.to_string(),
        Fact::Operation(name) | Fact::Workflow(name) => name.clone(),
        Fact::Task(task) => task.as_str().to_owned(),
        Fact::Iteration(iteration) => iteration.to_string(),
    };
    json!({ "stringValue": text })
}

fn nanos(at: Timestamp) -> String {
    (u128::try_from(at.as_millis()).unwrap_or(0) * 1_000_000).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all text");
        text
    })
}
