//! Rows in and out of redb: [`Store`] in the log's write transaction, [`Snapshot`] in a view.
//!
//! Nothing here knows what a row means.

use crate::Error;
use crate::key::CURSOR;
use crate::table::{Generation, OURS, TABLES, TableName};
use placet_model::Position;
use redb::{
    MultimapTableDefinition, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition,
    TableError, TableHandle, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

type Bytes = &'static [u8];
const READING: &str = "reading";
const WRITING: &str = "writing";

/// The definition of a table.
pub(crate) const fn definition(
    table: TableName,
    generation: Generation,
) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name(generation))
}

/// One generation of the tables in a write transaction; each is opened when it is first needed.
pub(crate) struct Store<'t> {
    tx: &'t WriteTransaction,
    generation: Generation,
    tables: [Option<Table<'t, Bytes, Bytes>>; TABLES],
    row: Vec<u8>,
}

impl fmt::Debug for Store<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl<'t> Store<'t> {
    pub(crate) fn new(tx: &'t WriteTransaction, generation: Generation) -> Self {
        Self { tx, generation, tables: [const { None }; TABLES], row: Vec::new() }
    }

    /// Opens every table, so that one that is absent later is damage and not emptiness.
    pub(crate) fn create(&mut self) -> Result<(), Error> {
        TableName::ALL.into_iter().try_for_each(|table| self.table(table).map(drop))
    }

    /// An opened table.
    pub(crate) fn table(&mut self, name: TableName) -> Result<&mut Table<'t, Bytes, Bytes>, Error> {
        let slot = &mut self.tables[name.index()];
        if slot.is_none() {
            let opened = self.tx.open_table(definition(name, self.generation));
            *slot = Some(opened.map_err(name.err("opening"))?);
        }
        Ok(slot.as_mut().expect("opened just now"))
    }

    pub(crate) fn get<T: DeserializeOwned>(
        &mut self,
        name: TableName,
        key: &[u8],
    ) -> Result<Option<T>, Error> {
        let row = self.table(name)?.get(key).map_err(name.err(READING))?;
        row.map(|row| name.unseal(key, row.value())).transpose()
    }

    pub(crate) fn put<T: Serialize>(
        &mut self,
        name: TableName,
        key: &[u8],
        value: &T,
    ) -> Result<(), Error> {
        let row = name.seal(key, value, std::mem::take(&mut self.row))?;
        self.table(name)?.insert(key, row.as_slice()).map_err(name.err(WRITING))?;
        self.row = row;
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: TableName, key: &[u8]) -> Result<(), Error> {
        self.table(name)?.remove(key).map(drop).map_err(name.err(WRITING))
    }

    /// Every row of a small table.
    pub(crate) fn all<T: DeserializeOwned>(
        &mut self,
        name: TableName,
    ) -> Result<Vec<(Vec<u8>, T)>, Error> {
        let rows = self.table(name)?.iter().map_err(name.err(READING))?;
        let rows = rows.map(|row| {
            let (key, value) = row.map_err(name.err(READING))?;
            Ok((key.value().to_vec(), name.unseal(key.value(), value.value())?))
        });
        rows.collect()
    }

    /// Position of the last event that the tables hold; none before the first use.
    pub(crate) fn cursor(&mut self) -> Result<Option<Position>, Error> {
        self.get(TableName::Hot, CURSOR)
    }

    pub(crate) fn set_cursor(&mut self, position: Position) -> Result<(), Error> {
        self.put(TableName::Hot, CURSOR, &position)
    }
}

/// Deletes a generation of tables.
pub(crate) fn delete(tx: &WriteTransaction, generation: Generation) -> Result<(), Error> {
    TableName::ALL.into_iter().try_for_each(|table| {
        let deleted = match tx.delete_table(definition(table, generation)) {
            // what stands under the name may be damaged
            Err(TableError::TableIsMultimap(_)) => {
                let name = table.name(generation);
                tx.delete_multimap_table(MultimapTableDefinition::<Bytes, Bytes>::new(name))
            }
            deleted => deleted,
        };
        deleted.map(drop).map_err(table.err("deleting"))
    })
}

