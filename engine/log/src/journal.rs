//! The journal: what was committed since `log.redb` was synced last.
//!
//! A durable commit of redb writes every page that it touched and syncs twice, about 20 pages for one
//! vote. An append is durable with less: its rows, one behind the other in one place, and one sync. So
//! the rows of an append go into the journal first, which is synced; then redb commits them without a
//! sync, for everybody to read; then they are acknowledged. When the journal is full the next append
//! is *folded*: redb commits it durably, and with it all that came before, and the journal begins
//! anew. What redb holds durably and what the journal holds are together always all that was
//! acknowledged.
//!
//! ```text
//! file     entries from the beginning, each at a multiple of 4,096; then zeros, or entries of before
//! entry    "placet-j" | install id 16 | generation u64 | first position u64 | rows' length u32
//!          | head 56 | rows | check 8 | zeros
//! row      table u8 | key length u32 | value length u32 | key | value         (as redb holds them)
//! ```
//!
//! **Generations.** The row `journal` of `meta` says whether a journal belongs to the file, and which
//! generation its entries have. It is written by the same durable commit that makes older entries
//! superfluous, before the first entry of that generation; so entries of another generation are what
//! was left by an earlier one, and are passed over. Entries of a *later* one mean that `log.redb` has
//! gone back: an error.
//!
//! **After a crash** the log opens what redb holds durably and puts the rows of the entries behind it,
//! in order, in one durable commit ([`replay`]). The first entry that is not whole ends it: its sync
//! had not returned, so nobody was answered. One that is not whole and has a whole one of its
//! generation behind it was damaged later: an error. A damaged *last* entry cannot be told from one
//! that was being written; a signed head, or the place noted outside of the data, can tell.
//!
//! **Closed in order**, everything is in `log.redb`, and the row says that no journal belongs to it.
//!
//! The journal holds what an append brought, sealed as in `payloads`; what was erased since stays in it
//! until it is written over, or wiped by compaction ([`Journal::wipe`]).

use crate::erase::{self, Erasable};
use crate::head::Head;
use crate::storage::File;
use crate::tables::{
    APART, EVENTS, META, PAYLOADS, STREAM_KEYS, STREAMS, SUBJECTS, SUBJECTS_OF, UNPLACED,
};
use crate::{Error, check, envelope, meta, project_key};
use placet_model::Position;
use redb::{Key, StorageBackend, StorageError, Table, TableDefinition, Value, WriteTransaction};
use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) const JOURNAL_FILE: &str = "journal";

/// The journal is full at so many bytes, where nobody says otherwise: what a restart after a crash puts
/// into `log.redb` at most, and what one commit in so many has to write.
pub(crate) const CAPACITY: u64 = 2 * 1024 * 1024;
/// The file grows by so much, written out: an entry that lands on bytes which are there is synced
/// without a change of the file system's own records.
const GROWTH: u64 = 256 * 1024;
/// Entries begin at multiples of this, so that no sector of one that is synced is ever written again.
const BLOCK: usize = 4096;
const MAGIC: [u8; 8] = *b"placet-j";
const INSTALL_LEN: usize = 16;
const HEAD_LEN: usize = 56;
/// Magic, install id, generation, first position, length of the rows.
const FRONT_LEN: usize = MAGIC.len() + INSTALL_LEN + 8 + 8 + 4;
const ROW: &str = "journal";
const CHECK_KEY: &[u8] = b"journal";
const DOING: &str = "writing the journal";

/// Which table a row belongs to, or what is erased. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Events = 1,
    Streams = 2,
    Unplaced = 3,
    Payloads = 4,
    StreamKeys = 5,
    Apart = 6,
    Subjects = 7,
    SubjectsOf = 8,
    EraseStream = 9,
    EraseArrival = 10,
}

