//! `[documents]`: what an issuer needs to hand out receipts as documents. Without the section it hands out none.

use std::collections::BTreeMap;
use std::path::PathBuf;

use receipt_core::code::Host;
use receipt_core::hash::Hash;
use serde::Deserialize;
use tallystick_service::config::{ConfigError, ConfigPath, Loaded};

use super::Config;

/// The largest font file; the largest that is known has 51 MB.
const FONT_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Fonts that may be asked one after the other.
const FONTS_MAX: usize = 8;
/// Lines that a unit may have on its documents.
const UNIT_LINES_MAX: usize = 4;
/// Characters of such a line: one line of a page.
const UNIT_LINE_CHARS_MAX: usize = 40;
/// Characters of a unit's code.
const UNIT_CODE_CHARS: usize = 18;

/// The section, as written.
#[derive(Debug, Clone, Deserialize)]
pub struct DocumentsConfig {
    /// Host of the page to which the code on a receipt leads, without `https://`.
    pub host: String,
    /// Fonts of PDF, OFD and pictures, in the order in which they are asked; none: XML and slips alone.
    #[serde(default)]
    pub fonts: Vec<FontConfig>,
    /// Lines that a unit wants on its documents, by its code of 18 characters.
    #[serde(default)]
    pub unit_lines: BTreeMap<String, Vec<String>>,
}

/// A font.
#[derive(Debug, Clone, Deserialize)]
pub struct FontConfig {
    /// Its file: TrueType, OpenType, or a collection of them.
    pub file: ConfigPath,
    /// Which font of a collection; 0 for a file of one.
    #[serde(default)]
    pub index: u32,
    /// SHA-256 of the file, 64 hex digits: another version of a font draws other documents.
    pub sha256: String,
}

/// A font to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FontFile {
    /// Its file.
    pub path: PathBuf,
    /// Which font of a collection.
    pub index: u32,
    /// What the file's bytes must come to.
    pub sha256: Hash,
    /// Bytes of the file when the config was read.
    pub bytes: u64,
}

/// The section, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentsSettings {
    /// Where codes lead.
    pub host: Host,
    /// Fonts, in order.
    pub fonts: Vec<FontFile>,
    /// Lines by code of the unit.
    pub unit_lines: BTreeMap<String, Vec<String>>,
}

impl DocumentsSettings {
    /// Bytes of all fonts, which are held in memory.
    pub fn fonts_bytes(&self) -> u64 {
        self.fonts.iter().fold(0, |sum: u64, font| sum.saturating_add(font.bytes))
    }

    /// Checks the section, if there is one. Every refusal names the key.
    pub(super) fn of(loaded: &Loaded<Config>) -> Result<Option<Self>, ConfigError> {
        let Some(config) = &loaded.value.documents else { return Ok(None) };
        let host = Host::new(&config.host).map_err(|error| loaded.invalid("documents.host", error.to_string()))?;
        if config.fonts.len() > FONTS_MAX {
            return Err(loaded.invalid("documents.fonts", format!("at most {FONTS_MAX} fonts")));
        }
        let fonts = config.fonts.iter().enumerate().map(|(index, font)| font_file(loaded, index, font));
        let fonts = fonts.collect::<Result<Vec<_>, _>>()?;
        for (unit_code, lines) in &config.unit_lines {
            let key = format!("documents.unit_lines.{unit_code}");
            if unit_code.chars().count() != UNIT_CODE_CHARS {
                return Err(loaded.invalid(&key, format!("a unit's code has {UNIT_CODE_CHARS} characters")));
            }
            let is_line = |line: &String| {
                (1..=UNIT_LINE_CHARS_MAX).contains(&line.chars().count()) && !line.chars().any(char::is_control)
            };
            if lines.len() > UNIT_LINES_MAX || !lines.iter().all(is_line) {
                let problem = format!(
                    "at most {UNIT_LINES_MAX} lines of 1 to {UNIT_LINE_CHARS_MAX} characters, without control characters"
                );
                return Err(loaded.invalid(&key, problem));
            }
        }
        Ok(Some(Self { host, fonts, unit_lines: config.unit_lines.clone() }))
    }
}

/// One font; its file must be there, because what it holds in memory is counted before anything is started.
fn font_file(loaded: &Loaded<Config>, index: usize, font: &FontConfig) -> Result<FontFile, ConfigError> {
    let key = |key: &str| format!("documents.fonts[{index}].{key}");
    let mut digest = [0; 32];
    hex::decode_to_slice(&font.sha256, &mut digest)
        .map_err(|_| loaded.invalid(&key("sha256"), "must be 64 hex digits, as `sha256sum` prints them"))?;
    let path = loaded.resolve(&font.file);
    let metadata = std::fs::metadata(&path)
        .map_err(|error| loaded.invalid(&key("file"), format!("{}: {error}", path.display())))?;
    if !metadata.is_file() || metadata.len() > FONT_BYTES_MAX {
        let problem = format!("{} must be a file of at most {} MiB", path.display(), FONT_BYTES_MAX / (1024 * 1024));
        return Err(loaded.invalid(&key("file"), problem));
    }
    Ok(FontFile { path, index: font.index, sha256: Hash(digest), bytes: metadata.len() })
}
