//! Every command, and what each does.

pub(crate) mod adapters;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod compact;
pub(crate) mod deploy;
pub(crate) mod dev;
pub(crate) mod erase;
pub(crate) mod explain;
pub(crate) mod govern;
pub(crate) mod graph;
pub(crate) mod inbox;
pub(crate) mod init;
pub(crate) mod integrations;
pub(crate) mod keys;
pub(crate) mod nats;
pub(crate) mod passkeys;
mod policy;
pub(crate) mod projections;
pub(crate) mod restore;
pub(crate) mod run;
mod running;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod serve;
pub(crate) mod test;
pub(crate) mod tokens;
pub(crate) mod triggers;
pub(crate) mod vault;
pub(crate) mod witness;

use crate::args::Command;
use crate::exit::Exit;
use anyhow::Result;
use govern::Flow;

/// Does what was asked for.
pub(crate) async fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Dev(args) => Box::pin(dev::run(args)).await,
        Command::Serve(args) => Box::pin(serve::run(args)).await,
        Command::Tokens(args) => tokens::run(args).await,
        Command::Keys(args) => keys::run(args).await,
        Command::Passkeys(args) => passkeys::run(args).await,
        Command::Nats(args) => nats::run(args).await,
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Run(args) => Box::pin(run::run(args)).await,
        Command::Test(args) => Box::pin(test::run(args)).await,
        Command::Start(args) => runs::start(args).await,
        Command::Runs(args) => runs::run(args).await,
        Command::Inbox(args) => inbox::run(args).await,
        Command::Audit(args) => audit::run(args).await,
        Command::Backup(args) => backup::run(args).await,
        Command::Restore(args) => restore::run(&args),
        Command::Witness(args) => witness::run(args).await,
        Command::Integrations(args) => integrations::run(args).await,
        Command::Triggers(args) => Box::pin(triggers::run(args)).await,
        Command::Adapters(args) => adapters::run(args).await,
        Command::Policy(args) => govern::policy(args).await,
        Command::Deploy(args) => deploy::run(args).await,
        Command::Pause(args) => govern::set_flow(args, Flow::Pause).await,
        Command::Resume(args) => govern::set_flow(args, Flow::Resume).await,
        Command::Projections(args) => projections::run(args).await,
        Command::Explain(args) => explain::run(&args),
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Erase(args) => erase::run(args).await,
        Command::Compact(args) => compact::run(args).await,
        Command::Vault(args) => vault::run(args).await,
    }
}
