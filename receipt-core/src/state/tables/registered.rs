//! What the registry holds of units, keys, segments, issuers and areas: each registration, and what became of it.

use prost::Message;

use crate::area::Area;
use crate::authorities::AuthoritySet;
use crate::governance::{AllocateSegment, RegisterCollector, RegisterIssuer, RegisterKey, RegisterUnit};
use crate::hash::Hash;
use crate::ids::UnixMillis;
use crate::state::ending::Ending;
use crate::state::reading::{Fields, ReadError};
use crate::suite::PublicKey;

/// A kind that was taken from a unit.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DetachedKind {
    /// The kind.
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    /// Block time (ms) at which it was taken: whoever knows of it issues it no more.
    #[prost(uint64, tag = "2")]
    pub detached_at_ms: u64,
}

impl DetachedKind {
    /// Its end, which has no date.
    pub const fn ending(&self) -> Ending {
        Ending::undated(self.detached_at_ms)
    }
}

/// A unit as registered, and when what narrows its permissions entered the ledger.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct UnitState {
    /// The registration.
    #[prost(message, required, tag = "1")]
    pub unit: RegisterUnit,
    /// Block time (ms) of the action that set the present suspension; 0: none.
    #[prost(uint64, tag = "2")]
    pub suspended_at_ms: u64,
    /// Kinds taken from it, ascending by kind, as long as receipts of them may still come.
    #[prost(message, repeated, tag = "3")]
    pub detached: Vec<DetachedKind>,
}

impl UnitState {
    /// The unit's suspension.
    pub const fn suspension(&self) -> Ending {
        Ending::new(self.unit.suspended_from_ms, self.suspended_at_ms)
    }

    /// Whether the unit issues this kind validly at this issue time, given what the ledger knows at this block time (V16).
    pub fn permits_kind(&self, kind: u32, issue_time: UnixMillis, block_time: UnixMillis) -> bool {
        let detached = || self.detached.iter().find(|detached| detached.kind == kind);
        self.unit.kinds.binary_search(&kind).is_ok()
            || detached().is_some_and(|detached| detached.ending().permits(issue_time, block_time))
    }
}

/// A key as registered, and its revocation.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct KeyState {
    /// The registration.
    #[prost(message, required, tag = "1")]
    pub key: RegisterKey,
    /// First issue time (ms) it is no longer valid for; 0: not revoked.
    #[prost(uint64, tag = "2")]
    pub revoked_from_ms: u64,
    /// Block time (ms) of the action that set the present revocation; of an earlier one if that was over by then.
    #[prost(uint64, tag = "3")]
    pub revoked_at_ms: u64,
}

impl KeyState {
    /// Whether the key signs validly at this issue time, given what the ledger knows at this block time (V17). Once it does not, it
    /// never does again: no later block, and no governance, makes it.
    pub fn permits(&self, issue_time: UnixMillis, block_time: UnixMillis) -> bool {
        let planned = Ending::planned(self.key.valid_until_ms);
        UnixMillis::new(self.key.valid_from_ms) <= issue_time
            && planned.permits(issue_time, block_time)
            && self.revocation().permits(issue_time, block_time)
    }

    /// The key's revocation.
    pub const fn revocation(&self) -> Ending {
        Ending::new(self.revoked_from_ms, self.revoked_at_ms)
    }
}

/// A segment as allocated, and how far it is used.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SegmentState {
    /// The allocation.
    #[prost(message, required, tag = "1")]
    pub segment: AllocateSegment,
    /// Block time (ms) at which it was closed; 0: open.
    #[prost(uint64, tag = "2")]
    pub closed_at_ms: u64,
    /// Numbers used so far.
    #[prost(uint64, tag = "3")]
    pub used_count: u64,
    /// Highest number used so far; 0: none.
    #[prost(uint64, tag = "4")]
    pub highest_used: u64,
    /// Block time (ms) at which every other number was accounted for; 0: not settled.
    #[prost(uint64, tag = "5")]
    pub settled_at_ms: u64,
    /// Numbers that the settlement says are void.
    #[prost(uint64, tag = "6")]
    pub void_count: u64,
    /// Numbers that the settlement says are lost.
    #[prost(uint64, tag = "7")]
    pub lost_count: u64,
}

