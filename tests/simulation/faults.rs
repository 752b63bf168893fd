//! What may go wrong. Each seed draws a part of it, so that rare combinations come up often: a seed
//! without clock jumps gets far, one with nothing but power cuts looks closely at those.

use placet_test_support::random::Random;
use std::collections::BTreeSet;

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The power goes at some operation of the disk.
    PowerCut,
    /// A sync fails with an I/O error.
    SyncError,
    /// The disk is full.
    DiskFull,
    /// The power goes again while the engine recovers.
    CutInRecovery,
    /// The process is killed while nothing is being written.
    Kill,
    /// Answers get lost, before or after the call was applied.
    LostAnswers,
    /// Calls are applied long after they were given up.
    LateCalls,
    /// Providers refuse for good.
    Refusals,
    /// Providers say: later. Or cannot be reached.
    Busy,
    /// Answers that cannot be read; servers that fail.
    Garbage,
    /// The clock jumps, by up to ten days, forwards and back, in operation and between two lives.
    ClockJumps,
    /// Days pass.
    LongWaits,
    /// People vote late, twice, at once, on what they saw before.
    ClumsyVotes,
    /// People reject, respond, withdraw.
    Objections,
    /// People cancel runs, also while calls hang.
    Cancels,
    /// Operators pause, disable, tighten the policy.
    Governing,
    /// Events from outside come twice.
    DoubledEvents,
    /// The machine sleeps for days, and wakes with the wall clock of before.
    Sleep,
}

impl Fault {
    pub(crate) const ALL: [Self; 18] = [
        Self::PowerCut,
        Self::SyncError,
        Self::DiskFull,
        Self::CutInRecovery,
        Self::Kill,
        Self::LostAnswers,
        Self::LateCalls,
        Self::Refusals,
        Self::Busy,
        Self::Garbage,
        Self::ClockJumps,
        Self::LongWaits,
        Self::ClumsyVotes,
        Self::Objections,
        Self::Cancels,
        Self::Governing,
        Self::DoubledEvents,
        Self::Sleep,
    ];
}

/// What may go wrong in one seed.
#[derive(Debug, Clone)]
pub(crate) struct Faults(BTreeSet<Fault>);

impl Faults {
    /// A random part of all.
    pub(crate) fn draw(random: &mut Random) -> Self {
        Self(Fault::ALL.into_iter().filter(|_| random.one_in(2)).collect())
    }

    /// Whether anything goes wrong at some operation of the disk.
    pub(crate) fn concern_the_disk(&self) -> bool {
        [Fault::PowerCut, Fault::SyncError, Fault::DiskFull, Fault::CutInRecovery]
            .into_iter()
            .any(|fault| self.has(fault))
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// Whether it strikes now, once in so many times where the seed has it.
    pub(crate) fn strikes(&self, fault: Fault, random: &mut Random, one_in: u64) -> bool {
        self.has(fault) && random.one_in(one_in)
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self.0.iter().map(|fault| format!("{fault:?}")).collect();
        f.write_str(&names.join(" "))
    }
}
