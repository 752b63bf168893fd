//! Whose votes count, and whether they are enough.

use placet_model::actor::{PrincipalKind, Role};
use placet_model::approval::{Requirement, SelfApproval, Threshold};
use placet_model::decision::{Assurance, Verdict};
use placet_model::event::decision::VoteCast;
use placet_model::policy::Policy;
use placet_model::{Principal, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How the votes on one draft stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// What is missing, a line per threshold; empty when every threshold is met.
    pub missing: Vec<String>,
    /// Whether the rejections end it.
    pub denied: bool,
}

/// Whether this principal is an agent, by kind or by role.
pub fn is_agent(policy: &Policy, name: &Principal) -> bool {
    policy
        .principals
        .get(name)
        .is_some_and(|info| info.kind == PrincipalKind::Agent || info.roles.contains(&Role::Agent))
}

/// When rights are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Log time.
    pub now: Timestamp,
    /// When the request was made.
    pub requested_at: Timestamp,
}

impl Moment {
    /// Of a request that is made now.
    pub const fn fresh(now: Timestamp) -> Self {
        Self { now, requested_at: now }
    }
}

/// In whose places each person votes.
type Places = BTreeMap<Principal, BTreeSet<Principal>>;

/// Whose votes count.
#[derive(Debug, Clone, Copy)]
pub struct Electorate<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// What must be met.
    pub requirement: &'a Requirement,
    /// Who caused the run.
    pub requester: &'a Principal,
    /// Who has written the draft, where that is not the workflow.
    pub editor: Option<&'a Principal>,
    /// Users and groups who are to decide instead; empty where all may who could.
    pub assigned: &'a [Principal],
    /// When it is asked.
    pub moment: Moment,
}

