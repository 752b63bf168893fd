//! The life of a connection over NATS, with people who have keys of their own and the configuration that is printed for
//! them: the same acts as at the other doors, signed, taken once, refused in the words of the reference page.

use futures_util::StreamExt;
use placet_bus::Seed;
use placet_model::signed::RequestDraft;
use placet_test_support::DEADLINE;
use placet_test_support::provider::{Answer, Behaviour};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Office, ask, is_kept_from, nonce, nonce_text, runtime};

const WHO: &str = "/api/auth.test";
const NEW: &str = "xoxb-over-nats";

fn subject(who: &str, word: &str) -> String {
    format!("placet.v1.integrations.{who}.{word}")
}

/// What somebody signs: a word with a body, good for ten minutes from now.
fn signed(office: &Office, (seed, user): (&Seed, &str), word: &str, body: &Value) -> Value {
    signed_at(office, (seed, user), (word, body), 0)
}

fn signed_at(
    office: &Office,
    (seed, user): (&Seed, &str),
    (word, body): (&str, &Value),
    minutes_ago: i64,
) -> Value {
    let minute = 60 * 1000;
    let issued_at = placet_executor::Clock::System.now().plus_millis(-minutes_ago * minute);
    let word = format!("integrations.{word}");
    let draft = RequestDraft {
        word: &word,
        body,
        user: user.parse().expect("a name"),
        key: seed.key(),
        nonce: nonce(),
        origin: office.origin(),
        issued_at,
        expires_at: issued_at.plus_millis(10 * minute),
    };
    Value::Object(seed.sign_request(draft).expect("a document"))
}

impl Office {
    /// The origin of the log.
    fn origin(&self) -> String {
        let (status, _, head) = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current()
                .block_on(super::get((&self.address(), &self.tokens["eve"]), "/audit/checkpoint"))
        });
        assert_eq!(status, 200, "{head}");
        head["origin"].as_str().expect("an origin").to_owned()
    }

    /// Asks for a word as the operator, signed where it changes something; the answer, an error included.
    async fn word(&self, word: &str, body: Value) -> Value {
        let wendy = self.client("wendy").await;
        let body = match word {
            "list" | "show" | "uses" | "stage" => body,
            _ => signed(self, (&self.seeds["wendy"], "wendy"), word, &body),
        };
        ask(&wendy, &subject("wendy", word), &body, &nonce_text()).await
    }
}

