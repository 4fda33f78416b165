//! Stories of how things are: switched on by the physiotherapist, answered on the phone, read on the patient's page with what may be
//! claimed of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use domain::program::Program;
use jiff::{SignedDuration, civil::date};
use testkit::people::Somebody;
use visitor::{Answer, Browser, PASSWORD, Site};

const ID: &str = "0199c0de-0000-7000-8000-000000000001";
const NEXT: &str = "0199c0de-0000-7000-8000-000000000002";

/// Wei Ling, whose program of eight weeks begins today, and the browsers of both.
struct Story {
    site: Site,
    wei: Somebody,
    program: Program,
    hannah: Browser,
    patient: Browser,
}

impl Story {
    async fn begin() -> Self {
        let site = Site::open().await;
        let wei = site.clinic.patient("Wei Ling Chong", "wei@example.test").await;
        let account = site.clinic.join(&wei).await;
        let program = site.clinic.program_for(&wei, date(2026, 3, 2), 8).await;
        let (mut hannah, mut patient) = (site.browser(), site.browser());
        for (browser, account, email) in
            [(&mut hannah, site.clinic.physio.account, "physio@riverside.test"), (&mut patient, account, "wei@example.test")]
        {
            site.give_password(account).await;
            assert_eq!(browser.sign_in(email, PASSWORD).await.status, StatusCode::SEE_OTHER);
        }
        Self { site, wei, program, hannah, patient }
    }

    /// The same, asked every four weeks.
    async fn asked() -> Self {
        let mut story = Self::begin().await;
        let switched = story.switch(&[("every", "4")]).await;
        assert_eq!((switched.status, switched.location()), (StatusCode::SEE_OTHER, format!("{}#change", story.page()).as_str()));
        story
    }

    fn page(&self) -> String {
        format!("/patients/{}", self.wei.id)
    }

    fn questions(&self) -> String {
        format!("/questions/{}", self.program.id)
    }

    async fn switch(&mut self, fields: &[(&str, &str)]) -> Answer {
        self.hannah.post(&format!("/programs/{}/questions", self.program.id), fields).await
    }

    async fn answer(&mut self, fields: &[(&str, &str)]) -> Answer {
        let to = self.questions();
        self.patient.post(&to, fields).await
    }

    /// Three activities named on the first day.
    async fn first(&mut self) {
        let named = [
            ("answer_id", ID),
            ("name-1", "An hour at the desk"),
            ("new-1", "3"),
            ("name-2", "Lifting  my daughter"),
            ("new-2", "0"),
            ("name-3", "Driving"),
            ("new-3", "none"),
            // Not asked the first time.
            ("rating", "5"),
        ];
        let sent = self.answer(&named).await;
        assert_eq!((sent.status, sent.location()), (StatusCode::SEE_OTHER, "/today"), "{}", sent.text);
    }

    async fn scores(&self) -> Vec<String> {
        self.site
            .db
            .rows(
                "select concat(a.date, ' ', v.name, ' ', s.score) from questionnaire_score s
                 join questionnaire_answer a on a.id = s.answer_id join questionnaire_activity v on v.id = s.activity_id
                 order by a.date, v.position",
            )
            .await
    }

    async fn ids(&self) -> Vec<String> {
        self.site.db.rows("select id from questionnaire_activity order by position").await
    }

    fn days_later(&self, days: i64) {
        self.site.clock.advance(SignedDuration::from_hours(24 * days));
    }

    /// A session of thirty days may be over by now.
    async fn sign_in_again(&mut self) {
        for (browser, email) in [(&mut self.hannah, "physio@riverside.test"), (&mut self.patient, "wei@example.test")] {
            browser.sign_in(email, PASSWORD).await;
        }
    }
}

