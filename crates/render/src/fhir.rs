//! A patient's record as a FHIR R4 Bundle (HL7 FHIR 4.0.1, JSON), for programs of hospitals and other clinics.
//!
//! What stands for what is in `docs/exports.md`, why in `docs/decisions/0012`. The bundle is written resource by resource as the record
//! comes in, so its size does not matter to memory. `resources` has the few shapes we send and nothing else of FHIR, `codes` the words;
//! `plan`, `session` and `answer` each turn one part of the record into resources. To send one more thing: its shape in `resources`, a
//! line in `docs/exports.md`, and the story in `tests/tests/fhir` counts it.
//!
//! Three habits: what was not given is not there; every id is made from the ids of our rows, so that two exports of one record agree;
//! what somebody typed comes out as it was typed.

mod answer;
mod codes;
mod elements;
mod plan;
mod resources;
mod session;

use std::{collections::HashMap, io::Write};

use domain::{
    ids::{ClinicId, ExerciseId, MembershipId, PrescriptionId, ProgramId},
    program::Prescription,
    record::{Opening, Part, Whose},
};
use jiff::{Timestamp, civil::Date};

use elements::{Contact, HumanName, Identifier, Reference, Text, Urn};
use resources::{Entry, Identified, Language as Spoken, Organization, Patient, Practitioner, Resource};

/// The media type of a resource as JSON.
pub const MEDIA_TYPE: &str = "application/fhir+json";

/// Who sends it, and when.
#[derive(Debug, Clone)]
pub struct About {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its name.
    pub clinic_name: String,
    /// Its telephone number as people write it.
    pub phone: Option<String>,
    /// When it is made.
    pub now: Timestamp,
}

/// A bundle that is being written.
#[derive(Debug)]
pub struct Bundle<W> {
    to: W,
    empty: bool,
    record: Record,
}

/// What the resources of one part need to know of the others.
#[derive(Debug)]
struct Record {
    about: About,
    /// The patient's civil date.
    today: Date,
    opening: Opening,
    /// The patient.
    patient: Reference,
    /// The programs' plans.
    plans: HashMap<ProgramId, Urn>,
    /// The prescriptions, each with its order.
    prescriptions: HashMap<PrescriptionId, (Urn, Prescription)>,
}

impl<W: Write> Bundle<W> {
    /// Begins with whose record it is and what was prescribed.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin(mut to: W, about: About, opening: Opening) -> std::io::Result<Self> {
        write!(to, r#"{{"resourceType":"Bundle","type":"collection","timestamp":"#)?;
        serde_json::to_writer(&mut to, &elements::instant(&opening.whose.zone, about.now))?;
        write!(to, r#","entry":["#)?;
        let record = Record::new(about, opening);
        let mut empty = true;
        put(&mut to, &mut empty, &[record.organization_entry(), record.patient_entry()])?;
        for (id, name) in &record.opening.staff {
            put(&mut to, &mut empty, &[practitioner_entry(*id, name)])?;
        }
        for program in &record.opening.programs {
            put(&mut to, &mut empty, &plan::entries(&record, program))?;
        }
        Ok(Self { to, empty, record })
    }

    /// Writes one part of the record. Another opening adds nothing.
    ///
    /// # Errors
    /// Those of writing.
    pub fn add(&mut self, part: Part) -> std::io::Result<()> {
        let Self { to, empty, record } = self;
        match part {
            Part::Opening(_) => {}
            Part::Sessions(sessions) => {
                for one in &sessions {
                    put(to, empty, &session::entries(record, one))?;
                }
            }
            Part::Answers(answers) => {
                for one in &answers {
                    put(to, empty, &answer::entries(record, one))?;
                }
            }
            Part::Replies(replies) => {
                for one in &replies {
                    put(to, empty, &[session::reply_entry(record, one)])?;
                }
            }
        }
        Ok(())
    }

    /// Ends it, and gives back what it was written to.
    ///
    /// # Errors
    /// Those of writing.
    pub fn end(mut self) -> std::io::Result<W> {
        self.to.write_all(b"\n]}\n")?;
        Ok(self.to)
    }
}

/// A resource and its id.
type Put<'a> = (Urn, Resource<'a>);

fn put<W: Write>(to: &mut W, empty: &mut bool, entries: &[Put<'_>]) -> std::io::Result<()> {
    for (urn, resource) in entries {
        to.write_all(if *empty { b"\n" } else { b",\n" })?;
        *empty = false;
        serde_json::to_writer(&mut *to, &Entry { full_url: *urn, resource: Identified { id: urn.0, resource } })?;
    }
    Ok(())
}

impl Record {
    fn new(about: About, opening: Opening) -> Self {
        let versions = opening.programs.iter().flat_map(|program| &program.versions);
        let prescriptions =
            versions.flat_map(|version| &version.prescriptions).map(|one| (one.id, (plan::order(one.id), one.clone())));
        Self {
            today: opening.whose.zone.date(about.now),
            patient: Urn::of("patient", [opening.whose.id.0]).into(),
            plans: opening.programs.iter().map(|program| (program.id, plan::urn(program.id))).collect(),
            prescriptions: prescriptions.collect(),
            about,
            opening,
        }
    }

    fn care_plan(&self, id: ProgramId) -> Urn {
        self.plans.get(&id).copied().unwrap_or_else(|| plan::urn(id))
    }

    fn organization(&self) -> Reference {
        Urn::of("clinic", [self.about.clinic.0]).into()
    }

    /// Somebody of the staff whose name is in the record.
    fn practitioner(&self, id: MembershipId) -> Option<Reference> {
        let known = self.opening.staff.iter().any(|(known, _)| *known == id);
        known.then(|| Urn::of("staff", [id.0]).into())
    }

    fn exercise(&self, id: ExerciseId) -> Option<Text<'_>> {
        Text::new(self.opening.exercises.get(&id)?)
    }

    /// An instant with the offset of the patient's zone.
    fn instant(&self, at: Timestamp) -> String {
        elements::instant(&self.opening.whose.zone, at)
    }

    /// When something of a civil date of the patient's was done: to the second where the instant lies on that date, else the date alone.
    /// It lies on another one when the patient has moved to another zone since; the date is what the patient meant.
    fn moment(&self, date: Date, at: Timestamp) -> String {
        if self.opening.whose.zone.date(at) == date { self.instant(at) } else { date.to_string() }
    }

    fn organization_entry(&self) -> Put<'_> {
        let About { clinic, clinic_name, phone, now: _ } = &self.about;
        let organization = Organization {
            active: true,
            name: Text::new(clinic_name),
            telecom: phone.as_deref().and_then(Text::new).map(Contact::phone).into_iter().collect(),
        };
        (Urn::of("clinic", [clinic.0]), Resource::Organization(organization))
    }

    fn patient_entry(&self) -> Put<'_> {
        let Whose { id, name, email, language, zone: _, open } = &self.opening.whose;
        let resource = Patient {
            identifier: [Identifier::row(id.0)],
            active: *open,
            name: HumanName::of(name.as_str()),
            telecom: email.as_ref().and_then(|email| Text::new(email.as_str())).map(Contact::email).into_iter().collect(),
            communication: [Spoken::read(*language)],
            managing_organization: self.organization(),
        };
        (Urn::of("patient", [id.0]), Resource::Patient(resource))
    }
}

fn practitioner_entry(id: MembershipId, name: &str) -> Put<'_> {
    (Urn::of("staff", [id.0]), Resource::Practitioner(Practitioner { name: HumanName::of(name) }))
}
