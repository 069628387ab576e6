//! Who are the authorities of an area.
//!
//! ```text
//! SetAreaAuthorities { 1 area  2 keys: bytes[32]…  3 threshold }
//! ```

use prost::Message;

use crate::area::Area;
use crate::authorities::AuthoritySet;
use crate::suite::PublicKey;
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// Names the authorities of an area, or puts others in their place. Without keys it takes them away: then only those above govern the area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAreaAuthorities {
    /// The area.
    pub area: Area,
    /// Its authorities.
    pub set: AuthoritySet,
}

#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(uint32, tag = "1")]
    area: u32,
    #[prost(bytes = "vec", repeated, tag = "2")]
    keys: Vec<Vec<u8>>,
    #[prost(uint32, tag = "3")]
    threshold: u32,
}

impl SetAreaAuthorities {
    /// Whether it takes the area's authorities away.
    pub fn takes_away(&self) -> bool {
        self.set.keys.is_empty() && self.set.threshold == 0
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let keys = self.set.keys.iter().map(|key| key.0.to_vec()).collect();
        Wire { area: self.area.get(), keys, threshold: self.set.threshold }.encode_to_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let wire: Wire = decode_canonical("SetAreaAuthorities", bytes)?;
        let keys = wire.keys.iter().map(|key| fixed("authority key", key).map(PublicKey));
        let set = AuthoritySet { keys: keys.collect::<Result<_, _>>()?, threshold: wire.threshold };
        Ok(Self { area: Area::new(wire.area).ok_or(NotCanonical("SetAreaAuthorities"))?, set })
    }
}
