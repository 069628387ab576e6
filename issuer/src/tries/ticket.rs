//! A try's place in time, in the hands of whoever tries: the issuer keeps nothing of it.
//!
//! ```text
//! ticket   judged from u64, milliseconds ‖ first 16 bytes of SHA-256(domain, secret ‖ question [32] ‖ judged from u64)
//! bucket   first 2 bytes of SHA-256(domain, secret ‖ what is asked for)
//! ```
//! The question is a hash of the whole request, secret and source included, so a ticket is worth one judgement of one guess, which was counted
//! when it was given; used again, it is answered the same. Of those that were right it is remembered in memory that they were, so that each
//! is taken back once. The secret follows from the issuer's master key: a copy of the journal gives none.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use receipt_core::hash::{Hash, tagged};
use receipt_core::ids::UnixMillis;
use zeroize::Zeroizing;

use super::WAIT_MS_MAX;

/// For how long a ticket is good.
pub const GOOD_FOR_MS: u64 = 600_000;
/// The longest wait: that of a source's line.
const TICKET_WAIT_MS_MAX: u64 = if super::LINE_MS_MAX > WAIT_MS_MAX { super::LINE_MS_MAX } else { WAIT_MS_MAX };
const CHECK_BYTES: usize = 16;
/// Tickets of right tries that are remembered.
const USED_MAX: usize = 16_384;

/// What a ticket says of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is judged.
    Judged,
    /// Not yet: in so many milliseconds.
    Early(u64),
    /// It is none, or none any more.
    Void,
}

/// Gives out tickets and knows them again.
pub struct Tickets {
    secret: Zeroizing<[u8; 32]>,
    /// Those of right tries, with the end of their time.
    used: Mutex<BTreeMap<Vec<u8>, UnixMillis>>,
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tickets(…)")
    }
}

impl Tickets {
    /// Under a secret that follows from the master key.
    pub fn new(master: &[u8; 32]) -> Self {
        let secret = Zeroizing::new(tagged("tallystick/fetching-secret/v1", &[master]).0);
        Self { secret, used: Mutex::default() }
    }

    /// Into which bucket falls what is asked for.
    pub fn bucket(&self, target: &[u8]) -> u16 {
        let hash = tagged("tallystick/fetching-bucket/v1", &[&*self.secret, target]);
        u16::from_be_bytes([hash.0[0], hash.0[1]])
    }

    /// A ticket for this question.
    pub fn ticket(&self, question: &Hash, from: UnixMillis) -> Vec<u8> {
        [&from.get().to_be_bytes()[..], &self.check(question, from)].concat()
    }

    /// What a ticket is worth for this question.
    pub fn admission(&self, ticket: &[u8], question: &Hash, now: UnixMillis) -> Admission {
        let Some((from, check)) = ticket.split_first_chunk::<8>() else { return Admission::Void };
        let from = UnixMillis::new(u64::from_be_bytes(*from));
        let expected = self.check(question, from);
        let differs = check.iter().zip(&expected).fold(0, |differs, (one, other)| differs | (one ^ other));
        if check.len() != CHECK_BYTES || differs != 0 {
            return Admission::Void;
        }
        match from.since(now) {
            0 if now.since(from) <= GOOD_FOR_MS => Admission::Judged,
            0 => Admission::Void,
            early if early <= TICKET_WAIT_MS_MAX => Admission::Early(early),
            // The clock was set back since.
            _ => Admission::Void,
        }
    }

    /// Whether a ticket that is good now is used for the first time by somebody who is right. `false`, too, if there is no room to remember it.
    pub fn is_first_use(&self, ticket: &[u8], now: UnixMillis) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= USED_MAX {
            used.retain(|_, until| *until > now);
        }
        let is_first = used.len() < USED_MAX && !used.contains_key(ticket);
        if is_first {
            used.insert(ticket.to_vec(), now.plus_millis(GOOD_FOR_MS));
        }
        is_first
    }

    fn check(&self, question: &Hash, from: UnixMillis) -> [u8; CHECK_BYTES] {
        let hash = tagged("tallystick/fetching-ticket/v1", &[&*self.secret, &question.0, &from.get().to_be_bytes()]);
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&hash.0[..CHECK_BYTES]);
        check
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: UnixMillis = UnixMillis::new(1_000_000);

    #[test]
    fn a_ticket_is_good_for_its_question_from_its_time_on_and_not_for_ever() {
        let tickets = Tickets::new(&[5; 32]);
        let (question, other) = (Hash([1; 32]), Hash([2; 32]));
        let ticket = tickets.ticket(&question, SOON);
        let at = |millis: u64| tickets.admission(&ticket, &question, UnixMillis::new(millis));
        let rows = [
            (1_000_000, Admission::Judged),
            (999_999, Admission::Early(1)),
            (968_000, Admission::Early(32_000)),
            (1_600_000, Admission::Judged),
            (1_600_001, Admission::Void),
            // Set back by more than any wait.
            (699_999, Admission::Void),
        ];
        for (now, expected) in rows {
            assert_eq!(at(now), expected, "{now}");
        }
        assert_eq!(tickets.admission(&ticket, &other, SOON), Admission::Void, "another guess");
        assert_eq!(Tickets::new(&[6; 32]).admission(&ticket, &question, SOON), Admission::Void, "another issuer");
    }

    #[test]
    fn a_right_ticket_is_used_first_once_and_room_comes_back() {
        let tickets = Tickets::new(&[5; 32]);
        let ticket = |number: u64| tickets.ticket(&Hash([1; 32]), UnixMillis::new(number));
        assert!(tickets.is_first_use(&ticket(1), SOON));
        assert!(!tickets.is_first_use(&ticket(1), SOON));
        for number in 2..=16_384 {
            assert!(tickets.is_first_use(&ticket(number), SOON));
        }
        assert!(!tickets.is_first_use(&ticket(20_000), SOON), "no room");
        assert!(tickets.is_first_use(&ticket(20_000), SOON.plus_millis(GOOD_FOR_MS)), "they are void by now");
    }

    #[test]
    fn no_changed_byte_and_no_other_length_passes() {
        let tickets = Tickets::new(&[5; 32]);
        let question = Hash([1; 32]);
        let ticket = tickets.ticket(&question, SOON);
        for at in 0..ticket.len() {
            let mut bad = ticket.clone();
            bad[at] ^= 1;
            assert_eq!(tickets.admission(&bad, &question, SOON), Admission::Void, "byte {at}");
        }
        for length in 0..ticket.len() {
            assert_eq!(tickets.admission(&ticket[..length], &question, SOON), Admission::Void, "{length} bytes");
        }
        let long = [&ticket[..], &[0]].concat();
        assert_eq!(tickets.admission(&long, &question, SOON), Admission::Void);
    }

    #[test]
    fn buckets_follow_from_the_secret_and_are_spread() {
        let (one, other) = (Tickets::new(&[5; 32]), Tickets::new(&[6; 32]));
        let numbers: Vec<String> = (0..1_000).map(|number| format!("99060126{number:010}")).collect();
        let of = |tickets: &Tickets| numbers.iter().map(|number| tickets.bucket(number.as_bytes())).collect::<Vec<_>>();
        assert_eq!(of(&one), of(&one));
        assert_ne!(of(&one), of(&other));
        let distinct: std::collections::BTreeSet<u16> = of(&one).into_iter().collect();
        // 1,000 balls in 65,536 urns leave about 992 urns with something in them.
        assert!(distinct.len() > 970, "{}", distinct.len());
    }
}
