//! The keys that are within reach: by their ids, wherever they come from.
//!
//! A key file is never changed: a rotation makes another one, whose name tells which key it holds. So
//! whatever a process was killed in, the key that a record names is where it was.

use crate::kek::{Kek, KekId};
use crate::kek_source::{KEK_FILE, KekSource, KeySupply};
use crate::key_command::KeyCommand;
use crate::{Error, file, key_file};
use ring::rand::SystemRandom;
use std::path::{Path, PathBuf};

/// The keys within reach.
#[derive(Debug)]
pub(crate) struct Keyring {
    source: KekSource,
    data: PathBuf,
}

impl Keyring {
    /// The keys of a source, none of which may lie in `data`.
    pub(crate) fn new(source: KekSource, data: &Path) -> Result<Self, Error> {
        let keyring = Self { source, data: data.to_owned() };
        if let Some(dir) = keyring.directory() {
            file::create_private_dir(dir)?;
            if file::canonical(dir)?.starts_with(file::canonical(data)?) {
                return Err(Error::KeyDirInsideData { path: dir.to_owned() });
            }
        }
        Ok(keyring)
    }

    fn directory(&self) -> Option<&Path> {
        match &self.source {
            KekSource::Directory(directory) | KekSource::Outside { directory, .. } => {
                Some(directory)
            }
            KekSource::Given(_) => None,
        }
    }

    /// Where keys come from, for people.
    pub(crate) fn place(&self) -> PathBuf {
        match &self.source {
            KekSource::Directory(dir) => dir.join(KEK_FILE),
            KekSource::Outside { supply: KeySupply::File { path, .. }, .. } => path.clone(),
            KekSource::Outside { supply: KeySupply::Text { .. }, .. } => "(environment)".into(),
            KekSource::Outside { supply: KeySupply::Command(command), .. } => {
                format!("(command {})", command.program()).into()
            }
            KekSource::Given(_) => "(given key)".into(),
        }
    }

    /// The key with this id; none where no place has it.
    pub(crate) fn find(&self, id: KekId) -> Result<Option<Kek>, Error> {
        if let Some(key) = self.supplied()?.into_iter().find(|key| key.id() == id) {
            return Ok(Some(key));
        }
        let Some(dir) = self.directory() else { return Ok(None) };
        for path in [dir.join(plain_name(id)), dir.join(KEK_FILE)] {
            if let Some(key) = key_file::read(&path)?.filter(|key| key.id() == id) {
                return Ok(Some(key));
            }
        }
        let wrapped = dir.join(wrapped_name(id));
        let Some(command) = self.command().filter(|_| wrapped.exists()) else { return Ok(None) };
        let key = command.unwrap(&key_file::read_wrapped(&wrapped)?)?;
        if key.id() == id {
            return Ok(Some(key));
        }
        Err(Error::KeyCommandWrong { command: command.program().to_owned(), path: wrapped })
    }

    /// What a vault without credentials is sealed by; made now where there is none, durable before
    /// this returns.
    pub(crate) fn first(&self, random: &SystemRandom) -> Result<Kek, Error> {
        if let Some(key) = self.supplied()?.into_iter().next() {
            return Ok(key);
        }
        match (self.directory(), self.command()) {
            (Some(dir), None) => {
                let path = dir.join(KEK_FILE);
                if let Some(key) = key_file::read(&path)? {
                    return Ok(key);
                }
                let key = Kek::random(random)?;
                key_file::create(&path, &key)?;
                Ok(key)
            }
            (Some(dir), Some(command)) => make_wrapped(dir, command, random),
            (None, _) => unreachable!("a key that is given is supplied"),
        }
    }

    /// What a rotation leads to from `current`: made now, or given by the operator.
    pub(crate) fn next(&self, current: KekId, random: &SystemRandom) -> Result<Kek, Error> {
        if let Some(key) = self.supplied()?.into_iter().next() {
            let place = self.place();
            return if key.id() == current { Err(Error::NoNewKey { place }) } else { Ok(key) };
        }
        match (self.directory(), self.command()) {
            (Some(dir), None) => {
                let key = Kek::random(random)?;
                key_file::create(&dir.join(plain_name(key.id())), &key)?;
                Ok(key)
            }
            (Some(dir), Some(command)) => make_wrapped(dir, command, random),
            (None, _) => unreachable!("a key that is given is supplied"),
        }
    }

    /// Why the key of a vault is not there.
    pub(crate) fn missing(&self, id: KekId, vault: &Path) -> Result<Error, Error> {
        let (path, vault) = (self.place(), vault.to_owned());
        let other = match &self.source {
            KekSource::Directory(_) => key_file::read(&path)?,
            KekSource::Outside { .. } | KekSource::Given(_) => self.supplied()?.into_iter().next(),
        };
        Ok(match other {
            Some(found) => Error::KeyFileWrong { path, vault, expected: id, found: found.id() },
            None => Error::KeyFileMissing { path, id: Some(id), vault },
        })
    }

    /// The keys that are given as they are: the one that seals, and the one of before.
    fn supplied(&self) -> Result<Vec<Kek>, Error> {
        match &self.source {
            KekSource::Given(key) => Ok(vec![key.duplicate()]),
            KekSource::Outside { supply: KeySupply::Text { key, old }, .. } => {
                let texts = std::iter::once(key).chain(old);
                texts.map(|text| key_file::parse_text(text, &self.place())).collect()
            }
            KekSource::Outside { supply: KeySupply::File { path, old }, .. } => {
                std::iter::once(path).chain(old).map(|path| self.outside(path)).collect()
            }
            KekSource::Outside { supply: KeySupply::Command(_), .. } | KekSource::Directory(_) => {
                Ok(vec![])
            }
        }
    }

    /// A key file that somebody else makes.
    fn outside(&self, path: &Path) -> Result<Kek, Error> {
        let missing =
            || Error::KeyFileMissing { path: path.to_owned(), id: None, vault: self.data.clone() };
        let key = key_file::read(path)?.ok_or_else(missing)?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = file::canonical(dir.unwrap_or_else(|| Path::new(".")))?;
        if dir.starts_with(file::canonical(&self.data)?) {
            return Err(Error::KeyDirInsideData { path: path.to_owned() });
        }
        Ok(key)
    }

    fn command(&self) -> Option<&KeyCommand> {
        match &self.source {
            KekSource::Outside { supply: KeySupply::Command(command), .. } => Some(command),
            KekSource::Outside { .. } | KekSource::Directory(_) | KekSource::Given(_) => None,
        }
    }
}

/// A new key that exists on disk only as the command has wrapped it. It is unwrapped once before it
/// seals anything: a command that cannot give it back is found out while nothing is lost.
fn make_wrapped(dir: &Path, command: &KeyCommand, random: &SystemRandom) -> Result<Kek, Error> {
    let key = Kek::random(random)?;
    let wrapped = command.wrap(&key)?;
    let path = dir.join(wrapped_name(key.id()));
    key_file::create_wrapped(&path, &wrapped)?;
    if command.unwrap(&wrapped)?.id() != key.id() {
        return Err(Error::KeyCommandWrong { command: command.program().to_owned(), path });
    }
    Ok(key)
}

fn plain_name(id: KekId) -> String {
    format!("vault-{id}.key")
}

fn wrapped_name(id: KekId) -> String {
    format!("vault-{id}.wrapped")
}
