//! Which hole gets which secret, and which gets none.

use crate::support::{Install, fields, integration};
use placet_adapters::{CallIntegration, FillError, FillHoles as _, SecretText, WantedHole};
use placet_model::project::SecretBinding;
use placet_model::request::{Hole, HoleKind};
use placet_vault::{Environment, HoleFiller};
use std::sync::Arc;

const HOST: &str = "api.example.com";

/// A filler over one integration with two versions, and what the operator has in `placet.toml`.
struct World {
    filler: HoleFiller,
    _install: Install,
}

impl World {
    fn new() -> Self {
        let install = Install::new();
        let vault = install.open();
        vault.store(integration(1), 1, &fields([("access_token", "old")])).unwrap();
        let second = fields([("access_token", "new"), ("signing_secret", "whsec_x")]);
        vault.store(integration(1), 2, &second).unwrap();
        let bind = |name: &str, env: &str, hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
            (name.to_owned(), SecretBinding { env: env.to_owned(), hosts })
        };
        let secrets = [
            bind("crm_token", "CRM_TOKEN", &["files.example.com", HOST]),
            bind("ported", "CRM_TOKEN", &["api.example.com:8443", "[::1]:9000"]),
            bind("unset", "UNSET", &[HOST]),
            bind("empty", "EMPTY", &[HOST]),
            bind("user", "CRM_USER", &[HOST]),
            bind("colon", "COLON", &[HOST]),
            bind("lines", "LINES", &[HOST]),
            bind("pair", "PAIR", &[HOST]),
            bind("object", "OBJECT", &[HOST]),
            bind("half", "HALF", &[HOST]),
            bind("loopback", "CRM_TOKEN", &["[::1]"]),
            bind("unbound", "CRM_TOKEN", &[]),
        ];
        let environment = Environment::new(|name| {
            let text = match name {
                "CRM_TOKEN" => "t0ken",
                "CRM_USER" => "aladdin",
                "COLON" => "a:b",
                "PAIR" => "aladdin:open:sesame",
                "OBJECT" => r#"{"username": "aladdin", "password": "open:sesame"}"#,
                "HALF" => r#"{"username": "al:addin", "password": "s3cret"}"#,
                "LINES" => "a\nb",
                "EMPTY" => "",
                _ => return None,
            };
            Some(SecretText::new(text))
        });
        let filler = HoleFiller::new(Arc::new(vault), secrets.into(), environment);
        Self { filler, _install: install }
    }

    fn fill(&self, hole: HoleKind, name: &str, host: &str) -> Result<String, FillError> {
        self.fill_for(Some(2), hole, name, host)
    }

    fn fill_for(
        &self,
        version: Option<u32>,
        hole: HoleKind,
        name: &str,
        host: &str,
    ) -> Result<String, FillError> {
        let integration = version.map(|credential_version| CallIntegration {
            id: integration(1),
            name: "sales-slack".to_owned(),
            credential_version,
        });
        let hole = Hole { hole, name: name.to_owned() };
        let wanted = WantedHole { hole: &hole, integration: integration.as_ref(), host };
        self.filler.fill(&wanted).map(|text| text.expose().to_owned())
    }
}

fn reason(filled: Result<String, FillError>) -> String {
    match filled {
        Err(FillError::Unusable { reason, .. }) => reason,
        other => panic!("expected an unusable hole, not {other:?}"),
    }
}

#[test]
fn a_credential_is_of_the_version_that_the_attempt_recorded() {
    let world = World::new();
    let token = |version| world.fill_for(version, HoleKind::Credential, "access_token", HOST);
    assert_eq!(token(Some(2)).unwrap(), "new");
    assert_eq!(token(Some(1)).unwrap(), "old", "a rotation changes no attempt under way");
    for version in [0, 3] {
        let reason = reason(token(Some(version)));
        assert!(reason.contains("sales-slack") && reason.contains("connect"), "{reason}");
    }
    assert!(reason(token(None)).contains("no integration"));
    let field = world.fill(HoleKind::Credential, "refresh_token", HOST);
    assert!(reason(field).contains("has no field \"refresh_token\""));
}

#[test]
fn a_signature_gets_its_key_from_the_credential() {
    let world = World::new();
    let key = |name| world.fill(HoleKind::Signature, name, HOST);
    assert_eq!(key("standard-webhooks:signing_secret").unwrap(), "whsec_x");
    assert!(reason(key("signing_secret")).contains("scheme:field"));
    assert!(reason(key("standard-webhooks:other")).contains("no field"));
}

