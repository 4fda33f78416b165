//! `bench pages`: pages with and without row-level security and the audit, sign-ins beside argon2's own limit, and pages while two hundred
//! people sign in.
//!
//! The web server runs in this process and is asked without a socket; the database is real. What is compared differs in the database
//! alone: the same rows, the same program, once with its policies switched off and its audit writing nothing.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use axum::Router;
use jiff::{ToSpan as _, civil::date};
use serde_json::json;
use store::Store;
use testkit::{Db, clock::Clock, people, proxy::Proxy};

use crate::{
    asking::{Page, app, get, pace, rate, sign_in},
    machine,
    report::{Goal, Report, Series},
};

const PASSWORD: &str = "four quiet garden chairs";
/// Clinics of the installation. A chain of entries is a clinic's own, so people of one clinic wait for each other, and of two not.
const CLINICS: usize = 8;
/// Patients of each; each has a month of sessions, and an account.
const PATIENTS: usize = 5;
/// Requests under way at once, from one clinic each.
const AT_ONCE: usize = 8;
/// People who sign in at once.
const CROWD: usize = 200;

/// How much to measure.
#[derive(Debug, clap::Args)]
pub struct Pages {
    /// Rounds; each measures everything once, in turn
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How long each figure is measured in a round, in seconds
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Where the JSON and the Markdown go
    #[arg(long, default_value = "target/bench")]
    out: std::path::PathBuf,
}

/// Clinics behind a web server in this process; a patient and a physiotherapist of each are signed in.
struct Site {
    db: Db,
    app: Router,
    patients: Vec<Page>,
    records: Vec<Page>,
}

/// Measures, prints, and writes `pages.json` and `pages.md`.
pub async fn run(wanted: &Pages) -> Result<()> {
    std::fs::create_dir_all(&wanted.out).with_context(|| format!("cannot make {}", wanted.out.display()))?;
    let span = Duration::from_secs(wanted.seconds);
    println!("Making three installations of {CLINICS} clinics…");
    let guarded = Site::make().await?;
    let machine = machine::describe(&guarded.db).await?;
    let unguarded = Site::make().await?;
    without_policies(&unguarded.db).await;
    let bare = Site::make().await?;
    without_policies(&bare.db).await;
    bare.db
        .execute(
            "create or replace function audit_append(at timestamptz, account uuid, membership uuid, actor_patient uuid, deed text, subject text,
               patient uuid, request uuid, address text, detail text) returns void language sql as $$ $$",
        )
        .await;

    let mut report = Report::default();
    let trips = round_trips(&guarded).await?;
    for (what, trips) in ["Today", "a patient's record"].iter().zip(trips) {
        report.goal(&format!("round trips of {what}"), &Series::single(trips), 0, "", Goal::AtMost(3.0));
    }
    type Asked = fn(&Site) -> Vec<Page>;
    let cases: [(&str, Asked); 3] = [
        ("Today", |site| site.patients.clone()),
        ("a patient's record", |site| site.records.clone()),
        ("Today, all of one patient", |site| vec![site.patients[0].clone(); AT_ONCE]),
    ];
    for (place, (what, of)) in cases.into_iter().enumerate() {
        let [mut with, mut without, mut audited] = [Series::default(), Series::default(), Series::default()];
        for _ in 0..wanted.rounds {
            with.push(rate(&guarded.app, &of(&guarded), span).await?);
            without.push(rate(&bare.app, &of(&bare), span).await?);
            audited.push(rate(&unguarded.app, &of(&unguarded), span).await?);
        }
        report.line(&format!("{what}, with row-level security and audit"), &with, 0, "/s");
        report.line(&format!("{what}, without either"), &without, 0, "/s");
        let both = format!("{what}: with both by without either");
        match place {
            // The worst there is: eight at the same link of the same chain. No goal is set for it.
            2 => report.line(&both, &with.over(&without), 2, ""),
            _ => report.goal(&both, &with.over(&without), 2, "", Goal::AtLeast(0.85)),
        }
        report.line(&format!("{what}: with both by with the audit alone"), &with.over(&audited), 2, "");
    }
    sign_ins(&guarded, wanted.rounds, span, &mut report).await?;
    crowd(&guarded, wanted.rounds, span, &mut report).await?;

    let sizes = json!({ "clinics": CLINICS, "patients": PATIENTS, "rounds": wanted.rounds, "seconds": wanted.seconds, "at_once": AT_ONCE, "crowd": CROWD });
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let head = format!(
        "{} cores of {}; PostgreSQL {} with fsync {} and synchronous_commit {}; {} rounds of {} s; {AT_ONCE} requests at once; load before the \
         run {}.",
        machine["cores"],
        text(&machine["cpu"]),
        text(&machine["postgres"]),
        text(&machine["settings"]["fsync"]),
        text(&machine["settings"]["synchronous_commit"]),
        wanted.rounds,
        wanted.seconds,
        text(&machine["load_before"]),
    );
    std::fs::write(wanted.out.join("pages.json"), format!("{:#}\n", report.json(&machine, &sizes)))?;
    std::fs::write(wanted.out.join("pages.md"), report.markdown(&head))?;
    println!("\n{head}\nWritten to {}", wanted.out.display());
    Ok(())
}

