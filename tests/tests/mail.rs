//! Stories of what arrives: headers that no name can break, and signatures that somebody else's program verifies on the bytes that the
//! mail server was given.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{ids::ReplyId, person::Email};
use jiff::{Timestamp, civil::date};
use render::{Templates, links::Links};
use serde_json::{Value, json};
use store::outbox::{self, Owed};
use testkit::{
    Db,
    clock::at,
    people::{self, Clinic, Somebody},
    smtp::{Mail, Server},
};
use worker::{Composer, Engine, Mailer, Signer, Target};

const SECRET: [u8; 32] = [7; 32];

/// What a signature must cover where the mail has it.
const COVERED: [&str; 9] =
    ["from", "to", "subject", "date", "message-id", "mime-version", "content-type", "list-unsubscribe", "list-unsubscribe-post"];

fn eight() -> Timestamp {
    at("2026-03-02T08:00:00+08:00")
}

/// A clinic, a mail server and a worker, early on a Monday.
struct Story {
    db: Db,
    clinic: Clinic,
    server: Server,
    signer: Option<Signer>,
}

impl Story {
    async fn begin() -> Self {
        let db = Db::new().await;
        let clinic = people::clinic(&db, at("2026-03-02T07:00:00+08:00")).await;
        Self { clinic, server: Server::start().await.unwrap(), db, signer: None }
    }

    async fn somebody(&self, name: &str, email: &str) -> Somebody {
        let who = self.clinic.patient(name, email).await;
        self.clinic.program_for(&who, date(2026, 3, 2), 6).await;
        self.clinic.remind(&who, &["08:00"], at("2026-03-02T07:00:00+08:00")).await;
        who
    }

    async fn owe(&self, owed: Owed, to: &str) {
        let to = Email::parse(to).unwrap();
        assert!(self.clinic.tenant(async |tx| outbox::enqueue(tx, self.clinic.id, owed, &to, eight()).await).await);
    }

    /// One round of a worker that signs with the key, if there is one.
    async fn tick(&mut self) -> worker::TickReport {
        let links = Links::new("https://clinic.test", &SECRET).unwrap();
        let mut composer = Composer::new(Templates::load().unwrap(), links, "reminders@clinic.test").unwrap();
        if let Some(signer) = self.signer.take() {
            composer = composer.signed_by(signer);
        }
        let mailer = Mailer::new(Target::parse(&self.server.url()).unwrap());
        worker::tick(&Arc::new(Engine::new(self.db.store.clone(), mailer, composer)), eight()).await.unwrap()
    }

    /// One mail of every kind, to one patient or from the clinic's owner.
    async fn one_of_each(&mut self) -> Vec<Mail> {
        let farah = self.somebody("Farah Aziz", "farah@example.test").await;
        let program = self.clinic.program_for(&farah, date(2026, 5, 4), 6).await;
        self.owe(Owed::Test(farah.id), "farah@example.test").await;
        self.owe(Owed::PatientInvitation(farah.id), "farah@example.test").await;
        self.owe(Owed::ProgramAssigned(farah.id, program.id), "farah@example.test").await;
        let owner = self.clinic.owner.account;
        self.owe(Owed::PasswordReset(owner), "owner@riverside.test").await;
        self.owe(Owed::Answer(farah.id, ReplyId::new()), "farah@example.test").await;
        assert_eq!(self.tick().await.sent, 6);
        self.server.messages()
    }
}

/// Asks mailauth, in a process of its own.
fn mailauth(task: &str, question: &Value) -> Value {
    use std::io::Write as _;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    assert!(
        folder.join("node_modules/mailauth").exists(),
        "the packages of these tests are not there; bin/test fetches them (npm ci in tests/browser)"
    );
    let mut node = Command::new("node")
        .args(["signatures.mjs", task])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node cannot be started; bin/test installs it");
    node.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let done = node.wait_with_output().unwrap();
    assert!(done.status.success(), "signatures.mjs failed; what it said stands above");
    serde_json::from_slice(&done.stdout).unwrap()
}

