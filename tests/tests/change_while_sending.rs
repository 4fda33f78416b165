//! Stories of changes that come while mail is being handed over: what was acknowledged holds for every mail whose intent is not
//! committed yet, and of the others people are told that they may still arrive.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod story;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{
    ids::PrescriptionId,
    person::Email,
    program::{Plan, Prescription, Program, Weekdays},
    reminder::QuietHours,
};
use jiff::civil::{date, time};
use store::{
    clinic, closure,
    outbox::{self, Mails},
    patient, program, reminder,
};
use story::{Story, eight, minutes, seven};
use testkit::{
    people::Somebody,
    smtp::{Gate, Phase},
};
use tokio::{sync::oneshot, task::JoinHandle};
use worker::TickReport;

/// Everything by which a person ends a reminder, or sends it elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Unsubscribed,
    AddressCorrected,
    AddressRemoved,
    SessionLogged,
    ProgramPaused,
    ProgramFinished,
    ProgramRevised,
    HoursChanged,
    RemindersPaused,
    RecordClosed,
}

use Change::{
    AddressCorrected, AddressRemoved, HoursChanged, ProgramFinished, ProgramPaused, ProgramRevised, RecordClosed, RemindersPaused,
    SessionLogged, Unsubscribed,
};

const CHANGES: [(Change, &str); 10] = [
    (Unsubscribed, "skipped unsubscribed"),
    (AddressCorrected, "sent"),
    (AddressRemoved, "dead"),
    (SessionLogged, "skipped logged"),
    (ProgramPaused, "skipped not_active"),
    (ProgramFinished, "skipped not_active"),
    (ProgramRevised, "skipped not_active"),
    (HoursChanged, "skipped expired"),
    (RemindersPaused, "skipped paused"),
    (RecordClosed, "skipped closed"),
];

/// A patient with a reminder at eight, each at a mail domain of their own so that none waits for another.
async fn somebody(story: &Story, label: &str) -> (Somebody, Program) {
    let who = story.clinic.patient("Some Body", &format!("old@{label}.test").to_lowercase()).await;
    let program = story.clinic.program_for(&who, date(2026, 3, 2), 6).await;
    story.clinic.remind(&who, &["08:00"], seven()).await;
    (who, program)
}

/// Makes the change and, in the same transaction, asks whether mail is on its way.
async fn make(story: &Story, change: Change, (who, program): &(Somebody, Program)) -> bool {
    let (id, mut program) = (who.id, program.clone());
    let today = date(2026, 3, 2);
    if change == SessionLogged {
        story.clinic.log(who, &program, today, None).await;
    }
    let address = match change {
        AddressCorrected => Some(Email::parse(&who.email.as_str().replace("old@", "new@")).unwrap()),
        _ => None,
    };
    story
        .clinic
        .tenant(async |tx| {
            match change {
                Unsubscribed => reminder::unsubscribe(tx, id, eight()).await?,
                AddressCorrected | AddressRemoved => {
                    let before = patient::find(tx, id).await?;
                    let wanted = patient::Patient { email: address, ..before.clone() };
                    patient::correct(tx, &before, &wanted, eight()).await?;
                }
                SessionLogged => {}
                ProgramPaused => {
                    program.pause(today, None, "a cold", today).unwrap();
                    program::save_state(tx, &program, eight()).await?;
                }
                ProgramFinished => {
                    program.finish(today).unwrap();
                    program::save_state(tx, &program, eight()).await?;
                }
                ProgramRevised => {
                    let old = program.newest().unwrap().clone();
                    // Every day but Monday, which today is.
                    let weekdays = Weekdays::from_bits(0b111_1110).unwrap();
                    let anew = |row: Prescription| Prescription { id: PrescriptionId::new(), ..row };
                    let prescriptions = old.prescriptions.into_iter().map(anew).collect();
                    let plan = Plan { weekdays, times_a_day: 1, prescriptions };
                    program.revise(plan, today, today).unwrap();
                    let version = program.newest().unwrap().clone();
                    program::add_version(tx, &program, &version, eight()).await?;
                }
                HoursChanged => {
                    let mut rule = reminder::rules_for(tx, id).await?.rule;
                    rule.times = vec![time(18, 0, 0, 0)];
                    reminder::save_rules(tx, id, &rule, eight()).await?;
                }
                RemindersPaused => reminder::pause(tx, id, Some(today), eight()).await?,
                RecordClosed => drop(closure::close(tx, id, eight()).await?),
            }
            outbox::on_their_way(tx, id, Mails::All).await
        })
        .await
}

/// A round of the worker that is held up in the middle of every mail.
struct Round {
    gate: Gate,
    task: JoinHandle<TickReport>,
}

impl Round {
    /// Held up at this phase, by so many mails.
    async fn held(story: &Story, phase: Phase, mails: usize) -> Self {
        let gate = story.server.hold(phase);
        let engine = story.engine.clone();
        let task = tokio::spawn(async move { worker::tick(&engine, eight()).await.unwrap() });
        gate.reached(mails).await;
        Self { gate, task }
    }