#[test]
fn a_secret_goes_to_its_hosts_and_to_no_other() {
    let world = World::new();
    let token = |host| world.fill(HoleKind::Secret, "crm_token", host);
    assert_eq!(token(HOST).unwrap(), "t0ken");
    assert_eq!(token("files.example.com").unwrap(), "t0ken");
    for host in [
        "example.com",
        "evil.api.example.com",
        "api.example.com.evil.test",
        "api.example.com.",
        "xapi.example.com",
        "api.example.co",
        "api.example.com:443",
        "127.0.0.1",
    ] {
        let refused = token(host).unwrap_err();
        assert!(matches!(refused, FillError::WrongHost { .. }), "{host}: {refused}");
    }
    assert_eq!(world.fill(HoleKind::Secret, "loopback", "[::1]").unwrap(), "t0ken");
    let unbound = world.fill(HoleKind::Secret, "unbound", HOST).unwrap_err();
    assert!(matches!(unbound, FillError::WrongHost { .. }), "{unbound}");
}

#[test]
fn a_request_without_a_host_gets_nothing() {
    let world = World::new();
    for (kind, name) in [
        (HoleKind::Credential, "access_token"),
        (HoleKind::Signature, "standard-webhooks:signing_secret"),
        (HoleKind::Secret, "crm_token"),
        (HoleKind::Basic, "user:crm_token"),
    ] {
        assert!(reason(world.fill(kind, name, "")).contains("no host"), "{kind}");
    }
}

#[test]
fn a_binding_with_a_port_opens_no_other_port() {
    let world = World::new();
    for (host, bound) in [(HOST, "api.example.com:8443"), ("[::1]", "[::1]:9000")] {
        let reason = reason(world.fill(HoleKind::Secret, "ported", host));
        assert!(reason.contains(bound) && reason.contains("without a port"), "{reason}");
    }
}

#[test]
fn a_missing_variable_is_named() {
    let world = World::new();
    for (secret, variable) in [("unset", "UNSET"), ("empty", "EMPTY")] {
        let reason = reason(world.fill(HoleKind::Secret, secret, HOST));
        assert_eq!(reason, format!("the environment variable {variable} is not set or empty"));
    }
    let unknown = world.fill(HoleKind::Secret, "nowhere", HOST).unwrap_err();
    assert_eq!(unknown.to_string(), "there is no ‹secret:nowhere›");
}

#[test]
fn basic_is_user_and_password_each_bound_to_the_host() {
    let world = World::new();
    let basic = |name, host| world.fill(HoleKind::Basic, name, host);
    assert_eq!(basic("user:crm_token", HOST).unwrap(), "YWxhZGRpbjp0MGtlbg==");
    let refused = basic("crm_token:user", "files.example.com").unwrap_err();
    let expected = "‹secret:user› is not bound to the host files.example.com";
    assert_eq!(refused.to_string(), expected, "the password is bound elsewhere");
    assert!(matches!(basic("user:nowhere", HOST), Err(FillError::Unknown { .. })));
    assert!(reason(basic("user", HOST)).contains("user:password"));
    assert!(reason(basic("colon:crm_token", HOST)).contains("colon"));
    assert!(reason(basic("user:lines", HOST)).contains("control character"));
    assert!(reason(basic("user:unset", HOST)).contains("UNSET"));
    assert!(basic("user:colon", HOST).is_ok(), "a password may hold a colon");
}

#[test]
fn a_timestamp_is_not_asked_of_the_vault() {
    let asked = World::new().fill(HoleKind::Timestamp, "unix_s", HOST).unwrap_err();
    assert!(matches!(asked, FillError::Unknown { .. }), "{asked}");
}

#[test]
fn one_secret_may_hold_both_halves_of_basic() {
    let world = World::new();
    let basic = |name, host| world.fill(HoleKind::Basic, name, host);
    let expect = "YWxhZGRpbjpvcGVuOnNlc2FtZQ==";
    assert_eq!(basic("pair", HOST).unwrap(), expect);
    assert_eq!(basic("object", HOST).unwrap(), expect);
    for name in ["half", "crm_token"] {
        let reason = reason(basic(name, HOST));
        assert!(reason.contains("neither `user:password` nor an object"), "{reason}");
        assert!(!reason.contains("s3cret") && !reason.contains("t0ken"));
    }
    assert!(matches!(basic("pair", "evil.example"), Err(FillError::WrongHost { .. })));
}
