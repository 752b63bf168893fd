//! Checks of `auth.assertion`, and of the operations that are called with it.

use super::check::Shared;
use super::check_answer::{unit, when};
use super::check_auth::whole_secret;
use super::check_oauth::{credential_field, flat_body, own_url};
use super::check_request::{pointer, template};
use super::document::{AuthDoc, ManifestDoc, OperationDoc};
use super::document_assertion::{AlgDoc, AssertionDoc, AssertionPlacementDoc, ExchangeDoc};
use super::document_oauth::BodyFormatDoc;
use super::operation::{HeaderPlacement, Placement};
use super::own_request::{OwnAuth, OwnRequest};
use super::problem::Problems;
use super::references;
use crate::oauth::{ASSERTION, AssertionSpec, TokenAnswer};
use crate::predicate::When;
use crate::template::{Name, Template};
use crate::wait::Unit;
use placet_model::manifest::Effect;
use serde_json::{Value, json};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Claims that are ours alone.
const OURS: [&str; 2] = ["iat", "exp"];
/// Longest life of an assertion; providers take minutes, some an hour.
const LIVES_S_MAX: u32 = 3600;
/// Farther back nobody's clock is.
const ISSUED_BEFORE_S_MAX: u32 = 300;

/// What a manifest says of signing, as operations need it.
#[derive(Debug, Clone)]
pub(super) struct Signing {
    pub(super) spec: Arc<AssertionSpec>,
    /// Where the assertion itself stands, if it stands in a header.
    pub(super) placement: Option<Placement>,
    /// As written, for the digest of operations that are called with it.
    pub(super) digest_part: Value,
}

pub(super) fn assertion(
    document: &Spanned<AssertionDoc>,
    (auth, placement, hosts): (&Spanned<AuthDoc>, Option<&Placement>, &[String]),
    problems: &mut Problems,
) -> Option<Signing> {
    let shape = &document.value;
    // the one that is signed by
    let AlgDoc::Rs256 = shape.alg;
    let access_field = placement.and_then(credential_field);
    if access_field.is_none() {
        problems.at(auth, "auth.assertion needs auth.placement with one {secret:field}");
    }
    let key = whole_secret(&shape.key, document, problems);
    if key.is_none() {
        problems.at(document, "auth.assertion.key is \"{secret:field}\"");
    }
    times(document, problems);
    let claims = claims(document, problems)?;
    let header = shape.placement.as_ref().map(|said| in_header(said, document, problems));
    let header = match header {
        Some(header) => Some(header?),
        None => None,
    };
    let request = exchange(&shape.request, (header.as_ref(), hosts), problems)?;
    let spec = AssertionSpec {
        key: key?,
        claims,
        issued_before: Duration::from_secs(shape.issued_before_s.unwrap_or_default().into()),
        lives: Duration::from_secs(shape.lives_s.into()),
        request,
        answer: answer(document, access_field?, problems)?,
    };
    let digest_part = json!({
        "kind": "assertion",
        "placement": shape.placement,
        "claims": shape.claims,
    });
    Some(Signing { spec: Arc::new(spec), placement: header.map(Placement::Header), digest_part })
}

fn times(document: &Spanned<AssertionDoc>, problems: &mut Problems) {
    let shape = &document.value;
    if shape.lives_s == 0 || shape.lives_s > LIVES_S_MAX {
        problems.at(document, format!("auth.assertion.lives_s is 1 to {LIVES_S_MAX}"));
    }
    if shape.issued_before_s.is_some_and(|before| before > ISSUED_BEFORE_S_MAX) {
        let words = format!("auth.assertion.issued_before_s is at most {ISSUED_BEFORE_S_MAX}");
        problems.at(document, words);
    }
    let unit = shape.expires_unit.map(unit);
    if matches!(unit, Some(Unit::Millis)) {
        problems.at(document, "auth.assertion.expires_unit: ms is not built yet");
    }
}

fn claims(
    document: &Spanned<AssertionDoc>,
    problems: &mut Problems,
) -> Option<BTreeMap<String, Template>> {
    let mut claims = BTreeMap::new();
    for (name, text) in &document.value.claims {
        if OURS.contains(&name.as_str()) {
            let words = format!("auth.assertion.claims.{name}: the engine says this itself");
            problems.at(document, words);
        }
        let claim = template(text, document, problems)?;
        if claim.names().any(|name| *name == assertion_itself()) {
            problems
                .at(document, format!("auth.assertion.claims.{name} cannot name the assertion"));
        }
        claims.insert(name.clone(), claim);
    }
    Some(claims)
}

