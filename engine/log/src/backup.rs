//! A backup: one snapshot of the log, the keys that it needs, and a manifest that is written last.
//!
//! redb's files cannot be copied byte by byte while they are written, so the rows of one read
//! transaction are copied into fresh files; appends go on meanwhile. The projections are left out:
//! they follow from the log. Of the keys only those go along that seal something in the snapshot, and
//! none that was destroyed when the copy was made. The project key is never part of it.
//!
//! What it costs: while the snapshot is held, the log's file reuses no page, so it grows by what is
//! written meanwhile; the copy is made in one pass and the snapshot let go at once.

use crate::journal::Standing;
use crate::storage::{File, KEYS_FILE, LOG_FILE, copy_rows, guarded};
use crate::tables::{
    APART, DATA_KEYS, ERASING, EVENTS, KEY_COUNTER, META, PAYLOADS, STREAM_KEYS, STREAMS, SUBJECTS,
    SUBJECTS_OF, UNPLACED,
};
use crate::whole::write_private;
use crate::{Error, Head, Log, ReadView, meta, project_key};
use placet_model::{DataKeyId, Digest, Timestamp};
use redb::{Database, ReadTransaction, ReadableTable as _, TableHandle as _, WriteTransaction};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The manifest's name; without it a directory is no backup.
pub const MANIFEST_FILE: &str = "manifest.json";
const FORMAT: u32 = 1;
const COPYING: &str = "copying";
/// Tries to take keys and log between two erasures.
const TRIES: usize = 20;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Form of the backup.
    pub format: u32,
    /// Version of Placet that made it.
    pub placet: String,
    /// Whose log it is.
    pub project: String,
    /// The log's id: names its key files.
    pub install_id: String,
    /// Events in it.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
    /// Log time of the last of them.
    pub recorded_at: Timestamp,
    /// When it was made. A key that was destroyed before this moment is not in it; one that was
    /// destroyed later still is, for as long as the backup is kept.
    pub made_at: Timestamp,
    /// Its other files.
    pub files: Vec<FileEntry>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// A backup that is being made.
#[derive(Debug)]
pub struct Backup {
    dir: PathBuf,
    project: String,
    install_id: String,
    head: Head,
}

impl Log {
    /// Copies log and keys, as they are now, into a directory that is absent or empty. Appends go on
    /// meanwhile. `told` hears what is done next. Until [`Backup::finish`] it is no backup.
    ///
    /// # Errors
    /// [`Error::Backup`] where the directory holds anything, and what the files say.
    pub fn backup(&self, dir: &Path, told: &mut dyn FnMut(&str)) -> Result<Backup, Error> {
        refuse_taken(dir)?;
        project_key::create_private_dir(dir)?;
        let shared = self.shared();
        let mut tries = 0;
        loop {
            let view = self.read()?;
            let needed = needed_keys(&view)?;
            let keys = shared.keyring.snapshot()?;
            tries += 1;
            if tries < TRIES && keys.lacks(&needed)? {
                // an erasure is between its two steps: its keys are gone, its rows not yet
                self.maintain(|_tx| Ok(())).map_err(|_error| Error::Stopped)?;
                continue;
            }
            let head = *view.head();
            told(&format!("log.redb: {} events", head.size));
            copy_log(&view, &dir.join(LOG_FILE))?;
            drop(view);
            told(&format!("keys.redb: {} keys", needed.len()));
            copy_keys(keys.transaction(), &needed, &dir.join(KEYS_FILE))?;
            let install_id = meta::install_text(shared.install_id);
            let project = shared.project.clone();
            return Ok(Backup { dir: dir.to_owned(), project, install_id, head });
        }
    }
}

impl Backup {
    /// Where it lies: further files may be added before it is finished.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The head of the log in it.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Makes everything durable, then writes the manifest: from now on it is a backup.
    ///
    /// # Errors
    /// What the files say.
    pub fn finish(self, version: &str, made_at: Timestamp) -> Result<Manifest, Error> {
        let mut files = Vec::new();
        for name in names(&self.dir)? {
            let path = self.dir.join(&name);
            let io = |source| Error::Io { doing: "syncing", path: path.clone(), source };
            fs::File::open(&path).and_then(|file| file.sync_all()).map_err(io)?;
            files.push(entry(&self.dir, name)?);
        }
        let Self { dir, project, install_id, head } = self;
        let Head { size, root, recorded_at } = head;
        let manifest = Manifest {
            format: FORMAT,
            placet: version.to_owned(),
            project,
            install_id,
            size,
            root,
            recorded_at,
            made_at,
            files,
        };
        project_key::sync_dir(Some(&dir))?;
        project_key::sync_dir(dir.parent())?;
        let path = dir.join(MANIFEST_FILE);
        let text = serde_json::to_vec_pretty(&manifest);
        let io = |error: serde_json::Error| Error::Io {
            doing: "writing",
            path: path.clone(),
            source: error.into(),
        };
        write_private(&path, &text.map_err(io)?)?;
        Ok(manifest)
    }
}