impl Which {
    fn of(number: u8) -> Option<Self> {
        let all = [
            Self::Events,
            Self::Streams,
            Self::Unplaced,
            Self::Payloads,
            Self::StreamKeys,
            Self::Apart,
            Self::Subjects,
            Self::SubjectsOf,
            Self::EraseStream,
            Self::EraseArrival,
        ];
        all.into_iter().find(|which| *which as u8 == number)
    }
}

/// The rows of a batch, as they are written into redb.
#[derive(Debug, Default)]
pub(crate) struct Rows(Vec<u8>);

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn push(&mut self, which: Which, key: &[u8], value: &[u8]) {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
        self.0.push(which as u8);
        self.0.extend_from_slice(&length(key));
        self.0.extend_from_slice(&length(value));
        self.0.extend_from_slice(key);
        self.0.extend_from_slice(value);
    }

    /// Writes a row into its table, and puts it down.
    pub(crate) fn insert<K: Key + 'static, V: Value + 'static>(
        &mut self,
        (table, which): (&mut Table<'_, K, V>, Which),
        key: &K::SelfType<'_>,
        value: &V::SelfType<'_>,
    ) -> Result<(), StorageError> {
        self.push(which, K::as_bytes(key).as_ref(), V::as_bytes(value).as_ref());
        table.insert(key, value).map(drop)
    }

    /// Puts down what is erased behind all rows of the batch.
    pub(crate) fn erase(&mut self, what: &Erasable) {
        match what {
            Erasable::Stream(stream) => {
                self.push(Which::EraseStream, &envelope::stream_key(stream), &[]);
            }
            Erasable::Arrival(position) => {
                self.push(Which::EraseArrival, &position.get().to_be_bytes(), &[]);
            }
        }
    }
}

/// Whether a journal belongs to a log's file, as a row of it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The generation of the entries; of the last ones, where none belongs to it.
    generation: u64,
    in_use: bool,
}

impl Standing {
    pub(crate) fn read(tx: &redb::ReadTransaction, file: &File) -> Result<Self, Error> {
        let damaged = || file.damaged("the row that says which journal belongs to it");
        let meta = tx.open_table(META).map_err(file.err(DOING))?;
        let Some(row) = meta.get(ROW).map_err(file.err(DOING))? else { return Ok(Self::default()) };
        let row = check::open(ROW.as_bytes(), row.value()).ok_or_else(damaged)?;
        let (in_use, generation) = row.split_first().ok_or_else(damaged)?;
        let generation = generation.try_into().map_err(|_length| damaged())?;
        Ok(Self { generation: u64::from_be_bytes(generation), in_use: *in_use == 1 })
    }

    fn write(self, tx: &WriteTransaction, file: &File) -> Result<(), Error> {
        let mut row = vec![u8::from(self.in_use)];
        row.extend_from_slice(&self.generation.to_be_bytes());
        check::seal(ROW.as_bytes(), &mut row);
        let mut meta = tx.open_table(META).map_err(file.err(DOING))?;
        meta.insert(ROW, row.as_slice()).map_err(file.err(DOING))?;
        // from here on an older program would miss what the journal holds
        meta::raise_format(&mut meta, file)
    }

    /// Takes the row out of a copy, beside which no journal lies.
    pub(crate) fn forget(tx: &WriteTransaction, file: &File) -> Result<(), Error> {
        let mut meta = tx.open_table(META).map_err(file.err(DOING))?;
        meta.remove(ROW).map(drop).map_err(file.err(DOING))
    }
}

/// Where a journal lies.
#[derive(Debug)]
pub(crate) enum Place {
    /// Here; the file may not be there yet.
    Path(PathBuf),
    /// In this backend, which may be empty.
    Backend(Box<dyn StorageBackend>),
    /// Here, and it is only looked at: every commit is a durable one of redb.
    Frozen(PathBuf),
}

impl Place {
    fn path(&self) -> PathBuf {
        match self {
            Self::Path(path) | Self::Frozen(path) => path.clone(),
            Self::Backend(_) => PathBuf::from("journal (backend)"),
        }
    }

    fn is_frozen(&self) -> bool {
        matches!(self, Self::Frozen(_))
    }

