//! The blinding secrets that this issuer holds: that of its epoch, and those of all epochs before, which stay in use.
//!
//! ```text
//! a payment's keys in a record:   under the secret of each held epoch
//! a biz code's key:               under that of the issuer's own epoch alone
//! ```
//! So a payment meets its receipt whichever of the two issuers has changed its secret first, and however old the receipt is. Which secret an
//! epoch has is the ledger's to say: [`judge`].
//!
//! In an epoch that the ledger withdrew nothing is issued, and nobody needs its secret: what was issued in it before the withdrawal was known
//! has its payments under the keys of the epochs before, too. Where there were none the secret stays among the former ones.

use receipt_core::blind::{BlindingSecret, PaymentReference, UniquenessKey};
use receipt_core::fingerprint::Fingerprint;
use receipt_core::ids::UnitId;
use receipt_core::state::{BlindingEpoch, RegisteredEpoch};
use tallystick_proto::errors::{CallReason, Refusal};

/// All secrets held.
#[derive(Debug, Clone)]
pub struct Blinding {
    current: BlindingSecret,
    /// Newest first.
    former: Vec<BlindingSecret>,
    /// Ascending.
    epochs: Vec<BlindingEpoch>,
}

impl Blinding {
    /// Of the issuer's own epoch, and of earlier ones.
    pub fn new(current: BlindingSecret, mut former: Vec<BlindingSecret>) -> Self {
        former.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.epoch()));
        let held = former.iter().rev().chain([&current]);
        let epoch =
            |held: &BlindingSecret| BlindingEpoch { epoch: held.epoch(), fingerprint: Fingerprint::of_blinding(held) };
        let epochs = held.map(epoch).collect();
        Self { current, former, epochs }
    }

    /// The issuer's own epoch.
    pub fn epoch(&self) -> u32 {
        self.current.epoch()
    }

    /// Which secrets are held, ascending by epoch; the issuer's own is the last.
    pub fn epochs(&self) -> &[BlindingEpoch] {
        &self.epochs
    }

    /// The keys of what was paid, under the secret of each epoch, the newest first.
    pub fn uniqueness_keys<'a>(&'a self, reference: PaymentReference<'a>) -> impl Iterator<Item = UniquenessKey> + 'a {
        self.all().map(move |secret| secret.uniqueness_key(reference))
    }

    /// The key of a unit's biz code in a new record.
    pub fn biz_key(&self, unit: UnitId, biz_code: &str) -> [u8; 16] {
        self.current.biz_key(unit, biz_code)
    }

    /// The keys of a unit's biz code in records of any epoch, the newest first.
    pub fn biz_keys<'a>(&'a self, unit: UnitId, biz_code: &'a str) -> impl Iterator<Item = [u8; 16]> + 'a {
        self.all().map(move |secret| secret.biz_key(unit, biz_code))
    }

    fn all(&self) -> impl Iterator<Item = &BlindingSecret> {
        std::iter::once(&self.current).chain(&self.former)
    }
}

/// Why nothing is issued with these secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlindingFault {
    /// Another secret than the epoch's.
    #[error(
        "it is not the blinding secret of epoch {epoch} (its fingerprint is {held}, that on the ledger is {registered}): under \
         another one a payment gets a second receipt. Put the right file back; all issuers of a chain share one secret. If the wrong \
         fingerprint was registered, have the epoch withdrawn (docs/ops/keys.md)"
    )]
    Other {
        /// The epoch that the config names.
        epoch: u32,
        /// Of the config's secret.
        held: Fingerprint,
        /// Of that epoch's.
        registered: Fingerprint,
    },
    /// The secret of another epoch than the config says.
    #[error(
        "the blinding secret that the config names for epoch {epoch} is that of epoch {registered} on the ledger (fingerprint \
         {held}): put the right number or the right file back (docs/ops/keys.md)"
    )]
    OtherEpoch {
        /// The epoch that the config names.
        epoch: u32,
        /// The epoch whose secret it is.
        registered: u32,
        /// Its fingerprint.
        held: Fingerprint,
    },
    /// Payments of an earlier epoch would not be known again.
    #[error(
        "the blinding secret of epoch {epoch} (fingerprint {registered}) is missing: a payment that was receipted under it would get a \
         second receipt. Name it under `keys.former_blinding_secrets` (docs/ops/keys.md)"
    )]
    Missing {
        /// The epoch.
        epoch: u32,
        /// Of its secret.
        registered: Fingerprint,
    },
    /// The ledger withdrew the issuer's own epoch.
    #[error(
        "blinding epoch {epoch} was withdrawn on the ledger, and nothing is issued in it: go back to the epoch before, or on to the next \
         one (docs/ops/keys.md)"
    )]
    Withdrawn {
        /// The epoch that the config names.
        epoch: u32,
    },
    /// The ledger does not know the epoch, or not yet.
    #[error(
        "the blinding secret of epoch {epoch} (fingerprint {held}) is not registered on the ledger, so nothing shows that other issuers \
         hold the same one: have the authorities register it (`register_blinding`), or go back to the epoch before \
         (docs/ops/keys.md)"
    )]
    Unregistered {
        /// The epoch that the config names.
        epoch: u32,
        /// Of the config's secret.
        held: Fingerprint,
    },
}

