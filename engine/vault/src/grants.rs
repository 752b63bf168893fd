//! The tokens of grants, which take the place of one another while their credential version stays.
//!
//! A version of a credential never changes, because attempts name it; what a provider replaces every
//! hour does. So tokens stand in a table of their own: one sealed row for each credential version. The
//! row's generation is part of what it is sealed for, and a new one is taken only after the one it
//! follows: whoever renews from something older than what stands there loses, and changes nothing.

use crate::file::File;
use crate::kek::Keks;
use crate::record;
use crate::tables::GRANTS;
use crate::{Error, Vault};
use placet_adapters::SecretText;
use placet_adapters::oauth::{KeptGrant, Renews};
use placet_model::{IntegrationId, Timestamp};
use redb::{ReadableDatabase as _, ReadableTable as _, TableError, WriteTransaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroize as _;

const READING: &str = "reading a grant";
const KEEPING: &str = "keeping a grant";

/// What is sealed, as JSON. Names and meanings are a contract; a field is added, never changed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    field: String,
    access: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    settings: Value,
    issued_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asking_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over: Option<String>,
    /// The credential signs for the next one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    signs: bool,
}

impl Drop for Sealed {
    fn drop(&mut self) {
        self.access.zeroize();
        self.refresh.zeroize();
    }
}

impl Vault {
    /// The grant of a credential version; none where it has none.
    ///
    /// # Errors
    /// A row that does not open.
    pub fn grant(
        &self,
        integration: IntegrationId,
        version: u32,
    ) -> Result<Option<KeptGrant>, Error> {
        let keks = self.keks();
        self.file().guarded(READING, || {
            let db = self.db();
            let tx = db.begin_read().map_err(self.file().err(READING))?;
            let table = match tx.open_table(GRANTS) {
                // a vault of before there were grants
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                opened => opened.map_err(self.file().err(READING))?,
            };
            let key = (&integration.to_bytes(), version);
            let Some(row) = table.get(key).map_err(self.file().err(READING))? else {
                return Ok(None);
            };
            let (generation, sealed) = row.value();
            let name = field_of(generation);
            let place = self.place(integration, version, &name);
            let text = record::open(&keks, &place, sealed)?;
            let sealed: Sealed =
                serde_json::from_str(text.expose()).map_err(|_not_ours| place.refused())?;
            Ok(Some(sealed.to_grant(generation)))
        })
    }

    /// Keeps the grant that follows generation `after`; durable before this returns.
    ///
    /// # Errors
    /// [`Error::GrantMoved`] where another stands there by now; no such version.
    pub fn keep_grant(
        &self,
        (integration, version): (IntegrationId, u32),
        after: u64,
        grant: &KeptGrant,
    ) -> Result<(), Error> {
        let keks = self.keks();
        let row = self.seal_grant(&keks, (integration, version), grant)?;
        self.file().guarded(KEEPING, || {
            let db = self.db();
            let mut tx = db.begin_write().map_err(self.file().err(KEEPING))?;
            tx.set_quick_repair(true);
            {
                let mut table = tx.open_table(GRANTS).map_err(self.file().err(KEEPING))?;
                let key = (&integration.to_bytes(), version);
                let found = table.get(key).map_err(self.file().err(KEEPING))?;
                let found = found.map(|row| row.value().0);
                if found != Some(after) {
                    return Err(Error::GrantMoved { integration, version, after });
                }
                let value = (grant.generation, row.as_slice());
                table.insert(key, value).map_err(self.file().err(KEEPING))?;
            }
            tx.commit().map_err(self.file().err(KEEPING))
        })
    }

    pub(crate) fn seal_grant(
        &self,
        keks: &Keks,
        (integration, version): (IntegrationId, u32),
        grant: &KeptGrant,
    ) -> Result<Vec<u8>, Error> {
        let name = field_of(grant.generation);
        let place = self.place(integration, version, &name);
        let sealed = Sealed::of(grant);
        let text = serde_json::to_string(&sealed).expect("texts and numbers are always JSON");
        let text = SecretText::new(text);
        record::seal(keks.current(), &place, &text, self.random())
    }
}

/// Writes the first grant of a version, in the transaction that stores it.
pub(crate) fn insert(
    tx: &WriteTransaction,
    file: &File,
    ((integration, version), generation, row): ((IntegrationId, u32), u64, &[u8]),
) -> Result<(), Error> {
    let mut table = tx.open_table(GRANTS).map_err(file.err(KEEPING))?;
    let key = (&integration.to_bytes(), version);
    table.insert(key, (generation, row)).map_err(file.err(KEEPING))?;
    Ok(())
}

/// Removes the grants of the versions that are gone.
pub(crate) fn remove(
    tx: &WriteTransaction,
    file: &File,
    (integration, is_gone): (IntegrationId, &dyn Fn(u32) -> bool),
) -> Result<(), Error> {
    let mut table = tx.open_table(GRANTS).map_err(file.err(KEEPING))?;
    let id = integration.to_bytes();
    let range = table.range((&id, 0)..=(&id, u32::MAX)).map_err(file.err(KEEPING))?;
    let mut gone = Vec::new();
    for row in range {
        let (key, _value) = row.map_err(file.err(KEEPING))?;
        gone.extend(Some(key.value().1).filter(|version| is_gone(*version)));
    }
    for version in gone {
        table.remove((&id, version)).map_err(file.err(KEEPING))?;
    }
    Ok(())
}

/// What the row is sealed for besides its version. A credential field has no `:` in its name.
pub(crate) fn field_of(generation: u64) -> String {
    format!("oauth:{generation}")
}

impl Sealed {
    fn of(grant: &KeptGrant) -> Self {
        Self {
            field: grant.access_field.clone(),
            access: grant.access.expose().to_owned(),
            refresh: grant.refresh().map(|token| token.expose().to_owned()),
            settings: grant.settings.clone(),
            issued_at: grant.issued_at.as_millis(),
            expires_at: grant.expires_at.map(Timestamp::as_millis),
            asking_since: grant.asking_since.map(Timestamp::as_millis),
            over: grant.over.clone(),
            signs: grant.renews == Renews::BySigning,
        }
    }

    fn to_grant(&self, generation: u64) -> KeptGrant {
        KeptGrant {
            generation,
            access_field: self.field.clone(),
            access: SecretText::new(self.access.as_str()),
            renews: match self.refresh.as_deref() {
                _ if self.signs => Renews::BySigning,
                refresh => Renews::by(refresh.map(SecretText::new)),
            },
            settings: self.settings.clone(),
            issued_at: Timestamp::from_millis(self.issued_at),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            asking_since: self.asking_since.map(Timestamp::from_millis),
            over: self.over.clone(),
        }
    }
}
