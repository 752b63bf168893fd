//! `placet witness`: keeps the last checkpoint of each log that it is told of, and signs only what
//! continues it. For an auditor, on a machine that the log's operator has no hand in.

use crate::commands::running::Stop;
use crate::exit::{Exit, invalid};
use crate::out;
use anyhow::Result;
use clap::Subcommand;
use placet_log::note::{KeyKind, VerifierKey};
use placet_log::witness::{Verdict, Witness};
use placet_server::WitnessServer;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    /// Where its key and its memory are
    #[arg(long, global = true, value_name = "DIR", default_value = "witness")]
    dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print its key, for `audit.witnesses` and `audit verify --witness`
    Key {
        /// Make it when there is none, under this name, such as witness.example/w1
        #[arg(long)]
        name: Option<String>,
    },
    /// Answer `POST /add-checkpoint`
    Serve {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:7490")]
        listen: SocketAddr,
        /// The key of a log to watch; may be given more than once
        #[arg(long, required = true)]
        log: Vec<String>,
    },
    /// Sign one request from a file, as `audit checkpoint --since` writes it
    Sign {
        /// The request
        file: PathBuf,
        /// The key of the log
        #[arg(long, required = true)]
        log: Vec<String>,
    },
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::Key { name } => {
            let witness = Witness::open(&args.dir, name.as_deref(), []);
            out::data(&witness.map_err(unmade)?.verifier().to_string())?;
            Ok(Exit::Done)
        }
        Command::Serve { listen, log } => serve(&args.dir, listen, &log).await,
        Command::Sign { file, log } => sign(&args.dir, &file, &log),
    }
}

async fn serve(dir: &Path, listen: SocketAddr, logs: &[String]) -> Result<Exit> {
    let witness = open(dir, logs)?;
    let key = witness.verifier().to_string();
    let server = WitnessServer::bind(listen, witness).await?;
    let mut asked = Stop::heard()?;
    out::data(&format!("http://{}", server.local_addr()))?;
    out::say(&format!("the witness's key is {key}"));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server.run(async move { drop(stopped.await) }));
    asked.until().await;
    drop(stop);
    server.await??;
    Ok(Exit::Done)
}

fn sign(dir: &Path, file: &Path, logs: &[String]) -> Result<Exit> {
    let witness = open(dir, logs)?;
    let request = std::fs::read_to_string(file)
        .map_err(|error| invalid(format!("{} cannot be read: {error}", file.display())))?;
    match witness.add(&request, now())? {
        Verdict::Cosigned(line) => {
            out::data(&line.to_string())?;
            Ok(Exit::Done)
        }
        Verdict::Conflict { size } => {
            out::say(&format!(
                "not signed: it has signed {size} events last; ask with --since {size}"
            ));
            Ok(Exit::Negative)
        }
        Verdict::Refused { what, .. } => {
            out::say(&format!("not signed: {what}"));
            Ok(Exit::Negative)
        }
    }
}

fn now() -> u64 {
    u64::try_from(placet_executor::Clock::System.now().as_millis() / 1000).unwrap_or(0)
}

fn open(dir: &Path, logs: &[String]) -> Result<Witness> {
    let keys = logs.iter().map(|text| crate::witnesses::key(text, KeyKind::Log));
    let keys: Vec<VerifierKey> = keys.collect::<Result<_>>()?;
    Witness::open(dir, None, keys).map_err(unmade)
}

fn unmade(error: placet_log::Error) -> anyhow::Error {
    match error {
        placet_log::Error::KeyFileMissing { path } => invalid(format!(
            "there is no witness in {}: make one with `placet witness key --name NAME`",
            path.parent().unwrap_or(&path).display()
        )),
        error => error.into(),
    }
}
