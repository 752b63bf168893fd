//! The list of the inbox over many items: pages add up, filters are indexes or end after so many
//! items, shapes are counted, and nobody is shown what does not concern them.
//!
//! covers: S8

use crate::crowd::{Template, fill};
use crate::world::{World, name, people, start};
use placet_executor::inbox::Caller;
use placet_model::actor::{PrincipalKind, Role};
use placet_model::decision::{Assurance, Verdict};
use placet_model::draft::Mode;
use placet_model::policy::PrincipalInfo;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn caller(who: &str) -> Caller {
    Caller { principal: name(who), assurance: Assurance::Test, request_id: None }
}

fn list(world: &World, who: &str, body: &Value) -> Value {
    world.handle.inbox_list(&caller(who), body).unwrap()
}

/// Every page of it: what each held, and whether some ended because enough was looked at.
fn pages(world: &World, who: &str, what: &str, mut body: Value) -> (Vec<Vec<Value>>, bool) {
    let (mut pages, mut partial) = (vec![], false);
    loop {
        let page = list(world, who, &body);
        partial |= page["partial"] == true;
        pages.push(page[what].as_array().unwrap().clone());
        body["cursor"] = page["next"].clone();
        if body["cursor"].is_null() {
            return (pages, partial);
        }
    }
}

fn all(world: &World, who: &str, body: Value) -> Vec<Value> {
    pages(world, who, "items", body).0.concat()
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

fn workflow(name: &str, call: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: sales, name: {name}, version: '1.0.0' }}
do:
  - tell: {call}
"
    )
}

const MESSAGE: &str =
    "{ call: slack.chat.postMessage, with: { channel: C1, text: '${ .text // \"hello\" }' } }";
const POST: &str =
    "{ call: http, with: { method: post, endpoint: https://example.com/in, body: { a: 1 } } }";
const DELETE: &str = "{ call: http, with: { method: delete, endpoint: https://example.com/in } }";

/// One parked run of each of these workflows, and so many more like them, in turn.
async fn crowd(world: &mut World, workflows: &[(&str, &str)], count: usize) {
    let mut runs = vec![];
    for (name, call) in workflows {
        let run = world.run(&workflow(name, call), json!({}), Mode::Live).await;
        world.settled(run).await;
        runs.push(run);
    }
    let view = world.handle.view().unwrap();
    let templates: Vec<_> = runs.into_iter().map(|run| Template::of(&view, run).unwrap()).collect();
    fill(world.handle.log(), &templates, (0, count), world.handle.now()).unwrap();
}

#[tokio::test]
async fn pages_hold_every_item_once_gravest_first_also_while_some_are_settled() {
    let mut world = start().await;
    let kinds = [("a", MESSAGE), ("b", POST), ("c", DELETE)];
    crowd(&mut world, &kinds, 300).await;
    let whole = all(&world, "approver", json!({"limit": 200}));
    assert_eq!(whole.len(), 303);
    let effects: Vec<&str> = whole.iter().map(|item| item["effect"].as_str().unwrap()).collect();
    let grave = |effect: &&str| ["destructive", "send", "write"].iter().position(|e| e == effect);
    assert!(effects.is_sorted_by_key(grave), "{effects:?}");
    assert_eq!(effects.iter().collect::<BTreeSet<_>>().len(), 3, "{effects:?}");

    let (mut seen, mut gone, mut body) = (vec![], vec![], json!({"limit": 40}));
    loop {
        let page = list(&world, "approver", &body);
        seen.extend(page["items"].as_array().unwrap().clone());
        body["cursor"] = page["next"].clone();
        if body["cursor"].is_null() {
            break;
        }
        // what was shown and what is still to come is settled between two pages
        for item in [&seen[seen.len() - 1], &whole[seen.len() + 3]] {
            let row = world.open_item(item["id"].as_str().unwrap());
            if let Some(row) = row {
                world.vote(&row, "second", Verdict::Reject).await.unwrap();
                gone.push(row.decision.to_string());
            }
        }
    }
    let shown: BTreeSet<&str> = ids(&seen).into_iter().collect();
    assert_eq!(shown.len(), seen.len(), "no item is shown twice");
    let expected: Vec<&str> = ids(&whole)
        .into_iter()
        .filter(|id| shown.contains(id) || !gone.iter().any(|gone| gone == id))
        .collect();
    assert_eq!(ids(&seen), expected);
    assert!(
        gone.iter().any(|id| !shown.contains(id.as_str())),
        "some were settled before their page"
    );
}

