//! What of a card must be signed, and whether whoever looks has what it takes.
//!
//! A browser signs with a passkey. `serve` takes signed votes only; in `dev` a policy may demand a signature
//! for an approval, and every other verdict is given without one.

use super::view::Card;
use crate::app::App;
use crate::console::viewer::Viewer;
use placet_model::decision::Assurance;

/// The signatures that this card asks for, of this person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signing {
    of: Of,
    least: Assurance,
    /// Why this person cannot sign here.
    pub(super) lack: Option<Lack>,
}

/// What must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Nothing,
    Approvals,
    Everything,
}

/// Why somebody cannot sign in a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// They have no passkey.
    None,
    /// What they have, no admin has confirmed.
    Unconfirmed,
}

impl Lack {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::None => "This is signed with a passkey, and you have none here.",
            Self::Unconfirmed => {
                "This is signed with a passkey, and no admin has confirmed yours yet."
            }
        }
    }
}

impl Signing {
    pub(super) fn of(app: &App, viewer: &Viewer, card: &Card) -> Self {
        let least = card.policy.assurance.as_ref().map(ToString::to_string);
        let least = least.and_then(|word| word.parse().ok()).unwrap_or(Assurance::lowest());
        let of = match card.sign.required {
            true => Of::Everything,
            false if least >= Assurance::Nkey => Of::Approvals,
            false => Of::Nothing,
        };
        let world = app.handle.world();
        let me = &viewer.caller.principal;
        let mut waiting = world.passkeys.iter().filter(|(_, known)| known.principal == *me);
        let lack = match card.sign.passkeys.is_empty() {
            _ if of == Of::Nothing => None,
            false => None,
            true if waiting.any(|(_, known)| !known.confirmed && !known.revoked) => {
                Some(Lack::Unconfirmed)
            }
            true => Some(Lack::None),
        };
        Self { of, least, lack }
    }

    /// Whether anything here is signed.
    pub(super) fn is_asked(self) -> bool {
        self.of != Of::Nothing
    }

    /// Whether a key of the command line does as well.
    pub(super) fn takes_other_keys(self) -> bool {
        self.of == Of::Everything && self.least <= Assurance::Nkey
    }

    /// Whether this verdict is signed.
    pub(super) fn signs(self, verdict: &str) -> bool {
        match self.of {
            Of::Nothing => false,
            Of::Approvals => verdict == "approve",
            Of::Everything => true,
        }
    }

    /// Whether this person can say so here.
    pub(super) fn offers(self, verdict: &str) -> bool {
        !self.signs(verdict) || self.lack.is_none()
    }

    /// What a button says of it.
    pub(super) fn suffix(self, verdict: &str) -> &'static str {
        if self.signs(verdict) { " with passkey" } else { "" }
    }
}
