//! Test files, and what they are about: read, checked, and held against the workflow and the
//! project before anything runs.

use super::bench::Ground;
use crate::commands::check::{Surroundings, sandbox_integrations};
use crate::documents::{self, Urls};
use crate::exit::invalid;
use crate::findings::Found;
use crate::project::{self, POLICY_FILE, Project};
use anyhow::{Context, Result};
use placet_language::source::Span;
use placet_language::test_file::{Known, Spanned, TestFile};
use placet_language::{Checked, Diagnostic, Source, check_test, codes};
use placet_model::plan::{Plan, RunWorkflow, TaskKind, TaskList};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Where a project keeps its tests.
pub(crate) const FOLDER: &str = "tests";
/// How the name of a test file ends.
const ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];
/// Folders below each other.
const DEPTH_MAX: usize = 32;

/// A workflow that is tested, and those that it runs.
#[derive(Debug)]
pub(crate) struct Workflow {
    /// Its plan and its text.
    pub(crate) tested: (Plan, String),
    pub(crate) others: Vec<(Plan, String)>,
}

impl Workflow {
    pub(crate) fn plans(&self) -> Vec<&Plan> {
        std::iter::once(&self.tested).chain(&self.others).map(|(plan, _)| plan).collect()
    }
}

/// A test file that can be run.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) file: TestFile,
    pub(crate) workflow: Workflow,
}

/// A test file as it was found.
#[derive(Debug)]
pub(crate) struct TestSource {
    pub(crate) source: Source,
    /// None when it cannot be run.
    pub(crate) ready: Option<Ready>,
    /// What was found in it, and in its workflow.
    pub(crate) found: Vec<Found>,
}

/// The project that a folder or a test file belongs to, and its test files.
pub(crate) fn files(path: &Path) -> Result<(Project, Vec<PathBuf>)> {
    if path.is_file() {
        return Ok((Project::of(path)?, vec![path.to_owned()]));
    }
    if !path.is_dir() {
        return Err(invalid(format!("{} is not there", path.display())));
    }
    let project = Project::at(path)?;
    let folder = path.join(FOLDER);
    let mut files = vec![];
    collect(&folder, DEPTH_MAX, &mut files)?;
    files.sort();
    if files.is_empty() {
        let words = "there is no test: write one as";
        let (folder, ending) = (folder.display(), ENDINGS[0]);
        return Err(invalid(format!("{words} {folder}/NAME{ending}")));
    }
    Ok((project, files))
}

fn collect(folder: &Path, depth: usize, into: &mut Vec<PathBuf>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| folder.display().to_string()),
    };
    for entry in entries {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        if path.is_dir() && depth > 0 {
            collect(&path, depth - 1, into)?;
        } else if path.is_file() && is_test(&path) {
            into.push(path);
        }
    }
    Ok(())
}

