//! Pages of a read: where the next one is, when there is none, and what is refused.

use crate::support::{SEND_ID, answer, draft_time, given, load, operation};
use placet_adapters::manifest::Absent;
use placet_adapters::pages::{NextPage, PageError, render_page};
use placet_adapters::{Adapters, Finding, Operation, Response, Sent, render};
use placet_model::request::PreparedRequest;
use serde_json::{Value, json};
use std::sync::Arc;

/// A project's list whose pages are read so.
fn listing(pagination: &str) -> Result<Adapters, String> {
    let text = format!(
        r#"manifest: 1
provider: acme
title: Acme
hosts: [api.acme.example]
auth: {{kind: bearer, placement: {{header: Authorization, value: "Bearer {{secret:token}}"}}}}
operations:
  notes.list:
    effect: read
    input_schema: any.json
    request: {{method: GET, url: "https://api.acme.example/notes", query: {{limit: "{{input./limit?}}", from: "{{input./from?}}"}}}}
    pagination: {pagination}
    classify: [{{when: {{status: 200}}, outcome: sent}}, {{else: refused_retry}}]
"#
    );
    load(&text, &[("any.json", "{}")])
}

fn list(pagination: &str) -> Arc<Operation> {
    let adapters = listing(pagination).unwrap_or_else(|error| panic!("{pagination}: {error}"));
    Arc::clone(adapters.operation("acme.notes.list").unwrap())
}

fn request(operation: &Operation, input: &Value) -> PreparedRequest {
    render(operation, given(&json!({}), input)).unwrap().request
}

fn page(body: &Value) -> Response {
    Response::new(200, vec![], body.to_string().into_bytes())
}

