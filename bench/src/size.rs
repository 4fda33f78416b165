//! `bench size`: what 6-performance asks of pages, reports and saving, measured on a seeded size beside the floor, and on one ten times
//! smaller to see how each cost grows.
//!
//! Time is a ratio of two things measured in turn. How a cost grows is told by counts, which do not shake: statements and blocks of the
//! database for one request, by `pg_stat_statements`.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, http::StatusCode};
use homestretch::seed::{self, ACCOUNTS, Size};
use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};
use store::Store;
use testkit::{Db, clock::Clock};
use uuid::Uuid;

use crate::{
    asking::{self, Page, get, pace, post, rate, sign_in},
    bare,
    machine::{self, Counted},
    report::{Goal, Report, Series},
    serving::Serving,
    weight,
};

/// Requests under way at once, from a clinic each where there are as many.
const AT_ONCE: usize = 8;
/// Requests that counts are an average of.
const COUNTED: u32 = 20;
/// How many times more clinics the larger size has, and how many times more sessions a patient's longer history.
const TIMES: u32 = 10;

/// How much to measure.
#[derive(Debug, clap::Args)]
pub struct Sizes {
    /// Clinics of the larger size; the smaller one has a tenth
    #[arg(long, default_value_t = 200)]
    clinics: u32,
    /// Patients of each
    #[arg(long, default_value_t = 500)]
    patients: u32,
    /// Days of sessions behind them
    #[arg(long, default_value_t = 90)]
    days: i32,
    /// For how many of these days also what was done of each exercise [default: all]
    #[arg(long)]
    entries: Option<u32>,
    /// Rounds; each measures everything once, in turn
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How long each figure is measured in a round, in seconds
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Where the JSON and the Markdown go
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

/// An installation of a size, behind our web server and behind the floor.
struct Town {
    db: Db,
    app: Router,
    bare: Router,
    pool: PgPool,
    patients: Vec<Patient>,
    /// The owner of the first clinic; sees all of it.
    owner: String,
    clinic: Uuid,
    /// The first clinic's patients whose record is opened.
    record: String,
    /// Somebody's password is the same as everybody's.
    emails: Vec<String>,
}

/// A patient, signed in.
#[derive(Debug, Clone)]
struct Patient {
    clinic: Uuid,
    id: Uuid,
    cookie: String,
    /// Where a session is saved, and the exercises of the form.
    program: String,
    prescriptions: Vec<String>,
}

/// Measures, prints, and writes `size.json` and `size.md`.
pub async fn run(wanted: &Sizes) -> Result<()> {
    std::fs::create_dir_all(&wanted.out).with_context(|| format!("cannot make {}", wanted.out.display()))?;
    let clock = Clock::at(&homestretch::clock::now().to_string());
    let few = (wanted.clinics / TIMES).max(1);
    let small = Town::make(wanted, few, &clock).await?;
    let large = Town::make(wanted, wanted.clinics, &clock).await?;
    let machine = machine::describe(&large.db).await?;

    let mut report = Report::default();
    let span = Duration::from_secs(wanted.seconds);
    // Saving comes last: it leaves thousands of sessions behind that no patient has in a day.
    let grown = format!("{} clinics by {few}", wanted.clinics);
    counts(&small, &large, &grown, &mut report).await?;
    history(&small, &mut report).await?;
    rates(&large, wanted.rounds, span, &mut report).await?;
    overload(&large, wanted.rounds, span, &mut report).await?;
    weights(&large, &mut report).await?;
    processes(&large, wanted.rounds, span, &mut report).await?;
    saving(&large, wanted.rounds, span, &mut report).await?;

    let sessions = large.db.row("select reltuples::bigint from pg_class where relname = 'session_log'").await;
    let entries = large.db.row("select reltuples::bigint from pg_class where relname = 'log_entry'").await;
    let bytes = large.db.row("select pg_size_pretty(pg_database_size(current_database()))").await;
    let sizes = json!({ "clinics": wanted.clinics, "small": few, "patients": wanted.patients, "days": wanted.days, "sessions": sessions,
        "entries": entries, "database": bytes, "rounds": wanted.rounds, "seconds": wanted.seconds, "at_once": AT_ONCE });
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let head = format!(
        "{} cores of {}; PostgreSQL {} with shared_buffers {}, fsync {} and synchronous_commit {}; {} clinics × {} patients × {} days: {sessions} \
         sessions with {entries} exercises, {bytes}; beside it {few} clinics; {} rounds of {} s; {AT_ONCE} requests at once; load before the run {}.",
        machine["cores"],
        text(&machine["cpu"]),
        text(&machine["postgres"]),
        text(&machine["settings"]["shared_buffers"]),
        text(&machine["settings"]["fsync"]),
        text(&machine["settings"]["synchronous_commit"]),
        wanted.clinics,
        wanted.patients,
        wanted.days,
        wanted.rounds,
        wanted.seconds,
        text(&machine["load_before"]),
    );
    std::fs::write(wanted.out.join("size.json"), format!("{:#}\n", report.json(&machine, &sizes)))?;
    std::fs::write(wanted.out.join("size.md"), report.markdown(&head))?;
    println!("\n{head}\nWritten to {}", wanted.out.display());
    Ok(())
}

impl Town {
    async fn make(wanted: &Sizes, clinics: u32, clock: &Clock) -> Result<Self> {
        println!("Loading {clinics} clinics of {} patients with {} days…", wanted.patients, wanted.days);
        let db = Db::new().await;
        let size = Size { clinics, patients: wanted.patients, days: wanted.days, entries: wanted.entries, seed: 1, more: false };
        seed::run(&db.store, db.url(), size, clock.now()).await?;
        // As autovacuum would in time: reading an index alone needs to know which pages everybody sees.
        db.execute("vacuum analyze").await;
        let app = asking::app(Store::connect(db.url()).await?, clock)?;
        let bare = bare::app(db.url()).await?;
        let pool = PgPoolOptions::new().max_connections(1).connect(db.url()).await?;
        let chosen = db
            .rows(&format!(
                "select distinct on (p.clinic_id) p.clinic_id, p.id, a.email, g.id,
                   (select string_agg(r.id::text, ',' order by r.position) from prescription r where r.version_id = v.id)
                 from patient p join account a on a.id = p.account_id
                 join program g on g.clinic_id = p.clinic_id and g.patient_id = p.id
                 join program_version v on v.clinic_id = g.clinic_id and v.program_id = g.id
                 where p.clinic_id in (select id from clinic order by name limit {AT_ONCE})
                   and g.starts_on < current_date - 28 and g.ends_on > current_date and g.finished_on is null and v.number = 1
                   and not exists (select 1 from program_pause s where s.clinic_id = g.clinic_id and s.program_id = g.id)
                   and not exists (select 1 from program_version w where w.clinic_id = g.clinic_id and w.program_id = g.id and w.number > 1)
                 order by p.clinic_id, p.id"
            ))
            .await;
        ensure!(!chosen.is_empty(), "no patient has a program that runs");
        let (mut patients, mut emails) = (Vec::new(), Vec::new());
        for row in &chosen {
            let [clinic, id, email, program, prescriptions] = row.split('|').collect::<Vec<_>>()[..] else {
                anyhow::bail!("five columns expected: {row}")
            };
            patients.push(Patient {
                clinic: clinic.parse()?,
                id: id.parse()?,
                cookie: sign_in(&app, email, seed::PASSWORD).await?,
                program: program.to_owned(),
                prescriptions: prescriptions.split(',').map(str::to_owned).collect(),
            });
            emails.push(email.to_owned());
        }
        let owner = sign_in(&app, ACCOUNTS[0].1, seed::PASSWORD).await?;
        let first = db
            .row(&format!(
                "select m.clinic_id, (select p.id from patient p where p.clinic_id = m.clinic_id order by p.id limit 1)
                 from membership m join account a on a.id = m.account_id where a.email = '{}'",
                ACCOUNTS[0].1
            ))
            .await;
        let (clinic, record) = first.split_once('|').context("two columns expected")?;
        Ok(Self { app, bare, pool, patients, owner, clinic: clinic.parse()?, record: record.to_owned(), emails, db })
    }

