//! One type per kind of id, so that a patient's id can never be handed over
//! where a program's is wanted. All are UUIDs; new ones are version 7, which
//! sort by the time they were made.

use uuid::Uuid;

macro_rules! id {
    ($( $(#[$meta:meta])* $name:ident ),+ $(,)?) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id (UUID version 7).
            #[allow(clippy::new_without_default)] // two defaults would differ: not what Default promises
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+ };
}

id! {
    /// A clinic: the tenant every row belongs to.
    ClinicId,
    /// An account that signs in, whatever clinics it belongs to.
    AccountId,
    /// A staff account's place in one clinic.
    MembershipId,
    /// A patient of one clinic.
    PatientId,
    /// An exercise in a clinic's library.
    ExerciseId,
    /// A reusable program.
    TemplateId,
    /// A program assigned to one patient.
    ProgramId,
    /// One exercise with its dose inside one version of a program.
    PrescriptionId,
    /// A session log; made by the device that logs, so that sending twice is one log.
    LogId,
    /// An email we owe.
    NoticeId,
    /// A patient's reminder rule.
    RuleId,
    /// An attention mark (acknowledged or snoozed).
    AttentionId,
    /// What a physiotherapist answered to a note of the patient's.
    ReplyId,
    /// What a patient answered about how things are; made by the device that answers.
    AnswerId,
    /// An activity that a patient named as hard.
    ActivityId,
    /// The choice to ask the patient of a program how things are.
    AskingId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_back() {
        let id = PatientId::new();
        assert_eq!(id.to_string().parse::<PatientId>().unwrap(), id);
        assert!("not an id".parse::<PatientId>().is_err());
        assert_eq!(id.0.get_version_num(), 7);
    }
}