fn next(pagination: &str, input: &Value, body: &Value) -> Result<Option<NextPage>, PageError> {
    let operation = list(pagination);
    operation.pagination().unwrap().next(&request(&operation, input), &page(body))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what `next` gives")]
fn parameter(value: &str) -> Result<Option<NextPage>, PageError> {
    Ok(Some(NextPage::Parameter("from".to_owned(), value.to_owned())))
}

#[test]
fn a_cursor_goes_on_until_it_is_empty() {
    let kind =
        "{kind: cursor, cursor_from: /next, cursor_to: query.from, items: /items, end_when: empty}";
    let body = |next: Value| json!({"items": [1], "next": next});
    assert_eq!(next(kind, &json!({}), &body(json!("c2"))), parameter("c2"));
    for end in [json!(""), Value::Null] {
        assert_eq!(next(kind, &json!({}), &body(end)), Ok(None));
    }
    assert_eq!(next(kind, &json!({}), &json!({"items": [1]})), Ok(None));
    assert_eq!(next(kind, &json!({"from": "c2"}), &body(json!("c2"))), Err(PageError::Stuck));
    assert_eq!(next(kind, &json!({}), &json!({"next": "c2"})), Err(PageError::Unreadable));
}

#[test]
fn the_last_id_goes_on_while_the_provider_says_that_there_is_more() {
    let kind = "{kind: last_id, cursor_from: /data/-1/id, cursor_to: query.from, items: /data, end_when: {at: /has_more, is: false}}";
    let body = |more: bool| json!({"data": [{"id": "a"}, {"id": "b"}], "has_more": more});
    assert_eq!(next(kind, &json!({}), &body(true)), parameter("b"));
    assert_eq!(next(kind, &json!({}), &body(false)), Ok(None));
    assert_eq!(next(kind, &json!({}), &json!({"data": [], "has_more": true})), Ok(None));
    let nameless = json!({"data": [{}], "has_more": true});
    assert_eq!(
        next(kind, &json!({}), &nameless),
        Err(PageError::Unreadable),
        "more, and not where"
    );
}

#[test]
fn an_offset_counts_what_was_read_and_a_page_its_number_until_one_is_short() {
    let offset = "{kind: offset, cursor_to: query.from, items: /items, end_when: short, page_size: {param: limit, max: 3}}";
    let body = |count: usize| json!({"items": vec![1; count]});
    assert_eq!(next(offset, &json!({}), &body(3)), parameter("3"));
    assert_eq!(next(offset, &json!({"from": 3}), &body(3)), parameter("6"));
    assert_eq!(next(offset, &json!({"limit": 2}), &body(2)), parameter("2"));
    assert_eq!(next(offset, &json!({}), &body(2)), Ok(None));
    let pages = "{kind: page, cursor_to: query.from, items: /items, end_when: empty}";
    assert_eq!(next(pages, &json!({}), &body(1)), parameter("2"));
    assert_eq!(next(pages, &json!({"from": 7}), &body(1)), parameter("8"));
    assert_eq!(next(pages, &json!({}), &body(0)), Ok(None));
}

#[test]
fn a_link_is_followed_at_the_same_origin_and_nowhere_else() {
    let kind =
        "{kind: link, cursor_from: /next, items: /items, end_when: empty, same_origin: true}";
    let go = |address: &str| next(kind, &json!({}), &json!({"items": [1], "next": address}));
    let at = |address: &str| Ok(Some(NextPage::Address(address.to_owned())));
    assert_eq!(go("/notes?p=2"), at("https://api.acme.example/notes?p=2"));
    assert_eq!(go("https://api.acme.example/x?p=2"), at("https://api.acme.example/x?p=2"));
    for elsewhere in [
        "https://evil.example/notes?p=2",
        "http://api.acme.example/notes?p=2",
        "https://api.acme.example:8443/notes?p=2",
        "//evil.example/notes",
        "https://api.acme.example.evil.example/",
    ] {
        assert_eq!(go(elsewhere), Err(PageError::OtherOrigin), "{elsewhere}");
    }
    assert_eq!(go("https://api.acme.example/notes"), Err(PageError::Stuck));
    let user = NextPage::Address("https://u:p@api.acme.example/notes".to_owned());
    assert!(render_page(&list(kind), given(&json!({}), &json!({})), &user).is_err());
}

#[test]
fn the_next_page_is_the_same_request_but_for_where_it_begins() {
    let kind =
        "{kind: cursor, cursor_from: /next, cursor_to: query.from, items: /items, end_when: empty}";
    let (settings, input) = (json!({}), json!({"limit": 5, "from": "c1"}));
    let operation = list(kind);
    let next = NextPage::Parameter("from".to_owned(), "c 2&x=y".to_owned());
    let rendered = render_page(&operation, given(&settings, &input), &next).unwrap().request;
    let url = rendered.url.to_string();
    assert_eq!(url, "https://api.acme.example/notes?limit=5&from=c%202%26x%3Dy");
    assert_eq!(rendered.headers, request(&operation, &input).headers);
}

#[test]
fn github_links_and_twilio_addresses_are_read() {
    let comments = operation("github.comments.list");
    let input = json!({"owner": "acme", "repo": "site", "number": 12});
    let linked = |header: &str| {
        let headers = vec![("link".to_owned(), header.to_owned())];
        let response = Response::new(200, headers, b"[{}]".to_vec());
        comments.pagination().unwrap().next(&request(&comments, &input), &response)
    };
    let second = "https://api.github.com/repositories/1/issues/12/comments?page=2";
    let header =
        format!("<{second}>; rel=\"next\", <https://api.github.com/x?page=9>; rel=\"last\"");
    assert_eq!(linked(&header), Ok(Some(NextPage::Address(second.to_owned()))));
    assert_eq!(linked("<https://api.github.com/x?page=1>; rel=\"prev\""), Ok(None));
    assert_eq!(linked("<https://evil.example/x>; rel=next"), Err(PageError::OtherOrigin));
}

#[test]
fn pages_become_one_answer_in_which_a_message_of_the_second_is_found() {
    let history = operation("slack.conversations.history");
    let send = operation("slack.chat.postMessage");
    let reconcile = send.delivery().reconcile().unwrap();
    let (input, settings) = (json!({"channel": "C1", "text": "hi"}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    let look = |body: &Value| {
        reconcile.read(&history, &answer(200, &[], &body.to_string()), sent, draft_time())
    };
    let ours = json!({"ts": "2.000002", "metadata": {"event_payload": {"placet_send": SEND_ID}}});
    let mut all = json!({"ok": true, "messages": [{"ts": "1.000001"}]});
    assert_eq!(look(&all), Finding::Absent(Absent::Evidence));
    let pages = history.pagination().unwrap();
    assert!(pages.merge(&mut all, json!({"ok": true, "messages": [ours]})));
    assert!(matches!(look(&all), Finding::Found { .. }), "{:?}", look(&all));
    assert!(!pages.merge(&mut all, json!({"ok": true})), "that is no page");
}

#[test]
fn what_is_no_way_to_go_on_is_refused_with_its_place() {
    let end = "items: /items, end_when: empty";
    for (pagination, words) in [
        (format!("{{kind: cursor, {end}}}"), "need cursor_from"),
        (format!("{{kind: cursor, cursor_from: /n, {end}}}"), "need cursor_from and cursor_to"),
        (format!("{{kind: cursor, cursor_from: /n, cursor_to: body.x, {end}}}"), "is query.name"),
        (
            format!("{{kind: cursor, cursor_from: \"header:Link\", cursor_to: query.x, {end}}}"),
            "holds links",
        ),
        (format!("{{kind: link, cursor_from: /n, cursor_to: query.x, {end}}}"), "link cursor_from"),
        (format!("{{kind: link, cursor_from: /n, same_origin: false, {end}}}"), "same origin"),
        (format!("{{kind: page, cursor_to: query.x, pages_max: 51, {end}}}"), "1 to 50"),
        (format!("{{kind: page, cursor_to: query.x, pages_max: 0, {end}}}"), "1 to 50"),
        (
            "{kind: page, cursor_to: query.x, items: /items, end_when: short}".to_owned(),
            "page_size",
        ),
        (
            "{kind: page, cursor_to: query.x, items: /items, end_when: never}".to_owned(),
            "empty, short",
        ),
        (
            "{kind: page, cursor_to: query.x, items: /a/0, end_when: empty}".to_owned(),
            "list in objects",
        ),
    ] {
        let error = listing(&pagination).err().unwrap_or_else(|| panic!("{pagination} was taken"));
        assert!(error.contains(words) && error.contains(" 11:17: "), "{pagination}: {error}");
    }
}
