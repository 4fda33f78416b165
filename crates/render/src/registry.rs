//! Every page and mail there is, with its samples: what the tests, the gallery and `homestretch check` walk.
//!
//! A new page adds one line to [`pages`].

use std::collections::BTreeSet;

use crate::{Chrome, Page, RenderError, Templates, pages};

/// One registered page.
pub struct Entry {
    /// The template's path.
    pub template: &'static str,
    /// Renders every sample of it.
    pub render: fn(&Templates) -> Result<Vec<String>, RenderError>,
    /// The names of the view-model's fields, over all samples.
    pub fields: fn() -> BTreeSet<String>,
}

/// All registered pages.
pub fn all() -> Vec<Entry> {
    vec![
        entry::<pages::gallery::Gallery>(),
        entry::<pages::demo::Mails>(),
        entry::<pages::demo::Mail>(),
        entry::<pages::patient::Today>(),
        entry::<pages::patient::Session>(),
        entry::<pages::patient::Log>(),
        entry::<pages::patient::Progress>(),
        entry::<pages::patient::Handout>(),
        entry::<pages::patient::Questions>(),
        entry::<pages::patient::Reminders>(),
        entry::<pages::patient::Consent>(),
        entry::<pages::patient::Close>(),
        entry::<pages::patient::Opened>(),
        entry::<pages::errors::NotFound>(),
        entry::<pages::errors::Forbidden>(),
        entry::<pages::errors::Refused>(),
        entry::<pages::errors::TooMany>(),
        entry::<pages::errors::Busy>(),
        entry::<pages::errors::Internal>(),
        entry::<pages::errors::Unavailable>(),
        entry::<pages::errors::Unconfirmed>(),
        entry::<pages::errors::Offline>(),
        entry::<pages::account::sign_in::Front>(),
        entry::<pages::account::sign_in::SignIn>(),
        entry::<pages::account::sign_in::Places>(),
        entry::<pages::account::sign_in::Forgot>(),
        entry::<pages::account::links::Reset>(),
        entry::<pages::account::links::LinkOver>(),
        entry::<pages::account::links::Welcome>(),
        entry::<pages::account::links::OneTap>(),
        entry::<pages::account::links::Unsubscribe>(),
        entry::<pages::account::own::OfPatient>(),
        entry::<pages::account::own::OfStaff>(),
        entry::<pages::account::second_factor::Code>(),
        entry::<pages::account::second_factor::Confirm>(),
        entry::<pages::account::second_factor::SecondFactor>(),
        entry::<pages::account::second_factor::RecoveryCodes>(),
        entry::<pages::account::clinic::Settings>(),
        entry::<pages::account::team::Team>(),
        entry::<pages::physio::caseload::Caseload>(),
        entry::<pages::physio::clinic_report::ClinicReport>(),
        entry::<pages::physio::handout::Handout>(),
        entry::<pages::physio::invite::Invite>(),
        entry::<pages::physio::library::Exercises>(),
        entry::<pages::physio::library::ExerciseShown>(),
        entry::<pages::physio::library::ExerciseForm>(),
        entry::<pages::physio::templates::TemplateList>(),
        entry::<pages::physio::templates::TemplateUse>(),
        entry::<pages::physio::builder::ProgramBuilder>(),
        entry::<pages::physio::builder::ProgramPreview>(),
        entry::<pages::physio::programs::ProgramShown>(),
        entry::<pages::physio::patient::PatientPage>(),
        entry::<pages::physio::notices::Notices>(),
        entry::<pages::physio::record::Record>(),
        entry::<pages::physio::audit::Audit>(),
        entry::<pages::physio::breaches::Breaches>(),
        entry::<pages::physio::breaches::BreachForm>(),
        entry::<pages::physio::breaches::BreachShown>(),
    ]
}

fn entry<P: Page>() -> Entry {
    Entry { template: P::TEMPLATE, render: render::<P>, fields: fields::<P> }
}

fn render<P: Page>(templates: &Templates) -> Result<Vec<String>, RenderError> {
    let chrome = if P::TEMPLATE.starts_with("pages/patient/") {
        Chrome::sample_patient()
    } else if P::TEMPLATE.starts_with("pages/physio/") || P::TEMPLATE == "pages/gallery.html" {
        Chrome::sample_staff()
    } else {
        Chrome::plain(crate::words::Language::En)
    };
    P::samples().iter().map(|sample| templates.render(&chrome, sample)).collect()
}

fn fields<P: Page>() -> BTreeSet<String> {
    field_names(&P::samples())
}

/// The names of the fields that a template finds as variables.
pub(crate) fn field_names<T: serde::Serialize>(samples: &[T]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for sample in samples {
        if let Ok(serde_json::Value::Object(map)) = serde_json::to_value(sample) {
            names.extend(map.into_iter().map(|(name, _)| name));
        }
    }
    names
}
