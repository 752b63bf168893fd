//! The last step before the wire: the approved bytes with their holes filled, once per try.
//!
//! Nothing else happens here: no header is added, no URL is changed, no body is written again.

use crate::secret::SecretText;
use crate::sign;
use crate::transport::{CallIntegration, FillError, FillHoles, WantedHole};
use crate::{http_call, render};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_model::Timestamp;
use placet_model::request::{Body, Hole, HoleKind, HoledText, Part, PreparedRequest};
use std::fmt;

/// How the name of a hole begins that is `base64(user:password)` of one credential field.
pub(crate) const BASIC: &str = "basic:";
/// How the name of a hole begins that is the name in a credential field `name:password`.
pub(crate) const USER: &str = "user:";
/// How the name of a hole begins that is the password in such a field.
pub(crate) const PASSWORD: &str = "password:";

/// A request with its secrets in it. It is never stored, printed or digested.
pub struct FilledRequest {
    pub method: String,
    pub url: SecretText,
    pub headers: Vec<(String, SecretText)>,
    pub body: Vec<u8>,
}

impl FilledRequest {
    /// The host that it goes to, for words.
    pub fn host(&self) -> String {
        let url = url::Url::parse(self.url.expose()).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl fmt::Debug for FilledRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FilledRequest({}, {} headers, {} bytes)",
            self.method,
            self.headers.len(),
            self.body.len()
        )
    }
}

/// Fills every hole. `now` is this try's moment; it stands in timestamp and signature holes.
///
/// # Errors
/// A secret that does not exist, is not bound to this host, or would break a header line.
pub fn fill(
    request: &PreparedRequest,
    integration: Option<&CallIntegration>,
    holes: &dyn FillHoles,
    now: Timestamp,
) -> Result<FilledRequest, FillError> {
    let filler = Filler { request, integration, holes, now, host: host(request) };
    let body = match &request.body {
        Body::Empty => Vec::new(),
        Body::Bytes(bytes) => bytes.clone(),
        Body::Text(text) => {
            filler.text(text, &[], Writing::of_body(request))?.expose().as_bytes().to_vec()
        }
    };
    let mut headers = Vec::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        headers.push((name.clone(), filler.text(value, &body, Writing::Plain)?));
    }
    Ok(FilledRequest {
        method: request.method.clone(),
        url: filler.url(&request.url)?,
        headers,
        body,
    })
}

/// How a secret is written where its hole stands, so that it stays one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// As it is: a header, a text.
    Plain,
    /// In a URL or a form.
    Percent,
    /// Between the quotes of a JSON string.
    Json,
}

impl Writing {
    fn of_body(request: &PreparedRequest) -> Self {
        let media = request.header("content-type").and_then(HoledText::as_plain);
        let media = http_call::media_type(&media.unwrap_or_default());
        match media.as_str() {
            "application/x-www-form-urlencoded" => Self::Percent,
            media if http_call::is_json_media(media) => Self::Json,
            _ => Self::Plain,
        }
    }

    fn write(self, secret: &SecretText, out: &mut zeroize::Zeroizing<String>) {
        match self {
            Self::Plain => out.push_str(secret.expose()),
            Self::Percent => {
                out.push_str(&zeroize::Zeroizing::new(render::encode(secret.expose())));
            }
            Self::Json => {
                let value = serde_json::to_string(secret.expose()).expect("text is always JSON");
                let quoted = zeroize::Zeroizing::new(value);
                out.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
    }
}

struct Filler<'a> {
    request: &'a PreparedRequest,
    integration: Option<&'a CallIntegration>,
    holes: &'a dyn FillHoles,
    now: Timestamp,
    host: String,
}

impl Filler<'_> {
    /// In the path a secret is one segment, and a colon in it stays one; in the query it is a value.
    fn url(&self, text: &HoledText) -> Result<SecretText, FillError> {
        let mut out = zeroize::Zeroizing::new(String::new());
        let mut in_path = true;
        for part in &text.0 {
            match part {
                Part::Text(stretch) => {
                    in_path &= !stretch.contains('?');
                    out.push_str(stretch);
                }
                Part::Hole(hole) if in_path => {
                    let secret = self.hole(hole, &[])?;
                    let segment = render::path_segment(secret.expose())
                        .map(|segment| zeroize::Zeroizing::new(segment.replace("%3A", ":")))
                        .ok_or_else(|| FillError::Unusable {
                            hole: hole.clone(),
                            reason: "it is no path segment".to_owned(),
                        })?;
                    out.push_str(&segment);
                }
                Part::Hole(hole) => Writing::Percent.write(&self.hole(hole, &[])?, &mut out),
            }
        }
        Ok(SecretText::new(out.as_str()))
    }

