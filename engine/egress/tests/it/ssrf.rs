//! The engine's network cannot be used against itself: no spelling, redirect or rebinding name
//! reaches an address that is not public.
//!
//! covers: S14

use crate::common::{Behaviour, Secrets, StandIn, call, request};
use placet_adapters::{Cause, Failed, Phase, Redirects, Transport as _};
use placet_egress::{Egress, EgressConfig, HostPort, Looking, Lookup};
use placet_model::request::{Hole, HoleKind, HoledText, Part};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Spellings of addresses that are this machine, its network or its cloud's metadata.
pub(crate) const SPELLINGS: [&str; 52] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "0177.0x0.0.1",
    "00000000177.0.0.1",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "0x0",
    "①②⑦.⓪.⓪.①",
    "１２７.０.０.１",
    "127。0。0。1",
    "127%2e0%2e0%2e1",
    "%31%32%37.0.0.1",
    "10.0.0.1",
    "0xa000001",
    "167772161",
    "012.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "169.254.43518",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.168.0.1",
    "192.168.257",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::]",
    "[2001:0:0:0:0:0:80ff:fffe]",
    "[fc00::1]",
    "[fe80::1]",
    "[ff02::1]",
];

/// Answers every name with the same addresses, and counts the questions.
#[derive(Debug)]
pub(crate) struct Lies {
    answers: Vec<Vec<IpAddr>>,
    pub(crate) asked: AtomicUsize,
}

