//! Bad pictures of a printed symbol, made from a seed: the same seed gives the same picture.
//!
//! ```text
//! photo          turned, tilted, out of focus, unevenly lit, noisy, JPEG of quality 60
//! faint          the same of thermal paper: contrast 45 %, every line 0.12 modules too thick, JPEG 50
//! recompressed   a photo, shrunk to 60 % and saved twice (JPEG 50, then 40), as messengers do
//! ```
//! Sizes are pixels of a module in the picture that is decoded.

use tallystick_qr::{QUIET_ZONE_MODULES, Symbol};

use crate::jpeg;

/// What was done to a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Photo,
    Faint,
    Recompressed,
}

/// Light of 0 to 255, row after row.
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) light: Vec<f32>,
}

/// Numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }

    fn between(&mut self, least: f32, most: f32) -> f32 {
        least + (most - least) * self.unit()
    }

    /// Mean 0, standard deviation 1; by four summands.
    fn normal(&mut self) -> f32 {
        let sum: f32 = (0..4).map(|_| self.unit()).sum();
        (sum - 2.0) * 3_f32.sqrt()
    }
}

impl Picture {
    /// A picture of a symbol.
    pub(crate) fn of(symbol: &Symbol, kind: Kind, pixels_per_module: f32, seed: u64) -> Self {
        let mut random = Random(seed);
        match kind {
            Kind::Photo => {
                let mut picture =
                    photograph(symbol, pixels_per_module, &Print { contrast: 1.0, gain: 0.0 }, &mut random);
                jpeg::recompress(&mut picture, 60);
                picture
            }
            Kind::Faint => {
                let mut picture =
                    photograph(symbol, pixels_per_module, &Print { contrast: 0.45, gain: 0.06 }, &mut random);
                jpeg::recompress(&mut picture, 50);
                picture
            }
            Kind::Recompressed => {
                let print = Print { contrast: 1.0, gain: 0.0 };
                let mut sent = photograph(symbol, pixels_per_module / 0.6, &print, &mut random);
                jpeg::recompress(&mut sent, 60);
                let mut picture = shrink(&sent, 0.6);
                jpeg::recompress(&mut picture, 50);
                jpeg::recompress(&mut picture, 40);
                picture
            }
        }
    }

    /// One byte a pixel.
    pub(crate) fn luma(&self) -> Vec<u8> {
        self.light.iter().map(|light| light.round().clamp(0.0, 255.0) as u8).collect()
    }
}

/// What the printer made of the symbol.
struct Print {
    /// Of the difference between paper and ink.
    contrast: f32,
    /// By how much of a module ink runs beyond each edge.
    gain: f32,
}

impl Print {
    /// Whether there is ink, in modules from the symbol's corner.
    fn is_ink(&self, symbol: &Symbol, x: f32, y: f32) -> bool {
        let dark = |x: f32, y: f32| x >= 0.0 && y >= 0.0 && symbol.is_dark(x as u32, y as u32);
        let gain = self.gain;
        dark(x, y) || gain > 0.0 && [-gain, gain].iter().any(|dx| dark(x + dx, y - gain) || dark(x + dx, y + gain))
    }
}

const PAPER: f32 = 232.0;
const INK: f32 = 28.0;
/// Places looked at in a pixel, along each side.
const SAMPLES: usize = 3;

fn photograph(symbol: &Symbol, pixels_per_module: f32, print: &Print, random: &mut Random) -> Picture {
    let modules = (symbol.side() + 2 * QUIET_ZONE_MODULES) as f32;
    let side = (modules * 1.25 * pixels_per_module).ceil() as usize;
    let (turn, half) = (random.normal() * 6_f32.to_radians(), symbol.side() as f32 / 2.0);
    let (sin, cos) = turn.sin_cos();
    // How much farther away an edge of the symbol is than its middle.
    let tilt = [random.normal(), random.normal()].map(|tilt| tilt * 0.05 / half);
    let off = [random.between(-1.5, 1.5), random.between(-1.5, 1.5)];
    let lamp = random.between(0.0, std::f32::consts::TAU);
    let falls = random.between(0.1, 0.4);
    let mut light = Vec::with_capacity(side * side);
    for row in 0..side {
        for column in 0..side {
            let mut inked = 0;
            for sample in 0..SAMPLES * SAMPLES {
                let place = |pixel: usize, sample: usize| {
                    let at = pixel as f32 + (sample as f32 + 0.5) / SAMPLES as f32;
                    (at - side as f32 / 2.0) / pixels_per_module
                };
                let (u, v) = (place(column, sample % SAMPLES), place(row, sample / SAMPLES));
                let far = 1.0 + tilt[0] * u + tilt[1] * v;
                let (x, y) = ((cos * u - sin * v) / far, (sin * u + cos * v) / far);
                inked += usize::from(print.is_ink(symbol, x + half + off[0], y + half + off[1]));
            }
            let ink = inked as f32 / (SAMPLES * SAMPLES) as f32;
            let along = (column as f32 * lamp.cos() + row as f32 * lamp.sin()) / side as f32;
            light.push((PAPER - print.contrast * (PAPER - INK) * ink) * (1.0 - falls * (along + 1.0) / 2.0));
        }
    }
    let mut picture = Picture { width: side, height: side, light };
    blur(&mut picture, random.between(0.5, 0.9));
    for light in &mut picture.light {
        *light += random.normal() * 4.0;
    }
    picture
}

/// Gaussian, with a standard deviation of so many pixels.
fn blur(picture: &mut Picture, sigma: f32) {
    let weights: Vec<f32> = (-3_i32..=3).map(|at| (-((at * at) as f32) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f32 = weights.iter().sum();
    for (width, step, height, stride) in
        [(picture.width, 1, picture.height, picture.width), (picture.height, picture.width, picture.width, 1)]
    {
        for line in 0..height {
            let of: Vec<f32> = (0..width).map(|at| picture.light[line * stride + at * step]).collect();
            for at in 0..width {
                let near = weights
                    .iter()
                    .enumerate()
                    .map(|(index, weight)| weight * of[(at + index).saturating_sub(3).min(width - 1)]);
                picture.light[line * stride + at * step] = near.sum::<f32>() / sum;
            }
        }
    }
}

/// Each pixel the mean of what it covers.
fn shrink(picture: &Picture, factor: f32) -> Picture {
    let size = |pixels: usize| (pixels as f32 * factor).floor() as usize;
    let (width, height) = (size(picture.width), size(picture.height));
    let line = |of: &[f32], out: usize| -> Vec<f32> {
        let covered = |index: usize| {
            let (from, to) = (index as f32 / factor, (index + 1) as f32 / factor);
            let touched = from as usize..(to.ceil() as usize).min(of.len());
            let sum: f32 = touched.map(|at| of[at] * (((at + 1) as f32).min(to) - (at as f32).max(from))).sum();
            sum * factor
        };
        (0..out).map(covered).collect()
    };
    let rows: Vec<Vec<f32>> = picture.light.chunks(picture.width).map(|row| line(row, width)).collect();
    let columns: Vec<Vec<f32>> =
        (0..width).map(|x| line(&rows.iter().map(|row| row[x]).collect::<Vec<_>>(), height)).collect();
    let light = (0..height).flat_map(|y| columns.iter().map(move |column| column[y])).collect();
    Picture { width, height, light }
}
