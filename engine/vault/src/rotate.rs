//! A new master key, while the vault is in use.
//!
//! ```text
//! 1  the new key is where keys are kept          durable; no record names it yet
//! 2  the vault says that the new key seals       one transaction; from here on new records do
//! 3  records are sealed anew, some at a time     a transaction each; a record names its key
//! 4  the file is packed                          what was sealed by the old key leaves its pages
//! 5  the log tells of it                         see [`crate::unrecorded`]
//! ```
//!
//! A record opens with the key that it names and with no other, and every key that a record names is
//! kept: so a process may end anywhere in this, and whoever opens the vault next goes on with step 3.
//! Old keys are never deleted here, because backups from before need them.

use crate::file::Db;
use crate::kek::{Kek, KekId, Keks};
use crate::record;
use crate::tables::{CREDENTIALS, GRANTS, Meta, RETIRED};
use crate::unrecorded::Unrecorded;
use crate::{Error, Vault, grants, open, retired};
use placet_model::{Actor, EventId, IntegrationId, Principal};
use redb::{ReadableTable as _, WriteTransaction};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The id of the event that is to tell of it, for [`Vault::on_record`]; none where no key has changed and no
    /// record was moved, so that there is nothing to tell.
    pub event: Option<EventId>,
    /// Who has asked for it, also where it was cut short and others went on.
    pub asked_by: Option<Principal>,
    /// The key that seals now.
    pub key: KekId,
    /// The key that sealed before, and whichever had sealed a record.
    pub from: Vec<KekId>,
    /// Records that were sealed anew, from its beginning on.
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
    /// Whether a rotation was begun that the log does not tell of yet.
    pub is_unrecorded: bool,
}

impl Sealing {
    /// Whether a rotation was begun and is not through, as far as it can be, or not on record.
    pub fn is_under_way(&self) -> bool {
        let mut others = self.records.keys().filter(|id| **id != self.key);
        self.is_unrecorded || others.any(|id| !self.out_of_reach.contains(id))
    }
}

/// What is left to do, and what cannot be done.
#[derive(Default)]
struct Batch {
    moved: u64,
    from: BTreeSet<KekId>,
    stuck: Vec<String>,
}

