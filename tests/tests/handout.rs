//! Stories of a program on paper: what stands on the sheet, what does not, and that it never tells somebody to go on who should not. How
//! it prints and what its code leads to is in `print.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use domain::{
    person::Role,
    program::{Plan, Program},
};
use jiff::civil::date;
use store::program;
use testkit::people::Somebody;
use visitor::{Answer, Browser, PASSWORD, Site};

const DOSE: &str = "Hold 15–30 s · 3 times";

/// Farah and her browser, and the physiotherapist's.
struct Story {
    site: Site,
    farah: Somebody,
    patient: Browser,
    physio: Browser,
}

impl Story {
    async fn begin() -> Self {
        let site = Site::open().await;
        let farah = site.clinic.patient("Farah Aziz", "farah@example.test").await;
        let account = site.clinic.join(&farah).await;
        let (mut patient, mut physio) = (site.browser(), site.browser());
        for (browser, account, email) in
            [(&mut physio, site.clinic.physio.account, "physio@riverside.test"), (&mut patient, account, "farah@example.test")]
        {
            site.give_password(account).await;
            assert_eq!(browser.sign_in(email, PASSWORD).await.status, StatusCode::SEE_OTHER);
        }
        Self { site, farah, patient, physio }
    }

    /// The sheet as the clinic prints it, and as the patient does: the same.
    async fn sheets(&mut self, program: &Program) -> String {
        let (theirs, own) = (self.of_clinic(program).await, self.patient.get("/handout").await);
        assert_eq!(own.status, StatusCode::OK);
        let own = sheet(&own);
        assert_eq!(theirs, own);
        own
    }

    /// Some days later, when the physiotherapist has signed in again.
    async fn days_later(&mut self, days: i64) {
        self.site.clock.advance(jiff::SignedDuration::from_hours(24 * days));
        assert_eq!(self.physio.sign_in("physio@riverside.test", PASSWORD).await.status, StatusCode::SEE_OTHER);
    }

    async fn of_clinic(&mut self, program: &Program) -> String {
        let page = self.physio.get(&format!("/programs/{}/handout", program.id)).await;
        assert_eq!(page.status, StatusCode::OK);
        sheet(&page)
    }
}

fn sheet(page: &Answer) -> String {
    assert_eq!(page.text.matches("<article").count(), 1, "one sheet");
    page.between("<article", "</article>")
}

/// The boxes of the diary.
fn boxes(sheet: &str) -> usize {
    sheet.matches("<i></i>").count()
}

#[tokio::test]
async fn it_has_all_that_is_needed_at_home() {
    let mut story = Story::begin().await;
    story.site.db.execute("update clinic set phone = '+60 12-345 6789', whatsapp = '60123456789'").await;
    // Twice a day for two weeks; today is the first day.
    let plan = |plan: &mut Plan| {
        plan.times_a_day = 2;
        plan.prescriptions[0].note = Some("Only as far as it is comfortable.".to_owned());
    };
    let program = story.site.clinic.program_with(&story.farah, date(2026, 3, 2), 2, plan).await;
    let sheet = story.sheets(&program).await;
    for words in [
        "Riverside Physio",
        "For Farah Aziz",
        "2 March to 15 March",
        "every day · twice a day · about",
        "+60 12-345 6789",
        "WhatsApp +60123456789",
        "1. Seated thoracic extension stretch",
        DOSE,
        "From your physiotherapist: Only as far as it is comfortable.",
        "sharp, spreading or growing pain is not",
        "Numbness or weakness in an arm or leg",
        "999 in Malaysia",
        "write your pain into the box",
        "Scan to sign in",
        "sheet of 2 March 2026",
    ] {
        assert!(sheet.contains(words), "{words:?} in {sheet}");
    }
    assert_eq!(boxes(&sheet), 2 * 14);
    // Who finds it learns nothing else about her, and no link on it opens anything.
    for secret in ["farah@example.test", &story.farah.id.to_string(), &program.id.to_string(), "token", "/go/", "href"] {
        assert!(!sheet.contains(secret), "{secret:?} in {sheet}");
    }
    // It is offered where programs are.
    assert!(story.physio.get(&format!("/programs/{}", program.id)).await.has("/handout\""));
    assert!(story.physio.get(&format!("/patients/{}", story.farah.id)).await.has("/handout\""));
    assert!(story.patient.get("/today").await.has("href=\"/handout\""));
}

#[tokio::test]
async fn the_diary_has_the_days_that_are_still_to_come() {
    let mut story = Story::begin().await;
    let program = story.site.clinic.program_for(&story.farah, date(2026, 2, 1), 24).await;
    // Six weeks from this one on, today first: Monday 2 March to Sunday 12 April.
    let sheet = story.sheets(&program).await;
    assert_eq!(boxes(&sheet), 42);
    assert!(sheet.contains("room for six weeks"));

    // On Wednesday two days fewer; and none on days that are paused.
    story.days_later(2).await;
    let mut program = program;
    program.pause(date(2026, 3, 6), Some(date(2026, 3, 8)), "travelling", date(2026, 3, 4)).unwrap();
    story.site.clinic.save(&program).await;
    assert_eq!(boxes(&story.sheets(&program).await), 42 - 2 - 3);
}

