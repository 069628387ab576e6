//! The policy of a validator set: any one of its log keys, and its quorum of cosigner keys.

use super::text::TrustTextError;
use crate::note::{KeyKind, Policy, VerifierKey};
use crate::validators::ValidatorSet;

/// The C2SP policy by which checkpoints of `origin` are judged while this set counts.
pub fn policy_of(origin: &str, set: &ValidatorSet) -> Result<Policy, TrustTextError> {
    let key = |name: &str, kind, bytes| VerifierKey::new(name, kind, bytes).map_err(TrustTextError::Key);
    let mut logs = Vec::with_capacity(set.members().len());
    let mut cosigners = Vec::with_capacity(set.members().len());
    for member in set.members() {
        logs.push(key(origin, KeyKind::Log, member.log_key.0)?);
        cosigners.push(key(&member.cosigner_name(origin), KeyKind::Cosigner, member.cosigner_key.0)?);
    }
    Policy::threshold(&logs, &cosigners, set.quorum()).map_err(TrustTextError::Policy)
}
