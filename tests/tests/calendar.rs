//! Stories of a patient's calendar: the address, what it gives, and to whom. What it gives is read by another program's library.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use std::{io::Write as _, path::Path, process::Stdio};

use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, civil::date};
use serde_json::Value;
use testkit::people::Somebody;
use visitor::{Answer, Browser, PASSWORD, Site};

/// What icalendar (PyPI) reads in it; it refuses what is not a calendar.
fn read(text: &str) -> Result<Value, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges");
    let python = folder.join(".venv/bin/python");
    assert!(python.exists(), "the judges' libraries are not there; bin/test fetches them");
    let mut judge = std::process::Command::new(python)
        .arg("calendar_entries.py")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    judge.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = judge.wait_with_output().unwrap();
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&done.stdout).unwrap())
}

/// The starts of all entries, in order.
fn starts(text: &str) -> Vec<String> {
    let read = read(text).unwrap();
    read["entries"].as_array().unwrap().iter().map(|entry| entry["start"].as_str().unwrap().to_owned()).collect()
}

/// Hannah with a program from today, signed in.
async fn hannah(site: &Site, zone: &str) -> (Somebody, Browser) {
    let hannah = site.clinic.patient_in("Hannah Tan", "hannah@home.test", zone).await;
    let account = site.clinic.join(&hannah).await;
    site.give_password(account).await;
    let mut browser = site.browser();
    browser.sign_in("hannah@home.test", PASSWORD).await;
    (hannah, browser)
}

/// The path of the address that the page shows.
fn address(page: &Answer) -> String {
    let from = page.text.split("http").find(|part| part.contains("/calendar/")).expect("no address on the page");
    let path = &from[from.find("/calendar/").unwrap()..];
    path[..path.find('"').unwrap()].to_owned()
}

async fn made(browser: &mut Browser) -> String {
    assert_eq!(browser.post("/reminders/calendar", &[]).await.location(), "/reminders#calendar");
    address(&browser.get("/reminders").await)
}

