//! Schedules of deployed workflows: in memory while the engine runs, made again from the log when it
//! starts. What the events of a schedule start is a run that listens: see `crate::schedules`.

use super::Writer;
use crate::env::{Env, Error};
use crate::input::Change;
use placet_core::schedule::{Fire, Times};
use placet_log::{Append, Expected, NewEvent};
use placet_model::event::child::{ScheduleFired, Trigger};
use placet_model::{Actor, Digest, Event, Revision, RunId, StreamId, Timestamp};
use placet_projections::{OrderStage, Views, WorkflowRow};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// The schedules of the latest version of each workflow.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    families: BTreeMap<String, Scheduled>,
}

#[derive(Debug)]
struct Scheduled {
    plan: Digest,
    times: Times,
    /// The run that the end-to-start schedule waits for.
    last: Option<RunId>,
}

impl Schedules {
    /// When something is due next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.families.values().filter_map(|one| one.times.next()).map(|(at, _)| at).min()
    }
}

impl Writer {
    /// Schedules start runs from now on.
    pub(super) fn run_schedules(&mut self) {
        match read_all(&self.env) {
            Ok(families) => self.state.schedules = Some(Schedules { families }),
            Err(error) => self.unreadable("the schedules", &error),
        }
    }

    /// A workflow was deployed: its schedule is the one of its latest version.
    pub(super) fn reschedule(&mut self, family: &str) {
        let Some(schedules) = &mut self.state.schedules else { return };
        match read(&self.env, family) {
            Ok(Some(scheduled)) => drop(schedules.families.insert(family.to_owned(), scheduled)),
            Ok(None) => drop(schedules.families.remove(family)),
            Err(error) => self.unreadable("a schedule", &error),
        }
    }

    /// Orders the runs that are due.
    pub(super) fn fire_schedules(&mut self) {
        let now = self.env.now();
        if self.state.stopping.is_some() {
            return;
        }
        let Some(schedules) = &mut self.state.schedules else { return };
        let mut due = vec![];
        for (family, scheduled) in &mut schedules.families {
            while let Some(fire) = scheduled.times.due(now) {
                let run = self.env.mint.run(now);
                scheduled.times.fired(fire.trigger, fire.due_at);
                if fire.trigger == Trigger::After {
                    scheduled.last = Some(run);
                }
                due.push((family.clone(), scheduled.plan, run, fire));
            }
        }
        for (family, plan, run, fire) in due {
            self.order_scheduled(family, (plan, run), fire);
        }
    }

    fn order_scheduled(&mut self, family: String, (plan_digest, run): (Digest, RunId), fire: Fire) {
        let Fire { trigger, due_at, skipped } = fire;
        if skipped > 0 {
            tracing::warn!(family, %trigger, skipped, "ticks of a schedule were missed");
        }
        let fired = ScheduleFired { trigger, due_at, skipped, run, plan_digest, input: None };
        let id = self.env.mint.event(self.env.now());
        let new = NewEvent::new(id, Actor::Engine, fired);
        let append = Append::new(StreamId::Workflow(family), Expected::Any, vec![new]);
        let (reply, _nobody_waits) = oneshot::channel();
        self.govern(Change { group: vec![append], policy: None, reply, turn: None });
    }

    /// A run that a schedule has ordered is over since this moment: what is due after its end is the
    /// same after a restart.
    pub(super) fn scheduled_over(&mut self, family: &str, run: RunId, at: Timestamp) {
        let scheduled = self.state.schedules.as_mut();
        let scheduled = scheduled.and_then(|schedules| schedules.families.get_mut(family));
        if let Some(scheduled) = scheduled.filter(|scheduled| scheduled.last == Some(run)) {
            scheduled.times.ended(at);
        }
    }
}

fn read_all(env: &Env) -> Result<BTreeMap<String, Scheduled>, Error> {
    let mut families = BTreeMap::new();
    for row in latest(env, |_| true)? {
        if let Some(scheduled) = scheduled(env, &row)? {
            families.insert(row.family, scheduled);
        }
    }
    Ok(families)
}

fn read(env: &Env, family: &str) -> Result<Option<Scheduled>, Error> {
    let rows = latest(env, |row| row.family == family)?;
    rows.first().map(|row| scheduled(env, row)).transpose().map(Option::flatten)
}

/// The latest deployment of each workflow that is wanted.
fn latest(env: &Env, wanted: impl Fn(&WorkflowRow) -> bool) -> Result<Vec<WorkflowRow>, Error> {
    let view = env.view()?;
    let mut rows = Views::new(&view)?.workflows()?;
    rows.retain(wanted);
    rows.dedup_by(|later, first| later.family == first.family);
    Ok(rows)
}

fn scheduled(env: &Env, row: &WorkflowRow) -> Result<Option<Scheduled>, Error> {
    let plan = env.plan(row.plan_digest)?;
    let Some(schedule) = &plan.schedule else { return Ok(None) };
    let mut times = Times::new(schedule, row.deployed_at);
    let mut last = None;
    let view = env.view()?;
    let views = Views::new(&view)?;
    for event in view.stream(&StreamId::Workflow(row.family.clone()), Revision::START) {
        let event = event?;
        let Event::ScheduleFired(body) = event.event else { continue };
        if body.plan_digest != row.plan_digest || event.recorded_at < row.deployed_at {
            continue;
        }
        times.fired(body.trigger, body.due_at);
        if body.trigger == Trigger::After {
            last = Some(body.run);
            let order = views.order(body.run)?;
            let over = order.is_some_and(|order| order.stage == OrderStage::Over);
            if let Some(run) = views.run(body.run)?.filter(|_| over) {
                times.ended(run.updated_at);
            }
        }
    }
    if let Some(epoch) = view.epochs()?.last() {
        times.skip_to(epoch.at);
    }
    let idle = times.next().is_none() && last.is_none();
    Ok((!idle).then_some(Scheduled { plan: row.plan_digest, times, last }))
}
