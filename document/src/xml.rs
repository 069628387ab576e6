//! The receipt as XML, with the element names that programs of the field use for 财政电子票据. UTF-8, every value as it was issued, nothing
//! masked: whoever has the file has the receipt.
//!
//! ```text
//! EInvoice ─┬ Header        EInvoiceID, EInvoiceTag, Version
//!           ├ EInvoiceData ─┬ Main (InvoicingParty, PayerParty, …, MainExt)
//!           │               ├ Details      Item…
//!           │               └ AuxDetails   AuxItem…        only if there is a 清单
//!           └ TallystickBundle             base64 of the bundle (`.tally`), if there is one
//! ```
//! Not the official file: its schema was not available, and it is signed with SM2 by unit and finance department, where this one carries
//! the bundle. A comment in the file says so. An element of a field that a receipt does not have is left out, those of the frame
//! (`Main`, `InvoicingParty`, `PayerParty`, `Details`) apart.

mod names;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::field::Field as _;
use receipt_core::receipt::layout::{field_position, to_values};
use receipt_core::receipt::model::{AuxItem, Item, PayerType, Receipt, Related};

use crate::content::{LocalTime, aux_item_field, item_field};
use crate::markup::Element;
use crate::template::Template;
use names::{AUX_ITEM, ITEM, MAIN_EXT};

/// Name of the file where it is an attachment.
pub const XML_NAME: &str = "einvoice.xml";
/// The value of `Version`.
const VERSION: &str = "tallystick/1";
const COMMENT: &str =
    " 本文件由 Tallystick 生成，不是财政部门的标准文件，也没有 SM2 签名；真伪以 TallystickBundle 中的凭证为准。 ";

/// The XML of a receipt; `template` has the words for coded values, `bundle` is put into it if there is one.
pub fn xml(receipt: &Receipt, template: &Template, utc_offset_minutes: i32, bundle: Option<&[u8]>) -> Vec<u8> {
    let key = receipt.key();
    let mut children = vec![
        Element::of(
            "Header",
            vec![
                Element::text("EInvoiceID", format!("{}{}", key.code, key.number)),
                Element::text("EInvoiceTag", format!("CZ-EI-{:02}", key.code.region())),
                Element::text("Version", VERSION.to_owned()),
            ],
        ),
        Element::of("EInvoiceData", data(receipt, template, utc_offset_minutes)),
    ];
    children.extend(bundle.map(|bundle| Element::text("TallystickBundle", BASE64_STANDARD.encode(bundle))));
    Element::of("EInvoice", children).file(Some(COMMENT))
}

fn data(receipt: &Receipt, template: &Template, utc_offset_minutes: i32) -> Vec<Element> {
    let draft = &receipt.draft;
    let mut parts = vec![
        Element::of("Main", main(receipt, template, utc_offset_minutes)),
        Element::of("Details", draft.items.iter().map(|item| Element::of("Item", item_elements(item))).collect()),
    ];
    if !draft.aux_items.is_empty() {
        parts.push(Element::of(
            "AuxDetails",
            draft.aux_items.iter().map(|item| Element::of("AuxItem", aux_elements(item))).collect(),
        ));
    }
    parts
}

fn main(receipt: &Receipt, template: &Template, utc_offset_minutes: i32) -> Vec<Element> {
    let (draft, issued, key) = (&receipt.draft, &receipt.issued, receipt.key());
    let payer_type = match draft.payer_type {
        PayerType::Individual => "1",
        PayerType::Organisation => "2",
    };
    let modes = draft.payments.iter().map(|part| template.word("payments", part.mode.as_str()));
    let time = LocalTime::of(issued.issue_time, utc_offset_minutes);
    let mut elements = Vec::new();
    let text = |name: &'static str, value: &str| Element::text(name, value.to_owned());
    elements.extend([
        text("EInvoiceName", &draft.receipt_name),
        Element::text("EInvoiceCode", key.code.to_string()),
        Element::text("EInvoiceNumber", key.number.to_string()),
        Element::text("RandomNumber", issued.check_code.to_string()),
        text("EInvoiceSpecimenCode", &draft.specimen_code),
        text("SupervisorAreaCode", &draft.supervisor_area_code),
        Element::text("TotalAmount", draft.total_amount.to_string()),
        Element::text("IssueDate", draft.issue_date.to_string().replace('-', "")),
        Element::text("IssueTime", time.clock()),
        Element::of(
            "InvoicingParty",
            given([
                ("InvoicingPartyCode", &draft.unit_code),
                ("InvoicingPartyName", &issued.unit_name),
                ("RecName", &draft.rec_name),
                ("RecAcct", &draft.rec_account),
                ("RecOpBk", &draft.rec_bank),
            ]),
        ),
        Element::of("PayerParty", {
            let mut party = vec![text("PayerPartyType", payer_type)];
            party.extend(given([("PayerPartyCode", &draft.payer_code), ("PayerPartyName", &draft.payer_name)]));
            party
        }),
        Element::text("PayMode", modes.collect::<Vec<_>>().join("+")),
        text("BizCode", &draft.biz_code),
        text("CurrencyType", "CNY"),
        text("ExchangeRate", "1.00"),
    ]);
    elements.extend(given([
        ("Remark", &draft.remark),
        ("HandlingPerson", &draft.handling_person),
        ("Checker", &draft.checker),
        ("SupervisorRemark", &draft.supervisor_remark),
    ]));
    elements.push(Element::of("MainExt", main_ext(receipt, utc_offset_minutes)));
    elements
}

