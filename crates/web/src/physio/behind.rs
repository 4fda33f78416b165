//! The rows behind a report's figures: each day with what it adds, the scores that the means of pain rest on, the sessions in which an
//! exercise was not done, and the same days as a calendar.

use std::collections::{BTreeMap, HashSet};

use domain::{
    adherence::{Adherence, Day, counted},
    ids::ExerciseId,
    pain::{PainChange, Window},
};
use jiff::{ToSpan, civil::Date};
use render::{
    charts::DayMark,
    formats::{day_short, day_with_weekday, month_and_year, one_decimal, percent},
    pages::physio::patient::{
        behind::{Behind, Cell, DayRow, Linked, Month, Scores, Sign, Total, letter},
        skip_reason,
    },
    words::Language,
};
use store::reports::patient::Session;

use super::report::{Facts, scores};

const EN: Language = Language::En;
/// Days or sessions named in one list.
const NAMED: usize = 40;
/// Sessions of one day that are spelled out: as many as can be due.
const ONE_DAY: usize = 6;
/// Months that stand open.
const MONTHS: usize = 3;

impl Facts<'_> {
    /// The sessions that count, by their place in the list of sessions.
    pub(super) fn counted(&self) -> HashSet<usize> {
        let logged: Vec<_> = self.sessions.iter().map(Session::logged).collect();
        counted(self.programs, &logged, self.period.from, self.period.to, self.today).into_iter().collect()
    }

    pub(super) fn behind(&self, sum: &Adherence, pain: &PainChange) -> Behind {
        let counts = self.counted();
        let mut of_day: BTreeMap<Date, Vec<(bool, &Session)>> = BTreeMap::new();
        // They come newest first; within a day the oldest is named first.
        for (at, session) in self.sessions.iter().enumerate().rev() {
            of_day.entry(session.date).or_default().push((counts.contains(&at), session));
        }
        let days: Vec<DayRow> = sum
            .days
            .iter()
            .rev()
            .map(|day| (day, of_day.get(&day.date).map_or(&[][..], Vec::as_slice)))
            .filter(|(day, sessions)| DayMark::from(day.state) != DayMark::Outside || !sessions.is_empty())
            .map(|(day, sessions)| self.day_row(day, sessions))
            .collect();
        let rows: HashSet<&str> = days.iter().map(|row| row.day.as_str()).collect();
        let mut earlier = self.months(sum, &rows);
        let months = earlier.split_off(earlier.len().saturating_sub(MONTHS));
        let missed: Vec<Linked> = sum
            .days
            .iter()
            .rev()
            .filter(|day| day.sessions < day.expected)
            .map(|day| {
                let Linked { label, href } = linked(day.date);
                // Of several a day it is said how many were done.
                let label = if day.expected > 1 { format!("{label} ({} of {})", day.sessions, day.expected) } else { label };
                Linked { label, href }
            })
            .collect();
        Behind {
            total: self.total(sum),
            missed_more: missed.len().saturating_sub(NAMED),
            missed: missed.into_iter().take(NAMED).collect(),
            windows: self.windows(pain),
            key: key(sum),
            months,
            earlier,
            days,
        }
    }

    fn day_row(&self, day: &Day, sessions: &[(bool, &Session)]) -> DayRow {
        let state = DayMark::from(day.state);
        let each = |text: fn(&Session) -> String| {
            let mut texts: Vec<String> = sessions.iter().take(ONE_DAY).map(|(_, session)| text(session)).collect();
            let more = sessions.len().saturating_sub(ONE_DAY);
            if more > 0 {
                texts.push(format!("and {more} more"));
            }
            texts.join("; ")
        };
        let uncounted = sessions.iter().filter(|(counts, _)| !counts).count();
        let some = |n: u32| if day.expected > 0 { n.to_string() } else { String::new() };
        DayRow {
            day: day.date.to_string(),
            date: day_with_weekday(EN, day.date),
            state,
            word: state.word(EN),
            due: some(day.expected),
            counted: some(day.sessions),
            done: if day.expected > 0 { percent(day.completion_sum / f64::from(day.expected)) } else { String::new() },
            pain: each(|session| match (session.pain_before, session.pain_after) {
                (None, None) => "not given".to_owned(),
                _ => scores(session),
            }),
            effort: each(|session| session.effort.map_or_else(|| "not given".to_owned(), |effort| effort.get().to_string())),
            note: match uncounted {
                0 => None,
                1 => Some("one session more than was due; it does not count".to_owned()),
                n => Some(format!("{n} sessions more than were due; they do not count")),
            },
            today: day.date == self.today,
        }
    }

    fn total(&self, sum: &Adherence) -> Total {
        let efforts: Vec<u32> =
            self.sessions.iter().filter_map(|session| session.effort.map(|effort| u32::from(effort.get()))).collect();
        let effort = match efforts.len() {
            0 => "not given".to_owned(),
            n => format!("mean {} of {n}", one_decimal(f64::from(efforts.iter().sum::<u32>()) / n as f64)),
        };
        let share =
            |number: String, ratio: Option<f64>| ratio.map_or("0".to_owned(), |ratio| format!("{number} · {}", percent(ratio)));
        Total {
            due: sum.expected.to_string(),
            counted: share(sum.sessions.to_string(), sum.ratio()),
            done: share(one_decimal(sum.completion_sum), sum.completion()),
            effort,
        }
    }

    /// The scores after sessions in the two windows, as `domain::pain` takes them: every score of their days.
    fn windows(&self, pain: &PainChange) -> Vec<Scores> {
        let (Some(first), Some(last)) = (pain.first, pain.last) else { return Vec::new() };
        let of = |title: &str, Window { mean, n, from, to }: Window| {
            let mut days: BTreeMap<Date, Vec<String>> = BTreeMap::new();
            let mut sum = 0;
            for session in self.sessions.iter().rev().filter(|session| (from..=to).contains(&session.date)) {
                if let Some(score) = session.pain_after {
                    sum += u32::from(score.get());
                    days.entry(session.date).or_default().push(score.get().to_string());
                }
            }
            let scores = if n == 1 { "1 score".to_owned() } else { format!("{n} scores") };
            Scores {
                title: title.to_owned(),
                rows: days.into_iter().map(|(date, scores)| (day_with_weekday(EN, date), scores.join(", "))).collect(),
                sum: format!("{sum} in {scores}: mean {}", one_decimal(mean)),
            }
        };
        if (first.from, first.to) == (last.from, last.to) {
            vec![of("Days with a score", first)]
        } else {
            vec![of("First 7 days with a score", first), of("Last 7 days with a score", last)]
        }
    }

    /// The counted sessions in which not all of an exercise was done, newest first, and how many more there are.
    pub(super) fn times(&self, counts: &HashSet<usize>, exercise: ExerciseId) -> (Vec<(Linked, String)>, usize) {
        let mut found: Vec<(Linked, String)> = Vec::new();
        let mut more = 0;
        let counted = self.sessions.iter().enumerate().filter(|(at, _)| counts.contains(at));
        for (session, done) in counted.flat_map(|(_, session)| session.entries.iter().map(move |done| (session, done))) {
            if done.exercise != exercise || (done.skipped.is_none() && done.completion >= 1.0 - 1e-9) {
                continue;
            }
            if found.len() == NAMED {
                more += 1;
                continue;
            }
            let said = match done.skipped {
                Some(reason) => format!("skipped, {}", skip_reason(reason)),
                None => format!("{} done", percent(done.completion)),
            };
            found.push((linked(session.date), said));
        }
        (found, more)
    }

    /// The months from the first day there is anything to show of to the period's last, oldest first.
    fn months(&self, sum: &Adherence, rows: &HashSet<&str>) -> Vec<Month> {
        let shown: BTreeMap<Date, &Day> = sum.days.iter().map(|day| (day.date, day)).collect();
        let mut months = Vec::new();
        let mut month = self.period.first_day(self.programs).first_of_month();
        while month <= self.period.to {
            let mut weeks: Vec<Vec<Option<Cell>>> = Vec::new();
            let mut week: Vec<Option<Cell>> = (0..month.weekday().to_monday_zero_offset()).map(|_| None).collect();
            for date in month.series(1.day()).take_while(|date| date.month() == month.month()) {
                week.push(Some(self.cell(date, shown.get(&date).copied(), rows)));
                if week.len() == 7 {
                    weeks.push(std::mem::take(&mut week));
                }
            }
            if !week.is_empty() {
                week.resize(7, None);
                weeks.push(week);
            }
            months.push(Month { title: month_and_year(EN, month), weeks });
            let Ok(next) = month.checked_add(1.month()) else { break };
            month = next;
        }
        months
    }

    fn cell(&self, date: Date, day: Option<&Day>, rows: &HashSet<&str>) -> Cell {
        let state = day.map_or(DayMark::Outside, |day| DayMark::from(day.state));
        let before = self.programs.iter().all(|program| date < program.start);
        let after = self.programs.iter().all(|program| date > program.last_day());
        let key = date.to_string();
        Cell {
            number: date.day(),
            state,
            letter: letter(state),
            word: match state {
                DayMark::Outside if before => "before the program".to_owned(),
                DayMark::Outside if after => "after the program".to_owned(),
                DayMark::Outside if date > self.today => "to come".to_owned(),
                DayMark::Outside if day.is_none() => "outside the period".to_owned(),
                DayMark::Outside => "between programs".to_owned(),
                state => state.word(EN),
            },
            href: rows.contains(key.as_str()).then(|| format!("#day-{key}")),
            today: date == self.today,
        }
    }
}

fn linked(date: Date) -> Linked {
    Linked { label: day_short(EN, date), href: format!("#day-{date}") }
}

/// The signs that the calendar uses.
fn key(sum: &Adherence) -> Vec<Sign> {
    [DayMark::Done, DayMark::Part, DayMark::Missed, DayMark::Rest, DayMark::Paused, DayMark::Open]
        .into_iter()
        .filter(|mark| sum.days.iter().any(|day| DayMark::from(day.state) == *mark))
        .map(|state| Sign { state, letter: letter(state), word: state.word(EN) })
        .collect()
}
