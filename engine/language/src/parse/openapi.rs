//! `call: openapi`: an operation of an API's document, which is handed over as data.

use placet_model::canonical;
use placet_model::manifest::{Effect, HTTP_OPERATION, OperationInfo};
use placet_model::plan::{OpenApiCall, Template};
use serde_json::Value;

use super::names::Place;
use super::reader::{Reader, field};
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::expr::source as fences;
use crate::source::Span;
use crate::syntax::Node;

const WITH: &[&str] =
    &["document", "operationId", "parameters", "authentication", "output", "redirect"];
const METHODS: &[&str] = &["get", "head", "options", "post", "put", "patch", "delete", "trace"];

/// What of an operation a check needs.
struct Found<'d> {
    is_delete: bool,
    parameters: Vec<(&'d str, Needed)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    Required,
    Optional,
}

impl Reader<'_> {
    pub(super) fn openapi_call(&mut self, node: &Node, span: Span) -> Option<OpenApiCall> {
        self.later("call: openapi", span);
        let Some(with) = node.get("with") else {
            let message = "`call: openapi` lacks `with`";
            let help = "add with: { document: { endpoint: … }, operationId: … }";
            self.report(codes::SHAPE, span, message, help);
            return None;
        };
        if !self.map(with, "`with` of `call: openapi`", WITH) {
            return None;
        }
        let document = self.required(with, "document", "`call: openapi`");
        let document = document.and_then(|document| self.document_url(document));
        let operation = self.required(with, "operationId", "`call: openapi`");
        let operation = operation.and_then(|id| Some((id, self.literal(id, "`operationId`")?)));
        let parameters = match with.get("parameters") {
            None => Some(Template::Literal(Value::Object(serde_json::Map::new()))),
            Some(values) => self
                .open_map(values, "`parameters`")
                .then(|| self.template(values, Place::Request))
                .flatten(),
        };
        let output = with.get("output").map_or_else(
            || Some("content".to_owned()),
            |output| {
                self.http_output(output)?;
                output.as_text().map(str::to_owned)
            },
        );
        let redirect = with.get("redirect").map_or(Some(false), |n| self.boolean(n, "`redirect`"));
        let authentication = field(with.get("authentication"), |n| self.authentication(n));
        let known = self.environment.catalogue.documents.get(document.as_deref().unwrap_or(""));
        let found = known.zip(operation.as_ref()).map(|(known, (id, name))| {
            let found = find(known, name);
            match &found {
                Some(found) => self.check_parameters(found, with, id),
                None => self.unknown_operation(known, name, id.span),
            }
            found
        });
        let is_delete = found.flatten().is_some_and(|found| found.is_delete);
        let approval = self.openapi_approval(node, is_delete);
        Some(OpenApiCall {
            document: document?,
            digest: known.and_then(|document| canonical::digest(document).ok()),
            operation: operation?.1,
            parameters: parameters?,
            output: output?,
            redirect: redirect?,
            authentication: authentication.ok()?,
            approval: approval.ok()?,
        })
    }

    fn openapi_approval(
        &mut self,
        node: &Node,
        is_delete: bool,
    ) -> super::reader::Field<placet_model::approval::ApprovalMetadata> {
        let effect = if is_delete { Effect::Destructive } else { Effect::Write };
        let asked = OperationInfo {
            name: HTTP_OPERATION.to_owned(),
            provider: "http".to_owned(),
            effect,
            digest: placet_model::Digest::of(b""),
            input_schema: Value::Null,
            output_schema: None,
            title: String::new(),
        };
        self.call_approval(node, &asked)
    }

    /// `{ name, endpoint }` with a URL that is written out: the document is fetched at deploy.
    fn document_url(&mut self, node: &Node) -> Option<String> {
        if !self.map(node, "`document`", &["name", "endpoint"]) {
            return None;
        }
        let endpoint = self.required(node, "endpoint", "`document`")?;
        let uri = if endpoint.as_text().is_some() {
            endpoint
        } else {
            if !self.map(endpoint, "`endpoint`", &["uri", "authentication"]) {
                return None;
            }
            if endpoint.get("authentication").is_some() {
                let span = endpoint.key_span("authentication");
                self.outside("a document behind authentication", span);
            }
            self.required(endpoint, "uri", "`endpoint`")?
        };
        let text = self.literal(uri, "`endpoint` of the document")?;
        self.check_scheme(uri, &text);
        Some(text)
    }

    /// A string without expressions.
    pub(super) fn literal(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.text(node, what)?;
        if fences::fenced(text).is_some() {
            let message = format!("{what} is pinned by the plan, and so it is no expression");
            self.report(codes::SHAPE, node.span, message, "write it out");
            return None;
        }
        self.literal_text(node, text).then(|| text.to_owned())
    }

    fn unknown_operation(&mut self, document: &Value, name: &str, span: Span) {
        let known: Vec<&str> = operations(document).filter_map(|(id, ..)| id).collect();
        let help = match did_you_mean(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "see the `operationId`s of the document".to_owned(),
        };
        let message = format!("the document has no operation `{name}`");
        self.report(codes::UNKNOWN_CALL, span, message, help);
    }

    fn check_parameters(&mut self, found: &Found<'_>, with: &Node, id: &Node) {
        let given = with.get("parameters").map(Node::entries).unwrap_or_default();
        for entry in given {
            if !found.parameters.iter().any(|(name, _)| *name == entry.key) {
                let known = found.parameters.iter().map(|(name, _)| *name);
                let help = match did_you_mean(&entry.key, known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
                };
                let message = format!("the operation takes no parameter `{}`", entry.key);
                self.report(codes::WITH, entry.key_span, message, help);
            }
        }
        for (name, needed) in &found.parameters {
            let missing = !given.iter().any(|entry| entry.key == *name);
            if *needed == Needed::Required && missing {
                let message = format!("the operation needs the parameter `{name}`");
                self.report(codes::WITH, id.span, message, "add it under `parameters`");
            }
        }
    }
}

/// Every operation: its id, its method, its own object and that of its path.
fn operations(document: &Value) -> impl Iterator<Item = (Option<&str>, &str, &Value, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(_, path)| {
        let methods = path.as_object().into_iter().flatten();
        methods
            .filter(|(method, _)| METHODS.contains(&method.as_str()))
            .map(move |(method, own)| (own["operationId"].as_str(), method.as_str(), own, path))
    })
}

fn find<'d>(document: &'d Value, id: &str) -> Option<Found<'d>> {
    let (_, method, own, path) = operations(document).find(|(known, ..)| *known == Some(id))?;
    let lists = [&path["parameters"], &own["parameters"]];
    let mut parameters: Vec<(&str, Needed)> = Vec::new();
    for parameter in lists.into_iter().filter_map(Value::as_array).flatten() {
        let parameter = resolve(document, parameter);
        let Some(name) = parameter["name"].as_str() else { continue };
        parameters.retain(|(known, _)| *known != name);
        parameters.push((name, needed(parameter)));
    }
    let body = resolve(document, &own["requestBody"]);
    if body.is_object() {
        parameters.push(("body", needed(body)));
    }
    Some(Found { is_delete: method == "delete", parameters })
}

fn needed(of: &Value) -> Needed {
    if of["required"] == true { Needed::Required } else { Needed::Optional }
}

/// What a `$ref` within the document means; anything else is itself.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}
