//! The first layer: the body is what the record commits to, the unit signed the record, authorities vouch for the unit.

use super::check::Judge;
use super::conclusion::{Conclusion, Doubt};
use super::differences::{Difference, differing_field, differing_unit_field};
use super::material::{Context, Seen};
use super::presented;
use super::sentences::CheckId;
use super::signed::Signed;
use super::value::{Parameters, Value};
use super::versions;
use crate::bundle::{Bundle, ReceiptFile};
use crate::credential::{SignedCredential, UnitCredential};
use crate::ids::{ReceiptCode, UnixMillis};
use crate::note::{Checkpoint, TlogProof};
use crate::receipt::disclosure::Body;
use crate::receipt::layout::from_values;
use crate::receipt::model::Receipt;
use crate::receipt::rules::{Catalogue, check_body};
use crate::record::{ReceiptRecord, SignedRecord};
use crate::suite::{ChainId, PublicKey, Suite};
use crate::trust::TrustFile;

/// Broken rules that are told one by one: thousands of detail lines can each break one.
const VIOLATIONS_TOLD_MAX: usize = 20;

/// What of this layer is left open: whether authorities later than those of the trust file vouch for the unit.
pub(super) struct LaterAuthorities(pub(super) String);

pub(super) fn check(
    context: &Context<'_>,
    judge: &mut Judge,
    seen: &mut Seen,
) -> Result<(SignedRecord, Option<LaterAuthorities>), Conclusion> {
    let (evidence, trust) = (context.file.evidence(), context.trust);
    if evidence.chain != trust.chain_id() {
        let proof = TlogProof::parse_without_extra(evidence.anchor.as_bytes()).ok();
        let checkpoint = proof.and_then(|proof| Checkpoint::parse(proof.checkpoint.text()).ok());
        let log = checkpoint.map(|checkpoint| checkpoint.origin().to_owned());
        return Err(other_chain(evidence.chain, log, trust, judge));
    }
    judge.pass(CheckId::Chain);
    let signed = read_record(evidence.record, judge)?;
    if let Some(format) = versions::unknown_in_signed(evidence.credential) {
        return Err(judge.doubt(CheckId::CredentialForm, Doubt::FormatUnknown, format));
    }
    let credential = judge.require_ok(CheckId::CredentialForm, SignedCredential::decode(evidence.credential))?;
    let later = check_signers(context, &credential, judge)?;
    let unit = &credential.credential;
    let vouched = check_signature(trust, &signed, unit, judge)?;
    if later.is_none() {
        seen.signed = Some(vouched);
    }
    let mut content = Seen::default();
    match context.file {
        ReceiptFile::Whole(bundle) => {
            content.receipt = Some(check_content(bundle, trust, &signed.record, unit, judge)?);
        }
        ReceiptFile::Part(presentation) => {
            content.presented = Some(presented::check(presentation, trust, &signed.record, unit, judge)?);
        }
    }
    check_issue_time(&signed.record, context.latest, judge)?;
    if later.is_none() {
        (seen.receipt, seen.presented) = (content.receipt, content.presented);
    }
    Ok((signed, later))
}

/// The signed record, if it is of a format and type that this program knows.
pub(super) fn read_record(record: &[u8], judge: &mut Judge) -> Result<SignedRecord, Conclusion> {
    if let Some(format) = versions::unknown_in_record(record) {
        return Err(judge.doubt(CheckId::RecordForm, Doubt::FormatUnknown, format));
    }
    judge.require_ok(CheckId::RecordForm, SignedRecord::decode(record))
}

/// That the unit's key covers the record and signed it, and what it signed.
pub(super) fn check_signature(
    trust: &TrustFile,
    signed: &SignedRecord,
    unit: &UnitCredential,
    judge: &mut Judge,
) -> Result<Signed, Conclusion> {
    let scope = scope_problem(&signed.record, unit, trust.suite());
    judge.require(CheckId::CredentialScope, scope.is_none(), scope.unwrap_or_default())?;
    let genuine = signed.verify(trust.chain_id(), &unit.public_key);
    judge.require(CheckId::RecordSignature, genuine, "the signature does not fit record, chain and key")?;
    Ok(Signed::of(&signed.record, unit, trust.utc_offset_minutes()))
}