impl Electorate<'_> {
    /// The people whose vote counts for this threshold, with the rights of the moment: those whom it
    /// names, those whom an escalation has added by now, and those who stand in for one of them; of
    /// these, where it was reassigned, those to whom it was left.
    pub fn entitled(&self, threshold: &Threshold) -> BTreeSet<Principal> {
        self.places(threshold).into_keys().collect()
    }

    /// In whose place each of them votes: their own where they have one.
    fn places(&self, threshold: &Threshold) -> Places {
        let all = self.places_of_all(threshold);
        if self.assigned.is_empty() {
            return all;
        }
        let mut assigned = self.policy.people(self.assigned);
        // an escalation comes after it: more people may decide then
        assigned.append(&mut self.escalated(threshold));
        let fewer = narrowed(all.clone(), &assigned);
        // it narrows where enough are left, so that nothing can wait for nobody because of it
        if seated(fewer.keys(), &fewer) >= usize::from(threshold.approve.max(1)) {
            fewer
        } else {
            all
        }
    }

    /// As [`Self::places`], before anything was reassigned.
    fn places_of_all(&self, threshold: &Threshold) -> Places {
        let named = self.named(threshold);
        let mut places: Places =
            named.iter().map(|person| (person.clone(), [person.clone()].into())).collect();
        let standing_in = self.policy.delegations.iter().filter(|d| d.holds(self.moment.now));
        for delegation in standing_in {
            let may = self.may_vote(&delegation.to) && self.policy.may_approve(&delegation.to);
            if may && named.contains(&delegation.from) && !named.contains(&delegation.to) {
                places.entry(delegation.to.clone()).or_default().insert(delegation.from.clone());
            }
        }
        places
    }

    /// The people whom a threshold means itself.
    fn named(&self, threshold: &Threshold) -> BTreeSet<Principal> {
        let mut people = self.policy.people(&threshold.from);
        people.append(&mut self.escalated(threshold));
        people.retain(|person| self.may_vote(person));
        people
    }

    /// The people whom an escalation has added by now.
    fn escalated(&self, threshold: &Threshold) -> BTreeSet<Principal> {
        let since = self.moment.requested_at;
        let escalated = threshold
            .escalate
            .as_ref()
            .filter(|more| since.checked_add(more.after).is_some_and(|at| at <= self.moment.now));
        let more = escalated.filter(|more| !more.to.is_empty());
        more.map(|more| self.policy.people(&more.to)).unwrap_or_default()
    }

    /// The people who could meet a threshold as the policy stands, also after its escalation.
    fn ever(&self, threshold: &Threshold) -> BTreeSet<Principal> {
        let escalated = Moment { now: Timestamp::from_millis(i64::MAX), ..self.moment };
        Self { moment: escalated, ..*self }.named(threshold)
    }

    /// Agents never vote, and the requester and whoever has edited the draft only where the
    /// requirement says so.
    fn may_vote(&self, person: &Principal) -> bool {
        let own = self.is_theirs(person) && self.requirement.self_approval == SelfApproval::Refused;
        !own && !self.is_agent(person)
    }

    /// Whether they have caused the run, or written the draft.
    fn is_theirs(&self, person: &Principal) -> bool {
        *person == *self.requester || Some(person) == self.editor
    }

    /// Whether it may be left to these users and groups: all of them could decide anyway, and they
    /// are enough for what is asked of them.
    ///
    /// # Errors
    /// What stands in the way, in words.
    pub fn may_be_left_to(&self, to: &[Principal]) -> Result<(), String> {
        let people = self.policy.people(to);
        let unknown = |name: &&Principal| {
            !self.policy.groups.contains_key(*name) && !self.policy.principals.contains_key(*name)
        };
        if let Some(name) = to.iter().find(unknown) {
            return Err(format!("there is neither a principal nor a group {name}"));
        }
        if to.is_empty() || people.is_empty() {
            return Err("nobody is named who could approve anything".to_owned());
        }
        let thresholds = &self.requirement.thresholds;
        let could = |person: &Principal| {
            thresholds.iter().any(|t| self.places_of_all(t).contains_key(person))
        };
        if let Some(person) = people.iter().find(|person| !could(person)) {
            return Err(format!("{person} could not decide this: a reassignment only narrows"));
        }
        let enough = |t: &Threshold| {
            let left = narrowed(self.places_of_all(t), &people);
            seated(left.keys(), &left) >= usize::from(t.approve.max(1))
        };
        if thresholds.iter().any(enough) {
            return Ok(());
        }
        Err("they are too few for the approvals that it takes".to_owned())
    }

    /// Whether this person's vote counts for any threshold.
    pub fn is_entitled(&self, voter: &Principal) -> bool {
        self.requirement.thresholds.iter().any(|t| self.entitled(t).contains(voter))
    }

    /// In whose place this person votes; nobody where their own vote counts.
    pub fn instead_of(&self, voter: &Principal) -> BTreeSet<Principal> {
        let of = |threshold| self.places(threshold).remove(voter);
        let mut places: BTreeSet<Principal> =
            self.requirement.thresholds.iter().filter_map(of).flatten().collect();
        let _own = places.remove(voter);
        places
    }

    /// Whether this principal is an agent, by kind or by role: agents never vote.
    pub fn is_agent(&self, voter: &Principal) -> bool {
        is_agent(self.policy, voter)
    }

    /// Whether this person may send alone in an emergency. The requester never may, nor
    /// whoever has edited the draft.
    pub fn may_break_glass(&self, voter: &Principal) -> bool {
        let Some(glass) = &self.policy.break_glass else { return false };
        let who = !glass.who.is_empty() && self.policy.people(&glass.who).contains(voter);
        who && !self.is_theirs(voter) && !self.is_agent(voter)
    }

    /// How sure it must be who says this.
    pub fn least_assurance(&self, verdict: Verdict) -> Assurance {
        match (verdict, &self.policy.break_glass) {
            (Verdict::Approve, _) => self.requirement.assurance,
            (Verdict::BreakGlass, Some(glass)) => glass.assurance,
            (
                Verdict::BreakGlass
                | Verdict::Reject
                | Verdict::Respond
                | Verdict::Edit
                | Verdict::Withdraw
                | Verdict::Reassign,
                _,
            ) => Assurance::lowest(),
        }
    }

    /// Counts the votes; those of people who have lost the right do not count, nor do approvals of
    /// which it is less sure who gave them than is asked for now.
    pub fn tally(&self, votes: &[VoteCast]) -> Tally {
        let mut tally = Tally { missing: vec![], denied: false };
        for threshold in &self.requirement.thresholds {
            let places = self.places(threshold);
            let denials = count(votes, Verdict::Reject, Assurance::lowest(), &places);
            let approvals = count(votes, Verdict::Approve, self.requirement.assurance, &places);
            tally.denied |= denials >= usize::from(threshold.deny.max(1));
            let needed = usize::from(threshold.approve.max(1));
            if approvals < needed {
                tally.missing.push(missing_line(threshold, needed - approvals));
            }
        }
        let least = self.least_assurance(Verdict::BreakGlass);
        let broken = |vote: &VoteCast| {
            vote.verdict == Verdict::BreakGlass
                && vote.assurance >= least
                && self.may_break_glass(&vote.voter)
        };
        if votes.iter().any(broken) {
            tally.missing.clear();
        }
        tally
    }

    /// The thresholds that nobody but the requester could ever meet, in words: said at once, so
    /// that a request does not wait for nobody.
    pub fn out_of_reach(&self) -> Vec<String> {
        let unreachable = |t: &&Threshold| self.ever(t).len() < usize::from(t.approve.max(1));
        self.requirement
            .thresholds
            .iter()
            .filter(unreachable)
            .map(|t| {
                format!(
                    "{}, and only {} could give it",
                    missing_line(t, usize::from(t.approve.max(1))),
                    self.ever(t).len()
                )
            })
            .collect()
    }
}

