//! Amounts in words (金额大写): 壹贰叁…元角分整, as printed on a receipt's face.
//!
//! Derived only; never compared with anybody's text. Zeros as 会计基础工作规范 art. 52 has them: one 零 for every run of zeros
//! between two digits of the yuan, also where it spans 万 or 亿 (107000 is 壹拾万零柒仟). Before 角 the rule leaves the 零 of a
//! zero at the 元 to the writer: it is left out.

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

/// Splits at 亿, 万, 仟, 佰, 拾. The rest is announced by one 零 if it does not fill the place below the unit, or if what stands
/// before the unit ends with a zero.
fn spell(number: u64, words: &mut String) {
    const UNITS: [(u64, char); 5] = [(100_000_000, '亿'), (10_000, '万'), (1_000, '仟'), (100, '佰'), (10, '拾')];
    let Some((size, name)) = UNITS.iter().find(|(size, _)| number >= *size) else {
        words.push(digit(number));
        return;
    };
    let (head, rest) = (number / size, number % size);
    spell(head, words);
    words.push(*name);
    if rest > 0 {
        if rest < size / 10 || head % 10 == 0 {
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
            ("107000.53", "壹拾万零柒仟元伍角叁分"),
            ("1205623.00", "壹佰贰拾万零伍仟陆佰贰拾叁元整"),
            ("117000.53", "壹拾壹万柒仟元伍角叁分"),
            ("1000000.00", "壹佰万元整"),
            ("1000001.00", "壹佰万零壹元整"),
            ("1010101.01", "壹佰零壹万零壹佰零壹元零壹分"),
            ("10000000.00", "壹仟万元整"),
            ("20003000.00", "贰仟万零叁仟元整"),
            ("20000300.00", "贰仟万零叁佰元整"),
            ("100000000.00", "壹亿元整"),
            ("100000001.00", "壹亿零壹元整"),
            ("100010000.00", "壹亿零壹万元整"),
            ("105000000.00", "壹亿零伍佰万元整"),
            ("110000000.00", "壹亿壹仟万元整"),
            ("1000000000.00", "壹拾亿元整"),
            ("1010001000.00", "壹拾亿零壹仟万零壹仟元整"),
            ("1000001000.00", "壹拾亿零壹仟元整"),
            ("1011001000.00", "壹拾亿零壹仟壹佰万零壹仟元整"),
            ("100100001001.10", "壹仟零壹亿零壹仟零壹元壹角整"),
            ("999999999999.99", "玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
            ("1000000000000.00", "壹万亿元整"),
            ("1000100000000.00", "壹万零壹亿元整"),
            ("10000010000000.00", "壹拾万亿零壹仟万元整"),
            ("-385.37", "负叁佰捌拾伍元叁角柒分"),
            ("-0.05", "负伍分"),
        ] {
            assert_eq!(amount_in_words(Fen::parse(amount).unwrap()), words, "{amount}");
        }
        assert!(amount_in_words(Fen::new(i64::MIN)).starts_with("负玖亿贰仟贰佰"));
    }

    /// The same rule formulated over the written digits: each digit with its place, each run of zeros between two digits one
    /// 零, 万 and 亿 after a group of four that holds anything.
    fn by_digits(amount: i64) -> String {
        const PLACES: [&str; 4] = ["", "拾", "佰", "仟"];
        let digits = format!("{:03}", amount.unsigned_abs());
        let (yuan, cents) = digits.split_at(digits.len() - 2);
        let name = |digit: char| DIGITS[digit.to_digit(10).unwrap() as usize];
        let (mut words, mut zero, mut wan, mut yi) = (String::new(), false, false, false);
        for (index, digit) in yuan.chars().enumerate() {
            let place = yuan.len() - 1 - index;
            if digit == '0' {
                zero = true;
            } else {
                if std::mem::take(&mut zero) && !words.is_empty() {
                    words.push('零');
                }
                words.push(name(digit));
                words.push_str(PLACES[place % 4]);
                (wan, yi) = (true, true);
            }
            if place % 8 == 4 && std::mem::take(&mut wan) {
                words.push('万');
            }
            if place % 8 == 0 {
                wan = false;
                if place > 0 && std::mem::take(&mut yi) {
                    words.push('亿');
                }
            }
        }
        let (jiao, fen) = cents.split_at(1);
        if !words.is_empty() || amount == 0 {
            words.push_str(if words.is_empty() { "零元" } else { "元" });
        }
        match (jiao, fen) {
            ("0", "0") => words.push('整'),
            (_, "0") => words.extend([name(jiao.chars().next().unwrap()), '角', '整']),
            ("0", _) => {
                if !words.is_empty() {
                    words.push('零');
                }
                words.extend([name(fen.chars().next().unwrap()), '分']);
            }
            _ => words.extend([name(jiao.chars().next().unwrap()), '角', name(fen.chars().next().unwrap()), '分']),
        }
        if amount < 0 { format!("负{words}") } else { words }
    }

    /// Every pattern of zeros over 14 digits of yuan, and the amounts around each power of ten.
    #[test]
    fn both_formulations_agree_on_every_pattern_of_zeros() {
        for pattern in 0_u32..1 << 14 {
            let yuan: i64 =
                (0..14).fold(0, |yuan, place| yuan * 10 + i64::from(pattern >> place & 1) * (1 + place % 9));
            for amount in [yuan * 100, yuan * 100 + 7, yuan * 100 + 30, yuan * -100 - 56] {
                assert_eq!(amount_in_words(Fen::new(amount)), by_digits(amount), "{amount}");
            }
        }
        for power in 0..17 {
            for offset in [-1, 0, 1] {
                let amount = 10_i64.pow(power) + offset;
                assert_eq!(amount_in_words(Fen::new(amount)), by_digits(amount), "{amount}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn both_formulations_agree(amount in -100_000_000_000_000_i64..100_000_000_000_000) {
            proptest::prop_assert_eq!(amount_in_words(Fen::new(amount)), by_digits(amount));
        }

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
