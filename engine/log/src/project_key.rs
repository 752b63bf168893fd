//! The project key: the file that wraps every data key, kept outside the data directory.
//!
//! Never written into the data, never printed, and refused when others can read it. One file per
//! log, named after its install id, so that several projects may share a key directory.

use crate::Error;
use crate::check::sha256;
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where the keys of a log live.
#[derive(Debug, Clone)]
pub enum KeyPlace {
    /// In this directory, which must not lie inside the data.
    Directory(PathBuf),
    /// In `$PLACET_KEY_DIR`, else `$XDG_STATE_HOME/placet/<install id>`, else
    /// `$HOME/.local/state/placet/<install id>`.
    Environment,
    /// Nowhere: this key, for tests and for logs in memory.
    Given(ProjectKey),
    /// Nowhere: the log is opened to be verified. Content stays sealed, and nothing is appended.
    Without,
}

/// The environment variable that names the key directory.
pub const KEY_DIR_VARIABLE: &str = "PLACET_KEY_DIR";

const HEADER: &str = "placet-project-key-v1 ";

/// The key that wraps the data keys of one log.
#[derive(Clone)]
pub struct ProjectKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProjectKey(…)")
    }
}

impl ProjectKey {
    /// A key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Tells one key from another without telling the key.
    pub(crate) fn fingerprint(&self) -> [u8; 8] {
        let hash = sha256(&[b"placet-project-key-fingerprint-v1", self.as_bytes()]);
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&hash[..8]);
        fingerprint
    }

    pub(crate) fn random() -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(key.as_mut()).map_err(|_unspecified| Error::Random)?;
        Ok(Self(key))
    }
}

impl KeyPlace {
    /// The key directory for the log with this install id; `None` when there is none to be
    /// found in a directory.
    ///
    /// # Errors
    /// [`Error::KeyDirUnknown`] when the environment names no place.
    pub fn directory(&self, install_id: &str) -> Result<Option<PathBuf>, Error> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        match self {
            Self::Directory(dir) => Ok(Some(dir.clone())),
            Self::Given(_) | Self::Without => Ok(None),
            Self::Environment => {
                if let Some(dir) = variable(KEY_DIR_VARIABLE) {
                    return Ok(Some(dir.into()));
                }
                let state = variable("XDG_STATE_HOME").map(PathBuf::from).or_else(|| {
                    variable("HOME").map(|home| Path::new(&home).join(".local").join("state"))
                });
                state
                    .map(|state| Some(state.join("placet").join(install_id)))
                    .ok_or(Error::KeyDirUnknown)
            }
        }
    }
}

/// Makes the key of a new log, durable before this returns.
pub(crate) fn create(
    place: &KeyPlace,
    install_id: &str,
    data: Option<&Path>,
) -> Result<ProjectKey, Error> {
    let Some(dir) = place.directory(install_id)? else { return given(place) };
    create_private_dir(&dir)?;
    refuse_inside(&dir, data)?;
    let key = ProjectKey::random()?;
    write_secret(&file_in(&dir, install_id), HEADER, key.as_bytes())?;
    Ok(key)
}

/// Writes 32 secret bytes into a new file that only its owner can read; durable before this returns.
pub(crate) fn write_secret(path: &Path, header: &str, secret: &[u8; 32]) -> Result<(), Error> {
    let io = |doing| move |source| Error::Io { doing, path: path.to_owned(), source };
    let hex = secret.iter().fold(Zeroizing::new(String::new()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    });
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(io("creating the key file"))?;
    file.write_all(header.as_bytes())
        .and_then(|()| file.write_all(hex.as_bytes()))
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(io("writing the key file"))?;
    sync_dir(path.parent())
}

/// Reads the key of an existing log.
pub(crate) fn load(
    place: &KeyPlace,
    install_id: &str,
    data: Option<&Path>,
) -> Result<(ProjectKey, PathBuf), Error> {
    let Some(dir) = place.directory(install_id)? else {
        return Ok((given(place)?, PathBuf::from("(given key)")));
    };
    let path = file_in(&dir, install_id);
    let secret = read_secret(&path, HEADER, data)?;
    Ok((ProjectKey(secret), path))
}

/// Reads what [`write_secret`] wrote; refuses a file that others can read, or that lies in the data.
pub(crate) fn read_secret(
    path: &Path,
    header: &str,
    data: Option<&Path>,
) -> Result<Zeroizing<[u8; 32]>, Error> {
    let at = || path.to_owned();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::KeyFileMissing { path: at() });
        }
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(Error::KeyFileMalformed { path: at() });
        }
        Err(source) => {
            return Err(Error::Io { doing: "reading the key file", path: at(), source });
        }
    };
    let dir = path.parent().unwrap_or(path);
    refuse_inside(dir, data)?;
    refuse_exposed(path)?;
    let secret = text.strip_prefix(header).and_then(|rest| parse_hex(rest.trim_end()));
    secret.ok_or_else(|| Error::KeyFileMalformed { path: at() })
}

fn given(place: &KeyPlace) -> Result<ProjectKey, Error> {
    match place {
        KeyPlace::Given(key) => Ok(key.clone()),
        KeyPlace::Directory(_) | KeyPlace::Environment | KeyPlace::Without => {
            Err(Error::KeyDirUnknown)
        }
    }
}

fn file_in(dir: &Path, install_id: &str) -> PathBuf {
    dir.join(format!("{install_id}.key"))
}

fn parse_hex(hex: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (slot, at) in key.iter_mut().zip((0..64).step_by(2)) {
        *slot = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
    }
    Some(key)
}

/// Makes a directory (and its parents) that only its owner can enter.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let doing = "creating the directory";
    builder.create(dir).map_err(|source| Error::Io { doing, path: dir.to_owned(), source })
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: Option<&Path>) -> Result<(), Error> {
    let Some(dir) = dir.filter(|dir| !dir.as_os_str().is_empty()) else { return Ok(()) };
    let doing = "syncing the directory";
    std::fs::File::open(dir).and_then(|file| file.sync_all()).map_err(|source| Error::Io {
        doing,
        path: dir.to_owned(),
        source,
    })
}

pub(crate) fn refuse_inside(dir: &Path, data: Option<&Path>) -> Result<(), Error> {
    let Some(data) = data else { return Ok(()) };
    let doing = "resolving the directory";
    let real = |path: &Path| {
        path.canonicalize().map_err(|source| Error::Io { doing, path: path.to_owned(), source })
    };
    if real(dir)?.starts_with(real(data)?) {
        return Err(Error::KeyDirInsideData { path: dir.to_owned() });
    }
    Ok(())
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let doing = "reading the mode of the key file";
    let mode = std::fs::metadata(path)
        .map_err(|source| Error::Io { doing, path: path.to_owned(), source })?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::KeyFileExposed { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_path: &Path) -> Result<(), Error> {
    Ok(())
}
