use receipt_core::testkit::TestChain;
use tallystick_anchoring::guard::Mark;

use super::*;
use crate::testing::{TestIssuer, draft, init};

/// A receipt was acknowledged after the guard's task had looked for the last time, and another task failed or was aborted.
#[test]
fn the_guard_knows_all_that_was_acknowledged_though_the_drain_failed() {
    let failed = DrainError::Failed { name: "follower", source: "the disk failed".into() };
    let aborted = DrainError::Aborted { names: vec!["grpc"], deadline_ms: 20_000 };
    for (ran, said) in
        [(Ok(()), None), (Err(failed), Some("run: task follower failed")), (Err(aborted), Some("run: aborted"))]
    {
        let dir = scratch::Directory::new();
        let mut chain = TestChain::new();
        let mut issuer = TestIssuer::start(init(&dir.path().join("journal"), &chain), &chain, 1);
        let guard = Arc::new(Guard::create(&dir.path().join("guard"), issuer.journal.identity()).unwrap());
        issuer.issue_new(draft(&mut chain, "S01", "A"));
        let ended = end(ran, Some((Arc::clone(&guard), Arc::clone(&issuer.journal))));
        match (ended, said) {
            (Ok(()), None) => {}
            (Err(error), Some(said)) => assert!(format!("{error:#}").starts_with(said), "{error:#}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(guard.mark(), Mark { step: 1, next_sequence: 1 });
    }
}
