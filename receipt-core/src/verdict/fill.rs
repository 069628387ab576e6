//! Sentences with their values in them.

use super::language::{Language, Said, Sentence};
use super::value::Parameters;

/// A sentence of the table with these values, in both languages; times are printed under a fixed UTC offset.
pub fn said(sentence: Sentence, parameters: &Parameters, utc_offset_minutes: i32) -> Said {
    let in_language = |language: Language| {
        let value_of = |name: &str| Some(parameters.get(name)?.shown(utc_offset_minutes, language));
        fill(sentence.of(language), &value_of)
    };
    Said { zh: in_language(Language::Zh), en: in_language(Language::En) }
}

/// A sentence of the table with these values, none of which is a time, in one language.
pub fn say(sentence: Sentence, parameters: &Parameters, language: Language) -> String {
    said(sentence, parameters, 0).of(language).to_owned()
}

/// Replaces `{name}` by its value. What stands in `[…]` is left out if a name in it has no value; elsewhere that shows as `…`, which the
/// tests of the table rule out.
fn fill(template: &str, value_of: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    for (position, part) in template.split(['[', ']']).enumerate() {
        let is_optional = position % 2 == 1;
        match filled(part, value_of) {
            Some(part) => text.push_str(&part),
            None if is_optional => {}
            None => text.push('…'),
        }
    }
    text
}

fn filled(part: &str, value_of: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (mut text, mut rest) = (String::new(), part);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        text.push_str(before);
        text.push_str(&value_of(name)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_parts_go_with_their_values() {
        let only_a = |name: &str| (name == "a").then(|| "[1}".to_owned());
        for (template, expected) in [
            ("x", "x"),
            ("x {a}.", "x [1}."),
            ("x[: {b}].", "x."),
            ("x[: {a}].", "x: [1}."),
            ("x[: {a} {b}] y[ {a}]", "x y [1}"),
            ("x {b}", "…"),
        ] {
            assert_eq!(fill(template, &only_a), expected, "{template}");
        }
    }
}
