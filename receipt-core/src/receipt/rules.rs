//! The fiscal rules that need nothing but the receipt itself, today's date, a catalogue and, for a linked one, its
//! original. One file per group; every violation is collected, none hides another.
//!
//! ```text
//! form      V01 V04 V05 V13 and all counts and sizes          identity  V06 V07 V24
//! texts     V27                                               money     V08 V09 V10 V11
//! links     V14 V15 V19 V20 V23 V30 (what content can show)   ranges    V26
//! dates     of care, decisions, gifts, confirmations          anchored  V25
//! ```
//! What each field may be, absent, negative, in the future, of another category or too long: the table in docs/spec/rules.md.
//! Not here: rules on the ledger's state (numbers, uniqueness, states), payments and claims.
//!
//! Invariants: no clock; sums are made in 128 bits, so that no amount can overflow one; a message names no personal value.

mod anchored;
mod dates;
mod form;
mod identity;
mod links;
mod money;
mod ranges;
mod texts;

use std::fmt;

pub use anchored::{AnchoredField, AnchoredValue, check_anchored, leaked_fields};

use crate::ids::{ReceiptCode, UnixMillis};
use crate::reason::Reason;
use crate::receipt::field::text_enum;
use crate::receipt::model::{Receipt, ReceiptDraft};

/// Ways to pay that one receipt may list: more than any till offers.
pub const PAYMENTS_MAX: usize = 16;
/// Relations of a receipt: one original and up to sixteen payments.
pub const RELATED_MAX: usize = 17;
/// Regional fields of a receipt.
pub const OTHER_INFO_MAX: usize = 50;
/// Characters of a code, a unit of measure, a person's function: longer ones are not codes.
pub const CODE_CHARS_MAX: usize = 50;
/// Characters of a name or title; foreign names and long item names fit.
pub const NAME_CHARS_MAX: usize = 200;
/// Characters of a regional field's value.
pub const OTHER_VALUE_CHARS_MAX: usize = 500;
/// A receipt issued offline is uploaded within 24 hours (V05).
pub const OFFLINE_AGE_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// Last year's receipt codes may be used through January (V04): tills change over in the first days of a year.
pub const NEW_YEAR_GRACE_DAYS: i64 = 31;

text_enum! {
    /// A numbered rule of the domain; `FORM` and `LIMIT` are those without a number.
    pub enum RuleId: "rule" {
        /// Code 8 digits, kind registered.
        V01 = "V01",
        /// Number in an open segment of the unit.
        V02 = "V02",
        /// (code, number) unique.
        V03 = "V03",
        /// Year digits = year of issue.
        V04 = "V04",
        /// Issue date = today; offline receipts within 24 hours.
        V05 = "V05",
        /// 统一社会信用代码 check character.
        V06 = "V06",
        /// Resident-ID check digit.
        V07 = "V07",
        /// Σ items = total, Σ payments = total.
        V08 = "V08",
        /// Quantity × standard = amount.
        V09 = "V09",
        /// 清单 tolerance.
        V10 = "V10",
        /// Medical four-way split.
        V11 = "V11",
        /// Item attached to unit and kind.
        V13 = "V13",
        /// Direct non-tax: confirmed payment.
        V14 = "V14",
        /// Fine: decision number.
        V15 = "V15",
        /// Kind allowed for the unit.
        V16 = "V16",
        /// Unit key valid at the time.
        V17 = "V17",
        /// Signature over the received bytes.
        V18 = "V18",
        /// Red: the original's exact negative.
        V19 = "V19",
        /// Re-issue below its original, linked.
        V20 = "V20",
        /// Paper number free.
        V21 = "V21",
        /// Σ claims ≤ claimable.
        V22 = "V22",
        /// Gift in kind: valuation basis.
        V23 = "V23",
        /// Anonymous: no payer code.
        V24 = "V24",
        /// No personal data in an anchored record.
        V25 = "V25",
        /// Amount range and sign.
        V26 = "V26",
        /// Text fields.
        V27 = "V27",
        /// Closed segment fully accounted for.
        V29 = "V29",
        /// Reversal of non-tax names a refund or a re-issue.
        V30 = "V30",
        /// A field's own form, where no numbered rule speaks of it.
        Form = "FORM",
        /// A limit of the system.
        Limit = "LIMIT",
    }
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule that is broken.
    pub rule: RuleId,
    /// The stable reason that the caller is given.
    pub reason: Reason,
    /// Where, as a path: `items[2].amount`.
    pub field: String,
    /// A sentence for a person, without personal values.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}: {}", self.rule, self.reason, self.field, self.message)
    }
}

