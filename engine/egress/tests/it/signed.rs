//! Tokens that a credential signs for, on the same way as those of a person's grant: bought before a gated call
//! is recorded and never within it, once for all who wait, before they end, once more when they are refused
//! in use, and kept before they are used. Real sockets on loopback.
//!
//! covers: S13, T25

use crate::common::{StandIn, call, operation, request};
use placet_adapters::oauth::{AppClient, KeepGrants, KeptGrant, News, Renews, is_assertion};
use placet_adapters::{
    Answer, Call, CallIntegration, Cause, FillError, FillHoles, Operation, Phase, Redirects,
    SecretText, Transport as _, WantedHole,
};
use placet_egress::{Egress, EgressConfig};
use placet_model::request::{Hole, HoleKind, HoledText, Part};
use placet_model::{AttemptId, IntegrationId, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const MINUTE: i64 = 60_000;
const START: i64 = 1_767_225_600_000;
/// An hour after the start, which is when the token in hand ends too.
const IN_AN_HOUR: &str = r#"{"token": "ghs_2", "expires_at": "2026-01-01T02:00:00Z"}"#;
const SENT: (&str, &str) = ("201 Created", r#"{"id": 1}"#);
const REFUSED: (&str, &str) = ("401 Unauthorized", r#"{"message": "Bad credentials"}"#);
const BOUGHT: (&str, &str) = ("201 Created", IN_AN_HOUR);
const UNPROVEN: (&str, &str) = ("401 Unauthorized", r#"{"message": "could not be decoded"}"#);
const GONE: (&str, &str) = ("404 Not Found", r#"{"message": "Not Found"}"#);
const AWAY: (&str, &str) = ("503 Service Unavailable", "{}");

/// One credential that signs, the token in hand, and a clock that a test sets.
#[derive(Debug)]
struct Keeper {
    fields: BTreeMap<String, SecretText>,
    grant: Mutex<KeptGrant>,
    now: Mutex<i64>,
    /// Generations in the order in which they were kept, and whether each was noted as awaited.
    kept: Mutex<Vec<(u64, bool)>>,
}

impl FillHoles for Keeper {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        match wanted.hole.name.as_str() {
            "token" => Ok(self.grant.lock().unwrap().access.clone()),
            field => Ok(self.fields[field].clone()),
        }
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
        Err("it has no app that a person knows".to_owned())
    }

    fn credential(&self, _of: &CallIntegration) -> Result<BTreeMap<String, SecretText>, String> {
        Ok(self.fields.clone())
    }

    fn keep(&self, _of: &CallIntegration, after: u64, grant: &KeptGrant) -> Result<(), String> {
        let mut kept = self.grant.lock().unwrap();
        assert_eq!(kept.generation, after, "whoever renews from something older loses");
        self.kept.lock().unwrap().push((grant.generation, grant.asking_since.is_some()));
        *kept = grant.clone();
        Ok(())
    }

    fn tell(&self, _news: News) {}

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(*self.now.lock().unwrap())
    }
}

fn private_key() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keys/push.json");
    let keys: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let base64 = keys["issuer"]["pkcs8"].as_str().unwrap();
    format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n")
}

struct World {
    egress: Egress,
    keeper: Arc<Keeper>,
    api: StandIn,
    server: StandIn,
    operation: Arc<Operation>,
}

impl World {
    /// A token of an hour that was bought at the start; it is `minutes` later by now.
    async fn after(minutes: i64, api: &[(&str, &str)], server: &[(&str, &str)]) -> Self {
        let (api, server) = (StandIn::in_turn(api).await, StandIn::in_turn(server).await);
        let key = private_key();
        let fields = [("app_id", "99"), ("installation_id", "4711"), ("private_key", &key)];
        let own = |(name, text): (&str, &str)| (name.to_owned(), SecretText::new(text));
        let grant = KeptGrant {
            generation: 0,
            access_field: "token".to_owned(),
            access: SecretText::new("ghs_1"),
            renews: Renews::BySigning,
            settings: json!({"api_base": server.url("/api")}),
            issued_at: Timestamp::from_millis(START),
            expires_at: Some(Timestamp::from_millis(START + 60 * MINUTE)),
            asking_since: None,
            over: None,
        };
        let keeper = Arc::new(Keeper {
            fields: fields.map(own).into(),
            grant: Mutex::new(grant),
            now: Mutex::new(START + minutes * MINUTE),
            kept: Mutex::default(),
        });
        let listed = [&api, &server].map(|at| at.address.to_string().parse().unwrap());
        let holes: Arc<dyn FillHoles> = Arc::clone(&keeper) as Arc<dyn FillHoles>;
        let egress = Egress::new(crate::common::live(), EgressConfig::allowing(listed), holes);
        let operation = operation("github.issues.comment");
        Self { egress, keeper, api, server, operation }
    }

    fn connection() -> CallIntegration {
        let id = IntegrationId::from_bytes([0; 16]);
        CallIntegration { id, name: "github".to_owned(), credential_version: 1 }
    }

    /// A call as the executor makes it: gated, so recorded before it.
    async fn send(&self) -> Answer {
        let attempt = Some(AttemptId::from_bytes([1; 16]));
        let call = self.call(&self.operation, "token");
        self.egress.perform(Call { attempt, ..call }).await
    }

    fn call(&self, operation: &Arc<Operation>, field: &str) -> Call {
        let mut request = request("POST", &self.api.url("/comments"), "{}");
        let hole = Hole { hole: HoleKind::Credential, name: field.to_owned() };
        let value = HoledText(vec![Part::Text("Bearer ".to_owned()), Part::Hole(hole)]);
        request.headers.push(("Authorization".to_owned(), value));
        Call {
            operation: Arc::clone(operation),
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

    /// What is signed at this moment; RS256 signs the same in the same way.
    fn signed(&self) -> String {
        let spec = operation("github.installation.get");
        let (settings, fields) = (&json!({}), &self.keeper.fields);
        let signed = spec.signed().unwrap().assertion(settings, fields, self.keeper.now());
        signed.unwrap().expose().to_owned()
    }
}

/// Who shows themselves in a request as it came.
fn bearer(request: &str) -> &str {
    let mut lines = request.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    found.and_then(|(_, value)| value.strip_prefix("Bearer ")).expect("it says who calls")
}

fn put_off(answer: Answer) -> Cause {
    let failed = answer.unwrap_err();
    assert_eq!(failed.phase, Phase::BeforeSend, "{failed}");
    failed.cause
}

#[tokio::test]
async fn a_token_is_bought_ahead_of_its_end_once_for_all_who_wait_and_kept_before_it_is_used() {
    let world = World::after(0, &[SENT], &[BOUGHT]).await;
    assert!(world.is_ready());
    world.at(START + 49 * MINUTE);
    assert!(world.is_ready(), "there are eleven minutes left");
    // ten minutes before its end
    world.at(START + 50 * MINUTE);
    assert!(!world.is_ready());
    let signed = world.signed();
    tokio::join!(world.make_ready(), world.make_ready(), world.make_ready(), world.make_ready());
    assert_eq!(world.counts().await, (0, 1));
    let asked = world.server.requests().await;
    assert!(
        asked[0].starts_with("POST /api/app/installations/4711/access_tokens "),
        "{}",
        asked[0]
    );
    assert_eq!(bearer(&asked[0]), signed);
    assert_eq!(*world.keeper.kept.lock().unwrap(), [(1, true), (2, false)]);
    assert!(world.is_ready());
    assert_eq!(world.send().await.unwrap().status, 201);
    assert_eq!(bearer(&world.api.requests().await[0]), "ghs_2");
}

#[tokio::test]
async fn a_gated_call_buys_no_token_within_it() {
    let world = World::after(60, &[SENT], &[BOUGHT]).await;
    assert_eq!(put_off(world.send().await), Cause::Connect);
    assert_eq!(world.counts().await, (0, 0));
    // an ungated one does: nothing rests on its record
    let call = world.call(&world.operation, "token");
    assert_eq!(world.egress.perform(call).await.unwrap().status, 201);
    assert_eq!(world.counts().await, (1, 1));
}

#[tokio::test]
async fn a_token_that_is_refused_in_use_is_bought_anew_once_and_then_a_person_is_asked() {
    let world = World::after(1, &[REFUSED, SENT, REFUSED], &[BOUGHT]).await;
    assert_eq!(put_off(world.send().await), Cause::Connect, "the provider did nothing");
    assert!(!world.is_ready());
    world.make_ready().await;
    assert_eq!(world.send().await.unwrap().status, 201);
    assert_eq!(world.counts().await, (2, 1));
    // the one that took its place is refused as well: no other one helps, and the answer stands as it is
    assert_eq!(world.send().await.unwrap().status, 401);
    assert!(world.is_ready());
    assert_eq!(world.counts().await, (3, 1));
}

#[tokio::test]
async fn a_lost_answer_costs_nothing_and_the_next_process_signs_anew() {
    let world = World::after(1, &[SENT], &[BOUGHT]).await;
    world.keeper.grant.lock().unwrap().asking_since = Some(Timestamp::from_millis(START));
    assert!(!world.is_ready(), "what was asked for may have taken the place of what is here");
    world.make_ready().await;
    assert_eq!(world.send().await.unwrap().status, 201);
    assert_eq!(world.counts().await, (1, 1));
}

#[tokio::test]
async fn what_is_refused_ends_nothing_and_an_installation_that_is_gone_ends_it_in_its_own_words() {
    let world = World::after(60, &[SENT], &[UNPROVEN]).await;
    world.make_ready().await;
    assert_eq!(put_off(world.send().await), Cause::Hole);
    assert!(world.keeper.grant.lock().unwrap().over.is_none(), "a clock can be set, a key rotated");
    for (awaited, minutes) in [(None, 60), (Some(Timestamp::from_millis(START)), 1)] {
        let world = World::after(minutes, &[SENT], &[GONE]).await;
        world.keeper.grant.lock().unwrap().asking_since = awaited;
        world.make_ready().await;
        let failed = world.send().await.unwrap_err();
        assert_eq!((failed.phase, failed.cause), (Phase::BeforeSend, Cause::Grant));
        assert!(failed.detail.contains("connect it again"), "{failed}");
        assert!(!failed.detail.contains("refresh token"), "it has none to lose: {failed}");
        world.make_ready().await;
        assert_eq!(world.counts().await, (0, 1), "it is not asked for again");
    }
}

#[tokio::test]
async fn a_server_that_is_away_leaves_the_token_in_hand_in_use_until_it_ends() {
    let world = World::after(55, &[SENT], &[AWAY]).await;
    world.make_ready().await;
    assert_eq!(world.send().await.unwrap().status, 201);
    assert_eq!(bearer(&world.api.requests().await[0]), "ghs_1");
    assert_eq!(world.counts().await, (1, 1));
    world.at(START + 60 * MINUTE);
    assert_eq!(put_off(world.send().await), Cause::Connect);
    assert_eq!(world.counts().await, (1, 1), "and it is left alone for a while");
}

#[tokio::test]
async fn what_is_called_with_the_assertion_needs_no_token_and_is_signed_for_each_call() {
    let world = World::after(600, &[SENT], &[BOUGHT]).await;
    let test = operation("github.installation.get");
    for minutes in [600, 601] {
        world.at(START + minutes * MINUTE);
        let call = world.call(&test, "assertion");
        assert!(call.request.holes().into_iter().all(is_assertion));
        assert_eq!(world.egress.perform(call).await.unwrap().status, 201);
        let asked = world.api.requests().await;
        assert_eq!(bearer(asked.last().unwrap()), world.signed());
    }
    assert_eq!(world.counts().await, (2, 0));
    // a credential that signs nothing is not read for it
    let stray = world.call(&test, "assertion");
    world.keeper.grant.lock().unwrap().renews = Renews::Never;
    let failed = world.egress.perform(stray).await.unwrap_err();
    assert_eq!((failed.phase, failed.cause), (Phase::BeforeSend, Cause::Hole));
}
