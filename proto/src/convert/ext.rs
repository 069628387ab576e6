//! The typed extension of a draft: groups on the wire, one variant per category in the core.

use receipt_core::ids::{Fen, UnixMillis};
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::ext::{
    DonationExt, DuesExt, Ext, FineExt, MedicalExt, NonTaxExt, SchoolExt, SettlementExt, SocialInsuranceExt,
};

use super::{DraftError, Faults, enums, named};
use crate::receipt::v1 as wire;

/// Reads the groups of `category`; a group that does not belong to it is a fault. Without a category (its code does not read)
/// every group is read for its faults alone.
pub(super) fn ext_from_wire(category: Option<u32>, mut groups: wire::Extension, faults: &mut Faults) -> Ext {
    let Some(category) = category else {
        read_all(groups, faults);
        return Ext::Other;
    };
    let mut ext = Ext::empty(category);
    match &mut ext {
        Ext::Other => {}
        Ext::NontaxGeneral { non_tax, school } => {
            *non_tax = take_non_tax(&mut groups, faults);
            *school = groups.school.take().map(read_school).unwrap_or_default();
        }
        Ext::NontaxSpecial { non_tax } => *non_tax = take_non_tax(&mut groups, faults),
        Ext::PaymentBook { non_tax, fine } => {
            *non_tax = take_non_tax(&mut groups, faults);
            *fine = groups.fine.take().map(|group| read_fine(group, faults)).unwrap_or_default();
        }
        Ext::Settlement { settlement, school, non_tax } => {
            *settlement = groups.settlement.take().map(read_settlement).unwrap_or_default();
            *school = groups.school.take().map(read_school).unwrap_or_default();
            *non_tax = take_non_tax(&mut groups, faults);
        }
        Ext::Donation { donation } => {
            *donation = groups.donation.take().map(|group| read_donation(group, faults)).unwrap_or_default();
        }
        Ext::Medical { medical } => {
            *medical = groups.medical.take().map(|group| read_medical(group, faults)).unwrap_or_default();
        }
        Ext::Dues { dues } => *dues = groups.dues.take().map(read_dues).unwrap_or_default(),
        Ext::SocialInsurance { social_insurance, non_tax } => {
            *social_insurance = groups.social_insurance.take().map(read_social_insurance).unwrap_or_default();
            *non_tax = take_non_tax(&mut groups, faults);
        }
    }
    refuse_rest(&groups, faults);
    ext
}

/// The groups that have fields which may not read.
fn read_all(mut groups: wire::Extension, faults: &mut Faults) {
    take_non_tax(&mut groups, faults);
    groups.fine.map(|group| read_fine(group, faults));
    groups.donation.map(|group| read_donation(group, faults));
    groups.medical.map(|group| read_medical(group, faults));
}

/// Writes the groups that have a field; no groups, no extension.
pub(super) fn ext_to_wire(ext: &Ext) -> Option<wire::Extension> {
    let mut groups = wire::Extension::default();
    match ext {
        Ext::Other => {}
        Ext::NontaxGeneral { non_tax, school } => {
            groups.non_tax = write_non_tax(non_tax);
            groups.school = write_school(school);
        }
        Ext::NontaxSpecial { non_tax } => groups.non_tax = write_non_tax(non_tax),
        Ext::PaymentBook { non_tax, fine } => {
            groups.non_tax = write_non_tax(non_tax);
            groups.fine = write_fine(fine);
        }
        Ext::Settlement { settlement, school, non_tax } => {
            groups.settlement = write_settlement(settlement);
            groups.school = write_school(school);
            groups.non_tax = write_non_tax(non_tax);
        }
        Ext::Donation { donation } => groups.donation = write_donation(donation),
        Ext::Medical { medical } => groups.medical = write_medical(medical),
        Ext::Dues { dues } => groups.dues = write_dues(dues),
        Ext::SocialInsurance { social_insurance, non_tax } => {
            groups.social_insurance = write_social_insurance(social_insurance);
            groups.non_tax = write_non_tax(non_tax);
        }
    }
    (groups != wire::Extension::default()).then_some(groups)
}

