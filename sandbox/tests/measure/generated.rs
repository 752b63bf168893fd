//! What the generator makes of schemas: M1, M2, M3, M5, M6, M8.

use super::{
    DOCUMENTS, Figure, GOOGLE, Judge, NAMED_MAX, Verdict, ask, description, left_out, now, scripts,
    seed,
};
use placet_adapters::Adapters;
use placet_adapters::mock::MockId;
use placet_adapters::openapi::{Wanted, import};
use placet_model::{Digest, Timestamp};
use placet_sandbox::generate::generate;
use placet_sandbox::{Unknown, World};
use placet_schemas::{Registry, Schema};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SATISFIABLE: &str = include_str!("../cases/satisfiable.jsonl");
const UNSATISFIABLE: &str = include_str!("../cases/unsatisfiable.jsonl");
/// Set in the environment of the second process.
const CHILD: &str = "PLACET_MEASURE_CHILD";
/// Answers to each schema, after one that warms.
const ANSWERS: u64 = 4;
const MEDIAN_MAX: Duration = Duration::from_millis(1);
/// Without optimisation; only a mistake breaks it.
const MEDIAN_MAX_UNOPTIMIZED: Duration = Duration::from_millis(20);
const P99_MAX: Duration = Duration::from_millis(10);
/// Names of when something was made, and when it was last changed.
const MOMENTS: [(&str, &str); 5] = [
    ("created", "updated"),
    ("created_at", "updated_at"),
    ("createdAt", "updatedAt"),
    ("date_created", "date_updated"),
    ("createdTime", "modifiedTime"),
];

fn cases(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Groups of keywords that can be met get a valid value, the others are refused.
pub(crate) fn m1_keywords() -> Figure {
    let (good, bad) = (cases(SATISFIABLE), cases(UNSATISFIABLE));
    assert!(good.len() >= 150 && bad.len() >= 15);
    let (mut missed, mut faults) = (0, vec![]);
    for case in &good {
        let judge = Judge::of(case).unwrap_or_else(|error| panic!("{case}: {error}"));
        let schema = Registry::new().register(case).unwrap();
        let of_seed = |number| match generate(&schema, &seed(number), now()) {
            Ok(value) => judge.refusal(&value).map(|why| format!("{case}: {why}")),
            Err(error) => Some(format!("{case}: {error}")),
        };
        let found: Vec<String> = (0..5).filter_map(of_seed).collect();
        missed += usize::from(!found.is_empty());
        faults.extend(found);
    }
    let is_invented = |case: &&Value| {
        let schema = Registry::new().register(case).unwrap();
        generate(&schema, &seed(0), now()).is_ok()
    };
    let invented: Vec<String> = bad
        .iter()
        .filter(is_invented)
        .map(|case| format!("{case}: nothing satisfies it"))
        .collect();
    let found = format!(
        "{} of {} satisfiable groups valid, {} of {} unsatisfiable ones refused",
        good.len() - missed,
        good.len(),
        bad.len() - invented.len(),
        bad.len()
    );
    faults.extend(invented);
    Figure {
        id: "M1",
        of: "keyword groups",
        found,
        bound: "all of them (own cases; the suite of JSON Schema is not in the repository)",
        verdict: Verdict::of(faults.is_empty()),
        notes: vec![],
    }
    .with_faults(&faults)
}

/// The response schemas of every description that is beside the repository, and of all that ships.
fn responses() -> (BTreeMap<String, Arc<Schema>>, Vec<String>) {
    let (mut found, mut notes) = (BTreeMap::new(), vec![]);
    for path in DOCUMENTS.into_iter().chain(GOOGLE) {
        let Some(text) = description(path) else {
            notes.push(left_out(path));
            continue;
        };
        let provider = path.split('/').next();
        let wanted = Wanted { url: "https://docs.example/v1.json", provider, operations: &[] };
        let imported = import(&text, wanted).unwrap();
        for (name, text) in
            imported.schemas.iter().filter(|(name, _)| name.ends_with("output.json"))
        {
            let document = serde_json::from_str(text).unwrap();
            found.insert(format!("{path}: {name}"), Registry::new().register(&document).unwrap());
        }
    }
    for path in placet_schemas::embedded_paths().filter(|path| path.ends_with("output.json")) {
        found.insert(path.to_owned(), Registry::new().shipped(path).unwrap());
    }
    (found, notes)
}

/// Every response schema, answered and looked at once.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    schemas: usize,
    judged: usize,
    refused: Vec<String>,
    declared: usize,
    present: usize,
    placeholders: usize,
    formats: usize,
    moments: usize,
    implausible: Vec<String>,
    took: Vec<Duration>,
    /// The schema that took longest in the middle of its answers.
    worst: (Duration, String),
    notes: Vec<String>,
}

