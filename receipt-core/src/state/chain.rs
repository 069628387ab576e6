//! What executing a block needs to know of its chain.

use crate::genesis::Genesis;
use crate::suite::{ChainId, Suite};

/// What `apply` takes from genesis.
#[derive(Debug, Clone)]
pub struct ChainParameters {
    /// The chain id.
    pub id: ChainId,
    /// The chain's suite.
    pub suite: Suite,
    /// The log's origin, by which log keys are named.
    pub origin: String,
}

impl ChainParameters {
    /// The parameters that a genesis file fixes.
    pub fn of(genesis: &Genesis) -> Self {
        Self { id: genesis.chain_id(), suite: genesis.suite, origin: genesis.origin.clone() }
    }
}
