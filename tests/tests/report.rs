//! Stories of a patient's page: the report against a recount in SQL, findings set aside, periods, and whom it is shown to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use domain::{
    ids::{LogId, PatientId},
    program::{Plan, Program, Weekdays},
    session_log::{Effort, Entry, Outcome, PainScore, SessionLog, SkipReason},
};
use homestretch::demo::seed;
use jiff::{
    SignedDuration, ToSpan,
    civil::{Date, date, time},
};
use render::formats::percent;
use testkit::{
    Db,
    clock::Clock,
    people::{self, Somebody},
};
use visitor::{Answer, Browser, PASSWORD, Site};

/// The civil date of a [`Site`] in Kuala Lumpur.
const TODAY: Date = date(2026, 3, 2);

/// What the recount says of a patient over a period.
#[derive(Debug)]
struct Recount {
    sessions: u32,
    expected: u32,
    completion: Option<f64>,
    pain_first: String,
    pain_last: String,
    scored_days: u32,
}

async fn recount(db: &Db, patient: PatientId, from: Date, to: Date, today: Date) -> Recount {
    let sql = include_str!("report/recount.sql")
        .replace(":'patient'", &format!("'{patient}'"))
        .replace(":'from'", &format!("'{from}'"))
        .replace(":'to'", &format!("'{to}'"))
        .replace(":'today'", &format!("'{today}'"));
    let row = db.row(&sql).await;
    let cells: Vec<&str> = row.split('|').collect();
    let [sessions, expected, completion, pain_first, _, pain_last, _, scored_days] = cells[..] else { panic!("{row}") };
    Recount {
        sessions: sessions.parse().unwrap(),
        expected: expected.parse().unwrap(),
        completion: completion.parse().ok(),
        pain_first: pain_first.to_owned(),
        pain_last: pain_last.to_owned(),
        scored_days: scored_days.parse().unwrap(),
    }
}

/// The page says what the recount says.
#[track_caller]
fn agree(page: &Answer, recount: &Recount) {
    let Recount { sessions, expected, completion, pain_first, pain_last, scored_days } = recount;
    let completion = completion.unwrap();
    for figure in [format!("{sessions} of {expected}"), percent(completion)] {
        assert!(page.has(&format!("<b class=\"num\">{figure}</b>")), "{figure} of {recount:?}\n{}", page.text);
    }
    // Within one week of scores there is a mean and no change.
    let pain = if *scored_days > 7 {
        format!("<b class=\"num\">{pain_first} → {pain_last}</b>")
    } else {
        format!(" scores, mean {pain_first} so far")
    };
    assert!(page.has(&pain), "{pain} of {recount:?}\n{}", page.text);
}

async fn hannah(site: &Site) -> Browser {
    site.give_password(site.clinic.physio.account).await;
    let mut hannah = site.browser();
    assert_eq!(hannah.sign_in("physio@riverside.test", PASSWORD).await.status, StatusCode::SEE_OTHER);
    hannah
}

/// Saves a session in which the first `done` exercises were done and the others skipped.
async fn log(site: &Site, who: &Somebody, program: &Program, on: Date, done: usize, pain: Option<i64>) -> LogId {
    let version = program.version_on(on).unwrap();
    let noon = who.zone.instant(on, time(12, 0, 0, 0));
    let entries = version.prescriptions.iter().enumerate().map(|(at, prescription)| {
        let dose = prescription.dose;
        let outcome = match at {
            at if at < done => {
                Outcome::Did { sets: dose.sets().min(), reps: dose.reps().max(), hold: dose.hold().map(|hold| hold.min()) }
            }
            at if at == done => Outcome::Did { sets: 1, reps: dose.reps().min().div_ceil(2), hold: None },
            _ => Outcome::Skipped(SkipReason::Pain),
        };
        Entry { prescription: prescription.id, outcome }
    });
    let log = SessionLog {
        id: LogId::new(),
        program: program.id,
        date: on,
        performed_at: noon,
        received_at: noon,
        entries: entries.collect(),
        pain_before: pain.map(|score| PainScore::new((score + 1).min(10)).unwrap()),
        pain_after: pain.map(|score| PainScore::new(score).unwrap()),
        effort: Some(Effort::OK),
        note: None,
        red_flags: Vec::new(),
    };
    site.clinic.tenant(async |tx| store::session_log::insert(tx, program, &log).await).await;
    log.id
}

