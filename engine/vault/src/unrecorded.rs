//! A rotation that the log does not tell of yet.
//!
//! Whoever audits must not miss a rotation, and the vault and the log are two files: a process may end
//! between a change of the one and of the other. So the vault says of itself that its keys have changed,
//! and only forgets it when it is told that the log says so too:
//!
//! ```text
//! 1  the vault says that the new key seals, and that this is not on record   one transaction
//! 2  records are sealed anew, and counted beside that                        a transaction each
//! 3  the file is packed, and the vault says that the rotation is through     one transaction
//! 4  `VaultRotated` is in the log, under the id that stands here since 1     an append
//! 5  the vault forgets it                                                    one transaction
//! ```
//!
//! Whoever opens the vault next goes on wherever that was cut short. A second append in step 4 is the same
//! event, which the log knows by its id. No rotation begins while one is not on record, so there is never
//! more than one row.
//!
//! Why not an event of the beginning, before the first record moves: it would say what is going to be, and
//! an end that never comes says as little as none. The log tells late, and never of what was not.

use crate::file::File;
use crate::kek::KekId;
use crate::tables::{META, check_of, checked};
use crate::{Error, Rotated, Vault};
use placet_model::{Actor, EventId, Principal};
use redb::{ReadableDatabase as _, ReadableTable, WriteTransaction};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// `"rotation" → JSON | check 8`, beside whose vault it is; no row where all is on record.
const ROTATION: &str = "rotation";
const NOTING: &str = "noting that keys have changed";

/// The row. Names and meanings are a contract; a field is added, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unrecorded {
    /// Under which id it comes into the log.
    event: EventId,
    /// Who has asked for it; none where an engine goes on with what an older Placet began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_by: Option<Principal>,
    key: KekId,
    from: BTreeSet<KekId>,
    moved: u64,
    /// When it is through: the records that are left as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stuck: Option<Vec<String>>,
}

impl Unrecorded {
    /// A rotation that has moved nothing yet.
    pub(crate) fn new(
        (from, key): (BTreeSet<KekId>, KekId),
        by: &Actor,
        random: &SystemRandom,
    ) -> Result<Self, Error> {
        let mut id = [0; 16];
        random.fill(&mut id).map_err(|_unspecified| Error::Random)?;
        // a UUID of version 4: the vault has no clock
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        let event = EventId::from_bytes(id);
        let asked_by = by.principal().cloned();
        Ok(Self { event, asked_by, key, from, moved: 0, stuck: None })
    }

    /// More records that these keys had sealed.
    pub(crate) fn add(&mut self, moved: u64, from: &BTreeSet<KekId>) {
        self.moved += moved;
        self.from.extend(from);
    }

    /// It is through, but for these.
    pub(crate) fn end(&mut self, stuck: Vec<String>) {
        self.stuck = Some(stuck);
    }

    /// What it came to; none before it is through.
    pub(crate) fn rotated(&self) -> Option<Rotated> {
        Some(Rotated {
            event: Some(self.event),
            asked_by: self.asked_by.clone(),
            key: self.key,
            from: self.from.iter().copied().collect(),
            moved: self.moved,
            stuck: self.stuck.clone()?,
        })
    }

    pub(crate) fn read(
        table: &impl ReadableTable<&'static str, &'static [u8]>,
        file: &File,
    ) -> Result<Option<Self>, Error> {
        let row = table.get(ROTATION).map_err(file.err(NOTING))?;
        let Some(row) = row else { return Ok(None) };
        let text = checked(row.value());
        let read = text.and_then(|text| serde_json::from_slice(text).ok());
        read.map(Some).ok_or_else(|| Error::Damaged { file: file.to_path() })
    }

    pub(crate) fn read_in(tx: &WriteTransaction, file: &File) -> Result<Option<Self>, Error> {
        Self::read(&tx.open_table(META).map_err(file.err(NOTING))?, file)
    }

    pub(crate) fn write(&self, tx: &WriteTransaction, file: &File) -> Result<(), Error> {
        let mut row = serde_json::to_vec(self).expect("ids, texts and numbers are always JSON");
        row.extend_from_slice(&check_of(&row));
        let mut table = tx.open_table(META).map_err(file.err(NOTING))?;
        table.insert(ROTATION, row.as_slice()).map_err(file.err(NOTING))?;
        Ok(())
    }
}

impl Vault {
    /// What is not on record; for [`crate::rotate`].
    pub(crate) fn unrecorded(&self) -> Result<Option<Unrecorded>, Error> {
        self.file().guarded(NOTING, || {
            let db = self.db();
            let tx = db.begin_read().map_err(self.file().err(NOTING))?;
            Unrecorded::read(&tx.open_table(META).map_err(self.file().err(NOTING))?, self.file())
        })
    }

    /// The log tells of this rotation, durably. That it does so already is no error.
    ///
    /// # Errors
    /// What redb says.
    pub fn on_record(&self, event: EventId) -> Result<(), Error> {
        if self.unrecorded()?.is_none_or(|unrecorded| unrecorded.event != event) {
            return Ok(());
        }
        self.file().guarded(NOTING, || {
            let db = self.db();
            let mut tx = db.begin_write().map_err(self.file().err(NOTING))?;
            tx.set_quick_repair(true);
            {
                let mut table = tx.open_table(META).map_err(self.file().err(NOTING))?;
                table.remove(ROTATION).map_err(self.file().err(NOTING))?;
            }
            tx.commit().map_err(self.file().err(NOTING))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_is_as_stored_vaults_have_it() {
        let [one, two] = [1, 2].map(|n| KekId::from_bytes([n; 8]));
        let row = Unrecorded {
            event: EventId::from_bytes([7; 16]),
            asked_by: Some("ana".parse().unwrap()),
            key: two,
            from: [one].into(),
            moved: 3,
            stuck: Some(vec![]),
        };
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"event":"{}","asked_by":"ana","key":"0202020202020202","from":["0101010101010101"],"moved":3,"stuck":[]}}"#,
                EventId::from_bytes([7; 16])
            )
        );
        assert_eq!(serde_json::from_str::<Unrecorded>(&text).unwrap(), row);
    }
}
