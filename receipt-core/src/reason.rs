//! Every reason for which Tallystick refuses (or answers specially), with its stable name and number.
//!
//! Integrators match the name, the wire and the ledger carry the number. Neither is ever changed or reused; new ones
//! are added at the end of their group. Not here: the mapping to gRPC and HTTP status codes.

use std::fmt;

macro_rules! reasons {
    ($($variant:ident = $code:literal, $name:literal, $sentence:literal;)*) => {
        /// A stable reason.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $sentence] $variant = $code,)*
        }

        impl Reason {
            /// All reasons, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name, as integrators match it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// One sentence for a person.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// The stable number on the wire and on the ledger; never 0.
            pub const fn code(self) -> u32 {
                self as u32
            }

            /// Reads a stable name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// Reads a stable number.
            pub const fn from_code(code: u32) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

reasons! {
    // What callers of the issuer, the verifier and the admin services meet.
    Replayed = 1, "REPLAYED", "The same request was answered before; this is the same receipt.";
    BizCodeConflict = 2, "BIZ_CODE_CONFLICT", "This biz_code was already used by the unit for other content.";
    InProgress = 3, "IN_PROGRESS", "The same request is being worked on; ask again shortly.";
    NumberExhausted = 4, "NUMBER_EXHAUSTED", "No number is left in the unit's segments for this receipt code.";
    NumberNotOwned = 5, "NUMBER_NOT_OWNED", "The receipt number lies outside every open segment of the unit.";
    NumberUsed = 6, "NUMBER_USED", "The receipt number was used, voided or declared lost before.";
    UnitUnknown = 7, "UNIT_UNKNOWN", "No such unit is registered.";
    UnitSuspended = 8, "UNIT_SUSPENDED", "The unit is suspended and may not issue.";
    KindNotAllowed = 9, "KIND_NOT_ALLOWED", "This kind of receipt is not registered or not attached to the unit.";
    ItemNotAllowed = 10, "ITEM_NOT_ALLOWED", "This item is not attached to the unit and kind.";
    SumMismatch = 11, "SUM_MISMATCH", "Amounts that must add up do not.";
    MedicalSplitMismatch = 12, "MEDICAL_SPLIT_MISMATCH", "Fund, other, account and own payment do not add up to the total.";
    FieldInvalid = 13, "FIELD_INVALID", "A field is missing, malformed or out of its range.";
    PayCodeUnknown = 14, "PAY_CODE_UNKNOWN", "No payment notice with this pay code is known.";
    PayCodeUnpaid = 15, "PAY_CODE_UNPAID", "The payment under this pay code is not confirmed.";
    PaymentReceipted = 16, "PAYMENT_RECEIPTED", "This payment already has a receipt in force.";
    DecisionPaid = 17, "DECISION_PAID", "This penalty decision, or this instalment of it, already has a receipt in force.";
    SignatureInvalid = 18, "SIGNATURE_INVALID", "The signature does not fit the bytes and the registered key.";
    KeyRevoked = 19, "KEY_REVOKED", "The key was not valid at the time of signing.";
    DateOutOfRange = 20, "DATE_OUT_OF_RANGE", "The date or the year of the receipt code does not fit the day of issue.";
    AlreadyReversed = 21, "ALREADY_REVERSED", "The receipt was reversed before; the red receipt is attached.";
    PaperOut = 22, "PAPER_OUT", "The receipt was exchanged to paper, which must come back first.";
    ClaimLive = 23, "CLAIM_LIVE", "A claim against the receipt is reserved or confirmed.";
    ClaimExceeds = 24, "CLAIM_EXCEEDS", "The claims together would exceed the claimable amount.";
    OfflineExpired = 25, "OFFLINE_EXPIRED", "The receipt issued offline was uploaded too late.";
    NotFoundOrMismatch = 26, "NOT_FOUND_OR_MISMATCH", "There is no such receipt, or the given details do not fit it.";
    RateLimited = 27, "RATE_LIMITED", "Too many requests; retry after the stated delay.";
    Overloaded = 28, "OVERLOADED", "The service is at its limit; retry after the stated delay.";
    LedgerUnavailable = 29, "LEDGER_UNAVAILABLE", "The ledger cannot be reached; the receipt stays as it is.";

    // What the ledger decides on records and batches.
    SequenceConflict = 101, "SEQUENCE_CONFLICT", "Another batch header was taken under this sequence.";
    SequenceGap = 102, "SEQUENCE_GAP", "The batch sequence is not the issuer's next one.";
    RootMismatch = 103, "ROOT_MISMATCH", "The records do not hash to the root in the header.";
    CountMismatch = 104, "COUNT_MISMATCH", "The number of records differs from the count in the header.";
    NotCanonical = 105, "NOT_CANONICAL", "The bytes are not the canonical encoding of their content.";
    RecordTooLarge = 106, "RECORD_TOO_LARGE", "A record exceeds its limit in bytes.";
    SegmentUnknown = 107, "SEGMENT_UNKNOWN", "No such number segment is registered.";
    UnitMismatch = 108, "UNIT_MISMATCH", "The units of two things that belong together differ.";
    OriginalUnknown = 109, "ORIGINAL_UNKNOWN", "The original receipt is not known.";
    OriginalIsRed = 110, "ORIGINAL_IS_RED", "The original is itself a reversal.";
    AmountMismatch = 111, "AMOUNT_MISMATCH", "The amounts do not fit those of the original.";
    SuiteUnknown = 112, "SUITE_UNKNOWN", "The cryptographic suite is not the chain's.";
    ChainMismatch = 113, "CHAIN_MISMATCH", "The record was made for another chain.";
    BizCodeUsed = 114, "BIZ_CODE_USED", "The unit's biz_code already stands on the ledger.";
    IssuerUnknown = 115, "ISSUER_UNKNOWN", "No such issuer is registered.";
    EpochFenced = 116, "EPOCH_FENCED", "The issuer's epoch was superseded by a newer journal.";
    BatchTooLarge = 117, "BATCH_TOO_LARGE", "The batch exceeds its limit in records or bytes.";
    TimeInvalid = 118, "TIME_INVALID", "A time is missing, reversed or outside its window.";
    TooEarly = 119, "TOO_EARLY", "The batch's last issue time lies too far ahead for a block of now; it waits.";
    RefusalBudgetSpent = 120, "REFUSAL_BUDGET_SPENT", "Too many bytes of this issuer's batches were refused; this one would be, too, and waits.";
    RecordTypeNotAllowed = 121, "RECORD_TYPE_NOT_ALLOWED", "The submitter is not registered to carry records of this type.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique_and_read_back() {
        for pair in Reason::ALL.windows(2) {
            assert!(pair[0].code() < pair[1].code(), "{} must come after {}", pair[1], pair[0]);
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
            assert!(reason.sentence().ends_with('.'));
            assert!(reason.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
        }
        assert_eq!(Reason::from_code(0), None);
        assert_eq!(Reason::parse("Replayed"), None);
    }

    #[test]
    fn the_numbers_are_frozen() {
        let table: Vec<String> = Reason::ALL.iter().map(|reason| format!("{} {reason}", reason.code())).collect();
        let digest = crate::hash::sha256(&[table.join("\n").as_bytes()]);
        expect_test::expect!["294e7369aceac2de11626427b1587a25234b7f3122d85f3e3baee0e311992ade"]
            .assert_eq(&digest.to_string());
    }
}
