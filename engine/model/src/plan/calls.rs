//! Calls beyond an adapter operation: by an API's document, of a function, of a workflow.

use super::{ApiOperation, Authentication, RequestHole, TaskList, Template};
use crate::Digest;
use crate::approval::ApprovalMetadata;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A call of an operation that an `OpenAPI` document describes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenApiCall {
    /// URL of the document.
    pub document: String,
    /// SHA-256 of the document's canonical JSON; `None` while it has not been fetched.
    pub digest: Option<Digest>,
    /// Operation of the document.
    pub operation: String,
    /// What the document says of it; `None` while it has not been fetched, and then nothing can be
    /// called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<ApiOperation>,
    /// Values by the parameters' names.
    pub parameters: Template,
    /// Which of these values are filled in when the request is sent, by JSON Pointer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holes: BTreeMap<String, RequestHole>,
    /// `raw`, `content` or `response`, as of `call: http`.
    pub output: String,
    /// Whether redirects count as success.
    pub redirect: bool,
    /// As whom.
    pub authentication: Option<Authentication>,
    /// What the author asks of the approval; can only tighten.
    pub approval: Option<ApprovalMetadata>,
}

/// A call of a function: its task, put in where it is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionCall {
    /// The function as the call names it.
    pub function: String,
    /// The function's raw input.
    pub with: Template,
    /// Exactly one task, the function; its path is `<path of the call>/call/<function>`.
    pub body: TaskList,
}

/// A run of another workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunWorkflow {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Semantic version, or `latest`, resolved when the child starts.
    pub version: String,
    /// The child's input.
    pub input: Option<Template>,
    /// Whether its end is awaited.
    #[serde(rename = "await")]
    pub waits: bool,
}

/// Tokens from an authorization server; secrets are names, never text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// URL of the server.
    pub authority: String,
    /// How a token is obtained.
    pub grant: Grant,
    /// Path or URL of the token endpoint; `None` is found by the server's `OpenID` configuration.
    pub token_endpoint: Option<String>,
    /// Client's id.
    pub client: Option<String>,
    /// Secret that holds the client's secret.
    pub client_secret: Option<String>,
    /// How the client proves who it is.
    pub client_authentication: ClientAuthentication,
    /// How the token request is written.
    pub encoding: TokenEncoding,
    /// Accepted issuers; none is the authority.
    pub issuers: Vec<String>,
    /// Scopes asked for.
    pub scopes: Vec<String>,
    /// Audiences asked for.
    pub audiences: Vec<String>,
}

/// How a token is obtained without a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// As the client itself.
    ClientCredentials,
    /// With a refresh token, from the secret of this name.
    RefreshToken(String),
    /// With the secrets that hold a user's name and password.
    Password {
        /// Secret that holds the user name.
        username: String,
        /// Secret that holds the password.
        password: String,
    },
}

/// How the client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// In the body.
    #[default]
    ClientSecretPost,
    /// In the `Authorization` header.
    ClientSecretBasic,
    /// Not at all.
    None,
}

/// How the token request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEncoding {
    /// `application/x-www-form-urlencoded`.
    #[default]
    Form,
    /// `application/json`.
    Json,
}
