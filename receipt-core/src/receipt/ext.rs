//! Typed extensions (其他信息): which groups of fields a category carries, and the groups themselves.
//!
//! A category carries fixed groups; a group of which every field is absent is the same as no group. Fields that no
//! group knows go to `other_info`, are kept and shown, and never interpreted.
//!
//! ```text
//! 01 non_tax, school   02 non_tax        03 non_tax, fine   04 settlement, school, non_tax   05 donation
//! 06 medical           07 dues           08 social_insurance, non_tax       09 dues          any other: none
//! ```

use serde::{Deserialize, Serialize};

use crate::ids::{Fen, ReceiptCode, UnixMillis};
use crate::receipt::civil::CivilDate;
use crate::receipt::field::{Field, text, text_enum};
use crate::receipt::values::{BodyError, ValueReader};

text_enum! {
    /// How non-tax money reaches the treasury.
    pub enum CollectionMode: "collection_mode" {
        /// 直缴: the payer pays into the treasury's account.
        Direct = "direct",
        /// 集中汇缴: the unit collects and pays in later.
        Centralised = "centralised",
    }
}

text_enum! {
    /// Whether money or goods were donated.
    pub enum DonationKind: "donation_kind" {
        /// Money.
        Money = "money",
        /// Goods, at a stated value.
        InKind = "in_kind",
    }
}

/// A group of fields with fixed names and order.
pub(crate) trait FieldGroup: Sized {
    /// Names with the group's prefix, in order.
    const NAMES: &'static [&'static str];
    /// Appends the values in order.
    fn write(&self, out: &mut Vec<String>);
    /// Takes the values in order.
    fn read(reader: &mut ValueReader<'_>) -> Result<Self, BodyError>;
    /// Hands out the fields that are texts, by name.
    fn each_text(&mut self, found: &mut dyn FnMut(&'static str, &mut String));
}

macro_rules! field_group {
    ($(#[$meta:meta])* pub struct $name:ident: $prefix:literal {
        $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$fmeta])*
            #[serde(with = "text", skip_serializing_if = "crate::receipt::field::is_default")]
            pub $field: $ty,)*
        }

        impl FieldGroup for $name {
            const NAMES: &'static [&'static str] = &[$(concat!($prefix, ".", stringify!($field))),*];

            fn write(&self, out: &mut Vec<String>) {
                $(out.push(self.$field.to_field());)*
            }

            fn read(reader: &mut ValueReader<'_>) -> Result<Self, BodyError> {
                Ok(Self { $($field: reader.read(concat!($prefix, ".", stringify!($field)))?,)* })
            }

            fn each_text(&mut self, found: &mut dyn FnMut(&'static str, &mut String)) {
                $(if let Some(text) = self.$field.as_text_mut() {
                    found(concat!($prefix, ".", stringify!($field)), text);
                })*
            }
        }

        impl $name {
            /// Whether no field is given.
            pub fn is_absent(&self) -> bool {
                *self == Self::default()
            }
        }
    };
}

field_group! {
    /// 医疗: what an out-patient or in-patient receipt adds.
    pub struct MedicalExt: "medical" {
        /// 性别.
        pub gender: String,
        /// 医疗类别, for example 门诊, 住院.
        pub medical_type: String,
        /// 门诊号.
        pub patient_number: String,
        /// 就诊日期.
        pub medical_date: Option<CivilDate>,
        /// 病历号.
        pub case_number: String,
        /// 住院号.
        pub hospitalization_number: String,
        /// 科别.
        pub department_name: String,
        /// 入院日期.
        pub in_hospital_date: Option<CivilDate>,
        /// 出院日期.
        pub out_hospital_date: Option<CivilDate>,
        /// 住院天数.
        pub hospital_days: Option<u32>,
        /// 医疗机构类型.
        pub org_type: String,
        /// 医保类型.
        pub medical_insurance_type: String,
        /// 医保编号.
        pub medical_insurance_id: String,
        /// 医保结算号: one settlement has at most one receipt in force.
        pub settlement_number: String,
        /// 医保统筹基金支付.
        pub fund_pay: Fen,
        /// 其他支付.
        pub other_pay: Fen,
        /// 个人账户支付.
        pub account_pay: Fen,
        /// 个人现金支付.
        pub own_pay: Fen,
        /// 个人自付. No rule uses it.
        pub self_payment: Option<Fen>,
        /// 个人自费. No rule uses it.
        pub self_cost: Option<Fen>,
        /// 预缴金额 (in-patient).
        pub prepay: Option<Fen>,
        /// 补缴金额 (in-patient).
        pub recharge: Option<Fen>,
        /// 退费金额 (in-patient).
        pub refund: Option<Fen>,
    }
}