    /// The bytes of the journal; none where there is no file.
    fn read(&self) -> Result<Option<Vec<u8>>, Error> {
        let io = |source| Error::Io { doing: "reading", path: self.path(), source };
        match self {
            Self::Path(path) | Self::Frozen(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(io(error)),
            },
            Self::Backend(backend) => {
                let length = backend.len().map_err(io)?;
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
                backend.read(0, &mut bytes).map_err(io)?;
                Ok(Some(bytes))
            }
        }
    }
}

/// The file that is written.
enum Disk {
    File(std::fs::File),
    Backend(Box<dyn StorageBackend>),
}

impl Disk {
    fn write(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::File(file) => write_all_at(file, bytes, offset),
            Self::Backend(backend) => backend.write(offset, bytes),
        }
    }

    fn sync(&self) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.sync_data(),
            Self::Backend(backend) => backend.sync_data(),
        }
    }

    fn len(&self) -> std::io::Result<u64> {
        match self {
            Self::File(file) => file.metadata().map(|meta| meta.len()),
            Self::Backend(backend) => backend.len(),
        }
    }

    fn set_len(&self, to: u64) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.set_len(to),
            Self::Backend(backend) => backend.set_len(to),
        }
    }
}

#[cfg(unix)]
fn write_all_at(file: &std::fs::File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &std::fs::File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    use std::io::{Seek as _, SeekFrom, Write as _};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// The journal of an open log.
pub(crate) struct Journal {
    place: Option<Place>,
    path: PathBuf,
    /// The log's own file, for errors of it and to count the syncs of both.
    log: File,
    install_id: [u8; INSTALL_LEN],
    standing: Standing,
    /// Bytes at which it is full; 0 where there is no journal.
    capacity: u64,
    /// Opened with the first entry.
    disk: Option<Disk>,
    /// Where the next entry begins.
    end: u64,
    length: u64,
    /// The entry that is being written.
    entry: Vec<u8>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("path", &self.path)
            .field("standing", &self.standing)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// A journal that holds nothing that is not in the log's file.
    pub(crate) fn new(
        (place, capacity): (Place, u64),
        (log, install_id): (File, [u8; INSTALL_LEN]),
        standing: Standing,
    ) -> Self {
        let path = place.path();
        Self {
            place: Some(place),
            path,
            log,
            install_id,
            standing,
            capacity,
            disk: None,
            end: 0,
            length: 0,
            entry: Vec::new(),
        }
    }

    /// Makes the rows of a batch durable, whose first event is at `first`; false when the batch has to
    /// be folded. After an error nobody knows whether they are.
    pub(crate) fn write(
        &mut self,
        first: Position,
        (head, rows): (&Head, &Rows),
    ) -> Result<bool, Error> {
        let Some(disk) = self.disk.as_ref().filter(|_| self.standing.in_use) else {
            return Ok(false);
        };
        self.entry.clear();
        encode(&mut self.entry, (self.install_id, self.standing.generation, first), head, rows);
        self.entry.resize(self.entry.len().next_multiple_of(BLOCK), 0);
        let end = self.end + self.entry.len() as u64;
        if end > self.capacity {
            return Ok(false);
        }
        let io = |source| Error::Io { doing: DOING, path: self.path.clone(), source };
        if end > self.length {
            self.length = grow(disk, self.length, end.next_multiple_of(GROWTH)).map_err(io)?;
        }
        disk.write(self.end, &self.entry).map_err(io)?;
        #[cfg(placet_mutants)]
        if placet_mutants::is_planted(placet_mutants::Mutant::DurabilityNone) {
            self.end = end;
            return Ok(true);
        }
        self.log.syncs().one();
        disk.sync().map_err(io)?;
        self.end = end;
        Ok(true)
    }

    /// Whether there may be something in the journal that redb does not hold durably.
    pub(crate) const fn is_in_use(&self) -> bool {
        self.standing.in_use
    }

    /// Says in a transaction that is going to be committed durably that what was journalled so far is
    /// superfluous with it. What is written next belongs to a new generation, once it is committed and
    /// [`Self::folded`].
    pub(crate) fn fold(&mut self, tx: &WriteTransaction, next: Next) -> Result<Standing, Error> {
        let in_use = next == Next::Journalled && self.capacity > 0 && self.open()?;
        let generation = self.standing.generation + u64::from(in_use);
        let standing = Standing { generation, in_use };
        if standing != self.standing {
            standing.write(tx, &self.log)?;
        }
        Ok(standing)
    }

    /// The transaction is durable.
    pub(crate) const fn folded(&mut self, standing: Standing) {
        self.standing = standing;
        self.end = 0;
    }

    /// Opens the file, or makes it, all zeros and durably: a row that says that it belongs to the log must
    /// never be there without it, or beside entries of another. False where nothing may be written.
    fn open(&mut self) -> Result<bool, Error> {
        if self.disk.is_some() {
            return Ok(true);
        }
        let io = |source| Error::Io { doing: "opening", path: self.path.clone(), source };
        self.disk = match self.place.take() {
            None => None,
            Some(Place::Frozen(path)) => {
                self.place = Some(Place::Frozen(path));
                None
            }
            Some(Place::Backend(backend)) => Some(Disk::Backend(backend)),
            Some(Place::Path(path)) => {
                let mut options = std::fs::OpenOptions::new();
                private(&mut options);
                let opened = options.create(true).truncate(false).write(true).open(&path);
                let file = opened.map_err(io)?;
                project_key::sync_dir(path.parent())?;
                Some(Disk::File(file))
            }
        };
        let Some(disk) = &self.disk else { return Ok(false) };
        self.length = disk.len().map_err(io)?;
        // nothing in it is needed, and what another life of the log has left there may look like more
        let zeros = vec![0; usize::try_from(self.length).unwrap_or(0)];
        disk.write(0, &zeros).map_err(io)?;
        if self.length < GROWTH {
            self.length = grow(disk, self.length, GROWTH).map_err(io)?;
        }
        self.log.syncs().one();
        disk.sync().map_err(io)?;
        Ok(true)
    }

    /// Writes zeros over the whole file. Nothing in it may be needed any more: [`Self::fold`] first.
    pub(crate) fn wipe(&mut self) -> Result<(), Error> {
        let there = match &self.place {
            Some(Place::Path(path)) => path.exists(),
            Some(Place::Frozen(_)) => false,
            Some(Place::Backend(_)) | None => true,
        };
        if !there || !self.open()? {
            return Ok(());
        }
        let Some(disk) = &self.disk else { return Ok(()) };
        let io = |source| Error::Io { doing: "wiping", path: self.path.clone(), source };
        let zeros = vec![0; usize::try_from(self.length).unwrap_or(0)];
        disk.write(0, &zeros).map_err(io)?;
        self.log.syncs().one();
        disk.sync().map_err(io)
    }
}

/// Makes the file longer, by zeros; returns how long it is.
fn grow(disk: &Disk, from: u64, to: u64) -> std::io::Result<u64> {
    disk.set_len(to)?;
    let zeros = vec![0; usize::try_from(to - from).unwrap_or(0)];
    disk.write(from, &zeros)?;
    Ok(to)
}

/// What is written behind a durable commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Entries of a new generation.
    Journalled,
    /// Nothing: the log closes.
    Nothing,
}

