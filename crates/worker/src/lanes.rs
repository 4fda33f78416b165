//! How many mails go to one mail domain at once, and how many at all: so that a slow domain delays nobody else.
//!
//! All mail leaves through one server, which answers late for a domain that is in trouble. A domain begins with a few lanes, gets one
//! more with each mail that goes quickly, and falls back to one when a mail takes long. A mail that takes long gives its place among all
//! mails free as well, up to a limit, so that several slow domains together do not stop the quick ones.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

/// Connections in use at once, as long as mails go quickly.
pub(crate) const LANES: usize = 16;
/// Connections beside them that may be stuck with something slow.
const SLOW_LANES: usize = 16;
/// What a domain that nothing is known of begins with.
const FIRST: usize = 4;
/// A mail that takes longer is slow.
const SLOW: Duration = Duration::from_secs(2);
/// Held back in memory for a domain beyond what may be sent at once; more is left in the queue.
const AHEAD: usize = 4;
/// Domains remembered while nothing of theirs is waiting.
const REMEMBERED: usize = 10_000;

/// What waits to be sent and what is being sent, by domain. Domains take turns.
pub(crate) struct Lanes<T> {
    domains: HashMap<String, Domain<T>>,
    /// Domains with something waiting, in the order of their turns.
    turns: VecDeque<String>,
    waiting: usize,
    /// When each that is being sent was started.
    sending: Vec<Instant>,
}

struct Domain<T> {
    waiting: VecDeque<T>,
    started: Vec<Instant>,
    limit: usize,
}

impl<T> Default for Domain<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), started: Vec::new(), limit: FIRST }
    }
}

impl<T> Domain<T> {
    fn is_slow(&self, now: Instant) -> bool {
        slow(&self.started, now) > 0
    }

    fn may_start(&self, now: Instant) -> bool {
        let limit = if self.is_slow(now) { 1 } else { self.limit };
        self.started.len() < limit
    }
}

fn slow(started: &[Instant], now: Instant) -> usize {
    started.iter().filter(|started| now.duration_since(**started) > SLOW).count()
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { domains: HashMap::new(), turns: VecDeque::new(), waiting: 0, sending: Vec::new() }
    }
}

impl<T> Lanes<T> {
    /// Puts something at the end of its domain's line.
    pub(crate) fn push(&mut self, domain: &str, item: T) {
        let entry = self.domains.entry(domain.to_owned()).or_default();
        if entry.waiting.is_empty() {
            self.turns.push_back(domain.to_owned());
        }
        entry.waiting.push_back(item);
        self.waiting += 1;
    }

    /// The next to be sent, with its domain and the moment to be given back to [`Lanes::done`]; `None` when nothing may start now.
    pub(crate) fn start(&mut self, now: Instant) -> Option<(String, Instant, T)> {
        if self.sending.len() - slow(&self.sending, now).min(SLOW_LANES) >= LANES {
            return None;
        }
        for _ in 0..self.turns.len() {
            let name = self.turns.pop_front()?;
            let Some(domain) = self.domains.get_mut(&name) else { continue };
            if !domain.may_start(now) {
                self.turns.push_back(name);
                continue;
            }
            let Some(item) = domain.waiting.pop_front() else { continue };
            domain.started.push(now);
            if !domain.waiting.is_empty() {
                self.turns.push_back(name.clone());
            }
            self.waiting -= 1;
            self.sending.push(now);
            return Some((name, now, item));
        }
        None
    }

    /// One that was started is through.
    pub(crate) fn done(&mut self, name: &str, started: Instant, now: Instant) {
        let Some(domain) = self.domains.get_mut(name) else { return };
        for list in [&mut domain.started, &mut self.sending] {
            if let Some(at) = list.iter().position(|other| *other == started) {
                list.swap_remove(at);
            }
        }
        domain.limit = if now.duration_since(started) > SLOW { 1 } else { (domain.limit + 1).min(LANES) };
        if self.domains.len() > REMEMBERED {
            self.domains.retain(|_, domain| !domain.waiting.is_empty() || !domain.started.is_empty());
        }
    }

