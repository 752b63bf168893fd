//! How far verifications of the log have come: whoever has asked for one sees it move.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The verifications that are under way.
#[derive(Debug, Default)]
pub(crate) struct Verifying(Mutex<Vec<Weak<Reading>>>);

/// One of them. It is under way as long as it lives.
#[derive(Debug)]
pub(crate) struct Reading {
    read: AtomicU64,
    of: u64,
}

/// Events read, and events there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) read: u64,
    pub(crate) of: u64,
}

impl Verifying {
    /// A verification of so many events begins.
    pub(crate) fn begin(&self, of: u64) -> Arc<Reading> {
        let reading = Arc::new(Reading { read: AtomicU64::new(0), of });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| one.strong_count() > 0);
        all.push(Arc::downgrade(&reading));
        reading
    }

    /// Those under way, in the order of their beginnings.
    pub(crate) fn progress(&self) -> Vec<Progress> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let living = all.iter().filter_map(Weak::upgrade);
        living.map(|one| Progress { read: one.read.load(Ordering::Relaxed), of: one.of }).collect()
    }
}

impl Reading {
    /// So many events were read.
    pub(crate) fn tell(&self, read: u64) {
        self.read.store(read, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verification_is_told_while_it_is_under_way_and_not_after() {
        let verifying = Verifying::default();
        assert_eq!(verifying.progress(), []);
        let (first, second) = (verifying.begin(10), verifying.begin(12));
        first.tell(7);
        let both = [Progress { read: 7, of: 10 }, Progress { read: 0, of: 12 }];
        assert_eq!(verifying.progress(), both);
        drop(first);
        assert_eq!(verifying.progress(), both[1..]);
        drop(second);
        assert_eq!(verifying.progress(), []);
    }
}