impl Lies {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers
            .iter()
            .map(|list| list.iter().map(|ip| ip.parse().unwrap()).collect())
            .collect();
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

impl Lookup for Lies {
    fn look_up(&self, _name: &str) -> Looking {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[turn.min(self.answers.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    }
}

/// Rules under which only the address can be what is refused.
fn config(port: u16, allow: &[HostPort]) -> EgressConfig {
    let mut config = EgressConfig::allowing(allow.to_vec());
    config.ports.insert(port);
    config
}

fn egress(config: EgressConfig) -> Egress {
    Egress::new(crate::common::live(), config, Arc::new(Secrets::default()))
}

fn listed(stand_in: &StandIn) -> HostPort {
    stand_in.address.to_string().parse().unwrap()
}

async fn refusal(egress: &Egress, url: &str, redirects: Redirects) -> Failed {
    egress.perform(call(request("GET", url, ""), redirects)).await.unwrap_err()
}

#[tokio::test]
async fn no_spelling_of_a_private_address_is_dialled_directly() {
    let v4 = StandIn::answering("200 OK", "", "").await;
    let v6 = StandIn::on("[::1]:0", Behaviour::Silence).await;
    for victim in [&v4, &v6] {
        let port = victim.address.port();
        let egress = egress(config(port, &[]));
        for spelling in SPELLINGS {
            for scheme in ["https", "http"] {
                let failed =
                    refusal(&egress, &format!("{scheme}://{spelling}:{port}/"), Redirects::Never)
                        .await;
                assert_eq!(
                    (failed.phase, failed.cause),
                    (Phase::BeforeSend, Cause::Refused),
                    "{spelling}: {failed}"
                );
            }
        }
        assert_eq!(victim.connects(), 0);
    }
}

#[tokio::test]
async fn no_redirect_reaches_a_private_address() {
    let victim = StandIn::answering("200 OK", "", "").await;
    let port = victim.address.port();
    let mut fronts = Vec::new();
    for spelling in SPELLINGS {
        for scheme in ["https", "http"] {
            let location = format!("location: {scheme}://{spelling}:{port}/\r\n");
            fronts.push((spelling, StandIn::answering("302 Found", &location, "").await));
        }
    }
    let allow: Vec<HostPort> = fronts.iter().map(|(_, front)| listed(front)).collect();
    let egress = egress(config(port, &allow));
    for (spelling, front) in &fronts {
        let failed = refusal(&egress, &front.url("/"), Redirects::Follow).await;
        assert_eq!(failed.cause, Cause::Refused, "{spelling}: {failed}");
        assert_eq!(front.connects(), 1, "{spelling}");
    }
    assert_eq!(victim.connects(), 0);
}

#[tokio::test]
async fn no_name_that_resolves_to_a_private_address_is_dialled() {
    let victim = StandIn::answering("200 OK", "", "").await;
    let port = victim.address.port();
    let private = [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "fc00::1",
        "fe80::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ];
    let answers: Vec<&[&str]> = private.iter().map(std::slice::from_ref).collect();
    let lookup = Lies::new(&answers);
    let egress = Egress::with_lookup(
        crate::common::live(),
        (config(port, &[]), Arc::new(Secrets::default())),
        lookup,
    );
    let names = ["rebind.example", "localhost", "localhost.", "metadata.google.internal"];
    for (address, name) in private.iter().zip(names.iter().cycle()) {
        let failed = refusal(&egress, &format!("https://{name}:{port}/"), Redirects::Never).await;
        assert_eq!(
            (failed.phase, failed.cause),
            (Phase::BeforeSend, Cause::Refused),
            "{address}: {failed}"
        );
    }
    assert_eq!(victim.connects(), 0);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let victim = StandIn::answering("200 OK", "", "").await;
    let port = victim.address.port();
    // the second answer would be the rebinding; it is never asked for
    let lookup = Lies::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let allow = format!("stand-in.test:{port}").parse().unwrap();
    let egress = Egress::with_lookup(
        crate::common::live(),
        (config(port, &[allow]), Arc::new(Secrets::default())),
        Arc::clone(&lookup) as Arc<dyn Lookup>,
    );
    let url = format!("http://stand-in.test:{port}/");
    egress.perform(call(request("GET", &url, ""), Redirects::Never)).await.unwrap();
    assert_eq!((victim.connects(), lookup.asked.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn a_listed_target_is_reached_by_plain_http_and_its_neighbour_port_is_not() {
    let (wanted, neighbour) =
        (StandIn::answering("200 OK", "", "ok").await, StandIn::answering("200 OK", "", "").await);
    let egress = egress(config(neighbour.address.port(), &[listed(&wanted)]));
    let answer = egress
        .perform(call(request("GET", &wanted.url("/x"), ""), Redirects::Never))
        .await
        .unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));
    refusal(&egress, &neighbour.url("/"), Redirects::Never).await;
    assert_eq!((wanted.connects(), neighbour.connects()), (1, 0));
}

#[tokio::test]
async fn a_gated_call_is_never_redirected() {
    let elsewhere = StandIn::answering("200 OK", "", "").await;
    let location = format!("location: {}\r\n", elsewhere.url("/"));
    let front = StandIn::answering("307 Temporary Redirect", &location, "").await;
    let egress = egress(config(1, &[listed(&front), listed(&elsewhere)]));
    let answer = egress
        .perform(call(request("POST", &front.url("/"), "{}"), Redirects::Never))
        .await
        .unwrap();
    assert_eq!(answer.status, 307);
    // not even with redirects on: a body is never sent twice
    let answer = egress
        .perform(call(request("POST", &front.url("/"), "{}"), Redirects::Follow))
        .await
        .unwrap();
    assert_eq!((answer.status, elsewhere.connects()), (307, 0));
}

#[tokio::test]
async fn a_read_follows_five_redirects_and_no_more() {
    let front = StandIn::answering("302 Found", "location: /again\r\n", "").await;
    let egress = egress(config(1, &[listed(&front)]));
    let failed = refusal(&egress, &front.url("/"), Redirects::Follow).await;
    assert!(failed.detail.contains("redirects"), "{failed}");
    assert_eq!(front.requests().await.len(), 6);
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_origin() {
    let elsewhere = StandIn::answering("200 OK", "", "").await;
    let location = format!("location: {}\r\n", elsewhere.url("/"));
    let front = StandIn::answering("302 Found", &location, "").await;
    let secrets = Secrets(BTreeMap::from([("token".to_owned(), "s3cret".to_owned())]));
    let egress = Egress::new(
        crate::common::live(),
        config(1, &[listed(&front), listed(&elsewhere)]),
        Arc::new(secrets),
    );
    let mut request = request("GET", &front.url("/"), "");
    let hole = Hole { hole: HoleKind::Credential, name: "token".to_owned() };
    request.headers = vec![
        ("X-Key".to_owned(), HoledText(vec![Part::Hole(hole)])),
        ("Authorization".to_owned(), HoledText::plain("Basic dTpw")),
        ("X-Plain".to_owned(), HoledText::plain("kept")),
    ];
    egress.perform(call(request, Redirects::Follow)).await.unwrap();
    let (first, second) = (front.requests().await.remove(0), elsewhere.requests().await.remove(0));
    assert!(first.contains("s3cret") && first.contains("dTpw"), "{first}");
    assert!(second.contains("kept"), "{second}");
    for secret in ["s3cret", "dTpw", "x-key", "authorization"] {
        assert!(!second.to_ascii_lowercase().contains(&secret.to_ascii_lowercase()), "{second}");
    }
}

#[tokio::test]
async fn a_read_in_an_authors_own_words_is_redirected_to_listed_hosts_only() {
    let listed_host = StandIn::answering("200 OK", "", "ok").await;
    let other = StandIn::answering("200 OK", "", "").await;
    let secrets = || Arc::new(Secrets([("token".to_owned(), "s3cret".to_owned())].into()));
    let get = async |target: &StandIn, status: &str| {
        let location = format!("location: http://localhost:{}/moved\r\n", target.address.port());
        let front = StandIn::answering(status, &location, "").await;
        let reach = |at: &StandIn| format!("localhost:{}", at.address.port()).parse().unwrap();
        let mut config = config(1, &[listed(&front), reach(&listed_host), reach(&other)]);
        config.read_hosts = vec![format!("localhost:{}", listed_host.address.port())];
        let mut bytes = request("GET", &front.url("/"), "");
        let hole = Hole { hole: HoleKind::Secret, name: "token".to_owned() };
        bytes.headers.push(("X-Key".to_owned(), HoledText(vec![Part::Hole(hole)])));
        Egress::new(crate::common::live(), config, secrets())
            .perform(call(bytes, Redirects::FollowListed))
            .await
            .unwrap()
    };
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        assert_eq!(get(&listed_host, status).await.status, 200);
        assert_eq!(get(&other, status).await.status.to_string(), status[..3]);
    }
    assert_eq!((listed_host.requests().await.len(), other.connects()), (5, 0));
    assert!(!listed_host.requests().await.join("").contains("s3cret"));
}
