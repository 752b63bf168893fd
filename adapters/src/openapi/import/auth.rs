//! Who calls: the one security scheme that a manifest can hold, chosen for most of the operations.

use super::super::reference::follow;
use serde_json::{Map, Value, json};

/// How the credential is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scheme {
    pub(super) name: String,
    /// The manifest's `auth`.
    pub(super) auth: Value,
    /// The field of the credentials.
    pub(super) secret: &'static str,
    /// A user's name among the settings.
    pub(super) has_user: bool,
    pub(super) comment: Option<String>,
    /// The less, the sooner it is taken.
    rank: usize,
}

/// Every scheme that the document declares: usable, or why not.
pub(super) fn declared(document: &Value) -> Vec<(String, Result<Scheme, String>)> {
    let three = document["components"]["securitySchemes"].as_object();
    let schemes = three.or_else(|| document["securityDefinitions"].as_object());
    let schemes = schemes.into_iter().flatten();
    schemes.map(|(name, said)| (name.clone(), scheme(document, name, said))).collect()
}

fn scheme(document: &Value, name: &str, said: &Value) -> Result<Scheme, String> {
    let said = follow(document, said).map_err(|error| error.to_string())?;
    let word = |key: &str| said[key].as_str().unwrap_or_default().to_ascii_lowercase();
    let bearer = |rank, comment| Scheme {
        name: name.to_owned(),
        auth: json!({"kind": "bearer", "placement": {"header": "Authorization", "value": "Bearer {secret:access_token}"}}),
        secret: "access_token",
        has_user: false,
        comment,
        rank,
    };
    match (word("type").as_str(), word("in").as_str(), word("scheme").as_str()) {
        ("http", _, "bearer") => Ok(bearer(0, None)),
        ("oauth2", ..) => Ok(bearer(1, Some(dance(said)))),
        ("openidconnect", ..) => {
            let at = said["openIdConnectUrl"].as_str().unwrap_or_default();
            Ok(bearer(2, Some(format!("the token comes from OpenID Connect at {at}"))))
        }
        ("apikey", "header", _) => {
            let header = said["name"].as_str().unwrap_or_default();
            if !crate::render::is_header_name(header) {
                return Err(format!("its header {header:?} has no header's name"));
            }
            Ok(Scheme {
                name: name.to_owned(),
                auth: json!({"kind": "api_key", "placement": {"header": header, "value": "{secret:api_key}"}}),
                secret: "api_key",
                has_user: false,
                comment: None,
                rank: 3,
            })
        }
        ("http", _, "basic") | ("basic", ..) => Ok(Scheme {
            name: name.to_owned(),
            auth: json!({"kind": "api_key", "placement": {"basic": {"user": "{config.user}", "password": "{secret:password}"}}}),
            secret: "password",
            has_user: true,
            comment: None,
            rank: 4,
        }),
        ("apikey", place, _) => Err(format!("a key in the {place} is not built")),
        (kind, ..) => Err(format!("the scheme {kind:?} is not known")),
    }
}

/// What a person needs to get a token: nothing here asks for one.
fn dance(said: &Value) -> String {
    let flows = said["flows"].as_object().map(|flows| flows.values().collect::<Vec<_>>());
    let flows = flows.unwrap_or_else(|| vec![said]);
    let all = ["authorizationUrl", "tokenUrl"]
        .into_iter()
        .flat_map(|key| flows.iter().filter_map(move |flow| Some((key, flow[key].as_str()?))))
        .map(|(key, url)| format!("{key} {url}"));
    let mut all: Vec<String> = all.collect();
    all.dedup();
    format!("the access token comes from OAuth 2.0: {}", all.join(", "))
}

/// The alternatives of an operation; an empty one asks for nothing.
pub(super) fn alternatives(document: &Value, operation: &Value) -> Vec<Map<String, Value>> {
    let list = operation.get("security").unwrap_or_else(|| &document["security"]);
    list.as_array().into_iter().flatten().filter_map(Value::as_object).cloned().collect()
}

/// The scheme under which most of these operations can be called by it alone.
pub(super) fn chosen(
    declared: &[(String, Result<Scheme, String>)],
    operations: &[Vec<Map<String, Value>>],
) -> Option<Scheme> {
    let usable = declared.iter().filter_map(|(_, scheme)| scheme.as_ref().ok());
    let count = |scheme: &Scheme| operations.iter().filter(|all| opens(all, Some(scheme))).count();
    let asks = operations.iter().any(|all| !opens(all, None));
    let best = usable.max_by_key(|scheme| (count(scheme), usize::MAX - scheme.rank))?;
    asks.then(|| best.clone())
}

/// Whether an operation can be called with this alone.
pub(super) fn opens(alternatives: &[Map<String, Value>], scheme: Option<&Scheme>) -> bool {
    let with = |needs: &Map<String, Value>| {
        needs.keys().all(|name| scheme.is_some_and(|scheme| scheme.name == *name))
    };
    alternatives.is_empty() || alternatives.iter().any(with)
}

/// The scopes that an operation asks for.
pub(super) fn scopes(alternatives: &[Map<String, Value>], scheme: &Scheme) -> Vec<String> {
    let lists = alternatives.iter().filter_map(|needs| needs.get(&scheme.name)?.as_array());
    lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
