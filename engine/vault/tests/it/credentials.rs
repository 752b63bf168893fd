//! Storing, reading, rotating and forgetting credentials.

use crate::support::{Install, fields, integration, read};
use placet_vault::{Error, FIELD_BYTES_MAX, FIELDS_MAX};
use std::collections::BTreeMap;

#[test]
fn a_credential_reads_back_also_after_reopening() {
    let install = Install::new();
    let slack = integration(1);
    let vault = install.open();
    vault.store(slack, 1, &fields([("access_token", "xoxb-1"), ("empty", "")])).unwrap();
    assert_eq!(read(&vault, (slack, 1, "access_token")), "xoxb-1");
    drop(vault);
    let vault = install.open();
    assert_eq!(read(&vault, (slack, 1, "access_token")), "xoxb-1");
    assert_eq!(read(&vault, (slack, 1, "empty")), "");
    assert_eq!(vault.fields(slack, 1).unwrap(), ["access_token", "empty"]);
    assert_eq!(vault.latest_version(slack).unwrap(), Some(1));
}

#[test]
fn what_is_not_stored_is_an_error_that_says_which_part_is_missing() {
    let install = Install::new();
    let vault = install.open();
    let (slack, stripe) = (integration(1), integration(2));
    vault.store(slack, 2, &fields([("access_token", "xoxb")])).unwrap();
    let missing = |id, version, field| vault.secret(id, version, field).unwrap_err();
    assert!(matches!(missing(stripe, 2, "access_token"), Error::NoSuchVersion { .. }));
    assert!(matches!(missing(slack, 1, "access_token"), Error::NoSuchVersion { .. }));
    assert!(matches!(missing(slack, 2, "api_key"), Error::NoSuchField { .. }));
    assert_eq!(vault.fields(stripe, 2).unwrap(), [""; 0]);
    assert_eq!(vault.latest_version(stripe).unwrap(), None);
}

#[test]
fn a_rotation_keeps_the_old_version_until_it_is_forgotten() {
    let install = Install::new();
    let vault = install.open();
    let slack = integration(1);
    vault.store(slack, 1, &fields([("access_token", "old"), ("refresh_token", "r")])).unwrap();
    vault.store(slack, 2, &fields([("access_token", "new")])).unwrap();
    assert_eq!(vault.latest_version(slack).unwrap(), Some(2));
    assert_eq!(read(&vault, (slack, 1, "access_token")), "old");
    assert_eq!(read(&vault, (slack, 2, "access_token")), "new");
    assert_eq!(vault.fields(slack, 1).unwrap(), ["access_token", "refresh_token"]);
    vault.forget_before(slack, 2).unwrap();
    assert_eq!(vault.fields(slack, 1).unwrap(), [""; 0]);
    assert!(vault.secret(slack, 1, "access_token").is_err());
    assert_eq!(read(&vault, (slack, 2, "access_token")), "new");
}

#[test]
fn forgetting_an_integration_touches_no_other_and_lasts() {
    let install = Install::new();
    let vault = install.open();
    for n in 1..=3 {
        vault.store(integration(n), 1, &fields([("api_key", "one")])).unwrap();
        vault.store(integration(n), u32::MAX, &fields([("api_key", "last")])).unwrap();
    }
    vault.forget(integration(2)).unwrap();
    vault.forget(integration(9)).unwrap();
    drop(vault);
    let vault = install.open();
    assert_eq!(vault.latest_version(integration(2)).unwrap(), None);
    for n in [1, 3] {
        assert_eq!(read(&vault, (integration(n), 1, "api_key")), "one");
        assert_eq!(vault.latest_version(integration(n)).unwrap(), Some(u32::MAX));
    }
}

#[test]
fn a_stored_version_never_changes() {
    let install = Install::new();
    let vault = install.open();
    let slack = integration(1);
    vault.store(slack, 1, &fields([("access_token", "first")])).unwrap();
    let again = vault.store(slack, 1, &fields([("another_field", "second")])).unwrap_err();
    assert!(matches!(again, Error::VersionExists { version: 1, .. }), "{again}");
    assert_eq!(read(&vault, (slack, 1, "access_token")), "first");
    assert_eq!(vault.fields(slack, 1).unwrap(), ["access_token"]);
}

#[test]
fn what_is_no_credential_is_refused_whole() {
    let install = Install::new();
    let vault = install.open();
    let slack = integration(1);
    let refused = |version, fields: &BTreeMap<_, _>| vault.store(slack, version, fields);
    let token = fields([("access_token", "t")]);
    assert!(matches!(refused(0, &token), Err(Error::VersionZero)));
    assert!(matches!(refused(1, &fields([])), Err(Error::FieldCount { count: 0 })));
    for name in ["", "a|b", "a:b", "clé", "a b", &"a".repeat(65)] {
        let named = refused(1, &fields([("access_token", "t"), (name, "t")]));
        assert!(matches!(named, Err(Error::FieldName { .. })), "{name:?}");
    }
    let largest = "x".repeat(FIELD_BYTES_MAX);
    let larger = refused(1, &fields([("key", &format!("{largest}x"))]));
    assert!(matches!(larger, Err(Error::FieldSize { .. })));
    let names: Vec<String> = (0..=FIELDS_MAX).map(|n| format!("f{n}")).collect();
    let text = token["access_token"].clone();
    let many = names.into_iter().map(|name| (name, text.clone())).collect();
    assert!(matches!(refused(1, &many), Err(Error::FieldCount { .. })));
    assert_eq!(vault.latest_version(slack).unwrap(), None, "nothing was stored by halves");
    vault.store(slack, 1, &fields([("key", &largest)])).unwrap();
    assert_eq!(read(&vault, (slack, 1, "key")), largest);
}
