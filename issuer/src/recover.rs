//! `tallystick-issuer recover`: what recovery means for receipts.
//!
//! The way itself is [`tallystick_anchoring::recover`]. Here are the command, the receipts that are learnt from the ledger, and the
//! governance that leases new numbers after the fence. No number of a segment leased before it is given out again (`owner`).

pub mod command;
pub mod plan;

#[cfg(test)]
mod tests;