/// Farah: Monday to Saturday, twice a day from the fourth week on, a pause, missed days, half sessions, a day logged three times.
async fn farah(site: &Site) -> (Somebody, Program) {
    let who = site.clinic.patient("Farah Aziz", "farah@example.test").await;
    let start = date(2026, 1, 19);
    let mut program =
        site.clinic.program_with(&who, start, 8, |plan| plan.weekdays = Weekdays::from_bits(0b011_1111).unwrap()).await;
    let first = program.versions[0].clone();
    let prescriptions = first.prescriptions.iter().take(3).cloned().map(|mut prescription| {
        prescription.id = domain::ids::PrescriptionId::new();
        prescription
    });
    let plan = Plan { weekdays: Weekdays::all(), times_a_day: 2, prescriptions: prescriptions.collect() };
    program.revise(plan, date(2026, 2, 9), date(2026, 2, 8)).unwrap();
    program.pause(date(2026, 2, 3), Some(date(2026, 2, 5)), "travelling", date(2026, 2, 3)).unwrap();
    let now = site.clock.now();
    site.clinic
        .tenant(async |tx| {
            store::program::add_version(tx, &program, program.newest().unwrap(), now).await?;
            store::program::save_state(tx, &program, now).await
        })
        .await;
    for (n, day) in start.series(1.day()).take_while(|day| *day <= TODAY).enumerate() {
        let pain = (n % 4 != 1).then(|| 7 - i64::try_from(n).unwrap() / 8);
        match n % 6 {
            0 | 3 => _ = log(site, &who, &program, day, 5, pain).await,
            1 => _ = log(site, &who, &program, day, 2, pain).await,
            2 => {
                for done in [1, 5, 5] {
                    log(site, &who, &program, day, done, pain).await;
                }
            }
            _ => {}
        }
    }
    (who, program)
}

