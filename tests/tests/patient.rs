//! The patient's side over real Postgres: Today, a session and its log, stop signs, corrections, progress, reminders.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    ids::{AccountId, ClinicId, MembershipId, PatientId, ProgramId},
    program::{Plan, Prescription, Program, Weekdays},
};
use http_body_util::BodyExt;
use jiff::{SignedDuration, civil::date};
use store::{
    Actor, ClinicContext, Store,
    session::{Opening, Reach, SeatId},
};
use testkit::{Db, clock::Clock};
use tower::ServiceExt;
use uuid::Uuid;

/// Sunday 22 November 2026, 08:12 in Kuala Lumpur.
const NOW: &str = "2026-11-22T00:12:00Z";

/// A clinic with one patient, Wei Ling, in week five of "Upper back relief".
struct House {
    db: Db,
    store: Store,
    web: Router,
    clock: Clock,
    clinic: ClinicId,
    patient: PatientId,
    account: AccountId,
    program: Program,
    cookie: String,
}

struct Answer {
    status: StatusCode,
    to: String,
    body: String,
}

impl Answer {
    #[track_caller]
    fn has(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "{text:?} is not on the page ({}):\n{}", self.status, words(&self.body));
        self
    }

    /// The page's words, without its markup, hold this.
    #[track_caller]
    fn reads(&self, text: &str) -> &Self {
        let said = words(&self.body);
        assert!(said.contains(text), "the page does not read {text:?} ({}):\n{said}", self.status);
        self
    }

    #[track_caller]
    fn lacks(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text:?} is on the page:\n{}", words(&self.body));
        self
    }

    #[track_caller]
    fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{} {}", self.to, words(&self.body));
        self
    }
}

