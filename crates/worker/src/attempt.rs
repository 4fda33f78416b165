//! One attempt at one notice: look again whether it is still wanted, write the mail, hand it over, and say how that ended.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use domain::reminder::{Decision, Due, GRACE, NoticeSkip, decide};
use jiff::{SignedDuration, Timestamp};
use store::{
    StoreError, link,
    outbox::{self, Claimed, Intent, Kind, LEASE, Settlement, facts::Facts, suppression::Refusal},
};

use crate::{
    Engine,
    clock::Clock,
    pause::{backoff, hide},
    refusal,
    smtp::{Outcome, Phase},
};

/// An account notice that could not be sent for so long is given up.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(72);
/// What is known about a notice must not be older than this when its mail is written. Whether the mail is still wanted does not hang on
/// this (the claim does not outlive a change), but what it says does.
const FRESH: Duration = Duration::from_secs(5);
/// A claim with less time left is given back: it may run out before its mail has left.
const MARGIN: Duration = Duration::from_secs(20);

/// A claimed notice with what is known about it.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) notice: Claimed,
    pub(crate) facts: Arc<Facts>,
    /// Since when that is known.
    pub(crate) read_at: Instant,
    /// The claim was made no earlier than this. How long it lives does not go by a clock that can be set.
    pub(crate) claimed_at: Instant,
}

/// What is to be done with a notice: look further, or write down an end without sending.
pub(crate) type Prepared = Result<Ready, (Claimed, Settlement)>;

/// Reads what is to be known about claimed notices, and decides which are still wanted. A row that cannot be read takes down its own
/// notice only.
pub(crate) async fn prepare(engine: &Engine, notices: Vec<Claimed>, claimed_at: Instant, clock: &Clock) -> Vec<Prepared> {
    let (now, read_at) = (clock.now(), Instant::now());
    let ready = |notice: Claimed, facts: &Arc<Facts>| match unwanted(&notice, facts, now) {
        Some(settlement) => Err((notice, settlement)),
        None => Ok(Ready { notice, facts: facts.clone(), read_at, claimed_at }),
    };
    match read(engine, &notices).await {
        Ok(facts) => notices.into_iter().map(|notice| ready(notice, &facts)).collect(),
        Err(StoreError::Corrupt { .. }) => {
            let mut prepared = Vec::with_capacity(notices.len());
            for notice in notices {
                prepared.push(match read(engine, std::slice::from_ref(&notice)).await {
                    Ok(facts) => ready(notice, &facts),
                    Err(error @ StoreError::Corrupt { .. }) => {
                        let dead = Settlement::Dead { phase: "compose", reply: error.to_string(), suppress: false };
                        Err((notice, dead))
                    }
                    Err(error) => Err((notice, later(&error, now))),
                });
            }
            prepared
        }
        Err(error) => {
            let later = later(&error, now);
            notices.into_iter().map(|notice| Err((notice, later.clone()))).collect()
        }
    }
}

async fn read(engine: &Engine, notices: &[Claimed]) -> Result<Arc<Facts>, StoreError> {
    outbox::facts::read(&engine.store.autocommit(), notices).await.map(Arc::new)
}

fn later(error: &StoreError, now: Timestamp) -> Settlement {
    tracing::error!(%error, "notices could not be looked up and wait a minute");
    Settlement::Returned { at: now + SignedDuration::from_mins(1) }
}

