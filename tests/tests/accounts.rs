//! Stories of the way in: signing in and out, invitations, forgotten passwords, one-tap links, one's own account, the clinic's
//! settings; and what every answer owes to a browser.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use store::{link, link::Purpose, outbox, session};
use visitor::{PASSWORD, Site, while_it_waits};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test]
async fn a_physiotherapist_signs_in_and_out() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let mut hannah = site.browser();

    let sent_away = hannah.get("/patients?show=attention").await;
    assert_eq!(sent_away.status, StatusCode::SEE_OTHER);
    assert_eq!(sent_away.location(), "/sign-in?next=/patients%3Fshow%3Dattention");

    let form = hannah.get(sent_away.location()).await;
    assert!(form.has("value=\"/patients?show=attention\""), "{}", form.text);
    let inside = hannah.sign_in_to("physio@riverside.test", PASSWORD, "/patients?show=attention").await;
    assert_eq!((inside.status, inside.location()), (StatusCode::SEE_OTHER, "/patients?show=attention"));
    let cookie = inside.header("set-cookie");
    assert!(cookie.starts_with("homestretch="), "{cookie}");
    for flag in ["; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(flag), "{cookie} lacks {flag}");
    }
    assert!(!cookie.contains("Secure"), "browsers drop it on plain http");

    let caseload = hannah.get("/patients").await;
    assert_eq!(caseload.status, StatusCode::OK);
    assert_eq!(caseload.header("cache-control"), "no-store");
    assert!(caseload.has("Riverside Physio"));
    assert_eq!(hannah.get("/").await.location(), "/patients");
    assert_eq!(hannah.get("/sign-in").await.location(), "/patients", "whoever is in needs no form");

    let token = hannah.cookie("homestretch").unwrap();
    assert_eq!(hannah.post("/sign-out", &[]).await.location(), "/sign-in");
    assert!(hannah.get("/sign-in").await.has("You are signed out."));
    assert!(!hannah.get("/sign-in").await.has("You are signed out."), "it is said once");
    hannah.keep("homestretch", &token);
    assert_eq!(hannah.get("/patients").await.status, StatusCode::SEE_OTHER, "the old token opens nothing");
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_the_host() {
    let site = Site::open_at("https://clinic.test").await;
    site.give_password(site.clinic.physio.account).await;
    let mut hannah = site.browser();
    let inside = hannah.sign_in("physio@riverside.test", PASSWORD).await;
    let cookie = inside.header("set-cookie");
    assert!(cookie.starts_with("__Host-homestretch=") && cookie.contains("; Secure"), "{cookie}");
    assert!(inside.header("strict-transport-security").contains("max-age="));
    assert_eq!(hannah.get("/patients").await.status, StatusCode::OK);

    // Without the prefix a subdomain could have set it.
    let mut other = site.browser();
    other.keep("homestretch", &hannah.cookie("__Host-homestretch").unwrap());
    assert_eq!(other.get("/patients").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_look_the_same() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let mut stranger = site.browser();
    let wrong = stranger.sign_in("physio@riverside.test", "not her password").await;
    let unknown = stranger.sign_in("nobody@riverside.test", "not her password").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(unknown.status, wrong.status);
    assert_eq!(unknown.text.replace("nobody@", "physio@"), wrong.text);
    assert!(wrong.has("value=\"physio@riverside.test\""), "the address is kept");
    assert!(!wrong.has("not her password"), "the password is not");
    assert!(wrong.has("go together"));
    assert_eq!(stranger.cookie("homestretch"), None);

    // An invited account without a password is as unknown as any.
    let invited = stranger.sign_in("owner@riverside.test", "").await;
    assert_eq!(invited.text.replace("owner@", "physio@"), wrong.text);

    let no_address = stranger.sign_in("hannah", PASSWORD).await;
    assert_eq!(no_address.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(no_address.has("should look like name@example.com") && no_address.has("value=\"hannah\""));
}

#[tokio::test]
async fn after_signing_in_nobody_is_sent_to_another_site() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    for next in ["//evil.test", "https://evil.test/", "/\\evil.test", "\\\\evil.test", "/\t/evil.test", "evil.test"] {
        let mut hannah = site.browser();
        let form = hannah.get(&format!("/sign-in?next={}", visitor::encode(next))).await;
        assert!(!form.has("evil.test"), "{next:?} reached the form");
        let inside = hannah.sign_in_to("physio@riverside.test", PASSWORD, next).await;
        assert_eq!(inside.location(), "/patients", "{next:?}");
        // Signed in already, the form's own redirect.
        let again = hannah.get(&format!("/sign-in?next={}", visitor::encode(next))).await;
        assert_eq!(again.location(), "/patients", "{next:?}");
    }
}

#[tokio::test]
async fn a_change_that_is_not_asked_for_on_a_page_of_ours_is_refused() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let mut hannah = site.browser();
    hannah.sign_in("physio@riverside.test", PASSWORD).await;
    for headers in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.test")],
        &[("origin", "null")],
    ] {
        let refused = hannah.send(Method::POST, "/sign-out", Some(""), headers).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{headers:?}");
        assert!(refused.has("go through") && refused.is_page(), "{}", refused.text);
        assert_eq!(hannah.get("/patients").await.status, StatusCode::OK, "{headers:?} changed something");
    }
    let ours = hannah.send(Method::POST, "/sign-out", Some(""), &[("origin", "http://localhost:8080")]).await;
    assert_eq!(ours.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn every_answer_carries_its_protection() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let mut hannah = site.browser();
    hannah.sign_in("physio@riverside.test", PASSWORD).await;
    let mut answers = vec![];
    for path in
        ["/", "/sign-in", "/nowhere", "/patients", "/settings", "/welcome/x", "/go/x", "/patients/not-an-id", "/sign-in?x=%00"]
    {
        answers.push((path, hannah.get(path).await));
    }
    answers.push(("too large", hannah.post("/sign-in", &[("email", &"a".repeat(2 << 20))]).await));
    answers.push(("nul", hannah.post("/sign-in", &[("email", "a\0b")]).await));
    answers.push((
        "no form",
        hannah
            .send(Method::POST, "/sign-in", Some("{}"), &[("sec-fetch-site", "same-origin"), ("content-type", "application/json")])
            .await,
    ));
    answers.push(("wrong method", hannah.send(Method::DELETE, "/sign-in", None, &[("sec-fetch-site", "same-origin")]).await));
    for (what, answer) in &answers {
        let csp = answer.header("content-security-policy");
        for rule in ["default-src 'none'", "script-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(csp.contains(rule), "{what}: {csp}");
        }
        assert!(!csp.contains("unsafe"), "{what}: {csp}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{what}");
        assert_eq!(answer.header("cache-control"), "no-store", "{what}");
        assert!(!answer.header("x-request-id").is_empty(), "{what}");
        assert!(answer.status == StatusCode::SEE_OTHER || answer.is_page(), "{what}: {} {}", answer.status, answer.text);
        assert!(!answer.text.contains("invalid") && !answer.text.contains("Failed to"), "{what}: {}", answer.text);
    }
    let status = |what: &str| answers.iter().find(|(name, _)| *name == what).map(|(_, answer)| answer.status.as_u16()).unwrap();
    assert_eq!(status("/nowhere"), 404);
    assert_eq!(status("/settings"), 404, "a physiotherapist is no owner");
    assert_eq!(status("/patients/not-an-id"), 404);
    assert_eq!(status("too large"), 413);
    assert_eq!(status("nul"), 422);
    assert_eq!(status("wrong method"), 405);
    let hidden = hannah.get("/settings").await;
    assert_eq!(hidden.text, hannah.get("/nowhere").await.text, "a hidden page and one that does not exist are the same");
}

