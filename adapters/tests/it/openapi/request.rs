//! An operation and values become the `with` of a `call: http`, and through it the bytes.

use super::{resolved, three, two, with, with_secrets};
use crate::support::rendered;
use placet_adapters::openapi::Error;
use placet_model::fault::FaultKind;
use placet_model::request::Body;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The bytes: method, URL, headers, body.
fn sent(with: &Value) -> (String, Value, String) {
    let request = rendered("http.request", &Value::Null, with).unwrap().request;
    let body = match &request.body {
        Body::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Body::Empty => String::new(),
        Body::Text(text) => text.to_string(),
    };
    (request.url.to_string(), request.to_view()["headers"].clone(), body)
}

/// The URL of an operation with this one parameter `p`, after `https://api.example/v1/`.
fn url(document: &Value, value: &Value) -> String {
    let (url, ..) = sent(&with(document, &json!({ "p": value })).unwrap());
    url.strip_prefix("https://api.example/v1/").unwrap().to_owned()
}

fn one(parameter: &Value) -> Value {
    let mut parameter = parameter.clone();
    parameter["name"] = json!("p");
    let path = if parameter["in"] == "path" { "/a/{p}/b" } else { "/a" };
    three("get", path, &json!({ "parameters": [parameter] }))
}

#[test]
fn every_style_of_a_path_is_written_as_the_specification_shows() {
    let values =
        [json!("blue"), json!(["blue", "black", "brown"]), json!({"R": 100, "G": 200, "B": 150})];
    for (style, explode, expect) in [
        ("simple", false, ["blue", "blue,black,brown", "R,100,G,200,B,150"]),
        ("simple", true, ["blue", "blue,black,brown", "R=100,G=200,B=150"]),
        ("label", false, [".blue", ".blue,black,brown", ".R,100,G,200,B,150"]),
        ("label", true, [".blue", ".blue.black.brown", ".R=100.G=200.B=150"]),
        ("matrix", false, [";p=blue", ";p=blue,black,brown", ";p=R,100,G,200,B,150"]),
        ("matrix", true, [";p=blue", ";p=blue;p=black;p=brown", ";R=100;G=200;B=150"]),
    ] {
        let document =
            one(&json!({"in": "path", "required": true, "style": style, "explode": explode}));
        for (value, expect) in values.iter().zip(expect) {
            assert_eq!(url(&document, value), format!("a/{expect}/b"), "{style} {explode}");
        }
    }
}

#[test]
fn every_style_of_a_query_is_written_as_the_specification_shows() {
    let list = json!(["blue", "black"]);
    let object = json!({"R": 100, "G": 200});
    for (style, explode, of_list, of_object) in [
        ("form", true, "p=blue&p=black", "R=100&G=200"),
        ("form", false, "p=blue,black", "p=R,100,G,200"),
        ("spaceDelimited", false, "p=blue%20black", "p=R%20100%20G%20200"),
        ("pipeDelimited", false, "p=blue%7Cblack", "p=R%7C100%7CG%7C200"),
        ("spaceDelimited", true, "p=blue&p=black", "R=100&G=200"),
    ] {
        let document = one(&json!({"in": "query", "style": style, "explode": explode}));
        assert_eq!(url(&document, &json!("a b")), "a?p=a%20b", "{style}");
        assert_eq!(url(&document, &list), format!("a?{of_list}"), "{style}");
        assert_eq!(url(&document, &object), format!("a?{of_object}"), "{style}");
    }
    let deep = one(&json!({"in": "query", "style": "deepObject"}));
    assert_eq!(
        url(&deep, &json!({"R": 1, "G": [2, 3], "n": null})),
        "a?p%5BR%5D=1&p%5BG%5D=2&p%5BG%5D=3"
    );
    let json = one(&json!({"in": "query", "content": {"application/json": {}}}));
    assert_eq!(url(&json, &json!({"a": [1]})), "a?p=%7B%22a%22%3A%5B1%5D%7D");
}

#[test]
fn a_comma_in_a_value_can_be_told_from_a_comma_between_values() {
    let document = one(&json!({"in": "query", "explode": false}));
    assert_eq!(url(&document, &json!(["a,b", "c&d"])), "a?p=a%2Cb,c%26d");
    let document = one(&json!({"in": "path", "required": true}));
    assert_eq!(url(&document, &json!(["a,b", "c"])), "a/a%2Cb,c/b");
}

