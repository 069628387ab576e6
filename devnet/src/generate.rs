//! Makes a network directory: genesis, keys, certificates, credentials, configs.
//!
//! ```text
//! registry ─┐
//! secrets ──┼──▶ genesis.bin ──▶ chain id ──▶ unit credentials (signed by the threshold of authorities), trust.txt, directory.bin
//! ports ────┴──▶ node.toml, issuer.toml, network.json          PKI ──▶ certificates
//! ```
//! Nothing is started here, and the stores are not made: the processes' own `init` does that. Invariant: an existing
//! network is never overwritten.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use receipt_core::blind::BlindingSecret;
use receipt_core::credential::{SignedCredential, UnitCredential};
use receipt_core::directory::{Directory, DirectoryFile, SignedDirectory, UnitRow};
use receipt_core::fingerprint::Fingerprint;
use receipt_core::genesis::{Genesis, Timeliness};
use receipt_core::governance::{Action, CloseSegment, RegisterBlinding};
use receipt_core::ids::{Height, KeyId, UnitId, UnixMillis, ValidatorId};
use receipt_core::state::genesis_effects;
use receipt_core::state::tables::Table;
use receipt_core::suite::{ChainId, Signer, SoftwareKey, Suite};
use receipt_core::trust::TrustFile;
use receipt_core::validators::{Validator, ValidatorSet};
use tallystick_authority::genesis::checked;
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_service::durable::{self, FileMode};
use tallystick_service::rng::{Entropy, OsEntropy, SeededEntropy};

use crate::callers::Caller;
use crate::configs::{issuer_toml, node_toml, portal_toml};
use crate::description::{Description, IssuerAddresses, NodeAddresses, PortalAddresses};
use crate::documents;
use crate::layout::{CertificateFiles, Layout};
use crate::options::NetworkOptions;
use crate::pki::{Authority, CertificateRequest, Validity};
use crate::ports::HeldPorts;
use crate::registry::{AREA_CODE, Registry, RegistryTerms, key_id};
use crate::secrets::{KeyWriter, SecretCounts, Secrets, public_key};

/// Keys of authorities in genesis.
pub const AUTHORITY_COUNT: u32 = 3;
/// How many of them must sign.
pub const AUTHORITY_THRESHOLD: u32 = 2;
/// The first epoch of the blinding secret, as the issuers' configs name it.
const BLINDING_EPOCH: u32 = 1;
/// UTC+8 in minutes.
const UTC_OFFSET_MINUTES: i32 = 480;
/// Keys are valid from a day before genesis on, so that clocks that drift do no harm.
const KEYS_VALID_BEFORE_MS: u64 = 24 * 3600 * 1000;

/// A generated network that was not started yet.
pub struct Generated {
    /// Addresses and numbers of all parties (`network.json`).
    pub description: Description,
    /// Ports of each validator, by number from 1.
    pub node_ports: Vec<HeldPorts>,
    /// Ports of each issuer, by number from 1.
    pub issuer_ports: Vec<HeldPorts>,
    /// Ports of the portal.
    pub portal_ports: HeldPorts,
}

