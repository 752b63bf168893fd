//! `call: http` (facts/language.md §4.1): the caller's words become bytes, and its method and the
//! operator's list decide whether somebody is asked (GATE.md §1).

use crate::support::{operation, rendered};
use placet_adapters::http_call::gate;
use placet_adapters::render::Error;
use placet_adapters::{Response, Sent, output, reduce};
use placet_model::manifest::Effect;
use placet_model::request::Body;
use serde_json::{Value, json};

fn request(input: &Value) -> Result<(Value, Vec<u8>), Error> {
    let request = rendered("http.request", &Value::Null, input)?.request;
    let body = match &request.body {
        Body::Bytes(bytes) => bytes.clone(),
        Body::Empty | Body::Text(_) => Vec::new(),
    };
    Ok((request.to_view(), body))
}

fn with(extra: &Value) -> Value {
    let mut input = json!({"method": "POST", "endpoint": "https://api.example.com/v1/things"});
    for (key, value) in extra.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

fn body_of(extra: &Value) -> String {
    String::from_utf8(request(&with(extra)).unwrap().1).unwrap()
}

#[test]
fn a_read_goes_ungated_only_to_a_listed_host() {
    let listed = ["api.example.com".to_owned(), "other.example:8443".to_owned()];
    let check = |method: &str, endpoint: &str, expect: (&str, Effect)| {
        let gate = gate(&json!({"method": method, "endpoint": endpoint}), &listed).unwrap();
        assert_eq!((gate.operation, gate.effect), expect, "{method} {endpoint}");
    };
    let (read, write) = (("http.read", Effect::Read), ("http.request", Effect::Write));
    for method in ["GET", "get", "HEAD", "OPTIONS"] {
        check(method, "https://api.example.com/x?y=z", read);
        check(method, "https://API.example.com:443/x", read);
        check(method, "https://other.example:8443/", read);
        check(method, "https://other.example/", write);
        check(method, "https://evil.example/api.example.com", write);
        check(method, "https://sub.api.example.com/", write);
        check(method, "https://api.example.com.evil.example/", write);
    }
    for method in ["POST", "PUT", "PATCH"] {
        check(method, "https://api.example.com/x", write);
    }
    check("DELETE", "https://api.example.com/x", ("http.delete", Effect::Destructive));
    for bad in
        ["https://user@api.example.com/", "https://api.example.com@evil.example/", "nonsense"]
    {
        assert!(gate(&json!({"method": "GET", "endpoint": bad}), &listed).is_err(), "{bad}");
    }
    assert!(
        gate(&json!({"method": "TRACE", "endpoint": "https://api.example.com/"}), &listed).is_err()
    );
}

#[test]
fn the_effect_of_an_operation_is_the_gates() {
    for (name, effect) in [
        ("http.read", Effect::Read),
        ("http.request", Effect::Write),
        ("http.delete", Effect::Destructive),
    ] {
        assert_eq!(operation(name).effect(), effect);
    }
}

#[test]
fn json_is_written_once_in_authored_order() {
    let (view, bytes) = request(&with(&json!({"body": {"b": 1.0, "a": [1e2]}}))).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), r#"{"b":1,"a":[100]}"#);
    assert_eq!(view["headers"]["Content-Type"], "application/json");
}

