//! How far the bytes got is told truthfully: "nothing left" only when nothing can have left.

use crate::common::{Behaviour, Secrets, StandIn, call, request};
use placet_adapters::{Answer, Call, Cause, Phase, Redirects, Transport as _};
use placet_egress::{Egress, EgressConfig, Looking, Lookup};
use placet_model::request::{Hole, HoleKind, HoledText, Part};
use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

fn egress_to(address: &str) -> Egress {
    Egress::new(
        crate::common::live(),
        EgressConfig::allowing([address.parse().unwrap()]),
        Arc::new(Secrets::default()),
    )
}

async fn send(stand_in: &StandIn, change: impl FnOnce(&mut Call)) -> Answer {
    let mut call = call(request("POST", &stand_in.url("/"), r#"{"text":"hi"}"#), Redirects::Never);
    change(&mut call);
    egress_to(&stand_in.address.to_string()).perform(call).await
}

fn told(answer: Answer) -> (Phase, Cause) {
    let failed = answer.unwrap_err();
    (failed.phase, failed.cause)
}

#[tokio::test]
async fn exactly_the_approved_bytes_arrive_once() {
    let stand_in = StandIn::answering("200 OK", "x-a: 1\r\nX-A: 2\r\n", "yes").await;
    let answer = send(&stand_in, |_| {}).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"yes".as_slice()));
    assert_eq!(answer.headers.iter().filter(|(name, _)| name == "x-a").count(), 2);
    let requests = stand_in.requests().await;
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("POST / HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].ends_with("\r\n\r\n{\"text\":\"hi\"}"), "{}", requests[0]);
}

