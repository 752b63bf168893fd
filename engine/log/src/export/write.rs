//! Writing an export: entries come in order, the tree is built beside them, and the checkpoint is
//! written last, when it is known to fit. An export that was cut short has no checkpoint.

use super::layout::{self, HEIGHT, Kind, WIDTH};
use super::line::{Render, line};
use crate::checkpoint::Checkpoint;
use crate::envelope::{Commitment, Envelope};
use crate::note::{Note, VerifierKey};
use crate::payload::{self, OpenedPayload};
use crate::tree::{Frontier, leaf_hash};
use crate::{Error, ReadView, replace_file};
use placet_model::{Digest, Position};
use std::fmt;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What of the content goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// As it is stored: sealed.
    Sealed,
    /// In the clear too, with the salts.
    Plain,
}

/// One event on its way into an export.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The leaf.
    pub leaf: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
    /// The stored bytes of each payload; none for one that was erased.
    pub sealed: Vec<Option<Vec<u8>>>,
    /// The content of each payload, where it goes along.
    pub plain: Vec<Option<OpenedPayload>>,
}

/// What an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Events.
    pub events: u64,
    /// Payloads, sealed.
    pub payloads: u64,
    /// Payloads in the clear.
    pub plain: u64,
    /// Payloads that were erased.
    pub erased: u64,
}

/// An export that is being written.
pub struct Exporter<'r> {
    dir: PathBuf,
    render: Render<'r>,
    edge: Frontier,
    /// For each level of tiles the hashes of its last, unfinished tile.
    tiles: Vec<Vec<u8>>,
    bundle: Vec<u8>,
    lines: BufWriter<File>,
    done: Exported,
}

impl fmt::Debug for Exporter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl<'r> Exporter<'r> {
    /// Begins an export in a directory that is new or empty.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], [`Error::Io`].
    pub fn create(dir: &Path, render: Render<'r>) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(layout::io("creating", dir))?;
        let mut inside = fs::read_dir(dir).map_err(layout::io("reading", dir))?;
        if inside.next().is_some() {
            return Err(Error::NotEmpty { dir: dir.to_owned() });
        }
        let path = dir.join(layout::EVENTS);
        let lines = File::create(&path).map_err(layout::io("creating", &path))?;
        Ok(Self {
            dir: dir.to_owned(),
            render,
            edge: Frontier::default(),
            tiles: vec![],
            bundle: vec![],
            lines: BufWriter::new(lines),
            done: Exported::default(),
        })
    }

    /// Adds the next event.
    ///
    /// # Errors
    /// [`Error::Damaged`] for one that is not the next, or whose parts do not fit each other.
    pub fn add(&mut self, entry: &Entry) -> Result<(), Error> {
        let position = Position::new(self.edge.size() + 1);
        let damaged = |what: String| Error::Damaged { position, what };
        let envelope = Envelope::decode(&entry.leaf).map_err(|error| damaged(error.to_string()))?;
        if envelope.position != position {
            return Err(damaged(format!("position {} stands in its place", envelope.position)));
        }
        let (line, _) = line(&envelope, &entry.body, self.render)?;
        writeln!(self.lines, "{line}")
            .map_err(layout::io("writing", &self.dir.join(layout::EVENTS)))?;
        for (index, commitment) in envelope.payloads.iter().enumerate() {
            let sealed = entry.sealed.get(index).and_then(Option::as_deref);
            let plain = entry.plain.get(index).and_then(Option::as_ref);
            self.payload(commitment, sealed, plain).map_err(|error| error.at(position, index))?;
        }
        self.entry(&entry.leaf)?;
        self.done.events += 1;
        Ok(())
    }

    /// Writes what is left, and the checkpoint.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the checkpoint is not that of these entries, [`Error::Note`] when the
    /// key has not signed it.
    pub fn finish(mut self, note: &Note, key: &VerifierKey) -> Result<Exported, Error> {
        let size = self.edge.size();
        let checkpoint: Checkpoint = note.text().parse()?;
        note.verify(key)?;
        if (checkpoint.size, checkpoint.root) != (size, self.edge.root()) {
            let what =
                format!("the checkpoint of {} events is not that of the entries", checkpoint.size);
            return Err(Error::Damaged { position: Position::new(size), what });
        }
        if !self.bundle.is_empty() {
            let bundle = std::mem::take(&mut self.bundle);
            self.tile(Kind::Entries, size / WIDTH, size % WIDTH, &bundle)?;
        }
        for (level, hashes) in (0..).zip(std::mem::take(&mut self.tiles)) {
            let count = layout::count_at(size, level);
            if !hashes.is_empty() {
                self.tile(Kind::Hashes { level }, count / WIDTH, count % WIDTH, &hashes)?;
            }
        }
        let events = self.dir.join(layout::EVENTS);
        let lines = self.lines.into_inner();
        lines
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .map_err(layout::io("writing", &events))?;
        write(&self.dir.join(layout::KEY), format!("{key}\n").as_bytes())?;
        write(&self.dir.join("README.txt"), layout::readme(size, key).as_bytes())?;
        replace_file(&self.dir.join(layout::CHECKPOINT), note.to_string().as_bytes())?;
        Ok(self.done)
    }

