//! The mail as people ask about it: the clinic's list with its failures, another attempt, and why a mail did or did not come.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use std::sync::Arc;

use domain::ids::PatientId;
use jiff::{SignedDuration, Timestamp, civil::date};
use render::{Templates, links::Links};
use store::outbox::{self, Owed};
use testkit::{
    people::{Somebody, clinic_called},
    smtp::{Answer as Smtp, Phase, Server},
};
use visitor::{Answer, Browser, PASSWORD, Site};
use worker::{Composer, Engine, Mailer, Target};

/// The clinic with a mail server and a worker, at seven in the morning of Monday 2 March 2026.
struct House {
    site: Site,
    server: Server,
    engine: Arc<Engine>,
}

impl House {
    async fn open() -> Self {
        let site = Site::open().await;
        site.clock.set("2026-03-02T07:00:00+08:00");
        site.give_password(site.clinic.physio.account).await;
        let server = Server::start().await.unwrap();
        let composer =
            Composer::new(Templates::load().unwrap(), Links::new("https://clinic.test", &[7; 32]).unwrap(), "mail@clinic.test")
                .unwrap();
        let mailer = Mailer::new(Target::parse(&server.url()).unwrap());
        let engine = Arc::new(Engine::new(site.db.store.clone(), mailer, composer));
        Self { site, server, engine }
    }

    fn now(&self) -> Timestamp {
        self.site.clock.now()
    }

    /// A patient with six weeks of program from today, reminded at these hours.
    async fn patient(&self, name: &str, hours: &[&str]) -> Somebody {
        let email = format!("{}@home.test", name.split(' ').next().unwrap().to_lowercase());
        let who = self.site.clinic.patient(name, &email).await;
        self.site.clinic.program_for(&who, date(2026, 3, 2), 6).await;
        self.site.clinic.remind(&who, hours, self.now()).await;
        who
    }

    async fn owe(&self, owed: Owed, who: &Somebody) {
        let clinic = &self.site.clinic;
        clinic.tenant(async |tx| outbox::enqueue(tx, clinic.id, owed, &who.email, self.now()).await).await;
    }

    /// The clock moves on to this hour of that Monday, and the worker does what is due.
    async fn at(&self, hour: &str) {
        self.site.clock.set(&format!("2026-03-02T{hour}:00+08:00"));
        worker::tick(&self.engine, self.now()).await.unwrap();
    }

    /// What was refused is taken for gone, as after its second refusal (see the stories of refusals).
    async fn give_up(&self) {
        let now = self.now();
        self.site
            .db
            .execute(&format!(
                "update notice set state = 'dead', settled_at = '{now}' where state = 'pending' and reply like '550%';
                 insert into suppression (clinic_id, email, scope, reason, created_at)
                   select clinic_id, recipient, 'all', left(reply, 500), '{now}' from notice where state = 'dead'"
            ))
            .await;
    }

    async fn physio(&self) -> Browser {
        let mut browser = self.site.browser();
        let physio = self.site.clinic.physio.email.clone();
        assert_eq!(browser.sign_in(physio.as_str(), PASSWORD).await.status, 303);
        browser
    }

    async fn signed_in(&self, who: &Somebody) -> Browser {
        let account = self.site.clinic.join(who).await;
        self.site.give_password(account).await;
        let mut browser = self.site.browser();
        assert_eq!(browser.sign_in(who.email.as_str(), PASSWORD).await.status, 303);
        browser
    }

    async fn id(&self, kind: &str) -> String {
        self.site.db.row(&format!("select id from notice where kind = '{kind}'")).await
    }
}

/// The page has all of these.
#[track_caller]
fn has(page: &Answer, texts: &[&str]) {
    for text in texts {
        assert!(page.has(text), "{text:?} is not on the page ({}):\n{}", page.status, words(&page.text));
    }
}

/// The page has none of these.
#[track_caller]
fn lacks(page: &Answer, texts: &[&str]) {
    for text in texts {
        assert!(!page.has(text), "{text:?} is on the page:\n{}", words(&page.text));
    }
}

