//! The first layer: the body is what the record commits to, the unit signed the record, authorities vouch for the unit.

use super::check::Judge;
use super::sentences::{CheckId, Doubt};
use super::{Conclusion, Context, versions};
use crate::credential::{SignedCredential, UnitCredential};
use crate::ids::ReceiptCode;
use crate::note::{Checkpoint, TlogProof};
use crate::receipt::civil::CivilDate;
use crate::receipt::disclosure::Body;
use crate::receipt::model::Receipt;
use crate::receipt::rules::{Catalogue, check_body};
use crate::record::{ReceiptRecord, SignedRecord};
use crate::suite::{PublicKey, Suite};

/// What of this layer is left open: whether authorities later than those of the trust file vouch for the unit.
pub(super) struct LaterAuthorities(pub(super) String);

pub(super) fn check(
    context: &Context<'_>,
    judge: &mut Judge,
) -> Result<(SignedRecord, Receipt, Option<LaterAuthorities>), Conclusion> {
    let (bundle, trust) = (context.bundle, context.trust);
    let chain = trust.chain_id();
    if bundle.chain != chain {
        return Err(judge.doubt(CheckId::Chain, Doubt::OtherChain, other_chain(context)));
    }
    judge.pass(CheckId::Chain);
    if let Some(format) = versions::unknown_in_record(&bundle.record) {
        return Err(judge.doubt(CheckId::RecordForm, Doubt::FormatUnknown, format));
    }
    let signed = judge.require_ok(CheckId::RecordForm, SignedRecord::decode(&bundle.record))?;
    if let Some(format) = versions::unknown_in_signed(&bundle.credential) {
        return Err(judge.doubt(CheckId::CredentialForm, Doubt::FormatUnknown, format));
    }
    let credential = judge.require_ok(CheckId::CredentialForm, SignedCredential::decode(&bundle.credential))?;
    let later = check_signers(context, &credential, judge)?;
    let scope = scope_problem(&signed.record, &credential.credential, trust.suite());
    judge.require(CheckId::CredentialScope, scope.is_none(), scope.unwrap_or_default())?;
    let genuine = signed.verify(chain, &credential.credential.public_key);
    judge.require(CheckId::RecordSignature, genuine, "the signature does not fit record, chain and key")?;
    let receipt = check_content(context, &signed.record, &credential.credential, judge)?;
    let issued = signed.record.issue_time;
    judge.require(CheckId::IssueTime, issued <= context.latest, format_args!("issued at {issued}"))?;
    Ok((signed, receipt, later))
}

/// Enough authorities have signed that were in force where the anchor says that the record stands; whether it stands there is the next
/// layer's to say. If too few have, the trust file may be older than a change of authorities: their number may have been lowered, some
/// may have left, others come. No retired key comes back, so every member of a later set is one of the newest set here or stands in no
/// set of the file. If one of these has signed, the check is left open and the layer is not passed; what does not hold in the checks
/// that follow makes the bundle invalid all the same.
fn check_signers(
    context: &Context<'_>,
    credential: &SignedCredential,
    judge: &mut Judge,
) -> Result<Option<LaterAuthorities>, Conclusion> {
    let (id, trust) = (CheckId::CredentialSignatures, context.trust);
    let leaf = TlogProof::parse_without_extra(context.bundle.anchor.as_bytes()).ok().map(|anchor| anchor.index);
    let authorities = leaf.map_or(trust.authorities(), |leaf| trust.authorities_at(leaf));
    let newest = trust.authority_sets().last();
    let is_newest = leaf.is_none_or(|leaf| newest.is_some_and(|newest| newest.first_leaf <= leaf));
    if !credential.signatures_hold(trust.chain_id()) {
        return Err(judge.fail(id, "a signature of it is not valid"));
    }
    if credential.is_signed_by_enough(authorities) {
        judge.pass(id);
        return Ok(None);
    }
    let may_be_later = |key: &PublicKey| authorities.has(key) || !trust.knows_authority(key);
    let signed = credential.signatures.iter().filter(|(key, _)| authorities.has(key)).count();
    let (count, needed) = (authorities.keys.len(), authorities.threshold);
    let detail = format!(
        "of the {count} authorities that the trust file has for its time {signed} signed it, and {needed} must"
    );
    if !(is_newest && credential.signatures.iter().any(|(key, _)| may_be_later(key))) {
        return Err(judge.fail(id, detail));
    }
    judge.leave_open(id, &detail);
    Ok(Some(LaterAuthorities(detail)))
}

