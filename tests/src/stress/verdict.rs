//! The mail server's count held against the database's word, and the table that tells people.

use std::{collections::BTreeMap, fmt, time::Duration};

use anyhow::{Context as _, Result};

use testkit::smtp::Temper;

use super::{DATABASE, Settings, deeds::Tally};
use crate::cluster::Cluster;

/// What was done and seen, before anything is judged.
pub(super) struct Outcome {
    pub(super) tally: Tally,
    /// By notice: how often the mail server took responsibility.
    pub(super) accepted: BTreeMap<String, u32>,
    /// By notice: how often it wrote its 250.
    pub(super) promised: BTreeMap<String, u32>,
    pub(super) misbehaved: BTreeMap<&'static str, u32>,
    /// Which recipients do not exist.
    pub(super) temper: Temper,
    /// Who did not end well in the end.
    pub(super) left_over: Vec<String>,
    pub(super) took: Duration,
    pub(super) calm: Duration,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Every way in which the promise was broken, in words; none when it was kept.
    pub broken: Vec<String>,
    /// Reminders that the mail server accepted more than once.
    pub twice: usize,
    /// Mails that began to leave after the change that ended them, or sent them elsewhere, had been acknowledged.
    pub late: u64,
    /// Changes that were acknowledged.
    pub changes: u32,
    /// Times a worker's connections to the database were silent.
    pub stalls: u32,
    /// Times the mail server refused everybody for good.
    pub refusals: u32,
    /// Addresses given up in the end that exist.
    pub wronged: usize,
    /// Due reminders that are not there exactly once, in exactly one end state.
    pub lost: u64,
    /// Kills that hit a worker.
    pub kills: u32,
    /// Reminders by their end, `sent` or `skipped (expired)`.
    pub states: BTreeMap<String, usize>,
    /// Label and text, in order.
    table: Vec<(&'static str, String)>,
}

struct Notice {
    id: String,
    reminder: bool,
    state: String,
    reason: String,
}

/// Judges a run.
pub(super) async fn judge(cluster: &Cluster, settings: &Settings, outcome: Outcome) -> Result<Verdict> {
    let notices = cluster.rows(DATABASE, "select id, kind = 'session_reminder', state, coalesce(reason, '') from notice").await?;
    let notices = notices.into_iter().map(|row| {
        let [id, reminder, state, reason] = <[String; 4]>::try_from(row).ok().context("four columns")?;
        Ok(Notice { id, reminder: reminder == "t", state, reason })
    });
    let notices = notices.collect::<Result<Vec<Notice>>>()?;
    let mut broken = Vec::new();
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let [mut never, mut once, mut twice] = [0_usize; 3];
    let [mut unknown_accepted, mut unknown_not] = [0_usize; 2];
    let [mut account, mut account_sent, mut account_repeated] = [0_usize; 3];
    for notice in &notices {
        let Notice { id, state, .. } = notice;
        let accepted = outcome.accepted.get(id).copied().unwrap_or_default();
        let promised = outcome.promised.contains_key(id);
        if !matches!(state.as_str(), "sent" | "skipped" | "dead" | "unknown") {
            broken.push(format!("{id} ended as {state}"));
        }
        if state == "sent" && !promised {
            broken.push(format!("{id} is called sent, and the mail server never said 250"));
        }
        if !notice.reminder {
            account += 1;
            account_sent += usize::from(state == "sent");
            account_repeated += usize::from(accepted > 1);
            if !matches!(state.as_str(), "sent" | "dead") {
                broken.push(format!("the account notice {id} ended as {state}"));
            }
            continue;
        }
        let label = if notice.reason.is_empty() { state.clone() } else { format!("{state} ({})", notice.reason) };
        *states.entry(label).or_default() += 1;
        match accepted {
            0 => never += 1,
            1 => once += 1,
            times => {
                twice += 1;
                broken.push(format!("{id} was accepted {times} times; it is {state}"));
            }
        }
        match (state.as_str(), accepted > 0) {
            ("unknown", true) => unknown_accepted += 1,
            ("unknown", false) => unknown_not += 1,
            ("dead" | "skipped" | "pending", true) => broken.push(format!("{id} was accepted, and is called {state}")),
            _ => {}
        }
    }
    if let Some((stranger, _)) = outcome.accepted.iter().find(|(id, _)| !notices.iter().any(|notice| notice.id == **id)) {
        broken.push(format!("the mail server accepted {stranger}, which nobody owed"));
    }
    let lost = count(
        cluster,
        "stress_due d where 1 <> (select count(*) from notice n where n.clinic_id = d.clinic_id and n.patient_id = d.patient_id
           and n.civil_date = d.civil_date and n.civil_time = d.civil_time and n.kind = 'session_reminder'
           and n.state in ('sent', 'skipped', 'dead', 'unknown'))",
    )
    .await?;
    if lost > 0 {
        broken.push(format!("{lost} due reminders are not there exactly once in exactly one end state"));
    }
    let invented = count(
        cluster,
        "notice n where n.kind = 'session_reminder' and not exists (select 1 from stress_due d where n.clinic_id = d.clinic_id
           and n.patient_id = d.patient_id and n.civil_date = d.civil_date and n.civil_time = d.civil_time)",
    )
    .await?;
    if invented > 0 {
        broken.push(format!("{invented} reminders were made that never came due"));
    }
    // An unknown may yet turn out to be sent, when its own worker was only slow; what was given up is taken back when the mail server is not
    // believed any more. Nothing else comes back from an end.
    let risen = count(
        cluster,
        "stress_note where was in ('sent', 'skipped', 'dead', 'unknown') and not (was = 'unknown' and became in ('sent', 'dead', 'pending'))
           and not (was = 'dead' and became = 'pending')",
    )
    .await?;
    if risen > 0 {
        broken.push(format!("{risen} notices came back from an end"));
    }
    let late = count(
        cluster,
        "stress_change c join notice n on n.patient_id = c.patient_id
         join stress_note s on s.notice_id = n.id and s.became = 'sending' and s.at > c.acknowledged_at
         where case when c.kind = 'moved' then s.recipient = c.old_address else n.kind = 'session_reminder' end",
    )
    .await?;
    if late > 0 {
        broken.push(format!("{late} mails left after the change that ended them was acknowledged"));
    }
    // Whether the mail server agrees that nothing leaves without an intent.
    let intended = cluster.rows(DATABASE, "select distinct notice_id from stress_note where became = 'sending'").await?.concat();
    for id in outcome.accepted.keys().filter(|id| !intended.contains(id)) {
        broken.push(format!("{id} was accepted without an intent"));
    }
    broken.extend(outcome.tally.faults.iter().cloned());
    broken.extend(outcome.left_over.iter().cloned());
    let given_up = cluster.rows(DATABASE, "select distinct email from suppression where scope = 'all'").await?.concat();
    let wronged: Vec<&String> = given_up.iter().filter(|address| !outcome.temper.is_gone(address)).collect();
    for address in &wronged {
        broken.push(format!("{address} exists, and was given up"));
    }
    let reaped = count(cluster, "stress_note where was = 'claimed' and became = 'pending'").await?;

    let tally = &outcome.tally;
    let list = |counts: &BTreeMap<String, usize>| {
        counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    };
    let changes: Vec<String> =
        tally.changes.iter().map(|((change, state), times)| format!("{times} {} while {state}", change.name())).collect();
    let misbehaved: u32 = outcome.misbehaved.values().sum();
    let mut phases: BTreeMap<&str, u32> = BTreeMap::new();
    for (what, times) in &outcome.misbehaved {
        *phases.entry(what.split(':').next().unwrap_or(what)).or_default() += times;
    }
    let phases: Vec<String> = phases.iter().map(|(phase, times)| format!("{times} at {phase}")).collect();
    let kills = tally.kills();
    let table = vec![
        ("seed", settings.seed.to_string()),
        ("workers", settings.workers.to_string()),
        ("reminders due", count(cluster, "stress_due").await?.to_string()),
        (
            "kill -9",
            format!(
                "{kills}: {} before anything was claimed, {} with notices claimed, {} with notices sending, {} with all settled",
                tally.kills_before, tally.kills_claimed, tally.kills_sending, tally.kills_settled
            ),
        ),
        ("left behind by kills", format!("{} claimed, {} sending", tally.left_claimed, tally.left_sending)),
        ("SIGSTOP past the lease", format!("{}, {} of them holding notices", tally.frozen, tally.frozen_holding)),
        ("SIGTERM", format!("{}, the longest {:.1} s", tally.drained, tally.longest_drain.as_secs_f64())),
        ("database restarts", format!("{} immediate, {} fast", tally.restarts[0], tally.restarts[1])),
        ("clocks moved", tally.turns.to_string()),
        ("silent databases", format!("{}, {} of them to a worker holding notices", tally.stalls, tally.stalls_holding)),
        ("refusals of everybody", format!("{}, {} of them seen to be distrusted", tally.refusals, tally.distrusted)),
        ("addresses given up", format!("{}, {} of them exist", given_up.len(), wronged.len())),
        ("changes during sending", changes.join(", ")),
        ("left after that", late.to_string()),
        ("mail server misbehaved", format!("{misbehaved}: {}", phases.join(", "))),
        ("claims that came back", reaped.to_string()),
        ("reminders ended as", list(&states)),
        ("accepted", format!("{once} once, {never} never, {twice} twice or more")),
        ("lost from view", lost.to_string()),
        ("unknown", format!("{} really accepted, {} not", unknown_accepted, unknown_not)),
        ("account notices", format!("{account}: {account_sent} sent, {account_repeated} accepted more than once")),
        (
            "duration",
            format!("{:.0} s, of which {:.0} s until all was calm", outcome.took.as_secs_f64(), outcome.calm.as_secs_f64()),
        ),
        ("promise", if broken.is_empty() { "kept".to_owned() } else { format!("BROKEN in {} ways", broken.len()) }),
    ];
    Ok(Verdict {
        twice,
        late,
        changes: tally.changes.values().sum(),
        stalls: tally.stalls,
        refusals: tally.refusals,
        wronged: wronged.len(),
        lost,
        kills,
        states,
        table,
        broken,
    })
}

async fn count(cluster: &Cluster, what: &str) -> Result<u64> {
    cluster.number(DATABASE, &format!("select count(*) from {what}")).await
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (label, text) in &self.table {
            writeln!(f, "{label:<24} {text}")?;
        }
        for fault in self.broken.iter().take(20) {
            writeln!(f, "  - {fault}")?;
        }
        Ok(())
    }
}