#[tokio::test]
async fn every_filter_gives_what_a_walk_over_all_items_would_find() {
    let mut world = start().await;
    crowd(&mut world, &[("a", MESSAGE), ("b", POST), ("c", DELETE)], 60).await;
    let row = world.open_items().into_iter().find(|row| row.operation.starts_with("slack"));
    world.vote(&row.unwrap(), "second", Verdict::Reject).await.unwrap();
    let whole = all(&world, "author", json!({"filter": "all"}));
    let shape = whole[0]["shape"].clone();
    for (filter, value) in [
        ("operation", json!("slack.chat.postMessage")),
        ("integration", json!("slack")),
        ("requester", json!("author")),
        ("workflow", json!("sales/b")),
        ("state", json!("requested")),
        ("state", json!("in_doubt")),
        ("mode", json!("live")),
        ("mode", json!("sandbox")),
        ("shape", shape),
    ] {
        let member = |item: &Value| match filter {
            "workflow" => item["workflow"].as_str().unwrap().starts_with("sales/b@"),
            "requester" => true,
            _ => item[filter] == value,
        };
        let expected: Vec<_> = whole.iter().filter(|item| member(item)).cloned().collect();
        for who in ["author", "approver"] {
            let body = json!({"filter": {"all": true, filter: value}, "limit": 7});
            let (found, partial) = pages(&world, who, "items", body);
            assert_eq!(found.concat(), expected, "{filter} {value} for {who}");
            assert!(!partial);
        }
    }
}

#[tokio::test]
async fn a_filter_that_matches_little_ends_after_so_many_items_and_its_cursor_leads_on() {
    let mut world = start().await;
    crowd(&mut world, &[("a", MESSAGE)], 2_100).await;
    world.advance_to(world.handle.now().plus_millis(1_000));
    // of another requester, workflow and shape, behind all others
    let rare = world.run(&workflow("rare", POST), json!({}), Mode::Live).await;
    world.settled(rare).await;
    // no index tells this pair: items of the requester are looked at one by one
    let body = json!({"filter": {"all": true, "requester": "author", "workflow": "sales/rare"}});
    let (found, partial) = pages(&world, "author", "items", body);
    assert!(partial, "it says that it has not looked at all");
    let empty = found.iter().filter(|page| page.is_empty()).count();
    assert_eq!((empty, found.len(), found.concat().len()), (1, 2, 1));
    // an index does
    let body = json!({"filter": {"all": true, "workflow": "sales/rare"}});
    let (found, partial) = pages(&world, "author", "items", body);
    assert_eq!((found.len(), found.concat().len(), partial), (1, 1, false));
}

