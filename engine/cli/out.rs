//! The one place that writes: data to stdout, talk to stderr. Colours only on a terminal.

use crate::env;
use anyhow::Result;
use serde_json::Value;
use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

pub(crate) use placet_executor::inbox::{one_line, visible};

/// After this time something that is still going on is said to be.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warn,
    Strong,
    Dim,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Warn => "33",
            Self::Strong => "1",
            Self::Dim => "2",
        }
    }
}

impl Stream {
    /// Whether a person looks at it.
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::Out => io::stdout().is_terminal(),
            Self::Err => io::stderr().is_terminal(),
        }
    }

    /// Whether it takes colours.
    pub(crate) fn is_coloured(self) -> bool {
        std::env::var_os(env::NO_COLOR).is_none_or(|value| value.is_empty()) && self.is_terminal()
    }

    /// The text in its colour, where there are colours.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if self.is_coloured() {
            format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
        } else {
            text.to_owned()
        }
    }
}

/// A line of data.
pub(crate) fn data(text: &str) -> Result<()> {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}

/// A value as one line of data.
pub(crate) fn json(value: &Value) -> Result<()> {
    data(&value.to_string())
}

/// A line of talk. Nobody listening is no error.
pub(crate) fn say(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Rows of up to so many cells below each other, without a head.
pub(crate) fn rows(columns: usize, rows: &[Vec<String>]) -> Result<()> {
    aligned(None, vec![0; columns], rows)
}

/// A table as data: the head only when a person looks at it.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let widths = head.iter().map(|cell| cell.chars().count()).collect();
    aligned(Stream::Out.is_terminal().then_some(head), widths, rows)
}

fn aligned(head: Option<&[&str]>, mut widths: Vec<usize>, rows: &[Vec<String>]) -> Result<()> {
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    if let Some(head) = head {
        let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
        data(&Stream::Out.paint(Tone::Dim, &line(&head)))?;
    }
    rows.iter().try_for_each(|row| data(&line(row)))
}

/// Does the work, and says what is being done once it takes longer than a second.
pub(crate) async fn with_progress<T>(words: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(PATIENCE) => say(&format!("{words} …")),
    }
    work.await
}

/// How far something has come that takes its time: a bar that is drawn again on a terminal, a line
/// for every tenth otherwise. On stderr.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    unit: &'static str,
    tenth: Option<u64>,
    is_drawn: bool,
}

impl Progress {
    const WIDTH: usize = 30;

    pub(crate) const fn new(what: &'static str, unit: &'static str) -> Self {
        Self { what, unit, tenth: None, is_drawn: false }
    }

    pub(crate) fn at(&mut self, done: u64, all: u64) {
        let done = done.min(all);
        let (what, unit) = (self.what, self.unit);
        if Stream::Err.is_terminal() {
            let full = (Self::WIDTH as u64 * done).checked_div(all).unwrap_or(Self::WIDTH as u64);
            let full = usize::try_from(full).unwrap_or(Self::WIDTH);
            let bar = format!("{}{}", "#".repeat(full), ".".repeat(Self::WIDTH - full));
            let line = format!("\r{what} [{bar}] {done} of {all} {unit}");
            drop(write!(io::stderr().lock(), "{line}"));
            self.is_drawn = true;
            return;
        }
        let tenth = (10 * done).checked_div(all).unwrap_or(10);
        if self.tenth != Some(tenth) {
            self.tenth = Some(tenth);
            say(&format!("{what}: {done} of {all} {unit}"));
        }
    }

    /// Leaves the bar as it is.
    pub(crate) fn end(self) {
        if self.is_drawn {
            say("");
        }
    }
}
