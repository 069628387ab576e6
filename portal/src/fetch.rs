//! Fetching a receipt, by what stands on it or by what was paid, and the five typed elements.
//!
//! ```text
//! fields ─▶ rate of the source ─▶ room for a document ─▶ the issuer by the table ─▶ document · wait · give more · one refusal
//! ```
//! What somebody knows is judged by the issuer, which counts every try. "No such number" and "wrong check code" are one answer of one text,
//! whichever side says it. Nothing that was sent is kept or logged. Not here: how it is answered (`answers`), and how downloads wait
//! (`downloads`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use receipt_core::ids::{ReceiptCode, ReceiptNumber};
use receipt_core::reason::Reason;
use tallystick_proto::errors::{CallReason, ErrorReason, Refusal};
use tallystick_proto::issuer::v1::DecisionKey;
use tallystick_proto::portal::v1::elements_response::Answer as ElementsAnswer;
use tallystick_proto::portal::v1::fetch_by_reference_request::Reference;
use tallystick_proto::portal::v1::fetch_response::Answer as FetchAnswer;
use tallystick_proto::portal::v1::{
    Document, ElementsRequest, FetchByReferenceRequest, FetchRequest, FetchResponse, Format, Genuine, Try, Wait,
};
use tallystick_service::callers::{Network, Share, Shares};
use tonic::Status;

use crate::config::{DOCUMENT_BYTES_MAX, LimitsConfig};
use crate::input::Fields;
use crate::issuers::{IssuerClient, Issuers};
use crate::metrics::PortalMetrics;
use crate::rates::Rates;
use crate::reply::{Problem, ProblemKind};

const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Characters of any one field; a decision's number is the longest.
const TEXT_CHARS_MAX: usize = 100;

/// Asks issuers.
#[derive(Debug)]
pub(crate) struct Fetcher {
    issuers: Issuers,
    rates: Rates<Network>,
    /// Bytes of documents in memory.
    documents: Shares<Network>,
    metrics: PortalMetrics,
}

/// What became of a try.
#[derive(Debug)]
pub(crate) enum Fetched<T> {
    /// It is theirs.
    Here(T),
    /// The same again with this ticket, later.
    Wait(Wait),
    /// The same again with these fields, too.
    GiveMore(Vec<String>),
}

/// A receipt, and its place in memory.
#[derive(Debug)]
pub(crate) struct FetchedDocument {
    pub(crate) document: Document,
    pub(crate) place: Share<Network>,
}

/// What the five elements are answered with.
#[derive(Debug)]
pub(crate) struct FetchedElements {
    pub(crate) genuine: Genuine,
    pub(crate) file_name: String,
    pub(crate) place: Share<Network>,
}

impl Fetcher {
    /// Asks these issuers.
    pub(crate) fn new(issuers: Issuers, limits: &LimitsConfig, metrics: PortalMetrics) -> Self {
        let of_one = (limits.source_fetches_per_minute_max, Duration::from_secs(60));
        let rates = Rates::new(of_one, limits.fetches_per_second_max);
        // One source may have several receipts, and never all of the room.
        let share = (limits.documents_bytes_max / 4).max(DOCUMENT_BYTES_MAX);
        let documents = Shares::new(limits.documents_bytes_max, share);
        Self { issuers, rates, documents, metrics }
    }

    /// Of who has the receipt: `code`, `number`, `check_code`, and if asked for `date` and `total`; `format`, `page`, `ticket`.
    pub(crate) async fn by_face(
        &self,
        mut fields: Fields,
        source: Network,
    ) -> Result<Fetched<FetchedDocument>, Problem> {
        let (code, number) = key_of(&mut fields)?;
        let request = FetchRequest {
            attempt: Some(self.attempt(&mut fields, source)?),
            receipt_code: code.to_string(),
            receipt_number: number.to_string(),
            check_code: text(&mut fields, "check_code")?,
            issue_date: fields.take("date").unwrap_or_default(),
            total_fen: optional_fen(&mut fields)?,
            format: format_of(&mut fields)?.into(),
            page: page_of(&mut fields)?,
        };
        fields.end()?;
        let place = self.begin(source)?;
        let mut client = self.issuers.of_receipt(code, number).ok_or(Problem::new(ProblemKind::NoMatch))?;
        let response = self.heard(client.fetch(request).await)?;
        fetched(response.into_inner(), place)
    }

