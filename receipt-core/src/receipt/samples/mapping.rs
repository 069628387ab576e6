//! The mapping table: every field of the official names, and what becomes of it.

/// What becomes of an official field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Copied into the header or extension field of this name (of body format version 1).
    Carry(&'static str),
    /// A date that moves with the day of issue, into this field.
    Shift(&'static str),
    /// Set afresh by the run, or derived, into this field.
    Renew(&'static str),
    /// Digits that must be unique per receipt: the first six stay, the rest is set afresh.
    Unique(&'static str),
    /// A row's field of this name.
    Row(&'static str),
    /// Added by the issuer, not by the caller.
    Issuer(&'static str),
    /// An entry of `other_info` under this name.
    OtherInfo(&'static str),
    /// Part of the reversal or relation that the run makes from the receipt issued before.
    Link(&'static str),
    /// Always the same or derived; compared, not carried.
    Checked(&'static str),
    /// Belongs to a later flow, not to the draft.
    Later(&'static str),
}

use Target::{Carry, Checked, Issuer, Later, Link, OtherInfo, Renew, Row, Shift, Unique};

/// Official path (list entries as `[]`) and target.
pub const MAPPING: &[(&str, Target)] = &[
    ("sample_id", Renew("biz_code")),
    ("e_invoice_name", Carry("receipt_name")),
    ("e_invoice_code", Renew("receipt_code")),
    ("e_invoice_number", Issuer("receipt_number")),
    ("random_number", Issuer("check_code")),
    ("e_invoice_specimen_code", Renew("specimen_code")),
    ("supervisor_area_code", Carry("supervisor_area_code")),
    ("issue_date", Renew("issue_date")),
    ("issue_time", Issuer("issue_time")),
    ("invoicing_party_code", Carry("unit_code")),
    ("invoicing_party_name", Issuer("unit_name")),
    ("payer_party_type", Renew("payer_type")),
    ("payer_party_code", Renew("payer_code")),
    ("payer_party_name", Carry("payer_name")),
    ("total_amount", Carry("total_amount")),
    ("total_amount_capital", Checked("amount_in_words(total_amount)")),
    ("currency_type", Checked("CNY")),
    ("handling_person", Carry("handling_person")),
    ("checker", Carry("checker")),
    ("biz_code", Renew("biz_code")),
    ("place_code", Carry("place_code")),
    ("pay_mode", Renew("payments")),
    // Medical.
    ("main_ext.gender", Carry("medical.gender")),
    ("main_ext.medical_type", Carry("medical.medical_type")),
    ("main_ext.patient_number", Carry("medical.patient_number")),
    ("main_ext.medical_date", Shift("medical.medical_date")),
    ("main_ext.case_number", Carry("medical.case_number")),
    ("main_ext.hospitalization_number", Carry("medical.hospitalization_number")),
    ("main_ext.department_name", Carry("medical.department_name")),
    ("main_ext.in_hospital_date", Shift("medical.in_hospital_date")),
    ("main_ext.out_hospital_date", Shift("medical.out_hospital_date")),
    ("main_ext.hospital_days", Carry("medical.hospital_days")),
    ("main_ext.org_type", Carry("medical.org_type")),
    ("main_ext.medical_insurance_type", Carry("medical.medical_insurance_type")),
    ("main_ext.medical_insurance_id", Carry("medical.medical_insurance_id")),
    ("main_ext.fund_pay_amount", Carry("medical.fund_pay")),
    ("main_ext.other_pay_amount", Carry("medical.other_pay")),
    ("main_ext.account_pay_amount", Carry("medical.account_pay")),
    ("main_ext.own_pay_amount", Carry("medical.own_pay")),
    ("main_ext.selfpayment_amount", Carry("medical.self_payment")),
    ("main_ext.selfpayment_cost", Carry("medical.self_cost")),
    ("main_ext.prepay_amount", Carry("medical.prepay")),
    ("main_ext.recharge_amount", Carry("medical.recharge")),
    ("main_ext.refund_amount", Carry("medical.refund")),
    // Non-tax and fines.
    ("main_ext.pay_code", Unique("non_tax.pay_code")),
    ("main_ext.collection_mode", Carry("non_tax.collection_mode")),
    ("main_ext.confirm_date", Renew("non_tax.confirm_time")),
    ("main_ext.confirm_time", Renew("non_tax.confirm_time")),
    ("main_ext.payment_channel_code", Carry("non_tax.payment_channel")),
    ("main_ext.penalty_decision_no", Unique("fine.penalty_decision_no")),
    ("main_ext.penalty_decision_date", Shift("fine.penalty_decision_date")),
    ("main_ext.pay_deadline", Shift("fine.pay_deadline")),
    ("main_ext.late_penalty_amount", Carry("fine.late_penalty")),
    ("main_ext.plate_no_masked", Carry("fine.plate_no_masked")),
    ("main_ext.rec_name", Carry("rec_name")),
    ("main_ext.treasury_account_masked", Carry("rec_account")),
    // Schools and settlement.
    ("main_ext.school_name", Carry("school.school_name")),
    ("main_ext.student_id", Carry("school.student_id")),
    ("main_ext.grade_class", Carry("school.grade_class")),
    ("main_ext.term", Carry("school.term")),
    ("main_ext.batch_no", Carry("school.batch_no")),
    ("main_ext.settlement_kind", Carry("settlement.settlement_kind")),
    ("main_ext.project_no", Carry("settlement.project_no")),
    // Donations, dues, social insurance.
    ("main_ext.donation_kind", Carry("donation.donation_kind")),
    ("main_ext.donation_project", Carry("donation.donation_project")),
    ("main_ext.donation_date", Shift("donation.donation_date")),
    ("main_ext.restricted_use", Carry("donation.restricted_use")),
    ("main_ext.valuation_basis", Carry("donation.valuation_basis")),
    ("main_ext.anonymous", Carry("donation.anonymous")),
    ("main_ext.membership_no", Carry("dues.membership_no")),
    ("main_ext.membership_period", Carry("dues.membership_period")),
    ("main_ext.insured_id", Carry("social_insurance.insured_id")),
    ("main_ext.period", Carry("social_insurance.period")),
    // Regional fields.
    ("main_ext.property_no_masked", OtherInfo("property_no_masked")),
    ("main_ext.other_info[].no", Row("no")),
    ("main_ext.other_info[].name", Row("name")),
    ("main_ext.other_info[].value", Row("value")),
    // Rows.
    ("items[].item_code", Row("item_code")),
    ("items[].item_name", Row("item_name")),
    ("items[].item_unit", Row("unit")),
    ("items[].item_quantity", Row("quantity")),
    ("items[].item_std", Row("standard")),
    ("items[].item_amount", Row("amount")),
    ("items[].item_remark", Row("remark")),
    ("aux_items[].aux_item_related_code", Row("related_item_code")),
    ("aux_items[].aux_item_related_name", Row("related_item_name")),
    ("aux_items[].aux_item_code", Row("item_code")),
    ("aux_items[].aux_item_name", Row("item_name")),
    ("aux_items[].aux_item_unit", Row("unit")),
    ("aux_items[].aux_item_quantity", Row("quantity")),
    ("aux_items[].aux_item_std", Row("standard")),
    ("aux_items[].aux_item_amount", Row("amount")),
    ("aux_items[].aux_item_remark", Row("remark")),
    // Relations and states.
    ("related.related_invoice_code", Link("related.receipt_code")),
    ("related.related_invoice_number", Link("related.receipt_number")),
    ("related.relation", Link("related.relation")),
    ("state.is_red", Link("reversal")),
    ("state.reversal_reason", Link("reversal.text")),
    ("state.reversal_operator", Link("reversal.operator")),
    ("state.is_exchange_paper", Later("exchange to paper")),
    ("state.paper_code", Later("exchange to paper")),
    ("state.paper_number", Later("exchange to paper")),
    ("state.note", Later("exchange to paper")),
];

/// The target of an official path.
pub(super) fn target(path: &str) -> Option<Target> {
    MAPPING.iter().find(|(known, _)| *known == path).map(|(_, target)| *target)
}
