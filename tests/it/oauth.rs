//! Connecting by OAuth, and living with what it gives: the real program, an authorization server that is
//! not ours (oauthlib, in the shape of Slack), a browser over plain sockets, `kill -9`.
//! `tests/run` installs oauthlib and names its Python in `PLACET_TEST_OAUTH_PYTHON`.
//!
//! covers: S13, S16, T25.

mod desk;
mod secrets;

use crate::world::Live;
use desk::{Slack, agree, connect, connecting, engine, fetch, integration, link_of};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);

/// Sends one message, to its end.
fn send(live: &Live, text: &str) -> String {
    let asked = live.ask(text);
    live.approve(&asked);
    asked.run
}

fn deploy(live: &Live) {
    live.done("author", &["deploy", "."]);
}

#[test]
fn a_person_connects_in_the_browser_and_messages_go_with_tokens_that_are_renewed_before_they_end() {
    let Some(slack) = Slack::start() else { return };
    let live = engine(&slack);
    slack.set(&json!({"expires_in": 1, "drop_scope": "users:read"}));
    let said = connect(&live, &slack);
    assert!(said.contains("BU1") && said.contains("not granted: users:read"), "{said}");
    assert_eq!((slack.count("exchanges"), slack.count("challenges")), (1, 1), "PKCE is required");
    // connecting itself needs to know whose account it is; a token that ends at once is renewed for that
    let before = slack.count("renewals");
    deploy(&live);
    slack.until_its_tokens_end();
    slack.set(&json!({"expires_in": 3600}));
    for text in ["one", "two", "three"] {
        let run = send(&live, text);
        live.until(&run, "RunCompleted");
    }
    assert_eq!(slack.posts(), ["one", "two", "three"]);
    assert_eq!(slack.count("renewals") - before, 1, "a good token is not renewed");
    assert_eq!(slack.told()["refused"], json!([]));
}

#[test]
fn an_answer_is_taken_once_from_the_browser_that_opened_the_link_and_from_nobody_else() {
    let Some(slack) = Slack::start() else { return };
    let live = engine(&slack);
    let begin = || {
        let command = connecting(&live, &slack).start();
        let back = agree(&slack, &link_of(&command));
        (command, back)
    };
    let refused = |back: &desk::Back, words: &str| {
        let page = back.go();
        assert!(page.status == 400 && page.body.contains(words), "{} {}", page.status, page.body);
    };
    // another browser: somebody else was sent the way back
    let (command, mut back) = begin();
    back.cookie = "placet_grant_1=guess".to_owned();
    refused(&back, "another browser");
    let failed = command.finish().expect_code(1);
    assert!(failed.stderr.contains("another browser"), "{}", failed.stderr);
    // without any cookie, and then with the right one: the state was used up
    let (_command, mut back) = begin();
    let cookie = std::mem::take(&mut back.cookie);
    refused(&back, "another browser");
    back.cookie = cookie;
    refused(&back, "used before");
    // on the path of another provider
    let (_command, mut back) = begin();
    back.path = back.path.replace("/slack/", "/github/");
    refused(&back, "another provider");
    // a state that nobody gave out; a person who declines; an answer without a code
    let (_command, mut back) = begin();
    let path = back.path.clone();
    back.path = path.replace("state=", "state=0");
    refused(&back, "no authorization under way");
    let (state, code) = (query(&path, "state"), query(&path, "code"));
    back.path = format!("/integrations/slack/callback?state={state}&error=access_denied");
    refused(&back, "access_denied");
    let (_command, mut back) = begin();
    back.path = format!("/integrations/slack/callback?state={}", query(&back.path, "state"));
    refused(&back, "no code");
    assert_eq!(slack.count("exchanges"), 0, "nothing was ever asked for with what was refused");
    // a code of another authorization, put into ours: PKCE refuses it there
    let (_command, mut back) = begin();
    let ours = query(&back.path, "code");
    back.path = back.path.replace(&ours, &code);
    let page = back.go();
    assert!(page.status == 400 && page.body.contains("PL5032"), "{}", page.body);
    assert_eq!(slack.count("exchanges"), 1);
    assert_eq!(integration(&live), Value::Null, "nothing is connected");
}

#[test]
fn a_link_opens_once_and_looking_at_it_uses_nothing_up() {
    let Some(slack) = Slack::start() else { return };
    let live = engine(&slack);
    let command = connecting(&live, &slack).start();
    let link = link_of(&command);
    let (address, path) = desk::split(&link);
    for _ in 0..3 {
        assert_eq!(fetch(address, ("HEAD", path), "", "").status, 200);
    }
    let back = agree(&slack, &link);
    assert_eq!(fetch(address, ("GET", path), "", "").status, 401, "it was opened");
    let cookie = back.cookie.clone();
    assert_eq!(fetch(&back.address, ("HEAD", &back.path), &cookie, "").status, 200);
    assert_eq!(back.go().status, 200);
    assert_eq!(back.go().status, 400, "twice");
    let done = command.finish().expect_code(0);
    assert!(done.stdout.contains("BU1"), "{}", done.stdout);
    assert!(query(&format!("?{}", back.asked), "redirect_uri").contains("127.0.0.1"));
    assert_eq!(slack.count("exchanges"), 1);
}

#[test]
fn many_sends_that_wait_for_a_token_ask_for_one() {
    let Some(slack) = Slack::start() else { return };
    let live = engine(&slack);
    slack.set(&json!({"expires_in": 1}));
    connect(&live, &slack);
    deploy(&live);
    slack.until_its_tokens_end();
    slack.set(&json!({"expires_in": 3600}));
    let before = slack.count("renewals");
    let asked: Vec<_> = (0..8).map(|n| live.ask(&format!("message {n}"))).collect();
    std::thread::scope(|scope| {
        for one in &asked {
            scope.spawn(|| live.approve(one));
        }
    });
    for one in &asked {
        live.until(&one.run, "RunCompleted");
    }
    assert_eq!(slack.posts().len(), 8);
    assert_eq!(slack.count("renewals") - before, 1);
    assert_eq!(slack.told()["refused"], json!([]));
}