/// What mailauth makes of each mail: one signature each, as `result`.
fn verdicts(signer: (&str, &str), mails: &[Vec<u8>]) -> Vec<Value> {
    let mails: Vec<String> = mails.iter().map(|mail| STANDARD.encode(mail)).collect();
    let answer = mailauth("verify", &json!({ "records": { signer.0: signer.1 }, "mails": mails }));
    let each = answer.as_array().unwrap().iter();
    each.map(|signatures| {
        let [one] = signatures.as_array().unwrap().as_slice() else { panic!("not one signature: {signatures}") };
        one.clone()
    })
    .collect()
}

#[tokio::test]
async fn somebody_elses_program_verifies_what_the_server_received() {
    let keys = mailauth("keys", &Value::Null);
    for (name, algorithm) in
        [("rsaPkcs1", "rsa-sha256"), ("rsaPkcs8", "rsa-sha256"), ("ed25519", "ed25519-sha256"), ("ed25519Seed", "ed25519-sha256")]
    {
        let signer = Signer::new(keys[name].as_str().unwrap(), "mail2026", "clinic.test").unwrap();
        let record = signer.record();
        let mut story = Story::begin().await;
        // Something to encode and to fold in the headers.
        story
            .db
            .execute("update clinic set name = 'Klinik Fisioterapi “Sungai Besar”, முதுகு வலி சிகிச்சை மையம், 河畔物理治疗中心'")
            .await;
        story.signer = Some(signer);
        let mails = story.one_of_each().await;
        let raw: Vec<Vec<u8>> = mails.iter().map(|mail| mail.raw.clone()).collect();
        for (mail, verdict) in mails.iter().zip(verdicts((&record.name, &record.value), &raw)) {
            assert_eq!(verdict["result"], "pass", "{name}: {verdict} {}", mail.source());
            assert_eq!(verdict["algorithm"], algorithm);
            assert_eq!((verdict["domain"].as_str(), verdict["selector"].as_str()), (Some("clinic.test"), Some("mail2026")));
            assert_eq!(verdict["aligned"], "clinic.test", "the domain of From is the one that signs: {verdict}");
            assert_eq!(verdict["format"], "relaxed/relaxed");
            let covered = verdict["covered"].as_str().unwrap();
            let covered: Vec<&str> = covered.split(':').map(str::trim).collect();
            // RFC 8058: without both List-Unsubscribe headers covered, the button is not shown.
            for header in COVERED.into_iter().filter(|header| mail.header(header).is_some()) {
                assert!(covered.contains(&header), "{header}: {covered:?}");
            }
            // Named once more than it is there: a second one, which a mail program might show instead, breaks the signature.
            let signature = mail.header("DKIM-Signature").unwrap().replace([' ', '\t'], "");
            let named = signature.split(';').find_map(|tag| tag.strip_prefix("h=")).unwrap();
            for header in COVERED {
                let times = named.split(':').filter(|name| *name == header).count();
                assert_eq!(times, 1 + usize::from(mail.header(header).is_some()), "{header}: {signature}");
            }
        }
    }
    let refused = Signer::new(keys["short"].as_str().unwrap(), "mail2026", "clinic.test").unwrap_err();
    assert!(refused.to_string().contains("2048 to 4096 bits"), "{refused}");
}

