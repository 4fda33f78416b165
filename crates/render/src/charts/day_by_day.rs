//! Pain and sessions over a period, a column per day: the heart of the report.

use std::fmt::Write as _;

use jiff::civil::Date;
use serde::Serialize;

use super::{DayMark, at, counts};
use crate::svg::escape;
use crate::words::{Language, say};
use crate::{Svg, formats};

const LEFT: f64 = 34.0;
/// The scale stands on both sides: on a phone the drawing is scrolled to its latest day.
const RIGHT: f64 = 28.0;
const PAIN_ZERO: f64 = 150.0;
const PAIN_STEP: f64 = 13.0;
const BARS_TOP: f64 = 172.0;
const BARS_FOOT: f64 = 216.0;
const LABELS: f64 = 234.0;
const HEIGHT: f64 = 244.0;
/// The room inside a card on a phone 320 px wide.
const NARROWEST: f64 = 250.0;
/// A line does not claim to know more than a week without a score.
const LONGEST_GAP: usize = 7;

/// One day of the chart.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartDay {
    /// The patient's civil date.
    pub date: Date,
    /// What became of it.
    pub mark: DayMark,
    /// How much of the day's sessions was done, 0 to 1; gives a part-done bar its height.
    pub completion: f64,
    /// Pain before, 0 to 10 (the mean when there were several sessions); `None` when not given.
    pub before: Option<f64>,
    /// Pain after, likewise.
    pub after: Option<f64>,
}

/// A day from which something else was prescribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The first day of the new version.
    pub date: Date,
    /// A few words for the reader: "version 2".
    pub label: String,
}

/// What stands under the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weeks {
    /// "Week 1", "Week 2", … counted from the program's first day.
    From(Date),
    /// The date of every seventh day, where a period spans several programs.
    Dates,
}

/// A day in words, for the table that says the same as the drawing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayRow {
    /// "Wed 18 Nov".
    pub date: String,
    /// "part done".
    pub state: String,
    /// "2", or "not given" on a day with a session, or "" on others.
    pub before: String,
    /// Likewise.
    pub after: String,
}

/// The drawing, its legend, and the same in words. Print it with `{{<ui.day_by_day chart={chart}/>}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayByDay {
    /// The chart.
    pub svg: Svg,
    /// What its lines and bars mean.
    pub legend_svg: Svg,
    /// Newest day first; days outside the program are left out.
    pub rows: Vec<DayRow>,
}

fn y(score: f64) -> f64 {
    PAIN_ZERO - PAIN_STEP * score.clamp(0.0, 10.0)
}

/// Draws `days` (consecutive, oldest first) with `changes` as marks.
///
/// Columns are 17 units wide for up to seven weeks, wider for a few days and narrower for longer periods; the page scrolls the drawing
/// sideways where it does not fit. A line joins two scores across days on which nothing could be scored; it
/// breaks where a session was logged without a score, and after more than seven days.
pub fn day_by_day(language: Language, days: &[ChartDay], changes: &[Change], weeks: Weeks) -> DayByDay {
    let step = match days.len() {
        // a week or so fills the narrowest phone
        few @ 1..=11 => (NARROWEST - LEFT - RIGHT) / few as f64,
        0 | 12..=49 => 17.0,
        50..=98 => 10.0,
        _ => 6.0,
    };
    let width = (LEFT + RIGHT + step * days.len() as f64).max(NARROWEST);
    let x = |i: usize| LEFT + step * (i as f64 + 0.5);

    let mut inside = String::new();
    for score in [0, 2, 4, 6, 8, 10] {
        let line = at(y(f64::from(score)));
        let _ = write!(
            inside,
            "<path class=\"dbd-grid\" d=\"M{} {line}H{}\"/><text x=\"{}\" y=\"{foot}\" text-anchor=\"end\">{score}</text>\
             <text x=\"{}\" y=\"{foot}\">{score}</text>",
            at(LEFT),
            at(width - RIGHT),
            at(LEFT - 8.0),
            at(width - RIGHT + 8.0),
            foot = at(y(f64::from(score)) + 4.0),
        );
    }
    for change in changes {
        let Some(i) = days.iter().position(|day| day.date == change.date) else { continue };
        let left = at(LEFT + step * i as f64);
        let _ = write!(
            inside,
            "<path class=\"dbd-change\" stroke-width=\"1.5\" d=\"M{left} 14V{}\"/>\
             <text class=\"dbd-change-label\" x=\"{left}\" y=\"10\">{}</text>",
            at(BARS_FOOT),
            escape(&change.label),
        );
    }
    for (i, day) in days.iter().enumerate() {
        bar(&mut inside, language, day, x(i), step);
    }
    line(&mut inside, days, &x, |day| day.before, "before", "2");
    line(&mut inside, days, &x, |day| day.after, "after", "2.5");
    week_labels(&mut inside, language, days, weeks, step);

    let svg = format!(
        "<svg class=\"dbd-svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" aria-label=\"{}\">{inside}</svg>",
        escape(&label(language, days)),
        w = at(width),
        h = at(HEIGHT),
    );
    DayByDay { svg: Svg::drawn(svg), legend_svg: legend(language, days), rows: rows(language, days) }
}

