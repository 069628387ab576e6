//! The portal: the only process that faces the Internet. It serves the page, and what the page or a plain form asks for.
//!
//! ```text
//! phone ──HTTPS──▶ server (connections, handshakes) ─▶ router (headers, places, rates) ─▶ files, units   the folder of `make page`, the directory of units
//!                                                                                     ├▶ refresh ─mTLS─▶ nodes     proofs
//!                                                                                     └▶ fetch ─mTLS─▶ issuers     receipts; what is told: answers, told, pages
//! ```
//! It holds nothing that lasts: counters, cached answers, and files that wait for minutes, each bounded. It is not believed: what it hands on is judged in the browser.
//! Invariants: nothing about a receipt or a person stands in an address, a log line or a metric; no request, connection or source takes
//! more than its share. Not here: any verdict, any key of the ledger.

pub mod app;
pub mod blame;
pub mod config;

mod answers;
mod coding;
mod downloads;
mod fetch;
mod files;
mod input;
mod issuers;
mod metrics;
mod nodes;
mod pages;
mod rates;
mod refresh;
mod reply;
mod router;
mod server;
mod told;
mod units;