#[tokio::test]
async fn the_report_agrees_with_a_recount() {
    let site = Site::open().await;
    let (who, program) = farah(&site).await;
    let mut hannah = hannah(&site).await;
    let page = hannah.get(&format!("/patients/{}", who.id)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let whole = recount(&site.db, who.id, program.start, TODAY, TODAY).await;
    assert!(whole.sessions > 20 && whole.expected > whole.sessions, "{whole:?}");
    agree(&page, &whole);
    assert!(page.has("19 January to 2 March"), "{}", page.text);
    assert!(page.has("self-reported"));
    assert!(page.has("Salaffi 2004"));

    for (from, to) in [(date(2026, 2, 1), date(2026, 2, 20)), (date(2026, 1, 1), date(2026, 2, 4)), (date(2026, 2, 8), TODAY)] {
        let page = hannah.get(&format!("/patients/{}?from={from}&to={to}", who.id)).await;
        agree(&page, &recount(&site.db, who.id, from, to, TODAY).await);
    }
}

/// The text between tags.
fn cells(row: &str) -> Vec<String> {
    let cells = row.split("<t").skip(1).map(|cell| {
        let (_, inside) = cell.split_once('>').unwrap();
        let mut text = String::new();
        let mut tag = false;
        for c in inside.split("</t").next().unwrap().chars() {
            match c {
                '<' => tag = true,
                '>' => tag = false,
                c if !tag => text.push(c),
                _ => {}
            }
        }
        text.trim().to_owned()
    });
    cells.collect()
}

#[tokio::test]
async fn every_figure_opens_the_rows_behind_it() {
    let site = Site::open().await;
    let (who, program) = farah(&site).await;
    let mut hannah = hannah(&site).await;
    let page = hannah.get(&format!("/patients/{}", who.id)).await;
    let whole = recount(&site.db, who.id, program.start, TODAY, TODAY).await;

    // A row for each day, and together they are the figures.
    let table = page.between("<table class=\"rows-table\">", "</table>");
    let rows: Vec<Vec<String>> = table.split("<tr id=\"day-").skip(1).map(cells).collect();
    assert_eq!(rows.len(), usize::try_from((TODAY - program.start).get_days() + 1).unwrap(), "{table}");
    let sum = |at: usize| rows.iter().filter_map(|row| row[at].parse::<u32>().ok()).sum::<u32>();
    assert_eq!((sum(2), sum(3)), (whole.expected, whole.sessions));
    let share = rows
        .iter()
        .filter_map(|row| Some(row[2].parse::<f64>().ok()? * row[4].strip_suffix('%')?.parse::<f64>().ok()? / 100.0))
        .sum::<f64>()
        / f64::from(whole.expected);
    assert!((share - whole.completion.unwrap()).abs() < 0.01, "{share} {whole:?}");
    assert_eq!(
        table.matches("they do not count").count() + table.matches("it does not count").count(),
        10,
        "seven days logged too often, two Sundays and a paused day"
    );
    let missed = rows.iter().filter(|row| row[3].parse::<u32>().unwrap_or(0) < row[2].parse().unwrap_or(0)).count();
    assert_eq!(page.between("<p>Missed: ", "</p>").matches("href=\"#day-").count(), missed);
    assert_eq!(rows.iter().filter(|row| row[1] == "paused").count(), 3);

    // The scores of the two windows give the two means.
    for (title, mean) in [("First 7 days with a score", &whole.pain_first), ("Last 7 days with a score", &whole.pain_last)] {
        let window = page.between(&format!("<caption>{title}</caption>"), "</table>");
        assert_eq!(window.matches("<th scope=\"row\">").count(), 7, "{window}");
        assert!(window.contains(&format!(": mean {mean}")), "{window} {mean}");
    }

    // Whatever leads to a row leads to one that is there, once.
    for target in page.text.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert_eq!(page.text.matches(&format!(" id=\"{target}\"")).count(), 1, "{target}");
    }
    // The calendar is a table that says each day in words, and letters besides colours.
    let march = page.between("<caption>March 2026</caption>", "</table>");
    assert!(march.contains("aria-current=\"date\"") && march.contains("<th scope=\"col\">Mon</th>"), "{march}");
    let february = page.between("<caption>February 2026</caption>", "</table>");
    for (day, letter, word) in [("3", "H", "paused"), ("8", "R", "rest day")] {
        let cell = february.split("<td").find(|cell| cell.contains(&format!("<b class=\"num\">{day}</b>"))).unwrap();
        assert!(cell.contains(&format!(">{letter}</span>")) && cell.contains(&format!(": {word}<")), "{cell}");
    }
    assert!(page.between("<caption>January 2026</caption>", "</table>").contains("before the program"));
}

#[tokio::test]
async fn no_figure_contradicts_the_one_beside_it() {
    let site = Site::open().await;
    let mut hannah = hannah(&site).await;
    // Means of 27/7 and 3/7 read 3.9 and 0.4, and are 3.43 apart.
    let who = site.clinic.patient("Aishah Rahman", "aishah@example.test").await;
    let program = site.clinic.program_for(&who, date(2026, 2, 16), 4).await;
    for (day, pain) in [4, 4, 4, 4, 4, 4, 3, 1, 1, 1, 0, 0, 0, 0].into_iter().enumerate() {
        site.clinic.log(&who, &program, date(2026, 2, 16).saturating_add((day as i64).days()), Some(pain)).await;
    }
    let page = hannah.get(&format!("/patients/{}", who.id)).await;
    assert!(
        page.has("<b class=\"num\">3.9 → 0.4</b>") && page.has("down 3.43 before rounding · a meaningful change"),
        "{}",
        page.text
    );
    assert!(page.has("The change is worked out before the means are rounded."), "{}", page.text);
    // Of two sessions a day one was done: two are missing, though something was done on each day.
    let ravi = site.clinic.patient("Ravi Chandran", "ravi@example.test").await;
    let program = site.clinic.program_with(&ravi, date(2026, 2, 28), 4, |plan| plan.times_a_day = 2).await;
    for day in [28, 29] {
        site.clinic.log(&ravi, &program, date(2026, 2, 1).saturating_add((day - 1).days()), Some(2)).await;
    }
    let page = hannah.get(&format!("/patients/{}", ravi.id)).await;
    assert!(page.has("<b class=\"num\">2 of 4</b>") && page.has("1 Mar (1 of 2)") && page.has("28 Feb (1 of 2)"), "{}", page.text);
}

