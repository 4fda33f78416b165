//! Stories of the worker: what is owed goes out once, to those it is owed to, whatever the mail server does.

// A test that fails to set itself up should say where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod story;

use std::sync::Arc;

use domain::{ids::PatientId, reminder::NoticeSkip};
use jiff::{SignedDuration, Timestamp, civil::date};
use render::links::Purpose;
use store::{
    Tx,
    outbox::{self, Intent, Owed},
    reminder,
};
use story::{Story, eight, engine, links, minutes, seven};
use testkit::{
    clock::at,
    smtp::{Answer, Phase},
};
use worker::TickReport;

fn sent(count: u64) -> TickReport {
    TickReport { planned: count, sent: count, ..TickReport::default() }
}

#[tokio::test]
async fn a_reminder_goes_at_its_hour_to_who_has_a_session_open() {
    let story = Story::begin().await;
    let farah = story.somebody("Farah Aziz").await;
    assert_eq!(story.tick(seven()).await, TickReport::default(), "nothing is due at seven");
    assert_eq!(story.tick(eight()).await, sent(1));

    let mails = story.server.to("farah@example.test");
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.from, "reminders@clinic.test");
    assert!(mail.header("From").unwrap().contains("Riverside Physio"), "{}", mail.source());
    assert!(mail.header("To").unwrap().contains("farah@example.test"));
    assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert_eq!(mail.header("Date").as_deref(), Some("Mon, 02 Mar 2026 00:00:00 +0000"));
    assert_eq!(mail.header("List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    let id = story.db.row("select id from notice").await;
    assert_eq!(mail.header("Message-ID"), Some(format!("<{id}@clinic.test>")));
    assert_eq!(story.db.row("select message_id from notice").await, format!("<{id}@clinic.test>"));

    // Text and HTML say the same, in the patient's own hours.
    for part in [mail.text(), mail.html()] {
        assert!(part.contains("Farah") && part.contains("5 exercises") && part.contains("Monday 2 March"), "{part}");
        assert!(part.contains("Wednesday 4 March, 08:00"), "the link's end is in the patient's zone: {part}");
    }
    assert!(!mail.subject().to_lowercase().contains("pain") && !mail.subject().contains("exercise"), "{}", mail.subject());

    // The one-tap link is hers, for two days, and the unsubscribe link of the header and of the text too.
    let token = |link: &str| link.rsplit('/').next().unwrap().trim_end_matches('>').to_owned();
    let go = token(&mail.link("/go/"));
    let verify = |now| links().verify(Purpose::OneTap, &go, now);
    assert_eq!(verify(eight()), Ok((story.clinic.id, farah.id)));
    assert!(verify(eight() + SignedDuration::from_hours(48)).is_err());
    let stop = mail.header("List-Unsubscribe").unwrap();
    assert!(stop.starts_with("<https://clinic.test/unsubscribe/") && stop.ends_with('>'), "{stop}");
    assert_eq!(links().verify(Purpose::Unsubscribe, &token(&stop), eight()), Ok((story.clinic.id, farah.id)));

    // The next one is tomorrow's.
    assert_eq!(
        story.db.row("select due_date, due_at at time zone 'Asia/Kuala_Lumpur' from reminder_rule").await,
        "2026-03-03|2026-03-03 08:00:00"
    );
    story.assert_nothing_left_over().await;
}

#[tokio::test]
async fn each_gets_one_at_the_hour_of_the_own_zone() {
    let story = Story::begin().await;
    let auckland = story.clinic.patient_in("Aroha King", "aroha@example.test", "Pacific/Auckland").await;
    let london = story.clinic.patient_in("Liam Hall", "liam@example.test", "Europe/London").await;
    for who in [&auckland, &london] {
        story.clinic.program_for(who, date(2026, 3, 1), 6).await;
        story.clinic.remind(who, &["08:00"], at("2026-03-01T00:00:00Z")).await;
    }
    // Auckland is 13 hours ahead of UTC in March: its Monday's eight o'clock is Sunday 19:00 UTC.
    assert_eq!(story.tick(at("2026-03-01T08:00:00Z")).await.sent, 1);
    assert_eq!(story.tick(at("2026-03-01T18:59:00Z")).await.sent, 0);
    assert_eq!(story.tick(at("2026-03-01T19:00:00Z")).await.sent, 1);
    let to: Vec<_> = story.server.messages().iter().map(|mail| mail.to[0].clone()).collect();
    assert_eq!(to, ["liam@example.test", "aroha@example.test"]);
    assert!(story.server.to("aroha@example.test")[0].text().contains("Monday 2 March"));
}

#[tokio::test]
async fn two_ticks_and_two_workers_send_one_mail() {
    let story = Story::begin().await;
    for name in ["Ada A", "Ben B", "Chi C", "Dev D", "Eve E", "Fay F"] {
        story.somebody(name).await;
    }
    let other = engine(&story.db, &story.server.url());
    let (one, two) = tokio::join!(worker::tick(&story.engine, eight()), worker::tick(&other, eight()));
    assert_eq!(one.unwrap().sent + two.unwrap().sent, 6);
    assert_eq!(story.tick(eight() + minutes(5)).await, TickReport::default());
    // A clock that was set back sends nothing again.
    assert_eq!(story.tick(seven()).await, TickReport::default());
    assert_eq!(story.tick(eight()).await, TickReport::default());
    assert_eq!(story.server.messages().len(), 6);
    story.assert_nothing_left_over().await;
}

/// Two workers in the middle of the same step: the second neither waits for the first nor takes what it holds.
#[tokio::test]
async fn workers_at_the_same_step_leave_each_other_alone() {
    let story = Story::begin().await;
    for name in ["Ada A", "Ben B"] {
        story.somebody(name).await;
    }
    let store = &story.db.store;
    let step = async |planning: bool| {
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, may_end) = tokio::sync::oneshot::channel::<()>();
        let take = async |tx: &Tx, limit| {
            if planning {
                reminder::plan(tx, limit, eight()).await.unwrap().rules
            } else {
                outbox::claim(tx, limit, &[], eight()).await.unwrap().len()
            }
        };
        let first = async {
            let tx = store.begin_worker().await.unwrap();
            let taken = take(&tx, 1).await;
            let _ = begun.send(());
            let _ = may_end.await;
            tx.commit().await.unwrap();
            taken
        };
        let second = async {
            has_begun.await.unwrap();
            let second = async {
                let tx = store.begin_worker().await.unwrap();
                let taken = take(&tx, 9).await;
                tx.commit().await.unwrap();
                taken
            };
            let taken = tokio::time::timeout(std::time::Duration::from_secs(60), second).await;
            let _ = end.send(());
            taken.expect("the second worker waits for the first")
        };
        tokio::join!(first, second)
    };
    assert_eq!(step(true).await, (1, 1), "one rule each");
    assert_eq!(step(false).await, (1, 1), "one notice each");
}

