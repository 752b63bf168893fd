//! The life of a connection as an operator meets it, against a stand-in Slack on loopback: test, send with
//! approval, a credential that is refused, rotate, see what uses it, disconnect.

use placet_test_support::provider::{Answer, Behaviour};
use serde_json::{Value, json};

use crate::world::{Asked, Live, POST, kinds};

const WHO: &str = "/api/auth.test";
const NEW_TOKEN: &str = "xoxb-e2e-rotated";

/// `auth.test` of a workspace's bot.
fn account(bot: &str) -> Behaviour {
    let body = json!({
        "ok": true, "team": "Example", "team_id": "T0EXAMPLE",
        "user": "placet", "user_id": "U0PLACET", "bot_id": bot,
    });
    let scopes = "chat:write,channels:read,channels:history,users:read";
    Behaviour::Answer(Answer::json(&body).header("x-oauth-scopes", scopes))
}

fn refusal() -> Behaviour {
    Behaviour::Answer(Answer::json(&json!({"ok": false, "error": "token_revoked"})))
}

/// Events of the integration's own stream, by type.
fn history(live: &Live) -> Vec<String> {
    let events = live.json_lines(&["audit", "log"]);
    let own = |event: &&Value| {
        event["stream"].as_str().is_some_and(|stream| stream.starts_with("integration:"))
    };
    events
        .iter()
        .filter(own)
        .map(|event| event["type"].as_str().expect("a type").to_owned())
        .collect()
}

fn rotate(live: &Live, more: &[&str], code: i32) -> String {
    let args = ["integrations", "rotate", "slack", "--credential", "access_token=env:NEW"];
    let done = live.placet(args).args(more.iter().copied()).args(["--as", "author"]);
    let done = done.env("NEW", NEW_TOKEN).run().expect_code(code);
    format!("{}{}", done.stdout, done.stderr)
}

/// The token of the last message that arrived.
fn last_token(live: &Live) -> String {
    let posts = live.posts();
    let last = posts.last().expect("a message");
    last.header("authorization").expect("a token").to_owned()
}

fn status(live: &Live) -> String {
    let shown = live.json("author", &["integrations", "show", "slack"]);
    shown["status"].as_str().expect("a status").to_owned()
}

/// A request that is approved and cannot go yet.
fn held(live: &Live) -> Asked {
    let asked = live.ask("Hello");
    live.done("author", &["pause"]);
    live.approve(&asked);
    live.until(&asked.run, "DecisionSettled");
    asked
}

#[test]
fn a_test_says_who_it_is_what_its_scopes_enable_and_what_is_missing_for_the_rest() {
    let live = Live::start();
    let before = history(&live).len();
    let said = live.done("author", &["integrations", "test", "slack"]).stdout;
    assert!(said.contains("B0PLACET of T0EXAMPLE"), "{said}");
    assert!(said.contains("base (send, list_channels, list_users)"), "{said}");
    assert!(said.contains("inbound (replies): needs im:history"), "{said}");
    assert!(said.contains("needs one of groups:history, im:history"), "{said}");
    assert_eq!(history(&live)[before..], ["CredentialUsed", "IntegrationTested"]);

    let told = live.json("author", &["integrations", "test", "slack"]);
    assert_eq!(
        (&told["ok"], &told["was"], &told["status"]),
        (&json!(true), &Value::Null, &json!("active"))
    );
    let shown = live.json("author", &["integrations", "show", "slack"]);
    assert_eq!(shown["scopes"], told["scopes"]);
    assert_eq!(shown["features"], told["features"]);
    assert_eq!(shown["tested_ok"], json!(true));
    // who may only read may look, and not ask
    live.done("auditor", &["integrations", "show", "slack"]);
    let asked = live.placet(["integrations", "test", "slack", "--as", "approver"]).run();
    assert!(asked.expect_code(1).stderr.contains("PL4005"));
}

#[test]
fn a_refused_credential_holds_what_was_approved_and_a_good_test_lets_it_go() {
    let live = Live::start();
    live.provider.next_for(WHO, refusal());
    let test =
        live.placet(["integrations", "test", "slack", "--as", "author"]).run().expect_code(1);
    assert!(test.stdout.contains("token_revoked"), "{}", test.stdout);
    assert_eq!(status(&live), "failed");

    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "DecisionSettled");
    let item = live.inbox();
    assert!(item[0]["hold"].as_str().is_some_and(|hold| hold.contains("has failed")), "{item:?}");
    assert_eq!(live.posts(), [], "it waits, and does not fault");

    live.done("author", &["integrations", "test", "slack"]);
    live.until(&asked.run, "RunCompleted");
    assert_eq!((status(&live).as_str(), live.posts().len()), ("active", 1));
}