#[tokio::test]
async fn the_versions_of_a_program_stand_side_by_side() {
    let site = Site::open().await;
    let (who, program) = farah(&site).await;
    let mut hannah = hannah(&site).await;
    let page = hannah.get(&format!("/programs/{}", program.id)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let table = page.between("<table class=\"compare\">", "</table>");
    let heads: Vec<String> = table.split("<tbody>").next().map(cells).unwrap();
    assert!(heads.iter().any(|head| head.contains("Version 1") && head.contains("19 January to 8 February")), "{heads:?}");
    assert!(
        heads.iter().any(|head| head.contains("Version 2") && head.contains("in effect") && head.contains("from 9 February 2026")),
        "{heads:?}"
    );
    assert_eq!(table.matches("by Hannah").count(), 2, "{table}");
    let rows: Vec<Vec<String>> = table.split("<tbody>").nth(1).unwrap().split("<tr>").skip(1).map(cells).collect();
    assert_eq!(rows.len(), 2 + program.versions[0].prescriptions.len(), "{rows:?}");
    assert!(rows[0][1].starts_with("Monday to Saturday, once a day") && rows[0][2].ends_with("changed"), "{rows:?}");
    let taken_out = rows.iter().filter(|row| row.last().unwrap() == "taken out").count();
    assert_eq!(taken_out, 2, "three exercises of five are left: {rows:?}");

    // One version is nothing to compare.
    let only = site.clinic.program_for(&who, date(2026, 5, 4), 2).await;
    assert!(!hannah.get(&format!("/programs/{}", only.id)).await.has("Versions side by side"));
}

#[tokio::test]
async fn ten_thousand_sessions_are_one_bounded_page() {
    let site = Site::open().await;
    let who = site.clinic.patient("Busy Bee", "busy@example.test").await;
    let program = site.clinic.program_for(&who, date(2026, 2, 2), 6).await;
    site.clinic.log(&who, &program, date(2026, 2, 3), Some(3)).await;
    site.db
        .execute(
            "insert into session_log (clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at, pain_after, note, completion)
               select clinic_id, gen_random_uuid(), patient_id, program_id, version_id, date + n % 27, performed_at, received_at, n % 11,
                 'Note ' || n, 1 from session_log, generate_series(1, 9999) n",
        )
        .await;
    let page = hannah(&site).await.get(&format!("/patients/{}", who.id)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.has("More than 5000 sessions were logged in this period"), "{}", &page.text[..2000]);
    assert!(page.text.len() < 2_000_000, "{} bytes", page.text.len());
}

#[tokio::test]
async fn the_sample_clinics_figures_can_be_recounted() {
    let db = Db::new().await;
    let clock = Clock::at("2026-11-22T15:00:00+08:00");
    let today = date(2026, 11, 22);
    seed::ensure(&db.store, clock.now(), &|_| ()).await.unwrap();
    let mut hannah = visitor::browser_of(&db, &clock);
    assert_eq!(hannah.sign_in("physio@demo.test", seed::PASSWORD).await.status, StatusCode::SEE_OTHER);
    for name in ["Wei Ling Chong", "Daniel Tan"] {
        let program = format!(
            "select p.id, g.starts_on, least(g.ends_on, g.finished_on - 1, '{today}') from patient p
             join program g on g.patient_id = p.id where p.name = '{name}' and g.starts_on <= '{today}' order by g.starts_on desc limit 1"
        );
        let row = db.row(&program).await;
        let [id, from, to] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let page = hannah.get(&format!("/patients/{id}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let recount = recount(&db, id.parse().unwrap(), from.parse().unwrap(), to.parse().unwrap(), today).await;
        assert!(recount.sessions >= 5, "{recount:?}");
        agree(&page, &recount);
    }
}

#[tokio::test]
async fn the_sessions_leave_as_a_file() {
    let site = Site::open().await;
    let (who, program) = farah(&site).await;
    let mut hannah = hannah(&site).await;
    site.db.execute("update session_log set note = '=HYPERLINK(\"x\"), sore' where date = '2026-01-19'").await;
    let file = hannah.get(&format!("/patients/{}/report.csv", who.id)).await;
    assert_eq!(file.status, StatusCode::OK, "{}", file.text);
    assert!(file.header("content-type").starts_with("text/csv; charset=utf-8"));
    let lines: Vec<&str> = file.text.trim_end().split("\r\n").collect();
    let logged = site.db.row(&format!("select count(*) from session_log where date >= '{}'", program.start)).await;
    assert_eq!(lines.len() - 1, logged.parse::<usize>().unwrap());
    assert!(lines[0].starts_with("\u{feff}date,program,performed_at"));
    let first = lines.last().unwrap();
    assert!(
        first.starts_with("2026-01-19,Upper back relief,") && first.ends_with(",\"'=HYPERLINK(\"\"x\"\"), sore\",clinic,yes"),
        "{first}"
    );
    // What counts in the file is what the page counts.
    let whole = recount(&site.db, who.id, program.start, TODAY, TODAY).await;
    let counted = lines.iter().filter(|line| line.ends_with(",yes") && line.split(',').nth(5) != Some("0.0000")).count();
    assert_eq!(counted, usize::try_from(whole.sessions).unwrap(), "of {} lines", lines.len() - 1);
    assert!(lines.iter().any(|line| line.ends_with(",no")), "a third session of a day does not count");
    site.db.execute("update session_log set logged_by = null where date = '2026-01-19'").await;
    let file = hannah.get(&format!("/patients/{}/report.csv", who.id)).await;
    assert!(file.text.trim_end().ends_with(",patient,yes"), "{}", file.text);
    let refused = hannah.get(&format!("/patients/{}/report.csv?from=soon", who.id)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.has("“soon” is not a date."), "{}", refused.text);
}

#[tokio::test]
async fn a_patient_of_whom_little_is_known() {
    let site = Site::open().await;
    let mut hannah = hannah(&site).await;
    let who = site.clinic.patient("Daniel <b>Tan</b>", "daniel@example.test").await;
    let address = format!("/patients/{}", who.id);
    let page = hannah.get(&address).await;
    assert!(
        page.has("No program yet") && page.has("Send the invitation again") && page.has("Daniel &lt;b&gt;Tan"),
        "{}",
        page.text
    );

    let program = site.clinic.program_for(&who, TODAY, 6).await;
    let page = hannah.get(&address).await;
    assert!(page.has("No sessions due yet") && page.has("today’s is still open") && page.has("No scores yet"), "{}", page.text);
    assert!(!page.has(">100%<") && !page.has(">0%<"), "an open morning is no figure");

    site.clinic.log(&who, &program, TODAY, Some(0)).await;
    let page = hannah.get(&address).await;
    assert!(page.has("1 of 1") && page.has("Not enough scores yet") && page.has("? → 0"), "{}", page.text);
}

#[tokio::test]
async fn a_period_that_cannot_be_had_is_said_at_its_field() {
    let site = Site::open().await;
    let mut hannah = hannah(&site).await;
    let who = site.clinic.patient("Farah Aziz", "farah@example.test").await;
    let program = site.clinic.program_for(&who, date(2026, 2, 2), 6).await;
    site.clinic.log(&who, &program, date(2026, 2, 3), Some(3)).await;
    for (query, sentence) in [
        ("from=2026-02-20&to=2026-02-10", "The period ends before it starts."),
        ("from=1986-03-02&to=2026-03-02", "That is longer than two years."),
        ("from=soon", "“soon” is not a date."),
        ("from=2026-01-01&to=2026-01-20", "the first one started on 2 February 2026"),
        ("to=2026-02-31", "“2026-02-31” is not a date."),
    ] {
        let page = hannah.get(&format!("/patients/{}?{query}", who.id)).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        assert!(page.has(sentence) && page.has("1 of 28"), "{query}: {}", page.text);
    }
}

#[tokio::test]
async fn a_finding_set_aside_comes_back_for_new_facts_alone() {
    let site = Site::open().await;
    let mut hannah = hannah(&site).await;
    let who = site.clinic.patient("Arjun Rao", "arjun@example.test").await;
    site.clinic.join(&who).await;
    let program = site.clinic.program_for(&who, date(2026, 2, 23), 6).await;
    for day in 23..=28 {
        site.clinic.log(&who, &program, date(2026, 2, day), Some(if day == 28 { 8 } else { 2 })).await;
    }
    site.clinic.log(&who, &program, date(2026, 3, 1), Some(2)).await;
    let address = format!("/patients/{}", who.id);
    let page = hannah.get(&address).await;
    assert!(page.has("Pain 8 after a session"), "{}", page.text);
    let key = page.hidden("key");
    let aside = format!("/attention/{}", who.id);
    let about = |key: &str, more: (&'static str, &str)| {
        vec![("kind", "pain_high".to_owned()), ("key", key.to_owned()), (more.0, more.1.to_owned())]
    };

    // What is not open changes nothing, whatever the form says.
    for fields in [about("another", ("note", "")), vec![("kind", "nonsense".to_owned()), ("key", key.clone())], vec![]] {
        let refused = hannah.post_owned(&format!("{aside}/acknowledge"), fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.has("Nothing was changed."), "{}", refused.text);
    }
    for (until, sentence) in [("2026-03-02", "Choose a day after today."), ("2036-01-01", "within a year"), ("", "Choose the day")]
    {
        let refused = hannah.post_owned(&format!("{aside}/snooze"), about(&key, ("until", until))).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.has(sentence), "{until}: {}", refused.text);
    }
    assert_eq!(site.db.row("select count(*) from attention_mark").await, "0");

    let done = hannah.post_owned(&format!("{aside}/snooze"), about(&key, ("until", "2026-03-04"))).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, address.as_str()));
    let page = hannah.get(&address).await;
    assert!(page.has("Snoozed until 4 March.") && !page.has("Pain 8 after a session"), "{}", page.text);
    site.clock.advance(SignedDuration::from_hours(48));
    let mut hannah = self::hannah(&site).await;
    assert!(hannah.get(&address).await.has("Pain 8 after a session"), "it is back on its day");

    let done = hannah.post_owned(&format!("{aside}/acknowledge"), about(&key, ("note", "Spoke on the phone."))).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(!hannah.get(&address).await.has("Pain 8 after a session"));
    assert_eq!(site.db.row("select kind, note, snoozed_until from attention_mark").await, "pain_high|Spoke on the phone.|");
    // Whoever comes next reads who set it aside, when, and why.
    let shown = hannah.get(&address).await;
    let physio = site.db.row(&format!("select name from membership where id = '{}'", site.clinic.physio.membership)).await;
    assert!(shown.has(&format!("Acknowledged by {physio} on 4 March")) && shown.has("Spoke on the phone."), "{}", shown.text);
    let again = hannah.post_owned(&format!("{aside}/acknowledge"), about(&key, ("note", "Rang twice"))).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "it is not open any more");
    assert!(again.has("Your note was: “Rang twice”"), "{}", again.text);

    site.clinic.log(&who, &program, date(2026, 3, 4), Some(9)).await;
    assert!(hannah.get(&address).await.has("Pain 9 after a session"), "a new session is a new fact");
}

