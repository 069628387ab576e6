//! Directories of units on the test chain, and what changes them.

use super::{AUTHORITY_THRESHOLD, TestChain, keys};
use crate::block::Item;
use crate::credential::{SignedCredential, UnitCredential};
use crate::directory::{Directory, DirectoryDelta, SignedDirectory, TrustedDirectory, UnitRow};
use crate::entry::Entry;
use crate::governance::{Action, KeyOwner, RegisterKey, RegisterUnit, RevokeKey};
use crate::ids::{Height, KeyId, LeafIndex, UnitId};
use crate::merkle::leaf_hash;
use crate::note::{SignedNote, TlogProof};
use crate::seal::Seal;
use crate::state::StateRead;
use crate::state::tables::{META_DIRECTORY, Table};
use crate::suite::Signer;

impl TestChain {
    /// The rows of all units after the last block.
    pub fn directory(&self) -> Directory {
        let read = |table, key: &[u8]| StateRead::get(&self.state, table, key).unwrap().unwrap();
        let leaves = read(Table::Meta, META_DIRECTORY);
        let row = |leaf: &[u8]| UnitRow::decode(&read(Table::Directory, &leaf[..4])).unwrap();
        let tip = self.state.tip().unwrap().unwrap();
        let units = leaves.chunks(36).map(row).collect();
        Directory { suite: self.params.suite, height: tip.height, time: tip.time, units }
    }

    /// Any directory under the threshold of the present authorities.
    pub fn sign_directory(&self, directory: Directory) -> SignedDirectory {
        let names = &self.authorities_at(u64::MAX)[..AUTHORITY_THRESHOLD as usize];
        let keys: Vec<_> = names.iter().map(|name| keys::signer(self.params.suite, name)).collect();
        let signers: Vec<&dyn Signer> = keys.iter().map(AsRef::as_ref).collect();
        SignedDirectory::sign(directory, self.params.id, &signers)
    }

    /// Any directory, signed and opened.
    pub fn trusted(&self, directory: Directory) -> TrustedDirectory {
        TrustedDirectory::open(&self.sign_directory(directory).encode(), &self.trust).unwrap()
    }

    /// What changed since a directory, under the newest block's seal, with these credentials.
    pub fn delta(&self, since: &Directory, credentials: Vec<Vec<u8>>) -> DirectoryDelta {
        let units = self.directory().units.into_iter().filter(|row| !since.units.contains(row)).collect();
        let block = self.blocks.last().unwrap();
        DirectoryDelta {
            suite: self.params.suite,
            from_root: since.root(),
            units,
            credentials,
            seal: block.seal.encode(),
            proof: self.proof(block.log_size - 1, self.height()),
        }
    }

    /// A seal as the last block's, changed, and the proof that it is the only leaf of a log: what a quorum could make that breaks the rules.
    pub fn sealed_with(&self, change: impl FnOnce(&mut Seal)) -> (Vec<u8>, String) {
        let mut seal = self.blocks.last().unwrap().seal.clone();
        change(&mut seal);
        let root = leaf_hash(self.params.suite, &Entry::Seal(seal.clone()).encode());
        let note = self.checkpoint_over(1, root, &self.validators_at(self.height())[..3], self.now().seconds());
        let checkpoint = SignedNote::parse(note.as_bytes()).unwrap();
        let proof = TlogProof { extra: None, index: LeafIndex::ZERO, path: Vec::new(), checkpoint };
        (seal.encode(), proof.to_string())
    }

    /// A credential of a unit's key as the ledger has both now, under the present authorities.
    pub fn credential_of_key(&self, unit: u32, key: u32) -> SignedCredential {
        let directory = self.directory();
        let row = directory.units.iter().find(|row| row.unit() == UnitId::new(unit)).unwrap();
        let credential: UnitCredential = row.credential_at(self.params.suite, KeyId::new(key), self.time).unwrap();
        self.sign_credential(credential)
    }

    /// Decides a block that does this to the registry.
    pub fn govern(&mut self, actions: Vec<Action>) -> Height {
        let message = self.governance(actions);
        self.add_items(vec![Item::Governance(message)]).unwrap()
    }

    /// A unit that is registered with this name; its code follows from its number.
    pub fn unit_action(&self, unit: u32, name: &str) -> Action {
        let known = self.units.iter().find(|known| known.id == unit);
        Action::RegisterUnit(RegisterUnit {
            unit_id: unit,
            unit_code: known.map_or_else(|| format!("12990300{unit:010}"), |known| known.code.clone()),
            name: name.to_owned(),
            supervisor_area_code: known.map_or_else(|| "990300".to_owned(), |known| known.area.clone()),
            kinds: known.map(|known| known.kinds.iter().map(|(kind, _)| *kind).collect()).unwrap_or_default(),
            suspended_from_ms: 0,
        })
    }

    /// A key of a unit, derived from its number.
    pub fn key_action(&self, unit: u32, key: u32) -> Action {
        Action::RegisterKey(RegisterKey {
            key_id: key,
            owner_kind: KeyOwner::Unit.number(),
            owner_id: unit,
            suite: self.params.suite.number(),
            public_key: keys::signer(self.params.suite, &format!("key-{key}")).public_key().0.to_vec(),
            valid_from_ms: self.genesis.time.get(),
            valid_until_ms: 0,
        })
    }

    /// A revocation of a key.
    pub fn revocation(key: u32, from_ms: u64) -> Action {
        Action::RevokeKey(RevokeKey { key_id: key, revoked_from_ms: from_ms })
    }
}
