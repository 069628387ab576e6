//! A double signature as a file that anybody can check without this program, a network or a clock: two statements of one
//! kind and slot, signed with one key, that differ.
//!
//! ```text
//! tallystick/double-sign/v1\n
//! validator <id>\n
//! key <64 hex digits>\n                               the consensus key, Ed25519
//! statement <preimage, hex> <signature, 128 hex digits>\n
//! statement <preimage, hex> <signature, 128 hex digits>\n
//! ```
//! Preimages as in [`crate::preimage`]: kind, chain id, height, round and block id stand in them, and nowhere else. Signatures
//! verify under ZIP 215, as votes do. Whose key it is, the registry says. A chain's honest validator never signs so: its guard
//! answers a second question for a slot with its first statement.

use std::fmt::Write as _;

use crate::preimage::{PRECOMMIT, PREVOTE, PROPOSAL, VoteSlot};
use crate::scheme::{PublicKey, Signature};
use crate::types::{BlockId, Equivocation, MemberId, SignedStatement};

const MAGIC: &str = "tallystick/double-sign/v1";
/// No file of two statements is longer.
pub const DOUBLE_SIGN_BYTES_MAX: usize = 2048;
const PREIMAGE_BYTES_MAX: usize = 256;

/// What two statements say of their signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubleSign {
    /// What was signed twice: `prevote`, `precommit` or `proposal`.
    pub kind: &'static str,
    /// Hash of the chain's genesis block.
    pub chain_id: [u8; 32],
    /// At which height and round.
    pub slot: VoteSlot,
    /// For which blocks; `None` is nil.
    pub block_ids: [Option<BlockId>; 2],
}

/// Why a file proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DoubleSignError {
    /// The text is not in canonical form.
    #[error("not a file of two signed statements")]
    Malformed,
    /// A preimage that is no prevote, precommit or proposal.
    #[error("statement {0} is no prevote, precommit or proposal")]
    Statement(usize),
    /// They do not contradict each other.
    #[error("the statements are of different kinds, chains, heights or rounds, or the same: nobody is convicted")]
    NoConflict,
    /// A signature does not fit.
    #[error("the signature of statement {0} is not this key's: nobody is convicted")]
    Signature(usize),
}

/// A statement's meaning.
struct Meaning {
    kind: &'static str,
    chain_id: [u8; 32],
    slot: VoteSlot,
    block_id: Option<BlockId>,
}

impl Equivocation {
    /// The file.
    pub fn encode(&self) -> String {
        let mut text = format!("{MAGIC}\nvalidator {}\nkey {}\n", self.member, hex(&self.public_key));
        for SignedStatement { preimage, signature } in &self.statements {
            // Writing into a string does not fail.
            let _ = writeln!(text, "statement {} {}", hex(preimage), hex(signature));
        }
        text
    }

    /// Reads a file; nothing is verified.
    pub fn decode(text: &str) -> Result<Self, DoubleSignError> {
        let mut lines = text.split('\n');
        let mut field = |name: &str| {
            let line = lines.next().ok_or(DoubleSignError::Malformed)?;
            line.strip_prefix(name).ok_or(DoubleSignError::Malformed)
        };
        field(MAGIC)?;
        let member = field("validator ")?.parse().map_err(|_| DoubleSignError::Malformed)?;
        let public_key = array(field("key ")?)?;
        let statements = [statement(field("statement ")?)?, statement(field("statement ")?)?];
        let equivocation = Self { member: MemberId::new(member), public_key, statements };
        if equivocation.encode() == text { Ok(equivocation) } else { Err(DoubleSignError::Malformed) }
    }

    /// Whether the holder of the key signed both statements, and they contradict each other. Pure.
    pub fn check(&self) -> Result<DoubleSign, DoubleSignError> {
        let [first, second] = &self.statements;
        let one = Meaning::of(&first.preimage).ok_or(DoubleSignError::Statement(1))?;
        let two = Meaning::of(&second.preimage).ok_or(DoubleSignError::Statement(2))?;
        let same = (one.kind, one.chain_id, one.slot) == (two.kind, two.chain_id, two.slot);
        if !same || first.preimage == second.preimage {
            return Err(DoubleSignError::NoConflict);
        }
        let key = PublicKey::decode(&self.public_key).map_err(|_| DoubleSignError::Malformed)?;
        for (number, statement) in [(1, first), (2, second)] {
            if !key.verifies(&statement.preimage, &Signature(statement.signature)) {
                return Err(DoubleSignError::Signature(number));
            }
        }
        let block_ids = [one.block_id, two.block_id];
        Ok(DoubleSign { kind: one.kind, chain_id: one.chain_id, slot: one.slot, block_ids })
    }
}

impl Meaning {
    fn of(preimage: &[u8]) -> Option<Self> {
        let end = preimage.iter().position(|byte| *byte == b'\n')?;
        let (namespace, rest) = (preimage.get(..end)?, preimage.get(end + 1..)?);
        let (chain_id, rest) = rest.split_first_chunk::<32>()?;
        let (height, rest) = rest.split_first_chunk::<8>()?;
        let (round, rest) = rest.split_first_chunk::<4>()?;
        let slot = VoteSlot { height: u64::from_be_bytes(*height), round: u32::from_be_bytes(*round) };
        let vote = || match rest.split_first_chunk::<1>()? {
            ([1], id) => Some(Some(BlockId(id.try_into().ok()?))),
            ([0], id) => (id == [0; 32]).then_some(None),
            _ => None,
        };
        let proposal = || {
            let (pol, id) = rest.split_first_chunk::<5>()?;
            let canonical = pol[0] == 1 || *pol == [0; 5];
            canonical.then_some(Some(BlockId(id.try_into().ok()?)))
        };
        let (kind, block_id) = match namespace {
            name if name == PREVOTE.as_bytes() => ("prevote", vote()?),
            name if name == PRECOMMIT.as_bytes() => ("precommit", vote()?),
            name if name == PROPOSAL.as_bytes() => ("proposal", proposal()?),
            _ => return None,
        };
        Some(Self { kind, chain_id: *chain_id, slot, block_id })
    }
}

fn statement(text: &str) -> Result<SignedStatement, DoubleSignError> {
    let (preimage, signature) = text.split_once(' ').ok_or(DoubleSignError::Malformed)?;
    if preimage.len() > 2 * PREIMAGE_BYTES_MAX {
        return Err(DoubleSignError::Malformed);
    }
    Ok(SignedStatement { preimage: bytes(preimage)?, signature: array(signature)? })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Result<Vec<u8>, DoubleSignError> {
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(|at| byte(at).ok_or(DoubleSignError::Malformed)).collect()
}

fn array<const N: usize>(hex: &str) -> Result<[u8; N], DoubleSignError> {
    bytes(hex)?.try_into().map_err(|_| DoubleSignError::Malformed)
}

#[cfg(test)]
mod tests;
