//! The names of a receipt's fields in Chinese and English, as shown with a verdict.

use super::language::Sentence;

macro_rules! labels {
    ($($name:literal $zh:literal $en:literal,)*) => {
        const LABELS: &[(&str, Sentence)] = &[$(($name, Sentence { zh: $zh, en: $en }),)*];
    };
}

labels! {
    "receipt_code" "票据代码" "Receipt code",
    "receipt_number" "票据号码" "Receipt number",
    "check_code" "校验码" "Check code",
    "issue_time" "开票时间" "Time of issue",
    "unit_name" "开票单位" "Issuing unit",
    "unit_code" "开票单位代码" "Unit code",
    "issue_date" "开票日期" "Date of issue",
    "total_amount" "金额合计（小写）" "Total",
    "total_in_words" "金额合计（大写）" "Total in words",
    "receipt_name" "票据名称" "Receipt name",
    "specimen_code" "模板编码" "Specimen code",
    "supervisor_area_code" "监管机构代码" "Supervising area",
    "biz_code" "业务流水号" "Business reference",
    "place_code" "开票点" "Issuing point",
    "payer_type" "交款人类型" "Payer type",
    "payer_id_type" "交款人证件类型" "Payer's document",
    "payer_code" "交款人代码" "Payer code",
    "payer_name" "交款人" "Payer",
    "payments" "交款方式" "Paid by",
    "rec_name" "收款单位" "Payee",
    "rec_account" "收款账号" "Payee's account",
    "rec_bank" "开户行" "Payee's bank",
    "handling_person" "收款人" "Handled by",
    "checker" "复核人" "Checked by",
    "remark" "备注" "Remark",
    "supervisor_remark" "监制备注" "Supervisor's remark",
    "related" "相关票据" "Related receipts",
    "reversal" "冲红信息" "Reversal",
    "other_info" "其他信息" "Other information",
    "item_count" "项目数" "Number of items",
    "aux_count" "清单行数" "Number of detail lines",
    "medical.gender" "性别" "Gender",
    "medical.medical_type" "医疗类别" "Type of care",
    "medical.patient_number" "门诊号" "Out-patient number",
    "medical.medical_date" "就诊日期" "Date of care",
    "medical.case_number" "病历号" "Case number",
    "medical.hospitalization_number" "住院号" "In-patient number",
    "medical.department_name" "科别" "Department",
    "medical.in_hospital_date" "入院日期" "Admitted",
    "medical.out_hospital_date" "出院日期" "Discharged",
    "medical.hospital_days" "住院天数" "Days in hospital",
    "medical.org_type" "医疗机构类型" "Type of institution",
    "medical.medical_insurance_type" "医保类型" "Insurance type",
    "medical.medical_insurance_id" "医保编号" "Insurance number",
    "medical.settlement_number" "医保结算号" "Settlement number",
    "medical.fund_pay" "医保统筹基金支付" "Paid by the fund",
    "medical.other_pay" "其他支付" "Paid by others",
    "medical.account_pay" "个人账户支付" "Paid from own account",
    "medical.own_pay" "个人现金支付" "Paid in cash",
    "medical.self_payment" "个人自付" "Own share",
    "medical.self_cost" "个人自费" "Not covered",
    "medical.prepay" "预缴金额" "Prepaid",
    "medical.recharge" "补缴金额" "Paid in addition",
    "medical.refund" "退费金额" "Refunded",
    "non_tax.pay_code" "缴款码" "Pay code",
    "non_tax.collection_mode" "收缴方式" "Collection mode",
    "non_tax.confirm_time" "缴款确认时间" "Payment confirmed",
    "non_tax.payment_channel" "缴款渠道" "Payment channel",
    "fine.penalty_decision_no" "处罚决定书编号" "Penalty decision",
    "fine.penalty_decision_date" "处罚决定日期" "Date of decision",
    "fine.instalment" "分期" "Instalment",
    "fine.pay_deadline" "缴款期限" "Payment deadline",
    "fine.late_penalty" "加处罚款" "Late penalty",
    "fine.plate_no_masked" "号牌" "Number plate",
    "school.school_name" "学校名称" "School",
    "school.student_id" "学号" "Student number",
    "school.grade_class" "年级班级" "Grade and class",
    "school.term" "学年学期" "Term",
    "school.batch_no" "批次号" "Batch",
    "settlement.settlement_kind" "结算类型" "Settlement kind",
    "settlement.project_no" "项目编号" "Project",
    "donation.donation_kind" "捐赠类型" "Kind of donation",
    "donation.donation_project" "捐赠项目" "Donation project",
    "donation.donation_date" "捐赠日期" "Date of donation",
    "donation.restricted_use" "限定用途" "Bound to a purpose",
    "donation.valuation_basis" "计价依据" "Valuation basis",
    "donation.anonymous" "匿名" "Anonymous",
    "dues.membership_no" "会员编号" "Membership number",
    "dues.membership_period" "会费期间" "Membership period",
    "social_insurance.insured_id" "参保人编号" "Insured person",
    "social_insurance.period" "费款所属期" "Period",
    "channel_reference" "渠道流水号" "Channel's reference",
    "no" "序号" "No.",
    "reissue_biz_code" "重开的业务流水号" "Business reference of the re-issue",
    "quantity" "数量" "Quantity",
    "standard" "标准" "Standard",
    "unit" "计量单位" "Unit of measure",
    "rounding_adjustment" "尾差调整" "Rounding adjustment",
    "related_item_code" "所属项目编码" "Code of its item",
    "related_item_name" "所属项目" "Its item",
    "item_code" "编码" "Code",
}

/// What a header or extension field is called, by its name in the body's layout (`payer_name`, `medical.own_pay`), or what a row or an entry
/// of a list has beside its text (`channel_reference`); in Chinese as printed on receipts. `None` for rows and unknown names.
pub fn field_label(name: &str) -> Option<Sentence> {
    LABELS.iter().find(|(known, _)| *known == name).map(|(_, label)| *label)
}

/// What a field is called on a face, where the total stands in figures and in words on one line.
pub(super) fn line_label(name: &str) -> Option<Sentence> {
    match name {
        "total_amount" => Some(Sentence { zh: "金额合计", en: "Total" }),
        _ => field_label(name),
    }
}
