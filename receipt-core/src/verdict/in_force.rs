//! The third layer: seal → status root → what the status map says of the record, as of the quorum's time.

use super::anchored::{is_after, quorum};
use super::check::Judge;
use super::conclusion::{Conclusion, Doubt};
use super::material::{AsOf, DateSource, Proofs, Seen};
use super::sentences::CheckId;
use super::value::{Parameters, Value};
use super::versions;
use crate::entry::Entry;
use crate::hash::Hash;
use crate::ids::LeafIndex;
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::note::TlogProof;
use crate::record::status_key;
use crate::seal::Seal;
use crate::state::{Status, StatusValue, status_value_hash, stored_value_hash, unknown_status_kind};
use crate::status::StatusProof;

pub(super) fn check(
    proofs: &Proofs<'_>,
    header_index: LeafIndex,
    judge: &mut Judge,
    seen: &mut Seen,
) -> Result<Conclusion, Conclusion> {
    let (part, trust) = (proofs.status, proofs.trust);
    if let Some(format) = versions::unknown_in_message(&part.seal) {
        return Err(judge.doubt(CheckId::SealForm, Doubt::FormatUnknown, format));
    }
    let seal = Seal::decode(&part.seal).map_err(|error| judge.fail(CheckId::SealForm, error))?;
    let suite = trust.suite();
    if seal.suite != suite {
        return Err(judge.fail(CheckId::SealForm, "it is of another suite than the chain"));
    }
    let proof = judge.require_ok(CheckId::SealForm, TlogProof::parse_without_extra(part.proof.as_bytes()))?;
    let checkpoint = quorum(CheckId::SealQuorum, proofs, &proof.checkpoint, judge)?;
    let newer = checkpoint.size.get() > header_index.get();
    judge.require(CheckId::SealNewer, newer, format_args!("the tree has {} leaves", checkpoint.size))?;
    let last = proof.index.get().checked_add(1) == Some(checkpoint.size.get());
    if !last {
        return Err(judge.fail(CheckId::SealPosition, format_args!("it claims the index {}", proof.index)));
    }
    let entry = leaf_hash(suite, &Entry::Seal(seal.clone()).encode());
    let included = verify_inclusion(suite, &entry, proof.index, checkpoint.size, &proof.path, &checkpoint.root);
    judge.require_ok(CheckId::SealPosition, included)?;
    let own_set = seal.validator_set_hash == checkpoint.set_hash;
    judge.require(CheckId::SealSet, own_set, format_args!("it names {}", seal.validator_set_hash))?;
    let timely = !is_after(checkpoint.as_of, proofs.latest) && seal.time <= proofs.latest;
    let times = format_args!("sealed at {}, cosigned at {}", seal.time, checkpoint.as_of);
    let later = seal.time.seconds().max(checkpoint.as_of.get());
    let parameters = || Parameters::of([("signed_seconds", Value::Seconds(later))]);
    judge.require_with(CheckId::SealTime, timely, parameters, times)?;

    let key = status_key(suite, proofs.record);
    if let Some((kind, value)) = part.value.as_deref().and_then(|value| Some((unknown_status_kind(value)?, value))) {
        // Anybody can write another number: only what the ledger does state is left open.
        let value_hash = stored_value_hash(suite, value);
        return Err(match stands_in_map(&seal, &key, &part.map, Some(&value_hash)) {
            Ok(()) => judge.doubt(CheckId::StatusProof, Doubt::StatusUnknown, format_args!("its kind is {kind}")),
            Err(problem) => judge.fail(CheckId::StatusProof, problem),
        });
    }
    let status =
        judge.require_ok(CheckId::StatusProof, proved_status(&seal, &key, &part.map, part.value.as_deref()))?;
    let as_of = checkpoint.as_of;
    seen.signers = checkpoint.signers.iter().map(|name| trust.agency(name).to_owned()).collect();
    seen.as_of = Some(AsOf { time: as_of, source: DateSource::Checkpoint });
    Ok(match status {
        None => Conclusion::InForce { as_of },
        Some(Status::Reversed { by }) => Conclusion::Reversed { by, as_of },
    })
}

/// What the map under the seal's status root has at the key: the stated value (salt ‖ status), or, if none is stated, nothing.
/// An error is a sentence: the proof `map` does not show it.
pub fn proved_status(seal: &Seal, key: &Hash, map: &[u8], value: Option<&[u8]>) -> Result<Option<Status>, String> {
    let value = value.map(StatusValue::decode).transpose().map_err(|_| "the status does not read".to_owned())?;
    let value_hash = value.as_ref().map(|value| status_value_hash(seal.suite, value));
    stands_in_map(seal, key, map, value_hash.as_ref())?;
    Ok(value.map(|value| value.status))
}

/// That the map under the seal's status root has exactly this at the key.
fn stands_in_map(seal: &Seal, key: &Hash, map: &[u8], value_hash: Option<&Hash>) -> Result<(), String> {
    let proof = StatusProof::decode(map).map_err(|error| error.to_string())?;
    let value = value_hash.map(|hash| hash.as_bytes().as_slice());
    proof.verify(seal.suite, &seal.status_root, key, value).map_err(|error| error.to_string())
}
