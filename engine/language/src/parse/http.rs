//! `call: http`: endpoint, authentication and the parts of the request.

use placet_model::approval::ApprovalMetadata;
use placet_model::manifest::{Effect, HTTP_OPERATION, OperationInfo};
use placet_model::plan::{Authentication, Call, Expression, Template};
use serde_json::Value;

use super::holes::{Holes, secret_of};
use super::names::Place;
use super::reader::{Field, Reader, field};
use crate::codes;
use crate::expr::{fence, source as fences};
use crate::syntax::{Content, Node};

const WITH: &[&str] = &["method", "endpoint", "headers", "query", "body", "output", "redirect"];
const METHODS: &[&str] = &["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
/// Parts of header and query names that carry credentials.
const SECRET_WORDS: &[&str] =
    &["authorization", "api-key", "apikey", "api_key", "token", "secret", "password", "cookie"];
const OUTPUTS: &[&str] = &["raw", "content", "response"];

/// An endpoint: where, and as whom.
pub(super) struct Endpoint {
    uri: Template,
    authentication: Option<Authentication>,
}

impl Reader<'_> {
    pub(super) fn http_call(
        &mut self,
        node: &Node,
        value: &Node,
        with: Option<&Node>,
    ) -> Option<Call> {
        let Some(operation) = self.environment.catalogue.get(HTTP_OPERATION).cloned() else {
            self.outside("call: http", value.span);
            return None;
        };
        let Some(with) = with else {
            let message = "`call: http` lacks `with`";
            self.report(codes::SHAPE, value.span, message, "add with: { method: …, endpoint: … }");
            return None;
        };
        if !self.map(with, "`with` of `call: http`", WITH) {
            return None;
        }
        let method =
            self.required(with, "method", "`call: http`").map(|method| self.method(method));
        let endpoint = self.required(with, "endpoint", "`call: http`");
        let endpoint = endpoint.and_then(|endpoint| self.endpoint(endpoint));
        let authentication = endpoint.as_ref().and_then(|e| e.authentication.as_ref());
        let rest = self.http_parts(with, authentication);
        let approval = self.http_approval(node, method.flatten(), &operation);
        self.pin_http_operations();
        let (endpoint, method) = (endpoint?, method??);
        let mut entries = vec![
            ("method".to_owned(), Template::Literal(Value::String(method.to_owned()))),
            ("endpoint".to_owned(), endpoint.uri),
        ];
        entries.extend(rest?);
        Some(Call {
            operation: operation.name,
            integration: None,
            with: Template::Map(entries),
            authentication: endpoint.authentication,
            approval: approval.ok()?,
        })
    }

    /// Which operation a request is, is known when it is made; the plan pins them all.
    pub(super) fn pin_http_operations(&mut self) {
        let provider = HTTP_OPERATION.split('.').next();
        for operation in self.environment.catalogue.operations.values() {
            if Some(operation.provider.as_str()) == provider {
                self.operations.insert(operation.name.clone(), operation.digest);
            }
        }
    }

    /// The approval that is asked of a call with this method.
    fn http_approval(
        &mut self,
        node: &Node,
        method: Option<&'static str>,
        operation: &OperationInfo,
    ) -> Field<ApprovalMetadata> {
        // A read may still be gated, by its host; only the operator's configuration knows.
        let effect = if method == Some("DELETE") { Effect::Destructive } else { Effect::Write };
        self.call_approval(node, &OperationInfo { effect, ..operation.clone() })
    }

    fn method(&mut self, node: &Node) -> Option<&'static str> {
        let text = self.text(node, "`method`")?;
        let known = METHODS.iter().find(|method| method.eq_ignore_ascii_case(text)).copied();
        if known.is_none() {
            let message = format!("`{text}` is no HTTP method that can be called");
            let help = format!("one of: {}; written out, not as an expression", METHODS.join(", "));
            self.report(codes::SHAPE, node.span, message, help);
        }
        known
    }

    /// Headers, query, body and the two switches.
    fn http_parts(
        &mut self,
        with: &Node,
        authentication: Option<&Authentication>,
    ) -> Option<Vec<(String, Template)>> {
        let (mut parts, mut holes) = (Vec::new(), Holes::new(authentication));
        let mut whole = true;
        for entry in with.entries() {
            let value = &entry.value;
            let part = match entry.key.as_str() {
                "headers" | "query" => self.text_map(value, &entry.key, &mut holes),
                "body" => self.request_template(value, "/body", &mut holes),
                "output" => self.http_output(value),
                "redirect" => {
                    let redirect = self.boolean(value, "`redirect`");
                    redirect.map(|redirect| Template::Literal(Value::Bool(redirect)))
                }
                _ => continue,
            };
            whole &= part.is_some();
            parts.extend(part.map(|part| (entry.key.clone(), part)));
        }
        if !holes.found.is_empty() {
            let found = serde_json::to_value(holes.found).expect("names are always JSON");
            parts.push(("holes".to_owned(), Template::Literal(found)));
        }
        whole.then_some(parts)
    }

    pub(super) fn http_output(&mut self, node: &Node) -> Option<Template> {
        let text = self.text(node, "`output`")?;
        if !OUTPUTS.contains(&text) {
            let message = format!("`output: {text}` is unknown");
            self.report(codes::SHAPE, node.span, message, "one of: raw, content, response");
            return None;
        }
        Some(Template::Literal(Value::String(text.to_owned())))
    }

    /// A map of strings or expressions, or one expression that gives such a map.
    fn text_map(&mut self, node: &Node, what: &str, holes: &mut Holes<'_>) -> Option<Template> {
        if node.as_text().is_some_and(|text| fences::fenced(text).is_some()) {
            return self.template(node, Place::Request);
        }
        if !self.open_map(node, &format!("`{what}`")) {
            return None;
        }
        let mut whole = true;
        for entry in node.entries() {
            self.check_literal_secret(what, &entry.key, &entry.value);
            if entry.value.as_text().is_none() {
                let message = format!(
                    "`{what}.{}` must be a string, this is {}",
                    entry.key,
                    entry.value.kind()
                );
                self.report(codes::SHAPE, entry.value.span, message, "put it in quotes");
                whole = false;
            }
        }
        let built = self.request_template(node, &format!("/{what}"), holes);
        if whole { built } else { None }
    }

    /// A credential that is written out would be in the log, and in whoever's hands the file is.
    fn check_literal_secret(&mut self, what: &str, key: &str, value: &Node) {
        let key = key.to_ascii_lowercase();
        let secret = SECRET_WORDS.iter().any(|word| key.contains(word));
        if secret && value.as_text().is_some() && !value.holds_expression() {
            let message = format!("`{what}.{key}` looks like a literal secret");
            let help = "use `endpoint.authentication` with a name of use.secrets";
            self.report(codes::LITERAL_SECRET, value.span, message, help);
        }
    }

    /// A URI template, an expression, or `{ uri, authentication }`.
    fn endpoint(&mut self, node: &Node) -> Option<Endpoint> {
        if node.as_text().is_some() {
            return Some(Endpoint { uri: self.uri(node)?, authentication: None });
        }
        if !self.map(node, "`endpoint`", &["uri", "authentication"]) {
            return None;
        }
        let uri = self.required(node, "uri", "`endpoint`").and_then(|uri| self.uri(uri));
        let authentication =
            field(node.get("authentication"), |authentication| self.authentication(authentication));
        Some(Endpoint { uri: uri?, authentication: authentication.ok()? })
    }

    fn uri(&mut self, node: &Node) -> Option<Template> {
        let text = self.text(node, "`uri`")?;
        if fences::fenced(text).is_some() {
            return self.template(node, Place::Task);
        }
        if !self.literal_text(node, text) {
            return None;
        }
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(message) => {
                let help = "simple expansion only: {name} with the name of a key of the input";
                self.report(codes::SHAPE, node.span, message, help);
                return None;
            }
        };
        self.check_scheme(node, text);
        if let [Piece::Text(text)] = pieces.as_slice() {
            return Some(Template::Literal(Value::String((*text).to_owned())));
        }
        let jq = expansion(&pieces);
        if fence::parse(&jq).is_err() {
            let message = "the URI template is too long";
            self.report(codes::SHAPE, node.span, message, "write it as an expression '${ … }'");
            return None;
        }
        Some(Template::Expression(Expression(jq)))
    }

    pub(super) fn check_scheme(&mut self, node: &Node, text: &str) {
        if let Some(rest) = text.strip_prefix("http://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or("");
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            if !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
                let message = "plain http can be read and changed on its way";
                self.report(codes::LITERAL_SECRET, node.span, message, "use https");
            }
        } else if !text.starts_with("https://") && !text.starts_with('{') {
            let message = "an endpoint is an absolute http or https URL";
            self.report(codes::SHAPE, node.span, message, "start it with https://");
        }
    }

    /// `{ use: name }`, or exactly one kind of authentication.
    pub(super) fn authentication(&mut self, node: &Node) -> Option<Authentication> {
        let Some(name) = node.get("use") else { return self.authentication_kind(node) };
        if !self.map(node, "`authentication`", &["use"]) {
            return None;
        }
        let text = self.text(name, "`authentication.use`")?;
        let known = self.uses.authentications.get(text).cloned();
        if known.is_none() {
            let names: Vec<String> = self.uses.authentications.keys().cloned().collect();
            self.unknown_use("authentication", text, name.span, &names);
        }
        self.used.insert(format!("authentications/{text}"));
        known
    }

    /// `{ basic: … }` or `{ bearer: … }`; every value is a named secret, never text.
    pub(super) fn authentication_kind(&mut self, node: &Node) -> Option<Authentication> {
        let known = ["basic", "bearer", "digest", "oauth2", "oidc"];
        if !self.map(node, "an authentication", &known) {
            return None;
        }
        let [entry] = node.entries() else {
            let message = "an authentication has exactly one kind";
            self.report(codes::SHAPE, node.span, message, "one of: basic, bearer, oauth2, oidc");
            return None;
        };
        let value = &entry.value;
        match entry.key.as_str() {
            "basic" if value.get("use").is_some() => self.stored(entry),
            "oauth2" | "oidc" => self.oauth(entry),
            "basic" => {
                if !self.map(value, "`basic`", &["username", "password"]) {
                    return None;
                }
                let username =
                    self.required(value, "username", "`basic`").and_then(|n| self.secret(n));
                let password =
                    self.required(value, "password", "`basic`").and_then(|n| self.secret(n));
                Some(Authentication::Basic { username: username?, password: password? })
            }
            "bearer" => {
                if !self.map(value, "`bearer`", &["token", "use"]) {
                    return None;
                }
                let token = match value.get("use") {
                    Some(name) => self.secret_name(name),
                    None => self.required(value, "token", "`bearer`").and_then(|n| self.secret(n)),
                };
                Some(Authentication::Bearer { token: token? })
            }
            other => {
                self.outside(&format!("authentication: {other}"), entry.key_span);
                None
            }
        }
    }

    /// `'${ $secrets.NAME }'` and nothing else.
    pub(super) fn secret(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "a secret")?;
        let help = "write '${ $secrets.NAME }' and list NAME in use.secrets";
        let Some((jq, offset)) = fences::fenced(text) else {
            let message = "a secret must not stand in the document";
            self.report(codes::SHAPE, node.span, message, help);
            return None;
        };
        let Expression(jq) = self.jq(node, jq, offset, Place::Secret)?;
        let name = secret_of(&jq);
        if name.is_none() {
            let message = "credentials are named secrets and nothing more";
            self.report(codes::SHAPE, node.span, message, help);
        }
        name.map(str::to_owned)
    }

    pub(super) fn secret_name(&mut self, node: &Node) -> Option<String> {
        let name = self.text(node, "`use`")?;
        if self.uses.secrets.iter().any(|secret| secret == name) {
            self.used.insert(format!("secrets/{name}"));
            return Some(name.to_owned());
        }
        let names = self.uses.secrets.clone();
        self.unknown_use("secret", name, node.span, &names);
        None
    }
}

