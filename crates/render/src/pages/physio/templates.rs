//! The list of templates, and using one for a patient.

use serde::Serialize;

use crate::{Page, Svg, figures, figures::Pose, forms::Crumb};

/// One template in the list.
#[derive(Debug, Clone, Serialize)]
pub struct TemplateCard {
    /// Its page.
    pub href: String,
    /// Its name.
    pub name: String,
    /// "5 exercises · about 12 minutes a session · 6 sessions a week for 6 weeks".
    pub summary: String,
    /// The exercises' names.
    pub exercises: Vec<String>,
    /// The drawings of the first few.
    pub figures_svg: Vec<Svg>,
    /// Where to use it for a patient; `None` when it is archived.
    pub use_for: Option<String>,
    /// Where to post to offer it again; `None` when it is not archived.
    pub restore: Option<String>,
}

/// `/templates`
#[derive(Debug, Clone, Serialize)]
pub struct TemplateList {
    /// Whether the archived ones are shown.
    pub archived: bool,
    /// The templates by name.
    pub cards: Vec<TemplateCard>,
}

impl Page for TemplateList {
    const TEMPLATE: &'static str = "pages/physio/templates.html";

    fn samples() -> Vec<Self> {
        let card = TemplateCard {
            href: "/templates/1".into(),
            name: "Upper back relief".into(),
            summary: "5 exercises · about 12 minutes a session".into(),
            exercises: vec!["Wall angels".into(), "Cat–cow stretch".into()],
            figures_svg: figures::svg_titled("wall-angels", Pose::End, "").into_iter().collect(),
            use_for: Some("/templates/1/use".into()),
            restore: None,
        };
        vec![
            Self { archived: false, cards: vec![card.clone()] },
            Self { archived: false, cards: Vec::new() },
            Self {
                archived: true,
                cards: vec![TemplateCard { use_for: None, restore: Some("/templates/1/restore".into()), ..card }],
            },
        ]
    }
}

/// One patient to choose.
#[derive(Debug, Clone, Serialize)]
pub struct PatientLink {
    /// The builder filled from the template, for this patient.
    pub href: String,
    /// The name.
    pub name: String,
    /// The address, or "no email".
    pub detail: String,
}

/// `/templates/{id}/use`
#[derive(Debug, Clone, Serialize)]
pub struct TemplateUse {
    /// The way here.
    pub crumbs: Vec<Crumb>,
    /// The template's name.
    pub name: String,
    /// This page.
    pub action: String,
    /// The words searched for.
    pub q: String,
    /// The patients found.
    pub patients: Vec<PatientLink>,
    /// "The first 20: search to find the others."
    pub more: Option<String>,
}

impl Page for TemplateUse {
    const TEMPLATE: &'static str = "pages/physio/template_use.html";

    fn samples() -> Vec<Self> {
        let page = Self {
            crumbs: vec![Crumb::to("Programs", "/templates"), Crumb::here("Use for a patient")],
            name: "Upper back relief".into(),
            action: "/templates/1/use".into(),
            q: String::new(),
            patients: vec![PatientLink {
                href: "/patients/1/programs/new?template=1".into(),
                name: "Farah Aziz".into(),
                detail: "farah@demo.test".into(),
            }],
            more: Some("The first 20: search to find the others.".into()),
        };
        vec![
            page.clone(),
            Self { q: "nobody".into(), patients: Vec::new(), more: None, ..page.clone() },
            Self { patients: Vec::new(), more: None, ..page },
        ]
    }
}
