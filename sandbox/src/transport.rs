//! [`Sandbox`]: a [`World`] behind the seam through which the engine calls.

use crate::script::{Rule, Turn};
use crate::world::{Asked, Unknown, World};
use placet_adapters::{Answer, Call, Performing, Transport};
use std::sync::{Mutex, PoisonError};

/// The sandbox transport.
#[derive(Debug, Default)]
pub struct Sandbox {
    world: Mutex<World>,
}

impl Sandbox {
    /// Equal seeds give equal answers; the default is 0.
    pub fn new(seed: u64) -> Self {
        Self::of(World::new(seed, Unknown::Supposed))
    }

    /// The providers of this world.
    pub const fn of(world: World) -> Self {
        Self { world: Mutex::new(world) }
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
        self.world.lock().unwrap_or_else(PoisonError::into_inner).add_rule(rule);
        self
    }

    fn answer(&self, call: &Call) -> Answer {
        let header = call.operation.delivery().key_header();
        let key = header.and_then(|name| call.request.header(name)?.as_plain());
        let asked = Asked {
            operation: &call.operation,
            integration: call.integration.as_ref().map_or("", |known| known.name.as_str()),
            input: &call.input,
            key: key.as_deref(),
            seen: call.occurrence.seen,
            now: call.occurrence.now,
            timeout: call.timeout,
        };
        self.world.lock().unwrap_or_else(PoisonError::into_inner).answer(asked)
    }
}

impl Transport for Sandbox {
    fn perform(&self, call: Call) -> Performing<'_> {
        Box::pin(async move { self.answer(&call) })
    }
}
