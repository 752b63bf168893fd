//! `placet explain`: what a code means and what to do, from the one table of codes.

use crate::exit::{Exit, invalid};
use crate::out;
use anyhow::Result;
use placet_model::code;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Such as PL3017; without one, all codes with their titles
    #[arg(value_name = "CODE")]
    code: Option<String>,
    /// The whole reference, as it stands in docs/reference/codes.md
    #[arg(long, conflicts_with_all = ["code", "json"])]
    markdown: bool,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    if args.markdown {
        out::data(code::reference().trim_end())?;
        return Ok(Exit::Done);
    }
    match &args.code {
        Some(given) => one(&named(given), args.json),
        None => all(args.json),
    }
}

/// `pl3017` and `3017` are understood as well.
fn named(given: &str) -> String {
    let upper = given.to_ascii_uppercase();
    format!("PL{}", upper.trim_start_matches("PL"))
}

fn one(name: &str, as_json: bool) -> Result<Exit> {
    let code = code::find(name).ok_or_else(|| {
        invalid(format!("there is no code {name}: `placet explain` lists them all"))
    })?;
    if as_json {
        out::json(&json!({
            "code": code.name, "title": code.title, "what": code.what, "help": code.help,
            "next": code.next, "at": code.at, "http": code.http, "nats": code.nats(),
            "exit": code.exit(),
        }))?;
    } else {
        out::data(code.text().trim_end())?;
    }
    Ok(Exit::Done)
}

fn all(as_json: bool) -> Result<Exit> {
    if as_json {
        let all = code::all().map(|code| json!({ "code": code.name, "title": code.title }));
        out::json(&json!({ "codes": all.collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> =
        code::all().map(|code| vec![code.name.to_owned(), code.title.to_owned()]).collect();
    out::table(&["CODE", "MEANS"], &rows)?;
    Ok(Exit::Done)
}
