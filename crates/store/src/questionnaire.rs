//! How things are, in the patients' words: whom to ask and how often, what was answered, and what an answer said before its correction.
//!
//! Each answer carries both questionnaires of that day. Read them with [`of_patient`]: for every [`Answer`], the activities
//! ([`Answer::ABILITY`], the Patient-Specific Functional Scale of 1995, 0 unable to 10 as before) in the order they were named, each
//! with its score or none, and the rating of change ([`Answer::RATING`], −5 to +5) or none. None is "not given" and never 0.

use std::collections::HashMap;

use domain::{
    ids::{ActivityId, AnswerId, AskingId, PatientId, ProgramId},
    program::Program,
    questionnaire::{Ability, Activity, ActivityName, Answer, Asking, Every, Rating, Scored},
};
use jiff::{Timestamp, civil::Date};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{At, from_date, from_instant, to_date, to_instant},
    session_log::Saved,
};

/// The most answers one page reads: two years of one every other week for each of several programs.
pub const MOST: i64 = 200;

/// Asks the patient of a program from now on, or goes on with another interval. Going on with the same interval changes nothing but who
/// chose it; a choice that was stopped begins anew on `today`, the patient's civil date.
///
/// # Errors
/// [`StoreError::Refused`] outside a member of staff's scope; the store's own.
pub async fn ask(tx: &Tx, program: &Program, every: Every, today: Date, now: Timestamp) -> Result<(), StoreError> {
    let staff = tx.staff().ok_or_else(|| StoreError::Refused("Only the clinic's staff can do this.".to_owned()))?;
    tx.note(AuditAction::Wrote, AuditResource::Program, Some(program.patient));
    tx.run(
        "insert into questionnaire_plan as plan (clinic_id, id, patient_id, program_id, every_weeks, since, set_by, set_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (clinic_id, program_id) do update set every_weeks = excluded.every_weeks, stopped_at = null,
           since = case when plan.stopped_at is null then plan.since else excluded.since end,
           set_by = excluded.set_by, set_at = excluded.set_at",
        [
            tx.clinic().0.into(),
            AskingId::new().0.into(),
            program.patient.0.into(),
            program.id.0.into(),
            i16::from(every.weeks()).into(),
            from_date(today).into(),
            staff.0.into(),
            from_instant(now).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Asks the patient of a program no more. What was answered stays.
///
/// # Errors
/// [`StoreError::Refused`] outside a member of staff's scope; the store's own.
pub async fn stop_asking(tx: &Tx, program: &Program, now: Timestamp) -> Result<(), StoreError> {
    let staff = tx.staff().ok_or_else(|| StoreError::Refused("Only the clinic's staff can do this.".to_owned()))?;
    tx.note(AuditAction::Wrote, AuditResource::Program, Some(program.patient));
    tx.run(
        "update questionnaire_plan set stopped_at = $3, set_by = $4, set_at = $3
         where clinic_id = $1 and program_id = $2 and stopped_at is null",
        [tx.clinic().0.into(), program.id.0.into(), from_instant(now).into(), staff.0.into()],
    )
    .await?;
    Ok(())
}

/// In which of a patient's programs questions are asked, and how often.
///
/// # Errors
/// The store's own.
pub async fn asked(tx: &Tx, patient: PatientId) -> Result<HashMap<ProgramId, Asking>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        program_id: Uuid,
        every_weeks: i16,
        since: time::Date,
    }
    let rows: Vec<Row> = tx
        .all(
            "select program_id, every_weeks, since from questionnaire_plan
             where clinic_id = $1 and patient_id = $2 and stopped_at is null",
            [tx.clinic().0.into(), patient.0.into()],
        )
        .await?;
    rows.into_iter()
        .map(|Row { program_id, every_weeks, since }| {
            let corrupt = |column| StoreError::corrupt("questionnaire_plan", column, program_id, "out of range");
            let every = Every::of_weeks(i64::from(every_weeks)).ok_or_else(|| corrupt("every_weeks"))?;
            let since = to_date(since).ok_or_else(|| corrupt("since"))?;
            Ok((ProgramId(program_id), Asking { every, since }))
        })
        .collect()
}

/// Keeps an answer that [`Answer::check`] has accepted, with its scores and the activities it names for the first time. The same id
/// again changes nothing.
///
/// # Errors
/// [`StoreError::Refused`] when somebody else's answer has that id; the store's own.
pub async fn insert(tx: &Tx, answer: &Answer) -> Result<Saved, StoreError> {
    let added = tx
        .run(
            "insert into questionnaire_answer (clinic_id, id, patient_id, program_id, date, ability_edition, rating_edition, rating,
               received_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (clinic_id, id) do nothing",
            [
                tx.clinic().0.into(),
                answer.id.0.into(),
                answer.patient.0.into(),
                answer.program.0.into(),
                from_date(answer.date).into(),
                Answer::ABILITY.tag().into(),
                Answer::RATING.tag().into(),
                answer.rating.map(|rating| i16::from(rating.get())).into(),
                from_instant(answer.received_at).into(),
            ],
        )
        .await?;
    if added == 0 {
        return match find(tx, answer.id).await {
            Ok(known) if known.program == answer.program => Ok(Saved::Known),
            Ok(_) | Err(StoreError::NotFound) => Err(StoreError::Refused("This id is taken.".to_owned())),
            Err(error) => Err(error),
        };
    }
    tx.note(AuditAction::Wrote, AuditResource::Answers, Some(answer.patient));
    name(tx, answer).await?;
    score(tx, answer).await?;
    Ok(Saved::New)
}

/// Replaces an answer's scores and rating, keeping the whole of the earlier one. Activities keep their names; new ones may be added.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such answer; the store's own.
pub async fn correct(tx: &Tx, answer: &Answer, now: Timestamp) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Answers, Some(answer.patient));
    let id = || -> [Value; 2] { [tx.clinic().0.into(), answer.id.0.into()] };
    let kept = tx
        .run(
            "insert into questionnaire_revision (clinic_id, id, answer_id, patient_id, before, replaced_at)
             select a.clinic_id, $3, a.id, a.patient_id,
               to_jsonb(a) || jsonb_build_object('scores', (select coalesce(jsonb_agg(
                   jsonb_build_object('activity_id', s.activity_id, 'activity', v.name, 'score', s.score) order by v.position), '[]'::jsonb)
                 from questionnaire_score s
                 join questionnaire_activity v on v.clinic_id = s.clinic_id and v.id = s.activity_id
                 where s.clinic_id = a.clinic_id and s.answer_id = a.id)), $4
             from questionnaire_answer a where a.clinic_id = $1 and a.id = $2",
            id().into_iter().chain([Uuid::now_v7().into(), from_instant(now).into()]),
        )
        .await?;
    if kept == 0 {
        return Err(StoreError::NotFound);
    }
    tx.run("delete from questionnaire_score where clinic_id = $1 and answer_id = $2", id()).await?;
    let rating: Value = answer.rating.map(|rating| i16::from(rating.get())).into();
    tx.run(
        "update questionnaire_answer set rating = $3, corrected_at = $4 where clinic_id = $1 and id = $2",
        id().into_iter().chain([rating, from_instant(now).into()]),
    )
    .await?;
    name(tx, answer).await?;
    score(tx, answer).await
}

