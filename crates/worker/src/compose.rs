//! Writing the mail: from a claimed notice and what is known about it to the bytes that go out.
//!
//! To add a kind: its arm in `Composer::words`, its struct in `render::mail`.

use std::{sync::Arc, time::SystemTime};

use domain::{
    dose,
    person::{Email, Language, PersonName, Zone},
    program::Program,
};
use jiff::{Timestamp, civil::Date};
use lettre::{
    Message,
    address::{Address, Envelope},
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};
use render::{
    Templates, formats,
    links::{Links, ONE_TAP_LASTS},
    mail::{self, Answer, Invitation, PasswordReset, ProgramAssigned, RenderedMail, Sender, SessionReminder},
};
use store::{
    link,
    outbox::{
        Claimed, Kind,
        facts::{ClinicFacts, Facts},
    },
};

use crate::dkim::Signer;

/// Why a mail cannot be written. The notice is dead with this reason; others go on.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The notice points at somebody or something that is not there.
    #[error("the {0} this mail is about is not there")]
    Missing(&'static str),
    /// A template failed.
    #[error("the mail's template failed: {0}")]
    Template(#[from] render::RenderError),
    /// A part does not fit into a mail.
    #[error("the mail cannot be put together: {0}")]
    Mail(String),
}

/// Why `HOMESTRETCH_MAIL_FROM` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("HOMESTRETCH_MAIL_FROM must be an address such as reminders@clinic.example or Clinic <reminders@clinic.example>")]
pub struct SenderError;

/// A mail ready to go.
#[derive(Debug, Clone)]
pub struct Composed {
    /// Who it is from and to, for the server.
    pub envelope: Envelope,
    /// Its Message-ID; the same at every attempt.
    pub message_id: String,
    /// Header and body.
    pub content: Vec<u8>,
}

/// Writes mails for one installation.
#[derive(Clone)]
pub struct Composer {
    templates: Templates,
    links: Links,
    from: Mailbox,
    signer: Option<Arc<Signer>>,
}

impl Composer {
    /// A composer that sends from `from` (`HOMESTRETCH_MAIL_FROM`). Without a name in it, each mail carries its clinic's name.
    ///
    /// # Errors
    /// [`SenderError`] when `from` is no address.
    pub fn new(templates: Templates, links: Links, from: &str) -> Result<Self, SenderError> {
        let from: Mailbox = from.trim().parse().map_err(|_| SenderError)?;
        Email::parse(from.email.as_ref()).map_err(|_| SenderError)?;
        Ok(Self { templates, links, from, signer: None })
    }

    /// As it was, and every mail is signed (DKIM).
    #[must_use]
    pub fn signed_by(self, signer: Signer) -> Self {
        Self { signer: Some(Arc::new(signer)), ..self }
    }

    /// Writes the mail of a notice and signs it. `token` is the text of its one-time link, for the kinds that carry one. `now` is the
    /// mail's date and the beginning of its links' time.
    ///
    /// # Errors
    /// [`ComposeError`]; the same notice would fail the same way again.
    pub async fn compose(
        &self,
        notice: &Claimed,
        facts: &Facts,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<Composed, ComposeError> {
        let mut mail = self.write(notice, facts, token, now)?;
        let Some(signer) = self.signer.clone() else { return Ok(mail) };
        mail.content = if signer.takes_long() {
            // The threads that speak to servers and to the database must not wait for arithmetic.
            let content = mail.content;
            let signed = tokio::task::spawn_blocking(move || signer.sign(&content, now)).await;
            signed.map_err(|error| ComposeError::Mail(error.to_string()))?
        } else {
            signer.sign(&mail.content, now)
        }
        .map_err(|error| ComposeError::Mail(error.to_string()))?;
        Ok(mail)
    }

    fn write(&self, notice: &Claimed, facts: &Facts, token: Option<&str>, now: Timestamp) -> Result<Composed, ComposeError> {
        let wrong = |error: &dyn std::fmt::Display| ComposeError::Mail(error.to_string());
        let (name, words) = self.words(notice, facts, token, now)?;
        let clinic = facts.clinic(notice).ok_or(ComposeError::Missing("clinic"))?;
        let sender = self.from.name.clone().unwrap_or_else(|| clinic.name.clone());
        let from = Mailbox::new(Some(mail::one_line(&sender)), self.from.email.clone());
        let address: Address = notice.recipient.as_str().parse().map_err(|error| wrong(&error))?;
        let message_id = format!("<{}@{}>", notice.id, self.from.email.domain());
        let mut message = Message::builder()
            .from(from)
            .to(Mailbox::new(Some(mail::one_line(&name)), address.clone()))
            .subject(words.subject)
            .date(SystemTime::from(now))
            .message_id(Some(message_id.clone()))
            // No vacation notes in return (RFC 3834).
            .raw_header(plain("Auto-Submitted", "auto-generated".to_owned()));
        // The test shows how reminders arrive, so it has all that a reminder has.
        if let (Kind::SessionReminder | Kind::Test, Some(patient)) = (notice.kind, notice.patient) {
            // RFC 8058: mail programs show a button that posts to this address.
            let stop = self.links.unsubscribe(notice.clinic, patient, &notice.recipient, now);
            message = message
                .raw_header(plain("List-Unsubscribe", format!("<{stop}>")))
                .raw_header(plain("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
        let message =
            message.multipart(MultiPart::alternative_plain_html(words.text, words.html)).map_err(|error| wrong(&error))?;
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![address]).map_err(|error| wrong(&error))?;
        Ok(Composed { envelope, message_id, content: message.formatted() })
    }

    /// The recipient's name, and the mail's words.
    fn words(
        &self,
        notice: &Claimed,
        facts: &Facts,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<(String, RenderedMail), ComposeError> {
        let clinic = facts.clinic(notice).ok_or(ComposeError::Missing("clinic"))?;
        let sender = sender(clinic);
        let patient = || facts.patient(notice).ok_or(ComposeError::Missing("patient"));
        let invited = token.map(|token| self.links.welcome(token));
        let token = || token.ok_or(ComposeError::Missing("link"));
        match notice.kind {
            Kind::Invitation if notice.membership.is_some() => {
                let member = facts.member(notice).ok_or(ComposeError::Missing("member of staff"))?;
                let mail = Invitation {
                    sender,
                    name: called(&member.name),
                    inviter: None,
                    staff: true,
                    link: self.links.welcome(token()?),
                    expires: moment(member.language, &clinic.zone, now + link::INVITATION_LASTS),
                };
                Ok((member.name.clone(), mail::render(&self.templates, member.language, &mail)?))
            }
            Kind::Invitation => {
                let patient = patient()?;
                let mail = Invitation {
                    sender,
                    name: patient.name.called().to_owned(),
                    inviter: patient.physiotherapist.clone(),
                    staff: false,
                    link: self.links.welcome(token()?),
                    expires: moment(patient.language, &patient.zone, now + link::INVITATION_LASTS),
                };
                Ok((patient.name.to_string(), mail::render(&self.templates, patient.language, &mail)?))
            }
            Kind::PasswordReset => {
                let person = facts.person(notice).ok_or(ComposeError::Missing("account"))?;
                let mail = PasswordReset {
                    sender,
                    name: called(&person.name),
                    link: self.links.password_reset(token()?),
                    expires: moment(person.language, &clinic.zone, now + link::RESET_LASTS),
                };
                Ok((person.name.clone(), mail::render(&self.templates, person.language, &mail)?))
            }
            Kind::ProgramAssigned => {
                let patient = patient()?;
                let program = patient
                    .programs
                    .iter()
                    .find(|program| Some(program.id) == notice.program)
                    .ok_or(ComposeError::Missing("program"))?;
                let version = program.newest().ok_or(ComposeError::Missing("program's version"))?;
                let language = patient.language;
                let mail = ProgramAssigned {
                    by: patient.physiotherapist.clone().unwrap_or_else(|| sender.clinic.clone()),
                    sender,
                    name: patient.name.called().to_owned(),
                    revised: false,
                    exercises: formats::exercise_count(language, version.prescriptions.len()),
                    minutes: formats::about_minutes(language, version.minutes()),
                    days: formats::weekdays(language, version.weekdays),
                    times_a_day: version.times_a_day,
                    from: formats::day_long(language, program.start),
                    until: formats::day_long(language, program.end),
                    link: invited.unwrap_or_else(|| self.links.to("/today")),
                    reminded_at: patient.rule.times.first().map(|time| formats::hour(language, *time)),
                };
                Ok((patient.name.to_string(), mail::render(&self.templates, language, &mail)?))
            }
            Kind::SessionReminder => {
                let patient = patient()?;
                let id = notice.patient.ok_or(ComposeError::Missing("patient"))?;
                let (date, time) = notice.civil.ok_or(ComposeError::Missing("day"))?;
                let language = patient.language;
                let (exercises, minutes) = session(&patient.programs, date);
                let mail = SessionReminder {
                    sender,
                    name: patient.name.called().to_owned(),
                    today: formats::day_long(language, date),
                    exercises: formats::exercise_count(language, exercises),
                    minutes: formats::about_minutes(language, minutes),
                    link: self.links.one_tap(notice.clinic, id, &notice.recipient, now),
                    expires: moment(language, &patient.zone, now + ONE_TAP_LASTS),
                    chosen: formats::hour(language, time),
                    settings: self.links.to("/reminders"),
                    unsubscribe: self.links.unsubscribe(notice.clinic, id, &notice.recipient, now),
                };
                Ok((patient.name.to_string(), mail::render(&self.templates, language, &mail)?))
            }
            Kind::Answer => {
                let patient = patient()?;
                let mail = Answer { sender, name: patient.name.called().to_owned(), link: self.links.to("/today") };
                Ok((patient.name.to_string(), mail::render(&self.templates, patient.language, &mail)?))
            }
            Kind::Test => {
                let patient = patient()?;
                let id = notice.patient.ok_or(ComposeError::Missing("patient"))?;
                let language = patient.language;
                let times: Vec<String> = patient.rule.times.iter().map(|time| formats::hour(language, *time)).collect();
                let mail = mail::Test {
                    sender,
                    name: patient.name.called().to_owned(),
                    times: (!times.is_empty()).then(|| formats::list(language, &times)),
                    from: self.from.email.to_string(),
                    settings: self.links.to("/reminders"),
                    unsubscribe: self.links.unsubscribe(notice.clinic, id, &notice.recipient, now),
                };
                Ok((patient.name.to_string(), mail::render(&self.templates, language, &mail)?))
            }
        }
    }
}

/// Exercises and minutes of everything due on a date.
fn session(programs: &[Program], date: Date) -> (usize, u32) {
    let due = programs.iter().filter(|program| program.slots_on(date) > 0).filter_map(|program| program.version_on(date));
    let doses: Vec<_> = due.flat_map(|version| version.prescriptions.iter().map(|prescription| prescription.dose)).collect();
    (doses.len(), dose::minutes(&doses))
}

fn sender(clinic: &ClinicFacts) -> Sender {
    Sender {
        clinic: clinic.name.clone(),
        phone: clinic.phone.clone(),
        whatsapp: clinic.whatsapp.as_ref().map(|number| format!("https://wa.me/{number}")),
    }
}

/// What to call a member of staff: "Dr" is nobody's name.
fn called(name: &str) -> String {
    PersonName::parse(name).map_or_else(|_| name.to_owned(), |name| name.called().to_owned())
}

fn moment(language: Language, zone: &Zone, at: Timestamp) -> String {
    formats::moment(language, zone.date(at), zone.time(at))
}

/// A header of ASCII without line breaks that must stand exactly so: a folded or encoded address would not be followed. The values
/// come from us alone.
fn plain(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}
