//! Small files that are there whole, or as they were before: written beside, synced, then renamed.

use crate::Error;
use crate::project_key::sync_dir;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// Puts a file that others may read in the place of another, all or nothing; durable before this
/// returns.
///
/// # Errors
/// [`Error::Io`].
pub fn replace_file(path: &Path, content: &[u8]) -> Result<(), Error> {
    replace(path, content, &mut OpenOptions::new())
}

/// As [`replace_file`], for a file that only its owner can read.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    replace(path, content, &mut options)
}

fn replace(path: &Path, content: &[u8], options: &mut OpenOptions) -> Result<(), Error> {
    let unfinished = path.with_extension("new");
    let io = |source| Error::Io { doing: "writing", path: path.to_owned(), source };
    let opened = options.write(true).create(true).truncate(true).open(&unfinished);
    let mut file = opened.map_err(io)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&unfinished, path).map_err(io)?;
    sync_dir(path.parent())
}
