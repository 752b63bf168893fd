//! An author's tests: each `*.test.yaml` names a workflow, and each test in it is one run in a
//! project of its own, in memory, with the real policy and adapters, a virtual clock, scripted
//! people and a sandbox that has no way out.
//!
//! find (files, checks) → bench (an engine per test) → drive (the script) → judge (expectations)
//! → report (text, JSON, `JUnit`).

pub(crate) mod answers;
pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod deliver;
pub(crate) mod diff;
pub(crate) mod drive;
pub(crate) mod find;
pub(crate) mod judge;
pub(crate) mod junit;
pub(crate) mod report;
pub(crate) mod script;
pub(crate) mod seen;

use crate::findings::Found;
use placet_language::Source;
use placet_language::source::Span;
use serde_json::Value;
use std::time::Duration;

/// What came of every file.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) files: Vec<FileOutcome>,
    /// Wall-clock time of all.
    pub(crate) took: Duration,
}

/// What came of one file.
#[derive(Debug)]
pub(crate) struct FileOutcome {
    pub(crate) source: Source,
    /// Why none of its tests was run: findings in the file, or in its workflow.
    pub(crate) broken: Vec<Found>,
    pub(crate) tests: Vec<TestOutcome>,
}

/// What came of one test.
#[derive(Debug)]
pub(crate) struct TestOutcome {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) verdict: Verdict,
    /// Wall-clock time.
    pub(crate) took: Duration,
    pub(crate) seed: u64,
    /// The run's report up to the end; null when it never began.
    pub(crate) report: Value,
}

/// How a test ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passed,
    /// What did not hold; at least one.
    Failed(Vec<Failure>),
    /// It could not be run to its end.
    Broken(Failure),
    Skipped(String),
}

/// One thing that did not hold.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// What was claimed or scripted: `expect.output`, `decisions[1]`.
    pub(crate) what: String,
    /// Where that stands.
    pub(crate) span: Span,
    /// What is wrong, in one line.
    pub(crate) message: String,
    /// Expected against actual; empty when there is nothing to compare.
    pub(crate) diff: Vec<diff::Line>,
    /// More to look at: the card of an unexpected request.
    pub(crate) detail: Option<String>,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, span: Span, message: impl Into<String>) -> Self {
        let (what, message) = (what.into(), message.into());
        Self { what, span, message, diff: vec![], detail: None }
    }
}

/// How many of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Tests that could not be run, and files none of whose tests could.
    pub(crate) errors: usize,
    pub(crate) skipped: usize,
}

impl Outcome {
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for file in &self.files {
            counts.errors += usize::from(file.is_broken());
            file.tests.iter().for_each(|test| test.count(&mut counts));
        }
        counts
    }
}

impl FileOutcome {
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.iter().any(Found::has_errors)
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts { errors: usize::from(self.is_broken()), ..Counts::default() };
        self.tests.iter().for_each(|test| test.count(&mut counts));
        counts
    }
}

impl TestOutcome {
    fn count(&self, counts: &mut Counts) {
        *match &self.verdict {
            Verdict::Passed => &mut counts.passed,
            Verdict::Failed(_) => &mut counts.failed,
            Verdict::Broken(_) => &mut counts.errors,
            Verdict::Skipped(_) => &mut counts.skipped,
        } += 1;
    }

    /// What did not hold, or kept it from being run.
    pub(crate) fn failures(&self) -> &[Failure] {
        match &self.verdict {
            Verdict::Failed(failures) => failures,
            Verdict::Broken(failure) => std::slice::from_ref(failure),
            Verdict::Passed | Verdict::Skipped(_) => &[],
        }
    }

    /// `passed`, `failed`, `error`, `skipped`.
    pub(crate) const fn word(&self) -> &'static str {
        match &self.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "failed",
            Verdict::Broken(_) => "error",
            Verdict::Skipped(_) => "skipped",
        }
    }
}
