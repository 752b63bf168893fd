//! The key file: `placet-vault-key-v1 `, 64 hexadecimal digits, a line end; mode 0600.
//!
//! It is written once and never overwritten: whoever finds one uses it. One that others can read
//! is refused, because it may be known already.

use crate::Error;
use crate::file::sync_dir;
use crate::kek::{KEK_LEN, Kek};
use secrecy::{ExposeSecretMut as _, SecretBox};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;
use zeroize::Zeroizing;

const HEADER: &str = "placet-vault-key-v1 ";
/// More than a key file has, so that a longer file is seen to be none.
const READ_BYTES_MAX: u64 = 256;

/// The key in this file; `None` where there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<Kek>, Error> {
    let io = |doing| move |source| Error::Io { doing, path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io("opening the vault key"))?,
    };
    refuse_exposed(path, &file)?;
    // as large as what is read, so that no smaller copy is left behind by growing
    let mut bytes = Zeroizing::new(Vec::with_capacity(512));
    file.take(READ_BYTES_MAX).read_to_end(&mut bytes).map_err(io("reading the vault key"))?;
    let digits = bytes.strip_prefix(HEADER.as_bytes()).map(<[u8]>::trim_ascii_end);
    let key = digits.and_then(parse_hex);
    key.map(|key| Some(Kek::new(key)))
        .ok_or_else(|| Error::KeyFileMalformed { path: path.to_owned() })
}

/// Writes a new key file, durable before this returns. An existing file is an error.
pub(crate) fn create(path: &Path, kek: &Kek) -> Result<(), Error> {
    let io = |doing| move |source| Error::Io { doing, path: path.to_owned(), source };
    let mut text = Zeroizing::new(String::with_capacity(HEADER.len() + 2 * KEK_LEN + 1));
    text.push_str(HEADER);
    for byte in kek.expose() {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text.push('\n');
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(io("creating the vault key"))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if let Err(source) = written {
        // half a key would be taken for a damaged one the next time; nothing is sealed by it yet
        drop(std::fs::remove_file(path));
        return Err(io("writing the vault key")(source));
    }
    sync_dir(path.parent())
}

fn parse_hex(digits: &[u8]) -> Option<SecretBox<[u8; KEK_LEN]>> {
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
