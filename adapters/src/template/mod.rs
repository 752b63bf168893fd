//! Templates: the only logic of a manifest. `{input./text}`, `{target.channel?}`, `{config.url}`,
//! `{send_id}`, `{secret:token}` … and alternatives `{a|b}`; nothing is ever computed.

mod eval;
mod parse;
mod value;

pub use eval::Error as EvalError;
pub(crate) use eval::{Scope, Segment};
pub(crate) use parse::Error as ParseError;
pub(crate) use value::ValueTemplate;

use crate::pointer::Pointer;

/// A checked text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) parts: Vec<Part>,
}

/// One stretch of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Place(Placeholder),
}

/// `{a|b?}`: the first name that is present; absent drops the key or refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placeholder {
    pub(crate) names: Vec<Name>,
    pub(crate) absent: Absent,
}

/// What happens when none of a placeholder's names is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    Refuse,
    Drop,
}

/// Whether this is a moment before an attempt.
pub(crate) const fn is_moment(name: &Name) -> bool {
    matches!(name, Name::SentAtMinus(_) | Name::SentAtMinusIso(_))
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// `{input./ptr}`: the evaluated `with`. With a `*` in it, the list of what stands there.
    Input(Pointer),
    /// `{/ptr}`: the response, in `result` and `identity` only.
    Response(Pointer),
    /// `{header:name}`: a header of the response, where its body may stand.
    ResponseHeader(String),
    /// `{target}`: the target's text form.
    Target,
    /// `{target.name}`: one named part of it.
    TargetPart(String),
    /// `{config.name}`: a setting of the integration.
    Config(String),
    SendId,
    /// `{send_uuid}`: the send id as a UUID.
    SendUuid,
    /// `{send_b32hex}`: the send id in lower-case base32hex.
    SendBase32Hex,
    /// `{draft.time}`: log time of the draft revision, RFC 3339.
    DraftTime,
    /// `{sent_at_minus:S}`: seconds before the attempt, in reconcile look-ups only.
    SentAtMinus(u32),
    /// `{sent_at_minus_iso:S}`: the same moment as RFC 3339, to the second.
    SentAtMinusIso(u32),
    /// `{api_version}`: the version that the manifest pins.
    ApiVersion,
    /// `{mode}`: of the credential, on cards and in labels only.
    Mode,
    /// `{money}`: the amount in words, on cards only.
    Money,
    /// `{lookup./ptr}`: what the read before the approval has found, on cards only.
    Lookup(Pointer),
    /// `{page.cursor}`: where the next page begins.
    PageCursor,
    /// `{secret:name}`: a named hole.
    Secret(String),
    /// `{secret_user:name}`: a hole that is the name in a login, `name:password`.
    SecretUser(String),
    /// `{secret_password:name}`: a hole that is its password.
    SecretPassword(String),
    /// `{attempt.timestamp}`: a hole.
    AttemptTimestamp,
    /// `{attempt.signature}`: a hole.
    AttemptSignature,
}

impl Name {
    /// Whether the name stays open until the bytes leave.
    pub(crate) const fn is_hole(&self) -> bool {
        matches!(
            self,
            Self::Secret(_)
                | Self::SecretUser(_)
                | Self::SecretPassword(_)
                | Self::AttemptTimestamp
                | Self::AttemptSignature
        )
    }
}

impl Template {
    /// # Errors
    /// An unclosed brace, an unknown name, a hole among alternatives.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        parse::template(text)
    }

    /// Whether nothing is left to fill in.
    pub(crate) fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.parts.iter().flat_map(|part| match part {
            Part::Place(place) => place.names.as_slice(),
            Part::Text(_) => &[],
        })
    }

    pub(crate) fn has_hole(&self) -> bool {
        self.names().any(Name::is_hole)
    }

    /// The one placeholder that this template is, if it is nothing else: its value keeps its type.
    pub(crate) fn whole(&self) -> Option<&Placeholder> {
        match self.parts.as_slice() {
            [Part::Place(place)] => Some(place),
            _ => None,
        }
    }
}
