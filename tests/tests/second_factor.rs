//! Stories of the second factor: setting it up, signing in with it, the day the phone is gone; and of proving once more who one is.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use visitor::{Answer, Browser, PASSWORD, Site};

const HANNAH: &str = "physio@riverside.test";
const OWNER: &str = "owner@riverside.test";
const HERE: &str = "/account/second-factor";

/// A phone with an authenticator app, made from RFC 6238 and not from the code under test.
struct Phone(Vec<u8>);

impl Phone {
    fn told(key: &str) -> Self {
        let (mut bits, mut held, mut secret) = (0, 0_u32, vec![]);
        for c in key.chars().filter(|c| *c != ' ') {
            held = (held << 5) | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap() as u32;
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                secret.push((held >> bits) as u8);
                held &= (1 << bits) - 1;
            }
        }
        Self(secret)
    }

    fn code(&self, now: Timestamp) -> String {
        let step = u64::try_from(now.as_second()).unwrap() / 30;
        let mac = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0), &step.to_be_bytes());
        let mac = mac.as_ref();
        let at = usize::from(mac[19] & 15);
        let number = u32::from_be_bytes(mac[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }
}

/// Any code but the right ones of about now.
fn wrong(phone: &Phone, site: &Site) -> String {
    let near: Vec<String> = (-3..=3).map(|steps| phone.code(site.clock.now() + SignedDuration::from_secs(30 * steps))).collect();
    (0..10).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
}

async fn signed_in(site: &Site, email: &str) -> Browser {
    let account = if email == HANNAH { site.clinic.physio.account } else { site.clinic.owner.account };
    site.give_password(account).await;
    let mut browser = site.browser();
    assert_eq!(browser.sign_in(email, PASSWORD).await.location(), "/patients");
    browser
}

/// Sets it up in this browser; the recovery codes are on the page.
async fn set_up(site: &Site, browser: &mut Browser) -> (Phone, Vec<String>) {
    assert_eq!(browser.post(HERE, &[]).await.location(), HERE);
    let page = browser.get(HERE).await;
    let phone = Phone::told(&page.between("<p class=\"key\" translate=\"no\">", "<"));
    let on = browser.post("/account/second-factor/confirm", &[("code", &phone.code(site.clock.now()))]).await;
    assert_eq!(on.status, StatusCode::OK, "{}", on.text);
    // The code of setting up is used; the next one is half a minute away.
    site.clock.advance(SignedDuration::from_secs(60));
    (phone, codes(&on))
}

