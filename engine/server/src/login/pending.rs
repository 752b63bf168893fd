//! A login under way: the person is at the login server and has not come back. All that is known of it is
//! in a cookie of their browser, sealed with a key of this process, so strangers who begin logins cost
//! nothing and push nobody out; a restart ends every login under way. What the login server is told
//! (`state`, `nonce`, the PKCE verifier) is made from the cookie's secret and that key: whoever has only
//! one of both cannot make it. An answer whose code was redeemed counts once; what the login server did
//! not redeem is not remembered, since anybody can come back with that, as often as they like.

use crate::token::{Recognizer, Token};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use placet_model::Digest;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a person may take.
pub(super) const LIFETIME: Duration = Duration::from_mins(10);
/// Redeemed answers that are remembered, for ten minutes at most. Where there are more the oldest is
/// forgotten, and the login server alone refuses its code (RFC 6749 §4.1.2).
const REDEEMED_MAX: usize = 4096;
/// Bytes of the place to go on to.
const NEXT_MAX: usize = 1024;

/// Makes and takes logins.
#[derive(Debug)]
pub(super) struct Pendings {
    recognizer: Recognizer,
    cookie: String,
    began: Instant,
    redeemed: Mutex<BTreeMap<String, Instant>>,
}

/// What a login is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    secret: String,
    /// Seconds since this process has begun.
    at: u64,
    /// Where the person wanted to go: a path of this server.
    pub(super) next: String,
    /// Comes back with the answer.
    pub(super) state: String,
    /// Comes back in the token.
    pub(super) nonce: String,
    /// Proves to the login server that the code is redeemed by whoever asked for it.
    pub(super) verifier: String,
}

/// Why an answer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    NoCookie,
    Late,
    OtherState,
    Again,
}

impl NotTaken {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::NoCookie => {
                "this browser has begun no login here, or the engine was restarted since"
            }
            Self::Late => "more than ten minutes have passed since this login was begun",
            Self::OtherState => {
                "the answer belongs to another login than the one that this browser has begun"
            }
            Self::Again => "somebody has logged in with this answer before",
        }
    }
}

impl Pendings {
    /// Cookies are shared among the ports of a host, so the port stands in the name.
    pub(super) fn new(port: u16) -> Self {
        Self {
            recognizer: Recognizer::new(),
            cookie: format!("placet_login_{port}"),
            began: Instant::now(),
            redeemed: Mutex::default(),
        }
    }

    pub(super) fn cookie(&self) -> &str {
        &self.cookie
    }

    fn made(&self, (secret, at): (&str, u64), next: String) -> Pending {
        let derived = |what: &str| self.recognizer.mark(&format!("{what}\n{secret}\n{at}"));
        let (state, nonce, verifier) = (derived("state"), derived("nonce"), derived("verifier"));
        Pending { secret: secret.to_owned(), at, next, state, nonce, verifier }
    }

    /// Begins one; gives the `Set-Cookie` as well.
    pub(super) fn begin(&self, next: &str, (now, secure): (Instant, bool)) -> (Pending, String) {
        let next = if next.len() > NEXT_MAX { "/" } else { next };
        let at = now.saturating_duration_since(self.began).as_secs();
        let pending = self.made((Token::random().expose(), at), next.to_owned());
        let place = URL_SAFE_NO_PAD.encode(&pending.next);
        let text = format!("{}.{at}.{place}", pending.secret);
        let seal = self.recognizer.mark(&format!("cookie\n{text}"));
        let (name, age) = (&self.cookie, LIFETIME.as_secs());
        let secure = if secure { "; Secure" } else { "" };
        // the login server sends the person back from another site, which `Strict` would not let through
        let cookie = format!(
            "{name}={text}.{seal}; Path=/login; HttpOnly; SameSite=Lax; Max-Age={age}{secure}"
        );
        (pending, cookie)
    }

    /// Takes what came back from the browser that has begun it.
    pub(super) fn take(
        &self,
        (cookie, state): (Option<&str>, &str),
        now: Instant,
    ) -> Result<Pending, NotTaken> {
        let pending = cookie.and_then(|cookie| self.opened(cookie)).ok_or(NotTaken::NoCookie)?;
        let since = now.saturating_duration_since(self.began).as_secs().saturating_sub(pending.at);
        if since >= LIFETIME.as_secs() {
            return Err(NotTaken::Late);
        }
        let wanted = self.recognizer.keep(&Token::new(pending.state.as_str()));
        if !self.recognizer.is(&wanted, state) {
            return Err(NotTaken::OtherState);
        }
        let redeemed = self.redeemed.lock().unwrap_or_else(PoisonError::into_inner);
        if redeemed.contains_key(&pending.secret) { Err(NotTaken::Again) } else { Ok(pending) }
    }

