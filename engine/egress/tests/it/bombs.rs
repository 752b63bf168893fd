//! Answers that are made to be too much: each is cut off at its bound, whatever it promises to become,
//! and what was sent stays in doubt.

use crate::common::{StandIn, call, operation as operation_of, request};
use placet_adapters::{Answer, Cause, Phase, Redirects, Sent, Transport as _, classify};
use placet_egress::{Egress, EgressConfig};
use placet_model::Timestamp;
use placet_model::manifest::Outcome;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the caller takes of a body.
const BYTES_MAX: usize = 64 << 10;
/// What the sockets of both ends may hold beyond that.
const BUFFERS_MAX: usize = 12 << 20;

fn egress_to<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Egress {
    let listed = addresses.into_iter().map(|address| address.parse().unwrap());
    let secrets = Arc::new(crate::common::Secrets::default());
    Egress::new(crate::common::live(), EgressConfig::allowing(listed), secrets)
}

/// Answers with `head`, and then with `piece` for as long as somebody takes it. Tells how much it got
/// rid of.
async fn flood(head: &'static str, piece: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                drop(stream.read(&mut request).await);
                let pieces = piece.repeat(4096 / piece.len() + 1);
                let mut left = head.to_owned() + &pieces;
                while stream.write_all(left.as_bytes()).await.is_ok() {
                    count.fetch_add(left.len(), Ordering::SeqCst);
                    left.clone_from(&pieces);
                }
            });
        }
    });
    (address, written)
}

async fn asked(egress: &Egress, address: &str, redirects: Redirects) -> Answer {
    let (method, body) = if redirects == Redirects::Never { ("POST", "{}") } else { ("GET", "") };
    let mut call = call(request(method, &format!("http://{address}/"), body), redirects);
    call.response_bytes_max = BYTES_MAX;
    egress.perform(call).await
}

