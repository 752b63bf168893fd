//! The request for a token (RFC 6749 §2.3.1, §4.3, §4.4, §6).

use super::client::{Client, Proof};
use crate::fill::FilledRequest;
use crate::render::encode;
use crate::secret::SecretText;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_model::plan::{ClientAuthentication, TokenEncoding};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

/// The request, its secrets in it.
pub fn request(client: &Client, endpoint: &Url) -> FilledRequest {
    let mut headers = vec![plain("Accept", "application/json")];
    let fields = fields(client);
    let (media, body) = match client.encoding {
        TokenEncoding::Form => ("application/x-www-form-urlencoded", form(&fields)),
        TokenEncoding::Json => ("application/json", json(&fields)),
    };
    headers.push(plain("Content-Type", media));
    if let (ClientAuthentication::ClientSecretBasic, Some(id)) = (client.authentication, &client.id)
    {
        let secret = client.secret.as_ref().map_or("", SecretText::expose);
        let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret)));
        let basic = Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes())));
        headers.push(("Authorization".to_owned(), SecretText::new(basic.as_str())));
    }
    FilledRequest {
        method: "POST".to_owned(),
        url: SecretText::new(endpoint.as_str()),
        headers,
        body,
    }
}

fn plain(name: &str, value: &str) -> (String, SecretText) {
    (name.to_owned(), SecretText::new(value))
}

fn fields(client: &Client) -> Vec<(&'static str, Zeroizing<String>)> {
    let text = |text: &str| Zeroizing::new(text.to_owned());
    let mut fields = match &client.proof {
        Proof::Client => vec![("grant_type", text("client_credentials"))],
        Proof::Refresh(token) => {
            vec![("grant_type", text("refresh_token")), ("refresh_token", text(token.expose()))]
        }
        Proof::Code { code, redirect_uri, verifier } => {
            let mut fields = vec![
                ("grant_type", text("authorization_code")),
                ("code", text(code.expose())),
                ("redirect_uri", text(redirect_uri)),
            ];
            fields.extend(verifier.iter().map(|one| ("code_verifier", text(one.expose()))));
            fields
        }
        Proof::Password { username, password } => vec![
            ("grant_type", text("password")),
            ("username", text(username.expose())),
            ("password", text(password.expose())),
        ],
    };
    if !client.scopes.is_empty() {
        fields.push(("scope", text(&client.scopes.join(" "))));
    }
    fields.extend(client.audiences.iter().map(|audience| ("audience", text(audience))));
    if client.authentication != ClientAuthentication::ClientSecretBasic {
        fields.extend(client.id.iter().map(|id| ("client_id", text(id))));
    }
    if client.authentication == ClientAuthentication::ClientSecretPost {
        fields.extend(client.secret.iter().map(|secret| ("client_secret", text(secret.expose()))));
    }
    fields
}

fn form(fields: &[(&'static str, Zeroizing<String>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        if !body.is_empty() {
            body.push(b'&');
        }
        body.extend_from_slice(name.as_bytes());
        body.push(b'=');
        body.extend_from_slice(Zeroizing::new(encode(value)).as_bytes());
    }
    body
}

/// A name that comes more than once is a list.
fn json(fields: &[(&'static str, Zeroizing<String>)]) -> Vec<u8> {
    let mut body = Map::new();
    for (name, value) in fields {
        let value = Value::String(value.as_str().to_owned());
        match body.get_mut(*name) {
            None => {
                body.insert((*name).to_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Value::Object(body).to_string().into_bytes()
}
