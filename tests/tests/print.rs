//! A patient's report and program and the clinic's report on paper, as a browser prints them: two pages of A4 at most for each, with
//! whose it is and when it was printed, legible in black and white; and the code on the program leads to the sign-in page. The browser's part is `browser/print.mjs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use std::{env, path::Path, process::Stdio, time::Duration};

use jiff::{ToSpan, civil::date};
use tokio::process::Command;
use visitor::{PASSWORD, Site};

/// The longest that it may take.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn eight_weeks_and_five_exercises_fit_on_two_pages_each() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let who = site.clinic.patient("Farah Aziz", "farah@example.test").await;
    let start = date(2026, 1, 19);
    let mut program = site.clinic.program_for(&who, start, 8).await;
    program.pause(date(2026, 2, 3), Some(date(2026, 2, 5)), "travelling", date(2026, 2, 3)).unwrap();
    site.clinic.save(&program).await;
    for (n, day) in start.series(1.day()).take_while(|day| *day <= date(2026, 3, 1)).enumerate() {
        if n % 5 != 3 {
            site.clinic.log(&who, &program, day, Some(7 - i64::try_from(n).unwrap() / 8)).await;
        }
    }
    site.db
        .execute(&format!(
            "update session_log set note = 'The stretch over the chair pulls between the shoulder blades, more in the evening than in the morning.',
               completion = 0.6, pain_before = 6 where date in ('2026-01-22', '2026-01-30', '2026-02-07', '2026-02-12', '2026-02-20', '2026-02-27');
             insert into reply (clinic_id, id, patient_id, log_id, note, text, written_by, written_at)
               select clinic_id, gen_random_uuid(), patient_id, id, note, 'Do it earlier in the day, and hold it shorter.', '{}', received_at
               from session_log where note is not null",
            site.clinic.physio.membership
        ))
        .await;
    let here = site.listen().await;
    let mut browser = Command::new("node")
        .arg("print.mjs")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser"))
        .env("BASE", format!("http://{here}"))
        .env("CHROMIUM", chromium())
        .env("EMAIL", "physio@riverside.test")
        .env("PASSWORD", PASSWORD)
        .env("REPORT", format!("/patients/{}", who.id))
        .env("CLINIC", "/reports/adherence")
        .env("HANDOUT", format!("/programs/{}/handout", program.id))
        .env("SIGN_IN", "http://localhost:8080/sign-in?next=/today")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("node cannot be started; bin/test installs it");
    let ended = tokio::time::timeout(PATIENCE, browser.wait()).await.expect("it did not end in three minutes").unwrap();
    assert!(ended.success(), "what went wrong stands above");
}

/// The browser: `HOMESTRETCH_CHROMIUM`, else the first one in PATH.
fn chromium() -> std::path::PathBuf {
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
