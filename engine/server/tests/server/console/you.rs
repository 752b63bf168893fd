//! One's own page, and what of a card is signed with a passkey. A real browser makes and uses them in
//! `tests/it/console/passkeys.py`.

use super::html::{form, forms, links, tags, words};
use super::surf::Browser;
use crate::world::{World, ask, name, with_workflow};
use placet_model::decision::Assurance;
use placet_model::policy::{Require, Rule};
use placet_test_support::passkey::Authenticator;
use serde_json::{Value, json};

/// As the script of a page asks: by the session, as whom the page is shown to.
async fn by_script(browser: &Browser, target: &str, body: &Value) -> Value {
    let host = format!("localhost:{}", browser.server.port());
    let ask = browser.script(target).header("Host", &host);
    ask.header("Origin", &format!("http://{host}")).json(body).send(browser.server).await.ok()
}

async fn enrolled(browser: &Browser) -> String {
    let options = by_script(browser, "/api/v1/passkeys/options", &json!({})).await;
    let authenticator = Authenticator::es256("localhost");
    let (client, data) = authenticator.create(options["challenge"].as_str().unwrap());
    let body = json!({"client_data": client, "authenticator_data": data});
    let made = by_script(browser, "/api/v1/passkeys", &body).await;
    assert_eq!(made["principal"], "approver", "whom the browser acts as");
    made["id"].as_str().unwrap().to_owned()
}

async fn demand_passkeys(world: &World) {
    let mut policy = (*world.handle.world().policy).clone();
    policy.rules.push(Rule {
        name: "with a passkey".to_owned(),
        require: Require { assurance: Some(Assurance::Passkey), ..Require::default() },
        ..Rule::default()
    });
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
}

/// Decisions whose forms on this page are signed, by what their buttons say.
fn signed(page: &str) -> Vec<String> {
    let tags = tags(page);
    let mut found = vec![];
    let mut is_signed = false;
    for tag in tags {
        match tag.name.as_str() {
            "form" => is_signed = tag.get("data-passkey") == Some("sign"),
            "button" if is_signed && tag.get("name") == Some("verdict") => {
                found.push(tag.get("value").unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }
    found
}

#[tokio::test]
async fn what_demands_a_passkey_offers_one_once_an_admin_has_confirmed_it_and_nothing_else_changes()
{
    let mut world = with_workflow().await;
    demand_passkeys(&world).await;
    let (_run, card) = world.waiting().await;
    let place = format!("/inbox/{}", card["id"].as_str().unwrap());
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let page = browser.page(&place).await;
    assert!(words(&page).contains("you have none here"), "{}", words(&page));
    assert!(links(&page).contains(&"/you".to_owned()) && signed(&page).is_empty());
    // a rejection needs none
    assert!(forms(&page).iter().any(|form| form.action == place), "the other verdicts stay");

    let id = enrolled(&browser).await;
    let page = browser.page(&place).await;
    assert!(words(&page).contains("no admin has confirmed yours yet") && signed(&page).is_empty());
    let mine = browser.page("/you").await;
    assert!(mine.contains(&id) && words(&mine).contains("waits for an admin"), "{}", words(&mine));
    let confirm = format!("/you/passkeys/{id}/confirm");
    assert!(
        !forms(&mine).iter().any(|form| form.action == confirm),
        "an approver confirms nothing"
    );
    let mut revoke = form(&mine, &format!("/you/passkeys/{id}/revoke"));
    confirm.clone_into(&mut revoke.action);
    assert_eq!(browser.submit(&revoke).await.status, 403);

    browser.act_as("author").await;
    let waiting = form(&browser.page("/you").await, &confirm);
    assert_eq!(browser.submitted(&waiting).await, "/you");
    assert!(!browser.page("/you").await.contains(&id), "it waits no more");
    browser.act_as("approver").await;
    let page = browser.page(&place).await;
    assert_eq!(signed(&page), ["approve"], "{}", words(&page));
    assert!(words(&page).contains("Approve with passkey"));
    // where only signed votes are taken, every verdict is
    world.handle.demand_signatures();
    let all = ["approve", "reject", "respond", "reassign"];
    assert_eq!(signed(&browser.page(&place).await), all);
    browser.act_as("author").await;
    let page = browser.page(&place).await;
    assert!(words(&page).contains("you have none here") && signed(&page).is_empty());

    browser.act_as("approver").await;
    let revoke = form(&browser.page("/you").await, &format!("/you/passkeys/{id}/revoke"));
    assert_eq!(browser.submitted(&revoke).await, "/you");
    assert!(words(&browser.page("/you").await).contains("revoked"));
}

#[tokio::test]
async fn at_an_address_that_is_a_number_a_login_link_with_a_name_is_offered_once() {
    let world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    let page = browser.page("/you").await;
    assert!(words(&page).contains("passkeys are made for a name"), "{}", words(&page));
    let answer = browser.submit(&form(&page, "/you/named")).await;
    let link = links(&answer.body).into_iter().find(|link| link.contains("/login?token="));
    let link = link.unwrap();
    let host = format!("localhost:{}", world.server.port());
    let target = link.strip_prefix(&format!("http://{host}")).unwrap();
    let open = || crate::http::Ask::new("GET", target).header("Host", &host).send(world.server);
    assert_eq!(open().await.status, 200);
    assert_eq!(open().await.status, 401, "it is good once");
    ask("POST", "/you/named").json(&json!({})).send(world.server).await.is_problem(415, "PL4017");
}
