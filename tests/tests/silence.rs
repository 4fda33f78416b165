//! The database's connections fall silent while new ones work: pages come back by themselves, readiness tells the truth, and a page never
//! says that a change is saved or lost when that is unknown.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use std::time::Duration;

use testkit::proxy::Side;
use tokio::{task::JoinSet, time::timeout};
use visitor::{PASSWORD, Site};

/// Longer than all limits on the wire together.
const ENDS: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn pages_come_back_after_every_connection_fell_silent() {
    let (site, line) = Site::behind_a_proxy(4).await;
    let owner = site.clinic.owner.clone();
    site.give_password(owner.account).await;
    let mut signed_in = site.browser();
    assert_eq!(signed_in.sign_in(owner.email.as_str(), PASSWORD).await.status, 303);
    let pages = async || {
        let mut asked = JoinSet::new();
        for path in ["/patients", "/account", "/account", "/exercises", "/account", "/patients", "/health/ready", "/team", "/team"]
        {
            let mut browser = signed_in.clone();
            asked.spawn(async move { (path, timeout(ENDS, browser.get(path)).await.expect("an answer").status.as_u16()) });
        }
        asked.join_all().await
    };
    assert!(pages().await.iter().all(|(_, status)| *status == 200));

    line.silence();
    for (path, status) in pages().await {
        assert_eq!(status, 200, "{path}: a page that only begins to ask begins again on a new connection");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_did_not_come_is_called_neither_saved_nor_lost() {
    let (site, line) = Site::behind_a_proxy(2).await;
    let owner = site.clinic.owner.clone();
    site.give_password(owner.account).await;
    let mut browser = site.browser();
    assert_eq!(browser.sign_in(owner.email.as_str(), PASSWORD).await.status, 303);
    browser.get("/patients/new").await;

    // The entry of the audit travels with the COMMIT.
    let held = line.hold(b"audit_append", Side::Answer, 1);
    let form = [("name", "Farah Aziz"), ("email", ""), ("zone", "Asia/Kuala_Lumpur"), ("language", "en")];
    let answer = timeout(ENDS, browser.post("/patients", &form)).await.expect("an answer");
    held.reached().await;
    assert_eq!(answer.status, 503);
    assert!(answer.has("We don’t know yet whether that was saved"), "{}", answer.text);
    // It was.
    assert_eq!(site.db.row("select count(*) from patient where name = 'Farah Aziz'").await, "1");
}
