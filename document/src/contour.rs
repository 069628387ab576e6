//! The outline of a code: around dark modules that lie side by side runs one line, clockwise, and around a light hole in them one the other way. It
//! takes two thirds of the bytes of an area for each, and no renderer that smooths edges leaves a light line between two areas.

use std::collections::BTreeMap;

use crate::face::PlacedCode;

/// A corner: modules to the right and down.
pub(crate) type Corner = (i32, i32);

/// The outlines, each by its corners. To be filled by the rule of non-zero winding.
pub(crate) fn contours(code: &PlacedCode) -> Vec<Vec<Corner>> {
    let mut edges = edges(code);
    let mut contours = Vec::new();
    while let Some((&(y, x), _)) = edges.first_key_value() {
        let mut corners: Vec<Corner> = Vec::new();
        let mut at = (x, y);
        // A line that comes to a corner leaves it, too: every edge of a module has one that follows.
        while let Some(next) = leave(&mut edges, at) {
            let turns = |before: &Corner| (before.0 == at.0) != (at.0 == next.0);
            if corners.last().is_none_or(turns) {
                corners.push(at);
            }
            at = next;
        }
        // The first row of a contour begins at its left end, so that its first corner is one.
        contours.push(corners);
    }
    contours
}

/// Edges between dark and light with the dark on their right, by beginning (row first).
fn edges(code: &PlacedCode) -> BTreeMap<Corner, Vec<Corner>> {
    let mut dark = std::collections::BTreeSet::new();
    for area in &code.areas {
        for y in area.y..area.y + area.height {
            dark.extend((area.x..area.x + area.width).map(|x| (x, y)));
        }
    }
    let mut edges: BTreeMap<Corner, Vec<Corner>> = BTreeMap::new();
    for &(x, y) in &dark {
        let sides = [
            ((x, y - 1), (x, y), (x + 1, y)),
            ((x + 1, y), (x + 1, y), (x + 1, y + 1)),
            ((x, y + 1), (x + 1, y + 1), (x, y + 1)),
            ((x - 1, y), (x, y + 1), (x, y)),
        ];
        for (neighbour, from, to) in sides {
            if !dark.contains(&neighbour) {
                edges.entry((from.1, from.0)).or_default().push(to);
            }
        }
    }
    edges
}

/// Takes an edge that begins at a corner, and says where it ends.
fn leave(edges: &mut BTreeMap<Corner, Vec<Corner>>, from: Corner) -> Option<Corner> {
    let key = (from.1, from.0);
    let ends = edges.get_mut(&key)?;
    let end = ends.pop();
    if ends.is_empty() {
        edges.remove(&key);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::{Area, Code};

    fn placed(rows: &[&str]) -> PlacedCode {
        let side = i32::try_from(rows.len()).unwrap();
        let dark = |x: i32, y: i32| rows[usize::try_from(y).unwrap()].as_bytes()[usize::try_from(x).unwrap()] == b'#';
        let areas = Code::of_modules(side, 4, 375, "", dark).areas;
        PlacedCode { x_um: 0, y_um: 0, module_um: 375, side, areas }
    }

    /// How often the outlines wind around the middle of a module.
    fn winding(contours: &[Vec<Corner>], (x, y): Corner) -> i32 {
        let mut winding = 0;
        for corners in contours {
            for (index, from) in corners.iter().enumerate() {
                let to = corners[(index + 1) % corners.len()];
                assert!(from.0 == to.0 || from.1 == to.1, "outlines run along modules: {from:?} to {to:?}");
                // Edges that cross the line from the middle of the module to the right.
                if from.0 == to.0 && from.0 > x && from.1.min(to.1) <= y && y < from.1.max(to.1) {
                    winding += if to.1 > from.1 { 1 } else { -1 };
                }
            }
        }
        winding
    }

    #[test]
    fn what_the_outlines_enclose_is_what_is_dark() {
        for rows in [
            &["#"][..],
            &["##", "##"],
            &["###", "#.#", "###"],
            &["#.#", ".#.", "#.#"],
            &["#####", "#...#", "#.#.#", "#...#", "#####"],
            &["##.#", ".##.", "#..#", "####"],
        ] {
            let code = placed(rows);
            let contours = contours(&code);
            for (y, row) in (0..).zip(rows) {
                for (x, module) in (0..).zip(row.bytes()) {
                    assert_eq!(winding(&contours, (x, y)), i32::from(module == b'#'), "{rows:?} at {x}, {y}");
                }
            }
        }
        assert_eq!(contours(&placed(&["##", "##"])), [[(0, 0), (2, 0), (2, 2), (0, 2)]]);
    }

    #[test]
    fn areas_that_lie_over_each_other_are_dark_once() {
        let area = Area { x: 0, y: 0, width: 2, height: 1 };
        let code = PlacedCode { x_um: 0, y_um: 0, module_um: 375, side: 2, areas: vec![area, area] };
        assert_eq!(contours(&code), [[(0, 0), (2, 0), (2, 1), (0, 1)]]);
    }
}
