//! Fetching a receipt for somebody who shows that it is theirs: what the portal asks.
//!
//! ```text
//! form ─▶ clock ─▶ counted, placed (`tries`) ─▶ looked up ─▶ compared ─┬─ fits ─▶ taken back ─▶ the receipt
//!                                                                      └─ else ─▶ one answer, at one moment
//! ```
//! Up to the comparison nothing depends on whether there is such a receipt: not the writes, not the answers. A receipt that is not there is
//! compared with one that nobody has. What does not fit is answered [`NO_MATCH_AFTER`] after it arrived, whatever was looked up meanwhile.
//!
//! Not here: how a place is found (`tries`), and who may call (the role `portal` alone).

use std::time::Duration;

use bytes::Bytes;
use receipt_core::blind::PaymentReference;
use receipt_core::hash::Hash;
use receipt_core::ids::{Fen, Height, ReceiptCode, ReceiptKey, ReceiptNumber, UnitId};
use receipt_core::reason::Reason;
use receipt_core::receipt::chars::normalise_text;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::model::{CheckCode, Receipt};
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::issuer::v1 as issuer;
use tallystick_proto::portal::v1 as wire;
use tallystick_service::identity::PeerIdentity;
use tokio::time::Instant;

use super::answers::state_of;
use super::fetched::Fetched;
use super::queries::told_of;
use super::{ApiContext, key_to_wire};
use crate::documents::Kind;
use crate::failure::internal;
use crate::fate::fate;
use crate::issue::content_hash;
use crate::journal::ReceiptReads as _;
use crate::metrics::TryAnswer;
use crate::tries::ticket::{Admission, GOOD_FOR_MS};
use crate::tries::{Lane, Place};
use crate::try_desk::Attempt;

/// When a try that does not fit is answered. All that is done for it takes less, but for a disk that is slow to take the count.
const NO_MATCH_AFTER: Duration = Duration::from_millis(300);
/// Characters of the end of an identity number.
const ID_END_CHARACTERS: usize = 4;

/// What is shown to be known of a receipt.
struct Details {
    secret: Secret,
    issue_date: Option<CivilDate>,
    total: Option<Fen>,
}

/// What the holder alone knows.
enum Secret {
    CheckCode(String),
    PayerIdEnd([u8; ID_END_CHARACTERS]),
}

/// What details are compared with.
#[derive(Clone, Copy)]
struct Known {
    check_code: CheckCode,
    payer_id_end: [u8; ID_END_CHARACTERS],
    issue_date: Option<CivilDate>,
    total: Fen,
}

impl Known {
    fn of(receipt: &Receipt) -> Self {
        Self {
            check_code: receipt.issued.check_code,
            payer_id_end: id_end(&receipt.draft.payer_code).unwrap_or_default(),
            issue_date: Some(receipt.draft.issue_date),
            total: receipt.draft.total_amount,
        }
    }

    /// Of a receipt that is not there. That these details fit it is no matter: see [`Details::fit`].
    fn nobodys(details: &Details) -> Self {
        Self {
            check_code: CheckCode::from_random(0),
            payer_id_end: [0; ID_END_CHARACTERS],
            issue_date: details.issue_date,
            total: details.total.unwrap_or(Fen::new(0)),
        }
    }
}

impl Details {
    fn lane(&self) -> Lane {
        let has_face = self.issue_date.is_some() && self.total.is_some();
        match (&self.secret, has_face) {
            (Secret::CheckCode(_), false) => Lane::Code,
            (Secret::CheckCode(_), true) => Lane::CodeAndFace,
            (Secret::PayerIdEnd(_), false) => Lane::Reference,
            (Secret::PayerIdEnd(_), true) => Lane::ReferenceAndFace,
        }
    }

