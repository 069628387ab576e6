//! Why the ledger refused a record, for a person who holds the receipt: clauses, without a stop.

use super::super::language::Sentence;
use crate::reason::Reason;

macro_rules! refusals {
    ($($reason:ident $zh:literal $en:literal;)*) => {
        /// The clause for a reason; `None`: the ledger refuses no record for it.
        pub(in super::super) const fn refusal_clause(reason: Reason) -> Option<Sentence> {
            match reason {
                $(Reason::$reason => Some(Sentence { zh: $zh, en: $en }),)*
                _ => None,
            }
        }
    };
}

refusals! {
    NumberNotOwned "票据号码不在开票单位的号段内" "its number is in no segment of the unit";
    NumberUsed "票据号码已被使用" "its number was used before";
    UnitUnknown "开票单位没有登记" "the unit is not registered";
    UnitSuspended "开票单位已被暂停开票" "the unit is suspended";
    KindNotAllowed "开票单位不能开具这种票据" "the unit may not issue this kind of receipt";
    FieldInvalid "记录中有不合规定的内容" "a field of its record is out of range";
    PaymentReceipted "这笔缴款已有有效的票据" "the payment has a receipt in force already";
    DecisionPaid "这份处罚决定已有有效的票据" "the penalty decision has a receipt in force already";
    SignatureInvalid "签名与登记的密钥不符" "its signature does not fit the registered key";
    KeyRevoked "开票时签名的密钥无效" "the key was not valid at the time of issue";
    AlreadyReversed "原票据已被冲红" "the original was reversed before";
    NotCanonical "记录的格式不规范" "its record is not in canonical form";
    RecordTooLarge "记录过长" "its record is too large";
    UnitMismatch "原票据属于另一个单位" "the original is of another unit";
    OriginalUnknown "找不到要冲红的原票据" "the original to be reversed is not known";
    OriginalIsRed "原票据本身是红字票据" "the original is itself a red receipt";
    AmountMismatch "金额与原票据不符" "the amount does not fit that of the original";
    SuiteUnknown "签名算法不是本链的" "its suite is not the chain's";
    BizCodeUsed "业务流水号已被使用" "its business reference was used before";
    RecordTypeNotAllowed "提交者无权提交这类记录" "its submitter may not carry records of this type";
    TimeInvalid "开票时间超出允许的范围" "its time of issue is out of range";
}
