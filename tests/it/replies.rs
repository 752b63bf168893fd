//! Mail that is answered, as the people who write it and the services that hand it on do it: what a run has
//! sent is taken from the wire, answered like any mail program answers it, posted here as the service posts
//! it, and reaches that run and no other.
//!
//! covers: S15

use placet_test_support::DEADLINE;
use placet_test_support::provider::{Answer, Behaviour, Play, Received};
use placet_test_support::token::base64;
use serde_json::{Value, json};

use crate::world::Live;
use crate::world::hook::Post;

const LOGIN: &str = "placet:0123456789abcdef";
const DOMAIN: &str = "in.acme.example";

fn plays(request: &Received) -> Behaviour {
    let answer = |body: &Value| Behaviour::Answer(Answer::json(body));
    match request.path() {
        "/server" => answer(&json!({"ID": 7, "Name": "Acme"})),
        "/email" => answer(
            &json!({"ErrorCode": 0, "Message": "OK", "MessageID": "0a129aee-e1cd-480d-b08d-4f48548ff48d",
            "SubmittedAt": "2026-01-01T00:00:00Z", "To": "ana@example.com"}),
        ),
        "/v3/scopes" => answer(&json!({"scopes": ["mail.send"]})),
        "/v3/mail/send" => {
            let mut accepted = Answer::json(&json!({}));
            accepted.status = 202;
            accepted.body.clear();
            accepted.headers.push(("X-Message-Id".to_owned(), "sg-1".to_owned()));
            Behaviour::Answer(accepted)
        }
        _ => Behaviour::Slack,
    }
}

/// A workflow that sends a mail and waits for its answer.
fn workflow(name: &str, send: &str, kind: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: ops, name: {name}, version: '1.0.0' }}\ndo:\n  - send: {send}\n  \
         - reply: {{ listen: {{ to: {{ one: {{ with: {{ type: {kind}, replyto: /do/0/send }} }} }} }} }}\n"
    )
}

fn world() -> Live {
    let mut live = Live::stopped();
    let postmark = "{ call: postmark.email.send, with: { From: ops@acme.example, To: ana@example.com, Subject: hi, TextBody: hi } }";
    let sendgrid = "{ call: sendgrid.mail.send, with: { personalizations: [{ to: [{ email: ana@example.com }] }], from: { email: ops@acme.example }, subject: hi, content: [{ type: text/plain, value: hi }] } }";
    live.project
        .write("workflows/postmark.yaml", &workflow("postmark", postmark, "postmark.inbound"));
    live.project
        .write("workflows/sendgrid.yaml", &workflow("sendgrid", sendgrid, "sendgrid.inbound"));
    live.provider.otherwise(Behaviour::Play(Play::new(move |request, _| plays(request))));
    live.restart();
    let base = format!("api_base={}", live.provider.url(""));
    let reply = format!("reply_domain={DOMAIN}");
    let connect = |args: &[&str], secrets: [(&str, &str); 2]| {
        let connect = live.placet(args.iter().copied()).args(["--set", &base, "--set", &reply]);
        let connect = secrets.iter().fold(connect, |connect, (field, _)| {
            connect.args(["--credential", &format!("{field}=env:{}", field.to_uppercase())])
        });
        let connect = secrets
            .iter()
            .fold(connect, |connect, (field, secret)| connect.env(&field.to_uppercase(), secret));
        drop(connect.run().expect_code(0));
    };
    connect(
        &["integrations", "connect", "postmark", "--set", "message_id_domain=acme.example"],
        [("server_token", "e2e-server-token-0001"), ("webhook_login", LOGIN)],
    );
    connect(
        &["integrations", "connect", "sendgrid"],
        [("api_key", "SG.e2e-key"), ("parse_login", LOGIN)],
    );
    for name in ["postmark", "sendgrid"] {
        live.done("author", &["deploy", &format!("workflows/{name}.yaml")]);
    }
    live
}

/// Starts a workflow and approves its mail; the run, once it waits for the answer.
fn sent(live: &Live, name: &str) -> String {
    let started = live.json("author", &["start", &format!("ops/{name}")]);
    let run = started["run"].as_str().expect("a run").to_owned();
    let events = live.until(&run, "DecisionRequested");
    let decision = events.last().expect("it has come")["body"]["decision"].clone();
    live.done("approver", &["inbox", "approve", decision.as_str().expect("a decision")]);
    drop(live.until(&run, "WaitStarted"));
    run
}