#[tokio::test]
async fn a_patient_accepts_an_invitation() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let token = site.link(Purpose::InvitePatient(site.clinic.id, wei.id), "wei@home.test").await;
    let address = format!("/welcome/{token}");
    let mut phone = site.browser();

    for _ in 0..2 {
        let page = phone.get(&address).await;
        assert_eq!(page.status, StatusCode::OK, "opening it uses nothing up");
        assert!(page.has("Hello Wei") && page.has("Hannah Lim") && page.has("Riverside Physio"));
        assert!(!page.has("checked"), "nothing is ticked beforehand");
    }
    let version = phone.get(&address).await.hidden("consent_version");
    let join = |password: &str, agree: &str| {
        vec![("password", password.to_owned()), ("agree", agree.to_owned()), ("consent_version", version.clone())]
    };
    let unread = phone.post_owned(&address, join("four quiet garden chairs", "")).await;
    assert_eq!(unread.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unread.has("tick the box"));
    for (password, sentence) in [("short", "at least 8 characters"), ("password1", "others would guess"), ("", "type a password")] {
        let refused = phone.post_owned(&address, join(password, "yes")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{password}");
        assert!(refused.has(sentence), "{password}: {}", refused.text);
        assert!(refused.has("checked"), "the tick is kept");
    }
    assert_eq!(site.db.row("select count(*) from account where email = 'wei@home.test'").await, "0", "nothing was changed");

    let joined = phone.post_owned(&address, join("four quiet garden chairs", "yes")).await;
    assert_eq!((joined.status, joined.location()), (StatusCode::SEE_OTHER, "/today"));
    assert_eq!(phone.get("/today").await.status, StatusCode::OK);
    assert_eq!(phone.get("/patients").await.status, StatusCode::NOT_FOUND, "the clinic's pages are not the patient's");
    let consent = site.db.row("select version, wording like '%Riverside Physio keeps your name%' from consent").await;
    assert_eq!(consent, format!("{version}|t"));
    let kept = site.db.row("select left(password_hash, 31) from account where email = 'wei@home.test'").await;
    assert_eq!(kept, "$argon2id$v=19$m=19456,t=2,p=1$");

    // The link is used up, for reading and for joining.
    let mut somebody_else = site.browser();
    for answer in
        [somebody_else.get(&address).await, somebody_else.post_owned(&address, join("another good long one", "yes")).await]
    {
        assert_eq!(answer.status, StatusCode::GONE);
        assert!(answer.has("You have already joined") && answer.has("/sign-in"));
    }
    assert_eq!(somebody_else.sign_in("wei@home.test", "four quiet garden chairs").await.location(), "/today");
}