#[tokio::test]
async fn who_needs_no_reminder_gets_none_and_the_reason_is_kept() {
    let story = Story::begin().await;
    let today = date(2026, 3, 2);
    let patient = async |name: &str, email: &str| {
        let who = story.clinic.patient(name, email).await;
        story.clinic.remind(&who, &["08:00"], seven()).await;
        who
    };
    let logged = patient("Logged", "1@example.test").await;
    let program = story.clinic.program_for(&logged, today, 6).await;
    story.clinic.log(&logged, &program, today, Some(3)).await;

    let paused = patient("Paused", "2@example.test").await;
    let mut program = story.clinic.program_for(&paused, today, 6).await;
    program.pause(today, None, "a cold", today).unwrap();
    story.clinic.save(&program).await;

    let finished = patient("Finished", "3@example.test").await;
    let mut program = story.clinic.program_for(&finished, today, 6).await;
    program.finish(today).unwrap();
    story.clinic.save(&program).await;

    let stopped = patient("Unsubscribed", "4@example.test").await;
    story.clinic.program_for(&stopped, today, 6).await;
    story.clinic.tenant(async |tx| reminder::unsubscribe(tx, stopped.id, seven()).await).await;

    patient("Nothing assigned", "5@example.test").await;

    let twice = patient("Half done", "6@example.test").await;
    let program = story.clinic.program_with(&twice, today, 6, |plan| plan.times_a_day = 2).await;
    story.clinic.log(&twice, &program, today, None).await;

    let report = story.tick(eight()).await;
    let mut skipped = report.skipped.clone();
    skipped.sort();
    use NoticeSkip::{Logged, NotActive, Unsubscribed};
    assert_eq!(skipped, [Logged, NotActive, NotActive, NotActive, Unsubscribed]);
    assert_eq!(report.sent, 1);
    assert_eq!(story.server.messages()[0].to, ["6@example.test"], "one of two sessions is still open");
    assert_eq!(
        story.notices().await,
        [
            "session_reminder skipped logged",
            "session_reminder skipped not_active",
            "session_reminder skipped not_active",
            "session_reminder skipped unsubscribed",
            "session_reminder skipped not_active",
            "session_reminder sent",
        ]
    );
}

