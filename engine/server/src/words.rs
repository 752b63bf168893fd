//! The words of a connection's life over a message bus: the same acts as over HTTP, by the same functions.
//! Who asks is what the bus vouches for; here it is looked at what was signed, that a request id has one
//! answer, and that a credential came over a way that may carry one.

use crate::api;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::repeat;
use axum::Json as Answered;
use axum::extract::State;
use placet_executor::inbox;
use placet_model::decision::Assurance;
use placet_model::{Digest, Principal, canonical};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// A member of a body that holds secrets, and those of what surrounds it.
const SECRETS: [&str; 2] = ["credential", "client"];
/// Beside secrets in a signed body: without it the digest in the log could be tried out.
const SALT: &str = "salt";
const SALT_LEN: usize = 32;

/// One request.
pub struct Request {
    /// Who asks.
    pub user: Principal,
    /// How sure that is.
    pub assurance: Assurance,
    /// The same one gives the same answer.
    pub repeat: Option<String>,
    /// `list`, `show`, `uses`, `connect`, `authorize`, `stage`, `test`, `enable`, `disable`, `rotate`,
    /// `scope`, `sync`, `hooks` or `disconnect`.
    pub word: &'static str,
    /// The body, or `{document, signature, body}`.
    pub body: Map<String, Value>,
}

impl fmt::Debug for Request {
    /// Without the body, which may hold a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("user", &self.user)
            .field("word", &self.word)
            .finish_non_exhaustive()
    }
}

/// Whether a credential may stand in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// The way is encrypted, or does not leave this machine.
    Secrets,
    /// Others may read along.
    NoSecrets,
}

/// Answers words. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    app: Arc<App>,
    carries: Carries,
}

impl Desk {
    pub(crate) const fn new(app: Arc<App>, carries: Carries) -> Self {
        Self { app, carries }
    }

    /// Does what is asked; answers after the commit.
    ///
    /// # Errors
    /// A lawful no, in the words of the reference page.
    pub async fn ask(&self, request: Request) -> Result<Value, inbox::Problem> {
        let this = self.clone();
        // on a task of its own: who asks again must find the answer
        let done = tokio::spawn(async move { this.once(request).await }).await;
        let answer = done.unwrap_or_else(|error| Err(Problem::internal(&error)));
        answer.map_err(|problem| problem.to_inbox())
    }

    async fn once(&self, request: Request) -> Result<Value, Problem> {
        let Request { user, assurance, repeat: request_id, word, body } = request;
        let caller = Caller { principal: user, assurance, request_id };
        if is_reading(word) {
            return self.act(&caller, word, body).await;
        }
        let asked = asked(word, &body)?;
        let act = async { self.act(&caller, word, self.opened(&caller, word, body).await?).await };
        repeat::kept(&self.app, &caller, asked, act).await
    }

    /// The body, as it was signed where signatures are demanded.
    async fn opened(
        &self,
        caller: &Caller,
        word: &str,
        body: Map<String, Value>,
    ) -> Result<Map<String, Value>, Problem> {
        let is_signed = body.contains_key("document");
        if !is_signed && !self.app.handle.demands_signatures() {
            return self.unsealed(body);
        }
        let word = format!("integrations.{word}");
        let body = self.app.handle.open_request(&caller.principal, &word, &body).await?;
        let Value::Object(mut body) = body else {
            return Err(Problem::malformed("body: a JSON object is needed"));
        };
        let salt = body.remove(SALT);
        let salt = salt.as_ref().and_then(Value::as_str).unwrap_or_default();
        let has_secrets = SECRETS.iter().any(|name| body.contains_key(*name));
        if has_secrets && placet_model::signed::bytes::<SALT_LEN>(SALT, salt).is_err() {
            let words = "salt: beside a credential, 32 random bytes in base64url belong into what is signed";
            return Err(Problem::malformed(words));
        }
        self.unsealed(body)
    }

    fn unsealed(&self, body: Map<String, Value>) -> Result<Map<String, Value>, Problem> {
        if self.carries == Carries::NoSecrets
            && let Some(name) = SECRETS.iter().find(|name| body.contains_key(**name))
        {
            return Err(Problem::new(
                "PL4066",
                format!("{name}: the way to the NATS server is open"),
            ));
        }
        Ok(body)
    }

    async fn act(
        &self,
        caller: &Caller,
        word: &str,
        body: Map<String, Value>,
    ) -> Result<Value, Problem> {
        let (app, caller) = (State(Arc::clone(&self.app)), caller.clone());
        let Answered(answer) = api::words(app, caller, word, body).await?;
        Ok(answer)
    }
}

fn is_reading(word: &str) -> bool {
    matches!(word, "list" | "show" | "uses" | "stage")
}

fn asked(word: &str, body: &Map<String, Value>) -> Result<Digest, Problem> {
    let whole = serde_json::json!({ "word": word, "body": body });
    let bytes = canonical::to_bytes(&whole);
    Ok(Digest::of(&bytes.map_err(|error| Problem::malformed(format!("body: {error}")))?))
}
