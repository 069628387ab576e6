//! What can be wrong with a ledger. `docs/ops/audit.md` says of each code what to do.

use receipt_core::ids::Height;
use serde::Serialize;

macro_rules! finding_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal,)*) => {
        /// What kind of thing is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub enum FindingCode {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $variant,)*
        }

        impl FindingCode {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

finding_codes! {
    /// A height is missing, doubled or out of order.
    HeightOrder = "HEIGHT_ORDER",
    /// A block is not in canonical form.
    BlockForm = "BLOCK_FORM",
    /// The served block hash is not the block's.
    BlockHash = "BLOCK_HASH",
    /// A batch's records do not fit its header.
    Batch = "BATCH",
    /// No quorum of validators decided the block.
    Certificate = "CERTIFICATE",
    /// The ledger's rules refuse the block.
    Refused = "REFUSED",
    /// Executing the block gives another seal.
    Seal = "SEAL",
    /// Executing the block gives other log entries.
    Entries = "ENTRIES",
    /// The validator set changed otherwise than announced.
    Handover = "HANDOVER",
    /// A checkpoint is malformed, of a wrong size, or not under a quorum.
    Checkpoint = "CHECKPOINT",
    /// A quorum cosigned a root that is not the ledger's.
    CheckpointRoot = "CHECKPOINT_ROOT",
    /// The running totals are not the sum of the receipts.
    Totals = "TOTALS",
    /// The trust file in use is not the ledger's.
    Trust = "TRUST",
    /// The auditor's own machine failed.
    NotJudged = "NOT_JUDGED",
}

/// Something that is wrong with the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Height of the block concerned.
    pub height: u64,
    /// The kind of finding.
    pub code: FindingCode,
    /// Particulars.
    pub detail: String,
    /// A signed note that shows it, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl Finding {
    pub(super) fn at(height: Height, code: FindingCode, detail: impl Into<String>) -> Self {
        Self { height: height.get(), code, detail: detail.into(), evidence: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_auditors_page_tells_every_code_and_no_other() {
        let page = include_str!("../../../docs/ops/audit.md");
        let table = page.split("## Findings").nth(1).unwrap_or_default();
        let rows = table.split("\n## ").next().unwrap_or_default().lines();
        let documented: Vec<&str> =
            rows.filter_map(|row| row.strip_prefix("| `")?.split_once('`').map(|(code, _)| code)).collect();
        let codes: Vec<&str> = FindingCode::ALL.iter().map(|code| code.code()).collect();
        assert_eq!(documented, codes);
        for code in FindingCode::ALL {
            assert_eq!(serde_json::to_value(code).ok(), Some(code.code().into()), "the report's spelling");
        }
    }
}