#[test]
fn collection_formats_of_2_0_join_their_items() {
    for (format, expect) in [
        (json!("csv"), "p=a,b"),
        (Value::Null, "p=a,b"),
        (json!("ssv"), "p=a%20b"),
        (json!("tsv"), "p=a%09b"),
        (json!("pipes"), "p=a%7Cb"),
        (json!("multi"), "p=a&p=b"),
    ] {
        let parameter =
            json!({"name": "p", "in": "query", "type": "array", "collectionFormat": format});
        let document = two("get", "/a", &json!({ "parameters": [parameter] }));
        assert_eq!(url(&document, &json!(["a", "b"])), format!("a?{expect}"));
    }
}

#[test]
fn headers_and_cookies_get_their_values_and_asking_for_json_is_said() {
    let document = three(
        "get",
        "/a",
        &json!({
            "parameters": [
                {"name": "X-List", "in": "header"}, {"name": "X-Map", "in": "header", "explode": true},
                {"name": "session", "in": "cookie"}, {"name": "theme", "in": "cookie"},
            ],
            "responses": {"200": {"content": {"text/html": {}, "application/json": {}}}},
        }),
    );
    let given = json!({"X-List": [1, 2], "X-Map": {"a": true}, "session": "a;b", "theme": "dark"});
    let (_, headers, _) = sent(&with(&document, &given).unwrap());
    assert_eq!(
        headers,
        json!({
            "X-List": "1,2", "X-Map": "a=true", "Cookie": "session=a%3Bb; theme=dark", "Accept": "application/json",
        })
    );
}

#[test]
fn a_line_break_in_a_header_parameter_is_refused_when_the_bytes_are_made() {
    let document = three("get", "/a", &json!({"parameters": [{"name": "X-A", "in": "header"}]}));
    let with = with(&document, &json!({"X-A": "1\r\nX-Evil: 1"})).unwrap();
    assert!(rendered("http.request", &Value::Null, &with).is_err());
}

