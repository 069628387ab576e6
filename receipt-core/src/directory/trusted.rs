//! A directory that may be judged by: opened from what authorities signed, brought up to date by what a quorum of validators sealed.
//!
//! The signature makes units; a seal only says of when the list is, and what has ended since. So a delta is taken if its rows, put in
//! their places, give the root in a seal under a quorum (none can be held back), and if authorities vouch for each key and each name in
//! it that is new (validators alone can make no unit). Nothing that was narrowed widens again.

use super::delta::DirectoryDelta;
use super::row::{DirectoryKey, UnitRow};
use super::signed::{Directory, SignedDirectory, directory_root};
use crate::credential::{SignedCredential, UnitCredential};
use crate::entry::Entry;
use crate::hash::Hash;
use crate::ids::{Height, KeyId, UnitId};
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::note::{PosixSeconds, TlogProof};
use crate::seal::Seal;
use crate::suite::Suite;
use crate::trust::{TrustError, TrustFile, TrustedCheckpoint};

/// Why a directory is not judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// It does not read.
    #[error("it is no directory of units, or a damaged one: fetch it anew")]
    Form,
    /// It is of another suite than the chain.
    #[error("the directory is of another suite than the chain: fetch that of the chain")]
    Suite,
    /// Too few of the present authorities have signed it.
    #[error(
        "the directory is not signed by enough of the authorities that the trust file names last: bring the trust file up to date, or \
         fetch the directory of this chain anew"
    )]
    Authorities,
    /// One of its signatures is not valid.
    #[error("a signature of the directory is not valid: it was changed, or is of another chain; fetch it anew")]
    Signature,
}

impl DirectoryError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form => "FORM",
            Self::Suite => "SUITE",
            Self::Authorities => "AUTHORITIES",
            Self::Signature => "SIGNATURE",
        }
    }
}

/// Why a delta is not taken. The directory stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// It does not read.
    #[error("it is no delta of a directory, or a damaged one: fetch it anew")]
    Form,
    /// It is of another suite than the chain.
    #[error("the delta is of another suite than the chain")]
    Suite,
    /// It does not begin where the directory stands.
    #[error(
        "the delta changes the directory with the root {from}, not this one ({own}): fetch the one that fits, or the directory anew"
    )]
    From {
        /// The root that it names.
        from: Hash,
        /// That of the directory.
        own: Hash,
    },
    /// Its seal or the proof of it does not read.
    #[error("the delta's seal, or the proof of it, does not read: fetch it anew")]
    SealForm,
    /// The checkpoint over the seal is not under a quorum.
    #[error("the checkpoint over the delta's seal is not to be relied on: {0}")]
    Checkpoint(TrustError),
    /// The seal is not the last leaf of its checkpoint, or of another set of validators than sign it.
    #[error("the delta's seal is not the last leaf of its checkpoint")]
    SealPosition,
    /// The seal is of an earlier block than the directory.
    #[error("the delta's seal is of height {seal}, and the directory of height {own} is newer")]
    Older {
        /// Height of the seal.
        seal: Height,
        /// Height of the directory.
        own: Height,
    },
    /// It has no rows, and another follows it in its file: that one says more.
    #[error(
        "the delta has no rows and is not the last of its file: take the directory as `directory update` writes it"
    )]
    NotLast,
    /// It has rows, and its seal has the root from before them.
    #[error("the delta's rows change nothing: take the directory as `directory update` writes it")]
    Unchanged,
    /// Its rows do not give the root that the seal names.
    #[error(
        "with the delta's rows the directory is not the one that was sealed at height {height}: something is missing, or changed"
    )]
    Root {
        /// Height of the seal.
        height: Height,
    },
    /// One of its credentials does not read, or is not signed as it must be.
    #[error(
        "credential {0} of the delta is damaged, or not signed by enough of the authorities that the trust file names last"
    )]
    Credential(usize),
    /// No credential vouches for a key that is new.
    #[error("no authorities vouch for key {key} of unit {unit}, which is new in the delta")]
    KeyUnsigned {
        /// Whose it is said to be.
        unit: UnitId,
        /// The key.
        key: KeyId,
    },
    /// No credential vouches for a name or area that is new.
    #[error("no authorities vouch for a name or the area of unit {unit} that is new in the delta")]
    NameUnsigned {
        /// The unit.
        unit: UnitId,
    },
    /// A unit's code or a key is not as it was, or an ending is taken back.
    #[error("the delta changes of unit {unit} what never changes, or takes an ending back")]
    Widened {
        /// The unit.
        unit: UnitId,
    },
}

