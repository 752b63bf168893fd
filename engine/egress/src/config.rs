//! What the operator allows: the only way to reach anything that is not public https.

use crate::timeouts::Timeouts;
use crate::turns::TurnLimits;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Ports that public targets may have; others are listed as HOST:PORT.
const PORTS_DEFAULT: [u16; 2] = [443, 8443];
/// The same of mail servers that take mail from clients. Port 25 is where servers meet: it is listed,
/// or not spoken to.
const MAIL_PORTS_DEFAULT: [u16; 3] = [465, 587, 2525];

/// The operator's rules for outgoing calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressConfig {
    /// Targets that may be loopback, private or plain http (`--egress-allow HOST:PORT`).
    pub allow: BTreeSet<HostPort>,
    /// Ports of public https targets.
    pub ports: BTreeSet<u16>,
    /// Ports of public mail servers.
    pub mail_ports: BTreeSet<u16>,
    /// Certificates (DER) of authorities that are believed besides the machine's own.
    pub authorities: Vec<Vec<u8>>,
    /// Hosts that are asked without a vote (GATE.md §1), each `host` or `host:port`: to these a read
    /// in an author's own words is redirected, and at these tokens are asked for. For tokens the
    /// targets of `allow` count too.
    pub read_hosts: Vec<String>,
    /// How long each stage of a call may take.
    pub timeouts: Timeouts,
    /// How many calls are under way at once.
    pub turns: TurnLimits,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            allow: BTreeSet::new(),
            ports: PORTS_DEFAULT.into(),
            mail_ports: MAIL_PORTS_DEFAULT.into(),
            authorities: Vec::new(),
            read_hosts: Vec::new(),
            timeouts: Timeouts::default(),
            turns: TurnLimits::default(),
        }
    }
}

impl EgressConfig {
    /// The default rules, and these targets besides.
    pub fn allowing(allow: impl IntoIterator<Item = HostPort>) -> Self {
        Self { allow: allow.into_iter().collect(), ..Self::default() }
    }

    pub(crate) fn lists(&self, host: &str, port: u16) -> bool {
        self.allow.iter().any(|listed| listed.host == host && listed.port == port)
    }

    pub(crate) fn lists_host(&self, host: &str) -> bool {
        self.allow.iter().any(|listed| listed.host == host)
    }
}

/// One listed target, in the spelling that URLs are normalised to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// Host in lower case; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether this names this very machine and nothing else.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        self.host == "localhost"
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Text that is no HOST:PORT.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no HOST:PORT such as 127.0.0.1:9000, localhost:9000 or [::1]:9000")]
pub struct ParseHostPortError {
    text: String,
}

impl FromStr for HostPort {
    type Err = ParseHostPortError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseHostPortError { text: text.to_owned() };
        let (_, port) = text.rsplit_once(':').ok_or_else(error)?;
        let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(error)?;
        if text.contains(['/', '@', '?', '#', '\\', ' ']) {
            return Err(error());
        }
        let url = url::Url::parse(&format!("http://{text}/")).ok().ok_or_else(error)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(error)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_normalised_as_urls_are() {
        let read = |text: &str| text.parse::<HostPort>().map(|target| target.to_string());
        assert_eq!(read("LocalHost:9000").as_deref(), Ok("localhost:9000"));
        assert_eq!(read("127.1:80").as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(read("[0::1]:8080").as_deref(), Ok("[::1]:8080"));
        for bad in [
            "",
            "localhost",
            "localhost:0",
            "localhost:99999",
            ":80",
            "http://x:80",
            "a@b:80",
            "x:80/y",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn loopback_is_this_machine_only() {
        let loopback = |text: &str| text.parse::<HostPort>().unwrap().is_loopback();
        assert!(
            loopback("127.0.0.1:1")
                && loopback("localhost:1")
                && loopback("[::1]:1")
                && loopback("127.9.9.9:1")
        );
        assert!(
            !loopback("10.0.0.1:1")
                && !loopback("example.com:1")
                && !loopback("localhost.example:1")
        );
    }
}
