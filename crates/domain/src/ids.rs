//! Names for rows. Each kind of thing has its own type, so that a patient's id cannot be passed where a program's is meant.

use std::{fmt, str::FromStr};

use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id (UUIDv7: ids made later sort later).
            #[allow(clippy::new_without_default, reason = "a default would not be the same twice")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )*};
}

ids! {
    /// A clinic.
    ClinicId;
    /// A person who can sign in.
    AccountId;
    /// A person's place on the staff of a clinic.
    MembershipId;
    /// A patient's record in a clinic.
    PatientId;
    /// An exercise in a clinic's library.
    ExerciseId;
    /// A reusable program.
    TemplateId;
    /// A program assigned to a patient.
    ProgramId;
    /// One exercise in one version of a program.
    PrescriptionId;
    /// A session log; made by the patient's device.
    LogId;
    /// An email we owe.
    NoticeId;
    /// A reminder time a patient chose.
    RuleId;
    /// A decision of the physiotherapist about an attention.
    AttentionId;
}
