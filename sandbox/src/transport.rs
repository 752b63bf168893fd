//! [`Sandbox`]: a [`World`] behind the seam through which the engine calls, one for each run and what it
//! has ordered.
//!
//! The state is a fold and not a store: a run's world is made from the calls that its log names, each
//! asked again at the moment of its record, and then kept while there is room. So a process that is
//! killed takes nothing with it, and the next one goes on where the log ends.

use crate::script::{Rule, Turn};
use crate::seed::GENERATOR;
use crate::world::{Asked, Unknown, World};
use placet_adapters::{Answer, Call, Cause, Failed, OfRun, Performing, Ticket, Transport};
use placet_model::{RunId, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Code of a call in a run that another generator has begun to answer.
const OTHER_GENERATOR: &str = "PL3083";
/// Runs whose worlds are kept; those of others are made again when they are asked for.
const RUNS_MAX: usize = 256;

/// The sandbox transport.
#[derive(Debug, Default)]
pub struct Sandbox {
    worlds: Mutex<Worlds>,
    passing: Option<Passing>,
}

/// Lets virtual time pass up to a moment.
pub type Pass = Box<dyn Fn(Timestamp) + Send + Sync>;

struct Passing(Pass);

impl fmt::Debug for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passing")
    }
}

#[derive(Debug, Default)]
struct Worlds {
    /// Of calls that are no run's; what it is told counts for the others as well.
    shared: World,
    runs: BTreeMap<RunId, Lived>,
    /// Rises with each use.
    uses: u64,
}

/// The world of one run.
#[derive(Debug)]
struct Lived {
    world: World,
    /// Answers to calls that had begun when the world was made, and may still be asked for.
    given: BTreeMap<Ticket, (Answer, Duration)>,
    /// Another generator has answered what was asked before.
    other: Option<String>,
    last_use: u64,
}

impl Sandbox {
    /// Equal seeds give equal answers; the default is 0.
    pub fn new(seed: u64) -> Self {
        Self::of(World::new(seed, Unknown::Supposed))
    }

    /// The providers of this world; each run has them for itself.
    pub fn of(world: World) -> Self {
        let worlds = Worlds { shared: world, ..Worlds::default() };
        Self { worlds: Mutex::new(worlds), passing: None }
    }

    /// From now on this operation answers with this error of its manifest (`rate_limited`,
    /// `not_found`, `validation`, `auth`, `timeout_in_doubt`).
    #[must_use]
    pub fn with_error(self, operation: &str, error: &str) -> Self {
        self.with_rule(Rule {
            operation: Some(operation.to_owned()),
            call: None,
            turn: Turn::Error(error.to_owned()),
        })
    }

    /// From now on calls go as this rule says.
    #[must_use]
    pub fn with_rule(self, rule: Rule) -> Self {
        self.worlds.lock().unwrap_or_else(PoisonError::into_inner).shared.add_rule(rule);
        self
    }

    /// What an answer takes passes on this clock; without one nothing waits.
    #[must_use]
    pub fn with_clock(self, pass: Pass) -> Self {
        Self { passing: Some(Passing(pass)), ..self }
    }

    fn answer(&self, call: &Call) -> Answer {
        let mut worlds = self.worlds.lock().unwrap_or_else(PoisonError::into_inner);
        asked(&mut worlds.shared, call)
    }

    fn answer_of(&self, of: &OfRun, call: &Call) -> Answer {
        let of = OfRun { run: of.past.family(of.run), ..of.clone() };
        let mut worlds = self.worlds.lock().unwrap_or_else(PoisonError::into_inner);
        let lived = worlds.of(&of);
        if let Some(other) = &lived.other {
            let words = format!(
                "{OTHER_GENERATOR}: what this run was answered was made by {other}, and this program makes \
                 {GENERATOR}: start it anew, or go on with the version that began it"
            );
            return Err(Failed::before(Cause::Refused, words));
        }
        let (answer, took) = match lived.given.remove(&of.ticket) {
            Some(given) => given,
            None => (asked(&mut lived.world, call), lived.world.took()),
        };
        drop(worlds);
        let took = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        if let Some(Passing(pass)) = self.passing.as_ref().filter(|_| took > 0) {
            pass(call.occurrence.now.plus_millis(took));
        }
        answer
    }
}

impl Worlds {
    fn of(&mut self, of: &OfRun) -> &mut Lived {
        self.uses += 1;
        if !self.runs.contains_key(&of.run) && self.runs.len() >= RUNS_MAX {
            let oldest = self.runs.iter().min_by_key(|(_, lived)| lived.last_use);
            if let Some(oldest) = oldest.map(|(run, _)| *run) {
                self.runs.remove(&oldest);
            }
        }
        let (shared, uses) = (&self.shared, self.uses);
        let lived = self.runs.entry(of.run).or_insert_with(|| {
            let mut world = shared.unasked();
            let given = of.past.calls(of.run).into_iter();
            let given = given.map(|(ticket, call)| {
                let answer = asked(&mut world, &call);
                (ticket, (answer, world.took()))
            });
            let given = given.collect();
            let other = of.past.generator(of.run).filter(|other| other != GENERATOR);
            Lived { world, given, other, last_use: uses }
        });
        lived.last_use = uses;
        lived
    }
}

fn asked(world: &mut World, call: &Call) -> Answer {
    let header = call.operation.delivery().key_header();
    let key = header.and_then(|name| call.request.header(name)?.as_plain());
    let mut answer = world.answer(Asked {
        operation: &call.operation,
        integration: call.integration.as_ref().map_or("", |known| known.name.as_str()),
        input: &call.input,
        key: key.as_deref(),
        send_id: &call.send_id,
        seen: call.occurrence.seen,
        now: call.occurrence.now,
        timeout: call.timeout,
    });
    if let Ok(response) = &mut answer {
        response.generator = Some(GENERATOR);
    }
    answer
}

impl Transport for Sandbox {
    fn perform(&self, call: Call) -> Performing<'_> {
        Box::pin(async move { self.answer(&call) })
    }

    fn perform_of(&self, of: OfRun, call: Call) -> Performing<'_> {
        Box::pin(async move { self.answer_of(&of, &call) })
    }
}
