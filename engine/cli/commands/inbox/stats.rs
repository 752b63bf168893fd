//! `placet inbox stats`: how people decide.

use super::desk::Desk;
use crate::out;
use anyhow::Result;
use placet_executor::public::select::Moment;
use placet_model::Principal;
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub(super) struct StatsArgs {
    /// Only what was recorded from this moment on, or so long ago: 2026-01-01T00:00:00Z, P7D
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only before this moment
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only of this person; others than yourself are for admins, auditors and operators
    #[arg(long, value_name = "NAME")]
    user: Option<Principal>,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(desk: &Desk, args: StatsArgs) -> Result<()> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let asked = [
        ("since", text(args.since.map(|moment| moment.to_string()))),
        ("until", text(args.until.map(|moment| moment.to_string()))),
        ("user", text(args.user.map(|user| user.to_string()))),
    ];
    let stats = desk.stats(&asked).await?;
    if args.json {
        return out::json(&stats);
    }
    let people = stats["approvers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if people.is_empty() {
        out::say("nobody has decided anything, and nobody could have");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = people.iter().map(row).collect();
    out::table(
        &[
            "APPROVER",
            "DECISIONS",
            "VERDICTS",
            "P50",
            "P90",
            "P99",
            "UNDER 3 S",
            "EDITS",
            "REVERSED",
            "EXPIRED",
            "UNSEEN",
            "ALARMS",
        ],
        &rows,
    )
}

fn row(of: &Value) -> Vec<String> {
    let number = |name: &str| of[name].as_u64().unwrap_or_default().to_string();
    let took =
        |name: &str| of["time_to_decide"][name].as_u64().map_or_else(|| "-".to_owned(), seconds);
    let verdicts = of["verdicts"].as_object().into_iter().flatten();
    let verdicts: Vec<String> =
        verdicts.map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let quick = of["quick_per_cent"].as_u64();
    vec![
        of["user"].as_str().unwrap_or_default().to_owned(),
        number("decisions"),
        if verdicts.is_empty() { "-".to_owned() } else { verdicts.join(", ") },
        took("p50_ms"),
        took("p90_ms"),
        took("p99_ms"),
        quick.map_or_else(|| "-".to_owned(), |share| format!("{share} %")),
        number("edits"),
        number("reversals"),
        number("expired"),
        number("expired_unseen"),
        number("alarms"),
    ]
}

/// A length of time in the unit that people would use.
fn seconds(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..600_000 => format!("{} s", ms / 1_000),
        600_000..36_000_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}
