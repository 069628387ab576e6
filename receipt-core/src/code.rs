//! The text in the QR code that is printed on a receipt: an address of a verify page, and behind `#` the signed record in decimal digits.
//! (Not 票据代码: that is [`crate::ids::ReceiptCode`].)
//!
//! ```text
//! HTTPS://HOST/V#01523…        HOST: the page's, upper case
//!                 └ seven bytes, big-endian, in 17 digits; the last k < 7 bytes in 3, 5, 8, 10, 13 or 15
//! ```
//! Any camera opens it as a link; the part behind `#` stays in the browser. Digits are the densest text that a QR code holds and that no
//! camera, messenger or browser rewrites. Why so: docs/adr/0034-the-code-on-the-paper.md.
//!
//! One text for each record and host: every other spelling is refused with its reason, because a link of which two spellings mean one
//! receipt lets a copy look like another receipt. Whether the bytes are a record, and whose, is not judged here: see
//! [`crate::record::SignedRecord`]. Drawing the symbol is not here either.

mod host;

use std::fmt::Write as _;

use crate::limits;
use crate::shown::line;

pub use host::{Host, HostError};

/// What every address begins with.
const SCHEME: &str = "HTTPS://";
/// What follows the host.
const PATH: &str = "/V";
/// Bytes that are written as one group of digits: 256^7 < 10^17, and both fit 64 bits.
const GROUP_BYTES: usize = 7;
/// Digits of a whole group.
const GROUP_DIGITS: usize = 17;
/// Digits of a group of so many bytes: ⌈8k · log10 2⌉.
const DIGITS_OF_BYTES: [usize; GROUP_BYTES + 1] = [0, 3, 5, 8, 10, 13, 15, GROUP_DIGITS];
/// Digits of a record of the greatest size.
const DIGITS_MAX: usize =
    limits::RECORD_BYTES_MAX / GROUP_BYTES * GROUP_DIGITS + DIGITS_OF_BYTES[limits::RECORD_BYTES_MAX % GROUP_BYTES];
/// Characters of a foreign address that are shown, as it is written then.
const SHOWN_CHARS_MAX: usize = 100;
/// What to do without a code.
const FIVE_ENTRIES_ZH: &str = "到开票单位公布的查验网站，输入票面上的五项（票据代码、号码、校验码、日期、金额）";

/// Why a text is not the code of a receipt on one of these pages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// More bytes than any QR code holds.
    #[error("it has {bytes} bytes, and no QR code holds more than {}, so it was not scanned", limits::CODE_BYTES_MAX)]
    TooLong {
        /// Bytes of the text.
        bytes: usize,
    },
    /// No address at all.
    #[error(
        "it is not the code of a receipt; scan the square code on the receipt, or type its five entries (code, number, check code, date, total) on the site that the unit names"
    )]
    NoCode,
    /// An address that is not this page's. Whoever opens it is shown what its owner likes.
    #[error("it leads to {address}, which is no address that is judged here")]
    Elsewhere {
        /// Where it leads, and nothing but the characters of addresses: scheme and host, or the beginning of what has no host. Of a host that
        /// is long the end, behind `…`.
        address: String,
    },
    /// This page's address in letters of another case.
    #[error(
        "its address is not in capital letters, as a receipt's is; scan the code again instead of copying the link"
    )]
    Misspelt,
    /// This page's address, without a receipt.
    #[error(
        "the record of this receipt is too long for a code, which has the address alone; type the receipt's five entries (code, number, check code, date, total) on the site that the unit names"
    )]
    AddressAlone,
    /// Nothing behind `#`.
    #[error("there is nothing behind its #; scan the code again")]
    NoDigits,
    /// Something else than 0 to 9 behind `#`.
    #[error("character {position} behind its # is “{}” and no digit; scan the code again", line(&found.to_string()))]
    NotADigit {
        /// Which character, from 1.
        position: usize,
        /// The character.
        found: char,
    },
    /// More digits than the largest record has.
    #[error("it has {digits} digits, and no receipt has more than {DIGITS_MAX}")]
    TooManyDigits {
        /// Digits behind `#`.
        digits: usize,
    },
    /// No number of bytes is written in so many digits: some are missing, or too many.
    #[error("a part of it alone was read ({digits} digits); scan the code again, or copy the whole link")]
    DigitCount {
        /// Digits behind `#`.
        digits: usize,
    },
    /// A group of digits that stands for no bytes.
    #[error("digits {first} to {last} stand for no bytes, so the code is damaged or made up")]
    GroupTooLarge {
        /// The first digit of the group, from 1.
        first: usize,
        /// The last one.
        last: usize,
    },
}

