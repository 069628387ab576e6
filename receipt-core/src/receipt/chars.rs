//! The characters of a text: which may stand in one, and the normal form that the issuer's door gives it.
//!
//! Judged by Unicode properties, not by lists: General_Category, Default_Ignorable_Code_Point, Bidi_Control,
//! Noncharacter_Code_Point, Unified_Ideograph. Three things have no property and are named here: symbols that show nothing
//! ([`BLANK_SYMBOLS`]), the marks of lost characters, and the private-use code points under which GBK kept characters that
//! Unicode has today ([`gbk_character`]).
//!
//! "Encodable in GB18030" means GB 18030-2022 as the WHATWG Encoding Standard has it. Without private-use code points every
//! text is encodable, and the editions of 2005 and 2022 differ in bytes only.

pub(crate) use icu_properties::props::GeneralCategory;
use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint, NoncharacterCodePoint, UnifiedIdeograph};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;

use super::nfc::is_nfc;

/// Symbols that print as nothing and have no property that says so.
const BLANK_SYMBOLS: [char; 5] = ['\u{2800}', '\u{1d159}', '\u{13441}', '\u{13442}', '\u{16fe4}'];

/// GBK's FE50 to FEA0 stand at U+E815 to U+E864; these are the characters, in that order (GB 18030-2005 and 2022).
const GBK_FE50: &str = "⺁𠂇𠂉𠃌⺄㑳㑇⺈⺋龴㖞㘚㘎⺌⺗㥮㤘龵㧏㧟㩳㧐龶龷㭎㱮㳠⺧𡗗龸⺪䁖䅟⺮䌷⺳⺶⺷𢦏䎱䎬⺻䏝䓖䙡䙌龹䜣䜩䝼䞍⻊䥇䥺䥽䦂䦃䦅䦆䦟䦛䦷䦶龺𤇾䲣䲟䲠䲡䱷䲢䴓䴔䴕䴖䴗䴘䴙䶮龻";
/// The vertical forms of GBK's A6D9 to A6F3, which stand at U+E78D to U+E796.
const GBK_A6D9: &str = "︐︒︑︓︔︕︖︗︘︙";

/// Characters that are fine whatever stands beside them, and make up most texts: ASCII, common ideographs, full-width forms.
pub(super) const fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{4e00}'..='\u{9fff}' | '\u{ff01}'..='\u{ff5e}')
}

/// Brings a text into normal form C, and private-use code points of GBK to the characters they stand for. Whether it changed.
pub fn normalise_text(text: &mut String) -> bool {
    if text.chars().all(is_plain) {
        return false;
    }
    let mapped = text.chars().map(|character| gbk_character(character).unwrap_or(character));
    let normal: String = mapped.nfc().collect();
    let changed = normal != *text;
    *text = normal;
    changed
}

/// What is wrong with a text's characters, as the end of a sentence about it; `None` if nothing is.
pub(super) fn problem(text: &str) -> Option<String> {
    let mut before = None;
    for character in text.chars() {
        if !is_plain(character)
            && let Some(problem) = character_problem(character, before)
        {
            return Some(problem);
        }
        before = Some(character);
    }
    if text.chars().next().is_some_and(is_mark) {
        return Some("must not begin with a combining mark".to_owned());
    }
    (!is_nfc(text)).then(|| "must be in Unicode normal form C".to_owned())
}

