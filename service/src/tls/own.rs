//! The own certificate and its key, in files of their own: what both kinds of TLS here have in common.
//!
//! Read once, so that what is compared with the files in use is what is taken. Not here: whom the certificate names, and how handshakes
//! are configured ([`super::Tls`], [`super::PublicTls`]).

use std::path::PathBuf;

use receipt_core::hash::{Hash, sha256};
use receipt_core::ids::UnixMillis;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::validity::Window;
use super::{PEM_BYTES_MAX, TlsError, certificates};
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

/// What they hold.
pub(super) struct Own {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) window: Window,
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
        let window = Window::of(&certificates)
            .map_err(|source| TlsError::Identity { path: files.certificate_chain.clone(), source })?;
        let key = PrivateKeyDer::from_pem_slice(&self.private_key)
            .map_err(|error| TlsError::Pem { path: files.private_key.clone(), problem: error.to_string() })?;
        Ok(Own { certificates, key, window })
    }
}

/// Refuses a certificate that is not valid in the place of one that is.
pub(super) fn check_not_worse(
    files: &OwnFiles,
    (new, current): (Window, Window),
    now: UnixMillis,
) -> Result<(), TlsError> {
    let validity = new.at(now);
    if !validity.is_valid() && current.at(now).is_valid() {
        return Err(TlsError::NotValid { path: files.certificate_chain.clone(), validity });
    }
    Ok(())
}
