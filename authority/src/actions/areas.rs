//! Who are the authorities of an area, as descriptions have it; the same text says it to whoever signs for the area (`--area-authorities`).

use receipt_core::area::Area;
use receipt_core::authorities::AuthoritySet;
use receipt_core::governance::SetAreaAuthorities;
use receipt_core::suite::Suite;
use serde::Deserialize;

use crate::text::{AreaText, KeyText};

/// See [`SetAreaAuthorities`].
#[derive(Debug, Clone, Deserialize)]
pub struct AreaAuthoritiesText {
    /// 行政区划代码: 330100 a city with its districts, 330106 one of them.
    pub area: AreaText,
    /// How many of them must sign; 0 with no keys: the area's authorities are taken away.
    pub threshold: u32,
    /// All of them, in the order in which they are numbered.
    pub public_keys: Vec<KeyText>,
}

impl AreaAuthoritiesText {
    /// The action.
    pub fn change(&self) -> Result<SetAreaAuthorities, String> {
        let area = Area::parse(&self.area.0).ok_or("the first two digits of `area` name a province")?;
        let keys = self.public_keys.iter().map(|key| key.0).collect();
        let change = SetAreaAuthorities { area, set: AuthoritySet { keys, threshold: self.threshold } };
        if !change.takes_away() {
            change.set.check(Suite::Ed25519Sha256)?;
        }
        Ok(change)
    }
}
