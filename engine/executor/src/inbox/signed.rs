//! Signed decisions: everything that is checked of a document before it is a vote, each with its own
//! refusal. In order: its form, its signature, its log, its key, what travels with it; then, unless
//! the same request was answered before, its time and its nonce.

use super::bulk::Answered;
use super::requests::{self, ReassignWith, SignedBody};
use super::{Caller, Problem, reply};
use crate::handle::{Error, Handle, Receipt, Signature, Vote};
use crate::resolve::Resolve;
use placet_log::votes::{assurance_of, check_signature};
use placet_model::Principal;
use placet_model::decision::{Ballot, Resolution, Verdict, Voter};
use placet_model::event::decision::SignedVote;
use placet_model::passkey::SignerKey;
use placet_model::signed::{self, DecisionDocument, Draft, EARLY_MS_MAX, Item, Said};
use placet_model::{DecisionId, Digest};
use placet_projections::Views;
use serde_json::{Value, json};

/// A document whose signature, log and key are good, with what travels beside it.
struct Opened {
    document: DecisionDocument,
    signature: String,
    reason: Option<(String, [u8; signed::SALT_LEN])>,
    /// What belongs to the verdict: the new `with` of an edit, `{to}` of a reassignment.
    with: Option<Value>,
}

impl Handle {
    /// Takes a signed decision: one answer for one item, an answer each for several.
    pub(super) async fn decide_signed(
        &self,
        caller: &Caller,
        body: &Value,
    ) -> Result<Value, Error> {
        let opened = self.open(&caller.principal, requests::parse(body)?)?;
        if let [item] = opened.document.items() {
            let receipt = self.decide_item(caller, &opened, (item, None)).await?;
            return Ok(reply(receipt));
        }
        let mut open = vec![];
        for (index, item) in opened.document.items().iter().enumerate() {
            let decision = requests::id(&item.decision)?;
            let id = item_id(caller.request_id.as_deref(), Some(index));
            open.push((decision, self.answered(&caller.principal, id.as_deref(), decision)?));
        }
        self.check_shape(&open)?;
        if !matches!(opened.document.said(), Said::Vote(Verdict::Approve | Verdict::Reject)) {
            let detail = "several are approved or rejected together, nothing else";
            return Err(refused("PL3053", detail));
        }
        let mut items = vec![];
        for (index, item) in opened.document.items().iter().enumerate() {
            let mut answer = match self.decide_item(caller, &opened, (item, Some(index))).await {
                Ok(receipt) => reply(receipt),
                Err(error @ (Error::Stopping | Error::CommitFailed { .. })) => return Err(error),
                Err(error) => json!({ "error": Problem::from(&error) }),
            };
            answer["decision"] = json!(item.decision);
            items.push(answer);
        }
        Ok(json!({ "items": items }))
    }

    /// Everything about the document itself.
    fn open(&self, user: &Principal, body: SignedBody) -> Result<Opened, Error> {
        let malformed = |error: signed::DocumentError| refused("PL3041", error.to_string());
        let document = DecisionDocument::parse(&body.document).map_err(malformed)?;
        let world = self.world();
        let passkey = match document.key() {
            SignerKey::Passkey(id) => world.passkeys.get(id),
            SignerKey::Nkey(_) => None,
        };
        check_signature(&document, &body.signature, passkey)
            .map_err(|what| refused("PL3042", format!("signature: {what}")))?;
        let origin = self.log().origin();
        if document.origin() != origin {
            let detail = format!("it is for {}, this log is {origin}", document.origin());
            return Err(refused("PL3043", detail));
        }
        self.check_signer(user, (document.key(), document.user()))?;
        let reason = reason_of(&document, body.reason, body.reason_salt.as_deref())?;
        let with = body.with.as_ref().map(signed::with_digest).transpose().map_err(malformed)?;
        if with.as_ref() != document.with() {
            let detail = "`with` is not what the document was signed for";
            return Err(refused("PL3048", detail));
        }
        Ok(Opened { document, signature: body.signature, reason, with: body.with })
    }

    /// The key of a document is registered, in force, and of whoever it says and who has sent it.
    pub(crate) fn check_signer(
        &self,
        user: &Principal,
        (key, signer): (&SignerKey, &Principal),
    ) -> Result<(), Error> {
        let world = self.world();
        let known = match key {
            SignerKey::Nkey(key) => {
                world.keys.get(key).map(|known| (&known.principal, known.revoked))
            }
            SignerKey::Passkey(id) => match world.passkeys.get(id) {
                Some(known) if !known.confirmed => {
                    let detail = format!("the passkey {id} waits for an admin to confirm it");
                    return Err(refused("PL5041", detail));
                }
                known => known.map(|known| (&known.principal, known.revoked)),
            },
        };
        let Some((whose, is_revoked)) = known else {
            return Err(refused("PL3044", format!("nobody has registered the key {key}")));
        };
        if whose != signer || signer != user {
            let detail = format!(
                "the key is that of {whose}, the document that of {signer}, and it came from {user}"
            );
            return Err(refused("PL3046", detail));
        }
        if is_revoked {
            return Err(refused("PL3045", format!("the key {key} of {signer} is revoked")));
        }
        Ok(())
    }

