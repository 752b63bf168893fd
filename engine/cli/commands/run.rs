//! `placet run`: one run in process. It takes the real path (deploy, draft, request, vote, claim,
//! attempt) on data of its own; in sandbox mode no socket is opened and the clock is virtual.

mod scenario;

use crate::commands::check::{Surroundings, sandbox_integrations};
use crate::compose::{self, LostVault, Place, Reach, Running, Setup};
use crate::documents::{self, Urls};
use crate::exit::{Exit, invalid, refused};
use crate::findings::{self, Found};
use crate::out::{self, Stream};
use crate::people::{self, AUTHOR};
use crate::project::{self, Project};
use crate::view;
use crate::vote::{self, Answered, Approve};
use anyhow::{Context, Result};
use clap::ValueEnum;
use placet_adapters::Transport;
use placet_executor::{Clock, Handle, Notice, Start};
use placet_language::{Checked, Source};
use placet_log::KeyPlace;
use placet_model::decision::DecisionState;
use placet_model::draft::Mode;
use placet_model::plan::{Plan, TaskKind, TaskList};
use placet_model::{AttemptId, Digest, Event, Revision, RunId, StreamId};
use placet_projections::{DecisionRow, OrderedBy, RunStatus, Views, WaitingFor};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The workflow
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    file: Option<PathBuf>,
    /// The workflow's input: JSON, @FILE, or - for stdin; null without it
    #[arg(
        long,
        value_name = "JSON|@FILE|-",
        conflicts_with = "resume",
        allow_hyphen_values = true
    )]
    input: Option<String>,
    /// Whether approved bytes leave
    #[arg(long, value_enum, default_value = "sandbox")]
    mode: ModeArg,
    /// Who answers decision requests
    #[arg(long, value_enum, default_value = "ask")]
    approve: Approve,
    /// What looks random follows from it
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Keep the run here; without it the run has data of its own, which go when it ends
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A target that may be loopback and plain http
    #[arg(long, value_name = "HOST:PORT")]
    egress_allow: Vec<String>,
    /// How the world behaves: a file, one of the project's, or one of a manifest
    /// (`placet adapters show PROVIDER --scenarios`); who is not in it approves
    #[arg(
        long,
        value_name = "NAME|FILE",
        conflicts_with_all = ["egress_allow", "approve"]
    )]
    scenario: Option<String>,
    /// Go on with a run that waits
    #[arg(long, value_name = "RUN")]
    resume: Option<RunId>,
    /// The report as JSON, on the last line
    #[arg(long)]
    json: bool,
}

/// Whether a run can reach the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Nothing leaves; answers come from schemas.
    Sandbox,
    /// Approved bytes leave.
    Live,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Sandbox => Self::Sandbox,
            ModeArg::Live => Self::Live,
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let mut project = match (&args.file, &args.data) {
        (Some(file), _) => Project::of(file)?,
        (None, Some(data)) => Project::of_data(data)?,
        (None, None) => Project::of(Path::new("."))?,
    };
    if let Some(name) = &args.scenario {
        if args.mode == ModeArg::Live {
            return Err(invalid("a scenario is played in the sandbox: there is none in live mode"));
        }
        if let Some(file) = &args.file {
            let input = input(args.input.as_deref())?;
            return scenario::run(&args, (project, file), (name, input)).await;
        }
        let run = args.resume.context("clap asks for a file or --resume")?;
        return scenario::resume(&args, project, (name, run)).await;
    }
    project.config.egress_allow.extend(args.egress_allow.iter().cloned());
    let reach = reach(&args, &project.config.egress_allow)?;
    let work = match &args.file {
        Some(file) => {
            let fresh = Fresh::read(file, &project, args.mode)?;
            Work::Fresh(Box::new(fresh), input(args.input.as_deref())?)
        }
        None => Work::Resumed(args.resume.context("clap asks for a file or --resume")?),
    };
    let home = Home::of(&args, &project)?;
    let ended = go(&args, project, work, &home, reach).await;
    let keeps = matches!(ended, Ok(Ended { exit: Exit::Waiting, .. }));
    let run = ended.as_ref().ok().map(|ended| ended.run);
    home.close(run.filter(|_| keeps))?;
    let ended = ended?;
    if args.json {
        out::json(&ended.report)?;
    }
    if ended.exit == Exit::Waiting {
        let data = args.data.as_ref().map(|dir| format!(" --data {}", dir.display()));
        let data = data.unwrap_or_default();
        out::say(&format!("the run waits; go on with: placet run --resume {}{data}", ended.run));
    }
    Ok(ended.exit)
}