#[test]
fn an_answer_that_is_lost_to_kill_9_leaves_nothing_in_doubt_and_what_was_approved_goes_once_after_reconnecting()
 {
    let Some(slack) = Slack::start() else { return };
    let mut live = engine(&slack);
    slack.set(&json!({"expires_in": 1}));
    connect(&live, &slack);
    deploy(&live);
    slack.until_its_tokens_end();
    let before = slack.count("renewals");
    slack.set(&json!({"expires_in": 3600, "hold": true}));
    let asked = live.ask("late");
    live.approve(&asked);
    // the server has used the old token up and made the next one; the engine dies before it hears of it
    while slack.count("renewals") == before {
        std::thread::yield_now();
    }
    let waits = live.inbox();
    assert!(waits.iter().any(|item| item.to_string().contains("is being renewed")), "{waits:?}");
    live.kill_9();
    // the log itself proves that no byte of the call can have left: no attempt of it was begun
    let log =
        live.placet(["audit", "log", "--json", "--data", ".placet"]).run().expect_code(0).stdout;
    assert!(!log.contains("AttemptStarted"), "{log}");
    slack.set(&json!({"hold": false}));
    live.restart();
    let held = until_failed(&live);
    assert_eq!(held["reason"], "grant_over", "{held}");
    let events = live.until(&asked.run, "AttemptRefused");
    assert!(!crate::world::kinds(&events).contains(&"AttemptInDoubt"), "{events:?}");
    assert_eq!(slack.posts().len(), 0);
    let asked_at = slack.count("renewals");
    assert_eq!(slack.told()["refused"], json!(["invalid_refresh_token"]));
    // it is not asked for again and again
    let second = live.ask("again");
    live.approve(&second);
    assert_eq!(slack.count("renewals"), asked_at);
    // the same account again: what was approved goes, once each
    connect(&live, &slack);
    live.until(&asked.run, "RunCompleted");
    live.until(&second.run, "RunCompleted");
    let mut posts = slack.posts();
    posts.sort();
    assert_eq!(posts, ["again", "late"]);
}

#[test]
fn a_connection_by_oauth_is_not_rotated_by_hand_and_goes_on_as_it_was() {
    let Some(slack) = Slack::start() else { return };
    let live = engine(&slack);
    connect(&live, &slack);
    deploy(&live);
    for field in ["access_token", "signing_secret"] {
        let credential = format!("{field}=env:NEW");
        let rotate =
            ["integrations", "rotate", "slack", "--as", "author", "--credential", &credential];
        let refused =
            live.placet(rotate).env("NEW", "xoxb-by-hand-0123456789").run().expect_code(2);
        assert!(
            refused.stderr.contains("PL4003") && refused.stderr.contains("--oauth"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(integration(&live)["credential_version"], 1);
    let run = send(&live, "as before");
    live.until(&run, "RunCompleted");
    assert_eq!(slack.posts(), ["as before"]);
}

/// The connection, once it is held as failed.
fn until_failed(live: &Live) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let held = integration(live);
        if held["status"] == "failed" {
            return held;
        }
        assert!(Instant::now() < until, "{held}");
    }
}

#[test]
fn another_account_voids_what_was_approved_and_the_same_one_does_not() {
    let Some(slack) = Slack::start() else { return };
    let live = engine(&slack);
    connect(&live, &slack);
    deploy(&live);
    live.done("author", &["integrations", "disable", "slack"]);
    let kept = live.ask("for U1");
    live.approve(&kept);
    // tokens change, the account does not
    connect(&live, &slack);
    live.done("author", &["integrations", "enable", "slack"]);
    live.until(&kept.run, "RunCompleted");
    live.done("author", &["integrations", "disable", "slack"]);
    let lost = live.ask("for U1 again");
    live.approve(&lost);
    slack.set(&json!({"user": "U2"}));
    let said = connect(&live, &slack);
    assert!(said.contains("BU1 of T1 before") && said.contains("void"), "{said}");
    live.done("author", &["integrations", "enable", "slack"]);
    live.until(&lost.run, "DecisionVoided");
    assert_eq!(slack.posts(), ["for U1"]);
}

#[test]
fn a_server_that_is_away_is_waited_for_and_a_disconnect_takes_the_token_back() {
    let Some(slack) = Slack::start() else { return };
    let live = engine(&slack);
    slack.set(&json!({"expires_in": 1}));
    connect(&live, &slack);
    deploy(&live);
    slack.until_its_tokens_end();
    slack.set(&json!({"expires_in": 3600, "away": true}));
    let asked = live.ask("patience");
    live.approve(&asked);
    live.until(&asked.run, "AttemptDeferred");
    assert_eq!(integration(&live)["status"], "active");
    assert_eq!(slack.posts().len(), 0);
    slack.set(&json!({"away": false}));
    connect(&live, &slack);
    let gone = live.done("author", &["integrations", "disconnect", "slack", "--yes"]);
    assert!(gone.stderr.contains("the provider has taken it back"), "{}", gone.stderr);
    assert_eq!(slack.count("revoked"), 1);
}

/// The value of a query, escaped as it stands.
fn query(url: &str, name: &str) -> String {
    let (_, query) = url.split_once('?').expect("a query");
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).expect("it is there").1.to_owned()
}
