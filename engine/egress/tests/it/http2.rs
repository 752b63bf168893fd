//! HTTP/2 by a server that writes its frames by hand: what it did not process by its own word is before
//! the send, everything else that leaves a request without an answer is after it, and nothing is sent a
//! second time.

use crate::common::{call, operation, request};
use crate::secure::{self, acceptor};
use placet_adapters::{Answer, Failed, Phase, Redirects, Sent, Transport as _, classify};
use placet_egress::{Egress, Timeouts};
use placet_model::Timestamp;
use placet_model::manifest::Outcome;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

// RFC 9113 §6 and §7
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;
/// `:status: 200` by HPACK's static table.
const STATUS_200: &[u8] = &[0x88];

/// What the server says to a request that it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Ok,
    Reset(u32),
    /// Goes away; the last stream that it names, and why.
    GoAway(u32, u32),
    /// The same, and closes the connection.
    GoAwayAndClose(u32, u32),
    /// Goes away before it has seen a request.
    GoAwayAtOnce,
    Close,
    Nothing,
    /// Begins an answer, and then resets the stream.
    HeadThenReset(u32),
    /// Answers, and goes away in the same breath.
    OkThenGoAway,
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    connects: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    async fn saying(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connects, requests) = (Arc::default(), Arc::default());
        let (count, seen) = (Arc::clone(&connects), Arc::clone(&requests));
        let tls = acceptor(&["h2"]);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                AtomicUsize::fetch_add(&count, 1, Ordering::SeqCst);
                let (tls, seen) = (tls.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let stream = tls.accept(stream).await.unwrap();
                    // a client that has gone ends it
                    drop(serve(stream, says, &seen).await);
                });
            }
        });
        Self { address, connects, requests }
    }

    fn egress(&self) -> Egress {
        self.egress_within(Timeouts::default())
    }

    fn egress_within(&self, limits: Timeouts) -> Egress {
        secure::egress(secure::rules(self.address, limits))
    }

    async fn asked(&self, egress: &Egress, redirects: Redirects) -> Answer {
        let (method, body) =
            if redirects == Redirects::Never { ("POST", "{}") } else { ("GET", "") };
        let mut call =
            call(request(method, &format!("https://{}/", self.address), body), redirects);
        call.timeout = Duration::from_mins(2);
        egress.perform(call).await
    }

    fn counts(&self) -> (usize, usize) {
        (self.connects.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    says: Says,
    seen: &AtomicUsize,
) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    frame(&mut stream, (SETTINGS, 0), 0, &[]).await?;
    if says == Says::GoAwayAtOnce {
        frame(&mut stream, (GOAWAY, 0), 0, &goaway(0, NO_ERROR)).await?;
    }
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await?;
        let id = u32::from_be_bytes(id);
        match kind {
            SETTINGS if flags & ACK == 0 => frame(&mut stream, (SETTINGS, ACK), 0, &[]).await?,
            HEADERS => drop(seen.fetch_add(1, Ordering::SeqCst)),
            _ => {}
        }
        let is_whole = matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0;
        if is_whole && !say(&mut stream, says, id).await? {
            return stream.shutdown().await;
        }
    }
}

/// Whether the connection goes on.
async fn say(stream: &mut (impl AsyncWrite + Unpin), says: Says, id: u32) -> std::io::Result<bool> {
    let ok = (HEADERS, END_HEADERS | END_STREAM);
    match says {
        Says::Ok => frame(stream, ok, id, STATUS_200).await?,
        Says::Reset(code) => frame(stream, (RST_STREAM, 0), id, &code.to_be_bytes()).await?,
        Says::GoAway(last, code) | Says::GoAwayAndClose(last, code) => {
            frame(stream, (GOAWAY, 0), 0, &goaway(last, code)).await?;
        }
        Says::HeadThenReset(code) => {
            frame(stream, (HEADERS, END_HEADERS), id, STATUS_200).await?;
            frame(stream, (RST_STREAM, 0), id, &code.to_be_bytes()).await?;
        }
        Says::OkThenGoAway => {
            frame(stream, ok, id, STATUS_200).await?;
            frame(stream, (GOAWAY, 0), 0, &goaway(id, NO_ERROR)).await?;
        }
        Says::Close | Says::Nothing | Says::GoAwayAtOnce => {}
    }
    Ok(!matches!(says, Says::Close | Says::GoAwayAndClose(..)))
}

fn goaway(last: u32, code: u32) -> Vec<u8> {
    [last.to_be_bytes(), code.to_be_bytes()].concat()
}

async fn frame(
    stream: &mut (impl AsyncWrite + Unpin),
    (kind, flags): (u8, u8),
    id: u32,
    payload: &[u8],
) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &id.to_be_bytes()].concat();
    stream.write_all(&[&head, payload].concat()).await?;
    stream.flush().await
}

