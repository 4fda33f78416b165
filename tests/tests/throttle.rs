//! Stories of guessing: from one place, from many, at once, and over a restart.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use jiff::SignedDuration;
use store::link::Purpose;
use visitor::{PASSWORD, Site, browser_of};

const HANNAH: &str = "physio@riverside.test";

async fn site() -> Site {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    site
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_guesses_at_the_same_moment_are_counted_one_by_one() {
    let site = site().await;
    // Fewer than the limiter in memory lets pass at once, so that what stops them is the count.
    let all: Vec<_> = (0..30)
        .map(|_| {
            let mut guesser = site.browser_at("203.0.113.5");
            tokio::spawn(async move { guesser.sign_in(HANNAH, "wrong wrong wrong").await.status })
        })
        .collect();
    let mut compared = 0;
    for one in all {
        match one.await.unwrap() {
            StatusCode::UNPROCESSABLE_ENTITY => compared += 1,
            StatusCode::TOO_MANY_REQUESTS => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(compared, 10, "no more are compared than one after the other");
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let site = site().await;
    let mut guesser = site.browser_at("203.0.113.5");
    for _ in 0..10 {
        guesser.sign_in(HANNAH, "wrong wrong wrong").await;
    }
    let mut again = browser_of(&site.db, &site.clock).behind("203.0.113.5");
    let blocked = again.sign_in(HANNAH, PASSWORD).await;
    assert_eq!(blocked.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(blocked.header("retry-after"), "900");
    let mut elsewhere = browser_of(&site.db, &site.clock).behind("198.51.100.7");
    assert_eq!(elsewhere.sign_in(HANNAH, PASSWORD).await.location(), "/patients");
    // Waiting does not get longer by trying.
    site.clock.advance(SignedDuration::from_mins(14));
    assert_eq!(again.sign_in(HANNAH, PASSWORD).await.header("retry-after"), "60");
    site.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(again.sign_in(HANNAH, PASSWORD).await.location(), "/patients");
}

#[tokio::test]
async fn one_account_tried_from_everywhere_leaves_each_place_little() {
    let site = site().await;
    // The 101st failure within six hours: as if a hundred places had tried.
    site.browser_at("192.0.2.1").sign_in(HANNAH, "wrong wrong wrong").await;
    site.db.execute("update sign_in_failure set failures = 100 where subject like 'target:%'").await;
    let mut bot = site.browser_at("203.0.113.9");
    for _ in 0..3 {
        assert_eq!(bot.sign_in(HANNAH, "wrong wrong wrong").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(bot.sign_in(HANNAH, "wrong wrong wrong").await.status, StatusCode::TOO_MANY_REQUESTS, "three, not ten");
    site.clock.advance(SignedDuration::from_mins(20));
    let slowed = bot.sign_in(HANNAH, PASSWORD).await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS, "for longer than usual");
    assert_eq!(slowed.header("retry-after"), (6 * 3600 - 20 * 60).to_string());

    // Whoever knows it gets in, from anywhere; another account is not touched.
    let mut hannah = site.browser_at("198.51.100.7");
    assert_eq!(hannah.sign_in(HANNAH, "mistyped once").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(hannah.sign_in(HANNAH, PASSWORD).await.location(), "/patients");
    assert_eq!(bot.sign_in("owner@riverside.test", "wrong").await.status, StatusCode::UNPROCESSABLE_ENTITY);

    // Who shares the place of a guesser has a way, too: a new password by mail.
    let token = site.link(Purpose::ResetPassword(site.clinic.physio.account), HANNAH).await;
    let mut neighbour = site.browser_at("203.0.113.9");
    let reset = neighbour.post(&format!("/password/reset/{token}"), &[("password", "seven green bicycles")]).await;
    assert_eq!(reset.location(), "/sign-in", "{}", reset.text);
    assert_eq!(neighbour.sign_in(HANNAH, "seven green bicycles").await.location(), "/patients");
}

#[tokio::test]
async fn a_household_is_one_place_and_ten_households_are_ten() {
    let site = site().await;
    for host in 0..10 {
        let mut guesser = site.browser_at(&format!("2001:db8:1:2::{host:x}"));
        assert_eq!(guesser.sign_in(HANNAH, "wrong wrong wrong").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let mut next = site.browser_at("2001:db8:1:2:aaaa::1");
    assert_eq!(next.sign_in(HANNAH, PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
    let mut other = site.browser_at("2001:db8:1:3::1");
    assert_eq!(other.sign_in(HANNAH, PASSWORD).await.location(), "/patients");
}

#[tokio::test]
async fn the_password_form_inside_is_no_way_round() {
    let site = site().await;
    let mut stolen = site.browser_at("203.0.113.5");
    stolen.sign_in(HANNAH, PASSWORD).await;
    let guess = [("current", "wrong wrong wrong"), ("new", "seven green bicycles")];
    for _ in 0..10 {
        assert_eq!(stolen.post("/account/password", &guess).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let right = [("current", PASSWORD), ("new", "seven green bicycles")];
    let blocked = stolen.post("/account/password", &right).await;
    assert_eq!(blocked.status, StatusCode::TOO_MANY_REQUESTS, "even with the right one");
    assert!(blocked.has("Too many tries"));
    assert_eq!(stolen.sign_in(HANNAH, PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS, "it is one count");
}

#[tokio::test]
async fn nobody_can_have_links_sent_to_everybody() {
    let site = site().await;
    let mut spammer = site.browser_at("203.0.113.5");
    for n in 0..30 {
        let answer = spammer.post("/password/forgot", &[("email", &format!("somebody{n}@home.test"))]).await;
        assert_eq!(answer.status, StatusCode::OK, "{n}");
    }
    let blocked = spammer.post("/password/forgot", &[("email", HANNAH)]).await;
    assert_eq!(blocked.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(blocked.header("retry-after"), "900");
    assert_eq!(site.db.row("select count(*) from notice").await, "0");
    let mut hannah = site.browser_at("198.51.100.7");
    assert_eq!(hannah.post("/password/forgot", &[("email", HANNAH)]).await.status, StatusCode::OK);
    assert_eq!(site.db.row("select count(*) from notice").await, "1");
}

#[tokio::test]
async fn who_gets_in_leaves_no_count_behind() {
    let site = site().await;
    let mut clinic = site.browser_at("203.0.113.5");
    for _ in 0..12 {
        assert_eq!(clinic.sign_in(HANNAH, PASSWORD).await.location(), "/patients");
    }
    assert_eq!(site.db.row("select coalesce(sum(failures), 0) from sign_in_failure").await, "0");
}
