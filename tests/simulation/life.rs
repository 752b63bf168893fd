//! One seed: a project that lives, dies and is started again, until its trouble stops and everything
//! has to come to an end.
//!
//! The engine, its log and its projections are the real ones. What is simulated is everything around
//! them: the disk, the clock, the providers, the people. The engine goes stepwise, and each act waits
//! until it rests, so a seed tells the same story every time; only where exactly in a commit the power
//! goes can shift by an operation, since redb reuses a page when the last reader has let go of it.

use crate::checks::{Book, Violation};
use crate::faults::{Fault, Faults};
use crate::project::{self, Disks};
use crate::provider::Providers;
use placet_executor::{Clock, Engine, Error, Handle};
use placet_model::{DecisionId, EventId, Position, RunId, Timestamp};
use placet_projections::{DecisionRow, RunFilter, RunRow, Views};
use placet_test_support::disk::Honesty;
use placet_test_support::random::Random;
use std::collections::{BTreeMap, BTreeSet};

/// Looks at the engine until it rests; more, and it goes round in circles.
const LOOKS_MAX: usize = 20_000;
/// Crashes in recovery, one after the other.
const CUTS_IN_RECOVERY: u64 = 3;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Lines of a story that are shown of a failure.
const LINES_SHOWN: usize = 60;

/// What was counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    pub(crate) steps: u64,
    pub(crate) crashes: u64,
    pub(crate) recoveries: u64,
    pub(crate) calls: u64,
    pub(crate) sends: u64,
    pub(crate) doubts: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.recoveries += other.recoveries;
        self.calls += other.calls;
        self.sends += other.sends;
        self.doubts += other.doubts;
    }
}

/// How a seed is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) honesty: Honesty,
    /// Print each line as it comes.
    pub(crate) trace: bool,
}

/// A seed that has failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) what: Violation,
    /// The last lines of its story.
    pub(crate) story: Vec<String>,
}

/// What the engine has acknowledged, and what it has refused.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Events that it has told of.
    pub(crate) told: BTreeMap<Position, EventId>,
    /// Places of votes that it has told of.
    pub(crate) votes: BTreeMap<Position, DecisionId>,
    /// Places of what was said of attempts in doubt, of which it has told.
    pub(crate) resolutions: BTreeMap<Position, DecisionId>,
    /// Runs that it has begun.
    pub(crate) runs: BTreeSet<RunId>,
    /// Nonces of votes that it has refused.
    pub(crate) refused: BTreeSet<String>,
    /// Runs that may have begun: nobody knows.
    pub(crate) unknown: usize,
}

/// One seed under way.
pub(crate) struct Life {
    pub(crate) random: Random,
    pub(crate) faults: Faults,
    pub(crate) disks: Disks,
    pub(crate) clock: Clock,
    /// Whether the life that goes on ends with the machine, not with the process alone.
    power_goes: bool,
    pub(crate) providers: Providers,
    /// None while it is dead.
    pub(crate) engine: Option<Engine>,
    pub(crate) memory: Memory,
    pub(crate) book: Book,
    pub(crate) tally: Tally,
    /// Ids in the order in which they were met, for the story.
    pub(crate) met: BTreeMap<u128, usize>,
    /// Ballots that were cast, or could have been.
    pub(crate) seen: Vec<placet_model::decision::Ballot>,
    pub(crate) published: u64,
    /// A promise that an answer has broken.
    pub(crate) broken: Option<Violation>,
    story: Vec<String>,
    trace: bool,
}

/// Plays a seed; gives what was counted, and the whole story.
pub(crate) fn play(seed: u64, setting: Setting) -> Result<(Tally, Vec<String>), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut life = Life::new(seed, setting);
    let went = runtime.block_on(life.live());
    life.tally.calls = life.providers.made().len() as u64;
    life.tally.sends = life.providers.effects().values().map(Vec::len).sum::<usize>() as u64;
    runtime.block_on(life.die());
    match went {
        Ok(()) => Ok((life.tally, life.story)),
        Err(what) => {
            let from = life.story.len().saturating_sub(LINES_SHOWN);
            Err(Failure { what, story: life.story.split_off(from) })
        }
    }
}

impl Life {
    fn new(seed: u64, setting: Setting) -> Self {
        let mut random = Random::new(seed);
        let faults = Faults::draw(&mut random);
        let clock = Clock::virtual_start();
        clock.hold_at(Some(Timestamp::from_millis(i64::MIN)));
        let mut life = Self {
            random,
            faults,
            disks: project::disks(setting.honesty),
            clock,
            power_goes: false,
            providers: Providers::default(),
            engine: None,
            memory: Memory::default(),
            book: Book::default(),
            tally: Tally { seeds: 1, ..Tally::default() },
            met: BTreeMap::new(),
            seen: vec![],
            published: 0,
            broken: None,
            story: vec![],
            trace: setting.trace,
        };
        life.tell(format!("seed {seed}: {}", life.faults));
        life
    }

