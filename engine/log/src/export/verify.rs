//! Checking an export: the tree is built again from the entries, and everything is compared with
//! it: each tile of each level, each line, each payload, the checkpoint and an older one.
//!
//! Names the first bad position where it can be known: where the entry itself, its hash or its line
//! does not fit, that is the position; a hash further up tells the range that it covers.

use super::layout::{self, HEIGHT, Kind, WIDTH};
use super::line::{self, RENDERING, Render};
use crate::check::sha256;
use crate::checkpoint::{Attested, Checkpoint, Trust};
use crate::envelope::{Commitment, Envelope, LEAF_MAX};
use crate::note::{NOTE_MAX, Note};
use crate::payload::{self, PAYLOAD_MAX, SEALED_MORE};
use crate::tree::{Frontier, leaf_hash};
use crate::votes::Votes;
use placet_model::{Digest, Event, EventId, Position, RecordedEvent, StreamId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// A line is at most this long: its body, in base64 and as people read it, and what stands around.
const LINE_MAX: u64 = 16 * 1024 * 1024;
/// A bundle of entries is at most this long.
const BUNDLE_MAX: u64 = WIDTH * (2 + LEAF_MAX as u64);
/// A salt in hex and its line end.
const SALT_MAX: u64 = 65;

/// What the reader knows from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Whom the reader believes.
    pub trust: Trust,
    /// A checkpoint seen before: this one must continue it.
    pub older: Option<Checkpoint>,
}

/// What was found to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The checkpoint and who has signed it.
    pub attested: Attested,
    /// Events, all of them.
    pub events: u64,
    /// Sealed payloads that fit their leaf.
    pub payloads: u64,
    /// Payloads in the clear that fit their leaf.
    pub plain: u64,
    /// Payloads that are not there, each with an erasure in the log that says why.
    pub erased: u64,
    /// Signatures of votes, each verified again.
    pub signatures: u64,
}

/// The first thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Finding {
    /// The first position that it concerns; none when it concerns no event.
    pub position: Option<Position>,
    /// The last one, when it cannot be told which of several.
    pub last: Option<Position>,
    /// In which file, below the export.
    pub file: PathBuf,
    /// What does not hold.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.position, self.last) {
            (Some(first), Some(last)) if first != last => {
                write!(f, "in positions {first} to {last}, ")?;
            }
            (Some(position), _) => write!(f, "at position {position}, ")?,
            (None, _) => {}
        }
        write!(f, "{}: {}", self.file.display(), self.what)
    }
}

impl Finding {
    pub(crate) fn in_file(file: impl Into<PathBuf>, what: impl fmt::Display) -> Self {
        Self { position: None, last: None, file: file.into(), what: what.to_string() }
    }

    pub(crate) fn at(self, position: u64) -> Self {
        Self { position: Some(Position::new(position)), ..self }
    }

    fn over(self, first: u64, last: u64) -> Self {
        Self { last: Some(Position::new(last)), ..self.at(first) }
    }
}

/// Checks the export in `dir`; needs nothing but its files and what the reader asks.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify(dir: &Path, asked: &Asked, render: Render<'_>) -> Result<Report, Finding> {
    let attested = attested(dir, asked)?;
    let mut check = Check::open(dir, asked, render, &attested.checkpoint)?;
    check.entries()?;
    check.end(&attested.checkpoint)?;
    check.missing()?;
    check.strays(attested.checkpoint.size)?;
    let Check { payloads, plain, erased, votes, .. } = check;
    let signatures = votes.signatures();
    Ok(Report { events: attested.checkpoint.size, attested, payloads, plain, erased, signatures })
}

fn attested(dir: &Path, asked: &Asked) -> Result<Attested, Finding> {
    let name = layout::CHECKPOINT;
    let text = read(dir, Path::new(name), NOTE_MAX as u64)?;
    let text =
        String::from_utf8(text).map_err(|_malformed| Finding::in_file(name, "it is no text"))?;
    let no = |what: &dyn fmt::Display| Finding::in_file(name, what);
    let note: Note = text.parse().map_err(|error| no(&error))?;
    let attested = asked.trust.check(&note).map_err(|error| no(&error))?;
    let (found, Some(older)) = (&attested.checkpoint, &asked.older) else { return Ok(attested) };
    if found.origin != older.origin {
        let (found, older) = (&found.origin, &older.origin);
        return Err(no(&format!("it is one of {found}, the one given is of {older}")));
    }
    if found.size < older.size {
        let what = format!(
            "it ends at {} events, the one given at {}: its end was cut off, or it is an older copy",
            found.size, older.size
        );
        return Err(no(&what));
    }
    Ok(attested)
}

