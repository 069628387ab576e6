//! A lost journal and its recovery, without a network.

use std::path::Path;
use std::sync::Arc;

use receipt_core::block::Item;
use receipt_core::state::ChainParameters;
use receipt_core::suite::Suite;
use receipt_core::testkit::{TestChain, UTC_OFFSET_MINUTES};

use super::{identity, ledger_block};
use crate::backlog::Backlog;
use crate::config::beside;
use crate::flight::Flight;
use crate::follow::{Outcomes, OutcomesParts};
use crate::gate::Gate;
use crate::guard::stand_aside;
use crate::journal::{Durability, Journal};
use crate::metrics::IssuerMetrics;
use crate::recover::plan::governance_plan;
use crate::recover::{RecoverError, Recovery, Standing};
use crate::registry::Registry;
use crate::waiters::Waiters;

/// A copy of a journal in use, as a restored backup is: halted.
pub(crate) fn lose_and_restore(journal: &Journal, to: &Path) -> Journal {
    journal.copy_to(to).unwrap();
    let copy = Journal::open(to, journal.identity()).unwrap();
    let mut write = copy.write();
    write.put_halted("restored");
    write.commit(Durability::Synced).unwrap();
    copy
}

/// Begins to recover a halted journal.
pub(crate) fn begin(journal: &Arc<Journal>, chain: &TestChain) -> Result<Recovery, RecoverError> {
    let outcomes = Outcomes::new(OutcomesParts {
        journal: Arc::clone(journal),
        registry: Arc::new(Registry::open(journal).unwrap()),
        gate: Arc::new(Gate::new(journal.halted().unwrap())),
        backlog: Arc::new(Backlog::default()),
        flight: Arc::new(Flight::new().0),
        waiters: Arc::new(Waiters::default()),
        metrics: Arc::new(IssuerMetrics::register(&mut prometheus_client::registry::Registry::default())),
        chain: ChainParameters::of(chain.genesis()),
        utc_offset_minutes: UTC_OFFSET_MINUTES,
        recovering: true,
    });
    Recovery::begin(Arc::clone(journal), outcomes, UTC_OFFSET_MINUTES)
}

/// One run of `recover`.
pub(crate) fn run(journal: &Arc<Journal>, chain: &TestChain) -> (Recovery, Standing) {
    let mut recovery = begin(journal, chain).unwrap();
    for height in recovery.next_height()..=chain.height().get() {
        recovery.offer(&ledger_block(chain, height), chain.trust()).unwrap();
    }
    let path = beside(journal.path(), "guard");
    let guard = stand_aside(journal, &path).unwrap();
    let standing = recovery.finish(guard, &path).unwrap();
    (recovery, standing)
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
    let (_, standing) = run(&journal, chain);
    let Standing::AwaitsFence { epoch } = standing else { panic!("{standing:?}") };
    fence(&journal, chain, epoch);
    let (recovery, standing) = run(&journal, chain);
    assert!(matches!(standing, Standing::Recovered { epoch: new, .. } if new == epoch + 1), "{standing:?}");
    drop((recovery, journal));
    Journal::open(path, identity(chain)).unwrap()
}