impl FileEntry {
    /// Whether it can only be a file of the directory itself: whoever made the backup may have
    /// written anything.
    fn is_inside(&self) -> bool {
        !self.name.contains(['/', '\\']) && !self.name.starts_with('.') && !self.name.is_empty()
    }
}

impl Manifest {
    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// [`Error::Backup`] where there is none, it is of another form, or it names what lies elsewhere.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let backup = |what: String| Error::Backup { dir: dir.to_owned(), what };
        let text = match fs::read(dir.join(MANIFEST_FILE)) {
            Ok(text) => text,
            Err(error) => {
                let what = format!(
                    "{MANIFEST_FILE} cannot be read ({error}): this is no backup, or one that was cut short; take another one"
                );
                return Err(backup(what));
            }
        };
        let format = serde_json::from_slice::<serde_json::Value>(&text).ok();
        match format.as_ref().and_then(|value| value["format"].as_u64()) {
            Some(format) if format > u64::from(FORMAT) => Err(backup(format!(
                "it has format {format}, this version reads {FORMAT}: use a newer Placet"
            ))),
            _ => {
                let read = serde_json::from_slice(&text);
                let manifest: Self = read
                    .map_err(|error| backup(format!("{MANIFEST_FILE} cannot be read ({error})")))?;
                if !manifest.files.iter().all(FileEntry::is_inside) {
                    return Err(backup(format!("{MANIFEST_FILE} names a file elsewhere")));
                }
                Ok(manifest)
            }
        }
    }

    /// Holds the files that the manifest names against it.
    ///
    /// # Errors
    /// [`Error::Backup`] naming the first that is missing or changed, or a part of every backup that
    /// the manifest does not name.
    pub fn check(&self, dir: &Path) -> Result<(), Error> {
        let backup = |what: String| Error::Backup { dir: dir.to_owned(), what };
        let take_another = "is not as it was written: take another backup";
        for file in &self.files {
            let found = match entry(dir, file.name.clone()) {
                Ok(found) => found,
                Err(Error::Io { source, .. }) => {
                    return Err(backup(format!("{} cannot be read ({source})", file.name)));
                }
                Err(error) => return Err(error),
            };
            if found.bytes != file.bytes {
                let (is, was) = (found.bytes, file.bytes);
                let what =
                    format!("{} has {is} bytes, {was} were written: it {take_another}", file.name);
                return Err(backup(what));
            }
            if found != *file {
                return Err(backup(format!("{} {take_another}", file.name)));
            }
        }
        let named = |name: &str| self.files.iter().any(|file| file.name == name);
        match [LOG_FILE, KEYS_FILE].into_iter().find(|name| !named(name)) {
            Some(name) => Err(backup(format!("{MANIFEST_FILE} does not name {name}"))),
            None => Ok(()),
        }
    }
}

fn refuse_taken(dir: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { doing: "looking into", path: dir.to_owned(), source };
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io(source)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::Backup {
                dir: dir.to_owned(),
                what: "the directory is not empty: a backup goes into a new one".to_owned(),
            }),
        },
    }
}

