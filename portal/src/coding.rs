//! Content codings: in which of the forms that are at hand a file goes to whoever asks (RFC 9110, sections 8.4.1 and 12.5.3).
//!
//! ```text
//! Accept-Encoding: gzip, deflate, br;q=0.9, *;q=0
//!                  name; weight between 0 (not at all) and 1, the greatest unless it is said; * is every name that is not said
//! ```
//! What is no entry of this form counts as not there, so junk gets the file as it is. Of a name that is there twice the first counts. Not here:
//! packing (`files`, and `tallystick-page`).

use http::{HeaderMap, header};

/// Entries of a request that are read; browsers send four. The header as a whole is bounded by the server.
const ENTRIES_MAX: usize = 32;
/// The greatest weight, in thousandths.
const WEIGHT_MAX: u16 = 1000;

/// A form of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
    /// As they are.
    Plain,
}

impl Coding {
    /// All of them, the shortest first.
    pub(crate) const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Plain];

    /// Its name in `Content-Encoding`, which has none for bytes as they are.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Plain => None,
        }
    }

    /// The end of an ETag: two forms of one file are two things to a cache.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => "-br",
            Self::Gzip => "-gz",
            Self::Plain => "",
        }
    }

    fn is_named(self, name: &str) -> bool {
        let names: &[&str] = match self {
            Self::Brotli => &["br"],
            Self::Gzip => &["gzip", "x-gzip"],
            Self::Plain => &["identity"],
        };
        names.iter().any(|known| name.eq_ignore_ascii_case(known))
    }

    /// Of the forms that are at hand the one that a request likes best, of several the shortest. Bytes as they are if it likes none, or
    /// refuses even those: that is answered better than not at all.
    pub(crate) fn chosen(asked: &HeaderMap, is_at_hand: impl Fn(Self) -> bool) -> Self {
        let values = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let entries = values.flat_map(|value| value.split(',')).take(ENTRIES_MAX).filter_map(entry);
        let entries: Vec<(&str, u16)> = entries.collect();
        let of = |is_meant: &dyn Fn(&str) -> bool| {
            entries.iter().find(|(name, _)| is_meant(name)).map(|(_, weight)| *weight)
        };
        let weight = |coding: Self| of(&|name| coding.is_named(name)).or(of(&|name| name == "*")).unwrap_or(0);
        let mut best = (Self::Plain, 0);
        for coding in Self::ALL.into_iter().filter(|coding| is_at_hand(*coding)) {
            if weight(coding) > best.1 {
                best = (coding, weight(coding));
            }
        }
        best.0
    }
}

/// Name and weight, in thousandths.
fn entry(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = parts.next().map_or(Some(WEIGHT_MAX), weight)?;
    parts.next().is_none().then_some((name, weight))
}

/// `q=` and a number between 0 and 1 with three decimals at most, in thousandths.
fn weight(text: &str) -> Option<u16> {
    let number = text.strip_prefix("q=").or(text.strip_prefix("Q="))?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" => (thousandths == 0).then_some(WEIGHT_MAX),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// What a request with these lines gets, all forms being at hand.
    fn chosen(lines: &[&str]) -> Coding {
        let lines =
            lines.iter().map(|line| (header::ACCEPT_ENCODING, HeaderValue::from_bytes(line.as_bytes()).unwrap()));
        Coding::chosen(&lines.collect::<HeaderMap>(), |_| true)
    }

    #[test]
    fn what_is_liked_best_is_sent_and_of_several_the_shortest() {
        for (lines, expected) in [
            // As browsers say it, with and without TLS.
            (&["gzip, deflate, br, zstd"][..], Coding::Brotli),
            (&["gzip, deflate"], Coding::Gzip),
            (&[], Coding::Plain),
            (&[""], Coding::Plain),
            (&["br"], Coding::Brotli),
            (&["BR;Q=0.1"], Coding::Brotli),
            (&["gzip", "br"], Coding::Brotli),
            (&["x-gzip"], Coding::Gzip),
            (&["identity"], Coding::Plain),
            // Weights.
            (&["br;q=0.5, gzip;q=0.501"], Coding::Gzip),
            (&["br ; q=0.5 ,gzip;q=0.5"], Coding::Brotli),
            (&["br;q=0, gzip"], Coding::Gzip),
            (&["br;q=0.000, gzip;q=0."], Coding::Plain),
            (&["br;q=0.001"], Coding::Brotli),
            (&["br;q=0.5, identity;q=1.000"], Coding::Plain),
            (&["identity;q=0.5, gzip;q=0.4"], Coding::Plain),
            (&["identity;q=0.5, gzip;q=0.5"], Coding::Gzip),
            // Every other.
            (&["*"], Coding::Brotli),
            (&["*;q=0.1, br;q=0"], Coding::Gzip),
            (&["gzip;q=0.5, *;q=0.4"], Coding::Gzip),
            (&["*;q=0"], Coding::Plain),
            (&["gzip, *;q=0"], Coding::Gzip),
            (&["identity;q=0, br"], Coding::Brotli),
            (&["identity;q=0"], Coding::Plain),
            // The first of a name counts.
            (&["br;q=0, br", "br"], Coding::Plain),
            // What is no entry.
            (&["deflate, compress, zstd"], Coding::Plain),
            (&["br;q=2"], Coding::Plain),
            (&["br;q=1.001"], Coding::Plain),
            (&["br;q=0.0001"], Coding::Plain),
            (&["br;q=-1, gzip;q=0x1"], Coding::Plain),
            (&["br;q=, gzip;q"], Coding::Plain),
            (&["br;q=1;q=0"], Coding::Plain),
            (&["br;level=11"], Coding::Plain),
            (&["br gzip"], Coding::Plain),
            (&["brotli"], Coding::Plain),
            (&[";q=1,,,;;,= , br"], Coding::Brotli),
            (&["\u{fffd}, br", "gzip"], Coding::Gzip),
        ] {
            assert_eq!(chosen(lines), expected, "{lines:?}");
        }
        let behind = |others: usize| chosen(&[&format!("{}br", "zstd,".repeat(others))]);
        assert_eq!(behind(ENTRIES_MAX - 1), Coding::Brotli);
        assert_eq!(behind(ENTRIES_MAX), Coding::Plain, "nobody means so many");
    }

    #[test]
    fn what_is_not_at_hand_is_not_chosen() {
        let asked: HeaderMap =
            [(header::ACCEPT_ENCODING, HeaderValue::from_static("br, gzip;q=0.5"))].into_iter().collect();
        let with = |forms: &[Coding]| Coding::chosen(&asked, |coding| forms.contains(&coding));
        assert_eq!(with(&Coding::ALL), Coding::Brotli);
        assert_eq!(with(&[Coding::Gzip, Coding::Plain]), Coding::Gzip);
        assert_eq!(with(&[Coding::Plain]), Coding::Plain);
    }
}