#[test]
fn each_word_over_nats_is_the_same_act_as_at_the_other_doors() {
    let name = "each_word_over_nats_is_the_same_act_as_at_the_other_doors";
    let Some(office) = Office::open(name, "") else { return };
    runtime().block_on(async {
        let slack = || json!({ "name": "slack" });
        // what is read needs no signature, and is what HTTP says
        let http = async |path: &str| {
            super::get((&office.address(), &office.tokens["wendy"]), path).await.2
        };
        assert_eq!(office.word("list", json!({})).await, http("/integrations").await);
        assert_eq!(office.word("uses", slack()).await, http("/integrations/slack/uses").await);
        let tested = office.word("test", slack()).await;
        assert_eq!((&tested["ok"], &tested["identity"]["id"]), (&json!(true), &json!("B0PLACET")));
        assert_eq!(office.word("show", slack()).await, http("/integrations/slack").await);

        // switched off here, seen there, switched on again
        assert_eq!(office.word("disable", slack()).await["status"], json!("disabled"));
        assert_eq!(http("/integrations/slack").await["status"], json!("disabled"));
        assert_eq!(office.word("enable", slack()).await["status"], json!("active"));
        let scoped = office.word("scope", json!({"name": "slack", "workstream": "sales"})).await;
        assert_eq!(scoped["used_in"]["workstream"], json!("sales"), "{scoped}");

        // which events start runs: switched off here, seen there
        assert_eq!(office.word("triggers", json!({})).await, http("/triggers").await);
        let trigger = |event: &str| json!({"name": "slack", "event": event, "state": "off"});
        let off = office.word("triggers", trigger("slack.message")).await;
        assert_eq!(off["triggers"][0]["state"], json!("off"), "{off}");
        assert_eq!(off, http("/triggers?integration=slack").await);
        let none = office.word("triggers", trigger("slack.nope")).await;
        assert_eq!(none["error"]["code"], json!("PL3076"), "{none}");

        // what stands at the provider, and what is read there: Slack says that it has neither
        assert_eq!(office.word("hooks", slack()).await, http("/integrations/slack/hooks").await);
        let on = json!({"name": "slack", "on": true, "base": "https://placet.example"});
        let on = office.word("hooks", on).await;
        assert_eq!(on["error"]["code"], json!("PL4071"), "{on}");
        let read = office.word("sync", slack()).await;
        assert_eq!(read["error"]["code"], json!("PL4073"), "{read}");

        // a credential is salted into what is signed, so that its digest in the log says nothing
        let mut rotate = json!({"name": "slack", "credential": {"access_token": NEW}});
        let unsalted = office.word("rotate", rotate.clone()).await;
        assert_eq!(unsalted["error"]["code"], json!("PL4003"), "{unsalted}");
        rotate["salt"] = json!(placet_model::signed::text_of(&[9; 32]));
        let rotated = office.word("rotate", rotate).await;
        assert_eq!(rotated["credential_version"], json!(2), "{rotated}");
        let again = json!({
            "name": "second", "provider": "slack", "credential": {"access_token": NEW},
            "settings": {"api_base": office.provider.url("/api")},
            "salt": placet_model::signed::text_of(&[8; 32]),
        });
        let connected = office.word("connect", again).await;
        assert_eq!(connected["identity"]["id"], json!("B0PLACET"), "{connected}");
        let gone = office.word("disconnect", json!({ "name": "second" })).await;
        assert_eq!(gone["status"], json!("disconnected"), "{gone}");
        assert!(gone["credential"].as_str().is_some_and(|words| words.contains("forgotten here")));
    });
    // every request that was taken is on record with its signature, verified again, and holds no secret
    let requests = office.log(&["--type", "RequestSigned"]);
    let words: Vec<_> = requests.iter().map(|event| event["body"]["word"].clone()).collect();
    let switched = ["test", "disable", "enable", "scope", "triggers", "triggers", "triggers"];
    let read = ["hooks", "hooks", "sync"];
    let renewed = ["rotate", "rotate", "connect", "disconnect"];
    let taken: Vec<&str> = switched.into_iter().chain(read).chain(renewed).collect();
    let taken = taken.into_iter().map(|word| json!(format!("integrations.{word}")));
    assert_eq!(words, taken.collect::<Vec<_>>());
    assert!(requests.iter().all(|event| event["body"]["user"] == json!("wendy")));
    let log = office.log(&[]);
    assert!(!log.iter().any(|event| event.to_string().contains(NEW)));
    office.done("eve", &["audit", "verify"]);
}

