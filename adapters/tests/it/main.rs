//! Manifests, rendering and classification as specifications; one module per promise.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests stops the test")]

mod again;
mod answers;
mod assertion;
mod classify;
mod delivery;
mod fuzz;
mod grant;
mod holes;
mod http;
mod inbound;
mod load;
mod money;
mod mutations;
mod official;
mod official_json;
mod openapi;
mod output;
mod pages;
mod parse;
mod render;
mod secrets;
mod shared;
mod signatures;
mod support;
mod table;
mod tokens;
