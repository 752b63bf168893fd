//! Passkeys: enrolling one, confirming it, and what is to be signed with one. The vote itself goes to
//! `POST /votes` as every signed document does. `assets/passkey.js` does the browser's part.

use super::Answer;
use super::paged::{PARAMS, paged};
use crate::app::App;
use crate::caller::{Caller, one};
use crate::extract::{Json, Nothing, Params, Place};
use crate::problem::Problem;
use crate::token::Token;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use placet_executor::passkeys::{ToSign, said};
use placet_executor::world::World;
use placet_model::passkey::{Algorithm, Enrolled, PasskeyId};
use placet_model::{DecisionId, Digest, Principal};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Milliseconds that a browser waits for a person.
const PATIENCE_MS: u64 = 120_000;

/// `GET /passkeys?cursor=&limit=` → `{passkeys: [{id, principal, algorithm, host, confirmed, revoked}],
/// next}`.
#[utoipa::path(
    get,
    path = "/passkeys",
    operation_id = "passkeys_list",
    tag = "people",
    summary = "List passkeys",
    params(("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u64>, Query, description = "rows of a page; all without it")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Passkeys), crate::openapi::failures::Failures)
)]
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(PARAMS)?;
    let world = app.handle.world();
    caller.known(&world)?;
    let rows = world.passkeys.iter().map(|(id, _)| (id.to_string(), row(&world, *id)));
    Ok(axum::Json(paged(&params, "passkeys", rows)?))
}

/// `POST /passkeys/options` `{}` → what `navigator.credentials.create` takes as `publicKey`, binary
/// members in base64url. Its challenge is good for five minutes and once.
#[utoipa::path(
    post,
    path = "/passkeys/options",
    operation_id = "passkeys_options",
    tag = "people",
    summary = "Begin to enrol a passkey",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::PasskeyOptions), crate::openapi::failures::Failures)
)]
pub(super) async fn options(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Nothing: Nothing,
) -> Answer {
    let world = app.handle.world();
    caller.known(&world)?;
    let (who, host) = (&caller.principal, host(&headers)?);
    let challenge = *Digest::of(Token::random().expose().as_bytes()).as_bytes();
    app.challenges.open(who, challenge, host.clone(), Instant::now());
    let theirs = world.passkeys.iter().filter(|(_, known)| known.principal == *who);
    let known: Vec<_> =
        theirs.map(|(_, known)| json!({ "type": "public-key", "id": known.credential })).collect();
    let project = app.handle.log().project();
    Ok(axum::Json(json!({
        "challenge": URL_SAFE_NO_PAD.encode(challenge),
        "rp": { "id": host, "name": format!("Placet {project}") },
        // the authenticator's own place for it, which says nothing of the person
        "user": {
            "id": URL_SAFE_NO_PAD.encode(Digest::of(format!("{project} {who}").as_bytes()).as_bytes()),
            "name": who,
            "displayName": who,
        },
        "pubKeyCredParams": [
            { "type": "public-key", "alg": -7 },
            { "type": "public-key", "alg": -8 },
        ],
        "excludeCredentials": known,
        "authenticatorSelection": { "userVerification": "required", "residentKey": "preferred" },
        "attestation": "none",
        "timeout": PATIENCE_MS,
    })))
}

/// What an authenticator has answered, in base64url.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolBody {
    /// `response.clientDataJSON`.
    client_data: String,
    /// `response.getAuthenticatorData()`.
    authenticator_data: String,
}

/// `POST /passkeys` `{client_data, authenticator_data}` → 201 and the passkey, which counts once an
/// admin has confirmed it.
#[utoipa::path(
    post,
    path = "/passkeys",
    operation_id = "passkeys_enrol",
    tag = "people",
    summary = "Enrol a passkey",
    request_body = EnrolBody,
    responses((status = 201, description = "Done", body = crate::openapi::shapes::Passkey), crate::openapi::failures::Failures)
)]
pub(super) async fn enrol(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<EnrolBody>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    caller.known(&app.handle.world())?;
    let refused = |detail: &str| Problem::new("PL5040", detail);
    let open = app.challenges.take(&caller.principal, Instant::now());
    let (challenge, host) =
        open.ok_or_else(|| refused("there is no open challenge: begin again"))?;
    let part = |name: &str, text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text);
        bytes.map_err(|_bad| Problem::malformed(format!("{name}: base64url without padding")))
    };
    let client = part("client_data", &body.client_data)?;
    let data = part("authenticator_data", &body.authenticator_data)?;
    let enrolled = Enrolled::read((&client, &data), &challenge, &host).map_err(refused)?;
    let id = app.handle.enrol_passkey(&caller.principal, enrolled, host).await?;
    Ok((StatusCode::CREATED, axum::Json(row(&app.handle.world(), id))))
}