    fn text(
        &self,
        text: &HoledText,
        body: &[u8],
        writing: Writing,
    ) -> Result<SecretText, FillError> {
        let mut out = zeroize::Zeroizing::new(String::new());
        for part in &text.0 {
            match part {
                Part::Text(stretch) => out.push_str(stretch),
                Part::Hole(hole) => writing.write(&self.hole(hole, body)?, &mut out),
            }
        }
        Ok(SecretText::new(out.as_str()))
    }

    fn hole(&self, hole: &Hole, body: &[u8]) -> Result<SecretText, FillError> {
        match hole.hole {
            HoleKind::Timestamp => Ok(SecretText::new(self.now.as_secs().to_string())),
            HoleKind::Signature => self.signature(hole, body),
            HoleKind::Credential if hole.name.starts_with(BASIC) => self.basic(hole),
            HoleKind::Credential if hole.name.starts_with(USER) => self.half(hole, USER),
            HoleKind::Credential if hole.name.starts_with(PASSWORD) => self.half(hole, PASSWORD),
            HoleKind::Credential | HoleKind::Secret | HoleKind::Basic | HoleKind::Token => {
                let secret = self.ask(hole)?;
                if secret.expose().chars().any(char::is_control) {
                    let reason = "it holds a line break or a control character".to_owned();
                    return Err(FillError::Unusable { hole: hole.clone(), reason });
                }
                Ok(secret)
            }
        }
    }

    /// `basic:<credential field>:<user>`; the password is asked for as a credential.
    fn basic(&self, hole: &Hole) -> Result<SecretText, FillError> {
        let unusable =
            |reason: &str| FillError::Unusable { hole: hole.clone(), reason: reason.to_owned() };
        let (field, user) =
            hole.name[BASIC.len()..].split_once(':').ok_or_else(|| unusable("it names no user"))?;
        let field = Hole { hole: HoleKind::Credential, name: field.to_owned() };
        let password = self.ask(&field)?;
        if password.expose().chars().any(char::is_control) {
            return Err(unusable("it holds a line break or a control character"));
        }
        let pair = zeroize::Zeroizing::new(format!("{user}:{}", password.expose()));
        Ok(SecretText::new(BASE64.encode(pair.as_bytes())))
    }

    /// One half of a login, `name:password`.
    fn half(&self, hole: &Hole, which: &str) -> Result<SecretText, FillError> {
        let unusable =
            |reason: &str| FillError::Unusable { hole: hole.clone(), reason: reason.to_owned() };
        let field = Hole { hole: HoleKind::Credential, name: hole.name[which.len()..].to_owned() };
        let login = self.ask(&field)?;
        let halves = login.expose().split_once(':');
        let (user, password) =
            halves.ok_or_else(|| unusable("it is no login: write name:password"))?;
        let half = if which == USER { user } else { password };
        if half.chars().any(char::is_control) {
            return Err(unusable("it holds a line break or a control character"));
        }
        Ok(SecretText::new(half))
    }

    /// `<scheme>:<credential field>`; the key itself is asked for as a credential.
    fn signature(&self, hole: &Hole, body: &[u8]) -> Result<SecretText, FillError> {
        let unusable =
            |reason: &str| FillError::Unusable { hole: hole.clone(), reason: reason.to_owned() };
        let field = match hole.name.split_once(':') {
            Some(("standard-webhooks", field)) => field.to_owned(),
            _ => return Err(unusable("the signature scheme is unknown")),
        };
        let id = self
            .request
            .header("webhook-id")
            .and_then(HoledText::as_plain)
            .ok_or_else(|| unusable("there is no webhook-id to sign"))?;
        let keys = self.ask(&Hole { hole: HoleKind::Credential, name: field })?;
        sign::standard_webhooks(keys.expose(), &id, self.now.as_secs(), body)
            .map(SecretText::new)
            .map_err(|error| unusable(&error.to_string()))
    }

    fn ask(&self, hole: &Hole) -> Result<SecretText, FillError> {
        self.holes.fill(&WantedHole { hole, integration: self.integration, host: &self.host })
    }
}

/// The host of the URL's text before its first hole; empty if there is none, and then no secret is
/// bound to it.
pub(crate) fn host(request: &PreparedRequest) -> String {
    let text: String = request
        .url
        .0
        .iter()
        .map_while(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Hole(_) => None,
        })
        .collect();
    url::Url::parse(&text)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default()
}