#[tokio::test]
async fn the_patient_pauses_changes_and_ends_reminders() {
    let story = Story::begin().await;
    let farah = story.somebody("Farah Aziz").await;
    let id = farah.id;
    story.clinic.tenant(async |tx| reminder::pause(tx, id, Some(date(2026, 3, 3)), seven()).await).await;
    assert_eq!(story.tick(eight()).await, TickReport::default());
    assert_eq!(story.tick(at("2026-03-04T08:00:00+08:00")).await, sent(1));

    // From eight to half past six in the evening: today's evening is next.
    story.clinic.remind(&farah, &["18:30"], at("2026-03-05T07:59:00+08:00")).await;
    assert_eq!(story.tick(at("2026-03-05T08:00:00+08:00")).await, TickReport::default());
    assert_eq!(story.tick(at("2026-03-05T18:30:00+08:00")).await, sent(1));

    story.clinic.remind(&farah, &[], at("2026-03-05T19:00:00+08:00")).await;
    assert_eq!(story.tick(at("2026-03-06T18:30:00+08:00")).await, TickReport::default());
    assert_eq!(story.db.row("select count(*) from reminder_rule").await, "0");
}

#[tokio::test]
async fn unsubscribing_ends_reminders_but_not_other_mail_and_can_be_taken_back() {
    let story = Story::begin().await;
    let farah = story.somebody("Farah Aziz").await;
    let id = farah.id;
    let state = async || story.clinic.tenant(async |tx| reminder::rules_for(tx, id).await).await.unsubscribed;
    assert!(!state().await);
    story.clinic.tenant(async |tx| reminder::unsubscribe(tx, id, seven()).await).await;
    story.clinic.tenant(async |tx| reminder::unsubscribe(tx, id, seven()).await).await;
    assert!(state().await);
    story.owe(Owed::PatientInvitation(id), &farah.email, eight()).await;
    let report = story.tick(eight()).await;
    assert_eq!((report.sent, report.skipped), (1, vec![NoticeSkip::Unsubscribed]));
    assert!(story.server.messages()[0].link("/welcome/").starts_with("https://clinic.test/"));

    story.clinic.tenant(async |tx| reminder::resubscribe(tx, id).await).await;
    assert!(!state().await);
    assert_eq!(story.tick(at("2026-03-03T08:00:00+08:00")).await, sent(1));
}

#[tokio::test]
async fn quiet_hours_hold_for_what_comes_late() {
    let story = Story::begin().await;
    let farah = story.clinic.patient("Farah Aziz", "farah@example.test").await;
    story.clinic.program_for(&farah, date(2026, 3, 2), 6).await;
    story.clinic.remind(&farah, &["20:00"], seven()).await;
    // The worker was away until after nine in the evening.
    let report = story.tick(at("2026-03-02T21:05:00+08:00")).await;
    assert_eq!(report.skipped, [NoticeSkip::Quiet]);
    assert!(story.server.messages().is_empty());
}

#[tokio::test]
async fn after_36_hours_away_one_reminder_at_most() {
    let story = Story::begin().await;
    let farah = story.clinic.patient("Farah Aziz", "farah@example.test").await;
    story.clinic.program_for(&farah, date(2026, 3, 2), 6).await;
    story.clinic.remind(&farah, &["07:30", "08:30", "18:00"], seven()).await;
    let report = story.tick(at("2026-03-03T19:00:00+08:00")).await;
    assert_eq!((report.planned, report.sent), (6, 1));
    assert_eq!(report.skipped, [NoticeSkip::Expired; 5]);
    assert!(story.server.messages()[0].text().contains("18:00"));
    story.assert_nothing_left_over().await;
}

#[tokio::test]
async fn a_busy_server_is_tried_again_later() {
    let story = Story::begin().await;
    story.somebody("Farah Aziz").await;
    story.server.answer_times(1, Phase::Dot, Answer::Refuse(451, "4.7.1 greylisted, come back".into()));
    let report = story.tick(eight()).await;
    assert_eq!((report.sent, report.retried), (0, 1));
    assert_eq!(story.tick(eight() + SignedDuration::from_secs(30)).await, TickReport::default(), "not at once");
    assert_eq!(story.tick(eight() + minutes(2)).await.sent, 1);
    assert_eq!(story.server.messages().len(), 1);
    assert_eq!(
        story.db.rows("select phase, outcome, reply from delivery_attempt order by at").await,
        ["dot|retry|451 4.7.1 greylisted, come back", "dot|sent|250 2.0.0 kept"]
    );
    story.assert_nothing_left_over().await;
}

