//! What the patient's pages load: a program with its exercises, and who looks after the patient.

use std::collections::HashMap;

use domain::{
    ids::{ExerciseId, LogId, PatientId},
    person::Language,
    program::Version,
    session_log::{RedFlag, SkipReason},
};
use jiff::civil::Date;
use render::pages::patient::{ExerciseView, LogForm};
use store::{StoreError, Tx, exercise::Exercise, patient};

/// The exercises of a version, by id.
pub(super) async fn exercises(tx: &Tx, versions: &[&Version]) -> Result<HashMap<ExerciseId, Exercise>, StoreError> {
    let mut ids: Vec<ExerciseId> =
        versions.iter().flat_map(|version| &version.prescriptions).map(|prescription| prescription.exercise).collect();
    ids.sort_unstable();
    ids.dedup();
    store::exercise::by_ids(tx, &ids).await
}

/// The given name of the patient's physiotherapist.
pub(super) async fn therapist(tx: &Tx, id: PatientId) -> Result<Option<String>, StoreError> {
    Ok(patient::physiotherapist_name(tx, id).await?.map(|name| name.called().to_owned()))
}

/// The form for a log of `date` under `version`, with nothing answered.
pub(super) fn form(
    language: Language,
    id: LogId,
    date: Date,
    version: &Version,
    exercises: &HashMap<ExerciseId, Exercise>,
    therapist: Option<String>,
) -> LogForm {
    let views = version
        .prescriptions
        .iter()
        .enumerate()
        .filter_map(|(at, prescription)| {
            let exercise = exercises.get(&prescription.exercise)?;
            let view = ExerciseView::new(
                language,
                prescription.id.to_string(),
                at + 1,
                &exercise.name,
                &prescription.dose,
                &exercise.instructions,
                exercise.figure.as_deref(),
            );
            Some(ExerciseView { note: prescription.note.clone(), ..view })
        })
        .collect();
    let reasons: Vec<&str> = SkipReason::ALL.iter().map(|reason| reason.tag()).collect();
    let signs: Vec<&str> = RedFlag::ALL.iter().map(|flag| flag.tag()).collect();
    LogForm::empty(language, id.to_string(), date.to_string(), views, &reasons, &signs, therapist)
}
