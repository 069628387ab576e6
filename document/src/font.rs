//! The fonts that draw a face, each named by the hash of its file, and which of them has a character.
//!
//! The chain is asked in order. The first font is the one of the face: half-width ASCII, full-width Chinese; it must have all that a
//! template says by itself, so that only what a receipt brings along can be missing. What no font has is drawn as a box with its code point
//! ([`Glyphs::missing_digits`]): there is always a document.
//!
//! Not here: reading files (bytes are given), shaping: scripts that join letters are drawn letter by letter.

use std::sync::Arc;

use receipt_core::hash::{Hash, sha256};
use skrifa::charmap::MapVariant;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider as _};

use crate::template::Template;

/// Variation selectors, which choose a form of the character before them.
const VARIATION_SELECTORS: [std::ops::RangeInclusive<char>; 2] = ['\u{fe00}'..='\u{fe0f}', '\u{e0100}'..='\u{e01ef}'];

/// Why fonts can not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FontError {
    /// There is none.
    #[error("no font is configured: a document needs at least one")]
    None,
    /// A file is another than the one that was meant.
    #[error(
        "the font {name} has SHA-256 {found}, expected {expected}: documents would look different; install the version that is \
         configured, or configure the hash of this one after looking at its documents"
    )]
    Different {
        /// Its path or name.
        name: String,
        /// As configured.
        expected: Hash,
        /// Of the file.
        found: Hash,
    },
    /// A file is no font, or has none at this index.
    #[error(
        "{name} has no font with outlines at index {index}: name a TrueType or OpenType file, and of a collection (.ttc) the right index"
    )]
    NoFont {
        /// Its path or name.
        name: String,
        /// Which of a collection.
        index: u32,
    },
    /// The first font lacks something that stands on every face.
    #[error("the font {name} lacks {missing:?} (U+{:04X}), which stands on every document: put a Chinese font first", u32::from(*.missing))]
    Incomplete {
        /// Its path or name.
        name: String,
        /// What it lacks.
        missing: char,
    },
}

/// One font as it is handed over.
#[derive(Debug, Clone)]
pub struct FontSource {
    /// Its path or name, for messages.
    pub name: String,
    /// The whole file.
    pub bytes: Vec<u8>,
    /// Which font of a collection; 0 for a file of one.
    pub index: u32,
    /// The hash that the file must have.
    pub sha256: Hash,
}

/// A font, checked.
#[derive(Debug, Clone)]
pub(crate) struct Font {
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) index: u32,
    pub(crate) units_per_em: u16,
}

/// The fonts of an issuer, in the order in which they are asked.
#[derive(Debug, Clone)]
pub struct Fonts {
    fonts: Vec<Font>,
}

impl Fonts {
    /// Checks hashes, and that the first font has what stands on every face of the template.
    pub fn new(sources: Vec<FontSource>, template: &Template) -> Result<Self, FontError> {
        let first = sources.first().map(|source| source.name.clone()).ok_or(FontError::None)?;
        let fonts = sources.into_iter().map(Font::check).collect::<Result<Vec<_>, _>>()?;
        let fonts = Self { fonts };
        let glyphs = fonts.glyphs();
        let own = template.texts().flat_map(str::chars).chain(' '..='~');
        match own.filter(|c| *c != ' ').find(|c| glyphs.readers.first().is_none_or(|reader| reader.glyph(*c).is_none()))
        {
            Some(missing) => Err(FontError::Incomplete { name: first, missing }),
            None => Ok(fonts),
        }
    }

    /// All fonts, in order.
    pub(crate) fn all(&self) -> &[Font] {
        &self.fonts
    }

    /// For looking up characters.
    pub(crate) fn glyphs(&self) -> Glyphs<'_> {
        Glyphs { readers: self.fonts.iter().filter_map(Reader::new).collect() }
    }
}