/// Why a notice is not sent now, if it is not. Asked when the notice was claimed and again just before its intent: what is known about it
/// has not changed while the claim holds, but time has passed.
fn unwanted(notice: &Claimed, facts: &Facts, now: Timestamp) -> Option<Settlement> {
    let dead = |why: &str| Some(Settlement::Dead { phase: "compose", reply: why.to_owned(), suppress: false });
    let skip = |why| Some(Settlement::Skipped(why));
    // Whatever kind it is.
    if let Some(patient) = facts.patient(notice) {
        if patient.closed {
            return skip(NoticeSkip::Closed);
        }
        // A notice about a patient goes to the patient; one to their account is not about the record.
        if notice.patient.is_some() {
            match patient.email.as_deref() {
                None => return dead("the patient has no email address any more"),
                // It changed while the claim was being made: the next claim has the new one.
                Some(email) if email != notice.recipient.as_str() => return Some(Settlement::Returned { at: now }),
                Some(_) => {}
            }
        }
    }
    if notice.kind == Kind::Invitation && facts.member(notice).is_some_and(|member| member.withdrawn) {
        return dead("the invitation was withdrawn");
    }
    if notice.kind != Kind::SessionReminder {
        // Every such mail was asked for by somebody. It is tried in spite of a refusal of the address: that was a reminder's, perhaps on
        // a bad day of the mail server, and a link to a new password must not be lost for it.
        return if now > wanted_until(notice) { dead("it could not be sent for three days") } else { None };
    }
    let (Some((date, time)), Some(patient)) = (notice.civil, facts.patient(notice)) else {
        return dead("the patient this reminder is for is not there");
    };
    // The patient may have chosen other hours since this one was planned.
    if patient.rule.times.is_empty() {
        return skip(NoticeSkip::Unsubscribed);
    }
    if !patient.rule.times.contains(&time) {
        return skip(NoticeSkip::Expired);
    }
    let unsubscribed = facts.unsubscribed(notice);
    // What the patient wishes is the reason before what a mail server said.
    if !unsubscribed && facts.refused(notice).is_some() {
        return skip(NoticeSkip::Refused);
    }
    let standing = patient.standing(date, unsubscribed);
    match decide(&patient.rule, &Due { date, time, at: notice.due_at }, &standing, now) {
        Decision::Send => None,
        Decision::Wait => Some(Settlement::Returned { at: notice.due_at }),
        Decision::Skip(why) => skip(why),
    }
}

/// Until when a notice is worth sending.
fn wanted_until(notice: &Claimed) -> Timestamp {
    match notice.kind {
        Kind::SessionReminder => notice.due_at + GRACE,
        // Asking for another attempt starts the time anew.
        _ => notice.resent_at.unwrap_or(notice.created_at) + GIVE_UP,
    }
}

/// Makes one attempt, and says how it ended. Nothing is written down here but the intent.
pub(crate) async fn attempt(engine: &Arc<Engine>, ready: Ready, clock: &Clock) -> (Claimed, Settlement) {
    let Ready { notice, facts, read_at, claimed_at } = ready;
    let now = clock.now();
    if engine.stopping() {
        return (notice, Settlement::Returned { at: now });
    }
    if let Some(pause) = engine.pause.until(now) {
        return (notice, Settlement::Returned { at: pause.until });
    }
    if claimed_at.elapsed() + MARGIN > LEASE {
        return (notice, Settlement::Returned { at: now });
    }
    if read_at.elapsed() > FRESH {
        // It waited for a slow domain.
        return match prepare(engine, vec![notice.clone()], claimed_at, clock).await.pop() {
            Some(Ok(Ready { notice, facts, .. })) => {
                let settlement = send(engine, &notice, &facts, clock).await;
                (notice, settlement)
            }
            Some(Err(ended)) => ended,
            None => (notice, Settlement::Returned { at: now }),
        };
    }
    let settlement = send(engine, &notice, &facts, clock).await;
    (notice, settlement)
}

/// How an intent came out.
enum Intended {
    /// The mail may go; it counts as being on its way.
    Granted,
    /// The time in which it is wanted has passed.
    Ended(Settlement),
    /// The claim does not hold any more, or the database could not be asked.
    Refused,
}

