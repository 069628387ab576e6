//! Text in a box of its own: made smaller until it fits into its lines, down to the template's least size.

use crate::face::{Ink, Mark, Text};
use crate::layout::GOES_ON;
use crate::template::{Align, BoxTemplate, TextSizes};
use crate::width::{cells, clusters, wrap};

/// By how much a text is made smaller at a time.
const STEP_UM: i32 = 100;

/// The text of a box.
pub(super) struct Piece {
    /// Its lines.
    pub(super) marks: Vec<Mark>,
    /// Whether all of it is there.
    pub(super) whole: bool,
}

/// Cells of a width at a size.
pub(super) const fn cells_of_width(width_um: i32, size_um: i32) -> i32 {
    2 * width_um / size_um
}

/// Where the letters of a line stand that begins at `top_um` and is `line_um` high: the ink of a full-width character in its middle.
pub(super) const fn baseline(top_um: i32, line_um: i32, size_um: i32) -> i32 {
    top_um + (line_um - size_um) / 2 + size_um * 22 / 25
}

/// A line of text, aligned in its width.
pub(super) fn text_line(
    text: &str,
    (x_um, width_um): (i32, i32),
    baseline_um: i32,
    size_um: i32,
    (align, ink): (Align, Ink),
) -> Mark {
    let free_um = (width_um - cells(text) * size_um / 2).max(0);
    let x_um = match align {
        Align::Left => x_um,
        Align::Center => x_um + free_um / 2,
        Align::Right => x_um + free_um,
    };
    Mark::Text(Text { x_um, baseline_um, size_um, ink, text: text.to_owned() })
}

/// The text in its box: at its size if it fits, else as large as fits, else its beginning at the least size.
pub(super) fn fitted(place: &BoxTemplate, text: &str, sizes: &TextSizes) -> Piece {
    let size_max = place.size_um.unwrap_or(sizes.size_um);
    let size_min = size_max.min(sizes.size_min_um);
    let mut size_um = size_max;
    let mut lines = wrap(text, cells_of_width(place.width_um, size_um));
    while lines.len() > place.lines && size_um > size_min {
        size_um = (size_um - STEP_UM).max(size_min);
        lines = wrap(text, cells_of_width(place.width_um, size_um));
    }
    let whole = lines.len() <= place.lines;
    lines.truncate(place.lines);
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    if let Some(last) = lines.last_mut().filter(|_| !whole) {
        *last = with_ellipsis(last, cells_of_width(place.width_um, size_um));
    }
    let line_um = size_um * sizes.line_um / sizes.size_um;
    let marks = (0_i32..).zip(&lines).map(|(index, line)| {
        let baseline_um = baseline(place.y_um + index * line_um, line_um, size_um);
        text_line(line, (place.x_um, place.width_um), baseline_um, size_um, (place.align, place.ink))
    });
    Piece { marks: marks.collect(), whole }
}

fn with_ellipsis(line: &str, cells_max: i32) -> String {
    let room = cells_max - cells(GOES_ON);
    let kept = clusters(line).take_while(|cluster| cluster.cell + cluster.cells <= room);
    kept.map(|cluster| cluster.text).chain([GOES_ON]).collect()
}
