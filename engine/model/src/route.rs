//! Channels: by which way a project's own people are told something, and which connection carries it.
//!
//! A step says `slack`, or `telegram:ops-bot`; manifests say which of their operations carries a
//! channel; the project's connections say who does it here. What is chosen is one concrete connection,
//! or nothing at all: nobody guesses between two.

use crate::integration::{Integration, IntegrationStatus};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The operation that is led to another one, by its channel.
pub const NOTIFY_OPERATION: &str = "notify.send";

/// By which way: `slack`, or `telegram:ops-bot`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The channel, as manifests name it.
    pub word: String,
    /// The one connection that is meant; none for the default one.
    pub integration: Option<String>,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.integration {
            Some(name) => write!(f, "{}:{name}", self.word),
            None => f.write_str(&self.word),
        }
    }
}

impl FromStr for Channel {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let (word, integration) = match text.split_once(':') {
            Some((word, name)) => (word, Some(name.to_owned())),
            None => (text, None),
        };
        let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        if !is_word || integration.as_ref().is_some_and(String::is_empty) {
            return Err(RouteError::Malformed { text: text.to_owned() });
        }
        Ok(Self { word: word.to_owned(), integration })
    }
}

/// How a provider carries a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// The operation, by its full name.
    pub operation: String,
    /// Whether it is the one that the sandbox takes where several placeholders could.
    pub is_usual: bool,
}

/// Providers by the channel that they carry.
pub type Carriers = BTreeMap<String, BTreeMap<String, Carrier>>;

/// A connection that may carry a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its provider.
    pub provider: String,
    /// How near it is.
    pub standing: Standing,
}

/// How near a connection is to a step that names none. The nearest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It acts for the agent that asks, and for nobody else.
    Own,
    /// The default connection of its provider.
    Default,
    /// The default one, made by the sandbox so that everything works before anything is connected.
    Placeholder,
    /// Only where it is named.
    Named,
}

impl Candidate {
    /// A connection as a candidate on behalf of an agent; none where it is gone.
    pub fn of(integration: &Integration, agent: Option<&str>) -> Option<Self> {
        if integration.status == IntegrationStatus::Disconnected {
            return None;
        }
        let own = agent.is_some_and(|agent| {
            integration.used_in.agents.iter().any(|name| name.as_str() == agent)
        });
        let placeholder = integration.identity.id == "sandbox"
            && integration.identity.tenant == "sandbox"
            && integration.credential_version == 0;
        let standing = match (own, integration.is_default) {
            (true, _) => Standing::Own,
            (false, true) if placeholder => Standing::Placeholder,
            (false, true) => Standing::Default,
            (false, false) => Standing::Named,
        };
        let (name, provider) = (integration.name.clone(), integration.provider.clone());
        Some(Self { name, provider, standing })
    }
}

/// Why a channel leads nowhere. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// It is no channel at all.
    #[error("{text:?} is no channel: write one such as slack, or telegram:NAME of a connection")]
    Malformed {
        /// What was written.
        text: String,
    },
    /// No provider carries it.
    #[error("no provider carries the channel {word}: the channels are {known}")]
    Unknown {
        /// The channel.
        word: String,
        /// Those that there are.
        known: String,
    },
    /// The named connection is not there.
    #[error("there is no connection named {name}: {help}")]
    NotThere {
        /// The name.
        name: String,
        /// What to do.
        help: String,
    },
    /// The named connection carries something else.
    #[error("the connection {name} is of {provider}, which does not carry {word}: {help}")]
    CarriesAnother {
        /// The name.
        name: String,
        /// Its provider.
        provider: String,
        /// The channel.
        word: String,
        /// What to do.
        help: String,
    },
    /// Nobody carries it here.
    #[error(
        "nothing here carries the channel {word}: connect one of {providers} as the default one"
    )]
    Nobody {
        /// The channel.
        word: String,
        /// Who could.
        providers: String,
    },
    /// Several would carry it.
    #[error("the channel {word} could go by {names}: name one, as in {word}:{first}")]
    Several {
        /// The channel.
        word: String,
        /// By which connections.
        names: String,
        /// The first of them.
        first: String,
    },
}

/// The connection that carries the channel, and how.
///
/// # Errors
/// Nobody does, or it is not clear who.
pub fn choose<'c>(
    channel: &Channel,
    carriers: &'c Carriers,
    candidates: &[Candidate],
) -> Result<(String, &'c Carrier), RouteError> {
    let word = channel.word.clone();
    let Some(providers) = carriers.get(&word) else {
        let known = carriers.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(RouteError::Unknown { word, known });
    };
    if let Some(name) = &channel.integration {
        return named((&word, name), providers, candidates);
    }
    let could = |candidate: &&Candidate| providers.contains_key(&candidate.provider);
    let nearest = candidates.iter().filter(could).map(|one| one.standing).min();
    let nearest = nearest.filter(|standing| *standing != Standing::Named);
    let mut near: Vec<&Candidate> = candidates
        .iter()
        .filter(could)
        .filter(|candidate| Some(candidate.standing) == nearest)
        .collect();
    if near.len() > 1 && nearest == Some(Standing::Placeholder) {
        near.retain(|candidate| providers.get(&candidate.provider).is_some_and(|c| c.is_usual));
    }
    match near.as_slice() {
        [one] => Ok((one.name.clone(), &providers[&one.provider])),
        [] => {
            let providers = providers.keys().cloned().collect::<Vec<_>>().join(", ");
            Err(RouteError::Nobody { word, providers })
        }
        [first, ..] => {
            let names: Vec<&str> = near.iter().map(|one| one.name.as_str()).collect();
            let (first, names) = (first.name.clone(), names.join(", "));
            Err(RouteError::Several { word, names, first })
        }
    }
}

