//! Who sent a request, as far as the server vouches for it.
//!
//! Across a service import with `share: true` the server itself writes `Nats-Request-Info`, over
//! whatever the sender put there, and the reply subject becomes one that only the server may hand
//! out (`_R_.…`). A user inside the engine's own account can write the header too, but not such a
//! reply subject: there the header is a forgery, and the request is refused. Without a reply subject
//! nothing tells the two apart, so the header proves nothing then.

use async_nats::HeaderMap;
use serde_json::Value;

use crate::subjects::{HEADER_REQUEST_INFO, IMPORTED_REPLY};

/// What the server says of a request's sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// Nothing but that they may publish on the subject.
    Unproven,
    /// This user of this account: a public key, where users are known by key.
    Account {
        /// The account.
        account: String,
        /// The user.
        user: String,
    },
}

/// The sender of a request.
///
/// # Errors
/// What is wrong, in words, where the sender is made up.
pub(crate) fn sender(headers: Option<&HeaderMap>, reply: Option<&str>) -> Result<Sender, String> {
    let Some(info) = headers.and_then(|headers| headers.get(HEADER_REQUEST_INFO)) else {
        return Ok(Sender::Unproven);
    };
    match reply {
        None => Ok(Sender::Unproven),
        Some(reply) if reply.starts_with(IMPORTED_REPLY) => account(info.as_str()),
        Some(_) => Err(format!(
            "{HEADER_REQUEST_INFO} was written by the sender: the request did not come through the import of \
             another account; the engine's account must have no other user"
        )),
    }
}

fn account(info: &str) -> Result<Sender, String> {
    let info: Value = serde_json::from_str(info)
        .map_err(|error| format!("{HEADER_REQUEST_INFO} cannot be read: {error}"))?;
    let text = |member: &str| info[member].as_str().map(str::to_owned);
    Ok(match (text("acc"), text("user")) {
        (Some(account), Some(user)) => Sender::Account { account, user },
        (_, _) => Sender::Unproven,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_believed_only_where_the_server_wrote_it() {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_REQUEST_INFO, r#"{"acc":"PEOPLE","user":"UANA"}"#);
        let known = Sender::Account { account: "PEOPLE".to_owned(), user: "UANA".to_owned() };
        assert_eq!(sender(Some(&headers), Some("_R_.abc.1")), Ok(known));
        assert!(sender(Some(&headers), Some("_INBOX.abc.1")).is_err());
        assert_eq!(sender(Some(&headers), None), Ok(Sender::Unproven));
        assert_eq!(sender(None, Some("_R_.abc.1")), Ok(Sender::Unproven));
    }
}
