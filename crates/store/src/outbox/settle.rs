//! What a worker writes down about the notices it holds: that one is about to go out, and how each ended.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use domain::reminder::NoticeSkip;
use jiff::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Claim, Claimed, LEASE, claim::ClaimRow, suppression::Refusal};
use crate::{Store, StoreError, Tx, convert::from_instant};

/// That the mail of a claimed notice is about to go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The claim by which the notice is held.
    pub claim: Claim,
    /// The mail's Message-ID.
    pub message_id: String,
}

impl Intent {
    /// The intent to send a claimed notice's mail.
    pub fn of(notice: &Claimed, message_id: impl Into<String>) -> Self {
        Self { claim: notice.claim(), message_id: message_id.into() }
    }
}

/// For how long a permit may wait before it is used, from the moment at which it was asked for. A database that answers later has most
/// likely called the notice unknown by then, and told people so. Together with the longest time that content may take this is less than
/// [`LEASE`].
const PERMIT: Duration = Duration::from_secs(30);

/// Permission to send the mail of one claim, once. [`intend`] alone makes it, after the intent of exactly that claim was committed; it
/// cannot be copied, and the worker's mailer takes it away when it sends content.
#[derive(Debug)]
pub struct SendPermit {
    claim: Claim,
    asked: Instant,
}

impl SendPermit {
    /// The claim whose mail may be sent.
    pub fn claim(&self) -> Claim {
        self.claim
    }

    /// Whether it is for this claim, and not too old.
    pub fn allows(&self, claim: Claim) -> bool {
        self.claim == claim && self.asked.elapsed() < PERMIT
    }
}

/// Notes that mails are about to go out, in one statement that is committed when this returns: a permit for each intent that was
/// granted, in the order of the intents. An intent is granted when its claim still holds: the token is the notice's own and the lease has
/// not ended by the database's clock. Without a permit the mail may not be sent.
///
/// That the claim holds says more: whatever was read about the notice after it was claimed is still so. A change that can end the mail,
/// or send it elsewhere, takes the claim back in its own transaction (see the module `recall`), so the recipient, the wish and what is due are
/// asked again by comparing the token.
///
/// # Errors
/// The store's own; none of the mails may go out then.
pub async fn intend(store: &Store, intents: Vec<Intent>) -> Result<Vec<Option<SendPermit>>, StoreError> {
    let asked = Instant::now();
    let claims: Vec<Claim> = intents.iter().map(|intent| intent.claim).collect();
    let mut granted = sending(&store.autocommit(), intents).await?;
    // Taken out of the set: the same claim asked twice is granted once.
    Ok(claims.into_iter().map(|claim| granted.take(&claim).map(|claim| SendPermit { claim, asked })).collect())
}

async fn sending(tx: &Tx, mut intents: Vec<Intent>) -> Result<HashSet<Claim>, StoreError> {
    // As every statement that holds several notices takes them, so that two of them cannot wait for each other.
    intents.sort_unstable_by_key(|intent| intent.claim);
    let rows = tx
        .all::<ClaimRow>(
            "update notice n set state = 'sending', message_id = i.message_id,
               lease_until = clock_timestamp() + make_interval(secs => $5)
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) as i (clinic_id, id, token, message_id)
             where n.clinic_id = i.clinic_id and n.id = i.id and n.token = i.token
               -- As a case, so that nobody thinks of reading the index of leases for it, which is full of leases that are over.
               and case when n.state = 'claimed' then n.lease_until > clock_timestamp() else false end
             returning n.clinic_id, n.id, n.token",
            [
                intents.iter().map(|intent| intent.claim.clinic.0).collect::<Vec<_>>().into(),
                intents.iter().map(|intent| intent.claim.notice.0).collect::<Vec<_>>().into(),
                intents.iter().map(|intent| intent.claim.token).collect::<Vec<_>>().into(),
                intents.iter().map(|intent| intent.message_id.clone()).collect::<Vec<_>>().into(),
                LEASE.as_secs_f64().into(),
            ],
        )
        .await?;
    Ok(rows.into_iter().map(Claim::from).collect())
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
    /// The server refused it for good: what follows is judged with everything that was refused and accepted meanwhile
    /// ([`super::suppression::refuse`]). Recorded here it is only tried again.
    Refused(Refusal),
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
            Settlement::Refused(Refusal { phase, reply, until, .. }) => ("pending", "", *phase, reply.as_str(), Some(*until)),
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

