//! The proposal file: what authorities sign one after the other, each at home.
//!
//! ```text
//! {
//!   "format": "tallystick-proposal/1",
//!   "chain_id": hex,
//!   "governance": hex | null          canonical `Governance`: what goes onto the ledger
//!   "credentials": [hex, …]           canonical `UnitCredential`s: what goes to issuers, and into bundles
//!   "look_from_height": n             a hint, not signed: the message cannot stand in a block below
//!   "signatures": [{ "authority": n from 1, "governance": hex | null, "credentials": [hex, …] }, …]
//! }
//! ```
//! An authority signs all parts at once. Nothing in the file is readable on purpose: what is shown is decoded from the bytes
//! that are signed. Reading verifies every signature; a file that was changed after a signature is refused. Unknown fields,
//! other chains and files above [`PROPOSAL_BYTES_MAX`] are refused.

use std::collections::BTreeMap;

use receipt_core::credential::{SignedCredential, UnitCredential};
use receipt_core::governance::{Governance, SignedGovernance};
use receipt_core::hash::Hash;
use receipt_core::limits;
use receipt_core::suite::{Namespace, Signature, Signer};
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::text::bytes_of_hex;

/// A file above this is no proposal.
pub const PROPOSAL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Credentials of one proposal: more are split.
pub const CREDENTIALS_MAX: usize = 1000;
const FORMAT: &str = "tallystick-proposal/1";
/// What one signature takes in an entry, at most.
const SIGNATURE_BYTES_MAX: usize = 68;
/// Field keys and lengths around message and signers.
const WRAPPER_BYTES_MAX: usize = 32;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    chain_id: String,
    governance: Option<String>,
    credentials: Vec<String>,
    look_from_height: u64,
    signatures: Vec<FileSignatures>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSignatures {
    authority: u32,
    governance: Option<String>,
    credentials: Vec<String>,
}

/// Why a file is no proposal that may be signed, combined or submitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// The file does not have the format above.
    #[error("it is no proposal file: {0}; ask whoever sent it for the file again")]
    Form(String),
    /// Made for another chain.
    #[error(
        "it is of chain {given}, and the genesis file is of chain {expected}; use the genesis of the proposal's chain"
    )]
    OtherChain {
        /// The chain that the proposal names.
        given: String,
        /// The genesis file's.
        expected: Hash,
    },
    /// Message or credential of a suite that is not the chain's.
    #[error("it is of another signature suite than the chain")]
    Suite,
    /// The proposal has nothing to sign.
    #[error("it contains nothing: neither actions nor credentials")]
    Empty,
    /// More than an entry of the log or this format holds.
    #[error("{0}; split it into several proposals")]
    TooLarge(String),
    /// The file names an authority that genesis does not have.
    #[error("it has a signature of authority {authority}; genesis has {count}")]
    UnknownAuthority {
        /// The authority's number in the file, from 1.
        authority: u32,
        /// Number of authorities in genesis.
        count: usize,
    },
    /// A signature that does not cover what the file says.
    #[error(
        "the signature of authority {authority} does not cover {part}: the file was changed after authority {authority} \
         signed it. Do not sign or submit it; ask authority {authority} for the file as it was signed"
    )]
    SignatureInvalid {
        /// The authority's number, counted from 1.
        authority: u32,
        /// Which signature of it: of the message, or of a credential.
        part: String,
    },
    /// The key is none of this chain's authorities'.
    #[error("the key {0} is no authority's of this chain; check `--key`, and the genesis file")]
    NotAnAuthority(String),
    /// The authority has signed already.
    #[error("authority {0} has signed it already; pass it on to the next")]
    AlreadySigned(u32),
    /// Two files that are not copies of one proposal.
    #[error("it is another proposal ({given}) than the first file ({expected}); combine copies of one proposal only")]
    Differs {
        /// Digest of this copy.
        given: Hash,
        /// Digest of the first copy.
        expected: Hash,
    },
    /// The proposal has too few signatures to be submitted.
    #[error("it has {given} of {needed} signatures; have {} more of the authorities sign it first", needed - given)]
    TooFew {
        /// Signatures that are there.
        given: usize,
        /// Signatures that are needed.
        needed: usize,
    },
}

