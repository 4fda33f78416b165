//! Nobody finds out from the way in who has an account: the answers are the same byte for byte, cost the same statements, and take the
//! same time, whether an address is known, unknown, shut out, invited only, a patient's, or has a password of the first days.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use domain::person::{Email, PersonName, Role};
use store::{account, team};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use visitor::{Answer, Browser, Site, browser_of};

/// Addresses of one length, so that pages which show them have one length, too.
const KINDS: [(&str, &str); 7] = [
    ("unknown", "unknown@home.test"),
    ("physiotherapist", "physioo@home.test"),
    ("patient", "patient@home.test"),
    ("in two clinics", "twoclin@home.test"),
    ("shut out", "outside@home.test"),
    ("invited only", "invited@home.test"),
    ("old password", "oldhash@home.test"),
];

/// A password under the parameters of the first days: a fifth of the work of today's. It is that of nobody.
const OLD: &str = "$argon2id$v=19$m=8192,t=1,p=1$aG9tZXN0cmV0Y2gtbm9ib2R5$mR2n1C7Z3G5u8wqv0bYkTz4Jx6sLhPf9EdAoVcXiQyU";

async fn site() -> Site {
    let site = Site::open().await;
    let (clinic, now) = (site.clinic.id, site.clock.now());
    let hill = testkit::people::clinic_called(&site.db, "Hill Physio", "hill.test", now).await.id;
    for (kind, email) in KINDS.into_iter().skip(1) {
        if kind == "patient" {
            let who = site.clinic.patient("Wei Ling", email).await;
            let account = site.clinic.join(&who).await;
            site.give_password(account).await;
            continue;
        }
        let (name, email) = (PersonName::parse("Somebody Else").unwrap(), Email::parse(email).unwrap());
        let tx = site.db.store.begin_sign_in().await.unwrap();
        let member = team::invite(&tx, clinic, (&name, &email), Role::Physiotherapist, now).await.unwrap();
        let account = account::by_email(&tx, &email).await.unwrap().unwrap().id;
        if kind != "invited only" {
            account::join_staff(&tx, (clinic, member), account, &name, now).await.unwrap();
        }
        if kind == "in two clinics" {
            let member = account::add_member(&tx, hill, account, Role::Physiotherapist, &name, now).await.unwrap();
            account::join_staff(&tx, (hill, member), account, &name, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        match kind {
            "invited only" => {}
            "old password" => {
                site.db.execute(&format!("update account set password_hash = '{OLD}' where id = '{account}'")).await;
            }
            _ => site.give_password(account).await,
        }
        if kind == "shut out" {
            site.db.execute(&format!("update membership set disabled_at = now() where account_id = '{account}'")).await;
        }
    }
    site.db.execute("delete from notice").await;
    site
}

/// The ways to ask about an address.
async fn ask(browser: &mut Browser, way: &str, email: &str) -> Answer {
    match way {
        "sign-in" => browser.sign_in(email, "wrong wrong wrong").await,
        // Longer than any password, and in a form that is put in order first.
        "sign-in, long" => browser.sign_in(email, &"x".repeat(5000)).await,
        "sign-in, odd" => browser.sign_in(email, "cafe\u{301} au lait").await,
        "forgot" => browser.post("/password/forgot", &[("email", email)]).await,
        _ => panic!("{way}"),
    }
}

const WAYS: [&str; 4] = ["sign-in", "sign-in, long", "sign-in, odd", "forgot"];

#[tokio::test]
async fn the_answers_are_the_same_byte_for_byte() {
    let site = site().await;
    for way in WAYS {
        let mut first: Option<(u16, BTreeMap<String, String>, String)> = None;
        for (kind, email) in KINDS {
            let answer = ask(&mut site.browser(), way, email).await;
            let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
            // Each request has a number of its own.
            let headers: BTreeMap<_, _> = headers.filter(|(name, _)| name != "x-request-id").collect();
            let shown = (answer.status.as_u16(), headers, answer.text.replace(email, "EMAIL"));
            match &first {
                None => {
                    assert!(shown.2.contains("EMAIL"), "{way} shows what was typed");
                    first = Some(shown);
                }
                Some(first) => assert_eq!(shown, *first, "{way}: {kind}"),
            }
        }
    }
    // Links went to those who can use one, once each.
    let sent = site.db.rows("select recipient from notice where kind = 'password_reset' order by 1").await;
    assert_eq!(sent, ["oldhash@home.test", "patient@home.test", "physioo@home.test", "twoclin@home.test"]);
}

/// Counts what is executed on its way to the database.
struct Counter {
    url: String,
    executed: Arc<AtomicUsize>,
}

impl Counter {
    async fn to(url: &str) -> Self {
        let (_, rest) = url.split_once('@').unwrap();
        let server = rest.split_once('/').unwrap().0.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url.replace(&server, &listener.local_addr().unwrap().to_string());
        let executed = Arc::new(AtomicUsize::new(0));
        let count = executed.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(Self::pass(near, server.clone(), count.clone()));
            }
        });
        Self { url, executed }
    }

    /// Copies messages one at a time: Bind ('B') and simple queries ('Q') are what a statement costs once it is prepared.
    async fn pass(near: TcpStream, server: String, count: Arc<AtomicUsize>) {
        let Ok(far) = TcpStream::connect(server).await else { return };
        let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
        tokio::spawn(async move { tokio::io::copy(&mut far_in, &mut near_out).await });
        let mut started = false;
        loop {
            let mut head = Vec::new();
            if started {
                let Ok(kind) = near_in.read_u8().await else { return };
                if matches!(kind, b'B' | b'Q') {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                head.push(kind);
            }
            let Ok(length) = near_in.read_u32().await else { return };
            head.extend(length.to_be_bytes());
            let mut rest = vec![0; length as usize - 4];
            if near_in.read_exact(&mut rest).await.is_err() {
                return;
            }
            // A request for TLS comes before the greeting, which is the first message of protocol 3.
            started = started || rest.starts_with(&[0, 3, 0]);
            head.extend(rest);
            if far_out.write_all(&head).await.is_err() {
                return;
            }
        }
    }

    fn take(&self) -> usize {
        self.executed.swap(0, Ordering::SeqCst)
    }
}

