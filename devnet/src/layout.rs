//! Where everything lies in a network's directory.
//!
//! ```text
//! DIR/
//!   network.json               what was generated: numbers, names, addresses
//!   genesis.bin  trust.txt    the chain's beginning, and what a verifier trusts
//!   directory.bin              the directory of units after genesis, signed: for codes on paper
//!   ca.pem  ca.key             authority of all certificates
//!   authorities/               authority-1.key …, passphrase
//!   clients/                   NAME.pem, NAME.key of every caller (systems, auditor, operator, …)
//!   node-1/ … node-4/          node.toml, keys/, tls/, guard/; the node adds data/ and wal/
//!   issuer-1/                  issuer.toml, keys/, tls/, credentials/; the issuer adds its journal
//!   portal/                    portal.toml, page/ (what `tallystick-page` writes)
//!   logs/                      one file per process, appended over restarts
//! ```
//! Not here: any content.

use std::path::{Path, PathBuf};

/// A certificate chain and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Paths of a network directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the network in the directory `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Addresses and numbers of all parties (`network.json`).
    pub fn description(&self) -> PathBuf {
        self.root.join("network.json")
    }

    /// The genesis file.
    pub fn genesis(&self) -> PathBuf {
        self.root.join("genesis.bin")
    }

    /// The trust file for verifiers.
    pub fn trust(&self) -> PathBuf {
        self.root.join("trust.txt")
    }

    /// The directory of units, as the authorities signed it after genesis.
    pub fn directory(&self) -> PathBuf {
        self.root.join("directory.bin")
    }

    /// Certificate and key of the certificate authority.
    pub fn ca(&self) -> CertificateFiles {
        CertificateFiles { cert: self.root.join("ca.pem"), key: self.root.join("ca.key") }
    }

    /// Directory of the authorities' keys.
    pub fn authorities(&self) -> PathBuf {
        self.root.join("authorities")
    }

    /// Key file of an authority, by its index in genesis.
    pub fn authority_key(&self, index: u32) -> PathBuf {
        self.authorities().join(format!("authority-{}.key", index + 1))
    }

    /// Certificate and key of a caller.
    pub fn client(&self, name: &str) -> CertificateFiles {
        let clients = self.root.join("clients");
        CertificateFiles { cert: clients.join(format!("{name}.pem")), key: clients.join(format!("{name}.key")) }
    }

    /// Directory of a validator.
    pub fn node(&self, validator_id: u32) -> PathBuf {
        self.root.join(format!("node-{validator_id}"))
    }

    /// Config of a validator.
    pub fn node_config(&self, validator_id: u32) -> PathBuf {
        self.node(validator_id).join("node.toml")
    }

    /// Directory of an issuer.
    pub fn issuer(&self, issuer_id: u32) -> PathBuf {
        self.root.join(format!("issuer-{issuer_id}"))
    }

    /// Config of an issuer.
    pub fn issuer_config(&self, issuer_id: u32) -> PathBuf {
        self.issuer(issuer_id).join("issuer.toml")
    }

    /// Directory of the portal.
    pub fn portal(&self) -> PathBuf {
        self.root.join("portal")
    }

    /// Config of the portal.
    pub fn portal_config(&self) -> PathBuf {
        self.portal().join("portal.toml")
    }

    /// The page that the portal serves.
    pub fn page(&self) -> PathBuf {
        self.portal().join("page")
    }

    /// Directory of the processes' logs.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Log of a process, by its name such as `node-1`.
    pub fn log(&self, process: &str) -> PathBuf {
        self.logs().join(format!("{process}.log"))
    }
}
