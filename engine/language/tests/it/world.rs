//! The small project that the language's tests check documents against.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use placet_language::{Checked, Environment, Source, check};
use placet_model::Digest;
use placet_model::actor::{PrincipalKind, Role};
use placet_model::manifest::{Catalogue, Document, Effect, OperationInfo};
use placet_model::plan::{
    ApiBody, ApiDocument, ApiForm, ApiOperation, ApiParameter, ApiPlace, ApiStyle,
};
use placet_model::policy::{Policy, PrincipalInfo};
use placet_schemas::Registry;
use serde_json::{Value, json};

/// Files of catalogs.
const FUNCTIONS: [(&str, &str); 3] = [
    (
        "catalog/functions/stamp/1.0.0/function.yaml",
        include_str!(
            "../../../../fixtures/workflows/ok/catalog/functions/stamp/1.0.0/function.yaml"
        ),
    ),
    ("catalog/functions/broken/1.0.0/function.yaml", "set: { a: '${ .b | }' }\nthn: end\n"),
    (
        "functions/log/2.1.0/function.yaml",
        include_str!("../../../../fixtures/workflows/ok/functions/log/2.1.0/function.yaml"),
    ),
];

/// Operations, integrations and people.
pub(crate) struct World {
    catalogue: Catalogue,
    integrations: BTreeMap<String, String>,
    silent: BTreeSet<(String, String)>,
    policy: Policy,
    schemas: Registry,
}

impl World {
    /// Slack as shipped, HTTP, and a few operations with simple schemas.
    pub(crate) fn new() -> Self {
        let open = || json!({ "type": "object" });
        let shipped = |path: &str| -> Value {
            serde_json::from_str(placet_schemas::embedded(path).expect("shipped")).expect("JSON")
        };
        let slack = |name: &str| shipped(&format!("schemas/providers/slack/{name}.input.json"));
        let refund = json!({
            "type": "object",
            "required": ["charge", "amount"],
            "properties": {
                "charge": { "type": "string" },
                "amount": { "type": "integer", "minimum": 1 },
                "reason": { "enum": ["duplicate", "fraudulent"] },
            },
            "additionalProperties": false,
        });
        let operations = [
            ("slack.chat.postMessage", Effect::Send, slack("chat.postMessage")),
            ("slack.auth.test", Effect::Read, slack("auth.test")),
            ("slack.conversations.list", Effect::Read, slack("conversations.list")),
            ("stripe.refunds.create", Effect::Destructive, refund),
            ("postmark.email.send", Effect::Send, open()),
            ("webhook.event.send", Effect::Send, open()),
            ("webhook.event.drop", Effect::Send, open()),
            ("http.request", Effect::Write, open()),
            ("http.read", Effect::Read, open()),
            ("http.delete", Effect::Destructive, open()),
        ];
        let integrations = [
            ("sales-slack", "slack"),
            ("ops-slack", "slack"),
            ("stripe-eu", "stripe"),
            ("hooks", "webhook"),
        ];
        Self {
            catalogue: Catalogue {
                operations: with_answers(operations.into_iter().map(operation).collect()),
                functions: FUNCTIONS.map(|(path, text)| (path.to_owned(), text.to_owned())).into(),
                documents: documents(),
                carriers: BTreeMap::new(),
            },
            integrations: integrations.map(|(name, of)| (name.to_owned(), of.to_owned())).into(),
            silent: [("stripe-eu".to_owned(), "stripe.refund".to_owned())].into(),
            policy: policy(),
            schemas: Registry::new(),
        }
    }

    pub(crate) fn environment(&self) -> Environment<'_> {
        Environment {
            catalogue: &self.catalogue,
            integrations: Some(&self.integrations),
            scopes: None,
            silent: Some(&self.silent),
            policy: Some(&self.policy),
            schemas: &self.schemas,
        }
    }

    pub(crate) fn check(&self, name: &str, text: &str) -> Checked {
        check(&Source::new(name, text), &self.environment())
    }
}

/// `ana`, `ben` and `cho` approve, `bot` is an agent; `sales-leads` holds ana and ben.
pub(crate) fn policy() -> Policy {
    let info = |kind, role| PrincipalInfo { kind, roles: BTreeSet::from([role]) };
    let name = |text: &str| text.parse().expect("a principal name");
    let people =
        ["ana", "ben", "cho"].map(|n| (name(n), info(PrincipalKind::User, Role::Approver)));
    let agent = (name("bot"), info(PrincipalKind::Agent, Role::Agent));
    Policy {
        principals: people.into_iter().chain([agent]).collect(),
        groups: [(name("sales-leads"), BTreeSet::from([name("ana"), name("ben")]))].into(),
        ..Policy::default()
    }
}

