//! What a process may hold in memory, and how its RocksDB is set up so that it stays within that.
//!
//! ```text
//! memory_bytes_max  =  parts with bounds of their own (requests, pool, …)  +  the store's share
//! store's share     =  one cache: write buffers are charged to it, blocks, indexes, filters and large values live in it
//! ```
//! One budget and one cache for a whole process: a cache and write buffers for each column family add up to gigabytes without
//! anybody having asked for them. Not here: which families a store has, and what is in them; those are the stores' own.

pub mod budget;
pub mod figures;
pub mod setup;
mod threads;

#[cfg(test)]
mod tests;

pub use budget::{MemoryBudget, Part, StoreShare};
pub use figures::StoreFigures;
pub use setup::{Access, StoreSetup};
