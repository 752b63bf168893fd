//! The login link and the sessions that it begins. Both live in this process only: a restart ends
//! every session and makes a new link.

use crate::token::{Kept, Recognizer, Token};
use axum::http::{HeaderMap, header};
use placet_model::Principal;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a session lasts.
const LIFETIME: Duration = Duration::from_hours(12);
/// Sessions at once; a further one ends the oldest.
const SESSIONS_MAX: usize = 32;

/// The login link's token until it is used, and the sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    recognizer: Recognizer,
    cookie: String,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    login: Option<Kept>,
    sessions: VecDeque<(Kept, Instant)>,
}

impl Sessions {
    /// Cookies are shared among the ports of a host, so the port stands in the name.
    pub(crate) fn new(login: Option<&Token>, port: u16) -> Self {
        let recognizer = Recognizer::new();
        let login = login.map(|login| recognizer.keep(login));
        let inner = Mutex::new(Inner { login, sessions: VecDeque::new() });
        Self { recognizer, cookie: format!("placet_session_{port}"), inner }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses the login link up. Gives the `Set-Cookie` of a new session.
    pub(crate) fn log_in(&self, given: &str) -> Option<String> {
        let mut inner = self.lock();
        if !inner.login.as_ref().is_some_and(|kept| self.recognizer.is(kept, given)) {
            return None;
        }
        inner.login = None;
        let token = Token::random();
        if inner.sessions.len() == SESSIONS_MAX {
            inner.sessions.pop_front();
        }
        inner.sessions.push_back((self.recognizer.keep(&token), Instant::now()));
        let age = LIFETIME.as_secs();
        let (name, value) = (&self.cookie, token.expose());
        Some(format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}"))
    }

    /// A new login link in the place of the one before, for somebody who is logged in.
    pub(crate) fn new_link(&self) -> Token {
        let token = Token::random();
        self.lock().login = Some(self.recognizer.keep(&token));
        token
    }

    /// Whether the request carries the cookie of a session.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(given) = self.cookie_of(headers) else { return false };
        let mut inner = self.lock();
        inner.sessions.retain(|(_, since)| since.elapsed() < LIFETIME);
        inner
            .sessions
            .iter()
            .fold(false, |found, (kept, _)| found | self.recognizer.is(kept, given))
    }

    /// What the forms of this session carry while it acts as this one: made from the session's own
    /// token, so it ends with the session, and nobody else's form has it.
    pub(crate) fn form_token(&self, headers: &HeaderMap, acting: &Principal) -> String {
        let session = self.cookie_of(headers).unwrap_or_default();
        self.recognizer.mark(&format!("form\n{session}\n{acting}"))
    }

    /// Whether `given` is the token that a form had to carry; constant in time.
    pub(crate) fn is_form_token(&self, given: &str, wanted: &str) -> bool {
        self.recognizer.is(&self.recognizer.keep(&Token::new(wanted)), given)
    }

    fn cookie_of<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).map(str::trim);
        pairs.find_map(|pair| pair.strip_prefix(self.cookie.as_str())?.strip_prefix('='))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_token_is_that_of_one_session_and_one_acting_user() {
        let sessions = Sessions::new(None, 1);
        let of =
            |cookie: &str, who: &str| sessions.form_token(&headers(cookie), &who.parse().unwrap());
        let token = of("placet_session_1=a", "author");
        assert!(sessions.is_form_token(&token, &of("placet_session_1=a", "author")));
        for other in [of("placet_session_1=b", "author"), of("placet_session_1=a", "approver")] {
            assert!(!sessions.is_form_token(&token, &other));
        }
        assert!(!sessions.is_form_token("", &token));
    }

    fn headers(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn a_link_logs_in_once() {
        let link = Token::random();
        let sessions = Sessions::new(Some(&link), 1);
        assert!(sessions.log_in("guess").is_none());
        let cookie = sessions.log_in(link.expose()).unwrap();
        let pair = cookie.split(';').next().unwrap();
        assert!(sessions.admits(&headers(&format!("other=1; {pair}"))));
        assert!(!sessions.admits(&headers("placet_session_1=guess")));
        assert!(!sessions.admits(&HeaderMap::new()));
        assert!(sessions.log_in(link.expose()).is_none());
    }
}
