//! When to try again: one notice after its own failure, and all of them after a failure that would hit everyone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::{ids::NoticeId, person::Email};
use jiff::{SignedDuration, Timestamp};
use store::outbox::suppression;

/// The wait after a first failure; it doubles with each further one.
const FIRST: SignedDuration = SignedDuration::from_mins(1);
/// The longest wait.
const LONGEST: SignedDuration = SignedDuration::from_mins(30);
/// The first pause of the whole sender.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// The longest pause of the whole sender.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// A local part shorter than this is also a word of other meanings, and is masked only as part of an address.
const SHORTEST_NAME: usize = 3;

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
    /// When the last mail was accepted.
    accepted: Option<Timestamp>,
    /// Whether the pause is for refusals of one recipient after another: a mail accepted meanwhile does not end it.
    distrusts: bool,
    /// Since when the server was not believed, as recorded, when this worker last paused for that.
    heeded: Option<Timestamp>,
    /// When a pause ended, or the first mail was accepted, if it is not recorded yet that mail goes out.
    untold: Option<Timestamp>,
}

/// What follows from the pause that is recorded for all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Nothing.
    Agrees,
    /// Another worker does not believe the server, since then: this one pauses too.
    Distrusted(Timestamp),
    /// It is recorded and over: this worker's mails are accepted.
    Over,
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
        state.untold = None;
        state.current = Some(Paused { until, reason: reason.to_owned() });
        tracing::error!(%until, reason, "no mail can be sent; the sender pauses, and nobody's address is blamed");
        true
    }

    /// Begins a pause because one recipient after another is refused. Mails that are on their way meanwhile may still be accepted; they do
    /// not end it before its time. `since` is when that began, as it is recorded.
    pub(crate) fn distrust(&self, now: Timestamp, since: Timestamp, reason: &str) {
        self.begin(now, reason);
        let mut state = self.lock();
        state.distrusts = true;
        state.heeded = Some(since);
    }

    /// What follows from what is recorded.
    pub(crate) fn compare(&self, recorded: &suppression::Pause, now: Timestamp) -> Compared {
        let state = self.lock();
        // What began longer ago than the longest pause was waited for already, by the worker that recorded it.
        if let Some(since) = recorded.refusals_since.filter(|since| now.duration_since(*since).abs() < LONGEST_PAUSE)
            && state.heeded != Some(since)
        {
            return Compared::Distrusted(since);
        }
        let Some(since) = recorded.since else { return Compared::Agrees };
        // The worker that recorded it may be paused still. It tries again within the longest pause, and records it anew if that fails.
        let accepted = state.untold.is_some_and(|at| at >= since) || state.accepted.is_some_and(|at| at >= since + LONGEST_PAUSE);
        if state.in_a_row == 0 && accepted { Compared::Over } else { Compared::Agrees }
    }

    /// When a pause ended of which it is not recorded yet that it did.
    pub(crate) fn untold(&self) -> Option<Timestamp> {
        self.lock().untold
    }

    /// It is recorded that mail goes out since `untold`.
    pub(crate) fn told(&self, untold: Option<Timestamp>) {
        let mut state = self.lock();
        if state.untold == untold {
            state.untold = None;
        }
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
        let news = state.in_a_row > 0 || state.accepted.is_none();
        let untold = if news { Some(now) } else { state.untold };
        *state = State { accepted: Some(now), untold, heeded: state.heeded, ..State::default() };
        news
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server's reply without addresses, for the log and for the clinics, which all read why sending is paused: every address is masked,
/// for a server may name another one than it was asked about, and so is the recipient's local part where it stands alone.
pub(crate) fn hide(reply: &str, address: &Email) -> String {
    let local = address.as_str().split('@').next().unwrap_or_default();
    // With and without what follows a plus sign: the mailbox is the part before it.
    let mailbox = local.split('+').next().unwrap_or_default();
    let mut out = String::with_capacity(reply.len());
    for piece in reply.split_inclusive(is_between_words) {
        let word = piece.trim_end_matches(is_between_words);
        match word.rsplit_once('@') {
            Some((name, domain)) => out.push_str(&format!("{}@{}", masked(name), domain.to_ascii_lowercase())),
            None => out.push_str(&hide_name(&hide_name(word, local), mailbox)),
        }
        out.push_str(&piece[word.len()..]);
    }
    out
}

/// What no address contains, unless it is quoted.
fn is_between_words(c: char) -> bool {
    c.is_whitespace() || "<>()[],;:\"".contains(c)
}

/// As [`Email::masked`] has it.
fn masked(name: &str) -> String {
    format!("{}***", name.chars().take(1).collect::<String>().to_ascii_lowercase())
}

/// A text with a lower-case ASCII name masked where it stands alone.
fn hide_name(text: &str, name: &str) -> String {
    if name.len() < SHORTEST_NAME {
        return text.to_owned();
    }
    // Replies spell names as they please; in ASCII, positions are the same in both.
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = lower[from..].find(name).map(|at| from + at) {
        let end = at + name.len();
        out.push_str(&text[from..at]);
        from = if lower[..at].ends_with(char::is_alphanumeric) || lower[end..].starts_with(char::is_alphanumeric) {
            out.push_str(&text[at..=at]);
            at + 1
        } else {
            out.push_str(&masked(&text[at..end]));
            end
        };
    }
    out.push_str(&text[from..]);
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
        pause.distrust(at(200), at(200), "refuses everybody");
        assert!(!pause.end(at(201)) && pause.until(at(201)).is_some());
        assert!(pause.end(at(260)) && pause.until(at(260)).is_none());
    }

    #[test]
    fn the_log_masks_the_address() {
        let address = Email::parse("farah@x.test").unwrap();
        assert_eq!(hide("550 <Farah@X.test>: no farah@x.test here", &address), "550 <f***@x.test>: no f***@x.test here");
        assert_eq!(hide("451 später", &address), "451 später");
    }

    #[test]
    fn a_reply_names_the_recipient_in_no_other_way() {
        let address = Email::parse("wei.chen+knee@d0.test").unwrap();
        for (reply, hidden) in [
            ("550 wei.chen: user unknown", "550 w***: user unknown"),
            ("550 5.1.1 Wei.Chen+Knee... User unknown", "550 5.1.1 w***... User unknown"),
            ("550 no mailbox /var/mail/wei.chen here", "550 no mailbox /var/mail/w*** here"),
            (
                "550 <wei@mailhost.internal> and wei_c@other.test, both gone",
                "550 <w***@mailhost.internal> and w***@other.test, both gone",
            ),
            ("550 RCPT TO:<@relay:Wei.Chen@d0.test> refused", "550 RCPT TO:<***@relay:w***@d0.test> refused"),
            ("550 wei.chenille äwei.chen: fine", "550 wei.chenille äwei.chen: fine"),
            ("550\u{a0}wei.chen\u{3000}@", "550\u{a0}w***\u{3000}***@"),
        ] {
            assert_eq!(hide(reply, &address), hidden);
        }
        // Too short to be told from other words, and found again where the first find is part of a longer word.
        assert_eq!(hide("550 no a, 550 a@b.test", &Email::parse("a@b.test").unwrap()), "550 no a, 550 a***@b.test");
        assert_eq!(hide("550 xa.a.a", &Email::parse("a.a@b.test").unwrap()), "550 xa.a***");
    }

    #[test]
    fn the_recorded_pause_is_heeded_once_and_ended_by_who_knows_better() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let recorded = |since: i64, refusals: bool| suppression::Pause {
            since: Some(at(since)),
            refusals_since: refusals.then(|| at(since)),
            reason: "550 no".to_owned(),
        };
        let pause = Pause::default();
        assert_eq!(pause.compare(&suppression::Pause::default(), at(0)), Compared::Agrees);
        assert_eq!(pause.compare(&recorded(0, true), at(300)), Compared::Agrees, "that was waited for");
        assert_eq!(pause.compare(&recorded(0, true), at(299)), Compared::Distrusted(at(0)));
        pause.distrust(at(299), at(0), "550 no");
        assert_eq!(pause.compare(&recorded(0, true), at(299)), Compared::Agrees, "once");
        assert_eq!(pause.compare(&recorded(290, true), at(300)), Compared::Distrusted(at(290)), "it began anew");
        // Its own pause is over, and that is to be recorded until it is, but not for a pause that began later.
        assert!(pause.end(at(400)));
        let untold = pause.untold();
        assert_eq!(pause.compare(&recorded(0, true), at(401)), Compared::Over);
        assert_eq!(pause.compare(&recorded(401, false), at(402)), Compared::Agrees);
        pause.told(untold);
        assert_eq!(pause.compare(&recorded(0, true), at(401)), Compared::Over, "by a mail long after it began");
        assert_eq!(pause.compare(&recorded(101, false), at(402)), Compared::Agrees);
        assert!(!pause.end(at(401)));
        assert_eq!(pause.compare(&recorded(101, false), at(402)), Compared::Over);
        // A worker that is paused itself knows nothing better.
        pause.begin(at(402), "away");
        assert_eq!(pause.compare(&recorded(0, false), at(500)), Compared::Agrees);
    }
}