    /// A page of each patient's.
    fn of_patients(&self, path: &str) -> Vec<Page> {
        let page = |patient: &Patient| Page { path: path.to_owned(), cookie: patient.cookie.clone() };
        self.patients.iter().cycle().take(AT_ONCE).map(page).collect()
    }

    /// The same from the floor.
    fn of_floor(&self, path: &str) -> Vec<Page> {
        let page = |who: &Patient| Page { path: format!("/{path}/{}/{}", who.clinic, who.id), cookie: String::new() };
        self.patients.iter().cycle().take(AT_ONCE).map(page).collect()
    }

    fn of_owner(&self, path: &str) -> Page {
        Page { path: path.to_owned(), cookie: self.owner.clone() }
    }
}

impl Patient {
    /// A session as its form sends it, all of it done.
    fn session(&self) -> String {
        let mut form = format!("log_id={}&pain_before=3&pain_after=2&effort=3&note=", Uuid::now_v7());
        for prescription in &self.prescriptions {
            form.push_str(&format!("&outcome-{prescription}=done"));
        }
        form
    }

    async fn save(&self, app: &Router) -> Result<()> {
        let to = Page { path: format!("/session/{}", self.program), cookie: self.cookie.clone() };
        let status = post(app, &to, self.session()).await?;
        ensure!(status == StatusCode::SEE_OTHER, "saving a session: {status}");
        Ok(())
    }

