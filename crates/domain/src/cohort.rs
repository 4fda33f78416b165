//! Many patients together: adherence and pain change of a group, and how many still log by the week of their program.
//!
//! Every figure is the sum of what `adherence` and `pain` say of each patient, so that a group can never disagree with the pages of
//! the people in it. A figure of fewer than [`FEWEST`] is not worked out at all: one person's good week would read as a result.

use std::collections::BTreeMap;

use jiff::{ToSpan, civil::Date};

use crate::{
    adherence::{Adherence, Logged, adherence},
    ids::{ExerciseId, MembershipId, PatientId},
    pain::{self, PainPoint, Reading, Region},
    program::{DayKind, Program},
    session_log::SkipReason,
};

/// Of fewer patients (or sessions due) than this there are counts and no figures.
pub const FEWEST: u32 = 5;

/// A program with what was logged of it in a period.
#[derive(Debug, Clone)]
pub struct Followed {
    /// Whose it is.
    pub patient: PatientId,
    /// On whose caseload the patient is.
    pub physiotherapist: Option<MembershipId>,
    /// Where it hurts.
    pub region: Region,
    /// The patient's civil date.
    pub today: Date,
    /// The program.
    pub program: Program,
    /// Its logs in the period.
    pub logs: Vec<Logged>,
    /// Pain in the same sessions.
    pub pain: Vec<PainPoint>,
}

/// A program and what it came to over a period.
#[derive(Debug, Clone)]
pub struct Course {
    /// The program.
    pub followed: Followed,
    /// Its adherence.
    pub adherence: Adherence,
}

impl Course {
    /// What a program came to over `from..=to`; as [`adherence`], of this program alone.
    pub fn measure(followed: Followed, from: Date, to: Date) -> Self {
        let adherence = adherence(std::slice::from_ref(&followed.program), &followed.logs, from, to, followed.today);
        Self { followed, adherence }
    }
}

/// How the pain of a group changed. Each patient is read by [`pain::change`], with the windows and thresholds of their own page.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PainGroup {
    /// Patients with scores enough to read a change.
    pub read: u32,
    /// Of these: with a meaningful change for the better.
    pub better: u32,
    /// With a meaningful change for the worse.
    pub worse: u32,
    /// The sum of the means of their first windows.
    pub first_sum: f64,
    /// The sum of the means of their last windows.
    pub last_sum: f64,
}

impl PainGroup {
    /// The mean change in points, negative for less pain; `None` of fewer than [`FEWEST`] patients.
    pub fn mean(&self) -> Option<f64> {
        self.means().map(|(first, last)| last - first)
    }

    /// The means of their first and of their last windows, 0 to 10; `None` of fewer than [`FEWEST`] patients.
    pub fn means(&self) -> Option<(f64, f64)> {
        let n = f64::from(self.read);
        (self.read >= FEWEST).then(|| (self.first_sum / n, self.last_sum / n))
    }

    /// Changes that were read and are not meaningful.
    pub fn unchanged(&self) -> u32 {
        self.read.saturating_sub(self.better + self.worse)
    }
}

/// Some patients over a period.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Group {
    /// Patients of whom something was due.
    pub patients: u32,
    /// Sessions due; of a group by exercise, how often it was due.
    pub expected: u32,
    /// Sessions in which something was done. Not counted by exercise.
    pub sessions: u32,
    /// The sum of what was done of them, each 0..=1.
    pub completion_sum: f64,
    /// Pain.
    pub pain: PainGroup,
}

impl Group {
    /// Whether there are too few to say more than counts.
    pub fn too_few(&self) -> bool {
        self.patients < FEWEST || self.expected < FEWEST
    }

    /// Sessions done out of sessions due, 0..=1; `None` of too few.
    pub fn ratio(&self) -> Option<f64> {
        self.share(f64::from(self.sessions))
    }

    /// How much of what was due was done, 0..=1; `None` of too few.
    pub fn completion(&self) -> Option<f64> {
        self.share(self.completion_sum)
    }

    fn share(&self, done: f64) -> Option<f64> {
        (!self.too_few()).then(|| (done / f64::from(self.expected)).clamp(0.0, 1.0))
    }
}

/// All of them as one group.
pub fn whole(courses: &[Course]) -> Group {
    by(courses, |_| ()).remove(&()).unwrap_or_default()
}

/// Groups by a property of the program or its patient. A patient with programs in two groups is counted in both, with the sessions
/// and scores of each; programs of which nothing was due are left out.
pub fn by<K: Ord>(courses: &[Course], key: impl Fn(&Followed) -> K) -> BTreeMap<K, Group> {
    grouped(courses.iter().map(|course| {
        let Adherence { expected, sessions, completion_sum, .. } = course.adherence;
        Part { key: key(&course.followed), followed: &course.followed, expected, sessions, completion_sum }
    }))
}

