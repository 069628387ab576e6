//! A chain on which governance stands between batches: in one block the authorities are replaced twice, with batches before, between and after
//! the changes; a blinding epoch is registered by mistake and withdrawn. And messages for the next block, some of which it refuses.

use receipt_core::authorities::AuthoritySet;
use receipt_core::blind::{BlindingSecret, UniquenessKey};
use receipt_core::block::Item;
use receipt_core::fingerprint::Fingerprint;
use receipt_core::governance::{
    Action, Governance, RegisterBlinding, RegisterKind, SignedGovernance, WithdrawBlinding,
};
use receipt_core::hash::sha256;
use receipt_core::record::SignedRecord;
use receipt_core::state::tables::{META_BLINDING, Table};
use receipt_core::state::{ChainParameters, StateRead, would_execute};
use receipt_core::suite::{Signer, SoftwareKey};
use receipt_core::testkit::{TestChain, software_key, unit_key};
use serde_json::{Value, json};

use super::{SUITE, hexes};

fn register(epoch: u32, secret: u8) -> Action {
    let fingerprint = Fingerprint::of_blinding(&BlindingSecret::new(SUITE, epoch, &[secret; 32])).0.to_vec();
    Action::RegisterBlinding(RegisterBlinding { epoch, fingerprint })
}

fn withdraw(epoch: u32) -> Action {
    Action::WithdrawBlinding(WithdrawBlinding { epoch })
}

fn kind() -> Action {
    Action::RegisterKind(RegisterKind::named(990_188, "试验票据"))
}

fn replace(names: &[&str]) -> Action {
    let keys = names.iter().map(|name| software_key(name).public_key()).collect();
    Action::SetAuthorities(AuthoritySet { keys, threshold: 2 })
}

fn signed(chain: &TestChain, message: Governance, signers: &[&str]) -> SignedGovernance {
    let keys: Vec<SoftwareKey> = signers.iter().map(|name| software_key(name)).collect();
    let keys: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
    SignedGovernance::sign(message, chain.genesis().chain_id(), &keys)
}

/// The chain's next message, signed by these.
fn governance(chain: &mut TestChain, actions: Vec<Action>, signers: &[&str]) -> Item {
    let message = chain.governance(actions).governance;
    Item::Governance(signed(chain, message, signers))
}

/// A batch of one receipt, whose payment is listed under each of these epochs; the last is the issuer's own.
fn batch(chain: &mut TestChain, sample: &str, epochs: &[u32]) -> Item {
    let receipt = chain.issue(sample);
    let mut record = receipt.signed.record;
    let under = |key: &UniquenessKey, epoch: u32| {
        let mut key = UniquenessKey { epoch, ..*key };
        if epoch != 1 {
            let digest = sha256(&[&key.hash, &epoch.to_be_bytes()]);
            key.hash.copy_from_slice(&digest.0[..16]);
        }
        key
    };
    let keys = record.uniqueness_keys.iter().flat_map(|key| epochs.iter().map(move |epoch| under(key, *epoch)));
    let mut keys: Vec<UniquenessKey> = keys.collect();
    keys.sort_unstable();
    record.uniqueness_keys = keys;
    record.key_epoch = *epochs.last().unwrap();
    let signer = unit_key(record.unit.get());
    let leaf = SignedRecord::sign(record, chain.genesis().chain_id(), &signer).encode();
    Item::Batch(chain.batch(vec![leaf]))
}

const FIRST: [&str; 3] = ["authority-0", "authority-1", "authority-7"];
const SECOND: [&str; 3] = ["authority-1", "authority-7", "authority-8"];

