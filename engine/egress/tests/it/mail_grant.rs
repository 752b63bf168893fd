//! XOAUTH2: a mail server is logged in to with the token of a grant, which is renewed before it ends, on
//! disk before it is used, and renewed once more where the server refuses it.

use crate::common::{StandIn, operation};
use crate::mail_server::{MailServer, mail, rendered};
use placet_adapters::oauth::{AppClient, KeepGrants, KeptGrant, News, Renews};
use placet_adapters::{
    Call, CallIntegration, FillError, FillHoles, Phase, SecretText, Transport as _, WantedHole,
};
use placet_egress::{Egress, EgressConfig};
use placet_model::{IntegrationId, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

const GOOD: &str = r#"{"ok": true, "access_token": "s3cret-pw", "refresh_token": "second-refresh", "expires_in": 43200}"#;

/// Keeps one grant in memory, and what was kept in which order.
#[derive(Debug)]
struct Keeper {
    grant: Mutex<KeptGrant>,
    kept: Mutex<Vec<(u64, String)>>,
}

impl FillHoles for Keeper {
    fn fill(&self, _wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        Ok(self.grant.lock().unwrap().access.clone())
    }

    fn grants(&self) -> Option<&dyn KeepGrants> {
        Some(self)
    }
}

impl KeepGrants for Keeper {
    fn grant(&self, _of: &CallIntegration) -> Result<Option<KeptGrant>, String> {
        Ok(Some(self.grant.lock().unwrap().clone()))
    }

    fn client(&self, _of: &CallIntegration) -> Result<AppClient, String> {
        Ok(AppClient { id: "app".to_owned(), secret: Some(SecretText::new("app-secret")) })
    }

    fn credential(&self, _of: &CallIntegration) -> Result<BTreeMap<String, SecretText>, String> {
        Ok(BTreeMap::new())
    }

    fn keep(&self, _of: &CallIntegration, after: u64, grant: &KeptGrant) -> Result<(), String> {
        let mut known = self.grant.lock().unwrap();
        if known.generation != after {
            return Err("somebody else was first".to_owned());
        }
        let access = grant.access.expose().to_owned();
        self.kept.lock().unwrap().push((grant.generation, access));
        *known = grant.clone();
        Ok(())
    }

    fn tell(&self, _news: News) {}

    fn now(&self) -> Timestamp {
        now()
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// A grant whose token was given that long ago and is good for that long.
fn keeper(server: &StandIn, (ago_ms, left_ms): (i64, i64)) -> Arc<Keeper> {
    let grant = KeptGrant {
        generation: 0,
        access_field: "password".to_owned(),
        access: SecretText::new("stale-token"),
        renews: Renews::By(SecretText::new("first-refresh")),
        settings: json!({"api_base": server.url("")}),
        issued_at: now().plus_millis(-ago_ms),
        expires_at: Some(now().plus_millis(left_ms)),
        asking_since: None,
        over: None,
    };
    Arc::new(Keeper { grant: Mutex::new(grant), kept: Mutex::default() })
}

/// A mail over a connection whose grant a server of Slack's kind renews.
fn call_of(server: &MailServer) -> Call {
    let mut settings = server.settings();
    settings["mechanism"] = json!("xoauth2");
    let mut call = rendered("smtp.messages.send", &settings, &mail());
    call.operation = operation("slack.chat.postMessage");
    call.integration = Some(CallIntegration {
        id: IntegrationId::from_bytes([7; 16]),
        name: "mail".to_owned(),
        credential_version: 1,
    });
    call
}

fn egress(server: &MailServer, grants: &StandIn, keeper: &Arc<Keeper>) -> Egress {
    let listed = [format!("localhost:{}", server.port), grants.address.to_string()];
    let mut rules = EgressConfig::allowing(listed.iter().map(|target| target.parse().unwrap()));
    rules.authorities.push(server.authority.clone());
    Egress::new(crate::common::live(), rules, Arc::clone(keeper) as Arc<dyn FillHoles>)
}

fn started() -> Option<MailServer> {
    MailServer::start(&json!({"security": "starttls", "mechanisms": ["XOAUTH2"]}))
}

#[tokio::test]
async fn a_token_that_has_ended_is_renewed_and_kept_before_the_mail_server_hears_of_it() {
    let Some(mut server) = started() else { return };
    let grants = StandIn::in_turn(&[("200 OK", GOOD)]).await;
    let keeper = keeper(&grants, (43_200_000, 0));
    let egress = egress(&server, &grants, &keeper);
    for _ in 0..2 {
        let answer = egress.perform(call_of(&server)).await.unwrap();
        assert_eq!(answer.status, 250, "{answer:?}");
    }
    let kept = keeper.kept.lock().unwrap().clone();
    let noted = (1, "stale-token".to_owned());
    assert_eq!(kept, [noted, (2, "s3cret-pw".to_owned())], "noted first, renewed once");
    let asked = grants.requests().await;
    assert!(asked.len() == 1 && asked[0].contains("refresh_token=first-refresh"), "{asked:?}");
    let told = server.told();
    let logins: Vec<_> = told.iter().filter(|told| told.get("auth").is_some()).collect();
    assert!(logins.len() == 2 && logins.iter().all(|told| told["good"] == true), "{logins:?}");
}

#[tokio::test]
async fn a_token_that_the_mail_server_refuses_is_renewed_for_the_next_try_and_nothing_was_sent() {
    let Some(mut server) = started() else { return };
    let grants = StandIn::in_turn(&[("200 OK", GOOD)]).await;
    // by our clock it is good for hours
    let keeper = keeper(&grants, (1_000, 43_000_000));
    let egress = egress(&server, &grants, &keeper);
    let failed = egress.perform(call_of(&server)).await.unwrap_err();
    assert_eq!((failed.phase, grants.connects()), (Phase::BeforeSend, 0), "{failed}");
    assert!(failed.detail.contains("535") && !failed.detail.contains("stale"), "{failed}");
    assert_eq!(egress.perform(call_of(&server)).await.unwrap().status, 250);
    assert_eq!(grants.connects(), 1);
    assert_eq!(server.mails().iter().filter(|mail| mail["took"] == true).count(), 1);
}
