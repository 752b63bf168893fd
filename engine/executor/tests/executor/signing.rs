//! An approver's key, as tests use it: the seed stays here, away from the engine.

use crate::world::{World, name};
use placet_executor::inbox::{Caller, Problem};
use placet_model::DecisionId;
use placet_model::decision::{Assurance, Resolution, Verdict};
use placet_model::nkey::UserKey;
use placet_model::signed::{DecisionDocument, Draft, Item, Said, text_digest, text_of};
use placet_projections::DecisionRow;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// The salt of reasons in tests.
const SALT: [u8; 32] = [9; 32];

/// A key and whose it is.
pub(crate) struct Signer {
    pair: Ed25519KeyPair,
    pub(crate) who: &'static str,
}

impl Signer {
    /// A key of `who` that nobody has registered.
    pub(crate) fn stranger(who: &'static str) -> Self {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).unwrap();
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap(), who }
    }

    /// A key of `who` that an admin has registered.
    pub(crate) async fn of(world: &World, who: &'static str) -> Self {
        let signer = Self::stranger(who);
        world.handle.register_key(&name("author"), name(who), signer.key()).await.unwrap();
        signer
    }

    pub(crate) fn key(&self) -> UserKey {
        UserKey::from_ed25519(self.pair.public_key().as_ref().try_into().unwrap())
    }

    /// What a document for this verdict on these items is made of, as good as it can be.
    pub(crate) fn draft(&self, world: &World, rows: &[&DecisionRow], verdict: Verdict) -> Draft {
        let mut nonce = [0; 16];
        SystemRandom::new().fill(&mut nonce).unwrap();
        let said_why = verdict != Verdict::Approve;
        Draft {
            items: rows.iter().map(|row| Item::new(row.decision, row.digest)).collect(),
            said: Said::Vote(verdict),
            user: name(self.who),
            key: self.key().into(),
            nonce,
            origin: world.handle.log().origin(),
            issued_at: world.handle.now(),
            expires_at: world.handle.now().plus_millis(600_000),
            reason: said_why.then(|| text_digest(&SALT, "because")),
            with: None,
        }
    }

    /// The envelope of what is said of the attempt that an item led to.
    pub(crate) fn resolve(
        &self,
        world: &World,
        row: &DecisionRow,
        resolution: Resolution,
    ) -> Value {
        let draft = self.draft(world, &[row], Verdict::Reject);
        self.sign(Draft { said: Said::Resolution(resolution), ..draft })
    }

    /// The envelope of a document.
    pub(crate) fn sign(&self, draft: Draft) -> Value {
        let document = DecisionDocument::new(draft).unwrap();
        let signature = self.pair.sign(document.message().as_bytes());
        let mut envelope = json!({
            "document": document.to_value(),
            "signature": text_of(signature.as_ref()),
        });
        if document.reason().is_some() {
            envelope["reason"] = json!("because");
            envelope["reason_salt"] = json!(text_of(&SALT));
        }
        envelope
    }

    /// The envelope for a verdict on one item.
    pub(crate) fn vote(&self, world: &World, row: &DecisionRow, verdict: Verdict) -> Value {
        self.sign(self.draft(world, &[row], verdict))
    }

    /// Hands an envelope in; the answer, or the code of the refusal.
    pub(crate) async fn hand_in(
        &self,
        world: &World,
        envelope: &Value,
        request_id: Option<&str>,
    ) -> Result<Value, String> {
        hand_in(world, self.who, envelope, request_id).await
    }
}

/// Hands an envelope in as anybody.
pub(crate) async fn hand_in(
    world: &World,
    who: &str,
    envelope: &Value,
    request_id: Option<&str>,
) -> Result<Value, String> {
    let caller = caller(who, request_id);
    let answer = world.handle.inbox_decide(&caller, envelope).await;
    answer.map_err(|error| Problem::from(&error).code)
}

pub(crate) fn caller(who: &str, request_id: Option<&str>) -> Caller {
    Caller {
        principal: name(who),
        assurance: Assurance::Transport,
        request_id: request_id.map(str::to_owned),
    }
}

/// The card as somebody sees it.
pub(crate) fn card(world: &World, who: &str, decision: DecisionId) -> Value {
    world.handle.inbox_get(&caller(who, None), &json!({ "decision": decision })).unwrap()
}