impl Survey {
    pub(crate) fn taken() -> Self {
        let (responses, notes) = responses();
        let mut survey = Self { schemas: responses.len(), notes, ..Self::default() };
        for (name, schema) in &responses {
            match Judge::of(schema.document()) {
                Ok(judge) => survey.schema(name, (schema, &judge)),
                Err(_) => {
                    survey.notes.push(format!("left out: {name} does not compile for the judge"));
                }
            }
        }
        survey.took.sort_unstable();
        survey
    }

    fn schema(&mut self, name: &str, (schema, judge): (&Schema, &Judge)) {
        // warm: patterns and the schema are compiled
        drop(generate(schema, &seed(99), now()));
        let mut took = vec![];
        for number in 0..ANSWERS {
            let begun = Instant::now();
            let value = generate(schema, &seed(number), now());
            took.push(begun.elapsed());
            self.judged += 1;
            match value {
                Ok(value) => {
                    self.refused.extend(judge.refusal(&value).map(|why| format!("{name}: {why}")));
                    self.value(name, (schema, &value));
                }
                Err(error) => self.refused.push(format!("{name}: {error}")),
            }
        }
        took.sort_unstable();
        let middle = took[took.len() / 2];
        if middle > self.worst.0 {
            self.worst = (middle, name.to_owned());
        }
        self.took.extend(took);
    }

    fn value(&mut self, name: &str, (schema, value): (&Schema, &Value)) {
        self.placeholders += value.to_string().matches("\"string\"").count();
        self.formats += count_formats(schema.document(), value);
        let properties = schema.document()["properties"].as_object();
        self.declared += properties.map_or(0, serde_json::Map::len);
        self.present += properties
            .map_or(0, |known| known.keys().filter(|key| value.get(key).is_some()).count());
        self.moments(name, value);
    }

    /// Nothing is changed before it is made.
    fn moments(&mut self, name: &str, value: &Value) {
        for (made, changed) in MOMENTS {
            let ordered = match (value.get(made), value.get(changed)) {
                (Some(Value::Number(made)), Some(Value::Number(changed))) => {
                    made.as_f64() <= changed.as_f64()
                }
                (Some(Value::String(made)), Some(Value::String(changed))) => {
                    let moments = (made.parse::<Timestamp>(), changed.parse::<Timestamp>());
                    let (Ok(made), Ok(changed)) = moments else { continue };
                    made <= changed
                }
                _ => continue,
            };
            self.moments += 1;
            if !ordered {
                self.implausible.push(format!("{name}: {changed} lies before {made}"));
            }
        }
        let inner: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(fields) => fields.values().collect(),
            _ => vec![],
        };
        for part in inner {
            self.moments(name, part);
        }
    }

    pub(crate) fn m2_valid(&self) -> Figure {
        let bad = self.refused.len();
        let mut figure = Figure {
            id: "M2",
            of: "valid answers",
            found: format!(
                "{} of {} answers to {} response schemas valid for the second validator",
                self.judged - bad,
                self.judged,
                self.schemas
            ),
            bound: "99.5 %",
            verdict: Verdict::of(bad * 1000 <= self.judged * 5),
            notes: vec![],
        };
        figure.notes.extend(self.notes.iter().take(NAMED_MAX).cloned());
        figure.with_faults(&self.refused)
    }

    pub(crate) fn m5_coverage(&self) -> Figure {
        Figure {
            id: "M5",
            of: "coverage",
            found: format!(
                "{} of {} declared top-level properties present",
                self.present, self.declared
            ),
            bound: "95 %",
            verdict: Verdict::of(self.present * 100 >= self.declared * 95),
            notes: vec![],
        }
    }

    pub(crate) fn m6_plausible(&self) -> Figure {
        let (ids, mut faults) = ids();
        faults.extend(self.implausible.iter().cloned());
        Figure {
            id: "M6",
            of: "plausible values",
            found: format!(
                "{} values with a format, all of it; {} times the word \"string\"; {} of {} ids and pairs of moments wrong",
                self.formats,
                self.placeholders,
                faults.len(),
                ids + self.moments
            ),
            bound: "all formats, no \"string\", ids as declared, made before changed",
            verdict: Verdict::of(self.placeholders == 0 && faults.is_empty()),
            notes: vec![],
        }
        .with_faults(&faults)
    }

    pub(crate) fn m8_speed(&self) -> Figure {
        let at = |part: usize| self.took[(self.took.len() * part / 1000).min(self.took.len() - 1)];
        let (median, p99) = (at(500), at(990));
        Figure {
            id: "M8",
            of: "speed after warm-up",
            found: format!("median {median:?}, p99 {p99:?}"),
            bound: "median 1 ms, p99 10 ms",
            verdict: if !cfg!(debug_assertions) {
                Verdict::of(median <= MEDIAN_MAX && p99 <= P99_MAX)
            } else if median > MEDIAN_MAX_UNOPTIMIZED {
                Verdict::Fail
            } else {
                Verdict::Skipped("a figure of the release profile".to_owned())
            },
            notes: vec![format!("the worst schema: {}, {:?}", self.worst.1, self.worst.0)],
        }
    }
}

