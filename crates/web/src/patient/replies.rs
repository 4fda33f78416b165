//! What the clinic answered to what the patient wrote, as the patient reads it; and `POST /logs/{id}/replies/read`.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use domain::{
    ids::LogId,
    person::{Language, PersonName, Zone},
};
use render::{
    Flash, Nav, formats,
    pages::patient::{AnswerCard, Answered},
    words::say,
};
use store::reply::{self, Reply};

use super::words;
use crate::{
    AppState, PageError,
    extract::{Id, Now, Pages, Patient},
};

/// Cards on Today; the rest is in Progress.
const CARDS: usize = 3;

/// The patient has read what was answered to a session: it leaves Today and stays in Progress.
///
/// # Errors
/// 404 for a log that is not the patient's, and for one that nobody answered.
pub async fn read(
    patient: Patient,
    Now(now): Now,
    Id(log): Id<LogId>,
    State(app): State<AppState>,
    pages: Pages,
) -> Result<Response, PageError> {
    let language = patient.language;
    let tx = app.store.begin(&patient.scope).await?;
    reply::mark_read(&tx, patient.id, log, now).await?;
    tx.commit().await?;
    Ok(pages.at(Nav::Today).go_saying("/today", &Flash::good(words(language, "answer-thanks"))).into_response())
}

/// What waits to be read, a card for each session, and how many cards there are besides.
pub(super) fn cards(language: Language, zone: &Zone, unread: &[Reply]) -> (Vec<AnswerCard>, Option<String>) {
    let mut logs: Vec<LogId> = Vec::new();
    for reply in unread {
        if !logs.contains(&reply.log) {
            logs.push(reply.log);
        }
    }
    let more = logs.len().saturating_sub(CARDS);
    let card = |log: &LogId| {
        let of_log: Vec<&Reply> = unread.iter().filter(|reply| reply.log == *log).collect();
        let newest = of_log.last()?;
        let about = if newest.note.is_some() { "answer-about" } else { "answer-about-stop" };
        Some(AnswerCard {
            title: say(language, "answer-title", &[("by", called(&newest.by).into())]),
            about: say(language, about, &[("day", formats::day_long(language, newest.date).into())]),
            note: newest.note.clone(),
            answers: of_log.into_iter().map(|reply| answered(language, zone, reply)).collect(),
            read: format!("/logs/{log}/replies/read"),
        })
    };
    let cards = logs.iter().take(CARDS).filter_map(card).collect();
    (cards, (more > 0).then(|| say(language, "answers-more", &[("count", more.into())])))
}

/// "Hannah, Thursday 19 November", and what she wrote.
pub(super) fn answered(language: Language, zone: &Zone, reply: &Reply) -> Answered {
    let day = formats::day_long(language, zone.date(reply.written_at));
    Answered { by: say(language, "answer-by", &[("by", called(&reply.by).into()), ("day", day.into())]), text: reply.text.clone() }
}

fn called(name: &str) -> String {
    PersonName::parse(name).map_or_else(|_| name.to_owned(), |name| name.called().to_owned())
}