/// Whether a file is named as a test.
pub(crate) fn is_test(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// What tests share. The policy must be usable: it decides about every send.
pub(crate) fn ground(project: Project) -> Result<Ground> {
    let adapters = project.adapters()?;
    let policy = project.policy()?.usable(POLICY_FILE)?;
    Ok(Ground { project, adapters, policy })
}

/// Reads a test file and all that it names.
pub(crate) fn read(path: &Path, ground: &Ground) -> Result<TestSource> {
    let source = project::read(path)?;
    let (file, diagnostics) = check_test(&source);
    let mut own = Found { source: source.clone(), diagnostics };
    let Some(file) = file else { return Ok(TestSource { source, ready: None, found: vec![own] }) };
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let (workflow, mut found) = match workflow(&file, folder, ground) {
        Ok(read) => read,
        Err(message) => {
            let help = "the path is taken from the folder of the test file";
            own.diagnostics.push(finding(&source, file.workflow.span, message, help));
            (None, vec![])
        }
    };
    if let Some(workflow) = &workflow {
        own.diagnostics.extend(names(&source, &file, workflow, ground));
    }
    found.insert(0, own);
    let usable = !found.iter().any(Found::has_errors);
    let ready = workflow.filter(|_| usable).map(|workflow| Ready { file, workflow });
    Ok(TestSource { source, ready, found })
}

/// A finding of ours in a test file.
pub(crate) fn finding(source: &Source, span: Span, message: String, help: &str) -> Diagnostic {
    let place = source.place(span.start);
    Diagnostic {
        code: codes::SHAPE,
        severity: codes::SHAPE.severity,
        message,
        file: source.name().to_owned(),
        line: place.line,
        column: place.column,
        help: help.to_owned(),
        span,
    }
}

fn names(
    source: &Source,
    file: &TestFile,
    workflow: &Workflow,
    ground: &Ground,
) -> Vec<Diagnostic> {
    with_known(workflow, ground, |known| file.check_names(source, known))
}

/// What there is for a file that is about this workflow.
pub(crate) fn with_known<T>(
    workflow: &Workflow,
    ground: &Ground,
    check: impl FnOnce(&Known<'_>) -> T,
) -> T {
    let manifests = ground.adapters.manifests();
    let operations = manifests.values().flat_map(|manifest| manifest.operations());
    let operations = operations.map(|(name, operation)| {
        (name.clone(), operation.mock().errors().keys().cloned().collect())
    });
    let known = Known {
        plans: &workflow.plans(),
        operations: &operations.collect(),
        people: &ground.policy.principals.keys().map(ToString::to_string).collect(),
        providers: &manifests.keys().cloned().collect(),
    };
    check(&known)
}

/// The tested workflow and what is found in it; the message is about the path.
fn workflow(
    file: &TestFile,
    folder: &Path,
    ground: &Ground,
) -> Result<(Option<Workflow>, Vec<Found>), String> {
    let path = joined(folder, Path::new(&file.workflow.value));
    workflow_at(&path, &file.integrations, ground)
}

/// The workflow of this file and what is found in it; the message is about the path.
pub(crate) fn workflow_at(
    path: &Path,
    integrations: &BTreeMap<String, Spanned<String>>,
    ground: &Ground,
) -> Result<(Option<Workflow>, Vec<Found>), String> {
    let surroundings = surroundings(integrations, ground);
    let source = project::read(path).map_err(|error| error.to_string())?;
    let checked = check(&surroundings, &source, (path, &ground.project));
    let text = source.text().to_owned();
    let found = vec![Found { source, diagnostics: checked.diagnostics }];
    let Some(plan) = checked.plan else { return Ok((None, found)) };
    let others = if runs(&plan.tasks).is_empty() {
        vec![]
    } else {
        others(&plan, &surroundings, &ground.project).map_err(|error| error.to_string())?
    };
    Ok((Some(Workflow { tested: (plan, text), others }), found))
}

/// A test opens no socket: documents are files of the project.
fn check(
    surroundings: &Surroundings,
    source: &Source,
    (path, project): (&Path, &Project),
) -> Checked {
    let dir = documents::folder(project, path);
    let urls = Urls::Refused("a test fetches nothing");
    documents::check_with_files(surroundings, source, (&dir, urls))
}

/// The project's own data are not looked at: a test is the same everywhere.
fn surroundings(integrations: &BTreeMap<String, Spanned<String>>, ground: &Ground) -> Surroundings {
    let mut known = sandbox_integrations(&ground.adapters);
    known.extend(integrations.iter().map(|(name, of)| (name.clone(), of.value.clone())));
    Surroundings {
        adapters: std::sync::Arc::clone(&ground.adapters),
        integrations: Some(known),
        scopes: placet_language::Scopes::default(),
        silent: BTreeSet::default(),
        policy: ground.project.dir.is_some().then(|| ground.policy.clone()),
    }
}

/// The workflows of the project that a plan runs, and those that they run.
fn others(
    plan: &Plan,
    surroundings: &Surroundings,
    project: &Project,
) -> Result<Vec<(Plan, String)>> {
    let mut known = vec![];
    for path in project.workflows()? {
        let source = project::read(&path)?;
        let checked = check(surroundings, &source, (&path, project));
        known.extend(checked.plan.map(|plan| (plan, source.text().to_owned())));
    }
    let mut wanted: Vec<String> = families(plan);
    let (mut seen, mut others) = (BTreeSet::from([plan.family()]), vec![]);
    while let Some(family) = wanted.pop() {
        if !seen.insert(family.clone()) {
            continue;
        }
        for (plan, text) in known.iter().filter(|(plan, _)| plan.family() == family) {
            wanted.extend(families(plan));
            others.push((plan.clone(), text.clone()));
        }
    }
    Ok(others)
}

fn families(plan: &Plan) -> Vec<String> {
    let runs = runs(&plan.tasks);
    runs.into_iter().map(|run| format!("{}/{}", run.namespace, run.name)).collect()
}

fn runs(list: &TaskList) -> Vec<&RunWorkflow> {
    let mut found = vec![];
    for task in &list.0 {
        if let TaskKind::Run(run) = &task.kind {
            found.push(&**run);
        }
        found.extend(task.kind.lists().into_iter().flat_map(runs));
    }
    found
}

/// The path as people would write it: `..` taken back where it can be.
fn joined(folder: &Path, path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in folder.join(path).components() {
        let last = whole.components().next_back();
        match (part, last) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                let _was_there = whole.pop();
            }
            (part, _) => whole.push(part),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_from_the_test_file_is_shown_without_detours() {
        for (folder, path, whole) in [
            ("demo/tests", "../workflows/a.yaml", "demo/workflows/a.yaml"),
            ("tests", "../../other/a.yaml", "../other/a.yaml"),
            ("", "./a.yaml", "a.yaml"),
        ] {
            assert_eq!(joined(Path::new(folder), Path::new(path)), Path::new(whole));
        }
    }
}
