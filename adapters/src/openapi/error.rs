//! Why a document cannot be read, an operation not be called, or a value not be sent.

use placet_model::fault::FaultKind;

/// What is wrong, in words for the author of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the document has {size} bytes, the most is {most}")]
    TooLarge { size: usize, most: usize },
    #[error("the document has more operations than {most}: name those that you need")]
    TooMany { most: usize },
    #[error("no operation of the document can be imported: {reason}")]
    NothingImported { reason: String },
    #[error("the document is neither JSON nor YAML: {reason}")]
    Unreadable { reason: String },
    #[error("the document's own URL cannot be used: {reason}")]
    Location { reason: String },
    #[error("the document is no OpenAPI document: it has neither `swagger` nor `openapi`")]
    NotOpenApi,
    #[error("the document is of version {found}; known are Swagger 2.0, OpenAPI 3.0 and 3.1")]
    Version { found: String },
    #[error("the document has no operation {id}{}", hint(near.as_deref()))]
    UnknownOperation { id: String, near: Option<String> },
    #[error("the document has more than one operation {id}")]
    Ambiguous { id: String },
    #[error("the document does not say where the API is: {reason}")]
    Server { reason: String },
    #[error("the reference {reference} cannot be followed: {reason}")]
    Reference { reference: String, reason: &'static str },
    #[error("the parameter {name} cannot be used: {reason}")]
    Parameter { name: String, reason: String },
    #[error("the method {method} cannot be called")]
    Method { method: String },
    #[error("the document {document} has not been fetched")]
    NotFetched { document: String },
    #[error("`parameters` must be a map")]
    NotAMap,
    #[error("the operation takes no parameter {name}{}", hint(near.as_deref()))]
    UnknownParameter { name: String, near: Option<String> },
    #[error("the operation needs the parameter {name}")]
    MissingParameter { name: String },
    #[error("the value of the parameter {name} cannot be sent: {reason}")]
    Value { name: String, reason: &'static str },
}

impl Error {
    /// The fault that the task gets.
    pub const fn fault_kind(&self) -> FaultKind {
        match self {
            Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::NothingImported { .. }
            | Self::Unreadable { .. }
            | Self::Location { .. }
            | Self::NotOpenApi
            | Self::Version { .. }
            | Self::UnknownOperation { .. }
            | Self::Ambiguous { .. }
            | Self::Server { .. }
            | Self::Reference { .. }
            | Self::Parameter { .. }
            | Self::Method { .. }
            | Self::NotFetched { .. } => FaultKind::Configuration,
            Self::NotAMap
            | Self::UnknownParameter { .. }
            | Self::MissingParameter { .. }
            | Self::Value { .. } => FaultKind::Validation,
        }
    }
}

fn hint(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}

/// The candidate that a mistyped word most likely means.
pub(super) fn near<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().min(9) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}
