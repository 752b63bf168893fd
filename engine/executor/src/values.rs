//! The values of one run that are at hand: those made in this process, and those read back from
//! the payload store. A speculative value exists only here until its event is committed.

use placet_log::{Payload, ReadView};
use placet_model::signed::SALT_LEN;
use placet_model::{PayloadRef, StreamId};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// One piece of content.
#[derive(Clone)]
pub(crate) struct Content {
    bytes: Arc<[u8]>,
    /// A salt that somebody has committed to it with already.
    salt: Option<[u8; SALT_LEN]>,
    value: Arc<OnceLock<Arc<Value>>>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes)", self.bytes.len())
    }
}

impl Content {
    /// A JSON value.
    pub(crate) fn of_value(value: Arc<Value>) -> Self {
        let bytes = serde_json::to_vec(&*value).unwrap_or_else(|_| b"null".to_vec());
        Self { bytes: bytes.into(), salt: None, value: Arc::new(OnceLock::from(value)) }
    }

    /// Bytes that are final, such as a prepared request.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), salt: None, value: Arc::default() }
    }

    /// Text that was signed by its salted digest.
    pub(crate) fn of_text(text: &str, salt: [u8; SALT_LEN]) -> Self {
        Self { salt: Some(salt), ..Self::of_bytes(text.as_bytes().to_vec()) }
    }

    /// As it goes to the log.
    pub(crate) fn to_payload(&self) -> Payload {
        match self.salt {
            Some(salt) => Payload::salted(self.bytes.to_vec(), salt),
            None => Payload::from(self.bytes.to_vec()),
        }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Content that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store has lost, or never had it.
    #[error("the payload {reference} cannot be read")]
    Unreadable {
        /// Which payload.
        reference: PayloadRef,
        /// Why.
        source: placet_log::Error,
    },
    /// It is no JSON.
    #[error("the payload {reference} is no JSON")]
    NotJson {
        /// Which payload.
        reference: PayloadRef,
        /// Why.
        source: serde_json::Error,
    },
}

/// The values of one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    known: BTreeMap<PayloadRef, Content>,
}

impl Values {
    /// Remembers content that was just made.
    pub(crate) fn put(&mut self, reference: PayloadRef, content: Content) {
        self.known.insert(reference, content);
    }

    /// Where content stands already that is the same to the byte: it need not be sealed again. Only
    /// what is at hand is compared, so nothing is promised; the few values of a run are looked
    /// through by their length first.
    pub(crate) fn place_of(&self, content: &Content) -> Option<PayloadRef> {
        let same = |known: &Content| known.bytes == content.bytes;
        self.known.iter().find(|(_, known)| same(known)).map(|(reference, _)| *reference)
    }

    /// The bytes behind a reference.
    pub(crate) fn bytes(
        &mut self,
        reference: PayloadRef,
        stream: &StreamId,
        view: &dyn Fn() -> Result<ReadView, placet_log::Error>,
    ) -> Result<Content, Error> {
        if let Some(content) = self.known.get(&reference) {
            return Ok(content.clone());
        }
        let read = || view()?.payload(stream, reference);
        let payload = read().map_err(|source| Error::Unreadable { reference, source })?;
        let content = Content::of_bytes(payload.as_bytes().to_vec());
        self.known.insert(reference, content.clone());
        Ok(content)
    }

    /// The JSON value behind a reference.
    pub(crate) fn value(
        &mut self,
        reference: PayloadRef,
        stream: &StreamId,
        view: &dyn Fn() -> Result<ReadView, placet_log::Error>,
    ) -> Result<Arc<Value>, Error> {
        let content = self.bytes(reference, stream, view)?;
        if let Some(value) = content.value.get() {
            return Ok(Arc::clone(value));
        }
        let value: Value = serde_json::from_slice(&content.bytes)
            .map_err(|source| Error::NotJson { reference, source })?;
        Ok(Arc::clone(content.value.get_or_init(|| Arc::new(value))))
    }

    /// Forgets what a run can no longer reach.
    pub(crate) fn keep_only(&mut self, reachable: impl Fn(&PayloadRef) -> bool) {
        self.known.retain(|reference, _| reachable(reference));
    }

    /// How many are at hand.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}
