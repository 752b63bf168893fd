//! Logging in at a login server: the way there and back, who comes in, and everything that is refused. The
//! login server of these tests answers inside this process and signs with a key of the tests; the real
//! program meets one that is not ours in `tests/it/login.rs`.
//!
//! covers: S16, S17

use crate::http::{Answer, Ask};
use crate::world::{World, name, with_workflow};
use placet_adapters::{Call, FilledRequest, Performing, Response, SecretText, Transport};
use placet_model::draft::Mode;
use placet_model::signed::text_of;
use placet_model::{Digest, Timestamp};
use placet_server::{Access, Oidc, Server, ServerOptions, Tokens};
use placet_test_support::dirs::Project;
use placet_test_support::token::{published, signed};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use url::Url;

const ISSUER: &str = "https://login.example";

/// What the login server says next, and what it was asked.
#[derive(Debug, Default)]
struct Says {
    /// Over the claims of a good token.
    claims: Value,
    /// In the place of the token.
    token: Option<String>,
    signer: Option<&'static str>,
    /// Whether it publishes its key; else another comes first.
    hides_key: usize,
    is_silent: bool,
    asked: Vec<String>,
    form: Vec<(String, String)>,
    basic: Option<String>,
}

#[derive(Debug, Default)]
struct LoginServer(Mutex<Says>);

impl Says {
    fn answer(&mut self, request: &FilledRequest, now: Timestamp) -> Value {
        let url = Url::parse(request.url.expose()).unwrap();
        self.asked.push(format!("{} {}", request.method, url.path()));
        match url.path() {
            "/.well-known/openid-configuration" => json!({
                "issuer": ISSUER,
                "authorization_endpoint": format!("{ISSUER}/authorize?tenant=1"),
                "token_endpoint": format!("{ISSUER}/token"),
                "jwks_uri": format!("{ISSUER}/keys"),
            }),
            "/keys" if self.hides_key > 0 => {
                self.hides_key -= 1;
                json!({"keys": []})
            }
            "/keys" => published(),
            "/token" => {
                let form = url::form_urlencoded::parse(&request.body);
                self.form = form.into_owned().collect();
                let basic = request.headers.iter().find(|(name, _)| name == "authorization");
                self.basic = basic.map(|(_, value)| value.expose().to_owned());
                let mut claims = json!({
                    "iss": ISSUER, "aud": "placet", "sub": "u1", "preferred_username": "approver",
                    "iat": now.as_secs(), "exp": now.as_secs() + 300,
                });
                for (name, value) in self.claims.as_object().into_iter().flatten() {
                    claims[name] = value.clone();
                }
                let token = signed(self.signer.unwrap_or("issuer"), &claims);
                json!({"access_token": "a", "id_token": self.token.clone().unwrap_or(token)})
            }
            other => panic!("{other}"),
        }
    }
}

impl Transport for LoginServer {
    fn ask(&self, request: FilledRequest) -> Performing<'_> {
        let mut says = self.0.lock().unwrap();
        let now = placet_executor::Clock::System.now();
        let answer = says.answer(&request, now);
        let status = if says.is_silent { 503 } else { 200 };
        let body = answer.to_string().into_bytes();
        Box::pin(async move { Ok(Response::new(status, vec![], body)) })
    }

    fn perform(&self, _call: Call) -> Performing<'_> {
        unreachable!("nothing is sent to a login server as a call")
    }
}

/// A server of `serve` with this login server.
struct Served {
    at: SocketAddr,
    login: Arc<LoginServer>,
    _stop: oneshot::Sender<()>,
    _project: Project,
}

/// A browser on its way back.
#[derive(Debug, Clone)]
struct Back {
    cookie: String,
    state: String,
    nonce: String,
    challenge: String,
    url: Url,
}