/// A page without its markup, for messages.
fn words(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl House {
    async fn new() -> Self {
        Self::with(1, Weekdays::all()).await
    }

    /// With so many sessions a day, on those weekdays, of the article's first two exercises.
    async fn with(times_a_day: u8, weekdays: Weekdays) -> Self {
        let db = Db::new().await;
        let store = Store::connect(db.url()).await.unwrap();
        let clock = Clock::at(NOW);
        let now = clock.now();
        let (clinic, member, patient) = (ClinicId::new(), MembershipId::new(), PatientId::new());
        let (physio, account) = (AccountId::new(), AccountId::new());
        db.execute(&format!(
            "insert into clinic (id, name, phone, whatsapp, created_at)
               values ('{clinic}', 'Riverside Physio', '+60 3-1234 5678', '60123456789', '{now}');
             insert into account (id, email, created_at) values ('{physio}', 'hannah@demo.test', '{now}'), ('{account}', 'weiling@demo.test', '{now}');
             insert into membership (clinic_id, id, account_id, role, name, joined_at, created_at)
               values ('{clinic}', '{member}', '{physio}', 'physiotherapist', 'Hannah Lim', '{now}', '{now}');
             insert into patient (clinic_id, id, account_id, physiotherapist_id, name, email, zone, joined_at, created_at)
               values ('{clinic}', '{patient}', '{account}', '{member}', 'Wei Ling', 'weiling@demo.test', 'Asia/Kuala_Lumpur', '{now}', '{now}')"
        ))
        .await;
        let scope = ClinicContext::new(clinic, Actor::Staff(member));
        let tx = store.begin(&scope).await.unwrap();
        let starter = store::exercise::install_starter(&tx, now).await.unwrap();
        let exercises = store::exercise::by_ids(&tx, &starter.exercises).await.unwrap();
        let prescriptions = starter
            .exercises
            .iter()
            .take(2)
            .map(|id| Prescription { id: domain::ids::PrescriptionId::new(), exercise: *id, dose: exercises[id].dose, note: None })
            .collect();
        let plan = Plan { weekdays, times_a_day, prescriptions };
        let program =
            Program::assign(ProgramId::new(), patient, "Upper back relief", date(2026, 10, 19), date(2026, 11, 29), plan).unwrap();
        store::program::insert(&tx, &program, now).await.unwrap();
        tx.commit().await.unwrap();
        let config = web::Config {
            url: "http://localhost:8080".into(),
            secret: vec![7; 32].into(),
            demo: false,
            trusted_proxies: Vec::new(),
        };
        let web = web::app(web::AppState::new(store.clone(), config, clock.reader()).unwrap());
        let mut house = Self { db, store, web, clock, clinic, patient, account, program, cookie: String::new() };
        house.cookie = house.sign_in(Reach::Full).await;
        house
    }

    async fn sign_in(&self, reach: Reach) -> String {
        let (account, clinic, seat, now) = (self.account, self.clinic, SeatId::Patient(self.patient), self.clock.now());
        let opening = Opening { account, clinic, seat, reach, until: None, user_agent: None, address: None, mailed_to: None };
        let tx = self.store.begin_sign_in().await.unwrap();
        let token = store::session::open(&tx, opening, now).await.unwrap();
        tx.commit().await.unwrap();
        format!("homestretch={}", BASE64_URL_SAFE_NO_PAD.encode(token))
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(String, String)]) -> Answer {
        let body = fields.iter().map(|(name, value)| format!("{}={}", coded(name), coded(value))).collect::<Vec<_>>().join("&");
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, "http://localhost:8080")
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    async fn send(&self, mut request: Request<Body>) -> Answer {
        if !self.cookie.is_empty() {
            request.headers_mut().insert(header::COOKIE, self.cookie.parse().unwrap());
        }
        let response = self.web.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let to = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, to, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn session(&self) -> String {
        format!("/session/{}", self.program.id)
    }

    fn prescription(&self, at: usize) -> String {
        self.program.versions[0].prescriptions[at].id.to_string()
    }

    /// The form as the page sends it, with everything done and pain 3 → 2.
    fn done(&self, log: Uuid, on: &str) -> Vec<(String, String)> {
        let mut fields = vec![
            ("log_id".to_owned(), log.to_string()),
            ("date".to_owned(), on.to_owned()),
            ("pain_before".to_owned(), "3".to_owned()),
            ("pain_after".to_owned(), "2".to_owned()),
            ("effort".to_owned(), "3".to_owned()),
            ("note".to_owned(), String::new()),
        ];
        for at in 0..self.program.versions[0].prescriptions.len() {
            fields.push((format!("outcome-{}", self.prescription(at)), "done".to_owned()));
        }
        fields
    }

    async fn logs(&self) -> Vec<String> {
        self.db.rows("select date, pain_before, pain_after, effort, completion, note from session_log order by date, id").await
    }
}

fn set(fields: &mut Vec<(String, String)>, name: &str, value: &str) {
    fields.retain(|(field, _)| field != name);
    fields.push((name.to_owned(), value.to_owned()));
}

fn coded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// The value of a hidden field on a page.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no field {name}"));
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn from_today_to_a_saved_log_and_back() {
    let house = House::new().await;
    let today = house.get("/today").await;
    today
        .is(200)
        .has("Good morning, Wei Ling")
        .has("Sunday 22 November")
        .has("Start session")
        .has("Week 5 of 6")
        .has("wa.me/60123456789");

    let page = house.get(&house.session()).await;
    page.is(200).has("Hold 15–30 s · 3 times").has("name=\"pain_after\"").has("Anything Hannah Lim should know?");
    page.lacks(" checked");
    let log: Uuid = hidden(&page.body, "log_id").parse().unwrap();

    let saved = house.post(&house.session(), &house.done(log, &hidden(&page.body, "date"))).await;
    saved.is(303);
    house
        .get(&saved.to)
        .await
        .is(200)
        .has("Saved. Thank you.")
        .has("Done for today")
        .has("Monday 23 November")
        .has("Sunday 29 November");
    assert_eq!(house.logs().await, ["2026-11-22|3|2|3|1|"]);
}

#[tokio::test]
async fn the_same_log_twice_is_one_log() {
    let house = House::new().await;
    let log = Uuid::now_v7();
    let first = house.post(&house.session(), &house.done(log, "2026-11-22")).await;
    let mut again = house.done(log, "2026-11-22");
    set(&mut again, "pain_after", "9");
    let second = house.post(&house.session(), &again).await;
    first.is(303);
    second.is(303);
    assert_eq!(first.to, second.to);
    assert_eq!(house.logs().await, ["2026-11-22|3|2|3|1|"]);
}

#[tokio::test]
async fn pain_that_was_not_given_is_not_zero() {
    let house = House::new().await;
    let mut fields = house.done(Uuid::now_v7(), "2026-11-22");
    fields.retain(|(name, _)| name != "pain_before" && name != "effort");
    set(&mut fields, "pain_after", "none");
    house.post(&house.session(), &fields).await.is(303);
    let mut zero = house.done(Uuid::now_v7(), "2026-11-21");
    set(&mut zero, "pain_after", "0");
    house.post(&house.session(), &zero).await.is(303);
    assert_eq!(house.logs().await, ["2026-11-21|3|0|3|1|", "2026-11-22||||1|"]);
}

#[tokio::test]
async fn what_cannot_stand_is_told_where_it_was_typed_and_changes_nothing() {
    let house = House::new().await;
    let (first, second) = (house.prescription(0), house.prescription(1));
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[("pain_after", "11")], "Pain is a number from 0 to 10"),
        (&[("pain_before", "-1")], "Pain is a number from 0 to 10"),
        (&[("effort", "eleven")], "Choose one of the five"),
        (&[("date", "2026-11-23")], "That day has not come yet"),
        (&[("date", "2026-11-14")], "That day is too long ago"),
        (&[("date", "yesterday")], "We could not read the date"),
        (&[("log_id", "7")], "Your exercises have changed"),
        (&[("note", &"n".repeat(2001))], "The note is too long"),
        (&[(&format!("outcome-{first}"), "")], "Say how this one went"),
    ];
    for (changes, sentence) in cases {
        let mut fields = house.done(Uuid::now_v7(), "2026-11-22");
        set(&mut fields, "note", "Felt stiff <this> morning");
        for (name, value) in changes {
            set(&mut fields, name, value);
        }
        let refused = house.post(&house.session(), &fields).await;
        refused.is(422).has(sentence).has("role=\"alert\"").has(&format!("name=\"outcome-{second}\" value=\"done\" checked"));
        if !changes.iter().any(|(name, _)| *name == "note") {
            refused.has("Felt stiff &lt;this&gt; morning");
        }
    }

    let mut fields = house.done(Uuid::now_v7(), "2026-11-22");
    set(&mut fields, &format!("outcome-{first}"), "some");
    set(&mut fields, &format!("reps-{first}"), "10");
    set(&mut fields, &format!("hold-{first}"), "15");
    set(&mut fields, &format!("outcome-{second}"), "skipped");
    let refused = house.post(&house.session(), &fields).await;
    refused.is(422).has("more than three times").has("Choose why you skipped it").has("value=\"10\"");
    for nonsense in ["", "0", "-3", "10-", "ten", "99999999999"] {
        set(&mut fields, &format!("reps-{first}"), nonsense);
        house.post(&house.session(), &fields).await.is(422);
    }
    assert!(house.logs().await.is_empty());
}