#[tokio::test]
async fn a_stranger_is_a_404_like_any_other() {
    let site = Site::open().await;
    let mut hannah = hannah(&site).await;
    let other = people::clinic_called(&site.db, "Hillside", "hillside.test", site.clock.now()).await;
    let stranger = other.patient("Somebody Else", "else@example.test").await;
    let unknown = PatientId::new();
    let page = hannah.get(&format!("/patients/{unknown}")).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    let theirs = hannah.get(&format!("/patients/{}", stranger.id)).await;
    assert_eq!((theirs.status, theirs.text), (page.status, page.text.clone()));
    assert_eq!(hannah.get("/patients/not-an-id").await.status, StatusCode::NOT_FOUND);
    for verb in ["acknowledge", "snooze"] {
        for id in [stranger.id, unknown] {
            let fields = [("kind", "not_started"), ("key", "invited 2026-03-02"), ("until", "2026-03-05")];
            assert_eq!(hannah.post(&format!("/attention/{id}/{verb}"), &fields).await.status, StatusCode::NOT_FOUND);
        }
    }
    assert_eq!(site.db.row("select count(*) from attention_mark").await, "0");

    let mut nobody = site.browser();
    let sent_away = nobody.get(&format!("/patients/{}", stranger.id)).await;
    assert_eq!(sent_away.location(), format!("/sign-in?next=/patients/{}", stranger.id));
}
