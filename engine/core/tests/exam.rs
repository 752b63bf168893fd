//! GATE.md §4 as one table: each row of the claim by its name, what it does and what is shown; and
//! that consuming an approval and starting its attempt are one event.
//!
//! covers: S1, T13, T18, A2, A8, A11

use placet_core::claim::{Claim, Hold};
use placet_core::decide::AdvanceVotes;
use placet_core::run::Activity;
use placet_core::test_util::{DAY, HOUR, START, Scene, name, quorum, requirement, threshold};
use placet_core::{Command, Run};
use placet_model::actor::PrincipalKind;
use placet_model::approval::{Requirement, SelfApproval};
use placet_model::decision::Verdict::{Approve, Reject};
use placet_model::decision::{Assurance, DecisionState};
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::policy::{Delegation, Match, Standing};
use placet_model::{Digest, Event, Timestamp, Uptime};

type Change = fn(&mut Scene);

/// What the claim does with an approval.
enum Does {
    /// It stays approved and waits, with this reason.
    Holds(Hold),
    /// Back to the inbox, with this missing; votes are kept.
    Asks(&'static str),
    /// Void, for this reason.
    Refuses(&'static str),
    /// It goes.
    Goes,
}
use Does::{Asks, Goes, Holds, Refuses};

struct Row {
    name: &'static str,
    given: fn() -> Scene,
    change: Change,
    does: Does,
}

const fn row(name: &'static str, change: Change, does: Does) -> Row {
    Row { name, given: approved, change, does }
}

fn approved() -> Scene {
    Scene::new().started().with(|scene| scene.uptime = Some(up(HOUR))).asked().approved()
}

fn up(millis: i64) -> Uptime {
    Uptime { boot: 1, millis: millis.try_into().expect("not before the start") }
}

fn integration(scene: &mut Scene) -> &mut Integration {
    scene.world.integration.as_mut().expect("the scene has an integration")
}

fn of_ana(scene: &mut Scene) -> &mut placet_model::policy::PrincipalInfo {
    scene.policy.principals.get_mut(&name("ana")).expect("known")
}

/// A first try that the provider has put off for an hour.
fn put_off() -> Scene {
    approved().attempting().defer(HOUR).after
}

/// The requester has approved where that was allowed.
fn by_the_requester() -> Scene {
    let own = Requirement { self_approval: SelfApproval::Allowed, ..quorum(1) };
    Scene::new().requiring(own).asked().vote("req", Approve).leaves_it("approved")
}

/// `ben` has approved in the place of `ana`.
fn by_who_stood_in() -> Scene {
    let at = |day: i64| START.plus_millis(day * DAY);
    let away = Delegation { from: name("ana"), to: name("ben"), since: START, until: at(1) };
    let scene = Scene::new().requiring(requirement(vec![threshold(&["leads"], 1, 1)]));
    let scene = scene.with(|scene| scene.policy.delegations = vec![away]).asked();
    scene.vote("ben", Approve).leaves_it("approved")
}

fn standing() -> Standing {
    Standing {
        name: "status".to_owned(),
        matches: Match::default(),
        until: Timestamp::from_millis(i64::MAX),
        max_per_day: 5,
    }
}

/// `ana` has approved in advance.
fn in_advance() -> Scene {
    let scene = Scene::new().with(|scene| scene.policy.standing = vec![standing()]).asked();
    let given = AdvanceVotes {
        decision: scene.decision(),
        standing: "status".to_owned(),
        digest: standing().digest(),
        votes: vec![(name("ana"), Assurance::Session, "n".repeat(32))],
        day: 0,
        count: 1,
    };
    scene.when(Command::Stand(Box::new(given))).leaves_it("approved")
}

/// One rejection of the two that end it, and the approval that is enough.
fn with_a_rejection() -> Scene {
    let scene = Scene::new().requiring(requirement(vec![threshold(&[], 1, 2)])).asked();
    scene.vote("ben", Reject).leaves_it("asked").vote("ana", Approve).leaves_it("approved")
}

const ANY: &str = "1 approval by any approver";

/// 1. Hold.
fn holds() -> Vec<Row> {
    vec![
        row("pause in force", |s| s.world.hold = Some(Hold::Paused), Holds(Hold::Paused)),
        row(
            "pause of the integration",
            |s| s.world.hold = Some(Hold::IntegrationPaused),
            Holds(Hold::IntegrationPaused),
        ),
        row(
            "integration disabled",
            |s| integration(s).status = IntegrationStatus::Disabled,
            Holds(Hold::IntegrationDisabled),
        ),
        row(
            "integration failed",
            |s| integration(s).status = IntegrationStatus::Failed,
            Holds(Hold::IntegrationFailed),
        ),
        row(
            "rate or budget used up",
            |s| s.world.hold = Some(Hold::RateLimited),
            Holds(Hold::RateLimited),
        ),
        Row {
            name: "provider's back-off",
            given: put_off,
            change: |s| s.now = s.now.plus_millis(HOUR / 2),
            does: Holds(Hold::RateLimited),
        },
    ]
}

/// 2. Re-evaluate.
fn asks() -> Vec<Row> {
    vec![
        row("a larger quorum", |s| s.world.requirement = quorum(2), Asks(ANY)),
        row(
            "another group as well",
            |s| s.world.requirement = requirement(vec![threshold(&["ben"], 1, 1)]),
            Asks("1 approval of ben"),
        ),
        row("more assurance", |s| s.world.requirement.assurance = Assurance::Passkey, Asks(ANY)),
        row("a voter who has left", |s| drop(s.policy.principals.remove(&name("ana"))), Asks(ANY)),
        row("a voter without the role", |s| of_ana(s).roles.clear(), Asks(ANY)),
        row("a voter who is an agent now", |s| of_ana(s).kind = PrincipalKind::Agent, Asks(ANY)),
        Row {
            name: "self-approval that has ended",
            given: by_the_requester,
            change: |s| s.world.requirement = quorum(1),
            does: Asks(ANY),
        },
        Row {
            name: "a window of standing in that is over",
            given: by_who_stood_in,
            change: |s| s.now = s.now.plus_millis(DAY),
            does: Asks("1 approval of leads"),
        },
        Row {
            name: "a standing approval that was taken back",
            given: in_advance,
            change: |s| s.policy.standing.clear(),
            does: Asks(ANY),
        },
        row("a looser policy", |s| s.world.requirement.thresholds.clear(), Goes),
    ]
}

/// 3. Refuse. Each bound field is in `bound.rs`, one by one.
fn refuses() -> Vec<Row> {
    vec![
        row(
            "a bound field differs",
            |s| s.world.request_digest = Digest::of(b"other"),
            Refuses("field_changed: request_digest"),
        ),
        row("expired", |s| s.now = s.now.plus_millis(7 * DAY), Refuses("expired")),
        row(
            "expired, by the clock that nobody can set",
            |s| s.uptime = Some(up(HOUR + 7 * DAY)),
            Refuses("expired"),
        ),
        row(
            "operation blocked",
            |s| s.policy.blocked.extend(["slack.chat.postMessage".to_owned()]),
            Refuses("operation_blocked"),
        ),
        row("a rule that refuses it", |s| s.world.forbidden = true, Refuses("forbidden")),
        row(
            "the integration is gone",
            |s| integration(s).status = IntegrationStatus::Disconnected,
            Refuses("integration_gone"),
        ),
    ]
}

fn ask_of(run: &Run) -> &placet_core::run::Ask {
    run.main().activity.unsettled().expect("open or unspent")
}

#[test]
fn each_row_of_the_claim_holds_asks_again_or_refuses() {
    let mut counts = [0; 4];
    for Row { name, given, change, does } in holds().into_iter().chain(asks()).chain(refuses()) {
        let given = given();
        let votes = ask_of(&given.run).votes.len();
        let mut scene = given.with(change);
        match does {
            Holds(reason) => {
                counts[0] += 1;
                assert_eq!(scene.try_claim(), Ok(Claim::Hold(reason)), "{name}");
                assert!(!reason.words().is_empty(), "{name}: it is shown with its reason");
                let before = scene.run.clone();
                assert_eq!(scene.claim().records_nothing().run, before, "{name}: it stays unspent");
            }
            Asks(missing) => {
                counts[1] += 1;
                let scene = scene.claim().records(&[&format!("RequirementRaised({missing})")]);
                assert_eq!(scene.state(), "asked", "{name}");
                assert_eq!(ask_of(&scene.run).votes.len(), votes, "{name}: the votes are kept");
            }
            Refuses(reason) => {
                counts[2] += 1;
                let scene = scene.claim().records(&[&format!("DecisionVoided({reason})")]);
                assert_eq!(scene.state(), "denied", "{name}");
                scene.claim().records_nothing();
            }
            Goes => {
                counts[3] += 1;
                scene.claim().records(&["AttemptStarted(try 1)"]);
            }
        }
    }
    println!(
        "{} rows hold, {} ask again, {} refuse, {} go",
        counts[0], counts[1], counts[2], counts[3]
    );
    // and the one row that is no row of the table: a cancelled run has nothing left to claim
    let mut cancelled = approved().cancel("op").after;
    assert_eq!(cancelled.try_claim(), Ok(Claim::Nothing));
    assert_eq!(ended(&cancelled.run), [DecisionState::Void]);
    // a rejection that is enough by now ends what was approved
    let stricter: Change = |s| s.world.requirement = requirement(vec![threshold(&[], 1, 1)]);
    with_a_rejection().with(stricter).claim().leaves_it("denied");
}

fn ended(run: &Run) -> Vec<DecisionState> {
    run.closed.values().copied().collect()
}

/// By construction: the claim gives one event, and folding that one event is the consumption. There
/// is no event between an approval that is unspent and an attempt that has begun.
#[test]
fn consuming_and_starting_are_one_event_and_nothing_else_consumes() {
    let mut scene = approved();
    let claimed = scene.try_claim().expect("it may go");
    let Claim::Decided(events) = claimed else { panic!("it goes: {claimed:?}") };
    let [event @ Event::AttemptStarted(started)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(started.decision, Some(scene.decision()));
    assert!(matches!(scene.run.main().activity, Activity::Approved(..)));
    assert_eq!(ended(&scene.run), []);
    let after = scene.record(event.clone());
    assert!(matches!(after.run.main().activity, Activity::Attempting(..)));
    assert_eq!(ended(&after.run), [DecisionState::Consumed]);
    // whatever else may follow an approval leaves it unspent, or ends it without an attempt
    let others = [
        approved().claim().before.cancel("op").after,
        approved().later(7 * DAY).expire().after,
        approved().with(|s| s.world.forbidden = true).claim().after,
        approved().with(|s| s.world.requirement = quorum(2)).claim().after,
        approved().when(Command::NewEpoch).after,
    ];
    for other in others {
        assert!(!ended(&other.run).contains(&DecisionState::Consumed), "{}", other.state());
        assert_eq!(other.run.attempts().count(), 0, "{}", other.state());
    }
    // and a second claim of what was consumed finds nothing, whatever became of the attempt
    for mut later in [after.clone(), after.clone().doubt().after, after.succeed().after] {
        assert_eq!(later.try_claim(), Ok(Claim::Nothing), "{}", later.state());
    }
}
