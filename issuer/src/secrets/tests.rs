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
    for (given, key, says) in [
        (SecretMarks { master: other, ..own }, "keys.master_key_file", "not the master key of this journal"),
        (SecretMarks { blinding: other, ..own }, "keys.blinding_secret_file", "a payment gets a second receipt"),
        (SecretMarks { blinding_epoch: 2, ..own }, "keys.blinding_epoch", "epoch 1, not in 2"),
    ] {
        let error = given.check(&journal).unwrap_err();
        assert_eq!(error.config_key(), Some(key));
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(matches!(check_master(&journal, other), Err(SecretsError::Master { .. })));
}