#[cfg(unix)]
fn private(options: &mut std::fs::OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_options: &mut std::fs::OpenOptions) {}

fn encode(
    entry: &mut Vec<u8>,
    (install_id, generation, first): ([u8; INSTALL_LEN], u64, Position),
    head: &Head,
    rows: &Rows,
) {
    entry.extend_from_slice(&MAGIC);
    entry.extend_from_slice(&install_id);
    entry.extend_from_slice(&generation.to_be_bytes());
    entry.extend_from_slice(&first.get().to_be_bytes());
    let length = u32::try_from(rows.0.len()).unwrap_or(u32::MAX);
    entry.extend_from_slice(&length.to_be_bytes());
    entry.extend_from_slice(&head.encode());
    entry.extend_from_slice(&rows.0);
    check::seal(CHECK_KEY, entry);
}

/// An entry as it is found.
#[derive(Debug)]
struct Entry<'f> {
    generation: u64,
    first: u64,
    head: Head,
    rows: &'f [u8],
    /// Bytes that it takes up.
    length: usize,
}

/// A whole entry of this log that begins here.
fn decode(bytes: &[u8], install_id: [u8; INSTALL_LEN]) -> Option<Entry<'_>> {
    let rest = bytes.strip_prefix(&MAGIC)?.strip_prefix(&install_id)?;
    let (generation, rest) = rest.split_first_chunk()?;
    let (first, rest) = rest.split_first_chunk()?;
    let (length, _) = rest.split_first_chunk()?;
    let rows = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let sealed = bytes.get(..FRONT_LEN + HEAD_LEN + rows.checked_add(check::CHECK_LEN)?)?;
    let content = check::open(CHECK_KEY, sealed)?;
    let (head, rows) = content.get(FRONT_LEN..)?.split_at_checked(HEAD_LEN)?;
    Some(Entry {
        generation: u64::from_be_bytes(*generation),
        first: u64::from_be_bytes(*first),
        head: Head::decode(head)?,
        rows,
        length: sealed.len().next_multiple_of(BLOCK),
    })
}