#[test]
fn a_provider_that_is_not_heard_says_nothing_about_a_credential() {
    let live = Live::start();
    for silence in [
        Behaviour::Reset,
        Behaviour::refuse(503, &json!({})),
        Behaviour::TooManyRequests { retry_after_s: 9 },
    ] {
        live.provider.next_for(WHO, silence.clone());
        let test =
            live.placet(["integrations", "test", "slack", "--as", "author"]).run().expect_code(1);
        assert!(test.stderr.contains("PL4061"), "{silence:?}: {}", test.stderr);
        assert_eq!(status(&live), "active", "{silence:?}");
    }
}

#[test]
fn another_account_behind_the_same_credential_is_said_loudly_and_voids_what_was_approved() {
    let live = Live::start();
    let asked = held(&live);
    live.provider.next_for(WHO, account("B0OTHER"));
    let test = live.done("author", &["integrations", "test", "slack"]);
    assert!(test.stderr.contains("ANOTHER ACCOUNT"), "{}", test.stderr);
    assert!(test.stderr.contains("B0OTHER") && test.stderr.contains("B0PLACET"), "{}", test.stderr);
    live.done("author", &["resume"]);
    let events = live.until(&asked.run, "DecisionVoided");
    assert_eq!(events.last().expect("an event")["body"]["field"], json!("identity"));
    assert_eq!(live.posts(), []);
}

#[test]
fn a_rotated_credential_is_tested_first_and_used_by_what_was_approved_before() {
    let live = Live::start();
    let asked = held(&live);
    // the provider refuses it: the old one stays in force
    live.provider.next_for(WHO, refusal());
    let refused = rotate(&live, &[], 1);
    assert!(
        refused.contains("PL6005") && refused.contains("version 1 stays in force"),
        "{refused}"
    );
    assert!(!refused.contains(NEW_TOKEN));
    assert_eq!(status(&live), "active", "a credential that never counted fails nothing");
    // and once more, a good one
    let said = rotate(&live, &[], 0);
    assert!(said.contains("version 2 of its credential is in force"), "{said}");
    live.done("author", &["resume"]);
    let events = live.until(&asked.run, "RunCompleted");
    assert_eq!(kinds(&events).iter().filter(|kind| **kind == "VoteCast").count(), 1);
    assert_eq!(last_token(&live), format!("Bearer {NEW_TOKEN}"));
}

#[test]
fn an_old_credential_is_kept_for_the_call_that_began_with_it_and_forgotten_when_it_ends() {
    let live = Live::start();
    let kept = || {
        let status = live.json("author", &["vault", "status"]);
        let records = status["records"].as_array().expect("records").iter();
        records.map(|row| row["records"].as_u64().expect("a number")).sum::<u64>()
    };
    let one = kept();
    // given a call under way
    let asked = live.ask("Hello");
    live.provider.next_for(POST, Behaviour::Slack.held());
    let before = live.provider.counts();
    live.approve(&asked);
    live.provider.wait_until(move |counts| counts.received > before.received);
    // when a new credential comes, both are there
    rotate(&live, &[], 0);
    assert_eq!(kept(), 2 * one);
    // then the old one goes with the call
    live.provider.release();
    live.until(&asked.run, "RunCompleted");
    while kept() != one {}
}

#[test]
fn an_approval_for_one_account_does_not_survive_a_rotation_to_another() {
    let live = Live::start();
    let asked = held(&live);
    live.provider.next_for(WHO, account("B0OTHER"));
    let refused = rotate(&live, &[], 1);
    assert!(refused.contains("PL4062") && refused.contains("--new-identity"), "{refused}");
    live.provider.next_for(WHO, account("B0OTHER"));
    let said = rotate(&live, &["--new-identity"], 0);
    assert!(said.contains("ANOTHER ACCOUNT"), "{said}");
    live.done("author", &["resume"]);
    live.until(&asked.run, "DecisionVoided");
    assert_eq!(live.posts(), []);
}

#[test]
fn a_disconnect_shows_what_would_miss_it_and_asks() {
    let live = Live::start();
    let asked = held(&live);
    let uses = live.json("author", &["integrations", "uses", "slack"]);
    assert_eq!(uses["steps"][0]["operation"], json!("slack.chat.postMessage"));
    assert_eq!(uses["steps"][0]["by"], json!("default"));
    assert_eq!((&uses["open"], &uses["decisions"]), (&json!(1), &json!([asked.decision])));
    assert_eq!(uses["runs"], json!([asked.run]));

    let disconnect = ["integrations", "disconnect", "slack", "--as", "author"];
    let refused = live.placet(disconnect).run().expect_code(2);
    for words in ["ops/slack-notify", &asked.run, "--yes"] {
        assert!(refused.stderr.contains(words), "no {words}: {}", refused.stderr);
    }
    assert_eq!(status(&live), "active");
    live.done("author", &["integrations", "disconnect", "slack", "--yes"]);
    live.done("author", &["resume"]);
    live.until(&asked.run, "DecisionVoided");
    assert_eq!(live.provider.received_at(POST), []);
}