impl Batch {
    /// Takes the record under the current key, if it could be sealed; none where it is already.
    fn take(&mut self, found: &[u8], anew: Option<Result<Vec<u8>, Error>>) -> Option<Vec<u8>> {
        match anew? {
            Ok(record) => {
                self.moved += 1;
                self.from.extend(record::key_of(found));
                Some(record)
            }
            Err(error) => {
                self.stuck.push(error.to_string());
                None
            }
        }
    }
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
        let is_unrecorded = self.unrecorded()?.is_some();
        Ok(Sealing { key: keks.current().id(), records, out_of_reach, is_unrecorded })
    }

    /// Seals every record by a new key, as somebody asks; or goes on where a rotation was cut short, which
    /// may be at the very end of it: what the log does not tell of is first of all put on record.
    ///
    /// # Errors
    /// Where there is no new key; what the disk says. A rotation that ends with an error goes on the
    /// next time.
    pub fn rotate(&self, by: &Actor, tell: &mut dyn FnMut(Step)) -> Result<Rotated, Error> {
        let _turn = self.rotation.lock().unwrap_or_else(PoisonError::into_inner);
        let sealing = self.sealing()?;
        if !sealing.is_under_way() {
            let next = self.keyring.next(sealing.key, self.random())?;
            tell(Step::Turned(next.id()));
            self.turn_to(next, (sealing, by))?;
        }
        self.seal_anew(by, tell)
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
        self.seal_anew(&Actor::Engine, tell).map(Some)
    }

    /// Whoever seals at this moment holds the keys, so nothing is sealed by the old one afterwards.
    fn turn_to(&self, next: Kek, (before, by): (Sealing, &Actor)) -> Result<(), Error> {
        let mut keks = self.keks.write().unwrap_or_else(PoisonError::into_inner);
        let from = before.records.into_keys().chain([before.key]).collect();
        let unrecorded = Unrecorded::new((from, next.id()), by, self.random())?;
        self.file().guarded(ROTATING, || {
            let db = self.db();
            let meta = Meta { kek: next.id(), ..Meta::read(&db, self.file())? };
            let tx = begin(&db, self)?;
            meta.write(&tx, self.file())?;
            unrecorded.write(&tx, self.file())?;
            tx.commit().map_err(self.file().err(ROTATING))
        })?;
        keks.turn_to(next);
        Ok(())
    }

    fn seal_anew(&self, by: &Actor, tell: &mut dyn FnMut(Step)) -> Result<Rotated, Error> {
        if let Some(through) = self.unrecorded()?.and_then(|unrecorded| unrecorded.rotated()) {
            return Ok(through);
        }
        let sealing = self.sealing()?;
        let others = sealing.records.iter().filter(|(id, _)| **id != sealing.key);
        let (of, mut done): (u64, u64) = (others.map(|(_, count)| count).sum(), 0);
        let stuck = loop {
            let batch = self.batch(by)?;
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
        self.through(sealing.key, stuck)
    }

    /// What a rotation came to, once it waits for nothing but the log.
    fn through(&self, key: KekId, stuck: Vec<String>) -> Result<Rotated, Error> {
        let Some(mut unrecorded) = self.unrecorded()? else {
            let (event, asked_by, from, moved) = (None, None, vec![], 0);
            return Ok(Rotated { event, asked_by, key, from, moved, stuck });
        };
        unrecorded.end(stuck);
        self.file().guarded(ROTATING, || {
            let db = self.db();
            let tx = begin(&db, self)?;
            unrecorded.write(&tx, self.file())?;
            tx.commit().map_err(self.file().err(ROTATING))
        })?;
        Ok(unrecorded.rotated().expect("it has just ended"))
    }

    /// Some records in one transaction: all of them are sealed anew, or none is.
    fn batch(&self, by: &Actor) -> Result<Batch, Error> {
        let keks = self.keks();
        self.file().guarded(ROTATING, || {
            let db = self.db();
            let tx = begin(&db, self)?;
            let mut batch = Batch::default();
            self.credentials(&tx, &keks, &mut batch)?;
            self.grants(&tx, &keks, &mut batch)?;
            self.retired_anew(&tx, &keks, &mut batch)?;
            if batch.moved > 0 {
                let from = (batch.from.clone(), keks.current().id());
                // none: an older Placet turned to the key, or a key has come within reach since
                let mut unrecorded = match Unrecorded::read_in(&tx, self.file())? {
                    Some(unrecorded) => unrecorded,
                    None => Unrecorded::new(from, by, self.random())?,
                };
                unrecorded.add(batch.moved, &batch.from);
                unrecorded.write(&tx, self.file())?;
            }
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
            let found = value.value();
            if let Some(record) = batch.take(found, self.anew(keks, &place, found)) {
                anew.push((*id, version, field.to_owned(), record));
            }
            if anew.len() == BATCH {
                break;
            }
        }
        for (id, version, field, record) in &anew {
            table.insert((id, *version, field.as_str()), record.as_slice()).map_err(&err)?;
        }
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
            if let Some(record) = batch.take(sealed, self.anew(keks, &place, sealed)) {
                anew.push((*id, version, generation, record));
            }
            if anew.len() == BATCH {
                break;
            }
        }
        for (id, version, generation, record) in &anew {
            table.insert((id, *version), (*generation, record.as_slice())).map_err(&err)?;
        }
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
            if let Some(record) = batch.take(sealed, self.anew(keks, &place, sealed)) {
                anew.push((*id, version, field.to_owned(), (until, record)));
            }
            if anew.len() == BATCH {
                break;
            }
        }
        for (id, version, field, (until, record)) in &anew {
            let value = (*until, record.as_slice());
            table.insert((id, *version, field.as_str()), value).map_err(&err)?;
        }
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
