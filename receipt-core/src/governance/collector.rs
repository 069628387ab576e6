//! Collectors: who takes payments for units (banks and other channels), for whom, and how much a day.

use prost::Message;

use crate::area::Area;

/// Registers a collector, or replaces its entry. It collects for the units named, or for every unit of an area.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RegisterCollector {
    /// Registry number.
    #[prost(uint32, tag = "1")]
    pub collector_id: u32,
    /// Its name, for people.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The units for which it collects, ascending; none if an area is given.
    #[prost(uint32, repeated, tag = "3")]
    pub unit_ids: Vec<u32>,
    /// Number of the area for whose units it collects; 0 if units are given.
    #[prost(uint32, tag = "4")]
    pub area: u32,
    /// What it may confirm in one day, in 分, at most.
    #[prost(uint64, tag = "5")]
    pub daily_cap_fen: u64,
    /// From this time on (ms) it is suspended; 0: it is not.
    #[prost(uint64, tag = "6")]
    pub suspended_from_ms: u64,
}

impl RegisterCollector {
    /// The area for whose units it collects, if it is one.
    pub const fn area(&self) -> Option<Area> {
        Area::new(self.area)
    }
}
