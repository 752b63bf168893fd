//! One sealed field. The layout is a contract: a change is a new `VER`, never an edit.
//!
//! ```text
//! ver u8 = 1 | kek id 8 | salt 32 | nonce 12 | AES-256-GCM(plaintext) | tag 16
//!
//! key   HKDF-SHA256(KEK, salt, info "placet/cred/v1")
//! AAD   RFC 8785 of ["placet/cred/v1", project, integration, field, version, kek id]
//! ```
//!
//! The AAD is a JSON array, so that no two places have equal bytes whatever stands in a name. A
//! record that was moved, or of which one bit differs, does not open; there is no way around it.

use crate::Error;
use crate::kek::{Kek, KekId, Keks, SALT_LEN};
use placet_adapters::SecretText;
use placet_model::{IntegrationId, canonical};
use ring::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use zeroize::Zeroizing;

const VER: u8 = 1;

/// The one place where a record opens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) project: &'a str,
    pub(crate) integration: IntegrationId,
    pub(crate) version: u32,
    pub(crate) field: &'a str,
}

impl Place<'_> {
    fn aad(&self, kek: KekId) -> Aad<Vec<u8>> {
        let place = json!([
            "placet/cred/v1",
            self.project,
            self.integration.to_string(),
            self.field,
            self.version,
            kek.to_string(),
        ]);
        let bytes = canonical::to_bytes(&place);
        Aad::from(bytes.expect("strings and a 32-bit number always have a canonical form"))
    }

    pub(crate) fn refused(&self) -> Error {
        let Self { integration, version, field, .. } = *self;
        Error::RowRefused { integration, version, field: field.to_owned() }
    }
}

/// Seals a field for its place.
pub(crate) fn seal(
    kek: &Kek,
    place: &Place<'_>,
    text: &SecretText,
    random: &SystemRandom,
) -> Result<Vec<u8>, Error> {
    let mut salt = [0; SALT_LEN];
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut salt).map_err(|_unspecified| Error::Random)?;
    random.fill(&mut nonce).map_err(|_unspecified| Error::Random)?;
    let plain = text.expose().as_bytes();
    // room for the tag, so that growing leaves no copy of the plaintext behind
    let mut sealed = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
    sealed.extend_from_slice(plain);
    kek.record_key(&salt)
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            place.aad(kek.id()),
            &mut *sealed,
        )
        .map_err(|_unspecified| place.refused())?;
    Ok([&[VER][..], kek.id().as_bytes(), &salt, &nonce, &sealed].concat())
}

/// The key that a record names; none in what is no record of ours.
pub(crate) fn key_of(record: &[u8]) -> Option<KekId> {
    let (ver, rest) = record.split_first()?;
    let (kek, _rest) = rest.split_first_chunk()?;
    (*ver == VER).then(|| KekId::from_bytes(*kek))
}

/// Opens a record at the place where it was found.
pub(crate) fn open(keks: &Keks, place: &Place<'_>, record: &[u8]) -> Result<SecretText, Error> {
    let refused = || place.refused();
    let (ver, rest) = record.split_first().ok_or_else(refused)?;
    if *ver != VER {
        let Place { integration, version, field, .. } = *place;
        let field = field.to_owned();
        return Err(Error::RowFormat { integration, version, field, found: *ver, known: VER });
    }
    let (kek, rest) = rest.split_first_chunk().ok_or_else(refused)?;
    let (salt, rest) = rest.split_first_chunk().ok_or_else(refused)?;
    let (nonce, sealed) = rest.split_first_chunk().ok_or_else(refused)?;
    let kek = KekId::from_bytes(*kek);
    let Some(key) = keks.get(kek) else {
        let Place { integration, version, field, .. } = *place;
        return Err(Error::RowOfOtherKey { integration, version, field: field.to_owned(), kek });
    };
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let plain = key
        .record_key(salt)
        .open_in_place(Nonce::assume_unique_for_key(*nonce), place.aad(kek), &mut sealed)
        .map_err(|_unspecified| place.refused())?;
    std::str::from_utf8(plain).map(SecretText::new).map_err(|_not_text| place.refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made once, by another implementation; never edited.
    const GOLDEN: &str = "01215f4e6af7f3b0cb000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e\
        1f6465666768696a6b6c6d6e6f0bd8e301f3c617079d884c276009f9e80d85f4d6357c";

    fn place() -> Place<'static> {
        let integration = IntegrationId::from_bytes([7; 16]);
        Place { project: "sales", integration, version: 3, field: "access_token" }
    }

    fn keks() -> Keks {
        Keks::new(Kek::from_bytes([1; 32]))
    }

    fn sealed() -> Vec<u8> {
        let text = SecretText::new("s3cret");
        seal(keks().current(), &place(), &text, &SystemRandom::new()).unwrap()
    }

    #[test]
    fn a_record_opens_in_its_place_and_no_two_are_alike() {
        assert_eq!(open(&keks(), &place(), &sealed()).unwrap().expose(), "s3cret");
        assert_eq!(sealed().len(), 1 + 8 + 32 + 12 + 6 + 16);
        assert_ne!(sealed(), sealed());
    }

    #[test]
    fn a_record_of_the_first_release_opens_for_ever() {
        let record: Vec<u8> = GOLDEN
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(open(&keks(), &place(), &record).unwrap().expose(), "s3cret");
    }

    #[test]
    fn no_bit_of_a_record_can_be_flipped_and_no_byte_can_be_cut() {
        let record = sealed();
        for at in 0..record.len() {
            for bit in 0..8 {
                let mut flipped = record.clone();
                flipped[at] ^= 1 << bit;
                assert!(open(&keks(), &place(), &flipped).is_err(), "byte {at}, bit {bit}");
            }
            assert!(open(&keks(), &place(), &record[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_record_opens_nowhere_else() {
        let record = sealed();
        let other = IntegrationId::from_bytes([8; 16]);
        let elsewhere = [
            Place { project: "support", ..place() },
            Place { integration: other, ..place() },
            Place { version: 2, ..place() },
            Place { field: "refresh_token", ..place() },
        ];
        for place in elsewhere {
            let refused = open(&keks(), &place, &record);
            assert!(matches!(refused, Err(Error::RowRefused { .. })), "{place:?}");
        }
    }

    #[test]
    fn a_record_of_another_key_is_told_from_a_damaged_one() {
        let other = Keks::new(Kek::from_bytes([2; 32]));
        let refused = open(&other, &place(), &sealed());
        assert!(matches!(refused, Err(Error::RowOfOtherKey { .. })), "{refused:?}");
    }
}
