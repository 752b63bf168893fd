//! Integrations as pages: what stands, connecting, and what is done with a connection.

use super::html::{form, forms, links, words};
use super::surf::Browser;
use crate::world::with_workflow;
use placet_model::integration::IntegrationStatus;
use serde_json::json;

const SECRET: &str = "xoxb-console-0123456789";

#[tokio::test]
async fn what_is_connected_stands_in_a_table_and_what_could_be_by_its_category() {
    let world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    let head = world.head();
    let page = browser.page("/integrations").await;
    let said = words(&page);
    for sentence in ["Configured", "slack (usual) slack", "chat Slack connected", "billing Stripe"]
    {
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
    for link in ["/integrations/slack", "/connect/stripe", "/connect/slack"] {
        assert!(links(&page).contains(&link.to_owned()), "{link}");
    }
    let one = words(&browser.page("/integrations/slack").await);
    for sentence in ["the provider does not say", "ops/slack-notify@1.0.0 task", "Buys"] {
        assert!(one.contains(sentence), "{sentence}: {one}");
    }
    assert_eq!(browser.get("/integrations/nothing").await.status, 404);
    assert!(!said.contains("Sync now"), "Slack is not read, it posts: {said}");
    assert_eq!(browser.get("/connect/nothing").await.status, 404);
    assert_eq!(world.head(), head, "looking changes nothing");
}

#[tokio::test]
async fn what_is_read_can_be_read_at_once_and_why_it_was_not_is_said() {
    let world = with_workflow().await;
    let connect = json!({"name": "mail", "provider": "gmail"});
    world.post("/api/v1/integrations", &connect).await.ok();
    let mut browser = Browser::logged_in(&world).await;
    for place in ["/integrations", "/integrations/mail"] {
        let page = browser.page(place).await;
        assert!(words(&page).contains("Sync now"), "{place}: {}", words(&page));
        let sync = form(&page, "/integrations/mail/sync");
        // the provider answers what says nothing
        let refused = browser.submit(&sync).await;
        assert_eq!(refused.status, 502, "{refused:?}");
        let said = words(&refused.body);
        assert!(said.contains("Gmail was not heard") && said.contains("PL4061"), "{said}");
    }
    browser.act_as("approver").await;
    let page = browser.page("/integrations").await;
    let refused = browser.submit(&form(&page, "/integrations/mail/sync")).await;
    assert_eq!(refused.status, 403, "only operators: {refused:?}");
}

#[tokio::test]
async fn a_credential_goes_in_by_a_form_and_never_comes_out_again() {
    let world = with_workflow().await;
    *world.live.answer.lock().unwrap() = json!({
        "ok": true, "user_id": "U1", "bot_id": "B1", "team_id": "T1", "user": "bot", "team": "Acme",
    });
    let mut browser = Browser::logged_in(&world).await;
    let connect = form(&browser.page("/connect/slack").await, "/connect/slack");
    let filled = connect.with("name", "slack-ops").with("credential.access_token", SECRET);
    let place = browser.submitted(&filled).await;
    assert_eq!(place, "/integrations/slack-ops");
    let page = browser.page(&place).await;
    assert!(words(&page).contains("version 1; it is sealed"), "{}", words(&page));
    let rotate = form(&page, "/integrations/slack-ops/rotate");
    let rotate = rotate.with("credential.access_token", "xoxb-console-9876543210");
    let refused = browser.submit(&rotate.with("account", "same")).await;
    assert_eq!(refused.status, 409, "an engine in sandbox mode changes none: {refused:?}");
    assert!(!refused.body.contains("9876543210"));
    for place in ["/integrations", &place, "/connect/slack", "/audit?view=records"] {
        let page = browser.page(place).await;
        assert!(!page.contains("xoxb-console"), "{place}");
    }
    // a field that is none is refused with words, and without what was written
    let wrong = form(&browser.page("/connect/slack").await, "/connect/slack");
    let wrong = wrong.with("name", "Not A Name").with("credential.access_token", SECRET);
    let refused = browser.submit(&wrong).await;
    assert_eq!(refused.status, 400);
    assert!(!refused.body.contains(SECRET), "{refused:?}");
}

#[tokio::test]
async fn it_is_tested_switched_and_paused_and_disconnected_only_by_its_name() {
    let world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    let status = || world.handle.named("slack").map(|known| known.status);
    let place = "/integrations/slack";
    let page = browser.page(place).await;
    let tested = browser.submit(&form(&page, "/integrations/slack/test")).await;
    assert_eq!(tested.status, 409, "it has no credential: {tested:?}");
    assert!(words(&tested.body).contains("no credential to ask with"));
    let off = form(&page, "/integrations/slack/switch");
    assert_eq!(browser.submitted(&off.clone().with("to", "off")).await, place);
    assert_eq!(status().unwrap(), IntegrationStatus::Disabled);
    assert!(words(&browser.page(place).await).contains("switched off"));
    browser.submitted(&off.clone().with("to", "on")).await;
    assert_eq!(status().unwrap(), IntegrationStatus::Active);
    assert_eq!(browser.submit(&off.with("to", "sideways")).await.status, 400);
    let pause = forms(&page).into_iter().find(|form| form.get("integration") == Some("slack"));
    browser.submitted(&pause.expect("a switch of its own")).await;
    assert!(words(&browser.page(place).await).contains("slack is paused"));
    let asked = browser.page("/integrations/slack/disconnect").await;
    assert!(words(&asked).contains("ops/slack-notify@1.0.0"), "what would miss it");
    let gone = form(&asked, "/integrations/slack/disconnect");
    for wrong in ["", "slac"] {
        assert_eq!(browser.submit(&gone.clone().with("name", wrong)).await.status, 400, "{wrong}");
        assert!(status().is_ok(), "it is still there");
    }
    let over = browser.submit(&gone.with("name", "slack")).await;
    assert_eq!(over.status, 200, "{over:?}");
    assert!(words(&over.body).contains("slack is disconnected"));
    assert!(status().map_or(true, |status| status == IntegrationStatus::Disconnected));
    // who operates nothing does none of it
    browser.act_as("auditor").await;
    let connect = form(&browser.page("/connect/slack").await, "/connect/slack");
    assert_eq!(browser.submit(&connect).await.status, 403);
}

#[tokio::test]
async fn its_settings_are_changed_in_a_form_and_everything_else_stays() {
    let world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    let named = |name: &str| world.handle.named(name).unwrap();
    let (before, place) = (named("slack"), "/integrations/slack/settings");
    let switch = form(&browser.page("/integrations/slack").await, "/integrations/slack/switch");
    browser.submitted(&switch.with("to", "off")).await;
    // when one is said
    let page = browser.page(place).await;
    let saved = form(&page, place).with("set.notify_to", "C0TEAM");
    assert_eq!(browser.submitted(&saved).await, "/integrations/slack");
    // then it is the same connection, as it stood, with that setting
    let after = named("slack");
    assert_eq!(after.settings["notify_to"], "C0TEAM");
    assert_eq!((after.id, after.is_default), (before.id, true));
    assert_eq!(after.status, IntegrationStatus::Disabled, "it was switched off and is");
    let head = world.head();
    let wrong = form(&browser.page(place).await, place).with("set.notify_to", "nowhere");
    let refused = browser.submit(&wrong).await;
    assert!(refused.status == 400 && words(&refused.body).contains("notify_to"), "{refused:?}");
    assert_eq!(world.head(), head, "nothing of it is recorded");
    // a setting that is taken out is gone; the usual one it is no more, once that is taken back
    let empty = form(&browser.page(place).await, place).with("set.notify_to", "");
    browser.submitted(&empty.without("default")).await;
    let after = named("slack");
    assert_eq!((&after.settings["notify_to"], after.is_default), (&json!(null), false));
    // a number stays a number
    let telegram = form(&browser.page("/connect/telegram").await, "/connect/telegram");
    browser.submitted(&telegram.with("set.notify_to", "-100123")).await;
    let place_of_bot = "/integrations/telegram/settings";
    let unchanged = form(&browser.page(place_of_bot).await, place_of_bot);
    browser.submitted(&unchanged).await;
    assert_eq!(named("telegram").settings["notify_to"], json!(-100_123));
    browser.act_as("auditor").await;
    let theirs = form(&browser.page(place).await, place);
    assert_eq!(browser.submit(&theirs).await.status, 403);
}

#[tokio::test]
async fn what_an_install_lacks_is_chosen_on_a_page_that_its_provider_fills() {
    let world = with_workflow().await;
    let says = |answer| *world.live.answer.lock().unwrap() = answer;
    let mut browser = Browser::logged_in(&world).await;
    says(json!({"id": 1, "firstName": "Ada", "lastName": "L", "companyId": 9}));
    let connect = form(&browser.page("/connect/helpscout").await, "/connect/helpscout");
    let filled = connect.with("name", "help").with("credential.access_token", "hs-console-1");
    let place = browser.submitted(&filled).await;
    world.handle.keep_credentials(&world.vault).unwrap();
    let page = browser.page(&place).await;
    let said = words(&page);
    assert!(said.contains("not complete") && said.contains("the mailbox that it is for"), "{said}");
    let mailboxes = json!([{"id": 11, "name": "Support"}, {"id": 12, "name": "<b>Sales"}]);
    says(json!({"_embedded": {"mailboxes": mailboxes}, "page": {"number": 1, "totalPages": 1}}));
    let action = "/integrations/help/complete";
    let listed = browser.submit(&form(&page, action)).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    assert!(words(&listed.body).contains("Support 11") && listed.body.contains("&#60;b&#62;Sales"));
    let choice = form(&listed.body, action);
    assert_eq!(browser.submit(&choice.clone().with("choose", "99")).await.status, 422);
    assert_eq!(browser.submitted(&choice.with("choose", "12")).await, place);
    assert_eq!(world.handle.named("help").unwrap().settings["mailbox"], 12);
    assert!(!words(&browser.page(&place).await).contains("not complete"));
}

#[tokio::test]
async fn a_link_to_the_providers_own_page_is_made_by_whoever_operates() {
    let world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    let page = browser.page("/connect/slack").await;
    let ask = form(&page, "/connect/slack/authorize").with("name", "slack-own");
    let lacks = browser.submit(&ask).await;
    assert!(lacks.status == 422 && words(&lacks.body).contains("client.id"), "{lacks:?}");
    let made = browser.submit(&ask.with("client.id", "123").with("client.secret", "456")).await;
    assert_eq!(made.status, 200, "{made:?}");
    let link = links(&made.body).into_iter().find(|link| link.contains("/start?ticket="));
    let link = link.expect("the link");
    let way = link.split_once(&world.server.to_string()).expect("of this server").1.to_owned();
    let opened = browser.get(&way).await;
    let to = opened.header("location").expect("the provider's page");
    assert!(to.starts_with("https://slack.com/oauth/v2/authorize?"), "{to}");
    assert_eq!(browser.get(&way).await.status, 401, "it opens once");
}
