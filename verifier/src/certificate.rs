//! Commit certificates: that a quorum of validators precommitted a block. Written anew from the engine's public layout.
//!
//! ```text
//! certificate  height u64 · round u32 · block id 32 · count u16 · count × (member u32 · signature 64)     ascending
//! preimage     "tallystick/precommit/v1" ‖ 0x0A ‖ chain id 32 ‖ height u64 · round u32 · 1 · block id 32
//! ```
//! Integers big-endian; votes verify under ZIP 215. Certificates differ from node to node: nothing is derived from one.

use receipt_core::hash::Hash;
use receipt_core::ids::{Height, ValidatorId};
use receipt_core::limits::VALIDATORS_MAX;
use receipt_core::suite::{ChainId, Namespace, Signature, verify_zip215};
use receipt_core::validators::ValidatorSet;

/// A decoded certificate; nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The decided height.
    pub height: Height,
    /// The round it was decided in.
    pub round: u32,
    /// The decided block.
    pub block_id: Hash,
    /// The precommits, strictly ascending by member.
    pub signatures: Vec<(ValidatorId, Signature)>,
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The bytes are not in canonical form.
    #[error("the certificate is malformed")]
    Malformed,
    /// The certificate is of another height or block.
    #[error("the certificate is of another block")]
    OtherBlock,
    /// A signer that is not in the set.
    #[error("validator {0} is not in the set")]
    UnknownMember(ValidatorId),
    /// A signature does not fit.
    #[error("the precommit of validator {0} is invalid")]
    InvalidSignature(ValidatorId),
    /// Not more than two thirds.
    #[error("{signed} precommits are not a quorum of {members}")]
    NoQuorum {
        /// Members that signed.
        signed: usize,
        /// Members of the set.
        members: usize,
    },
}

impl Certificate {
    /// Reads the canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CertificateError> {
        let mut rest = bytes;
        let height = Height::new(u64::from_be_bytes(take(&mut rest)?));
        let round = u32::from_be_bytes(take(&mut rest)?);
        let block_id = Hash(take(&mut rest)?);
        let count = usize::from(u16::from_be_bytes(take(&mut rest)?));
        if count > VALIDATORS_MAX {
            return Err(CertificateError::Malformed);
        }
        let mut signatures: Vec<(ValidatorId, Signature)> = Vec::with_capacity(count);
        for _ in 0..count {
            let member = ValidatorId::new(u32::from_be_bytes(take(&mut rest)?));
            if signatures.last().is_some_and(|(last, _)| *last >= member) {
                return Err(CertificateError::Malformed);
            }
            signatures.push((member, Signature(take(&mut rest)?)));
        }
        if rest.is_empty() {
            Ok(Self { height, round, block_id, signatures })
        } else {
            Err(CertificateError::Malformed)
        }
    }

    /// Checks that a quorum of the set precommitted this block at this height, and that no signature is wrong.
    pub fn verify(
        &self,
        chain: ChainId,
        set: &ValidatorSet,
        height: Height,
        block_id: &Hash,
    ) -> Result<(), CertificateError> {
        if self.height != height || self.block_id != *block_id {
            return Err(CertificateError::OtherBlock);
        }
        let mut fields = height.get().to_be_bytes().to_vec();
        fields.extend_from_slice(&self.round.to_be_bytes());
        fields.push(1);
        fields.extend_from_slice(block_id.as_bytes());
        for (id, signature) in &self.signatures {
            let member = set.member(*id).ok_or(CertificateError::UnknownMember(*id))?;
            if !verify_zip215(&member.consensus_key, Namespace::Precommit, chain, &fields, signature) {
                return Err(CertificateError::InvalidSignature(*id));
            }
        }
        let (signed, members) = (self.signatures.len(), set.members().len());
        if signed >= set.quorum() { Ok(()) } else { Err(CertificateError::NoQuorum { signed, members }) }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], CertificateError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(CertificateError::Malformed)?;
    *rest = tail;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    use receipt_core::block::block_id;
    use receipt_core::testkit::TestChain;

    use super::*;

    #[test]
    fn a_quorum_of_the_set_decides() {
        let mut chain = TestChain::new();
        chain.add_block(&[]);
        let block = &chain.blocks()[1];
        let id = block_id(block.seal.suite, &block.bytes);
        let chain_id = chain.genesis().chain_id();
        let set = chain.genesis().validators.clone();
        let good = Certificate::decode(&block.certificate).unwrap();
        let one = Height::new(1);
        assert_eq!(good.verify(chain_id, &set, one, &id), Ok(()));
        assert_eq!(good.verify(chain_id, &set, Height::new(2), &id), Err(CertificateError::OtherBlock));
        assert_eq!(good.verify(chain_id, &set, one, &Hash::ZERO), Err(CertificateError::OtherBlock));
        let other_chain = ChainId(Hash::ZERO);
        let first = good.signatures[0].0;
        assert_eq!(good.verify(other_chain, &set, one, &id), Err(CertificateError::InvalidSignature(first)));
        let mut two = good.clone();
        two.signatures.pop();
        assert_eq!(two.verify(chain_id, &set, one, &id), Err(CertificateError::NoQuorum { signed: 2, members: 4 }));
        let mut round = good.clone();
        round.round = 1;
        assert_eq!(round.verify(chain_id, &set, one, &id), Err(CertificateError::InvalidSignature(first)));
        let mut stranger = good;
        stranger.signatures[2].0 = ValidatorId::new(77);
        let unknown = CertificateError::UnknownMember(ValidatorId::new(77));
        assert_eq!(stranger.verify(chain_id, &set, one, &id), Err(unknown));
    }

    #[test]
    fn malformed_certificates_are_refused() {
        let mut chain = TestChain::new();
        chain.add_block(&[]);
        let bytes = chain.blocks()[1].certificate.clone();
        for length in 0..bytes.len() {
            assert_eq!(Certificate::decode(&bytes[..length]), Err(CertificateError::Malformed));
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(Certificate::decode(&longer), Err(CertificateError::Malformed));
        let mut twice = bytes;
        let (first, second) = (46, 46 + 68);
        let copy = twice[first..second].to_vec();
        twice[second..second + 68].copy_from_slice(&copy);
        assert_eq!(Certificate::decode(&twice), Err(CertificateError::Malformed), "one validator twice");
    }
}
