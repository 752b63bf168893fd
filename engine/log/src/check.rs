//! A short check over stored bytes, against damage at rest.
//!
//! redb does not verify its page checksums on reads, so every value that decides something
//! carries its own. The check is not a signature: it tells a flipped bit, not a forger. Public
//! because projections keep rows in the same file and need the same care.

use ring::digest::{Context, SHA256};

/// Bytes in a check.
pub const CHECK_LEN: usize = 8;

/// SHA-256 of the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The check over `key` and `value`: the first 8 bytes of SHA-256(length of key | key | value).
pub fn of(key: &[u8], value: &[u8]) -> [u8; CHECK_LEN] {
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes();
    let hash = sha256(&[&length, key, value]);
    let mut check = [0; CHECK_LEN];
    check.copy_from_slice(&hash[..CHECK_LEN]);
    check
}

/// Appends the check over `key` and what `value` holds so far.
pub fn seal(key: &[u8], value: &mut Vec<u8>) {
    let check = of(key, value);
    value.extend_from_slice(&check);
}

/// The bytes before the check, or `None` when the check does not fit them.
pub fn open<'v>(key: &[u8], sealed: &'v [u8]) -> Option<&'v [u8]> {
    let (value, check) = sealed.split_last_chunk::<CHECK_LEN>()?;
    (of(key, value) == *check).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_under_its_key_and_unchanged() {
        let mut sealed = b"value".to_vec();
        seal(b"key", &mut sealed);
        assert_eq!(open(b"key", &sealed), Some(&b"value"[..]));
        assert_eq!(open(b"kez", &sealed), None);
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(open(b"key", &flipped), None, "byte {at}");
        }
        assert_eq!(open(b"key", b"short"), None);
    }
}
