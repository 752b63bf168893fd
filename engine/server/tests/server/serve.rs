//! A server of `serve`: every token is somebody's, and nothing is decided without a signature.

use crate::http::{Answer, Ask};
use crate::world::{World, name, start, with_workflow};
use placet_model::Timestamp;
use placet_model::draft::Mode;
use placet_server::{Access, Error, Server, ServerOptions, Tokens};
use placet_test_support::dirs::Project;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::sync::oneshot;

/// A second server on the same engine.
struct Served {
    address: SocketAddr,
    tokens: std::path::PathBuf,
    _stop: oneshot::Sender<()>,
    _project: Project,
}

/// With a token for each of these, in order.
async fn serve(world: &World, people: &[&str]) -> (Served, Vec<String>) {
    let project = Project::new();
    let file = project.dir().join("tokens");
    let tokens = Tokens::open(&file).unwrap();
    let made = people
        .iter()
        .map(|who| {
            tokens.issue(name(who), None, (Timestamp::EPOCH, None)).unwrap().1.expose().to_owned()
        })
        .collect();
    let server = Server::bind(options(world, "127.0.0.1:0", Access::serve(tokens), &[])).await;
    let server = server.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(server.run(async { drop(stopped.await) }));
    (Served { address, tokens: file, _stop: stop, _project: project }, made)
}

fn options(world: &World, listen: &str, access: Access, hosts: &[&str]) -> ServerOptions {
    ServerOptions {
        listen: listen.parse().unwrap(),
        handle: world.handle.clone(),
        access,
        login_token: None,
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        vault: None,
        live: None,
        nats: tokio::sync::watch::channel(Value::Null).1,
        mode: Mode::Sandbox,
    }
}

impl Served {
    async fn get(&self, token: &str, target: &str) -> Answer {
        with(Ask::new("GET", target), token).send(self.address).await
    }

    async fn post(&self, token: &str, target: &str, body: &Value) -> Answer {
        with(Ask::new("POST", target), token).json(body).send(self.address).await
    }
}

