//! Uses of standing approvals that are under way and not recorded yet: turns are worked through side
//! by side, and together they must not go beyond what the policy allows on a day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// The name of a standing approval, and a day.
type Key = (String, i64);

/// What was taken since the engine has started, by the send ids of the drafts. A turn that is worked
/// through again takes the same use; one that came to nothing has lost it for the day, which errs on
/// the safe side. What is recorded is counted from the log.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<BTreeMap<Key, Taken>>);

#[derive(Debug, Default)]
struct Taken {
    /// Uses that were recorded when the first was taken.
    before: u32,
    ids: BTreeSet<String>,
}

impl Uses {
    /// The number of this use, from 1; none when all are used up.
    pub(crate) fn take(
        &self,
        (name, day): (&str, i64),
        id: &str,
        (recorded, most): (u32, u32),
    ) -> Option<u32> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // other days are over: their counts stand in the log
        all.retain(|(_, other), _| *other >= day - 1);
        let taken = all
            .entry((name.to_owned(), day))
            .or_insert_with(|| Taken { before: recorded, ids: BTreeSet::new() });
        let new = u32::from(!taken.ids.contains(id));
        let mine = u32::try_from(taken.ids.len()).unwrap_or(u32::MAX).saturating_add(new);
        let count = taken.before.saturating_add(mine).max(recorded.saturating_add(new));
        if count > most {
            return None;
        }
        taken.ids.insert(id.to_owned());
        Some(count)
    }

    /// Nothing came of it.
    pub(crate) fn give_back(&self, (name, day): (&str, i64), id: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = all.get_mut(&(name.to_owned(), day)) {
            let _was_there = taken.ids.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_side_by_side_never_take_more_than_the_day_allows() {
        let uses = Uses::default();
        // two were recorded before the engine started; nothing of this day is recorded since
        let take = |id| uses.take(("status", 1), id, (2, 4));
        assert_eq!((take("a"), take("b"), take("c")), (Some(3), Some(4), None));
        assert_eq!(take("a"), Some(4), "a turn that is worked through again takes its own use");
        uses.give_back(("status", 1), "b");
        assert_eq!(take("c"), Some(4));
        assert_eq!(uses.take(("status", 2), "d", (0, 4)), Some(1), "another day");
    }
}