/// Writes the mail, hands it over, and says how that ended.
async fn send(engine: &Arc<Engine>, notice: &Claimed, facts: &Facts, clock: &Clock) -> Settlement {
    let token = match issue_link(engine, notice, facts, clock.now()).await {
        Ok(token) => token,
        Err(error) => {
            tracing::error!(notice = %notice.id, %error, "a link could not be made; the mail waits a minute");
            return Settlement::Returned { at: clock.now() + SignedDuration::from_mins(1) };
        }
    };
    let mail = match engine.composer.compose(notice, facts, token.as_deref(), clock.now()).await {
        Ok(mail) => mail,
        Err(error) => return Settlement::Dead { phase: "compose", reply: error.to_string(), suppress: false },
    };
    // Without a committed intent the mail certainly did not go out.
    let intended = OnceLock::new();
    let intent = async {
        let permit = match unwanted(notice, facts, clock.now()) {
            Some(ended) => {
                let _ = intended.set(Intended::Ended(ended));
                return None;
            }
            None => engine.ledger.intend(Intent::of(notice, &mail.message_id)).await,
        };
        let _ = intended.set(if permit.is_some() { Intended::Granted } else { Intended::Refused });
        permit
    };
    let handed_over = engine.mailer.deliver(notice.claim(), &mail.envelope, &mail.content, clock.now(), intent);
    let outcome = tokio::select! {
        outcome = handed_over => outcome,
        () = engine.out_of_time() => {
            return match intended.get() {
                Some(Intended::Granted) => {
                    unanswered(notice, "the worker was stopped before the mail server's reply".to_owned(), clock)
                }
                Some(Intended::Ended(_) | Intended::Refused) | None => Settlement::Returned { at: clock.now() },
            };
        }
    };
    match outcome {
        Outcome::Accepted { reply } => {
            if engine.pause.end(clock.now()) {
                engine.tell_end(clock.now()).await;
            }
            if facts.refused(notice).is_some() {
                refusal::lift(engine, notice).await;
            }
            Settlement::Sent { reply }
        }
        Outcome::Withheld => match intended.into_inner() {
            Some(Intended::Ended(settlement)) => settlement,
            // Either the claim was taken back or over, and this changes nothing; or the intent could not be recorded in time.
            _ => Settlement::Returned { at: clock.now() + SignedDuration::from_secs(30) },
        },
        Outcome::Postponed { phase, reply } => retry(notice, phase, reply, clock),
        Outcome::Rejected { phase, reply, cause } => Settlement::Refused(Refusal {
            phase: phase.as_str(),
            masked: hide(&reply, &notice.recipient),
            reply,
            cause,
            until: wanted_until(notice),
        }),
        Outcome::Refused { phase, reply } => {
            // Every clinic reads it, and the log.
            let masked = hide(&reply, &notice.recipient);
            if engine.pause.begin(clock.now(), &masked) {
                engine.tell_pause(&masked, clock.now()).await;
            }
            retry(notice, phase, reply, clock)
        }
        Outcome::Unanswered { reply } => unanswered(notice, reply, clock),
    }
}

fn retry(notice: &Claimed, phase: Phase, reply: String, clock: &Clock) -> Settlement {
    Settlement::Retry { at: clock.now() + backoff(notice.attempt, notice.id), phase: phase.as_str(), reply }
}

/// The server may have the mail, and nobody said so.
fn unanswered(notice: &Claimed, reply: String, clock: &Clock) -> Settlement {
    if notice.kind.may_repeat() { retry(notice, Phase::Dot, reply, clock) } else { Settlement::Unknown { reply } }
}

/// The token of the one-time link that a mail carries, if it carries one. Made anew at each attempt; those of attempts that failed
/// were seen by nobody and end by themselves.
async fn issue_link(engine: &Engine, notice: &Claimed, facts: &Facts, now: Timestamp) -> Result<Option<String>, StoreError> {
    let purpose = match (notice.kind, notice.patient, notice.membership, notice.account) {
        (Kind::Invitation, Some(patient), None, _) => link::Purpose::InvitePatient(notice.clinic, patient),
        (Kind::Invitation, _, Some(member), _) => link::Purpose::InviteStaff(notice.clinic, member),
        // Who has not joined yet has no password to sign in with: the program's mail lets them in as the invitation does.
        (Kind::ProgramAssigned, Some(patient), _, _) if facts.patient(notice).is_some_and(|patient| !patient.joined) => {
            link::Purpose::InvitePatient(notice.clinic, patient)
        }
        (Kind::PasswordReset, _, _, Some(account)) => link::Purpose::ResetPassword(account),
        _ => return Ok(None),
    };
    let tx = engine.store.begin_worker().await?;
    let link = link::issue(&tx, purpose, &notice.recipient, now).await?;
    tx.commit().await?;
    Ok(Some(link))
}
