//! The directory of units, by which codes on paper are judged without a network: drafted from a node, read, signed apart, brought up to date.
//!
//! ```text
//! node ─▶ draft (rows, and the seal that proves them) ─▶ show · sign (authority 1) ─▶ … ─▶ merge ─▶ directory file
//! directory file, node, credentials ─▶ update ─▶ the same file with what has changed since
//! ```
//! All of these are one file format ([`DirectoryFile`]). A node's word is not believed: its rows have to give the root in a seal under a
//! quorum. Not here: what a directory is and which deltas are taken (`receipt_core::directory`), and who serves it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use receipt_core::credential::SignedCredential;
use receipt_core::directory::{
    Directory, DirectoryDelta, DirectoryFile, SignedDirectory, TrustedDirectory, UnitRow, directory_root,
};
use receipt_core::entry::Entry;
use receipt_core::hash::{Hash, sha256};
use receipt_core::ids::LeafIndex;
use receipt_core::note::{SignedNote, TlogProof};
use receipt_core::seal::Seal;
use receipt_core::suite::Signer;
use receipt_core::trust::TrustFile;
use tallystick_proto::ledger::v1::{GetCheckpointRequest, GetCheckpointResponse};
use tallystick_service::said::said;

use crate::chain::Chain;
use crate::nodes::{Node, Nodes, Unanswered};
use crate::registry::read_directory_rows;

mod changes;

pub use changes::changes;

/// How often a node is read anew whose registry is ahead of its newest seal.
const READS_MAX: usize = 20;

/// The rows of all units, and the seal and the proof of it that say so.
#[derive(Debug, Clone)]
pub struct SealedRows {
    /// The directory.
    pub directory: Directory,
    seal: Vec<u8>,
    proof: String,
}

impl SealedRows {
    /// A draft: the rows with nobody's signature, and what proves to each signer that they are the ledger's.
    pub fn draft(self, chain: &Chain) -> DirectoryFile {
        let fresh = self.delta(self.directory.root(), Vec::new(), Vec::new());
        DirectoryFile { signed: SignedDirectory::sign(self.directory, chain.id, &[]), deltas: vec![fresh.encode()] }
    }

    fn delta(&self, from_root: Hash, units: Vec<UnitRow>, credentials: Vec<Vec<u8>>) -> DirectoryDelta {
        let (seal, proof) = (self.seal.clone(), self.proof.clone());
        DirectoryDelta { suite: self.directory.suite, from_root, units, credentials, seal, proof }
    }

    /// What has changed since a directory, with those of the credentials that it takes.
    pub fn delta_since(&self, before: &TrustedDirectory, credentials: &[SignedCredential]) -> DirectoryDelta {
        let units: Vec<UnitRow> =
            self.directory.units.iter().filter(|row| before.unit(row.unit()) != Some(*row)).cloned().collect();
        let is_of_one = |signed: &&SignedCredential| units.iter().any(|row| row.unit() == signed.credential.unit);
        let taken = credentials.iter().filter(is_of_one).map(SignedCredential::encode).collect();
        self.delta(before.root(), units, taken)
    }
}

impl Nodes {
    /// The rows of all units from the first of the named nodes that proves them.
    pub async fn sealed_rows(&self, chain: &Chain, trust: &TrustFile) -> Result<SealedRows> {
        let mut problems = Vec::new();
        for node in self.all() {
            match read(node, chain, trust).await {
                Ok(rows) => return Ok(rows),
                Err(problem) => problems.push(format!("{}: {problem:#}", node.name)),
            }
        }
        Err(Unanswered(format!("no node gave a directory that its seal proves: {}", problems.join("; "))).into())
    }
}