    /// Everything that waits.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        self.turns.clear();
        self.waiting = 0;
        self.domains.values_mut().flat_map(|domain| domain.waiting.drain(..)).collect()
    }

    /// What waits for a slow domain beyond a few, to be given back to the queue: others may come first, and by then it is known again
    /// whether it is still wanted.
    pub(crate) fn shed(&mut self, now: Instant) -> Vec<T> {
        let mut shed = Vec::new();
        for domain in self.domains.values_mut() {
            if domain.is_slow(now) && domain.waiting.len() > AHEAD {
                shed.extend(domain.waiting.drain(AHEAD..));
            }
        }
        self.waiting -= shed.len();
        shed
    }

    /// Domains that have as much waiting as may be sent soon; nothing more of theirs should be taken from the queue.
    pub(crate) fn busy(&self, now: Instant) -> Vec<String> {
        let busy = |domain: &Domain<T>| {
            !domain.waiting.is_empty() && domain.is_slow(now) || domain.limit == 1 && domain.waiting.len() >= AHEAD
        };
        self.domains.iter().filter(|(_, domain)| busy(domain)).map(|(name, _)| name.clone()).collect()
    }

    /// How much waits.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How much is being sent.
    pub(crate) fn sending(&self) -> usize {
        self.sending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn drain(lanes: &mut Lanes<u32>, now: Instant) -> Vec<(String, Instant, u32)> {
        std::iter::from_fn(|| lanes.start(now)).collect()
    }

    #[test]
    fn domains_take_turns_and_begin_with_a_few() {
        let (mut lanes, now) = (Lanes::default(), Instant::now());
        for item in 0..10 {
            lanes.push("a.test", item);
            lanes.push("b.test", 100 + item);
        }
        let started: Vec<u32> = drain(&mut lanes, now).into_iter().map(|(_, _, item)| item).collect();
        assert_eq!(started, [0, 100, 1, 101, 2, 102, 3, 103]);
        assert_eq!((lanes.waiting(), lanes.sending()), (12, 8));
    }

    #[test]
    fn a_quick_domain_gets_all_lanes_in_the_end() {
        let (mut lanes, now) = (Lanes::default(), Instant::now());
        for item in 0..200 {
            lanes.push("a.test", item);
        }
        let mut most = 0;
        loop {
            let started = drain(&mut lanes, now);
            if started.is_empty() {
                break;
            }
            most = most.max(lanes.sending());
            for (name, at, _) in started {
                lanes.done(&name, at, now);
            }
        }
        assert_eq!((most, lanes.waiting(), lanes.sending()), (LANES, 0, 0));
    }

    #[test]
    fn slow_domains_delay_no_other_and_are_asked_one_at_a_time() {
        let (mut lanes, start) = (Lanes::default(), Instant::now());
        for item in 0..100 {
            for slow in ["s1.test", "s2.test", "s3.test", "s4.test"] {
                lanes.push(slow, item);
            }
        }
        let stuck = drain(&mut lanes, start);
        assert_eq!(stuck.len(), LANES, "nothing is known of them yet");
        lanes.push("quick.test", 0);
        assert!(lanes.start(start).is_none());
        // Two seconds later it is known.
        let later = after(start, 3);
        let (name, at, _) = lanes.start(later).expect("the quick one goes");
        assert_eq!(name, "quick.test");
        lanes.done(&name, at, later);
        assert!(lanes.start(later).is_none(), "the slow ones wait for what is stuck");
        assert_eq!(lanes.busy(later).len(), 4);
        assert_eq!(lanes.shed(later).len(), 4 * (96 - AHEAD));
        for (name, at, _) in stuck {
            lanes.done(&name, at, after(start, 10));
        }
        let again = drain(&mut lanes, after(start, 10));
        assert_eq!(again.len(), 4, "one each, to see whether it is better now");
    }
}
