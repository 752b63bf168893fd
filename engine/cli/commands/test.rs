//! `placet test`: an author's tests. Nothing leaves, nothing of them is left behind.

use crate::exit::{Exit, invalid};
use crate::out;
use crate::testing::bench::{Bench, Ground};
use crate::testing::drive::Drive;
use crate::testing::find::{self, Ready, TestSource};
use crate::testing::judge::{self, Judge};
use crate::testing::report::{self, Called};
use crate::testing::{Failure, FileOutcome, Outcome, TestOutcome, Verdict, junit, seen};
use anyhow::{Context, Result};
use placet_language::Evaluator;
use placet_language::test_file::TestCase;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Wall-clock time of one test: beyond it something hangs.
const TEST_TIME_MAX: Duration = Duration::from_mins(1);

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// The project's folder, or one test file
    #[arg(value_name = "DIR")]
    path: Option<PathBuf>,
    /// Only tests with this text in `FILE: NAME`
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// This seed instead of each test's own
    #[arg(long)]
    seed: Option<u64>,
    /// Write `JUnit` XML as well
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// The outcome as JSON, on the last line
    #[arg(long)]
    json: bool,
    /// Print the JSON Schema of test files, for editors
    #[arg(long, exclusive = true)]
    schema: bool,
    /// Print the JSON Schema of scenario files, for editors
    #[arg(long, exclusive = true)]
    scenario_schema: bool,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    if args.schema {
        let schema = placet_schemas::embedded(placet_schemas::TEST);
        out::data(schema.context("the schema of test files ships with the binary")?.trim_end())?;
        return Ok(Exit::Done);
    }
    if args.scenario_schema {
        out::data(&format!("{:#}", crate::scenarios::schema()?))?;
        return Ok(Exit::Done);
    }
    let begun = Instant::now();
    let path = args.path.as_deref().unwrap_or_else(|| Path::new("."));
    let (project, paths) = find::files(path)?;
    let ground = Arc::new(find::ground(project)?);
    let mut files = vec![];
    for path in &paths {
        files.push(find::read(path, &ground)?);
    }
    let suite = Suite::new(ground, &args);
    let files = out::with_progress("the tests are under way", suite.run(files)).await?;
    let outcome = Outcome { files, took: begun.elapsed() };
    finish(&args, &outcome)
}

fn finish(args: &Args, outcome: &Outcome) -> Result<Exit> {
    let called =
        Called { path: args.path.as_ref().map(|path| path.display().to_string()), seed: args.seed };
    if let Some(file) = &args.junit {
        std::fs::write(file, junit::document(outcome))
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let counts = outcome.counts();
    let none = outcome.files.iter().all(|file| file.tests.is_empty());
    if none && counts.errors == 0 {
        let filter = args.filter.as_deref().unwrap_or_default();
        return Err(invalid(format!("no test has {filter:?} in its file or name")));
    }
    if args.json {
        out::json(&report::json(outcome, &called))?;
    } else {
        report::show(outcome, &called)?;
    }
    Ok(match (counts.errors, counts.failed) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Negative,
        (_, _) => Exit::Usage,
    })
}

/// What every test gets.
#[derive(Debug, Clone)]
struct Suite {
    ground: Arc<Ground>,
    evaluator: Arc<Evaluator>,
    /// As many tests at once as there are cores.
    permits: Arc<Semaphore>,
    filter: Option<String>,
    seed: Option<u64>,
}

/// A file whose tests are under way.
struct Begun {
    file: TestSource,
    tests: Vec<JoinHandle<TestOutcome>>,
}