    /// Of who has lost it: `unit_code`, one `reference` of a `kind` (and `instalment`), `last_four`, and if asked for `date` and `total`.
    pub(crate) async fn by_reference(
        &self,
        mut fields: Fields,
        source: Network,
    ) -> Result<Fetched<FetchedDocument>, Problem> {
        let unit_code = text(&mut fields, "unit_code")?;
        let mut attempt = self.attempt(&mut fields, source)?;
        let ticket = UnitTicket::read(std::mem::take(&mut attempt.ticket));
        let request = FetchByReferenceRequest {
            attempt: Some(attempt),
            unit_code: unit_code.clone(),
            reference: Some(reference_of(&mut fields)?),
            payer_id_last_four: text(&mut fields, "last_four")?,
            issue_date: fields.take("date").unwrap_or_default(),
            total_fen: optional_fen(&mut fields)?,
            format: format_of(&mut fields)?.into(),
            page: page_of(&mut fields)?,
        };
        fields.end()?;
        let place = self.begin(source)?;
        ask_in_turn(self.issuers.of_unit(&unit_code), &request, (ticket, place), &self.metrics).await
    }

    /// The five elements: `code`, `number`, `check_code`, `date`, `total`.
    pub(crate) async fn elements(
        &self,
        mut fields: Fields,
        source: Network,
    ) -> Result<Fetched<FetchedElements>, Problem> {
        let (code, number) = key_of(&mut fields)?;
        let request = ElementsRequest {
            attempt: Some(self.attempt(&mut fields, source)?),
            receipt_code: code.to_string(),
            receipt_number: number.to_string(),
            check_code: text(&mut fields, "check_code")?,
            issue_date: text(&mut fields, "date")?,
            total_fen: fields.need("total", fen_of)?,
        };
        fields.end()?;
        let mut place = self.begin(source)?;
        let mut client = self.issuers.of_receipt(code, number).ok_or(Problem::new(ProblemKind::NoMatch))?;
        let response = self.heard(client.elements(request).await)?;
        match response.into_inner().answer {
            Some(ElementsAnswer::Genuine(genuine)) => {
                place.keep(genuine.bundle.len().saturating_add(genuine.signed_record.len()));
                Ok(Fetched::Here(FetchedElements { genuine, file_name: format!("{code}-{number}.tally"), place }))
            }
            Some(ElementsAnswer::Wait(wait)) => Ok(Fetched::Wait(wait)),
            None => Err(Problem::new(ProblemKind::NoIssuer)),
        }
    }

    /// Who asks, as the issuer is told.
    fn attempt(&self, fields: &mut Fields, source: Network) -> Result<Try, Problem> {
        if self.issuers.is_empty() {
            return Err(Problem::new(ProblemKind::NotFound));
        }
        let ticket = fields.take("ticket").map_or(Some(Vec::new()), |text| hex::decode(text).ok());
        let ticket = ticket.ok_or(Problem::new(ProblemKind::Form))?;
        Ok(Try { source: self.issuers.name_of(source).into(), ticket: ticket.into() })
    }

    fn heard<T>(&self, said: Result<tonic::Response<T>, Status>) -> Result<tonic::Response<T>, Problem> {
        heard(said, &self.metrics)
    }

    /// Counts the try, and makes room for a document.
    fn begin(&self, source: Network) -> Result<Share<Network>, Problem> {
        self.rates.take(source).map_err(|wait| {
            self.metrics.turn_away("fetches");
            Problem::after(ProblemKind::TooOften, wait)
        })?;
        self.documents.try_acquire(source, DOCUMENT_BYTES_MAX).ok_or_else(|| {
            self.metrics.turn_away("documents");
            Problem::after(ProblemKind::Busy, BUSY_WAIT)
        })
    }
}

/// A ticket of one of a unit's issuers: its number, whether one before it could not say, and what it gave. At another issuer it would be void,
/// and a new try.
#[derive(Default)]
struct UnitTicket {
    issuer: Option<u32>,
    /// Then it is not known that nobody has it, whatever this one and those behind it say.
    is_open: bool,
    ticket: Bytes,
}

impl UnitTicket {
    fn read(bytes: Bytes) -> Self {
        match bytes.split_first_chunk::<5>() {
            Some(([id @ .., is_open], rest)) => Self {
                issuer: Some(u32::from_be_bytes(*id)),
                is_open: *is_open != 0,
                ticket: Bytes::copy_from_slice(rest),
            },
            None => Self::default(),
        }
    }

