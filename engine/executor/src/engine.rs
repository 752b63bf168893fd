//! Opening a project and running its engine.

use crate::checkpoints::Keeper;
use crate::clock::Clock;
use crate::connections::Connections;
use crate::env::Env;
use crate::handle::{Error, Handle, Notice, ProjectFact};
use crate::inputs::Inputs;
use crate::mint::Mint;
use crate::perform::{Caller, Transports};
use crate::pool::Turns;
use crate::submit::Submitter;
use crate::world::{Modes, World};
use crate::writer::{Ended, State, Writer};
use placet_adapters::Adapters;
use placet_language::{Evaluator, Limits};
use placet_log::Log;
use placet_model::draft::Mode;
use placet_model::event::governance::{EngineStarted, OperationRegistered};
use placet_model::policy::Policy;
use placet_model::project::ProjectConfig;
use placet_model::{Actor, Digest, Event, StreamId, canonical};
use placet_projections::Views;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::broadcast;

/// Hints that may pile up at a slow listener before it must read the state instead.
const NOTICES_MAX: usize = 4096;

/// What an engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// The open log, with `placet_projections::Projections` as its projector.
    pub log: Log,
    /// The operator's configuration.
    pub config: ProjectConfig,
    /// The manifests.
    pub adapters: Arc<Adapters>,
    /// The ways into the world.
    pub transports: Transports,
    /// The clock.
    pub clock: Clock,
    /// Mode of new runs, for the record.
    pub mode: Mode,
}

/// How much goes on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As much as there is to do.
    AtOnce,
    /// One thing after the other.
    Stepwise,
}

/// A running engine. Dropping it without [`Engine::stop`] leaves the loop running until every
/// handle is gone; then it ends in order.
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
    thread: Option<JoinHandle<Ended>>,
    keeper: Option<Keeper>,
    telling: Option<crate::notices::Keeper>,
    watching: Option<crate::connections::Keeper>,
}

impl Engine {
    /// Reads the project back, records that an engine has started, and starts the loop. Must be
    /// called within a tokio runtime: calls are made on it.
    ///
    /// # Errors
    /// Where the project cannot be read or is older than what was signed of it, or the start cannot
    /// be recorded.
    pub async fn start(parts: Parts) -> Result<Self, Error> {
        Self::start_at(parts, (Pace::AtOnce, Mint::default())).await
    }