/// One exercise, and why it was skipped.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OfExercise {
    /// The patients to whom it was prescribed. Their pain is the pain after their sessions, whatever else was in them.
    pub group: Group,
    /// How often it was skipped, by reason, most frequent first.
    pub skipped: Vec<(SkipReason, u32)>,
}

/// Groups by exercise. Logs must carry their entries and versions their prescriptions.
pub fn by_exercise(courses: &[Course]) -> BTreeMap<ExerciseId, OfExercise> {
    let rows = || courses.iter().flat_map(|course| course.adherence.by_exercise.iter().map(move |row| (course, row)));
    let groups = grouped(rows().map(|(course, row)| Part {
        key: row.exercise,
        followed: &course.followed,
        expected: row.expected,
        sessions: 0,
        completion_sum: row.done_sum,
    }));
    let mut all: BTreeMap<ExerciseId, OfExercise> =
        groups.into_iter().map(|(exercise, group)| (exercise, OfExercise { group, skipped: Vec::new() })).collect();
    for (_, row) in rows() {
        let Some(of) = all.get_mut(&row.exercise) else { continue };
        for (reason, n) in &row.skipped {
            match of.skipped.iter_mut().find(|(known, _)| known == reason) {
                Some((_, sum)) => *sum += n,
                None => of.skipped.push((*reason, *n)),
            }
        }
    }
    for of in all.values_mut() {
        of.skipped.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
    }
    all
}

/// What one program adds to one group.
struct Part<'a, K> {
    key: K,
    followed: &'a Followed,
    expected: u32,
    sessions: u32,
    completion_sum: f64,
}

/// The pain of each patient of a group, and where it hurts.
type People = BTreeMap<PatientId, (Region, Vec<PainPoint>)>;

fn grouped<'a, K: Ord>(parts: impl Iterator<Item = Part<'a, K>>) -> BTreeMap<K, Group> {
    let mut groups: BTreeMap<K, (Group, People)> = BTreeMap::new();
    for Part { key, followed, expected, sessions, completion_sum } in parts.filter(|part| part.expected > 0) {
        let (group, people) = groups.entry(key).or_default();
        group.expected += expected;
        group.sessions += sessions;
        group.completion_sum += completion_sum;
        people.entry(followed.patient).or_insert_with(|| (followed.region, Vec::new())).1.extend(&followed.pain);
    }
    let finished = groups.into_iter().map(|(key, (mut group, people))| {
        group.patients = u32::try_from(people.len()).unwrap_or(u32::MAX);
        for (region, points) in people.into_values() {
            let change = pain::change(&points, region);
            let (Some(delta), Some(first), Some(last)) = (change.delta, change.first, change.last) else { continue };
            group.pain.read += 1;
            group.pain.first_sum += first.mean;
            group.pain.last_sum += last.mean;
            if change.reading == Reading::Meaningful {
                if delta < 0.0 { group.pain.better += 1 } else { group.pain.worse += 1 }
            }
        }
        (key, group)
    });
    finished.collect()
}

/// One week of programs, counted from each program's own first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Week {
    /// 1 for the first seven days.
    pub number: u32,
    /// Programs of which something was due in that week.
    pub programs: u32,
    /// Of these: with a session in which something was done.
    pub logging: u32,
}

impl Week {
    /// Still logging, 0..=1; `None` of fewer than [`FEWEST`] programs.
    pub fn share(&self) -> Option<f64> {
        (self.programs >= FEWEST).then(|| f64::from(self.logging) / f64::from(self.programs))
    }
}

/// Who still logs, by the week of the program: of the weeks that lie inside `from..=to` from their first to their last day and have
/// passed. Weeks in which nothing was due (a pause, the end) count for nobody.
pub fn weeks(courses: &[Course], from: Date, to: Date) -> Vec<Week> {
    let mut all: BTreeMap<u32, Week> = BTreeMap::new();
    for Course { followed, .. } in courses {
        let Followed { program, logs, today, .. } = followed;
        let last = program.last_day();
        let mut start = program.start;
        for number in 1u32.. {
            let end = start.saturating_add(6.days()).min(last);
            if start > last || end > to || end >= *today {
                break;
            }
            let mut days = start.series(1.day()).take_while(|date| *date <= end);
            if start >= from && days.any(|date| matches!(program.day_kind(date), DayKind::Due(_))) {
                let week = all.entry(number).or_insert(Week { number, programs: 0, logging: 0 });
                week.programs += 1;
                week.logging += u32::from(logs.iter().any(|log| log.completion > 0.0 && (start..=end).contains(&log.date)));
            }
            start = start.saturating_add(7.days());
        }
    }
    all.into_values().collect()
}
