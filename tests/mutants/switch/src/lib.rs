//! The planted bugs, by name, and the switch that says which one is on. The product does not depend
//! on this crate: its sources name it only where `cfg(placet_mutants)` is set.

use std::sync::atomic::{AtomicU8, Ordering};

static PLANTED: AtomicU8 = AtomicU8::new(0);

macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A bug that somebody could write.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Mutant {
            /// The product as it is.
            None,
            $($(#[$doc])* $name,)+
        }

        impl Mutant {
            /// Every planted bug.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];
        }
    };
}

mutants! {
    /// The call is made when its record is handed to the log, not when that is on disk.
    CallBeforeRecord,
    /// An attempt in doubt is sent again by itself, whether or not the provider knows a key.
    ResendWithoutKey,
    /// A key is taken for young for ever.
    KeyReusedAfterExpiry,
    /// A key's age is judged by log time alone, which stands still while the clock is behind it (it
    /// was so once).
    KeyAgedByLogTime,
    /// A restart takes what was under way for unsent.
    RestartMeansUnsent,
    /// An approval is not consumed by the record of its attempt, only by its success.
    ApprovalNotConsumed,
    /// A commit that failed is answered as a refusal: nothing was recorded.
    CommitErrorMeansRefused,
    /// Appends are acknowledged before the journal is synced.
    DurabilityNone,
    /// Records are not checked when they are read.
    DigestNotChecked,
    /// A vote counts whatever bytes it names.
    VoteForOtherBytes,
    /// The claim does not look at the expiry.
    ExpiredIsClaimed,
    /// A provider that says "later" is taken for one that may have sent.
    DeferredIsDoubt,
    /// Log time follows a clock that goes back.
    LogTimeGoesBack,
    /// The votes that a stricter policy misses are not asked for.
    PolicyOnlyWhenAsked,
    /// A read that was put off keeps the moment after which no try may start (it was so once).
    PutOffReadExpires,
    /// A restart does not look at the calls that were under way.
    RestartForgetsCalls,
    /// What a look-up does not find is taken for unsent at once: it may still arrive, or be seen later.
    AbsenceIsProof,
    /// Of several matches of a look-up nobody is asked: one is as good as another.
    AnyMatchWillDo,
    /// A look-up without an answer is taken for one that found nothing.
    SilenceIsAbsence,
}

/// From now on this one is on, in the whole process.
pub fn plant(mutant: Mutant) {
    PLANTED.store(mutant as u8, Ordering::SeqCst);
}

/// Whether this one is on.
pub fn is_planted(mutant: Mutant) -> bool {
    PLANTED.load(Ordering::SeqCst) == mutant as u8
}
