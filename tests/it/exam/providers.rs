//! Every write operation of every provider against every fault of a wire: the real engine, log and live transport, over
//! real HTTP to a stand-in that plays the provider and remembers what it took. Counted is what took effect there. The
//! clock is virtual, so that settle windows and back-offs pass at once. The time limit of a call is real: it is short only
//! where no answer comes, and then nothing is lost by how long the machine takes.
//!
//! The stand-in is reached by what an operator may set: the integration's own `api_base`, and `--egress-allow`.
//! `PLACET_EXAM_SEEDS=50` plays more than one round: in later ones look-ups go wrong, too.
//!
//! covers: S7, S10, T11

pub(super) mod cases;
pub(super) mod stage;

use cases::{Case, Fault};
use stage::{End, Stage, Waits};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Rounds in which look-ups go wrong as well, in the short budget.
const SEEDS: u64 = 2;

fn seeds() -> u64 {
    let wanted = std::env::var("PLACET_EXAM_SEEDS").ok();
    wanted.map_or(SEEDS, |text| text.parse().expect("PLACET_EXAM_SEEDS is a number"))
}

/// Provider and fault, and how often each end came of it.
type Matrix = BTreeMap<(String, Fault), BTreeMap<End, usize>>;

fn shown(matrix: &Matrix) -> String {
    let mut text = format!("{:<12} {:<18} ends\n", "provider", "fault");
    for ((provider, fault), ends) in matrix {
        let ends: Vec<String> =
            ends.iter().map(|(end, count)| format!("{} {count}", end.word())).collect();
        let _written = writeln!(text, "{provider:<12} {:<18} {}", fault.word(), ends.join(", "));
    }
    text
}

#[test]
fn over_every_operation_and_fault_nothing_is_doubled_or_lost_and_the_unclear_waits_for_a_person() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut patient = Stage::open(Waits::Long).await;
        let mut hasty = Stage::open(Waits::Briefly).await;
        // each with the addresses of its own stand-in
        let (cases, of_hasty) = (cases::all(&patient), cases::all(&hasty));
        let (mut matrix, mut problems, mut played) = (Matrix::new(), vec![], 0);
        for seed in 0..seeds() {
            for (n, both) in cases.iter().zip(&of_hasty).enumerate() {
                for (m, fault) in Fault::ALL.into_iter().enumerate() {
                    // a round after the first plays a third of all, another one each time
                    if seed > 0 && (n + m) as u64 % 3 != seed % 3 {
                        continue;
                    }
                    let (stage, case) = match fault.waits() {
                        Waits::Long => (&mut patient, both.0),
                        Waits::Briefly => (&mut hasty, both.1),
                    };
                    let played_out = stage.play(case, fault, seed).await;
                    played += 1;
                    problems.extend(check(case, fault, &played_out).err());
                    let key = (case.provider().to_owned(), fault);
                    *matrix.entry(key).or_default().entry(played_out.end).or_default() += 1;
                }
            }
        }
        patient.close().await;
        hasty.close().await;
        println!("{}\n{played} sends of {} operations", shown(&matrix), cases.len());
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        let providers: std::collections::BTreeSet<_> = cases.iter().map(Case::provider).collect();
        assert_eq!(providers.len(), 14, "every provider that sends: {providers:?}");
    });
}

/// At most one effect; what the log says of it is what happened; what nobody can know is in the inbox.
fn check(case: &Case, fault: Fault, played: &stage::Played) -> Result<(), String> {
    let stage::Played { effects, end, story } = played;
    let shown = case.definition.delivery().reconcile().is_some();
    let right = match end {
        End::Sent => *effects == 1,
        End::LookedUp => *effects == 1 && fault.leaves_doubt(),
        End::Refused => *effects == 0 && fault == Fault::Refused,
        // what took effect and can be looked up is found, and nobody is asked
        End::Person => fault.leaves_doubt() && *effects <= usize::from(!shown),
        End::Lost => false,
    };
    if right {
        return Ok(());
    }
    Err(format!(
        "{} with {}: {} and {effects} effects: {story:?}",
        case.operation,
        fault.word(),
        end.word()
    ))
}
