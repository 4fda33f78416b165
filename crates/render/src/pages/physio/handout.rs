//! A patient's program on paper, as somebody at the clinic prints it.

use serde::Serialize;

use crate::{Page, forms::Crumb, pages::handout::Sheet};

/// `/programs/{id}/handout`.
#[derive(Debug, Clone, Serialize)]
pub struct Handout {
    /// The way here.
    pub crumbs: Vec<Crumb>,
    /// The sheet.
    pub sheet: Sheet,
}

impl Page for Handout {
    const TEMPLATE: &'static str = "pages/physio/handout.html";

    fn samples() -> Vec<Self> {
        let crumbs = vec![
            Crumb::to("Patients", "/patients"),
            Crumb::to("Wei Ling Chong", "/patients/1"),
            Crumb::to("Upper back relief", "/programs/1"),
            Crumb::here("On paper"),
        ];
        vec![Self { crumbs: crumbs.clone(), sheet: Sheet::sample() }, Self { crumbs, sheet: Sheet::stopped_sample() }]
    }
}