/// Writes a new network into `layout`'s directory.
pub fn generate(layout: &Layout, options: &NetworkOptions) -> Result<Generated> {
    ensure!(!layout.description().exists(), "{} holds a network already", layout.root().display());
    let now = SystemClock.now();
    let os_entropy = OsEntropy;
    let seeded_entropy = options.seed.map(SeededEntropy::new);
    let entropy: &dyn Entropy = match &seeded_entropy {
        Some(seeded) => seeded,
        None => &os_entropy,
    };
    let (year, _, _) = now.civil_date(UTC_OFFSET_MINUTES);
    let registry = Registry::new(options.load_hospitals, u32::try_from(year % 100)?)?;
    let secrets = Secrets::draw(
        SecretCounts {
            authorities: AUTHORITY_COUNT,
            validators: options.validators + options.followers,
            issuers: options.issuers,
            units: u32::try_from(registry.units.len())?,
        },
        entropy,
    )?;
    let genesis_time = UnixMillis::new(now.get().saturating_sub(options.genesis_age_ms));
    let genesis = make_genesis(options, &registry, &secrets, genesis_time)?;
    let generated = describe(options, &registry, &genesis)?;
    let description = &generated.description;
    make_directories(layout, description)?;
    durable::create(&layout.genesis(), &genesis.encode(), FileMode::Shared)?;
    let trust = TrustFile::from_genesis(&genesis).context("make the trust file")?;
    durable::create(&layout.trust(), trust.to_text().as_bytes(), FileMode::Shared)?;
    write_keys(layout, &secrets, description, entropy)?;
    write_credentials(layout, description, &registry, &secrets, genesis.chain_id(), keys_valid_from(genesis.time))?;
    write_directory(layout, &secrets, &genesis)?;
    write_certificates(layout, description, now)?;
    write_configs(layout, description, options)?;
    write_portal(layout, description, &genesis)?;
    description.write(layout)?;
    Ok(generated)
}

fn keys_valid_from(now: UnixMillis) -> UnixMillis {
    UnixMillis::new(now.get().saturating_sub(KEYS_VALID_BEFORE_MS))
}

fn make_genesis(options: &NetworkOptions, registry: &Registry, secrets: &Secrets, now: UnixMillis) -> Result<Genesis> {
    let validators = (1..=options.validators).zip(&secrets.validators).map(|(id, seeds)| Validator {
        id: ValidatorId::new(id),
        name: format!("node-{id}"),
        consensus_key: public_key(&seeds.consensus),
        log_key: public_key(&seeds.log),
        cosigner_key: public_key(&seeds.cosigner),
    });
    let terms = RegistryTerms {
        issuers: options.issuers,
        segment_numbers: options.segment_numbers,
        keys_valid_from: keys_valid_from(now),
        public_key: &|key_id| secrets.public_key(key_id),
    };
    let mut actions = registry.actions(&terms)?;
    let blinding = BlindingSecret::new(Suite::Ed25519Sha256, BLINDING_EPOCH, &secrets.blinding);
    let fingerprint = Fingerprint::of_blinding(&blinding).0.to_vec();
    actions.push(Action::RegisterBlinding(RegisterBlinding { epoch: BLINDING_EPOCH, fingerprint }));
    actions.extend(options.closed_segment.map(|segment_id| Action::CloseSegment(CloseSegment { segment_id })));
    let genesis = Genesis {
        chain_name: options.chain_name.clone(),
        origin: format!("ledger.devnet.example/{}", options.chain_name),
        suite: Suite::Ed25519Sha256,
        time: now,
        utc_offset_minutes: UTC_OFFSET_MINUTES,
        authorities: secrets.authorities.iter().map(public_key).collect(),
        authority_threshold: AUTHORITY_THRESHOLD,
        validators: ValidatorSet::new(validators.collect()).context("make the validator set")?,
        actions,
        timeliness: Timeliness::default(),
        is_test: true,
    };
    Ok(checked(genesis)?.0)
}

fn describe(options: &NetworkOptions, registry: &Registry, genesis: &Genesis) -> Result<Generated> {
    let mut nodes = Vec::new();
    let mut node_ports = Vec::new();
    for validator_id in 1..=options.validators + options.followers {
        let mut held = HeldPorts::default();
        let (grpc, http, metrics) = (held.hold()?, held.hold()?, held.hold()?);
        nodes.push(NodeAddresses { validator_id, grpc, http, metrics });
        node_ports.push(held);
    }
    let mut issuers = Vec::new();
    let mut issuer_ports = Vec::new();
    for issuer_id in 1..=options.issuers {
        let mut held = HeldPorts::default();
        let (grpc, metrics) = (held.hold()?, held.hold()?);
        issuers.push(IssuerAddresses { issuer_id, grpc, metrics });
        issuer_ports.push(held);
    }
    let mut portal_ports = HeldPorts::default();
    let portal = PortalAddresses { https: portal_ports.hold()?, metrics: portal_ports.hold()? };
    let description = Description {
        chain_name: genesis.chain_name.clone(),
        chain_id: hex::encode(genesis.chain_id().0.as_bytes()),
        origin: genesis.origin.clone(),
        utc_offset_minutes: genesis.utc_offset_minutes,
        year_digits: registry.year_digits,
        load_hospital_count: registry.load_hospital_count,
        nodes,
        issuers,
        portal: Some(portal),
    };
    Ok(Generated { description, node_ports, issuer_ports, portal_ports })
}

