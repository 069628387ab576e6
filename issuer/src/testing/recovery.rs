//! A lost journal and its recovery, without a network.

use std::path::Path;
use std::sync::Arc;

use receipt_core::block::Item;
use receipt_core::state::ChainParameters;
use receipt_core::suite::Suite;
use receipt_core::testkit::TestChain;

use tallystick_anchoring::guard::stand_aside;
use tallystick_anchoring::recover::{RecoverError, Recovery, RecoveryState};
pub(crate) use tallystick_anchoring::testkit::process::lose_and_restore;
use tallystick_service::rng::OsEntropy;

use super::{desk, identity, ledger_block};
use crate::config::beside;
use crate::journal::Journal;
use crate::recover::plan::governance_plan;
use crate::registry::Registry;

/// Begins to recover a halted journal.
pub(crate) fn begin(journal: &Arc<Journal>, chain: &TestChain) -> Result<Recovery, RecoverError> {
    let (desk, _, _) = desk(journal, &Arc::new(Registry::open(journal).unwrap()), chain);
    Recovery::begin(desk, ChainParameters::of(chain.genesis()))
}

/// One run of `recover`.
pub(crate) fn run(journal: &Arc<Journal>, chain: &TestChain) -> (Recovery, RecoveryState) {
    let mut recovery = begin(journal, chain).unwrap();
    for height in recovery.next_height()..=chain.height().get() {
        recovery.offer(&ledger_block(chain, height), chain.trust()).unwrap();
    }
    let path = beside(journal.path(), "guard");
    let guard = stand_aside(journal, &path).unwrap();
    let state = recovery.finish(guard, &path, &OsEntropy).unwrap();
    (recovery, state)
}

/// The governance that a journal asks for, decided.
pub(crate) fn fence(journal: &Journal, chain: &mut TestChain, epoch: u32) {
    for message in governance_plan(journal, Suite::Ed25519Sha256, epoch).unwrap() {
        let signed = chain.governance(message.actions.clone());
        assert_eq!(signed.governance.sequence, message.sequence);
        chain.add_items(vec![Item::Governance(signed)]).unwrap();
    }
}

/// Both runs, with the fence between them; the journal, opened anew.
pub(crate) fn recovered(journal: Journal, path: &Path, chain: &mut TestChain) -> Journal {
    let journal = Arc::new(journal);
    let (_, state) = run(&journal, chain);
    let RecoveryState::AwaitsFence { epoch } = state else { panic!("{state:?}") };
    fence(&journal, chain, epoch);
    let (recovery, state) = run(&journal, chain);
    assert!(matches!(state, RecoveryState::Recovered { epoch: new, .. } if new == epoch + 1), "{state:?}");
    drop((recovery, journal));
    Journal::open(path, identity(chain)).unwrap()
}
