//! What may happen to a run, as data, and how it is done to a scene. The run performs one task over
//! and over, or forks into two branches that each perform it.

use placet_core::claim::{Claim, Hold};
use placet_core::decide::{Answer, Command, OutcomeVerdict};
use placet_core::run::{Activity, Phase};
use placet_core::test_util::{
    DAY, HOUR, MINUTE, Outcome, Scene, name, quorum, requirement, threshold,
};
use placet_model::attempt::{DeferReason, Evidence, RefuseReason};
use placet_model::decision::{Resolution, Verdict};
use placet_model::event::attempt::AnswerFacts;
use placet_model::event::decision::ActionRequested;
use placet_model::event::run::{
    RunFaulted, RunMigrated, TaskCompleted, TaskShape, Then, TimerArmed, TimerKind,
};
use placet_model::fault::FaultKind;
use placet_model::integration::IntegrationStatus;
use placet_model::plan::WorkflowName;
use placet_model::policy::PrincipalInfo;
use placet_model::{AttemptId, Digest, Event, Fault, Iteration, TaskPath, TimerId};
use proptest::prelude::{Just, Strategy, any};
use proptest::{prop_oneof, sample};

const PEOPLE: [&str; 10] =
    ["ana", "ben", "cara", "lead", "req", "op", "root", "eve", "bot", "nobody"];

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// The executor goes on: starts, drafts, claims, finishes, faults.
    Advance,
    /// The executor forks, where it may.
    Fork(TaskShape),
    /// What follows concerns this branch, where there is one.
    Go(u32),
    /// As `Advance`, but the call is an ungated read.
    Read,
    /// Somebody votes; the vote may be stale, unsigned, repeated.
    Vote(&'static str, Verdict, Spoil),
    /// Claims, whether there is something to claim or not.
    Claim,
    /// The next try of an attempt in doubt, through the gate.
    Again,
    /// The next try by the command.
    Resend,
    /// The provider answers the last try, or one before it.
    Answer(Word, Staleness),
    /// Somebody settles a doubt.
    Resolve(&'static str, Resolution),
    /// Somebody cancels.
    Cancel(&'static str),
    /// An expiry timer comes due.
    Expire,
    /// Somebody moves the run to another version of its workflow.
    Migrate,
    /// A timeout comes due: of the task, of the run, of the fork, of a task that is gone.
    TimeOut(Whose),
    /// The engine restarts.
    Restart,
    /// Time passes.
    Later(i64),
    /// The world changes.
    Change(Change),
    /// An event that was recorded before arrives again as progress.
    Replayed(sample::Index),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Spoil {
    Good,
    OtherBytes,
    OldTime,
    SameRequest,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Word {
    Sent,
    Permanent,
    Reconnect,
    Wait(i64),
    Unknown,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Staleness {
    Last,
    Before,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose {
    Task,
    Run,
    Fork,
    Gone,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    Pause,
    Resume,
    Stricter,
    Leads,
    Looser,
    Block,
    Unblock,
    Dismiss(&'static str),
    Appoint(&'static str),
    OtherAccount,
    SameAccount,
    OtherBytes,
    SameBytes,
    Status(IntegrationStatus),
}

fn who() -> impl Strategy<Value = &'static str> {
    sample::select(&PEOPLE[..])
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        3 => Just(Word::Sent),
        1 => Just(Word::Permanent),
        2 => Just(Word::Reconnect),
        2 => Just(Word::Wait(MINUTE)),
        1 => Just(Word::Wait(8 * DAY)),
        3 => Just(Word::Unknown),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let statuses = sample::select(IntegrationStatus::ALL);
    prop_oneof![
        1 => Just(Change::Pause),
        4 => Just(Change::Resume),
        1 => Just(Change::Stricter),
        1 => Just(Change::Leads),
        3 => Just(Change::Looser),
        1 => Just(Change::Block),
        4 => Just(Change::Unblock),
        1 => who().prop_map(Change::Dismiss),
        3 => who().prop_map(Change::Appoint),
        1 => Just(Change::OtherAccount),
        4 => Just(Change::SameAccount),
        1 => Just(Change::OtherBytes),
        4 => Just(Change::SameBytes),
        1 => statuses.prop_map(Change::Status),
        4 => Just(Change::Status(IntegrationStatus::Active)),
    ]
}

/// Any act, those that get a run somewhere more often.
pub(crate) fn act() -> impl Strategy<Value = Act> {
    let verdict = prop_oneof![6 => Just(Verdict::Approve), 2 => sample::select(Verdict::ALL)];
    let spoil = prop_oneof![
        12 => Just(Spoil::Good),
        1 => Just(Spoil::OtherBytes),
        1 => Just(Spoil::OldTime),
        2 => Just(Spoil::SameRequest),
    ];
    let stale = prop_oneof![6 => Just(Staleness::Last), 1 => Just(Staleness::Before)];
    let time = sample::select(vec![1, MINUTE, HOUR, DAY, 7 * DAY]);
    let whose =
        sample::select(vec![Whose::Task, Whose::Task, Whose::Run, Whose::Fork, Whose::Gone]);
    prop_oneof![
        16 => Just(Act::Advance),
        4 => sample::select(&[TaskShape::Fork, TaskShape::Race][..]).prop_map(Act::Fork),
        16 => (0..2u32).prop_map(Act::Go),
        2 => Just(Act::Read),
        1 => Just(Act::Migrate),
        16 => (who(), verdict, spoil).prop_map(|(who, verdict, spoil)| Act::Vote(who, verdict, spoil)),
        6 => Just(Act::Claim),
        3 => Just(Act::Again),
        3 => Just(Act::Resend),
        12 => (word(), stale).prop_map(|(word, stale)| Act::Answer(word, stale)),
        4 => (who(), sample::select(Resolution::ALL)).prop_map(|(who, how)| Act::Resolve(who, how)),
        1 => who().prop_map(Act::Cancel),
        3 => Just(Act::Expire),
        1 => whose.prop_map(Act::TimeOut),
        2 => Just(Act::Restart),
        6 => time.prop_map(Act::Later),
        6 => change().prop_map(Act::Change),
        2 => any::<sample::Index>().prop_map(Act::Replayed),
    ]
}

/// Does it. Whatever comes of a command is recorded; a no changes nothing.
pub(crate) fn perform(scene: Scene, act: &Act) -> Scene {
    let scene = somewhere(scene);
    match act {
        Act::Fork(shape) => fork(scene, *shape),
        Act::Go(index) if is_forked(&scene) => scene.in_branch(*index),
        Act::Migrate => migrate(scene),
        Act::Advance => advance(scene),
        Act::Read => read(scene),
        Act::Vote(who, verdict, spoil) => vote(scene, who, (*verdict, *spoil)),
        Act::Claim => lawful(scene.claim()),
        Act::Again => match scene.again() {
            Claim::Nothing | Claim::Hold(_) => scene,
            Claim::Decided(events) => events.into_iter().fold(scene, Scene::record),
        },
        Act::Resend => {
            let Some((attempt, _)) = last_try(&scene) else { return scene };
            lawful(scene.when(Command::Resend { attempt }))
        }
        Act::Answer(word, stale) => answer(scene, *word, *stale),
        Act::Resolve(who, resolution) if has_decision(&scene) => {
            lawful(scene.resolve(who, *resolution))
        }
        Act::Expire if has_decision(&scene) => lawful(scene.expire()),
        Act::Go(_) | Act::Resolve(..) | Act::Expire => scene,
        Act::Cancel(who) => lawful(scene.cancel(who)),
        Act::TimeOut(whose) => time_out(scene, *whose),
        Act::Restart => lawful(scene.when(Command::Recover { detail: None })),
        Act::Later(millis) => scene.later(*millis),
        Act::Change(what) => scene.with(|scene| change_world(scene, *what)),
        Act::Replayed(index) => {
            if scene.recorded.is_empty() {
                return scene;
            }
            let (_, _, event) = index.get(&scene.recorded).clone();
            scene.when(Command::Progress(Box::new(event))).after
        }
    }
}

fn is_forked(scene: &Scene) -> bool {
    matches!(scene.run.main().activity, Activity::Forked(..))
}

/// The scene is about a task that is there.
fn somewhere(scene: Scene) -> Scene {
    match (is_forked(&scene), scene.here == Scene::task()) {
        (true, true) => scene.in_branch(0),
        (false, false) => scene.at(Scene::task()),
        (true, false) | (false, true) => scene,
    }
}

fn fork(scene: Scene, shape: TaskShape) -> Scene {
    let main = scene.run.main();
    let idle = matches!(main.activity, Activity::Idle) && main.fault.is_none();
    let running = matches!(scene.run.phase, Phase::Running(_));
    if running && idle { scene.forked(shape).in_branch(0) } else { scene }
}

/// The branches are joined, or left, once enough of them have ended; what is open is taken back.
fn join(scene: Scene) -> Scene {
    let Activity::Forked(_, fork) = &scene.run.main().activity else { return scene };
    let race = fork.race;
    let inside = Scene::fork();
    let ended = scene.run.branches_inside(&inside).filter(|b| b.ended().is_some()).count();
    let failed = scene.run.branches_inside(&inside).filter(|b| b.failed.is_some()).count();
    let (needed, faults) = if race { (1, 2) } else { (2, 1) };
    if ended < needed && failed < faults {
        return scene;
    }
    let scene = lawful(scene.when(Command::Abandon { inside })).at(Scene::fork());
    if ended < needed {
        return scene.faulted();
    }
    again(scene)
}

/// The task of the scene ends well, and its list goes back to where it began.
fn again(scene: Scene) -> Scene {
    let (task, iteration, output) = (scene.here.clone(), Iteration::none(), scene.run.slot(1, 0));
    let (then, goto, context) = (Then::Goto, Some(0), None);
    scene.progress(TaskCompleted { task, iteration, output, context, then, goto })
}

fn migrate(scene: Scene) -> Scene {
    let workflow = WorkflowName {
        namespace: "sales".to_owned(),
        name: "follow-up".to_owned(),
        version: "2.0.0".to_owned(),
    };
    let plan_digest = Digest::of(b"another plan");
    lawful(scene.when(Command::Migrate(Box::new(RunMigrated { workflow, plan_digest }))))
}

/// Neither people nor providers can make the executor look as if it had a bug.
fn lawful(outcome: Outcome) -> Scene {
    let illegal = matches!(outcome.result, Err(placet_core::decide::Error::Illegal(_)));
    assert!(!illegal, "{:?}", outcome.result);
    outcome.after
}

/// The try of the branch, or else the last of all.
fn last_try(scene: &Scene) -> Option<(AttemptId, u32)> {
    let own = scene.branch().activity.attempt().map(|attempt| &attempt.started);
    let last = scene.recorded.iter().rev().find_map(|(_, _, event)| match event {
        Event::AttemptStarted(body) => Some(body),
        _ => None,
    });
    own.or(last).map(|body| (body.attempt, body.try_number))
}

fn has_decision(scene: &Scene) -> bool {
    scene.branch().activity.ask().is_some() || !scene.run.closed.is_empty()
}

fn advance(mut scene: Scene) -> Scene {
    if matches!(scene.run.phase, Phase::Absent) {
        let (key, content) = (Digest::of(b"key"), Digest::of(b"content"));
        return scene.begun().progress(ActionRequested { key, content });
    }
    if !matches!(scene.run.phase, Phase::Running(_)) {
        return scene;
    }
    if let Some((fault, _)) = scene.branch().fault.clone() {
        return match scene.here.as_str().strip_prefix(Scene::fork().as_str()) {
            Some(rest) if rest.contains("branches/0") => scene.branch_faulted(0),
            Some(_) => scene.branch_faulted(1),
            None => scene.progress(RunFaulted { fault }),
        };
    }
    match &scene.branch().activity {
        Activity::Idle if scene.branch().failed.is_some() => join(scene),
        Activity::Idle if scene.branch().ended().is_some() => join(scene),
        Activity::Idle => arm(scene.started()),
        Activity::Started(_) | Activity::Unsent(..) => {
            let (draft, decision) = (Box::new(scene.draft()), scene.mint_decision());
            lawful(scene.when(Command::Propose { draft, decision }))
        }
        Activity::Approved(..) => lawful(scene.claim()),
        // a branch is one task; the workflow's own runs again and again, each time a new draft
        Activity::Answered(..) if is_forked(&scene) => scene.completed(),
        Activity::Answered(..) => again(scene),
        Activity::Denied(..) | Activity::Refused(..) | Activity::GivenUp(_) => scene.faulted(),
        _ => scene,
    }
}

/// The timeout of the task that has begun.
fn arm(mut scene: Scene) -> Scene {
    let timer = TimerId::from_bytes(scene.mint());
    let (task, iteration) = (scene.here.clone(), Iteration::none());
    let (kind, due_at) = (TimerKind::TaskTimeout, scene.now.plus_millis(30 * DAY));
    scene.progress(TimerArmed { timer, task, iteration, kind, due_at })
}

fn read(mut scene: Scene) -> Scene {
    let Activity::Started(_) = scene.branch().activity else { return scene };
    let read = Box::new(scene.read());
    lawful(scene.when(Command::Read(read)))
}

fn vote(scene: Scene, who: &str, (verdict, spoil): (Verdict, Spoil)) -> Scene {
    if !has_decision(&scene) {
        return scene;
    }
    let mut scene = scene;
    let mut vote = scene.ballot(who, verdict);
    match spoil {
        Spoil::Good => {}
        Spoil::OtherBytes => vote.ballot.digest = Digest::of(b"other"),
        Spoil::OldTime => vote.ballot.time = vote.ballot.time.plus_millis(-HOUR),
        Spoil::SameRequest => vote.request_id = Some("the same".to_owned()),
    }
    let vote = Box::new(vote);
    match verdict {
        Verdict::Edit => {
            let original = Digest::of(b"original");
            let edited = lawful(scene.when(Command::Edit { vote, original }));
            // the next revision is proposed in the same append
            let is_due = matches!(edited.recorded.last(), Some((_, _, Event::DraftEdited(_))));
            if is_due { advance(edited) } else { edited }
        }
        Verdict::Reassign => {
            lawful(scene.when(Command::Reassign { vote, to: vec![name("leads")] }))
        }
        Verdict::Approve
        | Verdict::Reject
        | Verdict::Respond
        | Verdict::Withdraw
        | Verdict::BreakGlass => lawful(scene.when(Command::Vote(vote))),
    }
}

fn answer(scene: Scene, word: Word, stale: Staleness) -> Scene {
    let Some((attempt, last)) = last_try(&scene) else { return scene };
    let try_number = match stale {
        Staleness::Last => last,
        Staleness::Before => last - 1,
    };
    let verdict = match word {
        Word::Sent => {
            OutcomeVerdict::Succeeded { output: scene.run.slot(1, 0), would_have_sent: None }
        }
        Word::Permanent => {
            OutcomeVerdict::Refused { reason: RefuseReason::Permanent, code: None, detail: None }
        }
        Word::Reconnect => {
            OutcomeVerdict::Refused { reason: RefuseReason::Reconnect, code: None, detail: None }
        }
        Word::Wait(millis) => OutcomeVerdict::Deferred {
            until: scene.now.plus_millis(millis),
            reason: DeferReason::RateLimited,
        },
        Word::Unknown => OutcomeVerdict::InDoubt { evidence: Evidence::Reset, detail: None },
    };
    let facts = AnswerFacts::default();
    lawful(scene.when(Command::Answered(Box::new(Answer { attempt, try_number, facts, verdict }))))
}

fn time_out(scene: Scene, whose: Whose) -> Scene {
    let task = match whose {
        Whose::Task => scene.here.clone(),
        Whose::Fork => Scene::fork(),
        Whose::Run => TaskPath::root(),
        Whose::Gone => TaskPath::root().child("do", 7, "gone"),
    };
    let (fault, iteration) = (Fault::new(FaultKind::Timeout, "too long"), Iteration::none());
    lawful(scene.when(Command::TimeOut { fault, task, iteration }))
}

fn change_world(scene: &mut Scene, change: Change) {
    let integration = scene.world.integration.as_mut().expect("the scene has one");
    match change {
        Change::Pause => scene.world.hold = Some(Hold::Paused),
        Change::Resume => scene.world.hold = None,
        Change::Stricter => scene.world.requirement = quorum(2),
        Change::Leads => {
            scene.world.requirement = requirement(vec![threshold(&["leads"], 1, 1)]);
        }
        Change::Looser => scene.world.requirement = quorum(1),
        Change::Block => {
            scene.policy.blocked.insert("slack.chat.postMessage".to_owned());
        }
        Change::Unblock => scene.policy.blocked.clear(),
        Change::Dismiss(who) => {
            scene.policy.principals.remove(&name(who));
        }
        Change::Appoint(who) => {
            let known = placet_core::test_util::default_policy().principals.remove(&name(who));
            let info: Option<PrincipalInfo> = known;
            if let Some(info) = info {
                scene.policy.principals.insert(name(who), info);
            }
        }
        Change::OtherAccount => "U2".clone_into(&mut integration.identity.id),
        Change::SameAccount => "U1".clone_into(&mut integration.identity.id),
        Change::OtherBytes => scene.world.request_digest = Digest::of(b"other"),
        Change::SameBytes => scene.world.request_digest = Digest::of(b"request"),
        Change::Status(status) => integration.status = status,
    }
}
