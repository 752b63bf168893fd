//! What an engine is put together from. Real or sandbox is decided here, and nothing below can
//! tell: the live transport and the vault are made in live mode only.

use crate::exit::refused;
use crate::link;
use crate::people::{self, AUTHOR};
use crate::project::Project;
use crate::telemetry::Collector;
use crate::vault_key;
use crate::witnesses::{Asking, Witnesses};
use anyhow::{Context, Result};
use placet_adapters::oauth::News;
use placet_adapters::{
    Adapters, FillError, FillHoles, Manifest, SecretText, Transport, WantedHole,
};
use placet_egress::{Egress, EgressConfig, HostPort, Live, TurnLimits};
use placet_executor::backup::VAULT_FILE;
use placet_executor::govern::Connect;
use placet_executor::telemetry::Following;
use placet_executor::{Clock, Engine, Handle, Parts, Transports, lost, rotations};
use placet_log::{KeyPlace, Log, OpenOptions};
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_model::manifest::HTTP_OPERATION;
use placet_model::project::ProjectConfig;
use placet_model::{Actor, Digest, Timestamp};
use placet_projections::Projections;
use placet_sandbox::Sandbox;
use placet_sandbox::generate::generate;
use placet_vault::{Environment, HoleFiller, Vault, VaultOptions};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::JoinHandle;

/// Renewals of tokens that wait to be put on record.
const NEWS_MAX: usize = 1024;
/// What the credential was used for, in the record.
const RENEWAL: &str = "oauth.renew";

/// Where the data and the keys of a project live.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) data: PathBuf,
    pub(crate) keys: KeyPlace,
    pub(crate) standing: Standing,
}

/// Whether data may be a copy of the project's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They are to be the project's own: a copy is refused.
    Own,
    /// They are only read, and a copy reads as well.
    AnyCopy,
}

impl Place {
    /// Keys where the environment says.
    pub(crate) fn of(data: impl Into<PathBuf>) -> Self {
        Self { data: data.into(), keys: KeyPlace::Environment, standing: Standing::Own }
    }

    /// As [`Self::of`], for data that are only read.
    pub(crate) fn to_read(data: impl Into<PathBuf>) -> Self {
        Self { standing: Standing::AnyCopy, ..Self::of(data) }
    }
}

/// Where live calls may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Public hosts, and the targets that the operator lists.
    Public,
    /// The listed targets and nothing else.
    ListedOnly,
}

/// What to do where the vault is gone, and the log names credentials that it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LostVault {
    /// Say so, and start nothing.
    Refuse,
    /// Somebody has said that it is lost: a new one, and what was in the old one is on hold.
    Renew,
}

impl LostVault {
    pub(crate) const fn of(new_vault: bool) -> Self {
        if new_vault { Self::Renew } else { Self::Refuse }
    }
}

/// What an engine is to be.
#[derive(Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) project: &'a Project,
    pub(crate) adapters: Arc<Adapters>,
    pub(crate) place: Place,
    pub(crate) mode: Mode,
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
    pub(crate) reach: Reach,
    pub(crate) lost_vault: LostVault,
}

/// A running engine, and what it has in live mode: the vault and the way out.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) vault: Option<Arc<Vault>>,
    pub(crate) live: Option<Arc<dyn Transport>>,
    pub(crate) asking: Asking,
    recording: Recording,
    telling: Option<Following>,
}

impl Running {
    pub(crate) const fn handle(&self) -> &Handle {
        self.engine.handle()
    }

    /// Has connections checked each night, where there is a way to.
    pub(crate) fn watch_connections(&mut self) {
        if self.live.is_some() {
            self.engine.watch_connections();
        }
    }

    /// Finishes what is under way, erases what is not kept past the end of its run, signs the log,
    /// and shows witnesses that.
    pub(crate) async fn stop(self) -> Result<()> {
        let retained = self.handle().enforce_retention().await;
        self.recording.stop().await;
        let stopped = self.engine.stop().await;
        if let Some(telling) = self.telling {
            telling.finish().await;
        }
        if let Err(error) = stopped {
            self.asking.stop().await;
            return Err(refused(&error));
        }
        self.asking.finish().await;
        match retained {
            Ok(_) | Err(placet_executor::Error::Stopping) => Ok(()),
            Err(error) => Err(refused(&error)),
        }
    }
}

/// Puts on record what becomes of grants; ends with the engine.
#[derive(Debug)]
struct Recording(JoinHandle<()>);

