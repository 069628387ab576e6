//! The registry's lists: pages over state tables.
//!
//! A page token is the table's number, the filter and the last key; rows of registry tables never vanish, so a page continues
//! where the one before ended. Each page is read at one height, which it states. A filter reads a bounded number of rows per
//! page: such a page may hold few rows or none, and only an empty token ends the list.

use prost::Message;
use receipt_core::governance::{KeyOwner as RegisteredOwner, RegisterSystem};
use receipt_core::state::tables::{IssuerState, KeyState, SegmentState, Table, UnitState};
use tallystick_proto::admin::v1::{
    Delegation, Issuer, Key, KeyOwner, ListIssuersResponse, ListKeysResponse, ListSegmentsRequest,
    ListSegmentsResponse, ListSystemsResponse, ListUnitsResponse, PageRequest, PageResponse, RegistryState, Segment,
    System, Unit,
};
use tallystick_proto::errors::{CallReason, Refusal};
use tonic::Status;

use super::{Failure, Services};
use crate::store::StoreError;

const PAGE_LIMIT_DEFAULT: u32 = 100;
const PAGE_LIMIT_MAX: u32 = 1000;
/// Rows that one page of a filtered list reads.
const SCANNED_ROWS_MAX: usize = 2000;

fn token_invalid() -> Status {
    Refusal::new(CallReason::PageTokenInvalid).to_status()
}

/// Which list: a table, and what its rows are filtered by (0: nothing).
#[derive(Clone, Copy)]
struct List {
    table: Table,
    filter: u32,
}

impl List {
    fn all(table: Table) -> Self {
        Self { table, filter: 0 }
    }

    fn token(self, last: u32) -> String {
        format!("{}-{:x}-{last:08x}", self.table as u8, self.filter)
    }

    /// Where a page starts: after the last key of the page before. Only this list's own tokens are read.
    fn start_of(self, token: &str) -> Result<Vec<u8>, Status> {
        if token.is_empty() {
            return Ok(Vec::new());
        }
        let last = token.rsplit('-').next().and_then(|last| u32::from_str_radix(last, 16).ok());
        let last = last.filter(|last| self.token(*last) == token).ok_or_else(token_invalid)?;
        Ok(last.checked_add(1).ok_or_else(token_invalid)?.to_be_bytes().to_vec())
    }
}

/// One page of a table whose keys are registry numbers, decoded and translated; `keep` may leave rows out.
fn page<M: Message + Default, R>(
    services: &Services,
    list: List,
    request: Option<PageRequest>,
    keep: impl Fn(M) -> Option<R>,
) -> Result<(Vec<R>, Option<PageResponse>), Failure> {
    let request = request.unwrap_or_default();
    let limit = match request.page_limit {
        0 => PAGE_LIMIT_DEFAULT,
        limit if limit <= PAGE_LIMIT_MAX => limit,
        _ => return Err(Refusal::field("page.page_limit", "must be at most 1,000").to_status().into()),
    } as usize;
    let start = list.start_of(&request.page_token)?;
    let scanned_max = if list.filter == 0 { limit } else { SCANNED_ROWS_MAX };
    let (height, found) = services.ledger.store.scan(list.table, &start, scanned_max + 1)?;
    let (mut rows, mut next_page_token) = (Vec::new(), String::new());
    let found_count = found.len();
    for (at, (key, value)) in found.into_iter().take(scanned_max).enumerate() {
        let row = M::decode(value.as_slice()).map_err(|error| StoreError::corrupt(error.to_string()))?;
        rows.extend(keep(row));
        let is_full = rows.len() == limit || at + 1 == scanned_max;
        if is_full && at + 1 < found_count {
            let key = key.as_slice().try_into().map_err(|_| StoreError::corrupt("a registry key is malformed"))?;
            next_page_token = list.token(u32::from_be_bytes(key));
            break;
        }
    }
    Ok((rows, Some(PageResponse { next_page_token, snapshot_height: height.get() })))
}

pub(super) fn units(services: &Services, request: Option<PageRequest>) -> Result<ListUnitsResponse, Failure> {
    let (units, page) = page(services, List::all(Table::Units), request, |state: UnitState| {
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

pub(super) fn systems(services: &Services, request: Option<PageRequest>) -> Result<ListSystemsResponse, Failure> {
    let (systems, page) = page(services, List::all(Table::Systems), request, |system: RegisterSystem| {
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

pub(super) fn keys(services: &Services, request: Option<PageRequest>) -> Result<ListKeysResponse, Failure> {
    let (keys, page) = page(services, List::all(Table::Keys), request, |state: KeyState| {
        let revoked = state.revoked_from_ms != 0;
        let owner =
            if state.key.owner_kind == RegisteredOwner::Unit.number() { KeyOwner::Unit } else { KeyOwner::Issuer };
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

pub(super) fn segments(services: &Services, request: ListSegmentsRequest) -> Result<ListSegmentsResponse, Failure> {
    let wanted = request.unit_id;
    let list = List { table: Table::Segments, filter: wanted };
    let (segments, page) = page(services, list, request.page, |state: SegmentState| {
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

pub(super) fn issuers(services: &Services, request: Option<PageRequest>) -> Result<ListIssuersResponse, Failure> {
    let (issuers, page) = page(services, List::all(Table::Issuers), request, |state: IssuerState| {
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
