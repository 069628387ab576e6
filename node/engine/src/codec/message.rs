//! Votes, proposals, certificates and log entries.
//!
//! ```text
//! round       flag u8 (0 none, 1 some) · u32
//! value id    flag u8 (0 nil, 1 block) · 32 if 1
//! vote        type u8 (0 prevote, 1 precommit) · height u64 · round · value id · member u32 · signature 64
//! proposal    height u64 · round · block id 32 · pol round · member u32 · signature 64
//! consensus   tag u8 (0 vote, 1 proposal) · one of them
//! polka       height u64 · round · block id 32 · count u16 · count × (member u32 · signature 64)
//! round cert  height u64 · round · type u8 (0 skip, 1 precommit) · count u16
//!             · count × (vote type u8 · value id · member u32 · signature 64)
//! liveness    tag u8 (0 vote, 1 polka, 2 round cert) · one of them
//! log value   height u64 · round · pol round · proposer u32 · block id 32 · validity u8 (0 invalid, 1 valid)
//! ```

use malachitebft_app_channel::app::consensus::LivenessMsg;
use malachitebft_app_channel::app::types::core::{
    NilOrVal, PolkaCertificate, PolkaSignature, Round, RoundCertificate, RoundCertificateType, RoundSignature,
    SignedMessage, SignedProposal, SignedVote, Validity, VoteType,
};
use malachitebft_app_channel::app::types::{ProposedValue, SignedConsensusMsg};

use super::Wire;
use crate::certificate::SIGNATURES_MAX;
use crate::context::{ChainContext, ChainHeight, ChainProposal, ChainVote};
use crate::scheme::Signature;
use crate::types::BlockId;
use crate::wire::{CodecError, Reader, put_count, put_optional_round};

impl Wire for Round {
    fn write(&self, out: &mut Vec<u8>) {
        put_optional_round(out, self.as_u32());
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        reader.optional_round().map(Round::from)
    }
}

impl Wire for ChainHeight {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        reader.height().map(ChainHeight)
    }
}

impl Wire for Signature {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        reader.array().map(Signature)
    }
}

impl Wire for NilOrVal<BlockId> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => out.push(0),
            Self::Val(id) => {
                out.push(1);
                out.extend_from_slice(&id.0);
            }
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        match reader.u8()? {
            0 => Ok(Self::Nil),
            1 => reader.block_id().map(Self::Val),
            _ => Err(CodecError::Invalid("value flag")),
        }
    }
}

impl Wire for VoteType {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Prevote => 0,
            Self::Precommit => 1,
        });
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        match reader.u8()? {
            0 => Ok(Self::Prevote),
            1 => Ok(Self::Precommit),
            _ => Err(CodecError::Invalid("vote type")),
        }
    }
}

impl Wire for SignedVote<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        let vote = &self.message;
        vote.vote_type.write(out);
        vote.height.write(out);
        vote.round.write(out);
        vote.value.write(out);
        out.extend_from_slice(&vote.member.get().to_be_bytes());
        self.signature.write(out);
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let vote = ChainVote {
            vote_type: VoteType::read(reader)?,
            height: ChainHeight::read(reader)?,
            round: Round::read(reader)?,
            value: NilOrVal::read(reader)?,
            member: reader.member()?,
        };
        Ok(SignedMessage::new(vote, Signature::read(reader)?))
    }
}

impl Wire for SignedProposal<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        let proposal = &self.message;
        proposal.height.write(out);
        proposal.round.write(out);
        out.extend_from_slice(&proposal.value.0);
        proposal.pol_round.write(out);
        out.extend_from_slice(&proposal.member.get().to_be_bytes());
        self.signature.write(out);
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let proposal = ChainProposal {
            height: ChainHeight::read(reader)?,
            round: Round::read(reader)?,
            value: reader.block_id()?,
            pol_round: Round::read(reader)?,
            member: reader.member()?,
        };
        Ok(SignedMessage::new(proposal, Signature::read(reader)?))
    }
}