#[test]
fn a_workflow_may_use_only_what_its_place_allows_at_check_deploy_draft_and_claim() {
    let live = Live::start();
    let (approved, open) = (held(&live), "ops/slack-notify");
    let scope =
        ["integrations", "scope", "slack", "--workstream", "sales", "--visibility", "shared"];
    let said = live.done("author", &scope).stdout;
    assert!(said.contains("workstream sales, shared eyes"), "{said}");

    // claim: what was approved before is void
    live.done("author", &["resume"]);
    live.until(&approved.run, "DecisionVoided");
    assert_eq!(live.posts(), []);
    // draft: a plan that was deployed before
    let input = json!({"channel": "C0SALES", "text": "Hello"}).to_string();
    let started = live.json("author", &["start", open, "--input", &input]);
    let run = started["run"].as_str().expect("a run");
    live.until(run, "RunFaulted");
    assert_eq!(live.inbox(), Vec::<Value>::new());
    // check and deploy, with the place
    let file = "workflows/slack-notify.yaml";
    let text = std::fs::read_to_string(live.project.dir().join(file)).expect("the workflow");
    let stands = |place: &str| {
        let header = format!("version: '1.0.9', metadata: {{ place: {place} }} }}");
        live.project.write(file, &text.replace("version: '1.0.0' }", &header));
        live.placet(["deploy", ".", "--as", "author"]).run()
    };
    for place in ["{ workstream: ops }", "{ workstream: sales, visibility: client }"] {
        let refused = stands(place).expect_code(1);
        assert!(
            refused.stderr.contains("PL2110") || refused.stdout.contains("PL2110"),
            "{refused:?}"
        );
    }
    drop(stands("{ workstream: sales, space: leads, visibility: shared }").expect_code(0));
    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");
    assert_eq!(live.posts().len(), 1);
}

#[test]
fn an_agent_acts_under_a_connection_of_its_own_and_nobody_else_does() {
    let live = Live::start();
    live.provider.next_for(WHO, account("B0AGENT"));
    let base = format!("api_base={}", live.provider.url("/api"));
    let connect = ["integrations", "connect", "slack", "--name", "of-agent", "--set", &base];
    // its own part of the install; without it the connection would be pending, and not be used
    let connect = live.placet(connect).args(["--set", "notify_to=C0AGENT"]);
    let connect = connect.args(["--credential", "access_token=env:NEW", "--as", "author"]);
    drop(connect.env("NEW", NEW_TOKEN).run().expect_code(0));
    live.done("author", &["integrations", "scope", "of-agent", "--agent", "agent"]);
    let person =
        live.placet(["integrations", "scope", "of-agent", "--agent", "approver", "--as", "author"]);
    assert!(person.run().expect_code(2).stderr.contains("is no agent"));

    let input = json!({"channel": "C0SALES", "text": "Hello"}).to_string();
    let mut asked = vec![];
    for who in ["agent", "author"] {
        let started = live.json(who, &["start", "ops/slack-notify", "--input", &input]);
        let run = started["run"].as_str().expect("a run").to_owned();
        let events = live.until(&run, "DecisionRequested");
        let decision = events.last().expect("an event")["body"]["decision"].clone();
        asked.push(live.card(decision.as_str().expect("an id"))["identity"]["id"].clone());
    }
    assert_eq!(asked, [json!("B0AGENT"), json!("B0PLACET")]);
}

/// Whose key it is, as Stripe says: the account is the same for both of its modes.
fn stripe_account() -> Behaviour {
    Behaviour::Answer(Answer::json(&json!({"id": "acct_1", "email": "shop@example.com"})))
}

fn stripe(live: &Live, args: &[&str], key: &str, code: i32) -> String {
    live.provider.next_for("/v1/account", stripe_account());
    let done = live.placet(args.iter().copied()).args(["--credential", "api_key=env:KEY"]);
    let done = done.args(["--as", "author"]).env("KEY", key).run().expect_code(code);
    format!("{}{}", done.stdout, done.stderr)
}

#[test]
fn a_key_for_trying_and_one_for_real_are_two_identities_and_each_is_shown() {
    let live = Live::start();
    let base = format!("api_base={}", live.provider.url(""));
    let connected =
        stripe(&live, &["integrations", "connect", "stripe", "--set", &base], "sk_test_abc", 0);
    assert!(connected.contains("acct_1 (test)"), "{connected}");
    let shown = live.done("author", &["integrations", "show", "stripe"]).stdout;
    assert!(shown.contains("version 1, a test key"), "{shown}");

    let refused = stripe(&live, &["integrations", "rotate", "stripe"], "sk_live_abc", 1);
    assert!(refused.contains("PL4062") && refused.contains("acct_1 (live)"), "{refused}");
    let odd = stripe(&live, &["integrations", "rotate", "stripe"], "pk_live_abc", 2);
    assert!(!odd.contains("pk_live_abc"), "{odd}");
    stripe(&live, &["integrations", "rotate", "stripe", "--new-identity"], "sk_live_abc", 0);
    let shown = live.json("author", &["integrations", "show", "stripe"]);
    assert_eq!(shown["credential_mode"], json!("live"));
    assert_eq!(shown["identity"]["tenant"], json!("acct_1 (live)"));
}
