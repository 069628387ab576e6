//! Loads a development network through its public gRPC API and measures what comes of it.
//!
//! ```text
//! supply (drafts) ──▶ load (open or closed, mTLS) ──▶ issuer ──▶ validators
//!                        │ acknowledged at             │ Watch
//!                        └────────▶ tracker ◀──────────┘ sealed at
//! processes (/proc, /metrics) ─┐
//! floor (micro-measurements) ──┼──▶ report (JSON and table)
//! machine (/proc) ─────────────┘
//! ```
//! `fill` fills a store in this process, without a network. `wan` puts delay proxies between the validators first, and measures how
//! long a seal takes then. `page` opens the verify page in a browser.
//!
//! All parts of the network are real processes with fsync on, and all run on the machine that also makes the load, so the
//! generator's own CPU is measured beside theirs. Figures come with their conditions; nothing here fails because a figure
//! is bad. Errors are `anyhow`: a person reads them.

pub mod browser;
pub mod clock;
pub mod delay;
pub mod endurance;
pub mod erase;
pub mod failover;
pub mod figures;
pub mod fill;
pub mod floor;
pub mod frames;
pub mod load;
pub mod machine;
pub mod measure;
pub mod offline;
pub mod page;
pub mod probe;
pub mod processes;
pub mod replay;
pub mod report;
pub mod slope;
pub mod standard;
pub mod supply;
pub mod tracker;
pub mod verify;
pub mod wan;
mod written;
