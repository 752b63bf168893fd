//! A project directory: what stands where in it (GATE.md §9), read as proposals. Nothing in here
//! binds anything.

use crate::exit::invalid;
use crate::findings::{self, Found};
use crate::people;
use anyhow::{Context, Result};
use placet_adapters::{Adapters, LoadError, ManifestFile};
use placet_language::{Diagnostic, Source, check_policy, check_project};
use placet_model::policy::Policy;
use placet_model::project::ProjectConfig;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The operator's file: a folder that has one is a project.
pub(crate) const CONFIG_FILE: &str = "placet.toml";
/// The policy as proposed.
pub(crate) const POLICY_FILE: &str = "policy.yaml";
/// Where a project's data lives unless `--data` says otherwise.
pub(crate) const DATA_DIR: &str = ".placet";

/// A project as its files propose it.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// Its folder; none for a file that belongs to no project.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) config: ProjectConfig,
}

impl Project {
    /// No folder, and what holds without one.
    pub(crate) fn none() -> Self {
        Self { dir: None, config: ProjectConfig::default() }
    }

    /// The project in this folder.
    pub(crate) fn at(dir: &Path) -> Result<Self> {
        let file = dir.join(CONFIG_FILE);
        if !file.exists() {
            return Ok(Self { dir: Some(dir.to_owned()), ..Self::none() });
        }
        let source = read(&file)?;
        let (config, diagnostics) = check_project(&source);
        findings::say(&Found { source, diagnostics });
        let config = config.ok_or_else(|| invalid(format!("{} cannot be used", file.display())))?;
        Ok(Self { dir: Some(dir.to_owned()), config })
    }

    /// The project that a file or folder belongs to: the nearest folder above with a `placet.toml`.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let path = fs::canonicalize(path)
            .map_err(|error| invalid(format!("{} cannot be read: {error}", path.display())))?;
        let root = path.ancestors().find(|dir| dir.join(CONFIG_FILE).is_file());
        root.map_or_else(|| Ok(Self::none()), Self::at)
    }

    /// The project that data belong to: their folder's, or none.
    pub(crate) fn of_data(data: &Path) -> Result<Self> {
        let parent = data.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = parent.unwrap_or_else(|| Path::new("."));
        if dir.join(CONFIG_FILE).is_file() { Self::at(dir) } else { Ok(Self::none()) }
    }

    /// The shipped manifests and the project's own.
    pub(crate) fn adapters(&self) -> Result<Arc<Adapters>> {
        let Some(dir) = &self.dir else { return Ok(Arc::new(Adapters::shipped())) };
        let mut files = vec![];
        for path in yaml_files(&dir.join("adapters"))? {
            let text = read(&path)?.text().to_owned();
            files.push(ManifestFile { path: shown(&path), text });
        }
        let schema = |path: &str| schema_text(dir, path);
        match Adapters::with_project(&files, &schema, &BTreeSet::new()) {
            Ok(adapters) => Ok(Arc::new(adapters)),
            Err(errors) => Err(invalid(lines_of(&errors))),
        }
    }

    /// `policy.yaml` as it stands, for a `dev` project: its people are those of `dev`, and whoever
    /// its groups name. Without a file, those of `dev` alone.
    pub(crate) fn policy(&self) -> Result<Proposal<Policy>> {
        let file = self.dir.as_ref().map(|dir| dir.join(POLICY_FILE)).filter(|file| file.exists());
        let Some(file) = file else {
            let policy = Policy { principals: people::of_dev(), ..Policy::default() };
            return Ok(Proposal { value: Some(policy), found: None });
        };
        let source = read(&file)?;
        let (policy, diagnostics) = dev_policy(&source);
        Ok(Proposal { value: policy, found: Some(Found { source, diagnostics }) })
    }

    /// Every workflow file, sorted.
    pub(crate) fn workflows(&self) -> Result<Vec<PathBuf>> {
        match &self.dir {
            Some(dir) => yaml_files(&dir.join("workflows")),
            None => Ok(vec![]),
        }
    }

    /// Where the data live by default.
    pub(crate) fn data(&self) -> PathBuf {
        let dir = self.dir.as_deref().unwrap_or_else(|| Path::new("."));
        dir.join(DATA_DIR)
    }
}

/// What a file proposes, and what was found in it.
#[derive(Debug)]
pub(crate) struct Proposal<T> {
    /// None when the file cannot be used.
    pub(crate) value: Option<T>,
    /// None when there is no file.
    pub(crate) found: Option<Found>,
}

impl<T> Proposal<T> {
    /// The value; what was found is said on stderr.
    pub(crate) fn usable(self, what: &str) -> Result<T> {
        if let Some(found) = &self.found {
            findings::say(found);
        }
        self.value.ok_or_else(|| invalid(format!("{what} cannot be used")))
    }
}

/// A policy with the people of `dev`: a group's members need not be listed as principals.
pub(crate) fn dev_policy(source: &Source) -> (Option<Policy>, Vec<Diagnostic>) {
    let (first, _) = check_policy(source, None);
    let groups = first.map(|policy| policy.groups).unwrap_or_default();
    check_policy(source, Some(&people::with_members(&groups)))
}

/// Reads a file that was named by a person.
pub(crate) fn read(path: &Path) -> Result<Source> {
    if path.is_dir() {
        return Err(invalid(format!("{} is a folder: name a file in it", path.display())));
    }
    let bytes = fs::read(path)
        .map_err(|error| invalid(format!("{} cannot be read: {error}", path.display())))?;
    Ok(Source::from_bytes(shown(path), &bytes))
}

/// A path as people write it: relative to where they are, if it is below.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().and_then(fs::canonicalize).unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// The YAML and JSON files right inside a folder, sorted; none when there is no folder.
pub(crate) fn yaml_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![];
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error).with_context(|| dir.display().to_string()),
    };
    for entry in entries {
        let path = entry.with_context(|| dir.display().to_string())?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A schema that a manifest of the project names: inside the project, or it is not there.
fn schema_text(dir: &Path, path: &str) -> Option<String> {
    let path = Path::new(path);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| fs::read_to_string(dir.join(path)).ok()).flatten()
}

fn lines_of(errors: &[LoadError]) -> String {
    let words = "the project's adapters cannot be used".to_owned();
    let lines = errors.iter().flat_map(|error| {
        error.problems.iter().map(|problem| match problem.line {
            // the file as a whole
            0 => format!("  {}: {}", error.file, problem.message),
            _ => format!("  {}:{problem}", error.file),
        })
    });
    std::iter::once(words).chain(lines).collect::<Vec<_>>().join("\n")
}
