//! Made-up receipts for volume: valid under every rule, of many kinds, the same from the same seed.
//!
//! Six of ten are out-patient receipts of the load hospitals, one of ten is an in-patient one; the others are the samples'
//! templates of all other categories. Identifiers pass their check characters; names, amounts and numbers mean nothing.
//!
//! Invariant: no two receipts of one generator, or of generators with different prefixes, share a `biz_code` or a payment.
//! Not here: issuing.

use anyhow::{Context as _, Result, ensure};
use receipt_core::ids::{Fen, UnixMillis};
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::decimal::{Quantity, Yuan4};
use receipt_core::receipt::ext::{Ext, MedicalExt};
use receipt_core::receipt::idcheck::resident_id_check_digit;
use receipt_core::receipt::model::{AuxItem, Item, PayerIdType, PayerType, Payment, PaymentMode, ReceiptDraft};
use receipt_core::receipt::samples::{RunParams, Samples};

use crate::random::ContentRandom;
use crate::registry::{
    AREA_CODE, KIND_INPATIENT, KIND_OUTPATIENT, LOAD_HOSPITAL_PLACES, Registry, SYSTEM_HOSPITALS, SYSTEM_OFFICES, Unit,
};

/// Samples of the units that are no hospitals, and that need no other receipt first.
const OFFICE_SAMPLES: [&str; 12] = ["S04", "S05", "S06", "S07", "S08", "S09", "S10", "S11", "S12", "S15", "S16", "S17"];
const SURNAMES: [&str; 12] = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙"];
const GIVEN_NAMES: [&str; 8] = ["某", "某某", "小某", "大某", "一某", "某一", "某华", "某英"];
const DEPARTMENTS: [&str; 6] = ["内科", "外科", "骨伤科", "儿科", "妇产科", "康复科"];

/// What a generator starts from.
#[derive(Debug, Clone)]
pub struct GeneratorParams {
    /// The same seed gives the same receipts.
    pub seed: u64,
    /// Begins every `biz_code`: at most 20 characters, different for every run on one network.
    pub biz_prefix: String,
    /// The day of issue.
    pub date: CivilDate,
    /// The chain's UTC offset in minutes.
    pub utc_offset_minutes: i32,
}

impl GeneratorParams {
    /// Parameters for receipts issued at `now`.
    pub fn at(now: UnixMillis, utc_offset_minutes: i32, seed: u64) -> Result<Self> {
        let date = CivilDate::at(now, utc_offset_minutes)?;
        Ok(Self { seed, biz_prefix: format!("R{:x}-", now.get()), date, utc_offset_minutes })
    }
}

/// A draft and the system whose certificate may issue it.
#[derive(Debug, Clone)]
pub struct GeneratedReceipt {
    /// Registry number of the system.
    pub system_id: u32,
    /// The draft.
    pub draft: ReceiptDraft,
}

/// An endless supply of drafts.
pub struct ReceiptGenerator<'a> {
    registry: &'a Registry,
    samples: Samples,
    params: GeneratorParams,
    random: ContentRandom,
    serial: u64,
}

impl<'a> ReceiptGenerator<'a> {
    /// A generator over the units of a registry, which must have load hospitals.
    pub fn new(registry: &'a Registry, params: GeneratorParams) -> Result<Self> {
        ensure!(!registry.load_hospitals().is_empty(), "the network has no load hospitals");
        ensure!(params.biz_prefix.chars().count() <= 20, "biz_prefix is longer than 20 characters");
        let random = ContentRandom::new(params.seed);
        Ok(Self { registry, samples: Samples::load()?, params, random, serial: 0 })
    }

    /// The next receipt of the mix.
    pub fn mixed(&mut self) -> Result<GeneratedReceipt> {
        match self.random.below(10) {
            0..=5 => self.outpatient(),
            6 => self.inpatient(),
            _ => self.office(),
        }
    }

    /// An out-patient receipt of a load hospital.
    pub fn outpatient(&mut self) -> Result<GeneratedReceipt> {
        let mut draft = self.medical_draft(KIND_OUTPATIENT)?;
        let medical = MedicalExt {
            medical_type: "门诊".to_owned(),
            patient_number: format!("M{:010}", self.serial),
            medical_date: Some(self.params.date),
            ..self.medical_split(draft.total_amount)
        };
        draft.ext = Ext::Medical { medical };
        Ok(GeneratedReceipt { system_id: SYSTEM_HOSPITALS, draft })
    }

    /// An in-patient receipt of a load hospital.
    pub fn inpatient(&mut self) -> Result<GeneratedReceipt> {
        let mut draft = self.medical_draft(KIND_INPATIENT)?;
        let department = self.random.pick(&DEPARTMENTS).copied().unwrap_or_default();
        let medical = MedicalExt {
            medical_type: "住院".to_owned(),
            hospitalization_number: format!("Z{:010}", self.serial),
            case_number: format!("B{:010}", self.serial),
            department_name: department.to_owned(),
            in_hospital_date: Some(self.params.date),
            out_hospital_date: Some(self.params.date),
            hospital_days: Some(1),
            ..self.medical_split(draft.total_amount)
        };
        draft.ext = Ext::Medical { medical };
        Ok(GeneratedReceipt { system_id: SYSTEM_HOSPITALS, draft })
    }

