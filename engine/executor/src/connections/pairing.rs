//! Pairing a connection with a conversation at its provider: an operator is shown a code, whoever sends
//! it to the provider is whom the connection means from then on (a setting of its manifest names them).
//!
//! ```text
//! offered ─ the code comes back within ten minutes ─ paired (once; the setting is recorded with it)
//!         └ ten minutes, or another offer: the code is good for nothing, and changes nothing
//! ```
//!
//! Invariants:
//!
//! * The code is 128 random bits, is shown once, and stands nowhere: the log holds a keyed pseudonym of
//!   its digest, which is what a code that comes back is compared with, in constant time.
//! * It counts once. That it was used and what follows from it are one append, under the turn of acts, so
//!   that two that bring it at once are one after the other, and a crash leaves both or neither.
//! * A code that is wrong, late or of an earlier offer is a message like any other.
//! * The conversation is bound by the settings, as an operator's own word would be: what was approved for
//!   the settings of before is asked for again.

use super::hooks::Subscription;
use crate::arrivals::{Arrival, Landed};
use crate::handle::{Error, Handle};
use placet_adapters::inbound::Claim;
use placet_log::ReadView;
use placet_model::actor::Role;
use placet_model::event::hook::{PairingChanged, PairingStep};
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::{
    Actor, Digest, Event, IntegrationId, Position, Principal, Revision, StreamId, Timestamp,
};
use ring::hmac;
use serde::Serialize;
use serde_json::Value;

/// How long a code counts.
const LIFE_MS: i64 = 600_000;

/// A code, as it is shown once.
#[derive(Debug, Serialize)]
pub struct Offer {
    /// The name of the connection.
    pub name: String,
    /// What is to be sent.
    pub say: String,
    /// A link that sends it, where the provider has such a thing.
    pub link: Option<String>,
    /// From when it is good for nothing.
    pub expires_at: Timestamp,
    /// Whether the provider was asked to post here; what stands there by hand is not known.
    pub is_posted: bool,
}

/// How the pairing of a connection stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pairing {
    /// `offered`, `paired`, or `expired`.
    pub state: &'static str,
    /// Since when.
    pub since: Timestamp,
    /// From when its code is good for nothing.
    pub expires_at: Timestamp,
    /// The conversation.
    pub to: Option<String>,
}

/// The last that is known of it.
#[derive(Debug, Clone)]
pub(super) struct Last {
    at: (Position, Timestamp),
    body: PairingChanged,
}

impl Handle {
    /// Makes a code that pairs a connection with whoever sends it; one that was made before is good for
    /// nothing from here on.
    ///
    /// # Errors
    /// When the actor may not, connections of the provider are not paired, or nothing that it posts
    /// would be believed.
    pub async fn offer_pairing(&self, actor: &Principal, name: &str) -> Result<Offer, Error> {
        let turn = self.act_turn().await;
        self.demand(actor, Role::Operator)?;
        let integration = self.named(name)?;
        let manifest = self.manifest(&integration.provider)?;
        let title = manifest.title();
        let means = manifest.inbound().and_then(|inbound| Some((inbound, inbound.pairing()?)));
        let (inbound, means) = means
            .ok_or_else(|| refused("PL3070", format!("connections of {title} are not paired")))?;
        if !self.is_believed(&integration, inbound.key_field()) {
            let detail = format!("{name}: its credential has no {}", inbound.key_field());
            return Err(refused("PL3071", detail));
        }
        let code = self.env.mint.nonce();
        let expires_at = self.now().plus_millis(LIFE_MS);
        let offered = PairingChanged {
            integration: integration.id,
            step: PairingStep::Offered,
            code: self.code(integration.id, &Digest::of(code.as_bytes())),
            expires_at,
            uptime: self.env.clock.uptime(),
            to: None,
        };
        let stream = StreamId::Integration(integration.id);
        let facts = vec![(stream, offered.into(), vec![])];
        self.connections.pairings().remove(&integration.id);
        self.govern(&Actor::Principal(actor.clone()), facts, None, turn).await?;
        let hooks = self.subscriptions(name)?;
        Ok(Offer {
            name: integration.name,
            say: means.say(&code),
            link: means.link(&code, &integration.label),
            expires_at,
            is_posted: hooks.iter().any(Subscription::stands),
        })
    }

