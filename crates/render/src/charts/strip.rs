//! A row of small bars, one per day, oldest first: the last four weeks at a glance.

use std::fmt::Write as _;

use super::{DayMark, counts};
use crate::Svg;
use crate::svg::escape;
use crate::words::{Language, say};

/// Width of a day, bar and gap, in units of the drawing.
const STEP: usize = 9;
const HEIGHT: usize = 24;

/// The states in the order they are drawn, with the class and pen of each.
const PENS: [(DayMark, &str, &str); 6] = [
    (DayMark::Done, "s-done", "7"),
    (DayMark::Part, "s-part", "7"),
    (DayMark::Missed, "s-miss", "1"),
    (DayMark::Rest, "s-rest", "7"),
    (DayMark::Paused, "s-pause", "7"),
    (DayMark::Open, "s-open", "1\" stroke-dasharray=\"2 2"),
];

/// One bar's path, from the left edge `x` of its day. Height and outline tell the states apart:
/// done is a full bar, part half a bar, missed an empty frame, open a dashed frame, rest a stub,
/// paused two stubs, outside nothing.
fn bar(mark: DayMark, x: usize) -> String {
    let middle = x + STEP / 2;
    match mark {
        DayMark::Done => format!("M{middle} 0v24"),
        DayMark::Part => format!("M{middle} 12v12"),
        DayMark::Missed | DayMark::Open => format!("M{}.5.5h6v23h-6z", x + 1),
        DayMark::Rest => format!("M{middle} 22v2"),
        DayMark::Paused => format!("M{middle} 18v2m0 2v2"),
        DayMark::Outside => String::new(),
    }
}

// One path per state, not one element per day: a caseload of hundreds of rows stays small.
fn paths(days: &[DayMark]) -> String {
    let mut out = String::new();
    for (mark, class, pen) in PENS {
        let line: String = days.iter().enumerate().filter(|(_, day)| **day == mark).map(|(i, day)| bar(*day, i * STEP)).collect();
        if !line.is_empty() {
            let _ = write!(out, "<path class=\"{class}\" stroke-width=\"{pen}\" d=\"{line}\"/>");
        }
    }
    out
}

/// The strip of `days`, oldest first; usually the last 28.
pub fn strip(language: Language, days: &[DayMark]) -> Svg {
    let said = counts(language, days.iter().copied());
    let label = if said.is_empty() {
        say(language, "strip-none", &[("days", days.len().into())])
    } else {
        say(language, "strip-label", &[("days", days.len().into()), ("counts", said.into())])
    };
    let width = days.len() * STEP;
    Svg::drawn(format!(
        "<svg class=\"strip\" viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\" aria-label=\"{}\">{}</svg>",
        escape(&label),
        paths(days)
    ))
}

/// What the bars mean, for below a strip or a day-by-day chart: one item per state in `marks`.
pub fn legend(language: Language, marks: &[DayMark]) -> Svg {
    let mut out = String::from("<ul class=\"legend\">");
    for mark in marks {
        let _ = write!(
            out,
            "<li><svg viewBox=\"0 0 9 24\" aria-hidden=\"true\">{}</svg>{}</li>",
            paths(&[*mark]),
            escape(&mark.word(language))
        );
    }
    out.push_str("</ul>");
    Svg::drawn(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_own_shape() {
        let all = [DayMark::Done, DayMark::Part, DayMark::Missed, DayMark::Rest, DayMark::Paused, DayMark::Outside, DayMark::Open];
        let mut shapes: Vec<String> = all
            .iter()
            .map(|mark| {
                // the pen without its class: what remains when colours are gone
                let pen = PENS.iter().find(|(m, ..)| m == mark).map(|(_, _, pen)| *pen);
                format!("{:?} {}", pen, bar(*mark, 0))
            })
            .collect();
        shapes.sort();
        shapes.dedup();
        assert_eq!(shapes.len(), all.len());
    }

    #[test]
    fn it_says_what_it_shows() {
        let svg = strip(Language::En, &[DayMark::Done, DayMark::Done, DayMark::Missed, DayMark::Rest]);
        assert!(svg.as_str().contains("aria-label=\"Last 4 days: 2 done, 1 missed, 1 rest day\""), "{}", svg.as_str());
        let none = strip(Language::En, &[DayMark::Outside; 28]);
        assert!(none.as_str().contains("Last 28 days: no sessions due"));
    }

    #[test]
    fn a_row_stays_small() {
        let svg = strip(Language::En, &[DayMark::Done; 28]);
        assert!(svg.as_str().len() < 600, "{} bytes", svg.as_str().len());
    }
}