/// The names of the files in a backup that is being made.
fn names(dir: &Path) -> Result<BTreeSet<String>, Error> {
    let io = |source| Error::Io { doing: "looking into", path: dir.to_owned(), source };
    let mut names = BTreeSet::new();
    for found in fs::read_dir(dir).map_err(io)? {
        names.insert(found.map_err(io)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

fn entry(dir: &Path, name: String) -> Result<FileEntry, Error> {
    let path = dir.join(&name);
    let io = |source| Error::Io { doing: "reading", path: path.clone(), source };
    let mut file = fs::File::open(&path).map_err(io)?;
    let (mut context, mut bytes, mut buffer) = (Context::new(&SHA256), 0, vec![0; 1 << 16]);
    loop {
        let count = file.read(&mut buffer).map_err(io)?;
        if count == 0 {
            break;
        }
        context.update(&buffer[..count]);
        bytes += count as u64;
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Ok(FileEntry { name, bytes, digest: Digest::from_bytes(digest) })
}

/// Keys that seal something which was not erased.
fn needed_keys(view: &ReadView) -> Result<BTreeSet<DataKeyId>, Error> {
    view.guarded(|| {
        let table = view.transaction().open_table(STREAM_KEYS).map_err(view.err())?;
        let mut keys = BTreeSet::new();
        for row in table.iter().map_err(view.err())? {
            let (key, erased_until) = row.map_err(view.err())?;
            if erased_until.value() == 0 {
                keys.insert(DataKeyId(key.value().1));
            }
        }
        match view.transaction().open_table(APART) {
            Ok(apart) => {
                for row in apart.iter().map_err(view.err())? {
                    let (key, erased) = row.map_err(view.err())?.1.value();
                    keys.extend((erased == 0).then_some(DataKeyId(key)));
                }
            }
            Err(redb::TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(view.err()(error)),
        }
        Ok(keys)
    })
}

/// The tables of the log; those of projections follow from them.
const COPIED: [&str; 10] = [
    "meta",
    "events",
    "streams",
    "unplaced",
    "payloads",
    "stream_keys",
    "apart",
    "erasing",
    "subjects",
    "subjects_of",
];
/// Tables of a compaction that is under way: nothing that is not in the others.
const SCRATCH: [&str; 2] = ["payloads.new", "filler"];

fn copy_log(view: &ReadView, path: &Path) -> Result<(), Error> {
    let from = view.transaction();
    into_fresh(path, |to, file| {
        // a table that is not copied here would be lost without a word
        for table in from.list_tables().map_err(file.err(COPYING))? {
            let name = table.name();
            let known = COPIED.contains(&name) || SCRATCH.contains(&name);
            let known = known || name.starts_with("proj_");
            if !known {
                let what = format!(
                    "the table {} is not part of backups: use a newer Placet",
                    table.name()
                );
                return Err(Error::Backup { dir: path.to_owned(), what });
            }
        }
        copy_rows((from, to), META, (COPYING, file))?;
        // all of it is in the copy
        Standing::forget(to, file)?;
        copy_rows((from, to), EVENTS, (COPYING, file))?;
        copy_rows((from, to), STREAMS, (COPYING, file))?;
        copy_rows((from, to), UNPLACED, (COPYING, file))?;
        copy_rows((from, to), PAYLOADS, (COPYING, file))?;
        copy_rows((from, to), STREAM_KEYS, (COPYING, file))?;
        copy_rows((from, to), APART, (COPYING, file))?;
        copy_rows((from, to), ERASING, (COPYING, file))?;
        copy_rows((from, to), SUBJECTS, (COPYING, file))?;
        copy_rows((from, to), SUBJECTS_OF, (COPYING, file))
    })
}

fn copy_keys(
    from: &ReadTransaction,
    needed: &BTreeSet<DataKeyId>,
    path: &Path,
) -> Result<(), Error> {
    into_fresh(path, |to, file| {
        match from.open_table(KEY_COUNTER) {
            Ok(_) => copy_rows((from, to), KEY_COUNTER, (COPYING, file))?,
            // no key was ever made
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(file.err(COPYING)(error)),
        }
        let rows = from.open_table(DATA_KEYS).map_err(file.err(COPYING))?;
        let mut copied = to.open_table(DATA_KEYS).map_err(file.err(COPYING))?;
        for key in needed {
            if let Some(row) = rows.get(key.0).map_err(file.err(COPYING))? {
                copied.insert(key.0, row.value()).map_err(file.err(COPYING))?;
            }
        }
        Ok(())
    })
}

/// Makes a database and fills it in one durable transaction.
fn into_fresh(
    path: &Path,
    fill: impl FnOnce(&WriteTransaction, &File) -> Result<(), Error>,
) -> Result<(), Error> {
    let file = File::new(path);
    guarded(COPYING, &file, || {
        let db = Database::create(path).map_err(file.err(COPYING))?;
        let mut tx = db.begin_write().map_err(file.err(COPYING))?;
        tx.set_quick_repair(true);
        fill(&tx, &file)?;
        tx.commit().map_err(file.err(COPYING))
    })
}