    async fn save_bare(&self, app: &Router) -> Result<()> {
        let to = Page { path: format!("/save/{}/{}", self.clinic, self.id), cookie: String::new() };
        let status = post(app, &to, self.session()).await?;
        ensure!(status == StatusCode::SEE_OTHER, "the floor saving a session: {status}");
        Ok(())
    }
}

/// Pages a second, ours and the floor's in turn.
async fn rates(town: &Town, rounds: u32, span: Duration, report: &mut Report) -> Result<()> {
    for (what, path, floor, goal) in [("Today", "/today", "today", 0.55), ("Progress", "/progress", "history", 0.55)] {
        let [mut ours, mut floors] = [Series::default(), Series::default()];
        for _ in 0..rounds {
            ours.push(rate(&town.app, &town.of_patients(path), span).await?);
            floors.push(rate(&town.bare, &town.of_floor(floor), span).await?);
        }
        report.line(what, &ours, 0, "/s");
        report.line(&format!("{what}: the floor, one statement"), &floors, 0, "/s");
        report.goal(&format!("{what}, of the floor"), &ours.over(&floors), 2, "", Goal::AtLeast(goal));
    }
    Ok(())
}

/// Saved sessions a second, ours and the floor's in turn.
async fn saving(town: &Town, rounds: u32, span: Duration, report: &mut Report) -> Result<()> {
    let [mut ours, mut floors] = [Series::default(), Series::default()];
    let saving = |app: &Router, bare: bool| {
        let (app, people) = (app.clone(), town.patients.clone());
        pace(AT_ONCE, span, move |at| {
            let (app, who) = (app.clone(), people[at % people.len()].clone());
            async move { if bare { who.save_bare(&app).await } else { who.save(&app).await } }
        })
    };
    for _ in 0..rounds {
        ours.push(saving(&town.app, false).await?);
        floors.push(saving(&town.bare, true).await?);
    }
    report.line("sessions saved", &ours, 0, "/s");
    report.line("sessions saved: the floor, one statement", &floors, 0, "/s");
    report.goal("sessions saved, of the floor", &ours.over(&floors), 2, "", Goal::AtLeast(0.8));
    Ok(())
}

/// Four times the connections.
async fn overload(town: &Town, rounds: u32, span: Duration, report: &mut Report) -> Result<()> {
    let [mut usual, mut crowded] = [Series::default(), Series::default()];
    let pages = town.of_patients("/today");
    let many: Vec<Page> = pages.iter().cycle().take(AT_ONCE * 4).cloned().collect();
    for _ in 0..rounds {
        usual.push(rate(&town.app, &pages, span).await?);
        crowded.push(rate(&town.app, &many, span).await?);
    }
    report.goal("Today, four times the requests at once", &crowded.over(&usual), 2, " ×", Goal::AtLeast(0.9));
    Ok(())
}

/// What one request asks of the database.
async fn counted(town: &Town, deed: impl AsyncFn(&Town) -> Result<()>) -> Result<Counted> {
    for _ in 0..3 {
        deed(town).await?;
    }
    Counted::reset(&town.db).await;
    for _ in 0..COUNTED {
        deed(town).await?;
    }
    let all = Counted::read(&town.db).await?;
    let each = |sum: f64| sum / f64::from(COUNTED);
    Ok(Counted {
        statements: each(all.statements),
        commits: each(all.commits),
        buffers: each(all.buffers),
        wal: each(all.wal),
        millis: each(all.millis),
    })
}

type Of = fn(&Town) -> Page;

/// What is asked of the database at both sizes.
async fn counts(small: &Town, large: &Town, grown: &str, report: &mut Report) -> Result<()> {
    let plain = async |town: &Town| bare::plain(&town.pool, town.clinic).await.map(drop);
    let (_, plain) = (counted(small, plain).await?, counted(large, plain).await?);
    report.line("500 plain rows, SQL", &Series::single(plain.millis), 2, " ms");
    report.line("500 plain rows, buffers", &Series::single(plain.buffers), 0, "");
    let pages: [(&str, Of, bool); 9] = [
        ("Today", |town| town.of_patients("/today")[0].clone(), true),
        ("Progress", |town| town.of_patients("/progress")[0].clone(), true),
        ("a patient's record", |town| town.of_owner(&format!("/patients/{}", town.record)), true),
        ("the caseload of 500", |town| town.of_owner("/patients?whose=clinic"), true),
        ("search by name", |town| town.of_owner("/patients?whose=clinic&q=aziz"), true),
        ("the clinic's report", |town| town.of_owner("/reports/adherence"), true),
        ("notices", |town| town.of_owner("/notices"), false),
        ("the audit", |town| town.of_owner("/audit"), false),
        ("exercises", |town| town.of_owner("/exercises"), false),
    ];
    for (what, page, goal) in pages {
        let ask = async |town: &Town| get(&town.app, &page(town)).await;
        let (few, many) = (counted(small, ask).await?, counted(large, ask).await?);
        let series = [few, many].map(|counts| Series::single(counts.buffers));
        report.line(&format!("{what}: statements"), &Series::single(many.statements), 1, "");
        if matches!(what, "the caseload of 500" | "the clinic's report") {
            let ratio = Series::single(many.millis / plain.millis);
            report.goal(&format!("{what}: buffers"), &series[1], 0, "", Goal::AtMost(100.0));
            report.goal(&format!("{what}: SQL by 500 plain rows"), &ratio, 1, " ×", Goal::AtMost(3.0));
        } else {
            report.line(&format!("{what}: buffers"), &series[1], 0, "");
        }
        report.line(&format!("{what}: SQL"), &Series::single(many.millis), 2, " ms");
        growth(&format!("{what}: buffers, {grown}"), &series, goal, report);
    }
    let saving = async |town: &Town| town.patients[0].save(&town.app).await;
    let (few, many) = (counted(small, saving).await?, counted(large, saving).await?);
    report.line("saving a session: statements", &Series::single(many.statements), 1, "");
    report.goal("saving a session: write-ahead log", &Series::single(many.wal), 0, " bytes", Goal::AtMost(1536.0));
    growth(&format!("saving a session: buffers, {grown}"), &[few, many].map(|counts| Series::single(counts.buffers)), true, report);
    let signing = async |town: &Town| sign_in(&town.app, &town.emails[0], seed::PASSWORD).await.map(drop);
    let (few, many) = (counted(small, signing).await?, counted(large, signing).await?);
    growth(&format!("a sign-in: buffers, {grown}"), &[few, many].map(|counts| Series::single(counts.buffers)), true, report);
    Ok(())
}

fn growth(what: &str, [few, many]: &[Series; 2], goal: bool, report: &mut Report) {
    let ratio = many.over(few);
    if goal {
        report.goal(what, &ratio, 2, " ×", Goal::AtMost(1.15));
    } else {
        report.line(what, &ratio, 2, " ×");
    }
}

/// The same patient before and after they have ten times the sessions.
async fn history(town: &Town, report: &mut Report) -> Result<()> {
    let who = &town.patients[0];
    let (clinic, id) = (who.clinic, who.id);
    type Asked = (&'static str, &'static str);
    const PAGES: [Asked; 2] = [("Today", "/today"), ("Progress", "/progress")];
    let mut before = Vec::new();
    for (_, path) in PAGES {
        before.push(counted(town, async |town: &Town| get(&town.app, &town.of_patients(path)[0]).await).await?);
    }
    let longer = TIMES - 1;
    town.db
        .execute(&format!(
            "with old as (
               select l.*, n, gen_random_uuid() as anew from session_log l, generate_series(1, {longer}) n
               where l.clinic_id = '{clinic}' and l.patient_id = '{id}'),
             logs as (
               insert into session_log (clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at, pain_before,
                 pain_after, effort, completion)
               select clinic_id, anew, patient_id, program_id, version_id, date - 100 * n, performed_at - n * interval '100 days',
                 received_at - n * interval '100 days', pain_before, pain_after, effort, completion from old)
             insert into log_entry (clinic_id, log_id, patient_id, prescription_id, sets, reps, hold_s, skipped, completion)
             select e.clinic_id, old.anew, e.patient_id, e.prescription_id, e.sets, e.reps, e.hold_s, e.skipped, e.completion
             from old join log_entry e on e.clinic_id = old.clinic_id and e.log_id = old.id"
        ))
        .await;
    town.db.execute("vacuum analyze session_log, log_entry").await;
    for ((what, path), before) in PAGES.into_iter().zip(before) {
        let after = counted(town, async |town: &Town| get(&town.app, &town.of_patients(path)[0]).await).await?;
        let ratio = [before, after].map(|counts| Series::single(counts.buffers));
        growth(&format!("{what}: buffers, ten times the history"), &ratio, true, report);
    }
    Ok(())
}

