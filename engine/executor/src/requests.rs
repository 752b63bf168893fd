//! Signed requests: what changes a connection over a message bus is signed where votes are, and taken once.
//! Document and signature go into the log before anything is done, so that an outsider can check long
//! afterwards who has asked for what.

use crate::handle::{Error, Handle};
use placet_log::votes::check_request;
use placet_model::actor::Role;
use placet_model::event::people::RequestSigned;
use placet_model::passkey::SignerKey;
use placet_model::signed::{Act, DocumentError, RequestDocument};
use placet_model::{Actor, Digest, Principal, StreamId};
use placet_projections::Views;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What comes over the bus.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    document: Value,
    signature: String,
    #[serde(default)]
    body: Map<String, Value>,
}

impl Handle {
    /// Takes a signed request of an operator, once, and gives what it asks with. `word` is what it must be
    /// signed for.
    ///
    /// # Errors
    /// When nobody has signed it, the signature, key, log, time or nonce is not good, or who signed may
    /// not; nothing is recorded then.
    pub async fn open_request(
        &self,
        user: &Principal,
        word: &str,
        envelope: &Map<String, Value>,
    ) -> Result<Value, Error> {
        self.demand(user, Role::Operator)?;
        let Envelope { document, signature, body } = envelope_of(envelope)?;
        let malformed = |error: DocumentError| refused("PL3041", error.to_string());
        let document = RequestDocument::parse(&document).map_err(malformed)?;
        check_request(&document, &signature)
            .map_err(|what| refused("PL3042", format!("signature: {what}")))?;
        let origin = self.log().origin();
        if document.origin() != origin {
            let detail = format!("it is for {}, this log is {origin}", document.origin());
            return Err(refused("PL3043", detail));
        }
        self.check_signer(user, (&SignerKey::Nkey(*document.key()), document.user()))?;
        let body = Value::Object(body);
        document.check_of(word, &body).map_err(|error| refused("PL3048", error.to_string()))?;
        // nobody else records an act between the look and the record
        let turn = self.act_turn().await;
        document.check_time(self.now()).map_err(|detail| refused("PL3047", detail))?;
        let message = document.message();
        let act =
            Act { by: document.key().to_string(), document: Some(Digest::of(message.as_bytes())) };
        if let Some(spent) = Views::new(&self.view()?)?.spent(&act, document.nonce())? {
            let detail = if spent.document == act.document {
                "this very request was taken before: look at what has become of it"
            } else {
                "its nonce was used before"
            };
            return Err(refused("PL4067", detail.to_owned()));
        }
        let signed = RequestSigned {
            user: user.clone(),
            word: word.to_owned(),
            document: message,
            signature,
        };
        let facts = vec![(StreamId::Project, signed.into(), vec![])];
        self.govern(&Actor::Principal(user.clone()), facts, None, turn).await?;
        Ok(body)
    }
}

fn envelope_of(given: &Map<String, Value>) -> Result<Envelope, Error> {
    if !given.contains_key("document") {
        let detail = "what changes a connection over NATS is a signed request to this engine: \
                      {document, signature, body}";
        return Err(refused("PL3017", detail.to_owned()));
    }
    // an error of the parser would repeat what it was given, and that may be a secret
    serde_json::from_value(Value::Object(given.clone())).map_err(|_secret| {
        refused("PL3041", "the request is {document, signature, body}, and nothing else".to_owned())
    })
}

fn refused(code: &'static str, detail: String) -> Error {
    Error::Refused { code, detail }
}
