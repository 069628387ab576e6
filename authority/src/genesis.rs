//! Genesis from a readable description, and what follows from it.
//!
//! ```text
//! description.toml ──▶ genesis.bin   its hash is the chain id
//!                  ├─▶ trust.txt     what verifiers and issuers trust
//!                  └─▶ peers-of-<id>.toml   the `[[peers]]` of each validator's config, if the description has addresses
//! ```
//! The same description gives the same bytes on every machine: each party makes the file itself and compares the chain id.
//! No private key is needed. Addresses are not part of the chain.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use receipt_core::genesis::{Genesis, Timeliness};
use receipt_core::state::genesis_effects;
use receipt_core::suite::{PublicKey, Suite};
use receipt_core::trust::TrustFile;
use serde::Deserialize;
use tallystick_service::config::{ConfigError, Loaded, load};
use tallystick_service::durable::{self, FileMode};
use tallystick_service::identity::ChainName;

use crate::actions::{ActionText, ValidatorText, actions, validator_set};
use crate::chain::Chain;
use crate::text::{KeyText, TimeText};

/// A genesis description.
#[derive(Debug, Clone, Deserialize)]
pub struct GenesisText {
    /// Name of the chain, for people and in certificates.
    pub chain_name: String,
    /// The log's origin: a URL without its scheme.
    pub origin: String,
    /// The chain's fixed UTC offset.
    pub utc_offset_minutes: i32,
    /// Whether its receipts are specimens (测试样票), which every verdict and every face says; left out: no.
    #[serde(default)]
    pub test: bool,
    /// Time of block 0.
    pub time: TimeText,
    /// The authorities and how many of them must sign.
    pub authorities: AuthoritiesText,
    /// The first validator set, ascending by id.
    pub validators: Vec<ValidatorText>,
    /// The first registry.
    #[serde(default)]
    pub actions: Vec<ActionText>,
    /// Which blocks come in time; left out: the usual bounds.
    #[serde(default)]
    pub timeliness: TimelinessText,
}

/// How far a block's time may lie from a validator's clock, for ever.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct TimelinessText {
    /// Ahead of the clock, milliseconds.
    pub ahead_ms_max: u64,
    /// How far behind a validator's clock a block of round 0 may be dated, milliseconds.
    pub behind_ms_max: u64,
    /// Farther behind in each further round, milliseconds.
    pub behind_round_ms: u64,
}

impl Default for TimelinessText {
    fn default() -> Self {
        let Timeliness { ahead_ms_max, behind_ms_max, behind_round_ms } = Timeliness::default();
        Self { ahead_ms_max, behind_ms_max, behind_round_ms }
    }
}

/// The authorities and how many of them must sign.
#[derive(Debug, Clone, Deserialize)]
pub struct AuthoritiesText {
    /// Number of authorities that must sign.
    pub threshold: u32,
    /// Their keys; the first is authority 1.
    pub public_keys: Vec<KeyText>,
}

/// A genesis that was made, and the configs that go with it.
#[derive(Debug)]
pub struct MadeGenesis {
    /// The chain.
    pub chain: Chain,
    /// Its trust file.
    pub trust: TrustFile,
    /// The `[[peers]]` of each validator's config, by its number; empty without addresses.
    pub peers: Vec<(u32, String)>,
}

/// Reads a description and makes the genesis; every refusal names the key.
pub fn make(description: &Path) -> Result<MadeGenesis> {
    let loaded: Loaded<GenesisText> = load(description)?;
    check_texts(&loaded)?;
    let text = &loaded.value;
    let registry = actions(&text.actions).map_err(|(key, problem)| loaded.invalid(&key, problem))?;
    let genesis = Genesis {
        chain_name: text.chain_name.clone(),
        origin: text.origin.clone(),
        suite: Suite::Ed25519Sha256,
        time: text.time.0,
        utc_offset_minutes: text.utc_offset_minutes,
        authorities: text.authorities.public_keys.iter().map(|key| key.0).collect(),
        authority_threshold: text.authorities.threshold,
        validators: validator_set(&text.validators).map_err(|problem| loaded.invalid("validators", problem))?,
        actions: registry,
        timeliness: Timeliness {
            ahead_ms_max: text.timeliness.ahead_ms_max,
            behind_ms_max: text.timeliness.behind_ms_max,
            behind_round_ms: text.timeliness.behind_round_ms,
        },
        is_test: text.test,
    };
    if let Some((index, problem)) = first_refused_action(&genesis) {
        return Err(loaded.invalid(&format!("actions[{index}]"), problem).into());
    }
    let (genesis, trust) = checked(genesis).with_context(|| format!("description {}", description.display()))?;
    Ok(MadeGenesis { chain: Chain::new(genesis), trust, peers: peers(&loaded)? })
}

/// What the ledger's own rules refuse is found here, not at the first start. Returns the genesis as it reads back, and the
/// trust file that it implies.
pub fn checked(genesis: Genesis) -> Result<(Genesis, TrustFile)> {
    genesis_effects(&genesis).context("the genesis would not be accepted")?;
    let genesis = Genesis::decode(&genesis.encode()).context("the genesis does not read back")?;
    let trust = TrustFile::from_genesis(&genesis).context("make the trust file")?;
    Ok((genesis, trust))
}

