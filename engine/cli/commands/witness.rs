//! `placet witness`: keeps the last checkpoint of each log that it is told of, and signs only what
//! continues it. For an auditor, on a machine that the log's operator has no hand in.

use crate::commands::running::Stop;
use crate::exit::{Exit, invalid};
use crate::out;
use anyhow::Result;
use clap::Subcommand;
use placet_log::note::{KeyKind, VerifierKey};
use placet_log::witness::{Memory, REASON_MAX, Verdict, Witness, is_reason};
use placet_model::Timestamp;
use placet_server::WitnessServer;
use serde_json::json;
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
    /// Print what it has signed last of each log, and what it was told to forget
    List {
        #[arg(long)]
        json: bool,
    },
    /// Forget what it has signed of a log that was restored on purpose, and record why
    Forget {
        /// The log, as its key names it
        origin: String,
        /// Why: one line, which stays in the witness's record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
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
        Command::List { json } => list(&args.dir, json),
        Command::Forget { origin, reason, yes } => forget(&args.dir, (&origin, &reason), yes),
    }
}

fn list(dir: &Path, json: bool) -> Result<Exit> {
    for Memory { origin, last, forgotten } in open(dir, &[])?.memory()? {
        if json {
            let forgotten = forgotten.iter().map(|it| {
                json!({ "size": it.size, "root": it.root, "at": time(it.at), "reason": it.reason })
            });
            let last = last.map(|last| json!({ "size": last.size, "root": last.root }));
            let forgotten = forgotten.collect::<Vec<_>>();
            out::json(&json!({ "origin": origin, "last": last, "forgotten": forgotten }))?;
            continue;
        }
        let words = match last {
            Some(last) => format!("{} events, root {}", last.size, last.root),
            None => "nothing since it was told to forget".to_owned(),
        };
        out::data(&format!("{origin}: {words}"))?;
        for it in forgotten {
            out::data(&format!("  forgot {} events at {}: {}", it.size, time(it.at), it.reason))?;
        }
    }
    Ok(Exit::Done)
}

/// Whoever may open the witness's directory, which only its owner can, is who may do that; the
/// record is signed with the witness's key.
fn forget(dir: &Path, (origin, reason): (&str, &str), yes: bool) -> Result<Exit> {
    if !is_reason(reason) {
        let words = format!("--reason is one line of 1 to {REASON_MAX} bytes");
        return Err(invalid(words));
    }
    let witness = open(dir, &[])?;
    let Some(last) = witness.last(origin)? else {
        let known = witness.memory()?.into_iter().filter(|log| log.last.is_some());
        let known: Vec<String> = known.map(|log| log.origin).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        out::say(&format!("it has signed nothing of {origin}; what it remembers: {known}"));
        return Ok(Exit::Negative);
    };
    out::say(&format!(
        "{origin}: it has signed {} events, root {}; forgotten, whatever comes next under this name and key is taken for the log, also one that was cut or rewritten",
        last.size, last.root
    ));
    if !(yes || super::restore::confirmed()?) {
        out::say("nothing was forgotten");
        return Ok(Exit::Negative);
    }
    witness.forget(origin, reason, now())?;
    out::data(&format!("{origin}: {} events are forgotten", last.size))?;
    Ok(Exit::Done)
}

fn time(seconds: u64) -> Timestamp {
    let millis = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    Timestamp::from_millis(millis)
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
        placet_log::Error::InUse { ref dir } => {
            let words = format!("the witness in {} is running: stop it first", dir.display());
            anyhow::Error::from(error).context(words)
        }
        error => error.into(),
    }
}
