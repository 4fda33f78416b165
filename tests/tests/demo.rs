//! The demo clinic: each patient comes out as the story was meant, whatever day it is opened on, and a second start changes nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use domain::{
    attention::{Attention, AttentionKind, Facts},
    person::{Email, Role},
    program::ProgramStatus,
};
use homestretch::demo::{
    history, mail,
    seed::{self, ACCOUNTS, PASSWORD},
    stories::{STORIES, WEI_LING},
};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use store::{Actor, ClinicContext, Store, account};
use testkit::{
    Db,
    clock::{Clock, at},
};
use tower::ServiceExt as _;
use web::physio::standing::{self, Standing};

/// Sunday 22 November 2026, 15:00 in Kuala Lumpur.
const SUNDAY: &str = "2026-11-22T15:00:00+08:00";

fn quiet(_: &str) {}

async fn everybody(store: &Store, now: Timestamp) -> Vec<Standing> {
    let owner = Email::parse("owner@demo.test").unwrap();
    let tx = store.begin_sign_in().await.unwrap();
    let account = account::by_email(&tx, &owner).await.unwrap().unwrap();
    let clinic = account::places(&tx, account.id).await.unwrap().remove(0);
    tx.commit().await.unwrap();
    assert_eq!(clinic.role, Role::Owner);
    let tx = store.begin(&ClinicContext::new(clinic.clinic, Actor::System)).await.unwrap();
    let patients = store::reports::caseload::patients(&tx, None, "").await.unwrap();
    let standings = standing::of(&tx, patients, now).await.unwrap();
    tx.commit().await.unwrap();
    standings
}

fn of<'a>(standings: &'a [Standing], name: &str) -> &'a Standing {
    standings.iter().find(|standing| standing.patient.name == name).unwrap_or_else(|| panic!("there is no {name}"))
}

fn kinds(standing: &Standing) -> Vec<AttentionKind> {
    standing.open.iter().map(|attention| attention.kind).collect()
}