    /// Whether all that is given fits, in time that does not depend on what does not, or on whether there is a receipt.
    fn fit(&self, receipt: Option<&Known>) -> bool {
        let nobodys = Known::nobodys(self);
        let known = receipt.unwrap_or(&nobodys);
        let secret = match &self.secret {
            Secret::CheckCode(typed) => known.check_code.matches(typed),
            Secret::PayerIdEnd(typed) => {
                known.payer_id_end.iter().zip(typed).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
            }
        };
        let date = self.issue_date.is_none() | (self.issue_date == known.issue_date);
        let total = self.total.is_none_or(|total| total == known.total);
        secret & date & total & receipt.is_some()
    }
}

/// Who asks, with which ticket, and since when.
struct Asker {
    source: [u8; 16],
    ticket: Bytes,
    arrived: Instant,
}

impl Asker {
    /// The ticket is taken out of the request: it is bound to what the request is without it.
    fn of(attempt: &mut Option<wire::Try>, arrived: Instant) -> Result<Self, Refusal> {
        let attempt = attempt.as_mut().ok_or_else(|| Refusal::field("attempt", "is required"))?;
        let source = attempt.source.as_ref().try_into();
        let source =
            source.map_err(|_| Refusal::field("attempt.source", "is 16 bytes: a keyed hash of the address"))?;
        Ok(Self { source, ticket: std::mem::take(&mut attempt.ticket), arrived })
    }
}

/// One request, as far as its place goes.
struct Asking {
    lane: Lane,
    bucket: u16,
    asker: Asker,
    question: Hash,
}

/// What became of a try.
enum Outcome {
    Fits(ReceiptKey),
    Wait(wire::Wait),
    GiveMore,
}

impl ApiContext {
    /// The receipt by what stands on its face.
    pub(super) async fn fetch(
        &self,
        caller: Option<&PeerIdentity>,
        mut request: wire::FetchRequest,
    ) -> Result<Fetched, Refusal> {
        let arrived = Instant::now();
        let form = self.form_of(request.format, request.page)?;
        let key = key_of(&request.receipt_code, &request.receipt_number)?;
        let details = Details {
            secret: check_code(&request.check_code)?,
            issue_date: date_of(&request.issue_date)?,
            total: request.total_fen.map(Fen::new),
        };
        let asker = Asker::of(&mut request.attempt, arrived)?;
        let asking = self.asking(asker, &details, content_hash("Fetch", &request), &face_target(key));
        let outcome = self.try_for(asking, &details, || Ok(Some(key))).await?;
        self.fetched(outcome, form, caller).await
    }

    /// The receipt by what was paid.
    pub(super) async fn fetch_by_reference(
        &self,
        caller: Option<&PeerIdentity>,
        mut request: wire::FetchByReferenceRequest,
    ) -> Result<Fetched, Refusal> {
        let arrived = Instant::now();
        let form = self.form_of(request.format, request.page)?;
        let given = request.payer_id_last_four.as_str();
        let end = id_end(given).filter(|_| given.len() == ID_END_CHARACTERS);
        let details = Details {
            secret: Secret::PayerIdEnd(
                end.ok_or_else(|| Refusal::field("payer_id_last_four", "is 4 digits or letters"))?,
            ),
            issue_date: date_of(&request.issue_date)?,
            total: request.total_fen.map(Fen::new),
        };
        let asker = Asker::of(&mut request.attempt, arrived)?;
        let question = content_hash("FetchByReference", &request);
        let mut reference = Reference::read(request)?;
        let asking = self.asking(asker, &details, question, &self.reference_target(&reference));
        let outcome = self.try_for(asking, &details, || self.referred(&mut reference)).await?;
        self.fetched(outcome, form, caller).await
    }

