//! Whether a text is in Unicode normal form C (UAX #15), without making the text.
//!
//! The library's own question brings along its tables of compatibility decomposition, which normal form C does not use: a twelfth of all that
//! a phone fetches to judge a receipt. Here are its quick check and, for the texts of which that does not know, the algorithm over the
//! library's canonical tables. That the two agree is tested over every character and over sequences of those that compose.

use unicode_normalization::char::{canonical_combining_class, compose, decompose_canonical};
use unicode_normalization::{IsNormalized, is_nfc_quick};

/// Whether normalising would leave it as it is.
pub(super) fn is_nfc(text: &str) -> bool {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => true,
        IsNormalized::No => false,
        IsNormalized::Maybe => composed(&decomposed(text)).into_iter().eq(text.chars()),
    }
}

/// Canonical decomposition: characters with their combining classes, marks of one base in the order of those.
fn decomposed(text: &str) -> Vec<(u8, char)> {
    let mut all = Vec::with_capacity(text.len());
    for character in text.chars() {
        decompose_canonical(character, |part| all.push((canonical_combining_class(part), part)));
    }
    for marks in all.chunk_by_mut(|(before, _), (after, _)| *before != 0 && *after != 0) {
        marks.sort_by_key(|(class, _)| *class);
    }
    all
}

/// Canonical composition.
fn composed(parts: &[(u8, char)]) -> Vec<char> {
    let mut all: Vec<char> = Vec::with_capacity(parts.len());
    let mut starter: Option<usize> = None;
    // The class of the last character behind the starter.
    let mut last = 0;
    for &(class, character) in parts {
        if let Some(place) = starter {
            // A mark between them of the same class or a higher one, or another base, keeps the two apart.
            let is_blocked = place + 1 < all.len() && last >= class;
            let joined = if is_blocked { None } else { compose(all[place], character) };
            if let Some(joined) = joined {
                all[place] = joined;
                continue;
            }
        }
        if class == 0 {
            starter = Some(all.len());
        }
        last = class;
        all.push(character);
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) {
        assert_eq!(is_nfc(text), unicode_normalization::is_nfc(text), "{}", text.escape_unicode());
    }

    fn is_maybe(character: char) -> bool {
        is_nfc_quick(std::iter::once(character)) == IsNormalized::Maybe
    }

    /// Characters that take part in a composition in some way.
    fn composing() -> Vec<char> {
        let takes_part = |character: &char| {
            let mut parts = 0;
            decompose_canonical(*character, |_| parts += 1);
            let hangul = ('\u{ac00}'..='\u{d7a3}').contains(character);
            (!hangul || u32::from(*character).is_multiple_of(97))
                && (parts > 1 || is_maybe(*character) || canonical_combining_class(*character) != 0)
        };
        (char::MIN..=char::MAX).filter(takes_part).chain("aeiouAEIOU 가각한林が".chars()).collect()
    }

    #[test]
    fn it_is_the_librarys_answer_for_every_character_and_every_pair_that_may_compose() {
        for character in char::MIN..=char::MAX {
            check(&String::from(character));
        }
        let composing = composing();
        let second: Vec<char> = composing.iter().copied().filter(|character| is_maybe(*character)).collect();
        assert!(composing.len() > 1_500 && second.len() > 80, "{} {}", composing.len(), second.len());
        for first in &composing {
            for second in &second {
                check(&format!("{first}{second}"));
            }
        }
    }

    #[test]
    fn marks_in_the_wrong_order_and_hidden_compositions_are_found() {
        for (text, expected) in [
            ("Ärzte", true),
            ("A\u{308}rzte", false),
            ("ä\u{323}", false),
            ("ạ\u{308}", true),
            ("a\u{308}\u{323}", false),
            ("q\u{323}\u{307}", true),
            ("q\u{307}\u{323}", false),
            ("\u{1100}\u{1161}", false),
            ("가\u{11a8}", false),
            ("각\u{11a8}", true),
            ("か\u{3099}", false),
            ("\u{915}\u{93c}", true),
            ("\u{915}\u{334}\u{93c}", true),
            ("\u{308}", true),
            ("\u{f92c}", false),
        ] {
            assert_eq!(is_nfc(text), expected, "{}", text.escape_unicode());
            check(text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]
        #[test]
        fn sequences_of_composing_characters_are_judged_as_the_library_does(picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..8)) {
            static COMPOSING: std::sync::LazyLock<Vec<char>> = std::sync::LazyLock::new(composing);
            let text: String = picks.iter().map(|pick| pick.get(&COMPOSING)).collect();
            check(&text);
            // What is normalised is in the form, and so reaches the other answer.
            let normal: String = unicode_normalization::UnicodeNormalization::nfc(text.chars()).collect();
            prop_assert!(is_nfc(&normal));
        }
    }
}