/// A page without its markup.
fn words(html: &str) -> String {
    let html = html.split("<main").nth(1).unwrap_or(html);
    let mut inside = false;
    let text: String = html
        .chars()
        .map(|c| match c {
            '<' => {
                inside = true;
                ' '
            }
            '>' => {
                inside = false;
                ' '
            }
            _ if inside => ' ',
            c => c,
        })
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn the_clinic_sees_what_was_sent_what_was_not_and_why() {
    let house = House::open().await;
    let mut physio = house.physio().await;
    has(&physio.get("/notices").await, &["No mail in the last 30 days", "0 sent in the last 30 days. None failed."]);

    let farah = house.patient("Farah Aziz", &["08:00"]).await;
    let wei = house.patient("Wei Ling", &["08:00"]).await;
    let gone = house.patient("Gone Away", &["08:00"]).await;
    let program = house.site.clinic.program_for(&wei, date(2026, 3, 2), 1).await;
    house.site.clinic.log(&wei, &program, date(2026, 3, 2), None).await;
    house.owe(Owed::PatientInvitation(farah.id), &farah).await;
    house.server.reject(gone.email.as_str());
    house.at("08:00").await;
    house.give_up().await;

    let page = physio.get("/notices").await;
    has(
        &page,
        &["Farah Aziz", "farah@home.test", "Session reminder", "for Mon 2 Mar, 08:00", "Taken by the mail server Mon 2 Mar, 08:00"],
    );
    has(&page, &["Gone Away", "It could not be delivered", "550", "1 failed."]);
    has(&page, &["Failed · 1", "Send again to gone@home.test", "Mail to gone@home.test came back: 550"]);
    has(&page, &[&format!("href=\"/patients/{}\"", farah.id)]);

    let failed = physio.get("/notices?state=failed").await;
    has(&failed, &["Gone Away"]);
    lacks(&failed, &["Farah Aziz"]);
    let invitations = physio.get("/notices?kind=invitation").await;
    has(&invitations, &["Farah Aziz", "Invitation"]);
    lacks(&invitations, &["Gone Away", "for Mon 2 Mar, 08:00"]);
    has(&physio.get("/notices?state=unknown").await, &["Nothing here"]);
    has(&physio.get("/notices?state=nonsense&kind=nonsense&before=nonsense").await, &["Farah Aziz"]);

    // One found is shown at once; none or several are said.
    assert_eq!(physio.get("/notices?q=farah").await.location(), format!("/notices?patient={}", farah.id));
    has(&physio.get("/notices?q=zzz").await, &["Nobody found for “zzz”"]);
    has(&physio.get("/notices?q=home.test").await, &["Whose mail?", "Wei Ling", "Gone Away"]);

    let hers = physio.get(&format!("/notices?patient={}", farah.id)).await;
    has(&hers, &["Mail to Farah Aziz", "Invitation", "Session reminder"]);
    lacks(&hers, &["Gone Away"]);
    has(&physio.get(&format!("/patients/{}", farah.id)).await, &[&format!("href=\"/notices?patient={}\"", farah.id)]);
}

#[tokio::test]
async fn a_long_list_goes_on_page_by_page_and_none_is_lost() {
    let house = House::open().await;
    let who = house.patient("Farah Aziz", &[]).await;
    house
        .site
        .db
        .execute(&format!(
            "insert into notice (clinic_id, id, kind, patient_id, recipient, dedupe_key, state, due_at, next_at, created_at, reply, settled_at)
             select '{}', gen_random_uuid(), case when n % 4 = 0 then 'test' else 'session_reminder' end, '{}', 'farah@home.test', 'x' || n,
               case when n % 3 = 0 then 'dead' else 'sent' end, at, at, at, 'reply number ' || n || '.', at
             from generate_series(1, 120) n, lateral (select '{}'::timestamptz - (n / 3) * interval '1 minute' as at) at",
            house.site.clinic.id,
            who.id,
            house.now()
        ))
        .await;
    let mut physio = house.physio().await;
    for (start, total) in [
        ("/notices", 120_usize),
        ("/notices?state=failed", 40),
        ("/notices?kind=test", 30),
        (&format!("/notices?patient={}", who.id) as &str, 120),
    ] {
        let (mut path, mut seen, mut pages) = (start.to_owned(), std::collections::BTreeSet::new(), 0);
        loop {
            let page = physio.get(&path).await;
            pages += 1;
            assert_eq!(page.has(">Newest</a>") || page.has("Newest"), pages > 1);
            seen.extend(page.text.split("reply number ").skip(1).map(|rest| rest.split('.').next().unwrap().to_owned()));
            let Some((before, _)) = page.text.split_once("\">Older") else { break };
            path = before.rsplit("href=\"").next().unwrap().replace("&amp;", "&");
        }
        assert_eq!((seen.len(), pages), (total, total.div_ceil(50)), "{start}");
    }
}

#[tokio::test]
async fn what_a_server_says_is_quoted_and_never_run() {
    let house = House::open().await;
    let who = house.patient("Farah Aziz", &["08:00"]).await;
    let long = format!("5.1.1 <script>alert(1)</script> {}", "x".repeat(900));
    house.server.answer_for(who.email.as_str(), Phase::Rcpt, Smtp::Refuse(550, long));
    house.at("08:00").await;
    let mut physio = house.physio().await;
    for path in ["/notices".to_owned(), format!("/notices?patient={}&date=2026-03-02", who.id)] {
        let page = physio.get(&path).await;
        has(&page, &["&lt;script&gt;alert(1)", "xxxxxxxx"]);
        lacks(&page, &["<script>alert"]);
    }
}

#[tokio::test]
async fn a_failed_mail_is_sent_again_once_the_address_was_checked() {
    let house = House::open().await;
    let who = house.patient("Farah Aziz", &[]).await;
    house.owe(Owed::PatientInvitation(who.id), &who).await;
    house.server.reject(who.email.as_str());
    house.at("08:00").await;
    house.give_up().await;
    let id = house.id("invitation").await;
    let mut physio = house.physio().await;
    let again = format!("/notices/{id}/resend");

    let unchecked = physio.post(&again, &[("seen", "1")]).await;
    assert_eq!(unchecked.status, 422);
    has(&unchecked, &["Tick this once you have checked the address", "Mail to farah@home.test came back: 550"]);
    assert_eq!(house.site.db.row("select state from notice").await, "dead");

    // The clinic corrects the address; mail to that one never came back, so there is nothing to confirm.
    let corrected = details("Farah Aziz", "Farah.Aziz@home.test");
    assert_eq!(physio.post(&format!("/patients/{}/edit", who.id), &corrected).await.status, 303);
    let page = physio.get("/notices").await;
    has(&page, &["Send again to farah.aziz@home.test", "It goes to their present address, not to farah@home.test"]);
    lacks(&page, &["Check the address first"]);
    let done = physio.post(&again, &[("seen", "1")]).await;
    assert_eq!((done.status.as_u16(), done.location()), (303, "/notices"));
    has(&physio.get("/notices").await, &["on its way to farah.aziz@home.test again", "Sent again by Hannah Lim"]);
    house.at("08:05").await;
    assert_eq!(house.server.to("farah.aziz@home.test").len(), 1);
    has(
        &physio.get("/notices").await,
        &["Taken by the mail server Mon 2 Mar, 08:05", "2 attempts", "refused for good, when the mail server heard whom it is for"],
    );

    // The old address is right after all: whoever confirms it is written to again.
    house.site.db.execute("update patient set email = 'farah@home.test'; update notice set state = 'dead'").await;
    house.server.behave();
    let done = physio.post(&again, &[("seen", "2"), ("checked", "yes"), ("patient", &who.id.to_string())]).await;
    assert_eq!(done.location(), format!("/notices?patient={}", who.id));
    assert_eq!(house.site.db.row("select count(*) from suppression").await, "0");
    house.at("08:10").await;
    assert_eq!(house.server.to("farah@home.test").len(), 1);
}

#[tokio::test]
async fn an_old_failure_may_be_sent_again_days_later() {
    let house = House::open().await;
    let who = house.patient("Farah Aziz", &[]).await;
    house.owe(Owed::PatientInvitation(who.id), &who).await;
    house.server.reject(who.email.as_str());
    house.at("08:00").await;
    house.give_up().await;
    house.server.behave();
    house.site.clock.advance(SignedDuration::from_hours(24 * 9));
    let mut physio = house.physio().await;
    let again = format!("/notices/{}/resend", house.id("invitation").await);
    assert_eq!(physio.post(&again, &[("seen", "1"), ("checked", "yes")]).await.status, 303);
    worker::tick(&house.engine, house.now()).await.unwrap();
    assert_eq!(house.site.db.row("select state from notice").await, "sent");
}

#[tokio::test]
async fn two_people_press_send_again_and_one_mail_goes_out() {
    let house = House::open().await;
    let who = house.patient("Farah Aziz", &["08:00"]).await;
    house.server.answer_times(1, Phase::Dot, Smtp::Drop);
    house.at("08:00").await;
    let again = format!("/notices/{}/resend", house.id("session_reminder").await);
    let (mut hannah, mut olivia) = (house.physio().await, house.site.browser());
    house.site.give_password(house.site.clinic.owner.account).await;
    olivia.sign_in(house.site.clinic.owner.email.as_str(), PASSWORD).await;
    has(&hannah.get("/notices").await, &["Unknown", "It may or may not have arrived", "this will be a second mail"]);

    let (first, second) = tokio::join!(hannah.post(&again, &[("seen", "1")]), olivia.post(&again, &[("seen", "1")]));
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (303, 303));
    let said = [hannah.get("/notices").await, olivia.get("/notices").await];
    assert_eq!(said.iter().filter(|page| page.has("on its way to farah@home.test again")).count(), 1);
    assert_eq!(said.iter().filter(|page| page.has("has sent it again already")).count(), 1);
    house.at("08:02").await;
    assert_eq!(house.server.to(who.email.as_str()).len(), 1);
    // A page that was left open asks for it once more.
    physio_asks_late(&mut hannah, &again).await;
    house.at("08:04").await;
    assert_eq!(house.server.to(who.email.as_str()).len(), 1);
}

