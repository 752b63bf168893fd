//! A server that stalls or breaks at each stage of a call, over real sockets and real TLS: what failed
//! before the send is tried again, what may have arrived is in doubt, and each says where it ended.

use crate::common::{call, operation, request};
use crate::secure::{self, acceptor};
use placet_adapters::{
    Call, Cause, Failed, Phase, Redirects, Sent, Stage, Transport as _, classify,
};
use placet_egress::{Egress, EgressConfig, Looking, Lookup, Timeouts};
use placet_model::Timestamp;
use placet_model::manifest::Outcome;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// What the server does, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Takes the connection and says nothing.
    SilentHandshake,
    /// Takes the connection and hangs up.
    BrokenHandshake,
    /// Answers the handshake with something else.
    NoTls,
    /// Reads nothing of the request.
    Deaf,
    /// Reads a part of the request and breaks the connection.
    BreaksOff,
    /// Reads the request and says nothing.
    Mute,
    /// Reads the request and hangs up.
    HangsUp,
    /// Begins the head of an answer and stops.
    HalfAHead,
    /// Begins the body of an answer and stops, or hangs up.
    HalfABody(Then),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Stall,
    HangUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Plain,
    Tls,
}

const OPERATION: &str = "webhook.event.send";
/// More than the buffers of both ends of a connection take.
const LARGE: usize = 16 << 20;
/// For the stage that stalls. Every other one may take as long as a loaded machine makes it.
const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_mins(2);

/// The times of a call that this stage of it is to end.
fn short_at(stage: Option<Stage>) -> Timeouts {
    let of = |one: Stage| if stage == Some(one) { SHORT } else { LONG };
    Timeouts {
        resolve: of(Stage::Resolve),
        connect: of(Stage::Connect),
        tls: of(Stage::Tls),
        write: of(Stage::Write),
        first_byte: of(Stage::FirstByte),
        body: of(Stage::Body),
    }
}

/// Plays one fault on every connection; counts what it has read of requests.
async fn server(fault: Fault, over: Over) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let tls = acceptor(&["http/1.1"]);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, count) = (tls.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                match (fault, over) {
                    (Fault::SilentHandshake, _) => std::future::pending().await,
                    (Fault::BrokenHandshake, _) => drop(stream),
                    (Fault::NoTls, _) => play_no_tls(stream).await,
                    (_, Over::Plain) => play(stream, fault, &count).await,
                    (_, Over::Tls) => play(tls.accept(stream).await.unwrap(), fault, &count).await,
                }
            });
        }
    });
    (address, read)
}

async fn play_no_tls(mut stream: TcpStream) {
    stream.write_all(b"220 mail.example.com ESMTP\r\n").await.unwrap();
    std::future::pending::<()>().await;
}

