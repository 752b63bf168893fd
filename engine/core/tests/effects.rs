//! What a committed event asks of the world: calls come of `AttemptStarted` and of nothing else,
//! and whatever waits has somebody who wakes it.
//!
//! covers: S9, T1

use placet_core::test_util::{HOUR, Scene, quorum};
use placet_core::{Effect, react};
use placet_model::attempt::RefuseReason;
use placet_model::decision::Resolution;
use placet_model::decision::Verdict::{Approve, Reject};
use placet_model::event::run::{TimerArmed, TimerKind};
use placet_model::{Event, Iteration, TimerId};

/// Runs that between them have every event of the gate.
fn stories() -> Vec<Scene> {
    let armed = |scene: Scene| {
        let (timer, kind) = (TimerId::from_bytes([5; 16]), TimerKind::Wait);
        let (task, iteration, due_at) = (Scene::task(), Iteration::none(), scene.now);
        scene.record(TimerArmed { timer, task, iteration, kind, due_at })
    };
    let raised = |scene: Scene| scene.with(|s| s.world.requirement = quorum(2)).claim().after;
    vec![
        armed(Scene::new().started()),
        Scene::new().attempting().succeed().after,
        Scene::new().attempting().refuse(RefuseReason::Permanent).after,
        Scene::new().attempting().defer(HOUR).after.later(HOUR).claim().after,
        Scene::new().attempting().doubt().after.resolve("op", Resolution::NotSent).after.asked(),
        Scene::new().asked().vote("ana", Reject).after,
        raised(Scene::new().approved()),
        Scene::new().approved().cancel("op").after,
        Scene::new().reading().succeed().after,
    ]
}

#[test]
fn a_call_comes_of_a_recorded_try_and_of_nothing_else() {
    for scene in stories() {
        for (_, _, event) in &scene.recorded {
            let calls: Vec<_> =
                react(event).into_iter().filter(|e| matches!(e, Effect::Call { .. })).collect();
            let expected = match event {
                Event::AttemptStarted(body) => {
                    vec![Effect::Call { attempt: body.attempt, try_number: body.try_number }]
                }
                _ => vec![],
            };
            assert_eq!(calls, expected, "{}", event.type_name());
        }
    }
}

#[test]
fn whatever_waits_is_woken_when_it_is_due() {
    for scene in stories() {
        for (_, _, event) in &scene.recorded {
            let due = match event {
                Event::DecisionRequested(body) => Some(body.expires_at),
                Event::AttemptDeferred(body) => Some(body.until),
                Event::TimerArmed(body) => Some(body.due_at),
                _ => None,
            };
            let wakes = react(event).into_iter().find_map(|effect| match effect {
                Effect::Wake { at } => Some(at),
                _ => None,
            });
            assert_eq!(wakes, due, "{}", event.type_name());
        }
    }
}

#[test]
fn whatever_changes_an_inbox_says_so() {
    for scene in stories() {
        for (_, _, event) in &scene.recorded {
            let changes = matches!(
                event,
                Event::DecisionRequested(_)
                    | Event::VoteCast(_)
                    | Event::DecisionSettled(_)
                    | Event::RequirementRaised(_)
                    | Event::DecisionVoided(_)
            );
            let tells = react(event).iter().any(|e| matches!(e, Effect::Notify { .. }));
            assert_eq!(tells, changes, "{}", event.type_name());
        }
    }
}

#[test]
fn only_an_approval_asks_to_be_claimed_and_only_a_doubt_to_be_settled() {
    let effects = |scene: Scene| -> Vec<Effect> {
        scene.recorded.last().map(|(_, _, event)| react(event)).unwrap_or_default()
    };
    let decision = Scene::new().asked().decision();
    let approved = effects(Scene::new().asked().vote("ana", Approve).after);
    assert_eq!(approved, vec![Effect::Notify { decision }, Effect::Claim { decision }]);
    let rejected = effects(Scene::new().asked().vote("ana", Reject).after);
    assert_eq!(rejected, vec![Effect::Notify { decision }]);
    let scene = Scene::new().attempting();
    let attempt = scene.run.main().activity.attempt().expect("under way").started.attempt;
    assert_eq!(effects(scene.doubt().after), vec![Effect::Reconcile { attempt }]);
    assert_eq!(effects(Scene::new().asked().cancel("op").after), vec![Effect::Finished]);
}
