//! The chain that this issuer serves, as genesis and trust file state it.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use receipt_core::genesis::Genesis;
use receipt_core::trust::TrustFile;

use crate::config::Settings;
use crate::journal::{JournalIdentity, LAYOUT};

const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;
const TRUST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Both, checked against each other.
pub(crate) struct LoadedChain {
    pub(crate) genesis: Genesis,
    pub(crate) trust: Arc<TrustFile>,
    pub(crate) identity: JournalIdentity,
}

/// Reads genesis and trust file, and checks that they are of one chain.
pub(crate) fn load_chain(settings: &Settings) -> Result<LoadedChain> {
    let bytes = tallystick_service::durable::read(&settings.genesis_file, GENESIS_BYTES_MAX)?;
    let genesis = Genesis::decode(&bytes)
        .with_context(|| format!("read the genesis file {}", settings.genesis_file.display()))?;
    let bytes = tallystick_service::durable::read(&settings.trust_file, TRUST_BYTES_MAX)?;
    let text = String::from_utf8(bytes).context("the trust file is not UTF-8 text")?;
    let trust = TrustFile::parse(&text).context("read the trust file")?;
    ensure!(trust.chain_id() == genesis.chain_id(), "the trust file is of another chain than the genesis file");
    let identity =
        JournalIdentity { chain: genesis.chain_id(), suite: genesis.suite, issuer: settings.issuer, layout: &LAYOUT };
    Ok(LoadedChain { genesis, trust: Arc::new(trust), identity })
}
