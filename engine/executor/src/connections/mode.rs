//! The mode of a credential, where its provider has more than one: read from the letters that it
//! begins with, and part of who the connection acts as.

use super::Connections;
use crate::handle::Handle;
use placet_adapters::Manifest;
use placet_model::IntegrationId;
use std::sync::Arc;

/// Why nobody can say which mode a credential has. None of it holds a letter of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoMode {
    /// Its vault, or this field of it, cannot be read.
    #[error("the credential has no {field}, which shows its mode")]
    Unread {
        /// The field.
        field: String,
    },
    /// It begins like none that the manifest knows.
    #[error("{field} begins like no key of {}", .modes.join(" or "))]
    Unknown {
        /// The field.
        field: String,
        /// The modes that there are.
        modes: Vec<String>,
    },
}

impl Handle {
    /// The mode of a version of a credential; none where the provider has one mode, or nothing is
    /// kept to tell it by.
    ///
    /// # Errors
    /// A credential that shows none: nobody could say whether it moves real money.
    pub async fn credential_mode(
        &self,
        manifest: &Manifest,
        credential: (IntegrationId, u32),
    ) -> Result<Option<String>, NoMode> {
        self.connections.mode(manifest, credential).await
    }
}

impl Connections {
    /// As [`Handle::credential_mode`].
    pub(super) async fn mode(
        &self,
        manifest: &Manifest,
        (id, version): (IntegrationId, u32),
    ) -> Result<Option<String>, NoMode> {
        let Some(from) = manifest.mode_from() else { return Ok(None) };
        let Some(vault) = self.vault().filter(|_| version > 0) else { return Ok(None) };
        let field = from.credential().to_owned();
        let unread = || NoMode::Unread { field: from.credential().to_owned() };
        // the vault blocks on the disk
        let asked = {
            let (vault, field) = (Arc::clone(&vault), field.clone());
            tokio::task::spawn_blocking(move || vault.secret(id, version, &field).ok())
        };
        let secret = asked.await.ok().flatten().ok_or_else(unread)?;
        let mode = from.of(&secret).map(str::to_owned);
        let modes = from.modes();
        mode.map(Some).ok_or(NoMode::Unknown { field, modes })
    }
}