    /// As [`Engine::start`], but one thing is done after the other, in the order in which it came:
    /// no turn beside another, each append waited for, ids and nonces from the seed. The same inputs
    /// then give the same history, which is what a simulation needs, and nobody else: nonces that can
    /// be guessed are none.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn start_stepwise(parts: Parts, seed: u64) -> Result<Self, Error> {
        Self::start_at(parts, (Pace::Stepwise, Mint::seeded(seed))).await
    }

    async fn start_at(parts: Parts, (pace, mint): (Pace, Mint)) -> Result<Self, Error> {
        parts.log.check_signed_head()?;
        let (env, transports, mode) = env_of(parts, mint);
        let modes = modes_of(&transports);
        let world = read_world(&env, modes)?;
        env.budgets.recall(&env, &world)?;
        let world = Arc::new(RwLock::new(Arc::new(world)));
        let inputs = Inputs::default();
        let (notices, _) = broadcast::channel::<Notice>(NOTICES_MAX);
        let connections = Arc::new(Connections::new(transports.live.clone()));
        let caller = Caller::new(Arc::clone(&env), Arc::clone(&world), transports, inputs.clone());
        let (notes, known) = (notices.downgrade(), Arc::clone(&world));
        let handle =
            Handle::new(Arc::clone(&env), inputs.clone(), known, notes).through(connections);
        let submitter = Submitter {
            env: Arc::clone(&env),
            inputs: inputs.clone(),
            caller: Arc::new(caller),
            world: Arc::clone(&world),
            pace,
        };
        let turns = Turns::new(&submitter);
        let state = State::default();
        let writer = Writer { env, inputs, submitter, turns, world, notices, state };
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| Error::Refused { code: "PL9001", detail: error.to_string() })?;
        let engine =
            Self { handle, thread: Some(thread), keeper: None, telling: None, watching: None };
        if let Err(error) = engine.record_start(mode).await {
            // the caller may open the project again at once: nothing of this one is left behind
            return Err(match (error, engine.stop().await) {
                // it has ended by itself before it could answer, and knows why
                (Error::Stopping, Err(why)) => why,
                (error, _) => error,
            });
        }
        Ok(engine)
    }

    /// The project as it is, for reading only: no loop runs, nothing is recorded, and whoever wishes
    /// for something is told that the engine is stopping.
    ///
    /// # Errors
    /// Where the project cannot be read.
    pub fn reader(parts: Parts) -> Result<Handle, Error> {
        let (env, transports, _) = env_of(parts, Mint::default());
        let world = read_world(&env, modes_of(&transports))?;
        let inputs = Inputs::default();
        inputs.close();
        let (notices, _) = broadcast::channel::<Notice>(1);
        Ok(Handle::new(env, inputs, Arc::new(RwLock::new(Arc::new(world))), notices.downgrade()))
    }

    /// The engine as others hold it.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Signs the log from now on, as the configuration says, and when the engine stops in order; the
    /// newest checkpoint stands in these files.
    ///
    /// # Errors
    /// Where there is no key to sign with.
    pub fn keep_checkpoints(&mut self, files: Vec<PathBuf>) -> Result<(), Error> {
        self.keeper = Some(Keeper::start(&self.handle.checkpoints, files)?);
        Ok(())
    }

    /// Holds on to what tells people.
    pub(crate) fn keep_telling(&mut self, telling: crate::notices::Keeper) {
        self.telling = Some(telling);
    }

    /// Holds on to what checks connections.
    pub(crate) fn keep_watching(&mut self, watching: crate::connections::Keeper) {
        self.watching = Some(watching);
    }

    pub(crate) const fn watching(&self) -> Option<&crate::connections::Keeper> {
        self.watching.as_ref()
    }

    /// Finishes what is under way and ends. Tells whether the log is still good.
    ///
    /// # Errors
    /// [`Error::CommitFailed`] when the loop had ended by a failed commit, [`Error::Refused`] when it
    /// had ended because the project could not be read.
    pub async fn stop(mut self) -> Result<(), Error> {
        if let Some(telling) = self.telling.take() {
            telling.stop().await;
        }
        if let Some(watching) = self.watching.take() {
            watching.stop().await;
        }
        self.handle.stop().await;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        match ended {
            Ok(Ok(Ended::Stopped)) => match self.keeper.take() {
                Some(keeper) => keeper.stop().await,
                None => Ok(()),
            },
            Ok(Ok(Ended::CommitFailed)) => {
                Err(Error::CommitFailed { reason: "see the log of the process".to_owned() })
            }
            Ok(Ok(Ended::Unreadable)) => Err(Error::Refused {
                code: "PL1002",
                detail: "the project could not be read: see the log of the process".to_owned(),
            }),
            Ok(Err(_)) | Err(_) => {
                Err(Error::CommitFailed { reason: "the loop panicked".to_owned() })
            }
        }
    }

    async fn record_start(&self, mode: Mode) -> Result<(), Error> {
        let env = &self.handle.env;
        let config = serde_json::to_value(&env.config).unwrap_or_default();
        let config_digest = canonical::digest(&config).unwrap_or_else(|_| Digest::of(b""));
        let started = EngineStarted {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode,
            config_digest,
            read_hosts: env.config.read_hosts.clone(),
            egress_allow: env.config.egress_allow.clone(),
        };
        let turn = self.handle.act_turn().await;
        let mut facts = vec![(StreamId::Project, Event::from(started), vec![])];
        facts.extend(self.new_operations()?);
        self.handle.govern(&Actor::Engine, facts, None, turn).await?;
        Ok(())
    }

    /// Operations that the project has not seen in this form: kept, so that a draft outlives an
    /// upgrade of its manifest.
    fn new_operations(&self) -> Result<Vec<ProjectFact>, Error> {
        let env = &self.handle.env;
        let view = env.view()?;
        let views = Views::new(&view)?;
        let mut facts = vec![];
        for (provider, manifest) in env.adapters.manifests() {
            let stream = StreamId::Adapter(provider.clone());
            let mut ahead = view.revision(&stream)?;
            for operation in manifest.operations().values() {
                if views.operation(operation.digest())?.is_some() {
                    continue;
                }
                ahead = ahead.next();
                let registered = OperationRegistered {
                    operation: operation.name().to_owned(),
                    digest: operation.digest(),
                    document: placet_model::PayloadRef::new(ahead, 0),
                };
                let source = manifest.source().as_bytes().to_vec();
                facts.push((stream.clone(), Event::from(registered), vec![source]));
            }
        }
        Ok(facts)
    }
}

