//! The reminders of the days before the demo was opened, so that there is mail to look at. They go through the queue as the worker's
//! do, decided by the same rules at the hour they were due; only the mail server is left out.

use anyhow::{Context as _, Result};
use domain::{
    ids::{ClinicId, NoticeId, PatientId},
    reminder::{Decision, Due, ReminderRule, Standing, decide},
};
use jiff::{SignedDuration, Timestamp};
use store::{
    Actor, ClinicContext, Store, StoreError, Tx,
    outbox::{self, Claimed, Intent, Kind, Owed, Settlement},
    patient, program, reminder, session_log,
};

use super::seed;

/// How far back it goes.
const DAYS: i64 = 5;
/// As many as the demo has, and more.
const MANY: u32 = 100;

/// Lives through the last days of a clinic that was made just now.
///
/// # Errors
/// The store's own.
pub async fn live(store: &Store, now: Timestamp) -> Result<()> {
    let clinic = seed::existing(store).await?.context("there is no clinic to live in")?;
    let scope = ClinicContext::new(clinic, Actor::System);
    let start = now - SignedDuration::from_hours(24 * DAYS);
    let tx = store.begin(&scope).await?;
    let mut hours = begin(&tx, clinic, start, now).await?;
    tx.commit().await?;
    hours.sort_unstable();
    hours.dedup();
    // The mail server goes silent on the first mail of an earlier day; one patient's answer is never heard.
    let mut silent = false;
    for at in hours {
        let tx = store.begin_worker().await?;
        let planned = reminder::plan(&tx, MANY, at).await?;
        tx.commit().await?;
        tracing::debug!(%at, planned.queued, "reminders of the past");
        let tx = store.begin_worker().await?;
        let claimed = outbox::claim(&tx, MANY, &[], at).await?;
        tx.commit().await?;
        let tx = store.begin(&scope).await?;
        let mut settled = Vec::with_capacity(claimed.len());
        for notice in claimed {
            let settlement = settlement(&tx, &notice, at).await?;
            settled.push((notice, settlement));
        }
        tx.commit().await?;
        let may = !silent && at > start + SignedDuration::from_hours(24) && now.duration_since(at) > SignedDuration::from_hours(20);
        silent |= record(store, settled, may, at).await?;
    }
    Ok(())
}

/// The rules as if they had been chosen then, and one mail whose address was mistyped; gives the instants at which something is due.
async fn begin(tx: &Tx, clinic: ClinicId, start: Timestamp, now: Timestamp) -> Result<Vec<Timestamp>, StoreError> {
    let mut hours = Vec::new();
    let mut mistyped = None;
    for who in patient::named(tx, "", MANY).await? {
        let rule = reminder::rules_for(tx, who.id).await?.rule;
        if rule.times.is_empty() {
            if who.joined_at.is_some() && mistyped.is_none() {
                mistyped = who.email.map(|email| (who.id, email));
            }
            continue;
        }
        reminder::save_rules(tx, who.id, &ReminderRule { times: Vec::new(), ..rule.clone() }, start).await?;
        reminder::save_rules(tx, who.id, &rule, start).await?;
        let mut date = rule.zone.date(start);
        while date <= rule.zone.date(now) {
            hours.extend(rule.dues_on(date).map(|due| due.at).filter(|at| *at > start && *at < now - SignedDuration::from_mins(1)));
            date = date.tomorrow().map_err(|why| StoreError::Other(why.to_string()))?;
        }
    }
    if let (Some((who, email)), Some(first)) = (mistyped, hours.iter().min())
        && let Some(program) = program::of_patient(tx, who).await?.last()
    {
        outbox::enqueue(tx, clinic, Owed::ProgramAssigned(who, program.id), &email, *first).await?;
    }
    Ok(hours)
}

/// What became of a notice at `at`.
async fn settlement(tx: &Tx, notice: &Claimed, at: Timestamp) -> Result<Settlement, StoreError> {
    let (Kind::SessionReminder, Some(who), Some((date, time))) = (notice.kind, notice.patient, notice.civil) else {
        let reply = format!("550 5.1.1 <{}>: Recipient address rejected: User unknown", notice.recipient);
        return Ok(Settlement::Dead { phase: "rcpt", reply, suppress: true });
    };
    let rule = reminder::rules_for(tx, who).await?.rule;
    let programs = program::of_patient(tx, who).await?;
    // What was logged later that day was not known yet.
    let logs = session_log::of_patient(tx, who, date, date).await?;
    let logged = |program| {
        let count = logs.iter().filter(|log| log.program == program && log.received_at <= at).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let standing = Standing::on(date, &programs, logged, false);
    Ok(match decide(&rule, &Due { date, time, at: notice.due_at }, &standing, at) {
        Decision::Send => Settlement::Sent { reply: queued_as(notice.id, who) },
        Decision::Wait => Settlement::Returned { at: notice.due_at },
        Decision::Skip(why) => Settlement::Skipped(why),
    })
}

/// What a mail server would have said.
fn queued_as(notice: NoticeId, who: PatientId) -> String {
    let number = notice.0.as_u128() ^ who.0.as_u128();
    format!("250 2.0.0 Ok: queued as {:010X}", number & 0xFF_FFFF_FFFF)
}

/// Records it all. Where the mail server may go silent it does so on the first mail; whether it did.
async fn record(store: &Store, mut settled: Vec<(Claimed, Settlement)>, may: bool, at: Timestamp) -> Result<bool, StoreError> {
    let sent = |settlement: &Settlement| matches!(settlement, Settlement::Sent { .. });
    let mut silent = false;
    if may && let Some((_, settlement)) = settled.iter_mut().find(|(_, settlement)| sent(settlement)) {
        silent = true;
        *settlement = Settlement::Unknown { reply: "the connection closed before the mail server’s reply".to_owned() };
    }
    let handed_over = |settlement: &Settlement| sent(settlement) || matches!(settlement, Settlement::Unknown { .. });
    let intents: Vec<Intent> = settled
        .iter()
        .filter(|(_, settlement)| handed_over(settlement))
        .map(|(notice, _)| Intent::of(notice, format!("<{}@homestretch.example>", notice.id)))
        .collect();
    outbox::intend(store, intents).await?;
    let tx = store.begin_worker().await?;
    outbox::settle(&tx, &settled, at + SignedDuration::from_secs(1)).await?;
    tx.commit().await?;
    Ok(silent)
}
