//! A bound on calls per second of one address, for the public door: a token bucket (GCRA) each.
//!
//! An address is an IPv4 address or an IPv6 /64, which is what one customer gets. Addresses fall into a fixed number of
//! buckets by a hash that nobody outside knows, so the table has a bound, whoever calls; two addresses of one bucket share it.
//! Behind a proxy all callers are one address: the bound is then the proxy's business, and this one to be set high.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use tallystick_service::http::ClientAddress;

use crate::config::PublicConfig;

/// Buckets: some 64 bytes each.
const BUCKETS: u64 = 8192;

type Buckets<C> = RateLimiter<u64, HashMapStateStore<u64>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Limits calls per client address.
pub(crate) struct CallLimit<C: Clock = DefaultClock> {
    buckets: Buckets<C>,
    hasher: RandomState,
    clock: C,
}

impl CallLimit {
    /// A limit with the configured rate and burst.
    pub(crate) fn new(config: &PublicConfig) -> Self {
        Self::with_clock(config.calls_per_second, config.calls_burst, DefaultClock::default())
    }
}

impl<C: Clock + Clone> CallLimit<C> {
    fn with_clock(calls_per_second: NonZeroU32, calls_burst: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_second(calls_per_second).allow_burst(calls_burst);
        Self { buckets: RateLimiter::hashmap_with_clock(quota, clock.clone()), hasher: RandomState::new(), clock }
    }

    /// Counts a call; an error is the whole seconds until the next one may come, at least one.
    fn check(&self, address: IpAddr) -> Result<(), u64> {
        let bucket = self.hasher.hash_one(network(address)) % BUCKETS;
        self.buckets.check_key(&bucket).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
        })
    }
}

/// What counts as one caller.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

/// Answers 429 with Retry-After to whoever calls too often.
pub(crate) async fn limit_calls(State(limit): State<Arc<CallLimit>>, request: Request, next: Next) -> Response {
    // The server gives the address of every client. Without one, clients would share a bucket.
    let address = request.extensions().get::<ClientAddress>().map_or(Ipv6Addr::UNSPECIFIED.into(), |client| client.0);
    match limit.check(address) {
        Ok(()) => next.run(request).await,
        Err(seconds) => {
            let headers = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, headers).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limit(calls_per_second: u32, calls_burst: u32) -> CallLimit<FakeRelativeClock> {
        let figure = |value| NonZeroU32::new(value).unwrap();
        CallLimit::with_clock(figure(calls_per_second), figure(calls_burst), FakeRelativeClock::default())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_then_so_many_a_second() {
        let limit = limit(2, 3);
        let caller = address("192.0.2.1");
        let calls = |count: usize| (0..count).filter(|_| limit.check(caller).is_ok()).count();
        assert_eq!(calls(10), 3);
        assert_eq!(limit.check(caller), Err(1));
        limit.clock.advance(Duration::from_millis(499));
        assert_eq!(calls(10), 0);
        limit.clock.advance(Duration::from_millis(1));
        assert_eq!(calls(10), 1);
        limit.clock.advance(Duration::from_secs(1));
        assert_eq!(calls(10), 2);
        limit.clock.advance(Duration::from_secs(3600));
        assert_eq!(calls(10), 3, "rest saves up no more than a burst");
    }

    #[test]
    fn long_waits_are_told_in_whole_seconds() {
        let quota = Quota::with_period(Duration::from_millis(2500)).unwrap();
        let clock = FakeRelativeClock::default();
        let buckets = RateLimiter::hashmap_with_clock(quota, clock.clone());
        let limit = CallLimit { buckets, hasher: RandomState::new(), clock };
        assert_eq!(limit.check(address("192.0.2.1")), Ok(()));
        assert_eq!(limit.check(address("192.0.2.1")), Err(3));
    }

    #[test]
    fn an_address_is_what_one_customer_has() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            assert_eq!(network(address(one)) == network(address(other)), same, "{one} {other}");
        }
    }

    #[test]
    fn the_table_has_a_bound() {
        let limit = limit(1, 1);
        for number in 0..10 * u32::try_from(BUCKETS).unwrap() {
            let _ = limit.check(IpAddr::V4(number.into()));
        }
        assert!(limit.buckets.len() as u64 <= BUCKETS);
    }
}
