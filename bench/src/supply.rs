//! Drafts for the load: a stock of generated receipts, sent again and again under fresh numbers of the caller's own.
//!
//! Making a receipt's content costs as much as issuing it, and this program shares the machine with the network, so the
//! content repeats; what must be unique (biz_code, medical settlement, payment reference) does not. All are out-patient and
//! in-patient receipts of the load hospitals, 6 : 1, so that one system issues and watches them all.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use tallystick_devnet::Network;
use tallystick_devnet::generate_receipts::{GeneratorParams, ReceiptGenerator};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::receipt::v1::ReceiptDraft;

use crate::clock;

/// Contents in stock.
const STOCK_COUNT: usize = 2_100;
/// One receipt of so many is an in-patient one.
const INPATIENT_EVERY: usize = 7;
/// Content of the stock.
const CONTENT_SEED: u64 = 20_261_102;

/// An endless, thread-safe supply.
#[derive(Debug)]
pub struct Supply {
    stock: Vec<ReceiptDraft>,
    biz_prefix: String,
    serial: AtomicU64,
}

impl Supply {
    /// A supply for one run on a network, dated today.
    pub fn new(network: &Network) -> Result<Self> {
        let offset = network.description().utc_offset_minutes;
        let params = GeneratorParams::at(clock::now()?, offset, CONTENT_SEED)?;
        let biz_prefix = params.biz_prefix.clone();
        let mut generator = ReceiptGenerator::new(network.registry(), params)?;
        let draft = |index: usize| {
            let receipt =
                if index.is_multiple_of(INPATIENT_EVERY) { generator.inpatient()? } else { generator.outpatient()? };
            Ok(draft_to_wire(&receipt.draft))
        };
        let stock = (0..STOCK_COUNT).map(draft).collect::<Result<Vec<_>>>().context("make the drafts")?;
        Ok(Self { stock, biz_prefix, serial: AtomicU64::new(0) })
    }

    /// The next draft.
    pub fn next(&self) -> ReceiptDraft {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let index = usize::try_from(serial % self.stock.len() as u64).unwrap_or(0);
        let mut draft = self.stock[index].clone();
        // The stock's own numbers lie below: ten digits, and the load starts at the second billion.
        let number = format!("{}{:010}", self.biz_prefix, 1_000_000_000 + serial);
        for payment in &mut draft.payments {
            payment.channel_reference = format!("WX{number}");
        }
        if let Some(medical) = draft.ext.as_mut().and_then(|ext| ext.medical.as_mut()) {
            medical.settlement_number = format!("JS{number}");
        }
        draft.biz_code = number;
        draft
    }

    /// The next `count` drafts.
    pub fn take(&self, count: usize) -> Vec<ReceiptDraft> {
        (0..count).map(|_| self.next()).collect()
    }
}
