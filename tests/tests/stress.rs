//! The stress run, short: real workers killed, stopped and set to wrong clocks, a database that restarts and falls silent, people who change
//! their minds, a mail server that is hostile and refuses everybody at times. The long one is `bin/stress`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use clap::Parser as _;
use stories::stress::{self, Settings};

#[tokio::test(flavor = "multi_thread")]
async fn no_reminder_is_sent_twice_or_lost_from_view_whatever_is_done_to_the_workers() {
    let settings = ["stress", "--seed", "7", "--workers", "3", "--due", "250", "--kills", "12", "--speed", "40", "--calm", "240"];
    let verdict = stress::run(&Settings::parse_from(settings)).await.unwrap();
    assert!(verdict.broken.is_empty(), "\n{verdict}");
    assert_eq!((verdict.twice, verdict.lost, verdict.late), (0, 0, 0), "\n{verdict}");
    assert_eq!(verdict.wronged, 0, "\n{verdict}");
    assert!(verdict.stalls >= 3 && verdict.changes >= 3 && verdict.refusals >= 2, "\n{verdict}");
    // The run must have been one: kills that hit, and mails that got through all the same.
    assert!(verdict.kills >= 12, "\n{verdict}");
    assert!(verdict.states.get("sent").copied().unwrap_or_default() > 100, "\n{verdict}");
}
