//! Tokens, acting users, Host and Origin.

use crate::http::Ask;
use crate::world::{TOKEN, ask, start, with_workflow};
use placet_server::{Access, Error, Server, ServerOptions, Token};
use serde_json::json;

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let world = start().await;
    let refused = |authorization: &'static str| {
        Ask::new("GET", "/api/v1/status").header("Authorization", authorization).send(world.server)
    };
    let answer = Ask::new("GET", "/api/v1/status").send(world.server).await;
    answer.is_problem(401, "PL4004");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    for wrong in
        ["Bearer wrong", "Bearer", "Bearer ", "Basic dDprZW4=", TOKEN, "Bearer t0ken-of-the-test"]
    {
        let answer = refused(wrong).await;
        answer.is_problem(401, "PL4004");
        assert!(!answer.body.contains(TOKEN));
    }
    assert_eq!(refused("bearer t0ken-of-the-tests").await.status, 200);
}

#[tokio::test]
async fn two_answers_to_who_are_none() {
    let world = start().await;
    let twice = ask("GET", "/api/v1/status").header("Authorization", "Bearer other");
    twice.send(world.server).await.is_problem(400, "PL4003");
    let twice =
        ask("GET", "/api/v1/status").header("Placet-As", "author").header("Placet-As", "auditor");
    twice.send(world.server).await.is_problem(400, "PL4003");
}

#[tokio::test]
async fn the_acting_user_is_author_unless_another_is_named() {
    let world = start().await;
    assert_eq!(world.get("/api/v1/status").await.ok()["user"], "author");
    assert_eq!(world.get_as("auditor", "/api/v1/status").await.ok()["user"], "auditor");
    for place in ["status", "inbox", "decisions/dec_00000000000000000000000000"] {
        world.get_as("nobody", &format!("/api/v1/{place}")).await.is_problem(403, "PL3004");
    }
    world.get_as("Not A Name", "/api/v1/status").await.is_problem(400, "PL4003");
}

#[tokio::test]
async fn roles_hold_over_http() {
    let world = with_workflow().await;
    let document = json!({"file": "x.yaml", "source": crate::world::text("ok/switch.yaml")});
    for (user, path, body) in [
        ("approver", "/api/v1/workflows", document.clone()),
        ("agent", "/api/v1/workflows", document.clone()),
        ("approver", "/api/v1/runs", json!({"workflow": "ops/slack-notify"})),
        ("approver", "/api/v1/runs", json!({"source": document["source"]})),
        ("auditor", "/api/v1/pause", json!({})),
        ("auditor", "/api/v1/resume", json!({})),
        ("auditor", "/api/v1/projections/rebuild", json!({})),
        ("auditor", "/api/v1/projections/rebuild/cancel", json!({})),
        ("auditor", "/api/v1/integrations", json!({"name": "a", "provider": "slack"})),
        ("approver", "/api/v1/integrations/slack/disable", json!({})),
        ("approver", "/api/v1/integrations/slack/disconnect", json!({})),
        (
            "approver",
            "/api/v1/policy",
            json!({"file": "p.yaml", "source": "blocked: [slack.chat.postMessage]"}),
        ),
        ("agent", "/api/v1/audit/verify", json!({})),
    ] {
        let head = world.head();
        world.post_as(user, path, &body).await.is_problem(403, "PL4005");
        assert_eq!(world.head(), head, "{user} {path}");
    }
    for target in
        ["audit/events", "audit/events?wait=1", "audit/replay?at=1", "audit/story/1", "projections"]
    {
        let answer = world.get_as("agent", &format!("/api/v1/{target}")).await;
        answer.is_problem(403, "PL4005");
    }
    world.get_as("agent", "/api/v1/events").await.is_problem(403, "PL4005");
}

