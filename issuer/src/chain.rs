//! The chain that this issuer serves, as genesis and trust file state it.

use std::sync::Arc;

use anyhow::Result;
use receipt_core::genesis::Genesis;
use receipt_core::limits;
use receipt_core::trust::TrustFile;
use tallystick_service::config::{KeyError, OfKey as _};

use crate::config::Settings;
use crate::journal::{JournalIdentity, LAYOUT};

const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Both, checked against each other.
pub(crate) struct LoadedChain {
    pub(crate) genesis: Genesis,
    pub(crate) trust: Arc<TrustFile>,
    pub(crate) identity: JournalIdentity,
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
    let identity =
        JournalIdentity { chain: genesis.chain_id(), suite: genesis.suite, issuer: settings.issuer, layout: &LAYOUT };
    Ok(LoadedChain { genesis, trust: Arc::new(trust), identity })
}
