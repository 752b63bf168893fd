//! Tokens of grants, renewed before a call that needs them: shortly before they end, by one request for
//! all that wait, and never used before the next refresh token is on disk.
//!
//! A refresh token that is used once is lost if the process ends between the provider's answer and our
//! disk; nothing can prevent that, because the two have no transaction. So it is noted beforehand that an
//! answer is awaited. Whoever finds the note tries once more with what there is: some providers allow for
//! that, and where this one does not, the grant is over, and a person is told what has happened.
//!
//! Where a credential signs for its tokens, nothing is used up and a lost answer costs nothing; all else is
//! the same, the note included: whoever finds it signs anew.
//!
//! A gated call is recorded before its bytes leave, so its token is renewed ahead of the record
//! ([`Obtain::Ahead`]): a process that ends in a renewal leaves no attempt that could be in doubt.
//!
//! A renewal goes on when those who wait for it have run out of time: its answer must not be lost.

use crate::smtp;
use crate::transport::{Egress, Errand};
use placet_adapters::oauth::{
    AssertionSpec, CannotRenew, GrantError, Grants, KeepGrants, KeptGrant, News, Renews,
};
use placet_adapters::{
    Answer, CallIntegration, Cause, Failed, FilledRequest, Redirects, SecretText,
};
use placet_model::request::{Body, HoledText, PreparedRequest};
use placet_model::{IntegrationId, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// From the first look-up to the last byte of an authorization server's answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of its answer.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// A token in hand serves until so long before its end, should its server be away.
const LAST_USE: Duration = Duration::from_secs(10);
/// No server is asked again so soon after it was away.
const PAUSE: Duration = Duration::from_secs(5);
/// Why a grant is over, at the head of the words about it.
const LOST: &str = "the answer to a renewal was lost (the engine ended, or the connection broke, before \
                    it was on disk), and the refresh token was used up by it";

/// The renewals under way, one at a time for each credential version.
#[derive(Debug, Default)]
pub(crate) struct Renewals {
    slots: Mutex<BTreeMap<(IntegrationId, u32), SharedSlot>>,
}

type SharedSlot = Arc<tokio::sync::Mutex<Slot>>;

/// Whoever holds the lock is the only one who asks.
#[derive(Debug, Default)]
struct Slot {
    /// How long this process has had a token, by a clock that nobody sets.
    had_since: Option<(u64, Instant)>,
    /// When a renewal came to nothing last, and why.
    failed: Option<(Instant, Failed)>,
    /// The provider has refused this generation's token though it should be good.
    refused: Option<u64>,
    /// This generation took the place of one that was refused: if it is refused too, no renewal helps.
    after_refusal: Option<u64>,
}

/// When a token may be renewed for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obtain {
    /// Within the call: nothing rests on its record.
    Now,
    /// Only before it was recorded; the call itself takes what is in hand.
    Ahead,
}

/// A token that may be used now.
#[derive(Debug, Clone, Copy)]
struct InHand {
    generation: u64,
    renewable: bool,
}

impl Renewals {
    fn slot(&self, of: &CallIntegration) -> SharedSlot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((of.id, of.credential_version)).or_default())
    }
}

impl Egress {
    /// Runs an errand with a token that is good, as far as we can tell.
    pub(crate) async fn run_granted(
        &self,
        errand: &Errand<'_>,
        spec: &Arc<Grants>,
        obtain: Obtain,
    ) -> Answer {
        let Some(integration) = errand.integration else { return self.run(errand).await };
        let token = match obtain {
            Obtain::Now => self.fresh(integration, spec, errand.timeout / 2).await?,
            Obtain::Ahead => self.in_hand(integration, spec).await?,
        };
        let answer = self.run(errand).await;
        let refused = answer.as_ref().is_ok_and(|response| {
            response.status == 401 || smtp::refuses_login(&errand.request.method, response)
        });
        let Some(token) = token.filter(|token| refused && token.renewable) else { return answer };
        let slot = self.renewals.slot(integration);
        let mut slot = slot.lock().await;
        if slot.after_refusal == Some(token.generation) {
            return answer;
        }
        // a clock that was set back makes a token look younger than it is
        slot.refused = Some(token.generation);
        let status = answer.as_ref().map_or(0, |response| response.status);
        let words = format!(
            "the provider refused the token and so did nothing (status {status}); it is renewed for the next try"
        );
        Err(Failed::before(Cause::Connect, words))
    }

