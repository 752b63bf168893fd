//! What a policy settles beforehand: votes given in advance, who stands in for whom, and who may
//! send alone in an emergency.

use super::Match;
use crate::decision::Assurance;
use crate::{Digest, Principal, Timestamp, canonical};
use serde::{Deserialize, Serialize};

/// A vote given in advance: narrow, expiring, counted. It stands for the people who have given it,
/// and settles a request only where their votes are enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Name for people, unique in the policy; uses are counted under it.
    pub name: String,
    /// What it covers; it names an operation and something narrower.
    #[serde(rename = "match")]
    pub matches: Match,
    /// It ends here.
    pub until: Timestamp,
    /// Uses on one day (UTC) at most.
    pub max_per_day: u32,
}

impl Standing {
    /// What is given when it is given: another wording is another standing approval.
    ///
    /// # Panics
    /// Never: it is plain JSON with small integers.
    pub fn digest(&self) -> Digest {
        let document = serde_json::to_value(self).expect("a standing approval is plain JSON");
        Digest::of(&canonical::to_bytes(&document).expect("it holds small integers only"))
    }
}

/// One person votes in the place of another for some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// Who is away.
    pub from: Principal,
    /// Who stands in.
    pub to: Principal,
    /// From here on …
    pub since: Timestamp,
    /// … until before here.
    pub until: Timestamp,
}

impl Delegation {
    /// Whether it holds at this moment.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.since <= now && now < self.until
    }
}

/// Who may send alone in an emergency: loud, with a reason, and reviewed afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// Users and groups.
    pub who: Vec<Principal>,
    /// How sure it must be who does it.
    pub assurance: Assurance,
    /// Who looks at it afterwards: users and groups other than who did it.
    pub review: Vec<Principal>,
}