    async fn go_on(self) -> TickReport {
        self.gate.open();
        self.task.await.unwrap()
    }
}

#[tokio::test]
async fn a_change_acknowledged_before_the_dot_keeps_the_mail_back() {
    let story = Story::begin().await;
    let mut people = Vec::new();
    for (change, _) in CHANGES {
        people.push(somebody(&story, &format!("{change:?}")).await);
    }
    // The mail server takes its time with every recipient.
    let round = Round::held(&story, Phase::Rcpt, CHANGES.len()).await;
    for ((change, _), who) in CHANGES.into_iter().zip(&people) {
        assert!(!make(&story, change, who).await, "{change:?}: nothing is on its way before its intent");
    }
    round.go_on().await;
    for (step, _) in CHANGES.iter().enumerate() {
        story.tick(eight() + minutes(1 + i64::try_from(step).unwrap())).await;
    }
    let accepted: Vec<String> = story.server.messages().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(accepted, ["new@addresscorrected.test"], "only what goes elsewhere now left, and once");
    for ((change, expected), (who, _)) in CHANGES.into_iter().zip(&people) {
        let became = format!("select concat_ws(' ', state, reason) from notice where patient_id = '{}'", who.id);
        assert_eq!(story.db.row(&became).await, expected, "{change:?}");
    }
    // No attempt is on record that the mail server's answer did not decide, and none was counted for what was taken back.
    assert_eq!(story.db.rows("select outcome from delivery_attempt").await, ["sent"]);
    assert_eq!(story.db.row("select max(attempts) from notice").await, "1");
    story.assert_nothing_left_over().await;
}

#[tokio::test]
async fn a_mail_on_its_way_when_the_change_comes_is_told_of_and_recorded_as_it_was() {
    let story = Story::begin().await;
    let mut people = Vec::new();
    for (change, _) in CHANGES {
        people.push(somebody(&story, &format!("{change:?}")).await);
    }
    // The intent is committed and the content is there; the answer is not.
    let round = Round::held(&story, Phase::Dot, CHANGES.len()).await;
    for ((change, _), who) in CHANGES.into_iter().zip(&people) {
        assert!(make(&story, change, who).await, "{change:?}: the mail may still arrive, and people are told");
    }
    assert_eq!(round.go_on().await.sent, 10);
    assert!(story.server.messages().iter().all(|mail| mail.to[0].starts_with("old@")));
    assert_eq!(story.db.rows("select distinct state, left(recipient, 4) from notice").await, ["sent|old@"]);
}

#[tokio::test]
async fn holding_reminders_keeps_back_what_is_claimed() {
    let story = Story::begin().await;
    somebody(&story, "one").await;
    let (other, _) = somebody(&story, "other").await;
    let test = outbox::Owed::Test(other.id);
    story.owe(test, &other.email, eight()).await;
    let round = Round::held(&story, Phase::Rcpt, 3).await;
    let hold = async || {
        let tx = story.db.store.begin_worker().await.unwrap();
        let held = outbox::hold::hold(&tx, eight()).await.unwrap();
        tx.commit().await.unwrap();
        held
    };
    assert_eq!(hold().await.on_their_way, 0);
    round.go_on().await;
    story.tick(eight() + minutes(1)).await;
    assert_eq!(story.notices().await, ["session_reminder pending", "session_reminder pending", "test sent"]);

    // A mail that is on its way is told of.
    let tx = story.db.store.begin_worker().await.unwrap();
    let released = outbox::hold::release(&tx, seven()).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!((released.expired, released.unknown), (0, 0), "at seven neither reminder was due");
    let round = Round::held(&story, Phase::Dot, 2).await;
    assert_eq!(hold().await.on_their_way, 2);
    round.go_on().await;
    assert_eq!(story.notices().await, ["session_reminder sent", "session_reminder sent", "test sent"]);
}

#[tokio::test]
async fn new_quiet_hours_keep_back_what_is_claimed() {
    let story = Story::begin().await;
    somebody(&story, "one").await;
    let round = Round::held(&story, Phase::Rcpt, 1).await;
    story
        .clinic
        .tenant(async |tx| {
            let mut settings = clinic::settings(tx).await?;
            settings.quiet = QuietHours { from: time(21, 0, 0, 0), to: time(9, 0, 0, 0) };
            clinic::save(tx, &settings, eight()).await
        })
        .await;
    round.go_on().await;
    story.tick(eight() + minutes(1)).await;
    assert!(story.server.messages().is_empty());
    assert_eq!(story.notices().await, ["session_reminder skipped quiet"]);
}

#[tokio::test]
async fn a_reminder_whose_time_passes_while_the_server_thinks_is_not_sent() {
    let story = Story::begin().await;
    somebody(&story, "one").await;
    let gate = story.server.hold(Phase::Rcpt);
    let clock = Arc::new(Mutex::new(eight()));
    let (stop, stopped) = oneshot::channel::<()>();
    let told = clock.clone();
    let running = tokio::spawn(worker::run(
        story.engine.clone(),
        Arc::new(move || *told.lock().unwrap()),
        Duration::from_millis(20),
        async {
            let _ = stopped.await;
        },
    ));
    gate.reached(1).await;
    *clock.lock().unwrap() = eight() + minutes(4 * 60);
    gate.open();
    until(&story, "select concat_ws(' ', state, reason) from notice", "skipped expired").await;
    stop.send(()).unwrap();
    running.await.unwrap();
    assert!(story.server.messages().is_empty());
}

