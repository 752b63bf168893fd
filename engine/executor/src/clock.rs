//! The shell's clock. The core never reads one; it is handed moments.

use placet_model::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the virtual clock of a sandbox run begins: 2026-01-01T00:00:00Z.
pub const VIRTUAL_START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The wall clock, or a clock that moves only when nothing else can.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The wall clock.
    System,
    /// Jumps to the next due moment when the engine is idle (`placet run`, `placet test`).
    Virtual(Arc<AtomicI64>),
}

impl Clock {
    /// A virtual clock that begins at [`VIRTUAL_START`].
    pub fn virtual_start() -> Self {
        Self::Virtual(Arc::new(AtomicI64::new(VIRTUAL_START.as_millis())))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Virtual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a virtual clock forward; the wall clock moves by itself.
    pub fn advance_to(&self, moment: Timestamp) {
        if let Self::Virtual(millis) = self {
            millis.fetch_max(moment.as_millis(), Ordering::SeqCst);
        }
    }

    /// Whether it is virtual.
    pub const fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }
}
