//! Decided blocks for a validator that is behind.
//!
//! They are read from the store, off the async workers and beside consensus, which does not hear of it. A read goes on when its caller breaks
//! off, and keeps its turn and its room until it is done: else whoever asks and is gone at once would have any number of blocks read at the
//! same time, for nothing. A validator has one read at a time, and after each a pause for as long as its bytes take at
//! [`BYTES_PER_SECOND`], because reading costs this node more than asking costs the asker. Not here: who may ask, and what a request is
//! (`peer`, the engine's `network`).

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use receipt_core::ids::Height;
use receipt_core::limits;
use receipt_core::reason::Reason;
use tallystick_engine::{Certificate, DecidedValue, Network};
use tallystick_proto::errors::Refusal;
use tallystick_service::callers::Place;
use tallystick_service::identity::PeerIdentity;
use tokio::sync::oneshot;
use tonic::Status;

use super::{Failure, Services, internal};
use crate::ledger::Ledger;
use crate::memory::ANSWER_BYTES_MAX;
use crate::store::StoreError;

const COME_AGAIN_MS: u64 = 200;
/// What is read for one validator. Several others read for one that is behind, and it executes no more than this.
const BYTES_PER_SECOND: u64 = 64 * 1024 * 1024;

impl Services {
    /// What this node has of these heights, from the first one on, as it is sent; and the room that its bytes take.
    pub(super) async fn decided(
        &self,
        caller: Option<&PeerIdentity>,
        heights: RangeInclusive<u64>,
    ) -> Result<(Bytes, Place), Status> {
        let (ledger, first) = (self.ledger.clone(), *heights.start());
        let read = move || Ok(Network::answer(first, decided_blocks(&ledger, heights, limits::BLOCK_BYTES_MAX)?));
        self.in_turn(caller, read).await
    }

    /// Reads an answer. Waits for a turn of this caller, and for room for the largest answer; without them for
    /// [`Services::answer_patience`] it is told to come again.
    async fn in_turn(
        &self,
        caller: Option<&PeerIdentity>,
        read: impl FnOnce() -> Result<Bytes, Failure> + Send + 'static,
    ) -> Result<(Bytes, Place), Status> {
        let places = async {
            let turn = self.answer_turns.acquire_many(caller, 1).await;
            (turn, self.answer_bytes.acquire_many(caller, ANSWER_BYTES_MAX).await)
        };
        let places = tokio::time::timeout(self.answer_patience, places).await;
        let (turn, mut room) = places.map_err(|_| come_again())?;
        let (sender, made) = oneshot::channel();
        let services = self.clone();
        tokio::spawn(async move {
            let answer = services.blocking(read).await;
            let bytes = answer.as_ref().map_or(0, Bytes::len);
            room.keep(bytes);
            // Sending fails if the caller is gone. The answer and its room are dropped then.
            let _ = sender.send(answer.map(|answer| (answer, room)));
            tokio::time::sleep(pause_after(bytes)).await;
            drop(turn);
        });
        made.await.map_err(internal)?
    }
}

/// No fault of the peer's: it asks again after the pause, as `converse` does.
fn come_again() -> Status {
    let problem =
        "blocks are read for this validator, or too many bytes of them are on their way to it, or to all; come again";
    Refusal::new(Reason::Overloaded).with_retry_after_ms(COME_AGAIN_MS).with_message(problem).to_status()
}

/// How long a validator waits for its next turn when so many bytes were read for it.
fn pause_after(bytes: usize) -> Duration {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / BYTES_PER_SECOND)
}

/// Decided blocks from the range's first height on, without gaps: as many as are stored and have no more than `bytes_max` in sum, but at least
/// one if it is stored. The range is asked for by a peer, and may be any; genesis is no block.
fn decided_blocks(
    ledger: &Ledger,
    heights: RangeInclusive<u64>,
    bytes_max: usize,
) -> Result<Vec<DecidedValue>, StoreError> {
    let (mut blocks, mut bytes) = (Vec::new(), 0);
    let tip = ledger.tip()?.height.get();
    for height in heights {
        if !(1..=tip).contains(&height) {
            break;
        }
        let Some(record) = ledger.store.block(Height::new(height))? else { break };
        bytes += record.block.len() + record.certificate.len();
        if bytes > bytes_max && !blocks.is_empty() {
            break;
        }
        let certificate = Certificate::decode(&record.certificate);
        let certificate =
            certificate.map_err(|error| StoreError::corrupt(format!("the certificate of height {height}: {error}")))?;
        blocks.push(DecidedValue { bytes: record.block.into(), certificate });
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests;
