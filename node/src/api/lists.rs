//! The registry's lists: pages over state tables.
//!
//! A page token is the hex of the list's name, the snapshot's height and the last key; rows of registry tables never vanish,
//! so a page continues where the one before ended.

use prost::Message;
use receipt_core::governance::RegisterSystem;
use receipt_core::state::tables::{IssuerState, KeyState, SegmentState, Table, UnitState};
use tallystick_proto::admin::v1::{
    Delegation, Issuer, Key, KeyOwner, ListIssuersResponse, ListKeysResponse, ListSegmentsRequest,
    ListSegmentsResponse, ListSystemsResponse, ListUnitsResponse, PageRequest, PageResponse, RegistryState, Segment,
    System, Unit,
};
use tallystick_proto::errors::{CallReason, Refusal};
use tonic::Status;

use super::{Services, internal};

const PAGE_LIMIT_DEFAULT: u32 = 100;
const PAGE_LIMIT_MAX: u32 = 1000;

fn token_invalid() -> Status {
    Refusal::new(CallReason::PageTokenInvalid).to_status()
}

/// Where a page starts: after the last key of the page before.
fn start_of(table: Table, token: &str) -> Result<Vec<u8>, Status> {
    if token.is_empty() {
        return Ok(Vec::new());
    }
    let (name, key) = token.split_once('-').ok_or_else(token_invalid)?;
    let key = u32::from_str_radix(key, 16).map_err(|_| token_invalid())?;
    if name != (table as u8).to_string() {
        return Err(token_invalid());
    }
    Ok(key.checked_add(1).ok_or_else(token_invalid)?.to_be_bytes().to_vec())
}

/// One page of a table whose keys are registry numbers, decoded and translated; `keep` may leave rows out.
fn page<M: Message + Default, R>(
    services: &Services,
    table: Table,
    request: Option<PageRequest>,
    row: impl Fn(M) -> Option<R>,
) -> Result<(Vec<R>, Option<PageResponse>), Status> {
    let request = request.unwrap_or_default();
    let limit = match request.page_limit {
        0 => PAGE_LIMIT_DEFAULT,
        limit if limit <= PAGE_LIMIT_MAX => limit,
        _ => return Err(Refusal::field("page.page_limit", "must be at most 1,000").to_status()),
    } as usize;
    let mut start = start_of(table, &request.page_token)?;
    let snapshot_height = services.progress.decided_height().get();
    let mut rows = Vec::new();
    loop {
        let found = services.ledger.store.scan(table, &start, limit + 1).map_err(internal)?;
        let ended = found.len() <= limit;
        for (key, value) in found {
            let key: [u8; 4] = key.as_slice().try_into().map_err(|_| internal("a registry key is malformed"))?;
            if rows.len() == limit {
                let last = u32::from_be_bytes(key).saturating_sub(1);
                let next_page_token = format!("{}-{last:08x}", table as u8);
                return Ok((rows, Some(PageResponse { next_page_token, snapshot_height })));
            }
            rows.extend(row(M::decode(value.as_slice()).map_err(internal)?));
            start = u32::from_be_bytes(key).saturating_add(1).to_be_bytes().to_vec();
        }
        if ended {
            return Ok((rows, Some(PageResponse { next_page_token: String::new(), snapshot_height })));
        }
    }
}

pub(super) fn units(services: &Services, request: Option<PageRequest>) -> Result<ListUnitsResponse, Status> {
    let (units, page) = page(services, Table::Units, request, |state: UnitState| {
        let suspended = state.unit.suspended_from_ms != 0;
        Some(Unit {
            unit_id: state.unit.unit_id,
            unit_code: state.unit.unit_code,
            name: state.unit.name,
            area_code: state.unit.supervisor_area_code,
            state: if suspended { RegistryState::Suspended } else { RegistryState::Active }.into(),
            kinds: state.unit.kinds.iter().map(|kind| format!("{:04}", kind % 10_000)).collect(),
        })
    })?;
    Ok(ListUnitsResponse { units, page })
}

pub(super) fn systems(services: &Services, request: Option<PageRequest>) -> Result<ListSystemsResponse, Status> {
    let (systems, page) = page(services, Table::Systems, request, |system: RegisterSystem| {
        let delegations = system.grants.into_iter();
        Some(System {
            system_id: system.system_id,
            name: system.name,
            state: RegistryState::Active.into(),
            delegations: delegations
                .map(|grant| Delegation { unit_id: grant.unit_id, place_codes: grant.places })
                .collect(),
        })
    })?;
    Ok(ListSystemsResponse { systems, page })
}

pub(super) fn keys(services: &Services, request: Option<PageRequest>) -> Result<ListKeysResponse, Status> {
    let (keys, page) = page(services, Table::Keys, request, |state: KeyState| {
        let revoked = state.revoked_from_ms != 0;
        let owner = if state.key.owner_kind == 1 { KeyOwner::Unit } else { KeyOwner::Issuer };
        Some(Key {
            key_id: state.key.key_id,
            owner: owner.into(),
            owner_id: state.key.owner_id,
            suite: state.key.suite,
            public_key: state.key.public_key.into(),
            valid_from_ms: state.key.valid_from_ms,
            valid_until_ms: if revoked { state.revoked_from_ms } else { state.key.valid_until_ms },
            state: if revoked { RegistryState::Closed } else { RegistryState::Active }.into(),
        })
    })?;
    Ok(ListKeysResponse { keys, page })
}

pub(super) fn segments(services: &Services, request: ListSegmentsRequest) -> Result<ListSegmentsResponse, Status> {
    let wanted = request.unit_id;
    let (segments, page) = page(services, Table::Segments, request.page, |state: SegmentState| {
        let closed = state.closed_at_ms != 0;
        let segment = state.segment;
        (wanted == 0 || segment.unit_id == wanted).then(|| Segment {
            segment_id: segment.segment_id,
            unit_id: segment.unit_id,
            issuer_id: segment.issuer_id,
            receipt_code: format!("{:08}", segment.receipt_code),
            first_number: format!("{:010}", segment.first_number),
            last_number: format!("{:010}", segment.last_number),
            used_count: state.used_count,
            state: if closed { RegistryState::Closed } else { RegistryState::Active }.into(),
        })
    })?;
    Ok(ListSegmentsResponse { segments, page })
}

pub(super) fn issuers(services: &Services, request: Option<PageRequest>) -> Result<ListIssuersResponse, Status> {
    let (issuers, page) = page(services, Table::Issuers, request, |state: IssuerState| {
        Some(Issuer {
            issuer_id: state.issuer.issuer_id,
            name: state.issuer.name,
            state: RegistryState::Active.into(),
            epoch: u64::from(state.epoch),
            next_sequence: state.next_sequence,
            key_id: 0,
        })
    })?;
    Ok(ListIssuersResponse { issuers, page })
}
