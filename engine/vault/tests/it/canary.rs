//! A random marker secret, stored and used, shows up nowhere: not in the files, not in a `Debug`
//! text, not in an error.
//!
//! covers: S13.

use crate::support::{Install, RowKey, fields, integration, told};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_adapters::{CallIntegration, FillHoles as _, SecretText, WantedHole};
use placet_model::project::SecretBinding;
use placet_model::request::{Hole, HoleKind};
use placet_vault::{Environment, HoleFiller};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

const HOST: &str = "api.example.com";

/// 128 random bits in text: it occurs nowhere by chance.
fn marker() -> String {
    use ring::rand::{SecureRandom as _, SystemRandom};
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).unwrap();
    format!("canary-{}", Uuid::from_bytes(bytes).simple())
}

fn assert_absent(marker: &str, place: &str, bytes: &[u8]) {
    let encoded = BASE64.encode(marker);
    for form in [marker.as_bytes(), encoded.as_bytes()] {
        let found = bytes.windows(form.len()).any(|window| window == form);
        assert!(!found, "the marker is in {place}");
    }
}

fn assert_absent_below(marker: &str, dir: &Path) {
    let mut files = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        assert_absent(marker, &path.display().to_string(), &fs::read(&path).unwrap());
        files += 1;
    }
    assert!(files > 0, "nothing was looked at");
}

#[test]
fn the_marker_is_in_no_file_after_storing_rotating_and_forgetting() {
    let install = Install::new();
    let (marker, slack) = (marker(), integration(1));
    let vault = install.open();
    let credential = fields([("access_token", &marker), ("refresh_token", &marker)]);
    for version in 1..=3 {
        vault.store(slack, version, &credential).unwrap();
        assert_absent_below(&marker, &install.data_dir());
    }
    vault.forget_before(slack, 3).unwrap();
    drop(vault);
    assert_absent_below(&marker, &install.data_dir());
    assert_absent_below(&marker, &install.key_dir());
    let vault = install.open();
    assert_eq!(vault.secret(slack, 3, "access_token").unwrap().expose(), marker);
    vault.forget(slack).unwrap();
    drop(vault);
    assert_absent_below(&marker, &install.data_dir());
}

#[test]
fn the_marker_is_in_no_debug_text_and_no_error() {
    let install = Install::new();
    let (marker, slack) = (marker(), integration(1));
    let at: RowKey = (slack, 1, "access_token");
    let credential = fields([("access_token", &marker)]);
    let vault = install.open();
    vault.store(slack, 1, &credential).unwrap();
    let mut said = format!("{vault:?} {credential:?}");
    said += &told(&vault.store(slack, 1, &credential).unwrap_err());
    said += &told(&vault.store(slack, 0, &credential).unwrap_err());
    let padded = format!("{marker}{}", " ".repeat(placet_vault::FIELD_BYTES_MAX));
    said += &told(&vault.store(slack, 2, &fields([("access_token", &padded)])).unwrap_err());
    said += &told(&vault.secret(slack, 1, "other").unwrap_err());
    drop(vault);
    let mut record = install.raw_row(at);
    *record.last_mut().unwrap() ^= 1;
    install.put_raw_row(at, &record);
    let vault = install.open();
    said += &told(&vault.secret(slack, 1, "access_token").unwrap_err());
    assert!(said.contains("does not open") && said.contains("SecretText(…)"), "{said}");
    assert_absent(&marker, "what was said", said.as_bytes());
}

#[test]
fn the_marker_leaves_the_filler_as_the_answer_only() {
    let install = Install::new();
    let (marker, slack) = (marker(), integration(1));
    let vault = install.open();
    vault.store(slack, 1, &fields([("access_token", &marker)])).unwrap();
    let binding = SecretBinding { env: "TOKEN".to_owned(), hosts: vec![HOST.to_owned()] };
    let in_environment = format!("{marker}:");
    let environment = Environment::new(move |_any| Some(SecretText::new(in_environment.clone())));
    let secrets = [("token".to_owned(), binding)].into();
    let filler = HoleFiller::new(Arc::new(vault), secrets, environment);
    let call = CallIntegration { id: slack, name: "sales-slack".to_owned(), credential_version: 1 };
    let mut said = format!("{filler:?}");
    let mut filled = 0;
    for (kind, name) in [
        (HoleKind::Credential, "access_token"),
        (HoleKind::Credential, "other"),
        (HoleKind::Signature, "standard-webhooks:access_token"),
        (HoleKind::Secret, "token"),
        (HoleKind::Secret, "other"),
        (HoleKind::Basic, "token:token"),
    ] {
        let hole = Hole { hole: kind, name: name.to_owned() };
        for host in [HOST, "evil.test"] {
            let wanted = WantedHole { hole: &hole, integration: Some(&call), host };
            match filler.fill(&wanted) {
                Ok(text) => {
                    assert!(text.expose().contains(&marker));
                    filled += 1;
                    write!(said, "{text:?}").unwrap();
                }
                Err(error) => said += &told(&error),
            }
        }
    }
    assert_eq!(filled, 5, "credentials twice each, the secret at its host only");
    assert!(said.contains("not bound to the host evil.test"), "{said}");
    assert_absent(&marker, "what was said", said.as_bytes());
}
