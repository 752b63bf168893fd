//! People: their tokens and keys.

use utoipa::ToSchema;

#[derive(ToSchema)]
pub(crate) struct Tokens {
    tokens: Vec<Token>,
    /// `cursor` of the next page.
    next: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Token {
    id: String,
    principal: String,
    #[schema(format = DateTime)]
    created_at: String,
    created_by: Option<String>,
    /// From then on it is nobody's; for ever where there is none.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Those of its bearer in the policy in force.
    roles: Vec<String>,
    /// Only in the answer that makes it, and never again.
    token: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Keys {
    project: String,
    origin: String,
    keys: Vec<Key>,
    next: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Key {
    principal: String,
    key: String,
    revoked: bool,
    kind: Option<String>,
    roles: Option<Vec<String>>,
}