async fn physio_asks_late(browser: &mut Browser, again: &str) {
    assert_eq!(browser.post(again, &[("seen", "1")]).await.status, 303);
    has(&browser.get("/notices").await, &["has sent it again already"]);
}

#[tokio::test]
async fn a_reminder_is_not_offered_again_when_its_time_has_passed() {
    let house = House::open().await;
    house.patient("Farah Aziz", &["08:00", "12:00"]).await;
    house.server.answer_times(1, Phase::Dot, Smtp::Drop);
    house.at("08:00").await;
    let again = format!("/notices/{}/resend", house.id("session_reminder").await);
    let mut physio = house.physio().await;
    has(&physio.get("/notices").await, &["Send again to farah@home.test", "left out if the session has been logged meanwhile"]);
    house.site.clock.set("2026-03-02T11:01:00+08:00");
    let late = physio.get("/notices").await;
    has(&late, &["Too late to send it again"]);
    lacks(&late, &["Send again to"]);
    assert_eq!(physio.post(&again, &[("seen", "1")]).await.status, 303);
    has(&physio.get("/notices").await, &["It is too late for this reminder"]);
    // Within three hours, but the next one has come.
    house.site.db.execute("update notice set due_at = due_at + interval '3 hours'").await;
    house.site.clock.set("2026-03-02T12:00:00+08:00");
    assert_eq!(physio.post(&again, &[("seen", "1")]).await.status, 303);
    assert_eq!(house.site.db.row("select state from notice").await, "unknown");
}

