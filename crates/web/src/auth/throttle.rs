//! Slows down guessing. Two counters: failures are kept in the database per address-and-account and per address, so that a restart
//! forgets nothing; and a limiter in memory bounds how fast one address may post to the way in at all.
//!
//! An account is never closed to everybody: the right password from another address still works.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::person::Email;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::DashMapStateStore,
};
use sha2::{Digest, Sha256};

use crate::{PageError, visit::Visit};

/// Failures from one address on one account within a quarter of an hour.
const PER_ACCOUNT: i32 = 10;
/// Failures from one address on any accounts within a quarter of an hour. A clinic may share one address.
const PER_ADDRESS: i32 = 60;
/// Posts to the way in at once, and one more every second.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(39);

type Limiter = RateLimiter<IpAddr, DashMapStateStore<IpAddr>, DefaultClock>;

/// The limiter in memory.
#[derive(Clone)]
pub struct Throttle(Arc<Limiter>);

impl Default for Throttle {
    fn default() -> Self {
        Self(Arc::new(RateLimiter::dashmap(Quota::per_second(NonZeroU32::MIN).allow_burst(BURST))))
    }
}

impl Throttle {
    /// Lets a post to the way in pass, or says how long to wait. Requests of unknown address (tests) pass.
    ///
    /// # Errors
    /// [`PageError::TooMany`].
    pub fn check(&self, visit: &Visit) -> Result<(), PageError> {
        let Some(address) = visit.address() else { return Ok(()) };
        // Keys never expire by themselves; an address without recent posts is forgotten when there are many.
        if self.0.len() > 10_000 {
            self.0.retain_recent();
        }
        self.0.check_key(&neighbourhood(address)).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            PageError::TooMany(wait.max(Duration::from_secs(1)))
        })
    }
}

// A household has a whole /64 of IPv6; counting single addresses there would count nothing.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_none() => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
        other => other.to_canonical(),
    }
}

/// Under which names failures of this address on this account are counted; the first is the account's own.
pub(crate) fn subjects(visit: &Visit, email: &Email) -> [(String, i32); 2] {
    let from = visit.address().map_or_else(|| "unknown".to_owned(), |address| neighbourhood(address).to_string());
    [
        (format!("account:{}", fingerprint(&format!("{} {from}", email.as_str()))), PER_ACCOUNT),
        (format!("ip:{}", fingerprint(&from)), PER_ADDRESS),
    ]
}

// Addresses of people are not kept as such in a table of failures.
fn fingerprint(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(text.as_bytes())[..18])
}

/// How many links to a new password an address may be sent within a quarter of an hour.
pub(crate) fn resets(email: &Email) -> (String, i32) {
    (format!("reset:{}", fingerprint(email.as_str())), 3)
}
