//! Which days a report is about: what was asked for, what can be shown, and why not where they differ.

use domain::{ids::PatientId, program::Program};
use jiff::{ToSpan, civil::Date};
use render::{
    Field,
    formats::{day_and_year, day_range_by},
    pages::physio::patient::{Period as View, Preset},
    words::Language,
};
use serde::Deserialize;
use store::reports::patient::LONGEST_DAYS;

/// The periods that the clinic's report offers, in weeks; the first is what it shows unasked.
const CLINIC_WEEKS: [i64; 3] = [4, 12, 26];

/// The earliest day that can be typed.
const EARLIEST: Date = Date::constant(1, 1, 1);

/// The query: `?from=&to=`, each a civil date or empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    from: String,
    to: String,
}

impl Wanted {
    /// As a form says it once more.
    pub fn between(from: &str, to: &str) -> Self {
        Self { from: from.to_owned(), to: to.to_owned() }
    }
}

/// The days a report is about: at most [`LONGEST_DAYS`], none of them after today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// The first.
    pub from: Date,
    /// The last.
    pub to: Date,
    /// The field of the first day: as typed, with the reason when it cannot be had.
    from_field: Field,
    /// The field of the last day, likewise.
    to_field: Field,
}

/// What cannot be had, and at which field that is said.
struct Refusal {
    from: Option<String>,
    to: Option<String>,
}

impl Refusal {
    fn from(sentence: impl Into<String>) -> Self {
        Self { from: Some(sentence.into()), to: None }
    }

    fn to(sentence: impl Into<String>) -> Self {
        Self { from: None, to: Some(sentence.into()) }
    }
}

impl Period {
    /// The period asked for, or the default with the reason why not. `None` while no program has begun: there is nothing to report.
    pub fn choose(wanted: &Wanted, programs: &[Program], today: Date) -> Option<Self> {
        let (default_from, default_to) = default(programs, today)?;
        let first = programs.iter().map(|program| program.start).min()?;
        Some(match asked(wanted, (default_from, default_to), first, today) {
            Ok((from, to)) => Self {
                from,
                to: to.min(today),
                from_field: Field::holding(from.to_string()),
                to_field: Field::holding(to.to_string()),
            },
            Err(Refusal { from, to }) => Self {
                from: default_from,
                to: default_to,
                from_field: Field { value: typed(&wanted.from, default_from), error: from },
                to_field: Field { value: typed(&wanted.to, default_to), error: to },
            },
        })
    }

    /// The days of a report on the whole clinic: those asked for, or the last four weeks with the reason why not.
    pub fn of_clinic(wanted: &Wanted, today: Date) -> Self {
        let weeks = |weeks: i64, last: Date| last.saturating_sub((7 * weeks - 1).days());
        let default = (weeks(CLINIC_WEEKS[0], today), today);
        let mut asked_for = wanted.clone();
        // A last day alone is the four weeks up to it.
        if let (true, Ok(Some(to))) = (wanted.from.trim().is_empty(), read(&wanted.to)) {
            asked_for.from = weeks(CLINIC_WEEKS[0], to.min(today)).max(EARLIEST).to_string();
        }
        match asked(&asked_for, default, Date::MIN, today) {
            Ok((from, to)) => Self {
                from,
                to: to.min(today),
                from_field: Field::holding(from.to_string()),
                to_field: Field::holding(to.to_string()),
            },
            Err(Refusal { from, to }) => Self {
                from: default.0,
                to: default.1,
                from_field: Field { value: typed(&wanted.from, default.0), error: from },
                to_field: Field { value: typed(&wanted.to, default.1), error: to },
            },
        }
    }

    /// As the clinic's report shows it; `action` is its address and `keep` what its links ask for besides the days, as `&name=value`.
    pub fn view_of_clinic(&self, action: &str, keep: &str, today: Date) -> View {
        let presets = CLINIC_WEEKS.map(|weeks| {
            let from = today.saturating_sub((7 * weeks - 1).days());
            Preset {
                label: format!("Last {weeks} weeks"),
                href: format!("{action}?from={from}&to={today}{keep}"),
                current: (from, today) == (self.from, self.to) && self.refused().is_none(),
            }
        });
        View {
            action: action.to_owned(),
            from: self.from_field.clone(),
            to: self.to_field.clone(),
            presets: presets.into(),
            line: day_range_by(Language::En, self.from, self.to, today),
        }
    }