/// Values of a declared format at the top; that they are of it the judge has found already.
fn count_formats(schema: &Value, value: &Value) -> usize {
    let own = usize::from(schema.get("format").is_some() && value.is_string());
    let inner = schema["properties"].as_object().into_iter().flatten();
    own + inner
        .filter_map(|(name, part)| Some(count_formats(part, value.get(name)?)))
        .sum::<usize>()
}

/// How many ids were made by what makes something, and which of them are not as their manifest says.
fn ids() -> (usize, Vec<String>) {
    let (adapters, mut count, mut faults) = (Adapters::shipped(), 0, vec![]);
    for (_, name, input) in scripts::creates() {
        let operation = adapters.operation(name).unwrap();
        let mut world = World::new(0, Unknown::NotFound);
        let Some(body) = ask(&mut world, operation, &input).ok().and_then(|answer| answer.json())
        else {
            faults.push(format!("{name}: no answer"));
            continue;
        };
        for (at, id) in operation.mock().ids() {
            let MockId::Letters { prefix, len, .. } = id else { continue };
            count += 1;
            let text = at.get(&body).and_then(Value::as_str).unwrap_or_default();
            if !text.starts_with(&**prefix) || text.len() != prefix.len() + len {
                faults.push(format!("{name}: {text:?} is no {prefix}…"));
            }
        }
    }
    (count, faults)
}

/// All that a process would answer, as one digest.
fn everything() -> String {
    let mut text = String::new();
    for path in placet_schemas::embedded_paths().filter(|path| path.contains("/providers/")) {
        let schema = Registry::new().shipped(path).unwrap();
        for number in 0..3 {
            text += &generate(&schema, &seed(number), now()).unwrap().to_string();
        }
    }
    Digest::of(text.as_bytes()).to_string()
}

/// What the second process says instead of measuring; whether this is it.
pub(crate) fn told_by_child() -> bool {
    let is_child = std::env::var_os(CHILD).is_some();
    if is_child {
        println!("digest {}", everything());
    }
    is_child
}

/// Two processes give the same bytes, and one that is asked again gives other ids. `child` is this program once
/// more, so that it comes to [`told_by_child`].
pub(crate) fn m3_determinism(child: &mut Command) -> Figure {
    let (mine, mut faults) = (everything(), vec![]);
    let told = child.env(CHILD, "1").output().unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    if !told.contains(&format!("digest {mine}")) {
        faults.push(format!("the second process: {told:?}"));
    }
    let (adapters, mut asked) = (Adapters::shipped(), 0);
    for (store, name, input) in scripts::creates() {
        let operation = adapters.operation(name).unwrap();
        let state = operation.mock().state().unwrap();
        if state.asked().is_some() {
            // the client says which id it is
            continue;
        }
        asked += 1;
        let mut world = World::new(0, Unknown::NotFound);
        let mut id = || {
            let body = ask(&mut world, operation, &input).ok()?.json()?;
            state.id().get(state.object().get(&body)?).map(Value::to_string)
        };
        let ids: BTreeSet<Option<String>> = (0..3).map(|_| id()).collect();
        if ids.len() != 3 || ids.contains(&None) {
            faults.push(format!("{store}: {ids:?}"));
        }
    }
    Figure {
        id: "M3",
        of: "determinism",
        found: format!(
            "two processes, one digest {mine}; 3 ids for 3 equal questions, of {asked} kinds of things"
        ),
        bound: "byte for byte; another n, another id",
        verdict: Verdict::of(faults.is_empty()),
        notes: vec![],
    }
    .with_faults(&faults)
}
