//! Whose directories are opened, and which deltas are taken.

use super::*;
use crate::hash::Hash;
use crate::ids::{KeyId, UnitId};
use crate::note::PosixSeconds;
use crate::suite::{Signer, Suite};
use crate::testkit::{GENESIS_TIME_MS, TestChain, TestValidator, UNIT_KEY_BASE, software_key};

fn open(signed: &SignedDirectory, chain: &TestChain) -> Result<TrustedDirectory, DirectoryError> {
    TrustedDirectory::open(&signed.encode(), chain.trust())
}

#[test]
fn only_what_enough_of_the_present_authorities_signed_is_a_directory() {
    let mut chain = TestChain::new();
    let directory = chain.directory();
    let signed = chain.sign_directory(directory.clone());
    assert_eq!(SignedDirectory::decode(&signed.encode()), Ok(signed.clone()));
    let opened = open(&signed, &chain).unwrap();
    assert_eq!((opened.units(), opened.root()), (directory.units.as_slice(), directory.root()));
    assert_eq!(opened.as_of(), PosixSeconds::new(directory.time.seconds()));
    // Another chain's authorities may have the same keys: what they sign names the chain.
    assert_eq!(open(&signed, &TestChain::named("otherchain")), Err(DirectoryError::Signature));
    assert_eq!(open(&signed, &TestChain::with_suite("testchain", Suite::Dummy)), Err(DirectoryError::Suite));
    let by = |names: &[&str]| {
        let keys: Vec<_> = names.iter().map(|name| software_key(name)).collect();
        let signers: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
        open(&SignedDirectory::sign(directory.clone(), chain.genesis().chain_id(), &signers), &chain)
    };
    assert!(by(&["authority-0", "authority-1", "stranger"]).is_ok());
    assert_eq!(by(&["authority-0"]), Err(DirectoryError::Authorities));
    assert_eq!(by(&["authority-0", "stranger"]), Err(DirectoryError::Authorities));
    assert_eq!(by(&[]), Err(DirectoryError::Authorities));
    let mut forged = signed.clone();
    forged.signatures[1].1.0[0] ^= 1;
    assert_eq!(open(&forged, &chain), Err(DirectoryError::Signature));
    // Nobody's change of it passes, wherever it is.
    let bytes = signed.encode();
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 0x01;
        assert!(TrustedDirectory::open(&changed, chain.trust()).is_err(), "byte {position}");
    }
    for length in [0, 1, bytes.len() - 1] {
        assert_eq!(TrustedDirectory::open(&bytes[..length], chain.trust()), Err(DirectoryError::Form));
    }
    // Authorities that were replaced vouch for nothing new.
    chain.replace_authorities(&["authority-7", "authority-8", "authority-9"]);
    assert_eq!(open(&signed, &chain), Err(DirectoryError::Authorities));
    assert!(open(&chain.sign_directory(directory), &chain).is_ok());
}

#[test]
fn malformed_rows_are_refused() {
    let chain = TestChain::new();
    type Change = fn(&mut Vec<UnitRow>);
    let changes: [(&str, Change); 8] = [
        ("out of order", |units| units.swap(0, 1)),
        ("twice", |units| units.insert(0, units[0].clone())),
        ("a short code", |units| units[0].unit_code.truncate(17)),
        ("a code with a space", |units| units[0].unit_code.replace_range(3..4, " ")),
        ("a short key", |units| units[0].keys[0].public_key.truncate(31)),
        ("a key twice", |units| {
            let key = units[0].keys[0].clone();
            units[0].keys.push(key);
        }),
        ("an empty window", |units| units[0].keys[0].valid_until_ms = units[0].keys[0].valid_from_ms),
        ("former names out of order", |units| {
            units[0].former_names = vec![FormerName { unit_name: "a".to_owned(), until_ms: 5 }; 2];
        }),
    ];
    for (name, change) in changes {
        let mut directory = chain.directory();
        change(&mut directory.units);
        assert!(Directory::decode(&directory.encode()).is_err(), "{name}");
        let mut delta = chain.delta(&chain.directory(), Vec::new());
        delta.units = directory.units;
        assert!(DirectoryDelta::decode(&delta.encode()).is_err(), "{name}");
    }
    let mut extended = chain.directory().encode();
    extended.extend_from_slice(&[0x30, 1]);
    assert!(Directory::decode(&extended).is_err(), "an unknown field");
}

