//! Where tokens are asked for, and whether the operator lets them be (GATE.md §1).

use super::Error;
use placet_model::plan::Authentication;
use serde_json::Value;
use url::Url;

/// The token endpoint: a URL, or a path below the authority.
///
/// # Errors
/// Neither gives a plain absolute URL.
pub fn endpoint(authority: &str, path: &str) -> Result<Url, Error> {
    if path.contains("://") {
        return checked(path);
    }
    checked(&format!("{}/{}", authority.trim_end_matches('/'), path.trim_start_matches('/')))
}

/// Where an `OpenID` provider describes itself.
///
/// # Errors
/// The authority is no plain absolute URL.
pub fn discovery_url(authority: &str) -> Result<Url, Error> {
    endpoint(authority, "/.well-known/openid-configuration")
}

fn checked(url: &str) -> Result<Url, Error> {
    let refuse = |reason| Error::Server { url: url.to_owned(), reason };
    let checked = crate::render::checked_url(url).map_err(|_plain| refuse("it is no plain URL"))?;
    if checked.query().is_some() { Err(refuse("it has a query")) } else { Ok(checked) }
}

/// The token endpoint of a provider's description, which must be of an issuer that is accepted
/// (<https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation>).
///
/// # Errors
/// Another issuer; no token endpoint.
pub fn discovered(authority: &str, issuers: &[String], body: &Value) -> Result<Url, Error> {
    let host = checked(authority)?.host_str().unwrap_or_default().to_owned();
    let refuse = |reason| Error::Discovery { host: host.clone(), reason };
    let issuer = body["issuer"].as_str().ok_or_else(|| refuse("it names no issuer"))?;
    let same = |accepted: &str| accepted.trim_end_matches('/') == issuer.trim_end_matches('/');
    let accepted =
        if issuers.is_empty() { same(authority) } else { issuers.iter().any(|one| same(one)) };
    if !accepted {
        return Err(refuse("its issuer is another one than expected"));
    }
    let token =
        body["token_endpoint"].as_str().ok_or_else(|| refuse("it has no token endpoint"))?;
    checked(token)
}

/// Whether a URL is at one of these hosts, each `host` (any port) or `host:port`.
pub fn is_listed(url: &Url, hosts: &[String]) -> bool {
    let host = url.host_str().unwrap_or_default();
    let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
    hosts.iter().any(|listed| {
        let listed = listed.to_ascii_lowercase();
        listed == host || Some(&listed) == with_port.as_ref()
    })
}

/// Whether tokens may be asked for where this authentication says. What a provider's description or
/// a stored secret says is known only when it is read, and is checked then.
///
/// # Errors
/// The host that the operator would have to list.
pub fn listed(authentication: &Authentication, hosts: &[String]) -> Result<(), Error> {
    let (Authentication::OAuth2(spec) | Authentication::Oidc(spec)) = authentication else {
        return Ok(());
    };
    let url = match &spec.token_endpoint {
        Some(path) => endpoint(&spec.authority, path)?,
        None => discovery_url(&spec.authority)?,
    };
    if is_listed(&url, hosts) {
        return Ok(());
    }
    Err(Error::NotListed { host: url.host_str().unwrap_or_default().to_owned() })
}