/// Records how attempts ended, with their attempt rows, in one statement. Returns the claims that still held; about the others nothing
/// is recorded. An `unknown` that its own worker can answer after all becomes what the server said.
///
/// # Errors
/// The store's own.
pub async fn settle(tx: &Tx, settled: &[(Claimed, Settlement)], now: Timestamp) -> Result<HashSet<Claim>, StoreError> {
    let mut columns = Columns::default();
    let mut settled: Vec<&(Claimed, Settlement)> = settled.iter().collect();
    settled.sort_by_key(|(notice, _)| notice.claim());
    for (notice, settlement) in settled {
        columns.push(notice, settlement);
    }
    let Columns { clinic, notice, token, state, reason, phase, reply, next_at, returned, suppress, attempt } = columns;
    let rows = tx
        .all::<ClaimRow>(
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
               returning n.clinic_id, n.id, g.token, n.recipient, g.state, g.phase, g.reply, g.suppress, g.attempt_id),
             attempt as (
               insert into delivery_attempt (clinic_id, id, notice_id, at, phase, outcome, reply)
               select clinic_id, attempt_id, id, $12, phase, case when state = 'pending' then 'retry' else state end, nullif(reply, '')
               from settled where phase <> ''),
             suppressed as (
               insert into suppression (clinic_id, email, scope, reason, created_at)
               select distinct on (clinic_id, recipient) clinic_id, recipient, 'all', left(reply, 500), $12::timestamptz
               from settled where suppress
               on conflict (clinic_id, email, scope) do nothing)
             select clinic_id, id, token from settled",
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
    Ok(rows.into_iter().map(Claim::from).collect())
}

/// What [`reap`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reaped {
    /// Claims that ran out and are pending again: certainly not sent.
    pub returned: u64,
    /// Reminders whose worker went away after the intent: nobody knows whether they were sent.
    pub unknown: u64,
}

/// Takes up what workers left behind: a claim whose lease ended by the database's clock is pending again, such a `sending` becomes
/// unknown, or pending for the kinds that may be repeated. What another worker is writing down at this moment is left to it. `now` is only
/// noted.
///
/// # Errors
/// The store's own.
pub async fn reap(tx: &Tx, now: Timestamp) -> Result<Reaped, StoreError> {
    let returned = tx
        .run(
            "update notice n set state = 'pending', token = null, lease_until = null
             from (select clinic_id, id from notice
                   where lease_until <= statement_timestamp()
                     and (state = 'claimed' or (state = 'sending' and kind not in ('session_reminder', 'answer')))
                   for update skip locked) as left_behind
             where n.clinic_id = left_behind.clinic_id and n.id = left_behind.id",
            [],
        )
        .await?;
    let unknown = tx
        .run(
            "with lost as (
               update notice n set state = 'unknown', lease_until = null, settled_at = $1,
                 reply = 'the worker went away before the mail server''s reply'
               from (select clinic_id, id from notice
                     where lease_until <= statement_timestamp() and state = 'sending' and kind in ('session_reminder', 'answer')
                     for update skip locked) as left_behind
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

/// Records why no mail goes out, for people to see. [`super::suppression::end_pause`] records that mail goes out again.
///
/// # Errors
/// The store's own.
pub async fn note_pause(tx: &Tx, reason: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.run(
        "update mail_sender set paused_since = coalesce(paused_since, $2), paused_reason = left($1, 500), refusals_since = null",
        [reason.into(), from_instant(now).into()],
    )
    .await?;
    Ok(())
}
