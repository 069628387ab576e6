//! A development PKI: one certificate authority, and certificates whose URI name says who the holder is.
//!
//! Keys are ECDSA P-256, not Ed25519: gRPC clients built on BoringSSL (Python, Node.js) do not take Ed25519 server
//! certificates. Every certificate serves as server and as client, names `localhost` and `127.0.0.1`, and is valid from
//! yesterday on for a year. Keys always come from the operating system, also in seeded networks.
//!
//! Not here: what an identity means; that is `tallystick_service::identity`.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use tallystick_service::durable::{self, FileMode};
use time::{Duration, OffsetDateTime};

use crate::layout::CertificateFiles;

const VALID_DAYS: i64 = 365;

/// A certificate authority of a development network.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    cert_pem: String,
    now: OffsetDateTime,
}

/// What a certificate is to say.
#[derive(Debug, Clone, Copy)]
pub struct CertificateRequest<'a> {
    /// For people: the common name.
    pub name: &'a str,
    /// The identity, as a URI.
    pub identity_uri: &'a str,
    /// Validity of the certificate.
    pub validity: Validity,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// From yesterday on for a year.
    Current,
    /// It ended yesterday.
    Expired,
}

impl Authority {
    /// Makes a new authority; `now_ms` is the time of the machine, in milliseconds since the Unix epoch.
    pub fn new(common_name: &str, now_ms: u64) -> Result<Self> {
        let seconds = i64::try_from(now_ms / 1000).context("the time is out of range")?;
        let now = OffsetDateTime::from_unix_timestamp(seconds).context("the time is out of range")?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("generate the authority's key")?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = now - Duration::days(2);
        params.not_after = now + Duration::days(VALID_DAYS + 1);
        let certificate = params.self_signed(&key).context("sign the authority's certificate")?;
        Ok(Self { cert_pem: certificate.pem(), issuer: Issuer::new(params, key), now })
    }

    /// Writes certificate and key of the authority itself.
    pub fn write(&self, files: &CertificateFiles) -> Result<()> {
        write_pair(files, &self.cert_pem, &self.issuer.key().serialize_pem())
    }

    /// Makes a key, certifies it and writes both.
    pub fn certify(&self, request: &CertificateRequest<'_>, files: &CertificateFiles) -> Result<()> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("generate a certificate's key")?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, request.name);
        params.subject_alt_names = vec![
            SanType::DnsName("localhost".try_into().context("name localhost")?),
            SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
            SanType::URI(request.identity_uri.try_into().context("the identity is not an ASCII URI")?),
        ];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = match request.validity {
            Validity::Current => (self.now - Duration::days(1), self.now + Duration::days(VALID_DAYS)),
            Validity::Expired => (self.now - Duration::days(2), self.now - Duration::days(1)),
        };
        let certificate = params.signed_by(&key, &self.issuer).with_context(|| format!("certify {}", request.name))?;
        write_pair(files, &certificate.pem(), &key.serialize_pem())
    }
}

fn write_pair(files: &CertificateFiles, cert_pem: &str, key_pem: &str) -> Result<()> {
    for path in [&files.cert, &files.key] {
        if let Some(directory) = path.parent() {
            durable::private_directory(directory)?;
        }
    }
    durable::create(&files.cert, cert_pem.as_bytes(), FileMode::Shared)?;
    durable::create(&files.key, key_pem.as_bytes(), FileMode::Private)?;
    Ok(())
}
