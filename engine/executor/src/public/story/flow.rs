//! Sentences about control flow: tasks, timers, waits, other runs.

use super::words::{Teller, brief, moment, task};
use placet_model::event::child::{ChildDropped, ChildEnded, ChildStarted};
use placet_model::event::run::{
    BranchFaulted, FaultCaught, IterationStarted, RetryScheduled, RunCancelled, RunCompleted,
    RunFaulted, RunMigrated, RunStarted, TaskCompleted, TaskFaulted, TaskShape, TaskSkipped,
    TaskStarted, Then, TimerArmed, TimerKind,
};
use placet_model::event::wait::{EventEmitted, EventHandled, EventMatched, Taken, WaitStarted};

pub(super) fn run_started(teller: &Teller<'_>, body: &RunStarted) -> String {
    let who = teller.who();
    let requester = body.requester.as_str();
    let whose = if who == requester { String::new() } else { format!(" on behalf of {requester}") };
    let until = body.deadline.map(|at| format!(", to be over by {}", moment(at)));
    format!(
        "{who} started {} in {} mode{whose}, under the plan {}{}{}",
        body.workflow,
        body.mode,
        brief(body.plan_digest),
        until.unwrap_or_default(),
        teller.unless_readable("its input is", body.input),
    )
}

pub(super) fn run_completed(teller: &Teller<'_>, body: &RunCompleted) -> String {
    format!("the run ended well{}", teller.unless_readable("its output is", body.output))
}

pub(super) fn run_faulted(teller: &Teller<'_>, body: &RunFaulted) -> String {
    format!("the run ended by a fault that nothing caught: {}", teller.fault(&body.fault))
}

pub(super) fn run_cancelled(teller: &Teller<'_>, body: &RunCancelled) -> String {
    format!("{} cancelled the run{}", teller.who(), teller.because(body.reason))
}

pub(super) fn run_migrated(teller: &Teller<'_>, body: &RunMigrated) -> String {
    let (who, plan) = (teller.who(), brief(body.plan_digest));
    format!("{who} had the run go on as {}, under the plan {plan}", body.workflow)
}

pub(super) fn task_started(body: &TaskStarted) -> String {
    let name = task(&body.task, &body.iteration);
    let count = body.count;
    match body.shape {
        TaskShape::Leaf | TaskShape::List | TaskShape::Try | TaskShape::Function => {
            format!("{name} began")
        }
        TaskShape::For => format!("{name} began, for {count} items"),
        TaskShape::Fork => format!("{name} began {count} branches, all of which are to end well"),
        TaskShape::Race => format!("{name} began {count} branches, of which one is to end well"),
        TaskShape::Listen | TaskShape::ListenEach => format!("{name} began to listen"),
    }
}

pub(super) fn iteration_started(body: &IterationStarted) -> String {
    format!("{} went on to item {}", task(&body.task, &body.iteration), body.index + 1)
}

pub(super) fn task_completed(teller: &Teller<'_>, body: &TaskCompleted) -> String {
    let then = match body.then {
        Then::Continue => "",
        Then::Exit => ", and with it its list",
        Then::End => ", and with it the run",
        Then::Goto => ", and jumped to another task",
    };
    let output = teller.unless_readable("its output is", body.output);
    format!("{} ended well{then}{output}", task(&body.task, &body.iteration))
}

pub(super) fn task_skipped(body: &TaskSkipped) -> String {
    format!("{} was skipped: its condition did not hold", task(&body.task, &body.iteration))
}

pub(super) fn task_faulted(teller: &Teller<'_>, body: &TaskFaulted) -> String {
    format!("{} faulted: {}", task(&body.task, &body.iteration), teller.fault(&body.fault))
}

pub(super) fn fault_caught(teller: &Teller<'_>, body: &FaultCaught) -> String {
    let name = task(&body.task, &body.iteration);
    format!("{name} caught the fault{}", teller.fault_words(body.fault))
}

pub(super) fn retry_scheduled(teller: &Teller<'_>, body: &RetryScheduled) -> String {
    let name = task(&body.task, &body.iteration);
    let (words, at) = (teller.fault_words(body.fault), moment(body.due_at));
    format!("{name} caught the fault{words}; retry {} begins at {at}", body.retry)
}

pub(super) fn branch_faulted(teller: &Teller<'_>, body: &BranchFaulted) -> String {
    let (name, fault) = (task(&body.task, &body.iteration), teller.fault(&body.fault));
    format!("branch {} of {name} faulted: {fault}", body.branch + 1)
}

pub(super) fn timer_armed(body: &TimerArmed) -> String {
    let (name, at) = (task(&body.task, &body.iteration), moment(body.due_at));
    match body.kind {
        TimerKind::Wait => format!("{name} waits until {at}"),
        TimerKind::TaskTimeout => format!("{name} has time until {at}"),
        TimerKind::RunTimeout => format!("the run has time until {at}"),
        TimerKind::Retry => format!("{name} waits until {at} before it tries again"),
        TimerKind::AttemptTimeout => format!("this try of {name} has time until {at}"),
    }
}

pub(super) fn wait_started(body: &WaitStarted) -> String {
    let words = |kind: &String| {
        if kind.is_empty() { "any type".to_owned() } else { format!("the type {kind}") }
    };
    let types: Vec<String> = body.types.iter().map(words).collect();
    let (name, since) = (task(&body.task, &body.iteration), moment(body.since));
    format!("{name} waits for events of {} from {since} on", types.join(" or "))
}

pub(super) fn event_matched(body: &EventMatched) -> String {
    let (name, at) = (task(&body.task, &body.iteration), body.arrival);
    let what = match body.taken {
        Taken::Consumed => "took the event",
        Taken::Until => "took, as the one that ends its wait, the event",
    };
    let ends = if body.ends { "; its wait is over" } else { "" };
    format!("{name} {what} at position {at}{ends}")
}

pub(super) fn event_handled(body: &EventHandled) -> String {
    let ends = if body.ends { "; its wait is over" } else { "" };
    format!("{} was done with event {}{ends}", task(&body.task, &body.iteration), body.index + 1)
}

pub(super) fn event_emitted(body: &EventEmitted) -> String {
    let name = task(&body.task, &body.iteration);
    format!("{name} sent an event of the type {} within the project", body.kind)
}

pub(super) fn child_started(body: &ChildStarted) -> String {
    let name = task(&body.task, &body.iteration);
    let awaited = if body.awaited { "waits for its end" } else { "does not wait for its end" };
    format!("{name} ordered the run {} of {}, and {awaited}", body.child, body.workflow)
}

pub(super) fn child_ended(body: &ChildEnded) -> String {
    format!("the run {} that was waited for ended well", body.child)
}

pub(super) fn child_dropped(body: &ChildDropped) -> String {
    format!("the run {} is not waited for any more, and is to be cancelled", body.child)
}