field_group! {
    /// 非税: how the payment was asked for, made and confirmed.
    pub struct NonTaxExt: "non_tax" {
        /// 缴款码, opaque; further ones are `covers_pay_code` relations.
        pub pay_code: String,
        /// 直缴 or 集中汇缴.
        pub collection_mode: Option<CollectionMode>,
        /// When the bank or treasury confirmed the payment.
        pub confirm_time: Option<UnixMillis>,
        /// 缴款渠道.
        pub payment_channel: String,
    }
}

field_group! {
    /// 罚没: the decision that is paid.
    pub struct FineExt: "fine" {
        /// 处罚决定书编号.
        pub penalty_decision_no: String,
        /// 处罚决定日期.
        pub penalty_decision_date: Option<CivilDate>,
        /// Which instalment of the decision, from 1; absent when it is paid at once, which leaves no room for
        /// instalments.
        pub instalment: Option<u32>,
        /// 缴款期限.
        pub pay_deadline: Option<CivilDate>,
        /// 加处罚款 (part of the total, as its own item).
        pub late_penalty: Option<Fen>,
        /// 号牌, masked.
        pub plate_no_masked: String,
    }
}

field_group! {
    /// 学校.
    pub struct SchoolExt: "school" {
        /// 学校名称.
        pub school_name: String,
        /// 学号.
        pub student_id: String,
        /// 年级班级.
        pub grade_class: String,
        /// 学年学期.
        pub term: String,
        /// 批次号 of a mass issue.
        pub batch_no: String,
    }
}

field_group! {
    /// 资金往来结算.
    pub struct SettlementExt: "settlement" {
        /// 暂收, 代收 and so on, in the unit's words.
        pub settlement_kind: String,
        /// 项目编号.
        pub project_no: String,
    }
}

field_group! {
    /// 公益捐赠.
    pub struct DonationExt: "donation" {
        /// Money or goods.
        pub donation_kind: Option<DonationKind>,
        /// 捐赠项目.
        pub donation_project: String,
        /// 捐赠日期.
        pub donation_date: Option<CivilDate>,
        /// Whether the gift is bound to a purpose.
        pub restricted_use: bool,
        /// On what the value of goods rests.
        pub valuation_basis: String,
        /// Whether the giver wants no name; then there is no payer code.
        pub anonymous: bool,
    }
}

field_group! {
    /// 会费, 工会经费.
    pub struct DuesExt: "dues" {
        /// 会员编号.
        pub membership_no: String,
        /// The period paid for, `YYYY-MM-DD/YYYY-MM-DD`.
        pub membership_period: String,
    }
}

field_group! {
    /// 社会保险基金.
    pub struct SocialInsuranceExt: "social_insurance" {
        /// 参保人编号.
        pub insured_id: String,
        /// 费款所属期, `YYYY-MM`.
        pub period: String,
    }
}