/// Puts the rows of the journal into a log that was not closed in order, in one durable commit. Returns
/// what the log's file says of its journal then.
///
/// # Errors
/// [`Error::Missing`] where the journal is gone, and every sign that it does not fit the log.
pub(crate) fn replay(
    (db, file): (&crate::storage::Db, &File),
    place: &Place,
    install_id: [u8; INSTALL_LEN],
) -> Result<Standing, Error> {
    let tx = db.begin_read().map_err(file.err(DOING))?;
    let standing = Standing::read(&tx, file)?;
    if !standing.in_use {
        return Ok(standing);
    }
    let meta = tx.open_table(META).map_err(file.err(DOING))?;
    let head = Head::read(&meta, file)?;
    drop((meta, tx));
    let Some(bytes) = place.read()? else {
        return Err(Error::Missing { file: place.path(), beside: crate::storage::LOG_FILE });
    };
    let found = Found { bytes: &bytes, path: &place.path(), install_id };
    let entries = found.entries(standing.generation, head.size)?;
    let mut tx = db.begin_write().map_err(file.err(DOING))?;
    tx.set_quick_repair(true);
    if let Some(last) = entries.last() {
        for entry in &entries {
            put(&tx, entry.rows, (&found, file))?;
        }
        let mut meta = tx.open_table(META).map_err(file.err(DOING))?;
        last.head.write(&mut meta).map_err(file.err(DOING))?;
        tracing::info!(
            from = head.size,
            to = last.head.size,
            "the log was not closed in order: its journal is put into it"
        );
    }
    let standing = Standing { in_use: false, ..standing };
    if !place.is_frozen() {
        standing.write(&tx, file)?;
    }
    tx.commit().map_err(file.err(DOING))?;
    Ok(standing)
}

/// A journal that is read.
struct Found<'f> {
    bytes: &'f [u8],
    path: &'f Path,
    install_id: [u8; INSTALL_LEN],
}