impl Suite {
    fn new(ground: Arc<Ground>, args: &Args) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            ground,
            evaluator: Arc::default(),
            permits: Arc::new(Semaphore::new(cores)),
            filter: args.filter.clone(),
            seed: args.seed,
        }
    }

    async fn run(&self, files: Vec<TestSource>) -> Result<Vec<FileOutcome>> {
        let begun: Vec<Begun> = files.into_iter().map(|file| self.begin(file)).collect();
        let mut ended = vec![];
        for Begun { file, tests } in begun {
            let mut outcomes = vec![];
            for test in tests {
                outcomes.push(test.await.context("a test has panicked")?);
            }
            // findings of a file that can be run are warnings: said, and no more
            let usable = !file.found.iter().any(crate::findings::Found::has_errors);
            let broken = if usable {
                file.found.iter().for_each(crate::findings::say);
                vec![]
            } else {
                file.found
            };
            ended.push(FileOutcome { source: file.source, broken, tests: outcomes });
        }
        // a file that the filter leaves nothing of is not spoken of
        ended.retain(|file| file.is_broken() || !file.tests.is_empty());
        Ok(ended)
    }

    fn begin(&self, mut file: TestSource) -> Begun {
        let Some(ready) = file.ready.take().map(Arc::new) else {
            return Begun { file, tests: vec![] };
        };
        let wanted = |test: &TestCase| {
            let whole = format!("{}: {}", file.source.name(), test.name.value);
            self.filter.as_ref().is_none_or(|text| whole.contains(text.as_str()))
        };
        let chosen: Vec<usize> =
            (0..ready.file.tests.len()).filter(|place| wanted(&ready.file.tests[*place])).collect();
        let tests = chosen.into_iter().map(|place| {
            let (suite, ready) = (self.clone(), Arc::clone(&ready));
            tokio::spawn(async move { suite.one(&ready, place).await })
        });
        Begun { tests: tests.collect(), file }
    }

    /// One test, from its project's beginning to its end.
    async fn one(&self, ready: &Ready, place: usize) -> TestOutcome {
        let test = &ready.file.tests[place];
        let seed = self.seed.unwrap_or(test.seed);
        let outcome = |verdict, took, report| TestOutcome {
            name: test.name.value.clone(),
            span: test.name.span,
            verdict,
            took,
            seed,
            report,
        };
        if let Some(reason) = &test.skip {
            return outcome(Verdict::Skipped(reason.clone()), Duration::ZERO, Value::Null);
        }
        let permit = self.permits.acquire().await;
        let begun = Instant::now();
        let ran = tokio::time::timeout(TEST_TIME_MAX, self.go(ready, test, seed)).await;
        drop(permit);
        let broken =
            |words: String| Verdict::Broken(Failure::new("test", judge::whole(test), words));
        let (verdict, report) = match ran {
            Ok(Ok(ran)) => ran,
            Ok(Err(error)) => (broken(format!("{error:#}")), Value::Null),
            Err(_elapsed) => {
                let seconds = TEST_TIME_MAX.as_secs();
                (broken(format!("it did not end within {seconds} s")), Value::Null)
            }
        };
        outcome(verdict, begun.elapsed(), report)
    }

    async fn go(&self, ready: &Ready, test: &TestCase, seed: u64) -> Result<(Verdict, Value)> {
        let integrations = &ready.file.integrations;
        let bench =
            Bench::set_up(&self.ground, &ready.workflow, integrations, (test, seed)).await?;
        let ran = self.within(&bench, ready, test, seed).await;
        bench.stop().await?;
        ran
    }

    async fn within(
        &self,
        bench: &Bench,
        ready: &Ready,
        test: &TestCase,
        seed: u64,
    ) -> Result<(Verdict, Value)> {
        let mut notices = bench.handle().notices();
        let run = match (bench.start(test, seed).await, &test.expect.refused) {
            (Ok(run), None) => run,
            (Ok(run), Some(code)) => {
                let message = format!("the run has begun, expected {}", code.value);
                let failure = Failure::new("expect.refused", code.span, message);
                let report = bench.handle().report(run).unwrap_or_default();
                return Ok((Verdict::Failed(vec![failure]), report));
            }
            (Err(error), expected) => {
                return Ok((judge::refusal(&error, expected.as_ref(), test), Value::Null));
            }
        };
        let plans = ready.workflow.plans();
        let mut drive = Drive::new(bench, test, &plans, run);
        let mut failures = drive.go(&mut notices).await?;
        let seen = seen::read(bench, run)?;
        // what was scripted and did not come about explains all that follows from it
        let judge = Judge { test, plans: &plans, seen: &seen, evaluator: &self.evaluator };
        if failures.is_empty() || seen.status() != "waiting" {
            failures.extend(judge.failures());
            failures.extend(judge::unused_answers(&bench.answers.unused(), test));
        }
        let verdict = if failures.is_empty() { Verdict::Passed } else { Verdict::Failed(failures) };
        Ok((verdict, seen.report))
    }
}
