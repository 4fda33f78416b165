//! What stands in the builder's form: read from what was posted, or from a template or a version, and judged field by field.
//!
//! The form's names are stable, so that a script can read the form and post it back. Once: `name`, `starts`, `weeks`, `ends`, `from`,
//! `times_a_day`, `remind_at`, `q`, `region`, `equipment`, `action`; once per ticked day: `weekdays` (0 is Monday); once per exercise,
//! in order and always all of them: `exercise`, `sets`, `reps`, `unit`, `hold`, `sides`, `rest`, `note`.
//!
//! `action` is the button: `save` (also when there is none), `look` (shows the form again), `preview`, `save-template`,
//! `add-{exercise id}`, `remove-{n}`, `up-{n}`, `down-{n}` (n counts the exercises from 0).

use std::collections::HashMap;

use domain::{
    dose::{DoseDraft, DoseFieldErrors},
    ids::{ExerciseId, PrescriptionId, ProgramId},
    pain::Region,
    program::{MAX_TIMES_A_DAY, Plan, Prescription, Program, ProgramError, Version, Weekdays},
};
use jiff::civil::{Date, Time, Weekday};
use store::{exercise::Exercise, template::Template};

/// The longest note, in characters.
const MAX_NOTE: usize = 500;

/// What a button asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Assign the program, save the change or the template.
    Save,
    /// Show the form again.
    Look,
    /// Show what the patient will see.
    Preview,
    /// Keep it as a template, and go on.
    SaveTemplate,
    /// Add an exercise at the end.
    Add(ExerciseId),
    /// Take the exercise at this place out.
    Remove(usize),
    /// Move the exercise at this place up.
    Up(usize),
    /// Move it down.
    Down(usize),
}

impl Action {
    fn read(word: &str) -> Self {
        let place = |text: &str| text.parse::<usize>();
        match word.split_once('-').unwrap_or((word, "")) {
            ("look", _) => Self::Look,
            ("preview", _) => Self::Preview,
            ("save", "template") => Self::SaveTemplate,
            ("add", id) => id.parse().map_or(Self::Look, Self::Add),
            ("remove", n) => place(n).map_or(Self::Look, Self::Remove),
            ("up", n) => place(n).map_or(Self::Look, Self::Up),
            ("down", n) => place(n).map_or(Self::Look, Self::Down),
            _ => Self::Save,
        }
    }
}

/// One exercise as typed.
#[derive(Debug, Clone, Default)]
pub struct RowDraft {
    /// Its id as posted.
    pub exercise: String,
    /// The dose.
    pub dose: DoseDraft,
    /// A word to the patient.
    pub note: String,
}

impl RowDraft {
    /// A row with the exercise's usual dose.
    pub fn usual(exercise: &Exercise) -> Self {
        Self { exercise: exercise.id.to_string(), dose: DoseDraft::from(&exercise.dose), note: String::new() }
    }

    /// The id, if it is one.
    pub fn id(&self) -> Option<ExerciseId> {
        self.exercise.parse().ok()
    }
}

/// The whole form as typed.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The id that a new program will have, once a page with the form was made.
    pub id: Option<ProgramId>,
    /// The name.
    pub name: String,
    /// The first day.
    pub starts: String,
    /// How many weeks.
    pub weeks: String,
    /// The last day, instead of weeks.
    pub ends: String,
    /// The first day of a change.
    pub from: String,
    /// Sessions a day.
    pub times_a_day: String,
    /// The ticked days.
    pub weekdays: Vec<Weekday>,
    /// The reminder's hour.
    pub remind_at: String,
    /// The exercises in order.
    pub rows: Vec<RowDraft>,
    /// Words to search the library for.
    pub q: String,
    /// The region to search in.
    pub region: Option<Region>,
    /// Whether to show only what needs no equipment.
    pub no_equipment: bool,
}

/// What is wrong, where it was typed.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// About the name.
    pub name: Option<String>,
    /// About the first day.
    pub starts: Option<String>,
    /// About the weeks.
    pub weeks: Option<String>,
    /// About the last day.
    pub ends: Option<String>,
    /// About the first day of a change.
    pub from: Option<String>,
    /// About the sessions a day.
    pub times_a_day: Option<String>,
    /// About the weekdays.
    pub days: Option<String>,
    /// About the reminder's hour.
    pub remind_at: Option<String>,
    /// About the list of exercises.
    pub rows: Option<String>,
    /// About each exercise.
    pub each: Vec<RowFaults>,
}