impl BlindingFault {
    /// What a caller is told: files and commands are the operator's, in the log and at `/readyz`.
    pub fn refusal(self) -> Refusal {
        let message = "this issuer's secrets are not the ledger's, and it issues nothing until its operator has put them in order; \
                       try another issuer of the unit, or later";
        Refusal::new(CallReason::NotReady).with_message(message).with_retry_after_ms(60_000)
    }
}

/// Whether payments are known again with the held secrets, of which the last is the issuer's own, by what is registered on the ledger. An
/// issuer may stay behind the newest epoch: whoever has gone ahead lists the keys of the older ones, too.
pub fn judge(held: &[BlindingEpoch], registered: &[RegisteredEpoch]) -> Result<(), BlindingFault> {
    let of_epoch = |epoch: u32| registered.iter().find(|known| known.secret.epoch == epoch);
    let own = held.last().map_or(0, |own| own.epoch);
    if of_epoch(own).is_some_and(RegisteredEpoch::is_withdrawn) {
        return Err(BlindingFault::Withdrawn { epoch: own });
    }
    for BlindingEpoch { epoch, fingerprint } in held.iter().copied() {
        match registered.iter().map(|known| known.secret).find(|known| known.fingerprint == fingerprint) {
            Some(known) if known.epoch == epoch => continue,
            Some(known) => {
                return Err(BlindingFault::OtherEpoch { epoch, registered: known.epoch, held: fingerprint });
            }
            None => {}
        }
        if let Some(known) = of_epoch(epoch) {
            return Err(BlindingFault::Other { epoch, held: fingerprint, registered: known.secret.fingerprint });
        }
    }
    let is_held = |epoch: u32| held.iter().any(|one| one.epoch == epoch);
    let mut needed = registered.iter().filter(|known| !known.is_withdrawn()).map(|known| known.secret);
    if let Some(missing) = needed.find(|secret| secret.epoch < own && !is_held(secret.epoch)) {
        return Err(BlindingFault::Missing { epoch: missing.epoch, registered: missing.fingerprint });
    }
    match held.iter().find(|one| of_epoch(one.epoch).is_none()) {
        Some(one) => Err(BlindingFault::Unregistered { epoch: one.epoch, held: one.fingerprint }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use receipt_core::state::EpochState::{self, Named, Unused, Withdrawn};

    use super::*;

    type Epochs = &'static [(u32, u8)];
    type Registered = &'static [(u32, u8, EpochState)];

    fn secret((epoch, byte): (u32, u8)) -> BlindingEpoch {
        BlindingEpoch { epoch, fingerprint: Fingerprint([byte; 16]) }
    }

    fn held(pairs: Epochs) -> Vec<BlindingEpoch> {
        pairs.iter().copied().map(secret).collect()
    }

    fn registered(epochs: &[(u32, u8, EpochState)]) -> Vec<RegisteredEpoch> {
        let epoch = |(epoch, byte, state): &(u32, u8, EpochState)| RegisteredEpoch {
            secret: secret((*epoch, *byte)),
            state: *state,
        };
        epochs.iter().map(epoch).collect()
    }

    #[test]
    fn the_held_secrets_are_those_of_the_ledger() {
        let mark = |byte| Fingerprint([byte; 16]);
        let missing = |epoch, byte| Err(BlindingFault::Missing { epoch, registered: mark(byte) });
        let unregistered = |epoch, byte| Err(BlindingFault::Unregistered { epoch, held: mark(byte) });
        let rows: [(Epochs, Epochs, Result<(), BlindingFault>); 11] = [
            (&[(1, 1)], &[(1, 1)], Ok(())),
            // Others are ahead.
            (&[(1, 1)], &[(1, 1), (2, 2)], Ok(())),
            (&[(1, 1), (2, 2)], &[(1, 1), (2, 2)], Ok(())),
            (&[(1, 9)], &[(1, 1)], Err(BlindingFault::Other { epoch: 1, held: mark(9), registered: mark(1) })),
            (
                &[(1, 9), (2, 2)],
                &[(1, 1), (2, 2)],
                Err(BlindingFault::Other { epoch: 1, held: mark(9), registered: mark(1) }),
            ),
            (&[(2, 1)], &[(1, 1)], Err(BlindingFault::OtherEpoch { epoch: 2, registered: 1, held: mark(1) })),
            (
                &[(1, 2), (2, 1)],
                &[(1, 1), (2, 2)],
                Err(BlindingFault::OtherEpoch { epoch: 1, registered: 2, held: mark(2) }),
            ),
            (&[(2, 2)], &[(1, 1), (2, 2)], missing(1, 1)),
            (&[(2, 2)], &[(1, 1)], missing(1, 1)),
            (&[(1, 1), (2, 2)], &[(1, 1)], unregistered(2, 2)),
            (&[(1, 1)], &[], unregistered(1, 1)),
        ];
        for (own, on_ledger, expected) in rows {
            for state in [Unused, Named] {
                let on_ledger: Vec<_> = on_ledger.iter().map(|(epoch, byte)| (*epoch, *byte, state)).collect();
                assert_eq!(judge(&held(own), &registered(&on_ledger)), expected, "{own:?} {on_ledger:?}");
            }
        }
    }

    /// One row for what an issuer holds, its own epoch last, against epochs of which some were withdrawn.
    #[test]
    fn nothing_is_issued_in_a_withdrawn_epoch_and_nobody_needs_its_secret() {
        const FIRST: Registered = &[(1, 1, Withdrawn), (2, 2, Unused)];
        const SECOND: Registered = &[(1, 1, Named), (2, 2, Withdrawn)];
        const THIRD: Registered = &[(1, 1, Named), (2, 2, Withdrawn), (3, 3, Unused)];
        let withdrawn = |epoch| Err(BlindingFault::Withdrawn { epoch });
        let missing = Err(BlindingFault::Missing { epoch: 1, registered: Fingerprint([1; 16]) });
        let moved = Err(BlindingFault::OtherEpoch { epoch: 2, registered: 3, held: Fingerprint([3; 16]) });
        let rows: [(Epochs, Registered, Result<(), BlindingFault>); 10] = [
            (&[(1, 1), (2, 2)], SECOND, withdrawn(2)),
            // Registered with a typing error: the file is another one than the ledger says, and that does not matter any more.
            (&[(1, 1), (2, 9)], SECOND, withdrawn(2)),
            (&[(1, 1)], FIRST, withdrawn(1)),
            // Back to the epoch before.
            (&[(1, 1)], SECOND, Ok(())),
            // On to the next one, the withdrawn one's secret kept or not.
            (&[(1, 1), (3, 3)], THIRD, Ok(())),
            (&[(1, 1), (2, 2), (3, 3)], THIRD, Ok(())),
            (&[(2, 2)], FIRST, Ok(())),
            (&[(1, 1), (2, 2)], FIRST, Ok(())),
            (&[(2, 2), (3, 3)], THIRD, missing),
            // The right secret under the number that was withdrawn, now registered under the next one.
            (&[(1, 1), (2, 3), (3, 4)], THIRD, moved),
        ];
        for (own, on_ledger, expected) in rows {
            assert_eq!(judge(&held(own), &registered(on_ledger)), expected, "{own:?} {on_ledger:?}");
        }
    }
}
