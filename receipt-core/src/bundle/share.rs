//! Sharing less: a presentation out of a bundle, and what a holder may choose.

use super::presentation::{Leaf, NEVER_SHOWN, Presentation, SHOWN_ALWAYS};
use super::{Bundle, BundleError};
use crate::reason::Reason;
use crate::receipt::disclosure::{Body, Disclosure};
use crate::receipt::layout::{RowList, position_name, row_of_name};
use crate::receipt::model::{PayerIdType, Receipt, Related};
use crate::record::SignedRecord;

/// References by which a portal gives out the whole receipt to whoever knows the end of the payer's document number, too.
const REFERENCES: [&str; 6] =
    ["biz_code", "non_tax.pay_code", "medical.settlement_number", "fine.penalty_decision_no", "related", "reversal"];
/// Characters of the document number that are asked for beside them.
const CODE_END_CHARS: usize = 4;

/// Why there is no such presentation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// The file is no bundle.
    #[error("{0}")]
    Bundle(#[from] BundleError),
    /// The signed record does not read.
    #[error("the signed record does not read: {}", .0.as_str())]
    Record(Reason),
    /// The content is not what the record commits to: nothing of it can be proved.
    #[error("the content of the bundle is not what its record commits to")]
    Content,
    /// There is no such field.
    #[error("the receipt has no field {name}")]
    Field {
        /// What was asked for.
        name: String,
    },
    /// The check code: whoever has it fetches the whole receipt.
    #[error("{NEVER_SHOWN} is never shown: whoever has it can fetch the whole receipt")]
    Secret,
    /// The payer's document number, or one that is public, and a reference together: the same.
    #[error(
        "{reference} is not shown together with a payer_code that is shown or an organisation's: whoever has both can fetch the whole receipt"
    )]
    Together {
        /// The reference.
        reference: &'static str,
    },
}

impl ShareError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Bundle(_) | Self::Record(_) => "RECEIPT",
            Self::Content => "SHARE_CONTENT",
            Self::Field { .. } => "SHARE_FIELD",
            Self::Secret => "SHARE_SECRET",
            Self::Together { .. } => "SHARE_TOGETHER",
        }
    }
}

/// A bundle's content, opened, with the name of every position.
pub(crate) struct Opened {
    pub(crate) receipt: Receipt,
    pub(crate) names: Vec<String>,
    body: Body,
}

impl Opened {
    /// Opens it, if it is what the record commits to.
    pub(crate) fn of(bundle: &Bundle) -> Result<Self, ShareError> {
        let record = SignedRecord::decode(&bundle.record).map_err(ShareError::Record)?.record;
        let body =
            Body::of_values(record.suite, bundle.values.clone(), &bundle.seed).map_err(|_| ShareError::Content)?;
        if body.disclosures().len() != record.disclosure_count as usize || body.root() != record.body_root {
            return Err(ShareError::Content);
        }
        let receipt = body.receipt().map_err(|_| ShareError::Content)?;
        let items = u32::try_from(receipt.draft.items.len()).map_err(|_| ShareError::Content)?;
        let category = receipt.draft.receipt_code.category();
        let names = (0..record.disclosure_count).map(|position| position_name(category, items, position)).collect();
        Ok(Self { receipt, names, body })
    }

    /// The text at a position.
    pub(crate) fn value(&self, position: usize) -> &str {
        self.body.disclosures().get(position).map_or("", |disclosure| &disclosure.value)
    }
}

/// Whether a field stands in every presentation.
pub fn is_always_shown(name: &str) -> bool {
    SHOWN_ALWAYS.contains(&name)
}

/// A presentation of these fields, by their names in the body's layout: `payer_name`, `medical.own_pay`, `items[0]`; `items` and
/// `aux_items` are all rows. Those that stand in every presentation need not be named.
pub fn share(bundle: &Bundle, fields: &[impl AsRef<str>]) -> Result<Presentation, ShareError> {
    let opened = Opened::of(bundle)?;
    let mut is_shown: Vec<bool> = opened.names.iter().map(|name| is_always_shown(name)).collect();
    for field in fields.iter().map(AsRef::as_ref) {
        if field == NEVER_SHOWN {
            return Err(ShareError::Secret);
        }
        let list = RowList::named(field);
        let is_row = |name: &str| list.is_some() && row_of_name(name).map(|(list, _)| list) == list;
        let mut found = list.is_some();
        for (shown, name) in is_shown.iter_mut().zip(&opened.names) {
            if name == field || is_row(name) {
                (*shown, found) = (true, true);
            }
        }
        if !found {
            return Err(ShareError::Field { name: field.to_owned() });
        }
    }
    check_together(&opened, &is_shown)?;
    let leaf = |(disclosure, shown): (&Disclosure, bool)| {
        if shown {
            Leaf::Shown { salt: disclosure.salt, value: disclosure.value.clone() }
        } else {
            Leaf::Withheld(disclosure.leaf_hash(opened.body.suite()))
        }
    };
    Ok(Presentation {
        chain: bundle.chain,
        leaves: opened.body.disclosures().iter().zip(is_shown).map(leaf).collect(),
        record: bundle.record.clone(),
        credential: bundle.credential.clone(),
        batch: bundle.batch.clone(),
        anchor: bundle.anchor.clone(),
        status: bundle.status.clone(),
    })
}

/// That what is shown is not enough to fetch what is withheld.
fn check_together(opened: &Opened, is_shown: &[bool]) -> Result<(), ShareError> {
    let shown = |wanted: &str| {
        let position = opened.names.iter().position(|name| name == wanted)?;
        is_shown.get(position).copied().unwrap_or(false).then(|| opened.value(position))
    };
    // An organisation's code is public, so it is known, shown or not.
    let draft = &opened.receipt.draft;
    let public = (draft.payer_id_type == PayerIdType::Uscc).then_some(draft.payer_code.as_str());
    let code = shown("payer_code").or(public).unwrap_or_default();
    let code_end: Vec<char> = code.chars().rev().take(CODE_END_CHARS).collect();
    if code_end.is_empty() || code_end.contains(&'*') {
        return Ok(());
    }
    let is_reference = |name: &&str| match *name {
        "related" => {
            let is_payment = |related: &Related| matches!(related, Related::CoversPayCode { .. });
            shown("related").is_some() && draft.related.iter().any(is_payment)
        }
        "reversal" => {
            let reissue = draft.reversal.as_ref().map(|reversal| reversal.reissue_biz_code.as_str());
            shown("reversal").is_some() && reissue.is_some_and(|biz_code| !biz_code.is_empty())
        }
        name => shown(name).is_some_and(|value| !value.is_empty()),
    };
    match REFERENCES.into_iter().find(is_reference) {
        Some(reference) => Err(ShareError::Together { reference }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
