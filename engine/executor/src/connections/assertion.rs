//! A credential that signs for its tokens (a manifest's `auth.assertion`): which connections have one, and
//! the first token, bought before anything rests on the credential. The next ones are bought by the way out.

use super::Connections;
use crate::handle::{Error, Handle};
use placet_adapters::identity::IdentityTest;
use placet_adapters::manifest::Way;
use placet_adapters::oauth::{AssertionSpec, GrantError, KeptGrant, KeyError, Renews, Unsigned};
use placet_adapters::{Answer, Manifest, SecretText};
use placet_model::{IntegrationId, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the credential is used for, in the record.
pub(super) const TOKEN: &str = "token";

impl Handle {
    /// The first token of a credential that signs for its tokens; none of any other credential, and none
    /// where nobody can be asked.
    ///
    /// # Errors
    /// A key that cannot sign, each kind of it under a code of its own; a provider that was not heard, or
    /// gives no token for what was signed.
    pub async fn first_token(
        &self,
        (manifest, settings): (&Manifest, &Value),
        fields: &BTreeMap<String, SecretText>,
    ) -> Result<Option<KeptGrant>, Error> {
        self.connections.first_token((manifest, settings), fields, self.now()).await
    }

    /// How the provider is asked whose a version of a credential is; none where it is not.
    pub async fn identity_test<'m>(
        &self,
        manifest: &'m Manifest,
        credential: (IntegrationId, u32),
    ) -> Option<&'m IdentityTest> {
        self.connections.identity_test(manifest, credential).await
    }
}

impl Connections {
    /// As [`Handle::first_token`].
    pub(super) async fn first_token(
        &self,
        (manifest, settings): (&Manifest, &Value),
        fields: &BTreeMap<String, SecretText>,
        now: Timestamp,
    ) -> Result<Option<KeptGrant>, Error> {
        let Some(spec) = signs(manifest, fields) else { return Ok(None) };
        spec.check(fields).map_err(|why| unsigned(manifest, &why))?;
        let Some(live) = &self.live else { return Ok(None) };
        let request =
            spec.exchange(settings, fields, now).map_err(|why| unsigned(manifest, &why))?;
        let host = request.host();
        let answer = live.ask(request).await;
        let given = spec.granted(&host, &answer, now);
        let given = given.map_err(|error| not_given(&error, &answer))?;
        let life = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Ok(Some(KeptGrant {
            generation: 0,
            access_field: spec.access_field().to_owned(),
            access: given.access,
            renews: Renews::BySigning,
            settings: settings.clone(),
            issued_at: now,
            expires_at: given.expires_in.map(|span| now.plus_millis(life(span))),
            asking_since: None,
            over: None,
        }))
    }

    /// As [`Handle::identity_test`].
    pub(super) async fn identity_test<'m>(
        &self,
        manifest: &'m Manifest,
        credential: (IntegrationId, u32),
    ) -> Option<&'m IdentityTest> {
        manifest.identity_test_of(self.way(manifest, credential).await)
    }

    /// Of which kind a version of a credential is; shown where nobody can tell.
    async fn way(&self, manifest: &Manifest, (id, version): (IntegrationId, u32)) -> Way {
        let vault = self.vault().filter(|_| version > 0 && manifest.assertion().is_some());
        let Some(vault) = vault else { return Way::Shown };
        // the vault blocks on the disk
        let names = tokio::task::spawn_blocking(move || vault.fields(id, version)).await;
        names.ok().and_then(Result::ok).map_or(Way::Shown, |names| manifest.way(names.iter()))
    }
}

/// How this credential signs, if it does.
pub(super) fn signs<'m>(
    manifest: &'m Manifest,
    fields: &BTreeMap<String, SecretText>,
) -> Option<&'m Arc<AssertionSpec>> {
    manifest.assertion().filter(|_| manifest.way(fields.keys()) == Way::Signed)
}

fn unsigned(manifest: &Manifest, why: &Unsigned) -> Error {
    let code = match why {
        Unsigned::Key { why: KeyError::NotPem | KeyError::Encrypted, .. } => "PL4053",
        Unsigned::Key { why: KeyError::NotRsa | KeyError::Unfit, .. } => "PL4054",
        Unsigned::Key { why: KeyError::TooSmall { .. }, .. } => "PL4055",
        Unsigned::Lacks => "PL4003",
    };
    Error::Refused { code, detail: format!("credential of {}: {why}", manifest.provider()) }
}

fn not_given(error: &GrantError, answer: &Answer) -> Error {
    let status = answer.as_ref().map_or(0, |response| response.status);
    let (code, detail) = match error {
        GrantError::Over { host, words } => {
            let words = if words.is_empty() { format!("status {status}") } else { words.clone() };
            let detail = format!(
                "{host} knows nothing that this key could have a token for ({words}): the installation is \
                 another one, or is gone"
            );
            ("PL4069", detail)
        }
        GrantError::Unavailable { .. } | GrantError::Lost { .. } => ("PL4061", error.to_string()),
        GrantError::Refused { .. } if status == 401 => {
            let detail =
                format!("{error}: the id or the key is wrong, or this machine's clock is off");
            ("PL4056", detail)
        }
        GrantError::Refused { .. }
        | GrantError::Unusable { .. }
        | GrantError::Settings
        | GrantError::NoWay
        | GrantError::Unsigned(_) => ("PL4056", error.to_string()),
    };
    Error::Refused { code, detail }
}