/// One answer within the scope.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown id and for somebody else's alike.
pub async fn find(tx: &Tx, id: AnswerId) -> Result<Answer, StoreError> {
    read(tx, "id = $2", id.0.into()).await?.pop().ok_or(StoreError::NotFound)
}

/// A patient's answers in all programs, oldest first, the newest [`MOST`] of them. Two statements that travel together.
///
/// # Errors
/// The store's own.
pub async fn of_patient(tx: &Tx, patient: PatientId) -> Result<Vec<Answer>, StoreError> {
    read(tx, "patient_id = $2", patient.0.into()).await
}

/// The activities that were named in a patient's programs, in the order they were named.
///
/// # Errors
/// The store's own.
pub async fn activities(tx: &Tx, patient: PatientId) -> Result<HashMap<ProgramId, Vec<Activity>>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        program_id: Uuid,
        name: String,
    }
    let rows: Vec<Row> = tx
        .all(
            "select id, program_id, name from questionnaire_activity where clinic_id = $1 and patient_id = $2
             order by program_id, position",
            [tx.clinic().0.into(), patient.0.into()],
        )
        .await?;
    let mut named: HashMap<ProgramId, Vec<Activity>> = HashMap::new();
    for Row { id, program_id, name } in rows {
        named.entry(ProgramId(program_id)).or_default().push(activity(id, &name)?);
    }
    Ok(named)
}

