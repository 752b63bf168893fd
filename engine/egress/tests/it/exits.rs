//! Every way out against every spelling of what is not public: webhooks, look-ups, an author's own
//! reads, documents (workflows', `adapters import`), authorization servers of manifests and of
//! workflows, and what such a server says of itself; directly, by a name that lies, and by a redirect.
//! Listeners on all that is private count who has connected.
//!
//! covers: S14

use crate::common::{Behaviour, Secrets, StandIn, call, operation, request};
use crate::ssrf::{Lies, SPELLINGS};
use placet_adapters::{
    Answer, FilledRequest, Phase, Redirects, RenderInput, SecretText, Transport as _, render,
};
use placet_egress::{Egress, EgressConfig, Lookup};
use placet_model::Timestamp;
use placet_model::plan::{Authentication, ClientAuthentication, Grant, OAuth2, TokenEncoding};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Spellings beyond those of plain addresses.
const ODD: [&str; 32] = [
    "127.0.0.1..",
    "127.0.0.1%00",
    "127.0.0.1%09",
    "127.0.\t0.1",
    "127.\n0.0.1",
    " 127.0.0.1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "١٢٧.٠.٠.١",
    "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
    "¹²⁷.⁰.⁰.¹",
    "0X7F.1",
    "0x7F000001.",
    "00177.0.0.01",
    "user@127.0.0.1",
    "user:pass@127.0.0.1",
    "public.example@127.0.0.1",
    "127.0.0.1:1@127.0.0.1",
    "public.example\\@127.0.0.1",
    "[::1%25lo]",
    "[::1%lo]",
    "[fe80::1%25eth0]",
    "[::FFFF:7F00:1]",
    "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2001:db8:1:1:0:5efe:7f00:1]",
    "[2002:7f00:1::7f00:1]",
    "[fec0::1]",
    "[::]",
    "[::1",
];

/// Names, all of which the resolver says to be this machine.
const NAMES: [&str; 10] = [
    "localhost",
    "localhost.",
    "LOCALHOST",
    "ⓛocalhost",
    "localhost.localdomain",
    "ip6-localhost",
    "127.0.0.1.public.example",
    "rebind.example",
    "metadata.google.internal",
    "xn--lcalhost-55a",
];

/// A way out of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Webhook,
    LookUp,
    OwnRead,
    Document,
    ManifestsServer,
    WorkflowsServer,
    DiscoveredServer,
}

const EXITS: [Exit; 7] = [
    Exit::Webhook,
    Exit::LookUp,
    Exit::OwnRead,
    Exit::Document,
    Exit::ManifestsServer,
    Exit::WorkflowsServer,
    Exit::DiscoveredServer,
];

struct World {
    victims: Vec<StandIn>,
    api: StandIn,
    /// An authorization server that may be asked, and what it says of itself.
    server: StandIn,
    says: Arc<Mutex<VecDeque<String>>>,
    egress: Egress,
}

impl World {
    /// Rules under which only the address can be what is refused: the port is allowed, and so is each
    /// host that is asked for tokens.
    async fn new(hosts: &[String], listed: &[&StandIn]) -> Self {
        let v4 = StandIn::on("127.0.0.1:0", Behaviour::Silence).await;
        let v6 = StandIn::on("[::1]:0", Behaviour::Silence).await;
        let api = StandIn::answering("200 OK", "", "{}").await;
        let says = Arc::new(Mutex::new(VecDeque::new()));
        let server = StandIn::on("127.0.0.1:0", Behaviour::Turns(Arc::clone(&says))).await;
        let listed = listed.iter().copied().chain([&api, &server]);
        let mut rules =
            EgressConfig::allowing(listed.map(|at| at.address.to_string().parse().unwrap()));
        rules.ports.extend([v4.address.port(), v6.address.port()]);
        rules.read_hosts = hosts.to_vec();
        let secrets = Secrets([("secret".to_owned(), "s3cret".to_owned())].into());
        let lies = Lies::new(&[&["127.0.0.1", "::1", "::ffff:127.0.0.1"]]) as Arc<dyn Lookup>;
        let egress = Egress::with_lookup(crate::common::live(), (rules, Arc::new(secrets)), lies);
        Self { victims: vec![v4, v6], api, server, says, egress }
    }

    fn connects(&self) -> usize {
        self.victims.iter().map(StandIn::connects).sum()
    }

