//! Schedules: switching them on, and the runs that listen for the events of `schedule.on`.
//!
//! A workflow that is started by events has a *listener*: a run of a plan that the engine makes
//! itself, which listens with the schedule's own strategy and starts the workflow for each match. So
//! events that start runs are buffered, correlated and taken by the one mechanism of `listen`, and
//! none is lost by a restart.

use crate::handle::{Error, Handle};
use crate::input::Input;
use crate::start::Start;
use crate::turn::Job;
use placet_model::event::governance::WorkflowDeployed;
use placet_model::plan::{
    Directive, InputSpec, Listen, OutputSpec, PLAN_VERSION, Plan, RunWorkflow, Task, TaskKind,
    TaskList, Template, WorkflowName,
};
use placet_model::{
    Actor, Digest, Event, PayloadRef, Position, Principal, Revision, RunId, StreamId, TaskPath,
    canonical,
};
use placet_projections::{RunRow, RunStatus, Views};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Namespace of the listeners: no author can use it, as it holds a dot.
pub(crate) const NAMESPACE: &str = "placet.schedule";

impl Handle {
    /// Schedules start runs from now on, in the engine's mode, as whoever has deployed them.
    ///
    /// # Errors
    /// Where the project cannot be read or written.
    pub async fn run_schedules(&self) -> Result<(), Error> {
        self.schedules.store(true, Ordering::SeqCst);
        self.inputs.send(Input::RunSchedules).map_err(|_ended| Error::Stopping)?;
        self.listen_for_all().await
    }