fn refuse_rest(groups: &wire::Extension, faults: &mut Faults) {
    let rest = [
        ("medical", groups.medical.is_some()),
        ("non_tax", groups.non_tax.is_some()),
        ("fine", groups.fine.is_some()),
        ("school", groups.school.is_some()),
        ("settlement", groups.settlement.is_some()),
        ("donation", groups.donation.is_some()),
        ("dues", groups.dues.is_some()),
        ("social_insurance", groups.social_insurance.is_some()),
    ];
    let problem = "does not belong to the category of the receipt code";
    let given = rest.iter().filter(|(_, given)| *given);
    faults.0.extend(given.map(|(group, _)| DraftError { field: (*group).to_owned(), problem }));
}

/// Absent is the empty text.
fn date(field: &str, text: &str, faults: &mut Faults) -> Option<CivilDate> {
    if text.is_empty() { None } else { faults.keep(named(field, CivilDate::parse(text))) }
}

fn date_to_wire(date: Option<CivilDate>) -> String {
    date.map(|date| date.to_string()).unwrap_or_default()
}

fn read_medical(group: wire::MedicalExtension, faults: &mut Faults) -> MedicalExt {
    MedicalExt {
        gender: group.gender,
        medical_type: group.medical_type,
        patient_number: group.patient_number,
        medical_date: date("medical.medical_date", &group.medical_date, faults),
        case_number: group.case_number,
        hospitalization_number: group.hospitalization_number,
        department_name: group.department_name,
        in_hospital_date: date("medical.in_hospital_date", &group.in_hospital_date, faults),
        out_hospital_date: date("medical.out_hospital_date", &group.out_hospital_date, faults),
        hospital_days: group.hospital_days,
        org_type: group.org_type,
        medical_insurance_type: group.medical_insurance_type,
        medical_insurance_id: group.medical_insurance_id,
        settlement_number: group.settlement_number,
        fund_pay: Fen::new(group.fund_pay_fen),
        other_pay: Fen::new(group.other_pay_fen),
        account_pay: Fen::new(group.account_pay_fen),
        own_pay: Fen::new(group.own_pay_fen),
        self_payment: group.self_payment_fen.map(Fen::new),
        self_cost: group.self_cost_fen.map(Fen::new),
        prepay: group.prepay_fen.map(Fen::new),
        recharge: group.recharge_fen.map(Fen::new),
        refund: group.refund_fen.map(Fen::new),
    }
}

fn write_medical(group: &MedicalExt) -> Option<wire::MedicalExtension> {
    (!group.is_absent()).then(|| wire::MedicalExtension {
        gender: group.gender.clone(),
        medical_type: group.medical_type.clone(),
        patient_number: group.patient_number.clone(),
        medical_date: date_to_wire(group.medical_date),
        case_number: group.case_number.clone(),
        hospitalization_number: group.hospitalization_number.clone(),
        department_name: group.department_name.clone(),
        in_hospital_date: date_to_wire(group.in_hospital_date),
        out_hospital_date: date_to_wire(group.out_hospital_date),
        hospital_days: group.hospital_days,
        org_type: group.org_type.clone(),
        medical_insurance_type: group.medical_insurance_type.clone(),
        medical_insurance_id: group.medical_insurance_id.clone(),
        settlement_number: group.settlement_number.clone(),
        fund_pay_fen: group.fund_pay.get(),
        other_pay_fen: group.other_pay.get(),
        account_pay_fen: group.account_pay.get(),
        own_pay_fen: group.own_pay.get(),
        self_payment_fen: group.self_payment.map(Fen::get),
        self_cost_fen: group.self_cost.map(Fen::get),
        prepay_fen: group.prepay.map(Fen::get),
        recharge_fen: group.recharge.map(Fen::get),
        refund_fen: group.refund.map(Fen::get),
    })
}

fn take_non_tax(groups: &mut wire::Extension, faults: &mut Faults) -> NonTaxExt {
    let Some(group) = groups.non_tax.take() else { return NonTaxExt::default() };
    NonTaxExt {
        pay_code: group.pay_code,
        collection_mode: faults.keep(enums::collection_mode(group.collection_mode)).flatten(),
        confirm_time: group.confirm_time_ms.map(UnixMillis::new),
        payment_channel: group.payment_channel,
    }
}

