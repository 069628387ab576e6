//! Differences instead of values, as streams of addresses have them (PNG predictors, ISO 32000-1 §7.4.4.4).

use crate::outcome::Why;

/// The values again. `row_bytes`: bytes of a row without the byte in front of it that says how it was written. A pixel has one byte.
pub(super) fn undo(differences: &[u8], row_bytes: usize) -> Result<Vec<u8>, Why> {
    let mut values: Vec<u8> = Vec::with_capacity(differences.len());
    let mut above = vec![0; row_bytes];
    for row in differences.chunks(row_bytes.checked_add(1).ok_or(Why::Damaged)?) {
        let (way, row) = row.split_first().ok_or(Why::Damaged)?;
        let (mut left, mut above_left) = (0_u8, 0_u8);
        let mut own = Vec::with_capacity(row_bytes);
        for (difference, above) in row.iter().zip(&above) {
            let guess = match way {
                0 => 0,
                1 => left,
                2 => *above,
                3 => u8::midpoint(left, *above),
                4 => paeth(left, *above, above_left),
                _ => return Err(Why::Damaged),
            };
            left = difference.wrapping_add(guess);
            above_left = *above;
            own.push(left);
        }
        if own.len() != row_bytes {
            return Err(Why::Damaged);
        }
        values.extend(&own);
        above = own;
    }
    Ok(values)
}

fn paeth(left: u8, above: u8, above_left: u8) -> u8 {
    let [a, b, c] = [left, above, above_left].map(i32::from);
    let guess = a + b - c;
    let [to_left, to_above, to_both] = [a, b, c].map(|value| (guess - value).abs());
    if to_left <= to_above && to_left <= to_both {
        left
    } else if to_above <= to_both {
        above
    } else {
        above_left
    }
}
