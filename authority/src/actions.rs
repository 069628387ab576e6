//! Governance actions as people write them in TOML.
//!
//! ```text
//! [[actions]]
//! [actions.register_unit]
//! unit_id = 21
//! unit_code = "12990300400009001C"
//! …
//! ```
//! One `[[actions]]` per action, applied in the order of the file. Checked here: the form of every field. Not here: whether
//! an action fits the registry; the ledger judges that.

use receipt_core::authorities::AuthoritySet;
use receipt_core::governance::{
    Action, AllocateSegment, AttachItems, CloseSegment, CodeName, FenceIssuer, Grant, KeyOwner, NumberRange,
    RegisterBlinding, RegisterKey, RegisterSystem, RegisterUnit, RevokeKey, SetValidators, SettleSegment,
    WithdrawBlinding,
};
use receipt_core::ids::ValidatorId;
use receipt_core::suite::Suite;
use receipt_core::validators::{Validator, ValidatorSet};
use serde::Deserialize;

use crate::text::{
    AreaText, CodeText, FingerprintText, IdText, JournalText, KeyText, KindText, NameText, NumberText, TimeText,
    UnitCodeText,
};

mod areas;
mod collectors;
mod kinds;
mod submitters;

pub use areas::AreaAuthoritiesText;
pub use collectors::CollectorText;
pub use kinds::{OpensText, RegisterKindText};
pub use submitters::{IssuerText, RecordTypeText};

/// One action.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionText {
    /// Registers a unit, or replaces its entry.
    RegisterUnit(UnitText),
    /// Registers a signing key.
    RegisterKey(RegisterKeyText),
    /// Ends a key's validity.
    RevokeKey(RevokeKeyText),
    /// Registers a calling system, or replaces its entry.
    RegisterSystem(SystemText),
    /// Leases numbers.
    AllocateSegment(SegmentText),
    /// Closes a segment.
    CloseSegment(CloseSegmentText),
    /// Settles a closed segment.
    SettleSegment(SettleSegmentText),
    /// Registers an issuer and what it may carry, or adds to that.
    RegisterIssuer(IssuerText),
    /// Raises an issuer's epoch.
    FenceIssuer(FenceText),
    /// Registers a kind, or replaces its entry.
    RegisterKind(RegisterKindText),
    /// Replaces the items of a unit and kind.
    AttachItems(AttachItemsText),
    /// Replaces the validator set.
    SetValidators(SetValidatorsText),
    /// Replaces the authorities.
    SetAuthorities(SetAuthoritiesText),
    /// Registers the blinding secret of an epoch.
    RegisterBlinding(BlindingText),
    /// Withdraws a blinding epoch that no record names.
    WithdrawBlinding(WithdrawBlindingText),
    /// Names the authorities of an area.
    SetAreaAuthorities(AreaAuthoritiesText),
    /// Registers a collector, or replaces its entry.
    RegisterCollector(CollectorText),
}

/// See [`RegisterUnit`].
#[derive(Debug, Clone, Deserialize)]
pub struct UnitText {
    /// Registry number.
    pub unit_id: IdText,
    /// 统一社会信用代码.
    pub unit_code: UnitCodeText,
    /// 开票单位名称.
    pub name: NameText,
    /// 监管机构代码.
    pub supervisor_area_code: AreaText,
    /// Kinds that it may issue.
    pub kinds: Vec<KindText>,
    /// From this issue time on it is suspended.
    pub suspended_from: Option<TimeText>,
}

/// Whose key it is: a unit's or an issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerText {
    /// A unit's.
    Unit,
    /// An issuer's.
    Issuer,
}

/// See [`RegisterKey`].
#[derive(Debug, Clone, Deserialize)]
pub struct RegisterKeyText {
    /// Registry number, never used before.
    pub key_id: IdText,
    /// Whose key it is.
    pub owner: OwnerText,
    /// Number of the unit or issuer.
    pub owner_id: IdText,
    /// The key.
    pub public_key: KeyText,
    /// First issue time it is valid for.
    pub valid_from: TimeText,
    /// First issue time it is no longer valid for.
    pub valid_until: Option<TimeText>,
}

/// See [`RevokeKey`].
#[derive(Debug, Clone, Deserialize)]
pub struct RevokeKeyText {
    /// The key.
    pub key_id: IdText,
    /// First issue time it is no longer valid for.
    pub revoked_from: TimeText,
}

/// See [`Grant`].
#[derive(Debug, Clone, Deserialize)]
pub struct GrantText {
    /// The unit.
    pub unit_id: IdText,
    /// Its issuing points; absent: all.
    pub places: Option<Vec<NameText>>,
}