#[tokio::test]
async fn the_page_says_what_holds_the_mail_back() {
    let house = House::open().await;
    house.patient("Farah Aziz", &["08:00"]).await;
    house
        .site
        .db
        .execute("update mail_sender set held_since = '2026-03-01T10:00Z', paused_since = '2026-03-02T00:01Z', paused_reason = '554 <b>go away</b>'")
        .await;
    let page = house.physio().await.get("/notices").await;
    has(
        &page,
        &[
            "The mail server has taken no mail since Mon 2 Mar, 08:01",
            "554 &lt;b&gt;go away",
            "Reminders are held back since Sun 1 Mar, 18:00",
        ],
    );
}

#[tokio::test]
async fn the_clinic_asks_why_a_mail_did_or_did_not_come() {
    let house = House::open().await;
    let farah = house.patient("Farah Aziz", &["08:00", "12:00"]).await;
    house.at("08:00").await;
    let program = house.site.db.row("select id from program").await;
    assert!(!program.is_empty());
    let mut physio = house.physio().await;
    let ask = async |physio: &mut Browser, day: &str| physio.get(&format!("/notices?patient={}&date={day}", farah.id)).await;
    has(
        &ask(&mut physio, "2026-03-02").await,
        &["Monday 2 March", "The mail server took it at 08:00", "Planned", "It will go to farah@home.test"],
    );
    has(&ask(&mut physio, "2026-03-01").await, &["The clinic did not know the patient then"]);
    has(&ask(&mut physio, "2026-03-03").await, &["Planned"]);
    has(&ask(&mut physio, "2026-05-01").await, &["The last program ended on 12 April"]);
    let wrong = ask(&mut physio, "2026-02-30").await;
    assert_eq!(wrong.status, 422);
    has(&wrong, &["Give the day as year, month and day"]);

    // An hour that was logged before.
    let clinic = &house.site.clinic;
    let programs = clinic.tenant(async |tx| store::program::of_patient(tx, farah.id).await).await;
    clinic.log(&farah, &programs[0], date(2026, 3, 2), None).await;
    house.at("12:00").await;
    has(&ask(&mut physio, "2026-03-02").await, &["The session was logged at 12:00, so no reminder was needed"]);

    // Nobody else's.
    let other = clinic_called(&house.site.db, "Hillside Physio", "hillside.test", house.now()).await;
    let stranger = other.patient("Somebody Else", "else@home.test").await;
    for path in [
        format!("/notices?patient={}", stranger.id),
        format!("/notices?patient={}", PatientId::new()),
        "/notices?patient=x".to_owned(),
    ] {
        assert_eq!(physio.get(&path).await.status, 404, "{path}");
    }
    house.site.give_password(other.physio.account).await;
    let mut neighbour = house.site.browser();
    neighbour.sign_in(other.physio.email.as_str(), PASSWORD).await;
    lacks(&neighbour.get("/notices").await, &["Farah Aziz"]);
    let id = house.site.db.row("select id from notice limit 1").await;
    assert_eq!(neighbour.post(&format!("/notices/{id}/resend"), &[("seen", "1")]).await.status, 404);
    // Patients have a page of their own.
    let mut patient = house.signed_in(&farah).await;
    assert_eq!(patient.get("/notices").await.status, 404);
    assert_eq!(patient.post(&format!("/notices/{id}/resend"), &[("seen", "1")]).await.status, 404);
}

fn details<'a>(name: &'a str, email: &'a str) -> [(&'static str, &'a str); 5] {
    [("name", name), ("email", email), ("language", "en"), ("zone", "Asia/Kuala_Lumpur"), ("region", "upper_back")]
}

