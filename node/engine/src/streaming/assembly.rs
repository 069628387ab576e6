//! Putting received parts together, in bounded memory.
//!
//! Parts are grouped by publisher and stream id. Parts of the height being decided are checked against its validators as
//! soon as their header is there; parts of the next heights wait, unchecked, until that height starts. A complete block
//! of a later round waits until that round starts: a proposer must not have its blocks judged before its turn.
//! What bounds memory: publishers (the engine connects to known peers only), and per publisher streams and bytes, its oldest stream going
//! first. A stream whose header or chunks break the rules is forgotten, and so are its later parts, one by one.

use std::collections::BTreeMap;
use std::fmt;

use bytes::{Bytes, BytesMut};
use malachitebft_app_channel::app::streaming::{StreamContent, StreamMessage};
use tracing::{debug, warn};

use super::{CHUNK_BYTES, HeaderFault, ProposalPart, StreamHeader, chunk_count};
use crate::context::MemberSet;

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
    /// Publishers at a time.
    pub(crate) publishers_max: usize,
}

impl Limits {
    /// For blocks of this size: three whole blocks and eight streams a publisher.
    pub(crate) fn for_blocks(block_bytes_max: usize) -> Self {
        Self { block_bytes_max, streams_max: 8, publisher_bytes_max: 3 * block_bytes_max + 65_536, publishers_max: 128 }
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

#[derive(Default)]
struct Stream {
    /// Order of arrival; the smallest goes first.
    born: u64,
    header: Option<StreamHeader>,
    checked: bool,
    chunks: BTreeMap<u64, Bytes>,
    bytes: usize,
}

impl Stream {
    fn is_complete(&self) -> bool {
        self.header.as_ref().is_some_and(|header| self.chunks.len() == chunk_count(header.fields.bytes_total as usize))
    }

    /// Complete, its sender known, its round begun?
    fn is_due(&self, round: u32) -> bool {
        let begun = self.header.as_ref().is_some_and(|header| header.slot.round <= round);
        begun && self.checked && self.is_complete()
    }

    /// Do the chunks fit the header's length? Every chunk is full but the last.
    fn fits(&self) -> bool {
        let Some(header) = &self.header else { return true };
        let total = header.fields.bytes_total as usize;
        let count = chunk_count(total) as u64;
        self.chunks.iter().all(|(sequence, chunk)| {
            let expected = if *sequence == count { total - (count as usize - 1) * CHUNK_BYTES } else { CHUNK_BYTES };
            *sequence <= count && chunk.len() == expected
        })
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
    publishers: BTreeMap<Vec<u8>, Streams>,
    born: u64,
    current: Option<Current>,
}

impl Assembly {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, publishers: BTreeMap::new(), born: 0, current: None }
    }

    /// A height will be decided: what is older goes. Its own parts wait for [`Assembly::start_round`].
    pub(crate) fn expect_height(&mut self, current: Current) {
        let height = current.height;
        self.publishers.retain(|_, streams| {
            streams.retain(|_, stream| stream.header.as_ref().is_none_or(|header| header.slot.height >= height));
            !streams.is_empty()
        });
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
        let (current, limits) = (current.clone(), self.limits);
        let mut due = Vec::new();
        for streams in self.publishers.values_mut() {
            streams.retain(|_, stream| match check(stream, &current, &limits) {
                Ok(()) => true,
                Err(fault) => {
                    warn!(%fault, "a stream of block parts is refused");
                    false
                }
            });
            let is_due = |stream: &Stream| stream.is_due(round);
            let ids: Vec<_> = streams.iter().filter(|(_, stream)| is_due(stream)).map(|(id, _)| id.clone()).collect();
            due.extend(ids.iter().filter_map(|id| streams.remove(id)));
        }
        self.publishers.retain(|_, streams| !streams.is_empty());
        due.sort_by_key(|stream| stream.born);
        due.into_iter().filter_map(Stream::finish).collect()
    }

    /// Takes one part. Returns the block if this completes one of the current height whose round has begun.
    pub(crate) fn insert(&mut self, publisher: Vec<u8>, message: StreamMessage<ProposalPart>) -> Option<Finished> {
        let StreamContent::Data(part) = message.content else { return None };
        let current = self.current.clone()?;
        if !self.admits(&publisher, &part, message.sequence, &current) {
            return None;
        }
        let id = message.stream_id.to_bytes();
        let limits = self.limits;
        self.born += 1;
        let born = self.born;
        let streams = self.publishers.entry(publisher.clone()).or_default();
        let stream = streams.entry(id.clone()).or_insert_with(|| Stream { born, ..Stream::default() });
        match part {
            ProposalPart::Header(header) => {
                stream.header.get_or_insert(*header);
            }
            ProposalPart::Chunk(chunk) => {
                if !stream.chunks.contains_key(&message.sequence) {
                    stream.bytes += chunk.len().max(CHUNK_OVERHEAD_BYTES);
                    stream.chunks.insert(message.sequence, chunk);
                }
            }
        }
        let fault = check(stream, &current, &limits).err();
        let due = stream.is_due(current.round);
        if let Some(fault) = fault {
            warn!(%fault, "a stream of block parts is refused");
        }
        let removed = if fault.is_some() || due { streams.remove(&id) } else { None };
        self.shrink(&publisher);
        removed.filter(|_| due && fault.is_none()).and_then(Stream::finish)
    }

    /// Is this part worth a place at all?
    fn admits(&self, publisher: &[u8], part: &ProposalPart, sequence: u64, current: &Current) -> bool {
        let known = self.publishers.contains_key(publisher);
        if !known && self.publishers.len() >= self.limits.publishers_max {
            return false;
        }
        match part {
            ProposalPart::Header(header) => {
                let ahead = header.slot.height.checked_sub(current.height);
                let near_round = ahead != Some(0) || header.slot.round <= current.round.saturating_add(ROUNDS_AHEAD);
                let wanted = sequence == 0 && ahead.is_some_and(|ahead| ahead <= HEIGHTS_AHEAD) && near_round;
                if !wanted {
                    debug!(height = header.slot.height, round = header.slot.round, "block parts out of range");
                }
                wanted
            }
            ProposalPart::Chunk(chunk) => {
                (1..=chunk_count(self.limits.block_bytes_max) as u64).contains(&sequence) && chunk.len() <= CHUNK_BYTES
            }
        }
    }

    /// Keeps a publisher within its bounds: its oldest streams go.
    fn shrink(&mut self, publisher: &[u8]) {
        let Some(streams) = self.publishers.get_mut(publisher) else { return };
        let over = |streams: &Streams| {
            streams.len() > self.limits.streams_max
                || streams.values().map(|stream| stream.bytes).sum::<usize>() > self.limits.publisher_bytes_max
        };
        while over(streams) {
            let oldest = streams.iter().min_by_key(|(_, stream)| stream.born).map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { break };
            streams.remove(&oldest);
        }
        if streams.is_empty() {
            self.publishers.remove(publisher);
        }
    }

    #[cfg(test)]
    pub(crate) fn stored(&self) -> (usize, usize) {
        let streams = self.publishers.values().flat_map(BTreeMap::values);
        (streams.clone().count(), streams.map(|stream| stream.bytes).sum())
    }
}

/// Checks what can be checked by now, and remembers that the header was.
fn check(stream: &mut Stream, current: &Current, limits: &Limits) -> Result<(), HeaderFault> {
    let Some(header) = &stream.header else { return Ok(()) };
    let total = header.fields.bytes_total as usize;
    if total == 0 || total > limits.block_bytes_max || !stream.fits() {
        return Err(HeaderFault::Length);
    }
    if current.started && !stream.checked && header.slot.height == current.height {
        header.check(&current.set, &current.chain_id)?;
        stream.checked = true;
    }
    Ok(())
}
