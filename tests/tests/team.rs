//! Stories of the clinic's team: inviting, roles, closing somebody's access, handing over a caseload.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use domain::{
    ids::{ClinicId, MembershipId},
    person::{Email, PersonName, Role},
};
use store::{account, link::Purpose, team};
use visitor::{Browser, PASSWORD, Site};

/// Another member of staff who has joined, with the usual password.
async fn colleague(site: &Site, name: &str, email: &str, role: Role) -> MembershipId {
    let (clinic, now) = (site.clinic.id, site.clock.now());
    let (name, email) = (PersonName::parse(name).unwrap(), Email::parse(email).unwrap());
    let tx = site.db.store.begin_sign_in().await.unwrap();
    let member = team::invite(&tx, clinic, (&name, &email), role, now).await.unwrap();
    let account = account::by_email(&tx, &email).await.unwrap().unwrap().id;
    account::join_staff(&tx, (clinic, member), account, &name, now).await.unwrap();
    tx.commit().await.unwrap();
    site.give_password(account).await;
    member
}

async fn owner_of(site: &Site) -> Browser {
    site.give_password(site.clinic.owner.account).await;
    let mut owner = site.browser();
    assert_eq!(owner.sign_in("owner@riverside.test", PASSWORD).await.location(), "/patients");
    owner
}

async fn role_of(site: &Site, member: MembershipId) -> String {
    site.db.row(&format!("select role from membership where id = '{member}'")).await
}

#[tokio::test]
async fn whoever_is_disabled_is_out_at_the_next_request() {
    let site = Site::open().await;
    let mut owner = owner_of(&site).await;
    site.give_password(site.clinic.physio.account).await;
    site.clinic.patient("Wei Ling", "wei@home.test").await;
    let hannah = site.clinic.physio.membership;
    let (mut laptop, mut phone) = (site.browser(), site.browser());
    laptop.sign_in("physio@riverside.test", PASSWORD).await;
    phone.sign_in("physio@riverside.test", PASSWORD).await;
    assert_eq!(laptop.get("/patients").await.status, StatusCode::OK);

    let team = owner.get("/team").await;
    assert!(team.has("Hannah Lim") && team.has("1 patient on the caseload"), "{}", team.text);
    assert_eq!(owner.post(&format!("/team/{hannah}/disable"), &[]).await.location(), "/team");
    let noted = "select deed, subject, membership_id from audit_entry where subject = 'team'";
    assert_eq!(site.db.row(noted).await, format!("wrote|team|{}", site.clinic.owner.membership));
    for browser in [&mut laptop, &mut phone] {
        assert_eq!(browser.get("/patients").await.location(), "/sign-in?next=/patients");
    }
    assert_eq!(site.db.row(&format!("select count(*) from session where membership_id = '{hannah}'")).await, "0");
    assert!(laptop.sign_in("physio@riverside.test", PASSWORD).await.has("not part of a clinic"));

    // The patients stay, in sight of the clinic.
    assert!(owner.get("/patients").await.has("Wei Ling"));
    let team = owner.get("/team").await;
    assert!(team.has("No longer on the team") && team.has("Access closed on 2 March 2026"), "{}", team.text);
    assert!(team.has("Hand over 1 patient to"));

    assert_eq!(owner.post(&format!("/team/{hannah}/enable"), &[]).await.location(), "/team");
    assert_eq!(laptop.get("/patients").await.status, StatusCode::SEE_OTHER, "what ended stays ended");
    assert_eq!(laptop.sign_in("physio@riverside.test", PASSWORD).await.location(), "/patients");
}

