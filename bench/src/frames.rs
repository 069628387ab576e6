//! What looking through one frame of the camera takes: 1280 × 720, from the canvas to the texts of its codes, in the page's own scanner.
//!
//! ```text
//! print   a printed receipt without a code: what most frames of a scan show
//! code    the same with the receipt's code on it: the frame that ends a scan
//! noise   every point a chance value: the most that there is to look at
//! ```
//! Not here: opening the page, and what is judged by a code (`page`).

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use receipt_core::code::Host;
use serde::Serialize;
use serde_json::{Value, json};
use tallystick_qr::receipt_symbol;

use crate::browser::{Browser, Tab, durations};
use crate::figures::{Latency, row, section};

/// What the frames show, as the script names it.
const PICTURES: [&str; 3] = ["print", "code", "noise"];

/// What one kind of frame takes.
#[derive(Debug, Clone, Serialize)]
pub struct FrameReport {
    pub(crate) picture: &'static str,
    pub(crate) time: Latency,
    pub(crate) time_slowed_down: Latency,
}

/// The frames to look through, and how long each took.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    script: String,
    times: [Vec<Duration>; PICTURES.len()],
}

impl Frames {
    /// Frames with the code of this signed record; each is looked through so many times in a page.
    pub(crate) fn of(host: &Host, signed_record: &[u8], runs: usize) -> Result<Self> {
        let printed = receipt_symbol(host, signed_record);
        ensure!(
            printed.lint.is_none(),
            "the receipt's code is not one that frames are to be measured with: {:?}",
            printed.lint
        );
        let dark = printed.symbol.rectangles();
        let dark: Vec<[u32; 4]> = dark.iter().map(|area| [area.x, area.y, area.width, area.height]).collect();
        let options =
            json!({ "side": printed.symbol.side_with_quiet_zone(), "dark": dark, "text": printed.text, "runs": runs });
        Ok(Self { script: format!("{SCRIPT}({options})"), times: Default::default() })
    }

    /// The same frames, with no times yet.
    pub(crate) fn anew(&self) -> Self {
        Self { script: self.script.clone(), times: Default::default() }
    }

    /// Looks through all of them in an open page. `counts`: whether its times are kept.
    pub(crate) async fn measure(&mut self, browser: &mut Browser, tab: &Tab, counts: bool) -> Result<()> {
        let measured: Value = browser.value(tab, &self.script).await.context("look through frames")?;
        for (name, times) in PICTURES.iter().zip(&mut self.times) {
            let took = durations(&measured, name)?;
            if counts {
                times.extend(took);
            }
        }
        Ok(())
    }

    /// The figures, with those of the page that was slowed down.
    pub(crate) fn report(self, slowed_down: Self) -> Vec<FrameReport> {
        let both = self.times.into_iter().zip(slowed_down.times);
        let report = |(picture, (plain, slowed))| FrameReport {
            picture,
            time: Latency::of(plain),
            time_slowed_down: Latency::of(slowed),
        };
        PICTURES.into_iter().zip(both).map(report).collect()
    }
}

/// Adds them to the table for people.
pub(crate) fn table(table: &mut String, frames: &[FrameReport], slowdown: u32) {
    section(table, "time, a frame of 1280 x 720");
    for frame in frames {
        row(table, frame.picture, &frame.time.line());
        row(table, &format!("{}, {slowdown}x slower", frame.picture), &frame.time_slowed_down.line());
    }
}

/// The page hands a frame over as `picture.js` does: drawn on a canvas, read back, made grey. A frame that says something else than it shows
/// fails the run.
const SCRIPT: &str = r"(async ({ side, dark, text, runs }) => {
  const [width, height] = [1280, 720];
  const module = Uint8Array.from(atob(document.getElementById('carrier').textContent), (letter) => letter.charCodeAt(0));
  const { exports } = (await WebAssembly.instantiate(module, {})).instance;
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const print = () => {
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.fillStyle = '#000';
    context.font = '22px sans-serif';
    for (let line = 1; line < 26; line++) context.fillText(`${line} 项目 检查费 数量 1 单位 次 金额 ${line * 37}.50 `.repeat(3), 20, line * 28);
  };
  const code = () => {
    print();
    const scale = Math.floor(height / side);
    context.fillStyle = '#fff';
    context.fillRect(0, 0, side * scale, side * scale);
    context.fillStyle = '#000';
    for (const [x, y, wide, high] of dark) context.fillRect((x + 4) * scale, (y + 4) * scale, wide * scale, high * scale);
  };
  const noise = () => {
    const image = context.createImageData(width, height);
    let chance = 1;
    for (let at = 0; at < image.data.length; at++) {
      chance = (Math.imul(chance, 1664525) + 1013904223) >>> 0;
      image.data[at] = at % 4 === 3 ? 255 : chance >>> 24;
    }
    context.putImageData(image, 0, 0);
  };
  const look = () => {
    const { data } = context.getImageData(0, 0, width, height);
    const grey = new Uint8Array(width * height);
    for (let from = 0, to = 0; to < grey.length; from += 4, to += 1) {
      grey[to] = (data[from] * 77 + data[from + 1] * 150 + data[from + 2] * 29) >> 8;
    }
    const at = exports.tallystick_input(grey.length);
    new Uint8Array(exports.memory.buffer).set(grey, at);
    const length = exports.tallystick_codes(width, height);
    return JSON.parse(new TextDecoder().decode(new Uint8Array(exports.memory.buffer, exports.tallystick_output(), length)));
  };
  const measured = {};
  for (const [name, draw, shows] of [['print', print, []], ['code', code, [text]], ['noise', noise, []]]) {
    draw();
    measured[name] = [];
    for (let run = 0; run < runs; run++) {
      const from = performance.now();
      const texts = look();
      measured[name].push(Math.round((performance.now() - from) * 1000));
      if (JSON.stringify(texts) !== JSON.stringify(shows)) throw new Error(`a frame with ${name} says ${JSON.stringify(texts)}`);
    }
  }
  return measured;
})";

#[cfg(test)]
mod tests {
    use super::*;
    use receipt_core::bundle::Bundle;

    #[test]
    fn the_script_carries_the_receipts_own_code() {
        let vectors: Value = serde_json::from_str(include_str!("../../docs/spec/vectors/bundle.json")).unwrap();
        let record = Bundle::decode(vectors["bundles"][0]["bundle"].as_str().unwrap().as_bytes()).unwrap().record;
        let host = Host::new("tally.example").unwrap();
        let frames = Frames::of(&host, &record, 3).unwrap();
        assert!(frames.script.contains(&receipt_core::code::text(&host, &record)), "{}", frames.script);
        assert!(frames.script.ends_with("})") && frames.script.contains("\"runs\":3"), "{}", frames.script);
        // More than fits a code that is printed well.
        assert!(Frames::of(&host, &[7; 900], 3).is_err());
    }

    #[test]
    fn each_picture_keeps_its_times() {
        let ms = Duration::from_millis;
        let plain = Frames { script: String::new(), times: [vec![ms(1)], vec![ms(2)], vec![ms(3)]] };
        let slowed = Frames { script: String::new(), times: [vec![ms(6)], vec![ms(12)], vec![ms(18)]] };
        let report = plain.report(slowed);
        let found: Vec<_> = report
            .iter()
            .map(|frame| (frame.picture, frame.time.p50_micros, frame.time_slowed_down.p50_micros))
            .collect();
        assert_eq!(found, [("print", 1_000, 6_000), ("code", 2_000, 12_000), ("noise", 3_000, 18_000)]);
    }
}
