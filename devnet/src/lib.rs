//! Launches whole Tallystick networks: for the demo, for end-to-end tests, for the load generator.
//!
//! ```text
//! NetworkOptions ──generate──▶ directory (genesis, keys, certificates, configs) ──Network::start──▶ real processes
//!                                                                                     │
//!                        callers with their certificates (gRPC over mTLS) ◀───────────┘
//! ```
//! It links neither node nor issuer: it runs their programs and speaks their public API. Everything generated is for
//! development; nothing of it belongs on a machine that issues real receipts. Errors are `anyhow`: a person reads them,
//! nothing matches on them.

pub mod binaries;
pub mod callers;
pub mod clients;
pub mod description;
pub mod documents;
pub mod figures;
pub mod generate;
pub mod generate_receipts;
pub mod governance;
pub mod issuing;
pub mod layout;
pub mod logs;
pub mod midnight;
pub mod network;
pub mod options;
pub mod outcomes;
pub mod pki;
pub mod ports;
pub mod process;
pub mod random;
pub mod registry;
pub mod secrets;

mod configs;

pub use callers::Caller;
pub use network::Network;
pub use options::NetworkOptions;
