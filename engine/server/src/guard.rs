//! What every request passes and every answer carries: the Host header is ours (DNS rebinding), what
//! changes something comes from our own pages or from no page (CSRF), bodies are bounded, and
//! answers are neither sniffed, framed, cached nor allowed to load anything, but for what a page of
//! the console needs of its own origin ([`Dress`]).

use crate::app::App;
use crate::caller::one;
use crate::extract::{BODY_BYTES_MAX, too_large};
use crate::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::sync::Arc;

/// The port that a Host header may leave out.
const HTTP_PORT: u16 = 80;

const ANSWER_HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // under `no-referrer` a form of our own would come with `Origin: null`
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// What an answer of the console is, where it is no JSON; laid into the answer by whoever makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dress {
    /// A page: loads our own assets, sends forms to us.
    Page,
    /// A document of somebody else's, shown in a frame of ours: runs, sends and loads nothing.
    Frame,
    /// What pages load; its address changes with its bytes.
    Asset,
}

impl Dress {
    /// The headers in which it differs.
    const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Page => &[(
                "content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                 connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; \
                 frame-ancestors 'none'",
            )],
            Self::Frame => &[
                (
                    "content-security-policy",
                    "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                     form-action 'none'; frame-ancestors 'self'",
                ),
                ("x-frame-options", "SAMEORIGIN"),
            ],
            Self::Asset => &[("cache-control", "public, max-age=31536000, immutable")],
        }
    }
}

/// The outermost layer.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let checked = check(Ours { address: app.address, hosts: &app.hosts }, &request);
    guarded(checked, request, next).await
}

/// The outermost layer of what other services post to: they have no page and no session of ours.
pub(crate) async fn host_only(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let checked = host(Ours { address: app.address, hosts: &app.hosts }, &request);
    guarded(checked, request, next).await
}

async fn guarded(checked: Result<(), Problem>, request: Request, next: Next) -> Response {
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let dress = response.extensions().get::<Dress>().map_or(&[][..], |dress| dress.headers());
    for (name, value) in ANSWER_HEADERS.iter().chain(dress) {
        let name = HeaderName::from_static(name);
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn check(ours: Ours<'_>, request: &Request) -> Result<(), Problem> {
    host(ours, request)?;
    let headers = request.headers();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        same_origin(ours, headers)?;
        small_enough(headers)?;
    }
    Ok(())
}

fn host(ours: Ours<'_>, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let host = one(headers, header::HOST.as_str())?
        .ok_or_else(|| Problem::malformed("the Host header is missing"))?;
    let target = request.uri().authority().map(axum::http::uri::Authority::as_str);
    if !ours.is(host) || target.is_some_and(|target| !ours.is(target)) {
        return Err(Problem::new("PL4015", "the Host header names another host"));
    }
    Ok(())
}

/// Whether a request that changes something comes from our own pages, or from no page at all.
fn same_origin(ours: Ours<'_>, headers: &HeaderMap) -> Result<(), Problem> {
    let foreign = || Err(Problem::new("PL4015", "the request comes from a page of another origin"));
    if let Some(origin) = one(headers, header::ORIGIN.as_str())? {
        let plain = origin.strip_prefix("http://").is_some_and(|host| ours.is(host));
        // a proxy that ends TLS stands before the names that were listed, never before loopback
        let behind = origin.strip_prefix("https://").is_some_and(|host| ours.is_listed(host));
        return if plain || behind { Ok(()) } else { foreign() };
    }
    match one(headers, "sec-fetch-site")? {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => foreign(),
    }
}

/// A body that says it is too large is not even begun.
fn small_enough(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(length) = one(headers, header::CONTENT_LENGTH.as_str())? else { return Ok(()) };
    match length.parse::<usize>() {
        Ok(length) if length <= BODY_BYTES_MAX => Ok(()),
        Ok(_) | Err(_) => Err(too_large()),
    }
}

/// The names under which we are reached.
#[derive(Debug, Clone, Copy)]
struct Ours<'a> {
    address: SocketAddr,
    hosts: &'a [String],
}

impl Ours<'_> {
    fn is(self, host: &str) -> bool {
        is_ours(self.address, host) || self.is_listed(host)
    }

    fn is_listed(self, host: &str) -> bool {
        self.hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host))
    }
}

/// Whether `host` (with its port) is one of this machine's names for us.
fn is_ours(address: SocketAddr, host: &str) -> bool {
    let named = |host: &str| {
        host.eq_ignore_ascii_case("localhost")
            || host == "127.0.0.1"
            || host == "[::1]"
            || (address.is_ipv4()
                && !address.ip().is_unspecified()
                && host == address.ip().to_string())
    };
    match host.strip_suffix(&format!(":{}", address.port())) {
        Some(host) => named(host),
        None => address.port() == HTTP_PORT && named(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_with_our_port_are_ours() {
        let address: SocketAddr = "127.0.0.1:7480".parse().unwrap();
        for ours in ["127.0.0.1:7480", "localhost:7480", "LOCALHOST:7480", "[::1]:7480"] {
            assert!(is_ours(address, ours), "{ours}");
        }
        for foreign in [
            "",
            "localhost",
            "127.0.0.1",
            "localhost:7481",
            "evil.example:7480",
            "localhost.:7480",
            "localhost.evil.example:7480",
            "evil.example@localhost:7480",
            "127.0.0.1:7480:7480",
            "127.0.0.2:7480",
            "localhost:07480",
        ] {
            assert!(!is_ours(address, foreign), "{foreign}");
        }
        let all: SocketAddr = "0.0.0.0:7480".parse().unwrap();
        assert!(!is_ours(all, "0.0.0.0:7480"));
        let plain: SocketAddr = "127.0.0.1:80".parse().unwrap();
        assert!(is_ours(plain, "localhost") && is_ours(plain, "localhost:80"));
    }

    #[test]
    fn listed_names_are_ours_whole_and_over_tls_too() {
        let hosts = ["placet.example.com".to_owned(), "other.example:8443".to_owned()];
        let ours = Ours { address: "0.0.0.0:7480".parse().unwrap(), hosts: &hosts };
        for host in ["placet.example.com", "PLACET.example.com", "other.example:8443"] {
            assert!(ours.is(host), "{host}");
        }
        for host in ["example.com", "a.placet.example.com", "placet.example.com:1", "other.example"]
        {
            assert!(!ours.is(host), "{host}");
        }
        let from = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            same_origin(ours, &headers).is_ok()
        };
        assert!(from("https://placet.example.com") && from("http://127.0.0.1:7480"));
        assert!(!from("https://127.0.0.1:7480") && !from("https://evil.example"));
    }
}
