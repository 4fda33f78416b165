//! Stories of requests whose session was valid when they were admitted and is not when they would write: the body was slow, or the write waited for
//! a lock. A revocation is committed before the write, which is then refused, or waits for it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use std::time::Instant;

use axum::http::StatusCode;
use domain::{
    ids::MembershipId,
    person::{Email, PersonName, Role},
};
use jiff::civil::date;
use store::{account, session, team};
use testkit::people::Somebody;
use tokio::task::JoinSet;
use uuid::Uuid;
use visitor::{Answer, Browser, PASSWORD, Site, Slow, while_it_waits};

const OWNER: &str = "owner@riverside.test";
const PHYSIO: &str = "physio@riverside.test";
const SECOND: &str = "second@riverside.test";

/// A clinic with one more owner, and a patient with a program of today.
struct Story {
    site: Site,
    owner: Browser,
    second: MembershipId,
    wei: Somebody,
    session: String,
    form: Vec<(String, String)>,
}

impl Story {
    async fn begin() -> Self {
        let site = Site::open().await;
        for staff in [site.clinic.owner.account, site.clinic.physio.account] {
            site.give_password(staff).await;
        }
        let (clinic, now) = (site.clinic.id, site.clock.now());
        let (name, email) = (PersonName::parse("Second Owner").unwrap(), Email::parse(SECOND).unwrap());
        let tx = site.db.store.begin_sign_in().await.unwrap();
        let second = team::invite(&tx, clinic, (&name, &email), Role::Owner, now).await.unwrap();
        let account = account::by_email(&tx, &email).await.unwrap().unwrap().id;
        account::join_staff(&tx, (clinic, second), account, &name, now).await.unwrap();
        tx.commit().await.unwrap();
        site.give_password(account).await;
        let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
        let account = site.clinic.join(&wei).await;
        site.give_password(account).await;
        let program = site.clinic.program_for(&wei, date(2026, 2, 23), 6).await;
        let mut form = vec![
            ("log_id".to_owned(), Uuid::now_v7().to_string()),
            ("date".to_owned(), "2026-03-02".to_owned()),
            ("pain_after".to_owned(), "2".to_owned()),
        ];
        form.extend(program.versions[0].prescriptions.iter().map(|row| (format!("outcome-{}", row.id), "done".to_owned())));
        let owner = signed_in(&site, OWNER).await;
        Self { session: format!("/session/{}", program.id), site, owner, second, wei, form }
    }