    /// A line of the story.
    pub(crate) fn tell(&mut self, line: impl Into<String>) {
        let line = line.into();
        if self.trace {
            println!("{line}");
        }
        self.story.push(line);
    }

    /// A name for an id that is the same in every telling.
    pub(crate) fn label(&mut self, id: u128) -> usize {
        let next = self.met.len();
        *self.met.entry(id).or_insert(next)
    }

    async fn live(&mut self) -> Result<(), Violation> {
        let steps = 20 + self.random.below(60);
        for _ in 0..steps {
            self.tally.steps += 1;
            if self.engine.is_none() {
                self.recover(Trouble::Goes).await?;
            }
            self.act().await?;
            self.rest().await?;
            if let Some(broken) = self.broken.take() {
                return Err(broken);
            }
        }
        self.heal().await?;
        self.check_copies().await
    }

    /// Waits until the engine has nothing to do but to wait, and looks at what it has recorded.
    pub(crate) async fn rest(&mut self) -> Result<(), Violation> {
        for _ in 0..LOOKS_MAX {
            let Some(engine) = &self.engine else { return Ok(()) };
            let before = self.providers.counts();
            engine.handle().wake();
            let Ok(load) = engine.handle().load().await else {
                self.die().await;
                return Ok(());
            };
            let still = before == self.providers.counts() && before.1 == before.2;
            if load.worked_on == 0 && load.calls == self.providers.pending() && still {
                return self.look();
            }
            tokio::task::yield_now().await;
        }
        Err("the engine does not come to rest".to_owned())
    }

    /// Reads on in the log and checks what is there.
    fn look(&mut self) -> Result<(), Violation> {
        let Some(handle) = self.handle() else { return Ok(()) };
        let Ok(view) = handle.view() else { return Ok(()) };
        let made = self.providers.made();
        for event in view.events(self.book.next()) {
            // the power may be gone: the next life looks
            let Ok(event) = event else { return Ok(()) };
            self.book.read(&event, &made)?;
        }
        self.book.check_calls(&self.providers)
    }

    /// The process is gone. Calls that hang arrive, or do not.
    pub(crate) async fn die(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        self.tell("the engine is dead");
        for disk in self.disks.all() {
            disk.cut_power_after(0);
        }
        let random = &mut self.random;
        self.providers.lose_all(|| random.one_in(2));
        // it may end in order, or say that a commit failed: it is gone either way
        let _gone = engine.stop().await;
    }

    /// Power is back: what was acknowledged must be there.
    pub(crate) async fn recover(&mut self, trouble: Trouble) -> Result<(), Violation> {
        self.restart();
        if trouble == Trouble::Goes && self.faults.strikes(Fault::ClockJumps, &mut self.random, 2) {
            self.jump();
        }
        let mut cuts = match trouble {
            Trouble::Goes if self.faults.has(Fault::CutInRecovery) => {
                self.random.below(CUTS_IN_RECOVERY + 1)
            }
            Trouble::Goes | Trouble::IsOver => 0,
        };
        loop {
            if cuts > 0 {
                let disk = self.disks.one(&mut self.random);
                disk.cut_power_after(1 + self.random.below(120));
            }
            let seed = self.random.next();
            match project::open(&self.disks, &self.clock, (&self.providers, seed)).await {
                Ok(engine) => self.engine = Some(engine),
                Err(error) if cuts == 0 => return Err(format!("does not start: {error:?}")),
                Err(_) => {}
            }
            self.book = Book::default();
            self.rest().await?;
            if self.engine.is_some() {
                break;
            }
            if cuts == 0 {
                return Err("dies without any trouble".to_owned());
            }
            cuts -= 1;
            self.tell("the power goes during recovery");
            self.power_goes = true;
            self.restart();
        }
        self.tally.recoveries += 1;
        self.tell("the engine has started");
        self.check_memory()?;
        if trouble == Trouble::Goes {
            self.arm();
        }
        Ok(())
    }

    fn restart(&mut self) {
        for disk in self.disks.all() {
            disk.restart(&mut self.random);
            disk.make_room();
        }
        self.disks.log.power_on();
        if std::mem::take(&mut self.power_goes) {
            self.clock.reboot();
        }
        self.tally.crashes += 1;
    }