/// What is to be run.
enum Work {
    /// A checked workflow with its input.
    Fresh(Box<Fresh>, Value),
    /// A run that waits.
    Resumed(RunId),
}

struct Ended {
    run: RunId,
    exit: Exit,
    report: Value,
}

async fn go(args: &Args, project: Project, work: Work, home: &Home, reach: Reach) -> Result<Ended> {
    let log = compose::open_log_of(&project, &home.place())?;
    let project = Project { config: compose::config_of(&project, &log), ..project };
    let mode = args.mode.into();
    let clock = match mode {
        Mode::Sandbox => compose::virtual_clock(&log)?,
        Mode::Live => Clock::System,
    };
    if mode == Mode::Sandbox && log.head().get() == 0 {
        compose::mark_virtual(&home.place().data)?;
    }
    let seed = match &work {
        Work::Fresh(..) => args.seed,
        Work::Resumed(run) => seed_of(&log, *run)?.unwrap_or(args.seed),
    };
    let setup = Setup {
        project: &project,
        adapters: project.adapters()?,
        place: home.place(),
        mode,
        clock,
        seed,
        reach,
        lost_vault: LostVault::Refuse,
    };
    let running = compose::start_with(setup, log).await?;
    let ended = drive(args, &project, work, &running).await;
    running.stop().await?;
    ended
}

/// The seed with which a run was started: the sandbox answers on as it did before.
fn seed_of(log: &placet_log::Log, run: RunId) -> Result<Option<u64>> {
    let first = log.read()?.stream(&StreamId::Run(run), Revision::START).next().transpose()?;
    Ok(first.and_then(|first| match first.event {
        Event::RunStarted(body) => Some(body.seed),
        _ => None,
    }))
}

async fn drive(args: &Args, project: &Project, work: Work, running: &Running) -> Result<Ended> {
    let handle = running.handle();
    let mut notices = handle.notices();
    let run = match work {
        Work::Fresh(fresh, input) => begin(args, project, running, (*fresh, input)).await?,
        Work::Resumed(run) => {
            handle
                .run_row(run)
                .map_err(|error| refused(&error))?
                .ok_or_else(|| invalid(format!("there is no run {run} here")))?;
            run
        }
    };
    let rest = until_rest(handle, run, args.approve, &mut notices);
    let exit = match args.approve {
        // whoever is asked sees that it goes on
        Approve::Ask => rest.await?,
        Approve::Auto | Approve::Deny => {
            out::with_progress(&format!("{run} is under way"), rest).await?
        }
    };
    let report = handle.report(run).map_err(|error| refused(&error))?;
    if !args.json {
        out::data(&view::trace::text(&report, Stream::Out))?;
    }
    Ok(Ended { run, exit, report: kept(&report) })
}

/// What of a run's report is told.
fn kept(report: &Value) -> Value {
    let kept = ["run", "status", "output", "error", "trace"];
    let kept = kept.map(|key| (key.to_owned(), report[key].clone()));
    Value::Object(kept.into_iter().collect())
}