#[tokio::test]
async fn an_invitation_ends_by_itself_or_by_being_withdrawn() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let token = site.link(Purpose::InvitePatient(site.clinic.id, wei.id), "wei@home.test").await;
    let stale = site.link(Purpose::InvitePatient(site.clinic.id, wei.id), "wei@old.test").await;
    let mut phone = site.browser();
    let withdrawn = phone.get(&format!("/welcome/{stale}")).await;
    assert_eq!(withdrawn.status, StatusCode::GONE, "the record has another address by now");

    site.clock.advance(link::INVITATION_LASTS);
    let late = phone.get(&format!("/welcome/{token}")).await;
    assert_eq!(late.status, StatusCode::GONE);
    assert!(late.has("has expired") && late.has("ask Riverside Physio"));
    let posted = phone.post(&format!("/welcome/{token}"), &[("password", "four quiet garden chairs"), ("agree", "yes")]).await;
    assert_eq!(posted.status, StatusCode::GONE);

    for cut in [&token[..20], "x", "%00", "..%2F..%2Fetc"] {
        let unknown = phone.get(&format!("/welcome/{cut}")).await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{cut}");
        assert!(unknown.is_page(), "{cut}");
    }
}

#[tokio::test]
async fn an_invitation_that_was_just_sent_is_not_said_to_be_sent_again() {
    let site = Site::open().await;
    let hannah = site.clinic.patient("Hannah Tan", "hannah@home.test").await;
    site.give_password(site.clinic.physio.account).await;
    let mut physio = site.browser();
    physio.sign_in(site.clinic.physio.email.as_str(), PASSWORD).await;
    let again = format!("/patients/{}/invite", hannah.id);
    let count = || site.db.row("select count(*) from notice where kind = 'invitation'");
    physio.post(&again, &[]).await;
    assert!(physio.get(&format!("/patients/{}", hannah.id)).await.has("on its way"));
    let queued = count().await;
    physio.post(&again, &[]).await;
    assert!(physio.get(&format!("/patients/{}", hannah.id)).await.has("was sent a moment ago"));
    assert_eq!(count().await, queued);
}

#[tokio::test]
async fn a_place_is_taken_once_by_whichever_of_its_links() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let purpose = Purpose::InvitePatient(site.clinic.id, wei.id);
    let links = [site.link(purpose, "wei@home.test").await, site.link(purpose, "wei@home.test").await];
    let accept = async |token: &str| {
        let (address, mut browser) = (format!("/welcome/{token}"), site.browser());
        let version = browser.get(&address).await.hidden("consent_version");
        let fields = [("password", "seven green bicycles"), ("agree", "yes"), ("consent_version", version.as_str())];
        browser.post(&address, &fields).await.status
    };
    // Both at once, from two browsers.
    let (one, other) = tokio::join!(accept(&links[0]), accept(&links[1]));
    assert_eq!([one, other].iter().filter(|status| **status == StatusCode::SEE_OTHER).count(), 1, "{one} {other}");
    for token in &links {
        assert_eq!(site.browser().get(&format!("/welcome/{token}")).await.status, StatusCode::GONE);
    }
    assert_eq!(site.db.row("select count(*) from consent").await, "1");
}