fn codes(page: &Answer) -> Vec<String> {
    page.text.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

async fn waits(site: &Site, email: &str) -> Browser {
    let mut browser = site.browser();
    let half = browser.sign_in(email, PASSWORD).await;
    assert_eq!(half.location(), "/sign-in/code");
    browser
}

#[tokio::test]
async fn a_physiotherapist_sets_it_up_and_signs_in_with_it() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let mut elsewhere = signed_in(&site, HANNAH).await;
    assert!(hannah.get("/account").await.has("Second factor"));
    assert!(hannah.get(HERE).await.has("Not set up yet"));
    assert_eq!(hannah.post(HERE, &[]).await.location(), HERE);

    let page = hannah.get(HERE).await;
    assert!(page.has("<svg") && page.has("class=\"qr\"") && !page.has("style="), "{}", page.text);
    let key = page.between("<p class=\"key\" translate=\"no\">", "<");
    assert_eq!(key.replace(' ', "").len(), 32, "160 bits");
    let phone = Phone::told(&key);
    // Nothing is asked for before the first code has shown that the phone has it.
    assert_eq!(site.browser().sign_in(HANNAH, PASSWORD).await.location(), "/patients");
    let refused = hannah.post("/account/second-factor/confirm", &[("code", &wrong(&phone, &site))]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.has("not the code of this moment") && refused.has(&key), "the same secret stays on the page");

    let on = hannah.post("/account/second-factor/confirm", &[("code", &phone.code(site.clock.now()))]).await;
    assert_eq!(on.status, StatusCode::OK);
    assert_eq!(codes(&on).len(), 10);
    assert_eq!(elsewhere.get("/patients").await.status, StatusCode::SEE_OTHER, "whoever gave no code is out");
    assert_eq!(hannah.get("/patients").await.status, StatusCode::OK);
    let after = hannah.get(HERE).await;
    assert!(after.has("It is on") && !after.has("class=\"qr\"") && !after.has(&key), "the secret is not shown again");

    // Signing in: half open after the password, and open after the code.
    site.clock.advance(SignedDuration::from_secs(60));
    let mut tomorrow = site.browser();
    let half = tomorrow.sign_in_to(HANNAH, PASSWORD, "/patients?show=attention").await;
    assert_eq!(half.location(), "/sign-in/code?next=/patients%3Fshow%3Dattention");
    assert_eq!(tomorrow.cookie("homestretch"), None, "no session yet");
    assert_eq!(tomorrow.get("/patients").await.location(), "/sign-in?next=/patients");
    let waiting = tomorrow.cookie("homestretch-code").unwrap();
    tomorrow.keep("homestretch", &waiting);
    assert_eq!(tomorrow.get("/patients").await.location(), "/sign-in?next=/patients", "the half is no session");
    let form = tomorrow.get(half.location()).await;
    assert!(form.has("autocomplete=\"one-time-code\"") && form.has("inputmode=\"numeric\""), "{}", form.text);
    assert_eq!(form.hidden("next"), "/patients?show=attention");

    let code = phone.code(site.clock.now());
    let typed = format!("{} {}", &code[..3], &code[3..]);
    let inside = tomorrow.post("/sign-in/code", &[("code", &typed), ("next", "/patients?show=attention")]).await;
    assert_eq!(inside.location(), "/patients?show=attention", "{}", inside.text);
    assert_eq!(tomorrow.cookie("homestretch-code"), None);
    assert_ne!(tomorrow.cookie("homestretch").unwrap(), waiting, "the session's token is new");
    assert_eq!(tomorrow.get("/patients").await.status, StatusCode::OK);
    tomorrow.keep("homestretch-code", &waiting);
    assert_eq!(tomorrow.get("/sign-in/code").await.location(), "/sign-in?next=", "the half is used up");
}

