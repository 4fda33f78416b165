//! The report of one patient over a period: every figure from the rows, each with what it rests on. `report.csv` is the same as a file.

use std::collections::{BTreeMap, HashMap};

use domain::{
    adherence::{Adherence, DayState, adherence},
    ids::ExerciseId,
    pain::{self, PainChange, Reading, Region, Thresholds, Window},
    person::Zone,
    program::Program,
};
use jiff::civil::{Date, Time};
use render::{
    charts::{self, Change, ChartDay, Weeks},
    formats::{change_size, day_and_year, day_range_by, day_short, day_with_weekday, hour, one_decimal, percent, percent_points},
    pages::physio::patient::{ExerciseRow, Figure, LogRow, Report, effort_word, skip_reason},
    words::Language,
};
use store::reports::patient::{MOST, Session};

use super::{period::Period, said::Notes};

const EN: Language = Language::En;
/// Sessions that stand open in the list; the rest are one press away.
const LOGS_SHOWN: usize = 10;
/// Sessions listed at all; the file has every one.
const LOGS_LISTED: usize = 200;

/// What a report is made of.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The patient's given name.
    pub first_name: &'a str,
    /// Where it hurts.
    pub region: Region,
    /// The patient's zone.
    pub zone: &'a Zone,
    /// The patient's programs, by start.
    pub programs: &'a [Program],
    /// The sessions of the period, newest first.
    pub sessions: &'a [Session],
    /// What was answered to what they say.
    pub said: Notes<'a>,
    /// The names of the exercises.
    pub names: &'a HashMap<ExerciseId, String>,
    /// The days it is about.
    pub period: &'a Period,
    /// The patient's civil date.
    pub today: Date,
    /// The patient's time of day.
    pub time: Time,
}

