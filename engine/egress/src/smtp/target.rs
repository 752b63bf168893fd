//! Which mail servers may be spoken to: the rules of [`Destination`](crate::destination), for hosts
//! and ports of mail.

use crate::address::is_public;
use crate::config::{EgressConfig, HostPort};
use crate::destination::{Reach, Refusal};
use std::net::IpAddr;

/// A mail server that passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// As URLs write it: lower case, an IPv6 address in brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) reach: Reach,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// With the first byte.
    Implicit,
    /// Before anything is said of us or the mail; without it nothing is.
    StartTls,
    /// Never: a target that the operator lists.
    Plain,
}

impl Target {
    pub(super) fn check(url: &str, config: &EgressConfig) -> Result<Self, Refusal> {
        let (scheme, rest) = url.split_once("://").ok_or(Refusal::Unparsable)?;
        let (security, usual) = match scheme {
            "smtps" => (Security::Implicit, 465),
            "smtp" => (Security::StartTls, 587),
            "smtp-plain" => (Security::Plain, 25),
            _ => return Err(Refusal::Scheme),
        };
        if rest.contains('@') {
            return Err(Refusal::UserInfo);
        }
        // read as every other URL is, so that each spelling of an address is that address
        let read = rest.parse::<HostPort>().or_else(|_no_port| format!("{rest}:{usual}").parse());
        let read = read.map_err(|_no_host| Refusal::Unparsable)?;
        let (host, port) = (read.host().to_owned(), read.port());
        if config.lists(&host, port) {
            return Ok(Self { host, port, security, reach: Reach::Listed });
        }
        if security == Security::Plain {
            return Err(Refusal::Scheme);
        }
        let target = Self { host, port, security, reach: Reach::Public };
        if target.literal().is_some_and(|address| !is_public(address)) {
            return Err(Refusal::Address);
        }
        if !config.mail_ports.contains(&port) {
            return Err(Refusal::Port);
        }
        Ok(target)
    }

    /// The host without brackets and last dot.
    pub(super) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.')
    }

    pub(super) fn literal(&self) -> Option<IpAddr> {
        self.bare_host().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> Result<(u16, Reach), Refusal> {
        let config = EgressConfig::allowing(["127.0.0.1:2525".parse().unwrap()]);
        Target::check(url, &config).map(|target| (target.port, target.reach))
    }

    #[test]
    fn a_public_server_is_reached_under_tls_at_ports_of_mail() {
        assert_eq!(check("smtps://mail.example.com"), Ok((465, Reach::Public)));
        assert_eq!(check("smtp://mail.example.com"), Ok((587, Reach::Public)));
        assert_eq!(check("smtp://mail.example.com:2525"), Ok((2525, Reach::Public)));
        assert_eq!(check("smtp://mail.example.com:25"), Err(Refusal::Port));
        assert_eq!(check("smtp://mail.example.com:443"), Err(Refusal::Port));
        assert_eq!(check("smtp-plain://mail.example.com:587"), Err(Refusal::Scheme));
        assert_eq!(check("https://mail.example.com"), Err(Refusal::Scheme));
        assert_eq!(check("smtp://a:b@mail.example.com"), Err(Refusal::UserInfo));
        assert_eq!(check("smtp://mail.example.com/x"), Err(Refusal::Unparsable));
        assert_eq!(check("mail.example.com:587"), Err(Refusal::Unparsable));
    }

    #[test]
    fn a_listed_server_is_that_host_and_port() {
        assert_eq!(check("smtp-plain://127.0.0.1:2525"), Ok((2525, Reach::Listed)));
        assert_eq!(check("smtp-plain://0x7f.1:2525"), Ok((2525, Reach::Listed)));
        assert_eq!(check("smtp://127.0.0.1:587"), Err(Refusal::Address));
        assert_eq!(check("smtp-plain://127.0.0.1:587"), Err(Refusal::Scheme));
    }
}