/// See [`RegisterSystem`].
#[derive(Debug, Clone, Deserialize)]
pub struct SystemText {
    /// Registry number.
    pub system_id: IdText,
    /// Display name; nothing refers to it.
    pub name: NameText,
    /// The units for which the system may act; none if empty.
    pub grants: Vec<GrantText>,
}

/// See [`AllocateSegment`].
#[derive(Debug, Clone, Deserialize)]
pub struct SegmentText {
    /// Registry number, never used before.
    pub segment_id: IdText,
    /// The unit.
    pub unit_id: IdText,
    /// The issuer.
    pub issuer_id: IdText,
    /// 票据代码.
    pub receipt_code: CodeText,
    /// First number.
    pub first_number: NumberText,
    /// Last number.
    pub last_number: NumberText,
}

/// See [`CloseSegment`].
#[derive(Debug, Clone, Deserialize)]
pub struct CloseSegmentText {
    /// The segment.
    pub segment_id: IdText,
}

/// See [`NumberRange`].
#[derive(Debug, Clone, Deserialize)]
pub struct RangeText {
    /// First number.
    pub first: NumberText,
    /// Last number.
    pub last: NumberText,
}

/// See [`SettleSegment`].
#[derive(Debug, Clone, Deserialize)]
pub struct SettleSegmentText {
    /// The segment.
    pub segment_id: IdText,
    /// Void numbers.
    #[serde(default)]
    pub void: Vec<RangeText>,
    /// Lost numbers.
    #[serde(default)]
    pub lost: Vec<RangeText>,
}

/// See [`FenceIssuer`].
#[derive(Debug, Clone, Deserialize)]
pub struct FenceText {
    /// The issuer.
    pub issuer_id: IdText,
    /// The new epoch.
    pub epoch: IdText,
    /// The journal that may go on in it, as its `recover` printed; absent: none may.
    pub journal: Option<JournalText>,
}

/// See [`CodeName`].
#[derive(Debug, Clone, Deserialize)]
pub struct ItemText {
    /// 项目编码.
    pub code: NameText,
    /// 项目名称.
    pub name: NameText,
}

/// See [`AttachItems`].
#[derive(Debug, Clone, Deserialize)]
pub struct AttachItemsText {
    /// The unit.
    pub unit_id: IdText,
    /// The kind.
    pub kind: KindText,
    /// The items, in any order.
    pub items: Vec<ItemText>,
    /// Whether those attached before stay.
    #[serde(default)]
    pub adds: bool,
}

/// How other validators reach one: not part of the chain, only of their configs.
#[derive(Debug, Clone, Deserialize)]
pub struct PeerText {
    /// `host:port` of its gRPC server.
    pub grpc: String,
}

/// See [`Validator`].
#[derive(Debug, Clone, Deserialize)]
pub struct ValidatorText {
    /// Registry number.
    pub id: IdText,
    /// Short name.
    pub name: String,
    /// Signs votes.
    pub consensus_key: KeyText,
    /// Signs checkpoints as the log.
    pub log_key: KeyText,
    /// Cosigns checkpoints.
    pub cosigner_key: KeyText,
    /// In a genesis description only: for the peers' configs.
    pub peer: Option<PeerText>,
}

/// See [`SetValidators`].
#[derive(Debug, Clone, Deserialize)]
pub struct SetValidatorsText {
    /// First height of the new set.
    pub effective_height: u64,
    /// The whole new set, ascending by id.
    pub validators: Vec<ValidatorText>,
}

/// See [`AuthoritySet`].
#[derive(Debug, Clone, Deserialize)]
pub struct SetAuthoritiesText {
    /// How many of them must sign.
    pub threshold: u32,
    /// All of them, those who stay, too, in the order in which they are numbered.
    pub public_keys: Vec<KeyText>,
}

/// See [`RegisterBlinding`].
#[derive(Debug, Clone, Deserialize)]
pub struct BlindingText {
    /// The one after the newest.
    pub epoch: IdText,
    /// Of its secret, as `tallystick-issuer keygen` printed it.
    pub fingerprint: FingerprintText,
}

/// See [`WithdrawBlinding`].
#[derive(Debug, Clone, Deserialize)]
pub struct WithdrawBlindingText {
    /// The epoch.
    pub epoch: IdText,
}

/// The actions of a list; the problem of the first bad one, after its key.
pub fn actions(texts: &[ActionText]) -> Result<Vec<Action>, (String, String)> {
    let read = |(index, text): (usize, &ActionText)| {
        text.action().map_err(|problem| (format!("actions[{index}].{}", text.name()), problem))
    };
    texts.iter().enumerate().map(read).collect()
}

