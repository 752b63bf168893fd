//! Every subject, header and stream name that leaves through NATS, in one place, and the check of what may stand in one.
//!
//! A name that comes from outside becomes a [`Token`] before it is part of a subject: a dot or a wildcard in it would
//! reach other people's subjects.

use std::fmt;

use placet_model::RunId;

use crate::inbox::Verb;
use crate::words::Word;

/// Header: place of the event in the log, in decimal.
pub const HEADER_POSITION: &str = "Placet-Seq";
/// The epoch of an event, from the second on: the log was restored or copied, and what an earlier epoch says of later
/// positions is given up. The event that begins an epoch is `EpochStarted`.
pub const HEADER_EPOCH: &str = "Placet-Epoch";
/// Header: the caller's request id; the same id gets the same answer.
pub const HEADER_REQUEST_ID: &str = "Placet-Request-Id";
/// Header of the server: message id, here `<log>:<position>`.
pub const HEADER_MESSAGE_ID: &str = "Nats-Msg-Id";
/// Header of the server: id of an atomic batch, at most 64 characters.
pub const HEADER_BATCH_ID: &str = "Nats-Batch-Id";
/// Header of the server: place in the batch, from 1.
pub const HEADER_BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
/// Header of the server: `1` on the message that ends and commits the batch.
pub const HEADER_BATCH_COMMIT: &str = "Nats-Batch-Commit";
/// Header of the server: sequence of the last message that the writer knows.
pub const HEADER_EXPECTED_SEQUENCE: &str = "Nats-Expected-Last-Subject-Sequence";
/// Header of the server: the subject filter that the expectation is about.
pub const HEADER_EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
/// Header of the service API: text of an error.
pub const HEADER_SERVICE_ERROR: &str = "Nats-Service-Error";
/// Header of the service API: number of an error; for us the digits of the `PL####` code.
pub const HEADER_SERVICE_ERROR_CODE: &str = "Nats-Service-Error-Code";

/// Header of the server: who asked, across a service import with `share: true`.
pub const HEADER_REQUEST_INFO: &str = "Nats-Request-Info";
/// What the reply subject of a request begins with that came through a service import: the server takes it from
/// nobody else.
pub const IMPORTED_REPLY: &str = "_R_.";
/// The servers' own answer on their `JetStream`, where the engine's account may ask for it.
pub(crate) const SERVER_JETSTREAM: &str = "$SYS.REQ.SERVER.PING.JSZ";

/// Name of the inbox service.
pub const SERVICE: &str = "placet-inbox";
/// Queue group of the inbox service.
pub const QUEUE_GROUP: &str = "q";

/// Subject of every request to an inbox: `placet.v1.inbox.<user>.<verb>`.
pub const INBOX_LIST: &str = "placet.v1.inbox.*.list";
/// As [`INBOX_LIST`].
pub const INBOX_GET: &str = "placet.v1.inbox.*.get";
/// An agent asks for one action: `placet.v1.act.<agent>`.
pub const ACT: &str = "placet.v1.act.*";
/// An agent takes back what it has asked for: `placet.v1.act.<agent>.withdraw`.
pub const ACT_WITHDRAW: &str = "placet.v1.act.*.withdraw";

/// As [`INBOX_LIST`].
pub const INBOX_STATS: &str = "placet.v1.inbox.*.stats";
/// As [`INBOX_LIST`].
pub const INBOX_DECIDE: &str = "placet.v1.inbox.*.decide";

const TOKEN_BYTES_MAX: usize = 128;

/// One part of a subject: printable ASCII without dots and wildcards, 1 to 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(String);

/// Text that may not stand in a subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} cannot stand in a NATS subject: 1 to 128 printable ASCII characters without '.', '*' and '>'"
)]
pub struct ParseTokenError {
    text: String,
}

