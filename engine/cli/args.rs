//! The command line. Each command's own arguments stand with the command.

use crate::commands::{
    adapters, audit, backup, check, compact, deploy, dev, erase, explain, govern, graph, inbox,
    init, integrations, keys, nats, passkeys, projections, restore, run, runs, sandbox, serve,
    test, tokens, triggers, vault, witness,
};
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
    /// Engine, HTTP API and inbox on this machine
    Dev(dev::Args),
    /// An engine in production: tokens, signed votes, nothing applied by itself
    Serve(serve::Args),
    /// Tokens with which people and programs come in to it
    Tokens(tokens::Args),
    /// Keys with which people sign their decisions
    Keys(keys::Args),
    /// Passkeys with which people sign their decisions in a browser
    Passkeys(passkeys::Args),
    /// What a NATS server needs to know of the project's people
    Nats(nats::Args),
    /// An example project that works at once
    Init(init::Args),
    /// Check workflows, policy.yaml and placet.toml
    Check(check::Args),
    /// The flow of a workflow as a picture
    Graph(graph::Args),
    /// One run in process, from its start to its end
    Run(run::Args),
    /// Run a project's tests
    Test(test::Args),
    /// Start a run on an engine
    Start(runs::StartArgs),
    /// Runs of an engine
    Runs(runs::Args),
    /// What waits for a decision, and deciding it
    Inbox(inbox::Args),
    /// Read, replay and verify the log
    Audit(audit::Args),
    /// Copy a project while it goes on
    Backup(backup::Args),
    /// Put a backup back, or take a copy as what it is: in a new epoch
    Restore(restore::Args),
    /// Watch over the logs of others: sign only what continues what was seen before
    Witness(witness::Args),
    /// Configured connections of providers
    Integrations(integrations::Args),
    /// Which of their events start runs
    Triggers(triggers::Args),
    /// Providers and operations that workflows may call
    Adapters(adapters::Args),
    /// Who must agree
    Policy(govern::PolicyArgs),
    /// Put a project's manifests and workflows into force, or show what that changes
    Deploy(deploy::Args),
    /// Hold everything outbound, at once
    Pause(govern::PauseArgs),
    /// Let it go on
    Resume(govern::PauseArgs),
    /// Erase content for good: of a run, or of everything about a person
    Erase(erase::Args),
    /// Rewrite the files without what was erased
    Compact(compact::Args),
    /// The key that seals credentials: which one, and a new one
    Vault(vault::Args),
    /// The derived tables
    Projections(projections::Args),
    /// The sandbox's providers, for clients that are not ours
    Sandbox(sandbox::Args),
    /// What an error code means and what to do
    Explain(explain::Args),
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::{Command, CommandFactory};

    /// Options of a command that take the name of one that it has from above.
    fn shadows(command: &Command, path: &str, above: &[String]) -> Vec<String> {
        let global = |arg: &&clap::Arg| arg.is_global_set();
        let id = |arg: &clap::Arg| arg.get_id().to_string();
        let own = command.get_arguments().filter(|arg| !arg.is_global_set()).map(id);
        let mut found: Vec<_> =
            own.filter(|id| above.contains(id)).map(|id| format!("{path} --{id}")).collect();
        let mut below = above.to_vec();
        below.extend(command.get_arguments().filter(global).map(id));
        for inner in command.get_subcommands() {
            found.extend(shadows(inner, &format!("{path} {}", inner.get_name()), &below));
        }
        found
    }

    #[test]
    fn no_option_takes_the_name_of_one_that_holds_for_every_command_of_its_group() {
        let command = Args::command();
        assert_eq!(shadows(&command, "placet", &[]), Vec::<String>::new());
        command.debug_assert();
    }
}
