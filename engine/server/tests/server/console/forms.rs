//! Who may send a form: one of this session, of this acting user, from our own origin.

use super::html::{Form, form};
use super::surf::Browser;
use crate::http::Ask;
use crate::world::{TOKEN, start};

async fn refused(browser: &mut Browser, form: &Form) {
    let answer = browser.submit(form).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains("PL4068"), "{answer:?}");
}

#[tokio::test]
async fn s17_a_form_counts_only_with_the_token_of_its_session_and_from_our_origin() {
    let world = start().await;
    let mut browser = Browser::logged_in(&world).await;
    let pause = form(&browser.page("/inbox").await, "/console/pause");
    let token = pause.get("form_token").unwrap().to_owned();
    assert_eq!(token.len(), 64, "{token}");
    let head = world.head();
    refused(&mut browser, &pause.clone().without("form_token")).await;
    refused(&mut browser, &pause.clone().with("form_token", "")).await;
    refused(&mut browser, &pause.clone().with("form_token", &"0".repeat(64))).await;
    // a page of another origin, and one that says nothing of where it comes from
    for origin in [Some("http://evil.example"), Some("null"), None] {
        let answer = browser.request(&pause, origin).send(world.server).await;
        assert_eq!(answer.status, 403, "{origin:?}: {answer:?}");
    }
    // with the right token and no cookie there is nobody
    let stranger = Browser::stranger(&world);
    let answer = stranger.request(&pause, Some(&format!("http://{}", world.server)));
    assert_eq!(answer.send(world.server).await.status, 401);
    // a form that was shown to author cannot be sent as approver
    browser.act_as("approver").await;
    refused(&mut browser, &pause).await;
    browser.act_as("author").await;
    // what is no form is not looked at
    let json =
        Ask::new("POST", "/console/pause").header("Authorization", &format!("Bearer {TOKEN}"));
    json.json(&serde_json::json!({"form_token": token}))
        .send(world.server)
        .await
        .is_problem(415, "PL4017");
    assert_eq!(world.head(), head, "none of it changed anything");
    assert!(!world.handle.world().paused);
    browser.submitted(&pause).await;
    assert!(world.handle.world().paused);
}

#[tokio::test]
async fn a_form_leads_nowhere_else() {
    let world = start().await;
    let mut browser = Browser::logged_in(&world).await;
    for foreign in ["//evil.example/", "https://evil.example/", "/\\evil.example", "inbox"] {
        let choose = form(&browser.page("/inbox").await, "/console/as").with("back", foreign);
        assert_eq!(browser.submitted(&choose).await, "/inbox", "{foreign}");
    }
}

#[tokio::test]
async fn in_dev_a_browser_acts_as_whom_it_has_chosen_within_what_that_one_may() {
    let world = start().await;
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("auditor").await;
    let page = browser.page("/inbox").await;
    let chosen = form(&page, "/console/as");
    assert_eq!(chosen.get("form_token").unwrap().len(), 64);
    let head = world.head();
    let answer = browser.submit(&form(&page, "/console/pause")).await;
    assert_eq!(answer.status, 403, "an auditor stops nothing");
    assert!(answer.body.contains("PL4005"), "{answer:?}");
    assert_eq!(world.head(), head);
    // somebody whom the policy does not know is not acted as, and the browser is not locked out
    let unknown = form(&browser.page("/inbox").await, "/console/as").with("user", "nobody");
    browser.submitted(&unknown).await;
    assert_eq!(browser.get("/inbox").await.status, 200);
    // a cookie is no authority: a stranger with the name is a stranger
    let cookie = format!("placet_as_{}=author", world.server.port());
    let stranger = Ask::new("GET", "/inbox").header("Cookie", &cookie).send(world.server).await;
    stranger.is_problem(401, "PL4004");
}
