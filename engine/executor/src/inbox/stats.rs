//! Figures about how people decide: how much, how fast, and what became of it. Derived from the log
//! alone, over rows that are read one by one, so that memory does not grow with the votes.
//!
//! *Time to decide* runs from the moment at which the request lay in the inbox (or was put back into
//! it, because the policy asked for more) to the moment at which the vote was recorded, both in log
//! time. Somebody who was reached by an escalation only is measured from the request as well, so
//! their time is too long, never too short. Votes given in advance have no time and are counted
//! apart; a withdrawal and a reassignment are no decision and have no time either.
//!
//! *Reversed* is a vote that somebody's later act has undone: see `placet_projections`, `tally`. Each
//! vote counts once at most.
//!
//! *Expired* are requests on which this person could have voted, by the policy that was in force when
//! they expired, and had not; *unseen* are those of them on which nobody had voted and of which no
//! notice had got through to this person while they were open. Reading the inbox leaves no trace in
//! the log, so whoever only looked counts as not having seen it.
//!
//! Who sees what: everybody their own figures; admins, auditors and operators those of all.

mod expired;

use super::{Caller, requests};
use crate::figures::Spread;
use crate::handle::{Error, Handle};
use crate::public::select::Moment;
use expired::Expired;
use placet_model::actor::Role;
use placet_model::decision::{Settlement, Verdict};
use placet_model::event::notice::AlarmKind;
use placet_model::{Principal, Timestamp};
use placet_projections::{TallyKind, TallyRow, Views};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::ops::{ControlFlow, Range};

/// A decision that took less was hardly read.
pub(crate) const QUICK_MS: u64 = 3_000;
/// Alarms that are shown of one person: the last ones.
const ALARMS_SHOWN: usize = 10;
/// The time whose alarms the status shows.
const DAY_MS: i64 = 86_400_000;

/// `stats`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatsBody {
    since: Option<String>,
    until: Option<String>,
    user: Option<Principal>,
}

/// Whether a verdict decides: it has a time.
pub(crate) const fn decides(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Approve
        | Verdict::Reject
        | Verdict::Respond
        | Verdict::Edit
        | Verdict::BreakGlass => true,
        Verdict::Withdraw | Verdict::Reassign => false,
    }
}

/// The figures of one person.
#[derive(Debug, Default)]
struct Figures {
    verdicts: BTreeMap<&'static str, u64>,
    decisions: u64,
    quick: u64,
    took: Spread,
    in_advance: u64,
    reversed: BTreeMap<&'static str, u64>,
    expired: u64,
    unseen: u64,
    alarms: VecDeque<TallyRow>,
    alarms_total: u64,
}

impl Handle {
    /// `{since?, until?, user?}` → `{since, until, quick_ms, approvers}`: how people have decided in
    /// a span of time; `since` is null for all of it. A moment is one of log time, or how long ago it was.
    ///
    /// # Errors
    /// A malformed request, one for somebody else's figures from somebody who may see only their own,
    /// and a project that cannot be read.
    pub fn inbox_stats(&self, caller: &Caller, body: &Value) -> Result<Value, Error> {
        self.known(&caller.principal)?;
        let body: StatsBody = requests::parse(body)?;
        let span = self.span(&body)?;
        let wanted = self.whose(&caller.principal, body.user)?;
        let view = self.view()?;
        let views = Views::new(&view)?;
        let people = match &wanted {
            Some(one) => vec![one.clone()],
            None => views.tallied()?,
        };
        let mut figures = BTreeMap::new();
        for who in people {
            let found = figures_of(&views, &who, &span)?;
            figures.insert(who, found);
        }
        let mut expired = Expired::new(&view);
        expired.each(&views, &span, |who, seen| {
            if wanted.as_ref().is_none_or(|wanted| *wanted == who) {
                let of = figures.entry(who).or_insert_with(Figures::default);
                of.expired += 1;
                of.unseen += u64::from(!seen);
            }
        })?;
        if wanted.is_none() {
            // somebody who has decided nothing is worth a line as well
            let world = self.world();
            for who in world.policy.principals.keys().filter(|who| world.policy.may_approve(who)) {
                let _of_theirs = figures.entry(who.clone()).or_insert_with(Figures::default);
            }
        }
        let approvers: Vec<Value> =
            figures.iter().map(|(who, figures)| figures.to_json(who)).collect();
        Ok(json!({
            "since": body.since.is_some().then_some(span.start),
            "until": span.end,
            "quick_ms": QUICK_MS,
            "approvers": approvers,
        }))
    }

