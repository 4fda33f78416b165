//! The story of a clinic whose physiotherapists see only their own caseload.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use domain::person::{Email, PersonName, Role};
use store::{account, team};
use visitor::{PASSWORD, Site};

#[tokio::test]
async fn physiotherapists_see_their_own_caseload_where_the_clinic_wants_that() {
    let site = Site::open().await;
    for account in [site.clinic.owner.account, site.clinic.physio.account] {
        site.give_password(account).await;
    }
    let (clinic, now) = (site.clinic.id, site.clock.now());
    let (name, email) = (PersonName::parse("Mei Wong").unwrap(), Email::parse("mei@riverside.test").unwrap());
    let tx = site.db.store.begin_sign_in().await.unwrap();
    let mei = team::invite(&tx, clinic, (&name, &email), Role::Physiotherapist, now).await.unwrap();
    let mei_account = account::by_email(&tx, &email).await.unwrap().unwrap().id;
    account::join_staff(&tx, (clinic, mei), mei_account, &name, now).await.unwrap();
    tx.commit().await.unwrap();
    site.give_password(mei_account).await;
    let mut programs = vec![];
    for name in ["Farah Aziz", "Daniel Tan", "Nora Nobody"] {
        let email = format!("{}@home.test", name.split(' ').next().unwrap().to_lowercase());
        let who = site.clinic.patient(name, &email).await;
        let program = site.clinic.program_with(&who, jiff::civil::date(2026, 2, 16), 6, |_| {}).await;
        site.clinic.log(&who, &program, jiff::civil::date(2026, 3, 1), Some(9)).await;
        programs.push((who, program));
    }
    let [(farah, _), (daniel, daniels), (nora, _)]: [_; 3] = programs.try_into().unwrap();
    site.db.execute(&format!("update patient set physiotherapist_id = '{mei}' where id = '{}'", daniel.id)).await;
    site.db.execute(&format!("update patient set physiotherapist_id = null where id = '{}'", nora.id)).await;
    site.db
        .execute(&format!(
            "insert into notice (clinic_id, id, kind, patient_id, recipient, dedupe_key, due_at, next_at, created_at)
             select '{clinic}', gen_random_uuid(), 'invitation', id, email, 'x' || id, '2026-03-01', '2026-03-01', '2026-03-01' from patient"
        ))
        .await;
    let notice = site.db.row(&format!("select id from notice where patient_id = '{}'", daniel.id)).await;

    let (mut hannah, mut owner, mut mei) = (site.browser(), site.browser(), site.browser());
    hannah.sign_in("physio@riverside.test", PASSWORD).await;
    owner.sign_in("owner@riverside.test", PASSWORD).await;
    mei.sign_in("mei@riverside.test", PASSWORD).await;
    assert!(hannah.get("/patients?whose=clinic").await.has("Daniel Tan"), "as it is usually");
    assert_eq!(hannah.get(&format!("/patients/{}", daniel.id)).await.status, StatusCode::OK);

    let settings = owner.get("/settings").await;
    assert!(settings.has("Physiotherapists see only their own caseload"));
    let mut form = vec![];
    for name in ["name", "zone", "phone", "whatsapp", "quiet_from", "quiet_to", "pain_high", "missed_run"] {
        let before = format!("name=\"{name}\" type=\"");
        let (_, rest) = settings.text.split_once(&before).unwrap_or_else(|| panic!("no {name}"));
        let value = rest.split_once("value=\"").unwrap().1.split_once('"').unwrap().0.replace("&#x2F;", "/");
        form.push((name, value));
    }
    form.push(("own_caseload", "yes".to_owned()));
    assert_eq!(owner.post_owned("/settings", form).await.location(), "/settings");
    assert!(owner.get("/settings").await.has("value=\"yes\" checked"));

    // At the very next request: Daniel is Mei's, and to Hannah a page that does not exist. Nora is everybody's.
    let nowhere = hannah.get("/patients/0193a6c2-7d7e-7000-8000-000000000000").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    let id = daniel.id;
    for path in [
        format!("/patients/{id}"),
        format!("/patients/{id}/edit"),
        format!("/patients/{id}/report.csv"),
        format!("/patients/{id}/fhir.json"),
        format!("/patients/{id}/programs/new"),
        format!("/programs/{}", daniels.id),
        format!("/programs/{}/revise", daniels.id),
    ] {
        let answer = hannah.get(&path).await;
        assert_eq!((answer.status, &answer.text), (StatusCode::NOT_FOUND, &nowhere.text), "{path}");
        assert_eq!(mei.get(&path).await.status, StatusCode::OK, "{path} is Mei's");
        assert_eq!(owner.get(&path).await.status, StatusCode::OK, "{path} is the owner's too");
    }
    for path in [
        format!("/patients/{id}/edit"),
        format!("/patients/{id}/invite"),
        format!("/patients/{id}/programs"),
        format!("/programs/{}/pause", daniels.id),
        format!("/programs/{}/finish", daniels.id),
        format!("/attention/{id}/acknowledge"),
        format!("/attention/{id}/snooze"),
        format!("/notices/{notice}/resend"),
    ] {
        let fields = [
            ("kind", "pain_high"),
            ("key", "x"),
            ("from", "2026-03-02"),
            ("name", "X"),
            ("until", "2026-03-05"),
            ("checked", "yes"),
            ("seen", "1"),
        ];
        assert_eq!(hannah.post(&path, &fields).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(site.db.row(&format!("select name from patient where id = '{id}'")).await, "Daniel Tan");
    for list in [
        "/patients",
        "/patients?whose=clinic",
        "/patients?whose=clinic&q=Daniel",
        "/patients?whose=clinic&show=attention",
        "/notices",
        "/templates",
    ] {
        assert!(!hannah.get(list).await.has("Daniel Tan"), "{list}");
    }
    let all = hannah.get("/patients?whose=clinic").await;
    assert!(all.has("Farah Aziz") && all.has("Nora Nobody"), "{}", all.text);
    assert_eq!(hannah.get(&format!("/patients/{}", nora.id)).await.status, StatusCode::OK);
    assert_eq!(hannah.get(&format!("/patients/{}", farah.id)).await.status, StatusCode::OK);
    assert!(!hannah.get("/notices").await.has("daniel@home.test"));
    let of_daniel = hannah.get(&format!("/notices?patient={id}")).await;
    assert_eq!((of_daniel.status, &of_daniel.text), (StatusCode::NOT_FOUND, &nowhere.text));
    assert!(owner.get("/patients").await.has("Daniel Tan"));
    assert!(mei.get("/patients").await.has("Daniel Tan") && !mei.get("/patients?whose=clinic").await.has("Farah Aziz"));
    assert_eq!(hannah.get("/exercises").await.status, StatusCode::OK);

    // His address is taken, and it is not said by whom.
    let taken = hannah.post("/patients", &[("name", "Dan"), ("email", "daniel@home.test"), ("zone", "Asia/Kuala_Lumpur")]).await;
    assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(taken.has("has this address already") && !taken.has("Daniel Tan") && !taken.has(&id.to_string()), "{}", taken.text);
    let moved = hannah.post(&format!("/patients/{}/edit", farah.id), &[("name", "Farah"), ("email", "daniel@home.test")]).await;
    assert_eq!(moved.status, StatusCode::UNPROCESSABLE_ENTITY);
    // New patients are on one's own caseload.
    let made = hannah.post("/patients", &[("name", "Ben Lee"), ("email", ""), ("zone", "Asia/Kuala_Lumpur")]).await;
    assert_eq!(hannah.get(made.location()).await.status, StatusCode::OK);
    assert_eq!(mei.get(made.location()).await.status, StatusCode::NOT_FOUND);

    // An owner hands Hannah's over to Mei: from then on they are hers.
    let hannahs = site.clinic.physio.membership;
    let to = site.db.row("select id from membership where name = 'Mei Wong'").await;
    owner.post(&format!("/team/{hannahs}/caseload"), &[("to", &to)]).await;
    assert_eq!(hannah.get(&format!("/patients/{}", farah.id)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(mei.get(&format!("/patients/{}", farah.id)).await.status, StatusCode::OK);
}