/// Whether it chooses the glyph of the character before it.
pub(crate) const fn is_variation_selector(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The character that GBK kept at a private-use code point.
pub fn gbk_character(private: char) -> Option<char> {
    let nth = |list: &str, first: u32| list.chars().nth(u32::from(private).checked_sub(first)? as usize);
    match private {
        '\u{e815}'..='\u{e864}' => nth(GBK_FE50, 0xe815),
        '\u{e78d}'..='\u{e796}' => nth(GBK_A6D9, 0xe78d),
        '\u{e7c7}' => Some('\u{1e3f}'),
        '\u{e7c8}' => Some('\u{1f9}'),
        '\u{e7e7}' => Some('\u{303e}'),
        '\u{e7e8}'..='\u{e7f3}' => char::from_u32(u32::from(private) - 0xe7e8 + 0x2ff0),
        _ => None,
    }
}

fn character_problem(character: char, before: Option<char>) -> Option<String> {
    let code = u32::from(character);
    if is_variation_selector(character) && before.is_some_and(is_ideograph) {
        return None;
    }
    if CodePointSetData::new::<NoncharacterCodePoint>().contains(character) {
        return Some(format!("has U+{code:04X}, which is no character"));
    }
    let is_hidden = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || CodePointSetData::new::<BidiControl>().contains(character)
        || BLANK_SYMBOLS.contains(&character);
    if is_hidden {
        return Some(format!("has the invisible character U+{code:04X}: leave it out"));
    }
    match category(character) {
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator => Some(format!("has the control character U+{code:04X}: leave it out")),
        GeneralCategory::PrivateUse => Some(match gbk_character(character) {
            Some(real) => {
                let real_code = u32::from(real);
                format!(
                    "has the private-use character U+{code:04X}; write {real} (U+{real_code:04X}), for which GBK used it"
                )
            }
            None => format!(
                "has the private-use character U+{code:04X}, which means nothing outside the program that made it: write the \
                 character that it stands for"
            ),
        }),
        // Ideographs are still added to planes 2 and 3: a name may have one that these tables do not know yet.
        GeneralCategory::Unassigned if !matches!(code, 0x2_0000..=0x3_ffff) => {
            Some(format!("has U+{code:04X}, which is no assigned character"))
        }
        _ if matches!(character, '\u{fffc}' | '\u{fffd}') => {
            Some(format!("has U+{code:04X}, the mark of a character lost in a conversion: enter the text again"))
        }
        _ => None,
    }
}

/// Its General_Category.
pub(crate) fn category(character: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(character)
}

fn is_mark(character: char) -> bool {
    matches!(
        category(character),
        GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark | GeneralCategory::EnclosingMark
    )
}

fn is_ideograph(character: char) -> bool {
    CodePointSetData::new::<UnifiedIdeograph>().contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gb18030(text: &str) -> (Vec<u8>, bool) {
        let (bytes, _, failed) = encoding_rs::GB18030.encode(text);
        (bytes.into_owned(), !failed)
    }

    /// Every code point, against the encoder of browsers: what passes is encodable, and comes back as it was.
    #[test]
    fn every_character_that_passes_is_encodable_in_gb18030() {
        let mut passed = 0;
        for character in char::MIN..=char::MAX {
            let text = String::from(character);
            if is_plain(character) {
                assert_eq!(character_problem(character, None), None, "{character:?}");
                assert!(is_nfc(&text) && is_nfc(&format!("a{text}\u{4e00}{text}")), "{character:?}");
                assert_eq!(unicode_normalization::char::canonical_combining_class(character), 0);
            }
            if character_problem(character, None).is_none() {
                passed += 1;
                let (bytes, encodable) = gb18030(&text);
                assert!(encodable, "{character:?}");
                assert_eq!(encoding_rs::GB18030.decode_without_bom_handling(&bytes).0, text, "{character:?}");
            }
        }
        assert!(passed > 150_000, "{passed}");
    }

    /// The edition: 龴 has two bytes in 2022 and four in 2005. A change of the library's edition would show here.
    #[test]
    fn gb18030_is_the_edition_of_2022() {
        assert_eq!(gb18030("龴"), (vec![0xfe, 0x59], true));
        assert_eq!(gb18030("︐"), (vec![0xa6, 0xd9], true));
        assert_eq!(gb18030("ḿ"), (vec![0xa8, 0xbc], true));
    }

    /// The table against the decoder: six of the eighty have no two-byte form of their own even in 2022.
    #[test]
    fn private_use_characters_of_gbk_are_the_decoders() {
        let decoded = |bytes: &[u8]| {
            let text = encoding_rs::GB18030.decode_without_bom_handling(bytes).0.into_owned();
            text.chars().next().unwrap()
        };
        let trails: Vec<u8> = (0x50..=0xa0).filter(|trail| *trail != 0x7f).collect();
        assert_eq!((trails.len(), GBK_FE50.chars().count()), (80, 80));
        let mut still_private = Vec::new();
        for (trail, private) in trails.into_iter().zip('\u{e815}'..) {
            let real = gbk_character(private).unwrap();
            assert_ne!(category(real), GeneralCategory::PrivateUse, "{private:?}");
            match decoded(&[0xfe, trail]) {
                today if today == private => still_private.push(real),
                today => assert_eq!(today, real, "{private:?}"),
            }
        }
        assert_eq!(still_private, ['𠂇', '𠂉', '𠃌', '𡗗', '𢦏', '𤇾']);
        let vertical = [0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xec, 0xed, 0xf3];
        for (trail, private) in vertical.into_iter().zip('\u{e78d}'..) {
            assert_eq!(gbk_character(private), Some(decoded(&[0xa6, trail])), "{private:?}");
        }
        for (bytes, private) in [([0xa8, 0xbc], '\u{e7c7}'), ([0xa8, 0xbf], '\u{e7c8}'), ([0xa9, 0x89], '\u{e7e7}')] {
            assert_eq!(gbk_character(private), Some(decoded(&bytes)), "{private:?}");
        }
        for (trail, private) in (0x8a..=0x95).zip('\u{e7e8}'..='\u{e7f3}') {
            assert_eq!(gbk_character(private), Some(decoded(&[0xa9, trail])), "{private:?}");
        }
    }

    #[test]
    fn hidden_characters_do_not_pass() {
        for code in [
            0x00, 0x09, 0x0a, 0x1b, 0x7f, 0x85, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x180b, 0x180e, 0x200b,
            0x200c, 0x200d, 0x200e, 0x2028, 0x2029, 0x202e, 0x2060, 0x2066, 0x206f, 0x2800, 0x3164, 0xfe00, 0xfe0f,
            0xfeff, 0xffa0, 0xfff9, 0xfffc, 0xfffd, 0xfffe, 0xfdd0, 0x1_3441, 0x1_d159, 0x1_d173, 0x1_ffff, 0xe_0001,
            0xe_0041, 0xe_007f, 0xe_0100, 0x10_ffff, 0x378, 0xe000, 0xf_0000, 0x10_fffd,
        ] {
            let character = char::from_u32(code).unwrap();
            for text in [format!("{character}"), format!("A{character}b"), format!("A{character}")] {
                assert!(problem(&text).is_some(), "U+{code:04X} passes in {text:?}");
            }
        }
        for text in ["\u{301}", "\u{20dd}", "\u{903}"] {
            assert_eq!(problem(text).unwrap(), "must not begin with a combining mark", "{text:?}");
        }
    }

    #[test]
    fn names_pass() {
        for text in [
            "林某",
            "𠮷某𬱖",
            "Ärzte·Müller",
            "阿依古丽·买买提",
            "葛\u{e0100}城",
            "辻\u{e0101}",
            "郎\u{fe00}",
            "O’Neil",
            "ئەھمەد",
            "བསྟན་འཛིན",
            "㐀𪚥𰻞",
            "〇",
            "ə̃ŋ",
            "Nguyễn Thị Ánh",
        ] {
            assert_eq!(problem(text), None, "{text:?}");
        }
        // A selector belongs to an ideograph, and there is one of it.
        for text in ["A\u{e0100}", "林\u{e0100}\u{e0101}", "☎\u{fe0f}"] {
            assert!(problem(text).is_some(), "{text:?}");
        }
    }

    #[test]
    fn the_door_normalises_what_a_cashier_cannot_mend() {
        for (given, normal) in [
            ("\u{f92c}", "郎"),
            ("\u{f9f1}某", "隣某"),
            ("\u{fa18}", "礼"),
            ("A\u{308}rzte", "Ärzte"),
            ("\u{212b}", "Å"),
            ("\u{e816}某", "𠂇某"),
            ("\u{e863}", "䶮"),
            ("\u{e78d}", "︐"),
        ] {
            let mut text = given.to_owned();
            assert!(normalise_text(&mut text), "{given:?}");
            assert_eq!((text.as_str(), problem(&text)), (normal, None), "{given:?}");
            assert!(!normalise_text(&mut text), "{given:?}: once is enough");
        }
        for given in ["", "林某", "葛\u{e0100}城", "１２３－Ａ", "\u{e000}", " 林 "] {
            let mut text = given.to_owned();
            assert!(!normalise_text(&mut text) && text == given, "{given:?}");
        }
        assert!(problem("\u{e816}").unwrap().contains("𠂇 (U+20087)"));
    }
}
