//! Who caused a fact: principals and the engine itself.

use crate::wire::wire_enum;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The name of a user, group, agent or service: `[a-z0-9][a-z0-9_-]{0,62}`.
///
/// A principal's e-mail address or phone number is an attribute kept elsewhere, never its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(String);

/// Text that cannot name a principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no principal name: use 1 to 63 of a-z, 0-9, _ and -, starting with a letter or digit"
)]
pub struct ParsePrincipalError {
    text: String,
}

impl Principal {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Principal {
    type Err = ParsePrincipalError;
    fn from_str(text: &str) -> Result<Self, ParsePrincipalError> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut bytes = text.bytes();
        let good = bytes.next().is_some_and(letter)
            && text.len() <= 63
            && bytes.all(|byte| letter(byte) || byte == b'_' || byte == b'-');
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParsePrincipalError { text: text.to_owned() })
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Principal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Principal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The engine, acting on what is already in the log.
    Engine,
    /// A named principal.
    Principal(Principal),
}

impl Actor {
    /// The principal, unless the engine acted by itself.
    pub const fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Engine => None,
            Self::Principal(principal) => Some(principal),
        }
    }
}

impl fmt::Display for Actor {
    /// `engine`, or `principal:<name>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine => f.write_str("engine"),
            Self::Principal(principal) => write!(f, "principal:{principal}"),
        }
    }
}

impl FromStr for Actor {
    type Err = ParsePrincipalError;
    fn from_str(text: &str) -> Result<Self, ParsePrincipalError> {
        match text.strip_prefix("principal:") {
            Some(name) => name.parse().map(Self::Principal),
            None if text == "engine" => Ok(Self::Engine),
            None => Err(ParsePrincipalError { text: text.to_owned() }),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

wire_enum! {
    /// What a principal is.
    PrincipalKind {
        /// A person.
        User = 1 "user",
        /// A program that drafts; it can never approve.
        Agent = 2 "agent",
        /// A program that operates or reads.
        Service = 3 "service",
    }
}

wire_enum! {
    /// What a principal may do in a project.
    Role {
        /// Deploys workflows, starts runs.
        Author = 1 "author",
        /// Votes on decisions.
        Approver = 2 "approver",
        /// Connects integrations, pauses, cancels, withdraws.
        Operator = 3 "operator",
        /// Reads and verifies everything.
        Auditor = 4 "auditor",
        /// Drafts actions.
        Agent = 5 "agent",
        /// Applies policy.
        Admin = 6 "admin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for good in ["a", "0", "sales-leads", "a_b", &"x".repeat(63)] {
            assert!(good.parse::<Principal>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a.b", "a*", "a>", "ana@example", "ä", &"x".repeat(64)] {
            assert!(bad.parse::<Principal>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_principal_called_engine_is_not_the_engine() {
        let person = Actor::Principal("engine".parse().unwrap());
        assert_eq!(person.to_string().parse(), Ok(person.clone()));
        assert_ne!("engine".parse(), Ok(person));
    }
}