async fn play(mut stream: impl AsyncRead + AsyncWrite + Unpin, fault: Fault, count: &AtomicUsize) {
    if fault == Fault::Deaf {
        return std::future::pending().await;
    }
    let mut chunk = [0; 1024];
    let mut seen = Vec::new();
    while !seen.ends_with(b"}") {
        let got = stream.read(&mut chunk).await.unwrap();
        count.fetch_add(got, Ordering::SeqCst);
        seen.extend_from_slice(&chunk[..got]);
        if fault == Fault::BreaksOff {
            return;
        }
    }
    let half = match fault {
        Fault::HalfAHead => "HTTP/1.1 200 OK\r\ncontent-le",
        Fault::HalfABody(_) => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        Fault::HangsUp => return,
        _ => "",
    };
    stream.write_all(half.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    if fault != Fault::HalfABody(Then::HangUp) {
        std::future::pending::<()>().await;
    }
}

fn webhook(url: &str, body: &str) -> Call {
    let mut call = call(request("POST", url, body), Redirects::Never);
    call.operation = operation(OPERATION);
    call.timeout = LONG;
    call
}

/// How it ended, what that means, and what of it is recorded.
fn judged(failed: Failed) -> (Outcome, Value) {
    let (input, settings) = (json!({}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: "" };
    let classified = classify(&operation(OPERATION), &Err(failed), sent, Timestamp::EPOCH);
    (classified.outcome, classified.stored)
}

fn check(failed: Failed, (stage, cause): (Stage, Option<Cause>), what: &str) {
    let early = matches!(stage, Stage::Resolve | Stage::Connect | Stage::Tls);
    let expect = if early { Phase::BeforeSend } else { Phase::AfterSend };
    assert_eq!((failed.phase, failed.stage), (expect, Some(stage)), "{what}: {failed}");
    if let Some(cause) = cause {
        assert_eq!(failed.cause, cause, "{what}: {failed}");
    }
    let outcome = if early { Outcome::RefusedRetry } else { Outcome::InDoubt };
    let recorded = json!({"transport": {"stage": stage.as_str()}});
    assert_eq!(judged(failed), (outcome, recorded), "{what}");
}

#[tokio::test]
async fn each_stage_that_stalls_or_breaks_is_told_by_its_name_and_judged_by_its_bytes() {
    use Over::{Plain, Tls};
    let timeout = Some(Cause::Timeout);
    let cases = [
        (Fault::SilentHandshake, Tls, Stage::Tls, timeout),
        (Fault::BrokenHandshake, Tls, Stage::Tls, Some(Cause::Tls)),
        (Fault::NoTls, Tls, Stage::Tls, Some(Cause::Tls)),
        (Fault::Deaf, Plain, Stage::Write, timeout),
        (Fault::Deaf, Tls, Stage::Write, timeout),
        (Fault::BreaksOff, Plain, Stage::Write, Some(Cause::Reset)),
        (Fault::BreaksOff, Tls, Stage::Write, Some(Cause::Reset)),
        (Fault::Mute, Plain, Stage::FirstByte, timeout),
        (Fault::Mute, Tls, Stage::FirstByte, timeout),
        (Fault::HangsUp, Plain, Stage::FirstByte, Some(Cause::Reset)),
        (Fault::HangsUp, Tls, Stage::FirstByte, Some(Cause::Reset)),
        (Fault::HalfAHead, Plain, Stage::FirstByte, timeout),
        (Fault::HalfAHead, Tls, Stage::FirstByte, timeout),
        (Fault::HalfABody(Then::Stall), Plain, Stage::Body, timeout),
        (Fault::HalfABody(Then::Stall), Tls, Stage::Body, timeout),
        (Fault::HalfABody(Then::HangUp), Plain, Stage::Body, Some(Cause::Reset)),
        (Fault::HalfABody(Then::HangUp), Tls, Stage::Body, Some(Cause::Reset)),
    ];
    let mut before = 0;
    for (fault, over, stage, cause) in cases {
        let (address, read) = server(fault, over).await;
        let stalls = (cause == timeout).then_some(stage);
        let egress = secure::egress(secure::rules(address, short_at(stalls)));
        let scheme = if over == Tls { "https" } else { "http" };
        let large = matches!(fault, Fault::Deaf | Fault::BreaksOff);
        let filler = if large { "x".repeat(LARGE) } else { String::new() };
        let body = format!("{{\"text\":\"{filler}\"}}");
        let answer = egress.perform(webhook(&format!("{scheme}://{address}/"), &body)).await;
        let what = format!("{fault:?} over {over:?}");
        let failed = answer.unwrap_err();
        if failed.phase == Phase::BeforeSend {
            before += 1;
            assert_eq!(read.load(Ordering::SeqCst), 0, "{what}: the server has read of it");
        }
        check(failed, (stage, cause), &what);
    }
    println!("{} faults at a socket: {before} before the send, 0 wrong", cases.len());
}

#[derive(Debug)]
struct NeverAnswers;

impl Lookup for NeverAnswers {
    fn look_up(&self, _name: &str) -> Looking {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_name_that_nobody_answers_for_ends_at_the_look_up() {
    let timeouts = short_at(Some(Stage::Resolve));
    let config = EgressConfig { timeouts, ..EgressConfig::default() };
    let secrets = Arc::new(crate::common::Secrets::default());
    let egress =
        Egress::with_lookup(crate::common::live(), (config, secrets), Arc::new(NeverAnswers));
    let failed = egress.perform(webhook("https://slow.example/", "{}")).await.unwrap_err();
    check(failed, (Stage::Resolve, Some(Cause::Timeout)), "look-up");
}

#[tokio::test]
async fn an_address_that_drops_what_is_said_to_it_ends_at_the_connect() {
    // a listener whose queue is full takes no more connections and refuses none
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
        held.push(stream);
    }
    let egress = secure::egress(secure::rules(address, short_at(Some(Stage::Connect))));
    let failed = egress.perform(webhook(&format!("http://{address}/"), "{}")).await.unwrap_err();
    check(failed, (Stage::Connect, Some(Cause::Timeout)), "connect");
    assert!(!held.is_empty());
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_is_not_believed_ends_at_the_handshake() {
    let (address, read) = server(Fault::Mute, Over::Tls).await;
    let mut rules = secure::rules(address, Timeouts::default());
    rules.authorities.clear();
    let answer = secure::egress(rules).perform(webhook(&format!("https://{address}/"), "{}")).await;
    check(answer.unwrap_err(), (Stage::Tls, Some(Cause::Tls)), "certificate");
    assert_eq!(read.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_time_of_the_whole_call_ends_every_stage() {
    let (address, _) = server(Fault::Mute, Over::Plain).await;
    let egress = secure::egress(secure::rules(address, Timeouts::default()));
    let mut call = webhook(&format!("http://{address}/"), "{}");
    // it is to run out after the send, however slow the way to it
    call.timeout = Duration::from_secs(5);
    let failed = egress.perform(call).await.unwrap_err();
    assert!(failed.detail.contains("5000 ms for all of the call"), "{failed}");
    check(failed, (Stage::FirstByte, Some(Cause::Timeout)), "whole call");
}
