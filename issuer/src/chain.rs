//! The chain that this issuer serves, as genesis and trust file state it.

use std::sync::Arc;

use anyhow::Result;
use receipt_core::genesis::Genesis;
use receipt_core::limits;
use receipt_core::trust::TrustFile;
use tallystick_anchoring::trust::{FollowedTrust, TrustError};
use tallystick_service::config_key::{KeyError, OfKey as _};

use crate::config::Settings;
use crate::journal::{Journal, JournalIdentity, LAYOUT};

const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Both, checked against each other.
pub(crate) struct LoadedChain {
    pub(crate) genesis: Genesis,
    /// The trust file as it was read.
    pub(crate) trust: TrustFile,
    pub(crate) identity: JournalIdentity,
}

impl LoadedChain {
    /// Whose checkpoints count: the trust file as far as the journal has followed it.
    pub(crate) fn followed_trust(&self, journal: &Journal) -> Result<Arc<FollowedTrust>> {
        let trust = FollowedTrust::open(self.trust.clone(), journal);
        Ok(Arc::new(trust.map_err(|error| match error {
            TrustError::Journal(error) => anyhow::Error::from(error),
            TrustError::OtherSets => KeyError::config("trust_file", error.to_string()).into(),
        })?))
    }
}

/// Reads genesis and trust file, and checks that they are of one chain.
pub(crate) fn load_chain(settings: &Settings) -> Result<LoadedChain> {
    let bytes = tallystick_service::durable::read(&settings.genesis_file, GENESIS_BYTES_MAX)?;
    let genesis = Genesis::decode(&bytes).of_key("genesis_file")?;
    let bytes = tallystick_service::durable::read(&settings.trust_file, limits::TRUST_BYTES_MAX)?;
    let text = String::from_utf8(bytes).of_key("trust_file")?;
    let trust = TrustFile::parse(&text).of_key("trust_file")?;
    if trust.chain_id() != genesis.chain_id() {
        let (given, own) = (trust.chain_id().0, genesis.chain_id().0);
        return Err(
            KeyError::config("trust_file", format!("it is of chain {given}, genesis_file of chain {own}")).into()
        );
    }
    trust.check_founding(&genesis).of_key("trust_file")?;
    let identity =
        JournalIdentity { chain: genesis.chain_id(), suite: genesis.suite, issuer: settings.issuer, layout: &LAYOUT };
    Ok(LoadedChain { genesis, trust, identity })
}