impl Recording {
    fn of(handle: Handle, mut news: Receiver<News>) -> Self {
        Self(tokio::spawn(async move {
            while let Some(News::Renewed { integration, .. }) = news.recv().await {
                let used = (integration.id, integration.credential_version);
                let recorded = handle.credential_used(used, RENEWAL.to_owned()).await;
                if let Err(error) = recorded {
                    tracing::error!(%error, "that a token was renewed is not on record");
                }
            }
        }))
    }

    /// Nothing here holds the log once this has returned.
    async fn stop(self) {
        self.0.abort();
        drop(self.0.await);
    }
}

/// Opens the log with its projections.
pub(crate) fn open_log(project: &Project, place: &Place) -> Result<Log> {
    let options = OpenOptions::new(&place.data, &project.config.project)
        .keys(place.keys.clone())
        .cache_bytes(usize::try_from(project.config.limits.cache_bytes_max).unwrap_or(usize::MAX))
        .projector(Projections::new());
    let options = match place.standing {
        Standing::Own => options,
        Standing::AnyCopy => options.aside(),
    };
    Log::open(options).map_err(|error| match (&error, link::announced(&place.data)) {
        (placet_log::Error::InUse { .. }, Some(url)) => {
            let words = format!("the engine at {url} has the data open");
            anyhow::Error::from(error).context(words)
        }
        _ => error.into(),
    })
}

/// Whether an engine has these data open.
pub(crate) fn is_in_use(project: &Project, data: &Path) -> bool {
    let opened = open_log_of(project, &Place::to_read(data));
    opened
        .err()
        .is_some_and(|error| matches!(error.downcast_ref(), Some(placet_log::Error::InUse { .. })))
}

/// Opens the log and starts its engine.
pub(crate) async fn start(setup: Setup<'_>) -> Result<Running> {
    let log = open_log(setup.project, &setup.place)?;
    start_with(setup, log).await
}

/// Opens the log of data that may lie away from their project: then they say themselves whose they
/// are.
pub(crate) fn open_log_of(project: &Project, place: &Place) -> Result<Log> {
    match open_log(project, place) {
        Err(error) if project.dir.is_none() => match error.downcast_ref() {
            Some(placet_log::Error::OtherProject { found, .. }) => {
                let mut theirs = project.clone();
                theirs.config.project.clone_from(found);
                open_log(&theirs, place)
            }
            _ => Err(error),
        },
        opened => opened,
    }
}

/// The project's configuration, under the name that the data go by.
pub(crate) fn config_of(project: &Project, log: &Log) -> ProjectConfig {
    ProjectConfig { project: log.project().to_owned(), ..project.config.clone() }
}

/// Where the tokens of `serve` are kept: beside the keys, away from the data.
pub(crate) fn tokens_file(place: &Place, log: &Log) -> Result<PathBuf> {
    let dir = place.keys.directory(&log.install_id())?.context("tokens need a key directory")?;
    Ok(dir.join(format!("tokens-{}.json", log.install_id())))
}

/// Starts the engine of a log that is open already; never on data of `serve`, where a token says who
/// somebody is and votes are signed.
pub(crate) async fn start_with(setup: Setup<'_>, log: Log) -> Result<Running> {
    refuse_served(&setup.place, &log)?;
    start_served(setup, log).await
}

/// Whether these are data of `serve`, where a token says who somebody is.
pub(crate) fn is_served(place: &Place, log: &Log) -> bool {
    tokens_file(place, log).is_ok_and(|file| file.exists())
}

/// Data of `serve` are no ground for a command of our own.
pub(crate) fn refuse_served(place: &Place, log: &Log) -> Result<()> {
    if is_served(place, log) {
        let words = format!(
            "the data in {} are those of `placet serve`: start that, and go through it with --server and {}",
            place.data.display(),
            crate::env::TOKEN
        );
        return Err(crate::exit::invalid(words));
    }
    Ok(())
}

