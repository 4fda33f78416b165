//! What a worker writes down about the notices it holds: that one is about to go out, and how each ended.

use std::collections::HashSet;

use domain::{
    ids::{ClinicId, NoticeId},
    reminder::NoticeSkip,
};
use jiff::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Claimed, LEASE};
use crate::{StoreError, Tx, convert::from_instant};

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

fn ids(rows: Vec<Id>) -> HashSet<NoticeId> {
    rows.into_iter().map(|row| NoticeId(row.id)).collect()
}

/// That the mail of a claimed notice is about to go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The clinic that owes it.
    pub clinic: ClinicId,
    /// The notice.
    pub notice: NoticeId,
    /// Proves that it is still this worker's.
    pub token: Uuid,
    /// The mail's Message-ID.
    pub message_id: String,
}

impl Intent {
    /// The intent to send a claimed notice's mail.
    pub fn of(notice: &Claimed, message_id: impl Into<String>) -> Self {
        Self { clinic: notice.clinic, notice: notice.id, token: notice.token, message_id: message_id.into() }
    }
}

/// Notes that mails are about to go out. Only when this is committed, and only for the notices it returns, may the final dot be sent; the
/// others are no longer this worker's.
///
/// # Errors
/// The store's own; none of the mails may go out then.
pub async fn intend(tx: &Tx, intents: &[Intent], now: Timestamp) -> Result<HashSet<NoticeId>, StoreError> {
    let rows = tx
        .all::<Id>(
            "update notice n set state = 'sending', message_id = i.message_id, lease_until = $6
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) as i (clinic_id, id, token, message_id)
             where n.clinic_id = i.clinic_id and n.id = i.id and n.token = i.token
               -- As a case, so that nobody thinks of reading the index of leases for it, which is full of leases that are over.
               and case when n.state = 'claimed' then n.lease_until > $5 else false end
             returning n.id",
            [
                intents.iter().map(|intent| intent.clinic.0).collect::<Vec<_>>().into(),
                intents.iter().map(|intent| intent.notice.0).collect::<Vec<_>>().into(),
                intents.iter().map(|intent| intent.token).collect::<Vec<_>>().into(),
                intents.iter().map(|intent| intent.message_id.clone()).collect::<Vec<_>>().into(),
                from_instant(now).into(),
                from_instant(now + LEASE).into(),
            ],
        )
        .await?;
    Ok(ids(rows))
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The server took the mail, in these words.
    Sent {
        /// The server's words.
        reply: String,
    },
    /// It certainly did not go out; try again at `at`.
    Retry {
        /// When.
        at: Timestamp,
        /// How far it came (see the worker's phases).
        phase: &'static str,
        /// What was said.
        reply: String,
    },
    /// It will never go out.
    Dead {
        /// How far it came.
        phase: &'static str,
        /// What was said.
        reply: String,
        /// Whether nothing more may be sent to this address by this clinic.
        suppress: bool,
    },
    /// It may or may not have gone out. Never resent by itself.
    Unknown {
        /// What happened instead of a reply.
        reply: String,
    },
    /// It is not wanted any more.
    Skipped(NoticeSkip),
    /// Given back untouched; does not count as an attempt.
    Returned {
        /// When to look again.
        at: Timestamp,
    },
}

/// Settlements as one array a column, for `unnest`; what is absent is ''.
#[derive(Default)]
struct Columns {
    clinic: Vec<Uuid>,
    notice: Vec<Uuid>,
    token: Vec<Uuid>,
    state: Vec<String>,
    reason: Vec<String>,
    phase: Vec<String>,
    reply: Vec<String>,
    next_at: Vec<String>,
    returned: Vec<i32>,
    suppress: Vec<bool>,
    attempt: Vec<Uuid>,
}

impl Columns {
    fn push(&mut self, notice: &Claimed, settlement: &Settlement) {
        let (state, reason, phase, reply, next) = match settlement {
            Settlement::Sent { reply } => ("sent", "", "dot", reply.as_str(), None),
            Settlement::Retry { at, phase, reply } => ("pending", "", *phase, reply.as_str(), Some(*at)),
            Settlement::Dead { phase, reply, .. } => ("dead", "", *phase, reply.as_str(), None),
            Settlement::Unknown { reply } => ("unknown", "", "dot", reply.as_str(), None),
            Settlement::Skipped(why) => ("skipped", why.tag(), "", "", None),
            Settlement::Returned { at } => ("pending", "", "", "", Some(*at)),
        };
        self.clinic.push(notice.clinic.0);
        self.notice.push(notice.id.0);
        self.token.push(notice.token);
        self.state.push(state.to_owned());
        self.reason.push(reason.to_owned());
        self.phase.push(phase.to_owned());
        self.reply.push(reply.chars().take(1000).collect());
        self.next_at.push(next.map(|at| at.to_string()).unwrap_or_default());
        self.returned.push(i32::from(matches!(settlement, Settlement::Returned { .. })));
        self.suppress.push(matches!(settlement, Settlement::Dead { suppress: true, .. }));
        self.attempt.push(Uuid::now_v7());
    }
}