#[tokio::test]
async fn some_of_it_and_skipped_with_a_reason_count_as_they_are() {
    let house = House::new().await;
    let (first, second) = (house.prescription(0), house.prescription(1));
    let mut fields = house.done(Uuid::now_v7(), "2026-11-22");
    set(&mut fields, &format!("outcome-{first}"), "some");
    set(&mut fields, &format!("reps-{first}"), "2");
    set(&mut fields, &format!("hold-{first}"), "15");
    set(&mut fields, &format!("outcome-{second}"), "skipped");
    set(&mut fields, &format!("reason-{second}"), "no_time");
    set(&mut fields, "note", "In a hurry");
    let saved = house.post(&house.session(), &fields).await;
    saved.is(303);
    house.get(&saved.to).await.has("You did 1 of 2 exercises").has("Hannah Lim can read your note");
    // Two of three holds, and nothing of the other exercise: a third of the session.
    let completion = house.db.row("select round(completion::numeric, 4) from session_log").await;
    assert_eq!(completion, "0.3333");
    let entries = house.db.rows("select sets, reps, hold_s, skipped from log_entry order by skipped nulls first").await;
    assert_eq!(entries, ["1|2|15|", "|||no_time"]);
}

#[tokio::test]
async fn a_stop_sign_pauses_at_once_whatever_else_is_wrong() {
    let house = House::new().await;
    let first = house.prescription(0);
    let mut fields = house.done(Uuid::now_v7(), "2026-11-22");
    set(&mut fields, "pain_after", "11");
    fields.retain(|(name, _)| *name != format!("outcome-{first}"));
    fields.push(("red_flag".into(), "numbness_or_weakness".into()));
    fields.push(("red_flag".into(), "unsteady_walking".into()));
    let saved = house.post(&house.session(), &fields).await;
    saved.is(303);
    house
        .get(&saved.to)
        .await
        .has("Stop and call the clinic")
        .has("999 in Malaysia")
        .has("tel:+60312345678")
        .has("Unsteady when walking")
        .lacks("Start session");
    assert_eq!(house.db.rows("select from_date, until_date, needs_physiotherapist from program_pause").await, ["2026-11-22||t"]);
    assert_eq!(house.db.row("select red_flags, pain_after from session_log").await, "{numbness_or_weakness,unsteady_walking}|");

    // Only a physiotherapist goes on: the session no longer opens, and another log is not taken.
    house.get(&house.session()).await.is(303);
    house.post(&house.session(), &house.done(Uuid::now_v7(), "2026-11-22")).await.is(422).has("speak with your clinic");
    house.get("/today").await.has("Stop and call the clinic");
    assert_eq!(house.logs().await.len(), 1);
}

