//! Every planted bug is caught within a few seeds, or the simulation is worth little.

use crate::args::Options;
use crate::life::{self, Setting};
use crate::seeds::{self, Play};
use crate::store;
use placet_mutants::Mutant;
use placet_test_support::disk::Honesty;

/// Seeds within which a mutant must be caught.
const ENGINE_SEEDS: u64 = 300;
const STORE_SEEDS: u64 = 200;

const HONEST: Setting = Setting { honesty: Honesty::Honest, trace: false };

/// Where a mutant lives: the layer that must catch it.
const fn layer(mutant: Mutant) -> (&'static str, Play, u64) {
    match mutant {
        Mutant::DurabilityNone | Mutant::DigestNotChecked => ("store", store::play, STORE_SEEDS),
        _ => ("engine", life::play, ENGINE_SEEDS),
    }
}

pub(crate) fn every_one(options: Options) -> Result<(), String> {
    let mut missed = vec![];
    for mutant in Mutant::ALL.iter().copied() {
        let (name, play, budget) = layer(mutant);
        placet_mutants::plant(mutant);
        let seeds: Vec<u64> = (0..options.seeds.unwrap_or(budget)).collect();
        let (tally, caught) = seeds::play_all(&seeds, play, HONEST);
        placet_mutants::plant(Mutant::None);
        match caught {
            Some((seed, failure)) => {
                let tried = tally.seeds + 1;
                println!("{mutant:?}: caught by {name} seed {seed} of {tried}: {}", failure.what);
            }
            None => missed.push(format!("{mutant:?} ({name}, {} seeds)", tally.seeds)),
        }
    }
    let all = Mutant::ALL.len();
    println!("mutants caught {}/{all}", all - missed.len());
    if missed.is_empty() { Ok(()) } else { Err(format!("not caught: {}", missed.join(", "))) }
}