    fn form(&self) -> Vec<(&str, &str)> {
        self.form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    async fn logs(&self) -> String {
        self.site.db.row("select count(*) from session_log").await
    }
}

async fn signed_in(site: &Site, email: &str) -> Browser {
    let mut browser = site.browser();
    assert_eq!(browser.sign_in(email, PASSWORD).await.status, StatusCode::SEE_OTHER);
    browser
}

/// What the next request would have been answered, too.
fn assert_signed_out(late: &Answer) {
    assert_eq!((late.status, late.location()), (StatusCode::SEE_OTHER, "/sign-in?next=/"), "{}", late.text);
}

#[tokio::test]
async fn a_body_that_comes_after_the_place_was_closed_changes_nothing() {
    let mut story = Story::begin().await;
    let hannah = signed_in(&story.site, PHYSIO).await;
    let path = format!("/patients/{}/edit", story.wei.id);
    let fields = [("name", "Another Name"), ("email", "other@home.test"), ("zone", ""), ("language", ""), ("region", "")];
    let slow = hannah.begin(&path, &fields).await;
    let disable = format!("/team/{}/disable", story.site.clinic.physio.membership);
    assert_eq!(story.owner.post(&disable, &[]).await.location(), "/team");
    assert_signed_out(&slow.finish().await);
    assert_eq!(story.site.db.row("select name, email from patient").await, "Wei Ling|wei@home.test");

    // The same with what is their own.
    story.owner.post(&disable.replace("disable", "enable"), &[]).await;
    let hannah = signed_in(&story.site, PHYSIO).await;
    let slow = hannah.begin("/account", &[("name", "Late Name"), ("language", "en")]).await;
    story.owner.post(&disable, &[]).await;
    assert_signed_out(&slow.finish().await);
    assert_eq!(story.site.db.row("select count(*) from membership where name = 'Late Name'").await, "0");
}

#[tokio::test]
async fn a_log_that_comes_after_the_record_was_closed_is_not_kept() {
    let mut story = Story::begin().await;
    let wei = signed_in(&story.site, "wei@home.test").await;
    let slow = wei.begin(&story.session, &story.form()).await;
    let closed = story.owner.post(&format!("/patients/{}/close", story.wei.id), &[("sure", "yes")]).await;
    assert_eq!(closed.location(), format!("/patients/{}/record", story.wei.id), "{}", closed.text);
    assert_signed_out(&slow.finish().await);
    assert_eq!(story.logs().await, "0");
    // Opened again, it has nothing of it either.
    story.owner.post(&format!("/patients/{}/reopen", story.wei.id), &[]).await;
    assert_eq!(story.logs().await, "0");
}

#[tokio::test]
async fn a_log_that_comes_after_the_patient_took_the_consent_back_is_not_kept() {
    let story = Story::begin().await;
    let (phone, mut laptop) = (signed_in(&story.site, "wei@home.test").await, signed_in(&story.site, "wei@home.test").await);
    let slow = phone.begin(&story.session, &story.form()).await;
    let gone = laptop.post("/account/close", &[("current", PASSWORD), ("withdraw", "yes")]).await;
    assert_eq!(gone.location(), "/", "{}", gone.text);
    assert_signed_out(&slow.finish().await);
    assert_eq!(story.logs().await, "0");
}

#[tokio::test]
async fn what_an_owner_sends_is_not_done_once_they_are_none() {
    let mut story = Story::begin().await;
    let settings = [
        ("name", "Other Clinic"),
        ("zone", "Asia/Kuala_Lumpur"),
        ("quiet_from", "21:00"),
        ("quiet_to", "07:00"),
        ("pain_high", "7"),
        ("missed_run", "3"),
    ];
    let invitation = [("name", "New Colleague"), ("email", "new@riverside.test"), ("role", "owner")];
    let second = signed_in(&story.site, SECOND).await;
    let mut slow = vec![second.begin("/settings", &settings).await, second.begin("/team", &invitation).await];
    let role = format!("/team/{}/role", story.site.clinic.physio.membership);
    slow.push(second.begin(&role, &[("role", "owner")]).await);
    let demoted = story.owner.post(&format!("/team/{}/role", story.second), &[("role", "physiotherapist")]).await;
    assert_eq!(demoted.location(), "/team");
    for slow in slow {
        assert_signed_out(&slow.finish().await);
    }
    assert_eq!(story.site.db.row("select name from clinic").await, "Riverside Physio");
    assert_eq!(story.site.db.row("select count(*) from membership where role = 'owner'").await, "1");
    assert_eq!(story.site.db.row("select count(*) from account where email = 'new@riverside.test'").await, "0");
}

#[tokio::test]
async fn what_a_session_sends_is_not_done_once_it_is_ended() {
    let mut story = Story::begin().await;
    let passwords = [("current", PASSWORD), ("new", "seven green bicycles")];
    let begin = async |browser: &Browser| -> Vec<Slow> {
        vec![
            browser.begin("/account", &[("name", "Late Name"), ("language", "en")]).await,
            browser.begin("/account/password", &passwords).await,
            browser.begin("/account/confirm", &[("password", PASSWORD)]).await,
            browser.begin("/patients", &[("name", "New Person"), ("email", ""), ("zone", "Asia/Kuala_Lumpur")]).await,
        ]
    };
    // By its person, in another browser.
    let (old, mut new) = (signed_in(&story.site, PHYSIO).await, signed_in(&story.site, PHYSIO).await);
    let slow = begin(&old).await;
    new.post("/account/sessions/end-others", &[]).await;
    // By a new password.
    let more = begin(&new).await;
    let mut other = signed_in(&story.site, PHYSIO).await;
    assert_eq!(
        other.post("/account/password", &[("current", PASSWORD), ("new", "nine red tractors")]).await.location(),
        "/account"
    );
    for slow in slow.into_iter().chain(more) {
        let late = slow.finish().await;
        // A password that is wrong by now is refused before anything else is asked.
        let wrong = late.status == StatusCode::UNPROCESSABLE_ENTITY && late.has("That is not your password.");
        assert!(wrong || late.location() == "/sign-in?next=/", "{} {} {}", late.status, late.location(), late.text);
    }
    assert_eq!(story.site.db.row("select count(*) from membership where name = 'Late Name'").await, "0");
    assert_eq!(story.site.db.row("select count(*) from patient").await, "1");
    assert_eq!(
        story.site.browser().sign_in(PHYSIO, "nine red tractors").await.location(),
        "/patients",
        "the password is the new one"
    );

    // Signed out while it came.
    let slow = story.owner.begin("/account", &[("name", "Late Name"), ("language", "en")]).await;
    story.owner.post("/sign-out", &[]).await;
    assert_signed_out(&slow.finish().await);
    assert_eq!(story.site.db.row("select count(*) from membership where name = 'Late Name'").await, "0");
}

#[tokio::test]
async fn a_caseload_that_is_narrowed_meanwhile_is_narrow_for_what_comes() {
    let story = Story::begin().await;
    story.site.db.execute(&format!("update patient set physiotherapist_id = '{}'", story.second)).await;
    let hannah = signed_in(&story.site, PHYSIO).await;
    let fields = [("name", "Another Name"), ("email", "wei@home.test"), ("zone", ""), ("language", ""), ("region", "")];
    let slow = hannah.begin(&format!("/patients/{}/edit", story.wei.id), &fields).await;
    story.site.db.execute("update clinic set own_caseload = true").await;
    assert_eq!(slow.finish().await.status, StatusCode::NOT_FOUND);
    assert_eq!(story.site.db.row("select name from patient").await, "Wei Ling");
}

#[tokio::test]
async fn a_second_factor_that_is_asked_for_meanwhile_comes_first() {
    let story = Story::begin().await;
    let hannah = signed_in(&story.site, PHYSIO).await;
    let fields = [("name", "Another Name"), ("email", "wei@home.test"), ("zone", ""), ("language", ""), ("region", "")];
    let slow = hannah.begin(&format!("/patients/{}/edit", story.wei.id), &fields).await;
    story.site.db.execute("update clinic set second_factor_required = true").await;
    assert_signed_out(&slow.finish().await);
    assert_eq!(story.site.db.row("select name from patient").await, "Wei Ling");
}

#[tokio::test]
async fn a_place_that_is_chosen_makes_no_session_last_longer() {
    let story = Story::begin().await;
    let hannah = story.site.clinic.physio.membership;
    let mut browser = signed_in(&story.site, PHYSIO).await;
    story
        .site
        .db
        .execute(&format!("update session set expires_at = expires_at - interval '6 days' where membership_id = '{hannah}'"))
        .await;
    let ends = format!("select id, expires_at from session where membership_id = '{hannah}'");
    let before = story.site.db.row(&ends).await;
    assert_eq!(browser.post("/places", &[("place", &format!("staff-{hannah}"))]).await.location(), "/patients");
    let after = story.site.db.row(&ends).await;
    assert_ne!(before, after, "another session");
    assert_eq!(before.split_once('|').unwrap().1, after.split_once('|').unwrap().1);
}

/// Work in a session shares it with other work in it. However much there is of it, a change that ends the session gets its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_who_saves_without_a_pause_is_disabled_all_the_same() {
    let (site, _line) = Site::behind_a_proxy(12).await;
    for staff in [site.clinic.owner.account, site.clinic.physio.account] {
        site.give_password(staff).await;
    }
    let hannah = site.clinic.physio.membership;
    let mut owner = signed_in(&site, OWNER).await;
    let mut writers = JoinSet::new();
    let first = signed_in(&site, PHYSIO).await;
    for number in 0..10 {
        let mut browser = first.clone();
        writers.spawn(async move {
            let mut saved = 0;
            loop {
                let answer = browser.post("/account", &[("name", &format!("Name {number}")), ("language", "en")]).await;
                if answer.location() != "/account" {
                    return (saved, answer.location().to_owned());
                }
                saved += 1;
            }
        });
    }
    // All of them are at it.
    let entries = "select count(*) from audit_entry where deed = 'wrote'";
    while site.db.row(entries).await.parse::<u32>().unwrap() < 20 {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    let disabled = owner.post(&format!("/team/{hannah}/disable"), &[]).await;
    assert_eq!(disabled.location(), "/team", "after {:?}: {}", begun.elapsed(), disabled.text);
    for (saved, ended) in writers.join_all().await {
        assert!(saved > 0);
        assert_eq!(ended, "/sign-in?next=/");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_a_member_and_saving_are_ordered() {
    let mut story = Story::begin().await;
    let (site, hannah) = (&story.site, story.site.clinic.physio.membership);
    let mut browser = signed_in(site, PHYSIO).await;
    // A change under way waits for its row; the place is closed meanwhile, by a page, and is not closed before the change is saved.
    let row = format!("select id from membership where id = '{hannah}' for update");
    let rename = browser.post("/account", &[("name", "Saved Name"), ("language", "en")]);
    let disable = format!("/team/{hannah}/disable");
    let close = async {
        let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        while site.db.row(waits).await == "0" {
            tokio::task::yield_now().await;
        }
        story.owner.post(&disable, &[]).await
    };
    let mut other = site.db.watcher().await;
    other.rows(&format!("begin; {row}")).await;
    let release = async {
        let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        while site.db.row(waits).await != "2" {
            tokio::task::yield_now().await;
        }
        other.rows("commit").await;
    };
    let (saved, closed, ()) = tokio::join!(rename, close, release);
    assert_eq!((saved.location(), closed.location()), ("/account", "/team"), "{} {}", saved.text, closed.text);
    assert_eq!(
        site.db.row(&format!("select name, disabled_at is not null from membership where id = '{hannah}'")).await,
        "Saved Name|t"
    );

    // The other way about: the place is being closed, and what comes meanwhile waits and is refused.
    story.owner.post(&disable.replace("disable", "enable"), &[]).await;
    let mut browser = signed_in(site, PHYSIO).await;
    let ended = format!("delete from session where membership_id = '{hannah}'");
    let closed = format!("update membership set disabled_at = now() where id = '{hannah}'");
    let late = while_it_waits(site, &ended, &closed, browser.post("/account", &[("name", "Late Name"), ("language", "en")])).await;
    assert_signed_out(&late);
    assert_eq!(site.db.row(&format!("select name from membership where id = '{hannah}'")).await, "Saved Name");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_who_disable_each_other_at_once_both_get_an_answer() {
    let mut story = Story::begin().await;
    let mut second = signed_in(&story.site, SECOND).await;
    for round in 0..10 {
        let (first, other) = (story.site.clinic.owner.membership, story.second);
        let (to_second, to_first) = (format!("/team/{other}/disable"), format!("/team/{first}/disable"));
        let (one, two) = tokio::join!(story.owner.post(&to_second, &[]), second.post(&to_first, &[]));
        let out = |answer: &Answer| answer.location() == "/sign-in?next=/";
        let done = |answer: &Answer| answer.location() == "/team";
        assert!(
            (done(&one) && out(&two)) || (out(&one) && done(&two)),
            "{round}: {} {} {} {}",
            one.status,
            one.text,
            two.status,
            two.text
        );
        story.site.db.execute("update membership set disabled_at = null").await;
        story.owner = signed_in(&story.site, OWNER).await;
        second = signed_in(&story.site, SECOND).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pressed_in_two_browsers_at_once_an_account_is_closed_once() {
    for _ in 0..3 {
        let story = Story::begin().await;
        let (mut phone, mut laptop) =
            (signed_in(&story.site, "wei@home.test").await, signed_in(&story.site, "wei@home.test").await);
        let close = [("current", PASSWORD)];
        let (one, two) = tokio::join!(phone.post("/account/close", &close), laptop.post("/account/close", &close));
        let mut to = [one.location(), two.location()];
        to.sort_unstable();
        assert!(to == ["/", "/sign-in?next=/"], "{} {} {} {}", one.status, one.text, two.status, two.text);
        assert_eq!(story.site.db.row("select count(*) from audit_entry where subject = 'closure'").await, "1");
        assert_eq!(story.site.db.row("select count(*) from session where patient_id is not null").await, "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_closed_during_the_sign_in_opens_no_session() {
    let story = Story::begin().await;
    let (site, hannah) = (&story.site, story.site.clinic.physio.membership);
    let row = format!("select id from membership where id = '{hannah}' for update");
    let close = format!("update membership set disabled_at = now() where id = '{hannah}'");
    let mut browser = site.browser();
    let late = while_it_waits(site, &row, &close, browser.sign_in(PHYSIO, PASSWORD)).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.has("not part of a clinic"), "{}", late.text);
    let sessions = format!("select count(*) from session where membership_id = '{hannah}'");
    assert_eq!(site.db.row(&sessions).await, "0", "nothing is left for the day on which the place is opened again");

    // After the code, too.
    site.db.execute("update membership set disabled_at = null").await;
    let token = session::fresh_token().unwrap();
    let hash: String = session::digest(&token).iter().map(|byte| format!("{byte:02x}")).collect();
    let account = site.clinic.physio.account;
    let code: String = session::digest(b"ABCDEFGHIJKLMNOP").iter().map(|byte| format!("{byte:02x}")).collect();
    let now = site.clock.now();
    site.db
        .execute(&format!(
            "insert into second_factor (account_id, sealed, created_at, confirmed_at) values ('{account}', decode(repeat('00', 48), 'hex'), '{now}', '{now}');
             insert into recovery_code values ('{account}', '\\x{code}');
             insert into half_sign_in values ('\\x{hash}', '{account}', '{now}', '{now}'::timestamptz + interval '10 minutes')"
        ))
        .await;
    let cookie = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, token);
    browser.keep("homestretch-code", &cookie);
    let late = while_it_waits(site, &row, &close, browser.post("/sign-in/code", &[("code", "ABCD-EFGH-IJKL-MNOP")])).await;
    assert_eq!(late.location(), "/sign-in", "{}", late.text);
    assert_eq!(site.db.row(&sessions).await, "0");
}
