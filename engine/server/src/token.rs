//! Bearer and login tokens: they cannot be printed, and comparing them takes the same time whatever
//! was given.

use placet_model::Digest;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// A token as it is handed to people and programs.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token given from outside, such as one read back from the token file.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A fresh token: 256 random bits, lower-case hex.
    ///
    /// # Panics
    /// When the system has no randomness: nothing may go on without it.
    pub fn random() -> Self {
        let mut bytes = [0; TOKEN_BYTES];
        SystemRandom::new().fill(&mut bytes).expect("the system's randomness works");
        Self(Digest::of(&bytes).hex())
    }

    /// The token itself, for the token file, the login link and a cookie, and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Knows tokens without holding them: each is kept as its MAC under a key of this process.
#[derive(Debug)]
pub(crate) struct Recognizer {
    key: hmac::Key,
}

/// A token in the form that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept(hmac::Tag);

impl Recognizer {
    pub(crate) fn new() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Self { key: key.expect("the system's randomness works") }
    }

    pub(crate) fn keep(&self, token: &Token) -> Kept {
        Kept(hmac::sign(&self.key, token.0.as_bytes()))
    }

    /// A mark of a text that nobody can make without this process's key: lower-case hex.
    pub(crate) fn mark(&self, text: &str) -> String {
        Digest::of(hmac::sign(&self.key, text.as_bytes()).as_ref()).hex()
    }

    /// Whether `given` is the kept token; constant in time.
    pub(crate) fn is(&self, kept: &Kept, given: &str) -> bool {
        hmac::verify(&self.key, given.as_bytes(), kept.0.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_printed_and_no_two_are_alike() {
        let token = Token::random();
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(token.expose().len(), 2 * TOKEN_BYTES);
        assert_ne!(token, Token::random());
    }

    #[test]
    fn only_the_very_token_is_recognized() {
        let recognizer = Recognizer::new();
        let kept = recognizer.keep(&Token::new("abc"));
        assert!(recognizer.is(&kept, "abc"));
        for other in ["", "ab", "abcd", "ABC", "abc "] {
            assert!(!recognizer.is(&kept, other), "{other}");
        }
    }
}