    fn entry(&mut self, leaf: &[u8]) -> Result<(), Error> {
        let size = self.edge.size() + 1;
        let length = u16::try_from(leaf.len()).expect("a leaf is checked against LEAF_MAX");
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(leaf);
        if size.is_multiple_of(WIDTH) {
            let bundle = std::mem::take(&mut self.bundle);
            self.tile(Kind::Entries, size / WIDTH - 1, WIDTH, &bundle)?;
        }
        let completed = self.edge.push(leaf_hash(leaf));
        for (level, hash) in (0..).zip(completed.iter().step_by(usize::from(HEIGHT))) {
            let at = usize::from(level);
            if self.tiles.len() == at {
                self.tiles.push(vec![]);
            }
            self.tiles[at].extend_from_slice(hash.as_bytes());
            if self.tiles[at].len() == Digest::LEN * 256 {
                let hashes = std::mem::take(&mut self.tiles[at]);
                let number = layout::count_at(size, level) / WIDTH - 1;
                self.tile(Kind::Hashes { level }, number, WIDTH, &hashes)?;
            }
        }
        Ok(())
    }

    fn tile(&self, kind: Kind, number: u64, width: u64, bytes: &[u8]) -> Result<(), Error> {
        write(&self.dir.join(layout::tile(kind, number, width)), bytes)
    }

    fn payload(
        &mut self,
        commitment: &Commitment,
        sealed: Option<&[u8]>,
        plain: Option<&OpenedPayload>,
    ) -> Result<(), Failed> {
        let Some(sealed) = sealed else {
            self.done.erased += 1;
            return Ok(());
        };
        payload::check(sealed, commitment).map_err(Failed::Unfit)?;
        let name = commitment.ct_hash.hex();
        write(&self.dir.join(layout::SEALED).join(&name), sealed)?;
        self.done.payloads += 1;
        if let Some(plain) = plain {
            payload::check_plain(plain.payload.as_bytes(), &plain.salt, commitment)
                .map_err(Failed::Unfit)?;
            let dir = self.dir.join(layout::PLAIN);
            write(&dir.join(&name), plain.payload.as_bytes())?;
            let salt = Digest::from_bytes(plain.salt).hex();
            write(&dir.join(format!("{name}.salt")), format!("{salt}\n").as_bytes())?;
            self.done.plain += 1;
        }
        Ok(())
    }
}

/// Why a payload is not written.
enum Failed {
    Unfit(&'static str),
    Log(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Log(error)
    }
}

impl Failed {
    fn at(self, position: Position, index: usize) -> Error {
        match self {
            Self::Unfit(what) => {
                Error::Damaged { position, what: format!("payload {index}: {what}") }
            }
            Self::Log(error) => error,
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    match fs::write(path, bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let dir = path.parent().unwrap_or(path);
            fs::create_dir_all(dir).map_err(layout::io("creating", dir))?;
            fs::write(path, bytes).map_err(layout::io("writing", path))
        }
        written => written.map_err(layout::io("writing", path)),
    }
}

impl ReadView {
    /// The event at `position` with what an export holds of it.
    ///
    /// # Errors
    /// As [`ReadView::event`]; in the clear also as [`ReadView::payload_at`].
    pub fn entry(&self, position: Position, content: Content) -> Result<Entry, Error> {
        self.with_record(position, |record| {
            let mut entry = Entry {
                leaf: record.leaf.to_vec(),
                body: record.body.to_vec(),
                ..Entry::default()
            };
            for (_, index) in record.envelope.payloads.iter().zip(0..) {
                let sealed = self.sealed_payload_of(&record.envelope, index)?;
                let plain = match (&sealed, content) {
                    (Some(_), Content::Plain) => Some(self.open_payload(&record.envelope, index)?),
                    (None, _) | (_, Content::Sealed) => None,
                };
                entry.sealed.push(sealed);
                entry.plain.push(plain);
            }
            Ok(entry)
        })
    }

    /// Writes an export of everything up to the size of the checkpoint.
    ///
    /// # Errors
    /// As [`Exporter::add`] and [`Exporter::finish`].
    pub fn export(
        &self,
        dir: &Path,
        content: Content,
        render: Render<'_>,
        (note, key): (&Note, &VerifierKey),
    ) -> Result<Exported, Error> {
        let checkpoint: Checkpoint = note.text().parse()?;
        let mut exporter = Exporter::create(dir, render)?;
        for position in 1..=checkpoint.size {
            exporter.add(&self.entry(Position::new(position), content)?)?;
        }
        exporter.finish(note, key)
    }
}
