//! Makes calls: after the commit, exactly the stored bytes, once, within the lease, and only while
//! the project is as it was when the claim was weighed.

use crate::env::Env;
use crate::input::Input;
use crate::inputs::Inputs;
use crate::pages::Reader;
use crate::recall::Recalled;
use crate::turn::{CallPlan, Ending, Job, WAIT_MS, Wanted};
use crate::world::World;
use placet_adapters::{
    Call, Cause, Failed, Occurrence, OfRun, Past, Performing, Redirects, Ticket, Transport, Turn,
};
use placet_model::RunId;
use placet_model::draft::Mode;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A call that does not begin within this time of the turn that has weighed it, so of its record, is
/// not begun: a paused process must not call late (send-attempts rule 6).
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// Calls under way at once.
const CALLS_MAX: usize = 512;
/// A read for a card takes this long at most: a decision waits for it.
const CARD_MOST: Duration = Duration::from_millis(WAIT_MS.unsigned_abs());
/// Bytes of an answer.
pub(crate) const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The two ways into the world; a mode without one is held at the claim.
#[derive(Debug, Clone, Default)]
pub struct Transports {
    /// Answers from schemas.
    pub sandbox: Option<Arc<dyn Transport>>,
    /// Sends for real.
    pub live: Option<Arc<dyn Transport>>,
}

/// Makes calls on the runtime.
#[derive(Debug)]
pub(crate) struct Caller {
    env: Arc<Env>,
    world: Arc<RwLock<Arc<World>>>,
    transports: Transports,
    runtime: tokio::runtime::Handle,
    inputs: Inputs,
    permits: Arc<Semaphore>,
    past: Arc<dyn Past>,
}

impl Caller {
    pub(crate) fn new(
        env: Arc<Env>,
        world: Arc<RwLock<Arc<World>>>,
        transports: Transports,
        inputs: Inputs,
    ) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let permits = Arc::new(Semaphore::new(CALLS_MAX));
        let past = Arc::new(Recalled::new(Arc::clone(&env), Arc::clone(&world)));
        Self { env, world, transports, runtime, inputs, permits, past }
    }

    /// Makes the call; its end comes back as an [`Input::Answered`].
    pub(crate) fn call(&self, run: RunId, plan: CallPlan) {
        self.runtime.spawn(self.performed(run, plan));
    }

    /// As [`Caller::call`], beginning on this thread: what needs no waiting is over when it returns.
    pub(crate) fn call_here(&self, run: RunId, plan: CallPlan) {
        let mut performed = Box::pin(self.performed(run, plan));
        let _runtime = self.runtime.enter();
        let begin = || performed.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        match catch_unwind(AssertUnwindSafe(begin)) {
            Ok(Poll::Ready(())) => {}
            // the runtime asks once more, with a waker that wakes
            Ok(Poll::Pending) => drop(self.runtime.spawn(performed)),
            // as on the runtime: the attempt has no end, and is in doubt after the next start
            Err(_) => tracing::error!(%run, "a transport panicked"),
        }
    }

    /// Obtains what a claim waits for; then the run looks again.
    pub(crate) fn make_ready(&self, run: RunId, wanted: Wanted) {
        let Some(live) = self.transports.live.clone() else { return };
        let inputs = self.inputs.clone();
        self.runtime.spawn(async move {
            live.make_ready(wanted.integration, wanted.operation).await;
            drop(live);
            let _the_loop_has_ended = inputs.send(Input::Job { run, job: Job::Room, reply: None });
        });
    }

    fn performed(&self, run: RunId, mut plan: CallPlan) -> impl Future<Output = ()> + Send + use<> {
        let transport = match plan.mode {
            Mode::Sandbox => self.transports.sandbox.clone(),
            Mode::Live => self.transports.live.clone(),
        };
        let (inputs, permits) = (self.inputs.clone(), Arc::clone(&self.permits));
        let of = OfRun {
            run,
            ticket: Ticket {
                attempt: plan.attempt,
                number: plan.try_number,
                is_look_up: plan.sought.is_some(),
            },
            past: Arc::clone(&self.past),
        };
        let threshold = Threshold { env: Arc::clone(&self.env), world: Arc::clone(&self.world) };
        async move {
            // a host that is slow holds up its own calls and takes no places from the others
            let turn = turn(transport.as_deref(), &plan).await;
            let permit = permits.acquire().await;
            let ending = match &transport {
                None => {
                    let words = "this engine does not send in this mode";
                    Ending::Answer(Err(Failed::before(Cause::Refused, words)))
                }
                Some(transport) => match threshold.step_over(&**transport, of.clone(), &plan) {
                    Some(performing) => {
                        let first = performing.await;
                        let step_over =
                            |plan: &CallPlan| threshold.step_over(&**transport, of.clone(), plan);
                        let reader = Reader { env: &threshold.env, step_over: &step_over };
                        let (answer, pages) = reader.follow(&plan, first).await;
                        plan.pages = pages;
                        Ending::Answer(answer)
                    }
                    None => Ending::NotBegun,
                },
            };
            // whoever hears of the last call may open the log again: nothing here holds it then
            drop((permit, turn, threshold, transport, of));
            let answered = Input::Answered { run, plan: Box::new(plan), ending };
            let _the_loop_has_ended = inputs.send(answered);
        }
    }
}