#[tokio::test]
async fn a_stop_sign_pauses_even_when_the_day_cannot_be_logged() {
    let house = House::new().await;
    let mut fields = house.done(Uuid::now_v7(), "2026-12-24");
    fields.push(("red_flag".into(), "chest_pain_or_breathlessness".into()));
    house.post(&house.session(), &fields).await.is(303);
    assert_eq!(house.db.row("select date from session_log").await, "2026-11-22");
    assert_eq!(house.db.row("select count(*) from program_pause where needs_physiotherapist").await, "1");
}

#[tokio::test]
async fn twice_a_day_is_done_after_the_second() {
    let house = House::with(2, Weekdays::all()).await;
    house.get("/today").await.has("Start session 1 of 2");
    house.post(&house.session(), &house.done(Uuid::now_v7(), "2026-11-22")).await.is(303);
    house.get("/today").await.has("1 of 2 done today").has("Do it again later");
    house.post(&house.session(), &house.done(Uuid::now_v7(), "2026-11-22")).await.is(303);
    house.get("/today").await.has("Done for today");
}

#[tokio::test]
async fn a_missed_day_can_still_be_logged_without_blame() {
    let house = House::new().await;
    house.get("/today").await.has("Log yesterday").has(&format!("{}?date=2026-11-21", house.session()));
    let page = house.get(&format!("{}?date=2026-11-21", house.session())).await;
    page.is(200).has("You are logging Saturday 21 November");
    let saved = house.post(&house.session(), &house.done(Uuid::now_v7(), "2026-11-21")).await;
    house.get(&saved.to).await.has("Saved for Saturday 21 November").lacks("Log yesterday");
    house.get(&format!("{}?date=2026-11-23", house.session())).await.is(422).has("That day has not come yet");
    house.get(&format!("{}?date=2026-11-14", house.session())).await.is(422).has("too long ago");
    house.get(&format!("{}?date=nonsense", house.session())).await.is(422);
}

