//! What the log alone says of events that came, of orders, and of waits: what the core's fold of a
//! single run does not know.

use placet_model::event::child::{ChildStarted, ScheduleFired};
use placet_model::event::inbound::ENVELOPE;
use placet_model::integration::IntegrationStatus;
use placet_model::{
    Digest, Event, IntegrationId, PayloadRef, Position, RecordedEvent, RunId, StreamId, TaskPath,
};
use placet_projections::{ArrivalRow, Located, OrderRow, OrderStage, OrderedBy, Pauses};
use std::collections::{BTreeMap, BTreeSet};

/// Reads the log as it grows.
pub(crate) struct Witness {
    /// Events that came, the first of each source and id.
    pub(crate) arrivals: Vec<ArrivalRow>,
    pub(crate) identities: BTreeMap<Digest, Position>,
    pub(crate) delivered: Position,
    pub(crate) orders: BTreeMap<RunId, OrderRow>,
    told: BTreeSet<RunId>,
    /// What a `listen` waits for, and where it began to, or went on.
    pub(crate) waits: BTreeMap<(RunId, TaskPath), (Vec<String>, Position)>,
    pub(crate) pauses: Pauses,
    pub(crate) policy: Option<Digest>,
    /// Those that were ever connected.
    connected: BTreeSet<IntegrationId>,
    /// What was said of each, also before it was connected.
    statuses: BTreeMap<IntegrationId, IntegrationStatus>,
}

impl Witness {
    pub(crate) const fn new() -> Self {
        Self {
            arrivals: Vec::new(),
            identities: BTreeMap::new(),
            delivered: Position::START,
            orders: BTreeMap::new(),
            told: BTreeSet::new(),
            waits: BTreeMap::new(),
            pauses: Pauses { project: false, integrations: BTreeSet::new() },
            policy: None,
            connected: BTreeSet::new(),
            statuses: BTreeMap::new(),
        }
    }

    pub(crate) fn sees(&mut self, event: &RecordedEvent) {
        if let StreamId::Run(run) = event.stream {
            self.sees_run(run, event);
            return;
        }
        match &event.event {
            Event::EventReceived(body) => {
                let row = row(event, (&body.kind, body.to), body.envelope);
                self.came(body.identity, row);
            }
            Event::InboundReceived(body) => {
                let own = PayloadRef::new(event.revision, ENVELOPE);
                let row = row(event, (&body.kind, None), own);
                self.came(body.identity, row);
            }
            Event::EventsDelivered(body) => self.delivered = body.up_to,
            Event::ScheduleFired(body) => self.fired(event, body),
            Event::PolicyChanged(body) => self.policy = Some(body.digest),
            Event::OutboundPaused(body) => match body.integration {
                None => self.pauses.project = true,
                Some(id) => drop(self.pauses.integrations.insert(id)),
            },
            Event::OutboundResumed(body) => match body.integration {
                None => self.pauses.project = false,
                Some(id) => drop(self.pauses.integrations.remove(&id)),
            },
            other => self.sees_integration(other),
        }
    }

    fn sees_integration(&mut self, event: &Event) {
        use IntegrationStatus::{Active, Disabled, Disconnected, Failed};
        let mut goes = |id, from: &[IntegrationStatus], to| {
            let status = self.statuses.entry(id).or_insert(Active);
            if from.contains(status) {
                *status = to;
            }
        };
        match event {
            Event::IntegrationConnected(body) => {
                goes(body.integration, &[Failed, Disconnected], Active);
                self.connected.insert(body.integration);
            }
            Event::IntegrationTested(body) => goes(body.integration, &[Failed], Active),
            Event::HealthCheckFailed(body) => goes(body.integration, &[Active], Failed),
            Event::IntegrationDisabled(body) => {
                goes(body.integration, &[Active, Failed], Disabled);
            }
            Event::IntegrationEnabled(body) => {
                goes(body.integration, &[Disabled, Failed], Active);
            }
            Event::IntegrationDisconnected(body) => {
                goes(body.integration, &[Active, Failed, Disabled], Disconnected);
            }
            _ => {}
        }
    }

