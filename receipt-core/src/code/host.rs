//! The host in a receipt's code.
//!
//! ```text
//! TALLY.CZT.GOV.CN      127.0.0.1:8443      labels of A-Z, 0-9 and inner hyphens, at most 63 characters each; a port other than 443
//! ```
//! Upper case, because a QR code writes capital letters in 5½ bits and small ones in 8; every character has to be in its alphanumeric set.

use std::fmt;

use crate::limits::HOST_CHARS_MAX;

/// Characters of a part between dots (RFC 1035, 2.3.4).
const LABEL_CHARS_MAX: usize = 63;

/// A host in capital letters, with a port if it is another one than 443.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host(String);

/// Why a text is no host of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Empty or too long.
    #[error("a host has 1 to {HOST_CHARS_MAX} characters, its port included")]
    Length,
    /// A character that no host has; a scheme or a path, perhaps.
    #[error("a host has letters A to Z, digits, hyphens and dots, and not {0:?}; write it without https:// and path")]
    Character(char),
    /// A part between dots that no host has.
    #[error("each part of a host between dots has 1 to {LABEL_CHARS_MAX} characters, and no hyphen at its ends")]
    Label,
    /// Not a port.
    #[error("a port is a number from 1 to 65535 without leading zeros; 443 is left out")]
    Port,
}

impl Host {
    /// Reads a host in any case, as it stands in a config; small letters become capital ones.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn new(text: &str) -> Result<Self, HostError> {
        if text.is_empty() || text.len() > HOST_CHARS_MAX {
            return Err(HostError::Length);
        }
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | ':')) {
            return Err(HostError::Character(odd));
        }
        let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
        let is_label = |label: &str| {
            (1..=LABEL_CHARS_MAX).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        };
        if !name.split('.').all(is_label) {
            return Err(HostError::Label);
        }
        if !port.is_none_or(is_port) {
            return Err(HostError::Port);
        }
        Ok(Self(text.to_ascii_uppercase()))
    }

    /// As it stands in the code, and as it is printed beside it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_port(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    digits && text.parse().is_ok_and(|port: u16| port != 443)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