    /// The five elements.
    pub(super) async fn elements(&self, mut request: wire::ElementsRequest) -> Result<wire::ElementsResponse, Refusal> {
        use wire::elements_response::Answer;
        let arrived = Instant::now();
        let key = key_of(&request.receipt_code, &request.receipt_number)?;
        let date = date_of(&request.issue_date)?.ok_or_else(|| Refusal::field("issue_date", "is required"))?;
        let details = Details {
            secret: check_code(&request.check_code)?,
            issue_date: Some(date),
            total: Some(Fen::new(request.total_fen)),
        };
        let asker = Asker::of(&mut request.attempt, arrived)?;
        let asking = self.asking(asker, &details, content_hash("Elements", &request), &face_target(key));
        let answer = match self.try_for(asking, &details, || Ok(Some(key))).await? {
            Outcome::Fits(key) => Answer::Genuine(self.genuine(key).await?),
            Outcome::Wait(wait) => Answer::Wait(wait),
            // Nothing more can be given than all five.
            Outcome::GiveMore => return Err(Refusal::new(Reason::RateLimited)),
        };
        Ok(wire::ElementsResponse { answer: Some(answer) })
    }

    fn asking(&self, asker: Asker, details: &Details, question: Hash, target: &[u8]) -> Asking {
        Asking { lane: details.lane(), bucket: self.tickets.bucket(target), asker, question }
    }

    /// Counts a try, and judges it when it is its turn.
    async fn try_for(
        &self,
        asking: Asking,
        details: &Details,
        look_up: impl FnOnce() -> Result<Option<ReceiptKey>, Refusal> + Send,
    ) -> Result<Outcome, Refusal> {
        let lane = asking.lane;
        let judged = self.place_and_compare(asking, details, look_up).await;
        self.metrics.fetching.answered(
            lane,
            match &judged {
                Ok(Outcome::Fits(_)) => TryAnswer::Fits,
                Ok(Outcome::Wait(_)) => TryAnswer::Wait,
                Ok(Outcome::GiveMore) => TryAnswer::GiveMore,
                Err(refusal) if refusal.reason == Reason::NotFoundOrMismatch.into() => TryAnswer::NoMatch,
                Err(refusal) if refusal.reason == Reason::RateLimited.into() => TryAnswer::TooOften,
                Err(_) => TryAnswer::Failed,
            },
        );
        judged
    }

    async fn place_and_compare(
        &self,
        asking: Asking,
        details: &Details,
        look_up: impl FnOnce() -> Result<Option<ReceiptKey>, Refusal> + Send,
    ) -> Result<Outcome, Refusal> {
        let Asking { lane, bucket, asker: Asker { source, ticket, arrived }, question } = asking;
        let now = self.reliable_now()?;
        let attempt = Attempt { lane, bucket, source };
        // A ticket's try was counted when it was given.
        let has_ticket = match self.tickets.admission(&ticket, &question, now) {
            Admission::Judged => true,
            Admission::Early(wait_ms) => return Ok(Outcome::Wait(wait(ticket, wait_ms))),
            Admission::Void => match self.tries.count(attempt).await? {
                Place::Now => false,
                Place::At(from) => {
                    let ticket = Bytes::from(self.tickets.ticket(&question, from));
                    return Ok(Outcome::Wait(wait(ticket, from.since(now))));
                }
                Place::GiveMore => return Ok(Outcome::GiveMore),
                Place::TooOften(retry_ms) => {
                    let message = "this source has tried too often; the request was not judged";
                    return Err(Refusal::new(Reason::RateLimited).with_message(message).with_retry_after_ms(retry_ms));
                }
            },
        };
        let (key, known) = tokio::task::block_in_place(|| {
            let key = look_up()?;
            let opened = key.map(|key| self.open_receipt(key)).transpose()?.flatten();
            Ok::<_, Refusal>((key, opened.map(|(receipt, _)| Known::of(&receipt))))
        })?;
        let fits = details.fit(known.as_ref());
        match key.filter(|_| fits) {
            Some(key) => {
                if !has_ticket || self.tickets.is_first_use(&ticket, now) {
                    self.tries.take_back(attempt);
                }
                Ok(Outcome::Fits(key))
            }
            None => {
                tokio::time::sleep_until(arrived + NO_MATCH_AFTER).await;
                Err(Refusal::new(Reason::NotFoundOrMismatch))
            }
        }
    }

