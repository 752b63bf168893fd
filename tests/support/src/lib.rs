//! Test kit: temporary projects, `placet` as a process, a provider stand-in on loopback, a real `nats-server`.
//!
//! Everything waits for an event with a deadline; nothing sleeps, and nothing uses a fixed port. Each part works from
//! plain and from async tests. It serves integration tests only and must never be a dependency of the product.
#![expect(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::missing_panics_doc,
    reason = "a test kit panics with what it saw and says on stderr what it skips"
)]

pub mod dirs;
pub mod disk;
pub mod nats;
pub mod partition;
pub mod passkey;
pub mod port;
pub mod process;
pub mod provider;
pub mod random;
mod reap;
pub mod spoil;
pub mod token;

use std::time::Duration;

/// How long a test waits for something that should come at once. It ends what hangs and says nothing of speed: a loaded
/// machine may keep any process from running for many seconds.
pub const DEADLINE: Duration = Duration::from_mins(1);
