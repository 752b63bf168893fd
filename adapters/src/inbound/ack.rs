//! What a provider must hear, by what became of its message: the wrong status loses mail for good
//! at one, and a subscription at another (facts/providers/README.md, table 2).

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// It is in the log.
    Stored,
    /// It was in the log already.
    Duplicate,
    /// No integration has this address any more.
    UnknownConnection,
    BadSignature,
    /// It could not be stored: the provider shall come again.
    RetryLater,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// The media type of `body`, if there is one.
    pub media: Option<String>,
    pub body: Vec<u8>,
}

/// A status per failure kind, and the body of the good ones where the provider reads it.
#[derive(Debug, Clone)]
pub(crate) struct Acks {
    pub(crate) ok: u16,
    pub(crate) duplicate: u16,
    pub(crate) unknown_connection: u16,
    pub(crate) bad_signature: u16,
    pub(crate) retry_later: u16,
    /// Media type and text of every good answer.
    pub(crate) body: Option<(String, String)>,
}

impl Acks {
    pub(crate) fn status(&self, ack: Ack) -> u16 {
        match ack {
            Ack::Stored => self.ok,
            Ack::Duplicate => self.duplicate,
            Ack::UnknownConnection => self.unknown_connection,
            Ack::BadSignature => self.bad_signature,
            Ack::RetryLater => self.retry_later,
        }
    }

    pub(crate) fn reply(&self, ack: Ack) -> Reply {
        let status = self.status(ack);
        match &self.body {
            Some((media, body)) if (200..300).contains(&status) => {
                Reply { status, media: Some(media.clone()), body: body.clone().into_bytes() }
            }
            _ => Reply { status, media: None, body: Vec::new() },
        }
    }
}
