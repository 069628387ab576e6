//! Element names: those of `MainExt` for the medical category and of rows as programs of the field write them, the others by analogy.

/// Fields of extensions and their elements.
pub(super) const MAIN_EXT: &[(&str, &str)] = &[
    ("medical.gender", "gender"),
    ("medical.medical_type", "medicalType"),
    ("medical.patient_number", "patientNumber"),
    ("medical.medical_date", "medicalDate"),
    ("medical.case_number", "caseNumber"),
    ("medical.hospitalization_number", "hospitalizationNumber"),
    ("medical.department_name", "departmentName"),
    ("medical.in_hospital_date", "inHospitalDate"),
    ("medical.out_hospital_date", "outHospitalDate"),
    ("medical.hospital_days", "hospitalDay"),
    ("medical.org_type", "orgType"),
    ("medical.medical_insurance_type", "medicalInsuranceType"),
    ("medical.medical_insurance_id", "medicalInsuranceID"),
    ("medical.settlement_number", "settlementNumber"),
    ("medical.fund_pay", "fundPayAmount"),
    ("medical.other_pay", "otherPayAmount"),
    ("medical.account_pay", "accountPayAmount"),
    ("medical.own_pay", "ownPayAmount"),
    ("medical.self_payment", "selfpaymentAmount"),
    ("medical.self_cost", "selfpaymentCost"),
    ("medical.prepay", "prepayAmount"),
    ("medical.recharge", "rechargeAmount"),
    ("medical.refund", "refundAmount"),
    ("non_tax.pay_code", "PayCode"),
    ("non_tax.collection_mode", "collectionMode"),
    ("non_tax.payment_channel", "paymentChannel"),
    ("fine.penalty_decision_no", "penaltyDecisionNo"),
    ("fine.penalty_decision_date", "penaltyDecisionDate"),
    ("fine.instalment", "instalment"),
    ("fine.pay_deadline", "payDeadline"),
    ("fine.late_penalty", "latePenaltyAmount"),
    ("fine.plate_no_masked", "plateNoMasked"),
    ("school.school_name", "schoolName"),
    ("school.student_id", "studentID"),
    ("school.grade_class", "gradeClass"),
    ("school.term", "term"),
    ("school.batch_no", "batchNo"),
    ("settlement.settlement_kind", "settlementKind"),
    ("settlement.project_no", "projectNo"),
    ("donation.donation_kind", "donationKind"),
    ("donation.donation_project", "donationProject"),
    ("donation.donation_date", "donationDate"),
    ("donation.restricted_use", "restrictedUse"),
    ("donation.valuation_basis", "valuationBasis"),
    ("donation.anonymous", "anonymous"),
    ("dues.membership_no", "membershipNo"),
    ("dues.membership_period", "membershipPeriod"),
    ("social_insurance.insured_id", "insuredID"),
    ("social_insurance.period", "period"),
];

/// Fields of 项目明细 and their elements.
pub(super) const ITEM: &[(&str, &str)] = &[
    ("item_code", "ItemCode"),
    ("item_name", "ItemName"),
    ("unit", "ItemUnit"),
    ("quantity", "ItemQuantity"),
    ("standard", "ItemStd"),
    ("amount", "ItemAmount"),
    ("remark", "ItemRemark"),
];

/// Fields of 清单 and their elements.
pub(super) const AUX_ITEM: &[(&str, &str)] = &[
    ("related_item_code", "AuxItemRelatedCode"),
    ("related_item_name", "AuxItemRelatedName"),
    ("item_code", "AuxItemCode"),
    ("item_name", "AuxItemName"),
    ("quantity", "AuxItemQuantity"),
    ("unit", "AuxItemUnit"),
    ("standard", "AuxItemStd"),
    ("amount", "AuxItemAmount"),
    ("remark", "AuxItemRemark"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that is added to an extension must get an element here, or XML would lose it.
    #[test]
    fn every_field_of_every_category_has_an_element() {
        for category in [1, 2, 3, 4, 5, 6, 7, 8, 9, 99] {
            for name in receipt_core::receipt::ext::Ext::names(category) {
                let known = MAIN_EXT.iter().any(|(field, _)| *field == name) || name == "non_tax.confirm_time";
                assert!(known, "{name} has no element");
            }
        }
    }
}
