//! Refusals for good, the addresses that are given up for them, and the pause of sending that all workers share.
//!
//! Each refusal is judged in one transaction that locks the one row of `mail_sender`: workers judge one after the other, each with what
//! all others have written down, so what is concluded rests on the database and on no worker's memory. The rules are
//! [`domain::refusal`]'s.

use domain::{
    person::Email,
    refusal::{self, ACCEPTED_PER_REFUSAL, Cause, Count, Evidence, FEW, Run, Verdict, WINDOW, again_at, judge},
};
use jiff::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::Claimed;
use crate::{
    StoreError, Tx,
    convert::{At, from_instant, to_instant},
};

/// A mail that the server refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// How far it came (see the worker's phases).
    pub phase: &'static str,
    /// The server's words.
    pub reply: String,
    /// The same without the recipient's address: every clinic reads why sending is paused.
    pub masked: String,
    /// What they are about.
    pub cause: Cause,
    /// Until when the mail is wanted.
    pub until: Timestamp,
}

/// That the server is not believed, and sending has to pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// Since when, as it is recorded for all workers.
    pub since: Timestamp,
    /// Why, in words without an address.
    pub reason: String,
}

/// What became of a refused mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It was no longer this worker's; nothing is recorded.
    NotOurs,
    /// It is tried again at `at`.
    Again {
        /// When.
        at: Timestamp,
        /// Whether sending has to pause.
        distrust: Option<Distrust>,
    },
    /// It will never go out.
    Dead {
        /// Whether sending has to pause.
        distrust: Option<Distrust>,
    },
}

#[derive(FromQueryResult)]
struct Sender {
    paused: bool,
}

#[derive(FromQueryResult)]
struct Found {
    first: At,
    times: i64,
    refused: i64,
    domain_refused: i64,
    accepted: i64,
    domain_accepted: i64,
    accepted_itself: bool,
    run_recipients: i64,
    run_domains: i64,
    run_accepted: i64,
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

/// Records that a claimed notice was refused, and what follows: it is tried again, or never; its address may be given up; or the server is
/// not believed, and then what was given up within the last [`WINDOW`] is taken back and people are told. For [`crate::Store::begin_worker`].
///
/// As with [`super::settle()`], an `unknown` that its own worker can answer after all becomes what the server said: a mail that was refused
/// certainly did not arrive.
///
/// # Errors
/// The store's own; nothing is recorded then.
pub async fn refuse(tx: &Tx, notice: &Claimed, refusal: &Refusal, now: Timestamp) -> Result<Refused, StoreError> {
    let sender: Option<Sender> = tx.one("select paused_since is not null as paused from mail_sender for update", []).await?;
    let reply: String = refusal.reply.chars().take(1000).collect();
    let ours = tx
        .run(
            "with ours as (
               select clinic_id, id, recipient from notice
               where clinic_id = $1 and id = $2 and token = $3 and state in ('claimed', 'sending', 'unknown') for update)
             insert into delivery_attempt (clinic_id, id, notice_id, at, phase, outcome, reply, recipient)
             select clinic_id, $4, id, $5, $6, 'refused', $7, recipient from ours",
            [
                notice.clinic.0.into(),
                notice.id.0.into(),
                notice.token.into(),
                Uuid::now_v7().into(),
                from_instant(now).into(),
                refusal.phase.into(),
                reply.clone().into(),
            ],
        )
        .await?;
    if ours == 0 {
        return Ok(Refused::NotOurs);
    }
    let (evidence, times) = evidence(tx, notice, sender.is_some_and(|sender| sender.paused), now).await?;
    let verdict = judge(refusal.cause, &evidence, now);
    let again = if verdict == Verdict::GiveUp { None } else { again_at(times, refusal.until, now) };
    tx.run(
        "update notice set state = case when $4 = '' then 'dead' else 'pending' end, reply = $5,
           next_at = coalesce(nullif($4, '')::timestamptz, next_at), settled_at = case when $4 = '' then $6::timestamptz end,
           token = null, lease_until = null
         where clinic_id = $1 and id = $2 and token = $3",
        [
            notice.clinic.0.into(),
            notice.id.0.into(),
            notice.token.into(),
            again.map(|at| at.to_string()).unwrap_or_default().into(),
            reply.clone().into(),
            from_instant(now).into(),
        ],
    )
    .await?;
    let mut distrust = None;
    match verdict {
        Verdict::GiveUp if refusal.cause == Cause::Mailbox => {
            tx.run(
                "insert into suppression (clinic_id, email, scope, reason, created_at, notice_id)
                 select clinic_id, recipient, 'all', left($3, 500), $4, id from notice where clinic_id = $1 and id = $2
                 on conflict (clinic_id, email, scope) do nothing",
                [notice.clinic.0.into(), notice.id.0.into(), reply.into(), from_instant(now).into()],
            )
            .await?;
        }
        Verdict::GiveUp | Verdict::Again => {}
        Verdict::Distrust => {
            take_back_since(tx, now - WINDOW, now).await?;
            let pause: Option<PauseRow> = tx
                .one(
                    "update mail_sender set paused_since = coalesce(paused_since, $1), refusals_since = coalesce(refusals_since, $1),
                       paused_reason = left($2, 500)
                     returning paused_since, refusals_since, paused_reason",
                    [from_instant(now).into(), refusal.masked.clone().into()],
                )
                .await?;
            let Run { recipients, domains, accepted } = evidence.run;
            distrust = Some(Distrust {
                since: pause.and_then(|row| Pause::from(row).refusals_since).unwrap_or(now),
                reason: format!(
                    "{recipients} recipients of {domains} mail domains were refused one after another, and {accepted} mails accepted meanwhile; the last was: {}",
                    refusal.masked
                ),
            });
        }
    }
    Ok(again.map_or(Refused::Dead { distrust: distrust.clone() }, |at| Refused::Again { at, distrust }))
}

