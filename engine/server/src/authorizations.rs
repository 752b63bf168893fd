//! Authorizations under way: somebody has been sent to a provider, and has not come back yet.
//!
//! Each is good for ten minutes, for the browser that has opened its link, for one provider, one
//! integration and one answer. All of it is in this process only: a restart ends every one of them, and
//! nothing of them is written anywhere. What was used is forgotten with its secrets; how it went stays
//! until the table is full, for those who wait.

use crate::caller::Caller;
use crate::token::{Kept, Recognizer, Token};
use placet_adapters::SecretText;
use placet_adapters::oauth::AppClient;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a person may take.
pub(crate) const LIFETIME: Duration = Duration::from_mins(10);
/// Under way or remembered at once; a further one forgets the oldest.
const KEPT_MAX: usize = 64;

/// What is to be connected once the person comes back.
#[derive(Debug, Clone)]
pub(crate) struct Intent {
    /// Who asked for it, and in whose name it is connected.
    pub(crate) caller: Caller,
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) settings: Value,
    pub(crate) default: Option<bool>,
    pub(crate) client: AppClient,
    /// Fields of the credential that no token endpoint gives.
    pub(crate) fields: BTreeMap<String, SecretText>,
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect_uri: String,
    pub(crate) state: SecretText,
    pub(crate) verifier: SecretText,
}

/// How it stands.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// The person has not come back.
    Waiting,
    Connected(Value),
    Failed {
        code: &'static str,
        words: String,
    },
}

/// The table.
#[derive(Debug)]
pub(crate) struct Authorizations {
    recognizer: Recognizer,
    cookie: String,
    rows: Mutex<VecDeque<Row>>,
}

#[derive(Debug)]
struct Row {
    id: String,
    begun: Instant,
    /// Opens the link once.
    ticket: Option<Kept>,
    /// What the provider sends back, once.
    state: Kept,
    /// The browser that has opened the link.
    browser: Option<Kept>,
    intent: Option<Intent>,
    stage: Stage,
}

/// A link, and the name under which others ask how it stands.
pub(crate) struct Begun {
    pub(crate) id: String,
    pub(crate) ticket: Token,
}

/// Why what came back is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// Unknown, used, or of before a restart.
    Unknown,
    Late,
    OtherBrowser,
    OtherProvider,
}

impl NotTaken {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Unknown => {
                "this answer belongs to no authorization under way here, or was used before"
            }
            Self::Late => "more than ten minutes have passed since the link was made",
            Self::OtherBrowser => "the link was opened in another browser",
            Self::OtherProvider => "the answer came back on the path of another provider",
        }
    }
}

impl Authorizations {
    /// Cookies are shared among the ports of a host, so the port stands in the name.
    pub(crate) fn new(port: u16) -> Self {
        let cookie = format!("placet_grant_{port}");
        Self { recognizer: Recognizer::new(), cookie, rows: Mutex::default() }
    }

    fn rows(&self) -> MutexGuard<'_, VecDeque<Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, intent: Intent) -> Begun {
        let (ticket, id) = (Token::random(), Token::random().expose()[..16].to_owned());
        let row = Row {
            id: id.clone(),
            begun: Instant::now(),
            ticket: Some(self.recognizer.keep(&ticket)),
            state: self.recognizer.keep(&Token::new(intent.state.expose())),
            browser: None,
            intent: Some(intent),
            stage: Stage::Waiting,
        };
        let mut rows = self.rows();
        // one at a time for an integration: an older link of the same name is dead
        let name = row.intent.as_ref().map(|intent| intent.name.clone());
        for older in rows.iter_mut() {
            if older.intent.as_ref().map(|intent| &intent.name) == name.as_ref() {
                older.end(Stage::Failed {
                    code: "PL5031",
                    words: "a newer link was made".to_owned(),
                });
            }
        }
        if rows.len() == KEPT_MAX {
            rows.pop_front();
        }
        rows.push_back(row);
        Begun { id, ticket }
    }

    /// Opens a link, once: gives what to send the person with, and the browser's cookie.
    pub(crate) fn open(&self, ticket: &str, secure: bool) -> Option<(Intent, String)> {
        let mut rows = self.rows();
        let row = rows
            .iter_mut()
            .find(|row| row.ticket.as_ref().is_some_and(|kept| self.recognizer.is(kept, ticket)))?;
        row.ticket = None;
        if row.begun.elapsed() >= LIFETIME {
            row.late();
            return None;
        }
        let browser = Token::random();
        row.browser = Some(self.recognizer.keep(&browser));
        let (name, value, age) = (&self.cookie, browser.expose(), LIFETIME.as_secs());
        let secure = if secure { "; Secure" } else { "" };
        // a provider sends the person back from another site, which `Strict` would not let through
        let cookie = format!(
            "{name}={value}; Path=/integrations; HttpOnly; SameSite=Lax; Max-Age={age}{secure}"
        );
        Some((row.intent.clone()?, cookie))
    }

    /// Takes what came back, once: whatever is wrong with it, its state is good for nothing more.
    pub(crate) fn take(
        &self,
        (provider, state): (&str, &str),
        browser: Option<&str>,
    ) -> Result<(String, Intent), NotTaken> {
        let mut rows = self.rows();
        let row = rows.iter_mut().find(|row| self.recognizer.is(&row.state, state));
        let Some(row) = row else { return Err(NotTaken::Unknown) };
        let Some(intent) = row.intent.take() else { return Err(NotTaken::Unknown) };
        row.ticket = None;
        let known = row.browser.as_ref().zip(browser);
        let not_taken = if row.begun.elapsed() >= LIFETIME {
            Some(NotTaken::Late)
        } else if !known.is_some_and(|(kept, given)| self.recognizer.is(kept, given)) {
            Some(NotTaken::OtherBrowser)
        } else {
            (intent.provider != provider).then_some(NotTaken::OtherProvider)
        };
        if let Some(why) = not_taken {
            row.end(Stage::Failed { code: "PL5031", words: why.words().to_owned() });
            return Err(why);
        }
        Ok((row.id.clone(), intent))
    }

    /// How it went.
    pub(crate) fn settle(&self, id: &str, stage: Stage) {
        if let Some(row) = self.rows().iter_mut().find(|row| row.id == id) {
            row.end(stage);
        }
    }

    /// How it stands.
    pub(crate) fn stage(&self, id: &str) -> Option<Stage> {
        let mut rows = self.rows();
        let row = rows.iter_mut().find(|row| row.id == id)?;
        if row.intent.is_some() && row.begun.elapsed() >= LIFETIME {
            row.late();
        }
        Some(row.stage.clone())
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }
}

impl Row {
    fn end(&mut self, stage: Stage) {
        (self.intent, self.ticket, self.browser) = (None, None, None);
        self.stage = stage;
    }

    fn late(&mut self) {
        self.end(Stage::Failed { code: "PL5031", words: NotTaken::Late.words().to_owned() });
    }
}