#[tokio::test]
async fn a_patient_sees_the_sessions_ahead_in_the_own_calendar() {
    let site = Site::open().await;
    let (hannah, mut browser) = hannah(&site, "Asia/Kuala_Lumpur").await;
    // Monday 2 March 2026, 08:00 in Kuala Lumpur; every day for two weeks, twice a day.
    let program = site.clinic.program_with(&hannah, date(2026, 3, 2), 2, |plan| plan.times_a_day = 2).await;
    site.clinic.remind(&hannah, &["07:30"], site.clock.now()).await;
    let before = browser.get("/reminders").await;
    assert!(before.has("Make a calendar address") && !before.has("/calendar/"));
    let path = made(&mut browser).await;

    // A calendar program has no cookie.
    let mut program_of_theirs = site.browser();
    let file = program_of_theirs.get(&path).await;
    assert_eq!((file.status, file.header("content-type")), (StatusCode::OK, "text/calendar; charset=utf-8"));
    let read = read(&file.text).unwrap();
    let entries = read["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 28, "fourteen days, two sessions each");
    assert_eq!(entries[0]["start"], "2026-03-01T23:30:00+00:00", "the hour of the reminders, where Hannah lives");
    assert_eq!(entries[0]["minutes"], program.version_on(date(2026, 3, 2)).unwrap().minutes());
    assert_eq!((&entries[1]["start"], &entries[1]["whole_day"]), (&"2026-03-02".into(), &true.into()), "no hour was chosen for it");
    assert_eq!((&read["name"], &entries[0]["summary"]), (&"Home exercises".into(), &"Home exercises".into()));
    assert_eq!(entries[0]["url"], "http://localhost:8080/today");
    // It says when, and nothing about what or for whom.
    for word in ["Hannah", "Riverside", "hannah@home.test", "Wall angels", "pain", program.name.as_str()] {
        assert!(!file.text.contains(word), "{word}");
    }
    let names: std::collections::HashSet<_> = entries.iter().map(|entry| entry["uid"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 28);

    // What is logged is done with; what is paused or over is not due.
    site.clinic.log(&hannah, &program, date(2026, 3, 2), None).await;
    let later = program_of_theirs.get(&path).await;
    let kept = starts(&later.text);
    assert_eq!(kept.len(), 27);
    assert_eq!(kept[0], "2026-03-02");
    site.clinic.program_with(&hannah, date(2026, 5, 30), 2, |_| {}).await;
    assert_eq!(starts(&program_of_theirs.get(&path).await.text).len(), 27, "eight weeks ahead and no more");
    site.clock.advance(SignedDuration::from_hours(13 * 24));
    assert_eq!(starts(&program_of_theirs.get(&path).await.text)[0], "2026-03-14T23:30:00+00:00");
}

#[tokio::test]
async fn an_hour_stays_the_hour_when_clocks_change() {
    let site = Site::open().await;
    let (hannah, mut browser) = hannah(&site, "Europe/Berlin").await;
    site.clinic.program_for(&hannah, date(2026, 3, 2), 8).await;
    site.clinic.remind(&hannah, &["08:00"], site.clock.now()).await;
    let path = made(&mut browser).await;
    let kept = starts(&site.browser().get(&path).await.text);
    // The clocks go forward on 29 March.
    assert!(
        kept.contains(&"2026-03-28T07:00:00+00:00".to_owned()) && kept.contains(&"2026-03-29T06:00:00+00:00".to_owned()),
        "{kept:?}"
    );
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again_and_not_written_down() {
    let site = Site::open().await;
    let (hannah, mut browser) = hannah(&site, "Asia/Kuala_Lumpur").await;
    site.clinic.program_for(&hannah, date(2026, 3, 2), 8).await;
    let path = made(&mut browser).await;
    let fetched = || site.db.row("select count(*) from audit_entry where deed = 'read' and subject = 'calendar'");
    let file = site.browser().get(&path).await;
    let tag = file.header("etag").to_owned();
    assert_eq!((file.header("cache-control"), fetched().await.as_str()), ("private, no-cache", "1"));
    let again = site.browser().send(Method::GET, &path, None, &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, again.text.as_str(), fetched().await.as_str()), (StatusCode::NOT_MODIFIED, "", "1"));
    // Another program of hers, another calendar.
    site.clinic.program_for(&hannah, date(2026, 3, 2), 4).await;
    site.clock.advance(SignedDuration::from_hours(24));
    let changed = site.browser().send(Method::GET, &path, None, &[("if-none-match", &tag)]).await;
    assert_eq!((changed.status, fetched().await.as_str()), (StatusCode::OK, "2"));
}

#[tokio::test]
async fn an_address_ends_when_its_patient_says_so_and_with_the_record() {
    let site = Site::open().await;
    let (hannah, mut browser) = hannah(&site, "Asia/Kuala_Lumpur").await;
    site.clinic.program_for(&hannah, date(2026, 3, 2), 8).await;
    let status = async |path: &str| site.browser().get(path).await.status;
    let first = made(&mut browser).await;
    assert_eq!(address(&browser.get("/reminders").await), first, "it can be read again");
    site.clock.advance(SignedDuration::from_secs(2));
    let second = made(&mut browser).await;
    assert_eq!((status(&first).await, status(&second).await), (StatusCode::NOT_FOUND, StatusCode::OK));
    browser.post("/reminders/calendar/end", &[]).await;
    assert_eq!(status(&second).await, StatusCode::NOT_FOUND);
    assert!(browser.get("/reminders").await.has("Make a calendar address"));

    site.clock.advance(SignedDuration::from_secs(2));
    let third = made(&mut browser).await;
    assert_eq!(browser.post("/account/close", &[("current", PASSWORD)]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(status(&third).await, StatusCode::NOT_FOUND);

    // Nobody makes one up, and no other link is one.
    let forged = site.calendar(hannah.id, site.clock.now());
    assert_eq!(status(&forged).await, StatusCode::NOT_FOUND);
    let token = |path: String| path.rsplit('/').next().unwrap().to_owned();
    for other in [token(site.one_tap(&hannah)), token(site.unsubscribe(&hannah)), "x".into(), "%00.ics".into()] {
        assert_eq!(status(&format!("/calendar/{other}")).await, StatusCode::NOT_FOUND, "{other}");
    }
}

#[tokio::test]
async fn nothing_due_is_an_empty_calendar_and_the_judge_refuses_a_broken_one() {
    let site = Site::open().await;
    let (hannah, mut browser) = hannah(&site, "Asia/Kuala_Lumpur").await;
    let path = made(&mut browser).await;
    let file = site.browser().get(&path).await;
    assert_eq!(read(&file.text).unwrap()["entries"], Value::Array(vec![]));
    site.clinic.program_for(&hannah, date(2026, 3, 2), 1).await;
    let file = site.browser().get(&path).await;
    assert_eq!(starts(&file.text).len(), 7);
    for broken in ["hello".to_owned(), file.text.replace("DATE:20260303", "DATE:soon")] {
        assert!(read(&broken).is_err(), "{broken}");
    }
}