#[tokio::test]
async fn a_code_is_taken_once_even_by_two_at_the_same_moment() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let (phone, _) = set_up(&site, &mut hannah).await;
    for _ in 0..5 {
        site.clock.advance(SignedDuration::from_secs(60));
        let code = phone.code(site.clock.now());
        let (mut one, mut other) = (waits(&site, HANNAH).await, waits(&site, HANNAH).await);
        let fields = [("code", code.as_str())];
        let (first, second) = tokio::join!(one.post("/sign-in/code", &fields), other.post("/sign-in/code", &fields));
        let mut got = [first.status.as_u16(), second.status.as_u16()];
        got.sort_unstable();
        assert_eq!(got, [303, 422]);
        let mut late = waits(&site, HANNAH).await;
        let replayed = late.post("/sign-in/code", &fields).await;
        assert_eq!(replayed.status, StatusCode::UNPROCESSABLE_ENTITY, "and not once more later");
        assert!(replayed.has("used already"));
    }
    // An older code than the last one taken is refused too, though the skew would allow it.
    let mut late = waits(&site, HANNAH).await;
    let before = phone.code(site.clock.now() - SignedDuration::from_secs(30));
    assert_eq!(late.post("/sign-in/code", &[("code", &before)]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_phone_whose_clock_is_half_a_minute_off_still_works() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let (phone, _) = set_up(&site, &mut hannah).await;
    for (off, status) in [(-30, 303), (30, 303), (-60, 422), (60, 422)] {
        site.clock.advance(SignedDuration::from_mins(5));
        let mut browser = waits(&site, HANNAH).await;
        let code = phone.code(site.clock.now() + SignedDuration::from_secs(off));
        assert_eq!(browser.post("/sign-in/code", &[("code", &code)]).await.status.as_u16(), status, "{off} s");
    }
}

#[tokio::test]
async fn a_recovery_code_gets_in_once_and_new_ones_replace_the_old() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let (_, codes_given) = set_up(&site, &mut hannah).await;
    let shown = hannah.get(HERE).await;
    assert!(codes_given.iter().all(|code| !shown.has(code)), "shown once");
    for code in &codes_given {
        let plain = code.replace('-', "");
        for text in [code, &plain] {
            assert_eq!(
                site.db.row(&format!("select count(*) from recovery_code where position('{text}'::bytea in hash) > 0")).await,
                "0"
            );
        }
    }
    let mut lost = waits(&site, HANNAH).await;
    assert!(!lost.get("/sign-in/code?with=recovery").await.has("inputmode=\"numeric\""), "letters are on the keyboard");
    let inside = lost.post("/sign-in/code", &[("code", &codes_given[0].to_lowercase())]).await;
    assert_eq!(inside.location(), "/patients", "{}", inside.text);
    assert!(lost.get("/patients").await.has("9 are left"));
    let mut again = waits(&site, HANNAH).await;
    let refused = again.post("/sign-in/code", &[("code", &codes_given[0])]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "each works once");

    let fresh = codes(&lost.post("/account/second-factor/codes", &[]).await);
    assert_eq!(fresh.len(), 10);
    let old = again.post("/sign-in/code", &[("code", &codes_given[1])]).await;
    assert_eq!(old.status, StatusCode::UNPROCESSABLE_ENTITY, "the old ones work no more");
    assert_eq!(again.post("/sign-in/code", &[("code", &fresh[0])]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn guessing_codes_is_slowed_down_from_wherever_it_comes() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let (phone, recovery) = set_up(&site, &mut hannah).await;
    let bad = wrong(&phone, &site);
    for guess in 0..10 {
        let mut thief = site.browser_at(&format!("203.0.113.{guess}"));
        thief.sign_in(HANNAH, PASSWORD).await;
        let refused = thief.post("/sign-in/code", &[("code", &bad)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{guess}");
        assert!(refused.has("not right") && !refused.has(&bad));
    }
    let mut thief = site.browser_at("203.0.113.99");
    thief.sign_in(HANNAH, PASSWORD).await;
    let slowed = thief.post("/sign-in/code", &[("code", &phone.code(site.clock.now()))]).await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS, "even the right one");
    assert!(slowed.header("retry-after").parse::<u64>().unwrap() > 60);
    // Whoever has the recovery codes is not shut out by somebody who guesses.
    let mut phoneless = waits(&site, HANNAH).await;
    assert_eq!(phoneless.post("/sign-in/code", &[("code", &recovery[0])]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(hannah.get("/patients").await.status, StatusCode::OK, "nor out of where they are");
    site.clock.advance(SignedDuration::from_mins(31));
    let mut later = waits(&site, HANNAH).await;
    assert_eq!(later.post("/sign-in/code", &[("code", &phone.code(site.clock.now()))]).await.status, StatusCode::SEE_OTHER);
    let told = "select count(*) > 9 from audit_entry where deed = 'sign_in_failed'";
    assert_eq!(site.db.row(told).await, "t", "the clinic's audit tells of it");

    // One address that posts without end is slowed down whatever it sends.
    let mut busy = site.browser_at("198.51.100.7");
    let mut last = StatusCode::OK;
    for _ in 0..60 {
        last = busy.post("/sign-in/code", &[("code", "x")]).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_sign_in_half_done_does_not_outlive_ten_minutes_or_the_password() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let (phone, _) = set_up(&site, &mut hannah).await;
    let mut slow = waits(&site, HANNAH).await;
    site.clock.advance(SignedDuration::from_mins(10));
    let over = slow.post("/sign-in/code", &[("code", &phone.code(site.clock.now())), ("next", "/team")]).await;
    assert_eq!(over.location(), "/sign-in?next=/team");
    assert!(slow.get("/sign-in").await.has("longer than ten minutes"));

    // A thief has the password and waits for a code; then the password is changed.
    let mut thief = waits(&site, HANNAH).await;
    let changed = [("current", PASSWORD), ("new", "five loud kitchen tables")];
    assert_eq!(hannah.post("/account/password", &changed).await.location(), "/account");
    let refused = thief.post("/sign-in/code", &[("code", &phone.code(site.clock.now()))]).await;
    assert_eq!(refused.location(), "/sign-in?next=", "{}", refused.text);
}

#[tokio::test]
async fn a_copy_of_the_database_makes_no_codes() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let (phone, _) = set_up(&site, &mut hannah).await;
    let hex: String = phone.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let found = format!("select count(*) from second_factor where position('\\x{hex}'::bytea in sealed) > 0");
    assert_eq!(site.db.row(&found).await, "0");
    assert_eq!(site.db.row("select count(*) from second_factor where length(sealed) = 12 + 20 + 16").await, "1");
    // A row moved to another account opens nothing there.
    site.give_password(site.clinic.owner.account).await;
    let (from, to) = (site.clinic.physio.account, site.clinic.owner.account);
    site.db.execute(&format!("update second_factor set account_id = '{to}' where account_id = '{from}'")).await;
    let mut owner = waits(&site, OWNER).await;
    let refused = owner.post("/sign-in/code", &[("code", &phone.code(site.clock.now()))]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_clinic_that_wants_it_lets_nobody_work_without() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let mut owner = signed_in(&site, OWNER).await;
    let form = [
        ("name", "Riverside Physio"),
        ("zone", "Asia/Kuala_Lumpur"),
        ("quiet_from", "21:00"),
        ("quiet_to", "07:00"),
        ("pain_high", "7"),
        ("missed_run", "3"),
        ("second_factor", "yes"),
    ];
    let first = owner.post("/settings", &form).await;
    assert_eq!(first.status, StatusCode::UNPROCESSABLE_ENTITY, "the owner would be shut out");
    assert!(first.has("set up your own second factor first") && first.has("name=\"second_factor\" value=\"yes\" checked"));
    assert_eq!(hannah.get("/patients").await.status, StatusCode::OK);
    set_up(&site, &mut owner).await;
    assert_eq!(owner.post("/settings", &form).await.status, StatusCode::SEE_OTHER);
    assert!(owner.get("/settings").await.has("name=\"second_factor\" value=\"yes\" checked"));
    assert_eq!(owner.get("/patients").await.status, StatusCode::OK);

    for path in ["/patients", "/patients/new", "/exercises", "/templates", "/notices"] {
        assert_eq!(hannah.get(path).await.location(), HERE, "{path}");
    }
    assert_eq!(hannah.post("/exercises", &[("name", "Bridge")]).await.location(), HERE);
    assert_eq!(hannah.get("/account").await.status, StatusCode::OK, "their own account is theirs");
    assert!(hannah.get(HERE).await.has("Your clinic asks"));
    set_up(&site, &mut hannah).await;
    assert_eq!(hannah.get("/patients").await.status, StatusCode::OK);
    // Turning it off leads straight back to setting it up.
    assert_eq!(hannah.post("/account/second-factor/off", &[]).await.location(), HERE);
    assert!(hannah.get(HERE).await.has("please set up a new one now"));
    assert_eq!(hannah.get("/patients").await.location(), HERE);

    // Patients are never asked.
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let account = site.clinic.join(&wei).await;
    site.give_password(account).await;
    let mut phone = site.browser();
    assert_eq!(phone.sign_in("wei@home.test", PASSWORD).await.location(), "/today");
    assert_eq!(phone.get("/today").await.status, StatusCode::OK);
    assert_eq!(phone.get(HERE).await.status, StatusCode::NOT_FOUND);
    assert_eq!(phone.post(HERE, &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_matters_asks_once_more_who_is_there() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let (phone, _) = set_up(&site, &mut hannah).await;
    site.clock.advance(SignedDuration::from_mins(10));
    for path in ["/account/second-factor/off", "/account/second-factor/codes", HERE] {
        let asked = hannah.post(path, &[]).await;
        assert_eq!(asked.location(), "/account/confirm?next=/", "{path}");
    }
    assert!(hannah.get(HERE).await.has("It is on"));
    let form = hannah.get(&format!("/account/confirm?next={}", visitor::encode(HERE))).await;
    assert!(form.has("name=\"password\"") && form.has("name=\"code\""));
    let code = phone.code(site.clock.now());
    let proof = |password, code| [("password", password), ("code", code), ("next", HERE)];
    let bad = hannah.post("/account/confirm", &proof("wrong", &code)).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.has("That is not your password") && !bad.has(&code));
    let guess = wrong(&phone, &site);
    let bad = hannah.post("/account/confirm", &proof(PASSWORD, &guess)).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "the password alone is not enough");
    assert_eq!(hannah.post("/account/second-factor/off", &[]).await.location(), "/account/confirm?next=/");
    assert_eq!(hannah.post("/account/confirm", &proof(PASSWORD, &code)).await.location(), HERE);
    assert_eq!(hannah.post("/account/second-factor/codes", &[]).await.status, StatusCode::OK);
    assert_eq!(hannah.post("/account/second-factor/off", &[]).await.location(), HERE);
    assert!(hannah.get(HERE).await.has("Not set up yet"));
    assert_eq!(site.browser().sign_in(HANNAH, PASSWORD).await.location(), "/patients");
    // Nobody is led to another site from there.
    let away = hannah.post("/account/confirm", &[("password", PASSWORD), ("next", "//evil.test")]).await;
    assert_eq!(away.location(), "/account");
}

#[tokio::test]
async fn a_reminders_link_from_before_a_new_password_opens_nothing() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let account = site.clinic.join(&wei).await;
    let link = site.one_tap(&wei);
    assert_eq!(site.browser().post(&link, &[]).await.location(), "/session");
    site.clock.advance(SignedDuration::from_mins(1));
    site.give_password(account).await;
    let stolen = site.browser().post(&link, &[]).await;
    assert_eq!(stolen.status, StatusCode::GONE, "{}", stolen.text);
    assert_eq!(site.browser().post(&site.one_tap(&wei), &[]).await.location(), "/session", "the next one works");
}

#[tokio::test]
async fn an_owner_resets_the_second_factor_of_a_colleague_whose_phone_is_lost() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let mut owner = signed_in(&site, OWNER).await;
    let path = format!("/team/{}/second-factor", site.clinic.physio.membership);
    assert!(!owner.get("/team").await.has(&path), "nothing to reset yet");
    assert_eq!(owner.post(&path, &[]).await.location(), "/team", "and nothing goes wrong");
    assert_eq!(hannah.get("/patients").await.status, StatusCode::OK, "nor is anybody signed out by it");

    let (_, codes) = set_up(&site, &mut hannah).await;
    let mut waiting = waits(&site, HANNAH).await;
    let team = owner.get("/team").await;
    assert!(team.has(&path) && team.has("signs in with a second factor"), "{}", team.text);
    assert_eq!(hannah.post(&path, &[]).await.status, StatusCode::NOT_FOUND, "a colleague cannot");
    site.clock.advance(SignedDuration::from_mins(10));
    assert!(owner.post(&path, &[]).await.location().starts_with("/account/confirm"), "nor an owner without the password");
    owner.post("/account/confirm", &[("password", PASSWORD), ("next", "/team")]).await;
    assert_eq!(owner.post(&path, &[]).await.location(), "/team");
    let team = owner.get("/team").await;
    assert!(team.has("Their second factor is off") && !team.has(&path), "{}", team.text);
    let noted = "select count(*) from audit_entry where deed = 'wrote' and subject = 'team'";
    assert_eq!(site.db.row(noted).await, "1", "once, for the one time that something was reset");

    assert_eq!(hannah.get("/patients").await.status, StatusCode::SEE_OTHER, "whoever has the phone is out");
    let late = waiting.post("/sign-in/code", &[("code", &codes[0])]).await;
    assert!(late.location().starts_with("/sign-in?"), "and so is whoever waits with a code: {}", late.location());
    assert_eq!(site.browser().sign_in(HANNAH, PASSWORD).await.location(), "/patients");

    // One's own is not turned off this way.
    set_up(&site, &mut owner).await;
    let own = owner.post(&format!("/team/{}/second-factor", site.clinic.owner.membership), &[]).await;
    assert_eq!(own.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(own.has("Your own second factor is under"));
    assert_eq!(site.db.row("select count(*) from second_factor where confirmed_at is not null").await, "1");
}

#[tokio::test]
async fn an_owner_cannot_reset_who_works_in_another_clinic_too() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    set_up(&site, &mut hannah).await;
    let mut owner = signed_in(&site, OWNER).await;
    let other = testkit::people::clinic_called(&site.db, "Hill Clinic", "hill.test", site.clock.now()).await;
    site.db
        .execute(&format!(
            "update membership set account_id = '{}' where id = '{}'",
            site.clinic.physio.account, other.physio.membership
        ))
        .await;
    let refused = owner.post(&format!("/team/{}/second-factor", site.clinic.physio.membership), &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert!(refused.has("work at another clinic too"), "{}", refused.text);
    assert_eq!(site.db.row("select count(*) from second_factor").await, "1");
    let there = owner.post(&format!("/team/{}/second-factor", other.physio.membership), &[]).await;
    assert_eq!(there.status, StatusCode::NOT_FOUND, "nor anybody of another clinic");
}

#[tokio::test]
async fn an_invitation_is_no_way_around_it() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let (phone, _) = set_up(&site, &mut hannah).await;
    // Somebody on the staff comes as a patient, too.
    let record = site.clinic.patient("Hannah Lim", HANNAH).await;
    let token = site.link(store::link::Purpose::InvitePatient(site.clinic.id, record.id), HANNAH).await;
    let address = format!("/welcome/{token}");
    let mut browser = site.browser();
    let version = browser.get(&address).await.hidden("consent_version");
    let half = browser.post(&address, &[("password", PASSWORD), ("agree", "yes"), ("consent_version", &version)]).await;
    assert_eq!(half.location(), "/sign-in/code", "{}", half.text);
    assert_eq!(browser.cookie("homestretch"), None);
    assert_eq!(browser.get("/patients").await.status, StatusCode::SEE_OTHER);
    let inside = browser.post("/sign-in/code", &[("code", &phone.code(site.clock.now()))]).await;
    assert_eq!((inside.status, browser.get("/account").await.status), (StatusCode::SEE_OTHER, StatusCode::OK));
    // The invitation was accepted, once.
    assert_eq!(site.db.row("select count(*) from consent").await, "1");
    assert_eq!(site.browser().get(&address).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn whoever_confirms_with_a_wrong_code_is_known() {
    let site = Site::open().await;
    let mut hannah = signed_in(&site, HANNAH).await;
    let (phone, _) = set_up(&site, &mut hannah).await;
    let failed = "select count(*) from audit_entry where deed = 'sign_in_failed'";
    assert_eq!(site.db.row(failed).await, "0");
    let refused = hannah.post("/account/confirm", &[("password", PASSWORD), ("code", &wrong(&phone, &site))]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(site.db.row(failed).await, "1");
}
