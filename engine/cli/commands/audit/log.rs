//! `placet audit log`: events, filtered, as lines for people, JSON lines or CSV; once, or as they come.

use super::{Found, csv, open_bare, told_by_engine};
use crate::compose;
use crate::exit::{Exit, Refused};
use crate::link::{Link, encoded};
use crate::out::{self, one_line};
use anyhow::Result;
use clap::ArgAction;
use placet_egress::control::ControlError;
use placet_executor::Clock;
use placet_executor::public::render;
use placet_executor::public::select::{Moment, Order, Wanted, actor, kind};
use placet_log::Log;
use placet_model::event::EventKind;
use placet_model::{Actor, Position, RunId, StreamId, Timestamp};
use serde_json::Value;

/// Events of one page.
const PAGE: usize = 500;
/// Seconds that an engine holds back an empty page while it is followed.
const WAIT_SECS: u64 = 20;

#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    /// Only those after this position
    #[arg(long, default_value_t = 0, value_name = "POSITION")]
    after: u64,
    /// Only those of this stream, such as `run:run_…`
    #[arg(long, conflicts_with = "run")]
    stream: Option<StreamId>,
    /// Only those of this run
    #[arg(long)]
    run: Option<RunId>,
    /// Only those of this type, such as `VoteCast`; may stand several times
    #[arg(long = "type", value_name = "TYPE", value_parser = kind, action = ArgAction::Append)]
    kinds: Vec<EventKind>,
    /// Only what this principal did, or `engine`
    #[arg(long, value_name = "NAME", value_parser = actor)]
    actor: Option<Actor>,
    /// Only from this moment on: RFC 3339, or how long ago, such as PT1H
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only before this moment
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only those of this integration, and the decisions and attempts that went through it
    #[arg(long, value_name = "NAME|ID")]
    integration: Option<String>,
    /// At most so many
    #[arg(long)]
    limit: Option<usize>,
    /// The last so many
    #[arg(long, short = 'n', value_name = "COUNT", conflicts_with_all = ["limit", "after", "reverse"])]
    last: Option<usize>,
    /// Newest first
    #[arg(long, conflicts_with = "after")]
    reverse: bool,
    /// Go on with new ones as they come, until interrupted
    #[arg(long, short = 'f', conflicts_with_all = ["limit", "reverse", "until"])]
    follow: bool,
    #[command(flatten)]
    form: FormArgs,
}

#[derive(Debug, clap::Args)]
struct FormArgs {
    /// One event a line
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// A table (RFC 4180); a cell that a spreadsheet would take for a formula begins with '
    #[arg(long)]
    csv: bool,
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    Json,
    Csv,
}

impl Form {
    fn begin(self) -> Result<()> {
        if self == Self::Csv { csv::head() } else { Ok(()) }
    }

    fn show(self, event: &Value) -> Result<()> {
        match self {
            Self::Lines => out::data(&line(event)),
            Self::Json => out::json(event),
            Self::Csv => csv::row(event),
        }
    }
}

pub(super) async fn run(found: &Found, args: LogArgs) -> Result<Exit> {
    let form = match (args.form.json, args.form.csv) {
        (true, _) => Form::Json,
        (false, true) => Form::Csv,
        (false, false) => Form::Lines,
    };
    let (after, last, limit, follow) = (args.after, args.last, args.limit, args.follow);
    let order =
        if args.reverse || last.is_some() { Order::NewestFirst } else { Order::OldestFirst };
    let reader = Reader::of(found, wanted(args))?;
    form.begin()?;
    let mut shown = 0;
    let from = (order, Position::new(after));
    let head = if let Some(last) = last {
        let mut events = vec![];
        let mut keep = |event: &Value| {
            events.push(event.clone());
            Ok(())
        };
        let head = reader.each(from, last, &mut keep).await?;
        shown = events.len();
        events.iter().rev().try_for_each(|event| form.show(event))?;
        head
    } else {
        let mut show = |event: &Value| {
            shown += 1;
            form.show(event)
        };
        reader.each(from, limit.unwrap_or(usize::MAX), &mut show).await?
    };
    if follow {
        return reader.follow(head, &mut |event| form.show(event)).await;
    }
    if shown == 0 {
        out::say("there are no such events");
    }
    Ok(Exit::Done)
}

fn wanted(args: LogArgs) -> Wanted {
    Wanted {
        stream: args.stream.or_else(|| args.run.map(StreamId::Run)),
        kinds: args.kinds.into_iter().collect(),
        actor: args.actor,
        since: args.since,
        until: args.until,
        integration: args.integration,
    }
}

/// Where events come from.
struct Reader<'a> {
    source: Source<'a>,
    wanted: Wanted,
}

enum Source<'a> {
    Engine(&'a Link),
    Data(Log, Timestamp),
}

type Visit<'v> = &'v mut dyn FnMut(&Value) -> Result<()>;