/// The call's turn towards its host. Beyond its lease it need not wait: it would not be begun, and so
/// it is weighed again.
async fn turn(transport: Option<&dyn Transport>, plan: &CallPlan) -> Turn {
    let Some(transport) = transport else { return Turn::free() };
    let (url, integration) = (plan.request.url.to_string(), plan.integration());
    let mut waiting = transport.turn(&url, integration.as_ref());
    // whoever need not wait needs no timer either
    let at_once = poll_fn(|context| match waiting.as_mut().poll(context) {
        Poll::Ready(turn) => Poll::Ready(Some(turn)),
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(turn) = at_once.await {
        return turn;
    }
    let left = LEASE.saturating_sub(plan.weighed.elapsed());
    tokio::time::timeout(left, waiting).await.unwrap_or_else(|_elapsed| Turn::free())
}

/// The last look before the bytes leave.
struct Threshold {
    env: Arc<Env>,
    world: Arc<RwLock<Arc<World>>>,
}

impl Threshold {
    /// Hands the call to the transport. None when the project has changed since the claim (paused,
    /// stopping, another policy, another account), when the approval has expired meanwhile, or when
    /// it is too late: then the claim is weighed again.
    ///
    /// The project stays locked until the transport has the call, so that a pause that is
    /// acknowledged comes after every call that was handed over. What was handed over is under way:
    /// it may still be connecting, and its bytes may follow the acknowledgement.
    fn step_over<'t>(
        &self,
        transport: &'t dyn Transport,
        of: OfRun,
        plan: &CallPlan,
    ) -> Option<Performing<'t>> {
        let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
        let as_claimed = world.version == plan.world_version;
        let in_time = plan.weighed.elapsed() <= LEASE && self.env.now() < plan.not_after;
        (as_claimed && in_time).then(|| transport.perform_of(of, self.prepared(plan)))
    }

    fn prepared(&self, plan: &CallPlan) -> Call {
        let most = Duration::from_millis(self.env.config.limits.call_ms_max);
        let most = if plan.card.is_some() { most.min(CARD_MOST) } else { most };
        let own_words = plan.target.operation.is_http_call();
        Call {
            attempt: plan.gated.then_some(plan.attempt),
            operation: Arc::clone(&plan.target.operation),
            integration: plan.integration(),
            request: Arc::clone(&plan.request),
            input: Arc::clone(&plan.with),
            // the sandbox answers the same when it is asked again: as of the record
            occurrence: Occurrence {
                seen: None,
                now: match plan.mode {
                    Mode::Sandbox => plan.begun_at,
                    Mode::Live => self.env.now(),
                },
            },
            redirects: match (plan.gated, own_words) {
                (true, _) => Redirects::Never,
                // the author's own request goes on only to hosts that the operator has listed
                (false, true) => Redirects::FollowListed,
                (false, false) => Redirects::Follow,
            },
            timeout: plan.target.operation.timeout().min(most),
            send_id: plan.send_id.clone(),
            response_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}
