//! Who asks: a bearer token or a session, the acting user, the request id.

use crate::access::Bearer;
use crate::app::App;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use placet_executor::inbox;
use placet_executor::world::World;
use placet_model::Principal;
use placet_model::actor::{PrincipalKind, Role};
use placet_model::decision::Assurance;
use std::sync::Arc;
use std::time::Instant;

/// In `dev`: the user to act as.
pub(crate) const ACT_AS: &str = "placet-as";
/// The request id: the same one gives the same answer.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Who acts when nobody is named.
const DEFAULT_USER: &str = "author";
/// Bytes of a request id.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Somebody who may come in.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) assurance: Assurance,
    pub(crate) request_id: Option<String>,
}

impl Caller {
    /// The caller as the inbox knows it.
    pub(crate) fn to_inbox(&self) -> inbox::Caller {
        inbox::Caller {
            principal: self.principal.clone(),
            assurance: self.assurance,
            request_id: self.request_id.clone(),
        }
    }

    /// Holds one of the roles.
    pub(crate) fn demand_any(&self, world: &World, roles: &[Role]) -> Result<(), Problem> {
        self.known(world)?;
        if roles.iter().any(|role| world.policy.has_role(&self.principal, *role)) {
            return Ok(());
        }
        let roles: Vec<&str> = roles.iter().map(|role| role.word()).collect();
        let detail = format!("{} needs one of the roles {}", self.principal, roles.join(", "));
        Err(Problem::new("PL4005", detail))
    }

    /// Reads what the project holds: every person, and programs that operate or audit. An agent
    /// sees what it caused and nothing else.
    pub(crate) fn demand_reader(&self, world: &World) -> Result<(), Problem> {
        self.known(world)?;
        if self.reads(world) {
            return Ok(());
        }
        Err(Problem::new("PL4005", format!("{} reads only what it caused", self.principal)))
    }

    /// Whether the caller reads more than what it caused.
    pub(crate) fn reads(&self, world: &World) -> bool {
        let roles = [Role::Operator, Role::Auditor, Role::Admin];
        let is_person = world
            .policy
            .principals
            .get(&self.principal)
            .is_some_and(|info| info.kind == PrincipalKind::User);
        is_person || roles.iter().any(|role| world.policy.has_role(&self.principal, *role))
    }

    pub(crate) fn known(&self, world: &World) -> Result<(), Problem> {
        if world.policy.principals.contains_key(&self.principal) {
            return Ok(());
        }
        Err(Problem::new("PL3004", format!("the policy knows no principal {}", self.principal)))
    }
}

/// The request was counted for its caller.
#[derive(Debug, Clone)]
struct Counted;

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let (assurance, bearer) = entry(parts, app)?;
        let acting = one(&parts.headers, ACT_AS)?.map(str::parse::<Principal>).transpose();
        let acting = acting.map_err(|error| Problem::malformed(error.to_string()))?;
        let principal = match (bearer, acting) {
            (Bearer::Anybody, Some(acting)) => acting,
            (Bearer::Anybody, None) => DEFAULT_USER.parse().map_err(|error| {
                let error: placet_model::actor::ParsePrincipalError = error;
                Problem::internal(&error)
            })?,
            (Bearer::One(owner), Some(acting)) if acting != owner => {
                let detail = format!(
                    "this is {owner}, who cannot act as {acting}: only `placet dev` lets one act as \
                     others"
                );
                return Err(Problem::new("PL4005", detail));
            }
            (Bearer::One(owner), _) => owner,
        };
        let request_id = request_id(&parts.headers)?;
        // a layer may have asked who it is before
        if parts.extensions.insert(Counted).is_none() {
            app.rates.take(&principal, Instant::now())?;
        }
        Ok(Self { principal, assurance, request_id })
    }
}

/// How it is known who comes in, and who that may be.
fn entry(parts: &Parts, app: &App) -> Result<(Assurance, Bearer), Problem> {
    let refused = |detail: &str| Problem::new("PL4004", detail);
    if let Some(given) = one(&parts.headers, header::AUTHORIZATION.as_str())? {
        let (scheme, token) = given.split_once(' ').unwrap_or((given, ""));
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        let bearer = app.access.bearer(token.trim(), app.handle.now()).filter(|_| is_bearer);
        return bearer
            .map(|bearer| (Assurance::Transport, bearer))
            .ok_or_else(|| refused("the token is not known here"));
    }
    let Some(bearer) = app.sessions.admits(&parts.headers) else {
        return Err(refused("there is neither a bearer token nor a session"));
    };
    // a browser sends the cookie by itself: what changes something must say where it comes from
    let is_safe = matches!(parts.method, Method::GET | Method::HEAD);
    if is_safe || parts.headers.contains_key(header::ORIGIN) {
        return Ok((Assurance::Session, bearer));
    }
    Err(Problem::new("PL4015", "a session may change something only with an Origin header"))
}

fn request_id(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(id) = one(headers, IDEMPOTENCY_KEY)? else { return Ok(None) };
    let is_good = (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good {
        return Ok(Some(id.to_owned()));
    }
    let detail = format!("{IDEMPOTENCY_KEY}: 1 to {REQUEST_ID_BYTES_MAX} visible ASCII characters");
    Err(Problem::malformed(detail))
}

/// The only value of a header; two of them are a contradiction.
pub(crate) fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::malformed(format!("{name} stands twice")));
    }
    let text = value.to_str();
    text.map(Some).map_err(|_not_text| Problem::malformed(format!("{name} is no text")))
}