fn with(ask: Ask, token: &str) -> Ask {
    ask.header("Authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn a_token_says_who_its_bearer_is_and_nobody_acts_as_another() {
    let world = start().await;
    let (served, tokens) = serve(&world, &["author", "auditor"]).await;
    for (token, who) in tokens.iter().zip(["author", "auditor"]) {
        assert_eq!(served.get(token, "/api/v1/status").await.ok()["user"], who);
        let acting = with(Ask::new("GET", "/api/v1/status"), token);
        assert_eq!(acting.clone().header("Placet-As", who).send(served.address).await.status, 200);
        let other = acting.header("Placet-As", "approver").send(served.address).await;
        other.is_problem(403, "PL4005");
    }
    served.get(crate::world::TOKEN, "/api/v1/status").await.is_problem(401, "PL4004");
    Ask::new("GET", "/api/v1/status").send(served.address).await.is_problem(401, "PL4004");
    let login = Ask::new("GET", "/login?token=").send(served.address).await;
    assert_eq!(login.status, 401, "there is no login link");
}

#[tokio::test]
async fn a_vote_that_nobody_has_signed_is_refused_whatever_it_says() {
    let mut world = with_workflow().await;
    let (_, card) = world.waiting().await;
    let (served, tokens) = serve(&world, &["approver", "author"]).await;
    let id = card["id"].as_str().unwrap();
    let head = world.head();
    for (token, verdict) in [
        (&tokens[0], "approve"),
        (&tokens[0], "reject"),
        (&tokens[0], "respond"),
        (&tokens[1], "withdraw"),
        (&tokens[0], "sent"),
    ] {
        let body = json!({"verdict": verdict, "digest": card["digest"], "reason": "because"});
        let answer = served.post(token, &format!("/api/v1/decisions/{id}/votes"), &body).await;
        answer.is_problem(403, "PL3017");
        assert!(answer.body.contains("placet keys"), "{answer:?}");
    }
    assert_eq!(world.head(), head);
    // what it shows, it shows
    assert_eq!(served.get(&tokens[0], &format!("/api/v1/decisions/{id}")).await.ok()["id"], id);
}

#[tokio::test]
async fn an_admin_makes_lists_and_revokes_tokens_and_nobody_else_does() {
    let world = start().await;
    let (served, tokens) = serve(&world, &["author", "auditor"]).await;
    let (admin, auditor) = (&tokens[0], &tokens[1]);
    let for_second = json!({"principal": "second"});
    served.post(auditor, "/api/v1/tokens", &for_second).await.is_problem(403, "PL4005");
    served.get(auditor, "/api/v1/tokens").await.is_problem(403, "PL4005");
    let unknown = json!({"principal": "stranger"});
    served.post(admin, "/api/v1/tokens", &unknown).await.is_problem(403, "PL3004");

    let made = served.post(admin, "/api/v1/tokens", &for_second).await;
    assert_eq!(made.status, 201);
    let made = made.ok();
    let second = made["token"].as_str().unwrap();
    assert_eq!(made["created_by"], "author");
    assert_eq!(served.get(second, "/api/v1/status").await.ok()["user"], "second");
    let list = served.get(admin, "/api/v1/tokens").await;
    assert_eq!(list.ok()["tokens"].as_array().unwrap().len(), 3);
    assert!(!list.body.contains(second), "it is shown once");
    assert!(!std::fs::read_to_string(&served.tokens).unwrap().contains(second));

    let revoke = format!("/api/v1/tokens/{}/revoke", made["id"].as_str().unwrap());
    assert_eq!(served.post(admin, &revoke, &json!({})).await.ok()["principal"], "second");
    served.get(second, "/api/v1/status").await.is_problem(401, "PL4004");
    served.post(admin, &revoke, &json!({})).await.is_problem(404, "PL4012");
    // an engine of `dev` has none
    world.get("/api/v1/tokens").await.is_problem(404, "PL4012");
}

#[tokio::test]
async fn the_network_is_listened_on_under_listed_names_only() {
    let world = start().await;
    let tokens = || {
        let project = Project::new();
        Access::serve(Tokens::open(project.dir().join("tokens")).unwrap())
    };
    let none = Server::bind(options(&world, "0.0.0.0:0", tokens(), &[])).await.unwrap_err();
    assert!(matches!(none, Error::NoHosts { .. }), "{none}");
    let listed = options(&world, "0.0.0.0:0", tokens(), &["placet.example.com"]);
    assert!(Server::bind(listed).await.is_ok());
}

#[tokio::test]
async fn names_that_are_in_nobodys_policy_come_in_and_do_nothing() {
    let world = start().await;
    let (served, tokens) = serve(&world, &["stranger"]).await;
    for target in ["/api/v1/status", "/api/v1/inbox", "/api/v1/runs", "/api/v1/runs/by-version"] {
        served.get(&tokens[0], target).await.is_problem(403, "PL3004");
    }
    let body = json!({"file": "x.yaml", "source": crate::world::text("ok/switch.yaml")});
    served.post(&tokens[0], "/api/v1/workflows", &body).await.is_problem(403, "PL4005");
}

#[tokio::test]
async fn a_token_with_an_end_says_so_and_who_asks_too_often_is_told_when_to_come_back() {
    let world = start().await;
    let (served, tokens) = serve(&world, &["author", "auditor"]).await;
    let (admin, auditor) = (&tokens[0], &tokens[1]);
    let past = json!({"principal": "auditor", "expires_at": "2020-01-01T00:00:00Z"});
    served.post(admin, "/api/v1/tokens", &past).await.is_problem(400, "PL4003");
    let wanted = json!({"principal": "auditor", "expires_at": "2999-01-01T00:00:00Z"});
    let made = served.post(admin, "/api/v1/tokens", &wanted).await.ok();
    assert_eq!(made["roles"], json!(["auditor"]));
    let list = served.get(admin, "/api/v1/tokens").await.ok();
    let ends: Vec<&Value> =
        list["tokens"].as_array().unwrap().iter().map(|row| &row["expires_at"]).collect();
    assert_eq!(ends, [&Value::Null, &Value::Null, &made["expires_at"]]);

    // more than five seconds' worth, as fast as they can be asked
    let most = 5 * world.handle.config().limits.caller_second_max;
    let mut refused = None;
    for _ in 0..20 * most {
        let answer = served.get(auditor, "/api/v1/workflows").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a bound");
    refused.is_problem(429, "PL4074");
    assert_eq!(refused.header("retry-after"), Some("1"));
    served.get(admin, "/api/v1/status").await.ok();
}
