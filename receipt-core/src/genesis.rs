//! Genesis: the file from which everything follows. Its hash is the chain id.
//!
//! ```text
//! Genesis {
//!   1 format_version  2 chain_name  3 origin  4 suite  5 time_ms  6 utc_offset_minutes (zigzag)
//!   7 authority_keys: bytes[32]…  8 authority_threshold  9 validators…  10 actions…
//!   11 time_ahead_ms_max  12 time_behind_ms_max  13 time_behind_round_ms  14 is_test
//! }
//! ```
//! The actions enter the log of block 0 as governance entries of sequence 0, without signatures: genesis itself is what is
//! trusted. A genesis with an action too large for a log entry is refused: nobody could read leaf 0.

use prost::Message;

use crate::authorities::AuthoritySet;
use crate::entry::Entry;
use crate::governance::{Action, ActionWire, Governance, SignedGovernance};
use crate::hash::Hash;
use crate::ids::{Height, UnixMillis};
use crate::limits;
use crate::record::FORMAT_VERSION;
use crate::suite::{ChainId, PublicKey, Suite};
use crate::validators::{Validator, ValidatorSet, ValidatorSetError, ValidatorWire};
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// How far a block's time may lie from a validator's clock for the validator to vote for the block first. All validators of a chain
/// must judge alike, so these are values of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeliness {
    /// How far ahead of the clock, milliseconds.
    pub ahead_ms_max: u64,
    /// How far behind it in round 0, milliseconds.
    pub behind_ms_max: u64,
    /// How much farther behind in each further round, milliseconds. So a chain whose clocks differ, or whose blocks travel slowly,
    /// always comes to a round in which the block is timely.
    pub behind_round_ms: u64,
}

impl Default for Timeliness {
    /// 10 s ahead; 10 s and the propose timeout behind, which is 1 s and grows by 500 ms a round.
    fn default() -> Self {
        Self { ahead_ms_max: 10_000, behind_ms_max: 11_000, behind_round_ms: 500 }
    }
}

impl Timeliness {
    /// Whether a block of this time, proposed in this round, is timely at a validator whose clock shows `now`.
    pub fn permits(&self, block_time: UnixMillis, now: UnixMillis, round: u32) -> bool {
        block_time.since(now) <= self.ahead_ms_max && now.since(block_time) <= self.behind_ms(round)
    }

    /// How far behind a clock a block of this round may lie, milliseconds.
    pub fn behind_ms(&self, round: u32) -> u64 {
        self.behind_ms_max.saturating_add(self.behind_round_ms.saturating_mul(u64::from(round)))
    }

    /// A bound near zero stops the chain for clocks that are good; one of hours judges nothing.
    fn is_sound(&self) -> bool {
        let bounds = [self.ahead_ms_max, self.behind_ms_max];
        bounds.iter().all(|bound| (100..=600_000).contains(bound)) && (1..=60_000).contains(&self.behind_round_ms)
    }
}

/// A chain's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// Name of the chain, for people and in certificates: `[a-z0-9-]+`.
    pub chain_name: String,
    /// The log's origin in checkpoints, a schema-less URL such as `ledger.example.org/2026`.
    pub origin: String,
    /// The chain's suite.
    pub suite: Suite,
    /// Time of block 0.
    pub time: UnixMillis,
    /// The chain's fixed UTC offset in minutes (+08:00 is 480).
    pub utc_offset_minutes: i32,
    /// Keys of the first authorities.
    pub authorities: Vec<PublicKey>,
    /// How many of them must sign governance.
    pub authority_threshold: u32,
    /// The first validator set.
    pub validators: ValidatorSet,
    /// The first registry.
    pub actions: Vec<Action>,
    /// Which blocks come in time.
    pub timeliness: Timeliness,
    /// Whether its receipts are specimens (测试样票): every verdict and every face says so.
    pub is_test: bool,
}

