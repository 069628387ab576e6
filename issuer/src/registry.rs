//! The issuer's view of the ledger's registry: units, keys, kinds, items, systems, and the segments leased to it.
//!
//! Rebuilt in memory from the journal's replica whenever governance changed it; readers hold an `Arc` of one consistent
//! view. Not here: following the ledger (`follow`), which numbers are used (`numbering`).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use prost::Message;
use receipt_core::governance::{AttachItems, KeyOwner, RegisterKind, RegisterSystem};
use receipt_core::ids::{IssuerId, KeyId, ReceiptCode, SegmentId, SystemId, UnitId, UnixMillis};
use receipt_core::receipt::chars::normalise_text;
use receipt_core::receipt::rules::Catalogue;
use receipt_core::state::tables::{KeyState, SegmentState, Table, UnitState};
use receipt_core::state::{RegisteredEpoch, Writes, latest_block, read_blinding_epochs};
use receipt_core::suite::PublicKey;
use tallystick_anchoring::owner::Layered;
use tallystick_anchoring::registered::{OwnKeys, first_end};

use crate::journal::{Journal, JournalError};

/// An issuing unit.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Registry number.
    pub id: UnitId,
    /// 统一社会信用代码.
    pub code: String,
    /// 开票单位名称.
    pub name: String,
    /// 监管机构代码.
    pub area: String,
    /// Its registered keys.
    pub keys: Vec<UnitKey>,
    /// As the ledger has it: whoever asks what the unit may do asks the ledger's own rules.
    state: UnitState,
}

/// A unit's key, as registered.
#[derive(Debug, Clone)]
pub struct UnitKey {
    /// Registry number.
    pub id: KeyId,
    /// The public half.
    pub public: PublicKey,
    state: KeyState,
}

impl UnitKey {
    /// Whether what it signs at this time is taken, however late it arrives within the days of grace (V17).
    pub fn covers(&self, time: UnixMillis) -> bool {
        self.state.permits(time, latest_block(time))
    }
}

impl Unit {
    /// Whether what it issues of this code's kind at this time is taken, however late it arrives within the days of grace (V16).
    pub fn may_issue(&self, code: ReceiptCode, time: UnixMillis) -> bool {
        self.state.permits_kind(kind_of(code), time, latest_block(time))
    }

    /// When its last key ends, of those that are registered now. `None`: one of them has no end, or there is none at all.
    pub fn keys_until(&self) -> Option<UnixMillis> {
        let ends = self.keys.iter().map(|key| first_end(&key.state));
        ends.collect::<Option<Vec<UnixMillis>>>()?.into_iter().max()
    }

    /// Whether it is suspended at this issue time.
    pub fn is_suspended(&self, time: UnixMillis) -> bool {
        !self.state.suspension().permits(time, latest_block(time))
    }
}

/// A range of numbers leased to this issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Registry number.
    pub id: SegmentId,
    /// First number.
    pub first: u64,
    /// Last number, inclusive.
    pub last: u64,
}

/// The units and places for which a system may act.
#[derive(Debug, Clone, Default)]
pub struct System {
    /// By unit: the places, or `None` for all of the unit's.
    pub grants: BTreeMap<UnitId, Option<HashSet<String>>>,
}

/// One consistent view.
#[derive(Debug, Default)]
pub struct RegistryView {
    units: HashMap<UnitId, Arc<Unit>>,
    unit_codes: HashMap<String, UnitId>,
    /// Titles by kind, in normal form as texts are at the door.
    kinds: HashMap<u32, String>,
    /// Names by item code, likewise.
    items: HashMap<(UnitId, u32), HashMap<String, String>>,
    systems: HashMap<SystemId, System>,
    segments: HashMap<(UnitId, u32), Vec<Segment>>,
    leased: HashMap<(UnitId, u32), Vec<Segment>>,
    /// This issuer's own keys and epoch.
    pub own: OwnKeys,
    /// The registered blinding secrets, ascending by epoch. Whether records name them is not known here.
    pub blinding: Vec<RegisteredEpoch>,
}

/// The first six digits: region, category, kind.
pub const fn kind_of(code: ReceiptCode) -> u32 {
    code.get() / 100
}

impl RegistryView {
    /// Reads the journal's replica.
    pub fn load(journal: &Journal) -> Result<Self, JournalError> {
        let issuer = journal.identity().issuer;
        let mut view = Self { own: OwnKeys::load(journal)?, blinding: blinding_epochs(journal)?, ..Self::default() };
        for value in journal.registry_table(Table::Kinds)? {
            let RegisterKind { kind, name, .. } = message(&value)?;
            view.kinds.insert(kind, normal(name));
        }
        let mut keys = unit_keys(journal)?;
        for value in journal.registry_table(Table::Units)? {
            let state: UnitState = message(&value)?;
            let id = UnitId::new(state.unit.unit_id);
            let unit = Unit {
                id,
                code: state.unit.unit_code.clone(),
                name: state.unit.name.clone(),
                area: state.unit.supervisor_area_code.clone(),
                keys: keys.remove(&id).unwrap_or_default(),
                state,
            };
            view.unit_codes.insert(unit.code.clone(), id);
            view.units.insert(id, Arc::new(unit));
        }
        for value in journal.registry_table(Table::Items)? {
            let items: AttachItems = message(&value)?;
            let codes = items.items.into_iter().map(|item| (item.code, normal(item.name))).collect();
            view.items.insert((UnitId::new(items.unit_id), items.kind), codes);
        }
        for value in journal.registry_table(Table::Systems)? {
            let system: RegisterSystem = message(&value)?;
            let grants = system.grants.into_iter().map(|grant| {
                let places = (!grant.places.is_empty()).then(|| grant.places.into_iter().map(normal).collect());
                (UnitId::new(grant.unit_id), places)
            });
            view.systems.insert(SystemId::new(system.system_id), System { grants: grants.collect() });
        }
        view.load_segments(journal, issuer)?;
        Ok(view)
    }