/// What is wrong with one exercise.
#[derive(Debug, Clone, Default)]
pub struct RowFaults {
    /// With the exercise itself.
    pub exercise: Option<String>,
    /// With its dose.
    pub dose: DoseFieldErrors,
    /// With its note.
    pub note: Option<String>,
}

impl Faults {
    /// How many there are.
    pub fn count(&self) -> usize {
        let fields = [
            &self.name,
            &self.starts,
            &self.weeks,
            &self.ends,
            &self.from,
            &self.times_a_day,
            &self.days,
            &self.remind_at,
            &self.rows,
        ];
        let each =
            |row: &RowFaults| usize::from(row.exercise.is_some()) + row.dose.each().count() + usize::from(row.note.is_some());
        fields.iter().filter(|fault| fault.is_some()).count() + self.each.iter().map(each).sum::<usize>()
    }

    /// The draft's own judgement, or all that is wrong with it.
    ///
    /// # Errors
    /// `self`, when it holds anything.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.count() == 0 => Ok(value),
            _ => Err(self),
        }
    }

    /// Puts a rule's refusal where it belongs.
    pub fn place(&mut self, error: ProgramError, by_date: bool) {
        let field = match error {
            ProgramError::NameMissing | ProgramError::NameTooLong => &mut self.name,
            ProgramError::EndBeforeStart | ProgramError::TooLong if by_date => &mut self.ends,
            ProgramError::EndBeforeStart | ProgramError::TooLong => &mut self.weeks,
            ProgramError::NoWeekdays => &mut self.days,
            ProgramError::TimesADay => &mut self.times_a_day,
            ProgramError::RevisesThePast | ProgramError::RevisesAfterTheEnd => &mut self.from,
            // The rest is about the program as a whole.
            _ => &mut self.rows,
        };
        *field = Some(error.to_string());
    }
}

impl Draft {
    /// Reads what was posted.
    pub fn read(pairs: Vec<(String, String)>) -> (Self, Action) {
        let mut draft = Self::default();
        let mut action = Action::Save;
        let mut columns: HashMap<&'static str, Vec<String>> = HashMap::new();
        for (name, value) in pairs {
            match name.as_str() {
                "program_id" => draft.id = value.parse().ok(),
                "name" => draft.name = value,
                "starts" => draft.starts = value,
                "weeks" => draft.weeks = value,
                "ends" => draft.ends = value,
                "from" => draft.from = value,
                "times_a_day" => draft.times_a_day = value,
                "remind_at" => draft.remind_at = value,
                "weekdays" => draft.weekdays.extend(weekday(&value)),
                "q" => draft.q = value.chars().take(120).collect(),
                "region" => draft.region = value.parse().ok(),
                "equipment" => draft.no_equipment = value == "none",
                "action" => action = Action::read(&value),
                _ => {
                    if let Some(column) = COLUMNS.into_iter().find(|column| *column == name) {
                        columns.entry(column).or_default().push(value);
                    }
                }
            }
        }
        let mut take = |column: &'static str| columns.remove(column).unwrap_or_default().into_iter();
        let (mut sets, mut reps, mut unit, mut hold) = (take("sets"), take("reps"), take("unit"), take("hold"));
        let (mut sides, mut rest, mut notes) = (take("sides"), take("rest"), take("note"));
        draft.rows = take("exercise")
            // One more than a program may hold, so that the rule can say so.
            .take(domain::program::MAX_EXERCISES + 1)
            .map(|exercise| RowDraft {
                exercise,
                dose: DoseDraft {
                    sets: sets.next().unwrap_or_default(),
                    reps: reps.next().unwrap_or_default(),
                    unit: unit.next().unwrap_or_default(),
                    hold: hold.next().unwrap_or_default(),
                    each_side: sides.next().unwrap_or_default(),
                    rest: rest.next().unwrap_or_default(),
                },
                note: notes.next().unwrap_or_default(),
            })
            .collect();
        (draft, action)
    }