fn named<'c>(
    (word, name): (&str, &str),
    providers: &'c BTreeMap<String, Carrier>,
    candidates: &[Candidate],
) -> Result<(String, &'c Carrier), RouteError> {
    let carriers = candidates.iter().filter(|one| providers.contains_key(&one.provider));
    let carriers: Vec<&str> = carriers.map(|one| one.name.as_str()).collect();
    let help = match carriers.as_slice() {
        [] => {
            format!("connect one of {}", providers.keys().cloned().collect::<Vec<_>>().join(", "))
        }
        names => format!("{word} goes by {}", names.join(", ")),
    };
    let Some(found) = candidates.iter().find(|candidate| candidate.name == name) else {
        return Err(RouteError::NotThere { name: name.to_owned(), help });
    };
    match providers.get(&found.provider) {
        Some(carrier) => Ok((found.name.clone(), carrier)),
        None => Err(RouteError::CarriesAnother {
            name: name.to_owned(),
            provider: found.provider.clone(),
            word: word.to_owned(),
            help,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carriers() -> Carriers {
        let carrier = |operation: &str, is_usual| Carrier { operation: operation.into(), is_usual };
        let mail = [
            ("smtp".to_owned(), carrier("smtp.messages.send", true)),
            ("resend".to_owned(), carrier("resend.emails.send", false)),
        ];
        let slack = [("slack".to_owned(), carrier("slack.chat.postMessage", false))];
        [("email".to_owned(), mail.into()), ("slack".to_owned(), slack.into())].into()
    }

    fn candidate(name: &str, provider: &str, standing: Standing) -> Candidate {
        Candidate { name: name.into(), provider: provider.into(), standing }
    }

    fn check(channel: &str, candidates: &[Candidate], expected: &str) {
        let said = channel.parse().and_then(|channel: Channel| {
            choose(&channel, &carriers(), candidates).map(|(name, by)| (name, by.operation.clone()))
        });
        let said = match said {
            Ok((name, operation)) => format!("{name} by {operation}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expected, "{channel}");
    }

    #[test]
    fn a_channel_leads_to_one_connection_or_to_nothing() {
        use Standing::{Default, Named, Own, Placeholder};
        let all = [
            candidate("smtp", "smtp", Placeholder),
            candidate("resend", "resend", Placeholder),
            candidate("team", "slack", Default),
            candidate("bots", "slack", Named),
        ];
        check("slack", &all, "team by slack.chat.postMessage");
        check("slack:bots", &all, "bots by slack.chat.postMessage");
        check("email", &all, "smtp by smtp.messages.send");
        check("email:resend", &all, "resend by resend.emails.send");
        // what is really connected comes before what the sandbox has made, an agent's own before both
        let mail = [all[0].clone(), candidate("mails", "resend", Default)];
        check("email", &mail, "mails by resend.emails.send");
        let own = [mail[1].clone(), candidate("bot-mail", "smtp", Own)];
        check("email", &own, "bot-mail by smtp.messages.send");
    }

    #[test]
    fn a_channel_that_leads_nowhere_says_what_to_do() {
        use Standing::{Default, Named};
        let two = [candidate("a", "resend", Default), candidate("b", "smtp", Default)];
        let slack = [candidate("bots", "slack", Named)];
        for (channel, candidates, expected) in [
            ("email", &two[..], "the channel email could go by a, b: name one, as in email:a"),
            (
                "email",
                &[][..],
                "nothing here carries the channel email: connect one of resend, smtp as the default one",
            ),
            (
                "slack",
                &slack[..],
                "nothing here carries the channel slack: connect one of slack as the default one",
            ),
            (
                "pager",
                &two[..],
                "no provider carries the channel pager: the channels are email, slack",
            ),
            ("slack:nobody", &slack[..], "there is no connection named nobody: slack goes by bots"),
            (
                "slack:a",
                &two[..],
                "the connection a is of resend, which does not carry slack: connect one of slack",
            ),
            (
                "Slack",
                &two[..],
                "\"Slack\" is no channel: write one such as slack, or telegram:NAME of a connection",
            ),
            (
                "slack:",
                &two[..],
                "\"slack:\" is no channel: write one such as slack, or telegram:NAME of a connection",
            ),
        ] {
            check(channel, candidates, expected);
        }
    }
}
