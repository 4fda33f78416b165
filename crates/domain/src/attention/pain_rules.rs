//! The two kinds that rest on pain after sessions.

use super::{Attention, AttentionKind, Facts, Scored};
use crate::pain::MIN_SCORES;
use crate::program::days_between;
use jiff::ToSpan;
use jiff::civil::Date;

/// How long a pain finding stands without a newer session to renew it.
const STANDS_DAYS: i32 = 14;
/// The sessions whose mean is "recent".
const RECENT_SESSIONS: usize = 3;
/// The days before them whose mean they are held against.
const BEFORE_DAYS: i32 = 7;
/// By how many points the mean must rise.
const RISE: f64 = 2.0;
/// A rise that lets up for no longer than this and returns is the same rise.
const SAME_RISE_DAYS: i32 = 7;

/// The newest session of the last 14 days with pain at or above the limit.
/// Every such session is a fact of its own, and so is another score in a correction.
pub(super) fn high(scores: &[Scored], limit: u8, today: Date) -> Option<Attention> {
    scores
        .iter()
        .filter(|scored| scored.after.get() >= limit && is_fresh(scored.date, today))
        .max_by_key(|scored| order(scored))
        .map(|scored| Attention {
            kind: AttentionKind::PainHigh,
            since: scored.date,
            key: format!("{} {}", scored.log, scored.after.get()),
            facts: Facts::PainHigh { score: scored.after, limit, log: scored.log },
        })
}

/// The mean of the last three scored sessions at least 2 above the mean of the
/// seven days before them. The key is the session with which the rise began,
/// so that one acknowledged does not return with every further session.
pub(super) fn rising(scores: &[Scored], today: Date) -> Option<Attention> {
    let mut scores: Vec<Scored> = scores.iter().filter(|scored| scored.date <= today).copied().collect();
    scores.sort_by_key(order);
    if !is_fresh(scores.last()?.date, today) {
        return None;
    }
    let mut began: Option<Scored> = None;
    let mut held_on: Option<Date> = None;
    let mut now = None;
    for end in RECENT_SESSIONS..=scores.len() {
        now = rise(&scores[..end]);
        if now.is_some() {
            let scored = scores[end - 1];
            let same = held_on.is_some_and(|date| days_between(date, scored.date) <= SAME_RISE_DAYS);
            if !same {
                began = Some(scored);
            }
            held_on = Some(scored.date);
        }
    }
    let (facts, began) = (now?, began?);
    Some(Attention { kind: AttentionKind::PainRising, since: began.date, key: began.log.to_string(), facts })
}

/// Whether pain is rising at the end of these scores (in order).
fn rise(scores: &[Scored]) -> Option<Facts> {
    let (earlier, recent) = scores.split_at(scores.len().checked_sub(RECENT_SESSIONS)?);
    let first = recent.first()?.date;
    let from = first.checked_sub(BEFORE_DAYS.days()).ok()?;
    // Sessions are in order, so the week is the end of `earlier`.
    let week = &earlier[earlier.partition_point(|scored| scored.date < from)..];
    let week = &week[..week.partition_point(|scored| scored.date < first)];
    let (before, before_n) = mean(week)?;
    let (recent, _) = mean(recent)?;
    // As with every window: fewer than two scores claim nothing. The rounding
    // of means must not turn a rise of exactly 2 into less.
    (before_n >= MIN_SCORES && recent - before >= RISE - 1e-9).then_some(Facts::PainRising { recent, before, before_n })
}

fn mean(scores: &[Scored]) -> Option<(f64, u32)> {
    let n = u32::try_from(scores.len()).ok().filter(|n| *n > 0)?;
    let sum: u32 = scores.iter().map(|scored| u32::from(scored.after.get())).sum();
    Some((f64::from(sum) / f64::from(n), n))
}

fn is_fresh(date: Date, today: Date) -> bool {
    (0..STANDS_DAYS).contains(&days_between(date, today))
}

fn order(scored: &Scored) -> (Date, jiff::Timestamp, crate::ids::LogId) {
    (scored.date, scored.performed_at, scored.log)
}
