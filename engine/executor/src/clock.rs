//! The shell's clock. The core never reads one; it is handed moments.
//!
//! There are two readings: the wall clock, which anybody may set, and the machine's uptime, which
//! nobody can (`uptime.rs`).

use crate::uptime;
use placet_model::{Timestamp, Uptime};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the virtual clock of a sandbox run begins: 2026-01-01T00:00:00Z.
pub const VIRTUAL_START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The wall clock, or a clock that moves only when nothing else can.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The wall clock.
    System,
    /// Jumps to the next due moment when the engine is idle (`placet run`, `placet test`).
    Virtual(Arc<Virtual>),
}

/// A clock that moves only when nothing else can.
#[derive(Debug)]
pub struct Virtual {
    /// True time.
    steady: AtomicI64,
    /// How far the wall clock is ahead of it.
    ahead: AtomicI64,
    /// Which boot of the machine.
    boot: AtomicU64,
    /// The engine does not jump past this moment by itself.
    barrier: AtomicI64,
}

impl Clock {
    /// A virtual clock that begins at [`VIRTUAL_START`].
    pub fn virtual_start() -> Self {
        Self::virtual_at(VIRTUAL_START)
    }

    /// A virtual clock that begins at this moment.
    pub fn virtual_at(moment: Timestamp) -> Self {
        Self::Virtual(Arc::new(Virtual {
            steady: AtomicI64::new(moment.as_millis()),
            ahead: AtomicI64::new(0),
            boot: AtomicU64::new(0),
            barrier: AtomicI64::new(i64::MAX),
        }))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Virtual(clock) => {
                let ahead = clock.ahead.load(Ordering::SeqCst);
                Timestamp::from_millis(clock.steady.load(Ordering::SeqCst) + ahead)
            }
        }
    }

    /// How long the machine has been running; none where it has no clock that says so.
    pub fn uptime(&self) -> Option<Uptime> {
        match self {
            Self::System => uptime::read(),
            Self::Virtual(clock) => {
                let millis = u64::try_from(clock.steady.load(Ordering::SeqCst)).ok()?;
                Some(Uptime { boot: clock.boot.load(Ordering::SeqCst), millis })
            }
        }
    }

    /// Time goes on, of a virtual clock, until it shows this moment; the wall clock moves by itself.
    pub fn advance_to(&self, moment: Timestamp) {
        if let Self::Virtual(clock) = self {
            let ahead = clock.ahead.load(Ordering::SeqCst);
            clock.steady.fetch_max(moment.as_millis() - ahead, Ordering::SeqCst);
        }
    }

    /// A virtual clock is set by so many milliseconds, forwards or back, as a wall clock may be: no
    /// time goes by.
    pub fn set_by(&self, millis: i64) {
        if let Self::Virtual(clock) = self {
            clock.ahead.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// The machine of a virtual clock is started again: its uptime begins anew.
    pub fn reboot(&self) {
        if let Self::Virtual(clock) = self {
            clock.boot.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Something is to happen at this moment that the engine does not know of: it does not jump past
    /// it by itself. None lets it go on.
    pub fn hold_at(&self, moment: Option<Timestamp>) {
        if let Self::Virtual(clock) = self {
            let barrier = moment.map_or(i64::MAX, Timestamp::as_millis);
            clock.barrier.store(barrier, Ordering::SeqCst);
        }
    }

    /// Whether a virtual clock may jump to this moment by itself.
    pub(crate) fn may_jump_to(&self, moment: Timestamp) -> bool {
        match self {
            Self::System => false,
            Self::Virtual(clock) => moment.as_millis() <= clock.barrier.load(Ordering::SeqCst),
        }
    }

    /// Whether it is virtual.
    pub const fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }
}