#[tokio::test]
async fn a_corrected_address_takes_along_what_waits_and_the_wish_for_no_reminders() {
    let house = House::open().await;
    let (farah, wei) = (house.patient("Farah Aziz", &["08:00"]).await, house.patient("Wei Ling", &["08:00"]).await);
    let mut physio = house.physio().await;
    let edit = format!("/patients/{}/edit", farah.id);
    has(&physio.get(&format!("/patients/{}", farah.id)).await, &[edit.as_str()]);
    has(&physio.get(&edit).await, &["Change details", "farah@home.test", "has not joined yet"]);

    // What is wrong is said where it was typed, and nothing is changed.
    let refused = physio.post(&edit, &details("", "nobody")).await;
    assert_eq!(refused.status, 422);
    has(&refused, &["Nothing was changed", "nobody"]);
    let taken = physio.post(&edit, &details("Farah Aziz", "wei@home.test")).await;
    assert_eq!(taken.status, 422);
    has(&taken, &["Wei Ling has this address in your clinic already."]);
    let mut mars = details("Farah Aziz", "farah@home.test");
    mars[3].1 = "Mars/Olympus";
    assert_eq!(physio.post(&edit, &mars).await.status, 422);
    assert_eq!(
        house.site.db.row("select email, zone from patient where name = 'Farah Aziz'").await,
        "farah@home.test|Asia/Kuala_Lumpur"
    );

    // What waits goes to the new address; the wish for no reminders goes along.
    house.owe(Owed::PatientInvitation(farah.id), &farah).await;
    house.site.clinic.tenant(async |tx| store::reminder::unsubscribe(tx, farah.id, house.now()).await).await;
    let mut moved = details("Farah A. Aziz", "farah.aziz@work.test");
    moved[3].1 = "Asia/Tokyo";
    assert_eq!(physio.post(&edit, &moved).await.location(), format!("/patients/{}", farah.id));
    house.at("08:00").await;
    assert_eq!(house.server.to("farah@home.test").len(), 0);
    assert_eq!(house.server.to("farah.aziz@work.test").len(), 1, "the invitation alone");
    assert_eq!(house.server.to("wei@home.test").len(), 1);
    assert_eq!(
        house.site.db.row("select name, zone from patient where email = 'farah.aziz@work.test'").await,
        "Farah A. Aziz|Asia/Tokyo"
    );
    // Tokyo is an hour ahead: her eight o'clock was seven in Kuala Lumpur.
    assert_eq!(
        house.site.db.row(&format!("select due_at at time zone 'UTC' from reminder_rule where patient_id = '{}'", farah.id)).await,
        "2026-03-02 23:00:00"
    );

    // Without an address nothing can be sent, and what waits says so.
    house.owe(Owed::PatientInvitation(wei.id), &wei).await;
    assert_eq!(physio.post(&format!("/patients/{}/edit", wei.id), &details("Wei Ling", "")).await.status, 303);
    assert_eq!(
        house.site.db.row("select reply from notice where state = 'dead'").await,
        "the patient has no email address any more"
    );

    // Nobody else's.
    let other = clinic_called(&house.site.db, "Hillside Physio", "hillside.test", house.now()).await;
    let stranger = other.patient("Somebody Else", "else@home.test").await;
    for foreign in [stranger.id, PatientId::new()] {
        let path = format!("/patients/{foreign}/edit");
        assert_eq!(physio.get(&path).await.status, 404);
        assert_eq!(physio.post(&path, &details("Mine", "mine@home.test")).await.status, 404);
    }
    let joined = house.patient("Priya Nair", &[]).await;
    let mut patient = house.signed_in(&joined).await;
    assert_eq!(patient.post(&format!("/patients/{}/edit", joined.id), &details("Me", "me@home.test")).await.status, 404);
}

fn form(fields: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut all = vec![("reminders", "on".to_owned())];
    all.extend((0..7).map(|day| ("day", day.to_string())));
    all.extend(fields.iter().map(|(name, value)| (*name, (*value).to_owned())));
    all
}

#[tokio::test]
async fn a_patient_asks_what_became_of_the_mail() {
    let house = House::open().await;
    let wei = house.patient("Wei Ling", &["08:00", "12:00"]).await;
    let mut browser = house.signed_in(&wei).await;
    let fresh = browser.get("/reminders").await;
    has(&fresh, &["Nothing was due in the last 14 days", "08:00 · 7-minute session", "Kuala Lumpur, where it is 07:00 now"]);
    house.at("08:00").await;
    let page = browser.get("/reminders").await;
    has(&page, &["Mon 2 Mar, 08:00", "Reminder. Sent at 08:00 to wei@home.test.", "08:00 · Sent"]);
    let programs = house.site.clinic.tenant(async |tx| store::program::of_patient(tx, wei.id).await).await;
    house.site.clinic.log(&wei, &programs[0], date(2026, 3, 2), None).await;
    house.at("12:00").await;
    let asked = browser.get("/reminders?date=2026-03-02").await;
    has(&asked, &["Monday 2 March", "Sent at 08:00 to wei@home.test", "Not needed: you logged your session at 12:00"]);
    has(&browser.get("/reminders?date=2026-03-01").await, &["Your clinic did not know you yet"]);
    has(&browser.get("/reminders?date=2026-05-01").await, &["Your program ended on 12 April"]);
    let wrong = browser.get("/reminders?date=soon").await;
    assert_eq!(wrong.status, 422);
    has(&wrong, &["Give the day as year, month and day"]);

    // What the mail server says is for the clinic; the patient reads that it failed.
    house.server.reject(wei.email.as_str());
    house.site.clock.set("2026-03-03T08:00:00+08:00");
    worker::tick(&house.engine, house.now()).await.unwrap();
    house.give_up().await;
    let failed = browser.get("/reminders").await;
    has(&failed, &["came back", "It could not be delivered to wei@home.test. Your clinic can see why."]);
    lacks(&failed, &["550"]);
}

