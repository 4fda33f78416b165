//! One patient's life with a program: how they keep to it, how the pain goes, what changes on the way. Programs are made by the domain's
//! verbs and completions are the domain's own, so reports say of these patients what they would say of others.

use anyhow::Result;
use domain::{
    ids::{LogId, PatientId, PrescriptionId, ProgramId},
    pain::Region,
    person::Zone,
    program::{DayKind, Plan, Prescription, Program},
    session_log::{Effort, Entry, Outcome, PainScore, SessionLog, SkipReason},
};
use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, time},
};
use store::template::Template;

use super::dice::Dice;

const GIVEN: [&str; 24] = [
    "Farah",
    "Daniel",
    "Wei Ling",
    "Priya",
    "Aisha",
    "Ravi",
    "Mei",
    "Hafiz",
    "Siti",
    "Kumar",
    "Nurul",
    "Jason",
    "Lakshmi",
    "Azlan",
    "Chloe",
    "Suresh",
    "Yasmin",
    "Kok Leong",
    "Anita",
    "Faisal",
    "Grace",
    "Zainab",
    "Marcus",
    "Devi",
];
const FAMILY: [&str; 20] = [
    "Aziz",
    "Tan",
    "Lim",
    "Nair",
    "Rahman",
    "Wong",
    "Chandran",
    "Ismail",
    "Lee",
    "Pillai",
    "Ong",
    "Yusof",
    "Menon",
    "Ng",
    "Hassan",
    "Raj",
    "Chua",
    "Ibrahim",
    "Goh",
    "Fernandez",
];
const NOTES: [&str; 6] = [
    "Felt looser afterwards.",
    "A bit stiff in the morning.",
    "The last exercise pulls on the left side, is that right?",
    "Did it in the office today, no mat.",
    "Slept badly, took it slowly.",
    "Much easier than last week!",
];
const PAUSES: [&str; 3] = ["travelling", "a cold", "family visit"];
const SKIPS: [SkipReason; 5] =
    [SkipReason::Pain, SkipReason::NoTime, SkipReason::NotSureHow, SkipReason::NoEquipment, SkipReason::Other];

/// How somebody keeps to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeping {
    /// Nearly always.
    Steady,
    /// Every other time.
    Loosely,
    /// As long as this many weeks, and hardly ever after.
    Until(i64),
    /// Invited, and never seen.
    Never,
}

/// How the pain goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pain {
    Falls,
    Stays,
    Rises,
}

/// Somebody, with everything they did.
pub(super) struct Life {
    /// The name.
    pub(super) name: String,
    /// Where it hurts.
    pub(super) region: Region,
    /// When they were invited.
    pub(super) invited: Timestamp,
    /// When they accepted; `None` for who never did.
    pub(super) joined: Option<Timestamp>,
    /// The program.
    pub(super) program: Program,
    /// The sessions, oldest first.
    pub(super) logs: Vec<SessionLog>,
    /// The hour of the reminder, if they want one.
    pub(super) reminded: Option<i8>,
}

/// What lives are lived in.
pub(super) struct World<'a> {
    /// The clinic's templates; never empty.
    pub(super) templates: &'a [Template],
    /// Everybody's zone.
    pub(super) zone: &'a Zone,
    /// Now.
    pub(super) now: Timestamp,
    /// The civil date of now.
    pub(super) today: Date,
    /// How many days back the first program began.
    pub(super) days: i32,
}

