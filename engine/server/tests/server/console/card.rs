//! The card as a page, and deciding on it by plain forms.

use super::html::{Form, form, forms, tags, words};
use super::surf::Browser;
use crate::world::{World, name, with_workflow};
use placet_model::decision::Assurance;
use placet_model::policy::BreakGlass;
use serde_json::{Value, json};

/// Starts a run of one call: the run and the decision that it waits for.
pub(crate) async fn asked(world: &mut World, operation: &str, with: &Value) -> (String, String) {
    let document = json!({"dsl": "1.0.3", "namespace": "ops", "name": "one", "version": "1.0.0"});
    let task = json!({"it": {"call": operation, "with": with}});
    let source = json!({"document": document, "do": [task]}).to_string();
    let started = world.post("/api/v1/runs", &json!({"source": source})).await.ok();
    let run = started["run"].as_str().unwrap().to_owned();
    let report = world.settled(&run).await;
    let decision = report["waiting_for"]["decision"].as_str();
    (run.clone(), decision.unwrap_or_else(|| panic!("{report:#}")).to_owned())
}

/// The form on a card that says this.
#[track_caller]
pub(crate) fn verdict(page: &str, decision: &str, verdict: &str) -> Form {
    let action = format!("/inbox/{decision}");
    let all: Vec<Form> = forms(page).into_iter().filter(|form| form.action == action).collect();
    let said = tags(page).into_iter().any(|tag| {
        tag.name == "button"
            && tag.get("name") == Some("verdict")
            && tag.get("value") == Some(verdict)
    });
    assert!(said, "the card offers {verdict}: {}", words(page));
    all[0].clone().without("reason").with("verdict", verdict)
}

