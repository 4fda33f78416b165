//! When to try again: one notice after its own failure, and all of them after a failure that would hit everyone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::{ids::NoticeId, person::Email};
use jiff::{SignedDuration, Timestamp};

/// The wait after a first failure; it doubles with each further one.
const FIRST: SignedDuration = SignedDuration::from_mins(1);
/// The longest wait.
const LONGEST: SignedDuration = SignedDuration::from_mins(30);
/// The first pause of the whole sender.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// The longest pause of the whole sender.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// How long a notice waits after its attempt number `attempt` (from 1) failed: doubling from one minute to half an hour, give or take
/// a fifth so that what failed together does not come back together.
pub(crate) fn backoff(attempt: u32, notice: NoticeId) -> SignedDuration {
    let base = doubled(FIRST, attempt.saturating_sub(1), LONGEST).as_millis();
    // The last bytes of a version 7 id are random, and mixing in the attempt moves the notice within each wave.
    let random = i128::from(u16::from_be_bytes(
        [notice.0.as_bytes()[14], notice.0.as_bytes()[15]].map(|byte| byte ^ attempt.to_be_bytes()[3]),
    ));
    let fifth = base / 5;
    let shift = random * 2 * fifth / i128::from(u16::MAX) - fifth;
    SignedDuration::from_millis(i64::try_from(base + shift).unwrap_or(i64::MAX))
}

fn doubled(first: SignedDuration, times: u32, longest: SignedDuration) -> SignedDuration {
    first.checked_mul(1 << times.min(16)).unwrap_or(longest).min(longest)
}

/// Whether the sender is paused, because the mail server is away or refuses us.
#[derive(Debug, Default)]
pub(crate) struct Pause(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    current: Option<Paused>,
    /// Pauses in a row without a mail accepted between them.
    in_a_row: u32,
    /// Whether any mail was accepted yet.
    has_sent: bool,
    /// Whether the pause is for refusals of one recipient after another: a mail accepted meanwhile does not end it.
    distrusts: bool,
}

/// A pause.
#[derive(Debug, Clone)]
pub(crate) struct Paused {
    /// When to try again.
    pub(crate) until: Timestamp,
    /// The server's words, or ours.
    pub(crate) reason: String,
}

impl Pause {
    /// The pause that holds at `now`. A clock that was set back makes no pause longer than the longest.
    pub(crate) fn until(&self, now: Timestamp) -> Option<Paused> {
        self.lock().current.clone().filter(|pause| now < pause.until && pause.until <= now + LONGEST_PAUSE)
    }

    /// Begins a pause, longer each time; says so in the log. Attempts that fail together begin one pause; says whether this one did.
    pub(crate) fn begin(&self, now: Timestamp, reason: &str) -> bool {
        let mut state = self.lock();
        if state.current.as_ref().is_some_and(|pause| now < pause.until && pause.until <= now + LONGEST_PAUSE) {
            return false;
        }
        let until = now + doubled(FIRST_PAUSE, state.in_a_row, LONGEST_PAUSE);
        state.in_a_row += 1;
        state.distrusts = false;
        state.current = Some(Paused { until, reason: reason.to_owned() });
        tracing::error!(%until, reason, "no mail can be sent; the sender pauses, and nobody's address is blamed");
        true
    }

    /// Begins a pause because one recipient after another is refused. Mails that are on their way meanwhile may still be accepted; they do
    /// not end it before its time.
    pub(crate) fn distrust(&self, now: Timestamp, reason: &str) {
        self.begin(now, reason);
        self.lock().distrusts = true;
    }

    /// Ends the pause: a mail was accepted. Says whether that is news; the first mail of a worker always is, for it may be another
    /// worker that paused and went away.
    pub(crate) fn end(&self, now: Timestamp) -> bool {
        let mut state = self.lock();
        if state.distrusts && state.current.as_ref().is_some_and(|pause| now < pause.until && pause.until <= now + LONGEST_PAUSE) {
            return false;
        }
        if state.in_a_row > 0 {
            tracing::info!("mail can be sent again");
        }
        let news = state.in_a_row > 0 || !state.has_sent;
        *state = State { has_sent: true, ..State::default() };
        news
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server's reply with the recipient's address masked, for the log.
pub(crate) fn hide(reply: &str, address: &Email) -> String {
    // Replies spell addresses as they please; ours is lower-case ASCII, so positions are the same in both.
    let lower = reply.to_ascii_lowercase();
    let mut out = String::with_capacity(reply.len());
    let mut from = 0;
    while let Some(at) = lower[from..].find(address.as_str()) {
        out.push_str(&reply[from..from + at]);
        out.push_str(&address.masked());
        from += at + address.as_str().len();
    }
    out.push_str(&reply[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_an_hour() {
        let notice = NoticeId::new();
        for (attempt, minutes) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (100, 30)] {
            let wait = backoff(attempt, notice).as_secs();
            let exact = minutes * 60;
            assert!((exact * 4 / 5..=exact * 6 / 5).contains(&wait), "attempt {attempt}: {wait} s");
        }
        let spread: std::collections::BTreeSet<_> = (0..50).map(|_| backoff(1, NoticeId::new()).as_millis()).collect();
        assert!(spread.len() > 25, "{spread:?}");
    }

    #[test]
    fn pauses_grow_until_a_mail_gets_through() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let pause = Pause::default();
        pause.begin(at(0), "away");
        pause.begin(at(1), "away too");
        assert_eq!(pause.until(at(29)).map(|pause| pause.reason).as_deref(), Some("away"));
        assert!(pause.until(at(-3600)).is_none(), "a clock set back by an hour does not stop mail for an hour");
        assert!(pause.until(at(30)).is_none());
        pause.begin(at(30), "still away");
        assert!(pause.until(at(89)).is_some() && pause.until(at(90)).is_none());
        pause.end(at(31));
        assert!(pause.until(at(31)).is_none());
        pause.begin(at(100), "away again");
        assert!(pause.until(at(130)).is_none());
        // A server that is not believed is left alone for as long as was said.
        pause.distrust(at(200), "refuses everybody");
        assert!(!pause.end(at(201)) && pause.until(at(201)).is_some());
        assert!(pause.end(at(260)) && pause.until(at(260)).is_none());
    }

    #[test]
    fn the_log_masks_the_address() {
        let address = Email::parse("farah@x.test").unwrap();
        assert_eq!(hide("550 <Farah@X.test>: no farah@x.test here", &address), "550 <f***@x.test>: no f***@x.test here");
        assert_eq!(hide("451 später", &address), "451 später");
    }
}