/// How many people have said this. Whoever stands in for somebody takes that person's place, and a
/// place is taken once: somebody who has voted is not voted for again.
fn count(votes: &[VoteCast], verdict: Verdict, least: Assurance, places: &Places) -> usize {
    let counts = |vote: &&VoteCast| vote.verdict == verdict && vote.assurance >= least;
    let voters: BTreeSet<_> = votes.iter().filter(counts).map(|vote| &vote.voter).collect();
    seated(voters.into_iter(), places)
}

/// What is left of the places when only these people, and those who stand in for them, may vote.
fn narrowed(mut places: Places, people: &BTreeSet<Principal>) -> Places {
    places.retain(|voter, seats| {
        if !people.contains(voter) {
            seats.retain(|seat| people.contains(seat));
        }
        !seats.is_empty()
    });
    places
}

/// How many of these people find a place.
fn seated<'p>(voters: impl Iterator<Item = &'p Principal>, places: &'p Places) -> usize {
    let mut taken: BTreeMap<&Principal, &Principal> = BTreeMap::new();
    for voter in voters {
        let _found = seat(voter, places, &mut taken, &mut BTreeSet::new());
    }
    taken.len()
}

/// Finds a place for a voter, moving others to another place of theirs where that helps.
fn seat<'p>(
    voter: &'p Principal,
    places: &'p Places,
    taken: &mut BTreeMap<&'p Principal, &'p Principal>,
    seen: &mut BTreeSet<&'p Principal>,
) -> bool {
    for place in places.get(voter).into_iter().flatten() {
        if !seen.insert(place) {
            continue;
        }
        let free = match taken.get(place).copied() {
            None => true,
            Some(other) => seat(other, places, taken, seen),
        };
        if free {
            taken.insert(place, voter);
            return true;
        }
    }
    false
}

pub(super) fn missing_line(threshold: &Threshold, count: usize) -> String {
    let noun = if count == 1 { "approval" } else { "approvals" };
    if threshold.from.is_empty() {
        return format!("{count} {noun} by any approver");
    }
    let names: Vec<_> = threshold.from.iter().map(Principal::as_str).collect();
    format!("{count} {noun} of {}", names.join(", "))
}