async fn read(node: &Node, chain: &Chain, trust: &TrustFile) -> Result<SealedRows> {
    for _ in 0..READS_MAX {
        let units = read_directory_rows(node, chain).await?;
        let checkpoint = node.ledger().get_checkpoint(GetCheckpointRequest {}).await;
        let checkpoint = checkpoint.map_err(|status| anyhow!(said(&status)))?.into_inner();
        let (seal, proof) = proved(&checkpoint)?;
        if directory_root(seal.suite, &units) != seal.directory_root {
            // Governance was decided and is not sealed yet, or was sealed meanwhile.
            continue;
        }
        let directory = Directory { suite: seal.suite, height: seal.height, time: seal.time, units };
        let rows = SealedRows { directory, seal: seal.encode(), proof };
        // Whatever the node says of seal and checkpoint: this asks for the quorum.
        rows.clone().draft(chain).open_draft(trust)?;
        return Ok(rows);
    }
    bail!("its rows do not give the root in its newest seal: governance is under way, or it is damaged; ask again")
}

/// The seal of a node's newest checkpoint, and the proof file that it is the last leaf.
fn proved(checkpoint: &GetCheckpointResponse) -> Result<(Seal, String)> {
    let Entry::Seal(seal) = Entry::decode(&checkpoint.seal).context("its seal does not read")? else {
        bail!("its newest entry is no seal");
    };
    let path = checkpoint.seal_path.iter().map(|hash| Hash::from_slice(hash).context("its path has no hashes"));
    let path = path.collect::<Result<Vec<Hash>>>()?;
    let note = SignedNote::parse(checkpoint.checkpoint.as_bytes()).context("its checkpoint does not read")?;
    let index = LeafIndex::new(checkpoint.tree_size.checked_sub(1).context("its tree is empty")?);
    Ok((seal, TlogProof { extra: None, index, path, checkpoint: note }.to_string()))
}

/// What identifies the rows that are signed: the same on every copy, however many have signed.
pub fn digest(file: &DirectoryFile) -> Hash {
    sha256(&[&file.signed.directory_bytes])
}

/// Adds an authority's signature. Returns its number, from 1.
pub fn sign(file: &mut DirectoryFile, chain: &Chain, key: &dyn Signer) -> Result<usize> {
    let public = key.public_key();
    let position = chain.authorities.keys.iter().position(|known| *known == public);
    let position = position.with_context(|| {
        format!(
            "the key {} is no authority's of this chain now; if authorities changed, give `--trust`",
            hex::encode(public.0)
        )
    })?;
    ensure!(
        file.signed.signatures.iter().all(|(signer, _)| *signer != public),
        "authority {} has signed it already",
        position + 1
    );
    let signed = SignedDirectory::sign(file.signed.directory.clone(), chain.id, &[key]);
    ensure!(signed.directory_bytes == file.signed.directory_bytes, "the directory is not canonical");
    join(file, signed);
    Ok(position + 1)
}

/// Takes over the signatures of another copy.
pub fn merge(file: &mut DirectoryFile, other: DirectoryFile) -> Result<()> {
    let (own, given) = (digest(file), digest(&other));
    ensure!(own == given, "it is another directory ({given}) than the first file's ({own})");
    join(file, other.signed);
    Ok(())
}

fn join(file: &mut DirectoryFile, other: SignedDirectory) {
    let all = std::mem::take(&mut file.signed.signatures).into_iter().chain(other.signatures);
    file.signed.signatures = all.collect::<BTreeMap<_, _>>().into_iter().collect();
}

/// Who has signed, by the authorities in force; an error if a signature is not valid.
pub fn signers(file: &DirectoryFile, chain: &Chain) -> Result<Vec<usize>> {
    ensure!(
        file.signed.signatures_hold(chain.id),
        "a signature of it is not valid: it was changed after an authority signed it, or is of another chain"
    );
    let number = |key| chain.authorities.keys.iter().position(|known| known == key).map(|position| position + 1);
    Ok(file.signed.signatures.iter().filter_map(|(key, _)| number(key)).collect())
}

/// A count of signatures, as a line says it.
pub fn count(file: &DirectoryFile, chain: &Chain) -> Result<String> {
    let (signers, needed) = (signers(file, chain)?, chain.threshold());
    let enough = if signers.len() >= needed { "enough" } else { "more must sign" };
    Ok(format!("{} of {needed} signatures ({enough})", signers.len()))
}
