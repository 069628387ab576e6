//! An issuer of one's own: signs records and batches with the keys of a network's issuer, good ones and bad ones.
//!
//! For networks whose issuer process does not run: both would use the same sequences and numbers. The content of the
//! receipts does not exist; the ledger never sees it.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use receipt_core::batch::{BatchHeader, SignedBatchHeader};
use receipt_core::hash::{Hash, sha256};
use receipt_core::ids::{BatchSequence, Fen, IssuerId, KeyId, ReceiptKey, ReceiptNumber, UnitId, UnixMillis};
use receipt_core::merkle::InnerTree;
use receipt_core::record::{ReceiptRecord, SignedRecord};
use receipt_core::suite::{ChainId, SoftwareKey, Suite};
use tallystick_devnet::Network;
use tallystick_devnet::registry::{KIND_OUTPATIENT, Unit, key_id};
use tallystick_proto::ledger::v1::SubmitBatchRequest;
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_service::keyfile::{self, KeyKind, Passphrase};

/// Keys and numbers of one issuer.
pub struct Forge {
    /// The chain that it signs for.
    pub chain: ChainId,
    /// Its registry number.
    pub issuer_id: u32,
    /// Its own key.
    pub issuer_key: SoftwareKey,
    /// The unit whose receipts it makes.
    pub unit_id: u32,
    /// That unit's key at this issuer.
    pub unit_key: SoftwareKey,
    next: ReceiptKey,
}

impl Forge {
    /// With the keys that lie in the network's directory, for the out-patient receipts of its `hospital`-th load hospital
    /// (from 0).
    pub fn open(network: &Network, issuer_id: u32, hospital: usize) -> Result<Self> {
        let registry = network.registry();
        let unit = registry.load_hospitals().get(hospital).context("there are fewer load hospitals")?;
        let chain = hex_hash(&network.description().chain_id)?;
        let directory = network.layout().issuer(issuer_id).join("keys");
        let passphrase = Passphrase::from_file(&directory.join("passphrase"))?;
        let key = |name: &str| -> Result<SoftwareKey> {
            let seed = keyfile::open(&directory.join(name), &passphrase, KeyKind::Ed25519Seed)?;
            Ok(SoftwareKey::from_seed(&seed))
        };
        let next = ReceiptKey {
            code: registry.receipt_code(KIND_OUTPATIENT)?,
            number: ReceiptNumber::new(first_number(network, issuer_id, unit)?)?,
        };
        Ok(Self {
            chain: ChainId(chain),
            issuer_id,
            issuer_key: key("issuer.key")?,
            unit_id: unit.unit_id,
            unit_key: key(&format!("units/{}.key", key_id(issuer_id, unit.unit_id)))?,
            next,
        })
    }

    /// The next record, good under every rule of the ledger.
    pub fn record(&mut self) -> Result<ReceiptRecord> {
        let now = SystemClock.now();
        let number = self.next.number.get();
        let key = self.next;
        self.next.number = ReceiptNumber::new(number + 1)?;
        let root = sha256(&[&number.to_be_bytes(), &self.unit_id.to_be_bytes()]);
        let mut biz_key = [0; 16];
        biz_key.copy_from_slice(&root.as_bytes()[..16]);
        Ok(ReceiptRecord {
            suite: Suite::Ed25519Sha256,
            key,
            unit: UnitId::new(self.unit_id),
            total: Fen::new(2_500),
            issue_time: now,
            signing_key: KeyId::new(key_id(self.issuer_id, self.unit_id)),
            body_root: root,
            disclosure_count: 20,
            biz_key,
            key_epoch: 1,
            uniqueness_keys: Vec::new(),
            reverses: None,
            seal_by: now.plus_millis(600_000),
        })
    }

    /// Signs a record with the unit's key; its leaf.
    pub fn sign(&self, record: ReceiptRecord) -> Vec<u8> {
        SignedRecord::sign(record, self.chain, &self.unit_key).encode()
    }

    /// So many good leaves.
    pub fn leaves(&mut self, count: usize) -> Result<Vec<Vec<u8>>> {
        (0..count).map(|_| self.record().map(|record| self.sign(record))).collect()
    }

    /// The header that these leaves need under a sequence.
    pub fn header(&self, sequence: u64, leaves: &[Vec<u8>]) -> Result<BatchHeader> {
        let times = leaves.iter().filter_map(|leaf| Some(SignedRecord::decode(leaf).ok()?.record.issue_time));
        let times: Vec<UnixMillis> = times.collect();
        let now = SystemClock.now();
        Ok(BatchHeader {
            suite: Suite::Ed25519Sha256,
            issuer: IssuerId::new(self.issuer_id),
            epoch: 1,
            sequence: BatchSequence::new(sequence),
            count: u32::try_from(leaves.len())?,
            root: InnerTree::from_leaves(Suite::Ed25519Sha256, leaves).context("build the batch's tree")?.root(),
            first_issue_time: times.iter().min().copied().unwrap_or(now),
            last_issue_time: times.iter().max().copied().unwrap_or(now),
            signing_key: KeyId::new(key_id(self.issuer_id, 0)),
        })
    }

    /// Signs a header.
    pub fn sign_header(&self, header: BatchHeader) -> SignedBatchHeader {
        SignedBatchHeader::sign(header, self.chain, &self.issuer_key)
    }

    /// A genuine batch of these leaves.
    pub fn batch(&self, sequence: u64, leaves: &[Vec<u8>]) -> Result<SubmitBatchRequest> {
        Ok(request(&self.sign_header(self.header(sequence, leaves)?), leaves))
    }
}

/// A header with leaves, as sent.
pub fn request(header: &SignedBatchHeader, leaves: &[Vec<u8>]) -> SubmitBatchRequest {
    let records = leaves.iter().cloned().map(Bytes::from).collect();
    SubmitBatchRequest { signed_header: header.encode().into(), records }
}

/// Segments are handed out in the order of issuers, units and kinds; each of an equal number of numbers.
fn first_number(network: &Network, issuer_id: u32, wanted: &Unit) -> Result<u64> {
    let units = &network.registry().units;
    let with_kind: Vec<&Unit> = units.iter().filter(|unit| unit.kinds.contains_key(&KIND_OUTPATIENT)).collect();
    let position = with_kind.iter().position(|unit| unit.unit_id == wanted.unit_id);
    let position = position.context("the unit issues no out-patient receipts")?;
    let before = usize::try_from(issuer_id)?.checked_sub(1).context("issuers count from 1")? * with_kind.len();
    let numbers = tallystick_devnet::NetworkOptions::default().segment_numbers;
    Ok(u64::try_from(before + position)? * numbers + 1)
}

fn hex_hash(text: &str) -> Result<Hash> {
    let bytes = hex::decode(text).with_context(|| format!("{text} is no hash"))?;
    Hash::from_slice(&bytes).with_context(|| format!("{text} is no hash"))
}
