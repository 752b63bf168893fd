//! A mail is handed over once, under TLS, to everybody on its envelope or to nobody; and how far it
//! came is told truthfully at each stage of the conversation.

use crate::mail_server::{MailServer, classified, mail, rendered};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_adapters::{Cause, Phase, Transport as _};
use placet_model::manifest::Outcome;
use serde_json::{Value, json};
use std::time::Duration;

const SEND: &str = "smtp.messages.send";

#[tokio::test]
async fn exactly_the_approved_mail_arrives_once_under_tls() {
    for security in ["implicit", "starttls"] {
        let Some(mut server) = MailServer::start(&json!({"security": security})) else { return };
        let call = rendered(SEND, &server.settings(), &mail());
        let placet_model::request::Body::Bytes(approved) = call.request.body.clone() else {
            panic!("a mail has bytes")
        };
        let answer = server.egress("s3cret-pw").perform(call).await;
        assert_eq!(classified(SEND, &answer).outcome, Outcome::Sent, "{answer:?}");
        let body = answer.unwrap().json().unwrap();
        assert_eq!((&body["stage"], &body["recipients"]), (&json!("message"), &json!(3)));
        let told = server.told();
        let logged_in = told.iter().find(|told| told.get("auth").is_some()).unwrap();
        assert_eq!((&logged_in["good"], &logged_in["tls"]), (&json!(true), &json!(true)));
        let mails: Vec<&Value> = told.iter().filter(|told| told.get("took").is_some()).collect();
        let [one] = mails.as_slice() else { panic!("{mails:?}") };
        assert_eq!(one["mail_from"], "robot@example.com");
        let to = json!(["ana@example.org", "ben@example.org", "hidden@example.org"]);
        assert_eq!(one["rcpt_tos"], to);
        let mut arrived = BASE64.decode(one["content"].as_str().unwrap()).unwrap();
        // the line end before the dot belongs to the protocol where the message has none
        if !approved.ends_with(b"\r\n") {
            assert_eq!(arrived.split_off(arrived.len() - 2), b"\r\n");
        }
        assert_eq!(String::from_utf8(arrived), String::from_utf8(approved));
    }
}

