//! Figures about how people decide: what is counted, who sees whose, and at what cost.
//!
//! covers: S8, T16

use crate::world::{World, fixture, name, people, start};
use placet_executor::inbox::Caller;
use placet_log::{Append, Expected, NewEvent};
use placet_model::actor::Role;
use placet_model::decision::{Assurance, Verdict};
use placet_model::draft::Mode;
use placet_model::event::decision::VoteCast;
use placet_model::{Actor, EventId, StreamId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};
use std::time::Instant;

fn caller(who: &str) -> Caller {
    Caller { principal: name(who), assurance: Assurance::Session, request_id: None }
}

async fn asked(world: &mut World) -> DecisionRow {
    let input = json!({"channel": "C1", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.item(|row| row.run == run && row.votes.is_empty()).await
}

fn after(world: &World, millis: i64) {
    world.advance_to(world.handle.now().plus_millis(millis));
}

fn stats(world: &World, who: &str, asked: &Value) -> Value {
    world.handle.inbox_stats(&caller(who), asked).unwrap()
}

fn of<'s>(stats: &'s Value, who: &str) -> &'s Value {
    let mut all = stats["approvers"].as_array().unwrap().iter();
    all.find(|figures| figures["user"] == who).unwrap_or_else(|| panic!("{who}: {stats:#}"))
}

#[tokio::test]
async fn what_somebody_decided_is_counted_with_the_time_since_it_was_asked() {
    // given an approval after one second, a rejection after a minute, feedback after ten
    let mut world = start().await;
    for (verdict, millis) in
        [(Verdict::Approve, 1_000), (Verdict::Reject, 60_000), (Verdict::Respond, 600_000)]
    {
        let row = asked(&mut world).await;
        after(&world, millis);
        world.vote(&row, "approver", verdict).await.unwrap();
    }
    let begun = world.handle.now();
    // when the figures are asked for
    let all = stats(&world, "auditor", &json!({}));
    // then each verdict stands there, and so do the times
    let figures = of(&all, "approver");
    assert_eq!(figures["decisions"], 3);
    assert_eq!(figures["verdicts"], json!({"approve": 1, "reject": 1, "respond": 1}));
    assert_eq!((&figures["quick"], &figures["quick_per_cent"]), (&json!(1), &json!(33)));
    let took = |name: &str| figures["time_to_decide"][name].as_u64().unwrap();
    assert!((60_000..60_500).contains(&took("p50_ms")), "{figures:#}");
    assert!((600_000..605_000).contains(&took("p99_ms")), "{figures:#}");
    // and of somebody who has decided nothing there is a line too
    assert_eq!(of(&all, "second")["decisions"], 0);
    assert_eq!(of(&all, "second")["time_to_decide"], Value::Null);
    // and a span of time without decisions has none
    let later = stats(&world, "auditor", &json!({"since": begun.plus_millis(1).to_string()}));
    assert_eq!(of(&later, "approver")["decisions"], 0);
}

#[tokio::test]
async fn everybody_sees_their_own_figures_and_only_some_those_of_all() {
    let mut world = start().await;
    for who in ["approver", "second"] {
        let row = asked(&mut world).await;
        world.vote(&row, who, Verdict::Approve).await.unwrap();
    }
    let people = |stats: &Value| -> Vec<String> {
        let all = stats["approvers"].as_array().unwrap().iter();
        all.map(|figures| figures["user"].as_str().unwrap().to_owned()).collect()
    };
    // an approver sees their own, whether they say so or not
    assert_eq!(people(&stats(&world, "approver", &json!({}))), ["approver"]);
    let own = json!({"user": "approver"});
    assert_eq!(people(&stats(&world, "approver", &own)), ["approver"]);
    // and nobody else's
    let others = world.handle.inbox_stats(&caller("approver"), &json!({"user": "second"}));
    assert_eq!(others.unwrap_err().code(), "PL3060");
    let agent = world.handle.inbox_stats(&caller("agent"), &own);
    assert_eq!(agent.unwrap_err().code(), "PL3060");
    // each of the three roles sees all
    for role in [Role::Admin, Role::Auditor, Role::Operator] {
        let mut policy = people_with("watcher", role);
        policy.rules.clear();
        world.handle.apply_policy(&name("author"), policy).await.unwrap();
        let seen = people(&stats(&world, "watcher", &json!({})));
        assert_eq!(seen, ["approver", "second"], "{role}");
        assert_eq!(people(&stats(&world, "watcher", &own)), ["approver"], "{role}");
    }
}