/// The elements of those texts that are not empty.
fn given<const N: usize>(texts: [(&'static str, &String); N]) -> Vec<Element> {
    texts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| Element::text(name, text.clone()))
        .collect()
}

/// The category's fields and what this receipt refers to.
fn main_ext(receipt: &Receipt, utc_offset_minutes: i32) -> Vec<Element> {
    let draft = &receipt.draft;
    let category = draft.receipt_code.category();
    // A receipt was read from values, so it has some.
    let values = to_values(receipt).unwrap_or_default();
    let mut elements = Vec::new();
    if let Some(related) = draft.reversal_of().or_else(|| draft.reissue_of()) {
        elements.push(Element::text("RelatedInvoiceCode", related.code.to_string()));
        elements.push(Element::text("RelatedInvoiceNumber", related.number.to_string()));
    }
    for name in Ext::names(category) {
        let position = field_position(category, name).map(|position| position as usize);
        let Some(value) = position.and_then(|position| values.get(position)).filter(|value| !value.is_empty()) else {
            continue;
        };
        if name == "non_tax.confirm_time" {
            let Some(time) = draft.ext.non_tax().and_then(|non_tax| non_tax.confirm_time) else { continue };
            let time = LocalTime::of(time, utc_offset_minutes);
            elements.push(Element::text("confirmDate", time.date("")));
            elements.push(Element::text("confirmTime", time.clock()));
        } else if let Some((_, element)) = MAIN_EXT.iter().find(|(field, _)| *field == name) {
            elements.push(Element::text(element, value.clone()));
        }
    }
    if let Some(reversal) = &draft.reversal {
        elements.push(Element::text("reversalReason", reversal.reason.as_str().to_owned()));
        elements.extend(given([
            ("reversalText", &reversal.text),
            ("reversalOperator", &reversal.operator),
            ("refundReference", &reversal.refund_reference),
            ("reissueBizCode", &reversal.reissue_biz_code),
        ]));
    }
    elements.extend(draft.related.iter().flat_map(related));
    elements.push(Element::text("placeCode", draft.place_code.clone()));
    elements.push(Element::text("payerIDType", draft.payer_id_type.as_str().to_owned()));
    elements.extend(draft.payments.iter().map(|part| {
        let mut parts = vec![
            Element::text("mode", part.mode.as_str().to_owned()),
            Element::text("amount", part.amount.to_string()),
        ];
        parts.extend(given([("channelReference", &part.channel_reference)]));
        Element::of("Payment", parts)
    }));
    elements.extend(draft.other_info.iter().map(|info| {
        Element::of(
            "OtherInfo",
            vec![
                Element::text("InfoNo", info.no.to_string()),
                Element::text("InfoName", info.name.clone()),
                Element::text("InfoValue", info.value.clone()),
            ],
        )
    }));
    elements
}

/// Relations that have no element in the frame.
fn related(related: &Related) -> Vec<Element> {
    match related {
        Related::ExchangedPaper { paper_code, paper_number } => {
            given([("paperCode", paper_code), ("paperNumber", paper_number)])
        }
        Related::CoversPayCode { pay_code } => given([("coversPayCode", pay_code)]),
        Related::ReversalOf { .. } | Related::ReissueAfterPartialRefund { .. } => Vec::new(),
    }
}

fn item_elements(item: &Item) -> Vec<Element> {
    rows(ITEM, |field| match field {
        "standard" => item.standard.to_field(),
        field => item_field(item, field),
    })
}

fn aux_elements(item: &AuxItem) -> Vec<Element> {
    rows(AUX_ITEM, |field| match field {
        "related_item_code" => item.related_item_code.clone(),
        "related_item_name" => item.related_item_name.clone(),
        "standard" => item.standard.to_field(),
        field => aux_item_field(item, field),
    })
}

fn rows(names: &[(&'static str, &'static str)], value: impl Fn(&str) -> String) -> Vec<Element> {
    let values = names.iter().map(|(field, element)| (*element, value(field)));
    values.filter(|(_, value)| !value.is_empty()).map(|(element, value)| Element::text(element, value)).collect()
}