    /// How the pairing of a connection stands; none where it was never offered.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn pairing(&self, integration: IntegrationId) -> Result<Option<Pairing>, Error> {
        let Some(last) = last(&self.view()?, integration)? else { return Ok(None) };
        let (state, since) = match last.body.step {
            PairingStep::Paired => ("paired", last.at.1),
            PairingStep::Offered if self.is_over(&last.body) => ("expired", last.body.expires_at),
            PairingStep::Offered => ("offered", last.at.1),
        };
        let PairingChanged { expires_at, to, .. } = last.body;
        Ok(Some(Pairing { state, since, expires_at, to }))
    }

    /// Takes a code that came back, where it is the one that counts; none where it is not, and the
    /// message is one like any other.
    pub(crate) async fn claim(
        &self,
        arrival: &Arrival,
        claim: &Claim,
    ) -> Result<Option<Landed>, Error> {
        let turn = self.act_turn().await;
        let id = arrival.integration;
        let Some(last) = self.last_pairing(id)? else { return Ok(None) };
        if !is_same(&last.body.code, &self.code(id, &claim.code)) {
            return Ok(None);
        }
        match last.body.step {
            // the provider did not hear that it was taken, or somebody sends it once more
            PairingStep::Paired => return Ok(Some(Landed::Duplicate(last.at.0))),
            PairingStep::Offered if self.is_over(&last.body) => return Ok(None),
            PairingStep::Offered => {}
        }
        let integration = self.world().integrations.get(&id).cloned();
        let usable = |one: &Integration| one.status != IntegrationStatus::Disconnected;
        let Some(integration) = integration.filter(usable) else { return Ok(None) };
        let manifest = self.manifest(&integration.provider)?;
        let means = manifest.inbound().and_then(|inbound| inbound.pairing());
        let Some(means) = means else { return Ok(None) };
        let mut events = match self.with_setting(&integration, (means.setting(), &claim.to)) {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(%error, integration = %id, "the settings do not take whom it was paired with");
                return Ok(None);
            }
        };
        let paired =
            PairingChanged { step: PairingStep::Paired, to: Some(words(&claim.to)), ..last.body };
        events.push(paired.into());
        let stream = StreamId::Integration(id);
        let facts = events.into_iter().map(|event| (stream.clone(), event, vec![])).collect();
        self.connections.pairings().remove(&id);
        let recorded = self.govern(&Actor::Engine, facts, None, turn).await?;
        let place = recorded.first().map_or(last.at.0, |event| event.position);
        Ok(Some(Landed::Stored(place)))
    }

    /// As recorded; under the turn of acts. Anybody can send messages that look like codes, so the log is
    /// read once for all of them.
    fn last_pairing(&self, id: IntegrationId) -> Result<Option<Last>, Error> {
        if let Some(known) = self.connections.pairings().get(&id) {
            return Ok(known.clone());
        }
        let read = last(&self.view()?, id)?;
        self.connections.pairings().insert(id, read.clone());
        Ok(read)
    }

    fn is_believed(&self, integration: &Integration, field: &str) -> bool {
        let version = integration.credential_version;
        let fields = self.connections.vault().filter(|_| version > 0);
        let fields = fields.and_then(|vault| vault.fields(integration.id, version).ok());
        fields.is_some_and(|fields| fields.iter().any(|known| known == field))
    }

    /// What stands in the log for a code of this connection.
    fn code(&self, id: IntegrationId, code: &Digest) -> Digest {
        self.env.log.pseudonym(&format!("pairing {id} {code}"))
    }

    /// By whichever clock says so first.
    fn is_over(&self, offered: &PairingChanged) -> bool {
        let passed = offered.uptime.zip(self.env.clock.uptime());
        let passed = passed.and_then(|(then, now)| now.millis_since(then));
        self.now() >= offered.expires_at || passed.is_some_and(|ms| ms >= LIFE_MS.unsigned_abs())
    }
}

fn last(view: &ReadView, id: IntegrationId) -> Result<Option<Last>, Error> {
    let mut last = None;
    for event in view.stream(&StreamId::Integration(id), Revision::START) {
        let event = event?;
        if let Event::PairingChanged(body) = event.event {
            last = Some(Last { at: (event.position, event.recorded_at), body });
        }
    }
    Ok(last)
}

/// In constant time.
fn is_same(known: &Digest, given: &Digest) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, known.as_bytes());
    let tag = hmac::sign(&key, known.as_bytes());
    hmac::verify(&key, given.as_bytes(), tag.as_ref()).is_ok()
}

fn words(to: &Value) -> String {
    to.as_str().map_or_else(|| to.to_string(), str::to_owned)
}

fn refused(code: &'static str, detail: String) -> Error {
    Error::Refused { code, detail }
}
