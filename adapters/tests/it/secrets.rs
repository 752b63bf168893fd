//! `$secrets.NAME` and `$authorization.parameter` in headers, query and body (facts/language.md §3):
//! holes of the approved bytes, marked by the plan and by nothing else.
//!
//! covers: S13

use crate::support::{SEND_ID, draft_time, given, operation, rendered};
use placet_adapters::render::Error;
use placet_adapters::secrets::{self, Denied};
use placet_adapters::{
    FillError, FillHoles, FilledRequest, Response, SecretText, Sent, WantedHole, fill, http_call,
    oauth, output, render,
};
use placet_model::fault::FaultKind;
use placet_model::plan::{Authentication, ClientAuthentication, Grant, OAuth2, TokenEncoding};
use placet_model::project::SecretBinding;
use placet_model::request::{Body, PreparedRequest};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A secret that every way of writing must take care of.
const SECRET: &str = "a\"b\\c&d=e f/é+%";

#[derive(Debug)]
struct One(&'static str);

impl FillHoles for One {
    fn fill(&self, _wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        Ok(SecretText::new(self.0))
    }
}

fn request(input: &Value) -> Result<PreparedRequest, Error> {
    rendered("http.request", &Value::Null, input).map(|rendered| rendered.request)
}

fn post(parts: &Value) -> Value {
    let mut input = json!({"method": "POST", "endpoint": "https://api.example.com/v1"});
    for (key, part) in parts.as_object().unwrap() {
        input[key] = part.clone();
    }
    input
}

fn filled(parts: &Value, secret: &'static str) -> FilledRequest {
    fill(&request(&post(parts)).unwrap(), None, &One(secret), draft_time()).unwrap()
}

fn holes(request: &PreparedRequest) -> Vec<String> {
    request.holes().iter().map(ToString::to_string).collect()
}

#[test]
fn a_secret_in_a_header_a_query_and_a_body_is_a_hole_there() {
    let input = post(&json!({
        "headers": {"X-Key": "‹secret:k›"}, "query": {"a": 1, "key": "‹secret:q›", "z": 2},
        "body": {"auth": ["x", {"token": "‹secret:b›"}], "n": 1.0},
        "holes": {"/headers/X-Key": {"secret": "k"}, "/query/key": {"secret": "q"}, "/body/auth/1/token": {"secret": "b"}},
    }));
    let request = request(&input).unwrap();
    assert_eq!(holes(&request), ["‹secret:q›", "‹secret:k›", "‹secret:b›"]);
    assert_eq!(request.url.to_string(), "https://api.example.com/v1?a=1&z=2&key=‹secret:q›");
    assert_eq!(request.header("x-key").unwrap().to_string(), "‹secret:k›");
    let Body::Text(body) = &request.body else { panic!("the body has a hole") };
    assert_eq!(body.to_string(), r#"{"auth":["x",{"token":"‹secret:b›"}],"n":1}"#);
    assert_eq!(PreparedRequest::from_bytes(&request.to_bytes()).unwrap(), request);
}

#[test]
fn a_secret_stays_one_value_wherever_it_is_filled_in() {
    let token = json!({"/body/token": {"secret": "s"}});
    let json_body = filled(&json!({"body": {"token": "", "b": 1}, "holes": token}), SECRET);
    let read: Value = serde_json::from_slice(&json_body.body).unwrap();
    assert_eq!(read, json!({"token": SECRET, "b": 1}));
    let media = json!({"Content-Type": "application/x-www-form-urlencoded"});
    let form = filled(
        &json!({"body": {"a": "x", "token": "", "z": [1]}, "headers": media, "holes": token}),
        SECRET,
    );
    let text = format!("https://x.example/?{}", String::from_utf8(form.body).unwrap());
    let pairs: Vec<(String, String)> =
        url::Url::parse(&text).unwrap().query_pairs().map(|(k, v)| (k.into(), v.into())).collect();
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    assert_eq!(pairs, [pair("a", "x"), pair("token", SECRET), pair("z[0]", "1")]);
    let pairs = filled(
        &json!({"body": [["t", "1"], ["t", ""]], "headers": media, "holes": {"/body/1/1": {"secret": "s"}}}),
        "s&t",
    );
    assert_eq!(pairs.body, b"t=1&t=s%26t");
    let query =
        filled(&json!({"query": {"key": ""}, "holes": {"/query/key": {"secret": "s"}}}), SECRET);
    let url = url::Url::parse(query.url.expose()).unwrap();
    assert_eq!(url.query_pairs().collect::<Vec<_>>(), [("key".into(), SECRET.into())]);
    let text = filled(
        &json!({"body": "", "headers": {"content-type": "text/plain"}, "holes": {"/body": {"secret": "s"}}}),
        SECRET,
    );
    assert_eq!(text.body, SECRET.as_bytes());
    let header = filled(
        &json!({"headers": {"X-Key": ""}, "holes": {"/headers/X-Key": {"secret": "s"}}}),
        "s3cret",
    );
    assert_eq!(
        header.headers.iter().find(|(name, _)| name == "X-Key").unwrap().1.expose(),
        "s3cret"
    );
}

#[test]
fn a_secret_with_a_line_break_is_filled_in_nowhere() {
    for parts in [
        json!({"headers": {"X": ""}, "holes": {"/headers/X": {"secret": "s"}}}),
        json!({"query": {"x": ""}, "holes": {"/query/x": {"secret": "s"}}}),
        json!({"body": {"x": ""}, "holes": {"/body/x": {"secret": "s"}}}),
    ] {
        let request = request(&post(&parts)).unwrap();
        let error = fill(&request, None, &One("s3cret\r\nX-Evil: 1"), draft_time()).unwrap_err();
        assert!(
            matches!(error, FillError::Unusable { .. }) && !error.to_string().contains("s3cret")
        );
    }
}

#[test]
fn text_that_looks_like_a_hole_stays_text() {
    let marks =
        ["‹secret:k›", "‹authorization›", "{\"secret\":\"k\"}", "$secrets.k", "${ $secrets.k }"];
    for text in marks {
        let parts = json!({"query": {"q": text}, "body": {"t": text, "holes": {"/body/t": {"secret": "k"}}}});
        let request = request(&post(&parts)).unwrap();
        assert_eq!(holes(&request), Vec::<String>::new(), "{text}");
        let filled = fill(&request, None, &One("s3cret"), draft_time()).unwrap();
        let body: Value = serde_json::from_slice(&filled.body).unwrap();
        assert_eq!(body, parts["body"]);
        assert!(!filled.url.expose().contains("s3cret"));
    }
}

#[test]
fn a_mark_without_a_place_is_refused_and_none_is_ever_lost() {
    for parts in [
        json!({"holes": {"/body/token": {"secret": "k"}}}),
        json!({"body": {"token": 1}, "holes": {"/body/token": {"secret": "k"}}}),
        json!({"headers": {"X": null}, "holes": {"/headers/X": {"secret": "k"}}}),
        json!({"query": {"x": ["a"]}, "holes": {"/query/x/0": {"secret": "k"}}}),
        json!({"body": {"a": {"b": "x"}}, "headers": {"Content-Type": "application/x-www-form-urlencoded"}, "holes": {"/body/a/b": {"secret": "k"}}}),
        json!({"body": "x", "headers": {"Content-Type": "application/x-www-form-urlencoded"}, "holes": {"/body": {"secret": "k"}}}),
        json!({"body": {"a": "x"}, "headers": {"Content-Type": ""}, "holes": {"/headers/Content-Type": {"secret": "k"}}}),
        json!({"headers": {"X": "x"}, "holes": {"/headers/X": "authorization"}}),
    ] {
        let error = request(&post(&parts)).unwrap_err();
        assert_eq!(error.fault_kind(), FaultKind::Validation, "{parts}: {error}");
    }
    for holes in [
        json!({"/endpoint": {"secret": "k"}}),
        json!({"/headers/X": {"secret": "a b"}}),
        json!({"/headers/X": "other"}),
        json!(["k"]),
    ] {
        let refused = request(&post(&json!({"headers": {"X": "x"}, "holes": holes})));
        assert!(matches!(refused, Err(Error::Input { .. })), "{holes}");
    }
}

#[test]
fn the_calls_own_authorization_can_be_used_again() {
    let settings = json!({});
    let check = |authentication: &Authentication, scheme: &str, hole: &str| {
        let input =
            post(&json!({"body": {"t": "‹authorization›"}, "holes": {"/body/t": "authorization"}}));
        let mut given = given(&settings, &input);
        given.authentication = Some(authentication);
        let request = render(&operation("http.request"), given).unwrap().request;
        assert_eq!(http_call::scheme(authentication), scheme);
        assert_eq!(
            request.header("authorization").unwrap().to_string(),
            format!("{scheme} {hole}")
        );
        assert_eq!(holes(&request), [hole, hole]);
    };
    check(&Authentication::Bearer { token: "t".into() }, "Bearer", "‹secret:t›");
    check(
        &Authentication::Basic { username: "u".into(), password: "p".into() },
        "Basic",
        "‹basic:u:p›",
    );
    check(
        &Authentication::Stored { scheme: "basic".into(), secret: "pair".into() },
        "Basic",
        "‹basic:pair›",
    );
}

#[test]
fn a_secret_goes_to_the_hosts_that_it_is_bound_to_and_to_no_other() {
    let binding = |host: &str| SecretBinding { env: "E".into(), hosts: vec![host.into()] };
    let bindings = BTreeMap::from([
        ("k".to_owned(), binding("api.example.com")),
        ("o".to_owned(), binding("other.example")),
    ]);
    let check = |secret: &str, endpoint: &str| {
        let input = json!({"method": "POST", "endpoint": endpoint, "query": {"x": ""}, "holes": {"/query/x": {"secret": secret}}});
        secrets::check(&request(&input).unwrap(), &bindings)
    };
    assert_eq!(check("k", "https://api.example.com/v1"), Ok(()));
    assert_eq!(check("k", "https://API.example.com:8443/v1"), Ok(()));
    for elsewhere in [
        "https://evil.example/",
        "https://api.example.com.evil.example/",
        "https://sub.api.example.com/",
    ] {
        let denied = check("k", elsewhere).unwrap_err();
        assert!(matches!(denied, Denied::Host { .. }), "{elsewhere}");
        assert_eq!(denied.fault_kind(), FaultKind::Authorization);
        assert_eq!(denied.fault_kind().status(), 403);
    }
    let words = check("missing", "https://api.example.com/").unwrap_err().to_string();
    assert_eq!(
        words,
        "the secret missing is not configured: write [secrets.missing] with `env` and `hosts` into placet.toml"
    );
    let words = check("o", "https://api.example.com/").unwrap_err().to_string();
    assert_eq!(
        words,
        "the secret o may not go to api.example.com: list it under `hosts` of [secrets.o] in placet.toml"
    );
}

#[test]
fn the_response_object_names_the_url_and_shows_no_secret() {
    let input = post(&json!({
        "output": "response", "query": {"a": "x y", "key": "‹secret:q›"}, "headers": {"X-One": "‹secret:k›", "X-Two": "2"},
        "holes": {"/query/key": {"secret": "q"}, "/headers/X-One": {"secret": "k"}},
    }));
    let sent = Sent { input: &input, settings: &Value::Null, send_id: SEND_ID };
    let whole =
        output(&operation("http.request"), &Response::new(200, vec![], vec![]), sent).unwrap();
    assert_eq!(
        whole["request"],
        json!({
            "method": "POST", "uri": "https://api.example.com/v1?a=x%20y&key=‹secret:q›",
            "headers": {"x-one": "‹redacted›", "x-two": "2"},
        })
    );
}

fn machine(token_endpoint: Option<&str>) -> OAuth2 {
    OAuth2 {
        authority: "https://login.example/realm".into(),
        grant: Grant::ClientCredentials,
        token_endpoint: token_endpoint.map(str::to_owned),
        client: Some("placet".into()),
        client_secret: Some("k".into()),
        client_authentication: ClientAuthentication::default(),
        encoding: TokenEncoding::default(),
        issuers: vec![],
        scopes: vec!["read".into()],
        audiences: vec![],
    }
}

fn with_token(authentication: &Authentication) -> PreparedRequest {
    let (settings, input) =
        (json!({}), json!({"method": "GET", "endpoint": "https://api.example.com/x"}));
    let mut given = given(&settings, &input);
    given.authentication = Some(authentication);
    render(&operation("http.request"), given).unwrap().request
}

#[test]
fn an_approval_binds_how_a_token_is_obtained_and_no_token() {
    let spec = machine(Some("/token"));
    let request = |spec: &OAuth2| with_token(&Authentication::OAuth2(Box::new(spec.clone())));
    let first = request(&spec);
    let shown = first.header("authorization").unwrap().to_string();
    for word in
        ["Bearer ‹token:", "https://login.example/realm", "client_credentials", "placet", "read"]
    {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert_eq!(request(&spec).digest(), first.digest());
    for other in [
        OAuth2 { scopes: vec!["write".into()], ..spec.clone() },
        OAuth2 { authority: "https://login.example/other".into(), ..spec.clone() },
        OAuth2 { client_secret: Some("other".into()), ..spec.clone() },
    ] {
        assert_ne!(request(&other).digest(), first.digest());
    }
    assert_eq!(oauth::described(first.holes()[0]), Some(Authentication::OAuth2(Box::new(spec))));
    let stored = Authentication::Stored { scheme: "oidc".into(), secret: "all".into() };
    assert_eq!(oauth::described(with_token(&stored).holes()[0]), Some(stored));
}

#[test]
fn the_secret_of_a_token_is_bound_to_its_server_and_to_where_the_token_goes() {
    let check = |hosts: &[&str], authentication: &Authentication| {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let bindings = BTreeMap::from([("k".to_owned(), SecretBinding { env: "E".into(), hosts })]);
        secrets::check(&with_token(authentication), &bindings)
    };
    let denied = |host: &str| Err(Denied::Host { name: "k".into(), host: host.into() });
    for authentication in [
        Authentication::OAuth2(Box::new(machine(Some("/token")))),
        Authentication::OAuth2(Box::new(machine(Some("https://login.example/token")))),
        Authentication::Oidc(Box::new(machine(None))),
    ] {
        assert_eq!(check(&["api.example.com", "login.example"], &authentication), Ok(()));
        assert_eq!(check(&["login.example"], &authentication), denied("api.example.com"));
        assert_eq!(check(&["api.example.com"], &authentication), denied("login.example"));
    }
}

#[test]
fn tokens_are_asked_for_only_at_listed_hosts_and_the_error_says_which_to_list() {
    let listed = |hosts: &[&str]| {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        oauth::listed(&Authentication::OAuth2(Box::new(machine(Some("/token")))), &hosts)
    };
    for hosts in [["login.example"], ["login.example:443"], ["LOGIN.example"]] {
        assert_eq!(listed(&hosts), Ok(()));
    }
    for hosts in [["example"], ["login.example:8443"], ["sub.login.example"]] {
        let error = listed(&hosts).unwrap_err();
        assert_eq!(error.fault_kind(), FaultKind::Configuration);
        assert_eq!(
            error.to_string(),
            "tokens may not be asked for at login.example: add \"login.example\" to `read_hosts` of [egress] in placet.toml"
        );
    }
    let bearer = Authentication::Bearer { token: "k".into() };
    assert_eq!(oauth::listed(&bearer, &[]), Ok(()));
}