    async fn decide_item(
        &self,
        caller: &Caller,
        opened: &Opened,
        (item, place): (&Item, Option<usize>),
    ) -> Result<Receipt, Error> {
        let decision = requests::id(&item.decision)?;
        let request_id = item_id(caller.request_id.as_deref(), place);
        let document = &opened.document;
        let answered = self.answered(&caller.principal, request_id.as_deref(), decision)?;
        if answered == Answered::Not {
            self.check_time(document)?;
        }
        match document.said() {
            Said::Vote(verdict) => {
                let vote = vote_of(opened, (decision, item.digest, verdict), request_id);
                let (with, to) = match (verdict, opened.with.clone()) {
                    (Verdict::Reassign, Some(with)) => {
                        let ReassignWith { to } = requests::parse(&with)?;
                        (None, to)
                    }
                    (_, with) => (with, vec![]),
                };
                self.decided(vote, with, to).await
            }
            Said::Resolution(resolution) => {
                let said = resolve_of(opened, (decision, item.digest, resolution), request_id);
                self.resolve_as(said).await
            }
        }
    }

    fn check_time(&self, document: &DecisionDocument) -> Result<(), Error> {
        let now = self.now();
        let early = document.issued_at().millis_since(now);
        if early > EARLY_MS_MAX {
            let detail = format!("it is from {}, and it is {now}", document.issued_at());
            return Err(refused("PL3047", detail));
        }
        if now > document.expires_at() {
            let detail = format!("it was good until {}, and it is {now}", document.expires_at());
            return Err(refused("PL3047", detail));
        }
        Ok(())
    }

    /// Whether this request about this decision has its answer already.
    pub(super) fn answered(
        &self,
        who: &Principal,
        request_id: Option<&str>,
        decision: DecisionId,
    ) -> Result<Answered, Error> {
        let Some(request_id) = request_id else { return Ok(Answered::Not) };
        let view = self.view()?;
        let known = Views::new(&view)?.request(who, request_id)? == Some(decision);
        Ok(if known { Answered::Before } else { Answered::Not })
    }

    /// What it takes to sign: the log, the caller's keys, and, where they have one, the document for
    /// an approval as it would be signed now.
    pub(super) fn to_sign(
        &self,
        caller: &Caller,
        (decision, digest): (DecisionId, Digest),
    ) -> Result<Value, Error> {
        let world = self.world();
        let keys: Vec<_> = world.keys.of(&caller.principal).copied().collect();
        let document = keys.first().map(|key| {
            DecisionDocument::new(Draft {
                items: vec![Item::new(decision, digest)],
                said: Said::Vote(Verdict::Approve),
                user: caller.principal.clone(),
                key: SignerKey::Nkey(*key),
                nonce: self.env.mint.bytes(),
                origin: self.log().origin(),
                issued_at: self.now(),
                expires_at: self.now().plus_millis(signed::VALID_MS_MAX),
                reason: None,
                with: None,
            })
        });
        let document =
            document.transpose().map_err(|error| refused("PL9001", error.to_string()))?;
        Ok(json!({
            "required": self.demands_signatures(),
            "origin": self.log().origin(),
            "user": caller.principal,
            "keys": keys,
            "passkeys": world.passkeys.of(&caller.principal).map(|(id, _)| id).collect::<Vec<_>>(),
            "document": document.as_ref().map(DecisionDocument::to_value),
        }))
    }
}

/// The request id of one item: that of the act, and its place in it.
fn item_id(id: Option<&str>, place: Option<usize>) -> Option<String> {
    id.map(|id| match place {
        None => id.to_owned(),
        Some(place) => format!("{id}/{place}"),
    })
}

fn refused(code: &'static str, detail: impl Into<String>) -> Error {
    Error::Refused { code, detail: detail.into() }
}

/// The text of the reason, which the document holds by its digest only.
fn reason_of(
    document: &DecisionDocument,
    text: Option<String>,
    salt: Option<&str>,
) -> Result<Option<(String, [u8; signed::SALT_LEN])>, Error> {
    let (text, salt) = match (document.reason(), text, salt) {
        (None, None, None) => return Ok(None),
        (Some(_), Some(text), Some(salt)) => (text, salt),
        (_, _, _) => {
            let detail =
                "`reason` and `reason_salt` go with a reason in the document, and with it only";
            return Err(refused("PL3048", detail));
        }
    };
    let salt = signed::bytes("reason_salt", salt);
    let salt = salt.map_err(|error| refused("PL3048", error.to_string()))?;
    if document.reason() != Some(&signed::text_digest(&salt, &text)) {
        return Err(refused("PL3048", "the text is not the one whose digest was signed"));
    }
    Ok(Some((text, salt)))
}

fn resolve_of(
    opened: &Opened,
    (decision, digest, resolution): (DecisionId, Digest, Resolution),
    request_id: Option<String>,
) -> Resolve {
    let (document, reason) = (&opened.document, &opened.reason);
    Resolve {
        decision,
        digest,
        resolution,
        nonce: document.nonce().to_owned(),
        time: document.issued_at(),
        reason: reason.as_ref().map(|(text, _)| text.clone()),
        by: voter(document),
        request_id,
        signed: Some(signature_of(opened)),
    }
}

/// Who signed, and how sure that is.
fn voter(document: &DecisionDocument) -> Voter {
    let assurance = assurance_of(document.key());
    Voter { principal: document.user().clone(), assurance }
}

fn signature_of(opened: &Opened) -> Signature {
    let Opened { document, signature, reason, .. } = opened;
    let form = SignedVote { document: document.message(), signature: signature.clone() };
    Signature { form, reason_salt: reason.as_ref().map(|(_, salt)| *salt) }
}

fn vote_of(
    opened: &Opened,
    (decision, digest, verdict): (DecisionId, Digest, Verdict),
    request_id: Option<String>,
) -> Vote {
    let Opened { document, reason, .. } = opened;
    let ballot = Ballot {
        decision,
        digest,
        verdict,
        nonce: document.nonce().to_owned(),
        time: document.issued_at(),
        reason: reason.as_ref().map(|(text, _)| text.clone()),
    };
    let signed = signature_of(opened);
    Vote { ballot, voter: voter(document), request_id, signed: Some(signed) }
}
