//! Who still logs by the week of the program: a bar for each week, with how many it rests on.

use std::fmt::Write as _;

use domain::cohort::Week;
use serde::Serialize;

use super::at;
use crate::{Svg, formats::percent, svg::escape};

const LEFT: f64 = 40.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 22.0;
const FOOT: f64 = 142.0;
const WEEK: f64 = 159.0;
const N: f64 = 176.0;
const HEIGHT: f64 = 184.0;
/// The room inside a card on a phone 320 px wide.
const NARROWEST: f64 = 250.0;
/// How tall the empty bar of a week is of which nothing is said.
const UNSAID: f64 = 14.0;

/// A week in words, for the table that says the same as the drawing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WeekRow {
    /// 1 for the first.
    pub number: u32,
    /// How many programs had something due in it.
    pub programs: u32,
    /// Of these: with a session logged.
    pub logging: u32,
    /// "92%" or "too few to read".
    pub share: String,
}

/// The drawing and the same in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ByWeek {
    /// The chart.
    pub svg: Svg,
    /// Week by week.
    pub rows: Vec<WeekRow>,
    /// Whether a week rests on too few programs to be drawn.
    pub unsaid: bool,
}

/// Draws one bar for each week. A week that rests on too few programs is an empty, dashed one of one height, whatever was logged in it.
/// For the clinic's staff, so in English.
pub fn by_week(weeks: &[Week]) -> ByWeek {
    let rows: Vec<WeekRow> = weeks
        .iter()
        .map(|week| WeekRow {
            number: week.number,
            programs: week.programs,
            logging: week.logging,
            share: week.share().map_or_else(|| "too few to read".to_owned(), percent),
        })
        .collect();
    let step = match weeks.len() {
        few @ 1..=6 => (NARROWEST - LEFT - RIGHT) / few as f64,
        0 | 7..=26 => 36.0,
        _ => 28.0,
    };
    let width = (LEFT + RIGHT + step * weeks.len() as f64).max(NARROWEST);
    let wide = (step * 0.68).min(40.0);
    let mut inside = String::new();
    for share in [0.0, 0.5, 1.0] {
        let y = FOOT - (FOOT - TOP) * share;
        let _ = write!(
            inside,
            "<path class=\"dbd-grid\" d=\"M{} {}H{}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            at(LEFT),
            at(y),
            at(width - RIGHT),
            at(LEFT - 6.0),
            at(y + 4.0),
            percent(share),
        );
    }
    for (label, y) in [("Week", WEEK), ("n", N)] {
        let _ = write!(inside, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>", at(LEFT - 6.0), at(y));
    }
    for (i, (week, row)) in weeks.iter().zip(&rows).enumerate() {
        let middle = LEFT + step * (i as f64 + 0.5);
        let said = escape(&format!("Week {}: {} of {}, {}", row.number, row.logging, row.programs, row.share));
        let (class, tall) = match week.share() {
            Some(share) => ("weeks-bar", (FOOT - TOP) * share.clamp(0.0, 1.0)),
            None => ("weeks-few", UNSAID),
        };
        let _ = write!(
            inside,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"2\"><title>{said}</title></rect>",
            at(middle - wide / 2.0),
            at(FOOT - tall),
            at(wide),
            at(tall),
        );
        if let Some(share) = week.share() {
            let y = at((FOOT - tall - 5.0).max(12.0));
            let _ = write!(
                inside,
                "<text class=\"weeks-share\" x=\"{}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
                at(middle),
                percent(share)
            );
        }
        for (text, y) in [(row.number, WEEK), (row.programs, N)] {
            let _ = write!(inside, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{text}</text>", at(middle), at(y));
        }
    }
    let spoken: Vec<String> = rows.iter().map(|row| format!("week {}, {} (n = {})", row.number, row.share, row.programs)).collect();
    let label = format!("Still logging by week of the program: {}.", spoken.join("; "));
    let svg = format!(
        "<svg class=\"dbd-svg{short}\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" aria-label=\"{}\">{inside}</svg>",
        escape(&label),
        short = if weeks.len() <= 6 { " weeks-short" } else { "" },
        w = at(width),
        h = at(HEIGHT),
    );
    let unsaid = weeks.iter().any(|week| week.share().is_none());
    ByWeek { svg: Svg::drawn(svg), rows, unsaid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_of_four_is_drawn_as_unsaid_whatever_they_did() {
        let drawn = |logging| {
            let svg = by_week(&[Week { number: 9, programs: 4, logging }]).svg.as_str().to_owned();
            svg.split("<rect").nth(1).unwrap().split("<title>").next().unwrap().to_owned()
        };
        assert!(drawn(4).contains("weeks-few"));
        assert_eq!(drawn(4), drawn(0), "its height says nothing");
        let five = by_week(&[Week { number: 9, programs: 5, logging: 4 }]);
        assert!(five.svg.as_str().contains("weeks-bar") && five.svg.as_str().contains(">80%<"), "{}", five.svg.as_str());
        assert_eq!(five.rows[0].share, "80%");
    }

    #[test]
    fn everybody_and_nobody_stand_inside_the_drawing() {
        for logging in [0, 10] {
            let drawn = by_week(&[Week { number: 1, programs: 10, logging }]);
            assert!(!drawn.svg.as_str().contains("\"-"), "{}", drawn.svg.as_str());
        }
        assert!(by_week(&[]).rows.is_empty());
    }
}
