//! `network.json`: what was generated, for people and for programs that attach to a running network.
//!
//! Not here: secrets. A key that this build does not know is refused.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tallystick_service::durable::{self, FileMode};

use crate::layout::Layout;

const DESCRIPTION_BYTES_MAX: usize = 1024 * 1024;

/// A generated network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The chain's name.
    pub chain_name: String,
    /// Hash of genesis, hexadecimal.
    pub chain_id: String,
    /// Origin of the checkpoints.
    pub origin: String,
    /// The chain's UTC offset in minutes.
    pub utc_offset_minutes: i32,
    /// Last two digits of the year in receipt codes.
    pub year_digits: u32,
    /// Hospitals that exist for volume.
    pub load_hospital_count: usize,
    /// Validators, by number from 1.
    pub nodes: Vec<NodeAddresses>,
    /// Issuers, by number from 1.
    pub issuers: Vec<IssuerAddresses>,
    /// The portal; absent in networks of before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal: Option<PortalAddresses>,
}

/// The addresses of a validator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeAddresses {
    /// Its registry number.
    pub validator_id: u32,
    /// gRPC over mTLS.
    pub grpc: SocketAddr,
    /// Checkpoint and tiles over HTTP.
    pub http: SocketAddr,
    /// Metrics and readiness over HTTP.
    pub metrics: SocketAddr,
}

/// The addresses of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerAddresses {
    /// Its registry number.
    pub issuer_id: u32,
    /// gRPC over mTLS.
    pub grpc: SocketAddr,
    /// Metrics and readiness over HTTP.
    pub metrics: SocketAddr,
}

/// The addresses of the portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalAddresses {
    /// For everybody.
    pub https: SocketAddr,
    /// Metrics and readiness over HTTP.
    pub metrics: SocketAddr,
}

impl Description {
    /// Writes `network.json`; refuses to replace one.
    pub fn write(&self, layout: &Layout) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("write the description")?;
        durable::create(&layout.description(), text.as_bytes(), FileMode::Shared)?;
        Ok(())
    }

    /// Reads `network.json`.
    pub fn read(layout: &Layout) -> Result<Self> {
        let path = layout.description();
        let bytes = durable::read(&path, DESCRIPTION_BYTES_MAX)?;
        serde_json::from_slice(&bytes).with_context(|| format!("read {}", path.display()))
    }
}
