//! The `Authorization` header: a scheme, and a hole.

use crate::oauth;
use placet_model::plan::Authentication;
use placet_model::request::{Hole, HoleKind, HoledText, Part};

/// `$authorization.scheme`: the word before the parameter.
pub fn scheme(authentication: &Authentication) -> &'static str {
    match authentication {
        Authentication::Basic { .. } => "Basic",
        Authentication::Stored { scheme, .. } if scheme == "basic" => "Basic",
        Authentication::Bearer { .. }
        | Authentication::OAuth2(_)
        | Authentication::Oidc(_)
        | Authentication::Stored { .. } => "Bearer",
    }
}

/// The header's value.
pub(super) fn header(authentication: &Authentication) -> HoledText {
    let scheme = format!("{} ", scheme(authentication));
    HoledText(vec![Part::Text(scheme), Part::Hole(hole(authentication))])
}

/// `$authorization.parameter`: what follows the scheme.
pub(super) fn hole(authentication: &Authentication) -> Hole {
    match authentication {
        Authentication::Bearer { token } => secret(token.clone()),
        Authentication::Basic { username, password } => {
            Hole { hole: HoleKind::Basic, name: format!("{username}:{password}") }
        }
        Authentication::Stored { scheme, secret } if scheme == "basic" => {
            Hole { hole: HoleKind::Basic, name: secret.clone() }
        }
        Authentication::OAuth2(_) | Authentication::Oidc(_) | Authentication::Stored { .. } => {
            oauth::hole(authentication)
        }
    }
}

/// A secret of `use.secrets`.
pub(super) fn secret(name: String) -> Hole {
    Hole { hole: HoleKind::Secret, name }
}
