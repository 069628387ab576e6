//! GetReceipt, GetBundle, ListReceipts, DayTotals: what the journal knows, as of the last sealed height it acted on.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use bytes::Bytes;
use receipt_core::blind::PaymentReference;
use receipt_core::hash::tagged;
use receipt_core::ids::{Height, ReceiptCode, ReceiptKey, ReceiptNumber, SystemId, UnitId, UnixMillis};
use receipt_core::reason::Reason;
use receipt_core::receipt::chars::normalise_text;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::record::SignedRecord;
use tallystick_proto::errors::{Action, CallReason, Place, Refusal, Stands, advice_if_refused};
use tallystick_proto::issuer::v1 as wire;

use super::answers::state_of;
use super::{ApiContext, key_from_wire, key_to_wire};
use crate::authority::{authorised_unit, is_whole_unit, may_see};
use crate::failure::internal;
use crate::fate::{Fate, fate, reversed_by};
use crate::journal::{DecidedTally, IssuedTally, ReceiptReads as _, ReceiptRow};

const PAGE_ROWS_DEFAULT: u32 = 100;
const PAGE_ROWS_MAX: u32 = 1_000;
/// Rows looked at for one page: a filter that fits little still ends.
const PAGE_SCAN_MAX: usize = 10_000;
/// Kinds of one unit and day.
const KINDS_MAX: usize = 1_000;

/// A selector's receipt, if the caller may know of it.
enum Found {
    Receipt(ReceiptKey, Box<ReceiptRow>, Box<SignedRecord>),
    /// Learnt from the ledger, so that its place is not known; asked for by biz code or payment, by a system of some place of
    /// the unit.
    Placeless(ReceiptKey, wire::BizKey),
    Unknown,
}

/// Which receipt a call is about.
enum Selector {
    Key(wire::ReceiptKey),
    Biz(wire::BizKey),
    Payment(wire::PaymentKey),
}

impl ApiContext {
    /// What became of a receipt. Another unit's receipt is as unknown as one that does not exist.
    pub(super) fn get_receipt(
        &self,
        system: SystemId,
        request: wire::GetReceiptRequest,
    ) -> Result<wire::GetReceiptResponse, Refusal> {
        let selector = match request.selector {
            Some(wire::get_receipt_request::Selector::Key(key)) => Selector::Key(key),
            Some(wire::get_receipt_request::Selector::BizKey(biz)) => Selector::Biz(biz),
            Some(wire::get_receipt_request::Selector::Payment(payment)) => Selector::Payment(payment),
            None => return Err(selector_missing()),
        };
        let (key, row, signed) = match self.find(system, selector)? {
            Found::Receipt(key, row, signed) => (key, row, signed),
            Found::Placeless(key, biz_key) => return self.placeless(key, biz_key),
            Found::Unknown => {
                let state = wire::ReceiptState::Unknown.into();
                return Ok(wire::GetReceiptResponse { state, ..wire::GetReceiptResponse::default() });
            }
        };
        let snapshot_height = self.snapshot_height();
        let snapshot = Height::new(snapshot_height);
        let record = &signed.record;
        let fate = fate(&self.journal, key).map_err(internal)?.as_of(snapshot);
        let (standing, reversed) = self.standing(key, fate, snapshot)?;
        let (refused_reason, block_height) = told_of(fate);
        let check_code = self.open_receipt(key)?.map(|(receipt, _)| receipt.issued.check_code.to_string());
        let erased_at = self.journal.erased_at(key).map_err(internal)?;
        Ok(wire::GetReceiptResponse {
            state: state_of(fate).into(),
            standing: standing.into(),
            key: Some(key_to_wire(key)),
            biz_key: Some(wire::BizKey { unit_code: self.unit_code(record.unit), biz_code: row.biz_code.clone() }),
            total_fen: record.total.get(),
            issue_time_ms: record.issue_time.get(),
            seal_by_ms: record.seal_by.get(),
            refused_reason,
            reversed_by: reversed.map(key_to_wire),
            reversal_of: record.reverses.map(key_to_wire),
            signed_record: Bytes::from(row.signed_record),
            block_height,
            snapshot_height,
            check_code: check_code.unwrap_or_default(),
            body_erased_at_ms: erased_at.map_or(0, UnixMillis::get),
            refused_advice: advice_of(fate),
        })
    }

