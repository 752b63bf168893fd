//! What an answer says to a second try of the same bytes, what is not the last word, and what a look-up
//! of one thing by its own id finds.

use crate::load::{GOOD, load};
use crate::support::{ADAPTERS, SEND_ID, answer, draft_time};
use placet_adapters::manifest::{Absent, Resend};
use placet_adapters::{Adapters, Basis, Classified, Finding, Sent, Tried, classify_try};
use placet_model::attempt::Evidence;
use placet_model::manifest::Outcome;
use serde_json::{Value, json};
use std::time::Duration;

const CREATE: &str = "acme.notes.create";

/// `GOOD` with this delivery, an id of ours in the body, a guard and a rule for refusals.
fn acme(delivery: &str) -> Adapters {
    let text = GOOD
        .replacen("delivery: {kind: none}", &format!("delivery: {delivery}"), 1)
        .replacen("{text: \"{input./text}\"}", "{id: \"{send_uuid}\", text: \"{input./text}\"}", 1)
        .replacen("method: POST,", "method: PUT, headers: {If-Match: \"{input./version}\"},", 1)
        .replacen(
            "      - {when: {status: 2xx}, outcome: sent}\n",
            "      - {when: {status: 2xx}, outcome: sent}\n      - {when: {status: [409, 412]}, outcome: refused_permanent}\n",
            1,
        );
    load(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn tried(adapters: &Adapters, status: u16, tried: Tried) -> Classified {
    let (input, settings) = (json!({"text": "hi", "version": "v1"}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    let operation = adapters.operation(CREATE).unwrap();
    classify_try(operation, &answer(status, &[], r#"{"error": "no"}"#), (sent, tried), draft_time())
}

#[test]
fn there_already_is_done_where_the_id_is_ours_and_its_result_is_that_id() {
    let adapters = acme("{kind: client_id, field: /id, format: uuid, conflict: 409}");
    for which in [Tried::First, Tried::Again] {
        let told = tried(&adapters, 409, which);
        assert_eq!((told.outcome, told.basis), (Outcome::Sent, Basis::Exists));
        assert_eq!(told.result["external_id"].len(), 36);
    }
    assert_eq!(tried(&adapters, 412, Tried::Again).outcome, Outcome::RefusedPermanent);
}

#[test]
fn there_already_is_somebody_elses_to_a_first_try_with_a_key_that_is_not_ours_alone() {
    let adapters = acme(
        "{kind: natural_key, field: /text, conflict: {when: {status: 409}, result: {external_id: \"{input./text}\"}}}",
    );
    assert_eq!(tried(&adapters, 409, Tried::First).outcome, Outcome::RefusedPermanent);
    let told = tried(&adapters, 409, Tried::Again);
    assert_eq!((told.outcome, &*told.result["external_id"]), (Outcome::Sent, "hi"));
}

#[test]
fn moved_on_tells_a_second_try_nothing_and_a_first_one_that_it_was_refused() {
    let adapters = acme("{kind: version_guard, field: \"header:If-Match\", moved_on: [409, 412]}");
    assert_eq!(tried(&adapters, 412, Tried::First).outcome, Outcome::RefusedPermanent);
    let told = tried(&adapters, 412, Tried::Again);
    assert_eq!((told.outcome, told.evidence), (Outcome::InDoubt, Some(Evidence::MovedOn)));
}

#[test]
fn each_kind_goes_again_for_as_long_as_it_is_harmless() {
    let resend = |delivery: &str| acme(delivery).operation(CREATE).unwrap().delivery().resend();
    let minutes = Duration::from_mins;
    let looks = "request: {op: notes.get, with: {id: \"{target.id}\"}}, match: {item: \"\", where: {at: /id, is: x}}, found: {outcome: sent}, absent_after_s: 1, absent: trusted";
    for (delivery, wanted) in [
        ("{kind: none}".to_owned(), Resend::Never),
        ("{kind: client_id, field: /id, format: uuid, conflict: 409}".into(), Resend::Always),
        (
            "{kind: client_id, field: /id, format: uuid, conflict: 409, ttl_s: 60}".into(),
            Resend::Within(minutes(1)),
        ),
        ("{kind: natural_key, field: url}".into(), Resend::Within(minutes(10))),
        (
            "{kind: version_guard, field: \"header:If-Match\", moved_on: 412, ttl_s: 120}".into(),
            Resend::Within(minutes(2)),
        ),
        (
            format!(
                "{{kind: client_id, field: /id, format: uuid, lookup_first: true, reconcile: {{{looks}}}}}"
            ),
            Resend::Never,
        ),
    ] {
        assert_eq!(resend(&delivery), wanted, "{delivery}");
    }
}

/// A refund that Stripe has taken, in this state.
fn refund(status: &str) -> Value {
    json!({"id": "re_1", "object": "refund", "status": status, "metadata": {"placet_send": SEND_ID}})
}

#[test]
fn a_refund_is_not_over_while_it_is_pending_neither_in_the_answer_nor_in_the_look_up() {
    let operation = ADAPTERS.operation("stripe.refunds.create").unwrap();
    let look_up = ADAPTERS.operation("stripe.refunds.list").unwrap();
    let (input, settings) =
        (json!({"payment_intent": "pi_1"}), json!({"api_base": "https://api.stripe.com"}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    for (status, is_final) in [
        ("pending", false),
        ("requires_action", false),
        ("succeeded", true),
        ("failed", true),
        ("canceled", true),
    ] {
        let body = answer(200, &[], &refund(status).to_string());
        let told = classify_try(operation, &body, (sent, Tried::First), draft_time());
        let wanted = if is_final {
            (Outcome::Sent, None)
        } else {
            (Outcome::InDoubt, Some(Evidence::NotFinal))
        };
        assert_eq!((told.outcome, told.evidence), wanted, "{status}");
        assert_eq!(told.result["message_id"], "re_1", "it is known by its id all the same");
        let page = json!({"object": "list", "has_more": false, "data": [refund(status)]});
        let reconcile = operation.delivery().reconcile().unwrap();
        let found =
            reconcile.read(look_up, &answer(200, &[], &page.to_string()), sent, draft_time());
        match found {
            Finding::Found { outcome: Outcome::Sent, result } if is_final => {
                assert_eq!(result["status"], status);
            }
            Finding::NotFinal if !is_final => {}
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[test]
fn one_thing_by_its_own_id_is_found_is_absent_or_says_nothing() {
    let adapters = acme(
        "{kind: client_id, field: /id, format: uuid, lookup_first: true, reconcile: {request: {op: notes.get, with: {id: \"{send_uuid}\"}}, match: {item: \"\", where: {at: /id, is: \"{send_uuid}\"}}, found: {outcome: sent, result: {external_id: \"{/id}\"}}, absent_when: {status: 404}, absent_after_s: 1, absent: trusted}}",
    );
    let (operation, look_up) =
        (adapters.operation(CREATE).unwrap(), adapters.operation("acme.notes.get").unwrap());
    let (input, settings) = (json!({"text": "hi"}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    let reconcile = operation.delivery().reconcile().unwrap();
    let asked = reconcile.input(sent, None, draft_time()).unwrap();
    let id = asked["id"].as_str().unwrap();
    let read = |status: u16, body: &Value| {
        reconcile.read(look_up, &answer(status, &[], &body.to_string()), sent, draft_time())
    };
    assert!(matches!(read(200, &json!({"id": id})), Finding::Found { outcome: Outcome::Sent, .. }));
    assert_eq!(read(404, &json!({})), Finding::Absent(Absent::Trusted));
    assert_eq!(read(200, &json!({"id": "another"})), Finding::Absent(Absent::Trusted));
    for (status, body) in [
        (200, json!("garbage")),
        (500, json!({})),
        (403, json!({"id": id})),
        (200, json!({"error": "?"})),
    ] {
        assert_eq!(read(status, &body), Finding::Unanswered, "{status} {body}");
    }
}
