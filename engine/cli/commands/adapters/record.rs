//! `placet adapters record`: a live answer becomes an example that the sandbox answers with, of the same
//! shape and with nothing in it that the provider said.

use crate::exit::{Exit, Refused, invalid};
use crate::link::{Link, Purpose, Target};
use crate::out;
use crate::project::{ADAPTERS_DIR, Project};
use anyhow::{Context as _, Result};
use placet_adapters::ANSWERS_DIR;
use placet_executor::inbox::Problem;
use placet_model::{AttemptId, RunId};
use placet_sandbox::record::{Kind, Recorded, recorded};
use placet_schemas::Schema;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Events of one page.
const PAGE: usize = 1000;
/// Pages that are looked through for an attempt.
const PAGES_MAX: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run, or the attempt (`placet audit log --type ResponseDrifted`)
    #[arg(value_name = "RUN|ATTEMPT")]
    of: String,
    /// The last answer of this operation; the last of all if not said
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// Where the example is written; the project's adapters/answers if not said
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The example and what was replaced in it, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(args: Args) -> Result<Exit> {
    let project = Project::of(Path::new("."))?;
    let own = project.dir.as_ref().map(|dir| dir.join(ADAPTERS_DIR).join(ANSWERS_DIR));
    let Some(folder) = args.out.clone().or(own) else {
        return Err(invalid("there is no project here: say where to write with --out"));
    };
    let adapters = project.adapters()?;
    let link = args.target.open(Purpose::Read).await?;
    let found = found(&link, &args).await;
    link.close().await?;
    let answer = found?;
    let name = answer["operation"].as_str().unwrap_or_default();
    let operation = adapters.operation(name);
    let declared = operation.and_then(|operation| Some((operation, operation.output_schema()?)));
    let Some((operation, schema)) = declared else {
        return Err(none(format!("{name} declares no response schema in this project")));
    };
    let differs = answer["differs"].as_array().into_iter().flatten();
    let differs: Vec<(&str, &str)> = differs
        .filter_map(|place| Some((place["at"].as_str()?, place["kind"].as_str()?)))
        .collect();
    let record = recorded(operation, schema, &answer["output"], &differs)?;
    let file = written(&folder, &answer, &record)?;
    told(&args, (&file, schema), &answer, &record)?;
    Ok(Exit::Done)
}

/// The last answer that is meant.
async fn found(link: &Link, args: &Args) -> Result<Value> {
    let (run, attempt) = match (args.of.parse::<RunId>(), args.of.parse::<AttemptId>()) {
        (Ok(run), _) => (run.to_string(), None),
        (_, Ok(attempt)) => (run_of(link, attempt).await?, Some(attempt.to_string())),
        (Err(_), Err(_)) => {
            return Err(invalid(format!("{}: neither a run nor an attempt", args.of)));
        }
    };
    let told = link.get(&format!("/api/v1/runs/{run}/answers")).await?;
    let all = told["answers"].as_array().cloned().unwrap_or_default();
    let meant = all.into_iter().rev().find(|answer| {
        let is = |name: &str, wanted: Option<&str>| wanted.is_none_or(|w| answer[name] == w);
        is("attempt", attempt.as_deref()) && is("operation", args.operation.as_deref())
    });
    let of = args.operation.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
    let answer = meant.ok_or_else(|| none(format!("{} has no answer{of}", args.of)))?;
    let (attempt, name) = (&answer["attempt"], &answer["operation"]);
    let words = |why: &str| {
        let (attempt, name) = (attempt.as_str().unwrap_or(""), name.as_str().unwrap_or(""));
        none(format!("{attempt} ({name}): {why}"))
    };
    match () {
        () if answer["mode"] != "live" => Err(words("the sandbox has answered, no provider")),
        () if answer["erased"] == true => Err(words("its content was erased")),
        () if answer["output"].is_null() => {
            Err(words("nothing of the answer was kept: its task failed on it, or takes nothing"))
        }
        () => Ok(answer),
    }
}

/// The run that an attempt is of: the newest ones are met first.
async fn run_of(link: &Link, attempt: AttemptId) -> Result<String> {
    let (attempt, mut before) = (attempt.to_string(), String::new());
    for _page in 0..PAGES_MAX {
        let query = format!("order=desc&type=AttemptStarted&limit={PAGE}{before}");
        let page = link.get(&format!("/api/v1/audit/events?{query}")).await?;
        let events = page["events"].as_array().into_iter().flatten();
        let mine = events.into_iter().find(|event| event["body"]["attempt"] == attempt.as_str());
        let run = mine.and_then(|event| event["stream"].as_str()?.strip_prefix("run:"));
        match (run, page["next"].as_u64()) {
            (Some(run), _) => return Ok(run.to_owned()),
            (None, Some(next)) => before = format!("&before={next}"),
            (None, None) => break,
        }
    }
    Err(none(format!("there is no attempt {attempt}")))
}

/// Nothing can be recorded.
fn none(detail: String) -> anyhow::Error {
    let title = placet_model::code::find("PL3081").map_or("", |code| code.title);
    let code = "PL3081".to_owned();
    Refused(Problem { code, title: title.to_owned(), detail }).into()
}

fn written(folder: &Path, answer: &Value, record: &Recorded) -> Result<PathBuf> {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let replaced =
        record.redacted.iter().map(|one| json!({ "at": one.at, "kind": one.kind.word() }));
    let example = json!({
        "operation": answer["operation"],
        "status": answer["status"],
        "body": record.body,
        "recorded": {
            "attempt": answer["attempt"],
            "operation_digest": answer["operation_digest"],
            "whole": record.is_whole,
            "differs": answer["differs"],
            "replaced": replaced.collect::<Vec<_>>(),
        },
    });
    let tail = text("attempt").trim_start_matches("att_");
    let file = folder.join(format!("{}.{tail}.json", text("operation")));
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let whole = serde_json::to_string_pretty(&example)? + "\n";
    fs::write(&file, whole).with_context(|| file.display().to_string())?;
    Ok(file)
}

/// What was replaced, and whether the sandbox will answer so.
fn told(
    args: &Args,
    (file, schema): (&Path, &Schema),
    answer: &Value,
    record: &Recorded,
) -> Result<()> {
    let is_valid = schema.is_valid(&record.body);
    if args.json {
        let replaced = record
            .redacted
            .iter()
            .map(|one| json!({ "at": one.at, "kind": one.kind.word(), "became": one.became }));
        out::json(&json!({
            "file": file.display().to_string(),
            "operation": answer["operation"],
            "attempt": answer["attempt"],
            "body": record.body,
            "replaced": replaced.collect::<Vec<_>>(),
            "whole": record.is_whole,
            "valid": is_valid,
        }))?;
    } else {
        let rows = record.redacted.iter().map(|one| {
            vec![one.at.clone(), one.kind.to_string(), crate::view::request::pretty(&one.became)]
        });
        out::table(&["PLACE", "TAKEN FOR", "BECAME"], &rows.collect::<Vec<_>>())?;
    }
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for one in &record.redacted {
        *counts.entry(one.kind).or_insert(0) += 1;
    }
    let counts: Vec<String> =
        counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    out::say(&format!("{}: {} replaced", file.display(), counts.join(", ")));
    if !record.is_whole {
        out::say("what the log does not keep of such an answer is invented");
    }
    if !is_valid {
        let words =
            "it breaks the response schema, as the answer did: the sandbox does not answer so";
        out::say(words);
    }
    Ok(())
}
