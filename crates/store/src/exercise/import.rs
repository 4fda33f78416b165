//! Bringing a list of exercises into the library from a file.
//!
//! The file is JSON: a list (or an object with the list under `exercises`) of objects with `name`, `instructions` (a list of steps,
//! or one text) and, where known, `id`, `equipment`, `primaryMuscles`, `category` and `force`, as the public-domain
//! free-exercise-db has them. Reading is pure and all or nothing: a file with one unusable entry is refused as a whole, naming it.

use domain::{
    dose::{Dose, RepUnit, Span},
    ids::ExerciseId,
    pain::Region,
};
use jiff::Timestamp;
use serde::Deserialize;

use super::{Exercise, MAX_EQUIPMENT_CHARS, MAX_INSTRUCTIONS_CHARS, MAX_NAME_CHARS, Source, insert};
use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
};

/// The most exercises one file may hold.
pub const MAX_ENTRIES: usize = 10_000;

/// Why a file is no list of exercises. Each reads as a sentence for the person who chose the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Not JSON at all.
    #[error("This file is no exercise list: it is not JSON ({0}).")]
    NotJson(String),
    /// JSON, but no list of objects.
    #[error("This file is no exercise list: it should be a JSON list of exercises, each with a name and instructions.")]
    NotAList,
    /// An empty list.
    #[error("This exercise list is empty.")]
    Empty,
    /// More than [`MAX_ENTRIES`].
    #[error("This file holds {0} exercises; {MAX_ENTRIES} at most can be brought in at once.")]
    TooMany(usize),
    /// One entry cannot be used.
    #[error("Exercise {number} in this file {why}. Nothing was brought in.")]
    Entry {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it, as the rest of a sentence.
        why: String,
    },
}

