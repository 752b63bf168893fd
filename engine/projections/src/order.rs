//! The fold of runs that are ordered by a task of another run, or by a schedule: what still has to
//! be done about them after a restart.

use crate::key::Mark;
use crate::project::Place;
use crate::store::Store;
use crate::table::TableName;
use crate::{Error, OrderRow, OrderedBy};
use placet_model::event::child::{ChildStarted, ScheduleFired};
use placet_model::{Digest, RecordedEvent, RunId};
use serde::{Deserialize, Serialize};

/// A run that was ordered, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    by: OrderedBy,
    plan_digest: Digest,
    input: Option<Place>,
    begun: bool,
    over: bool,
    dropped: bool,
    /// Whether whoever awaits its end knows of it.
    told: bool,
}

impl Order {
    /// Whether somebody has something to do.
    fn is_pending(&self) -> bool {
        let awaited = matches!(self.by, OrderedBy::Run { awaited: true, .. });
        let begin = !self.begun && !self.dropped;
        let tell = self.over && awaited && !self.told && !self.dropped;
        let cancel = self.begun && self.dropped && !self.over;
        begin || tell || cancel
    }

    /// The row as readers see it; none when a stream has no name of ours.
    pub(crate) fn into_row(self, run: RunId) -> Option<OrderRow> {
        let input = match self.input {
            None => None,
            Some(place) => Some(place.into_located()?),
        };
        let Self { by, plan_digest, begun, over, dropped, .. } = self;
        Some(OrderRow { run, plan_digest, input, by, begun, over, dropped })
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
        Self { by, plan_digest, input, begun: false, over: false, dropped: false, told: false }
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
        Became::Begun => order.begun = true,
        Became::Over => order.over = true,
        Became::Told => order.told = true,
        Became::Dropped => order.dropped = true,
    }
    put(store, run, &order)
}

fn put(store: &mut Store<'_>, run: RunId, order: &Order) -> Result<(), Error> {
    store.put(TableName::Orders, &run.to_bytes(), order)?;
    let mark = Mark::Ordered(run).key();
    if order.is_pending() {
        store.put(TableName::Marks, &mark, &())
    } else {
        store.remove(TableName::Marks, &mark)
    }
}