#[test]
fn the_content_type_decides_how_a_body_is_written() {
    assert_eq!(body_of(&json!({"body": "text"})), "\"text\"");
    assert_eq!(
        body_of(&json!({"body": "text", "headers": {"content-type": "text/plain"}})),
        "text"
    );
    let form = json!({"body": {"a": "x&y", "b": 2}, "headers": {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}});
    assert_eq!(body_of(&form), "a=x%26y&b=2");
    let patch = json!({"body": [{"op": "test"}], "headers": {"content-type": "application/json-patch+json"}});
    assert_eq!(body_of(&patch), r#"[{"op":"test"}]"#);
    assert_eq!(body_of(&json!({"body": 7})), "7");
    assert_eq!(body_of(&json!({"body": true, "headers": {"content-type": "text/plain"}})), "true");
    assert_eq!(
        body_of(&json!({"body": "é", "headers": {"content-type": "application/vnd.x+json"}})),
        "\"é\""
    );
    assert_eq!(body_of(&json!({"body": null})), "");
    assert!(
        request(&with(&json!({"body": {"a": 1}, "headers": {"content-type": "text/csv"}})))
            .is_err()
    );
}

#[test]
fn query_values_are_encoded_null_is_left_out_and_lists_repeat_the_key() {
    let input = json!({"method": "GET", "endpoint": "https://api.example.com/x?a=1", "query": {"q": "a b&c", "n": null, "l": [1, true]}});
    assert_eq!(
        request(&input).unwrap().0["url"],
        "https://api.example.com/x?a=1&q=a%20b%26c&l=1&l=true"
    );
}

#[test]
fn line_breaks_doubled_headers_and_framing_headers_are_refused() {
    for headers in [
        json!({"X-Note": "a\r\nX-Evil: 1"}),
        json!({"X-Note\r\nX-Evil": "1"}),
        json!({"X-Note": "1", "x-note": "2"}),
        json!({"Host": "evil.example"}),
        json!({"Content-Length": "0"}),
        json!({"Transfer-Encoding": "chunked"}),
    ] {
        let refused = request(&with(&json!({ "headers": headers })));
        assert!(matches!(refused, Err(Error::Header { .. })), "{headers}");
    }
}

#[test]
fn an_endpoint_is_a_plain_absolute_url() {
    for endpoint in [
        "/relative",
        "ftp://example.com/",
        "https://user:pass@example.com/",
        "https://example.com/#frag",
        "https://example.com/\r\nHost: x",
        "https://exa mple.com/",
        "https://example.com/users/../admin",
        "https://example.com/users/%2e%2e/admin",
        "https://example.com/users\\..\\admin",
        "",
    ] {
        assert!(request(&json!({"method": "GET", "endpoint": endpoint})).is_err(), "{endpoint:?}");
    }
}

fn output_of(extra: &Value, response: &Response) -> Result<Value, reduce::Error> {
    let input = with(extra);
    let sent = Sent { input: &input, settings: &Value::Null, send_id: "" };
    output(&operation("http.request"), response, sent)
}

fn response(status: u16, media: &str, body: &[u8]) -> Response {
    let headers = vec![
        ("content-type".into(), media.into()),
        ("x-a".into(), "1".into()),
        ("x-a".into(), "2".into()),
    ];
    Response::new(status, headers, body.to_vec())
}

#[test]
fn content_is_a_value_a_text_or_base64() {
    let content =
        |media: &str, body: &[u8]| output_of(&json!({}), &response(200, media, body)).unwrap();
    assert_eq!(content("application/json; charset=utf-8", br#"{"a":1}"#), json!({"a": 1}));
    assert_eq!(content("application/problem+json", b"[1]"), json!([1]));
    assert_eq!(content("text/html", b"<p>"), json!("<p>"));
    assert_eq!(content("application/xml", b"<p/>"), json!("<p/>"));
    assert_eq!(content("application/octet-stream", b"\xff"), json!("/w=="));
    assert_eq!(content("text/plain", b"\xff"), json!("/w=="));
    assert_eq!(content("application/json", b""), Value::Null);
}

#[test]
fn raw_is_base64_and_response_is_an_object_without_credentials() {
    let answer = response(201, "application/json", b"{}");
    assert_eq!(output_of(&json!({"output": "raw"}), &answer).unwrap(), json!("e30="));
    let whole = output_of(
        &json!({"output": "response", "headers": {"X-Api-Key": "k", "X-B": "b"}}),
        &answer,
    )
    .unwrap();
    assert_eq!(
        whole,
        json!({
            "request": {
                "method": "POST",
                "uri": "https://api.example.com/v1/things",
                "headers": {"x-api-key": "‹redacted›", "x-b": "b"},
            },
            "statusCode": 201,
            "headers": {"content-type": "application/json", "x-a": "1, 2"},
            "content": {},
        })
    );
}

#[test]
fn a_status_outside_the_good_range_is_a_fault_of_the_task() {
    let status =
        |extra: Value, status: u16| match output_of(&extra, &response(status, "text/plain", b"")) {
            Ok(_) => None,
            Err(reduce::Error::Status { status }) => Some(status),
            Err(other) => panic!("{other}"),
        };
    assert_eq!(status(json!({}), 204), None);
    assert_eq!(status(json!({}), 302), Some(302));
    assert_eq!(status(json!({"redirect": true}), 302), None);
    assert_eq!(status(json!({"redirect": true}), 404), Some(404));
}