async fn served(world: &World) -> Served {
    let (project, login) = (Project::new(), Arc::new(LoginServer::default()));
    let tokens = Tokens::open(project.dir().join("tokens")).unwrap();
    let mut oidc = Oidc::new(ISSUER, "placet", Arc::clone(&login) as Arc<dyn Transport>);
    oidc.secret = Some(SecretText::new("s3cret&"));
    let options = ServerOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        handle: world.handle.clone(),
        access: Access::serve(tokens).and_by(oidc),
        login_token: None,
        hosts: vec![],
        vault: None,
        live: None,
        nats: tokio::sync::watch::channel(Value::Null).1,
        mode: Mode::Sandbox,
    };
    let server = Server::bind(options).await.unwrap();
    let at = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(server.run(async { drop(stopped.await) }));
    Served { at, login, _stop: stop, _project: project }
}

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

impl Served {
    async fn get(&self, target: &str, cookie: &str) -> Answer {
        Ask::new("GET", target).header("Cookie", cookie).send(self.at).await
    }

    async fn begin(&self, next: &str) -> Back {
        let answer = self.get(&format!("/login/oidc?next={next}"), "").await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let url = Url::parse(answer.header("location").unwrap()).unwrap();
        let of = |wanted: &str| {
            let found = url.query_pairs().find(|(name, _)| name == wanted);
            found.unwrap_or_else(|| panic!("{wanted}: {url}")).1.into_owned()
        };
        let (state, nonce, challenge) = (of("state"), of("nonce"), of("code_challenge"));
        Back { cookie: cookie(&answer), state, nonce, challenge, url }
    }

    async fn back(&self, back: &Back) -> Answer {
        self.get(&format!("/login/callback?code=c0de&state={}", back.state), &back.cookie).await
    }

    /// Logs in with these claims beside the nonce.
    async fn log_in(&self, claims: Value) -> Answer {
        let back = self.begin("/").await;
        self.says(|says| {
            says.claims = json!({"nonce": back.nonce});
            for (name, value) in claims.as_object().unwrap() {
                says.claims[name] = value.clone();
            }
        });
        self.back(&back).await
    }

    fn says(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.login.0.lock().unwrap());
    }
}

#[tokio::test]
async fn a_person_comes_in_as_themselves_where_they_wanted_to_go_and_goes_again() {
    let mut world = with_workflow().await;
    let (_run, card) = world.waiting().await;
    let served = served(&world).await;
    let page = Ask::new("GET", "/inbox?filter=all").header("Accept", "text/html");
    let page = page.send(served.at).await;
    assert!(page.status == 401 && page.body.contains("Log in with login.example"), "{page:?}");
    let way = "/login/oidc?next=%2Finbox%3Ffilter%3Dall";
    assert!(page.body.contains(way), "{}", page.body);
    let way = way.split_once("next=").unwrap().1;
    let back = served.begin(way).await;
    let asked: std::collections::BTreeMap<_, _> = back.url.query_pairs().into_owned().collect();
    assert!(back.url.as_str().starts_with("https://login.example/authorize?tenant=1&"));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "placet"),
        ("scope", "openid profile email"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", &format!("http://{}/login/callback", served.at)),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
    served.says(|says| says.claims = json!({"nonce": back.nonce}));
    let answer = served.back(&back).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("url=/inbox?filter=all\""), "{}", answer.body);
    let set = answer.header("set-cookie").unwrap().to_owned();
    assert!(set.contains("; Path=/; HttpOnly; SameSite=Strict;"), "{set}");
    {
        let says = served.login.0.lock().unwrap();
        let form: std::collections::BTreeMap<_, _> = says.form.iter().cloned().collect();
        let challenge = text_of(Digest::of(form["code_verifier"].as_bytes()).as_bytes());
        assert_eq!(challenge, back.challenge, "PKCE");
        assert_eq!((form["code"].as_str(), form.contains_key("client_secret")), ("c0de", false));
        assert_eq!(says.basic.as_deref(), Some("Basic cGxhY2V0OnMzY3JldCUyNg=="));
    }
    // as themselves, in the console and the API, and as nobody else
    let session = cookie(&answer);
    assert_eq!(served.get("/inbox?filter=all", &session).await.status, 200);
    let you = served.get("/you", &session).await.body;
    assert!(you.contains("<bdi>approver</bdi>") && you.contains("this one"), "{you}");
    assert_eq!(served.get("/api/v1/inbox", &session).await.ok()["items"][0]["id"], card["id"]);
    let other = Ask::new("GET", "/api/v1/inbox").header("Cookie", &session);
    other.header("Placet-As", "author").send(served.at).await.is_problem(403, "PL4005");
    let pause = || Ask::new("POST", "/api/v1/pause").header("Cookie", &session).json(&json!({}));
    pause().send(served.at).await.is_problem(403, "PL4015");
    let foreign = pause().header("Origin", "http://evil.example").send(served.at).await;
    foreign.is_problem(403, "PL4015");
    // a vote is signed, or it is none
    let votes = format!("/api/v1/decisions/{}/votes", card["id"].as_str().unwrap());
    let vote = Ask::new("POST", &votes).header("Cookie", &session);
    let vote = vote.header("Origin", &format!("http://{}", served.at));
    let vote = vote.json(&json!({"verdict": "approve", "digest": card["digest"]}));
    assert_eq!(vote.send(served.at).await.json()["code"], "PL3017");
    // whoever the policy does not know any more is out
    let mut policy = (*world.handle.world().policy).clone();
    policy.principals.remove(&name("approver"));
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    served.get("/api/v1/inbox", &session).await.is_problem(403, "PL3004");
}

