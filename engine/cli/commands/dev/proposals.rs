//! What the files of a `dev` project propose, applied in the name of `author`.
//!
//! Changes are found by looking at size and time of each file once a second. That is for `dev`
//! alone, where a person waits; `serve` applies nothing by itself.

use super::say_refused;
use crate::change;
use crate::commands::check::Surroundings;
use crate::documents;
use crate::exit::{invalid, refused};
use crate::findings::{self, Found};
use crate::out::{self, Stream};
use crate::people::{self, AUTHOR};
use crate::project::{self, CONFIG_FILE, POLICY_FILE, Project, yaml_files};
use anyhow::Result;
use placet_adapters::Transport;
use placet_executor::Handle;
use placet_executor::deploy::{Change, Standing};
use placet_language::Scopes;
use placet_model::integration::IntegrationStatus;
use placet_model::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often files are looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What tells one state of a file from another.
type Mark = Option<(SystemTime, u64)>;

/// The files as they were last seen.
#[derive(Debug)]
pub(crate) struct Proposals {
    project: Project,
    /// The way out, for documents at URLs.
    live: Option<Arc<dyn Transport>>,
    seen: BTreeMap<PathBuf, Mark>,
    policy: Option<Policy>,
    /// Workflows with errors: what they lack may be in the project, not in the file.
    refused: BTreeSet<PathBuf>,
    /// Version of the project when they were last looked at.
    world: u64,
}

/// Whether findings are told, or known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Findings {
    Told,
    Known,
}

impl Proposals {
    /// Reads the policy: a `dev` project that cannot say who must agree does not start.
    pub(crate) fn of(project: &Project) -> Result<Self> {
        let mut proposals = Self {
            project: project.clone(),
            live: None,
            seen: BTreeMap::new(),
            policy: None,
            refused: BTreeSet::new(),
            world: 0,
        };
        proposals.seen = proposals.marks()?;
        proposals.policy = Some(project.policy()?.usable(POLICY_FILE)?);
        Ok(proposals)
    }

    /// Takes the way out of the engine, if it has one.
    pub(crate) fn go_out_by(&mut self, live: Option<Arc<dyn Transport>>) {
        self.live = live;
    }

    /// Puts the policy into force.
    pub(crate) async fn apply_policy(&mut self, handle: &Handle) -> Result<()> {
        let Some(policy) = self.policy.take() else { return Ok(()) };
        let author = people::principal(AUTHOR);
        if *handle.world().policy == policy {
            return Ok(());
        }
        handle.apply_policy(&author, policy).await.map_err(|error| refused(&error))?;
        out::say(&format!("applied {POLICY_FILE} as {AUTHOR}"));
        Ok(())
    }

    /// Records the manifests that this engine was started with as deployed.
    pub(crate) async fn deploy_manifests(&mut self, handle: &Handle) -> Result<()> {
        for file in self.project.manifests()? {
            let proposed = project::proposed(&file, &BTreeSet::new())?;
            match handle.deploy_manifest(&people::principal(AUTHOR), &proposed).await {
                Ok(change) => say_deployed(&change.name, &proposed.file, &change),
                Err(error) => say_refused(&proposed.file, &error),
            }
        }
        Ok(())
    }

    /// Deploys every workflow that can be; says of the others why not. Returns the names of those
    /// that can be started.
    pub(crate) async fn deploy(&mut self, handle: &Handle) -> Result<Vec<String>> {
        let mut names = vec![];
        for file in self.project.workflows()? {
            names.extend(self.deploy_one(handle, &file, Findings::Told).await?);
        }
        Ok(names)
    }

