use receipt_core::testkit::TestChain;

use super::*;
use crate::testing::{init, marks};

#[test]
fn only_its_own_secrets_take_a_journal() {
    let dir = scratch::Directory::new();
    let chain = TestChain::new();
    let journal = init(&dir.path().join("journal"), &chain);
    let own = marks(&chain);
    own.check(&journal).unwrap();
    check_master(&journal, own.master).unwrap();

    let other = Fingerprint([1; 16]);
    let (first, second) = (own.blinding[0], BlindingEpoch { epoch: 2, fingerprint: other });
    for (given, key, says) in [
        (SecretMarks { master: other, ..own.clone() }, "keys.master_key_file", "not the master key of this journal"),
        (
            SecretMarks { blinding: vec![BlindingEpoch { fingerprint: other, ..first }], ..own.clone() },
            "keys.blinding_secret_file",
            "a payment gets a second receipt",
        ),
        (
            SecretMarks { blinding: vec![BlindingEpoch { epoch: 2, ..first }], ..own.clone() },
            "keys.blinding_epoch",
            "for epoch 2 is that of epoch 1",
        ),
        (SecretMarks { blinding: vec![second], ..own.clone() }, "keys.former_blinding_secrets", "of epoch 1"),
    ] {
        let error = given.check(&journal).unwrap_err();
        assert_eq!(error.config_key(), Some(key));
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(matches!(check_master(&journal, other), Err(SecretsError::Master { .. })));
    // One that is to be registered in a block which this journal has not followed yet.
    SecretMarks { blinding: vec![first, second], ..own }.check(&journal).unwrap();
}
