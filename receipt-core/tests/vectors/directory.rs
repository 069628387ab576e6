//! The directory of units: rows and root, what authorities sign, deltas; which of them are refused, and by which code.

use receipt_core::directory::{
    Directory, DirectoryDelta, DirectoryError, DirectoryFile, DirectoryFileError, SignedDirectory, TrustedDirectory,
    UnitRow, directory_root, open_directory_file,
};
use receipt_core::ids::{Height, KeyId};
use receipt_core::merkle::leaf_hash;
use receipt_core::suite::Signer;
use receipt_core::testkit::{GENESIS_TIME_MS, TestChain, UNIT_KEY_BASE, software_key};
use receipt_core::trust::TrustFile;
use serde_json::{Value, json};

use super::{SUITE, hexes};

const UNIT: u32 = 900;
const KEYS: [u32; 2] = [9001, 9002];

/// Since the first directory a unit came with a key, one got a key more, one was renamed, and a key of one was revoked.
struct Changes {
    chain: TestChain,
    before: Directory,
    delta: DirectoryDelta,
}

impl Changes {
    fn new() -> Self {
        let mut chain = TestChain::new();
        chain.add_block(&[]);
        let before = chain.directory();
        chain.govern(vec![
            chain.unit_action(UNIT, "示例新单位"),
            chain.key_action(UNIT, KEYS[0]),
            chain.key_action(1, KEYS[1]),
            chain.unit_action(2, "示例改名单位"),
            TestChain::revocation(UNIT_KEY_BASE + 3, GENESIS_TIME_MS + 5_000),
        ]);
        chain.add_block(&[]);
        let of_keys = [(UNIT, KEYS[0]), (1, KEYS[1]), (2, UNIT_KEY_BASE + 2)];
        let credentials = of_keys.map(|(unit, key)| chain.credential_of_key(unit, key).encode());
        let delta = chain.delta(&before, credentials.to_vec());
        Self { chain, before, delta }
    }

    fn opened(&self, directory: &Directory) -> TrustedDirectory {
        self.chain.trusted(directory.clone())
    }

    /// A delta under a seal that the ledger's rules would never give.
    fn resealed(&self, since: &Directory, change: impl FnOnce(&mut Vec<UnitRow>)) -> DirectoryDelta {
        let mut units = self.chain.directory().units;
        change(&mut units);
        let root = directory_root(SUITE, &units);
        let (seal, proof) = self.chain.sealed_with(|seal| seal.directory_root = root);
        units.retain(|row| !since.units.contains(row));
        DirectoryDelta { from_root: since.root(), units, seal, proof, ..self.delta.clone() }
    }
}

fn opened(name: &str, bytes: &[u8], trust: &TrustFile) -> (Value, Option<DirectoryError>) {
    let error = TrustedDirectory::open(bytes, trust).err();
    let row =
        json!({ "name": name, "signed_directory": hex::encode(bytes), "refused": error.map(|error| error.code()) });
    (row, error)
}

fn directories(changes: &Changes, signed: &SignedDirectory) -> Vec<Value> {
    let (chain, trust) = (&changes.chain, changes.chain.trust());
    let by = |names: &[&str]| {
        let keys: Vec<_> = names.iter().map(|name| software_key(name)).collect();
        let signers: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
        SignedDirectory::sign(changes.before.clone(), chain.genesis().chain_id(), &signers).encode()
    };
    let changed = |change: fn(&mut Vec<UnitRow>)| {
        let mut directory = changes.before.clone();
        change(&mut directory.units);
        chain.sign_directory(directory).encode()
    };
    let mut forged = signed.clone();
    forged.signatures[1].1.0[0] ^= 1;
    let rows = [
        ("two of three", signed.encode()),
        ("all three and a stranger", by(&["authority-0", "authority-1", "authority-2", "stranger"])),
        ("no unit at all", changed(Vec::clear)),
        ("one of three", by(&["authority-0"])),
        ("one of three and a stranger", by(&["authority-0", "stranger"])),
        ("a wrong signature", forged.encode()),
        ("cut off", signed.encode()[..100].to_vec()),
        ("units out of order", changed(|units| units.swap(0, 1))),
        ("a key of 31 bytes", changed(|units| units[0].keys[0].public_key.truncate(31))),
        ("a code of 17 characters", changed(|units| units[0].unit_code.truncate(17))),
        (
            "a key twice",
            changed(|units| {
                let key = units[0].keys[0].clone();
                units[0].keys.push(key);
            }),
        ),
    ];
    let all: Vec<(Value, Option<DirectoryError>)> =
        rows.iter().map(|(name, bytes)| opened(name, bytes, trust)).collect();
    assert_eq!(all.iter().filter(|(_, error)| error.is_none()).count(), 3);
    all.into_iter().map(|(row, _)| row).collect()
}

