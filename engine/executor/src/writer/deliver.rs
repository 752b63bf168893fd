//! Telling whoever waits: of events that have come, and of runs that were ordered and have ended.
//!
//! Nothing is kept in memory for a run that waits: the projections know who listens. What a crash
//! leaves untold is told again at the next start; a run takes an event once. Where it cannot be read
//! whom to tell, the loop ends, and nothing is recorded as told.

use super::{Ended, Writer};
use crate::env::Error;
use crate::input::Change;
use crate::turn::Job;
use placet_adapters::inbound::NOTICE;
use placet_core::effect::{Effect, react};
use placet_log::{Append, AppendResult, Expected, NewEvent, Novelty};
use placet_model::event::wait::EventsDelivered;
use placet_model::{Actor, Event, EventId, Position, RecordedEvent, RunId, StreamId, Timestamp};
use placet_projections::{OrderRow, OrderStage, OrderedBy, Views};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::oneshot;

/// Deliveries after which it is recorded how far they have come.
const RECORDED_EVERY: u32 = 64;

/// How far telling has come.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    /// The last event of which everybody was told, or is being told.
    up_to: Option<Position>,
    /// What was heard of and is not read yet: telling is not over before it.
    unread: BTreeMap<EventId, Position>,
    /// How many since it was last recorded.
    count: u32,
    /// Whether any run was ever ordered: most projects have none, and pay nothing for it.
    pub(super) orders: bool,
}

impl Deliveries {
    /// Something was heard of whose object is read next, or was read.
    fn heard(&mut self, event: &RecordedEvent) {
        let Event::InboundReceived(body) = &event.event else { return };
        if body.kind.ends_with(NOTICE) {
            self.unread.insert(event.event_id, event.position);
        } else if let Some(notice) = event.causation {
            self.unread.remove(&notice);
        }
    }

    /// Up to where telling is over.
    fn over(&self) -> Option<Position> {
        let first = self.unread.values().min();
        let before = first.map(|first| Position::new(first.get().saturating_sub(1)));
        self.up_to.map(|up_to| before.map_or(up_to, |before| before.min(up_to)))
    }

    pub(super) fn note(&mut self, position: Position) {
        self.up_to = self.up_to.max(Some(position));
        self.count += 1;
    }
}

impl Writer {
    /// Tells every run that waits for events of this kind.
    pub(super) fn deliver(&mut self, event: &RecordedEvent) {
        self.state.deliveries.note(event.position);
        self.state.deliveries.heard(event);
        match self.listeners(event) {
            Ok(runs) => {
                for run in runs {
                    self.post(run, Job::Arrived(event.position), None);
                }
            }
            Err(error) => self.unreadable("who waits for an event", &error),
        }
        if let Event::InboundReceived(body) = &event.event {
            for run in self.state.marks.told(&body.correlate) {
                self.post(run, Job::Witnessed(event.position), None);
            }
        }
    }

    /// What a provider posted is on disk, or was there before and then everybody was told of it.
    pub(super) fn arrived(&mut self, result: AppendResult) -> Option<Ended> {
        match result {
            Ok(appended) => {
                if let Some(last) = appended.events.last() {
                    self.env.not_before(last.recorded_at);
                }
                if appended.novelty == Novelty::Written {
                    for event in &appended.events {
                        self.project_effects(event);
                    }
                }
                None
            }
            Err(error) if error.wrote_nothing() => {
                tracing::error!(%error, "what a provider posted could not be recorded; it was asked to come again");
                None
            }
            Err(error) => Some(self.commit_failed(&error, None)),
        }
    }

    fn listeners(&self, event: &RecordedEvent) -> Result<BTreeSet<RunId>, Error> {
        let (kind, to) = match &event.event {
            Event::EventEmitted(body) => (&body.kind, None),
            Event::EventReceived(body) => (&body.kind, body.to),
            Event::InboundReceived(body) => (&body.kind, None),
            _ => return Ok(BTreeSet::new()),
        };
        let view = self.env.view()?;
        told(&Views::new(&view)?, kind, (event.position, to))
    }