/// One authority's signatures over all parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signatures {
    governance: Option<Signature>,
    credentials: Vec<Signature>,
}

/// What is proposed: registry changes, credentials, or both; and who has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    governance: Option<(Governance, Vec<u8>)>,
    credentials: Vec<(UnitCredential, Vec<u8>)>,
    look_from_height: u64,
    /// Signatures by the authority's index in genesis.
    signatures: BTreeMap<u32, Signatures>,
}

impl Proposal {
    /// An unsigned proposal. `look_from_height`: the message stands in no block below.
    pub fn new(
        chain: &Chain,
        governance: Option<Governance>,
        credentials: Vec<UnitCredential>,
        look_from_height: u64,
    ) -> Result<Self, ProposalError> {
        let proposal = Self {
            governance: governance.map(|governance| {
                let bytes = governance.encode();
                (governance, bytes)
            }),
            credentials: credentials.into_iter().map(|credential| (credential.clone(), credential.encode())).collect(),
            look_from_height,
            signatures: BTreeMap::new(),
        };
        // Read back what would be written: a proposal that cannot be read must not be handed out.
        Self::read(proposal.to_text(chain).as_bytes(), chain)
    }

    /// Reads a file and verifies every signature in it.
    pub fn read(bytes: &[u8], chain: &Chain) -> Result<Self, ProposalError> {
        let form = |problem: &str| ProposalError::Form(problem.to_owned());
        if bytes.len() > PROPOSAL_BYTES_MAX {
            return Err(ProposalError::Form(format!("it is larger than {PROPOSAL_BYTES_MAX} bytes")));
        }
        let file: File = serde_json::from_slice(bytes).map_err(|error| ProposalError::Form(error.to_string()))?;
        if file.format != FORMAT {
            return Err(form(&format!("its format is {:?}, this program knows {FORMAT:?}", file.format)));
        }
        let chain_id: [u8; 32] = bytes_of_hex(&file.chain_id).ok_or_else(|| form("`chain_id` is no chain id"))?;
        if chain_id != chain.id.0.0 {
            let given = Hash(chain_id).to_string();
            return Err(ProposalError::OtherChain { given, expected: chain.id.0 });
        }
        let governance = file.governance.as_deref().map(read_governance).transpose()?;
        let credentials = file.credentials.iter().map(|text| read_credential(text)).collect::<Result<Vec<_>, _>>()?;
        let mut proposal =
            Self { governance, credentials, look_from_height: file.look_from_height, signatures: BTreeMap::new() };
        proposal.check_content(chain)?;
        for signed in &file.signatures {
            let (index, signatures) = read_signatures(signed)?;
            proposal.verify(chain, index, &signatures)?;
            if proposal.signatures.insert(index, signatures).is_some() {
                return Err(form(&format!("authority {} stands there twice", signed.authority)));
            }
        }
        Ok(proposal)
    }

