//! Runs that a task orders (language 4.12): ordering one, beginning it, and hearing of its end.

use super::scope::Place;
use super::start::{StartRun, WorkflowInput};
use super::{Error, Outcome, Turn, or_fault};
use crate::erasure::unless_erased;
use crate::values::Content;
use placet_core::run::{Activity, Leaf};
use placet_model::event::child::{ChildDropped, ChildEnded, ChildStarted};
use placet_model::fault::FaultKind;
use placet_model::plan::{RunWorkflow, Task};
use placet_model::{Digest, Event, Fault, Revision, RunId, StreamId};
use placet_projections::{OrderRow, OrderedBy, RunRow, RunStatus, Views};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The word for the version that was deployed last.
const LATEST: &str = "latest";

impl Turn<'_> {
    /// Orders the other run; it begins once that is on disk.
    pub(super) fn start_child(
        &mut self,
        run: &RunWorkflow,
        task: &Task,
        leaf: &Leaf,
    ) -> Outcome<bool> {
        let input = self.value(leaf.input)?;
        let place = Place { task: Some(task), input: Some(Arc::clone(&input)), ..Place::default() };
        let child_input = match &run.input {
            Some(template) => or_fault!(self.template(template, &input, &place)),
            None => Value::Object(Map::new()),
        };
        let Some(plan_digest) = self.deployed(run)? else {
            let words = format!(
                "there is no workflow {}/{} in version {}: deploy it",
                run.namespace, run.name, run.version
            );
            return Ok(Err(Fault::new(FaultKind::Configuration, words)));
        };
        let most = self.env.config.limits.children_depth_max;
        if self.depth(most)? >= most {
            let words = format!(
                "runs order runs {most} deep: raise limits.children_depth_max in placet.toml if that is meant"
            );
            return Ok(Err(Fault::new(FaultKind::Runtime, words)));
        }
        let body = ChildStarted {
            task: leaf.task.clone(),
            iteration: leaf.iteration.clone(),
            child: self.env.mint.run(self.now),
            workflow: self.env.plan(plan_digest)?.workflow.clone(),
            plan_digest,
            input: self.out.run.slot(1, 0),
            awaited: run.waits,
        };
        self.note(body, vec![Content::of_value(Arc::new(child_input))])?;
        Ok(Ok(true))
    }

    /// The plan of the version that is meant; of several deployments the last.
    fn deployed(&self, run: &RunWorkflow) -> Result<Option<Digest>, Error> {
        let family = format!("{}/{}", run.namespace, run.name);
        let view = self.env.view()?;
        let rows = Views::new(&view).and_then(|views| views.workflows());
        let rows = rows.map_err(crate::env::Error::from)?;
        let meant = |version: &str| run.version == LATEST || run.version == version;
        let row = rows.into_iter().find(|row| row.family == family && meant(&row.version));
        Ok(row.map(|row| row.plan_digest))
    }

    /// How many runs stand above this one, counted up to `most`.
    fn depth(&self, most: u64) -> Result<u64, Error> {
        let view = self.env.view()?;
        let views = Views::new(&view).map_err(crate::env::Error::from)?;
        let (mut run, mut depth) = (self.out.run.id, 0);
        while depth < most {
            let order = views.order(run).map_err(crate::env::Error::from)?;
            let Some(OrderedBy::Run { run: above, .. }) = order.map(|order| order.by) else {
                break;
            };
            (run, depth) = (above, depth + 1);
        }
        Ok(depth)
    }

    /// Begins the run that was ordered under this id. Nothing happens when it has begun, or is not
    /// wanted any more.
    pub(super) fn start_ordered(&mut self) -> Result<(), Error> {
        if self.out.run.facts().is_some() {
            return Ok(());
        }
        let order = {
            let view = self.env.view()?;
            let views = Views::new(&view).map_err(crate::env::Error::from)?;
            views.order(self.out.run.id).map_err(crate::env::Error::from)?
        };
        let Some(order) = order.filter(|order| !order.dropped) else { return Ok(()) };
        let start = self.start_of(&order)?;
        self.start(start, WorkflowInput::Ordered)
    }

    /// What the ordered run begins with: by whom, in which mode and from which seed its orderer runs.
    fn start_of(&self, order: &OrderRow) -> Result<StartRun, Error> {
        let view = self.env.view()?;
        let input = match &order.input {
            None => Value::Null,
            Some(at) => {
                let payload = view.payload(&at.stream, at.payload)?;
                serde_json::from_slice(payload.as_bytes()).map_err(|source| {
                    crate::values::Error::NotJson { reference: at.payload, source }
                })?
            }
        };
        let (requester, mode, seed) = match &order.by {
            OrderedBy::Run { run, .. } => {
                let first =
                    view.stream(&StreamId::Run(*run), Revision::START).next().transpose()?;
                match first.map(|first| first.event) {
                    Some(Event::RunStarted(body)) => (body.requester, body.mode, body.seed),
                    _ => return Err(no_orderer(order.run)),
                }
            }
            OrderedBy::Schedule { family } => {
                let requester = self.deployer(family, order.plan_digest)?;
                let requester = requester.ok_or_else(|| no_orderer(order.run))?;
                (requester, self.env.mode, 0)
            }
        };
        let key = self.env.log.new_data_key()?;
        let (plan, input) = (order.plan_digest, Arc::new(input));
        Ok(StartRun { plan, input, requester, mode, seed, key, action: None })
    }

    /// A run that is awaited has ended: its output is the task's, or its fault.
    pub(super) fn child_over(&mut self, child: RunId) -> Result<(), Error> {
        let waiting = self.out.run.branches().iter().find_map(|branch| match &branch.activity {
            Activity::Awaiting(leaf, awaited) if *awaited == child => {
                Some((branch.key.clone(), leaf.clone()))
            }
            _ => None,
        });
        let Some((branch, leaf)) = waiting else { return Ok(()) };
        self.branch = branch;
        let view = self.env.view()?;
        let views = Views::new(&view).map_err(crate::env::Error::from)?;
        let row = views.run(child).map_err(crate::env::Error::from)?;
        let Some(row) = row else { return Ok(()) };
        let read = |place| unless_erased(view.payload(&StreamId::Run(child), place));
        let content = match (row.status, row.output) {
            (RunStatus::Completed, Some(output)) => read(output)?,
            _ => None,
        };
        if let Some(content) = content {
            let content = Content::of_bytes(content.as_bytes().to_vec());
            let output = self.out.run.slot(1, 0);
            return self.note(ChildEnded { child, output }, vec![content]);
        }
        let fault = match (row.status, &row.fault) {
            (RunStatus::Faulted, Some((_, _, content))) => {
                let fault = read(*content)?
                    .and_then(|content| serde_json::from_slice::<Fault>(content.as_bytes()).ok());
                Fault { instance: None, ..fault.unwrap_or_else(|| lost(&row)) }
            }
            (RunStatus::Cancelled, _) => {
                let words = format!("the run {child} of {} was cancelled", row.workflow);
                Fault::new(FaultKind::Runtime, words)
            }
            (RunStatus::Running | RunStatus::Waiting, _) => return Ok(()),
            (RunStatus::Completed, _) => {
                let words = format!("the content of the run {child} was erased");
                Fault::new(FaultKind::Runtime, words)
            }
            (RunStatus::Faulted, _) => lost(&row),
        };
        self.note(ChildDropped { child }, vec![])?;
        self.fault_task(&leaf.task, leaf.iteration, fault).map(|_| ())
    }

    /// Whoever has deployed the plan whose schedule orders runs.
    fn deployer(
        &self,
        family: &str,
        plan: Digest,
    ) -> Result<Option<placet_model::Principal>, Error> {
        let view = self.env.view()?;
        let stream = StreamId::Workflow(family.to_owned());
        let mut found = None;
        for event in view.stream(&stream, Revision::START) {
            let event = event?;
            if let (Event::WorkflowDeployed(body), placet_model::Actor::Principal(by)) =
                (&event.event, &event.actor)
                && body.plan_digest == plan
            {
                found = Some(by.clone());
            }
        }
        Ok(found)
    }
}

fn lost(row: &RunRow) -> Fault {
    Fault::new(FaultKind::Runtime, format!("the run {} of {} has failed", row.run, row.workflow))
}

fn no_orderer(run: RunId) -> Error {
    let source = serde::de::Error::custom(format!("nobody has ordered {run}"));
    Error::Values(crate::values::Error::NotJson {
        reference: placet_model::PayloadRef::new(Revision::START, 0),
        source,
    })
}
