//! A patient's record in the order in which it leaves for other programs: what
//! was prescribed and by whom, then what was logged and answered, a few hundred
//! rows at a time.
//!
//! Every session of [`Part::Sessions`] belongs to a program of the
//! [`Opening`], and every reply to a session that came before it.

use std::collections::HashMap;

use crate::ids::{ExerciseId, LogId, MembershipId, PatientId, ProgramId, ReplyId};
use crate::person::{Email, Language, PersonName, Zone};
use crate::program::Program;
use crate::questionnaire::Answer;
use crate::session_log::SessionLog;
use jiff::Timestamp;

/// A part of the record: one opening, then any number of the others, oldest first.
#[derive(Debug)]
pub enum Part {
    /// What was prescribed.
    Opening(Box<Opening>),
    /// Some of the sessions.
    Sessions(Vec<Session>),
    /// Some of the answers about how things are.
    Answers(Vec<Answer>),
    /// Some of the replies to sessions.
    Replies(Vec<Reply>),
}

/// Whose record it is, what was prescribed, and the names in it.
#[derive(Debug)]
pub struct Opening {
    /// Whose.
    pub whose: Whose,
    /// The programs, by start.
    pub programs: Vec<Program>,
    /// Who made which version, by program and number of the version.
    pub made: HashMap<(ProgramId, u32), Made>,
    /// What the exercises are called.
    pub exercises: HashMap<ExerciseId, String>,
    /// Whoever of the staff made, logged or wrote something here, by name.
    pub staff: Vec<(MembershipId, String)>,
}

/// The patient.
#[derive(Debug, Clone)]
pub struct Whose {
    /// Their id.
    pub id: PatientId,
    /// Their name.
    pub name: PersonName,
    /// Where mail reaches them.
    pub email: Option<Email>,
    /// The language they read.
    pub language: Language,
    /// Where their days begin and end.
    pub zone: Zone,
    /// Whether the record is open: closed neither by them nor by the clinic.
    pub open: bool,
}

/// Who made something, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Who; `None` for what nobody on the staff made (an import).
    pub by: Option<MembershipId>,
    /// When.
    pub at: Timestamp,
}

/// A session log, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What the patient did.
    pub log: SessionLog,
    /// When it was last corrected.
    pub corrected_at: Option<Timestamp>,
    /// Who entered it, when it was not the patient.
    pub entered_by: Option<MembershipId>,
}

/// What a physiotherapist answered to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The reply.
    pub id: ReplyId,
    /// The session.
    pub log: LogId,
    /// The answer.
    pub text: String,
    /// Who wrote it.
    pub by: MembershipId,
    /// When.
    pub written_at: Timestamp,
    /// When the patient said that they had read it.
    pub read_at: Option<Timestamp>,
}