/// Which kinds are registered and which items a unit may charge under them. Kinds and items are data: they are loaded
/// or registered, and differ by province.
pub trait Catalogue {
    /// Whether region, category and kind of this code are registered (V01); its year is V04's.
    fn kind_is_registered(&self, code: ReceiptCode) -> bool;

    /// Whether the unit may charge this item on receipts of this code (V13).
    fn item_is_attached(&self, unit_code: &str, code: ReceiptCode, item_code: &str) -> bool;

    /// The registered title (票据名称) of this code's kind; `None` where titles are not at hand, or are not those of the time of
    /// issue: then V01 judges none.
    fn title(&self, _code: ReceiptCode) -> Option<&str> {
        None
    }

    /// The registered name of an item of the unit; `None` where names are not at hand, as for `title`: then V13 judges none.
    fn item_name(&self, _unit_code: &str, _code: ReceiptCode, _item_code: &str) -> Option<&str> {
        None
    }
}

/// What a draft is judged against.
#[derive(Clone, Copy)]
pub struct RuleContext<'a> {
    /// The issuer's time.
    pub now: UnixMillis,
    /// When an offline device issued it; `None` for a receipt issued now.
    pub offline_issue_time: Option<UnixMillis>,
    /// The chain's UTC offset, for the local date.
    pub utc_offset_minutes: i32,
    /// Days of a new year on which last year's codes still pass; [`NEW_YEAR_GRACE_DAYS`] unless the authority decides otherwise.
    pub new_year_grace_days: i64,
    /// Kinds and items.
    pub catalogue: &'a dyn Catalogue,
    /// The receipt that a reversal or a re-issue names, if it is known.
    pub original: Option<&'a Receipt>,
}

/// Collects violations.
#[derive(Default)]
struct Findings {
    violations: Vec<Violation>,
}

impl Findings {
    fn add(&mut self, rule: RuleId, reason: Reason, field: impl Into<String>, message: impl Into<String>) {
        self.violations.push(Violation { rule, reason, field: field.into(), message: message.into() });
    }

    fn invalid(&mut self, rule: RuleId, field: impl Into<String>, message: impl Into<String>) {
        self.add(rule, Reason::FieldInvalid, field, message);
    }

    fn into_result(self) -> Result<(), Vec<Violation>> {
        if self.violations.is_empty() { Ok(()) } else { Err(self.violations) }
    }
}

/// Judges a draft before it is issued: all rules of this module but V25.
pub fn check_draft(draft: &ReceiptDraft, context: &RuleContext<'_>) -> Result<(), Vec<Violation>> {
    let mut findings = Findings::default();
    form::check_limits(draft, &mut findings);
    form::check_codes(draft, &mut findings);
    form::check_kind(draft, context.catalogue, &mut findings);
    form::check_dates(draft, context, &mut findings);
    check_content(draft, context.catalogue, &mut findings);
    ranges::check(draft, &mut findings);
    dates::check_confirmed(draft, context.utc_offset_minutes, &mut findings);
    links::check_relations(draft, &mut findings);
    links::check_original(draft, context.original, &mut findings);
    findings.into_result()
}

/// Judges a receipt wherever its body is at hand (holder, audit): V06 to V11, V13, V23, V24, V27, and the days it states.
pub fn check_body(receipt: &Receipt, catalogue: &dyn Catalogue) -> Result<(), Vec<Violation>> {
    let mut findings = Findings::default();
    texts::check_text("unit_name", &receipt.issued.unit_name, texts::REQUIRED_NAME, &mut findings);
    check_content(&receipt.draft, catalogue, &mut findings);
    findings.into_result()
}

fn check_content(draft: &ReceiptDraft, catalogue: &dyn Catalogue, findings: &mut Findings) {
    identity::check(draft, findings);
    money::check_sums(draft, findings);
    money::check_lines(draft, findings);
    money::check_aux(draft, findings);
    money::check_medical_split(draft, findings);
    form::check_items_attached(draft, catalogue, findings);
    links::check_donation(draft, findings);
    dates::check(draft, findings);
    texts::check(draft, findings);
}

#[cfg(test)]
mod tests;