/// One exercise as a file has it, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedExercise {
    /// What the file calls it; importing the same key again changes nothing.
    pub key: String,
    /// Its name, 1–120 characters.
    pub name: String,
    /// The part of the body, read off its muscles.
    pub region: Region,
    /// What is needed; empty for nothing.
    pub equipment: String,
    /// One step a line.
    pub instructions: String,
    /// A usual dose for its kind: a hold for stretches, sets for strength.
    pub dose: Dose,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Exercises that are new in the library.
    pub added: u32,
    /// Exercises that were there already and were left as they are.
    pub already: u32,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Steps {
    List(Vec<String>),
    Text(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    #[serde(default)]
    id: Option<String>,
    instructions: Steps,
    #[serde(default)]
    equipment: Option<String>,
    #[serde(default)]
    primary_muscles: Vec<String>,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    force: Option<String>,
}

/// Reads a file's bytes as a list of exercises. Nothing is saved.
///
/// # Errors
/// [`ImportError`], with the first thing that is wrong.
pub fn parse_exercise_list(bytes: &[u8]) -> Result<Vec<ListedExercise>, ImportError> {
    // Windows editors put a byte-order mark in front, which is no JSON.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let json: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| ImportError::NotJson(format!("line {}", error.line().max(1))))?;
    let list = match json {
        serde_json::Value::Array(list) => list,
        serde_json::Value::Object(mut object) => match object.remove("exercises") {
            Some(serde_json::Value::Array(list)) => list,
            _ => return Err(ImportError::NotAList),
        },
        _ => return Err(ImportError::NotAList),
    };
    if list.is_empty() {
        return Err(ImportError::Empty);
    }
    if list.len() > MAX_ENTRIES {
        return Err(ImportError::TooMany(list.len()));
    }
    // Some other list (of numbers, of patients) is better told as what it is than as a fault of its first entry.
    if !list.iter().any(|entry| entry.get("name").is_some() && entry.get("instructions").is_some()) {
        return Err(ImportError::NotAList);
    }
    list.into_iter().enumerate().map(|(at, entry)| read(entry).map_err(|why| ImportError::Entry { number: at + 1, why })).collect()
}

fn read(entry: serde_json::Value) -> Result<ListedExercise, String> {
    let Entry { name, id, instructions, equipment, primary_muscles, category, force } =
        serde_json::from_value(entry).map_err(|_| "has no name or instructions we can read".to_owned())?;
    let name = one_line(&name);
    let quoted = || format!("(“{}”)", name.chars().take(40).collect::<String>());
    match name.chars().count() {
        0 => return Err("has no name".into()),
        n if n > MAX_NAME_CHARS => return Err(format!("{} has a name of more than {MAX_NAME_CHARS} characters", quoted())),
        _ => {}
    }
    let steps: Vec<String> = match instructions {
        Steps::List(steps) => steps,
        Steps::Text(text) => text.lines().map(str::to_owned).collect(),
    };
    let instructions = steps.iter().map(|step| one_line(step)).filter(|step| !step.is_empty()).collect::<Vec<_>>().join("\n");
    if instructions.chars().count() > MAX_INSTRUCTIONS_CHARS {
        return Err(format!("{} has instructions of more than {MAX_INSTRUCTIONS_CHARS} characters", quoted()));
    }
    let equipment = match equipment.as_deref().map(one_line).unwrap_or_default() {
        text if matches!(text.to_lowercase().as_str(), "" | "none" | "body only" | "bodyweight") => String::new(),
        text => capitalised(&text),
    };
    if equipment.chars().count() > MAX_EQUIPMENT_CHARS {
        return Err(format!("{} names equipment in more than {MAX_EQUIPMENT_CHARS} characters", quoted()));
    }
    let key = match id.as_deref().map(one_line) {
        Some(id) if !id.is_empty() => id,
        _ => name.to_lowercase(),
    };
    if key.chars().count() > 200 {
        return Err(format!("{} has an id of more than 200 characters", quoted()));
    }
    let dose = usual_dose(category.as_deref().unwrap_or_default(), force.as_deref().unwrap_or_default())?;
    Ok(ListedExercise { key, region: region(&primary_muscles), name, equipment, instructions, dose })
}

/// Spaces as one, and nothing that Postgres or a line of text cannot hold.
fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

fn region(muscles: &[String]) -> Region {
    let first = muscles.first().map(|muscle| muscle.trim().to_lowercase()).unwrap_or_default();
    match first.as_str() {
        "neck" => Region::Neck,
        "shoulders" => Region::Shoulder,
        "middle back" | "upper back" | "traps" | "lats" => Region::UpperBack,
        "lower back" => Region::LowerBack,
        _ => Region::Other,
    }
}

/// What is usual for its kind; the physiotherapist changes it where it is prescribed.
fn usual_dose(category: &str, force: &str) -> Result<Dose, String> {
    let span = |min, max| Span::new(min, max).map_err(|why| why.to_string());
    let (sets, reps, hold) = match (category.trim().to_lowercase().as_str(), force.trim().to_lowercase().as_str()) {
        ("stretching", _) | (_, "static") => (span(1, 1)?, span(3, 3)?, Some(span(15, 30)?)),
        ("cardio", _) => (span(1, 1)?, span(10, 10)?, None),
        _ => (span(3, 3)?, span(10, 12)?, None),
    };
    Dose::new(sets, reps, RepUnit::Times, hold, false, None).map_err(|why| why.to_string())
}

/// Adds those exercises of a list that the library does not have yet, in one statement. Nothing that is there is changed.
///
/// # Errors
/// The store's own.
pub async fn import(tx: &Tx, list: &[ListedExercise], now: Timestamp) -> Result<Imported, StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Library, None);
    let exercises: Vec<Exercise> = list
        .iter()
        .map(|listed| {
            let ListedExercise { key, name, region, equipment, instructions, dose } = listed.clone();
            Exercise {
                id: ExerciseId::new(),
                name,
                region,
                equipment,
                figure: None,
                instructions,
                source: Source::Imported,
                source_key: Some(key),
                dose,
                created_at: now,
                archived_at: None,
            }
        })
        .collect();
    let added = insert(tx, &exercises, "on conflict (clinic_id, source, source_key) do nothing").await?;
    let added = u32::try_from(added).unwrap_or(u32::MAX);
    let all = u32::try_from(list.len()).unwrap_or(u32::MAX);
    Ok(Imported { added, already: all.saturating_sub(added) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_the_usual_shape_is_read() {
        let file = r#"[
          {"id": "Arm_Circles", "name": " Arm  Circles ", "force": null, "equipment": null, "primaryMuscles": ["shoulders"],
           "instructions": ["Stand tall.", "  Draw circles\nwith both arms. ", ""], "category": "stretching", "images": ["a.jpg"]},
          {"name": "Row with a band", "equipment": "bands", "primaryMuscles": ["middle back"], "category": "strength",
           "instructions": "Sit on the floor.\n\nPull."}
        ]"#;
        let list = parse_exercise_list(format!("\u{feff}{file}").as_bytes()).unwrap();
        let [circles, row] = list.as_slice() else { panic!("two exercises, not {}", list.len()) };
        assert_eq!(circles.key, "Arm_Circles");
        assert_eq!(circles.name, "Arm Circles");
        assert_eq!(circles.region, Region::Shoulder);
        assert_eq!(circles.equipment, "");
        assert_eq!(circles.instructions, "Stand tall.\nDraw circles with both arms.");
        assert_eq!(circles.dose.to_string(), "Hold 15–30 s · 3 times");
        assert_eq!(row.key, "row with a band");
        assert_eq!(row.equipment, "Bands");
        assert_eq!(row.region, Region::UpperBack);
        assert_eq!(row.instructions, "Sit on the floor.\nPull.");
        assert_eq!(row.dose.to_string(), "3 × 10–12");
    }

    #[test]
    fn a_file_that_is_no_exercise_list_is_told_so() {
        for (file, begins) in [
            ("", "This file is no exercise list: it is not JSON"),
            ("name,email\nFarah,f@demo.test", "This file is no exercise list: it is not JSON"),
            ("\u{1}\u{2}PNG", "This file is no exercise list: it is not JSON"),
            ("{\"a\": 1}", "This file is no exercise list: it should be a JSON list"),
            ("42", "This file is no exercise list: it should be a JSON list"),
            ("[1, 2]", "This file is no exercise list: it should be a JSON list"),
            ("[{\"name\": \"Farah\", \"email\": \"f@demo.test\"}]", "This file is no exercise list: it should be a JSON list"),
            ("[]", "This exercise list is empty."),
            (
                "[{\"name\": \"Plank\", \"instructions\": [\"Hold.\"]}, {\"name\": \" \", \"instructions\": []}]",
                "Exercise 2 in this file has no name.",
            ),
            ("[{\"name\": 5, \"instructions\": []}]", "Exercise 1 in this file has no name or instructions we can read."),
        ] {
            let refused = parse_exercise_list(file.as_bytes()).unwrap_err().to_string();
            assert!(refused.starts_with(begins), "{file:?}: {refused}");
        }
        let long = format!("[{{\"name\": \"{}\", \"instructions\": []}}]", "x".repeat(500));
        assert!(parse_exercise_list(long.as_bytes()).unwrap_err().to_string().contains("more than 120 characters"));
    }
}
