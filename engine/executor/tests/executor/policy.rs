//! The policy through the engine: what is found in the bytes decides who is asked, votes given in
//! advance are counted in the log, notices come in time, and trying a policy out changes nothing.
//!
//! covers: T2, T3, T4, T13, T16, T17

use crate::world::{World, fixture, name, open_log, people, start, start_on};
use placet_executor::inbox::Caller;
use placet_executor::{Clock, Error};
use placet_language::{Source, check_policy};
use placet_model::actor::Role;
use placet_model::approval::Threshold;
use placet_model::decision::{Assurance, DecisionState, Verdict, Voter};
use placet_model::draft::Mode;
use placet_model::event::decision::NoticeKind;
use placet_model::event::governance::Review;
use placet_model::policy::Policy;
use placet_model::{Event, Position, Revision, RunId, StreamId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};

/// The policy of this text, with the people of every test.
fn policy(text: &str) -> Policy {
    let source = Source::new("policy.yaml", text);
    let (policy, findings) = check_policy(&source, Some(&people().principals));
    policy.unwrap_or_else(|| panic!("{findings:#?}"))
}

async fn under(text: &str) -> World {
    let world = start().await;
    world.handle.apply_policy(&name("author"), policy(text)).await.unwrap();
    world
}

async fn send(world: &mut World, channel: &str, text: &str) -> (RunId, Value) {
    let workflow = fixture("ok/slack-notify.yaml");
    let input = json!({"channel": channel, "text": text});
    let run = world.run(&workflow, input, Mode::Live).await;
    let report = world.settled(run).await;
    (run, report)
}

/// Slack takes the next message for the same channel.
fn a_moment_later(world: &World) {
    world.advance_to(world.handle.now().plus_millis(2_000));
}

/// The open request of a run.
fn item(world: &World, run: RunId) -> DecisionRow {
    let row = world.open_items().into_iter().find(|row| row.run == run);
    row.unwrap_or_else(|| panic!("{run} asks nobody"))
}

fn voter(who: &str) -> Voter {
    Voter { principal: name(who), assurance: Assurance::Session }
}

fn size(world: &World) -> Position {
    let view = world.handle.view().unwrap();
    view.events(Position::START).last().unwrap().unwrap().position
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> &'static str {
    answer.unwrap_err().code()
}

// ---- what is found in the bytes -----------------------------------------------------------