#[tokio::test]
async fn shapes_are_shown_with_exact_counts_and_lead_to_items_that_are_bound_one_by_one() {
    let mut world = start().await;
    crowd(&mut world, &[("a", MESSAGE), ("b", POST), ("c", DELETE)], 300).await;
    let groups = list(&world, "approver", &json!({"group": true}));
    let groups = groups["groups"].as_array().unwrap();
    let counts: Vec<_> = groups.iter().map(|group| group["count"].as_u64().unwrap()).collect();
    assert_eq!(counts, [101, 101, 101]);
    assert_eq!(groups[0]["effect"], "destructive", "the gravest first");
    assert!(groups[0]["one_by_one"].is_string(), "{:#}", groups[0]);
    let message = groups.iter().find(|group| group["integration"] == "slack").unwrap();
    assert_eq!(message["one_by_one"], Value::Null);
    let body = json!({"filter": {"shape": message["shape"]}, "limit": 50});
    let items = list(&world, "approver", &body)["items"].as_array().unwrap().clone();
    assert_eq!(items[0]["id"], message["first"]);
    let digests: BTreeSet<_> = items.iter().map(|item| item["digest"].to_string()).collect();
    assert_eq!((items.len(), digests.len()), (50, 50), "each is bound by a digest of its own");
    let bound = items.iter().map(|item| json!({"decision": item["id"], "digest": item["digest"]}));
    let act = json!({
        "items": bound.collect::<Vec<_>>(), "verdict": "reject", "reason": "not now",
        "nonce": world.handle.nonce(), "time": world.handle.now(),
    });
    let answer = world.handle.inbox_act(&caller("approver"), &act).await.unwrap();
    let states = answer["items"].as_array().unwrap().iter().map(|item| item["state"].clone());
    assert!(states.into_iter().all(|state| state == "rejected"), "{answer:#}");
    let groups = list(&world, "approver", &json!({"group": true}));
    let message = groups["groups"].as_array().unwrap();
    let message = message.iter().find(|group| group["integration"] == "slack").unwrap();
    assert_eq!(message["count"], 51, "what was not in the act is still open");
}

#[tokio::test]
async fn items_of_another_step_are_another_shape_and_are_not_decided_together() {
    let mut world = start().await;
    crowd(&mut world, &[("a", MESSAGE), ("b", MESSAGE)], 0).await;
    let items = all(&world, "approver", json!({}));
    assert_ne!(items[0]["shape"], items[1]["shape"]);
    let bound = items.iter().map(|item| json!({"decision": item["id"], "digest": item["digest"]}));
    let act = json!({
        "items": bound.collect::<Vec<_>>(), "verdict": "approve",
        "nonce": world.handle.nonce(), "time": world.handle.now(),
    });
    let error = world.handle.inbox_act(&caller("approver"), &act).await.unwrap_err();
    assert_eq!(error.code(), "PL3053");
}

#[tokio::test]
async fn nobody_is_shown_an_item_or_a_shape_that_does_not_concern_them() {
    let mut world = start().await;
    let mut policy = people();
    let info = |roles: &[Role]| PrincipalInfo {
        kind: PrincipalKind::User,
        roles: roles.iter().copied().collect(),
    };
    policy.principals.insert(name("bystander"), info(&[Role::Author]));
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    crowd(&mut world, &[("a", MESSAGE), ("b", DELETE)], 20).await;
    for body in [
        json!({}),
        json!({"filter": "all"}),
        json!({"group": true}),
        json!({"filter": {"all": true}, "group": true}),
    ] {
        let page = list(&world, "bystander", &body);
        let shown = page["items"].as_array().or_else(|| page["groups"].as_array()).unwrap();
        assert_eq!((shown.len(), &page["next"]), (0, &Value::Null), "{body}");
    }
    // who votes goes on seeing it, but is not asked again
    let row = world.open_items().remove(0);
    let before = all(&world, "approver", json!({})).len();
    world.vote(&row, "second", Verdict::Reject).await.unwrap();
    assert_eq!(all(&world, "approver", json!({})).len(), before - 1);
}

#[tokio::test]
async fn a_filter_or_cursor_that_nobody_knows_is_refused() {
    let mut world = start().await;
    crowd(&mut world, &[("a", MESSAGE)], 0).await;
    for (body, code) in [
        (json!({"filter": "everything"}), "PL4003"),
        (json!({"filter": {"sate": "requested"}}), "PL4003"),
        (json!({"filter": {"state": "open"}}), "PL4003"),
        (json!({"filter": {"mode": "dry"}}), "PL4003"),
        (json!({"filter": {"shape": "sha256:1"}}), "PL4003"),
        (json!({"filter": {"integration": "nowhere"}}), "PL4009"),
        (json!({"cursor": "dec_1"}), "PL4003"),
        (json!({"cursor": "00", "group": true}), "PL4003"),
    ] {
        let error = world.handle.inbox_list(&caller("approver"), &body).unwrap_err();
        assert_eq!(error.code(), code, "{body}");
    }
}
