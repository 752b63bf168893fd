//! The key file: `placet-vault-key-v1 `, 64 hexadecimal digits, a line end; mode 0600.
//!
//! It is written once, whole or not at all, and never overwritten: whoever finds one uses it. One that
//! others can read is refused, because it may be known already. A key that a command has wrapped stands
//! in a file of its own, as the command gave it.

use crate::Error;
use crate::file::sync_dir;
use crate::kek::{KEK_LEN, Kek};
use placet_adapters::SecretText;
use secrecy::{ExposeSecretMut as _, SecretBox};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const HEADER: &str = "placet-vault-key-v1 ";
/// More than a key file has, so that a longer file is seen to be none.
const READ_BYTES_MAX: u64 = 256;
/// As much as a command may answer with.
const WRAPPED_BYTES_MAX: u64 = 16 * 1024;

/// The key in this file; `None` where there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<Kek>, Error> {
    let malformed = || Error::KeyFileMalformed { path: path.to_owned() };
    let Some(bytes) = read_private(path, READ_BYTES_MAX)? else { return Ok(None) };
    let digits = bytes.strip_prefix(HEADER.as_bytes()).map(<[u8]>::trim_ascii_end);
    digits.and_then(parse_hex).map(|key| Some(Kek::new(key))).ok_or_else(malformed)
}

/// The key in a text of the operator: what a key file holds, or the digits alone.
pub(crate) fn parse_text(text: &SecretText, place: &Path) -> Result<Kek, Error> {
    let text = text.expose().trim();
    let digits = text.strip_prefix(HEADER).unwrap_or(text);
    let key = parse_hex(digits.as_bytes()).map(Kek::new);
    key.ok_or_else(|| Error::KeyTextMalformed { place: place.to_owned() })
}

/// What a command has wrapped.
pub(crate) fn read_wrapped(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let bytes = read_private(path, WRAPPED_BYTES_MAX)?;
    bytes.ok_or_else(|| Error::KeyFileMalformed { path: path.to_owned() })
}

fn read_private(path: &Path, bytes_max: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let io = |doing| move |source| Error::Io { doing, path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io("opening the vault key"))?,
    };
    refuse_exposed(path, &file)?;
    // larger than what is read, so that no smaller copy is left behind by growing
    let room = usize::try_from(2 * bytes_max).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(bytes_max).read_to_end(&mut bytes).map_err(io("reading the vault key"))?;
    Ok(Some(bytes))
}

/// Writes a new key file, durable before this returns. An existing file is an error.
pub(crate) fn create(path: &Path, kek: &Kek) -> Result<(), Error> {
    let mut text = Zeroizing::new(String::with_capacity(HEADER.len() + 2 * KEK_LEN + 1));
    text.push_str(HEADER);
    text.push_str(&hex_line(kek));
    write_new(path, text.as_bytes())
}

/// Keeps what a command has wrapped, durable before this returns.
pub(crate) fn create_wrapped(path: &Path, wrapped: &[u8]) -> Result<(), Error> {
    write_new(path, wrapped)
}

/// The key in digits, with a line end.
pub(crate) fn hex_line(kek: &Kek) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * KEK_LEN + 1));
    for byte in kek.expose() {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text.push('\n');
    text
}

/// Under another name first, which a process that is killed meanwhile leaves behind: a file under the
/// right name is whole.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let io = |doing| move |source| Error::Io { doing, path: path.to_owned(), source };
    let unfinished = PathBuf::from(format!("{}.new", path.display()));
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(io("creating the vault key")(error));
        }
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished).map_err(io("creating the vault key"))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io("writing the vault key"))?;
    // a link, because it is refused where there is such a file; where there are no links, a name
    match std::fs::hard_link(&unfinished, path) {
        Ok(()) => std::fs::remove_file(&unfinished),
        Err(error) if error.kind() == ErrorKind::AlreadyExists || path.exists() => Err(error),
        Err(_no_links) => std::fs::rename(&unfinished, path),
    }
    .map_err(io("creating the vault key"))?;
    sync_dir(path.parent())
}

pub(crate) fn parse_hex(digits: &[u8]) -> Option<SecretBox<[u8; KEK_LEN]>> {
    if digits.len() != 2 * KEK_LEN {
        return None;
    }
    let mut key = SecretBox::new(Box::new([0; KEK_LEN]));
    for (slot, pair) in key.expose_secret_mut().iter_mut().zip(digits.chunks_exact(2)) {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
        *slot = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(key)
}

/// Asks the opened file, not the path: the one that is read is the one that was looked at.
#[cfg(unix)]
fn refuse_exposed(path: &Path, file: &File) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let doing = "reading the mode of the vault key";
    let metadata =
        file.metadata().map_err(|source| Error::Io { doing, path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::KeyFileExposed { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_path: &Path, _file: &File) -> Result<(), Error> {
    Ok(())
}