    /// An empty program from a day on: six weeks, Monday to Saturday, once a day, 08:00.
    pub fn blank(starts: Date) -> Self {
        Self {
            starts: starts.to_string(),
            weeks: "6".into(),
            times_a_day: "1".into(),
            weekdays: Weekday::Monday.cycle_forward().take(6).collect(),
            remind_at: "08:00".into(),
            ..Self::default()
        }
    }

    /// What a template holds, from a day on.
    pub fn from_template(template: &Template, starts: Date) -> Self {
        let Template { id: _, name, weeks, weekdays, times_a_day, remind_at, items, created_at: _, archived_at: _ } = template;
        Self {
            name: name.clone(),
            starts: starts.to_string(),
            weeks: weeks.to_string(),
            times_a_day: times_a_day.to_string(),
            weekdays: weekdays.iter().collect(),
            remind_at: remind_at.map(clock).unwrap_or_default(),
            rows: items
                .iter()
                .map(|item| RowDraft {
                    exercise: item.exercise.to_string(),
                    dose: DoseDraft::from(&item.dose),
                    note: item.note.clone().unwrap_or_default(),
                })
                .collect(),
            ..Self::default()
        }
    }

    /// What a version holds, to be changed from a day on.
    pub fn from_version(version: &Version, from: Date) -> Self {
        Self {
            from: from.to_string(),
            times_a_day: version.times_a_day.to_string(),
            weekdays: version.weekdays.iter().collect(),
            rows: version
                .prescriptions
                .iter()
                .map(|prescription| RowDraft {
                    exercise: prescription.exercise.to_string(),
                    dose: DoseDraft::from(&prescription.dose),
                    note: prescription.note.clone().unwrap_or_default(),
                })
                .collect(),
            ..Self::default()
        }
    }

    /// The ids of the exercises in it.
    pub fn exercises(&self) -> Vec<ExerciseId> {
        self.rows.iter().filter_map(RowDraft::id).collect()
    }

    /// Adds, removes or moves as a button asks. A place that is not there changes nothing.
    pub fn apply(&mut self, action: Action, known: &HashMap<ExerciseId, Exercise>) {
        match action {
            Action::Add(id) => self.rows.extend(known.get(&id).map(RowDraft::usual)),
            Action::Remove(at) if at < self.rows.len() => {
                self.rows.remove(at);
            }
            Action::Up(at) if at > 0 && at < self.rows.len() => self.rows.swap(at, at - 1),
            Action::Down(at) if at + 1 < self.rows.len() => self.rows.swap(at, at + 1),
            _ => {}
        }
    }

    /// The ticked days as a set.
    pub fn days(&self) -> Weekdays {
        self.weekdays.iter().copied().collect()
    }

    /// Sessions a day, as far as it can be read.
    pub fn times(&self) -> Option<u8> {
        self.times_a_day.trim().parse().ok().filter(|n| (1..=MAX_TIMES_A_DAY).contains(n))
    }

    /// The plan, with what is wrong put into `faults`.
    pub fn plan(&self, known: &HashMap<ExerciseId, Exercise>, faults: &mut Faults) -> Option<Plan> {
        faults.each = vec![RowFaults::default(); self.rows.len()];
        let mut prescriptions = Vec::with_capacity(self.rows.len());
        for (row, wrong) in self.rows.iter().zip(&mut faults.each) {
            let exercise = row.id().filter(|id| known.contains_key(id));
            if exercise.is_none() {
                wrong.exercise = Some("This exercise is not in your library. Remove it and choose another.".into());
            }
            let note = row.note.trim();
            if note.chars().count() > MAX_NOTE {
                wrong.note = Some(format!("That note is too long: {MAX_NOTE} characters at most."));
            }
            match (row.dose.parse(), exercise) {
                (Ok(dose), Some(exercise)) => prescriptions.push(Prescription {
                    id: PrescriptionId::new(),
                    exercise,
                    dose,
                    note: (!note.is_empty()).then(|| note.to_owned()),
                }),
                (Err(dose), _) => wrong.dose = dose,
                (Ok(_), None) => {}
            }
        }
        // Every rule of the plan at once, so that the form comes back only one time.
        if self.rows.is_empty() {
            faults.place(ProgramError::NoExercises, false);
        }
        if self.days().is_empty() {
            faults.place(ProgramError::NoWeekdays, false);
        }
        let Some(times_a_day) = self.times() else {
            faults.place(ProgramError::TimesADay, false);
            return None;
        };
        let plan = Plan { weekdays: self.days(), times_a_day, prescriptions };
        if faults.count() == 0
            && let Err(error) = plan.check()
        {
            faults.place(error, false);
        }
        (faults.count() == 0).then_some(plan)
    }