fn grown() -> TestChain {
    let mut chain = TestChain::new();
    let items = vec![batch(&mut chain, "S01", &[1])];
    chain.add_items(items).unwrap();
    // A mistake: nobody has this secret.
    let items = vec![governance(&mut chain, vec![register(2, 2)], &["authority-0", "authority-2"])];
    chain.add_items(items).unwrap();
    let items = vec![
        batch(&mut chain, "S01", &[1]),
        governance(
            &mut chain,
            vec![replace(&FIRST), kind()],
            &["authority-0", "authority-1", "authority-2", "authority-7"],
        ),
        batch(&mut chain, "S02", &[1]),
        governance(&mut chain, vec![replace(&SECOND)], &SECOND),
        batch(&mut chain, "S01", &[1]),
    ];
    chain.add_items(items).unwrap();
    let items = vec![governance(&mut chain, vec![withdraw(2), register(3, 3)], &["authority-7", "authority-8"])];
    chain.add_items(items).unwrap();
    // One in the new epoch, and one of an issuer that did not know of the withdrawal.
    let items = vec![batch(&mut chain, "S01", &[1, 3]), batch(&mut chain, "S01", &[1, 2])];
    chain.add_items(items).unwrap();
    assert!(chain.blocks().iter().flat_map(|block| &block.entries).all(|entry| entry[0] != 2), "a batch was refused");
    chain
}

/// Messages for the next block, each of its own: name, actions, signers, and whether it is taken.
fn next_messages(chain: &mut TestChain) -> Vec<Value> {
    let template = chain.governance(Vec::new()).governance;
    let params = ChainParameters::of(chain.genesis());
    let height = chain.height().next().unwrap();
    let of_second = &SECOND[1..];
    let rows: [(&str, Vec<Action>, &[&str], bool); 13] = [
        ("the next epoch", vec![register(4, 4)], of_second, true),
        ("an epoch withdrawn in the message that registers it", vec![register(4, 4), withdraw(4)], of_second, true),
        ("an epoch after a gap", vec![register(5, 4)], of_second, false),
        ("the last epoch of all", vec![register(u32::MAX, 4)], of_second, false),
        ("a withdrawn epoch's number", vec![register(2, 4)], of_second, false),
        ("a withdrawn epoch's secret", vec![register(4, 2)], of_second, false),
        (
            "more epochs than a record has room for",
            (4..=18).map(|epoch| register(epoch, u8::try_from(epoch).unwrap())).collect(),
            of_second,
            false,
        ),
        ("an epoch that records name is withdrawn", vec![withdraw(1)], of_second, false),
        ("the newest epoch, which a record names", vec![withdraw(3)], of_second, false),
        ("a withdrawn epoch, once more", vec![withdraw(2)], of_second, false),
        ("an epoch that is not registered", vec![withdraw(4)], of_second, false),
        ("signed by those who were replaced", vec![kind()], &["authority-0", "authority-1"], false),
        (
            "one who was replaced comes back",
            vec![replace(&FIRST)],
            &["authority-0", "authority-1", "authority-7"],
            false,
        ),
    ];
    let rows = rows.into_iter().map(|(name, actions, signers, taken)| {
        let message = signed(chain, Governance { actions, ..template.clone() }, signers);
        let judged = would_execute(chain.state(), &params, &message, height, chain.block_time());
        assert_eq!(judged.is_ok(), taken, "{name}: {judged:?}");
        json!({ "name": name, "taken": taken, "signed_governance": hex::encode(message.encode()) })
    });
    rows.collect()
}

#[test]
fn succession_json() {
    let mut chain = grown();
    let blocks = chain.blocks().iter().map(|block| {
        json!({
            "block": hex::encode(&block.bytes),
            "certificate": hex::encode(&block.certificate),
            "entries": hexes(&block.entries),
        })
    });
    let last = chain.blocks().last().unwrap();
    let mut value = json!({
        "genesis": hex::encode(chain.genesis().encode()),
        "blocks": blocks.collect::<Vec<_>>(),
        "log_root": chain.log().root(last.log_size).to_string(),
        "effects_hash": last.seal.effects_hash.to_string(),
        "blinding": chain.state().get(Table::Meta, META_BLINDING).unwrap().map(hex::encode),
    });
    value["next_messages"] = next_messages(&mut chain).into();
    super::check("succession.json", &value);
}
