//! What the language has and this engine has not: refused by name, with the level it belongs to.
//!
//! L2 and L3 are "outside the profile"; breadth of L1 that is still to come is "not built yet".
//! Building a construct means taking its line out of here.

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

/// Constructs by the word under which authors know them.
const REFUSED: &[(&str, Why, &str)] = &[
    ("fork", Why::NotBuilt, "write the branches one after the other"),
    ("listen", Why::NotBuilt, "start a workflow of its own when the event comes"),
    ("emit", Why::NotBuilt, "call an adapter operation that sends the event"),
    ("run", Why::NotBuilt, "put the tasks into this workflow"),
    ("run.container", Why::Level3, "call a service over HTTP"),
    ("run.script", Why::Level3, "call a service over HTTP"),
    ("run.shell", Why::Level3, "call a service over HTTP"),
    ("schedule", Why::NotBuilt, "start the workflow with `placet start`"),
    ("catch.retry", Why::NotBuilt, "catch the error and call again in `catch.do`"),
    ("call: openapi", Why::NotBuilt, "use `call: http`"),
    ("call: grpc", Why::Level3, "use `call: http`"),
    ("call: mcp", Why::Level2, "use `call: http`, or an adapter operation"),
    ("call: a2a", Why::Level2, "use `call: http`, or an adapter operation"),
    ("call: asyncapi", Why::Level2, "use `call: http`, or an adapter operation"),
    ("a function of `use.functions`", Why::NotBuilt, "write the task where it is called"),
    ("a call of a catalog", Why::NotBuilt, "name the adapter operation"),
    ("a call of a reserved provider", Why::NotBuilt, "name an operation of `placet adapters list`"),
    ("use.functions", Why::NotBuilt, "write the task where it is called"),
    ("use.catalogs", Why::NotBuilt, "name adapter operations"),
    ("use.extensions", Why::Level2, "write the tasks where they are needed"),
    ("use.retries", Why::NotBuilt, "catch the error and call again in `catch.do`"),
    ("authentication: oauth2", Why::NotBuilt, "use bearer with a token from use.secrets"),
    ("authentication: oidc", Why::NotBuilt, "use bearer with a token from use.secrets"),
    ("authentication: digest", Why::NotBuilt, "use basic or bearer"),
    ("basic: { use }", Why::NotBuilt, "give username and password as '${ $secrets.NAME }'"),
    ("schema.resource", Why::NotBuilt, "write the schema under `document`"),
    ("an expression in a timeout", Why::NotBuilt, "write the duration out"),
    ("approval: none", Why::NotBuilt, "every write asks; there are no standing grants yet"),
    ("approval.policy", Why::NotBuilt, "put the rule into policy.yaml with a `match`"),
    ("approval.escalate", Why::NotBuilt, "name the approvers"),
    ("approval.remind", Why::NotBuilt, "watch the inbox with `placet inbox watch`"),
    ("an expression for approvers", Why::NotBuilt, "name the approvers"),
    ("$authorization", Why::NotBuilt, "use `endpoint.authentication`"),
    ("$secrets in a request", Why::NotBuilt, "use `endpoint.authentication` with basic or bearer"),
];

impl Reader<'_> {
    /// Refuses `construct`, which must stand in the table; `span` is where it is written.
    pub(super) fn outside(&mut self, construct: &str, span: Span) {
        let known = REFUSED.iter().find(|(name, _, _)| *name == construct);
        let (why, help) = known.map_or((Why::NotBuilt, ""), |(_, why, help)| (*why, *help));
        let quote =
            if construct.contains('`') || construct.contains(' ') && !construct.contains(':') {
                construct.to_owned()
            } else {
                format!("`{construct}`")
            };
        let message = match why {
            Why::NotBuilt => format!("{quote} is not built yet"),
            Why::Level2 => format!("{quote} is outside the profile (level L2 is not enabled)"),
            Why::Level3 => format!("{quote} is outside the profile (level L3 is never run)"),
        };
        self.report(codes::OUTSIDE, span, message, help);
    }
}