/// A delta, the directory that it is held against, and why it is refused.
type DeltaRow<'a> = (&'static str, &'a TrustedDirectory, DirectoryDelta, Option<&'static str>);

fn place(units: &[UnitRow], unit: u32) -> usize {
    units.iter().position(|row| row.unit_id == unit).unwrap()
}

fn deltas(changes: &Changes) -> Vec<Value> {
    let Changes { chain, before, .. } = changes;
    let (first, after) = (changes.opened(before), changes.opened(&chain.directory()));
    let mut rows = deltas_as_sent(changes, &first, &after);
    rows.extend(deltas_that_widen(changes, &first, &after));
    let told = |(name, from, delta, refused): &DeltaRow<'_>| {
        let taken = from.with_delta(&delta.encode(), chain.trust());
        assert_eq!(taken.as_ref().err().map(receipt_core::directory::DeltaError::code), *refused, "{name}");
        let taken = taken.ok();
        json!({
            "name": name,
            "from": usize::from(**from == after),
            "delta": hex::encode(delta.encode()),
            "refused": refused,
            "root": taken.as_ref().map(|taken| taken.root().to_string()),
            "height": taken.as_ref().map(|taken| taken.height().get()),
            "as_of_seconds": taken.as_ref().map(|taken| taken.as_of().get()),
            "signers": taken.as_ref().map(|taken| taken.signers().to_vec()),
        })
    };
    rows.iter().map(told).collect()
}

/// What the chain says, as it is and with one thing changed.
fn deltas_as_sent<'a>(
    changes: &Changes,
    first: &'a TrustedDirectory,
    after: &'a TrustedDirectory,
) -> Vec<DeltaRow<'a>> {
    let Changes { chain, delta, .. } = changes;
    let with = |change: &dyn Fn(&mut DirectoryDelta)| {
        let mut changed = delta.clone();
        change(&mut changed);
        changed
    };
    let old = &chain.blocks()[0];
    let old_proof = chain.proof(old.log_size - 1, Height::ZERO);
    let two =
        chain.checkpoint_note(chain.log().size(), &chain.validators_at(chain.height())[..2], chain.now().seconds());
    let last = chain.log().size() - 1;
    vec![
        ("all that changed", first, delta.clone(), None),
        ("nothing changed: fresh", after, chain.delta(&chain.directory(), Vec::new()), None),
        ("a credential more than needed", first, with(&|d| d.credentials.push(d.credentials[0].clone())), None),
        ("it begins elsewhere", after, delta.clone(), Some("FROM")),
        ("nothing changed, and something did", first, with(&|d| d.units.clear()), Some("ROOT")),
        ("a row is left out", first, with(&|d| drop(d.units.remove(0))), Some("ROOT")),
        (
            "an ending is held back",
            first,
            with(&|d| {
                let at = place(&d.units, 3);
                d.units[at].keys[0].revoked_from_ms = 0;
            }),
            Some("ROOT"),
        ),
        (
            "rows that change nothing",
            after,
            DirectoryDelta {
                units: vec![chain.directory().units[0].clone()],
                ..chain.delta(&chain.directory(), Vec::new())
            },
            Some("UNCHANGED"),
        ),
        ("an older seal", first, with(&|d| (d.seal, d.proof) = (old.seal.encode(), old_proof.clone())), Some("OLDER")),
        (
            "two of four cosigned",
            first,
            with(&|d| d.proof = chain.proof_with(last, last + 1, &two)),
            Some("CHECKPOINT"),
        ),
        (
            "another seal than the last leaf",
            first,
            with(&|d| d.seal = chain.blocks()[1].seal.encode()),
            Some("SEAL_POSITION"),
        ),
        ("no seal", first, with(&|d| d.seal.clear()), Some("SEAL_FORM")),
        ("rows out of order", first, with(&|d| d.units.swap(0, 1)), Some("FORM")),
        ("no credential of a new unit", first, with(&|d| drop(d.credentials.remove(0))), Some("KEY_UNSIGNED")),
        ("no credential of a new key", first, with(&|d| drop(d.credentials.remove(1))), Some("KEY_UNSIGNED")),
        ("no credential of a new name", first, with(&|d| drop(d.credentials.remove(2))), Some("NAME_UNSIGNED")),
        ("a changed credential", first, with(&|d| d.credentials[0][60] ^= 1), Some("CREDENTIAL")),
    ]
}

