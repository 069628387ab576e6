//! The head of every JSON document that a program prints: which format, which program, when. Whoever keeps reports can tell them
//! apart years later. The formats: `docs/spec/schemas`.

use receipt_core::ids::UnixMillis;
use receipt_core::verdict::utc_text;
use serde::Serialize;

/// A report with its head.
#[derive(Debug, Clone, Serialize)]
pub struct Stamped<'a, T> {
    /// Format of the document. Raised when a field changes its meaning or goes; new fields do not raise it.
    #[serde(skip_serializing_if = "Option::is_none")]
    format_version: Option<u32>,
    /// The program that made it.
    program: &'static str,
    /// The program's version.
    program_version: &'static str,
    /// When it was made, by the machine's clock: RFC 3339, UTC.
    made_at: String,
    #[serde(flatten)]
    content: &'a T,
}

impl<'a, T: Serialize> Stamped<'a, T> {
    /// Of content that must be a struct or a map. `format_version`: `None` if the content has its own.
    pub fn new(
        (program, program_version): (&'static str, &'static str),
        format_version: Option<u32>,
        now: UnixMillis,
        content: &'a T,
    ) -> Self {
        Self { format_version, program, program_version, made_at: utc_text(now), content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Content {
        findings: u32,
    }

    #[test]
    fn the_head_comes_first_and_the_content_is_not_wrapped() {
        let (now, content) = (UnixMillis::new(1_793_577_600_250), Content { findings: 2 });
        let text = serde_json::to_string(&Stamped::new(("tallystick-x", "1.2.3"), Some(4), now, &content)).unwrap();
        let expected = r#"{"format_version":4,"program":"tallystick-x","program_version":"1.2.3","made_at":"2026-11-02T00:00:00Z","findings":2}"#;
        assert_eq!(text, expected);
        let bare = serde_json::to_string(&Stamped::new(("tallystick-x", "1.2.3"), None, now, &content)).unwrap();
        assert!(bare.starts_with(r#"{"program":"#), "{bare}");
    }
}