impl DeltaError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form => "FORM",
            Self::Suite => "SUITE",
            Self::From { .. } => "FROM",
            Self::SealForm => "SEAL_FORM",
            Self::Checkpoint(_) => "CHECKPOINT",
            Self::SealPosition => "SEAL_POSITION",
            Self::Older { .. } => "OLDER",
            Self::NotLast => "NOT_LAST",
            Self::Unchanged => "UNCHANGED",
            Self::Root { .. } => "ROOT",
            Self::Credential(_) => "CREDENTIAL",
            Self::KeyUnsigned { .. } => "KEY_UNSIGNED",
            Self::NameUnsigned { .. } => "NAME_UNSIGNED",
            Self::Widened { .. } => "WIDENED",
        }
    }
}

/// The units whose signatures can be judged without a network, and of when they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedDirectory {
    suite: Suite,
    units: Vec<UnitRow>,
    height: Height,
    root: Hash,
    as_of: PosixSeconds,
    signers: Vec<String>,
}

impl TrustedDirectory {
    /// Opens the bytes of a `SignedDirectory`, under enough of the authorities that the trust file names last: keys that were replaced
    /// vouch for nothing new. It is as of the block that it was made after.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn open(bytes: &[u8], trust: &TrustFile) -> Result<Self, DirectoryError> {
        Self::of(&SignedDirectory::decode(bytes).map_err(|_| DirectoryError::Form)?, trust)
    }

    /// The same of a decoded one.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn of(signed: &SignedDirectory, trust: &TrustFile) -> Result<Self, DirectoryError> {
        if signed.directory.suite != trust.suite() {
            return Err(DirectoryError::Suite);
        }
        // The cheap question first: a directory of strangers costs no signature.
        if !signed.is_signed_by_enough(trust.authorities()) {
            return Err(DirectoryError::Authorities);
        }
        if !signed.signatures_hold(trust.chain_id()) {
            return Err(DirectoryError::Signature);
        }
        Ok(Self::unsigned(&signed.directory))
    }

    /// The rows of a directory that nobody has to have signed: for whoever is about to sign it.
    pub(super) fn unsigned(directory: &Directory) -> Self {
        Self {
            suite: directory.suite,
            root: directory.root(),
            units: directory.units.clone(),
            height: directory.height,
            as_of: PosixSeconds::new(directory.time.seconds()),
            signers: Vec::new(),
        }
    }

    /// The directory after the bytes of a `DirectoryDelta`, as of the checkpoint over its seal.
    ///
    /// # Errors
    /// See [`DeltaError`].
    pub fn with_delta(&self, bytes: &[u8], trust: &TrustFile) -> Result<Self, DeltaError> {
        let delta = DirectoryDelta::decode(bytes).map_err(|_| DeltaError::Form)?;
        if delta.suite != self.suite || self.suite != trust.suite() {
            return Err(DeltaError::Suite);
        }
        if delta.from_root != self.root {
            return Err(DeltaError::From { from: delta.from_root, own: self.root });
        }
        let (seal, checkpoint) = sealed(&delta, trust)?;
        if seal.height < self.height {
            return Err(DeltaError::Older { seal: seal.height, own: self.height });
        }
        // Before the rows are put in: a root over all of them takes long, and a file has room for thousands of deltas.
        if !delta.units.is_empty() && seal.directory_root == self.root {
            return Err(DeltaError::Unchanged);
        }
        let mut units = self.units.clone();
        for row in &delta.units {
            match units.binary_search_by_key(&row.unit_id, |row| row.unit_id) {
                Ok(position) => units[position] = row.clone(),
                Err(position) => units.insert(position, row.clone()),
            }
        }
        let root = if delta.units.is_empty() { self.root } else { directory_root(self.suite, &units) };
        if root != seal.directory_root {
            return Err(DeltaError::Root { height: seal.height });
        }
        let credentials = proved_credentials(&delta.credentials, trust)?;
        for row in &delta.units {
            check_row(self.unit(row.unit()), row, &credentials)?;
        }
        let signers = checkpoint.signers.iter().map(|name| trust.agency(name).to_owned()).collect();
        let as_of = self.as_of.max(checkpoint.as_of);
        Ok(Self { suite: self.suite, units, height: seal.height, root, as_of, signers })
    }

    /// The unit with this number, if the directory has it.
    pub fn unit(&self, unit: UnitId) -> Option<&UnitRow> {
        let position = self.units.binary_search_by_key(&unit.get(), |row| row.unit_id).ok()?;
        self.units.get(position)
    }

    /// One row a unit, ascending by number.
    pub fn units(&self) -> &[UnitRow] {
        &self.units
    }

    /// The chain's suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The root over its rows.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Height of the block that it is as of.
    pub fn height(&self) -> Height {
        self.height
    }

    /// Of when it is.
    pub fn as_of(&self) -> PosixSeconds {
        self.as_of
    }

    /// The agencies of the quorum that says so; none if only the authorities' signatures do.
    pub fn signers(&self) -> &[String] {
        &self.signers
    }
}