#[tokio::test]
async fn it_says_when_not_to_do_it() {
    let mut story = Story::begin().await;
    let mut program = story.site.clinic.program_for(&story.farah, date(2026, 3, 9), 2).await;
    let sheet = story.sheets(&program).await;
    assert!(sheet.contains("Starts on Monday 9 March") && sheet.contains(DOSE));
    assert_eq!(boxes(&sheet), 14);

    story.days_later(7).await;
    let today = date(2026, 3, 9);
    program.pause(today, Some(date(2026, 3, 11)), "a cold", today).unwrap();
    story.site.clinic.save(&program).await;
    assert!(story.sheets(&program).await.contains("Paused up to and including Wednesday 11 March. Do not do it until then."));

    program.resume(today, Role::Physiotherapist, "She is well.").unwrap();
    program.pause(today, None, "an operation", today).unwrap();
    story.site.clinic.save(&program).await;
    let sheet = story.sheets(&program).await;
    assert!(sheet.contains("Do not do it until your clinic says that it goes on."));
    assert_eq!(boxes(&sheet), 0, "nobody knows when it goes on");

    // Held by a stop sign it tells of no exercise at all.
    program.resume(today, Role::Physiotherapist, "She is well.").unwrap();
    assert!(program.stop(today));
    story.site.clinic.save(&program).await;
    let sheet = story.sheets(&program).await;
    assert!(sheet.contains("Stop and call the clinic") && sheet.contains("999 in Malaysia"));
    assert!(!sheet.contains(DOSE) && !sheet.contains("fig-start") && boxes(&sheet) == 0, "{sheet}");

    // Over, it is the clinic's to print; the patient has nothing to print any more.
    program.resume(today, Role::Physiotherapist, "Looked at it.").unwrap();
    program.finish(date(2026, 3, 9)).unwrap();
    story.site.clinic.save(&program).await;
    let sheet = story.of_clinic(&program).await;
    assert!(sheet.contains("This program ended on Sunday 8 March") && boxes(&sheet) == 0, "{sheet}");
    let own = story.patient.get("/handout").await;
    assert!(own.has("No program to print") && !own.has("<article") && !own.has("data-print"));
}

#[tokio::test]
async fn a_change_that_is_planned_is_announced() {
    let mut story = Story::begin().await;
    let mut program = story.site.clinic.program_for(&story.farah, date(2026, 2, 23), 4).await;
    let before = program.newest().unwrap();
    let plan = Plan { weekdays: before.weekdays, times_a_day: 3, prescriptions: Vec::new() };
    let prescriptions = before
        .prescriptions
        .iter()
        .take(1)
        .map(|row| domain::program::Prescription { id: domain::ids::PrescriptionId::new(), ..row.clone() });
    let plan = Plan { prescriptions: prescriptions.collect(), ..plan };
    let version = program.revise(plan, date(2026, 3, 9), date(2026, 3, 2)).unwrap().clone();
    let clinic = &story.site.clinic;
    clinic.tenant(async |tx| program::add_version(tx, &program, &version, clinic.now).await).await;
    let sheet = story.sheets(&program).await;
    assert!(sheet.contains("The program changes on Monday 9 March. Ask for a new sheet then."));
    assert!(sheet.contains("Wall angels") && sheet.contains("once a day"));
    // Seven days once, fourteen days three times.
    assert_eq!(boxes(&sheet), 7 + 14 * 3);
}

#[tokio::test]
async fn who_has_no_address_brings_it_along() {
    let mut story = Story::begin().await;
    let program = story.site.clinic.program_for(&story.farah, date(2026, 3, 2), 2).await;
    story.site.db.execute("update patient set email = null, account_id = null, joined_at = null, invited_at = null").await;
    let sheet = story.of_clinic(&program).await;
    assert!(sheet.contains("Bring this sheet along") && !sheet.contains("Scan to sign in") && !sheet.contains("class=\"qr\""));
}

#[tokio::test]
async fn awkward_words_stand_on_it_as_they_are_and_a_missing_drawing_leaves_no_hole() {
    let mut story = Story::begin().await;
    story.site.db.execute("update exercise set figure = null, name = '=cmd|<b>' || left(name, 20), instructions = E'  First.\\n\\n</script>Then.\\n'").await;
    let program = story
        .site
        .clinic
        .program_with(&story.farah, date(2026, 3, 2), 2, |plan| {
            plan.prescriptions[0].note = Some("“quotes”, & <i>tags</i>\nanother line مرحبا".to_owned());
        })
        .await;
    let sheet = story.sheets(&program).await;
    assert!(
        sheet.contains("=cmd|&lt;b&gt;") && sheet.contains("&lt;&#x2F;script&gt;Then.") | sheet.contains("&lt;/script&gt;Then."),
        "{sheet}"
    );
    assert!(sheet.contains("مرحبا") && !sheet.contains("<i>tags"));
    assert!(!sheet.contains("<svg class=\"fig") && !sheet.contains("sheet-drawings"), "{sheet}");

    // Two programs are two sheets.
    story.site.clinic.program_for(&story.farah, date(2026, 3, 9), 2).await;
    let own = story.patient.get("/handout").await;
    assert_eq!(own.text.matches("<article").count(), 2);
}
