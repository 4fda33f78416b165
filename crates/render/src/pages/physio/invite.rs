//! Inviting a patient.

use serde::Serialize;

use crate::{
    Field, Page,
    forms::{Choice, Crumb},
};

/// A patient who has the address already.
#[derive(Debug, Clone, Serialize)]
pub struct Taken {
    /// Their page.
    pub href: String,
    /// Their name.
    pub name: String,
}

/// `/patients/new`
#[derive(Debug, Clone, Serialize)]
pub struct Invite {
    /// The way here.
    pub crumbs: Vec<Crumb>,
    /// What the page is called.
    pub title: String,
    /// A sentence below it.
    pub lead: String,
    /// Where it is posted.
    pub action: String,
    /// What its button says.
    pub submit: String,
    /// The button's icon.
    pub icon: &'static str,
    /// Where "Cancel" leads.
    pub back: String,
    /// What follows from another address, where there is one already.
    pub email_hint: String,
    /// The id of this form, so that sent twice it makes one record; `None` for a record that is there.
    pub form_id: Option<String>,
    /// A sentence above a refused form.
    pub problem: Option<String>,
    /// The name.
    pub name: Field,
    /// The address, or empty for a program on paper.
    pub email: Field,
    /// Who has the address already.
    pub taken: Option<Taken>,
    /// Where it hurts.
    pub region: Field,
    /// What `region` may be.
    pub regions: Vec<Choice>,
    /// The language of mail and pages.
    pub language: Field,
    /// What `language` may be.
    pub languages: Vec<Choice>,
    /// The patient's zone.
    pub zone: Field,
    /// Zones to choose from while typing.
    pub zones: Vec<String>,
}

impl Page for Invite {
    const TEMPLATE: &'static str = "pages/physio/invite.html";

    fn samples() -> Vec<Self> {
        let form = Self {
            crumbs: vec![Crumb::to("Patients", "/patients"), Crumb::here("Invite a patient")],
            title: "Invite a patient".into(),
            lead: "They get an email with a link to choose a password. The link holds for 14 days.".into(),
            action: "/patients".into(),
            submit: "Send the invitation".into(),
            icon: "mail",
            back: "/patients".into(),
            email_hint: "Without one, give the program on paper and log for the patient.".into(),
            form_id: Some("0193a6c2-0000-7000-8000-000000000001".into()),
            problem: None,
            name: Field::default(),
            email: Field::default(),
            taken: None,
            region: Field::holding("upper_back"),
            regions: vec![Choice::new("upper_back", "Upper back")],
            language: Field::holding("en"),
            languages: vec![Choice::new("en", "English")],
            zone: Field::holding("Asia/Kuala_Lumpur"),
            zones: vec!["Asia/Kuala_Lumpur".into(), "Europe/Berlin".into()],
        };
        vec![
            form.clone(),
            Self {
                problem: Some("Nobody was invited yet: one thing needs another look.".into()),
                email: Field::refused("farah@demo.test", "Farah Aziz is in your clinic with this address already."),
                taken: Some(Taken { href: "/patients/1".into(), name: "Farah Aziz".into() }),
                ..form
            },
        ]
    }
}