#[tokio::test]
async fn a_patient_asks_for_a_test_and_not_for_a_flood() {
    let house = House::open().await;
    let wei = house.patient("Wei Ling", &["08:00"]).await;
    let mut browser = house.signed_in(&wei).await;
    has(&browser.get("/reminders").await, &["We send one mail to wei@home.test", "Send a test"]);
    assert_eq!(browser.post("/reminders/test", &[]).await.location(), "/reminders");
    has(
        &browser.get("/reminders").await,
        &["A test is on its way to wei@home.test", "You asked for a test at 07:00", "ask for another at 07:05"],
    );
    assert_eq!(browser.post("/reminders/test", &[]).await.status, 303);
    assert_eq!(house.site.db.row("select count(*) from notice").await, "1");
    for hour in ["07:05", "07:10", "07:15", "07:20", "07:25"] {
        house.at(hour).await;
        browser.post("/reminders/test", &[]).await;
    }
    has(&browser.get("/reminders").await, &["You asked for 5 tests within a day", "Tue 3 Mar, 07:00"]);
    house.at("07:30").await;
    assert_eq!(house.server.to("wei@home.test").len(), 5);
    has(&browser.get("/reminders").await, &["Test. Sent at 07:25 to wei@home.test."]);

    house.site.db.execute("insert into suppression select clinic_id, 'wei@home.test', 'all', '550 gone', now() from patient").await;
    house.site.clock.advance(SignedDuration::from_hours(48));
    let dead = browser.get("/reminders").await;
    has(&dead, &["No test can be sent, because mail to wei@home.test came back"]);
    lacks(&dead, &["/reminders/test"]);
    browser.post("/reminders/test", &[]).await;
    assert_eq!(house.site.db.row("select count(*) from notice where kind = 'test'").await, "5");
}

#[tokio::test]
async fn the_reminders_move_with_the_patient() {
    let house = House::open().await;
    let wei = house.patient("Wei Ling", &["08:00"]).await;
    let mut browser = house.signed_in(&wei).await;
    let unknown = browser.post_owned("/reminders", form(&[("time", "08:00"), ("zone", "Mars/Olympus")])).await;
    assert_eq!(unknown.status, 422);
    has(&unknown, &["Choose a time zone from the list", "Nothing was saved yet"]);
    // A wrong hour keeps the zone as it was, too.
    assert_eq!(browser.post_owned("/reminders", form(&[("time", "25:00"), ("zone", "Asia/Tokyo")])).await.status, 422);
    assert_eq!(house.site.db.row("select zone from patient").await, "Asia/Kuala_Lumpur");

    assert_eq!(browser.post_owned("/reminders", form(&[("time", "08:00"), ("zone", "America/New_York")])).await.status, 303);
    has(&browser.get("/reminders").await, &["now those of New York", "New York, where it is 18:00 now"]);
    assert_eq!(
        house.site.db.row("select p.zone, r.zone, r.due_at at time zone 'UTC' from patient p, reminder_rule r").await,
        "America/New_York|America/New_York|2026-03-02 13:00:00"
    );
    // Off is saved with the zone as well.
    let mut off = form(&[("zone", "Europe/London")]);
    off[0].1 = "off".to_owned();
    assert_eq!(browser.post_owned("/reminders", off).await.status, 303);
    assert_eq!(house.site.db.row("select zone from patient").await, "Europe/London");
    has(&browser.get("/reminders").await, &["You have stopped reminders to wei@home.test"]);
}

#[tokio::test]
async fn the_wish_for_no_reminders_outlasts_a_time_without_an_address() {
    let house = House::open().await;
    let farah = house.patient("Farah Aziz", &["08:00"]).await;
    let id = farah.id;
    house.site.clinic.tenant(async |tx| store::reminder::unsubscribe(tx, id, house.now()).await).await;
    house.at("08:00").await;
    let mut physio = house.physio().await;
    for address in ["", "new@home.test"] {
        let saved = physio.post(&format!("/patients/{id}/edit"), &details("Farah Aziz", address)).await;
        assert_eq!(saved.status, 303);
    }
    house.site.clock.set("2026-03-03T08:00:00+08:00");
    worker::tick(&house.engine, house.now()).await.unwrap();
    assert_eq!(house.server.to("new@home.test").len(), 0);
}

