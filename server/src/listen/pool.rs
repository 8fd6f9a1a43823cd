//! The connections of a listener, or of several that share one bound, and who leaves when there is no room.
//!
//! A server that only counts its connections is closed by whoever opens that many and says nothing. Here a new one is
//! always let in while another does nothing for us: the one that was of use longest ago goes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::ConnectionLimits;

/// Time in which a connection must be of some use before it has to go for another one.
const GRACE: Duration = Duration::from_secs(1);

/// How often it is looked again whether somebody may be asked to leave.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Bytes of a body that are of use, as an answered request is: a sender that trickles is not.
pub(super) const USEFUL_BYTES: u64 = 16 << 10;

/// How often it is logged that there is no room.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// Connections that share one bound. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: ConnectionLimits,
    since: Instant,
    table: Mutex<Table>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    members: HashMap<u64, Member>,
    by_address: HashMap<IpAddr, usize>,
    told: Option<Instant>,
}

#[derive(Debug)]
struct Member {
    address: IpAddr,
    usage: Arc<Usage>,
    leave: CancellationToken,
}

/// What a connection does for us.
#[derive(Debug)]
pub(super) struct Usage {
    since: Instant,
    /// Requests from head to answer.
    requests: AtomicUsize,
    /// Those of them whose bodies are still to come.
    awaited: AtomicUsize,
    /// When it was last of use: milliseconds after `since`.
    useful_ms: AtomicU64,
}

/// A connection's place, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pool: Pool,
    number: u64,
    pub(super) usage: Arc<Usage>,
    /// Cancelled when it must make room, and when nobody is to be served any more.
    pub(super) leave: CancellationToken,
}

enum Admission {
    Taken(Place),
    /// Its address has its share, and uses all of it.
    Refused,
    Full,
}

impl Pool {
    pub(crate) fn new(limits: ConnectionLimits) -> Pool {
        Pool {
            shared: Arc::new(Shared {
                limits,
                since: Instant::now(),
                table: Mutex::default(),
                freed: Notify::new(),
            }),
        }
    }

    pub(super) fn limits(&self) -> &ConnectionLimits {
        &self.shared.limits
    }

    /// A place for a connection from `address`, until `stop`; waits while all others are being served. `None` when its
    /// address has its share of the places already.
    pub(super) async fn admit(&self, address: IpAddr, stop: &CancellationToken) -> Option<Place> {
        loop {
            let freed = self.shared.freed.notified();
            match self.try_admit(address.to_canonical(), stop) {
                Admission::Taken(place) => return Some(place),
                Admission::Refused => return None,
                // Passing time makes room as well.
                Admission::Full => drop(timeout(LOOK_AGAIN, freed).await),
            }
        }
    }

    /// Asks the connection that was of use longest ago to leave, whatever it is doing now.
    pub(super) fn shed_one(&self) {
        self.table().evict(|_| true);
    }

    fn try_admit(&self, address: IpAddr, stop: &CancellationToken) -> Admission {
        let now = Instant::now();
        let limits = &self.shared.limits;
        let mut table = self.table();
        let own = table.by_address.get(&address).copied().unwrap_or_default();
        if own >= limits.per_address {
            table.tell(now, "one address has all the connections it may have");
            let room = table.evict(|member| member.address == address && member.usage.may_go(now));
            return if room {
                Admission::Full
            } else {
                Admission::Refused
            };
        }
        if table.members.len() >= limits.connections {
            table.tell(now, "there are as many connections as there may be");
            table.evict(|member| member.usage.may_go(now));
            return Admission::Full;
        }
        Admission::Taken(self.place(&mut table, address, stop.child_token()))
    }

    fn place(&self, table: &mut Table, address: IpAddr, leave: CancellationToken) -> Place {
        let usage = Arc::new(Usage {
            since: self.shared.since,
            requests: AtomicUsize::new(0),
            awaited: AtomicUsize::new(0),
            useful_ms: AtomicU64::new(0),
        });
        usage.was_useful();
        let number = table.next;
        table.next += 1;
        *table.by_address.entry(address).or_default() += 1;
        let member = Member {
            address,
            usage: Arc::clone(&usage),
            leave: leave.clone(),
        };
        table.members.insert(number, member);
        Place {
            pool: self.clone(),
            number,
            usage,
            leave,
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        let table = self.shared.table.lock();
        table.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.table().remove(self.number);
        self.pool.shared.freed.notify_one();
    }
}

impl Table {
    /// Has the one that was of use longest ago leave, of those that `may` go; whether there is one, which may be
    /// leaving already. Its place is free when its socket is closed.
    fn evict(&mut self, may: impl Fn(&Member) -> bool) -> bool {
        let candidates = self.members.iter().filter(|(_, member)| may(member));
        let stalest = candidates.min_by_key(|(number, member)| {
            let staying = !member.leave.is_cancelled();
            (staying, member.usage.useful_ms(), **number)
        });
        if let Some((_, member)) = stalest {
            member.leave.cancel();
        }
        stalest.is_some()
    }

