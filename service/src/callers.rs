//! Places that callers take while something of theirs is held in memory: so many in all, so many of one caller.
//!
//! The share of one caller keeps a single certificate, stolen or malicious, from taking what all others need. A caller
//! is who its certificate names, over all of its connections. What a place stands for is its maker's: a call, a stream, a connection, a
//! byte.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::identity::{PeerIdentity, Role};

/// Role and registry number; `None` for whoever came without a certificate (tests alone: the port asks for one).
type Caller = Option<(Role, u32)>;

/// An address, of IPv6 its first 64 bits: what one household or office is given. For callers without a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The one that an address is of.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
            ip => ip,
        })
    }

    /// The same as 16 bytes: an IPv4 address as IPv6 writes it.
    pub fn octets(self) -> [u8; 16] {
        match self.0 {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        }
    }
}

/// A number of places of which each holder, named by a key, has a share. Clones share them.
#[derive(Debug)]
pub struct Shares<K: Eq + Hash + Clone + Debug>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    in_all: usize,
    of_one: usize,
    taken: Mutex<Taken<K>>,
    /// Told when places are given back.
    given_back: Notify,
}

#[derive(Debug)]
struct Taken<K> {
    in_all: usize,
    /// Places in use by holder; who has none has no row.
    by_holder: HashMap<K, usize>,
}

/// One or more places of [`Shares`]; given back when dropped.
#[derive(Debug)]
pub struct Share<K: Eq + Hash + Clone + Debug> {
    shares: Shares<K>,
    holder: K,
    count: usize,
}

impl<K: Eq + Hash + Clone + Debug> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash + Clone + Debug> Shares<K> {
    /// `in_all` places, of which one holder has at most `of_one`.
    pub fn new(in_all: usize, of_one: usize) -> Self {
        let taken = Mutex::new(Taken { in_all: 0, by_holder: HashMap::new() });
        Self(Arc::new(Inner { in_all, of_one, taken, given_back: Notify::new() }))
    }

    /// So many places at once, or none.
    pub fn try_acquire(&self, holder: K, count: usize) -> Option<Share<K>> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.by_holder.get(&holder).copied().unwrap_or(0).checked_add(count)?;
        let in_all = taken.in_all.checked_add(count)?;
        if in_all > self.0.in_all || own > self.0.of_one {
            return None;
        }
        taken.in_all = in_all;
        if own > 0 {
            taken.by_holder.insert(holder.clone(), own);
        }
        Some(Share { shares: self.clone(), holder, count })
    }

    /// How many are in use.
    pub fn in_use(&self) -> usize {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).in_all
    }

    fn give_back(&self, holder: &K, count: usize) {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all = taken.in_all.saturating_sub(count);
        let own = taken.by_holder.remove(holder).unwrap_or(0).saturating_sub(count);
        if own > 0 {
            taken.by_holder.insert(holder.clone(), own);
        }
        drop(taken);
        self.0.given_back.notify_waiters();
    }
}

impl<K: Eq + Hash + Clone + Debug> Share<K> {
    /// Gives back all but so many.
    pub fn keep(&mut self, count: usize) {
        let more = self.count.saturating_sub(count);
        self.count -= more;
        self.shares.give_back(&self.holder, more);
    }
}

impl<K: Eq + Hash + Clone + Debug> Drop for Share<K> {
    fn drop(&mut self) {
        self.shares.give_back(&self.holder, self.count);
    }
}

/// Places of callers with certificates. Clones share them.
#[derive(Debug, Clone)]
pub struct Places(Shares<Caller>);

/// One or more of a caller's places; given back when dropped.
#[derive(Debug)]
pub struct Place(Share<Caller>);

impl Place {
    /// Gives back all but so many of them.
    pub fn keep(&mut self, count: usize) {
        self.0.keep(count);
    }
}

impl Places {
    /// `in_all` places, of which one caller holds at most `of_one`.
    pub fn new(in_all: usize, of_one: usize) -> Self {
        Self(Shares::new(in_all, of_one))
    }