    /// The proof file.
    pub(super) async fn get_bundle(
        &self,
        system: SystemId,
        request: wire::GetBundleRequest,
    ) -> Result<wire::GetBundleResponse, Refusal> {
        let key = self.bundle_key(system, request.selector)?;
        let bundle = self.bundler.assemble(key).await?;
        Ok(wire::GetBundleResponse { bundle: Bytes::from(bundle.bytes), snapshot_height: bundle.snapshot_height })
    }

    /// The receipt whose bundle, or whose document, a caller may have.
    pub(super) fn bundle_key(
        &self,
        system: SystemId,
        selector: Option<wire::get_bundle_request::Selector>,
    ) -> Result<ReceiptKey, Refusal> {
        let selector = match selector {
            Some(wire::get_bundle_request::Selector::Key(key)) => Selector::Key(key),
            Some(wire::get_bundle_request::Selector::BizKey(biz)) => Selector::Biz(biz),
            None => return Err(selector_missing()),
        };
        match self.find(system, selector)? {
            Found::Receipt(key, ..) => Ok(key),
            Found::Placeless(..) => Err(content_lost()),
            Found::Unknown => Err(Refusal::new(Reason::NotFoundOrMismatch)),
        }
    }

    /// One page of a unit's day.
    pub(super) fn list_receipts(
        &self,
        system: SystemId,
        request: &wire::ListReceiptsRequest,
    ) -> Result<wire::ListReceiptsResponse, Refusal> {
        let view = self.view();
        let mut place_code = request.place_code.clone();
        normalise_text(&mut place_code);
        let wanted_place = Some(place_code.as_str()).filter(|place| !place.is_empty());
        let unit = authorised_unit(&view, system, &request.unit_code, wanted_place)?;
        let day = day_of(&request.day)?;
        let rows_max = match request.page_limit {
            0 => PAGE_ROWS_DEFAULT,
            rows @ 1..=PAGE_ROWS_MAX => rows,
            _ => return Err(Refusal::field("page_limit", format!("is at most {PAGE_ROWS_MAX}"))),
        };
        let rows_max = usize::try_from(rows_max).unwrap_or(usize::MAX);
        let filter = format!("{}\n{day}\n{}", request.unit_code, request.place_code);
        let (snapshot, mut after) = match request.page_token.as_str() {
            "" => (Height::new(self.snapshot_height()), None),
            token => PageToken::read(token, &filter)?.parts()?,
        };
        let mut receipts = Vec::new();
        let mut more = true;
        let mut scanned = 0;
        while more && receipts.len() < rows_max && scanned < PAGE_SCAN_MAX {
            let rows = self.journal.day(unit.id, day, after, rows_max).map_err(internal)?;
            more = rows.len() == rows_max;
            for (key, place_code) in rows {
                if receipts.len() == rows_max {
                    more = true;
                    break;
                }
                scanned += 1;
                after = Some(key);
                let wanted = wanted_place.is_none_or(|wanted| wanted == place_code);
                if wanted && may_see(&view, system, unit.id, &place_code) {
                    receipts.push(self.summary(key, place_code, snapshot)?);
                }
            }
        }
        let next_page_token = match after.filter(|_| more) {
            Some(after) => PageToken::new(snapshot, after).write(&filter),
            None => String::new(),
        };
        Ok(wire::ListReceiptsResponse { receipts, next_page_token, snapshot_height: snapshot.get() })
    }