/// Why bytes are not a genesis file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The bytes are not in canonical form.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// A format that this build does not read.
    #[error("genesis format {0} is not known to this program")]
    Version(u32),
    /// A suite that this build does not have.
    #[error("the chain runs on signature suite {0}, which is not known to this program")]
    Suite(u32),
    /// The first validator set is refused.
    #[error("the validator set of genesis is refused: {0}")]
    Validators(#[from] ValidatorSetError),
    /// An action does not fit into a log entry.
    #[error(
        "action {0} of the genesis is larger than a log entry may be ({max} bytes); split it: items go on in a further \
         AttachItems that adds, grants under a further system",
        max = limits::ENTRY_BYTES_MAX
    )]
    Entry(usize),
    /// A rule about the whole file is broken.
    #[error("the genesis is refused: {0}")]
    Unsound(&'static str),
}

/// Names of chains and logs, as genesis and trust file take them.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// A fixed UTC offset, as genesis and trust file take it.
pub(crate) fn is_utc_offset(minutes: i32) -> bool {
    minutes.unsigned_abs() <= 14 * 60
}

#[derive(Clone, PartialEq, Message)]
struct GenesisWire {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(string, tag = "2")]
    chain_name: String,
    #[prost(string, tag = "3")]
    origin: String,
    #[prost(uint32, tag = "4")]
    suite: u32,
    #[prost(uint64, tag = "5")]
    time_ms: u64,
    #[prost(sint32, tag = "6")]
    utc_offset_minutes: i32,
    #[prost(bytes = "vec", repeated, tag = "7")]
    authority_keys: Vec<Vec<u8>>,
    #[prost(uint32, tag = "8")]
    authority_threshold: u32,
    #[prost(message, repeated, tag = "9")]
    validators: Vec<ValidatorWire>,
    #[prost(message, repeated, tag = "10")]
    actions: Vec<ActionWire>,
    #[prost(uint64, tag = "11")]
    time_ahead_ms_max: u64,
    #[prost(uint64, tag = "12")]
    time_behind_ms_max: u64,
    #[prost(uint64, tag = "13")]
    time_behind_round_ms: u64,
    #[prost(bool, tag = "14")]
    is_test: bool,
}

