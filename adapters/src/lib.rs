//! Provider manifests as data, and the pure functions over them.
//!
//! The path of a call: [`Adapters`] finds the [`Operation`]; [`render()`] makes the bytes that an
//! approver sees; a [`Transport`] sends them (its live form fills the holes with [`fill()`]);
//! [`classify()`] says what the answer means and [`output()`] what the task gets. Nothing in here
//! does I/O, reads a clock, or holds a credential longer than one call.

mod again;
mod catalogue;
pub mod classify;
pub mod drift;
pub mod examples;
mod fill;
pub mod http_call;
pub mod identity;
pub mod inbound;
mod json;
pub mod jwt;
pub mod limits;
pub mod lookup;
pub mod manifest;
mod mime;
pub mod mock;
pub mod money;
pub mod notify;
pub mod oauth;
pub mod openapi;
pub mod pages;
pub mod pointer;
mod predicate;
pub mod preview;
pub mod receive;
pub mod reduce;
pub mod render;
mod secret;
pub mod secrets;
mod send_forms;
mod settings;
pub mod sign;
pub mod steps;
pub mod table;
pub mod target;
mod template;
pub mod text_limits;
mod trail;
pub mod transport;
pub mod undo;
pub mod wait;

pub use again::{Tried, classify_try};
pub use catalogue::{Adapters, ManifestFile, shipped_schema};
pub use classify::{Basis, Classified, ProviderError, Sent, answered, classify};
pub use examples::ANSWERS_DIR;
pub use fill::{FilledRequest, fill};
pub use lookup::Finding;
pub use manifest::{LoadContext, LoadError, Manifest, Operation, Origin, Problem};
pub use preview::{Preview, PreviewField, PreviewRead, preview};
pub use reduce::{output, output_as_it_is};
pub use render::{RenderInput, Rendered, render, target_of, target_under};
pub use secret::SecretText;
pub use target::Target;
pub use template::EvalError;
pub use trail::Trail;
pub use transport::{
    Answer, Call, CallIntegration, Cause, Failed, FillError, FillHoles, Occurrence, OfRun, Past,
    Performing, Phase, Preparing, Redirects, Response, Stage, Ticket, Transport, Turn, Waiting,
    WantedHole,
};
