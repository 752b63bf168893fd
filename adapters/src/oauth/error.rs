//! Why there is no token.

use placet_model::fault::FaultKind;

/// What stands between a call and its token; never a secret, never a server's own words but for
/// the error code of RFC 6749.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the authorization server {url} cannot be used: {reason}")]
    Server { url: String, reason: &'static str },
    #[error(
        "tokens may not be asked for at {host}: add \"{host}\" to `read_hosts` of [egress] in placet.toml"
    )]
    NotListed { host: String },
    #[error("the secret {secret} describes no way to a token: {reason}")]
    Stored { secret: String, reason: String },
    #[error("{host} describes itself in a way that cannot be used: {reason}")]
    Discovery { host: String, reason: &'static str },
    #[error("{host} answered the request for a token with status {status}")]
    Unavailable { host: String, status: u16 },
    #[error("{host} refused the request for a token with status {status}{}", code_of(code.as_deref()))]
    Refused { host: String, status: u16, code: Option<String> },
    #[error("{host} gave no token that can be used: {reason}")]
    Unusable { host: String, reason: &'static str },
}

impl Error {
    /// The fault that the task gets.
    pub const fn fault_kind(&self) -> FaultKind {
        match self {
            Self::Server { .. }
            | Self::NotListed { .. }
            | Self::Stored { .. }
            | Self::Discovery { .. } => FaultKind::Configuration,
            Self::Unavailable { .. } => FaultKind::Communication,
            Self::Refused { .. } | Self::Unusable { .. } => FaultKind::Authentication,
        }
    }
}

fn code_of(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
