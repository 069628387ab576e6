//! The chain that is governed, as its genesis file tells it: chain id, authorities, threshold.
//!
//! The genesis file vouches for itself: its hash is the chain id. Nothing in a proposal file is believed about the chain.

use std::path::Path;

use anyhow::{Context as _, Result};
use receipt_core::genesis::Genesis;
use receipt_core::suite::{ChainId, PublicKey};
use tallystick_service::durable;

const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A genesis and its hash.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The genesis.
    pub genesis: Genesis,
    /// Its hash.
    pub id: ChainId,
}

impl Chain {
    /// The chain of a genesis.
    pub fn new(genesis: Genesis) -> Self {
        Self { id: genesis.chain_id(), genesis }
    }

    /// Reads a genesis file.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = durable::read(path, GENESIS_BYTES_MAX)?;
        let genesis = Genesis::decode(&bytes);
        let genesis = genesis.with_context(|| format!("{} is no genesis file of this format", path.display()))?;
        Ok(Self::new(genesis))
    }

    /// Signatures that are needed.
    pub fn threshold(&self) -> usize {
        self.genesis.authority_threshold as usize
    }

    /// The authority that holds this key, by its index in genesis.
    pub fn authority(&self, key: &PublicKey) -> Option<u32> {
        (0..).zip(&self.genesis.authorities).find_map(|(index, known)| (known == key).then_some(index))
    }
}