/// `POST /passkeys/{id}/confirm` `{}` → the passkey: an admin says that it is this person's.
#[utoipa::path(
    post,
    path = "/passkeys/{id}/confirm",
    operation_id = "passkeys_confirm",
    tag = "people",
    summary = "Confirm a passkey",
    params(("id" = String, Path, pattern = "^pk_")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Passkey), crate::openapi::failures::Failures)
)]
pub(crate) async fn confirm(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(id): Place<PasskeyId>,
    Nothing: Nothing,
) -> Answer {
    app.handle.confirm_passkey(&caller.principal, id).await?;
    Ok(axum::Json(row(&app.handle.world(), id)))
}

/// `POST /passkeys/{id}/revoke` `{}` → the passkey: by whoever it is of, or by an admin.
#[utoipa::path(
    post,
    path = "/passkeys/{id}/revoke",
    operation_id = "passkeys_revoke",
    tag = "people",
    summary = "Revoke a passkey",
    params(("id" = String, Path, pattern = "^pk_")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Passkey), crate::openapi::failures::Failures)
)]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(id): Place<PasskeyId>,
    Nothing: Nothing,
) -> Answer {
    app.handle.revoke_passkey(&caller.principal, id).await?;
    Ok(axum::Json(row(&app.handle.world(), id)))
}

/// What somebody is about to sign.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignBody {
    /// The digest that they were shown.
    #[schema(value_type = String)]
    digest: Digest,
    /// `approve`, `reject` …; of an attempt in doubt `sent`, `not_sent`, `give_up`.
    verdict: String,
    /// With which passkey; the only one, where they have one.
    #[schema(value_type = Option<String>)]
    passkey: Option<String>,
    reason: Option<String>,
    with: Option<Value>,
}

/// `POST /decisions/{id}/sign` `{digest, verdict, passkey?, reason?, with?}` → `{document, message,
/// reason, reason_salt, with, options}`: the document, and what `navigator.credentials.get` takes as
/// `publicKey`. Its challenge is the SHA-256 of `message`. Nothing is recorded; `POST /votes` takes the
/// document with `webauthn.` authenticator data, client data and signature as its `signature`.
#[utoipa::path(
    post,
    path = "/decisions/{id}/sign",
    operation_id = "passkeys_sign",
    tag = "inbox",
    summary = "What to sign with a passkey",
    params(("id" = String, Path, pattern = "^dec_[0-9a-hjkmnp-tv-z]{26}$")),
    request_body = SignBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::ToSign), crate::openapi::failures::Failures)
)]
pub(super) async fn sign(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(decision): Place<DecisionId>,
    Json(body): Json<SignBody>,
) -> Answer {
    caller.known(&app.handle.world())?;
    let SignBody { digest, verdict, passkey, reason, with } = body;
    let passkey = passkey.map(|text| text.parse());
    let passkey =
        passkey.transpose().map_err(|error: placet_model::passkey::ParseSignerKeyError| {
            Problem::malformed(format!("passkey: {error}"))
        })?;
    let said = said(&verdict)?;
    let asked = ToSign { decision, digest, said, passkey, reason, with };
    Ok(axum::Json(app.handle.to_sign_with_passkey(&caller.principal, &asked)?))
}

/// The host under which the person is here, as a party of passkeys: a name, never a number.
pub(crate) fn host(headers: &HeaderMap) -> Result<String, Problem> {
    let host = one(headers, header::HOST.as_str())?.unwrap_or_default();
    let name = host.split_once(':').map_or(host, |(name, _port)| name);
    if name.is_empty() || name.starts_with('[') || name.parse::<IpAddr>().is_ok() {
        let detail = format!("passkeys are made for a name, and this engine was opened as {host}");
        return Err(Problem::new("PL5040", detail));
    }
    Ok(name.to_ascii_lowercase())
}

fn row(world: &World, id: PasskeyId) -> Value {
    let known = world.passkeys.get(&id);
    json!({
        "id": id,
        "principal": known.map(|known| &known.principal).map(Principal::as_str),
        "algorithm": known.map(|known| known.algorithm).map(Algorithm::word),
        "host": known.map(|known| &known.rp_id),
        "confirmed": known.is_some_and(|known| known.confirmed),
        "revoked": known.is_some_and(|known| known.revoked),
    })
}