/// Applies policy and integrations to fresh data, deploys, starts.
async fn begin(
    args: &Args,
    project: &Project,
    running: &Running,
    (fresh, input): (Fresh, Value),
) -> Result<RunId> {
    let handle = running.handle();
    let (plan, source) = fresh.whole(running.live.as_deref()).await?;
    let author = people::principal(AUTHOR);
    let is_fresh = {
        let view = handle.view().map_err(|error| refused(&error))?;
        Views::new(&view)?.policy()?.is_none()
    };
    let mode = args.mode.into();
    if is_fresh {
        let mut policy = project.policy()?.usable(project::POLICY_FILE)?;
        if mode == Mode::Sandbox || args.approve == Approve::Auto {
            people::add_test_approvers(&mut policy, &plan);
        }
        handle.apply_policy(&author, policy).await.map_err(|error| refused(&error))?;
    }
    if mode == Mode::Sandbox {
        compose::connect_sandbox(handle).await?;
    }
    deploy_ordered(args, project, running, &plan).await?;
    let plan: Digest =
        handle.deploy(&author, plan, &source).await.map_err(|error| refused(&error))?;
    let start = Start { plan, input, requester: author, mode, seed: args.seed };
    match handle.start(start).await {
        Ok(run) => Ok(run),
        // the input is part of what was typed
        Err(error) if error.code() == "PL4010" => {
            let detail = placet_executor::inbox::Problem::from(&error).detail;
            let missing = if args.input.is_none() { " (there is no --input)" } else { "" };
            Err(invalid(format!("{detail}{missing}")))
        }
        Err(error) => Err(refused(&error)),
    }
}

/// Deploys the workflows of the project that the plan, or what it orders, runs.
async fn deploy_ordered(
    args: &Args,
    project: &Project,
    running: &Running,
    plan: &Plan,
) -> Result<()> {
    let handle = running.handle();
    let mut wanted = ordered(plan);
    if wanted.is_empty() {
        return Ok(());
    }
    let mut others = vec![];
    let mut surroundings = Surroundings::of(project)?;
    surroundings.integrations = Some(sandbox_integrations(&surroundings.adapters));
    for file in project.workflows()? {
        if args.file.as_ref().is_none_or(|own| !same_file(own, &file)) {
            let source = project::read(&file)?;
            let dir = documents::folder(project, &file);
            let place = (&*dir, running.live.as_deref());
            let checked = documents::check_with_all(&surroundings, &source, place).await;
            others.extend(checked.plan.map(|plan| (plan, source)));
        }
    }
    let mut done = BTreeSet::new();
    while let Some(family) = wanted.pop() {
        if !done.insert(family.clone()) {
            continue;
        }
        for (plan, source) in others.iter().filter(|(plan, _)| plan.family() == family) {
            wanted.extend(ordered(plan));
            let author = people::principal(AUTHOR);
            let deployed = handle.deploy(&author, plan.clone(), source.text()).await;
            deployed.map_err(|error| refused(&error))?;
        }
    }
    Ok(())
}

/// Families of the workflows that the tasks of a plan run.
fn ordered(plan: &Plan) -> Vec<String> {
    fn collect(list: &TaskList, families: &mut Vec<String>) {
        for task in &list.0 {
            if let TaskKind::Run(run) = &task.kind {
                families.push(format!("{}/{}", run.namespace, run.name));
            }
            task.kind.lists().into_iter().for_each(|list| collect(list, families));
        }
    }
    let mut families = vec![];
    collect(&plan.tasks, &mut families);
    families
}

fn same_file(left: &Path, right: &Path) -> bool {
    let canonical = |path: &Path| fs::canonicalize(path).ok();
    canonical(left).is_some_and(|left| canonical(right) == Some(left))
}

/// Answers what the run asks, until it is over or nobody here can help it on.
async fn until_rest(
    handle: &Handle,
    run: RunId,
    approve: Approve,
    notices: &mut Receiver<Notice>,
) -> Result<Exit> {
    loop {
        if let Some(exit) = look(handle, run, approve).await? {
            return Ok(exit);
        }
        // this engine has but this run, and those that it orders
        if let Err(RecvError::Closed) = notices.recv().await {
            return Err(anyhow::anyhow!("the engine has ended"));
        }
    }
}

