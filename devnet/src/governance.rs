//! Governance of a development network: signs a message with the authorities' keys, and hands it to the validators.
//!
//! The message comes ready-made, as `tallystick-issuer recover --plan` writes it. All authorities' keys lie in one directory here;
//! in earnest each authority reads the message and signs it at home. Not here: what the message says.

use anyhow::{Context as _, Result, bail, ensure};
use receipt_core::genesis::Genesis;
use receipt_core::governance::{Governance, SignedGovernance};
use receipt_core::suite::{Signer, SoftwareKey};
use tallystick_proto::admin::v1::SubmitGovernanceRequest;
use tallystick_proto::admin::v1::admin_service_client::AdminServiceClient;
use tallystick_service::durable;
use tallystick_service::keyfile::{self, KeyKind, Passphrase};

use crate::callers::Caller;
use crate::clients;
use crate::description::Description;
use crate::layout::Layout;

const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Signs canonical message bytes with as many authorities as the chain asks for.
pub fn sign(layout: &Layout, message: &[u8]) -> Result<SignedGovernance> {
    let governance = Governance::decode(message).context("the file is no governance message")?;
    let genesis = durable::read(&layout.genesis(), GENESIS_BYTES_MAX)?;
    let genesis = Genesis::decode(&genesis).context("read the genesis file")?;
    ensure!(governance.suite == genesis.suite, "the message is of another suite than the chain");
    let passphrase = Passphrase::from_file(&layout.authorities().join("passphrase"))?;
    let key = |index: u32| -> Result<(u32, SoftwareKey)> {
        let seed = keyfile::open(&layout.authority_key(index), &passphrase, KeyKind::Ed25519Seed)?;
        Ok((index, SoftwareKey::from_seed(&seed)))
    };
    let keys = (0..genesis.authority_threshold).map(key).collect::<Result<Vec<_>>>()?;
    let signers: Vec<(u32, &dyn Signer)> = keys.iter().map(|(index, key)| (*index, key as &dyn Signer)).collect();
    Ok(SignedGovernance::sign(governance, genesis.chain_id(), &signers))
}

/// Offers a signed message to one validator after the other until one takes it, as the operator. It passes it on; whether it is
/// decided shows in the registry.
pub async fn submit(layout: &Layout, message: &SignedGovernance) -> Result<()> {
    let mut problems = Vec::new();
    for node in &Description::read(layout)?.nodes {
        let endpoint = clients::endpoint(layout, node.grpc, Caller::Operator)?;
        let request = SubmitGovernanceRequest { signed_governance: message.encode().into() };
        let offered = match endpoint.connect().await {
            Ok(channel) => {
                AdminServiceClient::new(channel).submit_governance(request).await.map_err(|status| status.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match offered {
            Ok(_) => return Ok(()),
            Err(problem) => problems.push(format!("node-{}: {problem}", node.validator_id)),
        }
    }
    bail!("no validator took governance message {}: {}", message.governance.sequence, problems.join("; "))
}