#[tokio::test]
async fn activities_are_named_scored_again_and_compared() {
    let mut story = Story::begin().await;
    assert!(!story.patient.get("/today").await.has("How are your activities?"), "nobody asked yet");
    assert_eq!(story.patient.get(&story.questions()).await.location(), "/today");
    let page = story.page();
    let unasked = story.hannah.get(&page).await;
    assert!(
        unasked.has("Not asked.") && unasked.has("<section class=\"card pad change no-print\""),
        "nothing for paper\n{}",
        unasked.text
    );
    story.switch(&[("every", "4")]).await;
    assert!(story.hannah.get(&page).await.has("Asked every 4 weeks. Asked from today on."));

    let today = story.patient.get("/today").await;
    assert!(today.has("How are your activities?") && today.has(&format!("href=\"{}\"", story.questions())), "{}", today.text);
    let form = story.patient.get(&story.questions()).await;
    assert!(form.has("name=\"name-3\"") && form.has("name=\"new-3\"") && form.has("cannot do it"), "{}", form.text);
    assert!(!form.has("name=\"rating\""), "change is asked later");
    assert!(!form.has(" checked"), "nothing is chosen beforehand");

    story.first().await;
    assert_eq!(
        story.scores().await,
        ["2026-03-02 An hour at the desk 3", "2026-03-02 Lifting my daughter 0", "2026-03-02 Driving "]
    );
    assert_eq!(
        story.site.db.row("select concat(ability_edition, rating_edition, rating) from questionnaire_answer").await,
        "psfs-1995groc-11"
    );
    // The device sends it again: one answer.
    let again = story.answer(&[("answer_id", ID), ("name-1", "Something else"), ("new-1", "9")]).await;
    assert_eq!(again.location(), "/today");
    assert_eq!(story.scores().await.len(), 3);
    let today = story.patient.get("/today").await;
    assert!(today.has("You told us on Monday 2 March how things are.") && today.has(&format!("/answers/{ID}")), "{}", today.text);
    let read = story.hannah.get(&page).await;
    for words in ["One answer so far", "1.5 (n = 2)", "Lifting my daughter", "Next from 30 March on."] {
        assert!(read.has(words), "{words}: {}", read.text);
    }

    // Four weeks later the same activities are asked, and the change.
    story.days_later(28);
    story.sign_in_again().await;
    assert!(story.hannah.get(&page).await.has("Asked from today on."));
    let ids = story.ids().await;
    let form = story.patient.get(&story.questions()).await;
    for id in &ids {
        assert!(form.has(&format!("name=\"score-{id}\"")), "{}", form.text);
    }
    assert!(
        form.has("name=\"rating\"") && form.has("You began on Monday 2 March.") && !form.has("name=\"name-3\""),
        "{}",
        form.text
    );
    let (one, two) = (format!("score-{}", ids[0]), format!("score-{}", ids[1]));
    let sent = story
        .answer(&[("answer_id", NEXT), (&one, "7"), (&two, "4"), ("name-4", "Sleeping"), ("new-4", "1"), ("rating", "0")])
        .await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    let read = story.hannah.get(&page).await;
    for words in [
        // Sleeping was scored once, Driving never: neither moves the mean.
        "1.5 → 5.5",
        "up 4.0, better · beyond measurement error; how much matters to patients is not known here · n = 2 activities",
        "Source: Stratford 1995, Physiother Can 47:258–263.",
        "Compared with the start of the program",
        "about the same",
        "Kamper 2009, PMID 20046623",
        "self-reported",
    ] {
        assert!(read.has(words), "{words}: {}", read.text);
    }
    assert!(read.has("<section class=\"card pad change\"") && read.has("<div class=\"change-program\""), "it stands on paper too");
    // For the low back there is a published value, and the same answers mean more.
    story.site.db.execute("update patient set region = 'lower_back'").await;
    let read = story.hannah.get(&page).await;
    assert!(read.has("up 4.0, better · a meaningful change · n = 2 activities"), "{}", read.text);
    assert!(read.has("patients notice 1.4 points (MCID)") && read.has("Maughan &amp; Lewis 2010"), "{}", read.text);
}

