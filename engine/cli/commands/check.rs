//! `placet check`: findings in workflows, `policy.yaml` and `placet.toml`. It never touches the
//! network and never starts an engine.

mod examples;

use crate::compose::{self, Place};
use crate::config;
use crate::documents::{self, Urls};
use crate::exit::{Exit, invalid};
use crate::findings::{self, Format, Found};
use crate::out;
use crate::project::{self, CONFIG_FILE, POLICY_FILE, Project, yaml_files};
use crate::testing::find;
use anyhow::Result;
use placet_adapters::Adapters;
use placet_language::Scopes;
use placet_language::{
    Checked, Diagnostic, Environment, Source, check, check_channels, policy_schema, profile_schema,
    project_schema,
};
use placet_model::integration::IntegrationStatus;
use placet_model::policy::Policy;
use placet_projections::Views;
use placet_server::Documents;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, or folders of a project
    #[arg(required_unless_present = "schema", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How findings are written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Print a JSON Schema for editors: that of workflows, with the operations of the project here or
    /// of that of the first FILE, or that of placet.toml or policy.yaml
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "workflow",
          value_name = "OF", conflicts_with_all = ["format", "json"])]
    schema: Option<SchemaOf>,
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SchemaOf {
    Workflow,
    Project,
    Policy,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    if let Some(of) = args.schema {
        return schema(of, args.files.first().map_or_else(|| Path::new("."), PathBuf::as_path));
    }
    let mut files = vec![];
    for path in &args.files {
        if path.is_dir() { files.extend(files_of(path)?) } else { files.push(path.clone()) }
    }
    let mut found: Vec<Found> = vec![];
    for file in &files {
        found.extend(check_file(file)?);
    }
    // of a project that cannot be read there are no examples yet
    if !found.iter().any(Found::has_errors) {
        for path in args.files.iter().filter(|path| path.is_dir()) {
            found.extend(examples::broken(&Project::of(path)?, None)?);
        }
    }
    let format = if args.json { Format::Json } else { args.format };
    findings::show(&found, format)?;
    let errors = found.iter().filter(|found| found.has_errors()).count();
    if format == Format::Text {
        out::say(&match errors {
            0 => format!("{} checked, no errors", count(files.len(), "file")),
            errors => format!("{} checked, {} with errors", count(files.len(), "file"), errors),
        });
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Negative })
}

/// A schema for editors; that of workflows with the operations that the project of this place knows.
fn schema(of: SchemaOf, place: &Path) -> Result<Exit> {
    let schema = match of {
        SchemaOf::Workflow => profile_schema(&Project::of(place)?.adapters()?.catalogue())?,
        SchemaOf::Project => project_schema(),
        SchemaOf::Policy => policy_schema(),
    };
    out::data(&serde_json::to_string_pretty(&schema)?)?;
    Ok(Exit::Done)
}

fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

fn files_of(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = [CONFIG_FILE, POLICY_FILE].map(|name| dir.join(name)).into();
    files.retain(|file| file.exists());
    files.extend(yaml_files(&dir.join("workflows"))?);
    if files.is_empty() {
        files = yaml_files(dir)?;
    }
    if files.is_empty() {
        return Err(invalid(format!("there is nothing to check in {}", dir.display())));
    }
    Ok(files)
}

/// What a file is follows from its name; whatever has no name of its own is a workflow.
fn check_file(path: &Path) -> Result<Vec<Found>> {
    let source = project::read(path)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let diagnostics = match name {
        _ if path.extension().is_some_and(|extension| extension == "toml") => {
            let mut config = config::read(source);
            config.overrides.iter().for_each(|line| out::say(line));
            let has_channels =
                config.value.as_ref().is_some_and(|value| !value.channels.is_empty());
            if let Some(found) = config.found.first_mut().filter(|_| has_channels) {
                let surroundings = Surroundings::of(&Project::of(path)?)?;
                found.diagnostics.extend(surroundings.channels(&found.source));
            }
            return Ok(config.found);
        }
        POLICY_FILE => project::dev_policy(&source).1,
        _ if examples::is_answer(path) => {
            return examples::broken(&Project::of(path)?, Some(path));
        }
        _ if find::is_test(path) => {
            let ground = find::ground(Project::of(path)?)?;
            // what is found in its workflow is told when that is checked
            return Ok(find::read(path, &ground)?.found.into_iter().take(1).collect());
        }
        _ => {
            let project = Project::of(path)?;
            let surroundings = Surroundings::of(&project)?;
            let dir = documents::folder(&project, path);
            let place = (&*dir, Urls::Left);
            documents::check_with_files(&surroundings, &source, place).diagnostics
        }
    };
    Ok(vec![Found { source, diagnostics }])
}

