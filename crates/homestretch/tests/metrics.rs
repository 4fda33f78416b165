//! Metrics as Prometheus reads them: the page's form, what its numbers mean, and a second process that finds the address taken.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod scrape;

use std::{net::TcpListener, time::Duration};

use domain::reminder::NoticeSkip;
use homestretch::metrics::{self, Part};
use jiff::SignedDuration;
use store::outbox::Kind;
use worker::telemetry;

/// An address that was free a moment ago.
fn free() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn the_page_counts_what_the_engine_did_and_names_nobody() {
    let address = free();
    metrics::start(address, Part::Worker).await;
    let at = address.to_string();

    // Before anything happened, every counter is there at zero: the first failure must be seen as a rise.
    let page = scrape::page(&at).await.unwrap();
    assert_eq!(page.value(telemetry::UNKNOWN, &[("kind", "session_reminder")]), Some(0.0));
    assert_eq!(page.value(telemetry::DEAD, &[("kind", "invitation")]), Some(0.0));
    assert_eq!(page.value(telemetry::RETRIED, &[("phase", "rcpt")]), Some(0.0));
    assert_eq!(page.value("homestretch_build_info", &[("version", env!("CARGO_PKG_VERSION")), ("part", "worker")]), Some(1.0));

    telemetry::planned(7);
    telemetry::sent(Kind::SessionReminder, SignedDuration::from_secs(4));
    telemetry::sent(Kind::SessionReminder, SignedDuration::from_mins(90));
    // A clock that was set back.
    telemetry::sent(Kind::Invitation, SignedDuration::from_secs(-20));
    for why in NoticeSkip::ALL {
        telemetry::skipped(*why);
    }
    telemetry::unknown(Kind::SessionReminder);
    telemetry::dead(Kind::PasswordReset);
    telemetry::retried("rcpt");
    telemetry::queue(12, 3, 2);
    telemetry::paused(true);
    telemetry::attempt_took(Duration::from_millis(8));

    let page = scrape::page(&at).await.unwrap();
    assert_eq!(page.value(telemetry::PLANNED, &[]), Some(7.0));
    let reminder = ("kind", "session_reminder");
    assert_eq!(page.value(telemetry::SENT, &[reminder]), Some(2.0));
    assert_eq!(page.value(telemetry::SENT, &[("kind", "invitation")]), Some(1.0));
    assert_eq!(page.value(telemetry::SKIPPED, &[("reason", "expired")]), Some(1.0));
    assert_eq!(page.total(telemetry::SKIPPED), NoticeSkip::ALL.len() as f64);
    assert_eq!(page.value(telemetry::UNKNOWN, &[reminder]), Some(1.0));
    assert_eq!(page.value(telemetry::DEAD, &[("kind", "password_reset")]), Some(1.0));
    assert_eq!(page.value(telemetry::RETRIED, &[("phase", "rcpt")]), Some(1.0));
    assert_eq!(page.value(telemetry::QUEUE, &[("state", "pending")]), Some(12.0));
    assert_eq!(page.value(telemetry::QUEUE, &[("state", "sending")]), Some(2.0));
    assert_eq!(page.value(telemetry::PAUSED, &[]), Some(1.0));

    let bucket = |name: &str| format!("{name}_bucket");
    let within = |bound| page.value(&bucket(telemetry::LAG), &[reminder, ("le", bound)]);
    assert_eq!((within("2.5"), within("5"), within("3600"), within("7200")), (Some(0.0), Some(1.0), Some(1.0), Some(2.0)));
    assert_eq!(page.value(&format!("{}_sum", telemetry::LAG), &[reminder]), Some(5404.0));
    assert_eq!(page.value(&format!("{}_sum", telemetry::LAG), &[("kind", "invitation")]), Some(0.0));
    assert_eq!(page.value(&bucket(telemetry::ATTEMPT), &[("le", "0.01")]), Some(1.0));

    assert!(page.unexplained().is_empty(), "without a line of help: {:?}", page.unexplained());
    // Closed lists alone: the words of our own enums, bounds, and the version.
    let word = |label: &String| label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_=.+I".contains(c));
    assert!(page.labels().iter().all(word), "{:?}", page.labels());

    // Nothing else answers there.
    let (head, _) = scrape::get(&at, "/").await.unwrap();
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

#[tokio::test]
async fn a_taken_address_stops_nobody() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    // Returns, and the process goes on.
    metrics::start(holder.local_addr().unwrap(), Part::Serve).await;
}