/// A validator set from its description.
pub fn validator_set(texts: &[ValidatorText]) -> Result<ValidatorSet, String> {
    let member = |text: &ValidatorText| Validator {
        id: ValidatorId::new(text.id.0),
        name: text.name.clone(),
        consensus_key: text.consensus_key.0,
        log_key: text.log_key.0,
        cosigner_key: text.cosigner_key.0,
    };
    ValidatorSet::new(texts.iter().map(member).collect()).map_err(|error| error.to_string())
}

impl ActionText {
    fn name(&self) -> &'static str {
        match self {
            Self::RegisterUnit(_) => "register_unit",
            Self::RegisterKey(_) => "register_key",
            Self::RevokeKey(_) => "revoke_key",
            Self::RegisterSystem(_) => "register_system",
            Self::AllocateSegment(_) => "allocate_segment",
            Self::CloseSegment(_) => "close_segment",
            Self::SettleSegment(_) => "settle_segment",
            Self::RegisterIssuer(_) => "register_issuer",
            Self::FenceIssuer(_) => "fence_issuer",
            Self::RegisterKind(_) => "register_kind",
            Self::AttachItems(_) => "attach_items",
            Self::SetValidators(_) => "set_validators",
            Self::SetAuthorities(_) => "set_authorities",
            Self::RegisterBlinding(_) => "register_blinding",
            Self::WithdrawBlinding(_) => "withdraw_blinding",
            Self::SetAreaAuthorities(_) => "set_area_authorities",
            Self::RegisterCollector(_) => "register_collector",
        }
    }

    fn action(&self) -> Result<Action, String> {
        Ok(match self {
            Self::RegisterUnit(unit) => Action::RegisterUnit(register_unit(unit)?),
            Self::RegisterKey(key) => Action::RegisterKey(register_key(key)?),
            Self::RevokeKey(RevokeKeyText { key_id, revoked_from }) => {
                Action::RevokeKey(RevokeKey { key_id: key_id.0, revoked_from_ms: revoked_from.0.get() })
            }
            Self::RegisterSystem(system) => Action::RegisterSystem(register_system(system)?),
            Self::AllocateSegment(segment) => Action::AllocateSegment(allocate_segment(segment)?),
            Self::CloseSegment(close) => Action::CloseSegment(CloseSegment { segment_id: close.segment_id.0 }),
            Self::SettleSegment(settle) => Action::SettleSegment(SettleSegment {
                segment_id: settle.segment_id.0,
                void: ranges(&settle.void, "void")?,
                lost: ranges(&settle.lost, "lost")?,
            }),
            Self::RegisterIssuer(issuer) => Action::RegisterIssuer(issuer.registration()?),
            Self::FenceIssuer(FenceText { issuer_id, epoch, journal }) => {
                let journal = journal.as_ref().map(|id| id.0.to_vec()).unwrap_or_default();
                Action::FenceIssuer(FenceIssuer { issuer_id: issuer_id.0, epoch: epoch.0, journal })
            }
            Self::RegisterKind(kind) => Action::RegisterKind(kind.registration()),
            Self::AttachItems(items) => Action::AttachItems(attach_items(items)?),
            Self::SetValidators(set) => Action::SetValidators(set_validators(set)?),
            Self::SetAuthorities(set) => Action::SetAuthorities(set_authorities(set)?),
            Self::RegisterBlinding(BlindingText { epoch, fingerprint }) => {
                Action::RegisterBlinding(RegisterBlinding { epoch: epoch.0, fingerprint: fingerprint.0.to_vec() })
            }
            Self::WithdrawBlinding(WithdrawBlindingText { epoch }) => {
                Action::WithdrawBlinding(WithdrawBlinding { epoch: epoch.0 })
            }
            Self::SetAreaAuthorities(named) => Action::SetAreaAuthorities(named.change()?),
            Self::RegisterCollector(collector) => Action::RegisterCollector(collector.registration()?),
        })
    }
}

fn register_unit(unit: &UnitText) -> Result<RegisterUnit, String> {
    let mut kinds: Vec<u32> = unit.kinds.iter().map(|kind| kind.0).collect();
    kinds.sort_unstable();
    if let Some(pair) = kinds.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("kind {:06} stands there twice", pair[0]));
    }
    Ok(RegisterUnit {
        unit_id: unit.unit_id.0,
        unit_code: unit.unit_code.0.clone(),
        name: unit.name.0.clone(),
        supervisor_area_code: unit.supervisor_area_code.0.clone(),
        kinds,
        suspended_from_ms: unit.suspended_from.map_or(0, |time| time.0.get()),
    })
}