    fn remove(&mut self, number: u64) {
        let Some(member) = self.members.remove(&number) else {
            return;
        };
        if let Some(count) = self.by_address.get_mut(&member.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&member.address);
            }
        }
    }

    fn tell(&mut self, now: Instant, what: &'static str) {
        if self.told.is_none_or(|told| now >= told + TELL_EVERY) {
            self.told = Some(now);
            let connections = self.members.len();
            tracing::warn!(connections, "{what}: those that do least are closed");
        }
    }
}

impl Usage {
    /// An answered request, or a good part of a body.
    pub(super) fn was_useful(&self) {
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.useful_ms.store(ms, Ordering::Relaxed);
    }

    pub(super) fn request_began(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn request_ended(&self) {
        self.requests.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests from head to answer.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn body_is_awaited(&self) {
        self.awaited.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn body_ended(&self) {
        self.awaited.fetch_sub(1, Ordering::Relaxed);
    }

    fn useful_ms(&self) -> u64 {
        self.useful_ms.load(Ordering::Relaxed)
    }

    /// We owe it nothing, and it was of no use for a while.
    fn may_go(&self, now: Instant) -> bool {
        let being_served = self.requests() > self.awaited.load(Ordering::Relaxed);
        let useful = self.since + Duration::from_millis(self.useful_ms());
        !being_served && now >= useful + GRACE
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::task::JoinSet;

    use super::*;

    fn pool(connections: usize, per_address: usize) -> Pool {
        Pool::new(ConnectionLimits {
            connections,
            per_address,
            ..ConnectionLimits::default()
        })
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    async fn pass(time: Duration) {
        tokio::time::advance(time).await;
    }

    /// A connection that leaves when it is asked to.
    async fn connect(pool: &Pool, last: u8) -> Option<(Arc<Usage>, CancellationToken)> {
        let place = pool.admit(address(last), &CancellationToken::new()).await?;
        let (usage, left) = (Arc::clone(&place.usage), place.leave.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { place.leave.cancelled().await });
        tasks.detach_all();
        Some((usage, left))
    }

    #[tokio::test(start_paused = true)]
    async fn when_it_is_full_the_one_that_did_nothing_for_longest_goes() {
        let pool = pool(3, 3);
        let mut places = Vec::new();
        for last in 1..4 {
            places.push(connect(&pool, last).await.unwrap());
            pass(GRACE).await;
        }
        places[0].0.was_useful();
        places[1].0.request_began();
        pass(GRACE).await;
        connect(&pool, 4).await.unwrap();
        let left = places.iter().map(|(_, left)| left.is_cancelled());
        assert_eq!(left.collect::<Vec<_>>(), [false, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_served_stays_and_the_next_waits_for_it() {
        let pool = pool(1, 2);
        let (usage, left) = connect(&pool, 1).await.unwrap();
        usage.request_began();
        pass(GRACE * 60).await;
        let (second, ()) = tokio::join!(connect(&pool, 2), async {
            pass(GRACE).await;
            assert!(!left.is_cancelled());
            usage.body_is_awaited();
        });
        assert!(left.is_cancelled(), "now it is us who wait");
        assert!(second.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_when_its_socket_is_closed() {
        let pool = pool(1, 2);
        let stop = CancellationToken::new();
        let first = pool.admit(address(1), &stop).await.unwrap();
        pass(GRACE * 2).await;
        let next = timeout(GRACE, pool.admit(address(2), &stop)).await;
        assert!(next.is_err(), "it was asked to leave and has not left");
        assert!(first.leave.is_cancelled());
        drop(first);
        assert!(pool.admit(address(2), &stop).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_share_and_no_more() {
        let pool = pool(10, 2);
        let (_, left) = connect(&pool, 1).await.unwrap();
        let mapped = Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped();
        let stop = CancellationToken::new();
        let second = pool.admit(IpAddr::V6(mapped), &stop).await.unwrap();
        assert!(connect(&pool, 1).await.is_none(), "both are new");
        assert!(connect(&pool, 2).await.is_some());
        pass(GRACE).await;
        second.usage.was_useful();
        assert!(connect(&pool, 1).await.is_some());
        assert!(left.is_cancelled());
        assert!(!second.leave.is_cancelled());
    }
}