impl Site {
    async fn make() -> Result<Self> {
        let db = Db::new().await;
        let clock = Clock::at("2026-03-02T08:00:00+08:00");
        let hash = web::auth::password::hash(PASSWORD).map_err(anyhow::Error::msg)?;
        let (mut clinics, mut firsts) = (Vec::new(), Vec::new());
        for number in 0..CLINICS {
            let clinic =
                people::clinic_called(&db, &format!("Clinic {number}"), &format!("clinic{number}.test"), clock.now()).await;
            for place in 0..PATIENTS {
                let name = format!("Patient {number} {place}");
                let who = clinic.patient(&name, &address(place * CLINICS + number)).await;
                let program = clinic.program_for(&who, date(2026, 2, 2), 12).await;
                for back in 1..=28_i64 {
                    clinic.log(&who, &program, date(2026, 3, 2).saturating_sub(back.days()), Some(3)).await;
                }
                clinic.join(&who).await;
                if place == 0 {
                    firsts.push(who.id);
                }
            }
            clinics.push(clinic);
        }
        // One hash for all: what is measured is comparing.
        db.execute(&format!("update account set password_hash = '{hash}'")).await;
        db.execute("vacuum analyze").await;
        let store = Store::connect(db.url()).await?;
        let app = app(store, &clock)?;
        let (mut patients, mut records) = (Vec::new(), Vec::new());
        for (number, (clinic, id)) in clinics.iter().zip(firsts).enumerate() {
            patients.push(Page { path: "/today".into(), cookie: sign_in(&app, &address(number), PASSWORD).await? });
            let cookie = sign_in(&app, clinic.physio.email.as_str(), PASSWORD).await?;
            records.push(Page { path: format!("/patients/{id}"), cookie });
        }
        Ok(Self { db, app, patients, records })
    }
}

/// Of the patient of a number; neighbours are of different clinics.
fn address(number: usize) -> String {
    format!("patient{}@home.test", number % (CLINICS * PATIENTS))
}

/// The policies stand in the catalog and are not asked.
async fn without_policies(db: &Db) {
    for table in db.rows("select relname from pg_class where relrowsecurity and relkind = 'r'").await {
        db.execute(&format!("alter table {table} no force row level security; alter table {table} disable row level security"))
            .await;
    }
}

/// Sign-ins per second beside what argon2 can do on all cores with the same parameters.
async fn sign_ins(site: &Site, rounds: u32, span: Duration, report: &mut Report) -> Result<()> {
    let [mut ours, mut limit] = [Series::default(), Series::default()];
    for _ in 0..rounds {
        limit.push(hashes(span)?);
        let app = site.app.clone();
        let deed = move |at| {
            let app = app.clone();
            async move { sign_in(&app, &address(at), PASSWORD).await.map(drop) }
        };
        ours.push(pace(AT_ONCE, span, deed).await?);
    }
    report.line("argon2id (19 MiB, 2 passes), all cores", &limit, 1, "/s");
    report.line("sign-ins", &ours, 1, "/s");
    report.goal("sign-ins by argon2's limit", &ours.over(&limit), 2, "", Goal::AtLeast(0.9));
    Ok(())
}