    async fn fetched(
        &self,
        outcome: Outcome,
        form: Option<Kind>,
        caller: Option<&PeerIdentity>,
    ) -> Result<Fetched, Refusal> {
        use wire::fetch_response::Answer;
        let mut room = None;
        let answer = match outcome {
            Outcome::Fits(key) => {
                let (document, held) = self.file_of(key, form, caller).await?;
                room = held;
                Answer::Document(document)
            }
            Outcome::Wait(wait) => Answer::Wait(wait),
            Outcome::GiveMore => {
                Answer::GiveMore(wire::GiveMore { fields: vec!["issue_date".to_owned(), "total_fen".to_owned()] })
            }
        };
        Ok(Fetched { response: wire::FetchResponse { answer: Some(answer) }, room })
    }

    async fn genuine(&self, key: ReceiptKey) -> Result<wire::Genuine, Refusal> {
        let missing = || internal(format!("receipt {key} is missing"));
        let snapshot_height = self.snapshot_height();
        let snapshot = Height::new(snapshot_height);
        let row = self.journal.receipt(key).map_err(internal)?.ok_or_else(missing)?;
        let fate = fate(&self.journal, key).map_err(internal)?.as_of(snapshot);
        let (standing, reversed) = self.standing(key, fate, snapshot)?;
        let (refused_reason, _) = told_of(fate);
        let state = state_of(fate);
        // Without a node the answer goes without the proof: the receipt is sealed all the same.
        let bundle = match state {
            issuer::ReceiptState::Sealed => self.bundler.assemble(key).await.map(|bundle| bundle.bytes),
            _ => Ok(Vec::new()),
        };
        Ok(wire::Genuine {
            state: state.into(),
            standing: standing.into(),
            reversed_by: reversed.map(key_to_wire),
            refused_reason,
            signed_record: Bytes::from(row.signed_record),
            bundle: Bytes::from(bundle.unwrap_or_default()),
            snapshot_height,
        })
    }

    /// The receipt that holds what was paid, if this issuer has it.
    fn referred(&self, reference: &mut Reference) -> Result<Option<ReceiptKey>, Refusal> {
        let Some(unit) = self.view().unit_by_code(reference.unit_code()).map(|unit| unit.id) else { return Ok(None) };
        match reference {
            Reference::Payment(payment) => self.paid(unit, payment),
            Reference::BizCode { biz_code, .. } => self.of_biz_code(unit, biz_code),
        }
    }

    fn of_biz_code(&self, unit: UnitId, biz_code: &str) -> Result<Option<ReceiptKey>, Refusal> {
        match self.journal.biz(unit, biz_code).map_err(internal)? {
            Some(row) => Ok(Some(row.key)),
            None => self.adopted_key(unit, biz_code),
        }
    }

    /// What a reference is counted under: the same in whatever way it is written, and for every instalment of a decision.
    fn reference_target(&self, reference: &Reference) -> Vec<u8> {
        use issuer::payment_key::Reference as R;
        let unit = reference.unit_code().as_bytes();
        let of = |payment: PaymentReference<'_>| self.keys.blinding.uniqueness_keys(payment).next();
        let unique = match reference {
            Reference::Payment(payment) => match &payment.reference {
                Some(R::PayCode(code)) => of(PaymentReference::PayCode(code)),
                Some(R::SettlementNumber(number)) => of(PaymentReference::Settlement(number)),
                Some(R::Decision(decision)) => of(PaymentReference::Decision(&decision.penalty_decision_no, None)),
                None => None,
            },
            Reference::BizCode { biz_code, .. } => return [b"biz\n", unit, b"\n", biz_code.as_bytes()].concat(),
        };
        let (kind, hash) = unique.map_or((0, [0; 16]), |unique| (unique.kind.number(), unique.hash));
        [b"paid\n", unit, b"\n", &[kind][..], &hash].concat()
    }
}

