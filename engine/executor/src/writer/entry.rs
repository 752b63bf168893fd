//! A run that is being worked on.

use crate::input::ReplyTo;
use crate::turn::Job;
use crate::values::Values;
use placet_core::Run;
use std::collections::VecDeque;

/// One active run. `state` is ahead of the log by the appends in flight.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The run; none while a turn has it, or when it must be read back.
    pub(super) state: Option<(Run, Values)>,
    /// Whether a turn has it.
    pub(super) busy: bool,
    /// What is to be done next.
    pub(super) mailbox: VecDeque<(Job, Option<ReplyTo>)>,
    /// Appends that are not acknowledged yet; fewer than none while one is whose turn is not told.
    pub(super) commits: i64,
    /// Calls that are under way; fewer than none while one has ended whose commit is not told yet.
    pub(super) calls: i64,
}

impl Entry {
    /// Whether nothing of it is under way.
    pub(super) fn is_quiet(&self) -> bool {
        !self.is_worked_on() && self.calls == 0
    }

    /// Whether anything but calls is under way.
    pub(super) fn is_worked_on(&self) -> bool {
        self.busy || !self.mailbox.is_empty() || self.commits != 0
    }
}
