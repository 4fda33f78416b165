//! The whole loop in a real browser: a physiotherapist invites and assigns, the worker writes, a patient joins, does the session and
//! says how much it hurt, reminders go to who is still open, and the physiotherapist reads it all.
//!
//! This file sets the stage: a clinic, the web server, the worker and a mail server, all in this process, and a small server through
//! which the story moves the clock, runs a tick and opens the mail. The story itself is `browser/journey.mjs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::{get, post},
};
use domain::program::Program;
use jiff::{Timestamp, civil::Date};
use render::{Templates, links::Links};
use serde_json::{Value, json};
use testkit::{
    Db,
    clock::Clock,
    people::{self, Clinic, Somebody},
    smtp::{Mail, Server},
};
use tokio::{net::TcpListener, process::Command};
use web::{AppState, Config};
use worker::{Composer, Engine, Mailer, Target};

const SECRET: [u8; 32] = [7; 32];
const PASSWORD: &str = "quiet-harbour-lantern";
/// Monday, ten in the morning in Kuala Lumpur: after the hour of the template's reminder.
const BEGIN: &str = "2026-03-02T10:00:00+08:00";
/// The longest that the story may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Everything the story may reach behind the pages.
struct House {
    clock: Clock,
    clinic: Clinic,
    mails: Server,
    engine: Arc<Engine>,
    /// The patients that are there from the beginning with a program, by address.
    patients: BTreeMap<String, (Somebody, Program)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn from_invitation_to_report_in_a_browser() {
    let chromium = chromium();
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/node_modules/playwright-core");
    assert!(modules.exists(), "the browser tests' packages are not there; bin/test fetches them (npm ci in tests/browser)");

    let db = Db::new().await;
    let clock = Clock::at(BEGIN);
    let mails = Server::start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());

    let (clinic, patients) = clinic_with_patients(&db, clock.now()).await;
    let links = Links::new(&url, &SECRET).unwrap();
    let composer = Composer::new(Templates::load().unwrap(), links, "reminders@clinic.test").unwrap();
    let engine = Engine::new(db.store.clone(), Mailer::new(Target::parse(&mails.url()).unwrap()), composer);
    let config = Config { url: url.clone(), secret: SECRET.to_vec().into(), demo: false, trusted_proxies: Vec::new() };
    let web = web::app(AppState::new(db.store.clone(), config, clock.reader()).unwrap());
    tokio::spawn(async move { axum::serve(listener, web.into_make_service_with_connect_info::<SocketAddr>()).await });
    let house = House { clock, clinic, mails, engine: Arc::new(engine), patients };
    let control = serve_control(Arc::new(house)).await;

    let mut story = Command::new("node")
        .arg("journey.mjs")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser"))
        .env("BASE", &url)
        .env("CONTROL", &control)
        .env("CHROMIUM", &chromium)
        .env("PASSWORD", PASSWORD)
        .env("BEGIN", BEGIN)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("node cannot be started; bin/test installs it");
    let ended = tokio::time::timeout(PATIENCE, story.wait()).await.expect("the story did not end in five minutes").unwrap();
    assert!(ended.success(), "the story failed; what it said stands above");
}

/// A clinic whose staff can sign in, and patients: Farah and Ben with a program that began a week ago, Mei and Lena with none.
async fn clinic_with_patients(db: &Db, now: Timestamp) -> (Clinic, BTreeMap<String, (Somebody, Program)>) {
    let clinic = people::clinic(db, now).await;
    let hash = web::auth::password::hash(PASSWORD).unwrap();
    for account in [clinic.owner.account, clinic.physio.account] {
        let tx = db.store.begin_sign_in().await.unwrap();
        store::account::set_password(&tx, account, &hash, now).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut patients = BTreeMap::new();
    for (name, email) in [("Farah Aziz", "farah@example.test"), ("Ben Lee", "ben@example.test")] {
        let who = joined(&clinic, name, email).await;
        let program = clinic.program_for(&who, "2026-02-23".parse().unwrap(), 6).await;
        for day in ["2026-02-23", "2026-02-25"] {
            clinic.log(&who, &program, day.parse().unwrap(), Some(4)).await;
        }
        clinic.remind(&who, &["18:00"], now).await;
        patients.insert(email.to_owned(), (who, program));
    }
    joined(&clinic, "Mei Chen", "mei@example.test").await;
    joined(&clinic, "Lena Ortiz", "lena@example.test").await;
    (clinic, patients)
}

async fn joined(clinic: &Clinic, name: &str, email: &str) -> Somebody {
    let who = clinic.patient(name, email).await;
    clinic.join(&who).await;
    who
}

async fn serve_control(house: Arc<House>) -> String {
    let control = Router::new()
        .route("/clock", post(set_clock))
        .route("/tick", post(tick))
        .route("/mail", get(mail))
        .route("/log", post(log))
        .with_state(house);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, control).await });
    format!("http://{address}")
}

type Given = Query<BTreeMap<String, String>>;

/// `POST /clock?to=2026-03-03T08:00:00%2B08:00`
async fn set_clock(State(house): State<Arc<House>>, Query(given): Given) -> Json<Value> {
    Json(json!({ "now": house.clock.set(&given["to"]).to_string() }))
}

/// `POST /tick`: one round of the worker; what it did, as numbers.
async fn tick(State(house): State<Arc<House>>) -> Json<Value> {
    let report = worker::tick(&house.engine, house.clock.now()).await.unwrap();
    let skipped: Vec<String> = report.skipped.iter().map(|why| format!("{why:?}")).collect();
    Json(json!({
        "planned": report.planned, "sent": report.sent, "retried": report.retried, "dead": report.dead, "unknown": report.unknown,
        "skipped": skipped, "returned": report.returned, "paused": report.paused,
    }))
}

/// `GET /mail?to=farah@example.test`: what came for this address, oldest first; without `to`, everything.
async fn mail(State(house): State<Arc<House>>, Query(given): Given) -> Json<Vec<Value>> {
    let mails = given.get("to").map_or_else(|| house.mails.messages(), |to| house.mails.to(to));
    let shown = |mail: &Mail| json!({ "to": mail.to, "subject": mail.subject(), "text": mail.text(), "html": mail.html(), "links": mail.links() });
    Json(mails.iter().map(shown).collect())
}

/// `POST /log?who=ben@example.test&date=2026-03-03`: somebody does the whole session of a day, elsewhere.
async fn log(State(house): State<Arc<House>>, Query(given): Given) -> Json<Value> {
    let (who, program) = &house.patients[&given["who"]];
    let date: Date = given["date"].parse().unwrap();
    Json(json!({ "log": house.clinic.log(who, program, date, Some(2)).await.to_string() }))
}

/// The browser: `HOMESTRETCH_CHROMIUM`, else the first one in PATH.
fn chromium() -> PathBuf {
    if let Some(named) = env::var_os("HOMESTRETCH_CHROMIUM") {
        return named.into();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut candidates = env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    candidates
        .find(|file| file.is_file())
        .expect("there is no Chromium here; bin/test installs one, or name yours in HOMESTRETCH_CHROMIUM")
}
