//! The corpus of naughty texts (`corpus.txt`) through every field of every form, and back through every page, mail and table, in a
//! real browser: nothing runs, nothing is stopped by the policy, nothing complains, and every text is shown as it was typed.
//!
//! This file sets the stage: a clinic, the web server and the worker. The forms are found by `browser/naughty.mjs` on the pages
//! themselves, so that a new form is in it from its first day.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    env,
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
use domain::questionnaire::Every;
use homestretch::connections::{self, Limits, Patience};
use jiff::civil::date;
use render::{Templates, links::Links};
use serde_json::{Value, json};
use testkit::{Db, clock::Clock, people, smtp::Server};
use tokio::{net::TcpListener, process::Command};
use worker::{Composer, Engine, Mailer, Target};

const SECRET: [u8; 32] = [7; 32];
const PASSWORD: &str = "quiet-harbour-lantern";
/// The longest that it may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// What the browser's story may reach behind the pages.
struct House {
    clock: Clock,
    mails: Server,
    engine: Arc<Engine>,
}

#[tokio::test(flavor = "multi_thread")]
async fn naughty_texts_stay_texts() {
    let db = Db::new().await;
    let clock = Clock::at("2026-03-02T10:00:00+08:00");
    let now = clock.now();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());

    let clinic = people::clinic(&db, now).await;
    let farah = clinic.patient("Farah Aziz", "farah@example.test").await;
    let patient = clinic.join(&farah).await;
    let program = clinic.program_for(&farah, date(2026, 2, 23), 6).await;
    clinic.log(&farah, &program, date(2026, 2, 27), Some(9)).await;
    clinic.remind(&farah, &["08:00"], now).await;
    clinic.tenant(async |tx| store::questionnaire::ask(tx, &program, Every::TwoWeeks, date(2026, 2, 23), now).await).await;
    let hash = web::auth::password::hash(PASSWORD).unwrap();
    for account in [clinic.owner.account, clinic.physio.account, patient] {
        let tx = db.store.begin_sign_in().await.unwrap();
        store::account::set_password(&tx, account, &hash, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    let mails = Server::start().await.unwrap();
    let composer = Composer::new(Templates::load().unwrap(), Links::new(&url, &SECRET).unwrap(), "reminders@clinic.test").unwrap();
    let engine = Engine::new(db.store.clone(), Mailer::new(Target::parse(&mails.url()).unwrap()), composer);
    let config = web::Config {
        url: url.clone(),
        secret: SECRET.to_vec().into(),
        demo: false,
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
    };
    let app = web::app(web::AppState::new(db.store.clone(), config, clock.reader()).unwrap());
    tokio::spawn(connections::serve(listener, app, Limits::of(Patience::default(), 500), std::future::pending()));
    let control = serve_control(House { clock, mails, engine: Arc::new(engine) }).await;

    let mut story = Command::new("node")
        .arg("naughty.mjs")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser"))
        .env("BASE", &url)
        .env("CONTROL", &control)
        .env("CHROMIUM", chromium())
        .env("PASSWORD", PASSWORD)
        .env("CORPUS", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/naughty/corpus.txt"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("node cannot be started; bin/test installs it");
    let ended = tokio::time::timeout(PATIENCE, story.wait()).await.expect("it did not end in a quarter of an hour").unwrap();
    assert!(ended.success(), "what went wrong stands above");
    // No statement of the corpus was one to the database.
    assert_ne!(db.row("select count(*) from patient").await, "0");
}

async fn serve_control(house: House) -> String {
    let control = Router::new().route("/tick", post(tick)).route("/mail", get(mail)).with_state(Arc::new(house));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, control).await });
    format!("http://{address}")
}

/// `POST /tick`: the worker writes what is owed.
async fn tick(State(house): State<Arc<House>>) -> Json<Value> {
    let now = house.clock.advance(jiff::SignedDuration::from_mins(2));
    let report = worker::tick(&house.engine, now).await.unwrap();
    Json(json!({ "sent": report.sent }))
}

/// `GET /mail?from=12`: everything that was sent after the first twelve: where to, the names of the headers, the subject, both parts.
async fn mail(State(house): State<Arc<House>>, Query(from): Query<HashMap<String, usize>>) -> Json<Vec<Value>> {
    let mails = house.mails.messages();
    let shown = |mail: &testkit::smtp::Mail| {
        let parsed = mail.parsed();
        let headers: Vec<&str> = parsed.headers().iter().map(|header| header.name()).collect();
        json!({ "to": mail.to, "headers": headers, "subject": mail.subject(), "text": mail.text(), "html": mail.html(), "source": mail.source() })
    };
    Json(mails.iter().skip(from["from"]).map(shown).collect())
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