    /// Why the period asked for cannot be had.
    pub fn refused(&self) -> Option<&str> {
        self.from_field.error.as_deref().or(self.to_field.error.as_deref())
    }

    /// The first day there is anything to show of.
    pub fn first_day(&self, programs: &[Program]) -> Date {
        programs.iter().map(|program| program.start).min().map_or(self.from, |start| start.max(self.from).min(self.to))
    }

    /// As the page shows it.
    pub fn view(&self, patient: PatientId, programs: &[Program], today: Date) -> View {
        let mut wanted: Vec<(&str, Date, Date)> = Vec::new();
        if let Some(program) = current(programs, today) {
            wanted.push(("This program", program.start, program.last_day().min(today)));
        }
        let back = |days: i32| today.saturating_sub((days - 1).days());
        wanted.push(("Last 14 days", back(14), today));
        wanted.push(("Last 28 days", back(28), today));
        if let Some(first) = programs.iter().map(|program| program.start).min().filter(|first| *first <= today) {
            wanted.push(("Everything", first.max(back(LONGEST_DAYS)), today));
        }
        let mut presets: Vec<Preset> = Vec::new();
        for (label, from, to) in wanted {
            let href = href(patient, from, to);
            // The same days are offered once.
            if presets.iter().all(|preset| preset.href != href) {
                presets.push(Preset {
                    label: label.to_owned(),
                    href,
                    current: (from, to) == (self.from, self.to) && self.refused().is_none(),
                });
            }
        }
        View {
            action: format!("/patients/{patient}"),
            from: self.from_field.clone(),
            to: self.to_field.clone(),
            presets,
            line: self.line(programs, today),
        }
    }

    /// "Upper back relief, 12 October to 22 November".
    fn line(&self, programs: &[Program], today: Date) -> String {
        let inside: Vec<&Program> =
            programs.iter().filter(|program| program.start <= self.to && program.last_day() >= self.from).collect();
        let days = day_range_by(Language::En, self.from, self.to, today);
        match inside.as_slice() {
            [] => days,
            [one] => format!("{}, {days}", one.name),
            [one, ..] if inside.iter().all(|program| program.name == one.name) => format!("{}, {days}", one.name),
            several => format!("{} programs, {days}", several.len()),
        }
    }
}

/// What stands in a field that is refused: what was typed, or the day that is shown.
fn typed(text: &str, date: Date) -> String {
    if text.trim().is_empty() { date.to_string() } else { text.trim().chars().take(40).collect() }
}

/// The page over a period.
pub fn href(patient: PatientId, from: Date, to: Date) -> String {
    format!("/patients/{patient}?from={from}&to={to}")
}

/// The program whose days are shown unless somebody asks for others: one that runs, else the newest that has begun.
fn current(programs: &[Program], today: Date) -> Option<&Program> {
    programs
        .iter()
        .filter(|program| program.start <= today && program.last_day() >= program.start)
        .max_by_key(|program| (program.last_day() >= today, program.start, program.id))
}

fn default(programs: &[Program], today: Date) -> Option<(Date, Date)> {
    let program = current(programs, today)?;
    Some((program.start, program.last_day().min(today)))
}

fn asked(wanted: &Wanted, default: (Date, Date), first: Date, today: Date) -> Result<(Date, Date), Refusal> {
    let from = read(&wanted.from);
    let to = read(&wanted.to);
    if from.is_err() || to.is_err() {
        return Err(Refusal { from: from.err(), to: to.err() });
    }
    let (from, to) = match (from.ok().flatten(), to.ok().flatten()) {
        (None, None) => return Ok(default),
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, today.max(from)),
        (None, Some(to)) => (if default.0 <= to { default.0 } else { first }, to),
    };
    if from > to && (wanted.from.trim().is_empty() || to < first) {
        return Err(before(first));
    }
    if from > to {
        return Err(Refusal::to("The period ends before it starts. Choose a later day."));
    }
    if from > today {
        return Err(Refusal::from("That day has not come yet."));
    }
    if to < first {
        return Err(before(first));
    }
    if (to.min(today) - from).get_days() >= LONGEST_DAYS {
        return Err(Refusal::from("That is longer than two years. Choose a shorter period."));
    }
    Ok((from, to))
}