macro_rules! extensions {
    ($($(#[$meta:meta])* $variant:ident { $($(#[$gmeta:meta])* $group:ident: $ty:ident),* } = $($category:literal)|*;)*) => {
        /// The groups of a receipt's category.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case", deny_unknown_fields)]
        pub enum Ext {
            /// Category 99 and every unlisted one: no typed fields.
            #[default]
            Other,
            $($(#[$meta])* $variant {
                $($(#[$gmeta])* #[serde(default, skip_serializing_if = "crate::receipt::field::is_default")] $group: $ty),*
            },)*
        }

        impl Ext {
            /// The empty extension of a category.
            pub fn empty(category: u32) -> Self {
                match category {
                    $($($category)|* => Self::$variant { $($group: $ty::default()),* },)*
                    _ => Self::Other,
                }
            }

            /// The names of a category's fields, in the order of their disclosures.
            pub fn names(category: u32) -> Vec<&'static str> {
                match category {
                    $($($category)|* => [$($ty::NAMES),*].concat(),)*
                    _ => Vec::new(),
                }
            }

            /// Whether this is the extension of that category.
            pub fn fits(&self, category: u32) -> bool {
                match self {
                    $(Self::$variant { .. } => matches!(category, $($category)|*),)*
                    Self::Other => matches!(Self::empty(category), Self::Other),
                }
            }

            pub(crate) fn write(&self, out: &mut Vec<String>) {
                match self {
                    $(Self::$variant { $($group),* } => { $($group.write(out);)* })*
                    Self::Other => {}
                }
            }

            /// Hands out the fields that are texts, by name.
            pub(crate) fn each_text(&mut self, found: &mut dyn FnMut(&'static str, &mut String)) {
                match self {
                    $(Self::$variant { $($group),* } => { $($group.each_text(found);)* })*
                    Self::Other => {}
                }
            }

            pub(crate) fn read(category: u32, reader: &mut ValueReader<'_>) -> Result<Self, BodyError> {
                Ok(match category {
                    $($($category)|* => Self::$variant { $($group: $ty::read(reader)?),* },)*
                    _ => Self::Other,
                })
            }
        }
    };
}

extensions! {
    /// 01 非税通用, tuition included.
    NontaxGeneral {
        /// The payment.
        non_tax: NonTaxExt,
        /// The pupil or student, for tuition.
        school: SchoolExt
    } = 1;
    /// 02 非税专用, for example court fees.
    NontaxSpecial {
        /// The payment.
        non_tax: NonTaxExt
    } = 2;
    /// 03 一般缴款书: fines and other payments to the treasury.
    PaymentBook {
        /// The payment.
        non_tax: NonTaxExt,
        /// The decision, for fines.
        fine: FineExt
    } = 3;
    /// 04 资金往来结算.
    Settlement {
        /// What is held or passed on.
        settlement: SettlementExt,
        /// The pupil or student, for what a school collects for others.
        school: SchoolExt,
        /// The payment.
        non_tax: NonTaxExt
    } = 4;
    /// 05 公益捐赠.
    Donation {
        /// The gift.
        donation: DonationExt
    } = 5;
    /// 06 医疗.
    Medical {
        /// The treatment and who pays for it.
        medical: MedicalExt
    } = 6;
    /// 07 社会团体会费, 09 工会经费.
    Dues {
        /// The membership.
        dues: DuesExt
    } = 7 | 9;
    /// 08 社会保险基金.
    SocialInsurance {
        /// The insured person and period.
        social_insurance: SocialInsuranceExt,
        /// The payment.
        non_tax: NonTaxExt
    } = 8;
}

impl Ext {
    /// The empty extension for a receipt code.
    pub fn for_code(code: ReceiptCode) -> Self {
        Self::empty(code.category())
    }

    /// The payment of a category that has one.
    pub fn non_tax(&self) -> Option<&NonTaxExt> {
        match self {
            Self::NontaxGeneral { non_tax, .. }
            | Self::NontaxSpecial { non_tax }
            | Self::PaymentBook { non_tax, .. }
            | Self::Settlement { non_tax, .. }
            | Self::SocialInsurance { non_tax, .. } => Some(non_tax),
            Self::Donation { .. } | Self::Medical { .. } | Self::Dues { .. } | Self::Other => None,
        }
    }
}