#[tokio::test]
async fn the_states_of_a_program() {
    let house = House::with(1, Weekdays::from_bits(0b011_1111).unwrap()).await;
    house.get("/today").await.has("A rest day").has("Monday 23 November").lacks("Start session");
    house.clock.set("2026-10-17T00:00:00Z");
    house.get("/today").await.has("Starts Monday 19 October");
    house.clock.set("2026-12-10T00:00:00Z");
    house.get("/today").await.has("Finished on Sunday 29 November");
    house.get(&house.session()).await.is(422).has("does not include that day");
    house.clock.set("2026-11-23T00:00:00Z");
    house
        .db
        .execute(&format!(
            "insert into program_pause (clinic_id, id, program_id, patient_id, from_date, until_date, reason, created_at)
             values ('{}', '{}', '{}', '{}', '2026-11-20', '2026-11-25', 'Travelling', now())",
            house.clinic,
            Uuid::now_v7(),
            house.program.id,
            house.patient
        ))
        .await;
    house.get("/today").await.has("paused up to and including Wednesday 25 November").has("Travelling").lacks("Start session");
    house.db.execute("delete from program_pause; delete from prescription; delete from program_version; delete from program").await;
    house.get("/today").await.is(200).has("No program yet").has("Hannah Lim has not given you a program");
    house.get("/progress").await.is(200).has("Nothing here yet");
}

#[tokio::test]
async fn a_log_is_corrected_for_seven_days_and_the_earlier_one_is_kept() {
    let house = House::new().await;
    let log = Uuid::now_v7();
    house.post(&house.session(), &house.done(log, "2026-11-22")).await.is(303);
    let path = format!("/logs/{log}");
    let page = house.get(&path).await;
    page.is(200).has("You can correct this log until Sunday 29 November").has("name=\"pain_after\" value=\"2\" checked");

    let mut fields = house.done(log, "2026-11-22");
    set(&mut fields, "pain_after", "5");
    set(&mut fields, "note", "It came later");
    house.post(&path, &fields).await.is(303);
    assert_eq!(house.logs().await, ["2026-11-22|3|5|3|1|It came later"]);
    assert_eq!(
        house.db.rows("select before->>'pain_after', jsonb_array_length(before->'entries') from log_revision").await,
        ["2|2"]
    );
    house.get(&path).await.has("The earlier version is kept");

    set(&mut fields, "pain_after", "12");
    house.post(&path, &fields).await.is(422).has("Pain is a number").has("It came later");

    house.clock.advance(SignedDuration::from_hours(8 * 24));
    house.get(&path).await.is(200).has("those have passed").has("5 of 10").lacks("Save the correction");
    set(&mut fields, "pain_after", "1");
    house.post(&path, &fields).await.is(422);
    assert_eq!(house.logs().await, ["2026-11-22|3|5|3|1|It came later"]);
}

