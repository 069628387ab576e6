//! What a holder hands over: a whole receipt, or what of it is shown. Both carry the same evidence.

use super::kind::{FileKind, kind_of};
use super::presentation::Presentation;
use super::{BatchPart, Bundle, BundleError, StatusPart};
use crate::suite::ChainId;

/// A bundle or a presentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptFile {
    /// The whole receipt.
    Whole(Bundle),
    /// What its holder shows of it.
    Part(Presentation),
}

/// What both carry beside the content.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The chain that the evidence is about.
    pub chain: ChainId,
    /// The bytes of the `SignedRecord`, verbatim.
    pub record: &'a [u8],
    /// The bytes of the `SignedCredential`, verbatim.
    pub credential: &'a [u8],
    /// Where the record stands in its batch.
    pub batch: &'a BatchPart,
    /// Proof file of the batch header's log entry.
    pub anchor: &'a str,
    /// Whether the receipt is in force, as of some later checkpoint.
    pub status: &'a StatusPart,
}

impl ReceiptFile {
    /// Reads the one or the other, by the name of its format; only the canonical spelling is taken.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        match kind_of(bytes) {
            FileKind::Presentation => Presentation::decode(bytes).map(Self::Part),
            FileKind::Bundle | FileKind::OtherBundle { .. } | FileKind::Other(_) => {
                Bundle::decode(bytes).map(Self::Whole)
            }
        }
    }

    /// The canonical bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Whole(bundle) => bundle.encode(),
            Self::Part(presentation) => presentation.encode(),
        }
    }

    /// Everything but the content.
    pub fn evidence(&self) -> Evidence<'_> {
        match self {
            Self::Whole(Bundle { chain, record, credential, batch, anchor, status, .. })
            | Self::Part(Presentation { chain, record, credential, batch, anchor, status, .. }) => {
                Evidence { chain: *chain, record, credential, batch, anchor, status }
            }
        }
    }

    /// The same with other proofs that the ledger has it.
    #[must_use]
    pub fn with_proofs(self, batch: BatchPart, anchor: String, status: StatusPart) -> Self {
        match self {
            Self::Whole(bundle) => Self::Whole(Bundle { batch, anchor, status, ..bundle }),
            Self::Part(presentation) => Self::Part(Presentation { batch, anchor, status, ..presentation }),
        }
    }
}
