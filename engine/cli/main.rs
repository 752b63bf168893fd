//! `placet`: nothing leaves without a vote of assent.
//!
//! The composition root: everything else is a library that knows neither arguments nor terminals.
//! What the program does is in [`commands`]; what it is made of is put together in [`compose`].

mod args;
mod change;
mod commands;
mod compose;
mod config;
mod documents;
mod env;
mod exit;
mod findings;
mod harden;
mod link;
mod out;
mod people;
mod project;
mod scenarios;
mod signing;
mod state;
mod telemetry;
mod testing;
mod vault_key;
mod view;
mod vote;
mod witnesses;

use crate::exit::Exit;
use clap::Parser;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// The system's allocator took a seventh of the time of a run: many small pieces are made on one
/// thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    log_to_stderr();
    harden::against_dumps();
    say_storage_panics_once();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            out::say(&format!("error: the runtime cannot start: {error}"));
            return Exit::Negative.into();
        }
    };
    match runtime.block_on(commands::run(args.command)) {
        Ok(exit) => exit.into(),
        Err(error) => exit::report(&error).into(),
    }
}

/// redb panics on a damaged file. The log catches that and reports it as damage with the file's name;
/// the panic's own words and backtrace would only stand in the way.
fn say_storage_panics_once() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let at = panic.location().map_or("", std::panic::Location::file);
        if at.split(['/', '\\']).any(|part| part.starts_with("redb-")) {
            tracing::info!(%panic, "the storage library stopped");
        } else {
            told(panic);
        }
    }));
}

/// What the engine says of itself: warnings, unless the environment asks for more.
fn log_to_stderr() {
    let filter =
        EnvFilter::try_from_env(env::LOG).unwrap_or_else(|_unset| EnvFilter::new(env::LOG_DEFAULT));
    let colours = out::Stream::Err.is_coloured();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .init();
}