/// Which chain the bundle is of, and which is asked about. The name of its log is the bundle's own word.
fn other_chain(context: &Context<'_>) -> String {
    let (bundle, trust) = (context.bundle, context.trust);
    let proof = TlogProof::parse_without_extra(bundle.anchor.as_bytes()).ok();
    let checkpoint = proof.and_then(|proof| Checkpoint::parse(proof.checkpoint.text()).ok());
    let log = checkpoint.map(|checkpoint| format!(" (log {:?} by its own word)", checkpoint.origin()));
    let (own, known) = (bundle.chain.0, trust.chain_id().0);
    let (log, name) = (log.unwrap_or_default(), trust.chain_name());
    format!("it is of the chain {own}{log}; the trust file is of {name}, {known}")
}

/// Why the credential does not cover the record.
fn scope_problem(record: &ReceiptRecord, credential: &UnitCredential, suite: Suite) -> Option<&'static str> {
    if credential.unit != record.unit {
        Some("it is another unit's")
    } else if credential.signing_key != record.signing_key {
        Some("it is of another key of the unit")
    } else if credential.suite != suite || record.suite != suite {
        Some("it or the record is of another suite than the chain")
    } else if !credential.covers(record.issue_time) {
        Some("the key was not valid at the time of issue")
    } else {
        None
    }
}

fn check_content(
    context: &Context<'_>,
    record: &ReceiptRecord,
    credential: &UnitCredential,
    judge: &mut Judge,
) -> Result<Receipt, Conclusion> {
    let (bundle, trust) = (context.bundle, context.trust);
    let counted = bundle.values.len() == record.disclosure_count as usize;
    if !counted {
        let detail = format!("{} values instead of {}", bundle.values.len(), record.disclosure_count);
        return Err(judge.fail(CheckId::BodyRoot, detail));
    }
    let body = match Body::of_values(trust.suite(), bundle.values.clone(), &bundle.seed) {
        Ok(body) if body.root() == record.body_root => body,
        Ok(_) => return Err(judge.fail(CheckId::BodyRoot, "the salted values lead to another root")),
        Err(error) => return Err(judge.fail(CheckId::BodyRoot, error)),
    };
    judge.pass(CheckId::BodyRoot);
    let receipt = judge.require_ok(CheckId::BodyForm, body.receipt())?;
    let differs = differing_field(&receipt, record, trust.utc_offset_minutes());
    judge.require(CheckId::BodyRecord, differs.is_none(), differs.unwrap_or_default())?;
    let (draft, issued) = (&receipt.draft, &receipt.issued);
    let same_unit = draft.unit_code == credential.unit_code
        && issued.unit_name == credential.unit_name
        && draft.supervisor_area_code == credential.supervisor_area_code;
    judge.require(CheckId::BodyUnit, same_unit, "unit_code, unit_name or supervisor_area_code differs")?;
    match check_body(&receipt, &AnyItem) {
        Ok(()) => judge.pass(CheckId::BodyRules),
        Err(violations) => judge.warn(CheckId::BodyRules, violations.iter().map(ToString::to_string).collect()),
    }
    Ok(receipt)
}

/// The first field of a content that says something else than its record, as a sentence; `None` if none does.
pub fn differing_field(receipt: &Receipt, record: &ReceiptRecord, utc_offset_minutes: i32) -> Option<&'static str> {
    let date = CivilDate::at(record.issue_time, utc_offset_minutes);
    let same = [
        ("receipt_code differs", receipt.draft.receipt_code == record.key.code),
        ("receipt_number differs", receipt.issued.receipt_number == record.key.number),
        ("total_amount differs", receipt.draft.total_amount == record.total),
        ("issue_time differs", receipt.issued.issue_time == record.issue_time),
        ("issue_date is not the day of issue_time", date.is_ok_and(|date| receipt.draft.issue_date == date)),
        ("the reversed original differs", receipt.draft.reversal_of() == record.reverses),
        ("a reversal is stated on one side only", receipt.draft.is_red() == record.reverses.is_some()),
    ];
    same.into_iter().find(|(_, same)| !same).map(|(problem, _)| problem)
}

/// Which items are attached to a unit stands in the registry, which a bundle does not carry.
struct AnyItem;

impl Catalogue for AnyItem {
    fn kind_is_registered(&self, _: ReceiptCode) -> bool {
        true
    }

    fn item_is_attached(&self, _: &str, _: ReceiptCode, _: &str) -> bool {
        true
    }
}
