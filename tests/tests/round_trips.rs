//! How often a page asks the database: signing in, the clinic's context and the audit included, whatever there is to show.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use std::collections::BTreeMap;

use jiff::{ToSpan, civil::date};
use testkit::{people::Somebody, proxy::Proxy};
use visitor::{Browser, PASSWORD, Site};

/// The most that a signed-in page may ask.
const MOST: usize = 3;

/// Addresses that answer with no page of a signed-in person's, and why.
const APART: [&str; 15] = [
    // Files, made piece by piece.
    "/account/export.zip",
    "/patients/{id}/export.zip",
    "/patients/{id}/fhir.json",
    "/assets/{hash}/{*name}",
    "/favicon.ico",
    "/health/live",
    "/health/ready",
    // For whoever is not signed in.
    "/",
    "/sign-in",
    "/password/forgot",
    "/password/reset/{token}",
    "/welcome/{token}",
    "/go/{token}",
    "/unsubscribe/{token}",
    // Leads on.
    "/session",
];

async fn logged(site: &Site, who: &Somebody, days: i64) -> String {
    let program = site.clinic.program_for(who, date(2026, 2, 1), 12).await;
    let mut last = String::new();
    for back in 0..days {
        last = site.clinic.log(who, &program, date(2026, 3, 1).saturating_sub(back.days()), Some(3)).await.to_string();
    }
    site.db.execute(&format!("update session_log set note = 'Is this right?' where id = '{last}'")).await;
    last
}

/// The addresses of this site, with ids of things that are there.
struct Places {
    patient: String,
    program: String,
    log: String,
    answer: String,
    exercise: String,
    template: String,
    notice: String,
}

impl Places {
    async fn find(site: &Site, who: &Somebody, log: String) -> Self {
        let one = async |sql: &str| site.db.row(sql).await;
        Self {
            patient: who.id.to_string(),
            program: one(&format!("select id from program where patient_id = '{}'", who.id)).await,
            log,
            answer: one("select id from questionnaire_answer limit 1").await,
            exercise: one("select id from exercise limit 1").await,
            template: one("select id from template limit 1").await,
            notice: site.db.rows("select id from notice limit 1").await.pop().unwrap_or_default(),
        }
    }

    fn filled(&self, path: &str) -> String {
        let id = match path {
            path if path.starts_with("/patients/") => &self.patient,
            path if path.starts_with("/programs/") || path.starts_with("/session/") => &self.program,
            path if path.starts_with("/logs/") => &self.log,
            path if path.starts_with("/questions/") => &self.program,
            path if path.starts_with("/answers/") => &self.answer,
            path if path.starts_with("/exercises/") => &self.exercise,
            path if path.starts_with("/templates/") => &self.template,
            path if path.starts_with("/notices/") => &self.notice,
            _ => "",
        };
        path.replace("{id}", id)
    }
}

/// The round trips of each page that answers 200, once everything is prepared.
async fn counted(browser: &mut Browser, proxy: &Proxy, places: &Places) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let gets = web::addresses().into_iter().filter(|address| address.methods.iter().any(|method| method.as_str() == "GET"));
    for address in gets.filter(|address| !APART.contains(&address.path)) {
        let path = places.filled(address.path);
        for _ in 0..3 {
            browser.get(&path).await;
        }
        let before = proxy.round_trips();
        if browser.get(&path).await.status == 200 {
            counts.insert(address.path.to_owned(), proxy.round_trips() - before);
        }
    }
    counts
}

#[tokio::test]
async fn a_page_takes_three_round_trips_at_most_and_no_more_when_there_is_more_to_show() {
    let (site, proxy) = Site::behind_a_proxy(2).await;
    let hannah = site.clinic.patient("Hannah Tan", "hannah@home.test").await;
    let log = logged(&site, &hannah, 3).await;
    let account = site.clinic.join(&hannah).await;
    site.db
        .execute(&format!(
            "insert into questionnaire_plan select clinic_id, gen_random_uuid(), patient_id, id, 2, '2026-03-01', null, created_by, now()
               from program where patient_id = '{id}';
             insert into questionnaire_answer select clinic_id, gen_random_uuid(), patient_id, id, '2026-02-28', 'psfs-1995', 'groc-11',
               1, '2026-02-28' from program where patient_id = '{id}'",
            id = hannah.id
        ))
        .await;
    let places = Places::find(&site, &hannah, log).await;
    let mut browsers = Vec::new();
    for (account, email) in [(account, &hannah.email), (site.clinic.owner.account, &site.clinic.owner.email)] {
        site.give_password(account).await;
        let mut browser = site.browser();
        browser.sign_in(email.as_str(), PASSWORD).await;
        browsers.push(browser);
    }

    let mut few = Vec::new();
    for browser in &mut browsers {
        few.push(counted(browser, &proxy, &places).await);
    }
    let over: Vec<_> = few.iter().flatten().filter(|(_, count)| **count > MOST).collect();
    assert!(over.is_empty(), "more than {MOST} round trips: {over:#?}");

    // Ten more patients, a month of logs each: the same.
    for n in 0..10 {
        let more = site.clinic.patient(&format!("Patient {n}"), &format!("p{n}@home.test")).await;
        logged(&site, &more, 20).await;
    }
    for (browser, few) in browsers.iter_mut().zip(few) {
        let many = counted(browser, &proxy, &places).await;
        assert!(many.len() > 5, "{many:?}");
        assert_eq!(many, few);
    }
}
