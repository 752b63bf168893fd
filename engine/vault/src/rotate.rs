//! A new master key, while the vault is in use.
//!
//! ```text
//! 1  the new key is where keys are kept          durable; no record names it yet
//! 2  the vault says that the new key seals       one transaction; from here on new records do
//! 3  records are sealed anew, some at a time     a transaction each; a record names its key
//! 4  the file is packed                          what was sealed by the old key leaves its pages
//! ```
//!
//! A record opens with the key that it names and with no other, and every key that a record names is
//! kept: so a process may end anywhere in this, and whoever opens the vault next goes on with step 3.
//! Old keys are never deleted here, because backups from before need them.

use crate::file::Db;
use crate::kek::{Kek, KekId, Keks};
use crate::record;
use crate::tables::{CREDENTIALS, GRANTS, Meta, RETIRED};
use crate::{Error, Vault, grants, open, retired};
use placet_model::IntegrationId;
use redb::{ReadableTable as _, WriteTransaction};
use std::collections::BTreeMap;
use std::sync::PoisonError;

const ROTATING: &str = "sealing credentials by the new key";
/// Records of one transaction: few enough that who reads or stores meanwhile hardly waits.
const BATCH: usize = 64;

/// How far a rotation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The vault seals by this key now.
    Turned(KekId),
    /// Records that are sealed anew, of how many.
    Moved {
        /// So many are.
        done: u64,
        /// So many there are to do.
        of: u64,
    },
    /// The file holds nothing any more that the old key has sealed.
    Packed,
}

/// What a rotation has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The key that seals now.
    pub key: KekId,
    /// Records that were sealed anew.
    pub moved: u64,
    /// Records that opened with no key within reach, by the names of their places: they are as they
    /// were.
    pub stuck: Vec<String>,
}

/// Which key has sealed how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealing {
    /// The key that seals now.
    pub key: KekId,
    /// Records by their keys.
    pub records: BTreeMap<KekId, u64>,
    /// Keys that records name and that are not within reach.
    pub out_of_reach: Vec<KekId>,
}

impl Sealing {
    /// Whether a rotation was begun and is not through, as far as it can be.
    pub fn is_under_way(&self) -> bool {
        let mut others = self.records.keys().filter(|id| **id != self.key);
        others.any(|id| !self.out_of_reach.contains(id))
    }
}

/// What is left to do, and what cannot be done.
#[derive(Default)]
struct Batch {
    moved: u64,
    stuck: Vec<String>,
}

impl Vault {
    /// Which key has sealed how much.
    ///
    /// # Errors
    /// What redb says.
    pub fn sealing(&self) -> Result<Sealing, Error> {
        let keks = self.keks();
        let records = self.file().guarded(ROTATING, || open::sealed_by(&self.db(), self.file()))?;
        let out = records.keys().filter(|id| keks.get(**id).is_none());
        let out_of_reach = out.copied().collect();
        Ok(Sealing { key: keks.current().id(), records, out_of_reach })
    }

    /// Seals every record by a new key; or goes on where a rotation was cut short.
    ///
    /// # Errors
    /// Where there is no new key; what the disk says. A rotation that ends with an error goes on the
    /// next time.
    pub fn rotate(&self, tell: &mut dyn FnMut(Step)) -> Result<Rotated, Error> {
        let _turn = self.rotation.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.sealing()?.is_under_way() {
            let current = self.keks().current().id();
            let next = self.keyring.next(current, self.random())?;
            tell(Step::Turned(next.id()));
            self.turn_to(next)?;
        }
        self.seal_anew(tell)
    }

