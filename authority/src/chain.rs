//! The chain that is governed: chain id from its genesis file, and whose signatures it takes now.
//!
//! The genesis file vouches for itself: its hash is the chain id. The authorities are those of genesis, until they are replaced; then a
//! trust file that has followed the ledger says who they are. Nothing in a proposal file is believed about the chain.

use std::path::Path;

use anyhow::{Context as _, Result};
use receipt_core::authorities::AuthoritySet;
use receipt_core::genesis::Genesis;
use receipt_core::suite::ChainId;
use receipt_core::trust::TrustFile;
use tallystick_service::durable;

const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A genesis and its hash, and the authorities in force.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The genesis.
    pub genesis: Genesis,
    /// Its hash.
    pub id: ChainId,
    /// The authorities in force, as far as is known here.
    pub authorities: AuthoritySet,
    /// Those who were in force before them, the newest first, as far as is known here.
    pub before: Vec<AuthoritySet>,
}

impl Chain {
    /// The chain of a genesis, under its first authorities.
    pub fn new(genesis: Genesis) -> Self {
        Self { id: genesis.chain_id(), authorities: genesis.authority_set(), before: Vec::new(), genesis }
    }

    /// Reads a genesis file.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = durable::read(path, GENESIS_BYTES_MAX)?;
        let genesis = Genesis::decode(&bytes);
        let genesis = genesis.with_context(|| format!("{} is no genesis file of this format", path.display()))?;
        Ok(Self::new(genesis))
    }

    /// The same under the newest authorities of a trust file, which must begin with those of genesis: else somebody changed it, and whoever
    /// stands in it as an authority may be anybody.
    pub fn under(self, trust: &TrustFile) -> Result<Self> {
        trust.check_founding(&self.genesis)?;
        let mut newest_first = trust.authority_sets().iter().rev().map(|known| &known.set);
        let authorities = newest_first.next().unwrap_or(&self.authorities).clone();
        let before = newest_first.cloned().collect();
        Ok(Self { authorities, before, ..self })
    }

    /// Signatures that are needed.
    pub fn threshold(&self) -> usize {
        self.authorities.threshold as usize
    }
}
