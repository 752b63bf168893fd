//! `placet adapters import`: an API's description → files of the project, for a person to read over.
//! A URL is fetched under the egress rules of the project; nothing else leaves.

use crate::compose;
use crate::exit::{Exit, invalid};
use crate::out;
use crate::project::{ADAPTERS_DIR, Project};
use anyhow::{Context as _, Result};
use placet_adapters::openapi::{self, IMPORT_BYTES_MAX, Imported, Wanted};
use placet_adapters::{Adapters, ManifestFile, shipped_schema};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a document that came from a file is relative to: nowhere that exists.
const NOWHERE: &str = "https://placet.invalid/description";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The description: a file, or an https URL
    #[arg(value_name = "FILE|URL")]
    from: String,
    /// Only these, by operationId or by the name that they get
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    operations: Vec<String>,
    /// The name of the provider; the description's title if not said
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// The project to write into
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
    /// The report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<Exit> {
    let project = Project::of(&args.out)?;
    let is_url = args.from.starts_with("https://") || args.from.starts_with("http://");
    let text = if is_url { fetched(&project, &args.from).await? } else { read(&args.from)? };
    let wanted = Wanted {
        url: if is_url { &args.from } else { NOWHERE },
        provider: args.provider.as_deref(),
        operations: &args.operations,
    };
    let imported = openapi::import(&text, wanted)
        .map_err(|error| invalid(format!("{}: {error}", args.from)))?;
    check(&imported)?;
    let folder = project.dir.as_deref().unwrap_or(&args.out);
    write(folder, &imported, args.force)?;
    say(&imported, args.json)?;
    Ok(Exit::Done)
}

fn read(file: &str) -> Result<String> {
    let unreadable = |error: std::io::Error| invalid(format!("{file} cannot be read: {error}"));
    let size = fs::metadata(file).map_err(unreadable)?.len();
    if usize::try_from(size).is_ok_and(|size| size > IMPORT_BYTES_MAX) {
        return Err(invalid(format!("{file} has {size} bytes, the most is {IMPORT_BYTES_MAX}")));
    }
    fs::read_to_string(file).map_err(unreadable)
}

async fn fetched(project: &Project, url: &str) -> Result<String> {
    let egress = compose::outward(&project.config)?;
    let text = egress.document_up_to(url, None, IMPORT_BYTES_MAX).await;
    text.map_err(|error| invalid(error.to_string()))
}

/// The files load beside the shipped ones, before any of them is written.
fn check(imported: &Imported) -> Result<()> {
    let (path, text) = imported.manifest.clone();
    let schema = |path: &str| shipped_schema(path).or_else(|| imported.schemas.get(path).cloned());
    let loaded = Adapters::with_project(&[ManifestFile { path, text }], &schema, &BTreeSet::new());
    loaded.map(drop).map_err(|errors| {
        let words = errors[0].problems[0].message.clone();
        invalid(format!("{words}: name another with --provider"))
    })
}

fn write(folder: &Path, imported: &Imported, force: bool) -> Result<()> {
    let (manifest, text) = &imported.manifest;
    let schemas = imported.schemas.iter().map(|(path, text)| (path.as_str(), text));
    let all: Vec<(&str, &String)> =
        std::iter::once((manifest.as_str(), text)).chain(schemas).collect();
    let there = all.iter().map(|(path, _)| folder.join(path)).find(|path| path.exists());
    if let Some(there) = there.filter(|_| !force) {
        return Err(invalid(format!(
            "{} is there already: --force writes over it",
            there.display()
        )));
    }
    debug_assert!(manifest.starts_with(ADAPTERS_DIR), "where a project's manifests stand");
    for (path, text) in all.iter().rev() {
        let file = folder.join(path);
        let parent = file.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn say(imported: &Imported, as_json: bool) -> Result<()> {
    let report = &imported.report;
    if as_json {
        let mut files = vec![&imported.manifest.0];
        files.extend(imported.schemas.keys());
        let mut whole = serde_json::to_value(report)?;
        whole["provider"] = json!(imported.provider);
        whole["files"] = json!(files);
        return out::json(&whole);
    }
    let words = format!(
        "{}: {} operations, {} left out, {} schemas",
        imported.manifest.0,
        report.operations.len(),
        report.left_out.len(),
        imported.schemas.len()
    );
    out::data(&words)?;
    for done in &report.operations {
        out::data(&format!("  {} {} {} ({})", done.name, done.method, done.path, done.effect))?;
        done.notes.iter().try_for_each(|note| out::data(&format!("    note: {note}")))?;
    }
    for left in &report.left_out {
        out::data(&format!("  left out: {} (#{}): {}", left.name, left.at, left.reason))?;
    }
    report.assumptions.iter().try_for_each(|one| out::data(&format!("assumed: {one}")))
}
