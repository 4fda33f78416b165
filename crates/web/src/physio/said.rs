//! What the patient said over the period of a report, what was answered to it, and the form of an answer.

use std::collections::HashSet;

use domain::{attention::Question, ids::LogId};
use render::{
    Field,
    attention::red_flag,
    formats::{day_short, list},
    pages::physio::patient::{Answer, Said},
    words::Language,
};
use store::{patient::Patient, reply::Reply, reports::patient::Session};
use uuid::Uuid;

use super::report::{Facts, scores};

const EN: Language = Language::En;
/// Notes that stand open.
const NOTES: usize = 8;
/// Notes listed whether they wait or not; the file has every one.
const LISTED: usize = 60;
/// Notes listed at all.
const MOST_LISTED: usize = 200;

/// What is known of the notes besides their words.
#[derive(Debug, Clone, Copy)]
pub struct Notes<'a> {
    /// Who said it.
    pub patient: &'a Patient,
    /// What was answered.
    pub replies: &'a [Reply],
    /// What still waits for an answer.
    pub waiting: &'a [Question],
    /// An answer that was refused: to which session, and what was typed.
    pub refused: Option<&'a (LogId, Field)>,
}

impl Facts<'_> {
    /// The newest notes, those before them, and how many more there are in words. A note that waits is listed
    /// before others that do not, and one whose answer was refused always.
    pub(super) fn said(&self) -> (Vec<Said>, Vec<Said>, Option<String>) {
        let with_words = || self.sessions.iter().filter(|session| session.note.is_some() || !session.red_flags.is_empty());
        let waiting: HashSet<Uuid> = self.said.waiting.iter().map(|question| question.id).collect();
        let mut listed: Vec<Said> = Vec::new();
        for (at, session) in with_words().enumerate() {
            let waits = waiting.contains(&session.log.0);
            if at < LISTED || (waits && listed.len() < MOST_LISTED) || self.refused(session).is_some() {
                listed.push(self.one(session, waits));
            }
        }
        let older = listed.split_off(listed.len().min(NOTES));
        let more = match with_words().count().saturating_sub(listed.len() + older.len()) {
            0 => None,
            1 => Some("One older note: choose an earlier period to read it.".to_owned()),
            n => Some(format!("{n} older notes: choose an earlier period to read them.")),
        };
        (listed, older, more)
    }

    fn one(&self, session: &Session, waits: bool) -> Said {
        let pain = (session.pain_before.is_some() || session.pain_after.is_some()).then(|| format!("pain {}", scores(session)));
        let skipped = self.skipped_names(session);
        let skipped = (!skipped.is_empty()).then(|| format!("skipped {}", list(EN, &skipped)));
        let facts: Vec<String> = pain.into_iter().chain(skipped).collect();
        let refused = self.refused(session);
        Said {
            log: session.log.to_string(),
            text: session.note.clone(),
            date: day_short(EN, session.date),
            facts: (!facts.is_empty()).then(|| facts.join(" · ")),
            flags: session.red_flags.iter().map(|flag| red_flag(*flag).to_owned()).collect(),
            waits,
            answers: self
                .said
                .replies
                .iter()
                .filter(|reply| reply.log == session.log)
                .map(|reply| self.answer(session, reply))
                .collect(),
            reply: format!("/logs/{}/replies", session.log),
            words: refused.cloned().unwrap_or_default(),
            open: refused.is_some(),
        }
    }

    fn answer(&self, session: &Session, reply: &Reply) -> Answer {
        let day = |at| day_short(EN, self.zone.date(at));
        let read = reply.read_at.map_or_else(|| "not read yet".to_owned(), |at| format!("read {}", day(at)));
        Answer {
            text: reply.text.clone(),
            by: format!("{}, {} · {read}", reply.by, day(reply.written_at)),
            // What was answered stands here when it is not what the note says now.
            to: reply.note.clone().filter(|note| session.note.as_ref() != Some(note)),
        }
    }

    fn refused(&self, session: &Session) -> Option<&Field> {
        self.said.refused.filter(|(log, _)| *log == session.log).map(|(_, field)| field)
    }

    /// How the patient learns of an answer.
    pub(super) fn told(&self) -> String {
        let Patient { name, email, joined_at, closed, .. } = self.said.patient;
        let name = name.called();
        match (email, joined_at, closed) {
            (_, _, Some(_)) => format!("{name}’s record is closed, so no mail is sent."),
            (_, None, _) => format!("{name} has not signed in yet, so no mail is sent; they read it when they do."),
            (None, ..) => format!("There is no address for a mail; {name} reads it when they sign in."),
            (Some(_), Some(_), None) => {
                format!("{name} reads it on their page; a mail says that there is an answer, not what it says.")
            }
        }
    }
}