    /// A receipt of a unit that is no hospital: fines, tuition, fees, donations, deposits, dues, insurance, court fees.
    pub fn office(&mut self) -> Result<GeneratedReceipt> {
        self.serial += 1;
        let sample = self.random.pick(&OFFICE_SAMPLES).copied().context("there are no samples")?;
        let params = RunParams {
            date: self.params.date,
            year_digits: self.registry.year_digits,
            biz_prefix: &self.params.biz_prefix,
            serial: self.serial,
            utc_offset_minutes: self.params.utc_offset_minutes,
            original: None,
        };
        let draft = self.samples.template(sample, &params)?;
        Ok(GeneratedReceipt { system_id: SYSTEM_OFFICES, draft })
    }

    /// A medical draft without its extension.
    fn medical_draft(&mut self, kind: u32) -> Result<ReceiptDraft> {
        self.serial += 1;
        let registry = self.registry;
        let unit = self.random.pick(registry.load_hospitals()).context("there are no load hospitals")?;
        let detail = unit.kinds.get(&kind).context("a load hospital lacks a kind")?;
        let receipt_code = registry.receipt_code(kind)?;
        let items = self.items(unit, kind)?;
        let aux_items = items.iter().take(2).map(aux_item).collect();
        let total = items.iter().map(|item| item.amount.get()).sum();
        let surname = self.random.pick(&SURNAMES).copied().unwrap_or_default();
        let given = self.random.pick(&GIVEN_NAMES).copied().unwrap_or_default();
        let place = self.random.pick(&LOAD_HOSPITAL_PLACES).copied().unwrap_or_default();
        Ok(ReceiptDraft {
            receipt_code,
            receipt_name: detail.title.clone(),
            specimen_code: format!("{receipt_code}01"),
            supervisor_area_code: AREA_CODE.to_owned(),
            unit_code: unit.unit_code.clone(),
            issue_date: self.params.date,
            biz_code: format!("{}{:010}", self.params.biz_prefix, self.serial),
            place_code: place.to_owned(),
            total_amount: Fen::new(total),
            payer_type: PayerType::Individual,
            payer_id_type: PayerIdType::Resident,
            payer_code: self.resident_id()?,
            payer_name: format!("{surname}{given}"),
            payments: vec![Payment {
                mode: PaymentMode::Wechat,
                amount: Fen::new(total),
                channel_reference: format!("WX{:016x}", self.random.next_u64()),
            }],
            rec_name: String::new(),
            rec_account: String::new(),
            rec_bank: String::new(),
            handling_person: "何某".to_owned(),
            checker: "吴某".to_owned(),
            remark: String::new(),
            supervisor_remark: String::new(),
            related: Vec::new(),
            reversal: None,
            other_info: Vec::new(),
            ext: Ext::default(),
            items,
            aux_items,
        })
    }

    /// One to four of the kind's items, each once.
    fn items(&mut self, unit: &Unit, kind: u32) -> Result<Vec<Item>> {
        let attached = &unit.kinds.get(&kind).context("a load hospital lacks a kind")?.items;
        let count = usize::try_from(self.random.between(1, 4))?;
        let start = usize::try_from(self.random.below(attached.len() as u64))?;
        let chosen = attached.iter().cycle().skip(start).take(count.min(attached.len()));
        let item = |(code, name): (&String, &String)| {
            let fen = self.random.between(100, 80_000);
            Item {
                item_code: code.clone(),
                item_name: name.clone(),
                unit: "项".to_owned(),
                quantity: Some(Quantity::new(10_000)),
                standard: Yuan4::from_fen(Fen::new(fen)),
                amount: Fen::new(fen),
                rounding_adjustment: None,
                remark: String::new(),
            }
        };
        Ok(chosen.map(item).collect())
    }

    /// Who pays: the fund some, the personal account some, the patient the rest (V11).
    fn medical_split(&mut self, total: Fen) -> MedicalExt {
        let fund = self.random.between(0, total.get());
        let account = self.random.between(0, total.get() - fund);
        let gender = if self.random.below(2) == 0 { "女" } else { "男" };
        MedicalExt {
            gender: gender.to_owned(),
            org_type: "综合医院".to_owned(),
            medical_insurance_type: "职工基本医疗保险".to_owned(),
            medical_insurance_id: format!("{AREA_CODE}{:014}", self.random.below(100_000_000_000_000)),
            settlement_number: format!("JS{}{:010}", self.params.biz_prefix, self.serial),
            fund_pay: Fen::new(fund),
            account_pay: Fen::new(account),
            own_pay: Fen::new(total.get() - fund - account),
            ..MedicalExt::default()
        }
    }

    /// A 公民身份号码 of the unassigned region 99 (GB 11643).
    fn resident_id(&mut self) -> Result<String> {
        let year = self.random.between(1940, 2020);
        let (month, day) = (self.random.between(1, 12), self.random.between(1, 28));
        let first_17 = format!("990305{year:04}{month:02}{day:02}{:03}", self.random.below(1000));
        let check = resident_id_check_digit(&first_17).context("compute a resident ID's check digit")?;
        Ok(format!("{first_17}{check}"))
    }
}

fn aux_item(item: &Item) -> AuxItem {
    AuxItem {
        related_item_code: item.item_code.clone(),
        related_item_name: item.item_name.clone(),
        item_code: format!("{}00001", item.item_code),
        item_name: format!("{}（明细）", item.item_name),
        unit: item.unit.clone(),
        quantity: item.quantity,
        standard: item.standard,
        amount: item.standard.unwrap_or_default(),
        remark: "甲类".to_owned(),
    }
}

#[cfg(test)]
mod tests;
