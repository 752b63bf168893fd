//! Every command, and what each does.

pub(crate) mod check;
pub(crate) mod run;

use crate::args::Command;
use crate::exit::Exit;
use anyhow::Result;

/// Does what was asked for.
pub(crate) async fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Run(args) => run::run(args).await,
    }
}