    /// Counts and sums of a unit's day, all its places together.
    pub(super) fn day_totals(
        &self,
        system: SystemId,
        request: &wire::DayTotalsRequest,
    ) -> Result<wire::DayTotalsResponse, Refusal> {
        let view = self.view();
        let unit = authorised_unit(&view, system, &request.unit_code, None)?;
        if !is_whole_unit(&view, system, unit.id) {
            return Err(Refusal::new(CallReason::NotDelegated).with_message(
                "totals are of the whole unit, and this system may act for single places of it; ListReceipts shows those",
            ));
        }
        let day = day_of(&request.day)?;
        let snapshot_height = self.snapshot_height();
        let mut total = wire::Totals::default();
        let mut by_kind: BTreeMap<(u32, u32), wire::Totals> = BTreeMap::new();
        for day_kind in self.journal.issued_kinds(unit.id, day, KINDS_MAX).map_err(internal)? {
            // Read the decided count before the issued count: a receipt that is decided between the two reads then counts as pending. The
            // other way round pending could come out below zero.
            let decided = self.journal.decided(day_kind).map_err(internal)?;
            let issued = self.journal.issued(day_kind).map_err(internal)?;
            let totals = totals_of(issued, decided);
            add(&mut total, &totals);
            add(by_kind.entry((day_kind.kind / 100 % 100, day_kind.kind % 100)).or_default(), &totals);
        }
        let by_kind = by_kind.into_iter().map(|((category, kind), totals)| wire::KindTotals {
            category,
            kind,
            totals: Some(totals),
        });
        Ok(wire::DayTotalsResponse { total: Some(total), by_kind: by_kind.collect(), snapshot_height })
    }

    /// That a receipt is on the ledger under this biz code, and what became of it: enough not to issue it twice. Nothing of its
    /// content, which may be another place's.
    fn placeless(&self, key: ReceiptKey, biz_key: wire::BizKey) -> Result<wire::GetReceiptResponse, Refusal> {
        let snapshot_height = self.snapshot_height();
        let snapshot = Height::new(snapshot_height);
        let fate = fate(&self.journal, key).map_err(internal)?.as_of(snapshot);
        let (standing, reversed) = self.standing(key, fate, snapshot)?;
        let (refused_reason, block_height) = told_of(fate);
        Ok(wire::GetReceiptResponse {
            state: state_of(fate).into(),
            standing: standing.into(),
            key: Some(key_to_wire(key)),
            biz_key: Some(biz_key),
            refused_reason,
            reversed_by: reversed.map(key_to_wire),
            block_height,
            snapshot_height,
            refused_advice: advice_of(fate),
            ..wire::GetReceiptResponse::default()
        })
    }

    /// The receipt, pending or sealed, that leaves no room for another one of this payment at this issuer.
    pub(super) fn paid(&self, unit: UnitId, payment: &mut wire::PaymentKey) -> Result<Option<ReceiptKey>, Refusal> {
        use wire::payment_key::Reference as R;
        let missing = || Refusal::new(CallReason::RequestInvalid).with_message("payment.reference is missing");
        let given = payment.reference.as_mut().ok_or_else(missing)?;
        // Normalise as Issue does: keys are hashes of the normalised text.
        normalise_text(match given {
            R::PayCode(text) | R::SettlementNumber(text) => text,
            R::Decision(decision) => &mut decision.penalty_decision_no,
        });
        let reference = match &*given {
            R::PayCode(code) => PaymentReference::PayCode(code),
            R::SettlementNumber(number) => PaymentReference::Settlement(number),
            R::Decision(decision) => {
                // A number above u16 breaks rule V15, so no receipt can have it.
                let Ok(instalment) = u16::try_from(decision.instalment) else { return Ok(None) };
                PaymentReference::Decision(&decision.penalty_decision_no, NonZeroU16::new(instalment))
            }
        };
        let mut holder = None;
        for key in self.keys.blinding.uniqueness_keys(reference) {
            holder = self.journal.receipted(unit, key).map_err(internal)?;
            if holder.is_some() {
                break;
            }
        }
        let Some(holder) = holder else { return Ok(None) };
        // The pay code may belong to another unit's receipt. Nothing is said about that one.
        let Some(row) = self.journal.receipt(holder).map_err(internal)? else { return Ok(None) };
        let signed = SignedRecord::decode(&row.signed_record).map_err(internal)?;
        Ok((signed.record.unit == unit).then_some(holder))
    }

