//! What a holder hands over: a whole receipt, or what of it is shown. Both carry the same evidence.

use super::kind::{FileKind, kind_of};
use super::parts::Evidence;
use super::presentation::Presentation;
use super::{BatchPart, Bundle, BundleError, StatusPart};

/// A bundle or a presentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptFile {
    /// The whole receipt.
    Whole(Bundle),
    /// What its holder shows of it.
    Part(Presentation),
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
            Self::Whole(bundle) => bundle.evidence(),
            Self::Part(presentation) => presentation.evidence(),
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
