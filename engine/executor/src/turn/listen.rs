//! Waiting for events (language 4.11, 5.6, 10): what has come before the wait is taken first, in the
//! order in which it came, then what comes.
//!
//! An event is looked at outside every transaction; the append that takes it carries the run's
//! expected revision, so an arrival and a timeout cannot both win.

mod filter;
mod reply;

use super::begin::Held;
use super::scope::Place;
use super::{Error, Outcome, Turn, or_fault};
use crate::events;
use crate::values::Content;
use filter::{Filters, interest};
use placet_adapters::inbound::{ECHO, NOTICE};
use placet_core::run::{BranchKey, Frame, FrameKind, Wait};
use placet_model::event::wait::{EventHandled, EventMatched, Taken, WaitStarted};
use placet_model::plan::{Listen, Task, TaskKind, Until};
use placet_model::{Event, Iteration, PayloadRef, Position, Timestamp};
use placet_projections::{ArrivalRow, Views};
use reply::REPLY_TO;
use serde_json::Value;
use std::sync::Arc;

impl Turn<'_> {
    /// Begins to wait, or takes what has come. False when nothing that has come is taken.
    pub(super) fn listen(&mut self, task: &Task, iteration: Iteration) -> Result<bool, Error> {
        let TaskKind::Listen(listen) = &task.kind else { return self.astray(&task.path) };
        let Some(wait) = self.open_wait() else { return Ok(false) };
        if wait.since.is_none() {
            let (task, types) = (task.path.clone(), interest(&listen.to));
            let since = self.window();
            self.note(WaitStarted { task, iteration, since, types }, vec![])?;
            // events are looked for once the wait is on disk: none can come between the two
            return Ok(false);
        }
        let arrivals = self.arrivals(&interest(&listen.to), &wait)?;
        self.take(task, iteration, &arrivals)
    }

    /// What of these events the wait takes, one after the other.
    fn take(
        &mut self,
        task: &Task,
        iteration: Iteration,
        arrivals: &[ArrivalRow],
    ) -> Result<bool, Error> {
        let TaskKind::Listen(listen) = &task.kind else { return self.astray(&task.path) };
        let mut took = false;
        for arrival in arrivals {
            if self.open_wait().is_none() {
                break;
            }
            match self.take_one(task, (&iteration, listen), arrival)? {
                Ok(taken) => took |= taken,
                Err(fault) => return self.fault_task(&task.path, iteration, fault),
            }
        }
        let goes_on = took && self.open_wait().is_none();
        Ok(goes_on)
    }

    /// The wait of the branch that is worked on, while it takes events.
    fn open_wait(&self) -> Option<Wait> {
        match &self.here().frames.last()?.kind {
            FrameKind::Listen(wait) if wait.current.is_none() && !wait.ended => {
                Some((**wait).clone())
            }
            FrameKind::Listen(_)
            | FrameKind::List
            | FrameKind::Branch
            | FrameKind::Function
            | FrameKind::Try(_)
            | FrameKind::Backoff { .. }
            | FrameKind::Catch { .. }
            | FrameKind::For { .. } => None,
        }
    }

    /// Events count from the start of the latest gated or sending task that precedes the wait in its
    /// list or an enclosing one; else from the start of the run.
    fn window(&self) -> Timestamp {
        let around = self.out.run.frames_around(self.here());
        let latest = around.filter_map(|frame| frame.effect_at).max();
        latest.or_else(|| self.out.run.facts().map(|facts| facts.started_at)).unwrap_or(self.now)
    }

    /// What has come that the wait may take, in order.
    fn arrivals(&self, types: &[String], wait: &Wait) -> Result<Vec<ArrivalRow>, Error> {
        let Some(since) = wait.since else { return Ok(vec![]) };
        let most = usize::try_from(self.env.config.limits.events_buffered_max).unwrap_or(1000);
        let view = self.env.view()?;
        let views = Views::new(&view).map_err(crate::env::Error::from)?;
        let mut found: Vec<ArrivalRow> = vec![];
        for kind in types {
            let kind = (!kind.is_empty()).then_some(kind.as_str());
            let rows = views.arrivals(kind, (since, wait.after), most + 1);
            found.extend(rows.map_err(crate::env::Error::from)?);
        }
        found.sort_by_key(|row| row.position);
        found.dedup_by_key(|row| row.position);
        let open = |row: ArrivalRow| self.may_take(&row).map(|may| may.then_some(row)).transpose();
        let mut found = found.into_iter().filter_map(open).collect::<Result<Vec<_>, _>>()?;
        if found.len() > most {
            let dropped = found.len() - most;
            tracing::warn!(
                run = %self.out.run.id, dropped, most,
                "more events wait than limits.events_buffered_max allows: the oldest are not looked at"
            );
            found.drain(..dropped);
        }
        Ok(found)
    }

    fn may_take(&self, arrival: &ArrivalRow) -> Result<bool, Error> {
        let mine = arrival.to.is_none_or(|to| to == self.out.run.id);
        // what only tells of our own sends is nobody's, and what was only heard of is told once it was read
        let mine = mine && ![ECHO, NOTICE].iter().any(|end| arrival.kind.ends_with(end));
        let open = mine && !self.out.run.taken.contains(&arrival.position);
        Ok(open && !self.is_silenced(arrival)?)
    }

    /// Takes the event if the wait is for it.
    fn take_one(
        &mut self,
        task: &Task,
        (iteration, listen): (&Iteration, &Listen),
        arrival: &ArrivalRow,
    ) -> Outcome<bool> {
        let Some(event) = self.event(arrival)? else { return Ok(Ok(false)) };
        let Some(wait) = self.open_wait() else { return Ok(Ok(false)) };
        let input = self.here().frames.last().map(|frame| frame.input);
        let place =
            Place { task: Some(task), input: Some(self.value_or_null(input)?), ..Place::default() };
        let expected = self.value_or_null(wait.expected)?;
        let filters = Filters::of(&listen.to);
        let open = filters.open(&wait);
        let found = or_fault!(self.first_match(&open, (&event, &expected), &place));
        let Some(found) = found else { return Ok(Ok(false)) };
        let value = events::read(&event, listen.read);
        let ends = or_fault!(self.ends(listen, (&wait, &found), (&value, &place)));
        let mut payloads = vec![Content::of_value(Arc::new(value))];
        let fixed = found.expected.map(|expected| {
            payloads.push(Content::of_value(Arc::new(expected)));
            self.out.run.slot(1, 1)
        });
        let body = EventMatched {
            task: task.path.clone(),
            iteration: iteration.clone(),
            arrival: arrival.position,
            taken: found.taken,
            filter: found.filter,
            value: self.out.run.slot(1, 0),
            expected: fixed,
            ends,
        };
        self.note(body, payloads)?;
        Ok(Ok(true))
    }

    /// Whether the wait is over with what was found.
    fn ends(
        &mut self,
        listen: &Listen,
        (wait, found): (&Wait, &filter::Found),
        (value, place): (&Value, &Place<'_>),
    ) -> Outcome<bool> {
        if let Some(Until::Condition(condition)) = Filters::of(&listen.to).until_condition()
            && found.taken == Taken::Consumed
        {
            // with a body it is evaluated after the body
            if listen.each.is_some() {
                return Ok(Ok(false));
            }
            let mut values = self.values(&wait.values)?;
            values.push(value.clone());
            return self.condition(condition, &Arc::new(Value::Array(values)), place);
        }
        Ok(Ok(Filters::of(&listen.to).is_over(wait, found)))
    }

    /// The values behind references.
    fn values(&mut self, references: &[PayloadRef]) -> Result<Vec<Value>, Error> {
        let mut values = Vec::with_capacity(references.len() + 1);
        for reference in references {
            values.push((*self.value(*reference)?).clone());
        }
        Ok(values)
    }

    /// The event behind an arrival; none when it was erased.
    fn event(&mut self, arrival: &ArrivalRow) -> Result<Option<Arc<Value>>, Error> {
        let reference = arrival.envelope.payload;
        let payload = match self.env.view()?.payload(&arrival.envelope.stream, reference) {
            Ok(payload) => payload,
            Err(placet_log::Error::Erased { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut event: Value = serde_json::from_slice(payload.as_bytes())
            .map_err(|source| crate::values::Error::NotJson { reference, source })?;
        if let Some(task) = self.replied(arrival)? {
            event[REPLY_TO] = Value::String(task.to_string());
        }
        Ok(Some(Arc::new(event)))
    }

    /// What runs for an event has ended: makes the element of the output, and the new context.
    pub(super) fn handled(
        &mut self,
        task: &Task,
        iteration: Iteration,
        (index, event, value): (u32, PayloadRef, PayloadRef),
    ) -> Result<bool, Error> {
        let TaskKind::Listen(listen) = &task.kind else { return self.astray(&task.path) };
        match self.handle_event(task, (&iteration, listen), (index, event, value))? {
            Ok(()) => Ok(true),
            Err(fault) => self.fault_task(&task.path, iteration, fault),
        }
    }

    fn handle_event(
        &mut self,
        task: &Task,
        (iteration, listen): (&Iteration, &Listen),
        (index, event, value): (u32, PayloadRef, PayloadRef),
    ) -> Outcome<()> {
        let Some(each) = &listen.each else { return Ok(Ok(())) };
        let raw = Held { value: self.value(value)?, at: Some(value) };
        let mut place =
            Place { task: Some(task), output: Some(Arc::clone(&raw.value)), ..Place::default() };
        let element = if each.output.transform.is_some() {
            or_fault!(self.transform(&each.output, raw, &place, "the element"))
        } else {
            let event = Held { value: self.value(event)?, at: Some(event) };
            or_fault!(self.transform(&each.output, event, &place, "the element"))
        };
        place.output = Some(Arc::clone(&element.value));
        let context = if each.export.is_plain() {
            None
        } else {
            Some(or_fault!(self.transform(&each.export, element.clone(), &place, "the context")))
        };
        let mut ends = false;
        if let Some(Until::Condition(condition)) = Filters::of(&listen.to).until_condition() {
            let values = match self.here().frames.last().map(|frame| frame.kind.clone()) {
                Some(FrameKind::Listen(wait)) => self.values(&wait.values)?,
                _ => vec![],
            };
            ends = or_fault!(self.condition(condition, &Arc::new(Value::Array(values)), &place));
        }
        let (element, mut payloads) = self.place_first(&element);
        let context = context.map(|context| {
            payloads.push(Content::of_value(context.value));
            self.out.run.slot(1, u16::try_from(payloads.len() - 1).unwrap_or(u16::MAX))
        });
        let (task, iteration) = (task.path.clone(), iteration.clone());
        self.note(EventHandled { task, iteration, index, element, context, ends }, payloads)?;
        Ok(Ok(()))
    }

    /// Every event has been taken: the output is the list of the elements.
    pub(super) fn heard(
        &mut self,
        task: &Task,
        iteration: Iteration,
        (input, elements): (PayloadRef, Vec<PayloadRef>),
    ) -> Result<bool, Error> {
        let output = Held::fresh(Value::Array(self.values(&elements)?));
        let input = Held { value: self.value(input)?, at: Some(input) };
        match self.finish_instant(task, &iteration, (&input, output), &task.then)? {
            Ok(()) => Ok(true),
            Err(fault) => self.fault_task(&task.path, iteration, fault),
        }
    }

    /// The waits of the run take what has come before.
    pub(super) fn hear(&mut self) -> Result<(), Error> {
        for (key, frame) in self.waits() {
            self.branch = key;
            let Some(plan) = self.out.plan.clone() else { return Ok(()) };
            let Some(task) = plan.task(&frame.task) else { continue };
            let _goes_on = self.listen(task, frame.iteration)?;
        }
        Ok(())
    }

    /// Something is known to have arrived: waits beside it look again, once that is on disk.
    pub(super) fn hear_again(&mut self) {
        let arrived = |fact: &super::Fact| {
            matches!(fact.event, Event::AttemptSucceeded(_) | Event::AttemptReconciled(_))
        };
        let news = self.out.facts.iter().any(arrived);
        if news && self.out.broken.is_none() && !self.waits().is_empty() {
            self.out.more = true;
        }
    }

    /// An event has come: the first wait that is for it takes it.
    pub(super) fn arrived(&mut self, position: Position) -> Result<(), Error> {
        let arrival = {
            let view = self.env.view()?;
            let views = Views::new(&view).map_err(crate::env::Error::from)?;
            views.arrival(position).map_err(crate::env::Error::from)?
        };
        let Some(arrival) = arrival else { return Ok(()) };
        if !self.may_take(&arrival)? {
            return Ok(());
        }
        for (key, frame) in self.waits() {
            let FrameKind::Listen(wait) = &frame.kind else { continue };
            let counts = wait.since.is_some_and(|since| arrival.at >= since);
            if !counts || arrival.position <= wait.after || !self.may_take(&arrival)? {
                continue;
            }
            if !self.began_before(wait, position)? {
                continue;
            }
            self.branch = key;
            let Some(plan) = self.out.plan.clone() else { return Ok(()) };
            let Some(task) = plan.task(&frame.task) else { continue };
            let _goes_on = self.take(task, frame.iteration, std::slice::from_ref(&arrival))?;
        }
        Ok(())
    }

    /// Whether the wait was on disk before the event. One that began later looks for itself, in order:
    /// it would lose what came before this event and was told to the wait before it.
    fn began_before(&self, wait: &Wait, position: Position) -> Result<bool, Error> {
        match self.env.view()?.stream_event(&self.stream, wait.begun) {
            Ok(began) => Ok(began.position < position),
            Err(placet_log::Error::NoSuchRevision { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The branches that wait for an event, with the frame of the wait.
    fn waits(&self) -> Vec<(BranchKey, Frame)> {
        let idle = |branch: &&placet_core::run::Branch| {
            branch.fault.is_none() && branch.activity.leaf().is_none()
        };
        let waiting = self.out.run.branches().iter().filter(idle).filter_map(|branch| {
            let frame = branch.frames.last()?;
            let FrameKind::Listen(wait) = &frame.kind else { return None };
            wait.is_open().then(|| (branch.key.clone(), frame.clone()))
        });
        waiting.collect()
    }
}
