//! Keys that say what their row is: those of the hot table, and due rows. Numbers are a contract.

use crate::{Due, DueRow};
use placet_model::{AttemptId, DecisionId, RunId, TimerId, Timestamp};

/// In the hot table, the row of the cursor.
pub(crate) const CURSOR: &[u8] = &[0];
/// In the hot table, the first byte of the key of a run's state; kinds of mark are below it.
const LIVE: u8 = 16;
const LIVE_LEN: usize = 17;

/// In the hot table, the key of a run's state.
pub(crate) fn live(run: [u8; 16]) -> [u8; LIVE_LEN] {
    let mut key = [LIVE; LIVE_LEN];
    key[1..].copy_from_slice(&run);
    key
}

/// The run in the key of its state.
pub(crate) fn run(key: &[u8]) -> Option<Vec<u8>> {
    let (&LIVE, run) = key.split_first()? else { return None };
    (run.len() + 1 == LIVE_LEN).then(|| run.to_vec())
}

/// Something that must be looked at. A run or decision has at most one of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// The run can go on by itself.
    Ready(RunId),
    /// The run has a try under way.
    InFlight(RunId),
    /// The run has an attempt in doubt.
    InDoubt(RunId),
    /// The decision lies in an inbox.
    Open(DecisionId),
    /// The decision is approved and unspent.
    Approved(DecisionId),
    /// Something is to be done about a run that was ordered: begin it, tell of its end, cancel it.
    Ordered(RunId),
    /// Somebody has sent it alone in an emergency; kept for ever.
    Broken(DecisionId),
}

pub(crate) const MARK_LEN: usize = 17;

/// The kinds of mark: the first byte of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum MarkKind {
    Ready = 1,
    InFlight = 2,
    InDoubt = 3,
    Open = 4,
    Approved = 5,
    Ordered = 6,
    Broken = 7,
}

impl MarkKind {
    /// The key of this kind with this id.
    pub(crate) fn key(self, id: [u8; 16]) -> [u8; MARK_LEN] {
        let mut key = [self as u8; MARK_LEN];
        key[1..].copy_from_slice(&id);
        key
    }
}

impl Mark {
    /// Its key.
    pub(crate) fn key(self) -> [u8; MARK_LEN] {
        match self {
            Self::Ready(run) => MarkKind::Ready.key(run.to_bytes()),
            Self::InFlight(run) => MarkKind::InFlight.key(run.to_bytes()),
            Self::InDoubt(run) => MarkKind::InDoubt.key(run.to_bytes()),
            Self::Open(decision) => MarkKind::Open.key(decision.to_bytes()),
            Self::Approved(decision) => MarkKind::Approved.key(decision.to_bytes()),
            Self::Ordered(run) => MarkKind::Ordered.key(run.to_bytes()),
            Self::Broken(decision) => MarkKind::Broken.key(decision.to_bytes()),
        }
    }
}

/// The id in the key of a mark.
pub(crate) fn marked(key: &[u8]) -> Option<[u8; 16]> {
    let key: &[u8; MARK_LEN] = key.try_into().ok()?;
    key[1..].try_into().ok()
}

pub(crate) const DUE_LEN: usize = 8 + 16 + 1 + 16;

/// A moment as eight bytes that sort like it.
pub(crate) const fn moment(at: Timestamp) -> [u8; 8] {
    (at.as_millis().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

impl DueRow {
    /// Its key.
    pub(crate) fn key(&self) -> [u8; DUE_LEN] {
        let (kind, id) = match self.due {
            Due::RunDeadline => (1, [0; 16]),
            Due::Timer(timer) => (2, timer.to_bytes()),
            Due::Expiry(decision) => (3, decision.to_bytes()),
            Due::Retry(attempt) => (4, attempt.to_bytes()),
            Due::Notice(decision) => (5, decision.to_bytes()),
            Due::Lookup(attempt) => (6, attempt.to_bytes()),
        };
        let mut key = [0; DUE_LEN];
        key[..8].copy_from_slice(&moment(self.at));
        key[8..24].copy_from_slice(&self.run.to_bytes());
        key[24] = kind;
        key[25..].copy_from_slice(&id);
        key
    }

    /// The row with this key.
    pub(crate) fn from_key(key: &[u8]) -> Option<Self> {
        let (at, rest) = key.split_first_chunk::<8>()?;
        let (run, rest) = rest.split_first_chunk::<16>()?;
        let (kind, id) = rest.split_first()?;
        let id: [u8; 16] = id.try_into().ok()?;
        let due = match (kind, id) {
            (1, [0, ..]) => Due::RunDeadline,
            (2, _) => Due::Timer(TimerId::from_bytes(id)),
            (3, _) => Due::Expiry(DecisionId::from_bytes(id)),
            (4, _) => Due::Retry(AttemptId::from_bytes(id)),
            (5, _) => Due::Notice(DecisionId::from_bytes(id)),
            (6, _) => Due::Lookup(AttemptId::from_bytes(id)),
            (_, _) => return None,
        };
        let at = Timestamp::from_millis((u64::from_be_bytes(*at) ^ (1 << 63)).cast_signed());
        Some(Self { at, run: RunId::from_bytes(*run), due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_keys_read_back_and_sort_by_time_before_and_after_1970() {
        let run = RunId::from_bytes([9; 16]);
        let mut rows = Vec::new();
        for at in [i64::MIN, -1, 0, 1, i64::MAX] {
            for due in [
                Due::RunDeadline,
                Due::Timer(TimerId::from_bytes([1; 16])),
                Due::Expiry(DecisionId::from_bytes([2; 16])),
                Due::Retry(AttemptId::from_bytes([3; 16])),
                Due::Notice(DecisionId::from_bytes([4; 16])),
                Due::Lookup(AttemptId::from_bytes([5; 16])),
            ] {
                rows.push(DueRow { at: Timestamp::from_millis(at), run, due });
            }
        }
        for pair in rows.windows(2) {
            assert!(pair[0].key() < pair[1].key(), "{pair:?}");
        }
        for row in rows {
            assert_eq!(DueRow::from_key(&row.key()), Some(row));
        }
        assert_eq!(DueRow::from_key(b"short"), None);
    }

    #[test]
    fn the_key_of_a_state_gives_back_its_run_and_is_no_mark() {
        assert_eq!(run(&live([9; 16])), Some(vec![9; 16]));
        assert_eq!(run(&Mark::Broken(DecisionId::from_bytes([9; 16])).key()), None);
        assert_eq!((run(&[]), run(b"short")), (None, None));
    }

    #[test]
    fn a_mark_gives_back_its_id() {
        let id = RunId::from_bytes([9; 16]);
        assert_eq!(marked(&Mark::InFlight(id).key()), Some([9; 16]));
        assert_eq!(marked(b"short"), None);
    }
}
