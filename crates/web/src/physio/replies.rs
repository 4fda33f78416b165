//! `POST /logs/{id}/replies`: an answer to what a patient said with a session. The patient reads it on Today and in Progress, and a mail
//! says that it is there and nothing of what it says.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use domain::{ids::LogId, text::is_blank};
use jiff::{Timestamp, civil::Date};
use render::{Field, Flash, Nav};
use serde::Deserialize;
use store::{
    StoreError, Tx,
    outbox::{self, Owed},
    patient::{self, Patient},
    reply::{self, MAX_CHARS},
};

use super::{
    patient::{Record, Refused},
    period::Wanted,
};
use crate::{
    AppState, PageResult,
    extract::{Form, Id, Now, Pages, Staff},
};

/// What the form sends; `from` and `to` are the report's days, so that the page comes back as it was.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    text: String,
    from: String,
    to: String,
}

/// What became of the reply, besides that it was kept.
enum Told {
    /// A mail says that there is an answer, or has said so for one that still waits.
    ByMail(Patient),
    /// It waits until they sign in.
    OnThePage(Patient),
    /// The same words were kept before.
    Before(Patient),
}

/// Keeps a reply and owes the patient a mail about it.
///
/// # Errors
/// 404 for another clinic's log and for one in which nothing was said; 422 with the page when the words are missing or too many.
pub async fn create(
    State(app): State<AppState>,
    staff: Staff,
    Id(log): Id<LogId>,
    Now(now): Now,
    pages: Pages,
    Form(typed): Form<Typed>,
) -> PageResult {
    let text = match read(&typed.text) {
        Ok(text) => text,
        Err(sentence) => {
            let tx = app.store.begin(&staff.scope).await?;
            let patient = reply::patient_of(&tx, log).await?;
            tx.commit().await?;
            let wanted = Wanted::between(&typed.from, &typed.to);
            let record = Record::load(&app.store, &staff.scope, patient, wanted, now).await?;
            let refused = Refused { reply: Some((log, Field::refused(typed.text, sentence))), ..Refused::default() };
            return pages.at(Nav::Patients).refuse(&record.view(Some(&refused)));
        }
    };
    let tx = app.store.begin(&staff.scope).await?;
    let told = keep(&tx, log, &text, now).await?;
    tx.commit().await?;
    let (patient, sentence) = match told {
        Told::ByMail(patient) => {
            let sentence =
                format!("Answered. {} gets a mail that there is an answer, without what it says.", patient.name.called());
            (patient, sentence)
        }
        Told::OnThePage(patient) => {
            let sentence = format!("Answered. No mail can tell {}: they read it when they sign in.", patient.name.called());
            (patient, sentence)
        }
        Told::Before(patient) => (patient, "You have answered that already, in the same words.".to_owned()),
    };
    Ok(back(&pages, &patient, log, &typed.from, &typed.to, &sentence))
}

async fn keep(tx: &Tx, log: LogId, text: &str, now: Timestamp) -> Result<Told, StoreError> {
    let written = reply::write(tx, log, text, now).await?;
    let patient = patient::find(tx, written.patient).await?;
    if !written.new {
        return Ok(Told::Before(patient));
    }
    // Who has not joined cannot sign in to read it; who has left gets no mail.
    let reached = patient.email.clone().filter(|_| patient.joined_at.is_some() && patient.closed.is_none());
    match (reached, reply::to_tell(tx, patient.id, now).await?) {
        (Some(email), Some(first)) => {
            outbox::enqueue(tx, tx.clinic(), Owed::Answer(patient.id, first), &email, now).await?;
            Ok(Told::ByMail(patient))
        }
        _ => Ok(Told::OnThePage(patient)),
    }
}

/// To the note that was answered, over the days that were shown.
fn back(pages: &Pages, patient: &Patient, log: LogId, from: &str, to: &str, sentence: &str) -> Response {
    let page = match (from.parse::<Date>(), to.parse::<Date>()) {
        (Ok(from), Ok(to)) => super::period::href(patient.id, from, to),
        _ => format!("/patients/{}", patient.id),
    };
    pages.go_saying(&format!("{page}#note-{log}"), &Flash::good(sentence)).into_response()
}

fn read(typed: &str) -> Result<String, &'static str> {
    // A browser sends line breaks as two characters and counts them as one.
    let text = typed.replace("\r\n", "\n").trim().to_owned();
    match text.chars().count() {
        _ if is_blank(&text) => Err("Write an answer first."),
        n if n > MAX_CHARS => Err("The answer is too long: 1,000 characters at most."),
        _ => Ok(text),
    }
}