#[tokio::test]
async fn a_stranger_finds_nothing() {
    let house = House::new().await;
    let log = Uuid::now_v7();
    house.post(&house.session(), &house.done(log, "2026-11-22")).await.is(303);
    let other = House::new().await;
    let foreign = format!("/session/{}", other.program.id);
    house.get(&foreign).await.is(404);
    house.post(&foreign, &house.done(Uuid::now_v7(), "2026-11-22")).await.is(404);
    for path in [format!("/session/{}", Uuid::now_v7()), format!("/logs/{}", Uuid::now_v7()), "/logs/x".to_owned()] {
        house.get(&path).await.is(404);
    }

    // Another patient of the same clinic.
    let (patient, account, now) = (PatientId::new(), AccountId::new(), house.clock.now());
    house
        .db
        .execute(&format!(
            "insert into account (id, email, created_at) values ('{account}', 'farah@demo.test', '{now}');
             insert into patient (clinic_id, id, account_id, name, email, zone, joined_at, created_at)
               values ('{}', '{patient}', '{account}', 'Farah', 'farah@demo.test', 'Asia/Kuala_Lumpur', '{now}', '{now}')",
            house.clinic
        ))
        .await;
    let mut farah = House { patient, account, cookie: String::new(), ..house };
    farah.cookie = farah.sign_in(Reach::Full).await;
    farah.get(&farah.session()).await.is(404);
    farah.get(&format!("/logs/{log}")).await.is(404);
    let stolen = farah.done(log, "2026-11-22");
    farah.post(&farah.session(), &stolen).await.is(404);
    farah.post(&format!("/logs/{log}"), &stolen).await.is(404);
    assert_eq!(farah.logs().await.len(), 1);
    farah.get(&format!("/today?saved={log}")).await.is(200).lacks("Saved");

    farah.cookie.clear();
    for path in ["/today", "/progress", "/reminders", &farah.session()] {
        assert!(farah.get(path).await.is(303).to.starts_with("/sign-in?next="));
    }
}

#[tokio::test]
async fn a_one_tap_link_opens_today_and_nothing_else() {
    let mut house = House::new().await;
    house.cookie = house.sign_in(Reach::Today).await;
    house.get("/today").await.is(200).has("Start session").lacks("Log yesterday").lacks("daytile");
    house.get(&house.session()).await.is(200);
    let log = Uuid::now_v7();
    let saved = house.post(&house.session(), &house.done(log, "2026-11-22")).await;
    house.get(&saved.to).await.is(200).has("Saved. Thank you.").lacks(&format!("/logs/{log}"));
    assert_eq!(house.get("/session").await.is(303).to, "/today", "nothing more is due");
    for path in ["/progress".to_owned(), "/reminders".to_owned(), format!("/logs/{log}")] {
        assert!(house.get(&path).await.is(303).to.starts_with("/sign-in?next="), "{path}");
    }
    house.post(&format!("/logs/{log}"), &house.done(log, "2026-11-22")).await.is(303);
    assert_eq!(house.db.row("select count(*) from log_revision").await, "0");
}

#[tokio::test]
async fn a_one_tap_link_shows_no_other_day_and_logs_none() {
    let mut house = House::new().await;
    let yesterdays = Uuid::now_v7();
    house.post(&house.session(), &house.done(yesterdays, "2026-11-21")).await.is(303);
    house.db.execute("update session_log set note = 'My own words'").await;
    let full = std::mem::take(&mut house.cookie);
    house.cookie = house.sign_in(Reach::Today).await;

    for day in ["2026-11-21", "2026-11-18", "2026-11-15", "2026-11-23", "2020-01-01"] {
        let path = format!("{}?date={day}", house.session());
        let page = house.get(&path).await;
        page.is(303);
        assert_eq!(page.to, format!("/sign-in?next={}%3Fdate%3D{day}", house.session()), "signing in leads on to it");
        let log = Uuid::now_v7();
        let refused = house.post(&house.session(), &house.done(log, day)).await;
        refused.is(422).has("opens today’s session only. Sign in to log another day.").lacks("My own words");
    }
    house.get(&format!("{}?date=2026-11-22", house.session())).await.is(200);
    assert_eq!(house.logs().await.len(), 1, "yesterday’s, by the password");
    house.get(&format!("/today?saved={yesterdays}")).await.is(200).lacks("Saved").lacks("My own words");

    // A stop sign is heard whatever day it came with, and is today’s.
    let mut signed = house.done(Uuid::now_v7(), "2026-11-18");
    signed.push(("red_flag".to_owned(), "chest_pain_or_breathlessness".to_owned()));
    house.post(&house.session(), &signed).await;
    assert_eq!(house.db.row("select count(*) from program_pause where needs_physiotherapist").await, "1");
    let dates = house.db.rows("select date from session_log order by date").await;
    assert_eq!(dates, ["2026-11-21", "2026-11-22"], "nothing on the day that was asked for");

    house.cookie = full;
    house.get(&format!("{}?date=2026-11-18", house.session())).await.is(200).has("Wednesday 18 November");
}