    fn written(issuer: u32, is_open: bool, ticket: &[u8]) -> Bytes {
        [&issuer.to_be_bytes()[..], &[u8::from(is_open)], ticket].concat().into()
    }
}

/// Each issuer of the unit is asked, until one has it: which of them did is nobody's to know beforehand. Whoever waits at one goes on there: those
/// before it have said that they do not have it, or could not say.
async fn ask_in_turn(
    issuers: Vec<(u32, IssuerClient)>,
    request: &FetchByReferenceRequest,
    (ticket, place): (UnitTicket, Share<Network>),
    metrics: &PortalMetrics,
) -> Result<Fetched<FetchedDocument>, Problem> {
    let from = ticket.issuer.filter(|from| issuers.iter().any(|(id, _)| id == from));
    let mut problem = match from {
        Some(_) if ticket.is_open => Problem::after(ProblemKind::NoIssuer, BUSY_WAIT),
        _ => Problem::new(ProblemKind::NoMatch),
    };
    for (id, mut client) in issuers.into_iter().skip_while(|(id, _)| from.is_some_and(|from| from != *id)) {
        let mut request = request.clone();
        if let Some(attempt) = request.attempt.as_mut().filter(|_| from == Some(id)) {
            attempt.ticket = ticket.ticket.clone();
        }
        match heard(client.fetch_by_reference(request).await, metrics) {
            Ok(response) => {
                let fetched = fetched(response.into_inner(), place)?;
                return Ok(match fetched {
                    Fetched::Wait(wait) => {
                        let ticket = UnitTicket::written(id, problem.kind != ProblemKind::NoMatch, &wait.ticket);
                        Fetched::Wait(Wait { ticket, ..wait })
                    }
                    other => other,
                });
            }
            Err(said) if said.kind == ProblemKind::NoMatch => {}
            // One that cannot say keeps nobody from the next; but then it is not known that nobody has it.
            Err(said) if said.kind.is_of_the_issuer() => problem = said,
            // It knows the receipt, and asking another one would be a wrong try there.
            Err(said) => return Err(said),
        }
    }
    Err(problem)
}

fn fetched(response: FetchResponse, mut place: Share<Network>) -> Result<Fetched<FetchedDocument>, Problem> {
    match response.answer {
        Some(FetchAnswer::Document(document)) => {
            place.keep(document.content.len());
            Ok(Fetched::Here(FetchedDocument { document, place }))
        }
        Some(FetchAnswer::Wait(wait)) => Ok(Fetched::Wait(wait)),
        Some(FetchAnswer::GiveMore(more)) => Ok(Fetched::GiveMore(more.fields)),
        None => Err(Problem::new(ProblemKind::NoIssuer)),
    }
}

/// What an issuer said, counted: a line in the log for each person who meets a dead issuer would be a flood.
fn heard<T>(said: Result<tonic::Response<T>, Status>, metrics: &PortalMetrics) -> Result<tonic::Response<T>, Problem> {
    let problem = said.as_ref().err().map(problem_of);
    metrics.issuer_answered(match (&said, &problem) {
        (Err(status), _) if Refusal::from_status(status).is_none() => {
            tracing::debug!(code = ?status.code(), "an issuer did not answer");
            "unavailable"
        }
        (_, Some(problem)) if problem.kind == ProblemKind::NoIssuer => "refused",
        _ => "answered",
    });
    said.map_err(|_| problem.unwrap_or(Problem::new(ProblemKind::NoIssuer)))
}

/// What an issuer's refusal is to the person. To whoever did not give the right details they are all of one kind.
fn problem_of(status: &Status) -> Problem {
    let Some(refusal) = Refusal::from_status(status) else { return Problem::after(ProblemKind::NoIssuer, BUSY_WAIT) };
    let wait = refusal.retry_after_ms.map(Duration::from_millis);
    let kind = match refusal.reason {
        ErrorReason::Core(Reason::NotFoundOrMismatch) => ProblemKind::NoMatch,
        ErrorReason::Core(Reason::RateLimited) => ProblemKind::TooOften,
        ErrorReason::Core(Reason::InProgress) => ProblemKind::NotSealed,
        ErrorReason::Core(Reason::LedgerUnavailable) | ErrorReason::Call(CallReason::NotReady) => ProblemKind::NoNode,
        ErrorReason::Core(Reason::FieldInvalid) | ErrorReason::Call(CallReason::RequestInvalid) => ProblemKind::Form,
        ErrorReason::Call(CallReason::NoDocument) => ProblemKind::NoDocument,
        ErrorReason::Core(Reason::Overloaded) => ProblemKind::Busy,
        ErrorReason::Core(reason) => return Problem::refused(reason),
        ErrorReason::Call(reason) => {
            tracing::warn!(reason = reason.as_str(), "an issuer refused a portal's call");
            ProblemKind::NoIssuer
        }
    };
    Problem { retry_after: wait.filter(|_| kind.may_be_repeated()), ..Problem::new(kind) }
}

