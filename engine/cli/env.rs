//! Every environment variable that the command line reads, each declared once. The key directory's
//! is `placet_log::KEY_DIR_VARIABLE`.

/// What the engine says of itself on stderr, in the syntax of tracing's filters.
pub(crate) const LOG: &str = "PLACET_LOG";
/// What it says without that: warnings, but of NATS, whose state `dev` tells in its own words.
pub(crate) const LOG_DEFAULT: &str = "warn,placet_bus=off,async_nats=off";
/// URL of the engine to talk to, when neither `--server` nor `--data` says otherwise.
pub(crate) const SERVER: &str = "PLACET_SERVER";
/// Seed of the nkey with which the NATS server knows this user or engine.
pub(crate) const NATS_SEED: &str = "PLACET_NATS_SEED";
/// Where a user's state lives (XDG base directories).
pub(crate) const STATE_HOME: &str = "XDG_STATE_HOME";
/// The user's home directory.
pub(crate) const HOME: &str = "HOME";
/// Set to anything: no colours (no-color.org).
pub(crate) const NO_COLOR: &str = "NO_COLOR";