#[tokio::test]
async fn somebody_with_an_account_joins_with_the_password_they_have() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let hannah = site.clinic.patient("Hannah Lim", "physio@riverside.test").await;
    let token = site.link(Purpose::InvitePatient(site.clinic.id, hannah.id), "physio@riverside.test").await;
    let address = format!("/welcome/{token}");
    let mut browser = site.browser();
    let page = browser.get(&address).await;
    assert!(page.has("has an account here already"));
    let version = page.hidden("consent_version");
    let wrong =
        browser.post(&address, &[("password", "a new password of mine"), ("agree", "yes"), ("consent_version", &version)]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "an invitation sets nobody's password anew");
    let joined = browser.post(&address, &[("password", PASSWORD), ("agree", "yes"), ("consent_version", &version)]).await;
    assert_eq!(joined.location(), "/today");

    // Two places now: signing in asks where to, and the session is bound to what is chosen.
    let mut again = site.browser();
    assert_eq!(again.sign_in("physio@riverside.test", PASSWORD).await.location(), "/places");
    let choice = again.get("/places").await;
    assert!(choice.has("Physiotherapist") && choice.has("Patient"));
    let before = again.cookie("homestretch").unwrap();
    let chosen = again.post("/places", &[("place", &format!("patient-{}", hannah.id))]).await;
    // The audit tells one sign-in from the other.
    let by_choice = "select count(*) from audit_entry where deed = 'signed_in' and detail = 'by choosing the place'";
    assert_eq!(site.db.row(by_choice).await, "1");
    assert_eq!(chosen.location(), "/today");
    assert_ne!(again.cookie("homestretch").unwrap(), before, "a new session");
    assert_eq!(again.get("/patients").await.status, StatusCode::NOT_FOUND);
    let foreign = again.post("/places", &[("place", &format!("staff-{}", site.clinic.owner.membership))]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "somebody else's place");
}

