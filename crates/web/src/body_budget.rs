//! Memory for the bodies of requests: limited by route, by client address and for the whole process.
//!
//! Every route of the [`Map`](crate::map::Map) passes through [`receive`], so no handler can read a body past it. Bytes are counted when
//! they have arrived and given back when the request is answered. A handler that wants a person signed in looks their session up
//! before it reads, so what such a request may hold is known by then: requests without a session share a part of the budget and
//! cannot take the rest.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::{Body, HttpBody as _},
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::StreamExt as _;

use crate::{PageError, auth::address, error::Limit, visit::Visit};

/// The first bytes of each body are not counted: the number of connections bounds them, and a sign-in of the usual size gets through
/// while the budget is spent.
const UNCOUNTED: usize = 1 << 10;

/// What may be held of bodies at a time, in bytes.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// By the process.
    process: usize,
    /// By the process, for requests without a session.
    process_anonymous: usize,
    /// For one client address. Two imports of the largest size.
    client: usize,
    /// For one client address, for requests without a session: 32 of the largest forms they may send.
    client_anonymous: usize,
}

const SIZES: Sizes = Sizes { process: 64 << 20, process_anonymous: 16 << 20, client: 16 << 20, client_anonymous: 512 << 10 };

/// The bytes of bodies that are held now. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct BodyBudget {
    sizes: Sizes,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    process: Bytecount,
    clients: HashMap<IpAddr, Bytecount>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Bytecount {
    all: usize,
    anonymous: usize,
}

impl Bytecount {
    fn add(&mut self, bytes: usize, anonymous: bool) {
        self.all += bytes;
        if anonymous {
            self.anonymous += bytes;
        }
    }

    fn subtract(&mut self, other: Self) {
        self.all = self.all.saturating_sub(other.all);
        self.anonymous = self.anonymous.saturating_sub(other.anonymous);
    }
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self { sizes: SIZES, held: Arc::default() }
    }
}