fn key_of(fields: &mut Fields) -> Result<(ReceiptCode, ReceiptNumber), Problem> {
    let code = fields.need("code", |text| ReceiptCode::parse(text).ok())?;
    let number = fields.need("number", |text| ReceiptNumber::parse(text).ok())?;
    Ok((code, number))
}

fn text(fields: &mut Fields, name: &str) -> Result<String, Problem> {
    fields.need(name, |text| {
        let text = text.trim();
        (!text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX).then(|| text.to_owned())
    })
}

fn optional_fen(fields: &mut Fields) -> Result<Option<i64>, Problem> {
    let total = fields.take("total");
    total.map(|text| fen_of(&text).ok_or(Problem::new(ProblemKind::Form))).transpose()
}

/// An amount as people write it, in yuan: `385.37`, `-385.4`, `¥1,385`; in 分.
fn fen_of(text: &str) -> Option<i64> {
    let text: String = text.trim().trim_start_matches(['¥', '￥']).chars().filter(|c| *c != ',').collect();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
    let (yuan, fen) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if yuan.is_empty() || yuan.len() > 12 || fen.len() > 2 || !all_digits(yuan) || !all_digits(fen) {
        return None;
    }
    let fen: i64 = format!("{fen:0<2}").parse().ok()?;
    Some(sign * (yuan.parse::<i64>().ok()? * 100 + fen))
}

fn format_of(fields: &mut Fields) -> Result<Format, Problem> {
    match fields.take("format").as_deref() {
        None | Some("bundle") => Ok(Format::Bundle),
        Some("pdf") => Ok(Format::Pdf),
        Some("ofd") => Ok(Format::Ofd),
        Some("xml") => Ok(Format::Xml),
        Some("png") => Ok(Format::Png),
        Some(_) => Err(Problem::new(ProblemKind::Form)),
    }
}

fn page_of(fields: &mut Fields) -> Result<u32, Problem> {
    let page = fields.take("page").map_or(Some(0), |text| text.parse().ok().filter(|page| *page < 1000));
    page.ok_or(Problem::new(ProblemKind::Form))
}

fn reference_of(fields: &mut Fields) -> Result<Reference, Problem> {
    let kind = fields.take("kind");
    let instalment = fields.take("instalment").filter(|text| !text.trim().is_empty());
    let instalment = instalment.map_or(Some(0), |text| text.trim().parse().ok());
    let reference = text(fields, "reference")?;
    let form = Problem::new(ProblemKind::Form);
    match (kind.as_deref(), instalment.ok_or(form.clone())?) {
        (Some("pay_code"), 0) => Ok(Reference::PayCode(reference)),
        (Some("settlement_number"), 0) => Ok(Reference::SettlementNumber(reference)),
        (Some("biz_code"), 0) => Ok(Reference::BizCode(reference)),
        (Some("decision"), instalment) => {
            Ok(Reference::Decision(DecisionKey { penalty_decision_no: reference, instalment }))
        }
        _ => Err(form),
    }
}

/// A download of a fetched document.
pub(crate) fn download_of(fetched: FetchedDocument) -> crate::downloads::Download {
    let FetchedDocument { document, place } = fetched;
    let Document { content, media_type, file_name, .. } = document;
    crate::downloads::Download { content, media_type, file_name, place: Arc::new(place) }
}

/// A download of the bundle beside the five elements; `None` without one.
pub(crate) fn bundle_of(elements: FetchedElements) -> Option<crate::downloads::Download> {
    let FetchedElements { genuine, file_name, place } = elements;
    let content: Bytes = Some(genuine.bundle).filter(|bundle| !bundle.is_empty())?;
    let media_type = "application/octet-stream".to_owned();
    Some(crate::downloads::Download { content, media_type, file_name, place: Arc::new(place) })
}

#[cfg(test)]
mod tests;