fn outcome(operation: &str, answer: &Answer) -> Outcome {
    let (input, settings) = (json!({}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: "" };
    classify(&operation_of(operation), answer, sent, Timestamp::EPOCH).outcome
}

/// The most memory that this process has had, in KiB.
fn memory_peak_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off_within_bounds_and_the_send_stays_in_doubt() {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let floods = [
        ("a body without a length", "HTTP/1.1 200 OK\r\n\r\n", "xxxxxxxxxxxxxxxx"),
        ("an endless length", "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "x"),
        ("endless chunks", CHUNKED, "10\r\n0123456789abcdef\r\n"),
        ("chunks of a byte", CHUNKED, "1\r\nx\r\n"),
        ("an endless extension", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", "x"),
        (
            "endless trailers",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            "a: b\r\n",
        ),
        ("headers without an end", OK, "a: b\r\n"),
        ("a header line without an end", "HTTP/1.1 200 OK\r\na: ", "bbbbbbbbbbbbbbbb"),
        ("a reason without an end", "HTTP/1.1 200 ", "OK OK OK "),
        (
            "a gzip body without an end",
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n",
            "\u{1f}",
        ),
    ];
    let mut servers = Vec::new();
    for (what, head, piece) in floods {
        servers.push((what, flood(head, piece).await));
    }
    let egress = egress_to(servers.iter().map(|(_, (address, _))| address.as_str()));
    let before = memory_peak_kib();
    for (what, (address, written)) in &servers {
        for redirects in [Redirects::Never, Redirects::Follow] {
            written.store(0, Ordering::SeqCst);
            let answer = asked(&egress, address, redirects).await;
            let failed = answer.as_ref().unwrap_err();
            assert_eq!(failed.phase, Phase::AfterSend, "{what}: {failed}");
            let clear = matches!(failed.cause, Cause::TooLarge | Cause::Unreadable);
            assert!(clear, "{what}: {failed:?}");
            let written = written.load(Ordering::SeqCst);
            assert!(written < BYTES_MAX + BUFFERS_MAX, "{what}: {written} bytes were taken");
            assert_eq!(outcome("webhook.event.send", &answer), Outcome::InDoubt, "{what}");
        }
    }
    let grown = memory_peak_kib() - before;
    println!("{} floods, each two ways: the peak of memory grew by {grown} KiB", floods.len());
}

/// Deflate of zeros by the book (RFC 1951 §3.2.6): a zero, and then `copies` times 258 of them, 13
/// bits each.
fn gzip_of_zeros(copies: usize) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut held, mut count) = (0_u8, 0);
    let mut put = |bits: &str, bytes: &mut Vec<u8>| {
        for bit in bits.bytes() {
            held |= (bit - b'0') << count;
            count += 1;
            if count == 8 {
                bytes.push(std::mem::take(&mut held));
                count = 0;
            }
        }
    };
    put("110", &mut bytes); // the last block, with the codes of the book
    put("00110000", &mut bytes);
    for _ in 0..copies {
        put("1100010100000", &mut bytes); // length 258, distance 1
    }
    put("00000000000000", &mut bytes); // the end, and the rest of a byte
    bytes
}

#[tokio::test]
async fn what_comes_packed_stays_packed_and_says_so() {
    // 8 MiB in 52 KiB
    let bomb = gzip_of_zeros((8 << 20) / 258);
    assert!(bomb.len() < BYTES_MAX, "{}", bomb.len());
    let mut servers = Vec::new();
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip, gzip"] {
        servers.push((encoding, packed(&bomb, encoding).await));
    }
    let large = packed(&vec![0; BYTES_MAX + 1], "gzip").await;
    let addresses = servers.iter().map(|(_, address)| address.as_str());
    let egress = egress_to(addresses.chain([large.as_str()]));
    for (encoding, address) in &servers {
        for redirects in [Redirects::Never, Redirects::Follow] {
            let answer = asked(&egress, address, redirects).await;
            let response = answer.as_ref().unwrap();
            assert_eq!((response.status, response.body.len()), (200, bomb.len()), "{encoding}");
            let note = response.notes.join("");
            assert!(note.contains("not unpacked"), "{encoding}: {note}");
            // a status says enough of a webhook; Slack's answer lies in a body that nobody has read
            assert_eq!(outcome("webhook.event.send", &answer), Outcome::Sent);
            assert_eq!(outcome("slack.chat.postMessage", &answer), Outcome::InDoubt);
        }
    }
    let failed = asked(&egress, &large, Redirects::Never).await.unwrap_err();
    assert_eq!(failed.cause, Cause::TooLarge);
}

async fn packed(body: &[u8], encoding: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {length}\r\n\r\n"
    );
    let answer = [head.as_bytes(), body].concat();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move { answer_packed(stream, &answer).await });
        }
    });
    address
}

async fn answer_packed(mut stream: TcpStream, answer: &[u8]) {
    let mut request = [0; 4096];
    let got = stream.read(&mut request).await.unwrap();
    let request = String::from_utf8_lossy(&request[..got]).to_ascii_lowercase();
    assert!(!request.contains("accept-encoding"), "{request}");
    drop(stream.write_all(answer).await);
    drop(stream.read(&mut [0; 1]).await);
}

#[tokio::test]
async fn an_announced_length_beyond_the_bound_is_refused_before_a_byte_of_it_is_read() {
    let stand_in = StandIn::answering("200 OK", "", &"x".repeat(BYTES_MAX + 1)).await;
    let address = stand_in.address.to_string();
    let egress = egress_to([address.as_str()]);
    for redirects in [Redirects::Never, Redirects::Follow] {
        let failed = asked(&egress, &address, redirects).await.unwrap_err();
        assert_eq!((failed.phase, failed.cause), (Phase::AfterSend, Cause::TooLarge), "{failed}");
        assert!(failed.detail.contains("65536 bytes"), "{failed}");
    }
}