#[test]
fn a_change_over_nats_is_taken_once_from_who_may_and_as_it_was_signed() {
    let name = "a_change_over_nats_is_taken_once_from_who_may_and_as_it_was_signed";
    let Some(mut office) = Office::open(name, "") else { return };
    let runtime = runtime();
    let body = json!({ "name": "slack" });
    let disable = runtime.block_on(async {
        let (wendy, eve) = (office.client("wendy").await, office.client("eve").await);
        let own = (&office.seeds["wendy"], "wendy");
        let code = async |word: &str, envelope: &Value| {
            let answer = ask(&wendy, &subject("wendy", word), envelope, &nonce_text()).await;
            answer["error"]["code"].as_str().unwrap_or("taken").to_owned()
        };
        // nothing that nobody has signed, or that was signed for something else
        assert_eq!(code("disable", &body).await, "PL3017");
        let good = signed(&office, own, "disable", &body);
        assert_eq!(code("disconnect", &good).await, "PL3048", "another word");
        let mut other = good.clone();
        other["body"]["name"] = json!("other");
        assert_eq!(code("disable", &other).await, "PL3048", "another body");
        let mut altered = good.clone();
        altered["document"]["nonce"] = json!(placet_model::signed::text_of(&nonce()));
        assert_eq!(code("disable", &altered).await, "PL3042", "another document");
        let late = signed_at(&office, own, ("disable", &body), 20);
        assert_eq!(code("disable", &late).await, "PL3047");
        // whose key it is counts, not what the document says
        let of_ana = signed(&office, (&office.seeds["ana"], "wendy"), "disable", &body);
        assert_eq!(code("disable", &of_ana).await, "PL3046");
        // who is no operator looks, and the server lets them ask for no more
        let list = ask(&eve, &subject("eve", "list"), &json!({}), "l1").await;
        assert_eq!(list["integrations"][0]["name"], json!("slack"), "{list}");
        assert!(is_kept_from(&eve, subject("eve", "disable"), "{}".to_owned()).await);
        assert!(is_kept_from(&eve, subject("wendy", "disable"), good.to_string()).await);
        assert_eq!(office.word("show", body.clone()).await["status"], json!("active"));

        // the same request id is the same act; another one with the same document is none
        let first = ask(&wendy, &subject("wendy", "disable"), &good, "once").await;
        assert_eq!(first["status"], json!("disabled"), "{first}");
        assert_eq!(ask(&wendy, &subject("wendy", "disable"), &good, "once").await, first);
        assert_eq!(code("disable", &good).await, "PL4067");
        let clash = signed(&office, own, "enable", &body);
        let clash = ask(&wendy, &subject("wendy", "enable"), &clash, "once").await;
        assert_eq!(clash["error"]["code"], json!("PL3018"), "{clash}");
        assert_eq!(office.word("enable", body.clone()).await["status"], json!("active"));
        good
    });
    // and what was taken before a kill is not taken after it
    office.kill_9();
    office.start();
    office.ready();
    runtime.block_on(async {
        let wendy = office.client("wendy").await;
        let again = ask(&wendy, &subject("wendy", "disable"), &disable, "once").await;
        assert_eq!(again["error"]["code"], json!("PL4067"), "{again}");
        assert_eq!(office.word("show", body).await["status"], json!("active"));
    });
}

#[test]
fn operators_hear_over_nats_when_a_connection_fails_and_when_it_is_good_again_once_each() {
    let name =
        "operators_hear_over_nats_when_a_connection_fails_and_when_it_is_good_again_once_each";
    let Some(office) = Office::open(name, "") else { return };
    runtime().block_on(async {
        let wendy = office.client("wendy").await;
        let mut told = wendy.subscribe(subject("wendy", "event")).await.expect("she may hear");
        wendy.flush().await.expect("the server has it");
        let mut next = async || -> Value {
            let message =
                timeout(DEADLINE, told.next()).await.expect("in time").expect("it goes on");
            serde_json::from_slice(&message.payload).expect("JSON")
        };
        // refused three times, good twice
        let refusal = json!({"ok": false, "error": "token_revoked"});
        for _ in 0..3 {
            office.provider.next_for(WHO, Behaviour::Answer(Answer::json(&refusal)));
            let tested = office.word("test", json!({ "name": "slack" })).await;
            assert_eq!(tested["ok"], json!(false), "{tested}");
        }
        for _ in 0..2 {
            let tested = office.word("test", json!({ "name": "slack" })).await;
            assert_eq!(tested["status"], json!("active"), "{tested}");
        }
        office.word("disable", json!({ "name": "slack" })).await;
        let failed = next().await;
        assert_eq!((&failed["name"], &failed["status"]), (&json!("slack"), &json!("failed")));
        assert_eq!(failed["reason"], json!("token_revoked"));
        assert_eq!(next().await["status"], json!("active"));
        assert_eq!(next().await["status"], json!("disabled"), "nothing was told twice");
    });
}
