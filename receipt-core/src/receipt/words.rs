//! Amounts in words (金额大写): 壹贰叁…元角分整, as printed on a receipt's face.
//!
//! Derived only; never compared with anybody's text. Where the banks' rule leaves a 零 to the writer (a zero that ends
//! a group before a full thousands digit, or before 角), it is left out.

use crate::ids::Fen;

const DIGITS: [char; 10] = ['零', '壹', '贰', '叁', '肆', '伍', '陆', '柒', '捌', '玖'];

/// The amount in words; a negative one begins with 负.
pub fn amount_in_words(amount: Fen) -> String {
    let magnitude = amount.get().unsigned_abs();
    let (yuan, jiao, fen) = (magnitude / 100, magnitude / 10 % 10, magnitude % 10);
    let mut words = String::new();
    if amount < Fen::ZERO {
        words.push('负');
    }
    if yuan > 0 || magnitude == 0 {
        spell(yuan, &mut words);
        words.push('元');
    }
    if jiao > 0 {
        words.push(digit(jiao));
        words.push('角');
    } else if fen > 0 && yuan > 0 {
        words.push('零');
    }
    if fen > 0 {
        words.push(digit(fen));
        words.push('分');
    } else {
        words.push('整');
    }
    words
}

fn digit(value: u64) -> char {
    DIGITS[(value % 10) as usize]
}

/// Splits at 亿, 万, 仟, 佰, 拾; a part that does not fill the place below the unit is announced by one 零.
fn spell(number: u64, words: &mut String) {
    const UNITS: [(u64, char); 5] = [(100_000_000, '亿'), (10_000, '万'), (1_000, '仟'), (100, '佰'), (10, '拾')];
    let Some((size, name)) = UNITS.iter().find(|(size, _)| number >= *size) else {
        words.push(digit(number));
        return;
    };
    spell(number / size, words);
    words.push(*name);
    let rest = number % size;
    if rest > 0 {
        if rest < size / 10 {
            words.push('零');
        }
        spell(rest, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_amounts() {
        for (amount, words) in [
            ("0.00", "零元整"),
            ("0.01", "壹分"),
            ("0.10", "壹角整"),
            ("0.15", "壹角伍分"),
            ("1.00", "壹元整"),
            ("1.05", "壹元零伍分"),
            ("1.50", "壹元伍角整"),
            ("10.00", "壹拾元整"),
            ("10.05", "壹拾元零伍分"),
            ("15.00", "壹拾伍元整"),
            ("100.01", "壹佰元零壹分"),
            ("101.00", "壹佰零壹元整"),
            ("110.10", "壹佰壹拾元壹角整"),
            ("1001.00", "壹仟零壹元整"),
            ("1010.00", "壹仟零壹拾元整"),
            ("1100.00", "壹仟壹佰元整"),
            ("1680.32", "壹仟陆佰捌拾元叁角贰分"),
            ("1409.50", "壹仟肆佰零玖元伍角整"),
            ("6007.14", "陆仟零柒元壹角肆分"),
            ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
            ("10000.00", "壹万元整"),
            ("10001.00", "壹万零壹元整"),
            ("10010.00", "壹万零壹拾元整"),
            ("10692.00", "壹万零陆佰玖拾贰元整"),
            ("100100.00", "壹拾万零壹佰元整"),
            ("107000.53", "壹拾万柒仟元伍角叁分"),
            ("1000000.00", "壹佰万元整"),
            ("1000001.00", "壹佰万零壹元整"),
            ("1010101.01", "壹佰零壹万零壹佰零壹元零壹分"),
            ("10000000.00", "壹仟万元整"),
            ("20003000.00", "贰仟万叁仟元整"),
            ("20000300.00", "贰仟万零叁佰元整"),
            ("100000000.00", "壹亿元整"),
            ("100000001.00", "壹亿零壹元整"),
            ("100010000.00", "壹亿零壹万元整"),
            ("105000000.00", "壹亿零伍佰万元整"),
            ("110000000.00", "壹亿壹仟万元整"),
            ("1000000000.00", "壹拾亿元整"),
            ("100100001001.10", "壹仟零壹亿零壹仟零壹元壹角整"),
            ("999999999999.99", "玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
            ("1000000000000.00", "壹万亿元整"),
            ("-385.37", "负叁佰捌拾伍元叁角柒分"),
            ("-0.05", "负伍分"),
        ] {
            assert_eq!(amount_in_words(Fen::parse(amount).unwrap()), words, "{amount}");
        }
        assert!(amount_in_words(Fen::new(i64::MIN)).starts_with("负玖亿贰仟贰佰"));
    }

    proptest::proptest! {
        /// Different amounts never share their words, and no amount repeats or ends its number with 零.
        #[test]
        fn zeros_stand_alone(a in 0_i64..100_000_000_000_000, b in 0_i64..100_000_000_000_000) {
            let words = amount_in_words(Fen::new(a));
            proptest::prop_assert_eq!(words == amount_in_words(Fen::new(b)), a == b);
            proptest::prop_assert!(!words.contains("零零"), "{}", words);
            proptest::prop_assert!(a < 100 || !words.contains("零元"), "{}", words);
        }
    }
}