#[tokio::test]
async fn a_changed_mail_fails_and_a_refolded_one_does_not() {
    let keys = mailauth("keys", &Value::Null);
    let signer = Signer::new(keys["ed25519"].as_str().unwrap(), "mail2026", "clinic.test").unwrap();
    let record = signer.record();
    let mut story = Story::begin().await;
    story.somebody("Farah Aziz", "farah@example.test").await;
    story.signer = Some(signer);
    assert_eq!(story.tick().await.sent, 1);
    let mail = story.server.messages().remove(0);
    let source = mail.source();
    let changed = |from: &str, to: &str| {
        let text = source.replacen(from, to, 1);
        assert_ne!(text, source, "{from} is not there");
        text.into_bytes()
    };
    let broken = [
        ("the stop link leads elsewhere", changed("https://clinic.test/unsubscribe/", "https://evil.test/unsubscribe/")),
        ("the one click is gone", changed("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "")),
        ("a second sender", changed("From: ", "From: Somebody Else <evil@evil.test>\r\nFrom: ")),
        ("a second subject, after the first", changed("Date: ", "Subject: You have won\r\nDate: ")),
        ("a copy to others", changed("Date: ", "Cc: all@evil.test\r\nDate: ")),
        ("another boundary", changed("multipart/alternative", "multipart/mixed")),
        ("another text", changed("Hello Farah", "Dear Farah")),
        ("something below", [source.trim_end().as_bytes(), b"\r\nand more\r\n"].concat()),
    ];
    let fine = [
        ("as it came", mail.raw.clone()),
        ("folded anew", changed("List-Unsubscribe: <", "List-Unsubscribe:\r\n   <")),
        ("spaces at a line end", changed("\r\n\r\n", " \t\r\n\r\n")),
        ("empty lines at the end", [source.as_bytes(), b"\r\n\r\n\r\n"].concat()),
        ("another station's header", changed("From: ", "Received: from a by b; Mon, 2 Mar 2026 00:00:01 +0000\r\nFrom: ")),
    ];
    let raw: Vec<Vec<u8>> = broken.iter().chain(&fine).map(|(_, raw)| raw.clone()).collect();
    let verdicts = verdicts((&record.name, &record.value), &raw);
    for (n, (what, _)) in broken.iter().chain(&fine).enumerate() {
        let passes = verdicts[n]["result"] == "pass";
        assert_eq!(passes, n >= broken.len(), "{what}: {}", verdicts[n]);
    }
}

/// A header is one line of the mail program, whatever people and clinics are called: what is no ASCII is encoded, what would begin
/// another header does not get there.
#[tokio::test]
async fn no_name_breaks_a_header() {
    let long = "முதுகு வலி ".repeat(10);
    let names = [
        ("O’Brien, “Pat” <pat@evil.test>", "Tan, Lim & Partners \"Physio\" (KL)"),
        ("இளங்கோவன் சுப்பிரமணியம்", "சுங்கை பெசார் இயன்முறை மருத்துவம்"),
        ("陈美玲", "河畔物理治疗中心"),
        (long.trim(), long.trim()),
        ("Quote \\\" Backslash", "=?utf-8?q?fake?= \\ \""),
        ("Wei Ling", "Evil\r\nBcc: all@evil.test\r\n\r\nBody"),
        ("Wei Ling", "Line\u{2028}Separator\u{85}Next\u{0}"),
    ];
    for (n, (patient, clinic)) in names.into_iter().enumerate() {
        // A name of nothing but spaces and a NUL cannot be stored; the rest must come out readable.
        let stored = clinic.replace('\0', "").replace('\'', "''");
        let mut story = Story::begin().await;
        story.somebody(patient, "wei@example.test").await;
        story.db.execute(&format!("update clinic set name = '{stored}'")).await;
        assert_eq!(story.tick().await.sent, 1, "{patient} of {clinic}");
        let mail = story.server.messages().remove(0);
        assert_eq!(mail.to, ["wei@example.test"], "nobody else got it");
        let parsed = mail.parsed();
        let read = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected = read(&stored.replace(|c: char| c.is_control() || c == '\u{2028}', " ")).replace("=?", "= ?");
        let from = parsed.from().unwrap().first().unwrap();
        assert_eq!((read(from.name().unwrap()), from.address()), (expected.clone(), Some("reminders@clinic.test")), "{n}");
        let to = parsed.to().unwrap();
        assert_eq!(to.iter().count(), 1, "{n}: {}", mail.source());
        let to = to.first().unwrap();
        assert_eq!((read(to.name().unwrap()), to.address()), (read(patient), Some("wei@example.test")), "{n}");
        assert_eq!(read(parsed.subject().unwrap()), format!("A reminder from {expected}"), "{n}");

        let head: Vec<&str> = parsed.headers().iter().map(|header| header.name.as_str()).collect();
        let usual = [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "MIME-Version",
            "Content-Type",
        ];
        assert_eq!(head, usual, "{n}: {}", mail.source());
        let raw = String::from_utf8(mail.raw.clone()).unwrap();
        let (head, _) = raw.split_once("\r\n\r\n").unwrap();
        assert!(head.is_ascii(), "{n}: {head}");
        for line in raw.split("\r\n") {
            assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{n}: {line}");
        }
        // The addresses that machines follow stand on one line as they are (RFC 8058).
        assert_eq!(head.lines().filter(|line| line.starts_with("List-Unsubscribe: <https://clinic.test/unsubscribe/")).count(), 1);
        for word in head.split_whitespace().filter(|word| word.starts_with("=?utf-8?")) {
            assert!(word.len() <= 75, "{n}: longer than RFC 2047 lets an encoded word be: {word}");
        }
        assert!(read(&mail.text()).replace("=?", "= ?").contains(&format!("Ask {expected}")), "{n}: {}", mail.text());
    }
}

#[tokio::test]
async fn a_mail_that_cannot_be_written_is_dead_with_its_reason_and_the_rest_go() {
    let mut story = Story::begin().await;
    let farah = story.somebody("Farah Aziz", "farah@example.test").await;
    let broken = story.somebody("Wei Ling", "wei@example.test").await;
    let ben = story.somebody("Ben Lee", "ben@example.test").await;
    // A record that somebody wrote past the product: no such name can be read again.
    story.db.execute(&format!("update patient set name = E'Wei\\nLing' where id = '{}'", broken.id)).await;
    // News of a program that is another patient's: the words of this mail are not to be found.
    let program = story.clinic.program_for(&farah, date(2026, 5, 4), 6).await;
    story.owe(Owed::ProgramAssigned(ben.id, program.id), "ben@example.test").await;
    let report = story.tick().await;
    assert_eq!((report.sent, report.dead), (2, 2), "{:?}", story.db.rows("select kind, state, reply from notice").await);
    let to: Vec<String> = story.server.messages().iter().map(|mail| mail.to[0].clone()).collect();
    assert!(to.contains(&"farah@example.test".to_owned()) && to.contains(&"ben@example.test".to_owned()), "{to:?}");
    let dead = story.db.rows("select kind, recipient, reply from notice where state = 'dead' order by kind").await;
    assert!(dead[0].starts_with("program_assigned|ben@example.test|the program this mail is about is not there"), "{dead:?}");
    assert!(dead[1].starts_with("session_reminder|wei@example.test|") && dead[1].contains("name"), "{dead:?}");
    assert_eq!(story.db.row("select count(*) from suppression").await, "0", "the addresses are not to blame");
    assert_eq!(story.tick().await, worker::TickReport::default(), "and it is not tried again");
}

#[tokio::test]
async fn a_language_without_words_is_written_in_english() {
    let mut story = Story::begin().await;
    story.somebody("இளங்கோவன்", "ilango@example.test").await;
    story.somebody("陈美玲", "mei@example.test").await;
    story.db.execute("update patient set language = case email when 'mei@example.test' then 'zh' else 'ta' end").await;
    assert_eq!(story.tick().await.sent, 2);
    for mail in story.server.messages() {
        assert_eq!(mail.subject(), "A reminder from Riverside Physio");
        assert!(mail.text().contains("Your session for today, Monday 2 March"), "{}", mail.text());
    }
}

#[tokio::test]
async fn the_test_shows_how_reminders_arrive_and_says_nothing_about_health() {
    let mut story = Story::begin().await;
    let farah = story.somebody("Farah Aziz", "farah@example.test").await;
    story.clinic.remind(&farah, &["09:00", "18:30"], eight()).await;
    story.owe(Owed::Test(farah.id), "farah@example.test").await;
    assert_eq!(story.tick().await.sent, 1);
    let mail = story.server.messages().remove(0);
    assert_eq!(mail.subject(), "A test mail from Riverside Physio");
    // As a reminder has them, so that a mail program judges it alike.
    assert_eq!(mail.header("List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    assert!(mail.header("List-Unsubscribe").unwrap().starts_with("<https://clinic.test/unsubscribe/"));
    assert_eq!(mail.link("/reminders"), "https://clinic.test/reminders");
    for part in [mail.text(), mail.html()] {
        assert!(part.contains("09:00 and 18:30") && part.contains("reminders@clinic.test"), "{part}");
        for word in ["exercise", "session", "pain", "program", "/go/"] {
            assert!(!part.contains(word), "{word} in {part}");
        }
    }
}
