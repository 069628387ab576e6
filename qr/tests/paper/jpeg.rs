//! What saving as JPEG does to a grey picture: blocks of 8 × 8, cosine transform, rounding by the standard's table. The rest of JPEG loses
//! nothing and is left out.

use crate::picture::Picture;

const SIDE: usize = 8;

/// ITU-T T.81, table K.1, for quality 50.
const TABLE: [u16; SIDE * SIDE] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
];

/// Saves and reads again. `quality` as of libjpeg, 1 to 100.
pub(crate) fn recompress(picture: &mut Picture, quality: u16) {
    let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    let steps = TABLE.map(|step| f32::from(((u32::from(step) * u32::from(scale) + 50) / 100).clamp(1, 255) as u16));
    let cosines = cosines();
    for top in (0..picture.height).step_by(SIDE) {
        for left in (0..picture.width).step_by(SIDE) {
            // At the edges the last pixel is repeated.
            let place = |at: usize| {
                let (row, column) =
                    ((top + at / SIDE).min(picture.height - 1), (left + at % SIDE).min(picture.width - 1));
                row * picture.width + column
            };
            let mut block: [f32; SIDE * SIDE] =
                std::array::from_fn(|at| picture.light[place(at)].round().clamp(0.0, 255.0) - 128.0);
            block = transform(&block, |row, k| cosines[row][k]);
            for (value, step) in block.iter_mut().zip(steps) {
                *value = (*value / step).round() * step;
            }
            block = transform(&block, |row, k| cosines[k][row]);
            for (at, value) in block.iter().enumerate() {
                if top + at / SIDE < picture.height && left + at % SIDE < picture.width {
                    let place = place(at);
                    picture.light[place] = (value + 128.0).round().clamp(0.0, 255.0);
                }
            }
        }
    }
}

/// The orthonormal cosine transform of eight values.
fn cosines() -> [[f32; SIDE]; SIDE] {
    std::array::from_fn(|frequency| {
        std::array::from_fn(|at| {
            let angle = (2 * at + 1) as f32 * frequency as f32 * std::f32::consts::PI / 16.0;
            angle.cos() * if frequency == 0 { 0.125_f32.sqrt() } else { 0.5 }
        })
    })
}

/// M · block · Mᵀ.
fn transform(block: &[f32; SIDE * SIDE], matrix: impl Fn(usize, usize) -> f32) -> [f32; SIDE * SIDE] {
    let rows: [f32; SIDE * SIDE] =
        std::array::from_fn(|at| (0..SIDE).map(|k| matrix(at / SIDE, k) * block[k * SIDE + at % SIDE]).sum());
    std::array::from_fn(|at| (0..SIDE).map(|k| rows[at / SIDE * SIDE + k] * matrix(at % SIDE, k)).sum())
}

/// A flat picture stays as it is, and a fine pattern is lost at a low quality and kept at a high one.
#[test]
fn coarse_rounding_loses_fine_patterns_only() {
    let of = |light: fn(usize) -> f32| Picture { width: 16, height: 11, light: (0..176).map(light).collect() };
    let saved = |mut picture: Picture, quality| {
        recompress(&mut picture, quality);
        picture.light
    };
    assert!(saved(of(|_| 128.0), 40).iter().all(|light| (light - 128.0).abs() < 0.5));
    let fine = |at: usize| if at.is_multiple_of(2) { 120.0 } else { 136.0 };
    let spread = |light: &[f32]| light.iter().map(|light| (light - 128.0).abs()).fold(0.0, f32::max);
    assert!(spread(&saved(of(fine), 95)) > 6.0);
    assert!(spread(&saved(of(fine), 10)) < 2.0);
}
