//! `placet inbox list`: items, or their kinds, page by page until enough are there.

use super::desk::Desk;
use super::row;
use crate::out::{self, visible};
use anyhow::Result;
use placet_model::{Digest, Principal};
use serde_json::{Map, Value, json};

/// What waits, gravest first, then by deadline.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct ListArgs {
    /// Every open item, not only those that wait for you
    #[arg(long)]
    all: bool,
    /// Kinds of items with how many there are, instead of items
    #[arg(long)]
    group: bool,
    /// Of one kind: the digest that --group shows, or its first digits
    #[arg(long, value_name = "DIGEST")]
    shape: Option<String>,
    /// Through this connection: name or id
    #[arg(long, value_name = "NAME")]
    integration: Option<String>,
    /// Of this operation
    #[arg(long, value_name = "OPERATION")]
    operation: Option<String>,
    /// Caused by this principal
    #[arg(long, value_name = "NAME")]
    requester: Option<Principal>,
    /// Of this workflow, any version
    #[arg(long, value_name = "NAMESPACE/NAME")]
    workflow: Option<String>,
    /// How they stand
    #[arg(long, value_name = "requested|approved|in_doubt")]
    state: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 1000, value_name = "N")]
    limit: usize,
    /// Go on where a list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    #[arg(long)]
    json: bool,
}

/// Rows of one request at most.
const PAGE_MAX: usize = 200;

pub(super) async fn run(desk: &Desk, args: ListArgs) -> Result<()> {
    let (what, json) = (if args.group { "groups" } else { "items" }, args.json);
    let shape = match &args.shape {
        Some(text) => Some(shape_of(desk, text, args.all).await?),
        None => None,
    };
    let given = [
        ("integration", args.integration),
        ("operation", args.operation),
        ("requester", args.requester.map(|name| name.to_string())),
        ("workflow", args.workflow),
        ("state", args.state),
        ("shape", shape),
    ];
    let given =
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    let mut filter: Map<String, Value> = given.collect();
    filter.insert("all".to_owned(), json!(args.all));
    let (rows, next) = read(desk, what, (&filter, args.cursor), args.limit).await?;
    if json {
        return out::json(&json!({ what: rows, "next": next }));
    }
    if rows.is_empty() {
        out::say("nothing waits for you");
    } else if args.group {
        let lines: Vec<Vec<String>> = rows.iter().map(group).collect();
        let head = ["COUNT", "STATE", "OPERATION", "THROUGH", "WORKFLOW", "OLDEST", "SHAPE"];
        out::table(&head, &lines)?;
    } else {
        let lines: Vec<Vec<String>> = rows.iter().map(row).collect();
        out::table(&["DECISION", "STATE", "MODE", "SUMMARY", "NEEDS", "EXPIRES"], &lines)?;
    }
    if let Some(next) = next.as_str() {
        out::say(&format!("there is more: --cursor {}", visible(next)));
    }
    Ok(())
}

/// Rows until there are enough, and where to go on. A page may be short because it looked at enough.
async fn read(
    desk: &Desk,
    what: &str,
    (filter, cursor): (&Map<String, Value>, Option<String>),
    limit: usize,
) -> Result<(Vec<Value>, Value)> {
    let (mut rows, mut cursor) = (vec![], json!(cursor));
    while rows.len() < limit {
        let most = (limit - rows.len()).min(PAGE_MAX);
        let group = what == "groups";
        let page = desk.list(filter, group, (cursor.as_str(), most)).await?;
        rows.extend(page[what].as_array().cloned().unwrap_or_default());
        cursor = page["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    Ok((rows, cursor))
}

/// A whole digest, or the only shape that begins so.
async fn shape_of(desk: &Desk, text: &str, all: bool) -> Result<String> {
    let text = text.strip_prefix("sha256:").unwrap_or(text);
    if let Ok(digest) = format!("sha256:{text}").parse::<Digest>() {
        return Ok(digest.to_string());
    }
    let filter = Map::from_iter([("all".to_owned(), json!(all))]);
    let (groups, _) = read(desk, "groups", (&filter, None), 10 * PAGE_MAX).await?;
    let shapes = groups.iter().filter_map(|group| group["shape"].as_str());
    let begins = |shape: &&str| shape.strip_prefix("sha256:").is_some_and(|s| s.starts_with(text));
    let found: Vec<&str> = shapes.filter(begins).collect();
    match found[..] {
        [shape] => Ok(shape.to_owned()),
        [] => Err(crate::exit::invalid(format!("no shape of open items begins with {text:?}"))),
        _ => Err(crate::exit::invalid(format!("{} shapes begin with {text:?}", found.len()))),
    }
}

/// A shape as one line.
fn group(group: &Value) -> Vec<String> {
    let word = |key: &str| visible(group[key].as_str().unwrap_or_default()).replace('\n', " ");
    let task = word("task");
    let step = task.rsplit('/').next().unwrap_or_default();
    let shape = word("shape");
    let short: String = shape.trim_start_matches("sha256:").chars().take(12).collect();
    let count = group["count"].to_string();
    let oldest: String = word("oldest").chars().take(19).collect();
    vec![
        count,
        word("state"),
        word("operation"),
        match word("integration") {
            name if name.is_empty() => "-".to_owned(),
            name => name,
        },
        format!("{} {step}", word("workflow")),
        oldest,
        short,
    ]
}