/// Bytes on the wire.
async fn weights(town: &Town, report: &mut Report) -> Result<()> {
    let kilobytes = |bytes: usize| {
        #[allow(clippy::cast_precision_loss, reason = "kilobytes")]
        Series::single(bytes as f64 / 1024.0)
    };
    let today = weight::weigh(&town.app, &town.of_patients("/today")[0]).await?;
    let caseload = weight::weigh(&town.app, &town.of_owner("/patients?whose=clinic")).await?;
    report.goal("Today, compressed", &kilobytes(today.page), 1, " KiB", Goal::AtMost(4.0));
    report.goal("the caseload, compressed", &kilobytes(caseload.page), 1, " KiB", Goal::AtMost(12.0));
    report.goal("scripts of Today, compressed", &kilobytes(today.scripts), 1, " KiB", Goal::AtMost(10.0));
    report.goal("the first visit with styles, scripts and font", &kilobytes(today.visit), 1, " KiB", Goal::AtMost(70.0));
    Ok(())
}

/// The real program: its start and its memory.
async fn processes(town: &Town, rounds: u32, span: Duration, report: &mut Report) -> Result<()> {
    let (mut ready, mut memory) = (Series::default(), Series::default());
    let mut pages = town.of_patients("/today");
    pages.extend(["/patients?whose=clinic", "/reports/adherence"].map(|path| town.of_owner(path)));
    for _ in 0..rounds {
        let serving = Serving::start(town.db.url()).await?;
        ready.push(serving.ready.as_secs_f64());
        memory.push(serving.under_load(&pages, AT_ONCE * 4, span).await?);
    }
    report.goal("from starting the process to ready", &ready, 2, " s", Goal::AtMost(0.3));
    report.goal("greatest memory of the web server, 32 connections", &memory, 1, " MiB", Goal::AtMost(60.0));
    Ok(())
}
