//! The patient's programs on paper.

use serde::Serialize;

use crate::{Page, pages::handout::Sheet};

/// `/handout`.
#[derive(Debug, Clone, Serialize)]
pub struct Handout {
    /// The programs that run or are to come; none shows that there is nothing to print.
    pub sheets: Vec<Sheet>,
}

impl Page for Handout {
    const TEMPLATE: &'static str = "pages/patient/handout.html";

    fn samples() -> Vec<Self> {
        vec![Self { sheets: vec![Sheet::sample(), Sheet::stopped_sample()] }, Self { sheets: Vec::new() }]
    }
}