    /// Runs an errand with what a credential signs for it, and with no token.
    pub(crate) async fn run_signed(&self, errand: &Errand<'_>, spec: &AssertionSpec) -> Answer {
        let signed = self.signed(errand, spec).map_err(|words| Failed::before(Cause::Hole, words));
        self.run(&Errand { assertion: Some(&signed?), ..*errand }).await
    }

    fn signed(&self, errand: &Errand<'_>, spec: &AssertionSpec) -> Result<SecretText, String> {
        let nobody = || "there is no credential that signs".to_owned();
        let of = errand.integration.ok_or_else(nobody)?;
        let keeper = self.holes().grants().ok_or_else(nobody)?;
        let grant = keeper.grant(of)?.filter(|grant| grant.renews == Renews::BySigning);
        let (grant, fields) = (grant.ok_or_else(nobody)?, keeper.credential(of)?);
        let signed = spec.assertion(&grant.settings, &fields, keeper.now());
        signed.map_err(|error| error.to_string())
    }

    /// Whether the token in hand serves, or nothing that is asked now would change what there is.
    pub(crate) fn has_token(&self, of: &CallIntegration, spec: &Grants) -> bool {
        let Some(keeper) = self.holes().grants() else { return true };
        let slot = self.renewals.slot(of);
        // whoever holds it renews
        let Ok(slot) = slot.try_lock() else { return false };
        let Ok(Some(grant)) = keeper.grant(of) else { return true };
        grant.over.is_some()
            || !grant.is_renewable()
            || slot.lately().is_some()
            || slot.is_new(&grant)
            || slot.need(&grant, spec, (keeper.now(), of)) == Need::None
    }

    /// Renews the token if it is time. What comes of it, the call says.
    pub(crate) async fn renew_ahead(&self, of: &CallIntegration, spec: &Arc<Grants>) {
        if let Err(error) = self.fresh(of, spec, 2 * TIMEOUT).await {
            tracing::info!(integration = %of.id, %error, "a token was not renewed ahead of a call");
        }
    }

    /// The token in hand, as it is.
    async fn in_hand(&self, of: &CallIntegration, spec: &Grants) -> Result<Option<InHand>, Failed> {
        let slot = self.renewals.slot(of);
        let slot = slot.lock().await;
        let Some(keeper) = self.holes().grants() else { return Ok(None) };
        let kept = keeper.grant(of).map_err(|words| Failed::before(Cause::Hole, words))?;
        let Some(grant) = kept else { return Ok(None) };
        if let Some(over) = &grant.over {
            return Err(ended(of, over));
        }
        let renewable = grant.is_renewable();
        let need = slot.need(&grant, spec, (keeper.now(), of));
        if renewable && need == Need::Now && !slot.is_new(&grant) {
            let ended = || {
                let words = "the token ended before the call began; it is renewed for the next try";
                Failed::before(Cause::Connect, words)
            };
            return Err(slot.lately().cloned().unwrap_or_else(ended));
        }
        Ok(Some(InHand { generation: grant.generation, renewable }))
    }

    /// The token in hand, renewed within `limit` if it is time; none where the
    /// credential has no grant.
    async fn fresh(
        &self,
        of: &CallIntegration,
        spec: &Arc<Grants>,
        limit: Duration,
    ) -> Result<Option<InHand>, Failed> {
        if self.holes().grants().is_none() {
            return Ok(None);
        }
        let (egress, of, spec) = (self.clone(), of.clone(), Arc::clone(spec));
        let renewing = tokio::spawn(async move { egress.renewed(&of, &spec).await });
        match tokio::time::timeout(limit, renewing).await {
            Ok(Ok(done)) => done,
            Ok(Err(_ended)) => {
                Err(Failed::before(Cause::Connect, "the renewal of a token has ended"))
            }
            Err(_elapsed) => {
                let words = format!("no token within {} ms", limit.as_millis());
                Err(Failed::before(Cause::Timeout, words))
            }
        }
    }