impl CodeError {
    /// The stable name of the reason.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "TOO_LONG",
            Self::NoCode => "NO_CODE",
            Self::Elsewhere { .. } => "ELSEWHERE",
            Self::Misspelt => "MISSPELT",
            Self::AddressAlone => "ADDRESS_ALONE",
            Self::NoDigits => "NO_DIGITS",
            Self::NotADigit { .. } => "NOT_A_DIGIT",
            Self::TooManyDigits { .. } => "TOO_MANY_DIGITS",
            Self::DigitCount { .. } => "DIGIT_COUNT",
            Self::GroupTooLarge { .. } => "GROUP_TOO_LARGE",
        }
    }

    /// The same in Chinese.
    pub fn in_chinese(&self) -> String {
        match self {
            Self::TooLong { bytes } => {
                format!("内容有{bytes}字节，二维码最多容纳{}字节，不会是扫码得到的", limits::CODE_BYTES_MAX)
            }
            Self::NoCode => format!("这不是票据上的二维码。请扫描票面上的二维码，或{FIVE_ENTRIES_ZH}"),
            Self::Elsewhere { address } => format!("二维码指向 {address}，不是这里核验的网址，没有打开"),
            Self::Misspelt => "网址不是大写字母，与票据上的二维码不符。请重新扫码，不要复制链接".to_owned(),
            Self::AddressAlone => format!("这张票据内容太长，二维码里只有网址。请{FIVE_ENTRIES_ZH}"),
            Self::NoDigits => "“#”后面没有内容，请重新扫码".to_owned(),
            Self::NotADigit { position, found } => {
                format!("“#”后面第{position}个字符“{}”不是数字，请重新扫码", line(&found.to_string()))
            }
            Self::TooManyDigits { digits } => format!("有{digits}位数字，票据最多有{DIGITS_MAX}位"),
            Self::DigitCount { digits } => {
                format!("只读到一部分（{digits}位数字）。请重新扫码，或复制完整的链接")
            }
            Self::GroupTooLarge { first, last } => {
                format!("第{first}到{last}位数字不表示任何内容，二维码已损坏或是编造的")
            }
        }
    }
}

/// The address of the page alone: what is printed where a record has no room.
pub fn address(host: &Host) -> String {
    format!("{SCHEME}{host}{PATH}")
}

/// The text of a receipt's code: its page's address, `#`, and the signed record, verbatim, in digits.
pub fn text(host: &Host, signed_record: &[u8]) -> String {
    format!("{}#{}", address(host), digits(signed_record))
}

/// Bytes in decimal digits: what stands behind `#`.
pub fn digits(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len().div_ceil(GROUP_BYTES) * GROUP_DIGITS);
    for group in bytes.chunks(GROUP_BYTES) {
        push_group(&mut digits, group);
    }
    digits
}

/// The signed record in a scanned text, verbatim and not yet judged: at least one byte and at most [`limits::RECORD_BYTES_MAX`]. `hosts`
/// are those of this page, its former ones among them: papers outlive names.
///
/// # Errors
/// Every text that [`text`] does not give for one of the hosts.
pub fn read(scanned: &str, hosts: &[Host]) -> Result<Vec<u8>, CodeError> {
    if scanned.len() > limits::CODE_BYTES_MAX {
        return Err(CodeError::TooLong { bytes: scanned.len() });
    }
    for address in hosts.iter().map(address) {
        let Some((own, rest)) = scanned.split_at_checked(address.len()) else { continue };
        let ends = rest.is_empty() || rest.starts_with('#');
        if !ends || !own.eq_ignore_ascii_case(&address) {
            continue;
        }
        if own != address {
            return Err(CodeError::Misspelt);
        }
        return rest.strip_prefix('#').map_or(Err(CodeError::AddressAlone), read_digits);
    }
    if has_scheme(scanned) {
        return Err(CodeError::Elsewhere { address: shown(scanned, hosts) });
    }
    Err(CodeError::NoCode)
}

