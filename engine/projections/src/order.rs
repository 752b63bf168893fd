//! The fold of runs that are ordered by a task of another run, or by a schedule: what still has to
//! be done about them after a restart.

use crate::key::Mark;
use crate::project::Place;
use crate::store::Store;
use crate::table::TableName;
use crate::{Error, OrderRow, OrderStage, OrderedBy};
use placet_model::event::child::{ChildStarted, ScheduleFired};
use placet_model::{Digest, RecordedEvent, RunId};
use serde::{Deserialize, Serialize};

/// A run that was ordered, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    by: OrderedBy,
    plan_digest: Digest,
    input: Option<Place>,
    life: Life,
    claim: Claim,
}

/// How far the run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Life {
    Ordered,
    Begun,
    Over,
}

/// What whoever has ordered it still wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Claim {
    Open,
    /// Whoever awaits its end knows of it.
    Told,
    Dropped,
}

impl Order {
    /// Whether somebody has something to do.
    fn is_pending(&self) -> bool {
        let awaited = matches!(self.by, OrderedBy::Run { awaited: true, .. });
        match (self.life, self.claim) {
            (Life::Ordered, Claim::Open | Claim::Told) | (Life::Begun, Claim::Dropped) => true,
            (Life::Over, Claim::Open) => awaited,
            (Life::Begun, Claim::Open | Claim::Told)
            | (Life::Over, Claim::Told | Claim::Dropped)
            | (Life::Ordered, Claim::Dropped) => false,
        }
    }

    /// The row as readers see it; none when a stream has no name of ours.
    pub(crate) fn into_row(self, run: RunId) -> Option<OrderRow> {
        let input = match self.input {
            None => None,
            Some(place) => Some(place.into_located()?),
        };
        let (stage, dropped) = (self.life.into(), self.claim == Claim::Dropped);
        Some(OrderRow { run, plan_digest: self.plan_digest, input, by: self.by, stage, dropped })
    }
}

pub(crate) fn child_started(
    store: &mut Store<'_>,
    (event, parent): (&RecordedEvent, RunId),
    body: &ChildStarted,
) -> Result<(), Error> {
    let by = OrderedBy::Run { run: parent, awaited: body.awaited };
    let input = Some(Place::new(&event.stream, body.input));
    put(store, body.child, &Order::new(by, body.plan_digest, input))
}

pub(crate) fn schedule_fired(
    store: &mut Store<'_>,
    event: &RecordedEvent,
    body: &ScheduleFired,
) -> Result<(), Error> {
    let family = event.stream.to_string();
    let family = family.strip_prefix("workflow:").unwrap_or_default().to_owned();
    let input = body.input.map(|input| Place::new(&event.stream, input));
    put(store, body.run, &Order::new(OrderedBy::Schedule { family }, body.plan_digest, input))
}

impl Order {
    const fn new(by: OrderedBy, plan_digest: Digest, input: Option<Place>) -> Self {
        Self { by, plan_digest, input, life: Life::Ordered, claim: Claim::Open }
    }
}

/// Something has become of a run; most runs were ordered by nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Became {
    Begun,
    Over,
    Told,
    Dropped,
}

pub(crate) fn became(store: &mut Store<'_>, run: RunId, what: Became) -> Result<(), Error> {
    let Some(mut order) = store.get::<Order>(TableName::Orders, &run.to_bytes())? else {
        return Ok(());
    };
    match what {
        Became::Begun => order.life = Life::Begun,
        Became::Over => order.life = Life::Over,
        Became::Told => order.claim = Claim::Told,
        Became::Dropped => order.claim = Claim::Dropped,
    }
    put(store, run, &order)
}

fn put(store: &mut Store<'_>, run: RunId, order: &Order) -> Result<(), Error> {
    store.put(TableName::Orders, &run.to_bytes(), order)?;
    let mark = Mark::Ordered(run).key();
    if order.is_pending() {
        store.put(TableName::Hot, &mark, &())
    } else {
        store.remove(TableName::Hot, &mark)
    }
}

impl From<Life> for OrderStage {
    fn from(life: Life) -> Self {
        match life {
            Life::Ordered => Self::Ordered,
            Life::Begun => Self::Begun,
            Life::Over => Self::Over,
        }
    }
}