    fn load_segments(&mut self, journal: &Journal, issuer: IssuerId) -> Result<(), JournalError> {
        for value in journal.registry_table(Table::Segments)? {
            let state: SegmentState = message(&value)?;
            let lease = &state.segment;
            if lease.issuer_id != issuer.get() {
                continue;
            }
            let segment =
                Segment { id: SegmentId::new(lease.segment_id), first: lease.first_number, last: lease.last_number };
            let key = (UnitId::new(lease.unit_id), lease.receipt_code);
            self.leased.entry(key).or_default().push(segment);
            // Once its closing is known no number is given out. The ledger takes what was issued before it was.
            if state.closed_at_ms == 0 {
                self.segments.entry(key).or_default().push(segment);
            }
        }
        for segments in self.segments.values_mut() {
            segments.sort_unstable_by_key(|segment| segment.first);
        }
        Ok(())
    }

    /// A unit by its code.
    pub fn unit_by_code(&self, code: &str) -> Option<&Arc<Unit>> {
        self.units.get(self.unit_codes.get(code)?)
    }

    /// A unit by its number.
    pub fn unit(&self, id: UnitId) -> Option<&Arc<Unit>> {
        self.units.get(&id)
    }

    /// A unit's registered key.
    pub fn unit_key(&self, id: KeyId) -> Option<PublicKey> {
        self.units.values().flat_map(|unit| &unit.keys).find(|key| key.id == id).map(|key| key.public)
    }

    /// A calling system.
    pub fn system(&self, id: SystemId) -> Option<&System> {
        self.systems.get(&id)
    }

    /// All open segments that are leased to this issuer, by unit and receipt code.
    pub fn all_segments(&self) -> impl Iterator<Item = (UnitId, u32, &[Segment])> {
        self.segments.iter().map(|((unit, code), segments)| (*unit, *code, segments.as_slice()))
    }

    /// Units and receipt codes of which segments are or were leased to this issuer, open or closed.
    pub fn all_leased(&self) -> impl Iterator<Item = (UnitId, u32)> {
        self.leased.keys().copied()
    }

    /// The segments of a unit and code that are or were leased to this issuer, open or closed.
    pub fn leased(&self, unit: UnitId, code: ReceiptCode) -> &[Segment] {
        self.leased.get(&(unit, code.get())).map(Vec::as_slice).unwrap_or_default()
    }

    /// The open segments of a unit and code that are leased to this issuer, ascending.
    pub fn segments(&self, unit: UnitId, code: ReceiptCode) -> &[Segment] {
        self.segments.get(&(unit, code.get())).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Catalogue for RegistryView {
    fn kind_is_registered(&self, code: ReceiptCode) -> bool {
        self.kinds.contains_key(&kind_of(code))
    }

    fn item_is_attached(&self, unit_code: &str, code: ReceiptCode, item_code: &str) -> bool {
        self.item_name(unit_code, code, item_code).is_some()
    }

    fn title(&self, code: ReceiptCode) -> Option<&str> {
        self.kinds.get(&kind_of(code)).map(String::as_str)
    }

    fn item_name(&self, unit_code: &str, code: ReceiptCode, item_code: &str) -> Option<&str> {
        let unit = self.unit_codes.get(unit_code)?;
        self.items.get(&(*unit, kind_of(code)))?.get(item_code).map(String::as_str)
    }
}

/// The blinding secrets that are registered, as far as the journal has followed the ledger.
pub fn blinding_epochs(journal: &Journal) -> Result<Vec<RegisteredEpoch>, JournalError> {
    let unchanged = Writes::new();
    let registry = Layered::new(journal, &unchanged);
    read_blinding_epochs(&registry).map_err(|error| registry.journal_error(&error))
}

fn unit_keys(journal: &Journal) -> Result<HashMap<UnitId, Vec<UnitKey>>, JournalError> {
    let mut units: HashMap<UnitId, Vec<UnitKey>> = HashMap::new();
    for value in journal.registry_table(Table::Keys)? {
        let state: KeyState = message(&value)?;
        if state.key.owner_kind == KeyOwner::Unit.number() {
            let public = state.key.key().map_err(|_| JournalError::Corrupt("registered key"))?;
            let id = KeyId::new(state.key.key_id);
            units.entry(UnitId::new(state.key.owner_id)).or_default().push(UnitKey { id, public, state });
        }
    }
    Ok(units)
}

/// The current view, replaced whole.
#[derive(Debug)]
pub struct Registry {
    current: RwLock<Arc<RegistryView>>,
}

impl Registry {
    /// Loads the first view.
    pub fn open(journal: &Journal) -> Result<Self, JournalError> {
        Ok(Self { current: RwLock::new(Arc::new(RegistryView::load(journal)?)) })
    }

    /// The current view.
    pub fn view(&self) -> Arc<RegistryView> {
        // The lock is held for a clone or a swap: a poisoned one still holds a whole view.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Loads the view anew, after governance.
    pub fn reload(&self, journal: &Journal) -> Result<(), JournalError> {
        let view = Arc::new(RegistryView::load(journal)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = view;
        Ok(())
    }
}

fn normal(mut text: String) -> String {
    normalise_text(&mut text);
    text
}

fn message<M: Message + Default>(bytes: &[u8]) -> Result<M, JournalError> {
    M::decode(bytes).map_err(|_| JournalError::Corrupt("registry value"))
}
