//! The published test vector, and every way in which a document may not be spelled.

use super::*;
use crate::nkey::UserKey;

const MESSAGE: &str = "placet-decision-v1\n{\"expires_at\":\"2026-11-21T12:00:00Z\",\"issued_at\":\"2026-11-21T11:55:00Z\",\"items\":[{\"decision\":\"dec_example1\",\"digest\":\"sha256:50d858e0985ecc7f60418aaf0cc5ab587f42c2570a884095a9e8ccacd0f6545c\"}],\"key\":\"UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK\",\"nonce\":\"q83vEjRWeJCrze8SNFZ4kA\",\"origin\":\"placet.example/acme\",\"reason\":\"\",\"user\":\"approver-a\",\"verdict\":\"approve\"}";

fn vector() -> Value {
    serde_json::from_str(MESSAGE.split_once('\n').unwrap().1).unwrap()
}

#[test]
fn the_message_of_the_test_vector_is_made_again_from_its_members() {
    let document = DecisionDocument::parse(&vector()).unwrap();
    assert_eq!(document.message(), MESSAGE);
    assert_eq!(MESSAGE.len(), 393);
    let digest = "bc8f46f98f4866aecdb5fdda2afd204957c4fccc7704eea97407b16aa22135a4";
    assert_eq!(document.digest().hex(), digest);
    assert_eq!(DecisionDocument::from_message(MESSAGE), Ok(document));
}

#[test]
fn members_in_another_order_are_the_same_document() {
    let Value::Object(members) = vector() else { unreachable!("the vector is an object") };
    let reversed: Map<String, Value> = members.into_iter().rev().collect();
    let document = DecisionDocument::parse(&Value::Object(reversed)).unwrap();
    assert_eq!(document.message(), MESSAGE);
}

/// What is refused once a member is changed; the member that is named.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut document = vector();
    change(&mut document);
    DecisionDocument::parse(&document).unwrap_err().member
}

#[test]
fn a_member_that_is_missing_or_added_is_refused_by_name() {
    for member in MEMBERS {
        let named = refused(|document| {
            document.as_object_mut().unwrap().remove(member);
        });
        assert_eq!(named, member);
    }
    assert_eq!(refused(|document| document["note"] = json!("")), "note");
    assert_eq!(refused(|document| document["with"] = json!(Digest::of(b"").to_string())), "with");
    assert_eq!(refused(|document| document["items"][0]["run"] = json!("")), "run");
    assert_eq!(refused(|document| document["verdict"] = json!("edit")), "with");
}

#[test]
fn a_member_in_another_spelling_is_refused() {
    let upper = vector()["items"][0]["digest"].as_str().unwrap().to_uppercase();
    let cases = [
        ("expires_at", json!("2026-11-21T12:00:00.000Z")),
        ("expires_at", json!("2026-11-21T13:00:00+01:00")),
        ("issued_at", json!("2026-11-21T11:55:00z")),
        ("issued_at", json!(1_795_262_100)),
        ("nonce", json!("q83vEjRWeJCrze8SNFZ4kA==")),
        ("nonce", json!("q83vEjRWeJCrze8SNFZ4kB")),
        ("nonce", json!("")),
        ("key", json!("uab2cb576phbbpq5odorrz2lycmwpzgwgcn2kdk7dxoimzaskuy3rlkk")),
        ("user", json!("Approver-A")),
        ("user", json!("approver-a.*")),
        ("verdict", json!("Approve")),
        ("reason", json!("because")),
        ("reason", Value::Null),
        ("origin", json!("")),
        ("items", json!([])),
        ("items", json!([{ "decision": "dec_example1", "digest": upper }])),
        ("items", json!([{ "decision": "dec_>", "digest": Digest::of(b"").to_string() }])),
    ];
    for (member, value) in cases {
        let mut document = vector();
        document[member] = value.clone();
        assert!(DecisionDocument::parse(&document).is_err(), "{member}: {value}");
    }
}

#[test]
fn items_are_sorted_and_stand_once() {
    let item = |id: &str| json!({ "decision": id, "digest": Digest::of(b"").to_string() });
    let parse = |items: Value| {
        let mut document = vector();
        document["items"] = items;
        DecisionDocument::parse(&document)
    };
    assert_eq!(parse(json!([item("dec_a"), item("dec_b")])).unwrap().items().len(), 2);
    for items in [json!([item("dec_b"), item("dec_a")]), json!([item("dec_a"), item("dec_a")])] {
        assert_eq!(parse(items).unwrap_err().member, "items");
    }
}

#[test]
fn a_document_is_good_for_fifteen_minutes_at_most_and_for_some() {
    for at in ["2026-11-21T11:55:00Z", "2026-11-21T11:54:00Z", "2026-11-21T12:10:01Z"] {
        assert_eq!(refused(|document| document["expires_at"] = json!(at)), "expires_at", "{at}");
    }
    let mut longest = vector();
    longest["expires_at"] = json!("2026-11-21T12:10:00Z");
    assert!(DecisionDocument::parse(&longest).is_ok());
}

#[test]
fn a_message_that_is_not_canonical_is_none() {
    for other in [
        MESSAGE.replace("v1\n", "v2\n"),
        MESSAGE.replace("{\"expires", "{ \"expires"),
        MESSAGE.replace("approve\"}", "approve\"}\n"),
        MESSAGE.replace("q83v", "\\u0071 83v"),
    ] {
        assert!(DecisionDocument::from_message(&other).is_err(), "{other}");
    }
}

#[test]
fn an_edit_is_of_one_draft_and_a_response_says_something() {
    let draft = || Draft {
        items: vec![Item { decision: "dec_a".to_owned(), digest: Digest::of(b"a") }],
        said: Said::Vote(Verdict::Edit),
        user: "ana".parse().unwrap(),
        key: UserKey::from_ed25519([7; 32]).into(),
        nonce: [1; 16],
        origin: "placet.example/acme".to_owned(),
        issued_at: Timestamp::from_millis(1_000_500),
        expires_at: Timestamp::from_millis(60_000_999),
        reason: None,
        with: Some(with_digest(&json!({ "text": "hello" })).unwrap()),
    };
    let edit = DecisionDocument::new(Draft {
        expires_at: Timestamp::from_millis(601_000),
        issued_at: Timestamp::from_millis(500),
        ..draft()
    })
    .unwrap();
    assert_eq!(edit.to_value()["issued_at"], "1970-01-01T00:00:00Z");
    let two = vec![
        draft().items[0].clone(),
        Item { decision: "dec_b".to_owned(), digest: Digest::of(b"b") },
    ];
    let at = Timestamp::from_millis(601_000);
    assert!(
        DecisionDocument::new(Draft {
            items: two,
            issued_at: Timestamp::EPOCH,
            expires_at: at,
            ..draft()
        })
        .is_err()
    );
    let silent = Draft {
        said: Said::Vote(Verdict::Respond),
        with: None,
        issued_at: Timestamp::EPOCH,
        expires_at: at,
        ..draft()
    };
    assert_eq!(DecisionDocument::new(silent.clone()).unwrap_err().member, "reason");
    let words = Draft { reason: Some(text_digest(&[9; 32], "softer")), ..silent };
    assert!(DecisionDocument::new(words).is_ok());
}