/// Documents by the names that fixtures give them.
fn documents() -> BTreeMap<String, Document> {
    let schema = json!({ "type": "object", "required": ["name"] });
    let documents = [
        ("https://pets.example/swagger.json", pets()),
        ("https://pets.example/openapi.json", pets()),
        ("api/pets.yaml", pets()),
        ("https://pets.example/schema.json", Document::Json(schema)),
    ];
    documents.map(|(url, document)| (url.to_owned(), document)).into()
}

/// Two operations, as a document gives them.
fn pets() -> Document {
    let parameter = |name: &str, place, required| ApiParameter {
        name: name.to_owned(),
        place,
        required,
        form: ApiForm::Style { style: ApiStyle::Form, explode: true },
    };
    let operation = |method: &str, parameters, body| ApiOperation {
        method: method.to_owned(),
        url: "https://pets.example/pets".to_owned(),
        parameters,
        body,
        form_media: vec![],
        accept: None,
    };
    let media = vec!["application/json".to_owned()];
    let body = ApiBody { name: "body".to_owned(), required: true, media, indexed: vec![] };
    let find = vec![
        parameter("status", ApiPlace::Query, true),
        parameter("token", ApiPlace::Header, false),
    ];
    let operations = [
        ("findPets", Ok(operation("GET", find, None))),
        ("addPet", Ok(operation("POST", vec![], Some(body)))),
        ("dropPets", Ok(operation("DELETE", vec![], None))),
        ("broken", Err("the reference x.json leads out of the document".to_owned())),
    ];
    let operations = operations.map(|(id, operation)| (id.to_owned(), operation)).into();
    Document::Api(ApiDocument { digest: Digest::of(b"pets"), operations })
}

fn operation((name, effect, input_schema): (&str, Effect, Value)) -> (String, OperationInfo) {
    let info = OperationInfo {
        name: name.to_owned(),
        provider: name.split('.').next().unwrap_or_default().to_owned(),
        effect,
        digest: Digest::of(name.as_bytes()),
        input_schema,
        output_schema: (!name.starts_with("http")).then(|| json!({ "type": "object" })),
        output_kept: None,
        output_named: vec![],
        title: name.to_owned(),
    };
    (name.to_owned(), info)
}

/// What of the operations' answers is declared: Slack's as shipped, of webhooks nothing.
fn with_answers(mut all: BTreeMap<String, OperationInfo>) -> BTreeMap<String, OperationInfo> {
    let mut change = |name: &str, change: &dyn Fn(&mut OperationInfo)| {
        change(all.get_mut(name).expect("an operation of this world"));
    };
    let shipped = |path: &str| -> Value {
        serde_json::from_str(placet_schemas::embedded(path).expect("shipped")).expect("JSON")
    };
    change("slack.chat.postMessage", &|operation| {
        let path = "schemas/providers/slack/chat.postMessage.output.json";
        operation.output_schema = Some(shipped(path));
        let kept = ["/channel", "/ts", "/message/thread_ts"];
        operation.output_kept = Some(kept.map(str::to_owned).into());
    });
    change("slack.conversations.list", &|operation| {
        let channel = json!({ "type": "object", "properties": { "id": { "type": "string" }, "name": { "type": "string" } }, "additionalProperties": false });
        operation.output_schema = Some(json!({
            "type": "object",
            "properties": { "channels": { "type": "array", "items": channel } },
            "additionalProperties": false,
        }));
    });
    change("webhook.event.send", &|operation| {
        (operation.output_schema, operation.output_kept) = (None, Some(vec![]));
        operation.output_named = vec!["message_id".to_owned()];
    });
    change("webhook.event.drop", &|operation| {
        (operation.output_schema, operation.output_kept) = (None, Some(vec![]));
    });
    all
}

/// The workflow fixtures of the repository.
pub(crate) fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/workflows").join(kind);
    let entries = std::fs::read_dir(&folder).expect("the folder of fixtures");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let name = path.to_string_lossy();
            name.ends_with(".yaml") || (name.ends_with(".json") && !name.ends_with(".plan.json"))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no fixtures in {}", folder.display());
    files
}
