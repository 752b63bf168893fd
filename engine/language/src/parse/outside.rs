//! What the language has and this engine has not: refused by name, with the level it belongs to.
//!
//! Two tables. [`REFUSED`] holds what is not parsed: L2 and L3 are "outside the profile", the rest
//! is "not built yet". [`NOT_BUILT`] holds what is parsed, checked and lowered into the plan and that
//! the engine cannot perform: it is refused after everything else has been said about the document.
//! Building such a construct means deleting its row.

use super::reader::Reader;
use crate::codes;
use crate::source::Span;

/// Why a construct is refused.
#[derive(Clone, Copy, Debug)]
enum Why {
    /// In the profile, still to come.
    NotBuilt,
    /// Of level L2, which is off.
    Level2,
    /// Of level L3, which is never built.
    Level3,
}

/// Whether a check refuses what is parsed and not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refuse {
    /// What [`NOT_BUILT`] holds.
    NotBuilt,
    /// Nothing, as if that table were empty.
    #[cfg(test)]
    Nothing,
}

/// Constructs that are not parsed, by the word under which authors know them.
const REFUSED: &[(&str, Why, &str)] = &[
    ("run.container", Why::Level3, "call a service over HTTP"),
    ("run.script", Why::Level3, "call a service over HTTP"),
    ("run.shell", Why::Level3, "call a service over HTTP"),
    ("call: grpc", Why::Level3, "use `call: http`"),
    ("call: mcp", Why::Level2, "use `call: http`, or an adapter operation"),
    ("call: a2a", Why::Level2, "use `call: http`, or an adapter operation"),
    ("call: asyncapi", Why::Level2, "use `call: http`, or an adapter operation"),
    ("a call of a reserved provider", Why::NotBuilt, "name an operation of `placet adapters list`"),
    ("use.extensions", Why::Level2, "write the tasks where they are needed"),
    ("authentication: digest", Why::NotBuilt, "use basic or bearer"),
    ("a remote catalog", Why::Level3, "copy the functions into a folder of the project"),
];

/// Constructs that are parsed and cannot be performed yet.
const NOT_BUILT: &[(&str, &str)] = &[
    (
        "approval: none",
        "a standing approval in policy.yaml is used by itself; the author cannot waive the gate",
    ),
    (
        "an expression for approvers",
        "name the approvers; rules in policy.yaml may match on content",
    ),
];

impl Reader<'_> {
    /// Refuses `construct`, which must stand in the table; `span` is where it is written.
    pub(super) fn outside(&mut self, construct: &str, span: Span) {
        let known = REFUSED.iter().find(|(name, _, _)| *name == construct);
        let (why, help) = known.map_or((Why::NotBuilt, ""), |(_, why, help)| (*why, *help));
        self.refuse(construct, why, help, span);
    }

    /// Notes that `construct` is used; whether it can be performed is said at the end.
    pub(super) fn later(&mut self, construct: &'static str, span: Span) {
        self.pending.push((construct, span));
    }

    /// Refuses what was noted and is not built.
    pub(super) fn refuse_later(&mut self, refuse: Refuse) {
        for (construct, span) in std::mem::take(&mut self.pending) {
            let row = NOT_BUILT.iter().find(|(name, _)| *name == construct);
            if let Some((_, help)) = row.filter(|_| refuse == Refuse::NotBuilt) {
                self.refuse(construct, Why::NotBuilt, help, span);
            }
        }
    }

    fn refuse(&mut self, construct: &str, why: Why, help: &str, span: Span) {
        self.report(codes::OUTSIDE, span, words(construct, why), help);
    }
}

/// What a refusal says.
fn words(construct: &str, why: Why) -> String {
    let quoted = construct.contains('`') || construct.contains(' ') && !construct.contains(':');
    let quote = if quoted { construct.to_owned() } else { format!("`{construct}`") };
    match why {
        Why::NotBuilt => format!("{quote} is not built yet"),
        Why::Level2 => format!("{quote} is outside the profile (level L2 is not enabled)"),
        Why::Level3 => format!("{quote} is outside the profile (level L3 is never run)"),
    }
}

/// Every construct with a row, as a refusal says it: first what is parsed, then what is not.
#[cfg(test)]
pub(super) fn rows() -> (Vec<String>, Vec<String>) {
    let parsed = NOT_BUILT.iter().map(|(name, _)| words(name, Why::NotBuilt)).collect();
    let unread = REFUSED.iter().map(|(name, why, _)| words(name, *why)).collect();
    (parsed, unread)
}