/// Keeps the activities that are not there yet, after those that are.
async fn name(tx: &Tx, answer: &Answer) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = answer.activities.iter().map(|scored| scored.activity.id.0).collect();
    let names: Vec<String> = answer.activities.iter().map(|scored| scored.activity.name.as_str().to_owned()).collect();
    tx.run(
        "insert into questionnaire_activity (clinic_id, id, patient_id, program_id, position, name, named_in)
         select $1, n.id, $2, $3,
           (select coalesce(max(v.position), 0) from questionnaire_activity v where v.clinic_id = $1 and v.program_id = $3)
             + row_number() over (order by n.at), n.name, $4
         from unnest($5::uuid[], $6::text[]) with ordinality as n (id, name, at)
         where not exists (select from questionnaire_activity v where v.clinic_id = $1 and v.program_id = $3 and v.id = n.id)",
        [tx.clinic().0.into(), answer.patient.0.into(), answer.program.0.into(), answer.id.0.into(), ids.into(), names.into()],
    )
    .await?;
    Ok(())
}

/// Keeps the scores; an array has no nulls here, so one that was not given travels as -1.
async fn score(tx: &Tx, answer: &Answer) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = answer.activities.iter().map(|scored| scored.activity.id.0).collect();
    let scores: Vec<i16> = answer.activities.iter().map(|scored| scored.score.map_or(-1, |score| i16::from(score.get()))).collect();
    tx.run(
        "insert into questionnaire_score (clinic_id, answer_id, activity_id, patient_id, score)
         select $1, $2, s.id, $3, nullif(s.score, -1) from unnest($4::uuid[], $5::smallint[]) as s (id, score)",
        [tx.clinic().0.into(), answer.id.0.into(), answer.patient.0.into(), ids.into(), scores.into()],
    )
    .await?;
    Ok(())
}

fn activity(id: Uuid, name: &str) -> Result<Activity, StoreError> {
    let name = ActivityName::parse(name).map_err(|why| StoreError::corrupt("questionnaire_activity", "name", id, why))?;
    Ok(Activity { id: ActivityId(id), name })
}

/// `which` is one of the constants above, about `$2`.
async fn read(tx: &Tx, which: &'static str, of: Value) -> Result<Vec<Answer>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        patient_id: Uuid,
        program_id: Uuid,
        date: time::Date,
        rating: Option<i16>,
        received_at: At,
        corrected_at: Option<At>,
    }
    #[derive(FromQueryResult)]
    struct ScoreRow {
        answer_id: Uuid,
        activity_id: Uuid,
        name: String,
        score: Option<i16>,
    }
    let newest = format!(
        "select * from questionnaire_answer where clinic_id = $1 and {which} order by date desc, received_at desc, id desc limit {MOST}"
    );
    let answers = format!(
        "select id, patient_id, program_id, date, rating, received_at, corrected_at from ({newest}) as a order by date, received_at, id"
    );
    let scores = format!(
        "select s.answer_id, s.activity_id, v.name, s.score
         from ({newest}) as a
         join questionnaire_score s on s.clinic_id = a.clinic_id and s.answer_id = a.id
         join questionnaire_activity v on v.clinic_id = s.clinic_id and v.id = s.activity_id
         order by s.answer_id, v.position"
    );
    let values = || -> [Value; 2] { [tx.clinic().0.into(), of.clone()] };
    let (answers, scores) = tokio::try_join!(tx.all::<Row>(&answers, values()), tx.all::<ScoreRow>(&scores, values()))?;
    let mut scored: HashMap<Uuid, Vec<Scored>> = HashMap::new();
    for ScoreRow { answer_id, activity_id, name, score } in scores {
        let score = score
            .map(|score| {
                Ability::new(i64::from(score)).map_err(|why| StoreError::corrupt("questionnaire_score", "score", answer_id, why))
            })
            .transpose()?;
        scored.entry(answer_id).or_default().push(Scored { activity: activity(activity_id, &name)?, score });
    }
    answers
        .into_iter()
        .map(|row| {
            let Row { id, patient_id, program_id, date, rating, received_at, corrected_at } = row;
            let corrupt = |column| StoreError::corrupt("questionnaire_answer", column, id, "out of range");
            let rating = rating.map(|rating| Rating::new(i64::from(rating)).map_err(|_| corrupt("rating"))).transpose()?;
            Ok(Answer {
                id: AnswerId(id),
                patient: PatientId(patient_id),
                program: ProgramId(program_id),
                date: to_date(date).ok_or_else(|| corrupt("date"))?,
                received_at: to_instant(received_at).ok_or_else(|| corrupt("received_at"))?,
                corrected_at: corrected_at.and_then(to_instant),
                activities: scored.remove(&id).unwrap_or_default(),
                rating,
            })
        })
        .collect()
}
