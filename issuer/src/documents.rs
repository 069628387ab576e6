//! Receipts as documents for people: draws what `bundle` has proved.
//!
//! A document says what the bundle proves of the receipt's state, so that a reversed one is never drawn as if it were in force (XML has it in its
//! bundle alone); of a chain for tests it says that, because genesis does. Fonts are read once and held; a drawing runs outside of the tasks that serve calls.
//!
//! Bounds: two drawings at once, one of a caller, the others wait; what a drawing may take ([`DRAWING_BYTES`]) counts
//! in `memory_bytes_max`, and what it made, until its caller has taken it. A document that is larger than a message is refused.
//!
//! Not here: how a receipt looks (`tallystick-document`), who may have it (`api`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use receipt_core::code::Host;
use receipt_core::genesis::Genesis;
use receipt_core::ids::ReceiptKey;
use receipt_core::reason::Reason;
use receipt_core::suite::ChainId;
use tallystick_document::{
    Code, Face, FaceOptions, Facts, FontSource, Fonts, OfdError, Paper, PdfError, State, Template, ofd, pdf, png_page,
    slip, xml,
};
use tallystick_proto::errors::{Action, CallReason, Place as Where, Refusal, Stands};
use tallystick_service::callers::{Place, Places};
use tallystick_service::config_key::{KeyError, OfKey as _};
use tallystick_service::durable;
use tallystick_service::identity::PeerIdentity;

use crate::bundle::{AssembledBundle, Bundler};
use crate::config::DocumentsSettings;
use crate::failure::internal;
use crate::memory::{DOCUMENT_BYTES_MAX, DRAWING_BYTES, DRAWINGS_BYTES_MAX};

/// Of all drawings, and documents that their callers have not taken yet, those of one caller.
const CALLER_BYTES_MAX: usize = DRAWING_BYTES + DOCUMENT_BYTES_MAX;
/// For a place to draw at.
const ROOM_PATIENCE: Duration = Duration::from_secs(10);
/// For a caller to take a document.
pub(crate) const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PDF/A-3b.
    Pdf,
    /// OFD.
    Ofd,
    /// XML.
    Xml,
    /// A picture of this page, from 0.
    Png(usize),
    /// A printer's slip.
    Slip(Paper),
}

impl Kind {
    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Ofd => "ofd",
            Self::Xml => "xml",
            Self::Png(_) => "png",
            Self::Slip(_) => "slip",
        }
    }
}

/// A document that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeDocument {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their media type.
    pub media_type: &'static str,
    /// A name for its file.
    pub file_name: String,
    /// Pages of the receipt; 0 for what has none.
    pub page_count: usize,
    /// What it says of the receipt.
    pub state: State,
    /// Sealed height as of which it says so.
    pub snapshot_height: u64,
}

/// Makes documents.
pub struct Documents {
    template: Template,
    fonts: Option<Fonts>,
    host: Host,
    unit_lines: BTreeMap<String, Vec<String>>,
    chain: ChainId,
    test_chain: bool,
    utc_offset_minutes: i32,
    room: Places,
}

impl Documents {
    /// Reads the fonts; an error names the config key.
    pub fn open(settings: &DocumentsSettings, genesis: &Genesis) -> Result<Self, KeyError> {
        // The template is compiled in and tested; it reads.
        let template = Template::standard().of_key("documents")?;
        let mut sources = Vec::new();
        for (index, font) in settings.fonts.iter().enumerate() {
            let key = format!("documents.fonts[{index}].file");
            let bytes_max = usize::try_from(font.bytes).unwrap_or(usize::MAX);
            let bytes = durable::read(&font.path, bytes_max).of_key(&key)?;
            let name = font.path.display().to_string();
            sources.push(FontSource { name, bytes, index: font.index, sha256: font.sha256 });
        }
        let fonts = match sources.is_empty() {
            true => None,
            false => Some(Fonts::new(sources, &template).of_key("documents.fonts")?),
        };
        Ok(Self {
            template,
            fonts,
            host: settings.host.clone(),
            unit_lines: settings.unit_lines.clone(),
            chain: genesis.chain_id(),
            test_chain: genesis.is_test,
            utc_offset_minutes: genesis.utc_offset_minutes,
            room: Places::new(DRAWINGS_BYTES_MAX, CALLER_BYTES_MAX),
        })
    }

    /// A document of a receipt as it stands now, with the room that it holds until it is taken: see [`TAKEN_WITHIN`]. Who may have it has been
    /// judged. Refuses as [`Bundler::assemble`] does, and with `OVERLOADED` if there is no room for [`ROOM_PATIENCE`].
    pub async fn make(
        self: &Arc<Self>,
        bundler: &Bundler,
        key: ReceiptKey,
        kind: Kind,
        caller: Option<&PeerIdentity>,
    ) -> Result<(MadeDocument, Place), Refusal> {
        self.check(kind)?;
        let room = tokio::time::timeout(ROOM_PATIENCE, self.room.acquire_many(caller, DRAWING_BYTES)).await;
        let busy = "documents are being drawn for this caller, or for others, and none was done in time";
        let mut room = room.map_err(|_| Refusal::new(Reason::Overloaded).with_message(busy))?;
        let bundle = bundler.assemble(key).await?;
        let documents = Arc::clone(self);
        // The drawing goes on if the call ends: its room is given back after it.
        let drawing = tokio::task::spawn_blocking(move || {
            let made = documents.draw(&bundle, kind)?;
            room.keep(made.bytes.len());
            Ok::<_, Refusal>((made, room))
        });
        drawing.await.map_err(internal)?
    }