#[tokio::test]
async fn logging_out_ends_this_session_or_all_of_ones_own() {
    let world = with_workflow().await;
    let served = served(&world).await;
    let first = cookie(&served.log_in(json!({})).await);
    let second = cookie(&served.log_in(json!({})).await);
    let others = cookie(&served.log_in(json!({"preferred_username": "author"})).await);
    let token = async |session: &str| {
        let you = served.get("/you", session).await.body;
        you.split("name=\"form_token\" value=\"").nth(1).unwrap()[..64].to_owned()
    };
    let out = async |session: &str, path: &str, token: &str| {
        let ask = Ask::new("POST", path).header("Cookie", session);
        let ask = ask.header("Origin", &format!("http://{}", served.at));
        let ask = ask.header("Content-Type", "application/x-www-form-urlencoded");
        ask.body(format!("form_token={token}")).send(served.at).await
    };
    let (mine, foreign) = (token(&first).await, token(&second).await);
    out(&first, "/you/logout", &foreign).await.is_problem(403, "PL4068");
    let answer = out(&first, "/you/logout", &mine).await;
    assert!(answer.status == 200 && answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    served.get("/api/v1/inbox", &first).await.is_problem(401, "PL4004");
    let third = cookie(&served.log_in(json!({})).await);
    let mine = token(&third).await;
    assert_eq!(out(&third, "/you/logout-everywhere", &mine).await.status, 200);
    for ended in [&second, &third] {
        served.get("/api/v1/inbox", ended).await.is_problem(401, "PL4004");
    }
    served.get("/api/v1/inbox", &others).await.ok();
}

#[tokio::test]
async fn s16_an_answer_that_belongs_to_no_login_of_this_browser_is_refused_before_its_code_is_used()
{
    let world = with_workflow().await;
    let served = served(&world).await;
    let back = served.begin("/").await;
    let other = served.begin("/").await;
    served.says(|says| says.claims = json!({"nonce": back.nonce}));
    let tried = async |query: &str, cookie: &str| {
        let answer = served.get(&format!("/login/callback?{query}"), cookie).await;
        assert!(answer.header("set-cookie").is_none());
        answer.is_problem(400, "PL5044")["detail"].as_str().unwrap().to_owned()
    };
    let good = format!("code=c0de&state={}", back.state);
    assert!(tried(&good, "").await.contains("no login"));
    assert!(tried(&good, &other.cookie).await.contains("another login"));
    let swapped = format!("code=c0de&state={}", other.state);
    assert!(tried(&swapped, &back.cookie).await.contains("another login"));
    let declined = format!("error=access_denied&error_description=%3Cb%3E&state={}", other.state);
    assert!(tried(&declined, &other.cookie).await.contains("access_denied"));
    let third = served.begin("/").await;
    let mixed = format!("code=c0de&state={}&iss=https://evil.example", third.state);
    assert!(tried(&mixed, &third.cookie).await.contains("another login server"));
    assert!(!served.login.0.lock().unwrap().asked.contains(&"POST /token".to_owned()));
    // looking at the way back uses nothing up; then it is good once
    let head = Ask::new("HEAD", &format!("/login/callback?{good}")).header("Cookie", &back.cookie);
    assert_eq!(head.send(served.at).await.status, 200);
    assert_eq!(served.back(&back).await.status, 200);
    assert!(tried(&good, &back.cookie).await.contains("logged in with this answer before"));
    // nowhere else does it lead
    for foreign in ["//evil.example", "https://evil.example", "/%5Cevil.example", "inbox"] {
        let back = served.begin(foreign).await;
        served.says(|says| says.claims = json!({"nonce": back.nonce}));
        let page = served.back(&back).await;
        assert!(page.body.contains("url=/\"") && !page.body.contains("evil"), "{}", page.body);
    }
}

#[tokio::test]
async fn s16_a_token_that_was_altered_lets_nobody_in() {
    let world = with_workflow().await;
    let served = served(&world).await;
    let now = placet_executor::Clock::System.now().as_secs();
    for claims in [
        json!({"nonce": "another"}),
        json!({"aud": "other"}),
        json!({"iss": "https://evil.example"}),
        json!({"exp": now - 3600}),
        json!({"iat": now - 7200}),
        json!({"azp": "other"}),
    ] {
        let answer = served.log_in(claims.clone()).await;
        assert!(answer.header("set-cookie").is_none(), "{claims}");
        answer.is_problem(401, "PL5045");
    }
    let claims = json!({"iss": ISSUER, "aud": "placet", "iat": now, "exp": now + 300});
    let token = signed("issuer", &claims);
    let (_head, rest) = token.split_once('.').unwrap();
    let none = text_of(br#"{"alg":"none"}"#);
    let shared = text_of(br#"{"alg":"HS256"}"#);
    for altered in [format!("{none}.{rest}"), format!("{shared}.{rest}"), "x".to_owned()] {
        served.says(|says| says.token = Some(altered));
        served.log_in(json!({})).await.is_problem(401, "PL5045");
    }
    served.says(|says| (says.token, says.signer) = (None, Some("stranger")));
    served.log_in(json!({})).await.is_problem(401, "PL5045");
    served.says(|says| says.signer = None);
    assert_eq!(served.log_in(json!({})).await.status, 200);
}

#[tokio::test]
async fn new_keys_are_asked_for_once_and_a_server_that_is_silent_is_told_of() {
    let world = with_workflow().await;
    let served = served(&world).await;
    let asked = |path: &str| {
        let says = served.login.0.lock().unwrap();
        says.asked.iter().filter(|asked| asked.ends_with(path)).count()
    };
    served.says(|says| says.is_silent = true);
    Ask::new("GET", "/login/oidc").send(served.at).await.is_problem(502, "PL5043");
    // its key has changed since it was asked
    served.says(|says| (says.is_silent, says.hides_key) = (false, 1));
    assert_eq!(served.log_in(json!({})).await.status, 200);
    let before = asked("/keys");
    assert_eq!(served.log_in(json!({})).await.status, 200);
    assert_eq!(asked("/keys"), before, "what is known is not asked for again");
    assert_eq!(asked("/openid-configuration"), 2, "once in vain");
    // a key that it never publishes
    let unknown = signed("issuer", &json!({}));
    let (_head, rest) = unknown.split_once('.').unwrap();
    let head = text_of(br#"{"alg":"RS256","kid":"gone"}"#);
    served.says(|says| says.token = Some(format!("{head}.{rest}")));
    served.log_in(json!({})).await.is_problem(401, "PL5045");
    assert_eq!(asked("/keys"), before + 1, "once more, and no further");
}

#[tokio::test]
async fn only_a_person_whom_the_policy_knows_comes_in() {
    let world = with_workflow().await;
    let served = served(&world).await;
    for (who, words) in [
        ("nobody", "knows nobody of that name"),
        ("agent", "no person"),
        ("a.b", "the name of no principal"),
        ("", "does not say"),
    ] {
        let answer = served.log_in(json!({"preferred_username": who})).await;
        let problem = answer.is_problem(403, "PL4052");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    // where there is no login server, there is no way to one
    for target in ["/login/oidc", "/login/callback"] {
        Ask::new("GET", target).send(world.server).await.is_problem(404, "PL4012");
    }
}
