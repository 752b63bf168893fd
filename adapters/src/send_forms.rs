//! The send id in the forms that providers dictate. All of them come from the same hash, so a
//! restored backup yields the same ids (facts/send-attempts.md §4 rule 4).

use crate::template::EvalError;

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const BASE32HEX: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Whether this is one of ours in form; whose it is, the log knows.
pub(crate) fn is_send_id(text: &str) -> bool {
    digits(text).is_ok()
}

/// A version 4 UUID from the first 16 bytes of the hash.
pub(crate) fn uuid(send_id: &str) -> Result<String, EvalError> {
    let mut bytes: [u8; 16] =
        decode(send_id)?[..16].try_into().expect("the hash part of a send id has 25 bytes");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

/// The same letters in the alphabet `0-9a-v` (Google Calendar event ids).
pub(crate) fn base32hex(send_id: &str) -> Result<String, EvalError> {
    digits(send_id)?.iter().map(|digit| Ok(char::from(BASE32HEX[usize::from(*digit)]))).collect()
}

fn digits(send_id: &str) -> Result<Vec<u8>, EvalError> {
    let digit = |byte: u8| BASE32.iter().position(|letter| *letter == byte);
    let digits: Option<Vec<u8>> =
        send_id.bytes().map(|byte| digit(byte).and_then(|at| u8::try_from(at).ok())).collect();
    digits
        .filter(|digits| digits.len() == 40)
        .ok_or_else(|| EvalError::SendId { send_id: send_id.to_owned() })
}

/// 40 letters of 5 bits each = 25 bytes.
fn decode(send_id: &str) -> Result<Vec<u8>, EvalError> {
    let digits = digits(send_id)?;
    let bytes = digits.chunks_exact(8).flat_map(|group| {
        let bits = group.iter().fold(0_u64, |bits, digit| bits << 5 | u64::from(*digit));
        bits.to_be_bytes()[3..].to_vec()
    });
    Ok(bytes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "abcdefghijklmnopqrstuvwxyz234567abcdefgh";

    #[test]
    fn the_uuid_has_version_and_variant_and_is_the_same_each_time() {
        let one = uuid(ID).unwrap();
        assert_eq!(one, uuid(ID).unwrap());
        assert_eq!(one.len(), 36);
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]), "{one}");
    }

    #[test]
    fn base32hex_uses_the_calendars_alphabet() {
        let hex = base32hex(ID).unwrap();
        assert_eq!(hex.len(), 40);
        assert!(hex.bytes().all(|byte| BASE32HEX.contains(&byte)));
        assert!(hex.starts_with("0123456789"));
    }

    #[test]
    fn what_is_no_send_id_is_refused() {
        for bad in ["", "abc", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGH"] {
            assert!(uuid(bad).is_err(), "{bad}");
        }
    }
}
