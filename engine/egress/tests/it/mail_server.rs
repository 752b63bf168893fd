//! A mail server that is not ours, in a process of its own: aiosmtpd decides, `tests/smtp/server.py`
//! tells it where to refuse, hang or die. `tests/run` installs it and names its Python in
//! `PLACET_TEST_SMTP_PYTHON`.

use crate::common::{Secrets, call};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_adapters::{Adapters, Answer, Call, Classified, RenderInput, Sent, classify, render};
use placet_adapters::{Redirects, Transport as _};
use placet_egress::{Egress, EgressConfig};
use placet_model::Timestamp;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const PYTHON: &str = "PLACET_TEST_SMTP_PYTHON";
pub(crate) const SEND_ID: &str = "abcdefghijklmnopqrstuvwxyz234567abcdefgh";
static ADAPTERS: LazyLock<Adapters> = LazyLock::new(Adapters::shipped);

/// The server's process; it ends with the test.
pub(crate) struct MailServer {
    process: Child,
    says: Option<BufReader<ChildStdout>>,
    pub(crate) port: u16,
    pub(crate) authority: Vec<u8>,
    scheme: &'static str,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl MailServer {
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    pub(crate) fn start(wanted: &Value) -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            println!("skipped: {PYTHON} names no Python with aiosmtpd and trustme");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp/server.py");
        let mut process = Command::new(python)
            .args([script, &wanted.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut says = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        says.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        Some(Self {
            process,
            says: Some(says),
            port: u16::try_from(told["port"].as_u64().unwrap()).unwrap(),
            authority: BASE64.decode(told["authority"].as_str().unwrap()).unwrap(),
            scheme: match wanted["security"].as_str() {
                Some("implicit") => "smtps",
                Some("starttls") => "smtp",
                _ => "smtp-plain",
            },
        })
    }

    pub(crate) fn settings(&self) -> Value {
        let server = format!("{}://localhost:{}", self.scheme, self.port);
        json!({"server": server, "user": "robot@example.com", "from": "robot@example.com"})
    }

    pub(crate) fn egress(&self, password: &str) -> Egress {
        let listed = format!("localhost:{}", self.port).parse().unwrap();
        let mut config = EgressConfig::allowing([listed]);
        config.authorities.push(self.authority.clone());
        let secrets = Secrets([("password".to_owned(), password.to_owned())].into());
        Egress::new(crate::common::live(), config, Arc::new(secrets))
    }

    /// Sends this mail with the right password.
    pub(crate) async fn send(&self, input: &Value) -> Answer {
        let call = rendered("smtp.messages.send", &self.settings(), input);
        self.egress("s3cret-pw").perform(call).await
    }

    /// Ends the server; what it has told since it began, a line each.
    pub(crate) fn told(&mut self) -> Vec<Value> {
        self.process.kill().unwrap();
        let says = self.says.take().unwrap();
        says.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    }

    /// The mails that came to their dot, and whether they were taken.
    pub(crate) fn mails(&mut self) -> Vec<Value> {
        self.told().into_iter().filter(|told| told.get("took").is_some()).collect()
    }
}

pub(crate) fn mail() -> Value {
    json!({
        "to": ["Ana <ana@example.org>", "ben@example.org"], "bcc": "hidden@example.org",
        "subject": "Grüße", "text": "hi\n.\n..two\nend",
    })
}

/// A call of an operation as the engine makes it, and minutes for it: the machine may be slow.
pub(crate) fn rendered(operation: &str, settings: &Value, input: &Value) -> Call {
    let operation = Arc::clone(ADAPTERS.operation(operation).unwrap());
    let given = RenderInput {
        settings,
        input,
        send_id: SEND_ID,
        draft_time: Timestamp::EPOCH,
        authentication: None,
    };
    let request = render(&operation, given).unwrap().request;
    let mut call = call(request, Redirects::Never);
    call.operation = operation;
    call.timeout = Duration::from_mins(2);
    call
}

pub(crate) fn classified(operation: &str, answer: &Answer) -> Classified {
    let (input, settings) = (json!({}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    classify(ADAPTERS.operation(operation).unwrap(), answer, sent, Timestamp::EPOCH)
}