#[tokio::test]
async fn an_emptied_zone_leaves_the_patient_where_they_are() {
    let house = House::open().await;
    let farah = house.site.clinic.patient_in("Farah Aziz", "farah@home.test", "America/New_York").await;
    let mut physio = house.physio().await;
    let saved = physio.post(&format!("/patients/{}/edit", farah.id), &[("name", "Farah Aziz"), ("zone", " ")]).await;
    assert_eq!(saved.status, 303);
    assert_eq!(house.site.db.row("select zone, region from patient").await, "America/New_York|upper_back");
}

#[tokio::test]
async fn mail_that_came_back_leads_to_the_address_that_can_be_changed() {
    let house = House::open().await;
    let farah = house.patient("Farah Aziz", &["08:00"]).await;
    house.server.reject(farah.email.as_str());
    house.at("08:00").await;
    house.give_up().await;
    let mut physio = house.physio().await;
    let link = format!("href=\"/patients/{}/edit\"", farah.id);
    has(&physio.get("/notices").await, &["Change the address", &link]);
    let hers = format!("/notices?patient={}", farah.id);
    assert_eq!(physio.get(&hers).await.text.matches(&link).count(), 2, "beside the mail, and where the address is said to be dead");
    assert_eq!(physio.post(&format!("/patients/{}/edit", farah.id), &details("Farah Aziz", "new@home.test")).await.status, 303);
    lacks(&physio.get(&hers).await, &["Change the address"]);
    physio.post(&format!("/patients/{}/edit", farah.id), &details("Farah Aziz", "")).await;
    has(&physio.get(&hers).await, &["Add an address", &link]);
}

