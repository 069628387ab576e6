//! The own certificate and its key, in files of their own: what both kinds of TLS here have in common.
//!
//! Read once, so that what is compared with the files in use is what is taken. Not here: whom the certificate names, how handshakes
//! are configured ([`super::Tls`], [`super::PublicTls`]), and whether others take it ([`super::standing`]).

use std::path::PathBuf;

use receipt_core::hash::{Hash, sha256};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::{PEM_BYTES_MAX, TlsError, certificates, provider};
use crate::durable;

/// Where the PEM files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFiles {
    /// Own certificate first, then intermediate ones.
    pub certificate_chain: PathBuf,
    /// Private key of the own certificate; mode 0600.
    pub private_key: PathBuf,
}

/// The files' bytes.
pub(super) struct OwnPems {
    certificate_chain: Vec<u8>,
    private_key: Zeroizing<Vec<u8>>,
}

/// What they hold: at least one certificate, and the key of the first.
pub(super) struct Own {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl OwnPems {
    /// Reads the files; others may not be able to read the key.
    pub(super) fn read(files: &OwnFiles) -> Result<Self, TlsError> {
        durable::check_private(&files.private_key)?;
        Ok(Self {
            certificate_chain: durable::read(&files.certificate_chain, PEM_BYTES_MAX)?,
            private_key: durable::read(&files.private_key, PEM_BYTES_MAX)?.into(),
        })
    }

    /// The same for the same bytes only.
    pub(super) fn digest(&self) -> Hash {
        let [chain, key] = [self.certificate_chain.as_slice(), self.private_key.as_slice()].map(|part| sha256(&[part]));
        sha256(&[chain.as_bytes(), key.as_bytes()])
    }

    /// What they hold. `files` are named in errors.
    pub(super) fn own(&self, files: &OwnFiles) -> Result<Own, TlsError> {
        let certificates = certificates(&files.certificate_chain, &self.certificate_chain)?;
        let bad = |problem: String| TlsError::Pem { path: files.private_key.clone(), problem };
        let key = PrivateKeyDer::from_pem_slice(&self.private_key).map_err(|error| bad(error.to_string()))?;
        CertifiedKey::from_der(certificates.clone(), key.clone_key(), &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                bad(format!("is not the key of the certificate in {}", files.certificate_chain.display()))
            }
            other => bad(other.to_string()),
        })?;
        Ok(Own { certificates, key })
    }
}
