//! Blocks: bytes, id, certificate; and what executing them leaves behind, replayed from genesis.

use receipt_core::block::{Block, Item, block_id};
use receipt_core::hash::{Hash, tagged};
use receipt_core::ids::KeyId;
use receipt_core::memory::MemoryState;
use receipt_core::state::tables::{KeyState, META_TIP, META_TOTALS, Table};
use receipt_core::state::{ChainParameters, CheckedBlock, Effects, NoCache, StateRead, apply, genesis_effects};
use receipt_core::testkit::TestChain;
use serde_json::{Value, json};

use super::SUITE;
use super::scene::Scene;

/// What every block left behind, genesis first.
fn replay(chain: &TestChain) -> Vec<Effects> {
    let params = ChainParameters::of(chain.genesis());
    let mut state = MemoryState::new();
    let mut all = vec![genesis_effects(chain.genesis()).unwrap()];
    state.commit(all[0].writes.clone(), &all[0].stale_nodes);
    for block in &chain.blocks()[1..] {
        let block = Block::decode(&block.bytes).unwrap();
        let key = |id: KeyId| {
            let bytes = state.get(Table::Keys, &id.get().to_be_bytes()).unwrap()?;
            let key: KeyState = prost::Message::decode(bytes.as_slice()).unwrap();
            key.key.key().ok()
        };
        let checked = CheckedBlock::check(block.content, params.id, &NoCache, &key, [0; 32]).unwrap();
        let effects = apply(&state, &params, &checked).unwrap();
        assert_eq!(effects.seal, block.seal);
        state.commit(effects.writes.clone(), &effects.stale_nodes);
        all.push(effects);
    }
    all
}

/// The writes that count, and their hash as the specification draws it.
fn effects(previous: Hash, effects: &Effects) -> Value {
    let counted = |table: Table, key: &[u8]| {
        ![Table::StatusNodes, Table::RegistryNodes].contains(&table) && (table, key) != (Table::Meta, META_TIP)
    };
    let mut bytes = Vec::new();
    let mut rows = Vec::new();
    for ((table, key), value) in effects.writes.iter().filter(|((table, key), _)| counted(*table, key)) {
        let sized = |part: &[u8]| [&u32::try_from(part.len()).unwrap().to_be_bytes(), part].concat();
        bytes.push(*table as u8);
        bytes.extend(sized(key));
        bytes.push(u8::from(value.is_some()));
        bytes.extend(value.as_ref().map(|value| sized(value)).unwrap_or_default());
        rows.push(json!({
            "table": *table as u8,
            "name": table.name(),
            "key": hex::encode(key),
            "value": value.as_ref().map(hex::encode),
        }));
    }
    let hash = tagged("tallystick/effects/v1", &[previous.as_bytes(), &bytes]);
    assert_eq!(hash, effects.seal.effects_hash);
    json!({ "previous": previous.to_string(), "writes": rows, "effects_hash": hash.to_string() })
}

fn block(chain: &TestChain, all: &[Effects], height: usize) -> Value {
    let stored = &chain.blocks()[height];
    let content = Block::decode(&stored.bytes).unwrap().content;
    let totals = &all[height].writes[&(Table::Meta, META_TOTALS.to_vec())];
    let kinds = content.items.iter().map(|item| match item {
        Item::Batch(batch) => json!({ "kind": 1, "records": batch.records.len() }),
        Item::Governance(_) => json!({ "kind": 2, "records": 0 }),
    });
    json!({
        "height": content.height.get(),
        "time_ms": content.time.get(),
        "parent_seal_hash": content.parent_seal_hash.to_string(),
        "proposer_id": content.proposer.get(),
        "proposer_round": content.proposer_round,
        "items": kinds.collect::<Vec<_>>(),
        "salt": hex::encode(content.salt),
        "block": hex::encode(&stored.bytes),
        "block_id": block_id(SUITE, &stored.bytes).to_string(),
        "certificate": hex::encode(&stored.certificate),
        "totals": totals.as_ref().map(hex::encode),
        "totals_commitment": stored.seal.totals_commitment.to_string(),
        "effects": effects(all[height - 1].seal.effects_hash, &all[height]),
    })
}

#[test]
fn block_json() {
    let scene = Scene::new();
    let chain = &scene.chain;
    let all = replay(chain);
    // Two records, one of them red; governance; a refused batch; a pending set put into force; new authorities.
    let blocks: Vec<Value> = [2, 3, 4, 6, 7].into_iter().map(|height| block(chain, &all, height)).collect();
    let value = json!({
        "chain": chain.genesis().chain_id().0.to_string(),
        "genesis": hex::encode(chain.genesis().encode()),
        "genesis_effects": effects(Hash::ZERO, &all[0]),
        "blocks": blocks,
        "all_blocks": super::hexes(chain.blocks()[1..].iter().map(|block| &block.bytes)),
        "all_certificates": super::hexes(chain.blocks()[1..].iter().map(|block| &block.certificate)),
    });
    super::check("block.json", &value);
}