/// Starts the engine of a log that is open already, whoever may come in to it.
pub(crate) async fn start_served(setup: Setup<'_>, log: Log) -> Result<Running> {
    let sandbox: Arc<dyn Transport> = Arc::new(Sandbox::new(setup.seed));
    let (tell, news) = tokio::sync::mpsc::channel(NEWS_MAX);
    let (live, vault) = match Live::of(setup.mode) {
        None if setup.lost_vault == LostVault::Renew => {
            let words =
                "a sandbox has no vault: --new-vault is for live mode (--mode live, or serve.mode)";
            return Err(crate::exit::invalid(words.to_owned()));
        }
        None => (None, None),
        Some(witness) => {
            let vault = Arc::new(open_vault(&setup, &log)?);
            let holes = (Arc::clone(&vault), tell);
            let live: Arc<dyn Transport> = Arc::new(live(witness, &setup, holes)?);
            (Some(live), Some(vault))
        }
    };
    let transports = Transports { sandbox: Some(sandbox), live: live.clone() };
    let tells = !setup.clock.is_virtual();
    let config = &setup.project.config;
    let collector = if tells { Collector::of(config, setup.mode)? } else { None };
    let before = log.head();
    let parts = Parts {
        log,
        config: setup.project.config.clone(),
        adapters: setup.adapters,
        transports: transports.clone(),
        clock: setup.clock,
        mode: setup.mode,
    };
    let mut engine = Engine::start(parts).await.map_err(|error| refused(&error))?;
    let file = setup.project.config.audit.checkpoint_file.as_ref().map(PathBuf::from);
    let files = [setup.place.data.join(CHECKPOINT_FILE)].into_iter().chain(file).collect();
    let witnesses = Witnesses::of(&setup.project.config.audit.witnesses)?;
    engine.keep_checkpoints(files).map_err(|error| refused(&error))?;
    if let Some(vault) = &vault {
        engine.handle().keep_credentials(vault).map_err(|error| refused(&error))?;
    }
    if tells {
        engine.tell_people(transports).map_err(|error| refused(&error))?;
    }
    let asking = witnesses.ask(engine.handle());
    let recording = Recording::of(engine.handle().clone(), news);
    let telling = collector.map(|collector| collector.follow(engine.handle(), before));
    Ok(Running { engine, vault, live, asking, recording, telling })
}

fn open_vault(setup: &Setup<'_>, log: &Log) -> Result<Vault> {
    let dir = setup.place.keys.directory(&log.install_id())?;
    let dir = dir.context("the vault needs a directory for its key")?;
    let file = setup.place.data.join(VAULT_FILE);
    if !file.exists() {
        account_for_lost(&file, setup, log)?;
    } else if setup.lost_vault == LostVault::Renew {
        return Err(crate::exit::invalid(format!(
            "{} is there: --new-vault makes another only where it is lost",
            file.display()
        )));
    }
    let options = VaultOptions {
        file,
        key: vault_key::source(dir)?,
        project: setup.project.config.project.clone(),
    };
    let vault = Vault::open(options)?;
    // a rotation that was cut short goes on before anything else seals, and is on record before anything else
    if let Some(rotated) = vault.go_on_rotating(&mut crate::commands::vault::tell)? {
        rotations::record((log, setup.clock.now()), (&vault, &rotated), Actor::Engine)?;
    }
    Ok(vault)
}

/// A missing vault is made where the log names no credential, or where somebody has said that it is
/// lost; then their integrations are on hold before it is there.
fn account_for_lost(file: &Path, setup: &Setup<'_>, log: &Log) -> Result<()> {
    let held = lost::credentialed(&log.read()?)?;
    if held.is_empty() {
        return Ok(());
    }
    if setup.lost_vault == LostVault::Refuse {
        let of = held.into_iter().map(|integration| integration.name).collect();
        return Err(placet_vault::Error::Lost { file: file.to_owned(), of }.into());
    }
    for name in lost::hold(log, setup.clock.now())? {
        crate::out::say(&format!("{name} is held: its credential is lost, connect it again"));
    }
    Ok(())
}

fn live(
    witness: Live,
    setup: &Setup<'_>,
    (vault, tell): (Arc<Vault>, Sender<News>),
) -> Result<Egress> {
    let config = &setup.project.config;
    let mut rules = EgressConfig::allowing(listed(&config.egress_allow)?);
    rules.read_hosts.clone_from(&config.read_hosts);
    let most = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    rules.turns = TurnLimits {
        host: most(config.limits.host_calls_max),
        credential: most(config.limits.credential_calls_max),
    };
    if setup.reach == Reach::ListedOnly {
        rules.ports.clear();
    }
    let holes = HoleFiller::new(vault, config.secrets.clone(), Environment::process());
    let holes = holes.telling(move |news| {
        if tell.try_send(news).is_err() {
            tracing::error!("that a token was renewed is not on record: too many at once");
        }
    });
    Ok(Egress::new(witness, rules, Arc::new(holes)))
}