fn before(first: Date) -> Refusal {
    Refusal::to(format!("There was no program yet; the first one started on {}.", day_and_year(Language::En, first)))
}

/// A date as a form or a person writes it; `None` when nothing was typed.
fn read(typed: &str) -> Result<Option<Date>, String> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(None);
    }
    let plain = typed.len() == 10 && typed.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = plain.then(|| typed.parse::<Date>().ok()).flatten();
    let shown: String = typed.chars().take(40).collect();
    date.map(Some).ok_or_else(|| format!("“{shown}” is not a date. Write it as 2026-11-22."))
}

#[cfg(test)]
mod tests {
    use domain::{
        dose::{Dose, RepUnit, Span},
        ids::{ExerciseId, PrescriptionId, ProgramId},
        program::{Plan, Prescription, Weekdays},
    };
    use jiff::civil::date;

    use super::*;

    fn program(start: Date, end: Date) -> Program {
        let dose = Dose::new(Span::one(1).unwrap(), Span::one(10).unwrap(), RepUnit::Times, None, false, None).unwrap();
        let prescriptions = vec![Prescription { id: PrescriptionId::new(), exercise: ExerciseId::new(), dose, note: None }];
        let plan = Plan { weekdays: Weekdays::all(), times_a_day: 1, prescriptions };
        Program::assign(ProgramId::new(), PatientId::new(), "Upper back relief", start, end, plan).unwrap()
    }

    fn chosen(from: &str, to: &str) -> Period {
        let programs = [program(date(2026, 10, 12), date(2026, 11, 30)), program(date(2026, 8, 1), date(2026, 8, 31))];
        let wanted = Wanted { from: from.to_owned(), to: to.to_owned() };
        Period::choose(&wanted, &programs, date(2026, 11, 22)).unwrap()
    }

    #[test]
    fn unasked_it_is_the_program_up_to_today() {
        let period = chosen("", " ");
        assert_eq!((period.from, period.to), (date(2026, 10, 12), date(2026, 11, 22)));
        assert_eq!(period.refused(), None);
        let over = [program(date(2026, 8, 1), date(2026, 8, 31))];
        let period = Period::choose(&Wanted::default(), &over, date(2026, 11, 22)).unwrap();
        assert_eq!((period.from, period.to), (date(2026, 8, 1), date(2026, 8, 31)));
    }

    #[test]
    fn what_can_be_chosen_with_one_press() {
        let presets = |programs: &[Program], today: Date| {
            let period = Period::choose(&Wanted::default(), programs, today).unwrap();
            let view = period.view(PatientId::new(), programs, today);
            view.presets.into_iter().map(|preset| (preset.label, preset.current)).collect::<Vec<_>>()
        };
        let label = |label: &str, current| (label.to_owned(), current);
        let today = date(2026, 11, 22);
        let two = [program(date(2026, 10, 12), date(2026, 11, 30)), program(date(2026, 8, 1), date(2026, 8, 31))];
        let all = ["Last 14 days", "Last 28 days", "Everything"].map(|text| label(text, false));
        assert_eq!(presets(&two, today), [vec![label("This program", true)], all.to_vec()].concat());
        // A fortnight into the only program, three of them are the same days.
        let young = [program(date(2026, 11, 9), date(2026, 12, 20))];
        assert_eq!(presets(&young, today), [label("This program", true), label("Last 28 days", false)]);
        // Everything is as much as can be had.
        let old = [program(date(2026, 10, 12), date(2026, 11, 30)), program(date(2020, 1, 1), date(2020, 2, 1))];
        let period = Period::choose(&Wanted::default(), &old, today).unwrap();
        let everything = period.view(PatientId::new(), &old, today).presets.pop().unwrap().href;
        let from = everything.split_once("from=").unwrap().1.split('&').next().unwrap().to_owned();
        let wanted = Wanted::between(&from, "2026-11-22");
        assert_eq!(Period::choose(&wanted, &old, today).unwrap().refused(), None);
    }

    #[test]
    fn nothing_has_begun() {
        let later = [program(date(2026, 12, 1), date(2026, 12, 31))];
        assert_eq!(Period::choose(&Wanted::default(), &later, date(2026, 11, 22)), None);
        assert_eq!(Period::choose(&Wanted::default(), &[], date(2026, 11, 22)), None);
    }

