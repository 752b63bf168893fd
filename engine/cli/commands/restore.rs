//! `placet restore`: a backup put back, or a copy taken as what it is, in a new epoch.
//!
//! Nothing is written over, and nothing starts before the new epoch is whole. What was open is asked
//! again, what was under way is in doubt, and nothing is sent by itself.

use crate::compose;
use crate::exit::{Exit, invalid};
use crate::out;
use crate::project::Project;
use anyhow::{Context, Result};
use placet_executor::Clock;
use placet_executor::epoch::{self, Beginning, Report};
use placet_log::{
    KeyPlace, Log, Manifest, OpenOptions, Restoring, Storage, known_epoch, lost_to, marker,
    verify_backup,
};
use placet_projections::{Projections, compare};
use serde_json::json;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// The backup that `placet backup` wrote
    #[arg(required_unless_present = "copy", conflicts_with = "copy")]
    backup: Option<PathBuf>,
    /// Where the data go: absent or empty; the project's own place without it
    #[arg(long, alias = "into", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Go on from data that were copied or put back by hand, as they lie
    #[arg(long)]
    copy: bool,
    /// Go on although events are known that these data do not have: they are given up
    #[arg(long)]
    accept_rollback: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[arg(long)]
    json: bool,
}

/// What is to be restored, looked at and found whole.
struct Source {
    project: String,
    size: u64,
    root: String,
    lost_to: Option<u64>,
    /// Of a backup.
    manifest: Option<Manifest>,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    let data = match &args.data {
        Some(data) => data.clone(),
        None => Project::of(Path::new("."))?.data(),
    };
    let keys = KeyPlace::Environment;
    let source = look(args, (&data, &keys))?;
    say(args, (&data, &source));
    if let Some(lost) = source.lost_to.filter(|_| !args.accept_rollback) {
        return Err(invalid(format!(
            "it ends at {} events, and {lost} are known to have been there: what was decided and sent since would be forgotten; find newer data, or give those up with --accept-rollback; nothing was changed",
            source.size
        )));
    }
    if !(args.yes || confirmed()?) {
        out::say("nothing was changed");
        return Ok(Exit::Negative);
    }
    let restoring = match (&args.backup, &source.manifest) {
        (Some(backup), Some(manifest)) => {
            Restoring::from_backup(backup, &data, (manifest, source.lost_to))?
        }
        _ => Restoring::in_place(&data, (source.size, source.lost_to))?,
    };
    let report = begin(restoring, &source, &keys)?;
    told(args, (&data, &report))?;
    Ok(Exit::Done)
}

/// Reads all of it through, and appends nothing.
fn look(args: &Args, (data, keys): (&Path, &KeyPlace)) -> Result<Source> {
    let cut_short = marker(data)?;
    let known = cut_short.and_then(|marker| marker.lost_to);
    if let Some(backup) = &args.backup {
        out::say("reading the backup through: every record, payload and digest");
        let (manifest, verified) = verify_backup(backup, keys.clone())?;
        let options = OpenOptions::with_storage(Storage::Frozen(backup.clone()), &manifest.project);
        let log = Log::open(options.keys(keys.clone()))?;
        let lost = lost_to(&log.read()?, keys, &manifest.install_id)?;
        return Ok(Source {
            project: manifest.project.clone(),
            size: verified.events,
            root: verified.root.to_string(),
            lost_to: lost.max(known),
            manifest: Some(manifest),
        });
    }
    let project = Project::of_data(data)?;
    let open = |name: &str| {
        let storage = Storage::Frozen(data.to_owned());
        Log::open(OpenOptions::with_storage(storage, name).keys(keys.clone()))
    };
    let opened = match open(&project.config.project) {
        Err(placet_log::Error::OtherProject { found, .. }) if project.dir.is_none() => open(&found),
        opened => opened,
    };
    let log = opened.with_context(|| data.display().to_string())?;
    let view = log.read()?;
    let verified = view.verify()?;
    Ok(Source {
        project: log.project().to_owned(),
        size: verified.events,
        root: verified.root.to_string(),
        lost_to: lost_to(&view, keys, &log.install_id())?.max(known),
        manifest: None,
    })
}

/// What will be done, before it is.
fn say(args: &Args, (data, source): (&Path, &Source)) {
    let what = match &args.backup {
        Some(backup) => format!("{} goes into {}", backup.display(), data.display()),
        None => format!("{} goes on as it lies, as a copy", data.display()),
    };
    out::say(&format!(
        "{what}: {} events of {}, root {}",
        source.size, source.project, source.root
    ));
    if let Some(lost) = source.lost_to {
        out::say(&format!("events up to {lost} are known to have been there: they are given up"));
    }
    out::say(
        "a new epoch begins: what is open or approved is void and asked again; what was under way is in doubt;",
    );
    out::say("nothing is sent by itself; schedules do not start again what was due before now");
    out::say(
        "whatever was sent after the copy was made is not in it: whoever is asked again must look at the provider first",
    );
    out::say(
        "make sure that no other engine goes on with this project: one of the two would send what the other has sent",
    );
}

pub(super) fn confirmed() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(invalid("there is no terminal to ask on: add --yes; nothing was changed"));
    }
    out::say("go on? [y/N]");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("the answer cannot be read")?;
    Ok(matches!(line.trim(), "y" | "yes"))
}

fn begin(restoring: Restoring, source: &Source, keys: &KeyPlace) -> Result<Report> {
    let options = || restoring.options(&source.project, keys.clone()).projector(Projections::new());
    let log = Log::open(options())?;
    log.read()?.verify()?;
    let data = log.directory().map(Path::to_owned).unwrap_or_default();
    let clock =
        if compose::is_virtual(&data) { compose::virtual_clock(&log)? } else { Clock::System };
    // one that was cut short in these very data goes on
    let epochs = log.read()?.epochs()?;
    let beginning = if epochs.last().is_some_and(|epoch| epoch.size == restoring.size()) {
        Beginning::Resumed
    } else {
        let after = known_epoch(keys, &log.install_id())?;
        Beginning::Anew { lost_to: source.lost_to, after }
    };
    let report = epoch::begin(&log, clock.now(), beginning)?;
    compare(&log.read()?)?;
    drop(log);
    let options = options();
    restoring.finish(options, keys)?;
    Ok(report)
}

fn told(args: &Args, (data, report): (&Path, &Report)) -> Result<()> {
    let Report { epoch, voided, in_doubt, erased, reconnect } = report;
    if args.json {
        return out::json(&json!({
            "data": data.display().to_string(),
            "epoch": epoch,
            "voided": voided,
            "in_doubt": in_doubt,
            "erased_again": erased,
            "reconnect": reconnect,
        }));
    }
    out::data(&format!("{} is in epoch {epoch}", data.display()))?;
    out::say(&format!(
        "{voided} decisions are void and will be asked again when the engine starts"
    ));
    out::say(&format!("{in_doubt} attempts are in doubt: see placet inbox list"));
    if *erased > 0 {
        out::say(&format!("{erased} runs and events had been erased since: they are erased again"));
    }
    for name in reconnect {
        out::say(&format!(
            "connect {name} again: its refresh token may have been used up, so its sends are held"
        ));
    }
    Ok(())
}
