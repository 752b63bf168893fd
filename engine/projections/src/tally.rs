//! What approvers did, in order of time, and how far they were told of what waits: the figures about
//! people rest on these rows and on nothing else.
//!
//! | row | written with | under |
//! | --- | --- | --- |
//! | voted | `VoteCast` | the voter, with the time since it lay in the inbox |
//! | in advance | `VoteCast` after `StandingUsed` | the voter; nobody has looked, so it has no time |
//! | reversed | `DecisionSettled`, `BreakGlassReviewed` | whose vote somebody's later act has undone |
//! | expired | `DecisionSettled (expired)` | nobody |
//! | heard | `NoticeSent` about requests | who was told |
//! | alarm | `ApproverAlarmRaised` | of whom it speaks |
//!
//! A vote is undone when a request that somebody has approved is rejected, sent back, withdrawn or
//! replaced by an edit afterwards; when one that somebody has rejected is approved all the same; and
//! when a review objects to what was sent in an emergency. What only the engine did (an expiry, a
//! bound field that differs) undoes nobody's vote.

use crate::decision::{Change, Decision};
use crate::key::moment;
use crate::store::Store;
use crate::table::TableName;
use crate::{Error, TallyKind};
use placet_model::decision::{Settlement, Verdict};
use placet_model::draft::Mode;
use placet_model::event::governance::{BreakGlassReviewed, Review};
use placet_model::event::notice::{
    ApproverAlarmRaised, NoticeAbout, NoticeFailed, NoticeQueued, NoticeSent,
};
use placet_model::{DecisionId, EventId, Position, Principal, RecordedEvent, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A row of [`TableName::Tally`], as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) decision: Option<DecisionId>,
    /// The number of the verdict, of the settlement that undid it (0: a review), or of the alarm;
    /// with an expiry how many had voted.
    pub(crate) word: u16,
    /// Milliseconds since it lay in the inbox.
    pub(crate) took_ms: u64,
}

/// A row of [`TableName::Told`], as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) up_to: Position,
    pub(crate) queued_at: Timestamp,
    /// The notice that has come to no end yet.
    pub(crate) under_way: Option<EventId>,
    /// Its tries so far.
    pub(crate) tries: u32,
    /// Whether it is about requests.
    pub(crate) of_requests: bool,
}

/// Key of [`TableName::Told`] under which it stands from where to read on.
pub(crate) const RESUME: &[u8] = b"";

/// What the keys of somebody's rows of a kind begin with; of nobody's with an empty name.
pub(crate) fn prefix(who: Option<&Principal>, kind: TallyKind) -> Vec<u8> {
    let name = who.map_or("", Principal::as_str);
    [name.as_bytes(), &[0, kind as u8]].concat()
}

/// The key of what somebody was told over a channel.
pub(crate) fn told_key(to: &Principal, channel: &str, mode: Mode) -> Vec<u8> {
    let mode = match mode {
        Mode::Sandbox => 1,
        Mode::Live => 2,
    };
    [to.as_str().as_bytes(), &[0], channel.as_bytes(), &[0, mode]].concat()
}

/// Rows of one commit, by their keys.
pub(crate) type Rows = Vec<(Vec<u8>, Stored)>;

fn row(
    event: &RecordedEvent,
    (who, kind): (Option<&Principal>, TallyKind),
    stored: Stored,
) -> (Vec<u8>, Stored) {
    let mut key = prefix(who, kind);
    key.extend_from_slice(&moment(event.recorded_at));
    key.extend_from_slice(&event.position.get().to_be_bytes());
    (key, stored)
}

/// What a change of a decision adds, given the decision before it.
pub(crate) fn of_change(
    (id, decision): (DecisionId, &Decision),
    change: &Change<'_>,
    event: &RecordedEvent,
) -> Rows {
    let of = |word: u16, took_ms: u64| Stored { decision: Some(id), word, took_ms };
    match change {
        Change::Voted(vote) if decision.in_advance.contains(&vote.voter) => {
            let stored = of(vote.verdict.number(), 0);
            vec![row(event, (Some(&vote.voter), TallyKind::InAdvance), stored)]
        }
        Change::Voted(vote) => {
            let took_ms = u64::try_from(event.recorded_at.millis_since(decision.asked_at));
            let stored = of(vote.verdict.number(), took_ms.unwrap_or(0));
            vec![row(event, (Some(&vote.voter), TallyKind::Voted), stored)]
        }
        Change::Settled(body) => match body.settlement {
            Settlement::Expired => {
                let voted = u16::try_from(decision.votes.len()).unwrap_or(u16::MAX);
                vec![row(event, (None, TallyKind::Expired), of(voted, 0))]
            }
            Settlement::Approved => undone(decision, Verdict::Reject)
                .map(|who| {
                    row(event, (Some(who), TallyKind::Reversed), of(body.settlement.number(), 0))
                })
                .collect(),
            Settlement::Rejected
            | Settlement::Responded
            | Settlement::Withdrawn
            | Settlement::Superseded => undone(decision, Verdict::Approve)
                .map(|who| {
                    row(event, (Some(who), TallyKind::Reversed), of(body.settlement.number(), 0))
                })
                .collect(),
        },
        Change::Requested(_)
        | Change::Resolved(_)
        | Change::Raised(_)
        | Change::Reassigned(_)
        | Change::Voided(_)
        | Change::Standing(_)
        | Change::Delegated(_)
        | Change::Reminded(_)
        | Change::Claimed(_)
        | Change::Unspent
        | Change::InDoubt(_)
        | Change::DoubtOver => vec![],
    }
}

