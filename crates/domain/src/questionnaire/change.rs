//! What a change in the answers means, held against published thresholds.

use super::{Answer, Rating, Scored};
use crate::ids::ActivityId;
use crate::pain::{Reading, Region};
use jiff::civil::Date;

/// From so many points on, patients call the change important: Kamper 2009 on
/// the 11-point scale.
pub const GROC_MIC: i8 = 2;
/// Where [`GROC_MIC`] comes from.
pub const GROC_SOURCE: &str = "Kamper 2009, PMID 20046623";

/// The mean of the activities scored in one answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The patient's civil date of the answer.
    pub date: Date,
    /// 0–10; higher is better.
    pub mean: f64,
    /// How many activities it rests on.
    pub n: usize,
}

/// The numbers a change in ability is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AbilityThresholds {
    /// Smallest detectable change, in points.
    pub mdc: f64,
    /// The paper it comes from.
    pub mdc_source: &'static str,
    /// Minimal clinically important difference, in points, and its paper;
    /// `None` where none is known for the region or for a single activity.
    pub mcid: Option<(f64, &'static str)>,
}

/// How the activities changed between the first answer and the newest one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AbilityChange {
    /// The first answer, over the activities that both answers score.
    pub first: Mean,
    /// The newest answer, over the same activities.
    pub last: Mean,
    /// `last - first` in points; positive is better.
    pub delta: f64,
    /// What it means.
    pub reading: Reading,
    /// What it was held against.
    pub thresholds: AbilityThresholds,
}

/// The thresholds of the original scale for a region and a number of
/// activities.
///
/// Sources: Stratford 1995, Physiother Can 47:258–263 (MDC90 2 points for the
/// mean of several activities, 3 for a single one; used for every region
/// without a figure of its own). Low back, Maughan & Lewis 2010, doi
/// 10.1007/s00586-010-1353-6 (MCID 1.4). Neck, Cleland 2006, Spine 31:598–602
/// (MDC 2.1, MCID 2.0; cervical radiculopathy). Shoulder, doi
/// 10.1186/s12891-020-03289-z (MIC 1.9–2.0, taken as 2.0). The 1.10 of doi
/// 10.1093/ptj/pzad113 is for the 2.0 edition and does not hold here.
pub fn ability_thresholds(region: Region, activities: usize) -> AbilityThresholds {
    const STRATFORD: &str = "Stratford 1995, Physiother Can 47:258–263";
    const CLELAND: &str = "Cleland 2006, Spine 31:598–602";
    if activities == 1 {
        return AbilityThresholds { mdc: 3.0, mdc_source: STRATFORD, mcid: None };
    }
    let (mdc, mdc_source) = match region {
        Region::Neck => (2.1, CLELAND),
        Region::LowerBack | Region::Shoulder | Region::UpperBack | Region::Other => (2.0, STRATFORD),
    };
    let mcid = match region {
        Region::LowerBack => Some((1.4, "Maughan & Lewis 2010, doi 10.1007/s00586-010-1353-6")),
        Region::Neck => Some((2.0, CLELAND)),
        Region::Shoulder => Some((2.0, "doi 10.1186/s12891-020-03289-z")),
        Region::UpperBack | Region::Other => None,
    };
    AbilityThresholds { mdc, mdc_source, mcid }
}

/// The change from the first answer that scores activities to the newest one
/// that does; answers may come in any order. Only activities that both score
/// are compared: a mean that gained or lost an activity would change by that
/// alone. `None` without two such answers, or when they share no activity.
pub fn ability_change(answers: &[Answer], region: Region) -> Option<AbilityChange> {
    let mut scored: Vec<&Answer> = answers.iter().filter(|answer| answer.mean().is_some()).collect();
    scored.sort_by_key(|answer| (answer.date, answer.received_at, answer.id));
    let (first, last) = (*scored.first()?, *scored.last()?);
    if first.id == last.id {
        return None;
    }
    let given =
        |answer: &Answer, id: ActivityId| answer.activities.iter().any(|scored| scored.activity.id == id && scored.score.is_some());
    let first_mean = mean(first, |scored| given(last, scored.activity.id))?;
    let last_mean = mean(last, |scored| given(first, scored.activity.id))?;
    let thresholds = ability_thresholds(region, first_mean.n);
    let delta = last_mean.mean - first_mean.mean;
    Some(AbilityChange { first: first_mean, last: last_mean, delta, reading: read_ability(delta, thresholds), thresholds })
}

/// Reads a change against its thresholds. Where nobody has published what
/// matters to patients, none is called meaningful.
pub fn read_ability(delta: f64, limits: AbilityThresholds) -> Reading {
    // Means of whole numbers carry rounding in the last digits; 2 must stay 2.
    let size = delta.abs() + 1e-9;
    match limits.mcid {
        _ if size < limits.mdc => Reading::WithinError,
        Some((mcid, _)) if size >= mcid => Reading::Meaningful,
        Some(_) | None => Reading::BeyondError,
    }
}

/// Reads a rating of change: as large as patients call important, or not.
pub fn rating_reading(rating: Rating) -> Reading {
    if rating.get().abs() >= GROC_MIC { Reading::Meaningful } else { Reading::WithinError }
}

/// The mean over the activities that were scored and are wanted.
pub(super) fn mean(answer: &Answer, wanted: impl Fn(&Scored) -> bool) -> Option<Mean> {
    let scores: Vec<u8> = answer
        .activities
        .iter()
        .filter(|scored| wanted(scored))
        .filter_map(|scored| scored.score)
        .map(super::Ability::get)
        .collect();
    let n = u32::try_from(scores.len()).ok().filter(|n| *n > 0)?;
    let sum: u32 = scores.iter().map(|score| u32::from(*score)).sum();
    Some(Mean { date: answer.date, mean: f64::from(sum) / f64::from(n), n: scores.len() })
}