    /// Whether this issuer is set up for such a document; asked before anything is read.
    pub fn check(&self, kind: Kind) -> Result<(), Refusal> {
        match kind {
            Kind::Pdf | Kind::Ofd | Kind::Png(_) => self.fonts().map(drop),
            Kind::Xml | Kind::Slip(_) => Ok(()),
        }
    }

    /// What drawings, and documents that are not taken yet, hold or have room for.
    pub fn held_bytes(&self) -> usize {
        self.room.in_use()
    }

    fn fonts(&self) -> Result<&Fonts, Refusal> {
        let without = "this issuer has no fonts; its operator names some under `documents.fonts` in its config. XML and slips need none";
        self.fonts.as_ref().ok_or_else(|| no_document(without))
    }

    /// Draws. Takes up to a second of a core for the longest receipts: call it where nobody waits for the thread.
    fn draw(&self, bundle: &AssembledBundle, kind: Kind) -> Result<MadeDocument, Refusal> {
        let AssembledBundle { bytes: tally, verdict, signed_record, snapshot_height } = bundle;
        let missing = || internal("a bundle that was proved has no receipt or no state");
        let receipt = verdict.receipt.as_ref().ok_or_else(missing)?;
        let state = State::of(verdict).ok_or_else(missing)?;
        let code = Code::of_receipt(&self.host, signed_record);
        let own_lines = self.unit_lines.get(&receipt.draft.unit_code).map_or(&[][..], Vec::as_slice);
        let options = FaceOptions {
            utc_offset_minutes: self.utc_offset_minutes,
            code: Some(&code),
            test_chain: self.test_chain,
            with_evidence: true,
            state: Some(&state),
            own_lines,
        };
        let facts = Facts::of(receipt, self.chain, self.utc_offset_minutes);
        let as_xml = || xml(receipt, &self.template, self.utc_offset_minutes, Some(tally));
        let face = || Face::of(receipt, &self.template, &options);
        let (bytes, media_type, ending, page_count) = match kind {
            Kind::Pdf => {
                let face = face();
                let bytes = pdf(&face, self.fonts()?, &facts, Some(tally));
                let bytes = bytes.map_err(|error| match error {
                    PdfError::Characters(_) => too_many(error),
                    _ => internal(error),
                })?;
                (bytes, "application/pdf", "pdf".to_owned(), face.pages.len())
            }
            Kind::Ofd => {
                let face = face();
                let bytes = ofd(&face, self.fonts()?, &facts, &as_xml(), Some(tally));
                let bytes = bytes.map_err(|error| match error {
                    OfdError::Characters(_) => too_many(error),
                    _ => internal(error),
                })?;
                (bytes, "application/ofd", "ofd".to_owned(), face.pages.len())
            }
            Kind::Xml => (as_xml(), "application/xml", "xml".to_owned(), 0),
            Kind::Png(page) => {
                let face = face();
                if page >= face.pages.len() {
                    return Err(Refusal::field("page", format!("this receipt has {} pages", face.pages.len())));
                }
                let bytes = png_page(&face, page, self.fonts()?).map_err(internal)?;
                (bytes, "image/png", format!("{}.png", page + 1), face.pages.len())
            }
            Kind::Slip(paper) => {
                let bytes = slip(receipt, &self.template, &options, paper);
                (bytes, "application/octet-stream", "slip".to_owned(), 0)
            }
        };
        fits(bytes.len())?;
        let ReceiptKey { code, number } = receipt.key();
        let (file_name, snapshot_height) = (format!("{code}-{number}.{ending}"), *snapshot_height);
        Ok(MadeDocument { bytes, media_type, file_name, page_count, state, snapshot_height })
    }
}

/// A receipt with more different characters than a document with fonts can have.
fn too_many(error: impl std::fmt::Display) -> Refusal {
    let refusal =
        no_document(format!("the receipt can not be drawn as PDF or OFD: {error}; ask for XML, or for the bundle"));
    refusal.with_advice(Stands::Yes, Where::BizCode, Action::Correct)
}

/// A document that one message carries.
fn fits(bytes: usize) -> Result<(), Refusal> {
    if bytes <= DOCUMENT_BYTES_MAX {
        return Ok(());
    }
    let stands = no_document(format!(
        "the document has {bytes} bytes, and at most {DOCUMENT_BYTES_MAX} are sent; ask for PNG page by page, or for the bundle"
    ));
    Err(stands.with_advice(Stands::Yes, Where::BizCode, Action::Correct))
}

/// `NO_DOCUMENT`, and why.
pub(crate) fn no_document(why: impl Into<String>) -> Refusal {
    Refusal::new(CallReason::NoDocument).with_message(why)
}

/// `NO_DOCUMENT` of an issuer without `[documents]`.
pub(crate) fn unconfigured() -> Refusal {
    no_document("this issuer hands out no documents: its config has no section `[documents]`; the bundle can be had")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_no_message_carries_is_refused_in_words() {
        fits(DOCUMENT_BYTES_MAX).unwrap();
        let refusal = fits(DOCUMENT_BYTES_MAX + 1).unwrap_err();
        assert_eq!(refusal.reason.as_str(), "NO_DOCUMENT");
        assert!(refusal.message.contains("4128769 bytes") && refusal.message.contains("page by page"), "{refusal}");
        assert_eq!((refusal.advice.receipt, refusal.advice.action), (Stands::Yes, Action::Correct));
    }
}
