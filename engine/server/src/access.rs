//! Who may come in.

use crate::login::Oidc;
use crate::token::{Kept, Recognizer, Token};
use crate::tokens::Tokens;
use placet_model::{Principal, Timestamp};

/// Who may come in.
#[derive(Debug)]
pub struct Access {
    kind: Kind,
    oidc: Option<Oidc>,
}

#[derive(Debug)]
enum Kind {
    Dev { recognizer: Recognizer, tokens: Vec<Kept> },
    Serve(Tokens),
}

/// What a bearer token says of its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bearer {
    /// May act as any principal.
    Anybody,
    /// Is this one.
    One(Principal),
}

impl Access {
    /// That of `dev`: each of these tokens lets its bearer act as any principal (`Placet-As`),
    /// `author` by default. A server with it listens on loopback only.
    pub fn dev(tokens: impl IntoIterator<Item = Token>) -> Self {
        let recognizer = Recognizer::new();
        let tokens = tokens.into_iter().map(|token| recognizer.keep(&token)).collect();
        Self { kind: Kind::Dev { recognizer, tokens }, oidc: None }
    }

    /// That of `serve`: every token is one principal's, and a vote must be signed.
    pub const fn serve(tokens: Tokens) -> Self {
        Self { kind: Kind::Serve(tokens), oidc: None }
    }

    /// The same, where people may also log in at this login server.
    #[must_use]
    pub fn and_by(self, oidc: Oidc) -> Self {
        Self { oidc: Some(oidc), ..self }
    }

    /// The login server, which is then somebody else's to keep.
    pub(crate) const fn take_oidc(&mut self) -> Option<Oidc> {
        self.oidc.take()
    }

    /// Whether the people of this server are those of `dev`, where files of the project name them
    /// and votes need no signature; everywhere else the engine demands one.
    pub(crate) const fn is_dev(&self) -> bool {
        matches!(self.kind, Kind::Dev { .. })
    }

    /// The tokens, where each is somebody's.
    pub(crate) const fn tokens(&self) -> Option<&Tokens> {
        match &self.kind {
            Kind::Dev { .. } => None,
            Kind::Serve(tokens) => Some(tokens),
        }
    }

    /// Whose bearer token this is. In `dev` it looks at all of them, whichever fits.
    pub(crate) fn bearer(&self, given: &str, now: Timestamp) -> Option<Bearer> {
        match &self.kind {
            Kind::Dev { recognizer, tokens } => tokens
                .iter()
                .fold(false, |found, kept| found | recognizer.is(kept, given))
                .then_some(Bearer::Anybody),
            Kind::Serve(tokens) => tokens.owner(given, now).map(Bearer::One),
        }
    }
}