fn people_with(who: &str, role: Role) -> placet_model::policy::Policy {
    let mut policy = people();
    let mut info = policy.principals[&name("auditor")].clone();
    info.roles = [role].into();
    policy.principals.insert(name(who), info);
    policy
}

#[tokio::test]
async fn an_expiry_counts_for_those_who_could_have_voted_then_and_is_unseen_where_nobody_did() {
    // given a request that expires with no vote
    let mut world = start().await;
    let row = asked(&mut world).await;
    world.advance_to(row.expires_at);
    let run = row.run;
    world.finished(run).await;
    // when an approver leaves afterwards
    let mut policy = people();
    let leaver = policy.principals.get_mut(&name("second")).unwrap();
    leaver.roles = [Role::Author].into();
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    // then it still counts for both: they could have voted when it expired
    let all = stats(&world, "author", &json!({}));
    for who in ["approver", "second"] {
        let figures = of(&all, who);
        let counted = (&figures["expired"], &figures["expired_unseen"]);
        assert_eq!(counted, (&json!(1), &json!(1)), "{who}");
    }
    let own = stats(&world, "second", &json!({}));
    assert_eq!(of(&own, "second")["expired_unseen"], 1);
}

#[tokio::test]
async fn an_approval_that_is_taken_back_is_reversed() {
    let mut policy = people();
    policy.rules = vec![serde_json::from_value(json!({
        "name": "two",
        "match": {"effect": [], "provider": [], "operation": [], "integration": [], "workflow": []},
        "require": {
            "thresholds": [{"from": [], "approve": 2, "deny": 1}],
            "expires": null, "reason_required": null, "self_approval": null,
        },
    }))
    .unwrap()];
    let mut world = start().await;
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    let row = asked(&mut world).await;
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.vote(&row, "second", Verdict::Reject).await.unwrap();
    let all = stats(&world, "auditor", &json!({}));
    assert_eq!(of(&all, "approver")["reversals"], 1);
    assert_eq!(of(&all, "approver")["reversed_by"], json!({"rejected": 1}));
    assert_eq!(of(&all, "second")["reversals"], 0);
}

#[tokio::test]
async fn malformed_wishes_are_refused() {
    let world = start().await;
    for asked in [
        json!({"since": "yesterday"}),
        json!({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}),
        json!({"from": "P1D"}),
    ] {
        let refused = world.handle.inbox_stats(&caller("auditor"), &asked).unwrap_err();
        assert_eq!(refused.code(), "PL4003", "{asked}");
    }
}

fn cast(row: &DecisionRow) -> VoteCast {
    VoteCast {
        decision: row.decision,
        digest: row.digest,
        verdict: Verdict::Approve,
        voter: name("second"),
        assurance: Assurance::Session,
        voted_at: row.requested_at,
        nonce: "n".to_owned(),
        reason: None,
        request_id: None,
        signed: None,
    }
}

/// Memory: one row at a time and one spread of fixed size for each person.
#[tokio::test]
async fn the_figures_of_a_hundred_thousand_decisions_are_those_of_each() {
    const VOTES: u128 = 100_000;
    let mut world = start().await;
    let log = world.handle.log().clone();
    for request in 0..20 {
        let row = asked(&mut world).await;
        let stream = StreamId::Run(row.run);
        // given that many votes of one person, each thousand two seconds after the one before
        for chunk in 0..VOTES / 20_000 {
            let first = (request * 5 + chunk) * 1_000;
            let votes = (0..1_000).map(|n| {
                let id = EventId::from_bytes((first + n + 1).to_be_bytes());
                NewEvent::new(id, Actor::Engine, cast(&row))
            });
            let append = Append::new(stream.clone(), Expected::Any, votes.collect());
            let at = row.requested_at.plus_millis(2_000 * (1 + i64::try_from(chunk).unwrap()));
            log.append_group(at, vec![append]).wait().unwrap();
        }
        after(&world, 20_000);
    }
    let begun = Instant::now();
    let all = world.handle.inbox_stats(&caller("auditor"), &json!({})).unwrap();
    println!("figures of {VOTES} decisions: {} ms", begun.elapsed().as_millis());
    let figures = of(&all, "second");
    assert_eq!(figures["decisions"], json!(100_000));
    assert_eq!((&figures["quick"], &figures["quick_per_cent"]), (&json!(20_000), &json!(20)));
    let took = |name: &str| figures["time_to_decide"][name].as_u64().unwrap();
    assert!((6_000..6_050).contains(&took("p50_ms")), "{figures:#}");
    assert!((10_000..10_080).contains(&took("p99_ms")), "{figures:#}");
    placet_projections::compare(&log.read().unwrap()).unwrap();
}