    /// The name, trimmed, with what is wrong put into `faults`.
    pub fn name(&self, faults: &mut Faults) -> String {
        let name = one_line(&self.name);
        match name.chars().count() {
            0 => faults.place(ProgramError::NameMissing, false),
            n if n > domain::program::MAX_NAME_CHARS => faults.place(ProgramError::NameTooLong, false),
            _ => {}
        }
        name
    }

    /// The number of weeks, up to `most`.
    pub fn weeks(&self, most: u8, faults: &mut Faults) -> Option<u8> {
        let text = self.weeks.trim().trim_end_matches("weeks").trim_end_matches("week").trim();
        let weeks = text.parse().ok().filter(|weeks| (1..=most).contains(weeks));
        if weeks.is_none() {
            faults.weeks = Some(format!("Give a whole number of weeks, from 1 to {most}."));
        }
        weeks
    }

    /// First and last day of a new program.
    pub fn span(&self, today: Date, faults: &mut Faults) -> Option<(Date, Date)> {
        let start = match date(&self.starts) {
            None => {
                faults.starts = Some("Choose the first day.".into());
                None
            }
            Some(start) if (start - today).get_days().abs() > 366 => {
                faults.starts = Some("Choose a first day within a year of today.".into());
                None
            }
            start => start,
        };
        if !self.ends.trim().is_empty() {
            let end = date(&self.ends);
            if end.is_none() {
                faults.ends = Some("That is no date. Choose the last day, or give a number of weeks.".into());
            }
            return start.zip(end);
        }
        let weeks = self.weeks(104, faults)?;
        let start = start?;
        let end = Program::end_after_weeks(start, u32::from(weeks));
        if end.is_none() {
            faults.place(ProgramError::TooLong, false);
        }
        Some(start).zip(end)
    }

    /// The reminder's hour: none when left empty.
    pub fn hour(&self, faults: &mut Faults) -> Option<Time> {
        let text = self.remind_at.trim();
        if text.is_empty() {
            return None;
        }
        let hour = text.parse().ok().filter(|_| text.contains(':'));
        if hour.is_none() {
            faults.remind_at = Some("Write the hour as 08:00, or leave it empty for no reminder.".into());
        }
        hour
    }

    /// How it reads in one line: "5 exercises · about 12 minutes a session · 6 sessions a week for 6 weeks".
    pub fn summary(&self) -> String {
        let doses: Vec<_> = self.rows.iter().filter_map(|row| row.dose.parse().ok()).collect();
        if self.rows.is_empty() {
            return "No exercises yet".into();
        }
        let mut parts = vec![super::words::exercises(self.rows.len())];
        match domain::dose::minutes(&doses) {
            0 => {}
            1 => parts.push("about 1 minute a session".into()),
            n => parts.push(format!("about {n} minutes a session")),
        }
        if let Some(times) = self.times().filter(|_| !self.days().is_empty()) {
            let mut often = super::words::sessions_a_week(self.days(), times);
            if let Some(end) = date(&self.ends) {
                often.push_str(&format!(" until {}", render::formats::day_medium(render::words::Language::En, end)));
            } else {
                match self.weeks(104, &mut Faults::default()) {
                    Some(1) => often.push_str(" for 1 week"),
                    Some(weeks) => often.push_str(&format!(" for {weeks} weeks")),
                    None => {}
                }
            }
            parts.push(often);
        }
        parts.join(" · ")
    }
}

const COLUMNS: [&str; 8] = ["exercise", "sets", "reps", "unit", "hold", "sides", "rest", "note"];

fn weekday(value: &str) -> Option<Weekday> {
    value.parse().ok().and_then(|n| Weekday::from_monday_zero_offset(n).ok())
}

