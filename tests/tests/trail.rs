//! What the audit tells: who looked at whose record or changed it, from where, in the same transaction as the work, in one chain.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use domain::person::PersonName;
use jiff::civil::date;
use store::{Actor, ClinicContext, patient};
use testkit::people::clinic_called;
use visitor::{PASSWORD, Site};

/// Every entry as `who deed subject whose`, in the order of the chain; ids as the names of those they are of.
async fn told(site: &Site) -> Vec<String> {
    site.db
        .rows(
            "select concat_ws(' ', coalesce(m.name, a.name, 'nobody'), e.deed, e.subject, p.name, e.detail) from audit_entry e
             left join membership m on m.id = e.membership_id left join patient a on a.id = e.actor_patient_id
             left join patient p on p.id = e.patient_id order by e.clinic_id, e.seq",
        )
        .await
}

async fn physio_name(site: &Site) -> String {
    site.db.row(&format!("select name from membership where id = '{}'", site.clinic.physio.membership)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_was_looked_at_and_changed_is_known() {
    let site = Site::open().await;
    let hannah = site.clinic.patient("Hannah Tan", "hannah@home.test").await;
    let program = site.clinic.program_for(&hannah, date(2026, 3, 2), 6).await;
    let account = site.clinic.join(&hannah).await;
    for account in [account, site.clinic.physio.account] {
        site.give_password(account).await;
    }
    let before = told(&site).await.len();

    let mut physio = site.browser_at("203.0.113.7");
    physio.sign_in(site.clinic.physio.email.as_str(), "wrong, wrong, wrong").await;
    physio.sign_in(site.clinic.physio.email.as_str(), PASSWORD).await;
    physio.get("/patients").await;
    physio.get(&format!("/patients/{}", hannah.id)).await;
    physio.get(&format!("/patients/{}/report.csv", hannah.id)).await;
    physio.get(&format!("/programs/{}", program.id)).await;
    physio.post(&format!("/programs/{}/pause", program.id), &[("from", "2026-03-03"), ("reason", "On holiday")]).await;
    physio.get("/exercises").await;
    physio.post("/sign-out", &[]).await;
    let mut patient = site.browser();
    patient.sign_in("hannah@home.test", PASSWORD).await;
    patient.get("/today").await;

    let name = physio_name(&site).await;
    let physio_did = |what: &str| format!("{name} {what}");
    let mut wanted: Vec<String> = [
        "sign_in_failed account",
        "signed_in account",
        "read caseload",
        "read record Hannah Tan",
        "exported record Hannah Tan",
        "read record Hannah Tan",
        "read program Hannah Tan",
        "wrote program Hannah Tan",
        "signed_out account",
    ]
    .iter()
    .map(|what| physio_did(what))
    .collect();
    wanted.extend(["Hannah Tan signed_in account Hannah Tan", "Hannah Tan read record Hannah Tan"].map(str::to_owned));
    assert_eq!(told(&site).await[before..], wanted);

    let whence =
        site.db.rows("select distinct address from audit_entry where membership_id is not null and request_id is not null").await;
    assert_eq!(whence, ["203.0.113.7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_and_refused_is_known_too_and_says_nothing_of_whose_it_is() {
    let site = Site::open().await;
    site.give_password(site.clinic.physio.account).await;
    let other = clinic_called(&site.db, "Lakeside", "lakeside.test", site.clock.now()).await;
    let theirs = other.patient("Wong Mei", "mei@home.test").await;
    let mut physio = site.browser();
    physio.sign_in(site.clinic.physio.email.as_str(), PASSWORD).await;

    assert_eq!(physio.get(&format!("/patients/{}", theirs.id)).await.status, 404);
    assert_eq!(physio.post(&format!("/patients/{}/invite", theirs.id), &[]).await.status, 404);
    assert_eq!(physio.get("/today").await.status, 404);
    assert_eq!(physio.get("/no/such/page").await.status, 404);

    let denied: Vec<String> = told(&site).await.into_iter().filter(|entry| entry.contains("denied")).collect();
    let name = physio_name(&site).await;
    assert_eq!(
        denied,
        ["GET /patients/{id}", "POST /patients/{id}/invite", "GET /today"].map(|page| format!("{name} denied page {page}"))
    );
    assert_eq!(
        site.db.row(&format!("select count(*) from audit_entry where clinic_id = '{}' and deed <> 'wrote'", other.id)).await,
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_form_that_shows_whose_it_is_was_a_look() {
    let site = Site::open().await;
    let hannah = site.clinic.patient("Hannah Tan", "hannah@home.test").await;
    site.give_password(site.clinic.physio.account).await;
    let mut physio = site.browser();
    physio.sign_in(site.clinic.physio.email.as_str(), PASSWORD).await;
    let before = told(&site).await.len();

    let refused = physio.post(&format!("/patients/{}/edit", hannah.id), &[("name", "")]).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.has("Hannah Tan"), "{}", refused.text);
    let name = physio_name(&site).await;
    assert_eq!(told(&site).await[before..], [format!("{name} read record Hannah Tan")]);

    // One that is accepted is told once, by what it changed.
    let fields = [("name", "Hannah Tan"), ("zone", "Asia/Kuala_Lumpur"), ("language", "en"), ("email", "hannah@home.test")];
    let saved = physio.post(&format!("/patients/{}/edit", hannah.id), &fields).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    assert_eq!(told(&site).await[before + 1..], [format!("{name} wrote record Hannah Tan")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_and_a_refused_form_that_name_somebody_were_looks() {
    let site = Site::open().await;
    site.clinic.patient("Hannah Tan", "hannah@home.test").await;
    site.clinic.patient("Hannah Lim", "lim@home.test").await;
    for account in [site.clinic.physio.account, site.clinic.owner.account] {
        site.give_password(account).await;
    }
    let mut physio = site.browser();
    physio.sign_in(site.clinic.physio.email.as_str(), PASSWORD).await;
    let mut owner = site.browser();
    owner.sign_in(site.clinic.owner.email.as_str(), PASSWORD).await;
    let mut seen = told(&site).await.len();
    let mut news = async || {
        let all = told(&site).await;
        let new = all[seen..].to_vec();
        seen = all.len();
        new
    };
    let name = physio_name(&site).await;
    let boss: String = site.db.row(&format!("select name from membership where id = '{}'", site.clinic.owner.membership)).await;

    // An address that is taken, in a new record and in a corrected one: the page says whose it is.
    let taken = physio.post("/patients", &[("name", "Hanna"), ("email", "hannah@home.test")]).await;
    assert!(taken.status == 422 && taken.has("Hannah Tan"), "{}", taken.text);
    assert_eq!(news().await, [format!("{name} read record Hannah Tan")]);
    let other = site.clinic.patient("Mei Wong", "mei@home.test").await;
    let fields = [("name", "Mei Wong"), ("email", "hannah@home.test")];
    let taken = physio.post(&format!("/patients/{}/edit", other.id), &fields).await;
    assert!(taken.status == 422 && taken.has("Hannah Tan"), "{}", taken.text);
    let told_now = news().await;
    assert!(told_now.contains(&format!("{name} read record Hannah Tan")), "{told_now:?}");

    // The audit's own search lists patients.
    assert!(owner.get("/audit?q=Hannah").await.has("Hannah Lim"));
    assert_eq!(news().await, [format!("{boss} read audit"), format!("{boss} read caseload")]);

    // A breach that is not written down yet shows whom the name was found to be.
    let found = owner.post("/audit/breaches", &[("what", ""), ("q", "hannah@home.test")]).await;
    assert!(found.status == 422 && found.has("Hannah Tan"), "{}", found.text);
    assert_eq!(news().await, [format!("{boss} read breach Hannah Tan")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_an_account_or_the_team_is_told_to_every_clinic_it_concerns() {
    let site = Site::open().await;
    let other = clinic_called(&site.db, "Lakeside", "lakeside.test", site.clock.now()).await;
    let hannah = site.clinic.patient("Hannah Tan", "hannah@home.test").await;
    let theirs = other.patient("Hannah Tan", "hannah@home.test").await;
    let account = site.clinic.join(&hannah).await;
    other.join(&theirs).await;
    for account in [account, site.clinic.owner.account] {
        site.give_password(account).await;
    }
    let mut patient = site.browser();
    patient.sign_in("hannah@home.test", PASSWORD).await;
    let count = async |what: &str| told(&site).await.iter().filter(|entry| *entry == what).count();
    let (wrote, ended) = ("Hannah Tan wrote account Hannah Tan", "Hannah Tan signed_out account Hannah Tan");
    assert_eq!((count(wrote).await, count(ended).await), (0, 0));

    // Once for either place.
    patient.post("/account/password", &[("current", PASSWORD), ("new", "seven green bicycles")]).await;
    assert_eq!((count(wrote).await, count(ended).await), (2, 0));
    patient.post("/account/sessions/end-others", &[]).await;
    assert_eq!((count(wrote).await, count(ended).await), (2, 2));
    let reset = site.link(store::link::Purpose::ResetPassword(account), "hannah@home.test").await;
    site.browser().post(&format!("/password/reset/{reset}"), &[("password", "eight blue bicycles")]).await;
    assert_eq!((count(wrote).await, count(ended).await), (4, 2));

    let mut owner = site.browser();
    owner.sign_in(site.clinic.owner.email.as_str(), PASSWORD).await;
    let physio = site.clinic.physio.membership;
    owner.post("/account/confirm", &[("password", PASSWORD)]).await;
    owner.post(&format!("/team/{physio}/disable"), &[]).await;
    let wanted = format!("wrote team access closed: {physio}");
    let all = told(&site).await;
    assert!(all.iter().any(|entry| entry.ends_with(&wanted)), "{all:#?}");
    // The page says whose it was by name.
    let shown = format!("access closed: {}", physio_name(&site).await);
    assert!(owner.get("/audit").await.has(&shown));

    // How somebody came in without a password is told, too.
    site.browser().post(&site.one_tap(&hannah), &[]).await;
    assert_eq!(count("Hannah Tan signed_in account Hannah Tan by a link in a mail").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clinic_that_only_invited_somebody_is_told_nothing_of_them() {
    let site = Site::open().await;
    let email = site.clinic.physio.email.clone();
    site.give_password(site.clinic.physio.account).await;
    // Another clinic types the address, as staff and as a patient's, and waits.
    let other = clinic_called(&site.db, "Lakeside", "lakeside.test", site.clock.now()).await;
    other.patient("Somebody", email.as_str()).await;
    let (clinic, now, name) = (other.id, site.clock.now(), PersonName::parse("Somebody").unwrap());
    let tx = site.db.store.begin_sign_in().await.unwrap();
    store::team::invite(&tx, clinic, (&name, &email), domain::person::Role::Physiotherapist, now).await.unwrap();
    tx.commit().await.unwrap();
    let theirs = format!("select count(*) from audit_entry where clinic_id = '{clinic}' and deed <> 'wrote'");
    let account = format!("select count(*) from audit_entry where clinic_id = '{clinic}' and subject = 'account'");
    let mut physio = site.browser();
    physio.sign_in(email.as_str(), "wrong, wrong, wrong").await;
    physio.sign_in(email.as_str(), PASSWORD).await;
    physio.post("/account/password", &[("current", PASSWORD), ("new", "seven green bicycles")]).await;
    physio.post("/account/sessions/end-others", &[]).await;
    assert_eq!((site.db.row(&theirs).await, site.db.row(&account).await), ("0".into(), "0".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_is_taken_back_leaves_no_entry_and_an_entry_that_cannot_be_written_takes_the_work_back() {
    let site = Site::open().await;
    let hannah = site.clinic.patient("Hannah Tan", "hannah@home.test").await;
    let before = told(&site).await.len();
    let scope = ClinicContext::new(site.clinic.id, Actor::Staff(site.clinic.physio.membership));
    let (id, name) = (hannah.id, PersonName::parse("Somebody Else").unwrap());
    let tx = site.db.store.begin(&scope).await.unwrap();
    patient::rename(&tx, id, &name).await.unwrap();
    tx.roll_back().await.unwrap();
    assert_eq!(told(&site).await.len(), before);

    // The chain cannot be written: nothing is, and the page is not shown.
    site.give_password(site.clinic.physio.account).await;
    let mut physio = site.browser();
    physio.sign_in(site.clinic.physio.email.as_str(), PASSWORD).await;
    site.db.execute("revoke execute on function audit_append from homestretch_app").await;
    let page = physio.get(&format!("/patients/{id}")).await;
    assert_eq!(page.status, 500);
    assert!(!page.text.contains("Hannah"), "{}", page.text);
    let tx = site.db.store.begin(&scope).await.unwrap();
    patient::rename(&tx, id, &name).await.unwrap();
    assert!(tx.commit().await.is_err());
    assert_eq!(site.db.row(&format!("select name from patient where id = '{id}'")).await, "Hannah Tan");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_of_the_program_changes_an_entry_or_adds_one_to_another_clinics_chain() {
    let site = Site::open().await;
    let hannah = site.clinic.patient("Hannah Tan", "hannah@home.test").await;
    let scope = ClinicContext::new(site.clinic.id, Actor::Staff(site.clinic.physio.membership));
    let (id, name) = (hannah.id, PersonName::parse("Hannah Tan Li").unwrap());
    let tx = site.db.store.begin(&scope).await.unwrap();
    patient::rename(&tx, id, &name).await.unwrap();
    tx.commit().await.unwrap();
    let clinic = site.clinic.id;
    for role in ["homestretch_app", "homestretch_signin", "homestretch_worker", "homestretch_audit"] {
        for sql in
            ["update audit_entry set deed = 'read'", "delete from audit_entry", "truncate audit_entry", "delete from audit_head"]
        {
            let refused = site
                .db
                .refused(&format!("begin; set local role {role}; set local app.clinic_id = '{clinic}'; {sql}; commit"))
                .await;
            assert!(refused.contains("permission denied"), "{role}: {sql}: {refused}");
        }
    }
    let by_hand = "select audit_append_in(current_clinic(), now(), null, null, null, 'read', 'record', null, null, null, null)";
    let refused = site.db.refused(&format!("begin; set local role homestretch_app; {by_hand}; commit")).await;
    assert!(refused.contains("permission denied"), "{refused}");
}