    /// The login server has redeemed its code: it is good for nothing more.
    pub(super) fn redeemed(&self, pending: &Pending, now: Instant) {
        let mut redeemed = self.redeemed.lock().unwrap_or_else(PoisonError::into_inner);
        redeemed.retain(|_, at| now.saturating_duration_since(*at) < LIFETIME);
        if redeemed.len() >= REDEEMED_MAX
            && let Some(oldest) = redeemed.iter().min_by_key(|(_, at)| **at)
        {
            let oldest = oldest.0.clone();
            redeemed.remove(&oldest);
        }
        redeemed.insert(pending.secret.clone(), now);
    }

    fn opened(&self, cookie: &str) -> Option<Pending> {
        let (text, seal) = cookie.rsplit_once('.')?;
        let wanted = self.recognizer.mark(&format!("cookie\n{text}"));
        if !self.recognizer.is(&self.recognizer.keep(&Token::new(wanted)), seal) {
            return None;
        }
        let (head, place) = text.rsplit_once('.')?;
        let (secret, at) = head.split_once('.')?;
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(place).ok()?).ok()?;
        Some(self.made((secret, at.parse().ok()?), next))
    }
}

impl Pending {
    /// What the login server is shown of the verifier (RFC 7636, S256).
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Digest::of(self.verifier.as_bytes()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(cookie: &str) -> &str {
        cookie.split(';').next().unwrap().split_once('=').unwrap().1
    }

    #[test]
    fn s16_an_answer_is_taken_once_within_ten_minutes_from_the_browser_that_began() {
        let (pendings, now) = (Pendings::new(7480), Instant::now());
        let (pending, cookie) = pendings.begin("/inbox?filter=all", (now, true));
        assert!(cookie.contains("; Path=/login; HttpOnly; SameSite=Lax; Max-Age=600; Secure"));
        let (other, _) = pendings.begin("/", (now, false));
        assert!(![&other.state, &other.nonce, &other.verifier].contains(&&pending.state));
        let mine = pair(&cookie);
        let refused = |cookie: Option<&str>, state: &str, now| {
            pendings.take((cookie, state), now).unwrap_err()
        };
        assert_eq!(refused(None, &pending.state, now), NotTaken::NoCookie);
        assert_eq!(refused(Some(mine), &other.state, now), NotTaken::OtherState);
        assert_eq!(refused(Some(mine), "", now), NotTaken::OtherState);
        let late = now + LIFETIME + Duration::from_secs(1);
        assert_eq!(refused(Some(mine), &pending.state, late), NotTaken::Late);
        for at in [0, 10, 70, mine.len() - 1] {
            let mut forged = mine.as_bytes().to_vec();
            forged[at] = if forged[at] == b'a' { b'b' } else { b'a' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(refused(Some(&forged), &pending.state, now), NotTaken::NoCookie, "{at}");
        }
        let elsewhere = Pendings::new(7480).take((Some(mine), &pending.state), now);
        assert_eq!(elsewhere, Err(NotTaken::NoCookie), "another process has another key");
        assert_eq!(pendings.take((Some(mine), &pending.state), now), Ok(pending.clone()));
        pendings.redeemed(&pending, now);
        assert_eq!(refused(Some(mine), &pending.state, now), NotTaken::Again);
    }

    #[test]
    fn s16_nobody_is_kept_out_by_others_however_many_logins_they_end() {
        let (pendings, now) = (Pendings::new(7480), Instant::now());
        let began = || {
            let (pending, cookie) = pendings.begin("/", (now, true));
            (pending, pair(&cookie).to_owned())
        };
        let (mine, cookie) = began();
        for _stranger in 0..2 * REDEEMED_MAX {
            let (stranger, theirs) = began();
            pendings.take((Some(&theirs), &stranger.state), now).unwrap();
            pendings.redeemed(&stranger, now);
        }
        assert_eq!(pendings.redeemed.lock().unwrap().len(), REDEEMED_MAX);
        assert_eq!(pendings.take((Some(&cookie), &mine.state), now), Ok(mine));
    }
}