/// Hashes per second with one thread a core, each with its own memory used again and again.
fn hashes(span: Duration) -> Result<f64> {
    let params = Params::new(19_456, 2, 1, Some(32)).map_err(|error| anyhow::anyhow!("{error}"))?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let (over, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let watch = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                let (mut memory, mut out) = (vec![Block::default(); params.block_count()], [0; 32]);
                while !over.load(Ordering::Relaxed) {
                    if argon2
                        .hash_password_into_with_memory(PASSWORD.as_bytes(), b"sixteen bytes of", &mut out, &mut memory[..])
                        .is_ok()
                    {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        std::thread::sleep(span);
        over.store(true, Ordering::Relaxed);
    });
    #[allow(clippy::cast_precision_loss, reason = "a few hundred")]
    Ok(count.load(Ordering::Relaxed) as f64 / watch.elapsed().as_secs_f64())
}

/// How long pages take, one after the other, alone and while [`CROWD`] people sign in.
async fn crowd(site: &Site, rounds: u32, span: Duration, report: &mut Report) -> Result<()> {
    let [mut alone, mut beside] = [[Series::default(), Series::default()], [Series::default(), Series::default()]];
    for _ in 0..rounds {
        for (at, value) in latencies(site, span).await?.into_iter().enumerate() {
            alone[at].push(value);
        }
        let people: Vec<_> = (0..CROWD)
            .map(|number| {
                let app = site.app.clone();
                tokio::spawn(async move {
                    let _ = sign_in(&app, &address(number), PASSWORD).await;
                })
            })
            .collect();
        // They take some two seconds; only pages asked for meanwhile count.
        for (at, value) in latencies(site, span.min(Duration::from_millis(1500))).await?.into_iter().enumerate() {
            beside[at].push(value);
        }
        for person in people {
            person.await?;
        }
    }
    for (at, percent) in [(0, 50), (1, 99)] {
        report.line(&format!("Today, p{percent}, nobody signing in"), &alone[at], 2, " ms");
        report.line(&format!("Today, p{percent}, while {CROWD} sign in"), &beside[at], 2, " ms");
    }
    report.goal("Today, p99: while they sign in by alone", &beside[1].over(&alone[1]), 2, " ×", Goal::AtMost(2.0));
    Ok(())
}

/// The median and the 99th percentile of Today, in milliseconds, for one browser that asks again and again.
async fn latencies(site: &Site, span: Duration) -> Result<[f64; 2]> {
    let whole = Instant::now();
    let mut taken = Vec::new();
    while whole.elapsed().as_secs_f64() < span.as_secs_f64() {
        let one = Instant::now();
        get(&site.app, &site.patients[0]).await?;
        taken.push(one.elapsed().as_secs_f64() * 1000.0);
    }
    taken.sort_by(f64::total_cmp);
    let at = |percent: usize| taken.get(taken.len() * percent / 100).or(taken.last()).copied().unwrap_or(f64::NAN);
    Ok([at(50), at(99)])
}

/// Of both pages, through a line that counts.
async fn round_trips(site: &Site) -> Result<[f64; 2]> {
    let proxy = Proxy::to(site.db.url()).await;
    let store = Store::connect_with(proxy.url(), 2).await?;
    let app = app(store, &Clock::at("2026-03-02T08:00:00+08:00"))?;
    let mut counts = [0.0; 2];
    for (count, page) in counts.iter_mut().zip([&site.patients[0], &site.records[0]]) {
        for _ in 0..3 {
            get(&app, page).await?;
        }
        let before = proxy.round_trips();
        get(&app, page).await?;
        #[allow(clippy::cast_precision_loss, reason = "a handful")]
        {
            *count = (proxy.round_trips() - before) as f64;
        }
    }
    Ok(counts)
}
