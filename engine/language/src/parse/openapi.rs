//! `call: openapi`: an operation of an API's document, which is handed over as data.

use placet_model::manifest::{Document, Effect, HTTP_OPERATION, OperationInfo};
use placet_model::plan::{ApiDocument, ApiOperation, OpenApiCall, Template};
use serde_json::Value;

use super::holes::Holes;
use super::reader::{Reader, field};
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::expr::source as fences;
use crate::source::Span;
use crate::syntax::Node;

const WITH: &[&str] =
    &["document", "operationId", "parameters", "authentication", "output", "redirect"];

impl<'a> Reader<'a> {
    pub(super) fn openapi_call(&mut self, node: &Node, span: Span) -> Option<OpenApiCall> {
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
        let document = document.and_then(|n| Some((self.resource(n, "`document`")?, n.span)));
        let operation = self.required(with, "operationId", "`call: openapi`");
        let operation = operation.and_then(|id| Some((id, self.literal(id, "`operationId`")?)));
        let output = with.get("output").map_or_else(
            || Some("content".to_owned()),
            |output| {
                self.http_output(output)?;
                output.as_text().map(str::to_owned)
            },
        );
        let redirect = with.get("redirect").map_or(Some(false), |n| self.boolean(n, "`redirect`"));
        let authentication = field(with.get("authentication"), |n| self.authentication(n));
        let mut holes = Holes::new(authentication.as_ref().ok().and_then(Option::as_ref));
        let parameters = match with.get("parameters") {
            None => Some(Template::Literal(Value::Object(serde_json::Map::new()))),
            Some(values) => self
                .open_map(values, "`parameters`")
                .then(|| self.request_template(values, "", &mut holes))
                .flatten(),
        };
        let holes = holes.found;
        let api = document.as_ref().and_then(|(name, span)| self.api(name, *span));
        let resolved = api.and_then(|api| self.api_operation(api, operation.as_ref()?, with));
        let is_delete = resolved.is_some_and(|resolved| resolved.method == "DELETE");
        let approval = self.openapi_approval(node, is_delete);
        self.pin_http_operations();
        Some(OpenApiCall {
            document: document?.0,
            digest: api.map(|api| api.digest),
            operation: operation?.1,
            resolved: resolved.cloned(),
            parameters: parameters?,
            holes,
            output: output?,
            redirect: redirect?,
            authentication: authentication.ok()?,
            approval: approval.ok()?,
        })
    }

    /// The API that the document describes.
    fn api(&mut self, name: &str, span: Span) -> Option<&'a ApiDocument> {
        match self.fetched(name, span)? {
            Document::Api(api) => Some(api),
            Document::Json(_) => {
                let message = format!("{name} is no OpenAPI document");
                let help = "it has neither `swagger` nor `openapi` at its root";
                self.report(codes::UNKNOWN_CALL, span, message, help);
                None
            }
        }
    }

    /// The operation that is called, its parameters checked.
    fn api_operation(
        &mut self,
        api: &'a ApiDocument,
        (id, name): &(&Node, String),
        with: &Node,
    ) -> Option<&'a ApiOperation> {
        match api.operations.get(name) {
            Some(Ok(operation)) => {
                self.check_parameters(operation, with, id);
                Some(operation)
            }
            Some(Err(words)) => {
                let message = format!("the operation `{name}` cannot be called: {words}");
                self.report(codes::UNKNOWN_CALL, id.span, message, "use `call: http`");
                None
            }
            None => {
                self.unknown_operation(api, name, id.span);
                None
            }
        }
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
            output_kept: None,
            output_named: vec![],
            title: String::new(),
        };
        self.call_approval(node, &asked)
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

    fn unknown_operation(&mut self, api: &ApiDocument, name: &str, span: Span) {
        let help = match did_you_mean(name, api.operations.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "see the `operationId`s of the document".to_owned(),
        };
        let message = format!("the document has no operation `{name}`");
        self.report(codes::UNKNOWN_CALL, span, message, help);
    }

    fn check_parameters(&mut self, operation: &ApiOperation, with: &Node, id: &Node) {
        let given = with.get("parameters").map(Node::entries).unwrap_or_default();
        let parameters = operation.parameters.iter().map(|p| (p.name.as_str(), p.required));
        let body = operation.body.iter().map(|body| (body.name.as_str(), body.required));
        let known: Vec<(&str, bool)> = parameters.chain(body).collect();
        for entry in given {
            if !known.iter().any(|(name, _)| *name == entry.key) {
                let names = known.iter().map(|(name, _)| *name);
                let help = match did_you_mean(&entry.key, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "it takes none: remove it".to_owned(),
                    None => format!("known here: {}", names.collect::<Vec<_>>().join(", ")),
                };
                let message = format!("the operation takes no parameter `{}`", entry.key);
                self.report(codes::WITH, entry.key_span, message, help);
            }
        }
        for (name, required) in known {
            if required && !given.iter().any(|entry| entry.key == name) {
                let message = format!("the operation needs the parameter `{name}`");
                self.report(codes::WITH, id.span, message, "add it under `parameters`");
            }
        }
    }
}