/// A chain on which, since a first directory, a unit came with a key, one was renamed, one key was added and one revoked.
struct Changed {
    chain: TestChain,
    before: Directory,
    delta: DirectoryDelta,
}

const NEW_UNIT: u32 = 900;
const NEW_KEYS: [u32; 2] = [9001, 9002];

fn changed() -> Changed {
    let mut chain = TestChain::new();
    chain.add_block(&[]);
    let before = chain.directory();
    chain.govern(vec![
        chain.unit_action(NEW_UNIT, "示例新单位"),
        chain.key_action(NEW_UNIT, NEW_KEYS[0]),
        chain.key_action(1, NEW_KEYS[1]),
        chain.unit_action(2, "示例改名单位"),
        TestChain::revocation(UNIT_KEY_BASE + 3, GENESIS_TIME_MS + 5_000),
    ]);
    chain.add_block(&[]);
    let credentials = [(NEW_UNIT, NEW_KEYS[0]), (1, NEW_KEYS[1]), (2, UNIT_KEY_BASE + 2)];
    let credentials = credentials.map(|(unit, key)| chain.credential_of_key(unit, key).encode());
    let delta = chain.delta(&before, credentials.to_vec());
    Changed { chain, before, delta }
}

impl Changed {
    fn take(&self, delta: &DirectoryDelta) -> Result<TrustedDirectory, DeltaError> {
        self.chain.trusted(self.before.clone()).with_delta(&delta.encode(), self.chain.trust())
    }

    /// The same delta with another list of units, under a seal of its root: what a quorum could make.
    fn resealed(&self, change: impl FnOnce(&mut Vec<UnitRow>), credentials: Vec<Vec<u8>>) -> DirectoryDelta {
        let mut units = self.chain.directory().units;
        change(&mut units);
        let root = directory_root(self.before.suite, &units);
        let (seal, proof) = self.chain.sealed_with(|seal| seal.directory_root = root);
        units.retain(|row| !self.before.units.contains(row));
        DirectoryDelta { units, credentials, seal, proof, ..self.delta.clone() }
    }
}

#[test]
fn a_delta_brings_a_directory_up_to_date() {
    let changed = changed();
    assert_eq!(changed.delta.units.len(), 4, "and no row that did not change");
    let taken = changed.take(&changed.delta).unwrap();
    let now = changed.chain.directory();
    assert_eq!((taken.units(), taken.root(), taken.height()), (now.units.as_slice(), now.root(), now.height));
    let checkpoint =
        changed.chain.trust().verify_checkpoint(&changed.chain.blocks().last().unwrap().checkpoint).unwrap();
    assert_eq!((taken.as_of(), taken.signers()), (checkpoint.as_of, &["v1", "v2", "v3"].map(str::to_owned)[..]));
    let renamed = taken.unit(UnitId::new(2)).unwrap();
    assert_eq!(renamed.former_names.len(), 1);
    assert!(taken.unit(UnitId::new(3)).unwrap().key(KeyId::new(UNIT_KEY_BASE + 3)).unwrap().revoked_from().is_some());
    // One without rows says of when the directory is.
    let none = changed.chain.delta(&now, Vec::new());
    assert_eq!(none.units, Vec::new());
    let mut older = now.clone();
    older.time = crate::ids::UnixMillis::new(GENESIS_TIME_MS);
    let fresh = changed.chain.trusted(older).with_delta(&none.encode(), changed.chain.trust()).unwrap();
    assert_eq!((fresh.as_of(), fresh.units()), (checkpoint.as_of, now.units.as_slice()));
    // It never becomes older.
    let mut later = now;
    later.time = later.time.plus_millis(86_400_000);
    let kept = changed.chain.trusted(later.clone()).with_delta(&none.encode(), changed.chain.trust()).unwrap();
    assert_eq!(kept.as_of(), PosixSeconds::new(later.time.seconds()));
}

