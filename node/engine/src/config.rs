//! What the engine is started with, and what is checked before a port is bound.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use malachitebft_app_channel::app::config::{ConsensusConfig, NodeConfig, ValuePayload, ValueSyncConfig};
use malachitebft_app_channel::app::wal::Storage;

use crate::error::{EngineError, bad};
use crate::limits::{BLOCK_BYTES_LIMIT, REQUEST_HEIGHTS_MAX, answer_bytes_max};
use crate::network::{EARLY_MAX, Network};
use crate::types::{MEMBERS_MAX, MemberId};

/// How often each node tells its tip. Zero would mean once after each decision and never again: a node that misses that one,
/// because it just starts or stood still, then waits for ever for a height that the others have left.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);

/// Everything the engine needs to start.
#[derive(Clone)]
pub struct EngineConfig {
    /// This node's name in logs and metrics.
    pub moniker: String,
    /// Hash of the genesis block: in every preimage, and at the beginning of every link.
    pub chain_id: [u8; 32],
    /// This node's number in the registry. It votes at the heights whose set has it, and follows at the others.
    pub member: MemberId,
    /// Its links to the other nodes. Every validator must be linked with every other: what one has made comes from itself or not
    /// at all, and a decided block is fetched from whoever has it.
    pub network: Network,
    /// The engine's write-ahead log: a file in a directory that exists. Holds block ids and votes of the current height.
    pub log_path: PathBuf,
    /// The largest block, in bytes. The same on all nodes.
    pub block_bytes_max: usize,
    /// Whether it proposes and votes at the heights whose set has it. If not, it follows the chain by sync alone, and asks
    /// the signer for nothing.
    pub votes: bool,
    /// How the node misbehaves, for tests of the others.
    #[cfg(feature = "byzantine")]
    pub byzantine: Option<Byzantine>,
}

/// A misbehaving validator, by the engine's own proxy between consensus and network. For tests only.
#[cfg(feature = "byzantine")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Byzantine {
    /// Sends a second, conflicting vote after each vote.
    pub equivocate_votes: bool,
    /// Sends a second, conflicting proposal after each proposal.
    pub equivocate_proposals: bool,
    /// Sends no votes.
    pub drop_votes: bool,
    /// Sends no proposals.
    pub drop_proposals: bool,
    /// Sends others' stream headers on, twice, with a body of its own.
    pub forge_bodies: bool,
}

/// The engine's configuration.
pub(crate) struct Checked {
    moniker: String,
    consensus: ConsensusConfig,
    sync: ValueSyncConfig,
}

impl NodeConfig for Checked {
    fn moniker(&self) -> &str {
        &self.moniker
    }

    fn consensus(&self) -> &ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.sync
    }
}

impl EngineConfig {
    /// The log failed for a reason that says nothing of its content.
    pub(crate) fn log_failed(&self, source: std::io::Error) -> EngineError {
        EngineError::LogFailed { path: self.log_path.clone(), source }
    }

    /// Checks every value.
    pub(crate) fn checked(&self) -> Result<Checked, EngineError> {
        if self.moniker.is_empty() || self.moniker.len() > 64 {
            return Err(bad("moniker", "must have 1 to 64 bytes"));
        }
        if self.block_bytes_max < 1024 || self.block_bytes_max > BLOCK_BYTES_LIMIT {
            return Err(bad("block_bytes_max", format!("must be 1 KiB to {BLOCK_BYTES_LIMIT} bytes")));
        }
        if !self.log_path.parent().is_some_and(Path::is_dir) {
            return Err(bad("log_path", format!("{} is not in a directory", self.log_path.display())));
        }
        lock_log(&self.log_path).map_err(|error| bad("log_path", error))?;
        Ok(Checked { moniker: self.moniker.clone(), consensus: self.consensus(), sync: self.sync()? })
    }

    fn consensus(&self) -> ConsensusConfig {
        let mut config = ConsensusConfig { value_payload: ValuePayload::ProposalAndParts, ..Default::default() };
        // Early votes and proposals are kept unchecked. There is room for more heights than the intake lets through, so that none is displaced,
        // and at each height for all that the peers together may send early, so that no peer takes the places of others.
        config.queue_capacity = 16;
        config.queue_per_height_capacity = EARLY_MAX * MEMBERS_MAX;
        config.enabled = self.votes;
        config
    }

    fn sync(&self) -> Result<ValueSyncConfig, EngineError> {
        Ok(ValueSyncConfig {
            status_update_interval: STATUS_INTERVAL,
            max_response_size: size(answer_bytes_max(self.block_bytes_max))?,
            batch_size: REQUEST_HEIGHTS_MAX,
            ..Default::default()
        })
    }
}

/// Opens the log with the engine's lock, creating an empty one if there is none. Fails while an engine has it.
pub(crate) fn lock_log(path: &Path) -> std::io::Result<File> {
    File::open_with(path, ())
}

/// The engine's type for sizes is not exported; its parser is.
fn size<T: std::str::FromStr>(bytes: usize) -> Result<T, EngineError> {
    format!("{bytes} B").parse().map_err(|_| bad("block_bytes_max", "is not a size"))
}

#[cfg(test)]
mod tests;
