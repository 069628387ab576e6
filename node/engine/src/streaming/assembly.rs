//! Putting received parts together, in bounded memory.
//!
//! Parts are grouped by publisher and stream id. The publisher is the peer over whose link they came; nobody passes parts on. All
//! that a stream costs is charged to its publisher, whoever signed its header:
//! ```text
//! part ──▶ publisher known? height and round near? ──▶ publisher's streams ──▶ header signed? each chunk as it names? ──▶ block
//!          no: dropped                                 over its bounds: the       no: the publisher's stream goes         of the
//!                                                      lowest round's go                                                  signer
//! ```
//! So a peer that sends another's header with a body of its own loses its own stream and nothing else, and a peer that repeats
//! another's whole stream only delivers it once more.
//!
//! Headers of the height being decided are checked against its validators at once, those of the next heights when that height
//! starts. A complete block of a later round waits until that round starts: a proposer must not have its blocks judged before
//! its turn.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::{Bytes, BytesMut};
use malachitebft_app_channel::app::streaming::{StreamContent, StreamMessage};
use tracing::{debug, warn};

use super::{CHUNK_BYTES, ProposalPart, StreamFault, StreamHeader, chunk_count};
use crate::context::MemberSet;
use crate::preimage::VoteSlot;
use crate::scheme::chunk_hash;
use crate::types::MemberId;

/// Heights beyond the current one whose parts are kept.
const HEIGHTS_AHEAD: u64 = 2;
/// Rounds beyond the current one whose parts are kept.
const ROUNDS_AHEAD: u32 = 16;
/// What a chunk before its header counts at least, so that many small ones are bounded too.
const CHUNK_OVERHEAD_BYTES: usize = 256;

/// Bounds of the assembly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a block.
    pub(crate) block_bytes_max: usize,
    /// Streams of one publisher at a time.
    pub(crate) streams_max: usize,
    /// Bytes of one publisher at a time.
    pub(crate) publisher_bytes_max: usize,
}

impl Limits {
    /// For blocks of this size: three whole blocks and eight streams a publisher.
    pub(crate) fn for_blocks(block_bytes_max: usize) -> Self {
        Self { block_bytes_max, streams_max: 8, publisher_bytes_max: 3 * block_bytes_max + 65_536 }
    }
}

/// The height being decided.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) height: u64,
    pub(crate) round: u32,
    pub(crate) set: MemberSet,
    pub(crate) chain_id: [u8; 32],
    /// Has the engine started it? Until then its parts wait.
    pub(crate) started: bool,
}

/// A complete block with its checked header.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) header: StreamHeader,
    pub(crate) block: Bytes,
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {} bytes", self.header, self.block.len())
    }
}

struct Stream {
    slot: VoteSlot,
    /// Order of arrival.
    born: u64,
    header: Option<StreamHeader>,
    checked: bool,
    chunks: BTreeMap<u64, Bytes>,
    bytes: usize,
}

impl Stream {
    fn new(slot: VoteSlot, born: u64) -> Self {
        Self { slot, born, header: None, checked: false, chunks: BTreeMap::new(), bytes: 0 }
    }

    fn is_complete(&self) -> bool {
        self.header.as_ref().is_some_and(|header| self.chunks.len() == chunk_count(header.fields.bytes_total as usize))
    }

    /// Complete, its sender known, its round begun?
    fn is_due(&self, round: u32) -> bool {
        self.slot.round <= round && self.checked && self.is_complete()
    }

