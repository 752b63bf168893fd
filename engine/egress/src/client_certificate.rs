//! A certificate of ours, shown while the connection is made (RFC 8446 §4.4.2). Certificate and key
//! come from the one source of secrets and go into rustls; no request, error or log holds them.

use crate::transport::Errand;
use placet_adapters::manifest::ClientCertificate;
use placet_adapters::{Cause, Failed, FillHoles, WantedHole};
use placet_model::request::{Hole, HoleKind};
use reqwest::Identity;
use url::Url;
use zeroize::Zeroizing;

/// The certificate with its key, for a call to this address.
///
/// # Errors
/// Nothing has left: an address without TLS, a secret that is not there, one that is no PEM.
pub(crate) fn identity(
    holes: &dyn FillHoles,
    (errand, certificate): (&Errand<'_>, &ClientCertificate),
    url: &Url,
) -> Result<Identity, Failed> {
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
    let pem = Zeroizing::new([chain.expose(), "\n", key.expose(), "\n"].concat());
    // the reader's own words could repeat what it has read
    Identity::from_pem(pem.as_bytes()).map_err(|_unsaid| {
        let (chain, key) = (certificate.chain(), certificate.key());
        let words = format!("the credential's {chain} and {key} are no certificate and key in PEM");
        Failed::before(Cause::Hole, words)
    })
}