/// Records how attempts ended, with their attempt rows, in one statement. Returns the notices that were still this worker's; about the
/// others nothing is recorded. An `unknown` that its own worker can answer after all becomes what the server said.
///
/// # Errors
/// The store's own.
pub async fn settle(tx: &Tx, settled: &[(Claimed, Settlement)], now: Timestamp) -> Result<HashSet<NoticeId>, StoreError> {
    let mut columns = Columns::default();
    for (notice, settlement) in settled {
        columns.push(notice, settlement);
    }
    let Columns { clinic, notice, token, state, reason, phase, reply, next_at, returned, suppress, attempt } = columns;
    let rows = tx
        .all::<Id>(
            "with given as (
               select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                 $9::int[], $10::bool[], $11::uuid[])
                 as g (clinic_id, id, token, state, reason, phase, reply, next_at, returned, suppress, attempt_id)),
             settled as (
               update notice n set state = g.state, reason = nullif(g.reason, ''), reply = coalesce(nullif(g.reply, ''), n.reply),
                 next_at = coalesce(nullif(g.next_at, '')::timestamptz, n.next_at), attempts = n.attempts - g.returned,
                 settled_at = case when g.state <> 'pending' then $12::timestamptz end,
                 token = case when g.state = 'unknown' then n.token end, lease_until = null
               from given g
               where n.clinic_id = g.clinic_id and n.id = g.id and n.token = g.token and n.state in ('claimed', 'sending', 'unknown')
               returning n.clinic_id, n.id, n.recipient, g.state, g.phase, g.reply, g.suppress, g.attempt_id),
             attempt as (
               insert into delivery_attempt (clinic_id, id, notice_id, at, phase, outcome, reply)
               select clinic_id, attempt_id, id, $12, phase, case when state = 'pending' then 'retry' else state end, nullif(reply, '')
               from settled where phase <> ''),
             suppressed as (
               insert into suppression (clinic_id, email, scope, reason, created_at)
               select distinct on (clinic_id, recipient) clinic_id, recipient, 'all', left(reply, 500), $12::timestamptz
               from settled where suppress
               on conflict (clinic_id, email, scope) do nothing)
             select id from settled",
            [
                clinic.into(),
                notice.into(),
                token.into(),
                state.into(),
                reason.into(),
                phase.into(),
                reply.into(),
                next_at.into(),
                returned.into(),
                suppress.into(),
                attempt.into(),
                from_instant(now).into(),
            ],
        )
        .await?;
    Ok(ids(rows))
}

/// What [`reap`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reaped {
    /// Claims that ran out and are pending again: certainly not sent.
    pub returned: u64,
    /// Reminders whose worker went away after the intent: nobody knows whether they were sent.
    pub unknown: u64,
}

/// Takes up what workers left behind: an expired claim is pending again, an expired `sending` becomes unknown, or pending for the
/// kinds that may be repeated. What another worker is writing down at this moment is left to it.
///
/// # Errors
/// The store's own.
pub async fn reap(tx: &Tx, now: Timestamp) -> Result<Reaped, StoreError> {
    let returned = tx
        .run(
            "update notice n set state = 'pending', token = null, lease_until = null
             from (select clinic_id, id from notice
                   where lease_until <= $1 and (state = 'claimed' or (state = 'sending' and kind not in ('session_reminder', 'answer')))
                   for update skip locked) as left_behind
             where n.clinic_id = left_behind.clinic_id and n.id = left_behind.id",
            [from_instant(now).into()],
        )
        .await?;
    let unknown = tx
        .run(
            "with lost as (
               update notice n set state = 'unknown', lease_until = null, settled_at = $1,
                 reply = 'the worker went away before the mail server''s reply'
               from (select clinic_id, id from notice where lease_until <= $1 and state = 'sending' for update skip locked) as left_behind
               where n.clinic_id = left_behind.clinic_id and n.id = left_behind.id
               returning n.clinic_id, n.id, n.reply)
             insert into delivery_attempt (clinic_id, id, notice_id, at, phase, outcome, reply)
             select clinic_id, gen_random_uuid(), id, $1, 'dot', 'unknown', reply from lost",
            [from_instant(now).into()],
        )
        .await?;
    Ok(Reaped { returned, unknown })
}

/// What is in the queue and not at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromQueryResult)]
pub struct Queue {
    /// Waiting for their time or for a worker.
    pub pending: i64,
    /// Held by a worker, not yet on their way.
    pub claimed: i64,
    /// On their way.
    pub sending: i64,
}

/// Counts the queue, by the indexes of what is not at its end.
///
/// # Errors
/// The store's own.
pub async fn queue(tx: &Tx) -> Result<Queue, StoreError> {
    let counted = tx
        .one(
            "select (select count(*) from notice where state = 'pending') as pending,
               count(*) filter (where state = 'claimed') as claimed, count(*) filter (where state = 'sending') as sending
             from notice where state in ('claimed', 'sending')",
            [],
        )
        .await?;
    Ok(counted.unwrap_or_default())
}

/// Writes down why no mail goes out, for people to see, or that mail goes out again.
///
/// # Errors
/// The store's own.
pub async fn note_pause(tx: &Tx, reason: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
    tx.run(
        "update mail_sender set paused_since = case when $1 <> '' then coalesce(paused_since, $2) end, paused_reason = nullif(left($1, 500), '')
         where $1 <> '' or paused_since is not null",
        [reason.unwrap_or_default().into(), from_instant(now).into()],
    )
    .await?;
    Ok(())
}
