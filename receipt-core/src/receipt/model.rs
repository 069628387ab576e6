//! What a receipt is: the content that a caller supplies and the part that the issuer adds.
//!
//! Field names are the field's own (DOMAIN terms); an absent text is the empty text. A value of these types is well
//! typed, not yet valid: [`crate::receipt::rules::check_draft`] judges it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Fen, IdError, ReceiptCode, ReceiptKey, ReceiptNumber, UnixMillis};
use crate::receipt::civil::CivilDate;
use crate::receipt::decimal::{Quantity, Yuan4};
use crate::receipt::ext::Ext;
use crate::receipt::field::{Field, from_json, is_default, parsed_field, text, text_enum, text_serde, to_json};

text_enum! {
    /// 交款人类型.
    pub enum PayerType: "payer_type" {
        /// 1, 个人.
        Individual = "individual",
        /// 2, 单位.
        Organisation = "organisation",
    }
}

text_enum! {
    /// 交款人证件类型.
    pub enum PayerIdType: "payer_id_type" {
        /// 居民身份证 (GB 11643).
        Resident = "resident",
        /// 护照.
        Passport = "passport",
        /// 港澳台居民证件.
        HkMacauTaiwanPermit = "hk_macau_taiwan_permit",
        /// 新生儿, no number yet.
        Newborn = "newborn",
        /// 无证件 or not given.
        Unidentified = "unidentified",
        /// 统一社会信用代码 (GB 32100).
        Uscc = "uscc",
    }
}

text_enum! {
    /// 交款方式.
    pub enum PaymentMode: "payment mode" {
        /// 现金.
        Cash = "cash",
        /// 转账.
        Transfer = "transfer",
        /// 刷卡.
        Pos = "pos",
        /// 微信.
        Wechat = "wechat",
        /// 支付宝.
        Alipay = "alipay",
        /// 银联.
        Unionpay = "unionpay",
        /// 银行代扣.
        Withholding = "withholding",
        /// 医保.
        MedicalInsurance = "medical_insurance",
        /// 预交金.
        Prepayment = "prepayment",
        /// 实物.
        InKind = "in_kind",
    }
}

text_enum! {
    /// Why a receipt is reversed.
    pub enum ReversalReason: "reversal reason" {
        /// All money goes back.
        FullRefund = "full_refund",
        /// Part of it goes back; a re-issue follows.
        PartialRefund = "partial_refund",
        /// The payer was wrong.
        WrongPayer = "wrong_payer",
        /// An item was wrong.
        WrongItem = "wrong_item",
        /// An amount was wrong.
        WrongAmount = "wrong_amount",
        /// It was issued twice.
        Duplicate = "duplicate",
        /// The decision behind it was revoked.
        DecisionRevoked = "decision_revoked",
        /// Another reason, given as text.
        Other = "other",
    }
}

/// 校验码: six characters of `0-9a-z`, a secret of the receipt. Its `Debug` shows nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CheckCode([u8; 6]);

impl CheckCode {
    const ALPHABET: &'static [u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

    /// Parses `^[0-9a-z]{6}$`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let error = IdError { what: "check_code", problem: "must be 6 characters of 0-9 and a-z" };
        let bytes: [u8; 6] = text.as_bytes().try_into().map_err(|_| error.clone())?;
        if bytes.iter().all(|byte| Self::ALPHABET.contains(byte)) { Ok(Self(bytes)) } else { Err(error) }
    }

    /// From 64 random bits; the bias over 36^6 codes is below 2^-32.
    pub fn from_random(mut random: u64) -> Self {
        let mut code = [b'0'; 6];
        for character in &mut code {
            *character = Self::ALPHABET[(random % 36) as usize];
            random /= 36;
        }
        Self(code)
    }

    /// Compares with what somebody typed, in time that does not depend on where they differ.
    pub fn matches(&self, typed: &str) -> bool {
        typed.len() == self.0.len() && self.0.iter().zip(typed.bytes()).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
    }
}

impl fmt::Display for CheckCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl fmt::Debug for CheckCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckCode(******)")
    }
}

parsed_field!(CheckCode);
text_serde!(CheckCode);

/// One way in which a part of the total was paid (or, negative, is refunded).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// 交款方式.
    pub mode: PaymentMode,
    /// Its part of the total.
    #[serde(with = "text")]
    pub amount: Fen,
    /// The channel's reference, by which money finds its way back; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub channel_reference: String,
}

/// 项目明细: one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// 项目编码.
    pub item_code: String,
    /// 项目名称.
    pub item_name: String,
    /// 计量单位; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unit: String,
    /// 数量.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quantity: Option<Quantity>,
    /// 收缴标准, yuan per unit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub standard: Option<Yuan4>,
    /// 金额.
    #[serde(with = "text")]
    pub amount: Fen,
    /// What is added to the sum of this item's 清单 lines to give its amount.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rounding_adjustment: Option<Yuan4>,
    /// 备注; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remark: String,
}

/// 清单: one informative detail line, tied to an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuxItem {
    /// The code of the item that it details.
    pub related_item_code: String,
    /// The name of the item that it details; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub related_item_name: String,
    /// 编码; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub item_code: String,
    /// 名称.
    pub item_name: String,
    /// 单位; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unit: String,
    /// 数量.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quantity: Option<Quantity>,
    /// 标准, yuan per unit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub standard: Option<Yuan4>,
    /// 金额.
    pub amount: Yuan4,
    /// 备注; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remark: String,
}

/// A regional field that nobody here interprets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherInfo {
    /// Its place in the list as the caller numbers it.
    pub no: u32,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// 相关票据: what this receipt refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "relation", rename_all = "snake_case", deny_unknown_fields)]