/// A date as a date input sends it.
pub fn date(text: &str) -> Option<Date> {
    let text = text.trim();
    // jiff also reads a date with a time behind it, which no date input sends.
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

/// "08:00", as a time input has it.
pub fn clock(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// Spaces as one, and no line breaks or other hidden characters.
pub fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        text.split('&').filter_map(|pair| pair.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    #[test]
    fn the_repeated_fields_of_each_exercise_belong_together() {
        let (draft, action) = Draft::read(pairs(
            "name=A&exercise=x&sets=&reps=10-15&unit=times&hold=5&sides=&rest=&note=&exercise=y&sets=2&reps=8&unit=breaths&hold=&sides=each&rest=30&note=Slowly&weekdays=0&weekdays=6&weekdays=9&action=up-1",
        ));
        assert_eq!(action, Action::Up(1));
        assert_eq!(draft.rows.len(), 2);
        assert_eq!((draft.rows[0].dose.reps.as_str(), draft.rows[0].dose.hold.as_str()), ("10-15", "5"));
        assert_eq!((draft.rows[1].dose.each_side.as_str(), draft.rows[1].note.as_str()), ("each", "Slowly"));
        assert_eq!(draft.days().bits(), 0b100_0001);
    }

    #[test]
    fn a_form_without_a_button_is_meant_to_be_saved_and_an_odd_button_changes_nothing() {
        assert_eq!(Draft::read(Vec::new()).1, Action::Save);
        for (word, action) in [
            ("save", Action::Save),
            ("save-template", Action::SaveTemplate),
            ("remove-x", Action::Look),
            ("add-1", Action::Look),
            ("down-0", Action::Down(0)),
        ] {
            assert_eq!(Action::read(word), action, "{word}");
        }
        let mut draft = Draft { rows: vec![RowDraft::default()], ..Draft::default() };
        for action in [Action::Up(0), Action::Down(0), Action::Remove(7), Action::Up(9)] {
            draft.apply(action, &HashMap::new());
        }
        assert_eq!(draft.rows.len(), 1);
    }

    #[test]
    fn every_fault_is_said_where_it_was_typed_and_all_at_once() {
        let row = |reps: &str, hold: &str| RowDraft {
            exercise: ExerciseId::new().to_string(),
            dose: DoseDraft { reps: reps.into(), hold: hold.into(), ..DoseDraft::default() },
            note: "x".repeat(501),
        };
        let draft = Draft {
            name: "x".repeat(500),
            starts: "2026-13-01".into(),
            weeks: "0".into(),
            remind_at: "8 o'clock".into(),
            rows: vec![row("10-", "0 s")],
            times_a_day: "9".into(),
            ..Draft::default()
        };
        let today = jiff::civil::date(2026, 11, 22);
        let mut faults = Faults::default();
        assert!(draft.plan(&HashMap::new(), &mut faults).is_none());
        draft.name(&mut faults);
        assert!(draft.span(today, &mut faults).is_none());
        draft.hour(&mut faults);
        let Faults { name, starts, weeks, ends, from, times_a_day, days, remind_at, rows, each } = faults;
        for fault in [&name, &starts, &weeks, &times_a_day, &days, &remind_at, &each[0].exercise, &each[0].note] {
            assert!(fault.is_some());
        }
        assert!(ends.is_none() && from.is_none() && rows.is_none());
        assert!(each[0].dose.reps.unwrap().to_string().contains("not finished"));
        assert!(each[0].dose.hold.unwrap().to_string().contains("1 to 600 seconds"));
    }

    #[test]
    fn the_summary_says_what_the_program_asks_for() {
        let row = RowDraft { dose: DoseDraft { reps: "60".into(), ..DoseDraft::default() }, ..RowDraft::default() };
        let mut draft = Draft { rows: vec![row.clone(), row], ..Draft::blank(jiff::civil::date(2026, 11, 23)) };
        assert_eq!(draft.summary(), "2 exercises · about 6 minutes a session · 6 sessions a week for 6 weeks");
        draft.ends = "2026-12-31".into();
        assert_eq!(draft.summary(), "2 exercises · about 6 minutes a session · 6 sessions a week until 31 December");
    }
}
