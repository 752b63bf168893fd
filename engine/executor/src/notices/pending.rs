//! What is still to be told, in memory: per person, channel and mode. Pure; the clock is an argument.

use placet_model::draft::Mode;
use placet_model::event::notice::NoticeAbout;
use placet_model::{DecisionId, IntegrationId, Position, Principal, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Requests of one kind that a line remembers; of more it is only told how many.
const KNOWN_MAX: usize = 10_000;

/// One person over one channel, about runs of one mode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) to: Principal,
    pub(super) channel: String,
    pub(super) mode: Mode,
}

impl Line {
    pub(super) fn new(to: &Principal, channel: &str, mode: Mode) -> Self {
        Self { to: to.clone(), channel: channel.to_owned(), mode }
    }
}

/// What a line has to say.
#[derive(Debug, Clone, Default)]
pub(super) struct Untold {
    /// Requests, by what is to be said of them.
    pub(super) decisions: BTreeMap<NoticeAbout, BTreeSet<DecisionId>>,
    /// How many of each were not remembered.
    pub(super) more: BTreeMap<NoticeAbout, u32>,
    /// Whose approving an alarm is about.
    pub(super) alarmed: BTreeSet<Principal>,
    /// Connections of which something has failed, with their names and why, or is good again.
    pub(super) connections: BTreeMap<(IntegrationId, Part), (String, Option<String>)>,
    /// Place of the first event that it is about.
    first: Option<Position>,
    not_before: Option<Timestamp>,
}

impl Untold {
    fn is_urgent(&self) -> bool {
        !self.alarmed.is_empty()
            || !self.connections.is_empty()
            || self.decisions.contains_key(&NoticeAbout::BreakGlass)
    }
}

/// What of a connection has failed, or is good again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Its credential, and with it whatever goes through.
    Credential,
    /// A subscription at its provider that was to be renewed.
    Subscription,
}

/// All lines that have something to say, and what each has said.
#[derive(Debug)]
pub(super) struct Pending {
    /// All events up to here were looked at.
    pub(super) read_up_to: Position,
    untold: BTreeMap<Line, Untold>,
    told: BTreeMap<Line, (Position, Timestamp)>,
}

impl Pending {
    pub(super) const fn new(read_up_to: Position) -> Self {
        Self { read_up_to, untold: BTreeMap::new(), told: BTreeMap::new() }
    }

    pub(super) fn was_told(&mut self, line: Line, up_to: Position, at: Timestamp) {
        self.told.insert(line, (up_to, at));
    }

    fn add(&mut self, line: Line, at: Position) -> Option<&mut Untold> {
        if self.told.get(&line).is_some_and(|(up_to, _)| at <= *up_to) {
            return None;
        }
        let untold = self.untold.entry(line).or_default();
        untold.first.get_or_insert(at);
        Some(untold)
    }

    /// Somebody is to hear of a request, because of the event at this place.
    pub(super) fn request(
        &mut self,
        line: Line,
        (about, decision): (NoticeAbout, DecisionId),
        at: Position,
    ) {
        let Some(untold) = self.add(line, at) else { return };
        let known = untold.decisions.entry(about).or_default();
        if known.len() < KNOWN_MAX {
            known.insert(decision);
        } else if !known.contains(&decision) {
            *untold.more.entry(about).or_default() += 1;
        }
    }

    /// Somebody is to hear of an alarm.
    pub(super) fn alarm(&mut self, line: Line, about: Principal, at: Position) {
        if let Some(untold) = self.add(line, at) {
            untold.alarmed.insert(about);
        }
    }

    /// Somebody is to hear that a connection has failed, or is good again. What was not told yet is
    /// told as it stands last.
    pub(super) fn connection(
        &mut self,
        line: Line,
        (of, name, failed): ((IntegrationId, Part), &str, Option<&str>),
        at: Position,
    ) {
        if let Some(untold) = self.add(line, at) {
            untold.connections.insert(of, (name.to_owned(), failed.map(str::to_owned)));
        }
    }

    /// When a line may speak: an interval after it last did, and at once where it is urgent.
    fn due_at(&self, line: &Line, untold: &Untold, interval_ms: i64) -> Timestamp {
        let last = self.told.get(line).map(|(_, at)| at.plus_millis(interval_ms));
        let last = last.filter(|_| !untold.is_urgent());
        last.max(untold.not_before).unwrap_or(Timestamp::EPOCH)
    }

    /// Lines that may speak now.
    pub(super) fn due(&self, now: Timestamp, interval_ms: i64) -> Vec<Line> {
        let due = self.untold.iter();
        let due = due.filter(|(line, untold)| self.due_at(line, untold, interval_ms) <= now);
        due.map(|(line, _)| line.clone()).collect()
    }