    /// What an event of the project asks of the loop.
    pub(super) fn project_effects(&mut self, event: &RecordedEvent) {
        for effect in react(&event.event) {
            if effect == Effect::Arrived {
                self.deliver(event);
            }
        }
        match (&event.event, &event.stream) {
            (Event::ScheduleFired(body), _) => {
                self.state.deliveries.orders = true;
                self.post(body.run, Job::StartOrdered, None);
            }
            (Event::WorkflowDeployed(_), StreamId::Workflow(family)) => self.reschedule(family),
            _ => {}
        }
    }

    /// A run has ended at this moment: whoever has ordered it and awaits the end is told.
    pub(super) fn tell_orderer(&mut self, run: RunId, at: Timestamp) {
        if !self.state.deliveries.orders {
            return;
        }
        match self.order(run) {
            Ok(Some(OrderRow { by: OrderedBy::Run { run: parent, awaited: true }, .. })) => {
                self.post(parent, Job::ChildOver(run), None);
            }
            Ok(Some(OrderRow { by: OrderedBy::Schedule { family }, .. })) => {
                self.scheduled_over(&family, run, at);
            }
            Ok(_) => {}
            Err(error) => self.unreadable("who has ordered a run", &error),
        }
    }

    fn order(&self, run: RunId) -> Result<Option<OrderRow>, Error> {
        let view = self.env.view()?;
        Ok(Views::new(&view)?.order(run)?)
    }

    /// Once everybody has been told, records how far telling has come.
    pub(super) fn settle_deliveries(&mut self) {
        let due = self.state.deliveries.count >= RECORDED_EVERY;
        if !due || self.state.stopping.is_some() || self.state.unreadable || !self.is_idle() {
            return;
        }
        let Some(up_to) = self.state.deliveries.over() else { return };
        self.state.deliveries.count = 0;
        let id = self.env.mint.event(self.env.now());
        let new = NewEvent::new(id, Actor::Engine, EventsDelivered { up_to });
        let append = Append::new(StreamId::Events, Expected::Any, vec![new]);
        let (reply, _nobody_waits) = oneshot::channel();
        self.govern(Change { group: vec![append], policy: None, reply, turn: None });
    }

    /// After a restart: what came and was not told to everybody is told again, waits that began
    /// meanwhile look for what came before, and runs that were ordered begin, end or are cancelled.
    pub(super) fn recover_deliveries(&mut self) -> Result<(), Error> {
        let (untold, waits, orders, any, delivered) = {
            let view = self.env.view()?;
            let views = Views::new(&view)?;
            let delivered = views.delivered()?;
            let since = (Timestamp::from_millis(i64::MIN), delivered);
            let mut untold = vec![];
            for arrival in views.arrivals(None, since, usize::MAX)? {
                let runs = told(&views, &arrival.kind, (arrival.position, arrival.to))?;
                untold.push((arrival.position, runs));
            }
            let waits = views.listening_since(delivered)?;
            (untold, waits, views.pending_orders()?, views.has_orders()?, delivered)
        };
        self.state.deliveries.orders = any;
        let unread = crate::connections::notices(&self.env, delivered)?;
        let unread = unread.into_iter().map(|notice| (notice.id, notice.position));
        self.state.deliveries.unread = unread.collect();
        for run in waits {
            self.accept(run, Job::Hear, None);
        }
        for (position, runs) in untold {
            self.state.deliveries.note(position);
            for run in runs {
                self.accept(run, Job::Arrived(position), None);
            }
        }
        for order in orders {
            self.recover_order(&order);
        }
        Ok(())
    }

    fn recover_order(&mut self, order: &OrderRow) {
        match &order.by {
            _ if order.dropped => self.accept(order.run, Job::Drop, None),
            _ if order.stage == OrderStage::Ordered => {
                self.accept(order.run, Job::StartOrdered, None);
            }
            OrderedBy::Run { run: parent, .. } => {
                self.accept(*parent, Job::ChildOver(order.run), None);
            }
            OrderedBy::Schedule { .. } => {}
        }
    }
}

/// The runs that are told of an event: those whose wait began before it came. A wait that began later
/// looks itself for what came before, in order, once its beginning is on disk.
fn told(
    views: &Views<'_>,
    kind: &str,
    (position, to): (Position, Option<RunId>),
) -> Result<BTreeSet<RunId>, Error> {
    let listeners = views.listeners(kind)?.into_iter();
    let meant = |(run, at): &(RunId, Position)| *at < position && to.is_none_or(|to| to == *run);
    Ok(listeners.filter(meant).map(|(run, _)| run).collect())
}