#[tokio::test]
async fn rules_match_what_is_in_the_bytes_and_not_what_is_said_of_them() {
    let mut world = under(
        r"
allowLists: { team: [C0TEAM] }
rules:
  - { name: all, require: { quorum: 1 } }
  - { name: long, match: { when: '.with.text | length > 20' }, require: { reasonRequired: always } }
  - { name: secret, match: { secretsFound: true }, require: { deny: true } }
  - { name: stranger, match: { outsideAllowList: team }, require: { expires: PT1H } }
  - { name: broken, match: { when: '.with.text + 1 > 2' }, require: { quorum: 2 } }
  - { name: trial, mode: shadow, match: { cardNumbersFound: true }, require: { deny: true } }
",
    )
    .await;
    let (run, _) = send(&mut world, "C0TEAM", "card 4111 1111 1111 1111").await;
    let row = item(&world, run);
    // the expression of `broken` fails on every text: the rule applies, and the card says why
    assert_eq!(row.requirement.rules, ["all", "broken", "long"]);
    assert_eq!(
        row.notes,
        [
            "rule \"broken\" applies: nobody can tell that it does not",
            "rule \"trial\" is in shadow mode and would ask for nobody to send it",
        ]
    );
    let caller =
        Caller { principal: name("approver"), assurance: Assurance::Session, request_id: None };
    let card = world.handle.inbox_get(&caller, &json!({"decision": row.decision})).unwrap();
    assert_eq!(card["policy"]["notes"], json!(row.notes));

    let (run, _) = send(&mut world, "C0OTHER", "short").await;
    assert_eq!(item(&world, run).requirement.rules, ["all", "broken", "stranger"]);

    let (run, report) = send(&mut world, "C0TEAM", "see xoxb-123-456").await;
    assert_eq!(report["status"], "faulted", "{report:#}");
    assert_eq!(report["error"]["detail"], "the policy refuses it: secret");
    assert!(!world.events(run).contains(&"DecisionRequested"));
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn the_first_contact_is_one_until_something_was_sent() {
    let mut world = under(
        "rules:\n  - { require: { quorum: 1 } }\n  - { match: { firstContact: true }, require: { quorum: 2 } }\n",
    )
    .await;
    let (first, _) = send(&mut world, "C0ONE", "hello").await;
    assert_eq!(item(&world, first).missing.len(), 0);
    assert_eq!(item(&world, first).requirement.thresholds.len(), 2);
    // asked again before anything was sent: still the first
    let (second, _) = send(&mut world, "C0ONE", "hello").await;
    assert_eq!(item(&world, second).requirement.thresholds.len(), 2);
    for who in ["approver", "second"] {
        world.vote(&item(&world, first), who, Verdict::Approve).await.unwrap();
    }
    assert_eq!(world.finished(first).await["status"], "completed");
    let (third, _) = send(&mut world, "C0ONE", "hello again").await;
    assert_eq!(item(&world, third).requirement.thresholds.len(), 1);
    let (other, _) = send(&mut world, "C0TWO", "hello").await;
    assert_eq!(item(&world, other).requirement.thresholds.len(), 2);
}

#[tokio::test]
async fn a_rule_that_refuses_by_now_voids_what_was_approved() {
    let mut world = under("rules: [{ require: { quorum: 1 } }]").await;
    let (run, _) = send(&mut world, "C0ONE", "hello").await;
    world.handle.pause(&name("author"), None).await.unwrap();
    world.vote(&item(&world, run), "approver", Verdict::Approve).await.unwrap();
    let stricter = policy("rules: [{ match: { target: C0ONE }, require: { deny: true } }]");
    world.handle.apply_policy(&name("author"), stricter).await.unwrap();
    world.handle.resume(&name("author"), None).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["error"]["detail"], "forbidden", "{report:#}");
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn an_unsure_approval_is_refused_with_its_code_and_changes_nothing() {
    let mut world = under("rules: [{ require: { quorum: 1, signature: nkey } }]").await;
    let (run, _) = send(&mut world, "C0ONE", "hello").await;
    let before = size(&world);
    let row = item(&world, run);
    assert_eq!(code(world.vote(&row, "approver", Verdict::Approve).await), "PL3030");
    assert_eq!(size(&world), before);
}

// ---- votes given in advance ---------------------------------------------------------------

const STANDING: &str = r"
rules: [{ require: { quorum: 1 } }]
standing:
  - name: status
    match: { operation: slack.chat.postMessage, target: C0STATUS }
    until: 2100-01-01T00:00:00Z
    maxPerDay: 2
    grantedBy: approver
";

#[tokio::test]
async fn t13_a_standing_approval_needs_the_votes_that_it_replaces_and_sends_then_counted() {
    let mut world = under(STANDING).await;
    // who applied it approves nothing, and the name in the file gives nothing
    let (waits, _) = send(&mut world, "C0STATUS", "up").await;
    assert_eq!(item(&world, waits).state, DecisionState::Requested);
    world.handle.endorse(&voter("approver"), "status").await.unwrap();
    for count in [1, 2] {
        a_moment_later(&world);
        let (run, report) = send(&mut world, "C0STATUS", "up").await;
        assert_eq!(report["status"], "completed", "{report:#}");
        let view = world.handle.view().unwrap();
        let events: Vec<Event> = view
            .stream(&StreamId::Run(run), Revision::START)
            .map(|event| event.unwrap().event)
            .collect();
        let used = events.iter().find_map(|event| match event {
            Event::StandingUsed(body) => Some((body.standing.as_str(), body.count)),
            _ => None,
        });
        assert_eq!(used, Some(("status", count)));
        let cast = events.iter().find_map(|event| match event {
            Event::VoteCast(body) => Some((body.voter.clone(), body.assurance)),
            _ => None,
        });
        assert_eq!(cast, Some((name("approver"), Assurance::Session)));
    }
    assert_eq!(world.recorder.count(), 2);
    // used up for today, and other arguments were never covered
    for channel in ["C0STATUS", "C0OTHER"] {
        let (run, _) = send(&mut world, channel, "up").await;
        assert_eq!(item(&world, run).votes.len(), 0, "{channel}");
    }
    assert_eq!(world.recorder.count(), 2);
}

#[tokio::test]
async fn a_restart_does_not_reset_the_count_of_the_day() {
    let log = open_log(None);
    let clock = Clock::virtual_start();
    let mut world = start_on(log.clone(), clock.clone()).await;
    world.furnish().await;
    world.handle.apply_policy(&name("author"), policy(STANDING)).await.unwrap();
    world.handle.endorse(&voter("approver"), "status").await.unwrap();
    // somebody is waited for, so the clock stands still
    send(&mut world, "C0OTHER", "up").await;
    for _ in 0..2 {
        a_moment_later(&world);
        assert_eq!(send(&mut world, "C0STATUS", "up").await.1["status"], "completed");
    }
    world.engine.stop().await.unwrap();
    let mut world = start_on(log, clock).await;
    let (run, report) = send(&mut world, "C0STATUS", "up").await;
    assert_eq!(report["status"], "waiting", "{report:#}");
    assert_eq!(item(&world, run).votes.len(), 0);
    assert_eq!(world.recorder.count(), 0);
    // the next day counts anew
    let tomorrow = world.handle.moment(item(&world, run).requested_at).now.plus_millis(86_400_000);
    world.advance_to(tomorrow);
    assert_eq!(send(&mut world, "C0STATUS", "up").await.1["status"], "completed");
}

#[tokio::test]
async fn a_standing_approval_that_is_reworded_has_to_be_given_again() {
    let mut world = under(STANDING).await;
    world.handle.endorse(&voter("approver"), "status").await.unwrap();
    let wider = STANDING.replace("maxPerDay: 2", "maxPerDay: 200");
    world.handle.apply_policy(&name("author"), policy(&wider)).await.unwrap();
    let (run, _) = send(&mut world, "C0STATUS", "up").await;
    assert_eq!(item(&world, run).votes.len(), 0);
}

#[tokio::test]
async fn agents_neither_apply_a_policy_nor_give_votes_in_advance() {
    let world = under(STANDING).await;
    let mut spoilt = policy(STANDING);
    let agent = spoilt.principals.get_mut(&name("agent")).unwrap();
    agent.roles.extend([Role::Admin, Role::Approver]);
    world.handle.apply_policy(&name("author"), spoilt.clone()).await.unwrap();
    assert_eq!(code(world.handle.apply_policy(&name("agent"), people()).await), "PL3012");
    assert_eq!(code(world.handle.endorse(&voter("agent"), "status").await), "PL3012");
    assert_eq!(code(world.handle.endorse(&voter("auditor"), "status").await), "PL4005");
    assert_eq!(code(world.handle.apply_policy(&name("approver"), people()).await), "PL4005");
}

// ---- who never decides --------------------------------------------------------------------

#[tokio::test]
async fn t03_no_role_lets_the_requester_decide_by_whatever_verdict() {
    // an agent causes no run of a workflow that it has deployed; that agents never vote is core's
    for role in Role::ALL.iter().filter(|role| **role != Role::Agent) {
        let mut spoilt = policy(
            "rules: [{ require: { quorum: 1 } }]\nbreakGlass: { who: [second, approver], review: [second, approver] }",
        );
        spoilt.break_glass.as_mut().unwrap().who.push(name("author"));
        let author = spoilt.principals.get_mut(&name("author")).unwrap();
        author.roles.extend([*role, Role::Approver]);
        let mut world = start().await;
        world.handle.apply_policy(&name("author"), spoilt).await.unwrap();
        let (run, _) = send(&mut world, "C0ONE", "hello").await;
        let row = item(&world, run);
        for verdict in ["approve", "reject", "respond", "break_glass"] {
            let caller = Caller {
                principal: name("author"),
                assurance: Assurance::Passkey,
                request_id: None,
            };
            let ballot = world.ballot(&row, Verdict::Approve);
            let body = json!({
                "decision": row.decision, "verdict": verdict, "digest": row.digest,
                "nonce": ballot.nonce, "time": ballot.time, "reason": "because",
            });
            assert!(world.handle.inbox_decide(&caller, &body).await.is_err(), "{role}: {verdict}");
        }
        assert_eq!(item(&world, run).votes.len(), 0, "{role}");
        assert_eq!(world.recorder.count(), 0, "{role}");
    }
}

// ---- in time ------------------------------------------------------------------------------

#[tokio::test]
async fn notices_come_when_they_are_due_and_an_answer_outlives_them() {
    let mut world = under(
        r"
rules:
  - require:
      approvers: [approver]
      expires: P2D
      remind: { every: PT8H }
      escalate: { after: PT12H, to: [second] }
",
    )
    .await;
    let (run, _) = send(&mut world, "C0ONE", "hello").await;
    let row = item(&world, run);
    assert_eq!(code(world.vote(&row, "second", Verdict::Approve).await), "PL3008");
    let notices = |world: &World| -> Vec<NoticeKind> {
        let view = world.handle.view().unwrap();
        let stream = StreamId::Run(run);
        view.stream(&stream, Revision::START)
            .filter_map(|event| match event.unwrap().event {
                Event::ApproversReminded(body) => Some(body.kind),
                _ => None,
            })
            .collect()
    };
    for expected in [1, 2] {
        world.advance_to_due();
        while notices(&world).len() < expected {
            world.settled(run).await;
        }
    }
    assert_eq!(notices(&world), [NoticeKind::Reminder, NoticeKind::Escalation]);
    // once it has come to that, the other one may decide as well
    world.vote(&item(&world, run), "second", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    world.advance_to(row.expires_at.plus_millis(1));
    assert_eq!(notices(&world).len(), 2, "nobody is reminded of what is decided");
    assert_eq!(world.recorder.count(), 1);
}

// ---- what an author asks for ----------------------------------------------------------------

const AUTHORS: &str = r"
document: { dsl: '1.0.3', namespace: test, name: asks, version: '1.0.0' }
do:
  - send:
      call: slack.chat.postMessage
      with: { channel: C0ONE, text: hello }
      metadata:
        approval:
          approvers: [approver]
          policy: outbound
          escalate: { after: PT12H, to: [second] }
          remind: { every: PT8H }
";

/// A set of rules, an escalation and a reminder in the workflow itself: they add to what the project
/// asks for, and take nothing away.
#[tokio::test]
async fn an_author_names_a_set_of_rules_an_escalation_and_reminders_and_only_tightens() {
    let mut world = under(
        "rules:\n  - { name: all, require: { quorum: 1 } }\n  - { name: out, set: outbound, require: { expires: P1D, reasonRequired: always } }\n  - { name: other, set: inbound, require: { quorum: 2 } }\n",
    )
    .await;
    let run = world.run(AUTHORS, Value::Null, Mode::Live).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    let row = item(&world, run);
    assert_eq!(row.requirement.rules, ["all", "out"]);
    assert_eq!(row.expires_at.millis_since(row.requested_at), 24 * 60 * 60 * 1000);
    assert_eq!(row.requirement.thresholds.len(), 2, "the project's, and the author's");
    assert_eq!(code(world.vote(&row, "approver", Verdict::Approve).await), "PL3009");
    let with_reason = |row: &DecisionRow, who: &str| {
        let mut ballot = world.ballot(row, Verdict::Approve);
        ballot.reason = Some("seen".to_owned());
        placet_executor::Vote { ballot, voter: voter(who), request_id: None, signed: None }
    };
    // before its time an escalation lets nobody meet the author's threshold
    world.handle.vote(with_reason(&row, "second")).await.unwrap();
    assert_eq!(item(&world, run).state, DecisionState::Requested);
    world.advance_to(row.requested_at.plus_millis(12 * 60 * 60 * 1000));
    world.handle.vote(with_reason(&row, "approver")).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    assert!(world.events(run).contains(&"ApproversReminded"), "{:?}", world.events(run));
}

// ---- emergencies --------------------------------------------------------------------------

#[tokio::test]
async fn an_emergency_sends_at_once_and_stays_open_until_somebody_else_has_looked_at_it() {
    let mut world = under(
        "rules: [{ require: { quorum: 2 } }]\nbreakGlass: { who: [approver], review: [second, approver] }",
    )
    .await;
    let (run, _) = send(&mut world, "C0ONE", "the house is on fire").await;
    let row = item(&world, run);
    assert_eq!(code(world.vote(&row, "second", Verdict::BreakGlass).await), "PL3031");
    let mut ballot = world.ballot(&row, Verdict::BreakGlass);
    ballot.reason = Some("the house is on fire".to_owned());
    let vote =
        placet_executor::Vote { ballot, voter: voter("approver"), request_id: None, signed: None };
    world.handle.vote(vote).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    assert_eq!(world.handle.unreviewed().unwrap().len(), 1);
    let say = (row.decision, Review::Justified);
    assert_eq!(code(world.handle.review(&name("approver"), say, None).await), "PL3034");
    assert_eq!(code(world.handle.review(&name("author"), say, None).await), "PL3008");
    world.handle.review(&name("second"), say, Some("seen the smoke".to_owned())).await.unwrap();
    assert_eq!(world.handle.unreviewed().unwrap(), vec![]);
    assert_eq!(code(world.handle.review(&name("second"), say, None).await), "PL3034");
}

/// Whoever has approved, written or caused what was sent in an emergency is no second pair of eyes.
#[tokio::test]
async fn nobody_who_is_involved_looks_at_an_emergency_afterwards() {
    let mut world = under(
        "rules: [{ require: { quorum: 2 } }]\nbreakGlass: { who: [approver], review: [approver, second, author, auditor] }",
    )
    .await;
    let (run, _) = send(&mut world, "C0ONE", "the house is on fire").await;
    let vote = |row: &DecisionRow, who: &str, verdict| placet_executor::Vote {
        ballot: world.ballot(row, verdict),
        voter: voter(who),
        request_id: None,
        signed: None,
    };
    // given a draft that one has edited, and for which another one breaks the glass
    let edit = vote(&item(&world, run), "second", Verdict::Edit);
    let with = json!({"channel": "C0ONE", "text": "the house is on fire, all of it"});
    world.handle.edit(edit, with).await.unwrap();
    let row = item(&world, run);
    assert_eq!(row.editor, Some(name("second")));
    world.handle.vote(vote(&row, "approver", Verdict::BreakGlass)).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    let say = (row.decision, Review::Justified);
    for (who, part) in [("approver", "broke the glass"), ("second", "wrote"), ("author", "asked")] {
        assert_eq!(code(world.handle.review(&name(who), say, None).await), "PL3034", "who {part}");
    }
    world.handle.review(&name("auditor"), say, None).await.unwrap();

    // given one approval of two, and then an emergency
    let (run, _) = send(&mut world, "C0ONE", "again").await;
    let row = item(&world, run);
    world.vote(&row, "second", Verdict::Approve).await.unwrap();
    world.vote(&row, "approver", Verdict::BreakGlass).await.unwrap();
    world.finished(run).await;
    let say = (row.decision, Review::Justified);
    assert_eq!(code(world.handle.review(&name("second"), say, None).await), "PL3034");
    world.handle.review(&name("auditor"), say, None).await.unwrap();
}

// ---- trying a policy out ------------------------------------------------------------------

#[tokio::test]
async fn a_policy_is_tried_out_on_what_was_asked_and_nothing_is_recorded() {
    let mut world = under("rules: [{ require: { quorum: 1 } }]").await;
    let (first, _) = send(&mut world, "C0ONE", "hello").await;
    world.vote(&item(&world, first), "approver", Verdict::Approve).await.unwrap();
    world.finished(first).await;
    let (second, _) = send(&mut world, "C0ONE", "see xoxb-123-456").await;
    let before = size(&world);
    let mut other = policy(
        r#"
rules:
  - { require: { quorum: 1 } }
  - { name: fresh, match: { firstContact: true }, require: { quorum: 2 } }
  - { name: leak, match: { secretsFound: true }, require: { deny: true } }
  - { name: alone, match: { when: '.with.text == "hello"' }, require: { quorum: 1 } }
"#,
    );
    other.rules[3].require.thresholds = vec![Threshold::of(vec![name("author")], 1)];
    let answer = world.handle.simulate_policy(&other, None).unwrap();
    assert_eq!(
        answer["summary"],
        json!({"decisions": 2, "changed": 2, "refused": 1, "out_of_reach": 1, "unreadable": 0})
    );
    let of = |run: RunId| {
        let lines = answer["decisions"].as_array().unwrap();
        lines.iter().find(|line| line["run"] == json!(run)).unwrap().clone()
    };
    // as it was then: nothing had been sent to the channel before the first
    let line = of(first);
    assert_eq!(line["then"]["needed"], json!(["1 approval by any approver"]));
    assert!(line["now"]["rules"].as_array().unwrap().contains(&json!("fresh")), "{line:#}");
    assert_eq!(line["now"]["out_of_reach"].as_array().unwrap().len(), 1, "{line:#}");
    let line = of(second);
    assert_eq!(line["refused_by"], json!(["leak"]));
    assert!(!line["now"]["rules"].as_array().unwrap().contains(&json!("fresh")), "{line:#}");
    let one = item(&world, second).decision;
    let answer = world.handle.simulate_policy(&other, Some(one)).unwrap();
    assert_eq!(answer["summary"]["decisions"], 1);
    assert_eq!(size(&world), before, "nothing is appended");
}