    /// Goes on with a rotation that was cut short; nothing where there was none.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn go_on_rotating(&self, tell: &mut dyn FnMut(Step)) -> Result<Option<Rotated>, Error> {
        let _turn = self.rotation.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.sealing()?.is_under_way() {
            return Ok(None);
        }
        self.seal_anew(tell).map(Some)
    }

    /// Whoever seals at this moment holds the keys, so nothing is sealed by the old one afterwards.
    fn turn_to(&self, next: Kek) -> Result<(), Error> {
        let mut keks = self.keks.write().unwrap_or_else(PoisonError::into_inner);
        self.file().guarded(ROTATING, || {
            let db = self.db();
            let meta = Meta { kek: next.id(), ..Meta::read(&db, self.file())? };
            let tx = begin(&db, self)?;
            meta.write(&tx, self.file())?;
            tx.commit().map_err(self.file().err(ROTATING))
        })?;
        keks.turn_to(next);
        Ok(())
    }

    fn seal_anew(&self, tell: &mut dyn FnMut(Step)) -> Result<Rotated, Error> {
        let sealing = self.sealing()?;
        let others = sealing.records.iter().filter(|(id, _)| **id != sealing.key);
        let (of, mut done): (u64, u64) = (others.map(|(_, count)| count).sum(), 0);
        let stuck = loop {
            let batch = self.batch()?;
            done += batch.moved;
            if batch.moved == 0 {
                break batch.stuck;
            }
            tell(Step::Moved { done, of });
        };
        if stuck.is_empty() {
            self.keks.write().unwrap_or_else(PoisonError::into_inner).drop_old();
        }
        self.compact()?;
        tell(Step::Packed);
        Ok(Rotated { key: sealing.key, moved: done, stuck })
    }

    /// Some records in one transaction: all of them are sealed anew, or none is.
    fn batch(&self) -> Result<Batch, Error> {
        let keks = self.keks();
        self.file().guarded(ROTATING, || {
            let db = self.db();
            let tx = begin(&db, self)?;
            let mut batch = Batch::default();
            self.credentials(&tx, &keks, &mut batch)?;
            self.grants(&tx, &keks, &mut batch)?;
            self.retired_anew(&tx, &keks, &mut batch)?;
            tx.commit().map_err(self.file().err(ROTATING))?;
            Ok(batch)
        })
    }

    fn credentials(
        &self,
        tx: &WriteTransaction,
        keks: &Keks,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let err = self.file().err(ROTATING);
        let mut table = tx.open_table(CREDENTIALS).map_err(self.file().err(ROTATING))?;
        let mut anew = Vec::new();
        for row in table.iter().map_err(self.file().err(ROTATING))? {
            let (key, value) = row.map_err(self.file().err(ROTATING))?;
            let (id, version, field) = key.value();
            let place = self.place(IntegrationId::from_bytes(*id), version, field);
            match self.anew(keks, &place, value.value()) {
                Some(Ok(record)) => anew.push((*id, version, field.to_owned(), record)),
                Some(Err(error)) => batch.stuck.push(error.to_string()),
                None => {}
            }
            if anew.len() == BATCH {
                break;
            }
        }
        for (id, version, field, record) in &anew {
            table.insert((id, *version, field.as_str()), record.as_slice()).map_err(&err)?;
        }
        batch.moved += anew.len() as u64;
        Ok(())
    }

    fn grants(&self, tx: &WriteTransaction, keks: &Keks, batch: &mut Batch) -> Result<(), Error> {
        let err = self.file().err(ROTATING);
        let mut table = tx.open_table(GRANTS).map_err(self.file().err(ROTATING))?;
        let mut anew = Vec::new();
        for row in table.iter().map_err(self.file().err(ROTATING))? {
            let (key, value) = row.map_err(self.file().err(ROTATING))?;
            let ((id, version), (generation, sealed)) = (key.value(), value.value());
            let name = grants::field_of(generation);
            let place = self.place(IntegrationId::from_bytes(*id), version, &name);
            match self.anew(keks, &place, sealed) {
                Some(Ok(record)) => anew.push((*id, version, generation, record)),
                Some(Err(error)) => batch.stuck.push(error.to_string()),
                None => {}
            }
            if anew.len() == BATCH {
                break;
            }
        }
        for (id, version, generation, record) in &anew {
            table.insert((id, *version), (*generation, record.as_slice())).map_err(&err)?;
        }
        batch.moved += anew.len() as u64;
        Ok(())
    }

    fn retired_anew(
        &self,
        tx: &WriteTransaction,
        keks: &Keks,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let err = self.file().err(ROTATING);
        let mut table = tx.open_table(RETIRED).map_err(self.file().err(ROTATING))?;
        let mut anew = Vec::new();
        for row in table.iter().map_err(self.file().err(ROTATING))? {
            let (key, value) = row.map_err(self.file().err(ROTATING))?;
            let ((id, version, field), (until, sealed)) = (key.value(), value.value());
            let name = retired::field_of(until, field);
            let place = self.place(IntegrationId::from_bytes(*id), version, &name);
            match self.anew(keks, &place, sealed) {
                Some(Ok(record)) => anew.push((*id, version, field.to_owned(), (until, record))),
                Some(Err(error)) => batch.stuck.push(error.to_string()),
                None => {}
            }
            if anew.len() == BATCH {
                break;
            }
        }
        for (id, version, field, (until, record)) in &anew {
            let value = (*until, record.as_slice());
            table.insert((id, *version, field.as_str()), value).map_err(&err)?;
        }
        batch.moved += anew.len() as u64;
        Ok(())
    }

    /// The record under the current key; none where it is.
    fn anew(
        &self,
        keks: &Keks,
        place: &record::Place<'_>,
        found: &[u8],
    ) -> Option<Result<Vec<u8>, Error>> {
        if record::key_of(found) == Some(keks.current().id()) {
            return None;
        }
        let text = record::open(keks, place, found);
        Some(text.and_then(|text| record::seal(keks.current(), place, &text, self.random())))
    }
}

fn begin(db: &Db, vault: &Vault) -> Result<WriteTransaction, Error> {
    let mut tx = db.begin_write().map_err(vault.file().err(ROTATING))?;
    tx.set_quick_repair(true);
    Ok(tx)
}
