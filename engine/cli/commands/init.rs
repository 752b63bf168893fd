//! `placet init`: an example project that works at once.

use crate::exit::{Exit, invalid};
use crate::out;
use crate::project::{CONFIG_FILE, POLICY_FILE};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of the example.
const FILES: [(&str, &str); 5] = [
    (CONFIG_FILE, include_str!("../example/placet.toml")),
    (POLICY_FILE, include_str!("../example/policy.yaml")),
    ("workflows/slack-notify.yaml", include_str!("../example/workflows/slack-notify.yaml")),
    ("tests/slack-notify.test.yaml", include_str!("../example/tests/slack-notify.test.yaml")),
    (".gitignore", "# what happened, and keys to it: never in version control\n.placet/\n"),
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder; made when it is not there
    dir: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    if args.dir.is_file() {
        return Err(invalid(format!("{} is a file: name a folder", args.dir.display())));
    }
    if args.dir.join(CONFIG_FILE).exists() {
        return Err(invalid(format!("{} is a project already", args.dir.display())));
    }
    let clash = FILES.iter().map(|(path, _)| args.dir.join(path)).find(|path| path.exists());
    if let Some(path) = clash {
        return Err(invalid(format!("{} is in the way", path.display())));
    }
    write(&args.dir)?;
    for (path, _) in FILES {
        out::data(&args.dir.join(path).display().to_string())?;
    }
    let dir = args.dir.display();
    out::say(&format!(
        "\nnext:\n  placet check {dir}\n  placet test {dir}\n  placet run {dir}/workflows/slack-notify.yaml --approve auto \
         --input '{{\"channel\":\"C0SALES\",\"text\":\"Hello\"}}'\n  placet dev {dir}"
    ));
    Ok(Exit::Done)
}

/// Writes the example into a folder.
pub(crate) fn write(dir: &Path) -> Result<()> {
    for (path, text) in FILES {
        let file = dir.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}
