//! Editing a draft, through the engine: types survive, the schema is checked, the policy is asked
//! again, and what leaves is what somebody else has approved.
//!
//! covers: T8, T9, T10, T22, S1, A1, A2, A11

use crate::world::{World, fixture, name, people, start};
use placet_executor::inbox::Caller;
use placet_executor::{Error, Receipt, Vote};
use placet_model::approval::Threshold;
use placet_model::decision::{Assurance, DecisionState, Verdict, Voter};
use placet_model::draft::Mode;
use placet_model::policy::{Match, Require, Rule};
use placet_model::{Event, RunId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};

const HOOK: &str = r"
document: { dsl: '1.0.3', namespace: sales, name: hook, version: '1.0.0' }
do:
  - tell:
      call: http
      with:
        method: post
        endpoint: https://example.com/in
        body: '${ .body }'
      output: { as: '${ $runtime.metadata.approval }' }
";

async fn asked(world: &mut World, text: &str, input: Value) -> (RunId, DecisionRow) {
    let run = world.run(text, input, Mode::Live).await;
    let report = world.settled(run).await;
    assert_eq!(report["status"], "waiting", "{report:#}");
    let row = world.open_items().into_iter().find(|row| row.run == run).unwrap();
    (run, row)
}

async fn message(world: &mut World) -> (RunId, DecisionRow) {
    let input = json!({"channel": "C0123", "text": "hello"});
    asked(world, &fixture("ok/slack-notify.yaml"), input).await
}

async fn edit(world: &World, row: &DecisionRow, who: &str, with: Value) -> Result<Receipt, Error> {
    let vote = Vote {
        ballot: world.ballot(row, Verdict::Edit),
        voter: Voter { principal: name(who), assurance: Assurance::Test },
        request_id: None,
        signed: None,
    };
    world.handle.edit(vote, with).await
}

fn successor(world: &World, receipt: Receipt) -> DecisionRow {
    assert_eq!(receipt.state, DecisionState::Superseded);
    let next = receipt.successor.expect("an edit is asked for anew");
    world.open_items().into_iter().find(|row| row.decision == next).unwrap()
}

fn card(world: &World, row: &DecisionRow) -> Value {
    let caller = Caller { principal: name("author"), assurance: Assurance::Test, request_id: None };
    world.handle.inbox_get(&caller, &json!({ "decision": row.decision })).unwrap()
}

fn with_of(world: &World, row: &DecisionRow) -> Value {
    let view = world.handle.view().unwrap();
    let stream = placet_model::StreamId::Run(row.run);
    serde_json::from_slice(view.payload(&stream, row.with).unwrap().as_bytes()).unwrap()
}

