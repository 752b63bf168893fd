//! Fields of a credential that has been replaced and that others still use for a while: what a provider
//! signed with the old secret is on its way when the new one is in force.
//!
//! Each is sealed for the moment at which it ends, so nobody gives it more time by editing the file.
//! After that moment it opens nothing, and is removed by whoever looks next.

use crate::record;
use crate::tables::RETIRED;
use crate::{Error, Vault};
use placet_adapters::SecretText;
use placet_model::{IntegrationId, Timestamp};
use redb::{ReadableDatabase as _, ReadableTable as _, TableError};

const RETIRING: &str = "retiring a credential";
const READING: &str = "reading a retired credential";

/// Version, field, and when it ends.
type Row = ([u8; 16], u32, String, i64);

impl Vault {
    /// Keeps fields of a version until a moment, whatever becomes of the version; durable before this
    /// returns. A field that the version does not have is left out.
    ///
    /// # Errors
    /// What redb says; a row that does not open.
    pub fn retire(
        &self,
        (integration, version): (IntegrationId, u32),
        fields: &[String],
        until: Timestamp,
    ) -> Result<(), Error> {
        let mut kept = Vec::new();
        for field in fields {
            match self.secret(integration, version, field) {
                Err(Error::NoSuchField { .. } | Error::NoSuchVersion { .. }) => {}
                secret => kept.push((field, secret?)),
            }
        }
        let keks = self.keks();
        let mut rows = Vec::new();
        for (field, text) in &kept {
            let name = field_of(until.as_millis(), field);
            let place = self.place(integration, version, &name);
            rows.push((*field, record::seal(keks.current(), &place, text, self.random())?));
        }
        self.file().guarded(RETIRING, || {
            let db = self.db();
            let mut tx = db.begin_write().map_err(self.file().err(RETIRING))?;
            tx.set_quick_repair(true);
            {
                let mut table = tx.open_table(RETIRED).map_err(self.file().err(RETIRING))?;
                for (field, row) in &rows {
                    let key = (&integration.to_bytes(), version, field.as_str());
                    let value = (until.as_millis(), row.as_slice());
                    table.insert(key, value).map_err(self.file().err(RETIRING))?;
                }
            }
            tx.commit().map_err(self.file().err(RETIRING))
        })
    }

    /// What a field was before and is still good for, the newest first.
    ///
    /// # Errors
    /// What redb says; a row that does not open.
    pub fn retired(
        &self,
        integration: IntegrationId,
        field: &str,
        now: Timestamp,
    ) -> Result<Vec<SecretText>, Error> {
        let keks = self.keks();
        self.file().guarded(READING, || {
            let mut found = Vec::new();
            let good = |row: &Row| {
                row.0 == integration.to_bytes() && row.2 == field && row.3 > now.as_millis()
            };
            for ((_, version, name, until), record) in self.rows(good)? {
                let sealed_for = field_of(until, &name);
                let place = self.place(integration, version, &sealed_for);
                found.push(record::open(&keks, &place, &record)?);
            }
            found.reverse();
            Ok(found)
        })
    }

    /// Removes what has ended by now.
    ///
    /// # Errors
    /// What redb says.
    pub fn forget_ended(&self, now: Timestamp) -> Result<(), Error> {
        self.forget_retired(|row| row.3 <= now.as_millis())
    }

    /// Removes what is kept of an integration.
    pub(crate) fn forget_retired_of(&self, integration: IntegrationId) -> Result<(), Error> {
        self.forget_retired(|row| row.0 == integration.to_bytes())
    }

    fn forget_retired(&self, is_gone: impl Fn(&Row) -> bool) -> Result<(), Error> {
        self.file().guarded(RETIRING, || {
            let gone = self.rows(is_gone)?;
            if gone.is_empty() {
                return Ok(());
            }
            let db = self.db();
            let mut tx = db.begin_write().map_err(self.file().err(RETIRING))?;
            tx.set_quick_repair(true);
            {
                let mut table = tx.open_table(RETIRED).map_err(self.file().err(RETIRING))?;
                for ((id, version, field, _until), _record) in &gone {
                    let key = (id, *version, field.as_str());
                    table.remove(key).map_err(self.file().err(RETIRING))?;
                }
            }
            tx.commit().map_err(self.file().err(RETIRING))
        })
    }

    /// There are few: what was replaced lately.
    fn rows(&self, wanted: impl Fn(&Row) -> bool) -> Result<Vec<(Row, Vec<u8>)>, Error> {
        let db = self.db();
        let tx = db.begin_read().map_err(self.file().err(READING))?;
        let table = match tx.open_table(RETIRED) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(vec![]),
            opened => opened.map_err(self.file().err(READING))?,
        };
        let mut found = Vec::new();
        for row in table.iter().map_err(self.file().err(READING))? {
            let (key, value) = row.map_err(self.file().err(READING))?;
            let ((id, version, field), (until, record)) = (key.value(), value.value());
            let row = (*id, version, field.to_owned(), until);
            if wanted(&row) {
                found.push((row, record.to_vec()));
            }
        }
        Ok(found)
    }
}

/// What a row is sealed for besides its version. A credential field has no `:` in its name.
pub(crate) fn field_of(until: i64, field: &str) -> String {
    format!("retired:{until}:{field}")
}
