//! Who is at the other end of a connection: a role and a registry number on a chain, from the certificate.
//!
//! ```text
//! subjectAltName URI:  tallystick://<chain-name>/<role>/<registry id>       tallystick://demo-2026/system/17
//! ```
//! The chain of trust and the validity period are the TLS library's business; this file only reads the name, strictly:
//! exactly one such URI, lower case, the id in decimal without leading zeros. What the holder may do is the
//! business of [`crate::authorization`] and, for a system's units, of the registry.

use std::fmt;

use receipt_core::ids::UnixMillis;
use serde::Deserialize;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

const SCHEME: &str = "tallystick://";
const CHAIN_NAME_CHARACTERS_MAX: usize = 64;

/// What a process or person is on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A business system of issuing units.
    System,
    /// An issuer.
    Issuer,
    /// A validator.
    Validator,
    /// Somebody who claims against receipts.
    Claimer,
    /// The process that faces the Internet: it reads proofs, and asks issuers for what a holder has named.
    Portal,
    /// An auditor.
    Auditor,
    /// An operator or authority.
    Operator,
}

impl Role {
    /// All roles.
    pub const ALL: &'static [Self] =
        &[Self::System, Self::Issuer, Self::Validator, Self::Claimer, Self::Portal, Self::Auditor, Self::Operator];

    /// The role as certificates write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Issuer => "issuer",
            Self::Validator => "validator",
            Self::Claimer => "claimer",
            Self::Portal => "portal",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }

    /// Whether others connect to its holder; everybody connects to others.
    pub const fn has_servers(self) -> bool {
        matches!(self, Self::Issuer | Self::Validator)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A chain's short name, as in its genesis: 1–64 characters of `a-z0-9.-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ChainName(String);

impl ChainName {
    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        if text.is_empty() || text.len() > CHAIN_NAME_CHARACTERS_MAX || !text.bytes().all(allowed) {
            return Err(IdentityError::ChainName);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ChainName {
    type Error = IdentityError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl fmt::Display for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a certificate names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The bytes are no certificate.
    #[error("the certificate does not parse")]
    Certificate,
    /// No URI, or more than one.
    #[error("the certificate must have exactly one {SCHEME} name; it has {0}")]
    Count(usize),
    /// A chain name of another form.
    #[error("a chain name has 1 to 64 characters of a-z, 0-9, dot and dash")]
    ChainName,
    /// A URI of another form.
    #[error("`{0}` is not {SCHEME}<chain-name>/<role>/<id>")]
    Form(String),
    /// A name on another chain.
    #[error("the certificate is for chain {found}, not {expected}")]
    OtherChain {
        /// The chain that is served.
        expected: ChainName,
        /// The chain in the certificate.
        found: ChainName,
    },
}

/// Who a certificate names: a role and a number on a chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeerIdentity {
    /// The chain.
    pub chain: ChainName,
    /// The holder's role.
    pub role: Role,
    /// Its number in the registry (of systems, issuers, validators …).
    pub id: u32,
}

impl PeerIdentity {
    /// Reads the URI.
    pub fn parse(uri: &str) -> Result<Self, IdentityError> {
        let form = || IdentityError::Form(uri.to_owned());
        let mut parts = uri.strip_prefix(SCHEME).ok_or_else(form)?.split('/');
        let (Some(chain), Some(role), Some(id), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(form());
        };
        let number: u32 = id.parse().map_err(|_| form())?;
        if number.to_string() != id {
            return Err(form());
        }
        Ok(Self { chain: ChainName::parse(chain)?, role: Role::parse(role).ok_or_else(form)?, id: number })
    }
}

impl fmt::Display for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}/{}", self.chain, self.role, self.id)
    }
}

/// What a certificate says about its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Role and number of the holder.
    pub identity: PeerIdentity,
    /// Last instant at which the certificate is valid: a connection may outlive it, a request must not.
    pub valid_until: UnixMillis,
}

/// Reads the holder's name from a certificate that the TLS library has accepted; it must be of `chain`.
pub fn read_certificate(der: &[u8], chain: &ChainName) -> Result<Named, IdentityError> {
    let (rest, certificate) = parse_x509_certificate(der).map_err(|_| IdentityError::Certificate)?;
    if !rest.is_empty() {
        return Err(IdentityError::Certificate);
    }
    let names = certificate.subject_alternative_name().map_err(|_| IdentityError::Certificate)?;
    let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let uris: Vec<&str> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) if uri.starts_with(SCHEME) => Some(*uri),
            _ => None,
        })
        .collect();
    let [uri] = uris.as_slice() else { return Err(IdentityError::Count(uris.len())) };
    let identity = PeerIdentity::parse(uri)?;
    if identity.chain != *chain {
        return Err(IdentityError::OtherChain { expected: chain.clone(), found: identity.chain });
    }
    let not_after_ms = certificate.validity().not_after.timestamp().saturating_mul(1000).saturating_add(999);
    Ok(Named { identity, valid_until: UnixMillis::new(u64::try_from(not_after_ms).unwrap_or(0)) })
}

#[cfg(test)]
mod tests;
