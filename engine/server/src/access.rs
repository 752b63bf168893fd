//! Who may come in.

use crate::token::{Kept, Recognizer, Token};

/// Who may come in. Today that of `dev` only: whoever holds the token may act as any principal.
/// Hashed API tokens, each bound to one principal, come with `serve`.
#[derive(Debug)]
pub struct Access {
    recognizer: Recognizer,
    dev: Vec<Kept>,
}

impl Access {
    /// Each of these tokens lets its bearer act as any principal (`Placet-As`), `author` by
    /// default. A server with it listens on loopback only.
    pub fn dev(tokens: impl IntoIterator<Item = Token>) -> Self {
        let recognizer = Recognizer::new();
        let dev = tokens.into_iter().map(|token| recognizer.keep(&token)).collect();
        Self { recognizer, dev }
    }

    /// Whether the people of this server are those of `dev`, where files of the project name them.
    pub(crate) const fn is_dev(&self) -> bool {
        !self.dev.is_empty()
    }

    /// Whether a bearer token is one of ours. Looks at all of them, whichever fits.
    pub(crate) fn admits(&self, given: &str) -> bool {
        self.dev.iter().fold(false, |found, kept| found | self.recognizer.is(kept, given))
    }
}
