//! What a user keeps outside of any project: tokens of engines, and runs that still wait.

use crate::env;
use crate::exit::invalid;
use anyhow::{Context, Result};
use placet_model::Digest;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `$XDG_STATE_HOME/placet`, else `$HOME/.local/state/placet`.
pub(crate) fn dir() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = variable(env::STATE_HOME)
        .map(PathBuf::from)
        .or_else(|| variable(env::HOME).map(|home| Path::new(&home).join(".local").join("state")));
    let state = state.map(|state| state.join("placet"));
    state.ok_or_else(|| invalid("there is no place for state: set HOME or XDG_STATE_HOME"))
}

/// Makes a directory that only its owner can enter.
pub(crate) fn make_private(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).with_context(|| format!("{} cannot be made", dir.display()))
}

/// The file with the token of the engine at this URL.
pub(crate) fn token_file(url: &str) -> Result<PathBuf> {
    let name = Digest::of(url.trim_end_matches('/').as_bytes()).hex()[..32].to_owned();
    Ok(dir()?.join("tokens").join(name))
}

/// Keeps a token for the engine at this URL; only its owner can read it.
pub(crate) fn keep_token(url: &str, token: &str) -> Result<PathBuf> {
    let path = token_file(url)?;
    if let Some(parent) = path.parent() {
        make_private(parent)?;
    }
    // made anew, so that an old file with a wider mode does not keep it
    if path.exists() {
        fs::remove_file(&path).with_context(|| format!("{} is in the way", path.display()))?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file =
        options.open(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    writeln!(file, "{token}").with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

/// The token of the engine at this URL, if one is kept.
pub(crate) fn token(url: &str) -> Result<Option<String>> {
    match fs::read_to_string(token_file(url)?) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("the token file cannot be read"),
    }
}

/// Where runs live that were started without `--data`, each in a folder of its own.
pub(crate) fn runs() -> Result<PathBuf> {
    Ok(dir()?.join("runs"))
}