#[tokio::test]
async fn a_refusal_at_each_stage_is_told_as_such_and_nothing_is_taken() {
    let stages = ["greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "message"];
    for stage in stages {
        for (says, outcome) in [
            ("451 4.3.0 not now", Outcome::RefusedRetry),
            ("554 5.3.0 never", Outcome::RefusedPermanent),
        ] {
            let wanted = json!({"security": "starttls", "refuse": {stage: says}});
            let Some(mut server) = MailServer::start(&wanted) else { return };
            let answer = server.send(&mail()).await;
            assert_eq!(classified(SEND, &answer).outcome, outcome, "{stage} {says}: {answer:?}");
            let body = answer.unwrap().json().unwrap();
            assert_eq!((&body["stage"], &body["reply"]), (&json!(stage), &json!(says)));
            assert!(server.mails().iter().all(|mail| mail["took"] == false), "{stage} {says}");
        }
    }
}

#[tokio::test]
async fn a_server_that_dies_or_hangs_before_the_dot_has_taken_nothing() {
    let before = ["greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "content"];
    for stage in before {
        for how in ["die", "hang"] {
            if (stage, how) == ("content", "hang") {
                continue; // the whole message fits into the socket: the next test is about the dot
            }
            let wanted = json!({"security": "starttls", how: stage});
            let Some(mut server) = MailServer::start(&wanted) else { return };
            let mut call = rendered(SEND, &server.settings(), &mail());
            if how == "hang" {
                call.timeout = Duration::from_secs(4);
            }
            if stage == "content" {
                // more than what the server leaves room for, so that the cut comes before the dot
                call = large(&server);
            }
            let answer = server.egress("s3cret-pw").perform(call).await;
            assert_eq!(classified(SEND, &answer).outcome, Outcome::RefusedRetry, "{how} {stage}");
            assert_eq!(answer.unwrap_err().phase, Phase::BeforeSend, "{how} {stage}");
            assert_eq!(server.mails(), Vec::<Value>::new(), "{how} {stage}");
        }
    }
}

fn large(server: &MailServer) -> placet_adapters::Call {
    let mut input = mail();
    let content = BASE64.encode(vec![7; 2_900_000]);
    input["attachments"] = json!([{"filename": "a.bin", "content": content}]);
    rendered(SEND, &server.settings(), &input)
}

#[tokio::test]
async fn no_reply_to_the_dot_is_in_doubt_and_the_mail_is_there() {
    for how in ["die", "hang"] {
        let Some(mut server) = MailServer::start(&json!({"security": "implicit", how: "message"}))
        else {
            return;
        };
        let mut call = rendered(SEND, &server.settings(), &mail());
        if how == "hang" {
            // it is to run out after the dot, however slow the way to it
            call.timeout = Duration::from_secs(10);
        }
        let answer = server.egress("s3cret-pw").perform(call).await;
        assert_eq!(classified(SEND, &answer).outcome, Outcome::InDoubt, "{how}");
        assert_eq!(answer.unwrap_err().phase, Phase::AfterSend, "{how}");
        let mails = server.mails();
        assert_eq!((mails.len(), &mails[0]["took"]), (1, &json!(true)), "{how}");
    }
    let Some(server) = MailServer::start(&json!({"security": "implicit", "garbage": "250 2.0.0"}))
    else {
        return;
    };
    let answer = server.send(&mail()).await;
    assert_eq!(classified(SEND, &answer).outcome, Outcome::InDoubt, "{answer:?}");
}

#[tokio::test]
async fn one_refused_recipient_keeps_the_mail_from_everybody_and_each_is_told() {
    for (says, outcome) in [
        (json!({"ben@example.org": "550 5.1.1 unknown"}), Outcome::RefusedPermanent),
        (json!({"ben@example.org": "450 4.2.0 later"}), Outcome::RefusedRetry),
        (
            json!({"ana@example.org": "450 4.2.0 later", "ben@example.org": "550 5.1.1 unknown"}),
            Outcome::RefusedPermanent,
        ),
    ] {
        let wanted = json!({"security": "implicit", "rcpt": says});
        let Some(mut server) = MailServer::start(&wanted) else { return };
        let answer = server.send(&mail()).await;
        assert_eq!(classified(SEND, &answer).outcome, outcome, "{says}");
        let body = answer.unwrap().json().unwrap();
        let refused = body["refused"].as_array().unwrap();
        let places: Vec<u64> = refused.iter().map(|one| one["at"].as_u64().unwrap()).collect();
        let expect: &[u64] = if says.as_object().unwrap().len() == 2 { &[0, 1] } else { &[1] };
        assert_eq!(places, expect, "{body}");
        assert_eq!(body["accepted"], 3 - expect.len());
        assert_eq!(server.mails(), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_the_servers_gets_neither_password_nor_mail() {
    for security in ["implicit", "starttls"] {
        for cert in ["other_name", "expired", "self_signed"] {
            let wanted = json!({"security": security, "cert": cert});
            let Some(mut server) = MailServer::start(&wanted) else { return };
            let failed = server.send(&mail()).await.unwrap_err();
            let told = (failed.phase, failed.cause);
            assert_eq!(told, (Phase::BeforeSend, Cause::Tls), "{security} {cert}: {failed}");
            let more = |told: &Value| told.get("auth").is_some() || told.get("took").is_some();
            assert!(!server.told().iter().any(more), "{security} {cert}");
        }
    }
}

#[tokio::test]
async fn a_server_without_starttls_or_with_words_before_it_hears_nothing() {
    let Some(mut server) = MailServer::start(&json!({"security": "none"})) else { return };
    let mut settings = server.settings();
    settings["server"] = json!(format!("smtp://localhost:{}", server.port));
    let call = rendered(SEND, &settings, &mail());
    let failed = server.egress("s3cret-pw").perform(call).await.unwrap_err();
    assert_eq!((failed.phase, failed.cause), (Phase::BeforeSend, Cause::Refused), "{failed}");
    assert!(!server.told().iter().any(|told| told.get("auth").is_some()));
    let Some(mut server) = MailServer::start(&json!({"security": "starttls", "inject": true}))
    else {
        return;
    };
    let failed = server.send(&mail()).await.unwrap_err();
    assert_eq!((failed.phase, failed.cause), (Phase::BeforeSend, Cause::Tls), "{failed}");
    assert!(!server.told().iter().any(|told| told.get("auth").is_some()));
}

#[tokio::test]
async fn every_mechanism_of_ours_logs_in_and_a_wrong_password_asks_to_reconnect() {
    for (mechanism, setting) in
        [("PLAIN", "password"), ("LOGIN", "password"), ("XOAUTH2", "xoauth2")]
    {
        for (password, outcome) in [("s3cret-pw", Outcome::Sent), ("wrong-pw", Outcome::Reconnect)]
        {
            let wanted = json!({"security": "starttls", "mechanisms": [mechanism]});
            let Some(mut server) = MailServer::start(&wanted) else { return };
            let mut settings = server.settings();
            settings["mechanism"] = json!(setting);
            let call = rendered(SEND, &settings, &mail());
            let answer = server.egress(password).perform(call).await;
            let told = classified(SEND, &answer).outcome;
            assert_eq!(told, outcome, "{mechanism} {password}: {answer:?}");
            let body = String::from_utf8(answer.unwrap().body).unwrap();
            assert!(!body.contains(password), "{body}");
            let mails = server.told();
            assert!(mails.iter().any(|told| told["auth"] == mechanism), "{mechanism}: {mails:?}");
        }
    }
}

#[tokio::test]
async fn a_mail_that_is_larger_than_the_server_takes_is_not_begun() {
    let Some(mut server) = MailServer::start(&json!({"security": "implicit", "size": 1000})) else {
        return;
    };
    let failed = server.egress("s3cret-pw").perform(large(&server)).await.unwrap_err();
    assert_eq!((failed.phase, failed.cause), (Phase::BeforeSend, Cause::Refused), "{failed}");
    assert_eq!(server.mails(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_check_says_who_is_logged_in_and_where() {
    const CHECK: &str = "smtp.session.check";
    let Some(server) = MailServer::start(&json!({"security": "starttls"})) else { return };
    let call = rendered(CHECK, &server.settings(), &json!({}));
    let answer = server.egress("s3cret-pw").perform(call).await;
    assert_eq!(classified(CHECK, &answer).outcome, Outcome::Sent, "{answer:?}");
    let body = answer.unwrap().json().unwrap();
    assert_eq!((&body["user"], &body["host"]), (&json!("robot@example.com"), &json!("localhost")));
    assert!(body["banner"].as_str().unwrap().starts_with("mail.test"), "{body}");
}
