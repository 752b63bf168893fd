//! Connections that reads share (HTTP/1.1): reuse, and the race with a server that closes one while it
//! is written to. The server counts each request by its path: no library sends one a second time.

use crate::common::{call, request};
use placet_adapters::{Answer, Phase, Redirects, Transport as _};
use placet_egress::{Egress, EgressConfig};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// What the server does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Open,
    /// Answers once, and closes while the next request may be on its way.
    ClosesAfterOne,
    /// Answers once, reads the next request and closes without a word.
    EatsTheSecond,
}

#[derive(Debug, Default)]
struct Seen {
    connects: AtomicUsize,
    paths: Mutex<BTreeMap<String, usize>>,
}

async fn server(keeps: Keeps) -> (SocketAddr, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            shared.connects.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, keeps, Arc::clone(&shared)));
        }
    });
    (address, seen)
}

async fn serve(mut stream: TcpStream, keeps: Keeps, seen: Arc<Seen>) {
    let mut answered = 0;
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 1024];
        let Ok(count) = stream.read(&mut chunk).await else { return };
        if count == 0 {
            return;
        }
        bytes.extend_from_slice(&chunk[..count]);
        if !bytes.ends_with(b"\r\n\r\n") {
            continue;
        }
        let head = String::from_utf8_lossy(&std::mem::take(&mut bytes)).into_owned();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        *seen.paths.lock().unwrap().entry(path).or_default() += 1;
        if keeps == Keeps::EatsTheSecond && answered == 1 {
            return;
        }
        drop(stream.write_all(OK).await);
        answered += 1;
        if keeps == Keeps::ClosesAfterOne {
            return;
        }
    }
}

fn egress_to(address: SocketAddr) -> Egress {
    let rules = EgressConfig::allowing([address.to_string().parse().unwrap()]);
    Egress::new(crate::common::live(), rules, Arc::new(crate::common::Secrets::default()))
}

async fn read(egress: &Egress, address: SocketAddr, number: usize) -> Answer {
    let bytes = request("GET", &format!("http://{address}/{number}"), "");
    egress.perform(call(bytes, Redirects::Follow)).await
}

fn connects(seen: &Seen) -> usize {
    seen.connects.load(Ordering::SeqCst)
}

#[tokio::test]
async fn reads_use_a_connection_again() {
    let (address, seen) = server(Keeps::Open).await;
    let egress = egress_to(address);
    for number in 0..5 {
        assert_eq!(read(&egress, address, number).await.unwrap().status, 200);
    }
    assert_eq!((connects(&seen), seen.paths.lock().unwrap().len()), (1, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_closed_while_it_is_written_to_loses_a_read_or_nothing_and_repeats_none()
 {
    let (address, seen) = server(Keeps::ClosesAfterOne).await;
    let egress = egress_to(address);
    let mut lost = 0;
    for number in 0..200 {
        match read(&egress, address, number).await {
            Ok(answer) => assert_eq!(answer.status, 200),
            Err(failed) => {
                assert_eq!(failed.phase, Phase::AfterSend, "{failed}");
                lost += 1;
            }
        }
    }
    let paths = seen.paths.lock().unwrap();
    let repeated = paths.values().filter(|count| **count > 1).count();
    println!("200 reads: {lost} lost, {} arrived, {repeated} twice", paths.len());
    assert!(repeated == 0 && paths.len() + lost >= 200, "{paths:?}");
}

#[tokio::test]
async fn a_read_that_was_taken_and_not_answered_is_after_the_send_and_is_not_sent_again() {
    let (address, seen) = server(Keeps::EatsTheSecond).await;
    let egress = egress_to(address);
    for round in 0..20 {
        read(&egress, address, 2 * round).await.unwrap();
        let failed = read(&egress, address, 2 * round + 1).await.unwrap_err();
        assert_eq!(failed.phase, Phase::AfterSend, "{failed}");
    }
    let paths = seen.paths.lock().unwrap();
    assert_eq!((connects(&seen), paths.len()), (20, 40));
    assert!(paths.values().all(|count| *count == 1), "{paths:?}");
}