impl Token {
    /// Checks one part of a subject.
    ///
    /// # Errors
    /// When it is empty or too long, or holds a dot, a wildcard, white space, a control or a non-ASCII character.
    pub fn parse(text: &str) -> Result<Self, ParseTokenError> {
        let good = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'.' | b'*' | b'>');
        if !text.is_empty() && text.len() <= TOKEN_BYTES_MAX && text.bytes().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseTokenError { text: text.to_owned() })
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The `JetStream` stream of a project's events. `/` and `\` have no place in a stream's name and become `_`.
pub fn event_stream(project: &Token) -> String {
    format!("PLACET_EV_{}", project.as_str().replace(['/', '\\'], "_"))
}

/// Where one kind of event of a project is published.
pub fn event(project: &Token, kind: &Token) -> String {
    format!("placet.v1.ev.{project}.{kind}")
}

/// All events of a project.
pub fn events(project: &Token) -> String {
    format!("placet.v1.ev.{project}.>")
}

/// Where one request of a user goes: what stands for the `*` of [`INBOX_LIST`] and its like.
pub fn inbox_request(user: &Token, verb: Verb) -> String {
    let pattern = match verb {
        Verb::List => INBOX_LIST,
        Verb::Get => INBOX_GET,
        Verb::Decide => INBOX_DECIDE,
        Verb::Stats => INBOX_STATS,
        Verb::Act => ACT,
        Verb::Withdraw => ACT_WITHDRAW,
        Verb::Integrations(word) => return integrations(user.as_str(), word),
    };
    pattern.replace('*', user.as_str())
}

/// Where a word of a connection's life is asked for: `placet.v1.integrations.<user>.<word>`.
pub fn integrations(user: &str, word: Word) -> String {
    format!("placet.v1.integrations.{user}.{}", word.text())
}

/// Where an operator is told that a connection has come to stand otherwise.
pub fn integrations_event(user: &Token) -> String {
    format!("placet.v1.integrations.{user}.event")
}

/// Where a user is told that their inbox changed.
pub fn inbox_event(user: &Token) -> String {
    format!("placet.v1.inbox.{user}.event")
}

/// Where what happens in a run is told live: a hint, never a fact.
pub fn trace(project: &Token, run: RunId) -> String {
    format!("placet.v1.trace.{project}.{run}")
}

/// The user of a subject on which something is asked for: the fourth part.
pub fn inbox_user(subject: &str) -> Option<&str> {
    let kinds = ["placet.v1.inbox.", "placet.v1.act.", "placet.v1.integrations."];
    kinds.iter().find_map(|kind| subject.strip_prefix(kind))?.split('.').next()
}

/// Where an agent is told what has become of what it asked for.
pub fn act_event(agent: &Token) -> String {
    format!("placet.v1.act.{agent}.event")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_cannot_reach_another_subject() {
        let long = "x".repeat(129);
        let bad = [
            "",
            ".",
            "a.b",
            "*",
            "a*",
            ">",
            "ana.>",
            " ",
            "a b",
            "a\tb",
            "a\r\nPUB x 0",
            "a\nb",
            "a\0b",
            "\u{7f}",
            "ä",
            "\u{200b}",
            "\u{202e}ana",
            "ana\u{a0}",
            &long,
        ];
        for text in bad {
            assert!(Token::parse(text).is_err(), "{text:?}");
        }
        for text in ["ana", "acme", "acme_eu-1", "DecisionSettled", "0"] {
            assert_eq!(Token::parse(text).map(|token| token.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn names_are_those_of_the_contract() {
        let token = |text| Token::parse(text).unwrap();
        let (project, kind, user) = (token("acme"), token("VoteCast"), token("ana"));
        assert_eq!(event(&project, &kind), "placet.v1.ev.acme.VoteCast");
        assert_eq!(events(&project), "placet.v1.ev.acme.>");
        assert_eq!(event_stream(&project), "PLACET_EV_acme");
        assert_eq!(inbox_event(&user), "placet.v1.inbox.ana.event");
        assert_eq!(inbox_request(&user, Verb::Decide), "placet.v1.inbox.ana.decide");
        assert_eq!(inbox_user("placet.v1.inbox.ana.decide"), Some("ana"));
        assert_eq!(inbox_user("placet.v1.ev.acme.VoteCast"), None);
    }
}
