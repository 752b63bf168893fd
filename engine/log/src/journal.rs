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

mod disk;
mod entry;
mod replay;
mod rows;

pub(crate) use disk::Place;
pub(crate) use replay::replay;
pub(crate) use rows::{Rows, Which};

use crate::head::Head;
use crate::storage::File;
use crate::tables::META;
use crate::{Error, check, meta, project_key};
use disk::{Disk, grow};
use placet_model::Position;
use redb::WriteTransaction;
use std::fmt;
use std::path::PathBuf;

pub(crate) const JOURNAL_FILE: &str = "journal";

/// The journal is full at so many bytes, where nobody says otherwise: what a restart after a crash puts
/// into `log.redb` at most. What a fold has to write is less, since redb writes most pages before.
pub(crate) const CAPACITY: u64 = 8 * 1024 * 1024;
/// The file grows by so much, written out: an entry that lands on bytes which are there is synced
/// without a change of the file system's own records.
const GROWTH: u64 = 256 * 1024;
/// Entries begin at multiples of this, so that no sector of one that is synced is ever written again.
const BLOCK: usize = 4096;
const INSTALL_LEN: usize = 16;
const ROW: &str = "journal";
const DOING: &str = "writing the journal";

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
        entry::encode(
            &mut self.entry,
            (self.install_id, self.standing.generation, first),
            head,
            rows,
        );
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
                disk::private(&mut options);
                let opened = options.create(true).truncate(false).write(true).open(&path);
                let file = opened.map_err(io)?;
                project_key::sync_dir(path.parent())?;
                Some(Disk::File(file))
            }
        };
        let Some(disk) = &self.disk else { return Ok(false) };
        // nothing in it is needed, what another life of the log has left there may look like more, and
        // what was erased since may still lie in it
        let there = disk.len().map_err(io)?;
        self.length = there.clamp(GROWTH, CAPACITY.max(self.capacity).max(GROWTH));
        disk.set_len(self.length).map_err(io)?;
        let zeros = vec![0; usize::try_from(self.length).unwrap_or(0)];
        disk.write(0, &zeros).map_err(io)?;
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

/// What is written behind a durable commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Entries of a new generation.
    Journalled,
    /// Nothing: the log closes.
    Nothing,
}
