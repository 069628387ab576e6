//! Signed notes and what the ledger says in them: checkpoints, cosignatures, trust policies, proof files.
//!
//! The C2SP formats unchanged (c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy, tlog-proof), so that
//! tools nobody here wrote can read them. All parsers are strict: what they take, they print back byte for byte.
//!
//! Verification is strict Ed25519 (RFC 8032, canonical S, no small-order points), unlike that of records and batch headers:
//! a note is judged by everybody's software, and never in batches.
//!
//! Not here: which tree a root belongs to (`merkle`), who the validators are, keeping and refusing signatures (the node's
//! guard), and any clock: times are compared by the caller.

mod checkpoint;
mod cosignature;
mod fork;
mod key;
mod key_id;
mod policy;
mod policy_text;
mod proof;
mod signature_line;
mod signed_note;
mod signing;
mod text;

#[cfg(test)]
mod tests;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::{PosixSeconds, cosignature_message};
pub use fork::{ForkEvidence, NotEvidence};
pub use key::{KeyError, VerifierKey};
pub use key_id::{KeyId, KeyKind};
pub use policy::{Assembled, Assembly, Cosigner, Endorsement, Evaluation, Policy, PolicyError};
pub use policy_text::PolicyTextError;
pub use proof::{TlogProof, TlogProofError};
pub use signature_line::SignatureLine;
pub use signed_note::{NoteError, SignedNote, Verified};
pub use signing::{SignError, cosign, sign};