    /// When the next line may speak that is not at it already.
    pub(super) fn next_due(&self, interval_ms: i64, busy: &BTreeSet<Line>) -> Option<Timestamp> {
        let free = self.untold.iter().filter(|(line, _)| !busy.contains(*line));
        free.map(|(line, untold)| self.due_at(line, untold, interval_ms)).min()
    }

    /// What a line has to say.
    pub(super) fn of(&self, line: &Line) -> Option<&Untold> {
        self.untold.get(line)
    }

    /// A line says nothing before this moment.
    pub(super) fn put_off(&mut self, line: &Line, until: Timestamp) {
        if let Some(untold) = self.untold.get_mut(line) {
            untold.not_before = Some(until);
        }
    }

    /// What held notices may be over: every line looks again.
    pub(super) fn look_again(&mut self) {
        for untold in self.untold.values_mut() {
            untold.not_before = None;
        }
    }

    /// A line has nothing to say any more: what it was about is decided.
    pub(super) fn drop_line(&mut self, line: &Line) {
        self.untold.remove(line);
    }

    /// A line has spoken: gives the place up to which it has told all.
    pub(super) fn spoken(&mut self, line: &Line, at: Timestamp) {
        self.untold.remove(line);
        self.told.insert(line.clone(), (self.read_up_to, at));
    }

    /// From where to read on after a stop, once this line has spoken: before it nothing is untold.
    pub(super) fn resume_after(&self, without: &Line) -> Position {
        let others = self.untold.iter().filter(|(line, _)| *line != without);
        let first = others.filter_map(|(_, untold)| untold.first).min();
        first.map_or(self.read_up_to, |first| Position::new(first.get().saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(to: &str) -> Line {
        Line::new(&to.parse().unwrap(), "slack", Mode::Live)
    }

    fn decision(n: u128) -> DecisionId {
        DecisionId::from_bytes(n.to_be_bytes())
    }

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_thousand_requests_are_one_message_and_the_next_comes_after_the_interval() {
        let mut pending = Pending::new(Position::START);
        for n in 1..=1_000 {
            let place = Position::new(n);
            pending.request(line("ana"), (NoticeAbout::Waiting, decision(n.into())), place);
            pending.read_up_to = place;
        }
        assert_eq!(pending.due(at(0), 100), [line("ana")]);
        assert_eq!(pending.of(&line("ana")).unwrap().decisions[&NoticeAbout::Waiting].len(), 1_000);
        pending.spoken(&line("ana"), at(0));
        assert_eq!(pending.due(at(0), 100), []);
        pending.request(line("ana"), (NoticeAbout::Waiting, decision(0)), Position::new(1_001));
        assert_eq!(
            (pending.due(at(99), 100), pending.due(at(100), 100)),
            (vec![], vec![line("ana")])
        );
        assert_eq!(pending.next_due(100, &BTreeSet::new()), Some(at(100)));
    }

    #[test]
    fn an_emergency_does_not_wait_for_the_interval() {
        let mut pending = Pending::new(Position::START);
        pending.was_told(line("ana"), Position::new(1), at(0));
        pending.request(line("ana"), (NoticeAbout::BreakGlass, decision(1)), Position::new(2));
        assert_eq!(pending.due(at(0), 1_000), [line("ana")]);
    }

    #[test]
    fn what_was_told_before_a_stop_is_not_told_again() {
        let mut pending = Pending::new(Position::START);
        pending.was_told(line("ana"), Position::new(5), at(0));
        for (place, known) in [(5, false), (6, true)] {
            let request = (NoticeAbout::Waiting, decision(place.into()));
            pending.request(line("ana"), request, Position::new(place));
            assert_eq!(pending.of(&line("ana")).is_some(), known, "{place}");
        }
    }

    #[test]
    fn after_a_stop_it_reads_on_before_the_first_thing_that_others_were_not_told() {
        let mut pending = Pending::new(Position::START);
        pending.request(line("ana"), (NoticeAbout::Waiting, decision(1)), Position::new(3));
        pending.request(line("ben"), (NoticeAbout::Waiting, decision(1)), Position::new(7));
        pending.read_up_to = Position::new(9);
        assert_eq!(pending.resume_after(&line("ben")), Position::new(2));
        assert_eq!(pending.resume_after(&line("ana")), Position::new(6));
        pending.spoken(&line("ana"), at(0));
        assert_eq!(pending.resume_after(&line("ben")), Position::new(9));
    }
}
