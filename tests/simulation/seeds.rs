//! Which seeds are played, by how many threads, and what is printed.

use crate::args::Options;
use crate::faults::Faults;
use crate::life::{self, Failure, Setting, Tally};
use crate::store;
use placet_test_support::disk::Honesty;
use placet_test_support::random::Random;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Seeds of the short budget: half a minute of one core each, built without optimisation.
const ENGINE_SEEDS: u64 = 150;
const STORE_SEEDS: u64 = 400;
/// Seeds that are told twice.
const TOLD_TWICE: u64 = 10;
/// Seeds in which a lying disk must be caught mostly.
const LYING_SEEDS: u64 = 20;

const HONEST: Setting = Setting { honesty: Honesty::Honest, trace: false };
const KNOWN: &str = include_str!("../../fixtures/simulation/seeds.txt");

/// Plays one seed.
pub(crate) type Play = fn(u64, Setting) -> Result<(Tally, Vec<String>), Failure>;

/// Known seeds of a layer.
fn known(layer: &str) -> Vec<u64> {
    let seed = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let number = rest.split('#').next().unwrap_or_default().trim();
        (name == layer).then(|| number.parse().expect("a known seed is a number"))
    };
    KNOWN.lines().filter_map(seed).collect()
}

pub(crate) fn engine(options: Options) -> Result<(), String> {
    layer("engine", life::play, (options, ENGINE_SEEDS))
}

pub(crate) fn store(options: Options) -> Result<(), String> {
    layer("store", store::play, (options, STORE_SEEDS))
}

fn layer(name: &str, play: Play, (options, budget): (Options, u64)) -> Result<(), String> {
    let setting = Setting { trace: options.trace, ..HONEST };
    let seeds = match options.seed {
        Some(seed) => vec![seed],
        None => known(name).into_iter().chain(0..options.seeds.unwrap_or(budget)).collect(),
    };
    let began = Instant::now();
    let (tally, failed) = play_all(&seeds, play, setting);
    let seconds = began.elapsed().as_secs_f64();
    let Tally { seeds, steps, crashes, recoveries, calls, sends, doubts } = tally;
    println!(
        "{name}: {seeds} seeds, {steps} steps, {crashes} crashes, {recoveries} recoveries, {calls} calls, {sends} sends, {doubts} doubts settled by people, {seconds:.1} s, {:.0} crashes/s",
        f64::from(u32::try_from(crashes).unwrap_or(u32::MAX)) / seconds
    );
    match failed {
        None => Ok(()),
        Some((seed, failure)) => {
            let story = failure.story.join("\n  ");
            let again = format!("cargo test --test simulation -- {name} --seed {seed} --trace");
            Err(format!(
                "seed {seed}: {}\n  {story}\n{}\nagain: {again}",
                failure.what, failure.what
            ))
        }
    }
}

/// Plays them on every core; gives what was counted, and the first that failed.
pub(crate) fn play_all(
    seeds: &[u64],
    play: Play,
    setting: Setting,
) -> (Tally, Option<(u64, Failure)>) {
    let next = AtomicU64::new(0);
    let total = Mutex::new((Tally::default(), None));
    let work = || {
        while let Some(seed) = place(&next, seeds) {
            let played = play(seed, setting);
            let mut total = total.lock().expect("no thread panics with it");
            match played {
                Ok((tally, _)) => total.0.add(&tally),
                Err(failure) => {
                    // the others end what they are at
                    next.store(u64::MAX / 2, Ordering::SeqCst);
                    total.1.get_or_insert((seed, failure));
                }
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 1..cores.min(seeds.len()) {
            scope.spawn(work);
        }
        work();
    });
    total.into_inner().expect("no thread panics with it")
}

fn place(next: &AtomicU64, seeds: &[u64]) -> Option<u64> {
    let place = usize::try_from(next.fetch_add(1, Ordering::SeqCst)).ok()?;
    seeds.get(place).copied()
}

/// What a seed tells does not depend on anything but the seed.
pub(crate) fn one_story(options: Options) -> Result<(), String> {
    let whole_disk = |seed: &u64| !Faults::draw(&mut Random::new(*seed)).concern_the_disk();
    let most = usize::try_from(options.seeds.unwrap_or(TOLD_TWICE)).unwrap_or(usize::MAX);
    let of_engine: Vec<u64> = (0..).filter(whole_disk).take(most).collect();
    let of_store: Vec<u64> = (0..).take(most).collect();
    let layers: [(&str, Play, _); 2] =
        [("engine", life::play, of_engine), ("store", store::play, of_store)];
    for (name, play, seeds) in layers {
        for seed in seeds {
            let told = [(), ()].map(|()| play(seed, HONEST));
            let [Ok((_, first)), Ok((_, second))] = told else {
                return Err(format!("{name} seed {seed} fails"));
            };
            let differs = first.iter().zip(&second).find(|(first, second)| first != second);
            if let Some((first, second)) = differs {
                return Err(format!("{name} seed {seed}: first {first:?}, then {second:?}"));
            }
            if first.len() != second.len() {
                return Err(format!("{name} seed {seed}: one story is longer"));
            }
        }
    }
    Ok(())
}

/// The checks can fail: a disk that says that it has synced, and has not, is caught by them.
pub(crate) fn lying_disk(_options: Options) -> Result<(), String> {
    let lying = Setting { honesty: Honesty::LiesAboutSync, ..HONEST };
    for (name, play) in [("engine", life::play as Play), ("store", store::play)] {
        let caught = (0..LYING_SEEDS).filter(|seed| play(*seed, lying).is_err()).count();
        println!("{name}: a lying disk is caught by {caught} of {LYING_SEEDS} seeds");
        if caught < 3 {
            return Err(format!("{name}: a lying disk is caught by {caught} of {LYING_SEEDS}"));
        }
    }
    Ok(())
}
