//! The login server of `placet.toml`, with the secret that stands elsewhere.

use crate::exit::invalid;
use crate::{compose, env};
use anyhow::Result;
use placet_adapters::SecretText;
use placet_model::Principal;
use placet_model::project::{Oidc as Settings, ProjectConfig};
use placet_server::Oidc;
use std::path::Path;
use std::sync::Arc;

/// What stands in the way, all of it at once.
pub(super) fn missing(settings: &Settings) -> Vec<String> {
    let mut missing = vec![];
    let only = |one: &Option<String>, other: &Option<String>| one.is_some() && other.is_none();
    if only(&settings.issuer, &settings.client_id) || only(&settings.client_id, &settings.issuer) {
        missing.push("login.oidc: issuer and client_id go together".to_owned());
    }
    if settings.secret_env.is_some() && settings.secret_file.is_some() {
        missing.push("login.oidc: secret_env or secret_file, not both".to_owned());
    }
    if let Some(name) = settings.secret_env.as_deref().filter(|name| env::of(name).is_none()) {
        missing.push(format!("{name} is not set: login.oidc.secret_env names it"));
    }
    if settings.claim.as_deref() == Some("email")
        && settings.domains.is_empty()
        && settings.people.is_empty()
    {
        missing.push(
            "login.oidc: by `email` nobody comes in without `domains` or `people`".to_owned(),
        );
    }
    missing
}

/// The login server, where there is one.
pub(super) fn of(config: &ProjectConfig) -> Result<Option<Oidc>> {
    let settings = &config.login.oidc;
    let (Some(issuer), Some(client_id)) = (&settings.issuer, &settings.client_id) else {
        return Ok(None);
    };
    let mut oidc = Oidc::new(issuer, client_id, Arc::new(compose::outward(config)?));
    oidc.secret = secret(settings)?;
    if !settings.scopes.is_empty() {
        oidc.scopes.clone_from(&settings.scopes);
    }
    if let Some(claim) = &settings.claim {
        oidc.claim.clone_from(claim);
    }
    if let Some(claim) = &settings.groups_claim {
        oidc.groups_claim.clone_from(claim);
    }
    oidc.domains.clone_from(&settings.domains);
    oidc.groups.clone_from(&settings.groups);
    for person in &settings.people {
        // its form was checked where it was read
        let pair = person.rsplit_once('=');
        let pair = pair.and_then(|(value, who)| Some((value, who.parse::<Principal>().ok()?)));
        let (value, who) = pair.ok_or_else(|| invalid(format!("login.oidc.people: {person}")))?;
        drop(oidc.people.insert(value.to_owned(), who));
    }
    Ok(Some(oidc))
}

fn secret(settings: &Settings) -> Result<Option<SecretText>> {
    if let Some(text) = settings.secret_env.as_deref().and_then(env::of) {
        return Ok(Some(SecretText::new(text)));
    }
    let Some(file) = &settings.secret_file else { return Ok(None) };
    let text = std::fs::read_to_string(Path::new(file))
        .map_err(|error| invalid(format!("login.oidc.secret_file: {file}: {error}")))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(invalid(format!("login.oidc.secret_file: {file} is empty")));
    }
    Ok(Some(SecretText::new(text)))
}
