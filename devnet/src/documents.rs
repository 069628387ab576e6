//! `[documents]` of an issuer's config, with the fonts of Debian that this machine has (`make document-tools` installs them).

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use receipt_core::hash::sha256;
use tallystick_service::durable;

/// Where the code on a development network's receipts leads: to nobody.
pub const CODE_HOST: &str = "TALLY.EXAMPLE";
/// Fonts in the order in which they are asked, with the font of a collection: one for what everybody writes, two for rare characters.
const FONTS: [(&str, u32); 3] = [
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 7),
    ("/usr/share/fonts/truetype/hanazono/HanaMinB.ttf", 0),
    ("/usr/share/fonts/truetype/babelstone/BabelStoneHan.ttf", 0),
];
/// The largest has 51 MB.
const FONT_BYTES_MAX: usize = 128 * 1024 * 1024;
/// What an issuer may hold with them: a default config has room for the first alone.
pub(crate) const MEMORY_BYTES_MAX: u64 = 640 * 1024 * 1024;

/// The section, with a hash of each font as it is now. Without the first font it names none: then there are XML and slips.
pub(crate) fn section() -> Result<String> {
    let mut text = format!("\n[documents]\nhost = \"{CODE_HOST}\"\n");
    for (path, index) in FONTS {
        let path = Path::new(path);
        if !path.exists() {
            break;
        }
        let bytes = durable::read(path, FONT_BYTES_MAX)?;
        let hash = sha256(&[&bytes]);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[documents.fonts]]\nfile   = \"{}\"\nindex  = {index}\nsha256 = \"{hash}\"\n",
            path.display()
        );
    }
    Ok(text)
}
