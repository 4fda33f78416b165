//! Slows down guessing. Two counters: failures are kept in the database, so that a restart forgets nothing; and a limiter in memory
//! bounds how fast one address may post to the way in at all.
//!
//! An account is never closed to everybody: the right password from another address still works. What an account is tried from many
//! addresses changes is how much each of them may try.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::person::Email;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use store::{
    StoreError, Tx,
    tries::{self, Count, Subject, Window},
};

use crate::{PageError, auth::address::client_group, visit::Visit};

/// Failures from one address on one account within a quarter of an hour.
const PER_ACCOUNT: i32 = 10;
/// Failures from one address on any accounts within a quarter of an hour. A clinic may share one address.
const PER_ADDRESS: i32 = 60;
/// Failures on one account from anywhere within six hours, after which it is taken to be under attack.
const UNDER_ATTACK: i32 = 100;
/// Failures from one address on an account under attack, within six hours.
const WHILE_ATTACKED: i32 = 3;
/// Links to a new password that an address is sent within a quarter of an hour.
const RESETS: i32 = 3;
/// Links to new passwords that may be asked for from one address within a quarter of an hour.
const RESETS_FROM: i32 = 30;
/// Posts to the way in at once, and one more every second.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(39);
/// After how many posts the limiter forgets who has been quiet again.
const SWEEP: u32 = 4096;
/// What is told to nobody is done within this time, as a rule: writing it down takes longer for an account that is there.
const EVEN: Duration = Duration::from_millis(25);

/// The limiter in memory.
#[derive(Clone)]
pub struct Throttle(Arc<Gate<DefaultClock>>);

impl Default for Throttle {
    fn default() -> Self {
        Self(Arc::new(Gate::new(DefaultClock::default())))
    }
}

impl Throttle {
    /// Lets a post to the way in pass, or says how long to wait. Requests of unknown address (tests) pass.
    ///
    /// # Errors
    /// [`PageError::TooMany`].
    pub fn check(&self, visit: &Visit) -> Result<(), PageError> {
        visit.address().map_or(Ok(()), |address| self.0.pass(address))
    }
}

/// What lets posts of an address pass, by a clock.
struct Gate<C: Clock> {
    limiter: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    posts: AtomicU32,
}

impl<C: Clock + Clone> Gate<C> {
    fn new(clock: C) -> Self {
        let quota = Quota::per_second(NonZeroU32::MIN).allow_burst(BURST);
        Self { limiter: RateLimiter::dashmap_with_clock(quota, clock.clone()), clock, posts: AtomicU32::new(0) }
    }

    fn pass(&self, address: IpAddr) -> Result<(), PageError> {
        let Self { limiter, clock, posts } = self;
        // Keys never expire by themselves. An address is remembered for about a second a post, so what is left after a sweep is what came
        // in the last moments, and the sweeps cost each post next to nothing, however many addresses there are.
        if posts.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        limiter.check_key(&client_group(address)).map_err(|refused| {
            let wait = refused.wait_time_from(clock.now());
            PageError::TooMany(wait.max(Duration::from_secs(1)))
        })
    }
}

fn from(visit: &Visit) -> String {
    visit.address().map_or_else(|| "unknown".to_owned(), |address| client_group(address).to_string())
}

/// The tries of one address on one account.
#[derive(Debug, Clone)]
pub(crate) struct Tries {
    /// This address on this account.
    here: Subject,
    /// The same, counted for longer.
    slow: Subject,
    /// This address on any account.
    address: Subject,
    /// Anybody on this account.
    account: Subject,
}

impl Tries {
    pub(crate) fn of(visit: &Visit, email: &Email) -> Self {
        let from = from(visit);
        let both = fingerprint(&format!("{} {from}", email.as_str()));
        Self {
            here: Subject::new("account", &both, Window::Short),
            slow: Subject::new("slow", &both, Window::Long),
            address: Subject::new("ip", &fingerprint(&from), Window::Short),
            account: Subject::new("target", &fingerprint(email.as_str()), Window::Long),
        }
    }