/// That the record is not from the future.
pub(super) fn check_issue_time(
    record: &ReceiptRecord,
    latest: UnixMillis,
    judge: &mut Judge,
) -> Result<(), Conclusion> {
    let issued = record.issue_time;
    let parameters = || Parameters::of([("signed_seconds", Value::Seconds(issued.seconds()))]);
    judge.require_with(CheckId::IssueTime, issued <= latest, parameters, format_args!("issued at {issued}"))
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
    let leaf =
        TlogProof::parse_without_extra(context.file.evidence().anchor.as_bytes()).ok().map(|anchor| anchor.index);
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

/// Which chain a file is of, and which is asked about. The name of its log is the file's own word.
pub(super) fn other_chain(own: ChainId, log: Option<String>, trust: &TrustFile, judge: &mut Judge) -> Conclusion {
    let (known, name) = (trust.chain_id(), trust.chain_name());
    let parameters = Parameters::of([("chain", Value::Chain(own))])
        .and("log", log.map(Value::Text))
        .and("own_name", Some(Value::Text(name.to_owned())))
        .and("own_chain", Some(Value::Chain(known)));
    let doubt =
        judge.doubt_with(CheckId::Chain, Doubt::OtherChain, parameters, "it names another chain than the trust file");
    judge.particular(format!("it is of chain {}", own.0));
    judge.particular(format!("the trust file is of chain {}", known.0));
    doubt
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
    bundle: &Bundle,
    trust: &TrustFile,
    record: &ReceiptRecord,
    credential: &UnitCredential,
    judge: &mut Judge,
) -> Result<Receipt, Conclusion> {
    let counted = bundle.values.len() == record.disclosure_count as usize;
    let altered = |judge: &mut Judge, detail: String| {
        let field = altered_field(bundle, trust, record, credential).map(Value::Field);
        judge.fail_with(CheckId::BodyRoot, Parameters::NONE.and("field", field), detail)
    };
    if !counted {
        let detail = format!("{} values instead of {}", bundle.values.len(), record.disclosure_count);
        return Err(altered(judge, detail));
    }
    let body = match Body::of_values(trust.suite(), bundle.values.clone(), &bundle.seed) {
        Ok(body) if body.root() == record.body_root => body,
        Ok(_) => return Err(altered(judge, "the salted values lead to another root".to_owned())),
        Err(error) => return Err(altered(judge, error.to_string())),
    };
    judge.pass(CheckId::BodyRoot);
    let receipt = judge.require_ok(CheckId::BodyForm, body.receipt())?;
    let field = |name: &'static str| move || Parameters::of([("field", Value::Field(name))]);
    let differs = differing_field(&receipt, record, trust.utc_offset_minutes());
    let Difference { field: name, problem } = differs.unwrap_or_default();
    judge.require_with(CheckId::BodyRecord, differs.is_none(), field(name), problem)?;
    let differs = differing_unit_field(&receipt, credential);
    let name = differs.unwrap_or_default();
    judge.require_with(CheckId::BodyUnit, differs.is_none(), field(name), format_args!("{name} differs"))?;
    match check_body(&receipt, &AnyItem) {
        Ok(()) => judge.pass(CheckId::BodyRules),
        Err(violations) => {
            let mut rules: Vec<String> = violations.iter().map(|found| found.rule.to_string()).collect();
            rules.sort();
            rules.dedup();
            let parameters = Parameters::of([("rules", Value::Codes(rules))]);
            let mut details: Vec<String> =
                violations.iter().take(VIOLATIONS_TOLD_MAX).map(ToString::to_string).collect();
            if let Some(more) = violations.len().checked_sub(VIOLATIONS_TOLD_MAX).filter(|more| *more > 0) {
                details.push(format!("and {more} more"));
            }
            judge.warn(CheckId::BodyRules, parameters, details);
        }
    }
    Ok(receipt)
}

/// Which field of a content that is not what the unit signed says something else than the record or the credential, if one does: of all
/// others the record has nothing but the root.
fn altered_field(
    bundle: &Bundle,
    trust: &TrustFile,
    record: &ReceiptRecord,
    credential: &UnitCredential,
) -> Option<&'static str> {
    let receipt = from_values(&bundle.values).ok()?;
    let differs = differing_field(&receipt, record, trust.utc_offset_minutes());
    differs.map(|differs| differs.field).or_else(|| differing_unit_field(&receipt, credential))
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
