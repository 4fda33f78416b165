//! `homestretch audit verify`, as an operator runs it every week. What it finds is tried out in crates/store/tests/chain.rs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod keeping;
mod visitor;

use std::fs;

use keeping::{BEGIN, House, text};
use testkit::clock::Clock;
use visitor::{PASSWORD, browser_of_store};

#[tokio::test]
async fn an_operator_keeps_the_heads_and_holds_the_audit_against_them() {
    let house = House::new().await;
    let clock = Clock::at(BEGIN);
    let (hash, now, physio) = (web::auth::password::hash(PASSWORD).unwrap(), clock.now(), house.clinic.physio.account);
    let tx = house.db.store.begin_sign_in().await.unwrap();
    store::account::set_password(&tx, physio, &hash, now).await.unwrap();
    tx.commit().await.unwrap();
    let mut browser = browser_of_store(house.db.store.clone(), &clock);
    browser.sign_in("physio@riverside.test", PASSWORD).await;
    assert!(browser.get(&format!("/patients/{}", house.farah.id)).await.has("Farah Aziz"));

    let url = house.db.url();
    let heads = house.said(&["audit", "verify"], url).await;
    let own: Vec<&str> = heads.lines().filter(|line| line.starts_with(&house.clinic.id.to_string())).collect();
    assert_eq!((heads.lines().count(), own.len()), (2, 1), "{heads}");
    assert!(!own[0].contains(" 0 "), "signing in and reading a record were written down: {heads}");
    assert_eq!(house.said(&["audit", "verify", "--clinic", &house.clinic.id.to_string()], url).await, format!("{}\n", own[0]));
    let kept = house.path("heads.txt");
    fs::write(&kept, format!("# kept on 2 March\n{heads}")).unwrap();
    let backup = house.backup("clinic.backup").await;
    for anchor in [&kept, &backup] {
        assert_eq!(house.said(&["audit", "verify", "--anchor", text(anchor)], url).await, heads);
    }

    // A superuser takes back that the record was looked at, and makes the chain hang together again.
    let own = house.clinic.id;
    house
        .db
        .execute(&format!(
            "delete from audit_entry e using audit_head h where h.clinic_id = e.clinic_id and e.seq = h.seq and e.clinic_id = '{own}'"
        ))
        .await;
    let output = house.run(&["audit", "verify"], url).await;
    let (found, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1));
    assert!(found.contains(&format!("FAULT {} ", house.clinic.id)) && found.contains("the tail is cut"), "{found}");
    assert!(said.contains("homestretch: the audit is not what was written: 1 fault"), "{said}");
    house
        .db
        .execute(
            "update audit_head h set (seq, hash) = (select e.seq, e.hash from audit_entry e where e.clinic_id = h.clinic_id order by e.seq desc limit 1)
             where exists (select from audit_entry e where e.clinic_id = h.clinic_id)",
        )
        .await;
    house.said(&["audit", "verify"], url).await;
    for anchor in [&kept, &backup] {
        let output = house.run(&["audit", "verify", "--anchor", text(anchor)], url).await;
        let found = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(1) && found.contains("the head turned back"), "{found}");
    }
    // What is no anchor is said, and a clinic that is none.
    let nothing = house.path("nothing.txt");
    fs::write(&nothing, "all is well\n").unwrap();
    assert!(house.refused(&["audit", "verify", "--anchor", text(&nothing)], url).await.contains("there is no head in"));
    let nobody = uuid::Uuid::now_v7().to_string();
    assert!(house.refused(&["audit", "verify", "--clinic", &nobody], url).await.contains("there is no clinic with the id"));
}