/// Under a seal of their own.
fn deltas_that_widen<'a>(
    changes: &Changes,
    first: &'a TrustedDirectory,
    after: &'a TrustedDirectory,
) -> Vec<DeltaRow<'a>> {
    let Changes { chain, before, .. } = changes;
    vec![
        (
            "a key exchanged",
            first,
            changes.resealed(before, |units| units[0].keys[0].public_key[0] ^= 1),
            Some("WIDENED"),
        ),
        ("a key gone", first, changes.resealed(before, |units| drop(units[0].keys.remove(0))), Some("WIDENED")),
        (
            "an ending taken back",
            after,
            changes.resealed(&chain.directory(), |units| {
                let at = place(units, 3);
                units[at].keys[0].revoked_from_ms = 0;
            }),
            Some("WIDENED"),
        ),
        (
            "an ending moved to a later time",
            after,
            changes.resealed(&chain.directory(), |units| {
                let at = place(units, 3);
                units[at].keys[0].revoked_from_ms += 1;
            }),
            Some("WIDENED"),
        ),
    ]
}

/// What was signed, with deltas behind it.
fn files(changes: &Changes, signed: &SignedDirectory) -> Vec<Value> {
    let Changes { chain, delta, .. } = changes;
    let (delta, bare) = (delta.encode(), chain.delta(&chain.directory(), Vec::new()).encode());
    let of = |deltas: &[&Vec<u8>]| {
        let deltas = deltas.iter().map(|delta| delta.to_vec()).collect();
        DirectoryFile { signed: signed.clone(), deltas }.encode()
    };
    let whole = of(&[&delta, &bare]);
    let cut = whole[..whole.len() - 1].to_vec();
    let rows = [
        ("what changed, and a newer seal", whole, None),
        ("no delta", of(&[]), None),
        ("a newer seal twice", of(&[&delta, &bare, &bare]), Some("NOT_LAST")),
        ("what changed twice", of(&[&delta, &delta]), Some("FROM")),
        ("cut off", cut, Some("FORM")),
        ("nothing", Vec::new(), Some("FORM")),
    ];
    let told = |(name, bytes, refused): (&str, Vec<u8>, Option<&str>)| {
        let taken = open_directory_file(&bytes, chain.trust());
        let code = taken.as_ref().err().map(|error| match error {
            DirectoryFileError::Directory(error) => error.code(),
            DirectoryFileError::Delta { error, .. } => error.code(),
            DirectoryFileError::Unsealed(_) => panic!("{name}: no draft"),
        });
        assert_eq!(code, refused, "{name}");
        let taken = taken.ok();
        let root = taken.as_ref().map(|taken| taken.root().to_string());
        let height = taken.as_ref().map(|taken| taken.height().get());
        json!({ "name": name, "file": hex::encode(bytes), "refused": refused, "root": root, "height": height })
    };
    rows.into_iter().map(told).collect()
}

#[test]
fn directory_json() {
    let changes = Changes::new();
    let chain = &changes.chain;
    let after = chain.directory();
    let signed = [&changes.before, &after].map(|directory| chain.sign_directory(directory.clone()));
    let seal = |height: usize| chain.blocks()[height].seal.directory_root.to_string();
    assert_eq!([changes.before.root().to_string(), after.root().to_string()], [seal(1), seal(3)]);
    let row = after.units.iter().find(|row| row.unit_id == 2).unwrap();
    assert!(row.key(KeyId::new(UNIT_KEY_BASE + 2)).is_some() && row.former_names.len() == 1);
    let value = json!({
        "trust": chain.trust().to_text(),
        "directories": hexes(signed.each_ref().map(SignedDirectory::encode)),
        "rows": hexes(after.units.iter().map(UnitRow::encode)),
        "leaf_hashes": after.units.iter().map(|row| leaf_hash(SUITE, &row.encode()).to_string()).collect::<Vec<_>>(),
        "root": after.root().to_string(),
        "height": after.height.get(),
        "time_ms": after.time.get(),
        "opened": directories(&changes, &signed[0]),
        "deltas": deltas(&changes),
        "files": files(&changes, &signed[0]),
    });
    super::check("directory.json", &value);
}