impl Facts<'_> {
    /// Sessions due and done over the period.
    pub fn adherence(&self) -> Adherence {
        let logged: Vec<_> = self.sessions.iter().map(Session::logged).collect();
        adherence(self.programs, &logged, self.period.from, self.period.to, self.today)
    }

    /// Pain after sessions, first days against last days.
    pub fn pain(&self) -> PainChange {
        let points: Vec<_> = self.sessions.iter().map(Session::pain).collect();
        pain::change(&points, self.region)
    }

    /// The report as the page shows it; `csv` is the address of the file.
    pub fn report(&self, csv: String) -> Report {
        let sum = self.adherence();
        let pain = self.pain();
        let listed = self.sessions.len().min(LOGS_LISTED);
        let (shown, older) = self.sessions[..listed].split_at(listed.min(LOGS_SHOWN));
        let (said, said_older, said_more) = self.said();
        Report {
            sessions: self.sessions_figure(&sum),
            completion: self.completion_figure(&sum),
            pain: pain_figure(&pain),
            pain_reading: pain_reading(&pain, self.region, self.today),
            effort: self.effort_figure(),
            self_reported: self.self_reported(&sum),
            cut: (self.sessions.len() >= MOST).then(|| {
                format!(
                    "More than {MOST} sessions were logged in this period; the figures rest on the newest. Choose a shorter one."
                )
            }),
            chart: self.chart(&sum),
            behind: self.behind(&sum, &pain),
            exercises: self.exercises(&sum),
            said,
            said_older,
            said_more,
            told: self.told(),
            days: [self.period.from.to_string(), self.period.to.to_string()],
            logs: shown.iter().map(|session| self.log_row(session)).collect(),
            older_logs: older.iter().map(|session| self.log_row(session)).collect(),
            older_label: match older.len() {
                0 => None,
                1 => Some("Show the session before".to_owned()),
                n => Some(format!("Show the {n} sessions before")),
            },
            logs_more: (self.sessions.len() > listed)
                .then(|| format!("The newest {listed} of {} are listed; the CSV file has all of them.", self.sessions.len())),
            csv,
            printed: format!(
                "{} to {} · self-reported · printed on {}, {}",
                day_and_year(EN, self.period.from),
                day_and_year(EN, self.period.to),
                day_and_year(EN, self.today),
                hour(EN, self.time)
            ),
        }
    }

    fn sessions_figure(&self, sum: &Adherence) -> Figure {
        let open = sum.days.iter().any(|day| day.date == self.today && day.state == DayState::Open);
        match sum.ratio() {
            None => Figure::none("No sessions due yet", if open { "today’s is still open" } else { "" }),
            Some(ratio) => {
                let note = format!("{} of those prescribed{}", percent(ratio), if open { " · today’s still open" } else { "" });
                Figure::of(format!("{} of {}", sum.sessions, sum.expected), note)
            }
        }
    }

    fn completion_figure(&self, sum: &Adherence) -> Figure {
        let Some(ratio) = sum.completion() else { return Figure::none("No sessions due yet", "") };
        let most = sum
            .by_exercise
            .iter()
            .map(|row| (row.skipped.iter().map(|(_, n)| n).sum::<u32>(), row.exercise))
            .filter(|(skipped, _)| *skipped > 0)
            .max_by_key(|(skipped, _)| *skipped);
        let skipped = match most {
            Some((n, exercise)) => format!("{} skipped most, {}", self.name(exercise), times(n)),
            None => "none skipped".to_owned(),
        };
        Figure::of(percent(ratio), format!("of all prescribed · {skipped}"))
    }

    fn effort_figure(&self) -> Figure {
        let given: Vec<u32> =
            self.sessions.iter().filter_map(|session| session.effort.map(|effort| u32::from(effort.get()))).collect();
        let Ok(n) = u32::try_from(given.len()) else { return Figure::none("Not given yet", "") };
        if n == 0 {
            return Figure::none("Not given yet", "");
        }
        let mean = f64::from(given.iter().sum::<u32>()) / f64::from(n);
        Figure::of(format!("{} of 10", one_decimal(mean)), format!("{} · mean of {n}", effort_word(mean)))
    }

    fn self_reported(&self, sum: &Adherence) -> Vec<String> {
        let mut said = vec![
            format!("Every figure rests on what {} logged; nothing measured it.", self.first_name),
            "Diaries overstate: in one study 220 sessions were logged where a sensor measured 176.".to_owned(),
            "A session counts once something of it was done. Days that are over without a log count as missed; today counts only as far \
             as it is logged; paused days never count."
                .to_owned(),
            "Exercises done is the share of all that was prescribed: a missed session is 0%, and doing more than asked is not more than \
             100%."
                .to_owned(),
        ];
        if sum.sessions > 0 {
            let within = (sum.completion_sum / f64::from(sum.sessions)).clamp(0.0, 1.0);
            said.push(format!("Within the {} that were logged it is {}.", sessions(sum.sessions), percent(within)));
        }
        said
    }

    fn chart(&self, sum: &Adherence) -> charts::DayByDay {
        let mut pain: BTreeMap<Date, (Mean, Mean)> = BTreeMap::new();
        for session in self.sessions {
            let (before, after) = pain.entry(session.date).or_default();
            before.add(session.pain_before.map(|score| score.get()));
            after.add(session.pain_after.map(|score| score.get()));
        }
        let first = self.period.first_day(self.programs);
        let days: Vec<ChartDay> = sum
            .days
            .iter()
            .filter(|day| day.date >= first)
            .map(|day| {
                let (before, after) = pain.get(&day.date).copied().unwrap_or_default();
                let (before, after) = (before.value(), after.value());
                ChartDay { date: day.date, mark: day.state.into(), completion: day.completion, before, after }
            })
            .collect();
        let inside: Vec<&Program> = self
            .programs
            .iter()
            .filter(|program| program.start <= self.period.to && program.last_day() >= self.period.from)
            .collect();
        let mut changes: Vec<Change> = inside
            .iter()
            .flat_map(|program| program.versions.iter().map(move |version| (program, version)))
            .filter(|(program, version)| version.from > program.start && program.contains(version.from))
            .map(|(_, version)| Change { date: version.from, label: format!("version {}", version.number) })
            .collect();
        changes.extend(
            inside
                .iter()
                .filter(|program| inside.len() > 1 && program.start > first)
                .map(|program| Change { date: program.start, label: program.name.chars().take(24).collect() }),
        );
        let weeks = match inside.as_slice() {
            [one] => Weeks::From(one.start),
            _ => Weeks::Dates,
        };
        charts::day_by_day(EN, &days, &changes, weeks)
    }

    fn exercises(&self, sum: &Adherence) -> Vec<ExerciseRow> {
        let counts = self.counted();
        sum.by_exercise
            .iter()
            .map(|row| {
                let ratio = row.ratio();
                let skipped: u32 = row.skipped.iter().map(|(_, n)| n).sum();
                let (named, times_more) = self.times(&counts, row.exercise);
                let reasons: Vec<String> = row.skipped.iter().map(|(reason, n)| format!("{} {n}", skip_reason(*reason))).collect();
                ExerciseRow {
                    name: self.name(row.exercise),
                    percent: ratio.map(percent_points),
                    figure: ratio.map_or_else(|| "not due yet".to_owned(), percent),
                    label: ratio.map_or_else(String::new, |ratio| format!("{} of {}", percent(ratio), times(row.expected))),
                    skipped: (skipped > 0).then(|| format!("Skipped {}: {}", times(skipped), reasons.join(", "))),
                    times: named,
                    times_more,
                }
            })
            .collect()
    }

    fn log_row(&self, session: &Session) -> LogRow {
        let skipped: Vec<String> = session
            .entries
            .iter()
            .filter_map(|done| Some(format!("{} ({})", self.name(done.exercise), skip_reason(done.skipped?))))
            .collect();
        let mut marks = Vec::new();
        if let Some(at) = session.corrected_at {
            marks.push(format!("corrected {}", day_short(EN, self.zone.date(at))));
        }
        match (self.zone.date(session.received_at) - session.date).get_days() {
            1 => marks.push("logged a day later".to_owned()),
            days @ 2.. => marks.push(format!("logged {days} days later")),
            _ => {}
        }
        if session.by_staff {
            marks.push("entered by the clinic".to_owned());
        }
        if !session.red_flags.is_empty() {
            marks.push("stop sign".to_owned());
        }
        let given = session.pain_before.is_some() || session.pain_after.is_some();
        LogRow {
            date: day_with_weekday(EN, session.date),
            done: percent(session.completion),
            pain: if given { scores(session) } else { "not given".to_owned() },
            effort: session.effort.map_or_else(
                || "not given".to_owned(),
                |effort| format!("{} · {}", effort.get(), effort_word(f64::from(effort.get()))),
            ),
            skipped: (!skipped.is_empty()).then(|| skipped.join(", ")),
            marks,
        }
    }

    pub(super) fn skipped_names(&self, session: &Session) -> Vec<String> {
        session.entries.iter().filter(|done| done.skipped.is_some()).map(|done| self.name(done.exercise)).collect()
    }

    fn name(&self, exercise: ExerciseId) -> String {
        self.names.get(&exercise).cloned().unwrap_or_else(|| "An exercise".to_owned())
    }
}