#[tokio::test]
async fn what_cannot_be_kept_comes_back_as_it_was_typed() {
    let mut story = Story::asked().await;
    let long = "x".repeat(81);
    for (fields, why) in [
        (&[("name-1", ""), ("new-1", "4")][..], "Say which activity this is."),
        (&[("name-1", long.as_str()), ("new-1", "4")], "Please say it shorter: 80 characters at most."),
        (&[("name-1", "Driving"), ("new-1", "11")], "Choose a number from 0 to 10, or leave it out."),
        (&[("name-1", "Driving"), ("new-1", "four")], "Choose a number from 0 to 10, or leave it out."),
        (&[("name-1", "Driving"), ("new-1", "4"), ("name-2", "driving"), ("new-2", "5")], "You have named this one already."),
        (&[("name-1", "Driving"), ("new-1", "none")], "There is nothing to send yet."),
        (&[("name-1", "Driving")], "There is nothing to send yet."),
        (
            &[("name-1", "Driving"), ("new-1", "4"), ("score-0199c0de-0000-7000-8000-00000000ffff", "4")],
            "Your questions have changed",
        ),
    ] {
        let fields: Vec<_> = [("answer_id", ID)].iter().chain(fields).copied().collect();
        let refused = story.answer(&fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        assert!(refused.has(why), "{why}: {}", refused.text);
        assert!(refused.has(ID), "the same id goes with the next try");
        for (name, value) in fields.iter().filter(|(name, _)| name.starts_with("name-")) {
            assert!(refused.has(&format!("value=\"{value}\"")), "{name} {value}: {}", refused.text);
        }
    }
    assert_eq!(story.scores().await.len(), 0);
    // A seventh name has no place on the form, so it is not taken.
    let sent =
        story.answer(&[("answer_id", ID), ("name-1", "Driving"), ("new-1", "4"), ("name-7", "Sailing"), ("new-7", "4")]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert_eq!(story.scores().await, ["2026-03-02 Driving 4"]);
}

#[tokio::test]
async fn an_answer_is_corrected_for_seven_days_and_the_earlier_one_is_kept() {
    let mut story = Story::asked().await;
    story.first().await;
    let ids = story.ids().await;
    let at = format!("/answers/{ID}");
    let form = story.patient.get(&at).await;
    assert!(form.has("You can correct them until Monday 9 March.") && !form.has("name=\"name-1\""), "names stay: {}", form.text);
    assert_eq!(form.text.matches(" checked").count(), 2, "what was given stands there, what was not does not");

    story.days_later(7);
    let (one, two) = (format!("score-{}", ids[0]), format!("score-{}", ids[2]));
    let sent = story.patient.post(&at, &[(&one, "5"), (&two, "6")]).await;
    assert_eq!((sent.status, sent.location()), (StatusCode::SEE_OTHER, at.as_str()), "{}", sent.text);
    assert_eq!(
        story.scores().await,
        ["2026-03-02 An hour at the desk 5", "2026-03-02 Lifting my daughter ", "2026-03-02 Driving 6"]
    );
    let kept = story
        .site
        .db
        .row("select before->'scores'->1->>'score' || (before->'scores'->0->>'activity') from questionnaire_revision")
        .await;
    assert_eq!(kept, "0An hour at the desk");
    let empty = story.patient.post(&at, &[]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);

    story.days_later(1);
    let late = story.patient.post(&at, &[(&one, "9")]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.has("Answers can be corrected for 7 days, and those have passed."), "{}", late.text);
    let page = story.patient.get(&at).await;
    assert!(page.has("5 of 10") && page.has("not given") && !page.has("<form class=\"session\""), "{}", page.text);
    // What was looked at and changed stands in the audit.
    let wrote = story.site.db.rows("select deed from audit_entry where subject = 'answers' and actor_patient_id is not null").await;
    assert_eq!(wrote, ["wrote", "wrote"]);
}

#[tokio::test]
async fn nothing_is_asked_while_paused_or_after_the_end_or_once_it_is_stopped() {
    let mut story = Story::asked().await;
    let asks = async |story: &mut Story| story.patient.get("/today").await.has("How are your activities?");
    assert!(asks(&mut story).await);
    story.switch(&[("every", "4"), ("stop", "yes")]).await;
    assert!(!asks(&mut story).await);
    assert!(story.hannah.get(&story.page()).await.has("Not asked."));
    story.switch(&[("every", "2")]).await;
    assert!(asks(&mut story).await);
    let program = format!("/programs/{}", story.program.id);
    story.hannah.post(&format!("{program}/pause"), &[("from", "2026-03-02"), ("until", ""), ("reason", "Away")]).await;
    assert!(!asks(&mut story).await);
    let sent = story.answer(&[("answer_id", ID), ("name-1", "Driving"), ("new-1", "4")]).await;
    assert_eq!(sent.location(), "/today");
    assert_eq!(story.scores().await.len(), 0, "what is not asked is not kept");
    story.hannah.post(&format!("{program}/resume"), &[("reason", "Back")]).await;
    assert!(asks(&mut story).await);
    story.hannah.post(&format!("{program}/finish"), &[]).await;
    assert!(!asks(&mut story).await);
    let refused = story.switch(&[("every", "4")]).await;
    assert_eq!(refused.status, StatusCode::SEE_OTHER);
    let wrong = story.switch(&[("every", "3")]).await;
    assert_eq!(wrong.status, StatusCode::SEE_OTHER, "over is over");
}

#[tokio::test]
async fn an_interval_that_is_none_is_refused() {
    let mut story = Story::begin().await;
    for every in ["3", "", "0", "every week"] {
        assert_eq!(story.switch(&[("every", every)]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(story.site.db.row("select count(*) from questionnaire_plan").await, "0");
}