fn outcome(failed: Failed) -> Outcome {
    let (input, settings) = (json!({}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: "" };
    classify(&operation("webhook.event.send"), &Err(failed), sent, Timestamp::EPOCH).outcome
}

#[tokio::test]
async fn a_gated_call_speaks_the_protocol_that_the_server_chooses() {
    let server = Server::saying(Says::Ok).await;
    let egress = server.egress();
    for _ in 0..3 {
        let answer = server.asked(&egress, Redirects::Never).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 0));
    }
    // and has a connection of its own
    assert_eq!(server.counts(), (3, 3));
}

#[tokio::test]
async fn what_the_server_did_not_process_by_its_own_word_is_before_the_send_and_nothing_else_is() {
    use Phase::{AfterSend, BeforeSend};
    let cases = [
        (Says::Reset(REFUSED_STREAM), BeforeSend),
        (Says::Reset(INTERNAL_ERROR), AfterSend),
        (Says::Reset(CANCEL), AfterSend),
        (Says::Reset(ENHANCE_YOUR_CALM), AfterSend),
        (Says::GoAway(0, NO_ERROR), BeforeSend),
        (Says::GoAway(0, ENHANCE_YOUR_CALM), BeforeSend),
        (Says::GoAwayAndClose(0, NO_ERROR), BeforeSend),
        (Says::GoAwayAndClose(0, INTERNAL_ERROR), BeforeSend),
        // it names our stream: it may have been processed
        (Says::GoAway(1, NO_ERROR), AfterSend),
        (Says::GoAwayAndClose(1, NO_ERROR), AfterSend),
        (Says::GoAwayAndClose(1, INTERNAL_ERROR), AfterSend),
        (Says::GoAwayAndClose(0x7fff_ffff, NO_ERROR), AfterSend),
        (Says::Close, AfterSend),
        (Says::Nothing, AfterSend),
        (Says::HeadThenReset(REFUSED_STREAM), AfterSend),
        (Says::HeadThenReset(CANCEL), AfterSend),
    ];
    // of some nothing more comes; none of these is to be taken for them, however long its word is on its way
    let short = Duration::from_millis(500);
    let hasty = Timeouts { first_byte: short, body: short, ..Timeouts::default() };
    let mut before = 0;
    for (says, phase) in cases {
        let server = Server::saying(says).await;
        let limits = if phase == AfterSend { hasty } else { Timeouts::default() };
        let egress = server.egress_within(limits);
        let failed = server.asked(&egress, Redirects::Never).await.unwrap_err();
        assert_eq!(failed.phase, phase, "{says:?}: {failed:?}");
        assert_eq!(server.counts(), (1, 1), "{says:?}: once, and never again");
        before += usize::from(phase == BeforeSend);
        let expect = if phase == BeforeSend { Outcome::RefusedRetry } else { Outcome::InDoubt };
        assert_eq!(outcome(failed), expect, "{says:?}");
    }
    println!("{} endings: {before} before the send, 0 wrong, 0 sent again", cases.len());
}

#[tokio::test]
async fn a_server_that_goes_away_before_it_has_seen_the_request_did_not_process_it() {
    let server = Server::saying(Says::GoAwayAtOnce).await;
    let failed = server.asked(&server.egress(), Redirects::Never).await.unwrap_err();
    assert_eq!((failed.phase, failed.stage.is_some()), (Phase::BeforeSend, true), "{failed:?}");
    assert!(server.counts().1 <= 1);
}

#[tokio::test]
async fn reads_share_a_connection_one_after_the_other_and_side_by_side() {
    let server = Server::saying(Says::Ok).await;
    let egress = server.egress();
    for _ in 0..3 {
        assert_eq!(server.asked(&egress, Redirects::Follow).await.unwrap().status, 200);
    }
    let side_by_side = (0..8).map(|_| server.asked(&egress, Redirects::Follow));
    for answer in futures_util::future::join_all(side_by_side).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!(server.counts(), (1, 11));
}

#[tokio::test]
async fn a_read_that_a_pooled_connection_loses_is_not_sent_again_by_any_library() {
    for says in [
        Says::Reset(REFUSED_STREAM),
        Says::GoAwayAndClose(0, NO_ERROR),
        Says::GoAwayAndClose(1, NO_ERROR),
        Says::Close,
    ] {
        let server = Server::saying(says).await;
        let failed = server.asked(&server.egress(), Redirects::Follow).await.unwrap_err();
        assert_eq!((failed.phase, server.counts().1), (Phase::AfterSend, 1), "{says:?}: {failed}");
    }
}

#[tokio::test]
async fn a_connection_whose_server_goes_away_is_not_used_again_and_nothing_is_sent_twice() {
    let server = Server::saying(Says::OkThenGoAway).await;
    let egress = server.egress();
    let mut lost = 0;
    for _ in 0..20 {
        match server.asked(&egress, Redirects::Follow).await {
            Ok(answer) => assert_eq!(answer.status, 200),
            Err(_) => lost += 1,
        }
    }
    let (connects, requests) = server.counts();
    println!("20 reads, {lost} lost, {connects} connections, {requests} requests at the server");
    assert!(requests <= 20 && requests + lost >= 20, "{requests} requests, {lost} lost");
    assert!(connects > 1);
}