/// A mean that is built up score by score.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: u32,
    n: u32,
}

impl Mean {
    fn add(&mut self, score: Option<u8>) {
        if let Some(score) = score {
            self.sum += u32::from(score);
            self.n += 1;
        }
    }

    fn value(self) -> Option<f64> {
        (self.n > 0).then(|| f64::from(self.sum) / f64::from(self.n))
    }
}

/// "2 → 3"; a score that was not given is a question mark, never a 0.
pub(super) fn scores(session: &Session) -> String {
    let score =
        |score: Option<domain::session_log::PainScore>| score.map_or_else(|| "?".to_owned(), |score| score.get().to_string());
    format!("{} → {}", score(session.pain_before), score(session.pain_after))
}

fn pain_figure(change: &PainChange) -> Figure {
    match (change.first, change.last, change.delta) {
        (Some(first), Some(last), Some(delta)) => {
            let limits = change.thresholds.map(both).unwrap_or_default();
            let direction = match change_size(first.mean, last.mean, &limits) {
                same if same == "0.0" => "unchanged".to_owned(),
                size if delta < 0.0 => format!("down {size}"),
                size => format!("up {size}"),
            };
            let meaning = match change.reading {
                Reading::Meaningful if delta > 0.0 => " · a meaningful worsening",
                Reading::Meaningful => " · a meaningful change",
                Reading::BeyondError => " · beyond measurement error, less than patients usually notice",
                Reading::WithinError => " · within measurement error",
                Reading::NotEnough => "",
            };
            let n =
                if first.n == last.n { format!(" · n = {} each", first.n) } else { format!(" · n = {} and {}", first.n, last.n) };
            Figure::of(format!("{} → {}", one_decimal(first.mean), one_decimal(last.mean)), format!("{direction}{meaning}{n}"))
        }
        (Some(first), _, _) => {
            let scores =
                if first.n == 1 { "1 score".to_owned() } else { format!("{} scores, mean {}", first.n, one_decimal(first.mean)) };
            Figure::none("Not enough scores yet", format!("{scores} so far; a change is read from more than 7 days with a score"))
        }
        _ => Figure::none("No scores yet", "pain after sessions was not given"),
    }
}

