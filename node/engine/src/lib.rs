//! The seam between the ledger node and its BFT engine: a small API without generics.
//!
//! This is the only crate that names the engine (Malachite, of the Tendermint family). The node implements
//! [`Application`] (what to propose, what is valid, what a decision does) and [`ConsensusSigner`] (how to sign, behind a
//! guard against double signing), calls [`start`], and learns the rest from the calls it gets. All the engine's generics
//! are instantiated here, in a crate that rarely changes, so that the node compiles in seconds.
//!
//! What it is not: it knows no blocks, no entries and no storage. A block is opaque bytes with a 32-byte [`BlockId`].
//!
//! Invariants:
//! - Nothing is signed except through [`ConsensusSigner`], and every preimage names its kind and the chain (`preimage`).
//! - The application's calls come one at a time, in one task; the engine waits for each answer.
//! - A closed engine, a refused signature, a damaged write-ahead log and an application error end the engine:
//!   [`EngineHandle::join`] returns the reason, nothing more is signed, and the process exits. Only after a refusal that says
//!   `conflict` may it start another engine instead, one that does not vote.
//! - What was said before a restart binds through the signer, which needs nothing of the engine's log.
//! - No bytes from the network cause a panic or unbounded memory (`codec`, `network`, `streaming`).
//!
//! Map:
//! - `application`, `types`: the contract with the node; `signing`: the signer's; `certificate`: what a decision proves.
//! - `context`, `scheme`, `adapter`, `codec` (of the fields in `wire`): what the engine's generic slots are filled with.
//! - `network`: what nodes say to each other, over links that the node provides; `streaming`: cutting blocks into parts
//!   (`proposal_part`) and putting them together again.
//! - `app_loop`: the conversation with the engine; `intake` bounds what is judged, `hold` says when an idle chain rests.
//! - `block_support`: which prevotes and timely blocks were seen, for the signer; `evidence`: a double signature as a file.
//! - `config` (with `limits`), `boot`, `parts`, `wal`, `error`: starting, ending, the write-ahead log, and what can fail; `quiet`: what the
//!   engine says that is not so here.

mod adapter;
mod app_loop;
mod application;
mod block_support;
mod boot;
#[cfg(feature = "byzantine")]
mod byzantine;
mod certificate;
mod codec;
mod config;
mod context;
mod error;
mod evidence;
mod hold;
mod intake;
mod limits;
mod network;
mod parts;
mod preimage;
mod proposal_part;
mod quiet;
mod scheme;
mod signing;
mod streaming;
mod types;
mod wal;
mod wire;

pub use application::Application;
pub use boot::{EngineControl, EngineHandle, Starting, start};
pub use certificate::{Certificate, CertificateError, DecidedValue, SIGNATURES_MAX};
pub use config::EngineConfig;
pub use error::EngineError;
pub use evidence::{DOUBLE_SIGN_BYTES_MAX, DoubleSign, DoubleSignError};
pub use limits::{PART_OVERHEAD_BYTES, answer_bytes_max, fetched_bytes_max, heard_bytes_max, said_bytes_max};
pub use network::{
    EARLY_BYTES_MAX, FRAME_BYTES_MAX, Fetch, FetchError, Incoming, LinkError, LinkKeys, Network, NetworkConfig,
    Outgoing, Session,
};
pub use preimage::{
    LINK, PRECOMMIT, PREVOTE, PROPOSAL, STREAM, StreamFields, VoteSlot, link, precommit, prevote, proposal, stream,
};
pub use quiet::misleads;
pub use signing::{ConsensusSigner, SignRefused, SignRequest, SignResponse};
pub use streaming::CHUNK_BYTES;
pub use types::{
    BlockId, Equivocation, Fatal, HeightSet, KnownProposal, MEMBERS_MAX, Member, MemberId, OwnProposal,
    ReceivedProposal, SetError, SignedStatement, StartHeight, SyncVerdict, SyncedBlock, Timeouts, VOTING_POWER_MAX,
    Verdict,
};
pub use wal::{LogContents, LogFault, LogState, LoggedStatement, StatementKind, examine_log};
pub use wire::CodecError;

#[cfg(feature = "byzantine")]
pub use config::Byzantine;

/// Log directives that leave out what the engine says of each step of each height, and its warnings of votes and certificates that do not
/// hold: one faulty validator can send as many of those as its link carries.
pub const QUIET_DIRECTIVES: &str = "arc_malachitebft=warn,arc_malachitebft_core_consensus=error";