    fn find(&self, system: SystemId, selector: Selector) -> Result<Found, Refusal> {
        let view = self.view();
        let (key, biz) = match selector {
            Selector::Key(key) => (key_from_wire(&key)?, None),
            Selector::Payment(mut payment) => {
                let unit = authorised_unit(&view, system, &payment.unit_code, None)?;
                let Some(key) = self.paid(unit.id, &mut payment)? else { return Ok(Found::Unknown) };
                (key, Some(wire::BizKey { unit_code: payment.unit_code, biz_code: String::new() }))
            }
            Selector::Biz(mut biz) => {
                normalise_text(&mut biz.biz_code);
                let unit = authorised_unit(&view, system, &biz.unit_code, None)?;
                let key = match self.journal.biz(unit.id, &biz.biz_code).map_err(internal)? {
                    Some(row) => row.key,
                    None => match self.adopted_key(unit.id, &biz.biz_code)? {
                        Some(key) => key,
                        None => return Ok(Found::Unknown),
                    },
                };
                (key, Some(biz))
            }
        };
        let Some(row) = self.journal.receipt(key).map_err(internal)? else { return Ok(Found::Unknown) };
        let signed = SignedRecord::decode(&row.signed_record).map_err(internal)?;
        if !may_see(&view, system, signed.record.unit, &row.place_code) {
            let placeless = biz.filter(|_| row.biz_code.is_empty());
            return Ok(placeless.map_or(Found::Unknown, |biz| Found::Placeless(key, biz)));
        }
        Ok(Found::Receipt(key, Box::new(row), Box::new(signed)))
    }

    pub(super) fn standing(
        &self,
        key: ReceiptKey,
        fate: Fate,
        snapshot: Height,
    ) -> Result<(wire::Standing, Option<ReceiptKey>), Refusal> {
        if !matches!(fate, Fate::Sealed { .. }) {
            return Ok((wire::Standing::Unspecified, None));
        }
        match reversed_by(&self.journal, key).map_err(internal)? {
            Some((red, height)) if height <= snapshot => Ok((wire::Standing::Reversed, Some(red))),
            _ => Ok((wire::Standing::InForce, None)),
        }
    }

    fn summary(&self, key: ReceiptKey, place_code: String, snapshot: Height) -> Result<wire::ReceiptSummary, Refusal> {
        let missing = || internal(format!("receipt {key} is missing"));
        let row = self.journal.receipt(key).map_err(internal)?.ok_or_else(missing)?;
        let record = SignedRecord::decode(&row.signed_record).map_err(internal)?.record;
        let fate = fate(&self.journal, key).map_err(internal)?.as_of(snapshot);
        let (standing, _) = self.standing(key, fate, snapshot)?;
        let refused_reason = match fate {
            Fate::Refused { reason, .. } => reason.as_str().to_owned(),
            _ => String::new(),
        };
        Ok(wire::ReceiptSummary {
            key: Some(key_to_wire(key)),
            biz_code: row.biz_code,
            place_code,
            state: state_of(fate).into(),
            standing: standing.into(),
            total_fen: record.total.get(),
            issue_time_ms: record.issue_time.get(),
            refused_reason,
            refused_advice: advice_of(fate),
        })
    }

    pub(super) fn unit_code(&self, unit: UnitId) -> String {
        self.view().unit(unit).map(|unit| unit.code.clone()).unwrap_or_default()
    }
}

/// The reason of a refusal, and the height of the deciding block.
pub(super) fn told_of(fate: Fate) -> (String, u64) {
    match fate {
        Fate::Pending => (String::new(), 0),
        Fate::Sealed { height, .. } => (String::new(), height.get()),
        Fate::Refused { reason, height } => (reason.as_str().to_owned(), height.get()),
    }
}