fn bar(out: &mut String, language: Language, day: &ChartDay, middle: f64, step: f64) {
    let wide = (step * 0.7).min(26.0).round();
    let left = at(middle - wide / 2.0);
    let tall = BARS_FOOT - BARS_TOP;
    let corner = if step > 8.0 { "2.5" } else { "1" };
    let whole = format!("y=\"{}\" height=\"{}\"", at(BARS_TOP), at(tall));
    let framed = format!("y=\"{}\" height=\"{}\"", at(BARS_TOP + 0.5), at(tall - 1.0));
    let (class, size) = match day.mark {
        DayMark::Done => ("dbd-done", whole),
        // never as tall as a full bar, never too small to see
        DayMark::Part => {
            let part = (tall * day.completion.clamp(0.15, 0.85)).round();
            ("dbd-part", format!("y=\"{}\" height=\"{}\"", at(BARS_FOOT - part), at(part)))
        }
        DayMark::Missed => ("dbd-miss", framed),
        DayMark::Open => ("dbd-open", framed),
        DayMark::Rest => ("dbd-rest", format!("y=\"{}\" height=\"3\"", at(BARS_FOOT - 3.0))),
        DayMark::Paused => ("dbd-pause", format!("y=\"{}\" height=\"3\"", at(BARS_FOOT - 3.0))),
        DayMark::Outside => return,
    };
    let mut said = format!("{}: {}", formats::day_short(language, day.date), day.mark.word(language));
    if let (Some(before), Some(after)) = (day.before, day.after) {
        let _ = write!(said, ", {} → {}", formats::score(before), formats::score(after));
    }
    let said = escape(&said);
    let _ = write!(
        out,
        "<rect class=\"{class}\" x=\"{left}\" width=\"{}\" {size} rx=\"{corner}\"><title>{said}</title></rect>",
        at(wide)
    );
    if day.mark == DayMark::Paused {
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{left}\" y=\"{}\" width=\"{}\" height=\"3\" rx=\"{corner}\"/>",
            at(BARS_FOOT - 9.0),
            at(wide)
        );
    }
}

fn line(
    out: &mut String,
    days: &[ChartDay],
    x: &impl Fn(usize) -> f64,
    score: impl Fn(&ChartDay) -> Option<f64>,
    class: &str,
    pen: &str,
) {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut broken = true;
    for (i, day) in days.iter().enumerate() {
        if score(day).is_some() {
            let far = runs.last().and_then(|run| run.last()).is_none_or(|last| i - last > LONGEST_GAP);
            match runs.last_mut() {
                Some(run) if !broken && !far => run.push(i),
                _ => runs.push(vec![i]),
            }
            broken = false;
        } else if matches!(day.mark, DayMark::Done | DayMark::Part) {
            broken = true; // a session was logged and the score kept back: nothing is claimed across it
        }
    }
    let point = |i: usize| (x(i), y(score(&days[i]).unwrap_or_default()));
    let mut path = String::new();
    for run in &runs {
        for (n, i) in run.iter().enumerate() {
            let (px, py) = point(*i);
            let _ = write!(path, "{}{} {}", if n == 0 { "M" } else { "L" }, at(px), at(py));
        }
    }
    if path.is_empty() {
        return;
    }
    let _ = write!(out, "<path class=\"dbd-{class}\" stroke-width=\"{pen}\" stroke-linejoin=\"round\" d=\"{path}\"/>");
    for run in runs.iter().filter(|run| run.len() == 1) {
        let (px, py) = point(run[0]);
        let _ = write!(out, "<circle class=\"dbd-{class}-dot\" cx=\"{}\" cy=\"{}\" r=\"2.5\"/>", at(px), at(py));
    }
}

fn week_labels(out: &mut String, language: Language, days: &[ChartDay], weeks: Weeks, step: f64) {
    // a label needs about 46 units; narrow columns name every second or fourth week
    let every = (46.0 / (step * 7.0)).ceil() as i32;
    let Some(first) = days.first() else { return };
    let start = match weeks {
        Weeks::From(start) => start,
        Weeks::Dates => first.date,
    };
    for (i, day) in days.iter().enumerate() {
        let since = (day.date - start).get_days();
        if since < 0 || since % 7 != 0 || (since / 7) % every != 0 || day.mark == DayMark::Outside {
            continue;
        }
        let text = match weeks {
            Weeks::From(_) => say(language, "daybyday-week", &[("n", (since / 7 + 1).into())]),
            Weeks::Dates => formats::day_short(language, day.date),
        };
        let left = at(LEFT + step * i as f64 + step * 0.15);
        let _ = write!(out, "<text x=\"{left}\" y=\"{}\">{}</text>", at(LABELS), escape(&text));
    }
}