fn read(dir: &Path, file: &Path, max: u64) -> Result<Vec<u8>, Finding> {
    found(dir, file, max)?.ok_or_else(|| Finding::in_file(file, MISSING))
}

/// As [`read`]; none where there is no such file.
fn found(dir: &Path, file: &Path, max: u64) -> Result<Option<Vec<u8>>, Finding> {
    let no = |error: std::io::Error| Finding::in_file(file, error);
    let Some(opened) = open(dir, file)? else { return Ok(None) };
    let mut bytes = vec![];
    opened.take(max + 1).read_to_end(&mut bytes).map_err(no)?;
    if bytes.len() as u64 > max {
        return Err(Finding::in_file(file, format!("it is longer than {max} bytes")));
    }
    Ok(Some(bytes))
}

/// Whoever made the export may have put anything in the place of a file: a link to somewhere else,
/// a pipe that never ends.
fn open(dir: &Path, file: &Path) -> Result<Option<File>, Finding> {
    let path = dir.join(file);
    let no = |error: std::io::Error| Finding::in_file(file, error);
    match fs::symlink_metadata(&path) {
        Ok(there) if there.is_file() => File::open(&path).map(Some).map_err(no),
        Ok(_) => Err(Finding::in_file(file, "it is no plain file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(no(error)),
    }
}

const MISSING: &str = "it is missing";

/// The walk over the entries.
struct Check<'a> {
    dir: &'a Path,
    render: Render<'a>,
    older: Option<&'a Checkpoint>,
    size: u64,
    edge: Frontier,
    /// The tile of hashes at hand, for each level.
    tiles: Vec<(PathBuf, Vec<u8>)>,
    lines: BufReader<File>,
    line: Vec<u8>,
    project: Option<String>,
    recorded_at: Option<Timestamp>,
    names: BTreeSet<String>,
    /// Payloads that are not there, by position, and what may have taken them.
    absent: Vec<(u64, StreamId, EventId)>,
    erasures: BTreeMap<Taken, u64>,
    votes: Votes,
    payloads: u64,
    plain: u64,
    erased: u64,
}

/// What an erasure names.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Taken {
    Stream(StreamId),
    Event(EventId),
}

impl<'a> Check<'a> {
    fn open(
        dir: &'a Path,
        asked: &'a Asked,
        render: Render<'a>,
        checkpoint: &Checkpoint,
    ) -> Result<Self, Finding> {
        let lines = open(dir, Path::new(layout::EVENTS))?
            .ok_or_else(|| Finding::in_file(layout::EVENTS, MISSING))?;
        Ok(Self {
            dir,
            render,
            older: asked.older.as_ref(),
            size: checkpoint.size,
            edge: Frontier::default(),
            tiles: layout::levels(checkpoint.size).map(|_| Default::default()).collect(),
            lines: BufReader::new(lines),
            line: vec![],
            project: None,
            recorded_at: None,
            names: BTreeSet::new(),
            absent: vec![],
            erasures: BTreeMap::new(),
            votes: Votes::new(checkpoint.origin.clone()),
            payloads: 0,
            plain: 0,
            erased: 0,
        })
    }

    fn entries(&mut self) -> Result<(), Finding> {
        self.compare_older()?;
        for (number, width) in layout::tiles(self.size) {
            let file = layout::tile(Kind::Entries, number, width);
            let first = number * WIDTH + 1;
            let bundle = read(self.dir, &file, BUNDLE_MAX);
            let bundle = bundle.map_err(|finding| finding.at(first))?;
            let mut rest = &bundle[..];
            for position in first..first + width {
                let no = |what| Finding::in_file(&file, what).at(position);
                let entry = split(&mut rest).ok_or_else(|| no("the entry is cut off"))?;
                self.entry(position, entry, &file)?;
            }
            if !rest.is_empty() {
                let what = format!("{} bytes follow its last entry", rest.len());
                return Err(Finding::in_file(&file, what).at(first + width - 1));
            }
        }
        Ok(())
    }