    /// What was told is there, and what was refused is not.
    fn check_memory(&mut self) -> Result<(), Violation> {
        let Some(handle) = self.handle() else { return Ok(()) };
        let Ok(view) = handle.view() else { return Ok(()) };
        for (position, id) in &self.memory.told {
            match view.event(*position) {
                Ok(event) if event.event_id == *id => {}
                found => return Err(format!("what was told of is lost at {position}: {found:?}")),
            }
        }
        for (position, decision) in &self.memory.votes {
            let Ok(event) = view.event(*position) else {
                return Err(format!("an acknowledged vote is lost at {position}"));
            };
            match event.event {
                placet_model::Event::VoteCast(body) if body.decision == *decision => {}
                other => return Err(format!("{} in the place of a vote", other.type_name())),
            }
        }
        for (position, decision) in &self.memory.resolutions {
            match view.event(*position).map(|event| event.event) {
                Ok(placet_model::Event::ResolutionCast(body)) if body.decision == *decision => {}
                found => return Err(format!("what was said is lost at {position}: {found:?}")),
            }
        }
        if let Some(run) = self.memory.runs.iter().find(|run| !self.book.runs.contains_key(run)) {
            return Err(format!("an acknowledged run is lost: {run}"));
        }
        let known = self.memory.runs.len() + self.memory.unknown;
        if self.book.runs.len() > known {
            return Err("a run was refused, and is in the log".to_owned());
        }
        match self.memory.refused.iter().find(|nonce| self.book.has_nonce(nonce)) {
            Some(_) => Err("a vote was refused, and is in the log".to_owned()),
            None => Ok(()),
        }
    }

    /// Sets what will go wrong with the disk in this life.
    fn arm(&mut self) {
        let (faults, random) = (self.faults.clone(), &mut self.random);
        if faults.strikes(Fault::PowerCut, random, 2) {
            let operations = 1 + random.below(500);
            self.disks.one(random).cut_power_after(operations);
            self.power_goes = true;
            self.tell(format!("the power will go after {operations} operations"));
        } else if faults.strikes(Fault::SyncError, random, 2) {
            let syncs = 1 + random.below(30);
            self.disks.one(random).fail_sync_after(syncs);
            self.tell(format!("the disk will fail after {syncs} syncs"));
        } else if faults.strikes(Fault::DiskFull, random, 3) {
            self.disks.one(random).fill();
            self.tell("the disk is full");
        }
        if self.faults.strikes(Fault::PowerCut, &mut self.random, 8) {
            self.disks.keys.cut_power_after(1 + self.random.below(60));
        }
    }

    pub(crate) fn handle(&self) -> Option<Handle> {
        self.engine.as_ref().map(|engine| engine.handle().clone())
    }

    /// What somebody was told: the value, or nothing where it was refused or is unknown.
    pub(crate) fn heard<T>(&mut self, what: &str, answer: Result<T, Error>) -> Option<T> {
        match answer {
            Ok(value) => {
                self.tell(format!("{what}: done"));
                Some(value)
            }
            Err(error) => {
                self.tell(format!("{what}: {}", error.code()));
                None
            }
        }
    }

    /// Open items of the inbox.
    pub(crate) fn items(&self) -> Vec<DecisionRow> {
        let read = || -> Option<Vec<DecisionRow>> {
            let view = self.handle()?.view().ok()?;
            Views::new(&view).ok()?.open(None, 100).ok()
        };
        read().unwrap_or_default()
    }

    /// All runs, the newest first.
    pub(crate) fn runs(&self) -> Vec<RunRow> {
        let read = || -> Option<Vec<RunRow>> {
            let view = self.handle()?.view().ok()?;
            Views::new(&view).ok()?.runs(&RunFilter::default(), None, 1000).ok()
        };
        read().unwrap_or_default()
    }

    /// Time passes, truly, whatever the wall clock shows.
    pub(crate) fn pass(&mut self, millis: i64) {
        self.providers.pass(millis);
        self.clock.advance_to(self.clock.now().plus_millis(millis));
    }

    /// Somebody sets the wall clock, by days, forwards or back: no time passes.
    pub(crate) fn jump(&mut self) {
        let days = i64::try_from(self.random.below(10)).unwrap_or(0) + 1;
        if self.random.one_in(2) {
            self.clock.set_by(-days * DAY_MS);
            self.tell(format!("the clock is set back by {days} days"));
        } else {
            self.clock.set_by(days * DAY_MS);
            self.tell(format!("the clock jumps ahead by {days} days"));
        }
    }

    /// The machine sleeps under the process, which does not outlive it, and wakes after days with the
    /// clock of before: by the log no time has passed, by the providers and the uptime it has.
    pub(crate) async fn doze(&mut self) {
        let days = i64::try_from(self.random.below(10)).unwrap_or(0) + 1;
        self.be_killed().await;
        self.pass(days * DAY_MS);
        self.clock.set_by(-days * DAY_MS);
        self.tell(format!("the machine sleeps for {days} days, and its clock does not know"));
    }

    /// The process is killed, and the machine goes on.
    pub(crate) async fn be_killed(&mut self) {
        self.tell("kill -9");
        self.power_goes = false;
        self.die().await;
    }
}

/// Whether things still go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Goes,
    IsOver,
}
