use receipt_core::state::EpochState;
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
    ] {
        let error = given.check(&journal).unwrap_err();
        assert_eq!(error.config_key(), Some(key));
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(matches!(check_master(&journal, other), Err(SecretsError::Master { .. })));
    // One that is to be registered in a block which this journal has not followed yet; and the first one is withdrawn there, perhaps.
    SecretMarks { blinding: vec![first, second], ..own.clone() }.check(&journal).unwrap();
    SecretMarks { blinding: vec![second], ..own }.check(&journal).unwrap();
}

/// What is left out of a registered epoch's config is refused at once; a withdrawn epoch lets the issuer start, and anchor what it has issued.
#[test]
fn only_what_cannot_come_right_by_itself_ends_a_start() {
    let secret = |epoch: u32| BlindingEpoch { epoch, fingerprint: Fingerprint([u8::try_from(epoch).unwrap(); 16]) };
    let registered = |states: &[EpochState]| -> Vec<RegisteredEpoch> {
        (1..).zip(states).map(|(epoch, state)| RegisteredEpoch { secret: secret(epoch), state: *state }).collect()
    };
    let held = |epochs: &[u32]| -> Vec<BlindingEpoch> { epochs.iter().map(|epoch| secret(*epoch)).collect() };
    let (named, unused, withdrawn) = (EpochState::Named, EpochState::Unused, EpochState::Withdrawn);
    let error = check_blinding(&held(&[2]), &registered(&[named, unused])).unwrap_err();
    assert_eq!(error.config_key(), Some("keys.former_blinding_secrets"));
    assert!(error.to_string().contains("of epoch 1"), "{error}");
    for (held, registered) in [
        (held(&[1, 2]), registered(&[named, withdrawn])),
        (held(&[1]), registered(&[withdrawn])),
        (held(&[2]), registered(&[unused])),
    ] {
        check_blinding(&held, &registered).unwrap();
        assert!(judge(&held, &registered).is_err(), "and nothing is issued");
    }
}
