//! Whether others take this process's own certificate, judged as they judge it: its dates, the authority it leads to, what it is for, and
//! the hosts it holds for.
//!
//! Dates come and go, so they are asked for a moment ([`Standing::at`]); everything else is true of the files for good and is judged once,
//! when they are read. [`Standing::check_may_take_over_from`] keeps a set that is worse from taking the place of one that is good.
//!
//! The TLS library does not ask when an authority ends, so our own programs go on under one that has. Others ask (OpenSSL, Go, BoringSSL),
//! and an issuer's callers are theirs: here its end is an end.

use std::path::Path;

use receipt_core::ids::UnixMillis;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, RootCertStore};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::validity::{Validity, Window};
use super::{TlsError, provider};
use crate::identity::{IdentityError, Role};

/// What others think of a certificate.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    own: Window,
    /// Of the authority that it leads to; `None`: strangers have authorities of their own.
    authority: Option<Window>,
    /// Why nobody takes it, whenever that is asked.
    problem: Option<String>,
    certificate: CertificateDer<'static>,
    /// Where this process can be reached under it; empty if it is not to be reached.
    hosts: Vec<ServerName<'static>>,
}

/// Which end of a connection shows the certificate.
#[derive(Debug, Clone, Copy)]
enum End {
    Server,
    Client,
}

impl Standing {
    /// Of the own certificate and those between it and an authority, before peers that have the same `authorities` (which came from the
    /// file `named`).
    pub(super) fn among_peers(
        certificates: &[CertificateDer<'static>],
        (named, authorities): (&Path, &[CertificateDer<'static>]),
        role: Role,
    ) -> Result<Self, IdentityError> {
        let own = Window::of(certificates)?;
        let mut standing =
            Self { own, authority: None, problem: None, certificate: certificates[0].clone(), hosts: Vec::new() };
        let mut ends = vec![End::Client];
        if role.has_servers() {
            ends.push(End::Server);
            standing.hosts = hosts(&certificates[0])?;
        }
        let from = own.from();
        // By each authority alone: it is as good as the one that is good longest.
        for authority in authorities {
            if check_path(certificates, std::slice::from_ref(authority), End::Client, from).is_ok() {
                let window = Window::of(std::slice::from_ref(authority))?;
                standing.authority = Some(standing.authority.map_or(window, |other| window.later(other)));
            }
        }
        standing.problem = ends.into_iter().find_map(|end| {
            let error = check_path(certificates, authorities, end, from).err()?;
            let leads_nowhere =
                || format!("leads to none of the authorities in {} ({})", named.display(), reason(&error));
            Some(end.purpose_problem(&error).unwrap_or_else(leads_nowhere))
        });
        if standing.problem.is_none() && role.has_servers() && standing.hosts.is_empty() {
            standing.problem = Some("names no host (DNS or IP) under which others could reach this process".to_owned());
        }
        Ok(standing)
    }

    /// Of the own certificate and those between it and an authority, before clients that have authorities of their own. Where it leads is
    /// theirs to judge; that it follows from the certificates behind it, and is for servers, can be judged here.
    pub(super) fn before_strangers(certificates: &[CertificateDer<'static>]) -> Result<Self, IdentityError> {
        let own = Window::of(certificates)?;
        let last = &certificates[certificates.len() - 1..];
        let problem = check_path(certificates, last, End::Server, own.from()).err().and_then(|error| {
            let apart = certificates.len() > 1
                && matches!(
                    error,
                    rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)
                );
            End::Server.purpose_problem(&error).or_else(|| {
                apart.then(|| format!("does not come from the certificates that stand behind it ({})", reason(&error)))
            })
        });
        let hosts = hosts(&certificates[0])?;
        Ok(Self { own, authority: None, problem, certificate: certificates[0].clone(), hosts })
    }

    /// What they think at `now`.
    pub(super) fn at(&self, now: UnixMillis) -> Validity {
        if let Some(problem) = &self.problem {
            return Validity::Refused { problem: problem.clone() };
        }
        match (self.own.at(now), self.authority.map(|authority| authority.at(now))) {
            (Validity::Valid { left_ms: own }, Some(Validity::Valid { left_ms })) => {
                Validity::Valid { left_ms: own.min(left_ms) }
            }
            (Validity::Valid { .. }, Some(ended)) => {
                Validity::Refused { problem: format!("leads to an authority that {ended}") }
            }
            (own, _) => own,
        }
    }

    /// Whether the authority ends before the certificate does, so that it is the one to be renewed.
    pub(super) fn authority_ends_first(&self) -> bool {
        self.authority.is_some_and(|authority| authority.until() < self.own.until())
    }

    /// Refuses to put a certificate in the place of one that is good if others refuse it now, or would not find this process under it.
    /// `path` is its file.
    pub(super) fn check_may_take_over_from(
        &self,
        current: &Self,
        now: UnixMillis,
        path: &Path,
    ) -> Result<(), TlsError> {
        if !current.at(now).is_valid() {
            return Ok(());
        }
        let validity = self.at(now);
        if !validity.is_valid() {
            return Err(TlsError::NotValid { path: path.to_owned(), validity });
        }
        let is_found = ParsedCertificate::try_from(&self.certificate)
            .is_ok_and(|new| current.hosts.iter().any(|host| verify_server_name(&new, host).is_ok()));
        if !current.hosts.is_empty() && !is_found {
            let hosts: Vec<_> = current.hosts.iter().map(ServerName::to_str).collect();
            return Err(TlsError::OtherHosts { path: path.to_owned(), hosts: hosts.join(", ") });
        }
        Ok(())
    }
}

impl End {
    /// What is wrong if the certificate, or one between it and the authority, is not for this end.
    fn purpose_problem(self, error: &rustls::Error) -> Option<String> {
        let (whom, usage) = match self {
            Self::Server => ("servers", "serverAuth"),
            Self::Client => ("clients", "clientAuth"),
        };
        let is_purpose = matches!(
            error,
            rustls::Error::InvalidCertificate(
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. }
            )
        );
        is_purpose.then(|| format!("is not for {whom}: its extended key usage lacks {usage}"))
    }
}

/// The way from the first of `certificates` over the others to one of `authorities`, as whoever is at the other end of a connection
/// checks it at that time.
fn check_path(
    certificates: &[CertificateDer<'static>],
    authorities: &[CertificateDer<'static>],
    end: End,
    at: UnixMillis,
) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone())?;
    }
    let (own, between) = certificates.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_millis(at.get()));
    match end {
        End::Server => {
            let algorithms = provider().signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(own)?,
                &roots,
                between,
                at,
                algorithms,
            )
        }
        End::Client => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).build();
            let verifier = verifier.map_err(|error| rustls::Error::General(error.to_string()))?;
            verifier.verify_client_cert(own, between, at).map(|_| ())
        }
    }
}

/// The library's reason, without its remark that a peer's certificate is meant: it is our own.
fn reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(reason) => reason.to_string(),
        other => other.to_string(),
    }
}

/// The hosts that a certificate holds for; of a wildcard one that fits it.
fn hosts(certificate: &CertificateDer<'_>) -> Result<Vec<ServerName<'static>>, IdentityError> {
    let (_, certificate) = parse_x509_certificate(certificate).map_err(|_| IdentityError::Certificate)?;
    let names = certificate.subject_alternative_name().map_err(|_| IdentityError::Certificate)?;
    let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let host = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => ServerName::try_from(name.replacen('*', "any", 1)).ok(),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from)).ok()?;
            Some(ServerName::from(address))
        }
        _ => None,
    };
    Ok(names.iter().filter_map(host).collect())
}