/// Each page that acknowledges the end of a mail says so when one is on its way in that moment, and only then.
#[tokio::test]
async fn pages_say_when_a_mail_on_its_way_may_still_arrive() {
    const SENTENCE: &str = "A mail that is already on its way may still arrive.";
    let house = House::open().await;
    let mut people = Vec::new();
    for name in ["Ada One", "Ben Two", "Chi Three", "Dev Four", "Eve Five", "Fay Six", "Gus Seven"] {
        let email = format!("{0}@{0}.test", name.split(' ').next().unwrap().to_lowercase());
        let who = house.site.clinic.patient(name, &email).await;
        let program = house.site.clinic.program_for(&who, date(2026, 3, 2), 6).await;
        house.site.clinic.remind(&who, &["08:00"], house.now()).await;
        people.push((who, program));
    }
    let [ada, ben, chi, dev, eve, fay, gus] = &people[..] else { panic!() };
    let (mut ben_at, mut dev_at, mut eve_at) =
        (house.signed_in(&ben.0).await, house.signed_in(&dev.0).await, house.signed_in(&eve.0).await);
    house.site.clock.set("2026-03-02T08:00:00+08:00");
    let mut physio = house.physio().await;
    let gate = house.server.hold(Phase::Dot);
    let (engine, now) = (house.engine.clone(), house.now());
    let round = tokio::spawn(async move { worker::tick(&engine, now).await.unwrap() });
    gate.reached(people.len()).await;

    // Unsubscribing, by a mail program's click, and by the patient's own page.
    let click = house.site.unsubscribe(&ada.0);
    let mut mail_program = house.site.browser();
    let stop = async |browser: &mut Browser| browser.post(&click, &[("List-Unsubscribe", "One-Click")]).await;
    has(&stop(&mut mail_program).await, &["No more reminders", SENTENCE]);
    assert_eq!(ben_at.post("/reminders", &[("reminders", "off")]).await.status, 303);
    has(&ben_at.get("/reminders").await, &["Your reminders are saved.", SENTENCE]);
    // An address corrected.
    let page = format!("/patients/{}", chi.0.id);
    assert_eq!(physio.post(&format!("{page}/edit"), &details("Chi Three", "other@chi.test")).await.status, 303);
    has(&physio.get(&page).await, &["Saved.", SENTENCE]);
    // Another name ends no mail.
    assert_eq!(physio.post(&format!("/patients/{}/edit", dev.0.id), &details("Dev Fourth", "dev@dev.test")).await.status, 303);
    lacks(&physio.get(&format!("/patients/{}", dev.0.id)).await, &[SENTENCE]);
    // A session logged.
    let path = format!("/session/{}", dev.1.id);
    let log = dev_at.get(&path).await.hidden("log_id");
    let mut fields = vec![("log_id", log), ("date", "2026-03-02".to_owned()), ("note", "Done.".to_owned())];
    let answers: Vec<(String, String)> =
        dev.1.versions[0].prescriptions.iter().map(|row| (format!("outcome-{}", row.id), "done".to_owned())).collect();
    fields.extend(answers.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let saved = dev_at.post_owned(&path, fields).await;
    assert_eq!(saved.status, 303, "{}", words(&saved.text));
    has(&dev_at.get(saved.location()).await, &[SENTENCE]);
    // An account closed by its patient, a record by the clinic.
    assert_eq!(eve_at.post("/account/close", &[("current", PASSWORD)]).await.status, 303);
    has(&eve_at.get("/sign-in").await, &["Your account is closed.", SENTENCE]);
    assert_eq!(physio.post(&format!("/patients/{}/close", fay.0.id), &[("sure", "yes")]).await.status, 303);
    has(&physio.get(&format!("/patients/{}/record", fay.0.id)).await, &["The record is closed.", SENTENCE]);
    // A program finished.
    let program = format!("/programs/{}", gus.1.id);
    assert_eq!(physio.post(&format!("{program}/finish"), &[]).await.status, 303);
    has(&physio.get(&program).await, &["Finished.", SENTENCE]);

    gate.open();
    assert_eq!(round.await.unwrap().sent, 7);
    // With nothing on its way there is nothing to say.
    lacks(&stop(&mut mail_program).await, &[SENTENCE]);
}

#[tokio::test]
async fn addresses_that_were_given_up_are_written_to_again_one_by_one_ticked_or_all_of_a_day() {
    let house = House::open().await;
    let who = house.patient("Wei Ling", &["08:00"]).await;
    house
        .site
        .db
        .execute(
            "insert into suppression (clinic_id, email, scope, reason, created_at)
             select id, who || '@home.test', 'all', '550 5.1.1 <b>no</b>', timestamptz '2026-03-01T08:00:00+08:00' + make_interval(days => day)
             from clinic, (values ('wei', 0), ('a', 0), ('b', 0), ('c', 0), ('d', 1)) as given (who, day)",
        )
        .await;
    let mut physio = house.physio().await;
    let left = async || house.site.db.rows("select email from suppression order by 1").await;
    has(
        &physio.get("/notices").await,
        &[
            "Addresses the mail server refused",
            "wei@home.test",
            "Wei Ling, since Sun 1 Mar, 08:00",
            "&lt;b&gt;no",
            "Write to all 4 of",
        ],
    );
    assert_eq!(physio.post("/notices/refused", &[]).await.location(), "/notices");
    physio.post("/notices/refused", &[("one", "a@home.test"), ("address", "b@home.test")]).await;
    assert_eq!(left().await, ["b@home.test", "c@home.test", "d@home.test", "wei@home.test"]);
    physio.post("/notices/refused", &[("address", "b@home.test"), ("address", "d@home.test")]).await;
    assert_eq!(left().await, ["c@home.test", "wei@home.test"]);
    physio.post("/notices/refused", &[("day", "2026-03-01")]).await;
    assert_eq!(left().await, Vec::<String>::new());
    let audited =
        format!("select count(*) from audit_entry where subject = 'notices' and deed = 'wrote' and patient_id = '{}'", who.id);
    assert_eq!(house.site.db.row(&audited).await, "1");
}

#[tokio::test]
async fn account_mail_of_before_a_restore_is_sent_or_left_out_as_staff_tick_it() {
    let house = House::open().await;
    let mut ids = Vec::new();
    for (name, email) in [("Ada One", "ada@home.test"), ("Ben Two", "ben@home.test"), ("Chi Three", "chi@home.test")] {
        let who = house.site.clinic.patient(name, email).await;
        house.owe(Owed::PatientInvitation(who.id), &who).await;
        ids.push(house.site.db.row(&format!("select id from notice where patient_id = '{}'", who.id)).await);
    }
    house.site.clock.advance(SignedDuration::from_mins(1));
    let tx = house.site.db.store.begin_worker().await.unwrap();
    outbox::hold::hold(&tx, house.now()).await.unwrap();
    tx.commit().await.unwrap();
    house.site.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(worker::tick(&house.engine, house.now()).await.unwrap().sent, 0, "it may have been sent before");

    let mut physio = house.physio().await;
    let page = physio.get("/notices").await;
    has(&page, &["Mail from before the restore", "Invitation to ada@home.test", "Ben Two", "Leave the ticked ones out"]);
    assert_eq!(physio.post("/notices/held", &[("choice", "send")]).await.location(), "/notices");
    has(&physio.get("/notices").await, &["No mail was ticked"]);
    physio.post("/notices/held", &[("choice", "send"), ("notice", &ids[0])]).await;
    physio.post("/notices/held", &[("choice", "leave-out"), ("notice", &ids[1]), ("notice", &ids[0])]).await;
    worker::tick(&house.engine, house.now()).await.unwrap();
    let states = house.site.db.rows("select state || coalesce(' ' || reason, '') from notice order by recipient").await;
    assert_eq!(states, ["sent", "skipped left_out", "pending"], "what was not ticked waits");
    let page = physio.get("/notices").await;
    assert!(!page.has("Invitation to ada@home.test") && page.has("Invitation to chi@home.test"));
}
