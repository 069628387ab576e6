//! The registry row by row, and governance messages that are tried before they are signed.
//!
//! Whoever asks compares the answers of several nodes, so an answer names the last governance message of the chain's own authorities, and the version of
//! the registry, which changes with every message, of an area, too. A page token is
//! the last row of the page before: rows of the registry never vanish but for a validator set that came into force, which another
//! then names.

use receipt_core::governance::Governance;
use receipt_core::hash::Hash;
use receipt_core::ids::UnixMillis;
use receipt_core::limits;
use receipt_core::state::tables::{GovernanceState, Table, is_of_registry};
use receipt_core::state::try_governance;
use tallystick_proto::admin::v1::{ReadRegistryResponse, RegistryRow, TryGovernanceRequest, TryGovernanceResponse};
use tallystick_proto::errors::{CallReason, Refusal};

use super::{Failure, Services, invalid};
use crate::store::StoreError;
use crate::wire::hash_bytes;

/// A page ends with the row that reaches this.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

fn wire(table: Table, key: &[u8], value: Vec<u8>) -> RegistryRow {
    RegistryRow { table: table as u32, key: key.to_vec().into(), value: value.into() }
}

fn token_of(row: &RegistryRow) -> String {
    format!("{}-{}", row.table, hex::encode(&row.key))
}

/// The place right after a token's row.
fn start_of(token: &str) -> Option<(Table, Vec<u8>)> {
    if token.is_empty() {
        return Some((Table::Meta, Vec::new()));
    }
    let (table, key) = token.split_once('-')?;
    let table = Table::ALL.into_iter().find(|known| (*known as u8).to_string() == table)?;
    let mut key = hex::decode(key).ok()?;
    if !is_of_registry(table, &key) {
        return None;
    }
    key.push(0);
    Some((table, key))
}

pub(super) fn page(services: &Services, token: &str) -> Result<ReadRegistryResponse, Failure> {
    let (table, key) = start_of(token).ok_or_else(|| Refusal::new(CallReason::PageTokenInvalid).to_status())?;
    let page = services.ledger.store.registry_page((table, &key), PAGE_BYTES_MAX)?;
    let rows: Vec<RegistryRow> = page.rows.into_iter().map(|(table, (key, value))| wire(table, &key, value)).collect();
    let next_page_token = rows.last().filter(|_| page.is_cut).map(token_of).unwrap_or_default();
    Ok(ReadRegistryResponse {
        rows,
        next_page_token,
        height: page.height.get(),
        governance_sequence: page.governance.sequence,
        governance_id: hash_bytes(&page.governance.id),
        registry_version: hash_bytes(&page.version),
    })
}

pub(super) fn tried(services: &Services, request: &TryGovernanceRequest) -> Result<TryGovernanceResponse, Failure> {
    if request.governance.len() >= limits::ENTRY_BYTES_MAX {
        return Err(invalid("governance", "is larger than an entry of the log; split it").into());
    }
    let message = Governance::decode(&request.governance);
    let message = message.map_err(|error| invalid("governance", &error.to_string()))?;
    let ledger = &services.ledger;
    let tip = ledger.tip()?;
    let block_time = UnixMillis::new(request.block_time_ms);
    if block_time <= tip.time {
        let problem = "is not later than the newest block; set the clock of the machine that asks";
        return Err(invalid("block_time_ms", problem).into());
    }
    let height = tip.height.next().ok_or_else(|| StoreError::corrupt("no height is left"))?;
    // Of an area without authorities nothing was taken: the message's place says so.
    let governance = services.pool.last_governance(message.area)?;
    let governance = governance.unwrap_or(GovernanceState { sequence: 0, id: Hash([0; 32]) });
    let trial = try_governance(&ledger.store, &ledger.chain, &message, height, block_time);
    let trial = trial.map_err(StoreError::from)?;
    let mut answer = TryGovernanceResponse {
        height: height.get(),
        governance_sequence: governance.sequence,
        governance_id: hash_bytes(&governance.id),
        registry_version: hash_bytes(&ledger.store.registry_version()?),
        place_problem: trial.place_problem.unwrap_or_default().to_owned(),
        ..TryGovernanceResponse::default()
    };
    match trial.actions {
        Ok(writes) => {
            let written = writes.into_iter().filter(|((table, key), _)| is_of_registry(*table, key));
            answer.rows = written.filter_map(|((table, key), value)| Some(wire(table, &key, value?))).collect();
        }
        Err(refusal) => {
            refusal.problem.clone_into(&mut answer.action_problem);
            // A message has far fewer actions than 2^32.
            answer.refused_action = u32::try_from(refusal.index).unwrap_or(u32::MAX).saturating_add(1);
        }
    }
    Ok(answer)
}
