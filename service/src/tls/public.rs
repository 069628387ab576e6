//! TLS towards people: a server that shows its certificate and asks for none.
//!
//! The files are looked at again while the process runs, as those of mutual TLS are: a set that does not fit together, or is not valid
//! while the old one is, is refused, and the old one stays in use. The certificate comes from an authority that browsers trust; where it
//! leads is the browser's to judge, but a new one has to hold for a host of the old one. Sessions are resumed, because phones come back over slow networks, and only within this process.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use receipt_core::hash::Hash;
use rustls::ServerConfig;
use rustls::server::ServerSessionMemoryCache;
use serde::Deserialize;

use super::own::{OwnFiles, OwnPems};
use super::standing::Standing;
use super::validity::Validity;
use super::{ALPN_H2, ClockTime, TlsError, Watched, provider, unusable};
use crate::clock::Clock;
use crate::config::{ConfigPath, Loaded};

/// HTTP/1.1 as handshakes name it.
const ALPN_HTTP1: &[u8] = b"http/1.1";
/// Sessions that may be resumed; the oldest goes first.
const SESSIONS_MAX: usize = 4096;

/// The `[public_tls]` table of a config file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PublicTlsConfig {
    /// PEM: own certificate first, then intermediate ones.
    pub certificate_chain: ConfigPath,
    /// PEM: private key of the own certificate; mode 0600.
    pub private_key: ConfigPath,
}

impl PublicTlsConfig {
    /// The files that the config means.
    pub fn resolve<T>(&self, loaded: &Loaded<T>) -> OwnFiles {
        OwnFiles {
            certificate_chain: loaded.resolve(&self.certificate_chain),
            private_key: loaded.resolve(&self.private_key),
        }
    }
}

/// The material in use. Share it as an `Arc`.
#[derive(Debug)]
pub struct PublicTls {
    files: OwnFiles,
    clock: Arc<dyn Clock>,
    current: RwLock<Arc<Material>>,
}

#[derive(Debug)]
struct Material {
    digest: Hash,
    standing: Standing,
    server: Arc<ServerConfig>,
}

impl PublicTls {
    /// Reads the files.
    pub fn load(files: OwnFiles, clock: Arc<dyn Clock>) -> Result<Arc<Self>, TlsError> {
        let material = read(&files, &clock)?;
        Ok(Arc::new(Self { files, clock, current: RwLock::new(Arc::new(material)) }))
    }

    /// Configuration of the next handshake: HTTP/2 or HTTP/1.1, as the client likes.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current().server)
    }

    fn current(&self) -> Arc<Material> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Watched for PublicTls {
    fn reload(&self) -> Result<bool, TlsError> {
        let (material, current) = (read(&self.files, &self.clock)?, self.current());
        if material.digest == current.digest {
            return Ok(false);
        }
        material.standing.check_may_take_over_from(
            &current.standing,
            self.clock.now(),
            &self.files.certificate_chain,
        )?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(material);
        Ok(true)
    }

    fn validity(&self) -> Validity {
        self.current().standing.at(self.clock.now())
    }

    fn path(&self) -> &Path {
        &self.files.certificate_chain
    }
}

fn read(files: &OwnFiles, clock: &Arc<dyn Clock>) -> Result<Material, TlsError> {
    let pems = OwnPems::read(files)?;
    let own = pems.own(files)?;
    let standing = Standing::before_strangers(&own.certificates)
        .map_err(|source| TlsError::Identity { path: files.certificate_chain.clone(), source })?;
    let mut server = ServerConfig::builder_with_details(provider(), Arc::new(ClockTime(Arc::clone(clock))))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(own.certificates, own.key)
        .map_err(unusable)?;
    server.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
    server.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
    Ok(Material { digest: pems.digest(), standing, server: Arc::new(server) })
}
