//! Tokens of a person's grant: renewed before a gated call is recorded and never within it, once for all who
//! wait, whatever the clock says, and not again where that does not help. Real sockets on loopback.
//!
//! covers: S16, T25

use crate::common::{StandIn, call, request};
use placet_adapters::oauth::{AppClient, KeepGrants, KeptGrant, News, Renews};
use placet_adapters::{
    Adapters, Answer, Call, CallIntegration, Cause, FillError, FillHoles, Operation, Phase,
    Redirects, SecretText, Transport as _, WantedHole,
};
use placet_egress::{Egress, EgressConfig};
use placet_model::{AttemptId, IntegrationId, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const HOUR: i64 = 3_600_000;
const START: i64 = 1_700_000_000_000;
const SENT: (&str, &str) = ("200 OK", r#"{"ok": true}"#);
const REFUSED: (&str, &str) = ("401 Unauthorized", r#"{"ok": false, "error": "invalid_auth"}"#);
const RENEWED: (&str, &str) = (
    "200 OK",
    r#"{"ok": true, "access_token": "new", "refresh_token": "r2", "expires_in": 43200}"#,
);
const REUSED: (&str, &str) = ("200 OK", r#"{"ok": false, "error": "invalid_refresh_token"}"#);
const AWAY: (&str, &str) = ("503 Service Unavailable", "{}");

/// One grant in memory, and a clock that a test sets.
#[derive(Debug)]
struct Keeper {
    grant: Mutex<KeptGrant>,
    now: Mutex<i64>,
    news: Mutex<usize>,
}

impl FillHoles for Keeper {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        assert_eq!(wanted.hole.name, "access_token");
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
        Ok(AppClient { id: "app".to_owned(), secret: Some(SecretText::new("s")) })
    }

    fn credential(&self, _of: &CallIntegration) -> Result<BTreeMap<String, SecretText>, String> {
        Ok(BTreeMap::new())
    }

    fn keep(&self, _of: &CallIntegration, after: u64, grant: &KeptGrant) -> Result<(), String> {
        let mut kept = self.grant.lock().unwrap();
        assert_eq!(kept.generation, after, "whoever renews from something older loses");
        *kept = grant.clone();
        Ok(())
    }

    fn tell(&self, _news: News) {
        *self.news.lock().unwrap() += 1;
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(*self.now.lock().unwrap())
    }
}

struct World {
    egress: Egress,
    keeper: Arc<Keeper>,
    api: StandIn,
    server: StandIn,
    operation: Arc<Operation>,
}

impl World {
    /// A token of twelve hours that was given at the start; it is `hours` later by now.
    async fn after(hours: i64, api: &[(&str, &str)], server: &[(&str, &str)]) -> Self {
        let (api, server) = (StandIn::in_turn(api).await, StandIn::in_turn(server).await);
        let grant = KeptGrant {
            generation: 0,
            access_field: "access_token".to_owned(),
            access: SecretText::new("old"),
            renews: Renews::By(SecretText::new("r1")),
            settings: json!({"api_base": server.url("/api")}),
            issued_at: Timestamp::from_millis(START),
            expires_at: Some(Timestamp::from_millis(START + 12 * HOUR)),
            asking_since: None,
            over: None,
        };
        let now = Mutex::new(START + hours * HOUR);
        let keeper = Arc::new(Keeper { grant: Mutex::new(grant), now, news: Mutex::default() });
        let listed = [&api, &server].map(|at| at.address.to_string().parse().unwrap());
        let holes: Arc<dyn FillHoles> = Arc::clone(&keeper) as Arc<dyn FillHoles>;
        let egress = Egress::new(crate::common::live(), EgressConfig::allowing(listed), holes);
        let operation = Adapters::shipped().operation("slack.chat.postMessage").cloned().unwrap();
        Self { egress, keeper, api, server, operation }
    }

    fn connection() -> CallIntegration {
        let id = IntegrationId::from_bytes([7; 16]);
        CallIntegration { id, name: "slack".to_owned(), credential_version: 1 }
    }

    /// A call as the executor makes it: gated, so recorded before it.
    async fn send(&self) -> Answer {
        let attempt = Some(AttemptId::from_bytes([1; 16]));
        self.egress.perform(Call { attempt, ..self.call() }).await
    }

    fn call(&self) -> Call {
        let request = request("POST", &self.api.url("/chat.postMessage"), "{}");
        Call {
            operation: Arc::clone(&self.operation),
            integration: Some(Self::connection()),
            ..call(request, Redirects::Never)
        }
    }

    fn is_ready(&self) -> bool {
        self.egress.is_ready(&Self::connection(), &self.operation)
    }

    async fn make_ready(&self) {
        self.egress.make_ready(Self::connection(), Arc::clone(&self.operation)).await;
    }

    async fn counts(&self) -> (usize, usize) {
        (self.api.requests().await.len(), self.server.requests().await.len())
    }

    fn at(&self, millis: i64) {
        *self.keeper.now.lock().unwrap() = millis;
    }
}

fn put_off(answer: Answer) -> Cause {
    let failed = answer.unwrap_err();
    assert_eq!(failed.phase, Phase::BeforeSend, "{failed}");
    failed.cause
}

#[tokio::test]
async fn a_gated_call_is_made_with_the_token_in_hand_and_asks_for_none() {
    let world = World::after(1, &[SENT], &[RENEWED]).await;
    assert!(world.is_ready());
    assert_eq!(world.send().await.unwrap().status, 200);
    assert_eq!(world.counts().await, (1, 0));
    // it ends between the claim and the call: the call is put off, and nothing is asked within it
    world.at(START + 12 * HOUR);
    assert!(!world.is_ready());
    assert_eq!(put_off(world.send().await), Cause::Connect);
    assert_eq!(world.counts().await, (1, 0));
    world.make_ready().await;
    assert!(world.is_ready());
    assert_eq!(world.send().await.unwrap().status, 200);
    assert_eq!(world.counts().await, (2, 1));
    // an ungated read renews by itself: nothing rests on its record
    world.at(START + 48 * HOUR);
    assert_eq!(world.egress.perform(world.call()).await.unwrap().status, 200);
    assert_eq!(world.counts().await, (3, 2));
}

#[tokio::test]
async fn a_token_that_is_due_is_renewed_ahead_once_for_all_who_wait() {
    let world = World::after(11, &[SENT], &[RENEWED]).await;
    assert!(!world.is_ready(), "it still serves, and is due");
    tokio::join!(world.make_ready(), world.make_ready(), world.make_ready(), world.make_ready());
    assert_eq!(world.counts().await, (0, 1));
    assert_eq!(*world.keeper.news.lock().unwrap(), 1);
    assert_eq!(world.keeper.grant.lock().unwrap().access.expose(), "new");
}

#[tokio::test]
async fn a_token_that_ends_at_once_is_used_and_not_asked_for_again_and_again() {
    let brief = r#"{"ok": true, "access_token": "brief", "refresh_token": "r2", "expires_in": 9}"#;
    let world = World::after(12, &[SENT], &[("200 OK", brief)]).await;
    world.make_ready().await;
    assert!(world.is_ready(), "the next one would end as soon");
    assert_eq!(world.send().await.unwrap().status, 200);
    assert_eq!(world.counts().await, (1, 1));
}

#[tokio::test]
async fn a_token_that_is_refused_in_use_is_renewed_once_and_then_a_person_is_asked() {
    let world = World::after(1, &[REFUSED, SENT, REFUSED], &[RENEWED]).await;
    assert_eq!(put_off(world.send().await), Cause::Connect, "the provider did nothing");
    assert!(!world.is_ready());
    world.make_ready().await;
    assert_eq!(world.send().await.unwrap().status, 200);
    assert_eq!(world.counts().await, (2, 1));
    // the one that took its place is refused as well: no renewal helps, and the answer stands as it is
    assert_eq!(world.send().await.unwrap().status, 401);
    assert!(world.is_ready());
    assert_eq!(world.counts().await, (3, 1));
}

#[tokio::test]
async fn a_clock_that_jumps_makes_no_token_last_and_none_end_for_good() {
    let world = World::after(0, &[SENT], &[RENEWED]).await;
    assert!(world.is_ready());
    for (at, words) in
        [(START + 400 * 24 * HOUR, "a year forward"), (START - HOUR, "back before it was given")]
    {
        world.at(at);
        assert!(!world.is_ready(), "{words}");
    }
    // back again: it is what it was, and nobody was asked
    world.at(START + HOUR);
    assert!(world.is_ready());
    assert_eq!(world.counts().await.1, 0);
    // renewed a year ahead, and the clock is set right: what is held then is young, and is renewed, not lost
    world.at(START + 400 * 24 * HOUR);
    world.make_ready().await;
    world.at(START + 2 * HOUR);
    assert!(world.is_ready(), "this process knows how long it has had it");
    assert_eq!(world.send().await.unwrap().status, 200);
    assert!(world.keeper.grant.lock().unwrap().over.is_none());
}

#[tokio::test]
async fn a_refresh_token_that_somebody_else_has_used_ends_the_grant_in_words_and_is_not_shown_again()
 {
    let world = World::after(12, &[SENT], &[REUSED]).await;
    world.make_ready().await;
    assert!(world.is_ready(), "asking again would change nothing");
    let failed = world.send().await.unwrap_err();
    assert_eq!((failed.phase, failed.cause), (Phase::BeforeSend, Cause::Grant));
    assert!(failed.detail.contains("connect it again"), "{failed}");
    world.make_ready().await;
    assert_eq!(world.counts().await, (0, 1));
}

#[tokio::test]
async fn a_server_that_is_away_puts_the_call_off_and_is_left_alone_for_a_while() {
    let world = World::after(12, &[SENT], &[AWAY]).await;
    world.make_ready().await;
    assert!(world.is_ready(), "the call says why it cannot be made");
    assert_eq!(put_off(world.send().await), Cause::Connect);
    world.make_ready().await;
    assert_eq!(world.counts().await, (0, 1));
    assert!(world.keeper.grant.lock().unwrap().over.is_none());
}
