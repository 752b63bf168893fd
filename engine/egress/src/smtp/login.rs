//! Who logs in, and how: read from the filled request, written in the words of a mechanism.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_adapters::{Cause, Failed, FilledRequest, SecretText};
use zeroize::Zeroizing;

/// A user and what it proves itself with.
pub(super) struct Login {
    pub(super) user: String,
    secret: SecretText,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Password,
    Token,
}

/// What is said after `AUTH`, and after each question.
pub(super) struct Words {
    pub(super) first: SecretText,
    pub(super) then: Vec<SecretText>,
}

pub(super) fn read(filled: &FilledRequest) -> Result<Login, Failed> {
    let refuse = |words: &str| Failed::before(Cause::Hole, words);
    let header = |wanted: &str| {
        let found = filled.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.expose())
    };
    let kind = match header("auth-mechanism") {
        None | Some("password") => Kind::Password,
        Some("xoauth2") => Kind::Token,
        Some(_) => return Err(refuse("the mechanism is neither password nor xoauth2")),
    };
    let pair = header("authorization")
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| BASE64.decode(value).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Zeroizing::new)
        .ok_or_else(|| refuse("the request has no user and password"))?;
    let (user, secret) = pair.split_once(':').ok_or_else(|| refuse("there is no password"))?;
    Ok(Login { user: user.to_owned(), secret: SecretText::new(secret), kind })
}

impl Login {
    /// In the first mechanism of ours that the server offers (RFC 4616, RFC 4954).
    pub(super) fn words(&self, offered: &[String]) -> Option<Words> {
        let knows = |name: &str| offered.iter().any(|word| word.eq_ignore_ascii_case(name));
        let (user, secret) = (&self.user, self.secret.expose());
        let encoded = |text: &str| SecretText::new(BASE64.encode(text));
        let one = |name: &str, text: &str| {
            let text = Zeroizing::new(BASE64.encode(text));
            Words { first: SecretText::new(format!("{name} {}", &*text)), then: Vec::new() }
        };
        match self.kind {
            Kind::Token if knows("XOAUTH2") => {
                let text = format!("user={user}\u{1}auth=Bearer {secret}\u{1}\u{1}");
                Some(one("XOAUTH2", &Zeroizing::new(text)))
            }
            Kind::Password if knows("PLAIN") => {
                Some(one("PLAIN", &Zeroizing::new(format!("\0{user}\0{secret}"))))
            }
            Kind::Password if knows("LOGIN") => Some(Words {
                first: SecretText::new("LOGIN"),
                then: vec![encoded(user), encoded(secret)],
            }),
            Kind::Token | Kind::Password => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(kind: Kind) -> Login {
        Login { user: "ana".to_owned(), secret: SecretText::new("pw"), kind }
    }

    fn first(kind: Kind, offered: &[&str]) -> Option<String> {
        let offered: Vec<String> = offered.iter().map(ToString::to_string).collect();
        login(kind).words(&offered).map(|words| words.first.expose().to_owned())
    }

    #[test]
    fn the_first_mechanism_of_ours_that_is_offered_is_taken() {
        let plain = Some("PLAIN AGFuYQBwdw==".to_owned());
        assert_eq!(first(Kind::Password, &["CRAM-MD5", "LOGIN", "plain"]), plain);
        assert_eq!(first(Kind::Password, &["LOGIN"]), Some("LOGIN".to_owned()));
        assert_eq!(first(Kind::Password, &["XOAUTH2", "CRAM-MD5"]), None);
        assert_eq!(first(Kind::Token, &["PLAIN"]), None);
        let bearer = BASE64.encode("user=ana\u{1}auth=Bearer pw\u{1}\u{1}");
        assert_eq!(first(Kind::Token, &["PLAIN", "XOAUTH2"]), Some(format!("XOAUTH2 {bearer}")));
    }
}