    fn sees_run(&mut self, run: RunId, event: &RecordedEvent) {
        let here = event.position;
        match &event.event {
            Event::EventEmitted(body) => {
                self.came(body.identity, row(event, (&body.kind, None), body.envelope));
            }
            Event::WaitStarted(body) => {
                let wait = (body.types.clone(), here);
                self.waits.insert((run, body.task.clone()), wait);
            }
            Event::EventMatched(body) => self.goes_on(run, &body.task, here),
            Event::EventHandled(body) => self.goes_on(run, &body.task, here),
            Event::ChildStarted(body) => self.ordered(run, event, body),
            Event::ChildEnded(body) => drop(self.told.insert(body.child)),
            Event::ChildDropped(body) => self.order(body.child, |order| order.dropped = true),
            Event::RunStarted(_) => self.order(run, |order| order.stage = OrderStage::Begun),
            Event::RunCompleted(_) | Event::RunFaulted(_) | Event::RunCancelled(_) => {
                self.order(run, |order| order.stage = OrderStage::Over);
            }
            _ => {}
        }
    }

    /// Integrations with where they stand.
    pub(crate) fn integrations(&self) -> BTreeMap<IntegrationId, IntegrationStatus> {
        self.connected.iter().map(|id| (*id, self.statuses[id])).collect()
    }

    fn goes_on(&mut self, run: RunId, task: &TaskPath, here: Position) {
        self.waits.get_mut(&(run, task.clone())).expect("the wait has begun").1 = here;
    }

    fn came(&mut self, identity: Digest, row: ArrivalRow) {
        if let std::collections::btree_map::Entry::Vacant(entry) = self.identities.entry(identity) {
            entry.insert(row.position);
            self.arrivals.push(row);
        }
    }

    fn order(&mut self, run: RunId, change: impl FnOnce(&mut OrderRow)) {
        self.orders.get_mut(&run).map(change);
    }

    fn ordered(&mut self, by: RunId, event: &RecordedEvent, body: &ChildStarted) {
        let input = Some(Located { stream: event.stream.clone(), payload: body.input });
        let order = OrderRow {
            run: body.child,
            plan_digest: body.plan_digest,
            input,
            by: OrderedBy::Run { run: by, awaited: body.awaited },
            stage: OrderStage::Ordered,
            dropped: false,
        };
        self.orders.insert(body.child, order);
    }

    fn fired(&mut self, event: &RecordedEvent, body: &ScheduleFired) {
        let StreamId::Workflow(family) = &event.stream else { panic!("a schedule's stream") };
        let input = body.input.map(|payload| Located { stream: event.stream.clone(), payload });
        let order = OrderRow {
            run: body.run,
            plan_digest: body.plan_digest,
            input,
            by: OrderedBy::Schedule { family: family.clone() },
            stage: OrderStage::Ordered,
            dropped: false,
        };
        self.orders.insert(body.run, order);
    }

    /// Runs that were ordered and may still begin.
    pub(crate) fn to_begin(&self) -> impl Iterator<Item = RunId> {
        self.orders
            .values()
            .filter(|order| order.stage == OrderStage::Ordered && !order.dropped)
            .map(|order| order.run)
    }

    /// A run must begin, its end be told to whoever awaits it, or it must be cancelled.
    pub(crate) fn is_pending(&self, order: &OrderRow) -> bool {
        let awaited = matches!(order.by, OrderedBy::Run { awaited: true, .. });
        match (order.stage, order.dropped) {
            (OrderStage::Ordered, dropped) => !dropped,
            (OrderStage::Begun, dropped) => dropped,
            (OrderStage::Over, dropped) => !dropped && awaited && !self.told.contains(&order.run),
        }
    }
}

fn row(
    event: &RecordedEvent,
    (kind, to): (&str, Option<RunId>),
    payload: PayloadRef,
) -> ArrivalRow {
    ArrivalRow {
        position: event.position,
        at: event.recorded_at,
        kind: kind.to_owned(),
        to,
        envelope: Located { stream: event.stream.clone(), payload },
    }
}
