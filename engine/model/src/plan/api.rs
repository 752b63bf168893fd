//! What a plan keeps of an `OpenAPI` document: the one operation that is called, reduced to what a
//! request needs. `placet-adapters` reads documents and makes requests.

use crate::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A document of an API, reduced to its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiDocument {
    /// SHA-256 of the document's canonical JSON.
    pub digest: Digest,
    /// By `operationId`: the operation, or why it cannot be called.
    pub operations: BTreeMap<String, Result<ApiOperation, String>>,
}

/// One operation of an API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiOperation {
    /// Upper-case HTTP method.
    pub method: String,
    /// Absolute URL; `{name}` is the place of a path parameter.
    pub url: String,
    /// What may be given, in the order of the document.
    pub parameters: Vec<ApiParameter>,
    /// The body, where the operation takes one as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<ApiBody>,
    /// Media types of a body that is made of form parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub form_media: Vec<String>,
    /// Media type to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiParameter {
    /// Name, as callers give it and as it is sent.
    pub name: String,
    /// Where it goes.
    pub place: ApiPlace,
    /// Whether a call without it is refused.
    pub required: bool,
    /// How its value is written.
    pub form: ApiForm,
}

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiPlace {
    /// Into the path.
    Path,
    /// Into the query.
    Query,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// A field of a form in the body (Swagger 2.0).
    Form,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiForm {
    /// By a style.
    Style {
        /// Which.
        style: ApiStyle,
        /// Whether each item of a list and each key of an object stands for itself.
        explode: bool,
    },
    /// As JSON text (a parameter with `content`).
    Json,
}

/// The styles of `OpenAPI` 3 and, under their names, the collection formats of Swagger 2.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiStyle {
    /// `a,b`.
    Simple,
    /// `.a.b`.
    Label,
    /// `;name=a,b`.
    Matrix,
    /// `name=a,b` or `name=a&name=b`.
    Form,
    /// `name=a%20b`.
    SpaceDelimited,
    /// `name=a%09b`.
    TabDelimited,
    /// `name=a%7Cb`.
    PipeDelimited,
    /// `name[key]=a`.
    DeepObject,
}

/// A body that is given as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiBody {
    /// The name under which callers give it.
    pub name: String,
    /// Whether a call without it is refused.
    pub required: bool,
    /// Media types that the operation takes, in the order of the document.
    pub media: Vec<String>,
    /// Keys whose lists a form writes as `key[0]=a` instead of `key=a`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexed: Vec<String>,
}

/// A value of a request that no expression knows: it is filled in when the request is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestHole {
    /// A secret of `use.secrets`.
    Secret(String),
    /// What follows the scheme in the call's own `Authorization` header.
    Authorization,
}
