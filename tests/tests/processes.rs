//! Stories with real `homestretch worker` processes: what becomes of a reminder when its worker is killed, frozen or told to end at the
//! worst moment. Each worker has a clock of its own, so that hours pass when the story says so; leases go by the
//! database's clock and are ended there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod story;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use stories::{
    cluster::{Cluster, Stop},
    process::{Clock, Setup, Worker},
    stress::seed,
};
use story::Story;
use testkit::{
    clock::at,
    smtp::{Answer, Phase, Server},
};

/// Shortly after the reminders of [`Story::somebody`] come due.
const EIGHT: &str = "2026-03-02T08:00:05+08:00";

/// A story, and what its processes are started with.
struct Stage {
    story: Story,
    setup: Setup,
    folder: PathBuf,
}

impl Stage {
    async fn set(name: &str) -> Self {
        let story = Story::begin().await;
        let folder = scratch(name);
        let setup = Setup::new(&folder, story.server.url()).await.unwrap();
        Self { story, setup, folder }
    }

    fn worker(&self, name: &str, time: &str) -> (Worker, Clock) {
        let clock = self.setup.clock(name, at(time)).unwrap();
        (self.setup.worker(name, self.story.db.url(), &clock).unwrap(), clock)
    }

    async fn once(&self, time: &str) -> (Option<i32>, String) {
        let clock = self.setup.clock("once", at(time)).unwrap();
        let output = self.setup.run(&["worker", "--once"], self.story.db.url(), &clock).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said)
    }

    async fn states(&self) -> BTreeMap<String, usize> {
        let mut states = BTreeMap::new();
        for state in self.story.db.rows("select state from notice").await {
            *states.entry(state).or_default() += 1;
        }
        states
    }

    /// Waits until every notice is in this state.
    async fn all(&self, state: &str, count: usize) {
        let wanted = BTreeMap::from([(state.to_owned(), count)]);
        let begun = Instant::now();
        loop {
            let states = self.states().await;
            if states == wanted {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "wanted {wanted:?}, found {states:?}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn logs(&self) -> String {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let logs = files.filter(|file| file.extension().is_some_and(|end| end == "log"));
        logs.map(|log| std::fs::read_to_string(log).unwrap_or_default()).collect()
    }

    /// How often the mail server accepted each mail.
    fn accepted(&self) -> Vec<u32> {
        self.story.server.accepted().into_values().collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("homestretch-processes-{}-{name}", std::process::id()))
}

/// Tells a worker to end, and gives how long it took.
async fn end(worker: Worker) -> Duration {
    let begun = Instant::now();
    let status = worker.terminate(Duration::from_secs(32)).await.unwrap();
    assert!(status.success(), "{status}");
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_the_intent_loses_nothing_and_repeats_nothing() {
    let stage = Stage::set("claimed").await;
    stage.story.somebody("Farah Aziz").await;
    stage.story.server.answer(Phase::Rcpt, Answer::Silence);
    let (worker, _) = stage.worker("first", EIGHT);
    stage.all("claimed", 1).await;
    worker.kill().await.unwrap();

    stage.story.server.behave();
    let (second, _) = stage.worker("second", "2026-03-02T08:11:30+08:00");
    // Its lease holds as long as it may live, whatever a worker's own clock shows.
    let (code, said) = stage.once("2026-03-02T08:11:40+08:00").await;
    assert_eq!(code, Some(0), "{said}");
    stage.all("claimed", 1).await;
    stage.story.end_leases().await;
    stage.all("sent", 1).await;
    end(second).await;
    assert_eq!(stage.accepted(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_the_intent_and_the_reply_leaves_an_unknown_that_is_never_resent() {
    let stage = Stage::set("sending").await;
    stage.story.somebody("Farah Aziz").await;
    stage.story.server.answer(Phase::Dot, Answer::Silence);
    let (worker, _) = stage.worker("first", EIGHT);
    stage.all("sending", 1).await;
    worker.kill().await.unwrap();

    stage.story.server.behave();
    let dots = stage.story.server.count(Phase::Dot);
    stage.story.end_leases().await;
    let (second, _) = stage.worker("second", "2026-03-02T08:02:30+08:00");
    stage.all("unknown", 1).await;
    for later in ["2026-03-02T08:03:00+08:00", "2026-03-02T09:30:00+08:00", "2026-03-02T20:00:00+08:00"] {
        let (code, said) = stage.once(later).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(" 0 sent,"), "{said}");
    }
    end(second).await;
    stage.all("unknown", 1).await;
    assert_eq!(stage.story.server.count(Phase::Dot), dots, "nobody tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_frozen_past_its_lease_finds_that_another_has_sent_and_keeps_still() {
    let stage = Stage::set("frozen").await;
    stage.story.somebody("Farah Aziz").await;
    // The first is held back before the intent for long enough to be frozen there, on a busy machine too.
    stage.story.server.answer_times(1, Phase::Data, Answer::Late(Duration::from_secs(10)));
    let (first, clock) = stage.worker("first", EIGHT);
    stage.all("claimed", 1).await;
    first.freeze().unwrap();
    stage.story.end_leases().await;
    let (second, _) = stage.worker("second", "2026-03-02T08:02:30+08:00");
    stage.all("sent", 1).await;
    clock.set(at("2026-03-02T08:02:40+08:00")).unwrap();
    first.thaw().unwrap();
    // It finishes what it holds before it ends.
    end(first).await;
    end(second).await;
    stage.all("sent", 1).await;
    assert_eq!(stage.accepted(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_frozen_past_its_lease_does_not_send_even_when_nobody_took_over() {
    let stage = Stage::set("frozen-alone").await;
    stage.story.somebody("Farah Aziz").await;
    stage.story.server.answer_times(1, Phase::Data, Answer::Late(Duration::from_secs(2)));
    let (worker, clock) = stage.worker("first", EIGHT);
    stage.all("claimed", 1).await;
    worker.freeze().unwrap();
    clock.set(at("2026-03-02T08:03:00+08:00")).unwrap();
    stage.story.end_leases().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    worker.thaw().unwrap();
    // The claim ran out, so it is given up and taken anew: one mail all the same.
    stage.all("sent", 1).await;
    end(worker).await;
    assert_eq!(stage.accepted(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_end_finishes_the_mail_in_flight() {
    let stage = Stage::set("drain").await;
    stage.story.somebody("Farah Aziz").await;
    stage.story.server.answer(Phase::Dot, Answer::Late(Duration::from_secs(2)));
    let (worker, _) = stage.worker("first", EIGHT);
    stage.all("sending", 1).await;
    let took = end(worker).await;
    assert!(took < Duration::from_secs(30), "{took:?}");
    stage.all("sent", 1).await;
    assert_eq!(stage.accepted(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_end_does_not_wait_for_ever_for_a_silent_server() {
    let stage = Stage::set("drain-silent").await;
    stage.story.somebody("Farah Aziz").await;
    stage.story.server.answer(Phase::Dot, Answer::Silence);
    let (worker, _) = stage.worker("first", EIGHT);
    stage.all("sending", 1).await;
    let took = end(worker).await;
    assert!(took <= Duration::from_secs(30), "{took:?}");
    // Written down before it ended; nobody has to wait for a lease.
    assert_eq!(stage.states().await, BTreeMap::from([("unknown".to_owned(), 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_the_clock_back_makes_no_reminder_again() {
    let stage = Stage::set("back").await;
    stage.story.somebody("Farah Aziz").await;
    for (time, says) in [
        (EIGHT, "1 planned, 1 sent,"),
        ("2026-03-02T07:00:00+08:00", "0 planned, 0 sent,"),
        ("2026-03-02T08:00:30+08:00", "0 planned, 0 sent,"),
        ("2026-03-01T08:00:30+08:00", "0 planned, 0 sent,"),
        ("2026-03-02T10:59:00+08:00", "0 planned, 0 sent,"),
        ("2026-03-03T08:00:30+08:00", "1 planned, 1 sent,"),
    ] {
        let (code, said) = stage.once(time).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(says), "at {time}: {said}");
    }
    assert_eq!(stage.accepted(), [1, 1], "one a day");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_round_says_by_its_exit_code_how_it_went() {
    let mut stage = Stage::set("once").await;
    stage.story.somebody("Farah Aziz").await;
    let (code, said) = stage.once("2026-03-02T07:30:00+08:00").await;
    assert_eq!((code, said.contains("0 planned, 0 sent")), (Some(0), true), "{said}");

    stage.story.server.answer(Phase::Greeting, Answer::Refuse(554, "5.7.1 no service for you".to_owned()));
    let (code, said) = stage.once(EIGHT).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the mail server refused") && said.contains("no service for you"), "{said}");

    stage.story.server.behave();
    let (code, said) = stage.once("2026-03-02T08:10:00+08:00").await;
    assert_eq!((code, said.contains(" 1 sent,")), (Some(0), true), "{said}");

    stage.setup.smtp = String::new();
    let (code, said) = stage.once(EIGHT).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("SMTP_URL is not set"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_workers_at_once_send_each_reminder_once() {
    let stage = Stage::set("several").await;
    for at in 0..30 {
        stage.story.somebody(&format!("P{at} Person")).await;
    }
    let workers: Vec<_> = (0..4).map(|at| stage.worker(&format!("worker{at}"), EIGHT)).collect();
    stage.all("sent", 30).await;
    for (worker, _) in workers {
        end(worker).await;
    }
    assert_eq!(stage.accepted(), [1; 30]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_up_its_work_by_itself_when_the_database_comes_back() {
    let folder = scratch("away");
    let cluster = Cluster::start(&folder.join("postgres")).await.unwrap();
    cluster.rows("postgres", "create database clinic").await.unwrap();
    let server = Server::start().await.unwrap();
    let setup = Setup::new(&folder.join("logs"), server.url()).await.unwrap();
    let begin: Timestamp = seed::BEGIN.parse().unwrap();
    let clock = setup.clock("worker", begin).unwrap();
    let url = cluster.url("clinic");
    assert!(setup.run(&["migrate"], &url, &clock).await.unwrap().status.success());
    seed::sow(&cluster, "clinic", 30, 45, 1).await.unwrap();

    let mut worker = setup.worker("worker", &url, &clock).unwrap();
    let open = |until: &'static str| {
        format!(
            "select greatest(0, (select count(*) from stress_due where civil_time <= '{until}')
               - (select count(*) from notice where kind = 'session_reminder' and state in ('sent', 'skipped')))"
        )
    };
    let settled = async |until: &'static str| {
        let begun = Instant::now();
        while cluster.number("clinic", &open(until)).await.unwrap() > 0 {
            let log = std::fs::read_to_string(&worker.log).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(180), "{log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    clock.set(at("2026-03-02T10:20:30+08:00")).unwrap();
    settled("10:20").await;
    cluster.stop(Stop::Fast).await.unwrap();
    clock.set(at("2026-03-02T10:50:00+08:00")).unwrap();
    tokio::time::sleep(Duration::from_secs(8)).await;
    cluster.resume().await.unwrap();
    settled("10:50").await;
    assert!(worker.is_alive(), "the same process all the time");
    // After the outage a patient with two reminders behind gets the later one; the earlier is visible as expired.
    let ends = cluster.rows("clinic", "select distinct state, reason from notice where kind = 'session_reminder' order by 1").await;
    let ends: Vec<String> = ends.unwrap().into_iter().map(|row| row.join(" ")).collect();
    assert_eq!(ends.iter().filter(|end| *end != "skipped expired").collect::<Vec<_>>(), ["sent "]);
    end(worker).await;
    assert!(server.accepted().values().all(|times| *times == 1), "{:?}", server.accepted());
    let _ = std::fs::remove_dir_all(&folder);
}
