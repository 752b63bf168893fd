//! Checks of `auth.oauth` and `revoke`.

use super::Revoke;
use super::check_answer::when;
use super::check_request::{pointer, template};
use super::document::AuthDoc;
use super::document_oauth::{
    BodyFormatDoc, ClientAuthDoc, OauthDoc, PkceDoc, RevokeAlsoDoc, RevokeAuthDoc, RevokeDoc,
    RevokeRequestDoc, RevokeScope, RotatesDoc,
};
use super::operation::Placement;
use super::own_request::{OwnAuth, OwnRequest};
use super::problem::Problems;
use super::revoke::{RevokeAlso, RevokeRequest};
use crate::oauth::{GrantSpec, Pkce, Rotates, TokenAnswer};
use crate::predicate::When;
use crate::template::{Name, Template};
use crate::wait::Unit;
use placet_model::plan::{ClientAuthentication, TokenEncoding};
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Words of an authorization request that are ours alone.
const OURS: [&str; 8] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
];

pub(super) fn oauth(
    document: &Spanned<OauthDoc>,
    (auth, placement, hosts): (&Spanned<AuthDoc>, Option<&Placement>, &[String]),
    problems: &mut Problems,
) -> Option<Arc<GrantSpec>> {
    let shape = &document.value;
    let access_field = placement.and_then(credential_field);
    if access_field.is_none() {
        problems.at(auth, "auth.oauth needs auth.placement with one {secret:field}");
    }
    for name in shape.params.keys().filter(|name| OURS.contains(&name.as_str())) {
        problems.at(document, format!("auth.oauth.params.{name}: the engine says this itself"));
    }
    if shape.refresh_before_s.is_some() && shape.rotates == RotatesDoc::NoRefresh {
        problems.at(document, "refresh_before_s: without a refresh token nothing is renewed");
    }
    let authorize = address(&shape.authorize, hosts, problems);
    let token = address(&shape.token, hosts, problems);
    let mut at = |given: &Option<String>, usual: &str| {
        pointer(given.as_deref().unwrap_or(usual), document, problems)
    };
    let (token_at, refresh_at) =
        (at(&shape.token_path, "/access_token"), at(&shape.refresh_path, "/refresh_token"));
    let (expires_at, scope_at) =
        (at(&shape.expires_path, "/expires_in"), at(&shape.scope_path, "/scope"));
    let mut whens = |list: &[_]| -> Option<Vec<When>> {
        list.iter().map(|one| when(one, document, problems)).collect()
    };
    let (success, dead) = (whens(&shape.success_when)?, whens(&shape.dead_when)?);
    Some(Arc::new(GrantSpec {
        authorize: authorize?,
        token: token?,
        issuer: shape.issuer.clone(),
        pkce: match shape.pkce {
            None | Some(PkceDoc::Always) => Pkce::Always,
            Some(PkceDoc::Optional) => Pkce::BySetting,
            Some(PkceDoc::Never) => Pkce::Never,
        },
        authentication: match shape.client_auth {
            ClientAuthDoc::Basic => ClientAuthentication::ClientSecretBasic,
            ClientAuthDoc::Post => ClientAuthentication::ClientSecretPost,
            ClientAuthDoc::None => ClientAuthentication::None,
        },
        encoding: match shape.body_format {
            None | Some(BodyFormatDoc::Form) => TokenEncoding::Form,
            Some(BodyFormatDoc::Json) => TokenEncoding::Json,
        },
        scope_sep: shape.scope_sep.clone().unwrap_or_else(|| " ".to_owned()),
        asks_scopes: shape.asks_scopes.unwrap_or(true),
        scopes: shape.scopes.clone(),
        params: shape.params.clone(),
        rotates: match shape.rotates {
            RotatesDoc::Never => Rotates::Never,
            RotatesDoc::OptIn => Rotates::OptIn,
            RotatesDoc::Always => Rotates::Always,
            RotatesDoc::NoRefresh => Rotates::NoRefresh,
        },
        answer: TokenAnswer {
            success,
            token_at: token_at?,
            refresh_at: Some(refresh_at?).filter(|_| shape.rotates != RotatesDoc::NoRefresh),
            expires_at: expires_at?,
            expires_unit: Unit::Seconds,
            scope_at: scope_at?,
            dead,
            refresh_before: shape.refresh_before_s.map(|s| Duration::from_secs(s.into())),
            access_field: access_field?,
        },
    }))
}

/// The one credential field in a placement.
pub(super) fn credential_field(placement: &Placement) -> Option<String> {
    match placement {
        Placement::Header(header) => {
            let mut fields = header.value.names().filter_map(|name| match name {
                Name::Secret(field) => Some(field.clone()),
                _ => None,
            });
            let field = fields.next();
            field.filter(|_| fields.next().is_none())
        }
        Placement::Query { field, .. } => Some(field.clone()),
        Placement::Basic { .. } => None,
    }
}

