//! Examples of answers that the sandbox does not answer with, each at the file that it stands in.

use crate::exit::invalid;
use crate::findings::Found;
use crate::project::{self, ADAPTERS_DIR, Project};
use anyhow::Result;
use placet_adapters::{ANSWERS_DIR, Adapters};
use placet_language::{Diagnostic, Source, Span, codes};
use std::path::{Path, PathBuf};

/// Whether a file is a recorded answer of a project.
pub(super) fn is_answer(path: &Path) -> bool {
    let named = |path: Option<&Path>, name: &str| {
        path.and_then(Path::file_name).is_some_and(|found| found == name)
    };
    let folder = path.parent();
    named(folder, ANSWERS_DIR) && named(folder.and_then(Path::parent), ADAPTERS_DIR)
}

/// The examples of a project that break their schemas; with a path, those of that file.
pub(super) fn broken(project: &Project, only: Option<&Path>) -> Result<Vec<Found>> {
    let adapters = project.adapters()?;
    let mut files: Vec<PathBuf> = project.answers()?;
    files.extend(project.manifests()?);
    if let Some(only) = only {
        files.retain(|file| std::fs::canonicalize(only).is_ok_and(|only| same(&only, file)));
        if files.is_empty() {
            return Err(invalid(format!("{} is no file of a project", only.display())));
        }
    }
    let sources = files.iter().map(|file| project::read(file)).collect::<Result<Vec<_>>>()?;
    let found = sources.into_iter().map(|source| {
        let diagnostics = of_file(&adapters, &source);
        Found { source, diagnostics }
    });
    Ok(found.filter(|found| only.is_some() || !found.diagnostics.is_empty()).collect())
}

fn same(left: &Path, right: &Path) -> bool {
    std::fs::canonicalize(right).is_ok_and(|right| left == right)
}

fn of_file(adapters: &Adapters, source: &Source) -> Vec<Diagnostic> {
    let mut found = vec![];
    let operations = adapters.manifests().values();
    for operation in operations.flat_map(|manifest| manifest.operations().values()) {
        for one in operation.examples().broken() {
            // what a schema declares is told at the manifest that names the schema
            let key = operation.name().split_once('.').map_or("", |(_, rest)| rest);
            let is_here = if one.from.starts_with('#') {
                is_manifest_of(source, operation.provider())
            } else {
                one.from == source.name()
            };
            if !is_here {
                continue;
            }
            let start = source.text().find(key).unwrap_or(0);
            let span = Span { start, end: start + key.len() };
            let place = source.place(span.start);
            let (at, rule) = (&one.at, &one.rule);
            let what = if one.from.starts_with('#') { &*one.from } else { "this answer" };
            found.push(Diagnostic {
                code: codes::EXAMPLE,
                severity: codes::EXAMPLE.severity,
                message: format!(
                    "{what} breaks the response schema of {} at {at:?} ({rule})",
                    operation.name()
                ),
                file: source.name().to_owned(),
                line: place.line,
                column: place.column,
                help: "correct it or the schema; the sandbox does not answer so".to_owned(),
                span,
            });
        }
    }
    found
}

fn is_manifest_of(source: &Source, provider: &str) -> bool {
    let file = Path::new(source.name()).file_stem().and_then(|name| name.to_str());
    file == Some(provider)
}
