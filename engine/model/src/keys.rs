//! The keys of the people of a project, as the log tells of them.

use crate::nkey::UserKey;
use crate::passkey::{Passkeys, SignerKey};
use crate::policy::Policy;
use crate::{Event, Principal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every key that was ever registered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys(BTreeMap<UserKey, KnownKey>);

/// A key that was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownKey {
    /// Whose it is, for life.
    pub principal: Principal,
    /// Whether it was revoked, which is for good.
    pub revoked: bool,
}

impl Keys {
    /// Folds an event; those that are about no key change nothing.
    #[expect(clippy::wildcard_enum_match_arm, reason = "two kinds of event are about keys")]
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::KeyRegistered(body) => {
                let known = KnownKey { principal: body.principal.clone(), revoked: false };
                self.0.entry(body.key).or_insert(known);
            }
            Event::KeyRevoked(body) => {
                if let Some(known) = self.0.get_mut(&body.key) {
                    known.revoked = true;
                }
            }
            _ => {}
        }
    }

    /// What is known of a key.
    pub fn get(&self, key: &UserKey) -> Option<&KnownKey> {
        self.0.get(key)
    }

    /// The policy with what the log says of keys.
    pub fn in_force(&self, passkeys: &Passkeys, policy: &Arc<Policy>) -> Arc<Policy> {
        let nkeys = self.0.iter().filter(|(_, known)| known.revoked);
        let nkeys = nkeys.map(|(key, _)| SignerKey::Nkey(*key));
        let passkeys = passkeys.iter().filter(|(_, known)| known.revoked);
        let passkeys = passkeys.map(|(id, _)| SignerKey::Passkey(*id));
        let revoked = nkeys.chain(passkeys).collect();
        if policy.revoked == revoked {
            return Arc::clone(policy);
        }
        Arc::new(Policy { revoked, ..Policy::clone(policy) })
    }

    /// All of them, revoked ones included.
    pub fn iter(&self) -> impl Iterator<Item = (&UserKey, &KnownKey)> {
        self.0.iter()
    }

    /// The keys with which somebody may sign now.
    pub fn of<'k>(&'k self, who: &'k Principal) -> impl Iterator<Item = &'k UserKey> {
        let theirs = self.0.iter().filter(move |(_, known)| known.principal == *who);
        theirs.filter(|(_, known)| !known.revoked).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::people::{KeyRegistered, KeyRevoked};

    #[test]
    fn a_key_is_one_persons_for_life_and_revoked_for_good() {
        let (ana, ben): (Principal, Principal) = ("ana".parse().unwrap(), "ben".parse().unwrap());
        let key = UserKey::from_ed25519([1; 32]);
        let registered = |who: &Principal| KeyRegistered { principal: who.clone(), key }.into();
        let mut keys = Keys::default();
        keys.apply(&registered(&ana));
        keys.apply(&registered(&ben));
        assert_eq!(keys.get(&key).unwrap().principal, ana);
        assert_eq!(keys.of(&ana).count(), 1);
        keys.apply(&KeyRevoked { principal: ana.clone(), key }.into());
        keys.apply(&registered(&ana));
        assert!(keys.get(&key).unwrap().revoked);
        assert_eq!(keys.of(&ana).count(), 0);
    }
}