    /// Counts a try before anything is compared, so that a thousand at the same moment are a thousand; refuses the one that is too many,
    /// which then does not count.
    pub(crate) async fn begin(&self, tx: &Tx, now: Timestamp) -> Result<(), PageError> {
        let all = [self.here.clone(), self.slow.clone(), self.address.clone(), self.account.clone()];
        let counts = tries::count(tx, &all, now).await?;
        let over = |subject: &Subject, most: i32| counts.get(subject).filter(|count| count.times > most).map(|count| count.until);
        let attacked = over(&self.account, UNDER_ATTACK).is_some();
        let until = [
            over(&self.here, PER_ACCOUNT),
            over(&self.address, PER_ADDRESS),
            over(&self.slow, WHILE_ATTACKED).filter(|_| attacked),
        ];
        match until.into_iter().flatten().max() {
            Some(until) => Err(PageError::TooMany(until.duration_since(now).try_into().unwrap_or_default())),
            None => Ok(()),
        }
    }

    /// The person got in, or chose a new password by a link: what they mistyped is forgotten.
    pub(crate) async fn forget(&self, tx: &Tx) -> Result<(), StoreError> {
        tries::forget(tx, &[self.here.clone(), self.slow.clone()], &[self.address.clone(), self.account.clone()]).await
    }
}

/// Whether another link to a new password may be sent to this address: a stranger must not be able to fill somebody's mailbox, nor many
/// mailboxes.
///
/// # Errors
/// [`PageError::TooMany`] when too many were asked for from here; the store's own.
pub(crate) async fn may_send_reset(tx: &Tx, visit: &Visit, email: &Email) -> Result<bool, PageError> {
    let now = visit.now();
    let to = Subject::new("reset", &fingerprint(email.as_str()), Window::Short);
    let asked = Subject::new("resets", &fingerprint(&from(visit)), Window::Short);
    let counts = tries::count(tx, &[to.clone(), asked.clone()], now).await?;
    let over = |subject: &Subject, most: i32| counts.get(subject).copied().filter(|count| count.times > most);
    if let Some(Count { until, .. }) = over(&asked, RESETS_FROM) {
        return Err(PageError::TooMany(until.duration_since(now).try_into().unwrap_or_default()));
    }
    Ok(over(&to, RESETS).is_none())
}

/// Does what must not tell by its time whether an account is there: the answer comes after a fixed time, unless the work takes longer
/// than it ever should.
pub(crate) async fn evenly<T>(work: impl Future<Output = T>) -> T {
    let (done, ()) = tokio::join!(work, tokio::time::sleep(EVEN));
    done
}

// Addresses of people are not kept as such in a table of failures.
fn fingerprint(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(text.as_bytes())[..18])
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn the_limiter_does_not_grow_with_the_addresses_it_has_seen() {
        let clock = FakeRelativeClock::default();
        let gate = Gate::new(clock.clone());
        // A botnet, or somebody with a /32 of IPv6.
        for network in 0..200_000_u128 {
            let address = IpAddr::V6(((0x2001_0db8 << 96) | (network << 64) | 1).into());
            assert!(gate.pass(address).is_ok(), "everybody's first post passes");
        }
        assert_eq!(gate.limiter.len(), 200_000, "nobody is forgotten at once");
        // Their posts are forgiven soon; the next sweep then finds nobody but who is busy.
        clock.advance(Duration::from_secs(3));
        let busy: IpAddr = "203.0.113.5".parse().unwrap();
        let passed = (0..60).filter(|_| gate.pass(busy).is_ok()).count();
        assert_eq!(passed, 40, "of 60 at once");
        for _ in 0..SWEEP {
            let refused = gate.pass(busy);
            assert!(matches!(refused, Err(PageError::TooMany(wait)) if wait >= Duration::from_secs(1)));
        }
        assert_eq!(gate.limiter.len(), 1);
    }
}