impl World<'_> {
    fn at(&self, date: Date, hour: i8, minute: i8) -> Timestamp {
        self.zone.instant(date, time(hour, minute, 0, 0)).min(self.now - SignedDuration::from_mins(2))
    }

    /// The life of one patient. `favourite` keeps to the program, whatever the dice say.
    pub(super) fn life(&self, dice: &mut Dice, favourite: bool) -> Result<Life> {
        let keeping = match dice.below(100) {
            _ if favourite => Keeping::Steady,
            0..50 => Keeping::Steady,
            50..70 => Keeping::Loosely,
            70..94 => Keeping::Until(1 + i64::try_from(dice.below(8))?),
            _ => Keeping::Never,
        };
        let pain = match dice.below(100) {
            0..60 => Pain::Falls,
            60..88 => Pain::Stays,
            _ => Pain::Rises,
        };
        let template = &self.templates[usize::try_from(dice.below(self.templates.len() as u64))?];
        // Half of the patients came on the first day, the others in the third of the time after it.
        let late = if dice.in_hundred(50) { 0 } else { i32::try_from(dice.below(u64::try_from(self.days / 3)? + 1))? };
        let start = self.today.saturating_sub((self.days - late).days());
        let program = self.program(dice, template, start)?;
        let invited = self.at(start.saturating_sub(2.days()), 10, 0);
        let logs = if keeping == Keeping::Never { Vec::new() } else { self.logs(dice, &program, keeping, pain)? };
        let region = dice.one(&[Region::UpperBack, Region::UpperBack, Region::LowerBack, Region::Neck, Region::Shoulder]);
        Ok(Life {
            name: format!("{} {}", dice.one(&GIVEN), dice.one(&FAMILY)),
            region,
            invited,
            joined: (keeping != Keeping::Never).then(|| self.at(start.saturating_sub(1.days()), 20, 0)),
            program,
            logs,
            reminded: (keeping != Keeping::Never && dice.in_hundred(70)).then(|| dice.one(&[8, 12, 18, 19])),
        })
    }

    /// A template's program, which some revise, pause or finish early.
    fn program(&self, dice: &mut Dice, template: &Template, start: Date) -> Result<Program> {
        let born = self.at(start, 9, 0);
        let mut plan = |times_a_day: u8| Plan {
            weekdays: template.weekdays,
            times_a_day,
            prescriptions: template
                .items
                .iter()
                .map(|item| Prescription {
                    id: PrescriptionId(dice.id(born)),
                    exercise: item.exercise,
                    dose: item.dose,
                    note: None,
                })
                .collect(),
        };
        let (first, second) = (plan(template.times_a_day), plan(2));
        let end = start.saturating_add((self.days + 14).days());
        let id = (ProgramId(dice.id(born)), PatientId(dice.id(born)));
        let mut program = Program::assign(id.0, id.1, &template.name, start, end, first)?;
        let after = |share: i32| start.saturating_add((self.days * share / 10).days());
        if dice.in_hundred(15) {
            let from = after(4);
            program.revise(second, from, from)?;
        }
        if dice.in_hundred(12) {
            let from = after(5);
            let last = from.saturating_add((2 + i64::try_from(dice.below(6))?).days());
            program.pause(from, Some(last), dice.one(&PAUSES), from)?;
        }
        if dice.in_hundred(4) {
            program.finish(after(8).saturating_add(1.days()))?;
        }
        Ok(program)
    }

    fn logs(&self, dice: &mut Dice, program: &Program, keeping: Keeping, pain: Pain) -> Result<Vec<SessionLog>> {
        let baseline = 3 + i64::try_from(dice.below(5))?;
        let mut logs = Vec::new();
        let days = program.start.series(1.day()).take_while(|date| *date <= self.today && *date <= program.last_day());
        for date in days {
            let DayKind::Due(slots) = program.day_kind(date) else { continue };
            let nth = i64::from((date - program.start).get_days());
            let times = match keeping {
                // Today's is still open for most.
                _ if date == self.today => 20,
                Keeping::Steady => 92,
                Keeping::Loosely => 55,
                Keeping::Until(weeks) if nth < 7 * weeks => 85,
                Keeping::Until(_) => 2,
                Keeping::Never => 0,
            };
            for slot in 0..slots {
                if !dice.in_hundred(times) {
                    continue;
                }
                let way = nth * 4 / i64::from(self.days.max(1));
                let after = match pain {
                    Pain::Falls => baseline - way,
                    Pain::Stays => baseline,
                    Pain::Rises => baseline + way,
                } + i64::try_from(dice.below(3))?
                    - 1;
                logs.push(self.log(dice, program, date, slot, after)?);
            }
        }
        Ok(logs)
    }

    fn log(&self, dice: &mut Dice, program: &Program, date: Date, slot: u8, pain: i64) -> Result<SessionLog> {
        let hour = 7 + i8::try_from(slot)? * 2 + i8::try_from(dice.below(2))?;
        let performed_at = self.at(date, hour, i8::try_from(dice.below(60))?);
        let prescriptions = program.version_on(date).map_or(&[][..], |version| &version.prescriptions);
        let entries = prescriptions.iter().map(|prescription| {
            let dose = prescription.dose;
            let outcome = match dice.below(100) {
                0..6 => Outcome::Skipped(dice.one(&SKIPS)),
                6..18 => Outcome::Did {
                    sets: dose.sets().min(),
                    reps: dose.reps().min().div_ceil(2),
                    hold: dose.hold().map(|hold| hold.min()),
                },
                _ => Outcome::Did { sets: dose.sets().min(), reps: dose.reps().min(), hold: dose.hold().map(|hold| hold.min()) },
            };
            Entry { prescription: prescription.id, outcome }
        });
        let entries = entries.collect();
        let score = |value: i64| PainScore::new(value.clamp(0, 10)).map_err(anyhow::Error::from);
        let (given, before) = (dice.in_hundred(85), i64::try_from(dice.below(2))?);
        Ok(SessionLog {
            id: LogId(dice.id(performed_at)),
            program: program.id,
            date,
            performed_at,
            received_at: performed_at,
            entries,
            pain_before: given.then(|| score(pain + before)).transpose()?,
            pain_after: given.then(|| score(pain)).transpose()?,
            effort: if dice.in_hundred(70) { Some(Effort::new(2 + i64::try_from(dice.below(5))?)?) } else { None },
            note: dice.in_hundred(2).then(|| dice.one(&NOTES).to_owned()),
            red_flags: Vec::new(),
        })
    }
}
