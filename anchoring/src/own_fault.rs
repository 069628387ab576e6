//! What keeps this process from following the ledger, whatever node it asks: no node is to blame, and none can mend it. Told once in the log,
//! and in `/readyz` for as long as it lasts, in a part of its own.

use std::collections::BTreeSet;
use std::fmt;

use receipt_core::trust::OutOfTurn;
use tallystick_service::metrics::{Readiness, ReadyPart};

/// Why blocks under a quorum are not acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnFault {
    /// The trust file is of another history than the ledger.
    TrustFile(String),
    /// The log and this program disagree, or the log and what this journal has of the registry.
    Ledger(String),
}

impl OwnFault {
    /// Every node has a checkpoint that by the trust file is not its signers' to sign.
    pub(crate) fn of_turns(out_of_turn: OutOfTurn) -> Self {
        Self::TrustFile(format!("{out_of_turn}; if the file is right, their keys are in wrong hands"))
    }

    /// What is wrong and what to do, behind the name of what it is about.
    fn predicate(&self) -> String {
        match self {
            Self::TrustFile(problem) => format!(
                "contradicts the ledger: {problem}. Nothing is followed: compare its sets with those of another party's trust file, put the \
                 right one in place, and start the issuer again"
            ),
            Self::Ledger(problem) => format!(
                "has what cannot be followed here: {problem}. This program is older than the ledger's rules, or the registry in its journal \
                 is not what was written: run the newest version; if it is the newest, put a backup back by `restore`, and `recover`"
            ),
        }
    }
}

impl fmt::Display for OwnFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match self {
            Self::TrustFile(_) => "the trust file",
            Self::Ledger(_) => "the ledger",
        };
        write!(f, "{subject} {}", self.predicate())
    }
}

impl std::error::Error for OwnFault {}

/// Whether something of this process keeps the ledger from being followed, as `/readyz` shows it: parts `trust_file` and `ledger`.
#[derive(Debug)]
pub struct Standing {
    trust_file: ReadyPart,
    ledger: ReadyPart,
    told: Option<OwnFault>,
    /// Nodes with a checkpoint of a quorum out of its turn since blocks were followed.
    out_of_turn: BTreeSet<String>,
}

impl Standing {
    /// Nothing is known of a fault.
    pub fn new(readiness: &Readiness) -> Self {
        let (trust_file, ledger) = (readiness.part("trust_file"), readiness.part("ledger"));
        let standing = Self { trust_file, ledger, told: None, out_of_turn: BTreeSet::new() };
        standing.show();
        standing
    }

    /// Blocks were followed: what was told is over.
    pub(crate) fn is_sound(&mut self) {
        self.out_of_turn.clear();
        if self.told.take().is_some() {
            tracing::info!("the ledger is followed again");
            self.show();
        }
    }

    /// Said once in the log, however often it is met.
    pub(crate) fn has(&mut self, fault: OwnFault) {
        if self.told.as_ref().map(std::mem::discriminant) != Some(std::mem::discriminant(&fault)) {
            tracing::error!(%fault, "ALARM: the ledger is not followed, and no node can mend it");
        }
        self.told = Some(fault);
        self.show();
    }

    /// A node has a checkpoint of a quorum out of its turn. Of one node that may be a theft of keys; if all said it since blocks were followed,
    /// the trust file is wrong. One that is asked again and again is one.
    pub(crate) fn out_of_turn(&mut self, node: &str, out_of_turn: OutOfTurn, nodes: usize) {
        let is_new = self.out_of_turn.insert(node.to_owned());
        let fault = OwnFault::of_turns(out_of_turn);
        if self.out_of_turn.len() >= nodes {
            self.has(fault);
        } else if is_new {
            tracing::error!(node, %fault, "a node has a checkpoint of validators whose turn it is not");
        }
    }

    fn show(&self) {
        self.trust_file.ready();
        self.ledger.ready();
        match &self.told {
            None => {}
            Some(fault @ OwnFault::TrustFile(_)) => self.trust_file.not_ready(fault.predicate()),
            Some(fault @ OwnFault::Ledger(_)) => self.ledger.not_ready(fault.predicate()),
        }
    }
}

#[cfg(test)]
mod tests {
    use receipt_core::ids::TreeSize;

    use super::*;

    #[test]
    fn one_node_that_says_it_again_and_again_is_no_proof_against_the_trust_file() {
        let readiness = Readiness::new();
        let mut standing = Standing::new(&readiness);
        let out_of_turn = OutOfTurn { size: TreeSize::new(9), first_size: TreeSize::new(1), last_size: None };
        for _ in 0..5 {
            standing.out_of_turn("a", out_of_turn, 2);
            assert!(readiness.is_ready(), "{readiness}");
        }
        standing.out_of_turn("b", out_of_turn, 2);
        assert!(readiness.to_string().starts_with("trust_file contradicts the ledger"), "{readiness}");
        standing.is_sound();
        assert!(readiness.is_ready());
        standing.out_of_turn("b", out_of_turn, 2);
        assert!(readiness.is_ready(), "{readiness}");
    }
}
