//! `placet backup`: a copy of a project, taken while it goes on.
//!
//! With an engine running it makes the copy, inside its own data directory; this command, on the same
//! host, verifies it and moves it to its place. Without one the copy is made here. Either way the
//! place holds a whole backup or none: the manifest comes last.

use crate::compose;
use crate::exit::{Exit, invalid};
use crate::link::{Found, Target};
use crate::out;
use crate::project::Project;
use anyhow::{Context, Result};
use placet_executor::backup;
use placet_log::{KeyPlace, Log, MANIFEST_FILE, Manifest, OpenOptions, verify_backup};
use serde_json::{Value, json};
use std::fs;
use std::path::{Component, Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where it goes: a directory that is absent or empty
    dir: PathBuf,
    /// Do not read it through once it is written
    #[arg(long)]
    no_verify: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let data = local_data(&args.target)?;
    refuse_inside(&args.dir, &data)?;
    if fs::read_dir(&args.dir).is_ok_and(|mut entries| entries.next().is_some()) {
        let words = "is not empty: a backup goes into a directory of its own";
        return Err(invalid(format!("{} {words}", args.dir.display())));
    }
    let keys = KeyPlace::Environment;
    let made = match args.target.find().await? {
        Found::Engine(link) => {
            out::say("the engine copies its project, and goes on meanwhile");
            let nothing = json!({});
            let made = link.post("/api/v1/backup", &nothing);
            let made = out::with_progress("copying", made).await?;
            let staged = data.join(staged(&made).context("the engine names no copy")?);
            let manifest = verified(&staged, (&keys, args.no_verify))?;
            settle(&staged, &args.dir)?;
            manifest
        }
        Found::Data(data, project) => {
            let log = open_bare(&data, &project)?;
            backup::make(&log, (&data, None), &args.dir, &mut |next| out::say(next))?;
            drop(log);
            verified(&args.dir, (&keys, args.no_verify))?
        }
    };
    report(&args, &keys, &made)?;
    Ok(Exit::Done)
}

/// Where the copy lies below the data; nothing that an engine says leads out of them.
fn staged(made: &Value) -> Option<&Path> {
    let path = Path::new(made["staged"].as_str()?);
    path.components().all(|part| matches!(part, Component::Normal(_))).then_some(path)
}

/// The data on this host: an engine elsewhere writes on its own.
fn local_data(target: &Target) -> Result<PathBuf> {
    if let Some(data) = &target.data {
        return Ok(data.clone());
    }
    if let Some(url) = &target.server {
        return Err(invalid(format!(
            "the engine at {url} lays its copy beside its data: run this on its host, with --data"
        )));
    }
    Ok(Project::of(Path::new("."))?.data())
}

/// A backup inside of the data would be lost with them.
fn refuse_inside(dir: &Path, data: &Path) -> Result<()> {
    let parent = dir.ancestors().find_map(|dir| {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        dir.canonicalize().ok()
    });
    let inside = match (parent, data.canonicalize()) {
        (Some(parent), Ok(data)) => parent.starts_with(data),
        _ => false,
    };
    if inside {
        let words = "lies inside the data: it would be lost with them";
        return Err(invalid(format!("{} {words}", dir.display())));
    }
    Ok(())
}

/// Without projections: they are not part of it.
fn open_bare(data: &Path, project: &Project) -> Result<Log> {
    let open = |name: &str| Log::open(OpenOptions::new(data, name));
    let opened = match open(&project.config.project) {
        Err(placet_log::Error::OtherProject { found, .. }) if project.dir.is_none() => open(&found),
        opened => opened,
    };
    Ok(opened?)
}

fn verified(dir: &Path, (keys, no_verify): (&KeyPlace, bool)) -> Result<Manifest> {
    if no_verify {
        return Ok(Manifest::read(dir)?);
    }
    out::say("reading it through: every record, payload and digest");
    Ok(verify_backup(dir, keys.clone())?.0)
}

/// Moves the copy to its place: at once on the same file system, else file by file, the manifest last.
fn settle(staged: &Path, dir: &Path) -> Result<()> {
    // an empty one makes way; one that cannot, such as a mount point, is copied into
    drop(fs::remove_dir(dir));
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    }
    if fs::rename(staged, dir).is_ok() {
        return Ok(());
    }
    compose::create_private_dir(dir)?;
    let manifest = Manifest::read(staged)?;
    let names = manifest.files.iter().map(|file| file.name.as_str()).chain([MANIFEST_FILE]);
    for name in names {
        let to = dir.join(name);
        let copied = fs::copy(staged.join(name), &to);
        copied
            .and_then(|_| fs::File::open(&to)?.sync_all())
            .with_context(|| to.display().to_string())?;
    }
    manifest.check(dir)?;
    fs::remove_dir_all(staged).with_context(|| staged.display().to_string())
}

fn report(args: &Args, keys: &KeyPlace, made: &Manifest) -> Result<()> {
    let key_dir = keys.directory(&made.install_id)?.unwrap_or_default();
    let (dir, key_dir) = (args.dir.display().to_string(), key_dir.display().to_string());
    if args.json {
        return out::json(&json!({
            "backup": dir,
            "project": made.project,
            "size": made.size,
            "root": made.root,
            "made_at": made.made_at,
            "verified": !args.no_verify,
            "keys": key_dir,
            "files": made.files.iter().map(|file| json!({"name": file.name, "bytes": file.bytes})).collect::<Vec<Value>>(),
        }));
    }
    out::data(&format!("{dir}: {} events of {}, root {}", made.size, made.project, made.root))?;
    out::say(&format!(
        "its keys are not in it: keep {key_dir} too, and apart from it; without them nothing in it can be opened"
    ));
    if !made.files.iter().any(|file| file.name == backup::VAULT_FILE) {
        out::say(
            "no vault is in it, for the data have none: integrations are to be connected anew after a restore",
        );
    }
    out::say(&format!(
        "content that is erased after {} can still be opened with it: keep it no longer than that may last",
        made.made_at
    ));
    Ok(())
}
