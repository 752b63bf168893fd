//! Operation + settings + input + send id + draft time → the exact bytes that will leave.
//!
//! Invariants: pure (equal arguments, equal bytes); credentials, the attempt's timestamp and its
//! signature stay named holes; nothing that a provider or an author wrote can leave its place (a
//! path parameter is one segment, a header is one line, a host is a known one).

mod body;
mod error;
mod header;
mod mail;
mod multipart;
mod url;

pub(crate) use body::form as body_form;
pub use error::Error;
pub(crate) use header::{
    accept as accept_header, check as check_header, is_mail_method, is_method,
    is_name as is_header_name,
};
pub use mail::{MAIL_FROM, RCPT_TO};
pub(crate) use url::{append, checked as checked_url, encode, segment as path_segment, with_query};

use crate::fill::{BASIC, PASSWORD, USER};
use crate::http_call;
use crate::json::scalar_text;
use crate::manifest::{BodyTemplate, Operation, Placement, RequestSpec, RequestTemplate};
use crate::target::Target;
use crate::template::{Name, Scope, Segment, Template};
use placet_model::Timestamp;
use placet_model::plan::Authentication;
use placet_model::request::{Body, Hole, HoleKind, HoledText, Part, PreparedRequest};
use serde_json::Value;
use std::collections::BTreeMap;

/// Largest body that is ever sent.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// What a rendering depends on: this and the operation, nothing else.
#[derive(Debug, Clone, Copy)]
pub struct RenderInput<'a> {
    /// The integration's settings; `null` or `{}` for `call: http`.
    pub settings: &'a Value,
    /// The evaluated `with`.
    pub input: &'a Value,
    /// 40 letters, minted with the draft revision ([`placet_model::draft::send_id`]).
    pub send_id: &'a str,
    /// Log time of the draft revision.
    pub draft_time: Timestamp,
    /// `call: http` only.
    pub authentication: Option<&'a Authentication>,
}

/// The bytes, and where they go in the provider's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub request: PreparedRequest,
    pub target: Option<Target>,
}

/// Validates settings and input, finds the target, and makes the request.
///
/// # Errors
/// [`Error`] says what the settings, the input or the target lack; nothing is rendered halfway.
pub fn render(operation: &Operation, given: RenderInput<'_>) -> Result<Rendered, Error> {
    render_with(operation, given, None)
}

/// As [`render()`], with one parameter of the query in the place of what stands there.
pub(crate) fn render_with(
    operation: &Operation,
    given: RenderInput<'_>,
    page: Option<(&str, &str)>,
) -> Result<Rendered, Error> {
    let cursor = page.map(|(_, cursor)| Value::String(cursor.to_owned()));
    let settings = crate::settings::checked(operation.config_schema.as_deref(), given.settings)
        .map_err(|violations| Error::Settings { violations })?;
    if let Some(schema) = operation.input_schema() {
        schema.validate(given.input).map_err(|violations| Error::Input { violations })?;
    }
    let mut scope = Scope {
        input: given.input,
        config: &settings,
        send_id: given.send_id,
        draft_time: given.draft_time,
        api_version: operation.api_version.as_deref(),
        cursor: cursor.as_ref(),
        ..Scope::NOTHING
    };
    let target = target(operation, &scope)?;
    scope.target = target.as_ref();
    let request = match &operation.request {
        RequestSpec::Template(template) => from_template((operation, page), template, &scope)?,
        RequestSpec::Http => http_call::request(given.input, given.authentication)?,
    };
    check_sizes(operation, given.input, &request)?;
    Ok(Rendered { request, target })
}

/// The target that an input alone names; `None` where the settings have a say or there is none.
pub fn target_of(operation: &Operation, input: &Value) -> Option<Target> {
    target_under(operation, input, &Value::Null)
}

/// The target that an input names under these settings.
pub fn target_under(operation: &Operation, input: &Value, settings: &Value) -> Option<Target> {
    let scope = Scope { input, config: settings, ..Scope::NOTHING };
    target(operation, &scope).ok().flatten()
}

fn target(operation: &Operation, scope: &Scope<'_>) -> Result<Option<Target>, Error> {
    let Some(spec) = operation.target_spec() else { return Ok(None) };
    let mut parts = BTreeMap::new();
    for (name, from) in &spec.from {
        let mut texts = Vec::new();
        for template in from {
            texts.extend(part_texts(template, scope)?);
        }
        if !texts.is_empty() {
            parts.insert(name.clone(), texts.join(","));
        }
    }
    Ok(Some(spec.grammar.compose(&parts).map_err(|source| Error::Target { source })?))
}

/// The texts of one template: several where its value is a list.
fn part_texts(template: &Template, scope: &Scope<'_>) -> Result<Vec<String>, Error> {
    match template.value(scope)? {
        Some(Value::Array(items)) => {
            items.iter().map(|item| scalar_text(item).ok_or(Error::TargetPart)).collect()
        }
        Some(_) => Ok(template.text(scope)?.into_iter().collect()),
        None => Ok(Vec::new()),
    }
}

