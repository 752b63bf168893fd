//! The login link and the sessions: of `dev`, whose bearer may act as anybody, and of people who have
//! logged in at a login server. All of it lives in this process only: a restart ends every session and makes
//! a new link.
//!
//! A session is over after twelve hours, and one of a person an hour after they last did something; what a
//! page fetches by itself is nothing that they do.

use crate::access::Bearer;
use crate::token::{Kept, Recognizer, Token};
use axum::http::{HeaderMap, header};
use placet_model::Principal;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a session lasts.
const LIFETIME: Duration = Duration::from_hours(12);
/// How long one of a person lasts in which they do nothing.
const IDLE: Duration = Duration::from_hours(1);
/// Sessions at once; a further one ends the oldest.
const SESSIONS_MAX: usize = 1024;

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
    /// By the mark of their token.
    sessions: BTreeMap<String, Session>,
}

#[derive(Debug)]
struct Session {
    of: Bearer,
    since: Instant,
    seen: Instant,
}

impl Session {
    fn is_good(&self, now: Instant) -> bool {
        let idle = match self.of {
            Bearer::Anybody => LIFETIME,
            Bearer::One(_) => IDLE,
        };
        let (age, rest) = (now.duration_since(self.since), now.duration_since(self.seen));
        age < LIFETIME && rest < idle
    }
}

/// A session as its person sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) minutes: u64,
    pub(crate) idle_minutes: u64,
    pub(crate) is_this: bool,
}

impl Sessions {
    /// Cookies are shared among the ports of a host, so the port stands in the name.
    pub(crate) fn new(login: Option<&Token>, port: u16) -> Self {
        let recognizer = Recognizer::new();
        let login = login.map(|login| recognizer.keep(login));
        let inner = Mutex::new(Inner { login, sessions: BTreeMap::new() });
        Self { recognizer, cookie: format!("placet_session_{port}"), inner }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, token: &str) -> String {
        self.recognizer.mark(&format!("session\n{token}"))
    }

    /// Uses the login link up. Gives the `Set-Cookie` of a new session.
    pub(crate) fn log_in(&self, given: &str) -> Option<String> {
        let mut inner = self.lock();
        if !inner.login.as_ref().is_some_and(|kept| self.recognizer.is(kept, given)) {
            return None;
        }
        inner.login = None;
        drop(inner);
        Some(self.began(Bearer::Anybody, "", Instant::now()))
    }

    /// Begins a session of a person. Gives its `Set-Cookie`; `secure` where TLS ends before us.
    pub(crate) fn begin(&self, who: &Principal, secure: bool) -> String {
        let secure = if secure { "; Secure" } else { "" };
        self.began(Bearer::One(who.clone()), secure, Instant::now())
    }

    fn began(&self, of: Bearer, secure: &str, now: Instant) -> String {
        let token = Token::random();
        let mut inner = self.lock();
        inner.sessions.retain(|_, session| session.is_good(now));
        if inner.sessions.len() >= SESSIONS_MAX {
            let oldest = inner.sessions.iter().min_by_key(|(_, session)| session.since);
            if let Some(oldest) = oldest.map(|(mark, _)| mark.clone()) {
                drop(inner.sessions.remove(&oldest));
            }
        }
        let session = Session { of, since: now, seen: now };
        drop(inner.sessions.insert(self.mark(token.expose()), session));
        let age = LIFETIME.as_secs();
        let (name, value) = (&self.cookie, token.expose());
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
    }

    /// A new login link in the place of the one before, for somebody who is logged in.
    pub(crate) fn new_link(&self) -> Token {
        let token = Token::random();
        self.lock().login = Some(self.recognizer.keep(&token));
        token
    }