#[tokio::test]
async fn an_address_that_does_not_exist_stops_nobody_else() {
    let story = Story::begin().await;
    story.somebody("Farah Aziz").await;
    story.somebody("Ben Lee").await;
    story.server.reject("farah@example.test");
    let report = story.tick(eight()).await;
    assert_eq!((report.sent, report.retried, report.paused), (1, 1, None));
    // What becomes of the address is told by the stories of refusals.
    assert_eq!(
        story.db.rows("select outcome, recipient from delivery_attempt order by 1").await,
        ["refused|farah@example.test", "sent|"]
    );
}

#[tokio::test]
async fn mail_waits_for_a_server_that_is_away() {
    let mut story = Story::begin().await;
    for name in ["Ada A", "Ben B", "Chi C", "Dev D", "Eve E", "Fay F", "Gus G", "Hal H"] {
        story.somebody(name).await;
    }
    story.server.stop().await;
    let report = story.tick(eight()).await;
    assert_eq!((report.sent, report.dead), (0, 0));
    assert!(report.paused.as_deref().is_some_and(|why| why.contains("refused")), "{report:?}");
    assert!(report.retried >= 1 && report.returned >= 4, "most were not even tried: {report:?}");
    assert_eq!(story.tick(eight() + SignedDuration::from_secs(10)).await.sent, 0, "still paused");

    story.server.resume().await.unwrap();
    assert_eq!(story.tick(eight() + minutes(3)).await.sent, 8);
    assert_eq!(story.db.row("select count(*) from suppression").await, "0");
    story.assert_nothing_left_over().await;
}

#[tokio::test]
async fn a_refused_sender_blames_no_recipient() {
    let story = Story::begin().await;
    story.somebody("Farah Aziz").await;
    story.server.answer(Phase::Mail, Answer::Refuse(550, "5.7.1 your host is blocked".into()));
    let report = story.tick(eight()).await;
    assert_eq!(report.paused.as_deref(), Some("550 5.7.1 your host is blocked"));
    assert_eq!((report.retried, report.dead), (1, 0));
    assert_eq!(story.db.row("select count(*) from suppression").await, "0");
    story.server.behave();
    assert_eq!(story.tick(eight() + minutes(2)).await.sent, 1);
}

#[tokio::test]
async fn a_server_that_falls_silent_after_the_dot_leaves_a_reminder_unknown_and_an_invitation_repeated() {
    let story = Story::begin().await;
    let farah = story.somebody("Farah Aziz").await;
    story.owe(Owed::PatientInvitation(farah.id), &farah.email, eight()).await;
    story.server.answer_times(2, Phase::Dot, Answer::KeepAndDrop);
    let report = story.tick(eight()).await;
    assert_eq!((report.sent, report.unknown, report.retried), (0, 1, 1));
    // The server had both. Hours later the reminder has not come again, the invitation has.
    story.tick(eight() + minutes(3)).await;
    story.tick(eight() + minutes(60)).await;
    let subjects: Vec<_> = story.server.messages().iter().map(|mail| mail.header("List-Unsubscribe").is_some()).collect();
    assert_eq!(subjects.iter().filter(|reminder| **reminder).count(), 1);
    assert_eq!(subjects.iter().filter(|reminder| !**reminder).count(), 2);
    assert_eq!(story.notices().await, ["invitation sent", "session_reminder unknown"]);
}

