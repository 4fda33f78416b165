//! `GET /patients/{id}/report.csv?from=&to=`: the sessions behind the report as a file, RFC 4180 in UTF-8 with a byte order mark, one line for each, newest
//! first. Dates are the patient's civil dates, instants are UTC. What was not given is empty, never 0.
//!
//! Columns: `date` it counts for · `program` · `performed_at` · `received_at` · `corrected_at` · `completion` (0 to 1) ·
//! `exercises_skipped` ("Wall angels: pain; …") · `pain_before` and `pain_after` (0–10) · `effort` (0–10) · `stop_signs` · `note` ·
//! `entered_by` (`patient` or `clinic`) · `counts` (whether it is one of the sessions of the figures: `yes` or `no`).
//!
//! A cell that a spreadsheet would take for a formula begins with an apostrophe.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use domain::ids::PatientId;
use store::{
    audit::{AuditAction, AuditResource},
    reports::patient::Session,
};

use super::{patient::Record, period::Wanted};
use crate::{
    AppState, PageError,
    account::download,
    csv::{BYTE_ORDER_MARK, line},
    extract::{Id, Now, Query, Staff},
};

const COLUMNS: [&str; 14] = [
    "date",
    "program",
    "performed_at",
    "received_at",
    "corrected_at",
    "completion",
    "exercises_skipped",
    "pain_before",
    "pain_after",
    "effort",
    "stop_signs",
    "note",
    "entered_by",
    "counts",
];

/// The file. A period that cannot be had is refused with its sentence; before the first program has begun it holds no sessions.
pub async fn file(
    State(app): State<AppState>,
    staff: Staff,
    Id(id): Id<PatientId>,
    Now(now): Now,
    Query(wanted): Query<Wanted>,
) -> Result<Response, PageError> {
    let turn = app.downloads.turn(&app.store, &staff.scope, staff.account).await?;
    staff.scope.note(AuditAction::Exported, AuditResource::Record, Some(id));
    let record = Record::load(&app.store, &staff.scope, id, wanted, now).await?;
    if let Some(sentence) = record.period.as_ref().and_then(|period| period.refused()) {
        return Err(PageError::Refused(Some(sentence.to_owned())));
    }
    let mut text = BYTE_ORDER_MARK.to_owned() + &line(COLUMNS);
    let counted = record.facts().map(|facts| facts.counted()).unwrap_or_default();
    for (at, session) in record.sessions.iter().enumerate() {
        text.push_str(&line(cells(&record, session, counted.contains(&at))));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"report.csv\""),
    ];
    Ok((headers, download::text(turn, text)).into_response())
}

fn cells(record: &Record, session: &Session, counts: bool) -> [String; 14] {
    let Session {
        log: _,
        program,
        date,
        performed_at,
        received_at,
        corrected_at,
        pain_before,
        pain_after,
        effort,
        note,
        red_flags,
        completion,
        by_staff,
        entries,
    } = session;
    let program = record.standing.programs.iter().find(|known| known.id == *program);
    let skipped = entries.iter().filter_map(|done| {
        let name = record.names.get(&done.exercise).map_or("An exercise", String::as_str);
        Some(format!("{name}: {}", done.skipped?))
    });
    let score = |score: Option<u8>| score.map(|score| score.to_string()).unwrap_or_default();
    [
        date.to_string(),
        program.map(|program| program.name.clone()).unwrap_or_default(),
        performed_at.to_string(),
        received_at.to_string(),
        corrected_at.map(|at| at.to_string()).unwrap_or_default(),
        format!("{completion:.4}"),
        skipped.collect::<Vec<_>>().join("; "),
        score(pain_before.map(|score| score.get())),
        score(pain_after.map(|score| score.get())),
        score(effort.map(|effort| effort.get())),
        red_flags.iter().map(|flag| flag.tag()).collect::<Vec<_>>().join("; "),
        note.clone().unwrap_or_default(),
        if *by_staff { "clinic" } else { "patient" }.to_owned(),
        if counts { "yes" } else { "no" }.to_owned(),
    ]
}
