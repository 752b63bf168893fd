//! What may be stored as a credential.

use crate::Error;
use placet_adapters::SecretText;
use std::collections::BTreeMap;

/// Fields of one credential: the largest that providers ask for have six.
pub const FIELDS_MAX: usize = 64;
/// Bytes of one field: a service account's key file or a certificate with its key fits.
pub const FIELD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a field's name.
pub const FIELD_NAME_BYTES_MAX: usize = 64;

pub(crate) fn check(version: u32, fields: &BTreeMap<String, SecretText>) -> Result<(), Error> {
    if version == 0 {
        return Err(Error::VersionZero);
    }
    if fields.is_empty() || fields.len() > FIELDS_MAX {
        return Err(Error::FieldCount { count: fields.len() });
    }
    for (field, text) in fields {
        if !is_field_name(field) {
            return Err(Error::FieldName { field: field.clone() });
        }
        let bytes = text.expose().len();
        if bytes > FIELD_BYTES_MAX {
            return Err(Error::FieldSize { field: field.clone(), bytes });
        }
    }
    Ok(())
}

fn is_field_name(name: &str) -> bool {
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=FIELD_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(byte)
}