#[test]
fn nothing_can_be_held_back_from_a_delta() {
    let changed = changed();
    let Changed { chain, before, delta } = &changed;
    let height = chain.height();
    let refused = |delta: &DirectoryDelta| changed.take(delta).unwrap_err();
    for left_out in 0..delta.units.len() {
        let mut partial = delta.clone();
        partial.units.remove(left_out);
        assert_eq!(refused(&partial), DeltaError::Root { height }, "row {left_out}");
    }
    let position = delta.units.iter().position(|row| row.unit_id == 3).unwrap();
    let mut held_back = delta.clone();
    held_back.units[position].keys[0].revoked_from_ms = 0;
    assert_eq!(refused(&held_back), DeltaError::Root { height }, "an ending");
    let mut invented = delta.clone();
    invented.units.push(UnitRow { unit_id: 901, ..delta.units[3].clone() });
    assert_eq!(refused(&invented), DeltaError::Root { height });
    // Under an older seal, which knows nothing of the changes.
    let old = &chain.blocks()[0];
    let old_proof = chain.proof(old.log_size - 1, crate::ids::Height::ZERO);
    let rolled_back = DirectoryDelta { units: Vec::new(), seal: old.seal.encode(), proof: old_proof, ..delta.clone() };
    assert_eq!(refused(&rolled_back), DeltaError::Older { seal: crate::ids::Height::ZERO, own: before.height });
    let stale = DirectoryDelta { units: Vec::new(), ..delta.clone() };
    assert_eq!(refused(&stale), DeltaError::Root { height }, "the list is old, and not called fresh");
}

fn key_unsigned(unit: u32, key: u32) -> DeltaError {
    DeltaError::KeyUnsigned { unit: UnitId::new(unit), key: KeyId::new(key) }
}

fn widened(unit: u32) -> DeltaError {
    DeltaError::Widened { unit: UnitId::new(unit) }
}

fn place_of(units: &[UnitRow], unit: u32) -> usize {
    units.iter().position(|row| row.unit_id == unit).unwrap()
}

#[test]
fn what_is_new_in_a_delta_needs_its_credential() {
    let changed = changed();
    let Changed { chain, delta, .. } = &changed;
    let without = |left_out: usize| {
        let mut partial = delta.clone();
        partial.credentials.remove(left_out);
        changed.take(&partial).unwrap_err()
    };
    assert_eq!(without(0), key_unsigned(NEW_UNIT, NEW_KEYS[0]));
    assert_eq!(without(1), key_unsigned(1, NEW_KEYS[1]));
    assert_eq!(without(2), DeltaError::NameUnsigned { unit: UnitId::new(2) });
    for (position, damage) in [(0, 40), (1, 0), (2, 60)] {
        let mut damaged = delta.clone();
        damaged.credentials[position][damage] ^= 1;
        assert_eq!(changed.take(&damaged).unwrap_err(), DeltaError::Credential(position));
    }
    let by_one = {
        let credential = chain.credential_of_key(NEW_UNIT, NEW_KEYS[0]).credential;
        let key = software_key("authority-0");
        crate::credential::SignedCredential::sign(credential, chain.genesis().chain_id(), &[&key]).encode()
    };
    let mut unsigned = delta.clone();
    unsigned.credentials[0] = by_one;
    assert_eq!(changed.take(&unsigned).unwrap_err(), DeltaError::Credential(0));
}