/// Who has said this themselves, each once.
fn undone(decision: &Decision, verdict: Verdict) -> impl Iterator<Item = &Principal> {
    let given = decision.standing.as_ref().map(|standing| standing.voters.as_slice());
    let given = given.unwrap_or_default();
    let said = decision.votes.iter().filter(move |(_, said, _)| *said == verdict);
    let people: BTreeSet<&Principal> = said.map(|(voter, ..)| voter).collect();
    people.into_iter().filter(move |who| !given.contains(who))
}

/// A review that objects undoes what was sent in an emergency.
pub(crate) fn reviewed(
    decision: &Decision,
    body: &BreakGlassReviewed,
    event: &RecordedEvent,
) -> Rows {
    if body.review != Review::Objected {
        return vec![];
    }
    let stored = Stored { decision: Some(body.decision), word: 0, took_ms: 0 };
    undone(decision, Verdict::BreakGlass)
        .map(|who| row(event, (Some(who), TallyKind::Reversed), stored.clone()))
        .collect()
}

/// An alarm speaks of somebody.
pub(crate) fn alarmed(
    store: &mut Store<'_>,
    body: &ApproverAlarmRaised,
    event: &RecordedEvent,
) -> Result<(), Error> {
    let stored = Stored { decision: None, word: body.alarm.number(), took_ms: 0 };
    let (key, stored) = row(event, (Some(&body.approver), TallyKind::Alarm), stored);
    store.put(TableName::Tally, &key, &stored)
}

/// Somebody is about to be told.
pub(crate) fn queued(
    store: &mut Store<'_>,
    body: &NoticeQueued,
    event: &RecordedEvent,
) -> Result<(), Error> {
    let requests = [NoticeAbout::Waiting, NoticeAbout::Reminder, NoticeAbout::Escalation];
    let told = Told {
        up_to: body.up_to,
        queued_at: event.recorded_at,
        under_way: Some(event.event_id),
        tries: 0,
        of_requests: body.about.iter().any(|(about, _)| requests.contains(about)),
    };
    store.put(TableName::Told, &told_key(&body.to, &body.channel, body.mode), &told)?;
    store.put(TableName::Told, RESUME, &body.resume_after)
}

/// It got through, or would have.
pub(crate) fn sent(
    store: &mut Store<'_>,
    body: &NoticeSent,
    event: &RecordedEvent,
) -> Result<(), Error> {
    let mode = if body.would_have_sent { Mode::Sandbox } else { Mode::Live };
    let key = told_key(&body.to, &body.channel, mode);
    let Some(mut told) = store.get::<Told>(TableName::Told, &key)? else { return Ok(()) };
    if told.of_requests && !body.would_have_sent {
        let stored = Stored { decision: None, word: 0, took_ms: 0 };
        let (key, stored) = row(event, (Some(&body.to), TallyKind::Heard), stored);
        store.put(TableName::Tally, &key, &stored)?;
    }
    told.under_way = told.under_way.filter(|notice| *notice != body.notice);
    store.put(TableName::Told, &key, &told)
}

/// A try came to nothing.
pub(crate) fn failed(store: &mut Store<'_>, body: &NoticeFailed) -> Result<(), Error> {
    for mode in Mode::ALL {
        let key = told_key(&body.to, &body.channel, *mode);
        let Some(mut told) = store.get::<Told>(TableName::Told, &key)? else { continue };
        if told.under_way != Some(body.notice) {
            continue;
        }
        told.tries = body.try_number;
        told.under_way = told.under_way.filter(|_| body.retry_at.is_some());
        store.put(TableName::Told, &key, &told)?;
    }
    Ok(())
}
