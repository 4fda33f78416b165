//! From a story to its session logs. Nothing here is random: what varies from day to day comes from a hash of the patient's name and
//! the session's place in the program, so the clinic is the same each time it is made.

use anyhow::{Context as _, Result};
use domain::{
    dose::Span,
    ids::LogId,
    person::Zone,
    program::{Prescription, Program},
    session_log::{Effort, Entry, Outcome, PainScore, SessionLog, SkipReason},
};
use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, time},
};

use super::stories::{Note, Story, Turn};

/// One log as it reached the clinic.
#[derive(Debug, Clone)]
pub struct Logged {
    /// The log as it was first sent.
    pub log: SessionLog,
    /// The correction, and when it came.
    pub correction: Option<(SessionLog, Timestamp)>,
}

/// What became of one due session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    Done,
    Part,
    Missed,
}

/// Every log of a story's program, oldest first, each checked by the rules a patient's own log is checked by.
///
/// # Errors
/// When the story asks for a log that the rules refuse.
pub fn logs(story: &Story, program: &Program, zone: &Zone, now: Timestamp) -> Result<Vec<Logged>> {
    let today = zone.date(now);
    let held: Vec<(Date, u8, usize, Session)> =
        sessions(story, program, zone, now).into_iter().filter(|(.., session)| *session != Session::Missed).collect();
    let mut logs = Vec::with_capacity(held.len());
    for (at, (date, slot, place, session)) in held.iter().enumerate() {
        let back = held.len() - 1 - at;
        let scene =
            Scene { story, program, zone, now, today, at, back, of: held.len(), dice: Dice { name: story.name, place: *place } };
        if let Some(logged) = scene.log(*date, *slot, *session).with_context(|| format!("{} on {date}", story.name))? {
            logs.push(logged);
        }
    }
    Ok(logs)
}

/// The due sessions until now: date, which of the day, place in the program, and what became of it.
fn sessions(story: &Story, program: &Program, zone: &Zone, now: Timestamp) -> Vec<(Date, u8, usize, Session)> {
    let today = zone.date(now);
    let last = match story.turn {
        Turn::Stops { ago, .. } => today - ago.days(),
        _ => today,
    };
    let due: Vec<(Date, u8)> = program
        .start
        .series(1.day())
        .take_while(|date| *date <= last)
        .flat_map(|date| (0..program.slots_on(date)).map(move |slot| (date, slot)))
        // Today's is done once its hour has passed.
        .filter(|(date, slot)| *date < today || (story.today && usual(story, zone, *date, *slot) + HOUR_GIVES < now))
        .collect();
    let before_today = due.iter().filter(|(date, _)| *date < today).count();
    let newest = story.newest.len();
    due.into_iter()
        .enumerate()
        .map(|(place, (date, slot))| {
            let session = match (place + newest).checked_sub(before_today) {
                _ if date == today => Session::Done,
                Some(at) => match story.newest.as_bytes().get(at) {
                    Some(b'#') => Session::Done,
                    Some(b'+') => Session::Part,
                    _ => Session::Missed,
                },
                None => match (Dice { name: story.name, place }).of_100("session") {
                    roll if roll < story.habit.0 => Session::Done,
                    roll if roll < story.habit.0 + story.habit.1 => Session::Part,
                    _ => Session::Missed,
                },
            };
            (date, slot, place, session)
        })
        .collect()
}

/// When a session usually begins. It never begins later than [`HOUR_GIVES`] after it.
fn usual(story: &Story, zone: &Zone, date: Date, slot: u8) -> Timestamp {
    let (hour, minute) = story.at.get(usize::from(slot)).copied().unwrap_or((8, 0));
    zone.instant(date, time(hour, minute, 0, 0))
}

/// How much later than usual a session may be, with a minute for the log to arrive.
const HOUR_GIVES: SignedDuration = SignedDuration::from_mins(26);