    /// Takes a part that is not there yet. Chunks and header are held against each other, whichever comes first.
    fn add(&mut self, part: ProposalPart, sequence: u64, limits: &Limits) -> Result<(), StreamFault> {
        if part.slot() != self.slot {
            return Err(StreamFault::TwoSlots);
        }
        match part {
            ProposalPart::Header(header) if self.header.is_none() => {
                let total = header.fields.bytes_total as usize;
                if total == 0 || total > limits.block_bytes_max {
                    return Err(StreamFault::Length);
                }
                if !self.chunks.iter().all(|(sequence, chunk)| is_named(&header, *sequence, chunk)) {
                    return Err(StreamFault::WrongChunk);
                }
                self.header = Some(*header);
            }
            ProposalPart::Chunk { bytes, .. } if !self.chunks.contains_key(&sequence) => {
                if self.header.as_ref().is_some_and(|header| !is_named(header, sequence, &bytes)) {
                    return Err(StreamFault::WrongChunk);
                }
                self.bytes += bytes.len().max(CHUNK_OVERHEAD_BYTES);
                self.chunks.insert(sequence, bytes);
            }
            ProposalPart::Header(_) | ProposalPart::Chunk { .. } => {}
        }
        Ok(())
    }

    /// Checks the header if its height has started, and remembers that it did.
    fn check(&mut self, current: &Current) -> Result<(), StreamFault> {
        let Some(header) = &self.header else { return Ok(()) };
        if current.started && !self.checked && self.slot.height == current.height {
            header.check(&current.set, &current.chain_id)?;
            self.checked = true;
        }
        Ok(())
    }

    fn finish(self) -> Option<Finished> {
        let header = self.header?;
        let mut block = BytesMut::with_capacity(header.fields.bytes_total as usize);
        self.chunks.values().for_each(|chunk| block.extend_from_slice(chunk));
        Some(Finished { header, block: block.freeze() })
    }
}

type Streams = BTreeMap<Bytes, Stream>;

/// All streams that are not complete, or not yet due.
pub(crate) struct Assembly {
    limits: Limits,
    /// Every publisher there is, and its streams.
    publishers: BTreeMap<MemberId, Streams>,
    /// Whose faults were told since the height began.
    told: BTreeSet<MemberId>,
    born: u64,
    current: Option<Current>,
}

impl Assembly {
    /// Takes parts of these publishers and of no others.
    pub(crate) fn new(limits: Limits, publishers: impl IntoIterator<Item = MemberId>) -> Self {
        let publishers = publishers.into_iter().map(|publisher| (publisher, Streams::new())).collect();
        Self { limits, publishers, told: BTreeSet::new(), born: 0, current: None }
    }

    /// A height will be decided: what is older goes. Its own parts wait for [`Assembly::start_round`].
    pub(crate) fn expect_height(&mut self, current: Current) {
        for streams in self.publishers.values_mut() {
            streams.retain(|_, stream| stream.slot.height >= current.height);
        }
        self.told.clear();
        self.current = Some(current);
    }

    /// Whether this header is of the height to decide, and signed by somebody who may send it.
    pub(crate) fn is_genuine(&self, header: &StreamHeader) -> bool {
        let checked = |current: &Current| header.check(&current.set, &current.chain_id).is_ok();
        self.current.as_ref().is_some_and(|current| header.slot.height == current.height && checked(current))
    }

    /// The engine has started this round; returns the complete blocks that waited for it.
    pub(crate) fn start_round(&mut self, round: u32) -> Vec<Finished> {
        let Some(current) = &mut self.current else { return Vec::new() };
        (current.round, current.started) = (round, true);
        let current = current.clone();
        let mut due = Vec::new();
        for (publisher, streams) in &mut self.publishers {
            streams.retain(|_, stream| match stream.check(&current) {
                Ok(()) => true,
                Err(fault) => {
                    tell(&mut self.told, *publisher, fault);
                    false
                }
            });
            let is_due = |stream: &Stream| stream.is_due(round);
            let ids: Vec<_> = streams.iter().filter(|(_, stream)| is_due(stream)).map(|(id, _)| id.clone()).collect();
            due.extend(ids.iter().filter_map(|id| streams.remove(id)));
        }
        due.sort_by_key(|stream| stream.born);
        due.into_iter().filter_map(Stream::finish).collect()
    }