fn write_non_tax(group: &NonTaxExt) -> Option<wire::NonTaxExtension> {
    (!group.is_absent()).then(|| wire::NonTaxExtension {
        pay_code: group.pay_code.clone(),
        collection_mode: enums::collection_mode_to_wire(group.collection_mode),
        confirm_time_ms: group.confirm_time.map(UnixMillis::get),
        payment_channel: group.payment_channel.clone(),
    })
}

fn read_fine(group: wire::FineExtension, faults: &mut Faults) -> FineExt {
    FineExt {
        penalty_decision_no: group.penalty_decision_no,
        penalty_decision_date: date("fine.penalty_decision_date", &group.penalty_decision_date, faults),
        instalment: group.instalment,
        pay_deadline: date("fine.pay_deadline", &group.pay_deadline, faults),
        late_penalty: group.late_penalty_fen.map(Fen::new),
        plate_no_masked: group.plate_no_masked,
    }
}

fn write_fine(group: &FineExt) -> Option<wire::FineExtension> {
    (!group.is_absent()).then(|| wire::FineExtension {
        penalty_decision_no: group.penalty_decision_no.clone(),
        penalty_decision_date: date_to_wire(group.penalty_decision_date),
        instalment: group.instalment,
        pay_deadline: date_to_wire(group.pay_deadline),
        late_penalty_fen: group.late_penalty.map(Fen::get),
        plate_no_masked: group.plate_no_masked.clone(),
    })
}

fn read_school(group: wire::SchoolExtension) -> SchoolExt {
    SchoolExt {
        school_name: group.school_name,
        student_id: group.student_id,
        grade_class: group.grade_class,
        term: group.term,
        batch_no: group.batch_no,
    }
}

fn write_school(group: &SchoolExt) -> Option<wire::SchoolExtension> {
    (!group.is_absent()).then(|| wire::SchoolExtension {
        school_name: group.school_name.clone(),
        student_id: group.student_id.clone(),
        grade_class: group.grade_class.clone(),
        term: group.term.clone(),
        batch_no: group.batch_no.clone(),
    })
}

fn read_settlement(group: wire::SettlementExtension) -> SettlementExt {
    SettlementExt { settlement_kind: group.settlement_kind, project_no: group.project_no }
}

fn write_settlement(group: &SettlementExt) -> Option<wire::SettlementExtension> {
    (!group.is_absent()).then(|| wire::SettlementExtension {
        settlement_kind: group.settlement_kind.clone(),
        project_no: group.project_no.clone(),
    })
}

fn read_donation(group: wire::DonationExtension, faults: &mut Faults) -> DonationExt {
    DonationExt {
        donation_kind: faults.keep(enums::donation_kind(group.donation_kind)).flatten(),
        donation_project: group.donation_project,
        donation_date: date("donation.donation_date", &group.donation_date, faults),
        restricted_use: group.restricted_use,
        valuation_basis: group.valuation_basis,
        anonymous: group.anonymous,
    }
}

fn write_donation(group: &DonationExt) -> Option<wire::DonationExtension> {
    (!group.is_absent()).then(|| wire::DonationExtension {
        donation_kind: enums::donation_kind_to_wire(group.donation_kind),
        donation_project: group.donation_project.clone(),
        donation_date: date_to_wire(group.donation_date),
        restricted_use: group.restricted_use,
        valuation_basis: group.valuation_basis.clone(),
        anonymous: group.anonymous,
    })
}

fn read_dues(group: wire::DuesExtension) -> DuesExt {
    DuesExt { membership_no: group.membership_no, membership_period: group.membership_period }
}

fn write_dues(group: &DuesExt) -> Option<wire::DuesExtension> {
    (!group.is_absent()).then(|| wire::DuesExtension {
        membership_no: group.membership_no.clone(),
        membership_period: group.membership_period.clone(),
    })
}

fn read_social_insurance(group: wire::SocialInsuranceExtension) -> SocialInsuranceExt {
    SocialInsuranceExt { insured_id: group.insured_id, period: group.period }
}

fn write_social_insurance(group: &SocialInsuranceExt) -> Option<wire::SocialInsuranceExtension> {
    (!group.is_absent())
        .then(|| wire::SocialInsuranceExtension { insured_id: group.insured_id.clone(), period: group.period.clone() })
}
