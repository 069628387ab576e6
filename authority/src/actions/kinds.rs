//! Kinds of receipts as descriptions have them.

use receipt_core::governance::{Opens, RegisterKind};
use serde::Deserialize;

use crate::text::{KindText, NameText, TimeText};

/// See [`Opens`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpensText {
    /// Header and amounts alone.
    Header,
    /// The rows, too.
    Rows,
}

/// See [`RegisterKind`].
#[derive(Debug, Clone, Deserialize)]
pub struct RegisterKindText {
    /// The kind.
    pub kind: KindText,
    /// 票据名称.
    pub name: NameText,
    /// First issue time at which a receipt needs confirmed payments; absent: never.
    pub payment_required_from: Option<TimeText>,
    /// How much of a receipt is opened for the authority of the area. Never left out: nobody is to open rows, or to close them, by forgetting
    /// a line.
    pub opens: OpensText,
}

impl RegisterKindText {
    pub(super) fn registration(&self) -> RegisterKind {
        let opens = match self.opens {
            OpensText::Header => Opens::Header,
            OpensText::Rows => Opens::Rows,
        };
        RegisterKind {
            kind: self.kind.0,
            name: self.name.0.clone(),
            payment_required_from_ms: self.payment_required_from.map_or(0, |time| time.0.get()),
            opens: opens.number(),
        }
    }
}
