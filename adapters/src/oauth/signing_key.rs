//! A private RSA key as providers hand it out: PEM around PKCS#1 (RFC 8017 §A.1.2) or PKCS#8 (RFC 5958),
//! read for one signature and dropped. No error holds a letter of it.

use crate::secret::SecretText;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use zeroize::Zeroizing;

/// Bits of the smallest key that is taken; a shorter one can be broken, and no provider gives one out.
pub const KEY_BITS_MIN: usize = 2048;
/// `rsaEncryption` (1.2.840.113549.1.1.1).
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Why a key does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error(
        "it is no private key in PEM: the file begins with a line -----BEGIN … PRIVATE KEY-----"
    )]
    NotPem,
    #[error("it is sealed with a passphrase: give it as the provider handed it out")]
    Encrypted,
    #[error("it is a key of another kind than RSA")]
    NotRsa,
    #[error("it has {bits} bits, and RSA keys below {min} are not taken", min = KEY_BITS_MIN)]
    TooSmall { bits: usize },
    #[error("it is damaged, or an RSA key of a form that cannot sign here")]
    Unfit,
}

/// A key in hand.
#[derive(Debug)]
pub(crate) struct SigningKey(RsaKeyPair);

impl SigningKey {
    /// # Errors
    /// Each way in which a text is no key that signs.
    pub(crate) fn read(text: &SecretText) -> Result<Self, KeyError> {
        let (form, der) = pem(text.expose())?;
        let pkcs1 = match form {
            Form::Pkcs1 => der.as_slice(),
            Form::Pkcs8 => inner(&der)?,
        };
        let bits = modulus_bits(pkcs1).ok_or(KeyError::Unfit)?;
        if bits < KEY_BITS_MIN {
            return Err(KeyError::TooSmall { bits });
        }
        RsaKeyPair::from_der(pkcs1).map(Self).map_err(|_rejected| KeyError::Unfit)
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 (RS256).
    ///
    /// # Errors
    /// [`KeyError::Unfit`].
    pub(crate) fn sign(&self, content: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), content, &mut signature);
        signed.map_err(|_unspecified| KeyError::Unfit)?;
        Ok(signature)
    }
}

/// What stands between the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Pkcs1,
    Pkcs8,
}

