//! A certificate of ours, shown while the connection is made (RFC 8446 §4.4.2). Certificate and key
//! come from the one source of secrets and go into rustls; no request, error or log holds them.

use crate::transport::Errand;
use placet_adapters::manifest::ClientCertificate;
use placet_adapters::{Cause, Failed, FillHoles, WantedHole};
use placet_model::request::{Hole, HoleKind};
use reqwest::Identity;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;
use zeroize::Zeroizing;

/// The certificate with those that vouch for it, and its key.
pub(crate) type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// For a read, which goes through reqwest.
///
/// # Errors
/// Nothing has left: an address without TLS, a secret that is not there, one that is no PEM.
pub(crate) fn identity(
    holes: &dyn FillHoles,
    (errand, certificate): (&Errand<'_>, &ClientCertificate),
    url: &Url,
) -> Result<Identity, Failed> {
    let pem = pem(holes, (errand, certificate), url)?;
    // the reader's own words could repeat what it has read
    Identity::from_pem(pem.as_bytes()).map_err(|_unsaid| unreadable(certificate))
}

/// For a gated call, whose connection is our own.
///
/// # Errors
/// As [`identity`].
pub(crate) fn pair(
    holes: &dyn FillHoles,
    (errand, certificate): (&Errand<'_>, &ClientCertificate),
    url: &Url,
) -> Result<Pair, Failed> {
    let pem = pem(holes, (errand, certificate), url)?;
    let chain: Option<Vec<_>> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::ok).collect();
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok();
    match (chain, key) {
        (Some(chain), Some(key)) if !chain.is_empty() => Ok((chain, key)),
        _ => Err(unreadable(certificate)),
    }
}

fn pem(
    holes: &dyn FillHoles,
    (errand, certificate): (&Errand<'_>, &ClientCertificate),
    url: &Url,
) -> Result<Zeroizing<String>, Failed> {
    if url.scheme() != "https" {
        let words = "a client certificate is shown over TLS, and the url is not https";
        return Err(Failed::before(Cause::Refused, words));
    }
    let host = url.host_str().unwrap_or_default();
    let ask = |field: &str| {
        let hole = Hole { hole: HoleKind::Credential, name: field.to_owned() };
        let wanted = WantedHole { hole: &hole, integration: errand.integration, host };
        holes.fill(&wanted).map_err(|error| Failed::before(Cause::Hole, error.to_string()))
    };
    let (chain, key) = (ask(certificate.chain())?, ask(certificate.key())?);
    Ok(Zeroizing::new([chain.expose(), "\n", key.expose(), "\n"].concat()))
}

fn unreadable(certificate: &ClientCertificate) -> Failed {
    let (chain, key) = (certificate.chain(), certificate.key());
    let words = format!("the credential's {chain} and {key} are no certificate and key in PEM");
    Failed::before(Cause::Hole, words)
}

/// The two are not of one another.
pub(crate) fn unfit() -> Failed {
    Failed::before(Cause::Hole, "the credential's key does not fit its certificate")
}