fn assertion_itself() -> Name {
    Name::Secret(ASSERTION.to_owned())
}

fn in_header(
    document: &AssertionPlacementDoc,
    place: &Spanned<AssertionDoc>,
    problems: &mut Problems,
) -> Option<HeaderPlacement> {
    let value = template(&document.value, place, problems)?;
    let names: Vec<&Name> = value.names().collect();
    if names != [&assertion_itself()] || !crate::render::is_header_name(&document.header) {
        let words = "auth.assertion.placement is {header: name, value: \"… {secret:assertion}\"}";
        problems.at(place, words);
    }
    Some(HeaderPlacement { header: document.header.clone(), value })
}

fn exchange(
    document: &Spanned<ExchangeDoc>,
    (header, hosts): (Option<&HeaderPlacement>, &[String]),
    problems: &mut Problems,
) -> Option<OwnRequest> {
    let shape = &document.value;
    let url = own_url(&shape.url, (document, "auth.assertion.request.url"), hosts, problems)?;
    let body = flat_body(document, &shape.body, problems)?;
    let shows = |template: &Template| template.names().any(|name| *name == assertion_itself());
    if shows(&url) {
        problems.at(document, "an assertion does not stand in a url");
    }
    if header.is_none() && !body.iter().any(|(_, value)| shows(value)) {
        let words = "nothing shows the assertion: auth.assertion.placement, or {secret:assertion} in the body";
        problems.at(document, words);
    }
    let auth = header.map_or(OwnAuth::None, |header| {
        OwnAuth::Header(header.header.clone(), header.value.clone())
    });
    let json = shape.body_format == Some(BodyFormatDoc::Json);
    Some(OwnRequest { method: "POST".to_owned(), url, auth, body, json })
}

fn answer(
    document: &Spanned<AssertionDoc>,
    access_field: String,
    problems: &mut Problems,
) -> Option<TokenAnswer> {
    let shape = &document.value;
    let mut at = |given: &Option<String>, usual: &str| {
        pointer(given.as_deref().unwrap_or(usual), document, problems)
    };
    let token_at = at(&shape.token_path, "/access_token");
    let expires_at = at(&shape.expires_path, "/expires_in");
    let scope_at = at(&None, "/scope");
    let mut whens = |list: &[_]| -> Option<Vec<When>> {
        list.iter().map(|one| when(one, document, problems)).collect()
    };
    let (success, dead) = (whens(&shape.success_when)?, whens(&shape.dead_when)?);
    Some(TokenAnswer {
        success,
        token_at: token_at?,
        refresh_at: None,
        expires_at: expires_at?,
        expires_unit: shape.expires_unit.map_or(Unit::Seconds, unit),
        scope_at: scope_at?,
        dead,
        refresh_before: shape.refresh_before_s.map(|s| Duration::from_secs(s.into())),
        access_field,
    })
}

/// What of signing names fields and settings, at its place in the file.
pub(super) fn references(document: &ManifestDoc, shared: &Shared, problems: &mut Problems) {
    let Some(place) = &document.auth.value.assertion else { return };
    let shape = &place.value;
    let known = shared.credential_schema.as_deref();
    if known.is_some_and(|schema| schema.document()["properties"].get(ASSERTION).is_some()) {
        problems.at(place, "a credential has no field assertion: that is what is signed");
    }
    let request = &shape.request.value;
    let body = request.body.values().filter_map(Value::as_str);
    let texts = shape.claims.values().map(String::as_str).chain([request.url.as_str()]);
    for text in texts.chain(body) {
        references::of_text(text, place, shared, problems);
    }
    if let Some(Signing { spec, .. }) = &shared.signing {
        let fields = known.and_then(|schema| schema.document()["properties"].as_object());
        if fields.is_some_and(|fields| !fields.contains_key(&spec.key)) {
            problems.at(place, format!("the credentials have no field {}", spec.key));
        }
    }
}

/// The part that an operation is called with, where that is not the token: for reads alone, since what
/// was approved goes with a token that a person can take back.
pub(super) fn called_with<'s>(
    document: &Spanned<OperationDoc>,
    shared: &'s Shared,
    problems: &mut Problems,
) -> Option<&'s Signing> {
    let said = document.value.auth.as_ref()?;
    if document.value.effect.value != Effect::Read {
        problems.at(said, "only a read is called with the assertion");
    }
    let signing = shared.signing.as_ref().filter(|signing| signing.placement.is_some());
    if signing.is_none() {
        problems.at(said, "auth: assertion needs auth.assertion.placement");
    }
    signing
}
