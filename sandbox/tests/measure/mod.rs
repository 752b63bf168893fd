//! M1 to M8 and M10 of facts/mocking.md §7 as figures beside their bounds: for the tests, which hold them, and
//! for `cargo bench -p placet-sandbox --bench measures`, which prints them. The judge is another validator
//! than the one that the generator asks.

pub(crate) mod answered;
mod generated;
mod scripts;

pub(crate) use answered::{m4_echo, m10_examples};
pub(crate) use generated::{Survey, m1_keywords, m3_determinism, told_by_child};
pub(crate) use scripts::m7_scripts;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use placet_adapters::{Answer, Operation};
use placet_model::{Digest, Timestamp};
use placet_sandbox::{Asked, World};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Descriptions beside the repository, by folder.
pub(crate) const DOCUMENTS: [&str; 7] = [
    "stripe/spec3.trimmed.json",
    "slack/slack_web_openapi_v2.trimmed.json",
    "jira/platform-v3.trimmed.json",
    "sendgrid/sendgrid.trimmed.json",
    "resend/resend.trimmed.json",
    "mailgun/mailgun.trimmed.json",
    "postmark/postmark-server.openapi3.apisguru.json",
];

/// Google's, which publish no examples.
pub(crate) const GOOGLE: [&str; 7] = [
    "gmail/gmail.v1.json",
    "gmail/pubsub.v1.json",
    "google/calendar.v3.json",
    "google/docs.v1.json",
    "google/drive.v3.json",
    "google/oauth2.v2.json",
    "google/sheets.v4.json",
];

/// Faults that are named in full.
const NAMED_MAX: usize = 20;

/// One measure, as it came out.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) id: &'static str,
    pub(crate) of: &'static str,
    /// How it came out.
    pub(crate) found: String,
    /// What the facts ask for.
    pub(crate) bound: &'static str,
    pub(crate) verdict: Verdict,
    /// What goes with it: what was left out, what is worst, the first faults.
    pub(crate) notes: Vec<String>,
}

/// Whether a measure is within its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Fail,
    /// It was not judged, for this reason.
    Skipped(String),
}

impl Verdict {
    pub(crate) const fn of(is_within: bool) -> Self {
        if is_within { Self::Pass } else { Self::Fail }
    }
}

impl Figure {
    /// A measure that this machine cannot take.
    pub(crate) fn skipped(
        (id, of): (&'static str, &'static str),
        bound: &'static str,
        why: &str,
    ) -> Self {
        let (found, verdict) = ("-".to_owned(), Verdict::Skipped(why.to_owned()));
        Self { id, of, found, bound, verdict, notes: vec![] }
    }

    /// With the first of its faults.
    #[must_use]
    pub(crate) fn with_faults(mut self, faults: &[String]) -> Self {
        self.notes.extend(faults.iter().take(NAMED_MAX).cloned());
        self
    }

    /// The line of a table, and the notes below it.
    pub(crate) fn line(&self) -> String {
        let Self { id, of, found, bound, .. } = self;
        let verdict = match &self.verdict {
            Verdict::Pass => "pass".to_owned(),
            Verdict::Fail => "FAIL".to_owned(),
            Verdict::Skipped(why) => format!("skipped: {why}"),
        };
        let notes = self.notes.iter().map(|note| format!("\n       {note}"));
        let notes: String = notes.collect();
        format!("{id:<4} {of:<22} {found}\n     bound: {bound}: {verdict}{notes}")
    }
}

pub(crate) fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn seed(number: u64) -> Digest {
    Digest::of(&number.to_be_bytes())
}

/// A question without a key and without a draft.
pub(crate) fn ask(world: &mut World, operation: &Arc<Operation>, input: &Value) -> Answer {
    world.answer(Asked {
        operation,
        integration: "main",
        input,
        key: None,
        send_id: "",
        seen: None,
        now: now(),
        timeout: Duration::from_secs(30),
    })
}

/// The text of a description; none where it is not beside the repository.
pub(crate) fn description(path: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs");
    std::fs::read_to_string(folder.join(path)).ok()
}

/// What is said of a description that is not there.
pub(crate) fn left_out(path: &str) -> String {
    format!("left out: {path} is not beside the repository")
}

/// A validator of another hand.
pub(crate) struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    pub(crate) fn of(document: &Value) -> Result<Self, String> {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        let place = "https://example.com/judged.json";
        compiler.add_resource(place, document.clone()).map_err(|error| error.to_string())?;
        let index = compiler.compile(place, &mut schemas).map_err(|error| error.to_string())?;
        Ok(Self { schemas, index })
    }

    pub(crate) fn refusal(&self, value: &Value) -> Option<String> {
        self.schemas.validate(value, self.index).err().map(|error| error.to_string())
    }
}
