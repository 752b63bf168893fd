//! Whether what an operation does can be taken back, and by which operation: declared, never guessed.
//! What a manifest does not say cannot be undone.

use crate::manifest::{Manifest, Operation};
use placet_model::manifest::Effect;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether what an operation does can be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reversibility {
    /// It changes nothing.
    Nothing,
    /// This operation (full name) brings back what was before.
    Reversible {
        by: String,
    },
    /// This operation (full name) makes up for it; what happened stays visible.
    Compensable {
        by: String,
    },
    Irreversible,
}

/// The manifest's word for what the other operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UndoKind {
    Reversible,
    Compensable,
}

/// The `undo` of a manifest, checked: `by` is a full name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undo {
    pub(crate) kind: UndoKind,
    pub(crate) by: String,
}

impl Reversibility {
    /// One word, for machines.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Reversible { .. } => "reversible",
            Self::Compensable { .. } => "compensable",
            Self::Irreversible => "irreversible",
        }
    }

    /// The operation that takes it back, or makes up for it.
    pub fn by(&self) -> Option<&str> {
        match self {
            Self::Reversible { by } | Self::Compensable { by } => Some(by),
            Self::Nothing | Self::Irreversible => None,
        }
    }
}

impl fmt::Display for Reversibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("changes nothing"),
            Self::Reversible { by } => write!(f, "can be taken back by {by}"),
            Self::Compensable { by } => write!(f, "can be made up for by {by}"),
            Self::Irreversible => f.write_str("cannot be undone"),
        }
    }
}

impl Operation {
    /// Whether what it does can be taken back.
    pub fn reversibility(&self) -> Reversibility {
        match (&self.undo, self.effect) {
            (_, Effect::Read) => Reversibility::Nothing,
            (Some(Undo { kind: UndoKind::Reversible, by }), _) => {
                Reversibility::Reversible { by: by.clone() }
            }
            (Some(Undo { kind: UndoKind::Compensable, by }), _) => {
                Reversibility::Compensable { by: by.clone() }
            }
            (None, Effect::Write | Effect::Send | Effect::Destructive) => {
                Reversibility::Irreversible
            }
        }
    }
}

/// What a provider can be used for, computed from what its manifest implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Badge {
    /// It has operations that change something.
    Active,
    /// All of its operations read.
    ReadOnly,
    /// It has no operation yet.
    Planned,
}

impl Badge {
    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ReadOnly => "read-only",
            Self::Planned => "planned",
        }
    }
}

impl fmt::Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Manifest {
    /// What the provider can be used for. Nothing that a manifest says of itself changes it.
    pub fn badge(&self) -> Badge {
        let mut effects = self.operations().values().map(|operation| operation.effect()).peekable();
        if effects.peek().is_none() {
            return Badge::Planned;
        }
        let reads = effects.all(|effect| effect == Effect::Read);
        if reads { Badge::ReadOnly } else { Badge::Active }
    }
}