/// An address of the authorization server: `https` at one of the manifest's hosts or at the host of an
/// authorize page, or below a setting, or a stand-in on this machine.
fn address(text: &Spanned<String>, hosts: &[String], problems: &mut Problems) -> Option<Template> {
    let template = template(&text.value, text, problems)?;
    let only_settings = template.names().all(|name| matches!(name, Name::Config(_)));
    let begins_by_setting = text.value.starts_with("{config.");
    if !only_settings || (!template.is_literal() && !begins_by_setting) {
        problems.at(text, "an address is a url, or begins with {config.…} and holds nothing else");
        return None;
    }
    if begins_by_setting {
        return Some(template);
    }
    let url = url::Url::parse(&text.value).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    let near = ["127.0.0.1", "localhost", "[::1]"].contains(&host);
    match url.as_ref().map(url::Url::scheme) {
        Some("https") if hosts.iter().any(|known| known == host) => Some(template),
        Some("http") if near => Some(template),
        Some("https") => {
            problems.at(text, format!("{host} is not one of the manifest's hosts"));
            None
        }
        _ => {
            problems.at(text, "an authorization server is reached by https");
            None
        }
    }
}

pub(super) fn revoke(
    document: &Spanned<RevokeDoc>,
    (placement, hosts): (Option<&Placement>, &[String]),
    problems: &mut Problems,
) -> Revoke {
    let shape = &document.value;
    let calls = matches!(shape.scope, RevokeScope::Token | RevokeScope::Grant);
    if shape.scope == RevokeScope::Webhook {
        problems.at(document, "revoke.scope: webhook is not built yet");
    } else if calls != shape.request.is_some() {
        problems
            .at(document, "revoke.scope is none without revoke.request, token or grant with it");
    }
    if shape.manual_url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
        problems.at(document, "revoke.manual_url starts with https://");
    }
    let success: Option<Vec<When>> =
        shape.success_when.iter().map(|one| when(one, document, problems)).collect();
    let request = shape.request.as_ref().and_then(|request| {
        revoke_request(request, (placement, hosts), success.unwrap_or_default(), problems)
    });
    let also = shape.also.iter().filter_map(|one| also(one, (placement, hosts), problems));
    Revoke {
        manual_url: shape.manual_url.clone(),
        shared_with: shape.shared_with.clone(),
        remains: shape.remains.clone(),
        ends_grant: shape.scope == RevokeScope::Grant,
        also: also.collect(),
        request,
    }
}

fn also(
    document: &Spanned<RevokeAlsoDoc>,
    allowed: (Option<&Placement>, &[String]),
    problems: &mut Problems,
) -> Option<RevokeAlso> {
    let shape = &document.value;
    if shape.ends.is_empty() || shape.ends.chars().any(char::is_control) {
        problems.at(document, "revoke.also.ends names in a few words what it ends");
    }
    let success: Option<Vec<When>> =
        shape.success_when.iter().map(|one| when(one, document, problems)).collect();
    let request = revoke_request(&shape.request, allowed, success?, problems)?;
    Some(RevokeAlso { ends: shape.ends.clone(), request })
}

fn revoke_request(
    document: &Spanned<RevokeRequestDoc>,
    (placement, hosts): (Option<&Placement>, &[String]),
    success: Vec<When>,
    problems: &mut Problems,
) -> Option<RevokeRequest> {
    let shape = &document.value;
    if !["GET", "POST", "DELETE"].contains(&shape.method.as_str()) {
        problems.at(document, "revoke.request.method is GET, POST or DELETE");
    }
    let url = own_url(&shape.url, (document, "revoke.request.url"), hosts, problems)?;
    let auth = match (shape.auth, placement) {
        (RevokeAuthDoc::None, _) => OwnAuth::None,
        (RevokeAuthDoc::Client, _) => OwnAuth::Client,
        (RevokeAuthDoc::Token, Some(Placement::Header(header))) => {
            OwnAuth::Header(header.header.clone(), header.value.clone())
        }
        (RevokeAuthDoc::Token, _) => {
            problems.at(document, "revoke.request.auth token needs auth.placement in a header");
            return None;
        }
    };
    let body = flat_body(document, &shape.body, problems)?;
    let json = shape.body_format == Some(BodyFormatDoc::Json);
    let request = OwnRequest { method: shape.method.clone(), url, auth, body, json };
    Some(RevokeRequest { request, success, oauth_only: shape.oauth_only })
}

/// The address of a request of ours: `https` at one of these hosts, below a setting, or on this machine.
pub(super) fn own_url<T>(
    text: &str,
    (place, name): (&Spanned<T>, &str),
    hosts: &[String],
    problems: &mut Problems,
) -> Option<Template> {
    let host = url::Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    let listed = host.is_some_and(|host| hosts.contains(&host)) && text.starts_with("https://");
    if !listed && !text.starts_with("{config.") && !text.starts_with("http://127.0.0.1:") {
        problems.at(place, format!("{name} is https at one of the manifest's hosts"));
    }
    template(text, place, problems)
}

/// Fields of a form or of a flat object.
pub(super) fn flat_body<T>(
    place: &Spanned<T>,
    body: &BTreeMap<String, Value>,
    problems: &mut Problems,
) -> Option<Vec<(String, Template)>> {
    let mut fields = Vec::new();
    for (name, value) in body {
        let Value::String(text) = value else {
            problems.at(place, format!("request.body.{name} is a text"));
            continue;
        };
        fields.push((name.clone(), template(text, place, problems)?));
    }
    Some(fields)
}
