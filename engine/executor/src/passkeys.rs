//! Passkeys: enrolled by whoever they are of, confirmed by an admin, revoked by either; and the document
//! that one is to sign, whose digest is the challenge. The vote itself comes in by the door of every
//! signed document (`inbox/signed.rs`).
//!
//! An authenticator that counts its uses must count on. Where it does not, a second one has the same key,
//! and nobody can tell which of the two is the person's: what it has signed is refused, and the passkey
//! is revoked, in the engine's own name. What comes in out of order looks alike; it is one enrolment lost.

use crate::acts::Once;
use crate::handle::{Error, Handle, ProjectFact};
use placet_model::actor::Role;
use placet_model::decision::Verdict;
use placet_model::event::people::{PasskeyConfirmed, PasskeyEnrolled, PasskeyRevoked};
use placet_model::passkey::{Enrolled, KnownPasskey, PasskeyId, SignerKey};
use placet_model::signed::{self, DecisionDocument, Draft, Item, SALT_LEN, Said};
use placet_model::{Actor, DecisionId, Digest, Event, Principal, StreamId};
use placet_projections::Views;
use serde_json::{Value, json};

/// Milliseconds that a browser waits for a person.
const PATIENCE_MS: u64 = 120_000;
/// Passkeys of one person that are not revoked.
const PASSKEYS_MAX: usize = 16;

/// What somebody is about to sign with a passkey.
#[derive(Debug, Clone)]
pub struct ToSign {
    /// Which decision.
    pub decision: DecisionId,
    /// The draft digest that they were shown.
    pub digest: Digest,
    /// What they say: a verdict, or what became of an attempt in doubt.
    pub said: Said,
    /// With which passkey; the only one, where they have one.
    pub passkey: Option<PasskeyId>,
    /// Why.
    pub reason: Option<String>,
    /// What belongs to the verdict.
    pub with: Option<Value>,
}

impl Handle {
    /// Records what an authenticator has made for this person. It is good for nothing yet.
    ///
    /// # Errors
    /// When it is somebody else's, or was revoked, or they have too many.
    pub async fn enrol_passkey(
        &self,
        who: &Principal,
        enrolled: Enrolled,
        rp_id: String,
    ) -> Result<PasskeyId, Error> {
        let turn = self.act_turn().await;
        let world = self.world();
        if !world.policy.principals.contains_key(who) {
            return Err(placet_core::Refusal::UnknownPrincipal { name: who.clone() }.into());
        }
        let passkey = PasskeyId::of(enrolled.algorithm, &enrolled.public_key);
        match world.passkeys.get(&passkey) {
            Some(known) if known.principal == *who && !known.revoked => return Ok(passkey),
            Some(_) => {
                return Err(refused("PL3049", "this passkey was enrolled before".to_owned()));
            }
            None => {}
        }
        let theirs = world.passkeys.iter().filter(|(_, known)| known.principal == *who);
        if theirs.filter(|(_, known)| !known.revoked).count() >= PASSKEYS_MAX {
            let detail = format!("{who} has {PASSKEYS_MAX} passkeys: revoke one first");
            return Err(refused("PL5040", detail));
        }
        let Enrolled { credential, algorithm, public_key } = enrolled;
        let principal = who.clone();
        let body = PasskeyEnrolled { principal, passkey, credential, algorithm, public_key, rp_id };
        let facts = vec![(StreamId::Policy, Event::from(body), vec![])];
        self.govern(&Actor::Principal(who.clone()), facts, None, turn).await?;
        Ok(passkey)
    }

    /// An admin says that a passkey is whose it says. They must know so from somewhere else.
    ///
    /// # Errors
    /// When the actor is no admin, or there is no such passkey in force.
    pub async fn confirm_passkey(&self, actor: &Principal, id: PasskeyId) -> Result<(), Error> {
        let turn = self.act_turn().await;
        self.demand(actor, Role::Admin)?;
        let known = self.known_passkey(id)?;
        if known.revoked {
            return Err(refused("PL3045", format!("the passkey {id} is revoked")));
        }
        if known.confirmed {
            return Ok(());
        }
        let body = PasskeyConfirmed { principal: known.principal, passkey: id };
        let facts = vec![(StreamId::Policy, Event::from(body), vec![])];
        self.govern(&Actor::Principal(actor.clone()), facts, None, turn).await?;
        Ok(())
    }