#[tokio::test]
async fn the_answers_cost_the_same_statements() {
    let site = site().await;
    let counter = Counter::to(site.db.url()).await;
    let store = store::Store::connect_with(&counter.url, 2).await.unwrap();
    let browser = || site.browser_over(store.clone());
    for way in WAYS {
        // Connections are made and statements prepared.
        for (_, email) in KINDS {
            ask(&mut browser(), way, email).await;
        }
        counter.take();
        let mut costs = BTreeMap::new();
        for (kind, email) in KINDS {
            ask(&mut browser(), way, email).await;
            costs.insert(kind, counter.take());
        }
        let most = costs.values().max().copied().unwrap();
        assert!(most > 2, "{way} asks the database: {costs:?}");
        assert!(costs.values().all(|cost| *cost == most), "{way}: {costs:?}");
    }
    // An owner who invites somebody does not learn whether the address has an account elsewhere.
    site.give_password(site.clinic.owner.account).await;
    let mut owner = browser();
    owner.sign_in("owner@riverside.test", visitor::PASSWORD).await;
    let mut invite = async |email: &str| {
        let answer = owner.post("/team", &[("name", "Somebody"), ("email", email)]).await;
        (counter.take(), answer.status, answer.location().to_owned(), answer.header("set-cookie").len())
    };
    invite("warm-up-run@here.test").await;
    let (known, unknown) = (invite("physio@hill.test").await, invite("nobody@hill.test").await);
    assert_eq!(known, unknown);
}

/// What is typical of many times on a machine that does other things, too: three quarters took longer.
fn typical(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 4]
}

#[tokio::test]
async fn the_answers_take_the_same_time() {
    /// Rounds, interleaved: what slows the machine down slows every kind down.
    const ROUNDS: usize = 12;
    /// On a loaded machine it takes more rounds to see what is there; what is there in truth does not go away.
    const MOST: usize = 240;
    let site = site().await;
    for way in ["sign-in", "forgot"] {
        let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
        for round in 1.. {
            for at in 0..KINDS.len() {
                // Each round begins with another kind, so that none always comes after the same one.
                let (kind, email) = KINDS[(at + round) % KINDS.len()];
                // As many addresses as tries: nothing here is about throttling.
                let mut browser = site.browser_at(&format!("10.{}.{round}.{at}", usize::from(way == "forgot")));
                let begun = Instant::now();
                let answer = ask(&mut browser, way, email).await;
                times.entry(kind).or_default().push(begun.elapsed());
                assert_ne!(answer.status.as_u16(), 429);
            }
            site.db.execute("delete from notice; delete from sign_in_failure").await;
            if round % ROUNDS > 0 {
                continue;
            }
            let typical: BTreeMap<&str, Duration> = times.iter_mut().map(|(kind, times)| (*kind, typical(times))).collect();
            let (least, most) = (typical.values().min().unwrap(), typical.values().max().unwrap());
            // A password hash is some 30 ms on a quiet machine; leaving it out, or four fifths of an old one, is far outside.
            if *most - *least <= (*least / 5).max(Duration::from_millis(6)) {
                break;
            }
            assert!(round < MOST, "{way}: {typical:?}");
        }
    }
}

#[tokio::test]
async fn a_link_that_is_none_says_nothing() {
    let site = site().await;
    let mut stranger = site.browser();
    let mut pages = vec![];
    for token in ["AAAA", "Q", &"A".repeat(43), &"%C3%A9".repeat(20)] {
        for path in ["welcome", "password/reset"] {
            for answer in [
                stranger.get(&format!("/{path}/{token}")).await,
                stranger.post(&format!("/{path}/{token}"), &[("password", "seven green bicycles"), ("name", "X")]).await,
            ] {
                assert_eq!(answer.status.as_u16(), 404);
                pages.push(answer.text);
            }
        }
    }
    pages.dedup();
    assert_eq!(pages.len(), 1, "{pages:#?}");
    assert!(browser_of(&site.db, &site.clock).get("/sign-in").await.is_page());
}
