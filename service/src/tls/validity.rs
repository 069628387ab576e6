//! How long this process's own certificate is good, told at load, at reload and all the while: for the log, for readiness, for a
//! metric.
//!
//! A certificate that ends takes all connections with it, so it is warned of for weeks, and a reload never puts one that is not
//! valid in the place of one that is. A start with one that has ended goes on, because new files are taken as soon as they are
//! there, but it says so, and is not ready.
//!
//! Not here: what makes others refuse it at any time ([`super::standing`]); other processes' certificates, which the TLS library judges at
//! each handshake.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use receipt_core::ids::UnixMillis;
use rustls::pki_types::CertificateDer;
use x509_parser::parse_x509_certificate;

use crate::identity::IdentityError;

/// Days left of the own certificate, negative after its end: what a process registers and [`super::Tls::watch`] sets.
pub type DaysLeft = Gauge<f64, AtomicU64>;

/// From here on there is a WARN, anew at each of these and each day at the end. Days.
const WARNED_DAYS: [u64; 6] = [28, 21, 14, 7, 3, 1];
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// When a chain of certificates is valid: the latest begin to the earliest end of all in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    from: UnixMillis,
    until: UnixMillis,
}

impl Window {
    /// The time in which all of these are valid: the own certificate and those between it and the authority.
    pub(super) fn of(certificates: &[CertificateDer<'_>]) -> Result<Self, IdentityError> {
        let mut window = Self { from: UnixMillis::new(0), until: UnixMillis::new(u64::MAX) };
        for certificate in certificates {
            let (_, certificate) = parse_x509_certificate(certificate).map_err(|_| IdentityError::Certificate)?;
            let millis = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
            let validity = certificate.validity();
            let until = millis(validity.not_after.timestamp()).saturating_add(999);
            window.from = window.from.max(UnixMillis::new(millis(validity.not_before.timestamp())));
            window.until = window.until.min(UnixMillis::new(until));
        }
        Ok(window)
    }

    /// The first instant.
    pub(super) const fn from(self) -> UnixMillis {
        self.from
    }

    /// The last one.
    pub(super) const fn until(self) -> UnixMillis {
        self.until
    }

    /// The one that ends later.
    pub(super) fn later(self, other: Self) -> Self {
        if self.until < other.until { other } else { self }
    }

    pub(super) fn at(self, now: UnixMillis) -> Validity {
        if now < self.from {
            return Validity::NotYet { begins_in_ms: self.from.get() - now.get() };
        }
        match self.until.get().checked_sub(now.get()) {
            None => Validity::Ended { ended_before_ms: now.get() - self.until.get() },
            Some(left_ms) => Validity::Valid { left_ms },
        }
    }
}

/// A certificate's validity at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validity {
    /// It begins in so many milliseconds.
    NotYet {
        /// Milliseconds.
        begins_in_ms: u64,
    },
    /// So many milliseconds are left.
    Valid {
        /// Milliseconds.
        left_ms: u64,
    },
    /// It ended so many milliseconds ago.
    Ended {
        /// Milliseconds.
        ended_before_ms: u64,
    },
    /// Others refuse it, whatever its dates are.
    Refused {
        /// Why, for example that it `leads to none of the authorities in ca.pem`.
        problem: String,
    },
}

/// What was told last is told again when this changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// Fewer than so many days are left.
    Days(u64),
    OutOfTime,
    Refused,
}

impl Validity {
    /// Whether a peer would take it now.
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid { .. })
    }

    /// Days left; 0 before it begins and while others refuse it, negative after its end.
    pub fn days_left(&self) -> f64 {
        let days = |ms: u64| ms as f64 / DAY_MS as f64;
        match *self {
            Self::NotYet { .. } | Self::Refused { .. } => 0.0,
            Self::Valid { left_ms } => days(left_ms),
            Self::Ended { ended_before_ms } => -days(ended_before_ms),
        }
    }

    fn mark(&self) -> Option<Mark> {
        match *self {
            Self::NotYet { .. } | Self::Ended { .. } => Some(Mark::OutOfTime),
            Self::Refused { .. } => Some(Mark::Refused),
            Self::Valid { left_ms } => {
                WARNED_DAYS.into_iter().filter(|days| left_ms < days * DAY_MS).min().map(Mark::Days)
            }
        }
    }
}

/// For the log and `/readyz`: "ends in 12 d 3 h".
impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let long = |ms: u64| format!("{} d {} h", ms / DAY_MS, ms % DAY_MS / 3_600_000);
        match self {
            Self::NotYet { begins_in_ms } => write!(f, "is not valid yet: it begins in {}", long(*begins_in_ms)),
            Self::Valid { left_ms } => write!(f, "ends in {}", long(*left_ms)),
            Self::Ended { ended_before_ms } => write!(f, "ended {} ago", long(*ended_before_ms)),
            Self::Refused { problem } => f.write_str(problem),
        }
    }
}

/// What was said of a certificate, so that it is said once.
#[derive(Debug, Default)]
pub(super) struct Told(Option<Mark>);

impl Told {
    /// Whether something must be said now.
    pub(super) fn must_say(&mut self, validity: &Validity) -> bool {
        let before = std::mem::replace(&mut self.0, validity.mark());
        self.0.is_some() && self.0 != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_warned_of_for_weeks_once_at_each_mark() {
        let mut told = Told::default();
        let mut said = Vec::new();
        for hours_left in (0..40 * 24_u64).rev() {
            if told.must_say(&Validity::Valid { left_ms: hours_left * 3_600_000 }) {
                said.push(hours_left / 24 + 1);
            }
        }
        assert_eq!(said, WARNED_DAYS);
        assert!(told.must_say(&Validity::Ended { ended_before_ms: 1 }));
        assert!(!told.must_say(&Validity::Ended { ended_before_ms: 2 }));
        assert!(!told.must_say(&Validity::Valid { left_ms: 365 * DAY_MS }), "a new one");
        assert!(told.must_say(&Validity::NotYet { begins_in_ms: 1 }));
        let refused = Validity::Refused { problem: "leads to nobody".to_owned() };
        assert!(told.must_say(&refused) && !told.must_say(&refused));
        assert_eq!((refused.is_valid(), refused.days_left()), (false, 0.0));
    }

    #[test]
    fn the_window_is_judged_to_the_second() {
        let window = Window { from: UnixMillis::new(1_000), until: UnixMillis::new(2_999) };
        assert_eq!(window.at(UnixMillis::new(999)), Validity::NotYet { begins_in_ms: 1 });
        assert!(window.at(UnixMillis::new(1_000)).is_valid() && window.at(UnixMillis::new(2_999)).is_valid());
        assert_eq!(window.at(UnixMillis::new(3_000)), Validity::Ended { ended_before_ms: 1 });
        assert_eq!(Validity::Ended { ended_before_ms: 3 * DAY_MS }.days_left(), -3.0);
        assert_eq!(Validity::Valid { left_ms: DAY_MS / 2 }.days_left(), 0.5);
        assert_eq!(Validity::Ended { ended_before_ms: 3 * DAY_MS + 7_200_000 }.to_string(), "ended 3 d 2 h ago");
    }
}