#[tokio::test]
async fn a_forgotten_password_is_chosen_anew() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let mut thief = site.browser();
    thief.sign_in("physio@riverside.test", PASSWORD).await;

    let mut hannah = site.browser();
    let known = hannah.post("/password/forgot", &[("email", "Physio@Riverside.test ")]).await;
    let unknown = hannah.post("/password/forgot", &[("email", "nobody@riverside.test")]).await;
    assert_eq!(known.status, StatusCode::OK);
    assert_eq!(unknown.text.replace("nobody@", "physio@"), known.text, "the answer says nothing about accounts");
    let owed = site.db.rows("select kind, recipient from notice").await;
    assert_eq!(owed, ["password_reset|physio@riverside.test"]);

    let account = site.clinic.physio.account;
    let (first, second) = (
        site.link(Purpose::ResetPassword(account), "physio@riverside.test").await,
        site.link(Purpose::ResetPassword(account), "physio@riverside.test").await,
    );
    let address = format!("/password/reset/{first}");
    assert!(hannah.get(&address).await.has("p***@riverside.test"));
    let short = hannah.post(&address, &[("password", "short")]).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(short.has("at least 8 characters"));
    let saved = hannah.post(&address, &[("password", "seven green bicycles")]).await;
    assert_eq!(saved.location(), "/sign-in");
    assert!(hannah.get("/sign-in").await.has("Your new password is saved"));

    assert_eq!(thief.get("/patients").await.status, StatusCode::SEE_OTHER, "every session ends");
    for used in [&first, &second] {
        let over = hannah.get(&format!("/password/reset/{used}")).await;
        assert_eq!(over.status, StatusCode::GONE, "no other link of this account works either");
        assert!(over.has("/password/forgot"));
    }
    assert_eq!(hannah.sign_in("physio@riverside.test", PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(hannah.sign_in("physio@riverside.test", "seven green bicycles").await.location(), "/patients");

    let late = site.link(Purpose::ResetPassword(account), "physio@riverside.test").await;
    site.clock.advance(link::RESET_LASTS);
    let over = hannah.post(&format!("/password/reset/{late}"), &[("password", "eight blue bicycles")]).await;
    assert_eq!(over.status, StatusCode::GONE);
    // A link for one purpose is none for another.
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let invitation = site.link(Purpose::InvitePatient(site.clinic.id, wei.id), "wei@home.test").await;
    assert_eq!(hannah.get(&format!("/password/reset/{invitation}")).await.status, StatusCode::NOT_FOUND);
}

/// A mail that is written after the password was chosen would bring a link that works: what waits is taken out of the queue.
#[tokio::test]
async fn a_link_that_waits_for_its_mail_ends_when_the_password_is_chosen() {
    let site = Site::open().await;
    let (account, email) = (site.clinic.physio.account, "physio@riverside.test");
    site.give_password(account).await;
    let mut hannah = site.browser();
    hannah.sign_in(email, PASSWORD).await;
    let asks = async || {
        site.clock.advance(SignedDuration::from_mins(1));
        site.browser().post("/password/forgot", &[("email", email)]).await;
    };
    let states = async || site.db.rows("select state, reason from notice order by due_at").await;

    // By a link that came before. A worker has claimed the other mail already.
    let link = site.link(Purpose::ResetPassword(account), email).await;
    asks().await;
    let tx = site.db.store.begin_worker().await.unwrap();
    let claimed = outbox::claim(&tx, 10, &[], site.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    let saved = site.browser().post(&format!("/password/reset/{link}"), &[("password", "seven green bicycles")]).await;
    assert_eq!(saved.location(), "/sign-in", "{}", saved.text);
    assert_eq!(states().await, ["skipped|expired"]);
    let intents = claimed.iter().map(|notice| outbox::Intent::of(notice, "<x@clinic.test>")).collect();
    assert!(matches!(outbox::intend(&site.db.store, intents).await.unwrap().as_slice(), [None]), "the claim is over");

    // By those who know the old one.
    hannah.sign_in(email, "seven green bicycles").await;
    asks().await;
    assert_eq!(states().await, ["skipped|expired", "pending|"]);
    let fields = [("current", "seven green bicycles"), ("new", "nine red tractors")];
    assert_eq!(hannah.post("/account/password", &fields).await.location(), "/account");
    assert_eq!(states().await, ["skipped|expired", "skipped|expired"]);

    // Another account's waits on, and so does what is asked for afterwards.
    asks().await;
    site.give_password(site.clinic.owner.account).await;
    site.browser().post("/password/forgot", &[("email", "owner@riverside.test")]).await;
    assert_eq!(states().await[2..], ["pending|", "pending|"]);
}

/// Acts while `asked` waits for the account's row: the password it compared is another one when it goes on.
async fn with_the_password_changed_meanwhile<T>(site: &Site, email: &str, asked: impl Future<Output = T>) -> T {
    let changed = web::auth::password::hash("seven green bicycles").unwrap();
    let locked = format!("select id from account where email = '{email}' for update");
    while_it_waits(site, &locked, &format!("update account set password_hash = '{changed}' where email = '{email}'"), asked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_changed_meanwhile_opens_nothing() {
    let site = Site::open().await;
    let account = site.clinic.physio.account;
    let (email, sessions) = ("physio@riverside.test", "select count(*) from session");

    site.give_password(account).await;
    let mut thief = site.browser();
    let late = with_the_password_changed_meanwhile(&site, email, thief.sign_in(email, PASSWORD)).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", late.text);
    assert_eq!(site.db.row(sessions).await, "0");

    site.give_password(account).await;
    thief.sign_in(email, PASSWORD).await;
    let fields = [("current", PASSWORD), ("new", "nine red tractors")];
    let late = with_the_password_changed_meanwhile(&site, email, thief.post("/account/password", &fields)).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.has("That is not your password."), "{}", late.text);
    assert_eq!(site.browser().sign_in(email, "nine red tractors").await.status, StatusCode::UNPROCESSABLE_ENTITY);

    // Nor does it accept an invitation.
    site.give_password(account).await;
    let wei = site.clinic.patient("Wei Ling", email).await;
    let invitation = site.link(Purpose::InvitePatient(site.clinic.id, wei.id), email).await;
    let address = format!("/welcome/{invitation}");
    let consent = site.browser().get(&address).await.hidden("consent_version");
    let before = site.db.row(sessions).await;
    let fields = [("password", PASSWORD), ("agree", "yes"), ("consent_version", consent.as_str())];
    let mut stranger = site.browser();
    let late = with_the_password_changed_meanwhile(&site, email, stranger.post(&address, &fields)).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.has("Your password was changed a moment ago"), "{}", late.text);
    assert_eq!(site.db.row(sessions).await, before);
    assert_eq!(site.db.row(&format!("select account_id from patient where id = '{}'", wei.id)).await, "");
}

#[tokio::test]
async fn nobody_can_fill_a_mailbox_with_links() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let mut stranger = site.browser();
    for _ in 0..8 {
        let answer = stranger.post("/password/forgot", &[("email", "physio@riverside.test")]).await;
        assert_eq!(answer.status, StatusCode::OK);
        site.clock.advance(SignedDuration::from_mins(1));
    }
    assert_eq!(site.db.row("select count(*) from notice").await, "3");
}

#[tokio::test]
async fn guessing_is_slowed_down_where_it_comes_from() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let mut guesser = site.browser_at("203.0.113.5");
    for _ in 0..10 {
        let wrong = guesser.sign_in("physio@riverside.test", "wrong wrong wrong").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let blocked = guesser.sign_in("physio@riverside.test", PASSWORD).await;
    assert_eq!(blocked.status, StatusCode::TOO_MANY_REQUESTS, "even with the right password");
    let wait: u64 = blocked.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    assert!(blocked.has("Too many tries") && blocked.is_page());

    // Saying to be forwarded for somebody else changes nothing: no proxy is trusted here.
    guesser.always("x-forwarded-for", "198.51.100.7");
    assert_eq!(guesser.sign_in("physio@riverside.test", PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);

    let mut hannah = site.browser_at("198.51.100.7");
    assert_eq!(hannah.sign_in("physio@riverside.test", PASSWORD).await.location(), "/patients", "the account is not closed");
    site.clock.advance(SignedDuration::from_mins(15));
    assert_eq!(guesser.sign_in("physio@riverside.test", PASSWORD).await.location(), "/patients");
}

#[tokio::test]
async fn sessions_end_when_one_is_away_and_in_any_case_some_day() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let mut hannah = site.browser();
    hannah.sign_in("physio@riverside.test", PASSWORD).await;
    for _ in 0..13 {
        site.clock.advance(session::STAFF_IDLE - HOUR);
        assert_eq!(hannah.get("/patients").await.status, StatusCode::OK, "in use it goes on");
    }
    site.clock.advance(session::STAFF_IDLE - HOUR);
    site.clock.advance(session::STAFF_IDLE - HOUR);
    assert_eq!(hannah.get("/patients").await.status, StatusCode::SEE_OTHER, "away for too long");

    hannah.sign_in("physio@riverside.test", PASSWORD).await;
    let mut days = 0;
    while hannah.get("/patients").await.status == StatusCode::OK {
        site.clock.advance(session::STAFF_IDLE - HOUR);
        days += 1;
        assert!(days < 40, "a session never ends");
    }
    // A closed place ends it at once.
    hannah.sign_in("physio@riverside.test", PASSWORD).await;
    assert_eq!(hannah.get("/patients").await.status, StatusCode::OK);
    site.db.execute("update membership set disabled_at = now() where role = 'physiotherapist'").await;
    assert_eq!(hannah.get("/patients").await.status, StatusCode::SEE_OTHER);
    let nowhere = hannah.sign_in("physio@riverside.test", PASSWORD).await;
    assert_eq!(nowhere.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nowhere.has("not part of a clinic"));
}

#[tokio::test]
async fn one_looks_after_ones_own_account() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    site.give_password(site.clinic.owner.account).await;
    let (mut laptop, mut phone, mut owner) = (site.browser(), site.browser(), site.browser());
    laptop.sign_in("physio@riverside.test", PASSWORD).await;
    phone.sign_in("physio@riverside.test", PASSWORD).await;
    owner.sign_in("owner@riverside.test", PASSWORD).await;

    let page = laptop.get("/account").await;
    assert!(page.has("Hannah Lim") && page.has("physio@riverside.test") && page.has("this browser"));
    let other = page.between("/account/sessions/", "/end\"");
    let foreign = owner.post(&format!("/account/sessions/{other}/end"), &[]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "nobody ends another's session");
    assert_eq!(laptop.post(&format!("/account/sessions/{other}/end"), &[]).await.location(), "/account");
    assert_eq!(phone.get("/patients").await.status, StatusCode::SEE_OTHER);

    phone.sign_in("physio@riverside.test", PASSWORD).await;
    let wrong = laptop.post("/account/password", &[("current", "wrong one"), ("new", "seven green bicycles")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.has("That is not your password") && !wrong.has("seven green bicycles"));
    let changed = laptop.post("/account/password", &[("current", PASSWORD), ("new", "seven green bicycles")]).await;
    assert_eq!(changed.location(), "/account");
    assert_eq!(phone.get("/patients").await.status, StatusCode::SEE_OTHER, "every other session ends");
    assert_eq!(laptop.get("/patients").await.status, StatusCode::OK, "this one stays");

    let long = "x".repeat(500);
    let refused = laptop.post("/account", &[("name", &long), ("language", "en")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.has("120 characters at most") && refused.has(&long), "what was typed is kept");
    assert_eq!(laptop.post("/account", &[("name", "Hannah <b>Lim-Tan"), ("language", "en")]).await.location(), "/account");
    let renamed = laptop.get("/account").await;
    assert!(renamed.has("Saved.") && renamed.has("Hannah &lt;b&gt;Lim-Tan"), "{}", renamed.text);
}

#[tokio::test]
async fn a_one_tap_link_opens_todays_session_and_nothing_else() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let token = site.one_tap(&wei);
    let mut phone = site.browser();
    let early = phone.get(&token).await;
    assert_eq!(early.status, StatusCode::OK);
    assert_eq!(early.header("set-cookie"), "", "opening it changes nothing");
    let not_joined = phone.post(&token, &[]).await;
    assert_eq!(not_joined.status, StatusCode::GONE, "without an account there is nobody to sign in");

    site.clinic.join(&wei).await;
    let opened = phone.post(&token, &[]).await;
    assert_eq!((opened.status, opened.location()), (StatusCode::SEE_OTHER, "/session"));
    assert_eq!(phone.get("/session").await.location(), "/today", "nothing is due");
    assert_eq!(phone.get("/today").await.status, StatusCode::OK);
    assert_eq!(phone.get(&token).await.location(), "/session", "whoever is in goes straight on");
    let today = wei.zone.date(site.clock.now());
    let program = site.clinic.program_for(&wei, today, 6).await;
    assert_eq!(phone.get("/session").await.location(), format!("/session/{}", program.id), "one session is due, and this is it");
    site.clinic.program_for(&wei, today, 6).await;
    assert_eq!(phone.get("/session").await.location(), "/today", "two are due: Today lets one choose");
    for closed in ["/account", "/progress", "/reminders", "/places"] {
        let answer = phone.get(closed).await;
        assert_eq!(answer.location(), format!("/sign-in?next={closed}"), "{closed} asks for the password");
    }
    assert_eq!(phone.post("/account", &[("name", "Somebody Else")]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.db.row("select name from patient").await, "Wei Ling");
    assert_eq!(phone.get("/patients").await.status, StatusCode::NOT_FOUND);
    site.clock.set("2026-03-02T23:59:59+08:00");
    assert_eq!(phone.get("/today").await.status, StatusCode::OK, "it lasts for the day");
    site.clock.set("2026-03-03T00:00:00+08:00");
    assert_eq!(phone.get("/today").await.status, StatusCode::SEE_OTHER, "the day's session, not the patient's account");

    // The second day it opens that day's session; on the third it ends with the link, at eight.
    assert_eq!(phone.post(&token, &[]).await.location(), "/session");
    site.clock.set("2026-03-04T00:00:00+08:00");
    assert_eq!(phone.get("/today").await.status, StatusCode::SEE_OTHER);
    assert_eq!(phone.post(&token, &[]).await.location(), "/session");
    site.clock.set("2026-03-04T07:59:59+08:00");
    assert_eq!(phone.get("/today").await.status, StatusCode::OK);
    site.clock.set("2026-03-04T08:00:00+08:00");
    assert_eq!(phone.get("/today").await.status, StatusCode::SEE_OTHER, "no longer than the link");
    let late = phone.get(&token).await;
    assert_eq!(late.status, StatusCode::GONE);
    assert!(late.has("/sign-in"));
    assert_eq!(phone.post(&token, &[]).await.status, StatusCode::GONE);
    let forged = phone.post(&site.one_tap(&wei).replace("/go/B", "/go/C"), &[]).await;
    assert_eq!(forged.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_click_ends_reminders_without_cookie_or_origin() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let address = site.unsubscribe(&wei);
    let mut mail_program = site.browser();
    let asked = mail_program.get(&address).await;
    assert!(asked.has("Stop reminders?") && asked.has("Riverside Physio"));
    assert_eq!(site.db.row("select count(*) from suppression").await, "0", "GET changes nothing");
    for _ in 0..2 {
        let done = mail_program.send(Method::POST, &address, Some("List-Unsubscribe=One-Click"), &[]).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    }
    assert_eq!(site.db.row("select email, scope from suppression").await, "wei@home.test|reminders");
    let forged = mail_program.send(Method::POST, "/unsubscribe/AAAA", Some(""), &[]).await;
    assert_eq!(forged.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_owner_sets_the_clinic_and_invites_the_team() {
    let site = Site::open().await;
    site.give_password(site.clinic.owner.account).await;
    let mut owner = site.browser();
    owner.sign_in("owner@riverside.test", PASSWORD).await;

    let good = [
        ("name", "Hill Physio"),
        ("zone", "Asia/Singapore"),
        ("phone", "03-1234 5678"),
        ("whatsapp", "+60 12-345 6789"),
        ("quiet_from", "22:00"),
        ("quiet_to", "06:30"),
        ("pain_high", "8"),
        ("missed_run", "4"),
    ];
    for (field, value, sentence) in [
        ("zone", "Malaysia/KL", "not a time zone"),
        ("pain_high", "11", "from 1 to 10"),
        ("quiet_to", "soon", "such as 21:00"),
        ("whatsapp", "012-345", "country code"),
        ("name", "", "Please give a name"),
    ] {
        let bad: Vec<_> = good.iter().map(|(name, usual)| (*name, if *name == field { value } else { *usual })).collect();
        let refused = owner.post("/settings", &bad).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(refused.has(sentence) && refused.has("03-1234 5678"), "{field}: {}", refused.text);
    }
    assert_eq!(site.db.row("select name, pain_high from clinic").await, "Riverside Physio|7", "nothing was changed");
    assert_eq!(owner.post("/settings", &good).await.location(), "/settings");
    let saved = "select name, zone, whatsapp, quiet_from, pain_high, missed_run from clinic";
    assert_eq!(site.db.row(saved).await, "Hill Physio|Asia/Singapore|60123456789|22:00:00|8|4");

    let invited = owner.post("/team", &[("name", "Ravi Kumar"), ("email", "ravi@hill.test")]).await;
    assert_eq!(invited.location(), "/team");
    let team = owner.get("/team").await;
    assert!(team.has("Ravi Kumar") && team.has("Invited, not yet accepted"));
    let twice = owner.post("/team", &[("name", "Ravi"), ("email", "RAVI@hill.test")]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(twice.has("already"));
    assert_eq!(site.db.rows("select kind, recipient from notice").await, ["invitation|ravi@hill.test"]);

    let member = site.db.row("select id from membership where name = 'Ravi Kumar'").await.parse().unwrap();
    let token = site.link(Purpose::InviteStaff(site.clinic.id, member), "ravi@hill.test").await;
    let mut ravi = site.browser();
    let page = ravi.get(&format!("/welcome/{token}")).await;
    assert!(page.has("Ravi Kumar") && !page.has("agree"), "staff give no patient's consent");
    let nameless = ravi.post(&format!("/welcome/{token}"), &[("name", " "), ("password", "seven green bicycles")]).await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY);
    let joined = ravi.post(&format!("/welcome/{token}"), &[("name", "Ravi K."), ("password", "seven green bicycles")]).await;
    assert_eq!(joined.location(), "/patients");
    assert_eq!(ravi.get("/patients").await.status, StatusCode::OK);
    assert_eq!(ravi.get("/team").await.status, StatusCode::NOT_FOUND);
    assert_eq!(ravi.post("/team", &[("name", "X"), ("email", "x@hill.test")]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_database_that_is_away_gets_a_kind_page_and_ends_nothing() {
    let (site, line) = Site::behind_a_line().await;
    site.give_password(site.clinic.physio.account).await;
    let mut hannah = site.browser();
    hannah.sign_in("physio@riverside.test", PASSWORD).await;
    line.cut();
    let away = hannah.get("/patients").await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE, "{}", away.text);
    assert!(away.has("be right back") && away.has("href=\"/patients\"") && away.is_page());
    assert!(!away.has("5432") && !away.has("connection"), "no innards: {}", away.text);
    assert_eq!(hannah.get("/health/live").await.status, StatusCode::OK);
    assert_eq!(hannah.get("/health/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    line.mend();
    assert_eq!(hannah.get("/patients").await.status, StatusCode::OK, "it goes on unaided, still signed in");
}

#[tokio::test]
async fn static_files_are_kept_for_a_year_under_the_hash_of_their_content() {
    let site = Site::open().await;
    let mut anybody = site.browser();
    let page = anybody.get("/sign-in").await;
    let address = page.between("rel=\"stylesheet\" href=\"", "\"");
    let file = anybody.get(&address).await;
    assert_eq!(file.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
    let old = anybody.get("/assets/oldhash/css/base.css").await;
    assert_eq!((old.status, old.header("cache-control")), (StatusCode::OK, "no-cache"));
    for outside in ["/assets/x/../Cargo.toml", "/assets/x/%2e%2e/Cargo.toml", "/assets/x/nothing.css"] {
        assert_eq!(anybody.get(outside).await.status, StatusCode::NOT_FOUND, "{outside}");
    }
}

#[tokio::test]
async fn ones_sessions_say_from_where_they_are_and_in_which_clinic_when_there_are_several() {
    let site = Site::open().await;
    let account = site.clinic.physio.account;
    site.give_password(account).await;
    let (mut here, mut there) = (site.browser_at("203.0.113.7"), site.browser_at("198.51.100.9"));
    for browser in [&mut here, &mut there] {
        assert_eq!(browser.sign_in("physio@riverside.test", PASSWORD).await.location(), "/patients");
    }
    let page = here.get("/account").await;
    assert!(page.has("from 203.0.113.7") && page.has("from 198.51.100.9"), "{}", page.text);
    assert!(!page.has("Riverside Physio · from"), "there is one clinic only");

    let other = testkit::people::clinic_called(&site.db, "Hill Clinic", "hill.test", site.clock.now()).await;
    let place = other.physio.membership;
    site.db.execute(&format!("update membership set account_id = '{account}' where id = '{place}'")).await;
    let mut hill = site.browser_at("192.0.2.4");
    hill.sign_in("physio@riverside.test", PASSWORD).await;
    hill.post("/places", &[("place", &format!("staff-{place}"))]).await;
    let page = here.get("/account").await;
    assert!(page.has("Hill Clinic · from 192.0.2.4") && page.has("Riverside Physio · from 203.0.113.7"), "{}", page.text);
}
