//! Mail that `SendGrid` hands on (Inbound Parse): a form without a signature, proven by a name and a
//! password, beside signed events at the same address. Nothing is answered that would drop a mail.

use crate::support::{ADAPTERS, draft_time};
use base64::Engine as _;
use placet_adapters::SecretText;
use placet_adapters::inbound::{Ack, Arrival, Event, Inbound, Received, Unverified};

const LOGIN: &str = "parse:a-password-of-sixteen";
const FORM: &str = "multipart/form-data; boundary=xYzZY";

fn inbound() -> &'static Inbound {
    ADAPTERS.manifest("sendgrid").unwrap().inbound().unwrap()
}

fn posted(headers: &[(&str, &str)], body: &str) -> Received {
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let arrival = Arrival {
        url: "https://placet.example/hooks/sendgrid/mail",
        headers: &headers,
        body: body.as_bytes(),
        at: draft_time(),
    };
    let keys = |field: &str| match field {
        "parse_login" => vec![SecretText::new(LOGIN)],
        _ => vec![],
    };
    let media = arrival.headers.iter().find(|(name, _)| name == "Content-Type");
    inbound().meant_for(media.map_or("", |(_, value)| value)).receive(&arrival, &keys, None)
}

fn basic(login: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login))
}

/// A mail with these fields and a file.
fn mail(fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().map(|(name, value)| {
        format!("--xYzZY\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    });
    let file = "--xYzZY\r\nContent-Disposition: form-data; name=\"attachment1\"; filename=\"a.txt\"\r\n\
                Content-Type: text/plain\r\n\r\nwords in a file\r\n--xYzZY--\r\n";
    fields.collect::<String>() + file
}

const HEADERS: &str = "Received: by mx\r\nMessage-ID: <77@mail.example>\r\nIn-Reply-To:\r\n <1@acme.example>\r\nSubject: Re: hi\r\n";
const ENVELOPE: &str = r#"{"to":["reply@in.acme.example"],"from":"ana@example.com"}"#;

fn event(received: Received) -> Event {
    let Received::Event(event) = received else { panic!("{received:?}") };
    *event
}

#[test]
fn a_mail_is_known_by_its_own_id_names_what_it_answers_and_leaves_its_words_with_the_provider() {
    let login = basic(LOGIN);
    let headers = [("Content-Type", FORM), ("Authorization", &*login)];
    let fields = [("headers", HEADERS), ("envelope", ENVELOPE), ("text", "secret words")];
    let read = event(posted(&headers, &mail(&fields)));
    assert_eq!((&*read.key, &*read.dedupe), ("sendgrid.inbound", "<77@mail.example>"));
    assert_eq!(read.correlate["in_reply_to"], "<1@acme.example>");
    assert!(!format!("{read:?}").contains("words"), "{read:?}");
    // the raw form of the same mail is the same event
    let raw = format!("{HEADERS}\r\nsecret words");
    let raw = event(posted(&headers, &mail(&[("email", &*raw), ("envelope", ENVELOPE)])));
    assert_eq!((raw.dedupe, raw.correlate), (read.dedupe, read.correlate));
}

#[test]
fn a_mail_without_an_id_is_taken_all_the_same() {
    let login = basic(LOGIN);
    let headers = [("Content-Type", FORM), ("Authorization", &*login)];
    let one = event(posted(&headers, &mail(&[("headers", "Subject: a"), ("envelope", ENVELOPE)])));
    let two = event(posted(&headers, &mail(&[("headers", "Subject: b"), ("envelope", ENVELOPE)])));
    assert_ne!(one.dedupe, two.dedupe);
}

#[test]
fn a_form_needs_the_password_and_what_is_no_form_the_signature() {
    let body = mail(&[("headers", HEADERS), ("envelope", ENVELOPE)]);
    let (good, bad) = (basic(LOGIN), basic("parse:another-password-here"));
    for (headers, why) in [
        (vec![("Content-Type", FORM)], Unverified::Unsigned),
        (vec![("Content-Type", FORM), ("Authorization", &*bad)], Unverified::Mismatch),
        (vec![("Content-Type", FORM), ("Authorization", "Bearer x")], Unverified::Malformed),
        (vec![("Content-Type", "application/json"), ("Authorization", &*good)], Unverified::NoKey),
        (vec![("Authorization", &*good)], Unverified::NoKey),
    ] {
        assert_eq!(posted(&headers, &body), Received::Unverified(why), "{headers:?}");
    }
    assert_eq!(inbound().key_fields(), ["event_public_key", "parse_login"]);
}

#[test]
fn whatever_goes_wrong_no_answer_drops_the_mail() {
    let form = inbound().meant_for(FORM);
    for ack in
        [Ack::Stored, Ack::Duplicate, Ack::UnknownConnection, Ack::BadSignature, Ack::RetryLater]
    {
        let status = form.reply(ack).status;
        assert!(status == 200 || status == 503, "{ack:?}: {status}");
    }
    assert_eq!(inbound().reply(Ack::BadSignature).status, 401, "events are another matter");
    assert!(form.body_max() >= 30 << 20);
}