fn check_texts(loaded: &Loaded<GenesisText>) -> Result<(), ConfigError> {
    let text = &loaded.value;
    ChainName::parse(&text.chain_name).map_err(|error| loaded.invalid("chain_name", error.to_string()))?;
    let origin_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._~/:".contains(c);
    if !text.origin.contains('.') || text.origin.contains("//") || !text.origin.chars().all(origin_allowed) {
        return Err(loaded.invalid("origin", "must be a URL without its scheme, like ledger.example.org/2026"));
    }
    let keys: Vec<PublicKey> = text.authorities.public_keys.iter().map(|key| key.0).collect();
    if !(1..=keys.len()).contains(&(text.authorities.threshold as usize)) {
        let problem = format!("must be 1 to {}, the number of public_keys", keys.len());
        return Err(loaded.invalid("authorities.threshold", problem));
    }
    for (index, key) in keys.iter().enumerate() {
        let name = format!("authorities.public_keys[{index}]");
        if keys[..index].contains(key) {
            return Err(loaded.invalid(&name, "stands there twice"));
        }
        let of_validators = |v: &ValidatorText| [v.consensus_key.0, v.log_key.0, v.cosigner_key.0].contains(key);
        if text.validators.iter().any(of_validators) {
            return Err(loaded.invalid(&name, "is a validator's key, too; an authority's key has no other use"));
        }
    }
    Ok(())
}

/// The first action that does not apply, and why. Whether the first n apply falls once from yes to no.
fn first_refused_action(genesis: &Genesis) -> Option<(usize, String)> {
    let problem = |count: usize| {
        let first = Genesis { actions: genesis.actions[..count].to_vec(), ..genesis.clone() };
        genesis_effects(&first).err().map(|error| error.to_string())
    };
    problem(genesis.actions.len())?;
    let (mut good, mut bad) = (0, genesis.actions.len());
    while bad > good + 1 {
        let middle = usize::midpoint(good, bad);
        if problem(middle).is_some() { bad = middle } else { good = middle }
    }
    Some((bad.checked_sub(1)?, problem(bad)?))
}

/// The other validators of each one, as its config wants them.
fn peers(loaded: &Loaded<GenesisText>) -> Result<Vec<(u32, String)>, ConfigError> {
    let validators = &loaded.value.validators;
    if validators.iter().all(|validator| validator.peer.is_none()) {
        return Ok(Vec::new());
    }
    let mut blocks = Vec::new();
    for (index, validator) in validators.iter().enumerate() {
        let key = format!("validators[{index}].peer");
        let peer = validator.peer.as_ref();
        let peer = peer.ok_or_else(|| loaded.invalid(&key, "is missing; give it for all validators or for none"))?;
        let port = peer.grpc.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let plain = peer.grpc.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c));
        if port.is_none() || !plain {
            return Err(loaded.invalid(&format!("{key}.grpc"), "must be host:port"));
        }
        let id = validator.id.0;
        let block = format!("\n[[peers]]\nvalidator_id = {id}\ngrpc         = \"{}\"\n", peer.grpc);
        blocks.push((id, block));
    }
    let all_but = |own: u32| blocks.iter().filter(move |(id, _)| *id != own).map(|(_, block)| block.as_str()).collect();
    Ok(blocks.iter().map(|(id, _)| (*id, all_but(*id))).collect())
}

impl MadeGenesis {
    /// Writes all files into a directory; replaces none.
    pub fn write(&self, directory: &Path) -> Result<Vec<PathBuf>> {
        let mut files = vec![
            (directory.join("genesis.bin"), self.chain.genesis.encode()),
            (directory.join("trust.txt"), self.trust.to_text().into_bytes()),
        ];
        for (id, peers) in &self.peers {
            files.push((directory.join(format!("peers-of-{id}.toml")), peers.clone().into_bytes()));
        }
        for (path, _) in &files {
            ensure!(!path.exists(), "{} exists; give `--out` another directory, nothing is replaced", path.display());
        }
        durable::private_directory(directory)?;
        for (path, bytes) in &files {
            durable::create(path, bytes, FileMode::Shared).map_err(|error| anyhow!(error))?;
        }
        Ok(files.into_iter().map(|(path, _)| path).collect())
    }

    /// What was made, for a person; the chain id last.
    pub fn summary(&self) -> String {
        let Chain { genesis, id, .. } = &self.chain;
        let (validators, faults) = (genesis.validators.members().len(), genesis.validators.faults_max());
        let mut text = String::new();
        let _ = writeln!(text, "chain        {}", genesis.chain_name);
        if genesis.is_test {
            let _ = writeln!(text, "TEST CHAIN   its receipts are specimens (测试样票), and every verdict says so");
        }
        let _ = writeln!(text, "origin       {}", genesis.origin);
        let (threshold, authorities) = (genesis.authority_threshold, genesis.authorities.len());
        let _ = writeln!(text, "authorities  {threshold} of {authorities} must sign");
        let _ = writeln!(text, "validators   {validators}, of which {faults} may fail");
        if faults == 0 {
            let _ = writeln!(text, "             with fewer than 4 the chain stands as soon as one fails");
        }
        let Timeliness { ahead_ms_max, behind_ms_max, behind_round_ms } = genesis.timeliness;
        let _ = writeln!(
            text,
            "block times  {ahead_ms_max} ms ahead, {behind_ms_max} ms behind, {behind_round_ms} ms more a round"
        );
        let _ = writeln!(text, "actions      {}", genesis.actions.len());
        let _ = writeln!(text, "chain id     {}", id.0);
        text
    }
}

#[cfg(test)]
mod tests;
