//! The calls of our own that change something at a provider: a webhook is asked for, gone on with and taken
//! away; a credential is given back. Nobody votes on them, since an operator's act is their approval, and
//! no workflow can ask for one. But what leaves is on record, as it is of what people approve:
//!
//! ```text
//! OwnCallStarted   on disk before a byte leaves; the digest of the prepared request, secrets as named holes
//!   the call
//! OwnCallEnded     what came of it, by the id of that event
//! ```
//!
//! Invariants:
//!
//! * Nothing leaves that is not on record: where the first event cannot be written, nobody is asked.
//! * The digest is that of [`PreparedRequest`], as of a draft: every byte that leaves is in it, and a secret is not,
//!   so that nobody who guesses one can try it.
//! * A beginning without an end says that a process ended in between: it may have arrived. No later event is
//!   made up for it. What stands at the provider is looked for at the next start all the same
//!   ([`super::hooks`]), by calls that are on record themselves.

use super::desk::Desk;
use crate::handle::{Error, Handle};
use placet_adapters::{Answer, Phase};
use placet_model::event::hook::{OwnCallEnded, OwnCallOutcome, OwnCallPurpose, OwnCallStarted};
use placet_model::integration::Integration;
use placet_model::request::PreparedRequest;
use placet_model::{Actor, EventId, IntegrationId, Principal};

/// A call that is about to leave.
#[derive(Debug, Clone)]
pub struct OwnCall<'a> {
    /// Whose credential it goes with.
    pub integration: &'a Integration,
    /// What for.
    pub purpose: OwnCallPurpose,
    /// The operation, with its provider.
    pub operation: String,
    /// What leaves, holes open.
    pub request: &'a PreparedRequest,
}

/// A call that is on record, and may leave now.
#[derive(Debug)]
#[must_use = "what comes of it is to be recorded"]
pub struct Begun {
    integration: IntegrationId,
    call: EventId,
}

impl Desk {
    /// Records that a call is about to leave.
    ///
    /// # Errors
    /// Where it cannot be recorded: then it must not leave.
    pub(super) async fn begin(&self, call: &OwnCall<'_>) -> Result<Begun, Error> {
        let integration = call.integration.id;
        let started = OwnCallStarted {
            integration,
            purpose: call.purpose,
            operation: call.operation.clone(),
            credential_version: call.integration.credential_version,
            method: call.request.method.clone(),
            url: place_of(call.request),
            request_digest: call.request.digest(),
        };
        let call = self.record_one(integration, started.into()).await?;
        Ok(Begun { integration, call })
    }

    /// Records what came of it.
    ///
    /// # Errors
    /// Where it cannot be recorded: then the log says that it began, and no more.
    pub(super) async fn end(
        &self,
        begun: Begun,
        answer: &Answered,
        (outcome, code): (OwnCallOutcome, Option<String>),
    ) -> Result<(), Error> {
        let Begun { integration, call } = begun;
        let outcome = if answer.is_unsent { OwnCallOutcome::Unsent } else { outcome };
        let status = answer.status;
        let ended = OwnCallEnded { integration, call, outcome, status, code };
        self.record_one(integration, ended.into()).await.map(|_| ())
    }
}

/// What an answer says whatever it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    status: Option<u16>,
    is_unsent: bool,
}

impl Answered {
    pub(super) fn of(answer: &Answer) -> Self {
        match answer {
            Ok(response) => Self { status: Some(response.status), is_unsent: false },
            Err(failed) => Self { status: None, is_unsent: failed.phase == Phase::BeforeSend },
        }
    }
}

impl Handle {
    /// Records that a call of an operator's act is about to leave; only then it may.
    ///
    /// # Errors
    /// Where it cannot be recorded: then it must not leave.
    pub async fn begin_own_call(
        &self,
        actor: &Principal,
        call: &OwnCall<'_>,
    ) -> Result<Begun, Error> {
        self.desk(Actor::Principal(actor.clone())).begin(call).await
    }

    /// Records what came of it: the provider has done it, or its answer says otherwise.
    ///
    /// # Errors
    /// Where it cannot be recorded: then the log says that it began, and no more.
    pub async fn end_own_call(
        &self,
        begun: Begun,
        (answer, is_done): (&Answer, bool),
    ) -> Result<(), Error> {
        let (outcome, code) = match answer {
            _ if is_done => (OwnCallOutcome::Done, None),
            Ok(_) => (OwnCallOutcome::Refused, None),
            Err(failed) => {
                (OwnCallOutcome::Unclear, Some(super::remote::word(&failed.to_string())))
            }
        };
        self.desk(Actor::Engine).end(begun, &Answered::of(answer), (outcome, code)).await
    }
}

/// Where a request goes, up to its query, with its holes open.
fn place_of(request: &PreparedRequest) -> String {
    let text = request.url.to_string();
    let place = text.split(['?', '#']).next().unwrap_or_default();
    // nobody should write a name and a password before the host; they would be no settings
    match place.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_model::request::{Body, Hole, HoleKind, HoledText, Part};

    #[test]
    fn where_a_call_goes_is_said_without_its_query_and_without_a_secret() {
        let place = |parts: Vec<Part>| {
            let (method, url) = ("POST".to_owned(), HoledText(parts));
            place_of(&PreparedRequest { method, url, headers: vec![], body: Body::Empty })
        };
        let text = |text: &str| Part::Text(text.to_owned());
        let hole = Part::Hole(Hole { hole: HoleKind::Credential, name: "bot_token".to_owned() });
        assert_eq!(
            place(vec![
                text("https://t.example/bot"),
                hole.clone(),
                text("/setWebhook?secret_token="),
                hole
            ]),
            "https://t.example/bot‹credential:bot_token›/setWebhook"
        );
        assert_eq!(place(vec![text("https://a:b@t.example:8443")]), "https://t.example:8443");
        assert_eq!(place(vec![text("https://t.example/@me#x")]), "https://t.example/@me");
    }
}