impl Font {
    fn check(source: FontSource) -> Result<Self, FontError> {
        let found = sha256(&[&source.bytes]);
        if found != source.sha256 {
            return Err(FontError::Different { name: source.name, expected: source.sha256, found });
        }
        let font = Self { bytes: Arc::new(source.bytes), index: source.index, units_per_em: 0 };
        let units_per_em =
            font.font_ref().map(|reader| reader.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
        match units_per_em {
            Some(units_per_em) if units_per_em > 0 && font.has_outlines() => Ok(Self { units_per_em, ..font }),
            _ => Err(FontError::NoFont { name: source.name, index: source.index }),
        }
    }

    /// The tables of the font.
    pub(crate) fn font_ref(&self) -> Option<FontRef<'_>> {
        FontRef::from_index(&self.bytes, self.index).ok()
    }

    fn has_outlines(&self) -> bool {
        self.font_ref().is_some_and(|font| font.outline_glyphs().format().is_some() && font.charmap().has_map())
    }
}

struct Reader<'a> {
    charmap: skrifa::charmap::Charmap<'a>,
    metrics: GlyphMetrics<'a>,
    units_per_em: u16,
}

impl<'a> Reader<'a> {
    fn new(font: &'a Font) -> Option<Self> {
        let reader = font.font_ref()?;
        let metrics = reader.glyph_metrics(Size::unscaled(), LocationRef::default());
        Some(Self { charmap: reader.charmap(), metrics, units_per_em: font.units_per_em })
    }

    fn glyph(&self, c: char) -> Option<u32> {
        self.charmap.map(c).map(|glyph| glyph.to_u32()).filter(|glyph| *glyph != 0)
    }

    /// A character's form under a variation selector.
    fn variant(&self, c: char, selector: char) -> Option<u32> {
        match self.charmap.map_variant(c, selector)? {
            MapVariant::UseDefault => self.glyph(c),
            MapVariant::Variant(glyph) => Some(glyph.to_u32()),
        }
    }
}

/// A glyph of one of the fonts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found {
    /// Which font of the chain.
    pub(crate) font: usize,
    /// Which glyph of it.
    pub(crate) glyph: u32,
    /// How far it advances, in em.
    pub(crate) advance_em: f32,
}

/// Looks up characters in the chain.
pub(crate) struct Glyphs<'a> {
    readers: Vec<Reader<'a>>,
}

impl Glyphs<'_> {
    /// The glyphs of a cluster, all of one font: its character in the form that a variation selector asks for, then what combines with it,
    /// as far as the font has it. `None`: no font has the character.
    pub(crate) fn of_cluster(&self, cluster: &str) -> Option<Vec<Found>> {
        let mut characters = cluster.chars();
        let base = characters.next()?;
        let combining: Vec<char> = characters.collect();
        let selector = combining.iter().copied().find(|c| is_variation_selector(*c));
        let by_variant = selector.and_then(|selector| self.first(|reader| reader.variant(base, selector)));
        let found = by_variant.or_else(|| self.first(|reader| reader.glyph(base)))?;
        let reader = self.readers.get(found.font)?;
        let marks = combining.iter().filter_map(|c| Some(found_in(found.font, reader, reader.glyph(*c)?)));
        Some(std::iter::once(found).chain(marks).collect())
    }

    /// The code point of a character that no font has, in digits of the first font: upper row and lower row, of the same length.
    pub(crate) fn missing_digits(&self, c: char) -> [Vec<Found>; 2] {
        let digits = format!("{:04X}", u32::from(c));
        let digits = if digits.len() % 2 == 0 { digits } else { format!("0{digits}") };
        let (upper, lower) = digits.split_at(digits.len() / 2);
        let row = |text: &str| {
            let reader = self.readers.first();
            text.chars().filter_map(|c| reader.and_then(|reader| Some(found_in(0, reader, reader.glyph(c)?)))).collect()
        };
        [row(upper), row(lower)]
    }

    fn first(&self, glyph: impl Fn(&Reader<'_>) -> Option<u32>) -> Option<Found> {
        self.readers.iter().enumerate().find_map(|(font, reader)| Some(found_in(font, reader, glyph(reader)?)))
    }
}

fn found_in(font: usize, reader: &Reader<'_>, glyph: u32) -> Found {
    let advance = reader.metrics.advance_width(skrifa::GlyphId::new(glyph)).unwrap_or_default();
    Found { font, glyph, advance_em: advance / f32::from(reader.units_per_em) }
}

fn is_variation_selector(c: char) -> bool {
    VARIATION_SELECTORS.iter().any(|range| range.contains(&c))
}
