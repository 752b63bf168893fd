//! Webhooks asked for at GitHub, Resend, Postmark and Mailgun, as an operator asks, against stand-ins on
//! loopback that remember what stands there and post as the provider posts: with the secret that the call
//! has told them, or that they have made.
//!
//! covers: S2, S7, S15

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use placet_test_support::DEADLINE;
use placet_test_support::provider::{Answer, Behaviour, Play, Received};
use placet_test_support::token::base64;
use serde_json::{Value, json};

use crate::world::Live;
use crate::world::hook::{Post, hmac_sha256};

const HERE: &str = "https://placet.example";
const GITHUB_SECRET: &str = "e2e \"quoted\" github secret";
const LOGIN: (&str, &str) = ("placet", "e2e-\"quoted\"-password");
const SIGNING_KEY: &str = "e2e-mailgun-signing-key";
/// The bytes of the secret that the stand-in of Resend makes.
const MADE: &[u8] = b"e2e made by the provider";
const PROVIDERS: [&str; 4] = ["github", "resend", "postmark", "mailgun"];

/// What stands there, by provider and id, and what each call has said.
#[derive(Debug, Default)]
struct Standing {
    hooks: Vec<(String, u32, String)>,
    made: u32,
    told: Vec<(String, Value)>,
    lose: bool,
}

type Shared = Arc<Mutex<Standing>>;

fn answer(status: u16, body: &Value) -> Behaviour {
    let mut answer = Answer::json(body);
    answer.status = status;
    Behaviour::Answer(answer)
}

/// Where a call says where to post.
fn url_of(provider: &str, request: &Received) -> (String, Value) {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let at = match provider {
        "github" => &body["config"]["url"],
        "resend" => &body["endpoint"],
        "postmark" => &body["Url"],
        _ => {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            let (_, rest) = form.split_once("name=\"description\"\r\n\r\n").expect("a form");
            return (rest.split("\r\n").next().unwrap_or_default().to_owned(), json!(form));
        }
    };
    (at.as_str().expect("it says where").to_owned(), body.clone())
}

fn made(provider: &str, (id, url): (u32, &str)) -> Behaviour {
    match provider {
        "github" => answer(
            201,
            &json!({"id": id, "active": true, "config": {"url": url, "secret": "********"}}),
        ),
        "resend" => {
            let secret = format!("whsec_{}", base64(MADE));
            answer(
                201,
                &json!({"object": "webhook", "id": id.to_string(), "signing_secret": secret}),
            )
        }
        "postmark" => answer(200, &json!({"ID": id, "Url": url, "MessageStream": "outbound"})),
        _ => answer(
            200,
            &json!({"message": "Route has been created", "route": {"id": id.to_string(), "description": url}}),
        ),
    }
}

fn listed(provider: &str, hooks: &[(u32, &str)]) -> Value {
    let each = hooks.iter().map(|(id, url)| match provider {
        "github" => json!({"id": id, "config": {"url": url}}),
        "resend" => json!({"id": id.to_string(), "endpoint": url}),
        "postmark" => json!({"ID": id, "Url": url}),
        _ => json!({"id": id.to_string(), "description": url}),
    });
    let all: Vec<Value> = each.collect();
    match provider {
        "github" => json!(all),
        "resend" => json!({"object": "list", "has_more": false, "data": all}),
        "postmark" => json!({"Webhooks": all}),
        _ => json!({"total_count": all.len(), "items": all}),
    }
}

fn gone(provider: &str, id: u32) -> Behaviour {
    match provider {
        "github" => {
            let mut nothing = Answer::json(&json!({}));
            nothing.status = 204;
            nothing.body.clear();
            Behaviour::Answer(nothing)
        }
        "resend" => {
            answer(200, &json!({"object": "webhook", "id": id.to_string(), "deleted": true}))
        }
        "postmark" => answer(200, &json!({"ErrorCode": 0, "Message": "Webhook 1 removed."})),
        _ => answer(200, &json!({"message": "Route has been deleted", "id": id.to_string()})),
    }
}