    async fn renewed(&self, of: &CallIntegration, spec: &Grants) -> Result<Option<InHand>, Failed> {
        let slot = self.renewals.slot(of);
        let mut slot = slot.lock().await;
        let Some(keeper) = self.holes().grants() else { return Ok(None) };
        let kept = keeper.grant(of).map_err(|words| Failed::before(Cause::Hole, words))?;
        let Some(grant) = kept else { return Ok(None) };
        if let Some(over) = &grant.over {
            return Err(ended(of, over));
        }
        let need = slot.need(&grant, spec, (keeper.now(), of));
        let renewable = grant.is_renewable();
        let in_hand = |generation| Ok(Some(InHand { generation, renewable }));
        if need == Need::None || !renewable {
            return in_hand(grant.generation);
        }
        let spare = need == Need::Soon;
        if slot.lately().is_some() {
            let away =
                || Failed::before(Cause::Connect, "the authorization server was away just now");
            return if spare { in_hand(grant.generation) } else { Err(away()) };
        }
        match self.renew((of, spec), keeper, &grant).await {
            Ok(next) => {
                let after_refusal = slot.refused.map(|_| next);
                let had_since = Some((next, Instant::now()));
                *slot = Slot { had_since, after_refusal, ..Slot::default() };
                in_hand(next)
            }
            Err(failed) if failed.cause != Cause::Grant && spare => {
                slot.failed = Some((Instant::now(), failed.clone()));
                tracing::warn!(integration = %of.id, error = %failed, "a token could not be renewed yet");
                in_hand(grant.generation)
            }
            Err(failed) => {
                slot.failed = Some((Instant::now(), failed.clone()));
                Err(failed)
            }
        }
    }

    /// Asks for the next tokens: noted first, kept second, used third.
    async fn renew(
        &self,
        (of, spec): (&CallIntegration, &Grants),
        keeper: &dyn KeepGrants,
        grant: &KeptGrant,
    ) -> Result<u64, Failed> {
        let hole = |words: String| Failed::before(Cause::Hole, words);
        let refused = |error: CannotRenew| hole(error.to_string());
        let request = spec.renewal((of, grant), keeper).map_err(refused)?;
        let host = request.host();
        let noted = KeptGrant {
            generation: grant.generation + 1,
            asking_since: grant.asking_since.or_else(|| Some(keeper.now())),
            ..grant.clone()
        };
        keeper.keep(of, grant.generation, &noted).map_err(hole)?;
        let answer = self.ask_server(request).await;
        let now = keeper.now();
        let given = match spec.granted((grant, &host), &answer, now) {
            Ok(given) => given,
            Err(error) => return Err(not_renewed((of, keeper), (grant, noted), &error)),
        };
        let next = KeptGrant {
            generation: noted.generation + 1,
            access: given.access,
            renews: given.refresh.map_or_else(|| grant.renews.clone(), Renews::By),
            issued_at: now,
            expires_at: given.expires_in.map(|life| after(now, life)),
            asking_since: None,
            ..grant.clone()
        };
        keeper.keep(of, noted.generation, &next).map_err(hole)?;
        keeper.tell(News::Renewed { integration: of.clone(), generation: next.generation });
        Ok(next.generation)
    }

    /// Asks an authorization server once.
    pub(crate) async fn ask_server(&self, request: FilledRequest) -> Answer {
        // the path may hold a secret: what is checked and shown is where it goes
        let shown = url::Url::parse(request.url.expose())
            .map_err(|_no_url| Failed::before(Cause::Refused, "the url cannot be parsed"))?;
        let shown = PreparedRequest {
            method: request.method.clone(),
            url: HoledText::plain(format!("{}/", shown.origin().ascii_serialization())),
            headers: Vec::new(),
            body: Body::Empty,
        };
        let errand = Errand {
            request: &shown,
            integration: None,
            redirects: Redirects::Never,
            timeout: TIMEOUT,
            bytes_max: ANSWER_BYTES_MAX,
            certificate: None,
            assertion: None,
        };
        self.run_filled(&errand, request).await
    }
}

