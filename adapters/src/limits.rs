//! What a provider allows within a time, and which budget a call counts in. Pure: who keeps count,
//! and waits, is the executor.
//!
//! A budget is the provider's, not a step's: calls of all runs that name the same key share it.
//! Limits are outside of an operation's digest, so a better figure voids no approval.

use crate::manifest::Operation;
use crate::target::Target;
use placet_model::integration::{Identity, Integration};
use std::fmt;
use std::time::Duration;

/// One limit of an operation, with what a call of it weighs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Which entry of the manifest's `limits`: operations that share an entry share its budget.
    pub(crate) entry: usize,
    pub(crate) scope: LimitScope,
    pub(crate) rate: u32,
    pub(crate) window: Duration,
    pub(crate) weight: u32,
    /// Only for credentials of this mode (`auth.mode_from`).
    pub(crate) mode: Option<String>,
}

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitScope {
    /// The account that the connection acts as, whichever connection is used.
    Account,
    /// One destination of the account: this part of the target.
    Channel(String),
    /// One operation of the account.
    Method,
    /// One connection's credential.
    User,
}

impl LimitScope {
    /// The manifest's word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Channel(_) => "channel",
            Self::Method => "method",
            Self::User => "user",
        }
    }
}

impl Limit {
    /// The time that the rate is of.
    pub const fn window(&self) -> Duration {
        self.window
    }
}

impl fmt::Display for Limit {
    /// `1 in 1 s per channel`, for tables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} s per {}", self.rate, self.window.as_secs(), self.scope.word())?;
        if self.weight != 1 {
            write!(f, ", counts {}", self.weight)?;
        }
        match &self.mode {
            Some(mode) => write!(f, ", {mode} keys"),
            None => Ok(()),
        }
    }
}

/// What a call takes of one budget. `rate` 0 stands for a budget whose size nobody declares: it can
/// only be held back by the provider's own answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Calls with the same key share the budget.
    pub key: String,
    pub rate: u32,
    pub window: Duration,
    pub weight: u32,
}

/// As whom, and to whom, a call goes.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    pub integration: &'a Integration,
    pub target: Option<&'a Target>,
}

impl Operation {
    /// What the provider allows of it within a time, in the manifest's order.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Whether a budget depends on the destination.
    pub fn limits_by_target(&self) -> bool {
        self.limits.iter().any(|limit| matches!(limit.scope, LimitScope::Channel(_)))
    }

    /// The mode that an identity is bound in, where the provider has more than one.
    pub fn mode_of<'i>(&self, identity: &'i Identity) -> Option<&'i str> {
        identity.mode().filter(|mode| self.modes.iter().any(|known| known == mode))
    }

    /// The budgets that a call counts in: at least one, so that a provider that says "wait" can hold
    /// back the next call. A mode that is not known counts in the limits of every mode.
    pub fn charges(&self, caller: Caller<'_>) -> Vec<Charge> {
        let mode = self.mode_of(&caller.integration.identity);
        let counts = |limit: &&Limit| match (&limit.mode, mode) {
            (Some(wanted), Some(known)) => wanted == known,
            _ => true,
        };
        let mut charges: Vec<_> = self
            .limits
            .iter()
            .filter(counts)
            .map(|limit| Charge {
                key: key((self, limit), caller),
                rate: limit.rate,
                window: limit.window,
                weight: limit.weight,
            })
            .collect();
        if charges.is_empty() {
            let key = format!("{}/-/{}", self.provider, account(&caller.integration.identity));
            charges.push(Charge { key, rate: 0, window: Duration::ZERO, weight: 0 });
        }
        charges
    }
}

/// Equal for the calls that share the budget. Never printed: a target can be a person's address.
fn key((operation, limit): (&Operation, &Limit), caller: Caller<'_>) -> String {
    let account = account(&caller.integration.identity);
    let whose = match &limit.scope {
        LimitScope::Account => account,
        LimitScope::User => caller.integration.id.to_string(),
        LimitScope::Method => format!("{account}/{}", operation.name),
        // without a destination all share one: rather too slow than too fast
        LimitScope::Channel(part) => {
            let channel = caller.target.and_then(|target| target.part(part)).unwrap_or_default();
            format!("{account}/{channel}")
        }
    };
    format!("{}/{}/{whose}", operation.provider, limit.entry)
}

fn account(identity: &Identity) -> String {
    format!("{}\u{1f}{}", identity.tenant, identity.id)
}
