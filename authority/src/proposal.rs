//! The proposal file: what authorities sign one after the other, each at home.
//!
//! ```text
//! {
//!   "format": "tallystick-proposal/1",
//!   "chain_id": hex,
//!   "governance": hex | null          canonical `Governance`: what goes onto the ledger
//!   "credentials": [hex, …]           canonical `UnitCredential`s: what goes to issuers, and into bundles
//!   "look_from_height": n             a hint, not signed: the message cannot stand in a block below
//!   "signatures": [{ "public_key": hex, "governance": hex | null, "credentials": [hex, …] }, …]
//! }
//! ```
//! An authority signs all parts at once. Nothing in the file is readable on purpose: what is shown is decoded from the bytes that are
//! signed. Reading verifies every signature; a file that was changed after a signature is refused. Unknown fields, other chains and files
//! above [`PROPOSAL_BYTES_MAX`] are refused.
//!
//! A message that replaces the authorities is signed by those in force *and* by the new ones, who are numbered after them; whoever is both
//! has one number and signs once. Credentials in the same file have the signatures of both sets, so that they hold for what is anchored
//! before the change and for what is anchored after it. More of them than one file takes stand in further files with the very same
//! message, of which one is submitted. Once the change is executed, its file is still read, however many changes came after it: by the authorities
//! that it has replaced.

use std::collections::BTreeMap;

use receipt_core::authorities::AuthoritySet;
use receipt_core::credential::{SignedCredential, UnitCredential};
use receipt_core::governance::{Governance, SignedGovernance};
use receipt_core::hash::Hash;
use receipt_core::limits;
use receipt_core::suite::{Namespace, PublicKey, Signature, Signer};
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::text::bytes_of_hex;

mod errors;

pub use errors::{Count, ProposalError};

