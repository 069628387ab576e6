//! Collectors as descriptions have them: banks and other channels that take payments for units.

use receipt_core::area::Area;
use receipt_core::governance::RegisterCollector;
use receipt_core::limits::TOTAL_FEN_BOUND;
use serde::Deserialize;

use crate::text::{AreaText, IdText, NameText, TimeText};

/// See [`RegisterCollector`].
#[derive(Debug, Clone, Deserialize)]
pub struct CollectorText {
    /// Registry number.
    pub collector_id: IdText,
    /// Its name.
    pub name: NameText,
    /// The units for which it collects, in any order; absent if an area is given.
    pub units: Option<Vec<IdText>>,
    /// The area for whose units it collects; absent if units are given.
    pub area: Option<AreaText>,
    /// What it may confirm in one day, in 分, at most.
    pub daily_cap_fen: u64,
    /// From this time on it is suspended.
    pub suspended_from: Option<TimeText>,
}

impl CollectorText {
    pub(super) fn registration(&self) -> Result<RegisterCollector, String> {
        let mut unit_ids: Vec<u32> = self.units.iter().flatten().map(|unit| unit.0).collect();
        unit_ids.sort_unstable();
        if let Some(pair) = unit_ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("unit {} stands there twice", pair[0]));
        }
        let area = match (&self.area, unit_ids.is_empty()) {
            (Some(area), true) => Area::parse(&area.0).ok_or("the first two digits of `area` name a province")?.get(),
            (None, false) => 0,
            _ => return Err("give either `units` or `area`".to_owned()),
        };
        if !(1..TOTAL_FEN_BOUND.unsigned_abs()).contains(&self.daily_cap_fen) {
            return Err(format!("daily_cap_fen must be above zero and below {TOTAL_FEN_BOUND}"));
        }
        Ok(RegisterCollector {
            collector_id: self.collector_id.0,
            name: self.name.0.clone(),
            unit_ids,
            area,
            daily_cap_fen: self.daily_cap_fen,
            suspended_from_ms: self.suspended_from.map_or(0, |time| time.0.get()),
        })
    }
}
