//! A mail over SMTP against every fault at every stage of the protocol: the real engine, log and live transport, and
//! a mail server that is not ours (aiosmtpd, in a process of its own). Counted is what the server took: a mail counts
//! from its lone dot on. `tests/run` installs the server and names its Python in `PLACET_TEST_SMTP_PYTHON`.
//!
//! covers: S7, S10

use super::providers::cases::Case;
use super::providers::stage::{End, Stage, Waits};
use placet_test_support::DEADLINE;
use placet_test_support::provider::Behaviour;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

const PYTHON: &str = "PLACET_TEST_SMTP_PYTHON";
/// In their order; at the last one the mail has been taken.
const STAGES: [&str; 7] = ["greeting", "ehlo", "auth", "mail", "rcpt", "data", "message"];

/// The server, and what it tells.
struct Server {
    process: Child,
    orders: ChildStdin,
    told: Receiver<Value>,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Server {
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            println!("skipped: {PYTHON} names no Python with aiosmtpd and trustme");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/engine/egress/tests/smtp/server.py");
        let wanted = json!({"security": "none", "scripted": true}).to_string();
        let mut process = Command::new(python);
        process.args([script, &wanted]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = process.spawn().expect("Python starts");
        let orders = process.stdin.take().expect("it is piped");
        let says = BufReader::new(process.stdout.take().expect("it is piped"));
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for line in says.lines().map_while(Result::ok) {
                let said = serde_json::from_str(&line).expect("a line is JSON");
                if tell.send(said).is_err() {
                    return;
                }
            }
        });
        let first: Value = told.recv_timeout(DEADLINE).expect("it says its port");
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Some(Self { process, orders, told, port: port.expect("a port") })
    }

    /// The next connection meets this.
    fn arm(&mut self, fault: &Value) {
        writeln!(self.orders, "{fault}").expect("it reads");
        let armed = std::iter::from_fn(|| self.told.recv_timeout(DEADLINE).ok());
        assert!({ armed }.any(|said| said["armed"] == true), "it has not read the fault");
    }

    /// Mails that were taken since the last look. It says so before it answers, and what it has said before it hears this
    /// comes before its answer to this: its words may be long on their way.
    fn taken(&mut self) -> usize {
        writeln!(self.orders, "{}", json!({"heard": true})).expect("it reads");
        let said = std::iter::from_fn(|| Some(self.told.recv_timeout(DEADLINE).expect("it hears")));
        let said = said.take_while(|said| said["heard"] != true);
        said.filter(|said| said["took"] == true).count()
    }
}

/// What goes wrong, where, and whether it says that nothing was taken, for good.
fn faults() -> Vec<(String, Value)> {
    let mut faults = vec![("none".to_owned(), json!({}))];
    for stage in STAGES {
        faults.push((format!("hang at {stage}"), json!({"hang": stage})));
        faults.push((format!("die at {stage}"), json!({"die": stage})));
        let put_off = json!({"refuse": {stage: "451 4.3.0 Try again later"}});
        faults.push((format!("put off at {stage}"), put_off));
        let refused = json!({"refuse": {stage: "554 5.7.1 Refused"}});
        faults.push((format!("refused at {stage}"), refused));
    }
    faults.push(("die at content".to_owned(), json!({"die": "content"})));
    faults
}

/// At most one mail; what the log says of it is what happened; what nobody can know is in the inbox.
fn check(fault: &str, end: End, taken: usize) -> Result<(), String> {
    let is_late = fault.ends_with("message") || fault.ends_with("content");
    let right = match end {
        End::Sent => taken == 1 && !fault.starts_with("refused"),
        End::Refused => taken == 0 && fault.starts_with("refused"),
        End::Person => {
            taken <= 1 && is_late && (fault.starts_with("hang") || fault.starts_with("die"))
        }
        End::LookedUp | End::Lost => false,
    };
    right.then_some(()).ok_or_else(|| format!("{fault}: {}, {taken} taken", end.word()))
}

#[test]
fn over_every_stage_and_fault_no_mail_is_doubled_or_lost_and_the_unclear_waits_for_a_person() {
    let Some(mut server) = Server::start() else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut patient = Stage::open_for_mail(server.port, Waits::Long).await;
        let mut hasty = Stage::open_for_mail(server.port, Waits::Briefly).await;
        let definition = patient.adapters().operation("smtp.messages.send").expect("it is shipped");
        let case = Case {
            operation: "smtp.messages.send".to_owned(),
            definition: Arc::clone(definition),
            input: json!({"to": ["ana@example.org", "ben@example.org"], "subject": "hi", "text": "hi"}),
        };
        let (mut ends, mut problems) = (BTreeMap::new(), vec![]);
        for (fault, armed) in faults() {
            server.arm(&armed);
            let stage = if fault.starts_with("hang") { &mut hasty } else { &mut patient };
            let (end, story) = stage.play_as(&case, None, Behaviour::Slack).await;
            let taken = server.taken();
            problems.extend(check(&fault, end, taken).err().map(|why| format!("{why}: {story:?}")));
            *ends.entry(end.word()).or_insert(0_usize) += 1;
            println!("{fault:<22} {:<10} {taken} taken", end.word());
        }
        patient.close().await;
        hasty.close().await;
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        // what can be known is never left to a person
        let asked = ends.get("person").copied().unwrap_or_default();
        assert!((2..=3).contains(&asked), "{ends:?}");
        assert_eq!(ends.get("refused"), Some(&STAGES.len()), "{ends:?}");
    });
}