#[test]
fn the_body_of_3_x_is_called_body_and_that_of_2_0_has_its_own_name() {
    let pet = json!({"name": "Rex", "n": 1.0});
    let document = three(
        "post",
        "/a",
        &json!({"requestBody": {"content": {"application/xml": {}, "application/json": {}}}}),
    );
    let (_, headers, body) = sent(&with(&document, &json!({ "body": pet })).unwrap());
    assert_eq!(
        (headers["Content-Type"].as_str(), body.as_str()),
        (Some("application/json"), r#"{"name":"Rex","n":1}"#)
    );
    let document = two(
        "post",
        "/a",
        &json!({"consumes": ["application/vnd.x+json"], "parameters": [{"name": "pet", "in": "body", "required": true}]}),
    );
    let (_, headers, body) = sent(&with(&document, &json!({ "pet": pet })).unwrap());
    assert_eq!(
        (headers["Content-Type"].as_str(), body.as_str()),
        (Some("application/vnd.x+json"), r#"{"name":"Rex","n":1}"#)
    );
    assert_eq!(
        with(&document, &json!({ "body": pet })).unwrap_err(),
        Error::UnknownParameter { name: "body".into(), near: None }
    );
}

#[test]
fn a_body_is_written_in_a_media_type_that_the_operation_takes() {
    let send = |media: Value, body: Value| {
        let document = three("post", "/a", &json!({"requestBody": {"content": media}}));
        with(&document, &json!({ "body": body })).map(|with| sent(&with))
    };
    let (_, headers, body) = send(
        json!({"application/x-www-form-urlencoded": {}}),
        json!({"a": "x&y", "l": [1, 2], "o": {"k": true}, "n": null}),
    )
    .unwrap();
    assert_eq!(headers["Content-Type"], "application/x-www-form-urlencoded");
    assert_eq!(body, "a=x%26y&l=1&l=2&o%5Bk%5D=true");
    let indexed = json!({"application/x-www-form-urlencoded": {"encoding": {"l": {"style": "deepObject", "explode": true}}}});
    assert_eq!(send(indexed, json!({"l": [1, 2]})).unwrap().2, "l%5B0%5D=1&l%5B1%5D=2");
    let (_, headers, body) = send(json!({"text/csv": {}}), json!("a,b\n1,2")).unwrap();
    assert_eq!((headers["Content-Type"].as_str(), body.as_str()), (Some("text/csv"), "a,b\n1,2"));
    assert_eq!(send(json!({"*/*": {}}), json!([1])).unwrap().1["Content-Type"], "application/json");
    assert_eq!(send(json!({"application/json": {}}), json!("text")).unwrap().2, "\"text\"");
    assert!(matches!(send(json!({"text/csv": {}}), json!({"a": 1})), Err(Error::Value { .. })));
}

#[test]
fn a_body_of_parts_has_equal_bytes_for_equal_values_and_cannot_be_split() {
    let document =
        three("post", "/a", &json!({"requestBody": {"content": {"multipart/form-data": {}}}}));
    let send = |body: Value| sent(&with(&document, &json!({ "body": body })).unwrap());
    let (_, headers, body) =
        send(json!({"to": "a@b.example", "tag": ["x", "y"], "meta": {"k": 1}, "q\"\r\n": "z"}));
    let media = headers["Content-Type"].as_str().unwrap();
    let boundary = media.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert_eq!(
        body.replace(boundary, "B"),
        "--B\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\na@b.example\r\n\
        --B\r\nContent-Disposition: form-data; name=\"tag\"\r\n\r\nx\r\n\
        --B\r\nContent-Disposition: form-data; name=\"tag\"\r\n\r\ny\r\n\
        --B\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"k\":1}\r\n\
        --B\r\nContent-Disposition: form-data; name=\"q%22%0D%0A\"\r\n\r\nz\r\n--B--\r\n"
    );
    assert_eq!(send(json!({"to": "x"})), send(json!({"to": "x"})));
    assert_ne!(send(json!({"to": "x"})).2, send(json!({"to": "y"})).2);
}

#[test]
fn form_fields_of_2_0_are_the_body() {
    let fields = json!([{"name": "a", "in": "formData"}, {"name": "l", "in": "formData", "collectionFormat": "multi"}, {"name": "c", "in": "formData"}]);
    let document = two("post", "/a", &json!({ "parameters": fields }));
    let given = json!({"a": "x&y", "l": [1, 2], "c": ["p", "q"]});
    let (_, headers, body) = sent(&with(&document, &given).unwrap());
    assert_eq!(headers["Content-Type"], "application/x-www-form-urlencoded");
    assert_eq!(body, "a=x%26y&l=1&l=2&c=p%2Cq");
    let document =
        two("post", "/a", &json!({"consumes": ["multipart/form-data"], "parameters": fields}));
    let (_, headers, body) = sent(&with(&document, &json!({"a": "x"})).unwrap());
    assert!(
        headers["Content-Type"].as_str().unwrap().starts_with("multipart/form-data; boundary=")
    );
    assert!(body.contains("name=\"a\"\r\n\r\nx\r\n"));
    assert_eq!(sent(&with(&document, &json!({})).unwrap()).2, "");
}

#[test]
fn unknown_missing_and_unwritable_values_are_validation_errors_that_name_the_parameter() {
    let document = three(
        "post",
        "/a/{id}",
        &json!({
            "parameters": [{"name": "status", "in": "query", "required": true}],
            "requestBody": {"required": true, "content": {"application/json": {}}},
        }),
    );
    let refused = |given: Value| {
        let error = with(&document, &given).unwrap_err();
        assert_eq!(error.fault_kind(), FaultKind::Validation, "{error}");
        error.to_string()
    };
    assert_eq!(
        refused(json!({"statsu": 1})),
        "the operation takes no parameter statsu; did you mean status?"
    );
    assert_eq!(refused(json!({"id": 1, "body": {}})), "the operation needs the parameter status");
    assert_eq!(
        refused(json!({"id": 1, "status": null, "body": {}})),
        "the operation needs the parameter status"
    );
    assert_eq!(refused(json!({"status": 1, "body": {}})), "the operation needs the parameter id");
    assert_eq!(refused(json!({"id": 1, "status": 1})), "the operation needs the parameter body");
    assert!(refused(json!({"id": "../x", "status": 1, "body": {}})).contains("parameter id"));
    assert!(refused(json!({"id": [], "status": 1, "body": {}})).contains("parameter id"));
    assert!(refused(json!({"id": 1, "status": [[1]], "body": {}})).contains("parameter status"));
    assert_eq!(refused(json!("text")), "`parameters` must be a map");
}

#[test]
fn output_and_redirect_are_those_of_the_call() {
    let document = three("get", "/a", &json!({}));
    let mut call = super::call_of(resolved(&document).unwrap());
    (call.output, call.redirect) = ("response".to_owned(), true);
    let with = placet_adapters::openapi::with(&call, &Value::Null).unwrap();
    assert_eq!(
        with,
        json!({"method": "GET", "endpoint": "https://api.example/v1/a", "output": "response", "redirect": true})
    );
}

#[test]
fn a_secret_moves_with_its_parameter_and_has_no_place_in_a_path_or_a_cookie() {
    let secret = |name: &str| json!({ "secret": name });
    let document = three(
        "post",
        "/a/{id}",
        &json!({
            "parameters": [{"name": "X-Key", "in": "header"}, {"name": "key", "in": "query"}, {"name": "c", "in": "cookie"}],
            "requestBody": {"content": {"application/json": {}}},
        }),
    );
    let given = json!({"id": 1, "X-Key": "‹secret:k›", "key": "‹secret:q›", "c": "x", "body": {"a/b": ["x", "‹secret:b›"]}});
    let places = [("/X-Key", "k"), ("/key", "q"), ("/body/a~1b/1", "b")];
    let with = with_secrets(&document, &given, &places).unwrap();
    assert_eq!(
        with["holes"],
        json!({"/headers/X-Key": secret("k"), "/query/key": secret("q"), "/body/a~1b/1": secret("b")})
    );
    for place in ["/id", "/c", "/key/0"] {
        assert!(
            matches!(with_secrets(&document, &given, &[(place, "k")]), Err(Error::Value { .. })),
            "{place}"
        );
    }
    let form = three(
        "post",
        "/a",
        &json!({"requestBody": {"content": {"application/x-www-form-urlencoded": {}}}}),
    );
    let given = json!({"body": {"n": null, "a": ["x", "y"], "o": {"k": "‹secret:k›"}}});
    assert_eq!(
        with_secrets(&form, &given, &[("/body/o/k", "k")]).unwrap()["holes"],
        json!({"/body/2/1": secret("k")})
    );
    let fields = two(
        "post",
        "/a",
        &json!({"parameters": [{"name": "a", "in": "formData"}, {"name": "b", "in": "formData"}]}),
    );
    let with = with_secrets(&fields, &json!({"a": 1, "b": "‹secret:k›"}), &[("/b", "k")]).unwrap();
    assert_eq!(with["holes"], json!({"/body/1/1": secret("k")}));
    let parts =
        three("post", "/a", &json!({"requestBody": {"content": {"multipart/form-data": {}}}}));
    assert!(with_secrets(&parts, &json!({"body": {"a": "x"}}), &[("/body/a", "k")]).is_err());
}

/// What a server makes of a query: keys and values, percent-decoded.
fn decoded(url: &str) -> Vec<(String, String)> {
    url::Url::parse(url)
        .unwrap()
        .query_pairs()
        .map(|(k, v)| (k.into_owned(), v.into_owned()))
        .collect()
}

proptest! {
    #[test]
    fn whatever_a_query_value_holds_the_server_reads_it_back(value in any::<String>(), name in "[a-z&=# ]{1,8}") {
        let document = three("get", "/a", &json!({"parameters": [{"name": name, "in": "query"}]}));
        let (url, ..) = sent(&with(&document, &json!({ &name: value })).unwrap());
        // a server reads + as a space, and we never write one
        prop_assert!(!url.contains('+'));
        prop_assert_eq!(decoded(&url), vec![(name, value)]);
    }

    #[test]
    fn whatever_a_path_value_holds_it_stays_one_segment_or_is_refused(value in any::<String>()) {
        let document = one(&json!({"in": "path", "required": true}));
        match with(&document, &json!({ "p": value })) {
            Ok(with) => {
                let (url, ..) = sent(&with);
                let url = url::Url::parse(&url).unwrap();
                let segments: Vec<&str> = url.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 4, "{}", url);
                prop_assert_eq!((segments[1], segments[3]), ("a", "b"));
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
            Err(error) => prop_assert!(matches!(error, Error::Value { .. }), "{}", error),
        }
    }

    #[test]
    fn whatever_a_form_holds_the_server_reads_it_back(fields in prop::collection::btree_map("[a-z\\[\\]&=+]{1,6}", any::<String>(), 1..5)) {
        let document = three("post", "/a", &json!({"requestBody": {"content": {"application/x-www-form-urlencoded": {}}}}));
        let (.., body) = sent(&with(&document, &json!({ "body": fields })).unwrap());
        let read: Vec<(String, String)> = decoded(&format!("https://x.example/?{body}"));
        prop_assert_eq!(read, fields.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn no_value_of_any_type_makes_a_request_that_panics_or_leaves_its_host(value in json_value()) {
        for place in ["path", "query", "header", "cookie"] {
            for style in ["simple", "form", "label", "matrix", "deepObject", "pipeDelimited"] {
                let document = one(&json!({"in": place, "required": true, "style": style}));
                if let Ok(with) = with(&document, &json!({ "p": value })) {
                    let endpoint = url::Url::parse(with["endpoint"].as_str().unwrap()).unwrap();
                    prop_assert_eq!(endpoint.host_str(), Some("api.example"));
                }
            }
        }
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
