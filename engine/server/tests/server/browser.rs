//! The login link, the session, and the pages.

use crate::http::{Answer, Ask};
use crate::world::{World, start};
use serde_json::json;

async fn logged_in(world: &World) -> (String, Answer) {
    let link = format!("/login?token={}", world.login.expose());
    let answer = Ask::new("GET", &link).send(world.server).await;
    let cookie = answer.header("set-cookie").unwrap_or_else(|| panic!("{answer:?}")).to_owned();
    (cookie.split(';').next().unwrap().to_owned(), answer)
}

#[tokio::test]
async fn the_login_link_works_once_and_looking_at_it_does_not_use_it_up() {
    let world = start().await;
    let head = world.head();
    let link = format!("/login?token={}", world.login.expose());
    let looked = Ask::new("HEAD", &link).send(world.server).await;
    assert_eq!((looked.status, looked.header("set-cookie")), (200, None));
    let guessed = Ask::new("GET", "/login?token=guess").send(world.server).await;
    assert_eq!((guessed.status, guessed.header("set-cookie")), (401, None));
    let (_cookie, answer) = logged_in(&world).await;
    assert_eq!(answer.status, 200);
    let cookie = answer.header("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!answer.body.contains(world.login.expose()));
    let again = Ask::new("GET", &link).send(world.server).await;
    assert_eq!((again.status, again.header("set-cookie")), (401, None));
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn a_session_reads_and_changes_only_from_its_own_origin() {
    let world = start().await;
    let (cookie, _page) = logged_in(&world).await;
    let status =
        Ask::new("GET", "/api/v1/status").header("Cookie", &cookie).send(world.server).await;
    assert_eq!(status.ok()["user"], "author");
    let pause = Ask::new("POST", "/api/v1/pause").header("Cookie", &cookie).json(&json!({}));
    let head = world.head();
    pause.clone().send(world.server).await.is_problem(403, "PL4015");
    assert_eq!(world.head(), head);
    let ours = pause.header("Origin", &format!("http://{}", world.server));
    assert_eq!(ours.send(world.server).await.status, 200);
    let wrong_token = Ask::new("GET", "/api/v1/status").header("Cookie", &cookie);
    let wrong_token = wrong_token.header("Authorization", "Bearer wrong").send(world.server).await;
    wrong_token.is_problem(401, "PL4004");
}

#[tokio::test]
async fn a_problem_leads_to_a_page_that_says_what_to_do() {
    let world = start().await;
    let problem = world.get("/api/v1/nothing").await.is_problem(404, "PL4012");
    let page = Ask::new("GET", problem["type"].as_str().unwrap()).send(world.server).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("not found"), "{page:?}");
    Ask::new("GET", "/errors/PLxxxx").send(world.server).await.is_problem(404, "PL4012");
}
