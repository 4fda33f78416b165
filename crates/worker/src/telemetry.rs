//! What the engine counts, for whoever watches it: every name, unit and bucket in one place.
//!
//! The functions below record through the `metrics` facade. Without a recorder installed they do nothing, so tests and small tools call
//! them as they are; `homestretch` installs one and serves it as Prometheus's text. No label ever names a person, a clinic or an address:
//! all of them come from the closed lists of this file.

use std::time::Duration;

use domain::reminder::NoticeSkip;
use jiff::{SignedDuration, Timestamp};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use store::outbox::Kind;

use crate::smtp::Phase;

/// Reminders that came due and were queued. Counter.
pub const PLANNED: &str = "homestretch_reminders_planned_total";
/// Mails that the server accepted (its 250), by `kind`. Counter.
pub const SENT: &str = "homestretch_mail_sent_total";
/// Reminders not wanted any more when their turn came, by `reason`. Counter.
pub const SKIPPED: &str = "homestretch_mail_skipped_total";
/// Mails the server had in full and said nothing about, by `kind`. Counter.
pub const UNKNOWN: &str = "homestretch_mail_unknown_total";
/// Mails that will never go out, by `kind`. Counter.
pub const DEAD: &str = "homestretch_mail_dead_total";
/// Attempts that failed and will be made again, by the `phase` of the conversation that failed. Counter.
pub const RETRIED: &str = "homestretch_mail_retried_total";
/// From the instant a mail was due to the server's 250, by `kind`. Histogram, in seconds.
pub const LAG: &str = "homestretch_mail_lag_seconds";
/// One attempt, from the look whether it is still wanted to its record. Histogram, in seconds.
pub const ATTEMPT: &str = "homestretch_mail_attempt_seconds";
/// Mails in the queue, of all workers together, by `state` (pending, claimed, sending). Gauge.
pub const QUEUE: &str = "homestretch_mail_queue";
/// 1 while the mail server is away or refuses us and sending is paused, else 0. Gauge.
pub const PAUSED: &str = "homestretch_mail_paused";

/// 1 while planning and reading the queue work, 0 from the first try that failed (the database is away or does not answer) to the next
/// one that does not. Gauge.
pub const WORKING: &str = "homestretch_worker_working";
/// When planning and reading the queue last went well, in seconds since 1970. Gauge.
pub const WORKED: &str = "homestretch_worker_last_success_timestamp_seconds";

/// The histograms and their buckets' upper bounds, in seconds, for the recorder.
pub const BUCKETS: [(&str, &[f64]); 2] = [
    // One second to the three hours after which a reminder is skipped as expired.
    (LAG, &[1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0]),
    (ATTEMPT, &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0]),
];

/// The phases an attempt can fail in: the conversation's, and writing the mail.
const PHASES: [Phase; 8] =
    [Phase::Connect, Phase::Hello, Phase::Encrypt, Phase::Auth, Phase::Mail, Phase::Rcpt, Phase::Data, Phase::Dot];

/// Tells the recorder what the names mean, and begins every counter at zero, so that the first event of a kind is seen as a rise and not
/// as a counter that was never there. Call it once, after the recorder is installed, in the process that sends mail.
pub fn begin() {
    describe_counter!(PLANNED, "Reminders that came due and were queued.");
    describe_counter!(SENT, "Mails that the server accepted.");
    describe_counter!(SKIPPED, "Reminders not wanted any more when their turn came.");
    describe_counter!(
        UNKNOWN,
        "Mails the server had in full and said nothing about; reminders among them are never resent by themselves."
    );
    describe_counter!(DEAD, "Mails that will never go out.");
    describe_counter!(RETRIED, "Attempts that failed and will be made again.");
    describe_histogram!(LAG, Unit::Seconds, "From the instant a mail was due to the server's 250.");
    describe_histogram!(ATTEMPT, Unit::Seconds, "One attempt, from the look whether it is still wanted to its record.");
    describe_gauge!(QUEUE, "Mails in the queue, of all workers together.");
    describe_gauge!(PAUSED, "1 while the mail server is away or refuses us and sending is paused.");
    describe_gauge!(WORKING, "1 while planning and reading the queue work, 0 while the database is away or does not answer.");
    describe_gauge!(WORKED, Unit::Seconds, "When planning and reading the queue last went well, in seconds since 1970.");
    counter!(PLANNED).increment(0);
    for kind in Kind::ALL {
        for name in [SENT, UNKNOWN, DEAD] {
            counter!(name, "kind" => kind.tag()).increment(0);
        }
    }
    for why in NoticeSkip::ALL {
        counter!(SKIPPED, "reason" => why.tag()).increment(0);
    }
    for phase in PHASES {
        counter!(RETRIED, "phase" => phase.as_str()).increment(0);
    }
    paused(false);
}

/// `count` reminders came due and were queued.
pub fn planned(count: u64) {
    counter!(PLANNED).increment(count);
}

/// The server accepted a mail, `lag` after it was due. A clock that was set back makes no negative lag.
pub fn sent(kind: Kind, lag: SignedDuration) {
    counter!(SENT, "kind" => kind.tag()).increment(1);
    histogram!(LAG, "kind" => kind.tag()).record(lag.as_secs_f64().max(0.0));
}

/// A reminder was not wanted any more.
pub fn skipped(why: NoticeSkip) {
    counter!(SKIPPED, "reason" => why.tag()).increment(1);
}

/// Nobody knows whether a mail arrived.
pub fn unknown(kind: Kind) {
    counter!(UNKNOWN, "kind" => kind.tag()).increment(1);
}

/// A mail will never go out.
pub fn dead(kind: Kind) {
    counter!(DEAD, "kind" => kind.tag()).increment(1);
}

/// An attempt failed in `phase` ([`Phase::as_str`], or `compose`) and will be made again.
pub fn retried(phase: &'static str) {
    counter!(RETRIED, "phase" => phase).increment(1);
}

/// How many mails are in each state that is no end, over all workers.
pub fn queue(pending: u64, claimed: u64, sending: u64) {
    for (state, count) in [("pending", pending), ("claimed", claimed), ("sending", sending)] {
        // Exact up to 2^53, which no queue reaches.
        gauge!(QUEUE, "state" => state).set(count as f64);
    }
}

/// Whether sending is paused.
pub fn paused(paused: bool) {
    gauge!(PAUSED).set(if paused { 1.0 } else { 0.0 });
}

/// Whether the worker can do its work.
pub fn working(working: bool) {
    gauge!(WORKING).set(if working { 1.0 } else { 0.0 });
}

/// The worker's loops were through at `at`.
pub fn worked(at: Timestamp) {
    // Exact to the second for longer than any worker runs.
    gauge!(WORKED).set(at.as_second() as f64);
}

/// An attempt was through after `took`, however it ended.
pub fn attempt_took(took: Duration) {
    histogram!(ATTEMPT).record(took.as_secs_f64());
}