#[tokio::test]
async fn a_card_shows_whose_it_is_where_it_goes_and_all_that_it_holds() {
    let mut world = with_workflow().await;
    let text = "*now* <https://evil.example|bank.example> <!channel> pay\u{202e}me";
    let with = json!({"channel": "C0123", "text": text});
    let (run, decision) = asked(&mut world, "slack.chat.postMessage", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let place = format!("/inbox/{decision}");
    let page = browser.page(&place).await;
    let said = words(&page);
    let card = world.get_as("approver", &format!("/api/v1/decisions/{decision}")).await.ok();
    for what in [
        "sandbox: nothing leaves",
        "C0123",
        "integration slack",
        "slack.chat.postMessage: reaches a person: cannot be unsent",
        "bank.example [leads to https://evil.example]",
        "calls everybody in the channel",
        "pay‹U+202E›me",
        "/text",
        "nobody has voted yet",
        "required when rejecting",
        "6 d 23 h left",
        card["digest"].as_str().unwrap(),
        card["request"]["url"].as_str().unwrap(),
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    assert!(page.contains("<strong>now</strong>"), "as Slack shows it");
    assert!(!page.contains('\u{202e}'), "what an eye would miss is written out");
    let identity = said.find("integration slack").unwrap();
    assert!(identity < said.find("What will be sent").unwrap(), "identity and destination first");
    assert!(super::html::links(&page).contains(&format!("/runs/{run}")));
    let raw = browser.get(&format!("{place}/raw")).await;
    assert_eq!(raw.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(raw.body.starts_with("POST https://slack.com/api/chat.postMessage\n"), "{}", raw.body);
    assert!(
        raw.body.contains("‹credential:access_token›") || raw.body.contains("‹credential:"),
        "{}",
        raw.body
    );
    for absent in ["dec_00000000000000000000000000", "nonsense"] {
        let answer = browser.get(&format!("/inbox/{absent}")).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
}

#[tokio::test]
async fn an_approval_by_a_plain_form_lets_exactly_these_bytes_go_once() {
    let mut world = with_workflow().await;
    let with = json!({"channel": "C0124", "text": "hello"});
    let (run, decision) = asked(&mut world, "slack.chat.postMessage", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let place = format!("/inbox/{decision}");
    let approve = verdict(&browser.page(&place).await, &decision, "approve");
    let digest = approve.get("digest").unwrap().to_owned();
    assert_eq!(browser.submitted(&approve).await, place);
    let report = world.finished(&run).await;
    assert_eq!(report["trace"][0]["would_have_sent"]["digest"], digest.as_str(), "{report:#}");
    // a second press is the same request, not a second vote
    let head = world.head();
    assert_eq!(browser.submitted(&approve).await, place);
    assert_eq!(world.head(), head);
    let page = browser.page(&place).await;
    assert!(words(&page).contains("approver says approve (session"), "{}", words(&page));
    assert!(forms(&page).iter().all(|form| form.action != place), "nothing is left to decide");
}

#[tokio::test]
async fn s07_a_card_that_changed_meanwhile_is_refused_and_shown_again() {
    let mut world = with_workflow().await;
    let with = json!({"channel": "C0125", "text": "before"});
    let (_run, decision) = asked(&mut world, "slack.chat.postMessage", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let approve = verdict(&browser.page(&format!("/inbox/{decision}")).await, &decision, "approve");
    let head = world.head();
    let forged = approve.clone().with("digest", &format!("sha256:{}", "0".repeat(64)));
    let answer = browser.submit(&forged).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    let said = words(&answer.body);
    assert!(said.contains("PL3002") && said.contains("Nothing was recorded"), "{said}");
    let again = verdict(&answer.body, &decision, "approve");
    assert_eq!(again.get("digest"), approve.get("digest"), "it is shown as it stands");
    assert_eq!(world.head(), head);
    // another has edited it since the page was loaded
    let edit = json!({"verdict": "edit", "digest": approve.get("digest"), "with": {"channel": "C0125", "text": "after"}});
    let edited =
        world.post_as("second", &format!("/api/v1/decisions/{decision}/votes"), &edit).await.ok();
    let successor = edited["successor"].as_str().unwrap().to_owned();
    let head = world.head();
    let late = browser.submit(&approve.with("request_id", "another-press")).await;
    assert_eq!(late.status, 409, "{late:?}");
    assert!(words(&late.body).contains("superseded"), "{}", words(&late.body));
    assert_eq!(world.head(), head);
    let page = browser.page(&format!("/inbox/{successor}")).await;
    let said = words(&page);
    assert!(said.contains("Since revision 1, edited by second"), "{said}");
    assert!(page.contains("<del><bdi>&#34;before&#34;</bdi></del>"), "{page}");
    assert!(page.contains("<ins><bdi>&#34;after&#34;</bdi></ins>"), "{page}");
}

#[tokio::test]
async fn a_no_needs_its_reason_and_the_words_are_not_lost() {
    let mut world = with_workflow().await;
    let with = json!({"channel": "C0126", "text": "hello"});
    let (run, decision) = asked(&mut world, "slack.chat.postMessage", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let page = browser.page(&format!("/inbox/{decision}")).await;
    let head = world.head();
    let reject = verdict(&page, &decision, "reject");
    let answer = browser.submit(&reject).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(world.head(), head);
    let again = verdict(&answer.body, &decision, "reject").with("reason", "not <today>\r\nor so");
    browser.submitted(&again).await;
    let report = world.finished(&run).await;
    assert_eq!(report["status"], "faulted", "{report:#}");
    let said = words(&browser.page(&format!("/inbox/{decision}")).await);
    assert!(said.contains("approver says reject") && said.contains("not <today> or so"), "{said}");
}

#[tokio::test]
async fn s06_only_whom_the_policy_names_is_offered_to_send_alone_and_must_say_why() {
    let mut world = with_workflow().await;
    let mut policy = (*world.handle.world().policy).clone();
    policy.break_glass = Some(BreakGlass {
        who: vec![name("second"), name("author")],
        assurance: Assurance::Session,
        review: vec![name("auditor")],
    });
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    let with = json!({"channel": "C0911", "text": "hello"});
    let (run, decision) = asked(&mut world, "slack.chat.postMessage", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    let place = format!("/inbox/{decision}");
    for (who, offered) in [("author", false), ("approver", false), ("second", true)] {
        browser.act_as(who).await;
        let said = words(&browser.page(&place).await);
        assert_eq!(said.contains("Send it alone"), offered, "{who}: {said}");
    }
    let page = browser.page(&place).await;
    let alone = verdict(&page, &decision, "break_glass");
    let refused = browser.submit(&alone.clone().without("reason")).await;
    assert!((400..500).contains(&refused.status), "without a reason: {refused:?}");
    browser.submitted(&alone.with("reason", "the site is down")).await;
    assert_eq!(world.finished(&run).await["status"], "completed");
}

#[tokio::test]
async fn whoever_asked_may_take_it_back_and_not_approve() {
    let mut world = with_workflow().await;
    let with = json!({"channel": "C0127", "text": "hello"});
    let (run, decision) = asked(&mut world, "slack.chat.postMessage", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    let page = browser.page(&format!("/inbox/{decision}")).await;
    assert!(!page.contains("value=\"approve\""), "{}", words(&page));
    // a hand-made form goes the same way as any vote, and is refused as any
    let head = world.head();
    let back = verdict(&page, &decision, "withdraw");
    let forged = browser.submit(&back.clone().with("verdict", "approve")).await;
    assert_eq!(forged.status, 403, "{forged:?}");
    assert!(forged.body.contains("PL3003"));
    assert_eq!(world.head(), head);
    browser.act_as("auditor").await;
    let page = browser.page(&format!("/inbox/{decision}")).await;
    assert!(words(&page).contains("You are no approver"));
    browser.act_as("author").await;
    browser.submitted(&back).await;
    assert_eq!(world.finished(&run).await["status"], "faulted");
}

#[tokio::test]
async fn a_mail_is_shown_with_its_headers_and_its_html_in_a_frame_that_does_nothing() {
    let mut world = with_workflow().await;
    world.post("/api/v1/integrations", &json!({"name": "gmail", "provider": "gmail"})).await.ok();
    let html = "<h1 style='color:red'>Hi</h1><script>steal()</script><img src='https://evil.example/p.gif'>";
    let with =
        json!({"to": "ana@example.com", "subject": "Grüße", "text": "plain words", "html": html});
    let (_run, decision) = asked(&mut world, "gmail.messages.send", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let page = browser.page(&format!("/inbox/{decision}")).await;
    let said = words(&page);
    for what in ["Subject", "Grüße", "To", "ana@example.com", "plain words", "Plain text"] {
        assert!(said.contains(what), "{what}: {said}");
    }
    assert!(!page.contains("<script>") && !page.contains("<img"), "as text alone");
    let frames: Vec<_> = tags(&page).into_iter().filter(|tag| tag.name == "iframe").collect();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].get("sandbox"), Some(""), "no permission at all");
    let part = browser.get(frames[0].get("src").unwrap()).await;
    assert_eq!((part.status, part.body.as_str()), (200, html));
    let policy = part.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("sandbox; default-src 'none'; style-src 'unsafe-inline';"),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'self'") && !policy.contains("allow"), "{policy}");
    assert_eq!(part.header("x-frame-options"), Some("SAMEORIGIN"));
    for wrong in ["1", "x", "-1"] {
        let answer = browser.get(&format!("/inbox/{decision}/part/{wrong}")).await;
        assert_eq!(answer.status, 404, "{wrong}");
    }
    drop(form(&page, "/console/pause"));
}
