//! reqwest's clients, for reads: one per reach and connect timeout, made when first needed. Gated calls
//! have a connection each ([`once`](crate::once)).

use crate::client_certificate::Pair;
use crate::config::EgressConfig;
use crate::destination::Reach;
use crate::headers::{HEADER_LIST_BYTES_MAX, RESPONSE_HEADERS_MAX};
use crate::resolver::{GuardedResolver, Lookup};
use crate::timeouts::Timeouts;
use reqwest::{Certificate, Client, Identity};
use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ConfigBuilder};
use rustls_platform_verifier::Verifier;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

/// Idle connections kept per host: as many as one connection has turns there.
const IDLE_PER_HOST: usize = 32;

/// Which client a read needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(crate) reach: Reach,
    connect_timeout_ms: u64,
}

impl Kind {
    /// Connecting gets at most two thirds of the call's time. So a call that runs out of time
    /// altogether was already connected, and "timeout while connecting" is a proven nothing.
    pub(crate) fn new(reach: Reach, limits: Timeouts, timeout: Duration) -> Self {
        let connect = limits.resolve + limits.connect + limits.tls;
        let connect = connect.min(timeout * 2 / 3).as_millis().max(1);
        Self { reach, connect_timeout_ms: u64::try_from(connect).unwrap_or(1) }
    }
}

/// The clients made so far.
#[derive(Debug)]
pub(crate) struct Clients {
    config: Arc<EgressConfig>,
    lookup: Arc<dyn Lookup>,
    made: Mutex<BTreeMap<Kind, Client>>,
    tls: Mutex<BTreeMap<Speaking, Arc<ClientConfig>>>,
}

/// What is spoken under TLS: it stands in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Speaking {
    Http,
    Mail,
}

impl Speaking {
    fn offers(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Self::Mail => Vec::new(),
        }
    }
}

impl Clients {
    pub(crate) fn new(config: Arc<EgressConfig>, lookup: Arc<dyn Lookup>) -> Self {
        install_crypto_once();
        Self { config, lookup, made: Mutex::new(BTreeMap::new()), tls: Mutex::default() }
    }

    /// # Errors
    /// The platform's certificate store cannot be read.
    pub(crate) fn get(&self, kind: Kind) -> Result<Client, reqwest::Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(&kind) {
            return Ok(client.clone());
        }
        let client = self.make(kind, None)?;
        made.insert(kind, client.clone());
        Ok(client)
    }

    /// A client that shows a certificate of ours. It is kept nowhere: neither it nor its connections
    /// are another call's.
    ///
    /// # Errors
    /// As [`Clients::get`], and a key that does not fit its certificate.
    pub(crate) fn showing(&self, kind: Kind, own: Identity) -> Result<Client, reqwest::Error> {
        self.make(kind, Some(own))
    }

    /// Checks names as every client does.
    pub(crate) fn resolver(&self, reach: Reach) -> GuardedResolver {
        let (lookup, config) = (Arc::clone(&self.lookup), Arc::clone(&self.config));
        GuardedResolver { lookup, config, reach }
    }

    /// TLS where the connection is ours: certificates are judged as the platform does.
    pub(crate) fn tls(&self, speaking: Speaking) -> Result<Arc<ClientConfig>, String> {
        let mut made = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = made.get(&speaking) {
            return Ok(Arc::clone(config));
        }
        let mut config = self.judging()?.with_no_client_auth();
        config.alpn_protocols = speaking.offers();
        let config = Arc::new(config);
        made.insert(speaking, Arc::clone(&config));
        Ok(config)
    }

    /// As [`Clients::tls`], for HTTP, showing a certificate of ours; it is kept nowhere.
    ///
    /// # Errors
    /// `None` where the key is not the certificate's; else what the platform says.
    pub(crate) fn tls_showing(
        &self,
        (chain, key): Pair,
    ) -> Result<Option<Arc<ClientConfig>>, String> {
        let Ok(mut config) = self.judging()?.with_client_auth_cert(chain, key) else {
            return Ok(None);
        };
        config.alpn_protocols = Speaking::Http.offers();
        Ok(Some(Arc::new(config)))
    }

    fn judging(&self) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let authorities = self.config.authorities.iter().cloned().map(CertificateDer::from);
        let verifier = Verifier::new_with_extra_roots(authorities, Arc::clone(&provider))
            .map_err(|error| error.to_string())?;
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous() // the name of rustls for any verifier that is not its own
            .with_custom_certificate_verifier(Arc::new(verifier)))
    }

    fn make(&self, kind: Kind, own: Option<Identity>) -> Result<Client, reqwest::Error> {
        let resolver = self.resolver(kind.reach);
        let authorities = self.config.authorities.iter();
        let authorities = authorities.map(|der| Certificate::from_der(der));
        let builder = match own {
            Some(own) => Client::builder().identity(own),
            None => Client::builder(),
        };
        builder
            .tls_certs_merge(authorities.collect::<Result<Vec<_>, _>>()?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .https_only(kind.reach == Reach::Public)
            .connect_timeout(Duration::from_millis(kind.connect_timeout_ms))
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_headers(RESPONSE_HEADERS_MAX)
            .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
            .dns_resolver(Arc::new(resolver))
            .build()
    }
}

/// rustls takes its cryptography from one provider per process; another crate may have been first.
fn install_crypto_once() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            drop(rustls::crypto::ring::default_provider().install_default());
        }
    });
}