/// Whether nobody here can help the run on: it is over, or all that could go on waits for somebody
/// who is not here.
async fn look(handle: &Handle, run: RunId, approve: Approve) -> Result<Option<Exit>> {
    let row = handle.run_row(run).map_err(|error| refused(&error))?;
    let Some(row) = row else { return Ok(None) };
    match row.status {
        RunStatus::Completed => return Ok(Some(Exit::Done)),
        RunStatus::Faulted | RunStatus::Cancelled => return Ok(Some(Exit::Negative)),
        RunStatus::Running | RunStatus::Waiting => {}
    }
    let mut waits = false;
    for asked in open_of(handle, run)? {
        if let Some((attempt, _)) = asked.in_doubt {
            // the engine may still find out by itself
            waits |= !is_looked_up(handle, asked.run, attempt)?;
        } else if asked.state == DecisionState::Requested {
            waits |= vote::answer(handle, asked.decision, approve).await? == Answered::Open;
        } else {
            // approved and still here: held, unless its claim is just being made
            let world = handle.world();
            let integration = asked.integration.and_then(|id| world.integrations.get(&id));
            waits |= world.hold(asked.mode, integration).is_some();
        }
    }
    if waits {
        return Ok(Some(Exit::Waiting));
    }
    // an event can come of a run that goes on; without one, and with nothing due, none will
    let listens = row.waiting_for == Some(WaitingFor::Event) && is_at_rest(handle).await?;
    Ok(listens.then_some(Exit::Waiting))
}

fn is_looked_up(handle: &Handle, run: RunId, attempt: AttemptId) -> Result<bool> {
    let view = handle.view().map_err(|error| refused(&error))?;
    Ok(Views::new(&view)?.is_looked_up(run, attempt)?)
}

/// What is open of a run and of the runs that it has ordered.
fn open_of(handle: &Handle, run: RunId) -> Result<Vec<DecisionRow>> {
    let view = handle.view().map_err(|error| refused(&error))?;
    let views = Views::new(&view)?;
    let mut mine = vec![];
    for row in views.open(None, usize::MAX)? {
        let mut of = Some(row.run);
        while let Some(other) = of.filter(|other| *other != run) {
            of = match views.order(other)?.map(|order| order.by) {
                Some(OrderedBy::Run { run, .. }) => Some(run),
                Some(OrderedBy::Schedule { .. }) | None => None,
            };
        }
        if of.is_some() {
            mine.push(row);
        }
    }
    Ok(mine)
}

/// Whether the engine has nothing to do, and nothing will come due.
async fn is_at_rest(handle: &Handle) -> Result<bool> {
    let load = handle.load().await.map_err(|error| refused(&error))?;
    let view = handle.view().map_err(|error| refused(&error))?;
    Ok(load.runs == 0 && Views::new(&view)?.next_due()?.is_none())
}

/// Test principals may say yes only where nothing real can leave.
fn reach(args: &Args, allow: &[String]) -> Result<Reach> {
    let listed = compose::listed(allow)?;
    if args.approve != Approve::Auto || args.mode == ModeArg::Sandbox {
        return Ok(Reach::Public);
    }
    if listed.is_empty() || !listed.iter().all(placet_egress::HostPort::is_loopback) {
        let words = "--approve auto in live mode needs --egress-allow, with loopback targets only";
        return Err(invalid(words));
    }
    Ok(Reach::ListedOnly)
}

/// A workflow that can be run, but for documents that are fetched when there is a way out.
struct Fresh {
    source: Source,
    surroundings: Surroundings,
    /// From where its documents are named.
    dir: PathBuf,
    checked: Checked,
}

impl Fresh {
    fn read(file: &Path, project: &Project, mode: ModeArg) -> Result<Self> {
        let source = project::read(file)?;
        let mut surroundings = Surroundings::of(project)?;
        if surroundings.integrations.is_none() {
            surroundings.integrations = Some(sandbox_integrations(&surroundings.adapters));
        }
        let urls = match mode {
            ModeArg::Sandbox => Urls::Refused("nothing is fetched in sandbox mode"),
            ModeArg::Live => Urls::Left,
        };
        let dir = documents::folder(project, file);
        let checked = documents::check_with_files(&surroundings, &source, (&dir, urls));
        let fresh = Self { source, surroundings, dir, checked };
        if fresh.is_whole() || fresh.checked.has_errors() { fresh.told() } else { Ok(fresh) }
    }