    /// The file's text.
    pub fn to_text(&self, chain: &Chain) -> String {
        let signatures = self.signatures.iter().map(|(index, signatures)| FileSignatures {
            authority: index.saturating_add(1),
            governance: signatures.governance.map(|signature| hex::encode(signature.0)),
            credentials: signatures.credentials.iter().map(|signature| hex::encode(signature.0)).collect(),
        });
        let file = File {
            format: FORMAT.to_owned(),
            chain_id: chain.id.0.to_string(),
            governance: self.governance.as_ref().map(|(_, bytes)| hex::encode(bytes)),
            credentials: self.credentials.iter().map(|(_, bytes)| hex::encode(bytes)).collect(),
            look_from_height: self.look_from_height,
            signatures: signatures.collect(),
        };
        // Strings and numbers alone: writing them as JSON cannot fail.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }

    fn check_content(&self, chain: &Chain) -> Result<(), ProposalError> {
        if self.governance.is_none() && self.credentials.is_empty() {
            return Err(ProposalError::Empty);
        }
        let suites = self.governance.iter().map(|(message, _)| message.suite);
        if suites
            .chain(self.credentials.iter().map(|(credential, _)| credential.suite))
            .any(|s| s != chain.genesis.suite)
        {
            return Err(ProposalError::Suite);
        }
        if self.credentials.len() > CREDENTIALS_MAX {
            return Err(ProposalError::TooLarge(format!("it has more than {CREDENTIALS_MAX} credentials")));
        }
        let Some((message, bytes)) = &self.governance else { return Ok(()) };
        if message.sequence == 0 {
            return Err(ProposalError::Form("its sequence is 0, which is genesis".to_owned()));
        }
        if message.actions.is_empty() {
            return Err(ProposalError::Empty);
        }
        let signed = bytes.len() + chain.genesis.authorities.len() * SIGNATURE_BYTES_MAX + WRAPPER_BYTES_MAX;
        if signed >= limits::ENTRY_BYTES_MAX {
            let problem =
                format!("signed it has up to {signed} bytes, the ledger takes {}", limits::ENTRY_BYTES_MAX - 1);
            return Err(ProposalError::TooLarge(problem));
        }
        Ok(())
    }

    fn verify(&self, chain: &Chain, index: u32, signatures: &Signatures) -> Result<(), ProposalError> {
        let authority = index.saturating_add(1);
        let count = chain.genesis.authorities.len();
        let key = chain.genesis.authorities.get(index as usize);
        let key = key.ok_or(ProposalError::UnknownAuthority { authority, count })?;
        let refuse = |part: String| ProposalError::SignatureInvalid { authority, part };
        if signatures.governance.is_some() != self.governance.is_some() {
            return Err(refuse("the actions".to_owned()));
        }
        if signatures.credentials.len() != self.credentials.len() {
            return Err(refuse("the credentials".to_owned()));
        }
        let verifies = |namespace, message: &[u8], signature: &Signature| {
            chain.genesis.suite.verify(key, namespace, chain.id, message, signature)
        };
        if let (Some((_, bytes)), Some(signature)) = (&self.governance, &signatures.governance)
            && !verifies(Namespace::Governance, bytes, signature)
        {
            return Err(refuse("the actions, their sequence or their expiry height".to_owned()));
        }
        for ((credential, bytes), signature) in self.credentials.iter().zip(&signatures.credentials) {
            if !verifies(Namespace::Credential, bytes, signature) {
                return Err(refuse(format!("the credential of key {}", credential.signing_key)));
            }
        }
        Ok(())
    }

    /// Adds an authority's signatures. Returns its number, from 1.
    pub fn sign(&mut self, chain: &Chain, key: &dyn Signer) -> Result<u32, ProposalError> {
        let public = key.public_key();
        let index = chain.authority(&public);
        let index = index.ok_or_else(|| ProposalError::NotAnAuthority(hex::encode(public.0)))?;
        let authority = index.saturating_add(1);
        if self.signatures.contains_key(&index) {
            return Err(ProposalError::AlreadySigned(authority));
        }
        let governance = self.governance.as_ref();
        let signatures = Signatures {
            governance: governance.map(|(_, bytes)| key.sign(Namespace::Governance, chain.id, bytes)),
            credentials: self
                .credentials
                .iter()
                .map(|(_, bytes)| key.sign(Namespace::Credential, chain.id, bytes))
                .collect(),
        };
        self.verify(chain, index, &signatures)?;
        self.signatures.insert(index, signatures);
        Ok(authority)
    }

    /// Takes over the signatures of another copy, whose own were verified when it was read.
    pub fn absorb(&mut self, chain: &Chain, other: Self) -> Result<(), ProposalError> {
        let (given, expected) = (other.digest(chain), self.digest(chain));
        if given != expected {
            return Err(ProposalError::Differs { given, expected });
        }
        for (index, signatures) in other.signatures {
            self.signatures.entry(index).or_insert(signatures);
        }
        Ok(())
    }

    /// What identifies everything that is signed, chain included: the same on every copy, however many have signed.
    pub fn digest(&self, chain: &Chain) -> Hash {
        let length = |bytes: &[u8]| (bytes.len() as u64).to_be_bytes();
        let governance = self.governance.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let mut content = length(governance).to_vec();
        content.extend_from_slice(governance);
        for (_, bytes) in &self.credentials {
            content.extend_from_slice(&length(bytes));
            content.extend_from_slice(bytes);
        }
        chain.genesis.suite.tagged("tallystick/proposal/v1", &[chain.id.0.as_bytes(), &content])
    }

    /// The registry changes.
    pub fn governance(&self) -> Option<&Governance> {
        self.governance.as_ref().map(|(message, _)| message)
    }

    /// The credentials.
    pub fn credentials(&self) -> impl Iterator<Item = &UnitCredential> {
        self.credentials.iter().map(|(credential, _)| credential)
    }

    /// The height below which the message cannot stand.
    pub fn look_from_height(&self) -> u64 {
        self.look_from_height
    }

    /// Whether this authority, by its index in genesis, has signed.
    pub fn is_signed_by(&self, index: u32) -> bool {
        self.signatures.contains_key(&index)
    }

    /// Number of authorities that have signed.
    pub fn signature_count(&self) -> usize {
        self.signatures.len()
    }

    /// The message for the ledger, once enough have signed; `None` if there are credentials alone.
    pub fn signed_governance(&self, chain: &Chain) -> Result<Option<SignedGovernance>, ProposalError> {
        self.check_count(chain)?;
        let signed = self.governance.as_ref().map(|(governance, bytes)| SignedGovernance {
            governance: governance.clone(),
            governance_bytes: bytes.clone(),
            signatures: self.pick(|signatures| signatures.governance),
        });
        Ok(signed)
    }

    /// The credentials for the issuers, once enough have signed.
    pub fn signed_credentials(&self, chain: &Chain) -> Result<Vec<SignedCredential>, ProposalError> {
        self.check_count(chain)?;
        let signed = self.credentials.iter().enumerate().map(|(position, (credential, bytes))| SignedCredential {
            credential: credential.clone(),
            credential_bytes: bytes.clone(),
            signatures: self.pick(|signatures| signatures.credentials.get(position).copied()),
        });
        Ok(signed.collect())
    }

    fn check_count(&self, chain: &Chain) -> Result<(), ProposalError> {
        let (given, needed) = (self.signatures.len(), chain.threshold());
        if given < needed { Err(ProposalError::TooFew { given, needed }) } else { Ok(()) }
    }

    fn pick(&self, part: impl Fn(&Signatures) -> Option<Signature>) -> Vec<(u32, Signature)> {
        self.signatures.iter().filter_map(|(index, signatures)| Some((*index, part(signatures)?))).collect()
    }
}

fn bytes_of(text: &str, what: &str) -> Result<Vec<u8>, ProposalError> {
    let bytes = hex::decode(text).ok().filter(|bytes| hex::encode(bytes) == text);
    bytes.ok_or_else(|| ProposalError::Form(format!("{what} is not lower-case hexadecimal")))
}

fn read_governance(text: &str) -> Result<(Governance, Vec<u8>), ProposalError> {
    let bytes = bytes_of(text, "`governance`")?;
    let message =
        Governance::decode(&bytes).map_err(|error| ProposalError::Form(format!("`governance` is {error}")))?;
    Ok((message, bytes))
}

fn read_credential(text: &str) -> Result<(UnitCredential, Vec<u8>), ProposalError> {
    let bytes = bytes_of(text, "a credential")?;
    let credential =
        UnitCredential::decode(&bytes).map_err(|error| ProposalError::Form(format!("a credential is {error}")))?;
    Ok((credential, bytes))
}

fn read_signatures(signed: &FileSignatures) -> Result<(u32, Signatures), ProposalError> {
    let form = || ProposalError::Form(format!("the signatures of authority {} are malformed", signed.authority));
    let signature = |text: &String| bytes_of_hex(text).map(Signature).ok_or_else(form);
    let signatures = Signatures {
        governance: signed.governance.as_ref().map(signature).transpose()?,
        credentials: signed.credentials.iter().map(signature).collect::<Result<_, _>>()?,
    };
    Ok((signed.authority.checked_sub(1).ok_or_else(form)?, signatures))
}

#[cfg(test)]
mod tests;
