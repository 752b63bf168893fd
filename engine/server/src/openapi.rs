//! `GET /api/v1/openapi.json`: what the API takes and answers, as `OpenAPI` 3.1, made from the handlers.
//!
//! A route is added together with its description (`routes!`), so there is none without. What is
//! answered is put together from rows as JSON; its forms are written down in [`shapes`] and held
//! against real answers by the tests. Members may be added to an answer, none is taken away.

pub(crate) mod drift;
pub(crate) mod failures;
pub(crate) mod shapes;

use axum::response::IntoResponse;
use serde_json::{Value, json};
use std::sync::OnceLock;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

/// Made once; the same for every caller.
static DOCUMENT: OnceLock<Value> = OnceLock::new();

const ABOUT: &str = "\
JSON in and out, `snake_case`, times in RFC 3339 and UTC, ids with readable prefixes. GET reads one snapshot and \
changes nothing; POST answers after the commit. An error is `application/problem+json` with a code `PL####` whose \
page stands at its `type`.

**Repeats.** A POST with an `Idempotency-Key` (at most 128 bytes) is carried out once: the same key with the same \
body gives the same answer, with another body 409. **Pages** end with `next`, which is what the next request asks \
with; where they need not be given, all rows come at once. **Conditional requests**: an answer to GET has an `ETag`; \
with it in `If-None-Match` the answer is 304 where nothing has changed. POST `/policy` takes `If-Match` and answers 412 \
where another policy is in force. **Bounds**: a body has at most 4 MiB (413), and a caller of `placet serve` asks only so \
often (429 with `Retry-After`). **Who asks**: a bearer token; in `placet dev` the header `Placet-As` says whom to act as.";

#[derive(OpenApi)]
#[openapi(
    info(title = "Placet", description = ABOUT),
    // every answer that is no success has it
    components(schemas(shapes::Problem)),
    tags(
        (name = "engine", description = "How the engine stands"),
        (name = "inbox", description = "Decision requests, and deciding"),
        (name = "runs", description = "Starting, watching and stopping runs"),
        (name = "workflows", description = "Workflows and manifests in force"),
        (name = "integrations", description = "Connections to providers"),
        (name = "policy", description = "Who must agree to what"),
        (name = "people", description = "Keys and tokens"),
        (name = "audit", description = "Reading and proving the log"),
        (name = "upkeep", description = "Backup, erasure, derived tables"),
    )
)]
struct Api;

/// What every description begins with.
pub(crate) fn base() -> utoipa::openapi::OpenApi {
    Api::openapi()
}

/// Takes what the routes have described.
pub(crate) fn keep(mut api: utoipa::openapi::OpenApi) {
    let components = api.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("token", bearer);
    DOCUMENT.get_or_init(|| {
        let mut document = json!(api);
        document["security"] = json!([{ "token": [] }]);
        document
    });
}

/// `GET /api/v1/openapi.json`; it tells nothing of the project, so nobody has to say who they are.
pub(crate) async fn document() -> impl IntoResponse {
    axum::Json(DOCUMENT.get().unwrap_or(&Value::Null))
}