    async fn deploy_one(
        &mut self,
        handle: &Handle,
        file: &Path,
        findings: Findings,
    ) -> Result<Option<String>> {
        let source = match project::read(file) {
            Ok(source) => source,
            Err(error) => {
                out::say(&format!("{error:#}"));
                return Ok(None);
            }
        };
        let dir = documents::folder(&self.project, file);
        let place = (&*dir, self.live.as_deref());
        let checked = documents::check_with_all(&surroundings(handle), &source, place).await;
        let name = source.name().to_owned();
        let text = source.text().to_owned();
        let found = Found { source, diagnostics: checked.diagnostics };
        let Some(plan) = checked.plan else {
            self.refused.insert(file.to_owned());
            if findings == Findings::Told {
                findings::say(&found);
                out::say(&format!("{name} is not deployed"));
            }
            return Ok(None);
        };
        self.refused.remove(file);
        findings::say(&found);
        let (family, workflow) = (plan.family(), plan.workflow.to_string());
        match handle.deploy_workflow(&people::principal(AUTHOR), plan, &text).await {
            Ok(change) => {
                say_deployed(&workflow, &name, &change);
                Ok(Some(family))
            }
            Err(error) => {
                say_refused(&name, &error);
                Ok(None)
            }
        }
    }

    /// Applies what has changed since the last look.
    pub(crate) async fn look_again(&mut self, handle: &Handle) -> Result<()> {
        self.refused_again(handle).await?;
        let marks = self.marks()?;
        if marks == self.seen {
            return Ok(());
        }
        let is_new =
            |file: &PathBuf, mark: &Mark| mark.is_some() && self.seen.get(file) != Some(mark);
        let changed: Vec<PathBuf> = marks
            .iter()
            .filter(|(file, mark)| is_new(file, mark))
            .map(|(f, _)| f.clone())
            .collect();
        self.seen = marks;
        for file in changed {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let parent = file.parent().and_then(Path::file_name).and_then(|name| name.to_str());
            match (parent, name) {
                (_, POLICY_FILE) => self.policy_again(handle).await,
                (_, CONFIG_FILE) | (Some("adapters"), _) => {
                    out::say(&format!("{} has changed: restart to use it", file.display()));
                }
                _ => drop(self.deploy_one(handle, &file, Findings::Told).await?),
            }
        }
        Ok(())
    }

    /// The project has changed: a workflow may have what it lacked, such as its integration.
    async fn refused_again(&mut self, handle: &Handle) -> Result<()> {
        let world = handle.world().version;
        if world == self.world {
            return Ok(());
        }
        self.world = world;
        for file in self.refused.clone() {
            self.deploy_one(handle, &file, Findings::Known).await?;
        }
        Ok(())
    }

    /// A policy that cannot be used changes nothing: the one in force stays.
    async fn policy_again(&mut self, handle: &Handle) {
        let policy = self.project.policy().and_then(|proposal| proposal.usable(POLICY_FILE));
        let applied = match policy {
            Ok(policy) => {
                self.policy = Some(policy);
                self.apply_policy(handle).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = applied {
            out::say(&format!("{error:#}; the policy in force stays"));
        }
    }

    fn marks(&self) -> Result<BTreeMap<PathBuf, Mark>> {
        let dir = self.project.dir.clone().ok_or_else(|| invalid("a project has a folder"))?;
        let mut files: Vec<PathBuf> = [CONFIG_FILE, POLICY_FILE].map(|name| dir.join(name)).into();
        files.extend(yaml_files(&dir.join("workflows"))?);
        files.extend(yaml_files(&dir.join("adapters"))?);
        let mark = |file: &PathBuf| {
            let meta = std::fs::metadata(file).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        };
        Ok(files.into_iter().map(|file| (file.clone(), mark(&file))).collect())
    }
}

/// What was deployed and what that changed; nothing of what is in force already.
fn say_deployed(what: &str, from: &str, change: &Change) {
    if change.standing == Standing::Unchanged {
        return;
    }
    out::say(&format!("deployed {what} from {from} as {AUTHOR}"));
    let change = serde_json::to_value(change).unwrap_or_default();
    out::say(&change::text(&change, Stream::Err));
}

/// What workflows are checked against in a running engine.
fn surroundings(handle: &Handle) -> Surroundings {
    let world = handle.world();
    let usable =
        world.integrations.values().filter(|i| i.status != IntegrationStatus::Disconnected);
    let integrations = usable.map(|i| (i.name.clone(), i.provider.clone())).collect();
    Surroundings {
        adapters: Arc::clone(handle.adapters()),
        integrations: Some(integrations),
        scopes: Scopes::of(world.integrations.values()),
        // where it cannot be read, nothing is said of it
        silent: handle.silent_triggers().unwrap_or_default(),
        policy: Some(Policy::clone(&world.policy)),
    }
}
