//! What checks are made of, and what they establish on the way.

use super::presented::Presented;
use super::signed::Signed;
use crate::bundle::{BatchPart, ReceiptFile, StatusPart};
use crate::ids::UnixMillis;
use crate::note::PosixSeconds;
use crate::receipt::model::Receipt;
use crate::trust::TrustFile;

/// What the date of a verdict is the date of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateSource {
    /// A checkpoint: the state of the ledger that it covers.
    Checkpoint,
    /// A directory of units: their names and keys.
    Directory,
}

/// As of when a verdict speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    /// In seconds since 1970.
    pub time: PosixSeconds,
    /// What is of then.
    pub source: DateSource,
}

/// What was established on the way.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) as_of: Option<AsOf>,
    pub(super) directory_as_of: Option<PosixSeconds>,
    pub(super) signed: Option<Signed>,
    pub(super) receipt: Option<Receipt>,
    pub(super) presented: Option<Presented>,
    pub(super) signers: Vec<String>,
}

/// What the first layer of a bundle or presentation is judged against.
pub(super) struct Context<'a> {
    pub(super) file: &'a ReceiptFile,
    pub(super) trust: &'a TrustFile,
    /// Nothing may have been signed later than this.
    pub(super) latest: UnixMillis,
}

/// The proofs that the ledger took a record, in a file or in an answer, and what they are judged against.
pub(super) struct Proofs<'a> {
    pub(super) record: &'a [u8],
    pub(super) batch: &'a BatchPart,
    pub(super) anchor: &'a str,
    pub(super) status: &'a StatusPart,
    pub(super) trust: &'a TrustFile,
    /// Nothing may have been signed later than this.
    pub(super) latest: UnixMillis,
    /// A published note has a line by each log key; in a file a line more than a quorum's is one that nobody answers for.
    pub(super) may_have_spare_lines: bool,
}
