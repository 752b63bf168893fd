//! The command line. Each command's own arguments stand with the command.

use crate::commands::{check, run};
use clap::{Parser, Subcommand};

/// Nothing leaves without a vote of assent.
#[derive(Debug, Parser)]
#[command(name = "placet", version, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check workflows, policy.yaml and placet.toml
    Check(check::Args),
    /// One run in process, from its start to its end
    Run(run::Args),
}