/// One session and all it depends on.
struct Scene<'a> {
    story: &'a Story,
    program: &'a Program,
    zone: &'a Zone,
    now: Timestamp,
    today: Date,
    /// Which of the sessions held, from 0.
    at: usize,
    /// How many of them are newer.
    back: usize,
    /// How many there are.
    of: usize,
    dice: Dice<'a>,
}

impl Scene<'_> {
    /// The log, or nothing when it has not reached the clinic yet.
    fn log(&self, date: Date, slot: u8, session: Session) -> Result<Option<Logged>> {
        let Self { story, program, zone, .. } = self;
        let performed_at =
            usual(story, zone, date, slot) + SignedDuration::from_mins(i64::try_from(self.dice.below("minute", 25))?);
        let received_at = self.received(date, performed_at);
        if received_at > self.now {
            return Ok(None);
        }
        let note = story.notes.iter().find(|note| note.back == self.back);
        let (pain_before, pain_after) = self.pain(note)?;
        let version = program.version_on(date).context("no version of the program holds on that day")?;
        let log = SessionLog {
            id: LogId::new(),
            program: program.id,
            date,
            performed_at,
            received_at,
            entries: self.entries(&version.prescriptions, session, note),
            pain_before,
            pain_after,
            effort: (self.dice.of_100("effort given") >= 8).then(|| self.effort()),
            note: note.map(|note| note.text.to_owned()),
            red_flags: match story.turn {
                Turn::Stops { flag, .. } if self.back == 0 => vec![flag],
                _ => Vec::new(),
            },
        };
        log.check(program, zone.date(received_at))?;
        Ok(Some(Logged { correction: self.correction(&log)?, log }))
    }

    /// When the log reached the clinic: a minute after the session, a day or two later, or with the paper diary.
    fn received(&self, date: Date, performed_at: Timestamp) -> Timestamp {
        let Self { story, zone, .. } = self;
        if story.turn == Turn::OnPaper {
            // The patient comes in once a week, last yesterday.
            let ago = (self.today - date).get_days();
            let visit = if ago < 1 { date } else { self.today - ((ago - 1) / 7 * 7 + 1).days() };
            return zone.instant(visit, time(11, 30, 0, 0)).max(performed_at + SignedDuration::from_mins(90));
        }
        if story.late.contains(&self.back) {
            let days = 1 + i64::from(self.dice.of_100("days late") < 50);
            return zone.instant(date + days.days(), time(19, 40, 0, 0));
        }
        performed_at + SignedDuration::from_secs(40)
    }

    /// Somebody noticed a slip: an exercise counted in full was only half done.
    fn correction(&self, log: &SessionLog) -> Result<Option<(SessionLog, Timestamp)>> {
        if !self.story.corrected.contains(&self.back) {
            return Ok(None);
        }
        let at = self.zone.instant(log.date.tomorrow()?, time(9, 10, 0, 0));
        let mut corrected = log.clone();
        for entry in corrected.entries.iter_mut().rev().take(1) {
            entry.outcome = Outcome::Skipped(SkipReason::NoTime);
        }
        corrected.check_correction(log, self.program, self.zone.date(log.received_at), self.zone.date(at))?;
        Ok((at <= self.now).then_some((corrected, at)))
    }

    fn entries(&self, prescriptions: &[Prescription], session: Session, note: Option<&Note>) -> Vec<Entry> {
        let in_full = prescriptions.len() - usize::from(session == Session::Part).min(prescriptions.len());
        prescriptions
            .iter()
            .enumerate()
            .map(|(at, prescription)| {
                let outcome = match self.story.skips {
                    Some((skipped, _, _)) if skipped == at && note.is_some_and(|note| note.hurt) => {
                        Outcome::Skipped(SkipReason::Pain)
                    }
                    Some((skipped, often, why)) if skipped == at && self.dice.of_100("skips") < often => Outcome::Skipped(why),
                    // Who runs out of time leaves out the last, or does half of it.
                    _ if at >= in_full && self.dice.of_100("out of time") < 60 => Outcome::Skipped(SkipReason::NoTime),
                    _ => self.did(at, prescription, at >= in_full),
                };
                Entry { prescription: prescription.id, outcome }
            })
            .collect()
    }

    fn did(&self, at: usize, prescription: &Prescription, half: bool) -> Outcome {
        let dose = prescription.dose;
        // Most people do the lower number, some days more.
        let within = |what: &str, span: Span| match self.dice.of_100(&format!("{what} {at}")) {
            0..60 => span.min(),
            60..85 => span.min().midpoint(span.max()),
            _ => span.max(),
        };
        let reps = within("reps", dose.reps());
        Outcome::Did {
            sets: within("sets", dose.sets()),
            reps: if half { (dose.reps().min() / 2).max(1) } else { reps },
            hold: dose.hold().map(|hold| if half { (hold.min() / 2).max(1) } else { within("hold", hold) }),
        }
    }

    /// Before and after, on the line from the story's first pain to its last, a little off it as people are.
    fn pain(&self, note: Option<&Note>) -> Result<(Option<PainScore>, Option<PainScore>)> {
        let Self { story, dice, .. } = self;
        let (first, last) = story.pain;
        let told = story.newest_pain.len().checked_sub(self.back + 1).and_then(|at| story.newest_pain.get(at)).copied();
        let along = if self.of > 1 { self.at as f64 / (self.of - 1) as f64 } else { 0.0 };
        let off = dice.below("pain", 100) as f64 / 100.0 - 0.5;
        // Between 0 and 10, so the cast is exact.
        let line = (first + (last - first) * along + off).round().clamp(0.0, 10.0) as i64;
        let mut after = told.unwrap_or(line);
        // Where pain falls, a session eases it; where it rises, it comes from doing.
        let rises = story.newest_pain.last().is_some_and(|newest| *newest as f64 > first);
        let eased = i64::from(dice.of_100("eased") < 65);
        let mut before = if rises && told.is_some() { after - eased } else { after + eased };
        if note.is_some_and(|note| note.hurt) {
            before = line;
            after = line + 1;
        }
        let given = |what: &str, score: i64| {
            // Not everybody says every time; where the story tells a score, it was said.
            let said = told.is_some() || note.is_some() || dice.of_100(what) >= 6;
            said.then(|| PainScore::new(score.clamp(0, 10))).transpose()
        };
        Ok((given("before given", before)?, given("after given", after)?))
    }

    fn effort(&self) -> Effort {
        match self.dice.of_100("effort") {
            0..25 => Effort::EASY,
            25..80 => Effort::OK,
            _ => Effort::HARD,
        }
    }
}

/// A number for each question about a session of a patient: always the same for the same question.
#[derive(Debug, Clone, Copy)]
struct Dice<'a> {
    name: &'a str,
    /// Which session of the program.
    place: usize,
}

impl Dice<'_> {
    /// From 0 to 99.
    fn of_100(&self, question: &str) -> u64 {
        self.below(question, 100)
    }

    /// From 0 to one below `end`.
    fn below(&self, question: &str, end: u64) -> u64 {
        hash(&[self.name, question], self.place) % end.max(1)
    }
}

/// FNV-1a over the texts and the number, its bits stirred once more (splitmix64's finish), since FNV's low bits are poor.
fn hash(texts: &[&str], number: usize) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0])).chain(number.to_le_bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dice_gives_the_same_number_again_and_all_numbers_in_turn() {
        let roll = |place| Dice { name: "Wei Ling Chong", place }.of_100("session");
        assert_eq!(roll(7), roll(7));
        let low = (0..2000).filter(|place| roll(*place) < 50).count();
        assert!((900..1100).contains(&low), "{low} of 2000 below the half");
    }
}
