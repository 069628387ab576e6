//! The TOML files of the processes, with paths relative to each file.
//!
//! They are written as text, not serialised: people read and change them. The processes refuse unknown keys, so a test of
//! each process's config type against these texts would be a second opinion on nothing; starting the network is the test.

use std::fmt::Write as _;

use receipt_core::governance::Action;

use crate::description::{Description, IssuerAddresses, NodeAddresses, PortalAddresses};
use crate::documents;
use crate::options::NetworkOptions;
use crate::registry::key_id;

/// Free bytes below which the processes stop accepting; development machines are small.
const DISK_FREE_BYTES_MIN: u64 = 128 * 1024 * 1024;

/// `node.toml` of one validator.
pub(crate) fn node_toml(node: &NodeAddresses, network: &Description, options: &NetworkOptions) -> String {
    let NodeAddresses { validator_id, grpc, http, metrics } = node;
    let mut text = format!(
        r#"validator_id = {validator_id}
data_dir     = "data"
wal_dir      = "wal"
guard_file   = "guard/guard.bin"
genesis_file = "../genesis.bin"
disk_low_water_bytes = {DISK_FREE_BYTES_MIN}

[keys]
consensus       = "keys/consensus.key"
log             = "keys/log.key"
cosigner        = "keys/cosigner.key"
passphrase_file = "keys/passphrase"

[listen]
grpc    = "{grpc}"
http    = "{http}"
metrics = "{metrics}"

[tls]
certificate_chain = "tls/node.pem"
private_key       = "tls/node.key"
authorities       = "../ca.pem"
"#
    );
    for peer in network.nodes.iter().filter(|peer| *peer != node) {
        let NodeAddresses { validator_id, grpc, .. } = peer;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            r#"
[[peers]]
validator_id = {validator_id}
grpc         = "{grpc}"
"#
        );
    }
    let NetworkOptions { propose_timeout_ms, vote_timeout_ms, cosign_interval_ms, .. } = options;
    let _ = write!(
        text,
        r"
[consensus]
propose_timeout_ms = {propose_timeout_ms}
vote_timeout_ms    = {vote_timeout_ms}
cosign_interval_ms = {cosign_interval_ms}
"
    );
    text
}

/// `issuer.toml` of one issuer. Each tries the validators in an order of its own. `documents` is its section of that name, if it has one.
pub(crate) fn issuer_toml(
    issuer: &IssuerAddresses,
    network: &Description,
    options: &NetworkOptions,
    documents: Option<&str>,
) -> String {
    let IssuerAddresses { issuer_id, grpc, metrics } = issuer;
    let issuer_key_id = key_id(*issuer_id, 0);
    let mut text = format!(
        r#"issuer_id       = {issuer_id}
journal_dir     = "journal"
genesis_file    = "../genesis.bin"
trust_file      = "../trust.txt"
credentials_dir = "credentials"
{memory}
[keys]
passphrase_file      = "keys/passphrase"
issuer_key_id        = {issuer_key_id}
issuer_key_file      = "keys/issuer.key"
unit_keys_dir        = "keys/units"
master_key_file      = "keys/master.key"
blinding_secret_file = "keys/blinding.key"
blinding_epoch       = 1

[tls]
certificate_chain = "tls/issuer.pem"
private_key       = "tls/issuer.key"
authorities       = "../ca.pem"

[listen]
grpc    = "{grpc}"
metrics = "{metrics}"

[batch]
age_ms = {batch_age_ms}

[issue]
disk_free_bytes_min = {DISK_FREE_BYTES_MIN}
"#,
        batch_age_ms = options.batch_age_ms,
        memory =
            documents.map_or_else(String::new, |_| format!("memory_bytes_max = {}\n", documents::MEMORY_BYTES_MAX)),
    );
    text.extend(documents);
    let first = usize::try_from(*issuer_id).unwrap_or(1).saturating_sub(1) % network.nodes.len().max(1);
    let (before, from_first) = network.nodes.split_at(first);
    for node in from_first.iter().chain(before) {
        let NodeAddresses { validator_id, grpc, .. } = node;
        let _ = write!(text, "\n[[nodes]]\nauthority = \"{grpc}\"\nvalidator_id = {validator_id}\n");
    }
    text
}

/// `portal.toml`: every validator and issuer, and whose number is whose. Browsers and nodes are shown one certificate, of the network's own
/// authority. `None`: the network has no portal.
pub(crate) fn portal_toml(network: &Description, actions: &[Action]) -> Option<String> {
    let PortalAddresses { https, metrics } = network.portal.as_ref()?;
    let mut text = format!(
        r#"portal_id  = 1
trust_file = "../trust.txt"
page_dir   = "page"
directory_file = "../directory.bin"

[listen]
https   = "{https}"
metrics = "{metrics}"

[public_tls]
certificate_chain = "../clients/portal.pem"
private_key       = "../clients/portal.key"

[tls]
certificate_chain = "../clients/portal.pem"
private_key       = "../clients/portal.key"
authorities       = "../ca.pem"
"#
    );
    for NodeAddresses { validator_id, grpc, .. } in &network.nodes {
        let _ = write!(text, "\n[[nodes]]\nauthority = \"{grpc}\"\nvalidator_id = {validator_id}\n");
    }
    for IssuerAddresses { issuer_id, grpc, .. } in &network.issuers {
        // Every unit of a development network is at every issuer.
        let _ =
            write!(text, "\n[[issuers]]\nissuer_id = {issuer_id}\nauthority = \"{grpc}\"\nunit_prefixes = [\"\"]\n");
    }
    for action in actions {
        if let Action::AllocateSegment(segment) = action {
            let (code, issuer_id) = (segment.receipt_code, segment.issuer_id);
            let (first, last) = (segment.first_number, segment.last_number);
            let _ = write!(
                text,
                "\n[[segments]]\ncode_prefix = \"{code:08}\"\nfirst_number = {first}\nlast_number = {last}\nissuer_id = {issuer_id}\n"
            );
        }
    }
    Some(text)
}
