//! Whether a URL may be called at all, before anything is resolved or dialled.

use crate::address::is_public;
use crate::config::EgressConfig;
use url::{Host, Url};

/// A URL that passed every check; the only thing that is ever handed to a client.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) url: Url,
    pub(crate) reach: Reach,
}

/// How far the resolver may go for this destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// Public addresses only.
    Public,
    /// The operator lists this HOST:PORT: whatever address it has.
    Listed,
}

/// Where a URL came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The approved request.
    Request,
    /// A redirect of a public server: it cannot use what the operator opened for us.
    PublicRedirect,
    /// A redirect of a listed server.
    ListedRedirect,
}

/// Why a URL is not called. The URL itself stays out: it can hold data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the url cannot be parsed")]
    Unparsable,
    #[error("the url's scheme is not https, and the target is not allowed by --egress-allow")]
    Scheme,
    #[error("the url holds a user name or a password")]
    UserInfo,
    #[error("the url names no host")]
    NoHost,
    #[error("the port is not allowed; --egress-allow HOST:PORT opens one target")]
    Port,
    #[error("the address is not public; --egress-allow HOST:PORT opens one target")]
    Address,
}

impl Destination {
    pub(crate) fn check(url: &str, config: &EgressConfig, source: Source) -> Result<Self, Refusal> {
        let url = Url::parse(url).map_err(|_ignored| Refusal::Unparsable)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Refusal::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        let host = url.host().ok_or(Refusal::NoHost)?;
        let port = url.port_or_known_default().ok_or(Refusal::Port)?;
        let listed = config.lists(url.host_str().unwrap_or_default(), port);
        if listed && source != Source::PublicRedirect {
            return Ok(Self { url, reach: Reach::Listed });
        }
        if url.scheme() != "https" {
            return Err(Refusal::Scheme);
        }
        let literal = match host {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        };
        if literal.is_some_and(|address| !is_public(address)) {
            return Err(Refusal::Address);
        }
        if !config.ports.contains(&port) {
            return Err(Refusal::Port);
        }
        Ok(Self { url, reach: Reach::Public })
    }

    /// Scheme, host and port: credentials stay inside.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.url.origin() == other.url.origin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> Result<Reach, Refusal> {
        let config = EgressConfig::allowing([
            "127.0.0.1:9000".parse().unwrap(),
            "localhost:9001".parse().unwrap(),
        ]);
        Destination::check(url, &config, Source::Request).map(|destination| destination.reach)
    }

    #[test]
    fn public_https_is_reached_and_nothing_else() {
        assert_eq!(check("https://slack.com/api"), Ok(Reach::Public));
        assert_eq!(check("https://slack.com:8443/api"), Ok(Reach::Public));
        assert_eq!(check("http://slack.com/api"), Err(Refusal::Scheme));
        assert_eq!(check("ftp://slack.com/"), Err(Refusal::Scheme));
        assert_eq!(check("file:///etc/passwd"), Err(Refusal::Scheme));
        assert_eq!(check("https://user@slack.com/"), Err(Refusal::UserInfo));
        assert_eq!(check("https://slack.com:22/"), Err(Refusal::Port));
        assert_eq!(check("https://10.0.0.1/"), Err(Refusal::Address));
        assert_eq!(check("nonsense"), Err(Refusal::Unparsable));
    }

    #[test]
    fn a_listed_target_is_that_host_and_that_port_only() {
        assert_eq!(check("http://127.0.0.1:9000/x"), Ok(Reach::Listed));
        assert_eq!(check("http://0x7f.1:9000/x"), Ok(Reach::Listed));
        assert_eq!(check("http://localhost:9001/"), Ok(Reach::Listed));
        assert_eq!(check("http://127.0.0.1:9001/"), Err(Refusal::Scheme));
        assert_eq!(check("https://127.0.0.1:9001/"), Err(Refusal::Address));
        assert_eq!(check("http://localhost:9000/"), Err(Refusal::Scheme));
    }

    #[test]
    fn a_public_server_cannot_redirect_into_what_the_operator_opened() {
        let config = EgressConfig::allowing(["127.0.0.1:9000".parse().unwrap()]);
        let to = "http://127.0.0.1:9000/";
        assert!(Destination::check(to, &config, Source::PublicRedirect).is_err());
        assert!(Destination::check(to, &config, Source::ListedRedirect).is_ok());
    }
}