fn pain_reading(change: &PainChange, region: Region, today: Date) -> Vec<String> {
    let (Some(first), Some(last), Some(limits)) = (change.first, change.last, change.thresholds) else { return Vec::new() };
    let window = |name: &str, window: Window| {
        format!("{name}, {}: mean {}, n = {}.", day_range_by(EN, window.from, window.to, today), one_decimal(window.mean), window.n)
    };
    let mut said = vec![window("First 7 days with a score", first), window("Last 7 days with a score", last)];
    if change.delta.is_some() && last.from <= first.to {
        said.push("The two weeks share some days, so the change is understated.".to_owned());
    }
    if change.delta.is_some() && change_size(first.mean, last.mean, &both(limits)).contains(' ') {
        said.push("The change is worked out before the means are rounded.".to_owned());
    }
    said.push(format!(
        "{}: measured twice, a score may differ by {} points (MDC95), and patients notice {} (MCID). A change is called meaningful when it \
         reaches both. Source: {}.",
        place(region),
        number(limits.mdc),
        noticed(region, limits),
        limits.source
    ));
    said
}

/// The sizes from which a change reads differently.
fn both(limits: Thresholds) -> [f64; 2] {
    [limits.mdc, limits.mcid.max(limits.mdc)]
}

/// What patients notice, and where the number comes from when it depends on where they began.
fn noticed(region: Region, limits: Thresholds) -> String {
    match region {
        Region::UpperBack | Region::Shoulder | Region::Other => "2 or 33% of the first mean, whichever is less".to_owned(),
        Region::LowerBack => format!("{} from a first mean like this", number(limits.mcid)),
        Region::Neck => number(limits.mcid),
    }
}

fn place(region: Region) -> &'static str {
    match region {
        Region::LowerBack => "For the low back",
        Region::Neck => "For the neck",
        Region::UpperBack => "For the upper back, read as pain elsewhere",
        Region::Shoulder => "For the shoulder, read as pain elsewhere",
        Region::Other => "For this kind of pain",
    }
}

/// At most two decimals, none that say nothing: "2", "1.5", "1.77".
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}

fn sessions(n: u32) -> String {
    if n == 1 { "one session".to_owned() } else { format!("{n} sessions") }
}