/// What validators seal that the ledger's rules would never give.
#[test]
fn a_quorum_alone_makes_no_unit() {
    let changed = changed();
    let credentials = || changed.delta.credentials.clone();
    let strange = software_key("stranger").public_key().0.to_vec();
    let other_key = |units: &mut Vec<UnitRow>| {
        let at = place_of(units, NEW_UNIT);
        units[at].keys[0].public_key.clone_from(&strange);
    };
    let resealed = changed.resealed(other_key, credentials());
    assert_eq!(changed.take(&resealed).unwrap_err(), key_unsigned(NEW_UNIT, NEW_KEYS[0]));
    type Change = fn(&mut UnitRow);
    let name_unsigned = || DeltaError::NameUnsigned { unit: UnitId::new(1) };
    let former = || FormerName { unit_name: "别的单位".to_owned(), until_ms: 1 };
    let changes: [(&str, Change, DeltaError); 6] = [
        ("a key exchanged", |row| row.keys[0].public_key[0] ^= 1, widened(1)),
        ("a key gone", |row| drop(row.keys.remove(0)), widened(1)),
        ("a window moved", |row| row.keys[0].valid_until_ms = u64::MAX, widened(1)),
        ("another code", |row| row.unit_code.replace_range(..1, "9"), widened(1)),
        ("a new key valid earlier", |row| row.keys[1].valid_from_ms -= 1, key_unsigned(1, NEW_KEYS[1])),
        ("a new key valid longer", |row| row.keys[1].valid_until_ms = u64::MAX, key_unsigned(1, NEW_KEYS[1])),
    ];
    let take = |change: &dyn Fn(&mut UnitRow)| {
        let of_first = |units: &mut Vec<UnitRow>| {
            let at = place_of(units, 1);
            change(&mut units[at]);
        };
        changed.take(&changed.resealed(of_first, credentials())).unwrap_err()
    };
    for (name, change, error) in changes {
        assert_eq!(take(&change), error, "{name}");
    }
    assert_eq!(take(&|row| "别的单位".clone_into(&mut row.unit_name)), name_unsigned());
    assert_eq!(take(&|row| row.former_names.push(former())), name_unsigned());
    assert_eq!(take(&|row| "110000".clone_into(&mut row.supervisor_area_code)), name_unsigned());
}

/// The sealed state without an ending that a directory has, or with a later one.
#[test]
fn no_ending_is_taken_back() {
    let changed = changed();
    let Changed { chain, delta, .. } = &changed;
    let with_ending = changed.take(delta).unwrap();
    for revoked_from_ms in [0, GENESIS_TIME_MS + 5_001] {
        let mut units = chain.directory().units;
        let at = place_of(&units, 3);
        units[at].keys[0].revoked_from_ms = revoked_from_ms;
        let root = directory_root(changed.before.suite, &units);
        let (seal, proof) = chain.sealed_with(|seal| seal.directory_root = root);
        let units = vec![units[at].clone()];
        let taken_back = DirectoryDelta { from_root: with_ending.root(), units, seal, proof, ..delta.clone() };
        let error = with_ending.with_delta(&taken_back.encode(), chain.trust()).unwrap_err();
        assert_eq!(error, widened(3));
    }
}

