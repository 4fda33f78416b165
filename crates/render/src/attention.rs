//! How a finding reads to a physiotherapist: a headline for the caseload's tag, and a sentence with the facts for the patient's page.

use domain::{
    attention::{Attention, AttentionKind, Facts},
    session_log::RedFlag,
};
use serde::Serialize;

use crate::{
    formats::{day_medium, one_decimal, percent, score},
    words::Language,
};

/// A short status with its tone and sign; never a colour alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The words.
    pub label: String,
    /// `pain`, `warn`, `quiet`, or empty for the brand's own.
    pub tone: &'static str,
    /// An icon's name, or empty.
    pub icon: &'static str,
}

impl Status {
    /// A status without an icon.
    pub fn plain(label: impl Into<String>, tone: &'static str) -> Self {
        Self { label: label.into(), tone, icon: "" }
    }
}

/// The headline of a finding.
pub fn status(attention: &Attention) -> Status {
    let (label, tone, icon) = match &attention.facts {
        Facts::StopSigns { .. } => ("Stop sign reported".to_owned(), "pain", "warning"),
        Facts::StillStopped { .. } => ("Still stopped by a stop sign".to_owned(), "pain", "warning"),
        Facts::PainHigh { score, .. } => (format!("Pain {} after a session", score.get()), "pain", "warning"),
        Facts::PainRising { recent, before, .. } => {
            (format!("Pain up {} since the week before", score(recent - before)), "pain", "up")
        }
        Facts::MissedRun { sessions, .. } => (format!("{sessions} sessions missed in a row"), "warn", ""),
        Facts::Dropped { recent, before } => {
            (format!("Adherence down to {} from {}", percent(*recent), percent(*before)), "warn", "")
        }
        Facts::NeverSignedIn { .. } => ("Invited, not signed in".to_owned(), "warn", ""),
        Facts::NothingLogged { days, .. } => (format!("Started {}, nothing logged", days_ago(*days)), "warn", ""),
        Facts::Asked { count: 1, .. } => ("Left a note".to_owned(), "", ""),
        Facts::Asked { count, .. } => (format!("Left {count} notes"), "", ""),
        Facts::ReadyForReview { .. } => ("Ready for review".to_owned(), "", ""),
    };
    Status { label, tone, icon }
}

/// The kind of a finding, where its facts are not at hand any more.
pub fn kind(kind: AttentionKind) -> &'static str {
    match kind {
        AttentionKind::StopSigns => "Stop sign reported",
        AttentionKind::PainHigh => "High pain after a session",
        AttentionKind::PainRising => "Pain rising",
        AttentionKind::MissedRun => "Sessions missed in a row",
        AttentionKind::Dropped => "Adherence down",
        AttentionKind::NotStarted => "Not started",
        AttentionKind::Asked => "Left a note",
        AttentionKind::ReadyForReview => "Ready for review",
    }
}

/// The facts of a finding in a sentence.
pub fn sentence(attention: &Attention) -> String {
    match &attention.facts {
        Facts::StopSigns { flags, .. } => {
            let said: Vec<&str> = flags.iter().map(|flag| red_flag(*flag)).collect();
            format!(
                "Reported: {}. The program is paused and the patient was told to stop and call. Only a physiotherapist can resume it.",
                said.join("; ")
            )
        }
        Facts::StillStopped { from, .. } => format!(
            "Stopped by a stop sign on {} and not resumed since. The patient took the tick back, or only another program was resumed. \
             Only a physiotherapist can resume it.",
            day_medium(Language::En, *from)
        ),
        Facts::PainHigh { score, limit, .. } => {
            format!("Pain after a session was {} of 10; this clinic looks from {limit} up.", score.get())
        }
        Facts::PainRising { recent, before, before_n } => format!(
            "The last 3 scored sessions average {}, against {} in the 7 days before them (n = {before_n}).",
            one_decimal(*recent),
            one_decimal(*before)
        ),
        Facts::MissedRun { sessions, .. } => format!("Nothing was done in {sessions} due sessions in a row."),
        Facts::Dropped { recent, before } => {
            format!("Adherence was {} in the last 14 days and {} in the 14 days before.", percent(*recent), percent(*before))
        }
        Facts::NeverSignedIn { days, .. } => {
            format!("The invitation went out {} and has not been accepted.", days_ago(*days))
        }
        Facts::NothingLogged { days, .. } => format!("The program started {} and nothing has been logged.", days_ago(*days)),
        Facts::Asked { count: 1, .. } => "A note waits for an answer.".to_owned(),
        Facts::Asked { count, .. } => format!("{count} notes wait for an answer."),
        Facts::ReadyForReview { days_left: 0, .. } => "The program ends today.".to_owned(),
        Facts::ReadyForReview { days_left: 1, .. } => "The program ends tomorrow.".to_owned(),
        Facts::ReadyForReview { days_left, .. } => format!("The program ends in {days_left} days."),
    }
}

/// A stop sign as the clinic reads it.
pub fn red_flag(flag: RedFlag) -> &'static str {
    match flag {
        RedFlag::NumbnessOrWeakness => "numbness or weakness in a limb",
        RedFlag::UnsteadyWalking => "unsteady walking",
        RedFlag::BladderOrBowel => "loss of bladder or bowel control",
        RedFlag::FeverOrWeightLoss => "fever or unexplained weight loss",
        RedFlag::ChestPainOrBreathlessness => "chest pain or breathlessness",
        RedFlag::FallOrBlow => "a recent fall or blow",
    }
}

fn days_ago(days: u32) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days => format!("{days} days ago"),
    }
}
