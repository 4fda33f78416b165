//! When an address is given up because a mail server refused it, and when the server is not believed.
//!
//! A server with a broken directory, a wrong relay or a bad name says "no such user" to everybody, in the same words as about an address
//! that is really gone. The two are told apart by what it says to others: see decision 15.

use jiff::{SignedDuration, Timestamp};

/// How long after a first refusal a mail is tried again, and what counts as one window of mail.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// The longest wait between two attempts of a refused mail.
const LONGEST: SignedDuration = SignedDuration::from_hours(2);
/// So many recipients refused one after another may be chance.
pub const FEW: u32 = 4;
/// So many mails have to be accepted for each recipient refused, or the server is not believed.
pub const ACCEPTED_PER_REFUSAL: u32 = 4;
/// Recipients of so many mail domains have nothing in common but the server that refuses them.
const DOMAINS: u32 = 3;

/// What a reply that refuses a mail for good is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It clearly says that there is no such mailbox.
    Mailbox,
    /// This mail to this recipient, for a reason that is not clear or not the mailbox.
    Mail,
    /// The sender, its host, a policy or a limit: nothing about the recipient.
    Policy,
}

/// What was refused and accepted within some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Different recipients refused for good.
    pub refused: u32,
    /// Mails accepted. Counted no further than the rules ask for.
    pub accepted: u32,
}

/// The newest recipients that were refused within [`WINDOW`] by the first attempt of a mail, [`FEW`] and one more at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Run {
    /// Different recipients.
    pub recipients: u32,
    /// Their mail domains.
    pub domains: u32,
    /// Mails accepted since the oldest of these refusals.
    pub accepted: u32,
}

/// What is known when a mail is refused; the refusal itself is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// When this mail was first refused for this address.
    pub first: Timestamp,
    /// What happened since then, to all recipients.
    pub since: Count,
    /// The same for recipients of the same mail domain.
    pub domain: Count,
    /// Whether the same address was accepted since then.
    pub accepted_itself: bool,
    /// The newest refusals of all recipients.
    pub run: Run,
    /// Whether the sender is paused.
    pub paused: bool,
}

/// What follows from a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// In doubt: the mail is tried again.
    Again,
    /// The server is believed: the mail is never sent, and for [`Cause::Mailbox`] its address is given up.
    GiveUp,
    /// The server is not believed: sending pauses, and nothing is concluded about any recipient.
    Distrust,
}

/// Judges a refusal.
pub fn judge(cause: Cause, evidence: &Evidence, now: Timestamp) -> Verdict {
    if evidence.run.is_suspect() {
        return Verdict::Distrust;
    }
    let twice = now.duration_since(evidence.first) >= WINDOW;
    let believed = !evidence.paused
        && !evidence.accepted_itself
        && evidence.since.accepted >= evidence.since.refused.saturating_mul(ACCEPTED_PER_REFUSAL)
        // A large provider's directory can be away as well, while everybody else's mail is taken.
        && (evidence.domain.refused <= FEW || evidence.domain.accepted >= evidence.domain.refused);
    if cause != Cause::Policy && twice && believed { Verdict::GiveUp } else { Verdict::Again }
}

impl Run {
    /// More than a few in a row, and they are most of what was sent, or of different domains and a good part of it.
    fn is_suspect(&self) -> bool {
        self.recipients > FEW
            && (self.accepted < self.recipients
                || self.domains >= DOMAINS && self.accepted < self.recipients.saturating_mul(ACCEPTED_PER_REFUSAL))
    }
}

/// When a mail that was refused `times` times (from 1) is tried again: after ten minutes, then after twice as long each time, and once
/// more shortly before `until`, when it is not wanted any more. `None` when that is near.
pub fn again_at(times: u32, until: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let wait = WINDOW.checked_mul(1 << times.saturating_sub(1).min(8)).unwrap_or(LONGEST).min(LONGEST);
    let last = until - SignedDuration::from_mins(1);
    let at = (now + wait).min(last);
    (at >= now + WINDOW).then_some(at)
}
