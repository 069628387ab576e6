//! A certificate authority for the tests of this crate.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
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

/// An authority: a root, or one below it.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    name: String,
    /// Of the root.
    pem: String,
    /// From this one up to the root, which is not among them.
    between: String,
}

/// What a certificate is to say.
#[derive(Clone, Copy)]
pub(crate) struct Leaf<'a> {
    pub(crate) uri: &'a str,
    pub(crate) valid: (i64, i64),
    /// Hosts that it holds for.
    pub(crate) hosts: &'a [&'a str],
    /// What it is for; empty: it does not say.
    pub(crate) usages: &'a [ExtendedKeyUsagePurpose],
}

impl<'a> Leaf<'a> {
    pub(crate) const fn new(uri: &'a str) -> Self {
        Self { uri, valid: (VALID_FROM, VALID_UNTIL), hosts: &["127.0.0.1"], usages: &[] }
    }
}

impl Authority {
    /// Each has a name of its own: two of one name look like one with a wrong signature.
    pub(crate) fn new() -> Self {
        Self::until(4_000_000_000)
    }

    /// One that ends then, in seconds since the epoch.
    pub(crate) fn until(end: i64) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Self::root(format!("test authority {}", COUNT.fetch_add(1, Ordering::Relaxed)), end)
    }

    /// Another key under the same name.
    pub(crate) fn renewed(&self) -> Self {
        Self::root(self.name.clone(), 4_000_000_000)
    }

    fn root(name: String, end: i64) -> Self {
        let (key, params) = Self::certified(&name, end);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), name, pem, between: String::new() }
    }

    /// One below it, which certifies in its place.
    pub(crate) fn intermediate(&self) -> Self {
        let name = format!("below {}", self.name);
        let (key, params) = Self::certified(&name, 4_000_000_000);
        let own = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { issuer: Issuer::new(params, key), name, pem: self.pem.clone(), between: own + &self.between }
    }

    fn certified(name: &str, end: i64) -> (KeyPair, CertificateParams) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = OffsetDateTime::from_unix_timestamp(end).unwrap();
        (KeyPair::generate().unwrap(), params)
    }

    /// The root's certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes the three PEM files of a leaf into `dir`, replacing what is there.
    pub(crate) fn certify(&self, dir: &Path, leaf: &Leaf<'_>) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = leaf.hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.subject_alt_names.push(SanType::URI(leaf.uri.try_into().unwrap()));
        params.not_before = OffsetDateTime::from_unix_timestamp(leaf.valid.0).unwrap();
        params.not_after = OffsetDateTime::from_unix_timestamp(leaf.valid.1).unwrap();
        params.extended_key_usages = leaf.usages.to_vec();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::create_dir_all(dir).unwrap();
        let files = TlsFiles {
            certificate_chain: dir.join("cert.pem"),
            private_key: dir.join("key.pem"),
            authorities: dir.join("ca.pem"),
        };
        let chain = certificate.pem() + &self.between;
        durable::write(&files.certificate_chain, chain.as_bytes(), FileMode::Shared).unwrap();
        durable::write(&files.private_key, key.serialize_pem().as_bytes(), FileMode::Private).unwrap();
        durable::write(&files.authorities, self.pem.as_bytes(), FileMode::Shared).unwrap();
        files
    }
}