    fn entry(&mut self, position: u64, leaf: &[u8], file: &Path) -> Result<(), Finding> {
        let no = |what: &dyn fmt::Display| Finding::in_file(file, what).at(position);
        let hash = leaf_hash(leaf);
        self.compare_hash(0, position - 1, &hash, position)?;
        let envelope = Envelope::decode(leaf).map_err(|error| no(&error))?;
        if envelope.position.get() != position {
            return Err(no(&format!("the entry of position {} is here", envelope.position)));
        }
        if self.project.as_deref().is_some_and(|project| project != envelope.project) {
            return Err(no(&format!("the entry is one of project {}", envelope.project)));
        }
        if self.recorded_at.is_some_and(|earlier| earlier > envelope.recorded_at) {
            return Err(no(&"its time is before that of the entry before it"));
        }
        self.recorded_at = Some(envelope.recorded_at);
        self.project.get_or_insert_with(|| envelope.project.to_owned());
        let event = self.line(&envelope)?;
        self.votes
            .event(&event.event, &envelope.payloads)
            .map_err(|what| Finding::in_file(layout::EVENTS, what).at(position))?;
        self.note_erasure(&event);
        for (index, commitment) in envelope.payloads.iter().enumerate() {
            self.payload(&event, index, commitment)?;
        }
        let completed = self.edge.push(hash);
        for (level, hash) in (0..).zip(completed.iter().step_by(usize::from(HEIGHT))).skip(1) {
            let index = layout::count_at(position, level) - 1;
            self.compare_hash(level, index, hash, position)?;
        }
        self.compare_older()
    }

    /// Compares a hash of the tree with the one in its tile. `last` is the last position below it.
    fn compare_hash(
        &mut self,
        level: u8,
        index: u64,
        hash: &Digest,
        last: u64,
    ) -> Result<(), Finding> {
        let first = last - (WIDTH.pow(u32::from(level)) - 1);
        let (number, place) = (index / WIDTH, index % WIDTH);
        let Some((file, tile)) = self.tiles.get_mut(usize::from(level)) else {
            return Ok(());
        };
        if place == 0 {
            let width = layout::width_of(layout::count_at(self.size, level), number);
            *file = layout::tile(Kind::Hashes { level }, number, width);
            let read = read(self.dir, file, WIDTH * Digest::LEN as u64);
            *tile = read.map_err(|finding| finding.over(first, last))?;
            if tile.len() as u64 != width * Digest::LEN as u64 {
                let what = format!("it has {} bytes, not {}", tile.len(), width * 32);
                return Err(Finding::in_file(&*file, what).over(first, last));
            }
        }
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if tile.as_chunks::<32>().0.get(place) == Some(hash.as_bytes()) {
            return Ok(());
        }
        let what = match level {
            0 => "the entry and its hash do not fit: one of them was changed",
            _ => "a hash does not follow from the entries below it: it or one of them was changed",
        };
        Err(Finding::in_file(&*file, what).over(first, last))
    }

    /// The next line must be what leaf and body make.
    fn line(&mut self, envelope: &Envelope<'_>) -> Result<RecordedEvent, Finding> {
        let position = envelope.position.get();
        let no = |what: &dyn fmt::Display| Finding::in_file(layout::EVENTS, what).at(position);
        self.line.clear();
        let mut lines = self.lines.by_ref().take(LINE_MAX);
        lines.read_until(b'\n', &mut self.line).map_err(|error| no(&error))?;
        let found = self.line.strip_suffix(b"\n");
        let found = found.ok_or_else(|| no(&"its line is missing, or has no end"))?;
        let (rendering, body) = line::parts(found).map_err(|what| no(&what))?;
        if rendering != u64::from(RENDERING) {
            let what = format!(
                "its line has rendering {rendering}, this Placet makes {RENDERING}: verify it with the one that wrote it"
            );
            return Err(no(&what));
        }
        let (line, event) = line::line(envelope, &body, self.render)
            .map_err(|_bad| no(&"the body in its line is not the one of the entry"))?;
        if line.as_bytes() != found {
            return Err(no(&"its line is not what entry and body say"));
        }
        Ok(event)
    }

    fn payload(
        &mut self,
        event: &RecordedEvent,
        index: usize,
        commitment: &Commitment,
    ) -> Result<(), Finding> {
        let position = event.position.get();
        let name = commitment.ct_hash.hex();
        let file = Path::new(layout::SEALED).join(&name);
        let no = |file: &Path, what: &dyn fmt::Display| {
            Finding::in_file(file, format!("payload {index}: {what}")).at(position)
        };
        let at = |finding: Finding| finding.at(position);
        match found(self.dir, &file, (PAYLOAD_MAX + SEALED_MORE) as u64).map_err(at)? {
            Some(sealed) if sha256(&[&sealed]) == *commitment.ct_hash.as_bytes() => {
                self.payloads += 1;
            }
            Some(_) => return Err(no(&file, &"its bytes are not those of its name")),
            None => {
                self.absent.push((position, event.stream.clone(), event.event_id));
                self.erased += 1;
            }
        }
        let file = Path::new(layout::PLAIN).join(&name);
        if let Some(content) = found(self.dir, &file, PAYLOAD_MAX as u64).map_err(at)? {
            let salt = file.with_extension("salt");
            let text = read(self.dir, &salt, SALT_MAX).map_err(at)?;
            let text = String::from_utf8_lossy(&text);
            let digest: Option<Digest> = format!("sha256:{}", text.trim_end()).parse().ok();
            let salt = digest.ok_or_else(|| no(&salt, &"it holds no 64 hex digits"))?;
            payload::check_plain(&content, salt.as_bytes(), commitment)
                .map_err(|what| no(&file, &what))?;
            self.plain += 1;
        }
        self.names.insert(name);
        Ok(())
    }

