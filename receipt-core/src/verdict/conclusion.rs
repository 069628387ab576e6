//! What a judgement comes to.

use super::layer::Layer;
use super::sentences::{CheckId, Finding};
use super::value::Parameters;
use crate::bundle::FileSort;
use crate::code::CodeError;
use crate::ids::{ReceiptKey, UnixMillis};
use crate::note::PosixSeconds;
use crate::reason::Reason;

/// What it all amounts to. Its code, words and advice: `Verdict::finding`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// Genuine, anchored, and plainly in force as of that time.
    InForce {
        /// The quorum's time that the status is proved for, in seconds since 1970.
        as_of: PosixSeconds,
    },
    /// The same, and that time lies further back than the asker allows.
    TooOld {
        /// The quorum's time that the status is proved for, in seconds since 1970.
        as_of: PosixSeconds,
        /// How old it may be, in seconds.
        age_seconds_max: u64,
    },
    /// Genuine and anchored, but 冲红 by a red receipt.
    Reversed {
        /// The red receipt.
        by: ReceiptKey,
        /// The quorum's time that the status is proved for, in seconds since 1970.
        as_of: PosixSeconds,
    },
    /// Signed by the unit, and not on the ledger yet, by the word of whoever was asked; the promised time has not passed.
    Pending {
        /// The time by which it is to be anchored.
        seal_by: UnixMillis,
    },
    /// The same, and the promised time has passed.
    Overdue {
        /// The time by which it was to be anchored.
        seal_by: UnixMillis,
    },
    /// A report says so of it, with a checkpoint from after the promised time; that the ledger does not have it is the reporter's word.
    LeftOut {
        /// The time by which it was to be anchored.
        seal_by: UnixMillis,
    },
    /// Signed by the unit; the ledger was not asked.
    Unchecked,
    /// Signed by the unit, and refused by the ledger.
    Refused {
        /// Why.
        reason: Reason,
        /// The receipt that the unit issued in its place, by the word of whoever answers.
        replaced_by: Option<ReceiptKey>,
    },
    /// It may be good, and this program, trust file or directory does not know enough to say.
    Unjudged(Unjudged),
    /// The file is something else than a bundle.
    NoReceipt {
        /// What it seems to be.
        seems: FileSort,
    },
    /// The text is not the code of a receipt on this page.
    NoCode(CodeError),
    /// Something does not hold.
    Invalid(Failure),
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The check that did not hold.
    pub check: CheckId,
    /// What its sentence and the finding's name.
    pub parameters: Parameters,
    /// Particulars, without personal values.
    pub detail: String,
}

impl Failure {
    /// The stable code of the check.
    pub const fn code(&self) -> &'static str {
        self.check.code()
    }

    /// The layer that failed.
    pub const fn layer(&self) -> Layer {
        self.check.layer()
    }
}

/// What this program, trust file or directory lacks in order to judge something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The trust file of another chain.
    OtherChain,
    /// A directory of units that has the key.
    KeyUnknown,
    /// A clock that goes right: the directory of units is of a later time.
    DirectoryAhead,
    /// A proof that the ledger took the record: the key that signed it is revoked.
    KeyRevoked,
    /// A younger directory of units: the asker allows none that is so old.
    DirectoryOld,
    /// A program that knows the format.
    FormatUnknown,
    /// A trust file that knows the validators.
    ValidatorsUnknown,
    /// A trust file that knows the authorities.
    AuthoritiesUnknown,
    /// A program that knows the status.
    StatusUnknown,
    /// An answer of the ledger that holds.
    AnswerFalse,
}

impl Doubt {
    /// What the verdict comes to.
    pub const fn finding(self) -> Finding {
        match self {
            Self::OtherChain => Finding::OtherChain,
            Self::KeyUnknown => Finding::KeyUnknown,
            Self::DirectoryAhead => Finding::DirectoryAhead,
            Self::KeyRevoked => Finding::KeyRevoked,
            Self::DirectoryOld => Finding::DirectoryOld,
            Self::FormatUnknown => Finding::FormatUnknown,
            Self::ValidatorsUnknown => Finding::ValidatorsUnknown,
            Self::AuthoritiesUnknown => Finding::AuthoritiesUnknown,
            Self::StatusUnknown => Finding::StatusUnknown,
            Self::AnswerFalse => Finding::AnswerFalse,
        }
    }
}

/// Why what may be good cannot be judged here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjudged {
    /// What is lacking.
    pub doubt: Doubt,
    /// What the finding's sentence names.
    pub parameters: Parameters,
    /// Particulars, without personal values.
    pub detail: String,
}