/// What was paid, as a payer names it. Whoever shows a part of a receipt must not show such a reference beside the payer's code:
/// `receipt_core::bundle` lists them by the content's fields, so a further one belongs there, too (docs/spec/presentation.md).
enum Reference {
    Payment(issuer::PaymentKey),
    BizCode { unit_code: String, biz_code: String },
}

impl Reference {
    fn read(request: wire::FetchByReferenceRequest) -> Result<Self, Refusal> {
        use issuer::payment_key::Reference as R;
        use wire::fetch_by_reference_request::Reference as Given;
        const CHARACTERS_MAX: usize = 200;
        let unit_code = request.unit_code;
        let missing = || Refusal::new(CallReason::RequestInvalid).with_message("the reference is missing");
        let mut given = request.reference.ok_or_else(missing)?;
        let (field, text) = match &mut given {
            Given::PayCode(text) => ("pay_code", text),
            Given::SettlementNumber(text) => ("settlement_number", text),
            Given::Decision(decision) => ("decision.penalty_decision_no", &mut decision.penalty_decision_no),
            Given::BizCode(text) => ("biz_code", text),
        };
        normalise_text(text);
        if text.is_empty() || text.chars().count() > CHARACTERS_MAX {
            return Err(Refusal::field(field, format!("has 1 to {CHARACTERS_MAX} characters")));
        }
        let reference = match given {
            Given::PayCode(code) => R::PayCode(code),
            Given::SettlementNumber(number) => R::SettlementNumber(number),
            Given::Decision(decision) => R::Decision(decision),
            Given::BizCode(biz_code) => return Ok(Self::BizCode { unit_code, biz_code }),
        };
        Ok(Self::Payment(issuer::PaymentKey { unit_code, reference: Some(reference) }))
    }

    fn unit_code(&self) -> &str {
        match self {
            Self::Payment(payment) => &payment.unit_code,
            Self::BizCode { unit_code, .. } => unit_code,
        }
    }
}

/// The end of an identity number in capitals, if it is long enough and not masked there.
fn id_end(number: &str) -> Option<[u8; ID_END_CHARACTERS]> {
    let end = number.as_bytes().last_chunk::<ID_END_CHARACTERS>()?;
    end.iter().all(u8::is_ascii_alphanumeric).then(|| end.map(|byte| byte.to_ascii_uppercase()))
}

fn key_of(code: &str, number: &str) -> Result<ReceiptKey, Refusal> {
    let field = |error: receipt_core::ids::IdError| Refusal::field(error.what, error.problem);
    Ok(ReceiptKey {
        code: ReceiptCode::parse(code).map_err(field)?,
        number: ReceiptNumber::parse(number).map_err(field)?,
    })
}

/// As somebody types it: capitals are no other letters.
fn check_code(typed: &str) -> Result<Secret, Refusal> {
    let typed = typed.to_ascii_lowercase();
    CheckCode::parse(&typed).map_err(|error| Refusal::field(error.what, error.problem))?;
    Ok(Secret::CheckCode(typed))
}

fn date_of(text: &str) -> Result<Option<CivilDate>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    CivilDate::parse(text).map(Some).map_err(|error| Refusal::field("issue_date", error.problem))
}

fn face_target(key: ReceiptKey) -> Vec<u8> {
    [b"face\n", &crate::journal::receipt_key_bytes(key)[..]].concat()
}

fn wait(ticket: Bytes, wait_ms: u64) -> wire::Wait {
    let whole = |millis: u64| u32::try_from(millis).unwrap_or(u32::MAX);
    wire::Wait { ticket, wait_ms: whole(wait_ms), good_for_ms: whole(GOOD_FOR_MS) }
}