/// What the rules ask about, and how often the mail was refused. The refusal at hand is recorded already.
async fn evidence(tx: &Tx, notice: &Claimed, paused: bool, now: Timestamp) -> Result<(Evidence, u32), StoreError> {
    let found: Option<Found> = tx
        .one(
            "with mine as (
               select n.clinic_id, n.patient_id, n.recipient, n.domain, min(a.at) as first, count(*) as times
               from notice n join delivery_attempt a on a.clinic_id = n.clinic_id and a.notice_id = n.id
                 and a.outcome = 'refused' and a.recipient = n.recipient and (n.resent_at is null or a.at >= n.resent_at)
               where n.clinic_id = $1 and n.id = $2 group by n.clinic_id, n.id),
             since as (
               select count(*) as refused, count(*) filter (where split_part(r.recipient, '@', 2) = r.domain) as domain_refused
               from (select distinct a.recipient, mine.domain from mine join delivery_attempt a
                       on a.outcome = 'refused' and a.at >= mine.first) r),
             -- Only the first refusal of each mail: what is tried again may be refused again, and says nothing new.
             newest as (
               select recipient, max(at) as at from (
                 select a.recipient, a.at from delivery_attempt a
                 where a.outcome = 'refused' and a.at >= $3 and not exists (
                   select from delivery_attempt e where e.clinic_id = a.clinic_id and e.notice_id = a.notice_id and e.outcome = 'refused'
                     and e.recipient = a.recipient and (e.at, e.id) < (a.at, a.id))
                 order by a.at desc limit 100) few
               group by recipient order by 2 desc limit $4),
             run as (
               select count(*) as recipients, count(distinct split_part(recipient, '@', 2)) as domains, min(at) as oldest from newest)
             select mine.first, mine.times, since.refused, since.domain_refused,
               (select count(*) from (select from delivery_attempt a where a.outcome = 'sent' and a.at >= mine.first
                  limit $5 * since.refused) enough) as accepted,
               case when since.domain_refused > $6 then (select count(*) from (
                 select from delivery_attempt a join notice n on n.clinic_id = a.clinic_id and n.id = a.notice_id
                 where a.outcome = 'sent' and a.at >= mine.first and n.domain = mine.domain limit since.domain_refused) enough)
                 else 0 end as domain_accepted,
               exists (select from notice n where n.clinic_id = mine.clinic_id and n.patient_id = mine.patient_id
                 and n.recipient = mine.recipient and n.state = 'sent' and n.settled_at >= mine.first) as accepted_itself,
               run.recipients as run_recipients, run.domains as run_domains,
               (select count(*) from (select from delivery_attempt a where a.outcome = 'sent' and a.at >= run.oldest
                  limit $5 * $4) enough) as run_accepted
             from mine, since, run",
            [
                notice.clinic.0.into(),
                notice.id.0.into(),
                from_instant(now - WINDOW).into(),
                i64::from(FEW + 1).into(),
                i64::from(ACCEPTED_PER_REFUSAL).into(),
                i64::from(FEW).into(),
            ],
        )
        .await?;
    let found = found.ok_or_else(|| StoreError::Other("a refusal was recorded and cannot be read".to_owned()))?;
    let first = to_instant(found.first).ok_or_else(|| StoreError::corrupt("delivery_attempt", "at", notice.id, "out of range"))?;
    let evidence = Evidence {
        first,
        since: Count { refused: count(found.refused), accepted: count(found.accepted) },
        domain: Count { refused: count(found.domain_refused), accepted: count(found.domain_accepted) },
        accepted_itself: found.accepted_itself,
        run: Run {
            recipients: count(found.run_recipients),
            domains: count(found.run_domains),
            accepted: count(found.run_accepted),
        },
        paused,
    };
    Ok((evidence, count(found.times)))
}