/// How urgently a token is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    None,
    /// It still serves.
    Soon,
    Now,
}

impl Slot {
    /// Whether this process was given the token a moment ago: however short it lives, another one would
    /// live no longer, and whoever waited for it uses it.
    fn is_new(&self, grant: &KeptGrant) -> bool {
        let good = grant.asking_since.is_none() && self.refused != Some(grant.generation);
        let had = self.had_since.filter(|(generation, _)| *generation == grant.generation);
        let is_over =
            |had_for| grant.expires_at.is_some_and(|end| after(grant.issued_at, had_for) >= end);
        good && had.is_some_and(|(_, since)| {
            let had_for = since.elapsed();
            had_for < PAUSE && !is_over(had_for)
        })
    }

    /// What a renewal has failed with so lately that nobody is asked again.
    fn lately(&self) -> Option<&Failed> {
        let (at, failed) = self.failed.as_ref()?;
        (at.elapsed() < PAUSE).then_some(failed)
    }

    /// By the wall clock, and by how long this process has had the token: whichever says so first. A
    /// clock that is set back does not make a token last.
    fn need(
        &self,
        grant: &KeptGrant,
        spec: &Grants,
        (now, of): (Timestamp, &CallIntegration),
    ) -> Need {
        if grant.asking_since.is_some() || self.refused == Some(grant.generation) {
            return Need::Now;
        }
        let Some(expires_at) = grant.expires_at else { return Need::None };
        let due = spec.due_at(grant, of.id.to_bytes()[15]).unwrap_or(expires_at);
        let had = self.had_since.filter(|(generation, _)| *generation == grant.generation);
        let by_use = had.map(|(_, since)| after(grant.issued_at, since.elapsed()));
        // before it was issued: the clock was set back, and nothing is known of its age
        let now = by_use.map_or(now, |by_use| now.max(by_use));
        let unknown = now < grant.issued_at;
        if unknown || now >= expires_at.plus_millis(-millis(LAST_USE)) {
            Need::Now
        } else if now >= due {
            Need::Soon
        } else {
            Need::None
        }
    }
}

/// What a renewal that came to nothing leaves behind.
fn not_renewed(
    (of, keeper): (&CallIntegration, &dyn KeepGrants),
    (grant, noted): (&KeptGrant, KeptGrant),
    error: &GrantError,
) -> Failed {
    let left = |left: KeptGrant| {
        let next = KeptGrant { generation: noted.generation + 1, ..left };
        if let Err(words) = keeper.keep(of, noted.generation, &next) {
            tracing::error!(integration = %of.id, words, "what became of a renewal is not on disk");
        }
    };
    match error {
        GrantError::Over { .. } => {
            let words = match (grant.asking_since, grant.refresh()) {
                (Some(since), Some(_)) => format!("{LOST} (asked at {since}); {error}"),
                _ => error.to_string(),
            };
            left(KeptGrant { over: Some(words.clone()), asking_since: None, ..grant.clone() });
            ended(of, &words)
        }
        // it is not known whether the refresh token is used up: the note stays
        GrantError::Lost { .. } => Failed::before(Cause::Connect, error.to_string()),
        GrantError::Unavailable { .. } => {
            left(grant.clone());
            Failed::before(Cause::Connect, error.to_string())
        }
        GrantError::Refused { .. }
        | GrantError::Unusable { .. }
        | GrantError::Settings
        | GrantError::NoWay
        | GrantError::Unsigned(_) => {
            left(grant.clone());
            Failed::before(Cause::Hole, error.to_string())
        }
    }
}

fn ended(of: &CallIntegration, words: &str) -> Failed {
    let words = format!("integration {}: {words}; connect it again", of.name);
    Failed::before(Cause::Grant, words)
}

fn after(moment: Timestamp, span: Duration) -> Timestamp {
    moment.plus_millis(millis(span))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
