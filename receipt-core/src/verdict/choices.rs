//! What a holder may choose to show of a bundle, with names and values as a presentation will have them.

use serde::Serialize;

use super::face::FaceLine;
use super::presentation::line_of;
use crate::bundle::share::Opened;
use crate::bundle::{Bundle, NEVER_SHOWN, ShareError, is_always_shown};

/// A field that can be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Name, label and value.
    #[serde(flatten)]
    pub line: FaceLine,
    /// Whether it stands in every presentation.
    pub always: bool,
    /// Whether the receipt has nothing there, which can be shown, too.
    pub empty: bool,
}

/// All fields of a bundle that can be shown, in the order of the layout; times are printed under a fixed UTC offset. Whether the bundle is
/// anybody's good receipt is not judged.
pub fn choices(bundle: &Bundle, utc_offset_minutes: i32) -> Result<Vec<Choice>, ShareError> {
    let opened = Opened::of(bundle)?;
    let choice = |(position, name): (usize, &String)| Choice {
        line: line_of(&opened.receipt, name, opened.value(position), utc_offset_minutes),
        always: is_always_shown(name),
        empty: opened.value(position).is_empty(),
    };
    let named = opened.names.iter().enumerate().filter(|(_, name)| *name != NEVER_SHOWN);
    Ok(named.map(choice).collect())
}
