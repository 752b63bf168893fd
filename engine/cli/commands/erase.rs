//! `placet erase`: content goes for good, events stay. Says what goes, and asks, before it does.

use crate::exit::{Exit, invalid};
use crate::link::{Link, Purpose, Target};
use crate::out;
use anyhow::Result;
use placet_model::RunId;
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run; the runs that it has ordered go along
    #[arg(required_unless_present = "subject", conflicts_with = "subject")]
    run: Option<RunId>,
    /// Whatever is about this person: an e-mail address, a phone number, an id of a provider
    #[arg(long, value_name = "VALUE")]
    subject: Option<String>,
    /// Why; kept in the log, so write nothing personal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Shows what would go, asks, erases.
pub(crate) async fn run(args: Args) -> Result<Exit> {
    let link = args.target.open(Purpose::Change).await?;
    let done = erase(&link, &args).await;
    link.close().await?;
    done
}

async fn erase(link: &Link, args: &Args) -> Result<Exit> {
    let mut body = match (&args.run, &args.subject) {
        (Some(run), _) => json!({ "run": run }),
        (None, subject) => json!({ "subject": subject }),
    };
    body["dry_run"] = json!(true);
    let plan = link.post("/api/v1/erasures", &body).await?;
    if is_empty(&plan) {
        match args.json {
            true => out::json(&plan)?,
            false => out::say("there is nothing to erase"),
        }
        return Ok(Exit::Done);
    }
    if !args.yes {
        if !std::io::stdin().is_terminal() {
            return Err(invalid("nobody can be asked here: look at it first, then add --yes"));
        }
        show(&plan, out::say);
        out::say("Content is erased for good; events, digests and proofs stay.");
        if !agreed()? {
            out::say("nothing was erased");
            return Ok(Exit::Negative);
        }
    }
    body["dry_run"] = json!(false);
    body["reason"] = json!(args.reason);
    let erased = link.post("/api/v1/erasures", &body).await?;
    if args.json {
        out::json(&erased)?;
        return Ok(Exit::Done);
    }
    let mut lines = vec![];
    show(&erased, |line| lines.push(line.to_owned()));
    lines.iter().try_for_each(|line| out::data(line))?;
    out::data(&format!(
        "erased: {} payloads, at position {}",
        erased["payloads"], erased["position"]
    ))?;
    out::say(&match erased["backups_until"].as_str() {
        Some(until) => format!(
            "backups taken before now hold the destroyed keys until they are deleted: at the latest {until} (retention.backups)"
        ),
        None => {
            "backups taken before now hold the destroyed keys until they are deleted".to_owned()
        }
    });
    out::say("`placet compact` rewrites the pages that held it");
    Ok(Exit::Done)
}

fn is_empty(plan: &Value) -> bool {
    let none = |part: &str| plan[part].as_array().is_none_or(Vec::is_empty);
    none("runs") && none("events")
}

fn show(erasure: &Value, mut line: impl FnMut(&str)) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for run in erasure["runs"].as_array().into_iter().flatten() {
        let ends = match run["status"].as_str() {
            Some("running" | "waiting") => "; it is cancelled, and what is open is withdrawn",
            _ => "",
        };
        let (id, workflow, status) =
            (text(&run["run"]), text(&run["workflow"]), text(&run["status"]));
        line(&format!("{id}  {workflow}  {status}  {} payloads{ends}", run["payloads"]));
    }
    for event in erasure["events"].as_array().into_iter().flatten() {
        let (position, payloads) = (&event["position"], &event["payloads"]);
        line(&format!("event from outside at position {position}  {payloads} payloads"));
    }
}

fn agreed() -> Result<bool> {
    out::say("Erase it? Type yes:");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