#[tokio::test]
async fn a_session_elsewhere_goes_on() {
    let site = Site::open().await;
    let mut owner = owner_of(&site).await;
    let other = testkit::people::clinic_called(&site.db, "Hill Physio", "hill.test", site.clock.now()).await;
    // Hannah works in two clinics.
    let (hill, account, now) = (other.id, site.clinic.physio.account, site.clock.now());
    let name = PersonName::parse("Hannah Lim").unwrap();
    let tx = site.db.store.begin_sign_in().await.unwrap();
    let there = account::add_member(&tx, hill, account, Role::Physiotherapist, &name, now).await.unwrap();
    account::join_staff(&tx, (hill, there), account, &name, now).await.unwrap();
    tx.commit().await.unwrap();
    site.give_password(account).await;
    let (mut here, mut hill) = (site.browser(), site.browser());
    for (browser, member) in [(&mut here, site.clinic.physio.membership), (&mut hill, there)] {
        browser.sign_in("physio@riverside.test", PASSWORD).await;
        browser.post("/places", &[("place", &format!("staff-{member}"))]).await;
        assert_eq!(browser.get("/patients").await.status, StatusCode::OK);
    }
    owner.post(&format!("/team/{}/disable", site.clinic.physio.membership), &[]).await;
    assert_eq!(here.get("/patients").await.status, StatusCode::SEE_OTHER);
    assert_eq!(hill.get("/patients").await.status, StatusCode::OK, "the other clinic has nothing to do with it");
    // And nobody reaches across.
    assert_eq!(owner.post(&format!("/team/{there}/disable"), &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(owner.post(&format!("/team/{there}/role"), &[("role", "owner")]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(hill.get("/patients").await.status, StatusCode::OK);
    assert_eq!(role_of(&site, there).await, "physiotherapist");
}

#[tokio::test]
async fn a_new_role_ends_sessions_and_holds_from_the_next_sign_in() {
    let site = Site::open().await;
    let mut owner = owner_of(&site).await;
    site.give_password(site.clinic.physio.account).await;
    let hannah = site.clinic.physio.membership;
    let mut browser = site.browser();
    browser.sign_in("physio@riverside.test", PASSWORD).await;
    assert_eq!(browser.get("/team").await.status, StatusCode::NOT_FOUND);

    let path = format!("/team/{hannah}/role");
    for nonsense in ["patient", "admin", "", "Owner"] {
        assert_eq!(owner.post(&path, &[("role", nonsense)]).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{nonsense}");
    }
    assert_eq!(owner.post(&path, &[("role", "physiotherapist")]).await.location(), "/team");
    assert_eq!(browser.get("/patients").await.status, StatusCode::OK, "nothing changed, nothing ended");
    assert_eq!(owner.post(&path, &[("role", "owner")]).await.location(), "/team");
    assert_eq!(browser.get("/patients").await.status, StatusCode::SEE_OTHER);
    browser.sign_in("physio@riverside.test", PASSWORD).await;
    assert_eq!(browser.get("/team").await.status, StatusCode::OK);

    // Olivia steps back: there is another owner now. She is out, and comes back as a physiotherapist.
    let olivia = site.clinic.owner.membership;
    let stepped = owner.post(&format!("/team/{olivia}/role"), &[("role", "physiotherapist")]).await;
    assert_eq!(stepped.location(), "/sign-in");
    assert_eq!(owner.get("/team").await.location(), "/sign-in?next=/team");
    owner.sign_in("owner@riverside.test", PASSWORD).await;
    assert_eq!(owner.get("/team").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_clinic_keeps_an_owner_and_nobody_shuts_themselves_out() {
    let site = Site::open().await;
    let mut owner = owner_of(&site).await;
    let olivia = site.clinic.owner.membership;
    let page = owner.get("/team").await;
    assert!(page.has("The only owner stays the owner"));
    assert!(!page.has(&format!("/team/{olivia}/disable")));

    let alone = owner.post(&format!("/team/{olivia}/role"), &[("role", "physiotherapist")]).await;
    assert_eq!(alone.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(alone.has("A clinic needs an owner") && alone.has("Hannah Lim"), "{}", alone.text);
    let out = owner.post(&format!("/team/{olivia}/disable"), &[]).await;
    assert_eq!(out.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(out.has("You cannot close your own access"));
    assert_eq!(owner.get("/team").await.status, StatusCode::OK);

    // An owner who is only invited, or out, is no other owner.
    owner.post("/team", &[("name", "Ravi"), ("email", "ravi@hill.test"), ("role", "owner")]).await;
    let mei = colleague(&site, "Mei Wong", "mei@riverside.test", Role::Owner).await;
    assert_eq!(owner.post(&format!("/team/{mei}/disable"), &[]).await.location(), "/team");
    let alone = owner.post(&format!("/team/{olivia}/role"), &[("role", "physiotherapist")]).await;
    assert_eq!(alone.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(role_of(&site, olivia).await, "owner");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_owners_who_demote_each_other_at_once_leave_one() {
    let site = Site::open().await;
    owner_of(&site).await;
    let olivia = site.clinic.owner.membership;
    let mei = colleague(&site, "Mei Wong", "mei@riverside.test", Role::Owner).await;
    let (clinic, now) = (site.clinic.id, site.clock.now());
    for round in 0..12 {
        let shut = async |by: MembershipId, whom: MembershipId| {
            let tx = site.db.store.begin(&scope(clinic, by)).await?;
            if round % 2 == 0 {
                team::change_role(&tx, whom, Role::Physiotherapist).await?;
            } else {
                team::disable(&tx, whom, now).await?;
            }
            tx.commit().await
        };
        let (one, other) = tokio::join!(shut(olivia, mei), shut(mei, olivia));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        let left = "select count(*) from membership where role = 'owner' and joined_at is not null and disabled_at is null";
        assert_eq!(site.db.row(left).await, "1", "round {round}");
        site.db
            .execute(&format!("update membership set role = 'owner', disabled_at = null where id in ('{olivia}', '{mei}')"))
            .await;
    }
    // Each steps back by themselves, at the same moment: one of them has to stay.
    for round in 0..12 {
        let back = async |who: MembershipId| {
            let tx = site.db.store.begin(&scope(clinic, who)).await?;
            team::change_role(&tx, who, Role::Physiotherapist).await?;
            tx.commit().await
        };
        let (one, other) = tokio::join!(back(olivia), back(mei));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert_eq!(site.db.row("select count(*) from membership where role = 'owner'").await, "1", "round {round}");
        site.db.execute(&format!("update membership set role = 'owner' where id in ('{olivia}', '{mei}')")).await;
    }
}

fn scope(clinic: ClinicId, member: MembershipId) -> store::ClinicContext {
    store::ClinicContext::new(clinic, store::Actor::Staff(member))
}

#[tokio::test]
async fn an_owner_is_invited_and_an_invitation_is_withdrawn() {
    let site = Site::open().await;
    let mut owner = owner_of(&site).await;
    let invited = owner.post("/team", &[("name", "Ravi Kumar"), ("email", "ravi@hill.test"), ("role", "owner")]).await;
    assert_eq!(invited.location(), "/team");
    assert_eq!(site.db.row("select role from membership where name = 'Ravi Kumar'").await, "owner");
    let told = "select deed, detail from audit_entry where subject = 'team'";
    let place = site.db.row("select id from membership where name = 'Ravi Kumar'").await;
    assert_eq!(site.db.row(told).await, format!("wrote|invited as owner: {place}"));
    let odd = owner.post("/team", &[("name", "Sam"), ("email", "sam@hill.test"), ("role", "patient")]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(odd.has("choose one of these") && odd.has("sam@hill.test"), "{}", odd.text);

    let ravi: MembershipId = site.db.row("select id from membership where name = 'Ravi Kumar'").await.parse().unwrap();
    let token = site.link(Purpose::InviteStaff(site.clinic.id, ravi), "ravi@hill.test").await;
    let mut browser = site.browser();
    assert!(browser.get(&format!("/welcome/{token}")).await.has("Ravi Kumar"));
    let page = owner.get("/team").await;
    assert!(page.has(&format!("/team/{ravi}/withdraw")));
    assert_eq!(owner.post(&format!("/team/{ravi}/withdraw"), &[]).await.location(), "/team");
    assert_eq!(browser.get(&format!("/welcome/{token}")).await.status, StatusCode::GONE);
    let late = browser.post(&format!("/welcome/{token}"), &[("name", "Ravi"), ("password", "seven green bicycles")]).await;
    assert_eq!(late.status, StatusCode::GONE);
    assert_eq!(site.db.row("select state, reply from notice").await, "dead|the invitation was withdrawn");
    assert!(owner.get("/team").await.has("Invitation withdrawn"));
    assert_eq!(owner.post(&format!("/team/{ravi}/withdraw"), &[]).await.location(), "/team", "a second click");
    assert_eq!(owner.post(&format!("/team/{ravi}/enable"), &[]).await.status, StatusCode::NOT_FOUND, "there is nothing to open");

    // Invited anew, this time as a physiotherapist; and once more by the button. The old mail stays what it was.
    let first = token;
    site.clock.advance(jiff::SignedDuration::from_mins(2));
    let again = owner.post("/team", &[("name", "Ravi K."), ("email", "RAVI@hill.test"), ("role", "physiotherapist")]).await;
    assert_eq!(again.location(), "/team", "{}", again.text);
    assert_eq!(
        site.db.row(&format!("select name, role, disabled_at from membership where id = '{ravi}'")).await,
        "Ravi K.|physiotherapist|"
    );
    assert_eq!(site.browser().get(&format!("/welcome/{first}")).await.status, StatusCode::GONE, "it would open the new place");
    owner.post(&format!("/team/{ravi}/withdraw"), &[]).await;
    site.clock.advance(jiff::SignedDuration::from_mins(2));
    assert_eq!(owner.post(&format!("/team/{ravi}/invite"), &[]).await.location(), "/team");
    assert_eq!(site.db.row("select count(*) from notice where state = 'pending'").await, "1");
    let token = site.link(Purpose::InviteStaff(site.clinic.id, ravi), "ravi@hill.test").await;
    let joined = browser.post(&format!("/welcome/{token}"), &[("name", "Ravi"), ("password", "seven green bicycles")]).await;
    assert_eq!(joined.location(), "/patients");
    assert_eq!(site.browser().get(&format!("/welcome/{first}")).await.status, StatusCode::GONE, "withdrawn is withdrawn");
    assert_eq!(
        owner.post(&format!("/team/{ravi}/withdraw"), &[]).await.status,
        StatusCode::NOT_FOUND,
        "who has joined is disabled"
    );
}

#[tokio::test]
async fn a_caseload_is_handed_over_whole() {
    let site = Site::open().await;
    let mut owner = owner_of(&site).await;
    let hannah = site.clinic.physio.membership;
    let mei = colleague(&site, "Mei Wong", "mei@riverside.test", Role::Physiotherapist).await;
    for name in ["Farah", "Daniel", "Priya"] {
        site.clinic.patient(name, &format!("{}@home.test", name.to_lowercase())).await;
    }
    owner.post(&format!("/team/{hannah}/disable"), &[]).await;
    let path = format!("/team/{hannah}/caseload");
    for nobody in ["", "x", &MembershipId::new().to_string(), &hannah.to_string()] {
        assert_eq!(owner.post(&path, &[("to", nobody)]).await.status, StatusCode::NOT_FOUND, "{nobody}");
    }
    assert_eq!(owner.post(&path, &[("to", &mei.to_string())]).await.location(), "/team");
    let team = owner.get("/team").await;
    assert!(team.has("Handed over: 3 patients."), "{}", team.text);
    assert_eq!(site.db.row("select distinct physiotherapist_id from patient").await, mei.to_string());
    assert!(!team.has(&format!("to-{hannah}")) && team.has(&format!("to-{mei}")), "Hannah has none left, Mei has some to give");
    let nobody = owner.post(&format!("/team/{}/caseload", MembershipId::new()), &[("to", &mei.to_string())]).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);

    // A physiotherapist does none of this.
    let mut browser = site.browser();
    browser.sign_in("mei@riverside.test", PASSWORD).await;
    for path in ["role", "disable", "enable", "withdraw", "caseload", "invite"] {
        let answer = browser.post(&format!("/team/{mei}/{path}"), &[("role", "owner"), ("to", &mei.to_string())]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(role_of(&site, mei).await, "physiotherapist");
}

#[tokio::test]
async fn rights_are_given_and_taken_only_by_somebody_who_typed_the_password_lately() {
    let site = Site::open().await;
    let mut owner = owner_of(&site).await;
    let hannah = site.clinic.physio.membership;
    site.clock.advance(jiff::SignedDuration::from_mins(30));
    for (path, fields) in [
        ("/team".to_owned(), [("name", "Eve"), ("email", "eve@evil.test"), ("role", "owner")]),
        (format!("/team/{hannah}/role"), [("role", "owner"), ("x", ""), ("y", "")]),
        (format!("/team/{hannah}/disable"), [("x", ""), ("y", ""), ("z", "")]),
        (format!("/team/{hannah}/enable"), [("x", ""), ("y", ""), ("z", "")]),
    ] {
        let asked = owner.post(&path, &fields).await;
        assert_eq!(asked.status, StatusCode::SEE_OTHER, "{path}");
        assert_ne!(asked.location(), "/team", "{path} asks for the password first");
    }
    assert_eq!(role_of(&site, hannah).await, "physiotherapist");
    assert_eq!(site.db.row("select count(*) from membership where disabled_at is not null or name = 'Eve'").await, "0");
}
