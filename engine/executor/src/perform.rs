//! Makes calls: after the commit, exactly the stored bytes, once, within the lease.

use crate::env::Env;
use crate::input::Input;
use crate::turn::CallPlan;
use placet_adapters::{Answer, Call, Cause, Failed, Occurrence, Redirects, Transport};
use placet_model::RunId;
use placet_model::draft::Mode;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// A call that does not begin within this time of its record is not begun: a paused process must
/// not call late (send-attempts rule 6).
const LEASE: Duration = Duration::from_secs(30);
/// Calls under way at once.
const CALLS_MAX: usize = 512;
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;

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
    transports: Transports,
    runtime: tokio::runtime::Handle,
    inputs: Sender<Input>,
    permits: Arc<Semaphore>,
}

impl Caller {
    pub(crate) fn new(
        env: Arc<Env>,
        transports: Transports,
        runtime: tokio::runtime::Handle,
        inputs: Sender<Input>,
    ) -> Self {
        Self { env, transports, runtime, inputs, permits: Arc::new(Semaphore::new(CALLS_MAX)) }
    }

    /// Makes the call; its end comes back as an [`Input::Answered`].
    pub(crate) fn call(&self, run: RunId, plan: CallPlan, submitted: Instant) {
        let transport = match plan.mode {
            Mode::Sandbox => self.transports.sandbox.clone(),
            Mode::Live => self.transports.live.clone(),
        };
        let (inputs, permits) = (self.inputs.clone(), Arc::clone(&self.permits));
        let call = self.prepared(&plan);
        self.runtime.spawn(async move {
            let permit = permits.acquire().await;
            let answer = perform(transport, call, submitted).await;
            drop(permit);
            let answered = Input::Answered { run, plan: Box::new(plan), answer };
            let _the_loop_has_ended = inputs.send(answered);
        });
    }

    fn prepared(&self, plan: &CallPlan) -> Call {
        let most = Duration::from_millis(self.env.config.limits.call_ms_max);
        Call {
            attempt: plan.gated.then_some(plan.attempt),
            operation: Arc::clone(&plan.target.operation),
            integration: plan.integration(),
            request: Arc::clone(&plan.request),
            input: Arc::clone(&plan.with),
            occurrence: Occurrence { seen: None, now: self.env.clock.now() },
            redirects: if plan.gated { Redirects::Never } else { Redirects::Follow },
            timeout: plan.target.operation.timeout().min(most),
            response_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}

async fn perform(transport: Option<Arc<dyn Transport>>, call: Call, submitted: Instant) -> Answer {
    let Some(transport) = transport else {
        return Err(Failed::before(Cause::Refused, "this engine does not send in this mode"));
    };
    if submitted.elapsed() > LEASE {
        return Err(Failed::after(Cause::Timeout, "the call did not begin within its lease"));
    }
    transport.perform(call).await
}
