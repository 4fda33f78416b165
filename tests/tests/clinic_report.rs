//! Stories of the clinic's report: every total against a recount in SQL, small groups, periods, and whom it is shown to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use homestretch::demo::seed;
use jiff::{
    ToSpan,
    civil::{Date, date},
};
use testkit::{Db, clock::Clock};
use visitor::{Browser, PASSWORD, Site};

/// One line of the file, by the names of its columns.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    by: String,
    name: String,
    patients: u32,
    due: u32,
    done: String,
    adherence: Option<f64>,
    completion: Option<f64>,
    pain_patients: Option<u32>,
    pain: (String, String),
    too_few: bool,
}

fn lines(file: &str) -> Vec<Line> {
    let mut reader = file.split("\r\n").filter(|line| !line.is_empty());
    let columns: Vec<&str> = reader.next().unwrap().split(',').collect();
    let at = |name: &str| columns.iter().position(|column| *column == name).unwrap_or_else(|| panic!("{name} in {columns:?}"));
    reader
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), columns.len(), "{line}");
            let cell = |name| cells[at(name)].to_owned();
            Line {
                by: cell("group"),
                name: cell("name"),
                patients: cell("patients").parse().unwrap(),
                due: cell("due").parse().unwrap(),
                done: cell("done"),
                adherence: cell("adherence").parse().ok(),
                completion: cell("completion").parse().ok(),
                pain_patients: cell("pain_patients").parse().ok(),
                pain: (cell("pain_first"), cell("pain_last")),
                too_few: cell("too_few") == "yes",
            }
        })
        .collect()
}