impl BodyBudget {
    /// A request that holds nothing yet. The client is `None` when its address is unknown (tests): it counts for the process alone.
    pub(crate) fn request(&self, client: Option<IpAddr>) -> BodyCharge {
        BodyCharge {
            budget: self.clone(),
            client: client.map(address::client_group),
            uncounted: UNCOUNTED,
            held: Bytecount::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one request holds of its body. Given back when this is dropped.
#[derive(Debug)]
pub(crate) struct BodyCharge {
    budget: BodyBudget,
    client: Option<IpAddr>,
    uncounted: usize,
    held: Bytecount,
}

impl BodyCharge {
    /// Holds `bytes` more.
    ///
    /// # Errors
    /// Whose limit they are beyond; nothing more is held then.
    pub(crate) fn hold(&mut self, bytes: usize, anonymous: bool) -> Result<(), Limit> {
        let free = bytes.min(self.uncounted);
        self.uncounted -= free;
        let bytes = bytes - free;
        if bytes == 0 {
            return Ok(());
        }
        let Sizes { process, process_anonymous, client, client_anonymous } = self.budget.sizes;
        let mut held = self.budget.held();
        let beyond = |count: Bytecount, all: usize, of_anonymous: usize| {
            count.all + bytes > all || (anonymous && count.anonymous + bytes > of_anonymous)
        };
        if beyond(held.process, process, process_anonymous) {
            return Err(Limit::Process);
        }
        if let Some(address) = self.client {
            // Only what is held is listed: a refused client leaves no entry that nothing would remove.
            if beyond(held.clients.get(&address).copied().unwrap_or_default(), client, client_anonymous) {
                return Err(Limit::Client);
            }
            held.clients.entry(address).or_default().add(bytes, anonymous);
        }
        held.process.add(bytes, anonymous);
        self.held.add(bytes, anonymous);
        Ok(())
    }
}

impl Drop for BodyCharge {
    fn drop(&mut self) {
        if self.held == Bytecount::default() {
            return;
        }
        let mut held = self.budget.held();
        held.process.subtract(self.held);
        if let Some(client) = self.client
            && let Some(count) = held.clients.get_mut(&client)
        {
            count.subtract(self.held);
            if *count == Bytecount::default() {
                held.clients.remove(&client);
                // An attack from many addresses leaves no large table behind.
                if held.clients.capacity() > 4 * (held.clients.len() + 64) {
                    held.clients.shrink_to_fit();
                }
            }
        }
    }
}

/// Around every route: its body is at most `limit` bytes, and what has arrived of it is counted. A longer one that says so is
/// refused before any of it is read.
pub(crate) async fn receive(State(limit): State<usize>, request: Request, next: Next) -> Response {
    let Some(visit) = request.extensions().get::<Visit>().cloned() else { return next.run(request).await };
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > limit)) {
        return PageError::TooLarge.into_response();
    }
    next.run(request.map(|body| counted(body, visit, limit))).await
}

/// The body, counted as it arrives, up to `limit` bytes.
fn counted(body: Body, visit: Visit, limit: usize) -> Body {
    let mut left = limit;
    Body::from_stream(body.into_data_stream().map(move |piece| {
        let bytes = piece?;
        let counted = match left.checked_sub(bytes.len()) {
            None => Err(PageError::TooLarge),
            Some(rest) => {
                left = rest;
                visit.hold_body(bytes.len())
            }
        };
        counted.map(|()| bytes).map_err(|refusal| {
            visit.refuse_body(refusal);
            axum::Error::new("the body is beyond a limit")
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> BodyBudget {
        let sizes = Sizes { process: 100, process_anonymous: 60, client: 50, client_anonymous: 30 };
        BodyBudget { sizes, held: Arc::default() }
    }

    fn request(budget: &BodyBudget, client: &str) -> BodyCharge {
        let mut charge = budget.request(Some(client.parse().unwrap()));
        charge.uncounted = 0;
        charge
    }

    #[test]
    fn a_client_and_the_process_hold_no_more_than_their_budgets() {
        let budget = small();
        let (mut a, mut b) = (request(&budget, "203.0.113.1"), request(&budget, "203.0.113.1"));
        assert_eq!(a.hold(20, true), Ok(()));
        assert_eq!(b.hold(11, true), Err(Limit::Client), "31 of this address");
        assert_eq!(b.hold(10, true), Ok(()));
        let mut other = request(&budget, "203.0.113.2");
        assert_eq!(other.hold(30, true), Ok(()));
        let mut third = request(&budget, "203.0.113.3");
        assert_eq!(third.hold(1, true), Err(Limit::Process), "61 without a session");
        // A person who is signed in has the rest, from whatever address.
        assert_eq!(third.hold(40, false), Ok(()));
        assert_eq!(request(&budget, "203.0.113.4").hold(1, false), Err(Limit::Process));
        drop((a, b, other, third));
        let held = budget.held();
        assert_eq!((held.process, held.clients.len()), (Bytecount::default(), 0), "everything came back");
    }

    #[test]
    fn a_client_that_is_refused_at_once_leaves_no_entry() {
        let budget = small();
        assert_eq!(request(&budget, "203.0.113.9").hold(31, true), Err(Limit::Client));
        assert_eq!(budget.held().clients.len(), 0);
    }

    #[test]
    fn what_is_refused_is_not_held_and_the_first_bytes_are_not_counted() {
        let budget = small();
        let mut one = budget.request(Some("2001:db8::1".parse().unwrap()));
        assert_eq!(one.hold(UNCOUNTED + 30, true), Ok(()));
        assert_eq!(one.hold(1, true), Err(Limit::Client));
        let mut neighbour = budget.request(Some("2001:db8::2".parse().unwrap()));
        assert_eq!(neighbour.hold(UNCOUNTED, true), Ok(()));
        assert_eq!(neighbour.hold(1, true), Err(Limit::Client), "a household is one client");
        assert_eq!(budget.held().process.all, 30);
        drop((one, neighbour));
        assert_eq!(budget.held().process.all, 0);
    }
}
