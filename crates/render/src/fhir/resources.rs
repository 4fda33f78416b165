//! The resources of FHIR R4 that we send, each with no more of its elements than we fill.

use serde::Serialize;
use uuid::Uuid;

use super::{
    codes,
    elements::{Annotation, Coding, Concept, Contact, HumanName, Identifier, Period, Reference, Text, Urn},
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry<'a> {
    pub(super) full_url: Urn,
    pub(super) resource: Identified<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Identified<'a> {
    #[serde(flatten)]
    pub(super) resource: &'a Resource<'a>,
    pub(super) id: Uuid,
}

#[derive(Debug, Serialize)]
#[serde(tag = "resourceType")]
pub(super) enum Resource<'a> {
    Organization(Organization<'a>),
    Patient(Patient<'a>),
    Practitioner(Practitioner<'a>),
    CarePlan(CarePlan<'a>),
    ServiceRequest(ServiceRequest<'a>),
    Procedure(Procedure<'a>),
    Observation(Observation),
    QuestionnaireResponse(QuestionnaireResponse<'a>),
    Communication(Communication<'a>),
}

#[derive(Debug, Serialize)]
pub(super) struct Organization<'a> {
    pub(super) active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) telecom: Vec<Contact<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Patient<'a> {
    pub(super) identifier: [Identifier; 1],
    pub(super) active: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) name: Vec<HumanName<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) telecom: Vec<Contact<'a>>,
    pub(super) communication: [Language; 1],
    pub(super) managing_organization: Reference,
}

#[derive(Debug, Serialize)]
pub(super) struct Language {
    language: Concept<'static>,
    preferred: bool,
}

impl Language {
    pub(super) fn read(language: domain::person::Language) -> Self {
        let name = match language {
            domain::person::Language::En => "English",
            domain::person::Language::Ms => "Malay",
            domain::person::Language::Zh => "Chinese",
            domain::person::Language::Ta => "Tamil",
        };
        let coding = Coding::new(codes::LANGUAGES, language.tag(), name);
        Self { language: Concept { coding: vec![coding], text: None }, preferred: true }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Practitioner<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) name: Vec<HumanName<'a>>,
}

/// The states of a CarePlan and of a ServiceRequest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RequestStatus {
    Active,
    OnHold,
    Revoked,
    Completed,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CarePlan<'a> {
    pub(super) identifier: [Identifier; 1],
    pub(super) status: RequestStatus,
    pub(super) intent: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<Text<'a>>,
    pub(super) subject: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) period: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) author: Option<Reference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) activity: Vec<Activity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) note: Vec<Annotation<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Activity {
    pub(super) reference: Reference,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceRequest<'a> {
    pub(super) identifier: [Identifier; 1],
    pub(super) based_on: [Reference; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) replaces: Vec<Reference>,
    pub(super) status: RequestStatus,
    pub(super) intent: &'static str,
    pub(super) code: Concept<'a>,
    pub(super) subject: Reference,
    pub(super) occurrence_timing: Timing,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) authored_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requester: Option<Reference>,
    pub(super) performer: [Reference; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) note: Vec<Annotation<'a>>,
    pub(super) patient_instruction: Text<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Timing {
    pub(super) repeat: Repeat,
}

/// So many times a day, on these days of the week.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Repeat {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bounds_period: Option<Period>,
    pub(super) frequency: u8,
    pub(super) period: u8,
    pub(super) period_unit: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) day_of_week: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EventStatus {
    Completed,
    NotDone,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Procedure<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) identifier: Vec<Identifier>,
    pub(super) based_on: [Reference; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) part_of: Vec<Reference>,
    pub(super) status: EventStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_reason: Option<Concept<'a>>,
    pub(super) code: Concept<'a>,
    pub(super) subject: Reference,
    pub(super) performed_date_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recorder: Option<Reference>,
    pub(super) asserter: Reference,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) note: Vec<Annotation<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Observation {
    pub(super) based_on: [Reference; 1],
    pub(super) part_of: [Reference; 1],
    pub(super) status: &'static str,
    pub(super) category: [Concept<'static>; 1],
    pub(super) code: Concept<'static>,
    pub(super) subject: Reference,
    pub(super) effective_date_time: String,
    pub(super) issued: String,
    pub(super) performer: [Reference; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value_integer: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) component: Vec<Component>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Component {
    pub(super) code: Concept<'static>,
    pub(super) value_boolean: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QuestionnaireResponse<'a> {
    pub(super) identifier: Identifier,
    pub(super) based_on: [Reference; 1],
    pub(super) questionnaire: &'static str,
    pub(super) status: &'static str,
    pub(super) subject: Reference,
    pub(super) authored: String,
    pub(super) author: Reference,
    pub(super) source: Reference,
    pub(super) item: Vec<Item<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item<'a> {
    pub(super) link_id: String,
    pub(super) text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) answer: Vec<Score>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Score {
    pub(super) value_integer: i8,
}

#[derive(Debug, Serialize)]
pub(super) struct Communication<'a> {
    pub(super) status: &'static str,
    pub(super) subject: Reference,
    pub(super) about: [Reference; 1],
    pub(super) sent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) received: Option<String>,
    pub(super) recipient: [Reference; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sender: Option<Reference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) payload: Vec<Payload<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload<'a> {
    pub(super) content_string: Text<'a>,
}
