//! A project directory: what stands where in it (GATE.md §9), read as proposals. Nothing in here
//! binds anything.

use crate::compose::{self, Place};
use crate::config;
use crate::exit::invalid;
use crate::findings::{self, Found};
use crate::people;
use anyhow::{Context, Result};
use placet_adapters::{
    ANSWERS_DIR, Adapters, LoadContext, LoadError, Manifest, ManifestFile, Origin, shipped_schema,
};
use placet_executor::deploy::{InForce, Proposed};
use placet_language::{Diagnostic, Source, check_policy};
use placet_model::Digest;
use placet_model::policy::Policy;
use placet_model::project::ProjectConfig;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The operator's file: a folder that has one is a project.
pub(crate) const CONFIG_FILE: &str = "placet.toml";
/// The policy as proposed.
pub(crate) const POLICY_FILE: &str = "policy.yaml";
/// Where a project's own manifests stand.
pub(crate) const ADAPTERS_DIR: &str = "adapters";
/// Where a project's data lives unless `--data` says otherwise.
pub(crate) const DATA_DIR: &str = ".placet";

/// A project as its files propose it.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// Its folder; none for a file that belongs to no project.
    pub(crate) dir: Option<PathBuf>,
    /// The operator's decisions: the file's, with the environment over it.
    pub(crate) config: ProjectConfig,
    /// Which variable takes the place of what, a line each.
    pub(crate) overrides: Vec<String>,
}

impl Project {
    /// No folder, and what holds without one.
    fn none() -> Result<Self> {
        Self::with(None, Source::new(CONFIG_FILE, ""))
    }

    /// The project in this folder.
    pub(crate) fn at(dir: &Path) -> Result<Self> {
        let file = dir.join(CONFIG_FILE);
        let source = if file.exists() { read(&file)? } else { Source::new(shown(&file), "") };
        Self::with(Some(dir.to_owned()), source)
    }

    /// The project whose operator has written this file: its folder's.
    pub(crate) fn from_file(file: &Path) -> Result<Self> {
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
        Self::with(Some(dir.unwrap_or_else(|| Path::new(".")).to_owned()), read(file)?)
    }

    fn with(dir: Option<PathBuf>, source: Source) -> Result<Self> {
        let name = source.name().to_owned();
        let config::Config { value, found, overrides } = config::read(source);
        found.iter().for_each(findings::say);
        let config = value.ok_or_else(|| invalid(format!("{name} cannot be used")))?;
        Ok(Self { dir, config, overrides })
    }

    /// The project that a file or folder belongs to: the nearest folder above with a `placet.toml`.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let path = fs::canonicalize(path)
            .map_err(|error| invalid(format!("{} cannot be read: {error}", path.display())))?;
        let root = path.ancestors().find(|dir| dir.join(CONFIG_FILE).is_file());
        root.map_or_else(Self::none, Self::at)
    }

    /// The project that data belong to: their folder's, or none.
    pub(crate) fn of_data(data: &Path) -> Result<Self> {
        let parent = data.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = parent.unwrap_or_else(|| Path::new("."));
        if dir.join(CONFIG_FILE).is_file() { Self::at(dir) } else { Self::none() }
    }

    /// The shipped manifests and the project's own.
    pub(crate) fn adapters(&self) -> Result<Arc<Adapters>> {
        self.adapters_of(&self.data())
    }

    /// As [`Project::adapters`], with the reads that an admin trusts in these data.
    pub(crate) fn adapters_of(&self, data: &Path) -> Result<Arc<Adapters>> {
        let Some(dir) = &self.dir else { return Ok(Arc::new(Adapters::shipped())) };
        let files = texts(self.manifests()?)?;
        let answers = texts(self.answers()?)?;
        let schema = |path: &str| schema_text(dir, path);
        let load = |trusted: &BTreeSet<String>| Adapters::with_project(&files, &schema, trusted);
        let adapters = load(&BTreeSet::new()).or_else(|errors| {
            let trusted = trusted(self, data);
            let names = trusted.keys().cloned().collect();
            let Ok(adapters) = load(&names) else { return Err(errors) };
            // what has changed since is trusted no more
            let still = trusted.iter().filter(|(name, digest)| {
                adapters.operation(name).is_some_and(|today| today.digest() == **digest)
            });
            load(&still.map(|(name, _)| name.clone()).collect())
        });
        let adapters = adapters.and_then(|adapters| adapters.with_answers(&answers));
        adapters.map(Arc::new).map_err(|errors| invalid(lines_of(&errors)))
    }

    /// Every recorded answer of the project's own, sorted.
    pub(crate) fn answers(&self) -> Result<Vec<PathBuf>> {
        match &self.dir {
            Some(dir) => yaml_files(&dir.join(ADAPTERS_DIR).join(ANSWERS_DIR)),
            None => Ok(vec![]),
        }
    }

    /// Every manifest of the project's own, sorted.
    pub(crate) fn manifests(&self) -> Result<Vec<PathBuf>> {
        match &self.dir {
            Some(dir) => yaml_files(&dir.join(ADAPTERS_DIR)),
            None => Ok(vec![]),
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

fn texts(paths: Vec<PathBuf>) -> Result<Vec<ManifestFile>> {
    let text = |path: PathBuf| {
        let text = read(&path)?.text().to_owned();
        Ok(ManifestFile { path: shown(&path), text })
    };
    paths.into_iter().map(text).collect()
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

/// Reads that an admin trusts, with the digests for which that holds; none where the data cannot be
/// opened just now.
fn trusted(project: &Project, data: &Path) -> BTreeMap<String, Digest> {
    let read = || {
        let log = compose::open_log(project, &Place::to_read(data)).ok()?;
        let in_force = InForce::read(&log.read().ok()?).ok()?;
        Some(in_force.trusted().map(|(name, digest)| (name.clone(), *digest)).collect())
    };
    if data.join("log.redb").exists() { read().unwrap_or_default() } else { BTreeMap::new() }
}

/// A manifest with the schemas of its project that it names.
pub(crate) fn proposed(file: &Path, trust: &BTreeSet<String>) -> Result<Proposed> {
    let source = read(file)?;
    let folder = file.parent().and_then(Path::parent);
    let folder = folder.filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let schemas = RefCell::new(BTreeMap::new());
    let schema = |path: &str| {
        shipped_schema(path).or_else(|| {
            let text = schema_text(folder, path)?;
            schemas.borrow_mut().insert(path.to_owned(), text.clone());
            Some(text)
        })
    };
    let registry = Adapters::shipped();
    let context = LoadContext {
        registry: registry.registry(),
        schema_files: &schema,
        origin: Origin::Project { trusted_reads: trust },
    };
    // only to learn what it names: the engine says what is wrong with it
    let manifest = Manifest::load(source.name(), source.text(), context).ok();
    let is_of = |name: &&String| {
        let provider = manifest.as_ref().map(Manifest::provider);
        name.split_once('.').map(|(of, _)| of) == provider
    };
    let trust = trust.iter().filter(is_of).cloned().collect();
    let (file, text) = (source.name().to_owned(), source.text().to_owned());
    Ok(Proposed { file, source: text, schemas: schemas.into_inner(), trust })
}

/// Whether a file is a manifest: it stands in the folder of manifests.
pub(crate) fn is_manifest(file: &Path) -> bool {
    let full = fs::canonicalize(file).unwrap_or_else(|_gone| file.to_owned());
    full.parent().and_then(Path::file_name).is_some_and(|name| name == ADAPTERS_DIR)
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