async fn file(browser: &mut Browser, query: &str) -> Vec<Line> {
    let answer = browser.get(&format!("/reports/adherence.csv{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
    lines(answer.text.strip_prefix('\u{feff}').expect("a mark that a spreadsheet knows UTF-8 by"))
}

/// The same counts from SQL that knows nothing of our code.
async fn recounted(db: &Db, from: Date, to: Date, today: Date) -> Vec<(String, String, u32, u32, String, Option<f64>)> {
    let sql = include_str!("clinic_report/recount.sql")
        .replace(":'from'", &format!("'{from}'"))
        .replace(":'to'", &format!("'{to}'"))
        .replace(":'today'", &format!("'{today}'"));
    let rows = db.rows(&sql).await;
    rows.iter()
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            let [by, name, patients, due, done, completion] = cells[..] else { panic!("{row}") };
            (
                by.to_owned(),
                name.to_owned(),
                patients.parse().unwrap(),
                due.parse().unwrap(),
                done.to_owned(),
                completion.parse().ok(),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_total_of_the_file_agrees_with_a_recount() {
    let db = Db::new().await;
    let clock = Clock::at("2026-11-22T15:00:00+08:00");
    let today = date(2026, 11, 22);
    seed::ensure(&db.store, clock.now(), &|_| ()).await.unwrap();
    let mut owner = visitor::browser_of(&db, &clock);
    assert_eq!(owner.sign_in("owner@demo.test", seed::PASSWORD).await.status, StatusCode::SEE_OTHER);

    for (from, to) in [
        (date(2026, 10, 26), today),
        (date(2026, 9, 1), today),
        (date(2026, 10, 12), date(2026, 11, 1)),
        (today, today),
        (date(2026, 11, 8), date(2027, 1, 1)),
    ] {
        let told = file(&mut owner, &format!("?from={from}&to={to}&by=exercise")).await;
        let counted = recounted(&db, from, to, today).await;
        assert!(!counted.is_empty(), "{from} to {to}");
        for (by, name, patients, due, done, completion) in &counted {
            let line = told.iter().find(|line| (&line.by, &line.name) == (by, name));
            let line = line.unwrap_or_else(|| panic!("{from} to {to}: no {by} {name} in {told:#?}"));
            assert_eq!((line.patients, line.due, &line.done), (*patients, *due, done), "{from} to {to}: {by} {name}");
            let few = *patients < 5 || *due < 5;
            assert_eq!(line.too_few, few, "{from} to {to}: {line:?}");
            if few {
                assert_eq!((line.adherence, line.completion), (None, None), "{line:?}");
            } else if by != "exercise" {
                let ratio = done.parse::<f64>().unwrap() / f64::from(*due);
                assert!((line.adherence.unwrap() - ratio).abs() < 1e-4, "{line:?}");
            }
            if let (false, Some(completion)) = (few, completion) {
                assert!(
                    (line.completion.unwrap() * f64::from(*due) - completion).abs() < 0.02 + 1e-4 * f64::from(*due),
                    "{line:?}"
                );
            }
        }
        assert_eq!(told.len(), counted.len(), "{from} to {to}: {told:#?}\n{counted:#?}");
    }

    // The page says the same as the file.
    let page = owner.get("/reports/adherence").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let whole = file(&mut owner, "").await.remove(0);
    assert!(page.has(&format!("<b class=\"num\">{} of {}</b>", whole.done, whole.due)), "{whole:?}\n{}", page.text);
    assert!(page.has("self-reported") && page.has("too few to read") && page.has("Still logging, by week of the program"));
    assert!(
        page.has("/reports/adherence?from=2026-10-26&amp;to=2026-11-22&amp;by=exercise#by-exercise")
            || page.has("by=exercise#by-exercise")
    );
    assert!(!page.has("Skipped"), "exercises are read when somebody asks for them");
    let page = owner.get("/reports/adherence?by=exercise").await;
    assert!(page.has("By exercise") && page.has("Skipped "), "{}", page.text);
}

/// Patients who logged every day of the four weeks up to a [`Site`]'s today, with pain that fell from 6 to 2.
async fn patients(site: &Site, count: usize) {
    for n in 0..count {
        let who = site.clinic.patient(&format!("Patient {n}"), &format!("p{n}@home.test")).await;
        let program = site.clinic.program_for(&who, date(2026, 2, 2), 4).await;
        for day in 0..28i64 {
            site.clinic.log(&who, &program, date(2026, 2, 2).saturating_add(day.days()), Some(6 - day / 6)).await;
        }
    }
}

async fn owner(site: &Site) -> Browser {
    site.give_password(site.clinic.owner.account).await;
    let mut owner = site.browser();
    assert_eq!(owner.sign_in("owner@riverside.test", PASSWORD).await.status, StatusCode::SEE_OTHER);
    owner
}

#[tokio::test]
async fn four_patients_are_counted_and_five_are_read() {
    let site = Site::open().await;
    let mut owner = owner(&site).await;
    let none = owner.get("/reports/adherence").await;
    assert!(none.has("No sessions were due in these days") && !none.has("NaN") && !none.has("CSV"), "{}", none.text);
    assert_eq!(file(&mut owner, "").await.len(), 1, "the clinic, with nothing");

    patients(&site, 4).await;
    let four = owner.get("/reports/adherence").await;
    assert!(four.has("too few to read") && !four.has("100%</b>") && !four.has("class=\"weeks-bar\""), "{}", four.text);
    assert!(four.has("108 of 108"), "27 days of 4 patients are in the four weeks up to 2 March\n{}", four.text);
    assert!(four.has("n = 4 patients") && !four.has("better, 0 worse"), "{}", four.text);
    let whole = file(&mut owner, "").await.remove(0);
    assert_eq!((whole.patients, whole.due, whole.done.as_str(), whole.too_few), (4, 108, "108", true));
    assert_eq!((whole.adherence, whole.pain_patients, whole.pain.0.as_str()), (None, Some(4), ""));

    let who = site.clinic.patient("A fifth", "fifth@home.test").await;
    let program = site.clinic.program_for(&who, date(2026, 2, 2), 4).await;
    for day in (0..28i64).filter(|day| *day < 14) {
        site.clinic.log(&who, &program, date(2026, 2, 2).saturating_add(day.days()), Some(5)).await;
    }
    let five = owner.get("/reports/adherence").await;
    assert!(five.has("121 of 135") && five.has("90% of those prescribed"), "{}", five.text);
    assert!(five.has("n = 5: 4 better, 0 worse, 1 neither"), "{}", five.text);
    let told = file(&mut owner, "?from=2026-02-02&to=2026-03-01").await;
    let weeks: Vec<_> = told.iter().filter(|line| line.by == "week").map(|line| (line.due, line.done.clone())).collect();
    assert_eq!(weeks, [(5, "5".to_owned()), (5, "5".to_owned()), (5, "4".to_owned()), (5, "4".to_owned())]);
    let (first, last): (f64, f64) = (told[0].pain.0.parse().unwrap(), told[0].pain.1.parse().unwrap());
    assert!(first > 5.0 && last < first - 2.0, "{told:?}");
    assert_eq!(five.text.matches("<script>").count(), 0);
}

#[tokio::test]
async fn a_period_that_cannot_be_had_is_said_at_its_field() {
    let site = Site::open().await;
    let mut owner = owner(&site).await;
    patients(&site, 1).await;
    for (query, sentence) in [
        ("?from=1986-11-22&to=2026-03-02", "longer than two years"),
        ("?from=2026-03-02&to=2026-02-02", "ends before it starts"),
        ("?from=soon", "is not a date"),
        ("?from=2026-04-01", "has not come yet"),
    ] {
        let page = owner.get(&format!("/reports/adherence{query}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.has(sentence) && page.has("3 February to 2 March"), "{query}: {}", page.text);
        let answer = owner.get(&format!("/reports/adherence.csv{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert!(answer.has(sentence), "{query}: {}", answer.text);
    }
    let before = owner.get("/reports/adherence?from=2025-03-02&to=2025-03-20").await;
    assert!(before.has("No sessions were due in these days"), "{}", before.text);
    assert!(before.has("2 March 2025 to 20 March 2025"), "of another year it is said which\n{}", before.text);
}

#[tokio::test]
async fn a_physiotherapist_who_is_kept_to_a_caseload_reads_that_alone() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    patients(&site, 3).await;
    site.db.execute("update patient set physiotherapist_id = null where name = 'Patient 0'").await;
    let other = site.clinic.owner.membership;
    site.db.execute(&format!("update patient set physiotherapist_id = '{other}' where name = 'Patient 1'")).await;
    let mut owner = owner(&site).await;
    let mut hannah = site.browser();
    hannah.sign_in("physio@riverside.test", PASSWORD).await;
    assert_eq!(file(&mut hannah, "").await[0].patients, 3, "as it is usually");
    site.db.execute("update clinic set own_caseload = true").await;
    let hers = hannah.get("/reports/adherence").await;
    assert!(hers.has("Your own caseload, and patients on nobody’s") && hers.has("54 of 54"), "{}", hers.text);
    let told = file(&mut hannah, "").await;
    assert_eq!(told[0].patients, 2, "hers, and the one on nobody's");
    assert!(told.iter().any(|line| line.name == "On nobody’s caseload"));
    assert_eq!(file(&mut owner, "").await[0].patients, 3);

    // What was taken away is written down.
    let notes = "select count(*) from audit_entry where deed = 'exported' and subject = 'caseload'";
    assert_eq!(site.db.row(notes).await, "3");
}