/// The same of the part behind `#` alone: what a page has of a link that a phone's own scanner has opened.
///
/// # Errors
/// Those of [`read`] about digits.
pub fn read_digits(digits: &str) -> Result<Vec<u8>, CodeError> {
    if digits.is_empty() {
        return Err(CodeError::NoDigits);
    }
    // All before it are digits, of one byte each.
    if let Some((at, found)) = digits.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        return Err(CodeError::NotADigit { position: at + 1, found });
    }
    if digits.len() > DIGITS_MAX {
        return Err(CodeError::TooManyDigits { digits: digits.len() });
    }
    let rest = digits.len() % GROUP_DIGITS;
    let Some(rest_bytes) = DIGITS_OF_BYTES.iter().position(|digits| *digits == rest) else {
        return Err(CodeError::DigitCount { digits: digits.len() });
    };
    let mut bytes = Vec::with_capacity(digits.len() / GROUP_DIGITS * GROUP_BYTES + rest_bytes);
    for (index, group) in digits.as_bytes().chunks(GROUP_DIGITS).enumerate() {
        let count = if group.len() == GROUP_DIGITS { GROUP_BYTES } else { rest_bytes };
        // Below 10^17. What does not fit into the bytes is lost, and so missing when they are written again.
        let value = group.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
        let read = &value.to_be_bytes()[size_of::<u64>() - count..];
        let mut again = String::with_capacity(GROUP_DIGITS);
        push_group(&mut again, read);
        if again.as_bytes() != group {
            let first = index * GROUP_DIGITS + 1;
            return Err(CodeError::GroupTooLarge { first, last: first + group.len() - 1 });
        }
        bytes.extend_from_slice(read);
    }
    Ok(bytes)
}

/// At most [`GROUP_BYTES`] bytes, with the leading zeros that their number asks for.
fn push_group(digits: &mut String, group: &[u8]) {
    let value = group.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let width = DIGITS_OF_BYTES[group.len()];
    // Writing to a String cannot fail.
    let _ = write!(digits, "{value:0width$}");
}

/// A foreign address as it stands in a sentence of ours. Of one with a host, that: all else is there to look like somebody else's. Whoever
/// makes a code could, too, go on in our voice.
fn shown(address: &str, hosts: &[Host]) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return beginning(address) };
    // As browsers read it: `\` ends a host as `/` does, and the last `@` ends what stands before one.
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let is_own = |host: &Host| scheme.eq_ignore_ascii_case("https") && place.eq_ignore_ascii_case(host.as_str());
    match hosts.iter().any(is_own) {
        true => beginning(address),
        false => end(&address[..scheme.len() + "://".len()], place),
    }
}

/// As many bytes as have room, from the first.
fn beginning(address: &str) -> String {
    let mut room = SHOWN_CHARS_MAX;
    let kept = address.bytes().take_while(|byte| has_room(*byte, &mut room)).count();
    let mut shown = String::with_capacity(SHOWN_CHARS_MAX);
    push(&mut shown, &address.as_bytes()[..kept]);
    shown
}

/// As many bytes of both as have room, up to the last, behind `…` if these are not all: whose a host is stands at its end.
fn end(scheme: &str, place: &str) -> String {
    let address = [scheme, place].concat();
    let mut room = SHOWN_CHARS_MAX;
    let kept = address.bytes().rev().take_while(|byte| has_room(*byte, &mut room)).count();
    let start = address.len() - kept;
    let mut shown = String::with_capacity(SHOWN_CHARS_MAX);
    if start > 0 {
        shown.push('…');
    }
    push(&mut shown, &address.as_bytes()[start..]);
    shown
}

/// Whether a byte as it is written has room, which it takes then.
fn has_room(byte: u8, room: &mut usize) -> bool {
    let width = if stays(byte) { 1 } else { 3 };
    let has_room = width <= *room;
    *room = room.saturating_sub(width);
    has_room
}

/// Bytes that no address has (RFC 3986, 2) as `%XX`.
fn push(shown: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        if stays(byte) {
            shown.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(shown, "%{byte:02X}");
        }
    }
}

fn stays(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// Whether a text begins as an address of any kind does (RFC 3986, 3.1).
fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(rest)
}

#[cfg(test)]
mod tests;