fn make_directories(layout: &Layout, description: &Description) -> Result<()> {
    let mut directories = vec![layout.logs(), layout.authorities()];
    for node in &description.nodes {
        let node = layout.node(node.validator_id);
        directories.extend([node.join("keys"), node.join("guard")]);
    }
    for issuer in &description.issuers {
        let issuer = layout.issuer(issuer.issuer_id);
        directories.extend([issuer.join("keys").join("units"), issuer.join("credentials")]);
    }
    for directory in directories {
        durable::private_directory(&directory)?;
    }
    Ok(())
}

fn write_keys(layout: &Layout, secrets: &Secrets, description: &Description, entropy: &dyn Entropy) -> Result<()> {
    let authorities = KeyWriter::new(&layout.authorities().join("passphrase"), entropy)?;
    for (index, seed) in (0..).zip(&secrets.authorities) {
        authorities.signing(&layout.authority_key(index), seed)?;
    }
    for (node, seeds) in description.nodes.iter().zip(&secrets.validators) {
        let directory = layout.node(node.validator_id).join("keys");
        let writer = KeyWriter::new(&directory.join("passphrase"), entropy)?;
        writer.signing(&directory.join("consensus.key"), &seeds.consensus)?;
        writer.signing(&directory.join("log.key"), &seeds.log)?;
        writer.signing(&directory.join("cosigner.key"), &seeds.cosigner)?;
    }
    for (issuer, master) in description.issuers.iter().zip(&secrets.masters) {
        let directory = layout.issuer(issuer.issuer_id).join("keys");
        let writer = KeyWriter::new(&directory.join("passphrase"), entropy)?;
        writer.symmetric(&directory.join("master.key"), master)?;
        writer.symmetric(&directory.join("blinding.key"), &secrets.blinding)?;
        let own = key_id(issuer.issuer_id, 0);
        let next = key_id(issuer.issuer_id + 1, 0);
        for (key_id, seed) in secrets.keys.range(own..next) {
            let file = match *key_id == own {
                true => directory.join("issuer.key"),
                false => directory.join("units").join(format!("{key_id}.key")),
            };
            writer.signing(&file, seed)?;
        }
    }
    Ok(())
}

fn write_credentials(
    layout: &Layout,
    description: &Description,
    registry: &Registry,
    secrets: &Secrets,
    chain: ChainId,
    valid_from: UnixMillis,
) -> Result<()> {
    let keys: Vec<SoftwareKey> = secrets.authorities.iter().map(SoftwareKey::from_seed).collect();
    let signers = keys.iter().take(AUTHORITY_THRESHOLD as usize).map(|key| key as &dyn Signer);
    let signers: Vec<&dyn Signer> = signers.collect();
    for issuer in &description.issuers {
        let directory = layout.issuer(issuer.issuer_id).join("credentials");
        for unit in &registry.units {
            let signing_key = key_id(issuer.issuer_id, unit.unit_id);
            let credential = UnitCredential {
                suite: Suite::Ed25519Sha256,
                unit: UnitId::new(unit.unit_id),
                unit_code: unit.unit_code.clone(),
                unit_name: unit.name.clone(),
                supervisor_area_code: AREA_CODE.to_owned(),
                signing_key: KeyId::new(signing_key),
                public_key: secrets.public_key(signing_key)?,
                valid_from,
                valid_until: None,
            };
            let signed = SignedCredential::sign(credential, chain, &signers);
            let path = directory.join(format!("{signing_key}.credential"));
            durable::create(&path, &signed.encode(), FileMode::Shared)?;
        }
    }
    Ok(())
}

