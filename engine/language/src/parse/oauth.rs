//! `oauth2` and `oidc`: tokens that are obtained without a person.

use placet_model::plan::{Authentication, ClientAuthentication, Grant, OAuth2, TokenEncoding};

use super::reader::{Field, Reader, Reported, field};
use crate::codes;
use crate::syntax::{Entry, Node};

const FIELDS: &[&str] = &[
    "authority",
    "grant",
    "client",
    "request",
    "issuers",
    "scopes",
    "audiences",
    "username",
    "password",
    "subject",
    "actor",
    "endpoints",
    "use",
];
/// Without `endpoints`, which the server names itself.
const OIDC_FIELDS: &[&str] = &[
    "authority",
    "grant",
    "client",
    "request",
    "issuers",
    "scopes",
    "audiences",
    "username",
    "password",
    "subject",
    "actor",
    "use",
];
const GRANTS: &[&str] = &["client_credentials", "refresh_token", "password"];
const TOKEN_ENDPOINT: &str = "/oauth2/token";

impl Reader<'_> {
    /// The entry `oauth2: …` or `oidc: …` of an authentication.
    pub(super) fn oauth(&mut self, entry: &Entry) -> Option<Authentication> {
        let is_oidc = entry.key == "oidc";
        let node = &entry.value;
        let (what, known) = if is_oidc { ("`oidc`", OIDC_FIELDS) } else { ("`oauth2`", FIELDS) };
        if !self.map(node, what, known) {
            return None;
        }
        if node.get("use").is_some() {
            return self.stored(entry);
        }
        let authority = self.required(node, "authority", what);
        let authority = authority.and_then(|n| self.endpoint_url(n, "`authority`"));
        let grant = self.grant(node, what);
        let client = self.client(node.get("client"));
        let encoding = self.encoding(node.get("request"));
        let [issuers, scopes, audiences] =
            ["issuers", "scopes", "audiences"].map(|key| self.texts(node.get(key), key));
        let token = if is_oidc { Ok(None) } else { self.token_endpoint(node.get("endpoints")) };
        let (client, client_secret, client_authentication) = client?;
        let oauth = Box::new(OAuth2 {
            authority: authority?,
            grant: grant?,
            token_endpoint: token.ok()?,
            client,
            client_secret,
            client_authentication,
            encoding: encoding?,
            issuers: issuers?,
            scopes: scopes?,
            audiences: audiences?,
        });
        Some(if is_oidc { Authentication::Oidc(oauth) } else { Authentication::OAuth2(oauth) })
    }

    /// `{ use: secret }` and nothing beside it.
    pub(super) fn stored(&mut self, entry: &Entry) -> Option<Authentication> {
        if !self.map(&entry.value, &format!("`{}`", entry.key), &["use"]) {
            return None;
        }
        let secret = self.secret_name(entry.value.get("use")?)?;
        Some(Authentication::Stored { scheme: entry.key.clone(), secret })
    }

    fn grant(&mut self, node: &Node, what: &str) -> Option<Grant> {
        let grant = self.required(node, "grant", what)?;
        let text = self.text(grant, "`grant`")?;
        let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
        if text == "authorization_code" || text == exchange {
            let message = format!("`grant: {text}` is outside the profile");
            let help = "use client_credentials, refresh_token or password; what needs a person is \
                        an integration";
            self.report(codes::OUTSIDE, grant.span, message, help);
            return None;
        }
        if let Some(actor) = node.entries().iter().find(|entry| entry.key == "actor") {
            let message = "`actor` belongs to token exchange, which is outside the profile";
            self.report(codes::OUTSIDE, actor.key_span, message, "remove it");
        }
        match text {
            "client_credentials" => Some(Grant::ClientCredentials),
            "password" => {
                let part = |reader: &mut Self, key: &str| {
                    let value = reader.required(node, key, "`grant: password`")?;
                    reader.secret(value)
                };
                let (username, password) = (part(self, "username"), part(self, "password"));
                Some(Grant::Password { username: username?, password: password? })
            }
            "refresh_token" => {
                let subject = self.required(node, "subject", "`grant: refresh_token`")?;
                if !self.map(subject, "`subject`", &["token", "type"]) {
                    return None;
                }
                let token = self.required(subject, "token", "`subject`")?;
                self.secret(token).map(Grant::RefreshToken)
            }
            _ => {
                let message = format!("`grant: {text}` is unknown");
                let help = format!("one of: {}", GRANTS.join(", "));
                self.report(codes::SHAPE, grant.span, message, help);
                None
            }
        }
    }

    fn client(
        &mut self,
        node: Option<&Node>,
    ) -> Option<(Option<String>, Option<String>, ClientAuthentication)> {
        let Some(node) = node else { return Some((None, None, ClientAuthentication::default())) };
        if !self.map(node, "`client`", &["id", "secret", "assertion", "authentication"]) {
            return None;
        }
        let id = field(node.get("id"), |id| self.literal(id, "`client.id`"));
        let secret = field(node.get("secret"), |secret| self.secret(secret));
        if node.get("assertion").is_some() {
            let span = node.key_span("assertion");
            let message = "`client.assertion` is outside the profile";
            self.report(codes::OUTSIDE, span, message, "use a client secret");
        }
        let how = field(node.get("authentication"), |how| {
            let text = self.text(how, "`client.authentication`")?;
            match text {
                "client_secret_post" => Some(ClientAuthentication::ClientSecretPost),
                "client_secret_basic" => Some(ClientAuthentication::ClientSecretBasic),
                "none" => Some(ClientAuthentication::None),
                "client_secret_jwt" | "private_key_jwt" => {
                    let message = format!("`client.authentication: {text}` is outside the profile");
                    self.report(codes::OUTSIDE, how.span, message, "use client_secret_post");
                    None
                }
                _ => {
                    let message = format!("`client.authentication: {text}` is unknown");
                    let help = "one of: client_secret_post, client_secret_basic, none";
                    self.report(codes::SHAPE, how.span, message, help);
                    None
                }
            }
        });
        Some((id.ok()?, secret.ok()?, how.ok()?.unwrap_or_default()))
    }

    fn encoding(&mut self, node: Option<&Node>) -> Option<TokenEncoding> {
        let Some(node) = node else { return Some(TokenEncoding::default()) };
        if !self.map(node, "`request`", &["encoding"]) {
            return None;
        }
        let Some(encoding) = node.get("encoding") else { return Some(TokenEncoding::default()) };
        match self.text(encoding, "`request.encoding`")? {
            "application/x-www-form-urlencoded" => Some(TokenEncoding::Form),
            "application/json" => Some(TokenEncoding::Json),
            other => {
                let message = format!("`request.encoding: {other}` is unknown");
                let help = "one of: application/x-www-form-urlencoded, application/json";
                self.report(codes::SHAPE, encoding.span, message, help);
                None
            }
        }
    }

    /// `endpoints.token`; the other two are not called, and only their form is checked.
    fn token_endpoint(&mut self, node: Option<&Node>) -> Field<String> {
        let default = Ok(Some(TOKEN_ENDPOINT.to_owned()));
        let Some(node) = node else { return default };
        if !self.map(node, "`endpoints`", &["token", "revocation", "introspection"]) {
            return Err(Reported);
        }
        for key in ["revocation", "introspection"] {
            if let Some(value) = node.get(key) {
                self.literal(value, &format!("`endpoints.{key}`"));
            }
        }
        let Some(token) = node.get("token") else { return default };
        self.literal(token, "`endpoints.token`").map(Some).ok_or(Reported)
    }

    fn endpoint_url(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.literal(node, what)?;
        self.check_scheme(node, &text);
        Some(text)
    }

    fn texts(&mut self, node: Option<&Node>, key: &str) -> Option<Vec<String>> {
        let Some(node) = node else { return Some(Vec::new()) };
        let items = self.list(node, &format!("`{key}`"))?;
        let texts: Vec<_> =
            items.iter().map(|item| self.literal(item, &format!("`{key}`"))).collect();
        texts.into_iter().collect()
    }
}