    /// As [`Handle::listen_for`], for every workflow: a listener that held what was erased is over, and
    /// another takes its place.
    pub(crate) async fn listen_for_all(&self) -> Result<(), Error> {
        let families = {
            let view = self.view()?;
            let rows = Views::new(&view)?.workflows()?.into_iter();
            let mut families: Vec<String> = rows.map(|row| row.family).collect();
            families.dedup();
            families
        };
        let mut listeners = self.listeners()?;
        for family in families {
            let listening = listeners.remove(&listener_name(&family).family());
            self.listen_by(&family, listening.unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// Sees to it that exactly one listener waits for the events that start this workflow, and none
    /// where its latest version is not started by events.
    pub(crate) async fn listen_for(&self, family: &str) -> Result<(), Error> {
        let listening = self.listeners()?.remove(&listener_name(family).family());
        self.listen_by(family, listening.unwrap_or_default()).await
    }

    /// As [`Handle::listen_for`], where these listen for it now.
    async fn listen_by(&self, family: &str, listening: Vec<RunRow>) -> Result<(), Error> {
        if !self.schedules.load(Ordering::SeqCst) || family.starts_with(NAMESPACE) {
            return Ok(());
        }
        let (latest, deployer) = self.latest(family)?;
        let Some(latest) = latest else { return Ok(()) };
        let plan = self.plan(latest)?;
        let wanted = match &plan.schedule {
            Some(schedule) if schedule.on.is_some() => Some(listener(&plan)),
            Some(_) | None => None,
        };
        let wanted = match wanted {
            Some(plan) => Some((self.keep(plan).await?, self.env.mode)),
            None => None,
        };
        let mut is_there = false;
        for row in listening {
            if wanted.is_some_and(|(digest, _)| digest == row.plan_digest) && !is_there {
                is_there = true;
            } else {
                self.let_go(row.run)?;
            }
        }
        if let (Some((plan, mode)), false, Some(requester)) = (wanted, is_there, deployer) {
            self.start(Start { plan, input: Value::Null, requester, mode, seed: 0 }).await?;
        }
        Ok(())
    }

    fn latest(&self, family: &str) -> Result<(Option<Digest>, Option<Principal>), Error> {
        let view = self.view()?;
        let (mut latest, mut deployer) = (None, None);
        for event in view.stream(&StreamId::Workflow(family.to_owned()), Revision::START) {
            let event = event?;
            if let Event::WorkflowDeployed(body) = event.event {
                latest = Some(body.plan_digest);
                if let Actor::Principal(by) = event.actor {
                    deployer = Some(by);
                }
            }
        }
        Ok((latest, deployer))
    }

    /// All listeners that are not over, by the family of their plan. A listener listens, or it has just
    /// heard something and goes on: nobody looks through runs that wait for anything else, of which
    /// there may be a million.
    fn listeners(&self) -> Result<BTreeMap<String, Vec<RunRow>>, Error> {
        let view = self.view()?;
        let views = Views::new(&view)?;
        let mut runs = views.listening_since(Position::START)?;
        runs.extend(views.ready()?);
        let mut listeners: BTreeMap<String, Vec<RunRow>> = BTreeMap::new();
        // newest first
        for run in runs.into_iter().rev() {
            let Some(row) = views.run(run)? else { continue };
            let may_hear = matches!(row.status, RunStatus::Waiting | RunStatus::Running);
            if may_hear && row.workflow.namespace == NAMESPACE {
                listeners.entry(row.workflow.family()).or_default().push(row);
            }
        }
        Ok(listeners)
    }

    /// Records a plan that the engine has made itself, if the project has not seen it.
    pub(crate) async fn keep(&self, plan: Plan) -> Result<Digest, Error> {
        let turn = self.act_turn().await;
        let document = plan.to_json().map_err(crate::turn::Error::from)?;
        let bytes = canonical::to_bytes(&document).map_err(crate::turn::Error::from)?;
        let digest = Digest::of(&bytes);
        let stream = StreamId::Workflow(plan.workflow.family());
        let revision = {
            let view = self.view()?;
            let known = Views::new(&view)?.plan(digest)?.is_some();
            (!known).then(|| view.revision(&stream).map(Revision::next)).transpose()?
        };
        if let Some(revision) = revision {
            let source = if plan.workflow.namespace == NAMESPACE {
                "made by the engine: listens for the events of a schedule"
            } else {
                "made by the engine: one action of an agent"
            };
            let deployed = WorkflowDeployed {
                workflow: plan.workflow.clone(),
                plan_digest: digest,
                plan: PayloadRef::new(revision, 0),
                source_digest: Digest::of(source.as_bytes()),
                source: PayloadRef::new(revision, 1),
            };
            let payloads = vec![bytes, source.as_bytes().to_vec()];
            let facts = vec![(stream, deployed.into(), payloads)];
            self.govern(&Actor::Engine, facts, None, turn).await?;
        }
        self.env.keep_plan(digest, Arc::new(plan));
        Ok(digest)
    }

    /// A listener of an earlier version ends.
    fn let_go(&self, run: RunId) -> Result<(), Error> {
        let input = Input::Job { run, job: Job::Drop, reply: None };
        self.inputs.send(input).map_err(|_ended| Error::Stopping)
    }
}

fn listener_name(family: &str) -> WorkflowName {
    WorkflowName {
        namespace: NAMESPACE.to_owned(),
        name: family.replace('/', "."),
        version: "1.0.0".to_owned(),
    }
}

/// Listens with the strategy of the schedule, starts the workflow with the array of the events, and
/// listens again.
fn listener(plan: &Plan) -> Plan {
    let schedule = plan.schedule.clone().unwrap_or_default();
    let to =
        schedule.on.unwrap_or(placet_model::plan::Consume::Any { filters: vec![], until: None });
    let hear = TaskKind::Listen(Box::new(Listen { to, read: schedule.read, each: None }));
    let start = TaskKind::Run(Box::new(RunWorkflow {
        namespace: plan.workflow.namespace.clone(),
        name: plan.workflow.name.clone(),
        version: plan.workflow.version.clone(),
        input: Some(Template::Expression(placet_model::plan::Expression(".".to_owned()))),
        waits: false,
    }));
    let again = Directive::Goto { task: "hear".to_owned(), index: 0 };
    Plan {
        v: PLAN_VERSION,
        workflow: listener_name(&plan.family()),
        definition: json!({ "listensFor": plan.workflow.to_string() }),
        input: InputSpec::default(),
        output: OutputSpec::default(),
        timeout: None,
        timeout_from: None,
        tasks: TaskList(vec![
            task("hear", 0, (hear, Directive::Continue)),
            task("start", 1, (start, again)),
        ]),
        secrets: vec![],
        operations: BTreeMap::new(),
        schedule: None,
        place: None,
    }
}

pub(crate) fn task(name: &str, index: usize, (kind, then): (TaskKind, Directive)) -> Task {
    Task {
        name: name.to_owned(),
        path: TaskPath::root().child("do", index, name),
        definition: Value::Null,
        condition: None,
        input: InputSpec::default(),
        output: OutputSpec::default(),
        export: OutputSpec::default(),
        timeout: None,
        timeout_from: None,
        then,
        kind,
    }
}
