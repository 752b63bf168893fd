//! What the answer of a token endpoint is worth, whoever asked and with whatever proof, and when the token in
//! it is renewed.

use super::grant::{GrantError, Granted, provider_words};
use crate::pointer::Pointer;
use crate::predicate::{Observed, When};
use crate::secret::SecretText;
use crate::transport::{Answer, Phase, Response};
use crate::wait::Unit;
use placet_model::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// Bytes of a token that is kept.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// How long before its end a token is renewed where the manifest says nothing.
const BEFORE_MS: i64 = 5 * 60_000;

/// Where a token endpoint's answer says what.
#[derive(Debug)]
pub(crate) struct TokenAnswer {
    pub(crate) success: Vec<When>,
    pub(crate) token_at: Pointer,
    /// None where there is no refresh token.
    pub(crate) refresh_at: Option<Pointer>,
    pub(crate) expires_at: Pointer,
    pub(crate) expires_unit: Unit,
    pub(crate) scope_at: Pointer,
    pub(crate) dead: Vec<When>,
    pub(crate) refresh_before: Option<Duration>,
    /// The credential field in which the token stands.
    pub(crate) access_field: String,
}

impl TokenAnswer {
    /// The tokens in an answer that came at `now`.
    ///
    /// # Errors
    /// Each way in which there are none.
    pub(crate) fn granted(
        &self,
        host: &str,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Granted, GrantError> {
        let host = || host.to_owned();
        let response = match answer {
            Ok(response) => response,
            Err(failed) if failed.phase == Phase::BeforeSend => {
                return Err(GrantError::Unavailable { host: host(), words: failed.detail.clone() });
            }
            Err(failed) => {
                return Err(GrantError::Lost { host: host(), words: failed.detail.clone() });
            }
        };
        let observed = Observed::new(answer);
        let body = observed.body.as_ref().unwrap_or(&Value::Null);
        let words = provider_words(body);
        if self.dead.iter().any(|when| when.holds(&observed)) || body["error"] == "invalid_grant" {
            return Err(GrantError::Over { host: host(), words });
        }
        if response.status == 429 || response.status >= 500 {
            let words = format!("it answered with status {}", response.status);
            return Err(GrantError::Unavailable { host: host(), words });
        }
        let good = (200..=299).contains(&response.status)
            && self.success.iter().all(|when| when.holds(&observed));
        if !good {
            let status = || format!("status {}", response.status);
            let words = if words.is_empty() { status() } else { words };
            return Err(GrantError::Refused { host: host(), words });
        }
        self.read(host(), (response, body), now)
    }

    fn read(
        &self,
        host: String,
        (response, body): (&Response, &Value),
        now: Timestamp,
    ) -> Result<Granted, GrantError> {
        let access = self.token_at.get(body).and_then(Value::as_str);
        let Some(access) = access else {
            return Err(GrantError::Unusable { host, reason: "there is none" });
        };
        let refresh = self.refresh_at.as_ref().and_then(|at| at.get(body)).and_then(Value::as_str);
        let usable = |token: &str| {
            (1..=TOKEN_BYTES_MAX).contains(&token.len())
                && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !usable(access) || !refresh.is_none_or(usable) {
            let reason = "it holds what no header can carry, or is too long";
            return Err(GrantError::Unusable { host, reason });
        }
        let expires_in = self.life(response, body, now);
        if expires_in.is_none() && self.expires_unit != Unit::Seconds {
            return Err(GrantError::Unusable { host, reason: "it does not say when it ends" });
        }
        Ok(Granted {
            access: SecretText::new(access),
            refresh: refresh.map(SecretText::new),
            expires_in,
            scopes: self.scopes(body),
        })
    }

    /// How long the token lives. A moment is told by the provider's clock: where its answer says what that
    /// shows, ours has no part in it.
    fn life(&self, response: &Response, body: &Value, now: Timestamp) -> Option<Duration> {
        let text = match self.expires_at.get(body)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        let Some(end) = self.expires_unit.moment(&text) else {
            return (self.expires_unit == Unit::Seconds).then(|| seconds(&text)).flatten();
        };
        let theirs = response.header("date").and_then(|text| Unit::HttpDate.moment(text));
        let left = end.saturating_sub(theirs.unwrap_or(now.as_millis()));
        // one that is over already is renewed at once, and never one that lasts
        Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    }

    fn scopes(&self, body: &Value) -> Option<Vec<String>> {
        let text = self.scope_at.get(body)?.as_str()?;
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        Some(words.map(str::to_owned).collect())
    }

    /// As [`GrantSpec::due_at`](super::GrantSpec::due_at).
    pub(crate) fn due_at(
        &self,
        issued_at: Timestamp,
        expires_at: Timestamp,
        spread: u8,
    ) -> Timestamp {
        let life = expires_at.as_millis().saturating_sub(issued_at.as_millis()).max(0);
        let asked = self.refresh_before.map(|before| before.as_millis());
        let before = asked.and_then(|before| i64::try_from(before).ok()).unwrap_or(BEFORE_MS);
        // a token that lives shorter than that is renewed in its last fifth
        let before = before.min(life / 5);
        let earlier = before / 4 * i64::from(spread) / 255;
        expires_at.plus_millis(-(before + earlier))
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds))
}