impl Wire for SignedConsensusMsg<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Vote(vote) => {
                out.push(0);
                vote.write(out);
            }
            Self::Proposal(proposal) => {
                out.push(1);
                proposal.write(out);
            }
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        match reader.u8()? {
            0 => SignedMessage::read(reader).map(Self::Vote),
            1 => SignedMessage::read(reader).map(Self::Proposal),
            _ => Err(CodecError::Invalid("consensus tag")),
        }
    }
}

impl Wire for PolkaCertificate<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        self.height.write(out);
        self.round.write(out);
        out.extend_from_slice(&self.value_id.0);
        put_count(out, self.polka_signatures.len());
        for signed in &self.polka_signatures {
            out.extend_from_slice(&signed.address.get().to_be_bytes());
            signed.signature.write(out);
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let (height, round, value_id) = (ChainHeight::read(reader)?, Round::read(reader)?, reader.block_id()?);
        let count = reader.count(SIGNATURES_MAX)?;
        let polka_signatures = (0..count)
            .map(|_| Ok(PolkaSignature::new(reader.member()?, Signature::read(reader)?)))
            .collect::<Result<_, CodecError>>()?;
        Ok(Self { height, round, value_id, polka_signatures })
    }
}

impl Wire for RoundCertificate<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        self.height.write(out);
        self.round.write(out);
        out.push(match self.cert_type {
            RoundCertificateType::Skip => 0,
            RoundCertificateType::Precommit => 1,
        });
        put_count(out, self.round_signatures.len());
        for signed in &self.round_signatures {
            signed.vote_type.write(out);
            signed.value_id.write(out);
            out.extend_from_slice(&signed.address.get().to_be_bytes());
            signed.signature.write(out);
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let (height, round) = (ChainHeight::read(reader)?, Round::read(reader)?);
        let cert_type = match reader.u8()? {
            0 => RoundCertificateType::Skip,
            1 => RoundCertificateType::Precommit,
            _ => return Err(CodecError::Invalid("round certificate type")),
        };
        let count = reader.count(SIGNATURES_MAX)?;
        let round_signatures = (0..count)
            .map(|_| {
                let (vote_type, value_id) = (VoteType::read(reader)?, NilOrVal::read(reader)?);
                Ok(RoundSignature::new(vote_type, value_id, reader.member()?, Signature::read(reader)?))
            })
            .collect::<Result<_, CodecError>>()?;
        Ok(Self { height, round, cert_type, round_signatures })
    }
}

impl Wire for LivenessMsg<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Vote(vote) => {
                out.push(0);
                vote.write(out);
            }
            Self::PolkaCertificate(certificate) => {
                out.push(1);
                certificate.write(out);
            }
            Self::SkipRoundCertificate(certificate) => {
                out.push(2);
                certificate.write(out);
            }
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        match reader.u8()? {
            0 => SignedMessage::read(reader).map(Self::Vote),
            1 => PolkaCertificate::read(reader).map(Self::PolkaCertificate),
            2 => RoundCertificate::read(reader).map(Self::SkipRoundCertificate),
            _ => Err(CodecError::Invalid("liveness tag")),
        }
    }
}

impl Wire for ProposedValue<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        self.height.write(out);
        self.round.write(out);
        self.valid_round.write(out);
        out.extend_from_slice(&self.proposer.get().to_be_bytes());
        out.extend_from_slice(&self.value.0);
        out.push(u8::from(self.validity.is_valid()));
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self {
            height: ChainHeight::read(reader)?,
            round: Round::read(reader)?,
            valid_round: Round::read(reader)?,
            proposer: reader.member()?,
            value: reader.block_id()?,
            validity: match reader.u8()? {
                0 => Validity::Invalid,
                1 => Validity::Valid,
                _ => return Err(CodecError::Invalid("validity")),
            },
        })
    }
}