    fn is_whole(&self) -> bool {
        self.checked.missing_documents().next().is_none()
    }

    /// Says what was found.
    fn told(self) -> Result<Self> {
        let Self { source, checked, .. } = &self;
        let diagnostics = checked.diagnostics.clone();
        findings::say(&Found { source: source.clone(), diagnostics });
        match checked.plan {
            Some(_) => Ok(self),
            None => Err(invalid(format!("{} cannot be run", source.name()))),
        }
    }

    /// The plan with all documents, and the text.
    async fn whole(mut self, live: Option<&dyn Transport>) -> Result<(Plan, String)> {
        if !self.is_whole() {
            let place = (&*self.dir, live);
            self.checked = documents::check_with_all(&self.surroundings, &self.source, place).await;
            self = self.told()?;
        }
        let plan = self.checked.plan.context("a workflow with errors was refused")?;
        Ok((plan, self.source.text().to_owned()))
    }
}

/// `--input`; null without it.
pub(crate) fn input(text: Option<&str>) -> Result<Value> {
    text.map_or(Ok(Value::Null), |text| json_of("--input", text))
}

/// What an option says: JSON, a file, or stdin.
pub(crate) fn json_of(option: &str, text: &str) -> Result<Value> {
    let text = match (text, text.strip_prefix('@')) {
        ("-", _) => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .with_context(|| format!("reading {option}"))?;
            text
        }
        (_, Some(path)) => project::read(Path::new(path))?.text().to_owned(),
        (text, None) => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| invalid(format!("{option} is no JSON: {error}")))
}

/// Where the run's data live.
enum Home {
    /// In data that were named.
    Given(Place),
    /// In a folder of the run's own, which goes with it unless the run waits.
    Own { dir: PathBuf },
}

impl Home {
    fn of(args: &Args, project: &Project) -> Result<Self> {
        if let Some(data) = &args.data {
            return Ok(Self::Given(Place::of(data)));
        }
        let runs = crate::state::runs()?;
        if let Some(run) = args.resume {
            let dir = runs.join(run.to_string());
            if dir.exists() {
                return Ok(Self::Own { dir });
            }
            if project.data().exists() {
                return Ok(Self::Given(Place::of(project.data())));
            }
            return Err(invalid(format!("{run} is not known here; name its data with --data")));
        }
        let name = format!("new-{}", std::process::id());
        let dir = runs.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir).context("removing what a killed run has left")?;
        }
        crate::state::make_private(&dir)?;
        Ok(Self::Own { dir })
    }

    fn place(&self) -> Place {
        match self {
            Self::Given(place) => place.clone(),
            Self::Own { dir } => {
                Place { keys: KeyPlace::Directory(dir.join("keys")), ..Place::of(dir.join("data")) }
            }
        }
    }

    /// Keeps the data of a run that waits under its name; removes those of any other.
    fn close(self, waiting: Option<RunId>) -> Result<()> {
        let Self::Own { dir } = self else { return Ok(()) };
        match waiting {
            Some(run) => {
                let kept = dir.with_file_name(run.to_string());
                if kept != dir {
                    fs::rename(&dir, &kept).context("keeping the run's data")?;
                }
            }
            None => fs::remove_dir_all(&dir).context("removing the run's data")?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_input_is_json_or_nothing() {
        assert_eq!(input(None).unwrap(), Value::Null);
        assert_eq!(input(Some(r#"{"a":1}"#)).unwrap(), json!({"a": 1}));
        assert!(input(Some("{")).is_err());
        assert!(input(Some("@no/such/file")).is_err());
    }
}