#[tokio::test]
async fn the_client_adds_nothing_but_what_frames_the_request() {
    let stand_in = StandIn::answering("200 OK", "", "").await;
    let approved = ["accept", "content-type", "x-trace"];
    for (method, body, framing) in
        [("POST", "{}", true), ("POST", "", true), ("GET", "", false), ("DELETE", "", false)]
    {
        let mut request = request(method, &stand_in.url("/"), body);
        request.headers = approved.map(|name| (name.to_owned(), HoledText::plain("v"))).to_vec();
        egress_to(&stand_in.address.to_string())
            .perform(call(request, Redirects::Never))
            .await
            .unwrap();
        let arrived = stand_in.requests().await.pop().unwrap();
        let mut names: Vec<&str> = arrived
            .lines()
            .skip(1)
            .map_while(|line| line.split_once(": "))
            .map(|(name, _)| name)
            .collect();
        names.sort_unstable();
        let mut expect = vec!["accept", "content-type", "host", "x-trace"];
        expect.extend(framing.then_some("content-length"));
        expect.sort_unstable();
        assert_eq!(names, expect, "{method} {body}");
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_is_before_the_send() {
    let stand_in = StandIn::on("127.0.0.1:0", Behaviour::Silence).await;
    let mut call =
        call(request("POST", &format!("https://{}/", stand_in.address), "{}"), Redirects::Never);
    call.timeout = Duration::from_millis(300);
    assert_eq!(
        told(egress_to(&stand_in.address.to_string()).perform(call).await),
        (Phase::BeforeSend, Cause::Timeout)
    );
}

#[tokio::test]
async fn a_refused_connection_is_before_the_send() {
    // a port that was free a moment ago and that nobody listens on
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let call = call(request("POST", &format!("http://{address}/"), "{}"), Redirects::Never);
    assert_eq!(told(egress_to(&address).perform(call).await), (Phase::BeforeSend, Cause::Connect));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_before_the_send() {
    #[derive(Debug)]
    struct Nobody;
    impl Lookup for Nobody {
        fn look_up(&self, _name: &str) -> Looking {
            Box::pin(async { Err(io::Error::from(io::ErrorKind::NotFound)) })
        }
    }
    let egress = Egress::with_lookup(
        crate::common::live(),
        (EgressConfig::default(), Arc::new(Secrets::default())),
        Arc::new(Nobody),
    );
    let call = call(request("POST", "https://nobody.example/", "{}"), Redirects::Never);
    assert_eq!(told(egress.perform(call).await), (Phase::BeforeSend, Cause::Dns));
}

#[tokio::test]
async fn a_look_up_that_hangs_is_before_the_send() {
    #[derive(Debug)]
    struct Slow;
    impl Lookup for Slow {
        fn look_up(&self, _name: &str) -> Looking {
            Box::pin(std::future::pending())
        }
    }
    let egress = Egress::with_lookup(
        crate::common::live(),
        (EgressConfig::default(), Arc::new(Secrets::default())),
        Arc::new(Slow),
    );
    let mut call = call(request("POST", "https://slow.example/", "{}"), Redirects::Never);
    call.timeout = Duration::from_millis(300);
    assert_eq!(told(egress.perform(call).await), (Phase::BeforeSend, Cause::Timeout));
}

#[tokio::test]
async fn a_handshake_with_something_that_speaks_no_tls_is_before_the_send() {
    let stand_in = StandIn::on("127.0.0.1:0", Behaviour::HangUp).await;
    let url = format!("https://{}/", stand_in.address);
    let mut call = call(request("POST", &url, "{}"), Redirects::Never);
    call.timeout = Duration::from_millis(600);
    assert_eq!(
        told(egress_to(&stand_in.address.to_string()).perform(call).await).0,
        Phase::BeforeSend
    );
}

#[tokio::test]
async fn no_answer_in_time_is_after_the_send() {
    let stand_in = StandIn::on("127.0.0.1:0", Behaviour::Silence).await;
    // it is to run out after the send, however slow the way to it
    let answer = send(&stand_in, |call| call.timeout = Duration::from_secs(5)).await;
    assert_eq!(told(answer), (Phase::AfterSend, Cause::Timeout));
    assert_eq!(stand_in.requests().await.len(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_after_the_send() {
    let stand_in = StandIn::on("127.0.0.1:0", Behaviour::HangUp).await;
    assert_eq!(told(send(&stand_in, |_| {}).await).0, Phase::AfterSend);
    assert_eq!((stand_in.connects(), stand_in.requests().await.len()), (1, 1));
}

#[tokio::test]
async fn half_an_answer_is_after_the_send() {
    let stand_in = StandIn::on("127.0.0.1:0", Behaviour::HalfAnswer).await;
    assert_eq!(told(send(&stand_in, |_| {}).await).0, Phase::AfterSend);
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_after_the_send() {
    let stand_in =
        StandIn::on("127.0.0.1:0", Behaviour::Answer("SSH-2.0-OpenSSH\r\n\r\n".into())).await;
    assert_eq!(told(send(&stand_in, |_| {}).await), (Phase::AfterSend, Cause::Unreadable));
}

#[tokio::test]
async fn an_answer_larger_than_allowed_is_cut_off_after_the_send() {
    let stand_in = StandIn::answering("200 OK", "", &"x".repeat(2000)).await;
    let answer = send(&stand_in, |call| call.response_bytes_max = 1000).await;
    assert_eq!(told(answer), (Phase::AfterSend, Cause::TooLarge));
    let line = format!(": {}\r\n", "y".repeat(1000));
    let headers = (0..90).fold(String::new(), |text, n| text + "x-" + &n.to_string() + &line);
    let stand_in = StandIn::answering("200 OK", &headers, "").await;
    assert_eq!(told(send(&stand_in, |_| {}).await), (Phase::AfterSend, Cause::TooLarge));
}

#[tokio::test]
async fn a_hole_that_cannot_be_filled_sends_nothing() {
    let stand_in = StandIn::answering("200 OK", "", "").await;
    for (secret, reason) in [(None, "unknown"), (Some("a\r\nX-Evil: 1"), "splits a header")] {
        let secrets = secret.map(|secret| ("token".to_owned(), secret.to_owned()));
        let egress = Egress::new(
            crate::common::live(),
            EgressConfig::allowing([stand_in.address.to_string().parse().unwrap()]),
            Arc::new(Secrets(secrets.into_iter().collect::<BTreeMap<_, _>>())),
        );
        let mut request = request("POST", &stand_in.url("/"), "{}");
        let hole = Hole { hole: HoleKind::Credential, name: "token".to_owned() };
        request.headers.push(("X-Key".to_owned(), HoledText(vec![Part::Hole(hole)])));
        let failed = egress.perform(call(request, Redirects::Never)).await.unwrap_err();
        assert_eq!((failed.phase, failed.cause), (Phase::BeforeSend, Cause::Hole), "{reason}");
        assert!(!failed.detail.contains("Evil"), "{failed}");
    }
    assert_eq!(stand_in.connects(), 0);
}

#[tokio::test]
async fn two_gated_calls_never_share_a_connection() {
    let stand_in = StandIn::answering("200 OK", "", "").await;
    let egress = egress_to(&stand_in.address.to_string());
    for _ in 0..2 {
        let call = call(request("POST", &stand_in.url("/"), "{}"), Redirects::Never);
        egress.perform(call).await.unwrap();
    }
    assert_eq!(stand_in.connects(), 2);
}