    #[test]
    fn what_was_asked_for_is_shown_as_far_as_it_has_come() {
        for (from, to, expected) in [
            ("2026-11-01", "2026-11-10", (date(2026, 11, 1), date(2026, 11, 10))),
            ("2026-11-01", "", (date(2026, 11, 1), date(2026, 11, 22))),
            ("2026-11-01", "2026-12-31", (date(2026, 11, 1), date(2026, 11, 22))),
            ("", "2026-11-10", (date(2026, 10, 12), date(2026, 11, 10))),
            ("", "2026-08-10", (date(2026, 8, 1), date(2026, 8, 10))),
            ("2026-01-01", "2026-08-10", (date(2026, 1, 1), date(2026, 8, 10))),
        ] {
            let period = chosen(from, to);
            assert_eq!((period.from, period.to), expected, "{from} to {to}");
            assert_eq!(period.refused(), None, "{from} to {to}");
        }
    }

    #[test]
    fn a_clinics_report_is_of_four_weeks_unless_asked() {
        let of = |from: &str, to: &str| Period::of_clinic(&Wanted::between(from, to), date(2026, 11, 22));
        for (from, to, expected) in [
            ("", "", (date(2026, 10, 26), date(2026, 11, 22))),
            ("", "2026-05-28", (date(2026, 5, 1), date(2026, 5, 28))),
            ("", "2027-05-28", (date(2026, 10, 26), date(2026, 11, 22))),
            ("2026-11-22", "", (date(2026, 11, 22), date(2026, 11, 22))),
            ("", "0001-01-01", (date(1, 1, 1), date(1, 1, 1))),
            ("2025-01-01", "2026-11-22", (date(2025, 1, 1), date(2026, 11, 22))),
        ] {
            let period = of(from, to);
            assert_eq!(((period.from, period.to), period.refused()), (expected, None), "{from} to {to}");
        }
        for (from, to, sentence) in [
            ("1986-11-22", "2026-11-22", "longer than two years"),
            ("2026-11-10", "2026-11-01", "ends before it starts"),
            ("2026-11-23", "", "has not come yet"),
            ("", "soon", "is not a date"),
            ("-9999-01-01", "", "is not a date"),
        ] {
            let period = of(from, to);
            assert_eq!((period.from, period.to), (date(2026, 10, 26), date(2026, 11, 22)), "{from} to {to}");
            assert!(period.refused().is_some_and(|said| said.contains(sentence)), "{from} to {to}: {period:?}");
        }
        let presets = of("", "").view_of_clinic("/reports/adherence", "&by=exercise", date(2026, 11, 22)).presets;
        assert!(presets[0].current && !presets[1].current);
        assert_eq!(presets[1].href, "/reports/adherence?from=2026-08-31&to=2026-11-22&by=exercise");
    }

    #[test]
    fn what_cannot_be_had_is_said_at_its_field_and_the_default_is_shown() {
        for (from, to, at_from, sentence) in [
            ("2026-11-10", "2026-11-01", false, "ends before it starts"),
            ("1986-11-22", "2026-11-22", true, "longer than two years"),
            ("-9999-1-1", "9999-12-31", true, "is not a date"),
            ("0001-01-01", "9999-12-31", true, "longer than two years"),
            ("soon", "", true, "“soon” is not a date"),
            ("", "2026-02-30", false, "is not a date"),
            ("", "2026-11-22T10:00", false, "is not a date"),
            ("2026-07-01", "2026-07-31", false, "the first one started on 1 August 2026"),
            ("", "2026-07-31", false, "the first one started on 1 August 2026"),
            ("2026-12-01", "", true, "has not come yet"),
        ] {
            let period = chosen(from, to);
            assert_eq!((period.from, period.to), (date(2026, 10, 12), date(2026, 11, 22)), "{from} to {to}");
            let field = if at_from { &period.from_field } else { &period.to_field };
            assert!(field.error.as_deref().is_some_and(|error| error.contains(sentence)), "{from} to {to}: {period:?}");
            if !from.is_empty() {
                assert_eq!(period.from_field.value, from);
            }
        }
    }
}