impl SegmentState {
    /// The segment's closing.
    pub const fn closing(&self) -> Ending {
        Ending::undated(self.closed_at_ms)
    }
}

/// An issuer as registered, and where its batches stand.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct IssuerState {
    /// The registration.
    #[prost(message, required, tag = "1")]
    pub issuer: RegisterIssuer,
    /// Current epoch; batches of another are not taken.
    #[prost(uint32, tag = "2")]
    pub epoch: u32,
    /// The sequence that comes next.
    #[prost(uint64, tag = "3")]
    pub next_sequence: u64,
    /// Bytes of refused batches that counted at `refused_at_ms` ([`Self::refused_bytes_at`]).
    #[prost(uint64, tag = "4")]
    pub refused_bytes: u64,
    /// Block time (ms) of the last refused batch.
    #[prost(uint64, tag = "5")]
    pub refused_at_ms: u64,
}

/// A collector as registered, and when its suspension entered the ledger.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CollectorState {
    /// The registration.
    #[prost(message, required, tag = "1")]
    pub collector: RegisterCollector,
    /// Block time (ms) of the action that set the present suspension; 0: none.
    #[prost(uint64, tag = "2")]
    pub suspended_at_ms: u64,
}

impl CollectorState {
    /// The collector's suspension.
    pub const fn suspension(&self) -> Ending {
        Ending::new(self.collector.suspended_from_ms, self.suspended_at_ms)
    }
}

/// The governance message that was taken last: of the chain's own authorities, or of an area's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GovernanceState {
    /// Its sequence; 0 if there is none yet.
    pub sequence: u64,
    /// Its id, which the next one names; if there is none yet the chain id, of an area zeros.
    pub id: Hash,
}

impl GovernanceState {
    /// Fixed layout: sequence u64 ‖ id [32].
    pub fn encode(&self) -> Vec<u8> {
        [&self.sequence.to_be_bytes()[..], &self.id.0].concat()
    }

    /// Reads the fixed layout.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut fields = Fields(bytes);
        let state = Self { sequence: fields.u64()?, id: fields.hash()? };
        fields.end()?;
        Ok(state)
    }
}

/// The authorities of an area, and where their messages stand.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AreaState {
    /// The area's number.
    #[prost(uint32, tag = "1")]
    pub area: u32,
    /// Keys of its authorities; none: they were taken away.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub keys: Vec<Vec<u8>>,
    /// How many of them must sign.
    #[prost(uint32, tag = "3")]
    pub threshold: u32,
    /// Sequence of the area's last message; 0: there is none.
    #[prost(uint64, tag = "4")]
    pub sequence: u64,
    /// Its id, 32 bytes; zeros if there is none.
    #[prost(bytes = "vec", tag = "5")]
    pub last_id: Vec<u8>,
}

impl AreaState {
    /// An area without authorities and messages.
    pub fn of(area: Area) -> Self {
        Self { area: area.get(), last_id: vec![0; 32], ..Self::default() }
    }

    /// Its authorities; without keys if there are none.
    pub fn authorities(&self) -> Result<AuthoritySet, ReadError> {
        let key = |bytes: &Vec<u8>| bytes.as_slice().try_into().map(PublicKey);
        let keys = self.keys.iter().map(key).collect::<Result<_, _>>();
        let keys = keys.map_err(|_| ReadError::corrupt("an area's authorities"))?;
        Ok(AuthoritySet { keys, threshold: self.threshold })
    }

    /// Its last message.
    pub fn last(&self) -> Result<GovernanceState, ReadError> {
        let id = Hash::from_slice(&self.last_id).ok_or_else(|| ReadError::corrupt("an area's last message"))?;
        Ok(GovernanceState { sequence: self.sequence, id })
    }
}
