//! What holds for the project: integrations, deployments, operations, policy, pauses.

use super::Views;
use crate::integrations::Stored;
use crate::project::{self, COUNTERS, Deployed, KEYS, Kind, PASSKEYS, PAUSES, POLICY, Place};
use crate::store::guarded;
use crate::table::TableName;
use crate::{Error, Located, Pauses, WorkflowRow};
use placet_model::integration::Integration;
use placet_model::keys::Keys;
use placet_model::passkey::{Counters, Passkeys};
use placet_model::{Digest, IntegrationId};
use std::ops::Bound;

impl Views<'_> {
    /// Every integration, in order of their ids; disconnected ones included.
    ///
    /// # Errors
    /// A damaged row, or settings that are no JSON.
    pub fn integrations(&self) -> Result<Vec<Integration>, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Integrations)?;
            let rows = table.range::<Stored>(Bound::Unbounded, Bound::Unbounded)?;
            let rows = rows.map(|row| {
                let (key, stored) = row?;
                let id = key
                    .as_slice()
                    .try_into()
                    .map_err(|_length| TableName::Integrations.damaged(&key, "its key"))?;
                stored.into_integration(IntegrationId::from_bytes(id))
            });
            rows.filter_map(Result::transpose).collect()
        })
    }

    /// Where the plan with this digest stands.
    ///
    /// # Errors
    /// A damaged row.
    pub fn plan(&self, digest: Digest) -> Result<Option<Located>, Error> {
        self.located(Kind::Plan, &digest)
    }

    /// Where the source text of the plan with this digest stands.
    ///
    /// # Errors
    /// A damaged row.
    pub fn source(&self, digest_of_plan: Digest) -> Result<Option<Located>, Error> {
        self.located(Kind::Source, &digest_of_plan)
    }

    /// Where the semantic part of the operation with this digest stands.
    ///
    /// # Errors
    /// A damaged row.
    pub fn operation(&self, digest: Digest) -> Result<Option<Located>, Error> {
        self.located(Kind::Operation, &digest)
    }

    /// Every deployment: by family, the latest first.
    ///
    /// # Errors
    /// A damaged row.
    pub fn workflows(&self) -> Result<Vec<WorkflowRow>, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Workflows)?;
            let rows = table.range::<Deployed>(Bound::Unbounded, Bound::Unbounded)?;
            let rows = rows.rev().map(|row| {
                let (key, deployed) = row?;
                let family = project::family(&key)
                    .ok_or_else(|| TableName::Workflows.damaged(&key, "its key"))?;
                Ok(deployed.into_row(family.to_owned()))
            });
            let mut rows: Vec<WorkflowRow> = rows.collect::<Result<_, Error>>()?;
            // stable: within a family the latest stays first
            rows.sort_by(|left, right| left.family.cmp(&right.family));
            Ok(rows)
        })
    }

    /// The policy in force: its digest, and where it stands. None before the first was applied.
    ///
    /// # Errors
    /// A damaged row.
    pub fn policy(&self) -> Result<Option<(Digest, Located)>, Error> {
        guarded(|| {
            let row = self.snapshot.open(TableName::Project)?.get::<(Digest, Place)>(POLICY)?;
            let Some((digest, place)) = row else { return Ok(None) };
            let located = place.into_located();
            let located =
                located.ok_or_else(|| TableName::Project.damaged(POLICY, "its stream"))?;
            Ok(Some((digest, located)))
        })
    }

    /// The keys of the people, revoked ones included.
    ///
    /// # Errors
    /// A damaged row.
    pub fn keys(&self) -> Result<Keys, Error> {
        guarded(|| Ok(self.snapshot.open(TableName::Project)?.get(KEYS)?.unwrap_or_default()))
    }

    /// What the authenticators of the passkeys have counted.
    ///
    /// # Errors
    /// [`Error`] when a row cannot be read.
    pub fn counters(&self) -> Result<Counters, Error> {
        guarded(|| Ok(self.snapshot.open(TableName::Project)?.get(COUNTERS)?.unwrap_or_default()))
    }

    /// The passkeys of the people, revoked ones included.
    ///
    /// # Errors
    /// A damaged row.
    pub fn passkeys(&self) -> Result<Passkeys, Error> {
        guarded(|| Ok(self.snapshot.open(TableName::Project)?.get(PASSKEYS)?.unwrap_or_default()))
    }

    /// How often a standing approval was used on a day (UTC, as days since 1970).
    ///
    /// # Errors
    /// A damaged row.
    pub fn standing_uses(&self, name: &str, day: i64) -> Result<u32, Error> {
        let key = project::standing_key(name, day);
        guarded(|| Ok(self.snapshot.open(TableName::Standing)?.get(&key)?.unwrap_or_default()))
    }

    /// What is paused.
    ///
    /// # Errors
    /// A damaged row.
    pub fn pauses(&self) -> Result<Pauses, Error> {
        guarded(|| Ok(self.snapshot.open(TableName::Project)?.get(PAUSES)?.unwrap_or_default()))
    }

    fn located(&self, kind: Kind, digest: &Digest) -> Result<Option<Located>, Error> {
        guarded(|| {
            let key = project::key(kind, digest);
            let place = self.snapshot.open(TableName::Located)?.get::<Place>(&key)?;
            let Some(place) = place else { return Ok(None) };
            let located = place.into_located();
            located.map(Some).ok_or_else(|| TableName::Located.damaged(&key, "its stream"))
        })
    }
}
