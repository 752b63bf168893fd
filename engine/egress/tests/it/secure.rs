//! TLS by the tests' own authority: `tests/tls/` holds its certificate, and one for this machine.

use placet_egress::{Egress, EgressConfig, Timeouts};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

pub(crate) const AUTHORITY: &[u8] = include_bytes!("../tls/authority.der");
const CERTIFICATE: &[u8] = include_bytes!("../tls/server.der");
const KEY: &[u8] = include_bytes!("../tls/server.key.der");

/// A server that speaks the first of these protocols that its client does.
pub(crate) fn acceptor(protocols: &[&str]) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(KEY).unwrap().clone_key();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A way out to this server, that believes its certificate.
pub(crate) fn rules(address: SocketAddr, timeouts: Timeouts) -> EgressConfig {
    let mut rules = EgressConfig::allowing([address.to_string().parse().unwrap()]);
    rules.authorities.push(AUTHORITY.to_vec());
    rules.timeouts = timeouts;
    rules
}

pub(crate) fn egress(rules: EgressConfig) -> Egress {
    Egress::new(crate::common::live(), rules, Arc::new(crate::common::Secrets::default()))
}
