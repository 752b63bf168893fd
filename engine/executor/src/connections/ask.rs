//! Asking a provider who a credential belongs to: the read that its manifest names, with an empty
//! input, through the live way out.

use super::Connections;
use placet_adapters::identity::{Account, Error as IdentityError};
use placet_adapters::manifest::Way;
use placet_adapters::{
    Call, CallIntegration, Cause, Manifest, Occurrence, Phase, Redirects, RenderInput, Sent,
    classify, render,
};
use placet_model::integration::Integration;
use placet_model::manifest::Outcome;
use placet_model::{IntegrationId, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

/// Bytes of the provider's answer.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Letters of a provider's word that stand in an event.
const CODE_LETTERS_MAX: usize = 64;

/// What the provider says of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Whose it is.
    Account(Account),
    /// It is good, and the provider does not say whose it is; the scopes where it tells them.
    Good(Option<Vec<String>>),
    /// It is refused, in a word.
    Refused(String),
    /// Nothing: it was not reached, or has no time for us. The credential may be good.
    Nothing(String),
}

/// Why nobody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CannotAsk {
    /// An engine in sandbox mode.
    InSandbox,
    /// The manifest names no call that would tell.
    Unanswerable,
    /// There is nothing to ask with.
    WithoutCredential,
}

impl CannotAsk {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::InSandbox => "an engine in sandbox mode asks nobody: start it with --mode live",
            Self::Unanswerable => {
                "its provider has no call that tells whose a credential is; it acts under the \
                 credential's own lineage"
            }
            Self::WithoutCredential => {
                "it has no credential to ask with: placet integrations rotate"
            }
        }
    }
}

impl Connections {
    /// Whether the provider can be asked.
    pub(super) fn can_ask(
        &self,
        manifest: &Manifest,
        credential_version: u32,
    ) -> Result<(), CannotAsk> {
        if self.live.is_none() {
            return Err(CannotAsk::InSandbox);
        }
        let is_asked = |way| manifest.identity_test_of(way).is_some();
        if ![Way::Shown, Way::Signed].into_iter().any(is_asked) {
            return Err(CannotAsk::Unanswerable);
        }
        if credential_version == 0 {
            return Err(CannotAsk::WithoutCredential);
        }
        Ok(())
    }

    /// Whether it can be asked of this version, and with which operation.
    pub(super) async fn asked_with<'m>(
        &self,
        manifest: &'m Manifest,
        (id, version): (IntegrationId, u32),
    ) -> Result<&'m str, CannotAsk> {
        self.can_ask(manifest, version)?;
        let test = self.identity_test(manifest, (id, version)).await;
        Ok(test.ok_or(CannotAsk::Unanswerable)?.operation().name())
    }

    /// Asks with one version of a credential. The caller has recorded its use.
    pub(super) async fn ask(
        &self,
        manifest: &Manifest,
        (integration, version): (&Integration, u32),
        now: Timestamp,
    ) -> Said {
        let test = self.identity_test(manifest, (integration.id, version)).await;
        let (Some(test), Some(live)) = (test, &self.live) else {
            return Said::Nothing("nobody can be asked".to_owned());
        };
        let (operation, input) = (Arc::clone(test.operation()), json!({}));
        let given = RenderInput {
            settings: &integration.settings,
            input: &input,
            send_id: "",
            draft_time: now,
            authentication: None,
        };
        let rendered = match render(&operation, given) {
            Ok(rendered) => rendered,
            Err(error) => return Said::Nothing(crate::turn::describe(&error)),
        };
        let call = Call {
            attempt: None,
            timeout: operation.timeout(),
            operation: Arc::clone(&operation),
            integration: Some(CallIntegration {
                id: integration.id,
                name: integration.name.clone(),
                credential_version: version,
            }),
            request: Arc::new(rendered.request),
            input: Arc::new(input),
            occurrence: Occurrence { seen: None, now },
            redirects: Redirects::Never,
            send_id: String::new(),
            response_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = live.perform(call).await;
        if let Err(failed) = &answer {
            // a hole that cannot be filled, and a target that our own rules forbid, are ours to mend
            let ours = failed.phase == Phase::BeforeSend
                && matches!(failed.cause, Cause::Hole | Cause::Refused);
            let words = failed.to_string();
            return if ours { Said::Refused(code(&words)) } else { Said::Nothing(words) };
        }
        let mode = match self.mode(manifest, (integration.id, version)).await {
            Ok(mode) => mode,
            // ours to mend, as a hole that cannot be filled
            Err(why) => return Said::Refused(code(&why.to_string())),
        };
        match test.account(&answer, mode.as_deref()) {
            Ok(Some(account)) => Said::Account(account),
            Ok(None) => Said::Good(test.scopes(&answer)),
            Err(IdentityError::Unnamed { .. }) => Said::Refused("unnamed".to_owned()),
            Err(IdentityError::Refused) => {
                let settings = &integration.settings;
                let sent = Sent { input: &Value::Null, settings, send_id: "" };
                let classified = classify(&operation, &answer, sent, now);
                let word = classified.error.map(|error| error.code);
                let status = classified.status.unwrap_or_default();
                let word = word.unwrap_or_else(|| format!("status {status}"));
                match classified.outcome {
                    Outcome::Reconnect | Outcome::RefusedPermanent => Said::Refused(code(&word)),
                    // a manifest whose read has no word for it: the status is plain enough
                    _ if matches!(status, 401 | 403) => Said::Refused(code(&word)),
                    _ => Said::Nothing(format!("it answered {status} ({})", code(&word))),
                }
            }
        }
    }
}

/// A provider's word as it may stand in an event: short, one line, no odd letters.
fn code(word: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_graphic() { letter } else { ' ' };
    word.chars().take(CODE_LETTERS_MAX).map(plain).collect()
}
