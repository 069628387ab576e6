//! A certificate authority for the tests of this crate.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use time::OffsetDateTime;

use crate::durable::{self, FileMode};
use crate::identity::{ChainName, PeerIdentity, Role};
use crate::tls::TlsFiles;

/// Every certificate's window unless told otherwise, seconds since the epoch. The tests' clock stands inside.
pub(crate) const VALID_FROM: i64 = 1_700_000_000;
pub(crate) const VALID_UNTIL: i64 = 1_900_000_000;

/// Somebody on a chain.
pub(crate) fn identity(role: Role, id: u32) -> PeerIdentity {
    PeerIdentity { chain: ChainName::parse("testchain").unwrap(), role, id }
}

/// An authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// What a certificate is to say.
pub(crate) struct Leaf<'a> {
    pub(crate) uri: &'a str,
    pub(crate) valid: (i64, i64),
}

impl<'a> Leaf<'a> {
    pub(crate) fn new(uri: &'a str) -> Self {
        Self { uri, valid: (VALID_FROM, VALID_UNTIL) }
    }
}

impl Authority {
    /// Each has a name of its own: two of one name look like one with a wrong signature.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = format!("test authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes the three PEM files of a leaf for 127.0.0.1 into `dir`, replacing what is there.
    pub(crate) fn certify(&self, dir: &Path, leaf: &Leaf<'_>) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI(leaf.uri.try_into().unwrap()));
        params.not_before = OffsetDateTime::from_unix_timestamp(leaf.valid.0).unwrap();
        params.not_after = OffsetDateTime::from_unix_timestamp(leaf.valid.1).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::create_dir_all(dir).unwrap();
        let files = TlsFiles {
            certificate_chain: dir.join("cert.pem"),
            private_key: dir.join("key.pem"),
            authorities: dir.join("ca.pem"),
        };
        durable::write(&files.certificate_chain, certificate.pem().as_bytes(), FileMode::Shared).unwrap();
        durable::write(&files.private_key, key.serialize_pem().as_bytes(), FileMode::Private).unwrap();
        durable::write(&files.authorities, self.pem.as_bytes(), FileMode::Shared).unwrap();
        files
    }
}