/// Takes back what was given up since an instant; the mails that were never to be sent for it wait for their turn again. The worker finds
/// out whether they are still wanted.
async fn take_back_since(tx: &Tx, since: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    tx.run(
        "with taken_back as (
           delete from suppression where scope = 'all' and notice_id is not null and created_at >= $1 returning clinic_id, notice_id)
         update notice n set state = 'pending', next_at = $2, settled_at = null
         from taken_back t where n.clinic_id = t.clinic_id and n.id = t.notice_id and n.state = 'dead'",
        [from_instant(since).into(), from_instant(now + refusal::WINDOW).into()],
    )
    .await?;
    Ok(())
}

/// Writes to an address again, because it has just taken a mail. For [`crate::Store::begin_worker`].
///
/// # Errors
/// The store's own.
pub async fn lift(tx: &Tx, notice: &Claimed) -> Result<(), StoreError> {
    tx.run(
        "delete from suppression where clinic_id = $1 and email = $2 and scope = 'all'",
        [notice.clinic.0.into(), notice.recipient.as_str().into()],
    )
    .await?;
    Ok(())
}

/// Why no reminders go to an address, in the mail server's words and since when, if a mail server refused it.
///
/// # Errors
/// The store's own.
pub async fn refused_before(tx: &Tx, address: &Email) -> Result<Option<(String, Timestamp)>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        reason: String,
        created_at: At,
    }
    let row: Option<Row> = tx
        .one(
            "select reason, created_at from suppression where clinic_id = $1 and email = $2 and scope = 'all'",
            [tx.clinic().0.into(), address.as_str().into()],
        )
        .await?;
    Ok(row.and_then(|row| Some((row.reason, to_instant(row.created_at)?))))
}

/// The pause of sending as it is recorded, for people and for all workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pause {
    /// Since when no mail goes out.
    pub since: Option<Timestamp>,
    /// Since when that is because the server refuses one recipient after another.
    pub refusals_since: Option<Timestamp>,
    /// The server's words, without an address.
    pub reason: String,
}

#[derive(FromQueryResult)]
struct PauseRow {
    paused_since: Option<At>,
    refusals_since: Option<At>,
    paused_reason: Option<String>,
}

impl From<PauseRow> for Pause {
    fn from(row: PauseRow) -> Self {
        Self {
            since: row.paused_since.and_then(to_instant),
            refusals_since: row.refusals_since.and_then(to_instant),
            reason: row.paused_reason.unwrap_or_default(),
        }
    }
}

/// The pause that is recorded, by whichever worker. One read, for [`crate::Store::autocommit`].
///
/// # Errors
/// The store's own.
pub async fn pause(tx: &Tx) -> Result<Pause, StoreError> {
    let row: Option<PauseRow> = tx.one("select paused_since, refusals_since, paused_reason from mail_sender", []).await?;
    Ok(row.map_or_else(Pause::default, Pause::from))
}

/// Records that mail goes out again, if the pause is still the one that was read: a pause that another worker began meanwhile stays. For
/// [`crate::Store::autocommit`].
///
/// # Errors
/// The store's own.
pub async fn end_pause(tx: &Tx, pause: &Pause) -> Result<(), StoreError> {
    tx.run(
        "update mail_sender set paused_since = null, refusals_since = null, paused_reason = null
         where paused_since is not distinct from $1 and refusals_since is not distinct from $2",
        [pause.since.map(from_instant).into(), pause.refusals_since.map(from_instant).into()],
    )
    .await?;
    Ok(())
}
