//! Whose login it is: from the claims of a token to a principal of the policy. Pure.
//!
//! The login server says who somebody is, never what they may do: roles and groups are the policy's.

use super::Oidc;
use placet_model::Principal;
use serde_json::{Map, Value};

/// The principal that the claims name.
///
/// # Errors
/// Why nobody may come in with them, in words.
pub(super) fn principal(oidc: &Oidc, claims: &Map<String, Value>) -> Result<Principal, String> {
    in_a_group(oidc, claims)?;
    let name = oidc.claim.as_str();
    let value = claims.get(name).and_then(Value::as_str).unwrap_or_default();
    if value.is_empty() {
        return Err(format!(
            "the login server does not say {name:?} of you: login.oidc.claim names it"
        ));
    }
    if !oidc.domains.is_empty() || name == "email" {
        in_a_domain(oidc, claims)?;
    }
    if let Some(principal) = oidc.people.get(value) {
        return Ok(principal.clone());
    }
    let mine = match (name, oidc.domains.as_slice()) {
        // with two domains the same name may be two people's
        ("email", [_one]) => value.split_once('@').map_or("", |(mine, _domain)| mine),
        ("email", _) => "",
        _ => value,
    };
    mine.to_ascii_lowercase().parse().map_err(|_no_principal| {
        format!("{value:?} is the name of no principal: list it in login.oidc.people")
    })
}

/// One of the groups that may come in, where there are such.
fn in_a_group(oidc: &Oidc, claims: &Map<String, Value>) -> Result<(), String> {
    if oidc.groups.is_empty() {
        return Ok(());
    }
    let theirs: Vec<&str> = match claims.get(&oidc.groups_claim) {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    if oidc.groups.iter().any(|group| theirs.contains(&group.as_str())) {
        return Ok(());
    }
    Err(format!("you are in none of the groups {}", oidc.groups.join(", ")))
}

/// A verified address of a domain that may come in.
fn in_a_domain(oidc: &Oidc, claims: &Map<String, Value>) -> Result<(), String> {
    let email = claims.get("email").and_then(Value::as_str).unwrap_or_default();
    if claims.get("email_verified") != Some(&Value::Bool(true)) {
        return Err("the login server has not verified your address".to_owned());
    }
    let domain = email.rsplit_once('@').map_or("", |(_mine, domain)| domain);
    let is_listed = oidc.domains.iter().any(|known| known.eq_ignore_ascii_case(domain));
    // an address that is listed letter by letter needs no domain
    let is_known = oidc.domains.is_empty() && oidc.people.contains_key(email);
    if is_listed || is_known {
        return Ok(());
    }
    Err("your address is of no domain that may come in: see login.oidc.domains".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn oidc(change: impl FnOnce(&mut Oidc)) -> Oidc {
        let mut oidc =
            Oidc::new("https://login.example", "placet", Arc::new(placet_sandbox::Sandbox::new(0)));
        change(&mut oidc);
        oidc
    }

    fn says(oidc: &Oidc, claims: Value) -> Result<String, String> {
        let Value::Object(claims) = claims else { unreachable!("claims are an object") };
        principal(oidc, &claims).map(|principal| principal.to_string())
    }

    #[test]
    fn a_name_is_taken_as_it_is_or_as_the_operator_has_listed_it_and_never_bent() {
        let plain = oidc(|_| {});
        assert_eq!(says(&plain, json!({"preferred_username": "Ana"})), Ok("ana".to_owned()));
        for bad in ["ana lee", "ana.lee", "", "-ana", "ana@x"] {
            assert!(says(&plain, json!({"preferred_username": bad})).is_err(), "{bad}");
        }
        assert!(says(&plain, json!({"sub": "ana"})).is_err(), "another claim is not looked at");
        let listed = oidc(|oidc| {
            oidc.people.insert("ana.lee".to_owned(), "ana".parse().unwrap());
        });
        assert_eq!(says(&listed, json!({"preferred_username": "ana.lee"})), Ok("ana".to_owned()));
    }

    #[test]
    fn an_address_counts_only_verified_and_of_a_listed_domain() {
        let one = oidc(|oidc| {
            oidc.claim = "email".to_owned();
            oidc.domains = vec!["example.com".to_owned()];
        });
        let of = |email: &str, verified: Value| json!({"email": email, "email_verified": verified});
        assert_eq!(says(&one, of("ana@Example.com", json!(true))), Ok("ana".to_owned()));
        for claims in [
            of("ana@example.com", json!(false)),
            of("ana@example.com", json!("true")),
            json!({"email": "ana@example.com"}),
            of("ana@evil.example", json!(true)),
            of("ana@example.com@evil.example", json!(true)),
            of("ana@sub.example.com", json!(true)),
        ] {
            assert!(says(&one, claims.clone()).is_err(), "{claims}");
        }
        // with two domains a local part says nothing
        let two = oidc(|oidc| {
            oidc.claim = "email".to_owned();
            oidc.domains = vec!["example.com".to_owned(), "example.org".to_owned()];
            oidc.people.insert("ben@example.org".to_owned(), "ben".parse().unwrap());
        });
        assert!(says(&two, of("ana@example.com", json!(true))).is_err());
        assert_eq!(says(&two, of("ben@example.org", json!(true))), Ok("ben".to_owned()));
        assert!(says(&two, of("ben@example.com", json!(true))).is_err());
    }

    #[test]
    fn where_groups_are_named_nobody_else_comes_in() {
        let grouped = oidc(|oidc| oidc.groups = vec!["placet".to_owned()]);
        let of = |groups: Value| json!({"preferred_username": "ana", "groups": groups});
        assert_eq!(says(&grouped, of(json!(["staff", "placet"]))), Ok("ana".to_owned()));
        assert_eq!(says(&grouped, of(json!("placet"))), Ok("ana".to_owned()));
        for groups in [json!([]), json!(["placet2"]), json!(null), json!({"placet": true})] {
            assert!(says(&grouped, of(groups)).is_err());
        }
    }
}
