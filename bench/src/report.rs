//! Series of measurements, and the table they end in.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What was measured in each round.
#[derive(Debug, Clone, Default)]
pub struct Series(Vec<f64>);

impl Series {
    /// Of one value.
    pub fn single(value: f64) -> Self {
        Self(vec![value])
    }

    /// Adds a round's value.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle value.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => sorted[count / 2],
            count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
        }
    }

    /// Each round's value by the same round's of another series: what disturbs a round disturbs both.
    pub fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect())
    }

    fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

/// The table. Lines are printed as they are added.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    what: String,
    series: Series,
    digits: usize,
    unit: &'static str,
    goal: Option<Goal>,
}

/// What a figure has to reach.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Goal {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(goal) => value >= goal,
            Self::AtMost(goal) => value <= goal,
        }
    }

    fn text(self, digits: usize) -> String {
        match self {
            Self::AtLeast(goal) => format!("≥ {}", number(goal, digits)),
            Self::AtMost(goal) => format!("≤ {}", number(goal, digits)),
        }
    }
}

impl Report {
    /// A line without a goal.
    pub fn line(&mut self, what: &str, series: &Series, digits: usize, unit: &'static str) {
        self.add(what, series, digits, unit, None);
    }

    /// A line with a goal, which its median has to reach.
    pub fn goal(&mut self, what: &str, series: &Series, digits: usize, unit: &'static str, goal: Goal) {
        self.add(what, series, digits, unit, Some(goal));
    }

    fn add(&mut self, what: &str, series: &Series, digits: usize, unit: &'static str, goal: Option<Goal>) {
        let line = Line { what: what.to_owned(), series: series.clone(), digits, unit, goal };
        let [median, spread, goal] = line.cells();
        println!("{:<64} {median:>18}  {spread:<26} {goal}", line.what);
        self.lines.push(line);
    }

    /// As Markdown.
    pub fn markdown(&self, head: &str) -> String {
        let mut out = format!("{head}\n\n| | median | min – max | goal |\n|---|---:|---:|---|\n");
        for line in &self.lines {
            let [median, spread, goal] = line.cells();
            let _ = writeln!(out, "| {} | {median} | {spread} | {goal} |", line.what);
        }
        out
    }

    /// As JSON, every round's value included.
    pub fn json(&self, machine: &Value, sizes: &Value) -> Value {
        let lines = self.lines.iter().map(|line| {
            json!({
                "what": line.what,
                "unit": line.unit.trim(),
                "median": line.series.median(),
                "min": line.series.min(),
                "max": line.series.max(),
                "rounds": line.series.0,
                "goal": line.goal.map(|goal| goal.text(line.digits)),
                "met": line.goal.map(|goal| goal.met(line.series.median())),
            })
        });
        json!({ "machine": machine, "sizes": sizes, "figures": lines.collect::<Vec<_>>() })
    }
}

impl Line {
    fn cells(&self) -> [String; 3] {
        let show = |value| number(value, self.digits);
        let median = self.series.median();
        let goal = self.goal.map_or_else(String::new, |goal| {
            format!("{} {}", goal.text(self.digits), if goal.met(median) { "met" } else { "NOT MET" })
        });
        let several = self.series.0.len() > 1;
        let spread = if several { format!("{} – {}", show(self.series.min()), show(self.series.max())) } else { String::new() };
        [format!("{}{}", show(median), self.unit), spread, goal]
    }
}

/// A number with commas between thousands.
fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}
