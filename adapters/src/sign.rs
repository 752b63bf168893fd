//! Standard Webhooks 1.0.0 (standard-webhooks/standard-webhooks, spec/standard-webhooks.md):
//! `v1,` + base64(HMAC-SHA256(key, `id.timestamp.body`)), one per active key, space-separated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

/// Bytes of a key: the specification asks for 24 to 64.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A message that cannot be signed. It never holds the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("a signing key is whsec_ and the base64 of 24 to 64 bytes")]
    Key,
    #[error("the message id is empty or holds a dot, which separates the signed parts")]
    MessageId,
}

/// The value of `webhook-signature`. `keys` holds one key, or several separated by spaces while a
/// rotation is under way: the receiver accepts any of the signatures.
///
/// # Errors
/// A key or a message id that the specification does not allow.
pub fn standard_webhooks(
    keys: &str,
    message_id: &str,
    timestamp_s: i64,
    body: &[u8],
) -> Result<String, Error> {
    if message_id.is_empty() || message_id.contains('.') {
        return Err(Error::MessageId);
    }
    let mut content = format!("{message_id}.{timestamp_s}.").into_bytes();
    content.extend_from_slice(body);
    let signatures: Vec<String> =
        keys.split_ascii_whitespace().map(|key| sign(key, &content)).collect::<Result<_, _>>()?;
    if signatures.is_empty() { Err(Error::Key) } else { Ok(signatures.join(" ")) }
}

fn sign(key: &str, content: &[u8]) -> Result<String, Error> {
    let bytes =
        key.strip_prefix("whsec_").and_then(|key| BASE64.decode(key).ok()).ok_or(Error::Key)?;
    if !KEY_BYTES.contains(&bytes.len()) {
        return Err(Error::Key);
    }
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), content);
    Ok(format!("v1,{}", BASE64.encode(tag.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    // the published vector of the specification's Go library (TestWebhookSign)
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_vector_is_signed_as_published() {
        assert_eq!(standard_webhooks(KEY, ID, 1_614_265_330, BODY).unwrap(), SIGNATURE);
    }

    #[test]
    fn a_rotation_signs_with_both_keys() {
        let both = format!("{KEY} whsec_{}", BASE64.encode([7; 32]));
        let value = standard_webhooks(&both, ID, 1_614_265_330, BODY).unwrap();
        assert_eq!(value.split(' ').count(), 2);
        assert!(value.starts_with(SIGNATURE));
    }

    #[test]
    fn short_keys_bare_keys_and_dotted_ids_are_refused() {
        let short = format!("whsec_{}", BASE64.encode([7; 16]));
        for key in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_***", short.as_str()] {
            assert_eq!(standard_webhooks(key, ID, 0, BODY), Err(Error::Key), "{key}");
        }
        assert_eq!(standard_webhooks(KEY, "a.b", 0, BODY), Err(Error::MessageId));
    }
}