#[tokio::test]
async fn what_a_dead_worker_left_behind_is_taken_up() {
    let story = Story::begin().await;
    for name in ["Ada A", "Ben B"] {
        story.somebody(name).await;
    }
    worker::plan(&story.db.store, eight()).await.unwrap();
    // One worker died after the intent with Ada's, another before it with Ben's.
    let tx = story.db.store.begin_worker().await.unwrap();
    let claimed = outbox::claim(&tx, 10, &[], eight()).await.unwrap();
    tx.commit().await.unwrap();
    let ada = claimed.iter().find(|notice| notice.recipient.as_str() == "ada@example.test").unwrap().clone();
    let granted = outbox::intend(&story.db.store, vec![Intent::of(&ada, "<x@y>")]).await.unwrap();
    assert!(matches!(granted.as_slice(), [Some(_)]));
    let later = story.tick(eight() + minutes(30)).await;
    assert_eq!(later, TickReport::default(), "both are still leased, whatever a worker's own clock shows");
    story.end_leases().await;
    let report = story.tick(eight() + minutes(31)).await;
    assert_eq!((report.reaped.returned, report.reaped.unknown, report.sent), (1, 1, 1));
    assert_eq!(story.notices().await, ["session_reminder unknown", "session_reminder sent"]);

    // The worker that was only asleep wakes up with Ben's claim: it may not send.
    let ben = claimed.iter().find(|notice| notice.recipient.as_str() == "ben@example.test").unwrap().clone();
    let granted = outbox::intend(&story.db.store, vec![Intent::of(&ben, "<x@y>")]).await.unwrap();
    assert!(matches!(granted.as_slice(), [None]));
}

#[tokio::test]
async fn one_notice_that_cannot_be_written_stops_nobody_else() {
    let story = Story::begin().await;
    let farah = story.somebody("Farah Aziz").await;
    let bad_zone = story.somebody("Bad Zone").await;
    story.somebody("Good One").await;
    story.db.execute(&format!("update patient set zone = 'Mars/Olympus' where id = '{}'", bad_zone.id)).await;
    // A notice about somebody who is not there, and a mail that has nobody to be about.
    story.owe(Owed::PatientInvitation(farah.id), &farah.email, eight()).await;
    story.db.execute("update notice set patient_id = null, kind = 'invitation' where kind = 'invitation'").await;
    story
        .db
        .execute(&format!(
            "insert into notice (clinic_id, id, kind, recipient, dedupe_key, due_at, next_at, created_at)
         values ('{}', gen_random_uuid(), 'test', 'x@example.test', 'k', '2026-03-02', '2026-03-02', '2026-03-02')",
            story.clinic.id
        ))
        .await;
    let report = story.tick(eight()).await;
    assert_eq!((report.sent, report.dead), (2, 3), "{:?}", story.db.rows("select kind, state, reply from notice").await);
    let dead = story.db.rows("select reply from notice where state = 'dead' order by reply").await;
    assert_eq!(dead.len(), 3, "{dead:?}");
    assert!(dead.iter().any(|why| why.contains("Mars/Olympus")) && dead.iter().any(|why| why.contains("is not there")), "{dead:?}");
    story.assert_nothing_left_over().await;
}

#[tokio::test]
async fn account_mail_carries_a_link_that_works_and_no_token_lies_about() {
    let story = Story::begin().await;
    let farah = story.clinic.patient("Farah Aziz", "farah@example.test").await;
    let program = story.clinic.program_for(&farah, date(2026, 3, 2), 6).await;
    let owner = story.clinic.owner.clone();
    assert!(story.owe(Owed::PatientInvitation(farah.id), &farah.email, eight()).await);
    assert!(!story.owe(Owed::PatientInvitation(farah.id), &farah.email, eight()).await, "a double click is one mail");
    story.owe(Owed::StaffInvitation(owner.membership), &owner.email, eight()).await;
    story.owe(Owed::PasswordReset(owner.account), &owner.email, eight()).await;
    story.owe(Owed::ProgramAssigned(farah.id, program.id), &farah.email, eight()).await;
    assert_eq!(story.tick(eight()).await.sent, 4);

    let token = |link: String| link.rsplit('/').next().unwrap().to_owned();
    let tokens = [
        token(
            story.server.to("farah@example.test").iter().find(|mail| mail.text().contains("/welcome/")).unwrap().link("/welcome/"),
        ),
        token(
            story
                .server
                .to("owner@riverside.test")
                .iter()
                .find(|mail| mail.text().contains("/welcome/"))
                .unwrap()
                .link("/welcome/"),
        ),
        token(
            story
                .server
                .to("owner@riverside.test")
                .iter()
                .find(|mail| mail.text().contains("/reset/"))
                .unwrap()
                .link("/password/reset/"),
        ),
    ];
    for token in tokens {
        let tx = story.db.store.begin_sign_in().await.unwrap();
        assert!(store::link::find(&tx, &token, eight()).await.unwrap().is_some(), "the link of the mail is known");
        tx.commit().await.unwrap();
        let kept = story.db.rows("select payload, message_id, reply from notice").await.join(" ");
        assert!(!kept.contains(&token), "no token lies in the queue");
    }
    let assigned = story.server.to("farah@example.test").into_iter().find(|mail| mail.text().contains("5 exercises")).unwrap();
    assert!(assigned.text().contains("Hannah"), "{}", assigned.text());
    assert!(assigned.header("List-Unsubscribe").is_none(), "only reminders are a list");
    story.assert_nothing_left_over().await;
}

