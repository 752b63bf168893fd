//! Nonces of votes, of what is said of attempts in doubt, and of signed requests: each is good for one
//! act, for ever.

use crate::Error;
use crate::store::Store;
use crate::table::TableName;
use placet_model::event::decision::SignedVote;
use placet_model::event::people::RequestSigned;
use placet_model::signed::{Act, RequestDocument};
use placet_model::{DecisionId, Digest, Principal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a nonce was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Digest of the signed document; none for a vote that nobody has signed.
    pub document: Option<Digest>,
    /// The decisions on which it was used: a signed act may be about many.
    pub decisions: Vec<DecisionId>,
}

impl Spent {
    /// Whether this act on this decision would use it again.
    pub fn is_used_again(&self, act: &Act, decision: DecisionId) -> bool {
        act.document.is_none()
            || self.document != act.document
            || self.decisions.contains(&decision)
    }
}

/// The key of a nonce; neither a key nor a principal's name holds a zero.
pub(crate) fn key(act: &Act, nonce: &str) -> Vec<u8> {
    [act.by.as_bytes(), &[0], nonce.as_bytes()].concat()
}

/// What a person said under a nonce of theirs: a vote, or what became of an attempt in doubt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'e> {
    pub(crate) by: &'e Principal,
    pub(crate) nonce: &'e str,
    pub(crate) request_id: Option<&'e String>,
    pub(crate) signed: Option<&'e SignedVote>,
}

/// Notes what a nonce was used for. The law refuses a second act; were one in the log, the first
/// would stand.
pub(crate) fn spend(
    store: &mut Store<'_>,
    nonces: &mut BTreeMap<Vec<u8>, Spent>,
    decision: DecisionId,
    said: Said<'_>,
) -> Result<(), Error> {
    let act = Act::of(said.by, said.signed);
    let key = key(&act, said.nonce);
    let known = match nonces.remove(&key) {
        Some(known) => Some(known),
        None => store.get(TableName::Nonces, &key)?,
    };
    let mut spent = known.unwrap_or(Spent { document: act.document, decisions: vec![] });
    if !spent.decisions.contains(&decision) {
        spent.decisions.push(decision);
    }
    nonces.insert(key, spent);
    Ok(())
}

/// Notes the nonce of a signed request, which is about no decision.
pub(crate) fn taken(store: &mut Store<'_>, body: &RequestSigned) -> Result<(), Error> {
    let Ok(document) = RequestDocument::from_message(&body.document) else { return Ok(()) };
    let digest = Digest::of(body.document.as_bytes());
    let act = Act { by: document.key().to_string(), document: Some(digest) };
    let key = key(&act, document.nonce());
    if store.get::<Spent>(TableName::Nonces, &key)?.is_some() {
        return Ok(());
    }
    store.put(TableName::Nonces, &key, &Spent { document: act.document, decisions: vec![] })
}
