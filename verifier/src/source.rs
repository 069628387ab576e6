//! Where an auditor's blocks come from: an export, or a node's read API. Either may lie; the replay judges.

use std::path::PathBuf;

use receipt_core::suite::ChainId;

use crate::export::{self, ExportReadError};
use crate::node::{NodeAddress, NodeError};
use crate::sink::{Detail, Sink};

/// A source of decided blocks, ascending from genesis.
#[derive(Debug, Clone)]
pub enum Source {
    /// An export file, or a directory of them in the order of their names.
    Export(PathBuf),
    /// A node.
    Node(NodeAddress),
}

/// Why a source stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The export cannot be read.
    #[error(transparent)]
    Export(#[from] ExportReadError),
    /// The node cannot be read.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The source ended before the height that it had announced.
    #[error("the source announced height {announced} and ended before it")]
    EndedEarly {
        /// The announced height.
        announced: u64,
    },
    /// It is the ledger of another chain: nothing of it can be judged here.
    #[error("it is of the chain {given}, and what was given to judge it is of the chain {expected}", given = given.0, expected = expected.0)]
    OtherChain {
        /// The chain that the source is of.
        given: ChainId,
        /// The chain of the caller's trust file or genesis.
        expected: ChainId,
    },
    /// The reading thread came to no end of its own.
    #[error("the reader failed")]
    Reader,
}

impl Source {
    /// Reads all there is, in order, until the source ends or the sink stops.
    pub fn read(&self, detail: Detail, sink: &mut dyn Sink) -> Result<(), SourceError> {
        match self {
            Self::Export(path) => export::read(path, sink)?,
            Self::Node(address) => crate::node::stream_blocks(address, detail, sink)?,
        }
        Ok(())
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Export(path) => write!(f, "export {}", path.display()),
            Self::Node(address) => write!(f, "node {}", address.authority),
        }
    }
}
