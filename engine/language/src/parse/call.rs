//! `call`: which operation, through which integration, with what.

use placet_model::approval::ApprovalMetadata;
use placet_model::manifest::{Effect, OperationInfo};
use placet_model::plan::{Call, TaskKind, Template};
use serde_json::Value;

use placet_model::route::NOTIFY_OPERATION;

use super::names::Place;
use super::reader::{Field, Reader, Reported};
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::source::Span;
use crate::syntax::{Content, Node};

/// Calls that the language knows by a word, besides `http`.
const BUILT_IN: &[(&str, &str)] = &[
    ("grpc", "call: grpc"),
    ("mcp", "call: mcp"),
    ("a2a", "call: a2a"),
    ("asyncapi", "call: asyncapi"),
];
/// Providers of our own that are still to come.
const RESERVED_PROVIDERS: &[&str] = &["agent", "context", "inbox"];
/// The one key of `with` that is ours.
pub(super) const INTEGRATION: &str = "integration";

impl Reader<'_> {
    /// Built-in words, then functions of the document, operations, and functions of catalogs.
    pub(super) fn call(&mut self, node: &Node, value: &Node) -> Option<TaskKind> {
        let name = self.text(value, "`call`")?;
        match name {
            "http" => {
                let call = self.http_call(node, value, node.get("with"))?;
                return Some(TaskKind::Call(Box::new(call)));
            }
            "openapi" => {
                let call = self.openapi_call(node, value.span)?;
                return Some(TaskKind::OpenApi(Box::new(call)));
            }
            _ => {}
        }
        let is_built_in = BUILT_IN.iter().any(|(word, _)| *word == name);
        if !is_built_in && self.uses.is_declared("functions", name) {
            return self.function_call(node, name);
        }
        if name.contains('@') && !name.contains("://") {
            return self.catalog_call(node, name, value.span);
        }
        self.operation_call(node, name, value.span).map(|call| TaskKind::Call(Box::new(call)))
    }

    /// A call of an operation; `span` is where it is named.
    pub(super) fn operation_call(&mut self, node: &Node, name: &str, span: Span) -> Option<Call> {
        let with = node.get("with");
        let operation = self.operation(name, span)?;
        let integration = if operation.name == NOTIFY_OPERATION {
            self.led_by(with, span)
        } else {
            self.integration(with, &operation, span)
        };
        if let Ok(named) = &integration {
            self.in_scope(&operation.provider, named.as_deref(), span);
        }
        let built = match with {
            None => Some(Template::Literal(Value::Object(serde_json::Map::new()))),
            Some(with) => self.with(with),
        };
        self.check_with(&operation, node, span);
        let approval = self.call_approval(node, &operation);
        self.operations.insert(operation.name.clone(), operation.digest);
        Some(Call {
            operation: operation.name,
            integration: integration.ok()?,
            with: built?,
            authentication: None,
            approval: approval.ok()?,
        })
    }

    /// The operation of this name; what it could be meant for instead when there is none.
    fn operation(&mut self, name: &str, span: Span) -> Option<OperationInfo> {
        if name == "http" || name.starts_with("http.") {
            // Which of its operations a request is, and so whether it asks, follows from method
            // and host; an author who could name the reading one would have a way around the gate.
            let message = format!("`{name}` cannot be called by name");
            self.report(codes::UNKNOWN_CALL, span, message, "write call: http");
            return None;
        }
        if let Some(operation) = self.environment.catalogue.get(name) {
            return Some(operation.clone());
        }
        if let Some((_, construct)) = BUILT_IN.iter().find(|(word, _)| *word == name) {
            self.outside(construct, span);
            return None;
        }
        if name.contains("://") {
            let message = "a call by URL is outside the profile";
            self.report(codes::UNKNOWN_CALL, span, message, "use `call: http` with an endpoint");
            return None;
        }
        let provider = name.split('.').next().unwrap_or(name);
        if RESERVED_PROVIDERS.contains(&provider) && name.contains('.') {
            self.outside("a call of a reserved provider", span);
            return None;
        }
        let catalogue = self.environment.catalogue;
        let known = catalogue.operations.keys().map(String::as_str);
        let functions = self.uses.declared_in("functions").collect::<Vec<_>>();
        let known = known.chain(["http", "openapi"]).chain(functions.iter().map(String::as_str));
        let help = match did_you_mean(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => self.operations_of(provider),
        };
        self.report(codes::UNKNOWN_CALL, span, format!("unknown operation `{name}`"), help);
        None
    }

    fn operations_of(&self, provider: &str) -> String {
        let of_provider = self.environment.catalogue.operations.values();
        let names: Vec<&str> = of_provider
            .filter(|operation| operation.provider == provider)
            .map(|operation| operation.name.as_str())
            .take(8)
            .collect();
        if names.is_empty() {
            "see `placet adapters list`; any other API: `call: http`".to_owned()
        } else {
            format!("{provider} has {}", names.join(", "))
        }
    }

    /// `with.integration`, a literal name of the project.
    fn integration(
        &mut self,
        with: Option<&Node>,
        operation: &OperationInfo,
        call: Span,
    ) -> Field<String> {
        let provider = operation.provider.as_str();
        let Some(node) = with.and_then(|with| with.get(INTEGRATION)) else {
            let missing = self
                .environment
                .integrations
                .is_some_and(|known| !known.values().any(|of| of == provider));
            if missing {
                let message = format!("the project has no integration of {provider}");
                let help = format!("connect one: placet integrations connect {provider}");
                self.report(codes::INTEGRATION, call, message, help);
                return Err(Reported);
            }
            return Ok(None);
        };
        let name = self.text(node, "`with.integration`").ok_or(Reported)?;
        if name.contains("${") {
            let message = "`with.integration` is a literal name, never an expression";
            self.report(
                codes::INTEGRATION,
                node.span,
                message,
                "use a `switch` with one call each",
            );
            return Err(Reported);
        }
        let Some(known) = self.environment.integrations else { return Ok(Some(name.to_owned())) };
        match known.get(name) {
            Some(of) if of == provider => Ok(Some(name.to_owned())),
            Some(of) => {
                let message = format!("the integration `{name}` is of {of}, not of {provider}");
                let help = self.integrations_of(provider);
                self.report(codes::INTEGRATION, node.span, message, help);
                Err(Reported)
            }
            None => {
                let help = match did_you_mean(name, known.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => self.integrations_of(provider),
                };
                let message = format!("the project has no integration named `{name}`");
                self.report(codes::INTEGRATION, node.span, message, help);
                Err(Reported)
            }
        }
    }

    /// The integration that a call means may be used where the workflow stands.
    pub(super) fn in_scope(&mut self, provider: &str, name: Option<&str>, call: Span) {
        let Some(scopes) = self.environment.scopes else { return };
        let place = self.uses.place.clone().unwrap_or_default();
        let agent = place.agent.as_ref().map(placet_model::Principal::as_str);
        let Some((name, used_in)) = scopes.meant(provider, name, agent) else { return };
        if let Err(why) = used_in.allows(&place, None) {
            let message = format!("the integration `{name}` may not be used here: {why}");
            let help = "say where the workflow stands with document.metadata.place, or name an \
                        integration that may be used there";
            self.report(codes::INTEGRATION, call, message, help);
        }
    }

    fn integrations_of(&self, provider: &str) -> String {
        let known = self.environment.integrations.into_iter().flatten();
        let names: Vec<&str> = known
            .filter(|(_, of)| of.as_str() == provider)
            .map(|(name, _)| name.as_str())
            .collect();
        if names.is_empty() {
            format!("connect one: placet integrations connect {provider}")
        } else {
            format!("integrations of {provider}: {}", names.join(", "))
        }
    }

    /// `with` of an adapter call without our own key.
    fn with(&mut self, node: &Node) -> Option<Template> {
        let Content::Map(entries) = &node.content else {
            let message = format!("`with` must be a map, this is {}", node.kind());
            let help = "write with: { key: value }; a value may be '${ … }', the whole may not";
            self.report(codes::SHAPE, node.span, message, help);
            return None;
        };
        let rest = entries.iter().filter(|entry| entry.key != INTEGRATION).cloned().collect();
        let rest = Node { span: node.span, content: Content::Map(rest) };
        self.template(&rest, Place::Task)
    }

    /// What the author asks of the approval.
    pub(super) fn call_approval(
        &mut self,
        node: &Node,
        operation: &OperationInfo,
    ) -> Field<ApprovalMetadata> {
        let gated = operation.effect != Effect::Read;
        let own = node.get("metadata").and_then(|metadata| metadata.get("approval"));
        let asked = match own {
            None => None,
            Some(own) => {
                if !gated {
                    let message =
                        format!("`{}` only reads and asks for no approval", operation.name);
                    self.warn(codes::APPROVAL, own.span, message, "remove `metadata.approval`");
                }
                self.approval(own)?
            }
        };
        if !gated {
            return Ok(None);
        }
        Ok(self.with_default_approval(asked))
    }
}
