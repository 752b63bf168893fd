//! The way to a collector of traces: `telemetry.otlp.endpoint`, or the variables of OpenTelemetry. What
//! cannot be used is said before anything starts.

use crate::env;
use crate::exit::Refused;
use anyhow::Result;
use placet_egress::control::{Control, Reply};
use placet_executor::Handle;
use placet_executor::inbox::Problem;
use placet_executor::telemetry::{Following, Post, Resource, Sent};
use placet_model::draft::Mode;
use placet_model::project::ProjectConfig;
use placet_model::{Position, code};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Below the address of a collector.
const TRACES: &str = "v1/traces";
/// The one way to speak to it that is built.
const PROTOCOL: &str = "http/json";
/// Our name where nobody says another.
const SERVICE: &str = "placet";
/// For one answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Answers that may be another one later, as OTLP lists them.
const LATER: [u16; 4] = [429, 502, 503, 504];

/// A collector.
#[derive(Debug)]
pub(crate) struct Collector {
    way: Control,
    url: String,
    headers: Headers,
    service: String,
}

/// What goes along with each request; it may hold a secret.
#[derive(Clone, PartialEq, Eq)]
struct Headers(Vec<(String, String)>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Collector {
    /// The one that the operator has named.
    pub(crate) fn of(config: &ProjectConfig, mode: Mode) -> Result<Option<Self>> {
        Self::read(config, mode, env::of)
    }

    fn read(
        config: &ProjectConfig,
        mode: Mode,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>> {
        let disabled = variable(env::OTLP_DISABLED);
        if disabled.is_some_and(|word| word.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let Some((named, url)) = place(config, &variable) else { return Ok(None) };
        if let Some(protocol) = variable(env::OTLP_PROTOCOL).filter(|word| word != PROTOCOL) {
            let detail = format!("{} is {protocol:?}", env::OTLP_PROTOCOL);
            return Err(refused("PL2413", detail));
        }
        // the address may hold a login: it is not said
        let way = Control::new(&url, None).map_err(|_no_address| {
            refused("PL2411", format!("{named} is no address such as http://127.0.0.1:4318"))
        })?;
        let base = way.base();
        if !base.username().is_empty() || base.password().is_some() {
            let detail = format!("{named} holds a login: give it in {}", env::OTLP_HEADERS);
            return Err(refused("PL2411", detail));
        }
        let host = base.host_str().unwrap_or_default();
        if mode == Mode::Sandbox && !is_here(host) {
            let detail = format!("{named} leads to {host}, and in sandbox mode nothing leaves");
            return Err(refused("PL2412", detail));
        }
        let headers = variable(env::OTLP_HEADERS).map_or(Ok(vec![]), |text| headers(&text))?;
        let service = variable(env::OTLP_SERVICE).unwrap_or_else(|| SERVICE.to_owned());
        Ok(Some(Self { url, way, headers: Headers(headers), service }))
    }

    /// Tells it what ends after this position.
    pub(crate) fn follow(self, handle: &Handle, after: Position) -> Following {
        let resource = Resource {
            service: self.service.clone(),
            project: handle.log().project().to_owned(),
            install_id: handle.log().install_id(),
        };
        let collector = Arc::new(self);
        let post: Post = Box::new(move |body| {
            let collector = Arc::clone(&collector);
            Box::pin(async move { collector.post(body).await })
        });
        Following::start(handle, after, (resource, post))
    }

    async fn post(&self, body: Vec<u8>) -> Sent {
        let headers = self.headers.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<(&str, &str)> = headers.collect();
        let answer = tokio::time::timeout(ANSWER, self.way.post(&self.url, &headers, body)).await;
        match answer {
            Err(_elapsed) => Sent::Later("it did not answer in time".to_owned()),
            Ok(Err(error)) => Sent::Later(error.to_string()),
            Ok(Ok(reply)) => judged(&reply),
        }
    }
}

/// Where it is, and who says so: the file, then the variable for traces, then the one for all.
fn place(
    config: &ProjectConfig,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<(&'static str, String)> {
    let below = |base: String| format!("{}/{TRACES}", base.trim_end_matches('/'));
    let configured = config.telemetry.otlp.endpoint.clone();
    let configured = configured.map(|base| ("telemetry.otlp.endpoint", below(base)));
    configured
        .or_else(|| Some((env::OTLP_TRACES_ENDPOINT, variable(env::OTLP_TRACES_ENDPOINT)?)))
        .or_else(|| Some((env::OTLP_ENDPOINT, below(variable(env::OTLP_ENDPOINT)?))))
}

/// What an answer means.
fn judged(reply: &Reply) -> Sent {
    match reply.status {
        200..=299 => {
            let told: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let rejected = &told["partialSuccess"]["rejectedSpans"];
            // 64 bits are text in this JSON, and some write them as a number
            let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok());
            Sent::Taken { rejected: rejected.unwrap_or(0) }
        }
        status if LATER.contains(&status) => Sent::Later(format!("it answered {status}")),
        status => Sent::Refused(format!("it answered {status}")),
    }
}

fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// `name=value,name=value`, values percent-encoded.
fn headers(text: &str) -> Result<Vec<(String, String)>> {
    let unreadable = || {
        // what stands in it may be a secret
        refused("PL2414", format!("{} is no list of name=value", env::OTLP_HEADERS))
    };
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').ok_or_else(unreadable)?;
        let (name, value) = (name.trim(), decoded(value.trim()).ok_or_else(unreadable)?);
        let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = !name.is_empty() && name.bytes().all(of_a_name);
        let is_value = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if is_name && is_value { Ok((name.to_owned(), value)) } else { Err(unreadable()) }
    });
    pairs.collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = vec![];
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn refused(name: &'static str, detail: String) -> anyhow::Error {
    let title = code::find(name).map_or("", |code| code.title).to_owned();
    Refused(Problem { code: name.to_owned(), title, detail }).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)], mode: Mode) -> Result<Option<Collector>> {
        let of = |wanted: &str| {
            let found = given.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mut config = ProjectConfig::default();
        config.telemetry.otlp.endpoint = of("file");
        Collector::read(&config, mode, of)
    }

    fn url(given: &[(&str, &str)]) -> Option<String> {
        read(given, Mode::Sandbox).unwrap().map(|collector| collector.url)
    }

    #[test]
    fn the_file_goes_before_the_variables_and_traces_before_all() {
        let here = "http://127.0.0.1:4318";
        assert_eq!(url(&[]), None);
        assert_eq!(url(&[("file", here)]), Some(format!("{here}/v1/traces")));
        let all = (env::OTLP_ENDPOINT, "http://localhost:1/below/");
        assert_eq!(url(&[all]), Some("http://localhost:1/below/v1/traces".to_owned()));
        let traces = (env::OTLP_TRACES_ENDPOINT, "http://[::1]:2/mine");
        assert_eq!(url(&[all, traces]), Some("http://[::1]:2/mine".to_owned()));
        assert_eq!(url(&[all, traces, ("file", here)]), Some(format!("{here}/v1/traces")));
        assert_eq!(url(&[("file", here), (env::OTLP_DISABLED, "true")]), None);
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_a_code_and_secrets_are_not_said() {
        let here = ("file", "http://127.0.0.1:4318");
        let away = (env::OTLP_ENDPOINT, "https://collector.example");
        for (given, code) in [
            (vec![(env::OTLP_ENDPOINT, "collector:s3cret")], "PL2411"),
            (vec![(env::OTLP_ENDPOINT, "http://user:s3cret@127.0.0.1:4318")], "PL2411"),
            (vec![away], "PL2412"),
            (vec![(env::OTLP_ENDPOINT, "http://127.0.0.1.example:4318")], "PL2412"),
            (vec![here, (env::OTLP_PROTOCOL, "grpc")], "PL2413"),
            (vec![here, (env::OTLP_HEADERS, "s3cret")], "PL2414"),
            (vec![here, (env::OTLP_HEADERS, "a=s3cret%0d%0a")], "PL2414"),
            (vec![here, (env::OTLP_HEADERS, "a b=s3cret")], "PL2414"),
        ] {
            let error = read(&given, Mode::Sandbox).unwrap_err();
            let Some(Refused(problem)) = error.downcast_ref() else { panic!("{error:?}") };
            assert_eq!(problem.code, code, "{given:?}");
            assert!(!problem.detail.contains("s3cret"), "{}", problem.detail);
        }
        assert!(read(&[away], Mode::Live).unwrap().is_some(), "live may leave");
    }

    #[test]
    fn headers_are_read_and_decoded_and_never_printed() {
        let given = [
            ("file", "http://127.0.0.1:4318"),
            (env::OTLP_HEADERS, "api-key=a%2Cb, x-team = ops ,"),
            (env::OTLP_SERVICE, "desk"),
        ];
        let collector = read(&given, Mode::Sandbox).unwrap().unwrap();
        let expected = [("api-key", "a,b"), ("x-team", "ops")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((&collector.headers.0[..], collector.service.as_str()), (&expected[..], "desk"));
        assert!(!format!("{collector:?}").contains("a,b"), "{collector:?}");
    }

    #[test]
    fn an_answer_is_taken_in_part_later_or_never() {
        let reply = |status, body: &str| Reply { status, body: body.as_bytes().to_vec() };
        let part = r#"{"partialSuccess":{"rejectedSpans":"3"}}"#;
        for (reply, sent) in [
            (reply(200, "{}"), Sent::Taken { rejected: 0 }),
            (reply(200, ""), Sent::Taken { rejected: 0 }),
            (reply(200, part), Sent::Taken { rejected: 3 }),
            (reply(503, ""), Sent::Later("it answered 503".to_owned())),
            (reply(400, ""), Sent::Refused("it answered 400".to_owned())),
            (reply(302, ""), Sent::Refused("it answered 302".to_owned())),
        ] {
            assert_eq!(judged(&reply), sent);
        }
    }
}
