//! The chain behind all vectors: seven blocks, with a reversal, a refused batch, governance, a change of validators and one of authorities.

use receipt_core::block::Item;
use receipt_core::governance::{Action, RegisterKind};
use receipt_core::testkit::{TestChain, TestReceipt, TestValidator};

/// The chain and what was issued on it.
pub(crate) struct Scene {
    pub(crate) chain: TestChain,
    /// The five records of block 1, in leaf order. The second is reversed.
    pub(crate) blues: Vec<TestReceipt>,
    /// The red record of block 2.
    pub(crate) red: TestReceipt,
}

impl Scene {
    /// Block 1: five blue receipts. 2: a red one and a blue one. 3: governance. 4: a refused batch. 5 and 6: new validators
    /// are named. 7: the first block of theirs, in which one of three authorities is replaced.
    pub(crate) fn new() -> Self {
        let mut chain = TestChain::new();
        let blues: Vec<TestReceipt> = ["S02", "S01", "S05", "S06", "S08"].iter().map(|id| chain.issue(id)).collect();
        chain.add_block(&blues);
        let red = chain.reverse(&blues[1]);
        let other = chain.issue("S03");
        chain.add_block(&[red.clone(), other]);
        let kind = Action::RegisterKind(RegisterKind::named(990_188, "试验票据"));
        let governance = chain.governance(vec![kind]);
        chain.add_items(vec![Item::Governance(governance)]).unwrap();
        let good = chain.issue("S04");
        let batch = chain.batch(vec![good.record, blues[0].record.clone()]);
        chain.add_items(vec![Item::Batch(batch)]).unwrap();
        chain.rotate_validators((21..=24).map(TestValidator::new).collect());
        chain.replace_authorities(&["authority-0", "authority-1", "authority-7"]);
        Self { chain, blues, red }
    }
}
