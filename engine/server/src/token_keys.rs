//! The keys that an issuer publishes, fetched through the live way out and kept for a while. They are
//! public, and who could change them on the way could forge every token: so they come over TLS under the
//! same rules as everything else that this engine fetches, and only from where the integration's settings
//! say. A token that names a key which is not here has them fetched anew, and nobody can have that done
//! more than once a minute.

use placet_adapters::http_call;
use placet_adapters::{Adapters, Call, Occurrence, Redirects, Transport};
use placet_model::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The operation that carries a GET.
const READ: &str = "http.read";
/// Bytes of a list of keys.
const KEYS_BYTES_MAX: usize = 256 << 10;
const TIMEOUT: Duration = Duration::from_secs(10);
/// They are good for so long; issuers keep the old one beside the new one for longer.
const GOOD_FOR: Duration = Duration::from_hours(6);
/// Between two fetches, whatever tokens say.
const PAUSE: Duration = Duration::from_mins(1);

/// Lists of keys by their address.
#[derive(Debug, Default)]
pub(crate) struct TokenKeys(Mutex<BTreeMap<String, Kept>>);

#[derive(Debug, Clone)]
struct Kept {
    text: Option<String>,
    fetched: Instant,
    tried: Instant,
}

impl Kept {
    fn has(&self, key_id: &str) -> bool {
        let text = self.text.as_deref().unwrap_or_default();
        let keys: Value = serde_json::from_str(text).unwrap_or_default();
        keys["keys"].as_array().is_some_and(|keys| keys.iter().any(|key| key["kid"] == key_id))
    }
}

impl TokenKeys {
    /// The list at this address, fetched where it is old or lacks the key; none where it was never had.
    pub(crate) async fn get(
        &self,
        (url, key_id): (&str, &str),
        (adapters, live): (&Adapters, &Arc<dyn Transport>),
    ) -> Option<String> {
        // whoever comes meanwhile waits for the one fetch
        let mut all = self.0.lock().await;
        let kept = all.get(url).cloned();
        let usable = |kept: &Kept| kept.fetched.elapsed() < GOOD_FOR && kept.has(key_id);
        if let Some(kept) = &kept
            && (usable(kept) || kept.tried.elapsed() < PAUSE)
        {
            return kept.text.clone();
        }
        let now = Instant::now();
        let kept = match fetched(url, (adapters, live.as_ref())).await {
            Ok(text) => Kept { text: Some(text), fetched: now, tried: now },
            Err(why) => {
                tracing::warn!(url, why, "the keys of an issuer could not be fetched");
                let fetched = kept.as_ref().map_or(now, |kept| kept.fetched);
                Kept { text: kept.and_then(|kept| kept.text), fetched, tried: now }
            }
        };
        let text = kept.text.clone();
        all.insert(url.to_owned(), kept);
        text
    }
}

async fn fetched(
    url: &str,
    (adapters, live): (&Adapters, &dyn Transport),
) -> Result<String, String> {
    let request = http_call::read_request(url, None).map_err(|error| error.story())?;
    let operation = adapters.operation(READ).ok_or("there is no way to read")?;
    let call = Call {
        attempt: None,
        operation: Arc::clone(operation),
        integration: None,
        request: Arc::new(request),
        input: Arc::new(json!({ "endpoint": url })),
        occurrence: Occurrence { seen: None, now: Timestamp::EPOCH },
        redirects: Redirects::Never,
        timeout: TIMEOUT,
        send_id: String::new(),
        response_bytes_max: KEYS_BYTES_MAX,
    };
    let response = live.perform(call).await.map_err(|failed| failed.detail)?;
    if response.status != 200 {
        return Err(format!("the answer has status {}", response.status));
    }
    String::from_utf8(response.body).map_err(|_no_text| "the answer is no text".to_owned())
}