/// The delta's seal, and the checkpoint that it is the last leaf of.
fn sealed(delta: &DirectoryDelta, trust: &TrustFile) -> Result<(Seal, TrustedCheckpoint), DeltaError> {
    let seal = Seal::decode(&delta.seal).map_err(|_| DeltaError::SealForm)?;
    let proof = TlogProof::parse_without_extra(delta.proof.as_bytes()).map_err(|_| DeltaError::SealForm)?;
    if seal.suite != trust.suite() {
        return Err(DeltaError::Suite);
    }
    let checkpoint = trust.verify_note(&proof.checkpoint).map_err(DeltaError::Checkpoint)?;
    let is_last = proof.index.get().checked_add(1) == Some(checkpoint.size.get());
    let leaf = leaf_hash(seal.suite, &Entry::Seal(seal.clone()).encode());
    let included =
        verify_inclusion(seal.suite, &leaf, proof.index, checkpoint.size, &proof.path, &checkpoint.root).is_ok();
    if !is_last || !included || seal.validator_set_hash != checkpoint.set_hash {
        return Err(DeltaError::SealPosition);
    }
    Ok((seal, checkpoint))
}

fn proved_credentials(list: &[Vec<u8>], trust: &TrustFile) -> Result<Vec<UnitCredential>, DeltaError> {
    let proved = |(position, bytes): (usize, &Vec<u8>)| {
        let signed = SignedCredential::decode(bytes).map_err(|_| DeltaError::Credential(position))?;
        let holds = signed.credential.suite == trust.suite() && signed.verify(trust.chain_id(), trust.authorities());
        if holds { Ok(signed.credential) } else { Err(DeltaError::Credential(position)) }
    };
    list.iter().enumerate().map(proved).collect()
}

/// That everything in a row but its endings stood there before, or is what a credential says.
fn check_row(before: Option<&UnitRow>, row: &UnitRow, credentials: &[UnitCredential]) -> Result<(), DeltaError> {
    let unit = row.unit();
    let same_code = before.is_none_or(|before| before.unit_code == row.unit_code);
    let keeps = |key: &DirectoryKey| row.key(KeyId::new(key.key_id)).is_some_and(|after| goes_on(key, after));
    if !same_code || !before.is_none_or(|before| before.keys.iter().all(keeps)) {
        return Err(DeltaError::Widened { unit });
    }
    let vouched = || credentials.iter().filter(|by| by.unit == unit && by.unit_code == row.unit_code);
    for key in row.keys.iter().filter(|key| before.is_none_or(|before| before.key(KeyId::new(key.key_id)).is_none())) {
        if !vouched().any(|by| is_of_key(by, key)) {
            return Err(DeltaError::KeyUnsigned { unit, key: KeyId::new(key.key_id) });
        }
    }
    // Without a key a unit signs nothing and has no credential; nobody has vouched for what its row said by then.
    if row.keys.is_empty() {
        return Ok(());
    }
    let before = before.filter(|before| !before.keys.is_empty());
    let stood = |name: &str| before.is_some_and(|before| names(before).any(|stood| stood == name));
    let name_is_signed = |name: &str| stood(name) || vouched().any(|by| by.unit_name == name);
    let area = &row.supervisor_area_code;
    let area_stood = before.is_some_and(|before| before.supervisor_area_code == *area);
    let area_is_signed = area_stood || vouched().any(|by| by.supervisor_area_code == *area);
    if area_is_signed && names(row).all(name_is_signed) { Ok(()) } else { Err(DeltaError::NameUnsigned { unit }) }
}

fn names(row: &UnitRow) -> impl Iterator<Item = &str> {
    row.former_names.iter().map(|former| former.unit_name.as_str()).chain([row.unit_name.as_str()])
}

/// Whether a key is what it was, but for a revocation that came or moved to an earlier time.
fn goes_on(before: &DirectoryKey, after: &DirectoryKey) -> bool {
    let revocation = match (before.revoked_from(), after.revoked_from()) {
        (None, _) => true,
        (Some(before), Some(after)) => after <= before,
        (Some(_), None) => false,
    };
    let unrevoked = |key: &DirectoryKey| DirectoryKey { revoked_from_ms: 0, ..key.clone() };
    revocation && unrevoked(before) == unrevoked(after)
}

fn is_of_key(credential: &UnitCredential, key: &DirectoryKey) -> bool {
    credential.signing_key.get() == key.key_id
        && credential.public_key.0.as_slice() == key.public_key
        && credential.valid_from.get() == key.valid_from_ms
        && credential.valid_until.map_or(0, |until| until.get()) == key.valid_until_ms
}