/// What a workflow is checked against.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) adapters: std::sync::Arc<Adapters>,
    /// None while they cannot be known: another process has the project open.
    pub(crate) integrations: Option<BTreeMap<String, String>>,
    /// Where these may be used.
    pub(crate) scopes: Scopes,
    /// Which of their events start no run.
    pub(crate) silent: BTreeSet<(String, String)>,
    /// None outside a project: then names of approvers are not checked.
    pub(crate) policy: Option<Policy>,
}

impl Surroundings {
    /// What the project's files and data say.
    pub(crate) fn of(project: &Project) -> Result<Self> {
        let adapters = project.adapters()?;
        let Connected { integrations, scopes, silent } = connected(project, &adapters);
        let policy = match project.dir {
            Some(_) => project.policy()?.value,
            None => None,
        };
        Ok(Self { adapters, integrations, scopes, silent, policy })
    }

    /// Where the channels of a `placet.toml` lead nowhere.
    fn channels(&self, source: &Source) -> Vec<Diagnostic> {
        let catalogue = self.adapters.catalogue();
        let environment = Environment {
            catalogue: &catalogue,
            integrations: self.integrations.as_ref(),
            scopes: Some(&self.scopes),
            silent: Some(&self.silent),
            policy: self.policy.as_ref(),
            schemas: self.adapters.registry(),
        };
        check_channels(source, &environment)
    }

    pub(crate) fn check(&self, source: &Source) -> Checked {
        self.check_with(source, &Documents::default())
    }

    /// The same, with documents that the workflow names.
    pub(crate) fn check_with(&self, source: &Source, documents: &Documents) -> Checked {
        let mut catalogue = self.adapters.catalogue();
        documents.put_into(&mut catalogue);
        let environment = Environment {
            catalogue: &catalogue,
            integrations: self.integrations.as_ref(),
            scopes: Some(&self.scopes),
            silent: Some(&self.silent),
            policy: self.policy.as_ref(),
            schemas: self.adapters.registry(),
        };
        check(source, &environment)
    }
}

/// What steps can mean, and triggers hear.
#[derive(Default)]
struct Connected {
    integrations: Option<BTreeMap<String, String>>,
    scopes: Scopes,
    silent: BTreeSet<(String, String)>,
}

/// Integrations by name, with their providers: those of the project's data, and of providers of which it
/// never had one the default ones of the sandbox. Nothing when the data cannot be opened just now.
fn connected(project: &Project, adapters: &Adapters) -> Connected {
    let mut made = sandbox_integrations(adapters);
    let data = project.data();
    if project.dir.is_none() || !data.join("log.redb").exists() {
        let silent = unstated(&made, adapters).collect();
        return Connected { integrations: Some(made), silent, ..Connected::default() };
    }
    let read = || {
        let log = compose::open_log(project, &Place::to_read(data)).ok()?;
        let view = log.read().ok()?;
        let stored = Views::new(&view).ok()?.integrations().ok()?;
        Some((stored, placet_executor::triggers::silent(&view).ok()?))
    };
    let Some((stored, mut silent)) = read() else { return Connected::default() };
    made.retain(|_, provider| stored.iter().all(|known| known.provider != *provider));
    silent.extend(unstated(&made, adapters));
    let scopes = Scopes::of(&stored);
    let usable = stored.into_iter().filter(|i| i.status != IntegrationStatus::Disconnected);
    made.extend(usable.map(|i| (i.name, i.provider)));
    Connected { integrations: Some(made), scopes, silent }
}

/// Events that will start no run where these are connected as the sandbox does it.
fn unstated<'a>(
    made: &'a BTreeMap<String, String>,
    adapters: &'a Adapters,
) -> impl Iterator<Item = (String, String)> + 'a {
    made.iter().flat_map(|(name, provider)| {
        let inbound = adapters.manifest(provider).and_then(|manifest| manifest.inbound());
        let stated = inbound.into_iter().flat_map(placet_adapters::inbound::Inbound::triggers);
        let silent = stated.filter(|(_, starts)| !starts);
        silent.map(|(event, _)| (name.clone(), event.to_owned()))
    })
}

/// What `compose::connect_sandbox` makes.
pub(crate) fn sandbox_integrations(adapters: &Adapters) -> BTreeMap<String, String> {
    let providers = adapters.manifests().keys().filter(|name| compose::needs_integration(name));
    providers.map(|name| (name.clone(), name.clone())).collect()
}