    /// Revokes a passkey for good: by an admin, or by whoever it is of. Again, it changes nothing.
    ///
    /// # Errors
    /// When the actor may not, or there is no such passkey.
    pub async fn revoke_passkey(&self, actor: &Principal, id: PasskeyId) -> Result<(), Error> {
        let turn = self.act_turn().await;
        let known = self.known_passkey(id)?;
        if known.principal != *actor {
            self.demand(actor, Role::Admin)?;
        }
        if known.revoked {
            return Ok(());
        }
        let actor = Actor::Principal(actor.clone());
        self.govern(&actor, revoked(known.principal, id), None, turn).await?;
        Ok(())
    }

    /// The authenticator of the passkey that this was signed with has counted on since it was last
    /// used; else the passkey is revoked.
    ///
    /// # Errors
    /// PL5042 where it has not.
    pub(crate) async fn check_counter(&self, once: &Once) -> Result<(), Error> {
        let Some(used) = &once.used else { return Ok(()) };
        let counters = Views::new(&self.view()?)?.counters()?;
        if counters.admits(used) {
            return Ok(());
        }
        let (id, last) = (used.passkey, counters.last(&used.passkey));
        let turn = self.act_turn().await;
        if !self.known_passkey(id)?.revoked {
            self.govern(&Actor::Engine, revoked(once.by.clone(), id), None, turn).await?;
        }
        let counter = used.counter;
        let detail = format!(
            "the authenticator of {id} counts {counter}, and had said {last} before: the passkey is revoked"
        );
        Err(refused("PL5042", detail))
    }

    fn known_passkey(&self, id: PasskeyId) -> Result<KnownPasskey, Error> {
        let known = self.world().passkeys.get(&id).cloned();
        known.ok_or_else(|| refused("PL4012", format!("there is no passkey {id}")))
    }

    /// The document that a passkey of this person is to sign, and what their browser is to ask for.
    /// Nothing is recorded; what comes back is checked as every signed document is.
    ///
    /// # Errors
    /// When they have no such passkey, or the parts make no document.
    pub fn to_sign_with_passkey(&self, who: &Principal, asked: &ToSign) -> Result<Value, Error> {
        let world = self.world();
        let mut theirs = world.passkeys.of(who);
        let found = match asked.passkey {
            Some(id) => theirs.find(|(known, _)| **known == id),
            None => theirs.next(),
        };
        let (id, known) = found.ok_or_else(|| {
            refused("PL5041", format!("{who} has no passkey that an admin has confirmed"))
        })?;
        let salt: [u8; SALT_LEN] = self.env.mint.bytes();
        let reason = asked.reason.as_deref().filter(|text| !text.is_empty());
        let malformed = |error: signed::DocumentError| refused("PL3041", error.to_string());
        let with = asked.with.as_ref().map(signed::with_digest).transpose().map_err(malformed)?;
        let document = DecisionDocument::new(Draft {
            items: vec![Item::new(asked.decision, asked.digest)],
            said: asked.said,
            user: who.clone(),
            key: SignerKey::Passkey(*id),
            nonce: self.env.mint.bytes(),
            origin: self.log().origin(),
            issued_at: self.now(),
            expires_at: self.now().plus_millis(signed::VALID_MS_MAX),
            reason: reason.map(|text| signed::text_digest(&salt, text)),
            with,
        })
        .map_err(malformed)?;
        let message = document.message();
        Ok(json!({
            "document": document.to_value(),
            "message": message,
            "reason": reason,
            "reason_salt": reason.map(|_| signed::text_of(&salt)),
            "with": asked.with,
            "options": {
                "challenge": signed::text_of(Digest::of(message.as_bytes()).as_bytes()),
                "rpId": known.rp_id,
                "timeout": PATIENCE_MS,
                "userVerification": "required",
                "allowCredentials": [{ "type": "public-key", "id": known.credential }],
            },
        }))
    }
}

fn revoked(principal: Principal, passkey: PasskeyId) -> Vec<ProjectFact> {
    let body = PasskeyRevoked { principal, passkey };
    vec![(StreamId::Policy, Event::from(body), vec![])]
}

/// What a word says of a decision.
///
/// # Errors
/// A word that is neither a verdict nor what becomes of an attempt in doubt.
pub fn said(word: &str) -> Result<Said, Error> {
    let vote = word.parse::<Verdict>().map(Said::Vote);
    let said = vote.or_else(|_none| word.parse().map(Said::Resolution));
    said.map_err(|_none| refused("PL4003", format!("verdict: {word:?} is none")))
}

fn refused(code: &'static str, detail: String) -> Error {
    Error::Refused { code, detail }
}
