//! The floor beneath the pages: bare axum and the bare driver. One statement a page, written by hand, its rows written out with `write!`;
//! no session, no policies, no audit, no templates. Nobody who shows these rows can be much faster.

use std::fmt::Write as _;

use anyhow::Result;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse as _, Response},
    routing::{get, post},
};
use sqlx::{
    PgPool, Row as _,
    postgres::{PgPoolOptions, PgRow},
};
use uuid::Uuid;

/// The exercises of a patient's newest version with what was done this week: what Today shows.
const TODAY: &str = "
  select e.name, p.sets_min, p.reps_min, p.hold_min, p.rest_s, g.name as program, p.id::text as prescription,
    (select count(*) from session_log l where l.clinic_id = $1 and l.patient_id = $2 and l.date > current_date - 7) as week
  from prescription p
  join exercise e on e.clinic_id = p.clinic_id and e.id = p.exercise_id
  join program g on g.clinic_id = p.clinic_id and g.id = p.program_id
  where p.clinic_id = $1 and p.version_id = (
    select v.id from program_version v where v.clinic_id = $1 and v.program_id = (
      select id from program where clinic_id = $1 and patient_id = $2 order by starts_on desc limit 1)
    order by v.number desc limit 1)
  order by p.position";

/// Fifty sessions: what a history shows.
const HISTORY: &str = "
  select id::text as id, date::text as date, completion, pain_before, pain_after, effort, note from session_log
  where clinic_id = $1 and patient_id = $2 order by date desc, id desc limit 50";

/// A session with five exercises, in one statement.
const SAVE: &str = "
  with version as (
    select id, program_id from program_version where clinic_id = $1 and program_id = (
      select id from program where clinic_id = $1 and patient_id = $2 order by starts_on desc limit 1)
    order by number desc limit 1),
  log as (
    insert into session_log (clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at, pain_before, pain_after,
      effort, completion)
    select $1, $3, $2, program_id, id, current_date, now(), now(), 3, 2, 3, 1 from version returning id, version_id)
  insert into log_entry (clinic_id, log_id, patient_id, prescription_id, sets, reps, completion)
  select $1, log.id, $2, p.id, p.sets_min, p.reps_min, 1 from log
  join prescription p on p.clinic_id = $1 and p.version_id = log.version_id order by p.position limit 5";

/// Rows of a whole caseload, plain: what a report about it is held against.
pub const PLAIN: &str = "select id, name, email, region, joined_at from patient where clinic_id = $1 order by name, id limit 500";

/// Its pages, on a pool of eight connections.
pub async fn app(url: &str) -> Result<Router> {
    // Whether a connection lives is not asked each time, as ours is not.
    let pool = PgPoolOptions::new().max_connections(8).test_before_acquire(false).connect(url).await?;
    Ok(Router::new()
        .route("/today/{clinic}/{patient}", get(today))
        .route("/history/{clinic}/{patient}", get(history))
        .route("/save/{clinic}/{patient}", post(save))
        .with_state(pool))
}

/// Reads the plain rows once.
pub async fn plain(pool: &PgPool, clinic: Uuid) -> Result<usize> {
    Ok(sqlx::query(PLAIN).bind(clinic).fetch_all(pool).await?.len())
}

type Who = Path<(Uuid, Uuid)>;

async fn rows(pool: &PgPool, sql: &'static str, (clinic, patient): (Uuid, Uuid)) -> Result<Vec<PgRow>, StatusCode> {
    sqlx::query(sql).bind(clinic).bind(patient).fetch_all(pool).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn today(State(pool): State<PgPool>, Path(who): Who) -> Result<Html<String>, StatusCode> {
    let mut page = String::from("<!doctype html><title>Today</title><ol>");
    for row in rows(&pool, TODAY, who).await? {
        let (name, program, id): (&str, &str, &str) = (row.get("name"), row.get("program"), row.get("prescription"));
        let (sets, reps, hold): (i16, i16, Option<i16>) = (row.get("sets_min"), row.get("reps_min"), row.get("hold_min"));
        let week: i64 = row.get("week");
        let _ = write!(page, "<li id={id}>{program}: {name}, {sets} sets of {reps}, hold {hold:?}; {week} this week</li>");
    }
    page.push_str("</ol>");
    Ok(Html(page))
}

async fn history(State(pool): State<PgPool>, Path(who): Who) -> Result<Html<String>, StatusCode> {
    let mut page = String::from("<!doctype html><title>History</title><table>");
    for row in rows(&pool, HISTORY, who).await? {
        let (id, date, note): (&str, &str, Option<&str>) = (row.get("id"), row.get("date"), row.get("note"));
        let completion: f64 = row.get("completion");
        let (before, after): (Option<i16>, Option<i16>) = (row.get("pain_before"), row.get("pain_after"));
        let _ = write!(
            page,
            "<tr><td><a href=/logs/{id}>{date}</a><td>{completion:.2}<td>{before:?}<td>{after:?}<td>{}",
            note.unwrap_or_default()
        );
    }
    page.push_str("</table>");
    Ok(Html(page))
}

async fn save(State(pool): State<PgPool>, Path((clinic, patient)): Who, headers: HeaderMap) -> Response {
    // Ours reads where a form comes from; so may the floor.
    let known = headers.contains_key(header::ORIGIN);
    let done = sqlx::query(SAVE).bind(clinic).bind(patient).bind(Uuid::now_v7()).execute(&pool).await;
    match done {
        Ok(done) if known && done.rows_affected() > 0 => (StatusCode::SEE_OTHER, [(header::LOCATION, "/today")]).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