fn register_key(key: &RegisterKeyText) -> Result<RegisterKey, String> {
    let valid_until_ms = key.valid_until.map_or(0, |time| time.0.get());
    if valid_until_ms != 0 && valid_until_ms <= key.valid_from.0.get() {
        return Err("valid_until must be later than valid_from".to_owned());
    }
    let owner = match key.owner {
        OwnerText::Unit => KeyOwner::Unit,
        OwnerText::Issuer => KeyOwner::Issuer,
    };
    Ok(RegisterKey {
        key_id: key.key_id.0,
        owner_kind: owner.number(),
        owner_id: key.owner_id.0,
        suite: Suite::Ed25519Sha256.number(),
        public_key: key.public_key.0.0.to_vec(),
        valid_from_ms: key.valid_from.0.get(),
        valid_until_ms,
    })
}

fn register_system(system: &SystemText) -> Result<RegisterSystem, String> {
    let grant = |grant: &GrantText| {
        let places = grant.places.as_deref().map(|places| places.iter().map(|place| place.0.clone()).collect());
        let places: Vec<String> = places.unwrap_or_default();
        // On the ledger an empty list means every place: the opposite of what it looks like.
        if places.is_empty() && grant.places.is_some() {
            let unit = grant.unit_id.0;
            return Err(format!("the places of unit {unit} are an empty list; leave `places` out to grant all places"));
        }
        Ok(Grant { unit_id: grant.unit_id.0, places })
    };
    let grants = system.grants.iter().map(grant).collect::<Result<Vec<_>, _>>()?;
    let mut units: Vec<u32> = grants.iter().map(|grant| grant.unit_id).collect();
    units.sort_unstable();
    if let Some(pair) = units.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("unit {} is granted twice", pair[0]));
    }
    Ok(RegisterSystem { system_id: system.system_id.0, name: system.name.0.clone(), grants })
}

fn allocate_segment(segment: &SegmentText) -> Result<AllocateSegment, String> {
    let (first_number, last_number) = (segment.first_number.0.get(), segment.last_number.0.get());
    if first_number == 0 || first_number > last_number {
        return Err("first_number must be at least 0000000001 and not above last_number".to_owned());
    }
    Ok(AllocateSegment {
        segment_id: segment.segment_id.0,
        unit_id: segment.unit_id.0,
        issuer_id: segment.issuer_id.0,
        receipt_code: segment.receipt_code.0.get(),
        first_number,
        last_number,
    })
}

fn ranges(texts: &[RangeText], what: &str) -> Result<Vec<NumberRange>, String> {
    let ranges: Vec<NumberRange> =
        texts.iter().map(|text| NumberRange { first: text.first.0.get(), last: text.last.0.get() }).collect();
    let ascending = ranges.windows(2).all(|pair| pair[0].last < pair[1].first);
    if !ascending || ranges.iter().any(|range| range.first > range.last) {
        return Err(format!("the ranges in `{what}` must ascend, without overlap"));
    }
    Ok(ranges)
}

fn attach_items(attached: &AttachItemsText) -> Result<AttachItems, String> {
    let item = |item: &ItemText| CodeName { code: item.code.0.clone(), name: item.name.0.clone() };
    let mut items: Vec<CodeName> = attached.items.iter().map(item).collect();
    items.sort_unstable_by(|one, other| one.code.cmp(&other.code));
    if let Some(pair) = items.windows(2).find(|pair| pair[0].code == pair[1].code) {
        return Err(format!("item {} stands there twice", pair[0].code));
    }
    Ok(AttachItems { unit_id: attached.unit_id.0, kind: attached.kind.0, items, adds: attached.adds })
}

fn set_validators(set: &SetValidatorsText) -> Result<SetValidators, String> {
    if set.validators.iter().any(|validator| validator.peer.is_some()) {
        return Err("`peer` is for a genesis description; here, change the nodes' configs and leave it out".to_owned());
    }
    Ok(SetValidators { effective_height: set.effective_height, validators: validator_set(&set.validators)? })
}

fn set_authorities(text: &SetAuthoritiesText) -> Result<AuthoritySet, String> {
    let keys = text.public_keys.iter().map(|key| key.0).collect();
    let set = AuthoritySet { keys, threshold: text.threshold };
    set.check(Suite::Ed25519Sha256)?;
    Ok(set)
}

#[cfg(test)]
mod tests;