#[tokio::test]
async fn an_account_notice_that_never_gets_through_is_given_up_and_says_so() {
    let story = Story::begin().await;
    let farah = story.clinic.patient("Farah Aziz", "farah@example.test").await;
    story.owe(Owed::PatientInvitation(farah.id), &farah.email, eight()).await;
    story.server.answer(Phase::Rcpt, Answer::Refuse(450, "4.2.1 not now".into()));
    for hours in 0..73 {
        story.tick(eight() + SignedDuration::from_hours(hours)).await;
    }
    assert_eq!(story.db.row("select state, reply from notice").await, "dead|it could not be sent for three days");
}

#[tokio::test]
async fn mail_can_go_into_a_folder() {
    let story = Story::begin().await;
    story.somebody("Farah Aziz").await;
    let folder = std::env::temp_dir().join(format!("homestretch-story-{}", PatientId::new()));
    let engine = engine(&story.db, &format!("file:{}", folder.display()));
    assert_eq!(worker::tick(&engine, eight()).await.unwrap().sent, 1);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let mail = std::fs::read_to_string(&files[0]).unwrap();
    assert!(
        files[0].file_name().unwrap().to_str().unwrap().starts_with("20260302T000000") && mail.contains("farah@example.test"),
        "{files:?}"
    );
    std::fs::remove_dir_all(folder).unwrap();
    story.assert_nothing_left_over().await;
}

#[tokio::test]
async fn the_loop_drains_when_told_to_stop_and_survives_a_database_that_is_away() {
    let story = Story::begin().await;
    story.somebody("Farah Aziz").await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let clock: Arc<dyn Fn() -> Timestamp + Send + Sync> = Arc::new(eight);
    let running = tokio::spawn(worker::run(story.engine.clone(), clock, std::time::Duration::from_millis(20), async {
        let _ = stopped.await;
    }));
    story.server.wait_for(1).await.unwrap();
    // Every connection is cut; the loop makes new ones.
    story
        .db
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await;
    let ben = story.clinic.patient("Ben Lee", "ben@example.test").await;
    story.owe(Owed::PatientInvitation(ben.id), &ben.email, eight()).await;
    story.server.wait_for(2).await.unwrap();
    stop.send(()).unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(60), running).await.unwrap().unwrap();
    story.assert_nothing_left_over().await;
}

#[tokio::test]
async fn what_is_rolled_back_is_not_owed() {
    let story = Story::begin().await;
    let farah = story.clinic.patient("Farah Aziz", "farah@example.test").await;
    let scope = store::ClinicContext::new(story.clinic.id, store::Actor::System);
    let tx = story.db.store.begin(&scope).await.unwrap();
    outbox::enqueue(&tx, story.clinic.id, Owed::PatientInvitation(farah.id), &farah.email, eight()).await.unwrap();
    tx.roll_back().await.unwrap();
    assert_eq!(story.tick(eight()).await, TickReport::default());
}

#[tokio::test]
async fn the_mail_about_a_program_lets_in_who_has_not_joined_yet() {
    let story = Story::begin().await;
    let farah = story.clinic.patient("Farah Aziz", "farah@example.test").await;
    let program = story.clinic.program_for(&farah, date(2026, 3, 2), 6).await;
    story.owe(Owed::ProgramAssigned(farah.id, program.id), &farah.email, eight()).await;
    story.tick(eight()).await;
    let [mail] = story.server.to("farah@example.test").try_into().expect("one mail");
    assert!(mail.text().contains("/welcome/"), "a sign-in page would ask for a password that is not there: {}", mail.text());
    assert!(!mail.text().contains("/today"));

    story.clinic.join(&farah).await;
    let later = eight() + SignedDuration::from_hours(1);
    let second = story.clinic.program_for(&farah, date(2026, 5, 4), 6).await;
    story.owe(Owed::ProgramAssigned(farah.id, second.id), &farah.email, later).await;
    story.tick(later).await;
    let mails = story.server.to("farah@example.test");
    assert_eq!(mails.len(), 2);
    assert!(mails[1].text().contains("/today") && !mails[1].text().contains("/welcome/"), "{}", mails[1].text());
}
