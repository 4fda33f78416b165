//! Pain after session as a small line from 0 to 10. A score that was not given leaves a gap, never a zero.

use std::fmt::Write as _;

use super::at;
use crate::Svg;
use crate::svg::escape;
use crate::words::{Language, say};

const WIDTH: f64 = 92.0;
const INSET: f64 = 3.0;

fn y(score: u8) -> f64 {
    25.0 - 2.2 * f64::from(score.min(10))
}

/// The line through `scores` (0–10, `None` where none was given), oldest first.
pub fn sparkline(language: Language, scores: &[Option<u8>]) -> Svg {
    let given: Vec<u8> = scores.iter().copied().flatten().collect();
    let (Some(first), Some(last)) = (given.first(), given.last()) else {
        let label = say(language, "sparkline-none", &[]);
        return Svg::drawn(format!("<span class=\"small\">{}</span>", escape(&label)));
    };
    let label = if given.len() == 1 {
        say(language, "sparkline-one", &[("last", (*last).into())])
    } else {
        let args = [("first", (*first).into()), ("last", (*last).into()), ("n", given.len().into())];
        say(language, "sparkline-label", &args)
    };
    let step = if scores.len() > 1 { (WIDTH - 2.0 * INSET) / (scores.len() - 1) as f64 } else { 0.0 };
    let x = |i: usize| if scores.len() > 1 { INSET + step * i as f64 } else { WIDTH - INSET };

    let mut line = String::new();
    let mut pen_down = false;
    let mut end = (0.0, 0.0);
    for (i, score) in scores.iter().enumerate() {
        let Some(score) = score else {
            pen_down = false;
            continue;
        };
        end = (x(i), y(*score));
        let alone = !pen_down && scores.get(i + 1).copied().flatten().is_none();
        let _ = write!(line, "{}{} {}", if pen_down { "L" } else { "M" }, at(end.0), at(end.1));
        if alone {
            line.push_str("h0"); // a round-ended line of no length is a dot
        }
        pen_down = true;
    }
    Svg::drawn(format!(
        "<svg class=\"spark\" viewBox=\"0 0 92 28\" role=\"img\" aria-label=\"{}\"><path class=\"spark-base\" d=\"M0 25.5H92\"/>\
         <path class=\"spark-line\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke-linecap=\"round\" d=\"{line}\"/>\
         <circle class=\"spark-dot\" cx=\"{}\" cy=\"{}\" r=\"3\"/></svg>",
        escape(&label),
        at(end.0),
        at(end.1)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_score_is_a_gap_and_a_zero_is_a_zero() {
        let svg = sparkline(Language::En, &[Some(4), Some(2), None, Some(0), Some(0)]);
        let line = svg.as_str().split("spark-line").nth(1).unwrap().split(" d=\"").nth(1).unwrap();
        let line = line.split('"').next().unwrap();
        assert_eq!(line.matches('M').count(), 2, "{line}");
        assert!(line.contains("M67.5 25L89 25"), "{line}");
    }

    #[test]
    fn no_scores_say_so() {
        assert!(sparkline(Language::En, &[None, None]).as_str().contains("No pain scores yet"));
        assert!(sparkline(Language::En, &[]).as_str().contains("No pain scores yet"));
    }

    #[test]
    fn one_score_is_a_dot() {
        let svg = sparkline(Language::En, &[Some(10)]);
        assert!(svg.as_str().contains("cx=\"89\" cy=\"3\""), "{}", svg.as_str());
    }
}
