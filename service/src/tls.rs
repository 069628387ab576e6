//! Mutual TLS: certificates from PEM files, replaced while running, for servers and clients alike.
//!
//! ```text
//! files ──load──▶ Tls ──server_config──▶ incoming (server side)      [`incoming`]
//!                  ▲ └──client_config──▶ channel  (client side)      [`channel`]
//!                  └── watch: every few seconds and at SIGHUP, if a file's content changed
//! ```
//! Invariants: both sides always show a certificate and check the other's against the same CA file; nobody resumes a
//! session, so every connection is a full handshake under the newest files; certificates are judged by the process's own
//! [`Clock`]. A set of files that does not fit together, names somebody else, or is one that others refuse while they take the old one, is
//! refused and the old one stays in use.
//!
//! Not here: what a certificate's holder may do ([`crate::authorization`]).

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use receipt_core::hash::{Hash, sha256};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::Deserialize;

use crate::clock::Clock;
use crate::config::{ConfigPath, Loaded};
use crate::durable::{self, DurableError};
use crate::identity::{ChainName, IdentityError, PeerIdentity, read_certificate};
use crate::shutdown::{CancellationToken, TaskError};

pub mod channel;
pub mod incoming;
mod own;
mod public;
mod standing;
mod validity;
mod watch;

pub use channel::{
    ChannelConfig, ChannelError, ExpectedPeer, PeerNumber, connect_lazy, connect_lazy_to_one, connect_lazy_with_session,
};
pub use incoming::{ConnectionInfo, Door, Incoming, IncomingLimits, TlsIo, accept, accept_at_doors};
pub use own::OwnFiles;
use own::{Own, OwnPems};
pub use public::{PublicTls, PublicTlsConfig};
use standing::Standing;
pub use validity::{DaysLeft, Validity};
pub use watch::{CertificateWatch, Watched, watch};

const PEM_BYTES_MAX: usize = 256 * 1024;
const ALPN_H2: &[u8] = b"h2";
/// Of the exporter (RFC 5705, RFC 8446 section 7.5) that gives a connection's [`Session`].
const SESSION_LABEL: &[u8] = b"EXPORTER-tallystick-session";

/// A value that the two ends of a connection derive from its handshake, and that nobody else knows: whoever signs it signs for this
/// connection and no other.
pub type Session = [u8; 32];

/// The `[tls]` table of a config file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TlsConfig {
    /// PEM: own certificate first, then intermediate ones.
    pub certificate_chain: ConfigPath,
    /// PEM: private key of the own certificate; mode 0600.
    pub private_key: ConfigPath,
    /// PEM: certificates of the authorities that both sides' certificates must come from.
    pub authorities: ConfigPath,
}

impl TlsConfig {
    /// The files that the config means.
    pub fn resolve<T>(&self, loaded: &Loaded<T>) -> TlsFiles {
        TlsFiles {
            certificate_chain: loaded.resolve(&self.certificate_chain),
            private_key: loaded.resolve(&self.private_key),
            authorities: loaded.resolve(&self.authorities),
        }
    }
}

/// Where the PEM files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Own certificate first, then intermediate ones.
    pub certificate_chain: PathBuf,
    /// Private key of the own certificate; mode 0600.
    pub private_key: PathBuf,
    /// Authorities that both sides' certificates must come from.
    pub authorities: PathBuf,
}

impl TlsFiles {
    fn own(&self) -> OwnFiles {
        OwnFiles { certificate_chain: self.certificate_chain.clone(), private_key: self.private_key.clone() }
    }
}

/// Why a set of TLS files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or others may touch the private key.
    #[error(transparent)]
    File(#[from] DurableError),
    /// A file is not the PEM it should be.
    #[error("{path}: {problem}", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The own certificate names nobody of the chain.
    #[error("{path}: {source}", path = path.display())]
    Identity {
        /// The certificate file.
        path: PathBuf,
        /// The underlying error.
        source: IdentityError,
    },
    /// The files do not fit together, for example a key of another certificate.
    #[error("TLS: {0}")]
    Unusable(String),
    /// New files name somebody else than this process is.
    #[error(
        "{path} names {found}, this process is {own}: a certificate of another identity is not taken while it runs",
        path = path.display()
    )]
    OtherIdentity {
        /// The certificate file.
        path: PathBuf,
        /// Who this process is.
        own: Box<PeerIdentity>,
        /// Whom the new certificate names.
        found: Box<PeerIdentity>,
    },
    /// New files hold a certificate that others refuse now, and they take the old one.
    #[error("{path} holds a certificate that {validity}, the one in use is valid", path = path.display())]
    NotValid {
        /// The certificate file.
        path: PathBuf,
        /// That it is not valid yet, or no more, or why others refuse it.
        validity: Validity,
    },
    /// New files hold a certificate under which nobody would find this process where it is.
    #[error("{path} holds for none of the hosts of the certificate in use ({hosts}): not taken while this process runs", path = path.display())]
    OtherHosts {
        /// The certificate file.
        path: PathBuf,
        /// The hosts of the certificate in use.
        hosts: String,
    },
}

/// The TLS material in use. Share it as an `Arc`.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    chain: ChainName,
    clock: Arc<dyn Clock>,
    current: RwLock<Arc<Material>>,
}