/// The way out for what shows nobody's credential and belongs to no run, whatever the mode of an engine
/// beside it: the document that a person names, and the login server that the operator does.
pub(crate) fn outward(config: &ProjectConfig) -> Result<Egress> {
    let rules = EgressConfig::allowing(listed(&config.egress_allow)?);
    let live = Live::of(Mode::Live).context("what is asked here is asked live")?;
    Ok(Egress::new(live, rules, Arc::new(NoSecrets)))
}

/// Fills no hole.
#[derive(Debug)]
struct NoSecrets;

impl FillHoles for NoSecrets {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        Err(FillError::Unknown { hole: wanted.hole.clone() })
    }
}

/// The targets of an allow list.
pub(crate) fn listed(allow: &[String]) -> Result<Vec<HostPort>> {
    allow
        .iter()
        .map(|text| {
            text.parse::<HostPort>().map_err(|error| crate::exit::invalid(error.to_string()))
        })
        .collect()
}

/// A virtual clock that begins where the log ends, or at the start of all sandbox runs.
pub(crate) fn virtual_clock(log: &Log) -> Result<Clock> {
    let last = log.read()?.head().recorded_at;
    let clock = Clock::virtual_start();
    clock.advance_to(last);
    Ok(clock)
}

/// One default integration for every provider that has none: what a project in sandbox mode starts
/// with.
pub(crate) async fn connect_sandbox(handle: &Handle) -> Result<()> {
    let author = people::principal(AUTHOR);
    let adapters = Arc::clone(handle.adapters());
    for (provider, manifest) in adapters.manifests() {
        let known = handle.world().integrations.values().any(|i| i.provider == *provider);
        if known || manifest.is_planned() || !needs_integration(provider) {
            continue;
        }
        let identity = Identity { id: "sandbox".to_owned(), tenant: "sandbox".to_owned() };
        let connect = Connect {
            name: provider.clone(),
            provider: provider.clone(),
            settings: sandbox_settings(manifest),
            identity,
            label: "sandbox: nothing leaves".to_owned(),
            is_default: true,
            credential: None,
            scopes: None,
        };
        let id = handle.integration_id(provider);
        handle.connect(&author, id, connect).await.map_err(|error| refused(&error))?;
    }
    Ok(())
}

/// `call: http` uses none.
pub(crate) fn needs_integration(provider: &str) -> bool {
    HTTP_OPERATION.split('.').next() != Some(provider)
}

/// Settings that the manifest takes: its defaults, else an example URL, else what its schema gives.
fn sandbox_settings(manifest: &Manifest) -> Value {
    let example = json!({ "url": format!("https://example.com/{}", manifest.provider()) });
    let generated = manifest.config_schema().and_then(|schema| {
        let seed = Digest::of(manifest.provider().as_bytes());
        generate(schema, &seed, Timestamp::EPOCH).ok()
    });
    let candidates = [Some(json!({})), Some(example), generated];
    let fits = |settings: &Value| manifest.settings(settings).is_ok();
    let mut settings = candidates.into_iter().flatten().find(fits).unwrap_or_default();
    for (name, value) in told_examples(manifest) {
        let mut more = settings.clone();
        more[name] = value;
        if fits(&more) {
            settings = more;
        }
    }
    settings
}

/// Whom `notify.send` tells in the sandbox, and from whom it is: what the manifest's settings give as
/// an example.
fn told_examples(manifest: &Manifest) -> Vec<(String, Value)> {
    let properties = manifest.config_schema().map(|schema| schema.document()["properties"].clone());
    let properties = properties.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    let told = properties.into_iter().filter(|(name, _)| name.starts_with("notify_"));
    told.filter_map(|(name, form)| Some((name, form["examples"].get(0)?.clone()))).collect()
}

/// Makes a directory that only its owner can enter.
pub(crate) fn create_private_dir(dir: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).with_context(|| dir.display().to_string())
}

/// Marks data whose log time is virtual, so that whoever opens them later does not hold its
/// expiry dates against the wall clock.
pub(crate) fn mark_virtual(data: &Path) -> Result<()> {
    let file = data.join(CLOCK_FILE);
    std::fs::write(&file, "virtual\n").with_context(|| file.display().to_string())
}

/// Whether log time is virtual in these data.
pub(crate) fn is_virtual(data: &Path) -> bool {
    data.join(CLOCK_FILE).exists()
}

/// From now on log time follows the wall clock.
pub(crate) fn unmark_virtual(data: &Path) {
    drop(std::fs::remove_file(data.join(CLOCK_FILE)));
}

const CLOCK_FILE: &str = "clock";
/// The newest checkpoint of the log, in its data.
pub(crate) const CHECKPOINT_FILE: &str = "checkpoint";