fn plays(standing: &Shared, request: &Received) -> Behaviour {
    let mut standing = standing.lock().expect("nobody panics");
    let path = request.path().to_owned();
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let (provider, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (request.method.as_str(), rest) {
        ("GET", "user") => answer(200, &json!({"id": 7, "login": "ops-bot", "type": "User"})),
        ("GET", "domains") => answer(200, &json!({"object": "list", "data": []})),
        ("GET", "server") => answer(200, &json!({"ID": 7, "Name": "Acme"})),
        ("GET", "v4/domains/mg.acme.example") => answer(
            200,
            &json!({"domain": {"id": "d1", "name": "mg.acme.example", "state": "active"}}),
        ),
        ("POST", _) => {
            standing.made += 1;
            let (url, told) = url_of(provider, request);
            let id = standing.made;
            standing.told.push((provider.to_owned(), told));
            standing.hooks.push((provider.to_owned(), id, url.clone()));
            if std::mem::take(&mut standing.lose) {
                return Behaviour::ApplyThenReset;
            }
            made(provider, (id, &url))
        }
        ("GET", _) => {
            let mine = standing.hooks.iter().filter(|(of, ..)| of == provider);
            let mine: Vec<(u32, &str)> = mine.map(|(_, id, url)| (*id, url.as_str())).collect();
            answer(200, &listed(provider, &mine))
        }
        ("DELETE", path) => {
            let id = path.rsplit('/').next().and_then(|id| id.parse().ok()).unwrap_or_default();
            standing.hooks.retain(|(of, known, _)| of != provider || *known != id);
            gone(provider, id)
        }
        _ => Behaviour::Slack,
    }
}

fn world() -> (Live, Shared) {
    let mut live = Live::stopped();
    let standing = Shared::default();
    let played = Arc::clone(&standing);
    live.provider.otherwise(Behaviour::Play(Play::new(move |request, _| plays(&played, request))));
    live.restart();
    let login = format!("{}:{}", LOGIN.0, LOGIN.1);
    let secrets = [
        ("github", vec![("token", "e2e-github-token"), ("webhook_secret", GITHUB_SECRET)], None),
        ("resend", vec![("api_key", "re_e2e")], None),
        (
            "postmark",
            vec![("server_token", "e2e-token"), ("webhook_login", &login)],
            Some("message_id_domain=acme.example"),
        ),
        (
            "mailgun",
            vec![("api_key", "e2e-key"), ("signing_key", SIGNING_KEY)],
            Some("domain=mg.acme.example"),
        ),
    ];
    for (provider, secrets, setting) in secrets {
        let base = format!("api_base={}", live.provider.url(&format!("/{provider}")));
        let mut connect = live.placet(["integrations", "connect", provider, "--set", &base]);
        if let Some(setting) = setting {
            connect = connect.args(["--set", setting]);
        }
        for (field, secret) in secrets {
            let given = format!("{field}=env:{}", field.to_uppercase());
            connect = connect.args(["--credential", &given]).env(&field.to_uppercase(), secret);
        }
        drop(connect.run().expect_code(0));
    }
    (live, standing)
}

/// What stands at a provider.
fn at(standing: &Shared, provider: &str) -> Vec<String> {
    let standing = standing.lock().expect("nobody panics");
    let mine = standing.hooks.iter().filter(|(of, ..)| of == provider);
    mine.map(|(.., url)| url.clone()).collect()
}

fn on(live: &Live, provider: &str) -> Value {
    let mut asked = vec!["integrations", "hooks", provider, "on", "--at", HERE];
    if provider == "github" {
        asked.extend(["--for", "acme/site"]);
    }
    live.json("author", &asked)
}

/// A post as the provider makes it, with the secret that it knows.
fn post(live: &Live, provider: &str, secret: &[u8]) -> Option<u16> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let json = |body: Value| ("application/json", body.to_string());
    let ((media, body), headers) = match provider {
        "github" => {
            let body =
                json(json!({"action": "created", "comment": {"id": 9}, "issue": {"number": 1},
                "repository": {"full_name": "acme/site"}, "sender": {"id": 5}}));
            let tag = hmac_sha256(secret, body.1.as_bytes()).hex();
            (
                body,
                format!(
                    "X-GitHub-Event: issue_comment\r\nX-GitHub-Delivery: d1\r\nX-Hub-Signature-256: sha256={tag}\r\n"
                ),
            )
        }
        "resend" => {
            let body = json(json!({"type": "email.delivered", "data": {"email_id": "e1"}}));
            let tag = base64(
                hmac_sha256(secret, format!("msg_1.{now}.{}", body.1).as_bytes()).as_bytes(),
            );
            (
                body,
                format!("svix-id: msg_1\r\nsvix-timestamp: {now}\r\nsvix-signature: v1,{tag}\r\n"),
            )
        }
        "postmark" => {
            let body = json(json!({"RecordType": "Delivery", "MessageID": "m1"}));
            (body, format!("Authorization: Basic {}\r\n", base64(secret)))
        }
        _ => {
            let tag = hmac_sha256(secret, format!("{now}token").as_bytes()).hex();
            let form = format!(
                "timestamp={now}&token=token&signature={tag}&sender=ana%40example.com&recipient=ops%40mg.acme.example&body-plain=hi"
            );
            (("application/x-www-form-urlencoded", form), String::new())
        }
    };
    let address = &live.door().address;
    let head = format!(
        "POST /hooks/{provider}/{provider} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {media}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    Post { head, body }.send(address, DEADLINE)
}

#[test]
fn four_providers_are_told_where_to_post_with_secrets_that_only_they_and_the_vault_know() {
    let (live, standing) = world();
    for provider in PROVIDERS {
        let hook = on(&live, provider)["hooks"][0].clone();
        assert_eq!(hook["step"], "made", "{provider}: {hook:#}");
        let prefix = format!("{HERE}/hooks/{provider}/int_");
        assert!(at(&standing, provider)[0].starts_with(&prefix), "{provider}");
        // asked for again: one stands there, not two
        on(&live, provider);
        assert_eq!(at(&standing, provider).len(), 1, "{provider}");
    }
    // what the calls have said is what the posts are proven by
    let told = standing.lock().expect("nobody panics").told.clone();
    let said = |provider: &str| told.iter().find(|(of, _)| of == provider).expect("told").1.clone();
    assert_eq!(said("github")["config"]["secret"], GITHUB_SECRET);
    let auth = &said("postmark")["HttpAuth"];
    assert_eq!((&auth["Username"], &auth["Password"]), (&json!(LOGIN.0), &json!(LOGIN.1)));
    let form = said("mailgun").as_str().expect("a form").to_owned();
    assert!(
        form.contains("match_recipient(\".*@mg.acme.example\")")
            && form.contains("forward(\"https://"),
        "{form}"
    );
    let login = format!("{}:{}", LOGIN.0, LOGIN.1);
    let secrets = [GITHUB_SECRET.as_bytes(), MADE, login.as_bytes(), SIGNING_KEY.as_bytes()];
    for (provider, secret) in PROVIDERS.into_iter().zip(secrets) {
        assert_eq!(post(&live, provider, secret), Some(200), "{provider}");
        assert_eq!(post(&live, provider, b"another:secret-of-somebody"), Some(401), "{provider}");
    }
    let log = live.placet(["audit", "log", "--json"]).run().expect_code(0).stdout;
    let made = base64(MADE);
    for secret in [GITHUB_SECRET, "quoted", LOGIN.1, SIGNING_KEY, &made] {
        assert!(!log.contains(secret), "a secret was said");
    }
}

#[test]
fn what_a_lost_answer_leaves_is_taken_away_and_off_takes_away_the_rest() {
    let (live, standing) = world();
    let other = "https://other.example/hook";
    for provider in PROVIDERS {
        let theirs = (provider.to_owned(), 999, other.to_owned());
        standing.lock().expect("nobody panics").hooks.push(theirs);
        standing.lock().expect("nobody panics").lose = true;
        let mut asked =
            vec!["integrations", "hooks", provider, "on", "--at", HERE, "--as", "author"];
        if provider == "github" {
            let unsaid = live.placet(asked.iter().copied()).run().expect_code(1);
            assert!(
                unsaid.stderr.contains("PL4071") && unsaid.stderr.contains("--for"),
                "{}",
                unsaid.stderr
            );
            asked.extend(["--for", "acme/site"]);
        }
        let lost = live.placet(asked).run().expect_code(1);
        assert!(lost.stderr.contains("PL4072"), "{provider}: {}", lost.stderr);
        assert_eq!(at(&standing, provider), [other], "{provider}: what is not ours stays");
        on(&live, provider);
        assert_eq!(at(&standing, provider).len(), 2, "{provider}");
        live.done("author", &["integrations", "hooks", provider, "off"]);
        assert_eq!(at(&standing, provider), [other], "{provider}");
    }
}
