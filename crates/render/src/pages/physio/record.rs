//! A patient's record as the clinic keeps it: what the patient agreed to, their data as a file, closing and opening it again.

use serde::Serialize;

use crate::{Crumb, Page, pages::patient::Agreement};

/// `GET /patients/{id}/record`.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// Patients / the name / Record.
    pub crumbs: Vec<Crumb>,
    /// The patient's given name.
    pub first: String,
    /// "Agreed to version 2026-11 on 3 March 2026": how consent stands, in a sentence.
    pub consent: String,
    /// A tag's tone for it.
    pub tone: &'static str,
    /// What was agreed to, newest first.
    pub agreed: Vec<Agreement>,
    /// The zip with everything.
    pub export: String,
    /// What was prescribed and logged, for another clinic's program.
    pub bundle: String,
    /// "Hannah Lim closed it on 3 March 2026", when it is closed.
    pub closed: Option<String>,
    /// Where closing is posted; `None` when it is closed.
    pub close: Option<String>,
    /// Why closing was refused.
    pub close_wrong: Option<String>,
    /// Where opening again is posted; `None` when it is open.
    pub reopen: Option<String>,
    /// The address an invitation goes to when it is opened again.
    pub email: Option<String>,
    /// Who opened it: the owner's audit of this patient; `None` for others.
    pub audit: Option<String>,
}

impl Page for Record {
    const TEMPLATE: &'static str = "pages/physio/record.html";

    fn samples() -> Vec<Self> {
        let open = Self {
            crumbs: vec![Crumb::to("Patients", "/patients"), Crumb::to("Wei Ling Tan", "/patients/x"), Crumb::here("Record")],
            first: "Wei Ling".into(),
            consent: "Agreed to version 2026-11 on 3 March 2026".into(),
            tone: "",
            agreed: vec![Agreement {
                day: "3 March 2026".into(),
                version: "2026-11".into(),
                paragraphs: vec!["Riverside Physio keeps what you log.".into()],
                withdrawn: None,
            }],
            export: "/patients/x/export.zip".into(),
            bundle: "/patients/x/fhir.json".into(),
            closed: None,
            close: Some("/patients/x/close".into()),
            close_wrong: None,
            reopen: None,
            email: Some("wei@example.test".into()),
            audit: Some("/audit?patient=x".into()),
        };
        let closed = Self {
            closed: Some("Closed on 8 April 2026 by the patient.".into()),
            close: None,
            reopen: Some("/patients/x/reopen".into()),
            ..open.clone()
        };
        vec![
            open.clone(),
            Self { close_wrong: Some("Please tick the box if you want to close it.".into()), ..open.clone() },
            Self { consent: "No consent is recorded yet.".into(), tone: "quiet", agreed: vec![], audit: None, ..open },
            closed.clone(),
            Self {
                email: None,
                agreed: closed
                    .agreed
                    .iter()
                    .map(|one| Agreement { withdrawn: Some("8 April 2026".into()), ..one.clone() })
                    .collect(),
                ..closed
            },
        ]
    }
}