/// The first block of a text. Line breaks may be gone: a field of a form takes them out.
fn pem(text: &str) -> Result<(Form, Zeroizing<Vec<u8>>), KeyError> {
    let (_, rest) = text.split_once("-----BEGIN ").ok_or(KeyError::NotPem)?;
    let (label, rest) = rest.split_once("-----").ok_or(KeyError::NotPem)?;
    let (body, _) = rest.split_once("-----END ").ok_or(KeyError::NotPem)?;
    let form = match label {
        "RSA PRIVATE KEY" => Form::Pkcs1,
        "PRIVATE KEY" => Form::Pkcs8,
        "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
        "EC PRIVATE KEY" | "DSA PRIVATE KEY" | "OPENSSH PRIVATE KEY" => {
            return Err(KeyError::NotRsa);
        }
        _ => return Err(KeyError::NotPem),
    };
    // RFC 1421 §4.6: `Proc-Type: 4,ENCRYPTED`
    if body.contains("ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    let mut letters = Zeroizing::new(String::with_capacity(body.len()));
    letters.extend(body.chars().filter(|letter| !letter.is_ascii_whitespace()));
    let der = BASE64.decode(letters.as_bytes()).map_err(|_no_base64| KeyError::NotPem)?;
    Ok((form, Zeroizing::new(der)))
}

/// The RSA key in a PKCS#8 one.
fn inner(der: &[u8]) -> Result<&[u8], KeyError> {
    let read = || {
        let mut key = Der(Der(der).take(SEQUENCE)?);
        key.take(INTEGER)?;
        let kind = Der(key.take(SEQUENCE)?).take(OBJECT_ID)?;
        Some((kind, key.take(OCTET_STRING)?))
    };
    match read() {
        Some((RSA_ENCRYPTION, key)) => Ok(key),
        Some(_) => Err(KeyError::NotRsa),
        None => Err(KeyError::Unfit),
    }
}

fn modulus_bits(pkcs1: &[u8]) -> Option<usize> {
    let mut key = Der(Der(pkcs1).take(SEQUENCE)?);
    key.take(INTEGER)?;
    let modulus = key.take(INTEGER)?;
    let modulus = &modulus[modulus.iter().position(|byte| *byte != 0)?..];
    let unused = modulus.first()?.leading_zeros() as usize;
    Some(modulus.len() * 8 - unused)
}

/// What is left to read of a DER encoding (X.690 §10).
struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    /// The content of the next element, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'d [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            short if short < 0x80 => (usize::from(short), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (found == tag).then_some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SigningKey, KeyError> {
        SigningKey::read(&SecretText::new(text))
    }

    fn der_length(content: &[u8]) -> Vec<u8> {
        match content.len() {
            short @ 0..0x80 => vec![u8::try_from(short).expect("a short length")],
            long => {
                let long = u16::try_from(long).expect("a test's key").to_be_bytes();
                vec![0x82, long[0], long[1]]
            }
        }
    }

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag], &*der_length(content), content].concat()
    }

    fn in_pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
    }

    /// As far as a modulus of so many bits, and no further.
    fn of_bits(bits: usize) -> Vec<u8> {
        let mut modulus = vec![0xff; bits / 8];
        modulus.insert(0, 0);
        let numbers = [element(INTEGER, &[0]), element(INTEGER, &modulus)].concat();
        element(SEQUENCE, &numbers)
    }

    #[test]
    fn what_is_no_pem_of_a_private_key_is_said_to_be_none() {
        for text in [
            "",
            "s3cret",
            "-----BEGIN RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\n?\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        ] {
            assert_eq!(read(text).unwrap_err(), KeyError::NotPem, "{text}");
        }
    }

    #[test]
    fn a_key_of_another_kind_is_said_to_be_one_and_so_is_one_that_is_sealed() {
        let ec = element(OBJECT_ID, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]);
        let key = [element(INTEGER, &[0]), element(SEQUENCE, &ec), element(OCTET_STRING, &[1])];
        for text in [
            in_pem("PRIVATE KEY", &element(SEQUENCE, &key.concat())),
            in_pem("EC PRIVATE KEY", &[]),
            in_pem("OPENSSH PRIVATE KEY", &[]),
        ] {
            assert_eq!(read(&text).unwrap_err(), KeyError::NotRsa, "{text}");
        }
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n\
                   AAAA\n-----END RSA PRIVATE KEY-----";
        for text in [in_pem("ENCRYPTED PRIVATE KEY", &[]), old.to_owned()] {
            assert_eq!(read(&text).unwrap_err(), KeyError::Encrypted, "{text}");
        }
    }

    #[test]
    fn a_key_is_measured_before_it_is_tried() {
        for bits in [512, 1024, 2040] {
            let text = in_pem("RSA PRIVATE KEY", &of_bits(bits));
            assert_eq!(read(&text).unwrap_err(), KeyError::TooSmall { bits });
        }
        let text = in_pem("RSA PRIVATE KEY", &of_bits(2048));
        assert_eq!(read(&text).unwrap_err(), KeyError::Unfit, "long enough, and no whole key");
    }

    #[test]
    fn no_bytes_make_the_reader_fall() {
        let whole = of_bits(2048);
        for end in 0..whole.len() {
            let cut = whole.get(..end).expect("within it");
            for label in ["RSA PRIVATE KEY", "PRIVATE KEY"] {
                assert_eq!(read(&in_pem(label, cut)).unwrap_err(), KeyError::Unfit, "{end}");
            }
        }
        for length in [[0x80, 0, 0], [0x85, 1, 1], [0x84, 0xff, 0xff]] {
            let der = [&[SEQUENCE], &length[..], &[0xff; 8]].concat();
            assert_eq!(read(&in_pem("RSA PRIVATE KEY", &der)).unwrap_err(), KeyError::Unfit);
        }
    }
}