    /// Goes out that way to the URL; whether anything came back.
    async fn out(&self, exit: Exit, url: &str) -> Result<(), (Phase, String)> {
        let told = |answer: Answer| {
            let failed = answer.err();
            failed.map_or(Ok(()), |failed| Err((failed.phase, failed.detail)))
        };
        match exit {
            Exit::Webhook => {
                let mut call = call(request("POST", url, "{}"), Redirects::Never);
                call.operation = operation("webhook.event.send");
                told(self.egress.perform(call).await)
            }
            Exit::LookUp => {
                told(self.egress.perform(call(request("GET", url, ""), Redirects::Follow)).await)
            }
            Exit::OwnRead => {
                let read = call(request("GET", url, ""), Redirects::FollowListed);
                told(self.egress.perform(read).await)
            }
            Exit::Document => {
                let fetched = self.egress.document_up_to(url, None, 1 << 20).await;
                fetched.map(drop).map_err(|error| (Phase::BeforeSend, error.to_string()))
            }
            Exit::ManifestsServer => {
                let headers = vec![("Accept".to_owned(), SecretText::new("application/json"))];
                let (method, body) = ("POST".to_owned(), b"grant_type=refresh_token".to_vec());
                let url = SecretText::new(url);
                told(self.egress.ask(FilledRequest { method, url, headers, body }).await)
            }
            Exit::WorkflowsServer => self.with_token(url, Some("/token")).await,
            // the server is one that may be asked; what it names is not
            Exit::DiscoveredServer => {
                let authority = self.server.url("");
                let said = json!({"issuer": authority, "token_endpoint": url}).to_string();
                let length = said.len();
                *self.says.lock().unwrap() = VecDeque::from([format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{said}"
                )]);
                self.with_token(&authority, None).await
            }
        }
    }

    /// A call that needs a token of the server at this URL.
    async fn with_token(&self, authority: &str, path: Option<&str>) -> Result<(), (Phase, String)> {
        let spec = OAuth2 {
            authority: authority.to_owned(),
            grant: Grant::ClientCredentials,
            token_endpoint: path.map(str::to_owned),
            client: Some("placet".to_owned()),
            client_secret: Some("secret".to_owned()),
            client_authentication: ClientAuthentication::ClientSecretPost,
            encoding: TokenEncoding::Form,
            issuers: vec![],
            scopes: vec![],
            audiences: vec![],
        };
        let authentication = Authentication::OAuth2(Box::new(spec));
        let input = json!({"method": "GET", "endpoint": self.api.url("/")});
        let given = RenderInput {
            settings: &Value::Null,
            input: &input,
            send_id: "",
            draft_time: Timestamp::EPOCH,
            authentication: Some(&authentication),
        };
        let operation = operation("http.request");
        let Ok(rendered) = render(&operation, given) else {
            return Err((Phase::BeforeSend, "no such authority".to_owned()));
        };
        let answer = self.egress.perform(call(rendered.request, Redirects::Never)).await;
        answer.map(drop).map_err(|failed| (failed.phase, failed.detail))
    }
}

fn hosts(spellings: &[&str]) -> Vec<String> {
    spellings.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn no_spelling_and_no_name_gets_out_by_any_way() {
    let spellings: Vec<&str> = SPELLINGS.iter().chain(&ODD).chain(&NAMES).copied().collect();
    let world = World::new(&hosts(&spellings), &[]).await;
    let mut asked = 0;
    for victim in &world.victims {
        let port = victim.address.port();
        for exit in EXITS {
            for spelling in &spellings {
                for scheme in ["https", "http"] {
                    let url = format!("{scheme}://{spelling}:{port}/");
                    let (phase, detail) = world.out(exit, &url).await.expect_err(&url);
                    assert_eq!(phase, Phase::BeforeSend, "{exit:?} {url}: {detail}");
                    assert!(!detail.contains("s3cret"), "{exit:?} {url}: {detail}");
                    asked += 1;
                }
            }
        }
    }
    println!("{asked} ways out, {} connected", world.connects());
    assert_eq!(world.server.connects(), asked / EXITS.len(), "each discovery was had");
    assert_eq!((world.connects(), world.api.connects()), (0, 0));
}

#[tokio::test]
async fn no_redirect_gets_out_by_any_way_that_follows_them() {
    let spellings: Vec<&str> = SPELLINGS.iter().chain(&ODD).chain(&NAMES).copied().collect();
    let first = World::new(&hosts(&spellings), &[]).await;
    let port = first.victims[0].address.port();
    let mut fronts = Vec::new();
    for spelling in &spellings {
        // a header holds a line: what no header carries is nothing that a server can say
        if spelling.contains('\n') {
            continue;
        }
        let location = format!("location: https://{spelling}:{port}/\r\n");
        fronts.push(StandIn::answering("302 Found", &location, "").await);
    }
    let world = World::new(&hosts(&spellings), &fronts.iter().collect::<Vec<_>>()).await;
    let mut asked = 0;
    for exit in [Exit::Webhook, Exit::LookUp, Exit::OwnRead, Exit::Document, Exit::ManifestsServer]
    {
        for front in &fronts {
            // where redirects are not followed, the redirect is the answer
            drop(world.out(exit, &front.url("/")).await);
            asked += 1;
        }
    }
    let reached: usize = fronts.iter().map(StandIn::connects).sum();
    println!("{asked} redirects by {reached} connections, {} connected", first.connects());
    assert_eq!((reached, first.connects(), world.connects()), (asked, 0, 0));
}