fn env_of(parts: Parts, mint: Mint) -> (Arc<Env>, Transports, Mode) {
    let Parts { log, config, adapters, transports, clock, mode } = parts;
    let deadline = Duration::from_millis(config.limits.expression_ms_max);
    let output_bytes = usize::try_from(config.limits.output_bytes_max).unwrap_or(usize::MAX);
    let budgets = crate::budgets::Budgets::new(clock.clone());
    let env = Env {
        install_id: log.install_id(),
        log,
        config,
        adapters,
        evaluator: Evaluator::new(Limits { deadline, output_bytes, ..Limits::default() }),
        clock,
        mode,
        latest: AtomicI64::new(i64::MIN),
        mint,
        plans: RwLock::new(BTreeMap::new()),
        uses: crate::uses::Uses::default(),
        budgets,
        live: transports.live.clone(),
        measures: crate::measures::Measures::default(),
        triggers: crate::triggers::Triggers::default(),
    };
    (Arc::new(env), transports, mode)
}

const fn modes_of(transports: &Transports) -> Modes {
    Modes { sandbox: transports.sandbox.is_some(), live: transports.live.is_some() }
}

fn read_world(env: &Env, modes: Modes) -> Result<World, Error> {
    let view = env.view()?;
    env.not_before(view.head().recorded_at);
    let views = Views::new(&view)?;
    let policy = policy_of(&view)?.unwrap_or_default();
    let (pauses, keys, passkeys) = (views.pauses()?, views.keys()?, views.passkeys()?);
    let integrations = views.integrations()?.into_iter().map(|i| (i.id, i)).collect();
    Ok(World {
        version: 1,
        policy: keys.in_force(&passkeys, &Arc::new(policy)),
        endorsements: endorsements(&view)?,
        integrations,
        keys: Arc::new(keys),
        passkeys: Arc::new(passkeys),
        paused: pauses.project,
        paused_integrations: pauses.integrations,
        stopping: false,
        modes,
        epoch: view.epochs()?.pop(),
    })
}

/// The policy in force; none before the first.
pub(crate) fn policy_of(view: &placet_log::ReadView) -> Result<Option<Policy>, Error> {
    let Some((digest, place)) = Views::new(view)?.policy()? else { return Ok(None) };
    let payload = view.payload(&place.stream, place.payload)?;
    let damaged = |detail| Error::Refused { code: "PL1003", detail };
    if Digest::of(payload.as_bytes()) != digest {
        return Err(damaged(format!("another policy stands in the place of {digest}")));
    }
    let policy = serde_json::from_slice(payload.as_bytes());
    policy.map(Some).map_err(|error| damaged(format!("the stored policy cannot be read: {error}")))
}

/// Who has given their votes in advance, by the digest of what was given.
fn endorsements(view: &placet_log::ReadView) -> Result<crate::world::Endorsements, Error> {
    let mut given = crate::world::Endorsements::new();
    for event in view.stream(&StreamId::Policy, placet_model::Revision::START) {
        if let Event::StandingEndorsed(body) = event?.event {
            given.entry(body.digest).or_default().insert(body.by, body.assurance);
        }
    }
    Ok(given)
}