    fn note_erasure(&mut self, event: &RecordedEvent) {
        let Event::PayloadErased(erased) = &event.event else { return };
        let run = erased.run.map(|run| Taken::Stream(StreamId::Run(run)));
        let arrival = erased.arrival.map(Taken::Event);
        for taken in run.into_iter().chain(arrival) {
            self.erasures.insert(taken, event.position.get());
        }
    }

    /// What is not there must have been erased later, by an event that says so.
    fn missing(&self) -> Result<(), Finding> {
        for (position, stream, event) in &self.absent {
            let ways = [Taken::Stream(stream.clone()), Taken::Event(*event)];
            let said = ways
                .iter()
                .any(|way| self.erasures.get(way).is_some_and(|erased| erased > position));
            if !said {
                let what = "a payload is missing, and no event says that it was erased";
                return Err(Finding::in_file(layout::SEALED, what).at(*position));
            }
        }
        Ok(())
    }

    fn compare_older(&self) -> Result<(), Finding> {
        let Some(older) = self.older.filter(|older| older.size == self.edge.size()) else {
            return Ok(());
        };
        if older.root == self.edge.root() {
            return Ok(());
        }
        let what =
            format!("it does not continue the one given: the first {} events differ", older.size);
        Err(Finding::in_file(layout::CHECKPOINT, what).over(1, older.size.max(1)))
    }

    fn end(&mut self, checkpoint: &Checkpoint) -> Result<(), Finding> {
        if self.edge.root() != checkpoint.root {
            let what = "its root is not that of the entries";
            let finding = Finding::in_file(layout::CHECKPOINT, what);
            return Err(finding.over(1, checkpoint.size.max(1)));
        }
        match self.lines.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => {
                let what = "lines follow the one of the last event";
                Err(Finding::in_file(layout::EVENTS, what).at(checkpoint.size + 1))
            }
            Err(error) => Err(Finding::in_file(layout::EVENTS, error)),
        }
    }

    /// Files that belong to no tree of this size, or to no event, are not to be there: another tool
    /// might read them.
    fn strays(&self, size: u64) -> Result<(), Finding> {
        let mut known: BTreeSet<PathBuf> = BTreeSet::new();
        let entries = layout::tiles(size).map(|(n, width)| layout::tile(Kind::Entries, n, width));
        known.extend(entries);
        for level in layout::levels(size) {
            let tiles = layout::tiles(layout::count_at(size, level));
            known.extend(tiles.map(|(n, width)| layout::tile(Kind::Hashes { level }, n, width)));
        }
        let stray = |file: &Path| {
            if file.starts_with(layout::TILES) {
                return !known.contains(file);
            }
            let salt =
                file.extension().is_some_and(|it| it == "salt" && file.starts_with(layout::PLAIN));
            let name = if salt { file.file_stem() } else { file.file_name() };
            !name.and_then(|name| name.to_str()).is_some_and(|name| self.names.contains(name))
        };
        for top in [layout::TILES, layout::SEALED, layout::PLAIN] {
            let mut folders = vec![PathBuf::from(top)];
            while let Some(folder) = folders.pop() {
                let no = |error: std::io::Error| Finding::in_file(&folder, error);
                let inside = match fs::read_dir(self.dir.join(&folder)) {
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    inside => inside.map_err(no)?,
                };
                for found in inside {
                    let found = found.map_err(no)?;
                    let file = folder.join(found.file_name());
                    // a link is followed nowhere
                    if found.file_type().map_err(no)?.is_dir() {
                        folders.push(file);
                    } else if stray(&file) {
                        return Err(Finding::in_file(
                            file,
                            "nothing in a log of this size is there",
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The next entry of a bundle.
fn split<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    Some(entry)
}