    /// A place, if there is one for this caller.
    pub fn try_acquire(&self, caller: Option<&PeerIdentity>) -> Option<Place> {
        self.try_acquire_many(caller, 1)
    }

    /// So many places at once, or none.
    pub fn try_acquire_many(&self, caller: Option<&PeerIdentity>, count: usize) -> Option<Place> {
        self.0.try_acquire(caller.map(|caller| (caller.role, caller.id)), count).map(Place)
    }

    /// So many places at once, as soon as there are as many. Waits for ever if they are more than one caller may hold.
    pub async fn acquire_many(&self, caller: Option<&PeerIdentity>, count: usize) -> Place {
        loop {
            // Listen before trying, so that a place which is given back in between is not missed.
            let given_back = self.0.0.given_back.notified();
            if let Some(place) = self.try_acquire_many(caller, count) {
                return place;
            }
            given_back.await;
        }
    }

    /// How many are in use.
    pub fn in_use(&self) -> usize {
        self.0.in_use()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::identity;

    #[test]
    fn a_network_is_an_address_or_the_first_half_of_one() {
        let network = |text: &str| Network::of(text.parse().unwrap());
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("192.0.2.1").octets()[10..], [255, 255, 192, 0, 2, 1]);
    }

    #[test]
    fn one_caller_leaves_room_for_others_and_every_place_comes_back() {
        let places = Places::new(3, 2);
        let (first, second) = (identity(Role::Auditor, 1), identity(Role::Auditor, 2));
        let mut held = vec![places.try_acquire(Some(&first)).unwrap(), places.try_acquire(Some(&first)).unwrap()];
        assert!(places.try_acquire(Some(&first)).is_none(), "its share is used up");
        held.push(places.try_acquire(Some(&second)).unwrap());
        assert!(places.try_acquire(Some(&second)).is_none(), "all places are taken");
        assert_eq!(places.in_use(), 3);
        held.remove(0);
        assert!(places.try_acquire(Some(&first)).is_some());
        drop(held);
        assert_eq!(places.in_use(), 0);
        assert!(places.0.0.taken.lock().unwrap().by_holder.is_empty(), "nobody is remembered");
    }

    #[test]
    fn many_places_are_taken_at_once_or_not_at_all() {
        let places = Places::new(10, 6);
        let (first, second) = (identity(Role::System, 1), identity(Role::System, 2));
        let held = places.try_acquire_many(Some(&first), 5).unwrap();
        assert!(places.try_acquire_many(Some(&first), 2).is_none(), "above its share");
        assert!(places.try_acquire_many(Some(&second), 6).is_none(), "above all");
        assert!(places.try_acquire_many(Some(&second), usize::MAX).is_none());
        assert_eq!(places.in_use(), 5, "a refusal takes nothing");
        drop(places.try_acquire_many(Some(&second), 0).unwrap());
        drop(held);
        assert_eq!(places.in_use(), 0);
        assert!(places.0.0.taken.lock().unwrap().by_holder.is_empty(), "nobody is remembered");
    }

    #[tokio::test]
    async fn who_waits_gets_places_as_soon_as_they_are_given_back() {
        let places = Places::new(10, 6);
        let (first, second) = (identity(Role::System, 1), identity(Role::System, 2));
        let mut held = places.try_acquire_many(Some(&first), 6).unwrap();
        let mut waiting = Box::pin(places.acquire_many(Some(&first), 4));
        assert!(is_pending_now(&mut waiting).await, "above its share");
        drop(places.acquire_many(Some(&second), 4).await);
        assert!(is_pending_now(&mut waiting).await, "another's were given back");
        held.keep(2);
        let got = waiting.await;
        assert_eq!(places.in_use(), 6);
        drop((got, held));
        assert_eq!(places.in_use(), 0);
    }

    async fn is_pending_now<T>(waiting: &mut (impl Future<Output = T> + Unpin)) -> bool {
        std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *waiting).poll(cx).is_pending())).await
    }
}