impl<'a> Reader<'a> {
    fn of(found: &'a Found, wanted: Wanted) -> Result<Self> {
        let source = match found {
            Found::Engine(link) => Source::Engine(link),
            Found::Data(data, project) => {
                let log = open_bare(data, project)?;
                let is_virtual = compose::is_virtual(data);
                let now =
                    if is_virtual { log.read()?.head().recorded_at } else { Clock::System.now() };
                Source::Data(log, now)
            }
        };
        Ok(Self { source, wanted })
    }

    /// Visits up to `limit` events; returns the head of the log behind the last page.
    async fn each(
        &self,
        (order, mut cursor): (Order, Position),
        limit: usize,
        visit: Visit<'_>,
    ) -> Result<Position> {
        let mut left = limit;
        loop {
            let mut page = self.page((order, cursor), left.min(PAGE), 0).await?;
            page.events.truncate(left);
            left -= page.events.len();
            page.events.iter().try_for_each(&mut *visit)?;
            match page.next {
                Some(next) if left > 0 => cursor = next,
                Some(_) | None => return Ok(page.head),
            }
        }
    }

    /// Visits what comes after `cursor`, until the engine ends.
    async fn follow(&self, mut cursor: Position, visit: Visit<'_>) -> Result<Exit> {
        if let Source::Data(..) = self.source {
            out::say(
                "no engine has these data open, so nothing more can come: start one with `placet dev`",
            );
            return Ok(Exit::Done);
        }
        loop {
            match self.page((Order::OldestFirst, cursor), PAGE, WAIT_SECS).await {
                Ok(page) => {
                    page.events.iter().try_for_each(&mut *visit)?;
                    cursor = page.next.unwrap_or(page.head);
                }
                Err(error) if is_end(&error) => {
                    out::say("the engine has ended");
                    return Ok(Exit::Negative);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn page(
        &self,
        (order, cursor): (Order, Position),
        limit: usize,
        wait_secs: u64,
    ) -> Result<Page> {
        match &self.source {
            Source::Engine(link) => {
                let mut query = query(&self.wanted, order, cursor);
                query.push(format!("limit={}", limit.max(1)));
                if wait_secs > 0 {
                    query.push(format!("wait={wait_secs}"));
                }
                let page = link.get(&format!("/api/v1/audit/events?{}", query.join("&"))).await?;
                Ok(Page::read(page))
            }
            Source::Data(log, now) => {
                let view = log.read()?;
                let filter = self.wanted.clone().resolve(&view, *now).map_err(told_by_engine)?;
                let page = filter.page(&view, (order, cursor), limit).map_err(told_by_engine)?;
                let events = page.events.iter().map(render).collect();
                Ok(Page { events, next: page.next, head: page.head })
            }
        }
    }
}

struct Page {
    events: Vec<Value>,
    next: Option<Position>,
    head: Position,
}

impl Page {
    fn read(mut page: Value) -> Self {
        let position = |value: &Value| value.as_u64().map(Position::new);
        Self {
            next: position(&page["next"]),
            head: position(&page["head"]).unwrap_or(Position::START),
            events: match page["events"].take() {
                Value::Array(events) => events,
                _ => vec![],
            },
        }
    }
}

fn query(wanted: &Wanted, order: Order, cursor: Position) -> Vec<String> {
    let kinds: Vec<&str> = wanted.kinds.iter().map(|kind| kind.name()).collect();
    let text = |value: Option<&dyn ToString>| value.map(ToString::to_string);
    let pairs = [
        ("stream", text(wanted.stream.as_ref().map(|v| v as _))),
        ("type", (!kinds.is_empty()).then(|| kinds.join(","))),
        ("actor", text(wanted.actor.as_ref().map(|v| v as _))),
        ("since", text(wanted.since.as_ref().map(|v| v as _))),
        ("until", text(wanted.until.as_ref().map(|v| v as _))),
        ("integration", wanted.integration.clone()),
    ];
    let from = match order {
        Order::OldestFirst => vec![format!("after={cursor}")],
        Order::NewestFirst => vec!["order=desc".to_owned(), format!("before={cursor}")],
    };
    let pairs = pairs
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}={}", encoded(&value))));
    from.into_iter().chain(pairs).collect()
}

/// Whether there is no engine any more, rather than one that says no.
fn is_end(error: &anyhow::Error) -> bool {
    let gone = error.downcast_ref::<ControlError>().is_some_and(|error| {
        matches!(error, ControlError::Unreachable { .. } | ControlError::Broken { .. })
    });
    gone || error.downcast_ref::<Refused>().is_some_and(|refused| refused.0.code == "PL4006")
}

/// `position  time  type  stream  actor`.
fn line(event: &Value) -> String {
    let word = |key: &str| one_line(event[key].as_str().unwrap_or_default());
    let position = event["position"].to_string();
    let (at, kind, stream) = (word("recorded_at"), word("type"), word("stream"));
    format!("{position:>6}  {at}  {kind:20}  {stream}  {}", word("actor"))
}