#[tokio::test]
async fn an_agent_sees_the_runs_that_it_caused() {
    let mut world = with_workflow().await;
    let (run, _card) = world.waiting().await;
    let body =
        json!({"workflow": "ops/slack-notify", "input": {"channel": "C0123", "text": "mine"}});
    let mine = world.post_as("agent", "/api/v1/runs", &body).await.ok()["run"].clone();
    let list = world.get_as("agent", "/api/v1/runs").await.ok();
    assert_eq!(list["runs"].as_array().unwrap().len(), 1);
    assert_eq!(list["runs"][0]["run"], mine);
    assert!(list["next"].is_null());
    let again = world.post_as("agent", "/api/v1/runs", &body).await.ok()["run"].clone();
    let page = world.get_as("agent", "/api/v1/runs?limit=1").await.ok();
    assert_eq!((&page["runs"][0]["run"], &page["next"]), (&again, &again));
    world.get_as("agent", &format!("/api/v1/runs/{run}")).await.is_problem(404, "PL4001");
}

#[tokio::test]
async fn another_host_is_not_answered() {
    let world = start().await;
    let port = world.server.port();
    let with_host =
        |host: &str| ask("GET", "/api/v1/status").header("Host", host).send(world.server);
    for foreign in [
        "evil.example",
        &format!("evil.example:{port}"),
        "127.0.0.1",
        "localhost",
        "127.0.0.1:1",
        "",
    ] {
        with_host(foreign).await.is_problem(403, "PL4015");
    }
    for ours in ["localhost", "127.0.0.1"] {
        assert_eq!(with_host(&format!("{ours}:{port}")).await.status, 200, "{ours}");
    }
    with_host("(none)").await.is_problem(400, "PL4003");
    let absolute = ask("GET", "http://evil.example/api/v1/status").send(world.server).await;
    absolute.is_problem(403, "PL4015");
    let health =
        Ask::new("GET", "/healthz").header("Host", "evil.example").send(world.server).await;
    health.is_problem(403, "PL4015");
}

#[tokio::test]
async fn a_foreign_page_changes_nothing() {
    let world = start().await;
    let head = world.head();
    let pause = |name: &str, value: &str| {
        ask("POST", "/api/v1/pause").header(name, value).json(&json!({})).send(world.server)
    };
    for origin in
        ["http://evil.example", "null", "https://127.0.0.1", &format!("https://{}", world.server)]
    {
        pause("Origin", origin).await.is_problem(403, "PL4015");
    }
    for site in ["cross-site", "same-site"] {
        pause("Sec-Fetch-Site", site).await.is_problem(403, "PL4015");
    }
    assert_eq!(world.head(), head);
    assert_eq!(pause("Origin", &format!("http://{}", world.server)).await.status, 200);
    assert!(world.head() > head);
    let preflight =
        ask("OPTIONS", "/api/v1/pause").header("Origin", &format!("http://{}", world.server));
    let answer = preflight.send(world.server).await;
    assert!(!answer.head.to_ascii_lowercase().contains("access-control"), "{answer:?}");
}

#[tokio::test]
async fn every_answer_forbids_sniffing_framing_scripts_and_caching() {
    let world = start().await;
    for answer in [
        world.get("/api/v1/status").await,
        world.get("/api/v1/nothing").await,
        Ask::new("GET", "/login").send(world.server).await,
        Ask::new("GET", "/healthz").header("Host", "evil.example").send(world.server).await,
    ] {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("access-control-allow-origin").is_none());
    }
}

#[tokio::test]
async fn the_network_is_not_listened_on() {
    let world = start().await;
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let options = ServerOptions {
            listen: address.parse().unwrap(),
            handle: world.handle.clone(),
            access: Access::dev([]),
            login_token: Some(Token::random()),
            hosts: vec![],
            vault: None,
            live: None,
            nats: tokio::sync::watch::channel(serde_json::Value::Null).1,
            mode: placet_model::draft::Mode::Sandbox,
        };
        let error = Server::bind(options).await.unwrap_err();
        assert!(matches!(error, Error::NotLoopback { .. }), "{error}");
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }
}
