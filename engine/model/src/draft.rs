//! Drafts: proposed actions, and the document whose digest an approval binds (GATE.md §2).

use crate::approval::Requirement;
use crate::integration::Identity;
use crate::wire::wire_enum;
use crate::{Digest, Duration, IntegrationId, Iteration, RunId, TaskPath, canonical};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// Whether a run can reach the world. A run never changes its mode, and the mode is bound.
    Mode {
        /// Nothing leaves; answers come from schemas.
        Sandbox = 1 "sandbox",
        /// Approved bytes leave.
        Live = 2 "live",
    }
}

wire_enum! {
    /// The fields of a draft document, by the names used in refusals.
    BoundField {
        /// Form of the document.
        Version = 1 "v",
        /// Project.
        Project = 2 "project",
        /// Sandbox or live.
        Mode = 3 "mode",
        /// Run.
        Run = 4 "run",
        /// Task.
        Task = 5 "task",
        /// Iteration.
        Iteration = 6 "iteration",
        /// Draft revision.
        Revision = 7 "revision",
        /// Send id.
        SendId = 8 "send_id",
        /// Plan.
        PlanDigest = 9 "plan_digest",
        /// Operation name.
        Operation = 10 "operation",
        /// Semantic part of the operation.
        OperationDigest = 11 "operation_digest",
        /// Integration.
        Integration = 12 "integration",
        /// Settings of the integration.
        SettingsDigest = 13 "settings_digest",
        /// Account it acts as.
        Identity = 14 "identity",
        /// The bytes.
        RequestDigest = 15 "request_digest",
        /// The rules in force when it was asked.
        Requirement = 16 "requirement",
        /// Time to decide.
        ValidFor = 17 "valid_for",
        /// Nonce.
        Nonce = 18 "nonce",
    }
}

/// The integration part of a draft; absent where a call uses none (`call: http`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundIntegration {
    /// Which integration.
    pub id: IntegrationId,
    /// Its settings.
    pub settings_digest: Digest,
    /// "Whose mailbox".
    pub identity: Identity,
}

/// The document that an approval binds. The engine alone makes it; its digest is SHA-256 of its
/// RFC 8785 form. Every member stands in it even when it is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftDocument {
    /// Form of the document, `1`.
    pub v: u32,
    /// Project name.
    pub project: String,
    /// Sandbox or live.
    pub mode: Mode,
    /// Run.
    pub run: RunId,
    /// Task.
    pub task: TaskPath,
    /// Iteration.
    pub iteration: Iteration,
    /// Draft revision of the action, from 1; counts on across the workflow's retries.
    pub revision: u32,
    /// Minted with the revision; part of the bytes.
    pub send_id: String,
    /// The run's pinned plan.
    pub plan_digest: Digest,
    /// Operation name.
    pub operation: String,
    /// Semantic part of the operation.
    pub operation_digest: Digest,
    /// Integration, settings and identity.
    pub integration: Option<BoundIntegration>,
    /// The bytes.
    pub request_digest: Digest,
    /// The rules in force when it was asked.
    pub requirement: Requirement,
    /// Time to decide.
    pub valid_for: Duration,
    /// 128 random bits, lower-case hex.
    pub nonce: String,
}

impl DraftDocument {
    /// The `draft_digest`.
    ///
    /// # Panics
    /// Never: the document is plain JSON with small integers.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// The canonical bytes that are stored and digested.
    ///
    /// # Panics
    /// Never: the document is plain JSON with small integers.
    pub fn to_bytes(&self) -> Vec<u8> {
        let document = serde_json::to_value(self).expect("a draft document is plain JSON");
        canonical::to_bytes(&document).expect("a draft document holds small integers only")
    }

    /// The first field in which the two documents differ.
    pub fn difference(&self, other: &Self) -> Option<BoundField> {
        use BoundField as F;
        let (mine, theirs) = (self.integration.as_ref(), other.integration.as_ref());
        let checks = [
            (F::Version, self.v == other.v),
            (F::Project, self.project == other.project),
            (F::Mode, self.mode == other.mode),
            (F::Run, self.run == other.run),
            (F::Task, self.task == other.task),
            (F::Iteration, self.iteration == other.iteration),
            (F::Revision, self.revision == other.revision),
            (F::SendId, self.send_id == other.send_id),
            (F::PlanDigest, self.plan_digest == other.plan_digest),
            (F::Operation, self.operation == other.operation),
            (F::OperationDigest, self.operation_digest == other.operation_digest),
            (F::Integration, mine.map(|i| i.id) == theirs.map(|i| i.id)),
            (
                F::SettingsDigest,
                mine.map(|i| i.settings_digest) == theirs.map(|i| i.settings_digest),
            ),
            (F::Identity, mine.map(|i| &i.identity) == theirs.map(|i| &i.identity)),
            (F::RequestDigest, self.request_digest == other.request_digest),
            (F::Requirement, self.requirement == other.requirement),
            (F::ValidFor, self.valid_for == other.valid_for),
            (F::Nonce, self.nonce == other.nonce),
        ];
        checks.into_iter().find_map(|(field, equal)| (!equal).then_some(field))
    }
}

/// The send id of a draft revision: `base32(SHA-256(install | action | revision))[..40]`, lower
/// case (send-attempts rules, 4). A restored backup yields the same id, so that a provider that
/// deduplicates still does.
pub fn send_id(install_id: &str, action: &ActionId<'_>, revision: u32) -> String {
    const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let text =
        format!("{install_id}|{}|{}|{}|{revision}", action.run, action.task, action.iteration);
    let digest = Digest::of(text.as_bytes());
    let mut bits = 0u32;
    let mut held = 0u32;
    let mut id = String::with_capacity(40);
    for byte in digest.as_bytes().iter().take(25) {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            id.push(char::from(BASE32[(bits >> held & 31) as usize]));
        }
    }
    id
}

/// One action of one run: what drafts, decisions and attempts are about.
#[derive(Debug, Clone, Copy)]
pub struct ActionId<'a> {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: &'a TaskPath,
    /// Its iteration.
    pub iteration: &'a Iteration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_id_is_forty_base32_letters_and_differs_per_revision() {
        let (task, iteration) = (TaskPath::root().child("do", 0, "send"), Iteration::none());
        let run = RunId::from_bytes([7; 16]);
        let action = ActionId { run, task: &task, iteration: &iteration };
        let first = send_id("install", &action, 1);
        assert_eq!(first.len(), 40);
        assert!(first.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b)));
        assert_eq!(first, send_id("install", &action, 1));
        assert_ne!(first, send_id("install", &action, 2));
        assert_ne!(first, send_id("other", &action, 1));
    }
}