/// What it means that the ledger refused a receipt.
fn advice_of(fate: Fate) -> Option<wire::RefusedAdvice> {
    match fate {
        Fate::Refused { reason, .. } => Some(advice_if_refused(reason).to_wire()),
        Fate::Pending | Fate::Sealed { .. } => None,
    }
}

/// The receipt stands on the ledger, and its content was lost with a journal.
fn content_lost() -> Refusal {
    Refusal::new(CallReason::NotFound).with_message(
        "the ledger has this receipt, and its content was lost with an issuer's journal; Resubmit its acknowledgement first",
    )
    .with_advice(Stands::Yes, Place::BizCode, Action::Correct)
}

fn selector_missing() -> Refusal {
    Refusal::new(CallReason::RequestInvalid).with_message("the selector is missing")
}

/// `YYYY-MM-DD` as `yyyymmdd`.
fn day_of(text: &str) -> Result<u32, Refusal> {
    let day = CivilDate::parse(text).map_err(|error| Refusal::field("day", error.problem))?;
    Ok(u32::from(day.year()) * 10_000 + u32::from(day.month()) * 100 + u32::from(day.day()))
}

fn totals_of(issued: IssuedTally, decided: DecidedTally) -> wire::Totals {
    let refused = decided.refused;
    let refused_count = refused.blue_count + refused.red_count;
    let live = issued.blue_count.saturating_add(issued.red_count).saturating_sub(refused_count);
    wire::Totals {
        blue_count: issued.blue_count.saturating_sub(refused.blue_count),
        blue_sum_fen: issued.blue_fen.saturating_sub(refused.blue_fen),
        red_count: issued.red_count.saturating_sub(refused.red_count),
        red_sum_fen: issued.red_fen.saturating_sub(refused.red_fen),
        pending_count: live.saturating_sub(decided.sealed_count),
        refused_count,
    }
}

fn add(sum: &mut wire::Totals, part: &wire::Totals) {
    sum.blue_count = sum.blue_count.saturating_add(part.blue_count);
    sum.blue_sum_fen = sum.blue_sum_fen.saturating_add(part.blue_sum_fen);
    sum.red_count = sum.red_count.saturating_add(part.red_count);
    sum.red_sum_fen = sum.red_sum_fen.saturating_add(part.red_sum_fen);
    sum.pending_count = sum.pending_count.saturating_add(part.pending_count);
    sum.refused_count = sum.refused_count.saturating_add(part.refused_count);
}

/// `<height>.<code>.<number>.<check>`: the check binds it to its list. It grants nothing, so it needs no secret.
struct PageToken {
    height: u64,
    code: u32,
    number: u64,
}

impl PageToken {
    fn new(snapshot: Height, after: ReceiptKey) -> Self {
        Self { height: snapshot.get(), code: after.code.get(), number: after.number.get() }
    }

    fn write(&self, filter: &str) -> String {
        let body = format!("{}.{}.{}", self.height, self.code, self.number);
        let check = tagged("tallystick/page-token/v1", &[body.as_bytes(), b"\n", filter.as_bytes()]).to_string();
        format!("{body}.{}", &check[..16])
    }

    fn read(token: &str, filter: &str) -> Result<Self, Refusal> {
        let invalid = || Refusal::new(CallReason::PageTokenInvalid);
        let mut parts = token.split('.').map(str::parse::<u64>);
        let mut number = || parts.next().and_then(Result::ok).ok_or_else(invalid);
        let (height, code, number) = (number()?, number()?, number()?);
        let read = Self { height, code: u32::try_from(code).map_err(|_| invalid())?, number };
        if read.write(filter) == token { Ok(read) } else { Err(invalid()) }
    }

    fn parts(&self) -> Result<(Height, Option<ReceiptKey>), Refusal> {
        let invalid = |_| Refusal::new(CallReason::PageTokenInvalid);
        let code = ReceiptCode::new(self.code).map_err(invalid)?;
        let number = ReceiptNumber::new(self.number).map_err(invalid)?;
        Ok((Height::new(self.height), Some(ReceiptKey { code, number })))
    }
}
