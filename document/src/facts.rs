//! What a document says of its receipt outside of the page: metadata, names of files, identifiers.

use receipt_core::ids::{ReceiptKey, UnixMillis};
use receipt_core::receipt::model::Receipt;
use receipt_core::suite::ChainId;

/// Facts of a receipt for the metadata of its documents. Nothing personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The chain on which the receipt is.
    pub chain: ChainId,
    /// (票据代码, 票据号码).
    pub key: ReceiptKey,
    /// 票据名称.
    pub title: String,
    /// 开票单位.
    pub unit_name: String,
    /// 开票时间: the date of every document of the receipt, whenever it is made.
    pub issue_time: UnixMillis,
    /// The chain's UTC offset.
    pub utc_offset_minutes: i32,
}

impl Facts {
    /// The facts of a receipt.
    pub fn of(receipt: &Receipt, chain: ChainId, utc_offset_minutes: i32) -> Self {
        Self {
            chain,
            key: receipt.key(),
            title: receipt.draft.receipt_name.clone(),
            unit_name: receipt.issued.unit_name.clone(),
            issue_time: receipt.issued.issue_time,
            utc_offset_minutes,
        }
    }

    /// The same for every document of one receipt, and of no other: the chain, code and number.
    pub fn document_id(&self) -> String {
        format!("tallystick/document/{}/{}/{}", self.chain.0, self.key.code, self.key.number)
    }
}