impl Genesis {
    /// The canonical bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        GenesisWire {
            format_version: FORMAT_VERSION,
            chain_name: self.chain_name.clone(),
            origin: self.origin.clone(),
            suite: self.suite.number(),
            time_ms: self.time.get(),
            utc_offset_minutes: self.utc_offset_minutes,
            authority_keys: self.authorities.iter().map(|key| key.0.to_vec()).collect(),
            authority_threshold: self.authority_threshold,
            validators: self.validators.members().iter().map(Validator::to_wire).collect(),
            actions: self.actions.iter().map(Action::to_wire).collect(),
            time_ahead_ms_max: self.timeliness.ahead_ms_max,
            time_behind_ms_max: self.timeliness.behind_ms_max,
            time_behind_round_ms: self.timeliness.behind_round_ms,
            is_test: self.is_test,
        }
        .encode_to_vec()
    }

    /// Reads and checks a genesis file. What it takes implies a trust file.
    pub fn decode(bytes: &[u8]) -> Result<Self, GenesisError> {
        let wire: GenesisWire = decode_canonical("Genesis", bytes)?;
        if wire.format_version != FORMAT_VERSION {
            return Err(GenesisError::Version(wire.format_version));
        }
        let members = wire.validators.iter().map(Validator::from_wire).collect::<Result<Vec<_>, _>>()?;
        let authorities = wire.authority_keys.iter().map(|key| fixed("authority_key", key).map(PublicKey));
        let genesis = Self {
            suite: Suite::from_number(wire.suite).ok_or(GenesisError::Suite(wire.suite))?,
            time: UnixMillis::new(wire.time_ms),
            utc_offset_minutes: wire.utc_offset_minutes,
            authorities: authorities.collect::<Result<_, _>>()?,
            authority_threshold: wire.authority_threshold,
            validators: ValidatorSet::new(members)?,
            actions: wire.actions.iter().map(Action::from_wire).collect::<Result<_, _>>()?,
            timeliness: Timeliness {
                ahead_ms_max: wire.time_ahead_ms_max,
                behind_ms_max: wire.time_behind_ms_max,
                behind_round_ms: wire.time_behind_round_ms,
            },
            is_test: wire.is_test,
            chain_name: wire.chain_name,
            origin: wire.origin,
        };
        genesis.check()?;
        Ok(genesis)
    }

    fn check(&self) -> Result<(), GenesisError> {
        let require = |holds: bool, problem| if holds { Ok(()) } else { Err(GenesisError::Unsound(problem)) };
        self.authority_set().check(self.suite).map_err(GenesisError::Unsound)?;
        self.validators.check_note_keys(&self.origin)?;
        if let Some(action) = self.first_large_action() {
            return Err(GenesisError::Entry(action));
        }
        require(is_name(&self.chain_name), "the chain's name is empty or has white space, control characters or `+`")?;
        require(is_name(&self.origin), "the origin is empty or has white space, control characters or `+`")?;
        require(is_utc_offset(self.utc_offset_minutes), "the UTC offset is more than 14 hours")?;
        let problem = "the bounds of timely blocks are not 100 to 600000 ms, and 1 to 60000 ms a round";
        require(self.timeliness.is_sound(), problem)
    }

    /// Position of the first action that does not fit into a log entry; the others do, however many go together.
    pub(crate) fn first_large_action(&self) -> Option<usize> {
        let mut first = 0;
        for chunk in self.chunks() {
            if Entry::Governance(self.message_of(chunk)).encode().len() > limits::ENTRY_BYTES_MAX {
                return Some(first);
            }
            first += chunk.len();
        }
        None
    }

    /// The actions as governance messages of sequence 0, in order: what block 0 enters into the log.
    pub(crate) fn messages(&self) -> impl Iterator<Item = SignedGovernance> {
        self.chunks().into_iter().map(|chunk| self.message_of(chunk))
    }

    fn message_of(&self, actions: &[Action]) -> SignedGovernance {
        let (suite, previous, actions) = (self.suite, Hash([0; 32]), actions.to_vec());
        let governance = Governance { suite, area: None, sequence: 0, expiry: Height::ZERO, previous, actions };
        SignedGovernance { governance_bytes: governance.encode(), governance, signatures: Vec::new() }
    }

    /// As many actions as fit into half an entry's limit go together; a larger one stands alone.
    fn chunks(&self) -> Vec<&[Action]> {
        let mut chunks = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (index, action) in self.actions.iter().enumerate() {
            let size = action.to_wire().body.len() + 16;
            if bytes + size > limits::ENTRY_BYTES_MAX / 2 && start < index {
                chunks.push(&self.actions[start..index]);
                (start, bytes) = (index, 0);
            }
            bytes += size;
        }
        if start < self.actions.len() {
            chunks.push(&self.actions[start..]);
        }
        chunks
    }

    /// The first authorities.
    pub fn authority_set(&self) -> AuthoritySet {
        AuthoritySet { keys: self.authorities.clone(), threshold: self.authority_threshold }
    }

    /// The chain id: a hash of the whole file, under the suite that it names.
    pub fn chain_id(&self) -> ChainId {
        ChainId(self.suite.tagged("tallystick/genesis/v1", &[&self.encode()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_timely_within_two_bounds_and_the_lower_one_gives_way_by_round() {
        let (bounds, now) = (Timeliness::default(), 1_793_584_800_000_u64);
        for (round, distance_ms, timely) in [
            (0_u32, 0_i64, true),
            (0, 10_000, true),
            (0, 10_001, false),
            (1_000, 10_001, false),
            (0, -11_000, true),
            (0, -11_001, false),
            (1, -11_500, true),
            (1, -11_501, false),
            (u32::MAX, -1_793_584_800_000, true),
        ] {
            let block_time = now.saturating_add_signed(distance_ms);
            let judged = bounds.permits(UnixMillis::new(block_time), UnixMillis::new(now), round);
            assert_eq!(judged, timely, "round {round}, {distance_ms} ms");
        }
    }
}
