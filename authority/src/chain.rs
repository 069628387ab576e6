//! The chain that is governed: chain id from its genesis file, whose signatures it takes now, and who decides now.
//!
//! The genesis file vouches for itself: its hash is the chain id. Authorities and validators are those of genesis, until they are replaced;
//! then a trust file that has followed the ledger says who they are. Nothing in a proposal file is believed about the chain.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use receipt_core::area::Area;
use receipt_core::authorities::AuthoritySet;
use receipt_core::genesis::Genesis;
use receipt_core::governance::SetAreaAuthorities;
use receipt_core::hash::Hash;
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
    /// The newest validators that are known here.
    pub validators: KnownValidators,
    /// Whose authorities these are: an area's, or the chain's own.
    pub area: Option<Area>,
}

/// Which validators are believed to decide now: a set's hash, as trust files and seals carry it. The set itself is in genesis, or any node
/// can give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownValidators {
    /// The set's hash.
    pub set_hash: Hash,
    /// Whether a trust file says so; else they are those of genesis, and others may have followed.
    pub by_trust_file: bool,
}

impl Chain {
    /// The chain of a genesis, under its first authorities.
    pub fn new(genesis: Genesis) -> Self {
        let set_hash = genesis.validators.hash(genesis.suite);
        let validators = KnownValidators { set_hash, by_trust_file: false };
        let (id, authorities) = (genesis.chain_id(), genesis.authority_set());
        Self { id, authorities, before: Vec::new(), validators, area: None, genesis }
    }

    /// Reads a genesis file.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = durable::read(path, GENESIS_BYTES_MAX)?;
        let genesis = Genesis::decode(&bytes);
        let genesis = genesis.with_context(|| format!("{} is no genesis file of this format", path.display()))?;
        Ok(Self::new(genesis))
    }

    /// The same under the newest authorities and validators of a trust file, which must begin with those of genesis: else somebody changed it,
    /// and whoever stands in it as an authority may be anybody.
    pub fn under(self, trust: &TrustFile) -> Result<Self> {
        trust.check_founding(&self.genesis)?;
        let mut newest_first = trust.authority_sets().iter().rev().map(|known| &known.set);
        let authorities = newest_first.next().unwrap_or(&self.authorities).clone();
        let before = newest_first.cloned().collect();
        let newest = trust.sets().last().map_or(self.validators.set_hash, |set| set.set_hash);
        let validators = KnownValidators { set_hash: newest, by_trust_file: true };
        Ok(Self { authorities, before, validators, ..self })
    }

    /// The same for messages of an area, under its authorities: as those who named them have said, in a file that came from them. Whether
    /// they are in force the ledger alone says.
    pub fn of_area(self, named: SetAreaAuthorities) -> Result<Self> {
        ensure!(!named.takes_away(), "it names no authorities of area {}", named.area);
        Ok(Self { authorities: named.set, before: Vec::new(), area: Some(named.area), ..self })
    }

    /// Signatures that are needed.
    pub fn threshold(&self) -> usize {
        self.authorities.threshold as usize
    }
}