    /// Takes one part. Returns the block if this completes one of the current height whose round has begun.
    pub(crate) fn insert(&mut self, publisher: MemberId, message: StreamMessage<ProposalPart>) -> Option<Finished> {
        let StreamContent::Data(part) = message.content else { return None };
        let (current, limits) = (self.current.clone()?, self.limits);
        let Some(streams) = self.publishers.get_mut(&publisher) else {
            debug!("block parts of a peer that is not configured");
            return None;
        };
        if !is_wanted(&part, message.sequence, &current, &limits) {
            let VoteSlot { height, round } = part.slot();
            debug!(height, round, sequence = message.sequence, "block parts out of range");
            return None;
        }
        let id = message.stream_id.to_bytes();
        self.born += 1;
        let stream = streams.entry(id.clone()).or_insert_with(|| Stream::new(part.slot(), self.born));
        let taken = stream.add(part, message.sequence, &limits).and_then(|()| stream.check(&current));
        let finished = match taken {
            Ok(()) if stream.is_due(current.round) => streams.remove(&id).and_then(Stream::finish),
            Ok(()) => None,
            Err(fault) => {
                streams.remove(&id);
                tell(&mut self.told, publisher, fault);
                None
            }
        };
        shrink(streams, &limits);
        finished
    }

    #[cfg(test)]
    pub(crate) fn stored(&self) -> (usize, usize) {
        let streams = self.publishers.values().flat_map(BTreeMap::values);
        (streams.clone().count(), streams.map(|stream| stream.bytes).sum())
    }
}

/// Is this part worth a place at all?
fn is_wanted(part: &ProposalPart, sequence: u64, current: &Current, limits: &Limits) -> bool {
    let VoteSlot { height, round } = part.slot();
    let ahead = height.checked_sub(current.height);
    let near_round = ahead != Some(0) || round <= current.round.saturating_add(ROUNDS_AHEAD);
    let in_sequence = match part {
        ProposalPart::Header(_) => sequence == 0,
        ProposalPart::Chunk { bytes, .. } => {
            (1..=chunk_count(limits.block_bytes_max) as u64).contains(&sequence) && bytes.len() <= CHUNK_BYTES
        }
    };
    in_sequence && near_round && ahead.is_some_and(|ahead| ahead <= HEIGHTS_AHEAD)
}

/// Is this the chunk that the header names at this place, of the length that its place wants? Every chunk is full but the last.
fn is_named(header: &StreamHeader, sequence: u64, chunk: &[u8]) -> bool {
    let total = header.fields.bytes_total as usize;
    let Some(index) = usize::try_from(sequence).ok().and_then(|sequence| sequence.checked_sub(1)) else { return false };
    let from = index.saturating_mul(CHUNK_BYTES);
    let length = total.saturating_sub(from).min(CHUNK_BYTES);
    chunk.len() == length && header.fields.chunk_hashes.get(index).is_some_and(|hash| *hash == chunk_hash(chunk))
}

/// Keeps a publisher within its bounds: its streams of the lowest height and round go first, of these the oldest.
fn shrink(streams: &mut Streams, limits: &Limits) {
    let over = |streams: &Streams| {
        streams.len() > limits.streams_max
            || streams.values().map(|stream| stream.bytes).sum::<usize>() > limits.publisher_bytes_max
    };
    while over(streams) {
        let first = streams.iter().min_by_key(|(_, stream)| (stream.slot, stream.born)).map(|(id, _)| id.clone());
        let Some(first) = first else { break };
        streams.remove(&first);
    }
}

/// One line a publisher and height: a hostile peer must not fill the log either.
fn tell(told: &mut BTreeSet<MemberId>, publisher: MemberId, fault: StreamFault) {
    if told.insert(publisher) {
        warn!(%publisher, %fault, "a stream of block parts is refused");
    } else {
        debug!(%fault, "another stream of block parts is refused");
    }
}
