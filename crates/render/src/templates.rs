//! Loads the templates once and renders pages with them.

use std::sync::Arc;

use rust_embed::RustEmbed;
use serde::Serialize;
use tera::{Context, Tera};

use crate::{Chrome, Page};
use crate::{functions, mail_styles};

/// Turns the name of a static file (`css/base.css`) into its address, or `None` when there is no such file.
pub type Assets = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

// Embedded in a release; read from the checkout in a debug build, so that an edit shows after a restart.
#[derive(RustEmbed)]
#[folder = "../../templates"]
struct Files;

/// Why a page could not be rendered: our mistake, never the reader's.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The templates do not compile.
    #[error("templates do not load: {0}")]
    Load(#[source] tera::Error),
    /// A template file is not UTF-8.
    #[error("template {0} is not text")]
    NotText(String),
    /// A page does not render.
    #[error("{template} does not render: {}", reasons(source))]
    Page {
        /// Which template.
        template: String,
        /// What Tera says.
        source: tera::Error,
    },
    /// A mail uses a class without a rule, or a rule is more than one class.
    #[error("{template}: {reason}")]
    Style {
        /// Which template.
        template: String,
        /// What is wrong.
        reason: String,
    },
}

// Tera puts the cause into the source of the source.
fn reasons(error: &tera::Error) -> String {
    let mut all = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        all.push_str(": ");
        all.push_str(&next.to_string());
        cause = next.source();
    }
    all
}

/// All templates, compiled. Cheap to share (`Arc`), made once at start.
#[derive(Clone)]
pub struct Templates {
    tera: Arc<Tera>,
}

impl Templates {
    /// Loads every template, with static files at `/assets/<name>` (tests, mail, examples).
    ///
    /// # Errors
    /// [`RenderError::Load`] when one does not compile or calls something unknown.
    pub fn load() -> Result<Self, RenderError> {
        Self::with_assets(Arc::new(|name| Some(format!("/assets/{name}"))))
    }

    /// Loads every template; `assets` knows the addresses of static files.
    ///
    /// # Errors
    /// [`RenderError::Load`] when one does not compile or calls something unknown.
    pub fn with_assets(assets: Assets) -> Result<Self, RenderError> {
        let mut tera = Tera::new();
        functions::register(&mut tera, assets);
        let mut sources = Vec::new();
        for path in Files::iter().filter(|path| path.ends_with(".html") || path.ends_with(".txt")) {
            let Some(file) = Files::get(&path) else {
                continue;
            };
            let text = String::from_utf8(file.data.into_owned()).map_err(|_| RenderError::NotText(path.to_string()))?;
            sources.push((path.into_owned(), text));
        }
        mail_styles::inline(&mut sources)?;
        tera.add_raw_templates(sources).map_err(RenderError::Load)?;
        Ok(Self { tera: Arc::new(tera) })
    }

    /// The page in its frame, as HTML.
    ///
    /// # Errors
    /// [`RenderError::Page`] when the template asks for what the view-model lacks.
    pub fn render<P: Page>(&self, chrome: &Chrome, page: &P) -> Result<String, RenderError> {
        let fail = |source| RenderError::Page { template: P::TEMPLATE.to_owned(), source };
        let mut context = Context::from_serialize(page).map_err(fail)?;
        context.insert("chrome", chrome);
        context.insert("lang", chrome.language.tag());
        self.tera.render(P::TEMPLATE, &context).map_err(fail)
    }

    /// One template of a mail, from the mail's own fields.
    pub(crate) fn render_part<T: Serialize>(&self, template: &str, lang: &str, fields: &T) -> Result<String, RenderError> {
        let fail = |source| RenderError::Page { template: template.to_owned(), source };
        let mut context = Context::from_serialize(fields).map_err(fail)?;
        context.insert("lang", lang);
        self.tera.render(template, &context).map_err(fail)
    }

    /// The paths of all templates, sorted; for `homestretch check` and the tests.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.tera.get_template_names().collect();
        names.sort_unstable();
        names
    }

    /// The variables that a template and those it extends or includes use, sorted.
    pub fn variables(&self, template: &str) -> Vec<String> {
        let mut all: Vec<String> =
            self.tera.get_template_variables(template).map(|set| set.into_iter().map(str::to_owned).collect()).unwrap_or_default();
        all.sort_unstable();
        all
    }
}