/// Every live table is there.
pub(crate) fn demand_all(tx: &WriteTransaction) -> Result<(), Error> {
    let tables = tx.list_tables().map_err(TableName::Hot.err("listing"))?;
    let there: BTreeSet<String> = tables.map(|table| table.name().to_owned()).collect();
    TableName::ALL.into_iter().try_for_each(|table| {
        if there.contains(table.live()) {
            return Ok(());
        }
        Err(table.err("opening")(TableError::TableDoesNotExist(table.live().to_owned())))
    })
}

/// Deletes the tables of other layouts: what is in them is in the log.
pub(crate) fn delete_other_layouts(tx: &WriteTransaction) -> Result<(), Error> {
    let doing = "deleting tables of another layout";
    let tables = tx.list_tables().map_err(TableName::Hot.err(doing))?;
    let other = tables.map(|table| table.name().to_owned()).filter(|name| {
        let live = TableName::ALL.into_iter().any(|table| table.live() == name);
        name.starts_with(OURS) && !live
    });
    for name in other.collect::<Vec<_>>() {
        let table = TableDefinition::<Bytes, Bytes>::new(&name);
        tx.delete_table(table).map_err(TableName::Hot.err(doing))?;
    }
    Ok(())
}

/// Puts the next generation in the place of the live one.
pub(crate) fn switch(tx: &WriteTransaction) -> Result<(), Error> {
    delete(tx, Generation::Live)?;
    TableName::ALL.into_iter().try_for_each(|table| {
        let (next, live) =
            (definition(table, Generation::Next), definition(table, Generation::Live));
        tx.rename_table(next, live).map_err(table.err("renaming"))
    })
}

/// The live tables in one read transaction: of the log's file, or of a replay in memory.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot<'a> {
    tx: &'a ReadTransaction,
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// A table in a snapshot.
pub(crate) struct Opened {
    name: TableName,
    table: ReadOnlyTable<Bytes, Bytes>,
}

impl<'a> Snapshot<'a> {
    pub(crate) const fn new(tx: &'a ReadTransaction) -> Self {
        Self { tx }
    }

    /// The table; an error that says so when the log never had projections.
    pub(crate) fn open(self, name: TableName) -> Result<Opened, Error> {
        match self.tx.open_table(definition(name, Generation::Live)) {
            Ok(table) => Ok(Opened { name, table }),
            Err(TableError::TableDoesNotExist(_)) if name == TableName::Hot => Err(Error::Absent),
            Err(error) => Err(name.err("opening")(error)),
        }
    }

    /// Position of the last event that the tables hold.
    pub(crate) fn cursor(self) -> Result<Position, Error> {
        self.open(TableName::Hot)?.get(CURSOR)?.ok_or(Error::Absent)
    }
}

impl Opened {
    pub(crate) fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, Error> {
        let row = self.table.get(key).map_err(self.name.err(READING))?;
        row.map(|row| self.name.unseal(key, row.value())).transpose()
    }

    /// A row that another row leads to.
    pub(crate) fn need<T: DeserializeOwned>(&self, key: &[u8]) -> Result<T, Error> {
        self.get(key)?.ok_or_else(|| self.name.missing(key))
    }

    /// Rows with keys between the bounds, in order from either end, each checked.
    pub(crate) fn range<T: DeserializeOwned>(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> Result<impl DoubleEndedIterator<Item = Result<(Vec<u8>, T), Error>> + use<T>, Error> {
        let name = self.name;
        let rows = self.table.range::<&[u8]>((from, to)).map_err(name.err(READING))?;
        Ok(rows.map(move |row| {
            let (key, value) = row.map_err(name.err(READING))?;
            Ok((key.value().to_vec(), name.unseal(key.value(), value.value())?))
        }))
    }

    /// The table itself, for a comparison byte by byte.
    pub(crate) const fn raw(&self) -> &ReadOnlyTable<Bytes, Bytes> {
        &self.table
    }
}

/// Runs a read; a panic inside redb, which trusts its pages, is an error.
pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::Panicked { panic: text.unwrap_or_else(|| "no message".to_owned()) })
    })
}