/// The body of the `n`th mail that left for this path.
fn wire(live: &Live, path: &str, n: usize) -> Value {
    serde_json::from_slice(&live.provider.received_at(path)[n].body).expect("it is JSON")
}

fn post(live: &Live, provider: &str, (media, body): (&str, String)) -> Option<u16> {
    let address = &live.door().address;
    let login = base64(LOGIN.as_bytes());
    let head = format!(
        "POST /hooks/{provider}/{provider} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {media}\r\n\
         Authorization: Basic {login}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Post { head, body }.send(address, DEADLINE)
}

/// Mail as Postmark posts it.
fn by_postmark(live: &Live, id: &str, (to, in_reply_to): (&str, &str)) {
    let hash = to.split_once('+').and_then(|(_, rest)| rest.split_once('@')).map(|(hash, _)| hash);
    let body = json!({
        "From": "ana@example.com", "To": to, "MailboxHash": hash.unwrap_or_default(), "Subject": "Re: hi",
        "MessageID": id, "TextBody": "ja, gern", "StrippedTextReply": "ja, gern",
        "Headers": [{"Name": "In-Reply-To", "Value": in_reply_to}],
    });
    assert_eq!(post(live, "postmark", ("application/json", body.to_string())), Some(200), "{id}");
}

/// Mail as Inbound Parse posts it.
fn by_parse(live: &Live, id: &str, (to, in_reply_to): (&str, &str)) {
    let headers =
        format!("Message-ID: <{id}@mail.example>\r\nIn-Reply-To: {in_reply_to}\r\nTo: {to}\r\n");
    let envelope = json!({"to": [to], "from": "ana@example.com"}).to_string();
    let part = |name: &str, value: &str| {
        format!("--b1\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = part("headers", &headers)
        + &part("envelope", &envelope)
        + &part("text", "ja, gern")
        + "--b1--\r\n";
    assert_eq!(
        post(live, "sendgrid", ("multipart/form-data; boundary=b1", body)),
        Some(200),
        "{id}"
    );
}

/// What a run has taken for its answer.
fn answer(live: &Live, run: &str) -> Value {
    drop(live.until(run, "RunCompleted"));
    live.json("author", &["runs", "show", run])["output"][0].clone()
}

#[test]
fn an_answer_by_mail_continues_the_run_that_has_sent_the_mail_and_no_other() {
    let live = world();
    let (first, second) = (sent(&live, "postmark"), sent(&live, "postmark"));
    let third = sent(&live, "postmark");
    let message_id = |n: usize| {
        let mail = wire(&live, "/email", n);
        let headers = mail["Headers"].as_array().expect("headers").clone();
        let found = headers.into_iter().find(|header| header["Name"] == "Message-ID");
        found.expect("it has one")["Value"].as_str().expect("a text").to_owned()
    };
    let reply_to =
        |n: usize| wire(&live, "/email", n)["ReplyTo"].as_str().expect("a text").to_owned();
    // a mail program answers to the address it was told, and names the mail that it answers
    by_postmark(&live, "stranger", ("reply+t1@in.acme.example", "<1@other.example>"));
    by_postmark(&live, "by-id", ("ops@acme.example", &message_id(0)));
    by_postmark(&live, "by-address", (&reply_to(1), "<forwarded@other.example>"));
    by_postmark(&live, "by-both", (&reply_to(2).to_uppercase(), &message_id(2)));
    for (run, id) in [(&first, "by-id"), (&second, "by-address"), (&third, "by-both")] {
        assert_eq!(answer(&live, run)["message_id"], id);
    }

    // SendGrid gives mails ids of its own, which no answer to the call names
    let (first, second) = (sent(&live, "sendgrid"), sent(&live, "sendgrid"));
    let reply_to = |n: usize| {
        wire(&live, "/v3/mail/send", n)["reply_to"]["email"].as_str().expect("a text").to_owned()
    };
    let id = "<9aOFU_fzTWeU_5rWZUNWVw@ismtpd0006p1iad1.sendgrid.net>";
    by_parse(&live, "77", ("reply@in.acme.example", id));
    by_parse(&live, "78", (&reply_to(1), id));
    assert_eq!(answer(&live, &second)["in_reply_to"], id);
    let waits = live.json("author", &["runs", "show", &first]);
    assert_eq!(waits["status"], "waiting", "{waits:#}");
    by_parse(&live, "79", (&reply_to(0), id));
    assert_eq!(answer(&live, &first)["in_reply_to"], id);
}