#[test]
fn a_delta_that_does_not_fit_is_refused_and_says_why() {
    let changed = changed();
    let Changed { chain, before, delta } = &changed;
    let refused = |delta: &DirectoryDelta| changed.take(delta).unwrap_err();
    let from = Hash([7; 32]);
    assert_eq!(
        refused(&DirectoryDelta { from_root: from, ..delta.clone() }),
        DeltaError::From { from, own: before.root() }
    );
    assert_eq!(refused(&DirectoryDelta { suite: Suite::Dummy, ..delta.clone() }), DeltaError::Suite);
    assert_eq!(refused(&DirectoryDelta { seal: vec![1], ..delta.clone() }), DeltaError::SealForm);
    assert_eq!(refused(&DirectoryDelta { proof: String::new(), ..delta.clone() }), DeltaError::SealForm);
    let size = chain.log().size();
    let strangers: Vec<TestValidator> = (91..=94).map(TestValidator::new).collect();
    for validators in [&strangers[..], &chain.validators_at(chain.height())[..2]] {
        let note = chain.checkpoint_note(size, validators, chain.now().seconds());
        let error = refused(&DirectoryDelta { proof: chain.proof_with(size - 1, size, &note), ..delta.clone() });
        assert!(matches!(error, DeltaError::Checkpoint(_)), "{error}");
    }
    let earlier = chain.blocks()[1].seal.encode();
    assert_eq!(refused(&DirectoryDelta { seal: earlier, ..delta.clone() }), DeltaError::SealPosition);
    let not_last = chain.proof(size - 2, chain.height());
    assert_eq!(refused(&DirectoryDelta { proof: not_last, ..delta.clone() }), DeltaError::SealPosition);
    let (seal, proof) = chain.sealed_with(|seal| seal.validator_set_hash = Hash([1; 32]));
    assert_eq!(refused(&DirectoryDelta { seal, proof, ..delta.clone() }), DeltaError::SealPosition);
    let bytes = delta.encode();
    let directory = chain.trusted(before.clone());
    for length in [0, 1, bytes.len() - 1] {
        assert_eq!(directory.with_delta(&bytes[..length], chain.trust()).unwrap_err(), DeltaError::Form);
    }
    // No change of a byte gives another directory.
    let expected = changed.take(delta).unwrap();
    for position in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[position] ^= 0x20;
        if let Ok(taken) = directory.with_delta(&flipped, chain.trust()) {
            assert_eq!(taken.units(), expected.units(), "byte {position}");
        }
    }
}

#[test]
fn a_file_is_taken_whole_or_not_at_all() {
    let changed = changed();
    let Changed { chain, before, delta } = &changed;
    let trust = chain.trust();
    let none = chain.delta(&chain.directory(), Vec::new());
    let deltas = vec![delta.encode(), none.encode()];
    let file = DirectoryFile { signed: chain.sign_directory(before.clone()), deltas };
    let bytes = file.encode();
    assert_eq!(DirectoryFile::decode(&bytes), Ok(file.clone()));
    let opened = open_directory_file(&bytes, trust).unwrap();
    assert_eq!(opened.root(), chain.directory().root());
    for length in (0..bytes.len()).filter(|length| ![file.signed.encode().len() + 4].contains(length)) {
        let cut = open_directory_file(&bytes[..length], trust);
        let whole = length == bytes.len() - none.encode().len() - 4;
        assert_eq!(cut.is_ok(), whole, "{length} of {} bytes", bytes.len());
    }
    let reversed = DirectoryFile { deltas: file.deltas.iter().rev().cloned().collect(), ..file.clone() };
    let error = open_directory_file(&reversed.encode(), trust).unwrap_err();
    assert_eq!(error, DirectoryFileError::Delta { position: 1, error: DeltaError::NotLast });
    let twice = DirectoryFile { deltas: vec![delta.encode(); 2], ..file.clone() };
    let error = open_directory_file(&twice.encode(), trust).unwrap_err();
    assert!(matches!(error, DirectoryFileError::Delta { position: 2, error: DeltaError::From { .. } }), "{error}");
    assert_eq!(open_directory_file(&[], trust).unwrap_err(), DirectoryFileError::Directory(DirectoryError::Form));
    let long = vec![0; crate::limits::DIRECTORY_BYTES_MAX + 1];
    assert_eq!(open_directory_file(&long, trust).unwrap_err(), DirectoryFileError::Directory(DirectoryError::Form));
}