/// Every story, on one day.
fn all_stories_hold(standings: &[Standing], when: Timestamp) {
    use AttentionKind as Kind;
    assert_eq!(standings.len(), STORIES.len());
    let needs: BTreeMap<&str, &[Kind]> = [
        ("Farah Aziz", &[Kind::PainRising, Kind::Asked][..]),
        ("Daniel Tan", &[Kind::MissedRun]),
        ("Priya Nair", &[Kind::NotStarted]),
        (WEI_LING, &[]),
        ("Marcus Lim", &[]),
        ("Aishah Rahman", &[Kind::ReadyForReview]),
        ("Suresh Kumar", &[]),
        ("Jason Ooi", &[]),
        ("Lau Kok Wah", &[]),
        ("Teh Mei Fong", &[Kind::Asked]),
        ("Kumaravel Pillai", &[Kind::StopSigns, Kind::Asked]),
        ("Nurul Iman Yusof", &[Kind::PainHigh]),
        ("Grace Wong", &[]),
        ("Ravi Chandran", &[]),
        ("Nadia Rosli", &[]),
    ]
    .into();
    for standing in standings {
        let name = standing.patient.name.as_str();
        let found = kinds(standing);
        assert_eq!(found, needs[name], "{name} at {when}: {:?}", standing.open);
    }
    let facts = |name: &str| of(standings, name).open[0].clone();
    assert!(matches!(facts("Farah Aziz").facts, Facts::PainRising { recent, before, .. } if (recent - before - 3.0).abs() < 0.5));
    assert!(matches!(facts("Daniel Tan").facts, Facts::MissedRun { sessions: 4, .. }));
    assert!(matches!(facts("Priya Nair"), Attention { facts: Facts::NeverSignedIn { days: 4, .. }, .. }));
    assert!(matches!(facts("Nurul Iman Yusof").facts, Facts::PainHigh { score, .. } if score.get() == 8));

    let week = |name: &str| {
        let standing = of(standings, name);
        standing.program().unwrap().week_on(standing.today)
    };
    assert_eq!(week("Farah Aziz"), Some((3, 6)));
    assert_eq!(week(WEI_LING), Some((5, 6)));
    assert_eq!(week("Marcus Lim"), Some((4, 6)));
    assert_eq!(week("Aishah Rahman"), Some((6, 6)));
    assert_eq!(week("Suresh Kumar"), Some((2, 8)));
    let status = |name: &str| of(standings, name).status().unwrap();
    assert_eq!(status("Jason Ooi"), ProgramStatus::Finished);
    assert_eq!(status("Grace Wong"), ProgramStatus::Paused);
    assert_eq!(status("Kumaravel Pillai"), ProgramStatus::Paused);
    assert_eq!(status("Nadia Rosli"), ProgramStatus::Upcoming);
    assert_eq!(of(standings, "Marcus Lim").program().unwrap().versions.len(), 2);

    // patient@demo.test has a session to do today.
    let wei_ling = of(standings, WEI_LING);
    assert_eq!(wei_ling.program().unwrap().slots_on(wei_ling.today), 1);
    assert_ne!(wei_ling.sessions.last, Some(wei_ling.today));
    // Who is said to be on track is.
    for name in [WEI_LING, "Marcus Lim", "Aishah Rahman", "Suresh Kumar"] {
        let ratio = of(standings, name).adherence.ratio().unwrap();
        assert!(ratio >= 0.75, "{name} {ratio}");
    }
    let daniel = of(standings, "Daniel Tan").adherence.ratio().unwrap();
    assert!((0.3..0.65).contains(&daniel), "{daniel}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_story_holds_on_every_weekday_and_at_any_hour() {
    for (day, hour) in [(0, 7), (1, 0), (2, 12), (3, 5), (4, 23), (5, 8), (6, 18)] {
        let now = at("2026-11-22T00:20:00+08:00") + SignedDuration::from_hours(24 * day + hour);
        let db = Db::new().await;
        seed::ensure(&db.store, now, &quiet).await.unwrap();
        all_stories_hold(&everybody(&db.store, now).await, now);
    }
}

/// Everything that does not hold a fresh id, as text.
async fn content(db: &Db) -> Vec<String> {
    let mut rows = db
        .rows(
            "select p.name, l.date, l.performed_at, l.received_at, l.corrected_at is not null, l.pain_before, l.pain_after, l.effort,
               l.note, l.red_flags, l.completion,
               (select string_agg(concat(x.name, ':', e.sets, '×', e.reps, '×', e.hold_s, e.skipped), ', ' order by r.position)
                from log_entry e join prescription r on r.id = e.prescription_id join exercise x on x.id = r.exercise_id
                where e.log_id = l.id)
             from session_log l join patient p on p.id = l.patient_id order by p.name, l.date, l.performed_at",
        )
        .await;
    rows.extend(db.rows("select name, email, invited_at, joined_at, created_at, region from patient order by name").await);
    rows.extend(
        db.rows(
            "select p.name, r.local_time, r.weekdays, r.due_at from reminder_rule r join patient p on p.id = r.patient_id
             order by p.name, r.local_time",
        )
        .await,
    );
    rows.extend(db.rows("select kind, recipient, state, due_at from notice order by recipient").await);
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_day_makes_the_same_clinic_and_a_second_start_changes_nothing() {
    let now = at(SUNDAY);
    let (one, other) = (Db::new().await, Db::new().await);
    let first = seed::ensure(&one.store, now, &quiet).await.unwrap();
    assert_eq!(first.days_ago, None);
    seed::ensure(&other.store, now, &quiet).await.unwrap();
    let made = content(&one).await;
    assert!(made.len() > 250, "{}", made.len());
    assert_eq!(made, content(&other).await);

    let later = now + SignedDuration::from_hours(72);
    let again = seed::ensure(&one.store, later, &quiet).await.unwrap();
    assert_eq!(again.days_ago, Some(3));
    assert_eq!(made, content(&one).await);
    assert_eq!(one.row("select count(*) from clinic").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_cut_short_says_what_to_do() {
    let db = Db::new().await;
    seed::ensure(&db.store, at(SUNDAY), &quiet).await.unwrap();
    db.execute("update account set password_hash = null where email = 'owner@demo.test'").await;
    let error = seed::ensure(&db.store, at(SUNDAY), &quiet).await.unwrap_err();
    assert!(error.to_string().contains("bin/demo --fresh"), "{error}");
}

#[tokio::test]
async fn there_is_mail_to_look_at_and_none_of_it_goes_out_again() {
    let (db, now) = (Db::new().await, at(SUNDAY));
    seed::ensure(&db.store, now, &quiet).await.unwrap();
    history::live(&db.store, now).await.unwrap();
    let states = db.rows("select distinct state from notice order by state").await;
    assert_eq!(states, ["dead", "pending", "sent", "skipped", "unknown"]);
    // What the demo owes from its first minute on is still owed, and nothing of the days before.
    assert_eq!(db.rows("select kind from notice where state = 'pending' order by kind").await, ["invitation", "program_assigned"]);
    assert_eq!(db.row(&format!("select count(*) from reminder_rule where due_at <= '{now}'")).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn starting_owes_no_mail_for_the_past() {
    let db = Db::new().await;
    let now = at(SUNDAY);
    seed::ensure(&db.store, now, &quiet).await.unwrap();
    assert_eq!(
        db.rows("select kind, recipient from notice order by recipient").await,
        ["program_assigned|nadia@demo.test", "invitation|priya@demo.test"]
    );
    assert_eq!(db.row(&format!("select count(*) from reminder_rule where due_at <= '{now}'")).await, "0");
    assert_eq!(
        db.row("select count(*) from reminder_rule r join patient p on p.id = r.patient_id where p.joined_at is null").await,
        "0"
    );
    // Whoever tries the demo sees a reminder come while they look around.
    let soon = now + SignedDuration::from_mins(10);
    let next = db
        .row(&format!(
            "select count(*) from reminder_rule r join patient p on p.id = r.patient_id
             where p.email = 'patient@demo.test' and r.due_at <= '{soon}'"
        ))
        .await;
    assert_eq!(next, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn some_logs_came_late_some_were_corrected_and_nothing_lies_ahead() {
    let db = Db::new().await;
    let now = at(SUNDAY);
    seed::ensure(&db.store, now, &quiet).await.unwrap();
    let late = "select count(*) from session_log where received_at::date > (performed_at + interval '20 hours')::date";
    assert!(db.row(late).await.parse::<u32>().unwrap() >= 2);
    assert_eq!(db.row("select count(*) from log_revision").await, "1");
    assert_eq!(db.row("select count(*) from session_log where corrected_at is not null").await, "1");
    assert_eq!(
        db.row(&format!("select count(*) from session_log where received_at > '{now}' or performed_at > received_at")).await,
        "0"
    );
    assert_eq!(db.row(&format!("select count(*) from patient where created_at > '{now}' or joined_at > '{now}'")).await, "0");
    // The diary on paper was taken over by staff; everybody else logged alone.
    assert_eq!(
        db.rows("select distinct p.name from session_log l join patient p on p.id = l.patient_id where l.logged_by is not null")
            .await,
        ["Lau Kok Wah"]
    );
}

struct Site {
    web: Router,
    db: Db,
    folder: std::path::PathBuf,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Site {
    async fn open(now: Timestamp) -> Self {
        let db = Db::new().await;
        seed::ensure(&db.store, now, &quiet).await.unwrap();
        let config = web::Config {
            url: "http://localhost:8080".into(),
            secret: vec![7; 32].into(),
            demo: true,
            trusted_proxies: Vec::new(),
        };
        let folder = std::env::temp_dir().join(format!("homestretch-demo-{}", uuid::Uuid::now_v7().simple()));
        let clock = Clock::at(&now.to_string());
        let state = web::AppState::new(db.store.clone(), config, clock.reader()).unwrap();
        Self { web: web::app_with(state, mail::routes(folder.clone())), db, folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.web.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap()).await
    }

    /// Signs in with the form and gives the cookie.
    async fn sign_in(&self, email: &str) -> String {
        let form = format!("email={}&password={PASSWORD}", email.replace('@', "%40"));
        let request = Request::post("/sign-in")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, "http://localhost:8080")
            .body(Body::from(form))
            .unwrap();
        let answer = self.send(request).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{email} {}", answer.body);
        let set = answer.headers.get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap());
        set.map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_sign_in_to_pages_that_tell_the_stories() {
    let site = Site::open(at(SUNDAY)).await;
    for (role, email, _) in ACCOUNTS {
        let cookie = site.sign_in(email).await;
        let first = if role == "patient" { "/today" } else { "/patients" };
        let page = site.get(first, &cookie).await;
        assert_eq!(page.status, StatusCode::OK, "{role}");
        if role == "patient" {
            assert!(page.body.contains("/session/"), "{}", page.body);
            continue;
        }
        for text in ["Farah Aziz", "Pain up", "4 sessions missed in a row", "Invited, not signed in", "Ready for review", WEI_LING]
        {
            assert!(page.body.contains(text), "{role} misses {text}");
        }
        // Arjun's patients are on the owner's page and not on Hannah's.
        assert_eq!(page.body.contains("Kumaravel Pillai"), role == "owner", "{role}");
    }
    assert_eq!(site.db.row("select count(*) from account where password_hash is null").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_it_sent_is_there_to_read_and_its_links_work() {
    let now = at(SUNDAY);
    let site = Site::open(now).await;
    let empty = site.get("/demo/mail", "").await;
    assert_eq!(empty.status, StatusCode::OK);
    assert!(empty.body.contains("No mail yet"), "{}", empty.body);

    let templates = render::Templates::load().unwrap();
    let links = render::links::Links::new("http://localhost:8080", &[7; 32]).unwrap();
    let target = worker::Target::parse(&format!("file:{}", site.folder.display())).unwrap();
    let composer = worker::Composer::new(templates, links, "demo@homestretch.example").unwrap();
    let engine = std::sync::Arc::new(worker::Engine::new(site.db.store.clone(), worker::Mailer::new(target), composer));
    let report = worker::tick(&engine, now).await.unwrap();
    assert_eq!(report.sent, 2, "{report:?}");
    // Ten minutes on, the reminder of the one who signs in as the patient, and nobody else's.
    let report = worker::tick(&engine, now + SignedDuration::from_mins(10)).await.unwrap();
    assert_eq!(report.sent, 1, "{report:?}");

    let list = site.get("/demo/mail", "").await;
    assert!(list.body.contains("priya@demo.test") && list.body.contains("nadia@demo.test"), "{}", list.body);
    let first = list.body.split("href=\"/demo/mail/").nth(1).unwrap().split('"').next().unwrap();
    let mail = site.get(&format!("/demo/mail/{first}"), "").await;
    assert_eq!(mail.status, StatusCode::OK);
    assert!(mail.body.contains("patient@demo.test") && mail.body.contains("/go/"), "{}", mail.body);

    let html = site.get(&format!("/demo/mail/{first}/html"), "").await;
    assert!(html.body.contains("<base target=\"_top\">"), "{}", html.body);
    let policy = html.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'self'"), "{policy}");
    assert_eq!(html.headers[header::X_FRAME_OPTIONS], "SAMEORIGIN");
    let go = html.body.split("http://localhost:8080/go/").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(site.get(&format!("/go/{go}"), "").await.status, StatusCode::OK);

    // No name leads out of the folder.
    for name in ["nothing.eml", "..%2F..%2Fetc%2Fpasswd", ".hidden.eml", "%2Fetc%2Fpasswd"] {
        assert_eq!(site.get(&format!("/demo/mail/{name}"), "").await.status, StatusCode::NOT_FOUND, "{name}");
    }
}