/// The directory of units after genesis, under the threshold of authorities.
fn write_directory(layout: &Layout, secrets: &Secrets, genesis: &Genesis) -> Result<()> {
    let effects = genesis_effects(genesis).context("execute genesis")?;
    let rows = effects.writes.iter().filter(|((table, _), _)| *table == Table::Directory);
    let rows = rows.filter_map(|(_, row)| Some(UnitRow::decode(row.as_deref()?)));
    let units = rows.collect::<Result<_, _>>().context("read the directory's rows")?;
    let directory = Directory { suite: genesis.suite, height: Height::ZERO, time: genesis.time, units };
    let keys: Vec<SoftwareKey> = secrets.authorities.iter().map(SoftwareKey::from_seed).collect();
    let signers = keys.iter().take(AUTHORITY_THRESHOLD as usize).map(|key| key as &dyn Signer);
    let signed = SignedDirectory::sign(directory, genesis.chain_id(), &signers.collect::<Vec<_>>());
    let file = DirectoryFile { signed, deltas: Vec::new() };
    Ok(durable::create(&layout.directory(), &file.encode(), FileMode::Shared)?)
}

fn write_certificates(layout: &Layout, description: &Description, now: UnixMillis) -> Result<()> {
    let authority = Authority::new(&format!("{} certificate authority", description.chain_name), now.get())?;
    authority.write(&layout.ca())?;
    let own = |directory: &Path, name: &str| CertificateFiles {
        cert: directory.join("tls").join(format!("{name}.pem")),
        key: directory.join("tls").join(format!("{name}.key")),
    };
    let certify = |authority: &Authority, caller: Caller, files: &CertificateFiles| {
        let identity_uri = caller.identity_uri(&description.chain_name);
        let request = CertificateRequest {
            name: &caller.name(),
            identity_uri: &identity_uri,
            validity: if caller.is_expired() { Validity::Expired } else { Validity::Current },
        };
        authority.certify(&request, files)
    };
    for node in &description.nodes {
        certify(&authority, Caller::Validator(node.validator_id), &own(&layout.node(node.validator_id), "node"))?;
    }
    for issuer in &description.issuers {
        certify(&authority, Caller::Issuer(issuer.issuer_id), &own(&layout.issuer(issuer.issuer_id), "issuer"))?;
    }
    let stranger = Authority::new("unknown certificate authority", now.get())?;
    for caller in Caller::CLIENTS {
        let signed_by = if caller.is_stranger() { &stranger } else { &authority };
        certify(signed_by, caller, &layout.client(&caller.name()))?;
    }
    Ok(())
}

fn write_configs(layout: &Layout, description: &Description, options: &NetworkOptions) -> Result<()> {
    for node in &description.nodes {
        let text = node_toml(node, description, options);
        durable::create(&layout.node_config(node.validator_id), text.as_bytes(), FileMode::Shared)?;
    }
    let documents = options.documents.then(documents::section).transpose()?;
    for issuer in &description.issuers {
        let text = issuer_toml(issuer, description, options, documents.as_deref());
        durable::create(&layout.issuer_config(issuer.issuer_id), text.as_bytes(), FileMode::Shared)?;
    }
    Ok(())
}

fn write_portal(layout: &Layout, description: &Description, genesis: &Genesis) -> Result<()> {
    let Some(text) = portal_toml(description, &genesis.actions) else { return Ok(()) };
    durable::private_directory(&layout.portal())?;
    durable::create(&layout.portal_config(), text.as_bytes(), FileMode::Shared)?;
    Ok(())
}

#[cfg(test)]
mod tests;