impl<'f> Found<'f> {
    /// The entries of a generation that are not in a log of this size.
    fn entries(&self, generation: u64, size: u64) -> Result<Vec<Entry<'f>>, Error> {
        let (mut at, mut size, mut entries) = (0, size, Vec::new());
        if (self.bytes.len() as u64) < GROWTH {
            return Err(self.damaged("it is cut short"));
        }
        let rest = self.bytes.strip_prefix(&MAGIC);
        if rest.is_none() && !self.bytes.starts_with(&[0; MAGIC.len()]) {
            return Err(self.damaged("it is no journal of Placet"));
        }
        if rest.is_some_and(|rest| !rest.starts_with(&self.install_id)) {
            return Err(self.damaged("it belongs to another log"));
        }
        while let Some(entry) = self.at(at) {
            if entry.generation > generation {
                return Err(self.damaged("it is newer than log.redb, which has gone back"));
            }
            if entry.generation < generation {
                break;
            }
            at += entry.length;
            // packing the file makes durable what is journalled, too
            if entry.head.size <= size {
                continue;
            }
            if entry.first != size + 1 {
                let what = format!("after position {size} comes {}", entry.first);
                return Err(self.damaged(&what));
            }
            size = entry.head.size;
            entries.push(entry);
        }
        let behind = (at..self.bytes.len()).step_by(BLOCK).filter_map(|place| self.at(place));
        if behind.into_iter().any(|entry| entry.generation >= generation) {
            let what = format!("the entry behind position {size} is damaged");
            return Err(self.damaged(&what));
        }
        Ok(entries)
    }

    fn at(&self, place: usize) -> Option<Entry<'f>> {
        decode(self.bytes.get(place..)?, self.install_id)
    }

    fn damaged(&self, what: &str) -> Error {
        Error::DamagedIndex { what: format!("{} ({what})", self.path.display()) }
    }
}

fn put(
    tx: &WriteTransaction,
    rows: &[u8],
    (found, file): (&Found<'_>, &File),
) -> Result<(), Error> {
    let mut rest = rows;
    while !rest.is_empty() {
        let (row, behind) = row(rest).ok_or_else(|| found.damaged("a row of it cannot be read"))?;
        rest = behind;
        let Row { which, key, value } = row;
        match which {
            Which::Events => again((tx, file), EVENTS, key, value)?,
            Which::Streams => again((tx, file), STREAMS, key, value)?,
            Which::Unplaced => again((tx, file), UNPLACED, key, value)?,
            Which::Payloads => again((tx, file), PAYLOADS, key, value)?,
            Which::StreamKeys => again((tx, file), STREAM_KEYS, key, value)?,
            Which::Apart => again((tx, file), APART, key, value)?,
            Which::Subjects => again((tx, file), SUBJECTS, key, value)?,
            Which::SubjectsOf => again((tx, file), SUBJECTS_OF, key, value)?,
            Which::EraseStream | Which::EraseArrival => {
                let what = erasable(which, key)
                    .ok_or_else(|| found.damaged("an erasure in it cannot be read"))?;
                erase::delete(tx, &what, file).map(drop)?;
            }
        }
    }
    Ok(())
}

/// A row as it is found.
struct Row<'f> {
    which: Which,
    key: &'f [u8],
    value: &'f [u8],
}

/// The first row, and what is behind it.
fn row(bytes: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (which, rest) = bytes.split_first()?;
    let (key, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_first_chunk()?;
    let length = |bytes: &[u8; 4]| usize::try_from(u32::from_be_bytes(*bytes)).ok();
    let (key, rest) = rest.split_at_checked(length(key)?)?;
    let (value, rest) = rest.split_at_checked(length(value)?)?;
    Some((Row { which: Which::of(*which)?, key, value }, rest))
}

fn erasable(which: Which, key: &[u8]) -> Option<Erasable> {
    if which == Which::EraseStream {
        return envelope::stream_of(key).map(Erasable::Stream);
    }
    let position = key.try_into().ok()?;
    Some(Erasable::Arrival(Position::new(u64::from_be_bytes(position))))
}

fn again<K: Key + 'static, V: Value + 'static>(
    (tx, file): (&WriteTransaction, &File),
    table: TableDefinition<'_, K, V>,
    key: &[u8],
    value: &[u8],
) -> Result<(), Error> {
    let mut table = tx.open_table(table).map_err(file.err(DOING))?;
    table.insert(K::from_bytes(key), V::from_bytes(value)).map(drop).map_err(file.err(DOING))
}
