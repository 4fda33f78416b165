//! Pain on the numeric rating scale (NPRS, whole numbers 0–10), and how far a
//! change can be trusted.
//!
//! A score that was not given is `None` and never 0. Change is read between
//! two windows, never between two points, and against published thresholds;
//! a new region gets its row in `thresholds`, with the paper it comes from.

use crate::session_log::PainScore;
use crate::tags::tagged;
use jiff::civil::Date;

/// How many days with a score make a window.
pub const WINDOW_DAYS: usize = 7;
/// The fewest scores on which a mean may claim anything.
pub const MIN_SCORES: u32 = 2;

tagged! {
    /// Where it hurts, as far as the thresholds differ.
    "region"
    pub enum Region {
        /// Upper back (read with the thresholds of "other").
        UpperBack = "upper_back",
        /// Lower back
        LowerBack = "lower_back",
        /// Neck
        Neck = "neck",
        /// Shoulder
        Shoulder = "shoulder",
        /// Anything else
        Other = "other",
    }
}

/// The pain of one logged session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PainPoint {
    /// The patient's civil date of the session.
    pub date: Date,
    /// Before the session, if given.
    pub before: Option<PainScore>,
    /// After the session, if given.
    pub after: Option<PainScore>,
}

/// A mean over several scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Mean score, 0–10.
    pub mean: f64,
    /// How many scores it rests on.
    pub n: u32,
    /// The first date in it.
    pub from: Date,
    /// The last date in it.
    pub to: Date,
}

/// What a change means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// Too few scores to say anything.
    NotEnough,
    /// Smaller than what measuring twice may differ by.
    WithinError,
    /// Larger than the measurement error, smaller than what matters to patients.
    BeyondError,
    /// Beyond measurement error and as large as what patients notice.
    Meaningful,
}

/// The numbers a change is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Smallest detectable change (MDC95), in points.
    pub mdc: f64,
    /// Minimal clinically important difference, in points.
    pub mcid: f64,
    /// The paper they come from.
    pub source: &'static str,
}

/// Pain after sessions, first days against last days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PainChange {
    /// The first 7 days with a score.
    pub first: Option<Window>,
    /// The last 7 days with a score.
    pub last: Option<Window>,
    /// `last - first` in points (negative is less pain); `None` when no change is claimed.
    pub delta: Option<f64>,
    /// What it means.
    pub reading: Reading,
    /// What it was held against; `None` when there is no baseline.
    pub thresholds: Option<Thresholds>,
}

/// The thresholds for a region, given the baseline (mean of the first window).
///
/// Sources: low back, doi 10.1055/a-1304-3677 (MDC95 1.77; MCID 2, namely 1
/// from a baseline of 1–4, 2 from 5–7, 3 from 8–10). Neck, Kovacs 2008, BMC
/// Musculoskelet Disord 9:43 (MDC95 4.0, MCID 1.5). Everything else, Salaffi
/// 2004, PMID 15207508 (2 points or 33 %, whichever is reached first).
pub fn thresholds(region: Region, baseline: f64) -> Thresholds {
    match region {
        Region::LowerBack => Thresholds {
            mdc: 1.77,
            mcid: match baseline.round() {
                b if (1.0..=4.0).contains(&b) => 1.0,
                b if b >= 8.0 => 3.0,
                _ => 2.0,
            },
            source: "doi 10.1055/a-1304-3677",
        },
        Region::Neck => Thresholds { mdc: 4.0, mcid: 1.5, source: "Kovacs 2008, BMC Musculoskelet Disord 9:43" },
        Region::UpperBack | Region::Shoulder | Region::Other => {
            Thresholds { mdc: 2.0, mcid: f64::min(2.0, 0.33 * baseline), source: "Salaffi 2004, PMID 15207508" }
        }
    }
}

/// How pain after sessions changed. Points may come in any order; those
/// without an `after` score are left out.
pub fn change(points: &[PainPoint], region: Region) -> PainChange {
    let mut scored: Vec<(Date, u8)> =
        points.iter().filter_map(|point| point.after.map(|score| (point.date, score.get()))).collect();
    scored.sort_unstable();
    let mut days: Vec<Date> = scored.iter().map(|(date, _)| *date).collect();
    days.dedup();

    let window = |days: &[Date]| -> Option<Window> {
        let (from, to) = (*days.first()?, *days.last()?);
        let inside = scored.iter().filter(|(date, _)| (from..=to).contains(date)).map(|(_, score)| u32::from(*score));
        let (sum, n) = inside.fold((0u32, 0u32), |(sum, n), score| (sum + score, n + 1));
        Some(Window { mean: f64::from(sum) / f64::from(n), n, from, to })
    };
    let first = window(&days[..days.len().min(WINDOW_DAYS)]);
    let last = window(&days[days.len().saturating_sub(WINDOW_DAYS)..]);
    let limits = first.map(|window| thresholds(region, window.mean));

    let nothing = PainChange { first, last, delta: None, reading: Reading::NotEnough, thresholds: limits };
    let (Some(a), Some(b), Some(limits)) = (first, last, limits) else {
        return nothing;
    };
    // Up to seven scored days both windows are the same days, and a window
    // compared with itself would say "no change" where nothing is known yet.
    if a.n < MIN_SCORES || b.n < MIN_SCORES || days.len() <= WINDOW_DAYS {
        return nothing;
    }
    let delta = b.mean - a.mean;
    PainChange { delta: Some(delta), reading: read(delta, limits), ..nothing }
}

/// Reads a change against its thresholds. It is called meaningful only when it
/// is beyond measurement error too: in the neck 1.5 points matter to patients,
/// but the scale cannot tell fewer than 4 from chance.
pub fn read(delta: f64, limits: Thresholds) -> Reading {
    // Means of whole numbers carry rounding in the last digits; 2 must stay 2.
    let size = delta.abs() + 1e-9;
    if size < limits.mdc {
        Reading::WithinError
    } else if size < limits.mcid {
        Reading::BeyondError
    } else {
        Reading::Meaningful
    }
}