#[tokio::test]
async fn progress_counts_what_was_due_and_pages_through_the_logs() {
    let house = House::new().await;
    house.get("/progress").await.has("0 of 34 sessions").has("The last four weeks");
    house
        .db
        .execute(&format!(
            "insert into session_log (clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at, pain_before, pain_after, completion)
             select '{}', gen_random_uuid(), '{}', '{}', (select id from program_version), d, d, d, 6, 5 - (d::date - date '2026-10-19') / 10, 1
             from generate_series(date '2026-10-19', date '2026-11-17', interval '1 day') d",
            house.clinic, house.patient, house.program.id
        ))
        .await;
    let page = house.get("/progress").await;
    page.is(200).has("30 of 34 sessions").has("Tuesday 17 November").has("Pain 6 before, 3 after").has("in the last 7 it was 3.0");
    let next = page.body.split("href=\"/progress?before=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let older = house.get(&format!("/progress?before={next}")).await;
    older.is(200).has("Monday 19 October").lacks("Tuesday 17 November").lacks("Older sessions");
    house.get("/progress?before=nonsense").await.is(200).has("Tuesday 17 November");
}

#[tokio::test]
async fn progress_is_about_the_newest_program_and_the_list_about_all() {
    let house = House::new().await;
    house.get("/progress").await.has("0 of 34 sessions").lacks("in this program");
    house
        .db
        .execute(&format!(
            "insert into program (clinic_id, id, patient_id, name, starts_on, ends_on, created_at)
             values ('{clinic}', '{old}', '{patient}', 'Knee, a year ago', '2025-09-01', '2025-09-30', now());
             insert into program_version (clinic_id, id, program_id, patient_id, number, from_date, weekdays, times_a_day, created_at)
             values ('{clinic}', '{old}', '{old}', '{patient}', 1, '2025-09-01', 127, 1, now());
             insert into session_log (clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at, pain_after, completion)
             select '{clinic}', gen_random_uuid(), '{patient}', '{old}', '{old}', d, d, d, 9, 1
             from generate_series(date '2025-09-01', date '2025-09-05', interval '1 day') d",
            clinic = house.clinic,
            patient = house.patient,
            old = "00000000-0000-7000-8000-000000000001"
        ))
        .await;
    let page = house.get("/progress").await;
    page.is(200).has("0 of 34 sessions").has("in this program, since 19 October 2026").has("Friday 5 September");
    page.lacks("Pain</h2>");
}

#[tokio::test]
async fn reminders_at_the_patients_own_hours() {
    let house = House::new().await;
    house
        .get("/reminders")
        .await
        .is(200)
        .has("weiling@demo.test")
        .has("Between 21:00 and 07:00")
        .has("No reminders in the next 7 days. You have not chosen an hour.");
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut fields = vec![
        field("reminders", "on"),
        field("time", "08:00"),
        field("time", "18:30"),
        field("time", ""),
        field("day", "0"),
        field("day", "6"),
        field("paused_until", ""),
    ];
    house.post("/reminders", &fields).await.is(303);
    // At 08:12 on Sunday the morning's is over; one is left today, two on Monday.
    house
        .get("/reminders")
        .await
        .reads("Sun 22 Nov 18:30 · 3-minute session Mon 23 Nov 08:00 · 3-minute session 18:30 · 3-minute session")
        .reads("Tue 24 Nov Tuesday is not one of your days.");
    assert_eq!(
        house.db.rows("select local_time, weekdays, due_at at time zone 'UTC' from reminder_rule order by local_time").await,
        ["08:00:00|65|2026-11-23 00:00:00", "18:30:00|65|2026-11-22 10:30:00"]
    );

    for (name, value, sentence) in [
        ("time", "22:00", "sends nothing between 21:00 and 07:00"),
        ("time", "25:99", "hours and minutes"),
        ("paused_until", "2026-11-21", "That day has passed"),
        ("paused_until", "soon", "year, month and day"),
        ("reminders", "perhaps", "Choose “On” or “Off”"),
    ] {
        let mut wrong = fields.clone();
        let at = wrong.iter().position(|(field, _)| field == name).unwrap();
        wrong[at].1 = value.to_owned();
        house.post("/reminders", &wrong).await.is(422).has(sentence).has("value=\"18:30\"");
    }
    let no_day: Vec<_> = fields.iter().filter(|(name, _)| name != "day").cloned().collect();
    house.post("/reminders", &no_day).await.is(422).has("Choose at least one day");

    set(&mut fields, "paused_until", "2026-11-23");
    house.post("/reminders", &fields).await.is(303);
    house
        .get("/reminders")
        .await
        .has("value=\"2026-11-23\"")
        .reads("Mon 23 Nov You have paused reminders up to and including 23 November.");
    house.clock.set("2026-11-24T00:12:00Z");
    house
        .get("/reminders")
        .await
        .reads("Sun 29 Nov 08:00 · 3-minute session 18:30 · 3-minute session Mon 30 Nov Your program ended on 29 November.");
    set(&mut fields, "paused_until", "");

    set(&mut fields, "reminders", "off");
    house.post("/reminders", &fields).await.is(303);
    house.get("/reminders").await.has("Reminders are off").has("No reminders in the next 7 days").has("value=\"18:30\"");
    assert_eq!(house.db.row("select scope from suppression").await, "reminders");
    set(&mut fields, "reminders", "on");
    house.post("/reminders", &fields).await.is(303);
    assert_eq!(house.db.row("select count(*) from suppression").await, "0");

    house
        .db
        .execute(&format!(
            "insert into suppression (clinic_id, email, scope, reason, created_at) values ('{}', 'weiling@demo.test', 'all', 'bounced', now())",
            house.clinic
        ))
        .await;
    house.get("/reminders").await.has("came back");
}

#[tokio::test]
async fn the_morning_before_a_revision_is_logged_by_the_plan_it_was_done_by() {
    let house = House::new().await;
    let fields = house.done(Uuid::now_v7(), "2026-11-22");
    let (mut program, now) = (house.program.clone(), house.clock.now());
    let scope = ClinicContext::new(house.clinic, Actor::System);
    let plan = Plan {
        weekdays: Weekdays::all(),
        times_a_day: 1,
        prescriptions: program.versions[0].prescriptions[..1]
            .iter()
            .map(|prescription| Prescription { id: domain::ids::PrescriptionId::new(), ..prescription.clone() })
            .collect(),
    };
    let version = program.revise(plan, date(2026, 11, 22), date(2026, 11, 22)).unwrap().clone();
    let tx = house.store.begin(&scope).await.unwrap();
    store::program::add_version(&tx, &program, &version, now).await.unwrap();
    tx.commit().await.unwrap();
    house.post(&house.session(), &fields).await.is(303);
    assert_eq!(
        house.db.row("select completion, (select number from program_version v where v.id = version_id) from session_log").await,
        "1|1"
    );
    house.get("/today").await.has("Done for today");
}

#[tokio::test]
async fn the_day_is_the_patients_own() {
    let house = House::new().await;
    // Sunday 23:30 in Kuala Lumpur is Sunday afternoon in London.
    house.clock.set("2026-11-22T15:30:00Z");
    house.get("/today").await.has("Sunday 22 November").has("Good evening");
    house.clock.set("2026-11-22T16:30:00Z");
    house.get("/today").await.has("Monday 23 November");
}
