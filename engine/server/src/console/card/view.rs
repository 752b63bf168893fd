//! The card, read from what the inbox answers.

use crate::console::text::{Block, Line};
use placet_model::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// What a page shows of a card; the request itself is [`super::content::Content`].
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Card {
    pub(in crate::console) id: String,
    pub(super) run: String,
    pub(super) workflow: Line,
    pub(super) task: Line,
    pub(in crate::console) operation: Line,
    pub(super) effect: String,
    pub(super) mode: String,
    pub(super) target: Option<Line>,
    pub(in crate::console) summary: Line,
    pub(super) money: Option<Money>,
    pub(super) requested_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(in crate::console) revision: u64,
    pub(in crate::console) digest: String,
    pub(in crate::console) state: String,
    #[serde(default)]
    pub(super) missing: Vec<Line>,
    pub(super) hold: Option<Line>,
    #[serde(default)]
    pub(super) assigned: Vec<Line>,
    #[serde(default)]
    pub(super) out_of_reach: Vec<Line>,
    #[serde(default)]
    pub(super) routed: Option<Routed>,
    pub(super) reversibility: Line,
    pub(super) identity: Option<Identity>,
    pub(in crate::console) requester: String,
    #[serde(default)]
    pub(in crate::console) fields: Vec<Field>,
    #[serde(default)]
    pub(super) warnings: Vec<Line>,
    #[serde(default)]
    pub(super) remarks: Vec<Remark>,
    pub(super) policy: Policy,
    pub(super) on_no: Line,
    #[serde(default)]
    pub(super) votes: Vec<Cast>,
    #[serde(default)]
    pub(super) changes: Option<Changes>,
    #[serde(default)]
    pub(super) history: Vec<Past>,
    #[serde(default)]
    pub(super) in_doubt: Option<Doubt>,
    #[serde(default)]
    pub(super) void: Option<Void>,
    pub(super) sign: Sign,
}

#[derive(Debug, Deserialize)]
pub(super) struct Money {
    pub(super) words: Line,
    pub(super) direction: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Routed {
    pub(super) operation: Line,
    #[serde(default)]
    pub(super) channel: Option<Line>,
}

/// Whose account it is, from what the approval binds.
#[derive(Debug, Deserialize)]
pub(super) struct Identity {
    #[serde(default)]
    pub(super) id: Option<Line>,
    #[serde(default)]
    pub(super) tenant: Option<Line>,
    #[serde(default)]
    pub(super) integration: Option<Line>,
    #[serde(default)]
    pub(super) label: Option<Line>,
    pub(super) status: Line,
    #[serde(default)]
    pub(super) mode: Option<Line>,
}

/// A value that the provider's manifest names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(in crate::console) struct Field {
    pub(in crate::console) name: Line,
    pub(in crate::console) value: Block,
}

/// What an eye would miss in the bytes.
#[derive(Debug, Deserialize)]
pub(super) struct Remark {
    pub(super) kind: Line,
    pub(super) at: Line,
    pub(super) detail: Block,
}

/// The requirement in words.
#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    #[serde(default)]
    pub(super) rules: Vec<Line>,
    #[serde(default)]
    pub(super) needed: Vec<Line>,
    pub(super) reason_required: String,
    pub(super) self_approval: String,
    #[serde(default)]
    pub(super) assurance: Option<Line>,
    #[serde(default)]
    pub(super) notes: Vec<Line>,
    #[serde(default)]
    pub(super) escalations: Vec<Escalation>,
    #[serde(default)]
    pub(super) standing: Option<Standing>,
    #[serde(default)]
    pub(super) delegated: Vec<Delegated>,
}

impl Policy {
    /// Whether this verdict needs a reason.
    pub(super) fn wants_reason(&self, verdict: &str) -> bool {
        match self.reason_required.as_str() {
            "always" => true,
            "never" => false,
            _ => verdict == "reject",
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Escalation {
    pub(super) after: Line,
    #[serde(default)]
    pub(super) to: Vec<Line>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Standing {
    pub(super) name: Line,
}

#[derive(Debug, Deserialize)]
pub(super) struct Delegated {
    pub(super) voter: Line,
    #[serde(default)]
    pub(super) instead_of: Vec<Line>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cast {
    pub(super) voter: Line,
    pub(super) verdict: Line,
    pub(super) at: Timestamp,
    pub(super) assurance: Line,
    #[serde(default)]
    pub(super) reason: Option<Block>,
}

/// What differs from the revision before.
#[derive(Debug, Deserialize)]
pub(super) struct Changes {
    pub(super) revision: u64,
    #[serde(default)]
    pub(super) editor: Option<Line>,
    #[serde(default)]
    pub(super) with: Vec<Change>,
    #[serde(default)]
    pub(super) more: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Change {
    pub(super) path: Line,
    #[serde(rename = "change")]
    pub(super) kind: Line,
    /// As JSON, so that a number and a text that looks like it differ.
    #[serde(default)]
    old: Option<Value>,
    #[serde(default)]
    new: Option<Value>,
}

impl Change {
    pub(super) fn was(&self) -> Option<Block> {
        self.old.as_ref().map(|old| Block::new(&old.to_string()))
    }

    pub(super) fn is(&self) -> Option<Block> {
        self.new.as_ref().map(|new| Block::new(&new.to_string()))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Past {
    pub(super) position: u64,
    pub(super) at: Timestamp,
    #[serde(rename = "type")]
    pub(super) kind: Line,
    pub(super) actor: Line,
}

#[derive(Debug, Deserialize)]
pub(super) struct Doubt {
    pub(super) words: Block,
    pub(super) since: Timestamp,
    #[serde(default)]
    pub(super) evidence: Option<Evidence>,
    #[serde(default)]
    pub(super) lookups: Vec<LookedUp>,
    #[serde(default)]
    pub(super) next_lookup_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Evidence {
    #[serde(default)]
    pub(super) tries: Vec<Timestamp>,
    #[serde(default)]
    pub(super) status: Option<u64>,
    #[serde(default)]
    pub(super) detail: Option<Block>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LookedUp {
    pub(super) at: Timestamp,
    pub(super) words: Line,
    #[serde(default)]
    pub(super) detail: Option<Block>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Void {
    pub(super) reason: Block,
    #[serde(default)]
    pub(super) field: Option<Block>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sign {
    /// Whether only signed votes are taken.
    pub(super) required: bool,
    /// Those of whoever looks, confirmed and in force.
    #[serde(default)]
    pub(super) passkeys: Vec<String>,
}
