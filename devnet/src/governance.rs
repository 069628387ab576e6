//! Governance of a development network: signs a message with the authorities' keys, and hands it to the validators.
//!
//! The message comes ready-made, as `tallystick-issuer recover --plan` writes it. All authorities' keys lie in one directory here;
//! in earnest each authority signs at home, with `tallystick-authority`, whose library does the work here, too. Not here: what
//! the message says.

use anyhow::{Context as _, Result};
use receipt_core::governance::{Governance, SignedGovernance};
use tallystick_authority::nodes::Nodes;
use tallystick_authority::submit::offer;
use tallystick_authority::{Chain, Proposal, keys};
use tallystick_service::tls::TlsFiles;

use crate::callers::Caller;
use crate::clients;
use crate::description::Description;
use crate::layout::Layout;

/// Signs canonical message bytes with as many authorities as the chain asks for.
pub fn sign(layout: &Layout, message: &[u8]) -> Result<SignedGovernance> {
    let chain = Chain::load(&layout.genesis())?;
    let governance = Governance::decode(message).context("the file is no governance message")?;
    let mut proposal = Proposal::new(&chain, Some(governance), Vec::new(), 0)?;
    let passphrase_file = layout.authorities().join("passphrase");
    for index in 0..chain.genesis.authority_threshold {
        proposal.sign(&chain, &keys::open(&layout.authority_key(index), &passphrase_file)?)?;
    }
    proposal.signed_governance(&chain)?.context("the message is empty")
}

/// Offers a signed message to one validator after the other until one takes it, as the operator. It passes it on; whether it is
/// decided shows in the registry.
pub async fn submit(layout: &Layout, message: &SignedGovernance) -> Result<()> {
    let chain = Chain::load(&layout.genesis())?;
    let addresses: Vec<String> = Description::read(layout)?.nodes.iter().map(|node| node.grpc.to_string()).collect();
    let operator = clients::certificate_files(layout, Caller::Operator);
    let (certificate_chain, private_key) = (operator.cert, operator.key);
    let files = TlsFiles { certificate_chain, private_key, authorities: layout.ca().cert };
    offer(&Nodes::new(&chain, &addresses, files)?, &chain, message).await?;
    Ok(())
}