pub enum Related {
    /// This red receipt reverses that one.
    ReversalOf {
        /// 票据代码.
        #[serde(with = "text")]
        receipt_code: ReceiptCode,
        /// 票据号码.
        #[serde(with = "text")]
        receipt_number: ReceiptNumber,
    },
    /// This receipt is what remains of that reversed one.
    ReissueAfterPartialRefund {
        /// 票据代码.
        #[serde(with = "text")]
        receipt_code: ReceiptCode,
        /// 票据号码.
        #[serde(with = "text")]
        receipt_number: ReceiptNumber,
    },
    /// A paper receipt with the same content.
    ExchangedPaper {
        /// 纸质票据代码.
        paper_code: String,
        /// 纸质票据号码.
        paper_number: String,
    },
    /// A further payment that this receipt covers.
    CoversPayCode {
        /// 缴款码.
        pay_code: String,
    },
}

/// Why and by whom a receipt is reversed; present on red receipts only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reversal {
    /// The reason.
    pub reason: ReversalReason,
    /// Explanation; required for the reason `other`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub text: String,
    /// Name of the person who reverses.
    pub operator: String,
    /// The refund that goes with it; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refund_reference: String,
    /// The `biz_code` of the re-issue that follows; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reissue_biz_code: String,
}

impl Field for Reversal {
    fn to_field(&self) -> String {
        to_json(self)
    }

    fn from_field(text: &str) -> Result<Self, IdError> {
        from_json("reversal", text)
    }
}

/// What the caller supplies: the whole content but number, check code, time of issue and the unit's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptDraft {
    /// 票据代码.
    #[serde(with = "text")]
    pub receipt_code: ReceiptCode,
    /// 票据名称: the title on its face.
    pub receipt_name: String,
    /// 模板编码: receipt code and a 2-digit version.
    pub specimen_code: String,
    /// 监管机构代码, 6 digits.
    pub supervisor_area_code: String,
    /// 开票单位 统一社会信用代码.
    pub unit_code: String,
    /// 开票日期: the local date printed.
    pub issue_date: CivilDate,
    /// 业务流水号: the idempotency key, unique per unit.
    pub biz_code: String,
    /// 开票点.
    pub place_code: String,
    /// 金额合计 in 分.
    #[serde(with = "text")]
    pub total_amount: Fen,
    /// 交款人类型.
    pub payer_type: PayerType,
    /// 交款人证件类型.
    pub payer_id_type: PayerIdType,
    /// 交款人代码; may be absent, may be masked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub payer_code: String,
    /// 交款人.
    pub payer_name: String,
    /// 交款方式, adding up to the total.
    pub payments: Vec<Payment>,
    /// 收款单位; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rec_name: String,
    /// 收款账号, masked; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rec_account: String,
    /// 开户行; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rec_bank: String,
    /// 收款人/开票人.
    pub handling_person: String,
    /// 复核人.
    pub checker: String,
    /// 备注; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remark: String,
    /// 监制备注; may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub supervisor_remark: String,
    /// 相关票据.
    #[serde(default, skip_serializing_if = "is_default")]
    pub related: Vec<Related>,
    /// Present exactly on red receipts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reversal: Option<Reversal>,
    /// Regional fields.
    #[serde(default, skip_serializing_if = "is_default")]
    pub other_info: Vec<OtherInfo>,
    /// The typed fields of the category.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ext: Ext,
    /// 项目明细, at least one.
    pub items: Vec<Item>,
    /// 清单.
    #[serde(default, skip_serializing_if = "is_default")]
    pub aux_items: Vec<AuxItem>,
}

/// The fields of a receipt that its issuer adds to the draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// 票据号码.
    #[serde(with = "text")]
    pub receipt_number: ReceiptNumber,
    /// 校验码.
    pub check_code: CheckCode,
    /// 开票时间, UTC.
    #[serde(with = "text")]
    pub issue_time: UnixMillis,
    /// 开票单位, as registered.
    pub unit_name: String,
}

/// A receipt as a unit issues it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The issuer's part.
    pub issued: Issued,
    /// The caller's part.
    pub draft: ReceiptDraft,
}

impl Receipt {
    /// (票据代码, 票据号码).
    pub const fn key(&self) -> ReceiptKey {
        ReceiptKey { code: self.draft.receipt_code, number: self.issued.receipt_number }
    }
}

impl ReceiptDraft {
    /// Whether this is a red receipt (冲红).
    pub const fn is_red(&self) -> bool {
        self.reversal.is_some()
    }

    /// The receipt that this red one reverses.
    pub fn reversal_of(&self) -> Option<ReceiptKey> {
        self.related.iter().find_map(|related| match related {
            Related::ReversalOf { receipt_code, receipt_number } => {
                Some(ReceiptKey { code: *receipt_code, number: *receipt_number })
            }
            _ => None,
        })
    }

    /// The reversed receipt of which this one is what remains.
    pub fn reissue_of(&self) -> Option<ReceiptKey> {
        self.related.iter().find_map(|related| match related {
            Related::ReissueAfterPartialRefund { receipt_code, receipt_number } => {
                Some(ReceiptKey { code: *receipt_code, number: *receipt_number })
            }
            _ => None,
        })
    }

    /// Every pay code that this receipt covers, the extension's own first.
    pub fn pay_codes(&self) -> Vec<&str> {
        let own = self.ext.non_tax().map(|non_tax| non_tax.pay_code.as_str()).filter(|code| !code.is_empty());
        let further = self.related.iter().filter_map(|related| match related {
            Related::CoversPayCode { pay_code } => Some(pay_code.as_str()),
            _ => None,
        });
        own.into_iter().chain(further).collect()
    }
}