fn label(language: Language, days: &[ChartDay]) -> String {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return String::new() };
    let scores: Vec<f64> = days.iter().filter_map(|day| day.after).collect();
    let pain = match (scores.first(), scores.last()) {
        (Some(from), Some(to)) => {
            let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
            let high = scores.iter().copied().fold(0.0, f64::max);
            let args = [("first", *from), ("last", *to), ("low", low), ("high", high)];
            say(language, "daybyday-pain", &args.map(|(name, score)| (name, formats::score(score).into())))
        }
        _ => say(language, "daybyday-no-pain", &[]),
    };
    let args = [
        ("from", formats::day_medium(language, first.date)),
        ("to", formats::day_medium(language, last.date)),
        ("counts", counts(language, days.iter().map(|day| day.mark))),
        ("pain", pain),
    ];
    say(language, "daybyday-label", &args.map(|(name, text)| (name, text.into())))
}

fn legend(language: Language, days: &[ChartDay]) -> Svg {
    let mut out = String::from("<ul class=\"legend\">");
    let sample = |class: &str, pen: &str, key: &str| {
        format!(
            "<li><svg viewBox=\"0 0 22 16\" aria-hidden=\"true\"><path class=\"{class}\" stroke-width=\"{pen}\" \
             d=\"M0 8H22\"/></svg>{}</li>",
            escape(&say(language, key, &[]))
        )
    };
    if days.iter().any(|day| day.before.is_some()) {
        out.push_str(&sample("dbd-before", "2", "daybyday-legend-before"));
    }
    if days.iter().any(|day| day.after.is_some()) {
        out.push_str(&sample("dbd-after", "2.5", "daybyday-legend-after"));
    }
    out.push_str("</ul>");
    let all = [DayMark::Done, DayMark::Part, DayMark::Missed, DayMark::Rest, DayMark::Paused, DayMark::Open];
    let present: Vec<DayMark> = all.into_iter().filter(|mark| days.iter().any(|day| day.mark == *mark)).collect();
    let lines = out.trim_end_matches("</ul>").to_owned();
    let bars = super::legend(language, &present);
    let bars = bars.as_str().trim_start_matches("<ul class=\"legend\">").to_owned();
    Svg::drawn(lines + &bars)
}

fn rows(language: Language, days: &[ChartDay]) -> Vec<DayRow> {
    let cell = |day: &ChartDay, score: Option<f64>| match score {
        Some(score) => formats::score(score),
        None if matches!(day.mark, DayMark::Done | DayMark::Part) => say(language, "daybyday-not-given", &[]),
        None => String::new(),
    };
    days.iter()
        .rev()
        .filter(|day| day.mark != DayMark::Outside)
        .map(|day| DayRow {
            date: formats::day_with_weekday(language, day.date),
            state: day.mark.word(language),
            before: cell(day, day.before),
            after: cell(day, day.after),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn day(n: i8, mark: DayMark, after: Option<f64>) -> ChartDay {
        ChartDay { date: date(2026, 11, n), mark, completion: 0.5, before: None, after }
    }

    fn after_line(chart: &DayByDay) -> String {
        let rest = chart.svg.as_str().split("class=\"dbd-after\"").nth(1).expect("a line").to_owned();
        rest.split(" d=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    #[test]
    fn a_line_crosses_rest_and_missed_days_and_breaks_at_a_kept_back_score() {
        let days = [
            day(1, DayMark::Done, Some(5.0)),
            day(2, DayMark::Rest, None),
            day(3, DayMark::Done, Some(4.0)),
            day(4, DayMark::Done, None),
            day(5, DayMark::Done, Some(0.0)),
            day(6, DayMark::Done, Some(1.0)),
        ];
        let line = after_line(&day_by_day(Language::En, &days, &[], Weeks::Dates));
        assert_eq!(line.matches('M').count(), 2, "{line}");
        assert_eq!(line.matches('L').count(), 2, "{line}");
        assert!(line.contains(" 150"), "a zero is drawn at zero: {line}");
    }

    #[test]
    fn absent_is_not_given_and_never_zero() {
        let chart = day_by_day(Language::En, &[day(1, DayMark::Done, None)], &[], Weeks::Dates);
        assert_eq!(chart.rows[0].after, "not given");
        assert!(!chart.svg.as_str().contains("dbd-after"));
        assert!(chart.svg.as_str().contains("No pain scores were given."));
    }

    #[test]
    fn a_change_is_marked_where_it_begins() {
        let days = [day(1, DayMark::Done, None), day(2, DayMark::Done, None)];
        let changes = [Change { date: date(2026, 11, 2), label: "v2 <b>".into() }];
        let chart = day_by_day(Language::En, &days, &changes, Weeks::From(date(2026, 11, 1)));
        // two days share the 188 units of the narrowest drawing; the second begins 94 after the left margin
        assert!(chart.svg.as_str().contains("M128 14V216"), "{}", chart.svg.as_str());
        assert!(chart.svg.as_str().contains("v2 &lt;b&gt;"));
        assert!(chart.svg.as_str().contains(">Week 1<"));
    }

    #[test]
    fn a_period_without_days_is_drawn_empty() {
        let chart = day_by_day(Language::En, &[], &[], Weeks::Dates);
        assert!(chart.rows.is_empty());
    }
}
