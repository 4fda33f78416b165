//! What the other tests stand on.

// A test that fails to set itself up should say where.
#![allow(clippy::unwrap_used)]

use testkit::{
    Db,
    smtp::{Answer, Phase, Server, Temper},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[tokio::test]
async fn every_test_has_a_migrated_database_of_its_own() {
    let (one, other) = tokio::join!(Db::new(), Db::new());
    one.store.check_schema().await.unwrap();
    one.execute("insert into sign_in_failure values ('ip:x', 1, now(), now())").await;
    assert_eq!(one.row("select count(*) from sign_in_failure").await, "1");
    assert_eq!(other.row("select count(*) from sign_in_failure").await, "0");
    assert_eq!(one.rows("select 1, null, 'x' union all select 2, 3, 'y'").await, ["1||x", "2|3|y"]);
}

#[tokio::test]
async fn a_database_goes_when_its_test_ends() {
    let watcher = Db::new().await;
    let name = {
        let db = Db::new().await;
        db.row("select current_database()").await
    };
    assert_eq!(watcher.row(&format!("select count(*) from pg_database where datname = '{name}'")).await, "0");
}

/// Longer than a reply takes on a busy machine.
const LONG: std::time::Duration = std::time::Duration::from_secs(2);

/// Types the lines into a connection, one after the other's reply, and gives everything the server said.
async fn talk(server: &Server, lines: &[&str]) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let mut said = String::new();
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).await.unwrap();
    said += &String::from_utf8_lossy(&buffer[..read]);
    for line in lines {
        // The server may have closed the connection, which shows in what it said.
        if stream.write_all(format!("{line}\r\n").as_bytes()).await.is_err() {
            break;
        }
        // A reply may come in pieces. A server that never ends it (half a line, or nothing) is waited for in vain.
        let reply = async {
            loop {
                let read = stream.read(&mut buffer).await.unwrap_or_default();
                said += &String::from_utf8_lossy(&buffer[..read]);
                if read == 0 || said.ends_with("\r\n") {
                    return;
                }
            }
        };
        if tokio::time::timeout(LONG, reply).await.is_err() {
            break;
        }
    }
    said
}

const MAIL: &str = "Subject: =?utf-8?q?Caf=C3=A9?=\r\n\r\n..two dots\r\nsee https://x.test/go/abc.\r\n.";

#[tokio::test]
async fn the_mail_server_keeps_what_it_accepted() {
    let server = Server::start().await.unwrap();
    let said = talk(&server, &["EHLO me", "MAIL FROM:<A@x.test>", "RCPT TO:<B@y.test>", "DATA", MAIL, "QUIT"]).await;
    assert!(said.contains("354") && said.ends_with("221 2.0.0 goodbye\r\n"), "{said}");
    let mails = server.wait_for(1).await.unwrap();
    assert_eq!((mails[0].from.as_str(), mails[0].to[0].as_str()), ("a@x.test", "b@y.test"));
    assert_eq!(mails[0].subject(), "Café");
    assert_eq!(mails[0].text(), ".two dots\r\nsee https://x.test/go/abc.\r\n");
    assert_eq!(mails[0].link("/go/"), "https://x.test/go/abc");
    assert_eq!(server.to("b@Y.test").len(), 1);
}

#[tokio::test]
async fn the_mail_server_misbehaves_as_told() {
    let mut server = Server::start().await.unwrap();
    server.reject("gone@y.test");
    server.answer_times(1, Phase::Dot, Answer::Refuse(451, "4.7.1 later".into()));
    let lines = ["EHLO me", "MAIL FROM:<a@x.test>", "RCPT TO:<gone@y.test>", "RCPT TO:<b@y.test>", "DATA", MAIL];
    let said = talk(&server, &lines).await;
    assert!(said.contains("550 5.1.1") && said.ends_with("451 4.7.1 later\r\n"), "{said}");
    assert!(server.messages().is_empty());
    talk(&server, &lines).await;
    assert_eq!(server.messages()[0].to, ["b@y.test"]);

    server.answer(Phase::Dot, Answer::KeepAndDrop);
    assert!(talk(&server, &lines).await.ends_with("354 go on\r\n"));
    assert_eq!(server.messages().len(), 2);

    server.stop().await;
    assert!(TcpStream::connect(server.address()).await.is_err());
    server.resume().await.unwrap();
    server.behave();
    assert!(talk(&server, &lines).await.ends_with("250 2.0.0 kept\r\n"));
}

#[tokio::test]
async fn the_mail_server_takes_commands_in_groups_and_answers_them_in_one_write() {
    let server = Server::start().await.unwrap();
    server.reject("gone@y.test");
    let group = |to: &str| format!("MAIL FROM:<a@x.test>\r\nRCPT TO:<{to}>\r\nDATA");
    let refused = talk(&server, &["EHLO me", &group("gone@y.test"), "QUIT"]).await;
    assert!(refused.contains("250-PIPELINING\r\n"), "{refused}");
    assert!(refused.contains("250 2.1.0 sender fine\r\n550 5.1.1 No such user here\r\n503 5.5.1 RCPT first\r\n221"), "{refused}");
    let taken = talk(&server, &["EHLO me", &group("b@y.test"), MAIL, "QUIT"]).await;
    assert!(taken.contains("recipient fine\r\n354 go on\r\n250 2.0.0 kept\r\n221"), "{taken}");
    assert_eq!(server.messages()[0].text(), ".two dots\r\nsee https://x.test/go/abc.\r\n");
}

#[tokio::test]
async fn the_mail_server_counts_what_it_took_and_what_it_promised() {
    let server = Server::counting_only().await.unwrap();
    let lines = [
        "EHLO me",
        "MAIL FROM:<a@x.test>",
        "RCPT TO:<b@y.test>",
        "DATA",
        "Message-ID:\r\n <one@x.test>\r\n\r\nMessage-ID: <no@x.test>\r\n.",
    ];
    talk(&server, &lines).await;
    server.answer(Phase::Dot, Answer::KeepAndDrop);
    talk(&server, &lines).await;
    let counts = |counts: std::collections::BTreeMap<String, u32>| format!("{counts:?}");
    assert_eq!((counts(server.accepted()), counts(server.promised())), (r#"{"one": 2}"#.into(), r#"{"one": 1}"#.into()));
    assert!(server.messages().is_empty());
}

#[tokio::test]
async fn the_mail_server_has_the_same_temper_for_the_same_seed() {
    let mut tallies = Vec::new();
    for seed in [1, 1, 2] {
        let server = Server::counting_only().await.unwrap();
        server.temper(Temper { silence: std::time::Duration::ZERO, ..Temper::hostile_to_mails(seed) });
        for number in 0..60 {
            let to = format!("RCPT TO:<b{number}@y.test>");
            talk(&server, &["EHLO me", "MAIL FROM:<a@x.test>", &to, "DATA", MAIL]).await;
        }
        tallies.push(server.tally());
    }
    assert!(tallies[0].len() > 8, "{tallies:?}");
    assert!(tallies[0] == tallies[1] && tallies[0] != tallies[2], "{tallies:?}");
}

#[tokio::test]
async fn the_mail_server_greylists_each_recipient() {
    let server = Server::start().await.unwrap();
    server.greylist(2);
    let lines =
        ["EHLO me", "MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>", "RCPT TO:<b@y.test>", "RCPT TO:<c@y.test>", "RCPT TO:<b@y.test>"];
    let said = talk(&server, &lines).await;
    assert_eq!(said.matches("450 4.7.1").count(), 3, "{said}");
    assert!(said.ends_with("recipient fine\r\n"), "{said}");
}