#[tokio::test]
async fn an_invitation_that_is_withdrawn_while_it_is_claimed_does_not_leave() {
    let story = Story::begin().await;
    let owner = story.clinic.owner.membership;
    let (clinic, store) = (story.clinic.id, &story.db.store);
    let email = Email::parse("new@staff.test").unwrap();
    let name = domain::person::PersonName::parse("New Person").unwrap();
    let tx = store.begin_sign_in().await.unwrap();
    let account = store::account::find_or_create(&tx, &email, seven()).await.unwrap().id;
    let role = domain::person::Role::Physiotherapist;
    let member = store::account::add_member(&tx, clinic, account, role, &name, seven()).await.unwrap();
    tx.commit().await.unwrap();
    story.owe(outbox::Owed::StaffInvitation(member), &email, eight()).await;
    let round = Round::held(&story, Phase::Rcpt, 1).await;
    let tx = store.begin(&store::ClinicContext::new(clinic, store::Actor::Staff(owner))).await.unwrap();
    store::team::withdraw(&tx, member, eight()).await.unwrap();
    tx.commit().await.unwrap();
    round.go_on().await;
    assert!(story.server.messages().is_empty());
    assert_eq!(story.db.row("select state, reply from notice").await, "dead|the invitation was withdrawn");
}

/// The change is made and not committed yet when the reminder falls due: planning waits for it, and the mail is judged by what it says.
#[tokio::test]
async fn a_reminder_that_falls_due_while_the_change_is_under_way_waits_for_it() {
    for planned in [false, true] {
        let story = Story::begin().await;
        let (who, _) = somebody(&story, "one").await;
        if planned {
            worker::plan(&story.db.store, eight()).await.unwrap();
        }
        let (made, is_made) = oneshot::channel();
        let (commit, may_commit) = oneshot::channel::<()>();
        let clinic = story.clinic.clone();
        let change = tokio::spawn(async move {
            clinic
                .tenant(async |tx| {
                    reminder::unsubscribe(tx, who.id, eight()).await?;
                    let _ = made.send(());
                    let _ = may_commit.await;
                    Ok(())
                })
                .await;
        });
        is_made.await.unwrap();
        let engine = story.engine.clone();
        let round = tokio::spawn(async move { worker::tick(&engine, eight()).await.unwrap() });
        if planned {
            // What is queued is left alone.
            assert_eq!(round.await.unwrap(), TickReport::default());
            commit.send(()).unwrap();
        } else {
            let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            until(&story, waiting, "1").await;
            commit.send(()).unwrap();
            round.await.unwrap();
        }
        change.await.unwrap();
        story.tick(eight() + minutes(1)).await;
        assert_eq!(story.notices().await, ["session_reminder skipped unsubscribed"]);
        assert!(story.server.messages().is_empty());
    }
}

/// Changes in the midst of a round at full speed: a mail arrives if and only if its intent was there before the change was committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_in_the_midst_of_a_round_hold_from_their_commit_on() {
    let story = Story::begin().await;
    let mut people = Vec::new();
    for n in 0..40 {
        people.push(somebody(&story, &format!("p{n}")).await);
    }
    worker::plan(&story.db.store, eight()).await.unwrap();
    let engine = story.engine.clone();
    let round = tokio::spawn(async move {
        for step in 0..6 {
            worker::tick(&engine, eight() + minutes(step)).await.unwrap();
        }
    });
    let mut after = Vec::new();
    for (n, who) in people.iter().enumerate() {
        let change = [Unsubscribed, AddressCorrected, SessionLogged, RemindersPaused][n % 4];
        let under_way = make(&story, change, who).await;
        after.push((change, who.0.id, who.0.email.as_str().to_owned(), under_way));
    }
    round.await.unwrap();
    story.tick(eight() + minutes(10)).await;
    for (change, id, old, under_way) in after {
        let state = story.db.row(&format!("select state, settled_at from notice where patient_id = '{id}'")).await;
        let left = story.server.to(&old).len();
        // What was told to be on its way has left; what was sent before may have, too, and nothing else has.
        assert!(left <= 1, "{change:?}: {left} mails");
        if under_way {
            assert_eq!(left, 1, "{change:?}: {state}");
        }
        if left == 0 && change == AddressCorrected {
            assert_eq!(story.server.to(&old.replace("old@", "new@")).len(), 1, "{state}");
        }
        assert_eq!(state.starts_with("sent"), left == 1 || change == AddressCorrected, "{change:?}: {state}");
    }
    story.assert_nothing_left_over().await;
}

async fn until(story: &Story, sql: &str, expected: &str) {
    let mut last = String::new();
    for _ in 0..2000 {
        last = story.db.rows(sql).await.join(" / ");
        if last == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{sql}: {last} instead of {expected}");
}
