//! Stories of the engine under way: nobody waits for somebody else's mail server, and nothing that is known is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod story;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use store::{
    Store,
    outbox::{self, Intent, Settlement},
};
use story::{Story, eight, engine_on, minutes, seven};
use testkit::{
    clock::at,
    proxy::{Proxy, Side},
    smtp::{Answer, Phase},
};
use tokio::{sync::oneshot, task::JoinHandle};

/// A worker's loop with a clock that the story sets.
struct Running {
    clock: Arc<Mutex<Timestamp>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(story: &Story, now: Timestamp) -> Self {
        let clock = Arc::new(Mutex::new(now));
        let (stop, stopped) = oneshot::channel();
        let told = clock.clone();
        let task = tokio::spawn(worker::run(
            story.engine.clone(),
            Arc::new(move || *told.lock().unwrap()),
            Duration::from_millis(20),
            async {
                let _ = stopped.await;
            },
        ));
        Self { clock, stop, task }
    }

    fn set(&self, now: Timestamp) {
        *self.clock.lock().unwrap() = now;
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(40), self.task).await.expect("it ends in time").unwrap();
    }
}

async fn until(story: &Story, sql: &str, expected: &str) {
    let mut last = String::new();
    for _ in 0..6000 {
        last = story.db.rows(sql).await.join(" / ");
        if last == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{sql}: {last} instead of {expected}");
}

#[tokio::test]
async fn a_slow_mail_domain_delays_nobody_else() {
    let story = Story::begin().await;
    let somebody = async |email: &str, hour: &str| {
        let who = story.clinic.patient("Some Body", email).await;
        story.clinic.program_for(&who, jiff::civil::date(2026, 3, 2), 6).await;
        story.clinic.remind(&who, &[hour], seven()).await;
    };
    for number in 0..20 {
        let email = format!("{number}@slow.test");
        somebody(&email, "08:00").await;
        story.server.answer_for(&email, Phase::Rcpt, Answer::Late(Duration::from_secs(10)));
    }
    for number in 0..12 {
        somebody(&format!("{number}@quick.test"), "08:01").await;
    }
    // The slow ones are on their way before the quick ones are due.
    let running = Running::start(&story, eight());
    while story.server.count(Phase::Rcpt) < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.set(eight() + minutes(1));
    until(&story, "select count(*) from notice where state = 'sent' and domain = 'quick.test'", "12").await;
    let order: Vec<bool> = story.server.messages().iter().map(|mail| mail.to[0].ends_with("@quick.test")).collect();
    assert!(order[..12].iter().all(|quick| *quick), "the quick ones went first: {order:?}");
    running.stop().await;
    story.assert_none_under_way().await;
}

#[tokio::test]
async fn what_goes_to_a_busy_domain_is_left_in_the_queue() {
    let story = Story::begin().await;
    story.somebody("Ada A").await;
    let who = story.clinic.patient("Ben B", "ben@busy.test").await;
    story.clinic.remind(&who, &["08:00"], seven()).await;
    worker::plan(&story.db.store, eight()).await.unwrap();
    let tx = story.db.store.begin_worker().await.unwrap();
    let claimed = outbox::claim(&tx, 9, &["busy.test".to_owned()], eight()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claimed.iter().map(|notice| notice.recipient.as_str()).collect::<Vec<_>>(), ["ada@example.test"]);
}

/// A mail server that says nothing after one mail's dot holds up neither planning nor anybody else's mail.
#[tokio::test]
async fn planning_and_sending_go_on_beside_a_mail_that_is_stuck() {
    let story = Story::begin().await;
    story.somebody("Ada A").await;
    story.server.answer_for("ada@example.test", Phase::Dot, Answer::Silence);
    let running = Running::start(&story, eight());
    until(&story, "select state from notice", "sending").await;

    let ben = story.clinic.patient("Ben Lee", "ben@example.test").await;
    story.clinic.program_for(&ben, jiff::civil::date(2026, 3, 2), 6).await;
    story.clinic.remind(&ben, &["08:01"], seven()).await;
    running.set(eight() + minutes(1));
    until(&story, "select recipient, state from notice order by 1", "ada@example.test|sending / ben@example.test|sent").await;

    // Told to stop, it waits for the reply as long as it may, and then writes down that there was none.
    let began = std::time::Instant::now();
    running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(story.notices().await, ["session_reminder unknown", "session_reminder sent"]);
    assert_eq!(
        story.db.row("select phase, outcome, reply from delivery_attempt where outcome = 'unknown'").await,
        "dot|unknown|the worker was stopped before the mail server's reply"
    );
}

#[tokio::test]
async fn a_reply_is_not_lost_while_the_database_is_away() {
    let story = Story::begin().await;
    story.somebody("Ada A").await;
    // The reply comes while the database is away.
    story.server.answer_for("ada@example.test", Phase::Dot, Answer::Late(Duration::from_millis(600)));
    let running = Running::start(&story, eight());
    until(&story, "select state from notice", "sending").await;
    story.db.go_away().await;
    story.server.wait_for(1).await.unwrap();
    // Long enough that the result is tried to be recorded while nobody is there.
    tokio::time::sleep(Duration::from_secs(1)).await;
    story.db.come_back().await;
    until(&story, "select state, reply from notice", "sent|250 2.0.0 kept").await;
    running.stop().await;
}

#[tokio::test]
async fn after_a_restore_everything_waits_but_what_is_asked_for_since() {
    let story = Story::begin().await;
    let (ada, ben) = (story.somebody("Ada A").await, story.somebody("Ben B").await);
    worker::plan(&story.db.store, eight()).await.unwrap();
    for who in [&ada, &ben] {
        story.owe(outbox::Owed::Test(who.id), &who.email, eight()).await;
    }
    let store = &story.db.store;
    let tx = store.begin_worker().await.unwrap();
    outbox::hold::hold(&tx, eight() + minutes(1)).await.unwrap();
    tx.commit().await.unwrap();
    story.owe(outbox::Owed::PatientInvitation(ada.id), &ada.email, eight() + minutes(2)).await;
    assert_eq!(story.tick(eight() + minutes(2)).await.sent, 1);
    let states = async || story.db.rows("select kind, state, count(*) from notice group by 1, 2 order by 1, 2").await;
    assert_eq!(states().await, ["invitation|sent|1", "session_reminder|pending|2", "test|pending|2"]);
    // Released reminders leave account mail waiting, until it is decided upon.
    let tx = store.begin_worker().await.unwrap();
    outbox::hold::release(&tx, eight() + minutes(3)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(story.tick(eight() + minutes(3)).await.sent, 0);
    let tx = store.begin_worker().await.unwrap();
    assert_eq!(outbox::hold::waiting(&tx).await.unwrap(), 2);
    tx.commit().await.unwrap();
    story.db.execute("update notice set state = 'dead' where kind = 'test' and recipient = 'ben@example.test'").await;
    let decide = async |choice, now| {
        let tx = store.begin_worker().await.unwrap();
        let decided = outbox::hold::decide(&tx, choice, now).await.unwrap();
        tx.commit().await.unwrap();
        decided
    };
    assert_eq!(decide(outbox::hold::Choice::Send, eight() + minutes(4)).await, 1);
    assert_eq!(story.tick(eight() + minutes(4)).await.sent, 1);
    story.db.execute("update notice set state = 'pending' where state = 'dead'").await;
    assert_eq!(decide(outbox::hold::Choice::LeaveOut, eight() + minutes(5)).await, 1);
    assert_eq!(story.tick(eight() + minutes(5)).await.sent, 0);
    assert_eq!(story.db.row("select reason from notice where kind = 'test' and state = 'skipped'").await, "left_out");
}

#[tokio::test]
async fn why_no_mail_goes_out_is_written_down_until_it_does() {
    let story = Story::begin().await;
    story.somebody("Ada A").await;
    story.server.answer(Phase::Mail, Answer::Refuse(550, "5.7.1 your host is blocked".into()));
    story.tick(eight()).await;
    assert_eq!(
        story.db.row("select paused_since is not null, paused_reason from mail_sender").await,
        "t|550 5.7.1 your host is blocked"
    );
    story.server.behave();
    assert_eq!(story.tick(eight() + minutes(2)).await.sent, 1);
    assert_eq!(story.db.row("select paused_since, paused_reason from mail_sender").await, "|");
}

/// Many results in one statement: each stands for itself.
#[tokio::test]
async fn results_written_together_do_not_mix() {
    let story = Story::begin().await;
    for name in ["Ada A", "Ben B", "Chi C", "Dev D"] {
        story.somebody(name).await;
    }
    worker::plan(&story.db.store, eight()).await.unwrap();
    let store = &story.db.store;
    let tx = store.begin_worker().await.unwrap();
    let mut claimed = outbox::claim(&tx, 9, &[], eight()).await.unwrap();
    tx.commit().await.unwrap();
    claimed.sort_by(|one, other| one.recipient.as_str().cmp(other.recipient.as_str()));
    // Ben's claim is somebody else's by now.
    let mut stale = claimed[1].clone();
    stale.token = uuid::Uuid::now_v7();
    let intents: Vec<Intent> = [&claimed[0], &stale, &claimed[2]].into_iter().map(|notice| Intent::of(notice, "<m@x>")).collect();
    let granted = outbox::intend(store, intents).await.unwrap();
    let granted: Vec<_> = granted.into_iter().map(|permit| permit.map(|permit| permit.claim())).collect();
    assert_eq!(granted, [Some(claimed[0].claim()), None, Some(claimed[2].claim())]);
    let reply = |text: &str| text.to_owned();
    let results = vec![
        (claimed[0].clone(), Settlement::Sent { reply: reply("250 ok") }),
        (stale.clone(), Settlement::Sent { reply: reply("250 not mine") }),
        (claimed[2].clone(), Settlement::Retry { at: eight() + minutes(5), phase: "dot", reply: reply("451 later") }),
        (claimed[3].clone(), Settlement::Dead { phase: "rcpt", reply: reply("550 5.1.1 no"), suppress: true }),
    ];
    let tx = store.begin_worker().await.unwrap();
    let ours = outbox::settle(&tx, &results, eight()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(ours.len(), 3);
    assert_eq!(
        story.db.rows("select recipient, state, reply, attempts from notice order by recipient").await,
        [
            "ada@example.test|sent|250 ok|1",
            "ben@example.test|claimed||1",
            "chi@example.test|pending|451 later|1",
            "dev@example.test|dead|550 5.1.1 no|1"
        ]
    );
    assert_eq!(story.db.rows("select email, reason from suppression").await, ["dev@example.test|550 5.1.1 no"]);
    let at_five = story.db.row("select next_at from notice where state = 'pending'").await;
    assert!(at_five.starts_with("2026-03-02 00:05:00"), "{at_five}");
    assert_eq!(at("2026-03-02T08:05:00+08:00"), eight() + minutes(5));
}

/// An old claim and a new one of the same notice in one group: each is told of its own token, and not of the notice.
#[tokio::test]
async fn two_claims_of_one_notice_in_one_group_are_told_apart() {
    let story = Story::begin().await;
    story.somebody("Ada A").await;
    worker::plan(&story.db.store, eight()).await.unwrap();
    let store = &story.db.store;
    let claim = async || {
        let tx = store.begin_worker().await.unwrap();
        let claimed = outbox::claim(&tx, 9, &[], eight()).await.unwrap();
        tx.commit().await.unwrap();
        <[outbox::Claimed; 1]>::try_from(claimed).unwrap().into_iter().next().unwrap()
    };
    let old = claim().await;
    story.end_leases().await;
    let tx = store.begin_worker().await.unwrap();
    outbox::reap(&tx, eight()).await.unwrap();
    tx.commit().await.unwrap();
    let new = claim().await;
    assert_eq!(old.id, new.id);

    // In both orders, and the claim that holds asked twice.
    for _ in 0..2 {
        let intents = [&old, &new, &old, &new].map(|notice| Intent::of(notice, "<m@x>"));
        let granted = outbox::intend(store, intents.to_vec()).await.unwrap();
        let granted: Vec<_> = granted.into_iter().flatten().map(|permit| permit.claim()).collect();
        assert_eq!(granted, [new.claim()], "one permit, for the claim that holds");
        story.db.execute("update notice set state = 'claimed'").await;
    }
    story.db.execute("update notice set state = 'sending'").await;
    let sent = |notice: &outbox::Claimed, reply: &str| (notice.clone(), Settlement::Sent { reply: reply.to_owned() });
    let results = vec![sent(&old, "250 of the old claim"), sent(&new, "250 of the new claim")];
    let tx = store.begin_worker().await.unwrap();
    let ours = outbox::settle(&tx, &results, eight()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(ours, [new.claim()].into());
    assert_eq!(story.db.rows("select state, reply from notice").await, ["sent|250 of the new claim"]);
    assert_eq!(story.db.row("select count(*) from delivery_attempt").await, "1");
}

/// A worker's clock is set forward by three minutes and the database stalls: its statement with an intent does not get through. Meanwhile
/// the claim runs out and the same worker claims the notice again, and both intents wait for the same group.
#[tokio::test]
async fn a_clock_step_and_a_stalled_database_send_no_mail_twice() {
    let mut story = Story::begin().await;
    let line = Proxy::to(story.db.url()).await;
    story.engine = engine_on(Store::connect(line.url()).await.unwrap(), &story.server.url());
    let somebody = async |email: &str| {
        let who = story.clinic.patient("Some Body", email).await;
        story.clinic.program_for(&who, jiff::civil::date(2026, 3, 2), 6).await;
        story.clinic.remind(&who, &["08:00"], seven()).await;
    };
    somebody("ada@one.test").await;
    somebody("ben@other.test").await;
    let (stalled, waiting) =
        (line.hold(b"set state = 'sending'", Side::Question, 1), story.server.hold_for("ada@one.test", Phase::Rcpt));
    let round = |now| {
        let engine = story.engine.clone();
        tokio::spawn(async move { worker::tick(&engine, now).await.unwrap() })
    };
    // Ben's intent is stalled; Ada's comes after it, so it waits for the next group.
    let first = round(eight());
    stalled.reached().await;
    waiting.reached(1).await;
    waiting.open();
    until_count(&story, Phase::Data, 2).await;
    // The lease is over, by the database's clock as by the worker's, and the notice is claimed again.
    story.db.execute("update notice set lease_until = now() - interval '1 second' where recipient = 'ada@one.test'").await;
    let second = round(eight() + minutes(3));
    until_count(&story, Phase::Data, 3).await;
    // The last 354 is on its way to the worker. Whether its intent makes it into the group does not change what has to hold.
    tokio::time::sleep(Duration::from_millis(100)).await;
    stalled.release();
    first.await.unwrap();
    second.await.unwrap();
    let accepted: Vec<u32> = story.server.accepted().into_values().collect();
    assert!(accepted.iter().all(|times| *times == 1), "accepted {accepted:?}");
    assert_eq!(story.notices().await, ["session_reminder sent", "session_reminder sent"]);
}

async fn until_count(story: &Story, phase: Phase, count: u32) {
    for _ in 0..2000 {
        if story.server.count(phase) >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{phase:?} was reached {} times instead of {count}", story.server.count(phase));
}