/// A portal and every page opened it, for minutes: a checkpoint's signatures, and a root over all rows, for each.
#[test]
fn a_delta_is_not_put_into_a_file_again_and_again() {
    let changed = changed();
    let Changed { chain, before, delta } = &changed;
    let now = chain.directory();
    let bare = chain.delta(&now, Vec::new());
    let same_rows = DirectoryDelta { units: vec![now.units[0].clone()], ..bare.clone() };
    let refused = |deltas: Vec<&DirectoryDelta>| {
        let deltas = deltas.into_iter().map(|delta| delta.encode()).collect();
        let file = DirectoryFile { signed: chain.sign_directory(before.clone()), deltas };
        match open_directory_file(&file.encode(), chain.trust()) {
            Ok(_) => None,
            Err(DirectoryFileError::Delta { position, error }) => Some((position, error)),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(refused(vec![delta, &bare]), None);
    assert_eq!(refused(vec![delta, &bare, &bare]), Some((2, DeltaError::NotLast)));
    assert_eq!(refused(vec![delta, &same_rows, &bare]), Some((2, DeltaError::Unchanged)));
    assert_eq!(refused(vec![delta, &same_rows]), Some((2, DeltaError::Unchanged)));
}

/// Shown would be what the file comes to, and signed what it begins with: a key that was revoked since would be in force again.
#[test]
fn a_draft_with_more_than_its_own_seal_is_not_signed() {
    let mut chain = TestChain::new();
    chain.add_block(&[]);
    let before = chain.directory();
    let bare = chain.delta(&before, Vec::new()).encode();
    chain.govern(vec![TestChain::revocation(UNIT_KEY_BASE + 3, GENESIS_TIME_MS + 5_000)]);
    let revoked = chain.delta(&before, Vec::new()).encode();
    let signed = SignedDirectory::sign(before.clone(), chain.genesis().chain_id(), &[]);
    let draft = |deltas: &[&Vec<u8>]| {
        let deltas = deltas.iter().map(|delta| delta.to_vec()).collect();
        DirectoryFile { signed: signed.clone(), deltas }.open_draft(chain.trust())
    };
    assert_eq!(draft(&[&bare]).unwrap().units(), before.units);
    assert_eq!(draft(&[&bare, &revoked]).unwrap_err(), DirectoryFileError::Unsealed(before.height));
    assert_eq!(draft(&[&bare, &bare]).unwrap_err(), DirectoryFileError::Unsealed(before.height));
}

#[test]
fn a_draft_is_signed_only_if_a_quorum_sealed_its_rows_height_and_time() {
    let changed = changed();
    let chain = &changed.chain;
    let directory = chain.directory();
    let unsigned = |directory: &Directory| SignedDirectory::sign(directory.clone(), chain.genesis().chain_id(), &[]);
    let sealed = chain.delta(&directory, Vec::new()).encode();
    let draft = DirectoryFile { signed: unsigned(&directory), deltas: vec![sealed] };
    assert_eq!(draft.open_draft(chain.trust()).unwrap().units(), directory.units);
    assert_eq!(draft.open(chain.trust()).unwrap_err(), DirectoryFileError::Directory(DirectoryError::Authorities));
    type Change = fn(&mut Directory);
    let changes: [(&str, Change); 4] = [
        ("another name", |directory| directory.units[0].unit_name.push('x')),
        ("a unit more", |directory| directory.units.push(UnitRow { unit_id: u32::MAX, ..directory.units[0].clone() })),
        ("a later time", |directory| directory.time = directory.time.plus_millis(1)),
        ("another height", |directory| directory.height = crate::ids::Height::ZERO),
    ];
    for (name, change) in changes {
        let mut other = directory.clone();
        change(&mut other);
        let other = DirectoryFile { signed: unsigned(&other), ..draft.clone() };
        assert!(other.open_draft(chain.trust()).is_err(), "{name}");
    }
    let bare = DirectoryFile { deltas: Vec::new(), ..draft };
    assert_eq!(bare.open_draft(chain.trust()).unwrap_err(), DirectoryFileError::Unsealed(directory.height));
}
