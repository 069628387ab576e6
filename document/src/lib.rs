//! How a receipt looks: one face, and documents that place it.
//!
//! ```text
//! Receipt ─┬─▶ Face::of(template, options) ─┬─▶ pdf     PDF/A-3b with the bundle attached
//!          │                                ├─▶ ofd     OFD with data and bundle attached
//!          │                                └─▶ png     pictures for messengers
//!          ├─▶ xml     the names that programs of the field know, with the bundle
//!          └─▶ slip    ESC/POS bytes for 58 and 80 mm paper
//! ```
//! A document is made from a receipt that its maker has judged; nothing here judges. It proves nothing by its looks: what can be checked is
//! the bundle that it carries, and the code on it. No claim is made to a ministry's template or seal, and the face says so.
//!
//! Invariants: the same input gives the same bytes, whatever time zone, locale, home or clock the machine has; there is always a document,
//! whatever characters a name has (PDF and OFD up to [`face::CHARACTERS_MAX`] different ones; XML, slip and pictures always); a chain for tests
//! says so on every page, and a reversed receipt that it is.
//!
//! Feature `draw` (on unless switched off) is what needs fonts: PDF, OFD, PNG. The rest builds for wasm, so that a page can draw the same face.
//!
//! Not here: reading files (fonts come as bytes with their hash), issuing, delivering. Only `issuer` links this crate, and tests.

mod content;
#[cfg(feature = "draw")]
mod contour;
pub mod face;
mod facts;
#[cfg(feature = "draw")]
mod font;
mod layout;
mod markup;
#[cfg(feature = "draw")]
mod ofd;
#[cfg(feature = "draw")]
mod outline;
#[cfg(feature = "draw")]
mod pdf;
#[cfg(feature = "draw")]
mod png;
mod slip;
mod state;
#[cfg(feature = "draw")]
mod subset;
mod template;
pub mod width;
mod xml;

pub use face::{CHARACTERS_MAX, Code, Face, FaceOptions};
pub use facts::Facts;
#[cfg(feature = "draw")]
pub use font::{FontError, FontSource, Fonts};
#[cfg(feature = "draw")]
pub use ofd::{OfdError, ofd};
#[cfg(feature = "draw")]
pub use pdf::{BUNDLE_MEDIA_TYPE, BUNDLE_NAME, PdfError, pdf};
#[cfg(feature = "draw")]
pub use png::{PIXEL_UM, PngError, png, png_page};
pub use slip::{Paper, slip};
pub use state::State;
pub use template::{Template, TemplateError};
pub use xml::{XML_NAME, xml};