#[tokio::test]
async fn what_leaves_is_what_the_edit_says_once_somebody_else_has_approved_it() {
    let mut world = start().await;
    let (run, row) = message(&mut world).await;
    let receipt = edit(&world, &row, "approver", json!({"channel": "C0123", "text": "good day"}));
    let next = successor(&world, receipt.await.unwrap());
    let refused = world.vote(&next, "approver", Verdict::Approve).await.unwrap_err();
    assert_eq!(refused.code(), "PL3050");
    assert_eq!(world.recorder.count(), 0);
    world.vote(&next, "second", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    let seen = world.recorder.seen.lock().unwrap();
    let [sent] = &seen[..] else { unreachable!("one call") };
    assert_eq!(sent.to_view()["body"]["text"], "good day");
    assert_eq!(
        world.events(run)[3..9],
        [
            "DecisionRequested",
            "VoteCast",
            "DecisionSettled",
            "DraftEdited",
            "DraftPrepared",
            "DecisionRequested"
        ]
    );
}

#[tokio::test]
async fn an_edit_is_one_append_and_changes_digest_send_id_and_nonce() {
    let mut world = start().await;
    let (run, row) = message(&mut world).await;
    let receipt = edit(&world, &row, "approver", json!({"channel": "C0123", "text": "b"})).await;
    let next = successor(&world, receipt.unwrap());
    let (before, after) = (card(&world, &row), card(&world, &next));
    for member in ["revision", "send_id", "nonce", "request_digest"] {
        assert_ne!(before["document"][member], after["document"][member], "{member}");
    }
    assert_ne!(row.digest, next.digest);
    for member in ["project", "run", "task", "plan_digest", "operation", "operation_digest"] {
        assert_eq!(before["document"][member], after["document"][member], "{member}");
    }
    let view = world.handle.view().unwrap();
    let stream = placet_model::StreamId::Run(run);
    let events: Vec<_> =
        view.stream(&stream, placet_model::Revision::START).map(Result::unwrap).collect();
    let times: Vec<_> = events[4..9].iter().map(|event| event.recorded_at).collect();
    assert!(times.windows(2).all(|pair| pair[0] == pair[1]), "one append: {times:?}");
    let late = world.vote(&row, "second", Verdict::Approve).await.unwrap_err();
    assert_eq!(late.code(), "PL3007");
}

/// T9: every JSON type survives an edit.
#[tokio::test]
async fn t09_numbers_booleans_null_and_nested_arrays_survive_an_edit() {
    let mut world = start().await;
    let (run, row) = asked(&mut world, HOOK, json!({"body": {"a": 1}})).await;
    let mut body = json!({
        "whole": 3, "real": 40.5, "round": 40.0, "words": "40.0", "big": 9_007_199_254_740_993_i64, "text": "3", "yes": true,
        "none": null, "empty": {}, "list": [1, "1", null, [true, [2.5]], {"x": []}],
    });
    let mut with = with_of(&world, &row);
    with["body"] = body.clone();
    let next = successor(&world, edit(&world, &row, "approver", with).await.unwrap());
    // what is kept is what was written, to the spelling of a number
    assert_eq!(with_of(&world, &next)["body"], body);
    assert!(with_of(&world, &next)["body"]["round"].is_f64());
    world.vote(&next, "second", Verdict::Approve).await.unwrap();
    world.finished(run).await;
    let seen = world.recorder.seen.lock().unwrap();
    let sent = seen[0].to_view();
    // what leaves has one spelling for each number (RFC 8785: 40.0 is 40), and never another type
    body["round"] = json!(40);
    assert_eq!(sent["body"], body);
    assert!(sent["body"]["real"].is_f64() && sent["body"]["whole"].is_i64());
    assert!(sent["body"]["words"].is_string());
}

/// T8 and the schema: what an edit may not become.
#[tokio::test]
async fn t08_an_edit_changes_no_operation_and_must_fit_its_schema() {
    let mut world = start().await;
    let (_, row) = message(&mut world).await;
    let cases = [
        (json!({"channel": "C0123", "text": 5}), "a text that is a number"),
        (json!({"text": "x"}), "no channel"),
        (json!({"channel": "C0123", "text": "x", "integration": "other"}), "another integration"),
        (json!({"channel": "C0123", "text": "hello"}), "nothing changes"),
    ];
    for (with, case) in cases {
        let error = edit(&world, &row, "approver", with).await.unwrap_err();
        assert_eq!(error.code(), "PL3051", "{case}: {error}");
    }
    let (_, call) = asked(&mut world, HOOK, json!({"body": {"a": 1}})).await;
    let mut with = with_of(&world, &call);
    with["method"] = json!("delete");
    let error = edit(&world, &call, "approver", with).await.unwrap_err();
    assert_eq!(error.code(), "PL3051", "{error}");
    assert!(error.to_string().contains("http.delete instead of http.request"), "{error}");
    let open = world.open_items();
    assert!(open.iter().all(|row| row.draft_revision == 1), "nothing was recorded: {open:?}");
}

#[tokio::test]
async fn t08_an_edit_is_asked_for_under_the_policy_of_now() {
    let mut world = start().await;
    let (_, row) = message(&mut world).await;
    let mut policy = people();
    let threshold = Threshold { from: vec![], approve: 2, deny: 1, escalate: None };
    let require = Require { thresholds: vec![threshold], ..Require::default() };
    let matches = Match { operation: vec!["slack.chat.postMessage".into()], ..Match::default() };
    policy.rules.push(Rule { name: "two".into(), matches, require, ..Rule::default() });
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    let with = json!({"channel": "C9999", "text": "hello"});
    let next = successor(&world, edit(&world, &row, "approver", with).await.unwrap());
    assert_eq!(next.requirement.rules, ["two"]);
    assert_eq!(card(&world, &next)["target"], "C9999");
    let receipt = world.vote(&next, "second", Verdict::Approve).await.unwrap();
    assert_eq!(receipt.state, DecisionState::Requested);
    let words = card(&world, &next)["policy"]["out_of_reach"].to_string();
    assert!(words.contains("only 1 could give it"), "{words}");
}

#[tokio::test]
async fn the_card_shows_what_an_edit_has_changed_and_who_made_it() {
    let mut world = start().await;
    let (_, row) = message(&mut world).await;
    assert_eq!(card(&world, &row)["changes"], Value::Null);
    let with = json!({"channel": "C0123", "text": "hello", "unfurl_links": false});
    let next = successor(&world, edit(&world, &row, "approver", with).await.unwrap());
    let shown = card(&world, &next);
    assert_eq!(shown["editor"], "approver");
    let changes = &shown["changes"];
    assert_eq!((&changes["revision"], &changes["origin"]), (&json!(1), &json!("edit")));
    assert_eq!(changes["supersedes"], row.decision.to_string());
    assert_eq!(
        changes["with"],
        json!([{"path": "/unfurl_links", "change": "added", "new": false}])
    );
}

/// T10: what comes of the step says that it was edited.
#[tokio::test]
async fn t10_the_output_of_the_step_may_say_that_its_draft_was_edited() {
    let mut world = start().await;
    let (run, row) = asked(&mut world, HOOK, json!({"body": {"a": 1}})).await;
    let mut with = with_of(&world, &row);
    with["body"] = json!({"a": 2});
    let next = successor(&world, edit(&world, &row, "approver", with).await.unwrap());
    world.recorder.answer(200, &json!({"ok": true}));
    world.vote(&next, "second", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["output"]["edited"], true, "{report:#}");
    assert_eq!(report["output"]["votes"][0]["principal"], "second");

    let (run, row) = asked(&mut world, HOOK, json!({"body": {"a": 3}})).await;
    world.recorder.answer(200, &json!({"ok": true}));
    world.vote(&row, "second", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["output"]["edited"], false);
}

/// T10: the same draft again, by whatever run, is recognised; another one is not.
#[tokio::test]
async fn t10_a_draft_that_was_replaced_before_is_flagged_when_it_is_asked_for_again() {
    let mut world = start().await;
    let (_, first) = message(&mut world).await;
    let flagged = |world: &World, row| {
        let warnings = card(world, row)["warnings"].to_string();
        warnings.contains("replaced this very draft before")
    };
    assert!(!flagged(&world, &first));
    let with = json!({"channel": "C0123", "text": "better"});
    let next = successor(&world, edit(&world, &first, "approver", with).await.unwrap());
    assert!(!flagged(&world, &first) && !flagged(&world, &next));
    let (_, again) = message(&mut world).await;
    assert!(flagged(&world, &again), "{:#}", card(&world, &again));
    let input = json!({"channel": "C0123", "text": "another"});
    let (_, other) = asked(&mut world, &fixture("ok/slack-notify.yaml"), input).await;
    assert!(!flagged(&world, &other));
}

#[tokio::test]
async fn no_clear_text_of_a_draft_stands_in_the_event_of_its_edit() {
    let mut world = start().await;
    let (run, row) = message(&mut world).await;
    let with = json!({"channel": "C0123", "text": "private words"});
    edit(&world, &row, "approver", with).await.unwrap();
    let view = world.handle.view().unwrap();
    let stream = placet_model::StreamId::Run(run);
    let edited = view.stream(&stream, placet_model::Revision::START).find_map(|event| match event
        .unwrap()
        .event
    {
        Event::DraftEdited(body) => Some(body),
        _ => None,
    });
    let text = serde_json::to_string(&edited.unwrap()).unwrap();
    assert!(!text.contains("private") && !text.contains("hello"), "{text}");
}

#[tokio::test]
async fn a_reassigned_request_waits_for_those_it_was_left_to() {
    let mut world = start().await;
    let (run, row) = message(&mut world).await;
    let vote = Vote {
        ballot: world.ballot(&row, Verdict::Reassign),
        voter: Voter { principal: name("approver"), assurance: Assurance::Test },
        request_id: Some("req-1".into()),
        signed: None,
    };
    let first = world.handle.reassign(vote.clone(), vec![name("second")]).await.unwrap();
    let again = world.handle.reassign(vote, vec![name("second")]).await.unwrap();
    assert_eq!(first.position, again.position, "the same request id, the same answer");
    let list = |who: &str| {
        let caller = Caller { principal: name(who), assurance: Assurance::Test, request_id: None };
        world.handle.inbox_list(&caller, &json!({})).unwrap()["items"].as_array().unwrap().len()
    };
    assert_eq!((list("approver"), list("second")), (0, 1));
    let shown = card(&world, &row);
    assert_eq!(shown["assigned"], json!(["second"]));
    assert_eq!(world.vote(&row, "approver", Verdict::Approve).await.unwrap_err().code(), "PL3008");
    world.vote(&row, "second", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
}

/// T22: what the workflow gets of every no is an error that it may catch, never a value.
#[tokio::test]
async fn t22_every_end_of_a_request_but_approval_is_an_error_of_its_own() {
    for (verdict, who, kind, detail) in [
        (Verdict::Reject, "approver", "approval-rejected", Some("because")),
        (Verdict::Respond, "approver", "approval-response", Some("because")),
        (Verdict::Withdraw, "author", "approval-withdrawn", None),
    ] {
        let mut world = start().await;
        let (run, row) = message(&mut world).await;
        world.vote(&row, who, verdict).await.unwrap();
        let report = world.finished(run).await;
        let error = &report["error"];
        assert_eq!(error["type"], format!("urn:placet:errors:{kind}"), "{report:#}");
        if let Some(detail) = detail {
            assert_eq!(error["detail"], detail);
        }
        assert_eq!(world.recorder.count(), 0);
    }
}

/// T11: the process dies at every commit around an edit. The next one finds all of it, or none.
#[tokio::test]
async fn an_edit_is_found_whole_or_not_at_all_after_every_crash() {
    use crate::crash::{Kill, open};
    let (mut edited, mut lost) = (0, 0);
    for kill in [Kill::Before, Kill::After] {
        // policy, connection, workflow, run, edit
        for commit in 4..8 {
            let dir = tempfile::tempdir().unwrap();
            let (log, _death) = open(dir.path(), kill(commit));
            let clock = placet_executor::Clock::virtual_start();
            let recorder = std::sync::Arc::<crate::world::Recorder>::default();
            let started = crate::world::try_start(log, clock.clone(), recorder).await;
            let Ok(world) = started else { continue };
            let _dead_or_not = tell(&world).await;
            let World { engine, handle, .. } = world;
            drop(handle);
            let _dead_or_not = engine.stop().await;

            let (log, _) = open(dir.path(), Kill::Never);
            let world = crate::world::start_on(log, clock).await;
            let open = world.open_items();
            let Some(row) = open.first() else { continue };
            assert_eq!(open.len(), 1, "{open:?}");
            let changed = with_of(&world, row)["text"] == "edited";
            let expected = if changed { (2, Some(name("approver"))) } else { (1, None) };
            assert_eq!((row.draft_revision, row.editor.clone()), expected);
            if changed { edited += 1 } else { lost += 1 }
        }
    }
    assert!(edited > 0 && lost > 0, "both were reached: {edited} {lost}");
}

/// Furnishes a project, runs, edits, until the process dies.
async fn tell(world: &World) -> Result<(), Error> {
    world.handle.apply_policy(&name("author"), people()).await?;
    let connect = placet_executor::govern::Connect {
        name: "slack".into(),
        provider: "slack".into(),
        settings: Value::Null,
        identity: placet_model::integration::Identity { id: "B1".into(), tenant: "T1".into() },
        label: "Test".into(),
        is_default: true,
        credential: None,
        scopes: None,
    };
    let id = world.handle.integration_id("slack");
    world.handle.connect(&name("author"), id, connect).await?;
    let text = fixture("ok/slack-notify.yaml");
    let plan = world.handle.deploy(&name("author"), world.plan(&text), &text).await?;
    let input = json!({"channel": "C0123", "text": "hello"});
    let (requester, mode) = (name("author"), Mode::Live);
    let start = placet_executor::Start { plan, input, requester, mode, seed: 0 };
    world.handle.start(start).await?;
    let row = world.open_items().remove(0);
    edit(world, &row, "approver", json!({"channel": "C0123", "text": "edited"})).await.map(|_| ())
}