    /// Whose session the request carries the cookie of.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> Option<Bearer> {
        self.admitted(headers, Instant::now())
    }

    fn admitted(&self, headers: &HeaderMap, now: Instant) -> Option<Bearer> {
        let mark = self.mark(cookie(headers, &self.cookie)?);
        let mut inner = self.lock();
        let session = inner.sessions.get_mut(&mark)?;
        if !session.is_good(now) {
            drop(inner.sessions.remove(&mark));
            return None;
        }
        if !headers.contains_key("hx-request") {
            session.seen = now;
        }
        Some(session.of.clone())
    }

    /// Ends the session of the request. Gives what takes its cookie away.
    pub(crate) fn end(&self, headers: &HeaderMap) -> String {
        let given = cookie(headers, &self.cookie).unwrap_or_default();
        drop(self.lock().sessions.remove(&self.mark(given)));
        format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", self.cookie)
    }

    /// Ends every session of a person.
    pub(crate) fn end_all(&self, who: &Principal) {
        let mine = Bearer::One(who.clone());
        self.lock().sessions.retain(|_, session| session.of != mine);
    }

    /// The sessions of a person, the newest first.
    pub(crate) fn of(&self, who: &Principal, headers: &HeaderMap) -> Vec<Shown> {
        let (now, mine) = (Instant::now(), Bearer::One(who.clone()));
        let this = self.mark(cookie(headers, &self.cookie).unwrap_or_default());
        let inner = self.lock();
        let theirs = inner.sessions.iter().filter(|(_, one)| one.of == mine && one.is_good(now));
        let minutes = |since: Instant| now.duration_since(since).as_secs() / 60;
        let mut shown: Vec<Shown> = theirs
            .map(|(mark, session)| Shown {
                minutes: minutes(session.since),
                idle_minutes: minutes(session.seen),
                is_this: *mark == this,
            })
            .collect();
        shown.sort_by_key(|shown| shown.minutes);
        shown
    }

    /// What the forms of this session carry while it acts as this one: made from the session's own
    /// token, so it ends with the session, and nobody else's form has it.
    pub(crate) fn form_token(&self, headers: &HeaderMap, acting: &Principal) -> String {
        let session = cookie(headers, &self.cookie).unwrap_or_default();
        self.recognizer.mark(&format!("form\n{session}\n{acting}"))
    }

    /// Whether `given` is the token that a form had to carry; constant in time.
    pub(crate) fn is_form_token(&self, given: &str, wanted: &str) -> bool {
        self.recognizer.is(&self.recognizer.keep(&Token::new(wanted)), given)
    }
}

/// The value of a cookie.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).map(str::trim);
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
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
        let other = headers(&format!("other=1; {pair}"));
        assert_eq!(sessions.admits(&other), Some(Bearer::Anybody));
        assert_eq!(sessions.admits(&headers("placet_session_1=guess")), None);
        assert_eq!(sessions.admits(&HeaderMap::new()), None);
        assert!(sessions.log_in(link.expose()).is_none());
    }

    #[test]
    fn a_session_is_one_persons_and_over_when_they_say_so_or_do_nothing() {
        let (sessions, now) = (Sessions::new(None, 1), Instant::now());
        let (ana, ben): (Principal, Principal) = ("ana".parse().unwrap(), "ben".parse().unwrap());
        let begin = |who: &Principal| {
            let cookie = sessions.begin(who, true);
            assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Max-Age=43200; Secure"));
            headers(cookie.split(';').next().unwrap())
        };
        let (first, second, bens) = (begin(&ana), begin(&ana), begin(&ben));
        assert_eq!(sessions.admits(&first), Some(Bearer::One(ana.clone())));
        assert_eq!(sessions.of(&ana, &first).iter().filter(|shown| shown.is_this).count(), 1);
        assert_eq!(sessions.of(&ana, &first).len(), 2);
        assert!(sessions.end(&first).contains("Max-Age=0"));
        assert_eq!(sessions.admits(&first), None);
        assert!(sessions.admits(&second).is_some(), "the others go on");
        sessions.end_all(&ana);
        assert!(sessions.admits(&second).is_none() && sessions.admits(&bens).is_some());
        // an hour of nothing; what a page fetches by itself is nothing
        let mut by_itself = bens.clone();
        by_itself.insert("hx-request", "true".parse().unwrap());
        let minute = Duration::from_mins(1);
        assert!(sessions.admitted(&bens, now + 50 * minute).is_some());
        assert!(sessions.admitted(&by_itself, now + 100 * minute).is_some());
        assert!(sessions.admitted(&bens, now + 111 * minute).is_none());
        let mut at = Instant::now();
        let whole = begin(&ben);
        for _ in 0..15 {
            at += 50 * minute;
            let is_good = at.duration_since(now) < LIFETIME;
            assert_eq!(sessions.admitted(&whole, at).is_some(), is_good, "twelve hours at most");
        }
    }
}
