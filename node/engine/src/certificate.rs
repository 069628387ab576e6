//! A commit certificate: the precommits that decided a block, as bytes and as a check.
//!
//! Nodes hold *different* certificates for one height (any signatures of more than 2/3 will do), so nothing that must be equal on all
//! nodes may be derived from one.
//!
//! Canonical bytes, big-endian; signatures strictly ascending by member, at least one:
//! ```text
//! height u64 · round u32 · block id 32 · count u16 · count × (member u32 · signature 64)
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use malachitebft_app_channel::app::types::core::{CommitCertificate, CommitSignature};

use crate::context::{ChainContext, ChainHeight, engine_round};
use crate::preimage::{self, VoteSlot};
use crate::scheme::{PublicKey, Signature};
use crate::types::{BlockId, Member, MemberId};
use crate::wire::{CodecError, Reader, put_count};

/// Signatures that a certificate may carry; each member signs once, a round certificate may hold two votes of each.
pub const SIGNATURES_MAX: usize = 2 * crate::types::MEMBERS_MAX;

/// Proof that a block was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The decided height.
    pub height: u64,
    /// The round it was decided in.
    pub round: u32,
    /// The decided block.
    pub block_id: BlockId,
    /// The precommits' signatures, strictly ascending by member.
    pub signatures: Vec<(MemberId, [u8; 64])>,
}

/// A decided block for a peer that is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedValue {
    /// The block.
    pub bytes: Bytes,
    /// Its certificate, as stored by `decided`.
    pub certificate: Certificate,
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not ascending, so perhaps twice the same signer.
    #[error("signatures are not strictly ascending by member")]
    NotAscending,
    /// Somebody outside the set.
    #[error("member {0} is not in the validator set")]
    UnknownMember(MemberId),
    /// The signature does not fit key and preimage.
    #[error("the signature of member {0} is invalid")]
    InvalidSignature(MemberId),
    /// Not more than 2/3 of the voting power.
    #[error("signed by power {signed} of {total}, more than 2/3 is needed")]
    NoQuorum {
        /// Power of the signers.
        signed: u64,
        /// Power of the set.
        total: u64,
    },
}

impl Certificate {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(46 + 68 * self.signatures.len());
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        out.extend_from_slice(&self.block_id.0);
        put_count(&mut out, self.signatures.len());
        for (member, signature) in &self.signatures {
            out.extend_from_slice(&member.get().to_be_bytes());
            out.extend_from_slice(signature);
        }
        out
    }

    /// Reads canonical bytes; anything else is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
        let certificate = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(certificate)
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let height = reader.height()?;
        let round = reader.bounded_round()?;
        let block_id = BlockId(reader.array()?);
        let count = reader.count(SIGNATURES_MAX)?;
        let mut signatures: Vec<(MemberId, [u8; 64])> = Vec::with_capacity(count);
        for _ in 0..count {
            let member = MemberId::new(reader.u32()?);
            if signatures.last().is_some_and(|(last, _)| *last >= member) {
                return Err(CodecError::Invalid("certificate signatures not ascending"));
            }
            signatures.push((member, reader.array()?));
        }
        if signatures.is_empty() {
            return Err(CodecError::Invalid("certificate without signatures"));
        }
        Ok(Self { height, round, block_id, signatures })
    }

    /// Checks that members with more than 2/3 of the power of `members` (the set of this height) signed.
    pub fn verify(&self, chain_id: &[u8; 32], members: &[Member]) -> Result<(), CertificateError> {
        let set: BTreeMap<MemberId, &Member> = members.iter().map(|member| (member.id, member)).collect();
        let slot = VoteSlot { height: self.height, round: self.round };
        let preimage = preimage::precommit(chain_id, slot, Some(&self.block_id));
        let mut signed: u64 = 0;
        let mut last = None;
        for (id, signature) in &self.signatures {
            if last.is_some_and(|last| last >= *id) {
                return Err(CertificateError::NotAscending);
            }
            last = Some(*id);
            let member = set.get(id).ok_or(CertificateError::UnknownMember(*id))?;
            let valid =
                PublicKey::decode(&member.public_key).is_ok_and(|key| key.verifies(&preimage, &Signature(*signature)));
            if !valid {
                return Err(CertificateError::InvalidSignature(*id));
            }
            signed = signed.saturating_add(member.voting_power);
        }
        let total = set.values().fold(0, |sum: u64, member| sum.saturating_add(member.voting_power));
        if u128::from(signed) * 3 > u128::from(total) * 2 {
            Ok(())
        } else {
            Err(CertificateError::NoQuorum { signed, total })
        }
    }

    /// From the engine's form. `None` without a round or signatures, which the engine does not produce.
    pub(crate) fn from_engine(certificate: &CommitCertificate<ChainContext>) -> Option<Self> {
        let mut signatures: Vec<_> =
            certificate.commit_signatures.iter().map(|signed| (signed.address, signed.signature.0)).collect();
        signatures.sort_by_key(|(member, _)| *member);
        signatures.dedup_by_key(|(member, _)| *member);
        let round = certificate.round.as_u32()?;
        let (height, block_id) = (certificate.height.0, certificate.value_id);
        (!signatures.is_empty()).then_some(Self { height, round, block_id, signatures })
    }

    /// The engine's form.
    pub(crate) fn to_engine(&self) -> CommitCertificate<ChainContext> {
        CommitCertificate {
            height: ChainHeight(self.height),
            round: engine_round(Some(self.round)),
            value_id: self.block_id,
            commit_signatures: self
                .signatures
                .iter()
                .map(|(member, signature)| CommitSignature::new(*member, Signature(*signature)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
