//! `placet audit show`: what a run did, in plain sentences, or one event.

use super::{Found, open_bare, told_by_engine};
use crate::exit::Exit;
use crate::out::{self, Stream, Tone, one_line};
use crate::view::request::pretty;
use anyhow::Result;
use placet_executor::public::story::{Story, Subject};
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// A run, a decision (the run that asked for it), or the position of an event
    #[arg(value_name = "RUN|DECISION|POSITION")]
    subject: Subject,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(found: &Found, args: ShowArgs) -> Result<Exit> {
    let story = match found {
        Found::Engine(link) => link.get(&format!("/api/v1/audit/story/{}", args.subject)).await?,
        Found::Data(data, project) => {
            let log = open_bare(data, project)?;
            Story::of(&log.read()?, args.subject).map_err(told_by_engine)?.to_json()
        }
    };
    let is_one = matches!(args.subject, Subject::Position(_));
    match (is_one, args.json) {
        (true, true) => out::json(&story["lines"][0]["event"])?,
        (false, true) => out::json(&story)?,
        (_, false) => tell(&story, is_one)?,
    }
    Ok(if story["whole"] == true { Exit::Done } else { Exit::Negative })
}

fn tell(story: &Value, is_one: bool) -> Result<()> {
    let word = |value: &Value| one_line(value.as_str().unwrap_or_default());
    if !is_one {
        let head = format!("{}  {}", word(&story["run"]), word(&story["workflow"]));
        out::data(&Stream::Out.paint(Tone::Strong, head.trim_end()))?;
    }
    for line in story["lines"].as_array().into_iter().flatten() {
        if let Some(gap) = line["gap"].as_str() {
            out::data(&Stream::Out.paint(Tone::Bad, &format!("{:20}  {}", "?", one_line(gap))))?;
        } else {
            let at = Stream::Out.paint(Tone::Dim, &moment(&word(&line["at"])));
            out::data(&format!("{at}  {}", word(&line["sentence"])))?;
        }
        if is_one {
            out::data(&pretty(&line["event"]))?;
        }
    }
    Ok(())
}

/// `2026-11-29T09:12:03.123Z` as `2026-11-29 09:12:03Z`.
pub(super) fn moment(at: &str) -> String {
    match at.split_once('.') {
        Some((seconds, _millis)) => format!("{}Z", seconds.replacen('T', " ", 1)),
        None => at.to_owned(),
    }
}