fn from_template(
    (operation, page): (&Operation, Option<(&str, &str)>),
    template: &RequestTemplate,
    scope: &Scope<'_>,
) -> Result<PreparedRequest, Error> {
    let for_mail = is_mail_method(&template.method);
    let schemes = if for_mail { url::MAIL_SCHEMES } else { url::WEB_SCHEMES };
    let mut url = url::from_template(&template.url, (&template.query, page, schemes), scope)?;
    if let Some(Placement::Query { name, field }) = &operation.placement {
        url::with_secret(&mut url, name, field);
    }
    url::check_host(&url, operation, &template.url)?;
    let mut headers = Vec::new();
    for (name, value) in operation.shared_headers.iter().chain(&template.headers) {
        if let Some(value) = holed(operation, value, scope)? {
            headers.push((name.clone(), value));
        }
    }
    headers.extend(credential(operation, scope)?);
    let body = match &template.body {
        Some(BodyTemplate::Mail(value)) => {
            let fields = value.value(scope)?.unwrap_or(Value::Null);
            let mail = mail::mail(&fields, scope.send_id, scope.draft_time)?;
            headers.extend(mail.envelope);
            Some((Body::Bytes(mail.message), mail::MEDIA_TYPE.to_owned()))
        }
        Some(body) => body::from_template(body, scope, &|segment| part(operation, segment))?,
        None => None,
    };
    let body = match body {
        Some((body, media_type)) => {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                headers.push(("Content-Type".to_owned(), HoledText::plain(media_type)));
            }
            body
        }
        None => Body::Empty,
    };
    if !for_mail {
        let answer = operation.output_schema().map_or("*/*", |_| "application/json");
        header::accept(&mut headers, answer);
    }
    for (name, value) in &headers {
        header::check(name, value)?;
    }
    Ok(PreparedRequest { method: template.method.clone(), url, headers, body })
}

/// The header that shows who calls.
fn credential(
    operation: &Operation,
    scope: &Scope<'_>,
) -> Result<Option<(String, HoledText)>, Error> {
    match &operation.placement {
        None | Some(Placement::Query { .. }) => Ok(None),
        Some(Placement::Header(placement)) => {
            let value = holed(operation, &placement.value, scope)?;
            Ok(value.map(|value| (placement.header.clone(), value)))
        }
        Some(Placement::Basic { user, password }) => {
            let user = user.text(scope)?.unwrap_or_default();
            if user.is_empty() || user.contains(':') {
                return Err(Error::Hole { reason: "the user of Basic is empty or holds a colon" });
            }
            let name = format!("{BASIC}{password}:{user}");
            let hole = Part::Hole(Hole { hole: HoleKind::Credential, name });
            let value = HoledText(vec![Part::Text("Basic ".to_owned()), hole]);
            Ok(Some(("Authorization".to_owned(), value)))
        }
    }
}

/// The text of a header; its secrets stay open, by type and name.
fn holed(
    operation: &Operation,
    template: &Template,
    scope: &Scope<'_>,
) -> Result<Option<HoledText>, Error> {
    let Some(segments) = template.segments(scope)? else { return Ok(None) };
    let mut parts: Vec<Part> = Vec::new();
    for segment in segments {
        match (segment, parts.last_mut()) {
            (Segment::Text(text), Some(Part::Text(before))) => before.push_str(&text),
            (segment, _) => parts.push(part(operation, segment)),
        }
    }
    Ok(Some(HoledText(parts)))
}

fn part(operation: &Operation, segment: Segment<'_>) -> Part {
    match segment {
        Segment::Text(text) => Part::Text(text),
        Segment::Hole(name) => Part::Hole(hole(operation, name)),
    }
}

fn hole(operation: &Operation, name: &Name) -> Hole {
    let credential = |name: String| Hole { hole: HoleKind::Credential, name };
    match name {
        Name::Secret(field) => credential(field.clone()),
        Name::SecretUser(field) => credential(format!("{USER}{field}")),
        Name::SecretPassword(field) => credential(format!("{PASSWORD}{field}")),
        Name::AttemptSignature => {
            let signature =
                operation.signature.as_ref().expect("the lint asks for auth.sign with a signature");
            Hole {
                hole: HoleKind::Signature,
                name: format!("{}:{}", signature.scheme, signature.secret),
            }
        }
        Name::AttemptTimestamp => Hole { hole: HoleKind::Timestamp, name: "unix_s".to_owned() },
        Name::Input(_)
        | Name::Response(_)
        | Name::ResponseHeader(_)
        | Name::Target
        | Name::TargetPart(_)
        | Name::Config(_)
        | Name::SendId
        | Name::SendUuid
        | Name::SendBase32Hex
        | Name::DraftTime
        | Name::SentAtMinus(_)
        | Name::SentAtMinusIso(_)
        | Name::ApiVersion
        | Name::Mode
        | Name::Money
        | Name::Lookup(_)
        | Name::PageCursor => unreachable!("only holes stay open: Name::is_hole"),
    }
}

fn check_sizes(
    operation: &Operation,
    input: &Value,
    request: &PreparedRequest,
) -> Result<(), Error> {
    let text;
    let bytes: &[u8] = match &request.body {
        Body::Bytes(bytes) => bytes,
        Body::Empty => &[],
        Body::Text(holed) => {
            text = holed.to_string();
            text.as_bytes()
        }
    };
    if bytes.len() > BODY_BYTES_MAX {
        return Err(Error::BodyTooLarge { size: bytes.len() });
    }
    for limit in &operation.text_limits {
        limit.check(input, bytes).map_err(|source| Error::TextLimit { source })?;
    }
    Ok(())
}
