//! Somebody hangs up while the database is slow: at the beginning of the request's transaction, in a statement, at its end. Nothing
//! stays behind, nobody else sees anything of it, and every connection goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use std::{net::SocketAddr, time::Duration};

use axum::http::StatusCode;
use testkit::proxy::{Proxy, Side};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use visitor::{Browser, PASSWORD, Site};

/// How many connections there are in each role; all of them are hung up on at once.
const POOL: u32 = 3;

const UNDER_WAY: &str = "select state || ': ' || left(query, 80) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'";

/// Waits until no session of the server is inside a statement or a transaction.
async fn at_rest(site: &Site, when: &str) {
    let mut left = Vec::new();
    for _ in 0..1200 {
        left = site.db.rows(UNDER_WAY).await;
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{when}: left behind {left:?}");
}

/// Sends a request as a browser would and gives the open connection; dropping it is hanging up.
async fn ask(server: SocketAddr, line: &str, session: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let kind = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n";
    let request = format!(
        "{line} HTTP/1.1\r\nHost: localhost:8080\r\nSec-Fetch-Site: same-origin\r\nCookie: homestretch={session}\r\n{kind}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Hangs up on as many requests as there are connections, all at this moment, and looks at what is left.
async fn hang_up(site: &Site, proxy: &Proxy, server: SocketAddr, browser: &mut Browser, line: &str, moment: (&[&[u8]], Side)) {
    let when = format!("{line}, hung up on at the {:?} of {:?}", moment.1, String::from_utf8_lossy(moment.0[0]));
    let session = browser.cookie("homestretch").unwrap();
    let held = proxy.hold_either(moment.0, moment.1, POOL as usize);
    let mut asked = Vec::new();
    for _ in 0..POOL {
        asked.push(ask(server, line, &session).await);
    }
    held.reached().await;
    drop(asked);
    // The server has seen that they are gone when it answers somebody who came later.
    let mut later = TcpStream::connect(server).await.unwrap();
    later.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut later, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    held.release();
    at_rest(site, &when).await;

    // Every connection goes on, and a write that was acknowledged is there.
    for number in 0..2 * POOL {
        let page = browser.get("/patients").await;
        assert_eq!(page.status, StatusCode::OK, "{when}: {}", page.text);
        let name = format!("Hannah Number {}", ["One", "Two", "Three", "Four", "Five", "Six"][number as usize]);
        let saved = browser.post("/account", &[("name", &name), ("language", "en")]).await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{when}");
        let kept = format!("select name from membership where id = '{}'", site.clinic.physio.membership);
        assert_eq!(site.db.row(&kept).await, name, "{when}: an acknowledged write is lost");
    }
    at_rest(site, &when).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_leaves_nothing_behind() {
    let (site, proxy) = Site::behind_a_proxy(POOL).await;
    let server = site.listen().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    site.give_password(site.clinic.physio.account).await;
    let mut hannah = site.browser();
    hannah.sign_in("physio@riverside.test", PASSWORD).await;

    let written = wei.id.to_string();
    let look = format!("GET /patients/{}", wei.id);
    // The look at the session begins the transaction; the record is read in it; the audit is written with its end.
    for text in [&[&b"open_session"[..]][..], &[written.as_bytes(), wei.id.0.as_bytes()], &[b"commit"]] {
        for side in [Side::Question, Side::Answer] {
            hang_up(&site, &proxy, server, &mut hannah, &look, (text, side)).await;
        }
    }
    let change = format!("POST /patients/{}/invite", wei.id);
    for text in [&[&b"open_session"[..]][..], &[b"wei@home.test"], &[b"commit"]] {
        for side in [Side::Question, Side::Answer] {
            hang_up(&site, &proxy, server, &mut hannah, &change, (text, side)).await;
        }
    }
    // A look that nobody saw the end of is either told of or did not happen; the chain holds all the same.
    let gap = "select count(*) <> max(seq) from audit_entry";
    assert_eq!(site.db.row(gap).await, "f");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_clinic_does_not_come_along_on_a_connection() {
    // One connection, so that the next request is on the one that was hung up on.
    let (site, proxy) = Site::behind_a_proxy(1).await;
    let server = site.listen().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let other = testkit::people::clinic_called(&site.db, "Lakeside", "lakeside.test", site.clock.now()).await;
    let written = wei.id.to_string();
    for account in [site.clinic.physio.account, other.physio.account] {
        site.give_password(account).await;
    }
    let (mut hannah, mut stranger) = (site.browser(), site.browser());
    hannah.sign_in("physio@riverside.test", PASSWORD).await;
    stranger.sign_in("physio@lakeside.test", PASSWORD).await;
    for side in [Side::Question, Side::Answer] {
        for text in [&[&b"open_session"[..]][..], &[written.as_bytes(), wei.id.0.as_bytes()], &[b"commit"]] {
            let held = proxy.hold_either(text, side, 1);
            let asked = ask(server, &format!("GET /patients/{}", wei.id), &hannah.cookie("homestretch").unwrap()).await;
            held.reached().await;
            drop(asked);
            held.release();
            let list = stranger.get("/patients?whose=clinic").await;
            assert!(list.has("No patients yet") && !list.has("Wei"), "{side:?}: {}", list.text);
            assert_eq!(stranger.get(&format!("/patients/{}", wei.id)).await.status, StatusCode::NOT_FOUND);
            let told = format!("select count(*) from audit_entry where clinic_id = '{}' and patient_id is not null", other.id);
            assert_eq!(site.db.row(&told).await, "0");
        }
    }
}