/// A file above this is no proposal.
pub const PROPOSAL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Credentials of one proposal: more are split.
pub const CREDENTIALS_MAX: usize = 1000;
const FORMAT: &str = "tallystick-proposal/1";
/// What one signature and its key take in an entry, at most.
const SIGNATURE_BYTES_MAX: usize = 102;
/// What one signature takes in the file, at most: its line, indented.
const SIGNATURE_LINE_BYTES_MAX: usize = 128 + LINE_BYTES_MAX;
/// What stands beside the digits in a line of the file, at most.
const LINE_BYTES_MAX: usize = 32;
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
    public_key: String,
    governance: Option<String>,
    credentials: Vec<String>,
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
    signatures: BTreeMap<PublicKey, Signatures>,
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
            let (key, signatures) = read_signatures(signed)?;
            proposal.verify(chain, &key, &signatures)?;
            if proposal.signatures.insert(key, signatures).is_some() {
                return Err(form(&format!("the key {} stands there twice", signed.public_key)));
            }
        }
        Ok(proposal)
    }

    /// The file's text.
    pub fn to_text(&self, chain: &Chain) -> String {
        let signatures = self.signatures.iter().map(|(key, signatures)| FileSignatures {
            public_key: hex::encode(key.0),
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
        self.check_area(chain)?;
        let suites = self.governance.iter().map(|(message, _)| message.suite);
        if suites
            .chain(self.credentials.iter().map(|(credential, _)| credential.suite))
            .any(|s| s != chain.genesis.suite)
        {
            return Err(ProposalError::Suite);
        }
        let further = match self.governance {
            Some(_) => " (`propose --same-message-as` makes a further one of the same message for the rest)",
            None => "",
        };
        if self.credentials.len() > CREDENTIALS_MAX {
            return Err(ProposalError::TooLarge(format!("it has more than {CREDENTIALS_MAX} credentials{further}")));
        }
        let signed = self.file_bytes_max(chain);
        if signed > PROPOSAL_BYTES_MAX {
            let problem =
                format!("signed by all the file may have {signed} bytes, it holds {PROPOSAL_BYTES_MAX}{further}");
            return Err(ProposalError::TooLarge(problem));
        }
        let Some((message, bytes)) = &self.governance else { return Ok(()) };
        if message.sequence == 0 {
            return Err(ProposalError::Form("its sequence is 0, which is genesis".to_owned()));
        }
        if message.actions.is_empty() {
            return Err(ProposalError::Empty);
        }
        let signed = bytes.len() + self.signatories(chain).len() * SIGNATURE_BYTES_MAX + WRAPPER_BYTES_MAX;
        if signed >= limits::ENTRY_BYTES_MAX {
            let problem =
                format!("signed it has up to {signed} bytes, the ledger takes {}", limits::ENTRY_BYTES_MAX - 1);
            return Err(ProposalError::TooLarge(problem));
        }
        Ok(())
    }

    /// Whose message it is must be whose authorities were given: signatures are numbered and counted by them.
    fn check_area(&self, chain: &Chain) -> Result<(), ProposalError> {
        let other = |problem: String| Err(ProposalError::OtherArea(problem));
        let of = self.governance.as_ref().map(|(message, _)| message.area);
        match (of, chain.area) {
            (Some(of), given) if of == given && (given.is_none() || self.credentials.is_empty()) => Ok(()),
            (None, None) => Ok(()),
            (Some(Some(area)), given) if given != Some(area) => other(format!(
                "it is a message of area {area}; give `--area-authorities` with a file that says who that area's authorities are"
            )),
            (Some(None), Some(_)) => {
                other("it is a message of the chain's own authorities; leave `--area-authorities` out".to_owned())
            }
            _ => other(
                "credentials are signed by the chain's own authorities; propose them without `--area-authorities`"
                    .to_owned(),
            ),
        }
    }

    /// Bytes of the file once everybody who may sign has signed, at most.
    fn file_bytes_max(&self, chain: &Chain) -> usize {
        let message = self.governance.iter().map(|(_, bytes)| bytes);
        let parts = message.chain(self.credentials.iter().map(|(_, bytes)| bytes));
        let lines = self.signatories(chain).len().saturating_mul(self.credentials.len().saturating_add(2));
        let content: usize = parts.map(|bytes| 2 * bytes.len() + LINE_BYTES_MAX).sum();
        content.saturating_add(lines.saturating_mul(SIGNATURE_LINE_BYTES_MAX)).saturating_add(1024)
    }

    /// The authorities that the message puts in the place of those in force, if it does.
    pub fn next_authorities(&self) -> Option<&AuthoritySet> {
        self.governance.as_ref().and_then(|(message, _)| message.next_authorities())
    }

    /// The authorities whose message it is: those in force now; of a change that was executed, those whom it has replaced. No key comes back that
    /// was replaced, so a set that was in force before is nobody's next one.
    pub fn authorities<'a>(&self, chain: &'a Chain) -> &'a AuthoritySet {
        let sets = std::iter::once(&chain.authorities).chain(&chain.before);
        let mut changes = sets.zip(&chain.before);
        let executed = changes.find(|(set, _)| self.next_authorities() == Some(set));
        executed.map_or(&chain.authorities, |(_, before)| before)
    }

    /// Who may sign, in the order in which they are numbered: those whose message it is, and then those who are new.
    pub fn signatories(&self, chain: &Chain) -> Vec<PublicKey> {
        let authorities = self.authorities(chain);
        let new = self.named().into_iter().filter(|key| !authorities.has(key));
        authorities.keys.iter().copied().chain(new).collect()
    }

    /// The keys that the message names as authorities, of the chain or of areas, each once.
    fn named(&self) -> Vec<PublicKey> {
        let mut named: Vec<PublicKey> = Vec::new();
        for key in self.governance.iter().flat_map(|(message, _)| message.named_keys()) {
            if !named.contains(key) {
                named.push(*key);
            }
        }
        named
    }

    /// The number of whoever has this key, from 1.
    fn number(&self, chain: &Chain, key: &PublicKey) -> Option<u32> {
        (1..).zip(self.signatories(chain)).find_map(|(number, known)| (known == *key).then_some(number))
    }

    fn verify(&self, chain: &Chain, key: &PublicKey, signatures: &Signatures) -> Result<(), ProposalError> {
        let authority = self.number(chain, key);
        let authority = authority.ok_or_else(|| ProposalError::UnknownAuthority(hex::encode(key.0)))?;
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
        let authority = self.number(chain, &public);
        let authority = authority.ok_or_else(|| ProposalError::NotAnAuthority(hex::encode(public.0)))?;
        if self.signatures.contains_key(&public) {
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
        self.verify(chain, &public, &signatures)?;
        self.signatures.insert(public, signatures);
        Ok(authority)
    }

    /// Takes over the signatures of another copy, whose own were verified when it was read.
    pub fn absorb(&mut self, chain: &Chain, other: Self) -> Result<(), ProposalError> {
        let (given, expected) = (other.digest(chain), self.digest(chain));
        if given != expected {
            return Err(ProposalError::Differs { given, expected });
        }
        for (key, signatures) in other.signatures {
            self.signatures.entry(key).or_insert(signatures);
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

    /// Whether whoever has this key has signed.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.signatures.contains_key(key)
    }

    /// How many have signed, of how many who must.
    pub fn count(&self, chain: &Chain) -> Count {
        let signed = |keys: &[PublicKey]| keys.iter().filter(|key| self.is_signed_by(key)).count();
        let named = self.named();
        Count {
            given: signed(&self.authorities(chain).keys),
            needed: self.authorities(chain).threshold as usize,
            new: (!named.is_empty()).then(|| (signed(&named), named.len())),
        }
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
        let count = self.count(chain);
        if count.is_enough() { Ok(()) } else { Err(ProposalError::TooFew(count)) }
    }

    fn pick(&self, part: impl Fn(&Signatures) -> Option<Signature>) -> Vec<(PublicKey, Signature)> {
        self.signatures.iter().filter_map(|(key, signatures)| Some((*key, part(signatures)?))).collect()
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

fn read_signatures(signed: &FileSignatures) -> Result<(PublicKey, Signatures), ProposalError> {
    let form = || ProposalError::Form(format!("the signatures with the key {:?} are malformed", signed.public_key));
    let signature = |text: &String| bytes_of_hex(text).map(Signature).ok_or_else(form);
    let signatures = Signatures {
        governance: signed.governance.as_ref().map(signature).transpose()?,
        credentials: signed.credentials.iter().map(signature).collect::<Result<_, _>>()?,
    };
    Ok((bytes_of_hex(&signed.public_key).map(PublicKey).ok_or_else(form)?, signatures))
}

#[cfg(test)]
mod tests;