enum Piece<'t> {
    Text(&'t str),
    Key(&'t str),
}

/// The pieces of an RFC 6570 template of level 1.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let (mut rest, mut out) = (text, Vec::new());
    while let Some((before, after)) = rest.split_once('{') {
        let (key, after) =
            after.split_once('}').ok_or("a `{` of the URI template is not closed")?;
        let operator = key.chars().next().is_some_and(|c| "+#./;?&=,!@|".contains(c));
        if key.is_empty() || operator || key.contains(['{', ':', '*', ',']) {
            return Err(format!("`{{{key}}}` is not a form of URI template that is expanded"));
        }
        if !before.is_empty() {
            out.push(Piece::Text(before));
        }
        out.push(Piece::Key(key));
        rest = after;
    }
    if rest.contains('}') {
        return Err("a `}` of the URI template closes nothing".to_owned());
    }
    if !rest.is_empty() || out.is_empty() {
        out.push(Piece::Text(rest));
    }
    Ok(out)
}

/// The template as jq: keys of the input, percent-encoded; missing or null is empty, and anything
/// but a string, number or boolean is an error.
fn expansion(pieces: &[Piece<'_>]) -> String {
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    let parts: Vec<String> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => quoted(text),
            Piece::Key(key) => format!(
                "((if type == \"object\" then .[{}] else null end) | if . == null then \"\" \
                 elif type == \"object\" or type == \"array\" then error(\"{} must be a string, \
                 number or boolean\") else tostring | @uri end)",
                quoted(key),
                key.replace(['"', '\\'], "?"),
            ),
        })
        .collect();
    parts.join(" + ")
}

impl Node {
    /// Whether any string below is an expression.
    pub(super) fn holds_expression(&self) -> bool {
        match &self.content {
            Content::Null | Content::Bool(_) | Content::Number(_) => false,
            Content::Text { text, .. } => fences::fenced(text).is_some(),
            Content::List(items) => items.iter().any(Self::holds_expression),
            Content::Map(entries) => entries.iter().any(|entry| entry.value.holds_expression()),
        }
    }
}