    /// The last alarm of each person within the last day: one's own, or everybody's for those who see
    /// the figures of all.
    ///
    /// # Errors
    /// A project that cannot be read.
    pub fn recent_alarms(&self, caller: &Principal) -> Result<Value, Error> {
        let wanted = self.whose(caller, None)?;
        let view = self.view()?;
        let views = Views::new(&view)?;
        let since = self.now().plus_millis(-DAY_MS);
        let mut alarms = vec![];
        for who in views.tallied()? {
            let last = views.last_tally(&who, TallyKind::Alarm)?;
            let last = last.filter(|row| row.at >= since);
            if let Some(row) = last.filter(|_| wanted.as_ref().is_none_or(|one| *one == who)) {
                let kind = AlarmKind::from_number(row.word).map(AlarmKind::word);
                alarms.push(json!({ "user": who, "alarm": kind, "at": row.at }));
            }
        }
        Ok(Value::Array(alarms))
    }

    /// The span that is asked for; without a word all of the log.
    fn span(&self, body: &StatsBody) -> Result<Range<Timestamp>, Error> {
        // what is recorded at this very moment belongs to it
        let now = self.now().plus_millis(1);
        let moment = |name: &str, text: &Option<String>, other: Timestamp| match text {
            None => Ok(other),
            Some(text) => {
                let moment: Result<Moment, String> = text.parse();
                let moment =
                    moment.map_err(|error| requests::malformed(format!("{name}: {error}")))?;
                Ok::<_, Error>(moment.before(now))
            }
        };
        let since = moment("since", &body.since, Timestamp::from_millis(i64::MIN))?;
        let until = moment("until", &body.until, now)?;
        if since > until {
            let detail = format!("since: {since} is after {until}");
            return Err(requests::malformed(detail));
        }
        Ok(since..until)
    }

    /// Whose figures are meant; none for those of all.
    fn whose(
        &self,
        caller: &Principal,
        user: Option<Principal>,
    ) -> Result<Option<Principal>, Error> {
        let world = self.world();
        let sees_all = [Role::Admin, Role::Auditor, Role::Operator]
            .into_iter()
            .any(|role| world.policy.has_role(caller, role));
        match user {
            Some(user) if sees_all || user == *caller => Ok(Some(user)),
            Some(user) => {
                let detail = format!("{caller} sees their own figures, not those of {user}");
                Err(Error::Refused { code: "PL3060", detail })
            }
            None if sees_all => Ok(None),
            None => Ok(Some(caller.clone())),
        }
    }
}

fn figures_of(
    views: &Views<'_>,
    who: &Principal,
    span: &Range<Timestamp>,
) -> Result<Figures, Error> {
    let mut figures = Figures::default();
    let mut each = |kind, add: fn(&mut Figures, &TallyRow)| {
        views.tally((Some(who), kind), span.clone(), |row| {
            add(&mut figures, &row);
            ControlFlow::Continue(())
        })
    };
    each(TallyKind::Voted, Figures::voted)?;
    each(TallyKind::InAdvance, |figures, _row| figures.in_advance += 1)?;
    each(TallyKind::Reversed, Figures::reversed)?;
    each(TallyKind::Alarm, Figures::alarmed)?;
    Ok(figures)
}

impl Figures {
    fn voted(&mut self, row: &TallyRow) {
        let Some(verdict) = Verdict::from_number(row.word) else { return };
        *self.verdicts.entry(verdict.word()).or_default() += 1;
        if decides(verdict) {
            self.decisions += 1;
            self.quick += u64::from(row.took_ms < QUICK_MS);
            self.took.add(row.took_ms);
        }
    }

    fn reversed(&mut self, row: &TallyRow) {
        let by = Settlement::from_number(row.word).map_or("objected", Settlement::word);
        *self.reversed.entry(by).or_default() += 1;
    }

    fn alarmed(&mut self, row: &TallyRow) {
        self.alarms_total += 1;
        if self.alarms.len() == ALARMS_SHOWN {
            self.alarms.pop_front();
        }
        self.alarms.push_back(row.clone());
    }

    fn to_json(&self, who: &Principal) -> Value {
        let counts = |counts: &BTreeMap<&'static str, u64>| {
            Value::from(
                counts.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect::<Map<_, _>>(),
            )
        };
        let took = (self.decisions > 0).then(|| {
            json!({
                "p50_ms": self.took.quantile(50),
                "p90_ms": self.took.quantile(90),
                "p99_ms": self.took.quantile(99),
            })
        });
        let alarms: Vec<Value> = self
            .alarms
            .iter()
            .map(|row| {
                let kind = AlarmKind::from_number(row.word).map(AlarmKind::word);
                json!({ "alarm": kind, "at": row.at, "position": row.position })
            })
            .collect();
        json!({
            "user": who,
            "decisions": self.decisions,
            "verdicts": counts(&self.verdicts),
            "in_advance": self.in_advance,
            "time_to_decide": took,
            "quick": self.quick,
            "quick_per_cent": (self.quick * 100).checked_div(self.decisions),
            "edits": self.verdicts.get(Verdict::Edit.word()).copied().unwrap_or_default(),
            "reversals": self.reversed.values().sum::<u64>(),
            "reversed_by": counts(&self.reversed),
            "expired": self.expired,
            "expired_unseen": self.unseen,
            "alarms": self.alarms_total,
            "last_alarms": alarms,
        })
    }
}