#[derive(Debug)]
struct Material {
    digest: Hash,
    identity: PeerIdentity,
    standing: Standing,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the files. The own certificate must name somebody of `chain`. One that others refuse is taken, because files can be
    /// replaced: [`Self::watch`] says so, and [`Self::validity`].
    pub fn load(files: TlsFiles, chain: ChainName, clock: Arc<dyn Clock>) -> Result<Arc<Self>, TlsError> {
        let material = Pems::read(&files)?.material(&files, &chain, &clock)?;
        Ok(Arc::new(Self { files, chain, clock, current: RwLock::new(Arc::new(material)) }))
    }

    /// Who this process is.
    pub fn identity(&self) -> PeerIdentity {
        self.current().identity.clone()
    }

    /// The chain whose identities count.
    pub fn chain(&self) -> &ChainName {
        &self.chain
    }

    /// Configuration of the next handshake as a server: it asks for a client certificate and goes no further without one.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.current().server.clone()
    }

    /// Configuration of the next handshake as a client: it shows the own certificate.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        self.current().client.clone()
    }

    /// How long the own certificate is good.
    pub fn validity(&self) -> Validity {
        self.current().standing.at(self.clock.now())
    }

    /// Reads the files again. `Ok(true)`: changed, new handshakes use them. After an error the old ones stay in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let (pems, current) = (Pems::read(&self.files)?, self.current());
        if pems.digest() == current.digest {
            return Ok(false);
        }
        let material = pems.material(&self.files, &self.chain, &self.clock)?;
        if material.identity != current.identity {
            let (own, found) = (Box::new(current.identity.clone()), Box::new(material.identity));
            return Err(TlsError::OtherIdentity { path: self.files.certificate_chain.clone(), own, found });
        }
        let (now, path) = (self.clock.now(), &self.files.certificate_chain);
        material.standing.check_may_take_over_from(&current.standing, now, path)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(material);
        Ok(true)
    }

    /// As [`watch`].
    pub async fn watch(self: Arc<Self>, watch: CertificateWatch, stop: CancellationToken) -> Result<(), TaskError> {
        watch::watch(self, watch, stop).await
    }

    fn current(&self) -> Arc<Material> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Watched for Tls {
    fn reload(&self) -> Result<bool, TlsError> {
        Self::reload(self)
    }

    fn validity(&self) -> Validity {
        Self::validity(self)
    }

    fn path(&self) -> &Path {
        if self.current().standing.authority_ends_first() {
            &self.files.authorities
        } else {
            &self.files.certificate_chain
        }
    }
}

/// The files' bytes.
struct Pems {
    own: OwnPems,
    authorities: Vec<u8>,
}

impl Pems {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let own = OwnPems::read(&files.own())?;
        Ok(Self { own, authorities: durable::read(&files.authorities, PEM_BYTES_MAX)? })
    }

    fn digest(&self) -> Hash {
        sha256(&[self.own.digest().as_bytes(), sha256(&[&self.authorities]).as_bytes()])
    }

    fn material(&self, files: &TlsFiles, chain: &ChainName, clock: &Arc<dyn Clock>) -> Result<Material, TlsError> {
        let Own { certificates, key } = self.own.own(&files.own())?;
        let authorities = self::certificates(&files.authorities, &self.authorities)?;
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            roots
                .add(authority.clone())
                .map_err(|error| TlsError::Pem { path: files.authorities.clone(), problem: error.to_string() })?;
        }
        let nobody = |source| TlsError::Identity { path: files.certificate_chain.clone(), source };
        let named = read_certificate(&certificates[0], chain).map_err(nobody)?;
        let known = (files.authorities.as_path(), authorities.as_slice());
        let standing = Standing::among_peers(&certificates, known, named.identity.role).map_err(nobody)?;
        let parts = Parts { certificates, key, roots: Arc::new(roots), clock: clock.clone() };
        Ok(Material {
            digest: self.digest(),
            identity: named.identity,
            standing,
            server: Arc::new(parts.server()?),
            client: Arc::new(parts.client()?),
        })
    }
}

struct Parts {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
    clock: Arc<dyn Clock>,
}

impl Parts {
    fn server(&self) -> Result<ServerConfig, TlsError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider())
            .build()
            .map_err(|error| TlsError::Unusable(error.to_string()))?;
        let mut config = ServerConfig::builder_with_details(provider(), self.time())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.certificates.clone(), self.key.clone_key())
            .map_err(unusable)?;
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn client(&self) -> Result<ClientConfig, TlsError> {
        let mut config = ClientConfig::builder_with_details(provider(), self.time())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(self.certificates.clone(), self.key.clone_key())
            .map_err(unusable)?;
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn time(&self) -> Arc<dyn TimeProvider> {
        Arc::new(ClockTime(self.clock.clone()))
    }
}

/// The process's clock, as the TLS library asks it.
#[derive(Debug)]
struct ClockTime(Arc<dyn Clock>);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.now().get())))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |problem: String| TlsError::Pem { path: path.to_owned(), problem };
    let all =
        CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|error| bad(error.to_string()))?;
    if all.is_empty() { Err(bad("holds no certificate".to_owned())) } else { Ok(all) }
}

fn unusable(error: rustls::Error) -> TlsError {
    TlsError::Unusable(error.to_string())
}

#[cfg(test)]
mod tests;
