//! V25: no personal data in an anchored record.
//!
//! Two independent checks. By shape: a record consists of integers and of byte strings of a cryptographic length (keyed
//! hashes, roots, signatures), never of text. By content: no text of the receipt occurs in the record's bytes.

use super::{Findings, RuleId, Violation};
use crate::receipt::layout::{BodyError, position_name, to_values};
use crate::receipt::model::Receipt;

/// Lengths that only keyed hashes (16), hashes and keys (32) and signatures (64) have.
const OPAQUE_BYTES: [usize; 3] = [16, 32, 64];
/// Shorter texts may occur in random bytes by chance.
const TEXT_BYTES_MIN: usize = 6;

/// A field of a record, as it will be anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnchoredField<'a> {
    /// Its name in the record's specification.
    pub name: &'static str,
    /// Its value.
    pub value: AnchoredValue<'a>,
}

/// The two shapes an anchored value may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchoredValue<'a> {
    /// A count, time, registry id or amount.
    Integer,
    /// A hash, keyed hash, key or signature.
    Bytes(&'a [u8]),
}

/// Judges the shapes of a record's fields.
pub fn check_anchored(fields: &[AnchoredField<'_>]) -> Result<(), Vec<Violation>> {
    let mut findings = Findings::default();
    for field in fields {
        let AnchoredValue::Bytes(bytes) = field.value else { continue };
        if !OPAQUE_BYTES.contains(&bytes.len()) {
            findings.invalid(RuleId::V25, field.name, "is neither a hash nor a key nor a signature");
        } else if bytes.iter().all(|byte| byte.is_ascii_graphic()) {
            findings.invalid(RuleId::V25, field.name, "is text");
        }
    }
    findings.into_result()
}

/// The names of the receipt's values that occur verbatim in `record`; empty for a record that keeps V25. For issuers,
/// tests and audits with bodies; fails if the receipt has no body.
pub fn leaked_fields(record: &[u8], receipt: &Receipt) -> Result<Vec<String>, BodyError> {
    let values = to_values(receipt)?;
    let category = receipt.draft.receipt_code.category();
    let item_count = u32::try_from(receipt.draft.items.len()).map_err(|_| BodyError::TooManyRows)?;
    let leaked = values.iter().zip(0..).filter(|(value, _)| {
        value.len() >= TEXT_BYTES_MIN && record.windows(value.len()).any(|window| window == value.as_bytes())
    });
    Ok(leaked.map(|(_, position)| position_name(category, item_count, position)).collect())
}
